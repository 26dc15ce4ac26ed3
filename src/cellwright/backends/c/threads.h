/* Pieces of work shared out among torch's own OpenMP threads.
 *
 * Pieces come from a counter, never from the team's size: a team may be smaller than was
 * asked for, and then a share of the work would not be done.
 */
#include <pthread.h>
#include <sched.h>

typedef struct {
    const int64_t *slot;
    void *data;
    int64_t pieces;
    void (*work)(void *); /* what every thread does, with the team */
    pthread_t asker;
    int core;  /* the asker's, or -1 */
    int asked; /* threads that are expected */
    atomic_int here;
    atomic_int_fast64_t next;
    atomic_int failed;
} Team;

static inline int64_t next_piece(Team *team)
{
    int64_t piece = atomic_fetch_add(&team->next, 1);
    return piece < team->pieces ? piece : -1;
}

/* Whether a second thread brings more than it costs for so many multiply-adds: one that
 * sleeps by then takes some 50 microseconds to wake. At the rate of products that is half of
 * it; what is made of them takes as long again in small cells. */
static inline int pays(int64_t cost)
{
    return cost >= 2000000;
}

/* The same of threads that do every step together, for the multiply-adds of a step and of
 * all. Where a call comes soon behind the last one they spin, or do from then on. */
static inline int pays_together(int64_t step, int64_t all, int soon)
{
    return soon ? step >= 15000 && all >= 1500000 : step >= 30000 && all >= 4000000;
}

/* Nanoseconds within which a call comes soon; OpenMP's threads spin for five times as long. */
#define SOON_WITHIN 1000000

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

/* The core that we are on, or -1 where nobody says. */
static int own_core(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Go to any other core that we may use, if there is one for each thread of the team. The
 * set of those that we may use is the same afterwards, but from then on our own.
 *
 * Linux (seen in 6.18) may wake a thread onto the core of the one who woke it, though
 * another is idle, and lets it wait there until the clock ticks: 4 to 8 milliseconds, in
 * which OpenMP spins for it on that core, and so again at every call. */
static void change_core(int core, int asked)
{
#ifdef __linux__
    cpu_set_t all, others;
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    others = all;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&all) >= asked && !sched_setaffinity(0, sizeof others, &others))
        sched_setaffinity(0, sizeof all, &all);
#else
    (void)core, (void)asked;
#endif
}

/* Turns in which one that is done lets those who have not come have its core. */
#define TURNS 256

/* How many threads the last team had less than were asked for: nobody waits for them. */
static atomic_int lacking;

static void work_with_others(void *data)
{
    Team *team = data;
    int woken = !pthread_equal(pthread_self(), team->asker);
    if (woken && team->core >= 0 && own_core() == team->core)
        change_core(team->core, team->asked);
    atomic_fetch_add(&team->here, 1);
    team->work(team);
    for (int turn = 0; turn < TURNS && atomic_load(&team->here) < team->asked; turn++)
        sched_yield();
}

/* Run `work` until no piece is left, in several threads where it is `worth` that. Returns 1
 * if a thread found no memory. `threads` as in team_size. */
static int in_parallel(const int64_t *slot, const int64_t *threads, void (*work)(void *),
                       void *data, int64_t pieces, int worth)
{
    Team team = {.slot = slot, .data = data, .pieces = pieces, .work = work};
    void (*start)(void (*)(void *), void *, unsigned, unsigned);
    memcpy(&start, &threads[1], sizeof start);
    int64_t most = team_size(threads), count = most < pieces ? most : pieces;
    if (count > 1 && worth) {
        team.asker = pthread_self();
        team.core = own_core();
        team.asked = (int)count - atomic_load(&lacking);
        start(work_with_others, &team, (unsigned)count, 0);
        atomic_store(&lacking, (int)count - atomic_load(&team.here));
    } else
        work(&team);
    return atomic_load(&team.failed);
}
