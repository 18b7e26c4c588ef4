/*
 * A window on src/sql and src/evolve/lint for programs in Python: reads a file from its standard
 * input.
 *
 *   sql_probe split DIALECT [DELIMITER]   a line of JSON for each piece: kind, text, run, line,
 *                                         column, class, fault
 *   sql_probe lint DIALECT MODE VERSION [RULE...]
 *                                         what the lint finds, as JSON; MODE: run, alone, whole;
 *                                         the rules are optional ones that count
 *   sql_probe count                       statements of PostgreSQL with a NUL behind each: how many
 *                                         its own parser finds in each, or what it says, a line
 * each
 */
#include "evolve/lint/lint.h"
#include "model/json_writer.h"
#include "sql/classify.h"
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

static int lint(enum sql_language language, char **arguments, const struct buffer *input)
{
    struct lint_report report;
    struct buffer out = {0};
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
    lint_report_init(&report);
    lint_text(&file, &report);
    lint_write(&report, LINT_FORM_JSON, &out);
    fwrite(out.data, 1, out.length, stdout);
    buffer_free(&out);
    lint_report_free(&report);
    return 0;
}

int main(int argument_count, char **arguments)
{
    struct buffer input = {0};
    enum sql_language language;
    int result = 2;
    if (!read_input(&input)) {
        return 1;
    }
    if (argument_count >= 3 && strcmp(arguments[1], "split") == 0 &&
        language_named(arguments[2], &language)) {
        result = split(language, arguments[3], &input);
    } else if (argument_count >= 5 && strcmp(arguments[1], "lint") == 0 &&
               language_named(arguments[2], &language)) {
        result = lint(language, arguments + 3, &input);
    } else if (argument_count == 2 && strcmp(arguments[1], "count") == 0) {
        result = count(&input);
    } else if (argument_count == 2 && strcmp(arguments[1], "scan") == 0) {
        result = scan(&input);
    }
    buffer_free(&input);
    return result;
}
