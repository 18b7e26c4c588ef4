/* Types of CQL and of the model. */
#include "connectors/cassandra/protocol/cql_model.h"

#include "connectors/cassandra/protocol/cql_type_parts.h"
#include "model/batch.h"
#include <string.h>

const struct type_mapping cql_mappings[CQL_MAPPING_COUNT] = {
    {"bigint", VALUE_INT64, "all 64 bits",
     "bigint; int, smallint or tinyint where the source's column holds no larger numbers", "exact"},
    {"int", VALUE_INT64, "also smallint, tinyint", NULL, "exact"},
    {"counter", VALUE_INT64, "the count as it is read", NULL, "exact"},
    {"varint", VALUE_UINT64, NULL, "varint; reads back as int64, above that as decimal", "widened"},
    {"varint", VALUE_DECIMAL, "int64 where it fits; above 39,456 digits its bytes", NULL, "exact"},
    {"decimal", VALUE_DECIMAL,
     "every digit, the scale kept, but for one below 0, of which the zeros are written out; above "
     "39,456 digits or 20,000 after the point its bytes",
     "decimal; NaN, the infinities and what has more digits reject the record", "exact"},
    {"double", VALUE_FLOAT64, "bit by bit", "double", "exact"},
    {"float", VALUE_FLOAT32, "bit by bit", "float", "exact"},
    {"boolean", VALUE_BOOL, "true or false", "boolean", "exact"},
    {"text", VALUE_TEXT, "also varchar; what is not UTF-8 as bytes", "text, whatever its length",
     "exact"},
    {"ascii", VALUE_TEXT, "as text", NULL, "exact"},
    {"inet", VALUE_TEXT, "an address as text", NULL, "exact as a text"},
    {"blob", VALUE_BYTES, "any bytes", "blob", "exact"},
    {"date", VALUE_DATE, "-5877641-06-23 to 5881580-07-11",
     "date; infinity and zero dates reject the record", "exact"},
    {"time", VALUE_TIME, "to nanoseconds", "time; 24:00:00 rejects the record", "exact"},
    {"text", VALUE_TIME, NULL, "a time with a zone: its text", "widened; reads back as text"},
    {"timestamp", VALUE_TIMESTAMP, "an instant in UTC, to milliseconds",
     "timestamp; one without zone as one in UTC; infinity and zero dates reject the "
     "record, and so does what is finer than milliseconds, unless the plan rounds (lossy: allow)",
     "widened"},
    {"duration", VALUE_INTERVAL, "months, days, nanoseconds",
     "duration; parts of both signs reject the record", "exact"},
    {"uuid", VALUE_UUID, "16 bytes", "uuid", "exact"},
    {"timeuuid", VALUE_UUID, "16 bytes", NULL, "exact"},
    {"text", VALUE_JSON, NULL, "the JSON text as it stands", "widened; reads back as text"},
    {"list<T>", VALUE_LIST, "also frozen; null in place of one without elements",
     "list<T> of elements of a known type, else text, as JSON; null elements reject the record",
     "exact; an empty one reads back as null"},
    {"set<T>", VALUE_SET, "in the server's order",
     "set<T> of elements of a known type, else text, as JSON; null and repeated elements reject "
     "the record",
     "exact; an empty one reads back as null"},
    {"map<K, V>", VALUE_MAP, "in the server's order of keys",
     "map<K, V> of keys and values of known types, else text, as JSON; nulls and repeated keys "
     "reject the record",
     "exact; an empty one reads back as null"},
    {"tuple<…>", VALUE_LIST, "a list with a value a field, null or not", NULL, "exact"},
    {"(user-defined)", VALUE_MAP, "field by field, in their order",
     "in a column of such a type, by the names of fields; one that it lacks rejects the record",
     "exact"},
    {"vector<T, n>", VALUE_LIST, "of n elements",
     "in a column that is there: another count of elements rejects the record", "exact"},
    {"(custom)", VALUE_ESCAPE, "its bytes", "its bytes, in a column of a custom type alone",
     "exact within Cassandra; else lossy"},
    {"(empty)", VALUE_ESCAPE, "what has no bytes, as an int, in place of a value: told from null",
     "the same", "exact within Cassandra; else lossy"},
};

const char *const cql_native_names[] = {
    "ascii",    "bigint",  "blob", "boolean", "counter",  "date", "decimal", "double",
    "duration", "float",   "inet", "int",     "smallint", "text", "time",    "timestamp",
    "timeuuid", "tinyint", "uuid", "varchar", "varint",   NULL,
};

/* ---------------------------------------------------------------- to the model */

enum { DIGITS_OF_MS = 3, DIGITS_OF_NS = 9 };

static const struct value_type types[CQL_TYPE_KINDS] = {
    [CQL_TYPE_CUSTOM] = {.kind = VALUE_ESCAPE},
    [CQL_TYPE_ASCII] = {.kind = VALUE_TEXT},
    [CQL_TYPE_BIGINT] = {.kind = VALUE_INT64},
    [CQL_TYPE_BLOB] = {.kind = VALUE_BYTES},
    [CQL_TYPE_BOOLEAN] = {.kind = VALUE_BOOL, .spellings = true},
    [CQL_TYPE_COUNTER] = {.kind = VALUE_INT64},
    [CQL_TYPE_DECIMAL] = {.kind = VALUE_DECIMAL, .spellings = true},
    [CQL_TYPE_DOUBLE] = {.kind = VALUE_FLOAT64, .spellings = true},
    [CQL_TYPE_FLOAT] = {.kind = VALUE_FLOAT32, .spellings = true},
    [CQL_TYPE_INT] = {.kind = VALUE_INT64, .bits = 32},
    [CQL_TYPE_TIMESTAMP] = {.kind = VALUE_TIMESTAMP, .zoned = true, .fraction = 1 + DIGITS_OF_MS},
    [CQL_TYPE_UUID] = {.kind = VALUE_UUID},
    [CQL_TYPE_TEXT] = {.kind = VALUE_TEXT},
    [CQL_TYPE_VARINT] = {.kind = VALUE_DECIMAL, .dynamic = true, .spellings = true},
    [CQL_TYPE_TIMEUUID] = {.kind = VALUE_UUID},
    [CQL_TYPE_INET] = {.kind = VALUE_TEXT, .spellings = true},
    [CQL_TYPE_DATE] = {.kind = VALUE_DATE},
    [CQL_TYPE_TIME] = {.kind = VALUE_TIME, .fraction = 1 + DIGITS_OF_NS},
    [CQL_TYPE_SMALLINT] = {.kind = VALUE_INT64, .bits = 16},
    [CQL_TYPE_TINYINT] = {.kind = VALUE_INT64, .bits = 8},
    [CQL_TYPE_DURATION] = {.kind = VALUE_INTERVAL},
    [CQL_TYPE_LIST] = {.kind = VALUE_LIST},
    [CQL_TYPE_MAP] = {.kind = VALUE_MAP},
    [CQL_TYPE_SET] = {.kind = VALUE_SET},
    [CQL_TYPE_UDT] = {.kind = VALUE_MAP},
    [CQL_TYPE_TUPLE] = {.kind = VALUE_LIST},
    [CQL_TYPE_VECTOR] = {.kind = VALUE_LIST},
};

static const struct value_type *part_type(const struct cql_type *part, struct arena *arena)
{
    struct value_type *made = arena_allocate(arena, sizeof *made);
    *made = cql_type_to_model(part, arena);
    return made;
}

static const struct shape *fields_of(const struct cql_type *type, struct arena *arena)
{
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    struct shape_field *fields = arena_allocate_zeroed(arena, type->part_count, sizeof *fields);
    for (uint32_t i = 0; i < type->part_count; i++) {
        struct text name = type->field_names[i];
        fields[i] = (struct shape_field){.name = arena_copy(arena, name.data, name.length),
                                         .name_length = (uint32_t)name.length,
                                         .type = cql_type_to_model(type->parts[i], arena)};
    }
    shape->name = arena_copy(arena, type->name.data, type->name.length);
    shape->fields = fields;
    shape->field_count = type->part_count;
    return shape;
}

struct value_type cql_type_to_model(const struct cql_type *type, struct arena *arena)
{
    struct value_type made = types[type->kind];
    made.native = cql_type_text(type, arena);
    switch (type->kind) {
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_VECTOR:
        made.element = part_type(type->parts[0], arena);
        break;
    case CQL_TYPE_MAP:
        made.key = part_type(type->parts[0], arena);
        made.element = part_type(type->parts[1], arena);
        break;
    case CQL_TYPE_UDT:
        made.fields = fields_of(type, arena);
        break;
    default:
        break;
    }
    return made;
}

bool cql_native_type(const char *declared, struct value_type *type)
{
    return cql_native_type_among(declared, NULL, type);
}

bool cql_native_type_among(const char *declared, struct cql_udts *udts, struct value_type *type)
{
    struct arena *arena = arena_create(1024);
    const struct cql_type *parsed = NULL;
    struct text text = {declared, strlen(declared)};
    bool known = cql_type_parse(text, udts, arena, &parsed, NULL) == STATUS_OK;
    if (known) {
        *type = types[parsed->kind];
        type->native = declared;
    }
    arena_destroy(arena);
    return known;
}

/* ---------------------------------------------------------------- from the model */

static const struct cql_type *type_within(const struct value_type *type, struct cql_udts *udts,
                                          uint32_t depth, struct arena *arena);

static enum cql_kind kind_of_whole(const struct value_type *type)
{
    uint8_t bits = type->dynamic ? 0 : type->bits;
    return bits == 0 || bits > 32 ? CQL_TYPE_BIGINT
           : bits > 16            ? CQL_TYPE_INT
           : bits > 8             ? CQL_TYPE_SMALLINT
                                  : CQL_TYPE_TINYINT;
}

/* The kind for types that have no parts; text for all that CQL has no type for. */
static enum cql_kind kind_of(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return CQL_TYPE_BOOLEAN;
    case VALUE_INT64:
        return kind_of_whole(type);
    case VALUE_UINT64:
        return CQL_TYPE_VARINT;
    case VALUE_FLOAT32:
        return CQL_TYPE_FLOAT;
    case VALUE_FLOAT64:
        return CQL_TYPE_DOUBLE;
    case VALUE_DECIMAL:
        return CQL_TYPE_DECIMAL;
    case VALUE_BYTES:
        return CQL_TYPE_BLOB;
    case VALUE_DATE:
        return CQL_TYPE_DATE;
    case VALUE_TIME:
        return type->zoned ? CQL_TYPE_TEXT : type->length ? CQL_TYPE_DURATION : CQL_TYPE_TIME;
    case VALUE_TIMESTAMP:
        return CQL_TYPE_TIMESTAMP;
    case VALUE_INTERVAL:
        return CQL_TYPE_DURATION;
    case VALUE_UUID:
        return CQL_TYPE_UUID;
    default:
        return CQL_TYPE_TEXT;
    }
}

/* Frozen, as parts have to be; NULL: nobody knows what values there are. */
static const struct cql_type *part_of(const struct value_type *type, struct cql_udts *udts,
                                      uint32_t depth, struct arena *arena)
{
    if (type == NULL || type->dynamic || type->kind == VALUE_MISSING || type->kind == VALUE_NULL ||
        depth + 1 >= CQL_TYPE_DEPTH_MAX) {
        return NULL;
    }
    return cql_type_frozen(type_within(type, udts, depth + 1, arena), arena);
}

/* Sets and the keys of maps have no durations in them. */
static bool has_duration(const struct cql_type *type)
{
    for (uint32_t i = 0; i < type->part_count; i++) {
        if (has_duration(type->parts[i])) {
            return true;
        }
    }
    return type->kind == CQL_TYPE_DURATION;
}

/* NULL: its parts are not known, or CQL has none such. */
static const struct cql_type *nested_type(const struct value_type *type, struct cql_udts *udts,
                                          uint32_t depth, struct arena *arena)
{
    bool map = type->kind == VALUE_MAP;
    const struct cql_type *element = part_of(type->element, udts, depth, arena);
    const struct cql_type *key = map ? part_of(type->key, udts, depth, arena) : element;
    if (element == NULL || key == NULL || (type->kind != VALUE_LIST && has_duration(key))) {
        return NULL;
    }
    const struct cql_type **parts = cql_type_make_parts(arena, 2);
    struct cql_type *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    parts[0] = key;
    parts[1] = element;
    made->kind = map ? CQL_TYPE_MAP : type->kind == VALUE_SET ? CQL_TYPE_SET : CQL_TYPE_LIST;
    made->parts = parts;
    made->part_count = map ? 2 : 1;
    return made;
}

/* A collection's, which the words of a plan may leave as they are. */
static const struct cql_type *with_frozen_parts(const struct cql_type *type, struct arena *arena)
{
    if (type->kind != CQL_TYPE_LIST && type->kind != CQL_TYPE_SET && type->kind != CQL_TYPE_MAP) {
        return type;
    }
    const struct cql_type **parts = cql_type_make_parts(arena, type->part_count);
    struct cql_type *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    for (uint32_t i = 0; i < type->part_count; i++) {
        parts[i] = cql_type_frozen(type->parts[i], arena);
    }
    *made = *type;
    made->parts = parts;
    return made;
}

static const struct cql_type *type_within(const struct value_type *type, struct cql_udts *udts,
                                          uint32_t depth, struct arena *arena)
{
    const struct cql_type *made = NULL;
    if (type->native != NULL) {
        struct text words = {type->native, strlen(type->native)};
        if (cql_type_parse(words, udts, arena, &made, NULL) == STATUS_OK) {
            return with_frozen_parts(made, arena);
        }
    }
    if (type->kind == VALUE_LIST || type->kind == VALUE_SET || type->kind == VALUE_MAP) {
        made = nested_type(type, udts, depth, arena);
    } else {
        made = cql_type_plain(kind_of(type));
    }
    return made != NULL ? made : cql_type_plain(CQL_TYPE_TEXT);
}

const struct cql_type *cql_type_of_model(const struct value_type *type, struct cql_udts *udts,
                                         struct arena *arena)
{
    return type_within(type, udts, 0, arena);
}
