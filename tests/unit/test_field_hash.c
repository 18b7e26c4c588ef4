/* Hashes of fields and of records. */
#include "model/decimal.h"
#include "model/field_hash.h"
#include "support_arena.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error error;
static struct field_hasher hasher;

static void add(const char *name, struct cell cell)
{
    hasher.arena = arena;
    assert_int_equal(
        field_hash_add_cell(&hasher, field_hash_seed(name, (uint32_t)strlen(name)), &cell, &error),
        STATUS_OK);
}

static struct canonical_hash take(void)
{
    struct canonical_hash hash = field_hash_take(&hasher);
    buffer_free(&hasher.scratch);
    return hash;
}

static struct canonical_hash hash_of(const char *name, struct cell cell)
{
    add(name, cell);
    return take();
}

static bool is_same(struct canonical_hash left, struct canonical_hash right)
{
    return left.low == right.low && left.high == right.high;
}

static void assert_hash(struct canonical_hash hash, const char *expected)
{
    char hex[33];
    canonical_hash_format(&hash, hex);
    assert_string_equal(hex, expected);
}

static struct cell decimal_of(const char *text)
{
    struct cell cell;
    assert_int_equal(decimal_parse(text, strlen(text), arena, &cell), STATUS_OK);
    return cell;
}

/* The same number, whether it fits the small form or not. */
static struct cell decimal_text_of(const char *text)
{
    return (struct cell){.kind = VALUE_DECIMAL, .length = (uint32_t)strlen(text), .text = text};
}

/* They are in ledgers, and must not change. Made from the header's words with libxxhash alone. */
static void hashes_are_as_the_header_says(void **state)
{
    (void)state;
    assert_hash(hash_of("a", cell_int64(-2)), "aee68ace5453e73bbe9e266b55f998a2");
    assert_hash(hash_of("a", cell_float64(0.5)), "627e4ed8b51bbafa463fc0814c8b5c65");
    assert_hash(hash_of("b", decimal_of("0.10")), "86e71322b7a7bd0668a0d7369c28fd46");
    assert_hash(hash_of("bc", cell_text("abc", 3)), "d411af9eaf21d539a7c6153cab1b0671");
    assert_hash(hash_of("a", cell_null()), "41d55736ebee0dd4bd4360c4ec7f583b");
    assert_hash(hash_of("a", cell_bool(1)), "3e21ee67398206885898268ab78624c6");
    assert_hash(hash_of("a", decimal_of("123456789012345678901234567890.5")),
                "e6d3ba3fe2ded9490c3a1d7114e7abad");
    add("a", cell_int64(-2));
    add("bc", cell_text("abc", 3));
    assert_hash(take(), "57eea2b703b4558b7bcae38f5c459527");
    assert_hash(take(), "e5189a9599e3f86205ea23ef06e28b2d");
}

static void records_are_told_by_names_and_values_but_not_by_the_order(void **state)
{
    (void)state;
    struct cell one = cell_int64(1);
    struct cell two = cell_int64(2);
    add("a", one);
    add("b", two);
    struct canonical_hash hash = take();
    add("b", two);
    add("missing", cell_missing());
    add("a", one);
    assert_true(is_same(hash, take()));
    add("a", two);
    add("b", one);
    struct canonical_hash swapped = take();
    assert_false(is_same(hash, swapped));
    add("a", one);
    add("b", two);
    add("c", cell_null());
    assert_false(is_same(hash, take()));
    assert_false(is_same(hash_of("a", one), hash_of("b", one)));
    assert_false(is_same(hash_of("a", one), hash_of("a", two)));
    assert_false(is_same(hash_of("a", one), hash_of("", one)));
}

/* {1, 1} and {2, 2} are not {1, 2} and {2, 1}, though each field holds the same values. */
static void sums_of_records_do_not_mix_their_fields(void **state)
{
    (void)state;
    struct canonical_hash sums[2] = {{0}};
    for (int mixed = 0; mixed < 2; mixed++) {
        for (int record = 0; record < 2; record++) {
            add("a", cell_int64(record));
            add("b", cell_int64(mixed ? 1 - record : record));
            struct canonical_hash hash = take();
            canonical_sum_add(&sums[mixed], &hash);
        }
    }
    assert_false(is_same(sums[0], sums[1]));
}

/* By printf and strtod: the fewest digits that read back, if they have a fraction that does not end
 * in 0. */
static bool is_shortest(const char *text)
{
    char made[400];
    double value = strtod(text, NULL);
    const char *point = strchr(text, '.');
    if (point == NULL || text[strlen(text) - 1] == '0' || !isfinite(value)) {
        return false;
    }
    for (int digits = 0; digits < 17; digits++) {
        snprintf(made, sizeof(made), "%.*e", digits, value);
        if (strtod(made, NULL) == value) {
            break;
        }
    }
    struct cell shortest = decimal_of(made);
    struct cell cell = decimal_of(text);
    return decimal_compare(&shortest, &cell) == 0;
}

static void check_decimal(const char *text)
{
    double value = 0;
    struct cell cell = decimal_of(text);
    struct cell plain = decimal_text_of(text);
    bool expected = is_shortest(text);
    if (decimal_is_of_double(&cell, &value) != expected ||
        decimal_is_of_double(&plain, &value) != expected) {
        fail_msg("%s should%s be told as a double", text, expected ? "" : " not");
    }
    assert_true(is_same(hash_of("a", cell), hash_of("a", plain)));
    assert_int_equal(is_same(hash_of("a", cell), hash_of("a", cell_float64(strtod(text, NULL)))),
                     expected);
    struct cell small;
    assert_int_equal(decimal_to_small(&plain, &small), (cell.flags & CELL_SMALL) != 0);
    assert_true((cell.flags & CELL_SMALL) == 0 || value_equal(&small, &cell));
    arena_reset(arena);
}

static void decimals_that_are_floats_hash_as_these(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "1",
                                        "10",
                                        "0.0",
                                        "0.10",
                                        "1.0",
                                        "0.1",
                                        "-0.1",
                                        "0.3",
                                        "0.30000000000000004",
                                        "0.30000000000000005",
                                        "0.3000000000000000",
                                        "999999999999999.9",
                                        "99999999999999.99",
                                        "999999999999999.91",
                                        "9007199254740991.5",
                                        "4503599627370495.5",
                                        "2251799813685249.25",
                                        "2251799813685249.5",
                                        "123456789012345678.5",
                                        "12345678901234567.8",
                                        "1234567890123456.7",
                                        "123456789012345.67",
                                        "0.000000000000000001",
                                        "0.0000000000000000001",
                                        "0.00000000000000000012345678901234567",
                                        "0.00000000000000000012345678901234568",
                                        "0.000000000000000000123456789012345678",
                                        "123456789012345678901234567890.5",
                                        "18446744073709551615.5",
                                        "999999999999999999",
                                        "1000000000000000000",
                                        "0.999999999999999999",
                                        "9.999999999999999999",
                                        "0.1000000000000000055511151231257827"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_decimal(texts[i]);
    }
    char tiny[340];
    snprintf(tiny, sizeof tiny, "%.324f", 5e-324); /* 0.00…05 */
    check_decimal(tiny);
    snprintf(tiny, sizeof tiny, "%.330f", 5e-324);
    check_decimal(tiny);
    memset(tiny + 2, '0', 330);
    tiny[332] = '1'; /* no double is so small */
    tiny[333] = '\0';
    check_decimal(tiny);
}

/* As SQLite's whole numbers in a column of decimals are. */
static void longer_decimals_in_the_small_form(void **state)
{
    (void)state;
    static const char text[] = "1234567890123456789";
    struct cell small = {
        .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = 1234567890123456789, .aux = 0};
    struct cell plain = decimal_text_of(text);
    struct cell again;
    assert_false(decimal_to_small(&small, &again));
    assert_true(is_same(hash_of("a", small), hash_of("a", plain)));
    small.aux = 4;
    assert_true(
        is_same(hash_of("a", small), hash_of("a", decimal_text_of("123456789012345.6789"))));
}

static void random_decimals(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(30000); i++) {
        char text[64];
        int length = 0;
        int whole = (int)random_below(&random, 19);
        int fraction = (int)random_below(&random, 22);
        length += snprintf(text, sizeof text, "%s", random_below(&random, 2) ? "-" : "");
        if (whole == 0) {
            text[length++] = '0';
        }
        for (int at = 0; at < whole; at++) {
            text[length++] = (char)('0' + (at == 0) + (int)random_below(&random, at == 0 ? 9 : 10));
        }
        text[length++] = '.';
        for (int at = 0; at <= fraction; at++) {
            text[length++] = (char)('0' + (int)random_below(&random, 10));
        }
        text[length] = '\0';
        if (strpbrk(text, "123456789") != NULL) {
            check_decimal(text);
        }
    }
}

static double random_double(struct random *random)
{
    uint64_t bits = random_bits(random);
    double value;
    if (random_below(random, 2) == 0) { /* near to one */
        bits = (bits & 0x800fffffffffffff) | (1023 - 60 + random_below(random, 120)) << 52;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Digits that a column of numbers gives back for a float, and the float itself: one hash. */
static void floats_hash_as_their_shortest_digits(void **state)
{
    (void)state;
    struct random random = random_start();
    for (long i = 0; i < test_rounds(100000); i++) {
        double value = random_double(&random);
        struct cell digits;
        double told;
        if (!isfinite(value)) {
            continue;
        }
        assert_int_equal(decimal_from_double(value, arena, &digits), STATUS_OK);
        if (value != trunc(value)) {
            assert_true(decimal_is_of_double(&digits, &told) && told == value);
            assert_true(is_same(hash_of("a", digits), hash_of("a", cell_float64(value))));
        } else {
            assert_false(decimal_is_of_double(&digits, &told));
        }
        arena_reset(arena);
    }
}

/* A DECIMAL that is a float's shortest digits, as that float. */
static struct cell plain_kind(struct cell cell)
{
    double value;
    return cell.kind == VALUE_DECIMAL && decimal_is_of_double(&cell, &value) ? cell_float64(value)
                                                                             : cell;
}

static void hashes_are_equal_if_and_only_if_values_are(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    struct random random = random_start();
    for (long round = 0; round < test_rounds(60); round++) {
        struct buffer bytes[COUNT] = {{0}};
        struct canonical_hash hashes[COUNT];
        for (int i = 0; i < COUNT; i++) {
            struct cell value = random_value(&random, arena, 1);
            struct cell plain = plain_kind(value);
            assert_int_equal(canonical_append(&plain, &bytes[i], &error), STATUS_OK);
            hashes[i] = hash_of("a", value);
        }
        for (int i = 0; i < COUNT; i++) {
            for (int j = 0; j < COUNT; j++) {
                assert_int_equal(is_same(hashes[i], hashes[j]),
                                 bytes[i].length == bytes[j].length &&
                                     memcmp(bytes[i].data, bytes[j].data, bytes[i].length) == 0);
            }
        }
        for (int i = 0; i < COUNT; i++) {
            buffer_free(&bytes[i]);
        }
        arena_reset(arena);
    }
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
    static const size_t lengths[] = {0, 1, 17, 129, 240, 241, 65535, 65536, 65537, 300000};
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
        assert_true(is_same(hash_of("a", handle), hash_of("a", cell_text(bytes, lengths[i]))));
        assert_false(is_same(hash_of("a", handle), hash_of("a", cell_bytes(bytes, lengths[i]))));
        large.handle.kind = VALUE_BYTES;
        assert_true(is_same(hash_of("a", handle), hash_of("a", cell_bytes(bytes, lengths[i]))));
        for (int fail_at = 1; fail_at <= 2 && lengths[i] > 65536 * ((size_t)fail_at - 1);
             fail_at++) {
            large.reads = 0;
            large.fail_at = fail_at;
            assert_int_equal(field_hash_add_cell(&hasher, 1, &handle, &error), STATUS_FAILED);
            assert_int_equal(error.code, ERROR_SOURCE_READ);
            assert_true(hasher.sum.low == 0 && hasher.sum.high == 0); /* nothing was added */
        }
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_as_the_header_says),
        cmocka_unit_test(records_are_told_by_names_and_values_but_not_by_the_order),
        cmocka_unit_test(sums_of_records_do_not_mix_their_fields),
        cmocka_unit_test(decimals_that_are_floats_hash_as_these),
        cmocka_unit_test(longer_decimals_in_the_small_form),
        cmocka_unit_test(random_decimals),
        cmocka_unit_test(floats_hash_as_their_shortest_digits),
        cmocka_unit_test(hashes_are_equal_if_and_only_if_values_are),
        cmocka_unit_test(large_values_hash_as_what_they_stand_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
