/* Metrics: samples through the file and back, its bound, torn lines, several attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "observe/metrics.h"

struct fixture {
    char folder[256];
    char path[300];
    struct arena *arena;
    struct progress_entity entities[2];
    struct progress progress;
    struct metrics_sample *samples;
    uint32_t count;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/metrics-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/metrics.jsonl", fixture->folder);
    fixture->arena = arena_create(0);
    fixture->progress.entities = fixture->entities;
    fixture->progress.entity_count = 2;
    atomic_store(&fixture->progress.phase, PROGRESS_COPY);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    rmdir(fixture->folder);
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

static void read_back(struct fixture *fixture)
{
    struct error error;
    assert_int_equal(
        metrics_read(fixture->path, fixture->arena, &fixture->samples, &fixture->count, &error),
        STATUS_OK);
}

static void append(const struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->path, "ae");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Samples with `written` counting on. */
static void take_many(struct fixture *fixture, struct metrics *metrics, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        atomic_fetch_add(&fixture->entities[0].written, 3);
        atomic_fetch_add(&fixture->entities[1].written, 4);
        metrics_take(metrics, &fixture->progress, true);
    }
}

static void test_there_and_back(void **state)
{
    struct fixture *fixture = *state;
    struct metrics *metrics = metrics_open(fixture->path, 1);
    atomic_store(&fixture->entities[1].rejected, 2);
    atomic_store(&fixture->entities[0].skipped, 5);
    atomic_store(&fixture->entities[1].bytes, UINT64_C(5000000000));
    atomic_store(&fixture->progress.retries, 6);
    atomic_store(&fixture->progress.source.throttle_count, 7);
    atomic_store(&fixture->progress.target.throttle_count, 8);
    atomic_store(&fixture->progress.chunks_done, 9);
    take_many(fixture, metrics, 1);
    atomic_store(&fixture->progress.phase, PROGRESS_SETTLE);
    metrics_take(metrics, &fixture->progress, false); /* another phase: kept at once */
    metrics_take(metrics, &fixture->progress, false); /* too early */
    metrics_close(metrics);
    read_back(fixture);
    assert_int_equal(fixture->count, 2);
    const struct metrics_sample *sample = &fixture->samples[0];
    assert_int_equal(sample->attempt, 1);
    assert_int_equal(sample->phase, PROGRESS_COPY);
    assert_int_equal(sample->written, 7);
    assert_int_equal(sample->rejected, 2);
    assert_int_equal(sample->skipped, 5);
    assert_true(sample->bytes == UINT64_C(5000000000));
    assert_int_equal(sample->retries, 6);
    assert_int_equal(sample->throttled, 15);
    assert_int_equal(sample->chunks, 9);
    assert_int_equal(fixture->samples[1].phase, PROGRESS_SETTLE);
    struct stat facts;
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
}

static void test_before_the_copy_nothing_is_noted(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    struct metrics *metrics = metrics_open(fixture->path, 1);
    fixture->progress.entities = NULL;
    atomic_store(&fixture->progress.phase, PROGRESS_PREPARE);
    metrics_take(metrics, &fixture->progress, true);
    metrics_close(metrics);
    assert_int_equal(
        metrics_read(fixture->path, fixture->arena, &fixture->samples, &fixture->count, &error),
        STATUS_END);
}

/* However long a run is, the file stays small, whole and in order. */
static void test_bounded(void **state)
{
    struct fixture *fixture = *state;
    uint64_t last = 0;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        struct metrics *metrics = metrics_open(fixture->path, attempt);
        take_many(fixture, metrics, 2 * METRICS_SAMPLES_MAX + 17);
        metrics_close(metrics);
        read_back(fixture);
        assert_in_range(fixture->count, METRICS_SAMPLES_MAX / 2, METRICS_SAMPLES_MAX);
        last = (uint64_t)attempt * 7 * (2 * METRICS_SAMPLES_MAX + 17);
        assert_int_equal(fixture->samples[fixture->count - 1].written, last);
    }
    assert_int_equal(fixture->samples[0].written, 7);
    uint32_t attempts = 1;
    for (uint32_t i = 1; i < fixture->count; i++) {
        assert_true(fixture->samples[i].written > fixture->samples[i - 1].written);
        assert_true(fixture->samples[i].at_ms >= fixture->samples[i - 1].at_ms);
        attempts += fixture->samples[i].attempt != fixture->samples[i - 1].attempt;
    }
    assert_int_equal(attempts, 3);
    struct stat facts;
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_true(facts.st_size < METRICS_FILE_BYTES_MAX);
}

static void test_more_attempts_than_room(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t attempt = 1; attempt < METRICS_SAMPLES_MAX; attempt++) {
        char line[80];
        snprintf(line, sizeof(line), "{\"at\":%u,\"attempt\":%u,\"phase\":\"copy\"}\n",
                 (unsigned)attempt, (unsigned)attempt);
        append(fixture, line);
    }
    struct metrics *metrics = metrics_open(fixture->path, METRICS_SAMPLES_MAX);
    take_many(fixture, metrics, 5);
    metrics_close(metrics);
    read_back(fixture);
    assert_in_range(fixture->count, METRICS_SAMPLES_MAX / 4, METRICS_SAMPLES_MAX / 2 + 5);
    assert_int_equal(fixture->samples[fixture->count - 1].attempt, METRICS_SAMPLES_MAX);
}

static void test_lines_that_are_none(void **state)
{
    struct fixture *fixture = *state;
    append(fixture, "{\"at\":1,\"attempt\":1,\"phase\":\"copy\",\"written\":4}\n"
                    "nonsense\n[]\n{}\n{\"at\":-1,\"phase\":\"copy\"}\n{\"at\":\"2\"}\n"
                    "{\"at\":5,\"attempt\":1,\"phase\":\"of a later version\",\"written\":-3}\n"
                    "{\"at\":6,\"attempt\":1,\"phase\":\"copy\",\"wri");
    read_back(fixture);
    assert_int_equal(fixture->count, 2);
    assert_int_equal(fixture->samples[0].written, 4);
    assert_int_equal(fixture->samples[1].phase, -1);
    assert_int_equal(fixture->samples[1].written, 0);
    struct metrics *metrics = metrics_open(fixture->path, 2); /* the torn line goes */
    take_many(fixture, metrics, 1);
    metrics_close(metrics);
    read_back(fixture);
    assert_int_equal(fixture->count, 3);
    assert_int_equal(fixture->samples[2].attempt, 2);
}

static void test_a_folder_that_is_gone_fails_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct metrics *metrics = metrics_open("/nonexistent/folder/metrics.jsonl", 1);
    take_many(fixture, metrics, 3);
    metrics_close(metrics);
    metrics_take(NULL, &fixture->progress, true);
    metrics_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_before_the_copy_nothing_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_attempts_than_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_gone_fails_nothing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
