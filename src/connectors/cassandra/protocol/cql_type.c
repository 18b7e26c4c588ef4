/* Types of CQL: their names, those of the metadata, and what is the same for all. */
#include "connectors/cassandra/protocol/cql_type.h"

#include "connectors/cassandra/protocol/cql_type_parts.h"
#include "connectors/cassandra/protocol/cql_wire.h"
#include <assert.h>
#include <string.h>

enum { OPTION_OLD_TEXT = 0x0A, OPTION_BYTES_MIN = 2, FIELD_BYTES_MIN = 4 };

/* The types themselves are those without parts; of the others only the kinds. */
static const struct {
    const char *name;
    const char *class_name; /* Java */
    uint32_t bytes;
    bool fixed; /* the server's class says that all values have so many bytes */
    struct cql_type type;
} kinds[CQL_TYPE_KINDS] = {
    [CQL_TYPE_ASCII] = {"ascii", "AsciiType", 0, false, {.kind = CQL_TYPE_ASCII}},
    [CQL_TYPE_BIGINT] = {"bigint", "LongType", 8, true, {.kind = CQL_TYPE_BIGINT}},
    [CQL_TYPE_BLOB] = {"blob", "BytesType", 0, false, {.kind = CQL_TYPE_BLOB}},
    [CQL_TYPE_BOOLEAN] = {"boolean", "BooleanType", 1, true, {.kind = CQL_TYPE_BOOLEAN}},
    [CQL_TYPE_COUNTER] = {"counter", "CounterColumnType", 8, false, {.kind = CQL_TYPE_COUNTER}},
    [CQL_TYPE_DATE] = {"date", "SimpleDateType", 4, false, {.kind = CQL_TYPE_DATE}},
    [CQL_TYPE_DECIMAL] = {"decimal", "DecimalType", 0, false, {.kind = CQL_TYPE_DECIMAL}},
    [CQL_TYPE_DOUBLE] = {"double", "DoubleType", 8, true, {.kind = CQL_TYPE_DOUBLE}},
    [CQL_TYPE_DURATION] = {"duration", "DurationType", 0, false, {.kind = CQL_TYPE_DURATION}},
    [CQL_TYPE_FLOAT] = {"float", "FloatType", 4, true, {.kind = CQL_TYPE_FLOAT}},
    [CQL_TYPE_INET] = {"inet", "InetAddressType", 0, false, {.kind = CQL_TYPE_INET}},
    [CQL_TYPE_INT] = {"int", "Int32Type", 4, true, {.kind = CQL_TYPE_INT}},
    [CQL_TYPE_LIST] = {"list", "ListType", 0, false, {.kind = CQL_TYPE_LIST}},
    [CQL_TYPE_MAP] = {"map", "MapType", 0, false, {.kind = CQL_TYPE_MAP}},
    [CQL_TYPE_SET] = {"set", "SetType", 0, false, {.kind = CQL_TYPE_SET}},
    [CQL_TYPE_SMALLINT] = {"smallint", "ShortType", 2, false, {.kind = CQL_TYPE_SMALLINT}},
    [CQL_TYPE_TEXT] = {"text", "UTF8Type", 0, false, {.kind = CQL_TYPE_TEXT}},
    [CQL_TYPE_TIME] = {"time", "TimeType", 8, false, {.kind = CQL_TYPE_TIME}},
    [CQL_TYPE_TIMESTAMP] = {"timestamp", "TimestampType", 8, true, {.kind = CQL_TYPE_TIMESTAMP}},
    [CQL_TYPE_TIMEUUID] = {"timeuuid", "TimeUUIDType", 16, true, {.kind = CQL_TYPE_TIMEUUID}},
    [CQL_TYPE_TINYINT] = {"tinyint", "ByteType", 1, false, {.kind = CQL_TYPE_TINYINT}},
    [CQL_TYPE_TUPLE] = {"tuple", "TupleType", 0, false, {.kind = CQL_TYPE_TUPLE}},
    [CQL_TYPE_UUID] = {"uuid", "UUIDType", 16, true, {.kind = CQL_TYPE_UUID}},
    [CQL_TYPE_VARINT] = {"varint", "IntegerType", 0, false, {.kind = CQL_TYPE_VARINT}},
    [CQL_TYPE_VECTOR] = {"vector", "VectorType", 0, false, {.kind = CQL_TYPE_VECTOR}},
    [CQL_TYPE_UDT] = {NULL, "UserType", 0, false, {.kind = CQL_TYPE_UDT}},
};

const char *cql_kind_name(enum cql_kind kind)
{
    return kind < CQL_TYPE_KINDS ? kinds[kind].name : NULL;
}

uint32_t cql_kind_bytes(enum cql_kind kind)
{
    return kinds[kind].bytes;
}

uint32_t cql_type_fixed_bytes(const struct cql_type *type)
{
    if (type->kind == CQL_TYPE_VECTOR) {
        uint64_t bytes = (uint64_t)cql_type_fixed_bytes(type->parts[0]) * type->dimension;
        return bytes <= INT32_MAX ? (uint32_t)bytes : 0;
    }
    return kinds[type->kind].fixed ? kinds[type->kind].bytes : 0;
}

bool cql_type_is_plain(enum cql_kind kind)
{
    return kind <= CQL_TYPE_DURATION && kinds[kind].name != NULL;
}

const struct cql_type *cql_type_plain(enum cql_kind kind)
{
    assert(cql_type_is_plain(kind));
    return &kinds[kind].type;
}

bool cql_type_has_name(enum cql_kind *kind, struct text name)
{
    for (unsigned i = 0; i < CQL_TYPE_KINDS; i++) {
        if (kinds[i].name != NULL && cql_is_word(name, kinds[i].name)) {
            *kind = (enum cql_kind)i;
            return true;
        }
    }
    *kind = CQL_TYPE_TEXT;
    return cql_is_word(name, "varchar");
}

bool cql_type_has_class(enum cql_kind *kind, struct text name)
{
    for (unsigned i = 0; i < CQL_TYPE_KINDS; i++) {
        if (kinds[i].class_name != NULL && cql_is_word(name, kinds[i].class_name)) {
            *kind = (enum cql_kind)i;
            return true;
        }
    }
    *kind = CQL_TYPE_TIMESTAMP;
    return cql_is_word(name, "DateType");
}

struct cql_type *cql_type_make(struct arena *arena, enum cql_kind kind)
{
    struct cql_type *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    made->kind = kind;
    return made;
}

const struct cql_type **cql_type_make_parts(struct arena *arena, uint32_t count)
{
    return arena_allocate_zeroed(arena, count, sizeof(void *));
}

/* ---------------------------------------------------------------- metadata */

static const struct cql_type *read_type(struct cql_reader *reader, uint32_t depth,
                                        struct arena *arena);

static const struct cql_type *read_parts(struct cql_reader *reader, struct cql_type *type,
                                         uint32_t count, uint32_t depth, struct arena *arena)
{
    const struct cql_type **parts = cql_type_make_parts(arena, count);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        parts[i] = read_type(reader, depth + 1, arena);
    }
    type->parts = parts;
    type->part_count = count;
    return reader->failed ? NULL : type;
}

/* A count of fields that the rest may hold. */
static uint32_t read_field_count(struct cql_reader *reader, size_t bytes_min)
{
    uint32_t count = cql_read_short(reader);
    if (count > cql_reader_left(reader) / bytes_min) {
        cql_reader_fail(reader);
        return 0;
    }
    return count;
}

static struct text copy_text(struct text text, struct arena *arena)
{
    return text.length == 0 ? (struct text){"", 0}
                            : (struct text){arena_copy(arena, text.data, text.length), text.length};
}

static const struct cql_type *read_class(struct cql_reader *reader, uint32_t depth,
                                         struct arena *arena)
{
    struct text name = cql_read_string(reader);
    return reader->failed ? NULL : cql_type_of_class_at(name, depth, arena);
}

static const struct cql_type *read_udt(struct cql_reader *reader, struct cql_type *type,
                                       uint32_t depth, struct arena *arena)
{
    type->keyspace = copy_text(cql_read_string(reader), arena);
    type->name = copy_text(cql_read_string(reader), arena);
    uint32_t count = read_field_count(reader, FIELD_BYTES_MIN);
    struct text *names = arena_allocate_zeroed(arena, count, sizeof *names);
    const struct cql_type **parts = cql_type_make_parts(arena, count);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        names[i] = copy_text(cql_read_string(reader), arena);
        parts[i] = read_type(reader, depth + 1, arena);
    }
    type->field_names = names;
    type->parts = parts;
    type->part_count = count;
    return reader->failed ? NULL : type;
}

static const struct cql_type *read_type(struct cql_reader *reader, uint32_t depth,
                                        struct arena *arena)
{
    uint16_t option = cql_read_short(reader);
    if (depth >= CQL_TYPE_DEPTH_MAX) {
        cql_reader_fail(reader);
    }
    if (reader->failed) {
        return NULL;
    }
    enum cql_kind kind = option == OPTION_OLD_TEXT ? CQL_TYPE_TEXT : (enum cql_kind)option;
    switch ((unsigned)kind) {
    case CQL_TYPE_CUSTOM:
        return read_class(reader, depth, arena);
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
        return read_parts(reader, cql_type_make(arena, kind), 1, depth, arena);
    case CQL_TYPE_MAP:
        return read_parts(reader, cql_type_make(arena, kind), 2, depth, arena);
    case CQL_TYPE_TUPLE:
        return read_parts(reader, cql_type_make(arena, kind),
                          read_field_count(reader, OPTION_BYTES_MIN), depth, arena);
    case CQL_TYPE_UDT:
        return read_udt(reader, cql_type_make(arena, kind), depth, arena);
    default:
        if (!cql_type_is_plain(kind)) {
            cql_reader_fail(reader);
            return NULL;
        }
        return cql_type_plain(kind);
    }
}

const struct cql_type *cql_type_read(struct cql_reader *reader, struct arena *arena)
{
    return read_type(reader, 0, arena);
}

/* ---------------------------------------------------------------- comparing, freezing */

static bool same_text(struct text left, struct text right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

bool cql_type_is_equal(const struct cql_type *left, const struct cql_type *right)
{
    if (left->kind != right->kind || left->dimension != right->dimension ||
        left->part_count != right->part_count || !same_text(left->name, right->name)) {
        return false;
    }
    for (uint32_t i = 0; i < left->part_count; i++) {
        if (!cql_type_is_equal(left->parts[i], right->parts[i]) ||
            (left->kind == CQL_TYPE_UDT &&
             !same_text(left->field_names[i], right->field_names[i]))) {
            return false;
        }
    }
    return true;
}

static void freeze_parts(struct cql_type *type, struct arena *arena)
{
    const struct cql_type **parts = cql_type_make_parts(arena, type->part_count);
    for (uint32_t i = 0; i < type->part_count; i++) {
        parts[i] = cql_type_frozen(type->parts[i], arena);
    }
    type->parts = parts;
}

const struct cql_type *cql_type_frozen(const struct cql_type *type, struct arena *arena)
{
    if (cql_type_is_plain(type->kind) || type->kind == CQL_TYPE_CUSTOM) {
        return type;
    }
    struct cql_type *made = arena_allocate(arena, sizeof *made);
    *made = *type;
    made->frozen = type->kind != CQL_TYPE_VECTOR; /* which needs no word for it */
    freeze_parts(made, arena);
    return made;
}
