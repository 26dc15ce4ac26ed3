/* Pieces of work shared out among torch's own OpenMP threads.
 *
 * Pieces come from a counter, never from the team's size: a team may be smaller than was
 * asked for, and then a share of the work would not be done.
 */

typedef struct {
    const int64_t *slot;
    void *data;
    int64_t pieces;
    atomic_int_fast64_t next;
    atomic_int failed;
} Team;

static inline int64_t next_piece(Team *team)
{
    int64_t piece = atomic_fetch_add(&team->next, 1);
    return piece < team->pieces ? piece : -1;
}

/* Below this many multiply-adds a second thread costs more than it brings: one that sleeps by
 * then takes some 50 microseconds to wake. At the rate of products that is half of it; what
 * is made of them takes as long again in small cells. */
#define SERIAL_BELOW 2000000

/* From this many multiply-adds of a step, and of all steps, on threads that do it together
 * gain more than they lose by waiting for one another. */
#define TOGETHER_FROM 30000
#define TOGETHER_FROM_ALL 4000000

/* Below this many rows for each thread, all weights are read for too few of them where
 * these are LARGE: more than the second cache holds. */
#define TOGETHER_ROWS 16
#define LARGE 1000000

/* How many threads may work: one where we are in one of a team already.
 *
 * threads: how many, the address of GOMP_parallel, that of omp_in_parallel; 0 for none. */
static inline int64_t team_size(const int64_t *threads)
{
    int (*inside)(void);
    memcpy(&inside, &threads[2], sizeof inside);
    return threads[0] > 1 && threads[1] && !(inside && inside()) ? threads[0] : 1;
}

/* Run `work` until no piece is left, in several threads if it pays. Returns 1 if a thread
 * found no memory. `threads` as in team_size. */
static int in_parallel(const int64_t *slot, const int64_t *threads, void (*work)(void *),
                       void *data, int64_t pieces, int64_t cost)
{
    Team team = {.slot = slot, .data = data, .pieces = pieces};
    void (*start)(void (*)(void *), void *, unsigned, unsigned);
    memcpy(&start, &threads[1], sizeof start);
    int64_t most = team_size(threads), count = most < pieces ? most : pieces;
    if (count > 1 && cost >= SERIAL_BELOW)
        start(work, &team, (unsigned)count, 0);
    else
        work(&team);
    return atomic_load(&team.failed);
}
