/* Help as text for a terminal. */
#include "cli/help.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    COLUMNS_MAX = 80,
    OPTION_COLUMN = 29,
    SUMMARY_COLUMN = 14,
    FIRST_RUN_COLUMN = 43,
    STATUS_COLUMN = 3,
    NARROW_COLUMN = 8,
    TEXT_COLUMNS_MIN = 25
};

/* Lines are no longer than the terminal is wide, nor than 80. */
static uint32_t columns(void)
{
    uint32_t terminal = cli_terminal_columns(STDOUT_FILENO);
    return terminal == 0 || terminal > COLUMNS_MAX ? COLUMNS_MAX : terminal;
}

/* "  head   text", the text folded behind `column`, or on lines of its own where few columns are
 * left for it. */
static void append_entry(const char *head, const char *text, uint32_t column, struct buffer *out)
{
    struct buffer folded = {0};
    bool is_narrow = column + TEXT_COLUMNS_MIN > columns();
    uint32_t indent = is_narrow && column > SUMMARY_COLUMN + 2 ? NARROW_COLUMN : column + 2;
    cli_append_wrapped(&folded, text, indent, columns());
    if (strlen(head) + 2 < indent) {
        buffer_format(out, "  %-*s%s", (int)indent - 2, head, buffer_string(&folded) + indent);
    } else {
        buffer_format(out, "  %s\n%s", head, buffer_string(&folded));
    }
    buffer_free(&folded);
}

static void append_command_list(struct buffer *out)
{
    static const char *const titles[CLI_COMMANDS_COUNT] = {
        [CLI_COMMANDS_MOVE] = "move a database",   [CLI_COMMANDS_FOLLOW] = "follow its changes",
        [CLI_COMMANDS_LOOK] = "look at a run",     [CLI_COMMANDS_UNDO] = "undo and tidy up",
        [CLI_COMMANDS_SCHEMA] = "change a schema", [CLI_COMMANDS_HELP] = "find out",
    };
    for (int group = 0; group < CLI_COMMANDS_COUNT; group++) {
        buffer_format(out, "%s%s:\n", group > 0 ? "\n" : "", titles[group]);
        for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
            if (command->group == (enum cli_command_group)group) {
                append_entry(command->name, command->summary, SUMMARY_COLUMN, out);
            }
        }
    }
}

static const char *const first_run[][2] = {
    {"transhume migrate shop.db copy.db", "a plain copy needs no plan"},
    {"transhume init shop.db dynamodb-json:out", "or write a plan, edit it,"},
    {"transhume check --sample 2", "see what it would do,"},
    {"transhume migrate", "and run it"}};

void help_append_overview(struct buffer *out)
{
    uint32_t count;
    const struct help_exit_status *statuses = help_exit_statuses(&count);
    cli_append_wrapped(out,
                       "transhume moves a database to another database: it checks first, copies in "
                       "chunks that survive a crash, and counts at the end.",
                       0, columns());
    buffer_append_string(out, "\nusage: transhume COMMAND [OPTION…] [ARGUMENT…]\n\n");
    append_command_list(out);
    buffer_append_string(out, "\na first run:\n");
    for (size_t i = 0; i < sizeof first_run / sizeof first_run[0]; i++) {
        append_entry(first_run[i][0], first_run[i][1], FIRST_RUN_COLUMN, out);
    }
    buffer_append_string(out, "\nexit status:\n");
    for (uint32_t i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", statuses[i].status);
        append_entry(number, statuses[i].meaning, STATUS_COLUMN, out);
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
    help_append_option_head(option, &head);
    append_option_text(option, &text);
    append_entry(buffer_string(&head), buffer_string(&text), OPTION_COLUMN - 2, out);
    buffer_free(&head);
    buffer_free(&text);
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
    cli_append_wrapped(out, command->description, 0, columns());
    buffer_append_byte(out, '\n');
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        append_entry(cli_last_word(sub), sub->summary, SUMMARY_COLUMN, out);
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
        cli_append_wrapped(out, command->description, 0, columns());
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
                  description->exit_status == EXIT_DONE ? " or 1, that of the run when it ended"
                                                        : "");
    cli_append_wrapped(out, description->meaning, 0, columns());
    if (help_error_causes(code) != NULL) {
        buffer_append_string(out, "\nusual causes:\n");
        cli_append_wrapped(out, help_error_causes(code), 2, columns());
        buffer_append_string(out, "\nwhat to do:\n");
        cli_append_wrapped(out, help_error_advice(code), 2, columns());
    }
}
