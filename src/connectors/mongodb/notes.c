/*
 * The database's own notes of collections that runs made, in the collection MONGODB_NOTES:
 *
 *   {_id: "Album", key: ["AlbumId"], run: "20261128T…", uuid: UUID}
 *
 * It is how a later run and a way back know which fields the key is made of. A key that is _id
 * itself is noted, too. `run` wrote the note; `uuid` is the collection's, where the server gives
 * one, so that a note of one that was dropped says nothing of another under its name.
 */
#include "connectors/mongodb/mongodb.h"

#include "base/text.h"
#include <stdlib.h>

enum { UUID_HEAD_BYTES = 5 /* length and subtype */ };

bool mongodb_note_is_of(const struct mongodb_note *note, const struct mongodb_facts *facts)
{
    return !note->has_uuid || !facts->has_uuid ||
           memcmp(note->uuid, facts->uuid, MONGODB_UUID_BYTES) == 0;
}

static enum status damaged(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_INVALID, table,
              "what " MONGODB_NOTES " says of the collection is damaged");
    return error_hint(error, "deleting its document there lets the collection be made anew");
}

static enum status read_key(const struct mongodb_element *list, const char *table,
                            struct arena *arena, struct column_list *key, struct error *error)
{
    struct mongodb_walk walk;
    struct mongodb_element element;
    const char **names = arena_allocate_zeroed(arena, KEYED_KEY_COLUMNS_MAX, sizeof(*names));
    uint32_t count = 0;
    if (list->type != BSON_TYPE_ARRAY ||
        !mongodb_walk_begin(&walk, list->value, list->value_length)) {
        return damaged(table, error);
    }
    while (mongodb_walk_next(&walk, &element, error) == STATUS_OK) {
        if (element.type != BSON_TYPE_UTF8 || count == KEYED_KEY_COLUMNS_MAX) {
            return damaged(table, error);
        }
        names[count++] = arena_copy(arena, element.value + 4, (size_t)element.value_length - 5);
    }
    *key = (struct column_list){names, count};
    return count > 0 ? STATUS_OK : damaged(table, error);
}

static enum status read_note(const bson_t *document, struct arena *arena, struct mongodb_note *note,
                             struct error *error)
{
    struct mongodb_element key;
    struct mongodb_element uuid;
    const char *table = mongodb_text(document, MONGODB_ID);
    if (table == NULL ||
        mongodb_find(bson_get_data(document), document->len, "key", &key, error) != STATUS_OK) {
        return damaged(table, error);
    }
    const char *run = mongodb_text(document, "run");
    *note = (struct mongodb_note){.table = arena_copy_string(arena, table),
                                  .run = arena_copy_string(arena, run != NULL ? run : "")};
    if (mongodb_find(bson_get_data(document), document->len, "uuid", &uuid, error) == STATUS_OK &&
        uuid.type == BSON_TYPE_BINARY &&
        uuid.value_length == UUID_HEAD_BYTES + MONGODB_UUID_BYTES) {
        memcpy(note->uuid, uuid.value + UUID_HEAD_BYTES, MONGODB_UUID_BYTES);
        note->has_uuid = true;
    }
    return read_key(&key, note->table, arena, &note->key, error);
}

static int compare_notes(const void *left, const void *right)
{
    return strcmp(((const struct mongodb_note *)left)->table,
                  ((const struct mongodb_note *)right)->table);
}

/* The notes that a filter finds. */
static enum status find_notes(struct mongodb_database *self, const bson_t *filter,
                              struct arena *arena, struct mongodb_note **notes, uint32_t *count,
                              struct error *error)
{
    bson_error_t why;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    uint32_t capacity = 0;
    enum status status = STATUS_OK;
    *notes = NULL;
    *count = 0;
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection =
        mongoc_client_get_collection(self->control, self->name, MONGODB_NOTES);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    while (status == STATUS_OK && mongoc_cursor_next(cursor, &document)) {
        *notes = arena_make_room(arena, *notes, *count, &capacity, sizeof(**notes));
        status = read_note(document, arena, &(*notes)[(*count)++], error);
    }
    if (status == STATUS_OK && mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, MONGODB_NOTES, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    return status;
}

enum status mongodb_notes_read(struct mongodb_database *self, struct arena *arena,
                               struct mongodb_note **notes, uint32_t *count, struct error *error)
{
    bson_t all = BSON_INITIALIZER;
    enum status status = find_notes(self, &all, arena, notes, count, error);
    bson_destroy(&all);
    if (*count > 1) {
        qsort(*notes, *count, sizeof(**notes), compare_notes);
    }
    return status;
}

enum status mongodb_note_read(struct mongodb_database *self, const char *table, struct arena *arena,
                              struct mongodb_note *note, struct error *error)
{
    bson_t filter = BSON_INITIALIZER;
    struct mongodb_note *found = NULL;
    uint32_t count = 0;
    (void)bson_append_utf8(&filter, MONGODB_ID, -1, table, -1);
    enum status status = find_notes(self, &filter, arena, &found, &count, error);
    bson_destroy(&filter);
    if (status == STATUS_OK && count > 0) {
        *note = found[0];
    }
    return status == STATUS_OK && count == 0 ? STATUS_END : status;
}

/* NULL: any. */
static void append_filter(const char *table, const char *run, struct buffer *out)
{
    size_t filter = mongodb_write_open(out, "q", BSON_TYPE_DOCUMENT);
    if (table != NULL) {
        mongodb_write_text(out, MONGODB_ID, table, strlen(table));
    }
    if (run != NULL) {
        mongodb_write_text(out, "run", run, strlen(run));
    }
    mongodb_write_end(out, filter);
}

static void append_uuid(const struct mongodb_facts *facts, struct buffer *out)
{
    mongodb_write_head(out, BSON_TYPE_BINARY, "uuid", strlen("uuid"));
    buffer_append(out, "\x10\0\0\0\x04", UUID_HEAD_BYTES);
    buffer_append(out, facts->uuid, MONGODB_UUID_BYTES);
}

enum status mongodb_note_put(struct mongodb_database *self, const struct target_table *table,
                             const char *run, const struct mongodb_facts *facts,
                             struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    char digits[12];
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "insert", MONGODB_NOTES, strlen(MONGODB_NOTES));
    size_t list = mongodb_write_open(&bytes, "documents", BSON_TYPE_ARRAY);
    size_t note = mongodb_write_open(&bytes, "0", BSON_TYPE_DOCUMENT);
    mongodb_write_text(&bytes, MONGODB_ID, table->name, strlen(table->name));
    size_t key = mongodb_write_open(&bytes, "key", BSON_TYPE_ARRAY);
    for (uint32_t at = 0; at < table->key.count; at++) {
        (void)mongodb_write_index(at, digits);
        mongodb_write_text(&bytes, digits, table->key.names[at], strlen(table->key.names[at]));
    }
    mongodb_write_end(&bytes, key);
    mongodb_write_text(&bytes, "run", run, strlen(run));
    if (facts != NULL && facts->has_uuid) {
        append_uuid(facts, &bytes);
    }
    mongodb_write_end(&bytes, note);
    mongodb_write_end(&bytes, list);
    mongodb_write_concern(&bytes);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control_write(self, &view, NULL, error);
    buffer_free(&bytes);
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

enum status mongodb_note_complete(struct mongodb_database *self, const char *table, const char *run,
                                  const struct mongodb_facts *facts, struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    if (!facts->has_uuid) {
        return STATUS_OK;
    }
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "update", MONGODB_NOTES, strlen(MONGODB_NOTES));
    size_t list = mongodb_write_open(&bytes, "updates", BSON_TYPE_ARRAY);
    size_t item = mongodb_write_open(&bytes, "0", BSON_TYPE_DOCUMENT);
    append_filter(table, run, &bytes);
    size_t update = mongodb_write_open(&bytes, "u", BSON_TYPE_DOCUMENT);
    size_t set = mongodb_write_open(&bytes, "$set", BSON_TYPE_DOCUMENT);
    append_uuid(facts, &bytes);
    mongodb_write_end(&bytes, set);
    mongodb_write_end(&bytes, update);
    mongodb_write_end(&bytes, item);
    mongodb_write_end(&bytes, list);
    mongodb_write_concern(&bytes);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control_write(self, &view, NULL, error);
    buffer_free(&bytes);
    return status;
}

enum status mongodb_note_delete(struct mongodb_database *self, const char *table, const char *run,
                                struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "delete", MONGODB_NOTES, strlen(MONGODB_NOTES));
    size_t list = mongodb_write_open(&bytes, "deletes", BSON_TYPE_ARRAY);
    size_t item = mongodb_write_open(&bytes, "0", BSON_TYPE_DOCUMENT);
    append_filter(table, run, &bytes);
    mongodb_write_int32(&bytes, "limit", 0);
    mongodb_write_end(&bytes, item);
    mongodb_write_end(&bytes, list);
    mongodb_write_concern(&bytes);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control_write(self, &view, NULL, error);
    buffer_free(&bytes);
    return status;
}
