"""Rollback into MariaDB: exactly what the run wrote goes, what it overwrote comes back.

What was there before and what is there after are compared by mariadb-dump (definitions) and MariaDB's own client
(rows).
"""
import json
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import rollback_case
import support
from support import kill_at

TARGET = """
CREATE TABLE item(id bigint PRIMARY KEY, name longtext, price decimal(20,4), bin longblob, note varchar(20) DEFAULT 'n',
                  twice bigint GENERATED ALWAYS AS (id * 2) STORED, kept json DEFAULT '{"a": [1, 2]}', KEY item_name (name(20)));
CREATE TABLE pair(x varchar(50) COLLATE utf8mb4_bin, y bigint, v double, item_id bigint, PRIMARY KEY (x, y));
CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
CREATE VIEW mine AS SELECT a FROM other;
"""
FILL = """
INSERT INTO item(id, name, price, bin, note) SELECT seq, concat('old ', seq), seq / 8, unhex(repeat('ab', seq %% 5)), NULL FROM seq_%d_to_%d;
INSERT INTO pair SELECT concat('k', seq %% 7), seq, seq / 7e0, seq FROM seq_%d_to_%d;
""" % (rollback_case.COUNT // 2, rollback_case.COUNT + 39, rollback_case.COUNT // 2, rollback_case.COUNT + 39)
# Types of a key, and of other columns; a value of each.
KEYS = {"k1": ("int", "7"), "k2": ("varchar(20) COLLATE utf8mb4_general_ci", "'Ab'"),
        "k3": ("uuid", "'123e4567-e89b-12d3-a456-426614174000'"),
        "k4": ("decimal(10,2)", "1.50"), "k5": ("inet6", "'::1'"),
        "k6": ("datetime(6)", "'2020-02-02 02:02:02.123456'"),
        "k7": ("varbinary(9)", "X'00ff'"), "k8": ("char(5) CHARACTER SET latin1", "'äb'"),
        "k9": ("date", "'0000-00-00'"),
        "k10": ("enum('a','b''c')", "'b''c'"), "k11": ("bigint unsigned", "18446744073709551615"),
        "k12": ("float", "0.1"),
        "k13": ("bit(9)", "b'101'"), "k14": ("timestamp(3) NOT NULL DEFAULT '2000-01-01'", "'2024-03-31 01:30:00.123'")}
VALUES = {"t": ("tinyint", "-1"), "f": ("float", "1.17549435e-38"), "d": ("double", "-0.0"),
          "n": ("decimal(65,30)", "1234.000000000000000000000000000001"),
          "b": ("bit(64)", "b'1'"), "y": ("year", "2155"), "tx": ("text CHARACTER SET latin1", "'äöü€'"),
          "lt": ("longtext", "repeat('x,-', 99999)"),
          "lb": ("longblob", "X'00ff2c2d'"), "bn": ("binary(4)", "X'41'"),
          "dt": ("datetime(6)", "'9999-12-31 23:59:59.999999'"), "tm": ("time(6)", "'-838:59:59.999999'"),
          "ts": ("timestamp(6) NULL", "'2038-01-19 03:14:07.999999'"), "s": ("set('p','q')", "'p,q'"),
          "e": ("enum('','-')", "'-'"),
          "j": ("json", "'{\"b\": 1, \"a\" : 2}'"), "u": ("uuid", "uuid()"), "ip": ("inet6", "'::'"),
          "g": ("geometry", "ST_GeomFromText('POINT(1 2)', 4326)"),
          "must": ("varchar(9) NOT NULL", "'-'"), "inv": ("int INVISIBLE DEFAULT 7", "8"),
          "now": ("datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "'2001-01-01'")}


class Mysql(rollback_case.Rollbacks):
    target_script, filled, failpoints = TARGET, FILL, "mysql."

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def sql(self, statements):
        return self.server.ask(self.name, statements)

    def clear(self):
        self.server.ask("", "DROP DATABASE %s; DROP DATABASE IF EXISTS app; CREATE DATABASE %s" % (self.name,
            self.name))

    def contents(self):
        """Definitions as mariadb-dump tells them, and all rows."""
        return self.server.dump(self.name), self.server.rows(self.name)

    @staticmethod
    def key(table):
        return table

    def records(self, table):
        width = {"item": 1, "pair": 2}[table]
        return {tuple(row[:width]): row for row in self.sql("SELECT * FROM " + table)}

    def own_tables(self):
        return [name for name, in self.sql("SHOW TABLES LIKE '\\_transhume%'")]

    def test_many_tables_are_looked_at_in_one_snapshot(self):
        support.make_sqlite(self.path("many.db"),
                            "".join("CREATE TABLE t%d(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t%d VALUES (1, 'x');"
                                    % (i, i) for i in range(20)))
        self.run_program("migrate", "-q", "many.db", self.uri)
        self.addCleanup(self.server.ask, "", "SET GLOBAL general_log = DEFAULT; SET GLOBAL log_output = DEFAULT")
        self.server.ask("", "SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1")
        self.rollback("--dry-run")
        self.server.ask("", "SET GLOBAL general_log = 0")
        said = [line for line, in self.server.ask("", "SELECT convert(argument USING utf8mb4) FROM mysql.general_log")]
        self.assertEqual(sum(line.startswith("FLUSH TABLES WITH READ LOCK") for line in said), 1, said)
        self.assertLess(sum("FROM information_schema.columns" in line for line in said), 20)
        self.assertEqual(len({line for line in said if line.startswith("SELECT _t0.")}), 20)
        self.rollback()
        self.assertEqual(self.sql("SHOW TABLES"), [])

    def test_every_type(self):
        """Before-images of each type, and keys of each kind that there is."""
        source = self.server.database()
        columns = {**KEYS, **VALUES}
        script = "CREATE TABLE t(%s, PRIMARY KEY (%s));" % (
            ", ".join("%s %s" % (name, kind[0]) for name, kind in columns.items()), ", ".join(KEYS))
        row = "INSERT INTO t (%s) VALUES (%%s);" % ", ".join(columns)
        filled = row % ", ".join(kind[1] for kind in columns.values())
        bare = row % ", ".join([kind[1] for kind in KEYS.values()] +
                               ["''" if "NOT NULL" in kind[0] else "NULL" for kind in VALUES.values()])
        self.server.ask(source, script + filled + filled.replace("VALUES (7", "VALUES (8"))
        for policy, there in (*support.covering(("upsert", "replace"), (filled, bare), by=self.id()),
                              *support.drawn((("skip", filled), ("skip", bare)), 1, self.id())):
            with self.subTest(policy=policy, there=there == filled):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.clear()
                self.sql(script + there)
                before = self.contents()
                self.run_program("migrate", "-q", "--existing", policy, self.server.uri(source), self.uri)
                self.assertEqual(self.sql("SELECT count(*) FROM t"), [["2"]])
                report = json.loads(self.rollback().out)["tables"][0]
                self.assertEqual((report["removed"], report["restored"], report["changed"]),
                                 (1, 0 if policy == "skip" else 1, 0))
                self.assert_as(before)

    def test_each_type_is_told_from_another_value(self):
        """What somebody changed since in one column stays as it is, whatever the type."""
        others = {"t": "0", "f": "1.1754945e-38", "d": "5e-324", "n": "1234.000000000000000000000000000002",
                  "b": "b'0'", "y": "2154",
                  "tx": "'aou€'", "lt": "concat(repeat('x,-', 99998), 'x,_')", "lb": "X'00ff2c'", "bn": "X'42'",
                  "dt": "'9999-12-31 23:59:59.999998'",
                  "tm": "'-838:59:59.999998'", "ts": "'2038-01-19 03:14:07.999998'", "s": "'p'", "e": "''",
                  "j": "'{\"b\": 1, \"a\": 2}'",
                  "u": "'00000000-0000-0000-0000-000000000000'", "ip": "'::1'",
                  "g": "ST_GeomFromText('POINT(1 3)', 4326)", "must": "''", "inv": "7",
                  "now": "'2001-01-02'"}
        self.assertEqual(set(others), set(VALUES))
        names = list(VALUES)
        source = self.server.database()
        script = "CREATE TABLE t(id int PRIMARY KEY, %s);" % ", ".join("%s %s" % (name, kind[0])
                                                                       for name, kind in VALUES.items())
        rows = "".join("INSERT INTO t (id, %s) VALUES (%d, %s);" % (", ".join(VALUES), i,
                                                                    ", ".join(kind[1] for kind in VALUES.values()))
                       for i in range(2 * len(names)))
        self.server.ask(source, script + rows)
        self.clear()
        self.sql(script + "INSERT INTO t (id, must) VALUES (-1, 'mine')")
        self.run_program("migrate", "-q", "--existing", "upsert", self.server.uri(source), self.uri)
        changes = [("UPDATE t SET %s = %s, now = now WHERE id = %d;" if name != "now"
                    else "UPDATE t SET %s = %s WHERE id = %d;")
                   % (name, others[name], i) for i, name in enumerate(names)]
        nulls = ["UPDATE t SET %s = %s, now = %s WHERE id = %d;" % (name, "NULL" if name != "must" else "'x'",
                                                                    "now" if name != "now" else "NULL", i + len(names))
                 for i, name in enumerate(names)]
        self.sql("".join(changes + nulls))
        report = json.loads(self.rollback().out)["tables"][0]
        self.assertEqual((report["removed"], report["changed"]), (0, 2 * len(names)))
        self.assertEqual(self.sql("SELECT count(*) FROM t"), [[str(2 * len(names) + 1)]])

    def test_what_others_made_of_it_is_not_taken_along(self):
        made = {"a view": ("CREATE VIEW app_view AS SELECT id FROM item", "DROP VIEW app_view"),
                "a reference": ("CREATE TABLE app_note (item bigint, t text, FOREIGN KEY (item) REFERENCES item(id) ON "
                                "DELETE CASCADE); "
                                "INSERT INTO app_note VALUES (5, 'mine')", "DROP TABLE app_note"),
                "in another database": ("CREATE DATABASE app; CREATE VIEW app.v AS SELECT * FROM pair",
                                        "DROP DATABASE app"),
                "a reference from there": ("CREATE DATABASE app; CREATE TABLE app.n (x varchar(50) COLLATE "
                                           "utf8mb4_bin, y bigint, FOREIGN KEY (x, y) "
                                           "REFERENCES %s.pair(x, y)); INSERT INTO app.n SELECT x, y FROM pair LIMIT 1"
                                           % self.name,
                                           "DROP DATABASE app")}
        cases = [("created", case) for case in made.items()] + [("empty", case) for case in made.items()
                                                                if "reference" in case[0]]
        stays = [("empty", case) for case in made.items() if "reference" not in case[0]]
        for kind, (what, (statement, end)) in cases + support.drawn(stays, 1, self.id()):
            with self.subTest(kind=kind, what=what):
                if (kind, what) == ("created", "a reference from there"):
                    statement = statement.replace("varchar(50) COLLATE utf8mb4_bin", self.sql_type_of_x(kind))
                self.target(kind)
                before = self.contents()
                self.migrate()
                self.sql(statement)
                if kind == "empty" and "reference" not in what:
                    self.rollback()   # the table stays
                    continue
                result = self.rollback(code=5)
                self.assertIn("[rollback-refused]", result.err)
                self.assertEqual(self.sql("SELECT count(*) FROM item"), [[str(rollback_case.COUNT)]])
                self.sql(end)
                self.rollback()
                self.assert_as(before)

    def sql_type_of_x(self, kind):
        """As a run makes it."""
        self.target(kind)
        self.migrate()
        return self.sql("SELECT concat(column_type, ' COLLATE ', collation_name) FROM information_schema.columns WHERE "
                        "table_schema = "
                        "database() AND table_name = 'pair' AND column_name = 'x'")[0][0]

    def test_a_cascade_does_not_reach_the_rows_of_others(self):
        self.target("filled")
        self.migrate("--existing", "upsert")
        self.sql("CREATE TABLE app_note (item bigint, FOREIGN KEY (item) REFERENCES item(id) ON DELETE CASCADE); "
                 "INSERT INTO app_note VALUES (5), (200);"
                 "CREATE TABLE strict_note (item bigint, FOREIGN KEY (item) REFERENCES item(id)); "
                 "INSERT INTO strict_note VALUES (6), (201);")
        report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(report["item"]["changed"], 2)
        self.assertEqual(self.sql("SELECT (SELECT count(*) FROM app_note), (SELECT count(*) FROM strict_note)"),
                         [["2", "2"]])
        self.assertEqual(self.sql("SELECT id FROM item WHERE name LIKE 'new%' ORDER BY id"), [["5"], ["6"]])

    def test_a_table_that_refers_to_itself(self):
        """A chain of records goes as a whole, but what leads to a record of others stays, and only that."""
        script = ("CREATE TABLE tree (id int PRIMARY KEY, up int, v int, KEY (up), "
                  "CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree(id) "
                  "ON DELETE CASCADE);")
        source = self.server.database()
        self.server.ask(source, script + "INSERT INTO tree SELECT seq, nullif(seq - 1, 0), seq FROM seq_1_to_9; "
                                         "INSERT INTO tree SELECT seq, 10, seq FROM seq_10_to_10")
        for mine in (False, True):
            with self.subTest(mine=mine):
                self.clear()
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.sql(script + "INSERT INTO tree VALUES (100, NULL, 1)")
                before = self.contents()
                self.run_program("migrate", "-q", "--existing", "upsert", self.server.uri(source), self.uri)
                if mine:
                    self.sql("INSERT INTO tree VALUES (101, 4, 1)")
                report = json.loads(self.rollback().out)["tables"][0]
                self.assertEqual((report["removed"], report["changed"]), (6, 4) if mine else (10, 0))
                if mine:
                    self.assertEqual(self.sql("SELECT id FROM tree ORDER BY id"),
                                     [["1"], ["2"], ["3"], ["4"], ["100"], ["101"]])
                else:
                    self.assert_as(before)

    def test_what_a_constraint_forbids_by_now_stays(self):
        """Its unique value is another record's, what it referred to is gone; all others are put back."""
        script = ("CREATE TABLE owner (id int PRIMARY KEY); INSERT INTO owner VALUES (1), (2);"
                  "CREATE TABLE t (id int PRIMARY KEY, code varchar(20) UNIQUE, owner int, "
                  "FOREIGN KEY (owner) REFERENCES owner(id));")
        source = self.server.database()
        self.server.ask(source, script + "INSERT INTO t SELECT seq, concat('new ', seq), 1 FROM seq_1_to_50")
        self.sql(script + "INSERT INTO t SELECT seq, concat('old ', seq), 1 + (seq = 33) FROM seq_1_to_40")
        self.run_program("migrate", "-q", "--existing", "upsert", "--include", "t", self.server.uri(source), self.uri)
        self.sql("INSERT INTO t VALUES (1000, 'old 7', 1); DELETE FROM owner WHERE id = 2")
        report = json.loads(self.rollback().out)["tables"][0]
        self.assertEqual((report["removed"], report["restored"], report["changed"]), (10, 38, 2))
        self.assertEqual(self.sql("SELECT id, code FROM t WHERE code LIKE 'new%' OR id = 1000 ORDER BY id"),
                         [["7", "new 7"], ["33", "new 33"], ["1000", "old 7"]])

    def test_partners_in_another_database(self):
        """Of two records that a repair took out one has no partner any more: the other comes back."""
        other = self.server.database()
        self.server.ask(other, "CREATE TABLE `o.p`(id bigint PRIMARY KEY); INSERT INTO `o.p` VALUES (1), (2)")
        self.clear()
        self.sql("CREATE TABLE t(id bigint PRIMARY KEY, o bigint, boss bigint, FOREIGN KEY (o) REFERENCES "
                 "%s.`o.p`(id), FOREIGN KEY (boss) REFERENCES t(id))" % other)
        support.make_sqlite(self.path("few.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, o INTEGER, boss INTEGER); INSERT INTO t VALUES (1, "
                            "1, NULL)")
        self.run_program("migrate", "-q", "few.db", self.uri)
        self.sql("INSERT INTO t VALUES (7, 1, NULL), (8, 2, NULL)")
        self.run_program("validate", "-q", "--repair", "--delete-extra", "--confirm", "few.db", self.uri)
        self.assertEqual(self.sql("SELECT id FROM t"), [["1"]])
        self.server.ask(other, "DELETE FROM `o.p` WHERE id = 2")
        report = json.loads(self.rollback().out)["tables"][0]
        self.assertEqual((report["restored"], report["changed"]), (1, 1))
        self.assertEqual(self.sql("SELECT id, o FROM t ORDER BY id"), [["1", "1"], ["7", "1"]])

    def test_a_table_that_is_still_going_keeps_no_record(self):
        """
        Killed while a table of the run's is dropped: it refers still to records that the run added to a table that was
        there.
        """
        support.make_sqlite(self.path("pair.db"), """
            CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO owner VALUES (1, 'new'), (2, 'new');
            CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owner(id)); INSERT INTO item VALUES (1, 1), (2, 2);""")
        for point, filled in support.covering(("mysql.before_remove_table", "mysql.after_rename", "mysql.before_drop",
                                               "mysql.after_remove_table"),
                                              (True, False), by=self.id()):
            with self.subTest(point=point, filled=filled):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.clear()
                self.sql("CREATE TABLE owner(id bigint PRIMARY KEY, name varchar(9))")
                self.sql("INSERT INTO owner VALUES (2, 'old')" if filled else "DO 0")
                before = self.contents()
                self.run_program("migrate", "-q", "--existing", "upsert" if filled else "refuse", "pair.db", self.uri)
                self.assertEqual(kill_at(point, 1, "rollback", "--run", self.run_id(), "--confirm",
                                         cwd=self.folder).code, -9)
                report = {table["name"]: table for table in json.loads(self.rollback().out)["tables"]}
                self.assertEqual(report["owner"]["changed"], 0)
                self.assertEqual(self.own_tables(), [])
                self.assert_as(before)

    def test_a_run_that_is_forgotten_leaves_nothing(self):
        """Killed while its tables are dropped: the same command sweeps up."""
        for point in ("mysql.before_drop", "mysql.after_rename", "mysql.after_forget", "mysql.after_undo",
                      "ledger.after_closing"):
            with self.subTest(point=point):
                kind = "filled" if point == "mysql.after_undo" else "created"
                self.target(kind)
                before = self.contents()
                self.migrate(*(("--existing", "upsert") if kind == "filled" else ()))
                run = self.run_id()
                self.assertEqual(kill_at(point, 1, "rollback", "--run", run, "--confirm", cwd=self.folder).code, -9)
                self.assertTrue(self.own_tables())
                self.rollback(run=run)
                self.assertEqual(self.own_tables(), [])
                self.assert_as(before)

    def test_runs_beside_each_other(self):
        """Each keeps its own tables of the ledger, whichever ends first."""
        support.make_sqlite(self.path("beside.db"),
                            "CREATE TABLE beside(id INTEGER PRIMARY KEY); INSERT INTO beside VALUES (1), (2)")
        self.target("filled")
        before = self.contents()
        first = self.stopped_at("mysql.before_commit:stop:1", "migrate", "-q", "--existing", "upsert", "source.db",
                                self.uri, "--state", "first")
        for command in (("migrate", "-q", "beside.db", self.uri), ("rollback", "-q", "--run", None, "--confirm")):
            self.run_program(*(self.run_id() if word is None else word for word in command))
            self.assertTrue([name for name in self.own_tables()
                             if name.startswith("_transhume_undo_" + self.run_id("first"))])
            self.assertTrue([name for name in self.own_tables()
                             if name.startswith("_transhume_key_" + self.run_id("first"))])
        first.send_signal(support.signal.SIGCONT)
        self.assert_code(support.finish(first), 0)
        self.run_program("rollback", "-q", "--run", self.run_id("first"), "--confirm", "--state", "first")
        self.assertEqual(self.own_tables(), [])
        self.assert_as(before)

    def test_a_ledger_of_format_1(self):
        self.target("created")
        self.sql("CREATE TABLE _transhume_run (id int)")
        for command in (("migrate", "source.db", self.uri), ("finish", "--confirm", self.uri)):
            said = self.run_program(*command, code=5).err
            self.assertIn("[ledger-invalid]", said)
            self.assertIn("drop the tables _transhume_* by hand", said)
        self.assertEqual(self.own_tables(), ["_transhume_run"])

    def test_a_finish_that_was_killed_goes_on(self):
        """When the run is forgotten already, too: what is left of the ledger goes, without a state folder as well."""
        points = ("finish.before_forget", "mysql.after_forget", "mysql.after_sweep", "ledger.after_closing",
                  "ledger.after_drop", "finish.after_forget")
        for point, state in support.covering(points, (True, False), by=self.id()):
            with self.subTest(point=point, state=state):
                self.target("filled")
                self.migrate("--existing", "upsert")
                wanted = self.server.rows(self.name)["item"]
                self.assertEqual(kill_at(point, 1, "finish", "--confirm", cwd=self.folder).code, -9)
                if not state:
                    shutil.rmtree(self.path(".transhume"))
                self.run_program("finish", "--dry-run", "--confirm", *(() if state else (self.uri,)))
                self.run_program("finish", "--confirm", *(() if state else (self.uri,)))
                self.assertEqual(self.own_tables(), [])
                self.assertEqual(self.server.rows(self.name)["item"], wanted)


if __name__ == "__main__":
    unittest.main()
