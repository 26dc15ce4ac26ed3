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
#include "abi.h"
#include "vectors.h"
#include "multiply.h"
#include "threads.h"
#include "sides.h"

typedef struct {
    const real *left, *first, *right;
    int64_t left_row, first_row, right_row;
    int64_t rows, firsts; /* all, and those that `first` has */
    int64_t heads, lefts, rights; /* entries of one head */
    real *out;                    /* [heads][lefts][rights] */
    int fresh;                    /* whether nothing lies there yet */
} Outer;

/* Products with one left side, which a piece packs at most once for all of them, and once
 * more for each that is narrow. Its entries are cut into lines, and the columns of all right
 * sides, one behind the other, into ranges; what is narrow goes along with the next column,
 * behind the last one with that. */
typedef struct {
    Outer outer; /* the first one */
    int64_t begin, size;
    int64_t columns, lines, ranges;
} Family;

enum {
    HEAD_SLOTS = 4,
    OUTER_SLOTS = 13,
    /* Left entries for which a piece is worth packing its right entries. */
    FEWEST = 8 * PANEL,
};

static Outer outer_at(const int64_t *slot, int64_t i)
{
    const int64_t *s = slot + HEAD_SLOTS + OUTER_SLOTS * i;
    return (Outer){
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
}

static int have_one_left(const Outer *a, const Outer *b)
{
    return a->left == b->left && a->left_row == b->left_row && a->rows == b->rows &&
           a->heads == b->heads && a->lefts == b->lefts;
}

/* A right side of no more entries than a panel has would leave most of a tile empty. */
static int is_narrow(const Outer *outer)
{
    return outer->rights <= PANEL;
}

static int64_t columns_of(const Outer *outer)
{
    return parts(outer->rights, RIGHTS);
}

/* The products from i on that have one left side, in so many pieces at least, unless they
 * are too few entries for that. */
static Family family_at(const int64_t *slot, int64_t i, int64_t shares)
{
    Outer outer = outer_at(slot, i), next = outer;
    Family family = {.outer = outer, .begin = i};
    do {
        family.columns += is_narrow(&next) ? 0 : columns_of(&next);
        if (i + ++family.size == slot[0])
            break;
        next = outer_at(slot, i + family.size);
    } while (have_one_left(&outer, &next));
    int64_t asked = parts(shares, outer.heads), most = outer.lefts / FEWEST;
    family.lines = larger(parts(outer.lefts, LEFTS), smaller(asked, larger(most, 1)));
    int64_t missing = parts(asked, family.lines);
    family.ranges = larger(smaller(family.columns, missing), 1);
    /* A thread with half as many entries still does more than one with none. */
    if (family.lines * family.ranges < asked)
        family.lines = larger(family.lines, smaller(asked, 2 * most));
    return family;
}

/* Multiply-adds of some products from i on. */
static int64_t cost_of(const int64_t *slot, int64_t i, int64_t size)
{
    int64_t cost = 0;
    for (int64_t end = i + size; i < end; i++) {
        Outer outer = outer_at(slot, i);
        cost += outer.heads * outer.lefts * outer.rights * outer.rows;
    }
    return cost;
}

/* In how many pieces a family is at least. One, where as many of as many multiply-adds come
 * to each thread: more would pack their sides once more. Else each thread has one, which
 * costs less than a thread that is late. */
static int64_t shares_of(const int64_t *slot, int64_t threads)
{
    int64_t families = 0, first = 0;
    for (int64_t i = 0, size; i < slot[0]; i += size, families++) {
        size = family_at(slot, i, 1).size;
        int64_t cost = cost_of(slot, i, size);
        first = i ? first : cost;
        if (cost != first)
            return threads;
    }
    return families % threads ? threads : 1;
}

static int64_t pieces_of(const Family *family)
{
    return family->outer.heads * family->lines * family->ranges;
}

/* Add a tile of products to the result. Each block's sum begins anew, which keeps its
 * rounding small. */
static void add_tile(const vec *right, const real *left, int64_t left_row, int now,
                     int64_t rows, int width, int64_t rights, real *out, int64_t out_row,
                     int fresh)
{
    vec acc[PANEL * WIDEST];
    for (int r = 0; r < now; r++)
        for (int j = 0; j < width; j += 64 / (int)sizeof(vec))
            __builtin_prefetch(out + r * out_row + j * LANES, 1);
    /* What is next is near already, or the same once more: there is nothing to fetch. */
    multiply_table[width][now](acc, width, (const real *)right, left, 1, left_row, rows,
                               (const real *)right, 1);
    for (int r = 0; r < now; r++)
        for (int j = 0; j < width; j++) {
            real *to = out + r * out_row + j * LANES;
            int lanes = (int)smaller(rights - j * LANES, LANES);
            vec sum = acc[r * width + j];
            store(to, fresh ? sum : load(to, lanes) + sum, lanes);
        }
}

static void add_block(const vec *right, const Panels *left, int64_t lefts, int64_t rows,
                      int64_t rights, real *out, int64_t out_row, int fresh)
{
    for (int tile = 0; tile * WIDEST * LANES < rights; tile++) {
        int64_t count = smaller(rights - tile * WIDEST * LANES, WIDEST * LANES);
        int width = (int)parts(count, LANES);
        for (int64_t m = 0; m < lefts; m += PANEL)
            add_tile(right + tile * BLOCK * WIDEST, left->first + m / PANEL * left->apart,
                     left->row, (int)smaller(lefts - m, PANEL), rows, width, count,
                     out + m * out_row + tile * WIDEST * LANES, out_row, fresh);
    }
}

/* A part of a family's result. */
typedef struct {
    int64_t head, m, lefts;     /* which left entries */
    int64_t column, end_column; /* of all right sides */
} Piece;

static int is_in(const Piece *piece, int64_t column)
{
    return column >= piece->column && column < piece->end_column;
}

static Piece piece_at(const Family *family, int64_t piece)
{
    int64_t lines = family->lines, ranges = family->ranges, lefts = family->outer.lefts;
    int64_t range = piece % ranges, line = piece / ranges % lines;
    int64_t panels = parts(lefts, PANEL), m = panels * line / lines * PANEL;
    return (Piece){
        .head = piece / ranges / lines,
        .m = m,
        .lefts = smaller(lefts, panels * (line + 1) / lines * PANEL) - m,
        .column = larger(family->columns, 1) * range / ranges,
        .end_column = larger(family->columns, 1) * (range + 1) / ranges,
    };
}

/* Some rows of a right side, from one of its entries on. */
typedef struct {
    const real *first, *right; /* those of the first rows, and of the others */
    int64_t firsts;
} Rows;

static Rows rows_at(const Outer *outer, int64_t begin, int64_t row, int64_t rows)
{
    int64_t firsts = smaller(larger(outer->firsts - row, 0), rows);
    return (Rows){
        .first = outer->first + begin + row * outer->first_row,
        .right = outer->right + begin + (row + firsts - outer->firsts) * outer->right_row,
        .firsts = firsts,
    };
}

/* Add what some rows give to one column. */
static void add_column(const Outer *outer, const Piece *piece, int64_t column, int64_t row,
                       int64_t rows, const Panels *left, Packed *packed)
{
    int64_t n = column * RIGHTS, rights = smaller(outer->rights - n, RIGHTS);
    Rows from = rows_at(outer, piece->head * outer->rights + n, row, rows);
    pack_rights(from.first, outer->first_row, from.firsts, rights, 0, packed);
    const vec *right = tiles_of(from.right, outer->right_row, rows - from.firsts, rights,
                                from.firsts, packed);
    real *out = outer->out + (piece->head * outer->lefts + piece->m) * outer->rights + n;
    int fresh = outer->fresh && !row;
    add_block(right, left, piece->lefts, rows, rights, out, outer->rights, fresh);
}

static void add_turned_tile(const vec *acc, int64_t lefts, int width, int64_t rights, real *out,
                            int fresh)
{
    for (int64_t m = 0; m < lefts; m++)
        for (int64_t n = 0; n < rights; n++, out++)
            *out = (fresh ? 0 : *out) + acc[n * width + m / LANES][m % LANES];
}

/* The same of a narrow right side: vectors are of left entries, and the result is turned. */
static void add_narrow(const Outer *outer, const Piece *piece, int64_t row, int64_t rows,
                       Packed *packed)
{
    Rows from = rows_at(outer, piece->head * outer->rights, row, rows);
    const real *left = outer->left + piece->head * outer->lefts + piece->m;
    real *out = outer->out + (piece->head * outer->lefts + piece->m) * outer->rights;
    pack_lefts(from.first, outer->first_row, from.firsts, outer->rights, packed->narrow);
    pack_lefts(from.right, outer->right_row, rows - from.firsts, outer->rights,
               packed->narrow + from.firsts * PANEL);
    const vec *turned = tiles_of(left + row * outer->left_row, outer->left_row, rows,
                                 piece->lefts, 0, packed);
    for (int64_t m = 0, tile = 0; m < piece->lefts; m += WIDEST * LANES, tile++) {
        vec acc[PANEL * WIDEST];
        int64_t lefts = smaller(piece->lefts - m, WIDEST * LANES);
        int width = (int)parts(lefts, LANES);
        const real *vectors = (const real *)(turned + tile * BLOCK * WIDEST);
        multiply_table[width][outer->rights](acc, width, vectors, packed->narrow, 1, PANEL,
                                             rows, vectors, 1);
        add_turned_tile(acc, lefts, width, outer->rights, out + m * outer->rights,
                        outer->fresh && !row);
    }
}

static void run_piece(const int64_t *slot, const Family *family, int64_t which, Packed *packed)
{
    const Outer *outer = &family->outer;
    Piece piece = piece_at(family, which);
    const real *from = outer->left + piece.head * outer->lefts + piece.m;
    Panels left = {0};
    for (int64_t row = 0; row < outer->rows; row += BLOCK) {
        int64_t rows = smaller(outer->rows - row, BLOCK), column = 0;
        if (family->columns)
            left = panels_of(from + row * outer->left_row, outer->left_row, rows,
                             piece.lefts, packed);
        for (int64_t i = 0; i < family->size; i++) {
            Outer one = outer_at(slot, family->begin + i);
            if (is_narrow(&one) && is_in(&piece, smaller(column, larger(family->columns - 1, 0))))
                add_narrow(&one, &piece, row, rows, packed);
            for (int64_t n = 0; !is_narrow(&one) && n < columns_of(&one); n++, column++)
                if (is_in(&piece, column))
                    add_column(&one, &piece, n, row, rows, &left, packed);
        }
    }
}

static void work(void *data)
{
    Team *team = data;
    int64_t shares = *(const int64_t *)team->data;
    Packed *packed = aligned_alloc(64, sizeof(Packed));
    if (!packed) {
        atomic_store(&team->failed, 1);
        return;
    }
    for (int64_t piece; (piece = next_piece(team)) >= 0;) {
        Family family = family_at(team->slot, 0, shares);
        while (piece >= pieces_of(&family)) {
            piece -= pieces_of(&family);
            family = family_at(team->slot, family.begin + family.size, shares);
        }
        run_piece(team->slot, &family, piece, packed);
    }
    free(packed);
}

/* slots: how many, threads, team, inside, then those of each Outer, see outer_at. */
__attribute__((visibility("default"))) int cellwright_run(const int64_t *slot)
{
    int64_t threads = pays(cost_of(slot, 0, slot[0])) ? team_size(slot + 1) : 1;
    int64_t pieces = 0, shares = shares_of(slot, threads);
    for (int64_t i = 0; i < slot[0];) {
        Family family = family_at(slot, i, shares);
        pieces += pieces_of(&family);
        i += family.size;
    }
    return in_parallel(slot, slot + 1, work, &shares, pieces, threads > 1);
}
