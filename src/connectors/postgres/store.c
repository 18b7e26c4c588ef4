/*
 * The store: the table `_transhume_ledger`. A database's first handle works through the control
 * connection, so that a take-over, which ends that one, ends it as well. Others have connections of
 * their own.
 */
#include "connectors/postgres/store.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/postgres/locks.h"
#include "connectors/sql/database.h"
#include "connectors/sql/sessions.h"
#include "postgres_sql.h"
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 64 << 20 };

static const char ledger_columns[] =
    "(name text COLLATE pg_catalog.\"C\" PRIMARY KEY, version bigint NOT NULL, value text NOT NULL)";

struct handle {
    struct store base;
    struct postgres_database *self;
    PGconn *own;    /* NULL: not made yet, or not needed */
    PGconn *within; /* the one with an open transaction; NULL: none */
};

static struct handle *handle_of(struct store *store)
{
    return (struct handle *)store;
}

/* ---------------------------------------------------------------- the connection */

static bool is_alive(PGconn *connection)
{
    postgres_hear_of_end(connection);
    return connection != NULL && PQstatus(connection) == CONNECTION_OK;
}

static enum status connect_own(struct handle *handle, PGconn **connection, struct error *error)
{
    enum status status = STATUS_OK;
    if (!is_alive(handle->own)) {
        postgres_disconnect(handle->own);
        handle->own = NULL;
        status = postgres_connect(handle->self, &handle->own, error);
    }
    *connection = handle->own;
    return status;
}

/* A session that is to work on a claimed run is refused once that run was forgotten: what is left
 * to do then is asked in another one. */
static bool is_forgotten(struct handle *handle)
{
    struct store_value value;
    struct error ignored;
    struct handle asking = {.base.dialect = handle->base.dialect, .self = handle->self};
    bool gone = false;
    if (handle->self->sql.guard_key != NULL &&
        connect_own(&asking, &asking.within, &ignored) == STATUS_OK) {
        struct arena *arena = arena_create(1024);
        gone = sql_store_get(&asking.base, handle->self->sql.guard_key, arena, &value, &ignored) ==
               STATUS_END;
        arena_destroy(arena);
    }
    postgres_disconnect(asking.own);
    return gone;
}

/* Not the first handle, nor while the control thread has a transaction open. */
static bool uses_control(const struct handle *handle)
{
    struct postgres_database *self = handle->self;
    return self->control_store == &handle->base &&
           (!is_alive(self->control) || PQtransactionStatus(self->control) == PQTRANS_IDLE);
}

static enum status find_connection(struct handle *handle, PGconn **connection, struct error *error)
{
    struct postgres_database *self = handle->self;
    *connection = handle->within;
    if (handle->within != NULL) {
        return STATUS_OK;
    }
    if (!uses_control(handle)) {
        return connect_own(handle, connection, error);
    }
    if (postgres_control(self, connection, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (error->class == ERROR_CLASS_RETRY || !is_forgotten(handle)) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return connect_own(handle, connection, error);
}

/* The columns of ledger_schema_owner.sql. */
enum { SCHEMA_OWNER, SCHEMA_IS_TRUSTED, SCHEMA_NAME, SCHEMA_ACCOUNT };
#define SCHEMA_COMMENT "transhume ledger" /* of one that a run made */

/* ---------------------------------------------------------------- the table */

static void append_table(const struct store *store, struct buffer *sql)
{
    postgres_append_table(sql, ((const struct handle *)store)->self, SQL_STORE_TABLE);
}

/* Who keeps a ledger in a schema of its own, and forgets to say so, would begin another one. Said
 * once, of schemas that hold nothing else. */
static enum status tell_elsewhere(struct postgres_database *self, PGconn *connection,
                                  struct error *error)
{
    const struct postgres_parameter schema = {.text = sql_ledger_schema(&self->sql)};
    PGresult *found = NULL;
    if (self->ledgers_told) {
        return STATUS_OK;
    }
    self->ledgers_told = true;
    enum status status = postgres_catalog_query(self, connection, sql_ledgers_elsewhere, &schema, 1,
                                                SQL_SHORT, ERROR_TARGET_INVALID, &found, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(found); row++) {
        log_write(LOG_WARNING,
                  "the database has a ledger in the schema %s: --ledger-schema %s means that one",
                  PQgetvalue(found, row, 0), PQgetvalue(found, row, 0));
    }
    PQclear(found);
    return status;
}

static enum status handle_exists(struct store *store, struct error *error)
{
    struct handle *handle = handle_of(store);
    const struct postgres_parameter schema = {.text = sql_ledger_schema(&handle->self->sql)};
    PGconn *connection = NULL;
    PGresult *result = NULL;
    bool old = false;
    enum status status = find_connection(handle, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_catalog_query(
            handle->self, connection,
            "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
            "c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname IN "
            "('" SQL_STORE_TABLE "', '_transhume_run')",
            &schema, 1, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    }
    int rows = status == STATUS_OK ? PQntuples(result) : 0;
    for (int i = 0; i < rows; i++) {
        old = old || strcmp(PQgetvalue(result, i, 0), SQL_STORE_TABLE) != 0;
    }
    PQclear(result);
    if (old) {
        error_set(error, ERROR_LEDGER_INVALID, handle->self->sql.shown,
                  "its ledger has format 1, which this version does not know");
        error_hint(error, "finish its runs with the version of transhume that made them, or drop "
                          "the tables _transhume_* by hand");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && rows > 0) {
        bool there = false;
        status = postgres_has_own(handle->self, connection, SQL_STORE_TABLE, &there, error);
        rows = there ? 1 : 0;
    }
    if (status == STATUS_OK && rows == 0) {
        status = tell_elsewhere(handle->self, connection, error);
        return status == STATUS_OK ? STATUS_END : status;
    }
    return status;
}

/* One process at a time makes or drops what runs share, to the end of the transaction. Several
 * statements that are sent at once are one. */
static void append_lock(struct buffer *sql, const struct postgres_database *self)
{
    buffer_format(sql, "SELECT pg_catalog.pg_advisory_xact_lock(%lld); ",
                  (long long)sql_sessions_key(sql_ledger_schema(&self->sql), "", 0));
}

static enum status refuse_schema(const struct postgres_database *self, const PGresult *found,
                                 struct error *error)
{
    const char *schema = PQgetvalue(found, 0, SCHEMA_NAME);
    error_set(error, ERROR_NOT_OURS, self->sql.ledger_schema,
              "the schema of the ledger belongs to the role %s, who may drop what is in it",
              PQgetvalue(found, 0, SCHEMA_OWNER));
    return error_hint(error,
                      "name another one with --ledger-schema, or ALTER SCHEMA %s OWNER TO %s",
                      schema, PQgetvalue(found, 0, SCHEMA_ACCOUNT));
}

/* May the schema of the ledger be used? It is not there, or its owner is the account, a role of it
 * or a superuser. Without one of its own it counts as there. */
static enum status check_schema(struct postgres_database *self, PGconn *connection, bool *there,
                                struct error *error)
{
    const struct postgres_parameter parameter = {.text = self->sql.ledger_schema};
    PGresult *found = NULL;
    *there = true;
    if (self->sql.ledger_schema == NULL) {
        return STATUS_OK;
    }
    enum status status =
        postgres_catalog_query(self, connection, sql_ledger_schema_owner, &parameter, 1, SQL_SHORT,
                               ERROR_TARGET_INVALID, &found, error);
    *there = status == STATUS_OK && PQntuples(found) > 0;
    if (*there && PQgetvalue(found, 0, SCHEMA_IS_TRUSTED)[0] != 't') {
        status = refuse_schema(self, found, error);
    }
    PQclear(found);
    return status;
}

/* Behind the lock, unless it is there. CREATE SCHEMA IF NOT EXISTS would want the right to make one
 * in any case. */
static enum status make_schema(struct postgres_database *self, PGconn *connection,
                               struct error *error)
{
    bool there = false;
    enum status status = check_schema(self, connection, &there, error);
    if (status != STATUS_OK || there) {
        return status;
    }
    return postgres_execute_buffer(self, connection,
                                   postgres_sql("CREATE SCHEMA %n; COMMENT ON SCHEMA %n IS %q",
                                                self->sql.ledger_schema, self->sql.ledger_schema,
                                                SCHEMA_COMMENT),
                                   SQL_SHORT, ERROR_TARGET_SCHEMA, error);
}

/* Goes with the last table that was in it, if a run made it. */
static void append_drop_schema(struct buffer *sql, const struct postgres_database *self)
{
    struct buffer body = {0};
    if (self->sql.ledger_schema == NULL) {
        return;
    }
    postgres_append(&body,
                    "BEGIN IF pg_catalog.obj_description(pg_catalog.to_regnamespace("
                    "pg_catalog.quote_ident(%q))::pg_catalog.oid, 'pg_namespace') = %q THEN DROP "
                    "SCHEMA %n; END IF; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; "
                    "END",
                    self->sql.ledger_schema, SCHEMA_COMMENT, self->sql.ledger_schema);
    postgres_append(sql, "; DO %q", buffer_string(&body));
    buffer_free(&body);
}

/* The schema, unless it is there, and the table in it: whoever drops them sees both or none. */
static enum status make_locked(struct postgres_database *self, PGconn *connection, const char *name,
                               const char *columns, struct error *error)
{
    struct buffer sql = {0};
    bool begins = PQtransactionStatus(connection) == PQTRANS_IDLE;
    buffer_append_string(&sql, begins ? "BEGIN; " : "");
    append_lock(&sql, self);
    enum status status =
        postgres_execute_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA, error);
    status = status == STATUS_OK ? make_schema(self, connection, error) : status;
    buffer_format(&sql, "CREATE TABLE IF NOT EXISTS %s %s", name, columns);
    status = status == STATUS_OK ? postgres_execute(self, connection, buffer_string(&sql),
                                                    SQL_SHORT, ERROR_TARGET_SCHEMA, error)
                                 : status;
    buffer_free(&sql);
    return begins ? postgres_end(self, connection, status, error) : status;
}

enum status postgres_make_shared(struct postgres_database *self, PGconn *connection,
                                 const char *table, const char *columns, struct error *error)
{
    struct buffer name = {0};
    bool there = false;
    postgres_append_table(&name, self, table);
    enum status status = postgres_is_there(self, connection, buffer_string(&name),
                                           ERROR_TARGET_INVALID, &there, error);
    status = status == STATUS_OK && there ? check_schema(self, connection, &there, error) : status;
    if (status == STATUS_OK && !there) {
        status = make_locked(self, connection, buffer_string(&name), columns, error);
        /* somebody else may have been first */
        status = status == STATUS_OK ? postgres_is_there(self, connection, buffer_string(&name),
                                                         ERROR_TARGET_INVALID, &there, error)
                                     : status;
    }
    buffer_free(&name);
    return status;
}

enum status postgres_store_make(struct postgres_database *self, PGconn *connection,
                                struct error *error)
{
    return postgres_make_shared(self, connection, SQL_STORE_TABLE, ledger_columns, error);
}

static enum status handle_create(struct store *store, struct error *error)
{
    struct handle *handle = handle_of(store);
    PGconn *connection = NULL;
    return find_connection(handle, &connection, error) == STATUS_OK
               ? postgres_store_make(handle->self, connection, error)
               : STATUS_FAILED;
}

enum status postgres_drop_shared(struct postgres_database *self, PGconn *connection,
                                 PGresult *names, enum status status, struct error *error)
{
    struct buffer sql = {0};
    int count = status == STATUS_OK ? PQntuples(names) : 0;
    buffer_format(&sql, "SET LOCAL lock_timeout = %lld; ", (long long)postgres_brief_lock_ms(self));
    append_lock(&sql, self);
    for (int i = 0; i < count; i++) {
        postgres_append(&sql, "%s%t", i == 0 ? "DROP TABLE IF EXISTS " : ", ", &self->sql,
                        PQgetvalue(names, i, 0));
    }
    PQclear(names);
    if (count == 0) {
        buffer_free(&sql);
        return status;
    }
    append_drop_schema(&sql, self);
    return postgres_execute_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_WRITE, error);
}

static enum status handle_drop(struct store *store, struct error *error)
{
    struct handle *handle = handle_of(store);
    PGconn *connection = NULL;
    PGresult *names = NULL;
    enum status status = handle_exists(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    store->seen = false;
    status = find_connection(handle, &connection, error);
    if (status == STATUS_OK) {
        status = postgres_list_own(handle->self, connection, "_transhume_", &names, error);
    }
    return postgres_drop_shared(handle->self, connection, names, status, error);
}

/* ---------------------------------------------------------------- statements */

enum status postgres_store_run(struct postgres_database *self, PGconn *connection, const char *sql,
                               const struct store_value *parameter, sql_store_row *row,
                               void *context, uint64_t *changed, struct error *error)
{
    enum { FIELDS_MAX = SQL_STORE_FIELDS_MAX };
    struct postgres_parameter value = {0};
    PGresult *result = NULL;
    if (parameter != NULL) {
        value = (struct postgres_parameter){
            .text = parameter->text, .length = parameter->length, .binary = true};
    }
    enum status status = postgres_query(
        self, connection, sql, &value, parameter != NULL, row != NULL ? SQL_LONG : SQL_SHORT,
        row != NULL ? ERROR_LEDGER_INVALID : ERROR_TARGET_WRITE, &result, error);
    for (int i = 0; row != NULL && status == STATUS_OK && i < PQntuples(result); i++) {
        const char *fields[FIELDS_MAX] = {0};
        size_t lengths[FIELDS_MAX] = {0};
        for (int field = 0; field < PQnfields(result) && field < FIELDS_MAX; field++) {
            bool null = PQgetisnull(result, i, field) != 0;
            fields[field] = null ? NULL : PQgetvalue(result, i, field);
            lengths[field] = (size_t)PQgetlength(result, i, field);
        }
        status = row(context, fields, lengths, error);
    }
    if (status == STATUS_OK && changed != NULL &&
        postgres_rows_changed(result, changed) != STATUS_OK) {
        status = error_set(error, ERROR_TARGET_WRITE, self->sql.shown,
                           "the server does not say how many rows it changed");
    }
    PQclear(result);
    return status;
}

static enum status handle_run(struct store *store, const char *sql,
                              const struct store_value *parameter, sql_store_row *row,
                              void *context, uint64_t *changed, struct error *error)
{
    struct handle *handle = handle_of(store);
    PGconn *connection = NULL;
    return find_connection(handle, &connection, error) == STATUS_OK
               ? postgres_store_run(handle->self, connection, sql, parameter, row, context, changed,
                                    error)
               : STATUS_FAILED;
}

static enum status end_transaction(struct handle *handle, PGconn *connection, enum status status,
                                   struct error *error)
{
    bool own = connection == handle->own;
    status = postgres_end(handle->self, connection, status, error);
    if (own && PQtransactionStatus(connection) != PQTRANS_IDLE) {
        postgres_break_off(connection);
    }
    return status;
}

static enum status handle_begin(struct store *store, struct error *error)
{
    struct handle *handle = handle_of(store);
    PGconn *connection = NULL;
    if (find_connection(handle, &connection, error) != STATUS_OK ||
        postgres_execute(handle->self, connection, "BEGIN", SQL_SHORT, ERROR_TARGET_WRITE, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    handle->within = connection;
    return STATUS_OK;
}

static enum status handle_end(struct store *store, enum status status, struct error *error)
{
    struct handle *handle = handle_of(store);
    PGconn *connection = handle->within;
    handle->within = NULL;
    return end_transaction(handle, connection, status, error);
}

static const struct sql_store_dialect dialect = {
    .insert = "INSERT INTO ",
    .insert_end = " ON CONFLICT DO NOTHING",
    .parameter = "$1",
    .value_bytes_max = VALUE_BYTES_MAX,
    .append_table = append_table,
    .exists = handle_exists,
    .create = handle_create,
    .run = handle_run,
    .begin = handle_begin,
    .end = handle_end,
};

/* ---------------------------------------------------------------- handles */

static enum status handle_open(struct database *database, struct store **store, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct handle *handle = memory_allocate_zeroed(1, sizeof *handle);
    (void)error;
    handle->base.dialect = &dialect;
    handle->self = self;
    struct store *none = NULL;
    (void)!atomic_compare_exchange_strong(&self->control_store, &none, &handle->base);
    *store = &handle->base;
    return STATUS_OK;
}

static void handle_close(struct store *store)
{
    if (store != NULL) {
        struct store *first = store;
        (void)!atomic_compare_exchange_strong(&handle_of(store)->self->control_store, &first, NULL);
        postgres_disconnect(handle_of(store)->own);
        free(store);
    }
}

/*
 * A session whose connection broke may still be in its COMMIT (it may wait for a standby), and its
 * key can't be seen until that has ended: an insert of the same key waits for it, whatever becomes
 * of it. It is always taken back, at once with the statement, so that nobody waits for this
 * process.
 */
static enum status await_commit(struct handle *handle, const char *key, struct error *error)
{
    struct buffer sql = {0};
    struct error ignored;
    PGconn *connection = NULL;
    if (find_connection(handle, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&sql, "BEGIN; SET LOCAL lock_timeout = %lld; INSERT INTO ",
                  (long long)postgres_brief_lock_ms(handle->self));
    append_table(&handle->base, &sql);
    buffer_format(
        &sql, " (name, version, value) VALUES ('%s', 1, '') ON CONFLICT DO NOTHING; ROLLBACK", key);
    enum status status = postgres_execute_buffer(handle->self, connection, &sql, SQL_LONG,
                                                 ERROR_LEDGER_INVALID, error);
    return status == STATUS_OK ? STATUS_OK
                               : end_transaction(handle, connection, STATUS_FAILED, &ignored);
}

static enum status handle_get_settled(struct store *store, const char *key, struct arena *arena,
                                      struct store_value *value, struct error *error)
{
    enum status status = sql_store_get(store, key, arena, value, error);
    if (status != STATUS_END || !store->seen) {
        return status;
    }
    return await_commit(handle_of(store), key, error) == STATUS_OK
               ? sql_store_get(store, key, arena, value, error)
               : STATUS_FAILED;
}

const struct store_functions postgres_store_functions = {
    .value_bytes_max = VALUE_BYTES_MAX,
    .in_schema = true,
    .open = handle_open,
    .close = handle_close,
    .create = sql_store_create,
    .drop = handle_drop,
    .get = sql_store_get,
    .put_if = sql_store_put_if,
    .delete_if = sql_store_delete_if,
    .scan = sql_store_scan,
    .put_many = sql_store_put_many,
    .get_settled = handle_get_settled,
};

/* ---------------------------------------------------------------- within other transactions */

/* The guard's row, if it stands. */
static void append_guard(struct postgres_database *self, struct buffer *sql)
{
    const struct handle handle = {.base.dialect = &dialect, .self = self};
    sql_store_append_guard(&handle.base, self->sql.guard_key, self->sql.guard_version, sql);
    buffer_append_string(sql, " FOR SHARE");
}

enum status postgres_check_claim(struct postgres_database *self, PGconn *connection,
                                 struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    if (self->sql.run_id == NULL || self->sql.guard_key == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT 1");
    append_guard(self, &sql);
    enum status status = postgres_query_buffer(self, connection, &sql, NULL, 0, SQL_SHORT,
                                               ERROR_LEDGER_INVALID, &result, error);
    bool ours = status == STATUS_OK && PQntuples(result) == 1;
    PQclear(result);
    return status == STATUS_OK && !ours ? sql_run_fenced(self->sql.shown, error) : status;
}

enum status postgres_put_mark(struct postgres_database *self, PGconn *connection,
                              const struct done_mark *mark, struct error *error)
{
    const struct postgres_parameter text = {.text = mark->text};
    struct buffer sql = {0};
    uint64_t changed = 0;
    PGresult *result = NULL;
    if (mark->key == NULL) {
        return postgres_check_claim(self, connection, error);
    }
    postgres_append(&sql, "INSERT INTO %t (name, version, value) SELECT '%s', 1, $1", &self->sql,
                    SQL_STORE_TABLE, mark->key);
    if (self->sql.guard_key != NULL) {
        append_guard(self, &sql);
    }
    buffer_append_string(&sql, " ON CONFLICT DO NOTHING");
    enum status status = postgres_query_buffer(self, connection, &sql, &text, 1, SQL_SHORT,
                                               ERROR_TARGET_WRITE, &result, error);
    if (status == STATUS_OK &&
        (postgres_rows_changed(result, &changed) != STATUS_OK || changed != 1)) {
        status = sql_run_fenced(self->sql.shown, error);
    }
    PQclear(result);
    return status;
}

enum status postgres_put_note(struct postgres_database *self, PGconn *connection, const char *key,
                              const char *text, struct error *error)
{
    const struct handle handle = {.base.dialect = &dialect, .self = self};
    const struct postgres_parameter parameter = {.text = text};
    struct buffer sql = {0};
    sql_store_append_insert(&handle.base, key, &sql);
    return postgres_query_buffer(self, connection, &sql, &parameter, 1, SQL_SHORT,
                                 ERROR_TARGET_WRITE, NULL, error);
}
