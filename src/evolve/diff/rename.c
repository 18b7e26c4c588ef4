/* Objects that were said to be renamed: on the command line, and in comments of SQL files. */
#include "base/text.h"
#include "evolve/diff/diff_internal.h"
#include "sql/lexer.h"
#include <string.h>

static void rename_add(struct diff_renames *renames, struct arena *arena, struct diff_rename rename)
{
    renames->items = arena_make_room(arena, renames->items, renames->count, &renames->capacity,
                                     sizeof *renames->items);
    renames->items[renames->count++] = rename;
}

/* ---------------------------------------------------------------- old=new */

enum status diff_renames_parse(const char *given, struct arena *arena, struct diff_renames *renames,
                               struct error *error)
{
    char *old_name = arena_copy_string(arena, given);
    char *new_name = strchr(old_name, '=');
    if (new_name == NULL || new_name == old_name || new_name[1] == '\0') {
        error_set(error, ERROR_USAGE, given, "a renaming is OLD=NEW, of a column TABLE.OLD=NEW");
        return STATUS_FAILED;
    }
    *new_name++ = '\0';
    char *last = strrchr(old_name, '.');
    struct diff_rename rename = {.kind = "table", .old_name = old_name, .new_name = new_name};
    if (last != NULL) {
        *last = '\0';
        rename = (struct diff_rename){
            .kind = "column", .table = old_name, .old_name = last + 1, .new_name = new_name};
        char *dot = strrchr(old_name, '.');
        if (dot != NULL) {
            *dot = '\0';
            rename.schema = old_name;
            rename.table = dot + 1;
        }
    }
    rename_add(renames, arena, rename);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- -- @rename from=old */

/* Where in a CREATE the reader is. */
struct reader {
    struct sql_lexer lexer;
    enum sql_language language;
    struct arena *arena;
    struct diff_renames *renames;
    const char *pending; /* an old name, for what comes next */
    uint32_t code_line;  /* of the last token that is no comment */
    uint32_t words;      /* tokens of the statement so far */
    bool creates;        /* it begins with CREATE */
    bool named;          /* its name is read */
    bool begins;         /* the next token begins a part of the table's body */
    int depth;
    struct diff_rename object; /* what the statement makes */
    struct diff_rename part;   /* the column or key that was begun last */
};

static void rename_say(struct reader *reader, struct diff_rename *what, const char *old_name)
{
    if (what->kind != NULL && what->new_name != NULL) {
        struct diff_rename rename = *what;
        rename.old_name = old_name;
        rename_add(reader->renames, reader->arena, rename);
    }
}

/* The old name in a comment; NULL: it speaks of none. */
static const char *old_name_in(const struct sql_token *comment, struct arena *arena)
{
    static const char *const marks[] = {"@rename from=", "@renamed from="};
    char *text = arena_copy(arena, comment->text, comment->length);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        char *at = strstr(text, marks[i]);
        if (at == NULL) {
            continue;
        }
        at += strlen(marks[i]);
        char *end = at + strcspn(at, " \t\r\n,*");
        if (*at == '"' || *at == '`') {
            char quote = *at++;
            end = strchr(at, quote);
            end = end != NULL ? end : at + strlen(at);
        }
        *end = '\0';
        char *dot = strrchr(at, '.');
        return *at == '\0' ? NULL : dot != NULL && dot[1] != '\0' ? dot + 1 : at;
    }
    return NULL;
}

static void read_comment(struct reader *reader, const struct sql_token *comment)
{
    const char *old_name = old_name_in(comment, reader->arena);
    if (old_name == NULL) {
        return;
    }
    if (comment->place.line != reader->code_line) {
        reader->pending = old_name;
    } else if (reader->part.new_name != NULL && reader->depth > 0) {
        rename_say(reader, &reader->part, old_name);
    } else {
        rename_say(reader, &reader->object, old_name);
    }
}

static const char *keyword_kind(const struct sql_token *token)
{
    static const char *const kinds[] = {"table",  "index",    "view",    "sequence", "type",
                                        "domain", "function", "trigger", "schema"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (sql_token_is_word(token, kinds[i])) {
            return kinds[i];
        }
    }
    return NULL;
}

static bool is_filler(const struct sql_token *token)
{
    return sql_token_is_word(token, "if") || sql_token_is_word(token, "not") ||
           sql_token_is_word(token, "exists") || sql_token_is_word(token, "concurrently");
}

static void take_pending(struct reader *reader, struct diff_rename *what)
{
    if (reader->pending != NULL) {
        rename_say(reader, what, reader->pending);
        reader->pending = NULL;
    }
}

static void read_head(struct reader *reader, const struct sql_token *token)
{
    if (reader->object.kind == NULL) {
        reader->object.kind = keyword_kind(token);
        return;
    }
    if (is_filler(token)) {
        return;
    }
    if (sql_token_is_name(token, reader->language)) {
        reader->object.schema = reader->object.new_name;
        reader->object.new_name = sql_token_name(token, reader->language, reader->arena);
        struct sql_lexer ahead = reader->lexer;
        struct sql_token next = sql_lexer_next_code(&ahead);
        reader->named = !sql_token_is_mark(&next, '.');
        if (reader->named) {
            take_pending(reader, &reader->object);
        }
    }
}

static bool begins_key(const struct sql_token *token)
{
    static const char *const words[] = {"primary", "unique",  "constraint", "foreign",
                                        "check",   "key",     "index",      "fulltext",
                                        "spatial", "exclude", "like"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sql_token_is_word(token, words[i])) {
            return true;
        }
    }
    return false;
}

/* The first name behind the words of a key. */
static void read_key(struct reader *reader, const struct sql_token *first)
{
    struct sql_lexer ahead = reader->lexer;
    struct sql_token token = *first;
    bool constraint = sql_token_is_word(first, "constraint");
    while (token.kind == SQL_TOKEN_WORD && begins_key(&token)) {
        token = sql_lexer_next_code(&ahead);
    }
    if (sql_token_is_name(&token, reader->language)) {
        reader->part = (struct diff_rename){
            .kind = constraint ? "constraint" : "index",
            .schema = reader->object.schema,
            .table = reader->object.new_name,
            .new_name = sql_token_name(&token, reader->language, reader->arena),
        };
        take_pending(reader, &reader->part);
    }
}

static void read_part(struct reader *reader, const struct sql_token *token)
{
    reader->begins = false;
    reader->part = (struct diff_rename){0};
    if (token->kind == SQL_TOKEN_WORD && begins_key(token)) {
        read_key(reader, token);
    } else if (sql_token_is_name(token, reader->language)) {
        reader->part = (struct diff_rename){
            .kind = "column",
            .schema = reader->object.schema,
            .table = reader->object.new_name,
            .new_name = sql_token_name(token, reader->language, reader->arena),
        };
        take_pending(reader, &reader->part);
    }
}

static void begin_statement(struct reader *reader)
{
    reader->words = 0;
    reader->creates = false;
    reader->named = false;
    reader->depth = 0;
    reader->begins = false;
    reader->part = (struct diff_rename){0};
}

static void read_code(struct reader *reader, const struct sql_token *token)
{
    reader->code_line = token->place.line;
    if (sql_token_is_mark(token, ';')) {
        begin_statement(reader);
        return;
    }
    if (reader->words++ == 0) {
        reader->creates = sql_token_is_word(token, "create");
        reader->object = (struct diff_rename){0};
        return;
    }
    bool is_table = reader->object.kind != NULL && strcmp(reader->object.kind, "table") == 0;
    if (sql_token_is_mark(token, '(')) {
        reader->begins = ++reader->depth == 1 && reader->creates && reader->named && is_table;
    } else if (sql_token_is_mark(token, ')')) {
        reader->depth--;
    } else if (sql_token_is_mark(token, ',') && reader->depth == 1 && is_table) {
        reader->begins = true;
    } else if (reader->creates && !reader->named) {
        read_head(reader, token);
    } else if (reader->begins) {
        read_part(reader, token);
    }
}

void diff_renames_read(enum sql_language language, const char *text, size_t length,
                       struct arena *arena, struct diff_renames *renames)
{
    struct reader reader = {.language = language, .arena = arena, .renames = renames};
    sql_lexer_init(&reader.lexer, language, text, length, NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next(&reader.lexer);
        if (token.kind == SQL_TOKEN_END) {
            return;
        }
        if (token.kind == SQL_TOKEN_COMMENT) {
            read_comment(&reader, &token);
        } else {
            read_code(&reader, &token);
        }
    }
}
