/* The text of a CREATE TABLE taken apart: columns, constraints and what stands behind them. */
#include "connectors/sqlite/schema/definitions.h"
#include "sql/lexer.h"
#include <string.h>

struct parts {
    struct sql_definitions *list;
    const char *table;
    const char *table_id;
    struct sql_lexer lexer;
    struct buffer text; /* of the part so far, without comments */
    const char *behind; /* where its last token ended */
    const char *name;   /* of the part */
    uint32_t tokens;    /* in it */
    bool constraint;    /* of the table */
    bool names_it;      /* the next token is the constraint's name */
};

/* As it was written, but for comments. */
static void append_token(struct parts *parts, const struct sql_token *token)
{
    if (parts->tokens > 0 && token->text != parts->behind) {
        buffer_append_byte(&parts->text, ' ');
    }
    buffer_append(&parts->text, token->text, token->length);
    parts->behind = token->text + token->length;
}

static bool begins_constraint(const struct sql_token *token)
{
    static const char *const words[] = {"constraint", "primary", "unique", "check", "foreign"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sql_token_is_word(token, words[i])) {
            return true;
        }
    }
    return false;
}

static void take_token(struct parts *parts, const struct sql_token *token)
{
    struct arena *arena = parts->list->arena;
    if (parts->tokens == 0) {
        parts->constraint = begins_constraint(token);
        parts->names_it = sql_token_is_word(token, "constraint");
        parts->name = parts->constraint ? NULL : sql_token_name(token, SQL_SQLITE, arena);
    } else if (parts->names_it) {
        parts->name = sql_token_name(token, SQL_SQLITE, arena);
        parts->names_it = false;
    }
    append_token(parts, token);
    parts->tokens++;
}

static void end_part(struct parts *parts)
{
    struct sql_definitions *list = parts->list;
    if (parts->tokens == 0) {
        return;
    }
    const char *text = buffer_string(&parts->text);
    const char *normal = sql_normal_text(SQL_SQLITE, text, list->arena);
    struct definition *part =
        sql_definitions_add(list, parts->constraint ? "constraint" : "column", NULL, parts->table,
                            parts->name != NULL ? parts->name : normal);
    sql_definitions_add_fact(list, part, "definition", normal);
    sql_definitions_add_fact(list, part, "_text", text);
    list->ids[list->count - 1] = arena_format(list->arena, "%s.%s", parts->table_id, part->name);
    list->owner_ids[list->count - 1] = parts->table_id;
    buffer_clear(&parts->text);
    parts->tokens = 0;
}

void sqlite_take_table_apart(struct sql_definitions *list, uint32_t table, const char *sql)
{
    struct parts parts = {
        .list = list, .table = list->items[table].name, .table_id = list->ids[table]};
    int depth = 0;
    sql_lexer_init(&parts.lexer, SQL_SQLITE, sql, strlen(sql), NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next_code(&parts.lexer);
        if (token.kind == SQL_TOKEN_END) {
            break;
        }
        if (sql_token_is_mark(&token, '(') && depth++ == 0) {
            continue;
        }
        if (sql_token_is_mark(&token, ')') && --depth == 0) {
            end_part(&parts);
            const char *rest = token.text + token.length;
            const char *options = sql_normal_text(SQL_SQLITE, rest, list->arena);
            sql_definitions_add_fact(list, &list->items[table], "options",
                                     options[0] != '\0' ? options : NULL);
            break;
        }
        if (depth == 1 && sql_token_is_mark(&token, ',')) {
            end_part(&parts);
        } else if (depth > 0) {
            take_token(&parts, &token);
        }
    }
    buffer_free(&parts.text);
}
