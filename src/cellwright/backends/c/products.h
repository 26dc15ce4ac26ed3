/* Products of matrices with rows of vectors, summed onto accumulators in registers.
 *
 * A tile is up to four vectors of units: one vector of up to four accumulators, or up to
 * four vectors of one. Its weights are packed so that for every entry of the operand they
 * lie side by side.
 */

/* Products that share an operand, and a matrix's place among the accumulators.
 *
 * units, depth, heads are slots of sizes; heads is -1 for a plain matrix, else the matrix
 * stands in that many blocks on the diagonal. */
typedef struct {
    int count, spread;
    int units, depth, heads;
    int root[MOST_VECTORS];
} Run;

/* Entries of two tiles' weights up to which a single row takes both at a time: from the
 * first cache they come as fast as two multiply-adds a cycle need them, which the sums of
 * one tile, each waiting for its last one, do not reach. */
enum { NEAR = 32768 / sizeof(real) };

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many entries of the operand one tile looks at, at most. */
static inline int64_t tile_depth(const Run *run, const int64_t *slot)
{
    int64_t depth = slot[run->depth];
    if (run->heads < 0)
        return depth;
    int64_t heads = slot[run->heads], each = slot[run->units] / heads;
    int64_t touched = (run->spread * LANES + each - 2) / each + 1;
    return smaller(touched, heads) * (depth / heads);
}

static inline int64_t tile_size(const Run *run, const int64_t *slot)
{
    return tile_depth(run, slot) * run->count * run->spread * LANES;
}

static inline int64_t tile_count(const Run *run, const int64_t *slot)
{
    int64_t units = run->spread * LANES;
    return (slot[run->units] + units - 1) / units;
}

/* The entries of the operand that units from `unit` on look at: [from, to). */
static inline void tile_range(const Run *run, const int64_t *slot, int64_t unit,
                              int64_t *from, int64_t *to)
{
    *from = 0;
    *to = slot[run->depth];
    if (run->heads < 0)
        return;
    int64_t heads = slot[run->heads];
    int64_t units = slot[run->units] / heads, depth = slot[run->depth] / heads;
    int64_t last = smaller(unit + run->spread * LANES, slot[run->units]) - 1;
    *from = unit / units * depth;
    *to = (last / units + 1) * depth;
}

/* Rows of a matrix that begin at `row`, as columns: to[k * step + lane] = row lane's k-th
 * entry for k < depth, and 0 for lanes from `lanes` on. */
static void turn_rows(const real *row, int64_t row_step, int lanes, int64_t depth, real *to,
                      int64_t step)
{
    for (int64_t k = 0; k < depth; k += LANES) {
        int now = (int)smaller(LANES, depth - k);
        vec block[LANES];
        UNROLLED for (int lane = 0; lane < LANES; lane++)
            block[lane] = lane < lanes ? load(row + lane * row_step + k, now) : splat(0);
        turn(block);
        UNROLLED for (int i = 0; i < LANES; i++)
            if (i < now)
                *(vec *)(to + (k + i) * step) = block[i];
    }
}

static void clear_rows(real *to, int64_t rows, int64_t step)
{
    for (int64_t k = 0; k < rows; k++)
        *(vec *)(to + k * step) = splat(0);
}

/* One vector of units of one matrix: packed[(k - from) * step + lane] = its entry for unit
 * `unit + lane` and entry k of the operand. A plain matrix is one block.
 *
 * slots of a root: pointer, strides of block, row and column. */
static void pack_vector(const Run *run, const int64_t *slot, const int64_t *root,
                        int64_t unit, int64_t from, int64_t to, real *packed, int64_t step)
{
    int64_t units = slot[run->units], blocks = run->heads < 0 ? 1 : slot[run->heads];
    int64_t block_units = units / blocks, depth = slot[run->depth] / blocks;
    int lanes = (int)smaller(LANES, units - unit);
    if (lanes <= 0) {
        clear_rows(packed, to - from, step);
        return;
    }
    const real *matrix = (const real *)(intptr_t)root[0];
    int64_t block = unit / block_units, first = block * depth, last = first + depth;
    if ((unit + lanes - 1) / block_units == block && (root[2] == 1 || root[3] == 1)) {
        const real *corner = matrix + block * root[1] + unit % block_units * root[2];
        real *own = packed + (first - from) * step;
        clear_rows(packed, first - from, step);
        if (root[2] == 1)
            for (int64_t k = 0; k < depth; k++)
                *(vec *)(own + k * step) = load(corner + k * root[3], lanes);
        else
            turn_rows(corner, root[2], lanes, depth, own, step);
        clear_rows(own + depth * step, to - last, step);
        return;
    }
    for (int lane = 0; lane < LANES; lane++) {
        int64_t at = unit + lane;
        block = at / block_units, first = block * depth, last = first + depth;
        const real *row = matrix + block * root[1] + at % block_units * root[2];
        for (int64_t k = from; k < to; k++)
            packed[(k - from) * step + lane] =
                at < units && k >= first && k < last ? row[(k - first) * root[3]] : 0;
    }
}

/* Vectors of units in a tile: where one accumulator has them all, the last tile may have
 * fewer than the others. */
static inline int tile_vectors(const Run *run, const int64_t *slot, int64_t unit)
{
    int64_t left = (slot[run->units] - unit + LANES - 1) / LANES;
    return run->count > 1 ? run->spread : (int)smaller(run->spread, left);
}

/* `packed` is the tile's own place. One copy: this is compiled for every cell. */
static __attribute__((noinline)) void pack_tile(const Run *run, const int64_t *slot,
                                                int64_t tile, real *packed)
{
    int64_t unit = tile * run->spread * LANES, from, to;
    int vectors = tile_vectors(run, slot, unit);
    int64_t step = (int64_t)run->count * vectors * LANES;
    tile_range(run, slot, unit, &from, &to);
    for (int i = 0; i < run->count; i++) {
        const int64_t *root = slot + SLOT_ROOTS + ROOT_SLOTS * run->root[i];
        for (int v = 0; v < vectors; v++) {
            int64_t at = (int64_t)(i * vectors + v) * LANES;
            pack_vector(run, slot, root, unit + v * LANES, from, to, packed + at, step);
        }
    }
}

/* Add a run's products for units from `unit` on to the accumulators of `rows` rows, or to 0
 * where these are fresh. `size` is what a tile takes, `way` on which side the next one is. */
static inline void multiply(const Run *run, const int64_t *slot, const real *packed,
                            int64_t size, int64_t unit, int rows, const real *x, int64_t row,
                            vec *acc, int64_t stride, int way, int group, int fresh)
{
    int64_t from, to;
    int width = run->count * tile_vectors(run, slot, unit);
    tile_range(run, slot, unit, &from, &to);
    packed += unit / (run->spread * LANES) * size;
    const real *next = packed + group * (to - from) * LANES;
    if (way > 0 || unit)
        next += way * size;
    multiply_table[width][rows](acc, stride, packed, x + from, row, 1, to - from, next,
                               fresh);
}

/* acc[j] += sum over k of x[k] * w[k][j] for one row, a known number of vectors, and one
 * tile or two. Sums of a known number stay in registers. */
INLINE void multiply_known(const int tiles, const int width, const real *w, int64_t size,
                           const real *x, int64_t depth, vec *acc, int64_t stride, int fresh)
{
    vec sum[2][MOST_VECTORS];
    UNROLLED for (int t = 0; t < tiles; t++)
        UNROLLED for (int j = 0; j < width; j++)
            sum[t][j] = fresh ? splat(0) : acc[t * stride + j];
    for (int64_t k = 0; k < depth; k++, w += width * LANES) {
        vec value = splat(x[k]);
        UNROLLED for (int t = 0; t < tiles; t++)
            UNROLLED for (int j = 0; j < width; j++)
                sum[t][j] =
                    fused(value, *(const vec *)(w + t * size + j * LANES), sum[t][j]);
    }
    UNROLLED for (int t = 0; t < tiles; t++)
        UNROLLED for (int j = 0; j < width; j++)
            acc[t * stride + j] = sum[t][j];
}

/* The same as `multiply` for one row, where `run` is known when this is compiled. */
INLINE void multiply_one(const Run *run, const int64_t *slot, const real *packed,
                         int64_t size, int64_t unit, const real *x, vec *acc, int fresh)
{
    int64_t from, to;
    tile_range(run, slot, unit, &from, &to);
    const real *w = packed + unit / (run->spread * LANES) * size;
    int vectors = tile_vectors(run, slot, unit);
    if (vectors == run->spread)
        multiply_known(1, run->count * run->spread, w, 0, x + from, to - from, acc, 0, fresh);
    else if (run->spread > 3 && vectors == 3)
        multiply_known(1, 3, w, 0, x + from, to - from, acc, 0, fresh);
    else if (run->spread > 2 && vectors == 2)
        multiply_known(1, 2, w, 0, x + from, to - from, acc, 0, fresh);
    else
        multiply_known(1, 1, w, 0, x + from, to - from, acc, 0, fresh);
}

/* The same for two tiles; the second one's accumulators lie a stride behind. */
INLINE void multiply_two(const Run *run, const int64_t *slot, const real *packed,
                         int64_t size, int64_t unit, const real *x, vec *acc,
                         int64_t stride, int fresh)
{
    int64_t second = unit + run->spread * LANES;
    const real *w = packed + unit / (run->spread * LANES) * size;
    if (run->heads < 0 && tile_vectors(run, slot, second) == run->spread) {
        multiply_known(2, run->count * run->spread, w, size, x, slot[run->depth], acc, stride,
                       fresh);
        return;
    }
    multiply(run, slot, packed, size, unit, 1, x, 0, acc, stride, 1, 0, fresh);
    multiply(run, slot, packed, size, second, 1, x, 0, acc + stride, stride, 1, 0, fresh);
}

#define BODY inline __attribute__((always_inline))

/* The part of `count` that a share of them is: [*from, *to). */
static inline void part_of(int64_t count, int share, int shares, int64_t *from, int64_t *to)
{
    *from = shares == 1 ? 0 : count * share / shares;
    *to = shares == 1 ? count : count * (share + 1) / shares;
}

/* A loop without products: body_I for every vector of every row. */
#define LOOP_PHASE(I, SIZE)                                                              \
    static void phase_##I(const Frame *frame, int share, int shares)                     \
    {                                                                                    \
        int64_t size = frame->slot[SIZE], from, to;                                      \
        part_of((size + LANES - 1) / LANES, share, shares, &from, &to);                  \
        int64_t end = smaller(to * LANES, size);                                         \
        for (int row = 0; row < frame->rows; row++) {                                    \
            int64_t unit = from * LANES;                                                 \
            for (; unit + LANES <= end; unit += LANES)                                   \
                body_##I(frame, row, unit, LANES, 0);                                    \
            if (unit < end)                                                              \
                body_##I(frame, row, unit, (int)(end - unit), 0);                        \
        }                                                                                \
    }

/* All that is done for one row after the other, by row_I; TOGETHER of them are one
 * thread's. */
#define ROWS_PHASE(I, TOGETHER)                                                          \
    static void phase_##I(const Frame *frame, int share, int shares)                     \
    {                                                                                    \
        for (int first = share * TOGETHER; first < frame->rows; first += shares * TOGETHER) \
            for (int row = first; row < first + TOGETHER && row < frame->rows; row++)    \
                row_##I(frame, row);                                                     \
    }

/* What is done in row_I with every vector of a row. */
#define ROW_LOOP(SIZE, ...)                                                              \
    {                                                                                    \
        int64_t size = frame->slot[SIZE], unit = 0;                                      \
        for (; unit + LANES <= size; unit += LANES) {                                    \
            enum { lanes = LANES };                                                      \
            __VA_ARGS__                                                                  \
        }                                                                                \
        if (unit < size) {                                                               \
            const int lanes = (int)(size - unit);                                        \
            __VA_ARGS__                                                                  \
        }                                                                                \
    }

#define PRODUCT(RUN, X, STRIDE, FIRST, FRESH)                                            \
    if (tiles == 2)                                                                      \
        multiply_two(&runs[RUN], frame->slot, frame->packed[RUN], frame->tile[RUN],      \
                     unit, X, acc + FIRST, stride, FRESH);                               \
    else if (alone)                                                                      \
        multiply_one(&runs[RUN], frame->slot, frame->packed[RUN], frame->tile[RUN],      \
                     unit, X, acc + FIRST, FRESH);                                       \
    else                                                                                 \
        multiply(&runs[RUN], frame->slot, frame->packed[RUN], frame->tile[RUN], unit,    \
                 now, X + row * (STRIDE), STRIDE, acc + FIRST, stride, way, group, FRESH);

/* Tiles that are not packed yet have one place of a thread's own, see `packs_late`. */
#define READY(RUN)                                                                       \
    if (!frame->tile[RUN])                                                               \
        pack_tile(&runs[RUN], frame->slot, tile, frame->packed[RUN]);

/* Some accumulators begin at 0. */
#define CLEAR(FIRST, COUNT)                                                              \
    for (int k = 0; k < now * tiles; k++)                                                \
        UNROLLED for (int v = 0; v < COUNT; v++)                                         \
            acc[k * stride + FIRST + v] = splat(0);

/* Run body_I on a tile's sums of one row, and LAST where lanes are left over. LAST sees a
 * copy of the sums: where it is no inline function, those that it is given leave their
 * registers. */
#define BODY_OF(I, ROW, UNIT, ACC, LAST)                                                 \
    {                                                                                    \
        UNROLLED for (int v = 0; v < SPREAD_##I; v++)                                    \
            if (UNIT + (v + 1) * LANES <= size)                                          \
                body_##I(frame, ROW, UNIT + v * LANES, LANES, ACC + v);                  \
        int64_t left = size - (UNIT), whole = left / LANES;                              \
        if (left < UNITS_##I && left > whole * LANES) {                                  \
            vec sums[stride];                                                            \
            UNROLLED for (int j = 0; j < stride; j++)                                    \
                sums[j] = (ACC)[j];                                                      \
            LAST(frame, ROW, UNIT + whole * LANES, (int)(left - whole * LANES),          \
                 sums + whole);                                                          \
        }                                                                                \
    }

/* What a single row does with one tile, and with two: their sums need not wait for one
 * another. For lanes that are left over both call one function, because a compiler takes
 * its time for every copy of a body. Many rows would call it once for each of them.
 *
 * All sums are set to 0 first: one that no product reaches, in a tile of few vectors, would
 * else be alive from one tile to the next, across that call, and push another one out of
 * its register in the products' loop (seen in GCC 12: twice the time). */
#define ONE_ROW(I, COUNT, ...)                                                           \
    enum { UNITS_##I = SPREAD_##I * LANES };                                             \
    static __attribute__((noinline)) void last_##I(                                      \
        const Frame *frame, int row, int64_t unit, int lanes, const vec *acc)            \
    {                                                                                    \
        body_##I(frame, row, unit, lanes, acc);                                          \
    }                                                                                    \
    static BODY void one_##I(const Frame *frame, int64_t size, int64_t unit)             \
    {                                                                                    \
        enum { stride = COUNT, alone = 1, tiles = 1, now = 1, row = 0, group = 0, way = 1 }; \
        vec acc[stride] = {0};                                                           \
        __VA_ARGS__                                                                      \
        BODY_OF(I, 0, unit, acc, last_##I)                                               \
    }                                                                                    \
    static void two_##I(const Frame *frame, int64_t size, int64_t unit)                  \
    {                                                                                    \
        enum { stride = COUNT, alone = 1, tiles = 2, now = 1, row = 0, group = 0, way = 1 }; \
        vec acc[2 * stride] = {0};                                                       \
        __VA_ARGS__                                                                      \
        UNROLLED for (int k = 0; k < 2; k++)                                             \
            BODY_OF(I, 0, unit + k * UNITS_##I, acc + k * stride, last_##I)              \
    }

/* A loop with products: for every tile of units and every few rows the accumulators are
 * filled, and body_I is run on them while they are at hand.
 *
 * A single row takes one tile at a time, or two of them where these are NEAR. Every other
 * step begins with the tiles that the one before it ended with: they are nearest. */
#define PRODUCT_PHASE(I, SIZE, COUNT, WIDEST, WEIGHTS, MADE_READY, ...)                  \
    ONE_ROW(I, COUNT, __VA_ARGS__)                                                       \
    static void alone_##I(const Frame *frame, int64_t size, int64_t from, int64_t to)    \
    {                                                                                    \
        int64_t each = 2 * (WEIGHTS) <= NEAR ? 2 : 1;                                    \
        int64_t parts = (to - from + each - 1) / each;                                   \
        for (int64_t i = 0; i < parts; i++) {                                            \
            int64_t tile = from + (frame->turned ? parts - 1 - i : i) * each;            \
            if (each == 2 && tile + 1 < to)                                              \
                two_##I(frame, size, tile * UNITS_##I);                                  \
            else                                                                         \
                one_##I(frame, size, tile * UNITS_##I);                                  \
        }                                                                                \
    }                                                                                    \
    static void phase_##I(const Frame *frame, int share, int shares)                     \
    {                                                                                    \
        enum { stride = COUNT, alone = 0, tiles = 1 };                                   \
        int64_t size = frame->slot[SIZE], from, to;                                      \
        part_of((size + UNITS_##I - 1) / UNITS_##I, share, shares, &from, &to);          \
        int rows = frame->rows, way = frame->turned ? -1 : 1;                            \
        if (rows == 1) {                                                                 \
            alone_##I(frame, size, from, to);                                            \
            return;                                                                      \
        }                                                                                \
        vec acc[MOST_ROWS * stride];                                                     \
        int groups = (rows + ROWS_OF(WIDEST) - 1) / ROWS_OF(WIDEST);                     \
        int each = groups > 1 ? rows / groups : rows, more = rows - each * groups;       \
        for (int64_t i = from; i < to; i++) {                                            \
            int64_t tile = way > 0 ? i : from + to - 1 - i, unit = tile * UNITS_##I;     \
            MADE_READY                                                                   \
            for (int row = 0, group = 0, now; row < rows; row += now, group++) {         \
                now = each + (group < more);                                             \
                __VA_ARGS__                                                              \
                for (int k = 0; k < now; k++)                                            \
                    BODY_OF(I, row + k, unit, acc + k * stride, body_##I)                \
            }                                                                            \
        }                                                                                \
    }
