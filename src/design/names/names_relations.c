/* Foreign keys by the similarity of names, where the rules of names (graph_names.c) find none. */
#include "base/text.h"
#include "design/embed/embed.h"
#include "design/names/names.h"

/* A key is proposed if it is at least so similar, and so much more than the next table's. */
static const float similarity_min = 0.55F;
static const float margin_min = 0.03F;
static const double confidence_max = 0.5;

struct proposing {
    const struct names *names;
    const uint32_t *keys; /* by entity: the column that is its whole key; NAMES_NONE */
    struct graph_relation *list;
    uint32_t count;
};

static bool is_key(const struct graph_entity *entity, uint32_t field)
{
    return entity->key.count == 1 && entity->key.at[0] == field;
}

static const uint32_t *find_keys(const struct names *names)
{
    uint32_t *keys =
        arena_allocate_zeroed(names->arena, names->graph->entity_count + 1u, sizeof(*keys));
    for (uint32_t i = 0; i < names->graph->entity_count; i++) {
        keys[i] = NAMES_NONE;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        const struct names_column *column = &names->columns[i];
        if (is_key(&names->graph->entities[column->entity], column->field)) {
            keys[column->entity] = i;
        }
    }
    return keys;
}

static bool is_in_relation(const struct graph *graph, const struct names_column *column)
{
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->from == column->entity &&
            graph_fields_hold(relation->fields, column->field)) {
            return true;
        }
    }
    return false;
}

/* As columns end that refer to something. */
static bool sounds_like_reference(const char *name)
{
    static const char *const endings[] = {"id",   "uuid", "guid", "key",    "code", "_no",
                                          "_num", "_nr",  "_ref", "number", "_fk",  "_to"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        if (text_ends_with_folded(name, endings[i])) {
            return true;
        }
    }
    return false;
}

static bool is_alike(const struct graph_field *left, const struct graph_field *right)
{
    enum value_kind a = left->type.kind;
    enum value_kind b = right->type.kind;
    return a == b || (value_kind_is_number(a) && value_kind_is_number(b));
}

static float similarity(const struct names *names, uint32_t left, uint32_t right)
{
    const float *a = names->vectors + (size_t)left * EMBED_WIDTH;
    const float *b = names->vectors + (size_t)right * EMBED_WIDTH;
    float sum = 0;
    for (uint32_t i = 0; i < EMBED_WIDTH; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void propose(struct proposing *proposing, uint32_t number)
{
    const struct names *names = proposing->names;
    const struct names_column *column = &names->columns[number];
    const struct graph_field *field = &names->graph->entities[column->entity].fields[column->field];
    float best = 0;
    float second = 0;
    uint32_t to = NAMES_NONE;
    for (uint32_t i = 0; i < names->graph->entity_count; i++) {
        uint32_t key = proposing->keys[i];
        if (i == column->entity || key == NAMES_NONE ||
            !is_alike(field, &names->graph->entities[i].fields[names->columns[key].field])) {
            continue;
        }
        float found = similarity(names, number, key);
        second = found > best ? best : found > second ? found : second;
        to = found > best ? i : to;
        best = found > best ? found : best;
    }
    if (to == NAMES_NONE || best < similarity_min || best - second < margin_min) {
        return;
    }
    uint32_t *at = arena_allocate(names->arena, sizeof(*at));
    *at = column->field;
    proposing->list[proposing->count++] =
        (struct graph_relation){.from = column->entity,
                                .to = to,
                                .fields = {at, 1},
                                .referenced = names->graph->entities[to].key,
                                .origin = GRAPH_SIMILAR,
                                .confidence = confidence_max * (double)best};
}

void names_propose_relations(const struct names *names, struct names_relations *relations)
{
    const struct graph *graph = names->graph;
    struct proposing proposing = {.names = names, .keys = find_keys(names)};
    proposing.list =
        arena_allocate_zeroed(names->arena, names->count + 1u, sizeof(*proposing.list));
    for (uint32_t i = 0; i < names->count; i++) {
        const struct names_column *column = &names->columns[i];
        const struct graph_entity *entity = &graph->entities[column->entity];
        if (sounds_like_reference(entity->fields[column->field].name) &&
            !is_key(entity, column->field) && !is_in_relation(graph, column)) {
            propose(&proposing, i);
        }
    }
    *relations = (struct names_relations){proposing.list, proposing.count};
}
