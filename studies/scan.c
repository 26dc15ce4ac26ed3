/* A prototype beside the kernels: cells whose step is linear in the state, with what
 * hangs on x alone computed before, once as a plain loop over the steps and once as a
 * scan in two chunks.
 *
 * The forward step is h = a h + b, the backward one k = a (e + k) + q, where a, b, e and
 * q are known before. A chunk begins at 0 and notes the product A of all a so far; when
 * the one before it has ended, what that leaves is added, A times. Rows and chunks are
 * shared out by the kernels' own threads.h; H is a multiple of LANES.
 *
 * Needs CELL (0 to 5), CW_DOUBLE and CW_BYTES.
 */
#include <stdatomic.h>
#include "vectors.h"
#include "coefficients.h"
#include "functions.h"
#include "threads.h"

/* Numbers for the preprocessor, which knows no enum. */
#define MIN_GRU 0
#define MIN_LSTM 1
#define QRNN_POOL 2
#define SRU_FIRST 3
#define SRU 4
#define INDRNN 5
enum { GATES = CELL == MIN_GRU ? 2 : CELL == INDRNN ? 1 : 3 };
#define HIGHWAY ((real)(CELL == SRU ? 1.7320508075688772 : 1))

/* Times: p [T, B, GATES, H]; x, y, dy, h, local, product [T, B, H]; dp as p; u [2, H]. */
typedef struct {
    const real *p, *x, *dy, *u;
    real *y, *h, *dp, *local, *product;
    int64_t steps, rows, width, chunks, backward;
} Job;

typedef struct { vec a, e, q, constant[GATES], slope[GATES]; } Back;

INLINE vec at(const real *from) { vec v; memcpy(&v, from, sizeof v); return v; }
INLINE void put(real *to, vec v) { memcpy(to, &v, sizeof v); }
INLINE vec slope_of(vec s) { return s * (1 - s); }

/* What becomes of the state in one step, and how it depends on the one before. */
INLINE vec forward_step(const vec *p, vec before, const vec *u, vec *a)
{
#if CELL == MIN_GRU
    const vec z = v_sigmoid(p[0]);
    *a = 1 - z;
    return *a * before + z * p[1];
#elif CELL == MIN_LSTM
    const vec f = v_sigmoid(p[0]), i = v_sigmoid(p[1]);
    *a = f / (f + i);
    return *a * before + (1 - *a) * p[2];
#elif CELL == QRNN_POOL
    const vec f = v_sigmoid(p[1]);
    *a = f;
    return f * before + (1 - f) * v_tanh(p[0]);
#elif CELL == SRU_FIRST || CELL == SRU
    const vec f = v_sigmoid(CELL == SRU ? p[0] + u[0] * before : p[0]);
    *a = f;
    return f * before + (1 - f) * p[2];
#else
    const vec sum = p[0] + u[0] * before;
    return v_relu(sum);
#endif
}

INLINE vec output(const vec *p, vec x, vec before, vec h, const vec *u)
{
#if CELL == QRNN_POOL
    return v_sigmoid(p[2]) * h;
#elif CELL == SRU_FIRST || CELL == SRU
    const vec r = v_sigmoid(CELL == SRU ? p[1] + u[1] * before : p[1]);
    return r * h + (1 - r) * x * HIGHWAY;
#else
    return h;
#endif
}

INLINE Back backward_step(const vec *p, vec x, vec before, vec h, vec dy, const vec *u)
{
    Back back = {.e = dy, .q = splat(0)};
    for (int g = 0; g < GATES; g++)
        back.constant[g] = back.slope[g] = splat(0);
#if CELL == MIN_GRU
    const vec z = v_sigmoid(p[0]);
    back.a = 1 - z;
    back.slope[0] = (p[1] - before) * slope_of(z);
    back.slope[1] = z;
#elif CELL == MIN_LSTM
    const vec f = v_sigmoid(p[0]), i = v_sigmoid(p[1]), s = 1 / (f + i);
    const vec d = (before - p[2]) * s * s * f * i;
    back.a = f * s;
    back.slope[0] = d * (1 - f);
    back.slope[1] = -d * (1 - i);
    back.slope[2] = i * s;
#elif CELL == QRNN_POOL
    const vec z = v_tanh(p[0]), f = v_sigmoid(p[1]), o = v_sigmoid(p[2]);
    back.a = f;
    back.e = dy * o;
    back.constant[2] = dy * h * slope_of(o);
    back.slope[0] = (1 - f) * (1 - z * z);
    back.slope[1] = (before - z) * slope_of(f);
#elif CELL == SRU_FIRST || CELL == SRU
    const vec f = v_sigmoid(CELL == SRU ? p[0] + u[0] * before : p[0]);
    const vec r = v_sigmoid(CELL == SRU ? p[1] + u[1] * before : p[1]);
    back.e = dy * r;
    back.constant[1] = dy * (h - x * HIGHWAY) * slope_of(r);
    back.slope[0] = (before - p[2]) * slope_of(f);
    back.slope[2] = 1 - f;
    back.a = CELL == SRU ? f + back.slope[0] * u[0] : f;
    if (CELL == SRU)
        back.q = back.constant[1] * u[1];
#else
    const vec open = one_if(h > 0);
    back.a = open * u[0];
    back.slope[0] = open;
#endif
    return back;
}

typedef struct { vec p[GATES], x, before, h, dy, u[2]; } Seen;

INLINE Seen seen(const Job *job, int64_t t, int64_t row, int64_t lane, int backward)
{
    const int64_t width = job->width, place = (t * job->rows + row) * width + lane;
    Seen found = {.x = splat(0), .before = splat(0), .h = splat(0), .dy = splat(0)};
    for (int g = 0; g < GATES; g++)
        found.p[g] = at(job->p + ((t * job->rows + row) * GATES + g) * width + lane);
    if (CELL == SRU || CELL == SRU_FIRST)
        found.x = at(job->x + place);
    for (int k = 0; k < 2; k++)
        found.u[k] = at(job->u + k * width + lane);
    if (backward) {
        found.h = at(job->h + place);
        found.dy = at(job->dy + place);
        if (t > 0)
            found.before = at(job->h + place - job->rows * width);
    }
    return found;
}

static void forward_chunk(const Job *job, int64_t row, int64_t first, int64_t last)
{
    const int64_t width = job->width, next = job->rows * width;
    const int noted = first > 0;
    real state[width] __attribute__((aligned(64)));
    real product[width] __attribute__((aligned(64)));
    for (int64_t i = 0; i < width; i++)
        state[i] = 0, product[i] = 1;
    for (int64_t t = first; t < last; t++) {
        for (int64_t lane = 0; lane < width; lane += LANES) {
            const int64_t place = t * next + row * width + lane;
            const Seen s = seen(job, t, row, lane, 0);
            const vec before = at(state + lane);
            vec a = splat(0);
            const vec h = forward_step(s.p, before, s.u, &a);
            put(state + lane, h);
            put(job->h + place, h);
            if (noted) {
                const vec all = a * at(product + lane);
                put(product + lane, all);
                put(job->product + place, all);
            } else if (job->y != job->h) {
                put(job->y + place, output(s.p, s.x, before, h, s.u));
            }
        }
    }
}

static void backward_chunk(const Job *job, int64_t row, int64_t first, int64_t last)
{
    const int64_t width = job->width, next = job->rows * width;
    const int noted = last < job->steps;
    real carried[width] __attribute__((aligned(64)));
    real product[width] __attribute__((aligned(64)));
    for (int64_t i = 0; i < width; i++)
        carried[i] = 0, product[i] = 1;
    for (int64_t t = last - 1; t >= first; t--) {
        for (int64_t lane = 0; lane < width; lane += LANES) {
            const int64_t place = t * next + row * width + lane;
            const Seen s = seen(job, t, row, lane, 1);
            const Back back = backward_step(s.p, s.x, s.before, s.h, s.dy, s.u);
            const vec sum = back.e + at(carried + lane);
            put(carried + lane, back.a * sum + back.q);
            if (noted) {
                const vec all = at(product + lane);
                put(job->local + place, sum);
                put(job->product + place, all);
                put(product + lane, back.a * all);
            } else {
                for (int g = 0; g < GATES; g++)
                    put(job->dp + (t * job->rows + row) * GATES * width + g * width + lane,
                        back.constant[g] + back.slope[g] * sum);
            }
        }
    }
    if (first > 0) /* what the earlier chunk lacks */
        memcpy(job->local + first * next + row * width, carried, sizeof carried);
}

/* Add what the other chunk left, A times, to some steps of one that began at 0. */
static void mend(const Job *job, int64_t row, int64_t first, int64_t last)
{
    const int64_t width = job->width, next = job->rows * width, half = job->steps / 2;
    for (int64_t t = first; t < last; t++) {
        for (int64_t lane = 0; lane < width; lane += LANES) {
            const int64_t place = t * next + row * width + lane;
            const vec all = at(job->product + place);
            if (!job->backward) {
                const int64_t left = (half - 1) * next + row * width + lane;
                const Seen s = seen(job, t, row, lane, 0);
                const vec h = at(job->h + place) + all * at(job->h + left);
                put(job->h + place, h);
                if (job->y != job->h)
                    put(job->y + place, output(s.p, s.x, splat(0), h, s.u));
                continue;
            }
            const Seen s = seen(job, t, row, lane, 1);
            const Back back = backward_step(s.p, s.x, s.before, s.h, s.dy, s.u);
            const vec left = at(job->local + half * next + row * width + lane);
            const vec sum = at(job->local + place) + all * left;
            for (int g = 0; g < GATES; g++)
                put(job->dp + (t * job->rows + row) * GATES * width + g * width + lane,
                    back.constant[g] + back.slope[g] * sum);
        }
    }
}

static void run_chunks(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    for (int64_t piece; (piece = next_piece(team)) >= 0;) {
        const int64_t row = piece / job->chunks, chunk = piece % job->chunks;
        const int64_t half = job->steps / job->chunks;
        const int64_t last = chunk + 1 == job->chunks ? job->steps : (chunk + 1) * half;
        (job->backward ? backward_chunk : forward_chunk)(job, row, chunk * half, last);
    }
}

static void run_mends(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    const int64_t half = job->steps / 2, begin = job->backward ? 0 : half;
    for (int64_t piece; (piece = next_piece(team)) >= 0;) {
        const int64_t first = begin + piece % 2 * half / 2;
        mend(job, piece / 2, first, first + half / 2);
    }
}

void run(const Job *job, const int64_t *threads)
{
    const int64_t cost = job->steps * job->rows * job->width * 16;
    const int64_t pieces = job->rows * job->chunks;
    in_parallel(0, threads, run_chunks, (void *)job, pieces, pays(cost));
    if (job->chunks == 2)
        in_parallel(0, threads, run_mends, (void *)job, 2 * job->rows, pays(cost));
}
