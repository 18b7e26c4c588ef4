/* A chunk and its done mark in one commit: killed anywhere, repeated, fenced, locked out. */
#include "base/failpoint.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_chunk_and_its_mark_are_one_commit(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
    bed_start(&bed);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 3, 1, &error), STATUS_OK);
    struct batch_result result =
        target_write(bed.writer, bed.database, 3, 0, target_batch(bed_shape(), cells, 1));
    target_result_free(&result);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
    sqlite_target.chunk_abandon(bed.writer, 3);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM " DONE_MARKS), "0");
    result = bed_write(&bed, 3, cells, 1);
    target_result_free(&result);
    assert_string_equal(
        file_ask(bed.path,
                 "SELECT (SELECT count(*) FROM t), name, version, value FROM " DONE_MARKS),
        "1|run/run-1/done/0000000003|1|{}");
    /* the same chunk again is somebody else's work */
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 3, 1, &error), STATUS_OK);
    assert_int_equal(target_commit(bed.writer, bed.database, 3, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    sqlite_target.chunk_abandon(bed.writer, 3);
    bed_end(&bed);
}

static const char *child_failpoint;

/* Writes chunks 1 to 5 of one row each, killed where the failpoint says. */
static void child_write(const char *path)
{
    struct error error = {0};
    struct database *database = NULL;
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};

    setenv("TRANSHUME_FAILPOINT", child_failpoint, 1);
    if (failpoint_setup(&error) != STATUS_OK ||
        target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK ||
        target_claim(database, "run-1", 1, &error) != STATUS_OK) {
        _exit(9);
    }
    struct writer *writer = NULL;
    if (sqlite_target.writer_open(database, &table, 1, 2, &writer, &error) != STATUS_OK) {
        _exit(10);
    }
    for (int64_t chunk = 1; chunk <= 5; chunk++) {
        struct cell cells[] = {cell_int64(chunk), cell_null()};
        char key[STORE_KEY_BYTES];
        struct done_mark mark = {.chunk = (uint64_t)chunk, .epoch = 2, .text = "{}", .key = key};
        ledger_mark_key(key, "run-1", mark.chunk);
        if (sqlite_target.chunk_begin(writer, mark.chunk, 1, &error) != STATUS_OK) {
            _exit(11);
        }
        struct batch_result result =
            target_write(writer, database, mark.chunk, 0, target_batch(bed_shape(), cells, 1));
        target_result_free(&result);
        if (sqlite_target.commit(writer, mark.chunk, &mark, &error) != STATUS_OK) {
            _exit(12);
        }
    }
    _exit(13);
}

/* Whatever the moment of a kill -9: rows and done marks agree, and nothing is half there. */
static void killed_anywhere_rows_and_marks_agree(void **state)
{
    (void)state;
    static const char *const places[] = {"sqlite.chunk_begin", "sqlite.before_mark",
                                         "sqlite.before_commit", "sqlite.after_commit"};
    for (uint32_t p = 0; p < COUNT_OF(places); p++) {
        for (int occurrence = 1; occurrence <= 5; occurrence += 2) {
            char failpoint[64];
            struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
            target_close(bed.database);
            snprintf(failpoint, sizeof failpoint, "%s:kill:%d", places[p], occurrence);
            child_failpoint = failpoint;
            fflush(NULL);
            pid_t child = fork();
            if (child == 0) {
                child_write(bed.path);
            }
            int status = 0;
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            char done[64];
            snprintf(done, sizeof done, "%d", p == 3 ? occurrence : occurrence - 1);
            assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), done);
            assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM " DONE_MARKS), done);
            assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t JOIN " DONE_MARKS
                                                   " ON a = CAST(substr(name, -10) AS INTEGER)"),
                                done);
        }
    }
}

static void a_commit_may_be_called_again(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 1);
    target_result_free(&result);
    assert_int_equal(target_commit(bed.writer, bed.database, 1, &error), STATUS_OK);
    assert_int_equal(target_commit(bed.writer, bed.database, 2, &error), STATUS_FAILED);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "1");
}

/* SQLite keeps no statement journal for a table without any constraint: part of a batch must not
 * stay. */
static void without_constraints_nothing_is_doubled_either(void **state)
{
    (void)state;
    enum { ROWS = 50 };
    struct cell cells[ROWS * 2];
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = i % 7 == 3 ? cell_uint64(UINT64_MAX) : cell_null();
    }
    struct batch_result result = bed_write(&bed, 1, cells, ROWS);
    assert_int_equal(result.outcome_count, 7);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*), count(DISTINCT a) FROM t"), "43|43");
}

static void a_later_epoch_fences_the_writer(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
    bed_start(&bed);
    file_execute(bed.path, "UPDATE _transhume_ledger SET version = version + 1 "
                           "WHERE name = 'run/run-1/leader'");
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    struct batch_result result =
        target_write(bed.writer, bed.database, 1, 0, target_batch(bed_shape(), cells, 1));
    target_result_free(&result);
    assert_int_equal(target_commit(bed.writer, bed.database, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    sqlite_target.chunk_abandon(bed.writer, 1);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM " DONE_MARKS), "0");
}

static void a_locked_target_is_to_be_tried_again(void **state)
{
    (void)state;
    struct error error = {0};
    struct database *database = NULL;
    char path[1024];
    struct target_table table = {.name = "t"};

    snprintf(path, sizeof path, "%s", target_path("locked.db"));
    file_execute(path, "CREATE TABLE t(a, b)");
    assert_int_equal(target_try_open(path, OPEN_TARGET, 200, &database, &error), STATUS_OK);
    target_begin_run(database, 1);
    struct writer *writer = target_writer(database, &table, 1);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite_target.chunk_begin(writer, 1, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_LOCKED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite_target.chunk_begin(writer, 1, 1, &error), STATUS_OK);
    /* a reader that stays makes the commit wait, and the same commit may be called again */
    assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT * FROM sqlite_schema", NULL, NULL, NULL),
                     SQLITE_OK);
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct batch_result result =
        target_write(writer, database, 1, 0, target_batch(bed_shape(), cells, 1));
    target_result_free(&result);
    assert_int_equal(target_commit(writer, database, 1, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(target_commit(writer, database, 1, &error), STATUS_OK);
    sqlite3_close(other);
    sqlite_target.writer_close(writer);
    target_close(database);
    assert_string_equal(file_ask(path, "SELECT a FROM t"), "1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_and_its_mark_are_one_commit),
        cmocka_unit_test(killed_anywhere_rows_and_marks_agree),
        cmocka_unit_test(a_commit_may_be_called_again),
        cmocka_unit_test(without_constraints_nothing_is_doubled_either),
        cmocka_unit_test(a_later_epoch_fences_the_writer),
        cmocka_unit_test(a_locked_target_is_to_be_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
