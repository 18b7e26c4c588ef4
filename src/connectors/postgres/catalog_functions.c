/* The catalogue as the engine asks for it: all of it at one moment, queries, expressions, types. */
#include "connectors/postgres/catalog.h"
#include <string.h>

/* The tables that are held are compared with those that are kept: both are of one moment. */
static enum status describe_tables(struct postgres_database *self, PGconn *connection,
                                   struct arena *arena, struct postgres_catalog *catalog,
                                   struct error *error)
{
    const struct postgres_catalog *kept = NULL;
    enum status status = postgres_catalog_read(self, connection, NULL, arena, catalog, error);
    return status == STATUS_OK && self->mode == OPEN_SOURCE
               ? postgres_catalog_get(self, &kept, error)
               : status;
}

/* The objects' queries lock what views read until their transaction ends: they have one each. */
static enum status describe_all(struct postgres_database *self, PGconn *connection,
                                struct arena *arena, struct postgres_catalog *catalog,
                                struct error *error)
{
    struct postgres_catalog *kept = self->catalog;
    struct postgres_catalog_moment moment = {0};
    enum status status;
    bool again;
    do {
        self->catalog = kept;
        status = postgres_catalog_moment_begin(self, connection, &moment, error);
        if (status == STATUS_OK) {
            status = describe_tables(self, connection, arena, catalog, error);
        }
        again = postgres_catalog_moment_end(self, connection, &moment, &status, error);
        if (status == STATUS_OK && self->mode == OPEN_SOURCE && !self->tables_only) {
            status = postgres_objects_read(self, connection, catalog->schema, error);
            again = postgres_catalog_moment_again(&moment, status, error);
        }
    } while (again);
    return status;
}

static enum status catalog_describe(struct database *database, struct schema **schema,
                                    struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_catalog catalog = {0};
    PGconn *connection = NULL;

    *schema = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = describe_all(self, connection, arena, &catalog, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *schema = catalog.schema;
    return STATUS_OK;
}

/* Class 42, and another schema that is not there (3F000) or closed to us (42501), which
 * postgres_failure takes for more. */
static bool is_of_expression(const struct error *problem)
{
    return problem->code == ERROR_TARGET_SCHEMA || strncmp(problem->native_state, "42", 2) == 0 ||
           strcmp(problem->native_state, "3F000") == 0;
}

/* Has the server all that the expression names? It is read, and not run. */
static enum status is_understood(struct postgres_database *self, PGconn *connection,
                                 struct buffer *expression, bool *understood, struct error *error)
{
    struct error problem = {0};
    enum status status = postgres_query_buffer(self, connection, expression, NULL, 0, SQL_SHORT,
                                               ERROR_TARGET_SCHEMA, NULL, &problem);
    *understood = status == STATUS_OK;
    if (status == STATUS_OK) {
        return postgres_execute(self, connection, "DEALLOCATE transhume_trial", SQL_SHORT,
                                ERROR_TARGET_INVALID, error);
    }
    if (is_of_expression(&problem)) {
        return STATUS_OK;
    }
    error_copy(error, &problem);
    return STATUS_FAILED;
}

/* Integers that count get a sequence of their own. */
static bool names_functions(const struct schema_column *column)
{
    return column->default_kind == SCHEMA_DEFAULT_OWN ||
           (column->default_kind == SCHEMA_DEFAULT_COUNTER && column->type.kind != VALUE_INT64);
}

static enum status catalog_understands(struct database *database,
                                       const struct schema_column *column,
                                       struct column_words *understood, struct error *error)
{
    static const char trial[] = "PREPARE transhume_trial AS SELECT ";
    struct postgres_database *self = postgres_database_of(database);
    struct buffer expression = {0};
    PGconn *connection = NULL;
    enum status status = STATUS_OK;

    *understood = (struct column_words){true, true, true};
    if (column->type_made || names_functions(column) || column->collation != NULL) {
        status = postgres_control(self, &connection, error);
    }
    if (status == STATUS_OK && column->type_made) {
        buffer_format(&expression, "%sNULL::%s", trial, column->type.native);
        status = is_understood(self, connection, &expression, &understood->type, error);
    }
    if (status == STATUS_OK && names_functions(column)) {
        buffer_format(&expression, "%s(%s)", trial, column->default_text);
        status = is_understood(self, connection, &expression, &understood->default_text, error);
    }
    if (status == STATUS_OK && column->collation != NULL) {
        postgres_append(&expression, "%s'' COLLATE %n", trial, column->collation);
        status = is_understood(self, connection, &expression, &understood->collation, error);
    }
    return status;
}

static enum status catalog_describe_query(struct database *database, const char *query,
                                          struct arena *arena, struct schema_table *table,
                                          struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_column *columns = NULL;
    return postgres_describe_query(self, self->control, query, arena, table, &columns, error);
}

static void catalog_made_type(const struct database *database, const struct value_type *type,
                              struct arena *arena, struct value_type *made)
{
    struct buffer words = {0};
    (void)database;
    postgres_append_type(&words, type);
    if (!postgres_native_type(arena_copy_string(arena, buffer_string(&words)), made)) {
        *made = *type;
    }
    buffer_free(&words);
}

const struct catalog_functions postgres_catalog_functions = {
    .describe = catalog_describe,
    .describe_query = catalog_describe_query,
    .native_type = postgres_native_type,
    .made_type = catalog_made_type,
    .native_names = postgres_native_names,
    .ask_values = postgres_ask_values,
    .tell_code = postgres_tell_code,
    .understands = catalog_understands,
    .use_scope = postgres_use_scope,
    .identity_in = postgres_identity_in,
};
