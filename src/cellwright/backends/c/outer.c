/* Sums of outer products over many rows: out[m][n] += sum over rows of left[m] * right[n].
 *
 * A piece of work is a block of the result, summed over all rows in one order: the bits
 * are the same for any number of threads, which a BLAS does not promise.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "vectors.h"
#include "multiply.h"
#include "threads.h"

/* Rows whose right sides are packed at a time, and left entries of one piece: small
 * enough for the first caches, large enough to make up for the packing. */
enum { BLOCK = 256, LEFTS = 96, WIDEST = 4 };

typedef struct {
    const real *left, *right;
    int64_t left_row, right_row, rows;
    int64_t heads, lefts, rights; /* entries of one head */
    real *out;                    /* [heads][lefts][rights] */
} Outer;

enum { HEAD_SLOTS = 4, OUTER_SLOTS = 9 };

static Outer outer_at(const int64_t *slot, int64_t i)
{
    const int64_t *s = slot + HEAD_SLOTS + OUTER_SLOTS * i;
    return (Outer){(const real *)(intptr_t)s[0], (const real *)(intptr_t)s[2],
                   s[1], s[3], s[4], s[5], s[6], s[7], (real *)(intptr_t)s[8]};
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

static int64_t pieces_of(const Outer *outer)
{
    return outer->heads * parts(outer->lefts, LEFTS) * parts(outer->rights, WIDEST * LANES);
}

/* The right sides of some rows, one vector beside the other, filled up with zeros. */
static void pack_rights(const real *from, int64_t row, int64_t rows, int64_t count,
                        int width, vec *packed)
{
    for (int64_t i = 0; i < rows; i++, from += row)
        for (int j = 0; j < width; j++) {
            int64_t left = count - j * LANES;
            *packed++ = left >= LANES ? load(from + j * LANES, LANES)
                                      : load(from + j * LANES, (int)left);
        }
}

static void add_block(const Outer *outer, const real *left, int64_t rows, int64_t lefts,
                      int64_t rights, int width, const vec *packed, real *out)
{
    /* Each block's sum begins anew, which keeps its rounding small. */
    vec acc[6 * WIDEST];
    int most = rows_at_once((int)(lefts < 6 ? lefts : 6), ROWS_OF(WIDEST));
    for (int64_t m = 0; m < lefts; m += most) {
        int now = (int)(lefts - m < most ? lefts - m : most);
        for (int k = 0; k < now * width; k++)
            acc[k] = splat(0);
        multiply_table[width][now](acc, width, (const real *)packed, left + m, 1,
                                   outer->left_row, rows);
        for (int r = 0; r < now; r++)
            for (int j = 0; j < width; j++) {
                real *to = out + (m + r) * outer->rights + j * LANES;
                int64_t rest = rights - j * LANES;
                int lanes = rest < LANES ? (int)rest : LANES;
                store(to, load(to, lanes) + acc[r * width + j], lanes);
            }
    }
}

static void run_piece(const Outer *outer, int64_t piece, vec *packed)
{
    int64_t columns = parts(outer->rights, WIDEST * LANES);
    int64_t n = piece % columns * WIDEST * LANES;
    int64_t m = piece / columns % parts(outer->lefts, LEFTS) * LEFTS;
    int64_t head = piece / columns / parts(outer->lefts, LEFTS);
    int64_t rights = outer->rights - n < WIDEST * LANES ? outer->rights - n : WIDEST * LANES;
    int64_t lefts = outer->lefts - m < LEFTS ? outer->lefts - m : LEFTS;
    int width = (int)parts(rights, LANES);
    const real *left = outer->left + head * outer->lefts + m;
    const real *right = outer->right + head * outer->rights + n;
    real *out = outer->out + (head * outer->lefts + m) * outer->rights + n;
    for (int64_t row = 0; row < outer->rows; row += BLOCK) {
        int64_t rows = outer->rows - row < BLOCK ? outer->rows - row : BLOCK;
        pack_rights(right + row * outer->right_row, outer->right_row, rows, rights, width,
                    packed);
        add_block(outer, left + row * outer->left_row, rows, lefts, rights, width, packed,
                  out);
    }
}

static void work(void *data)
{
    Team *team = data;
    vec *packed = aligned_alloc(64, sizeof(vec) * BLOCK * WIDEST);
    if (!packed) {
        atomic_store(&team->failed, 1);
        return;
    }
    int64_t piece;
    while ((piece = next_piece(team)) >= 0) {
        int64_t first = 0, i = 0;
        Outer outer = outer_at(team->slot, 0);
        while (piece - first >= pieces_of(&outer)) {
            first += pieces_of(&outer);
            outer = outer_at(team->slot, ++i);
        }
        run_piece(&outer, piece - first, packed);
    }
    free(packed);
}

__attribute__((visibility("default"))) const char *cellwright_abi(void)
{
    return ABI;
}

/* slots: how many, threads, team, inside, then nine for each Outer in its order. */
__attribute__((visibility("default"))) int cellwright_run(const int64_t *slot)
{
    int64_t pieces = 0, cost = 0;
    for (int64_t i = 0; i < slot[0]; i++) {
        Outer outer = outer_at(slot, i);
        pieces += pieces_of(&outer);
        cost += outer.heads * outer.lefts * outer.rights * outer.rows;
    }
    return in_parallel(slot, slot + 1, work, 0, pieces, cost);
}
