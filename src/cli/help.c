/* Help as text for a terminal. */
#include "cli/help.h"

#include "base/text.h"
#include <string.h>

enum { COLUMNS = 80, OPTION_INDENT = 6, SUMMARY_COLUMN = 14 };

static void append_command_list(struct buffer *out, bool later)
{
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        if (command->is_later == later) {
            buffer_format(out, "  %-*s%s\n", SUMMARY_COLUMN, command->name, command->summary);
        }
    }
}

void help_append_overview(struct buffer *out)
{
    uint32_t count;
    const struct help_exit_status *statuses = help_exit_statuses(&count);
    buffer_append_string(out,
                         "transhume moves a database to another database: checked first, in chunks "
                         "that survive\na crash, counted at the end.\n\n"
                         "usage: transhume COMMAND [OPTION…] [ARGUMENT…]\n\n");
    append_command_list(out, false);
    buffer_append_string(out, "\nwith later versions:\n");
    append_command_list(out, true);
    buffer_append_string(
        out, "\na first run:\n"
             "  transhume migrate shop.db copy.db            a plain copy needs no plan\n"
             "  transhume init shop.db dynamodb-json:out     or write a plan, edit it,\n"
             "  transhume check --sample 2                   see what it would do,\n"
             "  transhume migrate                            and run it\n\n"
             "exit status:\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "  %d  %s\n", statuses[i].status, statuses[i].meaning);
    }
    buffer_append_string(out, "\n`transhume help COMMAND` shows a command's options.\n");
}

void help_append_option_head(const struct cli_option *option, struct buffer *out)
{
    if (option->letter != 0) {
        buffer_format(out, "-%c, ", option->letter);
    }
    buffer_format(out, "--%s", option->name);
    if (option->argument != NULL) {
        buffer_format(out, " %s", option->argument);
    }
}

void help_append_option_facts(const struct cli_option *option, struct buffer *out)
{
    const char *separator = "";
    if (option->range != NULL && option->type == CLI_TYPE_CHOICE) {
        buffer_append_string(out, "One of ");
        for (const char *at = option->range; *at != '\0'; at++) {
            if (*at == '|') {
                buffer_append_string(out, ", ");
            } else {
                buffer_append_byte(out, *at);
            }
        }
        separator = "; ";
    } else if (option->range != NULL) {
        const char *end = option->range + strlen(option->range) - 2;
        bool open = strcmp(end, "..") == 0;
        buffer_format(out, open ? "At least %.*s" : "%.*s",
                      (int)(strlen(option->range) - (open ? 2 : 0)), option->range);
        separator = "; ";
    }
    if (option->default_text != NULL) {
        buffer_format(out, "%s%s %s", separator, *separator == '\0' ? "Default" : "default",
                      option->default_text);
        separator = "; ";
    }
    if (option->environment != NULL) {
        buffer_format(out, "%s%s %s", separator, *separator == '\0' ? "Environment" : "environment",
                      option->environment);
        separator = "; ";
    }
    if (option->plan != NULL) {
        buffer_format(out, "%s%s `options: { %s: ... }`", separator,
                      *separator == '\0' ? "In a plan" : "in a plan", option->plan);
        separator = "; ";
    }
    if (strcmp(option->since, "later") == 0) {
        buffer_format(out, "%s%s", separator, "comes with a later version");
        separator = "; ";
    }
    buffer_append_string(out, *separator == '\0' ? "" : ".");
}

static void append_option(const struct cli_option *option, struct buffer *out)
{
    struct buffer facts = {0};
    buffer_append_string(out, "  ");
    help_append_option_head(option, out);
    buffer_append_byte(out, '\n');
    cli_append_wrapped(out, option->help, OPTION_INDENT, COLUMNS);
    help_append_option_facts(option, &facts);
    cli_append_wrapped(out, buffer_string(&facts), OPTION_INDENT, COLUMNS);
    buffer_free(&facts);
}

void help_append_command(const struct cli_command *command, struct buffer *out)
{
    buffer_format(out, "transhume %s: %s\n\n", command->name, command->summary);
    if (command->is_later) {
        buffer_append_string(out, "This command comes with a later version.\n");
        return;
    }
    buffer_format(out, "usage: transhume %s [OPTION…]%s%s\n\n", command->name,
                  command->arguments[0] == '\0' ? "" : " ", command->arguments);
    if (command->description != NULL) {
        cli_append_wrapped(out, command->description, 0, COLUMNS);
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(out, "options:\n");
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if ((option->places & command->place) != 0) {
            append_option(option, out);
        }
    }
    if (command->examples != NULL) {
        buffer_append_string(out, "\nexamples:\n");
        cli_append_wrapped(out, command->examples, 2, 1000);
    }
}

void help_append_error(enum error_code code, struct buffer *out)
{
    const struct error_description *description = error_describe(code);
    buffer_format(out, "%s (exit status %d%s)\n\n", description->name, description->exit_status,
                  description->exit_status == 0 ? " or 1, that of the run when it ended" : "");
    cli_append_wrapped(out, description->meaning, 0, COLUMNS);
    if (help_error_causes(code) != NULL) {
        buffer_append_string(out, "\nusual causes:\n");
        cli_append_wrapped(out, help_error_causes(code), 2, COLUMNS);
        buffer_append_string(out, "\nwhat to do:\n");
        cli_append_wrapped(out, help_error_advice(code), 2, COLUMNS);
    }
}
