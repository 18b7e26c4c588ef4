/* What the files of the SQLite ledger share. All of it is for the control thread. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_LEDGER_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_LEDGER_INTERNAL_H

#include "connectors/sqlite/writer_internal.h"

/* ---------------------------------------------------------------- ledger_tables.c */

/* ERROR_LEDGER_INVALID: what is wrong with it. */
enum status sqlite_ledger_invalid(struct sqlite_database *self, const char *what,
                                  struct error *error);
/* A statement on the ledger's tables; that it can't be prepared means that they are not as we made
 * them. */
enum status sqlite_ledger_prepare(struct sqlite_database *self, const char *sql,
                                  sqlite3_stmt **statement, struct error *error) MUST_USE;
/* The error of a step that gave neither a row nor an end. */
enum status sqlite_ledger_step_failed(struct sqlite_database *self, int result,
                                      struct error *error);
/* One number of a query with up to two texts as parameters (NULL: none). STATUS_END: no row. */
enum status sqlite_ledger_ask(struct sqlite_database *self, const char *sql, const char *first,
                              const char *second, int64_t *number, struct error *error) MUST_USE;
/* STATUS_END: there is no ledger. Refuses what a newer version wrote before reading any of it. */
enum status sqlite_ledger_check_tables(struct sqlite_database *self, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- ledger_load.c */

/* As struct ledger_functions has them. */
enum status sqlite_ledger_load(struct database *database, const char *run_id, struct arena *arena,
                               struct ledger_run **run, struct error *error) MUST_USE;
enum status sqlite_ledger_done(struct database *database, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark,
                               struct error *error) MUST_USE;

/* rollback_keys.c: as struct rollback_functions has them. */
enum status sqlite_undo_keys(struct database *self, const struct target_table *table,
                             int64_t ended_us, bool dry_run, struct undo_counts *counts,
                             struct error *error) MUST_USE;
enum status sqlite_undo_deleted(struct database *self, const struct target_table *table,
                                bool dry_run, struct undo_counts *counts,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- referrers.c */

/* A foreign key that refers to a table: "t.key = r.column AND …", "r" being `table`. */
struct sqlite_referrer {
    struct sqlite_referrer *next;
    const char *table;
    bool own; /* the table refers to itself */
    struct buffer on;
};

/* All that refer to the table of these facts, in front of `referrers`, in `arena`; the caller frees
 * them by sqlite_referrers_free, also after a failure. */
enum status sqlite_referrers_read(struct sqlite_database *self,
                                  const struct sqlite_target_table *facts, struct arena *arena,
                                  struct sqlite_referrer **referrers, struct error *error) MUST_USE;
void sqlite_referrers_free(struct sqlite_referrer *referrers);
/* rollback_functions */
enum status sqlite_find_referrer(struct database *self, const struct target_table *table,
                                 struct column_list going, struct arena *arena,
                                 const char **referrer, struct error *error);

/* ---------------------------------------------------------------- rollback_columns.c */

/* A condition: the record `alias` holds something of others in columns that were added since the
 * undo records were made; empty: there are none. */
enum status sqlite_rollback_append_foreign(struct sqlite_database *self,
                                           const struct sqlite_target_table *facts,
                                           const struct sqlite_target_table *undo,
                                           const char *alias, struct arena *arena,
                                           struct buffer *sql, struct error *error) MUST_USE;
/* rollback_functions */
enum status sqlite_sum_columns(struct database *self, const struct target_table *table,
                               struct column_list columns, struct arena *arena, const char **sum,
                               struct error *error);
enum status sqlite_find_foreign(struct database *self, const struct target_table *table,
                                struct column_list columns, bool trusts, struct arena *arena,
                                const char **column, struct error *error);

#endif
