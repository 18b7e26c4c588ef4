#include "support_cql.h"

#include "connectors/cassandra/protocol/cql_order.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "model/decimal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- types */

static const enum cql_kind plain_kinds[] = {
    CQL_TYPE_ASCII,     CQL_TYPE_BIGINT,  CQL_TYPE_BLOB,     CQL_TYPE_BOOLEAN, CQL_TYPE_DECIMAL,
    CQL_TYPE_DOUBLE,    CQL_TYPE_FLOAT,   CQL_TYPE_INT,      CQL_TYPE_UUID,    CQL_TYPE_TEXT,
    CQL_TYPE_TIMESTAMP, CQL_TYPE_VARINT,  CQL_TYPE_TIMEUUID, CQL_TYPE_INET,    CQL_TYPE_DATE,
    CQL_TYPE_TIME,      CQL_TYPE_TINYINT, CQL_TYPE_SMALLINT, CQL_TYPE_DURATION};
static const enum cql_kind nested_kinds[] = {CQL_TYPE_LIST,  CQL_TYPE_SET, CQL_TYPE_MAP,
                                             CQL_TYPE_TUPLE, CQL_TYPE_UDT, CQL_TYPE_VECTOR};

static struct text name_of(struct arena *arena, const char *word, uint32_t number)
{
    char *name = arena_format(arena, "%s %u\"", word, number);
    return (struct text){name, strlen(name)};
}

static uint32_t count_of_parts(struct random *random, enum cql_kind kind)
{
    switch (kind) {
    case CQL_TYPE_MAP:
        return 2;
    case CQL_TYPE_TUPLE:
    case CQL_TYPE_UDT:
        return 1 + (uint32_t)random_below(random, 4);
    default:
        return 1;
    }
}

const struct cql_type *random_cql_type(struct random *random, struct arena *arena, int depth)
{
    if (depth == 0 || random_below(random, 3) == 0) {
        return cql_type_plain(plain_kinds[random_below(random, sizeof plain_kinds / sizeof(int))]);
    }
    struct cql_type *type = arena_allocate_zeroed(arena, 1, sizeof *type);
    type->kind = nested_kinds[random_below(random, sizeof nested_kinds / sizeof(int))];
    uint32_t count = count_of_parts(random, type->kind);
    const struct cql_type **parts = arena_allocate_zeroed(arena, count, sizeof(*parts));
    struct text *names = arena_allocate_zeroed(arena, count, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = random_cql_type(random, arena, depth - 1);
        names[i] = name_of(arena, "Field", i);
    }
    if (type->kind == CQL_TYPE_VECTOR) {
        type->dimension = 1 + (uint32_t)random_below(random, 5);
    }
    if (type->kind == CQL_TYPE_UDT) {
        type->keyspace = (struct text){"shop", 4};
        type->name = name_of(arena, "Type", (uint32_t)random_below(random, 1000));
        type->field_names = names;
    }
    type->parts = parts;
    type->part_count = count;
    return type;
}

static const struct cql_type *find_address(struct cql_udts *self, struct text keyspace,
                                           struct text name)
{
    static const struct cql_type text = {.kind = CQL_TYPE_TEXT};
    static const struct cql_type number = {.kind = CQL_TYPE_INT};
    static const struct cql_type *const of_text[] = {&text};
    static const struct cql_type tags = {.kind = CQL_TYPE_SET, .part_count = 1, .parts = of_text};
    static const struct cql_type *const parts[] = {&text, &number, &tags};
    static const struct text names[] = {{"street", 6}, {"No", 2}, {"tags", 4}};
    static const struct cql_type address = {.kind = CQL_TYPE_UDT,
                                            .part_count = 3,
                                            .parts = parts,
                                            .field_names = names,
                                            .name = {"Address", 7}};
    (void)self;
    bool known = name.length == 7 && memcmp(name.data, "Address", 7) == 0 &&
                 (keyspace.length == 0 || memcmp(keyspace.data, "shop", keyspace.length) == 0);
    return known ? &address : NULL;
}

const struct cql_type *cql_type_of(const char *text, struct arena *arena)
{
    struct cql_udts udts = {find_address};
    struct error error = {0};
    const struct cql_type *type = NULL;
    struct text words = {text, strlen(text)};
    if (cql_type_parse(words, &udts, arena, &type, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return type;
}

/* ---------------------------------------------------------------- values */

static struct cell whole(struct random *random, int bits)
{
    int64_t number = (int64_t)(random_bits(random) << (64 - bits)) >> (64 - bits);
    return cell_int64(random_below(random, 3) == 0 ? number >> (bits / 2) : number);
}

static struct cell digits(struct random *random, struct arena *arena, size_t most, bool point)
{
    struct cell cell = {0};
    char text[400];
    size_t length = 0;
    if (random_below(random, 2) == 0) {
        text[length++] = '-';
    }
    size_t count = 1 + random_below(random, most);
    size_t place = point ? random_below(random, count) : 0;
    for (size_t i = 0; i < count; i++) {
        if (place > 0 && i == count - place) {
            text[length++] = '.';
        }
        text[length++] = (char)('0' + (int)random_below(random, 10));
    }
    assert_int_equal(decimal_parse(text, length, arena, &cell), STATUS_OK);
    return cell;
}

/* Of the kinds that a varint is read as. */
static struct cell varint(struct random *random, struct arena *arena)
{
    struct cell cell = digits(random, arena, 60, false);
    int64_t number;
    return decimal_to_int64(&cell, &number) == STATUS_OK ? cell_int64(number) : cell;
}

static struct cell binary_float(struct random *random, bool single)
{
    uint64_t bits = random_bits(random);
    uint32_t low = (uint32_t)bits;
    float narrow;
    double wide;
    memcpy(&narrow, &low, sizeof narrow);
    memcpy(&wide, &bits, sizeof wide);
    return single ? (struct cell){.kind = VALUE_FLOAT32, .f64 = (double)narrow}
                  : cell_float64(wide);
}

static struct cell duration(struct random *random, struct arena *arena)
{
    struct value_interval *interval = arena_allocate(arena, sizeof *interval);
    int sign = random_below(random, 2) == 0 ? 1 : -1;
    *interval = (struct value_interval){sign * (int32_t)random_below(random, INT32_MAX),
                                        sign * (int32_t)random_below(random, 40),
                                        sign * (int64_t)(random_bits(random) >> 1)};
    return (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

static struct cell uuid(struct random *random, struct arena *arena, bool timed)
{
    uint8_t *bytes = arena_allocate(arena, 16);
    for (int i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)random_bits(random);
    }
    bytes[6] = timed ? (uint8_t)(0x10 | (bytes[6] & 15)) : bytes[6];
    return (struct cell){.kind = VALUE_UUID, .bytes = bytes};
}

static struct cell address(struct random *random, struct arena *arena)
{
    uint8_t bytes[16];
    for (int i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)(random_below(random, 2) * random_below(random, 256));
    }
    struct cell cell = {0};
    struct error error = {0};
    struct cql_value value = {bytes, random_below(random, 2) == 0 ? 4 : 16};
    assert_int_equal(cql_value_decode(cql_type_plain(CQL_TYPE_INET), value, arena, &cell, &error),
                     STATUS_OK);
    return cell;
}

static struct cell short_text(struct random *random, struct arena *arena, bool ascii)
{
    char text[64];
    size_t length = random_text(random, text, sizeof text);
    for (size_t i = 0; i < length && ascii; i++) {
        text[i] = (char)(text[i] & 0x7f);
    }
    return cell_text(arena_copy(arena, text, length), length);
}

static struct cell plain_value(struct random *random, enum cql_kind kind, struct arena *arena)
{
    const int64_t day = 86400 * (int64_t)1000000000;
    switch (kind) {
    case CQL_TYPE_BIGINT:
        return whole(random, 64);
    case CQL_TYPE_INT:
        return whole(random, 32);
    case CQL_TYPE_SMALLINT:
        return whole(random, 16);
    case CQL_TYPE_TINYINT:
        return whole(random, 8);
    case CQL_TYPE_VARINT:
        return varint(random, arena);
    case CQL_TYPE_DECIMAL:
        return digits(random, arena, random_below(random, 2) == 0 ? 17 : 300, true);
    case CQL_TYPE_FLOAT:
    case CQL_TYPE_DOUBLE:
        return binary_float(random, kind == CQL_TYPE_FLOAT);
    case CQL_TYPE_BOOLEAN:
        return cell_bool((int)random_below(random, 2));
    case CQL_TYPE_DATE:
        return (struct cell){.kind = VALUE_DATE, .i64 = whole(random, 32).i64};
    case CQL_TYPE_TIME:
        return (struct cell){.kind = VALUE_TIME, .i64 = random_between(random, 0, day - 1)};
    case CQL_TYPE_TIMESTAMP:
        return (struct cell){
            .kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = whole(random, 52).i64 * 1000};
    case CQL_TYPE_DURATION:
        return duration(random, arena);
    case CQL_TYPE_UUID:
    case CQL_TYPE_TIMEUUID:
        return uuid(random, arena, kind == CQL_TYPE_TIMEUUID);
    case CQL_TYPE_INET:
        return address(random, arena);
    case CQL_TYPE_BLOB: {
        struct cell text = short_text(random, arena, false);
        return cell_bytes(text.text, text.length);
    }
    default:
        return short_text(random, arena, kind == CQL_TYPE_ASCII);
    }
}

/* The [value] of a cell, in the arena. */
static struct cql_value value_of(const struct cql_type *type, const struct cell *cell,
                                 struct arena *arena)
{
    struct buffer out = {0};
    struct error error = {0};
    if (cql_value_encode(type, cell, &out, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    uint8_t *bytes = (uint8_t *)arena_copy(arena, out.data, out.length);
    struct cql_value value = {bytes + 4, (int32_t)out.length - 4};
    buffer_free(&out);
    return value;
}

/* Elements in growing order of their first parts, by insertion; how many differ. */
static uint32_t insert_sorted(const struct cql_type *type, struct cell *items, uint32_t count,
                              const struct cell *added, uint32_t each, struct arena *arena)
{
    struct cql_value key = value_of(type, added, arena);
    uint32_t place = count;
    for (uint32_t i = count; i > 0; i--) {
        int order =
            cql_order_compare(type, value_of(type, &items[(size_t)(i - 1) * each], arena), key);
        if (order == 0) {
            return count;
        }
        place = order > 0 ? i - 1 : place;
    }
    memmove(&items[(size_t)(place + 1) * each], &items[(size_t)place * each],
            (size_t)(count - place) * each * sizeof *items);
    memcpy(&items[(size_t)place * each], added, each * sizeof *added);
    return count + 1;
}

static struct cell collection(struct random *random, const struct cql_type *type,
                              struct arena *arena)
{
    uint32_t each = type->part_count;
    uint32_t wanted = (uint32_t)random_below(random, 5);
    uint32_t count = 0;
    struct cell *items = arena_allocate_zeroed(arena, ((size_t)wanted + 1) * each, sizeof *items);
    for (uint32_t i = 0; i < wanted; i++) {
        struct cell added[2] = {0};
        for (uint32_t part = 0; part < each; part++) {
            added[part] = random_cql_value(random, type->parts[part], arena);
        }
        if (type->kind == CQL_TYPE_LIST) {
            items[count++] = added[0];
        } else {
            count = insert_sorted(type->parts[0], items, count, added, each, arena);
        }
    }
    return cell_items(type->kind == CQL_TYPE_LIST  ? VALUE_LIST
                      : type->kind == CQL_TYPE_SET ? VALUE_SET
                                                   : VALUE_MAP,
                      items, count);
}

static struct cell fields(struct random *random, const struct cql_type *type, struct arena *arena)
{
    bool named = type->kind == CQL_TYPE_UDT;
    uint32_t each = named ? 2 : 1;
    struct cell *items =
        arena_allocate_zeroed(arena, (size_t)type->part_count * each, sizeof *items);
    for (size_t i = 0; i < type->part_count; i++) {
        if (named) {
            items[2 * i] = cell_text(type->field_names[i].data, type->field_names[i].length);
        }
        items[i * each + each - 1] = random_below(random, 4) == 0
                                         ? cell_null()
                                         : random_cql_value(random, type->parts[i], arena);
    }
    return cell_items(named ? VALUE_MAP : VALUE_LIST, items, type->part_count);
}

struct cell random_cql_value(struct random *random, const struct cql_type *type,
                             struct arena *arena)
{
    switch (type->kind) {
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_MAP:
        return collection(random, type, arena);
    case CQL_TYPE_TUPLE:
    case CQL_TYPE_UDT:
        return fields(random, type, arena);
    case CQL_TYPE_VECTOR: {
        struct cell *items = arena_allocate_zeroed(arena, type->dimension, sizeof *items);
        for (uint32_t i = 0; i < type->dimension; i++) {
            items[i] = random_cql_value(random, type->parts[0], arena);
        }
        return cell_items(VALUE_LIST, items, type->dimension);
    }
    default:
        return plain_value(random, type->kind, arena);
    }
}

/* ---------------------------------------------------------------- the fixture */

int cql_set_up(void **state)
{
    struct cql_fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_create(0);
    *state = fixture;
    return 0;
}

int cql_tear_down(void **state)
{
    struct cql_fixture *fixture = *state;
    buffer_free(&fixture->out);
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

struct cell cql_text_cell(const char *text)
{
    return cell_text(text, strlen(text));
}

struct cell cql_decimal(struct cql_fixture *fixture, const char *text)
{
    struct cell cell = {0};
    assert_int_equal(decimal_parse(text, strlen(text), fixture->arena, &cell), STATUS_OK);
    return cell;
}

void cql_assert_cell(const struct cell *cell, const struct cell *expected)
{
    if (!value_equal(cell, expected)) {
        struct buffer shown = {0};
        value_print(cell, 200, &shown);
        buffer_append_string(&shown, " instead of ");
        value_print(expected, 200, &shown);
        fail_msg("%s %s", value_kind_name((enum value_kind)cell->kind), buffer_string(&shown));
    }
}
