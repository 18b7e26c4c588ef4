"""What a run says while it waits: throttling, capacity, whole tables that the target pulls itself."""
import json
import os
import re
import shutil
import time
import unittest

import support

TOY = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}


def numbers(path, rows, width=0):
    return support.make_sqlite(path, """PRAGMA journal_mode = WAL;
        CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
        INSERT INTO things SELECT i, 'value ' || i || %s FROM n;""" % (rows,
                                                                       "hex(zeroblob(%d))" % width if width else "''"))


class Throttling(support.TestCase):
    def setUp(self):
        super().setUp()
        numbers(self.path("source.db"), 2000)

    def read_state(self):
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_it_says_so(self):
        process = support.start("migrate", "--progress", "json", "source.db", "toy:out?throttle=6500", "--stall", "1s",
                                cwd=self.folder, env=TOY)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 6 * support.PATIENCE
        while True:
            self.assertLess(time.monotonic(), deadline, "state.json never said so")
            time.sleep(0.2)
            try:
                if self.read_state()["target_use"]["throttled_seconds"] > 2:
                    break
            except (OSError, KeyError):
                pass
        status = self.run_program("status")
        self.assertRegex(status.out, r"waiting  the target has been asking to slow down for \d+")
        result = support.finish(process)
        self.assert_code(result, 0)
        moments = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
        waits = [moment["target_throttled_milliseconds"] for moment in moments]
        self.assertGreater(max(waits), 4000)
        self.assertTrue(all(moment["source_throttled_milliseconds"] == 0 for moment in moments))
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            log = file.read()
        self.assertRegex(log,
                         r"toy:out\S*: the target has been asking to slow down for \d+(\.\d)?s \(\d+ times in all\)")
        self.assertNotIn("nothing moved", log)  # a target that answers is no stall
        self.assertEqual(self.read_state()["target_use"]["capacity_units"], 2000)
        self.assertRegex(self.run_program("status").out, "capacity 2,000 units of the target")

    def test_it_does_not_wait_for_ever(self):
        result = self.run_program("migrate", "source.db", "toy:out?throttle=60000", "--stall", "100ms", code=3, env=TOY)
        self.assertIn("target-throttled", result.err)
        self.run_program("resume", "source.db", "toy:out", env=TOY)

    def test_caps_of_capacity(self):
        for number, (arguments, env) in enumerate(((["--write-units-per-second", "2000"], {}),
                                                   ([], {"TRANSHUME_WRITE_UNITS_PER_SECOND": "2000"}))):
            with self.subTest(arguments=arguments, env=env):
                begun = time.monotonic()
                self.run_program("migrate", "--state", "s%d" % number, "--batch-rows", "100", *arguments, "source.db",
                                 "toy:out%d" % number, env=dict(TOY, **env))
                self.assertGreaterEqual(time.monotonic() - begun, 0.8)
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: toy:planned
options: { write_units_per_second: 2000, batch_rows: 100 }
tables:
  things:
    key: { partition: id }
    entities: { thing: { from: things, fields: { "*": copy } } }
""")
        begun = time.monotonic()
        self.run_program("migrate", env=TOY)
        self.assertGreaterEqual(time.monotonic() - begun, 0.8)

    def test_caps_where_capacity_is_not_counted(self):
        result = self.run_program("migrate", "--write-units-per-second", "5", "source.db", "copy.db", code=2)
        self.assertIn("SQLite has no capacity units", result.err)
        self.assertIn("--rows-per-second", result.err)
        result = self.run_program("check", "--read-units-per-second", "5", "source.db", "copy.db", code=2)
        self.assertIn("--read-units-per-second", result.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))


class Pulled(support.TestCase):
    """Whole tables that SQLite takes from the other file itself: one statement, one chunk."""

    def lanes(self):
        """{table: how its chunks came}, by the log."""
        lanes = {}
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            for name, how in re.findall(r"chunk \d+ of (\S+) (pulled|done) in ", file.read()):
                lanes.setdefault(name, set()).add(how)
        return lanes

    def pull(self, stall_ms):
        """Migrates numbers; gives what was printed, the log up to the commit of the only chunk, its milliseconds."""
        folder = self.path("pull")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        result = support.transhume("migrate", "--stall", "%dms" % stall_ms, "--progress", "json", "../source.db",
                                   "copy.db",
                                   cwd=folder)
        self.assert_code(result, 0)
        with open(os.path.join(folder, ".transhume", "transhume.log"), encoding="utf-8") as file:
            log = file.read()
        before_commit, after = re.split(r"chunk 1 of things pulled in ", log)
        return result.err, before_commit, int(after.split()[0])

    def test_progress_within_the_chunk(self):
        # The statement must take much longer than the stall time, and than what lies between two looks at it (0.1 s);
        # the stall time longer
        # than a machine's pauses.
        numbers(self.path("source.db"), 1500000, 60)
        _, _, took_ms = self.pull(60000)
        for _ in range(4):
            stall_ms = max(took_ms // 4, 1)
            printed, before_commit, took_ms = self.pull(stall_ms)
            if took_ms > max(2 * stall_ms, 250):
                break
        self.assertGreater(took_ms, max(2 * stall_ms, 250))
        self.assertNotIn("lets the target pull", before_commit)
        moments = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
        self.assertEqual(moments[-1]["done"], 1500000)
        if took_ms > 2500:
            self.assertTrue(any(0 < moment["done"] < 1500000 for moment in moments), moments)

    def test_which_lane(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE plain(id INTEGER PRIMARY KEY, v TEXT);
            CREATE TABLE composite(a TEXT, b INT, PRIMARY KEY(a, b)) WITHOUT ROWID;
            CREATE TABLE keyless(v TEXT);
            CREATE TABLE indexed(id INTEGER PRIMARY KEY, v TEXT UNIQUE);
            CREATE INDEX by_v ON plain(v);
            INSERT INTO plain VALUES (1, 'a'), (2, 'b');
            INSERT INTO composite VALUES ('x', 1), ('y', 2);
            INSERT INTO keyless VALUES ('k'), ('k');
            INSERT INTO indexed VALUES (1, 'u'), (2, NULL);""")
        names = {"plain", "composite", "keyless", "indexed"}
        lanes = {entity["entity"]: entity["lane"] for entity in
                 json.loads(self.run_program("check", "--json", "source.db", "copy.db").out)["entities"]}
        self.assertEqual(lanes, dict.fromkeys(names, "express"))
        self.run_program("migrate", "source.db", "copy.db")
        self.assertEqual(self.lanes(), {name: {"pulled"} for name in names})
        self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

        for option in (["--no-express"], ["--rows-per-second", "100000"]):
            os.remove(self.path("copy.db"))
            self.run_program("reset", "--confirm")
            if option[0] == "--no-express":
                report = json.loads(self.run_program("check", "--json", *option, "source.db", "copy.db").out)
                self.assertEqual({entity["lane"] for entity in report["entities"]}, {"general"})
            self.run_program("migrate", *option, "source.db", "copy.db")
            self.assertEqual(self.lanes(), {name: {"done"} for name in names})
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

    def test_one_table_that_cannot(self):
        # A plan that maps one table takes the general path for it, and the express lane for the other.
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE one(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO one VALUES (1, 'a');
            CREATE TABLE two(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO two VALUES (1, 'b');""")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: sqlite:copy.db
tables:
  one: { key: [id], entities: { one: { from: one, fields: { "*": copy } } } }
  two: { key: [id], entities: { two: { from: two, fields: { "*": copy, v: { column: v, default: none } } } } }
""")
        report = json.loads(self.run_program("check", "--json").out)
        lanes = {entity["entity"]: entity["lane"] for entity in report["entities"]}
        self.run_program("migrate")
        found = {name: {"pulled": "express", "done": "general"}[how] for name, (how,) in
                 ((name, tuple(hows)) for name, hows in self.lanes().items())}
        self.assertEqual(found, lanes)
        self.assertEqual(lanes["two"], "general")

    def test_a_refused_chunk_goes_the_general_way(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE things(id INTEGER PRIMARY KEY, v INT CHECK (v < 10));
            INSERT INTO things VALUES (1, 5), (2, 6);
            PRAGMA ignore_check_constraints = 1; INSERT INTO things VALUES (3, 50);""")
        self.run_program("migrate", "source.db", "copy.db", code=1)
        self.assertEqual(self.lanes(), {"things": {"done"}})
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), {"things": 2})


if __name__ == "__main__":
    unittest.main()
