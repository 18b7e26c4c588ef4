/* A statement of any dialect as PostgreSQL's parser takes it. */
#ifndef TRANSHUME_DESIGN_INPUT_REWRITE_H
#define TRANSHUME_DESIGN_INPUT_REWRITE_H

#include "base/buffer.h"
#include "sql/lexer.h"

/* The byte `to` of the rewritten text comes from the byte `from` of the statement. */
struct rewrite_step {
    uint32_t to;
    uint32_t from;
};

struct rewrite {
    enum sql_language language;
    struct buffer normal; /* for people: the statement's own words without comments, literals as
                             parameters */
    struct buffer shape;  /* what `normal` lost and a design depends on: patterns of LIKE */
    struct buffer sql;    /* for the parser: parameters are $1, $2 …; NUL behind it */
    struct buffer steps;  /* struct rewrite_step, upwards */
    struct buffer tokens; /* struct sql_token, without comments */
    uint32_t token_count;
    uint32_t rows;       /* behind VALUES; only the first of them is in `normal` and `sql` */
    uint32_t rows_begin; /* tokens of the others */
    uint32_t rows_end;
    bool truncated; /* it ends with "...", as a digest that was cut off */
};

enum {
    REWRITE_TOKENS_MAX = 20000, /* what goes deeper or on for longer costs the parser its stack */
    REWRITE_DEPTH_MAX = 200
};

/* Reads a statement, which stays where it is, and makes its normal form. False: more tokens or
 * deeper parentheses than that, or a string that does not end. Free the result in any case. */
bool rewrite_read(enum sql_language language, const char *text, size_t length,
                  struct rewrite *rewrite);
/* Makes `sql`, which takes longer. */
void rewrite_make_sql(struct rewrite *rewrite);
void rewrite_free(struct rewrite *rewrite);
/* Where in the statement a byte of `sql` comes from. */
size_t rewrite_origin(const struct rewrite *rewrite, size_t offset);

#endif
