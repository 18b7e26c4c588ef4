/* Help as text for a terminal. */
#include "cli/help.h"

#include "base/text.h"
#include <string.h>

enum { COLUMNS = 80, OPTION_COLUMN = 29, SUMMARY_COLUMN = 14 };

static void append_command_list(struct buffer *out)
{
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        buffer_format(out, "  %-*s%s\n", SUMMARY_COLUMN, command->name, command->summary);
    }
}

void help_append_overview(struct buffer *out)
{
    uint32_t count;
    const struct help_exit_status *statuses = help_exit_statuses(&count);
    buffer_append_string(
        out, "transhume moves a database to another database: it checks first, copies in\n"
             "chunks that survive a crash, and counts at the end.\n\n"
             "usage: transhume COMMAND [OPTION…] [ARGUMENT…]\n\n");
    append_command_list(out);
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

static void append_choices(const char *range, struct buffer *out)
{
    for (const char *at = range; *at != '\0'; at++) {
        if (*at == '|') {
            buffer_append_string(out, ", ");
        } else {
            buffer_append_byte(out, *at);
        }
    }
}

static void append_range(const struct cli_option *option, struct buffer *out)
{
    size_t length = strlen(option->range);
    if (option->type == CLI_TYPE_CHOICE) {
        append_choices(option->range, out);
    } else if (strcmp(option->range + length - 2, "..") == 0) {
        buffer_format(out, "at least %.*s", (int)(length - 2), option->range);
    } else {
        buffer_append_string(out, option->range);
    }
}

void help_append_option_facts(const struct cli_option *option, struct buffer *out)
{
    const char *separator = "";
    if (option->range != NULL) {
        append_range(option, out);
        separator = "; ";
    }
    if (option->default_text != NULL) {
        buffer_format(out, "%sdefault %s", separator, option->default_text);
        separator = "; ";
    }
    if (option->environment != NULL) {
        buffer_format(out, "%s%s", separator, option->environment);
        separator = "; ";
    }
    if (option->plan != NULL) {
        buffer_format(out, "%splan: `%s`", separator, option->plan);
    }
}

/* The help's sentence, with the choices and the default in it. */
static void append_option_text(const struct cli_option *option, struct buffer *out)
{
    size_t length = strlen(option->help);
    buffer_append(out, option->help, length - (option->help[length - 1] == '.'));
    if (option->type == CLI_TYPE_CHOICE) {
        buffer_append_string(out, ": ");
        append_choices(option->range, out);
    }
    if (option->default_text != NULL) {
        buffer_format(out, " (default %s)", option->default_text);
    }
    buffer_append_byte(out, '.');
}

static void append_option(const struct cli_option *option, struct buffer *out)
{
    struct buffer head = {0};
    struct buffer text = {0};
    struct buffer folded = {0};
    buffer_append_string(&head, "  ");
    help_append_option_head(option, &head);
    append_option_text(option, &text);
    cli_append_wrapped(&folded, buffer_string(&text), OPTION_COLUMN, COLUMNS);
    buffer_format(out, "%-*s%s", OPTION_COLUMN, buffer_string(&head),
                  buffer_string(&folded) + OPTION_COLUMN);
    buffer_free(&head);
    buffer_free(&text);
    buffer_free(&folded);
}

const char *help_group_title(enum cli_group group)
{
    static const char *const titles[CLI_GROUP_COUNT] = {
        [CLI_GROUP_COMMON] = "common options", [CLI_GROUP_SAFETY] = "safety",
        [CLI_GROUP_SPEED] = "speed and load",  [CLI_GROUP_WATCHING] = "watching",
        [CLI_GROUP_ADVANCED] = "advanced",
    };
    return titles[group];
}

static void append_group(const struct cli_command *command, enum cli_group group,
                         struct buffer *out)
{
    bool first = true;
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (cli_takes(command, option) && option->group == group) {
            if (first) {
                buffer_format(out, "%s:\n", help_group_title(group));
                first = false;
            }
            append_option(option, out);
        }
    }
    buffer_append_string(out, first ? "" : "\n");
}

static void append_subcommands(const struct cli_command *command, struct buffer *out)
{
    buffer_format(out, "usage: transhume %s COMMAND [OPTION…] [ARGUMENT…]\n\n", command->name);
    cli_append_wrapped(out, command->description, 0, COLUMNS);
    buffer_append_byte(out, '\n');
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        buffer_format(out, "  %-*s%s\n", SUMMARY_COLUMN, cli_last_word(sub), sub->summary);
    }
    buffer_format(out, "\n`transhume help %s COMMAND` shows a command's options.\n\nexamples:\n",
                  command->name);
    cli_append_wrapped(out, command->examples, 2, 1000);
}

void help_append_command(const struct cli_command *command, struct buffer *out)
{
    buffer_format(out, "transhume %s: %s\n\n", command->name, command->summary);
    if (command->subcommands != NULL) {
        append_subcommands(command, out);
        return;
    }
    buffer_format(out, "usage: transhume %s [OPTION…]%s%s\n\n", command->name,
                  command->arguments[0] == '\0' ? "" : " ", command->arguments);
    if (command->description != NULL) {
        cli_append_wrapped(out, command->description, 0, COLUMNS);
        buffer_append_byte(out, '\n');
    }
    for (int group = 0; group < CLI_GROUP_COUNT; group++) {
        append_group(command, (enum cli_group)group, out);
    }
    if (command->examples != NULL) {
        buffer_append_string(out, "examples:\n");
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
