/*
 * Statements of CQL and documents of JSON, as texts: what they say the database finds out.
 *
 *   CQL    statements end at ";" outside strings ('…', "…", $$…$$), comments (--, //, /\* *\/) and
 *          BEGIN [UNLOGGED|COUNTER] BATCH … APPLY BATCH
 *   JSON   one object, or an array of them, each a step
 *   HTTP   a line "METHOD /path", lines of headers, the body; up to the next such line, or to a
 * line that begins with "#", "//" or "--"
 */
#include "evolve/folder/steps.h"
#include <string.h>
#include <strings.h>

static bool begins(const char *at, const char *end, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(end - at) >= length && memcmp(at, text, length) == 0;
}

/* Behind the next `text`; NULL: there is none. */
static const char *behind(const char *at, const char *end, const char *text)
{
    size_t length = strlen(text);
    const char *found = at < end ? memmem(at, (size_t)(end - at), text, length) : NULL;
    return found == NULL ? NULL : found + length;
}

/* ---------------------------------------------------------------- CQL */

/* Behind a comment that begins here; `at`: none does. */
static const char *skip_comment(const char *at, const char *end, const char **fault)
{
    bool line = begins(at, end, "--") || begins(at, end, "//");
    if (!line && !begins(at, end, "/*")) {
        return at;
    }
    const char *next = line ? behind(at, end, "\n") : behind(at + 2, end, "*/");
    if (next == NULL && !line) {
        *fault = "a comment that does not end";
    }
    return next == NULL ? end : next;
}

/* Behind a string or a name in quotes that begins here. */
static const char *skip_quoted(const char *at, const char *end, const char **fault)
{
    const char *mark = *at == '\'' ? "'" : *at == '"' ? "\"" : begins(at, end, "$$") ? "$$" : NULL;
    if (mark == NULL) {
        return at;
    }
    const char *next = behind(at + strlen(mark), end, mark);
    if (next == NULL) {
        *fault = "a string that does not end";
    }
    return next == NULL ? end : next;
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (byte >= '0' && byte <= '9');
}

static size_t word_length(const char *at, const char *end)
{
    size_t length = 0;
    while (at + length < end && is_letter(at[length])) {
        length++;
    }
    return length;
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(at, word, length) == 0;
}

/* Words of a statement so far, as far as batches go. */
struct cql_words {
    bool begin; /* the statement's first word is BEGIN, and BATCH may follow */
    bool open;
    bool apply; /* the last word is APPLY */
    uint32_t count;
};

static void see_word(struct cql_words *batch, const char *at, size_t length)
{
    if (batch->count++ == 0) {
        batch->begin = is_word(at, length, "BEGIN");
    } else if (is_word(at, length, "BATCH")) {
        batch->open = batch->apply ? false : batch->begin && batch->count <= 3;
    }
    batch->apply = is_word(at, length, "APPLY");
}

bool migration_next_cql(const char **rest, const char *end, struct migration_part *part)
{
    struct cql_words batch = {0};
    const char *last = NULL; /* behind what is neither blank nor comment */
    const char *at = *rest;
    *part = (struct migration_part){.comments = at};
    while (at < end) {
        const char *next = skip_comment(at, end, &part->fault);
        if (next != at || strchr(" \t\r\n", *at) != NULL) {
            at = next != at ? next : at + 1;
            continue;
        }
        if (*at == ';' && !batch.open) {
            at++;
            if (part->text != NULL) {
                break;
            }
            continue;
        }
        part->text = part->text == NULL ? at : part->text;
        next = skip_quoted(at, end, &part->fault);
        size_t length = next == at ? word_length(at, end) : 0;
        if (length > 0) {
            see_word(&batch, at, length);
        }
        at = next != at ? next : at + (length > 0 ? length : 1);
        last = at;
    }
    *rest = at;
    if (part->text == NULL) {
        return false;
    }
    if (batch.open && part->fault == NULL) {
        part->fault = "BEGIN BATCH without APPLY BATCH";
    }
    part->length = (size_t)(last - part->text);
    return true;
}

/* ---------------------------------------------------------------- JSON */

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' && at + 1 < end;
    }
    return at < end ? at + 1 : end;
}

bool migration_next_json(const char **rest, const char *end, struct migration_part *part)
{
    const char *at = *rest;
    uint32_t depth = 0;
    *part = (struct migration_part){.comments = at};
    while (at < end && strchr(" \t\r\n,[]", *at) != NULL) {
        at++;
    }
    if (at == end) {
        *rest = end;
        return false;
    }
    part->text = at;
    while (at < end) {
        char byte = *at;
        at = byte == '"' ? skip_string(at, end) : at + 1;
        depth += byte == '{' || byte == '[';
        if (byte == '}' || byte == ']') {
            depth -= depth > 0;
        }
        if (depth == 0) {
            break;
        }
    }
    part->fault = depth > 0            ? "an object that does not end"
                  : *part->text != '{' ? "an object is expected here"
                                       : NULL;
    part->length = (size_t)(at - part->text);
    *rest = part->fault != NULL ? end : at;
    return true;
}

/* ---------------------------------------------------------------- HTTP */

static bool is_request_line(const char *at, const char *end)
{
    static const char *const methods[] = {"GET ", "PUT ", "POST ", "DELETE ", "HEAD ", "PATCH "};
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        if (begins(at, end, methods[i])) {
            return true;
        }
    }
    return false;
}

static bool is_comment_line(const char *at, const char *end)
{
    return begins(at, end, "#") || begins(at, end, "//") || begins(at, end, "--");
}

static bool is_blank_line(const char *at, size_t length)
{
    size_t blanks = 0;
    while (blanks < length && strchr(" \t\r", at[blanks]) != NULL) {
        blanks++;
    }
    return blanks == length;
}

bool migration_next_http(const char **rest, const char *end, struct migration_part *part)
{
    const char *at = *rest;
    const char *last = NULL; /* behind what is no blank */
    *part = (struct migration_part){.comments = at};
    while (at < end) {
        /* The length of the line alone, without its end. */
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop == NULL ? (size_t)(end - at) : (size_t)(stop - at);
        bool begins_one = is_request_line(at, end);
        if (part->text != NULL && (begins_one || is_comment_line(at, end))) {
            break;
        }
        if (part->text == NULL && !is_comment_line(at, end) && !is_blank_line(at, length)) {
            part->text = at;
            part->fault = begins_one ? NULL : "a request is expected here, as in \"PUT /index\"";
        }
        if (part->text != NULL && !is_blank_line(at, length)) {
            last = at + length - (length > 0 && at[length - 1] == '\r');
        }
        at = at + length < end ? at + length + 1 : end;
    }
    *rest = at;
    if (part->text == NULL) {
        return false;
    }
    part->length = (size_t)(last - part->text);
    return true;
}
