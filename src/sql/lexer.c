/*
 * One lexer for three dialects, and for CQL, which is as SQLite but for // comments and $$x$$:
 *
 *                      PostgreSQL           MySQL                   SQLite
 *     names            "x"                  `x`                     "x" `x` [x]
 *     strings          'x' E'x' $t$x$t$     'x' "x" _utf8'x' N'x'   'x'
 *     backslashes      in E'x'              in all strings          none
 *     line comments    --                   -- (blank behind), #    --
 *     block comments   nested               flat; (slash)*! is code flat
 *     parameters       $1 ? :x %s           ? :x @x %s              ? ?1 :x @x $x %s
 */
#include "sql/lexer.h"
#include "sql/quoting.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

void sql_lexer_init(struct sql_lexer *lexer, enum sql_language language, const char *text,
                    size_t length, const struct sql_place *place)
{
    *lexer = (struct sql_lexer){.language = language,
                                .start = text,
                                .position = text,
                                .end = text + length,
                                .place = {0, 1, 1}};
    if (place != NULL) {
        lexer->place = *place;
    }
}

void sql_lexer_skip_to(struct sql_lexer *lexer, const char *position)
{
    struct sql_place *place = &lexer->place;
    for (const char *at = lexer->position; at < position; at++) {
        if (*at == '\n') {
            place->line++;
            place->column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            place->column++;
        }
    }
    place->offset += (size_t)(position - lexer->position);
    lexer->position = position;
}

/* ---------------------------------------------------------------- bytes */

/* The byte so far behind `at`; NUL past the end. */
static char peek(const struct sql_lexer *lexer, const char *at, size_t ahead)
{
    return (size_t)(lexer->end - at) > ahead ? at[ahead] : '\0';
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool begins_word(char byte)
{
    return isalpha((unsigned char)byte) || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool is_word_byte(char byte)
{
    return begins_word(byte) || isdigit((unsigned char)byte) || byte == '$';
}

static const char *word_end(const struct sql_lexer *lexer, const char *at)
{
    while (at < lexer->end && is_word_byte(*at)) {
        at++;
    }
    return at;
}

static const char *digits_end(const struct sql_lexer *lexer, const char *at)
{
    while (at < lexer->end && (isdigit((unsigned char)*at) || *at == '_')) {
        at++;
    }
    return at;
}

/* ---------------------------------------------------------------- comments */

/* U+00A0 and U+3000, which editors put where a blank is typed. */
static bool is_wide_blank(const struct sql_lexer *lexer, const char *at)
{
    size_t left = (size_t)(lexer->end - at);
    return (left >= 2 && memcmp(at, "\xc2\xa0", 2) == 0) ||
           (left >= 3 && memcmp(at, "\xe3\x80\x80", 3) == 0);
}

static bool begins_line_comment(const struct sql_lexer *lexer, const char *at)
{
    if (*at == '#') {
        return lexer->language == SQL_MYSQL;
    }
    if (*at == '/' && peek(lexer, at, 1) == '/') {
        return lexer->language == SQL_CQL;
    }
    if (*at != '-' || peek(lexer, at, 1) != '-') {
        return false;
    }
    char behind = peek(lexer, at, 2);
    return lexer->language != SQL_MYSQL || behind == '\0' || is_blank(behind) ||
           iscntrl((unsigned char)behind) || is_wide_blank(lexer, at + 2);
}

static const char *block_comment_end(const struct sql_lexer *lexer, const char *at,
                                     bool *unterminated)
{
    uint32_t depth = 1;
    for (at += 2; lexer->end - at >= 2; at++) {
        if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0) {
                return at + 1;
            }
        } else if (lexer->language == SQL_POSTGRES && at[0] == '/' && at[1] == '*') {
            at++;
            depth++;
        }
    }
    *unterminated = true;
    return lexer->end;
}

/* "!50001" or "M!100100" behind the opening of a conditional comment; NULL: it is none. */
static const char *condition_end(const struct sql_lexer *lexer, const char *at)
{
    at += 2;
    at += peek(lexer, at, 0) == 'M' && peek(lexer, at, 1) == '!';
    if (lexer->language != SQL_MYSQL || peek(lexer, at, 0) != '!') {
        return NULL;
    }
    for (at++; isdigit((unsigned char)peek(lexer, at, 0));) {
        at++;
    }
    return peek(lexer, at, 0) == '\\' ? NULL : at; /* a word for MariaDB's client */
}

/* The end of a conditional comment, wherever it began; not the product in "2*" with a comment. */
static bool closes_condition(const struct sql_lexer *lexer, const char *at)
{
    return lexer->language == SQL_MYSQL && *at == '*' && peek(lexer, at, 1) == '/' &&
           peek(lexer, at, 2) != '*';
}

/* NULL: no comment begins here. */
static const char *comment_end(const struct sql_lexer *lexer, const char *at, bool *unterminated)
{
    if (begins_line_comment(lexer, at)) {
        const char *line = memchr(at, '\n', (size_t)(lexer->end - at));
        return line != NULL ? line : lexer->end;
    }
    if (closes_condition(lexer, at)) {
        return at + 2;
    }
    if (*at != '/' || peek(lexer, at, 1) != '*') {
        return NULL;
    }
    const char *condition = condition_end(lexer, at);
    if (condition != NULL) {
        return condition;
    }
    return block_comment_end(lexer, at, unterminated);
}

/* ---------------------------------------------------------------- quotes */

/* Behind the closing quote; `at` is behind the opening one. */
static const char *quoted_end(const struct sql_lexer *lexer, const char *at, char quote,
                              bool backslashes, bool *unterminated)
{
    for (; at < lexer->end; at++) {
        if (*at == '\\' && backslashes) {
            at++;
        } else if (*at == quote) {
            if (quote == ']' || peek(lexer, at, 1) != quote) {
                return at + 1;
            }
            at++;
        }
    }
    *unterminated = true;
    return lexer->end;
}

/* $$…$$ and $tag$…$tag$; NULL: none begins here. */
static const char *dollar_end(const struct sql_lexer *lexer, const char *at, bool *unterminated)
{
    const char *tag = at + 1;
    bool none = lexer->language != SQL_POSTGRES && lexer->language != SQL_CQL;
    if (none || isdigit((unsigned char)peek(lexer, tag, 0))) {
        return NULL;
    }
    while (tag < lexer->end && is_word_byte(*tag) && *tag != '$') {
        tag++;
    }
    if (peek(lexer, tag, 0) != '$') {
        return NULL;
    }
    size_t length = (size_t)(tag + 1 - at);
    const char *end = memmem(tag + 1, (size_t)(lexer->end - tag - 1), at, length);
    if (end == NULL) {
        *unterminated = true;
        return lexer->end;
    }
    return end + length;
}

static bool is_letter(char byte, const char *letters)
{
    return byte != '\0' && strchr(letters, byte) != NULL;
}

/* The prefix before a string's quote that is a part of it: E, N, B, X, U& and MySQL's _utf8mb4. The
 * number of bytes; 0: no such string begins here. */
static size_t string_prefix(const struct sql_lexer *lexer, const char *at)
{
    if (is_letter(*at, "uU") && peek(lexer, at, 1) == '&' && peek(lexer, at, 2) == '\'') {
        return lexer->language == SQL_POSTGRES ? 2 : 0;
    }
    if (peek(lexer, at, 1) == '\'') {
        const char *letters = lexer->language == SQL_POSTGRES ? "eEnNbBxX"
                              : lexer->language == SQL_MYSQL  ? "nNbBxX"
                                                              : "xX";
        return is_letter(*at, letters) ? 1 : 0;
    }
    if (lexer->language == SQL_MYSQL && *at == '_') {
        const char *end = word_end(lexer, at);
        char quote = peek(lexer, end, 0);
        return quote == '\'' || quote == '"' ? (size_t)(end - at) : 0;
    }
    return 0;
}

/* Strings and names in quotes; NULL: none begins here. */
static const char *any_quoted_end(const struct sql_lexer *lexer, const char *at,
                                  struct sql_token *token)
{
    size_t prefix = begins_word(*at) ? string_prefix(lexer, at) : 0;
    char quote = peek(lexer, at, prefix);
    bool mysql = lexer->language == SQL_MYSQL;
    if (prefix == 0 && *at == '$') {
        token->kind = SQL_TOKEN_STRING;
        return dollar_end(lexer, at, &token->unterminated);
    }
    bool names = (lexer->quoting & SQL_QUOTING_NAMES) != 0;
    if (quote == '\'' || (quote == '"' && mysql && !names)) {
        bool escapes = (prefix == 1 && is_letter(*at, "eE")) ||
                       sql_quoting_escapes(lexer->language, lexer->quoting);
        token->kind = SQL_TOKEN_STRING;
        return quoted_end(lexer, at + prefix + 1, quote, escapes, &token->unterminated);
    }
    if (prefix > 0) {
        return NULL;
    }
    bool bracket = quote == '[' && lexer->language == SQL_SQLITE;
    if (quote == '"' || quote == '`' || bracket) {
        token->kind = SQL_TOKEN_NAME;
        return quoted_end(lexer, at + 1, bracket ? ']' : quote, false, &token->unterminated);
    }
    return NULL;
}

/* ---------------------------------------------------------------- numbers and parameters */

static const char *number_end(const struct sql_lexer *lexer, const char *at)
{
    bool leading = isdigit((unsigned char)*at);
    if (!leading && (*at != '.' || !isdigit((unsigned char)peek(lexer, at, 1)))) {
        return NULL;
    }
    if (*at == '0' && is_letter(peek(lexer, at, 1), "xXbBoO")) {
        const char *end = at + 2;
        while (end < lexer->end && (isxdigit((unsigned char)*end) || *end == '_')) {
            end++;
        }
        if (end > at + 2) {
            return end;
        }
    }
    at = digits_end(lexer, at);
    if (peek(lexer, at, 0) == '.' && peek(lexer, at, 1) != '.') {
        at = digits_end(lexer, at + 1);
    }
    if (is_letter(peek(lexer, at, 0), "eE")) {
        size_t sign = is_letter(peek(lexer, at, 1), "+-") ? 1 : 0;
        if (isdigit((unsigned char)peek(lexer, at, 1 + sign))) {
            at = digits_end(lexer, at + 1 + sign);
        }
    }
    return at;
}

/* The ? is an operator of PostgreSQL's jsonb if another operator byte or a text follows. */
static bool is_jsonb_operator(const struct sql_lexer *lexer, const char *at)
{
    const char *behind = at + 1;
    if (lexer->language != SQL_POSTGRES) {
        return false;
    }
    if (is_letter(peek(lexer, behind, 0), "|&?")) {
        return true;
    }
    while (behind < lexer->end && is_blank(*behind)) {
        behind++;
    }
    return peek(lexer, behind, 0) == '\'';
}

/* %s, unless it stands right behind an operand, as in a%s; %(name)s */
static const char *percent_end(const struct sql_lexer *lexer, const char *at)
{
    char before = at > lexer->start ? at[-1] : ' ';
    if (peek(lexer, at, 1) == 's' && !is_word_byte(peek(lexer, at, 2))) {
        bool operand = is_word_byte(before) || is_letter(before, ")]'\"`");
        return operand ? NULL : at + 2;
    }
    if (peek(lexer, at, 1) == '(' && begins_word(peek(lexer, at, 2))) {
        const char *end = word_end(lexer, at + 2);
        return peek(lexer, end, 0) == ')' && peek(lexer, end, 1) == 's' ? end + 2 : NULL;
    }
    return NULL;
}

static const char *parameter_end(const struct sql_lexer *lexer, const char *at)
{
    char next = peek(lexer, at, 1);
    switch (*at) {
    case '?':
        return is_jsonb_operator(lexer, at) ? NULL : digits_end(lexer, at + 1);
    case '$':
        if (isdigit((unsigned char)next)) {
            return digits_end(lexer, at + 1);
        }
        return begins_word(next) ? word_end(lexer, at + 1) : NULL;
    case ':':
    case '@':
        if (at > lexer->start && at[-1] == *at) {
            return NULL;
        }
        if (*at == '@' && next == '@') {
            return begins_word(peek(lexer, at, 2)) ? word_end(lexer, at + 2) : NULL;
        }
        return begins_word(next) ? word_end(lexer, at + 1) : NULL;
    case '%':
        return percent_end(lexer, at);
    case '.':
        return next == '.' && peek(lexer, at, 2) == '.' ? at + 3 : NULL;
    default:
        return NULL;
    }
}

/* ---------------------------------------------------------------- operators */

static const char *operator_end(const struct sql_lexer *lexer, const char *at)
{
    static const char bytes[] = "+-*/<>=~!@#%^&|?:";
    const char *end = at;
    while (end < lexer->end && is_letter(*end, bytes)) {
        /* a comment or a parameter ends it, and so does a sign: a=-1, but not ->> */
        bool comment = (end[0] == '-' && peek(lexer, end, 1) == '-') ||
                       (end[0] == '/' && peek(lexer, end, 1) == '*') ||
                       closes_condition(lexer, end);
        bool sign = end > at && (*end == '-' || *end == '+') && is_letter(end[-1], "=<>*/%+-");
        bool parameter = end > at && is_letter(*end, "?:@%") && parameter_end(lexer, end) != NULL &&
                         (*end != ':' || end[-1] != ':');
        if (end > at && (comment || sign || parameter)) {
            break;
        }
        end++;
    }
    return end > at ? end : NULL;
}

struct sql_token sql_lexer_next(struct sql_lexer *lexer)
{
    const char *at = lexer->position;
    struct sql_token token = {0};
    while (at < lexer->end && is_blank(*at)) {
        at++;
    }
    sql_lexer_skip_to(lexer, at);
    token.text = at;
    token.place = lexer->place;
    token.quoting = lexer->quoting;
    if (at == lexer->end) {
        return token;
    }
    const char *end = comment_end(lexer, at, &token.unterminated);
    if (end != NULL) {
        token.kind = SQL_TOKEN_COMMENT;
    } else if ((end = any_quoted_end(lexer, at, &token)) != NULL) {
        /* the kind is set */
    } else if (begins_word(*at)) {
        token.kind = SQL_TOKEN_WORD;
        end = word_end(lexer, at);
    } else if ((end = number_end(lexer, at)) != NULL) {
        token.kind = SQL_TOKEN_NUMBER;
    } else if ((end = parameter_end(lexer, at)) != NULL) {
        token.kind = SQL_TOKEN_PARAMETER;
    } else if ((end = operator_end(lexer, at)) != NULL) {
        token.kind = SQL_TOKEN_OPERATOR;
    } else {
        token.kind = SQL_TOKEN_MARK;
        end = at + 1;
    }
    if (end > lexer->end) {
        end = lexer->end; /* a backslash was the last byte */
    }
    token.length = (size_t)(end - at);
    sql_lexer_skip_to(lexer, end);
    return token;
}

struct sql_token sql_lexer_next_code(struct sql_lexer *lexer)
{
    struct sql_token token;
    do {
        token = sql_lexer_next(lexer);
    } while (token.kind == SQL_TOKEN_COMMENT);
    return token;
}
