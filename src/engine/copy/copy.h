/* The copying itself: chunks handed to readers and writers, and what they share. */
#ifndef TRANSHUME_ENGINE_COPY_H
#define TRANSHUME_ENGINE_COPY_H

#include "base/retry.h"
#include "base/ring.h"
#include "connectors/contract/connector.h"
#include "engine/copy/load_pause.h"
#include "engine/copy/throttle.h"
#include "engine/session/session.h"
#include <pthread.h>
#include <stdatomic.h>

/*
 *   PENDING ── a reader begins it ──> STARTED ── a writer takes it ──> WRITING ── commit ──> DONE
 *      ^                                 │ cancelled: an earlier one      │ retry, reader's
 *      └─────────────────────────────────┴── goes first <─────────────────┘ or writer's
 *   PULLED ── a writer takes it: the target pulls it itself ──> WRITING; refused: PENDING
 */
enum chunk_state { CHUNK_PENDING, CHUNK_PULLED, CHUNK_STARTED, CHUNK_WRITING, CHUNK_DONE };

struct chunk {
    enum chunk_state state;
    uint32_t tries;
    uint32_t held;     /* how often it was given up for others' sake */
    struct work *work; /* STARTED */
};

/* A chunk on its way from a reader to a writer; each holds it until it is finished with it. */
struct work {
    uint64_t index; /* of the chunk */
    uint32_t attempt;
    struct ring *ring;
    struct worker *reader;
    bool drained; /* the three below: under copy->mutex */
    bool cancelled;
    int users;
};

struct worker {
    struct copy *copy;
    pthread_t thread;
    bool running;
    bool writes;
    struct progress_worker *shown; /* what it is at; NULL where a sample is read */
    struct reader *reader;
    struct writer *writer;
    uint32_t undrained;     /* reader: works whose writer has not taken all yet */
    _Atomic uint32_t pulls; /* writer: the entity, from 1, of the chunk that the target pulls */
    bool inserts;           /* writer: is open with copy->insert_tables */
    struct retry retry;
};

struct copy {
    struct run *run;
    struct run_session *session;
    struct chunk *chunks;
    uint64_t chunk_count;
    bool ordered; /* the target wants chunks committed in the order of their numbers */
    size_t work_bytes;
    struct target_table *insert_tables; /* of a repair, for what was missing; else NULL */
    struct worker *workers;             /* readers, then writers */
    uint32_t reader_count;
    uint32_t writer_count;
    struct throttle throttle;
    struct load_pause *load_pause; /* NULL: nobody is to be given way to */
    uint64_t pulled_before;        /* control thread: the target's report at its last look */
    _Atomic uint64_t rejected;     /* all of the run: for --max-rejects */
    _Atomic bool stopping; /* failed, or stopped at level 2: everybody drops what they hold */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t done_count;
    uint64_t first_open;    /* no chunk before it is open */
    uint64_t first_pending; /* no chunk before it is PENDING */
    uint64_t *undone;       /* with run->turns: chunks that are not done, by their streams' rank */
    uint32_t rank;          /* the lowest of those */
    uint32_t readers_busy;
    uint32_t threads_left;
    uint32_t writers_left;
    bool failed;
    struct error error; /* the first */

    pthread_mutex_t connection_mutex; /* opening readers and writers, and the ledger */
};

enum {
    COPY_WAIT_MS = 100,
    WORKS_A_READER = 2,
    CHUNK_TRIES_MAX = 99,
    CHUNK_HELD_MAX = 3,
    ATTEMPTS_AN_EPOCH = 100
};

/* Opens readers and writers (control thread) for the chunks that `run` has not done. */
enum status copy_create(struct run *run, struct copy **copy, struct error *error) MUST_USE;
/*
 * Runs until all chunks are done (STATUS_OK), a stop was asked for (STATUS_END: some are left), or
 * something failed. `tick` is called about ten times a second.
 */
enum status copy_run(struct copy *copy, void (*tick)(struct run *run),
                     struct error *error) MUST_USE;
void copy_destroy(struct copy *copy);

/* ---- for readers */

/* The next chunk to read; NULL: there is nothing left to do for readers. */
struct work *copy_begin_reading(struct copy *copy, struct worker *worker);
void copy_end_reading(struct copy *copy, struct work *work);
bool copy_is_cancelled(struct copy *copy, struct work *work);

/* ---- for writers */

/* Opens the worker's writer, once; with the connection mutex held where others are at work. */
enum status copy_open_writer(struct worker *worker, struct error *error) MUST_USE;
/* Is it for a writer that is open with copy->insert_tables? */
bool copy_inserts(const struct copy *copy, uint64_t index);

/*
 * The next chunk to write: STATUS_OK (`*work` NULL: pull it), STATUS_AGAIN: none now (`wait`: none
 * within COPY_WAIT_MS), STATUS_END: none will come.
 */
enum status copy_take(struct copy *copy, bool wait, uint64_t *index, struct work **work);
/* All parcels of it were taken, or none will be any more. */
void copy_drained(struct copy *copy, struct work *work);
/* The chunk goes back to the start; with an ORDERED target all later ones too. */
void copy_requeue(struct copy *copy, uint64_t index, struct work *work);
/* The chunk is committed. `tallies`: one for each of its stream's entities. */
void copy_done(struct copy *copy, uint64_t index, struct work *work, const struct tally *tallies);
/* May the chunk be given up, to be read again, since a pause keeps its transaction open? A few
 * times: it has to end one day. */
bool copy_may_hold(struct copy *copy, uint64_t index);
/* A number for another try at the chunk; 0: there were too many. */
uint32_t copy_next_attempt(struct copy *copy, uint64_t index);

/* ---- for both */
/* The worker's present doing: a constant text. */
void copy_show(struct worker *worker, const char *doing);
/* It begins with the chunk of that index. */
void copy_show_chunk(struct worker *worker, uint64_t index);
/* It is through with so many source records more of its chunk. */
void copy_show_rows(struct worker *worker, uint64_t rows);
/* After the threads are gone: what was begun and never taken. */
void copy_free_works(struct copy *copy);
/* Where the stream's list of entities has this one, which it has. */
uint32_t copy_position_of(const struct plan_stream *stream, uint32_t entity);
/* A thread's last word. `writes`: of the last writer, which stops the readers. */
void copy_leave(struct copy *copy, bool writes);
void copy_fail(struct copy *copy, const struct error *error);
bool copy_must_stop(const struct copy *copy);
/* The chunk is done again after a passing failure, which is told in the user's log file. */
void copy_note_retry(struct copy *copy, uint64_t index, const struct error *error);
void copy_moved(struct copy *copy); /* something went on: for stall reports */
const struct ledger_chunk *copy_chunk(const struct copy *copy, uint64_t index);
const struct plan_stream *copy_stream(const struct copy *copy, uint64_t index);

void *reader_main(void *worker);
void *writer_main(void *worker);

#endif
