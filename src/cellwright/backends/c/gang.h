/* Threads that walk through the same phases together, each with its share of every one.
 *
 * A thread takes its own share of a phase first, and then those of threads that are late:
 * a team may be smaller than was asked for, and one of its threads may be stopped by the
 * machine. Nobody goes on to the next phase before all shares of this one are done.
 */
#include <sched.h>

enum {
    MOST_SHARES = 16,
    LATE = 200,    /* turns of waiting for a share before it is taken over */
    SPINS = 20000, /* turns before the machine may have the core */
};

/* How far a share is: phases in which it was taken, and in which it was done. Waiting for
 * the one must not take the other's cache line away from the thread whose share it is. */
typedef struct {
    atomic_int present; /* whether the thread whose share it is has come */
    _Alignas(128) atomic_int_fast64_t taken;
    _Alignas(128) atomic_int_fast64_t done;
} Share;

typedef struct {
    int shares;
    atomic_int members;
    Share share[MOST_SHARES];
} Gang;

/* A thread of a gang, or one that works alone, without one. */
typedef struct {
    Gang *gang;
    int own;
    int_fast64_t phase;
} Member;

static inline Member join_gang(Gang *gang)
{
    int own = atomic_fetch_add(&gang->members, 1) % gang->shares;
    atomic_store(&gang->share[own].present, 1);
    return (Member){gang, own, 0};
}

static inline void pause_a_moment(int spins)
{
    if (spins >= SPINS)
        sched_yield();
#if defined __x86_64__ || defined __i386__
    else
        __builtin_ia32_pause();
#endif
}

/* Do a share of a phase, unless somebody has taken it. */
static inline void take(Gang *gang, int share, int_fast64_t now, Phase *phase,
                        const Frame *frame)
{
    Share *own = &gang->share[share];
    int_fast64_t expected = now;
    if (atomic_load_explicit(&own->taken, memory_order_relaxed) == now &&
        atomic_compare_exchange_strong(&own->taken, &expected, now + 1)) {
        phase(frame, share, gang->shares);
        atomic_store_explicit(&own->done, now + 1, memory_order_release);
    }
}

static inline void run_together_with(Gang *gang, Member *member, Phase *phase,
                                     const Frame *frame)
{
    int_fast64_t now = member->phase++;
    take(gang, member->own, now, phase, frame);
    for (int k = 0; k < gang->shares; k++) {
        const Share *other = &gang->share[k];
        for (int spins = 0; atomic_load_explicit(&other->done, memory_order_acquire) <= now;
             spins++) {
            if (spins == LATE || !atomic_load_explicit(&other->present, memory_order_relaxed))
                take(gang, k, now, phase, frame);
            pause_a_moment(spins);
        }
    }
}

static inline void run_phase(Phase *phase, const Frame *frame, Member *member)
{
    if (member->gang)
        run_together_with(member->gang, member, phase, frame);
    else
        phase(frame, 0, 1);
}
