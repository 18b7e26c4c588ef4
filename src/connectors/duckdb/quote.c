/* Names and texts as DuckDB takes them. */
#include "base/buffer.h"
#include "connectors/duckdb/duckdb_internal.h"
#include <string.h>

static void append_quoted(struct buffer *out, const char *text, size_t length, char quote)
{
    buffer_append_byte(out, quote);
    for (size_t i = 0; i < length; i++) {
        buffer_append_byte(out, text[i]);
        if (text[i] == quote) {
            buffer_append_byte(out, quote);
        }
    }
    buffer_append_byte(out, quote);
}

void duckdb_append_name(struct buffer *out, const char *name)
{
    append_quoted(out, name, strlen(name), '"');
}

/* A literal can't hold NUL: what has one is put together. */
void duckdb_append_text(struct buffer *out, const char *text, size_t length)
{
    const char *nul = memchr(text, '\0', length);
    if (nul == NULL) {
        append_quoted(out, text, length, '\'');
        return;
    }
    size_t before = (size_t)(nul - text);
    buffer_append_byte(out, '(');
    append_quoted(out, text, before, '\'');
    buffer_append_string(out, " || chr(0) || ");
    duckdb_append_text(out, nul + 1, length - before - 1);
    buffer_append_byte(out, ')');
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *name)
{
    const char *database = ((const struct duckdb_database *)self)->name;
    if (database != NULL) {
        duckdb_append_name(out, database);
        buffer_append_byte(out, '.');
    }
    duckdb_append_name(out, self->schema);
    buffer_append_byte(out, '.');
    duckdb_append_name(out, name);
}

const struct sql_quoting duckdb_quoting = {.append_name = duckdb_append_name,
                                           .append_text = duckdb_append_text,
                                           .append_table = append_table};

struct buffer *duckdb_append(struct buffer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(out, &duckdb_quoting, format, arguments);
    va_end(arguments);
    return out;
}
