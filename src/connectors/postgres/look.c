/* Tables of the target as they are looked at. */
#include "connectors/postgres/target.h"
#include <string.h>

enum status postgres_target_describe(struct postgres_database *self, PGconn *connection,
                                     const char *name, struct arena *arena,
                                     struct postgres_table *table, struct error *error)
{
    struct postgres_catalog catalog;
    if (strlen(sql_place_of(&self->sql, name).name) > POSTGRES_NAME_BYTES_MAX) {
        return STATUS_END;
    }
    if (postgres_catalog_read(self, connection, name, arena, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (catalog.table_count == 0) {
        return STATUS_END;
    }
    *table = catalog.tables[0];
    return STATUS_OK;
}

void postgres_target_forget(struct postgres_database *self)
{
    arena_destroy(self->tables_arena);
    self->tables_arena = NULL;
    self->tables = NULL;
}

enum status postgres_target_read(struct postgres_database *self, PGconn *connection,
                                 struct error *error)
{
    postgres_target_forget(self);
    self->tables_arena = arena_create(0);
    struct postgres_catalog *read = arena_allocate_zeroed(self->tables_arena, 1, sizeof *read);
    if (postgres_catalog_read(self, connection, NULL, self->tables_arena, read, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    self->tables = read;
    return STATUS_OK;
}
