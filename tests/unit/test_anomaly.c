/* Windows, bands, bounds and the book of alerts, against what can be worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "observe/alert/alert_book.h"
#include "observe/anomaly/anomaly_detector.h"
#include "observe/anomaly/anomaly_monitor.h"
#include "observe/anomaly/anomaly_ratio.h"

static void assert_near(double found, double expected)
{
    if (fabs(found - expected) > 1e-4 * fmax(1, fabs(expected))) {
        fail_msg("%g is not %g", found, expected);
    }
}

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

/* Median and spread of the last seven numbers, against sorting them each time. */
static void test_window(void **state)
{
    (void)state;
    enum { KEPT = 7, COUNT = 400 };
    struct anomaly_window window;
    float numbers[COUNT];
    uint32_t random = 1;
    anomaly_window_init(&window, KEPT);
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525 + 1013904223;
        numbers[i] = (float)(random >> 24) / 8; /* some are equal */
        anomaly_window_add(&window, numbers[i]);
        anomaly_window_add(&window, NAN);
        if (i + 1 >= KEPT) {
            float last[KEPT];
            float far[KEPT];
            memcpy(last, &numbers[i + 1 - KEPT], sizeof(last));
            qsort(last, KEPT, sizeof(last[0]), compare);
            for (int k = 0; k < KEPT; k++) {
                far[k] = fabsf(last[k] - last[KEPT / 2]);
            }
            qsort(far, KEPT, sizeof(far[0]), compare);
            assert_near(anomaly_window_quantile(&window, 0.5), last[KEPT / 2]);
            assert_near(anomaly_window_quantile(&window, 0), last[0]);
            assert_near(anomaly_window_quantile(&window, 1), last[KEPT - 1]);
            assert_near(anomaly_window_spread(&window, last[KEPT / 2]), 1.4826 * far[KEPT / 2]);
        }
    }
    anomaly_window_clear(&window);
    assert_near(anomaly_window_spread(&window, 0), 0);
    anomaly_window_free(&window);
}

/* From tables of the interval: 1 of 10 and 0 of 20 at 95 %. */
static void test_wilson(void **state)
{
    (void)state;
    double low;
    double high;
    anomaly_wilson(1, 10, 1.959964, &low, &high);
    assert_near(low, 0.017876);
    assert_near(high, 0.404150);
    anomaly_wilson(0, 20, 1.959964, &low, &high);
    assert_near(low, 0);
    assert_near(high, 0.161125);
    anomaly_wilson(0, 0, 1.959964, &low, &high);
    assert_near(high, 1);
}

static void test_poisson(void **state)
{
    (void)state;
    struct anomaly_poisson poisson = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(anomaly_poisson_feed(&poisson, i % 5 == 0 ? 1 : 0, 0.2, 4, 10) < 0.2);
    }
    int seconds = 0;
    while (anomaly_poisson_feed(&poisson, 2, 0.2, 4, 10) < 1) {
        seconds++;
    }
    assert_in_range(seconds, 4, 10);
}

static const struct anomaly_options options = {
    .window = 100,
    .least = 20,
    .gap = 5,
    .limit = {[ANOMALY_ROBUST_Z] = 5, [ANOMALY_EWMA] = 5, [ANOMALY_JUMPS] = 8},
    .weight = {[ANOMALY_ROBUST_Z] = 1, [ANOMALY_EWMA] = 0.2, [ANOMALY_JUMPS] = 0.3},
    .floor = 0.1,
    .cusum_slack = 0.5,
    .cusum_limit = 10,
};

static double wave(int i)
{
    static const double numbers[] = {0, 0.3, -0.2, 0.1, -0.3, 0.2, -0.1};
    return 10 + numbers[i % 7];
}

static void test_detector(void **state)
{
    (void)state;
    struct anomaly_detector detector;
    struct anomaly_verdict verdict;
    anomaly_detector_init(&detector, &options);
    for (int i = 0; i < 24; i++) {
        anomaly_detector_feed(&detector, wave(i), true, &verdict);
        assert_near(verdict.score, 0); /* 20 and the gap come first */
    }
    for (int i = 24; i < 300; i++) {
        anomaly_detector_feed(&detector, wave(i), true, &verdict);
        assert_true(fabs(verdict.score) < 1);
    }
    assert_near(verdict.center, 10);
    anomaly_detector_feed(&detector, 20, false, &verdict);
    assert_int_equal(verdict.method, ANOMALY_ROBUST_Z);
    assert_true(verdict.score > 1 && verdict.high < 20);
    anomaly_detector_feed(&detector, 0, false, &verdict);
    assert_true(verdict.scores[ANOMALY_ROBUST_Z] < -1);
    anomaly_detector_clear(&detector);
    anomaly_detector_feed(&detector, 20, true, &verdict);
    assert_near(verdict.score, 0);
    anomaly_detector_free(&detector);
}

/* A shift that no single number shows. */
static void test_cusum(void **state)
{
    (void)state;
    struct anomaly_detector detector;
    struct anomaly_verdict verdict;
    int seconds = 0;
    anomaly_detector_init(&detector, &options);
    for (int i = 0; i < 200; i++) {
        anomaly_detector_feed(&detector, wave(i), true, &verdict);
    }
    do {
        anomaly_detector_feed(&detector, wave(seconds) - 0.5, false, &verdict);
        assert_true(fabs(verdict.scores[ANOMALY_ROBUST_Z]) < 1);
        seconds++;
    } while (verdict.scores[ANOMALY_CUSUM] > -1 && seconds < 100);
    assert_in_range(seconds, 5, 40);
    anomaly_detector_free(&detector);
}

/* ---- stalls */

static void note_stall(void *context, const struct anomaly_finding *finding)
{
    int64_t *began_ms = context;
    if (finding->check == ANOMALY_PROGRESS_STALL && !finding->ended) {
        *began_ms = finding->at_ms;
    }
}

/* When a stall is told of a run that moved for `moving_s` seconds, with that --stall. */
static int64_t stall_after(int64_t moving_s, int64_t stall_ms)
{
    int64_t began_ms = 0;
    struct anomaly_monitor *monitor = anomaly_monitor_create(note_stall, &began_ms);
    struct anomaly_sample sample = {.moves = true, .lag_seconds = -1, .retention_seconds = -1};
    sample.stall_ms = stall_ms;
    for (int64_t second = 1; second < 200; second++) {
        sample.at_ms = second * 1000;
        sample.records += second <= moving_s ? 1000 : 0;
        anomaly_monitor_feed(monitor, &sample);
        assert_int_equal(anomaly_monitor_is_active(monitor, ANOMALY_PROGRESS_STALL), began_ms != 0);
    }
    anomaly_monitor_destroy(monitor);
    return began_ms / 1000 - moving_s;
}

static void test_stalls_begin_when_the_option_says_or_before(void **state)
{
    (void)state;
    assert_int_equal(stall_after(20, 0), 15);
    assert_int_equal(stall_after(3, 0), 60);
    assert_int_equal(stall_after(3, 60000), 60);
    assert_int_equal(stall_after(20, 60000), 15);
    assert_int_equal(stall_after(20, 3000), 3);
    assert_int_equal(stall_after(3, 3000), 3);
}

/* ---- alerts */

#define SECOND INT64_C(1000000)

static struct alert_event event_of(enum event_kind kind, const char *code, bool lasts, bool ends,
                                   int64_t second)
{
    struct alert_event event = {.kind = kind,
                                .level = ends ? LOG_INFO : LOG_WARNING,
                                .lasts = lasts,
                                .ends = ends,
                                .at_us = second * SECOND};
    snprintf(event.code, sizeof(event.code), "%s", code);
    return event;
}

static const char *const patterns[] = {"throughput.*"};
static const struct alert_receiver receivers[] = {
    {.name = "all",
     .kinds = 1u << EVENT_ANOMALY | 1u << EVENT_STALL | 1u << EVENT_RUN,
     .level = LOG_WARNING,
     .resolved = true,
     .group_ms = 5000,
     .repeat_ms = 600000},
    {.name = "speed",
     .kinds = 1u << EVENT_ANOMALY,
     .codes = patterns,
     .code_count = 1,
     .level = LOG_WARNING,
     .group_ms = 0},
};

static void take(struct alert_book *book, struct alert_event event)
{
    alert_book_take(book, &event);
}

static void assert_batch(struct alert_book *book, int64_t second, uint32_t receiver, uint32_t count,
                         bool firing)
{
    struct alert_batch batch;
    assert_true(alert_book_next(book, second * SECOND, false, &batch));
    assert_int_equal(batch.receiver, receiver);
    assert_int_equal(batch.count, count);
    assert_int_equal(batch.firing, firing);
}

static void assert_nothing(struct alert_book *book, int64_t second)
{
    struct alert_batch batch;
    assert_false(alert_book_next(book, second * SECOND, false, &batch));
}

static void test_alerts_are_grouped_repeated_and_resolved(void **state)
{
    (void)state;
    struct alert_book *book = alert_book_create(receivers, 2);
    take(book, event_of(EVENT_ANOMALY, "throughput.slow", true, false, 1000));
    assert_batch(book, 1000, 1, 1, true);
    take(book, event_of(EVENT_ANOMALY, "memory.bound", true, false, 1002));
    take(book, event_of(EVENT_ANOMALY, "memory.bound", true, false, 1003)); /* known */
    assert_nothing(book, 1004);
    assert_int_equal(alert_book_due_us(book, 1004 * SECOND), 1005 * SECOND);
    assert_batch(book, 1005, 0, 2, true);
    assert_nothing(book, 1600);
    assert_batch(book, 1605, 0, 2, true); /* again */
    take(book, event_of(EVENT_ANOMALY, "memory.bound", true, true, 1700));
    assert_batch(book, 1706, 0, 1, false);
    take(book, event_of(EVENT_RUN, "completed", false, false, 1800)); /* ends the other one */
    assert_batch(book, 1806, 0, 2, true); /* its level here is a warning's */
    alert_book_destroy(book);
}

static void test_a_clock_that_goes_back(void **state)
{
    (void)state;
    struct alert_book *book = alert_book_create(receivers, 1);
    take(book, event_of(EVENT_ANOMALY, "memory.bound", true, false, 9000));
    assert_nothing(book, 9001);
    assert_nothing(book, 2000);
    assert_int_equal(alert_book_due_us(book, 2000 * SECOND), 2005 * SECOND);
    assert_batch(book, 2005, 0, 1, true);
    assert_nothing(book, 1000);
    assert_batch(book, 1600, 0, 1, true); /* again */
    alert_book_destroy(book);
}

static void test_alerts_that_fail_come_again(void **state)
{
    (void)state;
    struct alert_batch batch;
    struct alert_book *book = alert_book_create(receivers, 1);
    take(book, event_of(EVENT_STALL, "", false, false, 10));
    assert_true(alert_book_next(book, 20 * SECOND, false, &batch));
    alert_book_put_back(book, &batch, 20 * SECOND);
    assert_nothing(book, 49);
    assert_batch(book, 50, 0, 1, true);
    assert_nothing(book, 310);
    assert_batch(book, 315, 0, 1, false); /* over: it did not happen again for five minutes */
    take(book, event_of(EVENT_STALL, "", false, false, 400));
    assert_true(alert_book_next(book, 400 * SECOND, true, &batch)); /* the last chance */
    alert_book_destroy(book);
}

static void test_alerts_are_bounded(void **state)
{
    (void)state;
    struct alert_batch batch;
    struct alert_book *book = alert_book_create(receivers, 1);
    for (int i = 0; i < 1000; i++) {
        char code[16];
        snprintf(code, sizeof(code), "x.%d", i);
        take(book, event_of(EVENT_ANOMALY, code, true, false, 10));
    }
    assert_true(alert_book_next(book, 20 * SECOND, false, &batch));
    assert_int_equal(batch.count, ALERT_COUNT_MAX);
    alert_book_destroy(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_detector),
        cmocka_unit_test(test_cusum),
        cmocka_unit_test(test_stalls_begin_when_the_option_says_or_before),
        cmocka_unit_test(test_alerts_are_grouped_repeated_and_resolved),
        cmocka_unit_test(test_a_clock_that_goes_back),
        cmocka_unit_test(test_alerts_that_fail_come_again),
        cmocka_unit_test(test_alerts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
