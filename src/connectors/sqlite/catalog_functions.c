/* The catalogue as the engine asks for it. */
#include "connectors/sqlite/source.h"

static enum status catalog_describe(struct database *database, struct schema **schema,
                                    struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct catalog catalog;

    *schema = NULL;
    if (catalog_read(self, self->control, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *schema = catalog.schema;
    return STATUS_OK;
}

static enum status catalog_describe_query(struct database *database, const char *query,
                                          struct arena *arena, struct schema_table *table,
                                          struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    return query_describe_on(self->control, query, arena, table, error) == STATUS_OK
               ? source_learn_query(self, query, table, error)
               : STATUS_FAILED;
}

const struct catalog_functions sqlite_catalog = {
    .describe = catalog_describe,
    .describe_query = catalog_describe_query,
    .native_type = sqlite_native_type,
    .native_names = sqlite_native_names,
};
