/* Values above the slice limit: handles where SQLite can slice, whole where it can't, never
 * lost. */
#include "support_sqlite_source.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_slicing(struct source_test *test, const char *path)
{
    if (source_try_open(test, path, "?slice=64KiB", true) != STATUS_OK) {
        fail_msg("%s", test->error.message);
    }
    source_take_snapshot(test, 1);
    assert_int_equal(test->source->reader_open(test->database, &test->reader, &test->error),
                     STATUS_OK);
}

static const char mixed[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB, c, n NUMERIC(5,2));"
    "INSERT INTO t VALUES(1, 'small', x'01', 'x', 1.5),"
    "(2, 'next is large', zeroblob(65536), 2, 2),"
    "(3, 'large', zeroblob(65537), NULL, 0.25),"
    "(4, printf('%.*c', 70000, 'q'), NULL, x'ff', 3),"
    "(5, 'after', x'', 7, 4.75),"
    "(6, NULL, randomblob(200000), printf('%.*c', 65537, 'z'), 5),"
    "(7, cast(zeroblob(65537) || x'ff' AS TEXT), NULL, 1.5, 6),"
    "(8, 'end', x'02', 'y', 7)";

/* Reads all, every value whole, as hexadecimal sums that the file itself can be asked for. */
static void expect_contents(const char *path, struct source_test *test,
                            struct read_request *request, const char *oracle, int handles_wanted)
{
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    struct buffer all = {0};
    int handles = 0;
    enum status status;

    assert_int_equal(test->source->cursor_open(test->reader, request, NULL, &cursor, &test->error),
                     STATUS_OK);
    while ((status = test->source->cursor_next(cursor, 3, 1 << 20, &batch, &test->error)) ==
           STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count; row++) {
            for (uint32_t i = 0; i < batch->width; i++) {
                const struct cell *cell = batch_row(batch, row) + i;
                if (cell->kind != VALUE_LARGE) {
                    uint32_t length = cell->length;
                    bool bytes = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES ||
                                 cell->kind == VALUE_ESCAPE;
                    assert_true(!bytes || cell->kind == VALUE_ESCAPE || length <= 65536 ||
                                handles_wanted == 0);
                    buffer_format(&all, "%" PRId64 " ", bytes ? (int64_t)length : -1);
                    continue;
                }
                struct large_value *large = cell->large;
                uint64_t sum = 0;
                handles++;
                for (uint64_t at = 0; at < large->length; at += 30011) {
                    unsigned char piece[30011];
                    size_t size = large->length - at < sizeof piece ? (size_t)(large->length - at)
                                                                    : sizeof piece;
                    assert_int_equal(large->read(large, at, piece, size, &test->error), STATUS_OK);
                    for (size_t b = 0; b < size; b++) {
                        sum += piece[b];
                    }
                }
                unsigned char one;
                assert_int_equal(large->read(large, large->length, &one, 1, &test->error),
                                 STATUS_FAILED);
                assert_true(large->kind == VALUE_BYTES || sum > 0);
                buffer_format(&all, "%" PRIu64 " ", large->length);
            }
            buffer_append_byte(&all, '\n');
        }
        batch_destroy(batch);
    }
    if (status != STATUS_END) {
        fail_msg("%s", test->error.message);
    }
    test->source->cursor_close(cursor);
    assert_string_equal(buffer_string(&all), sqlite_file_ask(path, oracle));
    assert_int_equal(handles, handles_wanted);
    buffer_free(&all);
}

#define LENGTHS(name)                                                       \
    "CASE WHEN typeof(" name ") IN ('text', 'blob') THEN length(CAST(" name \
    " AS BLOB)) ELSE -1 END || ' '"

static const char oracle_of_mixed[] =
    "SELECT group_concat(line, '') FROM (SELECT " LENGTHS("id") " || " LENGTHS("a") " || " LENGTHS(
        "b") " || " LENGTHS("c") " || " LENGTHS("n") " || char(10) AS line FROM t ORDER BY id)";

static void test_contents(void **state)
{
    (void)state;
    const char *path = sqlite_file(mixed);
    struct source_test test;
    open_slicing(&test, path);
    struct read_request *request = source_request(&test, "t", "id,a,b,c,n");
    /* rows 3, 4 and 6 hold four large values; the invalid text of row 7 comes whole */
    expect_contents(path, &test, request, oracle_of_mixed, 4);
    source_close(&test);
}

/* Where SQLite can't open a value by its row key, it comes whole, and all the same. */
static void test_whole(void **state)
{
    (void)state;
    char sql[2048];
    snprintf(sql, sizeof sql,
             "%s; ALTER TABLE t RENAME TO o; CREATE TABLE t(id PRIMARY KEY, a, b, c, n) "
             "WITHOUT ROWID; INSERT INTO t SELECT * FROM o; CREATE VIEW v AS SELECT * FROM o",
             mixed);
    const char *path = sqlite_file(sql);
    struct source_test test;
    open_slicing(&test, path);
    expect_contents(path, &test, source_request(&test, "t", "id,a,b,c,n"), oracle_of_mixed, 0);
    expect_contents(path, &test, source_request(&test, "v", "id,a,b,c,n"), oracle_of_mixed, 0);
    source_close(&test);

    snprintf(sql, sizeof sql, "%s; ALTER TABLE t ADD COLUMN g AS (id + 1)", mixed);
    path = sqlite_file(sql);
    open_slicing(&test, path);
    expect_contents(path, &test, source_request(&test, "t", "id,a,b,c,n"), oracle_of_mixed, 0);
    source_close(&test);
}

/* Large values on both sides of a join, in the order asked for. */
static void test_joined(void **state)
{
    (void)state;
    const char *path = sqlite_file(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE c(p INT, o TEXT, v TEXT);"
        "INSERT INTO p VALUES(1, x'01'), (2, zeroblob(100000)), (3, x'03');"
        "INSERT INTO c VALUES(1, 'b', 's'), (1, 'a', printf('%.*c', 80000, 'k')), (2, 'c', "
        "'t'), (3, 'z', printf('%.*c', 90000, 'j'))");
    struct source_test test;
    open_slicing(&test, path);
    struct read_request *request = source_request(&test, "p", "id,v,0.o,0.v");
    struct read_order order = {.join = 0, .name = "o"};
    source_joins(&test, request, 1)[0] = source_join(&test, -1, "c", "id", "p", true);
    request->ordered = true;
    request->orders = &order;
    request->order_count = 1;
    assert_string_equal(source_rows(&test, request, NULL),
                        "i1|x01|ta|L80000\ni1|x01|tb|ts\ni2|L100000|tc|tt\ni3|x03|tz|L90000\n");
    const struct read_request *requests[] = {request};
    assert_int_equal(test.source->prepare(test.database, requests, 1, NULL, &test.error),
                     STATUS_OK);
    assert_string_equal(source_rows(&test, request, NULL),
                        "i1|x01|ta|L80000\ni1|x01|tb|ts\ni2|L100000|tc|tt\ni3|x03|tz|L90000\n");
    source_close(&test);
}

/* Many columns that are large together but none alone: not large values at all. */
static void test_wide_row(void **state)
{
    (void)state;
    const char *path =
        sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB, b BLOB, c BLOB, o INT);"
                    "INSERT INTO t VALUES(1, zeroblob(60000), zeroblob(60000), "
                    "zeroblob(60000), 2), (2, x'', x'', x'', 1)");
    struct source_test test;
    open_slicing(&test, path);
    expect_contents(path, &test, source_request(&test, "t", "id,a,b,c"),
                    "SELECT '-1 60000 60000 60000 ' || char(10) || '-1 0 0 0 ' || char(10)", 0);
    source_close(&test);
}

/* A text of many pieces whose characters are cut by the pieces' ends. */
static void test_utf8_across_pieces(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x91"};
    for (int shift = 0; shift < 4; shift++) {
        for (int kind = 0; kind < 4; kind++) {
            struct buffer sql = {0};
            struct source_test test;
            buffer_append_string(&sql, "CREATE TABLE t(v); INSERT INTO t VALUES('");
            buffer_append(&sql, "....", (size_t)shift);
            for (int i = 0; i < 70000; i++) {
                buffer_append_string(&sql, characters[kind % 3]);
            }
            /* the last kind is broken far behind: a lone continuation byte */
            buffer_append_string(&sql, kind == 3 ? "\x91')" : "')");
            open_slicing(&test, sqlite_file(buffer_string(&sql)));
            const char *rows = source_rows(&test, source_request(&test, "t", "v"), NULL);
            assert_int_equal(rows[0], kind == 3 ? 'e' : 'L');
            source_close(&test);
            buffer_free(&sql);
        }
    }
}

/* Memory stays bounded though the value is not: the handle alone is held. */
static void test_memory(void **state)
{
    (void)state;
    const char *path = sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); INSERT INTO t "
                                   "VALUES(1, zeroblob(120000000)), (2, x'01')");
    struct source_test test;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    open_slicing(&test, path);
    struct read_request *request = source_request(&test, "t", "id,b");
    sqlite3_int64 now = 0;
    sqlite3_int64 peak = 0;
    sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &peak, 1);
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    assert_int_equal(test.source->cursor_next(cursor, 10, 1 << 20, &batch, &test.error), STATUS_OK);
    assert_int_equal(batch->row_count, 1); /* no row follows one of large values */
    assert_int_equal(batch->cells[1].kind, VALUE_LARGE);
    assert_true(batch_bytes(batch) < 1000000);
    char piece[1000];
    assert_int_equal(batch->cells[1].large->read(batch->cells[1].large, 119999000, piece,
                                                 sizeof piece, &test.error),
                     STATUS_OK);
    sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &now, &peak, 0);
    assert_true(peak < 20000000);
    batch_destroy(batch);
    test.source->cursor_close(cursor);
    source_close(&test);
}

/* Handles are read and released on other threads while the cursor goes on. */
struct consumer {
    struct batch *batches[64];
    int count;
    bool failed;
};

static void *consume(void *context)
{
    struct consumer *consumer = context;
    for (int i = 0; i < consumer->count; i++) {
        struct batch *batch = consumer->batches[i];
        for (uint32_t row = 0; row < batch->row_count; row++) {
            struct large_value *large = batch_row(batch, row)[1].large;
            char byte = 0;
            struct error error;
            consumer->failed |=
                large->read(large, large->length - 1, &byte, 1, &error) != STATUS_OK;
        }
        batch_destroy(batch);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    const char *path =
        sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); WITH RECURSIVE n(i) AS "
                    "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t "
                    "SELECT i, zeroblob(70000 + i) FROM n");
    struct source_test test;
    struct cursor *cursor = NULL;
    struct consumer consumer = {0};
    pthread_t thread;
    open_slicing(&test, path);
    struct read_request *request = source_request(&test, "t", "id,b");
    assert_int_equal(test.source->cursor_open(test.reader, request, NULL, &cursor, &test.error),
                     STATUS_OK);
    while (consumer.count < 30 &&
           test.source->cursor_next(cursor, 1, 1 << 20, &consumer.batches[consumer.count],
                                    &test.error) == STATUS_OK) {
        consumer.count++;
    }
    assert_int_equal(consumer.count, 30);
    assert_int_equal(pthread_create(&thread, NULL, consume, &consumer), 0);
    struct batch *batch = NULL;
    int rest = 0;
    while (test.source->cursor_next(cursor, 1, 1 << 20, &batch, &test.error) == STATUS_OK) {
        rest++;
        batch_destroy(batch);
    }
    pthread_join(thread, NULL);
    assert_int_equal(rest, 30);
    assert_false(consumer.failed);
    test.source->cursor_close(cursor);
    source_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_joined),   cmocka_unit_test(test_wide_row),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_utf8_across_pieces),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
