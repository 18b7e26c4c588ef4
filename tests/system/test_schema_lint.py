"""What the lint says of locks, rewrites and refusals, beside what the databases do."""
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
WAITS = {"AccessExclusiveLock": "reads and writes", "ExclusiveLock": "writes", "ShareRowExclusiveLock": "writes", "ShareLock": "writes",
         "ShareUpdateExclusiveLock": "schema changes"}


def lint(dialect, sql, *rules):
    out = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "lint", dialect, "run", "0", *rules], input=sql.encode(), stdout=subprocess.PIPE,
                         check=True).stdout
    return json.loads(out)


class Postgres(support.TestCase):
    """Each statement runs on a table of its own, and is asked what it holds and whether the table's file is another one."""
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
        ("ALTER TABLE t ADD a float8 DEFAULT random()",), ("ALTER TABLE t ADD a int8 GENERATED ALWAYS AS (n * 2) STORED",),
        ("ALTER TABLE t ADD a int8 GENERATED ALWAYS AS IDENTITY",), ("ALTER TABLE t ADD a serial",), ("ALTER TABLE t ADD a int8 DEFAULT 1",),
        ("ALTER TABLE t ADD a timestamptz DEFAULT now()",), ("ALTER TABLE t ADD a text[] DEFAULT array['a', lower('B')]::text[]",),
        ("ALTER TABLE t ADD a int8 DEFAULT -1 + 2, ADD b date DEFAULT current_date, ADD c interval DEFAULT interval '1 day'",),
        ("ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()",), ("ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()",),
        ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES other (id)",), ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES other (id)", "other"),
        ("ALTER TABLE t ADD CHECK (n > 0)",), ("ALTER TABLE t ADD UNIQUE (id)",), ("ALTER TABLE t ADD PRIMARY KEY (id)",),
        ("ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&)",), ("ALTER TABLE t ALTER w SET NOT NULL",), ("ALTER TABLE t ALTER id DROP NOT NULL",),
        ("ALTER TABLE t ALTER i TYPE int8",), ("ALTER TABLE t DROP w",), ("ALTER TABLE t RENAME w TO z",), ("ALTER TABLE t RENAME TO u",),
        ("ALTER TABLE t DROP CONSTRAINT positive",), ("ALTER TABLE t SET UNLOGGED",), ("CREATE INDEX ON t (w)",), ("DROP INDEX t_n",),
        ("CLUSTER t USING t_n",), ("TRUNCATE t",), ("DROP TABLE t CASCADE",), ("ALTER TABLE p DETACH PARTITION p1", "p"),
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
        ("MODIFY n int", False), ("MODIFY w varchar(70)", False), ("ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES other (id)", False),
        ("MODIFY e enum('y', 'x')", False), ("CONVERT TO CHARACTER SET latin1", False), ("ADD a int AS (n + 1) STORED", False),
        ("ADD a int NOT NULL DEFAULT 1", True), ("ADD b int AS (n + 1)", True), ("DROP KEY k", True), ("ALTER n SET DEFAULT 3", True),
    ]

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.Server.shared_for_class(cls)

    def test_changes_in_place(self):
        name = self.server.database()
        self.server.ask(name, self.SETUP)
        for change, in_place in self.CASES:
            with self.subTest(change):
                found = {one["rule"] for one in lint("mysql", "ALTER TABLE t %s, LOCK=NONE" % change) if one["level"] != "note"}
                costly = bool(found & {"changing-column-type", "changing-enum", "adding-foreign-key-constraint", "rewriting-table", "adding-field-with-default"})
                try:
                    self.server.ask(name, "ALTER TABLE t %s, ALGORITHM=INPLACE, LOCK=NONE" % change)
                    done = True
                except Exception as why:
                    self.assertRegex(str(why), "is not supported")
                    done = False
                self.assertEqual((costly, done), (not in_place, in_place))


class SQLite(unittest.TestCase):
    """An error of the lint is one of SQLite, and what it passes SQLite takes."""
    CASES = [
        "ALTER TABLE t ADD a int NOT NULL", "ALTER TABLE t ADD a int DEFAULT CURRENT_TIMESTAMP", "ALTER TABLE t ADD a int DEFAULT (1 + 2)",
        "ALTER TABLE t ADD a int UNIQUE", "ALTER TABLE t ADD a int PRIMARY KEY", "ALTER TABLE t ADD a int AS (id) STORED", "ALTER TABLE t ADD a int AS (id)",
        "ALTER TABLE t ADD a int REFERENCES c", "ALTER TABLE t ADD a int DEFAULT 1 REFERENCES c", "ALTER TABLE t ADD a int DEFAULT -1",
        "ALTER TABLE t ADD a text DEFAULT 'x' COLLATE nocase CHECK (a <> '')", "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
        "ALTER TABLE t ALTER COLUMN id TYPE text", "ALTER TABLE t ADD a int, ADD b int", "ALTER TABLE t RENAME id TO i", "ALTER TABLE t DROP COLUMN n",
        "ALTER TABLE t RENAME TO u",
    ]

    def test_refusals(self):
        for statement in self.CASES:
            with self.subTest(statement):
                database = sqlite3.connect(":memory:", isolation_level=None)
                database.executescript("PRAGMA foreign_keys = ON; CREATE TABLE t (id integer PRIMARY KEY, n int); INSERT INTO t VALUES (1, 2);"
                                       "CREATE TABLE c (id integer PRIMARY KEY)")
                found = {one["rule"] for one in lint("sqlite", statement)}
                try:
                    database.execute(statement)
                    taken = True
                except sqlite3.Error:
                    taken = False
                self.assertEqual(bool(found & {"sqlite-add-column", "sqlite-no-such-alter", "adding-required-field"}), not taken)
                database.close()

    def test_rebuild(self):
        rebuild = "CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;"
        for off in ("", "PRAGMA foreign_keys = OFF; "):
            database = sqlite3.connect(":memory:", isolation_level=None)
            database.executescript("PRAGMA foreign_keys = ON; CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1);"
                                   "CREATE TABLE c (t REFERENCES t (id) ON DELETE CASCADE); INSERT INTO c VALUES (1)")
            database.executescript(off + "BEGIN; " + rebuild + " COMMIT;")
            lost = database.execute("SELECT count(*) FROM c").fetchone()[0] == 0
            found = "sqlite-rebuild-deletes" in {one["rule"] for one in lint("sqlite", off + rebuild)}
            self.assertEqual((lost, found), (off == "", off == ""))
            database.close()


class Page(unittest.TestCase):
    def test_table_of_rules(self):
        """What build/sql_probe rules prints stands in docs/lint.md."""
        made = subprocess.run([os.path.join(support.BUILD, "sql_probe"), "rules"], stdout=subprocess.PIPE, check=True).stdout.decode()
        with open(os.path.join(support.ROOT, "docs/lint.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertEqual(page.partition("<!-- rules: build/sql_probe rules -->\n")[2].partition("<!-- end -->")[0], made)


if __name__ == "__main__":
    unittest.main()
