/* Whole runs against databases in memory: retries, fencing, rejects, resumes, stalls, signals. */
#include "base/failpoint.h"
#include "base/file.h"
#include "base/signals.h"
#include "support_engine.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct error failure; /* of the last run */

static enum status run_once(struct fake_store *store, const char *folder,
                            const struct run_options *options, bool resume,
                            struct run_result *result)
{
    struct run_session *session = fake_session(store, folder, options);
    error_clear(&failure);
    enum status status =
        resume ? run_resume(session, result, &failure) : run_migrate(session, result, &failure);
    run_close(session);
    return status;
}

static void expect(struct fake_store *store, const char *folder, const struct run_options *options,
                   bool resume, enum status wanted, int exit_status)
{
    struct run_result result = {0};
    enum status status = run_once(store, folder, options, resume, &result);
    if (status != wanted || (status == STATUS_OK && result.exit_status != exit_status)) {
        fail_msg("status %d exit %d: %s%s: %s", status, result.exit_status, failure.context,
                 failure.object, failure.message);
    }
}

static void expect_done(struct fake_store *store, const char *folder, bool resume)
{
    struct run_options options = fake_options();
    expect(store, folder, &options, resume, STATUS_OK, 0);
    assert_complete(store);
}

static void arm(const char *rules)
{
    struct error error;
    if (rules == NULL) {
        unsetenv("TRANSHUME_FAILPOINT");
    } else {
        setenv("TRANSHUME_FAILPOINT", rules, 1);
    }
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
}

static json_t *read_state(const char *folder)
{
    struct buffer text = {0};
    struct error error;
    assert_int_equal(run_state_read(folder, &text, &error), STATUS_OK);
    json_t *state = json_loads(buffer_string(&text), 0, NULL);
    assert_non_null(state);
    buffer_free(&text);
    return state;
}

static void assert_state(const char *folder, const char *status, bool interrupted)
{
    json_t *state = read_state(folder);
    assert_string_equal(json_string_value(json_object_get(state, "status")), status);
    assert_int_equal(json_is_true(json_object_get(state, "interrupted")), interrupted);
    json_decref(state);
}

/* ---- copies */

static void a_plain_copy(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(1234, 7);
    const char *folder = test_folder();
    expect_done(store, folder, false);
    assert_int_equal(store->commits, fake_chunk_count(store));
    assert_int_equal(store->after_loads, 1);
    assert_state(folder, "completed", false);
    json_t *run = read_state(folder);
    assert_int_equal(json_integer_value(json_object_get(run, "records_migrated")), 1241);
    json_decref(run);
    fake_store_destroy(store);
}

static void empty_tables(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(0, 0);
    expect_done(store, test_folder(), false);
    assert_int_equal(store->commits, 2);
    fake_store_destroy(store);
}

static void many_moods(void **state)
{
    (void)state;
    struct random random = random_start();
    long rounds = test_rounds(30);
    for (long round = 0; round < rounds; round++) {
        struct fake_store *store = fake_store_create((int64_t)random_below(&random, 2000),
                                                     (int64_t)random_below(&random, 500));
        struct fake_moods *moods = &store->moods;
        moods->ordered = random_below(&random, 3) == 0;
        moods->transactional = random_below(&random, 3) > 0;
        moods->asynchronous = (uint32_t)random_below(&random, 9);
        moods->writers = moods->ordered ? 1 : (uint32_t)random_between(&random, 1, 4);
        moods->chunks_open = (uint32_t)random_between(&random, 1, 4);
        moods->readers = (uint32_t)random_between(&random, 1, 5);
        moods->batch_rows_max = (uint32_t)random_below(&random, 12);
        moods->again_submit = random_between(&random, 0, 4);
        moods->fail_submit = random_between(&random, 0, 60);
        moods->fail_begin = random_between(&random, 0, 30);
        moods->fail_commit = random_between(&random, 0, 30);
        moods->fail_read = random_between(&random, 0, 60);
        moods->unknown_commit = moods->transactional ? random_between(&random, 0, 30) : 0;
        moods->unknown_not_commit = random_between(&random, 0, 30);
        moods->express = random_below(&random, 3) == 0;
        moods->express_refuses = random_between(&random, 0, 20);
        expect_done(store, test_folder(), false);
        assert_false(moods->ordered && store->out_of_order);
        fake_store_destroy(store);
    }
}

static void batches_keep_to_the_limit(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(500, 0);
    store->moods.batch_rows_max = 5;
    expect_done(store, test_folder(), false);
    assert_int_equal(store->batch_rows_seen_max, 5);
    fake_store_destroy(store);
}

static void the_express_lane_and_its_refusal(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(500, 60);
    store->moods.express = true;
    store->moods.express_refuses = 3;
    expect_done(store, test_folder(), false);
    assert_int_equal(store->pulled, 560 - 50);
    fake_store_destroy(store);

    store = fake_store_create(500, 60);
    store->moods.express = true;
    struct run_options options = fake_options();
    options.making.no_express = true;
    expect(store, test_folder(), &options, false, STATUS_OK, 0);
    assert_complete(store);
    assert_int_equal(store->pulled, 0);
    fake_store_destroy(store);
}

static void rate_caps_hold(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(300, 0);
    store->moods.express = true; /* which could not keep to the cap */
    struct run_options options = fake_options();
    struct run_result result = {0};
    options.limits.rows_per_second_max = 500;
    assert_int_equal(run_once(store, test_folder(), &options, false, &result), STATUS_OK);
    assert_complete(store);
    assert_true(result.seconds > 0.4);
    fake_store_destroy(store);
}

/* ---- failures that pass */

static void passing_failures(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++) {
        for (int ordered = 0; ordered < 2; ordered++) {
            struct fake_store *store = fake_store_create(900, 40);
            store->moods.ordered = ordered;
            store->moods.chunks_open = 2;
            store->moods.asynchronous = 3;
            _Atomic int64_t *events[] = {
                &store->moods.fail_read,      &store->moods.fail_begin,
                &store->moods.fail_submit,    &store->moods.fail_commit,
                &store->moods.unknown_commit, &store->moods.unknown_not_commit};
            atomic_store(events[which], 4);
            expect_done(store, test_folder(), false);
            assert_int_equal(atomic_load(events[which]), 0); /* it happened */
            assert_int_equal(store->commits, fake_chunk_count(store));
            assert_false(ordered && store->out_of_order);
            fake_store_destroy(store);
        }
    }
}

static void fencing_stops_the_run(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(900, 40);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.fence_at = 5;
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_RUN_FENCED);
    assert_int_equal(store->commits, 4);
    expect_done(store, folder, true);
    fake_store_destroy(store);
}

/* ---- rejects */

static void rejects_and_skips(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(400, 30);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.reject_every = 10;
    store->moods.skip_every = 7;
    store->moods.fail_commit = 3; /* whose rejects are void and come again */
    expect(store, folder, &options, false, STATUS_OK, 1);
    assert_complete(store);
    assert_int_equal(count_rejects(folder), 43);
    json_t *run = read_state(folder);
    json_t *entity = json_object_get(
        json_object_get(json_object_get(json_object_get(run, "tables"), "first"), "entities"),
        "first");
    assert_int_equal(json_integer_value(json_object_get(entity, "rejected")), 40);
    assert_int_equal(json_integer_value(json_object_get(entity, "skipped")), 57 - 5);
    json_decref(run);
    fake_store_destroy(store);
}

static void too_many_rejects(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(400, 30);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.reject_every = 10;
    options.rejects.max = 12;
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_TOO_MANY_REJECTS);
    assert_state(folder, "failed", false);
    expect(store, folder, &options, true, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_TOO_MANY_REJECTS);
    options.rejects.max = 43;
    expect(store, folder, &options, true, STATUS_OK, 1);
    assert_complete(store);
    assert_int_equal(count_rejects(folder), 43);

    struct fake_store *fast = fake_store_create(400, 30);
    options.rejects.max = -1;
    options.rejects.fail_fast = true;
    fast->moods.reject_every = 10;
    expect(fast, test_folder(), &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_TOO_MANY_REJECTS);
    fake_store_destroy(fast);
    fake_store_destroy(store);
}

/* Reads the one reject file there is after the run, mends nothing, loads it into a friendlier
 * target. */
static void mended_records_are_loaded(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(49, 0);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    char path[4096];
    store->moods.reject_every = 2;
    expect(store, folder, &options, false, STATUS_OK, 1);
    snprintf(path, sizeof(path), "%s/rejects/1-1.jsonl", folder);
    options.repair.file = path;
    store->moods.reject_every = 6;
    store->moods.batch_rows_max = 3;
    expect(store, folder, &options, false, STATUS_OK, 1);
    assert_complete(store);
    assert_int_equal(count_rejects(folder), 8); /* of the new run; the first one's moved away */
    fake_store_destroy(store);
}

/* ---- resumes */

static const char *const places[] = {
    "engine.after_ledger_create", "engine.after_claim",         "engine.before_prepare",
    "engine.after_prepare",       "engine.chunk_started",       "engine.batch_submitted",
    "engine.before_rejects_sync", "engine.after_rejects_sync",  "engine.before_commit",
    "engine.after_commit",        "engine.before_after_load",   "engine.after_after_load",
    "engine.before_settle",       "engine.after_settle",        "engine.before_completed",
    "engine.after_completed",     "engine.before_ledger_create"};

static void failed_anywhere_and_resumed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (int transactional = 0; transactional < 2; transactional++) {
            char rule[96];
            struct fake_store *store = fake_store_create(700, 20);
            struct run_options options = fake_options();
            const char *folder = test_folder();
            store->moods.transactional = transactional;
            bool repeats = strncmp(places[i], "engine.b", 8) == 0 || i == 4 || i == 9;
            bool once = strstr(places[i], "load") != NULL || strstr(places[i], "settle") != NULL ||
                        strstr(places[i], "prepare") != NULL ||
                        strstr(places[i], "complete") != NULL ||
                        strstr(places[i], "ledger") != NULL;
            snprintf(rule, sizeof(rule), "%s:error:%d", places[i], repeats && !once ? 5 : 1);
            arm(rule);
            expect(store, folder, &options, false, STATUS_FAILED, 0);
            arm(NULL);
            assert_state(folder, "failed", false);
            expect_done(store, folder, true);
            assert_state(folder, "completed", false);
            fake_store_destroy(store);
        }
    }
}

static void an_end_that_nobody_saw_is_told(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.reject_every = 10;
    arm("engine.after_completed:error");
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    arm(NULL);
    expect(store, folder, &options, true, STATUS_OK, 1);
    assert_int_equal(failure.code, ERROR_NONE);
    assert_state(folder, "completed", false);
    expect(store, folder, &options, true, STATUS_OK, 1);
    assert_int_equal(failure.code, ERROR_RUN_FINISHED);
    assert_state(folder, "completed", false);
    assert_complete(store);
    fake_store_destroy(store);
}

static void resume_has_failpoints_too(void **state)
{
    (void)state;
    static const char *const rules[] = {"resume.after_load:error", "resume.before_claim:error",
                                        "resume.after_claim:error", "resume.before_reopen:error",
                                        "resume.after_reopen:error"};
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    arm("engine.after_commit:error:4");
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        arm(rules[i]);
        expect(store, folder, &options, true, STATUS_FAILED, 0);
    }
    arm(NULL);
    expect_done(store, folder, true);
    fake_store_destroy(store);
}

static void fail_after_commits(struct fake_store *store, const char *folder, int commits)
{
    char rule[64];
    struct run_options options = fake_options();
    snprintf(rule, sizeof(rule), "engine.after_commit:error:%d", commits);
    arm(rule);
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    arm(NULL);
}

static int64_t count_in_state(const char *folder, const char *entity, const char *name)
{
    json_t *run = read_state(folder);
    json_t *table = json_object_get(json_object_get(run, "tables"), entity);
    json_t *counts = json_object_get(json_object_get(table, "entities"), entity);
    json_t *count = json_object_get(counts, name);
    assert_true(json_is_integer(count));
    int64_t number = json_integer_value(count);
    json_decref(run);
    return number;
}

/* Chunks that are done again are counted, and what the target counted for each batch; a resume
 * finds both in the done marks. */
static void what_is_done_again_is_counted(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct fake_store *store = fake_store_create(900, 40);
        const char *folder = test_folder();
        _Atomic int64_t *events[] = {&store->moods.fail_read, &store->moods.fail_submit,
                                     &store->moods.fail_commit};
        store->moods.falls_back = true;
        fail_after_commits(store, folder, 5);
        atomic_store(events[which], 2);
        expect_done(store, folder, true);
        assert_int_equal(count_in_state(folder, "first", "retries") +
                             count_in_state(folder, "second", "retries"),
                         1);
        /* a batch each is counted, those of attempts that were given up as well */
        assert_true(count_in_state(folder, "first", "fallbacks") >= 18 * 6);
        fake_store_destroy(store);
    }
}

static void a_new_snapshot_is_mixed(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    fail_after_commits(store, folder, 3);
    store->token = "moment 2";
    struct run_result result = {0};
    assert_int_equal(run_once(store, folder, &options, true, &result), STATUS_OK);
    assert_true(result.mixed_snapshot);
    assert_int_equal(result.exit_status, 1);
    assert_int_equal(store->reopened_tables, 0);
    assert_complete(store);
    fake_store_destroy(store);
}

static void before_the_first_commit_nothing_is_mixed(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    arm("engine.before_commit:error:1");
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    arm(NULL);
    store->token = "moment 2";
    expect_done(store, folder, true);
    fake_store_destroy(store);
}

static void physical_streams_start_over(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.keyed = false;
    fail_after_commits(store, folder, 3);
    store->token = "moment 2";
    struct run_result result = {0};
    assert_int_equal(run_once(store, folder, &options, true, &result), STATUS_OK);
    assert_true(result.mixed_snapshot);
    assert_int_equal(store->reopened_tables, 1);
    assert_complete(store);
    fake_store_destroy(store);
}

static void without_snapshots_it_is_said(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    store->moods.no_snapshot = true;
    fail_after_commits(store, folder, 3);
    store->token = "moment 2";
    struct run_result result = {0};
    assert_int_equal(run_once(store, folder, &options, true, &result), STATUS_OK);
    assert_true(result.no_snapshot);
    assert_false(result.mixed_snapshot);
    assert_int_equal(result.exit_status, 0);
    assert_complete(store);
    fake_store_destroy(store);
}

static void a_lost_state_folder_is_rebuilt(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct error error;
    const char *folder = test_folder();
    fail_after_commits(store, folder, 3);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
    expect_done(store, folder, true);
    assert_state(folder, "completed", false);
    fake_store_destroy(store);
}

/* Its records are there already: to write the chunk again would double them. */
static void a_commit_before_the_claim_counts(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    const char *folder = test_folder();
    fail_after_commits(store, folder, 3);
    fake_hide_mark(store, store->last_committed);
    expect_done(store, folder, true);
    assert_int_equal(store->commits, fake_chunk_count(store));
    fake_store_destroy(store);
}

static void what_was_done_before_is_shown(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(90, 20);
    struct run_options options = fake_options();
    struct run_result result = {0};
    struct error error;
    const char *folder = test_folder();
    store->moods.reject_every = 10;
    fail_after_commits(store, folder, 3);
    assert_int_equal(fake_chunk_count(store), 3);
    struct run_session *session = fake_session(store, folder, &options);
    assert_int_equal(run_resume(session, &result, &error), STATUS_OK);
    assert_int_equal(result.rejected, 11);
    assert_int_equal(atomic_load(&result.progress->entities[0].read), 90);
    assert_int_equal(atomic_load(&result.progress->entities[0].written), 81);
    assert_int_equal(atomic_load(&result.progress->entities[0].rejected), 9);
    assert_int_equal(atomic_load(&result.progress->chunks_done), 3);
    run_close(session);
    fake_store_destroy(store);
}

static void a_lost_ledger_is_refused(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    fail_after_commits(store, folder, 3);
    fake_lose_ledger(store);
    expect(store, folder, &options, true, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_LEDGER_MISSING);
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_LEDGER_MISSING);
    fake_store_destroy(store);
}

static void damaged_marks_are_refused(void **state)
{
    (void)state;
    static const char *const marks[] = {
        "{}",
        "nonsense",
        "{\"format\":99}",
        "{\"format\":1,\"chunk\":2,\"entities\":{}}",
        "{\"format\":1,\"chunk\":1,\"entities\":{\"9\":{}}}",
        "{\"format\":1,\"chunk\":1,\"entities\":{\"0\":{\"made\":3,\"written\":1}}}",
        "{\"format\":1,\"chunk\":1,\"entities\":{},\"rejects\":{\"file\":\"../../etc/passwd\"}}"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        struct fake_store *store = fake_store_create(700, 20);
        struct run_options options = fake_options();
        const char *folder = test_folder();
        fail_after_commits(store, folder, 3);
        uint64_t commits = store->commits;
        fake_put_mark(store, 1, marks[i]);
        expect(store, folder, &options, true, STATUS_FAILED, 0);
        assert_int_equal(failure.code, i == 2 ? ERROR_FORMAT_NEWER : ERROR_LEDGER_INVALID);
        assert_int_equal(store->commits, commits);
        fake_store_destroy(store);
    }
}

static void unfinished_runs_are_not_run_over(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    fail_after_commits(store, folder, 3);
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_RUN_UNFINISHED);
    expect(store, test_folder(), &options, false, STATUS_FAILED, 0); /* from elsewhere too */
    assert_int_equal(failure.code, ERROR_RUN_UNFINISHED);
    expect_done(store, folder, true);
    expect(store, folder, &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_TARGET_NOT_EMPTY);
    fake_store_destroy(store);
}

static void edited_reject_files_are_refused(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(700, 20);
    struct run_options options = fake_options();
    const char *folder = test_folder();
    char path[4096];
    store->moods.reject_every = 10;
    fail_after_commits(store, folder, 3);
    snprintf(path, sizeof(path), "%s/rejects/1-1.jsonl", folder);
    assert_int_equal(truncate(path, 10), 0);
    expect(store, folder, &options, true, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_STATE_INVALID);
    fake_store_destroy(store);
}

/* ---- stalls and signals */

static void a_hanging_target_is_a_stall(void **state)
{
    (void)state;
    struct fake_store *store = fake_store_create(100, 0);
    struct run_options options = fake_options();
    options.limits.stall_ms = 40;
    store->moods.hang = true;
    expect(store, test_folder(), &options, false, STATUS_FAILED, 0);
    assert_int_equal(failure.code, ERROR_STALLED);
    fake_store_destroy(store);
}

/* In a process of its own: the stop level only ever rises. */
static int stop_at(int level)
{
    struct fake_store *store = fake_store_create(1500, 20);
    struct run_options options = fake_options();
    struct run_result result = {0};
    const char *folder = test_folder();
    store->moods.stop_at = 3;
    store->moods.stop_signals = level;
    struct run_session *session = fake_session(store, folder, &options);
    signals_setup();
    enum status status = run_migrate(session, &result, &failure);
    run_close(session);
    bool partial = store->commits >= 3 && store->commits < fake_chunk_count(store);
    if (status != STATUS_OK || result.exit_status != 4 || !partial) {
        print_error("status %d exit %d commits %d: %s\n", status, result.exit_status,
                    (int)store->commits, failure.message);
        return 1;
    }
    if (level == 1 && store->abandons > 0) {
        print_error("a chunk in hand was given up\n");
        return 1;
    }
    assert_state(folder, "in_progress", true);
    fake_store_destroy(store);
    return 0;
}

static void signals_leave_a_run_to_resume(void **state)
{
    (void)state;
    for (int level = 1; level <= 2; level++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            _exit(stop_at(level));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_leave_a_run_to_resume),
        cmocka_unit_test(a_plain_copy),
        cmocka_unit_test(empty_tables),
        cmocka_unit_test(many_moods),
        cmocka_unit_test(batches_keep_to_the_limit),
        cmocka_unit_test(the_express_lane_and_its_refusal),
        cmocka_unit_test(rate_caps_hold),
        cmocka_unit_test(passing_failures),
        cmocka_unit_test(what_is_done_again_is_counted),
        cmocka_unit_test(fencing_stops_the_run),
        cmocka_unit_test(rejects_and_skips),
        cmocka_unit_test(too_many_rejects),
        cmocka_unit_test(mended_records_are_loaded),
        cmocka_unit_test(failed_anywhere_and_resumed),
        cmocka_unit_test(an_end_that_nobody_saw_is_told),
        cmocka_unit_test(resume_has_failpoints_too),
        cmocka_unit_test(a_new_snapshot_is_mixed),
        cmocka_unit_test(before_the_first_commit_nothing_is_mixed),
        cmocka_unit_test(physical_streams_start_over),
        cmocka_unit_test(without_snapshots_it_is_said),
        cmocka_unit_test(a_lost_state_folder_is_rebuilt),
        cmocka_unit_test(a_commit_before_the_claim_counts),
        cmocka_unit_test(what_was_done_before_is_shown),
        cmocka_unit_test(a_lost_ledger_is_refused),
        cmocka_unit_test(damaged_marks_are_refused),
        cmocka_unit_test(unfinished_runs_are_not_run_over),
        cmocka_unit_test(edited_reject_files_are_refused),
        cmocka_unit_test(a_hanging_target_is_a_stall),
    };
    return cmocka_run_group_tests_name("engine_run", tests, NULL, NULL);
}
