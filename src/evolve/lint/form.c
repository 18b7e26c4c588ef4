/* Findings as text, as JSON and as commands of a GitHub workflow. */
#include "evolve/lint/form_internal.h"
#include "model/json_writer.h"

const char *lint_level_name(enum lint_level level)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[level];
}

const char *lint_lock_name(enum lint_lock lock)
{
    static const char *const names[] = {"none", "schema changes", "writes", "reads and writes"};
    return names[lock];
}

/* ---------------------------------------------------------------- text */

static void append_count(struct buffer *out, uint32_t count, const char *what)
{
    buffer_format(out, ", %u %s%s", count, what, count == 1 ? "" : "s");
}

static void write_text(const struct lint_report *report, struct buffer *out)
{
    for (uint32_t i = 0; i < report->count; i++) {
        const struct lint_finding *finding = &report->findings[i];
        buffer_format(out, "%s:%u:%u: %s: %s [%s]\n", finding->file, finding->place.line,
                      finding->place.column, lint_level_name(finding->level), finding->message,
                      finding->rule->id);
        if (finding->lock != LINT_LOCK_NONE) {
            buffer_format(out, "    blocks %s%s\n", lint_lock_name(finding->lock),
                          finding->rule->rewrites ? ", and writes the table anew" : "");
        }
        if (finding->help != NULL) {
            buffer_format(out, "    instead: %s\n", finding->help);
        }
    }
    buffer_format(out, "%u file%s", report->files, report->files == 1 ? "" : "s");
    append_count(out, report->errors, "error");
    append_count(out, report->warnings, "warning");
    append_count(out, report->notes, "note");
    if (report->suppressed > 0) {
        buffer_format(out, "; %u left out by comments", report->suppressed);
    }
    buffer_append_byte(out, '\n');
}

/* ---------------------------------------------------------------- JSON */

void lint_append_member(struct buffer *out, const char *key, const char *text)
{
    buffer_format(out, "\"%s\": ", key);
    if (text == NULL) {
        buffer_append_string(out, "null");
    } else {
        json_append_printable(out, text);
    }
}

static void write_json(const struct lint_report *report, struct buffer *out)
{
    buffer_append_string(out, "[");
    for (uint32_t i = 0; i < report->count; i++) {
        const struct lint_finding *finding = &report->findings[i];
        buffer_append_string(out, i > 0 ? ",\n  {" : "\n  {");
        lint_append_member(out, "file", finding->file);
        buffer_format(out, ", \"line\": %u, \"column\": %u, \"line_end\": %u, \"column_end\": %u, ",
                      finding->place.line, finding->place.column, finding->end.line,
                      finding->end.column);
        lint_append_member(out, "level", lint_level_name(finding->level));
        buffer_append_string(out, ", ");
        lint_append_member(out, "rule", finding->rule->id);
        buffer_append_string(out, ", ");
        lint_append_member(out, "message", finding->message);
        buffer_append_string(out, ", ");
        lint_append_member(out, "help", finding->help);
        buffer_append_string(out, ", ");
        lint_append_member(out, "lock", lint_lock_name(finding->lock));
        buffer_format(out, ", \"rewrites\": %s}", finding->rule->rewrites ? "true" : "false");
    }
    buffer_append_string(out, report->count > 0 ? "\n]\n" : "]\n");
}

/* ---------------------------------------------------------------- GitHub */

/* Line ends and % are escaped in a command's text; in a property also , and : */
static void append_escaped(struct buffer *out, const char *text, bool property)
{
    for (; *text != '\0'; text++) {
        bool escape = *text == '%' || *text == '\r' || *text == '\n' ||
                      (property && (*text == ',' || *text == ':'));
        if (escape) {
            buffer_format(out, "%%%02X", (unsigned char)*text);
        } else {
            buffer_append_byte(out, *text);
        }
    }
}

static void write_github(const struct lint_report *report, struct buffer *out)
{
    static const char *const commands[] = {"notice", "warning", "error"};
    for (uint32_t i = 0; i < report->count; i++) {
        const struct lint_finding *finding = &report->findings[i];
        buffer_format(out, "::%s file=", commands[finding->level]);
        append_escaped(out, finding->file, true);
        buffer_format(
            out, ",line=%u,col=%u,endLine=%u,endColumn=%u,title=%s::", finding->place.line,
            finding->place.column, finding->end.line, finding->end.column, finding->rule->id);
        append_escaped(out, finding->message, false);
        if (finding->help != NULL) {
            buffer_append_string(out, "%0A");
            append_escaped(out, finding->help, false);
        }
        buffer_append_byte(out, '\n');
    }
}

void lint_write(const struct lint_report *report, enum lint_form form, struct buffer *out)
{
    switch (form) {
    case LINT_FORM_TEXT:
        write_text(report, out);
        break;
    case LINT_FORM_JSON:
        write_json(report, out);
        break;
    case LINT_FORM_SARIF:
        lint_write_sarif(report, out);
        break;
    case LINT_FORM_GITHUB:
        write_github(report, out);
        break;
    }
}
