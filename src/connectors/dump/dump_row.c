/*
 * Rows as the dump programs write them.
 *
 *   COPY      1<TAB>a\tb<TAB>\N<LF>        PostgreSQL documentation, COPY, "Text Format"
 *   INSERT    (1,'it''s',X'00ff',NULL)    and of SQLite's shell replace('a\nb','\n',char(10)) and
 *                                         unistr('a\u000ab')
 *             (1,'it\'s',0x00FF,_binary 'x',b'101')    MySQL
 */
#include "connectors/dump/dump_row.h"
#include "base/text.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static bool is_number_byte(char byte)
{
    return isdigit((unsigned char)byte) != 0 || byte == '+' || byte == '-' || byte == '.';
}

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) != 0 || byte == '_' || (unsigned char)byte >= 0x80;
}

/* ---------------------------------------------------------------- between rows */

static struct dump_gap gap_of_copy(const char *text, size_t length, bool last)
{
    if (length == 0) {
        return (struct dump_gap){last ? DUMP_GAP_FAULT : DUMP_GAP_MORE, 0};
    }
    if (text[0] != '\\' || (length > 1 && text[1] != '.')) {
        return (struct dump_gap){DUMP_GAP_ROW, 0};
    }
    if (length == 1) {
        return (struct dump_gap){last ? DUMP_GAP_FAULT : DUMP_GAP_MORE, 0};
    }
    const char *end = memchr(text, '\n', length);
    if (end == NULL) {
        return (struct dump_gap){last ? DUMP_GAP_END : DUMP_GAP_MORE, last ? length : 0};
    }
    return (struct dump_gap){DUMP_GAP_END, (size_t)(end + 1 - text)};
}

static size_t blanks(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && is_blank(text[at])) {
        at++;
    }
    return at;
}

/* Behind a statement's semicolon: does the next one begin with the same header? */
static struct dump_gap next_statement(const struct dump_header *header, const char *text,
                                      size_t length, size_t at, bool last)
{
    size_t begin = at + blanks(text + at, length - at);
    size_t left = length - begin;
    if (left < header->length) {
        return last ? (struct dump_gap){DUMP_GAP_END, at} : (struct dump_gap){DUMP_GAP_MORE, 0};
    }
    if (memcmp(text + begin, header->text, header->length) != 0) {
        return (struct dump_gap){DUMP_GAP_END, at};
    }
    return (struct dump_gap){DUMP_GAP_ROW, begin + header->length};
}

static bool begins_with(const char *text, size_t length, const char *words)
{
    size_t wanted = strlen(words);
    return length >= wanted && strncasecmp(text, words, wanted) == 0;
}

/* The clause may follow the last row: rows that are in a dump are there once. */
static size_t conflict_clause(const char *text, size_t length)
{
    static const char clause[] = "ON CONFLICT DO NOTHING";
    return begins_with(text, length, clause) ? sizeof clause - 1 : 0;
}

struct dump_gap dump_gap_read(const struct dump_header *header, const char *text, size_t length,
                              bool last)
{
    enum { CLAUSE_BYTES = 24 };
    size_t at = 0;
    if (header->copy) {
        return gap_of_copy(text, length, last);
    }
    for (;;) {
        at += blanks(text + at, length - at);
        if (at == length) {
            return last ? (struct dump_gap){DUMP_GAP_END, at} : (struct dump_gap){DUMP_GAP_MORE, 0};
        }
        if (text[at] == '(') {
            return (struct dump_gap){DUMP_GAP_ROW, at};
        }
        if (text[at] == ',') {
            at++;
        } else if (text[at] == ';') {
            struct dump_gap gap = next_statement(header, text, length, at + 1, last);
            if (gap.kind != DUMP_GAP_ROW) {
                return gap;
            }
            at = gap.length;
        } else if (length - at < CLAUSE_BYTES && !last) {
            return (struct dump_gap){DUMP_GAP_MORE, 0};
        } else if (conflict_clause(text + at, length - at) > 0) {
            at += conflict_clause(text + at, length - at);
        } else {
            return (struct dump_gap){DUMP_GAP_FAULT, at};
        }
    }
}

/* ---------------------------------------------------------------- the length of a row */

/* Behind the string that begins here with its quote; `length`: it does not end. */
static size_t string_end(const char *text, size_t length, size_t at, bool backslashes)
{
    char quote = text[at++];
    while (at < length) {
        char byte = text[at];
        if (byte == '\\' && backslashes) {
            at += 2;
        } else if (byte == quote) {
            if (at + 1 < length && text[at + 1] == quote) {
                at += 2;
                continue;
            }
            return at + 1;
        } else {
            at++;
        }
    }
    return length;
}

/* E'…' of PostgreSQL. */
static bool is_escape_string(const char *text, size_t quote)
{
    return quote > 0 && (text[quote - 1] | 0x20) == 'e' &&
           (quote == 1 || !is_word_byte(text[quote - 2]));
}

static size_t tuple_length(const struct dump_header *header, const char *text, size_t length)
{
    uint32_t depth = 0;
    for (size_t at = 0; at < length;) {
        switch (text[at]) {
        case '(':
            depth++;
            at++;
            break;
        case ')':
            at++;
            if (--depth == 0) {
                return at;
            }
            break;
        case '"':
            at = header->session.double_quotes
                     ? string_end(text, length, at, header->session.backslashes)
                     : at + 1;
            break;
        case '\'':
            at = string_end(text, length, at,
                            header->session.backslashes || is_escape_string(text, at));
            break;
        default:
            at++;
        }
    }
    return 0;
}

size_t dump_row_length(const struct dump_header *header, const char *text, size_t length, bool last)
{
    if (!header->copy) {
        return tuple_length(header, text, length);
    }
    const char *end = memchr(text, '\n', length);
    return end != NULL ? (size_t)(end + 1 - text) : last ? length : 0;
}

/* ---------------------------------------------------------------- escapes */

/* Up to `most` digits of a base; the number. */
static uint32_t take_digits(const char *text, size_t length, size_t *at, size_t most, int base)
{
    uint32_t number = 0;
    for (size_t taken = 0; taken < most && *at < length; taken++) {
        int digit = text_hex_digit(text[*at]);
        if (digit < 0 || digit >= base) {
            break;
        }
        number = number * (uint32_t)base + (uint32_t)digit;
        (*at)++;
    }
    return number;
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | (code >> 18 & 7));
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The byte that a letter behind a backslash is short for, or the letter itself where it is for
 * nothing. */
static char short_for(enum sql_language language, char letter)
{
    static const char common[][2] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'},
                                     {'b', '\b'}, {'f', '\f'}, {'v', '\v'}};
    if (language == SQL_MYSQL && (letter == 'f' || letter == 'v')) {
        return letter;
    }
    if (language == SQL_MYSQL && (letter == '0' || letter == 'Z')) {
        return letter == '0' ? '\0' : '\x1a';
    }
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        if (common[i][0] == letter) {
            return common[i][1];
        }
    }
    return letter;
}

/* Behind a backslash at `*at`: appends what is meant, never longer than what is read. */
static size_t unescape(enum sql_language language, const char *text, size_t length, size_t *at,
                       char *to)
{
    char letter = text[(*at)++];
    if (language == SQL_POSTGRES && letter >= '0' && letter <= '7') {
        (*at)--;
        to[0] = (char)take_digits(text, length, at, 3, 8);
        return 1;
    }
    if (language == SQL_POSTGRES && letter == 'x' && *at < length &&
        text_hex_digit(text[*at]) >= 0) {
        to[0] = (char)take_digits(text, length, at, 2, 16);
        return 1;
    }
    if (language == SQL_POSTGRES && (letter == 'u' || letter == 'U')) {
        return put_utf8(to, take_digits(text, length, at, letter == 'u' ? 4 : 8, 16));
    }
    if (language == SQL_MYSQL && (letter == '%' || letter == '_')) {
        to[0] = '\\'; /* only LIKE gives them a meaning */
        to[1] = letter;
        return 2;
    }
    to[0] = short_for(language, letter);
    return 1;
}

/* ---------------------------------------------------------------- COPY */

static struct dump_literal copy_field(char *text, size_t length)
{
    if (length == 2 && text[0] == '\\' && text[1] == 'N') {
        return (struct dump_literal){.kind = DUMP_NULL};
    }
    char *escape = memchr(text, '\\', length);
    size_t made = escape != NULL ? (size_t)(escape - text) : length;
    for (size_t at = made; at < length;) {
        bool escaped = text[at] == '\\' && at + 1 < length;
        at += escaped ? 1 : 0;
        if (escaped && (text[at] | 0x20) != 'u') { /* which is an escape in E'…' alone */
            made += unescape(SQL_POSTGRES, text, length, &at, text + made);
        } else {
            text[made++] = text[at++];
        }
    }
    return (struct dump_literal){.kind = DUMP_STRING, .text = text, .length = made};
}

static uint32_t read_copy(char *text, size_t length, struct dump_literal *literals,
                          uint32_t literal_max)
{
    uint32_t count = 0;
    char *end = text + length;
    for (;;) {
        char *tab = memchr(text, '\t', (size_t)(end - text));
        char *stop = tab != NULL ? tab : end;
        if (count < literal_max) {
            literals[count] = copy_field(text, (size_t)(stop - text));
        }
        count++;
        if (tab == NULL) {
            return count;
        }
        text = tab + 1;
    }
}

/* ---------------------------------------------------------------- tuples */

struct tuple {
    enum sql_language language;
    const struct dump_header *header;
    struct arena *arena;
    char *text;
    size_t length;
    size_t at;
};

static struct dump_literal other(const struct tuple *in, size_t begin)
{
    return (struct dump_literal){
        .kind = DUMP_OTHER, .text = in->text + begin, .length = in->at - begin};
}

static void skip_blanks(struct tuple *in)
{
    in->at += blanks(in->text + in->at, in->length - in->at);
}

/* The string at its quote, made in place. */
static struct dump_literal take_string(struct tuple *in, bool backslashes)
{
    char quote = in->text[in->at];
    char *begin = in->text + ++in->at;
    char *to = begin;
    while (in->at < in->length) {
        char byte = in->text[in->at++];
        if (byte == quote) {
            if (in->at == in->length || in->text[in->at] != quote) {
                break;
            }
            in->at++;
        } else if (byte == '\\' && backslashes && in->at < in->length) {
            to += unescape(in->language, in->text, in->length, &in->at, to);
            continue;
        }
        *to++ = byte;
    }
    return (struct dump_literal){
        .kind = DUMP_STRING, .text = begin, .length = (size_t)(to - begin)};
}

/* Pairs of hexadecimal digits as bytes, in place; MySQL takes an odd number, as if 0 stood first.
 */
static bool unhex(char *text, size_t length, size_t *made)
{
    size_t at = 0;
    *made = 0;
    if (length % 2 == 1) {
        int digit = text_hex_digit(text[0]);
        if (digit < 0) {
            return false;
        }
        text[(*made)++] = (char)digit;
        at = 1;
    }
    for (; at < length; at += 2) {
        int high = text_hex_digit(text[at]);
        int low = text_hex_digit(text[at + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        text[(*made)++] = (char)(high << 4 | low);
    }
    return true;
}

static struct dump_literal hex_literal(const struct tuple *in, size_t begin, char *digits,
                                       size_t length)
{
    size_t made = 0;
    return unhex(digits, length, &made)
               ? (struct dump_literal){.kind = DUMP_BYTES, .text = digits, .length = made}
               : other(in, begin);
}

static size_t word_length(const struct tuple *in)
{
    size_t at = in->at;
    while (at < in->length && is_word_byte(in->text[at])) {
        at++;
    }
    return at - in->at;
}

/* To the comma or the parenthesis that ends the value. */
static void skip_value(struct tuple *in)
{
    uint32_t depth = 0;
    while (in->at < in->length) {
        char byte = in->text[in->at];
        if (byte == '\'' || (byte == '"' && in->header->session.double_quotes)) {
            in->at = string_end(in->text, in->length, in->at, in->header->session.backslashes);
            continue;
        }
        if (depth == 0 && (byte == ',' || byte == ')')) {
            return;
        }
        depth += byte == '(' ? 1 : 0;
        depth -= byte == ')' ? 1 : 0;
        in->at++;
    }
}

static struct dump_literal take_value(struct tuple *in, uint32_t depth);

/* ---------------------------------------------------------------- functions of SQLite's shell */

enum { ARGUMENTS_MAX = 4, DEPTH_MAX = 16 };

/* Every occurrence; the text of one that can grow is made in the arena. */
static struct dump_literal replace_all(const struct tuple *in, const struct dump_literal *arguments)
{
    const struct dump_literal *from = &arguments[0];
    const struct dump_literal *find = &arguments[1];
    const struct dump_literal *put = &arguments[2];
    struct buffer made = {0};
    const char *at = from->text;
    const char *end = at + from->length;
    while (find->length > 0) {
        const char *found = memmem(at, (size_t)(end - at), find->text, find->length);
        if (found == NULL) {
            break;
        }
        buffer_append(&made, at, (size_t)(found - at));
        buffer_append(&made, put->text, put->length);
        at = found + find->length;
    }
    buffer_append(&made, at, (size_t)(end - at));
    struct dump_literal literal = {.kind = DUMP_STRING,
                                   .text = arena_copy(in->arena, made.data, made.length),
                                   .length = made.length};
    buffer_free(&made);
    return literal;
}

static bool as_characters(const struct tuple *in, const struct dump_literal *arguments,
                          uint32_t count, struct dump_literal *literal)
{
    char *text = arena_allocate(in->arena, 4 * (size_t)count + 1);
    size_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t code = 0;
        if (arguments[i].kind != DUMP_NUMBER ||
            text_to_int64(arguments[i].text, arguments[i].length, &code) != STATUS_OK || code < 0 ||
            code > 0x10ffff) {
            return false;
        }
        length += put_utf8(text + length, (uint32_t)code);
    }
    *literal = (struct dump_literal){.kind = DUMP_STRING, .text = text, .length = length};
    return true;
}

/* unistr: \XXXX, \uXXXX, \+XXXXXX, \UXXXXXXXX and \\ (lang_corefunc.html). */
static struct dump_literal from_escapes(const struct dump_literal *argument)
{
    char *text = (char *)(uintptr_t)argument->text;
    size_t made = 0;
    for (size_t at = 0; at < argument->length;) {
        if (text[at] != '\\' || at + 1 == argument->length) {
            text[made++] = text[at++];
            continue;
        }
        at++;
        char letter = text[at];
        if (letter == '\\') {
            text[made++] = text[at++];
            continue;
        }
        size_t digits = letter == '+' ? 6 : letter == 'U' ? 8 : 4;
        at += letter == '+' || letter == 'U' || letter == 'u' ? 1 : 0;
        made += put_utf8(text + made, take_digits(text, argument->length, &at, digits, 16));
    }
    return (struct dump_literal){.kind = DUMP_STRING, .text = text, .length = made};
}

static bool are_strings(const struct dump_literal *arguments, uint32_t count, uint32_t wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i].kind != DUMP_STRING) {
            return false;
        }
    }
    return count == wanted;
}

/* At the parenthesis behind the function's name, which begins at `begin`. */
static struct dump_literal take_function(struct tuple *in, size_t begin, uint32_t depth)
{
    struct dump_literal arguments[ARGUMENTS_MAX];
    struct dump_literal literal = {0};
    const char *name = in->text + begin;
    size_t length = in->at - begin;
    uint32_t count = 0;
    in->at++;
    while (count < ARGUMENTS_MAX && depth < DEPTH_MAX) {
        arguments[count++] = take_value(in, depth + 1);
        if (in->at == in->length || in->text[in->at] != ',') {
            break;
        }
        in->at++;
    }
    bool ends = in->at < in->length && in->text[in->at] == ')';
    in->at += ends ? 1 : 0;
    if (ends && length == 7 && begins_with(name, length, "replace") &&
        are_strings(arguments, count, 3)) {
        return replace_all(in, arguments);
    }
    if (ends && length == 6 && begins_with(name, length, "unistr") &&
        are_strings(arguments, count, 1)) {
        return from_escapes(&arguments[0]);
    }
    if (ends && length == 4 && begins_with(name, length, "char") &&
        as_characters(in, arguments, count, &literal)) {
        return literal;
    }
    skip_value(in);
    return other(in, begin);
}

/* ---------------------------------------------------------------- values of a tuple */

/* A string whose kind the word in front of it says; the quote is next. */
static struct dump_literal take_prefixed(struct tuple *in, size_t begin)
{
    const char *word = in->text + begin;
    char letter = (char)(word[0] | 0x20);
    size_t length = in->at - begin;
    bool backslashes = in->header->session.backslashes || letter == 'e';
    bool binary = begins_with(word, length, "_binary") && length == 7;
    bool utf8 = begins_with(word, length, "_utf8") && (length == 5 || length == 8);
    skip_blanks(in);
    struct dump_literal literal = take_string(in, backslashes);
    if (length == 1 && letter == 'x' && in->language != SQL_POSTGRES) {
        return hex_literal(in, begin, (char *)(uintptr_t)literal.text, literal.length);
    }
    if (length == 1 && letter == 'b') {
        literal.kind = in->language == SQL_MYSQL ? DUMP_BITS : DUMP_STRING;
        return literal;
    }
    if (binary) {
        literal.kind = DUMP_BYTES;
        return literal;
    }
    bool plain = (length == 1 && (letter == 'e' || letter == 'n')) || utf8;
    return plain ? literal : other(in, begin);
}

static bool quote_follows(const struct tuple *in)
{
    size_t at = in->at + blanks(in->text + in->at, in->length - in->at);
    return at < in->length && in->text[at] == '\'';
}

static struct dump_literal take_word(struct tuple *in, uint32_t depth)
{
    static const struct {
        const char *word;
        enum dump_literal_kind kind;
        const char *text;
    } words[] = {{"null", DUMP_NULL, ""},
                 {"true", DUMP_TRUTH, "t"},
                 {"false", DUMP_TRUTH, "f"},
                 {"default", DUMP_DEFAULT, ""}};
    size_t begin = in->at;
    size_t length = word_length(in);
    in->at += length;
    if (quote_follows(in)) {
        return take_prefixed(in, begin);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == length &&
            strncasecmp(words[i].word, in->text + begin, length) == 0) {
            return (struct dump_literal){words[i].kind, words[i].text, strlen(words[i].text)};
        }
    }
    if (in->language == SQL_SQLITE && in->at < in->length && in->text[in->at] == '(') {
        return take_function(in, begin, depth);
    }
    skip_value(in);
    return other(in, begin);
}

static struct dump_literal take_number(struct tuple *in)
{
    size_t begin = in->at;
    if (in->text[in->at] == '0' && in->at + 1 < in->length && in->text[in->at + 1] == 'x' &&
        in->language == SQL_MYSQL) {
        in->at += 2;
        size_t digits = word_length(in);
        in->at += digits;
        return hex_literal(in, begin, in->text + begin + 2, digits);
    }
    while (in->at < in->length &&
           (is_word_byte(in->text[in->at]) || is_number_byte(in->text[in->at]))) {
        in->at++;
    }
    return (struct dump_literal){
        .kind = DUMP_NUMBER, .text = in->text + begin, .length = in->at - begin};
}

/* One value and the blanks around it. */
static struct dump_literal take_value(struct tuple *in, uint32_t depth)
{
    struct dump_literal literal = {.kind = DUMP_OTHER, .text = ""};
    skip_blanks(in);
    if (in->at == in->length) {
        return literal;
    }
    size_t begin = in->at;
    char byte = in->text[in->at];
    if (byte == '\'' || (byte == '"' && in->header->session.double_quotes)) {
        literal = take_string(in, in->header->session.backslashes);
    } else if (is_number_byte(byte)) {
        literal = take_number(in);
    } else if (is_word_byte(byte)) {
        literal = take_word(in, depth);
    }
    skip_blanks(in);
    if (in->language == SQL_POSTGRES && in->length - in->at > 2 && in->text[in->at] == ':') {
        skip_value(in); /* ::type: what the column makes of it anyhow */
    }
    if (in->at < in->length && in->text[in->at] != ',' && in->text[in->at] != ')') {
        skip_value(in);
        return other(in, begin);
    }
    return literal;
}

static uint32_t read_tuple(struct tuple *in, struct dump_literal *literals, uint32_t literal_max)
{
    uint32_t count = 0;
    in->at = 1;
    for (;;) {
        struct dump_literal literal = take_value(in, 0);
        if (count < literal_max) {
            literals[count] = literal;
        }
        count++;
        if (in->at >= in->length || in->text[in->at] != ',') {
            return count;
        }
        in->at++;
    }
}

uint32_t dump_row_read(enum sql_language language, const struct dump_header *header, char *text,
                       size_t length, struct arena *arena, struct dump_literal *literals,
                       uint32_t literal_max)
{
    struct tuple in = {
        .language = language, .header = header, .arena = arena, .text = text, .length = length};
    return header->copy ? read_copy(text, length, literals, literal_max)
                        : read_tuple(&in, literals, literal_max);
}
