/* Primary keys and indexes of the tables that a run made, after the load. */
#include "connectors/postgres/schema/keys.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/common/scope.h"
#include <stdio.h>
#include <string.h>

enum { AT_ONCE_MAX = 4, SMALL_TABLE_BYTES = 1 << 20, NAMES_TRIED = 1000 };

/* ---------------------------------------------------------------- early or late */

const struct schema_index *postgres_primary_index(const struct schema_table *table)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (schema_is_primary_index(table, &table->indexes[i])) {
            return &table->indexes[i];
        }
    }
    return NULL;
}

/* An equality that takes no two values of the source for one. */
static bool compares_exactly(const struct target_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct value_type *type = &table->columns[i].type;
        if (strcmp(table->columns[i].name, name) != 0) {
            continue;
        }
        return type->kind != VALUE_TEXT || type->native == NULL ||
               strcmp(type->native, "text") == 0 || strncmp(type->native, "varchar", 7) == 0;
    }
    return false;
}

bool postgres_key_is_late(const struct target_table *table, const struct target_index *index)
{
    const struct column_list columns = index != NULL ? index->columns : table->key;
    bool promised = index != NULL ? index->promised : table->key_promised;
    const struct schema_index *primary = index == NULL && table->same_engine != NULL
                                             ? postgres_primary_index(table->same_engine)
                                             : NULL;
    bool partitioned = index == NULL && table->same_engine != NULL &&
                       (primary == NULL || primary->native_sql == NULL);
    if (!promised || columns.count == 0 || table->distinct || table->keeps_undo || partitioned) {
        return false;
    }
    for (uint32_t i = 0; table->same_engine == NULL && i < columns.count; i++) {
        if (!compares_exactly(table, columns.names[i])) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- what is missing */

struct keys {
    struct postgres_database *self;
    struct arena *arena;
    const struct target_table *tables;
    uint32_t table_count;
    const struct postgres_catalog *catalog;
    struct postgres_build *builds;
    uint32_t count;
};

static const char *keys_keep(struct keys *keys, struct buffer *sql)
{
    return sql_text(keys->arena, sql);
}

static const struct schema_index *find_index(const struct schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name) == 0) {
            return &table->indexes[i];
        }
    }
    return NULL;
}

static bool is_in_catalog(const struct postgres_catalog *catalog, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < catalog->table_count; i++) {
        const struct schema_table *table = catalog->tables[i].schema;
        found = strcmp(table->name, name) == 0 || find_index(table, name) != NULL;
    }
    return found;
}

/* Is a table or an index of the plan to be named so? */
static bool is_planned(const struct target_table *tables, uint32_t table_count, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < table_count; i++) {
        const struct target_table *table = &tables[i];
        found = strcmp(table->name, name) == 0 ||
                (table->same_engine != NULL && find_index(table->same_engine, name) != NULL);
        for (uint32_t k = 0; !found && k < table->index_count; k++) {
            found = strcmp(table->indexes[k].name, name) == 0;
        }
    }
    return found;
}

static void make_key_name(const struct target_table *table, uint32_t number,
                          char name[POSTGRES_NAME_BYTES_MAX + 1])
{
    char end[16];
    int bytes = number == 0 ? snprintf(end, sizeof end, "_pkey")
                            : snprintf(end, sizeof end, "_pkey%u", number);
    size_t length =
        text_clip(table->name, strlen(table->name), POSTGRES_NAME_BYTES_MAX - (size_t)bytes);
    snprintf(name, POSTGRES_NAME_BYTES_MAX + 1, "%.*s%s", (int)length, table->name, end);
}

bool postgres_key_is_named(const struct target_table *table, const struct target_table *tables,
                           uint32_t table_count, const struct postgres_catalog *catalog,
                           char name[POSTGRES_NAME_BYTES_MAX + 1])
{
    make_key_name(table, 0, name);
    if (table->same_engine != NULL || !is_planned(tables, table_count, name)) {
        return false;
    }
    for (uint32_t number = 1; number < NAMES_TRIED; number++) {
        make_key_name(table, number, name);
        if (!is_planned(tables, table_count, name) && !is_in_catalog(catalog, name)) {
            break;
        }
    }
    return true;
}

static bool is_built(const struct keys *keys, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < keys->count; i++) {
        found = strcmp(keys->builds[i].name, name) == 0;
    }
    return found;
}

/* As PostgreSQL itself would name it. */
static const char *name_key(struct keys *keys, const struct target_table *table)
{
    char name[POSTGRES_NAME_BYTES_MAX + 1];
    for (uint32_t number = 0; number < NAMES_TRIED; number++) {
        make_key_name(table, number, name);
        if (!is_in_catalog(keys->catalog, name) && !is_built(keys, name) &&
            !is_planned(keys->tables, keys->table_count, name)) {
            break;
        }
    }
    return arena_copy_string(keys->arena, name);
}

static const char remedy[] =
    "make one of this name over what the server can order (a hash of a long text, say) and "
    "`transhume resume`, or leave it out of the plan and `transhume migrate --restart --confirm`";

static struct postgres_build *add_build(struct keys *keys, const struct target_table *table,
                                        const struct postgres_table *facts, const char *name)
{
    struct postgres_build *build = &keys->builds[keys->count++];
    *build =
        (struct postgres_build){.table = table,
                                .owner = table->name,
                                .name = name,
                                .what = "index",
                                .sorts = true,
                                .weight = facts->schema->size_bytes,
                                .failpoints = {"postgres.before_index", "postgres.after_index"}};
    return build;
}

static void add_plain_index(struct keys *keys, const struct target_table *table,
                            const struct postgres_table *facts, const char *name,
                            struct column_list columns, bool unique)
{
    struct postgres_build *build = add_build(keys, table, facts, name);
    build->sql = keys_keep(keys, postgres_sql("%s%n ON %t (%l)",
                                              unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ",
                                              name, &keys->self->sql, table->name, columns));
    build->columns = unique ? columns : (struct column_list){0};
    build->optional = !unique;
    build->remedy = remedy;
    build->weight += unique;
    build->order = table->key;
}

/* Has a table of the same schema an index of this name, that is not this one? Names are of a
 * schema: one that was renamed in the source since, and is followed no more, keeps them. */
static bool is_anothers(const struct keys *keys, const char *table, const char *name)
{
    const struct schema_scope *scope = &keys->self->sql.base.scope;
    const char *rest;
    const char *own = scope_schema_of(scope, table, &rest);
    bool found = false;
    for (uint32_t i = 0; !found && i < keys->catalog->table_count; i++) {
        const struct schema_table *other = keys->catalog->tables[i].schema;
        const char *place = scope_schema_of(scope, other->name, &rest);
        bool same = own == NULL || place == NULL ? own == place : strcmp(own, place) == 0;
        found = same && strcmp(other->name, table) != 0 && find_index(other, name) != NULL;
    }
    return found;
}

/* The name of an index: its own, or where that is another's always the same one, so that it
 * is found again. */
static const char *free_name(const struct keys *keys, const char *table, const char *name)
{
    char made[POSTGRES_NAME_BYTES_MAX * 2 + 2];
    const char *rest = table;
    if (!is_anothers(keys, table, name)) {
        return name;
    }
    (void)scope_schema_of(&keys->self->sql.base.scope, table, &rest);
    int length = snprintf(made, sizeof made, "%.*s_%.*s", POSTGRES_NAME_BYTES_MAX, rest,
                          POSTGRES_NAME_BYTES_MAX, name);
    made[text_clip(made, (size_t)length, POSTGRES_NAME_BYTES_MAX)] = '\0';
    log_write(LOG_INFO, "the index %s of %s is called %s: another table has its name", name, table,
              made);
    return arena_copy_string(keys->arena, made);
}

/* The statement that the source has, with another name. */
static void append_renamed(struct buffer *sql, const char *statement, const char *name,
                           const char *now)
{
    static const char *const before[] = {"INDEX ", "CONSTRAINT "};
    const char *found = NULL;
    size_t length = 0;
    for (size_t i = 0; found == NULL && i < 4; i++) {
        struct buffer words = {0};
        const char *keyword = before[i / 2];
        /* the server writes a name that needs no quotes without them */
        postgres_append(&words, i % 2 == 0 ? "%s%n " : "%s%s ", keyword, name);
        found = strstr(statement, buffer_string(&words));
        length = words.length - strlen(keyword) - 1;
        found = found != NULL ? found + strlen(keyword) : NULL;
        buffer_free(&words);
    }
    if (found == NULL) {
        buffer_append_string(sql, statement);
        return;
    }
    postgres_append(sql, "%S%n%s", statement, (size_t)(found - statement), now, found + length);
}

/* `name`: what it is called here. */
static void add_native_index(struct keys *keys, const struct target_table *table,
                             const struct postgres_table *facts, const struct schema_index *index,
                             const char *name)
{
    bool plain = index->unique && !index->partial && strstr(index->native_sql, "NULLS NOT") == NULL;
    struct buffer sql = {0};
    struct postgres_build *build = add_build(keys, table, facts, name);
    if (name == index->name) {
        buffer_append_string(&sql, index->native_sql);
    } else {
        append_renamed(&sql, index->native_sql, index->name, name);
    }
    build->sql = keys_keep(keys, &sql);
    build->weight += index->unique;
    build->shuts_out = index->implied ? POSTGRES_SHUTS_ALL : POSTGRES_SHUTS_WRITERS;
    for (uint32_t i = 0; i < index->columns.count; i++) {
        plain = plain && index->columns.names[i][0] != '\0';
    }
    build->columns = plain ? index->columns : (struct column_list){0};
    build->optional = !index->unique && !index->implied;
    build->remedy = remedy;
    build->order = table->same_engine->primary_key;
}

/* The index that the primary key is to use, if it is there already. */
static const char *find_key_index(const struct target_table *table,
                                  const struct postgres_table *facts)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        const struct schema_index *index = &facts->schema->indexes[i];
        bool planned = false;
        for (uint32_t j = 0; j < table->index_count; j++) {
            planned = planned || strcmp(table->indexes[j].name, index->name) == 0;
        }
        if (!planned && index->unique && !index->partial && !index->implied &&
            column_list_is_equal(index->columns, table->key)) {
            return index->name;
        }
    }
    return NULL;
}

static void find_builds(struct keys *keys, const struct target_table *table,
                        const struct postgres_table *facts, const char **key_name)
{
    const struct schema_table *same = table->same_engine;
    *key_name = NULL;
    bool keyed = facts->schema->primary_key.count > 0;
    if (same == NULL && table->key.count > 0 && !keyed) {
        *key_name = find_key_index(table, facts);
        if (*key_name == NULL) {
            *key_name = name_key(keys, table);
            add_plain_index(keys, table, facts, *key_name, table->key, true);
            keys->builds[keys->count - 1].weight += 1;
        }
    }
    for (uint32_t i = 0; same != NULL && i < same->index_count; i++) {
        const struct schema_index *index = &same->indexes[i];
        const char *name = free_name(keys, table->name, index->name);
        bool there = schema_is_primary_index(same, index)
                         ? keyed
                         : find_index(facts->schema, index->name) != NULL ||
                               find_index(facts->schema, name) != NULL;
        if (index->native_sql != NULL && !there) {
            add_native_index(keys, table, facts, index, name);
        }
    }
    for (uint32_t i = 0; same == NULL && i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        const char *name = free_name(keys, table->name, index->name);
        if (find_index(facts->schema, index->name) == NULL &&
            find_index(facts->schema, name) == NULL) {
            add_plain_index(keys, table, facts, name, index->columns, index->unique);
        }
    }
}

/* ---------------------------------------------------------------- making it */

/* The constraints take the indexes that were made for them. */
static enum status add_keys(struct keys *keys, const struct target_table *tables,
                            uint32_t table_count, const char *const *names,
                            void (*progress)(const char *what), struct error *error)
{
    struct postgres_build *builds =
        arena_allocate_zeroed(keys->arena, (size_t)table_count + 1, sizeof *builds);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table_count; i++) {
        struct buffer sql = {0};
        if (names[i] == NULL) {
            continue;
        }
        postgres_append(&sql, "ALTER TABLE %t ADD CONSTRAINT %n PRIMARY KEY USING INDEX %n",
                        &keys->self->sql, tables[i].name, names[i], names[i]);
        builds[count++] =
            (struct postgres_build){.table = &tables[i],
                                    .owner = tables[i].name,
                                    .shuts_out = POSTGRES_SHUTS_ALL,
                                    .name = names[i],
                                    .what = "key",
                                    .sql = keys_keep(keys, &sql),
                                    .failpoints = {"postgres.before_key", "postgres.after_key"}};
    }
    return postgres_builds_run(keys->self, builds, count, 1, NULL, progress, error);
}

/* Room for the builds of all tables. */
static struct keys begin_keys(struct postgres_database *self, const struct target_table *tables,
                              uint32_t table_count, const struct postgres_catalog *catalog,
                              struct arena *arena)
{
    struct keys keys = {.self = self,
                        .arena = arena,
                        .tables = tables,
                        .table_count = table_count,
                        .catalog = catalog};
    size_t most = 1;
    for (uint32_t i = 0; i < table_count; i++) {
        const struct schema_table *same = tables[i].same_engine;
        most += 1 + (same != NULL ? same->index_count : tables[i].index_count);
    }
    keys.builds = arena_allocate_zeroed(arena, most, sizeof *keys.builds);
    return keys;
}

enum status postgres_make_keys(struct postgres_database *self, const struct target_table *tables,
                               uint32_t table_count, const struct postgres_catalog *catalog,
                               struct arena *arena, void (*progress)(const char *what),
                               struct error *error)
{
    struct keys keys = begin_keys(self, tables, table_count, catalog, arena);
    int64_t bytes = 0;
    const char **names = arena_allocate_zeroed(arena, (size_t)table_count + 1, sizeof *names);
    for (uint32_t i = 0; i < table_count; i++) {
        const struct postgres_table *facts =
            tables[i].created ? postgres_catalog_find(catalog, tables[i].name) : NULL;
        if (facts != NULL) {
            find_builds(&keys, &tables[i], facts, &names[i]);
            bytes += facts->schema->size_bytes;
        }
    }
    uint32_t at_once = bytes < SMALL_TABLE_BYTES ? 1 : AT_ONCE_MAX;
    enum status status =
        postgres_builds_run(self, keys.builds, keys.count, at_once, NULL, progress, error);
    return status == STATUS_OK ? add_keys(&keys, tables, table_count, names, progress, error)
                               : status;
}

/* ---------------------------------------------------------------- showing it */

/* A table as prepare would leave it: with what postgres_create_statements makes along with it. */
static struct postgres_table new_table(struct keys *keys, const struct target_table *table)
{
    struct schema_table *schema = arena_allocate_zeroed(keys->arena, 1, sizeof *schema);
    struct schema_index *indexes =
        arena_allocate_zeroed(keys->arena, (size_t)table->index_count + 1, sizeof *indexes);
    schema->name = table->name;
    schema->indexes = indexes;
    if (!postgres_key_is_late(table, NULL)) {
        schema->primary_key =
            table->same_engine != NULL ? table->same_engine->primary_key : table->key;
    }
    for (uint32_t i = 0; table->same_engine == NULL && i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        if (index->unique && !postgres_key_is_late(table, index)) {
            indexes[schema->index_count++] = (struct schema_index){
                .name = index->name, .columns = index->columns, .unique = true};
        }
    }
    return (struct postgres_table){.schema = schema};
}

void postgres_show_keys(struct postgres_database *self, const struct script_request *request,
                        const struct postgres_catalog *catalog, struct script *script)
{
    struct keys keys =
        begin_keys(self, request->tables, request->table_count, catalog, script->arena);
    const char **names =
        arena_allocate_zeroed(script->arena, (size_t)request->table_count + 1, sizeof *names);
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->missing[i]) {
            const struct postgres_table facts = new_table(&keys, &request->tables[i]);
            find_builds(&keys, &request->tables[i], &facts, &names[i]);
        }
    }
    postgres_builds_sort(keys.builds, keys.count);
    for (uint32_t i = 0; i < keys.count; i++) {
        script_add(script, SCRIPT_AFTER_LOAD, "index", keys.builds[i].name,
                   postgres_sql("%s", keys.builds[i].sql));
    }
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (names[i] != NULL) {
            script_add(script, SCRIPT_AFTER_LOAD, "key", names[i],
                       postgres_sql("ALTER TABLE %t ADD CONSTRAINT %n PRIMARY KEY USING INDEX %n",
                                    &keys.self->sql, request->tables[i].name, names[i], names[i]));
        }
    }
}
