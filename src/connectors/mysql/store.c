/*
 * The store: the table `_transhume_ledger`. Each handle has a connection of its own, of no run, so
 * that it outlives a take-over. A statement outside `begin` and `end` is its own transaction.
 */
#include "connectors/mysql/store.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* Escaped, a value fits into a packet of 1 MiB: no server has a smaller one unless told to. */
enum { VALUE_BYTES_MAX = 480 << 10, DUPLICATE_KEY = 1062, NO_SUCH_TABLE = 1146 };

/* Stands for the parameter in a statement; no key holds it. */
static const char place_of_value[] = "\001";

struct store_handle {
    struct store base;
    struct mysql_database *self;
    MYSQL *connection; /* NULL: not made yet */
    bool within;       /* a transaction is open */
};

static struct store_handle *handle_of(struct store *store)
{
    return (struct store_handle *)store;
}

/* ---------------------------------------------------------------- the connection */

static enum status connect_handle(struct store_handle *handle, struct error *error)
{
    bool alive = mysql_is_alive(handle->connection);
    if (alive && (handle->within || !mysql_has_spoken(handle->connection))) {
        return STATUS_OK;
    }
    if (handle->within) {
        return error_set(error, ERROR_NETWORK, handle->self->sql.shown,
                         "the connection broke off within a transaction of the ledger");
    }
    mysql_disconnect(handle->connection);
    handle->connection = NULL;
    return mysql_connect(handle->self, &handle->connection, error);
}

/* ---------------------------------------------------------------- the table */

static void append_table(const struct store *store, struct buffer *sql)
{
    mysql_append_table(sql, ((const struct store_handle *)store)->self, SQL_STORE_TABLE);
}

enum status mysql_store_exists(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    enum { OLDER = 2 };
    struct buffer sql = {0};
    int64_t found = 0;
    mysql_append(&sql,
                 "SELECT SUM(IF(LOWER(table_name) = '" SQL_STORE_TABLE
                 "', 1, %d)) FROM information_schema.tables WHERE table_name IN ('" SQL_STORE_TABLE
                 "', '_transhume_run') AND table_schema = %q",
                 OLDER, self->sql.schema);
    if (mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_TARGET_INVALID, 0, &found,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (found >= OLDER) {
        error_set(error, ERROR_LEDGER_INVALID, self->sql.shown,
                  "its ledger has format 1, which this version does not know");
        error_hint(error, "finish its runs with the version of transhume that made them, or drop "
                          "the tables _transhume_* by hand");
        return STATUS_FAILED;
    }
    if (mysql_check_ours(self, connection, self->sql.schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return found > 0 ? STATUS_OK : STATUS_END;
}

enum status mysql_store_make(struct mysql_database *self, MYSQL *connection, struct error *error)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %t (name varbinary(255) NOT NULL PRIMARY KEY, "
                 "version bigint unsigned NOT NULL, value longtext NOT NULL) ENGINE=InnoDB "
                 "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC",
                 &self->sql, SQL_STORE_TABLE);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA, NULL, error);
    return status == STATUS_OK ? mysql_check_ours(self, connection, self->sql.schema, error)
                               : status;
}

static enum status handle_exists(struct store *store, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    return connect_handle(handle, error) == STATUS_OK
               ? mysql_store_exists(handle->self, handle->connection, error)
               : STATUS_FAILED;
}

static enum status handle_create(struct store *store, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    if (connect_handle(handle, error) != STATUS_OK ||
        mysql_lock_creating(handle->self, handle->connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = mysql_store_make(handle->self, handle->connection, error);
    mysql_unlock_creating(handle->self, handle->connection);
    return status;
}

static enum status handle_drop(struct store *store, struct error *error)
{
    enum status status = handle_exists(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    store->seen = false;
    return mysql_drop_own(handle_of(store)->self, handle_of(store)->connection, NULL, error);
}

/* ---------------------------------------------------------------- statements */

static void store_fill(struct buffer *filled, const char *sql, const struct store_value *parameter)
{
    const char *place = parameter != NULL ? strstr(sql, place_of_value) : NULL;
    if (place == NULL) {
        buffer_append_string(filled, sql);
        return;
    }
    mysql_append(filled, "%S%Q%s", sql, (size_t)(place - sql), parameter->text, parameter->length,
                 place + strlen(place_of_value));
}

static enum status read_rows(MYSQL_RES *result, sql_store_row *row, void *context,
                             struct error *error)
{
    enum { FIELDS_MAX = SQL_STORE_FIELDS_MAX };
    enum status status = STATUS_OK;
    MYSQL_ROW fields = NULL;
    while (status == STATUS_OK && (fields = mysql_fetch_row(result)) != NULL) {
        const unsigned long *bytes = mysql_fetch_lengths(result);
        size_t lengths[FIELDS_MAX] = {0};
        for (unsigned i = 0; i < mysql_num_fields(result) && i < FIELDS_MAX; i++) {
            lengths[i] = bytes[i];
        }
        status = row(context, (const char *const *)fields, lengths, error);
    }
    return status;
}

enum status mysql_store_run(struct mysql_database *self, MYSQL *connection, const char *sql,
                            const struct store_value *parameter, sql_store_row *row, void *context,
                            uint64_t *changed, struct error *error)
{
    struct buffer filled = {0};
    MYSQL_RES *result = NULL;
    struct error problem = {0};
    store_fill(&filled, sql, parameter);
    enum status status = mysql_run_buffer(self, connection, &filled, SQL_SHORT,
                                          row != NULL ? ERROR_LEDGER_INVALID : ERROR_TARGET_WRITE,
                                          &result, &problem);
    if (status == STATUS_OK && changed != NULL) {
        *changed = mysql_affected_rows(connection);
    }
    if (status == STATUS_OK && row != NULL && result != NULL) {
        status = read_rows(result, row, context, error);
    } else if (status != STATUS_OK && problem.native_code == DUPLICATE_KEY) {
        status = STATUS_OK; /* nothing was changed */
    } else if (status != STATUS_OK) {
        error_copy(error, &problem);
    }
    mysql_free_result(result);
    return status;
}

static enum status store_run(struct store *store, const char *sql,
                             const struct store_value *parameter, sql_store_row *row, void *context,
                             uint64_t *changed, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    return connect_handle(handle, error) == STATUS_OK
               ? mysql_store_run(handle->self, handle->connection, sql, parameter, row, context,
                                 changed, error)
               : STATUS_FAILED;
}

static enum status mysql_store_begin(struct store *store, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    if (connect_handle(handle, error) != STATUS_OK ||
        mysql_run(handle->self, handle->connection, "START TRANSACTION", SQL_SHORT,
                  ERROR_TARGET_WRITE, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    handle->within = true;
    return STATUS_OK;
}

static enum status store_end(struct store *store, enum status status, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    struct error ignored;
    handle->within = false;
    if (status == STATUS_OK) {
        return mysql_run(handle->self, handle->connection, "COMMIT", SQL_SHORT, ERROR_TARGET_WRITE,
                         NULL, error);
    }
    if (mysql_run(handle->self, handle->connection, "ROLLBACK", SQL_SHORT, ERROR_TARGET_WRITE, NULL,
                  &ignored) != STATUS_OK) {
        mysql_disconnect(handle->connection);
        handle->connection = NULL;
    }
    return status;
}

static const struct sql_store_dialect dialect = {
    .insert = "INSERT INTO ",
    .insert_end = "",
    .parameter = place_of_value,
    .value_bytes_max = VALUE_BYTES_MAX,
    .append_table = append_table,
    .exists = handle_exists,
    .create = handle_create,
    .run = store_run,
    .begin = mysql_store_begin,
    .end = store_end,
};

/* ---------------------------------------------------------------- handles */

static enum status open_handle(struct database *database, struct store **store, struct error *error)
{
    struct store_handle *handle = memory_allocate_zeroed(1, sizeof *handle);
    (void)error;
    handle->base.dialect = &dialect;
    handle->self = mysql_database_of(database);
    *store = &handle->base;
    return STATUS_OK;
}

static void close_handle(struct store *store)
{
    if (store != NULL) {
        mysql_disconnect(handle_of(store)->connection);
        free(store);
    }
}

/*
 * A session whose connection broke may still be in its COMMIT: a read that locks waits for the row
 * that it wrote, and so for its end, whichever it is.
 */
static enum status get_settled(struct store *store, const char *key, struct arena *arena,
                               struct store_value *value, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT 1 FROM ");
    append_table(store, &sql);
    buffer_format(&sql, " WHERE name = '%s' LOCK IN SHARE MODE", key);
    enum status status = store_run(store, buffer_string(&sql), NULL, NULL, NULL, NULL, error);
    buffer_free(&sql);
    if (status == STATUS_FAILED && error->native_code == NO_SUCH_TABLE) {
        return STATUS_END;
    }
    return status == STATUS_OK ? sql_store_get(store, key, arena, value, error) : status;
}

const struct store_functions mysql_store_functions = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .open = open_handle,
    .close = close_handle,
    .create = sql_store_create,
    .drop = handle_drop,
    .get = sql_store_get,
    .put_if = sql_store_put_if,
    .delete_if = sql_store_delete_if,
    .scan = sql_store_scan,
    .put_many = sql_store_put_many,
    .get_settled = get_settled,
};

/* ---------------------------------------------------------------- within other transactions */

static enum status run_filled(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                              const char *text, struct error *error)
{
    const struct store_value value = {.text = text, .length = strlen(text)};
    struct buffer filled = {0};
    store_fill(&filled, buffer_string(sql), &value);
    buffer_free(sql);
    return mysql_run_buffer(self, connection, &filled, SQL_SHORT, ERROR_TARGET_WRITE, NULL, error);
}

enum status mysql_store_add(struct mysql_database *self, MYSQL *connection, const char *key,
                            const char *text, struct error *error)
{
    const struct store_handle handle = {.base = {.dialect = &dialect}, .self = self};
    struct error problem = {0};
    struct buffer sql = {0};
    sql_store_append_insert(&handle.base, key, &sql);
    enum status status = run_filled(self, connection, &sql, text, &problem);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (problem.native_code == DUPLICATE_KEY) {
        return STATUS_AGAIN;
    }
    error_copy(error, &problem);
    return STATUS_FAILED;
}

enum status mysql_store_check_guard(struct mysql_database *self, MYSQL *connection, bool *stands,
                                    struct error *error)
{
    const struct store_handle handle = {.base = {.dialect = &dialect}, .self = self};
    struct buffer sql = {0};
    int64_t found = 0;
    buffer_append_string(&sql, "SELECT 1");
    sql_store_append_guard(&handle.base, self->sql.guard_key, self->sql.guard_version, &sql);
    buffer_append_string(&sql, " LOCK IN SHARE MODE");
    enum status status =
        mysql_ask_number(self, connection, &sql, SQL_SHORT, ERROR_LEDGER_INVALID, 0, &found, error);
    *stands = found == 1;
    return status;
}
