/*
 * RESP, the protocol of Redis, versions 2 and 3: replies read, commands written.
 *
 *   +text\r\n  -text\r\n  :integer\r\n  ,double\r\n  #t\r\n  (big number\r\n  _\r\n
 *   $length\r\nbytes\r\n   =length\r\ntxt:bytes\r\n   !length\r\nbytes\r\n    ($-1: null)
 *   *count\r\nreplies      ~count\r\n (set)   >count\r\n (push)   %count\r\n pairs   |count\r\n
 * pairs
 *
 * Source: redis.io/docs/latest/develop/reference/protocol-spec. Lengths, counts and depth are
 * bounded before anything is asked of memory. A reply is first looked for whole, without
 * allocation, then read in place.
 */
#ifndef TRANSHUME_CONNECTORS_REDIS_PROTOCOL_RESP_H
#define TRANSHUME_CONNECTORS_REDIS_PROTOCOL_RESP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>

enum {
    RESP_BULK_BYTES_MAX = 512 << 20, /* of one string: Redis's own limit */
    RESP_COUNT_MAX = 1 << 28,
    RESP_DEPTH_MAX = 16,
    RESP_LINE_BYTES_MAX = 64 << 10
};

enum resp_type {
    RESP_NULL,
    RESP_SIMPLE, /* +OK */
    RESP_ERROR,
    RESP_INTEGER,
    RESP_TEXT, /* a string, and what RESP 3 writes as a double or a big number: its text */
    RESP_LIST, /* also sets and maps: of these the pairs, one after the other */
};

/* Texts and items are borrowed from the bytes and the arena given to resp_read. */
struct resp_value {
    enum resp_type type;
    int64_t integer;  /* INTEGER; TEXT of a boolean: 0 or 1 */
    struct text text; /* SIMPLE, ERROR, TEXT */
    const struct resp_value *items;
    uint32_t count;
};

/* Looks for the end of a reply as its bytes come in. Zeroed: at the beginning of one. */
struct resp_scan {
    size_t at;     /* bytes looked at */
    uint64_t left; /* replies still inside, 0: not begun */
};

/* STATUS_OK: the reply is the first scan->at bytes. STATUS_AGAIN: more has to come; call again with
 * the same bytes and more. STATUS_FAILED: ERROR_NETWORK_ANSWER. */
enum status resp_find_end(struct resp_scan *scan, const char *bytes, size_t length,
                          struct error *error) MUST_USE;

/* Reads a reply that is whole. `bytes` are borrowed. */
enum status resp_read(const char *bytes, size_t length, struct arena *arena,
                      struct resp_value *value, struct error *error) MUST_USE;

/* Is it that text? */
bool resp_is(const struct resp_value *value, const char *text);
/* The value under a name in a map or a list of pairs; NULL: none. */
const struct resp_value *resp_field(const struct resp_value *map, const char *name);
/* An integer, or a text of digits. False: neither. */
bool resp_integer(const struct resp_value *value, int64_t *integer);

/* ---------------------------------------------------------------- commands */

/* A command is begun with the number of its words, itself included, and these follow. */
void resp_begin(struct buffer *out, uint64_t words);
void resp_word(struct buffer *out, const void *bytes, size_t length);
void resp_string(struct buffer *out, const char *string);
void resp_number(struct buffer *out, int64_t number);
/* A whole command of strings; the last argument is NULL. */
void resp_command(struct buffer *out, const char *first, ...) __attribute__((sentinel));

#endif
