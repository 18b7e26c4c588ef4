/*
 * MySQL's and MariaDB's logs, which go on in lines of their own until the next entry:
 *
 *   general   2024-01-01T10:00:00.123456Z <tab> 8 Query <tab> SELECT …
 *             240101 10:00:00 <tab> 8 Query <tab> SELECT …       (MariaDB; two tabs for the same
 *                                                                 second)
 *   slow      # Time: …
 *             # User@Host: …
 *             # Query_time: 0.1  Lock_time: 0  Rows_sent: 1  Rows_examined: 1
 *             use shop;
 *             SET timestamp=1700000000;
 *             SELECT …;
 */
#include "design/input/log_internal.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- statements of several lines */

static void end_statement(struct log_reading *reading)
{
    if (reading->dropping) {
        log_drop(reading, reading->statement_line);
    } else if (reading->statement.length > 0) {
        const struct text sql = {reading->statement.data, reading->statement.length};
        log_add(reading, sql, 1, reading->statement_line);
    }
    buffer_clear(&reading->statement);
    reading->dropping = false;
}

static void add_line(struct log_reading *reading, const char *text, size_t length)
{
    if (reading->statement.length == 0 && !reading->dropping) {
        reading->statement_line = reading->window.line;
    }
    if (reading->statement.length + length >= INPUT_STATEMENT_BYTES_MAX) {
        reading->dropping = true;
        buffer_clear(&reading->statement);
    }
    if (!reading->dropping) {
        if (reading->statement.length > 0) {
            buffer_append_byte(&reading->statement, '\n');
        }
        buffer_append(&reading->statement, text, length);
    }
}

/* ---------------------------------------------------------------- the general log */

static bool is_command(struct text command)
{
    static const char *const commands[] = {"Query",
                                           "Execute",
                                           "Prepare",
                                           "Connect",
                                           "Quit",
                                           "Init DB",
                                           "Field List",
                                           "Close stmt",
                                           "Reset stmt",
                                           "Statistics",
                                           "Ping",
                                           "Long Data",
                                           "Fetch",
                                           "Change user",
                                           "Sleep",
                                           "Daemon",
                                           "Binlog Dump",
                                           "Debug",
                                           "Kill",
                                           "Refresh",
                                           "Shutdown",
                                           "Set option",
                                           "Drop DB",
                                           "Create DB",
                                           "Processlist",
                                           "Reset Connection",
                                           "Register Slave",
                                           "Binlog Dump GTID",
                                           "Error",
                                           "Delayed insert",
                                           "Time",
                                           "Bulk_execute",
                                           NULL};
    for (const char *const *at = commands; *at != NULL; at++) {
        if (strlen(*at) == command.length && memcmp(*at, command.data, command.length) == 0) {
            return true;
        }
    }
    return false;
}

bool log_is_general(const char *line, size_t length, struct text *command, struct text *argument)
{
    const char *at = line;
    const char *end = line + length;
    if (at < end && isdigit((unsigned char)*at)) {
        while (at < end && (isdigit((unsigned char)*at) || strchr("-:.TZ+ ", *at) != NULL)) {
            at++;
        }
    }
    if (at == end || *at != '\t') {
        return false;
    }
    while (at < end && (*at == '\t' || *at == ' ')) {
        at++;
    }
    const char *thread = at;
    while (at < end && isdigit((unsigned char)*at)) {
        at++;
    }
    if (at == thread || at == end || *at != ' ') {
        return false;
    }
    at++;
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    *command = (struct text){at, (size_t)((tab != NULL ? tab : end) - at)};
    while (command->length > 0 && command->data[command->length - 1] == ' ') {
        command->length--;
    }
    const char *begin = tab != NULL ? tab + 1 : end;
    *argument = (struct text){begin, (size_t)(end - begin)};
    return is_command(*command);
}

static bool is_text(struct text text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.data, wanted, text.length) == 0;
}

enum status log_read_general(struct log_reading *reading, struct error *error)
{
    struct window_line line;
    struct text command;
    struct text argument;
    bool collects = false;
    bool continues = false; /* the line is the rest of one that was cut */
    enum status status;
    while ((status = window_line(&reading->window, &line, error)) == STATUS_OK) {
        if (!continues && log_is_general(line.text, line.length, &command, &argument)) {
            end_statement(reading);
            collects = is_text(command, "Query") || is_text(command, "Execute");
            if (collects) {
                add_line(reading, argument.data, argument.length);
            }
        } else if (collects) {
            add_line(reading, line.text, line.length);
        }
        continues = line.cut;
        window_take(&reading->window, line.taken);
    }
    end_statement(reading);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the slow log */

static bool begins(const struct window_line *line, const char *words)
{
    size_t length = strlen(words);
    return line->length >= length && strncasecmp(line->text, words, length) == 0;
}

/* Lines of a server that starts, and those that say where and when the next statement ran. */
static bool is_frame(const struct window_line *line)
{
    static const char started[] = "started with:";
    size_t length = sizeof started - 1;
    bool starts =
        line->length > length && memcmp(line->text + line->length - length, started, length) == 0;
    return starts || begins(line, "# ") || begins(line, "Tcp port: ") ||
           begins(line, "Time                 Id Command");
}

enum status log_read_slow(struct log_reading *reading, struct error *error)
{
    struct window_line line;
    bool continues = false;
    enum status status;
    while ((status = window_line(&reading->window, &line, error)) == STATUS_OK) {
        bool leads = reading->statement.length == 0 && !reading->dropping;
        if (!continues && is_frame(&line)) {
            end_statement(reading);
        } else if (continues || !leads ||
                   (!begins(&line, "SET timestamp=") && !begins(&line, "use ") &&
                    line.length > 0)) {
            add_line(reading, line.text, line.length);
        }
        continues = line.cut;
        window_take(&reading->window, line.taken);
    }
    end_statement(reading);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
