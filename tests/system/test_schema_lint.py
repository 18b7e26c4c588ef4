"""What the lint says of locks, rewrites and refusals, and the classes of statements, beside what the databases do."""
import json
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support

# By the strongest lock on the table: who waits.
WAITS = {"AccessExclusiveLock": "reads and writes", "ExclusiveLock": "writes", "ShareRowExclusiveLock": "writes",
         "ShareLock": "writes",
         "ShareUpdateExclusiveLock": "schema changes"}


def lint(dialect, sql, *rules):
    out = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "lint", dialect, "run", "0", *rules],
                         input=sql.encode(), stdout=subprocess.PIPE,
                         check=True).stdout
    return json.loads(out)


def class_of(dialect, statement):
    out = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "split", dialect], input=statement.encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)["class"]


def lint_after(dialect, ddl, sql):
    out = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "after", dialect, ddl], input=sql.encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    return {one["rule"] for one in json.loads(out) if one["level"] != "note"
            or one["rule"] in ("changing-column-type", "changing-enum")}


class Postgres(support.TestCase):
    """
    Each statement runs on a table of its own, and is asked what it holds and whether the table's file is another one.
    """
    SETUP = """
        CREATE TABLE other (id int8 PRIMARY KEY);
        INSERT INTO other SELECT generate_series(1, 10);
        CREATE TABLE t (id int8 NOT NULL, n int8, i int4, v varchar(10), w text, x varchar(20), ts timestamp, r int4range);
        INSERT INTO t SELECT g, g % 10 + 1, g, 'v', 'w', 'x', now(), int4range(g, g + 1) FROM generate_series(1, 100) g;
        CREATE INDEX t_n ON t (n);
        CREATE UNIQUE INDEX t_id ON t (id);
        ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
        CREATE TABLE p (id int8) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10);
        CREATE MATERIALIZED VIEW m AS SELECT * FROM other;
    """
    # A statement and its table, where that is another one than t.
    CASES = [
        ("ALTER TABLE t ADD a float8 DEFAULT random()",),
        ("ALTER TABLE t ADD a int8 GENERATED ALWAYS AS (n * 2) STORED",),
        ("ALTER TABLE t ADD a int8 GENERATED ALWAYS AS IDENTITY",), ("ALTER TABLE t ADD a serial",),
        ("ALTER TABLE t ADD a int8 DEFAULT 1",),
        ("ALTER TABLE t ADD a timestamptz DEFAULT now()",),
        ("ALTER TABLE t ADD a text[] DEFAULT array['a', lower('B')]::text[]",),
        ("ALTER TABLE t ADD a int8 DEFAULT -1 + 2, ADD b date DEFAULT current_date, "
         "ADD c interval DEFAULT interval '1 day'",),
        ("ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()",),
        ("ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()",),
        ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES other (id)",),
        ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES other (id)", "other"),
        ("ALTER TABLE t ADD CHECK (n > 0)",), ("ALTER TABLE t ADD UNIQUE (id)",),
        ("ALTER TABLE t ADD PRIMARY KEY (id)",),
        ("ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&)",), ("ALTER TABLE t ALTER w SET NOT NULL",),
        ("ALTER TABLE t ALTER id DROP NOT NULL",),
        ("ALTER TABLE t ALTER i TYPE int8",), ("ALTER TABLE t DROP w",), ("ALTER TABLE t RENAME w TO z",),
        ("ALTER TABLE t RENAME TO u",),
        ("ALTER TABLE t DROP CONSTRAINT positive",), ("ALTER TABLE t SET UNLOGGED",), ("CREATE INDEX ON t (w)",),
        ("DROP INDEX t_n",),
        ("CLUSTER t USING t_n",), ("TRUNCATE t",), ("DROP TABLE t CASCADE",),
        ("ALTER TABLE p DETACH PARTITION p1", "p"),
        ("REFRESH MATERIALIZED VIEW m", "m"),
    ]

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.Server.shared_for_class(cls)

    def test_locks_and_rewrites(self):
        name = self.server.database()
        self.server.psql(name, self.SETUP)
        script = []
        for number, (statement, *table) in enumerate(self.CASES):
            table = table[0] if table else "t"
            script.append("""
                SELECT '%s'::regclass::oid AS oid, coalesce(pg_relation_filenode('%s'), 0) AS node \\gset
                BEGIN; %s;
                SELECT '<%d ' || string_agg(DISTINCT mode, '|') || ' ' || (coalesce(pg_relation_filenode(:oid), :node) <> :node) || '>'
                  FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = :oid;
                ROLLBACK;""" % (table, table, statement, number))
        said = "\n".join(" ".join(map(str, row)) for row in self.server.psql(name, "\n".join(script)))
        for number, (statement, *table) in enumerate(self.CASES):
            with self.subTest(statement):
                modes, changed = said.partition("<%d " % number)[2].partition(">")[0].split(" ")
                order = list(WAITS)
                held = [WAITS[mode] for mode in order if mode in modes.split("|")][0]
                found = [one for one in lint("postgresql", statement) if one["lock"] != "none"]
                rewritten = changed == "true" and not statement.startswith("TRUNCATE") and "REFRESH" not in statement
                self.assertEqual(any(one["rewrites"] for one in found), rewritten)
                if "DEFAULT" in statement and not rewritten:
                    self.assertEqual(found, [])
                else:
                    self.assertEqual({one["lock"] for one in found}, {held})


    ALONE = [
        "CREATE INDEX CONCURRENTLY i ON t (w)", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id)",
        "CREATE INDEX i ON t (w)",
        "DROP INDEX CONCURRENTLY t_n", "REINDEX TABLE CONCURRENTLY t", "REINDEX (VERBOSE, CONCURRENTLY) INDEX t_n",
        "REINDEX SCHEMA public", "REINDEX TABLE t",
        "VACUUM t", "VACUUM (ANALYZE) t", "ANALYZE t", "CLUSTER", "CLUSTER t USING t_n", "CREATE DATABASE d",
        "ALTER SYSTEM SET work_mem = '4MB'",
        "CREATE TABLESPACE s LOCATION '/nowhere'", "DISCARD ALL", "DISCARD TEMP",
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
        "ALTER TABLE p DETACH PARTITION p1", "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p",
        "LOCK TABLE t", "CHECKPOINT",
        "NOTIFY x", "REFRESH MATERIALIZED VIEW m", "COMMENT ON TABLE t IS 'x'", "GRANT SELECT ON t TO PUBLIC",
        "TRUNCATE t", "SET search_path = public",
    ]

    def test_what_runs_alone(self):
        name = self.server.database()
        self.server.psql(name, self.SETUP)
        script = ["\\set ON_ERROR_STOP 0"]
        for number, statement in enumerate(self.ALONE):
            script.append("BEGIN; SELECT 1 AS nothing \\gset\n%s;\n\\echo <%d :SQLSTATE>\nROLLBACK;" % (statement,
                number))
        said = subprocess.run(self.server.session_command(name), input="\n".join(script).encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=60 * support.PATIENCE, check=False).stdout.decode()
        for number, statement in enumerate(self.ALONE):
            with self.subTest(statement):
                state = said.partition("<%d " % number)[2].partition(">")[0]
                self.assertEqual(class_of("postgresql", statement) == "alone", state == "25001")

    # From, to.
    TYPES = [
        ("varchar(10)", "varchar(20)"), ("varchar(10)", "varchar(5)"), ("character varying(10)", "text"),
        ("varchar(10)", "varchar"), ("text", "varchar"),
        ("text", "varchar(10)"), ("numeric(10,2)", "numeric(12, 2)"), ("numeric(10,2)", "numeric(12,3)"),
        ("numeric(10,2)", "decimal"), ("int4", "int8"),
        ("int", "integer"), ("timestamp(3)", "timestamp"), ("timestamp(3) with time zone", "timestamptz"),
        ("timestamp", "timestamptz"), ("cidr", "inet"),
        ("inet", "cidr"), ("varbit(3)", "bit varying(5)"), ("char(3)", "char(5)"), ("int8", "int4"),
        ("bool", "boolean"), ("time(2)", "time(4)"),
    ]

    def test_changes_of_types(self):
        name = self.server.database()
        script = []
        for number, (before, after) in enumerate(self.TYPES):
            script.append(
                """CREATE TABLE c%d (a %s, b %s); CREATE INDEX ON c%d (a); INSERT INTO c%d VALUES (NULL, NULL);
                SELECT pg_relation_filenode('c%d') AS node \\gset
                ALTER TABLE c%d ALTER a TYPE %s USING a::%s;
                SELECT pg_relation_filenode('c%d') AS node \\gset
                SET client_min_messages = debug1; ALTER TABLE c%d ALTER b TYPE %s; RESET client_min_messages;
                SELECT '<%d ' || (pg_relation_filenode('c%d') <> :node) || '>';""" % (
                        number, before, before, number, number, number, number, before, before, number, number, after,
                    number, number))
        said = "\n".join(" ".join(map(str, row)) for row in self.server.psql(name, "\n".join(script)))
        for number, (before, after) in enumerate(self.TYPES):
            with self.subTest("%s to %s" % (before, after)):
                rewritten = said.partition("<%d " % number)[2].partition(">")[0] == "true"
                found = lint_after("postgresql", "CREATE TABLE t (b %s)" % before,
                                   "ALTER TABLE t ALTER b TYPE %s" % after)
                if rewritten:
                    self.assertIn("changing-column-type", found)
                else: # it may still be read whole, which the server does not tell
                    self.assertTrue("changing-column-type" not in found
                                    or (before, after) in (("text", "varchar(10)"), ("timestamp", "timestamptz")))


class MariaDB(support.TestCase):
    """What the lint finds costly the server refuses to do in place; what it does not, it does."""
    SETUP = """
        CREATE TABLE other (id bigint PRIMARY KEY) ENGINE=InnoDB;
        CREATE TABLE t (id bigint PRIMARY KEY, n bigint, v varchar(10), w varchar(60), e enum('x', 'y'), k int, KEY k (k)) ENGINE=InnoDB CHARSET=utf8mb4;
        INSERT INTO t SELECT seq, seq, 'v', 'w', 'x', seq FROM seq_1_to_10;
        INSERT INTO other SELECT id FROM t;
    """
    # (change, does the server do it by ALGORITHM=INPLACE, LOCK=NONE)
    CASES = [
        ("MODIFY n int", False), ("MODIFY w varchar(70)", False),
        ("ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES other (id)", False),
        ("MODIFY e enum('y', 'x')", False), ("CONVERT TO CHARACTER SET latin1", False),
        ("ADD a int AS (n + 1) STORED", False),
        ("ADD a int NOT NULL DEFAULT 1", True), ("ADD b int AS (n + 1)", True), ("DROP KEY k", True),
        ("ALTER n SET DEFAULT 3", True),
    ]

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.Server.shared_for_class(cls)

    def test_changes_in_place(self):
        name = self.server.database()
        self.server.ask(name, self.SETUP)
        for change, in_place in self.CASES:
            with self.subTest(change):
                found = {one["rule"] for one in lint("mysql", "ALTER TABLE t %s, LOCK=NONE" % change)
                         if one["level"] != "note"}
                costly = bool(found & {"changing-column-type", "changing-enum", "adding-foreign-key-constraint",
                                       "rewriting-table", "adding-field-with-default"})
                try:
                    self.server.ask(name, "ALTER TABLE t %s, ALGORITHM=INPLACE, LOCK=NONE" % change)
                    done = True
                except Exception as why:
                    self.assertRegex(str(why), "is not supported")
                    done = False
                self.assertEqual((costly, done), (not in_place, in_place))


    # None of them fails; those that are DDL commit what stands before them.
    COMMITS = [
        "CREATE TABLE n1 (a int)", "CREATE TABLE n2 AS SELECT 1 AS a", "CREATE INDEX i ON t (v)",
        "ALTER TABLE t ADD z int", "RENAME TABLE n1 TO n3",
        "TRUNCATE n3", "DROP TABLE n3", "CREATE VIEW v AS SELECT 1", "DROP VIEW v", "ANALYZE TABLE t",
        "OPTIMIZE TABLE other", "CHECK TABLE t",
        "REPAIR TABLE t", "FLUSH TABLES", "CREATE DATABASE IF NOT EXISTS mysql", "CREATE USER nobody1",
        "GRANT SELECT ON *.* TO nobody1",
        "REVOKE SELECT ON *.* FROM nobody1", "DROP USER nobody1", "CREATE PROCEDURE p() SELECT 1", "DROP PROCEDURE p",
        "CREATE SEQUENCE q", "DROP SEQUENCE q",
        "INSERT INTO other VALUES (100)", "UPDATE t SET n = 1 WHERE id = 1", "DELETE FROM t WHERE id = 99",
        "REPLACE INTO other VALUES (101)",
        "WITH a AS (SELECT 1 AS b) SELECT * FROM a", "SELECT n INTO @a FROM t LIMIT 1", "SET @a = 1",
        "SET NAMES utf8mb4", "SHOW TABLES", "EXPLAIN SELECT 1",
        "CHECKSUM TABLE t", "DO 1", "SAVEPOINT s",
        "SET STATEMENT lock_wait_timeout = 1 FOR DELETE FROM t WHERE id = 99", "ANALYZE FORMAT=JSON SELECT 1",
        "PREPARE x FROM 'SELECT 1'", "EXECUTE x", "DEALLOCATE PREPARE x", "HELP 'x'",
    ]

    def test_what_commits(self):
        name = self.server.database()
        self.server.ask(name, self.SETUP + "CREATE TABLE marks (number int) ENGINE=InnoDB")
        self.server.ask(name, "\n".join("START TRANSACTION; INSERT INTO marks VALUES (%d);\n%s;\nROLLBACK;" % one
                                        for one in enumerate(self.COMMITS)))
        left = {int(row[0]) for row in self.server.ask(name, "SELECT number FROM marks")}
        for number, statement in enumerate(self.COMMITS):
            with self.subTest(statement):
                self.assertEqual(class_of("mysql", statement) == "DDL", number in left)

    TYPES = [
        ("varchar(10)", "varchar(60)"), ("varchar(40)", "varchar(70)"), ("varchar(70)", "varchar(100)"),
        ("varchar(10)", "varchar(5)"), ("int", "int(10)"),
        ("int", "bigint"), ("enum('x','y')", "enum('x','y','z')"), ("enum('x','y')", "enum('y','x')"),
        ("set('a','b')", "set('a','b','c')"),
        ("set('a','b','c','d','e','f','g','h')", "set('a','b','c','d','e','f','g','h','i')"),
        ("decimal(5,2)", "numeric(5,2)"), ("text", "mediumtext"),
    ]

    def test_changes_of_types(self):
        name = self.server.database()
        for number, (before, after) in enumerate(self.TYPES):
            with self.subTest("%s to %s" % (before, after)):
                self.server.ask(name, "CREATE TABLE c%d (a %s) CHARSET=utf8mb4" % (number, before))
                try:
                    self.server.ask(name, "ALTER TABLE c%d MODIFY a %s, ALGORITHM=INPLACE, LOCK=NONE" % (number, after))
                    done = True
                except AssertionError:
                    done = False
                found = lint_after("mysql", "CREATE TABLE t (a %s)" % before,
                                   "ALTER TABLE t MODIFY a %s, LOCK=NONE" % after)
                self.assertEqual(bool(found & {"changing-column-type", "changing-enum"}), not done)


class SQLite(unittest.TestCase):
    """An error of the lint is one of SQLite, and what it passes SQLite takes."""
    CASES = [
        "ALTER TABLE t ADD a int NOT NULL", "ALTER TABLE t ADD a int DEFAULT CURRENT_TIMESTAMP",
        "ALTER TABLE t ADD a int DEFAULT (1 + 2)",
        "ALTER TABLE t ADD a int UNIQUE", "ALTER TABLE t ADD a int PRIMARY KEY",
        "ALTER TABLE t ADD a int AS (id) STORED", "ALTER TABLE t ADD a int AS (id)",
        "ALTER TABLE t ADD a int REFERENCES c", "ALTER TABLE t ADD a int DEFAULT 1 REFERENCES c",
        "ALTER TABLE t ADD a int DEFAULT -1",
        "ALTER TABLE t ADD a text DEFAULT 'x' COLLATE nocase CHECK (a <> '')",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
        "ALTER TABLE t ALTER COLUMN id TYPE text", "ALTER TABLE t ADD a int, ADD b int", "ALTER TABLE t RENAME id TO i",
        "ALTER TABLE t DROP COLUMN n",
        "ALTER TABLE t RENAME TO u",
    ]

    def test_refusals(self):
        for statement in self.CASES:
            with self.subTest(statement):
                database = sqlite3.connect(":memory:", isolation_level=None)
                database.executescript("PRAGMA foreign_keys = ON; CREATE TABLE t (id integer PRIMARY KEY, n int); "
                                       "INSERT INTO t VALUES (1, 2);"
                                       "CREATE TABLE c (id integer PRIMARY KEY)")
                found = {one["rule"] for one in lint("sqlite", statement)}
                try:
                    database.execute(statement)
                    taken = True
                except sqlite3.Error:
                    taken = False
                self.assertEqual(bool(found & {"sqlite-add-column", "sqlite-no-such-alter", "adding-required-field"}),
                                 not taken)
                database.close()

    def test_rebuild(self):
        rebuild = ("CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM t; DROP TABLE t; "
                   "ALTER TABLE n RENAME TO t;")
        for off in ("", "PRAGMA foreign_keys = OFF; "):
            database = sqlite3.connect(":memory:", isolation_level=None)
            database.executescript("PRAGMA foreign_keys = ON; CREATE TABLE t (id integer PRIMARY KEY); "
                                   "INSERT INTO t VALUES (1);"
                                   "CREATE TABLE c (t REFERENCES t (id) ON DELETE CASCADE); INSERT INTO c VALUES (1)")
            database.executescript(off + "BEGIN; " + rebuild + " COMMIT;")
            lost = database.execute("SELECT count(*) FROM c").fetchone()[0] == 0
            found = "sqlite-rebuild-deletes" in {one["rule"] for one in lint("sqlite", off + rebuild)}
            self.assertEqual((lost, found), (off == "", off == ""))
            database.close()


class Page(unittest.TestCase):
    def test_table_of_rules(self):
        """What build/sql_probe rules prints stands in docs/lint.md."""
        made = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "rules"], stdout=subprocess.PIPE,
                              check=True).stdout.decode()
        with open(os.path.join(support.ROOT, "docs/lint.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertEqual(page.partition("<!-- rules: build/sql_probe rules -->\n")[2].partition("<!-- end -->")[0],
                         made)


if __name__ == "__main__":
    unittest.main()
