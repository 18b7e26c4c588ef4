/* The registry and its text: both formats, escapes, histograms, bounded labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/text.h"
#include "observe/metric/metric_registry.h"
#include "observe/metric/metric_text.h"

static void assert_text(struct metric_registry *registry, enum metric_format format,
                        const char *expected)
{
    struct buffer out = {0};
    metric_append(registry, format, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
}

static double read_number(const void *context)
{
    return *(const double *)context;
}

static void test_text(void **state)
{
    (void)state;
    static const double half = 0.5;
    static const double unknown = NAN;
    static const double endless = INFINITY;
    struct metric_registry *registry = metric_registry_create();
    struct metric_family *rows = metric_family_add(registry, METRIC_COUNTER, "x_rows_total", NULL,
                                                   "Rows, a \\ and\na line.");
    const struct metric_label labels[] = {{"table", "a\"b\\c\nd"}, {"stage", "read"}};
    atomic_store(metric_cell(rows, labels, 2), 9007199254740993);
    struct metric_family *ratio =
        metric_family_add(registry, METRIC_GAUGE, "x_done_ratio", "ratio", "Done.");
    metric_series_add(ratio, NULL, 0, read_number, &half);
    metric_series_add(ratio, labels, 1, read_number, &unknown);
    metric_series_add(ratio, labels + 1, 1, read_number, &endless);
    metric_family_add(registry, METRIC_GAUGE, "x_none", NULL, "Without a series.");
    assert_text(registry, METRIC_FORMAT_TEXT,
                "# HELP x_rows_total Rows, a \\\\ and\\na line.\n# TYPE x_rows_total counter\n"
                "x_rows_total{table=\"a\\\"b\\\\c\\nd\",stage=\"read\"} 9.00719925474099e+15\n"
                "# HELP x_done_ratio Done.\n# TYPE x_done_ratio gauge\nx_done_ratio 0.5\n"
                "x_done_ratio{stage=\"read\"} +Inf\n"
                "# HELP x_none Without a series.\n# TYPE x_none gauge\n");
    assert_text(registry, METRIC_FORMAT_OPENMETRICS,
                "# HELP x_rows Rows, a \\\\ and\\na line.\n# TYPE x_rows counter\n"
                "x_rows_total{table=\"a\\\"b\\\\c\\nd\",stage=\"read\"} 9.00719925474099e+15\n"
                "# HELP x_done_ratio Done.\n# TYPE x_done_ratio gauge\n# UNIT x_done_ratio ratio\n"
                "x_done_ratio 0.5\nx_done_ratio{stage=\"read\"} +Inf\n"
                "# HELP x_none Without a series.\n# TYPE x_none gauge\n# EOF\n");
    metric_registry_destroy(registry);
}

static void test_histogram(void **state)
{
    (void)state;
    static const double bounds[] = {0.1, 1};
    struct metric_registry *registry = metric_registry_create();
    struct metric_histogram *histogram = metric_histogram_add(
        metric_family_add(registry, METRIC_HISTOGRAM, "x_seconds", "seconds", "Times."), NULL, 0,
        bounds, 2);
    const double values[] = {0.1, 0.25, 1, 4};
    for (size_t i = 0; i < 4; i++) {
        metric_histogram_observe(histogram, values[i]);
    }
    assert_text(registry, METRIC_FORMAT_TEXT,
                "# HELP x_seconds Times.\n# TYPE x_seconds histogram\n"
                "x_seconds_bucket{le=\"0.1\"} 1\nx_seconds_bucket{le=\"1\"} 3\n"
                "x_seconds_bucket{le=\"+Inf\"} 4\nx_seconds_sum 5.35\nx_seconds_count 4\n");
    metric_registry_destroy(registry);
}

static void count_series(void *context, const struct metric_sample *sample)
{
    double *sums = context;
    if (sample->none) {
        assert_string_equal(sample->name, "y_total");
        return;
    }
    sums[0] += 1;
    sums[1] += sample->value;
    sums[2] += sample->first;
    sums[3] += strcmp(sample->labels[0].value, "other") == 0 ? sample->value : 0;
}

static void test_series_are_bounded(void **state)
{
    (void)state;
    struct metric_registry *registry = metric_registry_create();
    struct metric_family *family =
        metric_family_add(registry, METRIC_COUNTER, "x_total", NULL, "Codes.");
    for (int i = 0; i < 1000; i++) {
        char value[16];
        snprintf(value, sizeof(value), "code-%d", i % 500);
        const struct metric_label label = {"code", value};
        atomic_fetch_add(metric_cell(family, &label, 1), 1);
    }
    double sums[4] = {0};
    (void)metric_family_add(registry, METRIC_COUNTER, "y_total", NULL, "Without a series yet.");
    metric_registry_visit(registry, count_series, sums);
    assert_true(sums[0] == METRIC_SERIES_MAX + 1);
    assert_true(sums[1] == 1000);
    assert_true(sums[2] == 1);
    assert_true(sums[3] == 1000 - 2 * METRIC_SERIES_MAX);
    metric_registry_destroy(registry);
}

/* Names come from databases. Each value is UTF-8 and bounded, and two names stay two series. */
static void test_values_of_any_bytes(void **state)
{
    (void)state;
    char longer[2000];
    char values[4096] = "";
    struct metric_registry *registry = metric_registry_create();
    struct metric_family *family =
        metric_family_add(registry, METRIC_COUNTER, "x_total", NULL, "X.");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *const names[] = {"bad\xff", "bad\xfe", "bad\\xff", longer, longer + 1, "ä"};
    for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
        const struct metric_label label = {"table", names[i / 2]};
        atomic_fetch_add(metric_cell(family, &label, 1), 1);
    }
    struct buffer out = {0};
    metric_append(registry, METRIC_FORMAT_TEXT, &out);
    snprintf(values, sizeof(values), "%s", buffer_string(&out));
    assert_true(text_is_utf8(out.data, out.length));
    assert_true(out.length < 900);
    assert_non_null(strstr(values, "{table=\"bad\\\\xff\"} 2\n"));
    assert_non_null(strstr(values, "{table=\"bad\\\\xff~"));
    assert_non_null(strstr(values, "{table=\"bad\\\\xfe~"));
    assert_non_null(strstr(values, "{table=\"ä\"} 2\n"));
    size_t series = 0;
    for (const char *at = values; (at = strstr(at, "} 2\n")) != NULL; at++) {
        series++;
    }
    assert_int_equal(series, sizeof(names) / sizeof(names[0]));
    buffer_free(&out);
    metric_registry_destroy(registry);
}

static void test_accept(void **state)
{
    (void)state;
    assert_int_equal(metric_format_accepted(NULL), METRIC_FORMAT_TEXT);
    assert_int_equal(metric_format_accepted("text/plain;version=0.0.4"), METRIC_FORMAT_TEXT);
    assert_int_equal(
        metric_format_accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
        METRIC_FORMAT_OPENMETRICS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_series_are_bounded),
        cmocka_unit_test(test_values_of_any_bytes),
        cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
