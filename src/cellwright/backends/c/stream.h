/* One step at a time. Weights are packed and memory is laid out when a stream is opened, and
 * its states stay there between the steps; a step allocates nothing.
 *
 * The slots are those of a run from step 0 to 1, and are kept by whoever opens: an input is
 * read from its place at every step, and an output written to its own.
 */
typedef struct {
    Job job;
    const int64_t *slot;
    Frame *frame; /* of every piece */
} Stream;

static int64_t rounded_up(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Decide on pieces and shares, and return how many bytes the stream takes. */
static int64_t plan_stream(Stream *stream, const int64_t *slot)
{
    Job *job = &stream->job;
    plan(job, slot, 0);
    int64_t bytes = rounded_up(sizeof *stream);
    bytes += rounded_up(job->pieces * (int64_t)sizeof(Frame));
    bytes += rounded_up(packed_total(slot) * (int64_t)sizeof(real));
    return bytes + job->pieces * rounded_up(scratch_size(job, slot) * (int64_t)sizeof(real));
}

/* How many bytes of memory a stream takes; they lie at a multiple of 64. */
__attribute__((visibility("default"))) int64_t cellwright_stream_size(const int64_t *slot)
{
    Stream stream = {0};
    return plan_stream(&stream, slot);
}

/* Pack the weights, read the first states and lay everything out in `memory`. */
__attribute__((visibility("default"))) void cellwright_stream_open(const int64_t *slot,
                                                                   void *memory)
{
    Stream *stream = memory;
    *stream = (Stream){.slot = slot};
    plan_stream(stream, slot);
    Job *job = &stream->job;
    char *at = (char *)memory + rounded_up(sizeof *stream);
    stream->frame = (Frame *)at;
    at += rounded_up(job->pieces * (int64_t)sizeof(Frame));
    place_packed(job, slot, (real *)at);
    pack_all(job, slot);
    at += rounded_up(packed_total(slot) * (int64_t)sizeof(real));
    for (int64_t piece = 0; piece < job->pieces; piece++) {
        Frame *frame = &stream->frame[piece];
        *frame = new_frame(job, slot, (real *)at);
        place(frame, job, piece);
        point_at(frame, 0, 0);
        read_states(frame, 0, 1);
        at += rounded_up(scratch_size(job, slot) * (int64_t)sizeof(real));
    }
}

static inline void step_once(const Frame *frame, Member *member)
{
    lay(frame, member);
    ahead(frame, member);
    step(frame, member);
    behind(frame, member);
    put(frame, member);
}

static void step_alone(void *data)
{
    Team *team = data;
    Stream *stream = team->data;
    for (int64_t piece; (piece = next_piece(team)) >= 0;) {
        Member member = {0};
        step_once(&stream->frame[piece], &member);
    }
}

static void step_together(void *data)
{
    Team *team = data;
    Stream *stream = team->data;
    Member member = join_gang(&stream->job.gang);
    for (int64_t piece = 0; piece < stream->job.pieces; piece++)
        step_once(&stream->frame[piece], &member);
}

__attribute__((visibility("default"))) void cellwright_stream_step(void *memory)
{
    Stream *stream = memory;
    Job *job = &stream->job;
    const int64_t *slot = stream->slot, *threads = slot + SLOT_THREADS;
    if (job->gang.shares > 1) {
        job->gang = (Gang){.shares = job->gang.shares};
        in_parallel(slot, threads, step_together, stream, job->gang.shares, 1);
    } else if (job->pieces > 1) {
        in_parallel(slot, threads, step_alone, stream, job->pieces, pays(job->cost));
    } else {
        Member member = {0};
        step_once(stream->frame, &member);
    }
    for (int64_t piece = 0; piece < job->pieces; piece++)
        swap_states(&stream->frame[piece]);
}

/* Write the states as they are now to the places of the last ones. */
__attribute__((visibility("default"))) void cellwright_stream_states(const void *memory)
{
    const Stream *stream = memory;
    for (int64_t piece = 0; piece < stream->job.pieces; piece++)
        write_states(&stream->frame[piece], 0, 1);
}
