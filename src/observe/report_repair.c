/* The work of a repair besides writing, for its report. */
#include "observe/report_parts.h"

static uint64_t count_of(const json_t *number)
{
    json_int_t count = json_integer_value(number);
    return count > 0 ? (uint64_t)count : 0;
}

static void append_count(const json_t *number, struct buffer *out)
{
    report_append_count(out, count_of(number));
    buffer_append_string(out, count_of(number) == 1 ? " record of " : " records of ");
}

void report_append_repair(const struct report *report, struct buffer *out)
{
    const char *table;
    json_t *number;
    bool first = true;
    if (report->repairs != NULL) {
        buffer_append_string(out, "<p class=\"left\"><strong>Repairs:</strong> run <code>");
        report_html(out, report->repairs);
        buffer_append_string(out, "</code>");
        if (report->repairs_page != NULL) {
            buffer_append_string(out, " (<a href=\"");
            report_html(out, report->repairs_page);
            buffer_append_string(out, "\">its report</a>)");
        }
        buffer_append_string(out, "</p>\n");
    }
    json_object_foreach((json_t *)report->deleted, table, number)
    {
        buffer_append_string(out, first ? "<p class=\"left\"><strong>Deleted:</strong> " : ", ");
        append_count(number, out);
        report_html(out, table);
        first = false;
    }
    buffer_append_string(out, first ? "" : "</p>\n");
}

void report_append_repair_markdown(const struct report *report, struct buffer *out)
{
    const char *table;
    json_t *number;
    if (report->repairs != NULL) {
        buffer_append_string(out, "## Repair\n\n- It repairs run ");
        report_markdown(out, report->repairs);
        buffer_append_string(out, ".\n");
    }
    json_object_foreach((json_t *)report->deleted, table, number)
    {
        buffer_append_string(out, "- Deleted: ");
        append_count(number, out);
        report_markdown(out, table);
        buffer_append_string(out, ".\n");
    }
    buffer_append_string(out, report->repairs != NULL ? "\n" : "");
}
