/* The catalogue's indexes and foreign keys, and by what a table's rows are named. */
#include "connectors/sqlite/catalog_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- indexes */

static enum status read_index_columns(struct catalog_builder *builder, struct schema_index *index,
                                      struct catalog_index *facts, struct buffer *key)
{
    struct buffer shown = {0};
    struct buffer names = {0};
    struct buffer collations = {0};
    struct buffer details = {0};
    sqlite3_stmt *row = catalog_ask(builder, SQL_INDEX_COLUMNS, index->name);
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        int32_t position = sqlite3_column_int(row, 0);
        const char *name = position >= 0 ? catalog_copy_text(builder, row, 1) : NULL;
        const char *collation = catalog_copy_text(builder, row, 3);
        struct catalog_key_part part = {.column = (uint32_t)position,
                                        .descending = sqlite3_column_int(row, 2) != 0,
                                        .collation = collation != NULL ? collation : "BINARY"};
        const char *printed = name != NULL ? name : "";
        buffer_append(&names, &name, sizeof name);
        buffer_append(&shown, &printed, sizeof printed);
        buffer_append(&collations, &collation, sizeof collation);
        buffer_append(key, &part, sizeof part);
        if (part.descending && name != NULL) {
            buffer_format(&details, "%s%s DESC", details.length > 0 ? ", " : "", name);
        }
    }
    sqlite3_reset(row);
    index->details = buffer_is_empty(&details) ? NULL : sql_text(builder->arena, &details);
    facts->count = index->columns.count = (uint32_t)(names.length / sizeof(const char *));
    index->columns.names = catalog_copy_list(builder, &shown);
    facts->columns = catalog_copy_list(builder, &names);
    facts->collations = catalog_copy_list(builder, &collations);
    return result == SQLITE_DONE ? STATUS_OK : catalog_fail(builder, index->name);
}

/* Comparing by it needs no function of an application. */
static bool is_built_in(const char *collation)
{
    return sqlite3_stricmp(collation, "BINARY") == 0 || sqlite3_stricmp(collation, "NOCASE") == 0 ||
           sqlite3_stricmp(collation, "RTRIM") == 0;
}

static void set_key(struct catalog_builder *builder, struct catalog_table *table,
                    struct buffer *key)
{
    const struct catalog_key_part *parts = (const struct catalog_key_part *)(const void *)key->data;
    uint32_t count = (uint32_t)(key->length / sizeof *parts);

    for (uint32_t i = 0; i < count; i++) {
        if (!is_built_in(parts[i].collation)) {
            return;
        }
    }
    table->key_count = count;
    table->key = catalog_copy_list(builder, key);
}

static enum status add_index(struct catalog_builder *builder, sqlite3_stmt *row,
                             struct buffer *indexes, struct buffer *all_facts,
                             struct catalog_table *table, bool without_rowid)
{
    const char *origin = sqlite_text_of(row, 2);
    bool is_key = strcmp(origin, "pk") == 0;
    struct buffer key = {0};
    struct catalog_index facts = {0};
    struct schema_index index = {
        .name = catalog_copy_text(builder, row, 0),
        .unique = sqlite3_column_int(row, 1) != 0,
        .partial = sqlite3_column_int(row, 3) != 0,
        .implied = strcmp(origin, "c") != 0,
        .native_sql = catalog_copy_text(builder, row, 4),
    };

    facts.unique = index.unique;
    facts.partial = index.partial;
    if (read_index_columns(builder, &index, &facts, &key) != STATUS_OK) {
        buffer_free(&key);
        return STATUS_FAILED;
    }
    if (is_key && without_rowid) {
        set_key(builder, table, &key);
    }
    buffer_free(&key);
    buffer_append(indexes, &index, sizeof index);
    buffer_append(all_facts, &facts, sizeof facts);
    return STATUS_OK;
}

enum status catalog_read_indexes(struct catalog_builder *builder, struct schema_table *table,
                                 struct catalog_table *facts, bool without_rowid, bool *key_index)
{
    struct buffer indexes = {0};
    struct buffer all_facts = {0};
    sqlite3_stmt *row = catalog_ask(builder, SQL_INDEXES, table->name);
    enum status status = STATUS_OK;
    int result = SQLITE_DONE;

    *key_index = false;
    while (status == STATUS_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
        *key_index |= strcmp(sqlite_text_of(row, 2), "pk") == 0;
        status = add_index(builder, row, &indexes, &all_facts, facts, without_rowid);
    }
    sqlite3_reset(row);
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = catalog_fail(builder, table->name);
    }
    table->index_count = (uint32_t)(indexes.length / sizeof(struct schema_index));
    facts->index_count = table->index_count;
    table->indexes = catalog_copy_list(builder, &indexes);
    facts->indexes = catalog_copy_list(builder, &all_facts);
    return status;
}

/* ---------------------------------------------------------------- foreign keys */

/* The action's words; NULL for none. */
static const char *copy_action(struct catalog_builder *builder, sqlite3_stmt *row, int column)
{
    const char *action = catalog_copy_text(builder, row, column);
    return action != NULL && strcmp(action, "NO ACTION") == 0 ? NULL : action;
}

struct foreign_key_lists {
    struct buffer keys; /* struct schema_foreign_key */
    struct buffer from;
    struct buffer to;
    bool to_named;
};

static void finish_foreign_key(struct catalog_builder *builder, struct foreign_key_lists *lists)
{
    if (lists->keys.length == 0) {
        return;
    }
    struct schema_foreign_key *key =
        (struct schema_foreign_key *)(void *)(lists->keys.data + lists->keys.length - sizeof *key);
    key->columns.count = (uint32_t)(lists->from.length / sizeof(const char *));
    key->columns.names = catalog_copy_list(builder, &lists->from);
    key->referenced_columns.count = lists->to_named ? key->columns.count : 0;
    key->referenced_columns.names = catalog_copy_list(builder, &lists->to);
}

enum status catalog_read_foreign_keys(struct catalog_builder *builder, struct schema_table *table,
                                      const struct create_facts *text)
{
    struct foreign_key_lists lists = {0};
    sqlite3_stmt *row = catalog_ask(builder, SQL_FOREIGN_KEYS, table->name);
    int last = -1;
    int result;

    while ((result = sqlite3_step(row)) == SQLITE_ROW) {
        if (sqlite3_column_int(row, 0) != last) {
            finish_foreign_key(builder, &lists);
            last = sqlite3_column_int(row, 0);
            lists.to_named = true;
            struct schema_foreign_key key = {
                .references = catalog_copy_text(builder, row, 1),
                .on_update = copy_action(builder, row, 4),
                .on_delete = copy_action(builder, row, 5),
            };
            buffer_append(&lists.keys, &key, sizeof key);
        }
        const char *from = catalog_copy_text(builder, row, 2);
        const char *to = catalog_copy_text(builder, row, 3);
        lists.to_named &= to != NULL;
        buffer_append(&lists.from, &from, sizeof from);
        buffer_append(&lists.to, &to, sizeof to);
    }
    sqlite3_reset(row);
    finish_foreign_key(builder, &lists);
    table->foreign_key_count = (uint32_t)(lists.keys.length / sizeof(struct schema_foreign_key));
    struct schema_foreign_key *keys = catalog_copy_list(builder, &lists.keys);
    table->foreign_keys = keys;
    if (text->foreign_key_count == table->foreign_key_count) {
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            keys[i].name = text->foreign_keys[i].name;
            keys[i].deferrable = text->foreign_keys[i].deferrable;
            keys[i].details = keys[i].deferrable ? "DEFERRABLE" : NULL;
        }
    }
    return result == SQLITE_DONE ? STATUS_OK : catalog_fail(builder, table->name);
}

void catalog_resolve_foreign_keys(const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->schema->table_count; i++) {
        const struct schema_table *table = &catalog->schema->tables[i];
        struct schema_foreign_key *keys = (struct schema_foreign_key *)table->foreign_keys;
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            const struct catalog_table *parent =
                keys[k].references != NULL ? catalog_find(catalog, keys[k].references) : NULL;
            if (parent == NULL) {
                continue;
            }
            const struct column_list *key = &parent->schema->primary_key;
            keys[k].references = parent->schema->name;
            if (keys[k].referenced_columns.count == 0 && key->count == keys[k].columns.count) {
                keys[k].referenced_columns = *key;
            }
        }
    }
}

/* ---------------------------------------------------------------- what names a row */

/* The first name of the rowid that no column hides; a column that is the rowid does not hide it. */
static const char *row_key_of(const struct schema_table *table, int32_t rowid_column)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        bool hidden = false;
        for (uint32_t i = 0; i < table->column_count; i++) {
            hidden |= (int32_t)i != rowid_column &&
                      sqlite3_stricmp(table->columns[i].name, names[n]) == 0;
        }
        if (!hidden) {
            return names[n];
        }
    }
    return NULL;
}

void catalog_settle_keys(struct schema_table *table, struct catalog_table *facts,
                         bool without_rowid, bool strict, bool key_index)
{
    struct schema_column *columns = (struct schema_column *)table->columns;
    bool generated = false;

    facts->rowid_column = -1;
    table->primary_key_not_null = table->primary_key.count > 0;
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        int position = schema_find_column(table, table->primary_key.names[i]);
        if (position < 0) {
            continue;
        }
        if (!without_rowid && !key_index && table->primary_key.count == 1) {
            facts->rowid_column = position;
            columns[position].identity = true;
            columns[position].type.dynamic = false;
        }
        columns[position].not_null |= without_rowid || strict || facts->rowid_column == position;
        table->primary_key_not_null &= columns[position].not_null;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        generated |= columns[i].generated != GENERATED_NO;
    }
    if (!without_rowid) {
        table->row_key = row_key_of(table, facts->rowid_column);
        table->row_key_stable = facts->rowid_column >= 0;
    }
    facts->sliceable = table->row_key != NULL && !generated;
}
