/* Vectors of floats or doubles, and what moves them.
 *
 * Goes in front of every kernel, after CW_DOUBLE (0 or 1) and CW_BYTES (64, 32 or 16)
 * are defined. C11 with the vector extensions of GCC and Clang: `a + b`, `a < b` work
 * lane by lane. A number of lanes n is always 0 < n <= LANES.
 */
#if !defined CW_DOUBLE || !defined CW_BYTES
#error "define CW_DOUBLE (0 or 1) and CW_BYTES (64, 32 or 16) first"
#endif

#include <stdint.h>
#include <string.h>

/* Always, because a constant n or exponent has to reach the body, and because a call
 * would spill every accumulator: no vector register survives one. */
#define INLINE static inline __attribute__((always_inline, unused))

#if CW_DOUBLE
typedef double real;
typedef int64_t integer;
typedef uint64_t natural;
#else
typedef float real;
typedef int32_t integer;
typedef uint32_t natural;
#endif

typedef real vec __attribute__((vector_size(CW_BYTES)));
typedef integer ivec __attribute__((vector_size(CW_BYTES)));
/* For arithmetic on bits, which may wrap round. */
typedef natural uvec __attribute__((vector_size(CW_BYTES)));

enum { LANES = CW_BYTES / sizeof(real) };

/* One statement a lane becomes one vector instruction once the loop is unrolled, in GCC
 * and in Clang. A statement with a choice in it would become a branch a lane. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#endif
#define EACH_LANE(i) UNROLLED for (int i = 0; i < LANES; i++)

/* Masked moves are named by their builtins, because reading <immintrin.h> takes as long
 * as compiling a kernel. GCC and Clang know these names; a compiler that does not gets
 * the loops in load and store. */
#define FIRST_BITS(n) ((1u << (n)) - 1)
#ifdef __has_builtin
#if CW_BYTES == 64 && defined __AVX512F__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_loadups512_mask)
#define MASKED_LOAD(p, n) \
    __builtin_ia32_loadups512_mask((const void *)(p), splat(0), FIRST_BITS(n))
#define MASKED_STORE(p, v, n) \
    __builtin_ia32_storeups512_mask((void *)(p), v, FIRST_BITS(n))
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_loadupd512_mask)
#define MASKED_LOAD(p, n) \
    __builtin_ia32_loadupd512_mask((const void *)(p), splat(0), FIRST_BITS(n))
#define MASKED_STORE(p, v, n) \
    __builtin_ia32_storeupd512_mask((void *)(p), v, FIRST_BITS(n))
#endif
#elif CW_BYTES == 32 && defined __AVX2__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_maskloadps256)
#define MASKED_LOAD(p, n) \
    __builtin_ia32_maskloadps256((const void *)(p), first_lanes(n))
#define MASKED_STORE(p, v, n) \
    __builtin_ia32_maskstoreps256((void *)(p), first_lanes(n), v)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_maskloadpd256)
/* int64_t is long or long long, this builtin's mask is always the latter. */
typedef long long mask256 __attribute__((vector_size(32)));
#define MASKED_LOAD(p, n) \
    __builtin_ia32_maskloadpd256((const void *)(p), (mask256)first_lanes(n))
#define MASKED_STORE(p, v, n) \
    __builtin_ia32_maskstorepd256((void *)(p), (mask256)first_lanes(n), v)
#endif
#endif
#endif

/* Of a and b the smaller and the larger one, b where one of them is NaN, by one
 * instruction; named for the same reason. */
#ifdef __has_builtin
#if CW_BYTES == 64 && defined __AVX512F__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_minps512_mask)
#define SMALLER(a, b) __builtin_ia32_minps512_mask(a, b, a, 0xffff, 4)
#define LARGER(a, b) __builtin_ia32_maxps512_mask(a, b, a, 0xffff, 4)
#elif !CW_DOUBLE && __has_builtin(__builtin_ia32_minps512)
#define SMALLER(a, b) __builtin_ia32_minps512(a, b, 4)
#define LARGER(a, b) __builtin_ia32_maxps512(a, b, 4)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_minpd512_mask)
#define SMALLER(a, b) __builtin_ia32_minpd512_mask(a, b, a, 0xff, 4)
#define LARGER(a, b) __builtin_ia32_maxpd512_mask(a, b, a, 0xff, 4)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_minpd512)
#define SMALLER(a, b) __builtin_ia32_minpd512(a, b, 4)
#define LARGER(a, b) __builtin_ia32_maxpd512(a, b, 4)
#endif
#elif CW_BYTES == 32 && defined __AVX2__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_minps256)
#define SMALLER(a, b) __builtin_ia32_minps256(a, b)
#define LARGER(a, b) __builtin_ia32_maxps256(a, b)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_minpd256)
#define SMALLER(a, b) __builtin_ia32_minpd256(a, b)
#define LARGER(a, b) __builtin_ia32_maxpd256(a, b)
#endif
#endif
#endif

/* a * b + c by one instruction, rounded once; named for the same reason. */
#ifdef __has_builtin
#if __has_builtin(__builtin_elementwise_fma) && (defined __FMA__ || defined __aarch64__)
#define FUSED(a, b, c) __builtin_elementwise_fma(a, b, c)
#elif CW_BYTES == 64 && defined __AVX512F__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_vfmaddps512_mask)
#define FUSED(a, b, c) __builtin_ia32_vfmaddps512_mask(a, b, c, 0xffff, 4)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_vfmaddpd512_mask)
#define FUSED(a, b, c) __builtin_ia32_vfmaddpd512_mask(a, b, c, 0xff, 4)
#endif
#elif CW_BYTES == 32 && defined __FMA__
#if !CW_DOUBLE && __has_builtin(__builtin_ia32_vfmaddps256)
#define FUSED(a, b, c) __builtin_ia32_vfmaddps256(a, b, c)
#elif CW_DOUBLE && __has_builtin(__builtin_ia32_vfmaddpd256)
#define FUSED(a, b, c) __builtin_ia32_vfmaddpd256(a, b, c)
#endif
#endif
#endif

/* x in every lane. Subtracting 0 keeps the sign of -0, which adding it would not. */
INLINE vec splat(real x) { return x - (vec){0}; }

/* a * b + c, rounded once wherever the level can. It is said here where that happens:
 * left to the compiler it hangs on who else reads the product, and in which block, and a
 * kernel that keeps a product would give other bits than one that does not. */
INLINE vec fused(vec a, vec b, vec c) {
#ifdef FUSED
    return FUSED(a, b, c);
#elif defined __FMA__ || defined __aarch64__
    EACH_LANE(i) c[i] = CW_DOUBLE ? __builtin_fma(a[i], b[i], c[i])
                                  : __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

/* GCC makes a choice of its own of `m & a` where it sees that m is a comparison. For
 * doubles in SSE2, and with the comparison in another block, it then cannot write what it
 * made and ends with an internal error (seen in GCC 12). No instruction, but m is opaque. */
#if defined __SSE2__ && !defined __SSE4_2__ && !defined __clang__
#define OPAQUE(m) __asm__("" : "+x"(m))
#else
#define OPAQUE(m) ((void)0)
#endif

/* a where m is all ones, b where it is 0, bit by bit. */
INLINE vec choose(ivec m, vec a, vec b) {
    OPAQUE(m);
    return (vec)((m & (ivec)a) | (~m & (ivec)b));
}

#ifndef SMALLER
#define SMALLER(a, b) choose((a) < (b), a, b)
#define LARGER(a, b) choose((a) > (b), a, b)
#endif

/* 1 where m is all ones, 0 where it is 0. */
INLINE vec one_if(ivec m) {
    OPAQUE(m);
    return (vec)(m & (ivec)splat(1));
}

/* All ones in the first n lanes, 0 in the others. */
INLINE ivec first_lanes(int n) {
    ivec lane = {0};
    EACH_LANE(i) lane[i] = i;
    return lane < (integer)n;
}

/* Keep v in a register. GCC would rather read it from memory once for every use, and from
 * the second cache that takes as often as long. */
#if CW_BYTES == 64 && defined __AVX512F__
#define IN_REGISTER(v) __asm__("" : "+v"(v))
enum { REGISTERS = 32 };
#elif defined __SSE2__
#define IN_REGISTER(v) __asm__("" : "+x"(v))
enum { REGISTERS = 16 };
#else
#define IN_REGISTER(v) ((void)0)
enum { REGISTERS = 0 };
#endif

/* Whether m is all ones in every lane. */
INLINE int in_all_lanes(ivec m) {
    typedef int64_t pair __attribute__((vector_size(16)));
    pair pairs[CW_BYTES / 16];
    memcpy(pairs, &m, sizeof m);
    pair both = pairs[0];
    for (int i = 1; i < CW_BYTES / 16; i++) both &= pairs[i];
    return (both[0] & both[1]) == -1;
}

/* The first n values from p on, wherever p points; 0 in the other lanes. Nothing beyond
 * p[n - 1] is read. */
INLINE vec load(const real *p, int n) {
    vec v = {0};
    if (n == LANES) {
        memcpy(&v, p, sizeof v);
        return v;
    }
#ifdef MASKED_LOAD
    return (vec)MASKED_LOAD(p, n);
#else
    for (int i = 0; i < n; i++) v[i] = p[i];
    return v;
#endif
}

/* The first n lanes to p on, wherever p points. Nothing beyond p[n - 1] is touched. */
INLINE void store(real *p, vec v, int n) {
    if (n == LANES) {
        memcpy(p, &v, sizeof v);
        return;
    }
    if (__builtin_constant_p(n) && n == 1) {
        *p = v[0];
        return;
    }
#ifdef MASKED_STORE
    MASKED_STORE(p, v, n);
#else
    for (int i = 0; i < n; i++) p[i] = v[i];
#endif
}

/* The first n lanes of v, 0 in the others. */
INLINE vec first(vec v, int n) {
    return n == LANES ? v : (vec)((ivec)v & first_lanes(n));
}

/* The sum of all lanes: quarters of a 64-byte vector first, then single lanes. */
INLINE real sum_lanes(vec v) {
    typedef real part __attribute__((vector_size(16)));
    part parts[CW_BYTES / 16];
    memcpy(parts, &v, sizeof v);
    part sums = parts[0];
    for (int i = 1; i < CW_BYTES / 16; i++) sums += parts[i];
    real sum = sums[0];
    for (int i = 1; i < (int)(16 / sizeof(real)); i++) sum += sums[i];
    return sum;
}

/* The largest of the first n lanes; NaN if one of them is NaN. */
INLINE real max_lanes(vec v, int n) {
    real largest = v[0];
    for (int i = 1; i < n; i++)
        if (v[i] > largest || v[i] != v[i]) largest = v[i];
    return largest;
}

/* a[0], b[0], a[1], b[1] and so on, of the lower and of the upper halves. */
#if CW_BYTES / 16 * (2 - CW_DOUBLE) == 8
#define LOWER 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif CW_BYTES / 16 * (2 - CW_DOUBLE) == 4
#define LOWER 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER 4, 12, 5, 13, 6, 14, 7, 15
#elif CW_BYTES / 16 * (2 - CW_DOUBLE) == 2
#define LOWER 0, 4, 1, 5
#define UPPER 2, 6, 3, 7
#else
#define LOWER 0, 2
#define UPPER 1, 3
#endif
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* Turn LANES rows into columns: as many perfect shuffles as LANES has binary digits. */
INLINE void turn(vec *rows) {
    UNROLLED for (int round = 1; round < LANES; round *= 2) {
        vec other[LANES];
        UNROLLED for (int i = 0; i < LANES / 2; i++) {
            other[2 * i] = SHUFFLE(rows[i], rows[i + LANES / 2], LOWER);
            other[2 * i + 1] = SHUFFLE(rows[i], rows[i + LANES / 2], UPPER);
        }
        UNROLLED for (int i = 0; i < LANES; i++) rows[i] = other[i];
    }
}
