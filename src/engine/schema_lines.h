/* A schema as text, a line a fact: so that a resume can say what changed, not only that. */
#ifndef TRANSHUME_ENGINE_SCHEMA_LINES_H
#define TRANSHUME_ENGINE_SCHEMA_LINES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/schema.h"

/* Lines "table customer", "column customer.name TEXT not null", "key customer(id)" … */
void schema_lines_append(const struct schema *schema, struct buffer *out);
/* What the second text has more and what it lacks, the first few: "customer.note is new; …". "" if
 * they have the same lines. */
void schema_lines_compare(const char *before, const char *now, struct buffer *out);

#endif
