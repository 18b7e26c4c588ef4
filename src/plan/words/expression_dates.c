/* SQLite's date functions without the time of day and the place: the same input, the same
 * result. */
#include "base/memory.h"
#include "plan/words/expression_sandbox.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATE_ARGUMENTS_MAX = 12 };

static const char *const date_functions[] = {"date",      "time",     "datetime",
                                             "julianday", "strftime", "unixepoch"};

static bool depends_on_now(sqlite3_value *argument)
{
    if (sqlite3_value_type(argument) != SQLITE_TEXT) {
        return false;
    }
    const char *text = (const char *)sqlite3_value_text(argument);
    return text != NULL &&
           (sqlite3_stricmp(text, "now") == 0 || sqlite3_stricmp(text, "localtime") == 0 ||
            sqlite3_stricmp(text, "utc") == 0);
}

/* ---- what the text of an expression shows */

enum { PARENTHESES_MAX = 64 };

static bool is_word_character(char character)
{
    return isalnum((unsigned char)character) || character == '_' || (character & 0x80) != 0;
}

static bool is_date_function(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof date_functions / sizeof date_functions[0]; i++) {
        if (strlen(date_functions[i]) == length &&
            sqlite3_strnicmp(date_functions[i], name, (int)length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_place_or_now(const char *literal, size_t length)
{
    static const char *const words[] = {"now", "localtime", "utc"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == length && sqlite3_strnicmp(words[i], literal, (int)length) == 0) {
            return true;
        }
    }
    return false;
}

/* The end of a quoted text, a doubled quote being part of it. */
static const char *skip_quoted(const char *text)
{
    char close = *text == '[' ? ']' : *text;
    for (text++; *text != '\0'; text++) {
        if (*text == close && (close == ']' || text[1] != close)) {
            return text + 1;
        }
        text += *text == close;
    }
    return text;
}

static const char *skip_comment(const char *text)
{
    if (text[0] == '-') {
        return text + strcspn(text, "\n");
    }
    const char *end = strstr(text + 2, "*/");
    return end != NULL ? end + 2 : text + strlen(text);
}

const char *expression_dates_fault(const char *text)
{
    bool dates[PARENTHESES_MAX] = {false}; /* is the parenthesis a date function's? */
    uint32_t depth = 0;
    bool date_before = false;
    while (*text != '\0') {
        if (*text == '\'') {
            const char *end = skip_quoted(text);
            if (depth > 0 && depth < PARENTHESES_MAX && dates[depth] &&
                is_place_or_now(text + 1, (size_t)(end - text) - 2)) {
                return "'now', 'localtime' and 'utc' are not allowed in a plan";
            }
            text = end;
            date_before = false;
        } else if (*text == '"' || *text == '`' || *text == '[') {
            text = skip_quoted(text);
            date_before = false;
        } else if ((text[0] == '-' && text[1] == '-') || (text[0] == '/' && text[1] == '*')) {
            text = skip_comment(text);
        } else if (is_word_character(*text)) {
            size_t length = 0;
            while (is_word_character(text[length])) {
                length++;
            }
            date_before = is_date_function(text, length);
            text += length;
        } else {
            if (*text == '(' && date_before && text[1 + strspn(text + 1, " \t\n")] == ')') {
                return "the time of day is not allowed in a plan";
            }
            if (*text == '(' && ++depth < PARENTHESES_MAX) {
                dates[depth] = date_before;
            } else if (*text == ')' && depth > 0) {
                depth--;
            }
            date_before = date_before && (*text == ' ' || *text == '\t' || *text == '\n');
            text++;
        }
    }
    return NULL;
}

/* ---- the functions */

/* The data of a function. */
struct date_function {
    const char *name;
    sqlite3 *plain;
};

static sqlite3_stmt *prepare_call(const struct date_function *function, int count)
{
    char sql[96];
    sqlite3_stmt *statement = NULL;
    int used = snprintf(sql, sizeof sql, "SELECT %s(?", function->name);
    for (int i = 1; i < count; i++) {
        used += snprintf(sql + used, sizeof sql - (size_t)used, ",?");
    }
    snprintf(sql + used, sizeof sql - (size_t)used, ")");
    return sqlite3_prepare_v2(function->plain, sql, -1, &statement, NULL) == SQLITE_OK ? statement
                                                                                       : NULL;
}

static void give_failure(sqlite3_context *context, sqlite3 *plain)
{
    if (sqlite3_errcode(plain) == SQLITE_NOMEM) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_error(context, sqlite3_errmsg(plain), -1);
    }
}

static void expression_dates_call(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    const struct date_function *function = sqlite3_user_data(context);
    bool format_first = strcmp(function->name, "strftime") == 0;
    if (count <= (format_first ? 1 : 0)) {
        sqlite3_result_error(context, "the time of day is not allowed in a plan", -1);
        return;
    }
    if (count > DATE_ARGUMENTS_MAX) {
        sqlite3_result_error(context, "too many arguments of a date function", -1);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (depends_on_now(arguments[i])) {
            sqlite3_result_error(context, "'now', 'localtime' and 'utc' are not allowed in a plan",
                                 -1);
            return;
        }
    }
    sqlite3_stmt *statement = prepare_call(function, count);
    if (statement == NULL) {
        give_failure(context, function->plain);
        return;
    }
    for (int i = 0; i < count; i++) {
        sqlite3_bind_value(statement, i + 1, arguments[i]);
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        sqlite3_result_value(context, sqlite3_column_value(statement, 0));
    } else {
        give_failure(context, function->plain);
    }
    sqlite3_finalize(statement);
}

enum status expression_dates_register(struct expression_sandbox *sandbox, struct error *error)
{
    for (size_t i = 0; i < sizeof date_functions / sizeof date_functions[0]; i++) {
        struct date_function *function = memory_allocate(sizeof *function);
        function->name = date_functions[i];
        function->plain = sandbox->plain;
        int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
        if (sqlite3_create_function_v2(sandbox->database, function->name, -1, flags, function,
                                       expression_dates_call, NULL, NULL, free) != SQLITE_OK) {
            expression_sandbox_check_memory(sandbox);
            return error_set(error, ERROR_INTERNAL, NULL, "%s", sqlite3_errmsg(sandbox->database));
        }
    }
    return STATUS_OK;
}
