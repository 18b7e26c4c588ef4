/* Reading a statement token by token. A cursor is a value: a copy of it is a place to go back to.
 */
#ifndef TRANSHUME_SQL_CURSOR_H
#define TRANSHUME_SQL_CURSOR_H

#include "sql/split.h"

struct sql_cursor {
    struct sql_lexer lexer;
    struct sql_token token; /* the next one, a comment never */
    const char *behind;     /* the end of the token before it; the text's beginning */
};

void sql_cursor_init(struct sql_cursor *cursor, enum sql_language language, const char *text,
                     size_t length, const struct sql_place *place);
/* At the first token of what is sent of a statement. */
void sql_cursor_of_piece(struct sql_cursor *cursor, enum sql_language language,
                         const struct sql_piece *piece);
void sql_advance(struct sql_cursor *cursor);
bool sql_at_end(const struct sql_cursor *cursor);
bool sql_at(const struct sql_cursor *cursor, const char *word);
bool sql_at_mark(const struct sql_cursor *cursor, char mark);
/* "IF NOT EXISTS": do these words follow one another from here? */
bool sql_at_words(const struct sql_cursor *cursor, const char *words);
/* "SELECT|VALUES|TABLE": is the next one of these? */
bool sql_at_one_of(const struct sql_cursor *cursor, const char *words);
/* The same, and steps over what was found; where it is not, nothing moves. */
bool sql_take(struct sql_cursor *cursor, const char *word);
bool sql_take_mark(struct sql_cursor *cursor, char mark);
bool sql_take_words(struct sql_cursor *cursor, const char *words);
bool sql_take_one_of(struct sql_cursor *cursor, const char *words);
/* Over parentheses or brackets and what is in them; without such, over one token. */
void sql_skip_group(struct sql_cursor *cursor);
/* To the next comma or closing parenthesis outside parentheses and brackets, or to the end. */
void sql_skip_clause(struct sql_cursor *cursor);

/* "a", "a.b" or "a.b.c". */
struct sql_name {
    const char *catalog; /* of three parts, the first; NULL: not said */
    const char *space;   /* the schema, or a database; NULL: not said */
    const char *name;    /* NULL: there was none */
    struct sql_place place;
};

/* Takes one; false: no name is next. */
bool sql_take_name(struct sql_cursor *cursor, struct arena *arena, struct sql_name *name);

#endif
