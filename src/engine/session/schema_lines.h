/* A schema as text, a line a fact: so that a resume can say what changed, not only that. */
#ifndef TRANSHUME_ENGINE_SESSION_SCHEMA_LINES_H
#define TRANSHUME_ENGINE_SESSION_SCHEMA_LINES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/schema.h"

/* Lines "table customer", "column customer.name TEXT not null", "key customer(id)" …; of views,
 * too. */
void schema_lines_append(const struct schema *schema, bool views, struct buffer *out);
/* Lines "object function f HASH"; `all`: those that make no records, too. */
void schema_lines_append_objects(const struct schema *schema, bool all, struct buffer *out);
/* The same of what tables have beside columns and keys: "object unique index i(a) of t -", and of
 * foreign keys, checks and defaults. */
void schema_lines_append_constraints(const struct schema *schema, struct buffer *out);
/* Is the table (or view) in it? Views that were left out of it are. */
bool schema_lines_have_table(const char *text, const struct schema_table *table);
/* The lines that the second text has more and those that it lacks, the first few: "customer.note is
 * new; …". "" if they have the same lines, but for objects. */
void schema_lines_compare(const char *before, const char *now, struct buffer *out);
/* The same of objects alone: "function f differs; event e is gone". */
void schema_lines_compare_objects(const char *before, const char *now, struct buffer *out);

#endif
