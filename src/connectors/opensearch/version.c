/*
 * Versions of documents, in indexes that the run made: microseconds since 1970, or above. A version
 * is that of a writer, above those of all writers before it, or of a group of changes, which the
 * ledger notes beside the position. What arrives late loses against what was written since.
 */
#include "connectors/opensearch/opensearch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include <inttypes.h>
#include <stdlib.h>

/* Others may have written a document meanwhile, by hand or by a delete without a version: each
 * write adds one to it. */
enum { WRITER_STEP = 1 << 20, CHANGES_STEP = 1000 };
static const int64_t claim_step = (int64_t)1 << 40; /* about 12 days of microseconds */

/* ---------------------------------------------------------------- taking them */

static int64_t largest(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

/* Has the note that text? A try that was not answered may have written it. */
static bool is_noted(struct keyed_room *room, const char *key, const char *text,
                     struct arena *arena)
{
    struct error ignored;
    struct store_value value;
    return room->home->connector->store->get(room->store, key, arena, &value, &ignored) ==
               STATUS_OK &&
           value.length == strlen(text) && memcmp(value.text, text, value.length) == 0;
}

/* Above those of the run's claims before this one, whatever their clocks said. */
enum status opensearch_claimed(struct database *database, const struct run_claim *claim,
                               struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct keyed_room *room = &self->keyed.room;
    struct store_value value = {0};
    char key[STORE_KEY_BYTES];
    char digits[24];
    int64_t before = 0;
    uint64_t version = 0;
    if (keyed_claimed(database, claim, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct store_functions *store = room->home->connector->store;
    struct arena *arena = arena_create(0);
    store_note_key(key, claim->run_id, "version", "writes");
    enum status status = store->get(room->store, key, arena, &value, error);
    if (status == STATUS_OK && text_to_int64(value.text, value.length, &before) != STATUS_OK) {
        status = error_set(error, ERROR_LEDGER_INVALID, key, "the note is damaged");
    }
    if (status == STATUS_FAILED) {
        arena_destroy(arena);
        return status;
    }
    int64_t now = largest(clock_utc_us(), before + claim_step);
    now = largest(now, atomic_load(&self->version));
    atomic_store(&self->version, now);
    int length = snprintf(digits, sizeof(digits), "%" PRId64, now);
    status =
        store->put_if(room->store, key, digits, (size_t)length, value.version, &version, error);
    if (status == STATUS_AGAIN && is_noted(room, key, digits, arena)) {
        status = STATUS_OK;
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN ? error_set(error, ERROR_RUN_FENCED, claim->run_id,
                                              "another attempt has taken this run over")
                                  : status;
}

/* Above `after` and all that this process took before, by so much. */
static int64_t take_version(struct opensearch_database *self, int64_t after, int64_t step)
{
    int64_t last = atomic_load(&self->version);
    int64_t next = 0;
    do {
        next = largest(clock_utc_us(), largest(last, after) + step);
    } while (!atomic_compare_exchange_weak(&self->version, &last, next));
    return next;
}

int64_t opensearch_next_version(struct opensearch_database *self)
{
    return take_version(self, 0, WRITER_STEP);
}

int64_t opensearch_time_for_changes(struct database *database, int64_t after_us)
{
    return take_version(opensearch_of(database), after_us, CHANGES_STEP);
}

/* ---------------------------------------------------------------- applying changes */

enum status opensearch_apply_open(struct database *database, const struct apply_request *request,
                                  struct apply **apply, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct apply_request own = *request;
    struct target_table *tables =
        memory_allocate_zeroed((size_t)request->table_count + 1, sizeof(*tables));
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    *apply = NULL;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        enum keyed_made made = KEYED_MADE_NOT;
        const char *uuid = NULL;
        tables[at] = request->tables[at];
        status = keyed_made_read(&self->keyed.room, tables[at].name, arena, &made, &uuid, error);
        tables[at].created = made == KEYED_MADE_DONE;
    }
    own.tables = tables;
    status = status == STATUS_OK ? keyed_apply_open(database, &own, apply, error) : status;
    arena_destroy(arena);
    free(tables);
    return status;
}
