/* The target's notes beside the ledger, in the transactions that they are about: the tables,
 * indexes, views and triggers that a run made. */
#include "connectors/common/store_key.h"
#include "connectors/sqlite/ledger_internal.h"
#include "model/json_writer.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* There only where there are such objects. */
static const char make_objects[] =
    "CREATE TABLE IF NOT EXISTS main._transhume_object ("
    "run TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, sql TEXT NOT NULL, "
    "PRIMARY KEY (run, type, name)) WITHOUT ROWID";

/* ---------------------------------------------------------------- statements */

enum status sqlite_ledger_invalid(struct sqlite_database *self, const char *what,
                                  struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->sql.shown,
              "the ledger in the target is damaged: %s", what);
    error_hint(error, "it was edited or cut; restore the target from a backup, or empty it and "
                      "migrate again");
    return STATUS_FAILED;
}

enum status sqlite_ledger_prepare(struct sqlite_database *self, const char *sql,
                                  sqlite3_stmt **statement, struct error *error)
{
    int result = sqlite3_prepare_v2(self->control, sql, -1, statement, NULL);
    if (result == SQLITE_ERROR) {
        return sqlite_ledger_invalid(self, sqlite3_errmsg(self->control), error);
    }
    if (result != SQLITE_OK) {
        return sqlite_target_error(self, self->control, result, ERROR_LEDGER_INVALID,
                                   "the ledger can't be read", error);
    }
    return STATUS_OK;
}

enum status sqlite_ledger_step_failed(struct sqlite_database *self, int result, struct error *error)
{
    return sqlite_target_error(self, self->control, result, ERROR_TARGET_WRITE,
                               "the ledger can't be read or written", error);
}

enum status sqlite_ledger_ask(struct sqlite_database *self, const char *sql, const char *text,
                              int64_t *number, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
        int result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            *number = sqlite3_column_int64(statement, 0);
        }
        status = result == SQLITE_ROW    ? STATUS_OK
                 : result == SQLITE_DONE ? STATUS_END
                                         : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_run(struct sqlite_database *self, const char *sql,
                              const char *const *texts, uint32_t count, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);

    if (status == STATUS_OK) {
        for (uint32_t i = 0; i < count; i++) {
            sqlite3_bind_text(statement, (int)i + 1, texts[i], -1, SQLITE_STATIC);
        }
        int result = sqlite3_step(statement);
        status = result == SQLITE_DONE ? STATUS_OK : sqlite_ledger_step_failed(self, result, error);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_ledger_has_table(struct sqlite_database *self, const char *table, bool *found,
                                    struct error *error)
{
    int64_t number = 0;
    enum status status = sqlite_ledger_ask(
        self, "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1", table,
        &number, error);

    *found = number > 0;
    return status;
}

/* ---------------------------------------------------------------- tables that the run made */

/* SQLite's names are one whatever the case of their ASCII letters. */
static void made_key(char key[STORE_KEY_BYTES], const char *run_id, const char *table)
{
    char *folded = memory_copy_string(table);
    for (char *at = folded; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    store_note_key(key, run_id, "made", folded);
    free(folded);
}

enum status sqlite_ledger_note_made(struct sqlite_database *self, const char *table,
                                    struct error *error)
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
    const char *const texts[] = {key, buffer_string(&value)};
    enum status status =
        self->sql.guard_key != NULL ? STATUS_OK : sqlite_place_make(self, self->control, error);
    if (status == STATUS_OK) {
        status = sqlite_ledger_run(self,
                                   "INSERT OR IGNORE INTO main." SQL_STORE_TABLE
                                   " (name, version, value) VALUES (?1, 1, ?2)",
                                   texts, 2, error);
    }
    buffer_free(&value);
    return status;
}

enum status sqlite_ledger_forget_made(struct sqlite_database *self, const char *table,
                                      struct error *error)
{
    char key[STORE_KEY_BYTES];
    const char *const texts[] = {key};

    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    made_key(key, self->sql.run_id, table);
    return sqlite_ledger_run(self, "DELETE FROM main." SQL_STORE_TABLE " WHERE name = ?1", texts, 1,
                             error);
}

enum status sqlite_ledger_was_made(struct sqlite_database *self, const char *table, bool *made,
                                   struct error *error)
{
    char key[STORE_KEY_BYTES];
    int64_t number = 0;
    bool there = true;
    enum status status = STATUS_OK;

    *made = false;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    if (self->sql.guard_key == NULL) {
        status = sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error);
    }
    made_key(key, self->sql.run_id, table);
    if (status == STATUS_OK && there) {
        status =
            sqlite_ledger_ask(self, "SELECT count(*) FROM main." SQL_STORE_TABLE " WHERE name = ?1",
                              key, &number, error);
    }
    *made = number > 0;
    return status;
}

enum status sqlite_ledger_note_object(struct sqlite_database *self, const char *type,
                                      const char *name, const char *sql, struct error *error)
{
    const char *const texts[] = {self->sql.run_id, type, name, sql};

    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status =
        sqlite_target_execute(self, self->control, make_objects, ERROR_TARGET_WRITE, error);
    return status == STATUS_OK ? sqlite_ledger_run(self,
                                                   "INSERT OR IGNORE INTO main._transhume_object "
                                                   "(run, type, name, sql) VALUES (?1, ?2, ?3, ?4)",
                                                   texts, 4, error)
                               : status;
}
