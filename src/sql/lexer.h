/* Tokens of SQL in the dialects of PostgreSQL, MySQL and MariaDB, SQLite, and of Cassandra's CQL.
 */
#ifndef TRANSHUME_SQL_LEXER_H
#define TRANSHUME_SQL_LEXER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "sql/language.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_COMMENT,   /* also the two ends of MySQL's conditional comments, whose contents are
                            code */
    SQL_TOKEN_WORD,      /* a keyword or a name without quotes */
    SQL_TOKEN_NAME,      /* a name in quotes: "x", `x`, [x] */
    SQL_TOKEN_STRING,    /* 'x', E'x', N'x', X'ff', $tag$x$tag$; MySQL: also "x" */
    SQL_TOKEN_NUMBER,    /* 1, 1.5e-3, 0xff */
    SQL_TOKEN_PARAMETER, /* ?, ?1, $1, :name, @name, %s, %(name)s, and the digests' "..." */
    SQL_TOKEN_OPERATOR,  /* one or more of + - * / < > = ~ ! @ # % ^ & | ? : and "::" */
    SQL_TOKEN_MARK       /* one of ( ) [ ] { } , ; . \ or a byte that begins nothing */
};

/* How a text quotes otherwise than its dialect does by itself (quoting.h). */
enum {
    SQL_QUOTING_BACKSLASHES = 1,    /* PostgreSQL: 'x' is read as E'x' */
    SQL_QUOTING_NO_BACKSLASHES = 2, /* MySQL: a backslash is a backslash */
    SQL_QUOTING_NAMES = 4           /* MySQL: "x" is a name */
};

/* Where a token begins. Lines and columns count from 1; a column is a character of UTF-8. */
struct sql_place {
    size_t offset;
    uint32_t line;
    uint32_t column;
};

struct sql_token {
    enum sql_token_kind kind;
    const char *text; /* borrowed, quotes included */
    size_t length;
    struct sql_place place;
    bool unterminated; /* the text ends inside a string, a quoted name or a comment */
    uint8_t quoting;   /* SQL_QUOTING_… */
};

/*
 * Reads a text that the caller keeps. It never fails: a byte that begins no token is a mark, and a
 * text that ends inside a string, a quoted name or a comment ends with an unterminated token.
 */
struct sql_lexer {
    enum sql_language language;
    const char *start;
    const char *position;
    const char *end;
    struct sql_place place; /* of `position` */
    uint8_t quoting;        /* SQL_QUOTING_…, from here on */
};

/* `place` is that of the text's first byte in its file; NULL: the file's first. */
void sql_lexer_init(struct sql_lexer *lexer, enum sql_language language, const char *text,
                    size_t length, const struct sql_place *place);
/* SQL_TOKEN_END at the end, again and again. */
struct sql_token sql_lexer_next(struct sql_lexer *lexer);
/* The next one that is no comment. */
struct sql_token sql_lexer_next_code(struct sql_lexer *lexer);
/* Moves `position` to a later place of the text, for callers that read some of it themselves. */
void sql_lexer_skip_to(struct sql_lexer *lexer, const char *position);

/* An unquoted word, without ASCII case. */
bool sql_token_is_word(const struct sql_token *token, const char *word);
bool sql_token_is_mark(const struct sql_token *token, char mark);
bool sql_token_is_operator(const struct sql_token *token, const char *text);
/* May it be a name: a word or a name in quotes; in MySQL also "x", as ANSI_QUOTES reads it. */
bool sql_token_is_name(const struct sql_token *token, enum sql_language language);
/* The name without its quotes; an unquoted one of PostgreSQL and of CQL in lower case, as its
 * server has it.
 */
char *sql_token_name(const struct sql_token *token, enum sql_language language,
                     struct arena *arena);
/* Appends what a string stands for: without quotes, doubled quotes and escapes. Of bits and bytes
 * (X'ff') the digits. */
void sql_token_append_string(const struct sql_token *token, enum sql_language language,
                             struct buffer *out);

/* Which dialect a text is likely to be in, by its beginning: quotes, types, a dump's own comments.
 * Where nothing shows, `otherwise`. */
enum sql_language sql_language_recognise(const char *text, size_t length,
                                         enum sql_language otherwise);
/* "PostgreSQL", "MySQL", "SQLite", "CQL" */
const char *sql_language_name(enum sql_language language);

#endif
