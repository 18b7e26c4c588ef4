/* The JSON reader and writer, with jansson as the second opinion. */
#include "base/text.h"
#include "model/convert.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include "support_arena.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error error;

/* --- the writer --- */

static void strings_are_escaped(void **state)
{
    (void)state;
    struct buffer out = {0};
    json_append_string(&out, "", 0);
    assert_buffer(&out, "\"\"");
    json_append_string(&out, "plain text that needs no escape at all", 38);
    assert_buffer(&out, "\"plain text that needs no escape at all\"");
    json_append_string(&out, "a\"b\\c/\x7f\xC3\xA9", 9);
    assert_buffer(&out, "\"a\\\"b\\\\c/\x7f\xC3\xA9\"");
    json_append_string(&out, "\0\x01\b\t\n\x0b\f\r\x1f", 9);
    assert_buffer(&out, "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\"");
    json_append_plain(&out, "abc", 3);
    assert_buffer(&out, "\"abc\"");
    json_append_string_part(&out, "a\"", 2);
    json_append_string_part(&out, "", 0);
    json_append_string_part(&out, "b", 1);
    assert_buffer(&out, "a\\\"b");
    buffer_free(&out);
}

/* Each byte at each place of texts of each length up to a few blocks. */
static void escapes_are_found_at_every_place(void **state)
{
    (void)state;
    struct buffer out = {0};
    char text[50];
    for (size_t length = 1; length < sizeof(text); length++) {
        for (size_t place = 0; place < length; place++) {
            for (int byte = 0; byte < 128; byte++) {
                memset(text, 'x', length);
                text[place] = (char)byte;
                json_append_string(&out, text, length);
                size_t extra = byte == '"' || byte == '\\' ? 1 : byte >= 0x20 ? 0 : 5;
                extra = byte != 0 && strchr("\b\t\n\f\r", byte) != NULL ? 1 : extra;
                assert_int_equal(out.length, length + 2 + extra);
                assert_int_equal(out.data[0], '"');
                assert_int_equal(out.data[out.length - 1], '"');
                for (size_t i = 0; i < place; i++) {
                    assert_int_equal(out.data[1 + i], 'x');
                }
                assert_int_equal(out.data[1 + place], extra > 0 ? '\\' : byte);
                for (size_t i = place + 1; i < length; i++) {
                    assert_int_equal(out.data[1 + extra + i], 'x');
                }
                buffer_clear(&out);
            }
        }
    }
    buffer_free(&out);
    /* and where all must be escaped, whatever the room */
    for (size_t length = 0; length < 300; length++) {
        char controls[300] = {0};
        struct buffer tight = {0};
        json_append_string(&tight, controls, length);
        assert_int_equal(tight.length, 6 * length + 2);
        buffer_free(&tight);
    }
}

static void strings_come_back(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer out = {0};
    char text[400];
    for (long i = 0; i < test_rounds(100000); i++) {
        size_t length = random_text(&random, text, 1 + random_below(&random, sizeof(text)));
        struct json_reader reader;
        enum json_token token;
        buffer_clear(&out);
        json_append_string(&out, text, length);
        json_reader_init(&reader, out.data, out.length, 10, arena);
        assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
        assert_int_equal(token, JSON_TOKEN_STRING);
        assert_int_equal(reader.length, length);
        assert_memory_equal(reader.text, text, length);
        assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
        assert_int_equal(token, JSON_TOKEN_END);
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
    buffer_free(&out);
}

static void base64_comes_back(void **state)
{
    (void)state;
    static const char *const known[] = {"\"\"",         "\"Zg==\"",     "\"Zm8=\"",    "\"Zm9v\"",
                                        "\"Zm9vYg==\"", "\"Zm9vYmE=\"", "\"Zm9vYmFy\""};
    struct buffer out = {0};
    struct random random = random_start();
    uint8_t bytes[300];
    uint8_t *back;
    size_t count;
    for (size_t length = 0; length < 7; length++) {
        json_append_base64(&out, "foobar", length);
        assert_buffer(&out, known[length]);
    }
    for (int i = 0; i < 20000; i++) {
        size_t length = random_below(&random, sizeof(bytes));
        for (size_t j = 0; j < length; j++) {
            bytes[j] = (uint8_t)random_bits(&random);
        }
        buffer_clear(&out);
        size_t first = random_below(&random, length + 1) / 3 * 3;
        json_append_base64_part(&out, bytes, first);
        json_append_base64_part(&out, bytes + first, length - first);
        assert_int_equal(json_decode_base64(out.data, out.length, arena, &back, &count, &error),
                         STATUS_OK);
        assert_int_equal(count, length);
        assert_memory_equal(back, bytes, length);
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
    buffer_free(&out);
}

static void malformed_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",      "Zg===", "====",
                                      "=AAA", "A===", "Zh==",     "Zm9=",  "Zm9v\n",
                                      "Zm 9", "Zm9-", "Zg==Zg==", "Z=g=",  "Zm9\x80"};
    uint8_t *bytes;
    size_t count;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (json_decode_base64(bad[i], strlen(bad[i]), arena, &bytes, &count, &error) !=
            STATUS_FAILED) {
            fail_msg("%s was decoded", bad[i]);
        }
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
    }
}

/* --- the reader --- */

/* The tokens of a text as one line; NULL if it is malformed. */
static const char *tokens_of(const char *text, size_t length, uint32_t depth)
{
    static const char *const names[] = {".", "{", "}",    "[",     "]",   "k",
                                        "s", "n", "true", "false", "null"};
    struct buffer out = {0};
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, length, depth, arena);
    do {
        if (json_reader_next(&reader, &token, &error) != STATUS_OK) {
            buffer_free(&out);
            return NULL;
        }
        buffer_append_string(&out, names[token]);
        if (token == JSON_TOKEN_KEY || token == JSON_TOKEN_STRING || token == JSON_TOKEN_NUMBER) {
            buffer_append_byte(&out, '(');
            buffer_append(&out, reader.text, reader.length);
            buffer_append_byte(&out, ')');
        }
        buffer_append_byte(&out, ' ');
    } while (token != JSON_TOKEN_END);
    const char *line = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return line;
}

static void tokens_come_in_order(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1", "n(1) . "},
        {" \t\r\n null \n", "null . "},
        {"[]", "[ ] . "},
        {"{}", "{ } . "},
        {"[ ]", "[ ] . "},
        {"{ }", "{ } . "},
        {"[1,2]", "[ n(1) n(2) ] . "},
        {"{\"a\":1,\"b\":[true,false]}", "{ k(a) n(1) k(b) [ true false ] } . "},
        {"{\"a\" : {\"b\" : [ ] } }", "{ k(a) { k(b) [ ] } } . "},
        {"[[],[{}],\"x\"]", "[ [ ] [ { } ] s(x) ] . "},
        {"123456789012345678901234567890.1234567890e-12345",
         "n(123456789012345678901234567890.1234567890e-12345) . "},
        {"[-0,0,-0.0,1E5,1e+5,1.50]", "[ n(-0) n(0) n(-0.0) n(1E5) n(1e+5) n(1.50) ] . "},
        {"\"\"", "s() . "},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "s(a\"\\/\b\f\n\r\tz) . "},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "s(A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80) . "},
        {"\"\xC3\xA9\xF0\x9F\x98\x80 and much more behind it\"",
         "s(\xC3\xA9\xF0\x9F\x98\x80 and much more behind it) . "},
        {"{\"\\u006b\\\"\":0}", "{ k(k\") n(0) } . "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *line = tokens_of(cases[i][0], strlen(cases[i][0]), 100);
        if (line == NULL) {
            fail_msg("%s: %s", cases[i][0], error.message);
        }
        assert_string_equal(line, cases[i][1]);
    }
}

static void malformed_texts_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":1]",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "[]]",
        "nul",
        "nulL",
        "True",
        "tru",
        "+1",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1.e5",
        "00",
        "-01",
        "NaN",
        "Infinity",
        "'a'",
        "a",
        "// x\n1",
        "1 // x",
        "/* */ 1",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\\ud83d\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"\\ude00\\ud83d\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\xFF\"",
        "\"\xC3\"",
        "\"\xED\xA0\x80\"",
        "\"0123456789abcdef\x80\"",
        "\357\273\2771",
        "[1]\x01",
        "{\"a\":1}x",
        "\"\\\xC3\xA9\"",
        "\"\\",
        "[\"a\\\"]",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (tokens_of(cases[i], strlen(cases[i]), 100) != NULL) {
            fail_msg("'%s' was read", cases[i]);
        }
        assert_int_equal(error.code, ERROR_REJECT_UNREADABLE);
        assert_memory_equal(error.message, "JSON, byte ", 11);
    }
    assert_null(tokens_of("1\0", 2, 100));
    assert_null(tokens_of("\"a\0b\"", 5, 100));
    assert_null(tokens_of("[1, x]", 6, 100));
    assert_string_equal(error.message, "JSON, byte 4: expected a value");
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    static char text[4000];
    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    assert_null(tokens_of(text, 2000, 999));
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
    assert_null(tokens_of(text, 2000, 5000)); /* never above JSON_DEPTH_MAX */
    assert_int_equal(error.code, ERROR_REJECT_TOO_DEEP);
    assert_non_null(tokens_of(text + 1000 - JSON_DEPTH_MAX, (size_t)2 * JSON_DEPTH_MAX, 5000));
    assert_non_null(tokens_of("[[]]", 4, 2));
    assert_null(tokens_of("[[]]", 4, 1));
    assert_null(tokens_of("[]", 2, 0));
    assert_non_null(tokens_of("1", 1, 0));
}

static void values_are_skipped(void **state)
{
    (void)state;
    const char *text = "{\"a\":{\"x\":[1,{\"y\":[]}],\"z\":2},\"b\":\"s\",\"c\":[1,2],\"d\":4}";
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, strlen(text), 100, arena);
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
        assert_int_equal(token, JSON_TOKEN_KEY);
        assert_int_equal(reader.text[0], 'a' + i);
        if (i % 2 == 0) {
            assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
        }
        assert_int_equal(json_reader_skip(&reader, token, &error), STATUS_OK);
    }
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    assert_int_equal(token, JSON_TOKEN_OBJECT_END);
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    assert_int_equal(token, JSON_TOKEN_END);
    json_reader_init(&reader, "[[1,]]", 6, 100, arena);
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    assert_int_equal(json_reader_skip(&reader, token, &error), STATUS_FAILED);
    json_reader_init(&reader, "{\"a\":", 5, 100, arena);
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    assert_int_equal(json_reader_next(&reader, &token, &error), STATUS_OK);
    assert_int_equal(json_reader_skip(&reader, token, &error), STATUS_FAILED);
}

/* Fails unless both accept or refuse the text; what jansson can't hold, it can't judge. */
static void compare_with_jansson(const char *text, size_t length)
{
    json_error_t failure;
    json_t *theirs = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &failure);
    const char *ours = tokens_of(text, length, JSON_DEPTH_MAX);
    if (theirs != NULL) {
        json_decref(theirs);
        if (ours == NULL) {
            fail_msg("we refuse '%.*s': %s", (int)length, text, error.message);
        }
        return;
    }
    switch (json_error_code(&failure)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_null_character:
        return;
    default:
        if (ours != NULL) {
            fail_msg("jansson refuses '%.*s': %s", (int)length, text, failure.text);
        }
    }
}

static void jansson_agrees(void **state)
{
    (void)state;
    static const char pieces[] = "{}[],:\"\\ \n0123456789-+.eEtruefalsnbu/dD8cC\xC3\xA9\xFF\x01";
    static const char *const samples[] = {
        "{\"a\":[1,2.5,-3e10,true,false,null],\"b\":{\"c\":\"\\u00e9\\n\"}}",
        "[\"\\ud83d\\ude00\",\"x\",\"\xC3\xA9\",{},[],[[]],-0.0]",
        "  {\"k\" : \"v\" , \"l\" : [ 1 , 2 ] }  ",
    };
    struct random random = random_start();
    char text[200];
    for (long i = 0; i < test_rounds(200000); i++) {
        size_t length;
        if (i % 2 == 0) {
            const char *sample = samples[random_below(&random, 3)];
            length = strlen(sample);
            memcpy(text, sample, length);
            for (uint64_t changes = random_below(&random, 3) + 1; changes > 0; changes--) {
                size_t place = random_below(&random, length);
                if (random_below(&random, 3) == 0) {
                    memmove(text + place, text + place + 1, length - place - 1);
                    length--;
                } else {
                    text[place] = pieces[random_below(&random, sizeof(pieces) - 1)];
                }
            }
        } else {
            length = random_below(&random, 12) + 1;
            for (size_t j = 0; j < length; j++) {
                text[j] = pieces[random_below(&random, sizeof(pieces) - 1)];
            }
        }
        compare_with_jansson(text, length);
        if (i % 1000 == 0) {
            arena_reset(arena);
        }
    }
}

/* --- values to JSON and back --- */

/* What JSON keeps of a value: compared after one trip, a second must change nothing. */
static void values_settle_after_one_trip(void **state)
{
    (void)state;
    struct random random = random_start();
    struct buffer first = {0};
    struct buffer second = {0};
    for (long i = 0; i < test_rounds(30000); i++) {
        struct cell value = random_value(&random, arena, 3);
        struct cell back;
        buffer_clear(&first);
        buffer_clear(&second);
        if (convert_append_json(&value, &first, &error) != STATUS_OK) {
            assert_int_equal(error.class, ERROR_CLASS_REJECT); /* an ESCAPE somewhere */
        } else {
            if (convert_read_json(first.data, first.length, arena, &back, &error) != STATUS_OK) {
                fail_msg("%.*s: %s", (int)first.length, first.data, error.message);
            }
            assert_int_equal(convert_append_json(&back, &second, &error), STATUS_OK);
            struct cell again;
            assert_int_equal(convert_read_json(second.data, second.length, arena, &again, &error),
                             STATUS_OK);
            assert_true(value_equal(&back, &again));
            compare_with_jansson(first.data, first.length);
        }
        if (i % 200 == 0) {
            arena_reset(arena);
        }
    }
    buffer_free(&first);
    buffer_free(&second);
}

static void json_becomes_cells(void **state)
{
    (void)state;
    const char *text = "{\"a\": [1, -9223372036854775808, 18446744073709551615, 1.50, 1e2,"
                       " 123456789012345678901], \"b\": {\"c\": null, \"d\": true}, \"e\": \"x\"}";
    struct cell cell;
    struct buffer out = {0};
    assert_int_equal(convert_read_json(text, strlen(text), arena, &cell, &error), STATUS_OK);
    assert_int_equal(cell.kind, VALUE_MAP);
    assert_int_equal(cell.length, 3);
    const struct cell *list = &cell.items[1];
    assert_int_equal(list->kind, VALUE_LIST);
    assert_int_equal(list->length, 6);
    static const enum value_kind kinds[] = {VALUE_INT64,   VALUE_INT64,   VALUE_UINT64,
                                            VALUE_DECIMAL, VALUE_DECIMAL, VALUE_DECIMAL};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(list->items[i].kind, kinds[i]);
    }
    assert_int_equal(convert_append_json(&cell, &out, &error), STATUS_OK);
    assert_buffer(&out, "{\"a\":[1,-9223372036854775808,18446744073709551615,1.50,100,"
                        "123456789012345678901],\"b\":{\"c\":null,\"d\":true},\"e\":\"x\"}");
    buffer_free(&out);
    static const char *const bad[] = {"",        "[1",    "{\"a\"}",
                                      "1e99999", "[1] 2", "{\"a\":[1e-99999]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(convert_read_json(bad[i], strlen(bad[i]), arena, &cell, &error),
                         STATUS_FAILED);
        assert_int_equal(error.class, ERROR_CLASS_REJECT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(escapes_are_found_at_every_place),
        cmocka_unit_test_setup_teardown(strings_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_base64_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(malformed_texts_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nesting_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_are_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jansson_agrees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_settle_after_one_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_becomes_cells, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
