/* Facts of a schema as sorted lines, and their difference. */
#include "engine/session/schema_lines.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { DIFFERENCES_SHOWN_MAX = 4, LINE_SHOWN_MAX = 120 };

static const char object_prefix[] = "object ";

static void append_name(struct buffer *out, const char *name)
{
    char printable[256];
    text_printable(name, strlen(name), printable, sizeof(printable));
    buffer_append_string(out, printable);
}

static void append_columns(struct buffer *out, const struct column_list *columns)
{
    buffer_append_byte(out, '(');
    for (uint32_t i = 0; i < columns->count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_name(out, columns->names[i]);
    }
    buffer_append_byte(out, ')');
}

static void append_column(struct buffer *out, const struct schema_table *table,
                          const struct schema_column *column)
{
    buffer_append_string(out, "column ");
    append_name(out, table->name);
    buffer_append_byte(out, '.');
    append_name(out, column->name);
    buffer_append_byte(out, ' ');
    append_name(out, column->type.native == NULL ? value_kind_name(column->type.kind)
                                                 : column->type.native);
    buffer_append_string(out, column->not_null ? " not null\n" : "\n");
}

void schema_lines_append(const struct schema *schema, bool views, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
        if (!views && table->kind != SCHEMA_TABLE) {
            continue;
        }
        buffer_append_string(out, table->kind == SCHEMA_TABLE ? "table " : "view ");
        append_name(out, table->name);
        buffer_append_byte(out, '\n');
        for (uint32_t j = 0; j < table->column_count; j++) {
            append_column(out, table, &table->columns[j]);
        }
        if (table->primary_key.count > 0) {
            buffer_append_string(out, "key of ");
            append_name(out, table->name);
            append_columns(out, &table->primary_key);
            buffer_append_byte(out, '\n');
        }
    }
}

/* A sequence's text holds its last number, which is no part of the schema. */
static void append_object(struct buffer *out, const struct schema_object *object)
{
    char hex[33] = "-";
    if (object->native_sql != NULL && object->kind != SCHEMA_OBJECT_SEQUENCE) {
        XXH128_hash_t hash = XXH3_128bits(object->native_sql, strlen(object->native_sql));
        text_from_hash(hash.high64, hash.low64, hex);
    }
    buffer_format(out, "%s%s ", object_prefix, schema_object_word(object));
    append_name(out, object->name);
    buffer_format(out, " %s\n", hex);
}

static void append_hash(struct buffer *out, const char *text)
{
    char hex[33];
    XXH128_hash_t hash = XXH3_128bits(text, strlen(text));
    text_from_hash(hash.high64, hash.low64, hex);
    buffer_format(out, " %s\n", hex);
}

/* The parts of a table that are neither columns nor keys, as objects are told. */
static void append_constraints(struct buffer *out, const struct schema_table *table)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        buffer_format(out, "%s%s ", object_prefix, index->unique ? "unique index" : "index");
        append_name(out, index->name != NULL ? index->name : "");
        append_columns(out, &index->columns);
        buffer_append_string(out, " of ");
        append_name(out, table->name);
        buffer_append_string(out, " -\n");
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        buffer_format(out, "%sforeign key ", object_prefix);
        append_columns(out, &table->foreign_keys[i].columns);
        buffer_append_string(out, " of ");
        append_name(out, table->name);
        append_hash(out, table->foreign_keys[i].references);
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        buffer_format(out, "%scheck of ", object_prefix);
        append_name(out, table->name);
        append_hash(out, table->checks[i]);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].default_text != NULL) {
            buffer_format(out, "%sdefault ", object_prefix);
            append_name(out, table->name);
            buffer_append_byte(out, '.');
            append_name(out, table->columns[i].name);
            append_hash(out, table->columns[i].default_text);
        }
    }
}

void schema_lines_append_constraints(const struct schema *schema, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (schema->tables[i].kind == SCHEMA_TABLE) {
            append_constraints(out, &schema->tables[i]);
        }
    }
}

void schema_lines_append_objects(const struct schema *schema, bool all, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        if (all ? object->kind != SCHEMA_OBJECT_DETAIL : schema_object_makes_records(object)) {
            append_object(out, object);
        }
    }
}

bool schema_lines_have_table(const char *text, const struct schema_table *table)
{
    struct buffer line = {0};
    buffer_append_string(&line, table->kind == SCHEMA_TABLE ? "\ntable " : "\nview ");
    append_name(&line, table->name);
    buffer_append_byte(&line, '\n');
    const char *wanted = buffer_string(&line);
    bool found = strncmp(text, wanted + 1, line.length - 1) == 0 || strstr(text, wanted) != NULL ||
                 (table->kind != SCHEMA_TABLE && strstr(text, "\nview ") == NULL);
    buffer_free(&line);
    return found;
}

/* ---- comparing */

/* Objects are compared by their hash, too. */
static int compare_whole(const void *left, const void *right)
{
    const char *const *one = left;
    const char *const *other = right;
    int order = strcmp(*one, *other);
    return order != 0 ? order : strcmp(*one + strlen(*one) + 1, *other + strlen(*other) + 1);
}

struct lines {
    char *text;
    char **lines;
    size_t count;
};

/* The lines of objects, or all others. Objects' lines become name, NUL, hash. */
static void lines_make(const char *text, bool objects, struct lines *lines)
{
    size_t count = 1;
    for (const char *c = text; *c != '\0'; c++) {
        count += *c == '\n';
    }
    *lines = (struct lines){.text = memory_copy_string(text)};
    lines->lines = memory_allocate_zeroed(count, sizeof(lines->lines[0]));
    char *next = lines->text;
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        bool object = strncmp(line, object_prefix, strlen(object_prefix)) == 0;
        char *hash = object ? strrchr(line, ' ') : NULL;
        if (*line == '\0' || object != objects) {
            continue;
        }
        if (object) {
            *hash = '\0';
        }
        lines->lines[lines->count++] = object ? line + strlen(object_prefix) : line;
    }
    qsort(lines->lines, lines->count, sizeof(char *),
          objects ? compare_whole : text_compare_strings);
}

static void lines_free(struct lines *lines)
{
    free(lines->text);
    free(lines->lines);
}

static void append_difference(const char *line, const char *what, int *shown, struct buffer *out)
{
    size_t length = text_clip(line, strlen(line), LINE_SHOWN_MAX);
    buffer_format(out, "%s%.*s %s", *shown > 0 ? "; " : "", (int)length, line, what);
    (*shown)++;
}

/* The default of a column that is new or gone itself. */
static bool is_of_no_column(const char *line, const char *text)
{
    static const char word[] = "default ";
    struct buffer wanted = {0};
    if (strncmp(line, word, sizeof word - 1) != 0) {
        return false;
    }
    buffer_format(&wanted, "\ncolumn %s ", line + sizeof word - 1);
    bool of_none = strstr(text, buffer_string(&wanted)) == NULL;
    buffer_free(&wanted);
    return of_none;
}

static void append_missing(const struct lines *from, const struct lines *in, const char *text,
                           const char *what, int *shown, struct buffer *out)
{
    for (size_t i = 0; i < from->count && *shown < DIFFERENCES_SHOWN_MAX; i++) {
        if (is_of_no_column(from->lines[i], text)) {
            continue;
        }
        if (bsearch(&from->lines[i], in->lines, in->count, sizeof(char *), text_compare_strings) ==
            NULL) {
            append_difference(from->lines[i], what, shown, out);
        }
    }
}

static void append_changed(const struct lines *now, const struct lines *before, int *shown,
                           struct buffer *out)
{
    for (size_t i = 0; i < now->count && *shown < DIFFERENCES_SHOWN_MAX; i++) {
        char **line = &now->lines[i];
        bool named = bsearch(line, before->lines, before->count, sizeof(char *),
                             text_compare_strings) != NULL;
        bool same = named && bsearch(line, before->lines, before->count, sizeof(char *),
                                     compare_whole) != NULL;
        if (named && !same) {
            append_difference(*line, "differs", shown, out);
        }
    }
}

static void session_schema_lines_compare(const char *before, const char *now, bool objects,
                                         struct buffer *out)
{
    struct lines old;
    struct lines current;
    int shown = 0;
    lines_make(before, objects, &old);
    lines_make(now, objects, &current);
    if (objects) {
        append_changed(&current, &old, &shown, out);
    }
    append_missing(&current, &old, before, "is new", &shown, out);
    append_missing(&old, &current, now, "is gone", &shown, out);
    lines_free(&old);
    lines_free(&current);
}

void schema_lines_compare(const char *before, const char *now, struct buffer *out)
{
    session_schema_lines_compare(before, now, false, out);
}

void schema_lines_compare_objects(const char *before, const char *now, struct buffer *out)
{
    session_schema_lines_compare(before, now, true, out);
}
