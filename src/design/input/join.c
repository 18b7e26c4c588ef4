/*
 * Equalities of columns become joins, each by a relation of the graph:
 *
 *   1. as they are written;
 *   2. those that follow from others (a = b AND b = c), where aliases are not joined yet;
 *   3. two columns that refer to one: by an alias of that entity, which the statement lacks.
 *
 * What is left over of aliases that are joined is a filter; of others, nothing serves it.
 */
#include "design/input/resolver.h"
#include <string.h>

/* Sets of things that are one, by number. */
struct sets {
    uint32_t *parent;
    uint32_t count;
};

static struct sets sets_of(struct resolver *self, uint32_t count)
{
    struct sets sets = {.parent = arena_allocate_zeroed(self->arena, count + 1, sizeof(uint32_t)),
                        .count = count};
    for (uint32_t i = 0; i < count; i++) {
        sets.parent[i] = i;
    }
    return sets;
}

static uint32_t set_of(const struct sets *sets, uint32_t at)
{
    while (sets->parent[at] != at) {
        at = sets->parent[at];
    }
    return at;
}

static void unite(struct sets *sets, uint32_t left, uint32_t right)
{
    sets->parent[set_of(sets, left)] = set_of(sets, right);
}

struct joining {
    struct resolver *self;
    struct equality *equalities;
    uint32_t count;
    struct workload_reference *columns; /* all that are in equalities */
    uint32_t column_count;
    struct sets equal;    /* of columns: by the equalities */
    struct sets enforced; /* of columns: by the joins that were made */
    struct sets joined;   /* of aliases */
};

static uint32_t column_number(const struct joining *joining, struct workload_reference column)
{
    for (uint32_t i = 0; i < joining->column_count; i++) {
        if (reference_is(joining->columns[i], column)) {
            return i;
        }
    }
    return GRAPH_NONE;
}

static void add_column(struct joining *joining, struct workload_reference column)
{
    if (column_number(joining, column) == GRAPH_NONE) {
        joining->columns[joining->column_count++] = column;
    }
}

/* ---------------------------------------------------------------- relations */

/* Are both in one set of columns? */
static bool is_same(const struct joining *joining, const struct sets *sets,
                    struct workload_reference left, struct workload_reference right)
{
    uint32_t first = column_number(joining, left);
    uint32_t second = column_number(joining, right);
    return first != GRAPH_NONE && second != GRAPH_NONE &&
           set_of(sets, first) == set_of(sets, second);
}

/* Is it asked that the relation holds between rows of the two aliases, field by field? */
static bool is_asked(const struct joining *joining, const struct graph_relation *relation,
                     uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        if (!is_same(joining, &joining->equal,
                     (struct workload_reference){from, relation->fields.at[i]},
                     (struct workload_reference){to, relation->referenced.at[i]})) {
            return false;
        }
    }
    return relation->fields.count > 0;
}

static bool is_enforced(const struct joining *joining, const struct graph_relation *relation,
                        uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        if (!is_same(joining, &joining->enforced,
                     (struct workload_reference){from, relation->fields.at[i]},
                     (struct workload_reference){to, relation->referenced.at[i]})) {
            return false;
        }
    }
    return true;
}

static void add_join(struct joining *joining, uint32_t from, uint32_t to, uint32_t number)
{
    const struct graph_relation *relation = &joining->self->graph->relations[number];
    const struct workload_join join = {from, to, number};
    buffer_append(&joining->self->joins, &join, sizeof join);
    unite(&joining->joined, from, to);
    for (uint32_t i = 0; i < relation->fields.count; i++) {
        const struct workload_reference field = {from, relation->fields.at[i]};
        const struct workload_reference referenced = {to, relation->referenced.at[i]};
        uint32_t left = column_number(joining, field);
        uint32_t right = column_number(joining, referenced);
        if (left != GRAPH_NONE && right != GRAPH_NONE) {
            unite(&joining->enforced, left, right);
        }
    }
}

/* All relations that are asked for between two aliases, those of more fields first. */
static void join_pair(struct joining *joining, uint32_t left, uint32_t right)
{
    const struct graph *graph = joining->self->graph;
    for (uint32_t fields = 4; fields > 0; fields--) {
        for (uint32_t i = 0; i < graph->relation_count; i++) {
            const struct graph_relation *relation = &graph->relations[i];
            bool size =
                relation->fields.count == fields || (fields == 4 && relation->fields.count > 4);
            uint32_t left_entity = resolver_alias(joining->self, left)->entity;
            uint32_t right_entity = resolver_alias(joining->self, right)->entity;
            if (size && relation->from == left_entity && relation->to == right_entity &&
                is_asked(joining, relation, left, right) &&
                !is_enforced(joining, relation, left, right)) {
                add_join(joining, left, right, i);
            } else if (size && relation->from == right_entity && relation->to == left_entity &&
                       is_asked(joining, relation, right, left) &&
                       !is_enforced(joining, relation, right, left)) {
                add_join(joining, right, left, i);
            }
        }
    }
}

/* ---------------------------------------------------------------- what is not written */

static void join_by_consequence(struct joining *joining)
{
    for (uint32_t i = 0; i < joining->column_count; i++) {
        for (uint32_t j = i + 1; j < joining->column_count; j++) {
            uint32_t left = joining->columns[i].alias;
            uint32_t right = joining->columns[j].alias;
            if (left != right && set_of(&joining->equal, i) == set_of(&joining->equal, j) &&
                set_of(&joining->joined, left) != set_of(&joining->joined, right)) {
                join_pair(joining, left, right);
            }
        }
    }
}

/* The relation of one field that leads from there; GRAPH_NONE: none does. */
static uint32_t relation_of(const struct joining *joining, struct workload_reference column)
{
    const struct graph *graph = joining->self->graph;
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        const struct graph_relation *relation = &graph->relations[i];
        if (relation->from == resolver_alias(joining->self, column.alias)->entity &&
            relation->fields.count == 1 && relation->fields.at[0] == column.field) {
            return i;
        }
    }
    return GRAPH_NONE;
}

/* orders.customer_id = payments.customer_id: by a customer. */
static bool join_by_common(struct joining *joining, const struct equality *equality)
{
    struct resolver *self = joining->self;
    uint32_t left = relation_of(joining, equality->left);
    uint32_t right = relation_of(joining, equality->right);
    if (left == GRAPH_NONE || right == GRAPH_NONE) {
        return false;
    }
    const struct graph_relation *first = &self->graph->relations[left];
    const struct graph_relation *second = &self->graph->relations[right];
    if (first->to != second->to || first->referenced.at[0] != second->referenced.at[0]) {
        return false;
    }
    uint32_t alias = resolver_add_alias(self, self->graph->entities[first->to].name, first->to);
    struct sets grown = sets_of(self, alias + 1);
    for (uint32_t i = 0; i < alias; i++) {
        grown.parent[i] = joining->joined.parent[i];
    }
    joining->joined = grown;
    add_join(joining, equality->left.alias, alias, left);
    add_join(joining, equality->right.alias, alias, right);
    return true;
}

/* ---------------------------------------------------------------- what is left over */

static void add_filter(struct resolver *self, struct workload_reference field)
{
    const struct workload_predicate predicate = {
        .test = WORKLOAD_FILTER, .field = field, .values = 1};
    buffer_append(&self->predicates, &predicate, sizeof predicate);
}

static void join_settle(struct joining *joining, const struct equality *equality)
{
    struct resolver *self = joining->self;
    if (is_same(joining, &joining->enforced, equality->left, equality->right)) {
        return;
    }
    uint32_t left = equality->left.alias;
    uint32_t right = equality->right.alias;
    if (set_of(&joining->joined, left) == set_of(&joining->joined, right)) {
        add_filter(self, equality->left);
        add_filter(self, equality->right);
        return;
    }
    if (!join_by_common(joining, equality)) {
        resolver_unserved(self, "a foreign key or a relation given by hand; else two queries",
                          "a join of %s with %s, which no relation connects",
                          resolver_show(self, equality->left),
                          resolver_show(self, equality->right));
    }
}

static void check_connected(struct joining *joining)
{
    struct resolver *self = joining->self;
    for (uint32_t alias = 1; alias < resolver_alias_count(self); alias++) {
        if (set_of(&joining->joined, alias) != set_of(&joining->joined, 0)) {
            resolver_unserved(self, "two queries", "a cross join of %s and %s",
                              resolver_entity(self, 0)->name, resolver_entity(self, alias)->name);
        }
    }
}

/* ---------------------------------------------------------------- semi-joins */

static bool is_semi_joined(const struct resolver *self, uint32_t alias)
{
    const uint32_t *list = (const uint32_t *)(const void *)self->semi_joined.data;
    for (size_t i = 0; i < self->semi_joined.length / sizeof *list; i++) {
        if (list[i] == alias) {
            return true;
        }
    }
    return false;
}

/* Several rows of a semi-joined alias for one of the others: that one counts once, by its key. */
static void settle_semi_joins(struct resolver *self)
{
    const struct workload_join *joins =
        (const struct workload_join *)(const void *)self->joins.data;
    bool several = false;
    for (size_t i = 0; i < self->joins.length / sizeof *joins; i++) {
        several = several || is_semi_joined(self, joins[i].from);
    }
    for (uint32_t alias = 0; several && alias < resolver_alias_count(self); alias++) {
        const struct graph_entity *entity = resolver_entity(self, alias);
        self->distinct = true;
        for (uint32_t i = 0; !is_semi_joined(self, alias) && i < entity->key.count; i++) {
            resolver_want(self, (struct workload_reference){alias, entity->key.at[i]});
        }
    }
}

void resolver_join(struct resolver *self)
{
    enum { ALIASES_MAX = 32 };
    if (resolver_alias_count(self) > ALIASES_MAX) {
        resolver_unserved(self, "several queries", "a join of %u tables",
                          resolver_alias_count(self));
        return;
    }
    struct joining joining = {
        .self = self,
        .equalities = (struct equality *)(void *)self->equalities.data,
        .count = (uint32_t)(self->equalities.length / sizeof(struct equality)),
        .joined = sets_of(self, resolver_alias_count(self)),
    };
    joining.columns =
        arena_allocate_zeroed(self->arena, 2 * joining.count + 1, sizeof *joining.columns);
    for (uint32_t i = 0; i < joining.count; i++) {
        add_column(&joining, joining.equalities[i].left);
        add_column(&joining, joining.equalities[i].right);
    }
    joining.equal = sets_of(self, joining.column_count);
    joining.enforced = sets_of(self, joining.column_count);
    for (uint32_t i = 0; i < joining.count; i++) {
        unite(&joining.equal, column_number(&joining, joining.equalities[i].left),
              column_number(&joining, joining.equalities[i].right));
    }
    for (uint32_t i = 0; i < joining.count; i++) {
        join_pair(&joining, joining.equalities[i].left.alias, joining.equalities[i].right.alias);
    }
    join_by_consequence(&joining);
    for (uint32_t i = 0; i < joining.count; i++) {
        join_settle(&joining, &joining.equalities[i]);
    }
    check_connected(&joining);
    settle_semi_joins(self);
}
