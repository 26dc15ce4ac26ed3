/* Ops on whole rows: reductions of groups, and moves. */

static inline __attribute__((unused)) real row_total(const real *from, int64_t length)
{
    vec sum = splat(0);
    for (int64_t k = 0; k < length; k += LANES)
        sum += load(from + k, length - k < LANES ? (int)(length - k) : LANES);
    return sum_lanes(sum);
}

static inline __attribute__((unused)) real row_largest(const real *from, int64_t length)
{
    vec largest = splat(from[0]);
    int64_t k = 0;
    for (; k + LANES <= length; k += LANES)
        largest = v_max(largest, load(from + k, LANES));
    real found = max_lanes(largest, LANES);
    for (; k < length; k++)
        found = found != found || found > from[k] ? found : from[k];
    return found;
}

static inline __attribute__((unused)) void row_sum(const real *from, int64_t length,
                                                   int64_t groups, real *to)
{
    for (int64_t g = 0, each = length / groups; g < groups; g++)
        to[g] = row_total(from + g * each, each);
}

static inline __attribute__((unused)) void row_max(const real *from, int64_t length,
                                                   int64_t groups, real *to)
{
    for (int64_t g = 0, each = length / groups; g < groups; g++)
        to[g] = row_largest(from + g * each, each);
}

static inline __attribute__((unused)) void row_copy(const real *from, int64_t length,
                                                    real *to)
{
    memcpy(to, from, (size_t)length * sizeof(real));
}

static inline __attribute__((unused)) void row_repeat(const real *from, int64_t length,
                                                      int64_t times, real *to)
{
    for (int64_t k = 0; k < length; k++)
        for (int64_t i = 0; i < times; i++)
            to[k * times + i] = from[k];
}
