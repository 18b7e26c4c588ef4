/* Objects that a plain copy between two PostgreSQL carries, besides tables. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_OBJECTS_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_OBJECTS_H

#include "connectors/postgres/target.h"

enum postgres_moment {
    POSTGRES_BEFORE_TABLES, /* what can't be made yet waits for POSTGRES_AFTER_LOAD */
    POSTGRES_WITH_TABLES,
    POSTGRES_BEFORE_INDEXES,
    POSTGRES_AFTER_LOAD
};

/*
 * Makes the objects of that moment, within the caller's transaction, and notes in the ledger those
 * that do not go with a table. One that is there stays; one that the server refuses is left out;
 * the log says both. Repeatable. `objects` NULL: nothing. `left` (may be NULL) gets what would hide
 * rows and is not made.
 */
enum status postgres_objects_make(struct postgres_database *self, PGconn *connection,
                                  const struct target_table *tables, uint32_t table_count,
                                  const struct schema *objects, enum postgres_moment moment,
                                  struct rights_left *left, struct error *error) MUST_USE;
/* Makes the schemas that the tables and objects are to be in, likewise, and notes those. */
enum status postgres_schemas_make(struct postgres_database *self, PGconn *connection,
                                  const struct prepare_request *request,
                                  struct error *error) MUST_USE;
/* Adds to the script those that postgres_schemas_make would make. */
enum status postgres_schemas_show(struct postgres_database *self, PGconn *connection,
                                  const struct script_request *request, struct script *script,
                                  struct error *error) MUST_USE;
/* After all are made: notes how they stand, so that a rollback knows those changed since. */
enum status postgres_objects_remember(struct postgres_database *self, PGconn *connection,
                                      struct error *error) MUST_USE;
/* Has the ledger a list of such objects? */
enum status postgres_objects_listed(struct postgres_database *self, PGconn *connection, bool *found,
                                    struct error *error) MUST_USE;
/*
 * Drops those that the claimed run made after its tables (`late`), or before them; those that were
 * changed since stay. `what` (may be NULL) gets a line each.
 */
enum status postgres_objects_drop(struct postgres_database *self, PGconn *connection, bool late,
                                  struct buffer *what, struct error *error) MUST_USE;

#endif
