/*
 * The meaning of a column's default:
 *
 *     default := "(" default ")" casts | literal casts | clock
 *     literal := number | text | bits | TRUE | FALSE | NULL
 *     clock   := CURRENT_TIMESTAMP … | SQLite's datetime('now'), strftime(text, 'now') …
 *     casts   := ("::" type)*          the column's own type decides in the end
 *
 * All else is only its own engine's.
 */
#include "sql/default_text.h"
#include "base/buffer.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

struct reader {
    const char *at;
    unsigned words;
    struct schema_column *column;
    struct buffer value;
};

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool default_text_take(struct reader *reader, char wanted)
{
    skip_blanks(reader);
    if (*reader->at != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_';
}

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (is_word(at[length])) {
        length++;
    }
    return isdigit((unsigned char)*at) ? 0 : length;
}

/* ---------------------------------------------------------------- literals */

static char unescaped(char letter)
{
    static const char letters[][2] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'},
                                      {'b', '\b'}, {'0', '\0'}, {'Z', '\x1a'}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (letters[i][0] == letter) {
            return letters[i][1];
        }
    }
    return letter;
}

static bool read_text(struct reader *reader, char quote)
{
    bool escapes = (reader->words & SQL_BACKSLASHES) != 0;
    for (reader->at++; *reader->at != '\0'; reader->at++) {
        if (escapes && reader->at[0] == '\\' && reader->at[1] != '\0') {
            reader->at++;
            if (*reader->at == '%' || *reader->at == '_') {
                buffer_append_byte(&reader->value, '\\');
            }
            buffer_append_byte(&reader->value, unescaped(*reader->at));
            continue;
        }
        if (*reader->at == quote && *++reader->at != quote) {
            reader->column->default_kind = SCHEMA_DEFAULT_VALUE;
            return true;
        }
        buffer_append_byte(&reader->value, *reader->at);
    }
    return false;
}

static bool read_number(struct reader *reader)
{
    bool negative = *reader->at == '-';
    reader->at += negative || *reader->at == '+';
    skip_blanks(reader);
    size_t whole = strspn(reader->at, "0123456789");
    size_t length = whole;
    if (reader->at[length] == '.') {
        length += 1 + strspn(reader->at + length + 1, "0123456789");
    }
    if (length == 0 || (whole == 0 && length == 1)) {
        return false;
    }
    if (reader->at[length] == 'e' || reader->at[length] == 'E') {
        size_t sign = reader->at[length + 1] == '-' || reader->at[length + 1] == '+';
        size_t digits = strspn(reader->at + length + 1 + sign, "0123456789");
        length += digits > 0 ? 1 + sign + digits : 0;
    }
    if (is_word(reader->at[length])) {
        return false;
    }
    buffer_append_string(&reader->value, negative ? "-" : "");
    buffer_append_string(&reader->value, whole == 0 ? "0" : "");
    buffer_append(&reader->value, reader->at, length);
    reader->at += length;
    reader->column->default_kind = SCHEMA_DEFAULT_VALUE;
    return true;
}

/* ---------------------------------------------------------------- words */

static const struct {
    const char *word;
    enum schema_default_kind kind;
    const char *value;
} known_words[] = {
    {"NULL", SCHEMA_DEFAULT_NONE, ""},          {"TRUE", SCHEMA_DEFAULT_VALUE, "1"},
    {"FALSE", SCHEMA_DEFAULT_VALUE, "0"},       {"CURRENT_TIMESTAMP", SCHEMA_DEFAULT_NOW, ""},
    {"LOCALTIMESTAMP", SCHEMA_DEFAULT_NOW, ""}, {"NOW", SCHEMA_DEFAULT_NOW, ""},
    {"CURRENT_DATE", SCHEMA_DEFAULT_TODAY, ""}, {"CURDATE", SCHEMA_DEFAULT_TODAY, ""},
    {"CURRENT_TIME", SCHEMA_DEFAULT_OWN, ""},
};

/* "()" and "(6)" behind a word. */
static void skip_digits_asked(struct reader *reader)
{
    size_t digits = *reader->at == '(' ? strspn(reader->at + 1, "0123456789") : 0;
    if (*reader->at == '(' && reader->at[1 + digits] == ')') {
        reader->at += digits + 2;
    }
}

/* Into a column of another kind it would give other words in every engine. */
static bool clock_fits(const struct reader *reader)
{
    enum value_kind kind = reader->column->type.kind;
    return kind == VALUE_TIMESTAMP || kind == VALUE_DATE ||
           (kind == VALUE_TEXT && (reader->words & SQL_CLOCK_TEXTS) != 0);
}

/* b'0101', a number. */
static bool read_bits(struct reader *reader)
{
    enum { BITS_MAX = 64 };
    uint64_t value = 0;
    enum value_kind kind = reader->column->type.kind;
    size_t count = strspn(reader->at + 2, "01");
    if ((kind != VALUE_BOOL && !value_kind_is_number(kind)) || count == 0 || count > BITS_MAX ||
        reader->at[2 + count] != '\'') {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        value = value << 1 | (uint64_t)(reader->at[2 + i] == '1');
    }
    reader->at += 2 + count + 1;
    buffer_append_uint64(&reader->value, value);
    reader->column->default_kind = SCHEMA_DEFAULT_VALUE;
    return true;
}

/* ---------------------------------------------------------------- SQLite's clock */

/* "'now')", whatever the case, and nothing else asked of it. */
static bool take_now(struct reader *reader)
{
    static const char now[] = "'now'";
    skip_blanks(reader);
    if (strncasecmp(reader->at, now, sizeof now - 1) != 0) {
        return false;
    }
    reader->at += sizeof now - 1;
    return default_text_take(reader, ')');
}

static bool is_clock_format(const char *format)
{
    for (; *format != '\0'; format++) {
        if (*format == '%' && strchr("YmdHMSf", *++format) == NULL) {
            return false;
        }
        if (*format == '\0') {
            return false;
        }
    }
    return true;
}

static bool give_clock(struct reader *reader, const char *format)
{
    reader->column->default_kind = SCHEMA_DEFAULT_CLOCK_TEXT;
    buffer_clear(&reader->value);
    buffer_append_string(&reader->value, format);
    return reader->column->type.kind == VALUE_TEXT;
}

/* strftime('%Y-%m-%d %H:%M:%f', 'now') */
static bool read_strftime(struct reader *reader)
{
    skip_blanks(reader);
    if (*reader->at != '\'' || !read_text(reader, '\'') || !default_text_take(reader, ',') ||
        !take_now(reader) || !is_clock_format(buffer_string(&reader->value))) {
        return false;
    }
    reader->column->default_kind = SCHEMA_DEFAULT_CLOCK_TEXT;
    return reader->column->type.kind == VALUE_TEXT;
}

/* datetime('now') and its like; false: no such call, or one that means another thing. */
static bool read_clock_call(struct reader *reader, size_t length)
{
    static const struct {
        const char *name;
        enum schema_default_kind kind;
        const char *format;
    } calls[] = {{"datetime", SCHEMA_DEFAULT_NOW, NULL},
                 {"date", SCHEMA_DEFAULT_TODAY, NULL},
                 {"time", SCHEMA_DEFAULT_CLOCK_TEXT, "%H:%M:%S"}};
    const char *name = reader->at;
    reader->at += length;
    if (!default_text_take(reader, '(')) {
        return false;
    }
    if (length == strlen("strftime") && strncasecmp(name, "strftime", length) == 0) {
        return read_strftime(reader);
    }
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strlen(calls[i].name) != length || strncasecmp(calls[i].name, name, length) != 0 ||
            !take_now(reader)) {
            continue;
        }
        if (calls[i].format != NULL) {
            return give_clock(reader, calls[i].format);
        }
        reader->column->default_kind = calls[i].kind;
        return clock_fits(reader);
    }
    return false;
}

static bool read_word(struct reader *reader)
{
    size_t length = word_length(reader->at);
    if (length == 1 && (reader->at[0] == 'b' || reader->at[0] == 'B') && reader->at[1] == '\'') {
        return read_bits(reader);
    }
    bool clock_texts = (reader->words & SQL_CLOCK_TEXTS) != 0;
    if (clock_texts && length == strlen("current_time") &&
        strncasecmp(reader->at, "current_time", length) == 0) {
        reader->at += length;
        return give_clock(reader, "%H:%M:%S");
    }
    if (clock_texts && length > 0 && reader->at[length] == '(') {
        return read_clock_call(reader, length);
    }
    for (size_t i = 0; i < sizeof known_words / sizeof known_words[0]; i++) {
        const char *word = known_words[i].word;
        if (strlen(word) == length && strncasecmp(word, reader->at, length) == 0) {
            enum schema_default_kind kind = known_words[i].kind;
            bool clock = kind == SCHEMA_DEFAULT_NOW || kind == SCHEMA_DEFAULT_TODAY;
            reader->at += length;
            reader->column->default_kind = kind;
            buffer_append_string(&reader->value, known_words[i].value);
            if (clock) {
                skip_digits_asked(reader);
            }
            return !clock || clock_fits(reader);
        }
    }
    if (length > 0 && reader->at[length] == '\'' && reader->at[0] == '_') {
        reader->at += length; /* a text's character set */
        return read_text(reader, '\'');
    }
    if (length == 0 || (reader->words & SQL_BARE_TEXTS) == 0) {
        return false;
    }
    buffer_append(&reader->value, reader->at, length);
    reader->at += length;
    reader->column->default_kind = SCHEMA_DEFAULT_VALUE;
    return true;
}

/* ---------------------------------------------------------------- the whole */

/* A type's words: letters, digits, blanks, quoted names, "(10,2)", "[]". */
static void skip_casts(struct reader *reader)
{
    skip_blanks(reader);
    while ((reader->words & SQL_CASTS) != 0 && reader->at[0] == ':' && reader->at[1] == ':') {
        for (reader->at += 2; *reader->at != '\0' && *reader->at != ':' && *reader->at != ')';) {
            if (*reader->at == '"') {
                reader->at += 1 + strcspn(reader->at + 1, "\"");
                reader->at += *reader->at == '"';
            } else if (*reader->at == '(') {
                reader->at += strcspn(reader->at, ")");
                reader->at += *reader->at == ')';
            } else if (is_word(*reader->at) || strchr(" .[]", *reader->at) != NULL) {
                reader->at++;
            } else {
                return;
            }
        }
    }
}

static bool read_default(struct reader *reader)
{
    enum { DEPTH_MAX = 16 };
    int depth = 0;
    bool found;
    while (depth < DEPTH_MAX && default_text_take(reader, '(')) {
        depth++;
    }
    skip_blanks(reader);
    if (*reader->at == '\'' || (*reader->at == '"' && (reader->words & SQL_BARE_TEXTS) != 0)) {
        found = read_text(reader, *reader->at);
    } else if (strchr("+-.0123456789", *reader->at) != NULL && *reader->at != '\0') {
        found = read_number(reader);
    } else {
        found = read_word(reader);
    }
    skip_casts(reader);
    while (found && depth > 0) {
        found = default_text_take(reader, ')');
        skip_casts(reader);
        depth--;
    }
    skip_blanks(reader);
    return found && *reader->at == '\0' &&
           memchr(reader->value.data != NULL ? reader->value.data : "", '\0',
                  reader->value.length) == NULL;
}

bool sql_default_read(struct schema_column *column, unsigned words, struct arena *arena)
{
    struct reader reader = {.at = column->default_text, .words = words, .column = column};
    column->default_value = NULL;
    column->default_kind = SCHEMA_DEFAULT_NONE;
    if (column->default_text == NULL || column->generated != GENERATED_NO) {
        return true;
    }
    if (!read_default(&reader)) {
        column->default_kind = SCHEMA_DEFAULT_OWN;
    }
    if (column->default_kind == SCHEMA_DEFAULT_VALUE ||
        column->default_kind == SCHEMA_DEFAULT_CLOCK_TEXT) {
        column->default_value = arena_copy_string(arena, buffer_string(&reader.value));
    }
    buffer_free(&reader.value);
    return true;
}
