/* Best approximations in relative error, the lowest power first, as studies/minimax.py
 * writes them, and what each leaves of error in the function that it is for. A 1 that a
 * table under a line begins with is left out. */
#define UNUSED __attribute__((unused))

#if CW_DOUBLE
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2:
 * 1.5e-17 */
static const real EXP_REST[] UNUSED = {
    5.000000000000001e-1,
    1.6666666666666644e-1,
    4.1666666666624309e-2,
    8.3333333333561953e-3,
    1.3888888917138271e-3,
    1.9841269784672001e-4,
    2.4801521396336288e-5,
    2.7557355505482071e-6,
    2.7620046695248064e-7,
    2.5068168536679934e-8,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295:
 * 4.5e-18 */
static const real ATANH_REST[] UNUSED = {
    3.3333333333333349e-1,
    1.9999999999949558e-1,
    1.4285714313066696e-1,
    1.1111105555680699e-1,
    9.0914453478917477e-2,
    7.6658365611222027e-2,
    7.3085052445406979e-2,
};
/* tanh(x) / x - 0.03125 by x**2, for |x| <= 19.1:
 * 7.1e-17 */
static const real TANH_OVER[] UNUSED = {
    9.6875e-1,
    1.366424951898714e-1,
    4.9008250863932352e-3,
    6.7713202274475187e-5,
    4.0935229183098583e-7,
    1.0449535030330892e-9,
    6.9711054373207487e-13,
    -9.0625380970522938e-16,
    -1.0167776040007572e-18,
    -1.6896969390689326e-22,
};
static const real TANH_UNDER[] UNUSED = {
    4.8513633912072654e-1,
    3.435314043179764e-2,
    8.2804517680422065e-4,
    8.7518035912296897e-6,
    4.4613886371227702e-8,
    1.1103082125277942e-10,
    1.2687755981078883e-13,
    5.6201861802729255e-17,
    6.204637084942567e-21,
};
/* (log(1 + z) - z) / z**2 for 0 <= z <= 1:
 * 2.7e-17 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.9999999999999997e-1,
    -1.15425195437161,
    -9.4322252845605961e-1,
    -3.2650393121605704e-1,
    -4.4565139256411253e-2,
    -1.6786173449413849e-3,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    2.9751705754098612,
    3.3698921071871006,
    1.8120173128054391,
    4.6893066426978734e-1,
    5.1916619064448328e-2,
    1.7040704722238782e-3,
};
#else
/* (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2:
 * 9.4e-9 */
static const real EXP_REST[] UNUSED = {
    4.99999996e-1f,
    1.66665773e-1f,
    4.16668534e-2f,
    8.36314642e-3f,
    1.39012891e-3f,
};
/* (atanh(s) / s - 1) / s**2 by s**2, for s**2 <= 0.0295:
 * 2.8e-9 */
static const real ATANH_REST[] UNUSED = {
    3.33333426e-1f,
    1.99943809e-1f,
    1.47903078e-1f,
};
/* tanh(x) / x - 0.1044921875 by x**2, for |x| <= 9.05:
 * 2.2e-8 */
static const real TANH_OVER[] UNUSED = {
    8.95507813e-1f,
    8.49681665e-2f,
    7.89307917e-4f,
    -1.3720809e-5f,
    -6.76140695e-8f,
};
static const real TANH_UNDER[] UNUSED = {
    4.67110736e-1f,
    2.58622221e-2f,
    3.27928799e-4f,
    7.74029367e-7f,
};
/* (log(1 + z) - z) / z**2 for 0 <= z <= 1:
 * 4.3e-9 */
static const real LOG1P_REST_OVER[] UNUSED = {
    -4.99999995e-1f,
    -4.610803e-1f,
    -7.65722298e-2f,
};
static const real LOG1P_REST_UNDER[] UNUSED = {
    1.58882625f,
    7.12379394e-1f,
    8.03912344e-2f,
};
#endif
