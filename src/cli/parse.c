/* From argv, the environment and a plan's `options:` to the values of a call. */
#include "cli/cli.h"

#include "base/secret.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

struct parser {
    struct cli_call *call;
    int count;
    char **arguments;
    int next;
    bool only_arguments; /* after "--" */
};

/* The option of ours that other tools call so; NULL: none is known. */
static const char *other_tools_option(const char *name)
{
    static const char *const names[][2] = {
        {"rate", "rows-per-second"}, {"rate-limit", "rows-per-second"},
        {"threads", "jobs"},         {"workers", "jobs"},
        {"parallel", "jobs"},        {"config", "plan"},
        {"tables", "include"},       {"overwrite", "existing"},
        {"drop", "existing"},        {"batch", "chunk-rows"},
        {"batch-size", "chunk-rows"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i][0], name) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static enum status unknown_option(const char *shown, const char *name, struct error *error)
{
    const char *names[CLI_OPTION_COUNT];
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        names[i] = cli_option_at((enum cli_option_id)i)->name;
    }
    char printable[80];
    text_printable(shown, strlen(shown), printable, sizeof(printable));
    error_set(error, ERROR_USAGE, NULL, "there is no option %s", printable);
    const char *nearest = other_tools_option(name);
    nearest = nearest != NULL ? nearest : text_nearest(name, names, CLI_OPTION_COUNT);
    if (nearest != NULL) {
        error_hint(error, "Did you mean --%s?", nearest);
    } else {
        error_hint(error,
                   "`transhume help` lists commands, `transhume help COMMAND` their options.");
    }
    return STATUS_FAILED;
}

/* The option's argument: after "=", the rest of a group of letters, or the next word. */
static enum status take_argument(struct parser *parser, const struct cli_option *option,
                                 const char *shown, const char *attached, const char **text,
                                 struct error *error)
{
    if (attached != NULL) {
        *text = attached;
        return STATUS_OK;
    }
    if (parser->next == parser->count || strncmp(parser->arguments[parser->next], "--", 2) == 0) {
        error_set(error, ERROR_USAGE, shown, "needs %s after it", option->argument);
        return error_hint(error, "--%s %s: %s", option->name, option->argument, option->help);
    }
    *text = parser->arguments[parser->next++];
    return STATUS_OK;
}

/* Among all arguments, for options that count in the order given. */
static void note_place(struct parser *parser, struct cli_value *value)
{
    uint32_t last = value->list_count - 1;
    int *places = arena_allocate_zeroed(parser->call->arena, value->list_count, sizeof(*places));
    if (last > 0 && value->list_places != NULL) {
        memcpy(places, value->list_places, last * sizeof(*places));
    }
    places[last] = parser->next;
    value->list_places = places;
}

static enum status set_flag(struct parser *parser, const struct cli_option *option,
                            const char *shown, const char *attached, struct error *error)
{
    const char *text = "true";
    if (option->argument == NULL && attached != NULL) {
        return error_set(error, ERROR_USAGE, shown, "takes no value");
    }
    if (option->argument != NULL &&
        take_argument(parser, option, shown, attached, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cli_value *value = &parser->call->values[option->id];
    if (cli_value_set(value, option, shown, text, parser->call->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (option->type == CLI_TYPE_LIST) {
        note_place(parser, value);
    }
    return STATUS_OK;
}

static enum status parse_long(struct parser *parser, const char *argument, struct error *error)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    char *shown = arena_copy(parser->call->arena, argument, length + 2);
    if (strcmp(shown, "--version") == 0 && parser->call->command == NULL) {
        parser->call->command = cli_command_by_name("version");
        return STATUS_OK;
    }
    const struct cli_option *option = cli_option_by_name(name, length);
    if (option == NULL) {
        return unknown_option(shown, shown + 2, error);
    }
    return set_flag(parser, option, shown, name[length] == '=' ? name + length + 1 : NULL, error);
}

static enum status parse_letters(struct parser *parser, const char *argument, struct error *error)
{
    if (strcmp(argument, "-V") == 0 && parser->call->command == NULL) {
        parser->call->command = cli_command_by_name("version");
        return STATUS_OK;
    }
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        char shown[3] = {'-', *letter, '\0'};
        const struct cli_option *option = cli_option_by_letter(*letter);
        if (option == NULL) {
            return unknown_option(argument, argument + 1, error);
        }
        const char *rest = option->argument != NULL && letter[1] != '\0' ? letter + 1 : NULL;
        if (set_flag(parser, option, shown, rest, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (option->argument != NULL) {
            break;
        }
    }
    return STATUS_OK;
}

/* "up, down, …" */
static void append_subcommands(const struct cli_command *command, struct error *error)
{
    struct buffer names = {0};
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        buffer_format(&names, "%s%s", names.length > 0 ? ", " : "", cli_last_word(sub));
    }
    error_hint(error, "There are %s; `transhume help %s` says what they do.", buffer_string(&names),
               command->name);
    buffer_free(&names);
}

static enum status take_subcommand(struct cli_call *call, const char *word, struct error *error)
{
    const struct cli_command *found = cli_subcommand(call->command, word);
    const char *names[32];
    size_t count = 0;
    if (found != NULL) {
        call->command = found;
        return STATUS_OK;
    }
    for (const struct cli_command *sub = call->command->subcommands; sub->name != NULL; sub++) {
        names[count++] = cli_last_word(sub);
    }
    char shown[80];
    text_printable(word, strlen(word), shown, sizeof(shown));
    error_set(error, ERROR_USAGE, call->command->name, "has no command %s", shown);
    const char *nearest = text_nearest(word, names, count);
    if (nearest != NULL) {
        return error_hint(error, "Did you mean `transhume %s %s`?", call->command->name, nearest);
    }
    append_subcommands(call->command, error);
    return STATUS_FAILED;
}

static enum status take_word(struct parser *parser, const char *word, struct error *error)
{
    struct cli_call *call = parser->call;
    if (call->command == NULL) {
        call->command = cli_command_by_name(word);
        if (call->command == NULL) {
            cli_unknown_command(word, error);
            return STATUS_FAILED;
        }
        return STATUS_OK;
    }
    if (call->command->subcommands != NULL) {
        return take_subcommand(call, word, error);
    }
    if (call->argument_count == call->command->arguments_max ||
        call->argument_count == CLI_ARGUMENTS_MAX) {
        char shown[80];
        secret_redact_uri(word, shown, sizeof(shown));
        error_set(error, ERROR_USAGE, call->command->name, "takes no further argument: %s", shown);
        return error_hint(error, "usage: transhume %s %s", call->command->name,
                          call->command->arguments == NULL ? "" : call->command->arguments);
    }
    call->arguments[call->argument_count++] = word;
    return STATUS_OK;
}

static enum status parse_words(struct parser *parser, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && parser->next < parser->count) {
        const char *argument = parser->arguments[parser->next++];
        if (parser->only_arguments || argument[0] != '-' || argument[1] == '\0') {
            status = take_word(parser, argument, error);
        } else if (strcmp(argument, "--") == 0) {
            parser->only_arguments = true;
        } else if (argument[1] == '-') {
            status = parse_long(parser, argument, error);
        } else {
            status = parse_letters(parser, argument, error);
        }
    }
    return status;
}

/* Options that exist, but not for this command. */
static enum status check_places(const struct cli_call *call, struct error *error)
{
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (!call->values[i].is_set || cli_takes(call->command, option)) {
            continue;
        }
        error_set(error, ERROR_USAGE, call->command->name, "has no option --%s", option->name);
        for (const struct cli_command *other = NULL; (other = cli_command_after(other)) != NULL;) {
            if (other->subcommands == NULL && cli_takes(other, option)) {
                error_hint(error,
                           "It belongs to `transhume %s`; `transhume help %s` lists this "
                           "command's.",
                           other->name, call->command->name);
                break;
            }
        }
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status check_arguments(const struct cli_call *call, struct error *error)
{
    const struct cli_command *command = call->command;
    /* Others may name one database alone. */
    bool pair = (command->place &
                 (IN_ROLLBACK | IN_FINISH | IN_ANALYZE | IN_SCHEMA | IN_CHANGE | IN_HELP)) == 0;
    bool one_of_two = pair && command->arguments_max == 2 && call->argument_count == 1;
    if (call->argument_count >= command->arguments_min && !one_of_two) {
        return STATUS_OK;
    }
    if (one_of_two) {
        error_set(error, ERROR_USAGE, command->name, "SRC is given, DST is missing");
    } else {
        error_set(error, ERROR_USAGE, command->name, "needs %s", command->arguments);
    }
    return error_hint(error, "usage: transhume %s %s", command->name, command->arguments);
}

static enum status read_environment(struct cli_call *call, struct error *error)
{
    /* --max-rejects is the same bound as TRANSHUME_FAIL_FAST, and a flag wins */
    const bool bounded = call->values[CLI_MAX_REJECTS].is_set;
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (option->environment == NULL || !cli_takes(call->command, option) ||
            call->values[i].is_set || (bounded && i == CLI_FAIL_FAST)) {
            continue;
        }
        const char *text = getenv(option->environment);
        if (text != NULL && text[0] != '\0' &&
            cli_value_set(&call->values[i], option, option->environment, text, call->arena,
                          error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static void copy_command_line(struct cli_call *call, int count, char **arguments)
{
    struct buffer line = {0};
    for (int i = 0; i < count; i++) {
        char shown[1024];
        secret_redact_uri(arguments[i], shown, sizeof(shown));
        buffer_format(&line, "%s%s", i == 0 ? "" : " ", shown);
    }
    call->command_line = arena_copy_string(call->arena, buffer_string(&line));
    buffer_free(&line);
}

enum status cli_parse(struct cli_call *call, int argument_count, char **arguments,
                      struct error *error)
{
    struct parser parser = {call, argument_count, arguments, 1, false};
    copy_command_line(call, argument_count, arguments);
    if (parse_words(&parser, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (call->command == NULL || cli_switch(call, CLI_HELP)) {
        return STATUS_OK;
    }
    if (call->command->subcommands != NULL) {
        error_set(error, ERROR_USAGE, call->command->name, "what is to be done?");
        append_subcommands(call->command, error);
        return STATUS_FAILED;
    }
    if (check_places(call, error) != STATUS_OK || check_arguments(call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return read_environment(call, error);
}
