/* The event stream: lines and numbers, its bounds in memory and in the file, torn files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "observe/event/event_json.h"
#include "observe/event/event_stream.h"

struct fixture {
    char folder[256];
    char path[300];
    struct event_stream *stream;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/events-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/events.jsonl", fixture->folder);
    fixture->stream = event_stream_create();
    log_set_stderr_level(LOG_ERROR);
    log_set_listener(event_stream_hear, fixture->stream);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    log_set_listener(NULL, NULL);
    event_stream_destroy(fixture->stream);
    unlink(fixture->path);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static void open_file(struct fixture *fixture)
{
    struct error error;
    assert_int_equal(event_stream_open(fixture->stream, fixture->path, &error), STATUS_OK);
}

static void close_file(struct fixture *fixture)
{
    uint64_t lost;
    event_stream_close(fixture->stream, &lost);
    assert_int_equal(lost, 0);
}

/* Each line is an object whose number is above that of the line before; the last number. */
static uint64_t check_file(const struct fixture *fixture, uint64_t *lines)
{
    char *line = NULL;
    size_t capacity = 0;
    uint64_t last = 0;
    FILE *file = fopen(fixture->path, "re");
    assert_non_null(file);
    *lines = 0;
    while (getline(&line, &capacity, file) > 0) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        uint64_t number = (uint64_t)json_integer_value(json_object_get(object, "number"));
        assert_true(number > last);
        last = number;
        (*lines)++;
        json_decref(object);
    }
    free(line);
    fclose(file);
    return last;
}

/* What waits goes into the file; its text is the caller's. */
static char *written(struct fixture *fixture)
{
    struct stat facts;
    open_file(fixture);
    close_file(fixture);
    assert_int_equal(stat(fixture->path, &facts), 0);
    char *text = calloc(1, (size_t)facts.st_size + 1);
    FILE *file = fopen(fixture->path, "re");
    assert_non_null(text);
    assert_non_null(file);
    assert_int_equal(fread(text, 1, (size_t)facts.st_size, file), facts.st_size);
    fclose(file);
    return text;
}

static void test_lines(void **state)
{
    struct fixture *fixture = *state;
    log_write(LOG_WARNING, "a \"quoted\" %s", "word");
    log_write(LOG_DEBUG, "nobody needs that");
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_CHUNK, .table = "a\xff\n", .chunk = 7, .count = 12, .milliseconds = 3),
              "chunk 7");
    char *text = written(fixture);
    assert_ptr_equal(strstr(text, "{\"number\":1,\"at\":\""), text);
    assert_non_null(strstr(text, "\"level\":\"warning\",\"kind\":\"message\",\"text\":\"a "
                                 "\\\"quoted\\\" word\"}\n{\"number\":2,"));
    assert_non_null(strstr(text, "\"kind\":\"chunk\",\"table\":"));
    assert_non_null(
        strstr(text, "\"chunk\":7,\"count\":12,\"milliseconds\":3,\"text\":\"chunk 7\"}"));
    free(text);
}

static void test_error_has_its_hint(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    error_set(&error, ERROR_USAGE, "here", "is wrong");
    error_hint(&error, "mend it");
    log_set_stderr_level((enum log_level) - 1);
    log_write_error(&error);
    char *text = written(fixture);
    assert_non_null(strstr(text, "\"kind\":\"error\",\"code\":\"usage\",\"text\":\"here: is wrong "
                                 "[usage]\",\"hint\":\"mend it\"}\n"));
    free(text);
}

static void test_goes_on_with_a_file(void **state)
{
    struct fixture *fixture = *state;
    uint64_t lines;
    log_write(LOG_INFO, "before there is a file");
    open_file(fixture);
    log_write(LOG_INFO, "one");
    close_file(fixture);
    assert_int_equal(check_file(fixture, &lines), 2);
    FILE *file = fopen(fixture->path, "ae");
    assert_non_null(file);
    fputs("{\"number\":3,\"at\":\"torn", file);
    fclose(file);
    log_set_listener(NULL, NULL);
    event_stream_destroy(fixture->stream);
    fixture->stream = event_stream_create();
    log_set_listener(event_stream_hear, fixture->stream);
    log_write(LOG_INFO, "again");
    open_file(fixture);
    log_write(LOG_INFO, "two");
    close_file(fixture);
    file = fopen(fixture->path, "re");
    char text[4096] = "";
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    assert_non_null(strstr(text, "torn\n{\"number\":3,"));
    assert_non_null(strstr(text, "\n{\"number\":4,"));
}

static void test_memory_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    uint64_t lines;
    for (int i = 0; i < 10000; i++) {
        log_write(LOG_INFO, "%0500d", i);
    }
    char *text = written(fixture);
    assert_true(strlen(text) <= EVENT_STREAM_BYTES_MAX + EVENT_STREAM_LINES_MAX * 32);
    assert_true(strlen(text) > EVENT_STREAM_BYTES_MAX / 2);
    assert_int_equal(check_file(fixture, &lines), 10000);
    free(text);
}

static void test_file_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct stat facts;
    uint64_t lines;
    open_file(fixture);
    log_event(LOG_INFO, EVENT_OF(EVENT_RUN, .state = "began"), "the first");
    for (uint64_t i = 0; i < 60000; i++) {
        log_event(LOG_DEBUG, EVENT_OF(EVENT_CHUNK, .chunk = i + 1), "chunk %" PRIu64, i + 1);
    }
    close_file(fixture);
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_true(facts.st_size <= EVENT_FILE_BYTES_MAX + EVENT_STREAM_BYTES_MAX);
    assert_int_equal(check_file(fixture, &lines), 60001);
    assert_true(lines < 60001);
    char text[200] = "";
    FILE *file = fopen(fixture->path, "re");
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_non_null(strstr(text, "the first")); /* chunks went, the beginning did not */
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    char text[3000];
    char line[1000];
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    const struct log_record record = {
        .level = LOG_INFO, .event = EVENT_OF(EVENT_MESSAGE), .text = text};
    size_t length = event_json_format(&record, line, sizeof(line));
    assert_true(length > 300 && length <= sizeof(line));
    json_t *object = json_loadb(line, length, 0, NULL);
    assert_non_null(object);
    json_decref(object);
}

static void test_long_names_lose_no_line(void **state)
{
    (void)state;
    char name[1001];
    char line[8192];
    memset(name, '\x01', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const struct log_record record = {
        .level = LOG_ERROR,
        .event = EVENT_OF(EVENT_RETRY, .table = name, .entity = name, .key = name, .chunk = 7),
        .text = "it failed"};
    size_t length = event_json_format(&record, line, sizeof(line));
    json_t *object = json_loadb(line, length, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "text")), "it failed");
    assert_int_equal(json_integer_value(json_object_get(object, "chunk")), 7);
    json_decref(object);
}

/* What went into the file before it was full is whole, what follows has a line of its own, and what
 * is not there was counted. */
static void test_full_disk(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit limit;
    struct rlimit small;
    uint64_t lines;
    uint64_t lost;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    open_file(fixture);
    small = (struct rlimit){.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 30; i++) {
        log_write(LOG_INFO, "event %d of many", i);
    }
    event_stream_flush(fixture->stream);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, handler);
    log_write(LOG_INFO, "there is room again");
    event_stream_close(fixture->stream, &lost);
    assert_int_equal(check_file(fixture, &lines), 31);
    assert_true(lines > 5);
    assert_int_equal(lost, 31 - lines);
}

/* Numbers go up whatever a crash or a hand has left at the file's end. */
static void test_damaged_ends(void **state)
{
    static const char *const ends[] = {"{\"number\":7,\"at\":\"torn",
                                       "{\"number\":8",
                                       "{\"number\":8\n",
                                       "{\"nu\n",
                                       "\n\n",
                                       "garbage\n",
                                       "{\"number\":18446744073709551615,\"at\":\"\"}\n"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        FILE *file = fopen(fixture->path, "we");
        assert_non_null(file);
        fprintf(file, "{\"number\":76,\"at\":\"\"}\n%s", ends[i]);
        fclose(file);
        log_write(LOG_INFO, "marked %zu", i);
        char *text = written(fixture);
        assert_non_null(strstr(text, "\n{\"number\":77,"));
        assert_null(strstr(text, "\"number\":78,"));
        free(text);
    }
}

/* In one process as in several. */
static void test_a_second_run(void **state)
{
    struct fixture *fixture = *state;
    uint64_t lines;
    for (int i = 0; i < 3; i++) {
        open_file(fixture);
        log_write(LOG_INFO, "one");
        log_write(LOG_INFO, "two");
        close_file(fixture);
        assert_int_equal(check_file(fixture, &lines), 2 * i + 2);
        assert_int_equal(lines, 2 * i + 2);
    }
}

static void test_a_file_that_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    struct stat facts;
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    fprintf(file, "{\"number\":1,\"at\":\"\"}\n");
    for (int i = 0; i < 20 * 1024; i++) {
        fprintf(file, "%01023d\n", 0);
    }
    fprintf(file, "{\"number\":2,\"at\":\"\"}\n");
    fclose(file);
    log_write(LOG_INFO, "is kept");
    char *text = written(fixture);
    assert_int_equal(stat(fixture->path, &facts), 0);
    assert_true(facts.st_size <= EVENT_FILE_BYTES_MAX);
    assert_non_null(strstr(text, "\n{\"number\":3,"));
    free(text);
}

static void test_what_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(event_stream_open(fixture->stream, fixture->path, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_STATE_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_error_has_its_hint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_goes_on_with_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_is_bounded, set_up, tear_down),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_long_names_lose_no_line),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
