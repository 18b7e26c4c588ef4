/* Following a SQLite file: what its log brings, applied to a copy, makes the copy what the file is.
 */
#include "base/clock.h"
#include "connectors/sqlite/feed_internal.h"
#include "support_sqlite_feed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void changes_of_every_kind_of_table(void **state)
{
    (void)state;
    feed_set_up("CREATE TABLE r(id INTEGER PRIMARY KEY, v, w TEXT);"
                "CREATE TABLE k(a TEXT, b, v, PRIMARY KEY (b, a)) WITHOUT ROWID;"
                "CREATE TABLE s(id INT PRIMARY KEY, v INTEGER) STRICT;"
                "CREATE TABLE g(id INTEGER PRIMARY KEY, v INT, d AS (v * 2), e AS (v + 1) STORED);"
                "CREATE TABLE \"odd \"\"'[]%n\"(\"a b\" INTEGER PRIMARY KEY, \"new\" , \"old\");"
                "CREATE TABLE u(x NOT NULL, y NOT NULL, z); CREATE UNIQUE INDEX ux ON u(y, x);"
                "CREATE TABLE new(old PRIMARY KEY, rowid, _rowid_, oid);",
                "r id,k b a,s id,g id,u y x,new old");
    feed_start_copy();
    feed_change("INSERT INTO r VALUES (1, 'a', 2), (2, 'b', 3); INSERT INTO k VALUES ('x', 1, 5);"
                "INSERT INTO s VALUES (1, 1); INSERT INTO g(id, v) VALUES (1, 4), (2, 5);"
                "INSERT INTO u VALUES (1, 2, 3); INSERT INTO new VALUES (1, 2, 3, 4)");
    assert_int_equal(feed_bench.sets, 1);
    assert_int_equal(feed_bench.changes, 8);
    feed_change(
        "UPDATE r SET v = 'c' WHERE id = 1; UPDATE r SET id = id + 10; DELETE FROM r WHERE id = 12;"
        "UPDATE k SET a = 'y'; UPDATE k SET b = 2, v = NULL; UPDATE s SET id = 4;"
        "UPDATE g SET v = v + 1; UPDATE u SET x = 9; UPDATE new SET old = 5, rowid = 6");
    feed_change("DELETE FROM r; DELETE FROM k; DELETE FROM s; DELETE FROM g; DELETE FROM u;"
                "DELETE FROM new");
    /* keys that are exchanged, in the steps that SQLite lets them */
    feed_change("INSERT INTO r VALUES (1, 'a', 2), (2, 'b', 3); UPDATE r SET id = -id;"
                "UPDATE r SET id = 3 + id; INSERT INTO u VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3);"
                "UPDATE u SET x = x - 1");
    feed_change("BEGIN; INSERT INTO r VALUES (9, 9, 9); ROLLBACK; INSERT INTO r VALUES (8, 8, 8)");
    feed_tear_down();
}

static void values_come_as_they_are(void **state)
{
    (void)state;
    skip_without_long_double();
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v, r REAL, n NUMERIC(10, 2), x TEXT)",
                "t id");
    feed_start_copy();
    feed_change(
        "INSERT INTO t VALUES (1, 1, 1, 1, 1), (2, 1.0, 1e300, 2.50, 'a' || char(0) || 'b'),"
        "(3, x'00ff', 3, 'text', CAST(x'ff41' AS TEXT)), (4, x'', NULL, x'01', ''),"
        "(5, 9223372036854775807, 0.1, -0.0, 'é'), (6, '1', 9007199254740993, '1e400', '1.0'),"
        "(7, 0.1 + 0.2, 1e-320, 123456789012345678, NULL);"
        "UPDATE t SET v = v || '' WHERE id = 2");
    static const char rows[] = "SELECT group_concat(id || typeof(v) || quote(v) || typeof(r) || "
                               "quote(r) || typeof(n) || quote(n) || typeof(x) || hex(x)) FROM t";
    assert_string_equal(file_ask(feed_bench.path, rows), file_ask(feed_bench.copy_path, rows));
    feed_tear_down();
}

static void texts_of_another_encoding_come_as_well(void **state)
{
    (void)state;
    feed_set_up("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(id TEXT PRIMARY KEY, v UNIQUE)",
                "t id");
    feed_start_copy();
    feed_change("INSERT INTO t VALUES ('é', '😀'), ('a', 'b'); REPLACE INTO t VALUES ('ü', 'b')");
    feed_tear_down();
}

static int compare_backwards(void *context, int left, const void *a, int right, const void *b)
{
    int order = memcmp(b, a, (size_t)(left < right ? left : right));
    (void)context;
    return order != 0 ? order : right - left;
}

/* Of an application's own collation only its writers know. */
static void keys_of_an_unknown_collation_are_followed(void **state)
{
    static const enum record_operation operations[] = {RECORD_INSERT, RECORD_INSERT, RECORD_DELETE,
                                                       RECORD_INSERT, RECORD_DELETE, RECORD_UPDATE};
    static const char keys[] = "abacbd";
    struct error error = {0};
    struct change_set *set;
    sqlite3 *writer = NULL;
    (void)state;
    feed_set_up("CREATE TABLE other(a)", "t id");
    assert_int_equal(sqlite3_open(feed_bench.path, &writer), SQLITE_OK);
    assert_int_equal(sqlite3_create_collation_v2(writer, "backwards", SQLITE_UTF8, NULL,
                                                 compare_backwards, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer,
                                  "CREATE TABLE t(id TEXT PRIMARY KEY COLLATE backwards, v UNIQUE)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_done(feed_try_create(&error));
    feed_bench_open();
    assert_int_equal(sqlite3_exec(writer,
                                  "INSERT INTO t VALUES ('a', 1), ('b', 2);"
                                  "REPLACE INTO t VALUES ('c', 1); INSERT OR IGNORE INTO t VALUES "
                                  "('c', 9); DELETE FROM t WHERE id = 'b'; UPDATE t SET id = 'd'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(writer);
    assert_done(feed_next_set(&set, &error));
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct record_change *change = &set->changes[i];
        assert_true(i < COUNT_OF(operations));
        assert_int_equal(change->operation, operations[i]);
        assert_int_equal((change->after != NULL ? change->after : change->key)[0].text[0], keys[i]);
    }
    assert_int_equal(set->change_count, COUNT_OF(operations));
    arena_destroy(set->arena);
    feed_tear_down();
}

static void wide_tables_are_followed(void **state)
{
    struct buffer sql = {0};
    struct error error = {0};
    (void)state;
    for (uint32_t columns = FEED_COLUMNS_MAX; columns <= FEED_COLUMNS_MAX + 1; columns++) {
        buffer_append_string(&sql, "CREATE TABLE t(id INTEGER PRIMARY KEY");
        for (uint32_t i = 1; i < columns; i++) {
            buffer_format(&sql, ", c%u", i);
        }
        buffer_append_string(&sql, "); CREATE UNIQUE INDEX i ON t(abs(c7))");
        feed_set_up(buffer_string(&sql), "t id");
        buffer_clear(&sql);
        if (columns > FEED_COLUMNS_MAX) {
            assert_int_equal(feed_try_create(&error), STATUS_FAILED);
            assert_int_equal(error.code, ERROR_SOURCE_INVALID);
        } else {
            feed_start_copy();
            feed_change("INSERT INTO t(id, c7, c989) VALUES (1, 7, 8), (2, 9, 9);"
                        "UPDATE OR REPLACE t SET c7 = -9, c3 = 4 WHERE id = 1");
        }
        feed_tear_down();
    }
    buffer_free(&sql);
}

static void what_changes_write_themselves(void **state)
{
    (void)state;
    feed_set_up(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, v);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE "
        "CASCADE); CREATE TABLE d(id INTEGER PRIMARY KEY, c REFERENCES c ON DELETE SET NULL);"
        "CREATE TABLE log(id INTEGER PRIMARY KEY, v UNIQUE);"
        "CREATE TRIGGER a AFTER INSERT ON p BEGIN INSERT INTO log(v) VALUES (new.v);"
        " INSERT OR REPLACE INTO log(v) VALUES (new.v); END;"
        "CREATE TRIGGER b BEFORE UPDATE ON p BEGIN UPDATE log SET v = v || '!'; END;"
        "CREATE TRIGGER r AFTER INSERT ON log WHEN new.v = 'more' BEGIN"
        " INSERT INTO log(v) VALUES ('again'); END",
        "p id,c id,d id,log id");
    feed_start_copy();
    feed_change("PRAGMA foreign_keys = ON; INSERT INTO p VALUES (1, 'a'), (2, 'more');"
                "INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO d VALUES (1, 1), (2, 2);"
                "UPDATE p SET id = 5 WHERE id = 1; DELETE FROM p WHERE id = 2");
    feed_change("PRAGMA foreign_keys = ON; REPLACE INTO p VALUES (5, 'z')");
    feed_change(
        "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; REPLACE INTO p VALUES (5, 'y');"
        "INSERT INTO p VALUES (6, 'x')");
    feed_tear_down();
}

/* ---- rows that are replaced */

static const char *const unique_kinds[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v)",
    "CREATE TABLE t(id TEXT PRIMARY KEY, u, v)",
    "CREATE TABLE t(id PRIMARY KEY, u, v) WITHOUT ROWID",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE, v)",
    "CREATE TABLE t(id PRIMARY KEY ON CONFLICT REPLACE, u, v UNIQUE ON CONFLICT IGNORE)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v); CREATE UNIQUE INDEX i ON t(u, v)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v); CREATE UNIQUE INDEX i ON t(u) WHERE v > 5",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v); CREATE UNIQUE INDEX i ON t(abs(u) DESC, \"v\" /* "
    "( */ + 1)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v);"
    " CREATE UNIQUE INDEX i ON t(coalesce(u, ')'), v % 3) WHERE u <> 2 AND v IS NOT NULL -- no",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v); CREATE UNIQUE INDEX i ON t(u COLLATE NOCASE)",
    "CREATE TABLE t(id TEXT PRIMARY KEY COLLATE NOCASE, u, v) WITHOUT ROWID",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u, v, w AS (u % 2) UNIQUE)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, u UNIQUE, v UNIQUE)",
};

static const char *const replacing[] = {
    "INSERT OR REPLACE INTO t(id, u, v) VALUES (1, 2, 3)",
    "REPLACE INTO t(id, u, v) VALUES (9, 2, 7), (10, 2, 7), (1, -2, 8)",
    "INSERT OR REPLACE INTO t(u, v) VALUES (3, 9)",
    "INSERT OR REPLACE INTO t(id, u, v) VALUES ('A', 'X', 7), ('a', 'x', 7)",
    "UPDATE OR REPLACE t SET u = 2",
    "UPDATE OR REPLACE t SET id = 3 WHERE id IN (1, 2)",
    "UPDATE OR REPLACE t SET v = 7, u = u",
    "UPDATE OR REPLACE t SET id = id + 1, u = u + 1",
    "INSERT OR IGNORE INTO t(id, u, v) VALUES (1, 2, 3), (8, 8, 8)",
    "INSERT OR FAIL INTO t(id, u, v) VALUES (8, 8, 8), (1, 2, 3), (12, 12, 12)",
    "INSERT OR ABORT INTO t(id, u, v) VALUES (8, 8, 8), (1, 2, 3)",
    "INSERT OR ROLLBACK INTO t(id, u, v) VALUES (8, 8, 8), (1, 2, 3)",
    "INSERT INTO t(id, u, v) VALUES (8, 8, 8), (1, 2, 3)",
    "UPDATE t SET u = 2, v = 7",
    "UPDATE OR IGNORE t SET u = 2, v = 7, id = 3",
    "INSERT INTO t(id, u, v) VALUES (1, 2, 3), (8, 8, 8) ON CONFLICT DO NOTHING",
    "INSERT INTO t(id, u, v) VALUES (1, 2, 3), (8, 8, 8) ON CONFLICT (id) DO UPDATE SET v = 100",
    "INSERT OR REPLACE INTO t(rowid, id, u, v) VALUES (2, 'n', 30, 30)",
    "UPDATE OR REPLACE t SET rowid = 2 WHERE rowid = 1",
    "BEGIN; REPLACE INTO t(id, u, v) VALUES (1, 2, 7); DELETE FROM t WHERE u = 2; COMMIT",
    "BEGIN; REPLACE INTO t(id, u, v) VALUES (20, 2, 7); INSERT OR IGNORE INTO t(id, u, v) VALUES (2, "
    "40, 40); COMMIT",
};

static void replaced_rows_are_deleted(void **state)
{
    static const char *const settings[] = {
        "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = OFF",
        "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = ON"};
    (void)state;
    for (uint32_t k = 0; k < COUNT_OF(unique_kinds); k++) {
        feed_set_up(unique_kinds[k], "t id");
        feed_start_copy();
        for (uint32_t i = 0; i < 2 * COUNT_OF(replacing); i++) {
            const char *setting = settings[i % 2];
            const char *sql = arena_format(
                feed_bench.arena,
                "%s; DELETE FROM t; INSERT OR IGNORE INTO t(id, u, v) VALUES (1, 1, 6), (2, 2, 7),"
                " (3, -3, 8), ('4', 4, 9)",
                setting);
            assert_int_equal(feed_try_execute(feed_bench.path, sql), SQLITE_OK);
            feed_drain();
            sql = arena_format(feed_bench.arena, "%s; %s", setting, replacing[i / 2]);
            (void)feed_try_execute(feed_bench.path, sql);
            feed_drain();
            feed_assert_equal(arena_format(feed_bench.arena, "%s; %s", unique_kinds[k], sql));
        }
        feed_tear_down();
    }
}

/* What a replaced row was is told as well. */
static void what_a_row_was_comes_with_it(void **state)
{
    (void)state;
    struct error error = {0};
    struct change_set *set;
    feed_set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v);"
                "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
                "t id");
    feed_start_copy();
    file_execute(feed_bench.path,
                 "REPLACE INTO t VALUES (1, 2, 3); UPDATE t SET v = 4; DELETE FROM t");
    assert_done(feed_next_set(&set, &error));
    assert_int_equal(set->change_count, 4);
    static const enum record_operation operations[] = {RECORD_DELETE, RECORD_UPDATE, RECORD_UPDATE,
                                                       RECORD_DELETE};
    static const int64_t keys[] = {2, 1, 1, 1};
    static const int64_t before[] = {2, 1, 3, 4};
    static const int64_t after[] = {0, 3, 4, 0};
    /* the rows in the way are told in any order */
    for (int i = 0; i < 4; i++) {
        const struct record_change *one = &set->changes[i];
        assert_int_equal(one->operation, operations[i]);
        assert_int_equal(one->key[0].i64, keys[i]);
        assert_int_equal(one->before[2].i64, before[i]);
        assert_int_equal(one->after != NULL ? one->after[2].i64 : 0, after[i]);
    }
    assert_true(llabs(set->commit_time_us - clock_utc_us()) < 60000000);
    arena_destroy(set->arena);
    feed_tear_down();
}

/* Any statements, some of which fail, in transactions of any length. */
static void whatever_is_written_arrives(void **state)
{
    static const char *const clauses[] = {"",          "OR REPLACE", "OR REPLACE", "OR REPLACE",
                                          "OR IGNORE", "OR FAIL",    "OR ABORT"};
    static const char *const forms[] = {
        "INSERT %s INTO t(id, u, v) VALUES (%d, %d, %d)",
        "INSERT %s INTO t(u, v) VALUES (%d, %d), (%d, 1)",
        "INSERT %s INTO t(id, u, v) VALUES (%d, %d, %d) ON CONFLICT DO UPDATE SET v = excluded.v",
        "INSERT %s INTO t(id, u, v) VALUES (%d, %d, %d) ON CONFLICT (u) DO UPDATE SET id = id + 9",
        "UPDATE %s t SET id = %d WHERE u > %d AND v < %d",
        "UPDATE %s t SET u = %d, v = v + 1 WHERE id IN (%d, %d)",
        "UPDATE %s t SET u = u + 1, v = %d WHERE id > %d OR v = %d",
        "/* %s */ DELETE FROM t WHERE id = %d OR u = %d OR v = %d",
        "INSERT %s INTO k(a, b, c) VALUES (%d, %d, %d)",
        "INSERT %s INTO k SELECT u, v, %d FROM t WHERE u IS NOT NULL AND v <> %d AND id <> %d",
        "UPDATE %s k SET a = %d, c = c + 1 WHERE b = %d OR c = %d",
        "UPDATE %s k SET c = %d WHERE a = %d OR b = %d",
        "/* %s */ DELETE FROM k WHERE a = %d AND b < %d + %d",
    };
    struct random random = random_start();
    (void)state;
    feed_set_up(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v);"
        "CREATE UNIQUE INDEX i ON t(v) WHERE v > 4; CREATE UNIQUE INDEX j ON t(u % 7 + v * 10);"
        "CREATE TABLE k(a, b, c, PRIMARY KEY (b, a)) WITHOUT ROWID;"
        "CREATE UNIQUE INDEX l ON k(c) WHERE a < 5; CREATE TABLE x(id INTEGER PRIMARY KEY, w);"
        "CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT OR REPLACE INTO x VALUES (old.u, 1); END;"
        "CREATE TRIGGER s BEFORE INSERT ON k BEGIN INSERT OR REPLACE INTO x VALUES (new.a, 2);"
        " UPDATE OR REPLACE t SET u = new.b WHERE id = new.a; END",
        "t id,k b a,x id");
    feed_start_copy();
    for (long i = 0; i < test_rounds(150); i++) {
        struct buffer sql = {0};
        buffer_append_string(&sql, random_below(&random, 2) == 0
                                       ? "PRAGMA synchronous = OFF; PRAGMA recursive_triggers = ON"
                                       : "PRAGMA synchronous = OFF");
        for (uint64_t count = 1 + random_below(&random, 8); count > 0; count--) {
            const char *form = forms[random_below(&random, COUNT_OF(forms))];
            char one[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(one, sizeof one, form, clauses[random_below(&random, COUNT_OF(clauses))],
                     (int)random_below(&random, 9), (int)random_below(&random, 9),
                     (int)random_below(&random, 9));
#pragma GCC diagnostic pop
            buffer_format(&sql, ";\n%s", one);
        }
        (void)feed_try_execute(feed_bench.path, buffer_string(&sql));
        if (random_below(&random, 3) > 0) {
            feed_drain();
            feed_assert_equal(buffer_string(&sql));
        }
        buffer_free(&sql);
    }
    feed_drain();
    feed_assert_equal("at the end");
    assert_true(feed_bench.changes > 100);
    feed_tear_down();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_every_kind_of_table),
        cmocka_unit_test(values_come_as_they_are),
        cmocka_unit_test(texts_of_another_encoding_come_as_well),
        cmocka_unit_test(keys_of_an_unknown_collation_are_followed),
        cmocka_unit_test(wide_tables_are_followed),
        cmocka_unit_test(what_changes_write_themselves),
        cmocka_unit_test(replaced_rows_are_deleted),
        cmocka_unit_test(what_a_row_was_comes_with_it),
        cmocka_unit_test(whatever_is_written_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
