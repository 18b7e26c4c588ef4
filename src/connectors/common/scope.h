/* Names of tables of several schemas (struct schema_scope), and lists of schemas as people write
 * them. */
#ifndef TRANSHUME_CONNECTORS_COMMON_SCOPE_H
#define TRANSHUME_CONNECTORS_COMMON_SCOPE_H

#include "base/buffer.h"
#include "connectors/contract/database.h"

/* The other schema that a table's name begins with; `*name` is what stands behind. NULL: it is a
 * plain name, and `*name` all of it. */
const char *scope_schema_of(const struct schema_scope *scope, const char *table, const char **name);
/* The beginning of the names of that schema's tables: "sales." */
void scope_append_lead(struct buffer *out, const char *schema);
/* A copy in the arena, sorted, each name once; `own` is not among the others. */
struct schema_scope scope_copy(const struct schema_scope *scope, const char *own,
                               struct arena *arena);
/* All of them, its own first: as open_options.schemas would have them. */
struct column_list scope_names(const struct schema_scope *scope, struct arena *arena);
/* "sales,crm", each perhaps in double quotes: adds its names to the list. */
void scope_read_list(const char *text, struct arena *arena, struct column_list *list);

#endif
