/* The book of rejects: which record an entry is of, and what becomes of several changes of one. */
#include "engine/rejects/reject_book_internal.h"
#include "model/decimal.h"
#include "support.h"
#include <string.h>

static struct reject_id source_of(struct cell cell)
{
    return reject_id_of_source(3, &cell, NULL, 1);
}

static bool is_same(struct reject_id left, struct reject_id right)
{
    return memcmp(&left, &right, sizeof left) == 0;
}

static void test_ids(void **state)
{
    struct arena *arena = arena_create(0);
    const struct cell parts[] = {cell_text("a", 1), cell_int64(7)};
    const struct cell turned[] = {cell_int64(7), cell_text("a", 1)};
    const uint32_t positions[] = {1, 0};
    struct cell decimal;
    (void)state;
    assert_int_equal(decimal_parse("7.0", 3, arena, &decimal), STATUS_OK);
    assert_true(is_same(source_of(cell_int64(7)), source_of(decimal)));
    assert_false(is_same(source_of(cell_int64(7)), source_of(cell_text("7", 1))));
    assert_true(is_same(reject_id_of_source(3, parts, NULL, 2),
                        reject_id_of_source(3, turned, positions, 2)));
    assert_false(
        is_same(reject_id_of_source(3, parts, NULL, 2), reject_id_of_source(4, parts, NULL, 2)));
    assert_false(is_same(reject_id_of_source(3, parts, NULL, 2), reject_id_of_target(3, parts, 2)));
    assert_int_equal(source_of(cell_null()).kind, 0);
    assert_int_equal(reject_id_of_source(3, NULL, NULL, 0).kind, 0);
    arena_destroy(arena);
}

static void test_keys(void **state)
{
    char prefix[STORE_KEY_BYTES];
    char key[STORE_KEY_BYTES];
    struct reject_id read;
    uint32_t entity;
    const struct reject_id id = source_of(cell_int64(7));
    (void)state;
    book_prefix(prefix, "20260101T000000Z-abcdef");
    book_entry_key(key, "20260101T000000Z-abcdef", &id);
    assert_true(book_entry_id(key, prefix, &read));
    assert_true(is_same(id, read));
    assert_false(book_copy_entity(key, prefix, &entity));
    book_copy_key(key, "20260101T000000Z-abcdef", 12);
    assert_false(book_entry_id(key, prefix, &read));
    assert_true(book_copy_entity(key, prefix, &entity));
    assert_int_equal(entity, 12);
}

static void test_entries(void **state)
{
    struct arena *arena = arena_create(0);
    struct error error = {0};
    struct book_entry read;
    const struct book_entry entry = {.entity = 5,
                                     .copied = true,
                                     .state = REJECT_GONE,
                                     .round = 9,
                                     .code = ERROR_REJECT_CONSTRAINT,
                                     .reason = "a \"reason\"\n",
                                     .key = "{\"id\":18446744073709551615}",
                                     .at = "2026-01-01T00:00:00.000Z",
                                     .again = true};
    (void)state;
    const char *text = book_entry_text(&entry, arena);
    assert_int_equal(book_entry_read("key", text, arena, &read, &error), STATUS_OK);
    assert_int_equal(read.entity, 5);
    assert_int_equal(read.state, REJECT_GONE);
    assert_int_equal(read.round, 9);
    assert_int_equal(read.code, ERROR_REJECT_CONSTRAINT);
    assert_true(read.copied && read.again);
    assert_string_equal(read.key, entry.key);
    assert_int_equal(book_entry_read("key", "{\"format\":99}", arena, &read, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FORMAT_NEWER);
    arena_destroy(arena);
}

static void test_changes(void **state)
{
    struct reject_changes changes = {.arena = arena_create(0)};
    (void)state;
    for (int64_t i = 0; i < 100; i++) {
        const struct reject_change change = {
            .id = source_of(cell_int64(i % 40)),
            .entity = 3,
            .state = i < 80 ? REJECT_OPEN : REJECT_ARRIVED,
            .reason = "why",
        };
        reject_changes_add(&changes, &change);
    }
    reject_changes_add(&changes, &(struct reject_change){.entity = 3}); /* it tells nothing apart */
    assert_int_equal(changes.count, 40);
    for (int64_t i = 0; i < 40; i++) {
        const struct reject_id id = source_of(cell_int64(i));
        const struct reject_change *found = reject_changes_find(&changes, &id);
        assert_non_null(found);
        assert_int_equal(found->state, i < 20 ? REJECT_ARRIVED : REJECT_OPEN);
    }
    arena_destroy(changes.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
