/* Lists: an embed's path, order, condition and the fields of its items. */
#include "plan/resolve.h"
#include <string.h>
#include <strings.h>

static bool ends_with_word(const char *text, const char *word, size_t *rest)
{
    size_t length = strlen(text);
    size_t word_length = strlen(word);
    if (length <= word_length + 1 || strcasecmp(text + length - word_length, word) != 0 ||
        text[length - word_length - 1] != ' ') {
        return false;
    }
    *rest = length - word_length - 1;
    while (*rest > 0 && text[*rest - 1] == ' ') {
        (*rest)--;
    }
    return *rest > 0;
}

static void keep_order(struct resolver *resolver, struct plan_list *orders, const char *name,
                       bool descending)
{
    struct read_order *order = resolve_add(resolver, orders, sizeof *order);
    order->name = name;
    order->descending = descending;
}

/* "TrackId", "Total desc": a name that is a column as it stands wins. */
static void add_order(struct resolver *resolver, const struct schema_table *table,
                      const struct plan_node *node, struct plan_list *orders)
{
    size_t rest = node->length;
    bool descending = false;
    int index = resolve_find_column(resolver, table, node->text);
    if (index < 0 &&
        (ends_with_word(node->text, "desc", &rest) || ends_with_word(node->text, "asc", &rest))) {
        descending = strcasecmp(node->text + node->length - 4, "desc") == 0;
        char *name = arena_copy(resolver->arena, node->text, rest);
        index = resolve_find_column(resolver, table, name);
        if (index < 0 && resolver->source_documents) {
            keep_order(resolver, orders, name, descending);
            return;
        }
    }
    if (index < 0 && resolver->source_documents) {
        keep_order(resolver, orders, node->text, false);
        return;
    }
    if (index < 0) {
        const char **names =
            resolve_allocate(resolver, table->column_count + (size_t)1, sizeof *names);
        char hint[320];
        for (uint32_t i = 0; i < table->column_count; i++) {
            names[i] = table->columns[i].name;
        }
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   plan_nearest_hint(node->text, names, table->column_count, hint, sizeof hint),
                   "%s has no column '%s' to order by", table->name, node->text);
        return;
    }
    keep_order(resolver, orders, table->columns[index].name, descending);
}

static struct plan_list *resolve_orders(struct resolver *resolver, const struct schema_table *table,
                                        const struct plan_node *node)
{
    struct plan_list *orders = resolve_allocate(resolver, 1, sizeof *orders);
    if (node == NULL) {
        return orders;
    }
    if (node->kind == PLAN_NODE_SCALAR) {
        add_order(resolver, table, node, orders);
        return orders;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        add_order(resolver, table, node->items[i], orders);
    }
    return orders;
}

/* "*": the columns of the list's table, or all that its documents hold. */
static void resolve_items_star(struct resolver *resolver, struct list_builder *list,
                               const struct plan_node *fields, enum null_policy nulls)
{
    if (!resolver->source_documents) {
        star_resolve(resolver, list->scope, NULL, fields, nulls, &list->fields, false);
        return;
    }
    list->mapping.document =
        request_column(resolver, list->scope->request, list->scope->join, "", false);
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        const char **name = resolve_add(resolver, &list->star_except, sizeof *name);
        *name = fields->keys[i]->text;
    }
}

static void resolve_items(struct resolver *resolver, struct list_builder *list,
                          const struct plan_node *fields, enum null_policy nulls)
{
    scope_collect(resolver, list->scope, fields, false);
    if (fields == NULL) {
        resolve_items_star(resolver, list, NULL, nulls);
        return;
    }
    for (uint32_t i = 0; i < fields->count && !resolve_stopped(resolver); i++) {
        if (strcmp(fields->keys[i]->text, "*") == 0) {
            resolve_items_star(resolver, list, fields, nulls);
        } else {
            field_resolve(resolver, list->scope, NULL, fields->keys[i], fields->items[i], nulls,
                          &list->fields);
        }
    }
}

static struct list_builder *start_list(struct resolver *resolver, struct entity_builder *entity,
                                       const struct plan_node *node, const char *name)
{
    struct stream_builder *stream = entity->stream;
    struct list_builder *list = resolve_add(resolver, &stream->lists, sizeof *list);
    list->number = stream->lists.count - 1;
    list->entity = entity;
    list->node = node;
    list->field_name = name;
    list->mapping.text = name;
    list->mapping.where = MAPPING_NONE;
    list->mapping.presence = MAPPING_NONE;
    list->mapping.document = MAPPING_NONE;
    list->when = MAPPING_NONE;
    list->scope = resolve_allocate(resolver, 1, sizeof *list->scope);
    return list;
}

void list_resolve(struct resolver *resolver, struct entity_builder *entity,
                  const struct plan_node *node, struct mapping_field *field)
{
    struct path path;
    if (!path_resolve(resolver, entity->scope.table, plan_node_get(node, "embed"),
                      plan_node_get(node, "match"), true, &path)) {
        return;
    }
    const struct schema_table *table = path.steps[path.count - 1].table;
    struct plan_list *orders = resolve_orders(resolver, table, plan_node_get(node, "order"));
    struct list_builder *list = start_list(resolver, entity, node, field->name);
    list->child = stream_child(resolver, entity->stream, &path, orders, false);
    struct request_builder *request = &list->child->request;
    list->scope->stream = entity->stream;
    list->scope->request = request;
    list->scope->join = request_path(resolver, request, -1, &path);
    list->scope->table = table;
    list->scope->documents = resolver->source_documents;
    if (path.down_count < path.count) {
        list->mapping.presence = request_column(resolver, request, list->scope->join, NULL, true);
    }
    resolve_items(resolver, list, plan_node_get(node, "fields"), entity->nulls);
    const struct plan_node *where = plan_node_get(node, "where");
    if (where != NULL) {
        list->mapping.where = scope_expression(resolver, list->scope, where);
    }
    const struct plan_node *when = plan_node_get(node, "when");
    if (when != NULL) {
        list->when = scope_expression(resolver, &entity->scope, when);
        field->when = list->when;
    }
    field->list = list->number;
}
