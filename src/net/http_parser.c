/* The parser of answers: lines of the head, then a body in one of four framings. */
#include "net/http_parser.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    ROOM_BYTES_MIN = 16 * 1024, /* a body smaller than this comes with its head */
    ROOM_BYTES_MAX = 1024 * 1024,
    EXTENSION_BYTES_MAX = 16 * 1024,
    CHUNK_DIGITS_MAX = 15,
    LENGTH_DIGITS_MAX = 18
};

void http_parser_begin(struct http_parser *parser, bool is_head, uint64_t body_bytes_max)
{
    *parser =
        (struct http_parser){.bodiless = is_head, .keeps = true, .body_bytes_max = body_bytes_max};
}

static enum status fail(struct http_parser *parser, enum http_parser_fault fault,
                        const char *reason)
{
    parser->fault = fault;
    parser->reason = reason;
    parser->keeps = false;
    return STATUS_FAILED;
}

static enum status no_http(struct http_parser *parser, const char *reason)
{
    return fail(parser, HTTP_PARSER_NO_HTTP, reason);
}

/* ---------------------------------------------------------------- the head */

/* "HTTP/1.1 200 OK" */
static enum status take_status_line(struct http_parser *parser, const char *line, size_t length)
{
    if (length < 12 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        !isdigit((unsigned char)line[9]) || !isdigit((unsigned char)line[10]) ||
        !isdigit((unsigned char)line[11]) || (length > 12 && line[12] != ' ')) {
        return no_http(parser, "its status line is not one of HTTP/1.1");
    }
    parser->status = (uint32_t)(line[9] - '0') * 100 + (uint32_t)(line[10] - '0') * 10 +
                     (uint32_t)(line[11] - '0');
    parser->keeps = line[7] == '1';
    return parser->status >= 100 ? STATUS_AGAIN : no_http(parser, "its status is below 100");
}

static bool is_name(const char *line, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(line, name, length) == 0;
}

/* Is `word` in the list, "a, b, c"? */
static bool has_word(const char *value, size_t length, const char *word)
{
    size_t wanted = strlen(word);
    for (size_t at = 0; at < length;) {
        while (at < length && (value[at] == ' ' || value[at] == '\t' || value[at] == ',')) {
            at++;
        }
        size_t begin = at;
        while (at < length && value[at] != ',') {
            at++;
        }
        size_t end = at;
        while (end > begin && isspace((unsigned char)value[end - 1])) {
            end--;
        }
        if (end - begin == wanted && strncasecmp(value + begin, word, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static enum status take_length(struct http_parser *parser, const char *value, size_t length)
{
    uint64_t number = 0;
    if (length == 0 || length > LENGTH_DIGITS_MAX) {
        return no_http(parser, "its Content-Length is no length");
    }
    for (size_t at = 0; at < length; at++) {
        if (!isdigit((unsigned char)value[at])) {
            return no_http(parser, "its Content-Length is no length");
        }
        number = number * 10 + (uint64_t)(value[at] - '0');
    }
    if (parser->has_length && parser->left != number) {
        return no_http(parser, "it has two lengths");
    }
    parser->has_length = true;
    parser->left = number;
    return STATUS_AGAIN;
}

static enum status take_header(struct http_parser *parser, const char *line, size_t length)
{
    if (memchr(line, '\0', length) != NULL) {
        return no_http(parser, "a header holds a NUL");
    }
    if (line[0] == ' ' || line[0] == '\t') {
        return STATUS_AGAIN; /* goes on with the line before */
    }
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line) {
        return no_http(parser, "a header has no name");
    }
    size_t name = (size_t)(colon - line);
    if (line[name - 1] == ' ' || line[name - 1] == '\t') {
        return no_http(parser, "a header's name ends in a blank"); /* RFC 9112, 5.1 */
    }
    const char *value = colon + 1;
    size_t rest = length - name - 1;
    while (rest > 0 && (value[0] == ' ' || value[0] == '\t')) {
        value++;
        rest--;
    }
    while (rest > 0 && isspace((unsigned char)value[rest - 1])) {
        rest--;
    }
    if (is_name(line, name, "Content-Length")) {
        return take_length(parser, value, rest);
    }
    if (is_name(line, name, "Connection")) {
        parser->keeps = !has_word(value, rest, "close") &&
                        (parser->keeps || has_word(value, rest, "keep-alive"));
    } else if (is_name(line, name, "Transfer-Encoding")) {
        if (!is_name(value, rest, "chunked") || parser->chunked) {
            return no_http(parser, "its body has an encoding that was not asked for");
        }
        parser->chunked = true;
    }
    return STATUS_AGAIN;
}

/* The blank line has come. */
static enum status end_head(struct http_parser *parser, struct http_response *response)
{
    if (parser->status == 101) {
        return no_http(parser, "it changes the protocol");
    }
    if (parser->status < 200) {
        parser->spent += response->header_block.length;
        buffer_clear(&response->header_block);
        parser->line = 0;
        parser->status = 0;
        parser->chunked = false;
        parser->has_length = false;
        parser->left = 0;
        return STATUS_AGAIN;
    }
    if (parser->chunked) {
        parser->keeps = parser->keeps && !parser->has_length; /* two lengths: one may be a trap */
        parser->state = HTTP_PARSER_CHUNK_SIZE;
        parser->left = 0;
    } else {
        parser->state = parser->has_length ? HTTP_PARSER_LENGTH : HTTP_PARSER_UNTIL_CLOSE;
    }
    bool none = parser->bodiless || parser->status == 204 || parser->status == 304 ||
                (parser->state == HTTP_PARSER_LENGTH && parser->left == 0);
    if (none) {
        parser->state = HTTP_PARSER_DONE;
        return STATUS_OK;
    }
    if (parser->state == HTTP_PARSER_LENGTH && parser->left > parser->body_bytes_max) {
        return fail(parser, HTTP_PARSER_BODY_TOO_LONG, NULL);
    }
    parser->keeps = parser->keeps && parser->state != HTTP_PARSER_UNTIL_CLOSE;
    return STATUS_AGAIN;
}

/* STATUS_OK: the answer has ended with its head. */
static enum status take_line(struct http_parser *parser, struct http_response *response)
{
    const char *line = response->header_block.data + parser->line;
    size_t length = response->header_block.length - parser->line - 1;
    bool first = parser->line == 0;
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    parser->line = response->header_block.length;
    return first         ? take_status_line(parser, line, length)
           : length == 0 ? end_head(parser, response)
                         : take_header(parser, line, length);
}

/* Is it not HTTP from its first bytes on? */
static bool is_other(const struct buffer *block)
{
    static const char start[] = "HTTP/1.";
    size_t length = block->length < sizeof(start) - 1 ? block->length : sizeof(start) - 1;
    return memcmp(block->data, start, length) != 0;
}

/* Up to and with one line of the head. */
static enum status take_head(struct http_parser *parser, struct http_response *response,
                             const char *bytes, size_t length, size_t *used)
{
    struct buffer *block = &response->header_block;
    const char *newline = memchr(bytes, '\n', length);
    size_t part = newline == NULL ? length : (size_t)(newline - bytes) + 1;
    *used = part;
    if (parser->spent + block->length + part > HTTP_HEADER_BLOCK_BYTES_MAX) {
        return fail(parser, HTTP_PARSER_HEADERS_TOO_LONG, NULL);
    }
    buffer_append(block, bytes, part);
    if (block->failed) {
        return fail(parser, HTTP_PARSER_NO_MEMORY, NULL);
    }
    if (parser->line == 0 && is_other(block)) {
        return no_http(parser, "it does not begin with a status line");
    }
    return newline == NULL ? STATUS_AGAIN : take_line(parser, response);
}

/* ---------------------------------------------------------------- the body */

/* Of a length or of a chunk: as many as are wanted. */
static enum status take_body(struct http_parser *parser, struct http_response *response,
                             const char *bytes, size_t length, size_t *used)
{
    bool open = parser->state == HTTP_PARSER_UNTIL_CLOSE;
    size_t part = open || length < parser->left ? length : (size_t)parser->left;
    *used = part;
    if (part > parser->body_bytes_max || response->body.length > parser->body_bytes_max - part) {
        return fail(parser, HTTP_PARSER_BODY_TOO_LONG, NULL);
    }
    buffer_append(&response->body, bytes, part);
    if (response->body.failed) {
        return fail(parser, HTTP_PARSER_NO_MEMORY, NULL);
    }
    parser->left -= open ? 0 : part;
    if (open || parser->left > 0) {
        return STATUS_AGAIN;
    }
    bool chunk = parser->state == HTTP_PARSER_CHUNK;
    parser->state = chunk ? HTTP_PARSER_CHUNK_END : HTTP_PARSER_DONE;
    return chunk ? STATUS_AGAIN : STATUS_OK;
}

static int hex_digit(char byte)
{
    return isdigit((unsigned char)byte)    ? byte - '0'
           : isxdigit((unsigned char)byte) ? tolower((unsigned char)byte) - 'a' + 10
                                           : -1;
}

/* A byte of "1a;name=value CRLF". */
static enum status take_chunk_size(struct http_parser *parser, char byte)
{
    int digit = parser->state == HTTP_PARSER_CHUNK_SIZE ? hex_digit(byte) : -1;
    if (digit >= 0 && parser->digits < CHUNK_DIGITS_MAX) {
        parser->left = parser->left * 16 + (uint64_t)digit;
        parser->digits++;
        return STATUS_AGAIN;
    }
    bool ends = byte == '\r' || byte == '\n' || byte == ';' || byte == ' ' || byte == '\t';
    if (parser->digits == 0 || (parser->state == HTTP_PARSER_CHUNK_SIZE && !ends) ||
        parser->extension++ > EXTENSION_BYTES_MAX) {
        return fail(parser, HTTP_PARSER_BROKEN_CHUNKS, "no size of a chunk");
    }
    parser->state = HTTP_PARSER_CHUNK_EXTENSION;
    if (byte == '\n') {
        parser->state = parser->left > 0 ? HTTP_PARSER_CHUNK : HTTP_PARSER_TRAILER;
        parser->digits = 0;
        parser->extension = 0;
    }
    return STATUS_AGAIN;
}

static enum status take_chunk_end(struct http_parser *parser, char byte)
{
    if (byte == '\n') {
        parser->state = HTTP_PARSER_CHUNK_SIZE;
        parser->left = 0;
        parser->extension = 0;
    } else if (byte != '\r' || parser->extension++ > 0) {
        return fail(parser, HTTP_PARSER_BROKEN_CHUNKS, "a chunk is longer than its size");
    }
    return STATUS_AGAIN;
}

/* Lines are counted and left out; a blank one ends the answer. */
static enum status take_trailer(struct http_parser *parser, char byte)
{
    if (++parser->spent > HTTP_HEADER_BLOCK_BYTES_MAX) {
        return fail(parser, HTTP_PARSER_HEADERS_TOO_LONG, NULL);
    }
    if (byte == '\n' && parser->digits == 0) {
        parser->state = HTTP_PARSER_DONE;
        return STATUS_OK;
    }
    parser->digits = byte == '\n' ? 0 : byte == '\r' ? parser->digits : 1; /* this line has text */
    return STATUS_AGAIN;
}

static enum status take_some(struct http_parser *parser, struct http_response *response,
                             const char *bytes, size_t length, size_t *used)
{
    *used = 1;
    switch (parser->state) {
    case HTTP_PARSER_HEAD:
        return take_head(parser, response, bytes, length, used);
    case HTTP_PARSER_CHUNK_SIZE:
    case HTTP_PARSER_CHUNK_EXTENSION:
        return take_chunk_size(parser, bytes[0]);
    case HTTP_PARSER_CHUNK_END:
        return take_chunk_end(parser, bytes[0]);
    case HTTP_PARSER_TRAILER:
        return take_trailer(parser, bytes[0]);
    case HTTP_PARSER_LENGTH:
    case HTTP_PARSER_CHUNK:
    case HTTP_PARSER_UNTIL_CLOSE:
        return take_body(parser, response, bytes, length, used);
    case HTTP_PARSER_DONE:
        break;
    }
    *used = 0;
    return STATUS_OK;
}

enum status http_parser_take(struct http_parser *parser, struct http_response *response,
                             const char *bytes, size_t length, size_t *used)
{
    enum status status = STATUS_AGAIN;
    *used = 0;
    parser->any = parser->any || length > 0;
    while (status == STATUS_AGAIN && *used < length) {
        size_t part = 0;
        status = take_some(parser, response, bytes + *used, length - *used, &part);
        *used += part;
    }
    return status;
}

size_t http_parser_room(struct http_parser *parser, struct http_response *response)
{
    if (parser->state != HTTP_PARSER_LENGTH || parser->left < ROOM_BYTES_MIN) {
        return 0;
    }
    /* the length is only a promise: memory follows what has come */
    size_t room = response->body.length < ROOM_BYTES_MAX ? ROOM_BYTES_MAX : response->body.length;
    room = room < parser->left ? room : (size_t)parser->left;
    return buffer_reserve(&response->body, room) ? room : 0;
}

enum status http_parser_took(struct http_parser *parser, struct http_response *response,
                             size_t length)
{
    response->body.length += length;
    parser->left -= length;
    if (parser->left > 0) {
        return STATUS_AGAIN;
    }
    parser->state = HTTP_PARSER_DONE;
    return STATUS_OK;
}

bool http_parser_end(struct http_parser *parser)
{
    parser->keeps = false;
    if (parser->state == HTTP_PARSER_UNTIL_CLOSE) {
        parser->state = HTTP_PARSER_DONE;
    }
    return parser->state == HTTP_PARSER_DONE;
}
