/* How the server orders values (the compare functions of org.apache.cassandra.db.marshal). */
#include "connectors/cassandra/protocol/cql_order.h"

#include "base/memory.h"
#include "connectors/cassandra/protocol/cql_number.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "model/decimal.h"
#include <stdlib.h>
#include <string.h>

static int compare_unsigned(uint64_t left, uint64_t right)
{
    return left < right ? -1 : left > right;
}

static int compare_bytes(struct cql_value left, struct cql_value right)
{
    int32_t shorter = left.length < right.length ? left.length : right.length;
    int order = shorter > 0 ? memcmp(left.data, right.data, (size_t)shorter) : 0;
    return order < 0   ? -1
           : order > 0 ? 1
                       : (left.length > right.length) - (left.length < right.length);
}

/* Bits such that they are ordered as Java orders its doubles (or floats): NaN is the largest, and
 * -0.0 below 0.0. */
static uint64_t order_of_float(struct cql_value value)
{
    int bits = 8 * value.length;
    uint64_t read = bytes_get_be(value.data, value.length);
    uint64_t sign = (uint64_t)1 << (bits - 1);
    uint64_t magnitude = read & (sign - 1);
    uint64_t infinity = bits == 32 ? UINT64_C(0x7f800000) : UINT64_C(0x7ff0000000000000);
    if (magnitude > infinity) {
        return UINT64_MAX;
    }
    return (read & sign) != 0 ? sign - 1 - magnitude : sign + magnitude;
}

/* The time of a UUID of version 1, with the version above it. */
static uint64_t time_of_uuid(const uint8_t *uuid)
{
    return bytes_get_be(uuid + 6, 2) << 48 | bytes_get_be(uuid + 4, 2) << 32 |
           bytes_get_be(uuid, 4);
}

static int compare_uuids(const uint8_t *left, const uint8_t *right)
{
    int version = left[6] >> 4;
    if (version != right[6] >> 4) {
        return version < right[6] >> 4 ? -1 : 1;
    }
    int order = version == 1 ? compare_unsigned(time_of_uuid(left), time_of_uuid(right)) : 0;
    order = order != 0 ? order : memcmp(left, right, 16);
    return order < 0 ? -1 : order > 0;
}

/* Their other half is ordered by signed bytes. */
static int compare_timeuuids(const uint8_t *left, const uint8_t *right)
{
    int order = compare_unsigned(time_of_uuid(left), time_of_uuid(right));
    for (size_t i = 8; i < 16 && order == 0; i++) {
        order = ((int8_t)left[i] > (int8_t)right[i]) - ((int8_t)left[i] < (int8_t)right[i]);
    }
    return order;
}

static int compare_signed(struct cql_value left, struct cql_value right)
{
    return cql_number_compare(left.data, (size_t)left.length, right.data, (size_t)right.length);
}

/* By value, whatever the scales. */
static int compare_decimals(const struct cql_type *type, struct cql_value left,
                            struct cql_value right)
{
    struct arena *arena = arena_create(4096);
    struct cell one = {0};
    struct cell two = {0};
    bool read = cql_value_decode(type, left, arena, &one, NULL) == STATUS_OK &&
                cql_value_decode(type, right, arena, &two, NULL) == STATUS_OK &&
                one.kind == VALUE_DECIMAL && two.kind == VALUE_DECIMAL;
    int order = read ? decimal_compare(&one, &two) : compare_bytes(left, right);
    arena_destroy(arena);
    return order;
}

/* ---------------------------------------------------------------- what is nested */

/* [bytes] in turn; a field that is not there is before one that is null. */
static struct cql_value next_part(struct cql_reader *reader)
{
    struct cql_value none = {NULL, CQL_UNSET};
    return cql_reader_left(reader) > 0 ? cql_read_value(reader) : none;
}

/* The order of two values of a collection, a tuple or a user-defined type. */
static int compare_parts(const struct cql_type *type, struct cql_value left, struct cql_value right)
{
    bool counted = type->kind != CQL_TYPE_TUPLE && type->kind != CQL_TYPE_UDT;
    struct cql_reader one = cql_reader_of(left.data, (size_t)left.length);
    struct cql_reader two = cql_reader_of(right.data, (size_t)right.length);
    if (counted) {
        (void)cql_read_int(&one);
        (void)cql_read_int(&two);
    }
    int order = 0;
    for (size_t i = 0; order == 0 && (cql_reader_left(&one) > 0 || cql_reader_left(&two) > 0);
         i++) {
        struct cql_value from_left = next_part(&one);
        struct cql_value from_right = next_part(&two);
        order = cql_order_compare(type->parts[i % type->part_count], from_left, from_right);
    }
    return order;
}

static struct cql_value next_element(struct cql_reader *reader, uint32_t fixed)
{
    uint64_t length = fixed > 0 ? fixed : cql_read_vint(reader);
    const uint8_t *data = cql_read_raw(reader, (size_t)length);
    return (struct cql_value){data, data != NULL ? (int32_t)length : CQL_NULL};
}

static int compare_vectors(const struct cql_type *type, struct cql_value left,
                           struct cql_value right)
{
    uint32_t fixed = cql_type_fixed_bytes(type->parts[0]);
    struct cql_reader one = cql_reader_of(left.data, (size_t)left.length);
    struct cql_reader two = cql_reader_of(right.data, (size_t)right.length);
    int order = 0;
    for (uint32_t i = 0; i < type->dimension && order == 0; i++) {
        struct cql_value from_left = next_element(&one, fixed);
        struct cql_value from_right = next_element(&two, fixed);
        order = cql_order_compare(type->parts[0], from_left, from_right);
    }
    return order;
}

int cql_order_compare(const struct cql_type *type, struct cql_value left, struct cql_value right)
{
    if (left.length <= 0 || right.length <= 0) {
        return (left.length > right.length) - (left.length < right.length);
    }
    switch (type->kind) {
    case CQL_TYPE_TINYINT:
    case CQL_TYPE_SMALLINT:
    case CQL_TYPE_INT:
    case CQL_TYPE_BIGINT:
    case CQL_TYPE_COUNTER:
    case CQL_TYPE_TIMESTAMP:
    case CQL_TYPE_VARINT:
        return compare_signed(left, right);
    case CQL_TYPE_FLOAT:
    case CQL_TYPE_DOUBLE:
        return compare_unsigned(order_of_float(left), order_of_float(right));
    case CQL_TYPE_DECIMAL:
        return compare_decimals(type, left, right);
    case CQL_TYPE_UUID:
        return compare_uuids(left.data, right.data);
    case CQL_TYPE_TIMEUUID:
        return compare_timeuuids(left.data, right.data);
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_MAP:
    case CQL_TYPE_TUPLE:
    case CQL_TYPE_UDT:
        return compare_parts(type, left, right);
    case CQL_TYPE_VECTOR:
        return compare_vectors(type, left, right);
    default:
        return compare_bytes(left, right);
    }
}

/* ---------------------------------------------------------------- sorting */

struct entry {
    const struct cql_type *type;
    struct cql_value key;
    const uint8_t *start;
    size_t length;
};

static struct entry next_entry(const struct cql_type *type, struct cql_reader *reader, bool map)
{
    struct entry entry = {.type = type, .start = reader->at};
    entry.key = cql_read_value(reader);
    if (map) {
        (void)cql_read_value(reader);
    }
    entry.length = (size_t)(reader->at - entry.start);
    return entry;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *one = left;
    const struct entry *two = right;
    return cql_order_compare(one->type, one->key, two->key);
}

/* Are they in order already, none twice? */
static bool are_sorted(const struct cql_type *type, struct cql_reader reader, size_t count,
                       bool map)
{
    struct entry before = {0};
    for (size_t i = 0; i < count; i++) {
        struct entry entry = next_entry(type, &reader, map);
        if (i > 0 && compare_entries(&before, &entry) >= 0) {
            return false;
        }
        before = entry;
    }
    return true;
}

bool cql_order_sort(const struct cql_type *type, struct buffer *entries, size_t start, size_t count,
                    bool map)
{
    size_t length = entries->length - start;
    struct cql_reader reader = cql_reader_of(entries->data + start, length);
    if (are_sorted(type, reader, count, map)) {
        return true;
    }
    char *copy = memory_copy_bytes(entries->data + start, length);
    struct entry *list = memory_allocate_zeroed(count, sizeof *list);
    bool differ = true;
    reader = cql_reader_of(copy, length);
    for (size_t i = 0; i < count; i++) {
        list[i] = next_entry(type, &reader, map);
    }
    qsort(list, count, sizeof *list, compare_entries);
    entries->length = start;
    for (size_t i = 0; i < count; i++) {
        differ = differ && (i == 0 || compare_entries(&list[i - 1], &list[i]) != 0);
        buffer_append(entries, list[i].start, list[i].length);
    }
    free(list);
    free(copy);
    return differ;
}
