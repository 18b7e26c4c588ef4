"""
kill -9 at failpoints of `transhume change` on SQLite, then the command again: schema and rows end as those of an
undisturbed run.
"""
import contextlib
import os
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import sql_case
import support
import taking_back
from test_change_sqlite import OPERATIONS, TABLES

CASES = 2   # of a kind and an act
MORE = ("INSERT INTO users (name, age) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
        "SELECT 'n' || i, i % 90 FROM n;"
        "INSERT INTO pairs WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, "
        "'k', NULL FROM n;")


class KillChangeOfSqlite(sql_case.SqliteTarget, support.TestCase):
    def setUp(self):
        super().setUp()
        self.folders = 0

    def command(self, act, folder, uri):
        words = {"start": ("start", os.path.join(folder, "001_c.change.yaml"), uri, "--batch-time", "2ms"),
                 "complete": ("complete", uri, "--confirm"), "abort": ("abort", uri)}
        return ("change", *words[act])

    def prepare(self, kind, act):
        self.folders += 1
        folder = self.path("%s%d" % (kind, self.folders))
        os.mkdir(folder)
        with open(os.path.join(folder, "001_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n" + "".join("- %s\n" % operation for operation in OPERATIONS[kind]))
        uri = self.new_target()
        with contextlib.closing(sqlite3.connect(self.path(self.file))) as db:
            db.executescript(TABLES + MORE)
        if act != "start":
            self.assert_code(support.transhume(*self.command("start", folder, uri), cwd=self.folder), 0)
        return folder, uri

    def dump(self):
        objects = self.ask("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE "
                           "'\\_transhume\\_schema%' ESCAPE '\\' ORDER BY type, name")
        rows = {row[1]: self.ask("SELECT * FROM %s ORDER BY 1, 2" % row[1] if row[1] not in ("log", "diary", "pets")
                                 else "SELECT * FROM %s ORDER BY 1" % row[1])
                for row in objects if row[0] == "table" and not row[1].startswith(("_transhume", "sqlite_"))}
        return objects, rows, self.ask("PRAGMA foreign_key_check"), self.ask("PRAGMA integrity_check")

    def undisturbed(self, kind, act):
        folder, uri = self.prepare(kind, act)
        result, counts = support.count_failpoints(*self.command(act, folder, uri), cwd=self.folder)
        self.assert_code(result, 0)
        return self.dump(), counts

    def kill_all(self, act):
        for kind in OPERATIONS:
            expected, counts = self.undisturbed(kind, act)
            for point, _, occurrence in support.drawn(taking_back.occurrences(counts), CASES,
                                                      "%s %s" % (self.id(), kind)):
                with self.subTest(kind=kind, point=point, occurrence=occurrence):
                    folder, uri = self.prepare(kind, act)
                    killed = support.kill_at(point, occurrence, *self.command(act, folder, uri), cwd=self.folder)
                    self.assertIn(killed.code, (-signal.SIGKILL, 0), killed.err)   # 0: batches were larger this time
                    if "users" in expected[1]:   # an application goes on
                        self.ask("UPDATE users SET name = name WHERE id < 5")
                    result = support.transhume(*self.command(act, folder, uri), cwd=self.folder)
                    over = act != "start" and "under way" in result.err
                    self.assertTrue(result.code == 0 or over, result.out + result.err)
                    self.assertEqual(self.dump(), expected)

    def test_start(self):
        self.kill_all("start")

    def test_complete(self):
        self.kill_all("complete")

    def test_abort(self):
        self.kill_all("abort")


if __name__ == "__main__":
    unittest.main()
