/* Declarations that the files of rollback share. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_UNDO_ROLLBACK_H
#define TRANSHUME_CONNECTORS_POSTGRES_UNDO_ROLLBACK_H

#include "connectors/postgres/target.h"
#include "connectors/sql/undo_keys.h"

/* ---------------------------------------------------------------- rollback_tables.c */

/* Behind the rows of one foreign key, the number of which is their first column. */
int postgres_referrer_end(const PGresult *keys, int first);
/*
 * " AND NOT EXISTS (…)" for each foreign key that would take or change records of others with one
 * of `table` that goes (CASCADE, SET NULL, SET DEFAULT): records that others refer to so stay.
 * The record is `t`. `going`: what follows FROM to find the run's records as `t`; the table's keys
 * to itself then count, too, and it is changed. NULL: all of the table's go.
 */
enum status postgres_rollback_append_unreferenced(struct postgres_database *self,
                                                  PGconn *connection,
                                                  const struct postgres_table *table,
                                                  struct buffer *going, struct buffer *sql,
                                                  struct error *error) MUST_USE;
/* struct sql_dialect */
enum status postgres_remove(struct sql_database *self, const struct sql_table *table, bool made,
                            struct error *error);
/* rollback_functions */
enum status postgres_remove_objects(struct database *self, bool dry_run, struct buffer *what,
                                    struct error *error);

/* ---------------------------------------------------------------- rollback_keys.c */

/* struct sql_dialect */
extern const struct sql_undo_dialect postgres_undo;

#endif
