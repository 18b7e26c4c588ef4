/* The JSON reader: one pass, a state, and a bit for each open container. */
#include "model/json_reader.h"

#include "base/memory.h"
#include "base/text.h"
#include <string.h>

enum expectation {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING
};

enum { BLOCK_BYTES = 16 };
typedef uint8_t block __attribute__((vector_size(BLOCK_BYTES)));

void json_reader_init(struct json_reader *reader, const char *text, size_t length,
                      uint32_t depth_max, struct arena *arena)
{
    reader->start = text;
    reader->position = text;
    reader->end = text + length;
    reader->arena = arena;
    reader->depth = 0;
    reader->depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    reader->expect = EXPECT_VALUE;
    reader->text = NULL;
    reader->length = 0;
}

static enum status json_reader_fail(const struct json_reader *reader, const char *what,
                                    struct error *error)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "JSON, byte %zu: %s",
                     (size_t)(reader->position - reader->start), what);
}

static void skip_space(struct json_reader *reader)
{
    const char *position = reader->position;
    while (position < reader->end &&
           (*position == ' ' || *position == '\n' || *position == '\r' || *position == '\t')) {
        position++;
    }
    reader->position = position;
}

/* --- strings --- */

/* The first byte from `position` on that ends a plain run: '"', '\' or a control character. */
static const char *find_special(const char *position, const char *end, int *has_high)
{
    while (end - position >= BLOCK_BYTES) {
        block bytes;
        memcpy(&bytes, position, BLOCK_BYTES);
        block marks = (block)(bytes < 0x20) | (block)(bytes == '"') | (block)(bytes == '\\');
        uint64_t halves[2];
        uint64_t high[2];
        memcpy(halves, &marks, sizeof(halves));
        memcpy(high, &bytes, sizeof(high));
        *has_high |= ((high[0] | high[1]) & 0x8080808080808080u) != 0;
        if ((halves[0] | halves[1]) != 0) {
            break;
        }
        position += BLOCK_BYTES;
    }
    for (; position < end; position++) {
        uint8_t byte = (uint8_t)*position;
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            return position;
        }
        *has_high |= byte >= 0x80;
    }
    return end;
}

/* Four hex digits; -1 if they are not. */
static int32_t read_hex(const char *digits, const char *end)
{
    int32_t number = 0;
    if (end - digits < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t digit = (uint8_t)digits[i];
        if (digit >= '0' && digit <= '9') {
            digit = (uint8_t)(digit - '0');
        } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
            digit = (uint8_t)((digit | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
        number = number * 16 + digit;
    }
    return number;
}

static size_t put_character(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* The code behind "\u" at `from`, the other half of a pair included; bytes read, 0: malformed. */
static size_t read_code(const char *from, const char *end, uint32_t *code)
{
    int32_t first = read_hex(from, end);
    if (first < 0 || (first >= 0xDC00 && first <= 0xDFFF)) {
        return 0;
    }
    *code = (uint32_t)first;
    if (first < 0xD800 || first > 0xDBFF) {
        return 4;
    }
    if (end - from < 10 || from[4] != '\\' || from[5] != 'u') {
        return 0;
    }
    int32_t second = read_hex(from + 6, end);
    if (second < 0xDC00 || second > 0xDFFF) {
        return 0;
    }
    *code = 0x10000 + (((uint32_t)first - 0xD800) << 10) + ((uint32_t)second - 0xDC00);
    return 10;
}

/* Undoes the escapes of [from, end) into `out`, which never gets longer; NULL: a bad escape, at
 * which
 * `*bad` is left. */
static char *unescape(const char *from, const char *end, char *out, const char **bad)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    while (from < end) {
        const char *escape = memchr(from, '\\', (size_t)(end - from));
        size_t plain = (size_t)((escape == NULL ? end : escape) - from);
        memcpy(out, from, plain);
        out += plain;
        from += plain;
        if (escape == NULL) {
            break;
        }
        *bad = escape;
        const char *found = memchr(escapes, escape[1], sizeof(escapes) - 1);
        if (found != NULL) {
            *out++ = meanings[found - escapes];
            from += 2;
        } else {
            uint32_t code = 0;
            size_t size = escape[1] == 'u' ? read_code(escape + 2, end, &code) : 0;
            if (size == 0) {
                return NULL;
            }
            out += put_character(code, out);
            from += 2 + size;
        }
    }
    return out;
}

/* A string whose opening quote has been read. */
static enum status read_string(struct json_reader *reader, struct error *error)
{
    const char *start = reader->position;
    const char *end = reader->end;
    int has_high = 0;
    int has_escape = 0;
    const char *close = find_special(start, end, &has_high);
    while (close < end && *close == '\\' && end - close >= 2) {
        has_escape = 1;
        close = find_special(close + 2, end, &has_high);
    }
    reader->position = close;
    if (close >= end || *close == '\\') {
        return json_reader_fail(reader, "a string without its closing quote", error);
    }
    if (*close != '"') {
        return json_reader_fail(reader, "a control character in a string", error);
    }
    if (has_high && !text_is_utf8(start, (size_t)(close - start))) {
        reader->position = start;
        return json_reader_fail(reader, "a string that is not UTF-8", error);
    }
    reader->text = start;
    reader->length = (size_t)(close - start);
    if (has_escape) {
        /* only what is large is tried: else a caller might take the failure for a damaged text */
        char *plain = reader->length > MEMORY_DATA_BYTES
                          ? arena_try_allocate(reader->arena, reader->length)
                          : arena_allocate(reader->arena, reader->length);
        if (plain == NULL) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a JSON string");
        }
        const char *plain_end = unescape(start, close, plain, &reader->position);
        if (plain_end == NULL) {
            return json_reader_fail(reader, "a malformed escape in a string", error);
        }
        (void)arena_try_extend(reader->arena, plain, reader->length, (size_t)(plain_end - plain));
        reader->text = plain;
        reader->length = (size_t)(plain_end - plain);
    }
    reader->position = close + 1;
    return STATUS_OK;
}

/* --- numbers and words --- */

static const char *skip_digits(const char *position, const char *end)
{
    while (position < end && *position >= '0' && *position <= '9') {
        position++;
    }
    return position;
}

/* The end of the number that begins at `position`, NULL if it is none. */
static const char *find_number_end(const char *position, const char *end)
{
    position += position < end && *position == '-';
    const char *digits = position;
    position = skip_digits(position, end);
    if (position == digits || (*digits == '0' && position - digits > 1)) {
        return NULL;
    }
    if (position < end && *position == '.') {
        digits = ++position;
        position = skip_digits(position, end);
        if (position == digits) {
            return NULL;
        }
    }
    if (position < end && (*position == 'e' || *position == 'E')) {
        position++;
        position += position < end && (*position == '+' || *position == '-');
        digits = position;
        position = skip_digits(position, end);
        if (position == digits) {
            return NULL;
        }
    }
    return position;
}

static enum status read_number(struct json_reader *reader, struct error *error)
{
    const char *end = find_number_end(reader->position, reader->end);
    if (end == NULL) {
        return json_reader_fail(reader, "a malformed number", error);
    }
    reader->text = reader->position;
    reader->length = (size_t)(end - reader->position);
    reader->position = end;
    return STATUS_OK;
}

static enum status read_word(struct json_reader *reader, const char *word, size_t length,
                             struct error *error)
{
    if ((size_t)(reader->end - reader->position) < length ||
        memcmp(reader->position, word, length) != 0) {
        return json_reader_fail(reader, "neither true, false nor null", error);
    }
    reader->position += length;
    return STATUS_OK;
}

/* --- structure --- */

static int is_in_object(const struct json_reader *reader)
{
    uint32_t level = reader->depth - 1;
    return reader->stack[level / 8] >> (level % 8) & 1;
}

static enum status open_container(struct json_reader *reader, int is_object, enum json_token *token,
                                  struct error *error)
{
    if (reader->depth >= reader->depth_max) {
        return error_set(error, ERROR_REJECT_TOO_DEEP, NULL,
                         "JSON, byte %zu: nested deeper than %u levels",
                         (size_t)(reader->position - reader->start), (unsigned)reader->depth_max);
    }
    uint32_t level = reader->depth++;
    uint8_t bit = (uint8_t)(1u << (level % 8));
    reader->stack[level / 8] =
        is_object ? reader->stack[level / 8] | bit : reader->stack[level / 8] & (uint8_t)~bit;
    reader->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    reader->position++;
    *token = is_object ? JSON_TOKEN_OBJECT_BEGIN : JSON_TOKEN_ARRAY_BEGIN;
    return STATUS_OK;
}

static void expect_after_value(struct json_reader *reader)
{
    reader->expect = reader->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

static enum status close_container(struct json_reader *reader, enum json_token *token)
{
    *token = is_in_object(reader) ? JSON_TOKEN_OBJECT_END : JSON_TOKEN_ARRAY_END;
    reader->position++;
    reader->depth--;
    expect_after_value(reader);
    return STATUS_OK;
}

static enum status read_key(struct json_reader *reader, enum json_token *token, struct error *error)
{
    if (reader->position == reader->end || *reader->position != '"') {
        return json_reader_fail(reader, "expected a key in quotes", error);
    }
    reader->position++;
    if (read_string(reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    skip_space(reader);
    if (reader->position == reader->end || *reader->position != ':') {
        return json_reader_fail(reader, "expected ':' after a key", error);
    }
    reader->position++;
    reader->expect = EXPECT_VALUE;
    *token = JSON_TOKEN_KEY;
    return STATUS_OK;
}

static enum status read_value(struct json_reader *reader, enum json_token *token,
                              struct error *error)
{
    enum status status;
    if (reader->position == reader->end) {
        return json_reader_fail(reader, "the text ends where a value is expected", error);
    }
    switch (*reader->position) {
    case '{':
        return open_container(reader, 1, token, error);
    case '[':
        return open_container(reader, 0, token, error);
    case '"':
        reader->position++;
        *token = JSON_TOKEN_STRING;
        status = read_string(reader, error);
        break;
    case 't':
        *token = JSON_TOKEN_TRUE;
        status = read_word(reader, "true", 4, error);
        break;
    case 'f':
        *token = JSON_TOKEN_FALSE;
        status = read_word(reader, "false", 5, error);
        break;
    case 'n':
        *token = JSON_TOKEN_NULL;
        status = read_word(reader, "null", 4, error);
        break;
    default:
        if (*reader->position != '-' && (*reader->position < '0' || *reader->position > '9')) {
            return json_reader_fail(reader, "expected a value", error);
        }
        *token = JSON_TOKEN_NUMBER;
        status = read_number(reader, error);
        break;
    }
    expect_after_value(reader);
    return status;
}

enum status json_reader_next(struct json_reader *reader, enum json_token *token,
                             struct error *error)
{
    skip_space(reader);
    char byte = reader->position < reader->end ? *reader->position : '\0';
    if (reader->expect == EXPECT_COMMA_OR_END) {
        int in_object = is_in_object(reader);
        if (byte == (in_object ? '}' : ']')) {
            return close_container(reader, token);
        }
        if (byte != ',') {
            return json_reader_fail(
                reader, in_object ? "expected ',' or '}'" : "expected ',' or ']'", error);
        }
        reader->position++;
        skip_space(reader);
        reader->expect = in_object ? EXPECT_KEY : EXPECT_VALUE;
    }
    switch ((enum expectation)reader->expect) {
    case EXPECT_VALUE_OR_END:
        return byte == ']' ? close_container(reader, token) : read_value(reader, token, error);
    case EXPECT_KEY_OR_END:
        return byte == '}' ? close_container(reader, token) : read_key(reader, token, error);
    case EXPECT_KEY:
        return read_key(reader, token, error);
    case EXPECT_NOTHING:
        if (reader->position < reader->end) {
            return json_reader_fail(reader, "more after the value", error);
        }
        *token = JSON_TOKEN_END;
        return STATUS_OK;
    case EXPECT_VALUE:
    case EXPECT_COMMA_OR_END: /* has become one of the others above */
        break;
    }
    return read_value(reader, token, error);
}

enum status json_reader_skip(struct json_reader *reader, enum json_token token, struct error *error)
{
    if (token == JSON_TOKEN_KEY && json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (token != JSON_TOKEN_OBJECT_BEGIN && token != JSON_TOKEN_ARRAY_BEGIN) {
        return STATUS_OK;
    }
    uint32_t outside = reader->depth - 1;
    while (reader->depth > outside) {
        if (json_reader_next(reader, &token, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* --- base64 --- */

/* The value of a digit; above 63 if it is none. */
static uint32_t base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return (uint32_t)(digit - 'A');
    }
    if (digit >= 'a' && digit <= 'z') {
        return (uint32_t)(digit - 'a') + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return (uint32_t)(digit - '0') + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : 64;
}

enum status json_decode_base64(const char *text, size_t length, struct arena *arena,
                               uint8_t **bytes, size_t *byte_count, struct error *error)
{
    size_t padding = 0;
    if (length % 4 == 0 && length > 0 && text[length - 1] == '=') {
        padding = text[length - 2] == '=' ? 2 : 1;
    }
    uint8_t *out = length % 4 == 0 ? arena_try_allocate(arena, length / 4 * 3) : NULL;
    if (out == NULL) {
        return length % 4 == 0
                   ? error_set(error, ERROR_MEMORY, NULL, "no memory for %zu bytes", length)
                   : error_set(error, ERROR_REJECT_UNREADABLE, NULL,
                               "base64 of %zu digits, which is no multiple of 4", length);
    }
    size_t filled = 0;
    uint32_t invalid = 0;
    for (size_t i = 0; i < length; i += 4) {
        int is_last = i + 4 == length;
        uint32_t group = base64_value(text[i]) << 18 | base64_value(text[i + 1]) << 12;
        invalid |= base64_value(text[i]) | base64_value(text[i + 1]);
        uint32_t third = is_last && padding == 2 ? 0 : base64_value(text[i + 2]);
        uint32_t fourth = is_last && padding > 0 ? 0 : base64_value(text[i + 3]);
        invalid |= third | fourth;
        group |= third << 6 | fourth;
        out[filled] = (uint8_t)(group >> 16);
        out[filled + 1] = (uint8_t)(group >> 8);
        out[filled + 2] = (uint8_t)group;
        filled += 3;
        /* the bits that padding leaves over are zeros */
        if (is_last && padding > 0 && (group & (padding == 2 ? 0xFFFFu : 0xFFu)) != 0) {
            invalid = 64;
        }
    }
    if (invalid > 63) {
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "malformed base64");
    }
    *bytes = out;
    *byte_count = filled - padding;
    return STATUS_OK;
}

const char *json_find_nul(const char *text, size_t length)
{
    const char *end = text + length;
    const char *at = text;
    while ((at = memmem(at, (size_t)(end - at), "\\u0000", JSON_NUL_BYTES)) != NULL) {
        size_t before = 0; /* backslashes: each second one is taken back by the next */
        while (before < (size_t)(at - text) && at[-1 - (ptrdiff_t)before] == '\\') {
            before++;
        }
        if (before % 2 == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}
