/* Names of columns in expressions of SQL. */
#ifndef TRANSHUME_SQL_RENAME_H
#define TRANSHUME_SQL_RENAME_H

#include "base/arena.h"
#include "sql/language.h"

/*
 * The expression with a column's name replaced: `to` stands for it as it is given, quoted or not.
 * A name behind a dot or a cast, or in front of a dot or a bracket, is no column of its own and
 * stays, as do texts and comments. In the arena.
 */
const char *sql_rename_column(enum sql_language language, const char *text, const char *from,
                              const char *to, struct arena *arena);

#endif
