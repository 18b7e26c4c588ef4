/* The claimed run: what the store notes of the tables that it makes. */
#include "connectors/dynamodb/network/target.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/store_key.h"
#include <stdlib.h>
#include <string.h>

static const char intended[] = "intended";
static const char made_begin[] = "made "; /* and the table's id */

enum status dynamodb_network_empty_all(struct database *self,
                                       const struct target_table *const *tables,
                                       uint32_t table_count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = failpoint_hit("dynamodb.before_empty", error);
        if (status == STATUS_OK) {
            status = dynamodb_network_empty(dynamodb_network_of(self), tables[at], error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- tables that the run makes */

static const struct store_functions *store_of(const struct dynamodb_network *network)
{
    return network->keyed.room.home->connector->store;
}

/* STATUS_END: there is no note. */
static enum status read_note(struct dynamodb_network *network, const char *key, struct arena *arena,
                             struct store_value *note, struct error *error)
{
    *note = (struct store_value){.version = STORE_ABSENT};
    return store_of(network)->get(network->keyed.room.store, key, arena, note, error);
}

enum status dynamodb_made_read(struct dynamodb_network *network, const char *table,
                               struct arena *arena, enum dynamodb_made *made, const char **table_id,
                               struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value note;
    size_t begin = sizeof(made_begin) - 1;
    *made = DYNAMODB_MADE_NOT;
    *table_id = NULL;
    if (network->keyed.room.run_id == NULL) {
        return STATUS_OK;
    }
    store_note_key(key, network->keyed.room.run_id, "made", table);
    enum status status = read_note(network, key, arena, &note, error);
    if (status == STATUS_OK && strncmp(note.text, made_begin, begin) == 0) {
        *made = DYNAMODB_MADE_DONE;
        *table_id = note.text + begin;
    } else if (status == STATUS_OK) {
        *made = DYNAMODB_MADE_INTENDED;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* A note that is there is one of ours, or of an earlier attempt of the run. */
static enum status put_note(struct dynamodb_network *network, const char *table, const char *text,
                            struct error *error)
{
    enum { TRIES_MAX = 3 };
    char key[STORE_KEY_BYTES];
    struct store_value note;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_AGAIN;
    store_note_key(key, network->keyed.room.run_id, "made", table);
    for (int tries = 0; status == STATUS_AGAIN && tries < TRIES_MAX; tries++) {
        status = read_note(network, key, arena, &note, error);
        if (status == STATUS_END ||
            (status == STATUS_OK && strcmp(note.text, text) != 0)) { /* else an answer was lost */
            uint64_t ignored;
            status = store_of(network)->put_if(network->keyed.room.store, key, text, strlen(text),
                                               note.version, &ignored, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_RUN_FENCED, network->keyed.room.run_id,
                           "another process writes what the ledger notes of table %s", table)
               : status;
}

enum status dynamodb_made_intend(struct dynamodb_network *network, const char *table,
                                 struct error *error)
{
    return put_note(network, table, intended, error);
}

enum status dynamodb_made_done(struct dynamodb_network *network, const char *table,
                               const char *table_id, struct error *error)
{
    char *text = memory_format("%s%s", made_begin, table_id);
    enum status status = put_note(network, table, text, error);
    free(text);
    return status;
}

enum status dynamodb_made_forget(struct dynamodb_network *network, const char *table,
                                 struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_note_key(key, network->keyed.room.run_id, "made", table);
    return store_of(network)->delete_if(network->keyed.room.store, key, STORE_ANY_VERSION, error);
}
