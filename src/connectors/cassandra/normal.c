/* Values as the target's columns keep them. */
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/protocol/cql_normal.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/sql/normal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <math.h>
#include <string.h>

/* A column that is not known: its values are taken as a new table would keep them. */
enum { STORED_AS_SENT = UINT32_MAX };

static const struct sql_rules rules = {0};

/* Is it to become a text first? */
static bool becomes_text(const struct cql_type *type, const struct cell *cell)
{
    return type->kind == CQL_TYPE_TEXT && cell->kind != VALUE_TEXT && cell->kind != VALUE_NULL &&
           cell->kind != VALUE_MISSING && cell->kind != VALUE_LARGE && cell->kind != VALUE_BYTES &&
           cell->kind != VALUE_ESCAPE;
}

/* The type that a text is read as for a column of that type; VALUE_MISSING: it stays a text. */
static struct value_type read_as(const struct cql_type *type)
{
    static const uint8_t kinds[] = {
        [CQL_TYPE_BIGINT] = VALUE_INT64,      [CQL_TYPE_INT] = VALUE_INT64,
        [CQL_TYPE_SMALLINT] = VALUE_INT64,    [CQL_TYPE_TINYINT] = VALUE_INT64,
        [CQL_TYPE_BOOLEAN] = VALUE_BOOL,      [CQL_TYPE_DECIMAL] = VALUE_DECIMAL,
        [CQL_TYPE_VARINT] = VALUE_DECIMAL,    [CQL_TYPE_DOUBLE] = VALUE_FLOAT64,
        [CQL_TYPE_FLOAT] = VALUE_FLOAT64,     [CQL_TYPE_TIMESTAMP] = VALUE_TIMESTAMP,
        [CQL_TYPE_DATE] = VALUE_DATE,         [CQL_TYPE_TIME] = VALUE_TIME,
        [CQL_TYPE_DURATION] = VALUE_INTERVAL, [CQL_TYPE_UUID] = VALUE_UUID,
        [CQL_TYPE_TIMEUUID] = VALUE_UUID,     [CQL_TYPE_LIST] = VALUE_LIST,
        [CQL_TYPE_SET] = VALUE_LIST,          [CQL_TYPE_MAP] = VALUE_MAP,
        [CQL_TYPE_UDT] = VALUE_MAP,           [CQL_TYPE_TUPLE] = VALUE_LIST,
    };
    enum value_kind kind = type->kind == CQL_TYPE_VECTOR ? VALUE_LIST
                           : (size_t)type->kind < sizeof(kinds) / sizeof(*kinds)
                               ? (enum value_kind)kinds[type->kind]
                               : VALUE_MISSING;
    /* a moment keeps the zone that it names, or stays without one */
    return (struct value_type){.kind = kind, .dynamic = kind == VALUE_TIMESTAMP};
}

/* ---------------------------------------------------------------- within values */

static uint32_t item_count(const struct cell *cell)
{
    return cell->kind == VALUE_MAP                               ? 2 * cell->length
           : cell->kind == VALUE_LIST || cell->kind == VALUE_SET ? cell->length
                                                                 : 0;
}

static const struct cql_type *field_type(const struct cql_type *type, const struct cell *name)
{
    for (uint32_t at = 0; at < type->part_count && name->kind == VALUE_TEXT; at++) {
        if (type->field_names[at].length == name->length &&
            memcmp(type->field_names[at].data, name->text, name->length) == 0) {
            return type->parts[at];
        }
    }
    return NULL;
}

/* The type of an item of a value; NULL: the type has no such item. */
static const struct cql_type *item_type(const struct cql_type *type, const struct cell *cell,
                                        uint32_t at)
{
    bool pairs = cell->kind == VALUE_MAP;
    switch (type->kind) {
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_VECTOR:
        return pairs ? NULL : type->parts[0];
    case CQL_TYPE_MAP:
        return pairs ? type->parts[at % 2] : NULL;
    case CQL_TYPE_TUPLE:
        return !pairs && at < type->part_count ? type->parts[at] : NULL;
    case CQL_TYPE_UDT:
        return pairs && at % 2 == 1 ? field_type(type, &cell->items[at - 1]) : NULL;
    default:
        return NULL;
    }
}

/* Is it, or is something in it, a text that is to become what it says? */
static bool says_other(const struct cql_type *type, const struct cell *cell)
{
    if (cell->kind == VALUE_TEXT || cell->kind == VALUE_JSON) {
        return type->kind != CQL_TYPE_TEXT && read_as(type).kind != VALUE_MISSING;
    }
    bool other = false;
    for (uint32_t at = 0; at < item_count(cell) && !other; at++) {
        const struct cql_type *part = item_type(type, cell, at);
        other = part != NULL && says_other(part, &cell->items[at]);
    }
    return other;
}

static enum status fit(const struct cql_type *type, const struct cell *cell, struct arena *arena,
                       struct cell *made, struct error *error);

static enum status fit_items(const struct cql_type *type, struct cell *made, struct arena *arena,
                             struct error *error)
{
    uint32_t count = item_count(made);
    enum status status = STATUS_OK;
    if (count == 0 || !says_other(type, made)) {
        return STATUS_OK;
    }
    struct cell *items = arena_allocate_zeroed(arena, count, sizeof(*items));
    memcpy(items, made->items, count * sizeof(*items));
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct cql_type *part = item_type(type, made, at);
        if (part != NULL && says_other(part, &made->items[at])) {
            status = fit(part, &made->items[at], arena, &items[at], error);
        }
    }
    made->items = items;
    return status;
}

/* The value that the column is given: a text of a value of another kind, or what a text says. */
static enum status fit(const struct cql_type *type, const struct cell *cell, struct arena *arena,
                       struct cell *made, struct error *error)
{
    *made = *cell;
    if (becomes_text(type, cell)) {
        struct buffer text = {0};
        enum status status = sql_append_column_text(&rules, cell, &text, error);
        if (status == STATUS_OK) {
            *made = cell_text(arena_copy(arena, text.data, text.length), text.length);
        }
        buffer_free(&text);
        return status;
    }
    const struct value_type wanted = read_as(type);
    if ((cell->kind == VALUE_TEXT || cell->kind == VALUE_JSON) && wanted.kind != VALUE_MISSING &&
        convert_value(cell, &wanted, false, arena, made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return fit_items(type, made, arena, error);
}

/* Is the value, as most are, of a kind that the type takes as it is? */
static bool fits_already(const struct cql_type *type, const struct cell *cell)
{
    return type->kind == CQL_TYPE_TEXT ? !becomes_text(type, cell) : !says_other(type, cell);
}

enum status cassandra_value_encode(const struct cql_type *type, const struct cell *cell,
                                   struct buffer *out, struct error *error)
{
    if (fits_already(type, cell)) {
        return cql_value_encode(type, cell, out, error);
    }
    struct cell made;
    struct arena *arena = arena_create(1024);
    enum status status = fit(type, cell, arena, &made, error);
    status = status == STATUS_OK ? cql_value_encode(type, &made, out, error) : status;
    arena_destroy(arena);
    return status;
}

enum status cassandra_normal_in(const struct cql_type *type, const struct cell *cell,
                                struct arena *arena, struct cell *normal, struct error *error)
{
    struct cell made;
    if (becomes_text(type, cell)) {
        return sql_text_in_column(&rules, cell, false, arena, normal, error);
    }
    return fit(type, cell, arena, &made, error) == STATUS_OK
               ? cql_normal_form(type, &made, arena, normal, error)
               : STATUS_FAILED;
}

/* As it would be in a column made for it. What is nested stays as it is: only a column says more.
 */
enum status cassandra_normal_form(struct database *database, const struct cell *cell,
                                  struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP) {
        *normal = *cell;
        return STATUS_OK;
    }
    return cql_normal_form_of_any(cell, arena, normal, error);
}

void cassandra_choose_equal(const struct cql_type *type, struct cell *cell, struct arena *arena)
{
    uint32_t count = item_count(cell);
    if (type->kind == CQL_TYPE_DECIMAL && cell->kind == VALUE_DECIMAL &&
        decimal_special(cell) == 0) {
        struct buffer digits = {0};
        decimal_append_normal(cell, &digits);
        (void)!decimal_parse(digits.data, digits.length, arena, cell);
        buffer_free(&digits);
    } else if ((cell->kind == VALUE_FLOAT64 || cell->kind == VALUE_FLOAT32) && isnan(cell->f64)) {
        cell->f64 = (double)NAN;
    } else if (count > 0) {
        struct cell *items = arena_allocate_zeroed(arena, count, sizeof(*items));
        for (uint32_t at = 0; at < count; at++) {
            const struct cql_type *part = item_type(type, cell, at);
            items[at] = cell->items[at];
            if (part != NULL) {
                cassandra_choose_equal(part, &items[at], arena);
            }
        }
        cell->items = items;
    }
}

/* ---------------------------------------------------------------- columns that are there */

/* With the mutex held. */
static uint32_t class_of(struct cassandra *self, const struct cql_type *type)
{
    uint32_t count = atomic_load(&self->class_count);
    uint32_t number = 0;
    while (number < count && self->classes[number] != type) {
        number++;
    }
    if (number == CASSANDRA_CLASSES_MAX) {
        return STORED_AS_SENT;
    }
    if (number == count) {
        self->classes[number] = type;
        atomic_store(&self->class_count, count + 1);
    }
    return number;
}

uint32_t cassandra_column_class(struct database *database, const struct schema_table *table,
                                const struct schema_column *column)
{
    struct cassandra *self = cassandra_of(database);
    const struct target_table wanted = {.name = table->name};
    const struct cassandra_layout *layout = NULL;
    struct error ignored;
    uint32_t number = STORED_AS_SENT;
    if (cassandra_layout_find(self, &wanted, &layout, &ignored) != STATUS_OK) {
        return number;
    }
    int32_t at = cassandra_column_find(layout->table, column->name, strlen(column->name));
    if (at >= 0) {
        pthread_mutex_lock(&self->keyed.mutex);
        number = class_of(self, layout->table->columns[at].type);
        pthread_mutex_unlock(&self->keyed.mutex);
    }
    return number;
}

enum status cassandra_normal_form_in_column(struct database *database, uint32_t column_class,
                                            const struct cell *cell, struct arena *arena,
                                            struct cell *normal, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cql_type *type =
        column_class < atomic_load(&self->class_count) ? self->classes[column_class] : NULL;
    if (cell->kind == VALUE_MISSING) {
        *normal = cell_null();
        return STATUS_OK;
    }
    if (type == NULL) {
        return cassandra_normal_form(database, cell, arena, normal, error);
    }
    return cassandra_normal_in(type, cell, arena, normal, error);
}
