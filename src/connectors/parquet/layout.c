/* The columns of a file: from the types of a table, and from the schema of a file. */
#include "connectors/parquet/parquet.h"

#include "model/batch.h"
#include <string.h>

enum { INT32_DIGITS = 9, INT64_DIGITS = 18, UUID_BYTES = 16, INTERVAL_BYTES = 12, HALF_BYTES = 2 };
enum { MICROSECOND_FRACTION = 1 + 6, MILLISECOND_FRACTION = 1 + 3, NANOSECOND_FRACTION = 1 + 9 };

size_t parquet_value_size(const struct parquet_node *node)
{
    switch (node->physical) {
    case CARQUET_PHYSICAL_BOOLEAN:
        return 1;
    case CARQUET_PHYSICAL_INT32:
    case CARQUET_PHYSICAL_FLOAT:
        return 4;
    case CARQUET_PHYSICAL_INT64:
    case CARQUET_PHYSICAL_DOUBLE:
        return 8;
    case CARQUET_PHYSICAL_INT96:
        return 12;
    case CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY:
        return (size_t)node->width;
    case CARQUET_PHYSICAL_BYTE_ARRAY:
        break;
    }
    return sizeof(carquet_byte_array_t);
}

/* ---------------------------------------------------------------- levels and leaves */

static uint32_t count_leaves(const struct parquet_node *node)
{
    uint32_t count = node->form == PARQUET_VALUE ? 1 : 0;
    for (uint32_t at = 0; at < node->child_count; at++) {
        count += count_leaves(&node->children[at]);
    }
    return count;
}

static void place_node(struct parquet_layout *layout, struct parquet_node *node, int16_t definition,
                       int16_t repetition)
{
    node->present = (int16_t)(definition + (node->optional ? 1 : 0));
    node->leaf = layout->leaf_count;
    bool repeats = node->form == PARQUET_LIST || node->form == PARQUET_MAP;
    node->repeats = (int16_t)(repetition + (repeats ? 1 : 0));
    if (node->form == PARQUET_VALUE) {
        layout->leaves[layout->leaf_count++] = (struct parquet_leaf){
            .node = node, .definition_max = node->present, .repetition_max = repetition};
    }
    for (uint32_t at = 0; at < node->child_count; at++) {
        place_node(layout, &node->children[at], (int16_t)(node->present + (repeats ? 1 : 0)),
                   node->repeats);
    }
    node->leaf_count = layout->leaf_count - node->leaf;
}

static void finish_layout(struct parquet_layout *layout, struct arena *arena)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < layout->column_count; at++) {
        count += count_leaves(&layout->columns[at]);
    }
    layout->leaves = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*layout->leaves));
    layout->leaf_count = 0;
    for (uint32_t at = 0; at < layout->column_count; at++) {
        place_node(layout, &layout->columns[at], 0, 0);
    }
}

/* ---------------------------------------------------------------- what is written */

static void layout_choose(struct parquet_node *node, carquet_physical_type_t physical,
                          carquet_logical_type_id_t logical, int32_t width)
{
    node->physical = physical;
    node->logical.id = logical;
    node->width = width;
}

static void choose_text(struct parquet_node *node)
{
    layout_choose(node, CARQUET_PHYSICAL_BYTE_ARRAY, CARQUET_LOGICAL_STRING, 0);
}

static void choose_integer(struct parquet_node *node, uint8_t bits)
{
    if (bits == 0 || bits > 32) {
        layout_choose(node, CARQUET_PHYSICAL_INT64, CARQUET_LOGICAL_UNKNOWN, 0);
        return;
    }
    layout_choose(node, CARQUET_PHYSICAL_INT32, CARQUET_LOGICAL_INTEGER, 0);
    node->logical.params.integer.bit_width = (int8_t)(bits <= 8 ? 8 : bits <= 16 ? 16 : 32);
    node->logical.params.integer.is_signed = true;
}

/* Bytes that hold every number of so many digits, with its sign. */
static int32_t bytes_of_digits(int32_t digits)
{
    return (int32_t)(((int64_t)digits * 3321929 / 1000000 + 2 + 7) / 8);
}

static void choose_decimal(struct parquet_node *node)
{
    int32_t precision = node->type.precision;
    if (precision < 1 || precision > PARQUET_DECIMAL_DIGITS_MAX || node->type.scale < 0 ||
        node->type.scale > precision) {
        choose_text(node);
        return;
    }
    if (precision <= INT32_DIGITS) {
        layout_choose(node, CARQUET_PHYSICAL_INT32, CARQUET_LOGICAL_DECIMAL, 0);
    } else if (precision <= INT64_DIGITS) {
        layout_choose(node, CARQUET_PHYSICAL_INT64, CARQUET_LOGICAL_DECIMAL, 0);
    } else {
        layout_choose(node, CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY, CARQUET_LOGICAL_DECIMAL,
                      bytes_of_digits(precision));
    }
    node->logical.params.decimal.precision = precision;
    node->logical.params.decimal.scale = node->type.scale;
}

static carquet_time_unit_t unit_of(const struct parquet_database *database,
                                   const struct value_type *type)
{
    if (database->unit_given) {
        return database->unit;
    }
    return type->fraction > MICROSECOND_FRACTION ? CARQUET_TIME_UNIT_NANOS
                                                 : CARQUET_TIME_UNIT_MICROS;
}

static void choose_time(const struct parquet_database *database, struct parquet_node *node)
{
    if (node->type.zoned || node->type.length) {
        choose_text(node);
        return;
    }
    carquet_time_unit_t unit = unit_of(database, &node->type);
    layout_choose(
        node, unit == CARQUET_TIME_UNIT_MILLIS ? CARQUET_PHYSICAL_INT32 : CARQUET_PHYSICAL_INT64,
        CARQUET_LOGICAL_TIME, 0);
    node->logical.params.time.unit = unit;
}

static void choose_value(const struct parquet_database *database, struct parquet_node *node)
{
    switch (node->type.kind) {
    case VALUE_BOOL:
        layout_choose(node, CARQUET_PHYSICAL_BOOLEAN, CARQUET_LOGICAL_UNKNOWN, 0);
        break;
    case VALUE_INT64:
        choose_integer(node, node->type.bits);
        break;
    case VALUE_UINT64:
        layout_choose(node, CARQUET_PHYSICAL_INT64, CARQUET_LOGICAL_INTEGER, 0);
        node->logical.params.integer.bit_width = 64;
        break;
    case VALUE_FLOAT32:
        layout_choose(node, CARQUET_PHYSICAL_FLOAT, CARQUET_LOGICAL_UNKNOWN, 0);
        break;
    case VALUE_FLOAT64:
        layout_choose(node, CARQUET_PHYSICAL_DOUBLE, CARQUET_LOGICAL_UNKNOWN, 0);
        break;
    case VALUE_DECIMAL:
        choose_decimal(node);
        break;
    case VALUE_BYTES:
        layout_choose(node, CARQUET_PHYSICAL_BYTE_ARRAY, CARQUET_LOGICAL_UNKNOWN, 0);
        break;
    case VALUE_DATE:
        layout_choose(node, CARQUET_PHYSICAL_INT32, CARQUET_LOGICAL_DATE, 0);
        break;
    case VALUE_TIME:
        choose_time(database, node);
        break;
    case VALUE_TIMESTAMP:
        layout_choose(node, CARQUET_PHYSICAL_INT64, CARQUET_LOGICAL_TIMESTAMP, 0);
        node->logical.params.timestamp.unit = unit_of(database, &node->type);
        node->logical.params.timestamp.is_adjusted_to_utc = node->type.zoned;
        break;
    case VALUE_UUID:
        layout_choose(node, CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY, CARQUET_LOGICAL_UUID,
                      UUID_BYTES);
        break;
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        layout_choose(node, CARQUET_PHYSICAL_BYTE_ARRAY, CARQUET_LOGICAL_JSON, 0);
        break;
    default:
        choose_text(node);
        break;
    }
}

static void plan_node(const struct parquet_database *database, const char *name,
                      const struct value_type *type, bool required, uint32_t depth,
                      struct arena *arena, struct parquet_node *node);

static void plan_record(const struct parquet_database *database, uint32_t depth,
                        struct arena *arena, struct parquet_node *node)
{
    const struct shape *fields = node->type.fields;
    node->form = PARQUET_RECORD;
    node->child_count = fields->field_count;
    node->children = arena_allocate_zeroed(arena, fields->field_count, sizeof(*node->children));
    for (uint32_t at = 0; at < fields->field_count; at++) {
        const struct shape_field *field = &fields->fields[at];
        plan_node(database, arena_copy(arena, field->name, field->name_length), &field->type, false,
                  depth + 1, arena, &node->children[at]);
    }
}

static void plan_elements(const struct parquet_database *database, uint32_t depth,
                          struct arena *arena, struct parquet_node *node)
{
    bool map = node->type.kind == VALUE_MAP;
    node->form = map ? PARQUET_MAP : PARQUET_LIST;
    node->child_count = map ? 2 : 1;
    node->children = arena_allocate_zeroed(arena, 2, sizeof(*node->children));
    if (map) {
        plan_node(database, "key", node->type.key, true, depth + 1, arena, &node->children[0]);
    }
    plan_node(database, map ? "value" : "element", node->type.element, false, depth + 1, arena,
              &node->children[map ? 1 : 0]);
}

/* A nested type without a known type within is JSON. */
static void plan_node(const struct parquet_database *database, const char *name,
                      const struct value_type *type, bool required, uint32_t depth,
                      struct arena *arena, struct parquet_node *node)
{
    bool list = type->kind == VALUE_LIST || type->kind == VALUE_SET;
    bool map = type->kind == VALUE_MAP;
    *node = (struct parquet_node){.name = name, .type = *type, .optional = !required};
    if (depth < PARQUET_DEPTH_MAX && map && type->fields != NULL && type->fields->field_count > 0) {
        plan_record(database, depth, arena, node);
    } else if (depth < PARQUET_DEPTH_MAX && type->element != NULL &&
               (list || (map && type->key != NULL))) {
        plan_elements(database, depth, arena, node);
    } else {
        choose_value(database, node);
    }
}

void parquet_layout_of_columns(const struct parquet_database *database,
                               const struct schema_column *columns, uint32_t count,
                               const bool *required, struct arena *arena,
                               struct parquet_layout *layout)
{
    *layout = (struct parquet_layout){.column_count = count};
    layout->columns = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*layout->columns));
    for (uint32_t at = 0; at < count; at++) {
        plan_node(database, columns[at].name, &columns[at].type, required[at], 1, arena,
                  &layout->columns[at]);
    }
    finish_layout(layout, arena);
}

static bool add_node(carquet_schema_t *schema, const struct parquet_node *node, int32_t parent)
{
    carquet_field_repetition_t repetition =
        node->optional ? CARQUET_REPETITION_OPTIONAL : CARQUET_REPETITION_REQUIRED;
    int32_t group = 0;
    switch (node->form) {
    case PARQUET_VALUE:
        return carquet_schema_add_column(
                   schema, node->name, node->physical,
                   node->logical.id != CARQUET_LOGICAL_UNKNOWN ? &node->logical : NULL, repetition,
                   node->width, parent) == CARQUET_OK;
    case PARQUET_RECORD:
        group = carquet_schema_add_group(schema, node->name, repetition, parent);
        break;
    case PARQUET_LIST:
        group = carquet_schema_add_list_group(schema, node->name, repetition, parent);
        break;
    case PARQUET_MAP:
        group = carquet_schema_add_map_group(schema, node->name, repetition, parent);
        break;
    }
    bool done = group > 0;
    for (uint32_t at = 0; done && at < node->child_count; at++) {
        done = add_node(schema, &node->children[at], group);
    }
    return done;
}

carquet_schema_t *parquet_layout_schema(const struct parquet_layout *layout)
{
    carquet_schema_t *schema = carquet_schema_create(NULL);
    for (uint32_t at = 0; schema != NULL && at < layout->column_count; at++) {
        if (!add_node(schema, &layout->columns[at], 0)) {
            carquet_schema_free(schema);
            schema = NULL;
        }
    }
    return schema;
}

/* ---------------------------------------------------------------- what a file has */

/* An element of a file's schema, as it stands there. */
struct raw_node {
    const carquet_schema_node_t *element;
    const char *name;
    bool leaf;
    struct raw_node *first;
    struct raw_node *last;
    struct raw_node *next;
    uint32_t child_count;
};

/*
 * The elements stand in depth-first order, and carquet tells of leaves alone how deep they are: the
 * groups before one are its last ancestors.
 */
static bool build_tree(const carquet_schema_t *schema, struct arena *arena, struct raw_node *root)
{
    int32_t count = carquet_schema_num_elements(schema);
    int32_t leaf = 0;
    struct raw_node *ancestors[PARQUET_DEPTH_MAX + 2] = {root};
    const char *path[PARQUET_DEPTH_MAX + 2];
    for (int32_t begin = 1; begin < count;) {
        int32_t end = begin;
        while (end < count &&
               !carquet_schema_node_is_leaf(carquet_schema_get_element(schema, end))) {
            end++;
        }
        int32_t depth =
            end < count ? carquet_schema_column_path(schema, leaf++, path, PARQUET_DEPTH_MAX + 2)
                        : 0;
        int32_t level = depth - (end - begin);
        if (depth < 1 || depth > PARQUET_DEPTH_MAX || level < 1) {
            return false;
        }
        for (; begin <= end; begin++, level++) {
            struct raw_node *parent = ancestors[level - 1];
            struct raw_node *node = arena_allocate_zeroed(arena, 1, sizeof(*node));
            node->element = carquet_schema_get_element(schema, begin);
            node->name = arena_copy_string(arena, carquet_schema_node_name(node->element));
            node->leaf = begin == end;
            /* the very element that carquet takes for the leaf, not one that only looks like it */
            bool same = !node->leaf || carquet_schema_column_name(schema, leaf - 1) ==
                                           carquet_schema_node_name(node->element);
            if (parent == NULL || parent->leaf || !same) {
                return false;
            }
            *(parent->last != NULL ? &parent->last->next : &parent->first) = node;
            parent->last = node;
            parent->child_count++;
            ancestors[level] = node;
        }
    }
    return root->child_count > 0;
}

static carquet_logical_type_id_t logical_of(const struct raw_node *raw)
{
    const carquet_logical_type_t *logical = carquet_schema_node_logical_type(raw->element);
    return logical != NULL ? logical->id : CARQUET_LOGICAL_UNKNOWN;
}

static struct value_type type_of_integer(const carquet_logical_type_t *logical, uint8_t bits)
{
    struct value_type type = {.kind = VALUE_INT64, .bits = bits};
    if (logical->id != CARQUET_LOGICAL_INTEGER) {
        return type;
    }
    int8_t width = logical->params.integer.bit_width;
    if (logical->params.integer.is_signed) {
        type.bits = (uint8_t)(width < 64 ? width : 0);
    } else if (width == 64) {
        type = (struct value_type){.kind = VALUE_UINT64};
    } else {
        type.bits = width == 8 ? 16 : width == 16 ? 32 : 0;
    }
    return type;
}

static uint8_t fraction_of(carquet_time_unit_t unit)
{
    return unit == CARQUET_TIME_UNIT_MILLIS   ? MILLISECOND_FRACTION
           : unit == CARQUET_TIME_UNIT_MICROS ? MICROSECOND_FRACTION
                                              : NANOSECOND_FRACTION;
}

static struct value_type type_without_logical(const struct parquet_node *node)
{
    switch (node->physical) {
    case CARQUET_PHYSICAL_BOOLEAN:
        return (struct value_type){.kind = VALUE_BOOL};
    case CARQUET_PHYSICAL_INT32:
        return type_of_integer(&node->logical, 32);
    case CARQUET_PHYSICAL_INT64:
        return type_of_integer(&node->logical, 0);
    case CARQUET_PHYSICAL_INT96:
        return (struct value_type){.kind = VALUE_TIMESTAMP, .fraction = NANOSECOND_FRACTION};
    case CARQUET_PHYSICAL_FLOAT:
        return (struct value_type){.kind = VALUE_FLOAT32};
    case CARQUET_PHYSICAL_DOUBLE:
        return (struct value_type){.kind = VALUE_FLOAT64};
    case CARQUET_PHYSICAL_BYTE_ARRAY:
    case CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY:
        break;
    }
    return (struct value_type){.kind = VALUE_BYTES};
}

/* A logical type upon a physical one that it can't stand on counts for nothing. */
static struct value_type type_of_value(const struct parquet_node *node)
{
    const carquet_logical_type_t *logical = &node->logical;
    bool bytes = node->physical == CARQUET_PHYSICAL_BYTE_ARRAY;
    bool fixed = node->physical == CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY;
    bool small = node->physical == CARQUET_PHYSICAL_INT32;
    bool large = node->physical == CARQUET_PHYSICAL_INT64;
    if (bytes && (logical->id == CARQUET_LOGICAL_STRING || logical->id == CARQUET_LOGICAL_ENUM)) {
        return (struct value_type){.kind = VALUE_TEXT};
    }
    if (bytes && logical->id == CARQUET_LOGICAL_JSON) {
        return (struct value_type){.kind = VALUE_JSON};
    }
    if (small && logical->id == CARQUET_LOGICAL_DATE) {
        return (struct value_type){.kind = VALUE_DATE};
    }
    if ((small || large) && logical->id == CARQUET_LOGICAL_TIME) {
        return (struct value_type){.kind = VALUE_TIME,
                                   .fraction = fraction_of(logical->params.time.unit)};
    }
    if (large && logical->id == CARQUET_LOGICAL_TIMESTAMP) {
        return (struct value_type){.kind = VALUE_TIMESTAMP,
                                   .zoned = logical->params.timestamp.is_adjusted_to_utc,
                                   .fraction = fraction_of(logical->params.timestamp.unit)};
    }
    if ((small || large || bytes || fixed) && logical->id == CARQUET_LOGICAL_DECIMAL &&
        logical->params.decimal.scale >= 0 &&
        logical->params.decimal.precision >= logical->params.decimal.scale) {
        return (struct value_type){.kind = VALUE_DECIMAL,
                                   .precision = logical->params.decimal.precision,
                                   .scale = logical->params.decimal.scale};
    }
    if (fixed && logical->id == CARQUET_LOGICAL_UUID && node->width == UUID_BYTES) {
        return (struct value_type){.kind = VALUE_UUID};
    }
    if (fixed && logical->id == CARQUET_LOGICAL_INTERVAL && node->width == INTERVAL_BYTES) {
        return (struct value_type){.kind = VALUE_INTERVAL};
    }
    if (fixed && logical->id == CARQUET_LOGICAL_FLOAT16 && node->width == HALF_BYTES) {
        return (struct value_type){.kind = VALUE_FLOAT32};
    }
    return type_without_logical(node);
}

static void read_node(const struct raw_node *raw, bool as_element, struct arena *arena,
                      struct parquet_node *node);

static void read_value(const struct raw_node *raw, struct parquet_node *node)
{
    const carquet_logical_type_t *logical = carquet_schema_node_logical_type(raw->element);
    node->form = PARQUET_VALUE;
    node->physical = carquet_schema_node_physical_type(raw->element);
    node->width = carquet_schema_node_type_length(raw->element);
    if (logical != NULL) {
        node->logical = *logical;
    }
    node->type = type_of_value(node);
    if (node->type.kind == VALUE_BYTES && node->logical.id != CARQUET_LOGICAL_UNKNOWN &&
        node->physical == CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY) {
        node->logical.id = CARQUET_LOGICAL_UNKNOWN;
    }
}

static void read_record(const struct raw_node *raw, struct arena *arena, struct parquet_node *node)
{
    uint32_t at = 0;
    node->form = PARQUET_RECORD;
    node->type = (struct value_type){.kind = VALUE_MAP};
    node->child_count = raw->child_count;
    node->children = arena_allocate_zeroed(arena, raw->child_count, sizeof(*node->children));
    struct shape *fields = arena_allocate_zeroed(arena, 1, sizeof(*fields));
    struct shape_field *list = arena_allocate_zeroed(arena, raw->child_count, sizeof(*list));
    for (const struct raw_node *child = raw->first; child != NULL; child = child->next, at++) {
        read_node(child, false, arena, &node->children[at]);
        list[at] = (struct shape_field){child->name, (uint32_t)strlen(child->name),
                                        node->children[at].type};
    }
    *fields = (struct shape){.name = raw->name, .fields = list, .field_count = raw->child_count};
    node->type.fields = fields;
}

static void read_list(const struct raw_node *element, bool as_element, struct arena *arena,
                      struct parquet_node *node)
{
    node->form = PARQUET_LIST;
    node->child_count = 1;
    node->children = arena_allocate_zeroed(arena, 1, sizeof(*node->children));
    read_node(element, as_element, arena, &node->children[0]);
    node->type = (struct value_type){.kind = VALUE_LIST, .element = &node->children[0].type};
}

static void read_map(const struct raw_node *pair, struct arena *arena, struct parquet_node *node)
{
    node->form = PARQUET_MAP;
    node->child_count = 2;
    node->children = arena_allocate_zeroed(arena, 2, sizeof(*node->children));
    read_node(pair->first, false, arena, &node->children[0]);
    read_node(pair->last, false, arena, &node->children[1]);
    node->type = (struct value_type){
        .kind = VALUE_MAP, .key = &node->children[0].type, .element = &node->children[1].type};
}

static bool is_repeated(const struct raw_node *raw)
{
    return carquet_schema_node_repetition(raw->element) == CARQUET_REPETITION_REPEATED;
}

/* By the rules of the format for older files: is the repeated group of a list its element? */
static bool is_own_element(const struct raw_node *list, const struct raw_node *repeated)
{
    size_t length = strlen(list->name);
    return repeated->leaf || repeated->child_count > 1 || strcmp(repeated->name, "array") == 0 ||
           (strncmp(repeated->name, list->name, length) == 0 &&
            strcmp(repeated->name + length, "_tuple") == 0);
}

static void read_group(const struct raw_node *raw, struct arena *arena, struct parquet_node *node)
{
    carquet_logical_type_id_t logical = logical_of(raw);
    const struct raw_node *only = raw->child_count == 1 ? raw->first : NULL;
    bool repeats = only != NULL && is_repeated(only);
    if (logical == CARQUET_LOGICAL_LIST && repeats) {
        bool own = is_own_element(raw, only);
        read_list(own ? only : only->first, own, arena, node);
    } else if (logical == CARQUET_LOGICAL_MAP && repeats && !only->leaf && only->child_count == 2) {
        read_map(only, arena, node);
    } else {
        read_record(raw, arena, node);
    }
}

/* `as_element`: its repetition is that of the list that it is the element of. */
static void read_node(const struct raw_node *raw, bool as_element, struct arena *arena,
                      struct parquet_node *node)
{
    carquet_field_repetition_t repetition = carquet_schema_node_repetition(raw->element);
    node->optional = !as_element && repetition == CARQUET_REPETITION_OPTIONAL;
    if (!as_element && repetition == CARQUET_REPETITION_REPEATED) {
        read_list(raw, true, arena, node);
    } else if (raw->leaf) {
        read_value(raw, node);
    } else {
        read_group(raw, arena, node);
    }
    node->name = raw->name;
}

/* The same levels as carquet's, leaf by leaf: else a value would be taken for another's. */
static bool levels_agree(const carquet_schema_t *schema, const struct parquet_layout *layout)
{
    bool agree = carquet_schema_num_columns(schema) == (int32_t)layout->leaf_count;
    for (uint32_t at = 0; agree && at < layout->leaf_count; at++) {
        const struct parquet_leaf *leaf = &layout->leaves[at];
        agree = carquet_schema_max_def_level(schema, (int32_t)at) == leaf->definition_max &&
                carquet_schema_max_rep_level(schema, (int32_t)at) == leaf->repetition_max &&
                (leaf->node->physical != CARQUET_PHYSICAL_FIXED_LEN_BYTE_ARRAY ||
                 leaf->node->width > 0);
    }
    return agree;
}

void parquet_layout_of_file(const carquet_schema_t *schema, struct arena *arena,
                            struct parquet_layout *layout, const char **refused)
{
    struct raw_node root = {0};
    uint32_t at = 0;
    *layout = (struct parquet_layout){0};
    *refused = NULL;
    if (!build_tree(schema, arena, &root)) {
        *refused = "its schema has no columns, a group without fields, or is nested too deeply";
        return;
    }
    layout->column_count = root.child_count;
    layout->columns = arena_allocate_zeroed(arena, root.child_count, sizeof(*layout->columns));
    for (const struct raw_node *raw = root.first; raw != NULL; raw = raw->next, at++) {
        read_node(raw, false, arena, &layout->columns[at]);
    }
    finish_layout(layout, arena);
    if (!levels_agree(schema, layout)) {
        *refused = "its schema contradicts itself";
    }
}
