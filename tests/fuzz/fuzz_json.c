/* The JSON reader, with jansson as the second opinion; base64 and what the writer makes of it. */
#include "support.h"

#include "model/json_reader.h"
#include "model/json_writer.h"
#include <jansson.h>
#include <string.h>

/* Reads all tokens and writes them again. */
static enum status read_all(const char *text, size_t length, struct arena *arena,
                            struct buffer *out, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_NULL;
    bool comma = false;
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    for (;;) {
        enum status status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK || token == JSON_TOKEN_END) {
            return status;
        }
        bool closes = token == JSON_TOKEN_OBJECT_END || token == JSON_TOKEN_ARRAY_END;
        if (comma && !closes) {
            buffer_append_byte(out, ',');
        }
        comma = true;
        switch (token) {
        case JSON_TOKEN_OBJECT_BEGIN:
        case JSON_TOKEN_ARRAY_BEGIN:
            buffer_append_byte(out, token == JSON_TOKEN_OBJECT_BEGIN ? '{' : '[');
            comma = false;
            break;
        case JSON_TOKEN_OBJECT_END:
        case JSON_TOKEN_ARRAY_END:
            buffer_append_byte(out, token == JSON_TOKEN_OBJECT_END ? '}' : ']');
            break;
        case JSON_TOKEN_KEY:
        case JSON_TOKEN_STRING:
            FUZZ_REQUIRE(text_is_utf8(reader.text, reader.length));
            json_append_string(out, reader.text, reader.length);
            if (token == JSON_TOKEN_KEY) {
                buffer_append_byte(out, ':');
                comma = false;
            }
            break;
        case JSON_TOKEN_NUMBER:
            buffer_append(out, reader.text, reader.length);
            break;
        default:
            buffer_append_string(out, token == JSON_TOKEN_TRUE    ? "true"
                                      : token == JSON_TOKEN_FALSE ? "false"
                                                                  : "null");
        }
    }
}

static void skip_all(const char *text, size_t length, struct arena *arena, enum status wanted)
{
    struct json_reader reader;
    struct error error = {0};
    enum json_token token;
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, &error);
    if (status == STATUS_OK) {
        status = json_reader_skip(&reader, token, &error);
    }
    if (status == STATUS_OK) {
        status = json_reader_next(&reader, &token, &error);
    }
    FUZZ_REQUIRE(status == wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct buffer out = {0};
    struct buffer again = {0};
    struct error error = {0};
    uint8_t *bytes = NULL;
    size_t byte_count = 0;
    const char *text = (const char *)data;
    json_error_t fault;
    enum status status = read_all(text, size, arena, &out, &error);
    skip_all(text, size, arena, status);
    /* Numbers as reals: jansson refuses whole ones beyond 64 bits, and what overflows a double. */
    json_t *tree =
        json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &fault);
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(read_all(out.data, out.length, arena, &again, &error) == STATUS_OK);
        FUZZ_REQUIRE(out.data != NULL && again.data != NULL && out.length == again.length);
        FUZZ_REQUIRE(memcmp(out.data, again.data, out.length) == 0);
        enum json_error_code code = tree == NULL ? json_error_code(&fault) : json_error_unknown;
        FUZZ_REQUIRE(tree != NULL || code == json_error_numeric_overflow ||
                     code == json_error_null_byte_in_key);
    } else {
        fuzz_check_error(&error);
        /* jansson takes a NUL byte behind a number. */
        FUZZ_REQUIRE(tree == NULL || error.code == ERROR_REJECT_TOO_DEEP ||
                     memchr(data, 0, size) != NULL);
    }
    if (json_decode_base64(text, size, arena, &bytes, &byte_count, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    json_decref(tree);
    buffer_free(&out);
    buffer_free(&again);
    arena_destroy(arena);
    return 0;
}
