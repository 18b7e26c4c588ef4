#include "sql/cursor.h"
#include <string.h>
#include <strings.h>

void sql_cursor_init(struct sql_cursor *cursor, enum sql_language language, const char *text,
                     size_t length, const struct sql_place *place)
{
    cursor->behind = text;
    sql_lexer_init(&cursor->lexer, language, text, length, place);
    cursor->token = sql_lexer_next_code(&cursor->lexer);
}

void sql_cursor_of_piece(struct sql_cursor *cursor, enum sql_language language,
                         const struct sql_piece *piece)
{
    cursor->behind = piece->text;
    sql_lexer_init(&cursor->lexer, language, piece->text, piece->length, &piece->place);
    cursor->lexer.quoting = piece->quoting;
    cursor->token = sql_lexer_next_code(&cursor->lexer);
}

void sql_advance(struct sql_cursor *cursor)
{
    cursor->behind = cursor->token.text + cursor->token.length;
    cursor->token = sql_lexer_next_code(&cursor->lexer);
}

bool sql_at_end(const struct sql_cursor *cursor)
{
    return cursor->token.kind == SQL_TOKEN_END;
}

bool sql_at(const struct sql_cursor *cursor, const char *word)
{
    return sql_token_is_word(&cursor->token, word);
}

bool sql_at_mark(const struct sql_cursor *cursor, char mark)
{
    return sql_token_is_mark(&cursor->token, mark);
}

static bool is_word(const struct sql_token *token, const char *word, size_t length)
{
    return token->kind == SQL_TOKEN_WORD && token->length == length &&
           strncasecmp(token->text, word, length) == 0;
}

bool sql_take_words(struct sql_cursor *cursor, const char *words)
{
    const struct sql_cursor before = *cursor;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (!is_word(&cursor->token, words, length)) {
            *cursor = before;
            return false;
        }
        sql_advance(cursor);
        words += length + (words[length] == ' ');
    }
    return true;
}

bool sql_at_words(const struct sql_cursor *cursor, const char *words)
{
    struct sql_cursor ahead = *cursor;
    return sql_take_words(&ahead, words);
}

bool sql_at_one_of(const struct sql_cursor *cursor, const char *words)
{
    while (*words != '\0') {
        size_t length = strcspn(words, "|");
        if (is_word(&cursor->token, words, length)) {
            return true;
        }
        words += length + (words[length] == '|');
    }
    return false;
}

static bool step_if(struct sql_cursor *cursor, bool found)
{
    if (found) {
        sql_advance(cursor);
    }
    return found;
}

bool sql_take(struct sql_cursor *cursor, const char *word)
{
    return step_if(cursor, sql_at(cursor, word));
}

bool sql_take_mark(struct sql_cursor *cursor, char mark)
{
    return step_if(cursor, sql_at_mark(cursor, mark));
}

bool sql_take_one_of(struct sql_cursor *cursor, const char *words)
{
    return step_if(cursor, sql_at_one_of(cursor, words));
}

void sql_skip_group(struct sql_cursor *cursor)
{
    uint32_t depth = 0;
    do {
        depth += sql_at_mark(cursor, '(') || sql_at_mark(cursor, '[');
        depth -= depth > 0 && (sql_at_mark(cursor, ')') || sql_at_mark(cursor, ']'));
        sql_advance(cursor);
    } while (depth > 0 && !sql_at_end(cursor));
}

void sql_skip_clause(struct sql_cursor *cursor)
{
    while (!sql_at_end(cursor) && !sql_at_mark(cursor, ',') && !sql_at_mark(cursor, ')')) {
        sql_skip_group(cursor);
    }
}

bool sql_take_name(struct sql_cursor *cursor, struct arena *arena, struct sql_name *name)
{
    enum sql_language language = cursor->lexer.language;
    *name = (struct sql_name){.place = cursor->token.place};
    while (sql_token_is_name(&cursor->token, language)) {
        name->catalog = name->space;
        name->space = name->name;
        name->name = sql_token_name(&cursor->token, language, arena);
        sql_advance(cursor);
        struct sql_cursor ahead = *cursor;
        if (!sql_take_mark(&ahead, '.') || !sql_token_is_name(&ahead.token, language)) {
            break;
        }
        *cursor = ahead;
    }
    return name->name != NULL;
}
