"""What somebody planted in a DuckDB file, as source or target: macros that have the names of DuckDB's own functions,
views that reach out of the file, schemas and tables of names that are taken.

Macros are all that a file can make run, and they reach nothing; but a `count` that answers otherwise would make each
check a lie.
"""
import os
import sqlite3
import unittest

import support
import test_duckdb

setUpModule = test_duckdb.setUpModule
SCALARS = ("lower(x)", "left(x, n)", "starts_with(x, y)", "current_database()", "unhex(x)", "hex(x)", "chr(x)",
           "trunc(x)", "count(x)", "count_star()", "min(x)", "max(x)", "row(x)", "arg_min(x, y)", "row_number()",
           "nextval(x)", "now()", "version()", "||(x, y)", "~~(x, y)", "+(x, y)", "-(x, y)", "*(x, y)", "list_value(x)",
           "struct_pack(x)")
TABLES = ("duckdb_tables", "duckdb_views", "duckdb_columns", "duckdb_constraints", "duckdb_indexes", "duckdb_sequences",
          "duckdb_types", "duckdb_functions", "duckdb_schemas", "duckdb_databases")
RECORDS = ("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR, n BIGINT CHECK (n >= 0), b BLOB, "
           "made TIMESTAMP DEFAULT now(), up VARCHAR AS (upper(name)))",
           "CREATE INDEX t_name ON t (name)",
           "CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t (id), tags VARCHAR[], "
           "st STRUCT(a INTEGER, b VARCHAR))", "CREATE TABLE keyless (a VARCHAR, b INTEGER)",
           "INSERT INTO t (id, name, n, b) SELECT i, 'n' || i, i, 'x'::BLOB FROM range(300) r(i)",
           "INSERT INTO child SELECT i, i, ['a', 'b'], {'a': 1, 'b': 'x'} FROM range(300) r(i)",
           "INSERT INTO keyless SELECT 'a', i FROM range(50) r(i)", "CREATE VIEW seen AS SELECT id, name FROM t")


class Traps(test_duckdb.DuckdbCase):
    def plant(self, file, *more, macros=True):
        self.ask(file, *more, *(("CREATE MACRO \"%s\"(%s AS error('TRAP %s')" % (name, parameters, name)
                                 for name, _, parameters in (head.partition("(") for head in SCALARS)) if macros
                                else ()),
                 *(("CREATE MACRO %s() AS TABLE SELECT error('TRAP %s') AS table_name" % (name, name)
                    for name in TABLES) if macros else ()))

    def run_it(self, *arguments, codes=(0, 1)):
        done = support.transhume(*arguments, cwd=self.folder)
        self.assertNotIn("TRAP", done.out + done.err, arguments)
        self.assertIn(done.code, codes, (arguments, done.out[-1500:], done.err[-1500:]))
        return done

    def every_command(self, source, target):
        for command in (("check", "--sample", "3"), ("migrate", "--chunk-rows", "50")):
            self.run_it(*command, source, target)
        for level in ("count", "sample", "hash", "full"):
            self.run_it("validate", "--level", level, codes=(0,))
        for command in (("status",), ("report",), ("rollback", "--run", self.run_id(), "--confirm")):
            self.run_it(*command)

    def test_macros_of_a_source(self):
        self.plant("s.duckdb", *RECORDS)
        self.run_it("analyze", "--out", "a", "s.duckdb")
        self.run_it("init", "s.duckdb", "jsonl:out", codes=(0, 1))
        self.every_command("s.duckdb", "sqlite:d.db")

    def test_macros_of_a_target(self):
        self.plant("p.duckdb", *RECORDS, macros=False)
        self.plant("d.duckdb")
        self.every_command("p.duckdb", "d.duckdb")

    def test_macros_of_a_target_with_records(self):
        self.plant("p.duckdb", *RECORDS, macros=False)
        # DuckDB updates no row that a foreign key refers to, and none with an index otherwise than by making it anew
        self.plant("d.duckdb", RECORDS[0], RECORDS[4])
        for how, more in (("skip", ()), ("upsert", ("--rollback-keys",)), ("replace", ()), ("truncate", ())):
            self.run_it("migrate", "--existing", how, *more, "--include", "t", "--state", how, "--confirm", "p.duckdb",
                        "d.duckdb")
            self.run_it("validate", "--repair", "--delete-extra", "--confirm", "--state", how)
            self.run_it("rollback", "--state", how, "--run", self.run_id(how), "--confirm")

    def test_views_that_reach_out(self):
        self.plant("s.duckdb", *RECORDS, macros=False)
        with open(self.path("secret.csv"), "w", encoding="utf-8") as file:
            file.write("canary\ncanary7\n")
        self.ask("s.duckdb", "CREATE VIEW files AS SELECT * FROM read_csv('%s', all_varchar := true)"
                 % self.path("secret.csv"), "CREATE VIEW texts AS SELECT content FROM read_text('%s')"
                 % self.path("secret.csv"),
                 "CREATE MACRO reach() AS TABLE SELECT * FROM read_text('%s')" % self.path("secret.csv"),
                 "CREATE VIEW by_macro AS SELECT * FROM reach()", "CREATE VIEW listed AS SELECT * FROM glob('/etc/*')")
        plan = "transhume: 1\nsource: duckdb:s.duckdb\ntarget: jsonl:out\ntables:\n"
        for name in ("files", "texts", "by_macro", "listed"):
            self.write("plan.yaml", plan + "  %s: {from: %s}\n" % (name, name))
            self.assertIn("'%s' is a view that can't be read: Permission Error" % name,
                          self.run_program("migrate", "--plan", "plan.yaml", "--state", name, code=3).err)
        for query in ("SELECT content FROM read_text('%s')" % self.path("secret.csv"),
                      "SELECT canary FROM '%s'" % self.path("secret.csv"), "SELECT * FROM files"):
            self.write("plan.yaml", plan + "  q: {query: \"%s\"}\n" % query)
            self.assertIn("Permission Error: Cannot access file",
                          self.run_it("migrate", "--plan", "plan.yaml", "--state", "q", codes=(2, 3)).err)
        self.write("plan.yaml", plan.replace("jsonl:out", "sqlite:q.db")
                   + "  q: {query: \"SELECT lower(upper(name)) AS n, count(*) OVER () AS c FROM t\"}\n")
        self.run_it("migrate", "--plan", "plan.yaml", "--state", "q2", codes=(0,))
        with sqlite3.connect(self.path("q.db")) as db:
            self.assertEqual(db.execute("SELECT count(DISTINCT n), max(c) FROM q").fetchall(), [(300, 300)])
        for folder, _, names in os.walk(self.path("out")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(b"canary7", file.read(), name)

    def test_names_of_files(self):
        """By which DuckDB calls the database."""
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, "
                            "p INTEGER REFERENCES p (id)); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1); "
                            "CREATE INDEX i ON c (p)")
        for number, name in enumerate(("information_schema", "system", "main", "a.b,c", "q%22'x")):
            with self.subTest(name):
                self.run_it("migrate", "--state", "to%d" % number, "s.db", "duckdb:%s.duckdb" % name, codes=(0,))
                self.run_it("migrate", "--state", "from%d" % number, "duckdb:%s.duckdb" % name,
                            "sqlite:d%d.db" % number, codes=(0,))

    def test_names_of_the_programs_own(self):
        with sqlite3.connect(self.path("s.db")) as db:
            db.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        ledger = "(name VARCHAR PRIMARY KEY, version UBIGINT NOT NULL, value VARCHAR NOT NULL%s)"
        for number, (said, *made) in enumerate((("is a view",
                                                 "CREATE VIEW _transhume_ledger AS SELECT 'x' AS name, 1 AS version, "
                                                 "'y' AS value"),
                                                ("is written in small letters",
                                                 "CREATE TABLE _Transhume_Ledger " + ledger % ""),
                                                ("a generated column",
                                                 "CREATE TABLE _transhume_ledger " + ledger
                                                 % ", more VARCHAR AS ('x')"),
                                                ("the index i", "CREATE TABLE _transhume_ledger " + ledger % "",
                                                 "CREATE UNIQUE INDEX i ON _transhume_ledger (version)"),
                                                ("a CHECK", "CREATE MACRO says(x) AS x <> ''",
                                                 "CREATE TABLE _transhume_ledger " + ledger
                                                 % ", CHECK (value <> '')"))):
            with self.subTest(said):
                file = "d%d.duckdb" % number
                self.ask(file, *made)
                done = support.transhume("migrate", "--state", "state%d" % number, "s.db", file, cwd=self.folder)
                self.assert_code(done, 5)
                self.assertIn(said, done.err)
                self.assertIn("[not-ours]", done.err)


if __name__ == "__main__":
    unittest.main()
