/*
 * The store: the table main._transhume_ledger. All handles of a database share its control
 * connection, a transaction at a time in the turn of the control thread (target_turn.c): a
 * connection of its own could only wait for a writer of the same process, by polling.
 */
#include "connectors/sqlite/ledger_internal.h"
#include <stdlib.h>

enum { VALUE_BYTES_MAX = 256 << 20 };

static const char make_table[] =
    "CREATE TABLE IF NOT EXISTS main." SQL_STORE_TABLE
    " (name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL)";

struct sqlite_store {
    struct store head;
    struct sqlite_database *database;
    bool within; /* begin was called */
};

static struct sqlite_store *own(struct store *store)
{
    return (struct sqlite_store *)store;
}

static void append_table(const struct store *store, struct buffer *sql)
{
    (void)store;
    buffer_append_string(sql, "main." SQL_STORE_TABLE);
}

/* ---------------------------------------------------------------- the place */

static enum status refuse_first_format(struct sqlite_database *self, struct error *error)
{
    error_set(error, ERROR_LEDGER_INVALID, self->sql.shown,
              "it holds the ledger of an older version of transhume, in a format that this version "
              "does not know");
    error_hint(error, "finish its runs, or roll them back, with the version that made them; or "
                      "drop the tables named _transhume_* by hand");
    return STATUS_FAILED;
}

static enum status sqlite_store_look(struct sqlite_database *self, struct error *error)
{
    bool there = false;
    int64_t older = 0;
    enum status status = sqlite_ledger_ask(
        self,
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name IN "
        "('_transhume_run', '_transhume_chunk', '_transhume_done', '_transhume_made')",
        NULL, &older, error);
    if (status == STATUS_OK && older > 0) {
        status = refuse_first_format(self, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_check_ours(self, self->control, error);
    }
    if (status == STATUS_OK) {
        status = sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error);
    }
    return status == STATUS_OK && !there ? STATUS_END : status;
}

static enum status exists(struct store *store, struct error *error)
{
    struct sqlite_database *self = own(store)->database;
    enum status status = sqlite_control_begin(self, false, error);

    return status == STATUS_OK ? sqlite_control_end(self, sqlite_store_look(self, error), error)
                               : status;
}

enum status sqlite_place_make(struct sqlite_database *self, sqlite3 *connection,
                              struct error *error)
{
    enum status status =
        sqlite_target_execute(self, connection, make_table, ERROR_TARGET_WRITE, error);

    if (status == STATUS_OK && self->made_file) {
        status = sqlite_target_execute(self, connection,
                                       "INSERT OR IGNORE INTO main." SQL_STORE_TABLE
                                       " (name, version, value) VALUES ('" SQLITE_PLACE_FILE
                                       "', 1, '{\"format\":2}')",
                                       ERROR_TARGET_WRITE, error);
    }
    return status;
}

static enum status refuse_moved(struct sqlite_database *self, struct error *error)
{
    error_set(error, ERROR_TARGET_LOCKED, self->sql.shown,
              "another process removed or replaced the new file just now");
    error_hint(error, "start again once the other has ended");
    return STATUS_FAILED;
}

/* The first write goes into the file that has the target's name. */
static enum status sqlite_store_create(struct store *store, struct error *error)
{
    struct sqlite_database *self = own(store)->database;
    enum status status = sqlite_control_begin(self, true, error);
    bool moved = sqlite_target_file_moved(self);

    if (status != STATUS_OK) {
        return moved ? refuse_moved(self, error) : status;
    }
    status = moved ? refuse_moved(self, error) : sqlite_place_make(self, self->control, error);
    return sqlite_control_end(self, status, error);
}

static enum status sqlite_store_drop(struct store *store, struct error *error)
{
    store->seen = false;
    return sqlite_place_drop(own(store)->database, error);
}

/* ---------------------------------------------------------------- statements */

static enum status step_all(struct sqlite_database *self, sqlite3_stmt *statement,
                            sql_store_row *row, void *context, struct error *error)
{
    enum { FIELDS_MAX = 3 };
    const char *fields[FIELDS_MAX];
    size_t lengths[FIELDS_MAX];
    enum status status = STATUS_OK;
    int result = SQLITE_DONE;

    while (status == STATUS_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        int count = sqlite3_column_count(statement);
        for (int i = 0; i < count && i < FIELDS_MAX; i++) {
            fields[i] = sqlite_text_of(statement, i);
            lengths[i] = (size_t)sqlite3_column_bytes(statement, i);
        }
        status = row != NULL ? row(context, fields, lengths, error) : STATUS_OK;
    }
    return status == STATUS_OK && result != SQLITE_DONE
               ? sqlite_ledger_step_failed(self, result, error)
               : status;
}

static enum status run_within(struct sqlite_database *self, const char *sql,
                              const struct store_value *parameter, sql_store_row *row,
                              void *context, uint64_t *changed, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_ledger_prepare(self, sql, &statement, error);

    if (status == STATUS_OK && parameter != NULL) {
        sqlite3_bind_text64(statement, 1, parameter->text, parameter->length, SQLITE_STATIC,
                            SQLITE_UTF8);
    }
    if (status == STATUS_OK) {
        status = step_all(self, statement, row, context, error);
    }
    if (changed != NULL) {
        *changed = status == STATUS_OK ? (uint64_t)sqlite3_changes64(self->control) : 0;
    }
    sqlite3_finalize(statement);
    return status;
}

static enum status sqlite_store_run(struct store *store, const char *sql,
                                    const struct store_value *parameter, sql_store_row *row,
                                    void *context, uint64_t *changed, struct error *error)
{
    struct sqlite_database *self = own(store)->database;

    if (own(store)->within) {
        return run_within(self, sql, parameter, row, context, changed, error);
    }
    enum status status = sqlite_control_begin(self, changed != NULL, error);
    return status == STATUS_OK
               ? sqlite_control_end(
                     self, run_within(self, sql, parameter, row, context, changed, error), error)
               : status;
}

static enum status sqlite_store_begin(struct store *store, struct error *error)
{
    enum status status = sqlite_control_begin(own(store)->database, true, error);

    own(store)->within = status == STATUS_OK;
    return status;
}

static enum status sqlite_store_end(struct store *store, enum status status, struct error *error)
{
    own(store)->within = false;
    return sqlite_control_end(own(store)->database, status, error);
}

/* ---------------------------------------------------------------- handles */

static const struct sql_store_dialect dialect = {
    .insert = "INSERT OR IGNORE INTO ",
    .insert_end = "",
    .parameter = "?1",
    .value_bytes_max = VALUE_BYTES_MAX,
    .append_table = append_table,
    .exists = exists,
    .create = sqlite_store_create,
    .run = sqlite_store_run,
    .begin = sqlite_store_begin,
    .end = sqlite_store_end,
};

/* A run that could not be claimed is not made either. */
static enum status store_create(struct store *store, struct error *error)
{
    enum status status = sqlite_claim_refuse_other(own(store)->database, error);
    return status == STATUS_OK ? sql_store_create(store, error) : status;
}

static enum status store_open(struct database *database, struct store **store, struct error *error)
{
    struct sqlite_store *opened;

    *store = NULL;
    if (sqlite_database_of(database)->target == NULL) {
        return error_set(error, ERROR_INTERNAL, sql_database_of(database)->shown,
                         "a ledger is opened in a source");
    }
    opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->head.dialect = &dialect;
    opened->database = sqlite_database_of(database);
    *store = &opened->head;
    return STATUS_OK;
}

static void store_close(struct store *store)
{
    free(store);
}

const struct store_functions sqlite_store = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .open = store_open,
    .close = store_close,
    .create = store_create,
    .drop = sqlite_store_drop,
    .get = sql_store_get,
    .put_if = sql_store_put_if,
    .delete_if = sql_store_delete_if,
    .scan = sql_store_scan,
    .put_many = sql_store_put_many,
};
