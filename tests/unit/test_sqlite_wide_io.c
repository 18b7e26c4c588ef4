/* Wide reads and writes under SQLite: the same files as without, seen by others at the same
 * moments. */
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static sqlite3 *open_with(const char *path, const char *vfs)
{
    sqlite3 *connection = NULL;
    assert_int_equal(
        sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
        SQLITE_OK);
    sqlite3_busy_timeout(connection, 2000);
    return connection;
}

static void run(sqlite3 *connection, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

static void take_pages(sqlite3 *connection)
{
    run(connection, "PRAGMA mmap_size=67108864");
    sqlite_give_pages(connection, true);
}

static int64_t number(sqlite3 *connection, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void random_statement(struct random *random, char *sql, size_t capacity)
{
    switch (random_below(random, 8)) {
    case 0:
        snprintf(sql, capacity, "DELETE FROM t WHERE k %% %d = 0",
                 (int)random_between(random, 2, 9));
        break;
    case 1:
        snprintf(sql, capacity, "UPDATE t SET v = v || k WHERE k %% %d = 1",
                 (int)random_between(random, 2, 9));
        break;
    case 2:
        snprintf(sql, capacity, "VACUUM");
        break;
    case 3:
        snprintf(sql, capacity,
                 "CREATE INDEX IF NOT EXISTS i ON t(v); DROP INDEX i; CREATE INDEX i ON t(v)");
        break;
    case 4:
        snprintf(sql, capacity, "BEGIN; UPDATE t SET v = 'undone'; ROLLBACK");
        break;
    default:
        snprintf(sql, capacity,
                 "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                 "INSERT INTO t(v) SELECT hex(i * %d) || printf('%%.*c', i %% 900, 'x') FROM n",
                 (int)random_between(random, 1, 2000), (int)random_between(random, 1, 1000000));
        break;
    }
}

/* Random work with a cache far too small, so that pages go out early and come back. */
static void the_file_is_the_same_as_without(void **state)
{
    (void)state;
    static const char *const modes[] = {"DELETE", "WAL", "PERSIST", "TRUNCATE"};
    struct random random = random_start();

    for (uint32_t round = 0; round < 2 * COUNT_OF(modes); round++) {
        uint32_t m = round / 2;
        char wide_path[1024];
        char plain_path[1024];
        char sql[512];
        snprintf(wide_path, sizeof wide_path, "%s", target_path("wide.db"));
        snprintf(plain_path, sizeof plain_path, "%s", target_path("plain.db"));
        sqlite3 *wide = open_with(wide_path, sqlite_wide_vfs());
        sqlite3 *plain = open_with(plain_path, NULL);
        snprintf(sql, sizeof sql,
                 "PRAGMA journal_mode=%s; PRAGMA synchronous=OFF; PRAGMA cache_size=10; "
                 "PRAGMA wal_autocheckpoint=20; "
                 "CREATE TABLE t(k INTEGER PRIMARY KEY, v)",
                 modes[m]);
        run(wide, sql);
        run(plain, sql);
        if (round % 2 == 1) {
            take_pages(wide);
        }
        for (long i = 0; i < test_rounds(25); i++) {
            random_statement(&random, sql, sizeof sql);
            run(wide, sql);
            run(plain, sql);
            if (number(plain, "SELECT count(*) FROM t") > 8000) {
                run(wide, "DELETE FROM t");
                run(plain, "DELETE FROM t");
            }
        }
        /* read by the system's own VFS, while the wide connection is still open */
        static const char all[] = "SELECT count(*), sum(k), sum(length(v)), max(v) FROM t";
        char expected[2048];
        snprintf(expected, sizeof expected, "%s", file_ask(plain_path, all));
        assert_string_equal(file_ask(wide_path, all), expected);
        assert_string_equal(file_ask(wide_path, "PRAGMA integrity_check"), "ok");
        assert_int_equal(sqlite3_close(wide), SQLITE_OK);
        assert_int_equal(sqlite3_close(plain), SQLITE_OK);
        assert_string_equal(file_ask(wide_path, all), expected);
        unlink(wide_path);
        unlink(plain_path);
    }
}

/* What was fetched ahead is forgotten when the lock is given up. */
static void a_reader_sees_what_others_committed(void **state)
{
    (void)state;
    static const char *const modes[] = {"DELETE", "WAL"};
    for (uint32_t way = 0; way < 2 * COUNT_OF(modes); way++) {
        uint32_t m = way / 2;
        char path[1024];
        char sql[128];
        snprintf(path, sizeof path, "%s", target_path("shared.db"));
        sqlite3 *reader = open_with(path, sqlite_wide_vfs());
        sqlite3 *writer = open_with(path, sqlite_wide_vfs());
        snprintf(
            sql, sizeof sql,
            "PRAGMA journal_mode=%s; PRAGMA synchronous=OFF; CREATE TABLE t(k INTEGER PRIMARY KEY, v)",
            modes[m]);
        run(writer, sql);
        run(writer, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                    "INSERT INTO t SELECT i, zeroblob(300) FROM n");
        run(reader, "PRAGMA cache_size=10");
        if (way % 2 == 1) {
            take_pages(reader);
        }
        for (int round = 1; round <= 20; round++) {
            snprintf(sql, sizeof sql, "UPDATE t SET v = %d", round);
            run(writer, sql);
            if (m == 1 && round % 3 == 0) {
                run(writer, "PRAGMA wal_checkpoint(PASSIVE)");
            }
            assert_int_equal(number(reader, "SELECT sum(v) FROM t"), 3000 * round);
        }
        /* within one transaction it sees one moment */
        run(reader, "BEGIN");
        assert_int_equal(number(reader, "SELECT sum(v) FROM t"), 60000);
        if (m == 1) {
            run(writer, "UPDATE t SET v = 0; PRAGMA wal_checkpoint(PASSIVE)");
        } else {
            sqlite3_busy_timeout(writer, 50);
            assert_int_equal(sqlite3_exec(writer, "UPDATE t SET v = 0", NULL, NULL, NULL),
                             SQLITE_BUSY);
        }
        assert_int_equal(number(reader, "SELECT sum(v) FROM t"), 60000);
        run(reader, "COMMIT");
        assert_int_equal(number(reader, "SELECT sum(v) FROM t"), m == 1 ? 0 : 60000);
        sqlite3_close(reader);
        sqlite3_close(writer);
        unlink(path);
    }
}

/* More cursors than there are blocks, each with a page of its own, in both directions. */
static void many_cursors_share_the_blocks(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "SELECT count(*) * 1000000 + sum(a.k = b.k AND b.k = c.k AND c.k = d.k AND d.k = e.k AND "
        "length(e.v) = 900 + e.k % 7) FROM t AS a, t AS b, t AS c, t AS d, t AS e "
        "WHERE b.k = a.k AND c.k = a.k AND d.k = a.k AND e.k = a.k",
        "SELECT sum(x.k * y.k) FROM (SELECT k, row_number() OVER (ORDER BY k) AS n FROM t) AS x JOIN "
        "(SELECT k, row_number() OVER (ORDER BY k DESC) AS n FROM t) AS y USING (n)",
        "SELECT sum(length(v)) + sum(k) FROM (SELECT k, v FROM t ORDER BY k DESC)"};
    char path[1024];
    snprintf(path, sizeof path, "%s", target_path("many.db"));
    sqlite3 *plain = open_with(path, NULL);
    run(plain, "PRAGMA synchronous=OFF; CREATE TABLE t(k INTEGER PRIMARY KEY, v); "
               "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
               "INSERT INTO t SELECT i, printf('%.*c', 900 + i % 7, 'v') FROM n");
    sqlite3 *given = open_with(path, sqlite_wide_vfs());
    run(given, "PRAGMA cache_size=10");
    take_pages(given);
    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t expected = number(plain, rows[i]);
        assert_true(expected > 0);
        assert_int_equal(number(given, rows[i]), expected);
    }
    assert_int_equal(sqlite3_close(given), SQLITE_OK);
    assert_int_equal(sqlite3_close(plain), SQLITE_OK);
    unlink(path);
}

/* Nothing is mapped: a file that somebody cuts under a reader ends no process. */
static void a_file_that_is_cut_is_an_error(void **state)
{
    (void)state;
    char path[1024];
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s", target_path("cut.db"));
    sqlite3 *reader = open_with(path, sqlite_wide_vfs());
    run(reader, "CREATE TABLE t(k INTEGER PRIMARY KEY, v); "
                "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
                "INSERT INTO t SELECT i, zeroblob(900) FROM n");
    take_pages(reader);
    assert_int_equal(sqlite3_prepare_v2(reader, "SELECT v FROM t", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(truncate(path, 4096), 0);
    int result = SQLITE_ROW;
    while (result == SQLITE_ROW) {
        result = sqlite3_step(statement);
    }
    assert_true(result == SQLITE_CORRUPT || result == SQLITE_IOERR);
    sqlite3_finalize(statement);
    sqlite3_close(reader);
    unlink(path);
}

/* With syncs off too, a commit is in the system's hands when it is said. */
static void a_killed_process_keeps_its_commits(void **state)
{
    (void)state;
    static const char *const modes[] = {"OFF", "NORMAL", "FULL"};
    for (uint32_t m = 0; m < COUNT_OF(modes); m++) {
        char path[1024];
        snprintf(path, sizeof path, "%s", target_path("killed.db"));
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            char sql[128];
            sqlite3 *connection = open_with(path, sqlite_wide_vfs());
            snprintf(sql, sizeof sql, "PRAGMA synchronous=%s; CREATE TABLE t(v)", modes[m]);
            run(connection, sql);
            for (int i = 0; i < 10; i++) {
                run(connection, "INSERT INTO t SELECT randomblob(5000)");
            }
            run(connection, "PRAGMA cache_size=5; BEGIN; "
                            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                            "INSERT INTO t SELECT randomblob(5000) FROM n");
            kill(getpid(), SIGKILL);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_string_equal(file_ask(path, "SELECT count(*) FROM t"), "10");
        assert_string_equal(file_ask(path, "PRAGMA integrity_check"), "ok");
    }
}

/* ---------------------------------------------------------------- a disk that fails once */

static sqlite3_vfs failing_vfs;
static sqlite3_io_methods failing_methods;
static const sqlite3_io_methods *system_methods;
static int64_t writes_left; /* of the main file until one fails; below 0: none does */

static int fail_once(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset)
{
    if (writes_left >= 0 && writes_left-- == 0) {
        return SQLITE_IOERR_WRITE;
    }
    return system_methods->xWrite(file, bytes, amount, offset);
}

/* Of the system's, so far. */
static int reads;

static int read_counted(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 offset)
{
    reads++;
    return system_methods->xRead(file, bytes, amount, offset);
}

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *out_flags)
{
    sqlite3_vfs *system = vfs->pAppData;
    int result = system->xOpen(system, name, file, flags, out_flags);
    if (result == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0) {
        system_methods = file->pMethods;
        failing_methods = *file->pMethods;
        failing_methods.xWrite = fail_once;
        failing_methods.xRead = read_counted;
        file->pMethods = &failing_methods;
    }
    return result;
}

/* Before the wide VFS is made, which stands on what is the default then. */
static void put_failing_vfs_below(void)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    failing_vfs = *system;
    failing_vfs.pNext = NULL;
    failing_vfs.zName = "failing";
    failing_vfs.pAppData = system;
    failing_vfs.xOpen = failing_open;
    writes_left = -1;
    assert_int_equal(sqlite3_vfs_register(&failing_vfs, 1), SQLITE_OK);
    assert_non_null(sqlite_wide_vfs());
    assert_int_equal(sqlite3_vfs_register(system, 1), SQLITE_OK);
}

/* Whichever write fails: a commit that is said is whole, and one that is not leaves nothing. */
static void no_failed_write_is_forgotten(void **state)
{
    (void)state;
    int64_t failed = 0;
    bool fired = true;
    for (int64_t nth = 0; fired; nth++) {
        char path[1024];
        snprintf(path, sizeof path, "%s", target_path("failing.db"));
        sqlite3 *connection = open_with(path, sqlite_wide_vfs());
        run(connection, "PRAGMA synchronous=OFF; PRAGMA cache_size=20; CREATE TABLE t(v)");
        writes_left = nth;
        int result = sqlite3_exec(connection,
                                  "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                  "WHERE i < 400) INSERT INTO t SELECT randomblob(3000) FROM n",
                                  NULL, NULL, NULL);
        fired = writes_left < 0;
        writes_left = -1;
        failed += result != SQLITE_OK;
        assert_int_equal(result == SQLITE_OK, !fired);
        assert_int_equal(number(connection, "SELECT count(*) FROM t"), fired ? 0 : 400);
        assert_int_equal(sqlite3_close(connection), SQLITE_OK);
        assert_string_equal(file_ask(path, "PRAGMA integrity_check"), "ok");
        assert_string_equal(file_ask(path, "SELECT count(*) FROM t"), fired ? "0" : "400");
    }
    assert_true(failed > 10);
}

/* ---------------------------------------------------------------- which file it is */

static struct sqlite_file_identity identity(sqlite3 *connection, const char *schema)
{
    struct sqlite_file_identity found = {0};
    assert_true(sqlite_identify(connection, schema, &found));
    return found;
}

static void a_file_is_known_whatever_its_path_leads_to(void **state)
{
    (void)state;
    char path[1024];
    char other[1024];
    char sql[1100];
    struct sqlite_file_identity there;

    snprintf(path, sizeof path, "%s", target_path("named.db"));
    snprintf(other, sizeof other, "%s", target_path("other.db"));
    file_execute(path, "CREATE TABLE t(a)");
    file_execute(other, "CREATE TABLE t(a)");
    sqlite3 *first = open_with(path, sqlite_wide_vfs());
    sqlite3 *same = open_with(path, sqlite_wide_vfs());
    struct sqlite_file_identity opened = identity(first, "main");
    assert_true(sqlite_identify_path(path, &there) && sqlite_same_file(&opened, &there));

    assert_int_equal(rename(other, path), 0);
    assert_true(sqlite_identify_path(path, &there) && !sqlite_same_file(&opened, &there));
    struct sqlite_file_identity now = identity(first, "main");
    assert_true(sqlite_same_file(&opened, &now));
    now = identity(same, "main");
    assert_true(sqlite_same_file(&opened, &now));
    snprintf(sql, sizeof sql, "ATTACH '%s' AS more", path);
    run(same, sql);
    now = identity(same, "more");
    assert_true(sqlite_same_file(&there, &now));
    assert_false(sqlite_same_file(&opened, &now));
    assert_int_equal(unlink(path), 0);
    assert_false(sqlite_identify_path(path, &there));
    now = identity(first, "main");
    assert_true(sqlite_same_file(&opened, &now));
    assert_int_equal(sqlite3_close(same), SQLITE_OK);
    assert_int_equal(sqlite3_close(first), SQLITE_OK);
}

/* A pass over a table takes a read for each block, wherever its inner pages are; look-ups none for
 * what SQLite has in its cache. */
static void reads_are_few(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s", target_path("reads.db"));
    sqlite3 *made = open_with(path, NULL);
    run(made, "PRAGMA synchronous=OFF; CREATE TABLE t(k INTEGER PRIMARY KEY, v); "
              "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80000) "
              "INSERT INTO t SELECT i, zeroblob(90) FROM n");
    int64_t blocks = number(made, "PRAGMA page_count") / 16;
    assert_true(blocks > 100);
    assert_int_equal(sqlite3_close(made), SQLITE_OK);
    sqlite3 *reader = open_with(path, sqlite_wide_vfs());
    run(reader, "PRAGMA cache_size=-20000");
    take_pages(reader);
    reads = 0;
    assert_int_equal(number(reader, "SELECT sum(length(v)) FROM t"), 80000 * 90);
    assert_in_range(reads, blocks, blocks + blocks / 4);

    static const char look_up[] =
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT sum(length(v)) "
        "FROM n CROSS JOIN t ON k = 1 + i * 7919 % 80000";
    sqlite_give_pages(reader, false);
    run(reader, "BEGIN");
    assert_int_equal(number(reader, look_up), 50000 * 90);
    reads = 0;
    assert_int_equal(number(reader, look_up), 50000 * 90);
    assert_int_equal(reads, 0);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    unlink(path);
}

int main(void)
{
    put_failing_vfs_below();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_the_same_as_without),
        cmocka_unit_test(a_reader_sees_what_others_committed),
        cmocka_unit_test(many_cursors_share_the_blocks),
        cmocka_unit_test(a_file_that_is_cut_is_an_error),
        cmocka_unit_test(a_killed_process_keeps_its_commits),
        cmocka_unit_test(no_failed_write_is_forgotten),
        cmocka_unit_test(reads_are_few),
        cmocka_unit_test(a_file_is_known_whatever_its_path_leads_to),
    };
    return cmocka_run_group_tests_name("sqlite_wide_io", tests, NULL, NULL);
}
