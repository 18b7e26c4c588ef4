/* What commands share when they print. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/text.h"
#include "cli/help.h"
#include "model/json_writer.h"
#include "observe/table.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FAULT_BYTES_MAX = 2000, COLUMNS_MIN = 40, PROSE_COLUMNS_MAX = 100 };

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

static void append_value(const struct cli_call *call, enum cli_option_id id, struct buffer *out)
{
    const char *value = cli_text(call, id);
    if (value != NULL) {
        buffer_format(out, " --%s %s", cli_option_at(id)->name, value);
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
    const uint32_t again = IN_INIT | IN_CHECK | IN_MIGRATE | IN_VALIDATE | IN_ROLLBACK | IN_FINISH;
    if (call == NULL || call->command == NULL || (call->command->place & again) == 0) {
        return false;
    }
    if (error->code == ERROR_RUN_HELD) {
        return (call->command->place & (IN_ROLLBACK | IN_FINISH)) != 0;
    }
    int exit_status = error_describe(error->code)->exit_status;
    return (exit_status == 2 || exit_status == 3) && error->code != ERROR_RUN_NOTHING;
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

/* What broke off in the middle is not left without it, though its hint is about the cause. */
static void add_what_goes_on(const struct cli_call *call, struct error *error)
{
    const uint32_t works = IN_VALIDATE | IN_ROLLBACK | IN_FINISH;
    struct buffer again = {0};
    if (!is_said_again(call, error) || (call->command->place & works) == 0 ||
        error_exit_status(error) != 3 || strstr(error->hint, "`transhume") != NULL) {
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

int cli_fail(const struct cli_call *call, const struct error *error)
{
    struct error told;
    cli_copy_failure(&told, error);
    const char *advice = help_error_advice(told.code);
    if (told.hint[0] == '\0' && advice != NULL) {
        error_hint(&told, "%s", advice);
    }
    name_what_goes_on(call, &told);
    add_what_goes_on(call, &told);
    log_write_error(&told);
    return error_exit_status(&told);
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
    int exit_status = cli_fail(call, error);
    return exit_status == 2 ? 3 : exit_status;
}

static uint32_t count_lines(const char *lines)
{
    uint32_t count = 0;
    for (; *lines != '\0'; lines++) {
        count += *lines == '\n' || lines[1] == '\0';
    }
    return count;
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
        log_write(LOG_ERROR, "%u faults in the plan; nothing was touched [%s]", count, code);
    }
    return error_exit_status(error);
}

enum status cli_print(struct buffer *out, struct error *error)
{
    size_t written = 0;
    while (written < out->length) {
        ssize_t size = write(STDOUT_FILENO, out->data + written, out->length - written);
        if (size < 0 && errno == EPIPE) {
            break; /* `| head` has seen enough */
        }
        if (size < 0 && errno != EINTR) {
            return error_set_errno(error, ERROR_STATE_WRITE, errno, "stdout", "can't write");
        }
        written += size > 0 ? (size_t)size : 0;
    }
    buffer_clear(out);
    return STATUS_OK;
}

int cli_finish(struct buffer *out, int exit_status)
{
    struct error error;
    int result = cli_print(out, &error) == STATUS_OK ? exit_status : cli_fail(NULL, &error);
    buffer_free(out);
    return result;
}

bool cli_color(const struct cli_call *call, int descriptor)
{
    const struct cli_value *value = &call->values[CLI_COLOR];
    enum { AUTO, ALWAYS, NEVER };
    if (value->is_set && value->number != AUTO) {
        return value->number == ALWAYS;
    }
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return (no_color == NULL || no_color[0] == '\0') && isatty(descriptor) && term != NULL &&
           strcmp(term, "dumb") != 0;
}

uint32_t cli_terminal_columns(int descriptor)
{
    struct winsize size;
    if (!isatty(descriptor) || ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 0;
    }
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

uint32_t cli_terminal_rows(int descriptor)
{
    struct winsize size;
    return isatty(descriptor) && ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

uint32_t cli_prose_columns(int descriptor)
{
    uint32_t columns = cli_terminal_columns(descriptor);
    return columns == 0 || columns > PROSE_COLUMNS_MAX ? PROSE_COLUMNS_MAX : columns;
}

void cli_append_json_text(struct buffer *out, const char *text)
{
    if (text == NULL) {
        buffer_append_string(out, "null");
        return;
    }
    json_append_printable(out, text);
}

static size_t word_length(const char *text)
{
    return strcspn(text, " \n");
}

void cli_append_wrapped(struct buffer *out, const char *text, uint32_t indent, uint32_t columns)
{
    while (*text != '\0') {
        buffer_format(out, "%*s", (int)indent, "");
        uint32_t width = indent;
        bool first = true;
        while (*text != '\0' && *text != '\n') {
            size_t length = word_length(text);
            char word[256];
            size_t kept = length < sizeof(word) ? length : sizeof(word) - 1;
            memcpy(word, text, kept);
            word[kept] = '\0';
            uint32_t word_width = table_text_width(word);
            if (!first && width + 1 + word_width > columns) {
                break;
            }
            buffer_append_string(out, first ? "" : " ");
            buffer_append(out, text, length);
            width += word_width + !first;
            first = false;
            text += length;
            text += strspn(text, " ");
        }
        buffer_append_byte(out, '\n');
        text += *text == '\n';
    }
}
