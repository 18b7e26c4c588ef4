/* Declarations that the files of the DuckDB target share. */
#ifndef TRANSHUME_CONNECTORS_DUCKDB_TARGET_H
#define TRANSHUME_CONNECTORS_DUCKDB_TARGET_H

#include "connectors/duckdb/duckdb_internal.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/store.h"

/* ---------------------------------------------------------------- store.c */

extern const struct store_functions duckdb_store_functions;
extern const struct rights_functions duckdb_rights; /* rights.c */
extern const struct lock_functions duckdb_lock_functions;
/* STATUS_END: the ledger's table is not there. */
enum status duckdb_store_exists(struct duckdb_database *self, struct duckdb_handle *connection,
                                struct error *error) MUST_USE;
/* Makes it, unless it is there, within whatever transaction there is. */
enum status duckdb_store_make(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct error *error) MUST_USE;
/* Within a transaction that is about to be committed; ERROR_RUN_FENCED. */
enum status duckdb_check_claim(struct duckdb_database *self, struct duckdb_handle *connection,
                               struct error *error) MUST_USE;
/* Puts a key that is absent. */
enum status duckdb_store_mark(struct duckdb_database *self, struct duckdb_handle *connection,
                              const char *key, const char *text, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- notes.c */

enum status duckdb_note_made(struct duckdb_database *self, const char *table,
                             struct error *error) MUST_USE;
enum status duckdb_forget_made(struct sql_database *self, const char *table, struct error *error);
enum status duckdb_is_made(struct sql_database *self, const char *table, bool *made,
                           struct error *error);
enum status duckdb_forget_run(struct database *self, const char *run_id, bool rolled_back,
                              struct error *error);
enum status duckdb_tidy(struct database *self, bool rolled_back, struct error *error);

/* ---------------------------------------------------------------- table.c */

/* One table of the target. STATUS_END: there is none of that name. */
enum status duckdb_target_describe(struct duckdb_database *self, struct duckdb_handle *connection,
                                   const char *name, struct arena *arena,
                                   struct duckdb_table *table, struct error *error) MUST_USE;
/* Can values be put into a column of this form? */
bool duckdb_takes_values(const struct duckdb_form *form);
/* "DECIMAL(10,2)": what a column of the table is declared as. */
void duckdb_append_column_type(struct buffer *sql, const struct target_table *table,
                               const struct schema_column *column);
bool duckdb_is_in_key(const struct target_table *table, const char *name);
/* "CREATE TABLE …"; `more` stands behind the columns and keys. */
void duckdb_append_create(struct buffer *sql, const struct sql_database *self,
                          const struct target_table *table, const struct buffer *more);
enum status duckdb_prepare(struct database *self, const struct prepare_request *request,
                           struct error *error);
enum status duckdb_after_load(struct database *self, struct after_load_request *request,
                              struct error *error);
enum status duckdb_alter_columns(struct database *self, const struct target_table *table,
                                 struct column_list columns, struct error *error);
enum status duckdb_add_columns(struct database *self, const struct target_table *table,
                               struct column_list columns, struct error *error);
enum status duckdb_script(struct database *self, const struct script_request *request,
                          struct script *script, struct error *error);
enum status duckdb_column_type(struct database *self, const struct target_table *table,
                               const struct schema_column *column, struct buffer *out,
                               struct error *error);
enum status duckdb_tell_changed(struct database *self, const struct target_table *tables,
                                uint32_t table_count, const struct schema *objects,
                                struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- references.c */

/* Makes the foreign keys of the tables that the run made; counts those that could not be. */
enum status duckdb_make_references(struct duckdb_database *self, struct after_load_request *request,
                                   struct error *error) MUST_USE;
enum status duckdb_tell_unfit_references(struct database *self, const struct target_table *table,
                                         struct buffer *out, struct error *error);
/* A line for each foreign key that is made without what it does when its partner goes. */
void duckdb_tell_actions(const struct target_table *table, struct buffer *out);

/* ---------------------------------------------------------------- write.c */

/* A vector that values are put into. */
struct duckdb_column {
    const struct duckdb_form *form;
    struct duckdb_handle *vector;
    uint64_t *validity; /* NULL: no value of it is NULL so far */
};
struct duckdb_column duckdb_column_of(const struct duckdb_library *library,
                                      const struct duckdb_form *form, struct duckdb_handle *vector);
/* Puts a value, NULL included, at a place. Fails of class REJECT. */
enum status duckdb_write(const struct duckdb_library *library, struct duckdb_column *column,
                         uint64_t at, const struct cell *cell, struct arena *scratch,
                         struct error *error) MUST_USE;

/* The same of a column of a table, which may be NOT NULL; the reject's context names the column. */
enum status duckdb_put_value(const struct duckdb_library *library,
                             const struct schema_column *schema, struct duckdb_column *column,
                             uint64_t at, const struct cell *cell, struct arena *scratch,
                             struct error *error) MUST_USE;

/* ---------------------------------------------------------------- trial.c */

extern const struct trial_functions duckdb_trial;

/* ---------------------------------------------------------------- writer.c */

enum status duckdb_writer_open(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error);
void duckdb_writer_close(struct writer *writer);
enum status duckdb_writer_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                      struct error *error);
enum status duckdb_writer_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                                 struct batch *batch, struct error *error);
enum status duckdb_writer_poll(struct writer *writer, int64_t timeout_ms,
                               struct batch_result *result, struct error *error);
enum status duckdb_writer_run(struct writer *writer, uint64_t chunk, const char *sql,
                              struct error *error);
enum status duckdb_writer_commit(struct writer *writer, uint64_t chunk,
                                 const struct done_mark *mark, struct error *error);
void duckdb_writer_chunk_abandon(struct writer *writer, uint64_t chunk);

/* ---------------------------------------------------------------- records.c */

enum status duckdb_delete_all(struct sql_finding *finding, const struct cell *keys,
                              uint32_t key_count);
enum status duckdb_fetch(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, struct batch **made,
                         struct error *error);
enum status duckdb_restore(struct database *self, const struct target_table *table,
                           const struct batch *batch, uint32_t row, struct error *error);
enum status duckdb_read_records(struct sql_database *self, const struct sql_table *table,
                                const char *from, struct batch *batch, struct error *error);
enum status duckdb_remove(struct sql_database *self, const struct sql_table *table, bool made,
                          struct error *error);

extern const struct target_functions duckdb_target_functions;
extern const struct sql_target_functions duckdb_sql_target_functions;
extern const struct column_functions duckdb_column_functions;
extern const struct forecast_functions duckdb_forecast_functions;
extern const struct rollback_functions duckdb_rollback_functions;

#endif
