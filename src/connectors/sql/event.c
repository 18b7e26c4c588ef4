/* MySQL's CREATE EVENT: what it says of whether it runs. */
#include "connectors/sql/definitions.h"
#include "connectors/sql/template.h"
#include "sql/lexer.h"
#include <string.h>

/* Where in CREATE [OR REPLACE] [DEFINER = …] EVENT … [ENABLE | DISABLE [ON SLAVE]] … DO … the words
 * are. */
struct event_words {
    bool is_event;
    bool disabled;
    const char *name;
    const char *state; /* ENABLE or DISABLE; NULL: neither */
    const char *state_end;
    const char *place; /* where it may stand: before COMMENT or DO */
};

static void read_event(const char *text, size_t length, struct arena *arena,
                       struct event_words *words)
{
    struct sql_lexer lexer;
    struct sql_token token;
    int depth = 0;
    *words = (struct event_words){0};
    sql_lexer_init(&lexer, SQL_MYSQL, text, length, NULL);
    token = sql_lexer_next_code(&lexer);
    if (!sql_token_is_word(&token, "create") && !sql_token_is_word(&token, "alter")) {
        return;
    }
    while ((token = sql_lexer_next_code(&lexer)).kind != SQL_TOKEN_END) {
        depth += sql_token_is_mark(&token, '(') - sql_token_is_mark(&token, ')');
        if (!words->is_event) {
            static const char *const others[] = {"table",     "view",  "trigger", "function",
                                                 "procedure", "index", "database"};
            for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
                if (sql_token_is_word(&token, others[i])) {
                    return;
                }
            }
            words->is_event = sql_token_is_word(&token, "event");
            continue;
        }
        bool filler = sql_token_is_word(&token, "if") || sql_token_is_word(&token, "not") ||
                      sql_token_is_word(&token, "exists");
        if (words->name == NULL && !filler && sql_token_is_name(&token, SQL_MYSQL)) {
            words->name = sql_token_name(&token, SQL_MYSQL, arena);
        } else if (depth == 0 &&
                   (sql_token_is_word(&token, "enable") || sql_token_is_word(&token, "disable"))) {
            words->state = token.text;
            words->state_end = token.text + token.length;
            words->disabled = sql_token_is_word(&token, "disable");
        } else if (depth == 0 && words->disabled && words->place == NULL &&
                   (sql_token_is_word(&token, "slave") || sql_token_is_word(&token, "replica"))) {
            words->state_end = token.text + token.length;
        } else if (depth == 0 &&
                   (sql_token_is_word(&token, "comment") || sql_token_is_word(&token, "do"))) {
            words->place = words->place != NULL ? words->place : token.text;
            if (sql_token_is_word(&token, "do")) {
                return;
            }
        }
    }
}

bool sql_append_disabled_event(struct buffer *out, const char *text, size_t length,
                               struct arena *arena, const char **enabled)
{
    struct event_words words;
    *enabled = NULL;
    read_event(text, length, arena, &words);
    if (!words.is_event || words.place == NULL) {
        return false;
    }
    const char *begin = words.state != NULL ? words.state : words.place;
    const char *end = words.state != NULL ? words.state_end : words.place;
    buffer_append(out, text, (size_t)(begin - text));
    buffer_append_string(out, " DISABLE ");
    buffer_append(out, end, length - (size_t)(end - text));
    *enabled = words.disabled ? NULL : words.name;
    return true;
}

const char *sql_without_event_start(const char *text, struct arena *arena)
{
    static const char word[] = " STARTS '";
    const char *begin = strstr(text, word);
    const char *end = begin != NULL ? strchr(begin + sizeof word - 1, '\'') : NULL;
    if (end == NULL) {
        return text;
    }
    return arena_format(arena, "%.*s%s", (int)(begin - text), text, end + 1);
}

const char *sql_without_event_state(const char *text, struct arena *arena)
{
    struct event_words words;
    struct buffer out = {0};
    read_event(text, strlen(text), arena, &words);
    if (words.state == NULL) {
        return text;
    }
    const char *end = words.state_end + (*words.state_end == ' ');
    buffer_append(&out, text, (size_t)(words.state - text));
    buffer_append_string(&out, end);
    return sql_text(arena, &out);
}
