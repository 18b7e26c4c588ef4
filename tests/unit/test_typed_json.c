/* Typed JSON: any value as text, and back. */
#include "engine/formats/typed_json.h"
#include "model/canonical.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

static enum status read_typed(const char *text, size_t length, struct arena *arena,
                              struct cell *cell, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK ||
        typed_json_read(&reader, token, arena, cell, error) != STATUS_OK ||
        json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* A MISSING inside a list is written as null, inside a map not at all. */
static bool has_missing(const struct cell *cell)
{
    bool nested = cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
    uint32_t count = cell->kind == VALUE_MAP ? 2 * cell->length : cell->length;
    for (uint32_t i = 0; nested && i < count; i++) {
        if (has_missing(&cell->items[i])) {
            return true;
        }
    }
    return cell->kind == VALUE_MISSING;
}

static void every_value_comes_back(void **state)
{
    (void)state;
    struct random random = random_start();
    long rounds = test_rounds(20000);
    for (long round = 0; round < rounds; round++) {
        struct arena *arena = arena_create(0);
        struct buffer text = {0};
        struct error error;
        struct cell back = {0};
        struct cell cell = random_value(&random, arena, 3);
        if (cell.kind == VALUE_MISSING) {
            cell = cell_null();
        }
        assert_int_equal(typed_json_append(&cell, &text, &error), STATUS_OK);
        const char *written = buffer_string(&text); /* `back` points into it */
        if (read_typed(written, text.length, arena, &back, &error) != STATUS_OK) {
            fail_msg("%s: %s", error.message, written);
        }
        struct buffer again = {0};
        assert_int_equal(typed_json_append(&back, &again, &error), STATUS_OK);
        struct buffer canonical = {0};
        struct buffer canonical_back = {0};
        if (!has_missing(&cell)) {
            assert_string_equal(buffer_string(&again), written);
            assert_int_equal(canonical_append(&cell, &canonical, &error), STATUS_OK);
            assert_int_equal(canonical_append(&back, &canonical_back, &error), STATUS_OK);
            if (canonical.length != canonical_back.length ||
                memcmp(canonical.data, canonical_back.data, canonical.length) != 0) {
                fail_msg("another value came back: %s", written);
            }
        }
        buffer_free(&canonical);
        buffer_free(&canonical_back);
        buffer_free(&again);
        buffer_free(&text);
        arena_destroy(arena);
    }
}

static void forms_of_typed_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_kind kind;
    } cases[] = {{"12", VALUE_INT64},
                 {"-9223372036854775808", VALUE_INT64},
                 {"18446744073709551615", VALUE_UINT64},
                 {"12.0", VALUE_FLOAT64},
                 {"-0.0", VALUE_FLOAT64},
                 {"1e+300", VALUE_FLOAT64},
                 {"{\"$float64\":\"NaN\"}", VALUE_FLOAT64},
                 {"{\"$float32\":\"0.1\"}", VALUE_FLOAT32},
                 {"{\"$decimal\":\"1.980\"}", VALUE_DECIMAL},
                 {"{\"$uint64\":\"5\"}", VALUE_UINT64},
                 {"{\"$bytes\":\"AP8=\"}", VALUE_BYTES},
                 {"{\"$date\":\"2024-02-29\"}", VALUE_DATE},
                 {"{\"$uuid\":\"00112233-4455-6677-8899-aabbccddeeff\"}", VALUE_UUID},
                 {"{\"$json\":\"{\\\"a\\\": 1}\"}", VALUE_JSON},
                 {"{\"$map\":[[1,\"a\"],[\"$b\",null]]}", VALUE_MAP},
                 {"{\"$set\":[1,2]}", VALUE_SET},
                 {"{\"$escape\":[1,true,\"/w==\"]}", VALUE_ESCAPE},
                 {"{}", VALUE_MAP},
                 {"[]", VALUE_LIST},
                 {"true", VALUE_BOOL},
                 {"null", VALUE_NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_create(0);
        struct buffer again = {0};
        struct error error;
        struct cell cell = {0};
        assert_int_equal(read_typed(cases[i].text, strlen(cases[i].text), arena, &cell, &error),
                         STATUS_OK);
        assert_int_equal(cell.kind, cases[i].kind);
        assert_int_equal(typed_json_append(&cell, &again, &error), STATUS_OK);
        assert_buffer(&again, cases[i].text);
        buffer_free(&again);
        arena_destroy(arena);
    }
}

static void wrong_typed_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"$decimal\":\"x\"}",
                                        "{\"$decimal\":1}",
                                        "{\"$decimal\":\"1\",\"b\":2}",
                                        "{\"a\":1,\"$b\":2}",
                                        "{\"$nothing\":\"1\"}",
                                        "{\"$map\":[[1]]}",
                                        "{\"$map\":{}}",
                                        "{\"$set\":1}",
                                        "{\"$uuid\":\"0011\"}",
                                        "{\"$escape\":[1]}",
                                        "{\"$omitted\":\"it was cut\"}",
                                        "{\"$bytes\":\"*\"}",
                                        "99999999999999999999",
                                        "{\"$date\":\"2024-02-30\"}",
                                        "{\"$averyverylongname\":1}",
                                        "{\"$\":1}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena *arena = arena_create(0);
        struct error error;
        struct cell cell = {0};
        assert_int_equal(read_typed(texts[i], strlen(texts[i]), arena, &cell, &error),
                         STATUS_FAILED);
        arena_destroy(arena);
    }
}

/* Serves its own offset as bytes, modulo 251. */
static enum status large_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *error)
{
    (void)error;
    for (size_t i = 0; i < size; i++) {
        uint64_t at = offset + i;
        ((uint8_t *)bytes)[i] =
            self->kind == VALUE_TEXT ? (uint8_t)("a\"\xc3\xa9\n"[at % 5]) : (uint8_t)(at % 251);
    }
    return STATUS_OK;
}

static void large_values_are_written_in_slices(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 5, 196605, 196608, 196610, 1000000};
    for (int text = 0; text < 2; text++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct arena *arena = arena_create(0);
            struct buffer out = {0};
            struct error error;
            struct cell back = {0};
            struct large_value large = {.kind = text ? VALUE_TEXT : VALUE_BYTES,
                                        .length = text ? lengths[i] / 5 * 5 : lengths[i],
                                        .read = large_read};
            const struct cell cell = {.kind = VALUE_LARGE, .large = &large};
            assert_int_equal(typed_json_append(&cell, &out, &error), STATUS_OK);
            assert_int_equal(read_typed(out.data, out.length, arena, &back, &error), STATUS_OK);
            assert_int_equal(back.kind, large.kind);
            assert_int_equal(back.length, large.length);
            uint8_t *expected = malloc(large.length + 1);
            assert_int_equal(large_read(&large, 0, expected, large.length, &error), STATUS_OK);
            assert_memory_equal(back.bytes, expected, large.length);
            free(expected);
            buffer_free(&out);
            arena_destroy(arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(forms_of_typed_json),
        cmocka_unit_test(wrong_typed_json_is_refused),
        cmocka_unit_test(large_values_are_written_in_slices),
    };
    return cmocka_run_group_tests_name("typed_json", tests, NULL, NULL);
}
