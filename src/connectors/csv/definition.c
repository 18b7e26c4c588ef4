/* The definition of a table beside its files: types, key and dialect, as JSON. */
#include "connectors/csv/csv.h"

#include "base/file.h"
#include "base/name_index.h"
#include "base/text.h"
#include <string.h>
#include <strings.h>

enum { DIGITS_MAX = 20000 };

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

/* "int64", "decimal(10,2)", "timestamp", "timestamp zoned". False: no such type. */
static bool csv_type_read(const char *text, size_t length, struct value_type *type)
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
    struct name_index names = {.arena = arena};
    *count = 0;
    for (const char *at = text; *at != '\0'; at++) {
        room += *at == ',';
    }
    *declared = arena_allocate_zeroed(arena, room, sizeof(**declared));
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
            return error_hint(error,
                              "write for example types=id:int64,price:decimal(10,2),zip:text");
        }
        item->name = arena_copy(arena, at, (size_t)(colon - at));
        if (name_index_add(&names, item->name, (size_t)(colon - at), *count) != NAME_INDEX_NONE) {
            char shown[100];
            text_printable(item->name, strlen(item->name), shown, sizeof shown);
            error_set(error, ERROR_BAD_VALUE, "types", "column %s is there twice", shown);
            return error_hint(error,
                              "a name that several tables have means all of them; to give each a "
                              "type of its own, copy them one by one: --include TABLE");
        }
        ++*count;
        at = *end == ',' ? end + 1 : end;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the definition */

enum { OPTIONS_COUNT = 10 };

static enum status read_dialect(const char *path, const struct folder_sidecar *sidecar,
                                struct arena *arena, struct csv_dialect *dialect,
                                struct error *error)
{
    struct error reason = {0};
    enum status status = STATUS_OK;
    *dialect = csv_dialect_default();
    for (uint32_t at = 0; status == STATUS_OK && at < sidecar->option_count; at++) {
        status = csv_dialect_set(dialect, sidecar->options[at].name, sidecar->options[at].text,
                                 arena, &reason);
    }
    status = status == STATUS_OK ? csv_dialect_check(dialect, &reason) : status;
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, path, "its dialect is not understood: %s",
              status == STATUS_END ? "an option that is unknown" : reason.message);
    return error_hint(error, "mend the file, or remove it: then types are learnt from the rows");
}

enum status csv_definition_read(const char *path, struct arena *arena,
                                struct csv_definition *definition, struct error *error)
{
    *definition = (struct csv_definition){0};
    if (!file_exists(path)) { /* a URI may name one file: then there is no folder to look in */
        return STATUS_END;
    }
    enum status status = folder_sidecar_read(path, arena, &definition->sidecar, error);
    if (status != STATUS_OK) {
        return status;
    }
    return read_dialect(path, &definition->sidecar, arena, &definition->dialect, error);
}

static const char *text_of_character(char byte, struct arena *arena)
{
    return byte == 0 ? "none" : byte == '\t' ? "tab" : arena_copy(arena, &byte, 1);
}

/* Fills OPTIONS_COUNT options; their number comes back. */
static uint32_t options_of(const struct csv_dialect *dialect, struct arena *arena,
                           struct folder_sidecar_option *options)
{
    static const char *const line_ends[] = {"lf", "crlf", "cr"};
    uint32_t count = 0;
    options[count++] =
        (struct folder_sidecar_option){"delimiter", text_of_character(dialect->delimiter, arena)};
    options[count++] =
        (struct folder_sidecar_option){"quote", text_of_character(dialect->quote, arena)};
    options[count++] = (struct folder_sidecar_option){
        "escape", dialect->escape == dialect->quote ? "doubled" : "backslash"};
    options[count++] =
        (struct folder_sidecar_option){"comment", text_of_character(dialect->comment, arena)};
    options[count++] = (struct folder_sidecar_option){"header", dialect->header ? "yes" : "no"};
    options[count++] = (struct folder_sidecar_option){"null", dialect->null_text};
    options[count++] = (struct folder_sidecar_option){"line_end", line_ends[dialect->line_end]};
    options[count++] = (struct folder_sidecar_option){
        "bytes", dialect->bytes_form == CSV_BYTES_HEX ? "hex" : "base64"};
    if (dialect->encoding != NULL) {
        options[count++] = (struct folder_sidecar_option){"encoding", dialect->encoding};
    }
    return count;
}

static enum status write_definition(const struct csv_dialect *dialect,
                                    const struct target_table *table, const bool *dynamic,
                                    const char *path, struct arena *scratch, struct error *error)
{
    struct folder_sidecar_option options[OPTIONS_COUNT];
    struct target_table copy = *table;
    struct schema_column *columns =
        arena_allocate_zeroed(scratch, (size_t)table->column_count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < table->column_count; at++) {
        columns[at] = table->columns[at];
        columns[at].type.dynamic = dynamic[at];
    }
    copy.columns = columns;
    return folder_sidecar_write(path, &copy, false, false, options,
                                options_of(dialect, scratch, options), error);
}

/* With the mutex held. */
static struct csv_noted *noted_of(struct csv_database *database, const struct target_table *table)
{
    struct arena *arena = database->folder.arena;
    for (struct csv_noted *noted = database->noted; noted != NULL; noted = noted->next) {
        if (strcmp(noted->table, table->name) == 0) {
            return noted;
        }
    }
    struct csv_noted *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    made->table = arena_copy_string(arena, table->name);
    made->dynamic = arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof(bool));
    made->next = database->noted;
    database->noted = made;
    return made;
}

/* The first option by which they differ; NULL: none that a reader would notice. */
static const char *differing_option(const struct csv_dialect *one, const struct csv_dialect *other)
{
    const char *encoding = one->encoding != NULL ? one->encoding : "";
    const char *other_encoding = other->encoding != NULL ? other->encoding : "";
    return one->delimiter != other->delimiter              ? "delimiter"
           : one->quote != other->quote                    ? "quote"
           : one->escape != other->escape                  ? "escape"
           : one->comment != other->comment                ? "comment"
           : one->header != other->header                  ? "header"
           : one->line_end != other->line_end              ? "line_end"
           : one->bytes_form != other->bytes_form          ? "bytes"
           : strcmp(one->null_text, other->null_text) != 0 ? "null"
           : strcasecmp(encoding, other_encoding) != 0     ? "encoding"
                                                           : NULL;
}

/* One table has one dialect: files that are there hold it, of this run or an earlier one. */
static enum status check_dialect(struct csv_database *database, const struct target_table *table,
                                 const struct csv_dialect *before, struct arena *scratch,
                                 struct error *error)
{
    struct folder_file *files = NULL;
    uint32_t count = 0;
    const char *option = differing_option(before, &database->dialect);
    if (option == NULL) {
        return STATUS_OK;
    }
    char *folder = folder_table_path(scratch, &database->folder, table->name);
    if (folder_list(database->folder.format, folder, scratch, &files, &count, error) ==
        STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (count == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_SCHEMA, table->name,
              "its files are written with another %s than this run says", option);
    return error_hint(error, "give the target the options that they were begun with");
}

enum status csv_definition_prepare(struct csv_database *database, const struct target_table *table,
                                   const char *path, struct arena *scratch, struct error *error)
{
    struct csv_definition before;
    enum status status = csv_definition_read(path, scratch, &before, error);
    if (status == STATUS_FAILED ||
        (status == STATUS_OK &&
         check_dialect(database, table, &before.dialect, scratch, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&database->folder.mutex);
    struct csv_noted *noted = noted_of(database, table);
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *was =
            at < before.sidecar.column_count ? &before.sidecar.columns[at] : NULL;
        bool same = was != NULL && strcmp(was->name, table->columns[at].name) == 0;
        noted->dynamic[at] = noted->dynamic[at] || (same && was->type.dynamic);
    }
    status = write_definition(&database->dialect, table, noted->dynamic, path, scratch, error);
    pthread_mutex_unlock(&database->folder.mutex);
    return status;
}

enum status csv_definition_note(struct csv_database *database, const struct target_table *table,
                                uint32_t column, struct error *error)
{
    struct arena *scratch = arena_create(4096);
    char *path = folder_definition_path(scratch, &database->folder, table->name, ".json");
    pthread_mutex_lock(&database->folder.mutex);
    struct csv_noted *noted = noted_of(database, table);
    enum status status = STATUS_OK;
    if (!noted->dynamic[column]) {
        noted->dynamic[column] = true;
        status = write_definition(&database->dialect, table, noted->dynamic, path, scratch, error);
    }
    pthread_mutex_unlock(&database->folder.mutex);
    arena_destroy(scratch);
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}
