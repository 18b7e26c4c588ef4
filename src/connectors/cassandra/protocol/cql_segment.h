/*
 * Envelopes on the wire: how messages are packed into the bytes of a connection, and found again.
 *
 * Envelope (all versions; big-endian), at most CQL_BODY_BYTES_MAX of body:
 *
 *   | version 1 | flags 1 | stream 2 | opcode 1 | length 4 | body: length bytes |
 *
 * Versions 3 and 4 send envelopes one after the other. With lz4, a body whose flag 0x01 is set is
 * | uncompressed length 4 | lz4 block |. Version 5 does so up to the answer to STARTUP,
 * uncompressed; from then on it sends segments (little-endian):
 *
 *   without lz4   | header 3 | CRC-24 of the header 3 | payload | CRC-32 of the payload 4 |
 *     header      bits 0-16 length of the payload, bit 17 self-contained
 *   with lz4      | header 5 | CRC-24 of the header 3 | payload | CRC-32 of the payload 4 |
 *     header      bits 0-16 length as sent, 17-33 length uncompressed (0: it is not compressed),
 *                 bit 34 self-contained
 *
 * A self-contained segment holds whole envelopes; else it holds a piece of one envelope, and the
 * segments that follow hold the rest of that one.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SEGMENT_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_SEGMENT_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CQL_HEADER_BYTES = 9,
    CQL_BODY_BYTES_MAX = 256 << 20,
    CQL_PAYLOAD_BYTES_MAX = (1 << 17) - 1
};

/* Flags of an envelope. */
enum {
    CQL_FLAG_COMPRESSED = 0x01,
    CQL_FLAG_TRACING = 0x02,
    CQL_FLAG_PAYLOAD = 0x04,
    CQL_FLAG_WARNINGS = 0x08
};

/* One envelope; the body is not compressed any more, and borrowed. */
struct cql_envelope {
    uint8_t version; /* without the bit that says it is a response */
    uint8_t flags;
    int16_t stream;
    uint8_t opcode;
    const uint8_t *body;
    size_t length;
};

enum cql_framing {
    CQL_FRAMING_PLAIN,     /* envelopes, bodies as they are */
    CQL_FRAMING_PLAIN_LZ4, /* envelopes, bodies compressed where that makes them smaller */
    CQL_FRAMING_SEGMENTS,
    CQL_FRAMING_SEGMENTS_LZ4
};

/* ---------------------------------------------------------------- checksums */

/* The checksum of a segment's header of 3 or 5 bytes (or any others). */
uint32_t cql_crc24(const void *bytes, size_t length);
/* The checksum of a segment's payload, as it is sent. */
uint32_t cql_crc32(const void *bytes, size_t length);

/* ---------------------------------------------------------------- sending */

/* Appends whole envelopes (`length` bytes of them) to `wire` as `framing` wants them: those that
 * fit share a segment, larger ones are split. Bodies must not be compressed yet. */
void cql_frame_write(enum cql_framing framing, const void *envelopes, size_t length,
                     struct buffer *wire);

/* ---------------------------------------------------------------- receiving */

/*
 * Finds the responses in received bytes. All sizes that the peer claims are checked, and memory
 * grows with the bytes that have come, not with a length that was claimed.
 *
 *   room -> bytes are read into it -> add -> next until AGAIN -> room …
 */
struct cql_unframer {
    enum cql_framing framing;
    struct buffer received; /* bytes as they came, from `taken` on not looked at yet */
    size_t taken;
    struct buffer joined;   /* pieces of one large envelope */
    struct buffer inflated; /* a payload or body of lz4, uncompressed */
    const uint8_t *payload; /* envelopes of a self-contained segment that are still to come */
    size_t payload_left;
    bool joined_out; /* `joined` was handed out and is emptied by the next call */
};

/* A zeroed struct is a valid unframer of CQL_FRAMING_PLAIN. */
void cql_unframer_free(struct cql_unframer *unframer);
/* From the next envelope on. Bytes that came too early for that are refused by cql_unframer_next.
 */
void cql_unframer_set(struct cql_unframer *unframer, enum cql_framing framing);
/* Where to put up to `*capacity` bytes, to be called when cql_unframer_next says AGAIN; the
 * envelope handed out last is gone then. NULL: no memory. */
void *cql_unframer_room(struct cql_unframer *unframer, size_t *capacity);
/* So many bytes were put there. */
void cql_unframer_add(struct cql_unframer *unframer, size_t length);
/*
 * The next envelope, valid until the next call of any function here. STATUS_AGAIN: more bytes are
 * needed. STATUS_FAILED: these are no responses (ERROR_NETWORK_ANSWER), or one is too large for
 * memory (ERROR_MEMORY); there is nothing more to be had.
 */
enum status cql_unframer_next(struct cql_unframer *unframer, struct cql_envelope *envelope,
                              struct error *error) MUST_USE;

#endif
