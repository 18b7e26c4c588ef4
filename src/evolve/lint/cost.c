/* The cost of a statement: what it shuts out, what it does with its table's rows, and how long that
 * may take. */
#include "evolve/lint/lint_internal.h"
#include <string.h>

/* A middling server of today with nothing else to do, in bytes and rows a second. */
enum {
    READ_BYTES = 200 << 20,
    INDEX_BYTES = 40 << 20,
    REWRITE_BYTES = 40 << 20,
    CHANGED_ROWS = 50000,
    READ_ROWS = 2000000,
    WRITTEN_ROWS = 400000
};

const char *lint_work_name(enum lint_work work)
{
    static const char *const names[] = {[LINT_WORK_NONE] = "none",
                                        [LINT_WORK_READ] = "read",
                                        [LINT_WORK_INDEX] = "index",
                                        [LINT_WORK_REWRITE] = "rewrite",
                                        [LINT_WORK_ROWS] = "rows"};
    return names[work];
}

/* ---------------------------------------------------------------- by what the statement is */

/* Statements that are told by their first words. */
struct by_words {
    const char *words;
    enum lint_lock lock;
    enum lint_work work;
};

static const struct by_words postgres_words[] = {
    {"DROP INDEX", LINT_LOCK_READS, LINT_WORK_NONE},
    {"DROP", LINT_LOCK_READS, LINT_WORK_NONE},
    {"TRUNCATE", LINT_LOCK_READS, LINT_WORK_NONE},
    {"LOCK", LINT_LOCK_READS, LINT_WORK_NONE},
    {"CREATE TRIGGER", LINT_LOCK_WRITES, LINT_WORK_NONE},
    {"CREATE CONSTRAINT TRIGGER", LINT_LOCK_WRITES, LINT_WORK_NONE},
    {"CREATE", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"COMMENT", LINT_LOCK_SCHEMA, LINT_WORK_NONE},
    {"GRANT", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"REVOKE", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"INSERT", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"UPDATE", LINT_LOCK_NONE, LINT_WORK_ROWS},
    {"DELETE", LINT_LOCK_NONE, LINT_WORK_ROWS},
    {"SELECT", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"SET", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"ANALYZE", LINT_LOCK_SCHEMA, LINT_WORK_NONE},
    {"VACUUM", LINT_LOCK_SCHEMA, LINT_WORK_READ},
    {NULL, LINT_LOCK_NONE, LINT_WORK_NONE}};

static const struct by_words mysql_words[] = {
    {"DROP", LINT_LOCK_READS, LINT_WORK_NONE},       {"TRUNCATE", LINT_LOCK_READS, LINT_WORK_NONE},
    {"RENAME", LINT_LOCK_READS, LINT_WORK_NONE},     {"CREATE", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"INSERT", LINT_LOCK_NONE, LINT_WORK_NONE},      {"UPDATE", LINT_LOCK_NONE, LINT_WORK_ROWS},
    {"DELETE", LINT_LOCK_NONE, LINT_WORK_ROWS},      {"SELECT", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"SET", LINT_LOCK_NONE, LINT_WORK_NONE},         {"GRANT", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"OPTIMIZE", LINT_LOCK_NONE, LINT_WORK_REWRITE}, {NULL, LINT_LOCK_NONE, LINT_WORK_NONE}};

/* One writer at a time, and readers go on where the journal is a write-ahead log. */
static const struct by_words sqlite_words[] = {
    {"SELECT", LINT_LOCK_NONE, LINT_WORK_NONE},   {"PRAGMA", LINT_LOCK_NONE, LINT_WORK_NONE},
    {"UPDATE", LINT_LOCK_WRITES, LINT_WORK_ROWS}, {"DELETE", LINT_LOCK_WRITES, LINT_WORK_ROWS},
    {"VACUUM", LINT_LOCK_WRITES, LINT_WORK_NONE}, {"", LINT_LOCK_WRITES, LINT_WORK_NONE},
    {NULL, LINT_LOCK_NONE, LINT_WORK_NONE}};

/* One statement as it is judged. */
struct judging {
    const struct lint_input *input;
    struct sql_piece piece;
    struct sql_statement parsed;
    struct lint_cost *cost;
};

static void judge_words(struct judging *judging)
{
    static const struct by_words *const tables[] = {
        [SQL_POSTGRES] = postgres_words, [SQL_MYSQL] = mysql_words, [SQL_SQLITE] = sqlite_words};
    struct sql_cursor cursor;
    enum sql_language language = judging->input->language;
    if (language > SQL_SQLITE || tables[language] == NULL) {
        return;
    }
    for (const struct by_words *at = tables[language]; at->words != NULL; at++) {
        sql_cursor_of_piece(&cursor, language, &judging->piece);
        if (at->words[0] == '\0' || sql_at_words(&cursor, at->words)) {
            judging->cost->lock_known = true;
            judging->cost->lock = at->lock;
            judging->cost->work = at->work;
            return;
        }
    }
}

static enum lint_lock lock_of_action(const struct sql_action *action)
{
    switch (action->kind) {
    case SQL_ACTION_VALIDATE_CONSTRAINT:
    case SQL_ACTION_COLUMN_OPTION:
        return LINT_LOCK_SCHEMA;
    case SQL_ACTION_ADD_CONSTRAINT:
        return action->constraint != NULL && action->constraint->kind == SQL_CONSTRAINT_FOREIGN_KEY
                   ? LINT_LOCK_WRITES
                   : LINT_LOCK_READS;
    case SQL_ACTION_DETACH_PARTITION:
        return action->concurrently.text != NULL ? LINT_LOCK_SCHEMA : LINT_LOCK_READS;
    default:
        return LINT_LOCK_READS;
    }
}

/* MySQL and MariaDB change a table beside its readers and writers where they can; where they can't,
 * the rules say so. */
static void judge_alter(struct judging *judging)
{
    struct lint_cost *cost = judging->cost;
    cost->lock_known = true;
    cost->lock = judging->input->language == SQL_MYSQL ? LINT_LOCK_SCHEMA : LINT_LOCK_NONE;
    for (uint32_t i = 0;
         i < judging->parsed.action_count && judging->input->language == SQL_POSTGRES; i++) {
        const struct sql_action *action = &judging->parsed.actions[i];
        enum lint_lock lock = lock_of_action(action);
        cost->lock = lock > cost->lock ? lock : cost->lock;
        cost->work = action->kind == SQL_ACTION_VALIDATE_CONSTRAINT ? LINT_WORK_READ : cost->work;
    }
}

static void judge_kind(struct judging *judging)
{
    const struct sql_statement *parsed = &judging->parsed;
    bool sqlite = judging->input->language == SQL_SQLITE;
    judging->cost->whole_database = sqlite;
    judge_words(judging);
    if (parsed->kind == SQL_STATEMENT_CREATE_INDEX) {
        struct lint_cost *cost = judging->cost;
        bool beside = judging->parsed.concurrently.text != NULL;
        cost->lock_known = true;
        cost->work = LINT_WORK_INDEX;
        cost->lock =
            beside || judging->input->language == SQL_MYSQL ? LINT_LOCK_SCHEMA : LINT_LOCK_WRITES;
    } else if (parsed->kind == SQL_STATEMENT_ALTER_TABLE && !sqlite) {
        judge_alter(judging);
    } else if (parsed->kind == SQL_STATEMENT_DROP_INDEX && parsed->concurrently.text != NULL) {
        judging->cost->lock = LINT_LOCK_SCHEMA;
    }
}

/* ---------------------------------------------------------------- by what the rules find */

/* Rules that go by the table's size without writing it anew read it; a key builds an index. */
static enum lint_work work_of(const struct judging *judging, const struct lint_finding *finding)
{
    if (finding->rule->rewrites) {
        return LINT_WORK_REWRITE;
    }
    if (!finding->rule->goes_by_size || judging->cost->work != LINT_WORK_NONE) {
        return judging->cost->work;
    }
    for (uint32_t i = 0; i < judging->parsed.action_count; i++) {
        const struct sql_constraint *constraint = judging->parsed.actions[i].constraint;
        if (constraint != NULL && (constraint->kind == SQL_CONSTRAINT_UNIQUE ||
                                   constraint->kind == SQL_CONSTRAINT_PRIMARY_KEY)) {
            return LINT_WORK_INDEX;
        }
    }
    return LINT_WORK_READ;
}

static void judge_findings(struct judging *judging, const struct schema_table **known)
{
    struct lint_report report;
    struct lint_input input = *judging->input;
    struct lint_cost *cost = judging->cost;
    input.passes_over_comments = true;
    lint_report_init(&report);
    lint_text(&input, &report);
    for (uint32_t i = 0; i < report.count; i++) {
        const struct lint_finding *finding = &report.findings[i];
        if (finding->rule->level == LINT_NOTE) {
            continue; /* what might be better, not what happens */
        }
        *known = finding->table != NULL ? finding->table : *known;
        cost->lock = finding->lock > cost->lock ? finding->lock : cost->lock;
        cost->lock_known = cost->lock_known || finding->lock != LINT_LOCK_NONE;
        cost->work = work_of(judging, finding);
    }
    lint_report_free(&report);
}

/* ---------------------------------------------------------------- how long */

static double seconds_of(const struct lint_cost *cost)
{
    static const struct {
        double bytes;
        double rows;
    } rates[] = {[LINT_WORK_READ] = {READ_BYTES, READ_ROWS},
                 [LINT_WORK_INDEX] = {INDEX_BYTES, WRITTEN_ROWS},
                 [LINT_WORK_REWRITE] = {REWRITE_BYTES, WRITTEN_ROWS},
                 [LINT_WORK_ROWS] = {REWRITE_BYTES, CHANGED_ROWS}};
    if (cost->work == LINT_WORK_NONE) {
        return 0;
    }
    double by_bytes = cost->bytes >= 0 ? (double)cost->bytes / rates[cost->work].bytes : -1;
    double by_rows = cost->rows >= 0 ? (double)cost->rows / rates[cost->work].rows : -1;
    return by_bytes > by_rows ? by_bytes : by_rows;
}

void lint_cost_of(const struct lint_input *input, const char *text, size_t length,
                  struct arena *arena, struct lint_cost *cost)
{
    struct sql_splitter splitter;
    struct lint_input own = *input;
    own.text = text;
    own.length = length;
    struct judging judging = {.input = &own, .cost = cost};
    const struct schema_table *known = NULL;
    *cost = (struct lint_cost){.rows = -1, .bytes = -1, .seconds = -1};
    sql_splitter_init(&splitter, input->language);
    sql_splitter_window(&splitter, text, length, true);
    if (input->kind != LINT_SQL) { /* what its rules find is all that is known */
        judge_findings(&judging, &known);
        return;
    }
    if (sql_splitter_next(&splitter, &judging.piece) != STATUS_OK) {
        return;
    }
    sql_statement_read(input->language, &judging.piece, arena, &judging.parsed);
    judge_kind(&judging);
    judge_findings(&judging, &known);
    const struct lint_file file = {.input = &own, .arena = arena};
    const struct schema_table *named = lint_table(&file, &judging.parsed.table);
    known = named != NULL ? named : known;
    cost->table = known != NULL                       ? known->name
                  : judging.parsed.table.name != NULL ? judging.parsed.table.name
                                                      : NULL;
    if (known != NULL) {
        cost->rows = known->row_count;
        cost->bytes = known->size_bytes;
    } else if (input->schema != NULL && judging.parsed.table.name != NULL) {
        /* It is not there yet: files in front make it, and nobody uses it. */
        cost->lock = LINT_LOCK_NONE;
        cost->rows = 0;
        cost->bytes = 0;
    }
    cost->seconds = seconds_of(cost);
}
