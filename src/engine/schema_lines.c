/* Facts of a schema as sorted lines, and their difference. */
#include "engine/schema_lines.h"

#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { DIFFERENCES_SHOWN_MAX = 4, LINE_SHOWN_MAX = 120 };

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

void schema_lines_append(const struct schema *schema, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
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

/* ---- comparing */

struct lines {
    char *text;
    char **lines;
    size_t count;
};

static bool lines_make(const char *text, struct lines *lines)
{
    size_t count = 1;
    for (const char *c = text; *c != '\0'; c++) {
        count += *c == '\n';
    }
    *lines = (struct lines){.text = strdup(text)};
    lines->lines = calloc(count, sizeof(lines->lines[0]));
    char *next = lines->text;
    for (char *line; lines->lines != NULL && (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0') {
            lines->lines[lines->count++] = line;
        }
    }
    if (lines->text == NULL || lines->lines == NULL) {
        return false;
    }
    qsort(lines->lines, lines->count, sizeof(char *), text_compare_strings);
    return true;
}

static void lines_free(struct lines *lines)
{
    free(lines->text);
    free(lines->lines);
}

static void append_missing(const struct lines *from, const struct lines *in, const char *what,
                           int *shown, struct buffer *out)
{
    for (size_t i = 0; i < from->count && *shown < DIFFERENCES_SHOWN_MAX; i++) {
        if (bsearch(&from->lines[i], in->lines, in->count, sizeof(char *), text_compare_strings) ==
            NULL) {
            size_t length = text_clip(from->lines[i], strlen(from->lines[i]), LINE_SHOWN_MAX);
            buffer_format(out, "%s%.*s is %s", *shown > 0 ? "; " : "", (int)length, from->lines[i],
                          what);
            (*shown)++;
        }
    }
}

void schema_lines_compare(const char *before, const char *now, struct buffer *out)
{
    struct lines old;
    struct lines current;
    int shown = 0;
    bool made = lines_make(before, &old);
    made = lines_make(now, &current) && made;
    if (made) {
        append_missing(&current, &old, "new", &shown, out);
        append_missing(&old, &current, "gone", &shown, out);
    }
    lines_free(&old);
    lines_free(&current);
}
