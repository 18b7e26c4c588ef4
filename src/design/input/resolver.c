#include "design/input/resolver.h"
#include "design/workload/query.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 256 };

static const char *format_text(struct resolver *self, const char *format, va_list arguments)
{
    char text[REASON_BYTES];
    vsnprintf(text, sizeof text, format, arguments);
    return arena_copy_string(self->arena, text);
}

void resolver_unserved(struct resolver *self, const char *alternative, const char *format, ...)
{
    va_list arguments;
    if (self->unserved != NULL) {
        return;
    }
    va_start(arguments, format);
    self->unserved = format_text(self, format, arguments);
    va_end(arguments);
    self->alternative = alternative;
}

void resolver_searches(struct resolver *self, const char *alternative, const char *format, ...)
{
    va_list arguments;
    if (self->searches != NULL) {
        return;
    }
    va_start(arguments, format);
    self->searches = format_text(self, format, arguments);
    va_end(arguments);
    self->searches_alternative = alternative;
}

void resolver_fail(struct resolver *self, size_t at, const char *format, ...)
{
    va_list arguments;
    if (self->failure != NULL) {
        return;
    }
    va_start(arguments, format);
    self->failure = format_text(self, format, arguments);
    va_end(arguments);
    self->failure_at = at;
}

/* ---------------------------------------------------------------- the statement */

static const void *resolver_keep(struct resolver *self, const struct buffer *list, size_t size,
                                 uint32_t *count)
{
    *count = (uint32_t)(list->length / size);
    return arena_copy(self->arena, list->length > 0 ? list->data : "", list->length);
}

static void make_statement(struct resolver *self, enum workload_kind kind,
                           struct workload_statement *statement)
{
    *statement = (struct workload_statement){.kind = kind, .weight = 1, .limit = self->limit};
    statement->aliases =
        resolver_keep(self, &self->aliases, sizeof(struct workload_alias), &statement->alias_count);
    statement->joins =
        resolver_keep(self, &self->joins, sizeof(struct workload_join), &statement->join_count);
    statement->predicates = resolver_keep(
        self, &self->predicates, sizeof(struct workload_predicate), &statement->predicate_count);
    statement->order =
        resolver_keep(self, &self->order, sizeof(struct workload_order), &statement->order_count);
    statement->fields = resolver_keep(self, &self->fields, sizeof(struct workload_reference),
                                      &statement->field_count);
    statement->group = resolver_keep(self, &self->group, sizeof(struct workload_reference),
                                     &statement->group_count);
    statement->aggregates = self->aggregates;
    statement->distinct = self->distinct;
    statement->unserved = self->unserved;
    statement->alternative = self->alternative;
}

/* The tables of a statement that nothing serves, wherever they are in it. */
static void add_all_tables(struct resolver *self, json_t *node)
{
    const char *member = NULL;
    json_t *value = NULL;
    size_t at = 0;
    const char *name = tree_text(tree_is(node, "RangeVar"), "relname");
    uint32_t entity = graph_find_entity(self->graph, name, strlen(name));
    if (entity != GRAPH_NONE) {
        resolver_add_alias(self, name, entity);
    }
    if (json_is_array(node)) {
        json_array_foreach(node, at, value)
        {
            add_all_tables(self, value);
        }
    } else {
        json_object_foreach(node, member, value)
        {
            add_all_tables(self, value);
        }
    }
}

static bool finds_rows(const struct resolver *self)
{
    const struct workload_predicate *predicates =
        (const struct workload_predicate *)(const void *)self->predicates.data;
    for (uint32_t i = 0; i < self->predicates.length / sizeof *predicates; i++) {
        if (predicates[i].test != WORKLOAD_FILTER) {
            return true;
        }
    }
    return false;
}

bool resolver_run(struct resolver *self, json_t *node, struct workload_statement *statement)
{
    static const struct {
        const char *name;
        enum workload_kind kind;
        void (*run)(struct resolver *self, json_t *body);
    } kinds[] = {{"SelectStmt", WORKLOAD_SELECT, resolver_select},
                 {"InsertStmt", WORKLOAD_INSERT, resolver_insert},
                 {"UpdateStmt", WORKLOAD_UPDATE, resolver_update},
                 {"DeleteStmt", WORKLOAD_DELETE, resolver_delete}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json_t *body = tree_is(node, kinds[i].name);
        if (body == NULL) {
            continue;
        }
        kinds[i].run(self, body);
        if (resolver_goes_on(self)) {
            resolver_join(self);
        }
        if (self->searches != NULL && !finds_rows(self)) {
            resolver_unserved(self, self->searches_alternative, "%s", self->searches);
        }
        if (self->unserved != NULL && resolver_alias_count(self) == 0) {
            add_all_tables(self, body);
        }
        self->no_tables = resolver_alias_count(self) == 0;
        make_statement(self, kinds[i].kind, statement);
        if (statement->unserved == NULL && !query_has_roots(statement)) {
            statement->unserved = "joins that form a circle";
            statement->alternative = "a query for each table";
        }
        return self->failure == NULL && !self->no_tables;
    }
    self->no_tables = true;
    return false;
}

void resolver_free(struct resolver *self)
{
    buffer_free(&self->aliases);
    buffer_free(&self->joins);
    buffer_free(&self->predicates);
    buffer_free(&self->order);
    buffer_free(&self->fields);
    buffer_free(&self->group);
    buffer_free(&self->equalities);
    buffer_free(&self->common_tables);
    buffer_free(&self->semi_joined);
}
