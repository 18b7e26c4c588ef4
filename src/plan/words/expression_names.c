/* Finds the names in an expression's text, by SQLite's own rules for its words. */
#include "plan/words/expression_names.h"
#include <ctype.h>
#include <sqlite3.h>
#include <string.h>

struct putting {
    const char *const *names;
    const char *const *called;
    uint32_t count;
    uint32_t first;
    struct arena *arena;
    const char **spelled;
    struct buffer *out;
    struct error *error;
    bool names_no_column; /* the word before says so: AS, COLLATE */
};

static bool is_repeated(const char *const *names, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (strcmp(names[i], names[at]) == 0) {
            return true;
        }
    }
    return false;
}

/* Is there one that SQLite would take for it? */
static bool has_double(const char *const *names, uint32_t count, uint32_t at)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sqlite3_stricmp(names[i], names[at]) == 0 && strcmp(names[i], names[at]) != 0) {
            return true;
        }
    }
    return false;
}

const char *const *expression_names_make(const char *const *names, uint32_t count,
                                         struct arena *arena)
{
    const char **made = arena_allocate_zeroed(arena, count + 1u, sizeof *made);
    for (uint32_t i = 0; i < count; i++) {
        if (is_repeated(names, i)) {
            continue;
        }
        made[i] = has_double(names, count, i)
                      ? arena_format(arena, "%s\x1f%u", names[i], (unsigned)i)
                      : names[i];
    }
    return made;
}

/* ---------------------------------------------------------------- a name */

/* Words that are none, unless in quotes. */
static bool is_reserved(const char *word)
{
    static const char *const reserved[] = {
        "and",  "as",     "between", "case",   "cast",   "collate", "distinct", "else",
        "end",  "escape", "exists",  "false",  "filter", "from",    "glob",     "in",
        "is",   "isnull", "like",    "match",  "not",    "notnull", "null",     "or",
        "over", "raise",  "regexp",  "select", "then",   "true",    "when",     "where"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (sqlite3_stricmp(word, reserved[i]) == 0) {
            return true;
        }
    }
    return false;
}

void expression_append_quoted(struct buffer *out, const char *name)
{
    buffer_append_byte(out, '"');
    for (; *name != '\0'; name++) {
        buffer_append_string(out, *name == '"' ? "\"" : "");
        buffer_append_byte(out, *name);
    }
    buffer_append_byte(out, '"');
}

static enum status expression_names_refuse(const struct putting *putting, const char *name)
{
    uint32_t shown = 0;
    const char *two[2] = {"", ""};
    for (uint32_t i = 0; i < putting->count && shown < 2; i++) {
        if (putting->called[i] != NULL && sqlite3_stricmp(name, putting->names[i]) == 0) {
            two[shown++] = putting->names[i];
        }
    }
    return error_set(putting->error, ERROR_PLAN_INVALID, NULL,
                     "'%s' is neither '%s' nor '%s', which differ in case only: write the one that "
                     "is meant",
                     name, two[0], two[1]);
}

/* `written`: as it stands in the text, quotes included. */
static enum status put_name(struct putting *putting, const char *name, const char *written,
                            size_t length)
{
    uint32_t equal = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < putting->count; i++) {
        if (putting->called[i] == NULL) {
            continue;
        }
        if (strcmp(putting->names[i], name) == 0 && putting->called[i] != putting->names[i]) {
            expression_append_quoted(putting->out, putting->called[i]);
            return STATUS_OK;
        }
        if (sqlite3_stricmp(putting->names[i], name) == 0) {
            equal++;
            last = i;
        }
    }
    if (equal > 1) {
        return expression_names_refuse(putting, name);
    }
    if (equal == 1 && last >= putting->first && putting->spelled != NULL &&
        *putting->spelled == NULL && strcmp(putting->names[last], name) != 0) {
        *putting->spelled = arena_copy_string(putting->arena, name);
    }
    buffer_append(putting->out, written, length);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- words */

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || (unsigned char)byte > 0x7f;
}

static char byte_behind(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text;
}

/* The end of what begins with a quote, its last one included. */
static const char *quoted_end(const char *text)
{
    char close = *text == '[' ? ']' : *text;
    const char *end = text + 1;
    while (*end != '\0' && (*end != close || (close != ']' && end[1] == close))) {
        end += *end == close ? 2 : 1;
    }
    return *end == '\0' ? end : end + 1;
}

static const char *comment_end(const char *text)
{
    const char *end = *text == '-' ? strchr(text, '\n') : strstr(text + 2, "*/");
    return end == NULL ? text + strlen(text) : end + (*text == '-' ? 1 : 2);
}

/* A word that can only be a function, a table or a type stays as it is. */
static enum status put_word(struct putting *putting, const char *text, const char *end,
                            bool is_quoted)
{
    struct buffer name = {0};
    bool names_no_column = putting->names_no_column;
    const char *last = is_quoted && end > text + 1 ? end - 1 : end;
    for (const char *at = text + is_quoted; at < last; at++) {
        buffer_append_byte(&name, *at);
        at += is_quoted && *text != '[' && *at == *text;
    }
    const char *word = buffer_string(&name);
    enum status status = STATUS_OK;
    char behind = byte_behind(end);
    putting->names_no_column =
        !is_quoted && (sqlite3_stricmp(word, "as") == 0 || sqlite3_stricmp(word, "collate") == 0);
    if (names_no_column || behind == '(' || behind == '.' || (!is_quoted && is_reserved(word))) {
        buffer_append(putting->out, text, (size_t)(end - text));
    } else {
        status = put_name(putting, word, text, (size_t)(end - text));
    }
    buffer_free(&name);
    return status;
}

static enum status put_next(struct putting *putting, const char **text)
{
    const char *at = *text;
    const char *end = at + 1;
    if ((at[0] == 'x' || at[0] == 'X') && at[1] == '\'') {
        end = quoted_end(at + 1);
    } else if (*at == '\'') {
        end = quoted_end(at);
    } else if ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*')) {
        end = comment_end(at);
    } else if (*at == '"' || *at == '`' || *at == '[') {
        *text = quoted_end(at);
        return put_word(putting, at, *text, true);
    } else if (is_word_byte(*at)) {
        while (is_word_byte(*end) || (isdigit((unsigned char)*at) && *end == '.')) {
            end++;
        }
        if (!isdigit((unsigned char)*at)) {
            *text = end;
            return put_word(putting, at, end, false);
        }
    }
    buffer_append(putting->out, at, (size_t)(end - at));
    *text = end;
    return STATUS_OK;
}

enum status expression_names_put(const char *text, const char *const *names,
                                 const char *const *called, uint32_t count, uint32_t first,
                                 struct arena *arena, const char **spelled, struct buffer *out,
                                 struct error *error)
{
    struct putting putting = {.names = names,
                              .called = called,
                              .count = count,
                              .first = first,
                              .arena = arena,
                              .spelled = spelled,
                              .out = out,
                              .error = error};
    enum status status = STATUS_OK;
    if (spelled != NULL) {
        *spelled = NULL;
    }
    while (status == STATUS_OK && *text != '\0') {
        status = put_next(&putting, &text);
    }
    return status;
}
