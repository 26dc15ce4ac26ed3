/* Weights are packed when a call begins: by all threads, tile by tile, where each works for
 * itself; by a gang each share by the thread that reads it, or only when it reads it.
 */

static int64_t packed_total(const int64_t *slot)
{
    int64_t total = 0;
    for (int i = 0; i < RUNS; i++)
        total += tile_count(&runs[i], slot) * tile_size(&runs[i], slot);
    return total;
}

/* Give packed weights their places in memory of `packed_total` entries. */
static void place_packed(Job *job, const int64_t *slot, real *packed)
{
    for (int i = 0; i < RUNS; i++) {
        job->packed[i] = packed;
        packed += tile_count(&runs[i], slot) * tile_size(&runs[i], slot);
    }
}

static void pack(void *data)
{
    Team *team = data;
    const Job *job = team->data;
    for (int64_t tile; (tile = next_piece(team)) >= 0;) {
        int i = 0;
        for (; tile >= tile_count(&runs[i], team->slot); i++)
            tile -= tile_count(&runs[i], team->slot);
        real *packed = job->packed[i] + tile * tile_size(&runs[i], team->slot);
        pack_tile(&runs[i], team->slot, tile, packed);
    }
}

/* Pack all weights. */
static void pack_all(Job *job, const int64_t *slot)
{
    int64_t tiles = 0;
    for (int i = 0; i < RUNS; i++)
        tiles += tile_count(&runs[i], slot);
    /* Moving an entry takes as long as sixteen multiply-adds. */
    int64_t cost = 16 * packed_total(slot);
    in_parallel(slot, slot + SLOT_THREADS, pack, job, tiles, pays(cost));
}

/* Pack the tiles that the same share of a phase reads, into the cache of its thread. */
static void pack_share(const Frame *frame, int share, int shares)
{
    for (int i = 0; i < RUNS; i++) {
        int64_t from, to;
        part_of(tile_count(&runs[i], frame->slot), share, shares, &from, &to);
        for (int64_t tile = from; tile < to && frame->tile[i]; tile++) {
            real *packed = frame->packed[i] + tile * frame->tile[i];
            pack_tile(&runs[i], frame->slot, tile, packed);
        }
    }
}

/* Whether all there is ahead is done once, in one block: a tile of its weights is then
 * packed, multiplied and forgotten, in the cache of the thread that does it. There has to be
 * a place for every thread, and no single row, which has a way of its own. */
static int packs_late(const Job *job, const int64_t *slot, int64_t steps)
{
    int64_t rows = steps * slot[SLOT_ROWS];
    if (job->gang.shares == 1 || job->pieces > 1 || rows < MOST_ROWS || rows > ALL_ROWS)
        return 0;
    for (int i = 0; i < AHEAD_RUNS; i++)
        if (tile_count(&runs[i], slot) < job->gang.shares)
            return 0;
    return AHEAD_RUNS > 0;
}

/* Give a thread of a gang, its own one, a tile of each of these weights. */
static void take_places(Frame *frame, const Job *job, int own)
{
    for (int i = 0; job->late && i < AHEAD_RUNS; i++) {
        frame->packed[i] += own * frame->tile[i];
        frame->tile[i] = 0;
    }
}
