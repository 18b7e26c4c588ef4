/* Taking a run back: what SQL databases ask alike of tables, of their records, and of columns that
 * the run does not fill. */
#ifndef TRANSHUME_CONNECTORS_SQL_ROLLBACK_H
#define TRANSHUME_CONNECTORS_SQL_ROLLBACK_H

#include "connectors/sql/database.h"
#include "connectors/sql/undo.h"

/* The value that the table itself puts into a column of a record that does not fill it. */
enum sql_given {
    SQL_GIVES_NULL,
    SQL_GIVES_DEFAULT, /* always the same: the column's default_text */
    SQL_GIVES_ANY      /* a number, a time: nobody can tell it from what others wrote */
};
enum sql_given sql_column_gives(const struct schema_column *column);

/* One of a table's columns that were there when the run wrote is gone; `column` NULL: which is not
 * known. */
enum status sql_refuse_altered(const char *table, const char *column, struct error *error);
/* The run's writes can't be told from what others changed, since a column has another type now. */
enum status sql_refuse_retyped(const char *table, const char *column, struct error *error);

/* Columns that others added since the undo table was made. A record that the run added is not its
 * alone any more once others put something there; what it restores keeps that. ORs to `held` that
 * the record `alias` holds something in one of them; */
void sql_append_added(const struct sql_database *self, const struct sql_table *table,
                      const struct sql_table *undo, const char *alias, struct buffer *held);
/* and refuses if in one of them nobody can tell what others put there. */
enum status sql_check_added(struct sql_database *self, const struct sql_table *table,
                            const struct sql_table *undo, struct error *error) MUST_USE;

/* After the records of a table were deleted: STATUS_FAILED, if the query, which it frees, finds one
 * all the same, since a trigger or a rule did something else instead. */
enum status sql_refuse_left(struct sql_database *self, const char *table, struct buffer *query,
                            struct error *error) MUST_USE;

/* ---- rollback_functions */

enum status sql_undo(struct database *self, const struct target_table *table, int64_t ended_us,
                     bool dry_run, struct undo_counts *counts, struct error *error);
enum status sql_undo_deleted(struct database *self, const struct target_table *table, bool dry_run,
                             struct undo_counts *counts, struct error *error);
enum status sql_sum_columns(struct database *self, const struct target_table *table,
                            struct column_list columns, struct arena *arena, const char **sum,
                            struct error *error);
enum status sql_find_foreign(struct database *self, const struct target_table *table,
                             struct column_list columns, bool trusts, struct arena *arena,
                             const char **column, struct error *error);
enum status sql_was_made(struct database *self, const struct target_table *table, bool *made,
                         struct error *error);
/* Where a table can be dropped within a transaction. */
enum status sql_remove_table(struct database *self, const struct target_table *table,
                             struct error *error);

#endif
