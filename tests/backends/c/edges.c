/* Runs everything of functions.c over special values, and moves at the edge of a page
 * behind which nothing may be read; for a build with sanitizers. Returns 0 if all is
 * well. */
#include "functions.c"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define X(name) run_##name,
static loop *const loops[] = {UNARY(X) BINARY(X)};
#undef X

static const real specials[] = {
    0, -0.0, 1, -1, 0.5, -0.5, 3, -7, 1e-3, 20, -20, 87, -87, 89, -104, 710, -746, 1e10,
    -1e10, SMALLEST_NORMAL, -SMALLEST_NORMAL, SMALLEST_NORMAL / 8, -SMALLEST_NORMAL / 8,
    (real)1e38, (real)-1e38, INFINITY, -INFINITY, NAN, -NAN,
};
enum { COUNT = sizeof specials / sizeof *specials };

/* Every pair of special values, in memory of exactly that size. */
static void run_all_functions(void) {
    const long n = COUNT * COUNT;
    real *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    real *out = malloc(n * sizeof *out);
    for (long i = 0; i < n; i++) {
        a[i] = specials[i / COUNT];
        b[i] = specials[i % COUNT];
    }
    for (size_t k = 0; k < sizeof loops / sizeof *loops; k++) loops[k](a, b, out, n);
    for (int k = 0; k < power_count; k++) run_power(powers[k], a, out, n);
    for (long i = 0; i + LANES <= n; i += LANES) {
        ivec mask;
        memcpy(&mask, a + i, sizeof mask);
        run_choose((const integer *)(a + i), a + i, b + i, out);
        run_one_if((const integer *)(a + i), out);
        out[0] = run_sum(a + i) + run_max_lanes(a + i, LANES);
    }
    free(a);
    free(b);
    free(out);
}

/* The number of lanes that were moved wrongly across the end of a page. */
static int faults_at_a_page(void) {
    const long page = sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_READ | PROT_WRITE))
        return 1000;
    real *const first = (real *)(pages + page);
    real *const end = (real *)(pages + 2 * page);
    int faults = 0;
    for (int n = 1; n <= LANES; n++) {
        real lanes[LANES], back[LANES];
        for (int i = 0; i < LANES; i++) lanes[i] = i + 1;
        run_store(end - n, lanes, n);
        run_load(end - n, back, n);
        for (int i = 0; i < LANES; i++) faults += back[i] != (i < n ? i + 1 : 0);
        run_store(first, lanes, n);
        run_load(first, back, n);
        for (int i = 0; i < LANES; i++) faults += back[i] != (i < n ? i + 1 : 0);
    }
    return faults;
}

int main(void) {
    run_all_functions();
    const int faults = faults_at_a_page();
    if (faults) printf("%d lanes were moved wrongly\n", faults);
    return faults != 0;
}
