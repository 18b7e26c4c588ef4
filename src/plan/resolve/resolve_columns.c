/* Columns of target tables that declare them, and the shapes of records. */
#include "model/convert.h"
#include "plan/resolve/resolve.h"
#include "plan/words/scalar.h"
#include <string.h>

static const struct plan_node *column_node(const struct table_builder *table, const char *name)
{
    return plan_node_get(plan_node_get(table->node, "columns"), name);
}

const struct plan_node *table_column_type(const struct table_builder *table, const char *name)
{
    return plan_node_get(column_node(table, name), "type");
}

/* The plan gives the column a type of the target's own: values are converted to its kind. */
static void apply_type(struct resolver *resolver, const struct plan_node *type,
                       struct mapping_field *field)
{
    struct value_type native;
    if (!udts_native_type(resolver, type->text, &native)) {
        char hint[320];
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, type,
                   udts_type_hint(resolver, type->text, hint, sizeof hint),
                   "'%s' is no type of this target", type->text);
        return;
    }
    if (native.kind == VALUE_TIMESTAMP && native.zoned) {
        native.zone = resolver->plan->time_zone;
    }
    native.plain_strings = native.kind == VALUE_JSON && resolver->source_nested;
    struct value_type from = field->type;
    if (from.epoch != EPOCH_NONE && from.kind == VALUE_TIMESTAMP &&
        native.kind == VALUE_TIMESTAMP) {
        native.epoch = from.epoch;
        from.zoned = native.zoned; /* a moment that was a number */
    }
    if (from.epoch != EPOCH_NONE && value_kind_is_number(from.kind) &&
        value_kind_is_number(native.kind)) {
        native.epoch = from.epoch; /* a number of a moment */
        native.zone = from.zone;
    }
    bool known = from.kind != VALUE_MISSING && from.kind != VALUE_NULL;
    if (known && !field->allow_loss && convert_loss(&from, &native) == CONVERSION_LOSSY) {
        plan_fault(&resolver->faults, ERROR_PLAN_LOSSY, type,
                   "say lossy: allow at the field, or choose another type",
                   "'%s' may lose something: %s (%s) to %s", field->name,
                   value_kind_name(from.kind), from.native != NULL ? from.native : "computed",
                   type->text);
    }
    bool moves = native.kind == VALUE_TIMESTAMP && native.zoned && !from.zoned &&
                 (native.zone != NULL || field->allow_loss);
    if (native.kind != from.kind || moves) {
        field->cast = true;
        field->direct = false;
    }
    field->type = native;
}

static void settle_type(struct resolver *resolver, const struct table_builder *table,
                        const struct entity_builder *entity, struct mapping_field *field)
{
    const struct plan_node *type = table_column_type(table, field->name);
    if (type != NULL) {
        field->reason = "by `columns:` in the plan";
    }
    type = type != NULL ? type : field->type_rule;
    if (resolver->target_sql && type != NULL) {
        apply_type(resolver, type, field);
        return;
    }
    if (!resolver->same_words || field->origin == NULL ||
        (table->whole == NULL && !carry_understood(resolver, field->origin).type)) {
        field->type.native = NULL;
    }
    if (field->origin == NULL) {
        field->type.bits = 0;
    }
    if (field->type.kind != VALUE_MISSING && field->type.kind != VALUE_NULL) {
        return;
    }
    if (resolver->target_sql && field->kind != FIELD_CONST) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node,
                   "add cast: text (or int64, decimal(10,2) …), or columns: { NAME: { type: … } }",
                   "the type of '%s' is not known, the target has to declare it", field->name);
    }
    /* a target that declares keys alone learns from the records what they are */
    field->type.kind = resolver->target_sql ? VALUE_TEXT : VALUE_MISSING;
    field->type.dynamic = true;
}

/* The source's column holds moments in several spellings, in words and as numbers: a target that
 * declares its columns takes but one, and documents stay as they are. */
static void read_moments(const struct resolver *resolver, struct mapping_field *field)
{
    const struct value_type *from = field->origin != NULL ? &field->origin->type : NULL;
    bool documents = (resolver->target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    if (from != NULL && !field->cast && resolver->target_sql && !documents &&
        !resolver->same_engine && from->kind == VALUE_TIMESTAMP && from->zoned &&
        from->zone != NULL && from->dynamic) {
        field->type = *from;
        field->type.native = NULL;
        field->type.dynamic = false;
        field->cast = true;
        field->direct = false;
    }
}

/* Digits of a second that the target does not keep are rounded off where the plan allows it. */
static void round_seconds(const struct resolver *resolver, struct mapping_field *field)
{
    const struct connector_limits *limits = &resolver->target->limits;
    struct value_type *type = &field->type;
    const struct second_digits none = {0};
    const struct second_digits digits = type->kind == VALUE_TIMESTAMP ? limits->timestamp_digits
                                        : type->kind == VALUE_TIME    ? limits->time_digits
                                                                      : none;
    if (!field->allow_loss || digits.most == 0 || type->epoch != EPOCH_NONE) {
        return;
    }
    uint8_t fraction = (uint8_t)(type->fraction == 0 ? digits.usual + 1 : type->fraction);
    type->fraction = fraction > digits.most + 1 ? (uint8_t)(digits.most + 1) : fraction;
    field->cast = true;
    field->direct = false;
}

/* True for columns of key or indexes: all that key-value stores declare. */
static bool is_indexed(const struct table_builder *table, const char *name)
{
    for (uint32_t i = 0; i < table->target.key.count; i++) {
        if (strcmp(table->target.key.names[i], name) == 0) {
            return true;
        }
    }
    for (uint32_t i = 0; i < table->target.index_count; i++) {
        const struct column_list *columns = &table->target.indexes[i].columns;
        for (uint32_t j = 0; j < columns->count; j++) {
            if (strcmp(columns->names[j], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The table's columns while they are collected. */
struct collecting {
    struct plan_list columns;  /* struct schema_column */
    struct plan_list entities; /* uint32_t: how many entities have the column of the same place */
    struct name_index names;
};

/* The place of the column of that name; the end of the list: it is new there. */
static uint32_t place_of(struct resolver *resolver, struct collecting *collecting, const char *name)
{
    collecting->names.arena = resolver->arena;
    uint32_t place =
        name_index_add(&collecting->names, name, strlen(name), collecting->columns.count);
    return place != NAME_INDEX_NONE ? place : collecting->columns.count;
}

/* The column takes the words of the source's engine for it, as far as the type bears them. */
static void take_words(struct resolver *resolver, const struct table_builder *table,
                       const struct mapping_field *field, struct schema_column *column)
{
    const struct schema_column *origin = field->origin;
    const char *default_text = origin->generated == GENERATED_NO ? origin->default_text : NULL;
    if (field->type.kind == origin->type.kind) {
        column->default_text = default_text;
        column->collation = origin->collation;
        column->identity = origin->identity;
    } else if (default_text != NULL) {
        resolve_note_left(resolver, "default", 1, table->name,
                          "the default of '%s' (%s) is left out: it is of another type",
                          field->name, default_text);
    }
}

static bool is_derived(const struct mapping_field *field)
{
    return field->origin != NULL && field->origin->generated != GENERATED_NO;
}

static void add_column(struct resolver *resolver, const struct table_builder *table,
                       const struct mapping_field *field, struct collecting *collecting)
{
    struct schema_column *column = resolve_add(resolver, &collecting->columns, sizeof *column);
    uint32_t *entities = resolve_add(resolver, &collecting->entities, sizeof *entities);
    *entities = 1;
    const struct plan_node *null = plan_node_get(column_node(table, field->name), "null");
    column->name = field->name;
    column->type = field->type;
    bool empties = (field->zero_is_null || field->empty_is_null) && !field->has_default;
    column->not_null = field->origin != NULL && field->origin->not_null && !empties;
    column->derived = is_derived(field);
    if (null != NULL) {
        column->not_null = plan_node_is_word(null, "false");
        if (field->is_key && !column->not_null) {
            plan_fault(
                &resolver->faults, ERROR_PLAN_INVALID, null, "take the column out of the key",
                "'%s' is in the key of table '%s', it can't be null", field->name, table->name);
        }
    }
    column->not_null |= field->is_key;
    if (resolver->same_engine && field->origin != NULL) {
        take_words(resolver, table, field, column);
    }
}

int32_t type_size_of_both(int32_t one, int32_t other)
{
    return one == 0 || other == 0 ? 0 : one > other ? one : other;
}

/* As many digits as numbers of the type may have before the point; 0: any number of them. */
static int32_t whole_digits(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_INT64:
        return type->bits == 0 || type->bits > 32 ? 19 : type->bits > 16 ? 10 : 5;
    case VALUE_UINT64:
        return 20;
    case VALUE_DECIMAL:
        return type->precision - (type->precision > 0 ? type->scale : 0);
    default:
        return 0;
    }
}

static bool is_float(enum value_kind kind)
{
    return kind == VALUE_FLOAT32 || kind == VALUE_FLOAT64;
}

/* A type of numbers that holds those of both, of which one is of another kind. */
static void widen_number(struct value_type *type, const struct value_type *other)
{
    bool floats = is_float(type->kind) && is_float(other->kind);
    bool limited = !is_float(type->kind) && !is_float(other->kind) &&
                   (type->kind != VALUE_DECIMAL || type->precision > 0) &&
                   (other->kind != VALUE_DECIMAL || other->precision > 0);
    int32_t whole = whole_digits(type);
    int32_t other_whole = whole_digits(other);
    int32_t scale = type->kind == VALUE_DECIMAL ? type->scale : 0;
    int32_t other_scale = other->kind == VALUE_DECIMAL ? other->scale : 0;
    *type = (struct value_type){.kind = floats ? VALUE_FLOAT64 : VALUE_DECIMAL,
                                .dynamic = type->dynamic || other->dynamic};
    if (limited) {
        type->scale = scale > other_scale ? scale : other_scale;
        type->precision = (whole > other_whole ? whole : other_whole) + type->scale;
    }
}

/* A type of the same kind that holds the values of both. */
static void widen_type(struct value_type *type, const struct value_type *other)
{
    int32_t whole = type->precision - type->scale;
    int32_t other_whole = other->precision - other->scale;
    bool limited = type->precision > 0 && other->precision > 0;
    type->bits = (uint8_t)type_size_of_both(type->bits, other->bits);
    if (type->kind == VALUE_DECIMAL) {
        type->scale = limited && other->scale < type->scale ? type->scale : other->scale;
        type->precision = limited ? (whole > other_whole ? whole : other_whole) + type->scale : 0;
    } else {
        type->precision = type_size_of_both(type->precision, other->precision);
    }
    type->dynamic |= other->dynamic;
    bool alike = type->native == other->native || (type->native != NULL && other->native != NULL &&
                                                   strcmp(type->native, other->native) == 0);
    type->native = alike ? type->native : NULL;
}

/* Two entities with one field of the same name. */
static void merge_column(struct resolver *resolver, const struct table_builder *table,
                         const struct entity_builder *entity, const struct mapping_field *field,
                         struct schema_column *column)
{
    column->not_null &= field->is_key || (field->origin != NULL && field->origin->not_null);
    enum value_kind kind = field->type.kind;
    if (kind == column->type.kind) {
        widen_type(&column->type, &field->type);
        return;
    }
    if (value_kind_is_number(kind) && value_kind_is_number(column->type.kind)) {
        widen_number(&column->type, &field->type);
        return;
    }
    if (!resolver->target_sql && is_indexed(table, field->name) && !column->type.dynamic &&
        !field->type.dynamic) {
        plan_fault(
            &resolver->faults, ERROR_PLAN_INVALID, entity->name_node, "make it a template in both",
            "the key field '%s' is %s in '%s' and %s in another entity of table '%s'", field->name,
            value_kind_name(kind), entity->name, value_kind_name(column->type.kind), table->name);
    } else if (resolver->target_sql) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, entity->name_node, "cast one of them",
                   "the column '%s' is %s in '%s' and %s in another entity of table '%s'",
                   field->name, value_kind_name(kind), entity->name,
                   value_kind_name(column->type.kind), table->name);
    }
}

/* Key fields that "*" takes from documents: where the source's catalogue knows their types. */
static void add_known_keys(struct resolver *resolver, const struct table_builder *table,
                           const struct entity_builder *entity, struct collecting *collecting)
{
    for (uint32_t i = 0; i < entity->from->column_count; i++) {
        const struct schema_column *from = &entity->from->columns[i];
        if (from->type.kind == VALUE_MISSING || !is_indexed(table, from->name) ||
            entity_field(entity, from->name) != NULL ||
            place_of(resolver, collecting, from->name) < collecting->columns.count) {
            continue;
        }
        struct schema_column *column = resolve_add(resolver, &collecting->columns, sizeof *column);
        *column = (struct schema_column){
            .name = from->name, .type = from->type, .not_null = from->not_null};
    }
}

static void collect_fields(struct resolver *resolver, struct table_builder *table,
                           struct entity_builder *entity, struct collecting *collecting)
{
    for (uint32_t j = 0; j < entity->fields.count && !resolve_stopped(resolver); j++) {
        struct mapping_field *field = entity->fields.items[j];
        settle_type(resolver, table, entity, field);
        read_moments(resolver, field);
        round_seconds(resolver, field);
        if (!resolver->target_sql && !is_indexed(table, field->name)) {
            continue;
        }
        uint32_t place = place_of(resolver, collecting, field->name);
        if (place == collecting->columns.count) {
            add_column(resolver, table, field, collecting);
        } else {
            struct schema_column *column = collecting->columns.items[place];
            merge_column(resolver, table, entity, field, column);
            column->derived = column->derived && is_derived(field);
            (*(uint32_t *)collecting->entities.items[place])++;
        }
    }
}

static void collect_columns(struct resolver *resolver, struct table_builder *table,
                            struct collecting *collecting)
{
    for (uint32_t i = 0; i < table->entities.count; i++) {
        collect_fields(resolver, table, table->entities.items[i], collecting);
    }
    /* a column that an entity does not have is NULL in its records */
    for (uint32_t i = 0; i < collecting->entities.count; i++) {
        if (*(const uint32_t *)collecting->entities.items[i] < table->entities.count) {
            ((struct schema_column *)collecting->columns.items[i])->not_null = false;
        }
    }
    for (uint32_t i = 0; !resolver->target_sql && i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        if (entity->document_star && entity->from != NULL) {
            add_known_keys(resolver, table, entity, collecting);
        }
    }
}

static void check_named_columns(struct resolver *resolver, const struct table_builder *table)
{
    const struct plan_node *columns = plan_node_get(table->node, "columns");
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        if (!table_has_field(table, columns->keys[i]->text)) {
            table_fault_field(resolver, table, columns->keys[i], columns->keys[i]->text,
                              "the column");
        }
    }
}

/* ---------------------------------------------------------------- shapes */

static void make_shape(struct resolver *resolver, const struct table_builder *table,
                       struct entity_builder *entity)
{
    uint32_t count = entity->document_star ? 0 : entity->fields.count;
    struct shape *shape = resolve_allocate(resolver, 1, sizeof *shape);
    struct shape_field *fields = resolve_allocate(resolver, count + (size_t)1, sizeof *fields);
    uint32_t *key = resolve_allocate(resolver, table->target.key.count + (size_t)1, sizeof *key);
    shape->name = entity->name;
    shape->fields = fields;
    shape->field_count = count;
    shape->key_fields = key;
    for (uint32_t i = 0; i < count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        fields[i].name = field->name;
        fields[i].name_length = field->name_length;
        fields[i].type = field->type;
    }
    for (uint32_t i = 0; i < table->target.key.count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (strcmp(fields[j].name, table->target.key.names[i]) == 0) {
                key[shape->key_field_count++] = j;
                break;
            }
        }
    }
    entity->shape = shape;
}

void columns_resolve(struct resolver *resolver, struct table_builder *table)
{
    struct collecting collecting = {0};
    check_named_columns(resolver, table);
    collect_columns(resolver, table, &collecting);
    table->target.columns = resolve_array(
        resolver, &collecting.columns, sizeof(struct schema_column), &table->target.column_count);
    for (uint32_t i = 0; i < table->entities.count; i++) {
        make_shape(resolver, table, table->entities.items[i]);
    }
}
