/* Best approximations, the lowest power first, as studies/minimax.py writes them, and
 * what relative error each leaves in the function that it is for. A 1 that every table
 * under a line begins with is left out. Goes between vectors.h and functions.h. */
#define UNUSED __attribute__((unused))

#if CW_DOUBLE
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2: 3.6e-18 */
static const real EXP_REST[] UNUSED = {
    5.0000000000000106e-1,
    1.6666666666666413e-1,
    4.1666666666530072e-2,
    8.3333333334940488e-3,
    1.3888888943654993e-3,
    1.9841269507652578e-4,
    2.4801493071230854e-5,
    2.7557585253480511e-6,
    2.7630258876462226e-7,
    2.5000467313356639e-8,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295: 1.2e-18 */
static const real ATANH_REST[] UNUSED = {
    3.3333333333333671e-1,
    1.9999999999708021e-1,
    1.4285714371048135e-1,
    1.1111099300891347e-1,
    9.0917814540659404e-2,
    7.6570425521029439e-2,
    7.3978104286429791e-2,
};
/* tanh(x) / x less the slope, by x**2, for |x| <= 19.1: 7.2e-17 */
#define TANH_SLOPE ((real)0.1640625)
#define TANH_END ((real)364.81)
static const real TANH_OVER[] UNUSED = {
    8.359375e-1,
    7.2211996561849201e-2,
    3.3843889769106904e-4,
    -4.2261211854915443e-5,
    -7.5308162198142191e-7,
    -4.8816255594981675e-9,
    -1.4055944582832787e-11,
    -1.7770979706997099e-14,
    -8.4908986015461655e-18,
    -9.9462829181048376e-22,
};
static const real TANH_UNDER[] UNUSED = {
    4.8513833856619897e-1,
    3.4354105523948302e-2,
    8.2811149823267178e-4,
    8.7532986443368301e-6,
    4.46278648579276e-8,
    1.1108872387364818e-10,
    1.2697996260867873e-13,
    5.6267928915461227e-17,
    6.2147057809525557e-21,
};
/* (log(1 + z) / z - 1) / z for 0 <= z <= 1: 6.2e-18 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.9999999999999808e-1,
    -1.1433603200192545,
    -9.2349554120024224e-1,
    -3.1508766848081367e-1,
    -4.224145662284104e-2,
    -1.5564288163325676e-3,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    2.9533873067048082,
    3.315915953549234,
    1.764092319103636,
    4.506080739510629e-1,
    4.9090298565642145e-2,
    1.579447830328084e-3,
};
#else
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2: 3.1e-9 */
static const real EXP_REST[] UNUSED = {
    4.99999935e-1f,
    1.66665206e-1f,
    4.16683849e-2f,
    8.36872166e-3f,
    1.38148519e-3f,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295: 8.0e-10 */
static const real ATANH_REST[] UNUSED = {
    3.33333881e-1f,
    1.99887847e-1f,
    1.4935537e-1f,
};
/* tanh(x) / x less the slope, by x**2, for |x| <= 9.05: 2.3e-8 */
#define TANH_SLOPE ((real)0.1640625)
#define TANH_END ((real)81.9025)
static const real TANH_OVER[] UNUSED = {
    8.359375e-1f,
    5.71672073e-2f,
    -7.50063729e-4f,
    -3.32925251e-5f,
    -1.14122121e-7f,
};
static const real TANH_UNDER[] UNUSED = {
    4.67140685e-1f,
    2.58755929e-2f,
    3.28473872e-4f,
    7.76858296e-7f,
};
/* (log(1 + z) / z - 1) / z for 0 <= z <= 1: 1.0e-9 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.99999909e-1f,
    -4.50735308e-1f,
    -7.2253553e-2f,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    1.56813233f,
    6.89974803e-1f,
    7.57021311e-2f,
};
#endif
