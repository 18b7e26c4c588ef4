/* A difference as SQL, as JSON and as a list for people. */
#include "evolve/diff/diff.h"
#include "model/json_writer.h"
#include <string.h>

static const char *const actions[] = {
    [DIFF_CREATE] = "create", [DIFF_ALTER] = "alter",     [DIFF_DROP] = "drop",
    [DIFF_RENAME] = "rename", [DIFF_REBUILD] = "rebuild",
};
static const char *const locks[] = {
    [ALTER_LOCK_NONE] = "none",
    [ALTER_LOCK_WRITES] = "writes",
    [ALTER_LOCK_ALL] = "all",
};

/* ---------------------------------------------------------------- SQL */

/* One line for a comment: nothing in it may end that. */
static void append_comment(struct buffer *out, const char *lead, const char *text)
{
    buffer_format(out, "-- %s", lead);
    for (; *text != '\0'; text++) {
        buffer_append_byte(out, *text == '\n' || *text == '\r' ? ' ' : *text);
    }
    buffer_append_byte(out, '\n');
}

static void append_kept(const struct diff_result *result, struct buffer *out)
{
    for (uint32_t i = 0; i < result->change_count; i++) {
        const struct diff_change *change = &result->changes[i];
        if (change->kept) {
            buffer_format(out, "-- not dropped without --allow-drop: %s ", change->kind);
            buffer_append_string(out, change->name);
            buffer_append_byte(out, '\n');
        }
    }
    for (uint32_t i = 0; i < result->question_count; i++) {
        append_comment(out, "", result->questions[i]);
    }
}

/* A table that takes another one's place is dropped meanwhile: what refers to it stays only while
 * SQLite looks after no references, which it can't be told within a transaction. */
static bool replaces_tables(const struct diff_result *result)
{
    for (uint32_t i = 0; i < result->statement_count; i++) {
        if (strncmp(result->statements[i].text, "DROP TABLE", 10) == 0) {
            return result->language == SQL_SQLITE;
        }
    }
    return false;
}

void diff_append_sql(const struct diff_result *result, struct buffer *out)
{
    bool apart = replaces_tables(result);
    append_kept(result, out);
    buffer_append_string(out, apart ? "PRAGMA foreign_keys = OFF;\nBEGIN;\n" : "");
    for (uint32_t i = 0; i < result->statement_count; i++) {
        const struct definition_statement *statement = &result->statements[i];
        if (statement->rewrites) {
            append_comment(out, "", "takes as long as the table is large");
        }
        /* MySQL's client ends a statement at each ";" of a body, unless it is told of another
         * delimiter. */
        if (result->language == SQL_MYSQL && strchr(statement->text, ';') != NULL) {
            buffer_format(out, "DELIMITER $$\n%s $$\nDELIMITER ;\n", statement->text);
        } else {
            buffer_append_string(out, statement->text);
            buffer_append_string(out, ";\n");
        }
    }
    buffer_append_string(
        out, apart ? "PRAGMA foreign_key_check;\nCOMMIT;\nPRAGMA foreign_keys = ON;\n" : "");
}

/* ---------------------------------------------------------------- JSON */

static void append_text(struct buffer *out, const char *name, const char *text)
{
    buffer_format(out, "\"%s\":", name);
    if (text != NULL) {
        json_append_printable(out, text);
    } else {
        buffer_append_string(out, "null");
    }
}

static void append_flag(struct buffer *out, const char *name, bool value)
{
    buffer_format(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void append_change(struct buffer *out, const struct diff_change *change)
{
    buffer_append_byte(out, '{');
    append_text(out, "action", actions[change->action]);
    buffer_append_byte(out, ',');
    append_text(out, "kind", change->kind);
    buffer_append_byte(out, ',');
    append_text(out, "name", change->name);
    append_flag(out, "kept", change->kept);
    append_flag(out, "loses_records", change->loses);
    buffer_append_byte(out, ',');
    append_text(out, "detail", change->detail);
    buffer_append_byte(out, '}');
}

static void append_statement(struct buffer *out, const struct definition_statement *statement)
{
    buffer_append_byte(out, '{');
    append_text(out, "sql", statement->text);
    buffer_append_byte(out, ',');
    append_text(out, "lock", locks[statement->lock]);
    append_flag(out, "rewrites", statement->rewrites);
    append_flag(out, "transaction", !statement->alone);
    buffer_append_byte(out, '}');
}

void diff_append_json(const struct diff_result *result, struct buffer *out)
{
    buffer_append_string(out, "{\"format\":1,\"changes\":[");
    for (uint32_t i = 0; i < result->change_count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_change(out, &result->changes[i]);
    }
    buffer_append_string(out, "],\"statements\":[");
    for (uint32_t i = 0; i < result->statement_count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_statement(out, &result->statements[i]);
    }
    buffer_append_string(out, "],\"questions\":[");
    for (uint32_t i = 0; i < result->question_count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        json_append_printable(out, result->questions[i]);
    }
    buffer_append_string(out, "]}\n");
}

/* ---------------------------------------------------------------- for people */

void diff_append_changes(const struct diff_result *result, struct buffer *out)
{
    static const char marks[] = {[DIFF_CREATE] = '+',
                                 [DIFF_ALTER] = '~',
                                 [DIFF_DROP] = '-',
                                 [DIFF_RENAME] = '~',
                                 [DIFF_REBUILD] = '~'};
    for (uint32_t i = 0; i < result->change_count; i++) {
        const struct diff_change *change = &result->changes[i];
        buffer_format(out, "%c %s ", marks[change->action], change->kind);
        buffer_append_string(out, change->name);
        buffer_append_byte(out, '\n');
        for (const char *line = change->detail; line != NULL;) {
            size_t length = strcspn(line, "\n");
            buffer_append_string(out, "    ");
            buffer_append(out, line, length);
            buffer_append_byte(out, '\n');
            line = line[length] != '\0' ? line + length + 1 : NULL;
        }
    }
}
