/* Statements as a server tells them, taken apart word by word. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_STATEMENT_H
#define TRANSHUME_CONNECTORS_MYSQL_STATEMENT_H

#include "base/buffer.h"
#include "base/text.h"
#include <stdbool.h>

/* Behind a quoted piece that begins at `at`. */
const char *mysql_skip_quoted(const char *at, const char *end);
/* The piece that begins at `at`, which is before the end: a text in quotes, a comment, a word, or a
 * single character. */
struct text mysql_piece_at(const char *at, const char *end);
/* In any case of letters. */
bool mysql_is_word(struct text piece, const char *word);
/* " AUTO_INCREMENT=17" behind the last parenthesis is no part of a table's definition. */
void mysql_drop_counter(char *statement);
/* "DEFINER=`user`@`host` " of a statement that makes something; empty: it has none. */
struct text mysql_definer(const char *statement);
/* Does a backslash escape in texts in quotes, as a session is set ("SET sql_mode = '…'")? */
bool mysql_has_escapes(struct text settings);
/* Does it make a routine, package or view that runs as who calls it (SQL SECURITY INVOKER)? `what`
 * is its kind, "package body"; `escapes`: mysql_has_escapes. Where words may be hidden from whom is
 * no server: no. */
bool mysql_runs_as_caller(const char *statement, const char *what, bool escapes);
/* "ENABLE" of a statement that makes an event, or "DISABLE ON SLAVE"; empty: it is disabled. */
struct text mysql_enabled(const char *statement);
/* CREATE TRIGGER, in whatever quotes, as of the database `to`: it and its table. */
void mysql_append_trigger(struct buffer *out, const char *statement, const char *to);
/* A statement in the server's own words with `from`.`name` as `to`.`name`. */
void mysql_append_moved(struct buffer *out, const char *statement, const char *from,
                        const char *to);
/* Is that one statement that makes something of this kind and name, and can't be enabled by
 * keeping silent? The statement is a source's, which may say anything. */
bool mysql_makes(const char *statement, const char *what, const char *name);
/* Is that DO SETVAL(`name`, number, 0, number)? */
bool mysql_sets(const char *statement, const char *name);

#endif
