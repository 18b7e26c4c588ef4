/* RESP: replies cut at every byte, bounds, both versions; slots of keys; what is no number's text.
 */
/* cmocka.h needs the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "connectors/redis/protocol/server.h"
#include "connectors/redis/redis.h"
/* clang-format on */

static const char replies[] = "+OK\r\n"
                              "-ERR no\r\n"
                              ":-42\r\n"
                              "$5\r\na\r\nbc\r\n"
                              "$-1\r\n"
                              "*-1\r\n"
                              "*3\r\n:1\r\n*0\r\n$0\r\n\r\n"
                              "%1\r\n+k\r\n~2\r\n:1\r\n_\r\n"
                              ",1.5\r\n"
                              "#t\r\n"
                              "(123456789012345678901\r\n"
                              "=7\r\ntxt:abc\r\n"
                              "!5\r\nWRONG\r\n"
                              "|1\r\n+ttl\r\n:3\r\n:7\r\n"
                              ">2\r\n+message\r\n+x\r\n";
enum { REPLIES = 15 };

/* Each reply is found whole, wherever the bytes are cut, and read. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    size_t at = 0;
    size_t length = sizeof replies - 1;
    for (int number = 0; number < REPLIES; number++) {
        struct resp_scan scan = {0};
        struct resp_scan whole = {0};
        struct error error = {0};
        struct resp_value value;
        struct arena *arena = arena_create(0);
        assert_int_equal(resp_find_end(&whole, replies + at, length - at, &error), STATUS_OK);
        for (size_t some = 1; some < whole.at; some++) {
            assert_int_equal(resp_find_end(&scan, replies + at, some, &error), STATUS_AGAIN);
        }
        assert_int_equal(resp_find_end(&scan, replies + at, length - at, &error), STATUS_OK);
        assert_int_equal(scan.at, whole.at);
        assert_int_equal(resp_read(replies + at, whole.at, arena, &value, &error), STATUS_OK);
        at += whole.at;
        arena_destroy(arena);
    }
    assert_int_equal(at, length);
}

static struct resp_value read_one(const char *text, struct arena *arena)
{
    struct error error = {0};
    struct resp_value value;
    assert_int_equal(resp_read(text, strlen(text), arena, &value, &error), STATUS_OK);
    return value;
}

static void test_values(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    int64_t number = 0;
    struct resp_value map = read_one("%2\r\n+a\r\n:1\r\n$1\r\nb\r\n$2\r\n17\r\n", arena);
    assert_int_equal(map.count, 4);
    assert_true(resp_integer(resp_field(&map, "b"), &number));
    assert_int_equal(number, 17);
    assert_null(resp_field(&map, "c"));
    assert_int_equal(read_one("|1\r\n+ttl\r\n:3\r\n:7\r\n", arena).integer, 7);
    struct resp_value verbatim = read_one("=7\r\ntxt:abc\r\n", arena);
    assert_true(resp_is(&verbatim, "abc"));
    assert_int_equal(read_one("!5\r\nWRONG\r\n", arena).type, RESP_ERROR);
    arena_destroy(arena);
}

static void test_what_is_no_reply(void **state)
{
    static const char *const wrong[] = {"hello\r\n",        "\r\n",  "$x\r\n",
                                        "$-2\r\n",          ":1\rx", "*9999999999\r\n",
                                        "$99999999999\r\n", "?\r\n", "$536870913\r\n"};
    (void)state;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        struct resp_scan scan = {0};
        struct error error = {0};
        assert_int_equal(resp_find_end(&scan, wrong[at], strlen(wrong[at]), &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
    }
}

/* Nothing is allocated for what a count promises, nor for a depth without end. */
static void test_bounds(void **state)
{
    (void)state;
    struct error error = {0};
    struct resp_value value;
    struct buffer deep = {0};
    struct arena *arena = arena_create(0);
    assert_int_equal(resp_read("*268435456\r\n:1\r\n", 16, arena, &value, &error), STATUS_FAILED);
    for (int depth = 0; depth < RESP_DEPTH_MAX + 2; depth++) {
        buffer_append_string(&deep, "*1\r\n");
    }
    buffer_append_string(&deep, ":1\r\n");
    assert_int_equal(resp_read(deep.data, deep.length, arena, &value, &error), STATUS_FAILED);
    assert_true(arena_bytes(arena) < 1 << 20);
    buffer_free(&deep);
    arena_destroy(arena);
}

/* Redis Cluster's specification, and CLUSTER KEYSLOT of a server. */
static void test_slots(void **state)
{
    (void)state;
    assert_int_equal(redis_slot_of("123456789", 9), 12739);
    assert_int_equal(redis_slot_of("foo", 3), 12182);
    assert_int_equal(redis_slot_of("a{foo}b", 7), 12182);
    assert_int_equal(redis_slot_of("{}foo", 5), 9500);
    assert_int_equal(redis_slot_of("", 0), 0);
}

static enum value_kind kind_of(const char *text)
{
    struct cell cell;
    struct arena *arena = arena_create(0);
    redis_value_read(text, strlen(text), arena, &cell);
    arena_destroy(arena);
    return (enum value_kind)cell.kind;
}

/* Only what is just a number's digits is one. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(kind_of("0"), VALUE_INT64);
    assert_int_equal(kind_of("-9223372036854775808"), VALUE_INT64);
    assert_int_equal(kind_of("18446744073709551615"), VALUE_UINT64);
    assert_int_equal(kind_of("18446744073709551616"), VALUE_DECIMAL);
    assert_int_equal(kind_of("1.50"), VALUE_DECIMAL);
    assert_int_equal(kind_of("1.5e+300"), VALUE_FLOAT64);
    assert_int_equal(kind_of("-0"), VALUE_FLOAT64);
    static const char *const texts[] = {"",    "007", "+1",  " 1",   "1 ",  "1.",  ".5",  "-",
                                        "1e5", "NaN", "0x1", "-0.0", "1-2", "1,5", "inf", "--1"};
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) {
        assert_int_equal(kind_of(texts[at]), VALUE_TEXT);
    }
    assert_int_equal(kind_of("\xff"), VALUE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_is_no_reply),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
