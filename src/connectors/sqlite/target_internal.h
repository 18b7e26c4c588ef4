/* Declarations that the files of SQLite's target side share: the turn to write, columns as they
 * are, the ledger's names. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_TARGET_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_TARGET_INTERNAL_H

#include "connectors/sql/finding.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <pthread.h>

/* The keys that a run wrote into a table that was there before: this, the run's id, '_' and the
 * table's name. */
#define SQLITE_KEY_TABLE "_transhume_key_"
/* The records that undo a run's writes to one table: this, the run's id, '_' and the table's name;
 * undo.c. */
#define SQLITE_UNDO_TABLE "_transhume_undo_"

/* A column of a table in the target, as its catalogue has it. */
struct sqlite_target_column {
    const char *name;
    const char *declared_type;
    const char *default_text; /* NULL: none */
    enum sqlite_affinity affinity;
    bool not_null;
    bool generated;
    bool row_key;          /* INTEGER PRIMARY KEY: another name of the rowid */
    uint32_t key_position; /* 1-based place in the primary key, 0: not in it */
};

struct sqlite_target_table {
    const char *name; /* as the catalogue spells it */
    const char *sql;
    struct sqlite_target_column *columns;
    uint32_t column_count;
    bool is_view;
    bool is_virtual;
    bool without_rowid;
    bool strict;
    bool has_triggers;
};

/* Reads a table by name (ASCII case does not matter). STATUS_END: there is none. */
enum status sqlite_target_describe(struct sqlite_database *database, sqlite3 *connection,
                                   const char *name, struct arena *arena,
                                   struct sqlite_target_table *table, struct error *error) MUST_USE;
/* By name, exactly or but for ASCII case; NULL: none. */
const struct sqlite_target_column *
sqlite_target_find_column(const struct sqlite_target_table *table, const char *name);
/* The first name of the rowid that no column hides; NULL: there is none. */
const char *sqlite_target_rowid_name(const struct sqlite_target_table *facts);

/* State that the control thread and the writer share. */
struct sqlite_target_state {
    /* SQLite has one writer at a time and its waiting is polling, which a busy writer starves. So
     * the threads of this process take turns: the control thread first. */
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    bool held;
    uint32_t control_waiting;

    bool fresh;       /* the file was new or empty when it was opened */
    bool rolled_back; /* the claimed run, as of forget_run */
    char *lock_path;  /* held while lock_descriptor >= 0 */
    int lock_descriptor;
};

enum sqlite_turn { SQLITE_TURN_CONTROL, SQLITE_TURN_WRITER };
/* Waits until no other thread of this process is in a transaction; TARGET_LOCKED after
 * timeout_ms. */
enum status sqlite_turn_take(struct sqlite_database *database, enum sqlite_turn turn,
                             struct error *error) MUST_USE;
void sqlite_turn_give(struct sqlite_database *database);

/* The control connection in the control thread's turn: BEGIN (IMMEDIATE to write) … COMMIT or
 * ROLLBACK. */
enum status sqlite_control_begin(struct sqlite_database *database, bool write,
                                 struct error *error) MUST_USE;
/* Ends what sqlite_control_begin began: commits if `status` is STATUS_OK, else rolls back, and
 * gives the turn back in any case. Passes `status` through. */
enum status sqlite_control_end(struct sqlite_database *database, enum status status,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target_file.c */

/* The settings of every connection to a target, however this SQLite was compiled: commits that are
 * on the disk, and nothing that happens beside what is written. */
enum status sqlite_target_set_up(struct sqlite_database *database, sqlite3 *connection,
                                 struct error *error) MUST_USE;
/* Whether triggers fire for what this connection does; they do until it is said. */
void sqlite_triggers_set(sqlite3 *connection, bool fire);

/* ---------------------------------------------------------------- target_statement.c */

/* As sqlite_error for the target side, on any connection of it. */
enum status sqlite_target_error(struct sqlite_database *database, sqlite3 *connection, int result,
                                enum error_code otherwise, const char *doing, struct error *error);
/* Runs SQL without results on the given connection. */
enum status sqlite_target_execute(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, enum error_code otherwise,
                                  struct error *error) MUST_USE;
enum status sqlite_target_prepare(struct sqlite_database *database, sqlite3 *connection,
                                  const char *sql, sqlite3_stmt **statement,
                                  struct error *error) MUST_USE;
/* SQL in a buffer. */
enum status sqlite_target_prepare_buffer(struct sqlite_database *database, sqlite3 *connection,
                                         struct buffer *sql, sqlite3_stmt **statement,
                                         struct error *error) MUST_USE;
/* Steps a statement that gives no rows and resets it. */
int sqlite_target_step(sqlite3_stmt *statement);

/* ASCII case-insensitive equality, as SQLite compares names. */
bool sqlite_same_name(const char *left, const char *right);

/* ---------------------------------------------------------------- schema_write.c */

/* CREATE TABLE for a table of the plan. `counts`: its key, if it is one that numbers itself, gives
 * no number twice (AUTOINCREMENT). */
void sqlite_schema_append_table(const struct target_table *table, bool counts, struct buffer *out);
/* The column as ALTER TABLE … ADD COLUMN wants it. */
void sqlite_schema_append_column(const struct target_table *table,
                                 const struct schema_column *column, struct buffer *out);
/* "NUMERIC(10,2)"; nothing where a column has no type. */
void sqlite_schema_append_type(const struct schema_column *column, struct buffer *out);
/* target_functions.column_type */
enum status sqlite_column_type(struct database *database, const struct target_table *table,
                               const struct schema_column *column, struct buffer *out,
                               struct error *error);
/* CREATE [UNIQUE] INDEX for an index of the plan. */
void sqlite_schema_append_index(const struct target_table *table, const struct target_index *index,
                                struct buffer *out);
/* One statement; frees it. `what` it makes: "table", "index". */
typedef enum status sqlite_take_statement(void *context, const char *what, const char *name,
                                          struct buffer *sql, struct error *error);
/* The statements that make a table, with its unique indexes, one by one: prepare runs them, script
 * shows them. `objects` as prepare gets them. */
enum status sqlite_create_table(const struct target_table *table, const struct schema *objects,
                                sqlite_take_statement *take, void *context,
                                struct error *error) MUST_USE;
/* script.c */
enum status sqlite_script(struct database *database, const struct script_request *request,
                          struct script *script, struct error *error);
/*
 * Runs one CREATE statement that came from another database: it has to be one statement that
 * creates the object of that type ("table", "index", "view", "trigger") and name, and does nothing
 * else.
 */
enum status sqlite_schema_create(struct sqlite_database *database, const char *type,
                                 const char *name, const char *sql, struct error *error) MUST_USE;
/* Looks at a statement in the same way, and does not run it; also for a "virtual table". */
enum status sqlite_schema_check(struct sqlite_database *database, const char *type,
                                const char *name, const char *sql, struct error *error) MUST_USE;
/* The statement that made an object. STATUS_END: there is none of that type and name. */
enum status sqlite_schema_find(struct sqlite_database *database, const char *type, const char *name,
                               struct arena *arena, const char **sql, struct error *error) MUST_USE;

/* undo.c: transhume_hash(…) for a connection, over values with their types. */
enum status sqlite_undo_register(struct sqlite_database *database, sqlite3 *connection,
                                 struct error *error) MUST_USE;
/* "transhume_hash(t."a", …)" over all columns that hold values of their own; `of_image`: over
 * what the undo table, joined as `alias`, keeps of them. */
void sqlite_undo_append_hash(const struct sqlite_target_table *facts, const char *alias,
                             bool of_image, struct buffer *sql);
/* Its column for one of the table: '+' a part of the key, '=' the image of any. */
void sqlite_undo_append_column(struct buffer *sql, char prefix, const char *name);
/* The declared type that gives a column this affinity. */
const char *sqlite_affinity_type(enum sqlite_affinity affinity);
/* The name of the table of undo records. */
const char *sqlite_undo_name(struct arena *arena, const char *run_id, const char *table);
/* "INSERT OR IGNORE INTO undo (…, found, …) SELECT alias."k", `found`, alias."a" …": the first
 * image of a key stays. */
void sqlite_undo_append_keeping(const struct sqlite_target_table *facts,
                                const struct target_table *table, const char *name, int found,
                                const char *alias, struct buffer *sql);
/* CREATE TABLE IF NOT EXISTS for it; within a transaction. */
enum status sqlite_undo_make(struct sqlite_database *database, sqlite3 *connection,
                             const char *name, const struct sqlite_target_table *facts,
                             const struct target_table *table, struct error *error) MUST_USE;

/* target_orphans.c: moves the records that break a foreign key out of the tables that the run made
 * and that are to lose them, and what refers to what goes, in one transaction. */
enum status sqlite_orphans_take(struct sqlite_database *database,
                                const struct after_load_request *request,
                                struct error *error) MUST_USE;
/* Says which keys of a table of which SQLite itself checks none, since one of them can't be, are
 * not obeyed, and counts them. */
enum status sqlite_orphans_find_broken(struct sqlite_database *database,
                                       const struct target_table *table, uint32_t *broken,
                                       struct error *error) MUST_USE;
/* sql_target_functions.partnerless */
enum status sqlite_tell_partnerless(struct database *self, const struct target_table *table,
                                    struct buffer *out, struct buffer *unasked,
                                    struct error *error);

/* target_prepare.c */
enum status sqlite_target_alter_columns(struct database *self, const struct target_table *table,
                                        struct column_list columns, struct error *error);
enum status sqlite_target_add_columns(struct database *self, const struct target_table *table,
                                      struct column_list columns, struct error *error) MUST_USE;
enum status sqlite_target_prepare_tables(struct database *self,
                                         const struct prepare_request *request,
                                         struct error *error) MUST_USE;
/* target_virtual.c: makes the virtual tables whose stores were loaded, in one transaction. */
enum status sqlite_target_carry_virtual_tables(struct sqlite_database *database,
                                               const struct schema *objects, struct arena *arena,
                                               struct error *error) MUST_USE;
/* Removes the entry that the function above wrote; its store stays, as tables. Within a
 * transaction. */
enum status sqlite_target_remove_virtual_table(struct sqlite_database *database, const char *name,
                                               struct error *error) MUST_USE;
/* target_finish.c */
enum status sqlite_target_after_load(struct database *self, struct after_load_request *request,
                                     struct error *error) MUST_USE;

/* ---------------------------------------------------------------- target_records.c */

/* struct sql_dialect */
enum status sqlite_delete_all(struct sql_finding *finding, const struct cell *keys,
                              uint32_t key_count);
enum status sqlite_fetch_all(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count);
enum status sqlite_read_records(struct sql_database *self, const struct sql_table *table,
                                const char *from, struct batch *batch, struct error *error);
/* target_catalog.c: the table that sqlite_dialect.describe found, and the way back: its schema, of
 * columns with their names and defaults alone, is in `arena`. */
static inline const struct sqlite_target_table *sqlite_facts_of(const struct sql_table *table)
{
    return (const struct sqlite_target_table *)table->facts;
}
struct sql_table sqlite_table_of(const struct sqlite_target_table *facts, struct arena *arena);

/* trial.c: struct sql_dialect */
enum status sqlite_imagine(struct sql_database *self, const struct target_table *table,
                           struct arena *arena, struct sql_table *made, struct error *error);
enum status sqlite_try_value(struct sql_database *self, const struct sql_table *table,
                             uint32_t column, const struct cell *cell, struct arena *scratch,
                             struct error *error);
enum status sqlite_find_checks(struct sql_database *self, const struct sql_table *table,
                               struct arena *arena, struct sql_checks **checks,
                               struct error *error);
enum status sqlite_try_checks(struct sql_database *self, const struct sql_table *table,
                              const struct sql_checks *checks, const struct shape *shape,
                              const struct cell *cells, struct arena *scratch, struct error *error);

/* ---------------------------------------------------------------- target_normal.c */

enum status sqlite_target_normal_form(struct database *self, const struct cell *cell,
                                      struct arena *arena, struct cell *normal,
                                      struct error *error) MUST_USE;
/* Is a decimal that came from a double kept as that? A whole number's digits are the number where
 * whole doubles become whole numbers, too, as those of more than 18 digits are. */
bool sqlite_keeps_double(enum sqlite_affinity affinity, const struct cell *decimal);
uint32_t sqlite_target_column_class(struct database *self, const struct schema_table *table,
                                    const struct schema_column *column);
enum status sqlite_target_normal_form_in_column(struct database *self, uint32_t column_class,
                                                const struct cell *cell, struct arena *arena,
                                                struct cell *normal, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- claim.c */

/* Gives the lock beside the file up, if this process has it. */
void sqlite_claim_unlock(struct sqlite_database *self);
/* STATUS_FAILED, ERROR_RUN_FENCED: the claim was taken over; within a transaction. Without a guard:
 * nothing. */
enum status sqlite_claim_check(struct sqlite_database *database, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- forget.c */

/* As struct target_functions has them. */
enum status sqlite_target_forget_run(struct database *self, const char *run_id, bool rolled_back,
                                     struct error *error) MUST_USE;
enum status sqlite_target_tidy(struct database *self, bool rolled_back,
                               struct error *error) MUST_USE;
/* Drops the lists of keys that the claimed run wrote; within a transaction. */
enum status sqlite_drop_key_tables(struct sqlite_database *database, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- notes.c */

/* Notes, takes back or asks that the claimed run made a table; within a transaction. Without a run:
 * nothing. */
enum status sqlite_ledger_note_made(struct sqlite_database *database, const char *table,
                                    struct error *error) MUST_USE;
enum status sqlite_ledger_forget_made(struct sqlite_database *database, const char *table,
                                      struct error *error) MUST_USE;
enum status sqlite_ledger_was_made(struct sqlite_database *database, const char *table, bool *made,
                                   struct error *error) MUST_USE;
/* Notes that the claimed run made a view, trigger or other object beside its tables; within a
 * transaction. */
enum status sqlite_ledger_note_object(struct sqlite_database *database, const char *type,
                                      const char *name, const char *sql,
                                      struct error *error) MUST_USE;

#endif
