/* Families as tables and indexes of DynamoDB. */
#include "design/export/export_parts.h"

#include "base/name_index.h"
#include "design/export/export_key.h"
#include "design/workload/bucket.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MIN = 3, NAME_BYTES_MAX = 255, ITEM_BYTES_MAX = 400 * 1024 };

struct making {
    struct export_dynamodb *design;
    struct places *places;
    uint32_t *used;  /* by family: clustering fields that a query needs in the key */
    double *weights; /* by family: of the queries that it serves */
    const char **notes;
    uint32_t note_room;
    struct name_index names; /* of tables, folded */
};

const struct family *export_family(const struct export_dynamodb *design, uint32_t family)
{
    return &design->pool.families[family];
}

static void export_dynamodb_note(struct making *making, const char *text)
{
    struct export_dynamodb *design = making->design;
    if (design->note_count == making->note_room) {
        uint32_t room = making->note_room * 2 + 16;
        const char **grown = arena_allocate_zeroed(design->arena, room, sizeof(*grown));
        for (uint32_t i = 0; i < design->note_count; i++) {
            grown[i] = making->notes[i];
        }
        making->notes = grown;
        making->note_room = room;
    }
    making->notes[design->note_count++] = text;
    design->notes = making->notes;
}

/* ---------------------------------------------------------------- what queries need of keys */

static bool asks_at(const struct query *query, uint32_t place)
{
    bool asks = place_set_holds(query->equal, place) || query->range == place;
    for (uint32_t i = 0; i < query->in_count; i++) {
        asks = asks || query->in[i].place == place;
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        asks = asks || query->order[i].place == place;
    }
    return asks;
}

static void use_step(struct making *making, const struct access_step *step, double weight)
{
    const struct family *family = export_family(making->design, step->family);
    uint32_t used = step->query == NULL ? family->clustering_count : 0;
    for (uint32_t i = 0; step->query != NULL && i < family->clustering_count; i++) {
        used = asks_at(step->query, family->clustering[i].place) ? i + 1 : used;
    }
    making->used[step->family] =
        used > making->used[step->family] ? used : making->used[step->family];
    making->weights[step->family] += weight;
}

static void use_query(struct making *making, uint32_t number, double weight)
{
    const struct search *search = &making->design->search;
    struct access_plan plan;
    if (access_explain(search->pool, &search->queries[number].query, making->design->result.chosen,
                       &plan)) {
        for (uint32_t i = 0; i < plan.step_count; i++) {
            use_step(making, &plan.steps[i], weight);
        }
    }
}

static void find_uses(struct making *making)
{
    const struct search *search = &making->design->search;
    uint32_t families = search->pool->count;
    making->used =
        arena_allocate_zeroed(making->design->arena, families + 1u, sizeof(*making->used));
    making->weights =
        arena_allocate_zeroed(making->design->arena, families + 1u, sizeof(*making->weights));
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].statement != GRAPH_NONE) {
            use_query(making, i, search->queries[i].weight);
        }
    }
    for (uint32_t i = 0; i < families; i++) {
        for (uint32_t j = 0; making->design->result.chosen[i] && j < search->families[i].read_count;
             j++) {
            use_query(making, search->families[i].reads[j].query,
                      search->families[i].reads[j].weight);
        }
    }
}

/* ---------------------------------------------------------------- names */

static const char *clean(struct arena *arena, const char *text)
{
    char *name = arena_copy_string(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        bool usual = isalnum((unsigned char)*at) != 0 || strchr("_.-", *at) != NULL;
        *at = (char)(usual ? *at : '_');
    }
    if (strlen(name) > NAME_BYTES_MAX - 8) {
        name[NAME_BYTES_MAX - 8] = '\0';
    }
    return strlen(name) < NAME_BYTES_MIN ? arena_format(arena, "%s_table", name) : name;
}

const char *export_unique(struct name_index *taken, const char *name)
{
    const char *unique = name;
    for (uint32_t i = 2; name_index_add(taken, unique, strlen(unique), 0) != NAME_INDEX_NONE; i++) {
        unique = arena_format(taken->arena, "%s_%u", name, i);
    }
    return unique;
}

/* "Artist_Name" of a field of another entity. */
const char *export_place_name(const struct places *places, uint32_t place, struct arena *arena)
{
    uint32_t path = places->list[place].path;
    const char *field = places_field(places, place)->name;
    return places->paths[path].parent == GRAPH_NONE
               ? field
               : arena_format(arena, "%s_%s", places_entity(places, path)->name, field);
}

/* ---------------------------------------------------------------- attributes */

/* A table while it is made. */
struct building {
    struct making *making;
    struct export_table *table;
    struct export_attribute *attributes;
    uint32_t capacity;
    struct name_index names;
    struct export_index *indexes;
    uint32_t projected; /* attributes that the indexes name so far */
};

static const char *type_of(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        return "N";
    case VALUE_BYTES:
        return "B";
    case VALUE_BOOL:
        return "BOOL";
    case VALUE_LIST:
    case VALUE_SET:
        return "L";
    case VALUE_MAP:
        return "M";
    default:
        return "S";
    }
}

static uint32_t export_dynamodb_add(struct building *building, struct export_attribute attribute)
{
    struct export_table *table = building->table;
    building->attributes =
        arena_make_room(building->making->design->arena, building->attributes,
                        table->attribute_count, &building->capacity, sizeof *building->attributes);
    attribute.name = export_unique(&building->names, attribute.name);
    building->attributes[table->attribute_count] = attribute;
    table->attributes = building->attributes;
    return table->attribute_count++;
}

static uint32_t find_plain(const struct export_table *table, uint32_t place)
{
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        if (table->attributes[i].place == place) {
            return i;
        }
    }
    return GRAPH_NONE;
}

static uint32_t plain(struct building *building, uint32_t place)
{
    struct places *places = building->making->places;
    uint32_t found = find_plain(building->table, place);
    if (found != GRAPH_NONE) {
        return found;
    }
    return export_dynamodb_add(
        building, (struct export_attribute){.name = export_place_name(places, place, places->own),
                                            .place = place,
                                            .type = type_of(&places_field(places, place)->type)});
}

static bool is_made_alike(const struct export_attribute *left, const struct export_attribute *right)
{
    bool same = left->place == GRAPH_NONE && left->part_count == right->part_count &&
                left->ordered == right->ordered &&
                (left->bucket_sql == NULL) == (right->bucket_sql == NULL) &&
                (left->bucket_sql == NULL || strcmp(left->bucket_sql, right->bucket_sql) == 0);
    for (uint32_t i = 0; i < left->part_count && same; i++) {
        same = left->parts[i] == right->parts[i];
    }
    return same;
}

/* "InvoiceDate_InvoiceId", "Status_shard", "Active_key" */
static const char *made_name(const struct building *building,
                             const struct export_attribute *attribute)
{
    struct buffer name = {0};
    for (uint32_t i = 0; i < attribute->part_count; i++) {
        buffer_format(&name, "%s%s", i > 0 ? "_" : "",
                      building->table->attributes[attribute->parts[i]].name);
    }
    if (attribute->bucket_sql != NULL) {
        buffer_append_string(&name, name.length > 0 ? "_shard" : "shard");
    } else if (attribute->part_count == 1) {
        buffer_append_string(&name, "_key");
    }
    const char *kept = arena_copy_string(building->making->design->arena, buffer_string(&name));
    buffer_free(&name);
    return kept;
}

static bool can_be_key(const char *type)
{
    return strlen(type) == 1 && strchr("SNB", *type) != NULL;
}

/* The attribute that is a part of a key: the field itself, or one made of several. */
static uint32_t key_attribute(struct building *building, const uint32_t *places, uint32_t count,
                              bool ordered, const struct family *bucketed)
{
    struct making *making = building->making;
    uint32_t *parts = arena_allocate_zeroed(making->design->arena, count + 1u, sizeof(*parts));
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = plain(building, places[i]);
    }
    struct export_attribute made = {
        .place = GRAPH_NONE, .parts = parts, .part_count = count, .ordered = ordered, .type = "S"};
    if (bucketed != NULL) {
        made.bucket_sql = bucket_sql(making->places, bucketed, making->design->arena);
    }
    if (made.bucket_sql == NULL && count == 1 && can_be_key(building->attributes[parts[0]].type)) {
        return parts[0];
    }
    if (count == 0 && bucketed != NULL) {
        made.type = "N";
    }
    for (uint32_t i = 0; i < building->table->attribute_count; i++) {
        if (is_made_alike(&building->attributes[i], &made)) {
            return i;
        }
    }
    made.name = made_name(building, &made);
    return export_dynamodb_add(building, made);
}

static struct export_key key_of(struct building *building, const struct family *family,
                                uint32_t sort_count)
{
    uint32_t *sort =
        arena_allocate_zeroed(building->making->design->arena, sort_count + 1u, sizeof(*sort));
    for (uint32_t i = 0; i < sort_count; i++) {
        sort[i] = family->clustering[i].place;
    }
    struct export_key key = {.sort = GRAPH_NONE};
    key.partition =
        key_attribute(building, family->partition.at, family->partition.count, false, family);
    if (sort_count > 0) {
        key.sort = key_attribute(building, sort, sort_count, true, NULL);
    }
    return key;
}

/* ---------------------------------------------------------------- the table among the families */

/* How well a family serves as the table; 0: not at all, for rows could be missing in it. */
static uint32_t fitness(struct places *places, const struct family *family)
{
    if (family->optional.count > 0 || family->partition.count == 0) {
        return 0;
    }
    bool own = place_set_is_equal(family->key, places_key(places, family->root));
    bool alone = family->clustering_count == 0;
    return (own ? 8u : 0u) + (own && alone ? 4u : 0u) + (family->whole ? 2u : 0u) + 1u;
}

static uint32_t choose_table(const struct making *making, uint32_t root)
{
    const struct pool *pool = &making->design->pool;
    uint32_t best = GRAPH_NONE;
    uint32_t best_fitness = 0;
    for (uint32_t i = pool->first[root]; i != GRAPH_NONE; i = pool->next[i]) {
        uint32_t found =
            making->design->result.chosen[i] ? fitness(making->places, &pool->families[i]) : 0;
        bool smaller = best != GRAPH_NONE && found == best_fitness &&
                       pool->families[i].key.count < pool->families[best].key.count;
        if (found > best_fitness || smaller) {
            best = i;
            best_fitness = found;
        }
    }
    return best;
}

/* Does a statement change or delete rows by the entity's own key, without the rest of the table's?
 */
static bool is_out_of_reach(const struct making *making, const struct family *table)
{
    const struct workload *workload = making->design->search.workload;
    struct places *places = making->places;
    for (uint32_t i = 0; i < workload->count; i++) {
        const struct workload_statement *statement = &workload->statements[i];
        bool changes = statement->kind == WORKLOAD_UPDATE || statement->kind == WORKLOAD_DELETE;
        if (!changes || statement->aliases[0].entity != table->root) {
            continue;
        }
        struct place_set given = {0};
        for (uint32_t j = 0; j < statement->predicate_count; j++) {
            given = statement->predicates[j].test == WORKLOAD_EQUAL
                        ? place_set_with(given,
                                         places_number(places, table->root,
                                                       statement->predicates[j].field.field),
                                         places->arena)
                        : given;
        }
        if (place_set_is_within(places_key(places, table->root), given) &&
            !place_set_is_within(table->key, given)) {
            return true;
        }
    }
    return false;
}

/* Such an entity, and one that no family chosen can be the table of, gets a table by its own key;
 * what was chosen becomes an index of it. */
static void reach_all(struct making *making)
{
    struct places *places = making->places;
    for (uint32_t i = 0; i < places->graph->entity_count; i++) {
        uint32_t table = choose_table(making, i);
        if (table == GRAPH_NONE || is_out_of_reach(making, export_family(making->design, table))) {
            uint32_t own =
                pool_add(&making->design->pool, (struct family){.root = i,
                                                                .partition = places_key(places, i),
                                                                .fields = places_all(places, i)});
            making->design->result.chosen[own] = true; /* the pool has it from the beginning */
        }
    }
}

static void lay_own_key(struct building *building)
{
    struct places *places = building->making->places;
    struct export_table *table = building->table;
    const struct graph_fields key = places->graph->entities[table->root].key;
    uint32_t *list =
        arena_allocate_zeroed(building->making->design->arena, key.count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < key.count; i++) {
        list[i] = places_number(places, table->root, key.at[i]);
    }
    table->key.partition = key_attribute(building, list, key.count, false, NULL);
    table->key.sort = GRAPH_NONE;
}

/* ---------------------------------------------------------------- indexes */

static bool is_key(const struct export_table *table, const struct export_index *index,
                   uint32_t attribute)
{
    return attribute == table->key.partition || attribute == table->key.sort ||
           attribute == index->key.partition || attribute == index->key.sort;
}

static void project(struct building *building, struct export_index *index)
{
    struct export_table *table = building->table;
    uint32_t *list = arena_allocate_zeroed(building->making->design->arena,
                                           table->attribute_count + 1u, sizeof(*list));
    bool all = true;
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        if (attribute->place == GRAPH_NONE || is_key(table, index, i)) {
            continue;
        }
        bool wanted = place_set_holds(index->fields, attribute->place);
        all = all && wanted;
        if (wanted) {
            list[index->projected_count++] = i;
        }
    }
    bool fits = index->projected_count <= EXPORT_PROJECTED_MAX &&
                building->projected + index->projected_count <= EXPORT_PROJECTED_TOTAL;
    index->projected = list;
    index->projection = all || !fits                  ? EXPORT_ALL
                        : index->projected_count == 0 ? EXPORT_KEYS_ONLY
                                                      : EXPORT_INCLUDE;
    index->projected_count = index->projection == EXPORT_INCLUDE ? index->projected_count : 0;
    building->projected += index->projected_count;
}

/* Without what only completed their keys, families may have become one index. */
static struct export_index *same_index(const struct building *building, struct export_key key)
{
    for (uint32_t i = 0; i < building->table->index_count; i++) {
        struct export_index *index = &building->indexes[i];
        if (index->key.partition == key.partition && index->key.sort == key.sort &&
            index->family_count < EXPORT_FAMILIES_MAX) {
            return index;
        }
    }
    return NULL;
}

/* False: the table has no index left. */
static bool lay_index(struct building *building, uint32_t number, struct name_index *names)
{
    struct making *making = building->making;
    struct export_table *table = building->table;
    const struct family *family = export_family(making->design, number);
    struct export_key key = key_of(building, family, making->used[number]);
    struct export_index *index = same_index(building, key);
    if (index != NULL) {
        index->families[index->family_count++] = number;
        index->fields = place_set_union(index->fields, family->fields, making->design->arena);
        return true;
    }
    if (table->index_count == EXPORT_INDEXES_MAX) {
        return false;
    }
    index = &building->indexes[table->index_count++];
    index->families[index->family_count++] = number;
    index->fields = family->fields;
    index->sparse = family->optional.count > 0;
    index->key = key;
    const char *partition = table->attributes[index->key.partition].name;
    const char *sort =
        index->key.sort != GRAPH_NONE ? table->attributes[index->key.sort].name : NULL;
    const char *name = arena_format(making->design->arena, "by_%s%s%s", partition,
                                    sort != NULL ? "_" : "", sort != NULL ? sort : "");
    index->name = export_unique(names, clean(making->design->arena, name));
    return true;
}

/* ---------------------------------------------------------------- tables */

static void check_separator(struct making *making, const struct export_table *table,
                            const struct export_attribute *attribute, uint32_t number)
{
    const struct export_attribute *part = &table->attributes[attribute->parts[number]];
    if (number + 1 < attribute->part_count &&
        export_key_needs_escapes(places_field(making->places, part->place)) &&
        !export_part_is_escaped(making->design, table, attribute, number)) {
        export_dynamodb_note(
            making, arena_format(making->design->arena,
                                 "%s: where %s holds a #, %s may be that of another row, too: "
                                 "one of the two is rejected if it is the table's key",
                                 table->name, part->name, attribute->name));
    }
}

/* Values that were read include a negative one; nothing is known without figures. */
static bool is_negative(const struct places *places, uint32_t place)
{
    struct place at = places->list[place];
    const struct figures_table *figures =
        places->graph->entities[places->paths[at.path].entity].figures;
    return figures != NULL && figures->columns != NULL && figures->columns[at.field].negative;
}

static void check_bounds(struct making *making, const struct export_table *table)
{
    struct arena *arena = making->design->arena;
    if (table->item_bytes > ITEM_BYTES_MAX) {
        export_dynamodb_note(
            making, arena_format(arena,
                                 "%s: an item has about %.0f KB, and DynamoDB takes 400: keep "
                                 "large values in S3 and their names in the item",
                                 table->name, table->item_bytes / 1024));
    }
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        for (uint32_t j = 0; j < attribute->part_count; j++) {
            check_separator(making, table, attribute, j);
        }
        for (uint32_t j = 0; j < attribute->part_count && attribute->ordered; j++) {
            const struct export_attribute *part = &table->attributes[attribute->parts[j]];
            enum value_kind kind = places_field(making->places, part->place)->type.kind;
            if (is_negative(making->places, part->place)) {
                export_dynamodb_note(
                    making, arena_format(arena,
                                         "%s: %s orders negative values of %s backwards, before "
                                         "all others",
                                         table->name, attribute->name, part->name));
            }
            if (strcmp(part->type, "N") == 0 && kind != VALUE_INT64 && kind != VALUE_UINT64) {
                export_dynamodb_note(
                    making, arena_format(arena,
                                         "%s: %s orders %s as text, which is not the order of its "
                                         "numbers",
                                         table->name, attribute->name, part->name));
            }
        }
    }
}

static void export_dynamodb_start(struct making *making, uint32_t root, const char *name,
                                  struct building *building, struct export_table *table)
{
    struct arena *arena = making->design->arena;
    *building = (struct building){.making = making, .table = table, .names = {.arena = arena}};
    *table = (struct export_table){.name = export_unique(&making->names, clean(arena, name)),
                                   .root = root,
                                   .family = GRAPH_NONE};
}

static void add_fields(struct building *building, struct place_set fields)
{
    for (uint32_t i = 0; i < fields.count; i++) {
        (void)plain(building, fields.at[i]);
    }
}

static void export_dynamodb_finish(struct building *building)
{
    struct export_table *table = building->table;
    table->indexes = building->indexes;
    for (uint32_t i = 0; i < table->index_count; i++) {
        project(building, &building->indexes[i]);
    }
    for (uint32_t i = 0; i < table->attribute_count; i++) {
        const struct export_attribute *attribute = &table->attributes[i];
        table->item_bytes += (double)strlen(attribute->name);
        table->item_bytes += attribute->place != GRAPH_NONE
                                 ? places_field(building->making->places, attribute->place)->bytes
                                 : 24;
    }
    check_bounds(building->making, table);
}

/* A family that the table of its root has no index left for. */
static void lay_copy(struct making *making, uint32_t number, struct export_table *table)
{
    struct building building;
    const struct family *family = export_family(making->design, number);
    const char *root = making->places->graph->entities[family->root].name;
    export_dynamodb_start(making, family->root,
                          arena_format(making->design->arena, "%s_copy", root), &building, table);
    table->is_copy = true;
    table->family = number;
    table->key = key_of(&building, family, family->clustering_count);
    add_fields(&building, family->fields);
    export_dynamodb_finish(&building);
    export_dynamodb_note(
        making, arena_format(making->design->arena,
                             "%s: %s has no index left (20 a table), so this is a table of its "
                             "own, which the application or a stream keeps",
                             table->name, root));
}

/* The families chosen of a root but for `table`, those with most queries first. */
static uint32_t list_others(const struct making *making, uint32_t root, uint32_t table,
                            uint32_t *list)
{
    const struct pool *pool = &making->design->pool;
    uint32_t count = 0;
    for (uint32_t i = pool->first[root]; i != GRAPH_NONE; i = pool->next[i]) {
        if (!making->design->result.chosen[i] || i == table) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && making->weights[list[at - 1]] < making->weights[i]; at--) {
            list[at] = list[at - 1];
        }
        list[at] = i;
    }
    return count;
}

static void lay_root(struct making *making, uint32_t root, struct export_table *tables,
                     uint32_t *count)
{
    struct arena *arena = making->design->arena;
    struct places *places = making->places;
    struct building building;
    struct export_table *table = &tables[(*count)++];
    uint32_t *others =
        arena_allocate_zeroed(arena, making->design->pool.count + 1u, sizeof(*others));
    struct name_index index_names = {.arena = arena, .folded = true};
    export_dynamodb_start(making, root, places->graph->entities[root].name, &building, table);
    table->family = choose_table(making, root);
    if (table->family != GRAPH_NONE) {
        const struct family *family = export_family(making->design, table->family);
        table->key = key_of(&building, family, family->clustering_count);
    } else {
        lay_own_key(&building);
    }
    add_fields(&building, places_all(places, root));
    uint32_t other_count = list_others(making, root, table->family, others);
    building.indexes =
        arena_allocate_zeroed(arena, EXPORT_INDEXES_MAX + 1u, sizeof(*building.indexes));
    uint32_t left = 0;
    for (uint32_t i = 0; i < other_count; i++) {
        if (lay_index(&building, others[i], &index_names)) {
            add_fields(&building, export_family(making->design, others[i])->fields);
        } else {
            others[left++] = others[i];
        }
    }
    if (table->family != GRAPH_NONE) {
        add_fields(&building, export_family(making->design, table->family)->fields);
    }
    export_dynamodb_finish(&building);
    for (uint32_t i = 0; i < left; i++) {
        lay_copy(making, others[i], &tables[(*count)++]);
    }
}

/* ---------------------------------------------------------------- the design */

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct export_table *)left)->name,
                  ((const struct export_table *)right)->name);
}

void export_dynamodb_make(const struct graph *graph, const struct workload *workload,
                          const struct cost_model *model, struct arena *arena,
                          struct export_dynamodb *design)
{
    *design = (struct export_dynamodb){.arena = arena};
    places_init(&design->places, graph, arena);
    pool_init(&design->pool, &design->places, model, SEARCH_POOL_MAX);
    search_prepare(&design->search, &design->pool, workload, arena);
    search_run(&design->search, &design->result);
    struct making making = {
        .design = design, .places = &design->places, .names = {.arena = arena, .folded = true}};
    reach_all(&making);
    score_find(&design->search, design->result.chosen, &design->score);
    find_uses(&making);
    struct export_table *tables = arena_allocate_zeroed(
        arena, (size_t)graph->entity_count + design->pool.count + 1, sizeof(*tables));
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        lay_root(&making, i, tables, &design->count);
    }
    qsort(tables, design->count, sizeof(*tables), by_name);
    design->tables = tables;
}

static bool is_in(const struct export_index *index, uint32_t family)
{
    bool found = false;
    for (uint32_t i = 0; i < index->family_count; i++) {
        found = found || index->families[i] == family;
    }
    return found;
}

const struct export_table *export_table_of(const struct export_dynamodb *design, uint32_t family,
                                           const struct export_index **index)
{
    *index = NULL;
    for (uint32_t i = 0; i < design->count; i++) {
        const struct export_table *table = &design->tables[i];
        if (table->family == family) {
            return table;
        }
        for (uint32_t j = 0; j < table->index_count; j++) {
            if (is_in(&table->indexes[j], family)) {
                *index = &table->indexes[j];
                return table;
            }
        }
    }
    return NULL;
}
