/* The sides of outer products, as the inner loop of multiply.h reads them: left ones in
 * panels, right ones in tiles. They are packed where they do not lie so already.
 */
enum {
    PANEL = MOST_ROWS,             /* left entries that are multiplied at a time, */
    WIDEST = ACCUMULATORS / PANEL, /* by so many vectors of right entries: a tile */
    /* Rows that are packed at a time. Fewer would go more often through the result; with
     * more, what is packed and a piece of the result would leave the second cache. */
    BLOCK = 256,
    /* Entries of a piece: its panels of floats stay in the second cache. */
    LEFTS = 48 * PANEL,
    RIGHTS = 512,
    /* Entries from a panel to the next one: at 64 lines or half of them, panels would
     * share two sets of the first cache. */
    APART = BLOCK * PANEL + 64 / sizeof(real),
    TILES = (RIGHTS + WIDEST * LANES - 1) / (WIDEST * LANES),
    /* Entries of a row of left ones up to which panels are read as they lie: BLOCK rows of
     * so many stay in the second cache, where the next panel finds the same lines. */
    SHORT = 256,
    /* Rows ahead that are fetched: each may lie in a page of its own. */
    SOON = 4,
};

typedef struct {
    real left[LEFTS / PANEL * APART]; /* [panels][rows][PANEL] */
    vec right[TILES][BLOCK * WIDEST];
    real narrow[BLOCK * PANEL]; /* a right side of no more entries than a panel */
} Packed;

_Static_assert((int)LEFTS <= (int)RIGHTS, "left entries can be packed as right ones");
_Static_assert(PANEL == ROWS_OF(1), "a panel is as many rows as are multiplied at a time");

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

/* Whether rows lie as they would in a tile, if all of them is one. */
static int lie_as_tile(const real *from, int64_t row, int64_t count)
{
    return row == count && count % LANES == 0 && count <= WIDEST * LANES &&
           (uintptr_t)from % sizeof(vec) == 0;
}

/* Some rows as tiles, each BLOCK * WIDEST vectors behind the last one, packed if they are not
 * one tile as they lie; so many others stand ahead of them. */
static const vec *tiles_of(const real *from, int64_t row, int64_t rows, int64_t count,
                           int64_t ahead, Packed *packed)
{
    if (!ahead && lie_as_tile(from, row, count))
        return (const vec *)from;
    pack_rights(from, row, rows, count, ahead, packed);
    return (const vec *)packed->right;
}

/* Panels of left sides: how far one is from the next, and a row from the next one. */
typedef struct {
    const real *first;
    int64_t apart, row;
} Panels;

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

/* The left sides of some rows as panels, packed if their rows are long. */
static Panels panels_of(const real *from, int64_t row, int64_t rows, int64_t count,
                        Packed *packed)
{
    if (row <= SHORT)
        return (Panels){from, PANEL, row};
    pack_lefts(from, row, rows, count, packed->left);
    return (Panels){packed->left, APART, PANEL};
}
