/* What statements do and which objects they name. */
#include "sql/classify.h"
#include "support.h"
#include <string.h>

static struct sql_piece only_piece(enum sql_language language, const char *text)
{
    struct sql_splitter splitter;
    struct sql_piece piece;
    sql_splitter_init(&splitter, language);
    sql_splitter_window(&splitter, text, strlen(text), true);
    assert_int_equal(sql_splitter_next(&splitter, &piece), STATUS_OK);
    return piece;
}

#define P SQL_POSTGRES
#define M SQL_MYSQL
#define S SQL_SQLITE

static const struct {
    enum sql_language language;
    const char *class;
    const char *text;
} classes[] = {
    {P, "session", "SET search_path = a"},
    {P, "session", "SET LOCAL lock_timeout = 1"},
    {P, "session", "RESET ALL"},
    {P, "session", "DISCARD TEMP"},
    {P, "session", "PREPARE a AS DELETE FROM t"},
    {P, "session", "SELECT pg_catalog.set_config('search_path', '', false)"},
    {P, "alone", "DISCARD ALL"},
    {P, "transaction", "begin isolation level serializable"},
    {P, "transaction", "END"},
    {P, "transaction", "START TRANSACTION"},
    {P, "transaction", "ROLLBACK TO a"},
    {P, "transaction", "PREPARE TRANSACTION 'a'"},
    {P, "alone", "CREATE INDEX CONCURRENTLY ON t (a)"},
    {P, "alone", "CREATE /* x */ UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"},
    {P, "DDL", "CREATE INDEX concurrently_i ON t (a)"},
    {P, "alone", "DROP INDEX CONCURRENTLY i"},
    {P, "alone", "REINDEX TABLE CONCURRENTLY t"},
    {P, "alone", "REINDEX (VERBOSE, CONCURRENTLY) INDEX i"},
    {P, "alone", "REINDEX SCHEMA s"},
    {P, "DDL", "REINDEX (VERBOSE) TABLE t"},
    {P, "alone", "VACUUM FULL t"},
    {P, "alone", "CLUSTER"},
    {P, "DDL", "CLUSTER t USING i"},
    {P, "alone", "CREATE DATABASE d"},
    {P, "alone", "ALTER DATABASE d SET TABLESPACE s"},
    {P, "DDL", "ALTER DATABASE d SET work_mem = 1"},
    {P, "alone", "ALTER SYSTEM SET a = 1"},
    {P, "alone", "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"},
    {P, "DDL", "ALTER TABLE t DETACH PARTITION p"},
    {P, "alone", "ALTER TYPE s.e ADD VALUE IF NOT EXISTS 'a'"},
    {P, "DDL", "ALTER TYPE e RENAME VALUE 'a' TO 'b'"},
    {P, "DDL", "ALTER TYPE e ADD ATTRIBUTE value int"},
    {P, "alone", "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"},
    {P, "DDL", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"},
    {P, "DDL", "GRANT SELECT ON t TO r"},
    {P, "DDL", "SELECT * INTO n FROM t"},
    {P, "DML", "INSERT INTO t SELECT f()"},
    {P, "DML", "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"},
    {P, "DML", "WITH a (b, c) AS (SELECT 1, 2) INSERT INTO t (x) SELECT b FROM a"},
    {P, "DML", "COPY t FROM stdin"},
    {P, "read", "COPY (SELECT 1) TO stdout"},
    {P, "read", "WITH a (b, c) AS NOT MATERIALIZED (SELECT 1, 2) SELECT replace(b, '', '') FROM a"},
    {P, "read", "(SELECT count(*) FILTER (WHERE a IN (1)), now() FROM f AS g(a, b) FOR UPDATE)"},
    {P, "read", "SELECT pg_catalog.lower(a)::varchar(10) FROM generate_series(1, 2) x(a)"},
    {P, "call", "SELECT f(1)"},
    {P, "call", "SELECT s.lower(a)"},
    {P, "call", "SELECT setval('s', 1)"},
    {P, "call", "DO $$ BEGIN END $$"},
    {P, "call", "CALL p()"},
    {P, "call", "GO"},
    {P, "read", "EXPLAIN DELETE FROM t"},
    {P, "DML", "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t"},
    {P, "read", "LOCK TABLE t"},
    {M, "session", "SET NAMES utf8mb4"},
    {M, "session", "/*!40101 SET @a = @@b */"},
    {M, "session", "LOCK TABLES t WRITE"},
    {M, "session", "USE d"},
    {M, "session", "SELECT a INTO @a FROM t"},
    {M, "call", "SELECT a INTO OUTFILE 'x' FROM t"},
    {M, "DDL", "SET PASSWORD = 'a'"},
    {M, "DML", "SET STATEMENT max_statement_time = 1 FOR DELETE FROM t"},
    {M, "transaction", "BEGIN"},
    {M, "transaction", "XA START 'a'"},
    {M, "call", "BEGIN NOT ATOMIC SELECT 1; END"},
    {M, "call", "EXECUTE a"},
    {M, "call", "DO SLEEP(1)"},
    {M, "DDL", "RENAME TABLE a TO b"},
    {M, "DDL", "OPTIMIZE TABLE t"},
    {M, "DDL", "ANALYZE TABLE t"},
    {M, "DML", "ANALYZE FORMAT=JSON UPDATE t SET a = 1"},
    {M, "DDL", "LOAD INDEX INTO CACHE t"},
    {M, "DML", "LOAD DATA INFILE 'x' INTO TABLE t"},
    {M, "DML", "REPLACE INTO t VALUES (1)"},
    {M, "DML", "WITH a AS (SELECT 1) UPDATE t SET b = 1"},
    {M, "read", "SELECT IF(a, 1, 2), REPLACE(b, '', '') FROM t"},
    {M, "call", "SELECT f(1)"},
    {M, "read", "EXPLAIN DELETE FROM t"},
    {M, "read", "SHOW TABLES"},
    {S, "session", "PRAGMA foreign_keys = ON"},
    {S, "session", "PRAGMA cache_size = 10"},
    {S, "read", "PRAGMA foreign_keys"},
    {S, "read", "PRAGMA table_info(t)"},
    {S, "DDL", "PRAGMA user_version = 3"},
    {S, "DDL", "PRAGMA main.user_version = 3"},
    {S, "alone", "PRAGMA journal_mode = WAL"},
    {S, "alone", "VACUUM"},
    {S, "alone", "ATTACH 'x' AS y"},
    {S, "transaction", "END"},
    {S, "DDL", "REINDEX"},
    {S, "DML", "REPLACE INTO t VALUES (1)"},
    {S, "read", "EXPLAIN QUERY PLAN DELETE FROM t"},
    {S, "call", "SELECT load_extension('x')"},
    {S, "read", "VALUES (1)"},
    {SQL_CQL, "DDL", "CREATE TABLE k.t (a int PRIMARY KEY)"},
    {SQL_CQL, "DML", "BEGIN UNLOGGED BATCH DELETE FROM t WHERE a = 1; APPLY BATCH"},
    {SQL_CQL, "read", "SELECT f(a) FROM t"},
    {SQL_CQL, "session", "USE k"},
};

static void test_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        struct sql_piece piece = only_piece(classes[i].language, classes[i].text);
        struct buffer out = {0};
        buffer_format(&out, "%s: %s", sql_class_name(sql_classify(classes[i].language, &piece, 0)),
                      classes[i].text);
        struct buffer wanted = {0};
        buffer_format(&wanted, "%s: %s", classes[i].class, classes[i].text);
        assert_buffer(&out, buffer_string(&wanted));
        buffer_free(&wanted);
        buffer_free(&out);
    }
}

/* What a server of some version makes of a condition. */
static void test_condition(void **state)
{
    static const struct {
        const char *text;
        uint32_t version;
        enum sql_statement_class class;
    } cases[] = {
        {"/*!80000 DROP TABLE t */", 80035, SQL_CLASS_DDL},
        {"/*!80000 DROP TABLE t */", 50744, SQL_CLASS_READ},
        {"/*!80000 DROP TABLE t */", 101106, SQL_CLASS_READ},
        {"/*!50003 DROP TABLE t */", 101106, SQL_CLASS_DDL},
        {"/*!110400 DROP TABLE t */", 101106, SQL_CLASS_READ},
        {"/*M!100100 DROP TABLE t */", 101106, SQL_CLASS_DDL},
        {"/*M!100100 DROP TABLE t */", 90700, SQL_CLASS_READ},
        {"/*! DROP TABLE t */", 90700, SQL_CLASS_DDL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sql_piece piece = only_piece(SQL_MYSQL, cases[i].text);
        assert_int_equal(sql_classify(SQL_MYSQL, &piece, cases[i].version), cases[i].class);
    }
}

static void test_no_transaction(void **state)
{
    (void)state;
    struct sql_piece piece = only_piece(SQL_SQLITE, "PRAGMA main.foreign_keys = ON");
    assert_true(sql_needs_no_transaction(SQL_SQLITE, &piece));
    piece = only_piece(SQL_SQLITE, "PRAGMA foreign_keys");
    assert_false(sql_needs_no_transaction(SQL_SQLITE, &piece));
    piece = only_piece(SQL_SQLITE, "PRAGMA recursive_triggers = 1");
    assert_false(sql_needs_no_transaction(SQL_SQLITE, &piece));
}

/* "act kind schema.name [on table] [-> new]", with ? behind what may find nothing to do. */
static const struct {
    enum sql_language language;
    const char *text;
    const char *objects;
} named[] = {
    {P, "CREATE TABLE IF NOT EXISTS S.T (a int)", "create table s.t?"},
    {P, "CREATE TEMP TABLE t AS SELECT 1", "create temporary table t"},
    {P, "CREATE TABLE p PARTITION OF t FOR VALUES IN (1)", "create table p on t, alter table t"},
    {P, "CREATE UNIQUE INDEX CONCURRENTLY \"I\" ON ONLY s.t USING btree (a)",
     "create index I on s.t, alter table s.t"},
    {P, "CREATE INDEX ON t (a)", "create index - on t, alter table t"},
    {P, "CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS ''",
     "create function s.f?"},
    {P, "CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f()",
     "create trigger g on t, alter table t"},
    {P, "CREATE RULE r AS ON INSERT TO t DO NOTHING", "create rule r on t, alter table t"},
    {P, "CREATE SCHEMA AUTHORIZATION a", "create schema a"},
    {P, "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()", ""},
    {P, "CREATE MATERIALIZED VIEW v AS SELECT 1", "create materialized view v"},
    {P, "ALTER TABLE IF EXISTS ONLY a.b ADD c int, DROP d", "alter table a.b?"},
    {P, "ALTER TABLE a.b RENAME TO c", "rename table a.b -> c"},
    {P, "ALTER TABLE b RENAME c TO d", "alter table b"},
    {P, "ALTER TABLE b RENAME COLUMN c TO d", "alter table b"},
    {P, "ALTER TABLE b SET SCHEMA s", "rename table b -> s."},
    {P, "ALTER TABLE b DETACH PARTITION p", "alter table b, alter table p"},
    {P, "ALTER TYPE e RENAME VALUE 'a' TO 'b'", "alter type e"},
    {P, "ALTER FUNCTION f(a int, b int) RENAME TO g", "rename function f -> g"},
    {P, "ALTER INDEX i RENAME TO j", "rename index i -> j"},
    {P, "DROP TABLE IF EXISTS a, s.b CASCADE", "drop table a?, drop table s.b?"},
    {P, "DROP INDEX CONCURRENTLY i", "drop index i"},
    {P, "DROP FUNCTION f(int, text), g", "drop function f, drop function g"},
    {P, "DROP TRIGGER g ON t", "drop trigger g on t, alter table t"},
    {P, "TRUNCATE ONLY a, b CASCADE", "truncate table a, truncate table b"},
    {P, "COMMENT ON COLUMN s.t.c IS ''", "comment table s.t"},
    {P, "COMMENT ON CONSTRAINT c ON t IS ''", "comment table t"},
    {P, "COMMENT ON FUNCTION f(int) IS ''", "comment function f"},
    {P, "REINDEX (VERBOSE) TABLE CONCURRENTLY t", "maintain table t"},
    {P, "REINDEX INDEX i", "maintain index i"},
    {P, "VACUUM (FULL) a, b (c)", "maintain table a, maintain table b"},
    {P, "REFRESH MATERIALIZED VIEW CONCURRENTLY v", "maintain materialized view v"},
    {P, "SELECT 1", ""},
    {P, "GRANT ALL ON TABLE t TO r", ""},
    {M, "CREATE DEFINER=`a`@`%` TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
     "create trigger g on t, alter table t"},
    {M, "CREATE ALGORITHM=MERGE DEFINER=a@b SQL SECURITY INVOKER VIEW d.v AS SELECT 1",
     "create view d.v"},
    {M, "CREATE DATABASE d", "create schema d"},
    {M, "ALTER TABLE T ADD x int, RENAME U, RENAME COLUMN a TO b", "rename table T -> U"},
    {M, "ALTER TABLE t RENAME INDEX a TO b, RENAME = d.u", "rename table t -> d.u"},
    {M, "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u", "alter table t, alter table u"},
    {M, "RENAME TABLE a TO b, d.c TO d.e", "rename table a -> b, rename table d.c -> d.e"},
    {M, "DROP INDEX i ON t", "drop index i on t, alter table t"},
    {M, "OPTIMIZE LOCAL TABLE a, b", "maintain table a, maintain table b"},
    {M, "ALTER EVENT e ON SCHEDULE EVERY 1 DAY RENAME TO f", "rename event e -> f"},
    {M, "DROP TEMPORARY TABLE t", "drop temporary table t"},
    {S, "CREATE TABLE main.[a b] (c)", "create table main.a b"},
    {S, "ALTER TABLE t RENAME TO u", "rename table t -> u"},
    {S, "ALTER TABLE t RENAME a TO b", "alter table t"},
    {S, "CREATE VIRTUAL TABLE t USING fts5(a)", "create table t"},
    {S, "VACUUM INTO 'x'", ""},
    {SQL_CQL, "CREATE KEYSPACE IF NOT EXISTS K WITH replication = {}", "create schema k?"},
    {SQL_CQL, "ALTER TABLE k.\"T\" ADD a int", "alter table k.T"},
    {SQL_CQL, "CREATE INDEX ON t (a)", "create index - on t, alter table t"},
    {SQL_CQL, "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE a IS NOT NULL PRIMARY KEY (a)",
     "create materialized view v"},
};

static void append_object(struct buffer *out, const struct sql_object_name *object)
{
    static const char *const acts[] = {"create",   "alter",    "rename", "drop",
                                       "truncate", "maintain", "comment"};
    buffer_format(out, "%s%s %s%s %s%s%s%s", out->length > 0 ? ", " : "", acts[object->act],
                  object->temporary ? "temporary " : "", sql_object_kind_name(object->kind),
                  object->schema != NULL ? object->schema : "", object->schema != NULL ? "." : "",
                  object->name != NULL ? object->name : "-", object->if_exists ? "?" : "");
    if (object->table != NULL) {
        buffer_format(out, " on %s%s%s", object->table_schema != NULL ? object->table_schema : "",
                      object->table_schema != NULL ? "." : "", object->table);
    }
    if (object->act == SQL_ACT_RENAME) {
        buffer_format(out, " -> %s%s%s", object->new_schema != NULL ? object->new_schema : "",
                      object->new_schema != NULL ? "." : "",
                      object->new_name != NULL ? object->new_name : "");
    }
}

static void test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        struct sql_piece piece = only_piece(named[i].language, named[i].text);
        struct arena *arena = arena_create(0);
        struct sql_object_name *objects;
        struct buffer out = {0};
        uint32_t count = sql_objects_named(named[i].language, &piece, arena, &objects);
        for (uint32_t k = 0; k < count; k++) {
            append_object(&out, &objects[k]);
        }
        assert_buffer(&out, named[i].objects);
        buffer_free(&out);
        arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_class), cmocka_unit_test(test_condition),
        cmocka_unit_test(test_no_transaction), cmocka_unit_test(test_objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
