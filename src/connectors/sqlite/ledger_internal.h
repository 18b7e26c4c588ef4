/* Declarations shared by the files with which the target keeps its ledger and its notes. All of it
 * is for the control thread. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_LEDGER_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_LEDGER_INTERNAL_H

#include "connectors/common/store_key.h"
#include "connectors/contract/rollback.h"
#include "connectors/sql/store.h"
#include "connectors/sql/undo_keys.h"
#include "connectors/sqlite/writer_internal.h"

/* ---------------------------------------------------------------- notes.c */

/* ERROR_LEDGER_INVALID: what is wrong with it. */
enum status sqlite_ledger_invalid(struct sqlite_database *self, const char *what,
                                  struct error *error);
/* A statement on tables of ours; that it can't be prepared means that they are not as we made
 * them. */
enum status sqlite_ledger_prepare(struct sqlite_database *self, const char *sql,
                                  sqlite3_stmt **statement, struct error *error) MUST_USE;
/* The error of a step that gave neither a row nor an end. */
enum status sqlite_ledger_step_failed(struct sqlite_database *self, int result,
                                      struct error *error);
/* Refuses (ERROR_NOT_OURS) a table with a name of ours that is another thing, or carries what ours
 * never do. ours.c */
enum status sqlite_check_ours(struct sqlite_database *self, sqlite3 *connection,
                              struct error *error) MUST_USE;
/* One number of a query with up to one text as parameter (NULL: none). STATUS_END: no row. */
enum status sqlite_ledger_ask(struct sqlite_database *self, const char *sql, const char *text,
                              int64_t *number, struct error *error) MUST_USE;
/* Runs a statement without results on tables of ours. */
enum status sqlite_ledger_run(struct sqlite_database *self, const char *sql,
                              const char *const *texts, uint32_t count,
                              struct error *error) MUST_USE;
enum status sqlite_ledger_has_table(struct sqlite_database *self, const char *table, bool *found,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- store.c, forget.c */

/* The key in the store that says that the file was made for it, and may go with it. */
#define SQLITE_PLACE_FILE "place/file"

/* Makes the store's table unless it is there; within a transaction. */
enum status sqlite_place_make(struct sqlite_database *self, sqlite3 *connection,
                              struct error *error) MUST_USE;
/* Drops all tables of ours; after a rollback the file itself, where it was made for the ledger and
 * holds nothing else. */
enum status sqlite_place_drop(struct sqlite_database *self, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- claim.c */

/*
 * FILE-transhume-lock: "PID\nRUN\n", locked as long as the process lives (file_lock). One for the
 * whole file, since SQLite has one writer at a time: who changes its schema takes the same one.
 */
#define SQLITE_LOCK_PATH "%s-transhume-lock"
#define SQLITE_LOCK_SCHEMA "schema" /* stands there for the run */

/* ERROR_RUN_HELD: another process has the lock. */
enum status sqlite_claim_refuse_other(struct sqlite_database *self, struct error *error) MUST_USE;
/* Removes a lock's file that a dead process left. */
enum status sqlite_claim_sweep_lock(struct sqlite_database *self, struct error *error) MUST_USE;

/* struct sql_dialect */
extern const struct sql_undo_dialect sqlite_undo;
enum status sqlite_remove(struct sql_database *self, const struct sql_table *table, bool made,
                          struct error *error);

/* ---------------------------------------------------------------- referrers.c */

/* All foreign keys that refer to the table of these facts, in `arena`. */
enum status sqlite_referrers_read(struct sqlite_database *self,
                                  const struct sqlite_target_table *facts, struct arena *arena,
                                  const struct sql_referrer **referrers, uint32_t *count,
                                  struct error *error) MUST_USE;
/* rollback_functions */
enum status sqlite_find_referrer(struct database *self, const struct target_table *table,
                                 struct column_list going, struct arena *arena,
                                 const char **referrer, struct error *error);

#endif
