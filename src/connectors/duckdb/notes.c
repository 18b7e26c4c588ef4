/* The target's notes of a run beside its ledger, in the transactions that they are about: the
 * tables that it made. */
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include "connectors/duckdb/target.h"
#include "model/json_writer.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Names are one whatever the case of their ASCII letters. */
static void made_key(char key[STORE_KEY_BYTES], const char *run_id, const char *table)
{
    char *folded = memory_copy_string(table);
    for (char *at = folded; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    store_note_key(key, run_id, "made", folded);
    free(folded);
}

enum status duckdb_note_made(struct duckdb_database *self, const char *table, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct buffer value = {0};
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    made_key(key, self->sql.run_id, table);
    buffer_append_string(&value, "{\"format\":2,\"table\":");
    json_append_string(&value, table, strlen(table));
    buffer_append_byte(&value, '}');
    enum status status = duckdb_store_make(self, self->control, error);
    status = status == STATUS_OK
                 ? duckdb_store_mark(self, self->control, key, buffer_string(&value), error)
                 : status;
    buffer_free(&value);
    return status;
}

enum status duckdb_forget_made(struct sql_database *database, const char *table,
                               struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    char key[STORE_KEY_BYTES];
    if (database->run_id == NULL) {
        return STATUS_OK;
    }
    made_key(key, database->run_id, table);
    return duckdb_run_buffer(
        self, self->control,
        duckdb_sql("DELETE FROM %t WHERE name = %q", database, SQL_STORE_TABLE, key),
        ERROR_TARGET_WRITE, NULL, error);
}

enum status duckdb_is_made(struct sql_database *database, const char *table, bool *made,
                           struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    char key[STORE_KEY_BYTES];
    int64_t found = 0;
    *made = false;
    if (database->run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = duckdb_store_exists(self, self->control, error);
    if (status == STATUS_OK) {
        made_key(key, database->run_id, table);
        status = duckdb_ask_number(
            self, self->control,
            duckdb_sql("SELECT count(*) FROM %t WHERE name = %q", database, SQL_STORE_TABLE, key),
            ERROR_TARGET_INVALID, &found, error);
        *made = found > 0;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- the end of a run */

/* Where the writer kept the run's keys. */
static enum status drop_keys(struct duckdb_database *self, const char *run_id, struct error *error)
{
    struct column_list names = {0};
    struct buffer sql = {0};
    struct arena *arena = arena_create(4096);
    duckdb_append(&sql,
                  "SELECT table_name FROM duckdb_tables() WHERE database_name = " DUCKDB_HERE " "
                  "AND schema_name = %q AND starts_with(table_name, '_transhume_key_' || "
                  "left(%q, 24) || '_')",
                  self->sql.schema, run_id);
    enum status status = duckdb_dialect.list(&self->sql, &sql, arena, &names, error);
    for (uint32_t i = 0; status == STATUS_OK && i < names.count; i++) {
        duckdb_append(&sql, "DROP TABLE %t", &self->sql, names.names[i]);
        status = duckdb_run_buffer(self, self->control, &sql, ERROR_TARGET_WRITE, NULL, error);
    }
    arena_destroy(arena);
    return status;
}

/* Deletes the notes of a run whose ledger is elsewhere, and with the last of them their place. */
static enum status delete_notes(struct duckdb_database *self, const char *run_id,
                                struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    char guest[STORE_KEY_BYTES];
    struct buffer sql = {0};
    int64_t left = 1;
    enum status status = duckdb_store_exists(self, self->control, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    store_name_key(prefix, "run/", run_id);
    store_name_key(guest, STORE_GUEST_PREFIX, run_id);
    duckdb_append(&sql, "DELETE FROM %t WHERE starts_with(name, %q || '/') OR name = %q",
                  &self->sql, SQL_STORE_TABLE, prefix, guest);
    status = duckdb_run_buffer(self, self->control, &sql, ERROR_TARGET_WRITE, NULL, error);
    if (status == STATUS_OK) {
        duckdb_append(&sql,
                      "SELECT count(*) FROM %t WHERE starts_with(name, 'run') OR starts_with(name, "
                      "'guest/')",
                      &self->sql, SQL_STORE_TABLE);
        status = duckdb_ask_number(self, self->control, &sql, ERROR_TARGET_INVALID, &left, error);
    }
    if (status == STATUS_OK && left == 0) {
        duckdb_append(&sql, "DROP TABLE %t", &self->sql, SQL_STORE_TABLE);
        status = duckdb_run_buffer(self, self->control, &sql, ERROR_TARGET_WRITE, NULL, error);
    }
    return status;
}

enum status duckdb_forget_run(struct database *database, const char *run_id, bool rolled_back,
                              struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    (void)rolled_back;
    if (duckdb_dialect.begin(&self->sql, SQL_WRITES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = duckdb_check_claim(self, self->control, error);
    status = status == STATUS_OK ? drop_keys(self, run_id, error) : status;
    if (status == STATUS_OK && self->sql.guard_key == NULL) {
        status = delete_notes(self, run_id, error);
    }
    return sql_end_between(&self->sql, "before_forget", "after_forget", status, error);
}

/* Other contents of the file are others'; a file that the run made is nobody's once it is empty. */
enum status duckdb_tidy(struct database *database, bool rolled_back, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    (void)error;
    self->made_file = self->made_file || rolled_back;
    return STATUS_OK;
}
