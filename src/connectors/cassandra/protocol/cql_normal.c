/* The value that reading it back from its column gives. */
#include "connectors/cassandra/protocol/cql_normal.h"

#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "model/decimal.h"

/* As it is what reading it back would give, seen at a glance. */
static bool is_normal(const struct cql_type *type, const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_LARGE:
        return true;
    case VALUE_INT64:
        return type->kind == CQL_TYPE_BIGINT || type->kind == CQL_TYPE_COUNTER ||
               type->kind == CQL_TYPE_VARINT ||
               (type->kind == CQL_TYPE_INT && cell->i64 == (int32_t)cell->i64);
    case VALUE_BOOL:
        return type->kind == CQL_TYPE_BOOLEAN;
    case VALUE_FLOAT64:
        return type->kind == CQL_TYPE_DOUBLE;
    case VALUE_TEXT:
        return type->kind == CQL_TYPE_TEXT;
    case VALUE_BYTES:
        return type->kind == CQL_TYPE_BLOB && cell->length <= CQL_VALUE_BYTES_MAX;
    case VALUE_UUID:
        return type->kind == CQL_TYPE_UUID;
    default:
        return false;
    }
}

/* Is nothing of it there, since all is null that is in it? */
static bool is_void(const struct cql_type *type, const struct cell *cell)
{
    if (type->frozen ||
        (cell->kind != VALUE_LIST && cell->kind != VALUE_SET && cell->kind != VALUE_MAP)) {
        return false;
    }
    if (type->kind != CQL_TYPE_UDT) {
        return cell->length == 0 && type->kind != CQL_TYPE_TUPLE;
    }
    for (size_t i = 0; i < cell->length; i++) {
        if (cell->items[2 * i + 1].kind != VALUE_NULL) {
            return false;
        }
    }
    return true;
}

static enum status write_and_read(const struct cql_type *type, const struct cell *cell,
                                  struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer out = {0};
    enum status status = cql_value_encode(type, cell, &out, error);
    if (status == STATUS_OK) {
        char *bytes = arena_try_copy(arena, out.data, out.length);
        struct cql_reader reader = cql_reader_of(bytes, bytes != NULL ? out.length : 0);
        struct cql_value value = cql_read_value(&reader);
        status = bytes != NULL
                     ? cql_value_decode(type, value, arena, normal, error)
                     : error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                                 "there is no memory for a value of %zu bytes", out.length);
    }
    buffer_free(&out);
    return status;
}

enum status cql_normal_form(const struct cql_type *type, const struct cell *cell,
                            struct arena *arena, struct cell *normal, struct error *error)
{
    if (is_normal(type, cell)) {
        *normal = *cell;
        return STATUS_OK;
    }
    if (cell->kind == VALUE_DECIMAL && type->kind == CQL_TYPE_DECIMAL &&
        decimal_to_small(cell, normal)) {
        normal->flags = CELL_SMALL;
        return STATUS_OK;
    }
    if (write_and_read(type, cell, arena, normal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *normal = is_void(type, normal) ? cell_null() : *normal;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- in any column */

static enum status normal_parts(const struct cell *cell, struct arena *arena, struct cell *normal,
                                struct error *error)
{
    size_t count = (size_t)cell->length * (cell->kind == VALUE_MAP ? 2 : 1);
    struct cell *items = arena_allocate_zeroed(arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        if (cql_normal_form_of_any(&cell->items[i], arena, &items[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *normal = cell_items((enum value_kind)cell->kind, items, cell->length);
    return STATUS_OK;
}

enum status cql_normal_form_of_any(const struct cell *cell, struct arena *arena,
                                   struct cell *normal, struct error *error)
{
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP) {
        return normal_parts(cell, arena, normal, error);
    }
    if (cell->kind == VALUE_ESCAPE && cell->aux == ESCAPE_CASSANDRA) {
        *normal = *cell;
        return STATUS_OK;
    }
    struct value_type type = {.kind = cell->kind, .zoned = (cell->flags & CELL_ZONED) != 0};
    return cql_normal_form(cql_type_of_model(&type, NULL, arena), cell, arena, normal, error);
}
