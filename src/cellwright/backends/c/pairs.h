/* One row times two tiles of weights: the sums of one tile wait for one another, those of two
 * tiles do not.
 *
 * The first tile's accumulators are acc[j], the second one's acc[stride + j]. Each sum has
 * the order that it has in multiply.h. */
#define MULTIPLY_PAIR(W)                                                                 \
    static void multiply_two_##W(vec *acc, int64_t stride, const real *w,               \
                                  const real *other, const real *x, int64_t depth,       \
                                  int fresh)                                             \
    {                                                                                    \
        vec sum[2][W];                                                                   \
        _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                              \
        {                                                                                \
            sum[0][j] = fresh ? splat(0) : acc[j];                                       \
            sum[1][j] = fresh ? splat(0) : acc[stride + j];                              \
        }                                                                                \
        for (int64_t k = 0; k < depth; k++, w += W * LANES, other += W * LANES)          \
        {                                                                                \
            vec value = splat(x[k]);                                                     \
            _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                          \
                sum[0][j] += value * *(const vec *)(w + j * LANES);                      \
            _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                          \
                sum[1][j] += value * *(const vec *)(other + j * LANES);                  \
        }                                                                                \
        _Pragma("GCC unroll 8") for (int j = 0; j < W; j++)                              \
            acc[j] = sum[0][j], acc[stride + j] = sum[1][j];                             \
    }
WIDTHS(MULTIPLY_PAIR)

#define PAIR_ENTRY(W) [W] = multiply_two_##W,
typedef void MultiplyPair(vec *, int64_t, const real *, const real *, const real *, int64_t,
                          int);
static MultiplyPair *const two_tiles_table[5] = {0, WIDTHS(PAIR_ENTRY)};
