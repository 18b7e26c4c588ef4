/* The catalogue's columns: their types, defaults and collations, and which are the primary key. */
#include "connectors/sqlite/catalog_internal.h"
#include "sql/default_text.h"

struct column_lists {
    struct buffer columns;   /* struct schema_column */
    struct buffer facts;     /* struct catalog_column */
    struct buffer key_parts; /* int32_t position in the primary key, 0 none */
};

/* Only the application knows what a collation that is not SQLite's own takes for equal. */
static const char *taken_for_equal(const char *collation)
{
    return sqlite3_stricmp(collation, "NOCASE") == 0  ? "what differs in the case of a to z alone"
           : sqlite3_stricmp(collation, "RTRIM") == 0 ? "what differs in blanks at the end alone"
                                                      : "what it takes for equal";
}

static void add_column(struct catalog_builder *builder, sqlite3_stmt *row, const char *table,
                       bool is_table, bool strict, struct column_lists *lists)
{
    static const enum generated_kind generated[] = {GENERATED_NO, GENERATED_NO, GENERATED_VIRTUAL,
                                                    GENERATED_STORED};
    const char *collation = NULL;
    int hidden = sqlite3_column_int(row, 5);
    int32_t key_part = sqlite3_column_int(row, 4);
    struct catalog_column facts = {0};
    struct schema_column column = {
        .name = catalog_copy_text(builder, row, 0),
        .not_null = sqlite3_column_int(row, 2) != 0,
        .hidden = hidden == 1,
        .generated = generated[hidden & 3],
        .default_text = catalog_copy_text(builder, row, 3),
    };

    facts.read = sqlite_column_type_of(catalog_copy_text(builder, row, 1), strict);
    /* what SQLite computes may be of any type, in STRICT tables too */
    facts.read.type.dynamic = facts.read.type.dynamic || column.generated != GENERATED_NO;
    column.type = facts.read.type;
    facts.collation = "BINARY";
    if (is_table) {
        int result = sqlite3_table_column_metadata(builder->connection, "main", table, column.name,
                                                   NULL, &collation, NULL, NULL, NULL);
        sqlite_check_memory(result);
        collation = result == SQLITE_OK ? collation : NULL;
    }
    if (collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0) {
        column.collation = arena_copy_string(builder->arena, collation);
        column.loose = taken_for_equal(collation);
        facts.collation = column.collation;
    }
    sql_default_read(&column, SQL_BARE_TEXTS | SQL_CLOCK_TEXTS, builder->arena);
    buffer_append(&lists->columns, &column, sizeof column);
    buffer_append(&lists->facts, &facts, sizeof facts);
    buffer_append(&lists->key_parts, &key_part, sizeof key_part);
}

/* The primary key's names in the key's order. */
static struct column_list primary_key(struct catalog_builder *builder,
                                      const struct schema_column *columns, const int32_t *parts,
                                      uint32_t count)
{
    struct column_list key = {0};
    const char **names = arena_allocate_zeroed(builder->arena, count + 1, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i] > 0 && (uint32_t)parts[i] <= count) {
            names[parts[i] - 1] = columns[i].name;
            key.count++;
        }
    }
    key.names = names;
    return key;
}

enum status catalog_read_columns(struct catalog_builder *builder, struct schema_table *table,
                                 struct catalog_table *facts, bool strict)
{
    struct column_lists lists = {0};
    sqlite3_stmt *row = catalog_ask(builder, SQL_COLUMNS, table->name);
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        add_column(builder, row, table->name, table->kind == SCHEMA_TABLE, strict, &lists);
    }
    sqlite3_reset(row);
    table->column_count = (uint32_t)(lists.columns.length / sizeof(struct schema_column));
    table->columns = catalog_copy_list(builder, &lists.columns);
    facts->columns = catalog_copy_list(builder, &lists.facts);
    if (result == SQLITE_DONE) {
        table->primary_key =
            primary_key(builder, table->columns,
                        (const int32_t *)(const void *)lists.key_parts.data, table->column_count);
    }
    buffer_free(&lists.key_parts);
    return result == SQLITE_DONE ? STATUS_OK : catalog_fail(builder, table->name);
}
