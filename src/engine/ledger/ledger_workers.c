/* Workers and the lots of chunks that they claim. */
#include "engine/ledger/ledger_workers.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS_MAX = 9999, LEASE_WITH_LOCK_MS = 10000 };

/* Another worker as it was last seen: its lease is over once its claim stood still for so long by
 * this process's own clock. */
struct seen_worker {
    uint64_t version;
    int64_t since_ms;
};

struct ledger_worker {
    struct ledger *ledger;
    char *run_id;
    uint32_t number;
    uint64_t epoch;
    uint64_t version;
    char *text;
    int64_t lease_ms;
    int64_t lease_end_ms; /* lease_clock_ms */
    uint64_t next_first;  /* no lot begins between 1 and this that is not claimed */
    struct seen_worker *seen;
    uint32_t seen_count;
};

static void worker_key(const struct ledger_worker *worker, uint32_t number,
                       char key[STORE_KEY_BYTES])
{
    ledger_key(key, worker->run_id, "/worker/%04" PRIu32, number);
}

static void claim_key(const struct ledger_worker *worker, uint64_t first, char key[STORE_KEY_BYTES])
{
    ledger_key(key, worker->run_id, "/claim/%010" PRIu64, first);
}

/* ---- joining */

static enum status put_worker(struct ledger_worker *worker, struct arena *arena,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct ledger_holder own;
    const char *holder;
    ledger_holder_self(worker->lease_ms, &own);
    if (ledger_holder_write(&own, arena, &holder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text = ledger_holder_text(1, holder, arena);
    enum status status = STATUS_AGAIN;
    while (status == STATUS_AGAIN && worker->number < WORKERS_MAX) {
        worker_key(worker, ++worker->number, key);
        int64_t sent_ms = lease_clock_ms();
        status = ledger_put(worker->ledger, worker->ledger->store, key, text, STORE_ABSENT,
                            &worker->version, error);
        worker->lease_end_ms = sent_ms + worker->lease_ms;
    }
    if (status == STATUS_AGAIN) {
        return error_set(error, ERROR_RUN_HELD, worker->run_id, "it has %d workers already",
                         WORKERS_MAX);
    }
    worker->epoch = 1;
    worker->text = memory_copy_string(text);
    return status;
}

enum status ledger_join(struct ledger *ledger, const char *run_id, struct ledger_worker **made,
                        struct error *error)
{
    const char **tables;
    uint32_t count;
    struct arena *arena = arena_create(0);
    struct ledger_worker *worker = NULL;
    enum status status = ledger_read_tables(ledger, run_id, arena, &tables, &count, error);
    if (status == STATUS_OK) {
        worker = memory_allocate_zeroed(1, sizeof(*worker));
        worker->ledger = ledger;
        worker->run_id = memory_copy_string(run_id);
        worker->next_first = 1;
        worker->lease_ms =
            ledger->target->lease_ms > 0 ? ledger->target->lease_ms : LEASE_WITH_LOCK_MS;
        status = put_worker(worker, arena, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("ledger.after_join", error);
    }
    if (status != STATUS_OK) {
        ledger_leave(worker);
        worker = NULL;
    }
    *made = worker;
    arena_destroy(arena);
    return status;
}

void ledger_leave(struct ledger_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->text != NULL) {
        char key[STORE_KEY_BYTES];
        struct error ignored;
        struct arena *arena = arena_create(1024);
        worker_key(worker, worker->number, key);
        (void)!ledger_put(worker->ledger, worker->ledger->store, key,
                          ledger_holder_text(worker->epoch + 1, NULL, arena), worker->version, NULL,
                          &ignored);
        arena_destroy(arena);
    }
    free(worker->run_id);
    free(worker->text);
    free(worker->seen);
    free(worker);
}

uint32_t ledger_worker_number(const struct ledger_worker *worker)
{
    return worker->number;
}

void ledger_worker_guard(const struct ledger_worker *worker, char *key, uint64_t *version)
{
    worker_key(worker, worker->number, key);
    *version = worker->version;
}

enum status ledger_renew_worker(struct ledger_worker *worker, struct error *error)
{
    char key[STORE_KEY_BYTES];
    worker_key(worker, worker->number, key);
    int64_t sent_ms = lease_clock_ms();
    enum status status = ledger_put(worker->ledger, worker->ledger->store, key, worker->text,
                                    worker->version, &worker->version, error);
    if (status == STATUS_AGAIN) {
        worker->lease_end_ms = LEASE_ENDED;
        return ledger_fenced(worker->run_id, error);
    }
    if (status == STATUS_OK) {
        worker->lease_end_ms = sent_ms + worker->lease_ms;
    }
    return status;
}

/* ---- lots */

struct lot_claim {
    uint32_t worker;
    uint64_t epoch;
    uint32_t count;
    uint64_t version;
};

/* The claim of the lot that begins at `first`, which is at most `chunk_count`. */
static enum status read_claim(const struct ledger_worker *worker, uint64_t first,
                              uint64_t chunk_count, struct arena *arena, struct lot_claim *claim,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    claim_key(worker, first, key);
    enum status status = ledger_get(worker->ledger, key, arena, &value, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (ledger_parse(worker->ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int64_t count = json_member_integer(object, "count", 0);
    int64_t number = json_member_integer(object, "worker", 0);
    *claim = (struct lot_claim){.worker = (uint32_t)number,
                                .epoch = (uint64_t)json_member_integer(object, "epoch", 0),
                                .count = (uint32_t)count,
                                .version = value.version};
    json_decref(object);
    bool sound = number > 0 && number <= WORKERS_MAX && count > 0 && count <= UINT32_MAX &&
                 (uint64_t)count <= chunk_count - first + 1;
    return sound ? STATUS_OK : ledger_damaged(worker->ledger, key, error);
}

static enum status put_claim(const struct ledger_worker *worker, uint64_t first, uint32_t count,
                             uint64_t version, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct arena *arena = arena_create(1024);
    json_t *object = ledger_object();
    json_object_set_new(object, "worker", json_integer(worker->number));
    json_object_set_new(object, "epoch", json_integer((json_int_t)worker->epoch));
    json_object_set_new(object, "count", json_integer(count));
    claim_key(worker, first, key);
    enum status status = ledger_put(worker->ledger, worker->ledger->store, key,
                                    ledger_text(object, arena), version, NULL, error);
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("ledger.after_lot", error) : status;
}

static enum status read_done(const struct ledger_worker *worker, struct ledger_lot *lot,
                             struct arena *arena, bool *all, struct error *error)
{
    enum status status = STATUS_OK;
    *all = true;
    lot->done = arena_allocate_zeroed(arena, lot->count, 1);
    for (uint32_t i = 0; i < lot->count && status != STATUS_FAILED; i++) {
        char key[STORE_KEY_BYTES];
        struct store_value value;
        ledger_mark_key(key, worker->run_id, lot->first + i);
        status = ledger_get(worker->ledger, key, arena, &value, error);
        lot->done[i] = status == STATUS_OK;
        *all = *all && lot->done[i];
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The next chunks that nobody has claimed yet. STATUS_END: there are none. */
static enum status claim_new(struct ledger_worker *worker, uint64_t chunk_count, uint32_t wanted,
                             struct arena *arena, struct ledger_lot *lot, struct error *error)
{
    while (worker->next_first <= chunk_count) {
        struct lot_claim claim;
        uint64_t left = chunk_count - worker->next_first + 1;
        *lot = (struct ledger_lot){.first = worker->next_first,
                                   .count = left < wanted ? (uint32_t)left : wanted};
        enum status status = put_claim(worker, lot->first, lot->count, STORE_ABSENT, error);
        if (status == STATUS_OK) {
            bool all;
            worker->next_first += lot->count;
            return read_done(worker, lot, arena, &all, error);
        }
        if (status == STATUS_AGAIN) {
            status = read_claim(worker, worker->next_first, chunk_count, arena, &claim, error);
        }
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_AGAIN : status;
        }
        worker->next_first += claim.count;
    }
    return STATUS_END;
}

static struct seen_worker *seen(struct ledger_worker *worker, uint32_t number)
{
    if (number >= worker->seen_count) {
        worker->seen = memory_resize(worker->seen, number + 1u, sizeof(*worker->seen));
        memset(worker->seen + worker->seen_count, 0,
               (number + 1u - worker->seen_count) * sizeof(*worker->seen));
        worker->seen_count = number + 1;
    }
    return &worker->seen[number];
}

/* Ends the claim of a worker that did not renew it for its whole lease. */
static enum status end_worker(struct ledger_worker *worker, uint32_t number, uint64_t epoch,
                              uint64_t version, struct arena *arena, bool *over,
                              struct error *error)
{
    char key[STORE_KEY_BYTES];
    worker_key(worker, number, key);
    enum status status =
        ledger_put(worker->ledger, worker->ledger->store, key,
                   ledger_holder_text(epoch + 1, NULL, arena), version, NULL, error);
    *over = status == STATUS_OK;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* `*over`: the worker of that claim can mark nothing any more. */
static enum status is_over(struct ledger_worker *worker, const struct lot_claim *claim,
                           struct arena *arena, bool *over, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    struct ledger_holder holder = {0};
    *over = claim->worker == worker->number && claim->epoch != worker->epoch;
    if (*over || claim->worker == worker->number) {
        return STATUS_OK;
    }
    worker_key(worker, claim->worker, key);
    enum status status = ledger_get(worker->ledger, key, arena, &value, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? ledger_damaged(worker->ledger, key, error) : status;
    }
    if (ledger_parse(worker->ledger, key, value.text, value.length, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t epoch = (uint64_t)json_member_integer(object, "epoch", 0);
    const char *text = json_member_text(object, "holder", NULL);
    *over = epoch != claim->epoch || text == NULL;
    if (!*over) {
        status = ledger_holder_read(text, &holder, error);
    }
    json_decref(object);
    if (status != STATUS_OK || *over) {
        return status;
    }
    struct seen_worker *last = seen(worker, claim->worker);
    int64_t now_ms = clock_monotonic_ms();
    if (last->version != value.version) {
        *last = (struct seen_worker){.version = value.version, .since_ms = now_ms};
    }
    if (now_ms - last->since_ms < holder.lease_ms && !ledger_holder_is_gone(&holder)) {
        return STATUS_OK;
    }
    return end_worker(worker, claim->worker, epoch, value.version, arena, over, error);
}

/* A lot of a worker that is gone. STATUS_END: every chunk is marked; STATUS_AGAIN: others are at
 * work. */
static enum status claim_again(struct ledger_worker *worker, uint64_t chunk_count,
                               struct arena *arena, struct ledger_lot *lot, struct error *error)
{
    bool all_done = true;
    for (uint64_t first = 1; first <= chunk_count;) {
        struct lot_claim claim;
        bool lot_done;
        bool over = false;
        enum status status = read_claim(worker, first, chunk_count, arena, &claim, error);
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_AGAIN : status;
        }
        *lot = (struct ledger_lot){.first = first, .count = claim.count};
        if (read_done(worker, lot, arena, &lot_done, error) != STATUS_OK ||
            (!lot_done && is_over(worker, &claim, arena, &over, error) != STATUS_OK)) {
            return STATUS_FAILED;
        }
        if (!lot_done && over) {
            status = put_claim(worker, first, claim.count, claim.version, error);
            if (status != STATUS_AGAIN) {
                return status;
            }
        }
        all_done = all_done && lot_done;
        first += claim.count;
    }
    return all_done ? STATUS_END : STATUS_AGAIN;
}

enum status ledger_claim_chunks(struct ledger_worker *worker, uint64_t chunk_count, uint32_t wanted,
                                struct arena *arena, struct ledger_lot *lot, struct error *error)
{
    enum status status = claim_new(worker, chunk_count, wanted, arena, lot, error);
    return status == STATUS_END ? claim_again(worker, chunk_count, arena, lot, error) : status;
}

enum status ledger_mark_chunk(struct ledger_worker *worker, const struct done_mark *mark,
                              struct error *error)
{
    if (lease_clock_ms() >= worker->lease_end_ms &&
        ledger_renew_worker(worker, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ledger_mark(worker->ledger, worker->ledger->store, worker->run_id, mark, error);
}
