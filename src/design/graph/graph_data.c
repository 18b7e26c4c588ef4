/* Foreign keys from data: candidates, and which of them are believed. */
#include "design/graph/graph_data.h"

#include "design/graph/graph_lookup.h"
#include "design/graph/graph_parts.h"
#include <math.h>
#include <stdlib.h>

enum { BELIEVED_MAX = 16 };
/* Candidates of one column that are so near in confidence are told apart by their tables alone. */
static const double margin = 0.05;
static const double rows_margin = 1.25;

/* A column that others may refer to. */
struct key {
    uint32_t entity;
    uint32_t field;
    bool is_primary;
    const struct figures_sample *sample;
};

struct candidate {
    uint32_t from;
    uint32_t field;
    const struct figures_sample *column;
    const struct key *key;
    struct graph_evidence evidence;
    double confidence;
};

struct inferring {
    struct graph_building building;
    struct graph_lookup lookup;
    struct key *keys;
    uint32_t key_count;
    uint32_t rivals[VALUE_KIND_COUNT];
    const char **doubts;
    uint32_t doubt_count;
    uint32_t doubt_capacity;
    struct candidate believed[BELIEVED_MAX]; /* of the column that is looked at */
    uint32_t believed_count;
};

static const struct figures_sample *sample_of(const struct graph_entity *entity, uint32_t field)
{
    return entity->figures != NULL && entity->figures->columns != NULL
               ? entity->figures->columns[field].sample
               : NULL;
}

static void add_doubt(struct inferring *inferring, const char *sentence)
{
    inferring->doubts =
        arena_make_room(inferring->building.arena, inferring->doubts, inferring->doubt_count,
                        &inferring->doubt_capacity, sizeof(*inferring->doubts));
    inferring->doubts[inferring->doubt_count++] = sentence;
}

/* "orders.customer" */
static const char *column_name(const struct inferring *inferring, uint32_t entity, uint32_t field)
{
    const struct graph_entity *of = &inferring->building.entities[entity];
    return arena_format(inferring->building.arena, "%s.%s", of->name, of->fields[field].name);
}

/* ---------------------------------------------------------------- keys */

static void add_key(struct inferring *inferring, uint32_t number, uint32_t field, bool is_primary)
{
    const struct figures_sample *sample = sample_of(&inferring->building.entities[number], field);
    if (sample != NULL) {
        inferring->keys[inferring->key_count++] = (struct key){number, field, is_primary, sample};
        inferring->rivals[sample->cells[0].kind]++;
    }
}

static bool is_own_key(const struct graph_entity *entity, uint32_t field)
{
    return entity->key.count == 1 && entity->key.at[0] == field;
}

static bool has_key(const struct inferring *inferring, uint32_t number, uint32_t field)
{
    const struct key *last =
        inferring->key_count > 0 ? &inferring->keys[inferring->key_count - 1] : NULL;
    for (; last != NULL && last >= inferring->keys && last->entity == number; last--) {
        if (last->field == field) {
            return true;
        }
    }
    return false;
}

static void collect_keys(struct inferring *inferring)
{
    struct graph_building *building = &inferring->building;
    uint32_t most = 1;
    for (uint32_t i = 0; i < building->entity_count; i++) {
        most += 1 + building->entities[i].table->index_count;
    }
    inferring->keys = arena_allocate_zeroed(building->arena, most, sizeof(*inferring->keys));
    for (uint32_t i = 0; i < building->entity_count; i++) {
        const struct graph_entity *entity = &building->entities[i];
        const struct schema_table *table = entity->table;
        if (entity->key.count == 1 && !entity->is_key_settled) {
            add_key(inferring, i, entity->key.at[0], true);
        }
        for (uint32_t j = 0; j < table->index_count; j++) {
            struct column_list columns = table->indexes[j].columns;
            struct graph_fields fields =
                table->indexes[j].unique && columns.count == 1 &&
                        schema_is_unique_key(table, columns)
                    ? graph_fields_by_name(entity, columns, building->arena)
                    : (struct graph_fields){0};
            if (fields.count == 1 && !has_key(inferring, i, fields.at[0])) {
                add_key(inferring, i, fields.at[0], false);
            }
        }
    }
}

/* ---------------------------------------------------------------- what needs no asking */

/* Steps between the ends. */
static double width_of(const struct figures_sample *sample)
{
    return ((double)sample->greatest - (double)sample->least) / (double)sample->step;
}

static bool is_dense(const struct figures_sample *sample, double values)
{
    return width_of(sample) + 1 <= 2 * values;
}

/* Too many of the column's values are not among the key's, whose rows were all read: its sample has
 * each value up to its greatest hash. */
static bool is_elsewhere(const struct figures_sample *column, const struct figures_sample *key)
{
    uint32_t compared = 0;
    uint32_t missing = 0;
    uint32_t at = 0;
    bool is_complete = key->count == key->distinct;
    for (uint32_t i = 0; i < column->count; i++) {
        if (!is_complete && column->hashes[i] > key->hashes[key->count - 1]) {
            break;
        }
        while (at < key->count && key->hashes[at] < column->hashes[i]) {
            at++;
        }
        compared++;
        missing += at == key->count || key->hashes[at] != column->hashes[i];
    }
    return missing * 10 > compared;
}

static struct candidate candidate_of(const struct inferring *inferring, uint32_t from,
                                     uint32_t field, const struct figures_sample *column,
                                     const struct key *key)
{
    const struct graph_entity *entity = &inferring->building.entities[from];
    enum value_kind kind = (enum value_kind)column->cells[0].kind;
    bool differ = entity->fields[field].distinct >= 0.98 * entity->rows;
    return (struct candidate){.from = from,
                              .field = field,
                              .column = column,
                              .key = key,
                              .evidence = {.kind = kind,
                                           .bytes = column->bytes,
                                           .values = column->count,
                                           .numbers_rows = kind == VALUE_INT64 && differ &&
                                                           is_dense(column, column->distinct),
                                           .distinct = column->distinct,
                                           .rivals = inferring->rivals[kind]}};
}

/* A key of numbers may leave hardly any out: could its ends tell, and do they? */
static bool could_be_numbers(const struct candidate *candidate, const struct graph_entity *to)
{
    const struct figures_sample *column = candidate->column;
    const struct figures_sample *key = candidate->key->sample;
    if (column->least > key->greatest || column->greatest < key->least) {
        return !to->figures->is_whole;
    }
    if (!is_dense(key, to->rows)) {
        return true;
    }
    double gap = GRAPH_LOOKUP_ENDS * width_of(column) / (column->distinct + 1.0) + 1;
    bool ends = (double)key->greatest - (double)column->greatest <= gap * (double)column->step &&
                (double)column->least - (double)key->least <= gap * (double)column->step;
    return graph_evidence_ends_could_tell(&candidate->evidence) &&
           !candidate->evidence.numbers_rows && (ends || !to->figures->is_whole);
}

/* Without a name: is it worth a look-up? */
static bool could_refer(const struct inferring *inferring, const struct candidate *candidate)
{
    const struct graph_entity *from = &inferring->building.entities[candidate->from];
    const struct graph_entity *to = &inferring->building.entities[candidate->key->entity];
    const struct figures_sample *column = candidate->column;
    bool numbers = candidate->evidence.kind == VALUE_INT64;
    if (column->distinct < GRAPH_VALUES_MIN || column->distinct > to->rows * 1.05) {
        return false;
    }
    if (is_own_key(from, candidate->field) && (numbers || to->rows <= from->rows)) {
        return false;
    }
    return (!to->figures->is_whole || !is_elsewhere(column, candidate->key->sample)) &&
           (!numbers || could_be_numbers(candidate, to));
}

/* ---------------------------------------------------------------- one candidate */

/* STATUS_END: it was not looked up. */
static enum status weigh(struct inferring *inferring, struct candidate *candidate,
                         struct error *error)
{
    const struct graph_column key = {
        .entity = &inferring->building.entities[candidate->key->entity],
        .field = candidate->key->field,
    };
    enum status status = graph_lookup_values(&inferring->lookup, &key, candidate->column,
                                             &candidate->evidence, error);
    candidate->confidence = graph_evidence_confidence(&candidate->evidence);
    return status;
}

/* "100 of 100 values found, and of numbers beside them 3 of 150" */
static const char *words_of(const struct inferring *inferring, const struct candidate *candidate)
{
    const struct graph_evidence *evidence = &candidate->evidence;
    struct arena *arena = inferring->building.arena;
    const char *beside = evidence->others > 0
                             ? arena_format(arena, ", and %u of %u numbers beside them",
                                            evidence->others_found, evidence->others)
                             : "";
    return arena_format(arena, "%u of %u values found%s%s%s", evidence->found, evidence->values,
                        beside, evidence->ends_match ? "; both end at the same numbers" : "",
                        evidence->named > 0 && graph_evidence_chance(evidence) > 0.1
                            ? "; of such values that says little, its name more"
                        : evidence->named > 0 ? "; its name fits"
                                              : "");
}

static bool is_by_data(const struct candidate *candidate)
{
    return candidate->evidence.named <= 0 || graph_evidence_chance(&candidate->evidence) <= 0.1;
}

/* ---------------------------------------------------------------- what names suggest */

static const struct key *key_of(const struct inferring *inferring,
                                const struct graph_relation *relation)
{
    for (uint32_t i = 0; i < inferring->key_count; i++) {
        if (inferring->keys[i].entity == relation->to &&
            inferring->keys[i].field == relation->referenced.at[0]) {
            return &inferring->keys[i];
        }
    }
    return NULL;
}

static enum status weigh_named(struct inferring *inferring, struct graph_relation *relation,
                               bool *is_refuted, struct error *error)
{
    const struct graph_entity *from = &inferring->building.entities[relation->from];
    const struct key *key = relation->fields.count == 1 ? key_of(inferring, relation) : NULL;
    const struct figures_sample *sample =
        key != NULL ? sample_of(from, relation->fields.at[0]) : NULL;
    *is_refuted = false;
    if (sample == NULL || sample->cells[0].kind != key->sample->cells[0].kind) {
        return STATUS_OK;
    }
    struct candidate candidate =
        candidate_of(inferring, relation->from, relation->fields.at[0], sample, key);
    candidate.evidence.named = relation->confidence;
    enum status status = weigh(inferring, &candidate, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    bool enough = candidate.evidence.values >= GRAPH_REFUTING_MIN;
    bool surer = candidate.confidence >= relation->confidence;
    *is_refuted = enough && !surer && candidate.confidence < GRAPH_CONFIDENCE_MIN;
    relation->confidence = enough || surer ? candidate.confidence : relation->confidence;
    relation->why = words_of(inferring, &candidate);
    relation->origin = is_by_data(&candidate) ? GRAPH_FROM_DATA : GRAPH_FROM_NAMES;
    if (*is_refuted) {
        add_doubt(inferring,
                  arena_format(inferring->building.arena,
                               "%s does not refer to %s, as its name suggests: %u of %u values "
                               "found.",
                               column_name(inferring, candidate.from, candidate.field),
                               column_name(inferring, key->entity, key->field),
                               candidate.evidence.found, candidate.evidence.values));
    }
    return STATUS_OK;
}

static enum status weigh_all_named(struct inferring *inferring, struct error *error)
{
    struct graph_building *building = &inferring->building;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < building->relation_count; i++) {
        struct graph_relation *relation = &building->relations[i];
        bool is_refuted = false;
        if (relation->origin == GRAPH_FROM_NAMES &&
            weigh_named(inferring, relation, &is_refuted, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!is_refuted) {
            building->relations[kept++] = *relation;
        }
    }
    building->relation_count = kept;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what values suggest */

static double rows_of(const struct inferring *inferring, const struct candidate *candidate)
{
    return inferring->building.entities[candidate->key->entity].rows;
}

/* A primary key is preferred if both are equally sure, then the smaller table, of which more
 * rows are referred to. */
static int prefer(const struct inferring *inferring, const struct candidate *left,
                  const struct candidate *right)
{
    if (fabs(left->confidence - right->confidence) >= margin) {
        return left->confidence > right->confidence ? 1 : -1;
    }
    if (left->key->is_primary != right->key->is_primary) {
        return left->key->is_primary ? 1 : -1;
    }
    double one = rows_of(inferring, left);
    double other = rows_of(inferring, right);
    return one * rows_margin <= other ? 1 : other * rows_margin <= one ? -1 : 0;
}

static void believe(struct inferring *inferring, const struct candidate *candidate)
{
    struct graph_building *building = &inferring->building;
    struct graph_relation relation = {
        .from = candidate->from,
        .to = candidate->key->entity,
        .fields = graph_one_field(candidate->field, building->arena),
        .referenced = graph_one_field(candidate->key->field, building->arena),
        .origin = is_by_data(candidate) ? GRAPH_FROM_DATA : GRAPH_FROM_NAMES,
        .confidence = candidate->confidence,
        .why = words_of(inferring, candidate)};
    uint32_t before = building->relation_count;
    graph_add_relation(building, &relation);
    if (building->relation_count > before) {
        graph_measure_relation(building, &building->relations[before]);
    }
}

static void graph_data_choose(struct inferring *inferring)
{
    const struct candidate *best = &inferring->believed[0];
    const struct candidate *equal = NULL;
    for (uint32_t i = 1; i < inferring->believed_count; i++) {
        const struct candidate *other = &inferring->believed[i];
        int preferred = prefer(inferring, other, best);
        equal = preferred > 0 ? NULL : preferred == 0 ? other : equal;
        best = preferred > 0 ? other : best;
    }
    if (inferring->believed_count == 0) {
        return;
    }
    if (equal == NULL) {
        believe(inferring, best);
        return;
    }
    add_doubt(inferring,
              arena_format(inferring->building.arena,
                           "%s may refer to %s or to %s: all of its values are in both, so neither "
                           "is assumed.",
                           column_name(inferring, best->from, best->field),
                           column_name(inferring, best->key->entity, best->key->field),
                           column_name(inferring, equal->key->entity, equal->key->field)));
}

bool graph_refers(const struct graph_building *building, uint32_t from, uint32_t field)
{
    for (uint32_t i = 0; i < building->relation_count; i++) {
        const struct graph_relation *relation = &building->relations[i];
        if (relation->from == from && graph_fields_hold(relation->fields, field)) {
            return true;
        }
    }
    return false;
}

static enum status infer_of(struct inferring *inferring, uint32_t from, uint32_t field,
                            const struct figures_sample *sample, struct error *error)
{
    const struct graph_entity *entity = &inferring->building.entities[from];
    inferring->believed_count = 0;
    for (uint32_t i = 0; i < inferring->key_count; i++) {
        const struct key *key = &inferring->keys[i];
        if (key->sample->cells[0].kind != sample->cells[0].kind ||
            (key->entity == from && key->field == field)) {
            continue;
        }
        double named =
            is_own_key(entity, field)
                ? 0
                : graph_name_hint(entity, field, &inferring->building.entities[key->entity],
                                  key->field);
        struct candidate candidate = candidate_of(inferring, from, field, sample, key);
        candidate.evidence.named = named;
        if (named <= 0 && !could_refer(inferring, &candidate)) {
            continue;
        }
        enum status status = weigh(inferring, &candidate, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        bool enough = candidate.evidence.values >= GRAPH_REFUTING_MIN;
        if (status == STATUS_OK && enough && candidate.confidence >= GRAPH_CONFIDENCE_MIN &&
            inferring->believed_count < BELIEVED_MAX) {
            inferring->believed[inferring->believed_count++] = candidate;
        }
    }
    graph_data_choose(inferring);
    return STATUS_OK;
}

static enum status infer_all(struct inferring *inferring, struct error *error)
{
    const struct graph_building *building = &inferring->building;
    for (uint32_t from = 0; from < building->entity_count; from++) {
        for (uint32_t i = 0; i < building->entities[from].field_count; i++) {
            const struct figures_sample *sample = sample_of(&building->entities[from], i);
            if (sample != NULL && !graph_refers(building, from, i) &&
                infer_of(inferring, from, i, sample, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the graph */

/* Relations that are declared come first, as they were; then the others by table and column. */
static int by_place(const void *left, const void *right)
{
    const struct graph_relation *one = left;
    const struct graph_relation *other = right;
    if (one->from != other->from) {
        return one->from < other->from ? -1 : 1;
    }
    return one->fields.at[0] < other->fields.at[0] ? -1 : 1;
}

static void graph_data_finish(struct inferring *inferring, struct graph *graph)
{
    struct graph_building *building = &inferring->building;
    uint32_t declared = 0;
    while (declared < building->relation_count &&
           building->relations[declared].origin == GRAPH_DECLARED) {
        declared++;
    }
    if (declared < building->relation_count) {
        qsort(building->relations + declared, building->relation_count - declared,
              sizeof(*building->relations), by_place);
    }
    graph_settle_keys(building);
    uint32_t skipped = inferring->lookup.skipped;
    if (skipped > 0) {
        add_doubt(inferring,
                  arena_format(building->arena,
                               "%u further columns that may refer to another table were not looked "
                               "up: %u requests or %u seconds were enough.",
                               skipped, GRAPH_LOOKUPS_MAX, GRAPH_LOOKUPS_MS_MAX / 1000));
    }
    graph->relations = building->relations;
    graph->relation_count = building->relation_count;
    graph->doubts = inferring->doubts;
    graph->doubt_count = inferring->doubt_count;
}

enum status graph_infer_from_data(struct graph *graph, struct database *source,
                                  struct reader **reader, struct error *error)
{
    struct inferring inferring = {
        .building = {.arena = graph->arena,
                     .assumptions = graph->assumptions,
                     .entities = (struct graph_entity *)(uintptr_t)graph->entities,
                     .entity_count = graph->entity_count,
                     .relations = (struct graph_relation *)(uintptr_t)graph->relations,
                     .relation_count = graph->relation_count,
                     .relation_capacity = graph->relation_count}};
    graph_lookup_begin(&inferring.lookup, source, reader);
    collect_keys(&inferring);
    enum status status = weigh_all_named(&inferring, error);
    if (status == STATUS_OK) {
        status = infer_all(&inferring, error);
    }
    if (status == STATUS_OK) {
        graph_data_finish(&inferring, graph);
    }
    return status;
}
