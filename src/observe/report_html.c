/* The report as one page that needs nothing beside it: no script, no font, no request. */
#include "observe/report_parts.h"

#include <string.h>

/* Made of report.css by the build. */
extern const char report_css[];

static const char *verdict_class(const struct report *report)
{
    const char *verdict = report_verdict(report);
    return strcmp(verdict, "done") == 0                ? "good"
           : strcmp(verdict, "done, but differs") == 0 ? "bad"
           : strncmp(verdict, "done", 4) == 0          ? "warn"
           : strcmp(verdict, "in progress") == 0       ? "busy"
           : strcmp(verdict, "being rolled back") == 0 ? "busy"
           : strcmp(verdict, "failed") == 0            ? "bad"
                                                       : "warn";
}

static void append_head(const struct report *report, struct buffer *out)
{
    buffer_append_string(
        out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, "
             "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    report_html(out, report->source);
    buffer_append_string(out, " to ");
    report_html(out, report->target);
    buffer_format(out, ": %s</title>\n<style>\n", report_verdict(report));
    buffer_append_string(out, report_css);
    buffer_append_string(out, "</style>\n</head>\n<body>\n");
}

static void append_title(const struct report *report, struct buffer *out)
{
    buffer_format(out, "<header>\n<p class=\"mark\">transhume %s</p>\n<h1><span class=\"end\">",
                  strcmp(report->kind, "copy") == 0      ? "migration report"
                  : strcmp(report->kind, "rejects") == 0 ? "report: corrected records"
                  : strcmp(report->kind, "repair") == 0  ? "report: repair"
                                                         : "report");
    report_html(out, report->source);
    buffer_append_string(out, "</span> <span class=\"arrow\" aria-label=\"to\">→</span> <span "
                              "class=\"end\">");
    report_html(out, report->target);
    buffer_format(
        out,
        "</span></h1>\n<p class=\"about\"><strong class=\"pill %s\">%s</strong> <span>run "
        "<code>",
        verdict_class(report), report_verdict(report));
    report_html(out, report->run);
    buffer_append_string(out, "</code></span> <span>began <time>");
    report_append_time(out, report->started_at);
    buffer_append_string(out, "</time></span> <span>");
    buffer_append_string(out, report->ended_at == NULL ? "last seen <time>" : "ended <time>");
    report_append_time(out, report->ended_at == NULL ? report->updated_at : report->ended_at);
    buffer_append_string(out, "</time></span></p>\n</header>\n");
}

static void begin_tile(struct buffer *out, const char *title)
{
    buffer_format(out, "<div><dt>%s</dt><dd>", title);
}

static void end_tile(struct buffer *out)
{
    buffer_append_string(out, "</dd></div>\n");
}

static void append_tiles(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, "<dl class=\"tiles\">\n");
    begin_tile(out, "Records written");
    report_append_count(out, report->sum.written);
    if (report->sum.total >= 0 && (uint64_t)report->sum.total > report->sum.written) {
        buffer_append_string(out, "<small>of ");
        report_append_count(out, (uint64_t)report->sum.total);
        buffer_append_string(out, "</small>");
    }
    end_tile(out);
    begin_tile(out, "Rejected");
    report_append_count(out, report->sum.rejected);
    end_tile(out);
    begin_tile(out, "Data");
    if (report->sum.bytes == 0 && report->sum.written > 0) {
        buffer_append_string(out, "–<small>pulled by the target</small>");
    } else {
        report_append_bytes(out, report->sum.bytes);
    }
    end_tile(out);
    begin_tile(out, "Working time");
    if (report->seconds > 0) {
        report_append_seconds(out, report->seconds);
        buffer_append_string(out, "<small>");
        report_append_rate(out, report->sum.written, report->seconds);
        buffer_append_string(out, "</small>");
    } else {
        buffer_append_string(out, "–");
    }
    end_tile(out);
    begin_tile(out, "Guarantee");
    report_html(out, report->guarantee == NULL ? "–" : report->guarantee);
    end_tile(out);
    begin_tile(out, "Validation");
    buffer_append_string(out, report->validation == NULL ? "not yet"
                              : json_is_true(json_object_get(report->validation, "ok"))
                                  ? "no difference"
                                  : "differences");
    end_tile(out);
    buffer_append_string(out, "</dl>\n");
}

/* `commands` in a sentence of ours stand between backquotes. */
static void append_sentence(const char *text, struct buffer *out)
{
    bool inside = false;
    for (; *text != '\0'; text++) {
        if (*text == '`') {
            buffer_append_string(out, inside ? "</code>" : "<code>");
            inside = !inside;
        } else {
            buffer_append_byte(out, *text);
        }
    }
}

static void append_steps(const struct report *report, struct buffer *out)
{
    const char *steps[REPORT_STEPS_MAX];
    uint32_t count = report_next_steps(report, steps);
    if (count == 0) {
        return;
    }
    buffer_append_string(out,
                         "<section class=\"next\" aria-label=\"Next\">\n<h2>Next</h2>\n<ul>\n");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, "<li>");
        append_sentence(steps[i], out);
        buffer_append_string(out, "</li>\n");
    }
    buffer_append_string(out, "</ul>\n</section>\n");
}

static void append_promises(const struct report *report, struct buffer *out)
{
    buffer_append_string(out, "<dl class=\"promises\">\n<div><dt>Guarantee: ");
    report_html(out, report->guarantee == NULL ? "–" : report->guarantee);
    buffer_format(out, "</dt><dd>%s</dd></div>\n<div><dt>Snapshot</dt><dd>%s</dd></div>\n</dl>\n",
                  report_guarantee_text(report), report_snapshot_text(report));
}

static void append_plan(const struct report *report, struct buffer *out)
{
    if (report->plan == NULL) {
        buffer_append_string(out, "<p class=\"quiet\">A plain copy, without a plan.</p>\n");
        return;
    }
    buffer_append_string(out, "<details><summary>The plan</summary><pre class=\"plan\">");
    report_html(out, report->plan);
    buffer_append_string(out, "</pre>");
    buffer_append_string(out, report->plan_clipped
                                  ? "<p class=\"quiet\">Cut short here; plan.yaml has "
                                    "all of it.</p>"
                                  : "");
    buffer_append_string(out, "</details>\n");
}

struct section {
    const char *name;
    const char *title;
    void (*append)(const struct report *report, struct buffer *out);
};

static const struct section sections[] = {
    {"moved", "What moved", report_append_entities},
    {"time", "Throughput", report_append_chart},
    {"chunks", "Chunks", report_append_map},
    {"slowest", "What took longest", report_append_slowest},
    {"rejects", "Rejects", report_append_rejects},
    {"warnings", "Warnings", report_append_warnings},
    {"validation", "Validation", report_append_validation},
    {"promises", "What was promised", append_promises},
    {"attempts", "Attempts, retries, throttling", report_append_attempts},
    {"settings", "Version and settings", report_append_settings},
    {"plan", "Plan", append_plan}};

void report_append_html(const struct report *report, struct buffer *out)
{
    append_head(report, out);
    append_title(report, out);
    buffer_append_string(out, "<main>\n");
    append_tiles(report, out);
    report_append_repair(report, out);
    report_append_left_sum(report, out);
    append_steps(report, out);
    report_append_left(report, out);
    report_append_rights(report, out);
    report_append_follow(report, out);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        buffer_format(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n",
                      sections[i].name, sections[i].name, sections[i].title);
        sections[i].append(report, out);
        buffer_append_string(out, "</section>\n");
    }
    buffer_append_string(out, "</main>\n<footer><p>Made from the state folder of run <code>");
    report_html(out, report->run);
    buffer_append_string(out,
                         "</code>; report.json has the same for programs.</p></footer>\n</body>\n"
                         "</html>\n");
}
