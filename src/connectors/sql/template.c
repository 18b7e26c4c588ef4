/* SQL as templates. */
#include "connectors/sql/template.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

void sql_append_names(struct buffer *out, const struct sql_quoting *quoting, const char *alias,
                      struct column_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        if (alias != NULL) {
            buffer_append_string(out, alias);
            buffer_append_byte(out, '.');
        }
        quoting->append_name(out, names.names[i]);
    }
}

static void append_literal(struct buffer *out, const struct sql_quoting *quoting, const char *text,
                           size_t length)
{
    if (text == NULL) {
        buffer_append_string(out, "NULL");
    } else {
        quoting->append_text(out, text, length);
    }
}

static void append_place(struct buffer *out, const struct sql_quoting *quoting, const char *schema,
                         const char *name)
{
    if (schema != NULL) {
        quoting->append_name(out, schema);
        buffer_append_byte(out, '.');
    }
    quoting->append_name(out, name);
}

/* A fault of the program, which would otherwise become a wrong statement. */
static _Noreturn void hole_unknown(const char *format, char hole)
{
    log_write(LOG_ERROR, "a template of SQL has a hole %%%c, which there is not: %s", hole, format);
    abort();
}

/* Holes that take a text, or a list, and what stands before it. */
static void append_pair(struct buffer *out, const struct sql_quoting *quoting, char hole,
                        va_list *arguments)
{
    const char *first = va_arg(*arguments, const char *);
    switch (hole) {
    case 'L':
        sql_append_names(out, quoting, first, va_arg(*arguments, struct column_list));
        break;
    case 'p':
        append_place(out, quoting, first, va_arg(*arguments, const char *));
        break;
    case 'Q':
        append_literal(out, quoting, first, va_arg(*arguments, size_t));
        break;
    default: /* S */
        buffer_append(out, first, va_arg(*arguments, size_t));
    }
}

static bool append_number(struct buffer *out, char hole, va_list *arguments)
{
    switch (hole) {
    case 'd':
        buffer_append_int64(out, va_arg(*arguments, int));
        return true;
    case 'D':
        buffer_append_int64(out, va_arg(*arguments, int64_t));
        return true;
    case 'u':
        buffer_append_uint64(out, va_arg(*arguments, unsigned));
        return true;
    case 'U':
        buffer_append_uint64(out, va_arg(*arguments, uint64_t));
        return true;
    default:
        return false;
    }
}

static bool append_hole(struct buffer *out, const struct sql_quoting *quoting, char hole,
                        va_list *arguments)
{
    const struct sql_database *self = NULL;
    const char *text = NULL;
    switch (hole) {
    case 'n':
        quoting->append_name(out, va_arg(*arguments, const char *));
        return true;
    case 't':
        self = va_arg(*arguments, const struct sql_database *);
        quoting->append_table(out, self, va_arg(*arguments, const char *));
        return true;
    case 'q':
        text = va_arg(*arguments, const char *);
        append_literal(out, quoting, text, text != NULL ? strlen(text) : 0);
        return true;
    case 'l':
        sql_append_names(out, quoting, NULL, va_arg(*arguments, struct column_list));
        return true;
    case 'b':
        buffer_append_buffer(out, va_arg(*arguments, const struct buffer *));
        return true;
    case 's':
        buffer_append_string(out, va_arg(*arguments, const char *));
        return true;
    case '%':
        buffer_append_byte(out, '%');
        return true;
    case 'L':
    case 'p':
    case 'Q':
    case 'S':
        append_pair(out, quoting, hole, arguments);
        return true;
    default:
        return append_number(out, hole, arguments);
    }
}

struct buffer *sql_append_arguments(struct buffer *out, const struct sql_quoting *quoting,
                                    const char *format, va_list arguments)
{
    const char *at = format;
    va_list left;
    va_copy(left, arguments);
    while (*at != '\0') {
        size_t plain = strcspn(at, "%");
        buffer_append(out, at, plain);
        at += plain;
        if (*at == '%') {
            if (!append_hole(out, quoting, at[1], &left)) {
                hole_unknown(format, at[1]);
            }
            at += 2;
        }
    }
    va_end(left);
    return out;
}

struct buffer *sql_append(struct buffer *out, const struct sql_quoting *quoting, const char *format,
                          ...)
{
    va_list arguments;
    va_start(arguments, format);
    sql_append_arguments(out, quoting, format, arguments);
    va_end(arguments);
    return out;
}

const char *sql_text(struct arena *arena, struct buffer *sql)
{
    const char *text = arena_copy(arena, buffer_string(sql), sql->length);
    buffer_free(sql);
    return text;
}
