/* Keys of records that are written one by one: which are under way, and those kept for settling. */
#include "connectors/keyed/keyed_internal.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { KEYS = 300, STEPS = 200000 };

/* Against a plain array of counts; hashes collide in their lower bits, as they are cut to places.
 */
static void a_set_is_what_was_put_in(void **state)
{
    struct keyed_set set = {0};
    uint32_t counts[KEYS] = {0};
    struct random random = random_start();
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)random_below(&random, KEYS);
        struct keyed_hash key = {.high = number,
                                 .low = number % 16 + (uint64_t)(number % 3) * 1020};
        if (random_below(&random, 2) != 0) {
            keyed_set_add(&set, key);
            counts[number]++;
        } else {
            keyed_set_remove(&set, key);
            counts[number] -= counts[number] > 0;
        }
        uint32_t other = (uint32_t)random_below(&random, KEYS);
        struct keyed_hash asked = {.high = other, .low = other % 16 + (uint64_t)(other % 3) * 1020};
        assert_int_equal(keyed_set_has(&set, asked), counts[other] > 0);
    }
    keyed_set_free(&set);
}

/* ---------------------------------------------------------------- kept keys */

struct seen {
    uint64_t ordinals;
    uint32_t count;
};

static enum status note(void *context, uint64_t chunk, const struct keyed_key *key,
                        struct error *error)
{
    struct seen *seen = context;
    (void)error;
    assert_int_equal(chunk, 1);
    assert_int_equal(key->table_length, 6);
    assert_memory_equal(key->table, "things", 6);
    assert_int_equal(key->length, 3);
    assert_memory_equal(key->bytes, "key", 3);
    seen->ordinals += key->ordinal;
    seen->count++;
    return STATUS_OK;
}

/* As spill.c draws it. */
static size_t make_raw(uint8_t *raw, uint32_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t head[45] = {0};
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
    uint8_t raw[45 * 32];
    uint8_t packed[45 * 64];
    struct seen seen = {0};
    struct error error = {0};
    (void)state;
    size_t length = make_raw(raw, 10);
    size_t made = ZSTD_compress(packed, sizeof packed, raw, length, 1);
    assert_int_equal(keyed_spill_unpack(packed, made, 1, note, &seen, &error), STATUS_OK);
    assert_int_equal(seen.count, 10);
    assert_int_equal(seen.ordinals, 45);
    for (size_t cut = 0; cut < made; cut++) {
        seen = (struct seen){0};
        assert_int_equal(keyed_spill_unpack(packed, cut, 1, note, &seen, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    }
    for (size_t cut = length - 53; cut < length; cut++) { /* whole frames of cut contents */
        made = ZSTD_compress(packed, sizeof packed, raw, cut, 1);
        assert_int_equal(keyed_spill_unpack(packed, made, 1, note, &seen, &error), STATUS_FAILED);
    }
    memset(raw + 33, 0xff, 4); /* a key that is longer than all */
    made = ZSTD_compress(packed, sizeof packed, raw, length, 1);
    assert_int_equal(keyed_spill_unpack(packed, made, 1, note, &seen, &error), STATUS_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_what_was_put_in),
        cmocka_unit_test(kept_keys_are_read_whole_or_refused),
    };
    return cmocka_run_group_tests_name("keyed_keys", tests, NULL, NULL);
}
