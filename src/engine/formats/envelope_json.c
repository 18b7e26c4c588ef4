/* Envelopes in reject lines. */
#include "engine/formats/envelope_json.h"

#include "model/json_writer.h"
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const char *const operations[] = {
    [RECORD_INSERT] = "insert", [RECORD_UPDATE] = "update", [RECORD_DELETE] = "delete"};
enum { OPERATION_COUNT = sizeof(operations) / sizeof(operations[0]) };

/* ---- writing */

static void append_cell_times(const struct record_envelope *envelope, const struct shape *shape,
                              struct buffer *line)
{
    bool begun = false;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const struct cell_times *times = &envelope->cell_times[i];
        if (times->write_time_us == envelope->write_time_us &&
            times->ttl_seconds == envelope->ttl_seconds) {
            continue;
        }
        buffer_append_string(line, begun ? "," : ",\"cell_times\":{");
        json_append_string(line, shape->fields[i].name, shape->fields[i].name_length);
        buffer_format(line, ":{\"write_time\":%" PRId64 ",\"ttl\":%" PRId64 "}",
                      times->write_time_us, times->ttl_seconds);
        begun = true;
    }
    buffer_append_string(line, begun ? "}" : "");
}

void envelope_json_append(const struct record_envelope *envelope, const struct shape *shape,
                          struct buffer *line)
{
    if (envelope->operation != RECORD_INSERT) {
        buffer_format(line, ",\"operation\":\"%s\"", operations[envelope->operation]);
    }
    if (envelope->write_time_us != 0) {
        buffer_format(line, ",\"write_time\":%" PRId64, envelope->write_time_us);
    }
    if (envelope->ttl_seconds != 0) {
        buffer_format(line, ",\"ttl\":%" PRId64, envelope->ttl_seconds);
    }
    if (envelope->position.length > 0) {
        buffer_append_string(line, ",\"position\":");
        json_append_base64(line, envelope->position.bytes, envelope->position.length);
    }
    if (envelope->cell_times != NULL && shape != NULL) {
        append_cell_times(envelope, shape, line);
    }
}

/* ---- reading */

struct cell *envelope_json_member(struct envelope_members *members,
                                  const struct json_reader *reader)
{
    const struct {
        const char *name;
        struct cell *cell;
    } known[] = {{"operation", &members->operation},
                 {"write_time", &members->write_time},
                 {"ttl", &members->ttl},
                 {"position", &members->position},
                 {"cell_times", &members->cell_times}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (reader->length == strlen(known[i].name) &&
            memcmp(reader->text, known[i].name, reader->length) == 0) {
            return known[i].cell;
        }
    }
    return NULL;
}

bool envelope_json_is_set(const struct envelope_members *members)
{
    return members->operation.kind != VALUE_MISSING || members->write_time.kind != VALUE_MISSING ||
           members->ttl.kind != VALUE_MISSING || members->position.kind != VALUE_MISSING ||
           members->cell_times.kind != VALUE_MISSING;
}

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, "record", "%s", what);
}

static enum status read_operation(const struct cell *cell, enum record_operation *operation,
                                  struct error *error)
{
    for (int i = 0; i < OPERATION_COUNT; i++) {
        if (cell->kind == VALUE_TEXT && cell->length == strlen(operations[i]) &&
            memcmp(cell->text, operations[i], cell->length) == 0) {
            *operation = (enum record_operation)i;
            return STATUS_OK;
        }
    }
    return cell->kind == VALUE_MISSING
               ? STATUS_OK
               : fault(error, "\"operation\" is none of insert, update and delete");
}

/* A MISSING member leaves `times` as it is. */
static enum status read_times(const struct cell *write_time, const struct cell *ttl,
                              struct cell_times *times, struct error *error)
{
    if (write_time->kind != VALUE_MISSING) {
        if (write_time->kind != VALUE_INT64) {
            return fault(error, "\"write_time\" is no whole number of microseconds");
        }
        times->write_time_us = write_time->i64;
    }
    if (ttl->kind != VALUE_MISSING) {
        if (ttl->kind != VALUE_INT64 || ttl->i64 < ENVELOPE_TTL_KEPT) {
            return fault(error, "\"ttl\" is no whole number of seconds, nor -1");
        }
        times->ttl_seconds = ttl->i64;
    }
    return STATUS_OK;
}

static enum status read_position(const struct cell *cell, struct arena *arena,
                                 struct position *position, struct error *error)
{
    struct error ignored;
    uint8_t *bytes;
    size_t length;
    if (cell->kind == VALUE_MISSING) {
        return STATUS_OK;
    }
    if (cell->kind != VALUE_TEXT || json_decode_base64(cell->text, cell->length, arena, &bytes,
                                                       &length, &ignored) != STATUS_OK) {
        return fault(error, "\"position\" is no base64 text");
    }
    *position = (struct position){bytes, (uint32_t)length};
    return STATUS_OK;
}

enum status envelope_json_find_field(const struct shape *shape, const struct cell *name,
                                     uint32_t *field, struct error *error)
{
    uint32_t count = shape == NULL ? 0 : shape->field_count;
    for (uint32_t i = 0; i < count; i++) {
        if (shape->fields[i].name_length == name->length &&
            memcmp(shape->fields[i].name, name->text, name->length) == 0) {
            *field = i;
            return STATUS_OK;
        }
    }
    return error_set(error, ERROR_REJECT_TYPE, "record", "the entity has no field '%.*s'",
                     (int)(name->length < 200 ? name->length : 200), name->text);
}

static enum status read_one_cell(const struct cell *cell, struct cell_times *times,
                                 struct error *error)
{
    const struct cell none = cell_missing();
    const struct cell *write_time = value_field(cell, "write_time");
    const struct cell *ttl = value_field(cell, "ttl");
    uint32_t known = (write_time != NULL) + (ttl != NULL);
    if (cell->kind != VALUE_MAP || cell->length != known) {
        return fault(error, "\"cell_times\" has a field whose value is no object of "
                            "\"write_time\" and \"ttl\"");
    }
    return read_times(write_time != NULL ? write_time : &none, ttl != NULL ? ttl : &none, times,
                      error);
}

static enum status read_cell_times(const struct cell *map, const struct shape *shape,
                                   struct arena *arena, struct record_envelope *envelope,
                                   struct error *error)
{
    if (map->kind == VALUE_MISSING) {
        return STATUS_OK;
    }
    if (map->kind != VALUE_MAP) {
        return fault(error, "\"cell_times\" is no object of fields");
    }
    uint32_t count = batch_shape_width(shape);
    struct cell_times *times = arena_allocate(arena, ((size_t)count + 1) * sizeof(*times));
    for (uint32_t i = 0; i < count; i++) {
        times[i] = (struct cell_times){envelope->write_time_us, envelope->ttl_seconds};
    }
    for (uint32_t i = 0; i < map->length; i++) {
        uint32_t field;
        if (map->items[2 * (size_t)i].kind != VALUE_TEXT) {
            return fault(error, "\"cell_times\" is no object of fields");
        }
        if (envelope_json_find_field(shape, &map->items[2 * (size_t)i], &field, error) !=
                STATUS_OK ||
            read_one_cell(&map->items[2 * (size_t)i + 1], &times[field], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    envelope->cell_times = times;
    return STATUS_OK;
}

enum status envelope_json_make(const struct envelope_members *members, const struct shape *shape,
                               struct arena *arena, struct record_envelope *envelope,
                               struct error *error)
{
    struct cell_times times = {0};
    *envelope = (struct record_envelope){0};
    if (read_operation(&members->operation, &envelope->operation, error) != STATUS_OK ||
        read_times(&members->write_time, &members->ttl, &times, error) != STATUS_OK ||
        read_position(&members->position, arena, &envelope->position, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    envelope->write_time_us = times.write_time_us;
    envelope->ttl_seconds = times.ttl_seconds;
    return read_cell_times(&members->cell_times, shape, arena, envelope, error);
}
