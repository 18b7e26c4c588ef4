/* A streaming reader of JSON: numbers stay raw text, nothing is built, the depth is bounded. */
#ifndef TRANSHUME_MODEL_JSON_READER_H
#define TRANSHUME_MODEL_JSON_READER_H

#include "base/arena.h"
#include "base/error.h"

enum json_token {
    JSON_TOKEN_END, /* of the whole value */
    JSON_TOKEN_OBJECT_BEGIN,
    JSON_TOKEN_OBJECT_END,
    JSON_TOKEN_ARRAY_BEGIN,
    JSON_TOKEN_ARRAY_END,
    JSON_TOKEN_KEY,
    JSON_TOKEN_STRING,
    JSON_TOKEN_NUMBER,
    JSON_TOKEN_TRUE,
    JSON_TOKEN_FALSE,
    JSON_TOKEN_NULL
};

enum { JSON_DEPTH_MAX = 512 };

/*
 * Reads one JSON value from a whole text in memory (a line, a reply). Strict RFC 8259: no comments,
 * no trailing comma, valid UTF-8, surrogate pairs joined, a lone surrogate is an error.
 */
struct json_reader {
    const char *start;
    const char *position;
    const char *end;
    struct arena *arena; /* holds strings that had escapes; others point into the text */
    uint32_t depth;
    uint32_t depth_max;
    uint8_t stack[JSON_DEPTH_MAX / 8]; /* a bit a level: object or array */
    uint8_t expect;                    /* inner state */
    const char *text;                  /* of the last KEY, STRING (unescaped) or NUMBER (raw) */
    size_t length;
};

/* `depth_max` at most JSON_DEPTH_MAX. */
void json_reader_init(struct json_reader *reader, const char *text, size_t length,
                      uint32_t depth_max, struct arena *arena);
/* The next token; STATUS_FAILED (ERROR_REJECT_UNREADABLE, ERROR_REJECT_TOO_DEEP) names the byte
 * offset. After the value only white space may follow before JSON_TOKEN_END. */
enum status json_reader_next(struct json_reader *reader, enum json_token *token,
                             struct error *error) MUST_USE;
/* Skips the value that begins with the token just read; after a KEY the value that follows it. */
enum status json_reader_skip(struct json_reader *reader, enum json_token token,
                             struct error *error) MUST_USE;
/* Decodes base64 (strict) into the arena. */
enum status json_decode_base64(const char *text, size_t length, struct arena *arena,
                               uint8_t **bytes, size_t *byte_count, struct error *error) MUST_USE;

enum { JSON_NUL_BYTES = 6 };
/* The first "\\u0000" of a JSON text that is an escape, or NULL. */
const char *json_find_nul(const char *text, size_t length);

#endif
