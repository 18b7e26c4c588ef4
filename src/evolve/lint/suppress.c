/* Comments that say what is to be left out. */
#include "evolve/lint/lint_internal.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *begins;
    bool whole_file;
    bool all_if_bare; /* without rules it means all of them */
} marks[] = {
    {"transhume:ignore-file", true, true}, {"transhume:ignore-next", false, true},
    {"transhume:ignore", false, true},     {"squawk-ignore-file", true, true},
    {"squawk-ignore", false, false},       {"atlas:nolint", false, true},
};
enum { MARKS = sizeof marks / sizeof marks[0] };

/* The findings that one comment leaves out. */
struct ignore {
    bool whole_file;
    bool all;
    uint32_t line;      /* of the comment */
    uint32_t next_line; /* of the first code behind it; 0: none */
    bool rules[LINT_RULE_COUNT];
};

struct ignores {
    struct ignore *items;
    uint32_t count;
    uint32_t capacity;
};

/* A comment without its marks and the blanks inside them. */
static struct sql_span body_of(const struct sql_token *comment)
{
    struct sql_span body = {comment->text, comment->length, comment->place};
    size_t open =
        comment->length >= 2 && (comment->text[0] == '-' || comment->text[0] == '/') ? 2 : 1;
    size_t close =
        comment->text[0] == '/' && !comment->unterminated && comment->length >= 4 ? 2 : 0;
    if (open + close > comment->length) {
        return (struct sql_span){comment->text, 0, comment->place};
    }
    body.text += open;
    body.length -= open + close;
    while (body.length > 0 && strchr(" \t\r\n", body.text[0]) != NULL) {
        body.text++;
        body.length--;
    }
    while (body.length > 0 && strchr(" \t\r\n", body.text[body.length - 1]) != NULL) {
        body.length--;
    }
    return body;
}

static bool has_comments(const struct lint_input *input)
{
    return input->kind == LINT_SQL || input->kind == LINT_CQL;
}

bool lint_says(const struct lint_file *file, const char *directive)
{
    struct sql_lexer lexer;
    struct sql_token token;
    size_t length = strlen(directive);
    if (!has_comments(file->input)) {
        return false;
    }
    sql_lexer_init(&lexer, file->input->language, file->input->text, file->input->length, NULL);
    while ((token = sql_lexer_next(&lexer)).kind != SQL_TOKEN_END) {
        if (token.kind == SQL_TOKEN_COMMENT) {
            struct sql_span body = body_of(&token);
            if (body.length >= length && strncmp(body.text, directive, length) == 0 &&
                (body.length == length || strchr(" \t-", body.text[length]) != NULL)) {
                return true;
            }
        }
    }
    return false;
}

/* ---------------------------------------------------------------- reading */

/* A rule's name, or what stands for one; steps over nothing else. */
static void read_rule(struct lint_file *file, struct ignore *ignore, const struct sql_span *comment,
                      const char *at, size_t length)
{
    static const char both[] = "require-timeout-settings";
    const struct lint_rule *rule = lint_rule_find(at, length);
    uint32_t count;
    if (rule != NULL) {
        ignore->rules[rule - lint_rules(&count)] = true;
        return;
    }
    if (length == sizeof both - 1 && strncmp(at, both, length) == 0) {
        ignore->rules[LINT_RULE_REQUIRE_LOCK_TIMEOUT] = true;
        ignore->rules[LINT_RULE_REQUIRE_STATEMENT_TIMEOUT] = true;
        return;
    }
    enum { SHOWN = 60 };
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, SQL_SQLITE, comment->text, comment->length, &comment->place);
    sql_lexer_skip_to(&lexer, at);
    const struct sql_span span = {at, length, lexer.place};
    lint_add(file, LINT_RULE_UNUSED_IGNORE, &span,
             arena_format(file->arena, "There is no rule %.*s.",
                          (int)(length < SHOWN ? length : SHOWN), at));
}

/* "rule[, rule] why -- why": the first word behind each comma. */
static void read_rules(struct lint_file *file, struct ignore *ignore,
                       const struct sql_span *comment, const char *at, const char *end,
                       bool all_if_bare)
{
    const char *why = memmem(at, (size_t)(end - at), "--", 2);
    bool named = false;
    end = why != NULL ? why : end;
    while (at < end) {
        size_t length = 0;
        while (at < end && strchr(" \t,\r\n", *at) != NULL) {
            at++;
        }
        while (at + length < end && strchr(" \t,\r\n", at[length]) == NULL) {
            length++;
        }
        if (length > 0) {
            named = true;
            read_rule(file, ignore, comment, at, length);
        }
        const char *comma = memchr(at, ',', (size_t)(end - at));
        at = comma != NULL ? comma + 1 : end;
    }
    ignore->all = !named && all_if_bare;
}

static struct ignore *read_comment(struct lint_file *file, const struct sql_token *token,
                                   struct ignores *ignores)
{
    const struct sql_span body = body_of(token);
    for (uint32_t i = 0; i < MARKS; i++) {
        size_t length = strlen(marks[i].begins);
        if (body.length < length || strncmp(body.text, marks[i].begins, length) != 0 ||
            (body.length > length && strchr(" \t\r\n-", body.text[length]) == NULL)) {
            continue;
        }
        ignores->items = arena_make_room(file->arena, ignores->items, ignores->count,
                                         &ignores->capacity, sizeof *ignores->items);
        struct ignore *ignore = &ignores->items[ignores->count++];
        const struct sql_span comment = {token->text, token->length, token->place};
        ignore->whole_file = marks[i].whole_file;
        ignore->line = token->place.line;
        read_rules(file, ignore, &comment, body.text + length, body.text + body.length,
                   marks[i].all_if_bare);
        return ignore;
    }
    return NULL;
}

static struct ignores read_ignores(struct lint_file *file)
{
    struct ignores ignores = {0};
    struct sql_lexer lexer;
    struct sql_token token;
    uint32_t waiting = 0; /* the first one behind which no code was seen */
    sql_lexer_init(&lexer, file->input->language, file->input->text, file->input->length, NULL);
    while ((token = sql_lexer_next(&lexer)).kind != SQL_TOKEN_END) {
        if (token.kind == SQL_TOKEN_COMMENT) {
            (void)read_comment(file, &token, &ignores);
            continue;
        }
        for (; waiting < ignores.count; waiting++) {
            ignores.items[waiting].next_line = token.place.line;
        }
    }
    return ignores;
}

/* ---------------------------------------------------------------- leaving out */

static bool is_ignored(const struct ignores *ignores, const struct lint_finding *finding,
                       uint32_t rule)
{
    for (uint32_t i = 0; i < ignores->count; i++) {
        const struct ignore *ignore = &ignores->items[i];
        uint32_t line = finding->place.line;
        bool here = ignore->whole_file || line == ignore->line || line == ignore->line + 1 ||
                    line == ignore->next_line;
        if (here && (ignore->all || ignore->rules[rule])) {
            return true;
        }
    }
    return false;
}

void lint_suppress(struct lint_file *file)
{
    struct lint_report *report = file->report;
    uint32_t count;
    if (file->input->passes_over_comments || !has_comments(file->input)) {
        return;
    }
    const struct lint_rule *first = lint_rules(&count);
    const struct ignores ignores = read_ignores(file);
    uint32_t kept = file->first_finding;
    for (uint32_t i = file->first_finding; i < report->count; i++) {
        uint32_t rule = (uint32_t)(report->findings[i].rule - first);
        if (is_ignored(&ignores, &report->findings[i], rule)) {
            report->suppressed++;
        } else {
            report->findings[kept++] = report->findings[i];
        }
    }
    report->count = kept;
}
