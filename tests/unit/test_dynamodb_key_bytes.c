/* Keys of tables as bytes, and back. */
#include "connectors/dynamodb/network/target.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static const char *const key_names[] = {"PK", "SK"};
static const struct target_table table = {.name = "things", .key = {key_names, 2}};

static void keys_are_bytes_and_back(void **state)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    (void)state;
    const struct cell values[] = {
        cell_text("", 0),      cell_text("a", 1),
        cell_text("a\0b", 3),  cell_bytes("\0\1\xff", 3),
        cell_int64(0),         cell_int64(-7),
        cell_int64(INT64_MAX), {.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = 2, .i64 = 150},
    };
    enum { COUNT = sizeof values / sizeof *values };
    struct buffer all[COUNT * COUNT] = {{0}};
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        struct cell key[2] = {values[i / COUNT], values[i % COUNT]};
        struct cell back[2];
        struct cell normal;
        assert_int_equal(dynamodb_key_append(NULL, &table, key, &all[i], &error), STATUS_OK);
        assert_true(dynamodb_key_read(NULL, &table, (const uint8_t *)all[i].data, all[i].length,
                                      arena, back));
        for (int part = 0; part < 2; part++) {
            assert_int_equal(dynamodb_item_normal_form(&key[part], arena, &normal, &error),
                             STATUS_OK);
            assert_true(value_equal(&normal, &back[part]));
        }
        for (size_t cut = 0; cut < all[i].length; cut++) {
            assert_false(
                dynamodb_key_read(NULL, &table, (const uint8_t *)all[i].data, cut, arena, back));
        }
        for (size_t other = 0; other < i; other++) { /* no key is another's beginning */
            size_t shorter = all[i].length < all[other].length ? all[i].length : all[other].length;
            assert_true(memcmp(all[i].data, all[other].data, shorter) != 0);
        }
    }
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        buffer_free(&all[i]);
    }
    arena_destroy(arena);
}

static void equal_numbers_are_one_key(void **state)
{
    static const char *const texts[] = {"1.50", "1.5", "001.5"};
    struct error error = {0};
    struct buffer first = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buffer bytes = {0};
        struct cell key[2] = {
            {.kind = VALUE_DECIMAL, .length = (uint32_t)strlen(texts[i]), .text = texts[i]},
            cell_text("x", 1)};
        assert_int_equal(dynamodb_key_append(NULL, &table, key, &bytes, &error), STATUS_OK);
        if (i == 0) {
            first = bytes;
            continue;
        }
        assert_int_equal(bytes.length, first.length);
        assert_memory_equal(bytes.data, first.data, first.length);
        buffer_free(&bytes);
    }
    buffer_free(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_bytes_and_back),
        cmocka_unit_test(equal_numbers_are_one_key),
    };
    return cmocka_run_group_tests_name("dynamodb_key_bytes", tests, NULL, NULL);
}
