/* The frame of every kernel: a piece of the batch walks through all steps, block by block,
 * and what is done with a block is what step.h says. See slots.h for the order of the
 * slots.
 *
 * Threads share the work out in one of two ways. Where there are many rows, each takes
 * pieces of its own and waits for nobody. Where there are few, all of them walk through
 * one piece together, and each does its share of every phase: a barrier a phase, but a
 * thread then reads its share of the weights only. What looks at whole rows is shared by
 * rows, so of one row it is one thread's, and the others wait.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "configuration.h"
#include "abi.h"
#include "vectors.h"
#include "coefficients.h"
#include "functions.h"
#include "multiply.h"
#include "threads.h"
#include "slots.h"
#include "products.h"
#include "rows.h"
#include "frame.h"
#include "gang.h"

enum {
    /* Rows whose sums are added up by themselves. They and their order depend on nothing
     * but the batch, so all bits are the same for any number of threads. */
    SUM_ROWS = 8,
    /* Rows of one piece at most: what it reads and writes in a step stays in the cache. */
    PIECE_ROWS = 48,
    /* Rows that a stage of a block sees, those of all its steps. */
    BLOCK_ROWS = 48,
    /* Rows that may be one block where threads share all of it, and what they are made of
     * still fits into their caches. */
    ALL_ROWS = 128,
};

#include "step.h"

typedef struct {
    int64_t cost; /* multiply-adds of all steps, roughly */
    int64_t pieces, steps; /* of a block */
    int late; /* whether weights of what is ahead are packed while it is done */
    real *packed[RUNS + 1];
    real *sums; /* [rows / SUM_ROWS][sums_size] */
    int64_t sums_size;
    real *scratch; /* of all threads, where they share every phase */
    Gang gang;
} Job;

static real *allocate(int64_t count)
{
    size_t bytes = (size_t)(count > 0 ? count : 1) * sizeof(real);
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

#include "packing.h"

/* The place of a piece in the batch: it begins with a row whose sums begin there too. */
static int64_t first_row(const Job *job, const int64_t *slot, int64_t piece)
{
    int64_t groups = (slot[SLOT_ROWS] + SUM_ROWS - 1) / SUM_ROWS;
    return smaller(slot[SLOT_ROWS], groups * piece / job->pieces * SUM_ROWS);
}

static int64_t most_rows(const Job *job, const int64_t *slot)
{
    int64_t most = 0;
    for (int64_t piece = 0; piece < job->pieces; piece++) {
        int64_t rows = first_row(job, slot, piece + 1) - first_row(job, slot, piece);
        most = rows > most ? rows : most;
    }
    return most;
}

/* How many pieces there are at least, in equal shares of a number of threads. */
static int64_t piece_count(int64_t rows, int64_t threads)
{
    int64_t groups = (rows + SUM_ROWS - 1) / SUM_ROWS;
    int64_t pieces = (groups + PIECE_ROWS / SUM_ROWS - 1) / (PIECE_ROWS / SUM_ROWS);
    pieces = (pieces + threads - 1) / threads * threads;
    return smaller(pieces, groups);
}

static int64_t scratch_size(const Job *job, const int64_t *slot)
{
    int64_t count = 0, rows = most_rows(job, slot);
    for (int i = 0; i < STATES; i++)
        count += 2 * rows * padded(slot[state_size[i]]);
    for (int i = 0; i < KEPT; i++)
        count += rows * padded(slot[kept_size[i]]);
    for (int i = 0; i < BLOCKS; i++)
        count += job->steps * rows * padded(slot[block_size[i]]);
    return count;
}

/* Lay the memory of a piece out: both values of every state, and what is kept. */
static void lay_out(Frame *frame, const Job *job, real *scratch)
{
    const int64_t *slot = frame->slot;
    int64_t rows = most_rows(job, slot);
    for (int i = 0; i < STATES; i++) {
        frame->state_row[i] = padded(slot[state_size[i]]);
        frame->before[i] = scratch;
        scratch += rows * frame->state_row[i];
        frame->after[i] = scratch;
        scratch += rows * frame->state_row[i];
    }
    for (int i = 0; i < KEPT; i++) {
        frame->kept_row[i] = padded(slot[kept_size[i]]);
        frame->kept[i] = scratch;
        scratch += rows * frame->kept_row[i];
    }
    for (int i = 0; i < BLOCKS; i++) {
        frame->block_row[i] = padded(slot[block_size[i]]);
        frame->block_start[i] = scratch;
        scratch += job->steps * rows * frame->block_row[i];
    }
}

/* Point at the values of a step, t of the sequence and `step` of its block. An input with
 * a first value lags one step behind. */
static void point_at(Frame *frame, int64_t t, int64_t step)
{
    const int64_t *slot = frame->slot;
    int64_t row = frame->first_row;
    frame->rows = frame->piece_rows;
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
    for (int i = 0; i < BLOCKS; i++)
        frame->block[i] = frame->block_start[i] + step * frame->rows * frame->block_row[i];
}

/* See all steps of a block as so many rows. */
static void point_at_block(Frame *frame)
{
    frame->rows = (int)frame->steps * frame->piece_rows;
    for (int i = 0; i < BLOCKS; i++)
        frame->block[i] = frame->block_start[i];
}

static void read_states(const Frame *frame, int share, int shares)
{
    for (int i = 0; i < STATES; i++) {
        const int64_t *s = frame->slot + SLOT_STATES + STATE_SLOTS * i;
        size_t size = (size_t)frame->slot[state_size[i]] * sizeof(real);
        for (int r = share; r < frame->piece_rows; r += shares)
            memcpy(frame->before[i] + r * frame->state_row[i],
                   (const real *)(intptr_t)s[0] + (frame->first_row + r) * s[1], size);
    }
}

static void write_states(const Frame *frame, int share, int shares)
{
    for (int i = 0; i < STATES; i++) {
        const int64_t *s = frame->slot + SLOT_STATES + STATE_SLOTS * i;
        int64_t size = frame->slot[state_size[i]];
        for (int r = share; r < frame->piece_rows; r += shares)
            memcpy((real *)(intptr_t)s[2] + (frame->first_row + r) * size,
                   frame->before[i] + r * frame->state_row[i], (size_t)size * sizeof(real));
    }
}

static void swap_states(Frame *frame)
{
    for (int k = 0; k < STATES; k++) {
        real *old = frame->before[k];
        frame->before[k] = frame->after[k];
        frame->after[k] = old;
    }
    frame->turned ^= 1;
}

static void point_at_step(Frame *frame, int64_t step)
{
    point_at(frame, frame->first + (BACKWARDS ? -step : step), step);
}

/* Lay a block's inputs: no step of it looks at another, so they are shared out whole. Every
 * thread has a frame of its own, which it may turn to any step. */
static void lay_block(const Frame *own, int share, int shares)
{
    Frame *frame = (Frame *)own;
    Member alone = {0};
    int64_t from, to;
    part_of(frame->steps, share, shares, &from, &to);
    for (int64_t i = from; i < to; i++) {
        point_at_step(frame, i);
        lay(frame, &alone);
    }
}

/* Run the steps from `begin` on, a block of them, in the order in which they come. */
static void run_block(Frame *frame, Member *member, int64_t begin, int64_t steps)
{
    const int64_t *slot = frame->slot;
    frame->first = BACKWARDS ? slot[SLOT_END] - 1 - (begin - slot[SLOT_BEGIN]) : begin;
    frame->steps = steps;
    if (LAYS)
        run_phase(lay_block, frame, member);
    if (AHEADS) {
        point_at_block(frame);
        ahead(frame, member);
    }
    for (int64_t i = 0; i < steps; i++) {
        point_at_step(frame, i);
        step(frame, member);
        swap_states(frame);
    }
    if (BEHINDS) {
        point_at_block(frame);
        behind(frame, member);
    }
    for (int64_t i = 0; PUTS && i < steps; i++) {
        point_at_step(frame, i);
        put(frame, member);
    }
}

/* Stand at the rows of a piece. */
static void place(Frame *frame, const Job *job, int64_t piece)
{
    const int64_t *slot = frame->slot;
    frame->first_row = first_row(job, slot, piece);
    frame->piece_rows = (int)(first_row(job, slot, piece + 1) - frame->first_row);
}

static void run_piece(const Job *job, Frame *frame, Member *member, int64_t piece)
{
    const int64_t *slot = frame->slot;
    place(frame, job, piece);
    real *sums = job->sums + frame->first_row / SUM_ROWS * job->sums_size;
    for (int i = 0; i < SUMS; i++) {
        frame->sum[i] = sums;
        sums += padded(slot[sum_size[i]]);
    }
    run_phase(read_states, frame, member);
    int64_t end = slot[SLOT_END];
    for (int64_t i = slot[SLOT_BEGIN]; i < end; i += job->steps)
        run_block(frame, member, i, smaller(job->steps, end - i));
    run_phase(write_states, frame, member);
}

static Frame new_frame(const Job *job, const int64_t *slot, real *scratch)
{
    Frame frame = {.slot = slot, .sum_row = job->sums_size};
    for (int i = 0; i < RUNS; i++) {
        frame.packed[i] = job->packed[i];
        frame.tile[i] = tile_size(&runs[i], slot);
    }
    for (int i = 0; i < ROOTS; i++)
        frame.root[i] = (const real *)(intptr_t)slot[SLOT_ROOTS + ROOT_SLOTS * i];
    lay_out(&frame, job, scratch);
    return frame;
}

/* What every thread does alone: its memory is laid out once, for all its pieces. */
static void work(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    real *scratch = allocate(scratch_size(job, team->slot));
    if (!scratch) {
        atomic_store(&team->failed, 1);
        return;
    }
    Frame frame = new_frame(job, team->slot, scratch);
    Member member = {0};
    for (int64_t piece; (piece = next_piece(team)) >= 0;)
        run_piece(job, &frame, &member, piece);
    free(scratch);
}

/* What every thread does together with the others: each walks through all pieces. */
static void work_together(void *data)
{
    Team *team = data;
    Job *job = team->data;
    Frame frame = new_frame(job, team->slot, job->scratch);
    Member member = join_gang(&job->gang);
    take_places(&frame, job, member.own);
    run_phase(pack_share, &frame, &member);
    for (int64_t piece = 0; piece < job->pieces; piece++)
        run_piece(job, &frame, &member, piece);
}

/* Add the sums of all rows up, in their order. */
static void finish_sums(const Job *job, const int64_t *slot)
{
    int64_t at = 0, groups = (slot[SLOT_ROWS] + SUM_ROWS - 1) / SUM_ROWS;
    for (int i = 0; i < SUMS; i++) {
        int64_t size = slot[sum_size[i]];
        real *to = (real *)(intptr_t)slot[SLOT_SUMS + i];
        for (int64_t group = 0; group < groups; group++)
            for (int64_t k = 0; k < size; k++)
                to[k] += job->sums[group * job->sums_size + at + k];
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

static int run_together(Job *job, const int64_t *slot)
{
    job->scratch = allocate(scratch_size(job, slot));
    if (!job->scratch)
        return 1;
    const int64_t *threads = slot + SLOT_THREADS;
    int failed = in_parallel(slot, threads, work_together, job, job->gang.shares, 1);
    free(job->scratch);
    return failed;
}

static int run_alone(Job *job, const int64_t *slot)
{
    const int64_t *threads = slot + SLOT_THREADS;
    pack_all(job, slot);
    return in_parallel(slot, threads, work, job, job->pieces, pays(job->cost));
}

static int run_job(Job *job, const int64_t *slot)
{
    int failed = job->gang.shares > 1 ? run_together(job, slot) : run_alone(job, slot);
    if (!failed)
        finish_sums(job, slot);
    return failed;
}

/* Decide how the work is shared out. Nothing of it changes a bit of the result.
 *
 * soon: whether the call comes soon behind the last one. */
static void plan(Job *job, const int64_t *slot, int soon)
{
    int64_t rows = slot[SLOT_ROWS], steps = slot[SLOT_END] - slot[SLOT_BEGIN];
    int64_t threads = team_size(slot + SLOT_THREADS), step = rows * step_cost(slot);
    int few = rows < threads * (packed_total(slot) < LARGE ? SUM_ROWS : TOGETHER_ROWS);
    job->cost = step * steps;
    int together = few && pays_together(step, job->cost, soon);
    job->gang.shares = together ? (int)smaller(threads, MOST_SHARES) : 1;
    job->pieces = piece_count(rows, job->gang.shares > 1 ? 1 : threads);
    int64_t most = most_rows(job, slot), in_block = BLOCK_ROWS / (most > 0 ? most : 1);
    job->late = packs_late(job, slot, steps);
    in_block = job->late ? steps : in_block;
    job->steps = (AHEADS || BEHINDS) && in_block > 1 ? smaller(in_block, steps) : 1;
    for (int i = 0; i < SUMS; i++)
        job->sums_size += padded(slot[sum_size[i]]);
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* When the last run ended. */
static atomic_int_fast64_t last_end;

/* Run all steps. Returns 0, or 1 when there was no memory. */
__attribute__((visibility("default"))) int cellwright_run(const int64_t *slot)
{
    Job job = {0};
    plan(&job, slot, !BACKWARDS && nanoseconds() - atomic_load(&last_end) < SOON_WITHIN);
    int64_t groups = (slot[SLOT_ROWS] + SUM_ROWS - 1) / SUM_ROWS;
    real *packed = allocate(packed_total(slot));
    job.sums = allocate(groups * job.sums_size);
    int failed = !packed || !job.sums;
    if (!failed) {
        memset(job.sums, 0, (size_t)(groups * job.sums_size) * sizeof(real));
        place_packed(&job, slot, packed);
        failed = run_job(&job, slot);
    }
    free(packed);
    free(job.sums);
    atomic_store(&last_end, nanoseconds());
    return failed;
}

#if !BACKWARDS
#include "stream.h"
#endif
