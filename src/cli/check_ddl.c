/* Columns and statements as `check --ddl` and `migrate --dry-run` print them. */
#include "cli/check_ddl.h"
#include "base/text.h"
#include "connectors/contract/script.h"
#include "observe/table.h"
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- text */

static void append_columns(const struct check_ddl *ddl, bool color, struct buffer *out)
{
    static const char *const titles[] = {"table",       "column",      "from",
                                         "source type", "target type", NULL};
    struct table *table = table_create(titles);
    for (uint32_t i = 0; i < ddl->column_count; i++) {
        const struct check_column *column = &ddl->columns[i];
        table_add_text(table, column->table);
        table_add_text(table, column->name);
        table_add_text(table, column->from);
        table_add_text(table, column->from_type != NULL ? column->from_type : "");
        table_add_text(table, column->type != NULL ? column->type : "");
    }
    buffer_append_string(out, "\ncolumns\n");
    table_append(table, color, out);
    table_destroy(table);
}

/* As an item of a list. The names are a source's own. */
static void append_folded(struct buffer *line, struct buffer *out)
{
    struct buffer folded = {0};
    buffer_string(line);
    text_clean_line(line->data);
    cli_append_wrapped(&folded, line->data, 4, cli_prose_columns(STDOUT_FILENO));
    buffer_append_string(out, "  - ");
    buffer_append_string(out, buffer_string(&folded) + 4);
    buffer_free(&folded);
}

/* A line a reason, with all columns that it is of. */
static void append_reasons(const struct check_ddl *ddl, struct buffer *out)
{
    for (uint32_t i = 0; i < ddl->column_count; i++) {
        const struct check_column *column = &ddl->columns[i];
        struct buffer line = {0};
        bool told = column->why == NULL;
        for (uint32_t k = 0; !told && k < i; k++) {
            told = ddl->columns[k].why != NULL && strcmp(ddl->columns[k].why, column->why) == 0;
        }
        if (told) {
            continue;
        }
        buffer_format(&line, "%s: ", column->why);
        for (uint32_t k = i; k < ddl->column_count; k++) {
            const struct check_column *same = &ddl->columns[k];
            if (same->why != NULL && strcmp(same->why, column->why) == 0) {
                buffer_format(&line, "%s%s.%s", k > i ? ", " : "", same->table, same->name);
            }
        }
        append_folded(&line, out);
        buffer_free(&line);
    }
}

/* Whole, since they may be run by hand. */
static void append_statement(const struct script_statement *statement, struct buffer *out)
{
    struct buffer text = {0};
    buffer_format(&text, "%s;", statement->text);
    cli_append_whole(buffer_string(&text), 0, out);
    buffer_free(&text);
}

static void append_moment(const struct check_ddl *ddl, enum script_moment moment, const char *title,
                          struct buffer *out)
{
    bool any = false;
    for (uint32_t i = 0; i < ddl->statement_count; i++) {
        if (ddl->statements[i].moment == moment) {
            buffer_format(out, "%s", any ? "" : title);
            append_statement(&ddl->statements[i], out);
            any = true;
        }
    }
}

void cli_append_ddl(const struct check_ddl *ddl, bool color, struct buffer *out)
{
    if (!ddl->asked) {
        return;
    }
    if (ddl->column_count > 0) {
        append_columns(ddl, color, out);
        append_reasons(ddl, out);
    }
    if (ddl->statement_count == 0) {
        buffer_append_string(out, ddl->scripted
                                      ? "\nno statements: the target has all of the tables\n"
                                      : "\nno statements: the target's tables need none\n");
    }
    append_moment(ddl, SCRIPT_BEFORE_LOAD, "\nstatements before the records\n", out);
    append_moment(ddl, SCRIPT_AFTER_LOAD, "\nstatements after the records\n", out);
}

/* ---------------------------------------------------------------- JSON */

static void append_member(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, "%s\"%s\":", buffer_last(out) == '{' ? "" : ",", name);
    cli_append_json_text(out, text);
}

void cli_append_ddl_json(const struct check_ddl *ddl, struct buffer *out)
{
    if (!ddl->asked) {
        return;
    }
    buffer_append_string(out, ",\"columns\":[");
    for (uint32_t i = 0; i < ddl->column_count; i++) {
        const struct check_column *column = &ddl->columns[i];
        buffer_append_string(out, i == 0 ? "{" : ",{");
        append_member(out, "table", column->table);
        append_member(out, "column", column->name);
        append_member(out, "from", column->from);
        append_member(out, "source_type", column->from_type);
        append_member(out, "target_type", column->type);
        append_member(out, "why", column->why);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "],\"statements\":[");
    for (uint32_t i = 0; i < ddl->statement_count; i++) {
        const struct script_statement *statement = &ddl->statements[i];
        buffer_append_string(out, i == 0 ? "{" : ",{");
        append_member(out, "when",
                      statement->moment == SCRIPT_BEFORE_LOAD ? "before the records"
                                                              : "after the records");
        append_member(out, "what", statement->what);
        append_member(out, "name", statement->name);
        append_member(out, "text", statement->text);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}
