/* Before the load: the tables that are missing, in one transaction, with those keys and unique
 * indexes that records could break. */
#include "base/failpoint.h"
#include "connectors/postgres/schema/create.h"
#include "connectors/postgres/schema/objects.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/postgres/statement.h"
#include "connectors/postgres/store.h"
#include "connectors/sql/finding.h"
#include "model/labels.h"
#include <string.h>

/* One statement: what stands in a default or a check can't end it and begin another one. */
static enum status postgres_prepare_make(struct postgres_database *self, PGconn *connection,
                                         struct buffer *sql, const char *name, struct error *error)
{
    enum status status = postgres_query_buffer(self, connection, sql, NULL, 0, SQL_LONG,
                                               ERROR_TARGET_SCHEMA, NULL, error);
    if (status != STATUS_OK) {
        error_context(error, "%s: ", name);
    }
    return status;
}

/* The keys that the run writes into a table that holds others: so that its own are told apart. */
static enum status make_key_table(struct postgres_database *self, PGconn *connection,
                                  const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    if (!target_table_tracks(table) || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    struct buffer name = {0};
    postgres_append_own_table(&name, self, POSTGRES_OWN_KEYS, table->name);
    bool found = false;
    enum status status = postgres_is_there(self, connection, buffer_string(&name),
                                           ERROR_TARGET_INVALID, &found, error);
    if (status == STATUS_OK && !found) {
        postgres_append(&sql, "CREATE TABLE %s AS SELECT %l FROM %t WITH NO DATA",
                        buffer_string(&name), table->key, &self->sql, table->name);
        status = postgres_prepare_make(self, connection, &sql, table->name, error);
    }
    if (status == STATUS_OK && !found) {
        postgres_append(&sql, "ALTER TABLE %s ADD PRIMARY KEY (%l)", buffer_string(&name),
                        table->key);
        status = postgres_prepare_make(self, connection, &sql, table->name, error);
    }
    buffer_free(&name);
    return status;
}

static enum status make_undo_table(struct postgres_database *self, PGconn *connection,
                                   const struct target_table *table, struct arena *arena,
                                   struct error *error)
{
    struct postgres_table facts;
    if (!table->keeps_undo || table->key.count == 0 || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status =
        postgres_target_describe(self, connection, table->name, arena, &facts, error);
    return status == STATUS_OK ? postgres_undo_make(self, connection, table, &facts, arena, error)
           : status == STATUS_END ? sql_refuse_dropped(table->name, error)
                                  : status;
}

/* The facts with which prepare begins. */
struct preparing {
    struct postgres_database *self;
    PGconn *connection;
    const struct prepare_request *request;
    PGresult *made; /* tables that this run made before */
    struct arena *arena;
    struct error *error;
};

static bool was_made(const struct preparing *preparing, const char *table)
{
    for (int i = 0; preparing->made != NULL && i < PQntuples(preparing->made); i++) {
        if (strcmp(PQgetvalue(preparing->made, i, 0), table) == 0) {
            return true;
        }
    }
    return false;
}

static enum status prepare_send(void *context, const char *what, const char *name,
                                struct buffer *sql, struct error *error)
{
    const struct preparing *preparing = context;
    (void)what;
    return postgres_prepare_make(preparing->self, preparing->connection, sql, name, error);
}

static enum status make_table(struct preparing *preparing, struct target_table *table)
{
    struct postgres_database *self = preparing->self;
    const struct prepare_request *request = preparing->request;
    const struct postgres_creation creation = {.self = self,
                                               .tables = request->tables,
                                               .table_count = request->table_count,
                                               .catalog = self->tables,
                                               .whole = request->objects != NULL};
    table->created = true;
    enum status status =
        postgres_create_statements(&creation, table, prepare_send, preparing, preparing->error);
    if (status == STATUS_OK) {
        status = postgres_note_made(self, preparing->connection, table->name, preparing->error);
    }
    if (status == STATUS_OK) {
        status = postgres_objects_make(self, preparing->connection, table, 1, request->objects,
                                       POSTGRES_WITH_TABLES, NULL, preparing->error);
    }
    return status;
}

static enum status prepare_table(struct preparing *preparing, struct target_table *table)
{
    struct postgres_database *self = preparing->self;
    bool made = was_made(preparing, table->name);
    bool found = postgres_catalog_find(self->tables, table->name) != NULL;
    enum status status = STATUS_OK;

    table->created = made;
    if (found) {
        status = make_key_table(self, preparing->connection, table, preparing->error);
    } else if (made) {
        error_set(preparing->error, ERROR_TARGET_SCHEMA, table->name,
                  "this run made the table and it is gone, while its chunks are marked as done");
        error_hint(preparing->error, "start a new run with an empty target");
        return STATUS_FAILED;
    } else {
        status = make_table(preparing, table);
    }
    return status == STATUS_OK ? make_undo_table(self, preparing->connection, table,
                                                 preparing->arena, preparing->error)
                               : status;
}

/* A part of the tables, in a transaction of its own: each table that is made holds locks until its
 * end, of which a server has only so many. */
static enum status prepare_some(struct preparing *preparing, uint32_t first, uint32_t end)
{
    enum status status = postgres_begin(preparing->self, &preparing->connection, preparing->error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = postgres_check_claim(preparing->self, preparing->connection, preparing->error);
    for (uint32_t i = first; status == STATUS_OK && i < end; i++) {
        status = prepare_table(preparing, &preparing->request->tables[i]);
    }
    return postgres_end(preparing->self, preparing->connection, status, preparing->error);
}

static enum status load_made(struct preparing *preparing)
{
    struct postgres_database *self = preparing->self;
    struct buffer sql = {0};
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    postgres_append_made(&sql, self);
    return postgres_query_buffer(self, preparing->connection, &sql, NULL, 0, SQL_SHORT,
                                 ERROR_LEDGER_INVALID, &preparing->made, preparing->error);
}

static enum status prepare_objects(struct preparing *preparing)
{
    struct postgres_database *self = preparing->self;
    const struct prepare_request *request = preparing->request;
    if (request->objects == NULL && self->sql.base.scope.others.count == 0) {
        return STATUS_OK;
    }
    if (postgres_begin(self, &preparing->connection, preparing->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_check_claim(self, preparing->connection, preparing->error);
    if (status == STATUS_OK) {
        status = postgres_schemas_make(self, preparing->connection, request, preparing->error);
    }
    if (status == STATUS_OK) {
        status = postgres_objects_make(self, preparing->connection, request->tables,
                                       request->table_count, request->objects,
                                       POSTGRES_BEFORE_TABLES, NULL, preparing->error);
    }
    return postgres_end(self, preparing->connection, status, preparing->error);
}

enum status postgres_prepare(struct database *database, const struct prepare_request *request,
                             struct error *error)
{
    enum { TABLES_AT_ONCE = 100 };
    struct preparing preparing = {.self = postgres_database_of(database),
                                  .request = request,
                                  .arena = arena_create(0),
                                  .error = error};
    uint32_t count = request->table_count;
    enum status status = failpoint_hit("postgres.before_schema", error);

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct schema_table *same = request->tables[i].same_engine;
        status = same != NULL ? postgres_check_told(&preparing.self->sql.base.scope, same, error)
                              : STATUS_OK;
    }
    status = status == STATUS_OK ? prepare_objects(&preparing) : status;
    status = status == STATUS_OK ? postgres_control(preparing.self, &preparing.connection, error)
                                 : status;
    status = status == STATUS_OK ? load_made(&preparing) : status;
    if (status == STATUS_OK) {
        status = postgres_target_read(preparing.self, preparing.connection, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count; i += TABLES_AT_ONCE) {
        status =
            prepare_some(&preparing, i, count - i < TABLES_AT_ONCE ? count : i + TABLES_AT_ONCE);
    }
    status = status == STATUS_OK ? postgres_rebuild_drop(preparing.self, request, error) : status;
    if (status == STATUS_OK) {
        status = postgres_target_read(preparing.self, preparing.connection, error);
    }
    PQclear(preparing.made);
    arena_destroy(preparing.arena);
    return status == STATUS_OK ? failpoint_hit("postgres.after_schema", error) : status;
}

/* In one statement, so that all of them are there or none. */
enum status postgres_add_columns(struct database *database, const struct target_table *table,
                                 struct column_list columns, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection;
    struct buffer sql = {0};
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(&sql, "ALTER TABLE %t", &self->sql, table->name);
    for (uint32_t i = 0; i < columns.count; i++) {
        struct schema_column column = target_table_added_column(table, columns.names[i]);
        buffer_append_string(&sql, i > 0 ? ", ADD COLUMN " : " ADD COLUMN ");
        postgres_append_new_column(&sql, &column);
    }
    enum status status = postgres_check_claim(self, connection, error);
    status = status == STATUS_OK ? postgres_prepare_make(self, connection, &sql, table->name, error)
                                 : status;
    buffer_free(&sql);
    status = postgres_end(self, connection, status, error);
    return status == STATUS_OK ? postgres_target_read(self, connection, error) : status;
}

/* Gives the column's type the labels that the source's has, at their places. */
static enum status add_labels(struct postgres_database *self, PGconn *connection,
                              const struct target_table *table, const struct schema_column *column,
                              struct error *error)
{
    const char *at = labels_of_stamp(column->stamp);
    struct label label;
    struct label before = {0};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && labels_next(&at, &label)) {
        struct buffer sql = {0};
        /* the number and '=' stand before it, and an E where a backslash is in it */
        const char *text = label.text + strcspn(label.text, "=") + 1;
        size_t length = label.length - (size_t)(text - label.text);
        buffer_format(&sql, "ALTER TYPE %s ADD VALUE IF NOT EXISTS ", column->type.native);
        buffer_append(&sql, text, length);
        if (before.length > 0) {
            postgres_append(&sql, " AFTER %S", before.text, before.length);
        }
        status = postgres_prepare_make(self, connection, &sql, table->name, error);
        buffer_free(&sql);
        before = (struct label){.text = text, .length = length};
    }
    return status;
}

static bool is_enum(const struct schema_column *column)
{
    return labels_of_stamp(column->stamp) != NULL && column->type.native != NULL;
}

/* The server converts what is there, where it has a cast for it that loses nothing by custom. */
enum status postgres_alter_columns(struct database *database, const struct target_table *table,
                                   struct column_list columns, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection;
    struct buffer sql = {0};
    if (postgres_begin(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t altered = 0;
    enum status status = postgres_check_claim(self, connection, error);
    for (uint32_t i = 0; i < columns.count && status == STATUS_OK; i++) {
        struct schema_column column = target_table_column(table, columns.names[i]);
        bool is_listed = is_enum(&column);
        bool drops = !column.not_null && !column_list_holds(table->key, column.name);
        if (is_listed) {
            status = add_labels(self, connection, table, &column, error);
        }
        if (is_listed && !drops) {
            continue;
        }
        if (altered++ == 0) {
            postgres_append(&sql, "ALTER TABLE %t", &self->sql, table->name);
        } else {
            buffer_append_byte(&sql, ',');
        }
        if (!is_listed) {
            postgres_append(&sql, " ALTER COLUMN %n TYPE ", column.name);
            postgres_append_type(&sql, &column.type);
        }
        if (drops) {
            postgres_append(&sql, "%s ALTER COLUMN %n DROP NOT NULL", is_listed ? "" : ",",
                            column.name);
        }
    }
    status = status == STATUS_OK && altered > 0
                 ? postgres_prepare_make(self, connection, &sql, table->name, error)
                 : status;
    buffer_free(&sql);
    status = postgres_end(self, connection, status, error);
    return status == STATUS_OK ? postgres_target_read(self, connection, error) : status;
}
