/* Where tables of a scope are on a server. */
#ifndef TRANSHUME_CONNECTORS_SQL_PLACE_H
#define TRANSHUME_CONNECTORS_SQL_PLACE_H

#include "connectors/sql/database.h"

/* The server's names of a table; borrowed of the instance and of the name. */
struct sql_table_place {
    const char *schema;
    const char *name;
};

/* Tables of the program's own (_transhume_…) are in the ledger's schema. */
struct sql_table_place sql_place_of(const struct sql_database *self, const char *table);
/* Where the ledger and what is kept beside it is. */
const char *sql_ledger_schema(const struct sql_database *self);
/* Does the scope tell the schema's tables? */
bool sql_is_in_scope(const struct sql_database *self, const char *schema);
/* By which name: "users", "sales.users". Of a schema that is not in the scope: SCHEMA.TABLE, for
 * people. */
const char *sql_name_in(const struct sql_database *self, const char *schema, const char *name,
                        struct arena *arena);
/* Two names of one table? */
bool sql_is_same_place(const struct sql_database *self, const char *one, const char *other);

#endif
