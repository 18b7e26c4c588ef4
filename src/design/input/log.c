/* Which log a file is, and the way to its reader. */
#include "base/file.h"
#include "design/input/log_internal.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

void log_add(struct log_reading *reading, struct text sql, double weight, uint64_t line)
{
    const struct input_text text = {.sql = sql.data,
                                    .length = sql.length,
                                    .weight = weight,
                                    .line = (uint32_t)line,
                                    .column = 1};
    input_sql_add(reading->input, &text);
}

void log_drop(struct log_reading *reading, uint64_t line)
{
    struct input_sql_report *report = input_sql_report(reading->input);
    report->statements++;
    report->dropped++;
    findings_add(&report->findings, (uint32_t)line, 1, "a statement of more than 1 MiB");
}

/* ---------------------------------------------------------------- recognising */

/* "2024-01-31 10:20:30.123 UTC," */
static bool is_postgres_csv(const char *text)
{
    static const char layout[] = "0000-00-00 00:00:00";
    for (size_t i = 0; layout[i] != '\0'; i++) {
        if (layout[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != layout[i]) {
            return false;
        }
    }
    size_t line = strcspn(text, "\n");
    size_t commas = 0;
    for (size_t i = 0; i < line; i++) {
        commas += text[i] == ',';
    }
    return commas >= 13; /* the message is the 14th column */
}

static bool is_slow_log(const char *text)
{
    return strncmp(text, "# Time:", 7) == 0 || strncmp(text, "# User@Host:", 12) == 0 ||
           strstr(text, "\n# Query_time:") != NULL;
}

static bool is_general_log(const char *text)
{
    enum { LINES_MAX = 50 };
    struct text command;
    struct text argument;
    for (int line = 0; line < LINES_MAX && *text != '\0'; line++) {
        size_t length = strcspn(text, "\n");
        if (log_is_general(text, length, &command, &argument)) {
            return true;
        }
        text += length + (text[length] == '\n');
    }
    return false;
}

static bool is_one_of(struct text field, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strlen(*names) == field.length && strncasecmp(*names, field.data, field.length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_number(struct text field)
{
    size_t at = 0;
    while (at < field.length &&
           (isdigit((unsigned char)field.data[at]) || strchr(".eE+-", field.data[at]) != NULL)) {
        at++;
    }
    return at > 0 && at == field.length && isdigit((unsigned char)field.data[0]);
}

static bool begins_statement(struct text field)
{
    static const char *const words[] = {"SELECT", "INSERT",  "UPDATE", "DELETE",
                                        "WITH",   "REPLACE", NULL};
    size_t at = 0;
    while (at < field.length && isspace((unsigned char)field.data[at])) {
        at++;
    }
    size_t length = 0;
    while (at + length < field.length && isalpha((unsigned char)field.data[at + length])) {
        length++;
    }
    return is_one_of((struct text){field.data + at, length}, words);
}

/* By the names in the first record, or by what it holds. */
static bool is_table(const struct text *fields, uint32_t count, struct input_log *log)
{
    static const char *const statements[] = {"query", "sql",        "statement", "digest_text",
                                             "text",  "query_text", "sql_text",  NULL};
    static const char *const weights[] = {"calls",      "count_star", "weight",     "count",
                                          "executions", "frequency",  "exec_count", NULL};
    static const char *const digests[] = {"digest_text", "count_star", NULL};
    static const char *const calls[] = {"calls", NULL};
    bool found = false;
    log->header = true;
    log->weight_column = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (is_one_of(fields[i], statements) && !found) {
            found = true;
            log->sql_column = i;
        } else if (is_one_of(fields[i], weights) && log->weight_column == UINT32_MAX) {
            log->weight_column = i;
        }
        log->language = is_one_of(fields[i], digests) ? SQL_MYSQL
                        : is_one_of(fields[i], calls) ? SQL_POSTGRES
                                                      : log->language;
    }
    if (found && count > 1) {
        return true;
    }
    log->header = false;
    log->weight_column = 0;
    log->sql_column = 1;
    return count == 2 && is_number(fields[0]) && begins_statement(fields[1]);
}

static bool recognise_table(const char *text, size_t length, bool last, struct input_log *log)
{
    static const char delimiters[] = {'\t', ',', ';'};
    struct log_record record;
    bool found = false;
    for (size_t i = 0; !found && i < sizeof delimiters; i++) {
        struct buffer copy = {0};
        enum sql_language language = log->language;
        buffer_append(&copy, text, length);
        buffer_string(&copy);
        if (log_record_read(copy.data, length, last, delimiters[i], &record)) {
            found = is_table(record.fields, record.count, log);
        }
        log->delimiter = delimiters[i];
        log->language = found ? log->language : language;
        buffer_free(&copy);
    }
    return found;
}

static void recognise(const char *text, size_t length, bool last, struct input_log *log)
{
    if (is_postgres_csv(text)) {
        log->format = INPUT_LOG_POSTGRES_CSV;
        log->delimiter = ',';
        log->language = SQL_POSTGRES;
    } else if (is_slow_log(text)) {
        log->format = INPUT_LOG_MYSQL_SLOW;
        log->language = SQL_MYSQL;
    } else if (is_general_log(text)) {
        log->format = INPUT_LOG_MYSQL_GENERAL;
        log->language = SQL_MYSQL;
    } else {
        log->language = sql_language_recognise(text, length, log->language);
        log->format = recognise_table(text, length, last, log) ? INPUT_LOG_TABLE : INPUT_LOG_SQL;
    }
}

/* Text that has been looked at stays in the window: a pipe gives it once. */
static enum status look_ahead(struct window *window, struct input_log *log, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && window_length(window) < WINDOW_BYTES) {
        status = window_grow(window, error); /* a pipe gives less than it has */
    }
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    recognise(buffer_string(&window->bytes), window_length(window), window->last, log);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- reading */

enum status input_log_read(const char *path, enum sql_language otherwise, struct input_log *log,
                           struct input_sql *input, struct error *error)
{
    static enum status (*const readers[])(struct log_reading * reading, struct error * error) = {
        [INPUT_LOG_SQL] = log_read_sql,
        [INPUT_LOG_TABLE] = log_read_table,
        [INPUT_LOG_POSTGRES_CSV] = log_read_postgres_csv,
        [INPUT_LOG_MYSQL_GENERAL] = log_read_general,
        [INPUT_LOG_MYSQL_SLOW] = log_read_slow,
    };
    struct log_reading reading = {.log = log, .input = input};
    *log = (struct input_log){.language = otherwise};
    if (window_open(&reading.window, path, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    enum status status = look_ahead(&reading.window, log, error);
    if (status == STATUS_OK) {
        input_sql_set_language(input, log->language);
        status = readers[log->format](&reading, error);
    }
    window_close(&reading.window);
    buffer_free(&reading.statement);
    return status;
}
