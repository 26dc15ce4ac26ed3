/* Sums of outer products over many rows: out[m][n] += sum over rows of left[m] * right[n],
 * or = where there is nothing to add to. The right entries of the first rows may lie
 * elsewhere: those of a state before the first step.
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
    PANEL = MOST_ROWS,             /* left entries that are multiplied at a time, */
    WIDEST = ACCUMULATORS / PANEL, /* by so many vectors of right entries: a tile */
    /* Rows that are packed at a time: a tile of them, 24 or 16 KiB, stays in the first
     * cache. */
    BLOCK = CW_BYTES > 32 ? 96 : 256,
    /* Entries of a piece: its panels of floats stay in the second cache. */
    LEFTS = 48 * PANEL,
    RIGHTS = 512,
    /* Entries from a panel to the next one: at 64 lines or half of them, panels would
     * share two sets of the first cache. */
    APART = BLOCK * PANEL + 64 / sizeof(real),
    TILES = (RIGHTS + WIDEST * LANES - 1) / (WIDEST * LANES),
    /* Left entries for which a piece is worth packing its right entries. */
    FEWEST = 8 * PANEL,
    /* Rows ahead that are fetched: each may lie in a page of its own. */
    SOON = 4,
};

typedef struct {
    real left[LEFTS / PANEL * APART]; /* [panels][rows][PANEL] */
    vec right[TILES][BLOCK * WIDEST];
} Packed;

_Static_assert(PANEL == ROWS_OF(1), "a panel is as many rows as are multiplied at a time");

typedef struct {
    int64_t lines; /* of pieces */
    const real *left, *first, *right;
    int64_t left_row, first_row, right_row;
    int64_t rows, firsts; /* all, and those that `first` has */
    int64_t heads, lefts, rights; /* entries of one head */
    real *out;                    /* [heads][lefts][rights] */
    int fresh;                    /* whether nothing lies there yet */
} Outer;

enum { HEAD_SLOTS = 4, OUTER_SLOTS = 13 };

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t parts(int64_t whole, int64_t part)
{
    return (whole + part - 1) / part;
}

/* How often left entries are cut: two pieces for each thread, if they are large enough,
 * because one thread may be late. */
static int64_t line_count(const Outer *outer, int64_t threads)
{
    int64_t beside = outer->heads * parts(outer->rights, RIGHTS);
    int64_t asked = threads > 1 ? parts(2 * threads, larger(beside, 1)) : 1;
    int64_t most = larger(outer->lefts / FEWEST, 1);
    return larger(parts(outer->lefts, LEFTS), smaller(asked, most));
}

static Outer outer_at(const int64_t *slot, int64_t i, int64_t threads)
{
    const int64_t *s = slot + HEAD_SLOTS + OUTER_SLOTS * i;
    Outer outer = {
        .left = (const real *)(intptr_t)s[0],
        .left_row = s[1],
        .first = (const real *)(intptr_t)s[2],
        .first_row = s[3],
        .right = (const real *)(intptr_t)s[4],
        .right_row = s[5],
        .rows = s[6],
        .firsts = s[7],
        .heads = s[8],
        .lefts = s[9],
        .rights = s[10],
        .out = (real *)(intptr_t)s[11],
        .fresh = (int)s[12],
    };
    outer.lines = line_count(&outer, threads);
    return outer;
}

static int64_t pieces_of(const Outer *outer)
{
    return outer->heads * outer->lines * parts(outer->rights, RIGHTS);
}

/* The right sides of some rows as tiles, filled up with zeros; ahead of them stand `at`
 * others. */
static void pack_rights(const real *from, int64_t row, int64_t rows, int64_t count,
                        int64_t at, Packed *packed)
{
    int64_t vectors = parts(count, LANES);
    for (int64_t i = at; i < at + rows; i++, from += row)
        for (int64_t j = 0; j < vectors; j++) {
            int64_t tile = j / WIDEST, width = smaller(vectors - tile * WIDEST, WIDEST);
            int64_t left = smaller(count - j * LANES, LANES);
            __builtin_prefetch(from + SOON * row + j * LANES);
            packed->right[tile][i * width + j % WIDEST] = load(from + j * LANES, (int)left);
        }
}

/* The left sides of some rows in panels, so that each is read from its first entry to its
 * last; the last one may have fewer entries. */
static void pack_lefts(const real *from, int64_t row, int64_t rows, int64_t count, real *packed)
{
    int64_t whole = count / PANEL, rest = count % PANEL;
    for (int64_t i = 0; i < rows; i++, from += row) {
        for (int64_t panel = 0; panel < whole; panel++) {
            __builtin_prefetch(from + SOON * row + panel * PANEL);
            memcpy(packed + panel * APART + i * PANEL, from + panel * PANEL,
                   PANEL * sizeof(real));
        }
        for (int64_t m = 0; m < rest; m++)
            packed[whole * APART + i * PANEL + m] = from[whole * PANEL + m];
    }
}

/* Add a tile of products to the result. Each block's sum begins anew, which keeps its
 * rounding small. */
static void add_tile(const vec *packed, const real *left, int now, int64_t rows, int width,
                     int64_t rights, real *out, int64_t out_row, int fresh)
{
    vec acc[PANEL * WIDEST];
    for (int r = 0; r < now; r++)
        for (int j = 0; j < width; j += 64 / (int)sizeof(vec))
            __builtin_prefetch(out + r * out_row + j * LANES, 1);
    /* All of it is near already: there is nothing to fetch. */
    multiply_table[width][now](acc, width, (const real *)packed, left, 1, PANEL, rows,
                               (const real *)packed, 1);
    for (int r = 0; r < now; r++)
        for (int j = 0; j < width; j++) {
            real *to = out + r * out_row + j * LANES;
            int lanes = (int)smaller(rights - j * LANES, LANES);
            vec sum = acc[r * width + j];
            store(to, fresh ? sum : load(to, lanes) + sum, lanes);
        }
}

static void add_block(const Packed *packed, int64_t lefts, int64_t rows, int64_t rights,
                      real *out, int64_t out_row, int fresh)
{
    for (int tile = 0; tile * WIDEST * LANES < rights; tile++) {
        int64_t count = smaller(rights - tile * WIDEST * LANES, WIDEST * LANES);
        int width = (int)parts(count, LANES);
        for (int64_t m = 0; m < lefts; m += PANEL)
            add_tile(packed->right[tile], packed->left + m / PANEL * APART,
                     (int)smaller(lefts - m, PANEL), rows, width, count,
                     out + m * out_row + tile * WIDEST * LANES, out_row, fresh);
    }
}

static void run_piece(const Outer *outer, int64_t piece, Packed *packed)
{
    int64_t columns = parts(outer->rights, RIGHTS), lines = outer->lines;
    int64_t n = piece % columns * RIGHTS, line = piece / columns % lines;
    int64_t head = piece / columns / lines, panels = parts(outer->lefts, PANEL);
    int64_t m = panels * line / lines * PANEL;
    int64_t rights = smaller(outer->rights - n, RIGHTS);
    int64_t lefts = smaller(outer->lefts, panels * (line + 1) / lines * PANEL) - m;
    const real *left = outer->left + head * outer->lefts + m;
    const real *first = outer->first + head * outer->rights + n;
    const real *right = outer->right + head * outer->rights + n;
    real *out = outer->out + (head * outer->lefts + m) * outer->rights + n;
    for (int64_t row = 0; row < outer->rows; row += BLOCK) {
        int64_t rows = smaller(outer->rows - row, BLOCK);
        int64_t firsts = smaller(larger(outer->firsts - row, 0), rows);
        pack_lefts(left + row * outer->left_row, outer->left_row, rows, lefts, packed->left);
        pack_rights(first + row * outer->first_row, outer->first_row, firsts, rights, 0,
                    packed);
        pack_rights(right + (row + firsts - outer->firsts) * outer->right_row,
                    outer->right_row, rows - firsts, rights, firsts, packed);
        add_block(packed, lefts, rows, rights, out, outer->rights, outer->fresh && !row);
    }
}

static void work(void *data)
{
    Team *team = data;
    int64_t threads = *(const int64_t *)team->data;
    Packed *packed = aligned_alloc(64, sizeof(Packed));
    if (!packed) {
        atomic_store(&team->failed, 1);
        return;
    }
    int64_t piece;
    while ((piece = next_piece(team)) >= 0) {
        int64_t first = 0, i = 0;
        Outer outer = outer_at(team->slot, 0, threads);
        while (piece - first >= pieces_of(&outer)) {
            first += pieces_of(&outer);
            outer = outer_at(team->slot, ++i, threads);
        }
        run_piece(&outer, piece - first, packed);
    }
    free(packed);
}

__attribute__((visibility("default"))) const char *cellwright_abi(void)
{
    return ABI;
}

/* slots: how many, threads, team, inside, then those of each Outer, see outer_at. */
__attribute__((visibility("default"))) int cellwright_run(const int64_t *slot)
{
    int64_t pieces = 0, cost = 0;
    for (int64_t i = 0; i < slot[0]; i++) {
        Outer outer = outer_at(slot, i, 1);
        cost += outer.heads * outer.lefts * outer.rights * outer.rows;
    }
    int64_t threads = cost < SERIAL_BELOW ? 1 : team_size(slot + 1);
    for (int64_t i = 0; i < slot[0]; i++) {
        Outer outer = outer_at(slot, i, threads);
        pieces += pieces_of(&outer);
    }
    return in_parallel(slot, slot + 1, work, &threads, pieces, cost);
}
