/* Every function of vectors.h and functions.h over arrays, for ctypes to call. */
#include "vectors.h"
#include "coefficients.h"
#include "functions.h"

#define UNARY(X) \
    X(exp) X(log) X(sqrt) X(tanh) X(sigmoid) X(softplus) X(log_sigmoid) X(floor) \
    X(sin) X(cos) X(abs) X(relu)
#define BINARY(X) X(max) X(min) X(mod)
/* Literals, as the generator writes them, because v_power chooses by them. */
#define POWERS(X) \
    X(-9.0) X(-8.0) X(-7.0) X(-6.0) X(-5.0) X(-4.0) X(-3.0) X(-2.0) X(-1.5) X(-1.0) \
    X(-0.5) X(0.0) X(0.3) X(0.5) X(1.0) X(1.5) X(2.0) X(3.0) X(4.0) X(5.0) X(6.0) \
    X(7.0) X(8.0) X(9.0) X(1e300)

typedef void loop(const real *a, const real *b, real *out, long n);

static int lanes_left(long i, long n) { return n - i < LANES ? (int)(n - i) : LANES; }

#define LOOP(name, expression) \
    loop name; \
    void name(const real *a, const real *b, real *out, long n) { \
        (void)b; \
        for (long i = 0; i < n; i += LANES) { \
            const int lanes = lanes_left(i, n); \
            store(out + i, expression, lanes); \
        } \
    }

#define X(name) LOOP(run_##name, v_##name(load(a + i, lanes)))
UNARY(X)
#undef X
#define X(name) LOOP(run_##name, v_##name(load(a + i, lanes), load(b + i, lanes)))
BINARY(X)
#undef X

void run_power(double n, const real *a, real *out, long count);
void run_power(double n, const real *a, real *out, long count) {
#define X(literal) \
    if (n == literal) \
        for (long i = 0; i < count; i += LANES) { \
            const int lanes = lanes_left(i, count); \
            store(out + i, v_power(load(a + i, lanes), literal), lanes); \
        }
    POWERS(X)
#undef X
}

#define X(literal) literal,
const double powers[] = {POWERS(X)};
#undef X
const int power_count = sizeof powers / sizeof *powers;
const int lanes_of_a_vector = LANES;

/* The lanes of load as they are, and store on its own: one of them cannot hide a fault
 * of the other. */
void run_load(const real *p, real *out, int n);
void run_load(const real *p, real *out, int n) {
    const vec v = load(p, n);
    memcpy(out, &v, sizeof v);
}

void run_store(real *p, const real *lanes, int n);
void run_store(real *p, const real *lanes, int n) {
    vec v;
    memcpy(&v, lanes, sizeof v);
    store(p, v, n);
}

void run_choose(const integer *mask, const real *a, const real *b, real *out);
void run_choose(const integer *mask, const real *a, const real *b, real *out) {
    ivec m;
    memcpy(&m, mask, sizeof m);
    store(out, choose(m, load(a, LANES), load(b, LANES)), LANES);
}

void run_one_if(const integer *mask, real *out);
void run_one_if(const integer *mask, real *out) {
    ivec m;
    memcpy(&m, mask, sizeof m);
    store(out, one_if(m), LANES);
}

real run_sum(const real *p);
real run_sum(const real *p) { return sum_lanes(load(p, LANES)); }

real run_max_lanes(const real *p, int n);
real run_max_lanes(const real *p, int n) { return max_lanes(load(p, LANES), n); }
