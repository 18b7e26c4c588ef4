/* Cells to bytes of CQL values: collections, tuples, user-defined types, vectors. */
#include "connectors/cassandra/protocol/cql_encode.h"

#include "connectors/cassandra/protocol/cql_number.h"
#include "connectors/cassandra/protocol/cql_order.h"
#include "model/convert.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 128 };

static enum status cql_encode_nested_refuse(const struct cql_type *type, const char *why,
                                            struct error *error)
{
    const char *name = cql_kind_name(type->kind);
    return error_set(error, ERROR_REJECT_TYPE, NULL, "%s: %s",
                     name != NULL ? name : "user-defined type", why);
}

/* An element that may not be null, in a value that began at `begin`. */
static enum status encode_element(const struct cql_type *whole, const struct cql_type *type,
                                  const struct cell *cell, size_t begin, struct buffer *out,
                                  struct error *error)
{
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return cql_encode_nested_refuse(whole, "its elements can't be null", error);
    }
    if (out->length - begin > CQL_VALUE_BYTES_MAX) {
        return convert_refuse_large(out->length - begin, CQL_VALUE_BYTES_MAX, error);
    }
    return cql_encode_any(type, cell, out, error);
}

static enum status encode_collection(const struct cql_type *type, const struct cell *cell,
                                     struct buffer *out, struct error *error)
{
    size_t each = type->part_count;
    size_t begin = cql_write_begin(out);
    cql_write_int(out, (int32_t)cell->length);
    size_t start = out->length;
    for (size_t i = 0; i < cell->length * each; i++) {
        if (encode_element(type, type->parts[i % each], &cell->items[i], begin, out, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    bool map = type->kind == CQL_TYPE_MAP;
    if (type->kind != CQL_TYPE_LIST &&
        !cql_order_sort(type->parts[0], out, start, cell->length, map)) {
        return cql_encode_nested_refuse(
            type, map ? "it has a key twice" : "it has an element twice", error);
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

static enum status encode_field(const struct cql_type *type, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    struct cell none = cell_null();
    return cql_encode_any(type, cell != NULL && cell->kind != VALUE_MISSING ? cell : &none, out,
                          error);
}

static enum status encode_tuple(const struct cql_type *type, const struct cell *cell,
                                struct buffer *out, struct error *error)
{
    if (cell->length > type->part_count) {
        return cql_encode_nested_refuse(type, "the list has more elements", error);
    }
    size_t begin = cql_write_begin(out);
    for (uint32_t i = 0; i < type->part_count; i++) {
        const struct cell *item = i < cell->length ? &cell->items[i] : NULL;
        if (encode_field(type->parts[i], item, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

static bool is_name(const struct cell *key, struct text name)
{
    return key->kind == VALUE_TEXT && key->length == name.length &&
           memcmp(key->text, name.data, name.length) == 0;
}

/* The value under the field's name, most often the pair at the field's own place. */
static const struct cell *find_field(const struct cell *map, struct text name, uint32_t place)
{
    if (place < map->length && is_name(&map->items[2 * (size_t)place], name)) {
        return &map->items[2 * (size_t)place + 1];
    }
    for (size_t i = 0; i < map->length; i++) {
        if (is_name(&map->items[2 * i], name)) {
            return &map->items[2 * i + 1];
        }
    }
    return NULL;
}

static bool has_field(const struct cql_type *type, const struct cell *key)
{
    for (uint32_t i = 0; i < type->part_count; i++) {
        if (is_name(key, type->field_names[i])) {
            return true;
        }
    }
    return false;
}

/* Names what the type has no field for. */
static enum status refuse_fields(const struct cql_type *type, const struct cell *map,
                                 struct error *error)
{
    char name[SHOWN_MAX];
    char field[SHOWN_MAX] = "";
    text_printable(type->name.data, type->name.length, name, sizeof name);
    for (size_t i = 0; i < map->length; i++) {
        const struct cell *key = &map->items[2 * i];
        if (!has_field(type, key)) {
            if (key->kind == VALUE_TEXT) {
                text_printable(key->text, key->length, field, sizeof field);
            }
            return error_set(error, ERROR_REJECT_TYPE, NULL,
                             "the user-defined type %s has no field \"%s\"", name, field);
        }
    }
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "the value of user-defined type %s has a field twice", name);
}

static enum status encode_udt(const struct cql_type *type, const struct cell *cell,
                              struct buffer *out, struct error *error)
{
    size_t begin = cql_write_begin(out);
    uint32_t found = 0;
    for (uint32_t i = 0; i < type->part_count; i++) {
        const struct cell *value = find_field(cell, type->field_names[i], i);
        found += value != NULL;
        if (encode_field(type->parts[i], value, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (found != cell->length) {
        return refuse_fields(type, cell, error);
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

/* Puts in place of the [int] length of an element that was just written nothing, if all are of
 * `fixed` bytes, else a vint. */
static void shorten_length(size_t start, uint32_t fixed, struct buffer *out)
{
    enum { INT_BYTES = 4 };
    uint8_t vint[CQL_VINT_BYTES_MAX];
    size_t length = out->length - start - INT_BYTES;
    size_t taken = fixed > 0 ? 0 : cql_put_vint(vint, length);
    buffer_reserve(out, CQL_VINT_BYTES_MAX);
    char *at = out->data + start;
    memmove(at + taken, at + INT_BYTES, length);
    memcpy(at, vint, taken);
    out->length = start + taken + length;
}

static enum status encode_vector(const struct cql_type *type, const struct cell *cell,
                                 struct buffer *out, struct error *error)
{
    enum { INT_BYTES = 4 };
    uint32_t fixed = cql_type_fixed_bytes(type->parts[0]);
    size_t begin = cql_write_begin(out);
    if (cell->length != type->dimension) {
        char takes[64];
        snprintf(takes, sizeof takes, "%u elements, not %u", type->dimension, cell->length);
        return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, takes, error);
    }
    for (uint32_t i = 0; i < cell->length; i++) {
        size_t start = out->length;
        if (encode_element(type, type->parts[0], &cell->items[i], begin, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (fixed > 0 && out->length - start != fixed + INT_BYTES) {
            return cql_encode_nested_refuse(type, "its elements can't be empty", error);
        }
        shorten_length(start, fixed, out);
    }
    cql_write_end(out, begin);
    return STATUS_OK;
}

enum status cql_encode_nested(const struct cql_type *type, const struct cell *cell,
                              struct buffer *out, struct error *error)
{
    bool list = cell->kind == VALUE_LIST;
    bool map = cell->kind == VALUE_MAP;
    switch (type->kind) {
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
        if (list || cell->kind == VALUE_SET) {
            return encode_collection(type, cell, out, error);
        }
        break;
    case CQL_TYPE_MAP:
        if (map) {
            return encode_collection(type, cell, out, error);
        }
        break;
    case CQL_TYPE_TUPLE:
        if (list) {
            return encode_tuple(type, cell, out, error);
        }
        break;
    case CQL_TYPE_UDT:
        if (map) {
            return encode_udt(type, cell, out, error);
        }
        break;
    case CQL_TYPE_VECTOR:
        if (list) {
            return encode_vector(type, cell, out, error);
        }
        break;
    default:
        break;
    }
    return cql_encode_refuse(type, cell, ERROR_REJECT_TYPE, NULL, error);
}
