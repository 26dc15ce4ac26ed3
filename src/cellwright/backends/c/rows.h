/* Ops on whole rows: reductions of groups, and moves. */

static inline __attribute__((unused)) void row_sum(const real *from, int64_t length,
                                                   int64_t groups, real *to)
{
    int64_t each = length / groups;
    for (int64_t g = 0; g < groups; g++, from += each) {
        vec sum = splat(0);
        for (int64_t k = 0; k < each; k += LANES)
            sum += load(from + k, each - k < LANES ? (int)(each - k) : LANES);
        to[g] = sum_lanes(sum);
    }
}

static inline __attribute__((unused)) void row_max(const real *from, int64_t length,
                                                   int64_t groups, real *to)
{
    int64_t each = length / groups;
    for (int64_t g = 0; g < groups; g++, from += each) {
        vec largest = splat(from[0]);
        int64_t k = 0;
        for (; k + LANES <= each; k += LANES)
            largest = v_max(largest, load(from + k, LANES));
        real found = max_lanes(largest, LANES);
        for (; k < each; k++)
            found = found != found || found > from[k] ? found : from[k];
        to[g] = found;
    }
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
