/* The work of a run, in numbers that any thread may add to and any other may read. */
#ifndef TRANSHUME_OBSERVE_PROGRESS_H
#define TRANSHUME_OBSERVE_PROGRESS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/ring.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* As many as --jobs lets there be, of readers and writers together. */
enum { PROGRESS_WORKERS_MAX = 512 };

/* A thread that copies, and what it is at. */
struct progress_worker {
    atomic_bool writes;             /* else it reads */
    _Atomic uint32_t number;        /* among those, from 1 */
    _Atomic(const char *) doing;    /* "reads": a constant text */
    _Atomic uint64_t chunk;         /* the last one that it began; 0: none */
    _Atomic int64_t since_ms;       /* monotonic: when it began that, or has been without one */
    _Atomic uint64_t rows;          /* of the chunk: source records that it is through with */
    _Atomic int64_t waits_until_ms; /* monotonic; 0: not waiting to try again */
};
/* 0: it is without a chunk from now on. */
void progress_worker_begin(struct progress_worker *worker, uint64_t chunk, int64_t now_ms);

/* The figures that one database gives of itself: copied from its report by the engine. */
struct progress_side {
    _Atomic int64_t throttled_ms; /* for how long it has been asking to slow down; 0: it is not */
    _Atomic uint64_t throttle_count;  /* how often it did */
    _Atomic uint64_t retries;         /* what its connector did again after a passing failure */
    _Atomic uint64_t fallbacks;       /* … and with less than was asked for */
    _Atomic uint64_t milliunits;      /* capacity used, in thousandths of units */
    _Atomic int64_t waiting_until_ms; /* monotonic: when it tries something again by itself */
    _Atomic int64_t idle_ms; /* threads of this side waited for the other one, chunks done */
};

enum { PROGRESS_OPERATIONS = 4 };

/* One entity's counters. The hot path adds once a batch, never once a record. */
struct progress_entity {
    const char *name;
    const char *table;
    int64_t total;            /* records expected, -1: not known; set before workers start */
    int64_t rows;             /* source records to be read for it, -1: not known; likewise */
    _Atomic uint64_t read;    /* source records read for it in this attempt and before */
    _Atomic uint64_t written; /* acknowledged, in committed chunks and in the open ones */
    _Atomic uint64_t rejected;
    _Atomic uint64_t skipped;
    _Atomic uint64_t bytes;
    _Atomic uint64_t retries;   /* requests and chunks that were done again */
    _Atomic uint64_t fallbacks; /* requests done with less than was asked for */
    _Atomic uint64_t pulled;    /* about: by the target itself, in a chunk that is under way */
    /* followed changes of its source's rows: inserts, updates, deletes, truncates */
    _Atomic uint64_t operations[PROGRESS_OPERATIONS];
    _Atomic int64_t
        first_ms; /* monotonic: when it was first and last seen to move in this attempt; */
    _Atomic int64_t last_ms; /* kept by the display's thread; 0: never */
};

/* The work of following in this attempt. Set up by progress_follow_begin. */
struct progress_follow {
    _Atomic bool active;
    _Atomic bool idle;             /* nothing waits to be applied */
    _Atomic uint64_t transactions; /* of the source */
    _Atomic uint64_t changes;      /* of the source's rows */
    _Atomic uint64_t writes;       /* changes of the target's records */
    _Atomic uint64_t commits;      /* of the target */
    _Atomic uint64_t rejects;
    _Atomic uint64_t transactions_per_second; /* over the last ten seconds */
    _Atomic uint64_t changes_per_second;
    _Atomic int64_t commit_time_us; /* UTC, of the last one applied; 0: none yet */
    _Atomic int64_t applied_at_us;  /* UTC, when that was; 0: nothing yet */
    _Atomic int64_t lag_us;         /* between the two; -1: not known */
    _Atomic int64_t clock_us;       /* the source's clock is ahead of ours */
    /* The next ones are -1 if not known. They are set while the copy lasts, too. */
    _Atomic bool watched;       /* they were set */
    _Atomic int64_t bytes_kept; /* by the source for the feed */
    _Atomic int64_t bytes_left; /* before it drops what was not applied */
    _Atomic int64_t lag_bytes;  /* of its log, behind what was read */
    _Atomic int64_t left_us;    /* before it drops what was not applied, of one that goes by time */
    _Atomic uint64_t spool_bytes;   /* of the source's log, kept here while the copy is made */
    _Atomic(const char *) cut_over; /* the step that was taken last, a constant text; NULL: none */
};

enum progress_phase {
    PROGRESS_CONNECT,
    PROGRESS_SCHEMA,
    PROGRESS_PREPARE,
    PROGRESS_COPY,
    PROGRESS_INDEXES,
    PROGRESS_SETTLE,
    PROGRESS_COUNT,
    PROGRESS_COMPARE,
    PROGRESS_UNDO,   /* of a rollback, whose chunks are tables */
    PROGRESS_FOLLOW, /* the source's changes are applied */
    PROGRESS_DONE
};

/* Members that are not atomic are set before the phase becomes PROGRESS_COPY (with a store that
 * releases), and read by the display from then on. */
struct progress {
    struct progress_entity *entities;
    uint32_t entity_count;
    _Atomic int phase; /* enum progress_phase */
    _Atomic uint64_t chunks_done;
    _Atomic uint64_t chunks_total;
    _Atomic uint64_t retries;
    struct progress_worker workers[PROGRESS_WORKERS_MAX];
    _Atomic uint32_t worker_count;            /* set once they are ready to start */
    _Atomic int64_t control_waiting_until_ms; /* what waits_until_ms is, of the control thread */
    struct ring_sum queue;                    /* batches that wait between reader and writer */
    _Atomic uint64_t queue_limit_bytes;
    struct progress_side source;
    struct progress_side target;
    struct progress_follow follow;
    _Atomic int64_t last_movement_ms; /* monotonic: stall reports */
    _Atomic int64_t started_ms;       /* monotonic; 0: not yet */
    _Atomic uint64_t written_before;  /* by earlier attempts: not part of the rate */
    _Atomic(const char *) doing;      /* a word on what a long phase is at; a constant text */
};

/* Something went on at `now_ms` (monotonic, read by the caller). A thread that was not let between
 * its look at the clock and this call does not set back what others told meanwhile. */
void progress_moved(struct progress *progress, int64_t now_ms);

/* Until when the last of the waiting threads waits to try again, monotonic; 0: none does. */
int64_t progress_waiting_until_ms(const struct progress *progress);

/* Before the first change is applied. */
void progress_follow_begin(struct progress_follow *follow);
/* For how many seconds the target is behind the source: 0 where nothing waits; below 0: not known.
 */
double progress_follow_lag_seconds(const struct progress_follow *follow, int64_t now_us);

const char *progress_phase_name(enum progress_phase phase);
/* Stores the phase, and tells of it where it is another one. */
void progress_enter(struct progress *progress, int phase);

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_LOG, PROGRESS_JSON, PROGRESS_NONE };

/*
 * A thread that shows the progress on stderr: a bar in place ten times a second (rate, ETA, bytes,
 * rejects; one line an active entity when there is room), a log line every ten seconds, or a JSON
 * object a second. AUTO: a bar on a terminal, else log. It also calls `every_second` (state.json,
 * stall reports).
 */
struct progress_display;
enum status progress_display_start(struct progress *progress, enum progress_mode mode, bool color,
                                   void (*every_second)(void *context), void *context,
                                   struct progress_display **display, struct error *error) MUST_USE;
/* Draws the last state and leaves the cursor on a new line. */
void progress_display_stop(struct progress_display *display);

/* The end table, for stdout: entity, read, written, rejected, skipped, bytes, seconds; retries and
 * fallbacks where there are any. No wider than `columns`, as far as it goes; 0: as wide as it is.
 */
void progress_append_table(const struct progress *progress, double seconds, bool color,
                           uint32_t columns, struct buffer *out);
/* For how long an entity moved in this attempt, of `whole` seconds. */
double progress_entity_seconds(const struct progress_entity *entity, double whole);

#endif
