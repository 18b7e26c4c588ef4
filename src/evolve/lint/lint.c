/* A lint from its statements to its report. */
#include "evolve/lint/lint_internal.h"
#include <stdlib.h>
#include <string.h>

void lint_report_init(struct lint_report *report)
{
    *report = (struct lint_report){.arena = arena_create(0)};
}

void lint_report_free(struct lint_report *report)
{
    arena_destroy(report->arena);
    *report = (struct lint_report){0};
}

static void note_created(struct lint_file *file, const char *name)
{
    file->created = arena_make_room(file->arena, file->created, file->created_count,
                                    &file->created_capacity, sizeof *file->created);
    file->created[file->created_count++] = name;
}

static void look_at_transaction(struct lint_file *file, struct lint_statement *statement)
{
    struct sql_cursor cursor;
    sql_cursor_of_piece(&cursor, file->input->language, &statement->piece);
    if (statement->class != SQL_CLASS_TRANSACTION) {
        return;
    }
    statement->begins = sql_at(&cursor, "BEGIN") || sql_at_words(&cursor, "START TRANSACTION");
    statement->commits = sql_at_one_of(&cursor, "COMMIT|END");
    if (sql_take_one_of(&cursor, "ROLLBACK|ABORT")) {
        sql_take_one_of(&cursor, "WORK|TRANSACTION");
        statement->rolls_back = !sql_at(&cursor, "TO");
    }
}

/* Goes along BEGIN and COMMIT, and notes which tables are made inside. */
static void find_transactions(struct lint_file *file)
{
    bool stated = file->transaction == LINT_WHOLE;
    for (uint32_t i = 0; i < file->count; i++) {
        struct lint_statement *statement = &file->statements[i];
        look_at_transaction(file, statement);
        stated = statement->begins || (stated && !statement->commits && !statement->rolls_back);
        bool ours = file->transaction == LINT_AS_RUN && statement->class != SQL_CLASS_ALONE &&
                    file->input->language != SQL_MYSQL;
        statement->in_transaction = stated || ours;
        bool seen = statement->in_transaction || file->input->language != SQL_POSTGRES;
        if (seen && statement->parsed.kind == SQL_STATEMENT_CREATE_TABLE) {
            note_created(file, statement->parsed.table.name);
        }
    }
}

static void lint_sql(struct lint_file *file)
{
    lint_read_statements(file);
    find_transactions(file);
    lint_rules_alter(file);
    lint_rules_index(file);
    lint_rules_type(file);
    lint_rules_object(file);
    lint_rules_transaction(file);
    lint_rules_rows(file);
    lint_rules_mysql(file);
    lint_rules_sqlite(file);
}

static int compare_findings(const void *first, const void *second)
{
    const struct lint_finding *a = first;
    const struct lint_finding *b = second;
    if (a->place.offset != b->place.offset) {
        return a->place.offset < b->place.offset ? -1 : 1;
    }
    if (a->end.offset != b->end.offset) {
        return a->end.offset < b->end.offset ? 1 : -1;
    }
    return strcmp(a->rule->id, b->rule->id);
}

static void count_findings(struct lint_file *file)
{
    struct lint_report *report = file->report;
    for (uint32_t i = file->first_finding; i < report->count; i++) {
        enum lint_level level = report->findings[i].level;
        report->notes += level == LINT_NOTE;
        report->warnings += level == LINT_WARNING;
        report->errors += level == LINT_ERROR;
    }
    report->files++;
}

void lint_text(const struct lint_input *input, struct lint_report *report)
{
    static void (*const readers[])(struct lint_file *) = {[LINT_SQL] = lint_sql,
                                                          [LINT_CQL] = lint_cql,
                                                          [LINT_DYNAMODB] = lint_dynamodb,
                                                          [LINT_HTTP] = lint_http,
                                                          [LINT_MONGO] = lint_mongo};
    struct lint_input own = *input;
    own.language = input->kind == LINT_CQL ? SQL_CQL : input->language;
    struct lint_file file = {.input = &own,
                             .report = report,
                             .arena = arena_create(0),
                             .transaction = input->transaction,
                             .first_finding = report->count};
    if (lint_says(&file, "transhume:transaction none") ||
        lint_says(&file, "squawk-disable-assume-in-transaction")) {
        file.transaction = LINT_ALONE;
    }
    readers[input->kind](&file);
    lint_suppress(&file);
    if (report->count > file.first_finding) {
        qsort(report->findings + file.first_finding, report->count - file.first_finding,
              sizeof *report->findings, compare_findings);
    }
    count_findings(&file);
    arena_destroy(file.arena);
}
