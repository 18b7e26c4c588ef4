/*
 * Several processes at work on one run. The leader prepares and completes it; each process that
 * copies chunks is a worker with a claim of its own, which is renewed while it works. Workers take
 * chunks in lots, one conditional write each; a lot of a worker whose claim is over is taken again
 * by another, which skips the chunks that are marked.
 */
#ifndef TRANSHUME_ENGINE_LEDGER_LEDGER_WORKERS_H
#define TRANSHUME_ENGINE_LEDGER_LEDGER_WORKERS_H

#include "engine/ledger/ledger.h"

struct ledger_worker;

/* Joins the run as a further worker. STATUS_END: there is no such run. Free with
 * ledger_leave. */
enum status ledger_join(struct ledger *ledger, const char *run_id, struct ledger_worker **worker,
                        struct error *error) MUST_USE;
/* Gives the claim back and frees the worker; what it had not finished is taken by others. */
void ledger_leave(struct ledger_worker *worker); /* takes NULL */
/* Its number, from 1, and the epoch of its claim, for messages. */
uint32_t ledger_worker_number(const struct ledger_worker *worker);
/* ERROR_RUN_FENCED: the claim was taken over. To be called every third of the lease, on the
 * worker's thread. */
enum status ledger_renew_worker(struct ledger_worker *worker, struct error *error) MUST_USE;
/* The guard of a commit of this worker (struct run_claim); `key` has STORE_KEY_BYTES. */
void ledger_worker_guard(const struct ledger_worker *worker, char *key, uint64_t *version);

/* Chunks [first, first + count) of the run, of which `done[i]` are marked already. */
struct ledger_lot {
    uint64_t first;
    uint32_t count;
    uint8_t *done; /* in the caller's arena */
};
/*
 * Claims up to `wanted` chunks. STATUS_AGAIN: all that is left belongs to workers that may be
 * alive: ask again later. STATUS_END: every chunk is marked.
 */
enum status ledger_claim_chunks(struct ledger_worker *worker, uint64_t chunk_count, uint32_t wanted,
                                struct arena *arena, struct ledger_lot *lot,
                                struct error *error) MUST_USE;
/* Marks a chunk of the worker's lot. ERROR_RUN_FENCED: the worker's claim is over, or another
 * worker marked the chunk. */
enum status ledger_mark_chunk(struct ledger_worker *worker, const struct done_mark *mark,
                              struct error *error) MUST_USE;

#endif
