/* docs/troubleshooting.md: one section an error code. */
#include "cli/help.h"

enum { COLUMNS = 100 };

static void append_section(enum error_code code, struct buffer *out)
{
    const struct error_description *description = error_describe(code);
    buffer_format(out, "\n### %s\n\n", description->name);
    cli_append_wrapped(out, description->meaning, 0, COLUMNS);
    if (help_error_causes(code) == NULL) {
        return;
    }
    if (description->class == ERROR_CLASS_REJECT) {
        buffer_append_string(out, "Reason of a reject.\n");
    } else if (description->exit_status == 0) {
        buffer_append_string(out, "Exit status 0, or 1: that of the run when it ended.\n");
    } else {
        buffer_format(out, "Exit status %d%s.\n", description->exit_status,
                      description->class == ERROR_CLASS_RETRY ? ", after tries that all failed"
                                                              : "");
    }
    buffer_append_string(out, "\n**Usual causes.**\n");
    cli_append_wrapped(out, help_error_causes(code), 0, COLUMNS);
    buffer_append_string(out, "\n**What to do.**\n");
    cli_append_wrapped(out, help_error_advice(code), 0, COLUMNS);
}

void help_append_errors_page(struct buffer *out)
{
    buffer_append_string(
        out,
        "# Troubleshooting\n\n"
        "<!-- Written by `transhume help --as errors`; docs/generate brings it up to date. -->\n\n"
        "Every error ends with its code in brackets:\n\n"
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
