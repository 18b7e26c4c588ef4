/*
 * Token by token: a rule looks at the tokens from one on, writes what stands for them, and says how
 * many they are. Where no rule applies, a token is copied. Blanks between tokens become one blank.
 */
#include "design/input/rewrite_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- tokens */

const struct sql_token *rewriter_token(const struct rewriter *self, size_t at)
{
    static const struct sql_token none = {.kind = SQL_TOKEN_END, .text = ""};
    return at < self->count ? &self->tokens[at] : &none;
}

bool rewriter_is(const struct rewriter *self, size_t at, const char *word)
{
    return sql_token_is_word(rewriter_token(self, at), word);
}

bool rewriter_is_mark(const struct rewriter *self, size_t at, char mark)
{
    return sql_token_is_mark(rewriter_token(self, at), mark);
}

bool rewriter_is_one_of(const struct rewriter *self, size_t at, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (rewriter_is(self, at, *words)) {
            return true;
        }
    }
    return false;
}

size_t rewriter_group_end(const struct rewriter *self, size_t at)
{
    uint32_t depth = 0;
    do {
        depth += rewriter_is_mark(self, at, '(') ? 1 : 0;
        depth -= rewriter_is_mark(self, at, ')') && depth > 0 ? 1 : 0;
        at++;
    } while (depth > 0 && at < self->count);
    return at;
}

/* ---------------------------------------------------------------- writing */

/* Has the statement blanks between this token and the one before? */
static bool is_apart(const struct rewriter *self, size_t at)
{
    return at > 0 &&
           self->tokens[at - 1].text + self->tokens[at - 1].length < self->tokens[at].text;
}

static void separate(struct buffer *out, bool apart)
{
    if (apart && out->length > 0 && buffer_last(out) != ' ') {
        buffer_append_byte(out, ' ');
    }
}

void rewriter_write(struct rewriter *self, size_t at, const char *text, size_t length)
{
    struct rewrite *out = self->out;
    separate(&out->sql, true);
    const struct rewrite_step step = {(uint32_t)out->sql.length,
                                      (uint32_t)rewriter_token(self, at)->place.offset};
    buffer_append(&out->steps, &step, sizeof step);
    buffer_append(&out->sql, text, length);
}

void rewriter_write_string(struct rewriter *self, size_t at, const char *text)
{
    rewriter_write(self, at, text, strlen(text));
}

void rewriter_copy(struct rewriter *self, size_t at)
{
    struct rewrite *out = self->out;
    const struct sql_token *token = &self->tokens[at];
    separate(&out->sql, is_apart(self, at) || self->apart);
    self->apart = false;
    const struct rewrite_step step = {(uint32_t)out->sql.length, (uint32_t)token->place.offset};
    buffer_append(&out->steps, &step, sizeof step);
    buffer_append(&out->sql, token->text, token->length);
}

void rewriter_parameter(struct rewriter *self, size_t at)
{
    const struct sql_token *token = rewriter_token(self, at);
    char text[24];
    uint32_t number = 0;
    bool named = token->length > 1 && token->text[0] != '.' && token->text[0] != '%';
    named = named || (token->length > 2 && token->text[0] == '%');
    if (self->language == SQL_POSTGRES && token->text[0] == '$') {
        rewriter_copy(self, at);
        return;
    }
    if (named) {
        uint32_t known = name_index_add(&self->parameters, token->text, token->length,
                                        self->parameter_count + 1);
        number = known != NAME_INDEX_NONE ? known : ++self->parameter_count;
    } else {
        number = ++self->parameter_count;
    }
    snprintf(text, sizeof text, "$%u", number);
    rewriter_write_string(self, at, text);
}

void rewriter_name(struct rewriter *self, size_t at)
{
    struct buffer quoted = {0};
    const char *name = sql_token_name(&self->tokens[at], self->language, self->arena);
    buffer_append_byte(&quoted, '"');
    for (const char *from = name; *from != '\0'; from++) {
        buffer_append(&quoted, "\"\"", *from == '"' ? 1 : 0);
        buffer_append_byte(&quoted, *from);
    }
    buffer_append_byte(&quoted, '"');
    if (quoted.length > 2) {
        rewriter_write(self, at, quoted.data, quoted.length);
    } else {
        rewriter_write_string(self, at, "\"?\"");
    }
    buffer_free(&quoted);
}

/* '…' as standard SQL has it: without backslashes, introducers and NULs. */
static void write_literal(struct rewriter *self, size_t at)
{
    struct buffer value = {0};
    struct buffer quoted = {0};
    sql_token_append_string(&self->tokens[at], self->language, &value);
    buffer_append_byte(&quoted, '\'');
    for (size_t i = 0; i < value.length; i++) {
        char byte = value.data[i] != '\0' ? value.data[i] : ' ';
        buffer_append(&quoted, "'", byte == '\'' ? 1 : 0);
        buffer_append_byte(&quoted, byte);
    }
    buffer_append_byte(&quoted, '\'');
    rewriter_write(self, at, quoted.data, quoted.length);
    buffer_free(&value);
    buffer_free(&quoted);
}

/* ---------------------------------------------------------------- the normal form */

/* Numbers behind ORDER BY, GROUP BY, LIMIT and OFFSET, and texts behind INTERVAL are no data. */
static bool is_structure(const struct rewriter *self, size_t at)
{
    static const char *const leads[] = {"LIMIT", "OFFSET", "BY", "FIRST", "INTERVAL", NULL};
    if (at == 0) {
        return false;
    }
    if (rewriter_is_one_of(self, at - 1, leads)) {
        return true;
    }
    if (!rewriter_is_mark(self, at - 1, ',')) {
        return false;
    }
    for (size_t i = at - 1; i > 0; i--) { /* BY 1, 2 and LIMIT 5, 10 */
        const struct sql_token *token = &self->tokens[i];
        if (token->kind != SQL_TOKEN_NUMBER && token->kind != SQL_TOKEN_MARK) {
            return rewriter_is_one_of(self, i, leads);
        }
    }
    return false;
}

static bool is_pattern(const struct rewriter *self, size_t at)
{
    static const char *const leads[] = {"LIKE", "ILIKE", "GLOB", NULL};
    return at > 0 && rewriter_is_one_of(self, at - 1, leads);
}

/* Where the wildcards of a pattern are: "x%", "%x", "%x%" or "x". */
static void append_pattern(struct rewriter *self, size_t at)
{
    struct buffer value = {0};
    struct buffer *shape = &self->out->shape;
    sql_token_append_string(&self->tokens[at], self->language, &value);
    const char *pattern = buffer_string(&value);
    size_t first = strcspn(pattern, "%_*?[");
    bool tail = pattern[first] == '%' && pattern[first + 1] == '\0';
    buffer_append_string(shape, pattern[first] == '\0' ? "x " : first == 0 ? "%x " : "x%");
    buffer_append_string(shape, tail || first == 0 ? " " : "_ ");
    buffer_free(&value);
}

static void append_normal(struct rewriter *self, size_t at, uint32_t *literals)
{
    struct buffer *normal = &self->out->normal;
    const struct sql_token *token = &self->tokens[at];
    bool literal = token->kind == SQL_TOKEN_NUMBER || token->kind == SQL_TOKEN_STRING;
    separate(normal, is_apart(self, at));
    if (!literal || is_structure(self, at)) {
        buffer_append(normal, token->text, token->length);
        return;
    }
    if (token->kind == SQL_TOKEN_STRING && is_pattern(self, at)) {
        append_pattern(self, at);
    }
    if (self->language == SQL_POSTGRES) {
        buffer_format(normal, "$%u", ++*literals);
    } else {
        buffer_append_byte(normal, '?');
    }
}

/* ---------------------------------------------------------------- all of it */

static bool read_tokens(struct rewrite *rewrite, const char *text, size_t length)
{
    struct sql_lexer lexer;
    uint32_t depth = 0;
    sql_lexer_init(&lexer, rewrite->language, text, length, NULL);
    for (;;) {
        struct sql_token token = sql_lexer_next(&lexer);
        if (token.kind == SQL_TOKEN_END) {
            return true;
        }
        if (token.unterminated || rewrite->token_count == REWRITE_TOKENS_MAX) {
            return false;
        }
        if (token.kind == SQL_TOKEN_COMMENT) {
            continue;
        }
        depth += sql_token_is_mark(&token, '(') ? 1 : 0;
        depth -= sql_token_is_mark(&token, ')') && depth > 0 ? 1 : 0;
        if (depth > REWRITE_DEPTH_MAX) {
            return false;
        }
        buffer_append(&rewrite->tokens, &token, sizeof token);
        rewrite->token_count++;
    }
}

static size_t rewrite_at(struct rewriter *self, size_t at)
{
    const struct sql_token *token = &self->tokens[at];
    for (const struct rewrite_rule *rule = rewrite_rules; rule->apply != NULL; rule++) {
        if ((rule->languages & (1u << self->language)) != 0 &&
            (rule->word == NULL || sql_token_is_word(token, rule->word))) {
            size_t taken = rule->apply(self, at);
            if (taken > 0) {
                self->apart = true;
                return taken;
            }
        }
    }
    bool foreign = self->language != SQL_POSTGRES;
    if (token->kind == SQL_TOKEN_PARAMETER) {
        rewriter_parameter(self, at);
    } else if (foreign && token->kind == SQL_TOKEN_NAME) {
        rewriter_name(self, at);
    } else if (foreign && token->kind == SQL_TOKEN_STRING) {
        write_literal(self, at);
    } else if (foreign && token->kind == SQL_TOKEN_NUMBER && token->length > 1 &&
               strchr("xXbB", token->text[1]) != NULL) {
        rewriter_write_string(self, at, "0");
    } else {
        rewriter_copy(self, at);
        return 1;
    }
    self->apart = true;
    return 1;
}

/* Numbers of parameters that are made begin behind those that are there. */
static uint32_t largest_parameter(const struct rewriter *self)
{
    uint32_t largest = 0;
    for (size_t at = 0; self->language == SQL_POSTGRES && at < self->count; at++) {
        const struct sql_token *token = &self->tokens[at];
        if (token->kind == SQL_TOKEN_PARAMETER && token->text[0] == '$') {
            unsigned long number = strtoul(token->text + 1, NULL, 10);
            largest = number > largest && number < UINT16_MAX ? (uint32_t)number : largest;
        }
    }
    return largest;
}

static void find_rows(const struct rewriter *self)
{
    struct rewrite *out = self->out;
    size_t at = 0;
    while (at < self->count && !rewriter_is(self, at, "VALUES")) {
        at++;
    }
    out->rows = 1;
    if ((!rewriter_is(self, 0, "INSERT") && !rewriter_is(self, 0, "REPLACE")) ||
        !rewriter_is_mark(self, at + 1, '(')) {
        return;
    }
    at = rewriter_group_end(self, at + 1);
    out->rows_begin = (uint32_t)at;
    while (rewriter_is_mark(self, at, ',') && rewriter_is_mark(self, at + 1, '(')) {
        at = rewriter_group_end(self, at + 1);
        out->rows++;
    }
    out->rows_end = (uint32_t)at;
}

static struct rewriter rewriter_of(struct rewrite *rewrite)
{
    return (struct rewriter){
        .language = rewrite->language,
        .out = rewrite,
        .tokens = (const struct sql_token *)(const void *)rewrite->tokens.data,
        .count = rewrite->token_count,
    };
}

bool rewrite_read(enum sql_language language, const char *text, size_t length,
                  struct rewrite *rewrite)
{
    *rewrite = (struct rewrite){.language = language, .rows = 1};
    if (!read_tokens(rewrite, text, length)) {
        return false;
    }
    struct rewriter self = rewriter_of(rewrite);
    while (self.count > 0 && rewriter_is_mark(&self, self.count - 1, ';')) {
        self.count = --rewrite->token_count;
    }
    if (self.count > 0) {
        const struct sql_token *last = &self.tokens[self.count - 1];
        rewrite->truncated = last->kind == SQL_TOKEN_PARAMETER && last->text[0] == '.';
    }
    find_rows(&self);
    uint32_t literals = largest_parameter(&self);
    for (size_t at = 0; at < self.count; at++) {
        if (at < rewrite->rows_begin || at >= rewrite->rows_end) {
            append_normal(&self, at, &literals);
        }
    }
    return true;
}

void rewrite_make_sql(struct rewrite *rewrite)
{
    struct rewriter self = rewriter_of(rewrite);
    self.arena = arena_create(0);
    self.parameters = (struct name_index){.arena = self.arena};
    self.parameter_count = largest_parameter(&self);
    for (size_t at = 0; at < self.count;) {
        at += rewrite_at(&self, at);
    }
    if (self.joined != NULL) {
        rewriter_write_string(&self, self.count, self.joined);
    }
    buffer_string(&rewrite->sql);
    arena_destroy(self.arena);
}

void rewrite_free(struct rewrite *rewrite)
{
    buffer_free(&rewrite->sql);
    buffer_free(&rewrite->normal);
    buffer_free(&rewrite->shape);
    buffer_free(&rewrite->steps);
    buffer_free(&rewrite->tokens);
}

size_t rewrite_origin(const struct rewrite *rewrite, size_t offset)
{
    const struct rewrite_step *steps =
        (const struct rewrite_step *)(const void *)rewrite->steps.data;
    size_t count = rewrite->steps.length / sizeof *steps;
    size_t origin = 0;
    for (size_t i = 0; i < count && steps[i].to <= offset; i++) {
        origin = steps[i].from;
    }
    return origin;
}
