/* A difference as SQL, as JSON and as a list for people. */
#include "base/memory.h"
#include "evolve/diff/diff.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const actions[] = {
    [DIFF_CREATE] = "create", [DIFF_ALTER] = "alter",     [DIFF_DROP] = "drop",
    [DIFF_RENAME] = "rename", [DIFF_REBUILD] = "rebuild",
};
static const char *const locks[] = {
    [DEFINITION_LOCK_NONE] = "none",
    [DEFINITION_LOCK_WRITES] = "writes",
    [DEFINITION_LOCK_ALL] = "all",
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

/* MySQL's client ends a statement at each ";" of a body, unless it is told of another delimiter. */
static bool needs_delimiter(const struct diff_result *result, const char *text)
{
    return result->language == SQL_MYSQL && strchr(text, ';') != NULL;
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

void diff_append_sql(const struct diff_result *result, struct buffer *out)
{
    append_kept(result, out);
    for (uint32_t i = 0; i < result->statement_count; i++) {
        const struct definition_statement *statement = &result->statements[i];
        if (statement->rewrites) {
            append_comment(out, "", "takes as long as the table is large");
        }
        if (needs_delimiter(result, statement->text)) {
            buffer_format(out, "DELIMITER $$\n%s $$\nDELIMITER ;\n", statement->text);
        } else {
            buffer_append_string(out, statement->text);
            buffer_append_string(out, ";\n");
        }
    }
}

/* ---------------------------------------------------------------- JSON */

static json_t *text_of(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : json_null();
    /* not UTF-8: as bytes that are */
    return value != NULL ? value : json_stringn_nocheck("?", 1);
}

static json_t *changes_of(const struct diff_result *result)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < result->change_count; i++) {
        const struct diff_change *change = &result->changes[i];
        json_t *item = json_object();
        json_object_set_new(item, "action", text_of(actions[change->action]));
        json_object_set_new(item, "kind", text_of(change->kind));
        json_object_set_new(item, "name", text_of(change->name));
        json_object_set_new(item, "kept", json_boolean(change->kept));
        json_object_set_new(item, "loses_records", json_boolean(change->loses));
        json_object_set_new(item, "detail", text_of(change->detail));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *statements_of(const struct diff_result *result)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < result->statement_count; i++) {
        const struct definition_statement *statement = &result->statements[i];
        json_t *item = json_object();
        json_object_set_new(item, "sql", text_of(statement->text));
        json_object_set_new(item, "lock", text_of(locks[statement->lock]));
        json_object_set_new(item, "rewrites", json_boolean(statement->rewrites));
        json_object_set_new(item, "transaction", json_boolean(!statement->alone));
        json_array_append_new(list, item);
    }
    return list;
}

void diff_append_json(const struct diff_result *result, struct buffer *out)
{
    json_t *whole = json_object();
    json_t *questions = json_array();
    for (uint32_t i = 0; i < result->question_count; i++) {
        json_array_append_new(questions, text_of(result->questions[i]));
    }
    json_object_set_new(whole, "format", json_integer(1));
    json_object_set_new(whole, "changes", changes_of(result));
    json_object_set_new(whole, "statements", statements_of(result));
    json_object_set_new(whole, "questions", questions);
    char *text = json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    if (text == NULL) {
        memory_exhausted(0);
    }
    buffer_append_string(out, text);
    buffer_append_byte(out, '\n');
    free(text);
}

/* ---------------------------------------------------------------- for people */

void diff_append_changes(const struct diff_result *result, struct buffer *out)
{
    static const char marks[] = {[DIFF_CREATE] = '+', [DIFF_ALTER] = '~', [DIFF_DROP] = '-',
                                 [DIFF_RENAME] = '~', [DIFF_REBUILD] = '~'};
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
