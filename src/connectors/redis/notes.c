/*
 * What the database itself notes of its tables, in the hash REDIS_NOTES: table → JSON.
 *
 *   {"form":"hash","key":["CustomerId"],"columns":{"CustomerId":"int64","Name":"text"},"run":"20261128T…"}
 *
 * A column's kind is the one that the run declared, by the names that plans have for kinds.
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
    json_decref(root);
    return good ? STATUS_OK : damaged(table, error);
}

/* A command about the hash; frees it. */
static enum status call(struct redis_database *self, struct buffer *command, bool writes,
                        struct arena *arena, struct resp_value *reply, struct error *error)
{
    struct redis_call what = {.slot = redis_slot_of(REDIS_NOTES, strlen(REDIS_NOTES)),
                              .object = REDIS_NOTES,
                              .writes = writes};
    what.lease = writes && self->keyed.room.run_id != NULL ? &self->keyed.base : NULL;
    return redis_control(self, &what, command, arena, reply, error);
}

enum status redis_note_read(struct redis_database *self, const char *table, struct arena *arena,
                            struct redis_note *note, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    resp_command(&command, "HGET", REDIS_NOTES, table, NULL);
    enum status status = call(self, &command, false, arena, &reply, error);
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
    enum status status = call(self, &command, false, arena, &reply, error);
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

/* Columns of a table by its records' shapes; the newest first. */
struct redis_known {
    struct redis_known *next;
    const char *table;
    const char *columns; /* "Name":"text", … */
};

/* A column without a type of its own, as SQLite has them, says nothing of its values. */
static bool tells_kind(const struct value_type *type)
{
    return !type->dynamic || (type->native != NULL && type->native[0] != '\0');
}

/* Of one name the kind that all shapes have of it. */
static void append_columns(const struct check_request *request, struct arena *arena,
                           struct buffer *json)
{
    struct name_index seen = {.arena = arena};
    for (uint32_t at = 0; at < request->shape_count; at++) {
        const struct shape *shape = request->shapes[at];
        for (uint32_t field = 0; field < shape->field_count; field++) {
            const struct shape_field *own = &shape->fields[field];
            bool alone = true;
            for (uint32_t other = 0; other < request->shape_count; other++) {
                int32_t there = shape_field_find(request->shapes[other], own->name);
                alone = alone && (there < 0 || request->shapes[other]->fields[there].type.kind ==
                                                   own->type.kind);
            }
            if (!alone || !tells_kind(&own->type) ||
                name_index_add(&seen, own->name, own->name_length, 0) != NAME_INDEX_NONE) {
                continue;
            }
            buffer_append_string(json, json->length > 0 ? "," : "");
            json_append_string(json, own->name, own->name_length);
            buffer_format(json, ":\"%s\"", value_kind_name(own->type.kind));
        }
    }
}

void redis_note_shapes(struct redis_database *self, const struct check_request *request)
{
    struct buffer json = {0};
    struct arena *arena = arena_create(0);
    append_columns(request, arena, &json);
    pthread_mutex_lock(&self->mutex);
    struct redis_known *made = arena_allocate_zeroed(self->arena, 1, sizeof(*made));
    made->table = arena_copy_string(self->arena, request->table->name);
    made->columns = arena_copy_string(self->arena, buffer_string(&json));
    made->next = self->known;
    self->known = made;
    pthread_mutex_unlock(&self->mutex);
    buffer_free(&json);
    arena_destroy(arena);
}

static const char *known_columns(struct redis_database *self, const char *table)
{
    const char *columns = NULL;
    pthread_mutex_lock(&self->mutex);
    for (const struct redis_known *known = self->known; known != NULL && columns == NULL;
         known = known->next) {
        columns = strcmp(known->table, table) == 0 ? known->columns : NULL;
    }
    pthread_mutex_unlock(&self->mutex);
    return columns;
}

static void append_declared(const struct target_table *table, struct buffer *json)
{
    size_t begin = json->length;
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *column = &table->columns[at];
        buffer_append_string(json, json->length > begin ? "," : "");
        json_append_string(json, column->name, strlen(column->name));
        buffer_format(json, ":\"%s\"", value_kind_name(column->type.kind));
    }
}

enum status redis_note_put(struct redis_database *self, const struct target_table *table,
                           const char *run, struct error *error)
{
    struct buffer command = {0};
    struct buffer json = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    const char *columns = known_columns(self, table->name);
    buffer_format(&json, "{\"form\":\"%s\",\"key\":[", self->form == REDIS_JSON ? "json" : "hash");
    for (uint32_t at = 0; at < table->key.count; at++) {
        buffer_append_string(&json, at > 0 ? "," : "");
        json_append_string(&json, table->key.names[at], strlen(table->key.names[at]));
    }
    buffer_append_string(&json, "],\"columns\":{");
    if (columns != NULL) {
        buffer_append_string(&json, columns);
    } else {
        append_declared(table, &json);
    }
    buffer_append_string(&json, "},\"run\":");
    json_append_string(&json, run, strlen(run));
    buffer_append_byte(&json, '}');
    resp_command(&command, "HSETNX", REDIS_NOTES, table->name, buffer_string(&json), NULL);
    enum status status = call(self, &command, true, arena, &reply, error);
    buffer_free(&json);
    arena_destroy(arena);
    return status;
}

enum status redis_note_delete(struct redis_database *self, const char *table, struct error *error)
{
    struct buffer command = {0};
    struct resp_value reply;
    struct arena *arena = arena_create(0);
    resp_command(&command, "HDEL", REDIS_NOTES, table, NULL);
    enum status status = call(self, &command, true, arena, &reply, error);
    arena_destroy(arena);
    return status;
}
