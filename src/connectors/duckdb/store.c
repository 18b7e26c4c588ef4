/* The store: the table `_transhume_ledger`. A statement outside `begin` and `end` is its own
 * transaction. Who has the file open to write holds DuckDB's lock on it, which goes with the
 * process: no other one can write, nor take the run over. */
#include "base/memory.h"
#include "connectors/contract/ledger.h"
#include "connectors/duckdb/target.h"
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 16 << 20, FIELDS_MAX = 3 };

struct store_handle {
    struct store base;
    struct duckdb_database *self;
    struct duckdb_handle *connection;
};

static struct store_handle *handle_of(struct store *store)
{
    return (struct store_handle *)store;
}

static void append_table(const struct store *store, struct buffer *sql)
{
    duckdb_append(sql, "%t", &((const struct store_handle *)store)->self->sql, SQL_STORE_TABLE);
}

/* ---------------------------------------------------------------- the table */

/* The table or view that has the ledger's name, and why it is not the ledger (""): the letters of
 * the name count, since DuckDB takes a table whose name has other ones for it. */
static const char find_ledger[] =
    "SELECT view_name, 'it has the name of a table of ours, but is a view' FROM duckdb_views() "
    "WHERE database_name = " DUCKDB_HERE " AND schema_name = %q AND lower(view_name) = %q "
    "UNION ALL SELECT t.table_name, CASE "
    "WHEN t.table_name <> %q THEN 'to DuckDB it has the name of a table of ours, which is written "
    "in small letters' "
    "WHEN i.index_name IS NOT NULL THEN 'it is a table of ours, but carries the index ' || "
    "i.index_name "
    "WHEN c.constraint_type IS NOT NULL THEN 'it is a table of ours, but carries a ' || "
    "c.constraint_type "
    "WHEN contains(t.sql, ' GENERATED ALWAYS AS(') THEN 'it is a table of ours, but carries a "
    "generated column' ELSE '' END FROM duckdb_tables() t "
    "LEFT JOIN duckdb_indexes() i ON i.database_name = t.database_name AND i.table_oid = "
    "t.table_oid AND NOT i.is_primary "
    "LEFT JOIN duckdb_constraints() c ON c.database_name = t.database_name AND c.table_oid = "
    "t.table_oid AND c.constraint_type NOT IN "
    "('PRIMARY KEY', 'NOT NULL') "
    "WHERE t.database_name = " DUCKDB_HERE " AND t.schema_name = %q AND lower(t.table_name) = "
    "%q LIMIT 1";

enum status duckdb_store_exists(struct duckdb_database *self, struct duckdb_handle *connection,
                                struct error *error)
{
    struct duckdb_table_of_cells found;
    struct arena *arena = arena_create(4096);
    enum status status =
        duckdb_read_all(self, connection,
                        duckdb_sql(find_ledger, self->sql.schema, SQL_STORE_TABLE, SQL_STORE_TABLE,
                                   self->sql.schema, SQL_STORE_TABLE),
                        ERROR_TARGET_INVALID, arena, &found, error);
    if (status == STATUS_OK && found.count == 0) {
        status = STATUS_END;
    } else if (status == STATUS_OK) {
        const char *why = duckdb_text_of(&found.cells[1], arena);
        if (why != NULL && why[0] != '\0') {
            error_set(error, ERROR_NOT_OURS, duckdb_text_of(&found.cells[0], arena), "%s", why);
            status = error_hint(error, SQL_STORE_NOT_OURS_HINT);
        }
    }
    arena_destroy(arena);
    return status;
}

enum status duckdb_store_make(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct error *error)
{
    return duckdb_run_buffer(
        self, connection,
        duckdb_sql("CREATE TABLE IF NOT EXISTS %t (name VARCHAR PRIMARY KEY, version UBIGINT "
                   "NOT NULL, value VARCHAR NOT NULL)",
                   &self->sql, SQL_STORE_TABLE),
        ERROR_TARGET_SCHEMA, NULL, error);
}

static enum status handle_exists(struct store *store, struct error *error)
{
    return duckdb_store_exists(handle_of(store)->self, handle_of(store)->connection, error);
}

static enum status handle_create(struct store *store, struct error *error)
{
    return duckdb_store_make(handle_of(store)->self, handle_of(store)->connection, error);
}

static enum status handle_drop(struct store *store, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    store->seen = false;
    return duckdb_run_buffer(
        handle->self, handle->connection,
        duckdb_sql("DROP TABLE IF EXISTS %t", &handle->self->sql, SQL_STORE_TABLE),
        ERROR_TARGET_WRITE, NULL, error);
}

/* ---------------------------------------------------------------- statements */

/* The fields of a row as texts, numbers in digits. */
static enum status give_row(const struct cell *cells, uint32_t width, struct arena *arena,
                            sql_store_row *row, void *context, struct error *error)
{
    const char *fields[FIELDS_MAX] = {0};
    size_t lengths[FIELDS_MAX] = {0};
    for (uint32_t i = 0; i < width && i < FIELDS_MAX; i++) {
        struct buffer text = {0};
        if (sql_append_value_text(&duckdb_rules, &cells[i], &text, error) != STATUS_OK) {
            buffer_free(&text);
            return STATUS_FAILED;
        }
        fields[i] = arena_copy(arena, buffer_string(&text), text.length);
        lengths[i] = text.length;
        buffer_free(&text);
    }
    return row(context, fields, lengths, error);
}

/* Takes the rows of a chunk; of a statement that changes rows the one number. */
static enum status take_rows(struct duckdb_rows *rows, const struct duckdb_form *forms,
                             uint32_t width, sql_store_row *row, void *context, uint64_t *changed,
                             struct error *error)
{
    const struct duckdb_library *library = rows->database->library;
    struct arena *arena = arena_create(0);
    uint32_t count = (uint32_t)rows->count;
    struct cell *cells = arena_allocate_zeroed(arena, (size_t)count * width + 1, sizeof *cells);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < width; i++) {
        status = duckdb_read(library, &forms[i], library->data_chunk_get_vector(rows->chunk, i), 0,
                             count, arena, cells + i, width, error);
    }
    if (status == STATUS_OK && changed != NULL && count > 0) {
        *changed = cells[0].u64;
    }
    for (uint32_t i = 0; status == STATUS_OK && row != NULL && i < count; i++) {
        status = give_row(cells + (size_t)i * width, width, arena, row, context, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status run_on(struct duckdb_database *self, struct duckdb_handle *connection,
                          const char *sql, const struct store_value *parameter, sql_store_row *row,
                          void *context, uint64_t *changed, struct error *error)
{
    struct duckdb_rows rows;
    uint32_t width = 0;
    if (duckdb_rows_open(&rows, self, connection, sql, parameter, ERROR_TARGET_WRITE, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(4096);
    const struct duckdb_form *forms = duckdb_forms_of(&rows, arena, &width);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = duckdb_rows_next(&rows, ERROR_TARGET_WRITE, error);
        if (status == STATUS_OK) {
            status = take_rows(&rows, forms, width, row, context, changed, error);
        }
    }
    duckdb_rows_close(&rows);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status handle_run(struct store *store, const char *sql,
                              const struct store_value *parameter, sql_store_row *row,
                              void *context, uint64_t *changed, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    return run_on(handle->self, handle->connection, sql, parameter, row, context, changed, error);
}

static enum status handle_begin(struct store *store, struct error *error)
{
    return duckdb_run(handle_of(store)->self, handle_of(store)->connection, "BEGIN TRANSACTION",
                      ERROR_TARGET_WRITE, NULL, error);
}

static enum status handle_end(struct store *store, enum status status, struct error *error)
{
    struct store_handle *handle = handle_of(store);
    struct error ignored = {0};
    bool good = status == STATUS_OK;
    enum status ended = duckdb_run(handle->self, handle->connection, good ? "COMMIT" : "ROLLBACK",
                                   ERROR_TARGET_WRITE, NULL, good ? error : &ignored);
    return good ? ended : status;
}

static const struct sql_store_dialect store_dialect = {
    .insert = "INSERT INTO ",
    .insert_end = " ON CONFLICT DO NOTHING",
    .parameter = "?",
    .value_bytes_max = VALUE_BYTES_MAX,
    .append_table = append_table,
    .exists = handle_exists,
    .create = handle_create,
    .run = handle_run,
    .begin = handle_begin,
    .end = handle_end,
};

/* ---------------------------------------------------------------- handles */

static enum status open_handle(struct database *database, struct store **store, struct error *error)
{
    struct store_handle *made = memory_allocate_zeroed(1, sizeof *made);
    made->base.dialect = &store_dialect;
    made->self = duckdb_database_of(database);
    *store = NULL;
    if (duckdb_connect(made->self, &made->connection, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *store = &made->base;
    return STATUS_OK;
}

static void close_handle(struct store *store)
{
    if (store != NULL) {
        duckdb_disconnect(handle_of(store)->self, &handle_of(store)->connection);
        free(store);
    }
}

const struct store_functions duckdb_store_functions = {
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
};

/* ---------------------------------------------------------------- within other transactions */

enum status duckdb_store_mark(struct duckdb_database *self, struct duckdb_handle *connection,
                              const char *key, const char *text, struct error *error)
{
    const struct store_handle handle = {.base = {.dialect = &store_dialect}, .self = self};
    const struct store_value value = {.text = text, .length = strlen(text)};
    struct buffer sql = {0};
    uint64_t changed = 0;
    sql_store_append_insert(&handle.base, key, &sql);
    enum status status =
        run_on(self, connection, buffer_string(&sql), &value, NULL, NULL, &changed, error);
    buffer_free(&sql);
    return status == STATUS_OK && changed == 0 ? sql_run_fenced(self->sql.shown, error) : status;
}

enum status duckdb_check_claim(struct duckdb_database *self, struct duckdb_handle *connection,
                               struct error *error)
{
    const struct store_handle handle = {.base = {.dialect = &store_dialect}, .self = self};
    struct buffer sql = {0};
    int64_t found = 0;
    if (self->sql.guard_key == NULL) {
        return STATUS_OK;
    }
    enum status status = duckdb_store_exists(self, connection, error);
    if (status == STATUS_OK) {
        buffer_append_string(&sql, "SELECT count(*)");
        sql_store_append_guard(&handle.base, self->sql.guard_key, self->sql.guard_version, &sql);
        status = duckdb_ask_number(self, connection, &sql, ERROR_TARGET_INVALID, &found, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED
           : found > 0             ? STATUS_OK
                                   : sql_run_fenced(self->sql.shown, error);
}

/* ---------------------------------------------------------------- the lock */

static enum status store_take(struct database *database, const char *run_id, uint64_t epoch,
                              bool take_over, struct ledger_holder *found, struct error *error)
{
    (void)database;
    (void)run_id;
    (void)epoch;
    (void)take_over;
    (void)found;
    (void)error;
    return STATUS_OK;
}

static void give_back(struct database *database, const char *run_id)
{
    (void)database;
    (void)run_id;
}

const struct lock_functions duckdb_lock_functions = {.take = store_take, .give_back = give_back};
