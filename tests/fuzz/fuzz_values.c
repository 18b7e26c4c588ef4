/* Texts that are numbers, times, or the typed JSON of reject files: what is read is written so that
 * it reads as the same. */
#include "support.h"

#include "engine/formats/typed_json.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 8192 };

static enum status parse_date(const char *text, size_t length, struct arena *arena,
                              struct cell *cell)
{
    (void)arena;
    return time_parse_date(text, length, cell);
}
static enum status parse_time(const char *text, size_t length, struct arena *arena,
                              struct cell *cell)
{
    (void)arena;
    return time_parse_time(text, length, cell);
}
static enum status parse_timestamp(const char *text, size_t length, struct arena *arena,
                                   struct cell *cell)
{
    (void)arena;
    return time_parse_timestamp(text, length, cell);
}

static const struct form {
    enum status (*parse)(const char *text, size_t length, struct arena *arena, struct cell *cell);
    void (*append)(const struct cell *cell, struct buffer *out);
} forms[] = {{decimal_parse, decimal_append},
             {parse_date, time_append},
             {parse_time, time_append},
             {parse_timestamp, time_append},
             {time_parse_interval, time_append}};

static void read_form(const struct form *form, const char *text, size_t size, struct arena *arena)
{
    struct cell first = {0};
    struct cell second = {0};
    struct buffer out = {0};
    if (form->parse(text, size, arena, &first) == STATUS_OK) {
        form->append(&first, &out);
        FUZZ_REQUIRE(form->parse(out.data, out.length, arena, &second) == STATUS_OK);
        FUZZ_REQUIRE(value_equal(&first, &second));
    }
    buffer_free(&out);
}

/* Not the value: -0.0 is to stay what it is. */
static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void read_double(const char *text, size_t size)
{
    char digits[NUMBER_TEXT_MAX];
    double first = 0;
    double second = 0;
    if (number_to_double(text, size, &first) == STATUS_OK) {
        size_t length = number_from_double(first, digits);
        FUZZ_REQUIRE(length <= NUMBER_TEXT_MAX);
        FUZZ_REQUIRE(number_to_double(digits, length, &second) == STATUS_OK);
        FUZZ_REQUIRE(bits_of(first) == bits_of(second) || isnan(first));
    }
}

static void read_typed(const char *text, size_t size, struct arena *arena)
{
    struct json_reader reader;
    enum json_token token;
    struct error error = {0};
    struct cell first = {0};
    struct cell second = {0};
    struct buffer out = {0};
    json_reader_init(&reader, text, size, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, &error);
    if (status == STATUS_OK) {
        status = token == JSON_TOKEN_END ? STATUS_END
                                         : typed_json_read(&reader, token, arena, &first, &error);
    }
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(typed_json_append(&first, &out, &error) == STATUS_OK);
        json_reader_init(&reader, out.data, out.length, JSON_DEPTH_MAX, arena);
        FUZZ_REQUIRE(json_reader_next(&reader, &token, &error) == STATUS_OK);
        if (typed_json_read(&reader, token, arena, &second, &error) != STATUS_OK) {
            /* Tags may take more levels than what they were read from. */
            FUZZ_REQUIRE(error.code == ERROR_REJECT_TOO_DEEP);
        } else {
            FUZZ_REQUIRE(value_equal(&first, &second));
        }
    } else if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    int64_t number = 0;
    uint64_t bytes = 0;
    if (size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    for (size_t at = 0; at < sizeof forms / sizeof *forms; at++) {
        read_form(&forms[at], text, size, arena);
    }
    read_double(text, size);
    read_typed(text, size, arena);
    char *copy = arena_copy(arena, text, size);
    if (text_to_int64(text, size, &number) == STATUS_OK) {
        char digits[24];
        int64_t again = 0;
        FUZZ_REQUIRE(text_to_int64(digits, text_from_int64(number, digits), &again) == STATUS_OK);
        FUZZ_REQUIRE(number == again);
    }
    if (text_to_bytes(copy, &bytes) == STATUS_OK) {
        FUZZ_REQUIRE(size > 0);
    }
    arena_destroy(arena);
    return 0;
}
