/* Statements as a server tells them, taken apart word by word. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_STATEMENT_H
#define TRANSHUME_CONNECTORS_MYSQL_STATEMENT_H

#include "base/buffer.h"
#include "base/text.h"
#include <stdbool.h>

/* Behind a quoted piece that begins at `at`. */
const char *maria_skip_quoted(const char *at, const char *end);
/* " AUTO_INCREMENT=17" behind the last parenthesis is no part of a table's definition. */
void maria_drop_counter(char *statement);
/* "DEFINER=`user`@`host` " of a statement that makes something; empty: it has none. */
struct text maria_definer(const char *statement);
/* The word ENABLE of a statement that makes an event; empty: it does not begin so. */
struct text maria_enabled(const char *statement);
/* How much of CREATE TRIGGER comes before what it does. */
size_t maria_trigger_head(const char *statement);
/* The statement with `from`.`name` as `to`.`name`. `bare`: names may stand without quotes. */
void maria_append_moved(struct buffer *out, const char *statement, size_t length, bool bare,
                        const char *from, const char *to);

#endif
