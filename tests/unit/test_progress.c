/* Progress: rates, lines, JSON, bars cut to the terminal, the end table; and text tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "observe/progress_view.h"
#include "observe/table.h"

struct fixture {
    struct progress_entity entities[3];
    struct progress progress;
    struct progress_meter meter;
    struct progress_view view;
    struct buffer out;
};

static void set_up(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->entities[0] =
        (struct progress_entity){.name = "customer", .table = "orders", .total = 100};
    fixture->entities[1] =
        (struct progress_entity){.name = "Größe\n\x1b[2J", .table = "orders", .total = 300};
    fixture->entities[2] = (struct progress_entity){.name = "空港", .table = "b", .total = 600};
    fixture->progress.entities = fixture->entities;
    fixture->progress.entity_count = 3;
    fixture->progress.chunks_total = 7;
    fixture->progress.started_ms = 1000;
}

static void take(struct fixture *fixture, int64_t now_ms)
{
    progress_view_take(&fixture->progress, &fixture->meter, now_ms, &fixture->view);
}

static const char *text(struct fixture *fixture)
{
    return buffer_string(&fixture->out);
}

static void test_before_the_copy_entities_are_not_read(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.progress.entities = NULL; /* as while a run is being opened */
    take(&fixture, 3000);
    assert_int_equal(fixture.view.total, -1);
    progress_append_line(&fixture.view, &fixture.out);
    assert_string_equal(text(&fixture), "connect: for 2.0s");
    progress_append_json(&fixture.progress, &fixture.view, &fixture.out);
    fixture.progress.started_ms = 0; /* the display may look before the run has a clock */
    take(&fixture, 3000);
    assert_true(fixture.view.seconds < 1e-9);
    buffer_free(&fixture.out);
}

static void test_rate_and_time_left(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    for (int second = 1; second <= 5; second++) {
        fixture.entities[2].written += 50;
        fixture.entities[2].bytes += 5000;
        take(&fixture, 2000 + second * 1000);
    }
    assert_true(fixture.view.records_per_second > 49.9 && fixture.view.records_per_second < 50.1);
    assert_true(fixture.view.bytes_per_second > 4999 && fixture.view.bytes_per_second < 5001);
    assert_true(fixture.view.seconds_left > 14.9 && fixture.view.seconds_left < 15.1);
    progress_append_line(&fixture.view, &fixture.out);
    assert_string_equal(text(&fixture), "copy: 25.0% 250 of 1,000 records, 50/s, 24.4 KiB, "
                                        "0 rejected, 15s left, after 6.0s");
    static const double left[] = {
        [PROGRESS_INDEXES] = -1, [PROGRESS_SETTLE] = -1, [PROGRESS_COUNT] = -1,
        [PROGRESS_COMPARE] = -1, [PROGRESS_UNDO] = -1,   [PROGRESS_FOLLOW] = -1,
        [PROGRESS_DONE] = 0};
    for (int phase = PROGRESS_INDEXES; phase <= PROGRESS_DONE; phase++) {
        fixture.progress.phase = phase;
        take(&fixture, 7000);
        assert_true(fixture.view.seconds_left == left[phase]);
    }
    buffer_free(&fixture.out);
}

/* How many records a `where` leaves is not known, but how much of the source is read. */
static void test_filtered_entities_go_by_what_is_read(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[2].total = -1;
    fixture.entities[2].rows = 600;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    for (int second = 1; second <= 5; second++) {
        fixture.entities[2].read += 60;
        fixture.entities[2].written += 1;
        take(&fixture, 2000 + second * 1000);
    }
    assert_int_equal(fixture.view.total, -1);
    assert_true(fixture.view.part > 0.299 && fixture.view.part < 0.301);
    assert_true(fixture.view.seconds_left > 11.5 && fixture.view.seconds_left < 11.8);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), "copy: 30.0% 5 records, 1/s"));
    buffer_free(&fixture.out);
}

/* Each thread has a place of its own: that one has waited enough is no news of the others. */
static void test_several_wait_and_both_sides_throttle(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.progress.phase = PROGRESS_COPY;
    fixture.progress.worker_count = 3;
    fixture.progress.workers[0].waits_until_ms = 9000;
    fixture.progress.workers[2].waits_until_ms = 5000;
    take(&fixture, 2000);
    assert_int_equal(fixture.view.waiting_ms, 7000);
    fixture.progress.workers[0].waits_until_ms = 0;
    take(&fixture, 2000);
    assert_int_equal(fixture.view.waiting_ms, 3000);
    fixture.progress.target.throttled_ms = 130000;
    fixture.progress.target.milliunits = 1500;
    take(&fixture, 2000);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), ", waiting to try again, throttled by the target for "));
    assert_null(strstr(text(&fixture), "by the source"));
    buffer_clear(&fixture.out);
    fixture.progress.source.throttled_ms = 4000;
    take(&fixture, 2000);
    progress_append_json(&fixture.progress, &fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), "\"source_throttled_milliseconds\":4000,"
                                           "\"target_throttled_milliseconds\":130000,"
                                           "\"read_units\":0.000,\"write_units\":1.500"));
    buffer_free(&fixture.out);
}

/* What the target pulls itself counts before its chunk is done. */
static void test_what_is_pulled_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    uint64_t done = fixture.view.done;
    fixture.entities[2].pulled = 100;
    take(&fixture, 3000);
    assert_int_equal(fixture.view.done, done + 100);
    assert_int_equal(fixture.view.written, done);
    assert_true(fixture.view.records_per_second > 99 && fixture.view.records_per_second < 101);
}

/* A resume begins with what earlier attempts did: that is no speed of this one. */
static void test_earlier_attempts_are_not_part_of_the_rate(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[2].written = 500;
    fixture.progress.written_before = 500;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    fixture.entities[2].written += 10;
    take(&fixture, 3000);
    assert_true(fixture.view.records_per_second > 9.9 && fixture.view.records_per_second < 10.1);
    progress_view_average(&fixture.progress, &fixture.view);
    assert_true(fixture.view.records_per_second > 4.9 && fixture.view.records_per_second < 5.1);
    assert_int_equal(fixture.view.done, 510);
}

static void test_an_unknown_total_is_measured_by_chunks(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[1].total = -1;
    fixture.entities[1].rows = -1;
    fixture.entities[0].written = 1;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    assert_int_equal(fixture.view.total, -1);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), "copy: 0.0% 1 records"));
    fixture.progress.chunks_done = 7;
    take(&fixture, 2500);
    buffer_clear(&fixture.out);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), "copy: 100.0% 1 records"));
    fixture.progress.chunks_total = 0;
    take(&fixture, 2600);
    buffer_clear(&fixture.out);
    progress_append_line(&fixture.view, &fixture.out);
    assert_null(strchr(text(&fixture), '%'));
    assert_null(strstr(text(&fixture), " of "));
    buffer_free(&fixture.out);
}

/* 999 of 1,000 is not 100 %; more than was expected is. */
static void test_percent_is_whole_only_at_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[2].total = 999999600;
    fixture.entities[2].written = 999999999;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), " 99.9% "));
    buffer_clear(&fixture.out);
    fixture.entities[2].written = 2000000000;
    take(&fixture, 2100);
    progress_append_line(&fixture.view, &fixture.out);
    assert_non_null(strstr(text(&fixture), " 100.0% "));
    buffer_free(&fixture.out);
}

static void test_json_holds_what_names_hold(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[1].rejected = 3;
    fixture.entities[1].total = -1;
    fixture.entities[1].rows = -1;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    progress_append_json(&fixture.progress, &fixture.view, &fixture.out);
    assert_int_equal(fixture.out.data[fixture.out.length - 1], '\n');
    assert_ptr_equal(strchr(text(&fixture), '\n'), fixture.out.data + fixture.out.length - 1);
    json_t *object = json_loads(text(&fixture), 0, NULL);
    assert_non_null(object);
    assert_int_equal(json_integer_value(json_object_get(object, "format")), 1);
    assert_string_equal(json_string_value(json_object_get(object, "phase")), "copy");
    assert_true(json_is_null(json_object_get(object, "total")));
    const json_t *entities = json_object_get(object, "entities");
    assert_int_equal(json_array_size(entities), 3);
    const json_t *second = json_array_get(entities, 1);
    assert_int_equal(json_integer_value(json_object_get(second, "rejected")), 3);
    assert_true(json_is_null(json_object_get(second, "total")));
    json_decref(object);
    buffer_free(&fixture.out);
}

static void append_bars(struct fixture *fixture, uint32_t columns, uint32_t rows, bool color)
{
    struct progress_frame frame = {
        .columns = columns, .rows = rows, .color = color, .unicode = true};
    buffer_clear(&fixture->out);
    progress_append_bars(&fixture->progress, &fixture->view, &frame, &fixture->out);
}

/* Of every line without its escape sequences. */
static uint32_t widest_line(const char *lines)
{
    uint32_t widest = 0;
    while (*lines != '\0') {
        char plain[2000];
        size_t length = 0;
        for (; *lines != '\n'; lines++) {
            if (*lines == '\x1b') {
                lines += strcspn(lines, "m");
            } else {
                plain[length++] = *lines;
            }
        }
        plain[length] = '\0';
        lines++;
        uint32_t width = table_text_width(plain);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static uint32_t count_lines(const char *lines)
{
    uint32_t count = 0;
    for (; *lines != '\0'; lines++) {
        count += *lines == '\n';
    }
    return count;
}

static void test_bars_fit_the_terminal(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    for (int i = 0; i < 3; i++) {
        fixture.entities[i].written = 50;
    }
    fixture.progress.phase = PROGRESS_COPY;
    fixture.progress.doing = "something that takes a very long time and needs many words to tell";
    take(&fixture, 2000);
    for (uint32_t columns = 1; columns <= 250; columns++) {
        append_bars(&fixture, columns, 12, columns % 2 == 0);
        assert_true(widest_line(text(&fixture)) <= columns);
        assert_int_equal(count_lines(text(&fixture)), 4);
    }
    append_bars(&fixture, 80, 2, false);
    assert_int_equal(count_lines(text(&fixture)), 2);
    append_bars(&fixture, 250, 12, false);
    assert_null(strchr(text(&fixture), '\x1b')); /* names can't steer the terminal */
    assert_non_null(strstr(text(&fixture), "Größe"));
    buffer_free(&fixture.out);
}

static void test_finished_entities_leave_the_bars(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[0].written = 99;
    fixture.entities[0].rejected = 1;
    fixture.entities[1].written = 1;
    fixture.progress.phase = PROGRESS_COPY;
    take(&fixture, 2000);
    append_bars(&fixture, 100, 12, false);
    assert_int_equal(count_lines(text(&fixture)), 2);
    assert_null(strstr(text(&fixture), "customer"));
    buffer_free(&fixture.out);
}

static void test_end_table(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    fixture.entities[0] = (struct progress_entity){.name = "customer",
                                                   .table = "orders",
                                                   .total = 100,
                                                   .read = 100,
                                                   .written = 97,
                                                   .rejected = 2,
                                                   .skipped = 1,
                                                   .bytes = 2048,
                                                   .first_ms = 1000,
                                                   .last_ms = 2500};
    progress_append_table(&fixture.progress, 2.04, false, 0, &fixture.out);
    assert_non_null(strstr(text(&fixture), "customer"));
    assert_non_null(strstr(text(&fixture), "2.0 KiB"));
    assert_non_null(strstr(text(&fixture), " 1.5\n"));
    assert_non_null(strstr(text(&fixture), " 2.0\n"));
    assert_null(strchr(text(&fixture), '\x1b'));
    assert_int_equal(count_lines(text(&fixture)), 6); /* titles, three, rule, total */
    buffer_free(&fixture.out);
}

static void count_second(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

/* A thread that only counts, started and stopped. */
static void test_display_calls_every_second(void **state)
{
    (void)state;
    struct fixture fixture;
    atomic_int seconds = 0;
    struct progress_display *display = NULL;
    struct error error = {0};
    set_up(&fixture);
    fixture.progress.started_ms = clock_monotonic_ms();
    fixture.progress.phase = PROGRESS_COPY;
    assert_int_equal(progress_display_start(&fixture.progress, PROGRESS_NONE, false, count_second,
                                            &seconds, &display, &error),
                     STATUS_OK);
    clock_sleep_ms(300);
    atomic_fetch_add(&fixture.entities[1].written, 10);
    int64_t deadline_ms = clock_monotonic_ms() + 10000;
    while (atomic_load(&seconds) < 2 && clock_monotonic_ms() < deadline_ms) {
        clock_sleep_ms(20);
    }
    atomic_fetch_add(&fixture.entities[1].written, 10);
    progress_display_stop(display);
    assert_true(atomic_load(&seconds) >= 2);
    assert_true(fixture.entities[1].first_ms > 0);
    assert_true(fixture.entities[1].last_ms - fixture.entities[1].first_ms >= 1000);
    assert_int_equal(fixture.entities[0].first_ms, 0);
    progress_display_stop(NULL);
}

static void test_table_pads_by_width(void **state)
{
    (void)state;
    static const char *const titles[] = {"name", ">n", "note", NULL};
    struct buffer out = {0};
    struct table *table = table_create(titles);
    table_add_text(table, "空港");
    table_add_count(table, 1234567);
    table_add_text(table, "a\nb");
    table_add_text(table, "x");
    table_add_count(table, -1);
    table_add_text(table, "");
    table_append(table, false, &out);
    assert_string_equal(buffer_string(&out), "name          n  note\n"
                                             "空港  1,234,567  a\\nb\n"
                                             "x             ?\n");
    table_destroy(table);
    buffer_free(&out);
}

static void test_lag_goes_by_the_clock_of_the_source(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture);
    struct progress_follow *follow = &fixture.progress.follow;
    const int64_t now_us = INT64_C(1000) * 1000000;
    assert_true(progress_follow_lag_seconds(follow, now_us) < 0);
    progress_follow_begin(follow);
    assert_true(progress_follow_lag_seconds(follow, now_us) < 0); /* nothing was applied */
    follow->clock_us = -900 * INT64_C(1000000);
    follow->commit_time_us = 98 * INT64_C(1000000); /* two seconds ago, there */
    assert_true(progress_follow_lag_seconds(follow, now_us) == 2);
    follow->idle = true;
    assert_true(progress_follow_lag_seconds(follow, now_us) == 0);
    buffer_free(&fixture.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_copy_entities_are_not_read),
        cmocka_unit_test(test_rate_and_time_left),
        cmocka_unit_test(test_filtered_entities_go_by_what_is_read),
        cmocka_unit_test(test_several_wait_and_both_sides_throttle),
        cmocka_unit_test(test_what_is_pulled_counts),
        cmocka_unit_test(test_earlier_attempts_are_not_part_of_the_rate),
        cmocka_unit_test(test_an_unknown_total_is_measured_by_chunks),
        cmocka_unit_test(test_percent_is_whole_only_at_the_end),
        cmocka_unit_test(test_json_holds_what_names_hold),
        cmocka_unit_test(test_bars_fit_the_terminal),
        cmocka_unit_test(test_finished_entities_leave_the_bars),
        cmocka_unit_test(test_end_table),
        cmocka_unit_test(test_lag_goes_by_the_clock_of_the_source),
        cmocka_unit_test(test_display_calls_every_second),
        cmocka_unit_test(test_table_pads_by_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
