/* docs/troubleshooting.md: one section an error code. */
#include "cli/help.h"
#include <stdio.h>

enum { COLUMNS = 100 };

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
                 description->exit_status == 0             ? " or 1, that of the run when it ended"
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
