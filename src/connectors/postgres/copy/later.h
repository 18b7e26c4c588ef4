/* Values of foreign keys whose partners come later: kept beside the table, and filled in. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_COPY_LATER_H
#define TRANSHUME_CONNECTORS_POSTGRES_COPY_LATER_H

#include "connectors/postgres/target.h"
#include "connectors/sql/later.h"

/* Its name is _transhume_later_RUN_HASH, and the foreign key is told there by its columns, with
 * commas. */
void postgres_append_later_table(struct buffer *sql, const struct postgres_database *self,
                                 const char *table);
/* The text that tells a foreign key there, as a literal. */
void postgres_append_reference(struct buffer *sql, const struct target_later *later);

/* struct sql_dialect */
extern const struct sql_later_dialect postgres_later;

#endif
