/* Two databases in memory for tests of the engine: a source of numbered rows, and a target with
 * moods. */
#ifndef TRANSHUME_UNIT_SUPPORT_ENGINE_H
#define TRANSHUME_UNIT_SUPPORT_ENGINE_H

#include "connectors/contract/connector.h"
#include "engine/run/run.h"
#include "engine/session/session.h"
#include "support.h"
#include <pthread.h>
#include <stdatomic.h>

enum { FAKE_TABLES = 2, FAKE_ROWS_MAX = 4000 };

/* What the target does of its own accord; counters count down to the event, 0: never. */
struct fake_moods {
    bool transactional;
    uint32_t asynchronous; /* batches that may be under way; 0: results come at once */
    uint32_t writers;
    uint32_t chunks_open;
    bool ordered;
    uint32_t batch_rows_max;
    int64_t reject_every; /* records whose id is a multiple of it; 0: none */
    int64_t skip_every;
    bool falls_back;             /* once for each batch */
    _Atomic int64_t fail_submit; /* this submit fails with class RETRY */
    _Atomic int64_t fail_begin;
    _Atomic int64_t fail_commit;        /* this commit fails with class RETRY, nothing written */
    _Atomic int64_t unknown_commit;     /* unknown outcome, and it was done */
    _Atomic int64_t unknown_not_commit; /* unknown outcome, and it was not done */
    _Atomic int64_t fence_at;           /* at this commit another epoch takes over */
    _Atomic int64_t again_submit;       /* every n-th submit says AGAIN first */
    _Atomic int64_t stop_at;            /* at this commit the process gets `stop_signals` signals */
    int stop_signals;
    bool hang; /* poll never has a result */
    bool express;
    int64_t express_refuses; /* chunk number that the general path has to take */
    /* the source */
    _Atomic int64_t fail_read; /* this cursor_next fails with class RETRY */
    uint32_t readers;
    bool keyed;
    bool no_snapshot;
    int64_t slow_read_ms;
};

/* What survives a session: the target's contents and its ledger. */
struct fake_store {
    pthread_mutex_t mutex;
    struct fake_moods moods;
    int64_t rows[FAKE_TABLES];                     /* of the source: ids 1..rows */
    const char *token;                             /* of the source's snapshot */
    uint32_t seen[FAKE_TABLES][FAKE_ROWS_MAX + 1]; /* times that the target holds an id */
    bool table_made[FAKE_TABLES];
    /* ledger */
    struct store *ledger;
    struct store_functions functions;
    struct connector connector;
    char run_id[RUN_ID_BYTES]; /* the last that was claimed */
    char guard_key[STORE_KEY_BYTES];
    uint64_t guard_version;
    uint64_t late_chunk; /* this one's mark comes just before the next claim; 0: none */
    char *late_mark;
    /* what happened */
    uint64_t commits;
    uint64_t last_committed;
    bool out_of_order;
    uint64_t abandons;
    uint64_t reopened_tables;
    uint64_t after_loads;
    uint32_t batch_rows_seen_max;
    uint64_t pulled;
};

struct fake_store *fake_store_create(int64_t rows_first, int64_t rows_second);
void fake_store_destroy(struct fake_store *store);

/* A session over the store as run_open would make it, with a plain plan of FAKE_TABLES tables.
 * `state_folder` may hold an earlier run's. Close with run_close. */
struct run_session *fake_session(struct fake_store *store, const char *state_folder,
                                 const struct run_options *options);
/* Options that make many small chunks and batches, and wait little. */
struct run_options fake_options(void);

/* Each id of each table is there once, but for multiples of the store's reject_every and
 * skip_every. */
void assert_complete(const struct fake_store *store);
/* Of the store's run. */
uint64_t fake_chunk_count(struct fake_store *store);
/* Replaces the done mark of a chunk, or makes it. */
void fake_put_mark(struct fake_store *store, uint64_t chunk, const char *text);
/* The mark is not there before the next claim. */
void fake_hide_mark(struct fake_store *store, uint64_t chunk);
void fake_lose_ledger(struct fake_store *store);
/* Lines in STATE/rejects. */
uint64_t count_rejects(const char *state_folder);

#endif
