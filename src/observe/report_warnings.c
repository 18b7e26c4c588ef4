/* The warnings of a run, for its report, by its events: each message once, the first time that it
 * came. */
#include "observe/report_parts.h"

#include "base/file.h"
#include <string.h>

static struct report_warning *report_warnings_find(const struct report *report, const char *message)
{
    for (uint32_t i = 0; i < report->warning_count; i++) {
        if (strcmp(report->warnings[i].message, message) == 0) {
            return &report->warnings[i];
        }
    }
    return NULL;
}

static void report_warnings_take(struct report *report, const char *at, const char *message)
{
    struct report_warning *known = report_warnings_find(report, message);
    if (known != NULL) {
        known->count++;
        return;
    }
    if (report->warning_count == REPORT_WARNINGS_MAX) {
        report->warnings_left_out++;
        return;
    }
    struct report_warning *warning = &report->warnings[report->warning_count];
    warning->at = arena_copy_string(report->arena, at);
    warning->message = arena_copy_string(report->arena, message);
    warning->count = 1;
    report->warning_count++;
}

/* A line that is no event is passed over: the last one may be torn. */
static void take_line(struct report *report, const char *line, size_t length)
{
    json_t *event = json_loadb(line, length, JSON_DISABLE_EOF_CHECK, NULL);
    const char *level = report_text(event, "level");
    const char *at = report_text(event, "at");
    const char *text = report_text(event, "text");
    if (level != NULL && at != NULL && text != NULL && strcmp(level, "warning") == 0) {
        report_warnings_take(report, at, text);
    }
    json_decref(event);
}

enum status report_read_warnings(const char *folder, struct report *report, struct error *error)
{
    struct file_lines lines;
    const char *path = file_join(report->arena, folder, "events.jsonl");
    report->warnings =
        arena_allocate_zeroed(report->arena, REPORT_WARNINGS_MAX, sizeof(*report->warnings));
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = file_lines_next(&lines, error)) == STATUS_OK) {
        take_line(report, lines.line, lines.length);
    }
    file_lines_close(&lines);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

void report_append_repeats(struct buffer *out, const struct report_warning *warning)
{
    if (warning->count > 1) {
        buffer_append_string(out, " (");
        report_append_count(out, warning->count);
        buffer_append_string(out, " times)");
    }
}

void report_append_warnings(const struct report *report, struct buffer *out)
{
    if (report->warning_count == 0) {
        buffer_append_string(out, "<p class=\"quiet\">Nothing was warned of.</p>\n");
        return;
    }
    buffer_append_string(out, "<ul class=\"errors\">\n");
    for (uint32_t i = 0; i < report->warning_count; i++) {
        const struct report_warning *warning = &report->warnings[i];
        buffer_append_string(out, "<li><time>");
        report_append_time(out, warning->at);
        buffer_append_string(out, "</time> ");
        report_html(out, warning->message);
        report_append_repeats(out, warning);
        buffer_append_string(out, "</li>\n");
    }
    buffer_append_string(out, "</ul>\n");
    if (report->warnings_left_out > 0) {
        buffer_append_string(out, "<p class=\"quiet\">And ");
        report_append_count(out, report->warnings_left_out);
        buffer_append_string(out, " more: events.jsonl has them.</p>\n");
    }
}
