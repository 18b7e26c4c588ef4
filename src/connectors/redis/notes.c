/*
 * The database's own notes of its tables, in the hash REDIS_NOTES: table → JSON.
 *
 *   {"form":"hash","key":["CustomerId"],"columns":{"CustomerId":"int64","Name":"text"},"indexes":{…},
 *    "run":"20261128T…"}
 *
 * A column's kind is that of all values that were written to it (kinds.c), by the names that plans
 * have for kinds; "mixed": they are of several.
 */
#include "connectors/redis/redis.h"

#include "base/text.h"
#include "model/json_writer.h"
#include <jansson.h>
#include <stdlib.h>

static enum status damaged(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_INVALID, table,
              "what " REDIS_NOTES " says of the table is damaged");
    return error_hint(error, "HDEL " REDIS_NOTES " with its name lets the table be made anew");
}

static struct redis_columns *read_columns(const json_t *object, struct arena *arena)
{
    struct redis_columns *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    size_t count = json_object_size(object);
    const char *name = NULL;
    json_t *kind = NULL;
    made->names.arena = arena;
    made->kinds = arena_allocate_zeroed(arena, count + 1, sizeof(*made->kinds));
    json_object_foreach((json_t *)(uintptr_t)object, name, kind)
    {
        const char *copy = arena_copy_string(arena, name);
        const char *text = json_string_value(kind);
        made->kinds[made->count] = text != NULL ? value_kind_by_name(text) : VALUE_KIND_COUNT;
        (void)name_index_add(&made->names, copy, strlen(copy), made->count++);
    }
    return made;
}

static enum status read_note(const char *table, struct text text, struct arena *arena,
                             struct redis_note *note, struct error *error)
{
    json_error_t why;
    json_t *root = json_loadb(text.data, text.length, 0, &why);
    const char *form = json_string_value(json_object_get(root, "form"));
    const char *run = json_string_value(json_object_get(root, "run"));
    const json_t *key = json_object_get(root, "key");
    size_t count = json_array_size(key);
    const char **names = arena_allocate_zeroed(arena, count + 1, sizeof(*names));
    bool good = form != NULL && count <= KEYED_KEY_COLUMNS_MAX;
    struct redis_columns *columns = read_columns(json_object_get(root, "columns"), arena);
    for (size_t at = 0; at < count && good; at++) {
        const char *name = json_string_value(json_array_get(key, at));
        good = name != NULL;
        names[at] = good ? arena_copy_string(arena, name) : NULL;
    }
    *note = (struct redis_note){.table = table,
                                .form = form != NULL && strcmp(form, "json") == 0 ? REDIS_JSON
                                                                                  : REDIS_HASH,
                                .key = {names, (uint32_t)count},
                                .run = arena_copy_string(arena, run != NULL ? run : ""),
                                .columns = columns};
    good =
        redis_indexes_read(json_object_get(root, "indexes"), table, arena, &note->indexes) && good;
    json_decref(root);
    return good ? STATUS_OK : damaged(table, error);
}

/* A command about the hash; frees it. */
static enum status notes_call(struct redis_database *self, struct buffer *command, bool writes,
                              struct arena *arena, struct resp_value *reply, struct error *error)
{
    struct redis_call what = {.slot = redis_slot_of(REDIS_NOTES, strlen(REDIS_NOTES)),
                              .object = REDIS_NOTES,
                              .writes = writes};
    what.lease = writes ? keyed_lease(&self->keyed) : NULL;
    return redis_control(self, &what, command, arena, reply, error);
}

enum status redis_note_read(struct redis_database *self, const char *table, struct arena *arena,
                            struct redis_note *note, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    resp_command(&command, "HGET", REDIS_NOTES, table, NULL);
    enum status status = notes_call(self, &command, false, arena, &reply, error);
    if (status != STATUS_OK || reply.type != RESP_TEXT) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    return read_note(arena_copy_string(arena, table), reply.text, arena, note, error);
}

static int compare_notes(const void *left, const void *right)
{
    return strcmp(((const struct redis_note *)left)->table,
                  ((const struct redis_note *)right)->table);
}

enum status redis_notes_read(struct redis_database *self, struct arena *arena,
                             struct redis_note **notes, uint32_t *count, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    resp_command(&command, "HGETALL", REDIS_NOTES, NULL);
    *count = 0;
    enum status status = notes_call(self, &command, false, arena, &reply, error);
    if (status != STATUS_OK || reply.type != RESP_LIST) {
        return status;
    }
    *notes = arena_allocate_zeroed(arena, reply.count / 2 + 1, sizeof(**notes));
    for (uint32_t at = 0; at + 1 < reply.count && status == STATUS_OK; at += 2) {
        const struct text name = reply.items[at].text;
        status = read_note(arena_copy(arena, name.data, name.length), reply.items[at + 1].text,
                           arena, &(*notes)[*count], error);
        *count += 1;
    }
    if (*count > 1) {
        qsort(*notes, *count, sizeof(**notes), compare_notes);
    }
    return status;
}

static void append_note(const struct redis_note *note, struct text columns, struct buffer *json)
{
    buffer_format(json, "{\"form\":\"%s\",\"key\":[", note->form == REDIS_JSON ? "json" : "hash");
    for (uint32_t at = 0; at < note->key.count; at++) {
        buffer_append_string(json, at > 0 ? "," : "");
        json_append_string(json, note->key.names[at], strlen(note->key.names[at]));
    }
    buffer_append_string(json, "],\"columns\":{");
    buffer_append(json, columns.data, columns.length);
    buffer_append_byte(json, '}');
    if (note->indexes.count > 0) {
        buffer_append_string(json, ",\"indexes\":");
        redis_indexes_append(&note->indexes, json);
    }
    buffer_append_string(json, ",\"run\":");
    json_append_string(json, note->run, strlen(note->run));
    buffer_append_byte(json, '}');
}

static enum status write_note(struct redis_database *self, const char *verb,
                              const struct redis_note *note, struct text columns,
                              struct error *error)
{
    struct buffer command = {0};
    struct buffer json = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    append_note(note, columns, &json);
    resp_command(&command, verb, REDIS_NOTES, note->table, buffer_string(&json), NULL);
    enum status status = notes_call(self, &command, true, arena, &reply, error);
    buffer_free(&json);
    arena_destroy(arena);
    return status;
}

enum status redis_note_put(struct redis_database *self, const struct target_table *table,
                           const char *run, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct redis_note note = {
        .table = table->name, .form = self->form, .key = table->key, .run = run};
    redis_indexes_of_plan(table, arena, &note.indexes);
    enum status status = write_note(self, "HSETNX", &note, (struct text){"", 0}, error);
    redis_kinds_forget(self, table->name);
    arena_destroy(arena);
    return status;
}

/* The note's texts and `columns`, as they are now. */
enum status redis_note_replace(struct redis_database *self, const struct redis_note *note,
                               struct text columns, struct error *error)
{
    return write_note(self, "HSET", note, columns, error);
}

enum status redis_note_delete(struct redis_database *self, const char *table, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_command(&command, "HDEL", REDIS_NOTES, table, NULL);
    enum status status = notes_call(self, &command, true, arena, &reply, error);
    redis_kinds_forget(self, table);
    arena_destroy(arena);
    return status;
}
