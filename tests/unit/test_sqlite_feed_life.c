/* The life of a feed of a SQLite file: made, read in pieces, confirmed, found broken, dropped;
 * schemas that change, and others that write. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/sqlite/source.h"
#include "support_sqlite_feed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sets */

static void large_sets_come_in_pieces(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < JOURNAL_MODES; i++) {
        feed_set_up(feed_in_mode(i, "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v)"), "t id");
        feed_start_copy();
        feed_change(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO t SELECT i, i, 'value ' || i FROM n");
        assert_int_equal(feed_bench.sets, 1);
        assert_true(feed_bench.pieces >= 4);
        assert_int_equal(feed_bench.changes, 20000);
        /* every second row goes for the sake of another, and comes back under its key in part */
        feed_change(
            "REPLACE INTO t SELECT id + 100000, id, v FROM t WHERE id % 2 = 0;"
            "INSERT INTO t SELECT id - 100000, -id, v FROM t WHERE id > 100000 AND id % 4 = 0");
        feed_change(
            "UPDATE t SET v = zeroblob(1000) WHERE id < 5000; DELETE FROM t WHERE id > 3000");
        feed_tear_down();
    }
}

static void what_is_confirmed_is_forgotten(void **state)
{
    (void)state;
    struct error error = {0};
    struct feed_health health;
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
    feed_start_copy();
    struct position first = feed_bench.position;
    feed_change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000)"
                " INSERT INTO t SELECT i FROM n");
    assert_string_equal(file_ask(feed_bench.path, "SELECT count(*) FROM _transhume_feed_f"), "1");
    assert_done(sqlite_feed.health(feed_bench.feed, &health, &error));
    assert_true(health.bytes_kept > 0 && health.bytes_kept < 100);
    assert_int_equal(health.lag_us, 0);
    /* the log counts on */
    file_execute(feed_bench.path, "DELETE FROM t WHERE id > 14998");
    assert_done(sqlite_feed.health(feed_bench.feed, &health, &error));
    assert_true(health.bytes_kept > 50 && health.lag_us >= 0);
    feed_drain();
    feed_assert_equal("after");
    /* what is not confirmed stays, and a position before what was forgotten is lost */
    struct position last = feed_bench.position;
    feed_bench.position = first;
    assert_int_equal(feed_try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    feed_bench.position = last;
    feed_bench_open();
    feed_change("INSERT INTO t VALUES (20000)");
    feed_tear_down();
}

static void a_feed_goes_on_where_it_was(void **state)
{
    (void)state;
    struct error error = {0};
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
    feed_start_copy();
    feed_change("INSERT INTO t VALUES (1, 1)");
    file_execute(feed_bench.path, "INSERT INTO t VALUES (2, 2)");
    feed_bench_open();
    feed_drain();
    feed_assert_equal("opened again");
    /* made again it is the same; of other tables it is refused */
    struct position position = feed_bench.position;
    assert_done(feed_try_create(&error));
    assert_true(feed_order_of(&sqlite_feed, feed_bench.position, position) == POSITION_BEFORE);
    feed_bench.names[0] = "u";
    file_execute(feed_bench.path, "CREATE TABLE u(id INTEGER PRIMARY KEY)");
    assert_int_equal(feed_try_create(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_CHANGED);
    feed_bench.names[0] = "t";
    /* a file that was put back from an older one */
    feed_bench.position = (struct position){(const uint8_t *)"\x7f\xff\xff\xff\xff\xff\xff\xff", 8};
    assert_int_equal(feed_try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    feed_tear_down();
}

static void dropped_nothing_is_left(void **state)
{
    (void)state;
    struct error error = {0};
    struct feed_start other;
    static const char left[] = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'";
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
    const char *before = file_ask(feed_bench.path, "SELECT group_concat(name) FROM sqlite_schema");
    feed_start_copy();
    assert_done(feed_make("f_1", 1, &other, &error));
    feed_change("INSERT INTO t VALUES (1, 1)");
    assert_string_equal(file_ask(feed_bench.path, "SELECT count(*) FROM _transhume_feed_f_1"), "2");
    sqlite_feed.close(feed_bench.feed);
    feed_bench.feed = NULL;
    assert_done(sqlite_feed.drop(feed_bench.source, "f", &error));
    assert_done(sqlite_feed.drop(feed_bench.source, "f", &error));
    assert_string_equal(file_ask(feed_bench.path, left), "7");
    assert_done(sqlite_feed.drop(feed_bench.source, "f_1", &error));
    assert_string_equal(file_ask(feed_bench.path, left), "0");
    assert_string_equal(file_ask(feed_bench.path, "SELECT group_concat(name) FROM sqlite_schema"),
                        before);
    assert_int_equal(feed_try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    feed_tear_down();
}

/* ---- a file that is put back from a backup */

static void back_up(const char *path)
{
    file_execute(feed_bench.path, arena_format(feed_bench.arena, "VACUUM INTO '%s'", path));
}

static void put_back(uint32_t mode, const char *path)
{
    static const char *const beside[] = {"", "-wal", "-shm"};
    sqlite_feed.close(feed_bench.feed);
    feed_bench.feed = NULL;
    target_close(feed_bench.source);
    for (uint32_t i = 0; i < COUNT_OF(beside); i++) {
        unlink(arena_format(feed_bench.arena, "%s%s", feed_bench.path, beside[i]));
    }
    assert_int_equal(rename(path, feed_bench.path), 0);
    file_execute(feed_bench.path, feed_in_mode(mode, ""));
    feed_bench.source = target_source_open(feed_bench.path);
    clock_sleep_ms(2); /* what is logged from now on has another moment */
}

/* Whether fewer changes have come since than were lost, as many, or more. */
static void a_backup_that_is_older_is_noticed(void **state)
{
    static const char *const since[] = {"", "INSERT INTO t VALUES (5, 5)",
                                        "INSERT INTO t VALUES (5, 5), (6, 6)",
                                        "INSERT INTO t VALUES (3, 3), (4, 4)", /* the same again */
                                        "INSERT INTO t VALUES (5, 5), (6, 6), (7, 7), (8, 8)"};
    (void)state;
    for (uint32_t i = 0; i < JOURNAL_MODES * COUNT_OF(since); i++) {
        struct error error = {0};
        uint32_t mode = i % JOURNAL_MODES;
        feed_set_up(feed_in_mode(mode, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"), "t id");
        feed_start_copy();
        feed_change("INSERT INTO t VALUES (1, 1)");
        file_execute(feed_bench.path, "INSERT INTO t VALUES (2, 2)");
        const char *backup = target_path("backup.db");
        back_up(backup);
        feed_change("INSERT INTO t VALUES (3, 3), (4, 4)");
        put_back(mode, backup);
        file_execute(feed_bench.path, since[i / JOURNAL_MODES]);
        assert_int_equal(feed_try_open(&error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_FEED_LOST);
        assert_non_null(strstr(error.hint, "--resync"));
        feed_tear_down();
    }
}

static void a_backup_with_all_that_was_followed_goes_on(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode < JOURNAL_MODES; mode++) {
        feed_set_up(feed_in_mode(mode, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)"), "t id");
        feed_start_copy();
        feed_change("INSERT INTO t VALUES (1, 1), (2, 2)");
        const char *backup = target_path("backup.db");
        back_up(backup);
        file_execute(feed_bench.path, "INSERT INTO t VALUES (3, 3)"); /* nobody knows of it */
        put_back(mode, backup);
        file_execute(feed_bench.path, "INSERT INTO t VALUES (4, 4), (5, 5)");
        feed_bench_open();
        feed_drain();
        feed_assert_equal("put back");
        feed_tear_down();
    }
}

/* It gave positions of the sequence alone, and deleted the row of the confirmed one, too. */
static void a_feed_of_an_earlier_version_goes_on(void **state)
{
    (void)state;
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
    feed_start_copy();
    feed_bench.position.length = 8;
    feed_bench_open();
    feed_change("INSERT INTO t VALUES (1, 1), (2, 2)");
    file_execute(feed_bench.path,
                 "INSERT INTO t VALUES (3, 3);"
                 "DELETE FROM _transhume_feed_f WHERE sequence < (SELECT max(sequence) FROM "
                 "_transhume_feed_f)");
    feed_bench.position.length = 8;
    feed_bench_open();
    feed_drain();
    feed_assert_equal("earlier");
    assert_int_equal(feed_bench.position.length, 16);
    feed_change("INSERT INTO t VALUES (4, 4)");
    feed_tear_down();
}

/* The copy holds what is before its moment, and the feed begins behind it. */
static void a_snapshot_is_of_one_moment_with_the_feed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < JOURNAL_MODES; i++) {
        struct error error = {0};
        struct feed_start begun;
        struct change_set *set;
        const char *token;
        feed_set_up(feed_in_mode(i, "CREATE TABLE t(id INTEGER PRIMARY KEY)"), "t id");
        assert_done(feed_make("f", 1, &begun, &error));
        feed_bench.position = begun.position;
        file_execute(feed_bench.path, "INSERT INTO t VALUES (1)");
        feed_bench.source->moment = begun.snapshot;
        assert_done(sqlite_source_functions.snapshot(feed_bench.source, 1, feed_bench.arena, &token,
                                                     &error));
        target_close(feed_bench.source);
        feed_bench.source = target_source_open(feed_bench.path);
        file_execute(feed_bench.path, "INSERT INTO t VALUES (2)");
        /* that of a resumed copy changes nothing */
        feed_bench.source->moment = "f";
        assert_done(sqlite_source_functions.snapshot(feed_bench.source, 1, feed_bench.arena, &token,
                                                     &error));
        target_close(feed_bench.source);
        feed_bench.source = target_source_open(feed_bench.path);
        feed_bench_open();
        assert_done(feed_next_set(&set, &error));
        assert_int_equal(set->change_count, 1);
        assert_int_equal(set->changes[0].key[0].i64, 2);
        arena_destroy(set->arena);
        struct position head;
        assert_done(sqlite_feed.head(feed_bench.source, feed_bench.arena, &head, &error));
        assert_int_equal(feed_order_of(&sqlite_feed, head, feed_bench.position), POSITION_SAME);
        feed_tear_down();
    }
}

/* ---- schemas that change */

static void columns_may_be_added(void **state)
{
    (void)state;
    feed_set_up(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(a, b, PRIMARY KEY (a, b));"
        "INSERT INTO t VALUES (1, 1), (2, 2)",
        "t id,u a b");
    feed_start_copy();
    feed_change("UPDATE t SET v = 5; INSERT INTO u VALUES (1, 1)");
    file_execute(feed_bench.copy_path,
                 "ALTER TABLE t ADD COLUMN w DEFAULT 7; ALTER TABLE u ADD COLUMN c");
    /* in one go: what the old triggers log lacks the column */
    feed_change("UPDATE t SET v = 6 WHERE id = 1; ALTER TABLE t ADD COLUMN w DEFAULT 7;"
                "INSERT INTO t VALUES (3, 3, 3); UPDATE t SET w = 8 WHERE id = 2;"
                "UPDATE t SET id = 4 WHERE id = 3; ALTER TABLE u ADD COLUMN c;"
                "INSERT INTO u VALUES (2, 2, 2); DELETE FROM u WHERE a = 1");
    feed_change("UPDATE t SET w = 9; UPDATE u SET c = 3; DELETE FROM t WHERE id = 4");
    feed_bench_open();
    feed_change("UPDATE t SET w = 10");
    feed_tear_down();
}

static void indexes_may_come_and_go(void **state)
{
    (void)state;
    struct error error = {0};
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE UNIQUE INDEX i ON t(v)", "t id");
    feed_start_copy();
    file_execute(feed_bench.copy_path, "DROP INDEX i");
    feed_change("INSERT INTO t VALUES (1, 1), (2, 2); DROP INDEX i; UPDATE t SET v = 3");
    feed_change("INSERT INTO t VALUES (3, 4); CREATE INDEX j ON t(v)");
    feed_change("DELETE FROM t WHERE id > 1; CREATE UNIQUE INDEX k ON t(v)");
    feed_change("REPLACE INTO t VALUES (7, 3), (8, 3)");
    /* replaced by an index that the triggers did not know */
    file_execute(feed_bench.path, "DROP INDEX k; CREATE UNIQUE INDEX l ON t(abs(v));"
                                  "REPLACE INTO t VALUES (9, -3)");
    assert_int_equal(feed_try_drain(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    feed_tear_down();
}

static const struct {
    const char *sql;
    enum error_code code;
} breaks[] = {
    {"DROP TRIGGER \"_transhume_feed_f.1.delete\"", ERROR_FEED_LOST},
    {"DROP TABLE _transhume_feeds", ERROR_FEED_LOST},
    {"UPDATE _transhume_feeds SET name = NULL; CREATE TABLE x(a)", ERROR_FEED_LOST},
    {"UPDATE _transhume_feeds SET value = value + 7; CREATE TABLE x(a)", ERROR_FEED_LOST},
    {"DELETE FROM _transhume_feeds WHERE ordinal = -1; CREATE TABLE x(a)", ERROR_FEED_LOST},
    {"UPDATE _transhume_feed_f SET operation = 99", ERROR_FEED_LOST},
    {"UPDATE _transhume_feed_f SET table_number = 99", ERROR_FEED_LOST},
    {"DELETE FROM _transhume_feed_f WHERE sequence = (SELECT min(sequence) + 1 FROM _transhume_feed_f)",
     ERROR_FEED_LOST},
    {"DELETE FROM _transhume_feed_f WHERE sequence = (SELECT min(sequence) FROM _transhume_feed_f)",
     ERROR_FEED_LOST},
    {"UPDATE _transhume_feed_f SET moment = moment + 1", ERROR_FEED_LOST},
};

static void what_breaks_the_feed_stops_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(breaks); i++) {
        for (int opened = 0; opened < 2; opened++) {
            struct error error = {0};
            feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                        "CREATE TABLE u(id INTEGER PRIMARY KEY, v, w)",
                        "t id,u id");
            feed_start_copy();
            file_execute(feed_bench.path, "INSERT INTO t VALUES (1, 1), (2, 2)");
            file_execute(feed_bench.path, breaks[i].sql);
            enum status status = opened ? STATUS_OK : feed_try_open(&error);
            status = status == STATUS_OK ? feed_try_drain(&error) : status;
            assert_int_equal(status, STATUS_FAILED);
            if (error.code != breaks[i].code) {
                fail_msg("%s: %s: %s", breaks[i].sql, error.object, error.message);
            }
            feed_tear_down();
        }
    }
}

/* ---- tables that are dropped, and perhaps made again */

static const char *const replacements[] = {
    "DROP TABLE u; CREATE TABLE u(id INTEGER PRIMARY KEY, v, w)",
    "CREATE TABLE n AS SELECT * FROM u; DROP TABLE u; ALTER TABLE n RENAME TO u",
    "DROP TABLE u",
    "ALTER TABLE u RENAME TO x",
    "DROP TABLE u; CREATE VIEW u AS SELECT * FROM t",
};

/* Counts what is told of u as a whole and of t's rows, until nothing comes any more. */
static void count_told(uint32_t *replaced, uint32_t *rows)
{
    struct error error = {0};
    struct change_set *set;
    enum status status;
    *replaced = *rows = 0;
    while ((status = sqlite_feed.next(feed_bench.feed, 0, &set, &error)) == STATUS_OK) {
        for (uint32_t i = 0; i < set->change_count; i++) {
            const struct record_change *change = &set->changes[i];
            bool of_u = strcmp(set->tables[change->table].name, "u") == 0;
            *replaced += of_u && change->operation == RECORD_REPLACED;
            *rows += !of_u && change->operation == RECORD_INSERT;
        }
        arena_destroy(set->arena);
    }
    assert_int_equal(status, STATUS_AGAIN);
}

static void a_table_that_is_replaced_is_told_once_and_the_others_go_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(replacements); i++) {
        uint32_t replaced;
        uint32_t rows;
        feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                    "CREATE TABLE u(id INTEGER PRIMARY KEY, v, w)",
                    "t id,u id");
        feed_start_copy();
        file_execute(feed_bench.path, "INSERT INTO u VALUES (1, 1, 1)");
        file_execute(feed_bench.path, replacements[i]);
        file_execute(feed_bench.path, "INSERT INTO t VALUES (1, 1), (2, 2)");
        count_told(&replaced, &rows);
        assert_int_equal(replaced, 1);
        assert_int_equal(rows, 2);
        file_execute(feed_bench.path, "INSERT INTO t VALUES (3, 3)");
        count_told(&replaced, &rows);
        assert_int_equal(replaced, 0);
        assert_int_equal(rows, 1);
        feed_tear_down();
    }
}

/* ---- what can't be followed */

static const struct {
    const char *sql;
    const char *words;
} refused[] = {
    {"CREATE TABLE t(a, b)", "it has no primary key"},
    {"CREATE TABLE t(a, b); CREATE UNIQUE INDEX i ON t(a)", "it has no primary key"},
    {"CREATE VIEW t AS SELECT 1 AS id", "it is a view"},
    {"CREATE VIRTUAL TABLE t USING fts5(id)", "it is a virtual table"},
    {"CREATE TABLE x(a)", "there is no table of this name"},
};

static void what_fires_no_triggers_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(refused); i++) {
        struct error error = {0};
        feed_set_up(refused[i].sql, "t id");
        assert_int_equal(feed_try_create(&error), STATUS_FAILED);
        if (strstr(error.message, refused[i].words) == NULL) {
            fail_msg("%s: %s", error.object, error.message);
        }
        assert_string_equal(
            file_ask(feed_bench.path,
                     "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'"),
            "0");
        feed_tear_down();
    }
    if (geteuid() != 0) {
        struct error error = {0};
        feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
        assert_int_equal(chmod(feed_bench.path, 0400), 0);
        assert_int_equal(feed_try_create(&error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_PERMISSION);
        feed_tear_down();
    }
}

/* Killed in the middle, all of it is there or nothing. */
static void making_a_feed_is_one_act(void **state)
{
    static const char *const places[] = {"sqlite.before_feed:kill", "sqlite.after_feed:kill"};
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(places); i++) {
        struct error error = {0};
        int status = 0;
        feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            setenv("TRANSHUME_FAILPOINT", places[i], 1);
            (void)!failpoint_setup(&error);
            (void)!feed_try_create(&error);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        file_execute(feed_bench.path, "INSERT INTO t VALUES (1, 1)");
        assert_string_equal(
            file_ask(feed_bench.path,
                     "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'"),
            i == 0 ? "0" : "7");
        feed_start_copy();
        feed_change("INSERT INTO t VALUES (2, 2)");
        assert_int_equal(feed_bench.changes, i == 0 ? 1 : 2);
        feed_tear_down();
    }
}

/* ---- beside others */

static void programs_write_by_any_connection(void **state)
{
    (void)state;
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "t id");
    feed_start_copy();
    file_execute(
        target_path("other.db"),
        arena_format(feed_bench.arena,
                     "CREATE TABLE t(id); ATTACH '%s' AS other; PRAGMA foreign_keys = ON;"
                     "INSERT INTO other.t VALUES (1, 1), (2, 2), (3, 3);"
                     "INSERT OR REPLACE INTO other.t VALUES (4, 1); INSERT INTO t VALUES (1)",
                     feed_bench.path));
    feed_drain();
    feed_assert_equal("attached");
    const char *command =
        arena_format(feed_bench.arena,
                     "python3 -c \"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
                     " c.execute('REPLACE INTO t VALUES (?, ?)', (5, 2)); c.commit()\" '%s'",
                     feed_bench.path);
    assert_int_equal(system(command), 0);
    feed_drain();
    feed_assert_equal("python3");
    feed_change("VACUUM; PRAGMA journal_mode = WAL; DELETE FROM t WHERE id = 3");
    feed_change("INSERT INTO t VALUES (8, 8)");
    feed_tear_down();
}

/* Transfers between accounts: their sum never changes. */
static void write_for_a_while(const char *path, uint64_t seed)
{
    sqlite3 *connection = NULL;
    if (sqlite3_open(path, &connection) != SQLITE_OK) {
        _exit(1);
    }
    sqlite3_busy_timeout(connection, 10000);
    for (int i = 0; i < 150; i++) {
        char sql[256];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        snprintf(sql, sizeof sql,
                 "BEGIN IMMEDIATE; UPDATE t SET v = v - 1 WHERE id = %d; UPDATE t SET v = v + 1 "
                 "WHERE id = %d; REPLACE INTO u VALUES (%d, %d); COMMIT",
                 (int)(seed >> 40) % 10, (int)(seed >> 50) % 10, (int)(seed >> 35) % 100,
                 (int)(seed >> 45) % 100);
        if (sqlite3_exec(connection, sql, NULL, NULL, NULL) != SQLITE_OK) {
            fprintf(stderr, "%s\n", sqlite3_errmsg(connection));
            _exit(2);
        }
    }
    sqlite3_close(connection);
    _exit(0);
}

static void other_processes_write_meanwhile(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < JOURNAL_MODES; i++) {
        feed_set_up(
            feed_in_mode(i, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (0, "
                            "0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), "
                            "(9, 0); CREATE TABLE u(id INTEGER PRIMARY KEY, w UNIQUE)"),
            "t id,u id");
        feed_start_copy();
        pid_t children[2];
        for (int c = 0; c < 2; c++) {
            fflush(NULL);
            children[c] = fork();
            if (children[c] == 0) {
                write_for_a_while(feed_bench.path, (uint64_t)c + 77);
            }
        }
        for (int left = 2; left > 0;) {
            int status = 0;
            feed_drain();
            assert_string_equal(file_ask(feed_bench.copy_path, "SELECT sum(v) FROM t"), "0");
            if (waitpid(-1, &status, WNOHANG) > 0) {
                assert_int_equal(status, 0);
                left--;
            }
        }
        feed_drain();
        feed_assert_equal(feed_in_mode(i, ""));
        assert_true(feed_bench.sets > 1);
        feed_tear_down();
    }
}

static void a_locked_file_is_waited_for(void **state)
{
    (void)state;
    struct error error = {0};
    struct change_set *set;
    sqlite3 *other = NULL;
    feed_set_up("PRAGMA journal_mode = DELETE; CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
    target_close(feed_bench.source);
    assert_done(target_try_open(feed_bench.path, OPEN_SOURCE, 300, &feed_bench.source, &error));
    feed_start_copy();
    assert_int_equal(sqlite3_open(feed_bench.path, &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(other, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite_feed.next(feed_bench.feed, 100, &set, &error), STATUS_AGAIN);
    assert_int_equal(sqlite_feed.next(feed_bench.feed, 2000, &set, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    feed_drain();
    feed_assert_equal("unlocked");
    feed_tear_down();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_sets_come_in_pieces),
        cmocka_unit_test(what_is_confirmed_is_forgotten),
        cmocka_unit_test(a_feed_goes_on_where_it_was),
        cmocka_unit_test(dropped_nothing_is_left),
        cmocka_unit_test(a_backup_that_is_older_is_noticed),
        cmocka_unit_test(a_backup_with_all_that_was_followed_goes_on),
        cmocka_unit_test(a_feed_of_an_earlier_version_goes_on),
        cmocka_unit_test(a_snapshot_is_of_one_moment_with_the_feed),
        cmocka_unit_test(columns_may_be_added),
        cmocka_unit_test(indexes_may_come_and_go),
        cmocka_unit_test(what_breaks_the_feed_stops_it),
        cmocka_unit_test(a_table_that_is_replaced_is_told_once_and_the_others_go_on),
        cmocka_unit_test(what_fires_no_triggers_is_refused),
        cmocka_unit_test(making_a_feed_is_one_act),
        cmocka_unit_test(programs_write_by_any_connection),
        cmocka_unit_test(other_processes_write_meanwhile),
        cmocka_unit_test(a_locked_file_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
