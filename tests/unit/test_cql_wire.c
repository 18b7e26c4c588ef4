/* The notations of the CQL protocol: what is written is read, and nothing beyond the end. */
#include "support.h"

#include "connectors/cassandra/protocol/cql_wire.h"
#include <stdlib.h>
#include <string.h>

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

static void write_all(struct buffer *out)
{
    static const uint8_t uuid[16] = {1, 2, 3};
    const struct cql_inet v4 = {.length = 4, .bytes = {127, 0, 0, 1}, .port = 9042};
    const struct cql_inet v6 = {.length = 16, .bytes = {0x20, 1}, .port = 1};
    cql_write_byte(out, 0xfe);
    cql_write_short(out, 0xfedc);
    cql_write_int(out, -2);
    cql_write_long(out, INT64_MIN);
    cql_write_string(out, text_of("é"));
    cql_write_long_string(out, text_of(""));
    cql_write_short_bytes(out, text_of("id"));
    cql_write_value(out, "abc", 3);
    cql_write_null(out);
    cql_write_unset(out);
    cql_write_uuid(out, uuid);
    cql_write_inet(out, &v4);
    cql_write_inet(out, &v6);
    size_t begin = cql_write_begin(out);
    cql_write_short(out, 7);
    cql_write_end(out, begin);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct buffer out = {0};
    write_all(&out);
    struct cql_reader reader = cql_reader_of(out.data, out.length);
    assert_int_equal(cql_read_byte(&reader), 0xfe);
    assert_int_equal(cql_read_short(&reader), 0xfedc);
    assert_int_equal(cql_read_int(&reader), -2);
    assert_true(cql_read_long(&reader) == INT64_MIN);
    struct text text = cql_read_string(&reader);
    assert_int_equal(text.length, 2);
    assert_memory_equal(text.data, "é", 2);
    assert_int_equal(cql_read_long_string(&reader).length, 0);
    assert_memory_equal(cql_read_short_bytes(&reader).data, "id", 2);
    struct cql_value value = cql_read_value(&reader);
    assert_int_equal(value.length, 3);
    assert_memory_equal(value.data, "abc", 3);
    value = cql_read_value(&reader);
    assert_int_equal(value.length, CQL_NULL);
    assert_null(value.data);
    assert_int_equal(cql_read_value(&reader).length, CQL_UNSET);
    assert_int_equal(cql_read_uuid(&reader)[2], 3);
    struct cql_inet inet = cql_read_inet(&reader);
    assert_int_equal(inet.length, 4);
    assert_int_equal(inet.port, 9042);
    assert_int_equal(cql_read_inet(&reader).length, 16);
    assert_int_equal(cql_read_value(&reader).length, 2);
    assert_int_equal(cql_reader_left(&reader), 0);
    assert_false(reader.failed);
    buffer_free(&out);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    struct buffer out = {0};
    cql_write_int(&out, 0x01020304);
    cql_write_string_map(&out, (const char *const[]){"CQL_VERSION", "3.0.0"}, 1);
    assert_int_equal(out.length, 4 + 2 + 2 + 11 + 2 + 5);
    assert_memory_equal(out.data,
                        "\1\2\3\4\0\1\0\x0b"
                        "CQL_VERSION\0\5"
                        "3.0.0",
                        out.length);
    buffer_free(&out);
}

/* Reads the same sequence as above, whatever the bytes are. */
static void read_all(struct cql_reader *reader)
{
    (void)cql_read_byte(reader);
    (void)cql_read_short(reader);
    (void)cql_read_int(reader);
    (void)cql_read_long(reader);
    (void)cql_read_string(reader);
    (void)cql_read_long_string(reader);
    (void)cql_read_short_bytes(reader);
    for (int at = 0; at < 3; at++) {
        (void)cql_read_value(reader);
    }
    (void)cql_read_uuid(reader);
    (void)cql_read_inet(reader);
    (void)cql_read_inet(reader);
    (void)cql_read_value(reader);
}

static void reading_beyond_the_end_fails_and_stays_so(void **state)
{
    (void)state;
    struct buffer out = {0};
    write_all(&out);
    for (size_t length = 0; length < out.length; length++) {
        char *copy = malloc(length + 1); /* that a sanitizer sees each byte beyond */
        memcpy(copy, out.data, length);
        struct cql_reader reader = cql_reader_of(copy, length);
        read_all(&reader);
        assert_true(reader.failed);
        assert_int_equal(cql_read_int(&reader), 0);
        assert_int_equal(cql_read_string(&reader).length, 0);
        assert_int_equal(cql_read_value(&reader).length, CQL_NULL);
        free(copy);
    }
    buffer_free(&out);
}

static void lengths_that_cannot_be_fail(void **state)
{
    (void)state;
    struct cql_reader reader = cql_reader_of("\x7f\xff\xff\xff", 4);
    assert_int_equal(cql_read_value(&reader).length, CQL_NULL);
    assert_true(reader.failed);
    reader = cql_reader_of("\xff\xff\xff\xff", 4);
    assert_int_equal(cql_read_count(&reader, 1), 0);
    assert_true(reader.failed);
    reader = cql_reader_of("\0\0\0\2abcdefg", 11);
    assert_int_equal(cql_read_count(&reader, 4), 0);
    assert_true(reader.failed);
    reader = cql_reader_of("\0\0\0\2abcdefgh", 12);
    assert_int_equal(cql_read_count(&reader, 4), 2);
    assert_false(reader.failed);
    reader = cql_reader_of("\5abcde\0\0\0\1", 10); /* an address of five bytes */
    (void)cql_read_inet(&reader);
    assert_true(reader.failed);
    reader = cql_reader_of("\0\2\0\1a\0", 6); /* a list of two, with one */
    cql_skip_string_list(&reader);
    assert_true(reader.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(reading_beyond_the_end_fails_and_stays_so),
        cmocka_unit_test(lengths_that_cannot_be_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
