/* What the engine lets a ledger keep: the header with its lines of schemas, the status, marks. */
#include "engine/ledger/ledger_texts.h"
#include "engine/session/schema_lines.h"
#include "support.h"
#include <jansson.h>
#include <string.h>

static void headers_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    const char *text;
    struct ledger_header read;
    const char *absent[] = {"a table \"x\"\n", "b"};
    struct ledger_stream_facts streams[] = {{"first", true, 12}, {"second", false, -1}};
    const struct ledger_header header = {.run_id = "20260131T235959Z-abc123",
                                         .kind = "copy",
                                         .source_uri = "a.db",
                                         .source_identity = "file 1",
                                         .fingerprint = "f",
                                         .target_uri = "b.db",
                                         .target_identity = "file 2",
                                         .schema_text = "table first\n",
                                         .snapshot = "token",
                                         .plan_text = NULL,
                                         .mapping_text = "first <- first\n",
                                         .mapping_hash = "m",
                                         .streams = streams,
                                         .stream_count = 2,
                                         .absent_tables = absent,
                                         .absent_count = 2};
    assert_int_equal(ledger_header_make(&header, arena, &text, &error), STATUS_OK);
    assert_int_equal(ledger_header_read(text, arena, &read, &error), STATUS_OK);
    assert_string_equal(read.run_id, header.run_id);
    assert_string_equal(read.schema_text, header.schema_text);
    assert_string_equal(read.mapping_text, header.mapping_text);
    assert_null(read.plan_text);
    assert_int_equal(read.stream_count, 2);
    assert_true(read.streams[0].keyed);
    assert_int_equal(read.streams[1].records, -1);
    assert_string_equal(read.absent_tables[0], absent[0]);
    for (size_t cut = 1; cut < strlen(text); cut += 7) { /* a torn header is damage, whole or not */
        char *torn = arena_copy(arena, text, cut);
        assert_int_equal(ledger_header_read(torn, arena, &read, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_LEDGER_INVALID);
    }
    arena_destroy(arena);
}

static void statuses_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct error failure;
    struct ledger_status status;
    struct ledger_status read;
    const char *text;
    assert_int_equal(ledger_status_init(&status, &error), STATUS_OK);
    status.phase = LEDGER_SETTLED;
    status.mixed_snapshot = true;
    ledger_status_begin_attempt(&status, 3, "token", 12);
    ledger_status_add_doubtful(&status, 7);
    ledger_status_add_doubtful(&status, 9);
    ledger_status_add_doubtful(&status, 7);
    ledger_status_end_attempt(&status, "interrupted");
    ledger_status_add_created(&status, "a");
    ledger_status_add_created(&status, "a");
    error_set(&failure, ERROR_TARGET_WRITE, "table a", "no room\x01 left");
    for (int i = 0; i < 2 * LEDGER_ERRORS_MAX; i++) {
        ledger_status_add_error(&status, &failure);
    }
    assert_int_equal(ledger_status_make(&status, arena, &text, &error), STATUS_OK);
    assert_int_equal(ledger_status_read(text, &read, &error), STATUS_OK);
    assert_int_equal(read.phase, LEDGER_SETTLED);
    assert_true(read.mixed_snapshot);
    assert_false(read.no_snapshot);
    assert_int_equal(read.started_us, status.started_us);
    assert_int_equal(ledger_status_hands(&read), 12);
    assert_int_equal(json_array_size(read.doubtful), 2);
    assert_true(ledger_status_is_created(&read, "a"));
    assert_false(ledger_status_is_created(&read, "b"));
    ledger_status_free(&read);
    ledger_status_free(&status);
    assert_int_equal(ledger_status_read("{\"format\":1,\"phase\":\"dancing\"}", &read, &error),
                     STATUS_FAILED);
    assert_int_equal(ledger_status_read("{\"format\":2}", &read, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FORMAT_NEWER);
    arena_destroy(arena);
}

/* A name that is no UTF-8 can be no member: then there is no text, rather than an empty one that
 * would stand in the ledger. */
static void what_json_refuses_is_no_empty_text(void **state)
{
    struct arena *arena = arena_create(0);
    struct ledger_status status;
    struct error error = {0};
    const char *text = "";
    (void)state;
    assert_int_equal(ledger_status_init(&status, &error), STATUS_OK);
    ledger_status_note_differing(&status, "table \xff", 3);
    assert_int_equal(ledger_status_make(&status, arena, &text, &error), STATUS_FAILED);
    assert_null(text);
    assert_int_equal(error.code, ERROR_STATE_INVALID);
    ledger_status_free(&status);
    arena_destroy(arena);
}

static void marks_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    const char *text;
    struct ledger_mark read;
    const uint32_t entities[] = {0, 7};
    struct tally tallies[] = {{.read = 9,
                               .made = 8,
                               .written = 5,
                               .rejected = 2,
                               .skipped = 1,
                               .filtered = 1,
                               .bytes = UINT64_C(1) << 40,
                               .hash = {.low = 1, .high = UINT64_MAX},
                               .hashed = true},
                              {.made = 3, .written = 3}};
    const struct ledger_mark mark = {
        .chunk = 12,
        .attempt = 101,
        .epoch = 2,
        .entities = entities,
        .tallies = tallies,
        .entity_count = 2,
        .last_id = "k, 9",
        .seconds = 0.25,
        .rejects = {.file = "12-101.jsonl", .count = 2, .hash = "00ff"}};
    assert_int_equal(ledger_mark_make(&mark, arena, &text, &error), STATUS_OK);
    struct done_mark done = {.chunk = 12, .text = text};
    assert_int_equal(ledger_mark_read(&done, 8, arena, &read, &error), STATUS_OK);
    assert_int_equal(read.attempt, 101);
    assert_int_equal(read.entity_count, 2);
    assert_int_equal(read.entities[1], 7);
    assert_memory_equal(&read.tallies[0], &tallies[0], offsetof(struct tally, hashed));
    assert_true(read.tallies[0].hashed);
    assert_false(read.tallies[1].hashed);
    assert_string_equal(read.rejects.file, "12-101.jsonl");
    assert_int_equal(read.rejects.count, 2);
    assert_string_equal(read.last_id, "k, 9");
    assert_int_equal(ledger_mark_read(&done, 7, arena, &read, &error), STATUS_FAILED);
    done.chunk = 13;
    assert_int_equal(ledger_mark_read(&done, 8, arena, &read, &error), STATUS_FAILED);
    arena_destroy(arena);
}

static void hashes_are_taken_out_again(void **state)
{
    (void)state;
    struct random random = random_start();
    for (int i = 0; i < 1000; i++) {
        struct canonical_hash first = {random_bits(&random), random_bits(&random)};
        struct canonical_hash second = {random_bits(&random), random_bits(&random)};
        struct canonical_hash sum = first;
        canonical_sum_add(&sum, &second);
        tally_hash_subtract(&sum, &second);
        assert_memory_equal(&sum, &first, sizeof(sum));
    }
}

static void schema_differences_are_named(void **state)
{
    (void)state;
    struct buffer out = {0};
    schema_lines_compare("table a\ncolumn a.x INT\n", "table a\ncolumn a.x INT\n", &out);
    assert_buffer(&out, "");
    schema_lines_compare("table a\ncolumn a.x INT\n", "table a\ncolumn a.x TEXT\n", &out);
    assert_buffer(&out, "column a.x TEXT is new; column a.x INT is gone");
    buffer_clear(&out);
    static const char before[] =
        "table a\nobject view v w 01\nobject view v 02\nobject event e -\n";
    static const char now[] =
        "table a\nobject view v w 01\nobject view v 03\nobject trigger t 02\n";
    schema_lines_compare(before, now, &out);
    assert_buffer(&out, "");
    schema_lines_compare_objects(before, before, &out);
    assert_buffer(&out, "");
    schema_lines_compare_objects(before, now, &out);
    assert_buffer(&out, "view v differs; trigger t is new; event e is gone");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_back),
        cmocka_unit_test(statuses_come_back),
        cmocka_unit_test(what_json_refuses_is_no_empty_text),
        cmocka_unit_test(marks_come_back),
        cmocka_unit_test(hashes_are_taken_out_again),
        cmocka_unit_test(schema_differences_are_named),
    };
    return cmocka_run_group_tests_name("ledger_texts", tests, NULL, NULL);
}
