/* Canonical bytes and the hashes over them. */
#include "model/canonical.h"
#include "model/decimal.h"
#include "support_arena.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct error error;

static void assert_bytes(struct cell cell, const char *bytes, size_t length)
{
    struct buffer out = {0};
    assert_int_equal(canonical_append(&cell, &out, &error), STATUS_OK);
    assert_int_equal(out.length, length);
    assert_memory_equal(out.data, bytes, length);
    buffer_free(&out);
}

#define ASSERT_BYTES(cell, bytes) assert_bytes(cell, bytes, sizeof(bytes) - 1)

/* The format is stored in ledgers: these bytes must never change within a version. */
static void the_bytes_of_version_one(void **state)
{
    (void)state;
    assert_int_equal(CANONICAL_VERSION, 1);
    ASSERT_BYTES(cell_missing(), "\x00");
    ASSERT_BYTES(cell_null(), "\x01");
    ASSERT_BYTES(cell_bool(1), "\x02\x01");
    ASSERT_BYTES(cell_int64(-2), "\x03\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    ASSERT_BYTES(cell_int64(INT64_MIN), "\x03\x00\x00\x00\x00\x00\x00\x00\x80");
    ASSERT_BYTES(cell_uint64(258), "\x03\x02\x01\x00\x00\x00\x00\x00\x00");
    ASSERT_BYTES(cell_uint64(UINT64_C(1) << 63), "\x04\x00\x00\x00\x00\x00\x00\x00\x80");
    ASSERT_BYTES(cell_float64(1.0), "\x06\x00\x00\x00\x00\x00\x00\xF0\x3F");
    ASSERT_BYTES(cell_float64(-0.0), "\x06\x00\x00\x00\x00\x00\x00\x00\x80");
    ASSERT_BYTES(cell_float64(-NAN), "\x06\x00\x00\x00\x00\x00\x00\xF8\x7F");
    struct cell cell = cell_float64(0.5);
    cell.kind = VALUE_FLOAT32;
    ASSERT_BYTES(cell, "\x05\x00\x00\x00\x00\x00\x00\xE0\x3F");
    assert_int_equal(decimal_parse("0.10", 4, arena, &cell), STATUS_OK);
    ASSERT_BYTES(cell, "\x07\x04\x00\x00\x00"
                       "0.10");
    cell = (struct cell){.kind = VALUE_DECIMAL, .length = 4, .text = "0.10"};
    ASSERT_BYTES(cell, "\x07\x04\x00\x00\x00"
                       "0.10");
    ASSERT_BYTES(cell_text("a\0b", 3), "\x08\x03\x00\x00\x00"
                                       "a\0b");
    ASSERT_BYTES(cell_bytes(NULL, 0), "\x09\x00\x00\x00\x00");
    cell = (struct cell){.kind = VALUE_DATE, .i64 = -1};
    ASSERT_BYTES(cell, "\x0A\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    cell = (struct cell){.kind = VALUE_TIME, .flags = CELL_ZONED, .i64 = 1, .length = (uint32_t)-2};
    ASSERT_BYTES(cell, "\x0B\x02\x01\x00\x00\x00\x00\x00\x00\x00\xFE\xFF\xFF\xFF");
    cell = (struct cell){.kind = VALUE_TIMESTAMP, .i64 = 3, .aux = 999};
    ASSERT_BYTES(cell, "\x0C\x00\x03\x00\x00\x00\x00\x00\x00\x00\xE7\x03");
    cell = (struct cell){
        .kind = VALUE_TIMESTAMP, .flags = CELL_SPECIAL | CELL_ZONED, .i64 = CELL_INFINITY};
    ASSERT_BYTES(cell, "\x0C\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
    struct value_interval interval = {1, -1, 2};
    cell = (struct cell){.kind = VALUE_INTERVAL, .interval = &interval};
    ASSERT_BYTES(cell, "\x0D\x01\x00\x00\x00\xFF\xFF\xFF\xFF\x02\x00\x00\x00\x00\x00\x00\x00");
    cell = (struct cell){.kind = VALUE_UUID, .text = "0123456789abcdef"};
    ASSERT_BYTES(cell, "\x0E"
                       "0123456789abcdef");
    cell = cell_text("[]", 2);
    cell.kind = VALUE_JSON;
    ASSERT_BYTES(cell, "\x0F\x02\x00\x00\x00[]");
    struct cell items[] = {cell_null(), cell_bool(0), cell_missing()};
    ASSERT_BYTES(cell_items(VALUE_LIST, items, 3), "\x10\x03\x00\x00\x00\x01\x02\x00\x00");
    ASSERT_BYTES(cell_items(VALUE_SET, items, 3), "\x11\x03\x00\x00\x00\x00\x01\x02\x00");
    ASSERT_BYTES(cell_items(VALUE_MAP, items, 1), "\x12\x01\x00\x00\x00\x01\x02\x00");
    ASSERT_BYTES(cell_items(VALUE_SET, items, 0), "\x11\x00\x00\x00\x00");
    cell = (struct cell){.kind = VALUE_ESCAPE, .aux = 6, .length = 1, .text = "x"};
    ASSERT_BYTES(cell, "\x14\x06\x00\x01\x00\x00\x00x");
    cell.flags = CELL_ESCAPED_TEXT;
    ASSERT_BYTES(cell, "\x14\x06\x80\x01\x00\x00\x00x");
}

/* Values that only differ in how a whole number is held are one; all others go by value_equal. */
static int holds_uint64(const struct cell *cell)
{
    size_t count = cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP) {
        for (size_t i = 0; i < count; i++) {
            if (holds_uint64(&cell->items[i])) {
                return 1;
            }
        }
    }
    return cell->kind == VALUE_UINT64;
}

static void bytes_are_equal_if_and_only_if_values_are(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    struct random random = random_start();
    for (long round = 0; round < test_rounds(60); round++) {
        struct cell values[COUNT];
        struct buffer bytes[COUNT] = {{0}};
        for (int i = 0; i < COUNT; i++) {
            values[i] = i % 10 != 0 ? random_value(&random, arena, 1)
                                    : random_value_of(&random, VALUE_SET, arena, 2);
            assert_int_equal(canonical_append(&values[i], &bytes[i], &error), STATUS_OK);
        }
        for (int i = 0; i < COUNT; i++) {
            for (int j = 0; j < COUNT; j++) {
                int same = bytes[i].length == bytes[j].length &&
                           memcmp(bytes[i].data, bytes[j].data, bytes[i].length) == 0;
                if (holds_uint64(&values[i]) || holds_uint64(&values[j])) {
                    assert_true(same || !value_equal(&values[i], &values[j]));
                } else {
                    assert_int_equal(same, value_equal(&values[i], &values[j]));
                }
            }
        }
        for (int i = 0; i < COUNT; i++) {
            buffer_free(&bytes[i]);
        }
        arena_reset(arena);
    }
}

static void sets_hash_alike_in_any_order(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer scratch = {0};
    for (int round = 0; round < 300; round++) {
        struct cell items[20];
        struct canonical_hash first;
        struct canonical_hash second;
        for (int i = 0; i < 20; i++) {
            items[i] = random_value(&random, arena, 1);
        }
        struct cell set = cell_items(VALUE_SET, items, 20);
        assert_int_equal(canonical_hash_cells(&set, 1, &scratch, &first, &error), STATUS_OK);
        for (int i = 19; i > 0; i--) {
            int other = (int)random_below(&random, (uint64_t)i + 1);
            struct cell swap = items[i];
            items[i] = items[other];
            items[other] = swap;
        }
        assert_int_equal(canonical_hash_cells(&set, 1, &scratch, &second, &error), STATUS_OK);
        assert_memory_equal(&first, &second, sizeof(first));
    }
    buffer_free(&scratch);
}

static struct canonical_hash hash_of(const struct cell *cells, uint32_t count)
{
    static struct buffer scratch;
    struct canonical_hash hash;
    assert_int_equal(canonical_hash_cells(cells, count, &scratch, &hash, &error), STATUS_OK);
    buffer_free(&scratch);
    return hash;
}

static int is_same_hash(struct canonical_hash left, struct canonical_hash right)
{
    return left.low == right.low && left.high == right.high;
}

static void hashes_are_written_and_read(void **state)
{
    (void)state;
    struct cell cell = cell_text("abc", 3);
    struct canonical_hash hash = hash_of(&cell, 1);
    struct canonical_hash back;
    char hex[33];
    canonical_hash_format(&hash, hex);
    /* XXH3-128 of 08 03000000 616263; stored in ledgers, so it must not change */
    assert_string_equal(hex, "6c22a0a70f7f00ff80addd673113625e");
    assert_int_equal(canonical_hash_parse(hex, &back), STATUS_OK);
    assert_true(is_same_hash(hash, back));
    static const char *const bad[] = {"",
                                      "0",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdef0",
                                      "0123456789abcdef0123456789abcdeg",
                                      "0123456789ABCDEF0123456789abcdef"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(canonical_hash_parse(bad[i], &back), STATUS_FAILED);
    }
    assert_int_equal(canonical_hash_parse("00000000000000010000000000000002", &back), STATUS_OK);
    assert_true(back.high == 1 && back.low == 2);
}

static void sums_do_not_know_the_order(void **state)
{
    (void)state;
    struct canonical_hash sum = {UINT64_MAX, 0};
    struct canonical_hash one = {1, 0};
    canonical_sum_add(&sum, &one);
    assert_true(sum.low == 0 && sum.high == 1);
    struct canonical_hash most = {UINT64_MAX, UINT64_MAX};
    canonical_sum_add(&sum, &most);
    assert_true(sum.low == UINT64_MAX && sum.high == 0);
    struct canonical_hash there = {0};
    struct canonical_hash back = {0};
    struct canonical_hash doubled = {0};
    for (int i = 0; i < 100; i++) {
        struct cell up = cell_int64(i);
        struct cell down = cell_int64(99 - i);
        struct canonical_hash hash = hash_of(&up, 1);
        canonical_sum_add(&there, &hash);
        canonical_sum_add(&doubled, &hash);
        hash = hash_of(&down, 1);
        canonical_sum_add(&back, &hash);
    }
    struct cell again = cell_int64(5);
    struct canonical_hash hash = hash_of(&again, 1);
    canonical_sum_add(&doubled, &hash);
    assert_true(is_same_hash(there, back));
    assert_false(is_same_hash(there, doubled));
}

/* --- large values --- */

struct test_large {
    struct large_value handle;
    const char *bytes;
    int reads;
    int fail_at;
};

static enum status read_large(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *failure)
{
    struct test_large *large = (struct test_large *)self;
    assert_true(offset + size <= self->length);
    if (++large->reads == large->fail_at) {
        return error_set(failure, ERROR_SOURCE_READ, NULL, "broken");
    }
    memcpy(bytes, large->bytes + offset, size);
    return STATUS_OK;
}

static void large_values_hash_as_what_they_stand_for(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 65535, 65536, 65537, 300000};
    char *bytes = malloc(300000);
    assert_non_null(bytes);
    for (size_t i = 0; i < 300000; i++) {
        bytes[i] = (char)('a' + i % 25);
    }
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct test_large large = {
            .handle = {.kind = VALUE_TEXT, .length = lengths[i], .read = read_large},
            .bytes = bytes};
        struct cell handle = {.kind = VALUE_LARGE, .large = &large.handle};
        struct cell plain = cell_text(bytes, lengths[i]);
        struct cell with[] = {cell_int64(1), handle, handle};
        struct cell without[] = {cell_int64(1), plain, plain};
        assert_true(is_same_hash(hash_of(with, 3), hash_of(without, 3)));
        struct cell list_with = cell_items(VALUE_LIST, with, 3);
        struct cell list_without = cell_items(VALUE_LIST, without, 3);
        assert_true(is_same_hash(hash_of(&list_with, 1), hash_of(&list_without, 1)));
        for (int fail_at = 1; fail_at <= 2 && lengths[i] > 0; fail_at++) {
            struct buffer scratch = {0};
            struct canonical_hash hash;
            large.reads = 0;
            large.fail_at = fail_at;
            assert_int_equal(canonical_hash_cells(with, 3, &scratch, &hash, &error), STATUS_FAILED);
            assert_int_equal(error.code, ERROR_SOURCE_READ);
            large.reads = 0;
            assert_int_equal(canonical_hash_cells(&list_with, 1, &scratch, &hash, &error),
                             STATUS_FAILED);
            buffer_free(&scratch);
        }
    }
    free(bytes);
    struct test_large huge = {.handle = {.kind = VALUE_BYTES, .length = UINT64_C(1) << 32}};
    struct cell cell = {.kind = VALUE_LARGE, .large = &huge.handle};
    struct buffer out = {0};
    assert_int_equal(canonical_append(&cell, &out, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_LARGE);
    buffer_free(&out);
}

static void endless_nesting_is_refused(void **state)
{
    (void)state;
    static struct cell levels[2000];
    struct buffer out = {0};
    levels[0] = cell_null();
    for (int i = 1; i < 2000; i++) {
        levels[i] = cell_items(i % 2 == 0 ? VALUE_LIST : VALUE_SET, &levels[i - 1], 1);
    }
    assert_int_equal(canonical_append(&levels[1000], &out, &error), STATUS_OK);
    assert_int_equal(canonical_append(&levels[1001], &out, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_bytes_of_version_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_equal_if_and_only_if_values_are, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sets_hash_alike_in_any_order, set_up, tear_down),
        cmocka_unit_test(hashes_are_written_and_read),
        cmocka_unit_test(sums_do_not_know_the_order),
        cmocka_unit_test(large_values_hash_as_what_they_stand_for),
        cmocka_unit_test(endless_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
