/* Reads from the text of a CREATE TABLE what no pragma tells: CHECK texts, names and deferral of
 * foreign keys. */
#include "connectors/sqlite/source.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct token {
    const char *text;
    size_t length;
    bool word; /* unquoted */
};

static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$";

static const char *skip_blanks(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f");
        if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            at = end != NULL ? end + 2 : at + strlen(at);
        } else {
            return at;
        }
    }
}

static const char *skip_quoted(const char *at, char close)
{
    for (at++; *at != '\0'; at++) {
        if (*at == close) {
            if (close == ']' || at[1] != close) {
                return at + 1;
            }
            at++;
        }
    }
    return at;
}

/* False at the end of the text. */
static bool next_token(const char **at, struct token *token)
{
    const char *start = skip_blanks(*at);
    const char *end = start;

    if (*start == '\0') {
        return false;
    }
    *token = (struct token){.text = start};
    if (*start == '"' || *start == '`' || *start == '\'') {
        end = skip_quoted(start, *start);
    } else if (*start == '[') {
        end = skip_quoted(start, ']');
    } else {
        while (*end != '\0' && (strchr(word_bytes, *end) != NULL || (unsigned char)*end >= 0x80)) {
            end++;
        }
        token->word = end > start;
        end += end == start;
    }
    token->length = (size_t)(end - start);
    *at = end;
    return true;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->word && token->length == strlen(word) &&
           strncasecmp(token->text, word, token->length) == 0;
}

static bool is_byte(const struct token *token, char byte)
{
    return token->length == 1 && !token->word && token->text[0] == byte;
}

/* The name without its quotes. */
static const char *token_name(const struct token *token, struct arena *arena)
{
    if (token->word || token->length < 2) {
        return arena_copy(arena, token->text, token->length);
    }
    char close = token->text[0] == '[' ? ']' : token->text[0];
    char *name = arena_copy(arena, token->text + 1, token->length - 2);
    char *out = name;
    for (const char *in = name; *in != '\0'; in++) {
        *out++ = *in;
        in += *in == close && in[1] == close;
    }
    *out = '\0';
    return name;
}

struct create_reader {
    const char *at;
    struct arena *arena;
    struct buffer checks;
    struct buffer foreign_keys;
    const char *pending_name;
    int depth;
};

/* After CHECK: the text between its parentheses. */
static void read_check(struct create_reader *reader)
{
    struct token token;
    const char *start = NULL;
    int depth = 0;

    while (next_token(&reader->at, &token)) {
        if (is_byte(&token, '(') && depth++ == 0) {
            start = token.text + 1;
        } else if (is_byte(&token, ')') && --depth == 0) {
            const char *text = arena_copy(reader->arena, start, (size_t)(token.text - start));
            buffer_append(&reader->checks, &text, sizeof text);
            return;
        } else if (depth == 0) {
            return;
        }
    }
}

static void read_word(struct create_reader *reader, const struct token *token, bool after_not)
{
    static const char *const others[] = {"PRIMARY", "UNIQUE",    "NOT", "NULL", "DEFAULT",
                                         "COLLATE", "GENERATED", "AS",  NULL};
    struct token name;

    if (is_word(token, "CONSTRAINT")) {
        if (next_token(&reader->at, &name)) {
            reader->pending_name = token_name(&name, reader->arena);
        }
    } else if (is_word(token, "CHECK")) {
        read_check(reader);
        reader->pending_name = NULL;
    } else if (is_word(token, "REFERENCES")) {
        struct create_foreign_key key = {.name = reader->pending_name};
        buffer_append(&reader->foreign_keys, &key, sizeof key);
        reader->pending_name = NULL;
    } else if (is_word(token, "DEFERRABLE") && !after_not &&
               reader->foreign_keys.length >= sizeof(struct create_foreign_key)) {
        struct create_foreign_key *keys =
            (struct create_foreign_key *)(void *)reader->foreign_keys.data;
        keys[reader->foreign_keys.length / sizeof *keys - 1].deferrable = true;
    } else {
        for (const char *const *other = others; *other != NULL; other++) {
            if (is_word(token, *other)) {
                reader->pending_name = NULL;
            }
        }
    }
}

static void read_body(struct create_reader *reader)
{
    struct token token;
    bool after_not = false;

    while (next_token(&reader->at, &token)) {
        if (is_byte(&token, '(')) {
            reader->depth++;
        } else if (is_byte(&token, ')')) {
            reader->depth--;
        } else if (reader->depth == 1 && is_byte(&token, ',')) {
            reader->pending_name = NULL;
        } else if (reader->depth == 1 && token.word) {
            read_word(reader, &token, after_not);
        }
        after_not = is_word(&token, "NOT");
    }
}

void create_text_read(const char *sql, struct arena *arena, struct create_facts *facts)
{
    struct create_reader reader = {.at = sql, .arena = arena};

    *facts = (struct create_facts){0};
    read_body(&reader);
    facts->checks =
        (const char **)(void *)arena_copy(arena, reader.checks.data, reader.checks.length);
    facts->check_count = (uint32_t)(reader.checks.length / sizeof *facts->checks);
    facts->foreign_keys = (struct create_foreign_key *)(void *)arena_copy(
        arena, reader.foreign_keys.data, reader.foreign_keys.length);
    facts->foreign_key_count = (uint32_t)(reader.foreign_keys.length / sizeof *facts->foreign_keys);
    buffer_free(&reader.checks);
    buffer_free(&reader.foreign_keys);
}
