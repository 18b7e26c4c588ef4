/* Statements as a PostgreSQL source tells them. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_STATEMENT_H
#define TRANSHUME_CONNECTORS_POSTGRES_STATEMENT_H

#include "connectors/database.h"

/* Does the statement make something of this kind and name, and the other one drop it? What a source
 * tells may be anything. The schemas of the scope are those that it may name. */
bool postgres_makes(const struct schema_scope *scope, const struct schema_object *object);
/* Do its statements make the table and its indexes? */
enum status postgres_check_told(const struct schema_scope *scope, const struct schema_table *table,
                                struct error *error) MUST_USE;

#endif
