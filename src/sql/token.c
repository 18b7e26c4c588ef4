/* The meaning of a token: words, names, strings; and which dialect a text is in. */
#include "sql/lexer.h"
#include "sql/quoting.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

bool sql_token_is_word(const struct sql_token *token, const char *word)
{
    enum { CASE = 0x20 };
    /* words that begin with another letter are told apart without a call */
    return token->kind == SQL_TOKEN_WORD && ((token->text[0] ^ word[0]) & ~CASE) == 0 &&
           strlen(word) == token->length && strncasecmp(token->text, word, token->length) == 0;
}

bool sql_token_is_mark(const struct sql_token *token, char mark)
{
    return token->kind == SQL_TOKEN_MARK && token->text[0] == mark;
}

bool sql_token_is_operator(const struct sql_token *token, const char *text)
{
    return token->kind == SQL_TOKEN_OPERATOR && strlen(text) == token->length &&
           memcmp(token->text, text, token->length) == 0;
}

bool sql_token_is_name(const struct sql_token *token, enum sql_language language)
{
    return token->kind == SQL_TOKEN_WORD || token->kind == SQL_TOKEN_NAME ||
           (token->kind == SQL_TOKEN_STRING && language == SQL_MYSQL && token->text[0] == '"');
}

char *sql_token_name(const struct sql_token *token, enum sql_language language, struct arena *arena)
{
    if (token->kind == SQL_TOKEN_WORD) {
        char *name = arena_copy(arena, token->text, token->length);
        bool folds = language == SQL_POSTGRES || language == SQL_CQL;
        for (size_t i = 0; folds && i < token->length; i++) {
            name[i] =
                (char)((unsigned char)name[i] < 0x80 ? tolower((unsigned char)name[i]) : name[i]);
        }
        return name;
    }
    size_t quotes = token->unterminated ? 1 : 2;
    if (token->length < quotes) {
        return arena_copy(arena, token->text, token->length);
    }
    char close = token->text[0] == '[' ? '\0' : token->text[0];
    size_t length = token->length - quotes;
    char *name = arena_copy(arena, token->text + 1, length);
    size_t kept = 0;
    for (size_t i = 0; i < length; i++) {
        name[kept++] = name[i];
        i += name[i] == close && i + 1 < length && name[i + 1] == close;
    }
    name[kept] = '\0';
    return name;
}

/* ---------------------------------------------------------------- strings */

static char unescaped(char letter)
{
    static const char letters[][2] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'},  {'b', '\b'},
                                      {'f', '\f'}, {'0', '\0'}, {'Z', '\x1a'}};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        if (letters[i][0] == letter) {
            return letters[i][1];
        }
    }
    return letter;
}

static void append_quoted(const char *text, size_t length, char quote, bool backslashes,
                          struct buffer *out)
{
    for (size_t i = 0; i < length; i++) {
        if (backslashes && text[i] == '\\' && i + 1 < length) {
            i++;
            if (text[i] == '%' || text[i] == '_') {
                buffer_append_byte(out, '\\'); /* stays for LIKE */
            }
            buffer_append_byte(out, unescaped(text[i]));
            continue;
        }
        buffer_append_byte(out, text[i]);
        i += text[i] == quote && i + 1 < length && text[i + 1] == quote;
    }
}

static void append_dollar_quoted(const struct sql_token *token, struct buffer *out)
{
    const char *tag = memchr(token->text + 1, '$', token->length - 1);
    size_t open = tag != NULL ? (size_t)(tag + 1 - token->text) : token->length;
    size_t close = token->unterminated ? 0 : open;
    if (open + close <= token->length) {
        buffer_append(out, token->text + open, token->length - open - close);
    }
}

void sql_token_append_string(const struct sql_token *token, enum sql_language language,
                             struct buffer *out)
{
    size_t prefix = 0;
    if (token->length > 0 && token->text[0] == '$') {
        append_dollar_quoted(token, out);
        return;
    }
    while (prefix < token->length && token->text[prefix] != '\'' && token->text[prefix] != '"') {
        prefix++;
    }
    size_t taken = prefix + (token->unterminated ? 1 : 2);
    if (taken > token->length) {
        return;
    }
    bool escapes = sql_quoting_escapes(language, token->quoting) ||
                   (prefix == 1 && (token->text[0] == 'e' || token->text[0] == 'E'));
    append_quoted(token->text + prefix + 1, token->length - taken, token->text[prefix], escapes,
                  out);
}

/* ---------------------------------------------------------------- which dialect */

/* Signs that speak for a dialect, in the words of its own dump or of its types. */
static const struct {
    const char *text;
    enum sql_language language;
    uint8_t weight;
} signs[] = {
    {"PostgreSQL database dump", SQL_POSTGRES, 100},
    {"pg_catalog.", SQL_POSTGRES, 20},
    {"OWNER TO ", SQL_POSTGRES, 10},
    {"character varying", SQL_POSTGRES, 5},
    {"timestamp without time zone", SQL_POSTGRES, 10},
    {"timestamp with time zone", SQL_POSTGRES, 10},
    {"timestamptz", SQL_POSTGRES, 5},
    {"jsonb", SQL_POSTGRES, 5},
    {"bytea", SQL_POSTGRES, 5},
    {"serial", SQL_POSTGRES, 2},
    {"::", SQL_POSTGRES, 2},
    {"CREATE EXTENSION", SQL_POSTGRES, 20},
    {"GENERATED BY DEFAULT AS IDENTITY", SQL_POSTGRES, 10},
    {"$$", SQL_POSTGRES, 5},
    {"$1", SQL_POSTGRES, 3},
    {"MySQL dump", SQL_MYSQL, 100},
    {"MariaDB dump", SQL_MYSQL, 100},
    {"ENGINE=", SQL_MYSQL, 50},
    {"ENGINE =", SQL_MYSQL, 50},
    {"AUTO_INCREMENT", SQL_MYSQL, 20},
    {"/*!", SQL_MYSQL, 20},
    {"CHARSET", SQL_MYSQL, 5},
    {"UNSIGNED", SQL_MYSQL, 3},
    {"DELIMITER", SQL_MYSQL, 10},
    {"ON DUPLICATE KEY", SQL_MYSQL, 20},
    {"`", SQL_MYSQL, 2},
    {"PRAGMA ", SQL_SQLITE, 50},
    {"AUTOINCREMENT", SQL_SQLITE, 30},
    {"WITHOUT ROWID", SQL_SQLITE, 30},
    {"sqlite_sequence", SQL_SQLITE, 30},
    {"INSERT OR ", SQL_SQLITE, 20},
    {"INTEGER PRIMARY KEY", SQL_SQLITE, 3},
    {"CREATE VIRTUAL TABLE", SQL_SQLITE, 20},
    {"NVARCHAR", SQL_SQLITE, 2},
    {"[", SQL_SQLITE, 2},
};

enum sql_language sql_language_recognise(const char *text, size_t length,
                                         enum sql_language otherwise)
{
    enum { LOOKED_AT = 64 << 10 };
    uint32_t weights[3] = {0};
    struct buffer folded = {0};
    size_t looked = length < LOOKED_AT ? length : LOOKED_AT;
    buffer_append(&folded, text, looked);
    for (size_t i = 0; i < looked; i++) {
        folded.data[i] = folded.data[i] == '\0' ? ' ' : folded.data[i];
    }
    const char *all = buffer_string(&folded);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        weights[signs[i].language] += strcasestr(all, signs[i].text) != NULL ? signs[i].weight : 0;
    }
    buffer_free(&folded);
    enum sql_language best = otherwise;
    for (enum sql_language language = SQL_POSTGRES; language <= SQL_SQLITE; language++) {
        best = weights[language] > weights[best] ? language : best;
    }
    return best;
}

const char *sql_language_name(enum sql_language language)
{
    static const char *const names[] = {[SQL_POSTGRES] = "PostgreSQL",
                                        [SQL_MYSQL] = "MySQL",
                                        [SQL_SQLITE] = "SQLite",
                                        [SQL_CQL] = "CQL"};
    return names[language];
}
