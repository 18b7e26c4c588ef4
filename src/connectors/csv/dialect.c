/* Options of a dialect: their names, their words, and which of them exclude each other. */
#include "connectors/csv/dialect.h"

#include "base/text.h"
#include <iconv.h>
#include <string.h>
#include <strings.h>

enum { NULL_BYTES_MAX = 64, ENCODING_BYTES_MAX = 40 };

struct csv_dialect csv_dialect_default(void)
{
    return (struct csv_dialect){
        .delimiter = ',', .quote = '"', .escape = '"', .header = true, .null_text = ""};
}

struct word {
    const char *name;
    char value;
};

static const struct word character_words[] = {
    {"comma", ','},  {"tab", '\t'},    {"semicolon", ';'}, {"pipe", '|'}, {"space", ' '},
    {"double", '"'}, {"single", '\''}, {"none", 0},        {"hash", '#'},
};

static enum status bad_value(const char *name, const char *text, const char *wanted,
                             struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, name, "\"%.60s\" is none of: %s", text, wanted);
    return error_hint(error, "write for example csv:DIR?%s=%.*s", name, (int)strcspn(wanted, ",| "),
                      wanted);
}

/* Bytes that numbers, dates and words are made of can't also separate them; a colon can, since
 * fields that hold one are quoted. */
static bool may_be_mark(unsigned char byte, bool delimiter)
{
    bool part_of_values = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= 'a' && byte <= 'z') || strchr("+-.\\", byte) != NULL;
    bool only_delimits = byte == ':' || byte == 0x7f || (byte < ' ' && byte != '\t');
    return byte != 0 && byte <= 0x7f && byte != '\n' && byte != '\r' && !part_of_values &&
           (delimiter || !only_delimits);
}

static enum status bad_character(const char *name, const char *text, bool delimiter,
                                 struct error *error)
{
    char shown[64];
    text_printable(text, strlen(text), shown, sizeof shown);
    error_set(error, ERROR_BAD_VALUE, name,
              "\"%s\" is neither a word for a mark nor one byte of ASCII that is no letter, digit, "
              "+, -, ., backslash or line end%s",
              shown, delimiter ? "" : ", colon or control character");
    return error_hint(
        error, "the words are comma, tab, semicolon, pipe, space, double, single and hash%s",
        delimiter ? "; write for example csv:DIR?delimiter=: or, for a control character, "
                    "csv:DIR?delimiter=%01"
                  : ", or none");
}

/* One byte, or the word for it. */
static enum status read_character(const char *name, const char *text, bool optional, char *value,
                                  struct error *error)
{
    for (size_t at = 0; at < sizeof character_words / sizeof character_words[0]; at++) {
        const struct word *word = &character_words[at];
        if (strcasecmp(word->name, text) == 0 && (word->value != 0 || optional)) {
            *value = word->value;
            return STATUS_OK;
        }
    }
    bool delimiter = strcmp(name, "delimiter") == 0;
    if (text[0] == '\0' || text[1] != '\0' || !may_be_mark((unsigned char)text[0], delimiter)) {
        return bad_character(name, text, delimiter, error);
    }
    *value = text[0];
    return STATUS_OK;
}

static enum status read_choice(const char *name, const char *text, const struct word *words,
                               size_t count, const char *wanted, char *value, struct error *error)
{
    for (size_t at = 0; at < count; at++) {
        if (strcasecmp(words[at].name, text) == 0) {
            *value = words[at].value;
            return STATUS_OK;
        }
    }
    return bad_value(name, text, wanted, error);
}

static enum status read_boolean(const char *name, const char *text, bool *value,
                                struct error *error)
{
    static const struct word words[] = {{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0},
                                        {"1", 1},   {"0", 0},  {"on", 1},   {"off", 0}};
    char chosen = 0;
    enum status status = read_choice(name, text, words, 8, "yes or no", &chosen, error);
    *value = chosen != 0;
    return status;
}

static enum status read_escape(struct csv_dialect *dialect, const char *text, struct error *error)
{
    if (strcasecmp(text, "doubled") == 0) {
        dialect->escape = dialect->quote;
        return STATUS_OK;
    }
    if (strcasecmp(text, "backslash") == 0 || strcmp(text, "\\") == 0) {
        dialect->escape = '\\';
        return STATUS_OK;
    }
    return bad_value("escape", text, "doubled or backslash", error);
}

static enum status read_null(struct csv_dialect *dialect, const char *text, struct arena *arena,
                             struct error *error)
{
    size_t length = strlen(text);
    if (length > NULL_BYTES_MAX) {
        return error_set(error, ERROR_BAD_VALUE, "null", "it is longer than %d bytes",
                         NULL_BYTES_MAX);
    }
    dialect->null_text = arena_copy(arena, text, length);
    dialect->null_length = length;
    return STATUS_OK;
}

static bool is_utf8_name(const char *text)
{
    return strcasecmp(text, "utf-8") == 0 || strcasecmp(text, "utf8") == 0;
}

static enum status read_encoding(struct csv_dialect *dialect, const char *text, struct arena *arena,
                                 struct error *error)
{
    if (is_utf8_name(text)) {
        dialect->encoding = NULL;
        return STATUS_OK;
    }
    bool plain = text[0] != '\0' && strlen(text) <= ENCODING_BYTES_MAX &&
                 strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"
                              "()+") == strlen(text);
    iconv_t there = plain ? iconv_open("UTF-8", text) : (iconv_t)-1;
    if (there == (iconv_t)-1) {
        error_set(error, ERROR_BAD_VALUE, "encoding", "no encoding is called \"%.60s\"", text);
        return error_hint(
            error, "utf-8, utf-16, latin1, windows-1252 and what `iconv -l` lists are known");
    }
    iconv_close(there);
    dialect->encoding = arena_copy_string(arena, text);
    return STATUS_OK;
}

enum status csv_dialect_set(struct csv_dialect *dialect, const char *name, const char *text,
                            struct arena *arena, struct error *error)
{
    static const struct word line_ends[] = {
        {"lf", CSV_LINE_LF}, {"crlf", CSV_LINE_CRLF}, {"cr", CSV_LINE_CR}};
    static const struct word forms[] = {{"hex", CSV_BYTES_HEX}, {"base64", CSV_BYTES_BASE64}};
    char chosen = 0;
    enum status status;
    if (strcmp(name, "delimiter") == 0) {
        return read_character(name, text, false, &dialect->delimiter, error);
    }
    if (strcmp(name, "quote") == 0) {
        bool doubled = dialect->escape == dialect->quote;
        status = read_character(name, text, true, &dialect->quote, error);
        dialect->escape = doubled ? dialect->quote : dialect->escape;
        return status;
    }
    if (strcmp(name, "escape") == 0) {
        return read_escape(dialect, text, error);
    }
    if (strcmp(name, "comment") == 0) {
        return read_character(name, text, true, &dialect->comment, error);
    }
    if (strcmp(name, "header") == 0) {
        return read_boolean(name, text, &dialect->header, error);
    }
    if (strcmp(name, "bom") == 0) {
        return read_boolean(name, text, &dialect->bom, error);
    }
    if (strcmp(name, "null") == 0) {
        return read_null(dialect, text, arena, error);
    }
    if (strcmp(name, "encoding") == 0) {
        return read_encoding(dialect, text, arena, error);
    }
    if (strcmp(name, "line_end") == 0) {
        status = read_choice(name, text, line_ends, 3, "lf, crlf or cr", &chosen, error);
        dialect->line_end = (enum csv_line_end)chosen;
        return status;
    }
    if (strcmp(name, "bytes") == 0) {
        status = read_choice(name, text, forms, 2, "hex or base64", &chosen, error);
        dialect->bytes_form = (enum csv_bytes_form)chosen;
        return status;
    }
    return STATUS_END;
}

enum status csv_dialect_check(const struct csv_dialect *dialect, struct error *error)
{
    const char bytes[] = {dialect->delimiter, dialect->quote,
                          dialect->escape == dialect->quote ? '\0' : dialect->escape,
                          dialect->comment, '\0'};
    for (size_t at = 0; at < sizeof bytes; at++) {
        for (size_t other = at + 1; bytes[at] != 0 && other < sizeof bytes; other++) {
            if (bytes[at] == bytes[other]) {
                return error_set(error, ERROR_BAD_VALUE, NULL,
                                 "delimiter, quote, escape and comment are not all different");
            }
        }
    }
    if (dialect->quote == 0 && dialect->escape != 0) {
        return error_set(error, ERROR_BAD_VALUE, "escape",
                         "it works within quotes only, and quote=none says there are none");
    }
    for (size_t at = 0; at < dialect->null_length; at++) {
        char byte = dialect->null_text[at];
        if (byte == dialect->delimiter || byte == '\n' || byte == '\r' ||
            (dialect->quote != 0 && byte == dialect->quote)) {
            return error_set(error, ERROR_BAD_VALUE, "null",
                             "the text of a null can hold no delimiter, quote or line end");
        }
    }
    if (dialect->comment != 0 && dialect->null_length > 0 &&
        dialect->null_text[0] == dialect->comment) {
        return error_set(error, ERROR_BAD_VALUE, "null",
                         "the text of a null can't begin like a comment");
    }
    return STATUS_OK;
}
