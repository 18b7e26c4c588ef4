/* Reading reject lines: twice over the JSON, once for the names and once for the values. */
#include "engine/formats/mended_line.h"

#include "base/text.h"
#include "engine/formats/envelope_json.h"
#include "engine/formats/typed_json.h"
#include "engine/ledger/format.h"
#include "model/json_tree.h"
#include <string.h>

enum { NAME_SHOWN_BYTES = 200, MENDED_COLUMNS_MAX = 4096 };

/* Borrowed from the line or the arena; of any length, as some databases' names are. */
struct name {
    const char *text;
    size_t length;
};

struct names {
    struct name entity;
    struct name table;
    struct name found;
    struct name run;
    struct name code;
    struct name reason;
    struct name parents; /* the text of the array */
    int64_t format;
    bool has_record;
};

static const struct names no_names = {.entity = {"", 0},
                                      .table = {"", 0},
                                      .found = {"", 0},
                                      .run = {"", 0},
                                      .code = {"", 0},
                                      .reason = {"", 0},
                                      .parents = {"", 0},
                                      .format = CONTROL_FORMAT};

static bool is_key(const struct json_reader *reader, const char *name)
{
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

static bool is_name(const struct name *name, const char *text)
{
    return name->length == strlen(text) && memcmp(name->text, text, name->length) == 0;
}

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, "record", "%s", what);
}

/* Where the member's text goes, whose key was just read; NULL: nowhere. */
static struct name *name_of(const struct json_reader *reader, struct names *names)
{
    return is_key(reader, "entity")   ? &names->entity
           : is_key(reader, "table")  ? &names->table
           : is_key(reader, "found")  ? &names->found
           : is_key(reader, "run")    ? &names->run
           : is_key(reader, "code")   ? &names->code
           : is_key(reader, "reason") ? &names->reason
                                      : NULL;
}

/* One member, whose key was just read. */
static enum status scan_member(struct json_reader *reader, struct names *names, struct error *error)
{
    enum json_token token;
    struct name *name = name_of(reader, names);
    bool is_format = is_key(reader, "format");
    bool is_record = is_key(reader, "record");
    bool is_parents = is_key(reader, "parents_differ");
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (name != NULL && token == JSON_TOKEN_STRING) {
        *name = (struct name){reader->text, reader->length};
        return STATUS_OK;
    }
    if (is_format && token == JSON_TOKEN_NUMBER) {
        return text_to_int64(reader->text, reader->length, &names->format) == STATUS_OK
                   ? STATUS_OK
                   : fault(error, "\"format\" is no whole number");
    }
    names->has_record = names->has_record || (is_record && token == JSON_TOKEN_OBJECT_BEGIN);
    const char *begin = reader->position - 1;
    if (json_reader_skip(reader, token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_parents && token == JSON_TOKEN_ARRAY_BEGIN) {
        names->parents = (struct name){begin, (size_t)(reader->position - begin)};
    }
    return STATUS_OK;
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

static enum error_code code_of(const struct names *names)
{
    char text[64];
    if (names->code.length >= sizeof text) {
        return ERROR_NONE;
    }
    memcpy(text, names->code.text, names->code.length);
    text[names->code.length] = '\0';
    return error_code_find(text);
}

static enum status find_entity(const struct plan *plan, const struct names *names,
                               struct mended_line *mended, struct error *error)
{
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        if (is_name(&names->entity, entity->name) &&
            is_name(&names->table, plan->tables[entity->table].target.name)) {
            mended->entity = i;
            mended->inserts = is_name(&names->found, "missing");
            mended->parents_differ = names->parents.length > 0;
            mended->code = code_of(names);
            return STATUS_OK;
        }
    }
    char entity[NAME_SHOWN_BYTES];
    char table[NAME_SHOWN_BYTES];
    text_printable(names->entity.text, names->entity.length, entity, sizeof(entity));
    text_printable(names->table.text, names->table.length, table, sizeof(table));
    return error_set(error, ERROR_REJECT_UNREADABLE, "record",
                     "the plan has no entity '%s' in a table '%s'", entity, table);
}

static enum status scan_line(const struct plan *plan, const char *line, size_t length,
                             struct arena *arena, struct mended_line *mended, struct error *error)
{
    struct names names = no_names;
    if (scan_names(line, length, arena, &names, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (names.format > CONTROL_FORMAT) {
        return error_set(error, ERROR_FORMAT_NEWER, "record",
                         "a newer version of transhume wrote it");
    }
    return names.has_record ? find_entity(plan, &names, mended, error)
                            : fault(error, "there is no \"record\" object to load");
}

enum status mended_line_scan(const struct plan *plan, const char *line, size_t length,
                             struct mended_line *mended, struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = scan_line(plan, line, length, arena, mended, error);
    arena_destroy(arena);
    return status;
}

enum status mended_line_run(const char *line, size_t length, char run[MENDED_RUN_BYTES],
                            struct error *error)
{
    struct names names = no_names;
    struct arena *arena = arena_create(0);
    run[0] = '\0';
    enum status status = scan_names(line, length, arena, &names, error);
    if (status == STATUS_OK && names.run.length < MENDED_RUN_BYTES) {
        memcpy(run, names.run.text, names.run.length);
        run[names.run.length] = '\0';
    }
    arena_destroy(arena);
    if (status != STATUS_OK && error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return STATUS_OK;
}

const char *mended_line_reason(const char *line, size_t length, struct arena *arena)
{
    struct names names = no_names;
    struct error ignored = {0};
    struct arena *scratch = arena_create(0);
    const char *reason = "";
    if (scan_names(line, length, scratch, &names, &ignored) == STATUS_OK) {
        reason = arena_copy(arena, names.reason.text, names.reason.length);
    }
    arena_destroy(scratch);
    return reason;
}

/* ---- parents that differ */

static bool read_columns(const json_t *list, struct arena *arena, struct column_list *columns)
{
    size_t count = json_array_size(list);
    const char **names = arena_allocate_zeroed(arena, count + 1, sizeof *names);
    bool good = count > 0 && count <= MENDED_COLUMNS_MAX;
    for (size_t i = 0; good && i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        good = name != NULL;
        names[i] = good ? arena_copy_string(arena, name) : NULL;
    }
    *columns = (struct column_list){.names = names, .count = (uint32_t)(good ? count : 0)};
    return good;
}

static bool read_parent(const json_t *object, struct arena *arena, struct mended_parent *parent)
{
    const char *table = json_string_value(json_object_get(object, "table"));
    const char *hash = json_string_value(json_object_get(object, "hash"));
    if (table == NULL || hash == NULL || canonical_hash_parse(hash, &parent->hash) != STATUS_OK) {
        return false;
    }
    parent->table = arena_copy_string(arena, table);
    return read_columns(json_object_get(object, "key"), arena, &parent->key) &&
           read_columns(json_object_get(object, "columns"), arena, &parent->columns);
}

enum status mended_line_parents(const char *line, size_t length, struct arena *arena,
                                enum status (*take)(void *context,
                                                    const struct mended_parent *parent,
                                                    struct error *error),
                                void *context, struct error *error)
{
    struct names names = no_names;
    json_t *list = NULL;
    struct arena *texts = arena_create(0);
    enum status status = scan_names(line, length, texts, &names, error);
    if (status == STATUS_OK && names.parents.length > 0) {
        status = json_tree_parse(names.parents.text, names.parents.length, 0, "parents_differ",
                                 ERROR_REJECT_UNREADABLE, &list, error);
    }
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(list); i++) {
        struct mended_parent parent;
        status = read_parent(json_array_get(list, i), arena, &parent)
                     ? take(context, &parent, error)
                     : fault(error, "\"parents_differ\" is damaged: leave it as it was, or out");
    }
    json_decref(list);
    arena_destroy(texts);
    return status;
}

/* ---- the record */

struct parts {
    struct cell record;
    struct cell key;
    struct cell source;
    struct envelope_members envelope;
    bool leaves_omitted; /* fields of the record that can't be read are left out */
    bool incomplete;     /* some were */
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
        uint32_t field;
        if (envelope_json_find_field(shape, name, &field, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        cells[field] = name[1];
    }
    return STATUS_OK;
}

/* The value of a field, whose name was just read. STATUS_END: it is left out. */
static enum status read_known_value(struct json_reader *reader, struct arena *arena,
                                    struct cell *value, struct error *error)
{
    enum json_token token;
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct json_reader before = *reader;
    if (typed_json_read(reader, token, arena, value, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    *reader = before;
    return json_reader_skip(reader, token, error) == STATUS_OK ? STATUS_END : STATUS_FAILED;
}

/* The fields of a record, as far as they can be read. */
static enum status read_known_fields(struct json_reader *reader, struct arena *arena,
                                     struct parts *parts, struct error *error)
{
    struct json_reader ahead = *reader;
    enum json_token token;
    uint32_t count = 0;
    enum status status;
    while ((status = json_reader_next(&ahead, &token, error)) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        count++;
        if (json_reader_skip(&ahead, token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    struct cell *items = arena_allocate_zeroed(arena, 2 * (size_t)count + 1, sizeof *items);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = json_reader_next(reader, &token, error);
        items[2 * kept] = cell_text(reader->text, reader->length);
        status = status == STATUS_OK ? read_known_value(reader, arena, &items[2 * kept + 1], error)
                                     : status;
        kept += status == STATUS_OK;
        parts->incomplete |= status == STATUS_END;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    parts->record = cell_items(VALUE_MAP, items, kept);
    return status == STATUS_OK ? json_reader_next(reader, &token, error) : status;
}

static enum status read_member(struct json_reader *reader, struct arena *arena, struct parts *parts,
                               struct error *error)
{
    enum json_token token;
    struct cell *to = is_key(reader, "record")   ? &parts->record
                      : is_key(reader, "key")    ? &parts->key
                      : is_key(reader, "source") ? &parts->source
                                                 : NULL;
    to = to != NULL ? to : envelope_json_member(&parts->envelope, reader);
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (to == &parts->record && parts->leaves_omitted && token == JSON_TOKEN_OBJECT_BEGIN) {
        return read_known_fields(reader, arena, parts, error);
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
    parts->record = cell_missing();
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

/* Loading only writes records: the one that was to be deleted would be written. */
static enum status refuse_delete(const struct record_envelope *envelope, struct error *error)
{
    if (envelope->operation != RECORD_DELETE) {
        return STATUS_OK;
    }
    error_set(error, ERROR_REJECT_TYPE, "record", "the line is of a delete, which is not loaded");
    return error_hint(error, "delete the record in the target, and leave the line out");
}

enum status mended_line_check(const struct plan *plan, const char *line, size_t length,
                              struct mended_line *mended, struct error *error)
{
    struct parts parts = {.leaves_omitted = false};
    if (mended_line_scan(plan, line, length, mended, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended->entity]);
    struct arena *arena = arena_create(0);
    struct cell *cells = arena_allocate_zeroed(arena, batch_shape_width(shape), sizeof(*cells));
    enum status status = read_parts(line, length, arena, &parts, error);
    struct record_envelope envelope;
    status = status == STATUS_OK ? fill_cells(&parts.record, shape, cells, error) : status;
    status = status == STATUS_OK
                 ? envelope_json_make(&parts.envelope, shape, arena, &envelope, error)
                 : status;
    status = status == STATUS_OK ? refuse_delete(&envelope, error) : status;
    arena_destroy(arena);
    return status;
}

/* The envelope of the row that was appended last. */
static enum status append_envelope(const struct envelope_members *members, struct batch *batch,
                                   struct error *error)
{
    if (!envelope_json_is_set(members)) {
        return STATUS_OK;
    }
    batch_add_envelopes(batch);
    return envelope_json_make(members, batch->shape, batch->arena,
                              &batch->envelopes[batch->row_count - 1], error);
}

static enum status append_line(const char *line, size_t length, struct parts *parts,
                               struct batch *batch, struct error *error)
{
    uint32_t fields = batch_shape_width(batch->shape);
    char *copy = arena_try_copy(batch->arena, line, length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    if (read_parts(copy, length, batch->arena, parts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_text = parts->source.kind == VALUE_TEXT;
    char *source = arena_copy(batch->arena, is_text ? parts->source.text : "",
                              is_text ? parts->source.length : 0);
    struct cell *cells = batch_append(batch);
    if (cells == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    cells[fields] = parts->key.kind == VALUE_MAP ? parts->key : cell_missing();
    cells[fields + 1] = cell_text(source, is_text ? parts->source.length : 0);
    return fill_cells(&parts->record, batch->shape, cells, error) == STATUS_OK
               ? append_envelope(&parts->envelope, batch, error)
               : STATUS_FAILED;
}

enum status mended_line_append(const char *line, size_t length, struct batch *batch,
                               struct error *error)
{
    struct parts parts = {.leaves_omitted = false};
    return append_line(line, length, &parts, batch, error);
}

enum status mended_line_append_known(const char *line, size_t length, struct batch *batch,
                                     bool *complete, struct error *error)
{
    struct parts parts = {.leaves_omitted = true};
    enum status status = append_line(line, length, &parts, batch, error);
    *complete = !parts.incomplete;
    return status;
}
