/* Pieces of work shared out among torch's own OpenMP threads.
 *
 * Pieces come from a counter, never from the team's size: a team may be smaller than was
 * asked for, and then a share of the work would not be done.
 */

#define ABI "cellwright-c-1"

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

/* Below this many multiply-adds a second thread costs more than it brings. */
#define SERIAL_BELOW 1000000

/* Run `work` until no piece is left, in several threads if it pays and we are not in one
 * of a team already. Returns 1 if a thread found no memory.
 *
 * threads: how many, the address of GOMP_parallel, that of omp_in_parallel; 0 for none. */
static int in_parallel(const int64_t *slot, const int64_t *threads, void (*work)(void *),
                       void *data, int64_t pieces, int64_t cost)
{
    Team team = {.slot = slot, .data = data, .pieces = pieces};
    void (*start)(void (*)(void *), void *, unsigned, unsigned);
    int (*inside)(void);
    memcpy(&start, &threads[1], sizeof start);
    memcpy(&inside, &threads[2], sizeof inside);
    int64_t count = threads[0] < pieces ? threads[0] : pieces;
    if (count > 1 && start && cost >= SERIAL_BELOW && !(inside && inside()))
        start(work, &team, (unsigned)count, 0);
    else
        work(&team);
    return atomic_load(&team.failed);
}
