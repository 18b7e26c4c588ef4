/*
 * Throughput over time. Time runs while the run does: pauses between its attempts are left out. The
 * picture is stretched to the page's width, so that its labels are text beside it, not in it.
 */
#include "observe/report_parts.h"

#include "base/text.h"

enum { BINS = 160, HEIGHT = 100, PHASES = PROGRESS_DONE + 1 };

struct chart {
    double seconds;
    double records[BINS]; /* done in each part of the time, rejected and skipped ones too */
    double bytes[BINS];
    double phases[PHASES]; /* seconds in each */
    double resumed[16];    /* when attempts but the first began */
    uint32_t resumed_count;
};

static double span_seconds(const struct metrics_sample *from, const struct metrics_sample *to)
{
    return from->attempt == to->attempt && to->at_ms > from->at_ms
               ? (double)(to->at_ms - from->at_ms) / 1000
               : 0;
}

static double gained(uint64_t before, uint64_t after)
{
    return after > before ? (double)(after - before) : 0;
}

/* Spreads what came between two samples evenly over the parts of time between them. */
static void spread(struct chart *chart, double from, double to, double records, double bytes)
{
    double width = chart->seconds / BINS;
    for (uint32_t bin = (uint32_t)(from / width); bin < BINS && bin * width < to; bin++) {
        double start = bin * width > from ? bin * width : from;
        double end = (bin + 1) * width < to ? (bin + 1) * width : to;
        double part = end > start ? (end - start) / (to - from) : 0;
        chart->records[bin] += records * part;
        chart->bytes[bin] += bytes * part;
    }
}

static void report_chart_measure(const struct report *report, struct chart *chart)
{
    double now = 0;
    for (uint32_t i = 1; i < report->sample_count; i++) {
        chart->seconds += span_seconds(&report->samples[i - 1], &report->samples[i]);
    }
    for (uint32_t i = 1; i < report->sample_count && chart->seconds > 0; i++) {
        const struct metrics_sample *from = &report->samples[i - 1];
        const struct metrics_sample *to = &report->samples[i];
        double seconds = span_seconds(from, to);
        if (from->attempt != to->attempt && chart->resumed_count < 16) {
            chart->resumed[chart->resumed_count++] = now;
        }
        if (seconds <= 0) {
            continue;
        }
        double records = gained(from->written + from->rejected + from->skipped,
                                to->written + to->rejected + to->skipped);
        spread(chart, now, now + seconds, records, gained(from->bytes, to->bytes));
        if (from->phase >= 0 && from->phase < PHASES) {
            chart->phases[from->phase] += seconds;
        }
        now += seconds;
    }
}

/* 1, 2 or 5 times a power of ten (of bytes: of their unit), at or above the value: an axis's end.
 */
static double nice_above(double value, bool is_bytes)
{
    double power = 1;
    while (is_bytes && value >= 1024 * power) {
        power *= 1024;
    }
    while (power * 10 <= value) {
        power *= 10;
    }
    return value <= power       ? power
           : value <= 2 * power ? 2 * power
           : value <= 5 * power ? 5 * power
                                : 10 * power;
}

static void append_area(const struct chart *chart, const double *amounts, double most,
                        struct buffer *out)
{
    double width = chart->seconds / BINS;
    buffer_format(out, "<path class=\"area\" d=\"M0 %d", HEIGHT);
    for (uint32_t i = 0; i < BINS; i++) {
        double height = amounts[i] / width / most * HEIGHT;
        buffer_format(out, "V%.1fH%u", HEIGHT - height, (unsigned)(i + 1));
    }
    buffer_format(out, "V%dZ\"/>", HEIGHT);
}

static void append_picture(const struct chart *chart, const double *amounts, double most,
                           const char *title, struct buffer *out)
{
    buffer_format(
        out,
        "<svg class=\"chart\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
        "aria-label=\"%s\"><path class=\"grid\" d=\"M0 0H%dM0 50H%d\"/>",
        BINS, HEIGHT, title, BINS, BINS);
    append_area(chart, amounts, most, out);
    for (uint32_t i = 0; i < chart->resumed_count; i++) {
        buffer_format(out, "<path class=\"resumed\" d=\"M%.2f 0V%d\"/>",
                      chart->resumed[i] / chart->seconds * BINS, HEIGHT);
    }
    buffer_append_string(out, "</svg>");
}

static double highest(const struct chart *chart, const double *amounts, bool is_bytes)
{
    double most = 0;
    for (uint32_t i = 0; i < BINS; i++) {
        most = amounts[i] > most ? amounts[i] : most;
    }
    return nice_above(most / (chart->seconds / BINS), is_bytes);
}

static void append_label(double amount, bool is_bytes, struct buffer *out)
{
    if (is_bytes) {
        report_append_bytes(out, (uint64_t)amount);
    } else {
        report_append_count(out, (uint64_t)amount);
    }
    buffer_append_string(out, "/s");
}

static void append_figure(const struct chart *chart, const double *amounts, bool is_bytes,
                          struct buffer *out)
{
    double most = highest(chart, amounts, is_bytes);
    const char *what = is_bytes ? "Bytes a second" : "Records a second";
    buffer_format(out,
                  "<figure><figcaption>%s</figcaption><div class=\"plot\"><div class=\"y\"><span>",
                  what);
    append_label(most, is_bytes, out);
    buffer_append_string(out, "</span><span>");
    append_label(most / 2, is_bytes, out);
    buffer_append_string(out, "</span><span>0</span></div>");
    struct buffer title = {0};
    buffer_format(&title, "%s over ", what);
    report_append_seconds(&title, chart->seconds);
    append_picture(chart, amounts, most, buffer_string(&title), out);
    buffer_free(&title);
    buffer_append_string(out, "<div class=\"x\"><span>0</span><span>");
    report_append_seconds(out, chart->seconds / 2);
    buffer_append_string(out, "</span><span>");
    report_append_seconds(out, chart->seconds);
    buffer_append_string(out, "</span></div></div></figure>\n");
}

static void append_phases(const struct chart *chart, struct buffer *out)
{
    static const char *const meanings[PHASES] = {
        [PROGRESS_COPY] = "copying",      [PROGRESS_INDEXES] = "indexes and what else comes last",
        [PROGRESS_SETTLE] = "equal keys", [PROGRESS_COUNT] = "counting",
        [PROGRESS_COMPARE] = "comparing", [PROGRESS_UNDO] = "undoing",
        [PROGRESS_FOLLOW] = "following",  [PROGRESS_DONE] = "finishing"};
    buffer_append_string(out, "<p class=\"phases\">");
    for (int i = 0; i < PHASES; i++) {
        if (meanings[i] != NULL && chart->phases[i] >= 0.0005) {
            buffer_format(out, "<span><b>%s</b> ", meanings[i]);
            report_append_seconds(out, chart->phases[i]);
            buffer_append_string(out, "</span> ");
        }
    }
    buffer_append_string(out, "</p>\n");
}

void report_append_chart(const struct report *report, struct buffer *out)
{
    struct chart chart = {0};
    report_chart_measure(report, &chart);
    if (chart.seconds <= 0) {
        buffer_append_string(out, "<p class=\"quiet\">The run was too short to be measured, or its "
                                  "metrics are gone.</p>\n");
        return;
    }
    append_figure(&chart, chart.records, false, out);
    if (report->sum.bytes > 0) {
        append_figure(&chart, chart.bytes, true, out);
    }
    append_phases(&chart, out);
    if (chart.resumed_count > 0) {
        buffer_append_string(out,
                             "<p class=\"quiet\">Dashed lines: the run was resumed there; the time "
                             "between its attempts is left out.</p>\n");
    }
}
