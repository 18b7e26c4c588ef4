/* Types: how they lie in vectors, and what columns of a target are declared as. */
#include "connectors/duckdb/duckdb_internal.h"
#include <string.h>

enum { NESTING_MAX = 64, DECIMAL_DIGITS_MAX = 38, HUGEINT_DIGITS = 39, MICROSECOND_DIGITS = 6 };

const struct type_mapping duckdb_types[DUCKDB_MAPPINGS] = {
    {"BOOLEAN", VALUE_BOOL, "bool", "BOOLEAN", "exact"},
    {"TINYINT … BIGINT, UTINYINT … UINTEGER", VALUE_INT64, "int64",
     "BIGINT, or TINYINT, SMALLINT, INTEGER where the source's type is so narrow", "exact"},
    {"UBIGINT", VALUE_UINT64, "uint64", "UBIGINT", "exact"},
    {"HUGEINT, UHUGEINT, BIGNUM", VALUE_DECIMAL, "decimal without digits behind the point", NULL,
     "exact"},
    {"FLOAT", VALUE_FLOAT32, "float32", "FLOAT", "exact"},
    {"DOUBLE", VALUE_FLOAT64, "float64", "DOUBLE", "exact"},
    {"DECIMAL(p,s)", VALUE_DECIMAL, "decimal(p,s)",
     "DECIMAL(p,s) to 38 digits; without a precision, or with a larger one, VARCHAR",
     "exact; zeros are added up to the scale"},
    {"VARCHAR, ENUM", VALUE_TEXT, "text", "VARCHAR", "exact"},
    {"BIT", VALUE_TEXT, "its digits 0 and 1", NULL, "exact"},
    {"BLOB", VALUE_BYTES, "bytes", "BLOB", "exact"},
    {"DATE", VALUE_DATE, "date, with infinity", "DATE", "exact; 0000-00-00 is rejected"},
    {"TIME, TIME_NS, TIMETZ", VALUE_TIME, "time, TIMETZ with its offset", "TIME; TIMETZ",
     "exact; more than 6 digits of a second are rejected"},
    {"TIMESTAMP, TIMESTAMP_S, _MS, _NS", VALUE_TIMESTAMP, "timestamp, with infinity",
     "TIMESTAMP, or TIMESTAMP_NS where the source has nanoseconds",
     "exact; more than 6 digits of a second are rejected in a TIMESTAMP"},
    {"TIMESTAMPTZ", VALUE_TIMESTAMP, "timestamp with a zone: an instant", "TIMESTAMPTZ", "exact"},
    {"INTERVAL", VALUE_INTERVAL, "interval", "INTERVAL", "exact to the microsecond"},
    {"UUID", VALUE_UUID, "uuid", "UUID", "exact"},
    {"JSON", VALUE_JSON, "json", "JSON", "exact"},
    {"LIST, ARRAY", VALUE_LIST, "list", "a LIST if the type of its elements is known, else JSON",
     "exact; as JSON widened"},
    {"LIST", VALUE_SET, NULL, "as lists", "exact; as JSON widened"},
    {"STRUCT, MAP", VALUE_MAP, "map; of a STRUCT with its names as keys",
     "STRUCT or MAP if the types within are known, else JSON", "exact; as JSON widened"},
    {"UNION", VALUE_MAP, "a map with one field: the tag and its value", NULL, "exact"},
    {"others (GEOMETRY, VARIANT …)", VALUE_TEXT, "as the text that DuckDB shows", NULL,
     "the type is lost"},
    {"\"NULL\"", VALUE_NULL, "null", "null", "exact"},
};

/* ---------------------------------------------------------------- simple types */

static struct value_type whole(uint8_t bits)
{
    return (struct value_type){.kind = VALUE_INT64, .bits = bits};
}

static struct value_type moment(uint8_t digits, bool zoned)
{
    return (struct value_type){
        .kind = VALUE_TIMESTAMP, .zoned = zoned, .fraction = (uint8_t)(digits + 1)};
}

static struct value_type time_of_day(uint8_t digits, bool zoned)
{
    return (struct value_type){
        .kind = VALUE_TIME, .zoned = zoned, .fraction = (uint8_t)(digits + 1)};
}

static struct value_type simple_type(enum duckdb_type_id id)
{
    switch (id) {
    case DUCKDB_BOOLEAN:
        return (struct value_type){.kind = VALUE_BOOL};
    case DUCKDB_TINYINT:
        return whole(8);
    case DUCKDB_SMALLINT:
        return whole(16);
    case DUCKDB_INTEGER:
        return whole(32);
    case DUCKDB_BIGINT:
        return whole(0);
    case DUCKDB_UTINYINT:
        return whole(9);
    case DUCKDB_USMALLINT:
        return whole(17);
    case DUCKDB_UINTEGER:
        return whole(33);
    case DUCKDB_UBIGINT:
        return (struct value_type){.kind = VALUE_UINT64};
    case DUCKDB_HUGEINT:
    case DUCKDB_UHUGEINT:
        return (struct value_type){.kind = VALUE_DECIMAL, .precision = HUGEINT_DIGITS};
    case DUCKDB_BIGNUM:
        return (struct value_type){.kind = VALUE_DECIMAL};
    case DUCKDB_FLOAT:
        return (struct value_type){.kind = VALUE_FLOAT32};
    case DUCKDB_DOUBLE:
        return (struct value_type){.kind = VALUE_FLOAT64};
    case DUCKDB_TIMESTAMP_S:
        return moment(0, false);
    case DUCKDB_TIMESTAMP_MS:
        return moment(3, false);
    case DUCKDB_TIMESTAMP:
        return moment(MICROSECOND_DIGITS, false);
    case DUCKDB_TIMESTAMP_NS:
        return moment(9, false);
    case DUCKDB_TIMESTAMP_TZ:
        return moment(MICROSECOND_DIGITS, true);
    case DUCKDB_DATE:
        return (struct value_type){.kind = VALUE_DATE};
    case DUCKDB_TIME:
        return time_of_day(MICROSECOND_DIGITS, false);
    case DUCKDB_TIME_NS:
        return time_of_day(9, false);
    case DUCKDB_TIME_TZ:
        return time_of_day(MICROSECOND_DIGITS, true);
    case DUCKDB_INTERVAL:
        return (struct value_type){.kind = VALUE_INTERVAL};
    case DUCKDB_BLOB:
        return (struct value_type){.kind = VALUE_BYTES};
    case DUCKDB_UUID:
        return (struct value_type){.kind = VALUE_UUID};
    case DUCKDB_SQLNULL:
        return (struct value_type){.kind = VALUE_NULL};
    default:
        return (struct value_type){.kind = VALUE_TEXT};
    }
}

/* ---------------------------------------------------------------- forms */

struct maker {
    const struct duckdb_library *library;
    struct arena *arena;
};

static struct cell copy_name(const struct maker *maker, char *name)
{
    const char *text = name != NULL ? name : "";
    size_t length = strlen(text);
    struct cell cell = cell_text(arena_copy(maker->arena, text, length), length);
    maker->library->free(name);
    return cell;
}

static void duckdb_type_make(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                             struct duckdb_form *form);

/* Makes and frees a child's type. */
static void make_child(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                       struct duckdb_form *parent, struct duckdb_form *child)
{
    duckdb_type_make(maker, type, depth + 1, child);
    maker->library->destroy_logical_type(&type);
    parent->as_text |= child->as_text || child->id == DUCKDB_BIGNUM;
}

static struct duckdb_form *make_room(const struct maker *maker, struct duckdb_form *form,
                                     uint64_t count)
{
    struct duckdb_form *children =
        arena_allocate_zeroed(maker->arena, (size_t)count + 1, sizeof *children);
    form->children = children;
    form->child_count = (uint32_t)count;
    return children;
}

static void make_list(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                      struct duckdb_form *form)
{
    struct duckdb_form *child = make_room(maker, form, 1);
    bool array = form->id == DUCKDB_ARRAY;
    form->array_size = array ? (uint32_t)maker->library->array_type_array_size(type) : 0;
    make_child(maker,
               array ? maker->library->array_type_child_type(type)
                     : maker->library->list_type_child_type(type),
               depth, form, child);
    form->type = (struct value_type){.kind = VALUE_LIST, .element = &child->type};
}

static void make_map(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                     struct duckdb_form *form)
{
    struct duckdb_form *children = make_room(maker, form, 2);
    make_child(maker, maker->library->map_type_key_type(type), depth, form, &children[0]);
    make_child(maker, maker->library->map_type_value_type(type), depth, form, &children[1]);
    form->type = (struct value_type){
        .kind = VALUE_MAP, .key = &children[0].type, .element = &children[1].type};
}

static void make_fields(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                        struct duckdb_form *form)
{
    const struct duckdb_library *library = maker->library;
    bool is_union = form->id == DUCKDB_UNION;
    uint64_t count =
        is_union ? library->union_type_member_count(type) : library->struct_type_child_count(type);
    struct duckdb_form *children = make_room(maker, form, count);
    struct cell *names = arena_allocate_zeroed(maker->arena, (size_t)count + 1, sizeof *names);
    for (uint64_t i = 0; i < count; i++) {
        names[i] = copy_name(maker, is_union ? library->union_type_member_name(type, i)
                                             : library->struct_type_child_name(type, i));
        make_child(maker,
                   is_union ? library->union_type_member_type(type, i)
                            : library->struct_type_child_type(type, i),
                   depth, form, &children[i]);
    }
    form->names = names;
    form->name_count = (uint32_t)count;
    form->type = (struct value_type){.kind = VALUE_MAP};
    if (is_union) {
        return;
    }
    struct shape *shape = arena_allocate_zeroed(maker->arena, 1, sizeof *shape);
    struct shape_field *fields =
        arena_allocate_zeroed(maker->arena, (size_t)count + 1, sizeof *fields);
    for (uint64_t i = 0; i < count; i++) {
        fields[i] = (struct shape_field){
            .name = names[i].text, .name_length = names[i].length, .type = children[i].type};
    }
    *shape = (struct shape){.name = "struct", .fields = fields, .field_count = (uint32_t)count};
    form->type.fields = shape;
}

static void make_labels(const struct maker *maker, struct duckdb_handle *type,
                        struct duckdb_form *form)
{
    uint32_t count = maker->library->enum_dictionary_size(type);
    struct cell *labels = arena_allocate_zeroed(maker->arena, (size_t)count + 1, sizeof *labels);
    for (uint32_t i = 0; i < count; i++) {
        labels[i] = copy_name(maker, maker->library->enum_dictionary_value(type, i));
    }
    form->names = labels;
    form->name_count = count;
    form->kept = (enum duckdb_type_id)maker->library->enum_internal_type(type);
    form->type = (struct value_type){.kind = VALUE_TEXT};
}

static bool is_json(const struct maker *maker, struct duckdb_handle *type)
{
    char *alias = maker->library->logical_type_get_alias(type);
    bool json = alias != NULL && strcmp(alias, "JSON") == 0;
    maker->library->free(alias);
    return json;
}

static void duckdb_type_make(const struct maker *maker, struct duckdb_handle *type, uint32_t depth,
                             struct duckdb_form *form)
{
    int id = maker->library->get_type_id(type);
    *form = (struct duckdb_form){.id = (enum duckdb_type_id)id, .type = simple_type(id)};
    if (depth > NESTING_MAX || id <= DUCKDB_INVALID || id >= DUCKDB_TYPE_COUNT ||
        id == DUCKDB_ANY || id == DUCKDB_STRING_LITERAL || id == DUCKDB_INTEGER_LITERAL) {
        form->as_text = true;
        form->type = (struct value_type){.kind = VALUE_TEXT};
        return;
    }
    switch (form->id) {
    case DUCKDB_VARCHAR:
        form->type.kind = is_json(maker, type) ? VALUE_JSON : VALUE_TEXT;
        break;
    case DUCKDB_DECIMAL:
        form->kept = (enum duckdb_type_id)maker->library->decimal_internal_type(type);
        form->type = (struct value_type){.kind = VALUE_DECIMAL,
                                         .precision = maker->library->decimal_width(type),
                                         .scale = maker->library->decimal_scale(type)};
        break;
    case DUCKDB_ENUM:
        make_labels(maker, type, form);
        break;
    case DUCKDB_LIST:
    case DUCKDB_ARRAY:
        make_list(maker, type, depth, form);
        break;
    case DUCKDB_MAP:
        make_map(maker, type, depth, form);
        break;
    case DUCKDB_STRUCT:
    case DUCKDB_UNION:
        make_fields(maker, type, depth, form);
        break;
    default:
        break;
    }
    if (form->as_text) {
        form->type = (struct value_type){.kind = VALUE_TEXT};
    }
}

void duckdb_form_make(const struct duckdb_library *library, struct duckdb_handle *type,
                      struct arena *arena, struct duckdb_form *form)
{
    const struct maker maker = {library, arena};
    duckdb_type_make(&maker, type, 0, form);
}

struct duckdb_form *duckdb_forms_of(struct duckdb_rows *rows, struct arena *arena, uint32_t *count)
{
    const struct duckdb_library *library = rows->database->library;
    *count = (uint32_t)library->column_count(&rows->result);
    struct duckdb_form *forms = arena_allocate_zeroed(arena, (size_t)*count + 1, sizeof *forms);
    for (uint32_t i = 0; i < *count; i++) {
        struct duckdb_handle *type = library->column_logical_type(&rows->result, i);
        duckdb_form_make(library, type, arena, &forms[i]);
        library->destroy_logical_type(&type);
    }
    return forms;
}

/* ---------------------------------------------------------------- declarations */

static void append_nested(struct buffer *out, const struct value_type *type, uint32_t depth);

/* May values of the type be declared as such, or are they JSON? */
static bool is_typed(const struct value_type *type, uint32_t depth)
{
    if (type == NULL || depth > NESTING_MAX || type->dynamic) {
        return false;
    }
    switch (type->kind) {
    case VALUE_LIST:
    case VALUE_SET:
        return is_typed(type->element, depth + 1);
    case VALUE_MAP:
        if (type->fields == NULL) {
            return is_typed(type->key, depth + 1) && is_typed(type->element, depth + 1);
        }
        for (uint32_t i = 0; i < type->fields->field_count; i++) {
            if (!is_typed(&type->fields->fields[i].type, depth + 1)) {
                return false;
            }
        }
        return type->fields->field_count > 0;
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_ESCAPE:
        return false;
    default:
        return true;
    }
}

static void append_fields(struct buffer *out, const struct shape *fields, uint32_t depth)
{
    buffer_append_string(out, "STRUCT(");
    for (uint32_t i = 0; i < fields->field_count; i++) {
        duckdb_append(out, "%s%n ", i > 0 ? ", " : "", fields->fields[i].name);
        append_nested(out, &fields->fields[i].type, depth + 1);
    }
    buffer_append_byte(out, ')');
}

static const char *scalar_words(const struct value_type *type)
{
    bool nanoseconds = type->fraction > MICROSECOND_DIGITS + 1;
    switch (type->kind) {
    case VALUE_BOOL:
        return "BOOLEAN";
    case VALUE_INT64:
        return type->bits == 0 || type->bits > 32 ? "BIGINT"
               : type->bits > 16                  ? "INTEGER"
               : type->bits > 8                   ? "SMALLINT"
                                                  : "TINYINT";
    case VALUE_UINT64:
        return "UBIGINT";
    case VALUE_FLOAT32:
        return "FLOAT";
    case VALUE_FLOAT64:
        return "DOUBLE";
    case VALUE_BYTES:
        return "BLOB";
    case VALUE_DATE:
        return "DATE";
    case VALUE_TIME:
        return type->length ? "INTERVAL" : type->zoned ? "TIMETZ" : "TIME";
    case VALUE_TIMESTAMP:
        return type->zoned ? "TIMESTAMPTZ" : nanoseconds ? "TIMESTAMP_NS" : "TIMESTAMP";
    case VALUE_INTERVAL:
        return "INTERVAL";
    case VALUE_UUID:
        return "UUID";
    case VALUE_JSON:
        return "JSON";
    default:
        return "VARCHAR";
    }
}

static void append_nested(struct buffer *out, const struct value_type *type, uint32_t depth)
{
    switch (type->kind) {
    case VALUE_DECIMAL:
        if (type->precision > 0 && type->precision <= DECIMAL_DIGITS_MAX && type->scale >= 0 &&
            type->scale <= type->precision) {
            buffer_format(out, "DECIMAL(%d,%d)", type->precision, type->scale);
        } else {
            buffer_append_string(out, "VARCHAR");
        }
        break;
    case VALUE_LIST:
    case VALUE_SET:
        append_nested(out, type->element, depth + 1);
        buffer_append_string(out, "[]");
        break;
    case VALUE_MAP:
        if (type->fields != NULL) {
            append_fields(out, type->fields, depth);
            break;
        }
        buffer_append_string(out, "MAP(");
        append_nested(out, type->key, depth + 1);
        buffer_append_string(out, ", ");
        append_nested(out, type->element, depth + 1);
        buffer_append_byte(out, ')');
        break;
    default:
        buffer_append_string(out, scalar_words(type));
    }
}

void duckdb_append_type(struct buffer *out, const struct value_type *type)
{
    bool nested = type->kind == VALUE_LIST || type->kind == VALUE_SET || type->kind == VALUE_MAP;
    if (nested && !is_typed(type, 0)) {
        buffer_append_string(out, "JSON");
    } else if (type->dynamic && type->kind == VALUE_INT64) {
        buffer_append_string(out, "BIGINT");
    } else {
        append_nested(out, type, 0);
    }
}
