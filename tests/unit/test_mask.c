/* Masks: equal values stay equal, others stay apart, and nothing of them is left. */
#include "model/mask.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static struct mask mask_of(struct arena *arena, const char *text, enum value_kind kind)
{
    struct mask mask;
    struct error error = {0};
    assert_int_equal(mask_parse(text, arena, &mask, &error), STATUS_OK);
    mask_set_key(&mask, "a key");
    mask.highest = kind == VALUE_UINT64 ? UINT64_MAX : INT64_MAX;
    assert_null(mask_fit(&mask, kind, arena));
    return mask;
}

/* From the reference implementation's vectors_sip128: the key's bytes are 00 01 … 0f, the texts
 * none, and 00. */
static void the_hash_is_siphash(void **state)
{
    (void)state;
    const struct siphash_key key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    uint64_t hash[2];
    siphash_128(&key, "", 0, hash);
    assert_memory_equal(hash, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93",
                        16);
    siphash_128(&key, "\0", 1, hash);
    assert_memory_equal(hash, "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45",
                        16);
}

static int64_t hashed(const struct mask *mask, struct arena *arena, int64_t value)
{
    struct cell cell = cell_int64(value);
    mask_cell(mask, arena, &cell);
    assert_int_equal(cell.kind, VALUE_INT64);
    return cell.i64;
}

/* Each number of a range has another one of the same range, which no other number has. */
static void numbers_stay_apart_and_fit(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct mask mask = mask_of(arena, "hash", VALUE_INT64);
    uint8_t *taken = calloc(1 << 16, 1);
    uint32_t same = 0;
    assert_non_null(taken);
    for (int64_t value = -32767; value <= 32767; value++) {
        int64_t made = hashed(&mask, arena, value);
        assert_in_range(made + 32768, 1, 65535);
        assert_int_equal(taken[made + 32768], 0);
        assert_int_equal(value < 0, made < 0);
        assert_int_equal(llabs(value) < 128, llabs(made) < 128);
        taken[made + 32768] = 1;
        same += made == value;
    }
    assert_in_range(same, 1, 20); /* 0 stays, and by chance a few */
    static const int64_t large[] = {32768, 2147483647, 2147483648, INT64_MAX, -2147483648};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        int64_t made = hashed(&mask, arena, large[i]);
        assert_int_not_equal(made, large[i]);
        assert_int_equal(llabs(made) < 2147483648, llabs(large[i]) < 2147483648);
    }
    assert_int_equal(hashed(&mask, arena, 0), 0);
    struct cell most = cell_uint64(UINT64_MAX);
    struct mask whole = mask_of(arena, "hash", VALUE_UINT64);
    mask_cell(&whole, arena, &most);
    assert_true(most.u64 >= UINT64_C(1) << 63 && most.u64 != UINT64_MAX);
    mask.highest = 200; /* a column's of eight bits without a sign */
    for (int64_t value = 128; value <= 200; value++) {
        assert_in_range(hashed(&mask, arena, value), 128, 200);
    }
    struct cell beyond = cell_int64(201);
    mask_cell(&mask, arena, &beyond);
    assert_int_equal(beyond.kind, VALUE_ESCAPE);
    beyond = cell_int64(INT64_MIN);
    mask_cell(&mask, arena, &beyond);
    assert_int_equal(beyond.kind, VALUE_ESCAPE);
    free(taken);
    arena_destroy(arena);
}

static const char *masked(const struct mask *mask, struct arena *arena, const char *text)
{
    struct cell cell = cell_text(text, strlen(text));
    mask_cell(mask, arena, &cell);
    assert_int_equal(cell.kind, VALUE_TEXT);
    return arena_copy(arena, cell.text, cell.length);
}

static void texts_are_masked(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct mask hash = mask_of(arena, "hash", VALUE_TEXT);
    assert_int_equal(strlen(masked(&hash, arena, "x")), 32);
    assert_string_equal(masked(&hash, arena, "x"), masked(&hash, arena, "x"));
    assert_string_not_equal(masked(&hash, arena, "x"), masked(&hash, arena, "y"));
    struct mask other = hash;
    mask_set_key(&other, "another key");
    assert_string_not_equal(masked(&hash, arena, "x"), masked(&other, arena, "x"));
    hash.characters_max = 12;
    assert_int_equal(strlen(masked(&hash, arena, "x")), 12);

    struct mask partial = mask_of(arena, "partial 4", VALUE_TEXT);
    assert_string_equal(masked(&partial, arena, "+49 170 1234567"), "+** *** ***4567");
    assert_string_equal(masked(&partial, arena, "Jürgen"), "**rgen");
    assert_string_equal(masked(&partial, arena, "1234"), "****");
    assert_string_equal(masked(&partial, arena, ""), "");
    struct mask redact = mask_of(arena, "redact not told", VALUE_TEXT);
    assert_string_equal(masked(&redact, arena, "secret"), "not told");
    struct mask plain = mask_of(arena, "redact", VALUE_TEXT);
    assert_string_equal(masked(&plain, arena, "secret"), "***");

    struct mask phone = mask_of(arena, "fake phone", VALUE_TEXT);
    const char *number = masked(&phone, arena, "+49 (170) 12-34 x");
    assert_int_equal(strlen(number), 17);
    assert_memory_equal(number, "+", 1);
    assert_memory_equal(number + 3, " (", 2);
    assert_string_not_equal(number, "+49 (170) 12-34 x");
    struct mask email = mask_of(arena, "fake email", VALUE_TEXT);
    assert_non_null(strstr(masked(&email, arena, "a@b.c"), "@example."));
    assert_string_not_equal(masked(&email, arena, "a@b.c"), masked(&email, arena, "b@b.c"));
    email.characters_max = 5;
    assert_int_equal(strlen(masked(&email, arena, "a@b.c")), 5);
    arena_destroy(arena);
}

static void other_kinds(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct mask redact = mask_of(arena, "redact 2000-01-01", VALUE_DATE);
    struct cell cell = {.kind = VALUE_DATE, .i64 = 1};
    mask_cell(&redact, arena, &cell);
    assert_int_equal(cell.i64, 10957);
    struct mask hash = mask_of(arena, "hash", VALUE_UUID);
    static const uint8_t uuid[16] = {1};
    cell = (struct cell){.kind = VALUE_UUID, .length = 16, .bytes = uuid};
    mask_cell(&hash, arena, &cell);
    assert_int_equal(cell.bytes[6] >> 4, 8);
    cell = cell_null();
    mask_cell(&redact, arena, &cell);
    assert_int_equal(cell.kind, VALUE_NULL);
    cell = cell_float64(1.5); /* of a column that holds anything */
    mask_cell(&hash, arena, &cell);
    assert_int_equal(cell.kind, VALUE_ESCAPE);
    assert_int_equal(cell.aux, ESCAPE_OMITTED);
    arena_destroy(arena);
}

static void what_can_not_be_is_told(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct mask mask;
    struct error error = {0};
    static const char *const wrong[] = {"",           "hash 1", "redacted",    "partial x",
                                        "partial -1", "fake",   "fake animal", "shuffle 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(mask_parse(wrong[i], arena, &mask, &error), STATUS_FAILED);
    }
    assert_int_equal(mask_parse("hash", arena, &mask, &error), STATUS_OK);
    assert_non_null(mask_fit(&mask, VALUE_FLOAT64, arena));
    mask.characters_max = 11;
    assert_non_null(mask_fit(&mask, VALUE_TEXT, arena));
    assert_int_equal(mask_parse("redact", arena, &mask, &error), STATUS_OK);
    assert_non_null(mask_fit(&mask, VALUE_DATE, arena));
    assert_int_equal(mask_parse("redact soon", arena, &mask, &error), STATUS_OK);
    assert_non_null(mask_fit(&mask, VALUE_DATE, arena));
    assert_int_equal(mask_parse("fake name", arena, &mask, &error), STATUS_OK);
    assert_non_null(mask_fit(&mask, VALUE_INT64, arena));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash),     cmocka_unit_test(numbers_stay_apart_and_fit),
        cmocka_unit_test(texts_are_masked),        cmocka_unit_test(other_kinds),
        cmocka_unit_test(what_can_not_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
