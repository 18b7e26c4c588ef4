/* Values of foreign keys whose partners come later: kept beside the table, and filled in. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_LATER_H
#define TRANSHUME_CONNECTORS_POSTGRES_LATER_H

#include "connectors/postgres/target.h"

/*
 * _transhume_later_RUN_HASH, of each table with target_table.later: a row for each reference of a
 * record that was written without it
 *   the table's key; the `emptied` columns of all its foreign keys, those of this one filled
 *   _transhume_reference   the foreign key's columns, with commas
 *   _transhume_refused     why the table does not take it, by the last filling; NULL: it may
 */
#define POSTGRES_REFERENCE "_transhume_reference"
#define POSTGRES_REFUSED "_transhume_refused"

void postgres_append_later_table(struct buffer *sql, const struct postgres_database *self,
                                 const char *table);
/* The text in POSTGRES_REFERENCE, as a literal. */
void postgres_append_reference(struct buffer *sql, const struct target_later *later);

/* target_functions */
enum status postgres_later_prepare(struct database *self, const struct target_table *tables,
                                   uint32_t table_count, struct error *error);
enum status postgres_later_fill(struct database *self, const struct target_table *tables,
                                uint32_t table_count, struct target_filled *filled,
                                struct error *error);
/* rollback_functions */
enum status postgres_later_loosen(struct database *self, const struct target_table *table,
                                  struct error *error);

#endif
