/* Envelopes and segments of the CQL protocol: checksums, packing, splitting, joining, and what
 * lies. */
#include "support.h"

#include "base/bytes.h"
#include "connectors/cassandra/protocol/cql_segment.h"
#include <stdlib.h>
#include <string.h>

enum { HEADER = CQL_HEADER_BYTES };

static void checksums_are_the_known_ones(void **state)
{
    (void)state;
    assert_int_equal(cql_crc24("123456789", 9), 0x4b3f02);
    assert_true(cql_crc32("123456789", 9) == 0xe2a261a7);
    assert_int_equal(cql_crc24("\x01\x00\x02", 3), 0xac5672);
    assert_int_equal(cql_crc24("\x32\x00\x02", 3), 0xeeffa5);
    assert_true(cql_crc32("\x01", 1) == 0xba9b2b0b);
}

/* An envelope with a body of `length` bytes that compress or not. */
static void append_envelope(struct buffer *to, uint8_t version, int16_t stream, size_t length,
                            struct random *random)
{
    uint8_t header[HEADER] = {version, 0, (uint8_t)(stream >> 8), (uint8_t)stream, 8};
    bytes_put_be(header + 5, length, 4);
    buffer_append(to, header, HEADER);
    for (size_t at = 0; at < length; at++) {
        buffer_append_byte(to, random != NULL ? (char)random_bits(random) : (char)('a' + stream));
    }
}

/* ---------------------------------------------------------------- bytes */

static void assert_wire(enum cql_framing framing, const struct buffer *envelopes,
                        const char *expected, size_t length)
{
    struct buffer wire = {0};
    cql_frame_write(framing, envelopes->data, envelopes->length, &wire);
    assert_int_equal(wire.length, length);
    assert_memory_equal(wire.data, expected, length);
    buffer_free(&wire);
}

/* Computed by hand of the specification's formats. */
static void small_envelopes_share_a_segment(void **state)
{
    (void)state;
    static const char options[] = "\x05\0\0\x07\x05\0\0\0\0\x05\0\0\x07\x05\0\0\0\0";
    struct buffer envelopes = {0};
    buffer_append(&envelopes, options, 9);
    assert_wire(CQL_FRAMING_PLAIN, &envelopes, options, 9);
    assert_wire(CQL_FRAMING_SEGMENTS, &envelopes,
                "\x09\x00\x02\xa4\xc8\xc1\x05\x00\x00\x07\x05\x00\x00\x00\x00\xa8\xb6\x2d\x50", 19);
    assert_wire(CQL_FRAMING_SEGMENTS_LZ4, &envelopes,
                "\x09\x00\x00\x00\x04\xc2\xb8\x95\x05\x00\x00\x07\x05\x00\x00\x00\x00\xa8\xb6\x2d"
                "\x50",
                21);
    buffer_append(&envelopes, options, 9);
    assert_wire(CQL_FRAMING_SEGMENTS, &envelopes,
                "\x12\x00\x02\xf6\xcb\xcf\x05\x00\x00\x07\x05\x00\x00\x00\x00\x05\x00\x00\x07\x05"
                "\x00\x00\x00\x00\x56\x41\x7a\x94",
                28);
    buffer_free(&envelopes);
}

/* Puts up to `piece` bytes at a time in, and takes all envelopes out; returns their count. */
static size_t read_back(enum cql_framing framing, const struct buffer *wire, size_t piece,
                        const struct buffer *expected)
{
    struct cql_unframer unframer = {.framing = framing};
    size_t count = 0;
    size_t compared = 0;
    size_t fed = 0;
    while (true) {
        struct cql_envelope envelope;
        struct error error = {0};
        enum status status = cql_unframer_next(&unframer, &envelope, &error);
        if (status == STATUS_OK) {
            const char *from = expected->data + compared;
            assert_int_equal(envelope.version, 5);
            assert_int_equal(envelope.stream, bytes_get_be((const uint8_t *)from + 2, 2));
            assert_int_equal(envelope.length, bytes_get_be((const uint8_t *)from + 5, 4));
            assert_memory_equal(envelope.body, from + HEADER, envelope.length);
            compared += HEADER + envelope.length;
            count++;
            continue;
        }
        if (status == STATUS_FAILED) {
            fail_msg("%s", error.message);
        }
        if (fed == wire->length) {
            break;
        }
        size_t capacity;
        void *room = cql_unframer_room(&unframer, &capacity);
        size_t length = piece < capacity ? piece : capacity;
        length = length < wire->length - fed ? length : wire->length - fed;
        memcpy(room, wire->data + fed, length);
        cql_unframer_add(&unframer, length);
        fed += length;
    }
    assert_int_equal(compared, expected->length);
    cql_unframer_free(&unframer);
    return count;
}

static void round_trip(const size_t *lengths, size_t count, bool random_bytes)
{
    struct random random = random_start();
    for (int framing = CQL_FRAMING_PLAIN; framing <= CQL_FRAMING_SEGMENTS_LZ4; framing++) {
        struct buffer envelopes = {0};
        struct buffer wire = {0};
        for (size_t at = 0; at < count; at++) {
            append_envelope(&envelopes, 0x85, (int16_t)at, lengths[at],
                            random_bytes ? &random : NULL);
        }
        cql_frame_write((enum cql_framing)framing, envelopes.data, envelopes.length, &wire);
        const size_t pieces[] = {wire.length < 20000 ? 1 : 4099, 7919, 65536, SIZE_MAX};
        for (size_t at = 0; at < sizeof pieces / sizeof *pieces; at++) {
            assert_int_equal(read_back((enum cql_framing)framing, &wire, pieces[at], &envelopes),
                             count);
        }
        buffer_free(&envelopes);
        buffer_free(&wire);
    }
}

static void what_is_framed_is_found_again(void **state)
{
    (void)state;
    const size_t few[] = {0, 1, 255, 256, 257, 1000};
    const size_t edges[] = {CQL_PAYLOAD_BYTES_MAX - HEADER,
                            5,
                            CQL_PAYLOAD_BYTES_MAX - HEADER + 1,
                            0,
                            2 * CQL_PAYLOAD_BYTES_MAX - HEADER,
                            7,
                            1000000};
    round_trip(few, 6, false);
    round_trip(few, 6, true);
    round_trip(edges, 7, false);
    round_trip(edges, 7, true);
}

/* ---------------------------------------------------------------- lies */

static void assert_refused(enum cql_framing framing, const void *bytes, size_t length,
                           const char *words)
{
    struct cql_unframer unframer = {.framing = framing};
    struct cql_envelope envelope;
    struct error error = {0};
    size_t capacity;
    void *room = cql_unframer_room(&unframer, &capacity);
    memcpy(room, bytes, length);
    cql_unframer_add(&unframer, length);
    enum status status;
    while ((status = cql_unframer_next(&unframer, &envelope, &error)) == STATUS_OK) {
    }
    assert_int_equal(status, STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
    if (strstr(error.message, words) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", error.message, words);
    }
    cql_unframer_free(&unframer);
}

static void append_segment(struct buffer *to, const char *payload, size_t length, bool whole)
{
    uint8_t head[6];
    uint8_t crc[4];
    bytes_put_le(head, length | (uint64_t)whole << 17, 3);
    bytes_put_le(head + 3, cql_crc24(head, 3), 3);
    bytes_put_le(crc, cql_crc32(payload, length), 4);
    buffer_append(to, head, 6);
    buffer_append(to, payload, length);
    buffer_append(to, crc, 4);
}

static void damaged_segments_are_refused(void **state)
{
    (void)state;
    struct buffer envelopes = {0};
    append_envelope(&envelopes, 0x85, 3, 40, NULL);
    struct buffer wire = {0};
    append_segment(&wire, envelopes.data, envelopes.length, true);
    for (size_t at = 0; at < wire.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            wire.data[at] = (char)(wire.data[at] ^ 1 << bit);
            assert_refused(CQL_FRAMING_SEGMENTS, wire.data, wire.length, "checksum");
            wire.data[at] = (char)(wire.data[at] ^ 1 << bit);
        }
    }
    buffer_free(&wire);
    buffer_free(&envelopes);
}

static void segments_that_do_not_fit_their_envelopes_are_refused(void **state)
{
    (void)state;
    struct buffer envelopes = {0};
    append_envelope(&envelopes, 0x85, 3, 40, NULL);
    struct buffer wire = {0};
    append_segment(&wire, envelopes.data, envelopes.length - 1, true);
    assert_refused(CQL_FRAMING_SEGMENTS, wire.data, wire.length, "longer than the segment");
    buffer_clear(&wire);
    append_segment(&wire, envelopes.data, 20, false);
    append_segment(&wire, envelopes.data, envelopes.length, true);
    assert_refused(CQL_FRAMING_SEGMENTS, wire.data, wire.length, "breaks off");
    buffer_clear(&wire);
    buffer_append_byte(&envelopes, 'x');
    append_segment(&wire, envelopes.data, 20, false);
    append_segment(&wire, envelopes.data + 20, envelopes.length - 20, false);
    assert_refused(CQL_FRAMING_SEGMENTS, wire.data, wire.length, "shorter than the segments");
    buffer_free(&wire);
    buffer_free(&envelopes);
}

static void lengths_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    assert_refused(CQL_FRAMING_PLAIN, "\x84\0\0\0\x08\x10\0\0\1", 9, "256 MiB");
    assert_refused(CQL_FRAMING_PLAIN, "\x84\0\0\0\x08\xff\xff\xff\xff", 9, "256 MiB");
    /* 200 MiB of four bytes of lz4 */
    assert_refused(CQL_FRAMING_PLAIN_LZ4, "\x84\1\0\0\x08\0\0\0\x08\x0c\x80\0\0\1\2\3\4", 17,
                   "claims to be longer");
    assert_refused(CQL_FRAMING_PLAIN_LZ4, "\x84\1\0\0\x08\0\0\0\x08\0\0\0\x40\xf1\2\3\4", 17,
                   "damaged");
    assert_refused(CQL_FRAMING_PLAIN_LZ4, "\x84\1\0\0\x08\0\0\0\x02\0\0", 11, "not agreed");
    assert_refused(CQL_FRAMING_PLAIN, "\x84\1\0\0\x08\0\0\0\x08\0\0\0\1\2\3\4\5", 17, "not agreed");
}

static void what_is_no_answer_is_refused_at_its_first_byte(void **state)
{
    (void)state;
    assert_refused(CQL_FRAMING_PLAIN, "\x15\3\1", 3, "TLS");
    assert_refused(CQL_FRAMING_PLAIN, "HTTP/1.1 400", 12, "no answer of the CQL protocol");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_the_known_ones),
        cmocka_unit_test(small_envelopes_share_a_segment),
        cmocka_unit_test(what_is_framed_is_found_again),
        cmocka_unit_test(damaged_segments_are_refused),
        cmocka_unit_test(segments_that_do_not_fit_their_envelopes_are_refused),
        cmocka_unit_test(lengths_beyond_the_limit_are_refused),
        cmocka_unit_test(what_is_no_answer_is_refused_at_its_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
