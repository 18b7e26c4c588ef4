/* `types:` of a plan: rules for the types of all columns that are taken as they are. */
#include "base/text.h"
#include "model/convert.h"
#include "plan/resolve/resolve.h"
#include "plan/words/scalar.h"
#include <ctype.h>

struct type_rule {
    const struct plan_node *name;
    const char *table; /* patterns; NULL: any */
    const char *column;
    const char *from; /* the source's own types, in small letters */
    const char *kind;
    const struct plan_node *cast;
    const struct plan_node *type;
    struct value_type becomes;     /* by `cast` */
    const struct plan_node *given; /* by `default`; NULL: nothing */
    bool lossy;
    bool empty; /* texts become null */
    bool drop;
    bool used;
    bool forestalled; /* an earlier rule held where it fits */
};

/* In small letters. */
static const char *small_letters(struct resolver *resolver, const char *text)
{
    char *copy = arena_copy_string(resolver->arena, text);
    for (char *at = copy; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return copy;
}

static const char *text_of(const struct plan_node *node, const char *key)
{
    const struct plan_node *part = plan_node_get(node, key);
    return part != NULL ? part->text : NULL;
}

/* ---------------------------------------------------------------- reading */

static bool is_some_kind(const char *pattern)
{
    for (int kind = VALUE_BOOL; kind < VALUE_LARGE; kind++) {
        if (text_matches(pattern, value_kind_name((enum value_kind)kind))) {
            return true;
        }
    }
    return false;
}

/* The rule says what its columns become, or that they are left out. */
static bool says_type(const struct type_rule *rule)
{
    return rule->cast != NULL || rule->type != NULL || rule->drop;
}

static void check_rule(struct resolver *resolver, const struct type_rule *rule,
                       const struct plan_node *node)
{
    if (rule->table == NULL && rule->column == NULL && rule->from == NULL && rule->kind == NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->name,
                   "say table: PATTERN, column: PATTERN, from: TYPE or kind: KIND",
                   "the rule '%s' does not say which columns it is for", rule->name->text);
    }
    if (rule->kind != NULL && !is_some_kind(rule->kind)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, plan_node_get(node, "kind"),
                   "types of the source's own are said by from: TYPE", "'%s' is no kind",
                   rule->kind);
    }
    bool fills = rule->given != NULL || rule->empty;
    if (!says_type(rule) && !fills) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->name,
                   "say cast: KIND, or type: a type of the target's own; or default: VALUE, "
                   "empty: null or drop: true",
                   "the rule '%s' does not say what its columns become", rule->name->text);
    }
    if (rule->drop && (rule->cast != NULL || rule->type != NULL || fills)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->name, "say drop: true alone",
                   "the rule '%s' leaves its columns out, so that they become nothing else",
                   rule->name->text);
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
    bool rules = types != NULL && types->kind == PLAN_NODE_MAP; /* else the word keep */
    for (uint32_t i = 0; rules && i < types->count; i++) {
        const struct plan_node *node = types->items[i];
        struct type_rule *rule = resolve_add(resolver, &resolver->type_rules, sizeof *rule);
        const char *from = text_of(node, "from");
        from = scalar_epoch_unit(from) != EPOCH_NONE ? NULL : from;
        *rule = (struct type_rule){.name = types->keys[i],
                                   .table = text_of(node, "table"),
                                   .column = text_of(node, "column"),
                                   .from = from != NULL ? small_letters(resolver, from) : NULL,
                                   .kind = text_of(node, "kind"),
                                   .cast = plan_node_get(node, "cast"),
                                   .type = plan_node_get(node, "type"),
                                   .given = plan_node_get(node, "default"),
                                   .lossy = plan_node_get(node, "lossy") != NULL,
                                   .empty = plan_node_get(node, "empty") != NULL,
                                   .drop = plan_node_is_word(plan_node_get(node, "drop"), "true")};
        check_rule(resolver, rule, node);
        if (rule->cast != NULL) {
            (void)cast_parse(resolver, node, &rule->becomes);
        }
    }
}

void type_rules_note_unused(struct resolver *resolver)
{
    for (uint32_t i = 0; i < resolver->type_rules.count; i++) {
        const struct type_rule *rule = resolver->type_rules.items[i];
        if (rule->used) {
            continue;
        }
        if (rule->forestalled) {
            resolve_note(resolver, true, rule->name->text,
                         "an earlier rule holds for all columns that this rule of types fits");
            continue;
        }
        bool means_kind = rule->from != NULL && is_some_kind(rule->from);
        resolve_note(resolver, true, rule->name->text,
                     "this rule of types fits no column that is copied as it is%s%s%s",
                     means_kind ? ": the source has no type of that name, `kind: " : "",
                     means_kind ? rule->from : "", means_kind ? "` means the kind" : "");
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
    if (rule->kind != NULL && !text_matches(rule->kind, value_kind_name(column->type.kind))) {
        return false;
    }
    return rule->from == NULL ||
           (column->type.native != NULL &&
            text_matches(rule->from, small_letters(resolver, column->type.native)));
}

/* The first rule of each sort that fits a column; NULL: none. */
struct chosen {
    struct type_rule *type; /* says what it becomes */
    struct type_rule *given;
    struct type_rule *empty;
};

/* The store in which a virtual table keeps its rows is read by itself alone, and has to stay as it
 * is. */
static struct chosen resolve_types_choose(struct resolver *resolver,
                                          const struct schema_table *table,
                                          const struct schema_column *column)
{
    struct chosen chosen = {0};
    bool is_store = resolver->same_engine && table->belongs_to != NULL;
    for (uint32_t i = 0; !is_store && i < resolver->type_rules.count; i++) {
        struct type_rule *rule = resolver->type_rules.items[i];
        if (!fits(resolver, rule, table, column)) {
            continue;
        }
        bool type = says_type(rule) && chosen.type == NULL;
        bool given = rule->given != NULL && chosen.given == NULL;
        bool empty = rule->empty && chosen.empty == NULL;
        chosen.type = type ? rule : chosen.type;
        chosen.given = given ? rule : chosen.given;
        chosen.empty = empty ? rule : chosen.empty;
        rule->forestalled |= !type && !given && !empty;
    }
    return chosen;
}

bool type_rules_touch(struct resolver *resolver, const struct schema_table *table)
{
    for (uint32_t i = 0; resolver->type_rules.count > 0 && i < table->column_count; i++) {
        const struct chosen chosen = resolve_types_choose(resolver, table, &table->columns[i]);
        if (chosen.type != NULL || chosen.given != NULL || chosen.empty != NULL) {
            return true;
        }
    }
    return false;
}

static void apply_cast(struct resolver *resolver, const struct type_rule *rule,
                       struct mapping_field *field)
{
    (void)cast_check(resolver, rule->cast, field, &rule->becomes);
    /* Two values may become one: a unique key of them is none any more. */
    field->merges |=
        field->allow_loss && convert_loss(&field->type, &rule->becomes) > CONVERSION_WIDENED;
    field->cast = true;
    field->direct = false;
    field->type = rule->becomes;
    field->reason = resolve_format(resolver, "by the rule %s under `types:`", rule->name->text);
}

/* In place of nulls, so that two values may become one. */
static void apply_default(struct resolver *resolver, const struct type_rule *rule,
                          struct mapping_field *field)
{
    const struct value_type *type = &field->type;
    struct cell value;
    struct error error;
    error_clear(&error);
    if (!resolve_scalar(resolver, rule->given, &value)) {
        return;
    }
    field->default_value = value;
    bool known = type->kind != VALUE_MISSING && type->kind != VALUE_NULL && !type->dynamic;
    if (known && value.kind != VALUE_NULL &&
        convert_value(&value, type, field->allow_loss, resolver->arena, &field->default_value,
                      &error) != STATUS_OK) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, rule->given, NULL,
                   "the default does not fit %s: %s", field->name, error.message);
    }
}

/* Does the plan give the type of the target table's column? */
static bool is_typed(const struct resolver *resolver, const struct table_builder *target,
                     const struct mapping_field *field)
{
    return target != NULL && resolver->target_sql && table_column_type(target, field->name) != NULL;
}

/* The type that the column gets by the rule. */
static void apply_type(struct resolver *resolver, struct type_rule *rule,
                       struct mapping_field *field)
{
    field->allow_loss |= rule->lossy;
    field->type_rule = rule->type;
    if (rule->type != NULL) {
        field->reason = resolve_format(resolver, "by the rule %s under `types:`", rule->name->text);
    }
    if (rule->cast != NULL && rule->becomes.kind != VALUE_MISSING) {
        apply_cast(resolver, rule, field);
    }
}

static void note_used(struct type_rule *rule)
{
    if (rule != NULL) {
        rule->used = true;
    }
}

bool type_rules_drop(struct resolver *resolver, const struct schema_table *table,
                     const struct schema_column *column)
{
    struct type_rule *rule = resolve_types_choose(resolver, table, column).type;
    bool drops = rule != NULL && rule->drop;
    if (drops) {
        rule->used = true;
    }
    return drops;
}

void type_rules_apply(struct resolver *resolver, const struct schema_table *table,
                      const struct schema_column *column, const struct table_builder *target,
                      struct mapping_field *field)
{
    bool rules = table != NULL && column != NULL;
    const struct chosen chosen =
        rules ? resolve_types_choose(resolver, table, column) : (struct chosen){.type = NULL};
    note_used(chosen.given);
    note_used(chosen.empty);
    field->has_default = chosen.given != NULL;
    field->empty_is_null = chosen.empty != NULL;
    field->merges = field->has_default || field->empty_is_null;
    field->direct &= !field->merges;
    /* a column that the plan names is not left out */
    if (chosen.type == NULL || chosen.type->drop) {
        /* The column becomes what another engine has for such. */
        if (!is_typed(resolver, target, field)) {
            own_apply(resolver, table, column, target, field);
        }
    } else {
        chosen.type->used = true;
        if (!is_typed(resolver, target, field)) {
            apply_type(resolver, chosen.type, field);
        }
    }
    if (chosen.given != NULL) {
        apply_default(resolver, chosen.given, field);
    }
}
