/* The ledger in a SQLite target: whole or not at all, held by one process, refused when it was
 * edited. */
#include "base/failpoint.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 50 };

static struct ledger_chunk *make_chunks(void)
{
    static struct ledger_chunk chunks[CHUNKS];
    static char printable[CHUNKS][32];
    static uint8_t bounds[CHUNKS][16];
    for (uint64_t i = 0; i < CHUNKS; i++) {
        snprintf(printable[i], sizeof printable[i], "rowid %llu", (unsigned long long)i);
        memset(bounds[i], (int)i, sizeof bounds[i]);
        chunks[i] = (struct ledger_chunk){.number = i + 1,
                                          .stream = (uint32_t)(i / 10),
                                          .span = {.printable = printable[i],
                                                   .bounds = i == 3 ? NULL : bounds[i],
                                                   .bounds_length = i == 3 ? 0 : (uint32_t)(i % 16),
                                                   .row_estimate = i % 2 == 0 ? -1 : (int64_t)i,
                                                   .last_id = i % 3 == 0 ? NULL : printable[i]}};
    }
    return chunks;
}

static enum status create(struct database *database, const char *id, struct error *error)
{
    return sqlite_ledger.create(database, id, "{\"header\":\"x\"}",
                                "{\"format\":1,\"phase\":\"prepared\"}", make_chunks(), CHUNKS,
                                error);
}

static enum status claim(struct database *database, const char *id, uint64_t epoch, bool take_over,
                         struct ledger_holder *holder, struct error *error)
{
    return sqlite_ledger.claim(database, id, epoch, take_over ? holder : NULL, holder, error);
}

static struct database *open_new(char path[1024])
{
    snprintf(path, 1024, "%s", target_path("ledger.db"));
    return target_open(path);
}

static void what_is_created_is_loaded(void **state)
{
    (void)state;
    char path[1024];
    struct ledger_holder holder = {0};
    struct error error = {0};
    struct ledger_run *run = NULL;
    struct arena *arena = arena_create(0);
    struct database *database = open_new(path);

    assert_int_equal(sqlite_ledger.load(database, NULL, arena, &run, &error), STATUS_END);
    assert_int_equal(create(database, "run-a", &error), STATUS_OK);
    assert_int_equal(claim(database, "run-a", 0, false, &holder, &error), STATUS_OK);
    target_close(database);

    database = target_open(path);
    assert_int_equal(sqlite_ledger.load(database, NULL, arena, &run, &error), STATUS_OK);
    assert_string_equal(run->id, "run-a");
    assert_int_equal(run->epoch, 1);
    assert_string_equal(run->header, "{\"header\":\"x\"}");
    assert_int_equal(run->chunk_count, CHUNKS);
    assert_int_equal(run->done_count, 0);
    const struct ledger_chunk *expected = make_chunks();
    for (int i = 0; i < CHUNKS; i++) {
        const struct span *got = &run->chunks[i].span;
        const struct span *want = &expected[i].span;
        assert_int_equal(run->chunks[i].number, i + 1);
        assert_int_equal(run->chunks[i].stream, expected[i].stream);
        assert_string_equal(got->printable, want->printable);
        assert_int_equal(got->bounds_length, want->bounds_length);
        assert_true((got->bounds == NULL) == (want->bounds == NULL));
        if (want->bounds_length > 0) {
            assert_memory_equal(got->bounds, want->bounds, want->bounds_length);
        }
        assert_int_equal(got->row_estimate, want->row_estimate);
        assert_true((got->last_id == NULL) == (want->last_id == NULL));
    }
    assert_int_equal(sqlite_ledger.load(database, "run-b", arena, &run, &error), STATUS_END);
    arena_destroy(arena);
    target_close(database);
}

static void an_unfinished_run_bars_the_next(void **state)
{
    (void)state;
    char path[1024];
    struct ledger_holder holder = {0};
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct ledger_run *run = NULL;
    struct database *database = open_new(path);

    assert_int_equal(create(database, "run-a", &error), STATUS_OK);
    assert_int_equal(create(database, "run-b", &error), STATUS_AGAIN);
    assert_int_equal(claim(database, "run-a", 0, false, &holder, &error), STATUS_OK);
    assert_int_equal(
        sqlite_ledger.set_status(database, "run-a", 1, "{\"phase\":\"completed\"}", &error),
        STATUS_OK);
    assert_int_equal(sqlite_ledger.release(database, "run-a", 1, &error), STATUS_OK);
    assert_int_equal(create(database, "run-b", &error), STATUS_OK);
    assert_int_equal(sqlite_ledger.load(database, NULL, arena, &run, &error), STATUS_OK);
    assert_string_equal(run->id, "run-b");
    assert_int_equal(sqlite_ledger.load(database, "run-a", arena, &run, &error), STATUS_OK);
    assert_string_equal(run->status, "{\"phase\":\"completed\"}");
    /* a status that is no JSON is no finished run */
    file_execute(path, "UPDATE _transhume_run SET status = 'completed'");
    assert_int_equal(create(database, "run-c", &error), STATUS_AGAIN);
    arena_destroy(arena);
    target_close(database);
}

static void status_and_marks_follow_the_epoch(void **state)
{
    (void)state;
    char path[1024];
    struct ledger_holder holder = {0};
    struct error error = {0};
    struct arena *arena = arena_create(0);
    struct done_mark mark;
    struct database *database = open_new(path);

    assert_int_equal(create(database, "run-a", &error), STATUS_OK);
    assert_int_equal(claim(database, "run-a", 0, false, &holder, &error), STATUS_OK);
    assert_int_equal(sqlite_ledger.set_status(database, "run-a", 1, "{\"s\":1}", &error),
                     STATUS_OK);
    assert_int_equal(sqlite_ledger.done(database, "run-a", 7, arena, &mark, &error), STATUS_END);
    file_execute(path, "INSERT INTO _transhume_done VALUES('run-a', 7, 1, 'seven')");
    assert_int_equal(sqlite_ledger.done(database, "run-a", 7, arena, &mark, &error), STATUS_OK);
    assert_int_equal(mark.chunk, 7);
    assert_int_equal(mark.epoch, 1);
    assert_string_equal(mark.text, "seven");
    file_execute(path, "UPDATE _transhume_run SET epoch = 2");
    assert_int_equal(sqlite_ledger.set_status(database, "run-a", 1, "{\"s\":2}", &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_string_equal(file_ask(path, "SELECT status FROM _transhume_run"), "{\"s\":1}");
    assert_int_equal(claim(database, "run-a", 1, false, &holder, &error), STATUS_AGAIN);
    assert_string_equal(holder.name, "attempt 2");
    assert_int_equal(claim(database, "run-a", 2, false, &holder, &error), STATUS_OK);
    assert_int_equal(claim(database, "nobody", 0, false, &holder, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_LEDGER_MISSING);
    arena_destroy(arena);
    target_close(database);
}

/* ---------------------------------------------------------------- processes */

/* Runs `work` in a child; its exit status, or minus the signal that ended it. */
static int in_child(void (*work)(const char *path), const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work(path);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void child_try_claim(const char *path)
{
    struct error error = {0};
    struct ledger_holder holder = {0};
    char expected[64];
    struct database *database = NULL;

    snprintf(expected, sizeof expected, "pid %d", (int)getppid());
    if (target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK) {
        _exit(10);
    }
    if (claim(database, "run-a", 1, false, &holder, &error) != STATUS_AGAIN) {
        _exit(11);
    }
    _exit(strcmp(holder.name, expected) == 0 ? 42 : 12);
}

static void child_take_over(const char *path)
{
    struct error error = {0};
    struct ledger_holder holder = {0};
    struct database *database = NULL;

    if (target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK) {
        _exit(10);
    }
    if (claim(database, "run-a", 1, true, &holder, &error) != STATUS_OK) {
        _exit(11);
    }
    target_close(database);
    _exit(42);
}

static void a_second_process_is_told_who_holds_the_run(void **state)
{
    (void)state;
    char path[1024];
    char lock_path[1100];
    struct ledger_holder holder = {0};
    struct error error = {0};
    struct database *database = open_new(path);

    assert_int_equal(create(database, "run-a", &error), STATUS_OK);
    assert_int_equal(claim(database, "run-a", 0, false, &holder, &error), STATUS_OK);
    assert_int_equal(in_child(child_try_claim, path), 42);
    assert_string_equal(file_ask(path, "SELECT epoch FROM _transhume_run"), "1");
    /* taking it over fences the first */
    assert_int_equal(in_child(child_take_over, path), 42);
    assert_string_equal(file_ask(path, "SELECT epoch FROM _transhume_run"), "2");
    assert_int_equal(sqlite_ledger.set_status(database, "run-a", 1, "{}", &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(sqlite_ledger.release(database, "run-a", 1, &error), STATUS_OK);
    target_close(database);
    snprintf(lock_path, sizeof lock_path, "%s-transhume-lock", path);
    assert_int_not_equal(access(lock_path, F_OK), 0);
}

static void child_claim_and_die(const char *path)
{
    struct error error = {0};
    struct ledger_holder holder = {0};
    struct database *database = NULL;

    if (target_try_open(path, OPEN_TARGET, 1000, &database, &error) == STATUS_OK &&
        claim(database, "run-a", 0, false, &holder, &error) == STATUS_OK) {
        kill(getpid(), SIGKILL);
    }
}

static void a_dead_process_holds_nothing(void **state)
{
    (void)state;
    char path[1024];
    struct ledger_holder holder = {0};
    struct error error = {0};
    struct database *database = open_new(path);

    assert_int_equal(create(database, "run-a", &error), STATUS_OK);
    target_close(database);
    assert_int_equal(in_child(child_claim_and_die, path), -SIGKILL);
    database = target_open(path);
    assert_int_equal(claim(database, "run-a", 1, false, &holder, &error), STATUS_OK);
    target_close(database);
}

static const char *child_failpoint;

static void child_create_and_die(const char *path)
{
    struct error error = {0};
    struct database *database = NULL;
    struct ledger_holder holder = {0};

    setenv("TRANSHUME_FAILPOINT", child_failpoint, 1);
    if (failpoint_setup(&error) != STATUS_OK ||
        target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK ||
        create(database, "run-a", &error) != STATUS_OK ||
        claim(database, "run-a", 0, false, &holder, &error) != STATUS_OK ||
        sqlite_ledger.set_status(database, "run-a", 1, "{\"phase\":\"copying\"}", &error) !=
            STATUS_OK) {
        _exit(9);
    }
}

/* Killed at any of its boundaries, the ledger is there whole or not at all. */
static void a_killed_create_leaves_all_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *failpoint;
        bool created;
        uint64_t epoch;
        const char *status;
    } cases[] = {
        {"sqlite.before_ledger_create:kill", false, 0, ""},
        {"sqlite.after_ledger_create:kill", true, 0, "{\"format\":1,\"phase\":\"prepared\"}"},
        {"sqlite.before_claim:kill", true, 0, "{\"format\":1,\"phase\":\"prepared\"}"},
        {"sqlite.after_claim:kill", true, 1, "{\"format\":1,\"phase\":\"prepared\"}"},
        {"sqlite.before_status:kill", true, 1, "{\"format\":1,\"phase\":\"prepared\"}"},
    };
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        char path[1024];
        struct error error = {0};
        struct ledger_run *run = NULL;
        struct arena *arena = arena_create(0);

        snprintf(path, sizeof path, "%s", target_path("killed.db"));
        child_failpoint = cases[i].failpoint;
        assert_int_equal(in_child(child_create_and_die, path), -SIGKILL);
        struct database *database = target_open(path);
        enum status loaded = sqlite_ledger.load(database, NULL, arena, &run, &error);
        assert_int_equal(loaded, cases[i].created ? STATUS_OK : STATUS_END);
        if (cases[i].created) {
            assert_int_equal(run->chunk_count, CHUNKS);
            assert_int_equal(run->epoch, cases[i].epoch);
            assert_string_equal(run->status, cases[i].status);
        } else {
            assert_int_equal(create(database, "run-a", &error), STATUS_OK);
        }
        target_close(database);
        arena_destroy(arena);
    }
}

/* ---------------------------------------------------------------- damage */

static void edits_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum error_code code;
    } cases[] = {
        {"UPDATE _transhume_run SET format = 2", ERROR_FORMAT_NEWER},
        {"UPDATE _transhume_run SET format = 0", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_run SET header = '{}'", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_run SET chunk_count = 49", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_run SET chunk_count = 9000000000000", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_run SET chunk_count = -1", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_run SET epoch = -1", ERROR_LEDGER_INVALID},
        {"DELETE FROM _transhume_chunk WHERE number = 50", ERROR_LEDGER_INVALID},
        {"DELETE FROM _transhume_chunk WHERE number = 7", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_chunk SET bounds = x'00' WHERE number = 9", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_chunk SET stream = 3 WHERE number = 9", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_chunk SET printable = NULL WHERE number = 9", ERROR_LEDGER_INVALID},
        {"INSERT INTO _transhume_done VALUES('run-a', 51, 1, '')", ERROR_LEDGER_INVALID},
        {"INSERT INTO _transhume_done VALUES('run-a', 0, 1, '')", ERROR_LEDGER_INVALID},
        {"INSERT INTO _transhume_done VALUES('run-a', 1, 2, '')", ERROR_LEDGER_INVALID},
        {"DROP TABLE _transhume_chunk", ERROR_LEDGER_INVALID},
        {"DROP TABLE _transhume_done", ERROR_LEDGER_INVALID},
        {"DROP TABLE _transhume_run", ERROR_LEDGER_INVALID},
        {"ALTER TABLE _transhume_run RENAME COLUMN header TO head", ERROR_LEDGER_INVALID},
    };
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        char path[1024];
        struct ledger_holder holder = {0};
        struct error error = {0};
        struct ledger_run *run = NULL;
        struct arena *arena = arena_create(0);
        struct database *database = open_new(path);

        assert_int_equal(create(database, "run-a", &error), STATUS_OK);
        assert_int_equal(claim(database, "run-a", 0, false, &holder, &error), STATUS_OK);
        target_close(database);
        file_execute(path, cases[i].sql);
        database = target_open(path);
        if (sqlite_ledger.load(database, NULL, arena, &run, &error) != STATUS_FAILED ||
            error.code != cases[i].code) {
            fail_msg("%s: %s", cases[i].sql, error.message);
        }
        assert_true(error.hint[0] != '\0');
        assert_null(run);
        target_close(database);
        arena_destroy(arena);
    }
}

/* ---------------------------------------------------------------- starting over */

static void reopening_empties_only_what_the_run_made(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    static const char *const names[] = {"v"};
    static const struct schema_column column = {.name = "v"};
    struct target_table tables[] = {{.name = "made", .columns = &column, .column_count = 1},
                                    {.name = "there", .columns = &column, .column_count = 1}};
    const struct target_table *made[] = {&tables[0]};
    const struct target_table *there[] = {&tables[1]};
    const uint64_t chunks[] = {1, 2};

    snprintf(path, sizeof path, "%s", target_path("reopen.db"));
    file_execute(path, "CREATE TABLE there(v); INSERT INTO there VALUES(1)");
    struct database *database = target_open(path);
    target_begin_run(database, 3);
    assert_int_equal(sqlite_target.prepare(database, tables, 2, NULL, &error), STATUS_OK);
    assert_true(tables[0].created);
    assert_false(tables[1].created);
    struct writer *writer = target_writer(database, tables, 2);
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        struct cell cell = cell_int64((int64_t)chunk);
        struct batch_result result = target_write_chunk(
            writer, database, chunk, target_batch(target_shape(names, 1), &cell, 1));
        target_result_free(&result);
    }
    sqlite_target.writer_close(writer);
    assert_int_equal(sqlite_ledger.reopen(database, "run-1", 1, chunks, 2, there, 1, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_NOT_EMPTY);
    assert_string_equal(file_ask(path, "SELECT count(*) FROM _transhume_done"), "3");
    assert_int_equal(sqlite_ledger.reopen(database, "run-1", 2, chunks, 2, made, 1, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(sqlite_ledger.reopen(database, "run-1", 1, chunks, 2, made, 1, &error),
                     STATUS_OK);
    assert_string_equal(file_ask(path, "SELECT group_concat(chunk) FROM _transhume_done"), "3");
    assert_string_equal(
        file_ask(path, "SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM there)"), "0|1");
    target_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_created_is_loaded),
        cmocka_unit_test(an_unfinished_run_bars_the_next),
        cmocka_unit_test(status_and_marks_follow_the_epoch),
        cmocka_unit_test(a_second_process_is_told_who_holds_the_run),
        cmocka_unit_test(a_dead_process_holds_nothing),
        cmocka_unit_test(a_killed_create_leaves_all_or_nothing),
        cmocka_unit_test(edits_are_found),
        cmocka_unit_test(reopening_empties_only_what_the_run_made),
    };
    return cmocka_run_group_tests_name("sqlite_target_ledger", tests, NULL, NULL);
}
