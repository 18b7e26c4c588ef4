/* The columns of a file: from the types of a table, and from the schema of a file. */
#include "connectors/arrow/arrow.h"

#include "model/batch.h"
#include <string.h>

enum { UUID_BYTES = 16, NARROW_DECIMAL_DIGITS_MAX = 38 };
enum { MILLISECOND_FRACTION = 1 + 3, MICROSECOND_FRACTION = 1 + 6, NANOSECOND_FRACTION = 1 + 9 };
/* Names of canonical extension types (arrow.apache.org, "Canonical Extension Types"). */
#define EXTENSION_NAME "ARROW:extension:name"
#define EXTENSION_JSON "arrow.json"
#define EXTENSION_UUID "arrow.uuid"

/* ---------------------------------------------------------------- what is written */

static enum ArrowType integer_of(uint8_t bits)
{
    return bits == 0 || bits > 32 ? NANOARROW_TYPE_INT64
           : bits > 16            ? NANOARROW_TYPE_INT32
           : bits > 8             ? NANOARROW_TYPE_INT16
                                  : NANOARROW_TYPE_INT8;
}

static void choose_decimal(struct arrow_node *node)
{
    int32_t precision = node->type.precision;
    if (precision < 1 || precision > ARROW_DECIMAL_DIGITS_MAX || node->type.scale < 0 ||
        node->type.scale > precision) {
        node->arrow = NANOARROW_TYPE_STRING;
        return;
    }
    bool narrow = precision <= NARROW_DECIMAL_DIGITS_MAX;
    node->arrow = narrow ? NANOARROW_TYPE_DECIMAL128 : NANOARROW_TYPE_DECIMAL256;
    node->bits = narrow ? 128 : 256;
    node->precision = precision;
    node->scale = node->type.scale;
}

static enum ArrowTimeUnit unit_of(const struct arrow_database *database,
                                  const struct value_type *type)
{
    if (database->unit_given) {
        return database->unit;
    }
    return type->fraction > MICROSECOND_FRACTION ? NANOARROW_TIME_UNIT_NANO
                                                 : NANOARROW_TIME_UNIT_MICRO;
}

static void choose_time(const struct arrow_database *database, struct arrow_node *node)
{
    node->unit = unit_of(database, &node->type);
    node->arrow = node->type.zoned || node->type.length     ? NANOARROW_TYPE_STRING
                  : node->unit == NANOARROW_TIME_UNIT_MILLI ? NANOARROW_TYPE_TIME32
                                                            : NANOARROW_TYPE_TIME64;
}

static void choose_value(const struct arrow_database *database, struct arrow_node *node)
{
    switch (node->type.kind) {
    case VALUE_BOOL:
        node->arrow = NANOARROW_TYPE_BOOL;
        break;
    case VALUE_INT64:
        node->arrow = integer_of(node->type.bits);
        break;
    case VALUE_UINT64:
        node->arrow = NANOARROW_TYPE_UINT64;
        break;
    case VALUE_FLOAT32:
        node->arrow = NANOARROW_TYPE_FLOAT;
        break;
    case VALUE_FLOAT64:
        node->arrow = NANOARROW_TYPE_DOUBLE;
        break;
    case VALUE_DECIMAL:
        choose_decimal(node);
        break;
    case VALUE_BYTES:
        node->arrow = NANOARROW_TYPE_BINARY;
        break;
    case VALUE_DATE:
        node->arrow = NANOARROW_TYPE_DATE32;
        break;
    case VALUE_TIME:
        choose_time(database, node);
        break;
    case VALUE_TIMESTAMP:
        node->arrow = NANOARROW_TYPE_TIMESTAMP;
        node->unit = unit_of(database, &node->type);
        break;
    case VALUE_UUID:
        node->arrow = NANOARROW_TYPE_FIXED_SIZE_BINARY;
        node->width = UUID_BYTES;
        break;
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        node->arrow = NANOARROW_TYPE_STRING;
        node->type = (struct value_type){.kind = VALUE_JSON};
        break;
    default:
        node->arrow = NANOARROW_TYPE_STRING;
        break;
    }
}

static void plan_node(const struct arrow_database *database, const char *name,
                      const struct value_type *type, bool required, uint32_t depth,
                      struct arena *arena, struct arrow_node *node);

static void plan_record(const struct arrow_database *database, uint32_t depth, struct arena *arena,
                        struct arrow_node *node)
{
    const struct shape *fields = node->type.fields;
    node->form = ARROW_RECORD;
    node->arrow = NANOARROW_TYPE_STRUCT;
    node->child_count = fields->field_count;
    node->children = arena_allocate_zeroed(arena, fields->field_count, sizeof(*node->children));
    for (uint32_t at = 0; at < fields->field_count; at++) {
        const struct shape_field *field = &fields->fields[at];
        plan_node(database, arena_copy(arena, field->name, field->name_length), &field->type, false,
                  depth + 1, arena, &node->children[at]);
    }
}

static void plan_elements(const struct arrow_database *database, uint32_t depth,
                          struct arena *arena, struct arrow_node *node)
{
    bool map = node->type.kind == VALUE_MAP;
    node->form = map ? ARROW_MAP : ARROW_LIST;
    node->arrow = map ? NANOARROW_TYPE_MAP : NANOARROW_TYPE_LIST;
    node->child_count = map ? 2 : 1;
    node->children = arena_allocate_zeroed(arena, 2, sizeof(*node->children));
    if (map) {
        plan_node(database, "key", node->type.key, true, depth + 1, arena, &node->children[0]);
    }
    plan_node(database, map ? "value" : "item", node->type.element, false, depth + 1, arena,
              &node->children[map ? 1 : 0]);
}

/* A nested type without a known type within is JSON. */
static void plan_node(const struct arrow_database *database, const char *name,
                      const struct value_type *type, bool required, uint32_t depth,
                      struct arena *arena, struct arrow_node *node)
{
    bool list = type->kind == VALUE_LIST || type->kind == VALUE_SET;
    bool map = type->kind == VALUE_MAP;
    *node = (struct arrow_node){.name = name, .type = *type, .optional = !required};
    if (depth < ARROW_DEPTH_MAX && map && type->fields != NULL && type->fields->field_count > 0) {
        plan_record(database, depth, arena, node);
    } else if (depth < ARROW_DEPTH_MAX && type->element != NULL &&
               (list || (map && type->key != NULL))) {
        plan_elements(database, depth, arena, node);
    } else {
        choose_value(database, node);
    }
}

void arrow_layout_of_columns(const struct arrow_database *database,
                             const struct schema_column *columns, uint32_t count,
                             const bool *required, struct arena *arena, struct arrow_layout *layout)
{
    layout->column_count = count;
    layout->columns = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*layout->columns));
    for (uint32_t at = 0; at < count; at++) {
        plan_node(database, columns[at].name, &columns[at].type, required[at], 0, arena,
                  &layout->columns[at]);
    }
}

/* ---------------------------------------------------------------- as a schema of Arrow's */

static bool set_extension(const char *extension, struct ArrowSchema *schema)
{
    struct ArrowBuffer metadata;
    bool done = ArrowMetadataBuilderInit(&metadata, NULL) == NANOARROW_OK;
    done = done && ArrowMetadataBuilderAppend(&metadata, ArrowCharView(EXTENSION_NAME),
                                              ArrowCharView(extension)) == NANOARROW_OK;
    done = done && ArrowSchemaSetMetadata(schema, (const char *)metadata.data) == NANOARROW_OK;
    ArrowBufferReset(&metadata);
    return done;
}

static bool set_value(const struct arrow_node *node, struct ArrowSchema *schema)
{
    switch (node->arrow) {
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
        return ArrowSchemaSetTypeDecimal(schema, node->arrow, node->precision, node->scale) ==
               NANOARROW_OK;
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
    case NANOARROW_TYPE_TIMESTAMP:
        return ArrowSchemaSetTypeDateTime(schema, node->arrow, node->unit,
                                          node->arrow != NANOARROW_TYPE_TIMESTAMP ? NULL
                                          : node->type.zoned                      ? "UTC"
                                                             : "") == NANOARROW_OK;
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
        return ArrowSchemaSetTypeFixedSize(schema, node->arrow, node->width) == NANOARROW_OK &&
               set_extension(EXTENSION_UUID, schema);
    default:
        return ArrowSchemaSetType(schema, node->arrow) == NANOARROW_OK &&
               (node->type.kind != VALUE_JSON || set_extension(EXTENSION_JSON, schema));
    }
}

static bool set_node(const struct arrow_node *node, struct ArrowSchema *schema)
{
    bool done = true;
    struct ArrowSchema *parent = schema;
    switch (node->form) {
    case ARROW_VALUE:
        done = set_value(node, schema);
        break;
    case ARROW_RECORD:
        done = ArrowSchemaSetTypeStruct(schema, node->child_count) == NANOARROW_OK;
        break;
    case ARROW_LIST:
    case ARROW_MAP:
        done = ArrowSchemaSetType(schema, node->arrow) == NANOARROW_OK;
        parent = done && node->form == ARROW_MAP ? schema->children[0] : schema;
        break;
    }
    for (uint32_t at = 0; done && at < node->child_count; at++) {
        done = set_node(&node->children[at], parent->children[at]);
    }
    schema->flags = node->optional ? schema->flags | ARROW_FLAG_NULLABLE
                                   : schema->flags & ~(int64_t)ARROW_FLAG_NULLABLE;
    return done && ArrowSchemaSetName(schema, node->name) == NANOARROW_OK;
}

bool arrow_layout_schema(const struct arrow_layout *layout, struct ArrowSchema *schema)
{
    ArrowSchemaInit(schema);
    bool done = ArrowSchemaSetTypeStruct(schema, layout->column_count) == NANOARROW_OK;
    schema->flags = 0;
    for (uint32_t at = 0; done && at < layout->column_count; at++) {
        done = set_node(&layout->columns[at], schema->children[at]);
    }
    if (!done) {
        ArrowSchemaRelease(schema);
    }
    return done;
}

/* ---------------------------------------------------------------- what a file has */

static struct value_type type_of_integer(enum ArrowType arrow)
{
    uint8_t bits = arrow == NANOARROW_TYPE_INT8                                      ? 8
                   : arrow == NANOARROW_TYPE_INT16 || arrow == NANOARROW_TYPE_UINT8  ? 16
                   : arrow == NANOARROW_TYPE_INT32 || arrow == NANOARROW_TYPE_UINT16 ? 32
                                                                                     : 0;
    return (struct value_type){.kind = VALUE_INT64, .bits = bits};
}

static uint8_t fraction_of(enum ArrowTimeUnit unit)
{
    return unit == NANOARROW_TIME_UNIT_SECOND  ? 1
           : unit == NANOARROW_TIME_UNIT_MILLI ? MILLISECOND_FRACTION
           : unit == NANOARROW_TIME_UNIT_MICRO ? MICROSECOND_FRACTION
                                               : NANOSECOND_FRACTION;
}

static bool is_extension(const struct ArrowSchemaView *view, const char *name)
{
    size_t length = strlen(name);
    return view->extension_name.data != NULL && (size_t)view->extension_name.size_bytes == length &&
           memcmp(view->extension_name.data, name, length) == 0;
}

static bool is_text(enum ArrowType arrow)
{
    return arrow == NANOARROW_TYPE_STRING || arrow == NANOARROW_TYPE_LARGE_STRING;
}

static struct value_type type_of_bytes(const struct ArrowSchemaView *view)
{
    bool text = is_text(view->type);
    bool uuid = view->type == NANOARROW_TYPE_FIXED_SIZE_BINARY && view->fixed_size == UUID_BYTES &&
                is_extension(view, EXTENSION_UUID);
    return (struct value_type){.kind = text && is_extension(view, EXTENSION_JSON) ? VALUE_JSON
                                       : text                                     ? VALUE_TEXT
                                       : uuid                                     ? VALUE_UUID
                                                                                  : VALUE_BYTES};
}

static struct value_type type_of_decimal(const struct ArrowSchemaView *view)
{
    int32_t scale = view->decimal_scale;
    int32_t precision = view->decimal_precision;
    if (scale < 0) { /* hundreds, thousands: whole numbers with zeros at their end */
        precision -= scale;
        scale = 0;
    }
    precision = precision < scale ? scale : precision;
    return (struct value_type){.kind = VALUE_DECIMAL, .precision = precision, .scale = scale};
}

/* False: it is of a type that is not read. */
static bool read_type(const struct ArrowSchemaView *view, struct value_type *type)
{
    switch (view->type) {
    case NANOARROW_TYPE_NA:
        *type = (struct value_type){.kind = VALUE_TEXT};
        return true;
    case NANOARROW_TYPE_BOOL:
        *type = (struct value_type){.kind = VALUE_BOOL};
        return true;
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_INT64:
    case NANOARROW_TYPE_UINT8:
    case NANOARROW_TYPE_UINT16:
    case NANOARROW_TYPE_UINT32:
        *type = type_of_integer(view->type);
        return true;
    case NANOARROW_TYPE_UINT64:
        *type = (struct value_type){.kind = VALUE_UINT64};
        return true;
    case NANOARROW_TYPE_HALF_FLOAT:
    case NANOARROW_TYPE_FLOAT:
        *type = (struct value_type){.kind = VALUE_FLOAT32};
        return true;
    case NANOARROW_TYPE_DOUBLE:
        *type = (struct value_type){.kind = VALUE_FLOAT64};
        return true;
    case NANOARROW_TYPE_DECIMAL32:
    case NANOARROW_TYPE_DECIMAL64:
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256:
        *type = type_of_decimal(view);
        return true;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
        *type = type_of_bytes(view);
        return true;
    case NANOARROW_TYPE_DATE32:
    case NANOARROW_TYPE_DATE64:
        *type = (struct value_type){.kind = VALUE_DATE};
        return true;
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64:
        *type = (struct value_type){.kind = VALUE_TIME, .fraction = fraction_of(view->time_unit)};
        return true;
    case NANOARROW_TYPE_TIMESTAMP:
        *type = (struct value_type){.kind = VALUE_TIMESTAMP,
                                    .zoned = view->timezone != NULL && view->timezone[0] != '\0',
                                    .fraction = fraction_of(view->time_unit)};
        return true;
    case NANOARROW_TYPE_DURATION:
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
        *type = (struct value_type){.kind = VALUE_INTERVAL};
        return true;
    default:
        return false;
    }
}

/* A schema of a file that is being read, and why it can't be. */
struct looking {
    struct arena *arena;
    const char *refused;
};

static void read_node(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                      struct arrow_node *node);

static void read_children(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                          struct arrow_node *node)
{
    node->child_count = (uint32_t)schema->n_children;
    node->children = arena_allocate_zeroed(looking->arena, (size_t)node->child_count + 1,
                                           sizeof(*node->children));
    for (uint32_t at = 0; looking->refused == NULL && at < node->child_count; at++) {
        read_node(looking, schema->children[at], depth + 1, &node->children[at]);
    }
}

static void read_record(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                        struct arrow_node *node)
{
    node->form = ARROW_RECORD;
    read_children(looking, schema, depth, node);
    struct shape *fields = arena_allocate_zeroed(looking->arena, 1, sizeof(*fields));
    struct shape_field *list =
        arena_allocate_zeroed(looking->arena, (size_t)node->child_count + 1, sizeof(*list));
    for (uint32_t at = 0; looking->refused == NULL && at < node->child_count; at++) {
        const char *name = node->children[at].name;
        list[at] = (struct shape_field){name, strlen(name), node->children[at].type};
    }
    *fields = (struct shape){.name = node->name, .fields = list, .field_count = node->child_count};
    node->type = (struct value_type){.kind = VALUE_MAP, .fields = fields};
}

static void read_elements(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                          struct arrow_node *node)
{
    bool map = node->arrow == NANOARROW_TYPE_MAP;
    const struct ArrowSchema *parent =
        map && schema->n_children == 1 ? schema->children[0] : schema;
    if (parent->n_children != (map ? 2 : 1)) {
        looking->refused = "its schema has a list without one element";
        return;
    }
    node->form = map ? ARROW_MAP : ARROW_LIST;
    read_children(looking, parent, depth, node);
    node->type = map ? (struct value_type){.kind = VALUE_MAP,
                                           .key = &node->children[0].type,
                                           .element = &node->children[1].type}
                     : (struct value_type){.kind = VALUE_LIST, .element = &node->children[0].type};
}

static void refuse_type(struct looking *looking, const struct arrow_node *node, const char *what)
{
    looking->refused =
        arena_format(looking->arena, "column %s is of the type %s, which is not read", node->name,
                     what != NULL ? what : "that nanoarrow does not know");
}

static void read_view(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                      struct arrow_node *node)
{
    struct ArrowSchemaView view;
    if (depth > ARROW_DEPTH_MAX) {
        looking->refused = "its schema is nested too deeply";
        return;
    }
    if (ArrowSchemaViewInit(&view, schema, NULL) != NANOARROW_OK) {
        refuse_type(looking, node, NULL);
        return;
    }
    node->arrow = view.type;
    switch (view.type) {
    case NANOARROW_TYPE_STRUCT:
        read_record(looking, schema, depth, node);
        return;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP:
        node->width = view.fixed_size;
        read_elements(looking, schema, depth, node);
        return;
    default:
        break;
    }
    node->unit = view.time_unit;
    node->width = view.fixed_size;
    node->bits = view.decimal_bitwidth;
    node->precision = view.decimal_precision;
    node->scale = view.decimal_scale;
    bool read = read_type(&view, &node->type);
    if (!read || (node->type.kind == VALUE_DECIMAL && (node->scale > ARROW_DECIMAL_DIGITS_MAX ||
                                                       node->scale < -ARROW_DECIMAL_DIGITS_MAX))) {
        refuse_type(looking, node, read ? "decimal, of no scale" : ArrowTypeString(view.type));
    }
}

static void read_node(struct looking *looking, const struct ArrowSchema *schema, uint32_t depth,
                      struct arrow_node *node)
{
    node->name = arena_copy_string(looking->arena, schema->name != NULL ? schema->name : "");
    node->optional = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
    node->indexed = schema->dictionary != NULL;
    if (node->indexed && schema->dictionary->dictionary != NULL) {
        refuse_type(looking, node, "dictionary of a dictionary");
        return;
    }
    read_view(looking, node->indexed ? schema->dictionary : schema, depth, node);
}

void arrow_layout_of_file(const struct ArrowSchema *schema, struct arena *arena,
                          struct arrow_layout *layout, const char **refused)
{
    struct looking looking = {.arena = arena};
    struct arrow_node root = {.name = ""};
    *layout = (struct arrow_layout){0};
    read_children(&looking, schema, 0, &root);
    layout->columns = root.children;
    layout->column_count = root.child_count;
    *refused = root.child_count == 0 ? "its schema has no columns" : looking.refused;
}
