/* The parts of a UNION. */
#ifndef TRANSHUME_DESIGN_INPUT_UNION_H
#define TRANSHUME_DESIGN_INPUT_UNION_H

#include "base/buffer.h"
#include "base/text.h"
#include "sql/lexer.h"

/* False: no UNION is in the text. */
bool union_may_be_in(const char *text, size_t length);
/* Appends the SELECTs of "SELECT … UNION SELECT …" to `parts` (struct text), without parentheses
 * around them and without the ORDER BY and LIMIT of the whole; says how many. 0: it is another
 * statement, or one whose parts depend on each other (WITH, EXCEPT). */
uint32_t union_split(enum sql_language language, struct text statement, struct buffer *parts);

#endif
