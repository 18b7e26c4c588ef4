/* Completion scripts for bash, zsh and fish. */
#include "cli/help.h"

#include <string.h>

static bool completes_files(const struct cli_option *option)
{
    return option->argument != NULL &&
           (strcmp(option->argument, "FILE") == 0 || strcmp(option->argument, "DIR") == 0);
}

static void append_choices(const char *range, struct buffer *out)
{
    for (const char *at = range; *at != '\0'; at++) {
        buffer_append_byte(out, *at == '|' ? ' ' : *at);
    }
}

static void append_command_names(struct buffer *out)
{
    const char *separator = "";
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        buffer_format(out, "%s%s", separator, command->name);
        separator = " ";
    }
}

/* "up down …" */
static void append_subcommand_names(const struct cli_command *command, struct buffer *out)
{
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        buffer_format(out, "%s%s", sub == command->subcommands ? "" : " ", cli_last_word(sub));
    }
}

/* "schema|change": the commands that have some. */
static void append_parents(struct buffer *out)
{
    const char *separator = "";
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        if (command->subcommands != NULL) {
            buffer_format(out, "%s%s", separator, command->name);
            separator = "|";
        }
    }
}

static void append_option_names(const struct cli_command *command, struct buffer *out)
{
    const char *separator = "";
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (cli_takes(command, option)) {
            buffer_format(out, "%s--%s", separator, option->name);
            separator = " ";
        }
    }
}

/* "--jobs|-j|--memory": the options for which `wanted` holds. */
static void append_pattern(bool (*wanted)(const struct cli_option *option), struct buffer *out)
{
    const char *separator = "";
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (wanted(option)) {
            buffer_format(out, "%s--%s", separator, option->name);
            separator = "|";
            if (option->letter != 0) {
                buffer_format(out, "|-%c", option->letter);
            }
        }
    }
}

static bool takes_other(const struct cli_option *option)
{
    return option->argument != NULL && option->type != CLI_TYPE_CHOICE && !completes_files(option);
}

static bool takes_argument(const struct cli_option *option)
{
    return option->argument != NULL;
}

/* Words that the program prints. */
static void append_bash_words(const char *what, const char *more, struct buffer *out)
{
    buffer_format(out, "compgen -W \"$(\"${COMP_WORDS[0]}\" complete %s%s 2>/dev/null)\"", what,
                  more);
}

static void append_bash_values(struct buffer *out)
{
    buffer_append_string(out, "    case $previous in\n"
                              "        --run)\n            mapfile -t COMPREPLY < <(");
    append_bash_words("runs", " \"${state[@]}\"", out);
    buffer_append_string(out, " -- \"$word\")\n            return ;;\n");
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (option->type == CLI_TYPE_CHOICE) {
            buffer_format(out, "        --%s)\n            mapfile -t COMPREPLY < <(compgen -W '",
                          option->name);
            append_choices(option->range, out);
            buffer_append_string(out, "' -- \"$word\")\n            return ;;\n");
        }
    }
    buffer_append_string(out, "        ");
    append_pattern(completes_files, out);
    buffer_append_string(out, ")\n            compopt -o filenames\n"
                              "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                              "            return ;;\n        ");
    append_pattern(takes_other, out);
    buffer_append_string(out, ")\n            return ;;\n    esac\n");
}

void help_append_bash(struct buffer *out)
{
    buffer_append_string(
        out, "# bash completion for transhume. Written by `transhume help --as bash`.\n\n"
             "_transhume() {\n"
             "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
             "    local command= i options= names\n"
             "    local -a state=() schemes\n"
             "    COMPREPLY=()\n"
             "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
             "        case ${COMP_WORDS[i]} in\n            ");
    append_pattern(takes_argument, out);
    buffer_append_string(out, ") ((i++)) ;;\n"
                              "            -*) ;;\n"
                              "            *)\n"
                              "                command+=${command:+ }${COMP_WORDS[i]}\n"
                              "                case $command in ");
    append_parents(out);
    buffer_append_string(out, ") ;; *) break ;; esac ;;\n"
                              "        esac\n    done\n"
                              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                              "        [[ ${COMP_WORDS[i]} == --state ]] && state=(--state "
                              "\"${COMP_WORDS[i + 1]}\")\n"
                              "    done\n");
    append_bash_values(out);
    buffer_append_string(out, "    case $command in\n        '') options='");
    append_command_names(out);
    buffer_append_string(out, " --help --version' ;;\n");
    for (const struct cli_command *command = NULL;
         (command = cli_command_after(command)) != NULL;) {
        buffer_format(out, "        '%s') options='", command->name);
        if (command->subcommands != NULL) {
            append_subcommand_names(command, out);
        } else {
            append_option_names(command, out);
        }
        buffer_append_string(out, "' ;;\n");
    }
    buffer_append_string(out, "    esac\n"
                              "    if [[ $command == help ]]; then\n        options+=' ");
    append_command_names(out);
    buffer_append_string(out,
                         "'\n"
                         "        options+=\" $(\"${COMP_WORDS[0]}\" complete errors "
                         "2>/dev/null)\"\n"
                         "    elif [[ -n $command && ($word == @* || $previous == @) ]]; then\n"
                         "        names=$(\"${COMP_WORDS[0]}\" complete connections "
                         "2>/dev/null)\n"
                         "        if [[ $COMP_WORDBREAKS == *@* ]]; then\n"
                         "            names=${names//@/} word=${word#@}\n"
                         "        fi\n"
                         "        mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$word\")\n"
                         "        return\n"
                         "    elif [[ $command == @(");
    append_parents(out);
    buffer_append_string(out,
                         ") ]]; then\n        :\n    elif [[ -n $command && $word != -* ]]; then\n"
                         "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                         "        if ((${#COMPREPLY[@]} > 0)) || [[ -z $word ]]; then\n"
                         "            compopt -o filenames\n"
                         "            return\n"
                         "        fi\n"
                         "        mapfile -t schemes < <(");
    append_bash_words("schemes", "", out);
    buffer_append_string(out, " -- \"$word\")\n"
                              "        compopt -o nospace\n"
                              "        COMPREPLY=(\"${schemes[@]}\")\n"
                              "        return\n"
                              "    fi\n"
                              "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
                              "}\n"
                              "complete -F _transhume transhume\n");
}

/* For single quotes of both shells; zsh's specs also take [ ] and : for their own. */
static void append_quoted(const char *text, bool is_zsh, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buffer_append_string(out, is_zsh ? "'\\''" : "\\'");
        } else if (*text == '\\' || (is_zsh && strchr("[]:", *text) != NULL)) {
            buffer_format(out, "\\%c", *text);
        } else if (*text != '`') {
            buffer_append_byte(out, *text);
        }
    }
}

static void append_first_sentence(const char *text, bool is_zsh, struct buffer *out)
{
    char sentence[200];
    const char *end = strstr(text, ". ");
    size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
    while (length > 0 && (text[length - 1] == '.' || length >= sizeof(sentence))) {
        length--;
    }
    memcpy(sentence, text, length);
    sentence[length] = '\0';
    append_quoted(sentence, is_zsh, out);
}

static void append_zsh_spec(const struct cli_option *option, struct buffer *out)
{
    bool repeats = option->type == CLI_TYPE_LIST;
    if (option->letter != 0) {
        buffer_format(out, "                '(-%c --%s)'{-%c%s,--%s%s}'[", option->letter,
                      option->name, option->letter, option->argument != NULL ? "+" : "",
                      option->name, option->argument != NULL ? "=" : "");
    } else {
        buffer_format(out, "                '%s--%s%s[", repeats ? "*" : "", option->name,
                      option->argument != NULL ? "=" : "");
    }
    append_first_sentence(option->help, true, out);
    buffer_append_byte(out, ']');
    if (option->argument != NULL) {
        buffer_format(out, ":%s:", option->argument);
        if (option->type == CLI_TYPE_CHOICE) {
            buffer_append_byte(out, '(');
            append_choices(option->range, out);
            buffer_append_byte(out, ')');
        } else if (option->id == CLI_RUN) {
            buffer_append_string(out, "_transhume_words runs");
        } else if (completes_files(option)) {
            buffer_append_string(out,
                                 strcmp(option->argument, "DIR") == 0 ? "_files -/" : "_files");
        }
    }
    buffer_append_string(out, "' \\\n");
}

/* The options and arguments of one command, as a case. */
static void append_zsh_case(const struct cli_command *command, const char *indent,
                            struct buffer *out)
{
    buffer_format(out, "%s%s)\n%s    _arguments -s \\\n", indent, cli_last_word(command), indent);
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (cli_takes(command, option)) {
            append_zsh_spec(option, out);
        }
    }
    bool is_help = strcmp(command->name, "help") == 0;
    buffer_format(out, "                '*:argument:%s' ;;\n",
                  is_help ? "{_describe command commands; _transhume_words errors}"
                          : "_transhume_database");
}

static void append_zsh_subcommands(const struct cli_command *command, struct buffer *out)
{
    buffer_format(out,
                  "        %s)\n"
                  "            local -a subcommands\n"
                  "            subcommands=(\n",
                  command->name);
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        buffer_format(out, "                '%s:", cli_last_word(sub));
        append_quoted(sub->summary, true, out);
        buffer_append_string(out, "'\n");
    }
    buffer_append_string(out, "            )\n"
                              "            if ((CURRENT == 2)); then\n"
                              "                _describe -t commands command subcommands\n"
                              "                return\n"
                              "            fi\n"
                              "            local subcommand=$words[2]\n"
                              "            shift words\n"
                              "            ((CURRENT--))\n"
                              "            case $subcommand in\n");
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        append_zsh_case(sub, "            ", out);
    }
    buffer_append_string(out, "            esac ;;\n");
}

void help_append_zsh(struct buffer *out)
{
    buffer_append_string(out,
                         "#compdef transhume\n"
                         "# zsh completion for transhume. Written by `transhume help --as zsh`.\n\n"
                         "_transhume_words() {\n"
                         "    local -a found\n"
                         "    found=(${(f)\"$(transhume complete $1 2>/dev/null)\"})\n"
                         "    compadd ${@:2} -a found\n"
                         "}\n\n"
                         "_transhume_database() {\n"
                         "    if [[ $PREFIX == @* ]]; then\n"
                         "        _transhume_words connections\n"
                         "    else\n"
                         "        _files\n"
                         "        _transhume_words schemes -S ''\n"
                         "    fi\n"
                         "}\n\n"
                         "_transhume() {\n"
                         "    local -a commands\n"
                         "    commands=(\n");
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        buffer_format(out, "        '%s:", command->name);
        append_quoted(command->summary, true, out);
        buffer_append_string(out, "'\n");
    }
    buffer_append_string(out, "    )\n"
                              "    if ((CURRENT == 2)); then\n"
                              "        _describe -t commands command commands\n"
                              "        return\n"
                              "    fi\n"
                              "    local command=$words[2]\n"
                              "    shift words\n"
                              "    ((CURRENT--))\n"
                              "    case $command in\n");
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        if (command->subcommands != NULL) {
            append_zsh_subcommands(command, out);
        } else {
            append_zsh_case(command, "        ", out);
        }
    }
    buffer_append_string(out, "    esac\n}\n\n_transhume \"$@\"\n");
}

/* "schema; and __fish_seen_subcommand_from up down" of the subcommands that take the option. */
static void append_fish_subcommands(const struct cli_command *command,
                                    const struct cli_option *option, struct buffer *out)
{
    bool first = true;
    for (const struct cli_command *sub = command->subcommands; sub->name != NULL; sub++) {
        if (cli_takes(sub, option)) {
            buffer_format(out, "%s%s",
                          first ? "; or __fish_seen_subcommand_from schema; and "
                                  "__fish_seen_subcommand_from "
                                : " ",
                          cli_last_word(sub));
            first = false;
        }
    }
}

static void append_fish_condition(const struct cli_option *option, struct buffer *out)
{
    if (option->places == IN_ALL) {
        buffer_append_string(out, "not __fish_use_subcommand");
        return;
    }
    bool other = (option->places & ~(uint32_t)(IN_SCHEMA | IN_CHANGE)) != 0;
    buffer_append_string(out, other ? "__fish_seen_subcommand_from" : "false");
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        if (command->subcommands == NULL && (option->places & command->place) != 0) {
            buffer_format(out, " %s", command->name);
        }
    }
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        if (command->subcommands != NULL && (option->places & command->place) != 0) {
            append_fish_subcommands(command, option, out);
        }
    }
}

void help_append_fish(struct buffer *out)
{
    buffer_append_string(
        out, "# fish completion for transhume. Written by `transhume help --as fish`.\n\n");
    for (const struct cli_command *command = cli_commands(); command->name != NULL; command++) {
        buffer_format(out, "complete -c transhume -n __fish_use_subcommand -f -a %s -d '",
                      command->name);
        append_quoted(command->summary, false, out);
        buffer_append_string(out, "'\n");
    }
    for (const struct cli_command *command = NULL;
         (command = cli_command_after(command)) != NULL;) {
        if (strchr(command->name, ' ') != NULL) {
            int length = (int)(cli_last_word(command) - command->name) - 1;
            buffer_format(
                out, "complete -c transhume -n '__fish_seen_subcommand_from %.*s' -f -a %s -d '",
                length, command->name, cli_last_word(command));
            append_quoted(command->summary, false, out);
            buffer_append_string(out, "'\n");
        }
    }
    buffer_append_string(
        out,
        "complete -c transhume -n 'not __fish_use_subcommand; and string match -q \"@*\" -- "
        "(commandline -ct)' -a '(transhume complete connections)'\n"
        "complete -c transhume -n 'not __fish_use_subcommand' -a '(transhume complete "
        "schemes)'\n"
        "complete -c transhume -n '__fish_seen_subcommand_from help' -f -a '(transhume complete "
        "errors)'\n");
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        buffer_append_string(out, "complete -c transhume -n '");
        append_fish_condition(option, out);
        buffer_format(out, "' -l %s", option->name);
        if (option->letter != 0) {
            buffer_format(out, " -s %c", option->letter);
        }
        if (option->id == CLI_RUN) {
            buffer_append_string(out, " -x -a '(transhume complete runs)'");
        } else if (option->type == CLI_TYPE_CHOICE) {
            buffer_append_string(out, " -x -a '");
            append_choices(option->range, out);
            buffer_append_byte(out, '\'');
        } else if (option->argument != NULL) {
            buffer_append_string(out, completes_files(option) ? " -r -F" : " -x");
        }
        buffer_append_string(out, " -d '");
        append_first_sentence(option->help, false, out);
        buffer_append_string(out, "'\n");
    }
}
