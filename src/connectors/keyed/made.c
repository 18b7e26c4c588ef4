/* Notes in the store of the tables that the claimed run makes. */
#include "connectors/keyed/keyed.h"

#include "base/memory.h"
#include "connectors/common/store_key.h"
#include <stdlib.h>
#include <string.h>

static const char intended[] = "intended";
static const char made_begin[] = "made "; /* and the table's id */

static const struct store_functions *store_of(const struct keyed_room *room)
{
    return room->home->connector->store;
}

/* STATUS_END: there is no note. */
static enum status read_note(const struct keyed_room *room, const char *key, struct arena *arena,
                             struct store_value *note, struct error *error)
{
    *note = (struct store_value){.version = STORE_ABSENT};
    return store_of(room)->get(room->store, key, arena, note, error);
}

enum status keyed_made_read(const struct keyed_room *room, const char *table, struct arena *arena,
                            enum keyed_made *made, const char **table_id, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value note;
    size_t begin = sizeof(made_begin) - 1;
    *made = KEYED_MADE_NOT;
    *table_id = NULL;
    if (room->run_id == NULL) {
        return STATUS_OK;
    }
    store_note_key(key, room->run_id, "made", table);
    enum status status = read_note(room, key, arena, &note, error);
    if (status == STATUS_OK && strncmp(note.text, made_begin, begin) == 0) {
        *made = KEYED_MADE_DONE;
        *table_id = note.text + begin;
    } else if (status == STATUS_OK) {
        *made = KEYED_MADE_INTENDED;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* A note that is there is one of ours, or of an earlier attempt of the run. */
static enum status put_note(const struct keyed_room *room, const char *table, const char *text,
                            struct error *error)
{
    enum { TRIES_MAX = 3 };
    char key[STORE_KEY_BYTES];
    struct store_value note;
    struct arena *arena = arena_create(0);
    enum status status = STATUS_AGAIN;
    store_note_key(key, room->run_id, "made", table);
    for (int tries = 0; status == STATUS_AGAIN && tries < TRIES_MAX; tries++) {
        status = read_note(room, key, arena, &note, error);
        if (status == STATUS_END ||
            (status == STATUS_OK && strcmp(note.text, text) != 0)) { /* else an answer was lost */
            uint64_t ignored;
            status = store_of(room)->put_if(room->store, key, text, strlen(text), note.version,
                                            &ignored, error);
        }
    }
    arena_destroy(arena);
    return status == STATUS_AGAIN
               ? error_set(error, ERROR_RUN_FENCED, room->run_id,
                           "another process writes what the ledger notes of table %s", table)
               : status;
}

enum status keyed_made_intend(const struct keyed_room *room, const char *table, struct error *error)
{
    return put_note(room, table, intended, error);
}

enum status keyed_made_done(const struct keyed_room *room, const char *table, const char *table_id,
                            struct error *error)
{
    char *text = memory_format("%s%s", made_begin, table_id);
    enum status status = put_note(room, table, text, error);
    free(text);
    return status;
}

enum status keyed_made_forget(const struct keyed_room *room, const char *table, struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_note_key(key, room->run_id, "made", table);
    return store_of(room)->delete_if(room->store, key, STORE_ANY_VERSION, error);
}
