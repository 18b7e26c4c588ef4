/* What a run's log warned of, for its report: each message once, the first time that it came. */
#include "observe/report_parts.h"

#include "base/file.h"
#include "base/log.h"
#include <string.h>

static struct report_warning *find(const struct report *report, const char *message, size_t length)
{
    for (uint32_t i = 0; i < report->warning_count; i++) {
        const char *known = report->warnings[i].message;
        if (strncmp(known, message, length) == 0 && known[length] == '\0') {
            return &report->warnings[i];
        }
    }
    return NULL;
}

static void take_line(struct report *report, const char *line)
{
    const char *message = log_message_of(line, LOG_WARNING);
    if (message == NULL) {
        return;
    }
    size_t length = strcspn(message, "\n");
    struct report_warning *known = find(report, message, length);
    if (known != NULL) {
        known->count++;
        return;
    }
    if (report->warning_count == REPORT_WARNINGS_MAX) {
        report->warnings_left_out++;
        return;
    }
    struct report_warning *warning = &report->warnings[report->warning_count];
    warning->at = arena_copy(report->arena, line, strcspn(line, " "));
    warning->message = arena_copy(report->arena, message, length);
    warning->count = 1;
    report->warning_count++;
}

enum status report_read_warnings(const char *folder, struct report *report, struct error *error)
{
    struct file_lines lines;
    const char *path = file_join(report->arena, folder, "transhume.log");
    report->warnings =
        arena_allocate_zeroed(report->arena, REPORT_WARNINGS_MAX, sizeof(*report->warnings));
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = file_lines_next(&lines, error)) == STATUS_OK) {
        take_line(report, lines.line);
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
        buffer_append_string(out, " more: transhume.log has them.</p>\n");
    }
}
