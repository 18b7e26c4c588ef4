/* Names and texts in SQL. */
#include "connectors/postgres/postgres_internal.h"
#include <string.h>

static void append_doubled(struct buffer *out, const char *text, size_t length, char quote)
{
    const char *end = text + length;
    buffer_append_byte(out, quote);
    while (text < end) {
        const char *found = memchr(text, quote, (size_t)(end - text));
        const char *stop = found != NULL ? found + 1 : end;
        buffer_append(out, text, (size_t)(stop - text));
        if (found != NULL) {
            buffer_append_byte(out, quote);
        }
        text = stop;
    }
    buffer_append_byte(out, quote);
}

void postgres_append_name(struct buffer *out, const char *name)
{
    append_doubled(out, name, strlen(name), '"');
}

/* standard_conforming_strings is on in every session: a backslash is a backslash. */
void postgres_append_text(struct buffer *out, const char *text, size_t length)
{
    append_doubled(out, text, length, '\'');
}

void postgres_append_table(struct buffer *out, const struct postgres_database *self,
                           const char *name)
{
    const struct sql_table_place place = sql_place_of(&self->sql, name);
    postgres_append(out, "%n.%n", place.schema, place.name);
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *name)
{
    postgres_append_table(out, (const struct postgres_database *)self, name);
}

const struct sql_quoting postgres_quoting = {.append_name = postgres_append_name,
                                             .append_text = postgres_append_text,
                                             .append_table = append_table};

struct buffer *postgres_append(struct buffer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(out, &postgres_quoting, format, arguments);
    va_end(arguments);
    return out;
}
