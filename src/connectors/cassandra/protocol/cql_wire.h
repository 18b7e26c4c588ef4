/*
 * The basic notations of the CQL native protocol (section 3 of its specification): what messages,
 * metadata and values are made of. Numbers are big-endian.
 *
 *   notation            bytes
 *   [byte]              1
 *   [short] [int] [long] 2, 4, 8
 *   [string]            [short] n, n bytes of UTF-8
 *   [long string]       [int] n, n bytes of UTF-8
 *   [uuid]              16
 *   [bytes]             [int] n, n bytes; n < 0: null
 *   [value]             the same; n = -2: unset
 *   [short bytes]       [short] n, n bytes
 *   [inet]              [byte] n (4 or 16), n bytes, [int] port; [inetaddr] has no port
 *   [string list]       [short] n, n [string]
 *   [string map]        [short] n, n times [string] [string]
 *   [string multimap]   [short] n, n times [string] [string list]
 *   [bytes map]         [short] n, n times [string] [bytes]
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_WIRE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_WIRE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lengths of [value] that are none. */
enum { CQL_NULL = -1, CQL_UNSET = -2 };

/* Borrowed bytes; `length` < 0: null or unset. A null's `data` is NULL, an empty value's is not. */
struct cql_value {
    const uint8_t *data;
    int32_t length;
};

struct cql_inet {
    uint8_t bytes[16];
    uint8_t length; /* 4 or 16 */
    uint16_t port;  /* 0 for an [inetaddr] */
};

/* ---------------------------------------------------------------- reading */

/*
 * A cursor over bytes that others sent. A read beyond the end, or of something that cannot be,
 * fails: it returns zeros or an empty text, and so does every read after it, so that a caller reads
 * a whole structure and then asks `failed` once. What is returned points into the bytes.
 */
struct cql_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct cql_reader cql_reader_of(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    return (struct cql_reader){.at = at, .end = length > 0 ? at + length : at};
}
static inline size_t cql_reader_left(const struct cql_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}
/* Makes this and all later reads fail. */
static inline void cql_reader_fail(struct cql_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
}
/* The next `length` bytes; NULL: they are not there. */
static inline const uint8_t *cql_read_raw(struct cql_reader *reader, size_t length)
{
    if (reader->failed || length > cql_reader_left(reader)) {
        cql_reader_fail(reader);
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += length;
    return at;
}
static inline uint8_t cql_read_byte(struct cql_reader *reader)
{
    const uint8_t *at = cql_read_raw(reader, 1);
    return at != NULL ? *at : 0;
}
static inline uint16_t cql_read_short(struct cql_reader *reader)
{
    const uint8_t *at = cql_read_raw(reader, 2);
    return at != NULL ? (uint16_t)bytes_get_be(at, 2) : 0;
}
static inline int32_t cql_read_int(struct cql_reader *reader)
{
    const uint8_t *at = cql_read_raw(reader, 4);
    return at != NULL ? (int32_t)(uint32_t)bytes_get_be(at, 4) : 0;
}
static inline int64_t cql_read_long(struct cql_reader *reader)
{
    const uint8_t *at = cql_read_raw(reader, 8);
    return at != NULL ? (int64_t)bytes_get_be(at, 8) : 0;
}
/* An [int] that counts things of at least `each_bytes` bytes (1 or more), which must all be there:
 * so the count may be trusted for an allocation. */
size_t cql_read_count(struct cql_reader *reader, size_t each_bytes);
struct text cql_read_string(struct cql_reader *reader);
struct text cql_read_long_string(struct cql_reader *reader);
struct text cql_read_short_bytes(struct cql_reader *reader);
/* [bytes] or [value]; a failed read is null. */
static inline struct cql_value cql_read_value(struct cql_reader *reader)
{
    int32_t length = cql_read_int(reader);
    if (length < 0) {
        return (struct cql_value){NULL, length};
    }
    const uint8_t *data = cql_read_raw(reader, (size_t)length);
    return (struct cql_value){data, data != NULL ? length : CQL_NULL};
}
const uint8_t *cql_read_uuid(struct cql_reader *reader); /* 16 bytes, NULL: they are not there */
struct cql_inet cql_read_inet(struct cql_reader *reader);
struct cql_inet cql_read_inetaddr(struct cql_reader *reader);
/* Passes over a [string list], [bytes map]. */
void cql_skip_string_list(struct cql_reader *reader);
void cql_skip_bytes_map(struct cql_reader *reader);

/* ---------------------------------------------------------------- writing */

static inline void cql_write_byte(struct buffer *to, uint8_t number)
{
    buffer_append_byte(to, (char)number);
}
static inline void cql_write_short(struct buffer *to, uint16_t number)
{
    uint8_t bytes[2];
    bytes_put_be(bytes, number, 2);
    buffer_append(to, bytes, sizeof bytes);
}
static inline void cql_write_int(struct buffer *to, int32_t number)
{
    uint8_t bytes[4];
    bytes_put_be(bytes, (uint32_t)number, 4);
    buffer_append(to, bytes, sizeof bytes);
}
static inline void cql_write_long(struct buffer *to, int64_t number)
{
    uint8_t bytes[8];
    bytes_put_be(bytes, (uint64_t)number, 8);
    buffer_append(to, bytes, sizeof bytes);
}
/* A [value]: null and unset by their lengths, or `length` bytes. */
static inline void cql_write_value(struct buffer *to, const void *data, int32_t length)
{
    cql_write_int(to, length);
    if (length > 0) {
        buffer_append(to, data, (size_t)length);
    }
}
static inline void cql_write_null(struct buffer *to)
{
    cql_write_int(to, CQL_NULL);
}
static inline void cql_write_unset(struct buffer *to)
{
    cql_write_int(to, CQL_UNSET);
}
/* For a value that is written piece by piece: `begin` makes room for its length and returns where
 * that is; `end` fills it in with what was appended since. */
static inline size_t cql_write_begin(struct buffer *to)
{
    cql_write_int(to, 0);
    return to->length;
}
static inline void cql_write_end(struct buffer *to, size_t begin)
{
    bytes_put_be((uint8_t *)to->data + begin - 4, to->length - begin, 4);
}

/* Texts above what their notation holds (65,535 bytes, 2 GiB) are bugs of the caller. */
void cql_write_string(struct buffer *to, struct text text);
void cql_write_long_string(struct buffer *to, struct text text);
void cql_write_short_bytes(struct buffer *to, struct text bytes);
void cql_write_uuid(struct buffer *to, const uint8_t uuid[16]);
void cql_write_inet(struct buffer *to, const struct cql_inet *inet);
/* `pairs` has `count` times a name and its text. */
void cql_write_string_map(struct buffer *to, const char *const *pairs, size_t count);
void cql_write_string_list(struct buffer *to, const char *const *texts, size_t count);

#endif
