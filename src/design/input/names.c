#include "design/input/names.h"
#include "base/buffer.h"
#include "base/name_index.h"
#include "model/json_reader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct named_table {
    const char *name;
    struct buffer columns; /* struct schema_column */
};

struct reading {
    struct json_reader json;
    struct arena *arena;
    const char *file;
    struct buffer tables; /* struct named_table */
    struct name_index table_names;
    struct name_index names; /* whole ones: "table.column" */
    struct input_names_report *report;
    const char *counted; /* up to here lines were counted */
    uint32_t line;
    uint32_t column;
};

/* Moves line and column to where the reader is. */
static void count_lines(struct reading *reading, const char *to)
{
    for (const char *at = reading->counted; at < to; at++) {
        if (*at == '\n') {
            reading->line++;
            reading->column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            reading->column++;
        }
    }
    reading->counted = to > reading->counted ? to : reading->counted;
}

/* The reader's own message gets the file's name, a line and a column. */
static enum status fail_at(struct reading *reading, struct error *error)
{
    char object[sizeof error->object];
    const char *why = error != NULL ? strstr(error->message, ": ") : NULL;
    char message[sizeof error->message];
    snprintf(message, sizeof message, "%s", why != NULL ? why + 2 : "malformed");
    count_lines(reading, reading->json.position);
    snprintf(object, sizeof object, "%.200s:%u:%u", reading->file, reading->line, reading->column);
    error_set(error, ERROR_SOURCE_INVALID, object, "malformed JSON: %s", message);
    return error_hint(error, "the file is a list such as [\"orders.id\", \"orders.customer_id\"]");
}

static enum status names_next(struct reading *reading, enum json_token *token, struct error *error)
{
    if (json_reader_next(&reading->json, token, error) == STATUS_FAILED) {
        return fail_at(reading, error);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- names */

static struct named_table *table_of(struct reading *reading, const char *name, size_t length)
{
    struct named_table *tables = (struct named_table *)(void *)reading->tables.data;
    uint32_t count = (uint32_t)(reading->tables.length / sizeof *tables);
    uint32_t at = name_index_find(&reading->table_names, name, length);
    if (at == NAME_INDEX_NONE) {
        const struct named_table made = {.name = arena_copy(reading->arena, name, length)};
        buffer_append(&reading->tables, &made, sizeof made);
        name_index_add(&reading->table_names, made.name, length, count);
        tables = (struct named_table *)(void *)reading->tables.data;
        at = count;
    }
    return &tables[at];
}

static void add_name(struct reading *reading, const char *text, size_t length)
{
    struct findings *findings = &reading->report->findings;
    const char *dot = memrchr(text, '.', length);
    if (memchr(text, '\0', length) != NULL) {
        findings_add(findings, reading->line, reading->column, "a name with a NUL in it");
        return;
    }
    if (dot == NULL || dot == text || dot == text + length - 1) {
        findings_add(findings, reading->line, reading->column,
                     "%.*s is no name of the form table.column", (int)(length < 200 ? length : 200),
                     text);
        return;
    }
    const char *whole = arena_copy(reading->arena, text, length);
    if (name_index_add(&reading->names, whole, length, 0) != NAME_INDEX_NONE) {
        reading->report->duplicates++;
        findings_add(findings, reading->line, reading->column, "%.200s is there twice", whole);
        return;
    }
    struct named_table *table = table_of(reading, text, (size_t)(dot - text));
    const char *name = whole + (dot - text) + 1;
    const struct schema_column column = {.name = name, .type = input_type_by_name(name)};
    buffer_append(&table->columns, &column, sizeof column);
}

static enum status read_entry(struct reading *reading, enum json_token token, struct error *error)
{
    reading->report->names++;
    if (token == JSON_TOKEN_STRING) {
        add_name(reading, reading->json.text, reading->json.length);
        return STATUS_OK;
    }
    findings_add(&reading->report->findings, reading->line, reading->column,
                 "an entry that is no text");
    if (json_reader_skip(&reading->json, token, error) == STATUS_FAILED) {
        return fail_at(reading, error);
    }
    return STATUS_OK;
}

/* White space and the comma in front of an entry. */
static const char *entry_begin(const struct reading *reading)
{
    const char *at = reading->json.position;
    while (at < reading->json.end && strchr(" \t\r\n,", *at) != NULL && *at != '\0') {
        at++;
    }
    return at;
}

static enum status read_list(struct reading *reading, struct error *error)
{
    enum json_token token = JSON_TOKEN_END;
    enum status status = names_next(reading, &token, error);
    if (status == STATUS_OK && token != JSON_TOKEN_ARRAY_BEGIN) {
        error_set(error, ERROR_SOURCE_INVALID, NULL, "JSON: expected a list of names");
        return fail_at(reading, error);
    }
    while (status == STATUS_OK) {
        count_lines(reading, entry_begin(reading));
        status = names_next(reading, &token, error);
        if (status != STATUS_OK || token == JSON_TOKEN_ARRAY_END) {
            break;
        }
        status = read_entry(reading, token, error);
    }
    return status == STATUS_OK ? names_next(reading, &token, error) : status;
}

/* ---------------------------------------------------------------- the schema */

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct schema_table *)left)->name,
                  ((const struct schema_table *)right)->name);
}

static void make_schema(struct reading *reading, struct schema *schema)
{
    struct named_table *named = (struct named_table *)(void *)reading->tables.data;
    uint32_t count = (uint32_t)(reading->tables.length / sizeof *named);
    struct schema_table *tables = arena_allocate_zeroed(reading->arena, count, sizeof *tables);
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *columns = &named[i].columns;
        tables[i] = (struct schema_table){
            .name = named[i].name, .row_count = -1, .size_bytes = -1, .long_bytes = -1};
        tables[i].column_count = (uint32_t)(columns->length / sizeof(struct schema_column));
        tables[i].columns = (const struct schema_column *)(void *)arena_copy(
            reading->arena, columns->data, columns->length);
    }
    qsort(tables, count, sizeof *tables, compare_tables);
    *schema = (struct schema){.arena = reading->arena, .tables = tables, .table_count = count};
}

static enum status names_finish(struct reading *reading, struct schema *schema, struct error *error)
{
    const struct findings *findings = &reading->report->findings;
    if (reading->tables.length > 0) {
        make_schema(reading, schema);
        return STATUS_OK;
    }
    if (reading->report->names == 0) {
        error_set(error, ERROR_SOURCE_INVALID, reading->file, "the list is empty");
    } else {
        error_set(error, ERROR_SOURCE_INVALID, reading->file,
                  "no entry of the list names a column; line %u: %s", findings->first[0].line,
                  findings->first[0].what);
    }
    return error_hint(error, "the file is a list such as [\"orders.id\", \"orders.customer_id\"]");
}

static void free_reading(struct reading *reading)
{
    struct named_table *named = (struct named_table *)(void *)reading->tables.data;
    for (size_t i = 0; i < reading->tables.length / sizeof *named; i++) {
        buffer_free(&named[i].columns);
    }
    buffer_free(&reading->tables);
}

enum status input_names_read(const char *text, size_t length, const char *file, struct arena *arena,
                             struct schema *schema, struct input_names_report *report,
                             struct error *error)
{
    struct reading reading = {.arena = arena,
                              .file = file,
                              .table_names = {.arena = arena},
                              .names = {.arena = arena},
                              .report = report,
                              .line = 1,
                              .column = 1};
    struct error own = {.code = ERROR_NONE};
    static const char mark[] = "\xef\xbb\xbf";
    size_t skipped = length >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    error = error != NULL ? error : &own;
    *report = (struct input_names_report){.findings.arena = arena};
    json_reader_init(&reading.json, text + skipped, length - skipped, JSON_DEPTH_MAX, arena);
    reading.counted = reading.json.start;
    enum status status = read_list(&reading, error);
    if (status == STATUS_OK) {
        status = names_finish(&reading, schema, error);
    }
    free_reading(&reading);
    return status;
}
