/* Reading reject lines: twice over the JSON, once for the names and once for the values. */
#include "engine/mended_line.h"

#include "base/text.h"
#include "engine/format.h"
#include "engine/typed_json.h"
#include <string.h>

enum { NAME_BYTES_MAX = 1024 };

struct names {
    char entity[NAME_BYTES_MAX];
    char table[NAME_BYTES_MAX];
    char found[16];
    char run[MENDED_RUN_BYTES];
    int64_t format;
    bool has_record;
};

static bool is_key(const struct json_reader *reader, const char *name)
{
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

static void keep_name(const struct json_reader *reader, char *name, size_t size)
{
    size_t length = reader->length < size ? reader->length : size - 1;
    memcpy(name, reader->text, length);
    name[length] = '\0';
}

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, "record", "%s", what);
}

/* Where the member's text goes, whose key was just read; NULL: nowhere. */
static char *name_of(const struct json_reader *reader, struct names *names, size_t *size)
{
    const struct {
        const char *key;
        char *name;
        size_t size;
    } kept[] = {{"entity", names->entity, sizeof(names->entity)},
                {"table", names->table, sizeof(names->table)},
                {"found", names->found, sizeof(names->found)},
                {"run", names->run, sizeof(names->run)}};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (is_key(reader, kept[i].key)) {
            *size = kept[i].size;
            return kept[i].name;
        }
    }
    return NULL;
}

/* One member, whose key was just read. */
static enum status scan_member(struct json_reader *reader, struct names *names, struct error *error)
{
    enum json_token token;
    size_t size;
    char *name = name_of(reader, names, &size);
    bool is_format = is_key(reader, "format");
    bool is_record = is_key(reader, "record");
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (name != NULL && token == JSON_TOKEN_STRING) {
        keep_name(reader, name, size);
        return STATUS_OK;
    }
    if (is_format && token == JSON_TOKEN_NUMBER) {
        return text_to_int64(reader->text, reader->length, &names->format) == STATUS_OK
                   ? STATUS_OK
                   : fault(error, "\"format\" is no whole number");
    }
    names->has_record = names->has_record || (is_record && token == JSON_TOKEN_OBJECT_BEGIN);
    return json_reader_skip(reader, token, error);
}

static enum status scan_names(const char *line, size_t length, struct arena *arena,
                              struct names *names, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, line, length, JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != JSON_TOKEN_OBJECT_BEGIN) {
        return fault(error, "a line is no JSON object");
    }
    for (;;) {
        if (json_reader_next(&reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token != JSON_TOKEN_KEY) {
            break;
        }
        if (scan_member(&reader, names, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return json_reader_next(&reader, &token,
                            error); /* JSON_TOKEN_END, or what follows is a fault */
}

enum status mended_line_scan(const struct plan *plan, const char *line, size_t length,
                             struct mended_line *mended, struct error *error)
{
    struct names names = {.format = CONTROL_FORMAT};
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a line");
    }
    enum status status = scan_names(line, length, arena, &names, error);
    arena_destroy(arena);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (names.format > CONTROL_FORMAT) {
        return error_set(error, ERROR_FORMAT_NEWER, "record",
                         "a newer version of transhume wrote it");
    }
    if (!names.has_record) {
        return fault(error, "there is no \"record\" object to load");
    }
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        if (strcmp(entity->name, names.entity) == 0 &&
            strcmp(plan->tables[entity->table].target.name, names.table) == 0) {
            mended->entity = i;
            mended->inserts = strcmp(names.found, "missing") == 0;
            return STATUS_OK;
        }
    }
    return error_set(error, ERROR_REJECT_UNREADABLE, "record",
                     "the plan has no entity '%s' in a table '%s'", names.entity, names.table);
}

enum status mended_line_run(const char *line, size_t length, char run[MENDED_RUN_BYTES],
                            struct error *error)
{
    struct names names = {0};
    struct arena *arena = arena_create(0);
    run[0] = '\0';
    if (arena == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a line");
    }
    enum status status = scan_names(line, length, arena, &names, error);
    arena_destroy(arena);
    if (status == STATUS_OK) {
        memcpy(run, names.run, sizeof(names.run));
    } else if (error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return STATUS_OK;
}

/* ---- the record */

struct parts {
    struct cell record;
    struct cell key;
    struct cell source;
};

/* `shape` NULL: documents, one cell that is the record. */
static enum status fill_cells(const struct cell *record, const struct shape *shape,
                              struct cell *cells, struct error *error)
{
    if (shape == NULL) {
        cells[0] = *record;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < shape->field_count; i++) {
        cells[i] = cell_missing();
    }
    for (uint32_t i = 0; i < record->length; i++) {
        const struct cell *name = &record->items[2 * (size_t)i];
        uint32_t field = 0;
        while (field < shape->field_count &&
               (shape->fields[field].name_length != name->length ||
                memcmp(shape->fields[field].name, name->text, name->length) != 0)) {
            field++;
        }
        if (field == shape->field_count) {
            return error_set(error, ERROR_REJECT_TYPE, "record", "the entity has no field '%.*s'",
                             (int)(name->length < 200 ? name->length : 200), name->text);
        }
        cells[field] = name[1];
    }
    return STATUS_OK;
}

static enum status read_member(struct json_reader *reader, struct arena *arena, struct parts *parts,
                               struct error *error)
{
    enum json_token token;
    struct cell *to = is_key(reader, "record")   ? &parts->record
                      : is_key(reader, "key")    ? &parts->key
                      : is_key(reader, "source") ? &parts->source
                                                 : NULL;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return to != NULL ? typed_json_read_fields(reader, token, arena, to, error)
                      : json_reader_skip(reader, token, error);
}

static bool has_text_keys(const struct cell *map)
{
    for (uint32_t i = 0; i < map->length; i++) {
        if (map->items[2 * (size_t)i].kind != VALUE_TEXT) {
            return false;
        }
    }
    return true;
}

/* The line was scanned before: it is an object. */
static enum status read_parts(const char *line, size_t length, struct arena *arena,
                              struct parts *parts, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    *parts = (struct parts){.record = cell_missing()};
    json_reader_init(&reader, line, length, JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (;;) {
        if (json_reader_next(&reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (token != JSON_TOKEN_KEY) {
            break;
        }
        if (read_member(&reader, arena, parts, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return parts->record.kind == VALUE_MAP && has_text_keys(&parts->record)
               ? STATUS_OK
               : fault(error, "the \"record\" is no plain object");
}

enum status mended_line_check(const struct plan *plan, const char *line, size_t length,
                              struct mended_line *mended, struct error *error)
{
    struct parts parts;
    if (mended_line_scan(plan, line, length, mended, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended->entity]);
    struct arena *arena = arena_create(0);
    struct cell *cells =
        arena == NULL ? NULL
                      : arena_allocate_zeroed(arena, batch_shape_width(shape), sizeof(*cells));
    enum status status = cells == NULL
                             ? error_set(error, ERROR_MEMORY, NULL, "no memory for a line")
                             : read_parts(line, length, arena, &parts, error);
    if (status == STATUS_OK) {
        status = fill_cells(&parts.record, shape, cells, error);
    }
    arena_destroy(arena);
    return status;
}

enum status mended_line_append(const char *line, size_t length, struct batch *batch,
                               struct error *error)
{
    struct parts parts;
    uint32_t fields = batch_shape_width(batch->shape);
    char *copy = arena_copy(batch->arena, line, length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    if (read_parts(copy, length, batch->arena, &parts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_text = parts.source.kind == VALUE_TEXT;
    char *source = arena_copy(batch->arena, is_text ? parts.source.text : "",
                              is_text ? parts.source.length : 0);
    struct cell *cells = source == NULL ? NULL : batch_append(batch);
    if (cells == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    cells[fields] = parts.key.kind == VALUE_MAP ? parts.key : cell_missing();
    cells[fields + 1] = cell_text(source, is_text ? parts.source.length : 0);
    return fill_cells(&parts.record, batch->shape, cells, error);
}
