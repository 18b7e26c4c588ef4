"""A source that is written to while it is copied: the copy is one moment of it."""
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

import refusals
import support

# Moves units between two tables, one transaction a move, and counts its moves in a third: at every
# moment the sum is the same, and no account is below zero.
WRITER = """
import random, sqlite3, sys
path, seed, stop, pause_every = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
import os, time
db = sqlite3.connect(path, isolation_level=None, timeout=120)
numbers = random.Random(seed)
moves = failures = 0
print("ready", flush=True)
while not os.path.exists(stop):
    i, n = numbers.randrange(1, 2001), numbers.randrange(1, 50)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE left_side SET units = units - ? WHERE id = ?", (n, i))
        db.execute("UPDATE right_side SET units = units + ? WHERE id = ?", (n, 2001 - i))
        db.execute("INSERT INTO move(side, at, units) VALUES (?, ?, ?)", (i, 2001 - i, n))
        if moves % 7 == 0:
            db.execute("DELETE FROM move WHERE id % 5 = 0 AND id < (SELECT max(id) - 100 FROM move)")
        db.execute("UPDATE total SET moved = moved + ?", (n,))
        db.execute("COMMIT")
        moves += 1
    except sqlite3.OperationalError as error:
        failures += 1
        if db.in_transaction:
            db.execute("ROLLBACK")
        if "locked" not in str(error):
            raise
    # Without WAL a writer that never rests leaves a reader hardly a moment to begin.
    if moves % pause_every == 0:
        time.sleep(0.003)
print(moves, failures, flush=True)
"""
SIDES = 2000
SUM = 2 * SIDES * 1000000


class ConcurrencyTestCase(refusals.TestCase):
    def make(self, mode):
        db = sqlite3.connect(self.path("live.db"))
        db.execute("PRAGMA journal_mode=" + mode)
        db.execute("PRAGMA synchronous=OFF")
        db.executescript("""
            CREATE TABLE left_side(id INTEGER PRIMARY KEY, units INTEGER NOT NULL, pad TEXT);
            CREATE TABLE move(id INTEGER PRIMARY KEY AUTOINCREMENT, side INTEGER, at INTEGER, units INTEGER);
            CREATE TABLE total(moved INTEGER);
            CREATE TABLE right_side(id INTEGER PRIMARY KEY, units INTEGER NOT NULL, pad TEXT);
            INSERT INTO total VALUES (0);
        """)
        for table in ("left_side", "right_side"):
            db.executemany("INSERT INTO %s VALUES (?, 1000000, ?)" % table,
                           [(i, "p" * 100) for i in range(1, SIDES + 1)])
        db.commit()
        db.close()

    def writer(self, seed=1, pause_every=50):
        process = subprocess.Popen([sys.executable, "-c", WRITER, self.path("live.db"), str(seed),
                                    self.path("stop"), str(pause_every)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_writer, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def end_writer(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()

    def stop_writer(self, process):
        open(self.path("stop"), "w", encoding="ascii").close()
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0)
        os.unlink(self.path("stop"))
        moves, failures = map(int, out.split())
        return moves, failures

    def assert_one_moment(self, left, right, moved):
        self.assertEqual(len(left), SIDES)
        self.assertEqual(len(right), SIDES)
        self.assertEqual(sum(left.values()) + sum(right.values()), SUM)
        self.assertEqual(sum(right.values()) - SIDES * 1000000, moved,
                         "the tables are of different moments")
        return moved

    def sides_of_sqlite(self, path):
        db = sqlite3.connect(path)
        sides = [dict(db.execute("SELECT id, units FROM %s" % t)) for t in ("left_side", "right_side")]
        moved, = db.execute("SELECT moved FROM total").fetchone()
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        db.close()
        return (*sides, moved)

    def sides_of_json(self, folder):
        tables = support.read_dynamodb_json(folder)
        sides = [{int(i["id"]["N"]): int(i["units"]["N"]) for i in tables[t]}
                 for t in ("left_side", "right_side")]
        return sides


class Live(ConcurrencyTestCase):
    """WAL: writers go on, and the copy sees one moment."""

    def test_express_and_general(self):
        self.make("WAL")
        process = self.writer()
        moments = []
        ways = ((), ("--no-express",), ("--jobs", "1"), ("--no-express", "--jobs", "4"),
                ("--jobs", "2", "--chunk-rows", "100"), ("--no-express", "--jobs", "2", "--chunk-rows", "50"))
        for number, way in enumerate(ways * (5 if support.SOAK else 1)):
            with self.subTest(way=way):
                copy = "copy%d.db" % number
                self.run_program("migrate", "--state", "state%d" % number, *way, "live.db", copy)
                moments.append(self.assert_one_moment(*self.sides_of_sqlite(self.path(copy))))
        moves, _ = self.stop_writer(process)
        # The writer was at work all the while, or the test shows nothing.
        self.assertGreater(moves, 100)
        self.assertEqual(moments, sorted(moments))
        self.assertGreater(len(set(moments)), len(ways) // 2)

    def test_to_dynamodb_json(self):
        self.make("WAL")
        process = self.writer(2)
        for number in range(3):
            out = "out%d" % number
            self.run_program("migrate", "--state", out + ".state", "--jobs", "4", "--chunk-rows", "100",
                             "--exclude", "total", "live.db", "dynamodb-json:" + out)
            left, right = self.sides_of_json(self.path(out))
            self.assert_one_moment(left, right, sum(right.values()) - SIDES * 1000000)
        self.assertGreater(self.stop_writer(process)[0], 50)

    def test_embedded_rows_are_of_the_same_moment(self):
        self.make("WAL")
        self.execute(self.path("live.db"), "CREATE INDEX move_side ON move(side);")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:live.db
target: dynamodb-json:out
tables:
  side:
    key: { partition: id }
    from: left_side
    fields:
      id: copy
      units: copy
      Count: { aggregate: move, match: { side: id }, value: "count(*)" }
      Moved: { aggregate: move, match: { side: id }, value: "sum(units)" }
      Moves: { embed: move, match: { side: id }, order: id, fields: { units: copy } }
""")
        process = self.writer(3)
        time.sleep(0.3)
        self.run_program("migrate", "--jobs", "4", "--chunk-rows", "100")
        self.stop_writer(process)
        items = support.read_dynamodb_json(self.path("out"))["side"]
        self.assertEqual(len(items), SIDES)
        total = 0
        for item in items:
            listed = [int(m["M"]["units"]["N"]) for m in item["Moves"]["L"]]
            self.assertEqual(len(listed), int(item["Count"]["N"]))
            self.assertEqual(sum(listed), int(item["Moved"]["N"]))
            total += len(listed)
        self.assertGreater(total, 0)

    def test_killed_and_resumed_while_it_is_written_to(self):
        # Two snapshots then: said clearly, and each keyed row is there once.
        self.make("WAL")
        process = self.writer(4)
        arguments = ("--chunk-rows", "200", "live.db", "copy.db")
        self.interrupted(*arguments, commits=5)
        time.sleep(0.2)
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.stop_writer(process)
        self.assert_code(result, 1)
        self.assertIn("mixed snapshot", result.out + result.err)
        left, right, _ = self.sides_of_sqlite(self.path("copy.db"))
        self.assertEqual((len(left), len(right)), (SIDES, SIDES))

    def test_a_checkpoint_under_way(self):
        self.make("WAL")
        process = self.writer(5)
        keeper = sqlite3.connect(self.path("live.db"), isolation_level=None, timeout=1)
        self.addCleanup(keeper.close)
        run = support.start("migrate", "--no-express", "--chunk-rows", "50", "live.db", "copy.db",
                            cwd=self.folder)
        self.addCleanup(self.end, run)
        while run.poll() is None:
            try:
                keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError:
                pass
            time.sleep(0.01)
        self.assert_code(support.finish(run), 0)
        self.stop_writer(process)
        self.assert_one_moment(*self.sides_of_sqlite(self.path("copy.db")))

    def test_the_source_is_sound_afterwards(self):
        self.make("WAL")
        process = self.writer(6)
        self.run_program("migrate", "live.db", "copy.db")
        self.stop_writer(process)
        left, right, moved = self.sides_of_sqlite(self.path("live.db"))
        self.assert_one_moment(left, right, moved)


class RollbackJournal(ConcurrencyTestCase):
    """Without WAL the copy holds writers up, and says so before; nothing breaks."""

    def test_check_says_so(self):
        self.make("DELETE")
        result = self.run_program("check", "live.db", "copy.db")
        self.assertRegex(result.out, r"(?i)WAL")
        self.assertRegex(result.out, r"(?i)writ")
        db = sqlite3.connect(self.path("live.db"))
        db.execute("PRAGMA journal_mode=WAL")
        db.close()
        self.assertNotRegex(self.run_program("check", "live.db", "copy.db").out, r"(?i)writers? .*wait")

    def test_writers_wait(self):
        self.make("DELETE")
        process = self.writer(7, pause_every=1)
        for number, way in enumerate(((), ("--no-express", "--jobs", "2", "--chunk-rows", "100"))):
            with self.subTest(way=way):
                copy = "copy%d.db" % number
                self.run_program("migrate", "--timeout", "60s", "--state", "state%d" % number, *way, "live.db", copy)
                self.assert_one_moment(*self.sides_of_sqlite(self.path(copy)))
        moves, failures = self.stop_writer(process)
        self.assertGreater(moves, 0)
        self.assertEqual(failures, 0, "a writer was refused instead of held up")

    def test_a_writer_that_waits_gets_its_turn(self):
        self.make("DELETE")
        run = self.stopped("migrate", "--no-express", "--chunk-rows", "100", "live.db", "copy.db")
        db = sqlite3.connect(self.path("live.db"), isolation_level=None, timeout=0.2)
        self.addCleanup(db.close)
        with self.assertRaises(sqlite3.OperationalError):
            db.execute("UPDATE total SET moved = 7")
        run.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(run), 0)
        db.execute("UPDATE total SET moved = 7")
        self.assertEqual(self.query(self.path("copy.db"), "SELECT moved FROM total"), [(0,)])


class Replaced(support.TestCase):
    """Another file takes the source's name by a rename: what was opened is copied, or nothing is."""

    def make(self, name, value, mode="DELETE"):
        # The same statements in both, so that even the change counters in the headers are equal.
        db = sqlite3.connect(self.path(name), isolation_level=None)
        db.execute("PRAGMA journal_mode=" + mode)
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
        db.execute("CREATE TABLE u(id INTEGER PRIMARY KEY, v TEXT)")
        db.execute("BEGIN")
        for table in "tu":
            db.executemany("INSERT INTO %s VALUES (?, ?)" % table, [(i, value) for i in range(1, 301)])
        db.execute("COMMIT")
        db.close()

    def values(self, path):
        db = sqlite3.connect(self.path(path))
        found = db.execute("SELECT v, count(*) FROM (SELECT v FROM t UNION ALL SELECT v FROM u) GROUP BY v").fetchall()
        db.close()
        return found

    def replaced_at(self, rule, *arguments):
        """The result of a run that goes on with other.db in the place of live.db."""
        run = self.stopped_at(rule, *arguments)
        os.rename(self.path("other.db"), self.path("live.db"))
        run.send_signal(signal.SIGCONT)
        return support.finish(run)

    def test_once_the_snapshot_is_taken(self):
        # The last one opens its writer anew, which attaches the source again.
        rules = ("sqlite.snapshot_taken:stop", "engine.before_prepare:stop",
                 "sqlite.chunk_begin:stop:2,sqlite.before_commit:retry:2")
        for mode, rule, way in itertools.product(("DELETE", "WAL"), rules,
                                                 ((), ("--jobs", "1", "--chunk-rows", "100"))):
            with self.subTest(mode=mode, rule=rule, way=way):
                self.clean()
                self.make("live.db", "old", mode)
                self.make("other.db", "new", mode)
                self.assert_code(self.replaced_at(rule, "migrate", *way, "live.db", "copy.db"), 0)
                self.assertEqual(self.values("copy.db"), [("old", 600)])
                self.assertEqual(self.values("live.db"), [("new", 600)])

    def clean(self):
        for name in os.listdir(self.folder):
            path = self.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def test_it_says_so(self):
        self.make("live.db", "old")
        self.make("other.db", "new")
        result = self.replaced_at("engine.before_prepare:stop", "migrate", "live.db", "copy.db")
        self.assertEqual(result.err.count("live.db was replaced or removed meanwhile"), 1, result.err)

    def test_before_the_snapshot_is_taken(self):
        for mode in ("DELETE", "WAL"):
            with self.subTest(mode=mode):
                self.clean()
                self.make("live.db", "old", mode)
                self.make("other.db", "new", mode)
                result = self.replaced_at("sqlite.before_file:stop", "migrate", "live.db", "copy.db")
                self.assert_code(result, 5)
                self.assertIn("[source-changed]", result.err)
                self.assertIn("live.db: the file was replaced or removed since it was opened", result.err)
                self.assertFalse(os.path.exists(self.path("copy.db")))
                self.run_program("migrate", "live.db", "copy.db")
                self.assertEqual(self.values("copy.db"), [("new", 600)])

    def test_before_a_validation_takes_its_second_snapshot(self):
        self.make("copied.db", "old")
        self.run_program("migrate", "copied.db", "live.db")
        self.make("other.db", "old")
        result = self.replaced_at("sqlite.snapshot_taken:stop", "validate", "copied.db", "live.db")
        self.assert_code(result, 5)
        self.assertIn("[source-changed]", result.err)

    def test_after_a_validation_took_its_snapshots(self):
        self.make("live.db", "old")
        self.run_program("migrate", "live.db", "copy.db")
        self.make("other.db", "new")
        self.assert_code(self.replaced_at("sqlite.snapshot_taken:stop:2", "validate", "live.db", "copy.db"), 0)

    def test_between_a_run_and_its_resume(self):
        self.make("live.db", "old")
        self.make("other.db", "new")
        arguments = ("--jobs", "1", "--chunk-rows", "100", "live.db", "copy.db")
        self.assert_code(support.kill_at("engine.after_commit", 1, "migrate", *arguments, cwd=self.folder), -9)
        os.rename(self.path("other.db"), self.path("live.db"))
        self.assertIn("[source-changed]", self.run_program("resume", *arguments, code=5).err)

    def test_while_a_resume_opens_it(self):
        """It goes on with what it opened, and has no proof for the other one."""
        self.make("live.db", "old")
        self.make("other.db", "new")
        arguments = ("--jobs", "1", "--chunk-rows", "100", "live.db", "copy.db")
        self.assert_code(support.kill_at("engine.after_commit", 1, "migrate", *arguments, cwd=self.folder), -9)
        self.assert_code(self.replaced_at("sqlite.snapshot_taken:stop", "resume", *arguments), 1)
        self.assertEqual(self.values("copy.db"), [("old", 600)])


class TargetOfOthers(support.TestCase):
    """
    The file of a target is made anew for the source's page size and encoding; what others commit just before is theirs.
    """

    ARGUMENTS = ("--state", "first", "source.db", "copy.db")

    def make(self, mode):
        source = sqlite3.connect(self.path("source.db"))
        source.executescript("PRAGMA page_size = 512; PRAGMA encoding = 'UTF-16le'; PRAGMA application_id = 7; "
                             "CREATE TABLE t(v TEXT);"
                             "INSERT INTO t VALUES ('one'), ('two');")
        source.close()
        target = self.opened("copy.db")
        target.executescript("PRAGMA journal_mode = %s; CREATE TABLE x(a); DROP TABLE x;" % mode)
        target.close()

    def stopped_before_the_replacement(self, mode):
        """A run that has seen that the target holds nothing of others."""
        self.make(mode)
        return self.stopped_at("sqlite.before_replace:stop", "migrate", *self.ARGUMENTS)

    def opened(self, name):
        db = sqlite3.connect(self.path(name), isolation_level=None)
        self.addCleanup(db.close)
        return db

    def go_on(self, run):
        run.send_signal(signal.SIGCONT)
        return support.finish(run)

    def clean(self):
        shutil.rmtree(self.folder)
        os.mkdir(self.folder)

    def test_nobody_else_is_there(self):
        for mode in ("DELETE", "WAL"):
            with self.subTest(mode=mode):
                self.clean()
                self.assert_code(self.go_on(self.stopped_before_the_replacement(mode)), 0)
                self.assertEqual(sorted(os.listdir(self.folder)), ["copy.db", "first", "source.db"])
                self.assert_made_anew()

    def assert_made_anew(self):
        copy = self.opened("copy.db")
        self.assertEqual(copy.execute("PRAGMA encoding").fetchone(), ("UTF-16le",))
        self.assertEqual(copy.execute("PRAGMA application_id").fetchone(), (7,))
        self.assertEqual(copy.execute("SELECT v FROM t").fetchall(), [("one",), ("two",)])

    def test_killed_before_and_after_it(self):
        for point, again in (("sqlite.before_replace", 1), ("sqlite.after_replace", 0)):
            with self.subTest(point=point):
                self.clean()
                self.make("DELETE")
                self.assert_code(support.kill_at(point, 1, "migrate", *self.ARGUMENTS, cwd=self.folder), -9)
                result, reached = support.count_failpoints("resume", *self.ARGUMENTS, cwd=self.folder)
                self.assert_code(result, 0)
                self.assertEqual((reached["sqlite.before_replace"], reached["sqlite.after_replace"]), (again, again))
                self.assert_made_anew()

    def test_a_table_of_another_process(self):
        for mode in ("DELETE", "WAL"):
            with self.subTest(mode=mode):
                self.clean()
                run = self.stopped_before_the_replacement(mode)
                other = self.opened("copy.db")
                other.execute("CREATE TABLE theirs(a)")
                other.execute("INSERT INTO theirs VALUES ('precious')")
                result = self.go_on(run)
                self.assert_code(result, 0)
                other = self.opened("copy.db")
                self.assertEqual(other.execute("SELECT a FROM theirs").fetchall(), [("precious",)])
                self.assertIn("copy.db keeps its page size, its encoding", result.err)
                self.assertEqual(other.execute("SELECT v FROM t").fetchall(), [("one",), ("two",)])
                self.assertEqual(other.execute("PRAGMA encoding").fetchone(), ("UTF-8",))
                self.assertEqual(other.execute("PRAGMA application_id").fetchone(), (0,))
                self.assertEqual(other.execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def test_another_process_took_the_run_over(self):
        for mode in ("DELETE", "WAL"):
            with self.subTest(mode=mode):
                self.clean()
                run = self.stopped_before_the_replacement(mode)
                self.run_program("resume", "--take-over", "--state", "second", "source.db", "copy.db")
                result = self.go_on(run)
                self.assert_code(result, 5)
                self.assertIn("[run-fenced]", result.err)
                copy = self.opened("copy.db")
                self.assertEqual(copy.execute("SELECT v FROM t").fetchall(), [("one",), ("two",)])
                self.assertEqual(copy.execute("SELECT value ->> 'epoch' FROM _transhume_ledger WHERE name LIKE "
                                              "'run/%/leader'").fetchone(), (2,))

    def test_another_process_reads_meanwhile(self):
        """It changes nothing: the file is made anew once it has ended."""
        run = self.stopped_before_the_replacement("DELETE")
        other = self.opened("copy.db")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        run.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        other.execute("COMMIT")
        self.assert_code(support.finish(run), 0)
        self.assert_made_anew()


if __name__ == "__main__":
    unittest.main()
