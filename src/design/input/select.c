/* SELECT: what is wanted, grouped, ordered. */
#include "design/input/resolver.h"
#include <string.h>
#include <strings.h>

static const char *const summary =
    "a counter or a summary table that writes keep up to date, or an analytic copy";

static bool is_star(json_t *reference)
{
    json_t *parts = json_object_get(reference, "fields");
    size_t count = json_array_size(parts);
    return count > 0 && tree_is(tree_list_at(parts, count - 1), "A_Star") != NULL;
}

static void want_star(struct resolver *self, const struct scope *scope, json_t *reference)
{
    json_t *parts = json_object_get(reference, "fields");
    size_t length = json_array_size(parts);
    const char *qualifier = length > 1 ? tree_string(tree_list_at(parts, length - 2)) : NULL;
    uint32_t count = 0;
    const struct scope_item *items = input_scope_items(scope, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (qualifier != NULL && strcasecmp(items[i].name, qualifier) != 0) {
            continue;
        }
        for (uint32_t at = 0; at < input_scope_item_count(self, &items[i]); at++) {
            const struct scope_column column = input_scope_item_column(self, &items[i], at);
            if (column.field.alias != GRAPH_NONE) {
                resolver_want(self, column.field);
            }
        }
    }
}

static void read_targets(struct resolver *self, const struct scope *scope, json_t *targets)
{
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(targets, at, node)
    {
        json_t *value = json_object_get(tree_is(node, "ResTarget"), "val");
        json_t *reference = tree_is(value, "ColumnRef");
        if (reference != NULL && is_star(reference)) {
            want_star(self, scope, reference);
        } else {
            resolver_collect(self, scope, value, &self->fields);
        }
    }
}

/* ---------------------------------------------------------------- GROUP BY and ORDER BY */

/* The expression in the list of results that a name or a number in ORDER BY or GROUP BY means. */
static json_t *output(json_t *targets, json_t *node)
{
    int64_t number = 0;
    json_t *target = NULL;
    size_t at = 0;
    if (tree_whole_number(node, &number)) {
        target = number > 0 ? tree_list_at(targets, (size_t)number - 1) : NULL;
        return json_object_get(tree_is(target, "ResTarget"), "val");
    }
    json_t *parts = json_object_get(tree_is(node, "ColumnRef"), "fields");
    json_array_foreach(targets, at, target)
    {
        json_t *body = tree_is(target, "ResTarget");
        if (json_array_size(parts) == 1 &&
            strcasecmp(tree_text(body, "name"), tree_last_name(parts)) == 0) {
            return json_object_get(body, "val");
        }
    }
    return NULL;
}

/* The plain column that it orders or groups by; false: an expression. */
static bool plain_column(struct resolver *self, const struct scope *scope, json_t *targets,
                         json_t *node, struct workload_reference *field)
{
    json_t *stands_for = output(targets, node);
    json_t *value = stands_for != NULL ? stands_for : node;
    json_t *column = tree_is(value, "ColumnRef");
    return column != NULL && !is_star(column) && resolver_column(self, scope, column, field);
}

static void read_group(struct resolver *self, const struct scope *scope, json_t *select)
{
    json_t *targets = json_object_get(select, "targetList");
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(json_object_get(select, "groupClause"), at, node)
    {
        struct workload_reference field;
        json_t *stands_for = output(targets, node);
        self->aggregates = true;
        if (tree_is(node, "GroupingSet") != NULL) {
            resolver_unserved(self, "a query for each set", "GROUPING SETS, ROLLUP or CUBE");
        } else if (plain_column(self, scope, targets, node, &field)) {
            buffer_append(&self->group, &field, sizeof field);
        } else {
            /* by date_trunc('day', at): by what the rows have */
            resolver_collect(self, scope, stands_for != NULL ? stands_for : node, &self->group);
        }
    }
}

static bool is_grouped(const struct resolver *self, struct workload_reference field)
{
    const struct workload_reference *group =
        (const struct workload_reference *)(const void *)self->group.data;
    for (size_t i = 0; i < self->group.length / sizeof *group; i++) {
        if (reference_is(group[i], field)) {
            return true;
        }
    }
    return false;
}

static void read_order(struct resolver *self, const struct scope *scope, json_t *select)
{
    json_t *targets = json_object_get(select, "targetList");
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(json_object_get(select, "sortClause"), at, node)
    {
        json_t *sort = tree_is(node, "SortBy");
        struct workload_order order = {
            .descending = strcmp(tree_text(sort, "sortby_dir"), "SORTBY_DESC") == 0};
        bool plain =
            plain_column(self, scope, targets, json_object_get(sort, "node"), &order.field);
        if (plain && (!self->aggregates || is_grouped(self, order.field))) {
            buffer_append(&self->order, &order, sizeof order);
            continue;
        }
        /* the client orders what it has read, all of it */
        struct buffer unused = {0};
        if (!plain && output(targets, json_object_get(sort, "node")) == NULL) {
            resolver_collect(self, scope, json_object_get(sort, "node"), &unused);
        }
        buffer_free(&unused);
        self->order.length = 0;
        self->limit = 0;
        if (!self->aggregates) {
            resolver_searches(self, "a stored column with the value",
                              "all rows ordered by an expression");
        }
        return;
    }
}

/* ---------------------------------------------------------------- LIMIT and the whole */

static void read_limit(struct resolver *self, json_t *select)
{
    int64_t limit = 0;
    int64_t offset = 0;
    json_t *skipped = json_object_get(select, "limitOffset");
    if (tree_whole_number(json_object_get(select, "limitCount"), &limit) &&
        (skipped == NULL || tree_whole_number(skipped, &offset)) && limit > 0 && offset >= 0 &&
        limit < INT32_MAX && offset < INT32_MAX) {
        self->limit = limit + offset; /* rows that are skipped are read */
    }
}

static void check_aggregates(struct resolver *self)
{
    if (self->windows) {
        self->aggregates = true;
        resolver_searches(self, summary, "a window function over all rows of %s",
                          resolver_entity(self, 0)->name);
    } else if (self->aggregates) {
        resolver_searches(self, summary, "an aggregate over all rows of %s",
                          resolver_entity(self, 0)->name);
    }
    if (self->aggregates) {
        self->limit = 0; /* of the groups, not of the rows that are read */
    }
}

/* SELECT EXISTS (SELECT …) and SELECT (SELECT count(*) …): the inner one is all there is to it. */
static json_t *only_subquery(json_t *select)
{
    json_t *targets = json_object_get(select, "targetList");
    json_t *target = tree_is(tree_list_at(targets, 0), "ResTarget");
    json_t *link = tree_is(tree_plain(json_object_get(target, "val")), "SubLink");
    const char *type = tree_text(link, "subLinkType");
    bool plain = strcmp(type, "EXISTS_SUBLINK") == 0 || strcmp(type, "EXPR_SUBLINK") == 0;
    return json_array_size(targets) == 1 && plain && json_object_get(select, "fromClause") == NULL
               ? tree_is(json_object_get(link, "subselect"), "SelectStmt")
               : NULL;
}

void resolver_select(struct resolver *self, json_t *select)
{
    struct scope scope = {0};
    json_t *inner = only_subquery(select);
    select = inner != NULL ? inner : select;
    if (strcmp(tree_text(select, "op"), "SETOP_NONE") != 0) {
        const char *what = strstr(tree_text(select, "op"), "UNION") != NULL    ? "UNION"
                           : strstr(tree_text(select, "op"), "EXCEPT") != NULL ? "EXCEPT"
                                                                               : "INTERSECT";
        json_t *left = json_object_get(select, "larg");
        resolver_from(self, &scope, json_object_get(left, "fromClause"));
        resolver_unserved(self, "a query for each part, whose results are put together", "%s",
                          what);
        buffer_free(&scope.items);
        return;
    }
    resolver_add_common_tables(self, json_object_get(select, "withClause"));
    self->targets = json_object_get(select, "targetList");
    resolver_from(self, &scope, json_object_get(select, "fromClause"));
    resolver_condition(self, &scope, json_object_get(select, "whereClause"));
    if (resolver_goes_on(self) && resolver_alias_count(self) > 0) {
        self->distinct = json_object_get(select, "distinctClause") != NULL;
        read_limit(self, select);
        read_targets(self, &scope, json_object_get(select, "targetList"));
        read_group(self, &scope, select);
        resolver_collect(self, &scope, json_object_get(select, "havingClause"), &self->fields);
        read_order(self, &scope, select);
        check_aggregates(self);
    }
    if (resolver_goes_on(self) && resolver_alias_count(self) == 0) {
        struct buffer unused = {0}; /* subqueries make it unserved */
        resolver_collect(self, &scope, json_object_get(select, "targetList"), &unused);
        buffer_free(&unused);
    }
    buffer_free(&scope.items);
}
