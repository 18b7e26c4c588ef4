/* Names: aliases, columns of FROM items, columns in expressions. */
#include "design/input/resolver.h"
#include <string.h>
#include <strings.h>

uint32_t resolver_alias_count(const struct resolver *self)
{
    return (uint32_t)(self->aliases.length / sizeof(struct workload_alias));
}

struct workload_alias *resolver_alias(const struct resolver *self, uint32_t alias)
{
    return &((struct workload_alias *)(void *)self->aliases.data)[alias];
}

uint32_t resolver_add_alias(struct resolver *self, const char *name, uint32_t entity)
{
    const struct workload_alias alias = {.name = arena_copy_string(self->arena, name),
                                         .entity = entity};
    buffer_append(&self->aliases, &alias, sizeof alias);
    return resolver_alias_count(self) - 1;
}

const struct graph_entity *resolver_entity(const struct resolver *self, uint32_t alias)
{
    return &self->graph->entities[resolver_alias(self, alias)->entity];
}

const char *resolver_show(const struct resolver *self, struct workload_reference field)
{
    const struct graph_entity *entity = resolver_entity(self, field.alias);
    return arena_format(self->arena, "%s.%s", entity->name, entity->fields[field.field].name);
}

bool reference_is(struct workload_reference left, struct workload_reference right)
{
    return left.alias == right.alias && left.field == right.field;
}

static bool holds(const struct buffer *list, struct workload_reference field)
{
    const struct workload_reference *fields =
        (const struct workload_reference *)(const void *)list->data;
    for (size_t i = 0; i < list->length / sizeof *fields; i++) {
        if (reference_is(fields[i], field)) {
            return true;
        }
    }
    return false;
}

static void add_once(struct buffer *list, struct workload_reference field)
{
    if (!holds(list, field)) {
        buffer_append(list, &field, sizeof field);
    }
}

void resolver_want(struct resolver *self, struct workload_reference field)
{
    add_once(&self->fields, field);
}

/* ---------------------------------------------------------------- columns of items */

const struct scope_item *input_scope_items(const struct scope *scope, uint32_t *count)
{
    *count = (uint32_t)(scope->items.length / sizeof(struct scope_item));
    return (const struct scope_item *)(const void *)scope->items.data;
}

uint32_t input_scope_item_count(const struct resolver *self, const struct scope_item *item)
{
    return item->alias == GRAPH_NONE ? item->column_count
                                     : resolver_entity(self, item->alias)->field_count;
}

struct scope_column input_scope_item_column(const struct resolver *self,
                                            const struct scope_item *item, uint32_t at)
{
    if (item->alias == GRAPH_NONE) {
        return item->columns[at];
    }
    return (struct scope_column){resolver_entity(self, item->alias)->fields[at].name,
                                 {item->alias, at}};
}

static bool find_in_item(const struct resolver *self, const struct scope_item *item,
                         const char *name, struct scope_column *column)
{
    if (item->alias != GRAPH_NONE) {
        uint32_t at = graph_find_field(resolver_entity(self, item->alias), name, strlen(name));
        if (at != GRAPH_NONE) {
            *column = input_scope_item_column(self, item, at);
        }
        return at != GRAPH_NONE;
    }
    for (uint32_t i = 0; i < item->column_count; i++) {
        if (strcasecmp(item->columns[i].name, name) == 0) {
            *column = item->columns[i];
            return true;
        }
    }
    return false;
}

bool input_scope_find(const struct resolver *self, const struct scope_item *items, uint32_t count,
                      const char *name, struct scope_column *column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (find_in_item(self, &items[i], name, column)) {
            return true;
        }
    }
    return false;
}

static const struct scope_item *find_item(const struct scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->outer) {
        uint32_t count = 0;
        const struct scope_item *items = input_scope_items(scope, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (strcasecmp(items[i].name, name) == 0) {
                return &items[i];
            }
        }
    }
    return NULL;
}

/* SQLite: the rowid is the column that is an INTEGER PRIMARY KEY. */
static bool find_rowid(const struct resolver *self, const struct scope *scope, const char *name,
                       struct scope_column *column)
{
    uint32_t count = 0;
    const struct scope_item *items = input_scope_items(scope, &count);
    if (self->language != SQL_SQLITE || count == 0 || items[0].alias == GRAPH_NONE ||
        (strcasecmp(name, "rowid") != 0 && strcasecmp(name, "_rowid_") != 0)) {
        return false;
    }
    const struct graph_entity *entity = resolver_entity(self, items[0].alias);
    if (entity->key.count != 1) {
        return false;
    }
    *column = input_scope_item_column(self, &items[0], entity->key.at[0]);
    return true;
}

static bool find_column(const struct resolver *self, const struct scope *scope, const char *name,
                        struct scope_column *column)
{
    for (const struct scope *at = scope; at != NULL; at = at->outer) {
        uint32_t count = 0;
        const struct scope_item *items = input_scope_items(at, &count);
        if (input_scope_find(self, items, count, name, column) ||
            find_rowid(self, at, name, column)) {
            return true;
        }
    }
    return false;
}

/* A name of a result, as in HAVING and ORDER BY. */
static bool is_output(const struct resolver *self, const char *name)
{
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(self->targets, at, node)
    {
        if (strcasecmp(tree_text(tree_is(node, "ResTarget"), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

bool resolver_column(struct resolver *self, const struct scope *scope, json_t *reference,
                     struct workload_reference *field)
{
    json_t *parts = json_object_get(reference, "fields");
    size_t count = json_array_size(parts);
    const char *name = tree_last_name(parts);
    const char *qualifier = count > 1 ? tree_string(tree_list_at(parts, count - 2)) : NULL;
    struct scope_column column = {0};
    bool found;
    if (qualifier != NULL) {
        const struct scope_item *item = find_item(scope, qualifier);
        if (item == NULL) {
            resolver_fail(self, tree_location(reference), "%s is no table of this statement",
                          qualifier);
            return false;
        }
        found = find_in_item(self, item, name, &column);
        if (!found) {
            resolver_fail(self, tree_location(reference), "%s has no column %s", qualifier, name);
        }
    } else {
        found = find_column(self, scope, name, &column);
        if (!found && !is_output(self, name)) {
            resolver_fail(self, tree_location(reference), "no table here has a column %s", name);
        }
    }
    *field = column.field;
    return found && column.field.alias != GRAPH_NONE;
}

/* ---------------------------------------------------------------- expressions */

static bool is_aggregate(const char *name)
{
    static const char *const names[] = {"count",
                                        "sum",
                                        "avg",
                                        "min",
                                        "max",
                                        "array_agg",
                                        "string_agg",
                                        "group_concat",
                                        "json_agg",
                                        "jsonb_agg",
                                        "json_arrayagg",
                                        "json_objectagg",
                                        "json_object_agg",
                                        "bool_and",
                                        "bool_or",
                                        "every",
                                        "stddev",
                                        "stddev_pop",
                                        "stddev_samp",
                                        "variance",
                                        "var_pop",
                                        "var_samp",
                                        "std",
                                        "total",
                                        "mode",
                                        "percentile_cont",
                                        "percentile_disc",
                                        "corr",
                                        "bit_and",
                                        "bit_or",
                                        "bit_xor",
                                        "json_group_array",
                                        "json_group_object",
                                        "any_value",
                                        NULL};
    for (const char *const *at = names; *at != NULL; at++) {
        if (strcasecmp(*at, name) == 0) {
            return true;
        }
    }
    return false;
}

static void see_function(struct resolver *self, json_t *function)
{
    if (json_object_get(function, "over") != NULL) {
        self->windows = true;
    } else if (tree_flag(function, "agg_star") ||
               is_aggregate(tree_last_name(json_object_get(function, "funcname")))) {
        /* SQLite's min(a, b) is no aggregate */
        self->aggregates |=
            json_array_size(json_object_get(function, "args")) < 2 || self->language != SQL_SQLITE;
    }
}

/* A FROM item by its name alone: the whole row. */
static bool collect_row(struct resolver *self, const struct scope *scope, json_t *parts,
                        struct buffer *fields)
{
    struct scope_column column;
    const char *name = tree_last_name(parts);
    const struct scope_item *item = find_item(scope, name);
    if (json_array_size(parts) != 1 || item == NULL || find_column(self, scope, name, &column)) {
        return false;
    }
    for (uint32_t at = 0; at < input_scope_item_count(self, item); at++) {
        column = input_scope_item_column(self, item, at);
        if (column.field.alias != GRAPH_NONE) {
            add_once(fields, column.field);
        }
    }
    return true;
}

static void collect_reference(struct resolver *self, const struct scope *scope, json_t *reference,
                              struct buffer *fields)
{
    struct workload_reference field;
    json_t *parts = json_object_get(reference, "fields");
    size_t count = json_array_size(parts);
    if (count > 0 && tree_is(tree_list_at(parts, count - 1), "A_Star") != NULL) {
        return; /* count(t.*) */
    }
    if (!collect_row(self, scope, parts, fields) &&
        resolver_column(self, scope, reference, &field)) {
        add_once(fields, field);
    }
}

void resolver_collect(struct resolver *self, const struct scope *scope, json_t *node,
                      struct buffer *fields)
{
    const char *member = NULL;
    json_t *value = NULL;
    size_t at = 0;
    if (json_is_array(node)) {
        json_array_foreach(node, at, value)
        {
            resolver_collect(self, scope, value, fields);
        }
    } else if (tree_is(node, "ColumnRef") != NULL) {
        collect_reference(self, scope, tree_is(node, "ColumnRef"), fields);
    } else if (tree_is(node, "SubLink") != NULL) {
        resolver_unserved(self, "a query of its own, whose result goes into this one",
                          "a subquery in an expression");
    } else if (json_is_object(node)) {
        if (tree_is(node, "FuncCall") != NULL) {
            see_function(self, tree_is(node, "FuncCall"));
        }
        json_object_foreach(node, member, value)
        {
            resolver_collect(self, scope, value, fields);
        }
    }
}
