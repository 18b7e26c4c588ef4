/* Lists: an embed's path, order, condition and the fields of its items. */
#include "plan/resolve/resolve.h"
#include <string.h>
#include <strings.h>

/* Each level takes two of DynamoDB's 32. */
enum { LIST_DEPTH_MAX = 8 };

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
                                       struct list_builder *outer, const struct plan_node *node,
                                       const char *name)
{
    struct stream_builder *stream = entity->stream;
    struct list_builder *list = resolve_add(resolver, &stream->lists, sizeof *list);
    list->number = stream->lists.count - 1;
    list->entity = entity;
    list->outer = outer;
    list->depth = outer != NULL ? outer->depth + 1 : 1;
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

/* Asks for what tells the rows of a path apart: the keys of the tables that it goes down to. What
 * the engine joins has numbers in the place of presences. */
static const uint32_t *ask_for_keys(struct resolver *resolver, struct request_builder *request,
                                    const struct path *path, uint32_t *count)
{
    struct plan_list cells = {0};
    int32_t join = -1;
    for (uint32_t i = 0; i < path->count; i++) {
        const struct path_step *step = &path->steps[i];
        struct column_list key = {0};
        join = request_join(resolver, request, join, step);
        if (step->many && resolver->source_joins) {
            key = stream_table_key(resolver, step->table);
        } else if (step->many) {
            uint32_t *cell = resolve_add(resolver, &cells, sizeof *cell);
            *cell = request_column(resolver, request, join, NULL, true);
        }
        for (uint32_t k = 0; k < key.count; k++) {
            uint32_t *cell = resolve_add(resolver, &cells, sizeof *cell);
            *cell = request_column(resolver, request, join, key.names[k], false);
        }
    }
    return resolve_array(resolver, &cells, sizeof(uint32_t), count);
}

/* How the rows of the list find the items of the outer one that they belong to. */
static void tie_to_outer(struct resolver *resolver, struct list_builder *list)
{
    struct list_builder *outer = list->outer;
    uint32_t count = 0;
    if (outer->mapping.key == NULL) {
        outer->mapping.key =
            ask_for_keys(resolver, &outer->child->request, &outer->path, &outer->mapping.key_count);
    }
    list->mapping.outer_key = ask_for_keys(resolver, &list->child->request, &outer->path, &count);
}

static bool nests_too_deep(struct resolver *resolver, const struct list_builder *outer,
                           const struct plan_node *node)
{
    if (outer == NULL || outer->depth < LIST_DEPTH_MAX) {
        return false;
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
               "lists within lists are more than %d deep", LIST_DEPTH_MAX);
    return true;
}

static void use_child(struct resolver *resolver, struct list_builder *list)
{
    struct request_builder *request = &list->child->request;
    const struct path *path = &list->path;
    struct scope *scope = list->scope;
    scope->stream = list->entity->stream;
    scope->request = request;
    scope->join = request_path(resolver, request, -1, path);
    scope->table = path->steps[path->count - 1].table;
    scope->documents = resolver->source_documents;
    scope->list = list;
    if (path->down_count < path->count) {
        list->mapping.presence = request_column(resolver, request, scope->join, NULL, true);
    }
    if (list->outer != NULL) {
        tie_to_outer(resolver, list);
    }
}

void list_resolve(struct resolver *resolver, struct scope *scope, struct entity_builder *entity,
                  const struct plan_node *node, struct mapping_field *field)
{
    struct list_builder *outer = scope->list;
    struct path path;
    if (nests_too_deep(resolver, outer, node) ||
        !path_resolve(resolver, scope->table, plan_node_get(node, "embed"),
                      plan_node_get(node, "match"), true, &path)) {
        return;
    }
    const struct schema_table *table = path.steps[path.count - 1].table;
    struct plan_list *orders = resolve_orders(resolver, table, plan_node_get(node, "order"));
    struct list_builder *list = start_list(resolver, entity, outer, node, field->name);
    list->path = outer != NULL ? path_join(resolver, &outer->path, &path) : path;
    list->child = stream_child(resolver, entity->stream, &list->path, orders, false,
                               outer != NULL ? outer->child : NULL);
    use_child(resolver, list);
    resolve_items(resolver, list, plan_node_get(node, "fields"), entity->nulls);
    const struct plan_node *where = plan_node_get(node, "where");
    if (where != NULL) {
        list->mapping.where = scope_expression(resolver, list->scope, where);
    }
    const struct plan_node *when = plan_node_get(node, "when");
    if (when != NULL) {
        list->when = scope_expression(resolver, scope, when);
        field->when = list->when;
    }
    field->list = list->number;
}
