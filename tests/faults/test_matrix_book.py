"""The book of the fault matrix counts what struck, and nothing else."""
import errno
import json
import os
import random
import shutil
import sqlite3
import unittest
from unittest import mock

import engines
from engines import rows
import strikes
import failing
import matrix
import support
from fault_proxy import FAULTS
from striking_proxy import MYSQL, POSTGRES, Forger

HELD = ("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, price NUMERIC(10,2), b BLOB); INSERT INTO t VALUES (1, '', 2, "
        "NULL), (7, 'text', 1.5, x'00ff')")
CSV = 'id,a,price,b\n1,"",2.00,\n7,text,1.50,\\x00ff\n'
JSONL = '{"id":1,"a":"","price":2.00,"b":null}\n{"id":7,"a":"text","price":1.50,"b":"AP8="}\n'


class Book(failing.FailingTestCase):
    def setUp(self):
        super().setUp()
        book = mock.patch.object(matrix, "BOOK", self.path("book"))
        book.start()
        self.addCleanup(book.stop)
        self.random = random.Random(support.SEED)

    def entries(self):
        with open(self.path("book"), encoding="utf-8") as file:
            return [tuple(json.loads(line)[1:3]) for line in file]

    def test_a_case_tells_whether_it_struck(self):
        with self.assertRaisesRegex(AssertionError, "does not tell"), matrix.case("a to b", "kill"):
            pass
        with matrix.case("a to b", "kill") as entry:
            entry.struck(0)
        with matrix.case("a to b", "kill") as entry:
            entry.struck(1)
        with self.assertRaises(ValueError), matrix.case("a to b", "kill"):
            raise ValueError
        self.assertEqual(self.entries(), [("kill", False), (matrix.MISSED, True), ("kill", True), ("kill", False)])

    @unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
    def test_a_call_that_was_not_reached(self):
        for at in (0, 1 << 30):
            with self.case("any command", "call", at=at):
                support.transhume("version", cwd=self.folder, env=self.failing("write", at, 1, errno.EIO))
        self.assertEqual([fault for fault, _ in self.entries()], ["call", matrix.MISSED])

    @unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
    def test_a_leak_of_the_program(self):
        """What it forgets to give back, be it by ours, is told with the place in the program that asked for it."""
        env = self.leaks_told()
        support.transhume("check", "none.db", "sqlite:copy.db", cwd=self.folder,
                          env=dict(self.failing("free", -1, 1, 0), **env))
        self.assertEqual(self.leaks(), "")
        support.transhume("check", "none.db", "sqlite:copy.db", cwd=self.folder,
                          env=dict(self.failing("free", 0, 1 << 30, 0), **env))
        self.assertRegex(self.leaks(), r"(?m)^Direct leak of .*\n( *#\d+ .*\n)*? *#\d+ .* run_open ")

    def test_each_damage_to_a_ledger_changes_something(self):
        source = support.make_sqlite(self.path("source.db"),
                                     "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4)")
        for target in ("sqlite:copy.db", "csv:out"):
            interrupted, folder = self.path("interrupted"), self.path("case")
            self.clean("interrupted")
            os.mkdir(interrupted)
            self.assert_code(support.transhume("migrate", "--chunk-rows", "1", source, target, cwd=interrupted,
                                               env={"TRANSHUME_FAILPOINT": "engine.after_commit:error:2"}), 3)
            damages = sorted(strikes.ledger_damages(interrupted))
            void = 0
            for name, what in damages:
                self.clean("case")
                shutil.copytree(interrupted, folder)
                before = everything(folder)
                changes = strikes.apply_damage(folder, name, what, keep=False)
                self.assertEqual(everything(folder), before, "it was only asked")
                self.assertEqual(strikes.apply_damage(folder, name, what), changes)
                self.assertEqual(everything(folder) != before, changes, what)
                void += not changes
            self.assertLess(void, len(damages))

    def test_one_length_is_forged(self):
        """However the bytes come, one message has a length that is not its own, and all else is as it was."""
        texts = [self.random.randbytes(size) for size in (0, 1, 3, 700, 0, 5)]
        for protocol, first, header, forged in (
                (POSTGRES, b"NN", lambda text: b"D" + (len(text) + 4).to_bytes(4, "big"), b"\x7f\xff\xff\xff"),
                (MYSQL, b"", lambda text: len(text).to_bytes(3, "little") + b"\x01", b"\xfe\xff\xff")):
            whole = first + b"".join(header(text) + text for text in texts)
            for begin in (0, 1, 300):
                forger, out, count, at = Forger(protocol), b"", 0, 0
                while at < len(whole):
                    piece = whole[at:at + self.random.choice((1, 2, 50))]
                    said, did = forger.forged(piece, count == 0 and at >= begin)
                    out, count, at = out + said, count + did, at + len(piece)
                places = [place for place in range(len(out)) if out[place:place + len(forged)] == forged]
                self.assertEqual((len(out), count, len(places)), (len(whole), 1, 1))
                out = out[:places[0]] + whole[places[0]:places[0] + len(forged)] + out[places[0] + len(forged):]
                self.assertEqual(out, whole)

    def test_faults_strike_what_they_are_faults_of(self):
        cases = strikes.Network().cases_of({"BatchWriteItem": 3, "DescribeTable": 1, "Scan": 2})
        of = {kind: {operation for other, operation, _ in cases if other == kind} for kind, _, _ in cases}
        self.assertEqual(of["unprocessed"], {"BatchWriteItem"})
        self.assertEqual((of["short page"], of["empty page"]), ({"Scan"}, {"Scan"}))
        self.assertEqual((of["500"], of["clock off"]), ({"BatchWriteItem", "DescribeTable", "Scan"},) * 2)
        self.assertLessEqual({fault for fault, _ in {**strikes.Network.transient, **strikes.Network.lasting}.values()},
                             {*FAULTS, "skew"})


class Contents(support.TestCase):
    """What tells a copy's contents apart from the source's sees any change of a value, a row, a column, a table."""

    def test_each_change_is_seen(self):
        held = engines.sqlite.contents(support.make_sqlite(self.path("held.db"), HELD))
        folder = self.path("files", "t")
        for expected, told, lines, data in ((rows.without_empty(held), engines.csv.contents, CSV, ("00ff", "00fe")),
                                            (held, engines.jsonl.contents, JSONL, ("AP8=", "AP4="))):
            last = lines.splitlines()[-1] + "\n"
            os.makedirs(folder)
            self.write("files/t/part-1", lines)
            rows.assert_same(self, expected, told(self.path("files"), held))
            for a, b in (("1.50", "1.51"), ("7", "8"), ("text", "Text"), data, (last, ""), (last, last * 2),
                         ("price", "prices")):
                self.assertIn(a, lines)
                self.write("files/t/part-1", lines.replace(a, b))
                self.assertNotEqual(rows.differences(expected, told(self.path("files"), held)), [], (told, a))
            self.write("files/t/part-1", lines)
            os.makedirs(self.path("files", "other"))
            self.assertNotEqual(rows.differences(expected, told(self.path("files"), held)), [])
            shutil.rmtree(self.path("files"))
        for statement in ("UPDATE t SET a = 1.5 WHERE id = 7", "UPDATE t SET price = 1.51 WHERE id = 7",
                          "UPDATE t SET b = '' WHERE b IS NULL",
                          "UPDATE t SET a = CAST(a AS BLOB)", "UPDATE t SET a = NULL WHERE a = ''",
                          "DELETE FROM t WHERE id = 7",
                          "ALTER TABLE t ADD COLUMN more", "CREATE TABLE other(a)"):
            shutil.copyfile(self.path("held.db"), self.path("copy.db"))
            self.assertEqual(rows.differences(held, engines.sqlite.contents(self.path("copy.db"))), [])
            support.make_sqlite(self.path("copy.db"), statement)
            self.assertNotEqual(rows.differences(held, engines.sqlite.contents(self.path("copy.db"))), [], statement)


def everything(folder):
    """The bytes of all files, of a SQLite file its rows."""
    found = {}
    for path in strikes.files_below(folder):
        if strikes.is_sqlite(path):
            with sqlite3.connect(path) as db:
                db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
                found[path] = [list(map(repr, db.execute("SELECT * FROM %s" % table)))
                               for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                                        "ORDER BY name").fetchall()]
            db.close()
        else:
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


if __name__ == "__main__":
    unittest.main()
