#include "design/input/union.h"
#include <string.h>
#include <strings.h>

bool union_may_be_in(const char *text, size_t length)
{
    static const char word[] = "union";
    const char *end = text + length;
    for (const char *at = text; (size_t)(end - at) >= sizeof word - 1; at++) {
        if ((*at == 'u' || *at == 'U') && strncasecmp(at, word, sizeof word - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* Without ALL or DISTINCT in front and parentheses around it. */
static struct text trimmed(enum sql_language language, struct text part)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, language, part.data, part.length, NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    if (sql_token_is_word(&token, "ALL") || sql_token_is_word(&token, "DISTINCT")) {
        token = sql_lexer_next_code(&lexer);
    }
    size_t skipped = (size_t)(token.text - part.data);
    part.data += skipped;
    part.length -= skipped;
    while (part.length > 0 && strchr(" \t\r\n;", part.data[part.length - 1]) != NULL) {
        part.length--;
    }
    if (part.length > 1 && part.data[0] == '(' && part.data[part.length - 1] == ')') {
        part.data++;
        part.length -= 2;
    }
    return part;
}

static void add_part(enum sql_language language, const char *begin, const char *end,
                     struct buffer *parts)
{
    const struct text part = trimmed(language, (struct text){begin, (size_t)(end - begin)});
    buffer_append(parts, &part, sizeof part);
}

static bool is_either(const struct sql_token *token, const char *first, const char *second)
{
    return sql_token_is_word(token, first) || sql_token_is_word(token, second);
}

uint32_t union_split(enum sql_language language, struct text statement, struct buffer *parts)
{
    struct sql_lexer lexer;
    uint32_t depth = 0;
    const char *begin = statement.data;
    const char *end = NULL; /* of the last part: what follows is the whole's */
    sql_lexer_init(&lexer, language, statement.data, statement.length, NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    if (!sql_token_is_word(&token, "SELECT") && !sql_token_is_mark(&token, '(')) {
        return 0;
    }
    for (; token.kind != SQL_TOKEN_END; token = sql_lexer_next_code(&lexer)) {
        depth += sql_token_is_mark(&token, '(') ? 1 : 0;
        depth -= sql_token_is_mark(&token, ')') && depth > 0 ? 1 : 0;
        if (depth > 0) {
            continue;
        }
        if (is_either(&token, "INTERSECT", "EXCEPT")) {
            return 0;
        }
        if (sql_token_is_word(&token, "UNION")) {
            add_part(language, begin, token.text, parts);
            begin = lexer.position;
            end = NULL;
        } else if (end == NULL && is_either(&token, "ORDER", "LIMIT")) {
            end = token.text;
        }
    }
    add_part(language, begin, end != NULL ? end : statement.data + statement.length, parts);
    uint32_t count = (uint32_t)(parts->length / sizeof(struct text));
    return count > 1 ? count : 0;
}
