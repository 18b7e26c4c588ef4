/* Embed or refer. */
#include "design/export/export_mongodb.h"

#include "design/export/export_parts.h"
#include <string.h>

struct deciding {
    const struct search *search;
    struct export_mongodb *design;
    struct places *places;
    const struct graph *graph;
    struct export_document *documents;
    struct export_decision *decisions;
    bool *decided; /* by entity */
    bool *timed;   /* by entity: it is read in the order of time */
    double *lists; /* by relation: weight of all reads of the parent */
};

/* ---------------------------------------------------------------- what is read with what */

/* Does the query find rows of the relation's child by their parent? */
static bool comes_from_parent(struct places *places, const struct query *query,
                              const struct graph_relation *relation)
{
    bool joined = true;
    uint32_t path =
        places_path(places, query->root, (uint32_t)(relation - places->graph->relations));
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        joined = joined &&
                 query_gives(query, places_number(places, query->root, relation->fields.at[i]));
    }
    for (uint32_t i = 0; i < query->equal.count && !joined; i++) {
        joined = places_begins(places, places->list[query->equal.at[i]].path, path);
    }
    return joined;
}

static bool is_own_key(struct places *places, const struct query *query)
{
    return place_set_is_equal(query->equal, places_key(places, query->root));
}

static bool is_time_line(const struct places *places, const struct query *query)
{
    uint32_t place = query->order_count > 0 ? query->order[0].place : query->range;
    return place != GRAPH_NONE && places->list[place].path == query->root &&
           graph_field_is_time(places_field(places, place));
}

/* A look-up by the child's own key that is only assumed says nothing: nobody made it. */
static void weigh(struct deciding *deciding)
{
    const struct search *search = deciding->search;
    for (uint32_t i = 0; i < search->query_count; i++) {
        const struct search_query *query = &search->queries[i];
        if (query->statement == GRAPH_NONE) {
            continue;
        }
        bool assumed = search->workload->statements[query->statement].assumed;
        uint32_t root = query->query.root;
        deciding->timed[root] =
            deciding->timed[root] || is_time_line(deciding->places, &query->query);
        for (uint32_t j = 0; j < deciding->graph->relation_count; j++) {
            const struct graph_relation *relation = &deciding->graph->relations[j];
            struct export_decision *decision = &deciding->decisions[j];
            if (relation->to == root) {
                deciding->lists[j] += query->weight;
                decision->of_parent +=
                    is_own_key(deciding->places, &query->query) ? query->weight : 0;
            }
            if (relation->from != root) {
                continue;
            }
            if (comes_from_parent(deciding->places, &query->query, relation)) {
                decision->together += query->weight;
            } else if (!assumed || !is_own_key(deciding->places, &query->query)) {
                decision->alone += query->weight;
            }
        }
    }
}

/* Changes of the child by its own key count as reads without the parent. */
static void weigh_writes(struct deciding *deciding)
{
    const struct workload *workload = deciding->search->workload;
    for (uint32_t i = 0; i < workload->count; i++) {
        const struct workload_statement *statement = &workload->statements[i];
        if (statement->kind != WORKLOAD_UPDATE && statement->kind != WORKLOAD_DELETE) {
            continue;
        }
        for (uint32_t j = 0; j < deciding->graph->relation_count; j++) {
            const struct graph_relation *relation = &deciding->graph->relations[j];
            bool by_parent = false;
            for (uint32_t k = 0; k < statement->predicate_count; k++) {
                by_parent = by_parent || graph_fields_hold(relation->fields,
                                                           statement->predicates[k].field.field);
            }
            if (relation->from == statement->aliases[0].entity && !by_parent) {
                deciding->decisions[j].alone += statement->weight;
            }
        }
    }
}

static void export_mongodb_measure(struct deciding *deciding)
{
    for (uint32_t i = 0; i < deciding->graph->relation_count; i++) {
        struct export_decision *decision = &deciding->decisions[i];
        double parent = decision->of_parent > 0 ? decision->of_parent : deciding->lists[i];
        decision->relation = i;
        decision->joining = EXPORT_REFERENCE;
        decision->rows_max = deciding->graph->relations[i].fan_out_max;
        decision->of_parent = parent <= 0 || decision->together > parent
                                  ? (decision->together > 0 ? 1 : 0)
                                  : decision->together / parent;
    }
}

/* ---------------------------------------------------------------- many-to-many */

/* All of its fields are of two relations, and nothing refers to it. */
static bool only_joins(const struct deciding *deciding, uint32_t entity, uint32_t sides[2])
{
    const struct graph *graph = deciding->graph;
    const struct graph_entity *of = &graph->entities[entity];
    uint32_t count = 0;
    uint32_t fields = 0;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->to == entity) {
            return false;
        }
        if (relation->from == entity && count < 2) {
            sides[count] = i;
            fields += relation->fields.count;
        }
        count += relation->from == entity;
    }
    return count == 2 && fields == of->field_count &&
           graph->relations[sides[0]].to != graph->relations[sides[1]].to;
}

static const char *export_mongodb_say(const struct deciding *deciding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *export_mongodb_say(const struct deciding *deciding, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_copy_string(deciding->design->arena, text);
}

static const char *parent_of(const struct deciding *deciding, uint32_t relation)
{
    return deciding->graph->entities[deciding->graph->relations[relation].to].name;
}

static const char *child_of(const struct deciding *deciding, uint32_t relation)
{
    return deciding->graph->entities[deciding->graph->relations[relation].from].name;
}

/* A row without its parent would be in no document. NULL: there is none. */
static const char *why_not_trusted(const struct deciding *deciding, uint32_t number)
{
    const struct graph_relation *relation = &deciding->graph->relations[number];
    const char *parent = parent_of(deciding, number);
    const char *child = child_of(deciding, number);
    if (relation->trust == GRAPH_BROKEN) {
        deciding->decisions[number].distrusted = true;
        return export_mongodb_say(deciding, "%.0f rows of %s refer to no %s, and would be lost",
                                  relation->orphans, child, parent);
    }
    if (relation->trust == GRAPH_UNPROVEN) {
        deciding->decisions[number].distrusted = true;
        return export_mongodb_say(
            deciding,
            "nothing proves that each row of %s has its %s: the source does not enforce it, "
            "and its rows were not looked at",
            child, parent);
    }
    return NULL;
}

/* May a row be without the parent that would hold its key? */
static const char *why_not_held(const struct deciding *deciding, uint32_t number)
{
    return deciding->graph->relations[number].optional
               ? export_mongodb_say(deciding, "a row of %s may be without a %s",
                                    child_of(deciding, number), parent_of(deciding, number))
               : why_not_trusted(deciding, number);
}

static void decide_many_to_many(struct deciding *deciding, uint32_t entity, const uint32_t sides[2])
{
    struct export_decision *decisions = deciding->decisions;
    bool second = decisions[sides[1]].rows_max < decisions[sides[0]].rows_max;
    uint32_t holder = sides[second];
    uint32_t other = sides[!second];
    const struct graph_entity *of = &deciding->graph->entities[entity];
    const char *why_not = why_not_held(deciding, holder);
    if (why_not != NULL && decisions[other].rows_max <= EXPORT_KEYS_ROWS_MAX &&
        why_not_held(deciding, other) == NULL) {
        holder = sides[!second];
        other = sides[second];
        why_not = NULL;
    }
    decisions[holder].bytes_max = decisions[holder].rows_max * of->row_bytes;
    if (why_not != NULL) {
        decisions[holder].reason =
            export_mongodb_say(deciding, "%s: %s stays a collection", why_not, of->name);
        decisions[other].reason = decisions[holder].reason;
        return;
    }
    if (decisions[holder].rows_max > EXPORT_KEYS_ROWS_MAX) {
        decisions[holder].reason = export_mongodb_say(
            deciding, "many-to-many, and lists grow to %.0f on either side: %s stays a collection",
            decisions[holder].rows_max, of->name);
        decisions[other].reason = decisions[holder].reason;
        return;
    }
    decisions[holder].joining = EXPORT_KEY_LIST;
    decisions[holder].reason = export_mongodb_say(
        deciding,
        "many-to-many: %s holds the keys of %s, at most %.0f; the other way round it "
        "would be %.0f",
        parent_of(deciding, holder), parent_of(deciding, other), decisions[holder].rows_max,
        decisions[other].rows_max);
    decisions[other].reason = export_mongodb_say(
        deciding, "its keys stand in %s, with an index over the list", parent_of(deciding, holder));
    deciding->documents[entity].relation = holder;
    deciding->documents[entity].keys_alone = true;
}

/* ---------------------------------------------------------------- one-to-many */

/* With all that is embedded in it, lists of mean length or the longest. */
static double document_bytes(const struct deciding *deciding, uint32_t entity, bool longest)
{
    double bytes = deciding->graph->entities[entity].row_bytes;
    for (uint32_t i = 0; i < deciding->graph->entity_count; i++) {
        uint32_t number = deciding->documents[i].relation;
        if (number == GRAPH_NONE) {
            continue;
        }
        const struct graph_relation *relation = &deciding->graph->relations[number];
        if (relation->to == entity) {
            bytes += (longest ? relation->fan_out_max : relation->fan_out) *
                     document_bytes(deciding, i, longest);
        }
    }
    return bytes;
}

/* Is what refers to the entity embedded in it? `*open`: that is not yet known. */
static bool is_referred_to(const struct deciding *deciding, uint32_t entity, bool *open)
{
    bool referred = false;
    for (uint32_t i = 0; i < deciding->graph->relation_count; i++) {
        const struct graph_relation *relation = &deciding->graph->relations[i];
        if (relation->to == entity) {
            *open = *open || (relation->from != entity && !deciding->decided[relation->from]);
            referred = referred || deciding->documents[relation->from].relation != i;
        }
    }
    return referred;
}

/* NULL: it may be embedded. */
static const char *why_not(const struct deciding *deciding, uint32_t number, bool referred)
{
    const struct graph_relation *relation = &deciding->graph->relations[number];
    const struct export_decision *decision = &deciding->decisions[number];
    const char *parent = parent_of(deciding, number);
    const char *child = child_of(deciding, number);
    if (relation->from == relation->to) {
        return export_mongodb_say(deciding, "%s refers to itself", child);
    }
    if (relation->optional) {
        return export_mongodb_say(deciding, "a row of %s may be without a %s", child, parent);
    }
    if (referred) {
        return export_mongodb_say(deciding, "other collections refer to %s", child);
    }
    if (decision->rows_max > EXPORT_EMBED_ROWS_MAX) {
        return export_mongodb_say(deciding, "the longest list has %.0f rows, more than %d",
                                  decision->rows_max, EXPORT_EMBED_ROWS_MAX);
    }
    if (decision->bytes_max > EXPORT_EMBED_BYTES_MAX) {
        return export_mongodb_say(deciding, "the longest list has %.1f MB, more than 1",
                                  decision->bytes_max / EXPORT_EMBED_BYTES_MAX);
    }
    if (deciding->timed[relation->from]) {
        return export_mongodb_say(deciding,
                                  "%s is read by time: the list grows for as long as its %s lives",
                                  child, parent);
    }
    if (decision->together <= 0) {
        return export_mongodb_say(deciding, "%s is never read with its %s", child, parent);
    }
    if (decision->together < decision->alone) {
        return export_mongodb_say(deciding,
                                  "%s is read with its %s less often than without (%.3g to %.3g)",
                                  child, parent, decision->together, decision->alone);
    }
    if (decision->of_parent < 0.5) {
        return export_mongodb_say(deciding, "only %.0f %% of the look-ups of a %s want its %s",
                                  decision->of_parent * 100, parent, child);
    }
    return why_not_trusted(deciding, number);
}

/* The parent that rather holds the child, if several could: the one that it is read with more
 * often; then the one whose name its own begins with ("InvoiceLine", "Invoice"); then the one that
 * its first column names. */
static bool belongs_rather(const struct deciding *deciding, uint32_t left, uint32_t right)
{
    const struct export_decision *decisions = deciding->decisions;
    if (right == GRAPH_NONE || decisions[left].together != decisions[right].together) {
        return right == GRAPH_NONE || decisions[left].together > decisions[right].together;
    }
    const char *child = child_of(deciding, left);
    const char *names[] = {parent_of(deciding, left), parent_of(deciding, right)};
    bool begins[2];
    for (uint32_t i = 0; i < 2; i++) {
        begins[i] = strncasecmp(child, names[i], strlen(names[i])) == 0;
    }
    if (begins[0] != begins[1]) {
        return begins[0];
    }
    const struct graph_relation *relations = deciding->graph->relations;
    return relations[left].fields.at[0] < relations[right].fields.at[0];
}

static void decide_child(struct deciding *deciding, uint32_t entity, bool referred)
{
    uint32_t best = GRAPH_NONE;
    double bytes = document_bytes(deciding, entity, true);
    for (uint32_t i = 0; i < deciding->graph->relation_count; i++) {
        struct export_decision *decision = &deciding->decisions[i];
        if (deciding->graph->relations[i].from != entity) {
            continue;
        }
        decision->bytes_max = decision->rows_max * bytes;
        decision->reason = why_not(deciding, i, referred);
        if (decision->reason == NULL && belongs_rather(deciding, i, best)) {
            best = i;
        }
    }
    for (uint32_t i = 0; best != GRAPH_NONE && i < deciding->graph->relation_count; i++) {
        if (deciding->graph->relations[i].from == entity && deciding->decisions[i].reason == NULL) {
            deciding->decisions[i].reason = export_mongodb_say(
                deciding, "%s stands in %s", child_of(deciding, i), parent_of(deciding, best));
        }
    }
    if (best != GRAPH_NONE) {
        struct export_decision *decision = &deciding->decisions[best];
        decision->joining = EXPORT_EMBED;
        decision->reason = export_mongodb_say(
            deciding,
            "read with its %s at least as often as without (%.3g to %.3g), wanted by "
            "%.0f %% of its look-ups; at most %.0f rows and %.0f KB",
            parent_of(deciding, best), decision->together, decision->alone,
            decision->of_parent * 100, decision->rows_max, decision->bytes_max / 1024);
        deciding->documents[entity].relation = best;
    }
}

/* From the leaves up: an entity is decided when all that refer to it are. What is left over goes
 * around in a circle, and is not embedded. */
static void decide_all(struct deciding *deciding)
{
    bool any = true;
    bool circles = false;
    while (any || !circles) {
        circles = circles || !any;
        any = false;
        for (uint32_t i = 0; i < deciding->graph->entity_count; i++) {
            uint32_t sides[2];
            bool open = false;
            bool referred = is_referred_to(deciding, i, &open);
            if (deciding->decided[i] || (open && !circles)) {
                continue;
            }
            deciding->decided[i] = true;
            any = true;
            if (only_joins(deciding, i, sides)) {
                decide_many_to_many(deciding, i, sides);
            } else {
                decide_child(deciding, i, referred || open);
            }
        }
    }
}

/* ---------------------------------------------------------------- extended references */

static bool is_changed(const struct deciding *deciding, uint32_t place)
{
    const struct workload *workload = deciding->search->workload;
    const struct place at = deciding->places->list[place];
    uint32_t entity = deciding->places->paths[at.path].entity;
    for (uint32_t i = 0; i < workload->count; i++) {
        const struct workload_statement *statement = &workload->statements[i];
        for (uint32_t j = 0; statement->kind == WORKLOAD_UPDATE &&
                             statement->aliases[0].entity == entity && j < statement->field_count;
             j++) {
            if (statement->fields[j].field == at.field) {
                return true;
            }
        }
    }
    return false;
}

/* Does the way to the place lead only over references? */
static uint32_t first_relation(const struct deciding *deciding, uint32_t place)
{
    const struct places *places = deciding->places;
    uint32_t path = places->list[place].path;
    uint32_t first = GRAPH_NONE;
    for (; places->paths[path].parent != GRAPH_NONE; path = places->paths[path].parent) {
        first = places->paths[path].relation;
        if (deciding->decisions[first].joining == EXPORT_EMBED ||
            deciding->decisions[first].joining == EXPORT_KEY_LIST) {
            return GRAPH_NONE;
        }
    }
    return first;
}

static void copy_place(struct deciding *deciding, uint32_t root, uint32_t place)
{
    uint32_t relation = first_relation(deciding, place);
    if (relation == GRAPH_NONE) {
        return;
    }
    struct export_decision *decision = &deciding->decisions[relation];
    const char *name = export_place_name(deciding->places, place, deciding->design->arena);
    if (is_changed(deciding, place)) {
        decision->reason =
            export_mongodb_say(deciding, "%s; %s is read with it, but changes: join it ($lookup)",
                               decision->reason, name);
        return;
    }
    struct export_document *document = &deciding->documents[root];
    if (!place_set_holds(document->copied, place)) {
        document->copied = place_set_with(document->copied, place, deciding->design->arena);
        decision->joining = EXPORT_REFERENCE_COPY;
        decision->reason = export_mongodb_say(
            deciding, "%s; %s is read with it and never changes: a copy", decision->reason, name);
    }
}

static void copy_fields(struct deciding *deciding)
{
    const struct search *search = deciding->search;
    for (uint32_t i = 0; i < search->query_count; i++) {
        const struct search_query *query = &search->queries[i];
        const struct query *of = &query->query;
        for (uint32_t j = 0; query->statement != GRAPH_NONE && j < of->fields.count; j++) {
            if (deciding->places->list[of->fields.at[j]].path != of->root) {
                copy_place(deciding, of->root, of->fields.at[j]);
            }
        }
        for (uint32_t j = 0; query->statement != GRAPH_NONE && j < of->equal.count; j++) {
            if (deciding->places->list[of->equal.at[j]].path != of->root) {
                copy_place(deciding, of->root, of->equal.at[j]);
            }
        }
    }
}

/* ---------------------------------------------------------------- documents */

static const char *list_name(struct arena *arena, const char *entity)
{
    size_t length = strlen(entity);
    bool plural = length > 0 && (entity[length - 1] == 's' || entity[length - 1] == 'S');
    return plural ? arena_copy_string(arena, entity) : arena_format(arena, "%ss", entity);
}

/* The fields that stand in the document itself. */
static void name_fields(struct deciding *deciding, struct export_document *document,
                        struct name_index *taken)
{
    struct arena *arena = deciding->design->arena;
    const struct graph_entity *entity = &deciding->graph->entities[document->entity];
    const struct graph_fields known = document->relation != GRAPH_NONE
                                          ? deciding->graph->relations[document->relation].fields
                                          : (struct graph_fields){0};
    const char **fields = arena_allocate_zeroed(arena, entity->field_count + 1u, sizeof(*fields));
    const char **copies =
        arena_allocate_zeroed(arena, document->copied.count + 1u, sizeof(*copies));
    if (document->relation == GRAPH_NONE) {
        (void)export_unique(taken, "_id");
    }
    for (uint32_t i = 0; i < entity->field_count; i++) {
        bool is_id = document->id != NULL && entity->key.at[0] == i;
        if (!graph_fields_hold(known, i)) {
            fields[i] = is_id ? "_id" : export_unique(taken, entity->fields[i].name);
        }
    }
    for (uint32_t i = 0; i < document->copied.count; i++) {
        copies[i] = export_unique(
            taken, export_place_name(deciding->places, document->copied.at[i], arena));
    }
    document->fields = fields;
    document->copies = copies;
}

static void name_documents(struct deciding *deciding)
{
    struct arena *arena = deciding->design->arena;
    struct export_document *documents = deciding->documents;
    for (uint32_t i = 0; i < deciding->graph->entity_count; i++) {
        const struct graph_entity *entity = &deciding->graph->entities[i];
        bool own = documents[i].relation == GRAPH_NONE;
        documents[i].entity = i;
        documents[i].name = own ? entity->name : documents[i].name;
        documents[i].id =
            own && entity->key.count == 1 ? entity->fields[entity->key.at[0]].name : NULL;
        documents[i].bytes = document_bytes(deciding, i, false);
        struct name_index taken = {.arena = arena};
        name_fields(deciding, &documents[i], &taken);
        for (uint32_t j = 0; j < deciding->graph->entity_count; j++) {
            uint32_t relation = documents[j].relation;
            if (relation != GRAPH_NONE && deciding->graph->relations[relation].to == i) {
                documents[j].name =
                    export_unique(&taken, list_name(arena, deciding->graph->entities[j].name));
            }
        }
    }
}

void export_mongodb_make(const struct search *search, struct arena *arena,
                         struct export_mongodb *design)
{
    struct places *places = search->pool->places;
    const struct graph *graph = places->graph;
    *design = (struct export_mongodb){.arena = arena, .places = places};
    struct deciding deciding = {
        .search = search,
        .design = design,
        .places = places,
        .graph = graph,
        .documents =
            arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(struct export_document)),
        .decisions = arena_allocate_zeroed(arena, graph->relation_count + 1u,
                                           sizeof(struct export_decision)),
        .decided = arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(bool)),
        .timed = arena_allocate_zeroed(arena, graph->entity_count + 1u, sizeof(bool)),
        .lists = arena_allocate_zeroed(arena, graph->relation_count + 1u, sizeof(double)),
    };
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        deciding.documents[i].relation = GRAPH_NONE;
    }
    weigh(&deciding);
    weigh_writes(&deciding);
    export_mongodb_measure(&deciding);
    decide_all(&deciding);
    copy_fields(&deciding);
    name_documents(&deciding);
    design->documents = deciding.documents;
    design->decisions = deciding.decisions;
    export_mongodb_find_indexes(search, deciding.documents, design);
}
