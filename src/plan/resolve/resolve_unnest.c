/* Entities made of a nested list's elements, and those of which equal records are one. */
#include "plan/resolve/resolve.h"
#include "plan/text/tree.h"
#include <string.h>

enum { UNNEST_STEPS_MAX = 16 };

static const char parent_prefix[] = "$parent.";

static void add_step(struct resolver *resolver, struct unnest_builder *unnest, const char *name,
                     size_t length)
{
    const char **step = resolve_add(resolver, &unnest->steps, sizeof *step);
    *step = arena_copy(resolver->arena, name, length);
}

/* "Orders.Lines", or [Orders, Lines] where a name holds a dot. */
static void read_steps(struct resolver *resolver, struct unnest_builder *unnest,
                       const struct plan_node *node)
{
    for (uint32_t i = 0; node->kind == PLAN_NODE_LIST && i < node->count; i++) {
        add_step(resolver, unnest, node->items[i]->text, node->items[i]->length);
    }
    const char *at = node->kind == PLAN_NODE_SCALAR ? node->text : NULL;
    while (at != NULL) {
        const char *dot = strchr(at, '.');
        add_step(resolver, unnest, at, dot != NULL ? (size_t)(dot - at) : strlen(at));
        at = dot != NULL ? dot + 1 : NULL;
    }
}

static void check_steps(struct resolver *resolver, struct entity_builder *entity,
                        const struct plan_node *node)
{
    const struct plan_list *steps = &entity->scope.unnest->steps;
    for (uint32_t i = 0; i < steps->count; i++) {
        if (**(const char **)steps->items[i] == '\0') {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "write FIELD or FIELD.FIELD",
                       "an empty name in the path of a list");
            entity->failed = true;
            return;
        }
    }
    if (steps->count > UNNEST_STEPS_MAX) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                   "a list more than %d names deep", UNNEST_STEPS_MAX);
        entity->failed = true;
    }
}

/* Where rows have columns, the list is in one of them, as a list or as JSON text. */
static void find_column(struct resolver *resolver, struct entity_builder *entity,
                        const struct plan_node *node)
{
    const struct scope root = {.stream = entity->stream,
                               .request = &entity->stream->request,
                               .join = -1,
                               .table = entity->from};
    struct unnest_builder *unnest = entity->scope.unnest;
    const char *name = *(const char **)unnest->steps.items[0];
    struct scope_value value;
    if (!scope_find(resolver, &root, name, node, &value)) {
        entity->failed = true;
        return;
    }
    unnest->column = value.reference.index;
    if (value.type.dynamic || value.type.kind == VALUE_TEXT || value.type.kind == VALUE_JSON ||
        value.type.kind == VALUE_LIST || value.type.kind == VALUE_SET ||
        value.type.kind == VALUE_MAP) {
        return;
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
               "'unnest' takes the elements of lists, and '%s' is %s", name,
               value_kind_name(value.type.kind));
    entity->failed = true;
}

static void add_value(struct resolver *resolver, struct entity_builder *entity, const char *name,
                      enum value_origin origin, enum value_kind kind)
{
    struct scope_value *value = resolve_add(resolver, &entity->scope.values, sizeof *value);
    value->name = name;
    value->reference.origin = origin;
    value->type.kind = kind;
    value->type.dynamic = kind == VALUE_MISSING;
    value->not_null = kind != VALUE_MISSING;
}

void unnest_resolve(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *node = plan_node_get(entity->node, "unnest");
    if (node == NULL) {
        return;
    }
    struct unnest_builder *unnest = resolve_allocate(resolver, 1, sizeof *unnest);
    entity->scope.unnest = unnest;
    entity->scope.table = NULL; /* names mean the elements' fields */
    unnest->root = entity->from;
    unnest->text = node->kind == PLAN_NODE_SCALAR ? node->text : node->items[0]->text;
    read_steps(resolver, unnest, node);
    check_steps(resolver, entity, node);
    unnest->column = MAPPING_NONE;
    if (!resolver->source_documents && !entity->failed) {
        find_column(resolver, entity, node);
    }
    add_value(resolver, entity, "$ordinal", ORIGIN_ORDINAL, VALUE_INT64);
    add_value(resolver, entity, "$value", ORIGIN_ELEMENT, VALUE_MISSING);
}

/* ---------------------------------------------------------------- names */

static uint32_t name_slot(struct resolver *resolver, struct plan_list *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(*(const char **)names->items[i], name) == 0) {
            return i;
        }
    }
    const char **slot = resolve_add(resolver, names, sizeof *slot);
    *slot = name;
    return names->count - 1;
}

static uint32_t level_slot(struct resolver *resolver, struct unnest_builder *unnest, uint32_t step,
                           const char *name)
{
    for (uint32_t i = 0; i < unnest->levels.count; i++) {
        const struct mapping_level *level = unnest->levels.items[i];
        if (level->step == step && strcmp(level->name, name) == 0) {
            return i;
        }
    }
    struct mapping_level *level = resolve_add(resolver, &unnest->levels, sizeof *level);
    *level = (struct mapping_level){step, name};
    return unnest->levels.count - 1;
}

/* How much of "Orders.OrderId" is the way that the path goes: 1 step, and `*rest` is "OrderId". */
static uint32_t follow_steps(const struct unnest_builder *unnest, const char *name,
                             const char **rest)
{
    uint32_t step = 0;
    *rest = name;
    while (step + 1 < unnest->steps.count) {
        const char *wanted = *(const char **)unnest->steps.items[step];
        size_t length = strlen(wanted);
        if (strncmp(*rest, wanted, length) != 0 || (*rest)[length] != '.' ||
            (*rest)[length + 1] == '\0') {
            break;
        }
        *rest += length + 1;
        step++;
    }
    return step;
}

/* A column of the row that the list is in. */
static bool find_parent(struct resolver *resolver, const struct scope *scope, const char *name,
                        struct scope_value *value)
{
    const struct schema_table *root = scope->unnest->root;
    int column = root != NULL ? resolve_find_column(resolver, root, name) : -1;
    value->reference.origin = ORIGIN_PARENT;
    if (column >= 0) {
        value->type = root->columns[column].type;
        value->not_null = root->columns[column].not_null;
    }
    if (resolver->source_documents) {
        value->reference.index = stream_document_slot(resolver, scope->stream, name);
        return true;
    }
    if (column < 0 || root->columns[column].hidden) {
        return false;
    }
    value->reference.index =
        request_column(resolver, scope->request, -1, root->columns[column].name, false);
    return true;
}

bool unnest_find(struct resolver *resolver, const struct scope *scope, const char *name,
                 struct scope_value *value)
{
    struct unnest_builder *unnest = scope->unnest;
    memset(value, 0, sizeof *value);
    value->name = name;
    value->type = (struct value_type){.kind = VALUE_MISSING, .dynamic = true};
    if (strncmp(name, parent_prefix, sizeof parent_prefix - 1) != 0 ||
        name[sizeof parent_prefix - 1] == '\0') {
        value->reference.origin = ORIGIN_COLUMN;
        value->reference.index = name_slot(resolver, &unnest->names, name);
        return true;
    }
    name += sizeof parent_prefix - 1;
    const char *rest;
    uint32_t step = follow_steps(unnest, name, &rest);
    if (step > 0) {
        value->reference.origin = ORIGIN_LEVEL;
        value->reference.index = level_slot(resolver, unnest, step, rest);
        return true;
    }
    return find_parent(resolver, scope, name, value);
}

const struct mapping_unnest *unnest_make(struct resolver *resolver,
                                         const struct unnest_builder *unnest)
{
    if (unnest == NULL) {
        return NULL;
    }
    struct mapping_unnest *made = resolve_allocate(resolver, 1, sizeof *made);
    *made = (struct mapping_unnest){.column = unnest->column, .text = unnest->text};
    const char *const *const *steps =
        resolve_array(resolver, &unnest->steps, sizeof(char *), &made->step_count);
    const char *const *const *names =
        resolve_array(resolver, &unnest->names, sizeof(char *), &made->name_count);
    made->steps = (const char *const *)steps;
    made->names = (const char *const *)names;
    made->levels =
        resolve_array(resolver, &unnest->levels, sizeof(struct mapping_level), &made->level_count);
    return made;
}

/* ---------------------------------------------------------------- distinct */

void distinct_resolve(struct resolver *resolver, struct table_builder *table)
{
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        struct entity_builder *entity = table->entities.items[i];
        const struct plan_node *node = plan_node_get(entity->node, "distinct");
        entity->distinct =
            node != NULL && (plan_node_is_word(node, "true") || plan_node_is_word(node, "True") ||
                             plan_node_is_word(node, "TRUE"));
        distinct += entity->distinct;
        if (entity->distinct && table->target.key.count == 0) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "give the table a key",
                       "without a key no two records of '%s' are told apart", table->name);
        }
    }
    if (distinct > 0 && distinct < table->entities.count) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, table->name_node,
                   "say it of all of them, or give the others a table of their own",
                   "some entities of '%s' say distinct: true, others do not", table->name);
    }
    table->target.distinct = distinct > 0;
}
