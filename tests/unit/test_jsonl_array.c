/* A JSON array cut into its elements: whatever stands in them and between them, wherever windows
 * end, and what can't be read on. */
#include "support.h"

#include "base/buffer.h"
#include "base/file.h"
#include "connectors/jsonl/records.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ELEMENTS_MAX = 60, ELEMENT_BYTES = 400 * 1024 };

static struct random source_of_chance; /* each test seeds it anew */

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random_below(&source_of_chance, limit);
}

/* A file for one test. */
struct file {
    char path[64];
};

static void file_make(struct file *file)
{
    snprintf(file->path, sizeof(file->path), "/tmp/transhume-unit-array-XXXXXX");
    int descriptor = mkstemp(file->path);
    assert_true(descriptor >= 0);
    close(descriptor);
}

static void file_put(const struct file *file, const char *text, size_t length)
{
    FILE *out = fopen(file->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

/* ---------------------------------------------------------------- any array */

struct element {
    size_t begin; /* in the file's text */
    size_t length;
};

static void append_blanks(struct buffer *out)
{
    for (uint32_t count = below(4); count > 0; count--) {
        buffer_append_byte(out, " \n\r\t"[below(4)]);
    }
}

static void append_text(struct buffer *out)
{
    static const char *const pieces[] = {"a", "]", "[", "{", "}", ",", "\\\"", "\\\\", "\xc3\xa9"};
    buffer_append_byte(out, '"');
    for (uint32_t count = below(6); count > 0; count--) {
        buffer_append_string(out, pieces[below(sizeof pieces / sizeof *pieces)]);
    }
    for (uint32_t count = below(40) == 0 ? below(200000) : 0; count > 0; count--) {
        buffer_append_byte(out, 'x');
    }
    buffer_append_byte(out, '"');
}

static void append_value(struct buffer *out, uint32_t depth)
{
    static const char *const scalars[] = {"1", "-2.5e3", "true", "null", "{}", "[]"};
    uint32_t kind = below(depth < 4 ? 4 : 2);
    if (kind == 0) {
        append_text(out);
    } else if (kind == 1) {
        buffer_append_string(out, scalars[below(sizeof scalars / sizeof *scalars)]);
    } else {
        buffer_append_byte(out, kind == 2 ? '[' : '{');
        for (uint32_t count = 1 + below(3); count > 0; count--) {
            append_blanks(out);
            if (kind == 3) {
                append_text(out);
                buffer_append_byte(out, ':');
            }
            append_value(out, depth + 1);
            append_blanks(out);
            buffer_append_string(out, count > 1 ? "," : "");
        }
        buffer_append_byte(out, kind == 2 ? ']' : '}');
    }
}

static uint32_t append_array(struct buffer *out, struct element *elements)
{
    uint32_t count = below(ELEMENTS_MAX);
    buffer_append_string(out, below(3) == 0 ? "\xEF\xBB\xBF" : "");
    append_blanks(out);
    buffer_append_byte(out, '[');
    for (uint32_t at = 0; at < count; at++) {
        append_blanks(out);
        elements[at].begin = out->length;
        append_value(out, 0);
        elements[at].length = out->length - elements[at].begin;
        append_blanks(out);
        buffer_append_string(out, at + 1 < count ? "," : "");
    }
    append_blanks(out);
    buffer_append_byte(out, ']');
    append_blanks(out);
    return count;
}

static uint64_t line_of(const char *text, size_t byte)
{
    uint64_t line = 1;
    for (size_t at = 0; at < byte; at++) {
        line += text[at] == '\n';
    }
    return line;
}

static void check_array(const struct file *file, const struct buffer *text,
                        const struct element *elements, uint32_t count, size_t bytes_max)
{
    struct error error = {0};
    struct jsonl_array *array = NULL;
    char *given = NULL;
    size_t length = 0;
    bool too_long = false;
    assert_int_equal(jsonl_array_open(file->path, bytes_max, ERROR_SOURCE_READ, &array, &error),
                     STATUS_OK);
    for (uint32_t at = 0; at < count; at++) {
        const struct element *wanted = &elements[at];
        assert_int_equal(jsonl_array_next(array, &given, &length, &too_long, &error), STATUS_OK);
        assert_int_equal(too_long, wanted->length > bytes_max);
        assert_int_equal(length, !too_long               ? wanted->length
                                 : wanted->length < 1024 ? wanted->length
                                                         : 1024);
        assert_memory_equal(given, text->data + wanted->begin, length);
        assert_int_equal(jsonl_array_number(array), at + 1);
        assert_int_equal(jsonl_array_byte(array), wanted->begin);
        assert_int_equal(jsonl_array_line(array), line_of(text->data, wanted->begin));
    }
    assert_int_equal(jsonl_array_next(array, &given, &length, &too_long, &error), STATUS_END);
    assert_int_equal(jsonl_array_next(array, &given, &length, &too_long, &error), STATUS_END);
    jsonl_array_close(array);
}

static void any_array_gives_its_elements(void **state)
{
    (void)state;
    static const size_t bounds[] = {ELEMENT_BYTES, 1024, 5000, 150000, 16};
    struct file file;
    source_of_chance = random_start();
    file_make(&file);
    for (int round = 0; round < test_rounds(200); round++) {
        struct element elements[ELEMENTS_MAX];
        struct buffer text = {0};
        uint32_t count = append_array(&text, elements);
        file_put(&file, text.data, text.length);
        check_array(&file, &text, elements, count, bounds[below(5)]);
        buffer_free(&text);
    }
    assert_int_equal(unlink(file.path), 0);
}

/* ---------------------------------------------------------------- faults */

static void what_can_not_be_read_on(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t elements; /* that come before */
        const char *words;
    } cases[] = {
        {"[", 0, "the file ends within the array (byte 1, line 1, after 0 elements)"},
        {"[{\"a\":1},\n", 1, "the file ends within the array (byte 10, line 2, after 1 elements)"},
        {"[{\"a\":1}", 1, "the file ends within the array"},
        {"[{\"a\":", 0, "the file ends within the array"},
        {"[{\"a\":\"x]", 0, "the file ends within the array"},
        {"[1", 0, "the file ends within the array"},
        {"[{}]\n[{}]", 1, "something follows the end of the array (byte 5, line 2"},
        {"[]x", 0, "something follows the end of the array"},
        {"[{} {}]", 1, "a comma is missing"},
        {"[{}\n\"a\"]", 1, "a comma is missing before the next element (byte 4, line 2"},
        {"[{},]", 1, "an element is missing"},
        {"[,{}]", 0, "an element is missing"},
        {"[{},,{}]", 1, "an element is missing"},
        {"{}", 0, "does no more"},
    };
    struct file file;
    file_make(&file);
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct error error = {0};
        struct jsonl_array *array = NULL;
        char *given = NULL;
        size_t length = 0;
        bool too_long = false;
        enum status status = STATUS_OK;
        uint32_t count = 0;
        file_put(&file, cases[at].text, strlen(cases[at].text));
        assert_int_equal(jsonl_array_open(file.path, 1024, ERROR_SOURCE_READ, &array, &error),
                         STATUS_OK);
        while ((status = jsonl_array_next(array, &given, &length, &too_long, &error)) ==
               STATUS_OK) {
            count++;
        }
        assert_int_equal(status, STATUS_FAILED);
        if (count != cases[at].elements || strstr(error.message, cases[at].words) == NULL) {
            fail_msg("%s: %u elements, %s", cases[at].text, count, error.message);
        }
        jsonl_array_close(array);
    }
    assert_int_equal(unlink(file.path), 0);
}

/* ---------------------------------------------------------------- looking */

static void the_beginning_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum jsonl_contents contents;
    } cases[] = {
        {"", JSONL_NOTHING},
        {" \n\t", JSONL_NOTHING},
        {"{\"a\":1}\n{\"a\":2}\n", JSONL_LINES},
        {"{\"a\":1}", JSONL_LINES},
        {"{\"a\":1} {\n", JSONL_LINES},
        {"{\"a\":\n", JSONL_LINES},
        {"{\n\"a\": 1\n}\n", JSONL_ONE_VALUE},
        {"  {\"a\": [1,\n2]}\n", JSONL_ONE_VALUE},
        {"[{\"a\":1}]", JSONL_RECORDS_ARRAY},
        {"\xEF\xBB\xBF \n[\n\n  {\"a\":1}]", JSONL_RECORDS_ARRAY},
        {"[ ]", JSONL_RECORDS_ARRAY},
        {"[1]\n{\"a\":1}\n", JSONL_ARRAY},
        {"[[1]]", JSONL_ARRAY},
        {"nonsense", JSONL_LINES},
    };
    struct file file;
    file_make(&file);
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct error error = {0};
        enum jsonl_contents contents = JSONL_NOTHING;
        file_put(&file, cases[at].text, strlen(cases[at].text));
        assert_int_equal(jsonl_look_at(file.path, ERROR_SOURCE_READ, &contents, &error), STATUS_OK);
        if (contents != cases[at].contents) {
            fail_msg("\"%s\" is taken for %d", cases[at].text, (int)contents);
        }
    }
    assert_int_equal(unlink(file.path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_array_gives_its_elements),
        cmocka_unit_test(what_can_not_be_read_on),
        cmocka_unit_test(the_beginning_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
