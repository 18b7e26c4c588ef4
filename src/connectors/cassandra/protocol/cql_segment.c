#include "connectors/cassandra/protocol/cql_segment.h"

#include "base/bytes.h"
#include <assert.h>
#include <lz4.h>
#include <zlib.h>

enum {
    SEGMENT_HEADER_BYTES = 3,
    SEGMENT_LZ4_HEADER_BYTES = 5,
    CRC24_BYTES = 3,
    CRC32_BYTES = 4,
    COMPRESSION_FROM_BYTES = 256, /* bodies below are not worth it */
    READ_BYTES = 64 << 10,
    KEPT_BYTES = 1 << 20, /* a larger buffer is given back after use */
    LZ4_RATIO_MAX = 255
};

/* ---------------------------------------------------------------- checksums */

uint32_t cql_crc24(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    uint32_t crc = 0x875060;
    for (size_t index = 0; index < length; index++) {
        crc ^= (uint32_t)at[index] << 16;
        for (int bit = 0; bit < 8; bit++) {
            crc <<= 1;
            if (crc & 0x1000000) {
                crc ^= 0x1974F0B;
            }
        }
    }
    return crc;
}

uint32_t cql_crc32(const void *bytes, size_t length)
{
    /* The checksum so far: of FA 2D 55 CA, which precede each payload without being sent. */
    static const uLong prefix = 0x44777ed3;
    return (uint32_t)crc32_z(prefix, bytes, length);
}

/* ---------------------------------------------------------------- sending */

static size_t envelope_size(const uint8_t *envelope)
{
    return CQL_HEADER_BYTES + (size_t)bytes_get_be(envelope + 5, 4);
}

/* Compresses into the buffer's end, if that is worth it; returns the size, or 0. */
static size_t append_compressed(const void *bytes, size_t length, struct buffer *to)
{
    int bound = LZ4_compressBound((int)length);
    buffer_reserve(to, (size_t)bound);
    int size = LZ4_compress_default(bytes, to->data + to->length, (int)length, bound);
    if (size <= 0 || (size_t)size >= length) {
        return 0;
    }
    to->length += (size_t)size;
    return (size_t)size;
}

static void write_compressed_envelope(const uint8_t *envelope, struct buffer *wire)
{
    size_t begin = wire->length;
    size_t length = envelope_size(envelope) - CQL_HEADER_BYTES;
    buffer_append(wire, envelope, CQL_HEADER_BYTES);
    if (length >= COMPRESSION_FROM_BYTES) {
        buffer_append(wire, envelope + 5, 4);
        size_t size = append_compressed(envelope + CQL_HEADER_BYTES, length, wire);
        if (size > 0) {
            wire->data[begin + 1] |= CQL_FLAG_COMPRESSED;
            bytes_put_be((uint8_t *)wire->data + begin + 5, 4 + size, 4);
            return;
        }
        wire->length = begin + CQL_HEADER_BYTES;
    }
    buffer_append(wire, envelope + CQL_HEADER_BYTES, length);
}

static void write_segment(bool lz4, const uint8_t *payload, size_t length, bool self_contained,
                          struct buffer *wire)
{
    size_t header_bytes = lz4 ? SEGMENT_LZ4_HEADER_BYTES : SEGMENT_HEADER_BYTES;
    size_t begin = wire->length;
    size_t body = begin + header_bytes + CRC24_BYTES;
    buffer_reserve(wire, body - begin + length + CRC32_BYTES);
    wire->length = body;
    uint64_t header;
    size_t size =
        lz4 && length >= COMPRESSION_FROM_BYTES ? append_compressed(payload, length, wire) : 0;
    if (size == 0) {
        buffer_append(wire, payload, length);
        header = length | (uint64_t)self_contained << (lz4 ? 34 : 17);
    } else {
        header = size | (uint64_t)length << 17 | (uint64_t)self_contained << 34;
    }
    uint8_t *at = (uint8_t *)wire->data + begin;
    bytes_put_le(at, header, (int)header_bytes);
    bytes_put_le(at + header_bytes, cql_crc24(at, header_bytes), CRC24_BYTES);
    uint8_t crc[CRC32_BYTES];
    bytes_put_le(crc, cql_crc32(wire->data + body, wire->length - body), CRC32_BYTES);
    buffer_append(wire, crc, sizeof crc);
}

static void write_segments(bool lz4, const uint8_t *bytes, size_t length, struct buffer *wire)
{
    while (length > 0) {
        size_t size = envelope_size(bytes);
        if (size > CQL_PAYLOAD_BYTES_MAX) {
            for (size_t at = 0; at < size; at += CQL_PAYLOAD_BYTES_MAX) {
                size_t piece =
                    size - at < CQL_PAYLOAD_BYTES_MAX ? size - at : CQL_PAYLOAD_BYTES_MAX;
                write_segment(lz4, bytes + at, piece, false, wire);
            }
        } else {
            size_t next;
            while (size < length &&
                   size + (next = envelope_size(bytes + size)) <= CQL_PAYLOAD_BYTES_MAX) {
                size += next;
            }
            write_segment(lz4, bytes, size, true, wire);
        }
        bytes += size;
        length -= size;
    }
}

void cql_frame_write(enum cql_framing framing, const void *envelopes, size_t length,
                     struct buffer *wire)
{
    const uint8_t *at = envelopes;
    switch (framing) {
    case CQL_FRAMING_PLAIN:
        buffer_append(wire, envelopes, length);
        return;
    case CQL_FRAMING_PLAIN_LZ4:
        for (const uint8_t *end = at + length; at < end; at += envelope_size(at)) {
            write_compressed_envelope(at, wire);
        }
        return;
    default:
        write_segments(framing == CQL_FRAMING_SEGMENTS_LZ4, at, length, wire);
    }
}

/* ---------------------------------------------------------------- receiving */

void cql_unframer_free(struct cql_unframer *unframer)
{
    buffer_free(&unframer->received);
    buffer_free(&unframer->joined);
    buffer_free(&unframer->inflated);
}

void cql_unframer_set(struct cql_unframer *unframer, enum cql_framing framing)
{
    unframer->framing = framing;
}

static void empty(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES) {
        buffer_free(buffer);
    }
    buffer_clear(buffer);
}

void *cql_unframer_room(struct cql_unframer *unframer, size_t *capacity)
{
    assert(unframer->payload_left == 0);
    struct buffer *received = &unframer->received;
    size_t left = received->length - unframer->taken;
    if (left == 0) {
        empty(received);
    } else if (unframer->taken > 0) {
        memmove(received->data, received->data + unframer->taken, left);
        received->length = left;
    }
    unframer->taken = 0;
    if (!buffer_try_reserve(received, READ_BYTES)) {
        return NULL;
    }
    *capacity = READ_BYTES;
    return received->data + received->length;
}

void cql_unframer_add(struct cql_unframer *unframer, size_t length)
{
    unframer->received.length += length;
}

static enum status cql_segment_refuse(struct error *error, const char *words)
{
    return error_set(error, ERROR_NETWORK_ANSWER, NULL, "%s", words);
}

static enum status refuse_memory(struct error *error, size_t length)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for a message of %zu bytes", length);
}

/* Uncompresses a block of lz4 that says how long it will be. */
static enum status inflate_block(struct cql_unframer *unframer, const uint8_t *block, size_t size,
                                 size_t length, struct error *error)
{
    struct buffer *to = &unframer->inflated;
    empty(to);
    if (length > CQL_BODY_BYTES_MAX || length / LZ4_RATIO_MAX > size) {
        return cql_segment_refuse(error, "a compressed message claims to be longer than it can be");
    }
    if (!buffer_try_reserve(to, length)) {
        return refuse_memory(error, length);
    }
    if (LZ4_decompress_safe((const char *)block, to->data, (int)size, (int)length) != (int)length) {
        return cql_segment_refuse(error, "a compressed message is damaged");
    }
    to->length = length;
    return STATUS_OK;
}

/* The envelope at the head of `length` bytes; AGAIN: they are not all of it. */
static enum status parse_envelope(const uint8_t *bytes, size_t length,
                                  struct cql_envelope *envelope, struct error *error)
{
    if (length > 0 && bytes[0] < 0x80) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                         "what came is no answer of the CQL protocol (it begins with 0x%02x%s)",
                         bytes[0], bytes[0] == 0x15 ? ", as TLS does" : "");
    }
    if (length < CQL_HEADER_BYTES) {
        return STATUS_AGAIN;
    }
    uint64_t body_length = bytes_get_be(bytes + 5, 4);
    if (body_length > CQL_BODY_BYTES_MAX) {
        return error_set(error, ERROR_NETWORK_ANSWER, NULL,
                         "a message claims to be %llu bytes long; the most is 256 MiB",
                         (unsigned long long)body_length);
    }
    *envelope = (struct cql_envelope){
        .version = bytes[0] & 0x7f,
        .flags = bytes[1],
        .stream = (int16_t)bytes_get_be(bytes + 2, 2),
        .opcode = bytes[4],
        .body = bytes + CQL_HEADER_BYTES,
        .length = (size_t)body_length,
    };
    return length - CQL_HEADER_BYTES >= body_length ? STATUS_OK : STATUS_AGAIN;
}

static enum status next_plain(struct cql_unframer *unframer, struct cql_envelope *envelope,
                              struct error *error)
{
    if (unframer->received.length == unframer->taken) { /* before the first byte there is no data */
        return STATUS_AGAIN;
    }
    const uint8_t *bytes = (const uint8_t *)unframer->received.data + unframer->taken;
    enum status status =
        parse_envelope(bytes, unframer->received.length - unframer->taken, envelope, error);
    if (status != STATUS_OK) {
        return status;
    }
    unframer->taken += CQL_HEADER_BYTES + envelope->length;
    if (!(envelope->flags & CQL_FLAG_COMPRESSED)) {
        return STATUS_OK;
    }
    if (unframer->framing != CQL_FRAMING_PLAIN_LZ4 || envelope->length < 4) {
        return cql_segment_refuse(error, "a message is compressed, which was not agreed");
    }
    size_t length = (size_t)bytes_get_be(envelope->body, 4);
    status = inflate_block(unframer, envelope->body + 4, envelope->length - 4, length, error);
    envelope->body = (const uint8_t *)unframer->inflated.data;
    envelope->length = length;
    return status;
}

struct segment {
    size_t wire_length;
    size_t length; /* of the payload, uncompressed */
    bool compressed;
    bool self_contained;
};

static struct segment parse_segment_header(bool lz4, const uint8_t *header)
{
    if (!lz4) {
        uint64_t bits = bytes_get_le(header, SEGMENT_HEADER_BYTES);
        size_t length = bits & CQL_PAYLOAD_BYTES_MAX;
        return (struct segment){length, length, false, bits >> 17 & 1};
    }
    uint64_t bits = bytes_get_le(header, SEGMENT_LZ4_HEADER_BYTES);
    size_t wire_length = bits & CQL_PAYLOAD_BYTES_MAX;
    size_t length = bits >> 17 & CQL_PAYLOAD_BYTES_MAX;
    return (struct segment){wire_length, length > 0 ? length : wire_length, length > 0,
                            bits >> 34 & 1};
}

/* Takes one whole segment, checked and uncompressed. */
static enum status next_segment(struct cql_unframer *unframer, struct segment *segment,
                                const uint8_t **payload, struct error *error)
{
    bool lz4 = unframer->framing == CQL_FRAMING_SEGMENTS_LZ4;
    size_t header_bytes = lz4 ? SEGMENT_LZ4_HEADER_BYTES : SEGMENT_HEADER_BYTES;
    size_t left = unframer->received.length - unframer->taken;
    if (left < header_bytes + CRC24_BYTES) {
        return STATUS_AGAIN;
    }
    const uint8_t *header = (const uint8_t *)unframer->received.data + unframer->taken;
    if (cql_crc24(header, header_bytes) != bytes_get_le(header + header_bytes, CRC24_BYTES)) {
        return cql_segment_refuse(error, "the checksum of a segment's header is wrong");
    }
    *segment = parse_segment_header(lz4, header);
    *payload = header + header_bytes + CRC24_BYTES;
    size_t whole = header_bytes + CRC24_BYTES + segment->wire_length + CRC32_BYTES;
    if (left < whole) {
        return STATUS_AGAIN;
    }
    if (cql_crc32(*payload, segment->wire_length) !=
        bytes_get_le(*payload + segment->wire_length, CRC32_BYTES)) {
        return cql_segment_refuse(error, "the checksum of a segment's payload is wrong");
    }
    unframer->taken += whole;
    if (segment->compressed) {
        enum status status =
            inflate_block(unframer, *payload, segment->wire_length, segment->length, error);
        *payload = (const uint8_t *)unframer->inflated.data;
        return status;
    }
    return STATUS_OK;
}

/* Adds a piece of a large envelope; OK: the envelope is whole. */
static enum status cql_segment_join(struct cql_unframer *unframer, const uint8_t *piece,
                                    size_t length, struct cql_envelope *envelope,
                                    struct error *error)
{
    struct buffer *joined = &unframer->joined;
    if (!buffer_try_reserve(joined, length)) {
        return refuse_memory(error, joined->length + length);
    }
    buffer_append(joined, piece, length);
    enum status status =
        parse_envelope((const uint8_t *)joined->data, joined->length, envelope, error);
    if (status == STATUS_OK && joined->length > CQL_HEADER_BYTES + envelope->length) {
        return cql_segment_refuse(error, "a message is shorter than the segments that it came in");
    }
    unframer->joined_out = status == STATUS_OK;
    return status;
}

/* The next envelope of a self-contained segment. */
static enum status next_of_payload(struct cql_unframer *unframer, struct cql_envelope *envelope,
                                   struct error *error)
{
    enum status status = parse_envelope(unframer->payload, unframer->payload_left, envelope, error);
    if (status == STATUS_AGAIN) {
        return cql_segment_refuse(error, "a message is longer than the segment that it came in");
    }
    if (status == STATUS_OK) {
        unframer->payload += CQL_HEADER_BYTES + envelope->length;
        unframer->payload_left -= CQL_HEADER_BYTES + envelope->length;
    }
    return status;
}

enum status cql_unframer_next(struct cql_unframer *unframer, struct cql_envelope *envelope,
                              struct error *error)
{
    if (unframer->joined_out) {
        empty(&unframer->joined);
        unframer->joined_out = false;
    }
    if (unframer->framing <= CQL_FRAMING_PLAIN_LZ4) {
        return next_plain(unframer, envelope, error);
    }
    enum status status = STATUS_OK;
    while (unframer->payload_left == 0) {
        struct segment segment = {0};
        const uint8_t *payload = NULL;
        status = next_segment(unframer, &segment, &payload, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (segment.self_contained) {
            if (unframer->joined.length > 0) {
                return cql_segment_refuse(error, "a message breaks off within its segments");
            }
            unframer->payload = payload;
            unframer->payload_left = segment.length;
        } else {
            status = cql_segment_join(unframer, payload, segment.length, envelope, error);
            if (status != STATUS_AGAIN) {
                return status;
            }
        }
    }
    return next_of_payload(unframer, envelope, error);
}
