/* INSERT, UPDATE, DELETE. */
#include "design/input/resolver.h"
#include <string.h>
#include <strings.h>

static const char *const by_key = "a query for the keys, then a statement for each";

/* The table that is written; false: the schema has none of that name. */
static bool add_table(struct resolver *self, struct scope *scope, json_t *relation)
{
    json_t *table = json_object();
    json_t *list = json_array();
    json_object_set(table, "RangeVar", relation);
    json_array_append(list, table);
    resolver_from(self, scope, list);
    json_decref(list);
    json_decref(table);
    return resolver_goes_on(self) && resolver_alias_count(self) == 1;
}

/* "o.status", as MySQL takes it, is an element of o to PostgreSQL. */
static const char *target_name(const struct resolver *self, json_t *target)
{
    const char *name = tree_text(target, "name");
    const char *element = tree_last_name(json_object_get(target, "indirection"));
    bool qualified = strcasecmp(name, resolver_alias(self, 0)->name) == 0 ||
                     strcasecmp(name, resolver_entity(self, 0)->name) == 0;
    return qualified && element[0] != '\0' ? element : name;
}

static void set_field(struct resolver *self, json_t *target)
{
    const char *name = target_name(self, target);
    uint32_t field = graph_find_field(resolver_entity(self, 0), name, strlen(name));
    if (field == GRAPH_NONE) {
        resolver_fail(self, tree_location(target), "%s has no column %s",
                      resolver_entity(self, 0)->name, name);
        return;
    }
    resolver_want(self, (struct workload_reference){0, field});
}

static void set_fields(struct resolver *self, json_t *targets)
{
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(targets, at, node)
    {
        set_field(self, tree_is(node, "ResTarget"));
    }
}

void resolver_insert(struct resolver *self, json_t *insert)
{
    struct scope scope = {0};
    json_t *columns = json_object_get(insert, "cols");
    json_t *select = tree_is(json_object_get(insert, "selectStmt"), "SelectStmt");
    if (add_table(self, &scope, json_object_get(insert, "relation"))) {
        if (columns == NULL) {
            for (uint32_t i = 0; i < resolver_entity(self, 0)->field_count; i++) {
                resolver_want(self, (struct workload_reference){0, i});
            }
        }
        set_fields(self, columns);
        if (select != NULL && json_object_get(select, "fromClause") != NULL) {
            resolver_unserved(self, "a query, then an INSERT for each of its rows",
                              "INSERT … SELECT");
        }
    }
    buffer_free(&scope.items);
}

/* WHERE of a statement that may look at its own table only. */
static void read_where(struct resolver *self, const struct scope *scope, json_t *statement,
                       const char *others, const char *what)
{
    if (json_object_get(statement, others) != NULL) {
        resolver_unserved(self, by_key, "%s by a join", what);
        return;
    }
    resolver_condition(self, scope, json_object_get(statement, "whereClause"));
    if (resolver_alias_count(self) > 1) {
        resolver_unserved(self, by_key, "%s by a subquery", what);
    }
    if (resolver_goes_on(self) && self->predicates.length == 0) {
        resolver_unserved(self, "TRUNCATE, or a run over the whole table", "%s of all rows of %s",
                          what, resolver_entity(self, 0)->name);
    }
}

void resolver_update(struct resolver *self, json_t *update)
{
    struct scope scope = {0};
    json_t *node = NULL;
    size_t at = 0;
    json_t *targets = json_object_get(update, "targetList");
    resolver_add_common_tables(self, json_object_get(update, "withClause"));
    if (add_table(self, &scope, json_object_get(update, "relation"))) {
        set_fields(self, targets);
        json_array_foreach(targets, at, node)
        { /* its names and subqueries */
            struct buffer unused = {0};
            resolver_collect(self, &scope, json_object_get(tree_is(node, "ResTarget"), "val"),
                             &unused);
            buffer_free(&unused);
        }
        read_where(self, &scope, update, "fromClause", "UPDATE");
    }
    self->aggregates = false;
    buffer_free(&scope.items);
}

void resolver_delete(struct resolver *self, json_t *delete_statement)
{
    struct scope scope = {0};
    resolver_add_common_tables(self, json_object_get(delete_statement, "withClause"));
    if (add_table(self, &scope, json_object_get(delete_statement, "relation"))) {
        read_where(self, &scope, delete_statement, "usingClause", "DELETE");
    }
    buffer_free(&scope.items);
}
