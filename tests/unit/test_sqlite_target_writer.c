/* The SQLite writer: rejects that never cost their batch, existing records, fencing, large values.
 */
#include "base/failpoint.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file with one table, a run of ten chunks and a writer. */
struct bed {
    char path[1024];
    struct database *database;
    struct target_table table;
    struct writer *writer;
};

static struct bed bed_make(const char *sql, enum existing_policy existing, struct column_list key)
{
    struct bed bed = {.table = {.name = "t", .existing = existing, .key = key}};
    snprintf(bed.path, sizeof bed.path, "%s", target_path("writer.db"));
    file_execute(bed.path, sql);
    bed.database = target_open(bed.path);
    target_begin_run(bed.database, 10);
    return bed;
}

static struct bed *bed_start(struct bed *bed)
{
    bed->writer = target_writer(bed->database, &bed->table, 1);
    return bed;
}

static void bed_end(struct bed *bed)
{
    sqlite_target.writer_close(bed->writer);
    target_close(bed->database);
}

static const char *const ab[] = {"a", "b"};
static const char *const key_a[] = {"a"};
static const struct column_list by_a = {key_a, 1};
static const struct column_list no_key = {NULL, 0};

static struct batch_result write_pairs(struct bed *bed, uint64_t chunk, const struct cell *cells,
                                       uint32_t rows)
{
    return target_write_chunk(bed->writer, bed->database, chunk,
                              target_batch(target_shape(ab, 2), cells, rows));
}

/* ---------------------------------------------------------------- rejects */

/* Any pattern of bad rows: exactly these are refused, all others are there. */
static void a_refused_row_never_costs_its_batch(void **state)
{
    (void)state;
    struct random random = random_start();
    enum { ROWS = 300 };
    static struct cell cells[ROWS * 2];
    static bool bad[ROWS];

    for (long round = 0; round < test_rounds(30); round++) {
        struct bed bed =
            bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL CHECK(b <> 'no'))",
                     EXISTING_APPEND, by_a);
        bed_start(&bed);
        uint32_t one_in = (uint32_t)random_between(&random, 1, 100);
        uint32_t bad_count = 0;
        for (uint32_t row = 0; row < ROWS; row++) {
            bad[row] = random_below(&random, one_in) == 0;
            bad_count += bad[row];
            cells[row * 2] = cell_int64((int64_t)row * 3);
            cells[row * 2 + 1] = CELL_TEXT("fine");
            if (bad[row]) {
                switch (random_below(&random, 4)) {
                case 0:
                    cells[row * 2] = CELL_TEXT("no number");
                    break;
                case 1:
                    cells[row * 2 + 1] = cell_null();
                    break;
                case 2:
                    cells[row * 2 + 1] = CELL_TEXT("no");
                    break;
                default:
                    cells[row * 2] = cell_null();
                    break;
                }
            }
        }
        struct batch_result result = write_pairs(&bed, 1, cells, ROWS);
        assert_int_equal(result.outcome_count, bad_count);
        assert_int_equal(result.written, ROWS - bad_count);
        for (uint32_t i = 0; i < result.outcome_count; i++) {
            assert_true(bad[result.outcomes[i].row]);
            assert_true(i == 0 || result.outcomes[i].row > result.outcomes[i - 1].row);
            assert_int_equal(result.outcomes[i].kind, OUTCOME_REJECTED);
            assert_true(strlen(result.outcomes[i].reason) > 10);
        }
        target_result_free(&result);
        bed_end(&bed);
        char expected[64];
        snprintf(expected, sizeof expected, "%u", ROWS - bad_count);
        assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), expected);
    }
}

static void the_first_of_equal_keys_stays(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x"), cell_int64(2), CELL_TEXT("y"),
                           cell_int64(1), CELL_TEXT("z"), cell_int64(3), CELL_TEXT("w")};
    struct bed bed = bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", EXISTING_APPEND, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 4);
    assert_int_equal(result.outcome_count, 1);
    assert_int_equal(result.outcomes[0].row, 2);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_DUPLICATE);
    assert_string_equal(result.outcomes[0].reason, "UNIQUE constraint failed: t.a (a = 1)");
    target_result_free(&result);
    /* and again in a later chunk */
    result = write_pairs(&bed, 2, cells, 4);
    assert_int_equal(result.outcome_count, 4);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT a, b FROM t"), "1|x\n2|y\n3|w");
}

static void reasons_name_constraint_columns_and_values(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x"), cell_int64(2),  CELL_TEXT("x"),
                           cell_int64(3), cell_null(),    cell_int64(-4), CELL_TEXT("q"),
                           cell_null(),   CELL_TEXT("w")};
    struct bed bed = bed_make("CREATE TABLE t(a INT PRIMARY KEY NOT NULL, b TEXT NOT NULL, "
                              "UNIQUE(b), CONSTRAINT positive CHECK(a > 0))",
                              EXISTING_APPEND, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 5);
    assert_int_equal(result.written, 1);
    assert_int_equal(result.outcome_count, 4);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_CONSTRAINT);
    assert_string_equal(result.outcomes[0].reason, "UNIQUE constraint failed: t.b (b = \"x\")");
    assert_int_equal(result.outcomes[1].code, ERROR_REJECT_CONSTRAINT);
    assert_string_equal(result.outcomes[1].reason, "NOT NULL constraint failed: t.b (b = null)");
    assert_int_equal(result.outcomes[2].code, ERROR_REJECT_CONSTRAINT);
    assert_non_null(strstr(result.outcomes[2].reason, "CHECK constraint failed: positive"));
    assert_int_equal(result.outcomes[3].code, ERROR_REJECT_KEY_NULL);
    target_result_free(&result);
    bed_end(&bed);
}

/* A table's own conflict clauses would drop or replace records without a word. */
static void conflict_clauses_of_the_table_are_overruled(void **state)
{
    (void)state;
    static const char *const clauses[] = {"IGNORE", "REPLACE", "FAIL", "ROLLBACK"};
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x"), cell_int64(1), CELL_TEXT("y"),
                           cell_int64(2), cell_null(),    cell_int64(3), CELL_TEXT("z")};
    for (uint32_t i = 0; i < COUNT_OF(clauses); i++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE t(a INT PRIMARY KEY ON CONFLICT %s, b TEXT NOT NULL ON CONFLICT %s)",
                 clauses[i], clauses[i]);
        struct bed bed = bed_make(sql, EXISTING_APPEND, by_a);
        bed_start(&bed);
        struct batch_result result = write_pairs(&bed, 1, cells, 4);
        assert_int_equal(result.written, 2);
        assert_int_equal(result.outcome_count, 2);
        target_result_free(&result);
        bed_end(&bed);
        assert_string_equal(file_ask(bed.path, "SELECT a, b FROM t ORDER BY a"), "1|x\n3|z");
    }
}

static void triggers_that_refuse_or_leave_out_make_rejects(void **state)
{
    (void)state;
    enum { ROWS = 40 };
    struct cell cells[ROWS * 2];
    struct bed bed = bed_make(
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE log(n);"
        "CREATE TRIGGER refuse BEFORE INSERT ON t WHEN new.a = 7 BEGIN SELECT RAISE(ABORT, 'not seven'); END;"
        "CREATE TRIGGER half BEFORE INSERT ON t WHEN new.a = 8 BEGIN "
        "INSERT INTO log VALUES(8); SELECT RAISE(FAIL, 'not eight'); END;"
        "CREATE TRIGGER leave BEFORE INSERT ON t WHEN new.a = 20 BEGIN SELECT RAISE(IGNORE); END;"
        "CREATE TRIGGER write AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.a); END;",
        EXISTING_APPEND, by_a);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = cell_null();
    }
    struct batch_result result = write_pairs(&bed, 1, cells, ROWS);
    assert_int_equal(result.outcome_count, 3);
    assert_int_equal(result.outcomes[0].row, 7);
    assert_non_null(strstr(result.outcomes[0].reason, "not seven"));
    assert_int_equal(result.outcomes[1].row, 8);
    assert_int_equal(result.outcomes[2].row, 20);
    assert_non_null(strstr(result.outcomes[2].reason, "trigger"));
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "37");
    assert_string_equal(file_ask(bed.path, "SELECT count(*), count(DISTINCT n) FROM log"), "37|37");
}

static void a_trigger_that_rolls_back_stops_the_run(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null(), cell_int64(2), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
                              "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.a = 2 "
                              "BEGIN SELECT RAISE(ROLLBACK, 'away'); END",
                              EXISTING_APPEND, by_a);
    bed_start(&bed);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(
        sqlite_target.submit(bed.writer, 1, 0, target_batch(target_shape(ab, 2), cells, 2), &error),
        STATUS_FAILED);
    assert_non_null(strstr(error.message, "rolled"));
    sqlite_target.chunk_abandon(bed.writer, 1);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
}

static void expressions_that_fail_on_a_value_make_rejects(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1),  CELL_TEXT("{\"n\":5}"), cell_int64(2),
                           CELL_TEXT("{"), cell_int64(3),          CELL_TEXT("{\"n\":6}")};
    struct bed bed = bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, "
                              "n GENERATED ALWAYS AS (json_extract(b, '$.n')) STORED)",
                              EXISTING_APPEND, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 3);
    assert_int_equal(result.written, 2);
    assert_int_equal(result.outcomes[0].row, 1);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_CONSTRAINT);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT a, n FROM t"), "1|5\n3|6");
}

static void generated_columns_are_left_out(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "twice", "b"};
    struct cell cells[] = {cell_int64(4), cell_int64(99), CELL_TEXT("x")};
    struct bed bed = bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, twice INT AS (a * 2), b)",
                              EXISTING_APPEND, by_a);
    bed_start(&bed);
    struct batch_result result = target_write_chunk(bed.writer, bed.database, 1,
                                                    target_batch(target_shape(names, 3), cells, 1));
    assert_int_equal(result.written, 1);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT a, twice, b FROM t"), "4|8|x");
}

/* ---------------------------------------------------------------- records that are there */

static const char with_rows[] =
    "CREATE TABLE t(a INT PRIMARY KEY, b TEXT, c TEXT DEFAULT ('new' || 1), d INT NOT NULL DEFAULT 7);"
    "INSERT INTO t VALUES(1, 'old', 'kept', 1), (3, 'old', 'kept', 3);";

static void upsert_changes_the_plans_columns_only(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x"), cell_int64(2), CELL_TEXT("y")};
    struct bed bed = bed_make(with_rows, EXISTING_UPSERT, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 2);
    assert_int_equal(result.written, 2);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT * FROM t ORDER BY a"),
                        "1|x|kept|1\n2|y|new1|7\n3|old|kept|3");
}

static void replace_sets_the_whole_record(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x")};
    struct bed bed = bed_make(with_rows, EXISTING_REPLACE, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 1);
    assert_int_equal(result.written, 1);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT * FROM t ORDER BY a"),
                        "1|x|new1|7\n3|old|kept|3");
}

/* INSERT OR REPLACE would delete another record here. */
static void replace_never_deletes_another_record(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("taken")};
    struct bed bed = bed_make("CREATE TABLE t(a INT PRIMARY KEY, b TEXT UNIQUE);"
                              "INSERT INTO t VALUES(1, 'x'), (2, 'taken')",
                              EXISTING_REPLACE, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 1);
    assert_int_equal(result.outcome_count, 1);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_CONSTRAINT);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT * FROM t ORDER BY a"), "1|x\n2|taken");
}

static void skip_counts_what_it_leaves(void **state)
{
    (void)state;
    enum { ROWS = 64 };
    struct cell cells[ROWS * 2];
    struct bed bed = bed_make(with_rows, EXISTING_SKIP, by_a);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = i == 50 ? cell_null() : CELL_TEXT("new");
    }
    struct batch_result result = write_pairs(&bed, 1, cells, ROWS);
    assert_int_equal(result.written, ROWS - 2);
    assert_int_equal(result.outcome_count, 2);
    assert_int_equal(result.outcomes[0].kind, OUTCOME_SKIPPED);
    assert_int_equal(result.outcomes[0].row, 1);
    assert_int_equal(result.outcomes[1].row, 3);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT b, count(*) FROM t GROUP BY b ORDER BY b"),
                        "NULL|1\nnew|61\nold|2");
}

static void skip_still_refuses_what_breaks_a_constraint(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), CELL_TEXT("x"), cell_int64(9), CELL_TEXT("no")};
    struct bed bed = bed_make("CREATE TABLE t(a INT PRIMARY KEY, b TEXT CHECK(b <> 'no'));"
                              "INSERT INTO t VALUES(1, 'old')",
                              EXISTING_SKIP, by_a);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 2);
    assert_int_equal(result.outcome_count, 2);
    assert_int_equal(result.outcomes[0].kind, OUTCOME_SKIPPED);
    assert_int_equal(result.outcomes[1].kind, OUTCOME_REJECTED);
    target_result_free(&result);
    bed_end(&bed);
}

/* Two records of one run under one key are never silent, whatever may be done to older ones. */
static void a_second_record_of_the_run_is_no_older_one(void **state)
{
    (void)state;
    static const enum existing_policy policies[] = {EXISTING_UPSERT, EXISTING_REPLACE,
                                                    EXISTING_SKIP};
    static const char *const left[] = {"1|a\n5|x", "1|a\n5|x", "1|old\n5|x"};
    struct cell first[] = {cell_int64(1),  CELL_TEXT("a"), cell_int64(5),
                           CELL_TEXT("x"), cell_int64(5),  CELL_TEXT("y")};
    struct cell second[] = {cell_int64(1), CELL_TEXT("b"), cell_null(), CELL_TEXT("n")};

    for (uint32_t i = 0; i < COUNT_OF(policies); i++) {
        struct error error = {0};
        struct bed bed =
            bed_make("CREATE TABLE t(a INT PRIMARY KEY, b); INSERT INTO t VALUES(1, 'old')",
                     policies[i], by_a);
        bed_start(&bed);
        /* an attempt that is abandoned leaves nothing behind */
        assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
        struct batch_result result = target_write(bed.writer, bed.database, 1, 0,
                                                  target_batch(target_shape(ab, 2), first, 3));
        target_result_free(&result);
        sqlite_target.chunk_abandon(bed.writer, 1);

        result = write_pairs(&bed, 1, first, 3);
        assert_int_equal(result.written, policies[i] == EXISTING_SKIP ? 1 : 2);
        const struct record_outcome *last = &result.outcomes[result.outcome_count - 1];
        assert_int_equal(last->row, 2);
        assert_int_equal(last->code, ERROR_REJECT_KEY_DUPLICATE);
        assert_non_null(strstr(last->reason, "a = 5"));
        target_result_free(&result);
        result = write_pairs(&bed, 2, second, 2);
        assert_int_equal(result.written, 0);
        assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_DUPLICATE);
        assert_int_equal(result.outcomes[1].code, ERROR_REJECT_KEY_NULL);
        target_result_free(&result);
        sqlite_target.writer_close(bed.writer);
        assert_int_equal(sqlite_target.after_load(bed.database, &bed.table, 1, NULL, NULL, &error),
                         STATUS_OK);
        target_close(bed.database);
        assert_string_equal(file_ask(bed.path, "SELECT a, b FROM t ORDER BY a"), left[i]);
        assert_string_equal(
            file_ask(bed.path,
                     "SELECT count(*) FROM sqlite_schema WHERE name GLOB '_transhume_key*'"),
            "0");
    }
}

static void composite_text_keys_follow_their_collation(void **state)
{
    (void)state;
    static const char *const names[] = {"k1", "K 2\"", "v"};
    static const char *const keys[] = {"k1", "K 2\""};
    struct cell cells[] = {CELL_TEXT("A"), cell_int64(1), CELL_TEXT("new"),
                           CELL_TEXT("a"), cell_int64(1), CELL_TEXT("second")};
    struct bed bed = bed_make("CREATE TABLE t(k1 TEXT COLLATE NOCASE, \"k 2\"\"\" INT, v, "
                              "PRIMARY KEY(k1, \"k 2\"\"\")) WITHOUT ROWID;"
                              "INSERT INTO t VALUES('a', 1, 'old')",
                              EXISTING_UPSERT, (struct column_list){keys, 2});
    bed_start(&bed);
    struct batch_result result = target_write_chunk(bed.writer, bed.database, 1,
                                                    target_batch(target_shape(names, 3), cells, 2));
    assert_int_equal(result.written, 1);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_DUPLICATE);
    target_result_free(&result);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT * FROM t"), "a|1|new");
}

/* ---------------------------------------------------------------- transactions */

static void a_chunk_and_its_mark_are_one_commit(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 3, 1, &error), STATUS_OK);
    struct batch_result result =
        target_write(bed.writer, bed.database, 3, 0, target_batch(target_shape(ab, 2), cells, 1));
    target_result_free(&result);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
    sqlite_target.chunk_abandon(bed.writer, 3);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM _transhume_done"), "0");
    result = write_pairs(&bed, 3, cells, 1);
    target_result_free(&result);
    assert_string_equal(
        file_ask(bed.path,
                 "SELECT (SELECT count(*) FROM t), run, chunk, epoch, mark FROM _transhume_done"),
        "1|run-1|3|1|{}");
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
    char holder[64];
    struct database *database = NULL;
    struct target_table table = {.name = "t", .existing = EXISTING_APPEND};

    setenv("TRANSHUME_FAILPOINT", child_failpoint, 1);
    if (failpoint_setup(&error) != STATUS_OK ||
        target_try_open(path, OPEN_TARGET, 1000, &database, &error) != STATUS_OK ||
        sqlite_ledger.claim(database, "run-1", 1, false, holder, sizeof holder, &error) !=
            STATUS_OK) {
        _exit(9);
    }
    struct writer *writer = NULL;
    if (sqlite_target.writer_open(database, &table, 1, 2, &writer, &error) != STATUS_OK) {
        _exit(10);
    }
    for (int64_t chunk = 1; chunk <= 5; chunk++) {
        struct cell cells[] = {cell_int64(chunk), cell_null()};
        struct done_mark mark = {.chunk = (uint64_t)chunk, .epoch = 2, .text = "{}"};
        if (sqlite_target.chunk_begin(writer, mark.chunk, 1, &error) != STATUS_OK) {
            _exit(11);
        }
        struct batch_result result = target_write(writer, database, mark.chunk, 0,
                                                  target_batch(target_shape(ab, 2), cells, 1));
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
            struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
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
            assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM _transhume_done"), done);
            assert_string_equal(
                file_ask(bed.path, "SELECT count(*) FROM t JOIN _transhume_done ON a = chunk"),
                done);
        }
    }
}

static void a_commit_may_be_called_again(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    struct batch_result result = write_pairs(&bed, 1, cells, 1);
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
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = i % 7 == 3 ? cell_uint64(UINT64_MAX) : cell_null();
    }
    struct batch_result result = write_pairs(&bed, 1, cells, ROWS);
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
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    file_execute(bed.path, "UPDATE _transhume_run SET epoch = 2");
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    struct batch_result result =
        target_write(bed.writer, bed.database, 1, 0, target_batch(target_shape(ab, 2), cells, 1));
    target_result_free(&result);
    assert_int_equal(target_commit(bed.writer, bed.database, 1, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_RUN_FENCED);
    sqlite_target.chunk_abandon(bed.writer, 1);
    bed_end(&bed);
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
    assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM _transhume_done"), "0");
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
        target_write(writer, database, 1, 0, target_batch(target_shape(ab, 2), cells, 1));
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

static void one_batch_at_a_time(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct batch_result result;
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    struct batch *first = target_batch(target_shape(ab, 2), cells, 1);
    struct batch *second = target_batch(target_shape(ab, 2), cells, 1);
    assert_int_equal(sqlite_target.poll(bed.writer, 0, &result, &error), STATUS_END);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(sqlite_target.submit(bed.writer, 1, 0, first, &error), STATUS_OK);
    assert_int_equal(sqlite_target.submit(bed.writer, 1, 0, second, &error), STATUS_AGAIN);
    batch_destroy(second);
    sqlite_target.chunk_abandon(bed.writer, 1); /* and frees the first */
    assert_int_equal(sqlite_target.poll(bed.writer, 0, &result, &error), STATUS_END);
    bed_end(&bed);
}

/* ---------------------------------------------------------------- large values */

struct pattern_value {
    struct large_value base;
    uint64_t largest_read;
    int released;
};

static enum status pattern_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                                struct error *error)
{
    struct pattern_value *value = (struct pattern_value *)self;
    (void)error;
    assert_true(offset + size <= self->length);
    for (size_t i = 0; i < size; i++) {
        uint64_t position = offset + i;
        ((uint8_t *)bytes)[i] = (uint8_t)('a' + (position * 7 + position / 1000) % 26);
    }
    value->largest_read = size > value->largest_read ? size : value->largest_read;
    return STATUS_OK;
}

static void pattern_release(struct large_value *self)
{
    ((struct pattern_value *)self)->released++;
}

static struct batch *large_batch(const struct shape *shape, struct cell *cells, uint32_t rows,
                                 struct pattern_value *values, uint32_t value_count)
{
    struct batch *batch = target_batch(shape, cells, rows);
    for (uint32_t i = 0; i < value_count; i++) {
        batch_keep_large(batch, &values[i].base);
    }
    return batch;
}

static void check_pattern(const char *path, const char *sql, uint64_t length)
{
    sqlite3 *connection = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(row, 0), length);
    const uint8_t *bytes = sqlite3_column_blob(row, 0);
    for (uint64_t i = 0; i < length; i++) {
        if (bytes[i] != 'a' + (i * 7 + i / 1000) % 26) {
            fail_msg("byte %llu differs", (unsigned long long)i);
        }
    }
    sqlite3_finalize(row);
    sqlite3_close(connection);
}

static void large_values_arrive_whole(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum value_kind kind;
        bool sliced;
    } cases[] = {
        {"CREATE TABLE t(a INTEGER PRIMARY KEY, b)", VALUE_BYTES, true},
        {"CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB, c INT)", VALUE_BYTES, true},
        {"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)", VALUE_TEXT, false},
        {"CREATE TABLE t(a INT, b, PRIMARY KEY(a)) WITHOUT ROWID", VALUE_BYTES, false},
        {"CREATE TABLE t(b, a)", VALUE_BYTES, false},
        {"CREATE TABLE t(a INT, b CHECK(length(b) = 0 OR substr(b, 1, 1) <> x'00'))", VALUE_BYTES,
         false},
        {"CREATE TABLE t(a INT, b, n INT AS (length(b)) STORED)", VALUE_BYTES, false},
        {"CREATE TABLE t(a INT, b UNIQUE)", VALUE_BYTES, false},
    };
    enum { LENGTH = 3000001 };
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        struct pattern_value values[2] = {{{0}, 0, 0}, {{0}, 0, 0}};
        for (int v = 0; v < 2; v++) {
            values[v].base = (struct large_value){.kind = cases[i].kind,
                                                  .length = v == 0 ? LENGTH : 1500000,
                                                  .read = pattern_read,
                                                  .release = pattern_release};
        }
        struct cell cells[] = {
            cell_int64(1), CELL_TEXT("small"),
            cell_int64(2), {.kind = VALUE_LARGE, .large = &values[0].base},
            cell_int64(3), CELL_TEXT("small too"),
            cell_int64(4), {.kind = VALUE_LARGE, .large = &values[1].base},
        };
        struct bed bed = bed_make(cases[i].sql, EXISTING_APPEND, by_a);
        bed_start(&bed);
        struct batch_result result = target_write_chunk(
            bed.writer, bed.database, 1, large_batch(target_shape(ab, 2), cells, 4, values, 2));
        assert_int_equal(result.written, 4);
        target_result_free(&result);
        assert_int_equal(values[0].released, 1);
        assert_int_equal(values[1].released, 1);
        assert_true((values[0].largest_read < LENGTH) == cases[i].sliced);
        bed_end(&bed);
        check_pattern(bed.path, "SELECT b FROM t WHERE a = 2", LENGTH);
        check_pattern(bed.path, "SELECT b FROM t WHERE a = 4", 1500000);
        assert_string_equal(
            file_ask(bed.path, "SELECT count(*), min(typeof(b)) FROM t WHERE a IN (2, 4)"),
            cases[i].kind == VALUE_TEXT ? "2|text" : "2|blob");
    }
}

static enum status broken_read(struct large_value *self, uint64_t offset, void *bytes, size_t size,
                               struct error *error)
{
    (void)self;
    (void)offset;
    (void)bytes;
    (void)size;
    return error_set(error, ERROR_SOURCE_READ, "shop.db", "the value is gone");
}

static void a_large_value_that_cannot_be_read_is_the_sources_fault(void **state)
{
    (void)state;
    static const char *const tables[] = {"CREATE TABLE t(a INTEGER PRIMARY KEY, b)",
                                         "CREATE TABLE t(b, a INTEGER PRIMARY KEY)",
                                         "CREATE TABLE t(b, a)"};
    for (uint32_t i = 0; i < COUNT_OF(tables); i++) {
        struct pattern_value value = {{.kind = VALUE_BYTES,
                                       .length = 2000000,
                                       .read = broken_read,
                                       .release = pattern_release},
                                      0,
                                      0};
        struct cell cells[] = {cell_int64(2), {.kind = VALUE_LARGE, .large = &value.base}};
        struct error error = {0};
        struct bed bed = bed_make(tables[i], EXISTING_APPEND, no_key);
        bed_start(&bed);
        assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
        struct batch *batch = large_batch(target_shape(ab, 2), cells, 1, &value, 1);
        assert_int_equal(sqlite_target.submit(bed.writer, 1, 0, batch, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_SOURCE_READ);
        sqlite_target.chunk_abandon(bed.writer, 1);
        assert_int_equal(value.released, 1);
        bed_end(&bed);
        assert_string_equal(file_ask(bed.path, "SELECT count(*) FROM t"), "0");
    }
}

static void unknown_columns_are_a_schema_error(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "zz"};
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, no_key);
    bed_start(&bed);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(sqlite_target.submit(bed.writer, 1, 0,
                                          target_batch(target_shape(names, 2), cells, 1), &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
    sqlite_target.chunk_abandon(bed.writer, 1);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_row_never_costs_its_batch),
        cmocka_unit_test(the_first_of_equal_keys_stays),
        cmocka_unit_test(reasons_name_constraint_columns_and_values),
        cmocka_unit_test(conflict_clauses_of_the_table_are_overruled),
        cmocka_unit_test(triggers_that_refuse_or_leave_out_make_rejects),
        cmocka_unit_test(a_trigger_that_rolls_back_stops_the_run),
        cmocka_unit_test(expressions_that_fail_on_a_value_make_rejects),
        cmocka_unit_test(generated_columns_are_left_out),
        cmocka_unit_test(upsert_changes_the_plans_columns_only),
        cmocka_unit_test(replace_sets_the_whole_record),
        cmocka_unit_test(replace_never_deletes_another_record),
        cmocka_unit_test(skip_counts_what_it_leaves),
        cmocka_unit_test(skip_still_refuses_what_breaks_a_constraint),
        cmocka_unit_test(a_second_record_of_the_run_is_no_older_one),
        cmocka_unit_test(composite_text_keys_follow_their_collation),
        cmocka_unit_test(a_chunk_and_its_mark_are_one_commit),
        cmocka_unit_test(killed_anywhere_rows_and_marks_agree),
        cmocka_unit_test(a_commit_may_be_called_again),
        cmocka_unit_test(without_constraints_nothing_is_doubled_either),
        cmocka_unit_test(a_later_epoch_fences_the_writer),
        cmocka_unit_test(a_locked_target_is_to_be_tried_again),
        cmocka_unit_test(one_batch_at_a_time),
        cmocka_unit_test(large_values_arrive_whole),
        cmocka_unit_test(a_large_value_that_cannot_be_read_is_the_sources_fault),
        cmocka_unit_test(unknown_columns_are_a_schema_error),
    };
    return cmocka_run_group_tests_name("sqlite_target_writer", tests, NULL, NULL);
}
