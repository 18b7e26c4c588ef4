/* `types:` of a plan: rules for the types of all columns that are taken as they are. */
#include "base/text.h"
#include "model/convert.h"
#include "plan/resolve.h"
#include "plan/scalar.h"
#include <ctype.h>
#include <string.h>

struct type_rule {
    const struct plan_node *name;
    const char *table; /* patterns; NULL: any */
    const char *column;
    const char *from; /* in small letters */
    const struct plan_node *cast;
    const struct plan_node *type;
    struct value_type kind; /* of `cast` */
    bool lossy;
    bool used;
};

/* In small letters; "" when memory is out. */
static const char *small_letters(struct resolver *resolver, const char *text)
{
    char *copy = arena_copy_string(resolver->arena, text);
    resolver->out_of_memory |= copy == NULL;
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return copy != NULL ? copy : "";
}

static const char *text_of(const struct plan_node *node, const char *key)
{
    const struct plan_node *part = plan_node_get(node, key);
    return part != NULL ? part->text : NULL;
}

/* ---------------------------------------------------------------- reading */

static void check_rule(struct resolver *resolver, const struct type_rule *rule,
                       const struct plan_node *node)
{
    if (rule->table == NULL && rule->column == NULL && rule->from == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->name,
                   "say table: PATTERN, column: PATTERN or from: TYPE",
                   "the rule '%s' does not say which columns it is for", rule->name->text);
    }
    if (rule->cast == NULL && rule->type == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->name,
                   "say cast: KIND, or type: a type of the target's own",
                   "the rule '%s' does not say what its columns become", rule->name->text);
    }
    if (rule->type != NULL && !resolver->target_sql) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->type, "say cast: KIND",
                   "the columns of this target have no types of their own");
    }
    if (resolver->source_documents) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "say cast: KIND at the fields",
                   "rules of types are for sources whose columns have types");
    }
}

void type_rules_resolve(struct resolver *resolver)
{
    const struct plan_node *types =
        resolver->document != NULL ? plan_node_get(resolver->document->root, "types") : NULL;
    for (uint32_t i = 0; types != NULL && i < types->count; i++) {
        const struct plan_node *node = types->items[i];
        struct type_rule *rule = resolve_add(resolver, &resolver->type_rules, sizeof *rule);
        const char *from = text_of(node, "from");
        if (rule == NULL) {
            return;
        }
        *rule = (struct type_rule){.name = types->keys[i],
                                   .table = text_of(node, "table"),
                                   .column = text_of(node, "column"),
                                   .from = from != NULL ? small_letters(resolver, from) : NULL,
                                   .cast = plan_node_get(node, "cast"),
                                   .type = plan_node_get(node, "type"),
                                   .lossy = plan_node_get(node, "lossy") != NULL};
        check_rule(resolver, rule, node);
        if (rule->cast != NULL) {
            (void)cast_parse(resolver, rule->cast, &rule->kind);
        }
    }
}

void type_rules_note_unused(struct resolver *resolver)
{
    for (uint32_t i = 0; i < resolver->type_rules.count; i++) {
        const struct type_rule *rule = resolver->type_rules.items[i];
        if (!rule->used) {
            resolve_note(resolver, true, rule->name->text,
                         "this rule of types fits no column that is copied as it is");
        }
    }
}

/* ---------------------------------------------------------------- applying */

static bool fits(struct resolver *resolver, const struct type_rule *rule,
                 const struct schema_table *table, const struct schema_column *column)
{
    if ((rule->table != NULL && !text_matches(rule->table, table->name)) ||
        (rule->column != NULL && !text_matches(rule->column, column->name))) {
        return false;
    }
    return rule->from == NULL || text_matches(rule->from, value_kind_name(column->type.kind)) ||
           (column->type.native != NULL &&
            text_matches(rule->from, small_letters(resolver, column->type.native)));
}

/* The first that fits; NULL: none. */
static struct type_rule *find_rule(struct resolver *resolver, const struct schema_table *table,
                                   const struct schema_column *column)
{
    for (uint32_t i = 0; i < resolver->type_rules.count; i++) {
        if (fits(resolver, resolver->type_rules.items[i], table, column)) {
            return resolver->type_rules.items[i];
        }
    }
    return NULL;
}

bool type_rules_touch(struct resolver *resolver, const struct schema_table *table)
{
    for (uint32_t i = 0; resolver->type_rules.count > 0 && i < table->column_count; i++) {
        if (find_rule(resolver, table, &table->columns[i]) != NULL) {
            return true;
        }
    }
    return false;
}

void type_rules_apply(struct resolver *resolver, const struct schema_table *table,
                      const struct schema_column *column, struct mapping_field *field)
{
    struct type_rule *rule =
        table != NULL && column != NULL ? find_rule(resolver, table, column) : NULL;
    if (rule == NULL) {
        return;
    }
    rule->used = true;
    field->allow_loss = rule->lossy;
    field->type_rule = rule->type;
    if (rule->cast == NULL || rule->kind.kind == VALUE_MISSING) {
        return;
    }
    (void)cast_check(resolver, rule->cast, field, &rule->kind);
    field->cast = true;
    field->direct = false;
    field->type = rule->kind;
    if (rule->lossy) {
        field->origin = NULL; /* two values may become one: a key of them is none any more */
    }
}
