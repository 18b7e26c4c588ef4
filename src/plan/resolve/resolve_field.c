/* One field: from what the plan says of it to what the mapper does. */
#include "model/convert.h"
#include "plan/resolve/resolve.h"
#include "plan/words/scalar.h"
#include "plan/words/template.h"
#include <stdio.h>
#include <string.h>

/* The field being made, and around it. */
struct field_maker {
    struct resolver *resolver;
    struct scope *scope;
    struct entity_builder *entity; /* NULL: of a list's items */
    const struct plan_node *key;
    const struct plan_node *node;
    const struct schema_column *column; /* of the scope's table, whose value is taken; NULL: none */
    struct mapping_field field;
    bool failed;
};

bool cast_check(struct resolver *resolver, const struct plan_node *cast,
                const struct mapping_field *field, const struct value_type *to)
{
    const struct value_type *from = &field->type;
    if (from->kind == VALUE_MISSING || from->kind == VALUE_NULL) {
        return true;
    }
    switch (convert_loss(from, to)) {
    case CONVERSION_LOSSY:
        if (!field->allow_loss) {
            plan_fault(&resolver->faults, ERROR_PLAN_LOSSY, cast,
                       "say lossy: allow beside it, or choose another type",
                       "'%s' may lose something: %s (%s) to %s", field->name,
                       value_kind_name(from->kind),
                       from->native != NULL ? from->native : "computed", cast->text);
        }
        return field->allow_loss;
    case CONVERSION_IMPOSSIBLE:
        if (!from->dynamic) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, cast, NULL,
                       "'%s' is %s, which can not become %s", field->name,
                       value_kind_name(from->kind), cast->text);
        }
        return from->dynamic;
    default:
        return true;
    }
}

/* The cast of a text that holds JSON. */
static bool parse_nested(struct resolver *resolver, const struct plan_node *cast,
                         struct value_type *type, bool *good)
{
    bool map = strcmp(cast->text, "map") == 0;
    if (!map && strcmp(cast->text, "list") != 0) {
        return false;
    }
    *type = (struct value_type){.kind = map ? VALUE_MAP : VALUE_LIST};
    *good = resolver->target_nested;
    if (!*good) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, cast, "say cast: json",
                   "the target's columns hold no %s", cast->text);
    }
    return true;
}

/* `from` and `to` beside a cast. */
static bool parse_epoch(struct resolver *resolver, const struct plan_node *beside,
                        struct value_type *type)
{
    const struct plan_node *from = plan_node_get(beside, "from");
    const struct plan_node *to = plan_node_get(beside, "to");
    enum epoch_unit from_unit = scalar_epoch_unit(from != NULL ? from->text : NULL);
    enum epoch_unit to_unit = scalar_epoch_unit(to != NULL ? to->text : NULL);
    bool time =
        type->kind == VALUE_TIMESTAMP || type->kind == VALUE_DATE || type->kind == VALUE_INTERVAL;
    if (from_unit != EPOCH_NONE && !time) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, from,
                   "say cast: timestamp, cast: date or cast: interval",
                   "a number of '%s' becomes a time only", from->text);
        return false;
    }
    if (to_unit != EPOCH_NONE && !value_kind_is_number(type->kind)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, to,
                   "say cast: int64, cast: decimal or cast: float64",
                   "a time becomes a number of '%s' only", to->text);
        return false;
    }
    type->epoch = from_unit != EPOCH_NONE ? from_unit : to_unit;
    type->zoned = type->zoned || (from_unit != EPOCH_NONE && type->kind == VALUE_TIMESTAMP);
    type->zone = type->epoch != EPOCH_NONE ? resolver->plan->time_zone : NULL;
    return true;
}

bool cast_parse(struct resolver *resolver, const struct plan_node *beside, struct value_type *type)
{
    const struct plan_node *cast = plan_node_get(beside, "cast");
    char hint[320];
    bool good = false;
    *type = (struct value_type){.kind = VALUE_MISSING};
    if (parse_nested(resolver, cast, type, &good)) {
        return good;
    }
    if (scalar_parse_type(cast->text, type)) {
        return parse_epoch(resolver, beside, type);
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, cast,
               plan_nearest_hint(cast->text, scalar_cast_names, scalar_cast_name_count, hint,
                                 sizeof hint) != NULL
                   ? hint
                   : "bool, int64, uint64, float32, float64, decimal(p,s), text, bytes, date, "
                     "time, timestamp, interval, uuid, json, map, list",
               "'%s' is no type", cast->text);
    return false;
}

static void resolve_cast(struct field_maker *maker)
{
    const struct plan_node *cast = plan_node_get(maker->node, "cast");
    const struct plan_node *lossy = plan_node_get(maker->node, "lossy");
    struct value_type type;
    maker->field.allow_loss = lossy != NULL;
    if (cast == NULL) {
        return;
    }
    if (!cast_parse(maker->resolver, maker->node, &type)) {
        maker->failed = true;
        return;
    }
    type.plain_strings = type.kind == VALUE_JSON && maker->resolver->source_nested;
    if (maker->field.kind != FIELD_SQL) {
        maker->failed |= !cast_check(maker->resolver, cast, &maker->field, &type);
    }
    maker->field.cast = true;
    maker->field.reason = "by `cast:` in the plan";
    maker->field.type = type;
}

static void resolve_default(struct field_maker *maker)
{
    const struct plan_node *node = plan_node_get(maker->node, "default");
    if (node == NULL) {
        return;
    }
    struct arena *arena = maker->resolver->arena;
    struct cell value;
    if (!resolve_scalar(maker->resolver, node, &value)) {
        maker->failed = true;
        return;
    }
    if (maker->field.cast) {
        struct cell converted;
        struct error error;
        error_clear(&error);
        if (convert_value(&value, &maker->field.type, maker->field.allow_loss, arena, &converted,
                          &error) != STATUS_OK) {
            maker->failed = true;
            plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                       "the default does not fit the cast: %s", error.message);
            return;
        }
        value = converted;
    }
    maker->field.has_default = true;
    maker->field.default_value = value;
}

static void use_value(struct field_maker *maker, const struct scope_value *value)
{
    maker->field.kind = FIELD_VALUE;
    maker->field.value = value->reference;
    maker->field.type = value->type;
    maker->column = value->column;
    maker->field.origin = value->is_root ? value->column : NULL;
    if (maker->scope->documents && maker->scope->unnest == NULL && value->is_root &&
        value->reference.origin == ORIGIN_COLUMN) {
        maker->field.origin_name = value->name;
        maker->field.document_field = value->name;
    }
}

static void resolve_column(struct field_maker *maker, const char *name,
                           const struct plan_node *place)
{
    struct scope_value value;
    if (!scope_find(maker->resolver, maker->scope, name, place, &value)) {
        maker->failed = true;
        return;
    }
    if (plan_node_get(maker->node, "parse") != NULL) {
        if (!parse_resolve(maker->resolver, maker->scope, maker->node, &value)) {
            maker->failed = true;
            return;
        }
    } else if (maker->node->kind == PLAN_NODE_MAP && plan_node_get(maker->node, "take") != NULL) {
        plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, plan_node_get(maker->node, "take"),
                   "say parse: \"TEMPLATE\" beside it", "'take' of what template?");
        maker->failed = true;
        return;
    }
    use_value(maker, &value);
    if (value.reference.origin == ORIGIN_LIST) {
        maker->field.type.kind = maker->resolver->target_nested ? VALUE_LIST : VALUE_JSON;
    }
}

static void resolve_const(struct field_maker *maker, const struct plan_node *node)
{
    maker->field.kind = FIELD_CONST;
    if (!resolve_scalar(maker->resolver, node, &maker->field.constant)) {
        maker->failed = true;
        return;
    }
    maker->field.type = scalar_type(&maker->field.constant);
}

/* SQLite knows no decimals: what it makes of them has to be said. */
static void check_decimals(struct field_maker *maker, const struct plan_node *node)
{
    const struct plan_expression *expression =
        maker->scope->stream->expressions.items[maker->field.expression];
    for (uint32_t i = 0; i < expression->count; i++) {
        struct scope_value value;
        if (scope_find(maker->resolver, maker->scope, expression->names[i], NULL, &value) &&
            value.type.kind == VALUE_DECIMAL && plan_node_get(maker->node, "cast") == NULL) {
            plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, node,
                       "add cast: decimal(10,2) or the like",
                       "'%s' is an exact decimal, an expression over it needs a cast",
                       expression->names[i]);
            maker->failed = true;
        }
    }
}

static void resolve_sql(struct field_maker *maker, const struct plan_node *node)
{
    maker->field.kind = FIELD_SQL;
    maker->field.expression = scope_expression(maker->resolver, maker->scope, node);
    maker->field.type = (struct value_type){.kind = VALUE_MISSING, .dynamic = true};
    if (maker->field.expression == MAPPING_NONE) {
        maker->failed = true;
        return;
    }
    check_decimals(maker, node);
}

/* A look-up or aggregate: scope_collect has resolved it. */
static void resolve_collected(struct field_maker *maker)
{
    struct scope_value value;
    if (!scope_has_value(maker->scope, maker->key->text, &value)) {
        maker->failed = true;
        return;
    }
    use_value(maker, &value);
}

static void resolve_embed(struct field_maker *maker, const struct plan_node *node)
{
    struct list_builder *outer = maker->scope->list;
    struct entity_builder *entity = outer != NULL ? outer->entity : maker->entity;
    if (entity->is_pages) {
        plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, node,
                   "put it into the entity whose list is cut", "pages can not embed lists");
        maker->failed = true;
        return;
    }
    maker->field.kind = FIELD_EMBED;
    maker->field.type.kind = maker->resolver->target_nested ? VALUE_LIST : VALUE_JSON;
    list_resolve(maker->resolver, maker->scope, entity, maker->node, &maker->field);
    maker->failed = maker->field.list == MAPPING_NONE;
}

/* `mail: email` gives every row the word "email", and is meant as a rename. */
static bool is_column_as_word(const struct field_maker *maker)
{
    const struct schema_table *table = maker->scope->table;
    const char *text = maker->node->text;
    bool found = false;
    for (uint32_t i = 0; !maker->node->quoted && table != NULL && i < table->column_count; i++) {
        found = found || (!table->columns[i].hidden && strcmp(table->columns[i].name, text) == 0);
    }
    if (found) {
        char hint[320];
        (void)snprintf(hint, sizeof hint,
                       "write {column: %.80s} for its value, or {const: %.80s} for the word itself",
                       text, text);
        plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, maker->node, hint,
                   "'%s' would be the word '%s' in every record, and a column is named so",
                   maker->key->text, text);
    }
    return found;
}

/* False: the field is not made (dropped). */
static bool resolve_source(struct field_maker *maker)
{
    const struct plan_node *node = maker->node;
    const struct plan_node *part;
    if (node->kind == PLAN_NODE_SCALAR) {
        if (plan_node_is_copy(node)) {
            resolve_column(maker, maker->key->text, maker->key);
        } else {
            maker->field.kind = FIELD_TEMPLATE;
            maker->field.type = (struct value_type){.kind = VALUE_TEXT};
            maker->failed =
                is_column_as_word(maker) ||
                !scope_template(maker->resolver, maker->scope, maker->node, &maker->field.template);
        }
    } else if ((part = plan_node_get(node, "drop")) != NULL) {
        if (!plan_node_is_word(part, "true")) {
            plan_fault(&maker->resolver->faults, ERROR_PLAN_INVALID, part, "write copy to keep it",
                       "drop can only be true");
        }
        return false;
    } else if ((part = plan_node_get(node, "const")) != NULL) {
        resolve_const(maker, part);
    } else if (plan_node_get(node, "lookup") != NULL || plan_node_get(node, "aggregate") != NULL) {
        resolve_collected(maker);
    } else if ((part = plan_node_get(node, "sql")) != NULL) {
        resolve_sql(maker, part);
    } else if ((part = plan_node_get(node, "embed")) != NULL) {
        resolve_embed(maker, part);
    } else if ((part = plan_node_get(node, "column")) != NULL) {
        resolve_column(maker, part->text, part);
    } else {
        return false;
    }
    return true;
}

static bool is_nested(const struct value_type *type)
{
    return type->kind == VALUE_LIST || type->kind == VALUE_SET || type->kind == VALUE_MAP;
}

static void resolve_field_finish(struct field_maker *maker)
{
    struct mapping_field *field = &maker->field;
    bool as_it_is = field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN &&
                    field->when == MAPPING_NONE && !field->has_default && !field->cast;
    bool may_nest = maker->scope->documents || is_nested(&field->type);
    field->direct = as_it_is && (maker->resolver->target_nested || !may_nest);
    if (!as_it_is) {
        field->origin = NULL;
        field->origin_name = NULL;
    } else {
        type_rules_apply(maker->resolver, maker->scope->table, maker->column,
                         maker->entity != NULL ? maker->entity->table : NULL, field);
    }
}

void field_resolve(struct resolver *resolver, struct scope *scope, struct entity_builder *entity,
                   const struct plan_node *key, const struct plan_node *node,
                   enum null_policy nulls, struct plan_list *out)
{
    struct field_maker maker = {.resolver = resolver,
                                .scope = scope,
                                .entity = entity,
                                .key = key,
                                .node = node,
                                .field = {.name = key->text,
                                          .name_length = key->length,
                                          .name_plain = template_is_plain(key->text, key->length),
                                          .expression = MAPPING_NONE,
                                          .when = MAPPING_NONE,
                                          .list = MAPPING_NONE,
                                          .nulls = nulls}};
    if (!resolve_source(&maker)) {
        return;
    }
    if (node->kind == PLAN_NODE_MAP && !maker.failed) {
        resolve_cast(&maker);
        resolve_default(&maker);
        if (maker.field.kind != FIELD_EMBED) {
            const struct plan_node *when = plan_node_get(maker.node, "when");
            if (when != NULL) {
                maker.field.when = scope_expression(maker.resolver, maker.scope, when);
                maker.failed |= maker.field.when == MAPPING_NONE;
            }
        }
    }
    resolve_field_finish(&maker);
    bool untyped = maker.field.type.kind == VALUE_MISSING || maker.field.type.kind == VALUE_NULL;
    if (untyped && maker.failed) {
        maker.field.type.kind = VALUE_TEXT; /* its own fault is enough */
    }
    /* a field that failed stays in the list, so that what names it finds it */
    struct mapping_field *kept = resolve_add(resolver, out, sizeof *kept);
    *kept = maker.field;
}
