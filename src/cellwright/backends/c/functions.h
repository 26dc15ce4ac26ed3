/* Elementwise functions of vectors, in the dtype of vectors.h.
 *
 * What all of them promise: NaN gives NaN, in its own lane only; infinities, zeros and
 * subnormal arguments are right; the relative error is at most 3e-7 (float) or 1e-14
 * (double) wherever the result is a normal number. Below that, a result has the
 * absolute error of a subnormal number, or is 0.
 *
 * Goes behind vectors.h and coefficients.h. Must not see -ffast-math, which would take
 * away both the NaNs and the rounding by ROUNDER.
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
#define SMALLEST_NORMAL BY_DTYPE(2.2250738585072014e-308, 1.17549435082228751e-38)

#define TERMS(table) ((int)(sizeof(table) / sizeof *(table)))

/* c[0] + c[1] x + ... + c[n - 1] x**(n - 1), or with -x, of two terms at least. Two at a
 * time take about as many operations as one at a time, in half the depth. */
INLINE vec series(const real *c, int n, vec x, int sign) {
    const vec xx = x * x;
    vec sum = splat(n % 2 ? c[n - 1] : 0);
    UNROLLED for (int k = n / 2 * 2 - 2; k >= 0; k -= 2) {
        const vec pair = fused(splat((real)sign * c[k + 1]), x, splat(c[k]));
        sum = k + 2 < n ? fused(sum, xx, pair) : pair;
    }
    return sum;
}

/* 1 + c[0] x + c[1] x**2 + ... What is next to 1 is added last: its rounding counts. */
INLINE vec one_and(const real *c, int n, vec x) {
    return fused(x, series(c, n, x, 1), splat(1));
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

/* exp(r) or exp(-r), for a difference of at most log(2)/2 either way. */
INLINE vec small_exp(vec r, int sign) {
    const vec rest = series(EXP_REST, TERMS(EXP_REST), r, sign);
    return fused(r * r, rest, sign > 0 ? 1 + r : 1 - r);
}

/* x + k log(2) */
INLINE vec moved(vec x, vec k) {
    return fused(k, splat(LN2_LOW), fused(k, splat(LN2_HIGH), x));
}

/* 2**k goes on in two halves, because the results reach from 2**-149 to 2**128. */
INLINE vec v_exp(vec x) {
    const real rounder = ROUNDER + 2 * EXPONENT_BIAS;
    const vec y = at_least(at_most(x, BY_DTYPE(710, 89)), BY_DTYPE(-746, -104));
    const vec rounded = fused(y, splat(LOG2_E), splat(rounder));
    const uvec all = (uvec)rounded, half = all >> 1;
    const vec small = small_exp(moved(y, rounder - rounded), 1);
    return (small * power_of_two(half)) * power_of_two(all - half);
}

/* exp(-y) as a product, for one whose power of two has room as it is: beyond the largest
 * exponent it is infinite, and below the smallest one 0. */
typedef struct {
    vec power, small;
} Product;

INLINE Product exp_of_minus(vec y) {
    const real rounder = ROUNDER + EXPONENT_BIAS;
    const vec rounded = fused(y, splat(-LOG2_E), splat(rounder));
    const vec small = small_exp(moved(y, rounded - rounder), -1);
    return (Product){power_of_two((uvec)rounded), small};
}

/* exp(-|x|), which is 0 at the limit. */
INLINE vec exp_below_1(vec x) {
    const Product e = exp_of_minus(at_most(v_abs(x), BY_DTYPE(709, 88)));
    return e.power * e.small;
}

/* 1 / (1 + exp(-x)), which is 0 at the lower limit. */
INLINE vec v_sigmoid(vec x) {
    const vec y = at_least(at_most(x, 50), BY_DTYPE(-710, -89));
    const Product e = exp_of_minus(y);
    return 1 / fused(e.power, e.small, splat(1));
}

/* x (slope + quotient), of which only x grows where tanh is 1 already. It is cut at 1,
 * so that rounding does not lead astray. */
INLINE vec v_tanh(vec x) {
    const vec square = at_most(x * x, TANH_END);
    const vec over = series(TANH_OVER, TERMS(TANH_OVER), square, 1);
    const vec under = one_and(TANH_UNDER, TERMS(TANH_UNDER), square);
    return at_least(at_most(x * (TANH_SLOPE + over / under), 1), -1);
}

/* x = 2**k m with m between sqrt(1/2) and sqrt(2), of which log(m) = 2 atanh(s); the
 * exponent's bits give k. */
INLINE vec v_log(vec x) {
    const real lift = BY_DTYPE(18014398509481984.0, 16777216.0);
    const ivec subnormal = x < SMALLEST_NORMAL;
    const uvec bits = (uvec)choose(subnormal, x * lift, x);
    const uvec root_half = (uvec)splat((real)0.70710678118654752440);
    const uvec exponent = (uvec)((ivec)(bits - root_half) >> MANTISSA_BITS);
    const vec m = (vec)(bits - (exponent << MANTISSA_BITS));
    vec k = (vec)(exponent + (uvec)splat(ROUNDER)) - ROUNDER;
    k = choose(subnormal, k - BY_DTYPE(54, 24), k);
    const vec s = (m - 1) / (m + 1), twice = s + s, square = s * s;
    const vec rest = square * series(ATANH_REST, TERMS(ATANH_REST), square, 1);
    const vec low = fused(k, splat(LN2_LOW), fused(twice, rest, twice));
    const vec result = fused(k, splat(LN2_HIGH), low);
    const vec edge = choose(x == 0, splat(-INFINITY), splat(NAN));
    /* What compares with nothing, and infinity, are their own logarithms. */
    return choose(x < INFINITY, choose(x > 0, result, edge), x);
}

/* log(1 + z) for 0 <= z <= 1 */
INLINE vec log1p_of_share(vec z) {
    const vec over = series(LOG1P_REST_OVER, TERMS(LOG1P_REST_OVER), z, 1);
    const vec under = one_and(LOG1P_REST_UNDER, TERMS(LOG1P_REST_UNDER), z);
    return fused(z * z, over / under, z);
}

/* log(1 + exp(x)) and log(sigmoid(x)): the larger part is exact, the smaller one is a
 * logarithm near 1. */
INLINE vec v_softplus(vec x) {
    return at_least(x, 0) + log1p_of_share(exp_below_1(x));
}
INLINE vec v_log_sigmoid(vec x) {
    return at_most(x, 0) - log1p_of_share(exp_below_1(x));
}

/* Lane by lane through the C library: rare in cells, and right for every argument. */
static inline UNUSED vec v_sin(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = LIBM(sin)(x[i]);
    return x;
}
static inline UNUSED vec v_cos(vec x) {
    for (int i = 0; i < LANES; i++) x[i] = LIBM(cos)(x[i]);
    return x;
}
static inline UNUSED vec lanewise_fmod(vec a, vec b) {
    for (int i = 0; i < LANES; i++) a[i] = LIBM(fmod)(a[i], b[i]);
    return a;
}
static inline UNUSED vec lanewise_pow(vec a, real n) {
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
