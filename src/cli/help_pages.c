/* The reference of the command line as Markdown and as a man page; the page of errors. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 100 };

static void append_markdown_option(const struct cli_option *option, struct buffer *out)
{
    struct buffer facts = {0};
    buffer_append_string(out, "| `");
    help_append_option_head(option, out);
    buffer_format(out, "` | %s", option->help);
    if (option->details != NULL) {
        buffer_format(out, " %s", option->details);
    }
    help_append_option_facts(option, &facts);
    buffer_format(out, " | %s |\n", buffer_string(&facts));
    buffer_free(&facts);
}

/* "--plan, --state, …": those of one group, but for what every command has. */
static void append_markdown_names(const struct cli_command *command, enum cli_group group,
                                  struct buffer *out)
{
    const char *separator = "";
    struct buffer names = {0};
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (cli_takes(command, option) && option->group == group && option->places != IN_ALL) {
            buffer_format(&names, "%s`--%s`", separator, option->name);
            separator = ", ";
        }
    }
    if (names.length > 0) {
        buffer_format(out, "- %s: %s\n", help_group_title(group), buffer_string(&names));
    }
    buffer_free(&names);
}

static void append_markdown_command(const struct cli_command *command, struct buffer *out)
{
    struct buffer names = {0};
    buffer_format(out, "\n## transhume %s\n\n", command->name);
    buffer_format(out, "`transhume %s%s%s`: %s.\n", command->name,
                  command->arguments[0] == '\0' ? "" : " ", command->arguments, command->summary);
    if (command->description != NULL) {
        buffer_append_byte(out, '\n');
        cli_append_wrapped(out, command->description, 0, COLUMNS);
    }
    if (command->examples != NULL) {
        buffer_append_byte(out, '\n');
        cli_append_wrapped(out, command->examples, 4, 1000);
    }
    for (int group = 0; group < CLI_GROUP_COUNT && command->subcommands == NULL; group++) {
        append_markdown_names(command, (enum cli_group)group, &names);
    }
    buffer_format(out, "%s%s", names.length > 0 ? "\n" : "", buffer_string(&names));
    buffer_free(&names);
}

static void append_markdown_options(struct buffer *out)
{
    buffer_append_string(
        out,
        "\n## Options\n\n"
        "The third column has the values, the default, the environment variable, and the name\n"
        "under `options:` in a plan, as far as the option has them.\n");
    for (int group = 0; group < CLI_GROUP_COUNT; group++) {
        const char *title = help_group_title((enum cli_group)group);
        buffer_format(out, "\n### %c%s\n\n| option | what it does | |\n|---|---|---|\n",
                      title[0] - 'a' + 'A', title + 1);
        for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
            const struct cli_option *option = cli_option_at((enum cli_option_id)i);
            if (option->group == (enum cli_group)group) {
                append_markdown_option(option, out);
            }
        }
    }
}

void help_append_markdown(struct buffer *out)
{
    uint32_t count;
    const struct help_exit_status *statuses = help_exit_statuses(&count);
    buffer_append_string(
        out,
        "# The command line\n\n"
        "<!-- Written by `transhume help --as markdown`; docs/generate brings it up to date. -->\n\n"
        "A flag wins over its environment variable, that over the plan's `options:`, that over the\n"
        "default. Results go to stdout, log and progress to stderr. `--name=value` and `--name value` are\n"
        "the same; `--` ends the options. Sizes: `64MiB`, `1G` (powers of 1024), `10MB` (powers of 1000).\n"
        "Times: `500ms`, `30s`, `5m`, `2h`; a bare number is seconds. Counts: `500`, `20k`, `2M`.\n\n"
        "| exit status | |\n|---|---|\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, "| %d | %s |\n", statuses[i].status, statuses[i].meaning);
    }
    buffer_append_string(out,
                         "\nEach command names its [options](#options), which are explained at "
                         "the end. Every command has\n`--quiet`, `--verbose` and `--help`.\n");
    for (const struct cli_command *command = NULL;
         (command = cli_command_after(command)) != NULL;) {
        append_markdown_command(command, out);
    }
    append_markdown_options(out);
}

/* Text for man(7): what roff would take for its own is escaped; `…` becomes bold. */
static void append_roff(const char *text, struct buffer *out)
{
    bool bold = false;
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (strncmp(text, "…", strlen("…")) == 0) { /* man pages are ASCII */
            buffer_append_string(out, "...");
            text += strlen("…") - 1;
            line_start = false;
            continue;
        }
        if (line_start && (*text == '.' || *text == '\'')) {
            buffer_append_string(out, "\\&");
        }
        line_start = *text == '\n';
        switch (*text) {
        case '\\':
            buffer_append_string(out, "\\e");
            break;
        case '-':
            buffer_append_string(out, "\\-");
            break;
        case '`':
            bold = !bold;
            buffer_append_string(out, bold ? "\\fB" : "\\fR");
            break;
        default:
            buffer_append_byte(out, *text);
        }
    }
}

static void append_roff_wrapped(const char *text, struct buffer *out)
{
    struct buffer folded = {0};
    cli_append_wrapped(&folded, text, 0, COLUMNS);
    append_roff(buffer_string(&folded), out);
    buffer_free(&folded);
}

static void append_man_option(const struct cli_option *option, struct buffer *out)
{
    struct buffer text = {0};
    buffer_append_string(out, ".TP\n\\fB");
    if (option->letter != 0) {
        buffer_format(out, "\\-%c\\fR, \\fB", option->letter);
    }
    append_roff("--", out);
    append_roff(option->name, out);
    buffer_append_string(out, "\\fR");
    if (option->argument != NULL) {
        buffer_format(out, " \\fI%s\\fR", option->argument);
    }
    buffer_append_byte(out, '\n');
    buffer_format(&text, "%s%s%s\n", option->help, option->details != NULL ? " " : "",
                  option->details != NULL ? option->details : "");
    help_append_option_facts(option, &text);
    append_roff_wrapped(buffer_string(&text), out);
    buffer_free(&text);
}

static void append_man_options(struct buffer *out)
{
    for (int group = 0; group < CLI_GROUP_COUNT; group++) {
        const char *title = help_group_title((enum cli_group)group);
        buffer_format(out, ".SS %c%s\n", title[0] - 'a' + 'A', title + 1);
        for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
            const struct cli_option *option = cli_option_at((enum cli_option_id)i);
            if (option->group == (enum cli_group)group) {
                append_man_option(option, out);
            }
        }
    }
}

static void append_man_command(const struct cli_command *command, struct buffer *out)
{
    buffer_format(out, ".SS transhume %s\n", command->name);
    buffer_format(out, "\\fBtranshume %s\\fR [\\fIOPTION\\fR...]", command->name);
    if (command->arguments[0] != '\0') {
        buffer_append_byte(out, ' ');
        append_roff(command->arguments, out);
    }
    buffer_append_string(out, "\n.PP\n");
    append_roff_wrapped(command->description != NULL ? command->description : command->summary,
                        out);
    if (command->examples != NULL) {
        buffer_append_string(out, ".PP\n.nf\n.RS\n");
        append_roff(command->examples, out);
        buffer_append_string(out, "\n.RE\n.fi\n");
    }
    if (command->subcommands != NULL) {
        return;
    }
    buffer_append_string(out, ".PP\nOptions:");
    for (size_t i = 0, first = 1; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option *option = cli_option_at((enum cli_option_id)i);
        if (cli_takes(command, option)) {
            buffer_append_string(out, first ? " \\fB" : ", \\fB");
            append_roff("--", out);
            append_roff(option->name, out);
            buffer_append_string(out, "\\fR");
            first = 0;
        }
    }
    buffer_append_string(out, ".\n");
}

static void append_man_ends(struct buffer *out)
{
    uint32_t count;
    const struct help_exit_status *statuses = help_exit_statuses(&count);
    buffer_append_string(out, ".SH EXIT STATUS\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(out, ".TP\n\\fB%d\\fR\n", statuses[i].status);
        append_roff(statuses[i].meaning, out);
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(
        out,
        ".SH ENVIRONMENT\n"
        "Options name their variables above; a flag wins over its variable.\n"
        ".TP\n\\fBNO_COLOR\\fR\nAny value turns colour off.\n"
        ".TP\n\\fBTRANSHUME_MODULES\\fR\nConnector modules to load: paths with colons between them.\n"
        ".TP\n\\fBTRANSHUME_FAILPOINT\\fR\nFor tests: see \\fBtranshume failpoints\\fR.\n"
        ".SH FILES\n"
        ".TP\n\\fItranshume.yaml\\fR\nThe plan.\n"
        ".TP\n\\fI.transhume/\\fR\nThe state folder: plan copy, state.json, rejects, log.\n");
}

void help_append_man(struct buffer *out)
{
    buffer_append_string(
        out, ".\\\" Written by transhume help --as man; docs/generate brings it up to date.\n"
             ".TH TRANSHUME 1 \"\" \"transhume " TRANSHUME_VERSION "\" \"User Commands\"\n"
             ".SH NAME\ntranshume \\- move a database to another database\n"
             ".SH SYNOPSIS\n.B transhume\n\\fICOMMAND\\fR [\\fIOPTION\\fR...] "
             "[\\fIARGUMENT\\fR...]\n"
             ".SH DESCRIPTION\n");
    append_roff_wrapped(
        "Transhume moves a database to another database, of the same kind or another: it checks first, "
        "copies in chunks, resumes after a crash with no lost or duplicate records, and counts at the end. "
        "A plain copy needs no plan; a plan in YAML maps tables, keys and fields.",
        out);
    buffer_append_string(out, ".SH COMMANDS\n");
    for (const struct cli_command *command = NULL;
         (command = cli_command_after(command)) != NULL;) {
        append_man_command(command, out);
    }
    buffer_append_string(
        out, ".SH OPTIONS\nEach option is followed by its values, default, environment variable "
             "and name in a plan.\n");
    append_man_options(out);
    append_man_ends(out);
}

/* ---------------------------------------------------------------- errors */

static void append_paragraph(struct buffer *out, const char *begin, const char *text,
                             const char *end)
{
    struct buffer paragraph = {0};
    buffer_format(&paragraph, "%s%s%s", begin, text, end);
    cli_append_wrapped(out, buffer_string(&paragraph), 0, COLUMNS);
    buffer_free(&paragraph);
}

static void append_section(enum error_code code, struct buffer *out)
{
    const struct error_description *description = error_describe(code);
    char exit[64] = "";
    if (description->class != ERROR_CLASS_REJECT) {
        snprintf(exit, sizeof exit, " Exit %d%s.", description->exit_status,
                 description->exit_status == EXIT_DONE     ? " or 1, that of the run when it ended"
                 : description->class == ERROR_CLASS_RETRY ? ", after retries"
                                                           : "");
    }
    buffer_format(out, "\n### %s\n\n", description->name);
    append_paragraph(out, "", description->meaning, exit);
    if (help_error_causes(code) != NULL) {
        buffer_append_string(out, "\n");
        append_paragraph(out, "*Causes:* ", help_error_causes(code), "");
        buffer_append_string(out, "\n");
        append_paragraph(out, "*Fix:* ", help_error_advice(code), "");
    }
}

void help_append_errors_page(struct buffer *out)
{
    buffer_append_string(
        out,
        "# Troubleshooting\n\n"
        "<!-- Written by `transhume help --as errors`; docs/generate brings it up to date. -->\n\n"
        "Every error ends with its code in brackets. Each code has a section here: what it means, the\n"
        "exit status, usual causes, and what to do.\n\n"
        "    error: out.db: table Artist holds records already [target-not-empty]\n"
        "      Choose what to do about them with `existing:` …\n\n"
        "`transhume help target-not-empty` prints the section about it. The log of a run, with more\n"
        "than the terminal showed, is `.transhume/transhume.log`.\n\n"
        "## Errors that end a command\n");
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        if (error_describe((enum error_code)code)->class != ERROR_CLASS_REJECT) {
            append_section((enum error_code)code, out);
        }
    }
    buffer_append_string(
        out,
        "\n## Reasons for rejecting a record\n\n"
        "Rejected records do not end a run: it exits with status 1 and keeps them whole, with the\n"
        "reason, in the state folder. Fix them in a copy of the file and load that with\n"
        "`transhume migrate --rejects FILE`.\n");
    for (int code = 1; code < ERROR_CODE_COUNT; code++) {
        if (error_describe((enum error_code)code)->class == ERROR_CLASS_REJECT) {
            append_section((enum error_code)code, out);
        }
    }
}
