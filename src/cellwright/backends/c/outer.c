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

enum {
    BLOCK = 256,  /* rows that are packed at a time */
    LEFTS = 288,  /* left entries of a piece */
    WIDEST = 4,   /* vectors of right entries in a tile, */
    TILES = 4,    /* and tiles of a piece: with BLOCK, what the second cache holds */
    RIGHTS = TILES * WIDEST * LANES,
    NEAR = 256,   /* left entries that rows may lie apart without being packed */
};

typedef struct {
    real left[BLOCK * LEFTS]; /* [rows][lefts] */
    vec right[TILES][BLOCK * WIDEST];
} Packed;

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

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

static int64_t pieces_of(const Outer *outer)
{
    return outer->heads * parts(outer->lefts, LEFTS) * parts(outer->rights, RIGHTS);
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

/* The left sides of some rows, close together: where they lie far apart, at equal
 * distances, the first cache cannot hold them. */
static void pack_lefts(const real *from, int64_t row, int64_t rows, int64_t count, real *packed)
{
    for (int64_t i = 0; i < rows; i++, from += row, packed += count)
        memcpy(packed, from, (size_t)count * sizeof(real));
}

/* Add a tile of products to the result. Each block's sum begins anew, which keeps its
 * rounding small. */
static void add_tile(const vec *packed, const real *left, int64_t left_row, int now,
                     int64_t rows, int width, int64_t rights, real *out, int64_t out_row)
{
    vec acc[6 * WIDEST];
    /* All of it is near already: there is nothing to fetch. */
    multiply_table[width][now](acc, width, (const real *)packed, left, 1, left_row, rows,
                               (const real *)packed, 1);
    for (int r = 0; r < now; r++)
        for (int j = 0; j < width; j++) {
            real *to = out + r * out_row + j * LANES;
            int lanes = (int)smaller(rights - j * LANES, LANES);
            store(to, load(to, lanes) + acc[r * width + j], lanes);
        }
}

static void add_block(const Packed *packed, const real *left, int64_t left_row,
                      int64_t lefts, int64_t rows, int64_t rights, real *out, int64_t out_row)
{
    for (int tile = 0; tile * WIDEST * LANES < rights; tile++) {
        int64_t count = smaller(rights - tile * WIDEST * LANES, WIDEST * LANES);
        int width = (int)parts(count, LANES);
        int64_t groups = parts(lefts, ROWS_OF(width));
        for (int64_t group = 0; group < groups; group++) {
            int64_t m = lefts * group / groups;
            int now = (int)(lefts * (group + 1) / groups - m);
            add_tile(packed->right[tile], left + m, left_row, now, rows, width, count,
                     out + m * out_row + tile * WIDEST * LANES, out_row);
        }
    }
}

static void run_piece(const Outer *outer, int64_t piece, Packed *packed)
{
    int64_t columns = parts(outer->rights, RIGHTS), lines = parts(outer->lefts, LEFTS);
    int64_t n = piece % columns * RIGHTS, m = piece / columns % lines * LEFTS;
    int64_t head = piece / columns / lines;
    int64_t rights = smaller(outer->rights - n, RIGHTS);
    int64_t lefts = smaller(outer->lefts - m, LEFTS);
    const real *left = outer->left + head * outer->lefts + m;
    const real *right = outer->right + head * outer->rights + n;
    real *out = outer->out + (head * outer->lefts + m) * outer->rights + n;
    for (int64_t row = 0; row < outer->rows; row += BLOCK) {
        int64_t rows = smaller(outer->rows - row, BLOCK);
        const real *from = left + row * outer->left_row;
        int64_t step = outer->left_row;
        if (step > NEAR) {
            pack_lefts(from, step, rows, lefts, packed->left);
            from = packed->left;
            step = lefts;
        }
        for (int tile = 0; tile * WIDEST * LANES < rights; tile++) {
            int64_t count = smaller(rights - tile * WIDEST * LANES, WIDEST * LANES);
            pack_rights(right + row * outer->right_row + tile * WIDEST * LANES,
                        outer->right_row, rows, count, (int)parts(count, LANES),
                        packed->right[tile]);
        }
        add_block(packed, from, step, lefts, rows, rights, out, outer->rights);
    }
}

static void work(void *data)
{
    Team *team = data;
    Packed *packed = aligned_alloc(64, sizeof(Packed));
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
