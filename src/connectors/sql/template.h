/* SQL as templates: the words stand as they are, and what comes from elsewhere goes into a hole,
 * which says how it is quoted. */
#ifndef TRANSHUME_CONNECTORS_SQL_TEMPLATE_H
#define TRANSHUME_CONNECTORS_SQL_TEMPLATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include <stdarg.h>

struct sql_database;

/* How names and texts are written. It stands by itself, since all that makes statements needs it,
 * and it needs nothing. */
struct sql_quoting {
    void (*append_name)(struct buffer *out, const char *name);
    void (*append_text)(struct buffer *out, const char *text, size_t length); /* a literal */
    void (*append_table)(struct buffer *out, const struct sql_database *self, const char *name);
};

/*
 * Appends SQL: what stands in `format`, in it
 *   %n  a name, quoted                   %p  a place: a schema's name (NULL: none), a name
 *   %t  a table: struct sql_database *, its name
 *   %q  a text as a literal, or NULL     %Q  likewise of const char *, size_t
 *   %l  names, quoted: a column_list     %L  likewise, each behind an alias: const char *, the list
 *   %s  a text as it is                  %S  likewise of const char *, size_t
 *   %d  an int                           %D  an int64_t
 *   %u  an unsigned                      %U  a uint64_t
 *   %b  what is in a buffer              %%  a %
 * Returns `out`. The format is always a literal (tests/templates checks that, and that each hole
 * has its arguments); a hole that is none of these ends the program.
 */
struct buffer *sql_append(struct buffer *out, const struct sql_quoting *quoting, const char *format,
                          ...);
/* SQL from pieces that are SQL already, in a buffer of its own, for a function that frees what it
 * is given. */
#define sql_plain(...) sql_append(&(struct buffer){0}, NULL, __VA_ARGS__)
struct buffer *sql_append_arguments(struct buffer *out, const struct sql_quoting *quoting,
                                    const char *format, va_list arguments);
/* Its text in the arena; frees the buffer, which is empty then. */
const char *sql_text(struct arena *arena, struct buffer *sql);
/* "a", "b"; `alias` may be NULL. */
void sql_append_names(struct buffer *out, const struct sql_quoting *quoting, const char *alias,
                      struct column_list names);

#endif
