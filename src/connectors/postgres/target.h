/* The target side: tables as they are, values as COPY's bytes, the writer, claims and notes. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_TARGET_H
#define TRANSHUME_CONNECTORS_POSTGRES_TARGET_H

#include "connectors/postgres/catalog.h"
#include "connectors/sql/undo.h"

/* ---------------------------------------------------------------- control.c */

/* An idle session is told nothing unasked but that it was ended: takes it in. NULL is fine. */
void postgres_hear_of_end(PGconn *connection);
/* BEGIN on the control connection. */
enum status postgres_begin(struct postgres_database *self, PGconn **connection,
                           struct error *error) MUST_USE;
/* COMMIT if `status` is STATUS_OK, else ROLLBACK; passes `status` through. */
enum status postgres_end(struct postgres_database *self, PGconn *connection, enum status status,
                         struct error *error) MUST_USE;

/* ---------------------------------------------------------------- silence.c */

/* May the role have triggers and rules not fire? */
enum status postgres_may_silence(struct postgres_database *self, PGconn *connection, bool *may,
                                 struct error *error) MUST_USE;
/* For a run whose writes stand as they are (database.triggers_off): no trigger fires in this
 * session any more, where the role may say so; else the log says that they do. */
enum status postgres_silence_triggers(struct postgres_database *self, PGconn *connection, bool off,
                                      struct error *error) MUST_USE;

/* ---------------------------------------------------------------- look.c */

/* One table of the target as it is. STATUS_END: there is none of that name. */
enum status postgres_target_describe(struct postgres_database *self, PGconn *connection,
                                     const char *name, struct arena *arena,
                                     struct postgres_table *table, struct error *error) MUST_USE;
/* Reads self->tables (anew). */
enum status postgres_target_read(struct postgres_database *self, PGconn *connection,
                                 struct error *error) MUST_USE;
void postgres_target_forget(struct postgres_database *self);

/* normal_column.c */
/* The rules of a normal form (sql/normal.h). */
extern const struct sql_rules postgres_rules;
/* The form that every value has once it was written, whatever its column's type. */
enum status postgres_normal_form(struct database *self, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error);
uint32_t postgres_column_class(struct database *self, const struct schema_table *table,
                               const struct schema_column *column);
enum status postgres_normal_form_in_column(struct database *self, uint32_t column_class,
                                           const struct cell *cell, struct arena *arena,
                                           struct cell *normal, struct error *error);

/* check.c */
enum status postgres_check_table(struct database *self, const struct check_request *request,
                                 struct buffer *out, struct error *error);
/* needs.c: what lies outside of the schema that is copied. */
enum status postgres_check_objects(struct database *self, const struct schema *objects,
                                   struct buffer *out, struct error *error);
enum status postgres_tell_unfit_objects(struct database *self, const struct schema *objects,
                                        bool *unfit, struct buffer *out, struct error *error);
enum status postgres_tell_unfit_references(struct database *self, const struct target_table *table,
                                           struct buffer *out, struct error *error);
/* version_words.c: what this server is too old for, a line each; after postgres_target_read. */
void postgres_check_newer(const struct postgres_database *self, const struct schema *objects,
                          struct buffer *out);
/* A key that the server neither checks nor keeps. */
bool postgres_is_unenforced(const char *native_sql);
/* The word of a foreign key that this server does not know; NULL: it knows them all. */
const char *postgres_unknown_reference(const struct postgres_database *self,
                                       const char *native_sql);
/* Is the table there of a key that refers to another schema, and may the role refer to it? */
enum status postgres_look_elsewhere(struct postgres_database *self, PGconn *connection,
                                    const struct schema_foreign_key *key, bool *found,
                                    bool *granted, struct error *error) MUST_USE;
/* May the role make temporary tables, by way of which records go that are not just added? */
enum status postgres_may_temp(struct postgres_database *self, PGconn *connection, bool *granted,
                              struct error *error) MUST_USE;
/* prepare.c */
enum status postgres_alter_columns(struct database *self, const struct target_table *table,
                                   struct column_list columns, struct error *error);
enum status postgres_add_columns(struct database *self, const struct target_table *table,
                                 struct column_list columns, struct error *error);
enum status postgres_prepare(struct database *self, const struct prepare_request *request,
                             struct error *error);
/* script.c */
enum status postgres_script(struct database *self, const struct script_request *request,
                            struct script *script, struct error *error);
enum status postgres_column_type(struct database *self, const struct target_table *table,
                                 const struct schema_column *column, struct buffer *out,
                                 struct error *error);
/* finish.c */
enum status postgres_after_load(struct database *self, struct after_load_request *request,
                                struct error *error);

/* ---------------------------------------------------------------- encode.c */

/*
 * Appends a value as binary COPY wants it for the column, its length before it: NULLs, conversions
 * and limits included. `scratch` is for values made on the way. STATUS_FAILED with a REJECT code:
 * the column can't hold it (what was appended is the caller's to take back), or ERROR_MEMORY.
 * LARGE values are not for this function.
 */
enum status postgres_encode(const struct postgres_column *column, const struct cell *cell,
                            struct arena *scratch, struct buffer *out,
                            struct error *error) MUST_USE;

/* writer_copy.c: the same of a LARGE value, as far as its kind and its length say. */
enum status postgres_check_large(const struct postgres_column *column,
                                 const struct large_value *large, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- trial.c */

/* Appends a condition: of the text that the expression gives the column's type would make another
 * value, since a cast that is written out cuts, rounds and pads. Nothing: the type says so itself.
 */
void postgres_append_unfit(struct buffer *sql, const struct postgres_column *column,
                           const char *text);
/* struct sql_dialect */
enum status postgres_try_value(struct sql_database *database, const struct sql_table *table,
                               uint32_t column, const struct cell *cell, struct arena *scratch,
                               struct error *error);
enum status postgres_find_checks(struct sql_database *self, const struct sql_table *table,
                                 struct arena *arena, struct sql_checks **checks,
                                 struct error *error);
enum status postgres_try_checks(struct sql_database *self, const struct sql_table *table,
                                const struct sql_checks *checks, const struct shape *shape,
                                const struct cell *cells, struct arena *scratch,
                                struct error *error);

enum status postgres_imagine(struct sql_database *database, const struct target_table *table,
                             struct arena *arena, struct sql_table *made, struct error *error);

/* ---------------------------------------------------------------- claim.c, store.c */

/* Does the guard of the claim stand? If not, ERROR_RUN_FENCED; its row is locked until the
 * transaction's end. Without a claim, or with a ledger elsewhere: nothing is checked. */
enum status postgres_check_claim(struct postgres_database *self, PGconn *connection,
                                 struct error *error) MUST_USE;

/* The sessions that are open work on the claimed run from now on. */
enum status postgres_enter_run(struct postgres_database *self, bool took_over,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- notes.c */

/* Notes, or asks, that the claimed run made a table. Without a run: nothing. */
enum status postgres_note_made(struct postgres_database *self, PGconn *connection,
                               const char *table, struct error *error) MUST_USE;
enum status postgres_is_noted_made(struct postgres_database *self, PGconn *connection,
                                   const char *table, bool *found, struct error *error) MUST_USE;
enum status postgres_forget_made(struct postgres_database *self, PGconn *connection,
                                 const char *table, struct error *error) MUST_USE;
/* "(SELECT …)" of one column `name`: the tables that the claimed run made, or that any run did. */
void postgres_append_made(struct buffer *sql, const struct postgres_database *self);
void postgres_append_made_by_any(struct buffer *sql, const struct postgres_database *self);
/* All notes of a run whose ledger is elsewhere. `*last`: none of any run are left. */
enum status postgres_forget_notes(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, bool *last, struct error *error) MUST_USE;

/*
 * Tables of ours beside those of the plan, "_transhume_KIND_RUN_HASH" with the hash of the table's
 * name: images for a rollback (sql_undo_name); keys that the run wrote into a table that held
 * records; records that were moved out of the way (set_aside.c); references to later records
 * (later.h).
 */
#define POSTGRES_OWN_UNDO "undo"
#define POSTGRES_OWN_KEYS "key"
#define POSTGRES_OWN_LOST "lost"
#define POSTGRES_OWN_LATER "later"
/* Names and tables of the claimed run. */
void postgres_own_name(const struct sql_database *self, const char *kind, const char *table,
                       char name[SQL_OWN_NAME_BYTES]);
void postgres_append_own_table(struct buffer *sql, const struct postgres_database *self,
                               const char *kind, const char *table);
/* The tables of the target's schema whose names begin so, or a run's of one kind. */
enum status postgres_list_own(struct postgres_database *self, PGconn *connection,
                              const char *prefix, PGresult **names, struct error *error) MUST_USE;
enum status postgres_list_own_of(struct postgres_database *self, PGconn *connection,
                                 const char *kind, const char *run_id, PGresult **names,
                                 struct error *error) MUST_USE;
enum status postgres_drop_own(struct postgres_database *self, PGconn *connection, const char *kind,
                              const char *run_id, struct error *error) MUST_USE;
/* Drops all tables that a result's first column names. Frees the result, whose `status` it is. */
enum status postgres_drop_listed(struct postgres_database *self, PGconn *connection,
                                 PGresult *names, enum status status, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- forget.c */

/* target_functions */
enum status postgres_forget_run(struct database *self, const char *run_id, bool rolled_back,
                                struct error *error);

/* ---------------------------------------------------------------- sessions.c */

/* From now on the connection works on that attempt of a run, and is ended when the run is taken
 * over from it. */
enum status postgres_session_mark(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, uint64_t epoch, struct error *error) MUST_USE;
/* Ends the sessions of others that work on that epoch of a run: sql_end_sessions. */
enum status postgres_sessions_end(struct postgres_database *self, PGconn *connection,
                                  const char *run_id, uint64_t epoch, struct error *error) MUST_USE;
/* The same of those that hold the advisory lock of that key. */
enum status postgres_sessions_end_key(struct postgres_database *self, PGconn *connection,
                                      uint64_t key, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- undo.c */

/*
 * _transhume_undo_RUN_HASH (sql_undo_name), made with the first attempt that may write to the
 * table: for each key that the run wrote or took out
 *   found   was a record there before the run? then its columns are what it held
 *   hash    over the record as the run left it; NULL: it did not write it after all; empty: it
 *           took it out, and did not write it again; "-": it was taken back, and a trigger did
 *           something else
 *   cN      each column that holds a value of its own, N its number (pg_attribute.attnum), so that
 *           a column is known when it was renamed since; those of the key always filled
 * Rows are written in the transaction of their chunk. The first image of a key stays.
 */
/* An expression: a text that tells records of these columns apart, whatever is in them; `of_image`:
 * it is of what the undo table, joined as `alias`, keeps of them. */
void postgres_undo_append_hash(struct buffer *sql, const struct postgres_column *columns,
                               uint32_t count, const char *alias, bool of_image);
/* Makes the table if it is not there. Within the caller's transaction. */
enum status postgres_undo_make(struct postgres_database *self, PGconn *connection,
                               const struct target_table *table, const struct postgres_table *facts,
                               struct arena *arena, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- express.c */

bool postgres_express_accepts(struct database *self, struct database *source);
enum status postgres_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                   const struct read_request *request, const struct span *span,
                                   uint32_t table, uint64_t *rows, struct error *error);

/* ---------------------------------------------------------------- records.c */

/* struct sql_dialect */
enum status postgres_delete_all(struct sql_finding *finding, const struct cell *keys,
                                uint32_t key_count);
enum status postgres_fetch_all(struct sql_finding *finding, const struct cell *keys,
                               uint32_t key_count);
enum status postgres_read_records(struct sql_database *database, const struct sql_table *table,
                                  const char *from, struct batch *batch, struct error *error);

/* ---------------------------------------------------------------- writer.c */

enum status postgres_writer_open(struct database *self, const struct target_table *tables,
                                 uint32_t table_count, uint64_t epoch, struct writer **writer,
                                 struct error *error);
void postgres_writer_close(struct writer *writer);
enum status postgres_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                        struct error *error);
enum status postgres_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                   struct batch *batch, struct error *error);
enum status postgres_writer_poll(struct writer *writer, int64_t timeout_ms,
                                 struct batch_result *result, struct error *error);
enum status postgres_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                                struct error *error) MUST_USE;
enum status postgres_writer_commit(struct writer *writer, uint64_t chunk,
                                   const struct done_mark *mark, struct error *error);
void postgres_writer_chunk_abandon(struct writer *writer, uint64_t chunk);

#endif
