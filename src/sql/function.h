/* Functions that servers bring along. */
#ifndef TRANSHUME_SQL_FUNCTION_H
#define TRANSHUME_SQL_FUNCTION_H

#include "sql/lexer.h"

/* Is a word in front of a parenthesis a keyword, a type or a function of a server's own that
 * changes nothing? A list of those that people use: of others, anything may be thought. */
bool sql_function_changes_nothing(const struct sql_token *word);
/* … and says the same all through a statement, so that one value serves all rows? */
bool sql_function_is_stable(const struct sql_token *word);

#endif
