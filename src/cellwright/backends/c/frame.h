/* Entries that a row of so many takes, up to a whole vector. */
static inline int64_t padded(int64_t length)
{
    return (length + LANES - 1) / LANES * LANES;
}

/* What a phase sees: the places of the values of one step, or of all steps of a block, for
 * the rows of one piece. */
typedef struct {
    const int64_t *slot;
    int rows; /* of the piece, or times the steps of a block */
    int piece_rows;
    int64_t first_row; /* of the piece in the batch */
    int turned; /* whether tiles of weights come from the last to the first */
    int64_t first, steps; /* of the block */
    real *packed[RUNS + 1];
    int64_t tile[RUNS + 1]; /* entries of a tile of these */
    const real *root[ROOTS + 1];
    const real *in[INPUTS + 1];
    int64_t in_row[INPUTS + 1];
    real *before[STATES + 1], *after[STATES + 1];
    int64_t state_row[STATES + 1];
    real *kept[KEPT + 1];
    int64_t kept_row[KEPT + 1];
    real *block[BLOCKS + 1], *block_start[BLOCKS + 1];
    int64_t block_row[BLOCKS + 1];
    real *out[OUTPUTS + 1];
    int64_t out_row[OUTPUTS + 1];
    real *sum[SUMS + 1]; /* a row every SUM_ROWS rows of the piece */
    int64_t sum_row;
} Frame;

/* One of some equal shares of a phase. */
typedef void Phase(const Frame *frame, int share, int shares);
