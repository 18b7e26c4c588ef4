/* How commands fail: what is said on standard error and, with --json, on standard output, and what
 * is done next. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "cli/help.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULT_BYTES_MAX = 2000 };

/* No error ends without a next step: where the place of the fault knew none, its code does. */
void cli_copy_failure(struct error *to, const struct error *from)
{
    error_copy(to, from);
    if (from->code == ERROR_NONE) {
        error_set(to, ERROR_INTERNAL, NULL, "a failure of which no reason was given");
    }
}

static void append_switch(const struct cli_call *call, enum cli_option_id id, struct buffer *out)
{
    if (cli_switch(call, id)) {
        buffer_format(out, " --%s", cli_option_at(id)->name);
    }
}

/* As a shell reads it back. */
static void append_word(const char *word, struct buffer *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./:@%+=,-";
    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        buffer_append_string(out, word);
        return;
    }
    buffer_append_byte(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            buffer_append_string(out, "'\\''");
        } else {
            buffer_append_byte(out, *word);
        }
    }
    buffer_append_byte(out, '\'');
}

static void append_value(const struct cli_call *call, enum cli_option_id id, struct buffer *out)
{
    const char *value = cli_text(call, id);
    if (value != NULL) {
        buffer_format(out, " --%s ", cli_option_at(id)->name);
        append_word(value, out);
    }
}

void cli_append_command(const struct cli_call *call, const char *name, struct buffer *out)
{
    buffer_format(out, "transhume %s", name);
    append_value(call, CLI_PLAN, out);
    append_value(call, CLI_STATE, out);
}

/* The command under way, said again; SRC and DST for what may hold secrets. */
static void append_again(const struct cli_call *call, struct buffer *out)
{
    cli_append_command(call, call->command->name, out);
    append_value(call, CLI_RUN, out);
    append_switch(call, CLI_RESTART, out);
    append_switch(call, CLI_REPAIR, out);
    append_switch(call, CLI_DELETE_EXTRA, out);
    append_switch(call, CLI_BACK, out);
    append_switch(call, CLI_ABANDON, out);
    append_switch(call, CLI_REVERSE, out);
    append_switch(call, CLI_CONFIRM, out);
    const char *words = call->command->arguments;
    size_t length = strlen(words);
    if (call->argument_count > 0 && length > 2) {
        bool optional = words[0] == '[';
        buffer_format(out, " %.*s", (int)(length - 2 * optional), words + optional);
    }
}

/* Is it a failure after which the command is said again, rather than a word about another run? */
static bool is_said_again(const struct cli_call *call, const struct error *error)
{
    const uint32_t again =
        IN_INIT | IN_CHECK | IN_MIGRATE | IN_VALIDATE | IN_ROLLBACK | IN_FINISH | IN_CUTOVER;
    if (call == NULL || call->command == NULL || (call->command->place & again) == 0) {
        return false;
    }
    if (error->code == ERROR_RUN_HELD) {
        return (call->command->place & (IN_ROLLBACK | IN_FINISH)) != 0;
    }
    int exit_status = error_describe(error->code)->exit_status;
    return (exit_status == EXIT_USAGE || exit_status == EXIT_FAILED) &&
           error->code != ERROR_RUN_NOTHING;
}

/* Hints are written for a copy. */
static void name_what_goes_on(const struct cli_call *call, struct error *error)
{
    static const char resume[] = "`transhume resume";
    struct buffer hint = {0};
    const char *at = error->hint;
    const char *found;
    if (!is_said_again(call, error) || strstr(at, resume) == NULL) {
        return;
    }
    while ((found = strstr(at, resume)) != NULL) {
        buffer_append(&hint, at, (size_t)(found - at) + 1);
        append_again(call, &hint);
        at = found + sizeof(resume) - 1;
    }
    buffer_append_string(&hint, at);
    error_hint(error, "%s", buffer_string(&hint));
    buffer_free(&hint);
}

/* A command that broke off in the middle is told how it goes on, though its hint is about the
 * cause. */
static void add_what_goes_on(const struct cli_call *call, struct error *error)
{
    const uint32_t works = IN_VALIDATE | IN_ROLLBACK | IN_FINISH;
    struct buffer again = {0};
    if (!is_said_again(call, error) || (call->command->place & works) == 0 ||
        error_exit_status(error) != EXIT_FAILED || strstr(error->hint, "`transhume") != NULL) {
        return;
    }
    append_again(call, &again);
    size_t length = strlen(error->hint);
    bool ended = length == 0 || error->hint[length - 1] == '.';
    const char *joint = length == 0 ? "" : ended ? " " : "; ";
    error_hint(error, "%s%s%s `%s`", error->hint, joint, ended ? "Then" : "then",
               buffer_string(&again));
    buffer_free(&again);
}

/* ---- where the run is, in hints */

/* One option that the command at hand takes and does not name. */
static void append_missing(const struct cli_call *call, enum cli_option_id id, const char *words,
                           size_t length, const struct cli_command *command, struct buffer *out)
{
    const struct cli_option *option = cli_option_at(id);
    char flag[32];
    snprintf(flag, sizeof(flag), "--%s", option->name);
    if (cli_takes(command, option) && memmem(words, length, flag, strlen(flag)) == NULL) {
        append_value(call, id, out);
    }
}

static const struct cli_command *command_at(const char *name, size_t length)
{
    char copy[24];
    if (length == 0 || length >= sizeof(copy)) {
        return NULL;
    }
    memcpy(copy, name, length);
    copy[length] = '\0';
    return cli_command_by_name(copy);
}

void cli_append_placed(const struct cli_call *call, const char *text, struct buffer *out)
{
    static const char begin[] = "`transhume ";
    const uint32_t of_runs = IN_CHECK | IN_MIGRATE | IN_RESUME | IN_STATUS | IN_REPORT |
                             IN_VALIDATE | IN_ROLLBACK | IN_FINISH | IN_RESET | IN_CUTOVER;
    const char *found;
    while ((found = strstr(text, begin)) != NULL) {
        const char *name = found + sizeof(begin) - 1;
        size_t length = strcspn(name, " `\n");
        size_t words = strcspn(name, "`");
        const struct cli_command *command = command_at(name, length);
        buffer_append(out, text, (size_t)(name - text) + length);
        if (command != NULL && (command->place & of_runs) != 0 && name[words] == '`') {
            append_missing(call, CLI_PLAN, name, words, command, out);
            append_missing(call, CLI_STATE, name, words, command, out);
        }
        text = name + length;
    }
    buffer_append_string(out, text);
}

void cli_place_hint(const struct cli_call *call, struct error *error)
{
    struct buffer hint = {0};
    if (call == NULL || call->command == NULL) {
        return;
    }
    cli_append_placed(call, error->hint, &hint);
    if (hint.length < sizeof(error->hint)) { /* half a command is of no use */
        error_hint(error, "%s", buffer_string(&hint));
    }
    buffer_free(&hint);
}

/* ---- failures as JSON */

static bool tells_json;

void cli_expect_json(int argument_count, char **arguments)
{
    tells_json = cli_is_on(getenv(cli_option_at(CLI_JSON)->environment));
    for (int i = 1; i < argument_count && strcmp(arguments[i], "--") != 0; i++) {
        tells_json = tells_json || strcmp(arguments[i], "--json") == 0;
    }
}

/* As the log shows it: a server may tell back what it was sent. */
static void append_redacted(const char *text, struct buffer *out)
{
    char *copy = memory_copy_string(text);
    secret_redact(copy);
    cli_append_json_text(out, copy);
    free(copy);
}

static void append_member(const char *name, const char *text, struct buffer *out)
{
    buffer_format(out, ",\"%s\":", name);
    if (text[0] == '\0') {
        buffer_append_string(out, "null");
    } else {
        append_redacted(text, out);
    }
}

static void begin_error(const char *code, const char *message, struct buffer *out)
{
    buffer_append_string(out, "{\"code\":");
    cli_append_json_text(out, code);
    append_member("message", message, out);
}

void cli_append_error(const struct error *told, int exit_status, struct buffer *out)
{
    struct buffer message = {0};
    buffer_format(&message, "%s%s", told->context, told->message);
    begin_error(error_describe(told->code)->name, buffer_string(&message), out);
    append_member("object", told->object, out);
    append_member("hint", told->hint, out);
    buffer_format(out, ",\"exit\":%d}", exit_status);
    buffer_free(&message);
}

/* Records may go to standard output: the error then goes where all else does. */
static int json_descriptor(const struct cli_call *call)
{
    const char *target = call != NULL && call->argument_count == 2 ? call->arguments[1] : "";
    const char *stream = strstr(target, ":-");
    bool records = stream != NULL && (stream[2] == '\0' || stream[2] == '?');
    return records ? STDERR_FILENO : STDOUT_FILENO;
}

/* Takes `object`. Whoever does not read it has the text on standard error and the exit status. */
static void print_error(const struct cli_call *call, struct buffer *object)
{
    struct error ignored;
    struct buffer out = {0};
    buffer_format(&out, "{\"format\":1,\"error\":%s}\n", buffer_string(object));
    (void)!file_write_all(json_descriptor(call), buffer_string(&out), out.length, "error",
                          &ignored);
    buffer_free(&out);
    buffer_free(object);
}

void cli_print_error(const struct cli_call *call, const struct error *told, int exit_status)
{
    struct buffer object = {0};
    if (tells_json) {
        cli_append_error(told, exit_status, &object);
        print_error(call, &object);
    }
}

/* Where something has begun, 2 would say that nothing was touched. */
static int failure_fail(const struct cli_call *call, const struct error *error, bool begun)
{
    struct error told;
    cli_copy_failure(&told, error);
    const char *advice = help_error_advice(told.code);
    if (told.hint[0] == '\0' && advice != NULL) {
        error_hint(&told, "%s", advice);
    }
    name_what_goes_on(call, &told);
    add_what_goes_on(call, &told);
    cli_place_hint(call, &told);
    int exit_status = error_exit_status(&told);
    exit_status = begun && exit_status == EXIT_USAGE ? EXIT_FAILED : exit_status;
    log_write_error(&told);
    cli_print_error(call, &told, exit_status);
    return exit_status;
}

int cli_fail(const struct cli_call *call, const struct error *error)
{
    return failure_fail(call, error, false);
}

int cli_fail_begun(const struct cli_call *call, struct error *error, const char *goes_on)
{
    char hint[sizeof(error->hint)];
    size_t length = strlen(error->hint);
    if (goes_on != NULL) {
        memcpy(hint, error->hint, sizeof(hint));
        error_hint(error, "%s%s%s once that is fixed", hint,
                   length == 0               ? ""
                   : hint[length - 1] == '.' ? " "
                                             : "; ",
                   goes_on);
    }
    return failure_fail(call, error, true);
}

static uint32_t count_lines(const char *lines)
{
    uint32_t count = 0;
    for (; *lines != '\0'; lines++) {
        count += *lines == '\n' || lines[1] == '\0';
    }
    return count;
}

static const char *faulty_thing(const struct error *error)
{
    return error->code == ERROR_SETTINGS_INVALID    ? "settings"
           : error->code == ERROR_MIGRATION_INVALID ? "migrations"
           : error->code == ERROR_CHANGE_INVALID    ? "change"
                                                    : "plan";
}

/* The object of one failure, with all faults as texts. */
static void print_faults(const struct cli_call *call, const char *line, uint32_t count,
                         const struct error *error)
{
    struct buffer object = {0};
    char summary[64];
    snprintf(summary, sizeof(summary), "%u faults in the %s; nothing was touched", count,
             faulty_thing(error));
    begin_error(error_describe(error->code)->name, count == 1 ? error->message : summary, &object);
    append_member("object", error->object, &object);
    append_member("hint", count == 1 ? error->hint : "", &object);
    buffer_format(&object, ",\"exit\":%d,\"faults\":[", error_exit_status(error));
    for (bool first = true; *line != '\0'; first = false) {
        size_t length = strcspn(line, "\n");
        char *fault = memory_copy_bytes(line, length);
        buffer_append_string(&object, first ? "" : ",");
        append_redacted(fault, &object);
        free(fault);
        line += length + (line[length] == '\n');
    }
    buffer_append_string(&object, "]}");
    print_error(call, &object);
}

/* The faults carry their own hints. */
int cli_fail_with_faults(const struct cli_call *call, struct buffer *faults,
                         const struct error *error)
{
    const char *line = buffer_string(faults);
    const char *code = error_describe(error->code)->name;
    uint32_t count = count_lines(line);
    if (count == 0) {
        return cli_fail(call, error);
    }
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        int shown = (int)(length < FAULT_BYTES_MAX ? length : FAULT_BYTES_MAX);
        if (count == 1) {
            log_write(LOG_ERROR, "%.*s [%s]", shown, line, code);
        } else {
            log_write(LOG_ERROR, "%.*s", shown, line);
        }
        line += length + (line[length] == '\n');
    }
    if (count > 1) {
        log_write(LOG_ERROR, "%u faults in the %s; nothing was touched [%s]", count,
                  faulty_thing(error), code);
    }
    if (tells_json) {
        print_faults(call, buffer_string(faults), count, error);
    }
    return error_exit_status(error);
}
