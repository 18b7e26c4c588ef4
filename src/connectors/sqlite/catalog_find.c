/* Finding tables, columns and keys in a catalogue, and the connector's catalogue functions. */
#include "connectors/sqlite/source.h"
#include <stdlib.h>
#include <string.h>

enum status catalog_get(struct sqlite_database *self, const struct catalog **catalog,
                        struct error *error)
{
    struct sqlite_source *source = self->source;
    if (!source->catalog_read) {
        if (catalog_read(self, self->control, &source->catalog, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        source->catalog_read = true;
    }
    *catalog = &source->catalog;
    return STATUS_OK;
}

static int compare_name(const void *name, const void *table)
{
    return strcmp(name, ((const struct catalog_table *)table)->schema->name);
}

const struct catalog_table *catalog_find(const struct catalog *catalog, const char *name)
{
    uint32_t count = catalog->schema->table_count;
    const struct catalog_table *exact =
        count > 0 ? bsearch(name, catalog->tables, count, sizeof *catalog->tables, compare_name)
                  : NULL;

    for (uint32_t i = 0; exact == NULL && i < count; i++) {
        if (sqlite3_stricmp(catalog->tables[i].schema->name, name) == 0) {
            return &catalog->tables[i];
        }
    }
    return exact;
}

int32_t catalog_find_column(const struct catalog_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (sqlite3_stricmp(table->schema->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

uint32_t catalog_key_prefix(const struct catalog_table *table)
{
    uint32_t parts = 0;
    while (parts < table->key_count && parts < SPAN_KEY_PARTS_MAX &&
           table->key[parts].descending == table->key[0].descending) {
        parts++;
    }
    return parts;
}

void catalog_append_key_part(struct buffer *sql, const struct catalog_table *table, uint32_t part,
                             const char *alias)
{
    const struct catalog_key_part *key = &table->key[part];

    sqlite_append(sql, "%s.%n", alias, table->schema->columns[key->column].name);
    if (sqlite3_stricmp(key->collation, table->columns[key->column].collation) != 0) {
        sqlite_append(sql, " COLLATE %n", key->collation);
    }
}

bool catalog_is_row_key(const struct catalog_table *table, const char *name)
{
    return table->schema->row_key != NULL && sqlite3_stricmp(name, table->schema->row_key) == 0 &&
           catalog_find_column(table, name) < 0;
}
