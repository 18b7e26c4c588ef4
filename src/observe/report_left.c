/* What a run did not carry, for its report. */
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
