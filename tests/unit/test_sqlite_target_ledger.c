/* What a SQLite target keeps for the ledger: one lock a file, the guard, notes of what a run made,
 * and the file that goes with the last run. */
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 50 };

static struct database *open_new(char path[1024])
{
    snprintf(path, 1024, "%s", target_path("ledger.db"));
    return target_open(path);
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

static const char *child_run = "run-1";

static enum status child_lead(const char *path, bool take_over, struct ledger_holder *holder)
{
    struct error error = {0};
    struct database *database = NULL;
    if (target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK) {
        _exit(10);
    }
    uint64_t epoch = strcmp(child_run, "run-1") == 0 ? 1 : 0;
    enum status status =
        ledger_lead(target_ledger(database), child_run, epoch, NULL, holder, &error);
    if (status == STATUS_AGAIN && take_over) {
        status = ledger_lead(target_ledger(database), child_run, epoch, holder, holder, &error);
    }
    target_close(database);
    return status;
}

/* The parent, which works on run-1, holds the file. */
static void child_finds_parent(const char *path)
{
    struct ledger_holder holder = {0};
    char expected[64];
    bool other = strcmp(child_run, "run-1") != 0;

    snprintf(expected, sizeof expected, "pid %d", (int)getppid());
    if (child_lead(path, other, &holder) != STATUS_AGAIN) {
        _exit(11);
    }
    _exit(strcmp(holder.name, expected) == 0 && holder.pid == getppid() &&
                  strcmp(holder.run, other ? "run-1" : "") == 0
              ? 42
              : 12);
}

static void child_takes_over(const char *path)
{
    struct ledger_holder holder = {0};
    _exit(child_lead(path, true, &holder) == STATUS_OK ? 42 : 11);
}

static void a_second_process_is_told_who_holds_the_run(void **state)
{
    (void)state;
    char path[1024];
    char lock_path[1100];
    struct error error = {0};
    struct database *database = open_new(path);
    static const char epoch[] =
        "SELECT value ->> 'epoch' FROM _transhume_ledger WHERE name = 'run/run-1/leader'";

    target_begin_run(database, CHUNKS);
    child_run = "run-1";
    assert_int_equal(in_child(child_finds_parent, path), 42);
    assert_string_equal(file_ask(path, epoch), "1");
    /* taking it over fences the first */
    assert_int_equal(in_child(child_takes_over, path), 42);
    assert_string_equal(file_ask(path, epoch), "2");
    assert_int_equal(ledger_set_status(target_ledger(database), "run-1", 1, "{}", &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_int_equal(target_prepare(database, NULL, 0, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_done(ledger_release(target_ledger(database), "run-1", 1, &error));
    target_close(database);
    snprintf(lock_path, sizeof lock_path, "%s-transhume-lock", path);
    assert_int_not_equal(access(lock_path, F_OK), 0);
}

/* Nor is it taken over, since that would fence nobody. */
static void who_works_on_another_run_holds_the_file(void **state)
{
    (void)state;
    static const char *const names[] = {"other"};
    char path[1024];
    struct error error = {0};
    const char *other;
    const char *table;
    const struct ledger_chunk chunk = {.number = 1, .span = {.printable = "all"}};
    const struct ledger_new_run run = {.id = "run-2",
                                       .header = "{}",
                                       .status = "{\"phase\":\"prepared\"}",
                                       .chunks = &chunk,
                                       .chunk_count = 1,
                                       .tables = names,
                                       .table_count = 1};
    struct arena *arena = arena_create(0);
    struct database *database = open_new(path);

    target_begin_run(database, 1);
    assert_done(ledger_create(target_ledger(database), &run, arena, &other, &table, &error));
    child_run = "run-2";
    assert_int_equal(in_child(child_finds_parent, path), 42);
    assert_done(ledger_release(target_ledger(database), "run-1", 1, &error));
    assert_int_equal(in_child(child_takes_over, path), 42); /* there is nobody any more */
    arena_destroy(arena);
    target_close(database);
}

static void child_claim_and_die(const char *path)
{
    struct error error = {0};
    struct database *database = NULL;

    if (target_try_open(path, OPEN_TARGET, 1000, &database, &error) == STATUS_OK &&
        target_claim(database, "run-1", 0, &error) == STATUS_OK) {
        kill(getpid(), SIGKILL);
    }
}

static void a_dead_process_holds_nothing(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct database *database = open_new(path);

    assert_done(target_create_run(database, "run-1", CHUNKS, &error));
    target_close(database);
    assert_int_equal(in_child(child_claim_and_die, path), -SIGKILL);
    database = target_open(path);
    assert_done(target_claim(database, "run-1", 1, &error));
    target_close(database);
}

/* ---------------------------------------------------------------- damage */

static void expect_refused(const char *path, const char *sql, enum error_code code)
{
    struct error error = {0};
    struct ledger_run *run = NULL;
    struct arena *arena = arena_create(0);

    file_execute(path, sql);
    struct database *database = target_open(path);
    if (ledger_load(target_ledger(database), NULL, arena, &run, &error) != STATUS_FAILED ||
        error.code != code) {
        fail_msg("%s: %d: %s", sql, (int)error.code, error.message);
    }
    assert_true(error.hint[0] != '\0');
    assert_null(run);
    target_close(database);
    arena_destroy(arena);
}

static void edits_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum error_code code;
    } cases[] = {
        {"UPDATE _transhume_ledger SET value = replace(value, '\"format\":3', '\"format\":4') "
         "WHERE name = 'run/run-1/head'",
         ERROR_FORMAT_NEWER},
        {"UPDATE _transhume_ledger SET value = '{}' WHERE name = 'run/run-1/head'",
         ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_ledger SET value = '{}' WHERE name GLOB 'run/run-1/header/*'",
         ERROR_LEDGER_INVALID},
        {"DELETE FROM _transhume_ledger WHERE name GLOB 'run/run-1/chunks/*'",
         ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_ledger SET value = replace(value, '\"number\":7', '\"number\":8') "
         "WHERE name GLOB 'run/run-1/chunks/*'",
         ERROR_LEDGER_INVALID},
        {"DELETE FROM _transhume_ledger WHERE name = 'run/run-1/status'", ERROR_LEDGER_INVALID},
        {"INSERT INTO _transhume_ledger VALUES('run/run-1/done/0000000051', 1, '{}')",
         ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_ledger SET version = 'x'", ERROR_LEDGER_INVALID},
        {"UPDATE _transhume_ledger SET version = -1", ERROR_LEDGER_INVALID},
        {"ALTER TABLE _transhume_ledger RENAME COLUMN value TO text", ERROR_NOT_OURS},
    };
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        char path[1024];
        struct database *database = open_new(path);
        target_begin_run(database, CHUNKS);
        target_close(database);
        expect_refused(path, cases[i].sql, cases[i].code);
    }
}

static void the_first_format_is_refused(void **state)
{
    (void)state;
    static const char *const tables[] = {
        "CREATE TABLE _transhume_run(number INTEGER PRIMARY KEY, id TEXT)",
        "CREATE TABLE _transhume_done(run TEXT, chunk INTEGER)"};
    for (uint32_t i = 0; i < COUNT_OF(tables); i++) {
        char path[1024];
        struct database *database = open_new(path);
        target_close(database);
        expect_refused(path, tables[i], ERROR_LEDGER_INVALID);
        database = target_open(path);
        target_begin_run_fails(database, ERROR_LEDGER_INVALID);
        target_close(database);
        assert_string_equal(
            file_ask(path, "SELECT count(*) FROM sqlite_schema WHERE name = '_transhume_ledger'"),
            "0");
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
    struct target_table tables[] = {{.name = "Made", .columns = &column, .column_count = 1},
                                    {.name = "there", .columns = &column, .column_count = 1}};
    const struct target_table *made[] = {&tables[0]};
    const struct target_table *there[] = {&tables[1]};
    const uint64_t chunks[] = {1, 2};

    snprintf(path, sizeof path, "%s", target_path("reopen.db"));
    file_execute(path, "CREATE TABLE there(v); INSERT INTO there VALUES(1)");
    struct database *database = target_open(path);
    struct ledger *ledger = target_ledger(database);
    target_begin_run(database, 3);
    assert_done(target_prepare(database, tables, 2, NULL, &error));
    assert_true(tables[0].created);
    assert_false(tables[1].created);
    assert_string_equal(file_ask(path,
                                 "SELECT value ->> 'table' FROM _transhume_ledger WHERE name = "
                                 "'run/run-1/note/made/made'"),
                        "Made");
    struct writer *writer = target_writer(database, tables, 2);
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        struct cell cell = cell_int64((int64_t)chunk);
        struct batch_result result = target_write_chunk(
            writer, database, chunk, target_batch(target_shape(names, 1), &cell, 1));
        target_result_free(&result);
    }
    sqlite_target.writer_close(writer);
    assert_int_equal(ledger_reopen(ledger, "run-1", 1, chunks, 2, there, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_NOT_EMPTY);
    assert_string_equal(file_ask(path, "SELECT count(*) FROM " DONE_MARKS), "3");
    assert_int_equal(ledger_reopen(ledger, "run-1", 2, chunks, 2, made, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    assert_done(ledger_reopen(ledger, "run-1", 1, chunks, 2, made, 1, &error));
    assert_string_equal(file_ask(path, "SELECT group_concat(substr(name, -1)) FROM " DONE_MARKS),
                        "3");
    assert_string_equal(
        file_ask(path, "SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM there)"), "0|1");
    target_close(database);
}

/* ---------------------------------------------------------------- forgetting */

static void forget_takes_what_is_the_runs_alone(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct database *database = open_new(path);

    target_begin_run(database, 1);
    assert_done(ledger_set_status(target_ledger(database), "run-1", 1, "{\"phase\":\"completed\"}",
                                  &error));
    assert_done(target_create_run(database, "run-2", 1, &error)); /* which has its table now */
    file_execute(path, "CREATE TABLE \"_transhume_undo_run-1_t\"(a); "
                       "CREATE TABLE \"_transhume_key_run-1_t\"(a); "
                       "CREATE TABLE \"_transhume_undo_run-2_t\"(a); "
                       "CREATE TABLE \"_transhume_key_run-2_t\"(a); "
                       "CREATE TABLE _transhume_object(run, type, name, sql); "
                       "INSERT INTO _transhume_object VALUES('run-1', 'view', 'v', ''), "
                       "('run-2', 'view', 'w', '')");
    assert_done(ledger_forget(target_ledger(database), "run-1", 1, true, &error));
    assert_string_equal(file_ask(path, "SELECT group_concat(name, ' ') FROM (SELECT name FROM "
                                       "sqlite_schema WHERE type = 'table' ORDER BY name)"),
                        "_transhume_key_run-2_t _transhume_ledger _transhume_object "
                        "_transhume_undo_run-2_t");
    assert_string_equal(file_ask(path, "SELECT name FROM _transhume_object"), "w");
    assert_done(target_claim(database, "run-2", 0, &error));
    assert_done(ledger_forget(target_ledger(database), "run-2", 1, false, &error));
    assert_string_equal(file_ask(path, "SELECT count(*) FROM sqlite_schema"), "0");
    target_close(database);
    assert_int_equal(access(path, F_OK), 0); /* the last one was not rolled back */
}

static void the_file_goes_with_the_run_that_made_it(void **state)
{
    (void)state;
    static const struct {
        const char *there; /* before the run, NULL: no file */
        const char *made;  /* by somebody meanwhile */
        bool stays;
    } cases[] = {{NULL, NULL, false},
                 {"CREATE TABLE o(a); DROP TABLE o", NULL, true},
                 {NULL, "CREATE TABLE o(a)", true}};
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        char path[1024];
        struct error error = {0};
        snprintf(path, sizeof path, "%s", target_path("made.db"));
        if (cases[i].there != NULL) {
            file_execute(path, cases[i].there);
        }
        struct database *database = target_open(path);
        target_begin_run(database, 1);
        target_close(database);
        if (cases[i].made != NULL) {
            file_execute(path, cases[i].made);
        }
        database = target_open(path);
        assert_done(target_claim(database, "run-1", 1, &error));
        assert_done(ledger_forget(target_ledger(database), "run-1", 2, true, &error));
        assert_int_equal(access(path, F_OK) == 0, cases[i].stays);
        target_close(database);
        assert_int_equal(access(path, F_OK) == 0, cases[i].stays);
    }
}

/* ---------------------------------------------------------------- a ledger elsewhere */

static void notes_stay_here_where_the_ledger_is_elsewhere(void **state)
{
    (void)state;
    static const char *const names[] = {"v"};
    static const struct schema_column column = {.name = "v"};
    char path[1024];
    struct error error = {0};
    struct cell cell = cell_int64(1);
    const struct run_claim claim = {.run_id = "run-1", .epoch = 1};
    struct target_table table = {.name = "made", .columns = &column, .column_count = 1};
    struct done_mark mark = {.chunk = 1, .epoch = 1, .text = "{}"};

    snprintf(path, sizeof path, "%s", target_path("elsewhere.db"));
    for (int attempt = 0; attempt < 2; attempt++) {
        struct database *database = target_open(path);
        assert_done(sqlite_target.claimed(database, &claim, &error));
        assert_done(target_prepare(database, &table, 1, NULL, &error));
        assert_true(table.created);
        struct writer *writer = target_writer(database, &table, 1);
        assert_done(sqlite_target.chunk_begin(writer, 1, 1, &error));
        struct batch_result result =
            target_write(writer, database, 1, 0, target_batch(target_shape(names, 1), &cell, 1));
        target_result_free(&result);
        assert_done(sqlite_target.commit(writer, 1, &mark, &error));
        sqlite_target.writer_close(writer);
        sqlite_target.released(database);
        target_close(database);
    }
    assert_string_equal(file_ask(path, "SELECT count(*) FROM made"), "2");
    struct database *database = target_open(path);
    assert_done(sqlite_target.claimed(database, &claim, &error));
    assert_done(sqlite_target.forget_run(database, "run-1", false, &error));
    assert_done(sqlite_target.forget_run(database, "run-1", false, &error)); /* repeatable */
    target_close(database);
    assert_string_equal(file_ask(path, "SELECT name FROM sqlite_schema"), "made");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_process_is_told_who_holds_the_run),
        cmocka_unit_test(who_works_on_another_run_holds_the_file),
        cmocka_unit_test(a_dead_process_holds_nothing),
        cmocka_unit_test(edits_are_found),
        cmocka_unit_test(the_first_format_is_refused),
        cmocka_unit_test(reopening_empties_only_what_the_run_made),
        cmocka_unit_test(forget_takes_what_is_the_runs_alone),
        cmocka_unit_test(the_file_goes_with_the_run_that_made_it),
        cmocka_unit_test(notes_stay_here_where_the_ledger_is_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
