/* Foreign keys in circles: which columns may be NULL until the partners are there. */
#include "engine/session/circles.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include <stdlib.h>
#include <string.h>

/* The tables of a run as the target has them. */
struct circles {
    bool repairing;          /* foreign keys do not answer: none is written that has no partner */
    struct column_list made; /* with it: tables whose foreign keys are as the run left them */
    const struct schema *schema;
    struct target_table *const *tables;
    uint32_t count;
    struct name_index numbers;
    const struct schema_table **there; /* a table each; NULL: not there */
    uint32_t **parents;                /* those that a table refers to, by their numbers */
    uint32_t *parent_count;
};

/* ---- the graph */

static void find_tables(struct circles *circles)
{
    for (uint32_t i = 0; i < circles->count; i++) {
        const char *name = circles->tables[i]->name;
        (void)name_index_add(&circles->numbers, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < circles->schema->table_count; i++) {
        const struct schema_table *table = &circles->schema->tables[i];
        uint32_t number = name_index_find(&circles->numbers, table->name, strlen(table->name));
        if (number != NAME_INDEX_NONE && table->kind == SCHEMA_TABLE) {
            circles->there[number] = table;
        }
    }
}

/* The table that is referred to; NAME_INDEX_NONE: none of these. */
static uint32_t parent_of(const struct circles *circles, const struct schema_foreign_key *key)
{
    uint32_t parent =
        key->references_schema != NULL
            ? NAME_INDEX_NONE
            : name_index_find(&circles->numbers, key->references, strlen(key->references));
    return parent != NAME_INDEX_NONE && circles->there[parent] != NULL ? parent : NAME_INDEX_NONE;
}

/* `strict`: only where a record can't come before the one that it refers to. */
static void find_parents(struct circles *circles, bool strict, struct arena *arena)
{
    for (uint32_t i = 0; i < circles->count; i++) {
        const struct schema_table *table = circles->there[i];
        uint32_t count = table == NULL ? 0 : table->foreign_key_count;
        circles->parents[i] =
            arena_allocate_zeroed(arena, count + (size_t)1, sizeof(**circles->parents));
        for (uint32_t j = 0; j < count; j++) {
            const struct schema_foreign_key *key = &table->foreign_keys[j];
            uint32_t parent = parent_of(circles, key);
            if (parent != NAME_INDEX_NONE &&
                !(strict && circles_is_later(circles->tables[i], key))) {
                circles->parents[i][circles->parent_count[i]++] = parent;
            }
        }
    }
}

/* Does a table refer to another one, at once or by way of others? */
static bool reaches(const struct circles *circles, uint32_t from, uint32_t to)
{
    bool *seen = memory_allocate_zeroed(circles->count + (size_t)1, sizeof *seen);
    uint32_t *open = memory_allocate_zeroed(circles->count + (size_t)1, sizeof *open);
    uint32_t count = 1;
    open[0] = from;
    seen[from] = true;
    while (count > 0 && !seen[to]) {
        uint32_t at = open[--count];
        for (uint32_t i = 0; i < circles->parent_count[at]; i++) {
            uint32_t parent = circles->parents[at][i];
            if (!seen[parent]) {
                seen[parent] = true;
                open[count++] = parent;
            }
        }
    }
    bool found = seen[to];
    free(open);
    free(seen);
    return found;
}

/* ---- what may be NULL */

static bool may_be_empty(const struct schema_table *there, const struct target_table *table,
                         const char *name)
{
    int column = schema_find_column(there, name);
    return column >= 0 && !there->columns[column].not_null &&
           there->columns[column].generated == GENERATED_NO &&
           !column_list_holds(there->primary_key, name) && !column_list_holds(table->key, name);
}

static struct column_list copy_names(struct arena *arena, struct column_list from)
{
    const char **names = arena_allocate_zeroed(arena, from.count + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < from.count; i++) {
        names[i] = arena_copy_string(arena, from.names[i]);
    }
    return (struct column_list){.names = names, .count = from.count};
}

/* None, where nothing can be. */
static struct column_list find_emptied(struct column_list columns, const struct schema_table *there,
                                       const struct target_table *table,
                                       const struct schema_foreign_key *key, struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, columns.count + (size_t)1, sizeof *names);
    struct column_list emptied = {.names = names};
    bool whole = key->details != NULL && strstr(key->details, "MATCH FULL") != NULL;
    for (uint32_t i = 0; i < columns.count; i++) {
        if (may_be_empty(there, table, columns.names[i])) {
            names[emptied.count++] = columns.names[i];
        }
    }
    if (whole && emptied.count < columns.count) {
        emptied.count = 0;
    }
    return emptied;
}

/* The database looks for partners at the end of a chunk: a table's own are found there, and what
 * has none is rejected. */
static bool waits_itself(const struct schema_foreign_key *key)
{
    return key->details != NULL && strstr(key->details, "INITIALLY DEFERRED") != NULL;
}

/* The table that a foreign key refers to, if its records may come after those that refer to them;
 * NULL: they may not. */
static const struct schema_table *find_late_parent(const struct circles *circles, uint32_t number,
                                                   const struct schema_foreign_key *key)
{
    if (circles->repairing) {
        return key->references_schema == NULL &&
                       !column_list_holds(circles->made, circles->tables[number]->name)
                   ? schema_find_table(circles->schema, key->references)
                   : NULL;
    }
    uint32_t parent = parent_of(circles, key);
    bool late = parent != NAME_INDEX_NONE && reaches(circles, parent, number) &&
                !(parent == number && waits_itself(key));
    return late ? circles->there[parent] : NULL;
}

static void find_later(const struct circles *circles, uint32_t number, struct arena *arena)
{
    const struct schema_table *there = circles->there[number];
    struct target_table *table = circles->tables[number];
    struct target_later *later =
        arena_allocate_zeroed(arena, there->foreign_key_count + (size_t)1, sizeof *later);
    table->later = later;
    for (uint32_t i = 0; i < there->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &there->foreign_keys[i];
        const struct schema_table *parent = find_late_parent(circles, number, key);
        if (parent == NULL) {
            continue;
        }
        struct column_list columns = copy_names(arena, key->columns);
        struct column_list emptied = find_emptied(columns, there, table, key, arena);
        struct column_list referenced =
            key->referenced_columns.count > 0 ? key->referenced_columns : parent->primary_key;
        if (emptied.count > 0 && referenced.count == columns.count) {
            later[table->later_count++] =
                (struct target_later){.columns = columns,
                                      .emptied = emptied,
                                      .table = arena_copy_string(arena, parent->name),
                                      .referenced_columns = copy_names(arena, referenced)};
        }
    }
}

static struct circles circles_begin(const struct run_session *session, const struct schema *schema,
                                    struct target_table *const *tables, uint32_t count, bool strict,
                                    struct arena *arena)
{
    struct circles circles = {
        .repairing = session->options.repair.is_repair,
        .made = session->options.repair.made,
        .schema = schema,
        .tables = tables,
        .count = count,
        .numbers = session_target_names(session, arena),
        .there = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *circles.there),
        .parents = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *circles.parents),
        .parent_count =
            arena_allocate_zeroed(arena, count + (size_t)1, sizeof *circles.parent_count)};
    find_tables(&circles);
    find_parents(&circles, strict, arena);
    return circles;
}

void circles_search(const struct run_session *session, const struct schema *schema,
                    struct target_table *const *tables, uint32_t count, struct arena *arena)
{
    struct arena *scratch = arena_create(0);
    struct circles circles = circles_begin(session, schema, tables, count, false, scratch);
    for (uint32_t i = 0; i < count; i++) {
        tables[i]->later_count = 0; /* of a search before */
        if (circles.there[i] != NULL && tables[i]->key.count > 0) {
            find_later(&circles, i, arena);
        }
    }
    arena_destroy(scratch);
}

/* The plan's, in the arena. */
static struct target_table **list_tables(const struct run_session *session, struct arena *arena)
{
    uint32_t count = session->plan->table_count;
    struct target_table **tables = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *tables);
    for (uint32_t i = 0; i < count; i++) {
        tables[i] = &session->plan->tables[i].target;
    }
    return tables;
}

static bool is_wanted(const struct run_session *session)
{
    return session->there != NULL &&
           connector_sql_target(session->target->connector)->later_fill != NULL;
}

void circles_find(struct run_session *session)
{
    struct arena *arena = arena_create(0);
    if (is_wanted(session)) {
        circles_search(session, session->there, list_tables(session, arena),
                       session->plan->table_count, session->arena);
    }
    arena_destroy(arena);
}

bool circles_is_later(const struct target_table *table, const struct schema_foreign_key *key)
{
    for (uint32_t i = 0; i < target_table_later_count(table); i++) {
        if (column_list_is_equal(table->later[i].columns, key->columns)) {
            return true;
        }
    }
    return false;
}

/* ---- telling */

static void append_names(struct buffer *out, struct column_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        buffer_format(out, "%s%s", i > 0 ? ", " : "", names.names[i]);
    }
}

/* Circles of which no column may be NULL. */
static void tell_closed(const struct run_session *session, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct circles circles = circles_begin(session, session->there, list_tables(session, arena),
                                           session->plan->table_count, true, arena);
    for (uint32_t i = 0; i < circles.count; i++) {
        const struct schema_table *there = circles.there[i];
        for (uint32_t j = 0; there != NULL && j < there->foreign_key_count; j++) {
            const struct schema_foreign_key *key = &there->foreign_keys[j];
            uint32_t parent = parent_of(&circles, key);
            if (parent == NAME_INDEX_NONE || circles_is_later(circles.tables[i], key) ||
                !reaches(&circles, parent, i)) {
                continue;
            }
            buffer_format(out, "%s: ", circles.tables[i]->name);
            append_names(out, key->columns);
            buffer_format(out,
                          " refers to %s, in a circle in which nothing may be NULL: records that "
                          "come before the one that they refer to are rejected; let %s.",
                          circles.tables[parent]->name, circles.tables[i]->name);
            append_names(out, key->columns);
            buffer_append_string(out, " be NULL for the load, or drop the foreign key meanwhile\n");
        }
    }
    arena_destroy(arena);
}

void circles_tell(const struct run_session *session, struct buffer *out)
{
    if (!is_wanted(session)) {
        return;
    }
    for (uint32_t i = 0; i < session->plan->table_count; i++) {
        const struct target_table *table = &session->plan->tables[i].target;
        for (uint32_t j = 0; j < target_table_later_count(table); j++) {
            buffer_format(out, "%s: ", table->name);
            append_names(out, table->later[j].emptied);
            buffer_format(out,
                          " is NULL in records that come before the one of %s that they refer to, "
                          "and is filled in after the load\n",
                          table->later[j].table);
        }
    }
    tell_closed(session, out);
}

/* ---- filling */
