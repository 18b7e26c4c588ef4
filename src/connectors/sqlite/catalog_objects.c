/* The catalogue's views, triggers and sequences, and whatever else is told of and not carried. */
#include "connectors/sqlite/catalog_internal.h"
#include <string.h>

void catalog_add_object(struct catalog_builder *builder, enum schema_object_kind kind,
                        const char *name, const char *table, const char *sql,
                        const char *not_carried)
{
    struct schema_object object = {
        .kind = kind, .name = name, .table = table, .native_sql = sql, .not_carried = not_carried};
    buffer_append(&builder->objects, &object, sizeof object);
}

/* ---------------------------------------------------------------- views and triggers */

enum status catalog_read_objects(struct catalog_builder *builder)
{
    sqlite3_stmt *row = builder->statements[SQL_OBJECTS];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        bool is_view = strcmp(sqlite_text_of(row, 0), "view") == 0;
        const char *name = catalog_copy_text(builder, row, 1);
        const char *table = is_view ? NULL : catalog_copy_text(builder, row, 2);
        catalog_add_object(builder, is_view ? SCHEMA_OBJECT_VIEW : SCHEMA_OBJECT_TRIGGER, name,
                           table, catalog_copy_text(builder, row, 3),
                           is_view ? "a view is written in SQLite's own SQL"
                                   : "a trigger is written in SQLite's own SQL");
    }
    return result == SQLITE_DONE ? STATUS_OK : catalog_fail(builder, NULL);
}

/* ---------------------------------------------------------------- sequences */

static const char sequence_sql[] = "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1";

/* The statements that bring a copy's counter to `last`; without a row of its own it starts anew. */
static const char *sequence_text(struct catalog_builder *builder, const char *name, bool present,
                                 int64_t last)
{
    struct buffer sql = {0};

    sqlite_append(&sql, "DELETE FROM sqlite_sequence WHERE name = %q", name);
    if (present) {
        sqlite_append(&sql, "; INSERT INTO sqlite_sequence(name, seq) VALUES(%q, %D)", name,
                      (int64_t)last);
    }
    return sql_text(builder->arena, &sql);
}

static enum status add_sequence(struct catalog_builder *builder, const char *name)
{
    sqlite3_stmt *row = NULL;

    if (sqlite_prepare(builder->self, builder->connection, sequence_sql, &row, builder->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite3_bind_text(row, 1, name, -1, SQLITE_STATIC);
    int result = sqlite3_step(row);
    bool present = result == SQLITE_ROW && sqlite3_column_type(row, 0) == SQLITE_INTEGER;
    int64_t last = present ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    if (result != SQLITE_ROW) {
        return catalog_fail(builder, name);
    }
    catalog_add_object(builder, SCHEMA_OBJECT_SEQUENCE, name, name,
                       sequence_text(builder, name, present, last),
                       "AUTOINCREMENT: the last number given is kept in SQLite only");
    return STATUS_OK;
}

enum status catalog_read_sequences(struct catalog_builder *builder)
{
    const struct schema_table *tables =
        (const struct schema_table *)(const void *)builder->tables.data;
    const struct catalog_table *facts =
        (const struct catalog_table *)(const void *)builder->facts.data;
    size_t count = builder->tables.length / sizeof *tables;

    for (size_t i = 0; i < count; i++) {
        int automatic = 0;
        if (facts[i].rowid_column >= 0 &&
            sqlite3_table_column_metadata(builder->connection, "main", tables[i].name,
                                          tables[i].columns[facts[i].rowid_column].name, NULL, NULL,
                                          NULL, NULL, &automatic) == SQLITE_OK &&
            automatic != 0 && add_sequence(builder, tables[i].name) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
