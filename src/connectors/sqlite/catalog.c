/* The catalogue of a SQLite file, read in one transaction: its tables, and what becomes of the
 * parts (catalog_columns.c, catalog_keys.c, catalog_objects.c). */
#include "connectors/sqlite/catalog_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- the queries, runnable by hand */

static const char tables_sql[] =
    "SELECT l.name, l.type, l.wr, l.strict, s.sql"
    " FROM pragma_table_list AS l"
    " LEFT JOIN main.sqlite_schema AS s ON s.name = l.name AND s.type IN ('table', 'view')"
    " WHERE l.schema = 'main' AND lower(l.name) NOT GLOB 'sqlite_*'"
    " AND lower(l.name) NOT GLOB '_transhume_*'"
    " ORDER BY l.type <> 'virtual', l.name COLLATE BINARY";

static const char columns_sql[] =
    "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')"
    " ORDER BY cid";

static const char indexes_sql[] =
    "SELECT l.name, l.\"unique\", l.origin, l.partial, s.sql FROM pragma_index_list(?1, 'main') AS l"
    " LEFT JOIN main.sqlite_schema AS s ON s.name = l.name AND s.type = 'index'"
    " ORDER BY l.seq DESC";

static const char index_columns_sql[] =
    "SELECT cid, name, \"desc\", coll FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno";

static const char foreign_keys_sql[] =
    "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete"
    " FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq";

static const char objects_sql[] =
    "SELECT type, name, tbl_name, sql FROM main.sqlite_schema"
    " WHERE type IN ('view', 'trigger') AND lower(name) NOT GLOB '_transhume_*'"
    " AND lower(tbl_name) NOT GLOB '_transhume_*' ORDER BY rowid";

static const char *const queries[SQL_COUNT] = {
    [SQL_TABLES] = tables_sql,
    [SQL_COLUMNS] = columns_sql,
    [SQL_INDEXES] = indexes_sql,
    [SQL_INDEX_COLUMNS] = index_columns_sql,
    [SQL_FOREIGN_KEYS] = foreign_keys_sql,
    [SQL_OBJECTS] = objects_sql,
};

/* ---------------------------------------------------------------- tables */

/* Virtual tables keep what they hold in tables named after them: the longest name that fits. */
static void find_owner(const struct catalog_builder *builder, struct schema_table *table)
{
    const struct schema_object *objects =
        (const struct schema_object *)(const void *)builder->objects.data;
    size_t count = builder->objects.length / sizeof *objects;
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(objects[i].name);
        if (objects[i].native_sql != NULL && length > longest &&
            sqlite3_strnicmp(table->name, objects[i].name, (int)length) == 0 &&
            table->name[length] == '_') {
            table->belongs_to = objects[i].name;
            longest = length;
        }
    }
}

static enum status add_table(struct catalog_builder *builder, sqlite3_stmt *row, bool is_view)
{
    bool is_shadow = strcmp(sqlite_text_of(row, 1), "shadow") == 0;
    bool without_rowid = sqlite3_column_int(row, 2) != 0;
    bool strict = sqlite3_column_int(row, 3) != 0;
    bool key_index = false;
    struct create_facts text = {0};
    struct catalog_table facts = {.rowid_column = -1};
    struct schema_table table = {
        .kind = is_view ? SCHEMA_VIEW : SCHEMA_TABLE,
        .name = catalog_copy_text(builder, row, 0),
        .native_sql = catalog_copy_text(builder, row, 4),
        .row_count = -1,
        .size_bytes = -1,
    };

    if (catalog_read_columns(builder, &table, &facts, strict) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_view) {
        if (table.native_sql != NULL) {
            create_text_read(table.native_sql, builder->arena, &text);
        }
        table.checks = text.checks;
        table.check_count = text.check_count;
        if (catalog_read_indexes(builder, &table, &facts, without_rowid, &key_index) != STATUS_OK ||
            catalog_read_foreign_keys(builder, &table, &text) != STATUS_OK) {
            return STATUS_FAILED;
        }
        catalog_settle_keys(&table, &facts, without_rowid, strict, key_index);
        facts.sliceable &= builder->utf8;
    }
    if (is_shadow) {
        find_owner(builder, &table);
    }
    buffer_append(&builder->tables, &table, sizeof table);
    buffer_append(&builder->facts, &facts, sizeof facts);
    return STATUS_OK;
}

/* A view that names what is gone is left out, and said to be; a call that failed proves nothing. */
static bool is_broken_view(const struct error *error)
{
    switch (error->native_code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
        return false;
    default:
        return true;
    }
}

static enum status read_tables(struct catalog_builder *builder)
{
    sqlite3_stmt *row = builder->statements[SQL_TABLES];
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        const char *type = sqlite_text_of(row, 1);
        bool is_view = strcmp(type, "view") == 0;
        if (strcmp(type, "virtual") == 0) {
            const char *name = catalog_copy_text(builder, row, 0);
            catalog_add_object(
                builder, SCHEMA_OBJECT_OTHER, name, name, catalog_copy_text(builder, row, 4),
                "a virtual table of SQLite's; `query: SELECT … FROM it` in a plan copies its rows");
            continue;
        }
        struct error view_error = {0};
        struct error *outer = builder->error;
        if (is_view) {
            builder->error = &view_error;
        }
        enum status status = add_table(builder, row, is_view);
        builder->error = outer;
        if (status != STATUS_OK && (!is_view || !is_broken_view(&view_error))) {
            error_copy(is_view ? outer : NULL, &view_error);
            return STATUS_FAILED;
        }
        if (status != STATUS_OK) {
            const char *name = catalog_copy_text(builder, row, 0);
            catalog_add_object(
                builder, SCHEMA_OBJECT_OTHER, name, NULL, NULL,
                arena_format(builder->arena, "a view that can't be read: %s", view_error.message));
        }
    }
    return result == SQLITE_DONE ? STATUS_OK : catalog_fail(builder, NULL);
}

/* ---------------------------------------------------------------- all of it */

static enum status read_version(struct catalog_builder *builder, int64_t *version)
{
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, "PRAGMA main.schema_version", &row,
                       builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(row);
    *version = result == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    sqlite3_finalize(row);
    return result == SQLITE_ROW ? STATUS_OK : catalog_fail(builder, NULL);
}

/* In a UTF-16 file the bytes of a text are not those that are read. */
static enum status read_encoding(struct catalog_builder *builder)
{
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, "PRAGMA main.encoding", &row,
                       builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_step(builder->self, row, builder->error);
    const char *encoding = status == STATUS_OK ? sqlite_text_of(row, 0) : NULL;
    builder->utf8 = encoding != NULL && strcmp(encoding, "UTF-8") == 0;
    sqlite3_finalize(row);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

/* The settings that a copy of the whole file needs: "encoding=UTF-8 page_size=4096 …". */
static enum status read_settings(struct catalog_builder *builder, const char **settings)
{
    static const char sql[] =
        "SELECT 'encoding=' || (SELECT encoding FROM pragma_encoding) || "
        "' page_size=' || (SELECT page_size FROM pragma_page_size) || "
        "' auto_vacuum=' || (SELECT auto_vacuum FROM pragma_auto_vacuum) || "
        "' application_id=' || (SELECT application_id FROM pragma_application_id) || "
        "' user_version=' || (SELECT user_version FROM pragma_user_version)";
    sqlite3_stmt *row = NULL;
    if (sqlite_prepare(builder->self, builder->connection, sql, &row, builder->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(row);
    *settings = result == SQLITE_ROW ? catalog_copy_text(builder, row, 0) : NULL;
    sqlite3_finalize(row);
    return result == SQLITE_ROW ? STATUS_OK : catalog_fail(builder, NULL);
}

static enum status builder_read(struct catalog_builder *builder, struct catalog *catalog)
{
    const char *settings = NULL;

    if (read_version(builder, &catalog->schema_version) != STATUS_OK ||
        read_encoding(builder) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (int i = 0; i < SQL_COUNT; i++) {
        if (sqlite_prepare(builder->self, builder->connection, queries[i], &builder->statements[i],
                           builder->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (read_tables(builder) != STATUS_OK || catalog_read_objects(builder) != STATUS_OK ||
        catalog_read_sequences(builder) != STATUS_OK ||
        read_settings(builder, &settings) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct schema *schema = arena_allocate_zeroed(builder->arena, 1, sizeof *schema);
    uint32_t table_count = (uint32_t)(builder->tables.length / sizeof(struct schema_table));
    uint32_t object_count = (uint32_t)(builder->objects.length / sizeof(struct schema_object));
    struct schema_table *tables = catalog_copy_list(builder, &builder->tables);
    struct catalog_table *facts = catalog_copy_list(builder, &builder->facts);
    struct schema_object *objects = catalog_copy_list(builder, &builder->objects);
    for (uint32_t i = 0; i < table_count; i++) {
        facts[i].schema = &tables[i];
    }
    *schema = (struct schema){.arena = builder->arena,
                              .tables = tables,
                              .table_count = table_count,
                              .objects = objects,
                              .object_count = object_count,
                              .settings = settings};
    catalog->schema = schema;
    catalog->tables = facts;
    catalog_resolve_foreign_keys(catalog);
    return STATUS_OK;
}

enum status catalog_read(struct sqlite_database *self, sqlite3 *connection, struct catalog *catalog,
                         struct error *error)
{
    struct catalog_builder builder = {.self = self, .connection = connection, .error = error};
    enum status status = STATUS_FAILED;

    *catalog = (struct catalog){0};
    builder.arena = arena_create(0);
    bool begun = false;
    status = sqlite_begin_looks(self, connection, &begun, error);
    if (status == STATUS_OK) {
        status = builder_read(&builder, catalog);
    }
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(builder.statements[i]);
    }
    sqlite_end_looks(connection, begun);
    buffer_free(&builder.tables);
    buffer_free(&builder.facts);
    buffer_free(&builder.objects);
    if (status != STATUS_OK) {
        arena_destroy(builder.arena);
    }
    return status;
}
