/* The SQLite writer: rejects that never cost their batch, existing records, large values. */
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                     EXISTING_APPEND, bed_key_a);
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
        struct batch_result result = bed_write(&bed, 1, cells, ROWS);
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
    struct bed bed =
        bed_make("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", EXISTING_APPEND, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 4);
    assert_int_equal(result.outcome_count, 1);
    assert_int_equal(result.outcomes[0].row, 2);
    assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_DUPLICATE);
    assert_string_equal(result.outcomes[0].reason, "UNIQUE constraint failed: t.a (a = 1)");
    target_result_free(&result);
    /* and again in a later chunk */
    result = bed_write(&bed, 2, cells, 4);
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
                              EXISTING_APPEND, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 5);
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
        struct bed bed = bed_make(sql, EXISTING_APPEND, bed_key_a);
        bed_start(&bed);
        struct batch_result result = bed_write(&bed, 1, cells, 4);
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
        EXISTING_APPEND, bed_key_a);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = cell_null();
    }
    struct batch_result result = bed_write(&bed, 1, cells, ROWS);
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
                              EXISTING_APPEND, bed_key_a);
    bed_start(&bed);
    assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
    assert_int_equal(
        sqlite_target.submit(bed.writer, 1, 0, target_batch(bed_shape(), cells, 2), &error),
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
                              EXISTING_APPEND, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 3);
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
                              EXISTING_APPEND, bed_key_a);
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
    struct bed bed = bed_make(with_rows, EXISTING_UPSERT, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 2);
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
    struct bed bed = bed_make(with_rows, EXISTING_REPLACE, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 1);
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
                              EXISTING_REPLACE, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 1);
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
    struct bed bed = bed_make(with_rows, EXISTING_SKIP, bed_key_a);
    bed_start(&bed);
    for (int i = 0; i < ROWS; i++) {
        cells[i * 2] = cell_int64(i);
        cells[i * 2 + 1] = i == 50 ? cell_null() : CELL_TEXT("new");
    }
    struct batch_result result = bed_write(&bed, 1, cells, ROWS);
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
                              EXISTING_SKIP, bed_key_a);
    bed_start(&bed);
    struct batch_result result = bed_write(&bed, 1, cells, 2);
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
                     policies[i], bed_key_a);
        bed_start(&bed);
        /* an attempt that is abandoned leaves nothing behind */
        assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
        struct batch_result result =
            target_write(bed.writer, bed.database, 1, 0, target_batch(bed_shape(), first, 3));
        target_result_free(&result);
        sqlite_target.chunk_abandon(bed.writer, 1);

        result = bed_write(&bed, 1, first, 3);
        assert_int_equal(result.written, policies[i] == EXISTING_SKIP ? 1 : 2);
        const struct record_outcome *last = &result.outcomes[result.outcome_count - 1];
        assert_int_equal(last->row, 2);
        assert_int_equal(last->code, ERROR_REJECT_KEY_DUPLICATE);
        assert_non_null(strstr(last->reason, "a = 5"));
        target_result_free(&result);
        result = bed_write(&bed, 2, second, 2);
        assert_int_equal(result.written, 0);
        assert_int_equal(result.outcomes[0].code, ERROR_REJECT_KEY_DUPLICATE);
        assert_int_equal(result.outcomes[1].code, ERROR_REJECT_KEY_NULL);
        target_result_free(&result);
        sqlite_target.writer_close(bed.writer);
        assert_int_equal(target_finish(bed.database, &bed.table, 1, NULL, &error), STATUS_OK);
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

/* ---------------------------------------------------------------- the order of calls */

static void one_batch_at_a_time(void **state)
{
    (void)state;
    struct cell cells[] = {cell_int64(1), cell_null()};
    struct error error = {0};
    struct batch_result result;
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
    bed_start(&bed);
    struct batch *first = target_batch(bed_shape(), cells, 1);
    struct batch *second = target_batch(bed_shape(), cells, 1);
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
        struct bed bed = bed_make(cases[i].sql, EXISTING_APPEND, bed_key_a);
        bed_start(&bed);
        struct batch_result result = target_write_chunk(
            bed.writer, bed.database, 1, large_batch(bed_shape(), cells, 4, values, 2));
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
        struct bed bed = bed_make(tables[i], EXISTING_APPEND, bed_no_key);
        bed_start(&bed);
        assert_int_equal(sqlite_target.chunk_begin(bed.writer, 1, 1, &error), STATUS_OK);
        struct batch *batch = large_batch(bed_shape(), cells, 1, &value, 1);
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
    struct bed bed = bed_make("CREATE TABLE t(a, b)", EXISTING_APPEND, bed_no_key);
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
        cmocka_unit_test(one_batch_at_a_time),
        cmocka_unit_test(large_values_arrive_whole),
        cmocka_unit_test(a_large_value_that_cannot_be_read_is_the_sources_fault),
        cmocka_unit_test(unknown_columns_are_a_schema_error),
    };
    return cmocka_run_group_tests_name("sqlite_target_writer", tests, NULL, NULL);
}
