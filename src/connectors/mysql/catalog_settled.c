/*
 * The catalogue as it is while nobody alters it. No server of this kind reads information_schema at
 * one moment, so that what looks as if a table had changed, or were half there, is read again.
 */
#include "base/clock.h"
#include "connectors/mysql/catalog.h"
#include <string.h>

/* ---------------------------------------------------------------- were tables altered? */

static bool is_same_table(const struct mysql_table *table, const struct mysql_shape *shape)
{
    return strcmp(table->shape.name, shape->name) == 0 &&
           !mysql_shape_is_other(&table->shape, shape);
}

static bool are_same_shapes(const struct mysql_catalog *catalog, const struct mysql_shape *shapes,
                            uint32_t count)
{
    bool same = catalog->table_count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = is_same_table(&catalog->tables[i], &shapes[i]);
    }
    return same;
}

/* Columns are told before indexes and foreign keys. */
static bool is_alike(const struct mysql_table *left, const struct mysql_table *right)
{
    return left->schema->index_count == right->schema->index_count &&
           left->schema->foreign_key_count == right->schema->foreign_key_count &&
           is_same_table(left, &right->shape);
}

bool mysql_catalogs_are_alike(const struct mysql_catalog *left, const struct mysql_catalog *right)
{
    bool alike = left->table_count == right->table_count;
    for (uint32_t i = 0; alike && i < left->table_count; i++) {
        alike = is_alike(&left->tables[i], &right->tables[i]);
    }
    return alike;
}

/* Without columns, or without any key: a table may be so, or have been made between two queries. */
static bool looks_half_there(const struct mysql_catalog *catalog)
{
    bool looks = false;
    for (uint32_t i = 0; !looks && i < catalog->table_count; i++) {
        const struct mysql_table *table = &catalog->tables[i];
        looks = table->schema->kind == SCHEMA_TABLE &&
                (table->schema->column_count == 0 || table->key.count == 0);
    }
    return looks;
}

static enum status are_as_read(struct mysql_database *self, MYSQL *connection,
                               const struct mysql_catalog *catalog, bool *same, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct mysql_shape *shapes = NULL;
    uint32_t count = 0;
    enum status status = mysql_catalog_shapes(self, connection, arena, &shapes, &count, error);
    *same = status == STATUS_OK && are_same_shapes(catalog, shapes, count);
    arena_destroy(arena);
    return status;
}

/* Twice the same stands. */
enum status mysql_catalog_read(struct mysql_database *self, MYSQL *connection, const char *table,
                               struct arena *arena, struct mysql_catalog *catalog,
                               struct error *error)
{
    struct mysql_catalog before = {0};
    bool settled = false;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && !settled && i < MYSQL_READINGS_MAX; i++) {
        if (i > 0) {
            clock_sleep_ms(MYSQL_READINGS_PAUSE_MS);
            before = *catalog;
        }
        status = mysql_catalog_read_once(self, connection, table, arena, catalog, error);
        settled = self->mode != OPEN_SOURCE ||
                  (i > 0 && mysql_catalogs_are_alike(&before, catalog)) ||
                  !looks_half_there(catalog);
        if (status == STATUS_OK && settled && self->mode == OPEN_SOURCE && table == NULL) {
            status = are_as_read(self, connection, catalog, &settled, error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- all of it */

enum status mysql_catalog_get(struct mysql_database *self, const struct mysql_catalog **catalog,
                              struct error *error)
{
    if (self->catalog == NULL) {
        struct mysql_catalog *read = arena_allocate_zeroed(self->arena, 1, sizeof *read);
        if (mysql_catalog_read(self, self->control, NULL, self->arena, read, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        self->catalog = read;
    }
    *catalog = self->catalog;
    return STATUS_OK;
}
