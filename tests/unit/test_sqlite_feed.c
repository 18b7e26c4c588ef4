/* Following a SQLite file: what its log brings, applied to a copy, makes the copy what the file is.
 */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/sqlite/feed_internal.h"
#include "support_sqlite_target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TABLES_MAX = 8 };

/* A file that is followed, and a copy of it. */
static struct {
    char path[1024];
    char copy_path[1024];
    struct database *source;
    struct database *copy;
    const char *names[TABLES_MAX];
    struct target_table tables[2 * TABLES_MAX];
    const char *key_names[TABLES_MAX][4];
    uint32_t table_count;
    struct feed *feed;
    struct apply *apply;
    struct position position;
    struct arena *arena;
    uint32_t sets;
    uint32_t changes;
    uint32_t pieces;
} bench;

/* As a foreign program would, whatever becomes of it. */
static int try_execute(const char *path, const char *sql)
{
    sqlite3 *connection = NULL;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 5000);
    int result = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    sqlite3_close(connection);
    return result;
}

/* "name key1 key2": a table and its key. */
static void add_table(const char *text)
{
    char *copy = arena_copy_string(bench.arena, text);
    uint32_t at = bench.table_count++;
    uint32_t count = 0;
    char *rest = NULL;
    bench.names[at] = strtok_r(copy, " ", &rest);
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        bench.key_names[at][count++] = word;
    }
    bench.tables[at] =
        (struct target_table){.name = bench.names[at], .key = {bench.key_names[at], count}};
}

static enum status try_create(struct error *error)
{
    struct feed_start start;
    enum status status = sqlite_feed.create(bench.source, "f", bench.names, bench.table_count,
                                            bench.arena, &start, error);
    bench.position = status == STATUS_OK ? start.position : (struct position){0};
    return status;
}

static enum status try_open(struct error *error)
{
    sqlite_feed.close(bench.feed);
    bench.feed = NULL;
    return sqlite_feed.open(bench.source, "f", bench.position, &bench.feed, error);
}

static void open_feed(void)
{
    struct error error = {0};
    assert_done(try_open(&error));
}

/* `tables`: separated by commas. */
static void set_up(const char *sql, const char *tables)
{
    memset(&bench, 0, sizeof bench);
    bench.arena = arena_create(0);
    snprintf(bench.path, sizeof bench.path, "%s", target_path("source.db"));
    snprintf(bench.copy_path, sizeof bench.copy_path, "%.1000s-copy", bench.path);
    file_execute(bench.path, sql);
    char *list = arena_copy_string(bench.arena, tables);
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        add_table(one);
    }
    bench.source = target_source_open(bench.path);
}

static void start(void)
{
    struct error error = {0};
    assert_done(try_create(&error));
    open_feed();
    file_execute(bench.path, arena_format(bench.arena, "VACUUM INTO '%s'", bench.copy_path));
    sqlite3 *copy = NULL;
    assert_int_equal(sqlite3_open(bench.copy_path, &copy), SQLITE_OK);
    for (uint32_t i = 1; i <= bench.table_count; i++) {
        static const char *const kinds[] = {"insert", "update", "delete", "before_insert",
                                            "before_update"};
        for (uint32_t k = 0; k < COUNT_OF(kinds); k++) {
            const char *sql =
                arena_format(bench.arena, "DROP TRIGGER \"_transhume_feed_f.%u.%s\"", i, kinds[k]);
            assert_int_equal(sqlite3_exec(copy, sql, NULL, NULL, NULL), SQLITE_OK);
        }
    }
    sqlite3_close(copy);
    bench.copy = target_open(bench.copy_path);
    bench.copy->triggers_off = true;
    memcpy(&bench.tables[bench.table_count], bench.tables,
           bench.table_count * sizeof bench.tables[0]);
    const struct apply_request request = {
        .feed = "f", .tables = bench.tables, .table_count = 2 * bench.table_count};
    assert_done(sqlite_apply.open(bench.copy, &request, &bench.apply, &error));
}

static void tear_down(void)
{
    sqlite_apply.close(bench.apply);
    sqlite_feed.close(bench.feed);
    if (bench.copy != NULL) {
        target_close(bench.copy);
    }
    target_close(bench.source);
    arena_destroy(bench.arena);
}

/* The set's changes, of the copy's tables: one that comes in two versions is there twice. */
static void map_tables(struct change_set *set)
{
    struct record_change *changes =
        arena_allocate_zeroed(set->arena, set->change_count + 1u, sizeof *changes);
    struct change_table *tables = arena_allocate_zeroed(set->arena, 2 * TABLES_MAX, sizeof *tables);
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct change_table *from = &set->tables[set->changes[i].table];
        uint32_t to = 0;
        while (strcmp(bench.names[to], from->name) != 0) {
            assert_true(++to < bench.table_count);
        }
        to += tables[to].shape != NULL && tables[to].shape != from->shape ? bench.table_count : 0;
        changes[i] = set->changes[i];
        changes[i].table = to;
        tables[to] = *from;
    }
    set->changes = changes;
    set->tables = tables;
    set->table_count = 2 * bench.table_count;
}

static enum status apply_set(struct change_set *set, struct error *error)
{
    struct apply_result result;
    const struct change_set *const sets[] = {set};
    map_tables(set);
    enum status status = sqlite_apply.apply_sets(bench.apply, sets, 1, bench.arena, &result, error);
    for (uint32_t i = 0; status == STATUS_OK && i < result.refusal_count; i++) {
        if (result.refusals[i].code != ERROR_REJECT_KEY_NULL) {
            fail_msg("refused: %s", result.refusals[i].reason);
        }
    }
    return status;
}

static enum status next_set(struct change_set **set, struct error *error)
{
    enum status status = sqlite_feed.next(bench.feed, 0, set, error);
    if (status != STATUS_OK) {
        return status;
    }
    assert_true(sqlite_feed.compare((*set)->begin, (*set)->end) < 0);
    bench.pieces++;
    bench.sets += (*set)->last_piece;
    bench.changes += (*set)->change_count;
    if ((*set)->last_piece) {
        char *bytes = arena_copy(bench.arena, (*set)->end.bytes, (*set)->end.length);
        bench.position = (struct position){(const uint8_t *)bytes, (*set)->end.length};
    }
    return STATUS_OK;
}

/* Applies all that came. */
static enum status try_drain(struct error *error)
{
    struct change_set *set;
    enum status status;
    while ((status = next_set(&set, error)) == STATUS_OK) {
        struct error failure = {0};
        if (apply_set(set, &failure) != STATUS_OK) {
            fail_msg("%s: %s", failure.object, failure.message);
        }
        arena_destroy(set->arena);
        assert_int_equal(sqlite_feed.confirm(bench.feed, bench.position, error), STATUS_OK);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

static void drain(void)
{
    struct error error = {0};
    assert_done(try_drain(&error));
}

/* Every table of the copy has the rows of the file's. */
static void assert_equal(const char *what)
{
    const char *attach = arena_format(bench.arena, "ATTACH '%s' AS copy", bench.copy_path);
    sqlite3 *connection = NULL;
    assert_int_equal(sqlite3_open(bench.path, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, attach, NULL, NULL, NULL), SQLITE_OK);
    for (uint32_t i = 0; i < 2 * bench.table_count; i++) {
        static const char *const sides[] = {"main", "copy"};
        const char *sql = arena_format(bench.arena,
                                       "SELECT * FROM %s.\"%s\" WHERE %s IS NOT NULL"
                                       " EXCEPT SELECT * FROM %s.\"%s\"",
                                       sides[i % 2], bench.names[i / 2], bench.key_names[i / 2][0],
                                       sides[1 - i % 2], bench.names[i / 2]);
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
        if (sqlite3_step(statement) == SQLITE_ROW) {
            fail_msg("%s: only %s.%s has %s, %s", what, sides[i % 2], bench.names[i / 2],
                     (const char *)sqlite3_column_text(statement, 0),
                     (const char *)sqlite3_column_text(statement, 1));
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(connection);
}

static void change(const char *sql)
{
    file_execute(bench.path, sql);
    drain();
    assert_equal(sql);
}

/* ---- what is brought */

static void changes_of_every_kind_of_table(void **state)
{
    (void)state;
    set_up("CREATE TABLE r(id INTEGER PRIMARY KEY, v, w TEXT);"
           "CREATE TABLE k(a TEXT, b, v, PRIMARY KEY (b, a)) WITHOUT ROWID;"
           "CREATE TABLE s(id INT PRIMARY KEY, v INTEGER) STRICT;"
           "CREATE TABLE g(id INTEGER PRIMARY KEY, v INT, d AS (v * 2), e AS (v + 1) STORED);"
           "CREATE TABLE \"odd \"\"'[]%n\"(\"a b\" INTEGER PRIMARY KEY, \"new\" , \"old\");"
           "CREATE TABLE u(x NOT NULL, y NOT NULL, z); CREATE UNIQUE INDEX ux ON u(y, x);"
           "CREATE TABLE new(old PRIMARY KEY, rowid, _rowid_, oid);",
           "r id,k b a,s id,g id,u y x,new old");
    start();
    change("INSERT INTO r VALUES (1, 'a', 2), (2, 'b', 3); INSERT INTO k VALUES ('x', 1, 5);"
           "INSERT INTO s VALUES (1, 1); INSERT INTO g(id, v) VALUES (1, 4), (2, 5);"
           "INSERT INTO u VALUES (1, 2, 3); INSERT INTO new VALUES (1, 2, 3, 4)");
    assert_int_equal(bench.sets, 1);
    assert_int_equal(bench.changes, 8);
    change(
        "UPDATE r SET v = 'c' WHERE id = 1; UPDATE r SET id = id + 10; DELETE FROM r WHERE id = 12;"
        "UPDATE k SET a = 'y'; UPDATE k SET b = 2, v = NULL; UPDATE s SET id = 4;"
        "UPDATE g SET v = v + 1; UPDATE u SET x = 9; UPDATE new SET old = 5, rowid = 6");
    change("DELETE FROM r; DELETE FROM k; DELETE FROM s; DELETE FROM g; DELETE FROM u;"
           "DELETE FROM new");
    /* keys that are exchanged, in the steps that SQLite lets them */
    change("INSERT INTO r VALUES (1, 'a', 2), (2, 'b', 3); UPDATE r SET id = -id;"
           "UPDATE r SET id = 3 + id; INSERT INTO u VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3);"
           "UPDATE u SET x = x - 1");
    change("BEGIN; INSERT INTO r VALUES (9, 9, 9); ROLLBACK; INSERT INTO r VALUES (8, 8, 8)");
    tear_down();
}

static void values_come_as_they_are(void **state)
{
    (void)state;
    skip_without_long_double();
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v, r REAL, n NUMERIC(10, 2), x TEXT)", "t id");
    start();
    change("INSERT INTO t VALUES (1, 1, 1, 1, 1), (2, 1.0, 1e300, 2.50, 'a' || char(0) || 'b'),"
           "(3, x'00ff', 3, 'text', CAST(x'ff41' AS TEXT)), (4, x'', NULL, x'01', ''),"
           "(5, 9223372036854775807, 0.1, -0.0, 'é'), (6, '1', 9007199254740993, '1e400', '1.0'),"
           "(7, 0.1 + 0.2, 1e-320, 123456789012345678, NULL);"
           "UPDATE t SET v = v || '' WHERE id = 2");
    static const char rows[] = "SELECT group_concat(id || typeof(v) || quote(v) || typeof(r) || "
                               "quote(r) || typeof(n) || quote(n) || typeof(x) || hex(x)) FROM t";
    assert_string_equal(file_ask(bench.path, rows), file_ask(bench.copy_path, rows));
    tear_down();
}

static void what_changes_write_themselves(void **state)
{
    (void)state;
    set_up("CREATE TABLE p(id INTEGER PRIMARY KEY, v);"
           "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE "
           "CASCADE); CREATE TABLE d(id INTEGER PRIMARY KEY, c REFERENCES c ON DELETE SET NULL);"
           "CREATE TABLE log(id INTEGER PRIMARY KEY, v UNIQUE);"
           "CREATE TRIGGER a AFTER INSERT ON p BEGIN INSERT INTO log(v) VALUES (new.v);"
           " INSERT OR REPLACE INTO log(v) VALUES (new.v); END;"
           "CREATE TRIGGER b BEFORE UPDATE ON p BEGIN UPDATE log SET v = v || '!'; END;"
           "CREATE TRIGGER r AFTER INSERT ON log WHEN new.v = 'more' BEGIN"
           " INSERT INTO log(v) VALUES ('again'); END",
           "p id,c id,d id,log id");
    start();
    change("PRAGMA foreign_keys = ON; INSERT INTO p VALUES (1, 'a'), (2, 'more');"
           "INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO d VALUES (1, 1), (2, 2);"
           "UPDATE p SET id = 5 WHERE id = 1; DELETE FROM p WHERE id = 2");
    change("PRAGMA foreign_keys = ON; REPLACE INTO p VALUES (5, 'z')");
    change(
        "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; REPLACE INTO p VALUES (5, 'y');"
        "INSERT INTO p VALUES (6, 'x')");
    tear_down();
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
        set_up(unique_kinds[k], "t id");
        start();
        for (uint32_t i = 0; i < 2 * COUNT_OF(replacing); i++) {
            const char *setting = settings[i % 2];
            const char *sql = arena_format(
                bench.arena,
                "%s; DELETE FROM t; INSERT OR IGNORE INTO t(id, u, v) VALUES (1, 1, 6), (2, 2, 7),"
                " (3, -3, 8), ('4', 4, 9)",
                setting);
            assert_int_equal(try_execute(bench.path, sql), SQLITE_OK);
            drain();
            sql = arena_format(bench.arena, "%s; %s", setting, replacing[i / 2]);
            (void)try_execute(bench.path, sql);
            drain();
            assert_equal(arena_format(bench.arena, "%s; %s", unique_kinds[k], sql));
        }
        tear_down();
    }
}

/* What a replaced row was is told as well. */
static void what_a_row_was_comes_with_it(void **state)
{
    (void)state;
    struct error error = {0};
    struct change_set *set;
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v);"
           "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
           "t id");
    start();
    file_execute(bench.path, "REPLACE INTO t VALUES (1, 2, 3); UPDATE t SET v = 4; DELETE FROM t");
    assert_done(next_set(&set, &error));
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
    tear_down();
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
    set_up(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v);"
        "CREATE UNIQUE INDEX i ON t(v) WHERE v > 4; CREATE UNIQUE INDEX j ON t(u % 7 + v * 10);"
        "CREATE TABLE k(a, b, c, PRIMARY KEY (b, a)) WITHOUT ROWID;"
        "CREATE UNIQUE INDEX l ON k(c) WHERE a < 5; CREATE TABLE x(id INTEGER PRIMARY KEY, w);"
        "CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT OR REPLACE INTO x VALUES (old.u, 1); END;"
        "CREATE TRIGGER s BEFORE INSERT ON k BEGIN INSERT OR REPLACE INTO x VALUES (new.a, 2);"
        " UPDATE OR REPLACE t SET u = new.b WHERE id = new.a; END",
        "t id,k b a,x id");
    start();
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
        (void)try_execute(bench.path, buffer_string(&sql));
        if (random_below(&random, 3) > 0) {
            drain();
            assert_equal(buffer_string(&sql));
        }
        buffer_free(&sql);
    }
    drain();
    assert_equal("at the end");
    assert_true(bench.changes > 100);
    tear_down();
}

/* ---- sets */

static void large_sets_come_in_pieces(void **state)
{
    (void)state;
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE;",
                                        "PRAGMA journal_mode = WAL;"};
    for (uint32_t i = 0; i < COUNT_OF(modes); i++) {
        set_up(arena_format(arena_create(0),
                            "%sCREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v)", modes[i]),
               "t id");
        start();
        change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
               " INSERT INTO t SELECT i, i, 'value ' || i FROM n");
        assert_int_equal(bench.sets, 1);
        assert_true(bench.pieces >= 4);
        assert_int_equal(bench.changes, 20000);
        /* every second row goes for the sake of another, and comes back under its key in part */
        change("REPLACE INTO t SELECT id + 100000, id, v FROM t WHERE id % 2 = 0;"
               "INSERT INTO t SELECT id - 100000, -id, v FROM t WHERE id > 100000 AND id % 4 = 0");
        change("UPDATE t SET v = zeroblob(1000) WHERE id < 5000; DELETE FROM t WHERE id > 3000");
        tear_down();
    }
}

static void what_is_confirmed_is_forgotten(void **state)
{
    (void)state;
    struct error error = {0};
    struct feed_health health;
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
    start();
    struct position first = bench.position;
    change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000)"
           " INSERT INTO t SELECT i FROM n");
    assert_string_equal(file_ask(bench.path, "SELECT count(*) FROM _transhume_feed_f"), "1");
    assert_done(sqlite_feed.health(bench.feed, &health, &error));
    assert_true(health.bytes_kept > 0 && health.bytes_kept < 100);
    assert_int_equal(health.lag_us, 0);
    /* the log counts on */
    file_execute(bench.path, "DELETE FROM t WHERE id > 14998");
    assert_done(sqlite_feed.health(bench.feed, &health, &error));
    assert_true(health.bytes_kept > 50 && health.lag_us >= 0);
    drain();
    assert_equal("after");
    /* what is not confirmed stays, and a position before what was forgotten is lost */
    struct position last = bench.position;
    bench.position = first;
    assert_int_equal(try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    bench.position = last;
    open_feed();
    change("INSERT INTO t VALUES (20000)");
    tear_down();
}

static void a_feed_goes_on_where_it_was(void **state)
{
    (void)state;
    struct error error = {0};
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
    start();
    change("INSERT INTO t VALUES (1, 1)");
    file_execute(bench.path, "INSERT INTO t VALUES (2, 2)");
    open_feed();
    drain();
    assert_equal("opened again");
    /* made again it is the same; of other tables it is refused */
    struct position position = bench.position;
    assert_done(try_create(&error));
    assert_true(sqlite_feed.compare(bench.position, position) < 0);
    bench.names[0] = "u";
    file_execute(bench.path, "CREATE TABLE u(id INTEGER PRIMARY KEY)");
    assert_int_equal(try_create(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_CHANGED);
    bench.names[0] = "t";
    /* a file that was put back from an older one */
    bench.position = (struct position){(const uint8_t *)"\x7f\xff\xff\xff\xff\xff\xff\xff", 8};
    assert_int_equal(try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    tear_down();
}

static void dropped_nothing_is_left(void **state)
{
    (void)state;
    struct error error = {0};
    struct feed_start other;
    static const char left[] = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'";
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
    const char *before = file_ask(bench.path, "SELECT group_concat(name) FROM sqlite_schema");
    start();
    assert_done(
        sqlite_feed.create(bench.source, "f_1", bench.names, 1, bench.arena, &other, &error));
    change("INSERT INTO t VALUES (1, 1)");
    assert_string_equal(file_ask(bench.path, "SELECT count(*) FROM _transhume_feed_f_1"), "2");
    sqlite_feed.close(bench.feed);
    bench.feed = NULL;
    assert_done(sqlite_feed.drop(bench.source, "f", &error));
    assert_done(sqlite_feed.drop(bench.source, "f", &error));
    assert_string_equal(file_ask(bench.path, left), "7");
    assert_done(sqlite_feed.drop(bench.source, "f_1", &error));
    assert_string_equal(file_ask(bench.path, left), "0");
    assert_string_equal(file_ask(bench.path, "SELECT group_concat(name) FROM sqlite_schema"),
                        before);
    assert_int_equal(try_open(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    tear_down();
}

/* The copy holds what is before its moment, and the feed begins behind it. */
static void a_snapshot_is_of_one_moment_with_the_feed(void **state)
{
    (void)state;
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE;",
                                        "PRAGMA journal_mode = WAL;"};
    for (uint32_t i = 0; i < COUNT_OF(modes); i++) {
        struct error error = {0};
        struct feed_start begun;
        struct change_set *set;
        const char *token;
        set_up(arena_format(arena_create(0), "%sCREATE TABLE t(id INTEGER PRIMARY KEY)", modes[i]),
               "t id");
        assert_done(
            sqlite_feed.create(bench.source, "f", bench.names, 1, bench.arena, &begun, &error));
        bench.position = begun.position;
        file_execute(bench.path, "INSERT INTO t VALUES (1)");
        bench.source->moment = begun.snapshot;
        assert_done(sqlite_source_functions.snapshot(bench.source, 1, bench.arena, &token, &error));
        target_close(bench.source);
        bench.source = target_source_open(bench.path);
        file_execute(bench.path, "INSERT INTO t VALUES (2)");
        /* that of a resumed copy changes nothing */
        bench.source->moment = "f";
        assert_done(sqlite_source_functions.snapshot(bench.source, 1, bench.arena, &token, &error));
        target_close(bench.source);
        bench.source = target_source_open(bench.path);
        open_feed();
        assert_done(next_set(&set, &error));
        assert_int_equal(set->change_count, 1);
        assert_int_equal(set->changes[0].key[0].i64, 2);
        arena_destroy(set->arena);
        struct position head;
        assert_done(sqlite_feed.head(bench.source, bench.arena, &head, &error));
        assert_int_equal(sqlite_feed.compare(head, bench.position), 0);
        tear_down();
    }
}

/* ---- schemas that change */

static void columns_may_be_added(void **state)
{
    (void)state;
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE u(a, b, PRIMARY KEY (a, b));"
           "INSERT INTO t VALUES (1, 1), (2, 2)",
           "t id,u a b");
    start();
    change("UPDATE t SET v = 5; INSERT INTO u VALUES (1, 1)");
    file_execute(bench.copy_path,
                 "ALTER TABLE t ADD COLUMN w DEFAULT 7; ALTER TABLE u ADD COLUMN c");
    /* in one go: what the old triggers log lacks the column */
    change("UPDATE t SET v = 6 WHERE id = 1; ALTER TABLE t ADD COLUMN w DEFAULT 7;"
           "INSERT INTO t VALUES (3, 3, 3); UPDATE t SET w = 8 WHERE id = 2;"
           "UPDATE t SET id = 4 WHERE id = 3; ALTER TABLE u ADD COLUMN c;"
           "INSERT INTO u VALUES (2, 2, 2); DELETE FROM u WHERE a = 1");
    change("UPDATE t SET w = 9; UPDATE u SET c = 3; DELETE FROM t WHERE id = 4");
    open_feed();
    change("UPDATE t SET w = 10");
    tear_down();
}

static void indexes_may_come_and_go(void **state)
{
    (void)state;
    struct error error = {0};
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE UNIQUE INDEX i ON t(v)", "t id");
    start();
    file_execute(bench.copy_path, "DROP INDEX i");
    change("INSERT INTO t VALUES (1, 1), (2, 2); DROP INDEX i; UPDATE t SET v = 3");
    change("INSERT INTO t VALUES (3, 4); CREATE INDEX j ON t(v)");
    change("DELETE FROM t WHERE id > 1; CREATE UNIQUE INDEX k ON t(v)");
    change("REPLACE INTO t VALUES (7, 3), (8, 3)");
    /* replaced by an index that the triggers did not know */
    file_execute(bench.path, "DROP INDEX k; CREATE UNIQUE INDEX l ON t(abs(v));"
                             "REPLACE INTO t VALUES (9, -3)");
    assert_int_equal(try_drain(&error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_FEED_LOST);
    tear_down();
}

static const struct {
    const char *sql;
    enum error_code code;
} breaks[] = {
    {"DROP TRIGGER \"_transhume_feed_f.1.delete\"", ERROR_FEED_LOST},
    {"DROP TABLE u; CREATE TABLE u(id INTEGER PRIMARY KEY, v, w)", ERROR_FEED_LOST},
    {"CREATE TABLE n AS SELECT * FROM u; DROP TABLE u; ALTER TABLE n RENAME TO u", ERROR_FEED_LOST},
    {"DROP TABLE u", ERROR_SOURCE_CHANGED},
    {"ALTER TABLE u RENAME TO x", ERROR_SOURCE_CHANGED},
    {"ALTER TABLE u RENAME COLUMN v TO x", ERROR_SOURCE_CHANGED},
    {"DROP TABLE _transhume_feeds", ERROR_FEED_LOST},
    {"DELETE FROM _transhume_feed_f WHERE sequence = (SELECT min(sequence) + 1 FROM _transhume_feed_f)",
     ERROR_FEED_LOST},
};

static void what_breaks_the_feed_stops_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(breaks); i++) {
        for (int opened = 0; opened < 2; opened++) {
            struct error error = {0};
            set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                   "CREATE TABLE u(id INTEGER PRIMARY KEY, v, w)",
                   "t id,u id");
            start();
            file_execute(bench.path, "INSERT INTO t VALUES (1, 1), (2, 2)");
            file_execute(bench.path, breaks[i].sql);
            enum status status = opened ? STATUS_OK : try_open(&error);
            status = status == STATUS_OK ? try_drain(&error) : status;
            assert_int_equal(status, STATUS_FAILED);
            if (error.code != breaks[i].code) {
                fail_msg("%s: %s: %s", breaks[i].sql, error.object, error.message);
            }
            tear_down();
        }
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
        set_up(refused[i].sql, "t id");
        assert_int_equal(try_create(&error), STATUS_FAILED);
        if (strstr(error.message, refused[i].words) == NULL) {
            fail_msg("%s: %s", error.object, error.message);
        }
        assert_string_equal(
            file_ask(bench.path,
                     "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'"),
            "0");
        tear_down();
    }
    if (geteuid() != 0) {
        struct error error = {0};
        set_up("CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
        assert_int_equal(chmod(bench.path, 0400), 0);
        assert_int_equal(try_create(&error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_PERMISSION);
        tear_down();
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
        set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t id");
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            setenv("TRANSHUME_FAILPOINT", places[i], 1);
            (void)!failpoint_setup(&error);
            (void)!try_create(&error);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        file_execute(bench.path, "INSERT INTO t VALUES (1, 1)");
        assert_string_equal(
            file_ask(bench.path,
                     "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%transhume%'"),
            i == 0 ? "0" : "7");
        start();
        change("INSERT INTO t VALUES (2, 2)");
        assert_int_equal(bench.changes, i == 0 ? 1 : 2);
        tear_down();
    }
}

/* ---- beside others */

static void programs_write_by_any_connection(void **state)
{
    (void)state;
    set_up("CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE)", "t id");
    start();
    file_execute(
        target_path("other.db"),
        arena_format(bench.arena,
                     "CREATE TABLE t(id); ATTACH '%s' AS other; PRAGMA foreign_keys = ON;"
                     "INSERT INTO other.t VALUES (1, 1), (2, 2), (3, 3);"
                     "INSERT OR REPLACE INTO other.t VALUES (4, 1); INSERT INTO t VALUES (1)",
                     bench.path));
    drain();
    assert_equal("attached");
    const char *command =
        arena_format(bench.arena,
                     "python3 -c \"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
                     " c.execute('REPLACE INTO t VALUES (?, ?)', (5, 2)); c.commit()\" '%s'",
                     bench.path);
    assert_int_equal(system(command), 0);
    drain();
    assert_equal("python3");
    change("VACUUM; PRAGMA journal_mode = WAL; DELETE FROM t WHERE id = 3");
    change("INSERT INTO t VALUES (8, 8)");
    tear_down();
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
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE;",
                                        "PRAGMA journal_mode = WAL;"};
    for (uint32_t i = 0; i < COUNT_OF(modes); i++) {
        set_up(arena_format(arena_create(0),
                            "%sCREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (0, "
                            "0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), "
                            "(9, 0); CREATE TABLE u(id INTEGER PRIMARY KEY, w UNIQUE)",
                            modes[i]),
               "t id,u id");
        start();
        pid_t children[2];
        for (int c = 0; c < 2; c++) {
            fflush(NULL);
            children[c] = fork();
            if (children[c] == 0) {
                write_for_a_while(bench.path, (uint64_t)c + 77);
            }
        }
        for (int left = 2; left > 0;) {
            int status = 0;
            drain();
            assert_string_equal(file_ask(bench.copy_path, "SELECT sum(v) FROM t"), "0");
            if (waitpid(-1, &status, WNOHANG) > 0) {
                assert_int_equal(status, 0);
                left--;
            }
        }
        drain();
        assert_equal(modes[i]);
        assert_true(bench.sets > 1);
        tear_down();
    }
}

static void a_locked_file_is_waited_for(void **state)
{
    (void)state;
    struct error error = {0};
    struct change_set *set;
    sqlite3 *other = NULL;
    set_up("PRAGMA journal_mode = DELETE; CREATE TABLE t(id INTEGER PRIMARY KEY)", "t id");
    target_close(bench.source);
    assert_done(target_try_open(bench.path, OPEN_SOURCE, 300, &bench.source, &error));
    start();
    assert_int_equal(sqlite3_open(bench.path, &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(other, "BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite_feed.next(bench.feed, 100, &set, &error), STATUS_AGAIN);
    assert_int_equal(sqlite_feed.next(bench.feed, 2000, &set, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    drain();
    assert_equal("unlocked");
    tear_down();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_every_kind_of_table),
        cmocka_unit_test(values_come_as_they_are),
        cmocka_unit_test(what_changes_write_themselves),
        cmocka_unit_test(replaced_rows_are_deleted),
        cmocka_unit_test(what_a_row_was_comes_with_it),
        cmocka_unit_test(whatever_is_written_arrives),
        cmocka_unit_test(large_sets_come_in_pieces),
        cmocka_unit_test(what_is_confirmed_is_forgotten),
        cmocka_unit_test(a_feed_goes_on_where_it_was),
        cmocka_unit_test(dropped_nothing_is_left),
        cmocka_unit_test(a_snapshot_is_of_one_moment_with_the_feed),
        cmocka_unit_test(columns_may_be_added),
        cmocka_unit_test(indexes_may_come_and_go),
        cmocka_unit_test(what_breaks_the_feed_stops_it),
        cmocka_unit_test(what_fires_no_triggers_is_refused),
        cmocka_unit_test(making_a_feed_is_one_act),
        cmocka_unit_test(programs_write_by_any_connection),
        cmocka_unit_test(other_processes_write_meanwhile),
        cmocka_unit_test(a_locked_file_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
