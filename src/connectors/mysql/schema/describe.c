/* The objects of a database besides tables, the statements that make these, and what a query's
 * result looks like. */
#include "connectors/common/scope.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/statement.h"
#include "connectors/sql/request.h"
#include "mysql_sql.h"
#include <string.h>

static enum schema_object_kind kind_of(const char *what)
{
    static const struct {
        const char *what;
        enum schema_object_kind kind;
    } kinds[] = {{"view", SCHEMA_OBJECT_VIEW},
                 {"trigger", SCHEMA_OBJECT_TRIGGER},
                 {"sequence", SCHEMA_OBJECT_SEQUENCE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].what, what) == 0) {
            return kinds[i].kind;
        }
    }
    return SCHEMA_OBJECT_OTHER;
}

static enum status describe_ask(struct mysql_database *self, MYSQL *connection, const char *query,
                                const char *schema, MYSQL_RES **result, struct error *error)
{
    return mysql_run_buffer(self, connection, mysql_filled(query, schema, NULL), SQL_LONG,
                            ERROR_SOURCE_READ, result, error);
}

static const char *describe_keep(const struct schema *schema, const char *text)
{
    return text != NULL ? arena_copy_string(schema->arena, text) : NULL;
}

/* A sequence is two: it is made, and moved on to where it is. */
static enum status add_object(struct mysql_database *self, MYSQL *connection, struct schema *schema,
                              struct schema_object *objects, MYSQL_ROW row, struct error *error)
{
    static const char foreign[] = "only MySQL and MariaDB understand its text";
    bool early = row[3][0] <= '2';
    struct schema_object *object = &objects[schema->object_count++];
    *object = (struct schema_object){
        .kind = kind_of(row[0]),
        .stage = early ? SCHEMA_BEFORE_TABLES : SCHEMA_AFTER_LOAD,
        .what = describe_keep(schema, row[0]),
        .name = describe_keep(schema, row[1]),
        .table = describe_keep(schema, row[2]),
        .not_carried = row[5] != NULL ? describe_keep(schema, row[5]) : foreign,
    };
    if (row[5] != NULL) {
        return STATUS_OK;
    }
    enum status status =
        mysql_object_show(self, connection, object->what, object->name, schema->arena,
                          &object->native_sql, &object->not_carried, error);
    if (status != STATUS_OK || object->native_sql == NULL ||
        object->kind != SCHEMA_OBJECT_SEQUENCE) {
        return status;
    }
    struct schema_object *value = &objects[schema->object_count++];
    *value = (struct schema_object){.kind = SCHEMA_OBJECT_DETAIL,
                                    .stage = object->stage,
                                    .what = "value",
                                    .name = object->name,
                                    .native_query =
                                        mysql_sequence_query(self, object->name, schema->arena)};
    return STATUS_OK;
}

static enum status add_objects(struct mysql_database *self, MYSQL *connection,
                               struct schema *schema, MYSQL_RES *found, struct error *error)
{
    MYSQL_ROW row = NULL;
    struct schema_object *objects = arena_allocate_zeroed(
        schema->arena, 2 * (size_t)mysql_num_rows(found) + 1, sizeof *objects);
    enum status status = STATUS_OK;
    schema->objects = objects;
    schema->object_count = 0;
    while (status == STATUS_OK && (row = mysql_fetch_row(found)) != NULL) {
        status = add_object(self, connection, schema, objects, row, error);
    }
    return status;
}

static bool add_inventory(struct schema *schema, MYSQL_RES *found)
{
    uint32_t count = (uint32_t)mysql_num_rows(found);
    struct schema_inventory *rows =
        arena_allocate_zeroed(schema->arena, (size_t)count + 1, sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        MYSQL_ROW row = mysql_fetch_row(found);
        const char *catalog = arena_copy_string(schema->arena, row[0]);
        const char *what = arena_copy_string(schema->arena, row[1]);
        if (schema_count_objects(schema, catalog, what, row[2], row[3], &rows[i]) != STATUS_OK) {
            return false;
        }
    }
    schema->inventory = rows;
    schema->inventory_count = count;
    return true;
}

/* As its own texts spell it, where a server folds names. */
static enum status read_name(struct mysql_database *self, MYSQL *connection, struct schema *schema,
                             struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = describe_ask(self, connection, "SELECT DATABASE()", NULL, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    schema->settings = row != NULL ? describe_keep(schema, row[0]) : NULL;
    mysql_free_result(result);
    return status;
}

/* The objects of several databases besides tables are told, and none of them copied. */
static enum status add_told(struct mysql_database *self, MYSQL *connection, struct schema *schema,
                            const char *database, struct error *error)
{
    static const char alone[] = "of several databases only tables are copied";
    MYSQL_RES *found = NULL;
    MYSQL_ROW row = NULL;
    enum status status = describe_ask(self, connection, sql_objects, database, &found, error);
    size_t count = status == STATUS_OK ? (size_t)mysql_num_rows(found) : 0;
    struct schema_object *objects =
        arena_allocate_zeroed(schema->arena, schema->object_count + count + 1, sizeof *objects);
    for (uint32_t i = 0; i < schema->object_count; i++) {
        objects[i] = schema->objects[i];
    }
    while (status == STATUS_OK && (row = mysql_fetch_row(found)) != NULL) {
        objects[schema->object_count++] = (struct schema_object){
            .kind = kind_of(row[0]),
            .stage = SCHEMA_AFTER_LOAD,
            .what = describe_keep(schema, row[0]),
            .name = sql_name_in(&self->sql, database, row[1], schema->arena),
            .table =
                row[2] != NULL ? sql_name_in(&self->sql, database, row[2], schema->arena) : NULL,
            .not_carried = row[5] != NULL ? describe_keep(schema, row[5]) : alone,
        };
    }
    schema->objects = objects;
    mysql_free_result(found);
    return status;
}

static enum status read_several(struct mysql_database *self, MYSQL *connection,
                                struct schema *schema, struct error *error)
{
    const struct column_list databases = scope_names(&self->sql.base.scope, schema->arena);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < databases.count; i++) {
        status = add_told(self, connection, schema, databases.names[i], error);
    }
    return status == STATUS_OK ? mysql_unseen_read(self, connection, schema, error) : status;
}

enum status mysql_objects_read(struct mysql_database *self, MYSQL *connection,
                               struct schema *schema, struct error *error)
{
    if (self->sql.base.scope.others.count > 0) {
        return read_several(self, connection, schema, error);
    }
    MYSQL_RES *objects = NULL;
    MYSQL_RES *inventory = NULL;
    enum status status = read_name(self, connection, schema, error); /* which texts name */
    status = status == STATUS_OK
                 ? describe_ask(self, connection, sql_objects, self->sql.schema, &objects, error)
                 : status;
    status = status == STATUS_OK ? describe_ask(self, connection, sql_inventory, self->sql.schema,
                                                &inventory, error)
                                 : status;
    status = status == STATUS_OK ? add_objects(self, connection, schema, objects, error) : status;
    if (status == STATUS_OK && !add_inventory(schema, inventory)) {
        status = error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                           "what the server has is not told as it was asked for");
    }
    mysql_free_result(objects);
    mysql_free_result(inventory);
    return status == STATUS_OK ? mysql_unseen_read(self, connection, schema, error) : status;
}

/* ---------------------------------------------------------------- the statements */

/* Who has rights on some of its columns alone is told neither of the others nor how the table is
 * made: a copy would lack them without a word. */
static bool is_hidden(MYSQL *connection, const struct error *error)
{
    enum { DENIED_TABLE = 1142 };
    return error->code == ERROR_PERMISSION && mysql_errno(connection) == DENIED_TABLE;
}

static enum status refuse_hidden(struct mysql_database *self, uint32_t count, struct error *error)
{
    error_set(error, ERROR_PERMISSION, self->sql.shown,
              "the account has rights on some columns alone of %u table%s, and is not told of the "
              "others",
              count, count == 1 ? "" : "s");
    error_hint(error, "grant what the warnings say, or leave them out with --exclude");
    return STATUS_FAILED;
}

enum status mysql_statements_read(struct mysql_database *self, MYSQL *connection,
                                  struct mysql_catalog *catalog, struct arena *arena,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t hidden = 0;
    for (uint32_t i = 0; status == STATUS_OK && i < catalog->table_count; i++) {
        struct schema_table *table = (struct schema_table *)&catalog->schema->tables[i];
        MYSQL_RES *result = NULL;
        if (table->kind != SCHEMA_TABLE) {
            continue;
        }
        status = mysql_run_buffer(self, connection,
                                  mysql_sql("SHOW CREATE TABLE %t", &self->sql, table->name),
                                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
        MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
        if (row != NULL && row[1] != NULL) {
            char *statement = arena_copy_string(arena, row[1]);
            mysql_drop_counter(statement);
            table->native_sql = statement;
            mysql_take_actions(table, arena);
        }
        mysql_free_result(result);
        if (status != STATUS_OK && is_hidden(connection, error)) {
            error_clear(error);
            status = mysql_warn_lacking(self, connection, table->name, error);
            hidden++;
        }
    }
    return status == STATUS_OK && hidden > 0 ? refuse_hidden(self, hidden, error) : status;
}

/* ---------------------------------------------------------------- queries */

/* The type's words with its limits, without which the server would take its own: decimal(10,0). */
static const char *words_of_field(const MYSQL_FIELD *field, const struct mysql_type *type,
                                  struct arena *arena)
{
    const char *name = type->type.native;
    switch (type->format) {
    case MYSQL_AS_DECIMAL:
        return arena_format(arena, "decimal(%d,%d)", type->type.precision, type->type.scale);
    case MYSQL_AS_TIME:
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
        return type->digits > 0 ? arena_format(arena, "%s(%u)", name, (unsigned)type->digits)
                                : name;
    case MYSQL_AS_BIT:
        return arena_format(arena, "bit(%lu)", field->length);
    case MYSQL_AS_INT:
        return (field->flags & UNSIGNED_FLAG) != 0 ? "bigint" : name;
    default:
        return name;
    }
}

/* As a subquery it can be one SELECT only; the line's end guards against a comment. */
enum status mysql_describe_query(struct mysql_database *self, MYSQL *connection, const char *query,
                                 struct arena *arena, struct schema_table *table,
                                 struct mysql_column **columns, struct error *error)
{
    struct buffer sql = {0};
    MYSQL_RES *result = NULL;

    *table = (struct schema_table){.kind = SCHEMA_QUERY, .row_count = -1, .size_bytes = -1};
    buffer_append_string(&sql, "SELECT * FROM ");
    sql_append_query(&sql, query);
    buffer_append_string(&sql, " AS _t0 LIMIT 0");
    if (mysql_run_buffer(self, connection, &sql, SQL_LONG, ERROR_PLAN_INVALID, &result, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = result != NULL ? mysql_num_fields(result) : 0;
    struct schema_column *made = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *made);
    *columns = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof **columns);
    for (uint32_t i = 0; i < count; i++) {
        const MYSQL_FIELD *field = mysql_fetch_field_direct(result, i);
        struct mysql_column *facts = &(*columns)[i];
        facts->name = arena_copy_string(arena, field->name);
        facts->type = mysql_type_of_field(field);
        facts->type.type.native = words_of_field(field, &facts->type, arena);
        facts->not_null = (field->flags & NOT_NULL_FLAG) != 0;
        made[i] = (struct schema_column){
            .name = facts->name, .type = facts->type.type, .not_null = facts->not_null};
    }
    mysql_free_result(result);
    table->name = query;
    table->columns = made;
    table->column_count = count;
    return STATUS_OK;
}
