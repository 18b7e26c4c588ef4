#ifndef TRANSHUME_DESIGN_INPUT_REWRITE_INTERNAL_H
#define TRANSHUME_DESIGN_INPUT_REWRITE_INTERNAL_H

#include "base/arena.h"
#include "base/name_index.h"
#include "design/input/rewrite.h"
#include <stdio.h>

struct rewriter {
    enum sql_language language;
    struct rewrite *out;
    struct arena *arena;
    const struct sql_token *tokens;
    size_t count;
    struct name_index parameters; /* those with names */
    uint32_t parameter_count;
    bool apart;          /* a blank stands before the next token */
    size_t set_at;       /* SET of INSERT … SET; 0: there is none */
    size_t against;      /* AGAINST of MATCH … AGAINST; 0: there is none */
    uint32_t depth;      /* of parentheses, of the token that rules look at */
    const char *joined;  /* "FROM others" of an UPDATE by a join, in front of WHERE */
    bool orders_dropped; /* ORDER BY and LIMIT of an UPDATE or DELETE go */
};

/* Writes what stands for the tokens from `at` on; 0: it does not apply. */
struct rewrite_rule {
    unsigned languages; /* bits by enum sql_language */
    const char *word;   /* that the token is; NULL: any */
    size_t (*apply)(struct rewriter *self, size_t at);
};

/* Ends with a rule without `apply`. */
extern const struct rewrite_rule rewrite_rules[];

/* One that is END where there is none. */
const struct sql_token *rewriter_token(const struct rewriter *self, size_t at);
bool rewriter_is(const struct rewriter *self, size_t at, const char *word);
bool rewriter_is_mark(const struct rewriter *self, size_t at, char mark);
/* `words` ends with NULL. */
bool rewriter_is_one_of(const struct rewriter *self, size_t at, const char *const *words);
/* Behind the parenthesis that closes the one at `at`; of any other token, behind it. */
size_t rewriter_group_end(const struct rewriter *self, size_t at);

/* Text that stands for the token at `at`. */
void rewriter_write(struct rewriter *self, size_t at, const char *text, size_t length);
void rewriter_write_string(struct rewriter *self, size_t at, const char *text);
void rewriter_copy(struct rewriter *self, size_t at);
void rewriter_parameter(struct rewriter *self, size_t at);
/* A name in double quotes. */
void rewriter_name(struct rewriter *self, size_t at);

#endif
