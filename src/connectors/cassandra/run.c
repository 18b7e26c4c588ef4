/* The claimed run: when it began, which is the timestamp of what it writes; taking it back. */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "connectors/keyed/tables.h"
#include <stdio.h>
#include <string.h>

/* Records that stand there already are older. */
enum status cassandra_read_clock(struct cassandra *self, int64_t *now_us, struct error *error)
{
    static const char text[] = "SELECT toUnixTimestamp(now()) FROM system.local";
    struct arena *arena = arena_create(0);
    struct cql_reply reply;
    struct cql_value value;
    enum status status = cassandra_run(self, text, CQL_ONE, true, arena, &reply, error);
    *now_us = clock_utc_us();
    if (status == STATUS_OK && reply.response.rows.columns.count == 1 &&
        cql_rows_next(&reply.response.rows, &value) == STATUS_OK && value.length == 8) {
        struct cql_reader reader = cql_reader_of(value.data, 8);
        int64_t theirs_us = (cql_read_long(&reader) + 1) * 1000;
        self->clock_ahead_us = theirs_us > *now_us ? theirs_us - *now_us : 0;
        *now_us += self->clock_ahead_us;
    }
    arena_destroy(arena);
    return status;
}

/* The first attempt of the run notes it, and all others read it. */
static enum status find_start(struct cassandra *self, struct error *error)
{
    enum { TRIES_MAX = 3 };
    const struct keyed_room *room = &self->keyed.room;
    const struct store_functions *store = room->home->connector->store;
    char key[STORE_KEY_BYTES];
    char text[32];
    int64_t now_us = 0;
    struct arena *arena = arena_create(0);
    struct store_value note;
    int64_t server_us = 0;
    enum status status =
        cassandra_read_clock(self, &server_us, error) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
    uint64_t ignored = 0;
    store_note_key(key, room->run_id, "began", "timestamp");
    for (int tries = 0; status == STATUS_AGAIN && tries < TRIES_MAX; tries++) {
        status = store->get(room->store, key, arena, &note, error);
        if (status == STATUS_END) {
            now_us = server_us;
            status = STATUS_OK;
            snprintf(text, sizeof(text), "%lld", (long long)now_us);
            status = status == STATUS_OK ? store->put_if(room->store, key, text, strlen(text),
                                                         STORE_ABSENT, &ignored, error)
                                         : status;
        } else if (status == STATUS_OK &&
                   text_to_int64(note.text, note.length, &now_us) != STATUS_OK) {
            status = error_set(error, ERROR_LEDGER_INVALID, room->run_id,
                               "the ledger's note of when the run began is damaged");
        }
    }
    arena_destroy(arena);
    self->run_started_us = status == STATUS_OK ? now_us : 0;
    return status == STATUS_AGAIN ? error_set(error, ERROR_RUN_FENCED, room->run_id,
                                              "another process notes when the run began")
                                  : status;
}

enum status cassandra_claimed(struct database *database, const struct run_claim *claim,
                              struct error *error)
{
    enum status status = keyed_claimed(database, claim, error);
    if (status == STATUS_OK && claim->epoch > 1) {
        cassandra_counters_unsure(cassandra_of(database));
    }
    return status == STATUS_OK ? find_start(cassandra_of(database), error) : status;
}

/* ---------------------------------------------------------------- rollback */

/* The types that it needed go with it. */
static enum status remove_table(struct database *database, const struct target_table *table,
                                struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = keyed_remove_table(database, table, error);
    if (status == STATUS_OK && table->created) {
        status = cassandra_types_drop(cassandra_of(database), arena, error);
    }
    cassandra_layouts_forget(cassandra_of(database));
    arena_destroy(arena);
    return status;
}

/* Does the run write that column? */
static bool is_written(const struct target_table *table, const char *name)
{
    bool written = table->existing == EXISTING_REPLACE;
    for (uint32_t at = 0; at < table->column_count && !written; at++) {
        written = strcmp(table->columns[at].name, name) == 0;
    }
    return written;
}

/* Key by key, by what the engine kept: images of rows, which say nothing of a partition's static
 * values that a new row changes, and which one of several rows would bring back for all. */
static enum status can_undo(struct database *database, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    const struct cassandra_table *there = NULL;
    const char *column =
        table->key_shape.static_columns.count > 0 ? table->key_shape.static_columns.names[0] : NULL;
    struct arena *arena = arena_create(0);
    enum status status =
        cassandra_table_read(cassandra_of(database), table->name, arena, &there, error);
    for (uint32_t at = 0; status == STATUS_OK && at < there->column_count; at++) {
        bool changes = there->columns[at].part == CASSANDRA_STATIC &&
                       is_written(table, there->columns[at].name);
        column = changes ? there->columns[at].name : column;
    }
    if (status != STATUS_FAILED && column != NULL) {
        buffer_format(why, "its static column %s can't be put back", column);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : column != NULL ? STATUS_END : STATUS_OK;
}

const struct rollback_functions cassandra_rollback = {.can_undo = can_undo,
                                                      .remove_table = remove_table};
