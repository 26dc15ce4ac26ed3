/* The inner loop of products: rows times vectors, kept in registers. A single row has one of
 * its own, see products.h.
 *
 * EVERY_TILE(X) is X(W, R) for every number of vectors W that the kernel's tiles have, and
 * every number of rows R for whose sums there are registers then.
 */

/* acc[r * stride + j] += sum over k of x[r * row + k * step] * w[k][j], for R rows, W vectors;
 * from 0 on where the accumulators are fresh. The sum over k has one order whatever R is: a
 * permuted batch gives the same bits. From `next` on lies what is multiplied soon, a vector
 * for every k; it comes closer meanwhile. */
#define MULTIPLY(W, R)                                                                   \
    static void multiply_##W##_##R(vec *acc, int64_t stride, const real *w, const real *x, \
                                   int64_t row, int64_t step, int64_t depth,             \
                                   const real *next, int fresh)                          \
    {                                                                                    \
        vec sum[R][W];                                                                   \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                              \
            _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                          \
                sum[r][j] = fresh ? splat(0) : acc[r * stride + j];                      \
        for (int64_t k = 0; k < depth; k++, w += W * LANES, x += step, next += LANES) {  \
            vec b[W];                                                                    \
            /* A single row waits for memory in any case. */                             \
            if (R > 1)                                                                   \
                __builtin_prefetch(next, 0, 2);                                          \
            _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                          \
            {                                                                            \
                b[j] = *(const vec *)(w + j * LANES);                                    \
                if (R > 1 && W * R + W < REGISTERS)                                      \
                    IN_REGISTER(b[j]);                                                   \
            }                                                                            \
            _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                          \
            {                                                                            \
                vec value = splat(x[r * row]);                                           \
                _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                      \
                    sum[r][j] = fused(value, b[j], sum[r][j]);                           \
            }                                                                            \
        }                                                                                \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                              \
            _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                          \
                acc[r * stride + j] = sum[r][j];                                         \
    }

EVERY_TILE(MULTIPLY)

/* As many rows as the level's registers hold accumulators for: those of EVERY_TILE. */
#define ROWS_OF(W) (ACCUMULATORS / (W) < MOST_ROWS ? ACCUMULATORS / (W) : MOST_ROWS)

typedef void Multiply(vec *, int64_t, const real *, const real *, int64_t, int64_t, int64_t,
                      const real *, int);

#define MULTIPLY_ENTRY(W, R) [W][R] = multiply_##W##_##R,
static Multiply *const multiply_table[MOST_VECTORS + 1][MOST_ROWS + 1] = {
    {0}, EVERY_TILE(MULTIPLY_ENTRY)};
