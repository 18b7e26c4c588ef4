/* The target side: tables as they are, values as the server reads them, the writer, the ledger. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_TARGET_H
#define TRANSHUME_CONNECTORS_MYSQL_TARGET_H

#include "connectors/mysql/catalog.h"
#include "connectors/sql/normal.h"
#include "connectors/sql/undo.h"

/* Booleans are numbers, instants stand in UTC without a zone. */
extern const struct sql_rules mysql_rules;

/* ---------------------------------------------------------------- unchecked.c */

/* A statement that no foreign key answers to, neither by refusing it nor by doing more. Frees the
 * buffer. `*changed` (may be NULL): how many records it found. */
enum status mysql_run_unchecked(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                                uint64_t *changed, struct error *error) MUST_USE;
/* The same of mysql_alter. */
enum status mysql_alter_unchecked(struct mysql_database *self, MYSQL *connection,
                                  struct buffer *sql, const char *table,
                                  struct error *error) MUST_USE;
/* For a run whose writes stand as they are (database.triggers_off): no foreign key answers in
 * this session, neither by refusing nor by doing more. Triggers can't be told not to fire. */
enum status mysql_silence_keys(struct mysql_database *self, MYSQL *connection, bool off,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- look.c */

/* One table of the target as it is. STATUS_END: there is none of that name. */
enum status mysql_target_describe(struct mysql_database *self, MYSQL *connection, const char *name,
                                  struct arena *arena, struct mysql_table *table,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- check.c, rights.c, prepare.c,
 * script.c, finish.c */

/* check.c */
enum status mysql_tell_changed(struct database *database, const struct target_table *tables,
                               uint32_t table_count, const struct schema *objects,
                               struct buffer *out, struct error *error);
enum status mysql_check_table(struct database *self, const struct check_request *request,
                              struct buffer *out, struct error *error);
/* rights.c: a line for what the account may not do that the table takes; nothing where that can't
 * be known. */
enum status mysql_check_rights(struct mysql_database *self, MYSQL *connection,
                               const struct check_request *request, bool is_there,
                               struct buffer *out, struct error *error) MUST_USE;
void mysql_rights_free(struct mysql_rights *rights); /* what is not in an arena; NULL is fine */
/* prepare.c */
enum status mysql_alter_columns(struct database *self, const struct target_table *table,
                                struct column_list columns, struct error *error);
enum status mysql_add_columns(struct database *self, const struct target_table *table,
                              struct column_list columns, struct error *error);
/* CREATE TABLE as it is tried first: in the source's own words where there are any. `from`: the
 * source's database, or NULL. */
void mysql_append_new_table(struct buffer *sql, const struct mysql_database *self,
                            const struct target_table *table, const char *from,
                            struct arena *arena);
/* script.c */
enum status mysql_script(struct database *self, const struct script_request *request,
                         struct script *script, struct error *error);
enum status mysql_column_type(struct database *self, const struct target_table *table,
                              const struct schema_column *column, struct buffer *out,
                              struct error *error);
enum status mysql_prepare(struct database *self, const struct prepare_request *request,
                          struct error *error);
/* Does the table's comment say that the claimed run is making it? */
bool mysql_is_marked(const struct mysql_database *self, const struct mysql_table *facts);
/* finish.c */
enum status mysql_after_load(struct database *self, struct after_load_request *request,
                             struct error *error);

/* workers.c: sql_await_builders for the tables. */
enum status mysql_await_builders(struct mysql_database *self, MYSQL *connection,
                                 const struct after_load_request *request,
                                 struct error *error) MUST_USE;

/* ---------------------------------------------------------------- layout.c */

/* How a table is made that the plan describes by its columns. */
struct mysql_layout {
    const char **types;    /* of each column, in words */
    const char *key_fault; /* why the server would refuse the primary key; NULL: it does not */
    const char **faults;   /* the same of each index; plain ones are left out for it */
    uint64_t row_bytes;    /* by the server's count */
    uint64_t page_bytes;   /* by InnoDB's */
};

struct mysql_layout mysql_layout_make(const struct mysql_database *self,
                                      const struct target_table *table, struct arena *arena);
bool mysql_layout_fits(const struct mysql_layout *layout);
/* "KEY `name` (…)"; of long texts and bytes a plain one holds the beginnings. */
void mysql_layout_append_index(const struct mysql_database *self, const struct target_table *table,
                               const struct mysql_layout *layout, const struct target_index *index,
                               struct buffer *sql);

/* ---------------------------------------------------------------- definition.c */

enum mysql_clause { MYSQL_CLAUSE_COLUMN, MYSQL_CLAUSE_KEY, MYSQL_CLAUSE_REFERENCE };

/* The parts between the parentheses of SHOW CREATE TABLE, and what stands behind them. */
struct mysql_definition {
    struct text *clauses;
    uint8_t *kinds; /* enum mysql_clause: secondary keys, references, all else */
    uint32_t count;
    struct text options; /* "ENGINE=InnoDB DEFAULT CHARSET=…" and partitions */
};
/* prepare.c: the secondary keys that come after the load; a flag a clause. */
void mysql_pick_late_keys(const struct mysql_definition *definition,
                          const struct target_table *table, bool *late);

/* STATUS_END: it is not of that form. Texts are borrowed from `statement`. */
enum status mysql_definition_read(const char *statement, struct arena *arena,
                                  struct mysql_definition *definition) MUST_USE;
/* The name of a key or constraint clause in backquotes, as it stands there; empty: none. */
struct text mysql_definition_name(const struct text *clause);
/* Does a name in backquotes stand for this one? In any case of letters. */
bool mysql_definition_is_name(const struct text *quoted, const char *name);
/* The same, in the same case. */
bool mysql_definition_is_exactly(const struct text *quoted, const char *name);
/* Is that the first column of a key clause? */
bool mysql_definition_begins_with(const struct text *clause, const char *column);

/* ---------------------------------------------------------------- encode.c */

/* Where a value goes: a line of LOAD DATA (tabs between, backslashes escape, \N is NULL), a
 * statement, or the parameters of a prepared one (COM_STMT_BULK_EXECUTE in MariaDB's manual). */
enum mysql_form { MYSQL_IN_LINE, MYSQL_IN_STATEMENT, MYSQL_IN_BULK };

/* As what the column's values are sent MYSQL_IN_BULK: an enum_field_types, 0x8000 if unsigned. */
uint16_t mysql_bulk_type(const struct mysql_column *column);

/*
 * Appends a value as the column takes it: NULLs, conversions and limits included. `scratch` is for
 * values made on the way. STATUS_FAILED with a REJECT code: the column can't hold it (what was
 * appended is the caller's to take back). LARGE values are not for this function.
 */
enum status mysql_encode(const struct mysql_column *column, const struct cell *cell,
                         enum mysql_form form, struct arena *scratch, struct buffer *out,
                         struct error *error) MUST_USE;

/* writer_rows.c: can the column hold a LARGE value, as far as its kind and length say? */
enum status mysql_check_large(const struct mysql_column *column, const struct large_value *large,
                              struct error *error) MUST_USE;
/* writer_error_value.c: which of the columns take the error value of an ENUM: those of a table
 * that the run makes as the source has it. */
void mysql_note_error_values(const struct target_table *table, struct mysql_table *facts);

/* trial.c: struct sql_dialect */
enum status mysql_imagine(struct sql_database *database, const struct target_table *table,
                          struct arena *arena, struct sql_table *made, struct error *error);
enum status mysql_try_value(struct sql_database *database, const struct sql_table *table,
                            uint32_t column, const struct cell *cell, struct arena *scratch,
                            struct error *error);
enum status mysql_find_checks(struct sql_database *database, const struct sql_table *table,
                              struct arena *arena, struct sql_checks **checks, struct error *error);
enum status mysql_try_checks(struct sql_database *database, const struct sql_table *table,
                             const struct sql_checks *checks, const struct shape *shape,
                             const struct cell *cells, struct arena *scratch, struct error *error);
/* A value of the column's kind of one that is neither text nor JSON: itself, or converted. Fails as
 * convert_value does. */
enum status mysql_of_column(const struct mysql_column *column, const struct cell *cell,
                            struct arena *scratch, struct cell *made, struct error *error) MUST_USE;
/* normal_column.c: column_functions.value_class and normal_form. */
uint32_t mysql_column_class(struct database *database, const struct schema_table *table,
                            const struct schema_column *column);
enum status mysql_normal_form_in_column(struct database *database, uint32_t column_class,
                                        const struct cell *cell, struct arena *arena,
                                        struct cell *normal, struct error *error) MUST_USE;
/* Bytes as a field of a line. */
void mysql_append_field(struct buffer *out, const char *bytes, size_t length);
/* Must a field of a line go by way of a variable? Then `expression` begins what is made of it, up
 * to the variable, and `*end` ends it. */
bool mysql_needs_variable(const struct mysql_database *self, const struct mysql_column *column,
                          const char **expression, const char **end);

/* ---------------------------------------------------------------- control.c */

/* START TRANSACTION on the control connection. */
enum status mysql_begin(struct mysql_database *self, MYSQL **connection,
                        struct error *error) MUST_USE;
/* COMMIT if `status` is STATUS_OK, else ROLLBACK; passes `status` through. */
enum status mysql_end(struct mysql_database *self, MYSQL *connection, enum status status,
                      struct error *error) MUST_USE;
/* Does the claim stand? Its guard is locked until the transaction's end. Without a claim, or with a
 * ledger elsewhere: yes. */
enum status mysql_check_claim(struct mysql_database *self, MYSQL *connection,
                              struct error *error) MUST_USE;

/* ---------------------------------------------------------------- named_lock.c */

/* The lock's name as SQL: of `what` it is for, the run and this database. */
void mysql_named_lock_append(struct buffer *sql, const struct mysql_database *self,
                             const char *what, const char *run_id);
/* Takes it, for the connection's session. STATUS_AGAIN: somebody has it. */
enum status mysql_named_lock_get(struct mysql_database *self, MYSQL *connection, const char *what,
                                 const char *run_id, int wait_s, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- claim.c */

/* The sessions that are open work on the claimed run from now on. */
enum status mysql_enter_run(struct mysql_database *self, bool took_over,
                            struct error *error) MUST_USE;

/* ---------------------------------------------------------------- notes.c */

/* The claimed run's note on a table: that it is about to make it, has made it, or, of one with undo
 * records, that they are carried out. Without a run: none. */
enum mysql_making { MYSQL_NOT_MADE, MYSQL_INTENDED, MYSQL_MADE, MYSQL_UNDONE };
/* Notes it in the connection's transaction; MYSQL_NOT_MADE removes the note. */
enum status mysql_note_making(struct mysql_database *self, MYSQL *connection, const char *table,
                              enum mysql_making making, struct error *error) MUST_USE;
enum status mysql_find_making(struct mysql_database *self, MYSQL *connection, const char *table,
                              enum mysql_making *making, struct error *error) MUST_USE;
/* Removes all notes of a run. */
enum status mysql_forget_notes(struct mysql_database *self, MYSQL *connection, const char *run_id,
                               struct error *error) MUST_USE;

/* Kinds of our own tables that belong to a run: "_transhume_KIND_RUN_NUMBER", where the number is a
 * hash of a table's name. */
#define MYSQL_OWN_KEYS "key"     /* keys that the run wrote into a table that held records */
#define MYSQL_OWN_DROPPED "drop" /* a table that a rollback is about to drop */
#define MYSQL_OWN_UNDO "undo"    /* undo.c, orphans.c */
#define MYSQL_OWN_LATER "later"  /* later.h */
void mysql_own_name(const struct mysql_database *self, const char *kind, const char *table,
                    char name[SQL_OWN_NAME_BYTES]);
void mysql_append_key_table(struct buffer *sql, const struct mysql_database *self,
                            const char *table);
/* The names of ours that begin so. */
enum status mysql_list_own(struct mysql_database *self, MYSQL *connection, const char *prefix,
                           MYSQL_RES **names, struct error *error) MUST_USE;
/* Drops those of a run; of NULL all tables of ours. */
enum status mysql_drop_own(struct mysql_database *self, MYSQL *connection, const char *run_id,
                           struct error *error) MUST_USE;
/* Drops those with the keys of these tables. */
enum status mysql_drop_key_tables(struct mysql_database *self, MYSQL *connection,
                                  const struct target_table *tables, uint32_t table_count,
                                  struct error *error) MUST_USE;

/* ---------------------------------------------------------------- ending.c */

/* From now on the connection works on the claimed run, and is ended when that is taken over. */
enum status mysql_session_mark(struct mysql_database *self, MYSQL *connection,
                               struct error *error) MUST_USE;
/* Ends others that work on that epoch of a run: sql_end_sessions. */
enum status mysql_sessions_end(struct mysql_database *self, MYSQL *connection, const char *run_id,
                               uint64_t epoch, struct error *error) MUST_USE;
/* The same of the session that holds a user lock, whose name is SQL; `own_too`: also if it is one
 * of this process, but not this one. */
enum status mysql_holder_end(struct mysql_database *self, MYSQL *connection, const char *lock,
                             bool own_too, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- forget.c: target_functions */

enum status mysql_forget_run(struct database *self, const char *run_id, bool rolled_back,
                             struct error *error);
enum status mysql_tidy(struct database *self, bool rolled_back, struct error *error);

/* ---------------------------------------------------------------- undo.c */

/*
 * _transhume_undo_RUN_HASH (sql_undo_name), made with the first attempt that may write to the
 * table: for each key that the run wrote
 *   _transhume_found   was a record there before the run? then its columns are what it held;
 *                      2: and the run took it out; 3: it was taken back, and a trigger did
 *                      something else, whatever was there
 *   _transhume_hash    over the record as the run left it; NULL: it did not write it after all
 *   _transhume_fate    while the run is taken back: 6: the record stays, since others refer to it
 *   _transhume_number  the same, where records have to be tried in parts
 *   others             each column of the table that holds a value of its own, under its name;
 * those of the key always filled Rows are written in the transaction of their chunk. The first
 * image of a key stays.
 */
/* "name TYPE NULL, ": the type as it is, without default, number of its own and the like. */
void mysql_undo_append_column(struct buffer *sql, const struct mysql_table *facts,
                              uint32_t position, bool in_key);
/* Is that the name of a column of ours? */
bool mysql_undo_is_own(const char *column);
/* An expression: 16 bytes that tell records of these columns apart, whatever is in them. */
void mysql_undo_append_hash(struct buffer *sql, const struct mysql_database *self,
                            const struct mysql_column *columns, uint32_t count, const char *alias);
/* ", alias`a`, alias`b` …": the columns that it has of the table's. */
void mysql_undo_append_columns(struct buffer *sql, const struct mysql_table *facts,
                               const char *alias);
/* Makes the table if it is not there. Commits what came before it. */
enum status mysql_undo_make(struct mysql_database *self, MYSQL *connection,
                            const struct target_table *table, const struct mysql_table *facts,
                            struct arena *arena, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- records.c */

/* struct sql_dialect */
enum status mysql_delete_all(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count);
enum status mysql_fetch_all(struct sql_finding *finding, const struct cell *keys,
                            uint32_t key_count);
enum status mysql_read_records(struct sql_database *database, const struct sql_table *table,
                               const char *from, struct batch *batch, struct error *error);

/* ---------------------------------------------------------------- writer.c */

enum status mysql_writer_open(struct database *self, const struct target_table *tables,
                              uint32_t table_count, uint64_t epoch, struct writer **writer,
                              struct error *error);
void mysql_writer_close(struct writer *writer);
enum status mysql_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                     struct error *error);
enum status mysql_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                struct batch *batch, struct error *error);
enum status mysql_writer_poll(struct writer *writer, int64_t timeout_ms,
                              struct batch_result *result, struct error *error);
enum status mysql_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                             struct error *error) MUST_USE;
enum status mysql_writer_commit(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                                struct error *error);
void mysql_writer_chunk_abandon(struct writer *writer, uint64_t chunk);
/* express.c: express_functions */
bool mysql_express_accepts(struct database *database, struct database *source);
enum status mysql_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                const struct read_request *request, const struct span *span,
                                uint32_t table, uint64_t *rows, struct error *error);

#endif
