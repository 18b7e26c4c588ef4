/* One moment for all readers, tokens that prove it, and the express lane's question. */
#include "support_sqlite_source.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char balanced[] =
    "CREATE TABLE a(id INTEGER PRIMARY KEY, v INT); CREATE TABLE b(id INTEGER PRIMARY KEY, v INT);"
    "INSERT INTO a VALUES(1, 0); INSERT INTO b VALUES(1, 0);";

static sqlite3 *writer_of(const char *path)
{
    sqlite3 *writer = NULL;
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    sqlite3_busy_timeout(writer, 5000);
    return writer;
}

static void write_now(sqlite3 *writer, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(writer, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s", message);
    }
}

struct busy_writer {
    const char *path;
    atomic_bool stop;
    atomic_int commits;
};

/* Both tables change in each commit, so that two readers of one moment agree. */
static void *keep_writing(void *context)
{
    struct busy_writer *busy = context;
    sqlite3 *writer = NULL;
    sqlite3_open(busy->path, &writer);
    sqlite3_busy_timeout(writer, 5000);
    sqlite3_exec(writer, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
    while (!atomic_load(&busy->stop)) {
        if (sqlite3_exec(writer,
                         "BEGIN IMMEDIATE; UPDATE a SET v = v + 1; UPDATE b SET v = v + 1; COMMIT",
                         NULL, NULL, NULL) == SQLITE_OK) {
            atomic_fetch_add(&busy->commits, 1);
        } else if (sqlite3_get_autocommit(writer) == 0) {
            sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    sqlite3_close(writer);
    return NULL;
}

static const char *value_seen(struct source_test *test, sqlite3 *connection, const char *table)
{
    sqlite3_stmt *statement = NULL;
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT v FROM %s", table);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    char *text = arena_copy_string(test->arena, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

static void test_one_moment(void **state)
{
    (void)state;
    enum { READERS = 4 };
    const char *path = sqlite_file(balanced);
    sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
    struct busy_writer busy = {.path = path};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, &busy), 0);
    for (int round = 0; round < 20; round++) {
        struct source_test test;
        struct reader *readers[READERS];
        source_open(&test, path);
        enum status status;
        do { /* the writer may be in the way for longer than the test's deadline */
            status =
                test.source->snapshot(test.database, READERS, test.arena, &test.token, &test.error);
        } while (status == STATUS_FAILED && test.error.class == ERROR_CLASS_RETRY);
        assert_int_equal(status, STATUS_OK);
        const char *first = value_seen(&test, test.sqlite->control, "a");
        for (int i = 0; i < READERS; i++) {
            assert_int_equal(test.source->reader_open(test.database, &readers[i], &test.error),
                             STATUS_OK);
            assert_string_equal(value_seen(&test, readers[i]->connection, i % 2 ? "a" : "b"),
                                first);
        }
        assert_string_equal(value_seen(&test, test.sqlite->source->large, "b"), first);
        struct reader *one_more = NULL;
        assert_int_equal(test.source->reader_open(test.database, &one_more, &test.error),
                         STATUS_FAILED);
        for (int i = 0; i < READERS; i++) {
            test.source->reader_close(readers[i]);
        }
        source_close(&test);
    }
    atomic_store(&busy.stop, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&busy.commits) > 20);
}

/* ---------------------------------------------------------------- tokens */

static void token_of(const char *path, char token[1024])
{
    struct source_test test;
    source_open(&test, path);
    source_take_snapshot(&test, 3);
    snprintf(token, 1024, "%s", test.token);
    source_close(&test);
}

static void expect_tokens(const char *path, bool equal, const char *between)
{
    char before[1024];
    char after[1024];
    token_of(path, before);
    if (between != NULL) {
        sqlite_file_execute(path, between);
    }
    token_of(path, after);
    assert_null(strstr(after, "unproven"));
    if ((strcmp(before, after) == 0) != equal) {
        fail_msg("%s: the tokens are\n%s\n%s", between != NULL ? between : "nothing", before,
                 after);
    }
}

static void test_tokens_rollback(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    expect_tokens(path, true, NULL);
    expect_tokens(path, true, "SELECT * FROM a");
    expect_tokens(path, false, "UPDATE a SET v = 5");
    expect_tokens(path, false, "UPDATE a SET v = 4");
    expect_tokens(path, true, NULL);
    expect_tokens(path, false, "CREATE TABLE c(x)");
    expect_tokens(path, false, "PRAGMA user_version = 7");
}

static void test_tokens_wal(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
    expect_tokens(path, true, NULL);
    expect_tokens(path, false, "UPDATE a SET v = 6");
    expect_tokens(path, true, "SELECT * FROM a");

    /* with another connection that keeps the WAL alive */
    sqlite3 *writer = writer_of(path);
    write_now(writer, "PRAGMA wal_autocheckpoint = 0; UPDATE a SET v = 7");
    expect_tokens(path, true, NULL);
    expect_tokens(path, false, "UPDATE b SET v = 7");
    expect_tokens(path, false, "UPDATE b SET v = 6");
    write_now(writer, "PRAGMA wal_checkpoint(RESTART)");
    char before[1024];
    char after[1024];
    token_of(path, before);
    write_now(writer, "UPDATE a SET v = 8");
    token_of(path, after);
    assert_string_not_equal(before, after);
    sqlite3_close(writer);
}

/* Every single commit makes another token, however fast they follow each other. */
static void test_tokens_differ_always(void **state)
{
    (void)state;
    for (int wal = 0; wal < 2; wal++) {
        const char *path = sqlite_file(balanced);
        if (wal) {
            sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
        }
        char last[1024] = "";
        char next[1024];
        for (int i = 0; i < 10; i++) {
            sqlite_file_execute(path, "UPDATE a SET v = 1 - v");
            token_of(path, next);
            assert_string_not_equal(last, next);
            snprintf(last, sizeof last, "%s", next);
        }
    }
}

/* ---------------------------------------------------------------- the express lane's question */

static sqlite3 *attach(const char *path)
{
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(":memory:", &connection), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(connection, "ATTACH ?1 AS src", -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    return connection;
}

static void test_unchanged_wal(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    sqlite_file_execute(path, "PRAGMA journal_mode=WAL; UPDATE a SET v = 3");
    struct source_test test;
    source_open(&test, path);
    assert_false(sqlite_source_unchanged(test.sqlite));
    source_take_snapshot(&test, 2);
    sqlite3 *express = attach(path);
    write_now(express, "BEGIN; SELECT * FROM src.a");
    assert_true(sqlite_source_unchanged(test.sqlite));
    write_now(express, "COMMIT");

    sqlite3 *writer = writer_of(path);
    write_now(writer, "BEGIN IMMEDIATE; UPDATE a SET v = 4");
    assert_true(sqlite_source_unchanged(test.sqlite)); /* not committed */
    write_now(writer, "COMMIT");
    write_now(express, "BEGIN; SELECT * FROM src.a");
    assert_false(sqlite_source_unchanged(test.sqlite));
    write_now(express, "COMMIT");
    write_now(writer, "UPDATE a SET v = 3"); /* the same contents again are another version */
    assert_false(sqlite_source_unchanged(test.sqlite));
    assert_string_equal(value_seen(&test, test.sqlite->control, "a"), "3");
    sqlite3_close(writer);
    sqlite3_close(express);
    source_close(&test);
}

static void test_unchanged_rollback(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    struct source_test test;
    source_open(&test, path);
    source_take_snapshot(&test, 1);
    sqlite3 *writer = writer_of(path);
    sqlite3_busy_timeout(writer, 50);
    /* nobody can commit while the readers are there */
    assert_int_equal(sqlite3_exec(writer, "UPDATE a SET v = 9", NULL, NULL, NULL), SQLITE_BUSY);
    assert_true(sqlite_source_unchanged(test.sqlite));
    assert_string_equal(value_seen(&test, test.sqlite->control, "a"), "0");
    source_close(&test);
    write_now(writer, "UPDATE a SET v = 9");
    sqlite3_close(writer);
}

static void test_express_select(void **state)
{
    (void)state;
    const char *path =
        sqlite_file("CREATE TABLE t(id INTEGER PRIMARY KEY, \"q\"\"x\" TEXT);"
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                    "i < 100) INSERT INTO t SELECT i * 3, 'v' || i FROM n");
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;
    struct buffer sql = {0};
    int rows = 0;

    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, "t", "id,q\"x");
    assert_int_equal(
        test.source->split(test.database, request, 30, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 4);
    sqlite3 *express = attach(path);
    write_now(express, "CREATE TABLE copy(id INTEGER PRIMARY KEY, x TEXT)");
    for (uint32_t i = 0; i < count; i++) {
        sqlite3_stmt *statement = NULL;
        buffer_clear(&sql);
        buffer_append_string(&sql, "INSERT INTO copy ");
        assert_int_equal(
            sqlite_express_select(test.sqlite, request, &spans[i], "src", &sql, &test.error),
            STATUS_OK);
        assert_int_equal(sqlite3_prepare_v2(express, buffer_string(&sql), -1, &statement, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite_span_bind(&spans[i], statement, &test.error), STATUS_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
        rows += sqlite3_changes(express);
        assert_int_equal(sqlite3_changes(express), spans[i].row_estimate);
        sqlite3_finalize(statement);
    }
    assert_int_equal(rows, 100);
    source_joins(&test, request, 1)[0] = source_join(&test, -1, "t", "id", "id", false);
    assert_int_equal(sqlite_express_select(test.sqlite, request, NULL, "src", &sql, &test.error),
                     STATUS_AGAIN);
    buffer_free(&sql);
    sqlite3_close(express);
    source_close(&test);
}

static void test_schema_change_is_seen(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    struct source_test test;
    struct stream_facts facts;
    source_open(&test, path);
    struct read_request *request = source_request(&test, "a", "v");
    assert_int_equal(
        test.source->describe_stream(test.database, request, test.arena, &facts, &test.error),
        STATUS_OK);
    assert_int_equal(facts.row_count, 1);
    sqlite_file_execute(path, "INSERT INTO a VALUES(2, 2)");
    assert_int_equal(
        test.source->describe_stream(test.database, request, test.arena, &facts, &test.error),
        STATUS_OK);
    assert_int_equal(facts.row_count, 2);
    sqlite_file_execute(path, "ALTER TABLE a ADD COLUMN w");
    assert_int_equal(test.source->snapshot(test.database, 1, test.arena, &test.token, &test.error),
                     STATUS_FAILED);
    assert_int_equal(test.error.code, ERROR_SOURCE_CHANGED);
    source_close(&test);
}

static void test_caveats(void **state)
{
    (void)state;
    const char *path = sqlite_file(balanced);
    for (int wal = 0; wal < 2; wal++) {
        struct source_test test;
        struct buffer out = {0};
        source_open(&test, path);
        assert_int_equal(test.source->caveats(test.database, &out, &test.error), STATUS_OK);
        assert_int_equal(strstr(buffer_string(&out), "writers wait") != NULL, !wal);
        buffer_free(&out);
        source_close(&test);
        sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
    }
}

/* Of a table that grew since; of one with two rows, or with newer statistics, nothing is said. */
static void test_outgrown_statistics(void **state)
{
    (void)state;
    struct source_test test;
    struct buffer out = {0};
    const char *path = sqlite_file(
        "CREATE TABLE \"gr\te\"\"w\"(a PRIMARY KEY); CREATE TABLE same(a PRIMARY KEY); CREATE TABLE "
        "known(a); INSERT INTO \"gr\te\"\"w\" VALUES(0); INSERT INTO same VALUES(1), (2); WITH n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO known SELECT i FROM "
        "n; ANALYZE; WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) INSERT "
        "INTO \"gr\te\"\"w\" SELECT i FROM n; INSERT INTO sqlite_stat1 VALUES('gone', NULL, '1'), "
        "(NULL, NULL, NULL)");
    source_open(&test, path);
    assert_int_equal(test.source->caveats(test.database, &out, &test.error), STATUS_OK);
    assert_non_null(strstr(buffer_string(&out), "table gr\\te\"w are of a time"));
    const char *told = strstr(buffer_string(&out), "the statistics of table ");
    assert_non_null(told);
    assert_null(strstr(told + 1, "the statistics of table "));
    buffer_free(&out);
    source_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_moment),     cmocka_unit_test(test_tokens_rollback),
        cmocka_unit_test(test_tokens_wal),     cmocka_unit_test(test_tokens_differ_always),
        cmocka_unit_test(test_unchanged_wal),  cmocka_unit_test(test_unchanged_rollback),
        cmocka_unit_test(test_express_select), cmocka_unit_test(test_schema_change_is_seen),
        cmocka_unit_test(test_caveats),        cmocka_unit_test(test_outgrown_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
