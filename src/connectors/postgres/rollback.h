/* What the files of rollback share. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_ROLLBACK_H
#define TRANSHUME_CONNECTORS_POSTGRES_ROLLBACK_H

#include "connectors/postgres/target.h"

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
enum status postgres_undo_table(struct sql_database *self, const struct target_table *table,
                                bool deleted, bool dry_run, struct undo_counts *counts,
                                struct error *error);
/* rollback_functions */
enum status postgres_remove_objects(struct database *self, bool dry_run, struct buffer *what,
                                    struct error *error);

/* ---------------------------------------------------------------- rollback_keys.c */

/* A table with undo records, within a transaction. */
struct postgres_undoing {
    struct postgres_database *self;
    PGconn *connection;
    const char *undo_name;
    struct postgres_table facts;
    struct postgres_column *columns; /* those that the undo table knows, as they are named now */
    uint32_t column_count;
    struct buffer match;   /* t."key" = u.c1 AND … */
    struct buffer foreign; /* `t` holds something of others in columns added since; empty: no */
    struct buffer unreferenced; /* a condition on `t` */
    const char *key;            /* one of its columns */
    const char *retyped;        /* a column that has another type than it had; NULL: none */
    bool refused;               /* a constraint did, what was tried last */
    struct error *error;
};

enum status postgres_undo_keys(struct postgres_undoing *undoing, bool takes_out, bool dry_run,
                               struct undo_counts *counts) MUST_USE;
/* Records that the run took out. */
enum status postgres_undo_deleted(struct postgres_undoing *undoing, bool dry_run,
                                  struct undo_counts *counts) MUST_USE;

#endif
