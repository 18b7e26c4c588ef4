/* transhume help: a command, an error code, or everything as a page. */
#include "base/text.h"
#include "cli/help.h"
#include "cli/settings.h"

typedef void help_page(struct buffer *out);

/* In the order of --as. */
static help_page *const pages[] = {
    help_append_overview, help_append_markdown, help_append_man,         help_append_bash,
    help_append_zsh,      help_append_fish,     help_append_errors_page, settings_append_markdown,
};

static int unknown_subject(const char *subject)
{
    struct error error = {0};
    const char *names[ERROR_CODE_COUNT];
    for (int code = 0; code < ERROR_CODE_COUNT; code++) {
        names[code] = error_describe((enum error_code)code)->name;
    }
    cli_unknown_command(subject, &error);
    const char *nearest = text_nearest(subject, names, ERROR_CODE_COUNT);
    if (nearest != NULL) {
        error_hint(&error, "Did you mean the error code `%s`?", nearest);
    }
    return cli_fail(NULL, &error);
}

static int print_command(const struct cli_command *command)
{
    struct buffer out = {0};
    help_append_command(command, &out);
    return cli_finish(&out, EXIT_DONE);
}

int command_help(struct cli_call *call)
{
    struct buffer out = {0};
    if (call->argument_count == 0) {
        pages[call->values[CLI_AS].number](&out);
        return cli_finish(&out, EXIT_DONE);
    }
    const char *subject = call->arguments[0];
    const struct cli_command *command = cli_command_by_name(subject);
    enum error_code code = help_error_by_name(subject);
    if (call->argument_count == 2) {
        const char *word = call->arguments[1];
        command =
            command == NULL || command->subcommands == NULL ? NULL : cli_subcommand(command, word);
        return command == NULL ? unknown_subject(word) : print_command(command);
    }
    if (command != NULL) {
        return print_command(command);
    }
    if (code != ERROR_CODE_COUNT) {
        help_append_error(code, &out);
    } else {
        return unknown_subject(subject);
    }
    return cli_finish(&out, EXIT_DONE);
}
