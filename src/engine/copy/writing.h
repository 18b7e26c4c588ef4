/* One writer's chunks: begun, fed, acknowledged, committed or given up. Lives on a writer's
 * thread. */
#ifndef TRANSHUME_ENGINE_WRITING_H
#define TRANSHUME_ENGINE_WRITING_H

#include "engine/before/before.h"
#include "engine/copy/copy.h"
#include "engine/copy/parcel.h"
#include "engine/copy/strangers.h"
#include "engine/formats/record_hash.h"
#include "engine/rejects/rejects.h"

/* A record that the target rejected, and that may get in once others are written. */
struct held_record {
    struct batch *batch; /* of it alone */
    enum error_code code;
    char *reason;
};

/* A chunk between chunk_begin and commit. */
struct open_chunk {
    struct open_chunk *next; /* the order in which they began */
    struct work *work;       /* NULL: pulled by the target itself */
    uint64_t index;
    uint64_t number;
    uint32_t attempt;
    const struct plan_stream *stream;
    bool begun;            /* this writer's target knows it */
    bool ended;            /* all parcels came */
    uint32_t under_way;    /* batches whose result is still to come */
    struct tally *tallies; /* by position in stream->entities */
    struct reject_file rejects;
    struct batch **originals; /* of batches that were cut: they hold the pieces' large values */
    uint32_t original_count;
    struct held_record *held;
    uint32_t held_count;
    uint32_t held_before; /* when they were tried last */
    uint32_t held_tries;  /* all of them together, a record each */
    bool backwards;       /* so they were tried last */
    int64_t began_ms;
    char *mark_text; /* of the commit that is being tried */
    bool hooked;     /* the hooks behind its records ran in this attempt */
};

struct writing {
    struct worker *worker;
    struct copy *copy;
    const struct target_functions *target;
    struct open_chunk *first;
    struct open_chunk *last;
    uint32_t open_count;
    struct record_hasher hasher;
    struct arena *arena;   /* for marks, emptied a chunk */
    struct store *store;   /* for marks that are not in the target's transactions; NULL: none yet */
    struct before *before; /* images of what is overwritten; NULL: none yet */
    struct stranger_search *search; /* NULL: none yet */
};

/* Runs the plan's SQL of that moment (enum hook_moment) in the chunk's transaction: writing_hooks.c
 */
enum status writing_run_hooks(struct writing *writing, const struct open_chunk *chunk, int moment,
                              struct error *error) MUST_USE;
/* Begins the chunk at the target and puts it last. The work is the chunk's from now on, also when
 * it fails. */
enum status writing_begin(struct writing *writing, uint64_t index, struct work *work,
                          struct error *error) MUST_USE;
/* Takes a parcel over and submits what is in it. */
enum status writing_feed(struct writing *writing, struct open_chunk *chunk, struct parcel *parcel,
                         struct error *error) MUST_USE;
/* One poll: STATUS_OK: something was counted; STATUS_END, STATUS_AGAIN as the target says. */
enum status writing_poll(struct writing *writing, int64_t timeout_ms, struct error *error) MUST_USE;
/* Rejects to disk, done mark, commit of the first chunk; then it is closed. */
enum status writing_commit(struct writing *writing, struct error *error) MUST_USE;
/* Takes the batch over, and hands it to the target. */
enum status writing_submit(struct writing *writing, struct open_chunk *chunk, struct batch *batch,
                           struct error *error) MUST_USE;
/* The rows from `first` on, sharing the arena but not its large values. */
struct batch *writing_cut(struct batch *original, uint32_t first, uint32_t count);
/* Counts a record that the target did not write. */
enum status writing_count_outcome(struct writing *writing, struct open_chunk *chunk,
                                  const struct batch *batch, const struct record_outcome *outcome,
                                  struct error *error) MUST_USE;

/* ---- writing_again.c: records of a repair that wait for others of their chunk */
/* May this one get in later? Then it is held, and not counted yet. */
bool writing_hold(struct writing *writing, struct open_chunk *chunk, struct batch *batch,
                  const struct record_outcome *outcome);
/* Tries the held records of a chunk that has ended once more, while that helps; then they are
 * rejects. STATUS_END: none is held any more; never where the run stops in between. */
enum status writing_try_again(struct writing *writing, struct open_chunk *chunk,
                              struct error *error) MUST_USE;
void writing_free_held(struct open_chunk *chunk);

/* Before its mark is made: what sources and earlier attempts did again of its stream is this
 * chunk's to tell. */
void writing_take_counts(const struct writing *writing, struct open_chunk *chunk);
/* Frees a chunk that is in no list any more. */
void writing_free_chunk(struct open_chunk *chunk);
/* The first chunk turned out to be committed after all. */
void writing_close_committed(struct writing *writing);
/* Gives all open chunks up: the target forgets them, and with `requeue` they go back to the
 * readers. */
void writing_abandon_all(struct writing *writing, bool requeue);
/* Gives up one whose express lane the target refused: the general path takes it. */
void writing_abandon_last(struct writing *writing);
/* The writer is another one: its target knows none of the open chunks. */
void writing_lost_connection(struct writing *writing);
/* Batches under way in all chunks. */
uint32_t writing_under_way(const struct writing *writing);
/* Records that a chunk's stream counts, for what the target pulled itself. */
void writing_count_pulled(struct writing *writing, struct open_chunk *chunk, uint64_t rows);

#endif
