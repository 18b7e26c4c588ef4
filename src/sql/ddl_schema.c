/* Tables as they are found, and the schema that they become. */
#include "sql/ddl_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct ddl_table *table_at(const struct ddl *ddl, uint32_t at)
{
    return ((struct ddl_table **)(void *)ddl->tables.data)[at];
}

static uint32_t table_count(const struct ddl *ddl)
{
    return (uint32_t)(ddl->tables.length / sizeof(struct ddl_table *));
}

static const char *full_name(const struct ddl *ddl, const char *space, const char *name)
{
    return arena_format(ddl->arena, "%s.%s", space, name);
}

static struct ddl_table *ddl_schema_find(const struct ddl *ddl, const struct name_index *names,
                                         const char *name)
{
    uint32_t at = name_index_find(names, name, strlen(name));
    return at != NAME_INDEX_NONE ? table_at(ddl, at) : NULL;
}

/* Dropped ones, too. A table without a schema is found by any. */
static struct ddl_table *find_any(const struct ddl *ddl, const char *space, const char *name)
{
    struct ddl_table *first = ddl_schema_find(ddl, &ddl->names, name);
    if (space == NULL) {
        return first;
    }
    struct ddl_table *table = ddl_schema_find(ddl, &ddl->full_names, full_name(ddl, space, name));
    return table != NULL ? table : first != NULL && first->space == NULL ? first : NULL;
}

struct ddl_table *ddl_find_table(struct ddl *ddl, const char *space, const char *name)
{
    struct ddl_table *table = find_any(ddl, space, name);
    return table != NULL && !table->dropped ? table : NULL;
}

void ddl_report_no_table(struct ddl *ddl, const char *space, const char *name,
                         const struct sql_place *place, const char *to_be)
{
    if (find_any(ddl, space, name) == NULL) {
        findings_add(&ddl->report->findings, place->line, place->column,
                     "there is no table %s to be %s", name, to_be);
    }
}

static void empty(struct ddl_table *table)
{
    buffer_free(&table->columns);
    buffer_free(&table->indexes);
    buffer_free(&table->foreign_keys);
    buffer_free(&table->checks);
}

struct ddl_table *ddl_add_table(struct ddl *ddl, const char *space, const char *name)
{
    struct ddl_table *there = find_any(ddl, space, name);
    if (there == NULL) {
        there = arena_allocate_zeroed(ddl->arena, 1, sizeof *there);
        there->number = table_count(ddl);
        name_index_add(&ddl->names, name, strlen(name), there->number);
        buffer_append(&ddl->tables, &there, sizeof there);
    }
    if (space != NULL) {
        const char *full = full_name(ddl, space, name);
        name_index_add(&ddl->full_names, full, strlen(full), there->number);
    }
    empty(there);
    *there = (struct ddl_table){.number = there->number, .name = name, .space = space};
    return there;
}

void ddl_rename_table(struct ddl *ddl, struct ddl_table *table, const char *name)
{
    struct ddl_table *renamed = ddl_add_table(ddl, table->space, name);
    if (renamed != table) {
        const uint32_t numbers[] = {table->number, renamed->number};
        *renamed = *table;
        renamed->number = numbers[1];
        renamed->name = name;
        *table = (struct ddl_table){.number = numbers[0], .name = table->name, .dropped = true};
    }
}

static bool is_in(const struct ddl_table *table, const char *space)
{
    return table->space != NULL && !table->dropped && strcmp(table->space, space) == 0;
}

/* NULL: no table is in any. */
static const char *main_space(const struct ddl *ddl)
{
    const char *found = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < table_count(ddl); i++) {
        const char *space = table_at(ddl, i)->space;
        uint32_t tables = 0;
        if (space == NULL || (found != NULL && strcmp(space, found) == 0)) {
            continue;
        }
        for (uint32_t k = i; k < table_count(ddl); k++) {
            tables += is_in(table_at(ddl, k), space) ? 1 : 0;
        }
        if (tables > most || (tables > 0 && strcmp(space, "public") == 0)) {
            found = space;
            most = strcmp(space, "public") == 0 ? UINT32_MAX : tables;
        }
    }
    return found;
}

static void name_tables(const struct ddl *ddl)
{
    const char *space = main_space(ddl);
    for (uint32_t i = 0; i < table_count(ddl); i++) {
        struct ddl_table *table = table_at(ddl, i);
        if (table->space != NULL && (space == NULL || strcmp(table->space, space) != 0)) {
            table->name = full_name(ddl, table->space, table->name);
        }
    }
}

uint32_t ddl_column_count(const struct ddl_table *table)
{
    return (uint32_t)(table->columns.length / sizeof(struct schema_column));
}

struct schema_column *ddl_find_column(const struct ddl *ddl, const struct ddl_table *table,
                                      const char *name)
{
    struct schema_column *columns = (struct schema_column *)(void *)table->columns.data;
    for (uint32_t i = 0; i < ddl_column_count(table); i++) {
        if (ddl->language == SQL_POSTGRES ? strcmp(columns[i].name, name) == 0
                                          : strcasecmp(columns[i].name, name) == 0) {
            return &columns[i];
        }
    }
    return NULL;
}

static void rename_in(const struct column_list *list, const char *old, const char *name)
{
    const char **names = (const char **)list->names;
    for (uint32_t i = 0; i < list->count; i++) {
        names[i] = strcasecmp(names[i], old) == 0 ? name : names[i];
    }
}

static void rename_in_foreign_keys(struct ddl *ddl, const struct ddl_table *of,
                                   const struct ddl_table *table, const char *old, const char *name)
{
    const struct ddl_foreign_key *keys =
        (const struct ddl_foreign_key *)(const void *)of->foreign_keys.data;
    for (size_t i = 0; i < of->foreign_keys.length / sizeof *keys; i++) {
        if (of == table) {
            rename_in(&keys[i].key.columns, old, name);
        }
        if (ddl_find_table(ddl, keys[i].space, keys[i].key.references) == table) {
            rename_in(&keys[i].key.referenced_columns, old, name);
        }
    }
}

void ddl_rename_column(struct ddl *ddl, struct ddl_table *table, struct schema_column *column,
                       const char *name)
{
    const char *old = column->name;
    const struct schema_index *indexes =
        (const struct schema_index *)(const void *)table->indexes.data;
    rename_in(&table->primary_key, old, name);
    for (size_t i = 0; i < table->indexes.length / sizeof *indexes; i++) {
        rename_in(&indexes[i].columns, old, name);
        rename_in(&indexes[i].beginnings, old, name);
    }
    for (uint32_t i = 0; i < table_count(ddl); i++) {
        rename_in_foreign_keys(ddl, table_at(ddl, i), table, old, name);
    }
    column->name = name;
}

/* ---------------------------------------------------------------- the schema */

static void *ddl_schema_keep(const struct ddl *ddl, struct buffer *list)
{
    void *copy = arena_copy(ddl->arena, list->length > 0 ? list->data : "", list->length);
    buffer_free(list);
    return copy;
}

/* Names as the table's columns have them; false: one is none of its columns. */
static bool match_columns(const struct ddl *ddl, const struct ddl_table *table,
                          struct column_list *list)
{
    const char **names = arena_allocate_zeroed(ddl->arena, list->count + 1, sizeof *names);
    bool all = true;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct schema_column *column = ddl_find_column(ddl, table, list->names[i]);
        names[i] = column != NULL ? column->name : list->names[i];
        all = all && (column != NULL || list->names[i][0] == '\0');
    }
    list->names = names;
    return all;
}

static void settle_primary_key(const struct ddl *ddl, struct ddl_table *table)
{
    if (!match_columns(ddl, table, &table->primary_key)) {
        table->primary_key = (struct column_list){0};
    }
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        struct schema_column *column = ddl_find_column(ddl, table, table->primary_key.names[i]);
        bool rowid = ddl->language == SQL_SQLITE && table->primary_key.count == 1 &&
                     !table->without_rowid && !table->descends && column != NULL &&
                     column->type.native != NULL && strcasecmp(column->type.native, "INTEGER") == 0;
        if (column == NULL) {
            continue;
        }
        if (rowid) {
            column->identity = true;
            column->type.dynamic = false;
        }
        column->not_null |=
            ddl->language != SQL_SQLITE || rowid || table->without_rowid || table->strict;
    }
}

static void settle_indexes(const struct ddl *ddl, struct ddl_table *table)
{
    struct schema_index *indexes = (struct schema_index *)(void *)table->indexes.data;
    uint32_t count = (uint32_t)(table->indexes.length / sizeof *indexes);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!match_columns(ddl, table, &indexes[i].columns)) {
            continue;
        }
        match_columns(ddl, table, &indexes[i].beginnings);
        if (indexes[i].name == NULL) {
            indexes[i].name =
                arena_format(ddl->arena, "%s_%s_key", table->name,
                             indexes[i].columns.count > 0 ? indexes[i].columns.names[0] : "");
        }
        indexes[kept++] = indexes[i];
    }
    table->indexes.length = kept * sizeof *indexes;
}

static void settle_foreign_key(struct ddl *ddl, struct ddl_table *table,
                               struct ddl_foreign_key *made)
{
    struct schema_foreign_key *key = &made->key;
    struct ddl_table *parent = ddl_find_table(ddl, made->space, key->references);
    match_columns(ddl, table, &key->columns);
    if (parent == NULL) {
        return;
    }
    key->references = parent->name;
    if (key->referenced_columns.count > 0) {
        match_columns(ddl, parent, &key->referenced_columns);
    } else if (parent->primary_key.count == key->columns.count) {
        key->referenced_columns = parent->primary_key;
    }
}

static const struct schema_foreign_key *
settle_foreign_keys(struct ddl *ddl, struct ddl_table *table, uint32_t *count)
{
    struct ddl_foreign_key *made = (struct ddl_foreign_key *)(void *)table->foreign_keys.data;
    uint32_t all = (uint32_t)(table->foreign_keys.length / sizeof *made);
    struct schema_foreign_key *keys = arena_allocate_zeroed(ddl->arena, all + 1, sizeof *keys);
    *count = 0;
    for (uint32_t i = 0; i < all; i++) {
        struct column_list list = made[i].key.columns;
        if (!match_columns(ddl, table, &list)) {
            continue;
        }
        settle_foreign_key(ddl, table, &made[i]);
        keys[(*count)++] = made[i].key;
    }
    return keys;
}

static void settle_columns(const struct ddl *ddl, const struct ddl_table *table)
{
    struct schema_column *columns = (struct schema_column *)(void *)table->columns.data;
    for (uint32_t i = 0; i < ddl_column_count(table); i++) {
        const char *native = columns[i].type.native;
        bool any = native != NULL && strcasecmp(native, "ANY") == 0;
        /* STRICT stands behind the columns; what is computed may be of any type all the same */
        columns[i].type.dynamic &= !table->strict || any || columns[i].generated != GENERATED_NO;
        if (table->strict && any) { /* elsewhere the word is one of the numeric types */
            columns[i].type.native = "";
            columns[i].type.kind = VALUE_TEXT;
            columns[i].type.untyped = true;
        }
        ddl_settle_default(ddl, &columns[i]);
    }
}

static struct schema_table make_table(struct ddl *ddl, struct ddl_table *table)
{
    struct schema_table made = {.name = table->name,
                                .primary_key = table->primary_key,
                                .primary_key_not_null = table->primary_key.count > 0,
                                .comment = table->comment,
                                .details = table->details,
                                .row_count = -1,
                                .size_bytes = -1,
                                .long_bytes = -1};
    for (uint32_t i = 0; i < table->primary_key.count; i++) {
        const struct schema_column *column =
            ddl_find_column(ddl, table, table->primary_key.names[i]);
        made.primary_key_not_null &= column != NULL && column->not_null;
    }
    made.foreign_keys = settle_foreign_keys(ddl, table, &made.foreign_key_count);
    made.index_count = (uint32_t)(table->indexes.length / sizeof(struct schema_index));
    made.indexes = ddl_schema_keep(ddl, &table->indexes);
    made.check_count = (uint32_t)(table->checks.length / sizeof(char *));
    made.checks = ddl_schema_keep(ddl, &table->checks);
    return made;
}

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct schema_table *)left)->name,
                  ((const struct schema_table *)right)->name);
}

/* The quoted name "a.b" and the table b of a schema a are one then. */
static uint32_t without_duplicates(struct schema_table *tables, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || strcmp(tables[kept - 1].name, tables[i].name) != 0) {
            tables[kept++] = tables[i];
        }
    }
    return kept;
}

void ddl_finish(struct ddl *ddl, struct schema *schema)
{
    uint32_t count = table_count(ddl);
    struct schema_table *tables = arena_allocate_zeroed(ddl->arena, count + 1, sizeof *tables);
    uint32_t kept = 0;
    name_tables(ddl);
    for (uint32_t i = 0; i < count; i++) {
        settle_columns(ddl, table_at(ddl, i));
        settle_primary_key(ddl, table_at(ddl, i));
        settle_indexes(ddl, table_at(ddl, i));
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct ddl_table *table = table_at(ddl, i);
        if (!table->dropped && table->columns.length > 0) {
            tables[kept++] = make_table(ddl, table_at(ddl, i));
        }
    }
    /* only now: foreign keys needed the columns of their parents */
    for (uint32_t i = 0, at = 0; i < count; i++) {
        struct ddl_table *table = table_at(ddl, i);
        if (!table->dropped && table->columns.length > 0) {
            tables[at].column_count = ddl_column_count(table);
            tables[at++].columns = ddl_schema_keep(ddl, &table->columns);
        }
        empty(table);
    }
    qsort(tables, kept, sizeof *tables, compare_tables);
    kept = without_duplicates(tables, kept);
    buffer_free(&ddl->tables);
    buffer_free(&ddl->types);
    *schema = (struct schema){.arena = ddl->arena, .tables = tables, .table_count = kept};
}
