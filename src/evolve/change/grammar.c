#include "evolve/change/grammar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HINT_BYTES = 200, NAMES_MAX = 32 };

const struct change_shape *change_shape_of(const char *kind)
{
    for (uint32_t i = 0; i < change_shape_count; i++) {
        if (strcmp(change_shapes[i].name, kind) == 0) {
            return &change_shapes[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- values */

/* As the contract has it. */
static struct change_value make_value(const struct plan_node *node, struct arena *arena)
{
    struct change_value value = {.line = node->line, .column = node->column, .count = node->count};
    if (node->kind == PLAN_NODE_SCALAR) {
        bool null = plan_node_is_null(node);
        value.kind = null ? CHANGE_NULL : CHANGE_TEXT;
        value.text = null ? NULL : arena_copy(arena, node->text, node->length);
        value.count = 0;
        return value;
    }
    bool map = node->kind == PLAN_NODE_MAP;
    struct change_value *items = arena_allocate_zeroed(arena, node->count + 1, sizeof(*items));
    const char **keys = map ? arena_allocate_zeroed(arena, node->count + 1, sizeof(*keys)) : NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        items[i] = make_value(node->items[i], arena);
        if (map) {
            keys[i] = arena_copy_string(arena, node->keys[i]->text);
        }
    }
    value.kind = map ? CHANGE_MAP : CHANGE_LIST;
    value.items = items;
    value.keys = keys;
    return value;
}

/* ---------------------------------------------------------------- checking */

static void check_map(const struct plan_node *node, const struct change_shape *shape,
                      struct plan_faults *faults);

static bool is_truth(const struct plan_node *node)
{
    return plan_node_is_word(node, "true") || plan_node_is_word(node, "false");
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = choices; at != NULL;) {
        const char *bar = strchr(at, '|');
        size_t size = bar == NULL ? strlen(at) : (size_t)(bar - at);
        /* Words of SQL, which are written in capitals, are taken in either. */
        bool is_word = at[0] >= 'A' && at[0] <= 'Z';
        if (size == length &&
            (is_word ? strncasecmp(at, text, size) : strncmp(at, text, size)) == 0) {
            return true;
        }
        at = bar == NULL ? NULL : bar + 1;
    }
    return false;
}

static bool is_list_of(const struct plan_node *node, enum plan_node_kind kind)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->items[i]->kind != kind || plan_node_is_null(node->items[i])) {
            return false;
        }
    }
    return node->kind == PLAN_NODE_LIST;
}

static bool is_map_of_texts(const struct plan_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->items[i]->kind != PLAN_NODE_SCALAR || plan_node_is_null(node->items[i])) {
            return false;
        }
    }
    return node->kind == PLAN_NODE_MAP;
}

static const char *form_name(uint32_t forms)
{
    return (forms & CHANGE_FORM_MAPS) != 0    ? "a list of maps"
           : (forms & CHANGE_FORM_NAMES) != 0 ? "a list of names"
           : (forms & CHANGE_FORM_TEXT) != 0  ? "a text"
           : (forms & CHANGE_FORM_TRUTH) != 0 ? "true or false"
           : (forms & CHANGE_FORM_TEXTS) != 0 ? "a map of texts"
                                              : "a map";
}

static void check_value(const struct plan_node *node, const struct change_field *field,
                        struct plan_faults *faults)
{
    uint32_t forms = field->forms;
    bool null = plan_node_is_null(node);
    bool text = node->kind == PLAN_NODE_SCALAR && !null;
    if ((forms & CHANGE_FORM_MAP) != 0 && node->kind == PLAN_NODE_MAP) {
        check_map(node, field->shape, faults);
    } else if ((forms & CHANGE_FORM_MAPS) != 0 && is_list_of(node, PLAN_NODE_MAP)) {
        for (uint32_t i = 0; i < node->count; i++) {
            check_map(node->items[i], field->shape, faults);
        }
        if (node->count == 0) {
            plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL, "%s is empty", field->name);
        }
    } else if ((forms & CHANGE_FORM_TEXT) != 0 && text) {
        if (field->choices != NULL && !is_choice(field->choices, node->text)) {
            plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL, "%s is one of %s, not '%s'",
                       field->name, field->choices, node->text);
        }
    } else if (!((forms & CHANGE_FORM_TRUTH) != 0 && is_truth(node)) &&
               !((forms & CHANGE_FORM_NULL) != 0 && null) &&
               !((forms & CHANGE_FORM_NAMES) != 0 && is_list_of(node, PLAN_NODE_SCALAR)) &&
               !((forms & CHANGE_FORM_TEXTS) != 0 && is_map_of_texts(node))) {
        plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL, "%s is %s", field->name,
                   form_name(forms));
    }
}

static const struct change_field *field_of(const struct change_shape *shape, const char *name)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        if (strcmp(shape->fields[i].name, name) == 0) {
            return &shape->fields[i];
        }
    }
    return NULL;
}

static void unknown_field(const struct plan_node *key, const struct change_shape *shape,
                          struct plan_faults *faults)
{
    const char *names[NAMES_MAX];
    char hint[HINT_BYTES];
    for (uint32_t i = 0; i < shape->count; i++) {
        names[i] = shape->fields[i].name;
    }
    plan_fault(faults, ERROR_CHANGE_INVALID, key,
               plan_nearest_hint(key->text, names, shape->count, hint, sizeof(hint)),
               "%s has no '%s'", shape->name, key->text);
}

/* The fields that a constraint needs by its type, and a column of an index by itself. */
static void check_needs(const struct plan_node *node, const struct change_shape *shape,
                        struct plan_faults *faults)
{
    static const struct {
        const char *type;
        const char *field;
    } needs[] = {{"unique", "columns"}, {"primary_key", "columns"},    {"foreign_key", "columns"},
                 {"check", "check"},    {"foreign_key", "references"}, {"exclude", "exclude"}};
    bool constraint = field_of(shape, "exclude") != NULL;
    const char *type = plan_node_text(plan_node_get(node, "type"));
    for (size_t i = 0; constraint && type != NULL && i < sizeof(needs) / sizeof(*needs); i++) {
        if (strcmp(type, needs[i].type) == 0 && plan_node_get(node, needs[i].field) == NULL) {
            plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL,
                       "a constraint of type %s needs '%s'", type, needs[i].field);
        }
    }
    bool index_column = field_of(shape, "opclass") != NULL;
    if (index_column && plan_node_get(node, "column") == NULL &&
        plan_node_get(node, "expression") == NULL) {
        plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL,
                   "a column of an index needs 'column' or 'expression'");
    }
}

static void check_map(const struct plan_node *node, const struct change_shape *shape,
                      struct plan_faults *faults)
{
    check_needs(node, shape, faults);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct change_field *field = field_of(shape, node->keys[i]->text);
        if (field == NULL) {
            unknown_field(node->keys[i], shape, faults);
        } else {
            check_value(node->items[i], field, faults);
        }
    }
    for (uint32_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].required && plan_node_get(node, shape->fields[i].name) == NULL) {
            plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL, "%s needs '%s'", shape->name,
                       shape->fields[i].name);
        }
    }
}

static void unknown_operation(const struct plan_node *key, struct plan_faults *faults)
{
    const char *names[NAMES_MAX];
    char hint[HINT_BYTES];
    for (uint32_t i = 0; i < change_shape_count; i++) {
        names[i] = change_shapes[i].name;
    }
    plan_fault(faults, ERROR_CHANGE_INVALID, key,
               plan_nearest_hint(key->text, names, change_shape_count, hint, sizeof(hint)),
               "there is no operation '%s'", key->text);
}

void change_read_operation(const struct plan_node *node, struct arena *arena,
                           struct change_operation *operation, struct plan_faults *faults)
{
    *operation = (struct change_operation){.kind = ""};
    if (node->kind != PLAN_NODE_MAP || node->count != 1) {
        plan_fault(faults, ERROR_CHANGE_INVALID, node, NULL,
                   "an operation is one name with its fields: `- add_column: { … }`");
        return;
    }
    const struct change_shape *shape = change_shape_of(node->keys[0]->text);
    if (shape == NULL) {
        unknown_operation(node->keys[0], faults);
        return;
    }
    if (node->items[0]->kind != PLAN_NODE_MAP) {
        plan_fault(faults, ERROR_CHANGE_INVALID, node->items[0], NULL, "%s is a map of fields",
                   shape->name);
        return;
    }
    check_map(node->items[0], shape, faults);
    operation->kind = shape->name;
    operation->value = make_value(node->items[0], arena);
}
