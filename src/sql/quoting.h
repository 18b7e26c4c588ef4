/* How strings are quoted, as the statements of a text change it: sql_mode of MySQL, and
 * standard_conforming_strings of PostgreSQL. Readers of migrations and of dumps share it. */
#ifndef TRANSHUME_SQL_QUOTING_H
#define TRANSHUME_SQL_QUOTING_H

#include "sql/cursor.h"

/* Does a backslash escape in a string without a prefix? */
bool sql_quoting_escapes(enum sql_language language, uint8_t quoting);
/* Takes a setting into account: others than those two are passed over. `value` NULL: it is not
 * known, as of a variable, and taken for that of the session's beginning. */
void sql_quoting_set(enum sql_language language, const char *name, const char *value,
                     uint8_t *quoting);
/* The same of a statement: SET and RESET are looked at. */
void sql_quoting_see(enum sql_language language, const struct sql_piece *piece, uint8_t *quoting);
/* The name that SET gives a value: SESSION x, @@session.x, x, in the arena. NULL: a variable of the
 * user's. */
const char *sql_take_setting(struct sql_cursor *at, struct arena *arena);

#endif
