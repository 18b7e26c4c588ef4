/* Everything that a run did not carry, for its report. */
#include "observe/report_parts.h"

#include <string.h>

enum { LISTED_MAX = 200 };

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = report_text(item, name);
    return text == NULL ? "?" : text;
}

void report_append_left_sum(const struct report *report, struct buffer *out)
{
    if (report->not_carried_sum == NULL) {
        return;
    }
    buffer_append_string(out, "<p class=\"left\"><strong>Not carried:</strong> ");
    report_html(out, report->not_carried_sum);
    buffer_append_string(out, " (<a href=\"#left\">the list</a>)</p>\n");
}

void report_append_left(const struct report *report, struct buffer *out)
{
    size_t index;
    const json_t *item;
    if (report->not_carried_sum == NULL) {
        return;
    }
    buffer_append_string(out,
                         "<section aria-labelledby=\"left\">\n<h2 id=\"left\">Not carried</h2>\n"
                         "<ul class=\"errors\">\n");
    json_array_foreach(report->not_carried, index, item)
    {
        if (index == LISTED_MAX) {
            break;
        }
        buffer_append_string(out, "<li><code>");
        report_html(out, text_of(item, "object"));
        buffer_append_string(out, "</code> ");
        report_html(out, text_of(item, "text"));
        buffer_append_string(out, "</li>\n");
    }
    buffer_append_string(out, "</ul>\n");
    if (json_array_size(report->not_carried) > LISTED_MAX) {
        buffer_append_string(out, "<p class=\"quiet\">And ");
        report_append_count(out, json_array_size(report->not_carried) - LISTED_MAX);
        buffer_append_string(out, " more: report.json has them.</p>\n");
    }
    buffer_append_string(out, "</section>\n");
}

/* ---------------------------------------------------------------- rights */

/* "statement;" of each, in their order: to be run as they stand. */
static void append_statements(const json_t *list, struct buffer *out)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        const char *statement = report_text(item, "statement");
        if (statement != NULL) {
            buffer_format(out, "%s;\n", statement);
        }
    }
}

/* Rights that open something come first. */
static void append_reasons(const json_t *list, struct buffer *out)
{
    size_t index;
    const json_t *item;
    for (int opens = 1; opens >= 0; opens--) {
        json_array_foreach(list, index, item)
        {
            if (json_is_true(json_object_get(item, "opens")) != (opens == 1)) {
                continue;
            }
            buffer_append_string(out,
                                 opens == 1 ? "<li><strong>open:</strong> <code>" : "<li><code>");
            report_html(out, text_of(item, "object"));
            buffer_append_string(out, "</code> ");
            report_html(out, text_of(item, "text"));
            buffer_append_string(out, "</li>\n");
        }
    }
}

void report_append_rights(const struct report *report, struct buffer *out)
{
    struct buffer statements = {0};
    if (report->rights == NULL) {
        return;
    }
    buffer_append_string(out,
                         "<section aria-labelledby=\"rights\">\n<h2 id=\"rights\">Rights: left "
                         "to do</h2>\n<ul class=\"errors\">\n");
    append_reasons(report->rights, out);
    buffer_append_string(out, "</ul>\n");
    append_statements(report->rights, &statements);
    if (statements.length > 0) {
        buffer_append_string(out, "<pre>");
        report_html(out, buffer_string(&statements));
        buffer_append_string(out, "</pre>\n");
    }
    buffer_append_string(out, "</section>\n");
    buffer_free(&statements);
}

void report_append_rights_markdown(const struct report *report, struct buffer *out)
{
    struct buffer statements = {0};
    size_t index;
    const json_t *item;
    if (report->rights == NULL) {
        return;
    }
    buffer_append_string(out, "## Rights: left to do\n\n");
    json_array_foreach(report->rights, index, item)
    {
        buffer_append_string(out, json_is_true(json_object_get(item, "opens")) ? "- open: " : "- ");
        report_markdown(out, text_of(item, "object"));
        buffer_append_string(out, ": ");
        report_markdown(out, text_of(item, "text"));
        buffer_append_byte(out, '\n');
    }
    append_statements(report->rights, &statements);
    if (statements.length > 0) {
        buffer_append_byte(out, '\n');
        for (const char *at = buffer_string(&statements); *at != '\0';) {
            size_t length = strcspn(at, "\n");
            buffer_append_string(out, "    ");
            buffer_append(out, at, length);
            buffer_append_byte(out, '\n');
            at += length + (at[length] == '\n');
        }
    }
    buffer_append_byte(out, '\n');
    buffer_free(&statements);
}

/* ---------------------------------------------------------------- as Markdown */

void report_append_left_markdown(const struct report *report, struct buffer *out)
{
    size_t index;
    const json_t *item;
    if (report->not_carried_sum == NULL) {
        return;
    }
    buffer_append_string(out, "## Not carried\n\n");
    json_array_foreach(report->not_carried, index, item)
    {
        if (index == LISTED_MAX) {
            buffer_append_string(out, "\nAnd ");
            report_append_count(out, json_array_size(report->not_carried) - LISTED_MAX);
            buffer_append_string(out, " more: report.json has them.\n");
            break;
        }
        buffer_append_string(out, "- ");
        report_markdown(out, text_of(item, "object"));
        buffer_append_string(out, ": ");
        report_markdown(out, text_of(item, "text"));
        buffer_append_byte(out, '\n');
    }
    buffer_append_byte(out, '\n');
}
