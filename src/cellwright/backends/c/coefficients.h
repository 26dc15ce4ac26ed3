/* Best approximations, the lowest power first, as studies/minimax.py writes them, and
 * what relative error each leaves in the function that it is for. A 1 that every table
 * under a line begins with is left out. Goes between vectors.h and functions.h. */
#define UNUSED __attribute__((unused))

#if CW_DOUBLE
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2: 3.6e-18 */
static const real EXP_REST[] UNUSED = {
    5.0000000000000106e-1,
    1.6666666666666413e-1,
    4.166666666653007e-2,
    8.3333333334940561e-3,
    1.3888888943655508e-3,
    1.9841269507645368e-4,
    2.4801493070670554e-5,
    2.755758525398232e-6,
    2.7630259080320326e-7,
    2.5000468599454763e-8,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295: 1.2e-18 */
static const real ATANH_REST[] UNUSED = {
    3.3333333333333671e-1,
    1.9999999999708007e-1,
    1.4285714371051875e-1,
    1.1111099300487002e-1,
    9.0917814754284185e-2,
    7.6570420049726689e-2,
    7.3978158678549451e-2,
};
/* tanh(x) / x less the slope, by x**2, for |x| <= 19.1: 7.2e-17 */
#define TANH_SLOPE ((real)0.03125)
#define TANH_END ((real)364.81)
static const real TANH_OVER[] UNUSED = {
    9.6875e-1,
    1.3664444565049661e-1,
    4.9010954091155016e-3,
    6.7722410335285632e-5,
    4.0946664900570719e-7,
    1.0455166745072056e-9,
    6.9803306027154753e-13,
    -9.0645475490798486e-16,
    -1.0178216612022338e-18,
    -1.6923961049809396e-22,
};
static const real TANH_UNDER[] UNUSED = {
    4.8513835249943675e-1,
    3.4354112250077483e-2,
    8.2811196079700405e-4,
    8.7533090889179678e-6,
    4.4627962797789179e-8,
    1.1108913140648328e-10,
    1.2698068793309882e-13,
    5.6268400683861782e-17,
    6.2147783676235191e-21,
};
/* (log(1 + z) / z - 1) / z for 0 <= z <= 1: 6.2e-18 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.9999999999999808e-1,
    -1.1433602334450237,
    -9.2349538258155678e-1,
    -3.1508757531987915e-1,
    -4.2241437296457738e-2,
    -1.5564277753520451e-3,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    2.9533871335563464,
    3.3159155208795553,
    1.7640919309095449,
    4.5060792357769481e-1,
    4.9090274980066597e-2,
    1.5794467680385863e-3,
};
#else
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2: 3.1e-9 */
static const real EXP_REST[] UNUSED = {
    4.99999935e-1f,
    1.66665206e-1f,
    4.16683851e-2f,
    8.36872161e-3f,
    1.38148434e-3f,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295: 8.0e-10 */
static const real ATANH_REST[] UNUSED = {
    3.33333881e-1f,
    1.99887847e-1f,
    1.49355361e-1f,
};
/* tanh(x) / x less the slope, by x**2, for |x| <= 9.05: 2.3e-8 */
#define TANH_SLOPE ((real)0.0986328125)
#define TANH_END ((real)81.9025)
static const real TANH_OVER[] UNUSED = {
    9.01367188e-1f,
    8.77320983e-2f,
    9.42970024e-4f,
    -1.18005821e-5f,
    -6.32927181e-8f,
};
static const real TANH_UNDER[] UNUSED = {
    4.67140709e-1f,
    2.58756039e-2f,
    3.28474338e-4f,
    7.76860864e-7f,
};
/* (log(1 + z) / z - 1) / z for 0 <= z <= 1: 1.0e-9 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.99999909e-1f,
    -4.50735409e-1f,
    -7.22535934e-2f,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    1.56813253f,
    6.89975019e-1f,
    7.57021747e-2f,
};
#endif
