/* Values of CQL: the server's order, normal forms, and any value of any type there and back. */
#include "support_cql.h"

#include "connectors/cassandra/protocol/cql_normal.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- order */

/* Sets of these elements are written in the order in which they stand. */
static void assert_order(struct cql_fixture *fixture, const char *type_text,
                         const struct cell *cells, uint32_t count)
{
    const struct cql_type *type = cql_type_of(type_text, fixture->arena);
    struct cell *backwards = arena_allocate_zeroed(fixture->arena, count, sizeof *backwards);
    for (uint32_t i = 0; i < count; i++) {
        backwards[i] = cells[count - 1 - i];
    }
    struct cell set = cell_items(VALUE_SET, backwards, count);
    struct cell read = {0};
    buffer_clear(&fixture->out);
    if (cql_value_encode(type, &set, &fixture->out, &fixture->error) != STATUS_OK) {
        fail_msg("%s: %s", type_text, fixture->error.message);
    }
    struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
    assert_int_equal(
        cql_value_decode(type, cql_read_value(&reader), fixture->arena, &read, &fixture->error),
        STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        cql_assert_cell(&read.items[i], &cells[i]);
    }
}

static void sets_are_in_the_order_of_the_server(void **state)
{
    struct cql_fixture *fixture = *state;
    const struct cell whole[] = {cell_int64(-200000), cell_int64(-1), cell_int64(0), cell_int64(1),
                                 cell_int64(70000)};
    const struct cell varints[] = {cql_decimal(fixture, "-99999999999999999999"),
                                   cell_int64(-129),
                                   cell_int64(-128),
                                   cell_int64(0),
                                   cell_int64(127),
                                   cell_int64(128),
                                   cql_decimal(fixture, "99999999999999999999")};
    const struct cell decimals[] = {cql_decimal(fixture, "-1.5"),  cql_decimal(fixture, "-1.25"),
                                    cql_decimal(fixture, "0.000"), cql_decimal(fixture, "0.9"),
                                    cql_decimal(fixture, "0.91"),  cql_decimal(fixture, "10")};
    const struct cell doubles[] = {
        cell_float64(-INFINITY), cell_float64(-1.5),     cell_float64(-0.0), cell_float64(0.0),
        cell_float64(1e-300),    cell_float64(INFINITY), cell_float64(NAN)};
    const struct cell texts[] = {cql_text_cell(""), cql_text_cell("B"), cql_text_cell("a"),
                                 cql_text_cell("aa"), cql_text_cell("é")};
    const struct cell dates[] = {
        {.kind = VALUE_DATE, .i64 = -1}, {.kind = VALUE_DATE}, {.kind = VALUE_DATE, .i64 = 1}};
    const struct cell one[] = {cell_int64(1)};
    const struct cell pair[] = {cell_int64(1), cell_int64(-1)};
    const struct cell lists[] = {cell_items(VALUE_LIST, NULL, 0), cell_items(VALUE_LIST, one, 1),
                                 cell_items(VALUE_LIST, pair, 2),
                                 cell_items(VALUE_LIST, whole + 4, 1)};
    assert_order(fixture, "set<int>", whole, 5);
    assert_order(fixture, "set<bigint>", whole, 5);
    assert_order(fixture, "set<varint>", varints, 7);
    assert_order(fixture, "set<decimal>", decimals, 6);
    assert_order(fixture, "set<double>", doubles, 7);
    assert_order(fixture, "set<text>", texts, 5);
    assert_order(fixture, "set<date>", dates, 3);
    assert_order(fixture, "set<frozen<list<int>>>", lists, 4);
}

static void uuids_are_ordered_by_version_and_time(void **state)
{
    struct cql_fixture *fixture = *state;
    static const uint8_t bytes[][16] = {
        {0, 0, 0, 2, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 2, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 1},
        {0, 0, 0, 1, 0, 1, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0, 0, 0x10, 1, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0},
        {1, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0},
    };
    struct cell cells[6];
    for (size_t i = 0; i < 6; i++) {
        cells[i] = (struct cell){.kind = VALUE_UUID, .bytes = bytes[i]};
    }
    assert_order(fixture, "set<uuid>", cells, 6);
    assert_order(fixture, "set<timeuuid>", cells, 4);
    /* the node of a timeuuid by signed bytes */
    static const uint8_t low[16] = {0, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x80};
    static const uint8_t high[16] = {0, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x7f};
    const struct cell nodes[] = {{.kind = VALUE_UUID, .bytes = low},
                                 {.kind = VALUE_UUID, .bytes = high}};
    assert_order(fixture, "set<timeuuid>", nodes, 2);
}

/* ---------------------------------------------------------------- normal forms */

static void assert_normal(struct cql_fixture *fixture, const char *type, struct cell cell,
                          struct cell expected)
{
    struct cell normal = {0};
    enum status status =
        type != NULL ? cql_normal_form(cql_type_of(type, fixture->arena), &cell, fixture->arena,
                                       &normal, &fixture->error)
                     : cql_normal_form_of_any(&cell, fixture->arena, &normal, &fixture->error);
    if (status != STATUS_OK) {
        fail_msg("%s", fixture->error.message);
    }
    cql_assert_cell(&normal, &expected);
}

static void normal_forms_by_hand(void **state)
{
    struct cql_fixture *fixture = *state;
    struct cell naive = {.kind = VALUE_TIMESTAMP, .i64 = 1000};
    struct cell instant = {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = 1000};
    const struct cell mixed[] = {cell_uint64(1), naive};
    const struct cell normal[] = {cell_int64(1), instant};
    const struct cell nulls[] = {cql_text_cell("street"), cell_null(),
                                 cql_text_cell("No"),     cell_null(),
                                 cql_text_cell("tags"),   cell_null()};
    struct cell json = cql_text_cell("{}");
    json.kind = VALUE_JSON;
    assert_normal(fixture, "int", cell_uint64(1), cell_int64(1));
    assert_normal(fixture, "varint", cell_int64(1), cell_int64(1));
    assert_normal(fixture, "decimal", cql_decimal(fixture, "1.10"), cql_decimal(fixture, "1.10"));
    assert_normal(fixture, "text", cell_missing(), cell_missing());
    assert_normal(fixture, "text", json, cql_text_cell("{}"));
    assert_normal(fixture, "list<int>", cell_items(VALUE_LIST, NULL, 0), cell_null());
    assert_normal(fixture, "frozen<list<int>>", cell_items(VALUE_LIST, NULL, 0),
                  cell_items(VALUE_LIST, NULL, 0));
    assert_normal(fixture, "\"Address\"", cell_items(VALUE_MAP, nulls, 3), cell_null());
    assert_normal(fixture, "frozen<\"Address\">", cell_items(VALUE_MAP, nulls, 0),
                  cell_items(VALUE_MAP, nulls, 3));
    assert_normal(fixture, NULL, naive, instant);
    assert_normal(fixture, NULL, cell_uint64(1), cell_int64(1));
    assert_normal(fixture, NULL, json, cql_text_cell("{}"));
    assert_normal(fixture, NULL, cell_items(VALUE_LIST, mixed, 2),
                  cell_items(VALUE_LIST, normal, 2));
}

/* ---------------------------------------------------------------- any of them */

static void any_value_of_any_type_comes_back(void **state)
{
    struct cql_fixture *fixture = *state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(3000); round++) {
        arena_reset(fixture->arena);
        const struct cql_type *type = random_cql_type(&random, fixture->arena, 3);
        struct cell cell = random_cql_value(&random, type, fixture->arena);
        struct cell again = {0};
        struct cell normal = {0};
        buffer_clear(&fixture->out);
        if (cql_value_encode(type, &cell, &fixture->out, &fixture->error) != STATUS_OK) {
            fail_msg("%s: %s", cql_type_text(type, fixture->arena), fixture->error.message);
        }
        struct cql_reader reader = cql_reader_of(fixture->out.data, fixture->out.length);
        struct cql_value value = cql_read_value(&reader);
        assert_int_equal(cql_value_decode(type, value, fixture->arena, &again, &fixture->error),
                         STATUS_OK);
        cql_assert_cell(&again, &cell);
        const struct cql_type *frozen = cql_type_frozen(type, fixture->arena);
        assert_int_equal(cql_normal_form(frozen, &cell, fixture->arena, &normal, &fixture->error),
                         STATUS_OK);
        cql_assert_cell(&normal, &cell);
    }
}

/* Either exact, as what is written again from what was read says, or refused with a reason. */
static void write_any(struct cql_fixture *fixture, const struct cql_type *type,
                      const struct cell *cell)
{
    struct cell normal = {0};
    struct cell again = {0};
    buffer_clear(&fixture->out);
    error_clear(&fixture->error);
    const struct cql_type *frozen = cql_type_frozen(type, fixture->arena);
    if (cql_normal_form(frozen, cell, fixture->arena, &normal, &fixture->error) != STATUS_OK) {
        assert_int_equal(fixture->error.class, ERROR_CLASS_REJECT);
        assert_true(strlen(fixture->error.message) > 0);
        assert_int_equal(cql_value_encode(type, cell, &fixture->out, &fixture->error),
                         STATUS_FAILED);
        assert_int_equal(fixture->out.length, 0);
        return;
    }
    assert_int_equal(cql_normal_form(frozen, &normal, fixture->arena, &again, &fixture->error),
                     STATUS_OK);
    cql_assert_cell(&again, &normal);
    struct buffer second = {0};
    assert_int_equal(cql_value_encode(type, cell, &fixture->out, &fixture->error), STATUS_OK);
    assert_int_equal(cql_value_encode(type, &normal, &second, &fixture->error), STATUS_OK);
    assert_int_equal(fixture->out.length, second.length);
    assert_memory_equal(fixture->out.data, second.data, second.length);
    buffer_free(&second);
}

static void every_kind_fits_or_is_refused(void **state)
{
    struct cql_fixture *fixture = *state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(20); round++) {
        for (unsigned kind = 0; kind < VALUE_KIND_COUNT; kind++) {
            arena_reset(fixture->arena);
            if (kind == VALUE_LARGE) {
                continue;
            }
            struct cell cell = random_value_of(&random, (enum value_kind)kind, fixture->arena, 2);
            for (unsigned of = CQL_TYPE_ASCII; of <= CQL_TYPE_DURATION; of++) {
                if (cql_kind_name((enum cql_kind)of) != NULL) {
                    write_any(fixture, cql_type_plain((enum cql_kind)of), &cell);
                }
            }
            for (int nested = 0; nested < 10; nested++) {
                write_any(fixture, random_cql_type(&random, fixture->arena, 2), &cell);
            }
            struct cell normal = {0};
            struct cell again = {0};
            if (cql_normal_form_of_any(&cell, fixture->arena, &normal, &fixture->error) ==
                STATUS_OK) {
                assert_int_equal(
                    cql_normal_form_of_any(&normal, fixture->arena, &again, &fixture->error),
                    STATUS_OK);
                cql_assert_cell(&again, &normal);
            }
        }
    }
}

static void mutilated_values_do_no_harm(void **state)
{
    struct cql_fixture *fixture = *state;
    struct random random = random_start();
    for (long round = 0; round < test_rounds(3000); round++) {
        arena_reset(fixture->arena);
        const struct cql_type *type = random_cql_type(&random, fixture->arena, 3);
        struct cell cell = random_cql_value(&random, type, fixture->arena);
        buffer_clear(&fixture->out);
        assert_int_equal(cql_value_encode(type, &cell, &fixture->out, &fixture->error), STATUS_OK);
        size_t length = random_below(&random, fixture->out.length - 4 + 1);
        uint8_t *bytes = (uint8_t *)arena_copy(fixture->arena, fixture->out.data + 4, length);
        if (length > 0 && random_below(&random, 2) == 0) {
            bytes[random_below(&random, length)] ^= (uint8_t)(1 << random_below(&random, 8));
        }
        struct cql_value value = {bytes, (int32_t)length};
        if (cql_value_decode(type, value, fixture->arena, &cell, &fixture->error) == STATUS_OK) {
            write_any(fixture, type, &cell);
        } else {
            assert_int_equal(fixture->error.code, ERROR_REJECT_UNREADABLE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_are_in_the_order_of_the_server, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(uuids_are_ordered_by_version_and_time, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(normal_forms_by_hand, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(any_value_of_any_type_comes_back, cql_set_up,
                                        cql_tear_down),
        cmocka_unit_test_setup_teardown(every_kind_fits_or_is_refused, cql_set_up, cql_tear_down),
        cmocka_unit_test_setup_teardown(mutilated_values_do_no_harm, cql_set_up, cql_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
