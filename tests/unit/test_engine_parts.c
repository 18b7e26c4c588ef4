/* The engine's parts without threads: options, waiting, ledger texts, typed JSON, reject files,
 * state folder. */
#include "base/clock.h"
#include "base/file.h"
#include "base/retry.h"
#include "engine/ledger.h"
#include "engine/mended_line.h"
#include "engine/options.h"
#include "engine/rejects.h"
#include "engine/schema_lines.h"
#include "engine/state_folder.h"
#include "engine/throttle.h"
#include "engine/typed_json.h"
#include "support.h"
#include <fcntl.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- options */

static enum status resolve(const char *plan, struct run_options *options, struct error *error)
{
    struct plan_document *document = NULL;
    struct buffer faults = {0};
    char text[1024];
    snprintf(text, sizeof(text),
             "transhume: 1\nsource: sqlite:a.db\ntarget: sqlite:b.db\noptions:\n%s"
             "tables: { t: { from: t, fields: { \"*\": copy } } }\n",
             plan);
    enum status status =
        plan_document_parse(text, strlen(text), "plan.yaml", &document, &faults, error);
    if (status == STATUS_OK) {
        status = options_resolve(options, document, error);
        options->time_zone = NULL; /* lived in the document */
    }
    plan_document_destroy(document);
    buffer_free(&faults);
    return status;
}

static void defaults_stand_when_nobody_speaks(void **state)
{
    (void)state;
    struct run_options options;
    struct error error;
    run_options_default(&options);
    assert_int_equal(options_resolve(&options, NULL, &error), STATUS_OK);
    assert_int_equal(options.memory_bytes, 32 << 20);
    assert_int_equal(options.batch_rows, 4096);
    assert_int_equal(options.batch_bytes, 256 << 10);
    assert_int_equal(options.max_rejects, -1);
    assert_int_equal(options.indexes, INDEXES_KEEP);
    assert_int_equal(options.triggers, TRIGGERS_KEEP);
    assert_int_equal(options.timeout_ms, 30000);
    assert_int_equal(options.stall_ms, 60000);
    assert_true(options.jobs >= 2 && options.jobs <= 8);
    assert_true(options_ring_bytes(&options) + 2 * options_cache_bytes(&options) <=
                options.memory_bytes);
}

static void the_command_stands_above_the_plan(void **state)
{
    (void)state;
    struct run_options options;
    struct error error;
    run_options_default(&options);
    options.jobs = 3;
    options.max_rejects = 0;
    options.indexes = INDEXES_KEEP;
    assert_int_equal(resolve("  indexes: rebuild\n  triggers: disable\n"
                             "  jobs: 5\n  memory: 64MiB\n  max_rejects: 9\n  timeout: 500ms\n"
                             "  stall: 2m\n  express: false\n  hashes: true\n  fail_fast: true\n",
                             &options, &error),
                     STATUS_OK);
    assert_int_equal(options.jobs, 3);
    assert_int_equal(options.indexes, INDEXES_KEEP);
    assert_int_equal(options.triggers, TRIGGERS_DISABLE);
    assert_int_equal(options.memory_bytes, 64 << 20);
    assert_int_equal(options.max_rejects, 0);
    assert_int_equal(options.timeout_ms, 500);
    assert_int_equal(options.stall_ms, 120000);
    assert_true(options.no_express);
    assert_false(options.no_hashes);
    assert_true(options.fail_fast);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const char *const plans[] = {
        "  jobs: 0\n",     "  jobs: many\n",       "  jobs: 257\n",      "  memory: 5\n",
        "  timeout: 1y\n", "  fail_fast: maybe\n", "  batch_rows: -1\n", "  indexes: gone\n"};
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct run_options options;
        struct error error;
        run_options_default(&options);
        assert_int_equal(resolve(plans[i], &options, &error), STATUS_FAILED);
        assert_int_equal(error_exit_status(&error), 2);
    }
    struct run_options options;
    struct error error;
    run_options_default(&options);
    options.jobs = 1000;
    assert_int_equal(options_resolve(&options, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_non_null(strstr(error.message, "jobs"));
}

/* ---- waiting */

static void delays_double_up_to_a_cap(void **state)
{
    (void)state;
    for (uint32_t failures = 0; failures < 40; failures++) {
        int64_t cap = failures < 9 ? (int64_t)RETRY_BASE_MS << failures : RETRY_DELAY_MAX_MS;
        cap = cap > RETRY_DELAY_MAX_MS ? RETRY_DELAY_MAX_MS : cap;
        assert_int_equal(retry_delay_ms(failures, 0, 0), 0);
        assert_int_equal(retry_delay_ms(failures, 0, (uint64_t)cap), cap);
        assert_int_equal(retry_delay_ms(failures, 0, (uint64_t)cap + 1), 0);
    }
    assert_int_equal(retry_delay_ms(9, 300, 0), 300); /* the server's own hint */
    assert_int_equal(retry_delay_ms(0, 300, 30), 330);
    assert_int_equal(retry_delay_ms(0, 300, 31), 300);
}

static void patience_ends(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    _Atomic bool cancelled = false;
    retry_init(&retry, 600); /* long enough that a busy machine leaves time for two tries */
    retry.cancelled = &cancelled;
    error_set(&error, ERROR_TARGET_THROTTLED, "target", "slow down");
    error.retry_after_ms = 80;
    int tries = 0;
    while (retry_wait(&retry, &error)) {
        tries++;
    }
    assert_in_range(tries, 2, 8);
    assert_non_null(strstr(error.context, "given up"));
    retry_reset(&retry);
    atomic_store(&cancelled, true);
    assert_false(retry_wait(&retry, &error));
    atomic_store(&cancelled, false);
    error_set(&error, ERROR_TARGET_WRITE, "target", "for good");
    assert_false(retry_wait(&retry, &error));
}

static void a_late_failure_is_a_new_one(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    retry_init(&retry, 30);
    error_set(&error, ERROR_TARGET_THROTTLED, "target", "slow down");
    error.retry_after_ms = 1;
    for (int i = 0; i < 3; i++) {
        assert_true(retry_wait(&retry, &error));
        assert_int_equal(retry.failures, 1);
        clock_sleep_ms(40); /* it works for longer than the patience */
    }
    error.retry_after_ms = 60; /* longer than all of the patience */
    assert_false(retry_wait(&retry, &error));
}

static void a_late_failure_of_the_same_lock_is_the_same(void **state)
{
    (void)state;
    struct retry retry;
    struct error error;
    const char *const places[] = {"albums: ", "tracks: ", ""};
    retry_init(&retry, 30);
    for (int i = 0; i < 3; i++) { /* of others, or of who knows which */
        error_set(&error, ERROR_TARGET_LOCKED, "target", "somebody holds it");
        error_context(&error, "%s", places[i]);
        error.retry_after_ms = 1;
        assert_true(retry_wait(&retry, &error));
        clock_sleep_ms(40); /* it works for longer than the patience */
    }
    assert_true(retry_wait(&retry, &error));
    error_context(&error, "tracks: ");
    clock_sleep_ms(40);
    assert_true(retry_wait(&retry, &error));
    clock_sleep_ms(40);
    assert_false(retry_wait(&retry, &error));
    assert_non_null(strstr(error.context, "given up after 2 tries"));
    retry_reset(&retry);
    error_set(&error, ERROR_TARGET_LOCKED, "target", "somebody holds it");
    error_context(&error, "tracks: ");
    error.retry_after_ms = 1;
    assert_true(retry_wait(&retry, &error));
}

static void buckets_fill_by_the_clock(void **state)
{
    (void)state;
    struct throttle throttle;
    throttle_init(&throttle, 100, 0);
    int64_t now = throttle.filled_ns;
    assert_int_equal(throttle_take_at(&throttle, now += 1000000000, 100, 1), 0);
    assert_in_range(throttle_take_at(&throttle, now, 50, 1), 490, 510);
    assert_in_range(throttle_take_at(&throttle, now += 250000000, 0, 1), 240, 260);
    assert_int_equal(throttle_take_at(&throttle, now += 250000000, 0, 1), 0);
    assert_in_range(throttle_take_at(&throttle, now, 1000, 1), 9900, 10100); /* never too large */
    assert_int_equal(throttle_take_at(&throttle, now + 3600000000000, 100, 1), 0);
    assert_true(throttle_take_at(&throttle, now + 3600000000000, 1, 1) >
                0); /* one second's worth */
    throttle_destroy(&throttle);
    throttle_init(&throttle, 0, 0);
    assert_int_equal(throttle_take(&throttle, UINT64_MAX, UINT64_MAX), 0);
    assert_int_equal(throttle_left_ms(&throttle, 0), 0);
    assert_in_range(throttle_left_ms(&throttle, clock_monotonic_ms() + 60000), 50000, 60000);
    throttle.held = true;
    assert_in_range(throttle_left_ms(&throttle, 0), 1, 1000); /* to be asked again */
    throttle.held = false;
    assert_int_equal(throttle_left_ms(&throttle, 0), 0);
    throttle_destroy(&throttle);
}

/* ---- ledger texts */

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

/* ---- typed JSON */

static enum status read_typed(const char *text, size_t length, struct arena *arena,
                              struct cell *cell, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, error) != STATUS_OK ||
        typed_json_read(&reader, token, arena, cell, error) != STATUS_OK ||
        json_reader_next(&reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* A MISSING inside a list is written as null, inside a map not at all. */
static bool has_missing(const struct cell *cell)
{
    bool nested = cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
    uint32_t count = cell->kind == VALUE_MAP ? 2 * cell->length : cell->length;
    for (uint32_t i = 0; nested && i < count; i++) {
        if (has_missing(&cell->items[i])) {
            return true;
        }
    }
    return cell->kind == VALUE_MISSING;
}

static void every_value_comes_back(void **state)
{
    (void)state;
    struct random random = random_start();
    long rounds = test_rounds(20000);
    for (long round = 0; round < rounds; round++) {
        struct arena *arena = arena_create(0);
        struct buffer text = {0};
        struct error error;
        struct cell back = {0};
        struct cell cell = random_value(&random, arena, 3);
        if (cell.kind == VALUE_MISSING) {
            cell = cell_null();
        }
        assert_int_equal(typed_json_append(&cell, &text, &error), STATUS_OK);
        const char *written = buffer_string(&text); /* `back` points into it */
        if (read_typed(written, text.length, arena, &back, &error) != STATUS_OK) {
            fail_msg("%s: %s", error.message, written);
        }
        struct buffer again = {0};
        assert_int_equal(typed_json_append(&back, &again, &error), STATUS_OK);
        struct buffer canonical = {0};
        struct buffer canonical_back = {0};
        if (!has_missing(&cell)) {
            assert_string_equal(buffer_string(&again), written);
            assert_int_equal(canonical_append(&cell, &canonical, &error), STATUS_OK);
            assert_int_equal(canonical_append(&back, &canonical_back, &error), STATUS_OK);
            if (canonical.length != canonical_back.length ||
                memcmp(canonical.data, canonical_back.data, canonical.length) != 0) {
                fail_msg("another value came back: %s", written);
            }
        }
        buffer_free(&canonical);
        buffer_free(&canonical_back);
        buffer_free(&again);
        buffer_free(&text);
        arena_destroy(arena);
    }
}

static void forms_of_typed_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum value_kind kind;
    } cases[] = {{"12", VALUE_INT64},
                 {"-9223372036854775808", VALUE_INT64},
                 {"18446744073709551615", VALUE_UINT64},
                 {"12.0", VALUE_FLOAT64},
                 {"-0.0", VALUE_FLOAT64},
                 {"1e+300", VALUE_FLOAT64},
                 {"{\"$float64\":\"NaN\"}", VALUE_FLOAT64},
                 {"{\"$float32\":\"0.1\"}", VALUE_FLOAT32},
                 {"{\"$decimal\":\"1.980\"}", VALUE_DECIMAL},
                 {"{\"$uint64\":\"5\"}", VALUE_UINT64},
                 {"{\"$bytes\":\"AP8=\"}", VALUE_BYTES},
                 {"{\"$date\":\"2024-02-29\"}", VALUE_DATE},
                 {"{\"$uuid\":\"00112233-4455-6677-8899-aabbccddeeff\"}", VALUE_UUID},
                 {"{\"$json\":\"{\\\"a\\\": 1}\"}", VALUE_JSON},
                 {"{\"$map\":[[1,\"a\"],[\"$b\",null]]}", VALUE_MAP},
                 {"{\"$set\":[1,2]}", VALUE_SET},
                 {"{\"$escape\":[1,true,\"/w==\"]}", VALUE_ESCAPE},
                 {"{}", VALUE_MAP},
                 {"[]", VALUE_LIST},
                 {"true", VALUE_BOOL},
                 {"null", VALUE_NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_create(0);
        struct buffer again = {0};
        struct error error;
        struct cell cell = {0};
        assert_int_equal(read_typed(cases[i].text, strlen(cases[i].text), arena, &cell, &error),
                         STATUS_OK);
        assert_int_equal(cell.kind, cases[i].kind);
        assert_int_equal(typed_json_append(&cell, &again, &error), STATUS_OK);
        assert_buffer(&again, cases[i].text);
        buffer_free(&again);
        arena_destroy(arena);
    }
}

static void wrong_typed_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"$decimal\":\"x\"}",
                                        "{\"$decimal\":1}",
                                        "{\"$decimal\":\"1\",\"b\":2}",
                                        "{\"a\":1,\"$b\":2}",
                                        "{\"$nothing\":\"1\"}",
                                        "{\"$map\":[[1]]}",
                                        "{\"$map\":{}}",
                                        "{\"$set\":1}",
                                        "{\"$uuid\":\"0011\"}",
                                        "{\"$escape\":[1]}",
                                        "{\"$omitted\":\"it was cut\"}",
                                        "{\"$bytes\":\"*\"}",
                                        "99999999999999999999",
                                        "{\"$date\":\"2024-02-30\"}",
                                        "{\"$averyverylongname\":1}",
                                        "{\"$\":1}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena *arena = arena_create(0);
        struct error error;
        struct cell cell = {0};
        assert_int_equal(read_typed(texts[i], strlen(texts[i]), arena, &cell, &error),
                         STATUS_FAILED);
        arena_destroy(arena);
    }
}

/* Serves its own offset as bytes, modulo 251. */
static enum status large_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                              struct error *error)
{
    (void)error;
    for (size_t i = 0; i < size; i++) {
        uint64_t at = offset + i;
        ((uint8_t *)bytes)[i] =
            self->kind == VALUE_TEXT ? (uint8_t)("a\"\xc3\xa9\n"[at % 5]) : (uint8_t)(at % 251);
    }
    return STATUS_OK;
}

static void large_values_are_written_in_slices(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 5, 196605, 196608, 196610, 1000000};
    for (int text = 0; text < 2; text++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct arena *arena = arena_create(0);
            struct buffer out = {0};
            struct error error;
            struct cell back = {0};
            struct large_value large = {.kind = text ? VALUE_TEXT : VALUE_BYTES,
                                        .length = text ? lengths[i] / 5 * 5 : lengths[i],
                                        .read = large_read};
            const struct cell cell = {.kind = VALUE_LARGE, .large = &large};
            assert_int_equal(typed_json_append(&cell, &out, &error), STATUS_OK);
            assert_int_equal(read_typed(out.data, out.length, arena, &back, &error), STATUS_OK);
            assert_int_equal(back.kind, large.kind);
            assert_int_equal(back.length, large.length);
            uint8_t *expected = malloc(large.length + 1);
            assert_int_equal(large_read(&large, 0, expected, large.length, &error), STATUS_OK);
            assert_memory_equal(back.bytes, expected, large.length);
            free(expected);
            buffer_free(&out);
            arena_destroy(arena);
        }
    }
}

/* ---- reject files */

static const struct shape_field fields[] = {{"id", 2, {.kind = VALUE_INT64}},
                                            {"v", 1, {.kind = VALUE_FLOAT64}}};
static const struct shape shape = {.name = "thing", .fields = fields, .field_count = 2};

static void add_reject(struct reject_file *file, int64_t id, const char *reason)
{
    struct error error;
    const struct cell cells[] = {cell_int64(id), cell_float64(INFINITY)};
    const char *const names[] = {"i\"d"};
    const struct reject reject = {.run_id = "run",
                                  .chunk = 3,
                                  .entity = "thing",
                                  .table = "things",
                                  .source = "t\xff",
                                  .key_names = names,
                                  .key = cells,
                                  .key_count = 1,
                                  .code = ERROR_REJECT_NUMBER,
                                  .reason = reason,
                                  .shape = &shape,
                                  .cells = cells};
    assert_int_equal(reject_file_add(file, &reject, &error), STATUS_OK);
}

static bool vouch_for_one(void *context, const char *name)
{
    return strcmp(context, name) == 0;
}

static void reject_files_are_vouched_for(void **state)
{
    (void)state;
    struct error error;
    struct ledger_rejects vouched;
    struct reject_file file;
    char path[4096];
    const char *folder = test_folder();
    reject_file_init(&file, folder, 3, 2);
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    assert_null(vouched.file); /* without rejects there is no file */
    for (int i = 0; i < 1000; i++) {
        add_reject(&file, i, "not a\nnumber");
    }
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    assert_string_equal(vouched.file, "3-2.jsonl");
    assert_int_equal(vouched.count, 1000);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_OK);

    snprintf(path, sizeof(path), "%s/4-1.jsonl", folder);
    assert_int_equal(file_write_atomic(path, "x\n", 2, NULL, &error), STATUS_OK);
    char vouched_name[] = "3-2.jsonl";
    assert_int_equal(rejects_sweep(folder, vouch_for_one, vouched_name, &error), STATUS_OK);
    assert_false(file_exists(path));

    snprintf(path, sizeof(path), "%s/3-2.jsonl", folder);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(descriptor, "!", 1, 500), 1);
    close(descriptor);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_STATE_INVALID);
    reject_file_close(&file, false);
    assert_int_equal(rejects_verify(folder, &vouched, &error), STATUS_END);
}

static void a_reject_line(void **state)
{
    (void)state;
    struct error error;
    struct reject_file file;
    char path[4096];
    char *text;
    size_t length;
    struct arena *arena = arena_create(0);
    const char *folder = test_folder();
    struct ledger_rejects vouched;
    reject_file_init(&file, folder, 3, 1);
    add_reject(&file, 7, "too large");
    assert_int_equal(reject_file_sync(&file, &vouched, &error), STATUS_OK);
    snprintf(path, sizeof(path), "%s/3-1.jsonl", folder);
    assert_int_equal(file_read_all(path, 4096, arena, &text, &length, &error), STATUS_OK);
    assert_string_equal(
        text,
        "{\"format\":1,\"run\":\"run\",\"chunk\":3,\"entity\":\"thing\",\"table\":\"things\","
        "\"source\":\"t\\\\xff\",\"key\":{\"i\\\"d\":7},\"code\":\"number-range\","
        "\"reason\":\"too large\",\"record\":{\"id\":7,\"v\":{\"$float64\":\"Infinity\"}}}\n");
    reject_file_close(&file, true);
    arena_destroy(arena);
}

/* ---- mended lines */

static struct plan_entity entities[] = {
    {.number = 0, .name = "thing", .table = 0, .shape = &shape}};
static struct plan_table tables[] = {{.target = {.name = "things"}}};
static const struct plan plan = {
    .entities = entities, .entity_count = 1, .tables = tables, .table_count = 1};

static void mended_lines_are_read(void **state)
{
    (void)state;
    struct error error;
    struct mended_line mended;
    static const char line[] =
        "{\"record\":{\"v\":1.5,\"id\":9},\"key\":{\"k\":1},\"source\":\"src\","
        "\"table\":\"things\",\"entity\":\"thing\",\"more\":[1,{}]}";
    struct batch *batch = batch_create(&shape, 2 + MENDED_EXTRA_CELLS, 2);
    assert_int_equal(mended_line_check(&plan, line, sizeof(line) - 1, &mended, &error), STATUS_OK);
    assert_int_equal(mended_line_append(line, sizeof(line) - 1, batch, &error), STATUS_OK);
    const struct cell *cells = batch_row(batch, 0);
    assert_int_equal(cells[0].i64, 9);
    assert_true(cells[1].f64 == 1.5);
    assert_int_equal(cells[2].kind, VALUE_MAP);
    assert_string_equal(cells[3].text, "src");
    batch_destroy(batch);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum error_code code;
    } cases[] = {
        {"", ERROR_REJECT_UNREADABLE},
        {"[]", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\"}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":null}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"other\",\"record\":{}}", ERROR_REJECT_UNREADABLE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":{\"x\":1}}", ERROR_REJECT_TYPE},
        {"{\"entity\":\"thing\",\"table\":\"things\",\"record\":{}} more", ERROR_REJECT_UNREADABLE},
        {"{\"format\":2,\"entity\":\"thing\",\"table\":\"things\",\"record\":{}}",
         ERROR_FORMAT_NEWER}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error error;
        struct mended_line mended;
        assert_int_equal(
            mended_line_check(&plan, cases[i].line, strlen(cases[i].line), &mended, &error),
            STATUS_FAILED);
        assert_int_equal(error.code, cases[i].code);
    }
}

/* ---- schemas and the state folder */

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

static void a_folder_has_one_holder(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct state_folder folder;
    const char *path = test_folder();
    assert_int_equal(state_folder_name(&folder, path, arena, &error), STATUS_OK);
    assert_int_equal(state_folder_lock(&folder, &error), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        struct state_folder other;
        int wrong = state_folder_name(&other, path, arena, &error) != STATUS_OK ||
                    state_folder_lock(&other, &error) != STATUS_FAILED ||
                    error.code != ERROR_RUN_HELD;
        _exit(wrong);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    state_folder_unlock(&folder);
    assert_int_equal(state_folder_lock(&folder, &error), STATUS_OK);
    state_folder_unlock(&folder);
    arena_destroy(arena);
}

static void local_runs_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct state_folder folder;
    struct local_run read;
    const char *const patterns[] = {"a*", "\"b\""};
    const struct local_run run = {.id = "20260131T235959Z-abc123",
                                  .kind = "copy",
                                  .begun = true,
                                  .source = "a.db",
                                  .target = "b.db",
                                  .include = patterns,
                                  .include_count = 2,
                                  .existing = 3};
    assert_int_equal(state_folder_name(&folder, test_folder(), arena, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_END);
    assert_int_equal(local_run_write(&folder, &run, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_OK);
    assert_string_equal(read.id, run.id);
    assert_true(read.begun);
    assert_false(read.finished);
    assert_null(read.plan_path);
    assert_int_equal(read.include_count, 2);
    assert_string_equal(read.include[1], "\"b\"");
    assert_int_equal(read.existing, 3);

    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    assert_int_equal(state_folder_retire(&folder, run.id, false, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_END);
    assert_true(file_exists(file_join(arena, folder.runs, "20260131T235959Z-abc123/run.json")));

    static const char *const damaged[] = {"",
                                          "{",
                                          "{}",
                                          "{\"format\":1}",
                                          "{\"format\":1,\"run\":\"../x\",\"kind\":\"copy\"}",
                                          "{\"format\":9,\"run\":\"x\",\"kind\":\"copy\"}"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        assert_int_equal(
            file_write_atomic(folder.run_file, damaged[i], strlen(damaged[i]), NULL, &error),
            STATUS_OK);
        assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_FAILED);
        assert_int_equal(error_exit_status(&error), 5);
    }
    arena_destroy(arena);
}

static void a_reset_takes_only_what_is_ours(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct buffer kept = {0};
    struct state_folder folder;
    const char *path = test_folder();
    assert_int_equal(state_folder_name(&folder, path, arena, &error), STATUS_OK);
    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    const char *mine = file_join(arena, path, "mine.txt");
    assert_int_equal(file_write_atomic(mine, "x", 1, NULL, &error), STATUS_OK);
    assert_int_equal(run_state_reset(path, &kept, &error), STATUS_OK);
    assert_true(file_exists(mine));
    assert_false(file_exists(folder.rejects));
    unlink(mine);
    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    assert_int_equal(run_state_reset(path, &kept, &error), STATUS_OK);
    assert_false(file_exists(path));
    buffer_free(&kept);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_when_nobody_speaks),
        cmocka_unit_test(the_command_stands_above_the_plan),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(delays_double_up_to_a_cap),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(a_late_failure_is_a_new_one),
        cmocka_unit_test(a_late_failure_of_the_same_lock_is_the_same),
        cmocka_unit_test(buckets_fill_by_the_clock),
        cmocka_unit_test(headers_come_back),
        cmocka_unit_test(statuses_come_back),
        cmocka_unit_test(marks_come_back),
        cmocka_unit_test(hashes_are_taken_out_again),
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(forms_of_typed_json),
        cmocka_unit_test(wrong_typed_json_is_refused),
        cmocka_unit_test(large_values_are_written_in_slices),
        cmocka_unit_test(reject_files_are_vouched_for),
        cmocka_unit_test(a_reject_line),
        cmocka_unit_test(mended_lines_are_read),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(schema_differences_are_named),
        cmocka_unit_test(a_folder_has_one_holder),
        cmocka_unit_test(local_runs_come_back),
        cmocka_unit_test(a_reset_takes_only_what_is_ours),
    };
    return cmocka_run_group_tests_name("engine_parts", tests, NULL, NULL);
}
