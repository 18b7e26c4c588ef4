/* The writer's keys: which are under way, as bytes and back, and those kept for settling. */
#include "connectors/dynamodb/network_writer.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { KEYS = 300, STEPS = 200000 };

/* Against a plain array of counts; hashes collide in their lower bits, as they are cut to places.
 */
static void a_set_is_what_was_put_in(void **state)
{
    struct key_set set = {0};
    uint32_t counts[KEYS] = {0};
    struct random random = random_start();
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)random_below(&random, KEYS);
        struct key_hash key = {.high = number, .low = number % 16 + (uint64_t)(number % 3) * 1020};
        if (random_below(&random, 2) != 0) {
            dynamodb_key_set_add(&set, key);
            counts[number]++;
        } else {
            dynamodb_key_set_remove(&set, key);
            counts[number] -= counts[number] > 0;
        }
        uint32_t other = (uint32_t)random_below(&random, KEYS);
        struct key_hash asked = {.high = other, .low = other % 16 + (uint64_t)(other % 3) * 1020};
        assert_int_equal(dynamodb_key_set_has(&set, asked), counts[other] > 0);
    }
    dynamodb_key_set_free(&set);
}

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
        assert_int_equal(dynamodb_key_append(&table, key, &all[i], &error), STATUS_OK);
        assert_true(
            dynamodb_key_read(&table, (const uint8_t *)all[i].data, all[i].length, arena, back));
        for (int part = 0; part < 2; part++) {
            assert_int_equal(dynamodb_item_normal_form(&key[part], arena, &normal, &error),
                             STATUS_OK);
            assert_true(value_equal(&normal, &back[part]));
        }
        for (size_t cut = 0; cut < all[i].length; cut++) {
            assert_false(dynamodb_key_read(&table, (const uint8_t *)all[i].data, cut, arena, back));
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
        assert_int_equal(dynamodb_key_append(&table, key, &bytes, &error), STATUS_OK);
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

/* ---------------------------------------------------------------- kept keys */

struct seen {
    uint64_t ordinals;
    uint32_t count;
};

static enum status note(void *context, const struct dynamodb_spilled *key, struct error *error)
{
    struct seen *seen = context;
    (void)error;
    assert_int_equal(key->table_length, 6);
    assert_memory_equal(key->table, "things", 6);
    assert_int_equal(key->length, 3);
    assert_memory_equal(key->bytes, "key", 3);
    seen->ordinals += key->ordinal;
    seen->count++;
    return STATUS_OK;
}

/* As network_spill.c draws it. */
static size_t make_raw(uint8_t *raw, uint32_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t head[37] = {0};
        head[4] = (uint8_t)i;
        head[12] = 1;
        head[29] = 6;
        head[33] = 3;
        memcpy(raw + at, head, sizeof head);
        memcpy(raw + at + sizeof head, "thingskey", 9);
        at += sizeof head + 9;
    }
    return at;
}

static void kept_keys_are_read_whole_or_refused(void **state)
{
    uint8_t raw[37 * 32];
    uint8_t packed[37 * 64];
    struct seen seen = {0};
    struct error error = {0};
    (void)state;
    size_t length = make_raw(raw, 10);
    size_t made = ZSTD_compress(packed, sizeof packed, raw, length, 1);
    assert_int_equal(dynamodb_spill_read(packed, made, note, &seen, &error), STATUS_OK);
    assert_int_equal(seen.count, 10);
    assert_int_equal(seen.ordinals, 45);
    for (size_t cut = 0; cut < made; cut++) {
        seen = (struct seen){0};
        assert_int_equal(dynamodb_spill_read(packed, cut, note, &seen, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    }
    for (size_t cut = length - 45; cut < length; cut++) { /* whole frames of cut contents */
        made = ZSTD_compress(packed, sizeof packed, raw, cut, 1);
        assert_int_equal(dynamodb_spill_read(packed, made, note, &seen, &error), STATUS_FAILED);
    }
    memset(raw + 33, 0xff, 4); /* a key that is longer than all */
    made = ZSTD_compress(packed, sizeof packed, raw, length, 1);
    assert_int_equal(dynamodb_spill_read(packed, made, note, &seen, &error), STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_what_was_put_in),
        cmocka_unit_test(keys_are_bytes_and_back),
        cmocka_unit_test(equal_numbers_are_one_key),
        cmocka_unit_test(kept_keys_are_read_whole_or_refused),
    };
    return cmocka_run_group_tests_name("dynamodb_keyset", tests, NULL, NULL);
}
