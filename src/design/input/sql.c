/*
 * text -> rewrite (PostgreSQL's SQL, and a normal form) -> seen before? its weight grows
 *                                                       -> else parse, resolve, merge
 *
 * Most statements of a log were seen before: then there is no parsing.
 */
#include "design/input/sql.h"
#include "base/memory.h"
#include "base/text.h"
#include "design/input/form.h"
#include "design/input/resolver.h"
#include "design/input/rewrite.h"
#include "design/input/union.h"
#include "model/json_tree.h"
#include "sql/split.h"
#include <pg_query.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>
#include <xxhash.h>

enum outcome { OUTCOME_STATEMENT, OUTCOME_PASSED_OVER, OUTCOME_UNPARSABLE, OUTCOME_UNRESOLVED };

/* A normal form that was seen. */
struct variant {
    XXH128_hash_t key;
    enum outcome outcome;
    uint32_t statement;
    double weight;
    const double *values; /* of the statement's predicates here */
    int64_t limit;
    UT_hash_handle hh;
};

/* A statement by what it is: form and fingerprint. */
struct merged {
    XXH128_hash_t key;
    uint32_t statement;
    UT_hash_handle hh;
};

struct input_sql {
    const struct graph *graph;
    enum sql_language language;
    struct arena *arena; /* of what the workload holds */
    struct arena *own;   /* of variants and merged ones */
    struct variant *variants;
    uint32_t variant_count;
    bool full; /* and it was reported */
    struct merged *merged;
    struct buffer statements; /* struct workload_statement */
    struct input_sql_report report;
};

struct input_sql *input_sql_create(const struct graph *graph, enum sql_language language,
                                   struct arena *arena)
{
    struct input_sql *self = memory_allocate_zeroed(1, sizeof *self);
    self->graph = graph;
    self->language = language;
    self->arena = arena;
    self->own = arena_create(0);
    self->report.findings.arena = arena;
    return self;
}

void input_sql_set_language(struct input_sql *self, enum sql_language language)
{
    self->language = language;
}

struct input_sql_report *input_sql_report(struct input_sql *self)
{
    return &self->report;
}

/* ---------------------------------------------------------------- findings */

struct place {
    uint32_t line;
    uint32_t column;
};

static struct place place_of(const struct input_text *text, size_t offset)
{
    struct place place = {text->line, text->column};
    for (size_t i = 0; i < offset && i < text->length; i++) {
        if (text->sql[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text->sql[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void report_at(struct input_sql *self, const struct input_text *text, size_t offset,
                      const char *what)
{
    struct place place = place_of(text, offset);
    findings_add(&self->report.findings, place.line, place.column, "%s", what);
}

/* ---------------------------------------------------------------- a new statement */

static void sql_count(struct input_sql *self, enum outcome outcome)
{
    struct input_sql_report *report = &self->report;
    uint64_t *counts[] = {[OUTCOME_STATEMENT] = NULL,
                          [OUTCOME_PASSED_OVER] = &report->passed_over,
                          [OUTCOME_UNPARSABLE] = &report->unparsable,
                          [OUTCOME_UNRESOLVED] = &report->unresolved};
    if (counts[outcome] != NULL) {
        ++*counts[outcome];
    }
}

static XXH128_hash_t identity(const struct input_sql *self, const char *sql,
                              const struct workload_statement *statement)
{
    struct buffer form = {0};
    PgQueryFingerprintResult print = pg_query_fingerprint(sql);
    input_form_append(&form, self->graph, statement, false);
    buffer_format(&form, " %s", print.error == NULL ? print.fingerprint_str : "");
    XXH128_hash_t key = XXH3_128bits(form.data, form.length);
    pg_query_free_fingerprint_result(print);
    buffer_free(&form);
    return key;
}

/* The number of the statement that it is, be it new or not. */
static uint32_t sql_merge(struct input_sql *self, const struct input_text *text,
                          const struct rewrite *rewrite, struct workload_statement *statement)
{
    struct merged *there = NULL;
    XXH128_hash_t key = identity(self, rewrite->sql.data, statement);
    HASH_FIND(hh, self->merged, &key, sizeof key, there);
    if (there != NULL) {
        return there->statement;
    }
    there = arena_allocate_zeroed(self->own, 1, sizeof *there);
    there->key = key;
    there->statement = (uint32_t)(self->statements.length / sizeof *statement);
    statement->weight = 0;
    statement->text = arena_copy(self->arena, rewrite->normal.data, rewrite->normal.length);
    statement->name = text->name != NULL ? arena_copy_string(self->arena, text->name) : NULL;
    buffer_append(&self->statements, statement, sizeof *statement);
    HASH_ADD(hh, self->merged, key, sizeof there->key, there);
    return there->statement;
}

static const double *values_of(struct input_sql *self, const struct workload_statement *statement)
{
    double *values =
        arena_allocate_zeroed(self->own, statement->predicate_count + 1, sizeof *values);
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        values[i] = statement->predicates[i].values;
    }
    return values;
}

/* Is "..." in a list, which stands for many values? */
static bool has_dots(const struct rewrite *rewrite)
{
    return rewrite->normal.length > 0 &&
           memmem(rewrite->normal.data, rewrite->normal.length, "...", 3) != NULL;
}

static enum outcome resolve(struct input_sql *self, const struct input_text *text,
                            const struct rewrite *rewrite, json_t *node, struct variant *variant)
{
    struct workload_statement statement;
    struct resolver resolver = {.graph = self->graph,
                                .arena = self->arena,
                                .language = self->language,
                                .dotted = has_dots(rewrite)};
    enum outcome outcome = OUTCOME_STATEMENT;
    if (resolver_run(&resolver, node, &statement)) {
        variant->statement = sql_merge(self, text, rewrite, &statement);
        variant->values = values_of(self, &statement);
        variant->limit = statement.limit;
    } else if (resolver.failure != NULL && !resolver.system_tables) {
        report_at(self, text, rewrite_origin(rewrite, resolver.failure_at), resolver.failure);
        outcome = OUTCOME_UNRESOLVED;
    } else {
        outcome = OUTCOME_PASSED_OVER;
    }
    resolver_free(&resolver);
    return outcome;
}

/* The parser counts characters from 1. */
static size_t byte_of(const struct rewrite *rewrite, int character)
{
    size_t at = 0;
    for (int seen = 0; at < rewrite->sql.length; at++) {
        seen += ((unsigned char)rewrite->sql.data[at] & 0xc0) != 0x80;
        if (seen >= character) {
            break;
        }
    }
    return at;
}

static enum outcome report_unparsable(struct input_sql *self, const struct input_text *text,
                                      const struct rewrite *rewrite, const PgQueryError *error)
{
    size_t at = error->cursorpos > 0 ? byte_of(rewrite, error->cursorpos) : 0;
    if (rewrite->truncated) {
        report_at(self, text, text->length, "the statement is cut off");
    } else {
        report_at(self, text, rewrite_origin(rewrite, at), error->message);
    }
    return OUTCOME_UNPARSABLE;
}

static enum outcome sql_parse(struct input_sql *self, const struct input_text *text,
                              struct rewrite *rewrite, struct variant *variant)
{
    rewrite_make_sql(rewrite);
    PgQueryParseResult parsed = pg_query_parse(buffer_string(&rewrite->sql));
    enum outcome outcome = OUTCOME_PASSED_OVER;
    if (parsed.error != NULL) {
        outcome = report_unparsable(self, text, rewrite, parsed.error);
    } else {
        json_t *tree = json_tree_load(parsed.parse_tree, strlen(parsed.parse_tree), 0, NULL);
        json_t *first = tree_list_at(json_object_get(tree, "stmts"), 0);
        if (tree == NULL) {
            report_at(self, text, 0, "too deeply nested");
            outcome = OUTCOME_UNPARSABLE;
        } else if (first != NULL) {
            outcome = resolve(self, text, rewrite, json_object_get(first, "stmt"), variant);
        }
        json_decref(tree);
    }
    pg_query_free_parse_result(parsed);
    return outcome;
}

/* ---------------------------------------------------------------- one statement */

static struct variant *find_variant(struct input_sql *self, const struct rewrite *rewrite,
                                    XXH128_hash_t *key)
{
    struct variant *found = NULL;
    XXH128_hash_t shape = XXH3_128bits(rewrite->shape.data, rewrite->shape.length);
    *key = XXH3_128bits_withSeed(rewrite->normal.data, rewrite->normal.length,
                                 shape.low64 ^ (uint64_t)self->language);
    HASH_FIND(hh, self->variants, key, sizeof *key, found);
    return found;
}

/* A text that begins with another word of SQL is not even parsed. */
static bool is_of_workload(enum sql_language language, const struct input_text *text)
{
    static const char *const others[] = {
        "SET",      "BEGIN",     "COMMIT",  "ROLLBACK",   "START",      "SHOW",     "USE",
        "CREATE",   "ALTER",     "DROP",    "GRANT",      "REVOKE",     "EXPLAIN",  "ANALYZE",
        "VACUUM",   "COPY",      "PRAGMA",  "LOCK",       "UNLOCK",     "TRUNCATE", "CALL",
        "DO",       "PREPARE",   "EXECUTE", "DEALLOCATE", "DISCARD",    "FETCH",    "CLOSE",
        "DECLARE",  "SAVEPOINT", "RELEASE", "END",        "ABORT",      "RESET",    "LISTEN",
        "NOTIFY",   "UNLISTEN",  "REINDEX", "CLUSTER",    "COMMENT",    "KILL",     "FLUSH",
        "DESCRIBE", "DESC",      "HANDLER", "LOAD",       "RENAME",     "OPTIMIZE", "CHECK",
        "REPAIR",   "REFRESH",   "ATTACH",  "DETACH",     "CHECKPOINT", "MERGE",    "XA",
        "INSTALL",  "STOP",      "RESTART", "PURGE",      "CHANGE",     "BINLOG",   "HELP",
        "SIGNAL",   NULL};
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, language, text->sql, text->length, NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    while (sql_token_is_mark(&token, '(')) {
        token = sql_lexer_next_code(&lexer);
    }
    for (const char *const *word = others; *word != NULL; word++) {
        if (sql_token_is_word(&token, *word)) {
            return false;
        }
    }
    return true; /* the parser says what is wrong with it */
}

static void add_rewritten(struct input_sql *self, const struct input_text *text,
                          struct rewrite *rewrite)
{
    XXH128_hash_t key;
    struct variant *variant = find_variant(self, rewrite, &key);
    if (variant == NULL && self->variant_count == INPUT_STATEMENTS_MAX) {
        if (!self->full) {
            report_at(self, text, 0,
                      "too many different statements: this one and others that "
                      "were not seen before are left out");
        }
        self->full = true;
        self->report.dropped++;
        return;
    }
    if (variant == NULL) {
        variant = arena_allocate_zeroed(self->own, 1, sizeof *variant);
        variant->key = key;
        variant->outcome = sql_parse(self, text, rewrite, variant);
        HASH_ADD(hh, self->variants, key, sizeof variant->key, variant);
        self->variant_count++;
    }
    variant->weight += text->weight * rewrite->rows;
    sql_count(self, variant->outcome);
}

static void add_one(struct input_sql *self, const struct input_text *text)
{
    struct rewrite rewrite;
    self->report.statements++;
    if (text->length > INPUT_STATEMENT_BYTES_MAX) {
        self->report.dropped++;
        report_at(self, text, 0, "a statement of more than 1 MiB");
        return;
    }
    if (!is_of_workload(self->language, text)) {
        self->report.passed_over++;
        return;
    }
    if (memchr(text->sql, '\0', text->length) != NULL) {
        self->report.dropped++;
        report_at(self, text, 0, "a statement with a NUL in it");
        return;
    }
    if (!rewrite_read(self->language, text->sql, text->length, &rewrite)) {
        self->report.dropped++;
        report_at(self, text, 0,
                  "a statement with too many or too deeply nested parts, or one whose "
                  "last string does not end");
        rewrite_free(&rewrite);
        return;
    }
    add_rewritten(self, text, &rewrite);
    rewrite_free(&rewrite);
}

/* ---------------------------------------------------------------- several statements */

static void add_parts(struct input_sql *self, const struct input_text *text,
                      const struct buffer *list, uint32_t made)
{
    const struct text *parts = (const struct text *)(const void *)list->data;
    for (uint32_t i = 0; i < made; i++) {
        const struct text part = parts[i];
        const struct place place = place_of(text, (size_t)(part.data - text->sql));
        struct input_text one = *text;
        one.sql = part.data;
        one.length = part.length;
        one.line = place.line;
        one.column = place.column;
        if (text->name != NULL) {
            one.name = arena_format(self->own, "%s (%u of %u)", text->name, i + 1, made);
        }
        add_one(self, &one);
    }
}

static void add_piece(struct input_sql *self, const struct input_text *text)
{
    struct buffer parts = {0};
    uint32_t made = 0;
    if (union_may_be_in(text->sql, text->length)) {
        made = union_split(self->language, (struct text){text->sql, text->length}, &parts);
    }
    if (made > 0) {
        add_parts(self, text, &parts, made);
    } else {
        add_one(self, text);
    }
    buffer_free(&parts);
}

void input_sql_add(struct input_sql *self, const struct input_text *text)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    sql_splitter_init(&splitter, self->language);
    sql_splitter_window(&splitter, text->sql, text->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        struct input_text one = *text;
        one.sql = piece.text;
        one.length = piece.length;
        const struct place place = place_of(text, (size_t)(piece.text - text->sql));
        one.line = place.line;
        one.column = place.column;
        if (piece.kind == SQL_PIECE_STATEMENT) {
            add_piece(self, &one);
        }
    }
}

/* ---------------------------------------------------------------- the workload */

/* Adds a variant's weight to its statement, and its values to the means. */
static void weigh(struct workload_statement *statement, const struct variant *variant)
{
    struct workload_predicate *predicates = (struct workload_predicate *)statement->predicates;
    double total = statement->weight + variant->weight;
    for (uint32_t i = 0; i < statement->predicate_count; i++) {
        double mean = statement->weight > 0 ? predicates[i].values : variant->values[i];
        predicates[i].values = mean + (variant->values[i] - mean) * variant->weight / total;
    }
    if (variant->limit > statement->limit) {
        statement->limit = variant->limit;
    }
    statement->weight = total;
}

static int compare_weights(const void *left, const void *right)
{
    const struct workload_statement *first = left;
    const struct workload_statement *second = right;
    if (first->weight != second->weight) {
        return first->weight > second->weight ? -1 : 1;
    }
    return strcmp(first->text, second->text);
}

void input_sql_finish(struct input_sql *self, struct workload *workload,
                      struct input_sql_report *report)
{
    struct variant *variant = NULL;
    struct variant *next = NULL;
    struct workload_statement *statements =
        (struct workload_statement *)(void *)self->statements.data;
    size_t made = self->statements.length / sizeof *statements;
    HASH_ITER (hh, self->variants, variant, next) {
        if (variant->outcome == OUTCOME_STATEMENT) {
            weigh(&statements[variant->statement], variant);
        }
    }
    if (made > 0) {
        qsort(statements, made, sizeof *statements, compare_weights);
    }
    *workload = (struct workload){.arena = self->arena, .count = (uint32_t)made};
    workload->statements = (const struct workload_statement *)(const void *)arena_copy(
        self->arena, made > 0 ? self->statements.data : "", self->statements.length);
    if (report != NULL) {
        *report = self->report;
    }
    input_sql_destroy(self);
}

void input_sql_destroy(struct input_sql *self)
{
    if (self == NULL) {
        return;
    }
    HASH_CLEAR(hh, self->variants);
    HASH_CLEAR(hh, self->merged);
    buffer_free(&self->statements);
    arena_destroy(self->own);
    free(self);
}
