/* Files of migrations in all kinds and dialects through the lint, and its findings through each
 * form. The first byte chooses kind and dialect, the second the transactions and the version. */
#include "support.h"

#include "evolve/lint/lint.h"
#include "sql/statement.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 4096 };

static void check_span(const struct sql_span *span, const struct sql_piece *piece)
{
    if (span->text != NULL) {
        FUZZ_REQUIRE(span->text >= piece->text);
        FUZZ_REQUIRE(span->text + span->length <= piece->text + piece->length);
        FUZZ_REQUIRE(sql_span_end(span).offset == span->place.offset + span->length);
    }
}

static void check_column(const struct sql_column_named *column, const struct sql_piece *piece)
{
    check_span(&column->name.span, piece);
    check_span(&column->type.span, piece);
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        check_span(&column->constraints[i].span, piece);
        check_span(&column->constraints[i].expression, piece);
    }
}

/* Every span of a statement's model is a part of the statement. */
static void check_statement(enum sql_language language, const struct sql_piece *piece,
                            struct arena *arena)
{
    struct sql_statement statement;
    sql_statement_read(language, piece, arena, &statement);
    check_span(&statement.table_span, piece);
    check_span(&statement.options, piece);
    check_span(&statement.concurrently, piece);
    for (uint32_t i = 0; i < statement.column_count; i++) {
        FUZZ_REQUIRE(statement.columns[i].name.name != NULL);
        check_column(&statement.columns[i], piece);
    }
    for (uint32_t i = 0; i < statement.constraint_count; i++) {
        check_span(&statement.constraints[i].span, piece);
    }
    for (uint32_t i = 0; i < statement.action_count; i++) {
        const struct sql_action *action = &statement.actions[i];
        check_span(&action->span, piece);
        check_span(&action->option, piece);
        check_column(&action->column, piece);
        FUZZ_REQUIRE((action->kind == SQL_ACTION_ADD_CONSTRAINT) == (action->constraint != NULL));
    }
    FUZZ_REQUIRE(statement.kind != SQL_STATEMENT_ALTER_TABLE || statement.table.name != NULL);
}

static void check_statements(const struct lint_input *input)
{
    struct arena *arena = arena_create(0);
    struct sql_splitter splitter;
    struct sql_piece piece;
    sql_splitter_init(&splitter, input->language);
    sql_splitter_window(&splitter, input->text, input->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        if (piece.kind == SQL_PIECE_STATEMENT) {
            check_statement(input->language, &piece, arena);
        }
    }
    arena_destroy(arena);
}

/* A form that is JSON must be read again. */
static void check_json(const struct lint_report *report, enum lint_form form)
{
    struct buffer out = {0};
    lint_write(report, form, &out);
    json_t *tree = json_loadb(out.data, out.length, 0, NULL);
    FUZZ_REQUIRE(tree != NULL);
    FUZZ_REQUIRE(form != LINT_FORM_JSON || json_array_size(tree) == report->count);
    json_decref(tree);
    buffer_free(&out);
}

static const struct schema_column columns[] = {
    {.name = "a", .type = {.kind = VALUE_TEXT, .native = "varchar(10)"}},
    {.name = "b", .type = {.kind = VALUE_TEXT, .native = "enum('x','y')"}, .not_null = true},
    {.name = "c", .type = {.kind = VALUE_TEXT, .native = "timestamp(3) with time zone"}}};
static const struct schema_table tables[] = {
    {.name = "t", .columns = columns, .column_count = 3, .row_count = 5000, .size_bytes = 1 << 30}};
static const struct schema schema = {.tables = tables, .table_count = 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t versions[] = {0, 80035, 101106, 150004};
    if (size < 2 || size > BYTES_MAX) {
        return 0;
    }
    char *text = malloc(size - 2 + 1); /* so that a byte too far is seen */
    memcpy(text, data + 2, size - 2);
    const struct lint_input input = {.file = "a.sql",
                                     .text = text,
                                     .length = size - 2,
                                     .kind = (enum lint_kind)(data[0] / 3 % 5),
                                     .language = (enum sql_language)(data[0] % 3),
                                     .transaction = (enum lint_transaction)(data[1] % 3),
                                     .server_version = versions[data[1] / 3 % 4],
                                     .schema = data[1] / 12 % 2 == 1 ? &schema : NULL};
    struct lint_report report;
    struct buffer out = {0};
    check_statements(&input);
    lint_report_init(&report);
    lint_text(&input, &report);
    FUZZ_REQUIRE(report.files == 1);
    FUZZ_REQUIRE(report.notes + report.warnings + report.errors == report.count);
    for (uint32_t i = 0; i < report.count; i++) {
        const struct lint_finding *finding = &report.findings[i];
        FUZZ_REQUIRE(i == 0 || finding[-1].place.offset <= finding->place.offset);
        FUZZ_REQUIRE(finding->place.line > 0 && finding->place.column > 0);
        FUZZ_REQUIRE(finding->place.offset <= finding->end.offset);
        FUZZ_REQUIRE(finding->end.offset <= input.length);
        FUZZ_REQUIRE(finding->message[0] != '\0');
    }
    lint_write(&report, LINT_FORM_TEXT, &out);
    lint_write(&report, LINT_FORM_GITHUB, &out);
    check_json(&report, LINT_FORM_JSON);
    check_json(&report, LINT_FORM_SARIF);
    buffer_free(&out);
    lint_report_free(&report);
    free(text);
    return 0;
}
