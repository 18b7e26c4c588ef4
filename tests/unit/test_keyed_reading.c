/* Batches of the cursors of the keyed room, and the keys that a request names. */
#include "connectors/keyed/reading.h"
#include "support.h"
#include <string.h>

enum { WIDE_BYTES = 100000, ROWS_MAX = 100 };

struct cursor {
    uint32_t left;
    bool refuses;
};

static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    char *value = arena_allocate(batch->arena, WIDE_BYTES);
    (void)error;
    if (cursor->left == 0) {
        return STATUS_END;
    }
    cursor->left--;
    memset(value, 'a', WIDE_BYTES);
    const struct cell cell = cell_text(value, WIDE_BYTES);
    if (cursor->refuses) {
        batch_refuse(batch, ERROR_REJECT_UNREADABLE, "it can't be read", NULL, 0, &cell);
    } else {
        *batch_append(batch) = cell;
    }
    return STATUS_OK;
}

/* Also where none of its records can be read: each is kept whole. */
static void a_batch_is_bounded_in_bytes(void **state)
{
    const struct read_request request = {.name = "things"};
    (void)state;
    for (int refuses = 0; refuses < 2; refuses++) {
        struct cursor cursor = {.left = ROWS_MAX, .refuses = refuses != 0};
        const struct keyed_filling filling = {.add_next = add_next, .request = &request};
        struct error error;
        struct batch *batch = NULL;
        uint32_t batches = 0;
        uint32_t records = 0;
        while (keyed_cursor_next(&cursor, &filling, ROWS_MAX, 5 * WIDE_BYTES, &batch, &error) ==
               STATUS_OK) {
            assert_in_range(batch->row_count + batch->refused_count, 1, 6);
            records += batch->row_count + batch->refused_count;
            batches++;
            batch_destroy(batch);
        }
        assert_int_equal(records, ROWS_MAX);
        assert_true(batches > ROWS_MAX / 7);
    }
}

/* ---------------------------------------------------------------- keys */

/* "b" then "a" of the request's (a, b); no record has a key with an empty part. */
static enum status encode(const void *context, const struct cell *key, struct keyed_wanted *wanted,
                          struct error *error)
{
    (void)context;
    for (uint32_t part = 0; part < 2; part++) {
        buffer_append(&wanted->bytes, key[part].text, key[part].length);
        if (key[part].length == 0) {
            return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "an empty part");
        }
    }
    wanted->token = key[0].text[0];
    return STATUS_OK;
}

static struct cell word(const char *text)
{
    return cell_text(text, (uint32_t)strlen(text));
}

static void keys_are_sorted_and_each_once(void **state)
{
    static const char *const asked[] = {"a", "b"};
    static const char *const own[] = {"b", "a"};
    const struct cell keys[] = {word("1"), word("y"), word("2"), word("x"), word("1"),
                                word("y"), word(""),  word("z"), word("0"), word("x")};
    const struct read_request request = {
        .name = "things", .root_key = {asked, 2}, .keys = keys, .key_count = 5};
    const struct keyed_wanting wanting = {
        .key = {own, 2}, .name = "things", .refusal = "no whole key", .encode = encode};
    struct keyed_wanted wanted = {0};
    struct error error;
    (void)state;
    assert_int_equal(keyed_wanted_read(&request, &wanting, &wanted, &error), STATUS_OK);
    assert_int_equal(wanted.count, 3);
    assert_memory_equal(wanted.keys[0].bytes.data, "x0", 2);
    assert_memory_equal(wanted.keys[1].bytes.data, "x2", 2);
    assert_memory_equal(wanted.keys[2].bytes.data, "y1", 2);
    assert_int_equal(wanted.keys[2].token, 'y');
    assert_true(keyed_wanted_has(&wanted, (struct text){"x2", 2}));
    assert_false(keyed_wanted_has(&wanted, (struct text){"x", 1}));
    keyed_wanted_free(&wanted);
}

static void parts_and_strange_values_are_no_keys(void **state)
{
    static const char *const names[] = {"a", "b"};
    struct cell keys[] = {word("1"), word("2")};
    struct read_request request = {
        .name = "things", .root_key = {names, 1}, .keys = keys, .key_count = 1};
    const struct keyed_wanting wanting = {
        .key = {names, 2}, .name = "things", .refusal = "no whole key", .encode = encode};
    struct keyed_wanted wanted = {0};
    struct error error;
    (void)state;
    assert_int_equal(keyed_wanted_read(&request, &wanting, &wanted, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NOT_IMPLEMENTED);
    keyed_wanted_free(&wanted);
    request.root_key.count = 2;
    keys[1].kind = VALUE_ESCAPE;
    assert_int_equal(keyed_wanted_read(&request, &wanting, &wanted, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_REJECT_TYPE);
    keyed_wanted_free(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_bounded_in_bytes),
        cmocka_unit_test(keys_are_sorted_and_each_once),
        cmocka_unit_test(parts_and_strange_values_are_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
