#include "sql/rename.h"

#include "base/buffer.h"
#include "sql/lexer.h"
#include <string.h>

static bool is_alone(const struct sql_token *token, const struct sql_token *next,
                     enum sql_language language)
{
    return sql_token_is_name(token, language) && !sql_token_is_mark(next, '(') &&
           !sql_token_is_mark(next, '.');
}

const char *sql_rename_column(enum sql_language language, const char *text, const char *from,
                              const char *to, struct arena *arena)
{
    struct sql_lexer lexer;
    struct buffer out = {0};
    const char *copied = text;
    bool bound = false; /* to what stands in front of it */
    sql_lexer_init(&lexer, language, text, strlen(text), NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    while (token.kind != SQL_TOKEN_END) {
        struct sql_token next = sql_lexer_next_code(&lexer);
        if (!bound && is_alone(&token, &next, language) &&
            strcmp(sql_token_name(&token, language, arena), from) == 0) {
            buffer_append(&out, copied, (size_t)(token.text - copied));
            buffer_append_string(&out, to);
            copied = token.text + token.length;
        }
        bound = sql_token_is_mark(&token, '.') || sql_token_is_operator(&token, "::");
        token = next;
    }
    buffer_append_string(&out, copied);
    const char *renamed = arena_copy(arena, buffer_string(&out), out.length);
    buffer_free(&out);
    return renamed;
}
