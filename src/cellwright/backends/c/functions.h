/* Elementwise functions of vectors, in the dtype of vectors.h.
 *
 * What all of them promise: NaN gives NaN, in its own lane only; infinities, zeros and
 * subnormal arguments are right; the relative error is at most 3e-7 (float) or 1e-14
 * (double) wherever the result is a normal number. Below that, a result has the
 * absolute error of a subnormal number, or is 0.
 *
 * Must not see -ffast-math, which would take away both the NaNs and the rounding by
 * ROUNDER.
 */
#include <math.h>

#if CW_DOUBLE
#define LIBM(name) name
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#else
#define LIBM(name) name##f
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#endif
/* A constant for double, and the one for float. */
#define BY_DTYPE(if_double, if_float) ((real)(CW_DOUBLE ? (if_double) : (if_float)))

/* A number of this size has no digits behind the point: adding it rounds to a whole
 * number, which then stands in the low bits of the sum as well. */
#define ROUNDER BY_DTYPE(6755399441055744.0, 12582912.0)
#define LOG2_E ((real)1.4426950408889634074)
/* log(2) in two parts: the first has 10 bits, so its product with an exponent is exact
 * also where there is no fused multiply-add. */
#define LN2_HIGH ((real)0.693359375)
#define LN2_LOW ((real)-2.1219444005469058277e-4)
#define LN2 ((real)0.69314718055994530942)
#define SMALLEST_NORMAL BY_DTYPE(2.2250738585072014e-308, 1.17549435082228751e-38)

/* (exp(r) - 1 - r) / r**2 = 1/2! + r/3! + ... For |r| <= log(2)/2, 6 terms leave 2e-8
 * of exp(r) - 1, and 12 leave 1e-17. */
static const real EXP_SERIES[] __attribute__((unused)) = {
    (real)(1.0 / 2), (real)(1.0 / 6), (real)(1.0 / 24), (real)(1.0 / 120),
    (real)(1.0 / 720), (real)(1.0 / 5040), (real)(1.0 / 40320), (real)(1.0 / 362880),
    (real)(1.0 / 3628800), (real)(1.0 / 39916800), (real)(1.0 / 479001600),
    (real)(1.0 / 6227020800),
};
enum { EXP_TERMS = CW_DOUBLE ? 12 : 6 };

/* (atanh(s) / s - 1) / s**2 = 1/3 + s**2/5 + ... For log, s**2 <= 0.0295: 4 terms leave
 * 2e-9, 10 leave 7e-19. For log1p of 0 to 1, s**2 <= 1/9: 6 leave 2e-8, 14 leave 2e-16.
 */
static const real ATANH_SERIES[] __attribute__((unused)) = {
    (real)(1.0 / 3),  (real)(1.0 / 5),  (real)(1.0 / 7),  (real)(1.0 / 9),
    (real)(1.0 / 11), (real)(1.0 / 13), (real)(1.0 / 15), (real)(1.0 / 17),
    (real)(1.0 / 19), (real)(1.0 / 21), (real)(1.0 / 23), (real)(1.0 / 25),
    (real)(1.0 / 27), (real)(1.0 / 29),
};
enum { LOG_TERMS = CW_DOUBLE ? 10 : 4, LOG1P_TERMS = CW_DOUBLE ? 14 : 6 };

/* c[0] + c[1] x + ... + c[n - 1] x**(n - 1) for an even n. Two coefficients at a time
 * take as many operations as one at a time, in half the depth. */
INLINE vec series(const real *c, int n, vec x) {
    const vec xx = x * x;
    vec sum = fused(splat(c[n - 1]), x, splat(c[n - 2]));
    UNROLLED for (int k = n - 4; k >= 0; k -= 2)
        sum = fused(sum, xx, fused(splat(c[k + 1]), x, splat(c[k])));
    return sum;
}

INLINE vec v_abs(vec x) { return (vec)((ivec)x & ~(ivec)splat((real)-0.0)); }

/* |x| with the sign of the second argument. */
INLINE vec with_sign(vec x, vec sign) {
    return (vec)((ivec)x | ((ivec)sign & (ivec)splat((real)-0.0)));
}

/* The smaller of x and a limit. NaN stays, here and below: it compares with nothing. */
INLINE vec at_most(vec x, real limit) { return SMALLER(splat(limit), x); }
INLINE vec at_least(vec x, real limit) { return LARGER(splat(limit), x); }

INLINE vec v_relu(vec x) { return at_least(x, 0); }
/* NaN if either is NaN: the first one compares with nothing and is kept. */
INLINE vec v_max(vec a, vec b) { return choose((a < b) | (b != b), b, a); }
INLINE vec v_min(vec a, vec b) { return choose((a > b) | (b != b), b, a); }

INLINE vec v_sqrt(vec x) {
    EACH_LANE(i) x[i] = LIBM(__builtin_sqrt)(x[i]);
    return x;
}

/* Rounds to whole numbers by a number of 2**MANTISSA_BITS, where SSE2 has no
 * instruction; what is larger is whole already. */
INLINE vec v_floor(vec x) {
#if defined __SSE2__ && !defined __SSE4_1__
    const real whole = BY_DTYPE(4503599627370496.0, 8388608.0);
    const vec size = v_abs(x);
    const vec nearest = with_sign((size + whole) - whole, x);
    return choose(size < whole, nearest - one_if(nearest > x), x);
#else
    vec below = x;
    EACH_LANE(i) below[i] = LIBM(__builtin_floor)(x[i]);
    return below;
#endif
}

/* 2**k for the whole number k that was rounded by ROUNDER + EXPONENT_BIAS. */
INLINE vec power_of_two(uvec rounded) { return (vec)(rounded << MANTISSA_BITS); }

/* exp(r) - 1, for a difference of at most log(2)/2 either way. */
INLINE vec small_expm1(vec r) {
    return fused(r * r, series(EXP_SERIES, EXP_TERMS, r), r);
}

/* x - k log(2) */
INLINE vec reduced(vec x, vec k) {
    return fused(-k, splat(LN2_LOW), fused(-k, splat(LN2_HIGH), x));
}

/* 2**k goes on in two halves, because the results reach from 2**-149 to 2**128. */
INLINE vec v_exp(vec x) {
    const real rounder = ROUNDER + 2 * EXPONENT_BIAS;
    const vec y = at_least(at_most(x, BY_DTYPE(710, 89)), BY_DTYPE(-746, -104));
    const vec rounded = fused(y, splat(LOG2_E), splat(rounder));
    const uvec all = (uvec)rounded, half = all >> 1;
    const vec small = 1 + small_expm1(reduced(y, rounded - rounder));
    return (small * power_of_two(half)) * power_of_two(all - half);
}

/* In the next two what waits for nothing stands beside what everything waits for: a small
 * cell's step is as long as they are. */

/* 1 / (1 + exp(-x)). Beyond the lower limit 2**k has no room, and the result is 0. */
INLINE vec v_sigmoid(vec x) {
    const real rounder = ROUNDER + EXPONENT_BIAS, lowest = BY_DTYPE(-709.4, -88.3);
    const vec y = at_least(at_most(x, 50), lowest);
    const vec rounded = fused(-y, splat(LOG2_E), splat(rounder));
    const vec power = power_of_two((uvec)rounded);
    const vec expm1 = small_expm1(reduced(-y, rounded - rounder));
    return one_if(x >= lowest) / fused(power, expm1, 1 + power);
}

/* (exp(2|x|) - 1) / (exp(2|x|) + 1), without subtracting nearly equal numbers: for
 * k = 0 the difference is the series alone, so that tanh(1e-30) is 1e-30. And k is so
 * small, at most 32, or 64 in double, that one part of log(2) will do. */
INLINE vec v_tanh(vec x) {
    const real rounder = ROUNDER + EXPONENT_BIAS;
    const vec size = at_most(v_abs(x), BY_DTYPE(22, 11));
    const vec rounded = fused(size, splat(2 * LOG2_E), splat(rounder));
    const vec power = power_of_two((uvec)rounded);
    const vec rest = fused(rounder - rounded, splat(LN2), size + size);
    const vec expm1 = small_expm1(rest);
    return with_sign(fused(power, expm1, power - 1) / fused(power, expm1, power + 1), x);
}

/* 2 atanh(s), for log(m) with s = (m - 1) / (m + 1). */
INLINE vec twice_atanh(vec s, int terms) {
    const vec twice = s + s, square = s * s;
    return fused(twice, square * series(ATANH_SERIES, terms, square), twice);
}

/* x = 2**k m with m between sqrt(1/2) and sqrt(2); the exponent's bits give k. */
INLINE vec v_log(vec x) {
    const real lift = BY_DTYPE(18014398509481984.0, 16777216.0);
    const ivec subnormal = x < SMALLEST_NORMAL;
    const uvec bits = (uvec)choose(subnormal, x * lift, x);
    const uvec root_half = (uvec)splat((real)0.70710678118654752440);
    const uvec exponent = (uvec)((ivec)(bits - root_half) >> MANTISSA_BITS);
    const vec m = (vec)(bits - (exponent << MANTISSA_BITS));
    vec k = (vec)(exponent + (uvec)splat(ROUNDER)) - ROUNDER;
    k = choose(subnormal, k - BY_DTYPE(54, 24), k);
    const vec rest = twice_atanh((m - 1) / (m + 1), LOG_TERMS);
    const vec result = fused(k, splat(LN2_HIGH), fused(k, splat(LN2_LOW), rest));
    const vec edge = choose(x == 0, splat(-INFINITY), splat(NAN));
    /* What compares with nothing, and infinity, are their own logarithms. */
    return choose(x < INFINITY, choose(x > 0, result, edge), x);
}

/* log(1 + z) for 0 <= z <= 1 */
INLINE vec log1p_of_share(vec z) { return twice_atanh(z / (2 + z), LOG1P_TERMS); }

/* log(1 + exp(x)) and log(sigmoid(x)): the larger part is exact, the smaller one is a
 * logarithm near 1. */
INLINE vec v_softplus(vec x) {
    return at_least(x, 0) + log1p_of_share(v_exp(-v_abs(x)));
}
INLINE vec v_log_sigmoid(vec x) {
    return at_most(x, 0) - log1p_of_share(v_exp(-v_abs(x)));
}

/* Lane by lane through the C library: rare in cells, and right for every argument. */
static inline __attribute__((unused)) vec v_sin(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = LIBM(sin)(x[i]);
    return x;
}
static inline __attribute__((unused)) vec v_cos(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = LIBM(cos)(x[i]);
    return x;
}
static inline __attribute__((unused)) vec lanewise_fmod(vec a, vec b) {
    for (int i = 0; i < LANES; i++) a[i] = LIBM(fmod)(a[i], b[i]);
    return a;
}
static inline __attribute__((unused)) vec lanewise_pow(vec a, real n) {
    for (int i = 0; i < LANES; i++) a[i] = LIBM(pow)(a[i], n);
    return a;
}

/* a - b trunc(a / b), exact and with the sign of a. A small quotient, cut to a whole
 * number, is right or one too large; a fused multiply-add does not round the product,
 * and the difference has no more digits than a or b. Without one, the C library's. */
INLINE vec exact_fmod(vec a, vec b) {
#if defined __FMA__ || defined __aarch64__
    const vec size = v_abs(a), step = v_abs(b), quotient = size / step;
    const ivec small = quotient < BY_DTYPE(1125899906842624.0, 2097152.0);
    if (in_all_lanes(small)) {
        const vec whole = v_floor(quotient);
        vec rest = size;
        EACH_LANE(i) rest[i] = LIBM(__builtin_fma)(-whole[i], step[i], size[i]);
        rest = choose(rest < 0, rest + step, rest);
        /* Also where the step is infinite. */
        return with_sign(choose(quotient < 1, size, rest), a);
    }
#endif
    return lanewise_fmod(a, b);
}

/* The remainder with the sign of b; NaN where b is 0. Bit by bit
 * torch.remainder, whose vectors give NaN where a / b overflows: this does not. */
INLINE vec v_mod(vec a, vec b) {
    const vec rest = exact_fmod(a, b);
    return choose((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest);
}

/* a**k for 0 <= k <= 8 */
INLINE vec product(vec a, int k) {
    const vec square = a * a, fourth = square * square;
    switch (k) {
    case 0: return splat(1);
    case 1: return a;
    case 2: return square;
    case 3: return square * a;
    case 4: return fourth;
    case 5: return fourth * a;
    case 6: return fourth * square;
    case 7: return fourth * (square * a);
    default: return fourth * fourth;
    }
}

/* a**n with the special values of C's pow. A product rounds up to |n| times. */
INLINE vec v_power(vec a, double n) {
    if (n == 0.5 || n == -0.5) {
        /* The root of -0 is -0, but its power is 0; that of -infinity is infinity. */
        const vec root = choose(a == -INFINITY, splat(INFINITY), v_sqrt(a + 0));
        return n > 0 ? root : 1 / root;
    }
    if (n >= 0 && n <= 8 && n == (int)n) return product(a, (int)n);
    if (n < 0 && n >= -8 && n == (int)n) {
        /* In two halves, because the product may be subnormal where 1 / it is not. */
        const int half = (int)-n / 2;
        const vec inverse = 1 / product(a, (int)-n - half);
        return half ? inverse / product(a, half) : inverse;
    }
    return lanewise_pow(a, (real)n);
}
