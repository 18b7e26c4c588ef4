/* Rules for what other dialects write in another way than PostgreSQL. */
#include "design/input/rewrite_internal.h"
#include <string.h>
#include <strings.h>

enum {
    POSTGRES = 1 << SQL_POSTGRES,
    MYSQL = 1 << SQL_MYSQL,
    SQLITE = 1 << SQL_SQLITE,
    FOREIGN = MYSQL | SQLITE,
    ALL = POSTGRES | FOREIGN
};

/* ---------------------------------------------------------------- clauses */

static bool is_limit_value(const struct rewriter *self, size_t at)
{
    enum sql_token_kind kind = rewriter_token(self, at)->kind;
    return kind == SQL_TOKEN_NUMBER || kind == SQL_TOKEN_PARAMETER;
}

static void write_value(struct rewriter *self, size_t at)
{
    if (rewriter_token(self, at)->kind == SQL_TOKEN_PARAMETER) {
        rewriter_parameter(self, at);
    } else {
        self->apart = true;
        rewriter_copy(self, at);
    }
}

/* LIMIT offset, count */
static size_t limit(struct rewriter *self, size_t at)
{
    if (!is_limit_value(self, at + 1) || !rewriter_is_mark(self, at + 2, ',') ||
        !is_limit_value(self, at + 3)) {
        return 0;
    }
    rewriter_write_string(self, at, "LIMIT");
    write_value(self, at + 3);
    rewriter_write_string(self, at, "OFFSET");
    write_value(self, at + 1);
    return 4;
}

/* VALUES (…), (…), (…): one row stands for all. */
static size_t drop_rows(struct rewriter *self, size_t at)
{
    const struct rewrite *out = self->out;
    return at == out->rows_begin && out->rows_end > at ? out->rows_end - at : 0;
}

static size_t drop_rest(const struct rewriter *self, size_t at)
{
    return self->count - at;
}

/* ON DUPLICATE KEY UPDATE … */
static size_t on_duplicate(struct rewriter *self, size_t at)
{
    return rewriter_is(self, at + 1, "DUPLICATE") ? drop_rest(self, at) : 0;
}

static size_t lock_in_share_mode(struct rewriter *self, size_t at)
{
    return rewriter_is(self, at + 1, "IN") && rewriter_is(self, at + 2, "SHARE") ? 4 : 0;
}

/* WITH ROLLUP */
static size_t with_rollup(struct rewriter *self, size_t at)
{
    return rewriter_is(self, at + 1, "ROLLUP") ? 2 : 0;
}

/* SEPARATOR ',' in GROUP_CONCAT */
static size_t separator(struct rewriter *self, size_t at)
{
    return rewriter_token(self, at + 1)->kind == SQL_TOKEN_STRING ? 2 : 0;
}

/* USE INDEX (a), FORCE INDEX FOR JOIN (a) */
static size_t index_hint(struct rewriter *self, size_t at)
{
    if (!rewriter_is(self, at + 1, "INDEX") && !rewriter_is(self, at + 1, "KEY")) {
        return 0;
    }
    size_t open = at + 2;
    while (open < self->count && open < at + 5 && !rewriter_is_mark(self, open, '(')) {
        open++;
    }
    return rewriter_is_mark(self, open, '(') ? rewriter_group_end(self, open) - at : 0;
}

/* INDEXED BY a, NOT INDEXED */
static size_t indexed_by(struct rewriter *self, size_t at)
{
    return rewriter_is(self, at + 1, "BY") ? 3 : 0;
}

static size_t not_something(struct rewriter *self, size_t at)
{
    if (rewriter_is(self, at + 1, "INDEXED")) {
        return 2;
    }
    if (rewriter_is(self, at + 1, "NULL") && at > 0 && !rewriter_is(self, at - 1, "IS")) {
        rewriter_write_string(self, at, "NOTNULL");
        return 2;
    }
    return 0;
}

/* Words behind SELECT that say how, not what. */
static size_t select_word(struct rewriter *self, size_t at)
{
    static const char *const words[] = {
        "SQL_CALC_FOUND_ROWS", "SQL_NO_CACHE",   "SQL_CACHE",     "SQL_BUFFER_RESULT",
        "SQL_SMALL_RESULT",    "SQL_BIG_RESULT", "HIGH_PRIORITY", NULL};
    if (rewriter_is_one_of(self, at, words)) {
        return 1;
    }
    if (rewriter_is(self, at, "STRAIGHT_JOIN")) {
        bool behind_select = at > 0 && rewriter_is(self, at - 1, "SELECT");
        if (!behind_select) {
            rewriter_write_string(self, at, "JOIN");
        }
        return 1;
    }
    if (rewriter_is(self, at, "DISTINCTROW")) {
        rewriter_write_string(self, at, "DISTINCT");
        return 1;
    }
    return 0;
}

/* JOIN without ON or USING is CROSS JOIN, and CROSS JOIN with them is JOIN. */
static bool has_condition(const struct rewriter *self, size_t at)
{
    static const char *const ends[] = {"JOIN",  "WHERE",   "GROUP", "ORDER", "HAVING",
                                       "LIMIT", "UNION",   "LEFT",  "RIGHT", "INNER",
                                       "CROSS", "NATURAL", "SET",   "FOR",   NULL};
    while (at < self->count && !rewriter_is_one_of(self, at, ends) &&
           !rewriter_is_mark(self, at, ',') && !rewriter_is_mark(self, at, ')')) {
        if (rewriter_is(self, at, "ON") || rewriter_is(self, at, "USING")) {
            return true;
        }
        at = rewriter_group_end(self, at);
    }
    return false;
}

static size_t rewrite_rules_join(struct rewriter *self, size_t at)
{
    static const char *const kinds[] = {"LEFT", "RIGHT", "FULL", "OUTER", "NATURAL", NULL};
    size_t word = at;
    if (rewriter_is(self, at, "INNER") || rewriter_is(self, at, "CROSS")) {
        word = at + 1;
    }
    if (!rewriter_is(self, word, "JOIN") || (at > 0 && rewriter_is_one_of(self, at - 1, kinds))) {
        return 0;
    }
    rewriter_write_string(self, at, has_condition(self, word + 1) ? "JOIN" : "CROSS JOIN");
    return word + 1 - at;
}

/* ---------------------------------------------------------------- statements that write */

static size_t skip_words(const struct rewriter *self, size_t at, const char *const *words)
{
    while (rewriter_is_one_of(self, at, words)) {
        at++;
    }
    return at;
}

static const char *const write_words[] = {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY",
                                          "IGNORE",       "QUICK",   NULL};

/* OR REPLACE, OR IGNORE … */
static size_t skip_conflict(const struct rewriter *self, size_t at)
{
    return rewriter_is(self, at, "OR") ? at + 2 : at;
}

/* INSERT INTO t SET a = 1, b = 2 as INSERT INTO t (a, b) VALUES (1, 2). */
static size_t set_clause(struct rewriter *self, size_t at)
{
    size_t end = at + 1;
    while (end < self->count && !rewriter_is(self, end, "ON")) {
        end = rewriter_group_end(self, end);
    }
    rewriter_write_string(self, at, "(");
    for (size_t i = at + 1; i < end;) {
        size_t name = i;
        if (name > at + 1) {
            rewriter_write_string(self, name, ",");
        }
        while (i < end && !sql_token_is_operator(rewriter_token(self, i), "=")) {
            i++;
        }
        if (i > name && rewriter_token(self, i - 1)->kind == SQL_TOKEN_NAME) {
            rewriter_name(self, i - 1);
        } else if (i > name) {
            self->apart = true;
            rewriter_copy(self, i - 1);
        }
        while (i < end && !rewriter_is_mark(self, i, ',')) {
            i = rewriter_group_end(self, i);
        }
        i++;
    }
    rewriter_write_string(self, at, ") VALUES (DEFAULT)");
    return end - at;
}

/* INSERT and REPLACE in all their forms, up to the table's name. */
static size_t rewrite_rules_insert(struct rewriter *self, size_t at)
{
    if (at > 0 && !rewriter_is_mark(self, at - 1, ')')) {
        return 0; /* a function's name */
    }
    size_t name = skip_words(self, skip_conflict(self, at + 1), write_words);
    name += rewriter_is(self, name, "INTO") ? 1 : 0;
    if (rewriter_is_mark(self, name, '(')) {
        return 0;
    }
    rewriter_write_string(self, at, "INSERT INTO");
    size_t behind = name + 1;
    while (rewriter_is_mark(self, behind, '.')) {
        behind += 2;
    }
    self->set_at = rewriter_is(self, behind, "SET") ? behind : 0;
    return name - at;
}

static size_t rewrite_rules_set(struct rewriter *self, size_t at)
{
    return self->set_at == at && at > 0 ? set_clause(self, at) : 0;
}

/* The first of some words, or a comma, outside parentheses before `end`; `end`: there is none. */
static size_t find_word(const struct rewriter *self, size_t at, size_t end,
                        const char *const *words, bool commas)
{
    while (at < end && !rewriter_is_one_of(self, at, words) &&
           !(commas && rewriter_is_mark(self, at, ','))) {
        at = rewriter_group_end(self, at);
    }
    return at < end ? at : end;
}

static const char *const join_words[] = {"JOIN",  "INNER",   "LEFT", "RIGHT",
                                         "CROSS", "NATURAL", NULL};

/* UPDATE a JOIN b ON … SET … WHERE … as UPDATE a SET … FROM others WHERE …: that it is a join is
 * all that is asked of it. */
static size_t update_by_join(struct rewriter *self, size_t at, size_t table)
{
    static const char *const sets[] = {"SET", NULL};
    size_t set_at = find_word(self, table, self->count, sets, false);
    size_t join_at = find_word(self, table, set_at, join_words, true);
    if (join_at == set_at || set_at == self->count) {
        return 0;
    }
    self->joined = "FROM others";
    for (size_t i = table; i < join_at; i++) {
        bool name = self->tokens[i].kind == SQL_TOKEN_NAME;
        self->apart = true;
        if (name) {
            rewriter_name(self, i);
        } else {
            rewriter_copy(self, i);
        }
    }
    return set_at - at;
}

static size_t where_of_change(struct rewriter *self, size_t at)
{
    if (self->joined != NULL && self->depth == 0) {
        rewriter_write_string(self, at, self->joined);
        self->joined = NULL;
    }
    return 0;
}

static bool is_same_name(const struct rewriter *self, size_t left, size_t right)
{
    const char *first = sql_token_name(rewriter_token(self, left), self->language, self->arena);
    const char *second = sql_token_name(rewriter_token(self, right), self->language, self->arena);
    return strcasecmp(first, second) == 0;
}

/* DELETE a FROM t AS a JOIN b …: the table that the alias stands for. */
static size_t deleted_table(const struct rewriter *self, size_t name, size_t from)
{
    for (size_t i = from + 2; i < self->count; i++) {
        const struct sql_token *before = rewriter_token(self, i - 1);
        bool alias = before->kind == SQL_TOKEN_NAME || before->kind == SQL_TOKEN_WORD;
        if (sql_token_is_name(rewriter_token(self, i), self->language) && alias &&
            !rewriter_is_one_of(self, i - 1, join_words) && is_same_name(self, name, i)) {
            return rewriter_is(self, i - 1, "AS") ? i - 2 : i - 1;
        }
    }
    return name;
}

static size_t delete_by_join(struct rewriter *self, size_t at, size_t table)
{
    static const char *const froms[] = {"FROM", NULL};
    size_t from = find_word(self, table, self->count, froms, false);
    if (rewriter_is(self, table, "FROM") || from == self->count) {
        return 0;
    }
    rewriter_write_string(self, at, "FROM");
    rewriter_name(self, deleted_table(self, table, from));
    rewriter_write_string(self, at, "USING others");
    return self->count - at;
}

/* UPDATE and DELETE without words that say how, and without ORDER BY and LIMIT at their end. */
static size_t change(struct rewriter *self, size_t at)
{
    if (at > 0) {
        return 0;
    }
    self->orders_dropped = true;
    self->apart = true;
    rewriter_copy(self, at);
    size_t table = skip_words(self, skip_conflict(self, at + 1), write_words);
    size_t taken = rewriter_is(self, at, "UPDATE") ? update_by_join(self, at, table)
                                                   : delete_by_join(self, at, table);
    return taken > 0 ? taken : table - at;
}

static size_t order_of_change(struct rewriter *self, size_t at)
{
    return self->orders_dropped && self->depth == 0 ? drop_rest(self, at) : 0;
}

/* ---------------------------------------------------------------- expressions */

static size_t word_for_word(struct rewriter *self, size_t at)
{
    static const struct {
        const char *word;
        const char *stands_for;
    } words[] = {{"REGEXP", "~"}, {"RLIKE", "~"}, {"DIV", "/"},
                 {"MOD", "%"},    {"XOR", "<>"},  {"GLOB", "LIKE"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (rewriter_is(self, at, words[i].word) && !rewriter_is_mark(self, at + 1, '(')) {
            rewriter_write_string(self, at, words[i].stands_for);
            return 1;
        }
    }
    return 0;
}

static size_t operator_for_operator(struct rewriter *self, size_t at)
{
    static const struct {
        const char *text;
        const char *stands_for;
    } operators[] = {{"==", "="}, {"&&", "AND"}, {"!", "NOT"}, {"<=>", "IS NOT DISTINCT FROM"}};
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (sql_token_is_operator(rewriter_token(self, at), operators[i].text)) {
            rewriter_write_string(self, at, operators[i].stands_for);
            return 1;
        }
    }
    return 0;
}

/* "x" in SQLite's GLOB: * for % */
static size_t glob_pattern(struct rewriter *self, size_t at)
{
    if (at == 0 || !rewriter_is(self, at - 1, "GLOB") ||
        rewriter_token(self, at)->kind != SQL_TOKEN_STRING) {
        return 0;
    }
    struct buffer pattern = {0};
    const struct sql_token *token = rewriter_token(self, at);
    for (size_t i = 0; i < token->length; i++) {
        char byte = token->text[i];
        buffer_append_byte(&pattern, byte == '*' ? '%' : byte == '?' || byte == '[' ? '_' : byte);
    }
    rewriter_write(self, at, pattern.data, pattern.length);
    buffer_free(&pattern);
    return 1;
}

/* MATCH (a, b) AGAINST ('x') of MySQL, a MATCH 'x' of SQLite */
static size_t rewrite_rules_match(struct rewriter *self, size_t at)
{
    if (self->language == SQL_SQLITE) {
        rewriter_write_string(self, at, "@@");
        return 1;
    }
    size_t end = rewriter_is_mark(self, at + 1, '(') ? rewriter_group_end(self, at + 1) : 0;
    if (end == 0 || !rewriter_is(self, end, "AGAINST")) {
        return 0;
    }
    rewriter_write_string(self, at, "match_against");
    self->against = end;
    return 1;
}

static size_t against(struct rewriter *self, size_t at)
{
    return self->against == at && at > 0 ? rewriter_group_end(self, at + 1) - at : 0;
}

/* INTERVAL 7 DAY, INTERVAL ? DAY */
static size_t interval(struct rewriter *self, size_t at)
{
    const struct sql_token *value = rewriter_token(self, at + 1);
    bool simple = value->kind == SQL_TOKEN_NUMBER || value->kind == SQL_TOKEN_PARAMETER ||
                  value->kind == SQL_TOKEN_STRING;
    if (rewriter_token(self, at + 2)->kind != SQL_TOKEN_WORD || !simple) {
        return 0;
    }
    const struct sql_token *unit = rewriter_token(self, at + 2);
    bool number = value->kind == SQL_TOKEN_NUMBER;
    struct buffer text = {0};
    buffer_format(&text, "'%.*s %.*s'::interval", number ? (int)value->length : 1,
                  number ? value->text : "?", (int)unit->length, unit->text);
    rewriter_write(self, at, text.data, text.length);
    buffer_free(&text);
    return 3;
}

/* BINARY x compares bytes; CAST(x AS BINARY) is another thing. */
static size_t binary(struct rewriter *self, size_t at)
{
    bool type = at > 0 && rewriter_is(self, at - 1, "AS");
    return type || rewriter_is_mark(self, at + 1, '(') ? 0 : 1;
}

/* a IS b and a IS NOT b of SQLite, where b is a value. */
static size_t is_value(struct rewriter *self, size_t at)
{
    static const char *const others[] = {"NULL", "TRUE", "FALSE", "DISTINCT", "UNKNOWN", NULL};
    size_t value = rewriter_is(self, at + 1, "NOT") ? at + 2 : at + 1;
    if (rewriter_is_one_of(self, value, others)) {
        return 0;
    }
    rewriter_write_string(self, at, value == at + 1 ? "=" : "<>");
    return value - at;
}

/* ---------------------------------------------------------------- words and marks */

/* Names that are none in PostgreSQL. */
static size_t reserved(struct rewriter *self, size_t at)
{
    static const char *const words[] = {
        "user",          "analyse",    "asymmetric",   "symmetric",
        "authorization", "collation",  "freeze",       "do",
        "initially",     "deferrable", "placing",      "tablesample",
        "verbose",       "variadic",   "concurrently", "only",
        "array",         "binary",     "current_role", "session_user",
        "offset",        "similar",    "ilike",        NULL};
    if (!rewriter_is_one_of(self, at, words) || rewriter_is_mark(self, at + 1, '(') ||
        rewriter_is_mark(self, at + 1, '[') || rewriter_is(self, at + 1, "CONFLICT")) {
        return 0;
    }
    bool offset = rewriter_is(self, at, "offset") && is_limit_value(self, at + 1);
    bool conflict = rewriter_is(self, at, "do") &&
                    (rewriter_is(self, at + 1, "NOTHING") || rewriter_is(self, at + 1, "UPDATE"));
    if (offset || conflict) {
        return 0;
    }
    rewriter_name(self, at);
    return 1;
}

/* (?, ...) and the "..." of lists that a digest cut: one parameter. */
static size_t dots(struct rewriter *self, size_t at)
{
    bool list = rewriter_is_mark(self, at, ',');
    const struct sql_token *next = rewriter_token(self, at + 1);
    return list && next->kind == SQL_TOKEN_PARAMETER && next->text[0] == '.' ? 2 : 0;
}

static size_t depth(struct rewriter *self, size_t at)
{
    self->depth += rewriter_is_mark(self, at, '(') ? 1 : 0;
    self->depth -= rewriter_is_mark(self, at, ')') && self->depth > 0 ? 1 : 0;
    return 0;
}

const struct rewrite_rule rewrite_rules[] = {
    {ALL, NULL, depth},
    {ALL, NULL, drop_rows},
    {ALL, NULL, dots},
    {ALL, "LIMIT", limit},
    {MYSQL, "ON", on_duplicate},
    {MYSQL, "LOCK", lock_in_share_mode},
    {MYSQL, "WITH", with_rollup},
    {MYSQL, "SEPARATOR", separator},
    {MYSQL, "USE", index_hint},
    {MYSQL, "FORCE", index_hint},
    {MYSQL, "IGNORE", index_hint},
    {SQLITE, "INDEXED", indexed_by},
    {SQLITE, "NOT", not_something},
    {MYSQL, NULL, select_word},
    {FOREIGN, "JOIN", rewrite_rules_join},
    {FOREIGN, "INNER", rewrite_rules_join},
    {FOREIGN, "CROSS", rewrite_rules_join},
    {FOREIGN, "INSERT", rewrite_rules_insert},
    {FOREIGN, "REPLACE", rewrite_rules_insert},
    {FOREIGN, "SET", rewrite_rules_set},
    {FOREIGN, "UPDATE", change},
    {FOREIGN, "DELETE", change},
    {FOREIGN, "WHERE", where_of_change},
    {FOREIGN, "ORDER", order_of_change},
    {FOREIGN, "LIMIT", order_of_change},
    {SQLITE, NULL, glob_pattern},
    {FOREIGN, NULL, word_for_word},
    {FOREIGN, NULL, operator_for_operator},
    {FOREIGN, "MATCH", rewrite_rules_match},
    {MYSQL, "AGAINST", against},
    {MYSQL, "INTERVAL", interval},
    {MYSQL, "BINARY", binary},
    {SQLITE, "IS", is_value},
    {FOREIGN, NULL, reserved},
    {0, NULL, NULL},
};
