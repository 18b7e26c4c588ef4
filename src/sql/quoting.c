#include "sql/quoting.h"
#include <string.h>
#include <strings.h>

bool sql_quoting_escapes(enum sql_language language, uint8_t quoting)
{
    return language == SQL_MYSQL ? (quoting & SQL_QUOTING_NO_BACKSLASHES) == 0
                                 : (quoting & SQL_QUOTING_BACKSLASHES) != 0;
}

/* Is the word one of a list with commas between? */
static bool holds_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',' ? 1 : 0;
        at += strspn(at, " ");
        if (strncasecmp(at, word, length) == 0 && strchr(", ", at[length]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Modes that stand for ANSI_QUOTES among others. */
static bool quotes_names(const char *modes)
{
    static const char *const words[] = {"ANSI_QUOTES", "ANSI",   "DB2",       "MAXDB",
                                        "MSSQL",       "ORACLE", "POSTGRESQL"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (holds_word(modes, words[i])) {
            return true;
        }
    }
    return false;
}

static uint8_t quoting_of_modes(const char *modes)
{
    int names = quotes_names(modes) ? SQL_QUOTING_NAMES : 0;
    int plain = holds_word(modes, "NO_BACKSLASH_ESCAPES") ? SQL_QUOTING_NO_BACKSLASHES : 0;
    return (uint8_t)(names | plain);
}

void sql_quoting_set(enum sql_language language, const char *name, const char *value,
                     uint8_t *quoting)
{
    static const char *const off[] = {"off", "false", "no", "0", "f"};
    if (language == SQL_MYSQL && strcasecmp(name, "sql_mode") == 0) {
        *quoting = value != NULL ? quoting_of_modes(value) : 0;
    } else if (language == SQL_POSTGRES && strcasecmp(name, "standard_conforming_strings") == 0) {
        *quoting = 0;
        for (size_t i = 0; value != NULL && i < sizeof(off) / sizeof(off[0]); i++) {
            *quoting = strcasecmp(value, off[i]) == 0 ? SQL_QUOTING_BACKSLASHES : *quoting;
        }
    }
}

const char *sql_take_setting(struct sql_cursor *at, struct arena *arena)
{
    const char *name = NULL;
    sql_take_one_of(at, "SESSION|GLOBAL|LOCAL|PERSIST");
    for (;;) {
        if (at->token.kind == SQL_TOKEN_PARAMETER) {
            const char *text = at->token.text;
            bool system = at->token.length > 2 && text[0] == '@' && text[1] == '@';
            name = system ? arena_copy(arena, text + 2, at->token.length - 2) : NULL;
        } else if (at->token.kind == SQL_TOKEN_WORD) {
            name = arena_copy(arena, at->token.text, at->token.length);
        } else {
            return name;
        }
        sql_advance(at);
        if (!sql_take_mark(at, '.')) {
            return name;
        }
    }
}

/* The content of a clause beside strings. */
struct clause {
    bool adds;     /* names the setting itself: CONCAT(@@sql_mode, ',ANSI_QUOTES') */
    bool removes;  /* REPLACE(@@sql_mode, 'ANSI_QUOTES', '') */
    bool is_known; /* a string, a word or a number is there */
};

/* Reads up to the next comma outside parentheses; the strings go to `value`, with commas between.
 */
static struct clause read_clause(struct sql_cursor *at, struct buffer *value)
{
    struct clause clause = {0};
    uint32_t depth = 0;
    while (!sql_at_end(at) && (depth > 0 || !sql_at_mark(at, ','))) {
        const struct sql_token *token = &at->token;
        depth += sql_at_mark(at, '(');
        depth -= depth > 0 && sql_at_mark(at, ')');
        bool text = token->kind == SQL_TOKEN_STRING || token->kind == SQL_TOKEN_NAME;
        if (text ||
            (depth == 0 && (token->kind == SQL_TOKEN_WORD || token->kind == SQL_TOKEN_NUMBER) &&
             !sql_at(at, "DEFAULT"))) {
            buffer_append_byte(value, ',');
            if (token->kind == SQL_TOKEN_STRING) {
                sql_token_append_string(token, at->lexer.language, value);
            } else {
                buffer_append(value, token->text + (token->kind == SQL_TOKEN_NAME),
                              token->length - (token->kind == SQL_TOKEN_NAME ? 2 : 0));
            }
            clause.is_known = true;
        }
        clause.removes = clause.removes || sql_at(at, "REPLACE");
        clause.adds =
            clause.adds || (token->kind == SQL_TOKEN_PARAMETER && token->length >= 8 &&
                            strncasecmp(token->text + token->length - 8, "sql_mode", 8) == 0 &&
                            token->text[1] == '@');
        sql_advance(at);
    }
    return clause;
}

static void see_one(struct sql_cursor *at, const char *name, uint8_t *quoting)
{
    struct buffer value = {0};
    struct clause clause = read_clause(at, &value);
    const char *text = buffer_string(&value);
    text += *text == ',';
    if (name != NULL && clause.adds && at->lexer.language == SQL_MYSQL &&
        strcasecmp(name, "sql_mode") == 0) {
        uint8_t named = quoting_of_modes(text);
        *quoting = clause.removes ? (uint8_t)(*quoting & ~named) : (uint8_t)(*quoting | named);
    } else if (name != NULL) {
        sql_quoting_set(at->lexer.language, name, clause.is_known ? text : NULL, quoting);
    }
    buffer_free(&value);
}

void sql_quoting_see(enum sql_language language, const struct sql_piece *piece, uint8_t *quoting)
{
    struct sql_cursor at;
    bool sets = piece->length > 4 && strncasecmp(piece->text, "SET", 3) == 0;
    bool resets = piece->length > 6 && strncasecmp(piece->text, "RESET", 5) == 0;
    if ((!sets && !resets) || (language != SQL_MYSQL && language != SQL_POSTGRES)) {
        return;
    }
    struct arena *arena = arena_create(1024);
    sql_cursor_of_piece(&at, language, piece);
    if (sql_take(&at, "RESET")) {
        const char *name = sql_take_setting(&at, arena);
        if (name != NULL && strcasecmp(name, "ALL") == 0) {
            *quoting = 0;
        } else if (name != NULL) {
            sql_quoting_set(language, name, NULL, quoting);
        }
    } else if (sql_take(&at, "SET")) {
        do {
            const char *name = sql_take_setting(&at, arena);
            if (sql_token_is_operator(&at.token, "=") || sql_token_is_operator(&at.token, ":=") ||
                sql_at(&at, "TO")) {
                sql_advance(&at);
            }
            see_one(&at, name, quoting);
        } while (sql_take_mark(&at, ','));
    }
    arena_destroy(arena);
}
