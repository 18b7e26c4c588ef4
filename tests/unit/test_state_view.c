/* What `status` shows of a state.json that people or scripts may have touched. */
#include "cli/state_view.h"
#include "support.h"
#include <stdio.h>
#include <string.h>

static const char *view(const char *json, bool running, struct buffer *out)
{
    struct state_watch watch = {0};
    struct error error = {0};
    if (state_view_append(json, running, false, &watch, out, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return buffer_string(out);
}

static void expect_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("no \"%s\" in:\n%s", part, text);
    }
}

#define MOST "9223372036854775807"
#define ENTITY(name, total)                                                      \
    "\"" name "\":{\"total\":" total ",\"migrated\":" MOST ",\"rejected\":" MOST \
    ",\"skipped\":" MOST "}"

/* Sums end at the largest number; nothing wraps around to less than nothing. */
static void counts_near_the_end_of_numbers(void **state)
{
    (void)state;
    static const char *const totals[] = {MOST,   "0",    "1", "-1", "-9223372036854775808",
                                         "null", "1e300"};
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        char json[2048];
        snprintf(
            json, sizeof json,
            "{\"format\":1,\"status\":\"in_progress\",\"updated_at\":\"9999-12-31T23:59:59.999Z\","
            "\"attempt\":{\"started_at\":\"0001-01-01T00:00:00.000Z\",\"migrated_before\":%s},"
            "\"tables\":{\"t\":{\"entities\":{" ENTITY("a", "%s") "," ENTITY("b", "%s") "}}}}",
            totals[i], totals[i], totals[i]);
        struct buffer out = {0};
        const char *text = view(json, true, &out);
        expect_part(text, "9,223,372,036,854,775,807");
        assert_null(strstr(text, "-9,"));
        buffer_free(&out);
    }
}

/* One attempt that began just now and has done everything: no rate beyond what can be shown. */
static void a_rate_beyond_reason_is_capped(void **state)
{
    (void)state;
    struct buffer out = {0};
    const char *text =
        view("{\"status\":\"in_progress\",\"updated_at\":\"2026-01-01T00:00:00.001Z\","
             "\"attempt\":{\"started_at\":\"2026-01-01T00:00:00.000Z\"},"
             "\"tables\":{\"t\":{\"entities\":{\"a\":{\"total\":" MOST
             ",\"migrated\":9223372036854775000}}}}}",
             true, &out);
    expect_part(text, "rate     1,000,000,000 records/s");
    buffer_free(&out);
}

/* What the workers are at, while somebody is at work. */
static void workers_are_shown(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct buffer json = {0};
    buffer_append_string(&json, "{\"status\":\"in_progress\",\"workers\":[");
    for (int i = 1; i <= 10; i++) {
        buffer_format(&json,
                      "%s{\"side\":\"source\",\"number\":%d,\"doing\":\"reads\","
                      "\"since\":\"2026-01-31T23:59:59.999Z\",\"chunk\":7,\"rows\":4500,"
                      "\"stream\":\"a\\u001bb\"}",
                      i > 1 ? "," : "", i);
    }
    buffer_append_string(&json, "]}");
    const char *text = view(buffer_string(&json), true, &out);
    expect_part(text, "\nworkers\n  reader 1    reads, chunk 7 of a");
    expect_part(text, "b, 4,500 records, since 2026-01-31T23:59:59.999Z\n  reader 2 ");
    expect_part(text, "  reader 8 ");
    expect_part(text, "\n  and 2 more: --json has them\n");
    assert_null(strchr(text, '\x1b'));
    assert_null(strstr(text, "reader 9"));
    buffer_clear(&out);
    assert_null(strstr(view(buffer_string(&json), false, &out), "workers"));
    buffer_free(&out);
    buffer_free(&json);
}

/* Those under way first, then those to come; all are counted. */
static void what_there_is_no_room_for(void **state)
{
    (void)state;
    struct error error = {0};
    struct buffer out = {0};
    static const char json[] =
        "{\"status\":\"in_progress\",\"tables\":{\"t\":{\"entities\":{"
        "\"done1\":{\"total\":5,\"migrated\":5},\"done2\":{\"total\":5,\"migrated\":5}}},"
        "\"u\":{\"entities\":{\"waits\":{\"total\":5,\"migrated\":0},\"moves\":{\"total\":5,\"migrated\":2}}}}}";
    for (uint32_t rows = 0; rows <= 5; rows++) {
        struct state_watch watch = {.rows = rows};
        buffer_clear(&out);
        assert_int_equal(state_view_append(json, true, false, &watch, &out, &error), STATUS_OK);
        const char *text = buffer_string(&out);
        expect_part(text, "status   in progress");
        expect_part(text, "moves");
        assert_int_equal(strstr(text, "waits") != NULL, rows != 1);
        assert_int_equal(strstr(text, "done1") != NULL, rows == 0 || rows >= 3);
        assert_int_equal(strstr(text, "done2") != NULL, rows == 0 || rows >= 4);
        assert_int_equal(strstr(text, "and 3 more") != NULL, rows == 1);
        assert_int_equal(strstr(text, "and 1 more") != NULL, rows == 3);
        assert_int_equal(strstr(text, " more") != NULL, rows >= 1 && rows <= 3);
        expect_part(text, "60.0%");
    }
    buffer_free(&out);
}

static void what_is_missing_is_not_known(void **state)
{
    (void)state;
    struct buffer out = {0};
    const char *text = view("{\"tables\":{\"t\":{\"entities\":{\"a\":{}, \"b\":7}}}}", false, &out);
    expect_part(text, "status   ?");
    expect_part(text, "?");
    buffer_free(&out);
    struct state_watch watch = {0};
    static const char *const damaged[] = {"[]", "{\"a\":1",          "",
                                          "5",  "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct error error = {0};
        assert_int_equal(state_view_append(damaged[i], false, false, &watch, &out, &error),
                         STATUS_FAILED);
        assert_int_equal(error.code, ERROR_STATE_INVALID);
    }
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_near_the_end_of_numbers),
        cmocka_unit_test(a_rate_beyond_reason_is_capped),
        cmocka_unit_test(workers_are_shown),
        cmocka_unit_test(what_there_is_no_room_for),
        cmocka_unit_test(what_is_missing_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
