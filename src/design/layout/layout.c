/* Names for families. */
#include "design/layout/layout.h"

#include "base/name_index.h"
#include "design/workload/bucket.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 48 }; /* Cassandra's bound for tables */

struct laying {
    struct arena *arena;
    const struct search *search;
    struct places *places;
    enum layout_naming naming;
    struct name_index tables; /* folded */
};

/* ---------------------------------------------------------------- names */

/* A name of letters, digits and _ alone. */
static const char *clean(struct arena *arena, const char *text)
{
    char *name = arena_copy_string(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)(isalnum((unsigned char)*at) != 0 ? *at : '_');
    }
    if (strlen(name) > NAME_BYTES_MAX) {
        name[NAME_BYTES_MAX] = '\0';
    }
    return name[0] == '\0' ? "t" : name;
}

static const char *layout_lower(struct arena *arena, const char *text)
{
    char *name = arena_copy_string(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return name;
}

/* `name`, or with a number behind it if that is taken. */
static const char *make_unique(struct name_index *taken, const char *name)
{
    const char *unique = name;
    for (uint32_t i = 2; name_index_add(taken, unique, strlen(unique), 0) != NAME_INDEX_NONE; i++) {
        int room = NAME_BYTES_MAX - 5;
        unique = arena_format(taken->arena, "%.*s_%u", room, name, i);
    }
    return unique;
}

static bool is_table_itself(struct places *places, const struct family *family)
{
    return family->clustering_count == 0 &&
           place_set_is_equal(family->partition, places_key(places, family->root));
}

static const char *plain_name(const struct laying *laying, const struct family *family)
{
    struct places *places = laying->places;
    struct buffer name = {0};
    buffer_append_string(&name, places->graph->entities[family->root].name);
    if (!is_table_itself(places, family)) {
        buffer_append_string(&name, family->partition.count > 0 ? "_by" : "_all");
        for (uint32_t i = 0; i < family->partition.count; i++) {
            struct place place = places->list[family->partition.at[i]];
            bool own = place.path == family->root;
            buffer_format(&name, "_%s%s%s", own ? "" : places_entity(places, place.path)->name,
                          own ? "" : "_", places_field(places, family->partition.at[i])->name);
        }
    }
    const char *kept = clean(laying->arena, buffer_string(&name));
    buffer_free(&name);
    return kept;
}

static const char *classic_name(const struct laying *laying, const struct family *family)
{
    const struct places *places = laying->places;
    struct buffer name = {0};
    buffer_append_string(&name, places->graph->entities[family->root].name);
    uint32_t last = family->root;
    for (uint32_t i = 0; i < family->fields.count; i++) {
        uint32_t path = places->list[family->fields.at[i]].path;
        if (path != last && path != family->root) {
            buffer_format(&name, "_%s", places_entity(places, path)->name);
            last = path;
        }
    }
    buffer_append_string(&name, "_data");
    const char *kept = layout_lower(laying->arena, clean(laying->arena, buffer_string(&name)));
    buffer_free(&name);
    return kept;
}

static const char *column_name(const struct laying *laying, const struct family *family,
                               uint32_t place, struct name_index *taken)
{
    const struct places *places = laying->places;
    struct place at = places->list[place];
    const char *field = places_field(places, place)->name;
    const char *entity = places_entity(places, at.path)->name;
    bool own = at.path == family->root;
    const char *name = own && laying->naming == LAYOUT_PLAIN
                           ? field
                           : arena_format(laying->arena, "%s_%s", entity, field);
    return make_unique(taken, clean(laying->arena, name));
}

/* ---------------------------------------------------------------- columns */

struct columns {
    const struct laying *laying;
    const struct family *family;
    struct layout_column *list;
    uint32_t count;
    struct name_index taken;
};

static void add_column(struct columns *columns, uint32_t place, enum layout_role role,
                       bool descending)
{
    const char *name = place == GRAPH_NONE
                           ? make_unique(&columns->taken, "bucket")
                           : column_name(columns->laying, columns->family, place, &columns->taken);
    columns->list[columns->count++] = (struct layout_column){name, place, role, descending};
}

static void lay_columns(const struct laying *laying, const struct family *family,
                        struct layout_table *table)
{
    struct columns columns = {
        .laying = laying, .family = family, .taken = {.arena = laying->arena, .folded = true}};
    columns.list =
        arena_allocate_zeroed(laying->arena, family->fields.count + 1u, sizeof(*columns.list));
    for (uint32_t i = 0; i < family->partition.count; i++) {
        add_column(&columns, family->partition.at[i], LAYOUT_PARTITION, false);
    }
    if (table->bucket_sql != NULL) {
        add_column(&columns, GRAPH_NONE, LAYOUT_PARTITION, false);
    }
    table->partition_count = columns.count;
    for (uint32_t i = 0; i < family->clustering_count; i++) {
        add_column(&columns, family->clustering[i].place, LAYOUT_CLUSTERING,
                   family->clustering[i].descending);
    }
    table->clustering_count = family->clustering_count;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < family->fields.count; i++) {
            uint32_t place = family->fields.at[i];
            bool is_static = place_set_holds(family->statics, place);
            if (!place_set_holds(family->key, place) && is_static == (pass == 0)) {
                add_column(&columns, place, is_static ? LAYOUT_STATIC : LAYOUT_VALUE, false);
            }
        }
    }
    table->columns = columns.list;
    table->column_count = columns.count;
}

/* ---------------------------------------------------------------- tables */

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct layout_table *)left)->name,
                  ((const struct layout_table *)right)->name);
}

void layout_make(const struct search *search, const struct search_result *result,
                 enum layout_naming naming, struct arena *arena, struct layout *layout)
{
    const struct pool *pool = search->pool;
    struct laying laying = {.arena = arena,
                            .search = search,
                            .places = pool->places,
                            .naming = naming,
                            .tables = {.arena = arena, .folded = true}};
    struct layout_table *tables = arena_allocate_zeroed(arena, pool->count + 1u, sizeof(*tables));
    uint32_t count = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct family *family = &pool->families[i];
        if (!result->chosen[i]) {
            continue;
        }
        const char *name =
            naming == LAYOUT_CLASSIC ? classic_name(&laying, family) : plain_name(&laying, family);
        struct layout_table *table = &tables[count++];
        *table = (struct layout_table){.name = make_unique(&laying.tables, name), .family = i};
        table->bucket_sql = bucket_sql(laying.places, family, arena);
        lay_columns(&laying, family, table);
    }
    qsort(tables, count, sizeof(*tables), by_name);
    *layout = (struct layout){arena, search, result, tables, count};
}

const struct layout_table *layout_table_of(const struct layout *layout, uint32_t family)
{
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->tables[i].family == family) {
            return &layout->tables[i];
        }
    }
    return NULL;
}

const struct family *layout_family(const struct layout *layout, const struct layout_table *table)
{
    return &layout->search->pool->families[table->family];
}

const char *layout_column_of(const struct layout_table *table, uint32_t place)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].place == place) {
            return table->columns[i].name;
        }
    }
    return NULL;
}
