/*
 * A window on src/sql and src/evolve/lint for programs in Python: reads a file from its standard
 * input.
 *
 *   sql_probe split DIALECT [DELIMITER]   a line of JSON for each piece: kind, text, run, line,
 *                                         column, class, fault
 *   sql_probe lint DIALECT MODE VERSION [RULE...]
 *                                         what the lint finds, as JSON; MODE: run, alone, whole;
 *                                         the rules are optional ones that count
 *   sql_probe after DIALECT DDL           the same of a file run by transhume on what the DDL makes
 *   sql_probe rules                       the table of docs/lint.md
 *   sql_probe count                       statements of PostgreSQL with a NUL behind each: how many
 *                                         its own parser finds in each, or what it says
 *   sql_probe model                       likewise: what src/sql reads in each, and PostgreSQL's
 *                                         own tree, as JSON
 *   sql_probe scan                        of a file of PostgreSQL where the scanner of its parser
 *                                         sees statements: offset and length, a line each
 */
#include "evolve/lint/lint.h"
#include "model/json_writer.h"
#include "sql/classify.h"
#include "sql/ddl.h"
#include "sql/statement.h"
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_input(struct buffer *input)
{
    enum { STEP = 64 << 10 };
    size_t got;
    do {
        buffer_reserve(input, STEP);
        got = fread(input->data + input->length, 1, STEP, stdin);
        input->length += got;
    } while (got > 0);
    return !ferror(stdin);
}

static bool language_named(const char *name, enum sql_language *language)
{
    for (*language = SQL_POSTGRES; *language <= SQL_CQL; (*language)++) {
        if (strcasecmp(sql_language_name(*language), name) == 0) {
            return true;
        }
    }
    return false;
}

static void append_text(struct buffer *out, const char *key, const char *text, size_t length)
{
    buffer_format(out, ", \"%s\": ", key);
    json_append_string(out, text, length);
}

static void print_piece(enum sql_language language, const struct sql_piece *piece)
{
    static const char *const kinds[] = {"statement", "command", "data"};
    struct buffer out = {0};
    buffer_format(&out,
                  "{\"kind\": \"%s\", \"line\": %u, \"column\": %u, \"begin\": %zu, \"end\": %zu",
                  kinds[piece->kind], piece->place.line, piece->place.column, piece->place.offset,
                  piece->place.offset + piece->length);
    append_text(&out, "text", piece->text, piece->length);
    append_text(&out, "run", piece->run, piece->run_length);
    if (piece->kind == SQL_PIECE_STATEMENT) {
        buffer_format(&out, ", \"class\": \"%s\"",
                      sql_class_name(sql_classify(language, piece, 0)));
    }
    if (piece->fault != NULL) {
        append_text(&out, "fault", piece->fault, strlen(piece->fault));
        buffer_format(&out, ", \"fault_line\": %u, \"fault_column\": %u", piece->fault_place.line,
                      piece->fault_place.column);
    }
    buffer_append_string(&out, "}\n");
    fwrite(out.data, 1, out.length, stdout);
    buffer_free(&out);
}

static int split(enum sql_language language, const char *delimiter, const struct buffer *input)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    sql_splitter_init(&splitter, language);
    if (delimiter != NULL && !sql_splitter_delimiter(&splitter, delimiter, strlen(delimiter))) {
        return 2;
    }
    sql_splitter_window(&splitter, input->data, input->length, true);
    while (sql_splitter_next(&splitter, &piece) == STATUS_OK) {
        print_piece(language, &piece);
    }
    return 0;
}

static int count(struct buffer *input)
{
    const char *end = buffer_string(input) + input->length;
    for (const char *at = input->data; at < end; at += strlen(at) + 1) {
        PgQuerySplitResult found = pg_query_split_with_parser(at);
        if (found.error != NULL) {
            printf("%s at %d\n", found.error->message, found.error->cursorpos);
        } else {
            printf("%d\n", found.n_stmts);
        }
        pg_query_free_split_result(found);
    }
    return 0;
}

static void append_named(struct buffer *out, const char *name)
{
    if (name == NULL) {
        buffer_append_string(out, "null");
    } else {
        json_append_string(out, name, strlen(name));
    }
}

static void append_constraints(struct buffer *out, const struct sql_constraint *constraints,
                               uint32_t count)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "%s%d", i > 0 ? ", " : "", (int)constraints[i].kind);
    }
    buffer_append_byte(out, ']');
}

static void append_column(struct buffer *out, const struct sql_column_named *column)
{
    buffer_append_byte(out, '[');
    append_named(out, column->name.name);
    buffer_append_string(out, ", ");
    append_named(out, column->type.name);
    buffer_append_string(out, ", ");
    append_constraints(out, column->constraints, column->constraint_count);
    buffer_append_byte(out, ']');
}

static void append_model(struct buffer *out, const struct sql_statement *statement)
{
    buffer_format(out, "{\"kind\": %d, \"table\": ", (int)statement->kind);
    append_named(out, statement->table.name);
    buffer_append_string(out, ", \"columns\": [");
    for (uint32_t i = 0; i < statement->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        append_column(out, &statement->columns[i]);
    }
    buffer_append_string(out, "], \"constraints\": ");
    append_constraints(out, statement->constraints, statement->constraint_count);
    buffer_append_string(out, ", \"actions\": [");
    for (uint32_t i = 0; i < statement->action_count; i++) {
        const struct sql_action *action = &statement->actions[i];
        buffer_format(out, "%s{\"kind\": %d, \"name\": ", i > 0 ? ", " : "", (int)action->kind);
        append_named(out, action->name.name);
        buffer_append_string(out, ", \"column\": ");
        append_column(out, &action->column);
        buffer_append_string(out, ", \"constraint\": ");
        append_constraints(out, action->constraint, action->constraint != NULL ? 1 : 0);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]}");
}

/* One statement, without a delimiter. */
static void print_model(const char *text, struct arena *arena)
{
    struct buffer out = {0};
    struct sql_statement statement;
    const struct sql_piece piece = {.text = text, .length = strlen(text), .place = {0, 1, 1}};
    PgQueryParseResult theirs = pg_query_parse(text);
    sql_statement_read(SQL_POSTGRES, &piece, arena, &statement);
    buffer_append_string(&out, "{\"ours\": ");
    append_model(&out, &statement);
    buffer_format(&out, ", \"theirs\": %s}\n", theirs.error == NULL ? theirs.parse_tree : "null");
    fwrite(out.data, 1, out.length, stdout);
    pg_query_free_parse_result(theirs);
    buffer_free(&out);
}

static int print_models(struct buffer *input)
{
    struct arena *arena = arena_create(0);
    const char *end = buffer_string(input) + input->length;
    for (const char *at = input->data; at < end; at += strlen(at) + 1) {
        print_model(at, arena);
        arena_reset(arena);
    }
    arena_destroy(arena);
    return 0;
}

static int scan(struct buffer *input)
{
    PgQuerySplitResult found = pg_query_split_with_scanner(buffer_string(input));
    for (int i = 0; i < found.n_stmts; i++) {
        printf("%d %d\n", found.stmts[i]->stmt_location, found.stmts[i]->stmt_len);
    }
    if (found.error != NULL) {
        printf("%s at %d\n", found.error->message, found.error->cursorpos);
    }
    pg_query_free_split_result(found);
    return 0;
}

static void print_findings(const struct lint_input *input)
{
    struct lint_report report;
    struct buffer out = {0};
    lint_report_init(&report);
    lint_text(input, &report);
    lint_write(&report, LINT_FORM_JSON, &out);
    fwrite(out.data, 1, out.length, stdout);
    buffer_free(&out);
    lint_report_free(&report);
}

static int lint_after(enum sql_language language, const char *ddl, const struct buffer *input)
{
    struct arena *arena = arena_create(0);
    struct schema schema;
    struct sql_ddl_report report;
    sql_ddl_read(language, ddl, strlen(ddl), arena, &schema, &report);
    const struct lint_input file = {.file = "stdin",
                                    .text = input->data,
                                    .length = input->length,
                                    .language = language,
                                    .schema = &schema};
    print_findings(&file);
    arena_destroy(arena);
    return 0;
}

static int lint(enum sql_language language, char **arguments, const struct buffer *input)
{
    const struct lint_input file = {.file = "stdin",
                                    .text = input->data,
                                    .length = input->length,
                                    .language = language,
                                    .server_version = (uint32_t)strtoul(arguments[1], NULL, 10),
                                    .transaction = strcmp(arguments[0], "run") == 0 ? LINT_AS_RUN
                                                   : strcmp(arguments[0], "alone") == 0
                                                       ? LINT_ALONE
                                                       : LINT_WHOLE,
                                    .with = (const char *const *)(arguments + 2)};
    print_findings(&file);
    return 0;
}

/* "PostgreSQL, MySQL, SQLite" */
static void append_dialects(struct buffer *out, const struct lint_rule *rule)
{
    static const char *const kinds[] = {NULL, "Cassandra", "DynamoDB", "OpenSearch", "MongoDB"};
    size_t begin = out->length;
    for (enum sql_language language = SQL_POSTGRES;
         (rule->kinds & 1u << LINT_SQL) != 0 && language <= SQL_SQLITE; language++) {
        if ((rule->dialects & 1u << language) != 0) {
            buffer_format(out, "%s%s", out->length > begin ? ", " : "",
                          sql_language_name(language));
        }
    }
    for (uint32_t kind = LINT_CQL; kind <= LINT_MONGO; kind++) {
        if ((rule->kinds & 1u << kind) != 0) {
            buffer_format(out, "%s%s", out->length > begin ? ", " : "", kinds[kind]);
        }
    }
}

static int print_rules(void)
{
    static const char *const levels[] = {"note", "warning", "error"};
    static const char *const locks[] = {"", "schema changes", "writes", "reads, writes"};
    struct buffer out = {0};
    uint32_t count;
    const struct lint_rule *rules = lint_rules(&count);
    buffer_append_string(&out, "| rule | of | level | blocks | what is wrong | instead |\n"
                               "|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(&out, "| `%s`%s | ", rules[i].id, rules[i].is_optional ? " (optional)" : "");
        append_dialects(&out, &rules[i]);
        buffer_format(&out, " | %s | %s%s | %s | %s |\n", levels[rules[i].level],
                      locks[rules[i].lock], rules[i].rewrites ? "; rewrites" : "", rules[i].message,
                      rules[i].help != NULL ? rules[i].help : "");
    }
    fwrite(out.data, 1, out.length, stdout);
    buffer_free(&out);
    return 0;
}

int main(int argument_count, char **arguments)
{
    struct buffer input = {0};
    enum sql_language language;
    int result = 2;
    if (argument_count == 2 && strcmp(arguments[1], "rules") == 0) {
        return print_rules();
    }
    if (!read_input(&input)) {
        return 1;
    }
    if (argument_count >= 3 && strcmp(arguments[1], "split") == 0 &&
        language_named(arguments[2], &language)) {
        result = split(language, arguments[3], &input);
    } else if (argument_count == 4 && strcmp(arguments[1], "after") == 0 &&
               language_named(arguments[2], &language)) {
        result = lint_after(language, arguments[3], &input);
    } else if (argument_count >= 5 && strcmp(arguments[1], "lint") == 0 &&
               language_named(arguments[2], &language)) {
        result = lint(language, arguments + 3, &input);
    } else if (argument_count == 2 && strcmp(arguments[1], "count") == 0) {
        result = count(&input);
    } else if (argument_count == 2 && strcmp(arguments[1], "model") == 0) {
        result = print_models(&input);
    } else if (argument_count == 2 && strcmp(arguments[1], "scan") == 0) {
        result = scan(&input);
    }
    buffer_free(&input);
    return result;
}
