/* The frame of every kernel: rows of the batch are shared out, each walks through all
 * steps, and a step is what step.h says. See step.h for the order of the slots.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "vectors.h"
#include "functions.h"
#include "multiply.h"
#include "threads.h"
#include "slots.h"
#include "products.h"
#include "rows.h"
#include "step.h"

/* Rows of one piece of work. It depends on nothing but the batch, so that partial sums,
 * and with them all bits, are the same for any number of threads. */
enum { ROWS = 6 };

static int64_t piece_count(int64_t rows)
{
    int64_t pieces = (rows + ROWS - 1) / ROWS;
    /* An odd number leaves one of two threads idle at the end. */
    return rows >= 4 && pieces % 2 ? pieces + 1 : pieces;
}

typedef struct {
    int64_t pieces;
    real *packed[RUNS + 1];
    real *sums; /* [pieces][sums_size] */
    int64_t sums_size;
} Job;

static int64_t padded(int64_t length)
{
    return (length + LANES - 1) / LANES * LANES;
}

static real *allocate(int64_t count)
{
    size_t bytes = (size_t)(count > 0 ? count : 1) * sizeof(real);
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static int64_t scratch_size(const int64_t *slot)
{
    int64_t count = 0;
    for (int i = 0; i < STATES; i++)
        count += 2 * ROWS * padded(slot[state_size[i]]);
    for (int i = 0; i < KEPT; i++)
        count += ROWS * padded(slot[kept_size[i]]);
    return count;
}

/* Lay the memory of a thread out: both values of every state, and what is kept. */
static void lay_out(Frame *frame, const int64_t *slot, real *scratch)
{
    for (int i = 0; i < STATES; i++) {
        frame->state_row[i] = padded(slot[state_size[i]]);
        frame->before[i] = scratch;
        scratch += ROWS * frame->state_row[i];
        frame->after[i] = scratch;
        scratch += ROWS * frame->state_row[i];
    }
    for (int i = 0; i < KEPT; i++) {
        frame->kept_row[i] = padded(slot[kept_size[i]]);
        frame->kept[i] = scratch;
        scratch += ROWS * frame->kept_row[i];
    }
}

/* Point at the values of step t. An input with a first value lags one step behind. */
static void point_at(Frame *frame, const int64_t *slot, int64_t t, int64_t row)
{
    for (int i = 0; i < INPUTS; i++) {
        const int64_t *s = slot + SLOT_INPUTS + INPUT_SLOTS * i;
        int64_t late = s[3] != 0;
        if (late && t == 0) {
            frame->in[i] = (const real *)(intptr_t)s[3] + row * s[4];
            frame->in_row[i] = s[4];
        } else {
            frame->in[i] = (const real *)(intptr_t)s[0] + (t - late) * s[1] + row * s[2];
            frame->in_row[i] = s[2];
        }
    }
    for (int i = 0; i < OUTPUTS; i++) {
        const int64_t *s = slot + SLOT_OUTPUTS + OUTPUT_SLOTS * i;
        frame->out[i] = (real *)(intptr_t)s[0] + (t - slot[SLOT_BEGIN]) * s[1] + row * s[2];
        frame->out_row[i] = s[2];
    }
}

static void run_piece(const Job *job, const int64_t *slot, Frame *frame, int64_t piece)
{
    int64_t row = slot[SLOT_ROWS] * piece / job->pieces;
    frame->rows = (int)(slot[SLOT_ROWS] * (piece + 1) / job->pieces - row);
    real *sums = job->sums + piece * job->sums_size;
    for (int i = 0; i < SUMS; i++) {
        frame->sum[i] = sums;
        sums += padded(slot[sum_size[i]]);
    }
    for (int i = 0; i < STATES; i++) {
        const int64_t *s = slot + SLOT_STATES + STATE_SLOTS * i;
        for (int r = 0; r < frame->rows; r++)
            memcpy(frame->before[i] + r * frame->state_row[i],
                   (const real *)(intptr_t)s[0] + (row + r) * s[1],
                   (size_t)slot[state_size[i]] * sizeof(real));
    }
    int64_t begin = slot[SLOT_BEGIN], end = slot[SLOT_END];
    for (int64_t i = begin; i < end; i++) {
        point_at(frame, slot, BACKWARDS ? end - 1 - (i - begin) : i, row);
        step(frame);
        for (int k = 0; k < STATES; k++) {
            real *old = frame->before[k];
            frame->before[k] = frame->after[k];
            frame->after[k] = old;
        }
    }
    for (int i = 0; i < STATES; i++) {
        const int64_t *s = slot + SLOT_STATES + STATE_SLOTS * i;
        int64_t size = slot[state_size[i]];
        for (int r = 0; r < frame->rows; r++)
            memcpy((real *)(intptr_t)s[2] + (row + r) * size,
                   frame->before[i] + r * frame->state_row[i], (size_t)size * sizeof(real));
    }
}

/* What every thread does: its memory is laid out once, for all its pieces. */
static void work(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    const int64_t *slot = team->slot;
    real *scratch = allocate(scratch_size(slot));
    if (!scratch) {
        atomic_store(&team->failed, 1);
        return;
    }
    Frame frame = {.slot = slot};
    for (int i = 0; i < RUNS; i++)
        frame.packed[i] = job->packed[i];
    for (int i = 0; i < ROOTS; i++)
        frame.root[i] = (const real *)(intptr_t)slot[SLOT_ROOTS + ROOT_SLOTS * i];
    lay_out(&frame, slot, scratch);
    for (int64_t piece; (piece = next_piece(team)) >= 0;)
        run_piece(job, slot, &frame, piece);
    free(scratch);
}

static void pack(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    for (int64_t tile; (tile = next_piece(team)) >= 0;) {
        int i = 0;
        for (; tile >= tile_count(&runs[i], team->slot); i++)
            tile -= tile_count(&runs[i], team->slot);
        pack_tile(&runs[i], team->slot, tile, job->packed[i]);
    }
}

static int64_t packed_total(const int64_t *slot)
{
    int64_t total = 0;
    for (int i = 0; i < RUNS; i++)
        total += tile_count(&runs[i], slot) * tile_size(&runs[i], slot);
    return total;
}

/* Add the pieces' sums up, in their order. */
static void finish_sums(const Job *job, const int64_t *slot)
{
    int64_t at = 0;
    for (int i = 0; i < SUMS; i++) {
        int64_t size = slot[sum_size[i]];
        real *to = (real *)(intptr_t)slot[SLOT_SUMS + i];
        for (int64_t piece = 0; piece < job->pieces; piece++)
            for (int64_t k = 0; k < size; k++)
                to[k] += job->sums[piece * job->sums_size + at + k];
        at += padded(size);
    }
}

/* Multiply-adds of one row's step, roughly. */
static int64_t step_cost(const int64_t *slot)
{
    int64_t cost = packed_total(slot);
    for (int i = 0; i < OUTPUTS; i++)
        cost += 16 * slot[output_size[i]];
    return cost;
}

static int run_job(Job *job, const int64_t *slot)
{
    int64_t tiles = 0;
    real *at = job->packed[0];
    for (int i = 0; i < RUNS; i++) {
        job->packed[i] = at;
        at += tile_count(&runs[i], slot) * tile_size(&runs[i], slot);
        tiles += tile_count(&runs[i], slot);
    }
    const int64_t *threads = slot + SLOT_THREADS;
    in_parallel(slot, threads, pack, job, tiles, packed_total(slot));
    int64_t steps = slot[SLOT_ROWS] * (slot[SLOT_END] - slot[SLOT_BEGIN]);
    int failed = in_parallel(slot, threads, work, job, job->pieces, steps * step_cost(slot));
    if (!failed)
        finish_sums(job, slot);
    return failed;
}

__attribute__((visibility("default"))) const char *cellwright_abi(void)
{
    return ABI;
}

/* Run all steps. Returns 0, or 1 when there was no memory. */
__attribute__((visibility("default"))) int cellwright_run(const int64_t *slot)
{
    Job job = {.pieces = piece_count(slot[SLOT_ROWS])};
    for (int i = 0; i < SUMS; i++)
        job.sums_size += padded(slot[sum_size[i]]);
    real *packed = allocate(packed_total(slot));
    job.packed[0] = packed;
    job.sums = allocate(job.pieces * job.sums_size);
    int failed = !packed || !job.sums;
    if (!failed) {
        memset(job.sums, 0, (size_t)(job.pieces * job.sums_size) * sizeof(real));
        failed = run_job(&job, slot);
    }
    free(packed);
    free(job.sums);
    return failed;
}
