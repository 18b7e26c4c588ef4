/* Values: each kind and edge comes back as the connector's normal form says, or is rejected with a
 * reason. */
#include "base/file.h"
#include "connectors/contract/defaults.h"
#include "contract.h"
#include "model/field_hash.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

static const struct value_interval interval = {14, -3, 1500000000};
static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
static const char decimal_38_10[] = "1234567890123456789012345678.0123456789";
static const char nul_text[] = "a\0b";

#define TEXT(literal)                                                        \
    {                                                                        \
        .kind = VALUE_TEXT, .length = sizeof(literal) - 1, .text = (literal) \
    }

static const struct cell list_items[] = {
    {.kind = VALUE_INT64, .i64 = 1}, {.kind = VALUE_NULL}, TEXT("x")};
static const struct cell nested_items[] = {
    {.kind = VALUE_LIST, .length = 3, .items = list_items},
    {.kind = VALUE_LIST, .length = 0, .items = list_items},
};
static const struct cell set_items[] = {TEXT("a"), TEXT("b")};
static const struct cell map_items[] = {TEXT("k"),
                                        {.kind = VALUE_INT64, .i64 = 7},
                                        TEXT("list"),
                                        {.kind = VALUE_LIST, .length = 2, .items = nested_items}};
static const struct cell odd_map_items[] = {{.kind = VALUE_INT64, .i64 = 5}, TEXT("integer key")};

static const struct cell values[] = {
    {.kind = VALUE_MISSING},
    {.kind = VALUE_NULL},
    {.kind = VALUE_BOOL, .i64 = 0},
    {.kind = VALUE_BOOL, .i64 = 1},
    {.kind = VALUE_INT64, .i64 = 0},
    {.kind = VALUE_INT64, .i64 = INT64_MAX},
    {.kind = VALUE_INT64, .i64 = INT64_MIN},
    {.kind = VALUE_INT64, .i64 = 9007199254740993},
    {.kind = VALUE_UINT64, .u64 = (uint64_t)1 << 63},
    {.kind = VALUE_UINT64, .u64 = UINT64_MAX},
    {.kind = VALUE_FLOAT32, .f64 = 0.1f},
    {.kind = VALUE_FLOAT64, .f64 = 0.1},
    {.kind = VALUE_FLOAT64, .f64 = -0.0},
    {.kind = VALUE_FLOAT64, .f64 = 1e300},
    {.kind = VALUE_FLOAT64, .f64 = DBL_TRUE_MIN},
    {.kind = VALUE_FLOAT64, .f64 = NAN},
    {.kind = VALUE_FLOAT64, .f64 = INFINITY},
    {.kind = VALUE_FLOAT64, .f64 = -INFINITY},
    {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 2, .i64 = 10},
    {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 2, .i64 = 198},
    {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 18, .i64 = -1},
    {.kind = VALUE_DECIMAL, .length = sizeof decimal_38_10 - 1, .text = decimal_38_10},
    {.kind = VALUE_DECIMAL, .length = 3, .text = "NaN"},
    TEXT(""),
    TEXT("plain"),
    TEXT("quotes ' \" ` \\ and\nlines\ttabs"),
    TEXT("caf\xc3\xa9 \xf0\x9f\x90\x91"),
    {.kind = VALUE_TEXT, .length = 3, .text = nul_text},
    TEXT("12"),
    {.kind = VALUE_BYTES, .length = 0, .bytes = uuid},
    {.kind = VALUE_BYTES, .length = 16, .bytes = uuid},
    {.kind = VALUE_DATE, .i64 = 19782},
    {.kind = VALUE_DATE, .i64 = -719162},
    {.kind = VALUE_DATE, .i64 = -800000},
    {.kind = VALUE_DATE, .i64 = 3000000},
    {.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_INFINITY},
    {.kind = VALUE_DATE, .flags = CELL_SPECIAL, .i64 = CELL_ZERO_DATE},
    {.kind = VALUE_TIME, .i64 = 86399999999999},
    {.kind = VALUE_TIME, .flags = CELL_ZONED, .length = (uint32_t)-19800, .i64 = 1000},
    {.kind = VALUE_TIMESTAMP, .aux = 789, .i64 = 1700000000123456},
    {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = -62135596800000000},
    {.kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL, .i64 = CELL_MINUS_INFINITY},
    {.kind = VALUE_INTERVAL, .interval = &interval},
    {.kind = VALUE_UUID, .bytes = uuid},
    {.kind = VALUE_JSON, .length = 13, .text = "{\"a\":[1,2.50]}"},
    {.kind = VALUE_LIST, .length = 3, .items = list_items},
    {.kind = VALUE_LIST, .length = 2, .items = nested_items},
    {.kind = VALUE_SET, .length = 2, .items = set_items},
    {.kind = VALUE_MAP, .length = 2, .items = map_items},
    {.kind = VALUE_MAP, .length = 1, .items = odd_map_items},
    {.kind = VALUE_MAP, .length = 0, .items = map_items},
    {.kind = VALUE_ESCAPE,
     .flags = CELL_ESCAPED_TEXT,
     .aux = ESCAPE_SQLITE,
     .length = 3,
     .bytes = (const uint8_t *)"a\xff\x62"},
};
enum { VALUE_COUNT = sizeof values / sizeof *values };

static const char *printed(const struct cell *cell, struct buffer *out)
{
    buffer_clear(out);
    value_print(cell, 120, out);
    return buffer_string(out);
}

struct expectation {
    struct fixture *fixture;
    bool written[VALUE_COUNT];
    bool seen[VALUE_COUNT];
    uint32_t column_class; /* of "value", where the column decides */
};

/* As the column keeps it, where the column decides, else as any would. */
static enum status normal_in_things(const struct expectation *expectation, const struct cell *cell,
                                    struct arena *arena, struct cell *normal, struct error *error)
{
    struct database *target = expectation->fixture->target;
    const struct target_functions *functions = target->connector->target;
    const struct column_functions *columns = connector_columns(target->connector);
    return columns->decides
               ? columns->normal_form(target, expectation->column_class, cell, arena, normal, error)
               : functions->normal_form(target, cell, arena, normal, error);
}

static void compare_row(void *context, int64_t id, const struct cell *value)
{
    struct expectation *expectation = context;
    struct error error = {0};
    struct cell normal;
    struct cell back;
    struct arena *arena = arena_create(0);
    struct buffer wanted = {0};
    struct buffer got = {0};
    assert_true(id >= 0 && id < VALUE_COUNT);
    assert_true(expectation->written[id]);
    assert_false(expectation->seen[id]);
    expectation->seen[id] = true;
    check_ok(normal_in_things(expectation, &values[id], arena, &normal, &error), &error,
             "normal_form");
    check_ok(normal_in_things(expectation, value, arena, &back, &error), &error,
             "normal_form of what came back");
    if (!value_equal(&normal, &back)) {
        fail_msg("value %d %s: normal form %s, came back as kind %s %s", (int)id,
                 value_kind_name(values[id].kind), printed(&normal, &wanted),
                 value_kind_name(back.kind), printed(&back, &got));
    }
    buffer_free(&wanted);
    buffer_free(&got);
    arena_destroy(arena);
}

static uint32_t class_of_value(struct fixture *fixture)
{
    struct schema *schema = NULL;
    struct error error = {0};
    const struct connector *connector = fixture->target->connector;
    check_ok(connector->catalog->describe(fixture->target, &schema, &error), &error, "describe");
    const struct schema_table *table = schema_find_table(schema, "things");
    assert_non_null(table);
    uint32_t class = connector_columns(connector)->value_class(
        fixture->target, table, &table->columns[schema_find_column(table, "value")]);
    arena_destroy(schema->arena);
    return class;
}

/* What try_record says of each value; ERROR_CODE_COUNT: nothing is known. */
struct foreseen {
    enum error_code codes[VALUE_COUNT];
};

static void foresee(struct fixture *fixture, bool created, struct foreseen *foreseen)
{
    const struct trial_functions *functions = fixture->target->connector->trial;
    struct target_table table = fixture->table;
    struct target_trial *trial = NULL;
    struct error error = {0};
    table.created = created;
    enum status status = functions->open != NULL
                             ? functions->open(fixture->target, &table, &trial, &error)
                             : STATUS_END;
    assert_true(status != STATUS_FAILED);
    for (int i = 0; i < VALUE_COUNT; i++) {
        foreseen->codes[i] = ERROR_CODE_COUNT;
        if (status == STATUS_OK) {
            struct batch *batch = fixture_batch(fixture, i, 1, &values[i]);
            error_clear(&error);
            if (functions->record(trial, &fixture->shape, batch_row(batch, 0), NULL, &error) !=
                STATUS_OK) {
                assert_int_equal(error.class, ERROR_CLASS_REJECT);
                assert_true(error.message[0] != '\0');
            }
            foreseen->codes[i] = error.code;
            batch_destroy(batch);
        }
    }
    if (status == STATUS_OK) {
        functions->close(trial);
    }
}

static void check_foreseen(const struct foreseen *foreseen, const char *when, int number,
                           const struct tally *tally)
{
    enum error_code code = tally->rejected > 0 ? tally->code : ERROR_NONE;
    if (foreseen->codes[number] != ERROR_CODE_COUNT && foreseen->codes[number] != code) {
        fail_msg("value %d (%s), %s: try_record says %s, the writer %s: %s", number,
                 value_kind_name(values[number].kind), when,
                 error_describe(foreseen->codes[number])->name, error_describe(code)->name,
                 tally->reason);
    }
}

void contract_test_values(const struct contract_entry *entry)
{
    struct fixture fixture;
    struct foreseen before;
    struct foreseen after;
    fixture_open(&fixture, entry);
    foresee(&fixture, true, &before);
    fixture_begin(&fixture);
    foresee(&fixture, false, &after);
    struct expectation expectation = {.fixture = &fixture};
    if (connector_columns(fixture.target->connector)->decides) {
        expectation.column_class = class_of_value(&fixture);
    }
    struct error error = {0};
    uint32_t rejected = 0;
    check_ok(fixture.target->connector->target->chunk_begin(fixture.writer, 1, 1, &error), &error,
             "chunk_begin");
    for (int i = 0; i < VALUE_COUNT; i++) {
        struct tally tally = fixture_write(&fixture, 1, fixture_batch(&fixture, i, 1, &values[i]));
        expectation.written[i] = tally.written == 1;
        rejected += (uint32_t)tally.rejected;
        check_foreseen(&before, "before the table was made", i, &tally);
        check_foreseen(&after, "in the table", i, &tally);
        if (entry->one_kind) {
            assert_int_equal(tally.written,
                             values[i].kind <= VALUE_NULL || values[i].kind == VALUE_TEXT);
        }
    }
    fixture_commit(&fixture, 1, "{}");
    assert_true(entry->one_kind || rejected < VALUE_COUNT / 2);
    fixture_read(&fixture, 10, compare_row, &expectation);
    for (int i = 0; i < VALUE_COUNT; i++) {
        if (expectation.written[i] && !expectation.seen[i]) {
            fail_msg("value %d (%s) was acknowledged and is not there", i,
                     value_kind_name(values[i].kind));
        }
    }
    assert_int_equal(fixture_count(&fixture), VALUE_COUNT - rejected);
    fixture_close(&fixture);
}

/* What hash_normal makes of a value, between others: the hash of its normal form, or the same
 * failure. */
static void check_hashed(struct fixture *fixture, const struct cell *value)
{
    static const uint64_t seeds[] = {1, 22};
    const struct target_functions *functions = fixture->target->connector->target;
    const struct cell cells[] = {*value, *value};
    struct field_hasher made = {.arena = fixture->arena};
    struct field_hasher hashed = {.arena = fixture->arena};
    struct error made_error = {0};
    struct error hashed_error = {0};
    struct cell normal;
    uint32_t count = 99;
    enum status expected =
        functions->normal_form(fixture->target, value, fixture->arena, &normal, &made_error);
    for (int i = 0; i < 2 && expected == STATUS_OK; i++) {
        expected = field_hash_add_cell(&made, seeds[i], &normal, &made_error);
    }
    assert_int_equal(
        functions->hash_normal(fixture->target, seeds, cells, 2, &hashed, &count, &hashed_error),
        expected);
    assert_int_equal(count, expected == STATUS_OK ? 2 : 0);
    assert_memory_equal(&hashed.sum, &made.sum, sizeof(made.sum));
    assert_int_equal(hashed_error.code, made_error.code);
    buffer_free(&made.scratch);
    buffer_free(&hashed.scratch);
}

void contract_test_normal_form(const struct contract_entry *entry)
{
    struct fixture fixture;
    fixture_open(&fixture, entry);
    for (int i = 0; i < VALUE_COUNT; i++) {
        struct error error = {0};
        struct cell once;
        struct cell twice;
        const struct target_functions *functions = fixture.target->connector->target;
        if (functions->hash_normal != NULL) {
            check_hashed(&fixture, &values[i]);
        }
        if (functions->normal_form(fixture.target, &values[i], fixture.arena, &once, &error) !=
            STATUS_OK) {
            assert_int_equal(error.class, ERROR_CLASS_REJECT);
            continue;
        }
        check_ok(functions->normal_form(fixture.target, &once, fixture.arena, &twice, &error),
                 &error, "again");
        if (!value_equal(&once, &twice)) {
            fail_msg("normal_form of value %d (%s) is not idempotent", i,
                     value_kind_name(values[i].kind));
        }
    }
    fixture_close(&fixture);
}

/* ---- large values */

struct pattern {
    struct large_value large;
    int *released;
};

/* ASCII, but no NUL, which not every database takes in a text */
static uint8_t pattern_byte(uint64_t offset)
{
    return (uint8_t)(1 + (offset * 31 + (offset >> 13)) % 0x7f);
}

static enum status pattern_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                                struct error *error)
{
    (void)error;
    assert_true(offset + size <= self->length);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = pattern_byte(offset + i);
    }
    return STATUS_OK;
}

static void pattern_release(struct large_value *self)
{
    (*((struct pattern *)self)->released)++;
}

struct large_expectation {
    uint64_t length;
    int seen;
};

static void compare_large(void *context, int64_t id, const struct cell *value)
{
    struct large_expectation *expectation = context;
    struct error error = {0};
    (void)id;
    expectation->seen++;
    uint8_t slice[4096];
    uint64_t length = value->kind == VALUE_LARGE ? value->large->length : value->length;
    assert_int_equal(length, expectation->length);
    for (uint64_t offset = 0; offset < length; offset += sizeof slice) {
        size_t size = length - offset < sizeof slice ? length - offset : sizeof slice;
        const uint8_t *bytes = slice;
        if (value->kind == VALUE_LARGE) {
            check_ok(value->large->read(value->large, offset, slice, size, &error), &error,
                     "slice");
        } else {
            bytes = value->bytes + offset;
        }
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(bytes[i], pattern_byte(offset + i));
        }
    }
}

void contract_test_large(const struct contract_entry *entry)
{
    for (int kind = VALUE_TEXT; kind <= VALUE_BYTES; kind++) {
        struct fixture fixture;
        int released = 0;
        fixture_open(&fixture, entry);
        if (fixture.target->capabilities & CAPABILITY_SQL_SCHEMA) {
            fixture.columns[1].type = (struct value_type){.kind = (enum value_kind)kind};
            fixture.fields[1].type = fixture.columns[1].type;
        }
        fixture_begin(&fixture);
        struct pattern pattern = {
            .large = {.kind = kind,
                      .length = 3500001,
                      .read = pattern_read,
                      .release = pattern_release},
            .released = &released,
        };
        struct cell cell = {.kind = VALUE_LARGE, .large = &pattern.large};
        struct batch *batch = fixture_batch(&fixture, 1, 1, &cell);
        batch_keep_large(batch, &pattern.large);
        struct error error = {0};
        check_ok(fixture.target->connector->target->chunk_begin(fixture.writer, 1, 1, &error),
                 &error, "chunk_begin");
        struct tally tally = fixture_write(&fixture, 1, batch);
        fixture_commit(&fixture, 1, "{}");
        assert_int_equal(released, 1);
        struct large_expectation expectation = {.length = pattern.large.length};
        if (tally.rejected == 1) {
            assert_int_equal(tally.code, ERROR_REJECT_TOO_LARGE);
        } else {
            fixture_read(&fixture, 10, compare_large, &expectation);
            assert_int_equal(expectation.seen, 1);
        }
        fixture_close(&fixture);
    }
}
