/* The definition of a table beside its files: types, key and dialect, as JSON. */
#include "connectors/csv/csv.h"

#include "base/file.h"
#include "base/text.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { DEFINITION_FORMAT = 1, DEFINITION_BYTES_MAX = 16 * 1024 * 1024, DIGITS_MAX = 20000 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a table's definition");
}

/* ---------------------------------------------------------------- types as words */

static bool read_digits(const char **at, const char *end, int32_t *value)
{
    int64_t number = 0;
    const char *start = *at;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 6) {
        ++*at;
    }
    if (text_to_int64(start, (size_t)(*at - start), &number) != STATUS_OK || number > DIGITS_MAX) {
        return false;
    }
    *value = (int32_t)number;
    return true;
}

/* "(p,s)" or "(p)", to the end. */
static bool read_digits_in_brackets(const char *at, const char *end, struct value_type *type)
{
    at++;
    if (!read_digits(&at, end, &type->precision)) {
        return false;
    }
    if (at < end && *at == ',') {
        at++;
        at += at < end && *at == ' ';
        if (!read_digits(&at, end, &type->scale)) {
            return false;
        }
    }
    return at + 1 == end && *at == ')' && type->scale <= type->precision;
}

bool csv_type_read(const char *text, size_t length, struct value_type *type)
{
    static const char zoned[] = " zoned";
    char name[24];
    const char *end = text + length;
    *type = (struct value_type){0};
    size_t zoned_length = sizeof zoned - 1;
    if (length > zoned_length && memcmp(end - zoned_length, zoned, zoned_length) == 0) {
        type->zoned = true;
        length -= zoned_length;
        end -= zoned_length;
    }
    size_t word = 0;
    while (word < length && text[word] != '(') {
        word++;
    }
    if (word == 0 || word >= sizeof name) {
        return false;
    }
    memcpy(name, text, word);
    name[word] = '\0';
    type->kind = value_kind_by_name(name);
    bool has_digits = word < length;
    if (type->kind == VALUE_KIND_COUNT || type->kind < VALUE_BOOL || type->kind > VALUE_MAP ||
        (type->zoned && type->kind != VALUE_TIME && type->kind != VALUE_TIMESTAMP) ||
        (has_digits && type->kind != VALUE_DECIMAL)) {
        return false;
    }
    return !has_digits || read_digits_in_brackets(text + word, end, type);
}

const char *csv_type_text(const struct value_type *type, struct arena *arena)
{
    const char *name = value_kind_name(type->kind);
    if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        return arena_format(arena, "%s(%d,%d)", name, type->precision, type->scale);
    }
    return arena_format(arena, "%s%s", name, type->zoned ? " zoned" : "");
}

/* From `at` to the next comma outside of brackets. */
static const char *end_of_item(const char *at)
{
    bool inside = false;
    for (; *at != '\0' && (inside || *at != ','); at++) {
        inside = *at == '(' || (inside && *at != ')');
    }
    return at;
}

enum status csv_types_read(const char *text, struct arena *arena, struct csv_declared **declared,
                           uint32_t *count, struct error *error)
{
    uint32_t room = 1;
    *count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        room += *at == ',';
    }
    *declared = (struct csv_declared *)arena_allocate_zeroed(arena, room, sizeof(**declared));
    if (*declared == NULL) {
        return no_memory(error);
    }
    for (const char *at = text; *at != '\0';) {
        const char *end = end_of_item(at);
        const char *colon = end;
        while (colon > at && *colon != ':') {
            colon--;
        }
        struct csv_declared *item = &(*declared)[*count];
        if (colon == at || !csv_type_read(colon + 1, (size_t)(end - colon - 1), &item->type)) {
            error_set(error, ERROR_BAD_VALUE, "types", "\"%.*s\" is no column with its type",
                      (int)(end - at < 80 ? end - at : 80), at);
            error_hint(error, "write for example types=id:int64,price:decimal(10,2),zip:text");
            return STATUS_FAILED;
        }
        item->name = arena_copy(arena, at, (size_t)(colon - at));
        if (item->name == NULL) {
            return no_memory(error);
        }
        ++*count;
        at = *end == ',' ? end + 1 : end;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- reading */

static enum status not_understood(const char *path, const char *what, struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, path, "the table's definition is not understood: %s",
              what);
    error_hint(error, "mend it, or move it away: types are then learned from all rows");
    return STATUS_FAILED;
}

static enum status read_column(const char *path, const json_t *from, struct arena *arena,
                               struct csv_declared *column, struct error *error)
{
    const char *name = json_string_value(json_object_get(from, "name"));
    const char *type = json_string_value(json_object_get(from, "type"));
    json_int_t precision = json_integer_value(json_object_get(from, "precision"));
    json_int_t scale = json_integer_value(json_object_get(from, "scale"));
    if (name == NULL || type == NULL || !csv_type_read(type, strlen(type), &column->type)) {
        return not_understood(path, "a column without a name, or of a type that is unknown", error);
    }
    if (precision < 0 || precision > DIGITS_MAX || scale < 0 || scale > precision) {
        return not_understood(path, "a column's precision or scale", error);
    }
    column->name = arena_copy_string(arena, name);
    if (precision > 0) {
        column->type.precision = (int32_t)precision;
        column->type.scale = (int32_t)scale;
    }
    column->type.zoned = column->type.zoned || json_is_true(json_object_get(from, "zoned"));
    column->type.dynamic = json_is_true(json_object_get(from, "dynamic"));
    column->not_null = json_is_false(json_object_get(from, "null"));
    return column->name != NULL ? STATUS_OK : no_memory(error);
}

static enum status read_columns(const char *path, const json_t *from, struct arena *arena,
                                struct csv_definition *definition, struct error *error)
{
    size_t count = json_array_size(from);
    if (count > CSV_FIELDS_MAX) {
        return not_understood(path, "too many columns", error);
    }
    definition->columns =
        (struct csv_declared *)arena_allocate_zeroed(arena, count + 1, sizeof(struct csv_declared));
    if (definition->columns == NULL) {
        return no_memory(error);
    }
    for (size_t at = 0; at < count; at++) {
        if (read_column(path, json_array_get(from, at), arena, &definition->columns[at], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    definition->column_count = (uint32_t)count;
    return STATUS_OK;
}

static enum status read_key(const char *path, const json_t *from, struct arena *arena,
                            struct csv_definition *definition, struct error *error)
{
    size_t count = json_array_size(from);
    const char **names = (const char **)arena_allocate_zeroed(arena, count + 1, sizeof(*names));
    if (names == NULL) {
        return no_memory(error);
    }
    for (size_t at = 0; at < count; at++) {
        const char *name = json_string_value(json_array_get(from, at));
        if (name == NULL) {
            return not_understood(path, "its key", error);
        }
        names[at] = arena_copy_string(arena, name);
        if (names[at] == NULL) {
            return no_memory(error);
        }
    }
    definition->key = (struct column_list){names, (uint32_t)count};
    return STATUS_OK;
}

static enum status read_dialect(const char *path, json_t *from, struct arena *arena,
                                struct csv_definition *definition, struct error *error)
{
    const char *name = NULL;
    json_t *value = NULL;
    definition->dialect = csv_dialect_default();
    json_object_foreach(from, name, value)
    {
        const char *text = json_string_value(value);
        enum status status = text != NULL
                                 ? csv_dialect_set(&definition->dialect, name, text, arena, error)
                                 : STATUS_END;
        if (status != STATUS_OK) {
            return not_understood(path, "its dialect", error);
        }
    }
    return csv_dialect_check(&definition->dialect, error) == STATUS_OK
               ? STATUS_OK
               : not_understood(path, "its dialect", error);
}

static enum status read_definition(const char *path, json_t *root, struct arena *arena,
                                   struct csv_definition *definition, struct error *error)
{
    const json_t *format = json_object_get(root, "format");
    if (!json_is_integer(format) || json_integer_value(format) < 1) {
        return not_understood(path, "it has no format number", error);
    }
    if (json_integer_value(format) > DEFINITION_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, path, "a newer version of transhume wrote this");
        error_hint(error, "use that version");
        return STATUS_FAILED;
    }
    if (read_dialect(path, json_object_get(root, "dialect"), arena, definition, error) !=
            STATUS_OK ||
        read_columns(path, json_object_get(root, "columns"), arena, definition, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_key(path, json_object_get(root, "key"), arena, definition, error);
}

enum status csv_definition_read(const char *path, struct arena *arena,
                                struct csv_definition *definition, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    *definition = (struct csv_definition){0};
    if (!file_exists(path)) { /* a URI may name one file: then there is no folder to look in */
        return STATUS_END;
    }
    enum status status = file_read_all(path, DEFINITION_BYTES_MAX, arena, &text, &length, error);
    if (status != STATUS_OK) {
        if (status == STATUS_FAILED) {
            error_recode(error, ERROR_SOURCE_READ);
        }
        return status;
    }
    json_t *root = NULL;
    if (json_tree_parse(text, length, JSON_REJECT_DUPLICATES, path, ERROR_SOURCE_INVALID, &root,
                        error) != STATUS_OK) {
        char reason[200];
        (void)snprintf(reason, sizeof reason, "%.199s", error->message);
        return error->code == ERROR_MEMORY ? STATUS_FAILED : not_understood(path, reason, error);
    }
    status = read_definition(path, root, arena, definition, error);
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- writing */

static void append_option(struct buffer *out, const char *name, const char *text, size_t length)
{
    buffer_append_byte(out, out->data[out->length - 1] == '{' ? ' ' : ',');
    json_append_string(out, name, strlen(name));
    buffer_append_byte(out, ':');
    json_append_string(out, text, length);
}

static void append_character(struct buffer *out, const char *name, char byte)
{
    append_option(out, name,
                  byte == 0      ? "none"
                  : byte == '\t' ? "tab"
                                 : &byte,
                  byte == 0      ? 4
                  : byte == '\t' ? 3
                                 : 1);
}

static void append_dialect(const struct csv_dialect *dialect, struct buffer *out)
{
    static const char *const line_ends[] = {"lf", "crlf", "cr"};
    const char *line_end = line_ends[dialect->line_end];
    const char *escape = dialect->escape == dialect->quote ? "doubled" : "backslash";
    const char *bytes = dialect->bytes_form == CSV_BYTES_HEX ? "hex" : "base64";
    buffer_append_string(out, "{");
    append_character(out, "delimiter", dialect->delimiter);
    append_character(out, "quote", dialect->quote);
    append_option(out, "escape", escape, strlen(escape));
    append_character(out, "comment", dialect->comment);
    append_option(out, "header", dialect->header ? "yes" : "no", dialect->header ? 3 : 2);
    append_option(out, "null", dialect->null_text, dialect->null_length);
    append_option(out, "line_end", line_end, strlen(line_end));
    append_option(out, "bytes", bytes, strlen(bytes));
    if (dialect->encoding != NULL) {
        append_option(out, "encoding", dialect->encoding, strlen(dialect->encoding));
    }
    buffer_append_string(out, "}");
}

static void append_column(const struct schema_column *column, bool dynamic, struct buffer *out)
{
    const struct value_type *type = &column->type;
    const char *kind = value_kind_name(type->kind);
    buffer_append_string(out, "{\"name\":");
    json_append_string(out, column->name, strlen(column->name));
    buffer_format(out, ",\"type\":\"%s\"", kind);
    if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        buffer_format(out, ",\"precision\":%d,\"scale\":%d", type->precision, type->scale);
    }
    if (type->zoned) {
        buffer_append_string(out, ",\"zoned\":true");
    }
    if (dynamic) {
        buffer_append_string(out, ",\"dynamic\":true");
    }
    buffer_format(out, ",\"null\":%s}", column->not_null ? "false" : "true");
}

static enum status write_definition(const struct csv_dialect *dialect,
                                    const struct target_table *table, const bool *dynamic,
                                    const char *path, struct error *error)
{
    struct buffer out = {0};
    buffer_format(&out, "{\"format\":%d,\n \"table\":", DEFINITION_FORMAT);
    json_append_string(&out, table->name, strlen(table->name));
    buffer_append_string(&out, ",\n \"dialect\":");
    append_dialect(dialect, &out);
    buffer_append_string(&out, ",\n \"columns\":[");
    for (uint32_t at = 0; at < table->column_count; at++) {
        buffer_append_string(&out, at > 0 ? ",\n  " : "\n  ");
        append_column(&table->columns[at], dynamic[at], &out);
    }
    buffer_append_string(&out, "],\n \"key\":[");
    for (uint32_t at = 0; at < table->key.count; at++) {
        buffer_append_string(&out, at > 0 ? "," : "");
        json_append_string(&out, table->key.names[at], strlen(table->key.names[at]));
    }
    buffer_append_string(&out, "]}\n");
    enum status status = out.failed ? no_memory(error)
                                    : file_write_atomic(path, out.data, out.length,
                                                        "files.before_definition", error);
    buffer_free(&out);
    return status;
}

/* With the mutex held. NULL: memory is out. */
static struct csv_noted *noted_of(struct csv_database *database, const struct target_table *table)
{
    struct arena *arena = database->folder.arena;
    for (struct csv_noted *noted = database->noted; noted != NULL; noted = noted->next) {
        if (strcmp(noted->table, table->name) == 0) {
            return noted;
        }
    }
    struct csv_noted *made = (struct csv_noted *)arena_allocate_zeroed(arena, 1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    made->table = arena_copy_string(arena, table->name);
    made->dynamic =
        (bool *)arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof(bool));
    if (made->table == NULL || made->dynamic == NULL) {
        return NULL;
    }
    made->next = database->noted;
    database->noted = made;
    return made;
}

enum status csv_definition_prepare(struct csv_database *database, const struct target_table *table,
                                   const char *path, struct arena *scratch, struct error *error)
{
    struct csv_definition before;
    enum status status = csv_definition_read(path, scratch, &before, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&database->folder.mutex);
    struct csv_noted *noted = noted_of(database, table);
    for (uint32_t at = 0; noted != NULL && at < table->column_count; at++) {
        const struct csv_declared *was = at < before.column_count ? &before.columns[at] : NULL;
        bool same = was != NULL && strcmp(was->name, table->columns[at].name) == 0;
        noted->dynamic[at] = noted->dynamic[at] || (same && was->type.dynamic);
    }
    status = noted != NULL
                 ? write_definition(&database->dialect, table, noted->dynamic, path, error)
                 : no_memory(error);
    pthread_mutex_unlock(&database->folder.mutex);
    return status;
}

enum status csv_definition_note(struct csv_database *database, const struct target_table *table,
                                uint32_t column, struct error *error)
{
    struct arena *scratch = arena_create(4096);
    char *path = scratch != NULL
                     ? folder_definition_path(scratch, &database->folder, table->name, ".json")
                     : NULL;
    pthread_mutex_lock(&database->folder.mutex);
    struct csv_noted *noted = path != NULL ? noted_of(database, table) : NULL;
    enum status status = noted != NULL ? STATUS_OK : no_memory(error);
    if (noted != NULL && !noted->dynamic[column]) {
        noted->dynamic[column] = true;
        status = write_definition(&database->dialect, table, noted->dynamic, path, error);
    }
    pthread_mutex_unlock(&database->folder.mutex);
    arena_destroy(scratch);
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}
