/* The tables that are in the target: their columns, affinities and keys, and whether a plan fits
 * them. */
#include "connectors/sqlite/target_internal.h"
#include "sql/default_text.h"
#include <string.h>
#include <strings.h>

/* STATUS_END: no such table. */
static enum status read_table(struct sqlite_database *self, sqlite3 *connection, const char *name,
                              struct arena *arena, struct sqlite_target_table *table,
                              struct error *error)
{
    static const char sql[] =
        "SELECT s.name, s.sql, l.type, l.wr, l.strict, "
        "EXISTS(SELECT 1 FROM main.sqlite_schema t WHERE t.type = 'trigger' "
        "AND t.tbl_name = s.name COLLATE NOCASE) "
        "FROM main.sqlite_schema s JOIN pragma_table_list(s.name) l ON l.schema = 'main' "
        "WHERE s.type IN ('table', 'view') AND s.name = ?1 COLLATE NOCASE";
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(self, connection, sql, &statement, error);

    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW) {
        status = result == SQLITE_DONE
                     ? STATUS_END
                     : sqlite_target_error(self, connection, result, ERROR_TARGET_INVALID,
                                           "its catalogue can't be read", error);
        goto out;
    }
    const char *type = sqlite_text_of(statement, 2);
    sqlite_copy_text(statement, 0, arena, &table->name);
    sqlite_copy_text(statement, 1, arena, &table->sql);
    table->is_view = strcmp(type, "view") == 0;
    table->is_virtual = strcmp(type, "virtual") == 0;
    table->without_rowid = sqlite3_column_int(statement, 3) != 0;
    table->strict = sqlite3_column_int(statement, 4) != 0;
    table->has_triggers = sqlite3_column_int(statement, 5) != 0;
out:
    sqlite3_finalize(statement);
    return status;
}

/* An INTEGER PRIMARY KEY is the rowid itself, unless an index keeps it ("INTEGER PRIMARY KEY
 * DESC"). */
static void mark_row_key(struct sqlite_target_table *table, bool key_has_index)
{
    struct sqlite_target_column *key = NULL;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].key_position > 1) {
            return;
        }
        if (table->columns[i].key_position == 1) {
            key = &table->columns[i];
        }
    }
    if (key != NULL && !key_has_index && !table->without_rowid &&
        strcasecmp(key->declared_type, "INTEGER") == 0) {
        key->row_key = true;
    }
}

static void fill_column(sqlite3_stmt *statement, struct arena *arena, bool strict,
                        struct sqlite_target_column *column)
{
    int hidden = sqlite3_column_int(statement, 5);

    *column = (struct sqlite_target_column){
        .not_null = sqlite3_column_int(statement, 2) != 0,
        .key_position = (uint32_t)sqlite3_column_int(statement, 4),
        .generated = hidden == 2 || hidden == 3,
    };
    sqlite_copy_text(statement, 0, arena, &column->name);
    sqlite_copy_text(statement, 1, arena, &column->declared_type);
    sqlite_copy_text(statement, 3, arena, &column->default_text);
    if (column->declared_type == NULL) {
        column->declared_type = "";
    }
    column->affinity = strict && strcasecmp(column->declared_type, "ANY") == 0
                           ? SQLITE_AFFINITY_NONE
                           : sqlite_affinity_of(column->declared_type);
}

static enum status read_columns(struct sqlite_database *self, sqlite3 *connection,
                                struct arena *arena, struct sqlite_target_table *table,
                                struct error *error)
{
    static const char sql[] =
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden, "
        "EXISTS(SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'), "
        "count(*) OVER () FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(self, connection, sql, &statement, error);
    bool key_has_index = false;
    int result = SQLITE_DONE;

    if (status != STATUS_OK) {
        goto out;
    }
    sqlite3_bind_text(statement, 1, table->name, -1, SQLITE_STATIC);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (table->columns == NULL) {
            table->columns = arena_allocate_zeroed(
                arena, (size_t)sqlite3_column_int64(statement, 7), sizeof table->columns[0]);
        }
        fill_column(statement, arena, table->strict, &table->columns[table->column_count++]);
        key_has_index = sqlite3_column_int(statement, 6) != 0;
    }
    if (result != SQLITE_DONE) {
        status = sqlite_target_error(self, connection, result, ERROR_TARGET_INVALID,
                                     "its catalogue can't be read", error);
        goto out;
    }
    mark_row_key(table, key_has_index);
out:
    sqlite3_finalize(statement);
    return status;
}

enum status sqlite_target_describe(struct sqlite_database *self, sqlite3 *connection,
                                   const char *name, struct arena *arena,
                                   struct sqlite_target_table *table, struct error *error)
{
    *table = (struct sqlite_target_table){0};
    enum status status = read_table(self, connection, name, arena, table, error);
    return status == STATUS_OK ? read_columns(self, connection, arena, table, error) : status;
}

const struct sqlite_target_column *
sqlite_target_find_column(const struct sqlite_target_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (sqlite_same_name(table->columns[i].name, name)) {
            return &table->columns[i];
        }
    }
    return NULL;
}

struct sql_table sqlite_table_of(const struct sqlite_target_table *facts, struct arena *arena)
{
    struct schema_table *schema = arena_allocate_zeroed(arena, 1, sizeof *schema);
    struct schema_column *columns =
        arena_allocate_zeroed(arena, facts->column_count + 1u, sizeof *columns);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        const struct sqlite_target_column *column = &facts->columns[i];
        columns[i] = (struct schema_column){
            .name = column->name,
            .not_null = column->not_null,
            .generated = column->generated ? GENERATED_STORED : GENERATED_NO,
            .default_text = column->default_text,
        };
        sql_default_read(&columns[i], SQL_BARE_TEXTS | SQL_CLOCK_TEXTS, arena);
    }
    *schema = (struct schema_table){
        .name = facts->name, .columns = columns, .column_count = facts->column_count};
    return (struct sql_table){
        .schema = schema, .row_estimate = -1, .facts = (const struct sql_facts *)facts};
}
