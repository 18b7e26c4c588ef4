/* Indexes of collections: equality first, then the order, then the range, for each query that the
 * indexes so far do not serve. */
#include "design/export/export_parts.h"

#include <string.h>

struct finding {
    const struct search *search;
    struct export_document *documents;
    struct places *places;
    struct arena *arena;
};

static const struct graph_relation *relation_of(const struct finding *finding, uint32_t number)
{
    return &finding->places->graph->relations[number];
}

/* "Invoices.InvoiceLines." of an entity that is embedded; "" of a collection. */
static const char *prefix_of(const struct finding *finding, uint32_t entity)
{
    const struct export_document *document = &finding->documents[entity];
    if (document->relation == GRAPH_NONE) {
        return "";
    }
    return arena_format(finding->arena, "%s%s.",
                        prefix_of(finding, relation_of(finding, document->relation)->to),
                        document->name);
}

static const char *own_path(const struct finding *finding, uint32_t entity, uint32_t field)
{
    const struct export_document *document = &finding->documents[entity];
    if (document->relation != GRAPH_NONE) {
        const struct graph_relation *relation = relation_of(finding, document->relation);
        for (uint32_t i = 0; i < relation->fields.count; i++) {
            if (relation->fields.at[i] == field) {
                return own_path(finding, relation->to, relation->referenced.at[i]);
            }
        }
    }
    return arena_format(finding->arena, "%s%s", prefix_of(finding, entity),
                        document->fields[field]);
}

/* Where the place stands in the documents of its root's collection; NULL: not there. */
static const char *path_of(const struct finding *finding, uint32_t place)
{
    struct places *places = finding->places;
    struct place at = places->list[place];
    uint32_t root = places->paths[at.path].root;
    if (places->paths[at.path].parent == GRAPH_NONE) {
        return own_path(finding, root, at.field);
    }
    const struct export_document *document = &finding->documents[root];
    for (uint32_t i = 0; i < document->copied.count; i++) {
        if (document->copied.at[i] == place) {
            return arena_format(finding->arena, "%s%s", prefix_of(finding, root),
                                document->copies[i]);
        }
    }
    if (document->relation == GRAPH_NONE) {
        return NULL;
    }
    uint32_t beginning = places_path(places, root, document->relation);
    if (!places_begins(places, at.path, beginning)) {
        return NULL;
    }
    uint32_t rest = places_rest(places, at.path, beginning);
    return path_of(finding, places_number(places, rest, at.field));
}

/* ---------------------------------------------------------------- an index */

struct growing {
    const struct finding *finding;
    const char **fields;
    bool *descending;
    uint32_t count;
};

static void export_mongodb_indexes_add(struct growing *growing, uint32_t place, bool descending)
{
    const char *path = place != GRAPH_NONE ? path_of(growing->finding, place) : NULL;
    bool known = path == NULL;
    for (uint32_t i = 0; i < growing->count && !known; i++) {
        known = strcmp(growing->fields[i], path) == 0;
    }
    if (!known) {
        growing->fields[growing->count] = path;
        growing->descending[growing->count++] = descending;
    }
}

static bool begins_with(const struct export_mongo_index *index,
                        const struct export_mongo_index *beginning)
{
    bool begins = index->count >= beginning->count;
    for (uint32_t i = 0; i < beginning->count && begins; i++) {
        begins = strcmp(index->fields[i], beginning->fields[i]) == 0 &&
                 index->descending[i] == beginning->descending[i];
    }
    return begins;
}

static uint32_t collection_of(const struct finding *finding, uint32_t entity)
{
    while (finding->documents[entity].relation != GRAPH_NONE) {
        entity = relation_of(finding, finding->documents[entity].relation)->to;
    }
    return entity;
}

static bool is_unique(const struct finding *finding, const struct query *query)
{
    const struct graph_entity *entity = &finding->places->graph->entities[query->root];
    uint32_t count = query->equal.count;
    const char **names = arena_allocate_zeroed(finding->arena, count + 1u, sizeof(*names));
    for (uint32_t i = 0; i < count; i++) {
        if (finding->places->list[query->equal.at[i]].path != query->root) {
            return false;
        }
        names[i] = places_field(finding->places, query->equal.at[i])->name;
    }
    return count > 0 && finding->documents[query->root].relation == GRAPH_NONE &&
           schema_is_unique_key(entity->table, (struct column_list){names, count});
}

static const char *name_of(const struct finding *finding, const struct export_mongo_index *index)
{
    struct buffer name = {0};
    for (uint32_t i = 0; i < index->count; i++) {
        buffer_format(&name, "%s%s_%d", i > 0 ? "_" : "", index->fields[i],
                      index->descending[i] ? -1 : 1);
    }
    const char *kept = arena_copy_string(finding->arena, buffer_string(&name));
    buffer_free(&name);
    return kept;
}

static void export_mongodb_indexes_keep(const struct finding *finding,
                                        struct export_document *document,
                                        struct export_mongo_index index)
{
    struct export_mongo_index *list = (struct export_mongo_index *)document->indexes;
    index.name = name_of(finding, &index);
    for (uint32_t i = 0; i < document->index_count; i++) {
        if (begins_with(&list[i], &index)) {
            list[i].unique = list[i].unique || (index.unique && list[i].count == index.count);
            return;
        }
        if (begins_with(&index, &list[i]) && !list[i].unique) {
            list[i] = index;
            return;
        }
    }
    if (document->index_count == EXPORT_MONGO_INDEXES_MAX) {
        document->unindexed++;
        return;
    }
    list[document->index_count++] = index;
}

static void index_query(const struct finding *finding, const struct query *query)
{
    uint32_t room = query->equal.count + query->in_count + query->order_count + 2;
    struct growing growing = {
        .finding = finding,
        .fields = arena_allocate_zeroed(finding->arena, room, sizeof(char *)),
        .descending = arena_allocate_zeroed(finding->arena, room, sizeof(bool)),
    };
    for (uint32_t i = 0; i < query->equal.count; i++) {
        export_mongodb_indexes_add(&growing, query->equal.at[i], false);
    }
    for (uint32_t i = 0; i < query->in_count; i++) {
        export_mongodb_indexes_add(&growing, query->in[i].place, false);
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        export_mongodb_indexes_add(&growing, query->order[i].place, query->order[i].descending);
    }
    export_mongodb_indexes_add(&growing, query->range, false);
    if (growing.count == 0 || strcmp(growing.fields[0], "_id") == 0) {
        return;
    }
    export_mongodb_indexes_keep(finding, &finding->documents[collection_of(finding, query->root)],
                                (struct export_mongo_index){.fields = growing.fields,
                                                            .descending = growing.descending,
                                                            .count = growing.count,
                                                            .unique = is_unique(finding, query)});
}

void export_mongodb_find_indexes(const struct search *search, struct export_document *documents,
                                 struct export_mongodb *design)
{
    struct places *places = design->places;
    struct finding finding = {search, documents, places, design->arena};
    for (uint32_t i = 0; i < places->graph->entity_count; i++) {
        documents[i].indexes = arena_allocate_zeroed(design->arena, search->query_count + 1u,
                                                     sizeof(struct export_mongo_index));
    }
    for (uint32_t i = 0; i < search->query_count; i++) {
        if (search->queries[i].statement != GRAPH_NONE) {
            index_query(&finding, &search->queries[i].query);
        }
    }
}

/* ---------------------------------------------------------------- a query */

/* In double quotes, as JavaScript reads it. */
static void append_string(const char *text, struct buffer *out)
{
    json_t *string = export_text(text);
    (void)json_tree_append(string, JSON_ENCODE_ANY, out);
    json_decref(string);
}

static void append_condition(const struct finding *finding, uint32_t place, const char *test,
                             struct buffer *out)
{
    const char *path = path_of(finding, place);
    if (path != NULL) {
        buffer_append_string(out, out->length > 0 ? ", " : "");
        append_string(path, out);
        buffer_format(out, ": %s", test);
    }
}

/* "db.orders", or "db.getCollection(\"order lines\")" where that is no name in JavaScript. */
static void append_collection(const char *name, struct buffer *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    bool plain = name[0] != '\0' && (name[0] < '0' || name[0] > '9') &&
                 strspn(name, letters) == strlen(name);
    buffer_append_string(out, plain ? "db." : "db.getCollection(");
    if (plain) {
        buffer_append_string(out, name);
    } else {
        append_string(name, out);
        buffer_append_byte(out, ')');
    }
}

static void append_conditions(const struct finding *finding, const struct query *query,
                              struct buffer *out)
{
    for (uint32_t i = 0; i < query->equal.count; i++) {
        append_condition(finding, query->equal.at[i], "?", out);
    }
    for (uint32_t i = 0; i < query->in_count; i++) {
        append_condition(finding, query->in[i].place, "{ $in: [?] }", out);
    }
    if (query->range != GRAPH_NONE) {
        const char *low = query_low_test(query);
        const char *high = query_high_test(query);
        const char *test = arena_format(finding->arena, "{ %s%s%s }",
                                        low == NULL     ? ""
                                        : low[1] == '=' ? "$gte: ?"
                                                        : "$gt: ?",
                                        low != NULL && high != NULL ? ", " : "",
                                        high == NULL     ? ""
                                        : high[1] == '=' ? "$lte: ?"
                                                         : "$lt: ?");
        append_condition(finding, query->range, test, out);
    }
}

/* Entities of which the documents found do not have all that the query names. */
static struct place_set missing_entities(const struct finding *finding, struct place_set places,
                                         struct place_set missing)
{
    for (uint32_t i = 0; i < places.count; i++) {
        if (path_of(finding, places.at[i]) == NULL) {
            uint32_t path = finding->places->list[places.at[i]].path;
            missing = place_set_with(missing, finding->places->paths[path].entity, finding->arena);
        }
    }
    return missing;
}

static void append_look_ups(const struct finding *finding, struct place_set entities,
                            const char *before, const char *after, struct buffer *out)
{
    for (uint32_t i = 0; i < entities.count; i++) {
        uint32_t collection = collection_of(finding, entities.at[i]);
        buffer_append_string(out, i > 0 ? ", " : before);
        append_collection(finding->documents[collection].name, out);
    }
    buffer_append_string(out, entities.count > 0 ? after : "");
}

static void append_order(const struct finding *finding, const struct query *query,
                         struct buffer *out)
{
    struct buffer order = {0};
    for (uint32_t i = 0; i < query->order_count; i++) {
        append_condition(finding, query->order[i].place, query->order[i].descending ? "-1" : "1",
                         &order);
    }
    if (order.length > 0) {
        buffer_format(out, ".sort({ %s })", buffer_string(&order));
    }
    buffer_free(&order);
}

uint32_t export_mongodb_append_find(const struct export_mongodb *design, const struct query *query,
                                    struct buffer *out)
{
    struct finding finding = {.documents = (struct export_document *)design->documents,
                              .places = design->places,
                              .arena = design->arena};
    struct place_set given = query->equal;
    struct buffer conditions = {0};
    for (uint32_t i = 0; i < query->in_count; i++) {
        given = place_set_with(given, query->in[i].place, design->arena);
    }
    struct place_set first = missing_entities(&finding, given, (struct place_set){0});
    struct place_set then = place_set_minus(
        missing_entities(&finding, query->fields, (struct place_set){0}), first, design->arena);
    append_conditions(&finding, query, &conditions);
    append_look_ups(&finding, first, "first the keys that are asked for, of ", "; then\n", out);
    append_collection(design->documents[collection_of(&finding, query->root)].name, out);
    buffer_format(out, ".find({ %s })", conditions.length > 0 ? buffer_string(&conditions) : "");
    append_order(&finding, query, out);
    if (query->limit > 0) {
        buffer_format(out, ".limit(%.0f)", query->limit);
    }
    append_look_ups(&finding, then, "\nthen, by the keys found, ", "", out);
    buffer_free(&conditions);
    return 1 + first.count + then.count;
}
