/* Names and texts in SQL. */
#include "connectors/mysql/mysql_internal.h"
#include <string.h>

void mysql_append_name(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '`');
    for (; *name != '\0'; name++) {
        if (*name == '`') {
            buffer_append_byte(out, '`');
        }
        buffer_append_byte(out, *name);
    }
    buffer_append_byte(out, '`');
}

/* For sessions with our sql_mode, in which backslashes escape (objects.c has others, for the words
 * of an object), and with utf8mb4, in which no byte of a longer character is a quote or a
 * backslash. */
void mysql_append_text(struct buffer *out, const char *text, size_t length)
{
    buffer_append_byte(out, '\'');
    size_t begin = 0;
    for (size_t i = 0; i < length; i++) {
        char letter = text[i];
        if (letter != '\'' && letter != '\\' && letter != '\0') {
            continue;
        }
        buffer_append(out, text + begin, i - begin);
        buffer_append_byte(out, '\\');
        buffer_append_byte(out, letter == '\0' ? '0' : letter);
        begin = i + 1;
    }
    buffer_append(out, text + begin, length - begin);
    buffer_append_byte(out, '\'');
}

void mysql_append_string(struct buffer *out, const char *text)
{
    if (text == NULL) {
        buffer_append_string(out, "NULL");
    } else {
        mysql_append_text(out, text, strlen(text));
    }
}

void mysql_append_bytes(struct buffer *out, const void *bytes, size_t length)
{
    buffer_append_string(out, "X'");
    buffer_append_hex(out, bytes, length);
    buffer_append_byte(out, '\'');
}

void mysql_append_table(struct buffer *out, const struct mysql_database *self, const char *name)
{
    const struct sql_table_place place = sql_place_of(&self->sql, name);
    mysql_append(out, "%n.%n", place.schema, place.name);
}

void mysql_append_match(struct buffer *out, struct column_list names, const char *left,
                        const char *right)
{
    for (uint32_t i = 0; i < names.count; i++) {
        mysql_append(out, "%s%s.%n = %s.%n", i > 0 ? " AND " : "", left, names.names[i], right,
                     names.names[i]);
    }
}

struct buffer *mysql_append_filled(struct buffer *out, const char *sql, const char *first,
                                   const char *second)
{
    while (*sql != '\0') {
        size_t plain = strcspn(sql, "$");
        buffer_append(out, sql, plain);
        sql += plain;
        if (*sql == '$') {
            mysql_append_string(out, sql[1] == '2' ? second : first);
            sql += 2;
        }
    }
    return out;
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *name)
{
    mysql_append_table(out, (const struct mysql_database *)self, name);
}

const struct sql_quoting mysql_quoting = {.append_name = mysql_append_name,
                                          .append_text = mysql_append_text,
                                          .append_table = append_table};

struct buffer *mysql_append(struct buffer *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(out, &mysql_quoting, format, arguments);
    va_end(arguments);
    return out;
}
