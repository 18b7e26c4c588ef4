/* The catalogue as the engine asks for it: all of it while nobody alters it, queries, types. */
#include "base/clock.h"
#include "connectors/mysql/catalog.h"

static enum status catalog_describe(struct database *database, struct schema **schema,
                                    struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct arena *arena = arena_create(0);
    struct mysql_catalog catalog = {0};
    MYSQL *connection = NULL;
    bool logs_actions = false;

    *schema = NULL;
    enum status status = mysql_control(self, &connection, error);
    status =
        status == STATUS_OK ? mysql_describe_all(self, connection, arena, &catalog, error) : status;
    status =
        status == STATUS_OK ? mysql_logs_actions(self, connection, &logs_actions, error) : status;
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    catalog.schema->silent_actions = !logs_actions;
    *schema = catalog.schema;
    return STATUS_OK;
}

static enum status catalog_describe_query(struct database *database, const char *query,
                                          struct arena *arena, struct schema_table *table,
                                          struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct mysql_column *columns = NULL;
    return mysql_describe_query(self, self->control, query, arena, table, &columns, error);
}

static void catalog_made_type(const struct database *database, const struct value_type *type,
                              struct arena *arena, struct value_type *made)
{
    struct buffer words = {0};
    mysql_append_type(&words, (const struct mysql_database *)database, type, NULL, false);
    if (!mysql_native_type(arena_copy_string(arena, buffer_string(&words)), made)) {
        *made = *type;
    }
    buffer_free(&words);
}

const struct catalog_functions mysql_catalog_functions = {
    .describe = catalog_describe,
    .describe_query = catalog_describe_query,
    .native_type = mysql_native_type,
    .made_type = catalog_made_type,
    .native_names = mysql_native_names,
    .ask_values = mysql_ask_values,
    .use_scope = mysql_use_scope,
    .identity_in = mysql_identity_in,
};

/* ER_NO_SUCH_TABLE, ER_BAD_TABLE_ERROR, and other things that are gone by their name. */
static bool is_of_something_gone(const struct error *error)
{
    enum {
        BAD_TABLE = 1051,
        NO_SUCH_TABLE = 1146,
        SP_DOES_NOT_EXIST = 1305,
        TRG_DOES_NOT_EXIST = 1360,
        VIEW_INVALID = 1356
    };
    return error->native_code == BAD_TABLE || error->native_code == NO_SUCH_TABLE ||
           error->native_code == SP_DOES_NOT_EXIST || error->native_code == TRG_DOES_NOT_EXIST ||
           error->native_code == VIEW_INVALID;
}

static enum status describe_once(struct mysql_database *self, MYSQL *connection,
                                 struct arena *arena, struct mysql_catalog *catalog, bool *same,
                                 struct error *error)
{
    const struct mysql_catalog *kept = NULL;
    enum status status = mysql_catalog_read(self, connection, NULL, arena, catalog, error);
    *same = true;
    if (status != STATUS_OK || self->mode != OPEN_SOURCE) {
        return status;
    }
    if (!self->tables_only) {
        status = mysql_statements_read(self, connection, catalog, arena, error);
        status = status == STATUS_OK ? mysql_objects_read(self, connection, catalog->schema, error)
                                     : status;
    }
    status = status == STATUS_OK ? mysql_catalog_get(self, &kept, error) : status;
    *same = status == STATUS_OK && mysql_catalogs_are_alike(kept, catalog);
    return status;
}

enum status mysql_describe_all(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                               struct mysql_catalog *catalog, struct error *error)
{
    struct mysql_catalog *kept = self->catalog;
    bool same = false;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < MYSQL_READINGS_MAX; i++) {
        status = describe_once(self, connection, arena, catalog, &same, error);
        if (status == STATUS_OK ? same || kept != NULL : !is_of_something_gone(error)) {
            break;
        }
        self->catalog = kept;
        if (i + 1 < MYSQL_READINGS_MAX) {
            error_clear(error);
            clock_sleep_ms(MYSQL_READINGS_PAUSE_MS);
        }
    }
    return status;
}
