/* Parts of tables that are there which are dropped or disabled for the load, and put back after it.
 */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_REBUILD_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_REBUILD_H

#include "connectors/postgres/target.h"

/* ---------------------------------------------------------------- rebuild.c */

/*
 * _transhume_rebuild  what a run drops or disables, noted before that, with the table (`owner`)
 * that it is of: `make` puts it back, `undo` takes it away, `remark` (statements, or empty) says
 * what else was said of it; `columns` are those of a unique one
 *
 * The rows stay until all of them are put back.
 */

/* Notes and drops what `rebuilds_indexes` and `disables_triggers` ask for. Repeatable;
 * the catalogue self->tables is as it was before. */
enum status postgres_rebuild_drop(struct postgres_database *self,
                                  const struct prepare_request *request,
                                  struct error *error) MUST_USE;
/* sql_target_functions.rebuilds */
enum status postgres_foretell(struct database *self, const struct prepare_request *request,
                              struct buffer *out, struct error *error);
/* Is somebody else connected to the database? Then what locks a table locks them out. */
enum status postgres_in_use(struct postgres_database *self, PGconn *connection, bool *in_use,
                            struct error *error) MUST_USE;
/* Has the ledger such a table? */
enum status postgres_rebuild_noted(struct postgres_database *self, PGconn *connection, bool *found,
                                   struct error *error) MUST_USE;

/* The notes, a row each. `state` is "valid", "invalid" or "none", of indexes and constraints;
 * `there`: is the table? */
enum {
    REBUILD_WHAT,
    REBUILD_NAME,
    REBUILD_MAKE,
    REBUILD_UNDO,
    REBUILD_REMARK,
    REBUILD_OWNER,
    REBUILD_STATE,
    REBUILD_THERE,
    REBUILD_BYTES, /* of the table */
    REBUILD_UNIQUE /* "t" or "f" */
};
enum status postgres_rebuild_list(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, PGresult **list,
                                  struct error *error) MUST_USE;

/* Is it a trigger or a rule, which is disabled and not dropped? */
bool postgres_rebuild_is_switch(const PGresult *list, int row);
/* The table of notes, unless it is there. */
enum status postgres_rebuild_make(struct postgres_database *self, PGconn *connection,
                                  struct error *error) MUST_USE;
/* Notes one for the claimed run, unless it is noted already. */
struct postgres_rebuild_note {
    const char *owner;
    const char *what; /* "trigger" or "rule" */
    const char *name;
    const char *make;
    const char *undo;
};
enum status postgres_rebuild_note(struct postgres_database *self, PGconn *connection,
                                  const struct postgres_rebuild_note *note,
                                  struct error *error) MUST_USE;

/* Takes one of them away: concurrently where others use the database, if that can be. */
enum status postgres_rebuild_undo(struct postgres_database *self, PGconn *connection,
                                  const PGresult *list, int row, bool in_use,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- put_back.c */

/*
 * Makes again what the run dropped, concurrently where others use the database. Records of `tables`
 * (NULL: of none) that stand in the way of a unique one are moved by postgres_set_aside_move.
 * Repeatable.
 */
enum status postgres_put_back(struct postgres_database *self, const char *run_id,
                              const struct target_table *tables, uint32_t table_count,
                              void (*progress)(const char *what), struct error *error) MUST_USE;

/* ---------------------------------------------------------------- quiet.c */

/* apply_functions.foresee, silence and restore */
struct apply_silence;
enum status postgres_quiet_foresee(struct database *self, const struct apply_silence *silence,
                                   struct buffer *out, struct lack_list *lacks,
                                   struct error *error);
enum status postgres_quiet_silence(struct database *self, const struct apply_silence *silence,
                                   struct error *error);
enum status postgres_quiet_restore(struct database *self, uint32_t *count, struct error *error);
enum status postgres_quiet_taken_out(struct database *self, const char *run_id, uint32_t *count,
                                     struct error *error);

#endif
