/* Answers of HTTP/1.1 taken apart as their bytes come. */
#ifndef TRANSHUME_NET_HTTP_PARSER_H
#define TRANSHUME_NET_HTTP_PARSER_H

#include "base/status.h"
#include "net/http.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 *   HTTP/1.1 103 Early Hints CRLF … CRLF         any number of interim answers (1xx), left out
 *   HTTP/1.1 200 OK CRLF                         HTTP/1.0 is taken too
 *   Name: value CRLF … CRLF                      the header block, kept as it came
 *   body: none | Content-Length bytes | chunks | all until the connection ends     (RFC 9112, 6.3)
 */
enum http_parser_state {
    HTTP_PARSER_HEAD,
    HTTP_PARSER_LENGTH,
    HTTP_PARSER_CHUNK_SIZE,
    HTTP_PARSER_CHUNK_EXTENSION,
    HTTP_PARSER_CHUNK,
    HTTP_PARSER_CHUNK_END,
    HTTP_PARSER_TRAILER,
    HTTP_PARSER_UNTIL_CLOSE,
    HTTP_PARSER_DONE
};

enum http_parser_fault {
    HTTP_PARSER_FINE,
    HTTP_PARSER_NO_HTTP, /* `reason` says why */
    HTTP_PARSER_BROKEN_CHUNKS,
    HTTP_PARSER_HEADERS_TOO_LONG, /* with interim ones and trailers */
    HTTP_PARSER_BODY_TOO_LONG,
    HTTP_PARSER_NO_MEMORY
};

/* A plain value; no memory of its own. */
struct http_parser {
    enum http_parser_state state;
    enum http_parser_fault fault;
    const char *reason; /* a literal */
    uint32_t status;    /* of the final answer; 0: its header block has not ended */
    bool bodiless;      /* an answer to HEAD */
    bool keeps;         /* the connection can carry another request */
    bool chunked;
    bool has_length;
    bool any;      /* bytes have come */
    uint64_t left; /* of the body, or of its chunk */
    uint64_t body_bytes_max;
    size_t line;        /* where the header line that is being read begins in the block */
    size_t spent;       /* of header bytes before this block, and of trailers */
    uint32_t digits;    /* of a chunk's size */
    uint32_t extension; /* bytes behind it, or behind a chunk */
};

void http_parser_begin(struct http_parser *parser, bool is_head, uint64_t body_bytes_max);
/*
 * Takes bytes in, the header block and the body into `response`; `*used` of them, all unless the
 * answer ended. STATUS_OK: it has ended; STATUS_AGAIN: more must come; STATUS_FAILED: see `fault`.
 */
enum status http_parser_take(struct http_parser *parser, struct http_response *response,
                             const char *bytes, size_t length, size_t *used) MUST_USE;
/* Room in the body for the bytes that must come next, for a read straight into it; 0: take them
 * elsewhere. http_parser_took says how many came. */
size_t http_parser_room(struct http_parser *parser, struct http_response *response);
enum status http_parser_took(struct http_parser *parser, struct http_response *response,
                             size_t length) MUST_USE;
/* The connection has ended: is the answer whole? */
bool http_parser_end(struct http_parser *parser);

#endif
