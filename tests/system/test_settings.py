"""
--settings FILE and --profile (settings of migration scripts), --log-file, and what each table had of retries and
fallbacks.
"""
import json
import os
import re
import unittest

import items
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy

TOY = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}
SHOP = """
CREATE TABLE goods(id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) INSERT INTO goods SELECT i, 'thing ' || i FROM c;
CREATE TABLE people(id TEXT PRIMARY KEY, age INTEGER);
INSERT INTO people VALUES('ann', 40), ('bob', 41), ('eve', 42);
"""
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) \S.*")


class SettingsCase(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("shop.db"), SHOP)

    def migrate(self, *arguments, code=0, env=None):
        return self.run_program("migrate", *arguments, code=code, env=dict(TOY, **(env or {})))

    def state(self, folder=".transhume"):
        with open(self.path(folder, "state.json"), encoding="utf-8") as file:
            return json.load(file)

    def said(self, uri):
        """The options of the run's source or target."""
        return dict(option.split("=") for option in uri.partition("?")[2].split("&") if option)

    def log(self, name="migrator.log"):
        """Its lines, each in the form that it is to have."""
        with open(self.path(name), encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            self.assertRegex(line, LINE)
        return lines


class Files(SettingsCase):
    def test_every_key(self):
        """In any case, with the values that scripts have; the run remembers what connectors were given."""
        self.write("migrator_settings.yaml", """
            # of our script
            MAX_WORKERS: 3
            batch_insert_size: 20
            Fetch_Batch_Size: 70
            CONSISTENCY: local_quorum
            FALLBACK_CONSISTENCY: true
            REQUEST_TIMEOUT: 12.5
            LOG_FILE: run.log
            LOG_LEVEL: Warning
            SOURCE: shop.db
            TARGET: toy:out
            TABLES: [goods]
            """)
        result = self.migrate("--settings", "migrator_settings.yaml", "--json")
        self.assertEqual([one["entity"] for one in json.loads(result.out)["entities"]], ["goods"])
        state = self.state()
        self.assertEqual((state["settings"]["jobs"], state["settings"]["timeout"]), (3, 12500))
        self.assertEqual(self.said(state["target"]), {"batch_rows": "20", "consistency": "LOCAL_QUORUM",
                                                      "fallback": "ONE"})
        self.assertEqual(state["source"], "shop.db")
        self.assertIn("warning: FETCH_BATCH_SIZE (migrator_settings.yaml:5:13) is not used by SQLite\n", result.err)
        self.assertEqual([line.split(" ", 2)[2] for line in self.log("run.log")],
                         ["WARNING FETCH_BATCH_SIZE (migrator_settings.yaml:5:13) is not used by SQLite"])
        self.run_program("validate", env=TOY)
        self.assertEqual(self.said(self.state()["target"])["batch_rows"], "20")

    def test_defaults(self):
        """Those of the scripts, and nothing is told of what nobody asked for."""
        for number, text in enumerate(("", "# nothing\n", "MAX_WORKERS:\nLOG_FILE: null\n", "{}")):
            with self.subTest(text=text):
                state, out = "state%d" % number, "toy:out%d" % number
                self.write("settings.yaml", text)
                result = self.migrate("--settings", "settings.yaml", "--state", state, "--progress", "none", "shop.db",
                                      out)
                self.assertEqual(result.err, "")
                self.assertEqual(self.state(state)["settings"]["jobs"], 5)
                self.assertEqual(self.said(self.state(state)["target"]), {"batch_rows": "50", "consistency": "QUORUM"})
                back = self.migrate("--settings", "settings.yaml", "--state", state + "b", "--progress", "none", out,
                                    "jsonl:back%d" % number)
                self.assertEqual(back.err, "")
                self.assertEqual(self.said(self.state(state + "b")["source"]),
                                 {"page_rows": "100", "consistency": "QUORUM"})
        self.assertTrue(self.log())

    def test_who_wins(self):
        """A flag, the environment and the URI over the file, the file over the profile, and both over the plan."""
        self.write("settings.yaml", "MAX_WORKERS: 3\nLOG_LEVEL: error\nTABLES: goods\n")
        self.write("plan.yaml",
                   "transhume: 1\nsource: shop.db\ntarget: toy:planned?batch_rows=7\noptions: { jobs: 9, "
                   "timeout: 7s }\n")
        self.migrate("--settings", "settings.yaml", "--profile", "large", "--plan", "plan.yaml")
        state = self.state()
        self.assertEqual((state["settings"]["jobs"], state["settings"]["timeout"]), (3, 7000))
        self.assertEqual(self.said(state["target"]), {"batch_rows": "7", "consistency": "QUORUM"})
        self.assertEqual(list(state["tables"]), ["goods"])
        self.migrate("--settings", "settings.yaml", "-j", "4", "--include", "people", "--log-level", "info",
                     "--log-file", "mine.log",
                     "--state", "flags", "shop.db", "toy:flags")
        self.assertEqual((self.state("flags")["settings"]["jobs"], list(self.state("flags")["tables"])),
                         (4, ["people"]))
        self.assertTrue(self.log("mine.log"))
        self.migrate("--settings", "settings.yaml", "--state", "env", "shop.db", "toy:env", env={"TRANSHUME_JOBS": "6"})
        self.assertEqual(self.state("env")["settings"]["jobs"], 6)

    def test_endpoints(self):
        """They stand in for SRC and DST; with a plan they replace its own, as those do."""
        self.write("settings.yaml", "source_uri: shop.db\ntarget_uri: jsonl:out\n")
        self.migrate("--settings", "settings.yaml")
        self.assertEqual((self.state()["source"], self.state()["target"]), ("shop.db", "jsonl:out"))
        self.migrate("--settings", "settings.yaml", "--state", "other", "shop.db", "jsonl:other")
        self.assertEqual(self.state("other")["target"], "jsonl:other")
        self.write("half.yaml", "SOURCE: shop.db\n")
        result = self.migrate("--settings", "half.yaml", code=2)
        self.assertIn("half.yaml: it names a SOURCE, but no TARGET [settings-invalid]", result.err)

    def test_faults(self):
        """Each is a line with its place; nothing is touched."""
        for text, *wanted in (
                ("MAX_WORKER: 3\n",
                 "s.yaml:1:1: 'MAX_WORKER' is not a known setting; did you mean 'MAX_WORKERS'? [settings-invalid]"),
                ("\n  batch_size: 3\n", "s.yaml:2:3: 'batch_size' is not a known setting; "),
                ("retry_attempt: 3\n", "did you mean 'RETRY_ATTEMPTS'?"),
                ("MAX_WORKERS: five\n", "s.yaml:1:14: 'five' is not a count such as 500 or 20k [settings-invalid]"),
                ("MAX_WORKERS: 0\n", "s.yaml:1:14: '0' is not within 1..256"),
                ("BATCH_INSERT_SIZE: 0\n", "s.yaml:1:20: '0' is not a count of rows"),
                ("FETCH_BATCH_SIZE: 1e3\n", "'1e3' is not a count of rows"),
                ("REQUEST_TIMEOUT: soon\n", "'soon' is not a number of seconds"),
                ("REQUEST_TIMEOUT: 0\n", "s.yaml:1:18: '0ms' is not within 1ms..24h"),
                ("MAX_RETRIES: many\n", "'many' is not a number"),
                ("RETRY_DELAY: 1.2.3\n", "s.yaml:1:14: '1.2.3' is not a number"),
                ("TABLES: []\n", "s.yaml:1:9: no table is named; name tables, or leave it out to copy all of them"),
                ("CONSISTENCY: a&create=true\n", "'a&create=true' is no consistency"),
                ("LOG_LEVEL: loud\n",
                 "s.yaml:1:12: 'loud' is no level of a log; it is DEBUG, INFO, WARNING, ERROR or CRITICAL"),
                ("LOG_FILE: ''\n", "s.yaml:1:11: "),
                ("TARGET: ''\n", "a URI is expected here"),
                ("TABLES: [a, {b: c}]\n", "s.yaml:1:13: a table's name is expected here"),
                ("MAX_WORKERS: [3]\n", "MAX_WORKERS is a single value, not a list"),
                ("TABLES: { a: b }\n", "TABLES is a single value, not a map"),
                ("max_workers: 3\nMAX_WORKERS: 3\n", "s.yaml:2:1: 'MAX_WORKERS' is given twice"),
                ("MAX_RETRIES: 3\nRETRY_ATTEMPTS: 3\n", "s.yaml:2:1: 'RETRY_ATTEMPTS' is given twice"),
                ("- MAX_WORKERS\n", "s.yaml:1:1: a settings file is a map of keys and values"),
                ("MAX_WORKERS: 'open\n", "s.yaml:", "[settings-invalid]"),
                ("A_KEY: 1\nLOG_LEVEL: 7\n", "s.yaml:1:1: 'A_KEY'", "s.yaml:2:12: '7'",
                 "2 faults in the settings; nothing was touched")):
            with self.subTest(text=text):
                self.write("s.yaml", text)
                result = self.migrate("--settings", "s.yaml", "shop.db", "jsonl:out", code=2)
                for part in wanted:
                    self.assertIn(part, result.err)
                self.assertEqual(sorted(os.listdir(self.folder)), ["s.yaml", "shop.db"])
        for name, part in (("none.yaml", "there is no such settings file [usage]"), (".", "[settings-invalid]")):
            self.assertIn(part, self.migrate("--settings", name, "shop.db", "jsonl:out", code=2).err)

    def test_a_value_that_the_connector_refuses(self):
        self.write("s.yaml", "BATCH_INSERT_SIZE: 5000\n")
        result = self.migrate("--settings", "s.yaml", "--log-file", "l", "shop.db", "toy:out", code=2)
        self.assertIn("BATCH_INSERT_SIZE (s.yaml:1:1): ", result.err)
        self.assertIn("option batch_rows is 5000, which is not a whole number", result.err)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_not_used_is_told_once(self):
        self.write("s.yaml", "CONSISTENCY: ONE\nRETRY_DELAY: 0.5\nBATCH_INSERT_SIZE: 3\n")
        result = self.migrate("--settings", "s.yaml", "shop.db", "jsonl:out")
        for line in ("CONSISTENCY (s.yaml:1:1) is not used by SQLite and JSON lines",
                     "RETRY_DELAY (s.yaml:2:1) is not used by SQLite and JSON lines",
                     "BATCH_INSERT_SIZE (s.yaml:3:1) is not used by JSON lines"):
            self.assertEqual(result.err.count("warning: %s\n" % line), 1, result.err)
        self.assertEqual(result.err.count("not used"), 3)

    def test_check_takes_them(self):
        self.write("s.yaml", "SOURCE: shop.db\nTARGET: toy:out\nFETCH_BATCH_SIZE: 70\n")
        self.run_program("check", "--settings", "s.yaml", env=TOY)
        self.assertEqual(len(self.log()), 1)


class Profiles(SettingsCase):
    def test_each(self):
        for name, values in (("small", (3, "25", "50")), ("medium", (5, "50", "100")), ("large", (8, "100", "500")),
                             ("unstable", (2, "10", "50"))):
            with self.subTest(name=name):
                result = self.migrate("--profile", name, "--state", name, "shop.db", "toy:" + name)
                self.assertIn("FETCH_BATCH_SIZE %s (profile %s) is not used by SQLite" % (values[2], name), result.err)
                self.migrate("--profile", name, "--state", name + "b", "toy:" + name, "jsonl:" + name + "b")
                there, back = self.state(name), self.state(name + "b")
                self.assertEqual((there["settings"]["jobs"], self.said(there["target"]), self.said(back["source"])),
                                 (values[0], {"batch_rows": values[1]}, {"page_rows": values[2]}))
        self.assertIn("one of small|medium|large|unstable", self.migrate("--profile", "huge", "shop.db", "toy:out",
                                                                         code=2).err)
        self.assertFalse(os.path.exists(self.path("migrator.log")))

    def test_a_file_wins(self):
        self.write("s.yaml", "BATCH_INSERT_SIZE: 11\n")
        self.migrate("--profile", "unstable", "--settings", "s.yaml", "shop.db", "toy:out")
        self.assertEqual((self.state()["settings"]["jobs"], self.said(self.state()["target"])["batch_rows"]), (2, "11"))


class Logs(SettingsCase):
    PLAN = """
transhume: 1
tables:
  people:
    key: { partition: id }
    entities: { person: { from: people, fields: { id: copy, age: copy } } }
"""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("bad.db"), SHOP + "INSERT INTO people VALUES('', 43);")

    def test_lines(self):
        """Local time, appended; rejects with their place, which stand nowhere else; a summary for each table."""
        self.write("plan.yaml", self.PLAN)
        self.write("run.log", "2026-01-31 12:00:00,123 INFO before\n")
        result = self.migrate("--plan", "plan.yaml", "--log-file", "run.log", "bad.db", "dynamodb-json:out", code=1,
                              env={"TZ": "XYZ-14"})
        lines = self.log("run.log")
        self.assertEqual(lines[0], "2026-01-31 12:00:00,123 INFO before")
        rejects = [line for line in lines if "is rejected" in line]
        self.assertEqual(len(rejects), 1)
        self.assertRegex(rejects[0],
                         r'WARNING a record of person is rejected: .* \[key-null\] \[table=people, chunk=1, '
                         r'key={"rowid":4}\]$')
        self.assertNotIn("is rejected", result.err)
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            state_log = file.read()
        self.assertNotIn("is rejected", state_log)
        self.assertRegex("\n".join(lines),
                         r"WARNING summary of person: 4 read, 3 written, 1 rejected, 0 skipped, [^,]+, [^,]+, "
                         r"0 retries, 0 fallbacks \[table=people\]")
        self.assertRegex(lines[-2], r"INFO run [^ ]+: done after ")
        self.assertRegex(lines[-1], "WARNING 1 record was rejected")
        hours = int(lines[-1][11:13]) - int(re.findall(r"T(\d\d):", state_log)[-1])
        self.assertIn(hours % 24, (13, 14, 15))

    def test_levels(self):
        for level, words in (("debug", {"DEBUG", "INFO", "WARNING"}), ("info", {"INFO", "WARNING"}),
                             ("warn", {"WARNING"}), ("error", set())):
            with self.subTest(level=level):
                self.write("plan.yaml", self.PLAN)
                self.migrate("--plan", "plan.yaml", "--log-file", level, "--log-level", level, "--state", "s" + level,
                             "-q",
                             "bad.db", "dynamodb-json:out-" + level, code=1)
                self.assertEqual({line.split(" ")[2] for line in self.log(level)}, words)
        self.assertTrue(any("[table=people, chunk=1]" in line for line in self.log("debug")))
        self.assertIn("--log-level: needs --log-file FILE beside it [usage]",
                      self.migrate("--log-level", "info", "shop.db", "jsonl:out", code=2).err)

    def test_a_failure(self):
        """The error with its hint, in one line, and what was done until then; no password."""
        uri = "mysql://herd:geheim123@127.0.0.1:1/x"
        self.migrate("--log-file", "run.log", "--timeout", "100ms", "shop.db", uri, code=3)
        (line,) = [line for line in self.log("run.log") if " ERROR " in line]
        self.assertIn("mysql://herd:***@127.0.0.1:1/x", line)
        self.assertNotIn("geheim123", "\n".join(self.log("run.log")))
        self.write("plan.yaml", self.PLAN)
        self.migrate("--plan", "plan.yaml", "--log-file", "more.log", "--fail-fast", "bad.db", "dynamodb-json:out",
                     code=3)
        lines = self.log("more.log")
        self.assertRegex("\n".join(lines), r"ERROR run [^ ]+: failed after ")
        self.assertRegex(lines[-1], r" ERROR .*\[too-many-rejects\]; see ")

    def test_a_file_that_can_not_be(self):
        os.symlink("elsewhere", self.path("link"))
        for name in ("no/where.log", ".", "link"):
            self.migrate("--log-file", name, "shop.db", "jsonl:out", code=2)
        self.assertEqual(sorted(os.listdir(self.folder)), ["bad.db", "link", "shop.db"])

    def test_other_commands(self):
        """A resume takes a file as well; what the connectors were given stands in the run."""
        killed = support.kill_at("engine.after_commit", 1, "migrate", "--profile", "unstable", "--chunk-rows", "50",
                                 "shop.db", "toy:out?lease=500",
                                 cwd=self.folder, env=TOY)
        self.assertEqual(killed.code, -9, killed.err)
        self.run_program("resume", "--take-over", "--log-file", "resume.log", env=TOY)
        self.assertEqual(self.said(self.state()["target"]), {"lease": "500", "batch_rows": "10"})
        self.run_program("validate", "--log-file", "resume.log", env=TOY)
        self.assertRegex("\n".join(self.log("resume.log")), "summary of goods: 200 read, 200 written")


class Counts(SettingsCase):
    def counts(self, name, folder=".transhume"):
        """An entity's retries and fallbacks in report.json and state.json, which agree."""
        with open(self.path(folder, "report.json"), encoding="utf-8") as file:
            report = json.load(file)
        (told,) = [(one["retries"], one["fallbacks"]) for one in report["entities"] if one["name"] == name]
        (kept,) = [(one["retries"], one["fallbacks"]) for table in self.state(folder)["tables"].values()
                   for entity, one in table["entities"].items() if entity == name]
        self.assertEqual(told, kept)
        return told

    def test_none(self):
        """Then there are no columns of them."""
        result = self.migrate("shop.db", "jsonl:out")
        self.assertNotRegex(result.out, "retries|fallbacks")
        self.assertEqual(self.counts("goods"), (0, 0))
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            self.assertNotIn("fallbacks", file.read())

    def test_retries(self):
        result = self.migrate("--log-file", "run.log", "--include", "goods", "shop.db", "toy:out?throttle=300")
        retries, fallbacks = self.counts("goods")
        self.assertGreater(retries, 1)
        self.assertEqual(fallbacks, 0)
        self.assertRegex(result.out, r"seconds +retries\n.*goods +200 .* %d\n" % retries)
        self.assertRegex("\n".join(self.log("run.log")), "summary of goods: .* %d retries, 0 fallbacks" % retries)

    def test_fallbacks(self):
        self.write("s.yaml", "FALLBACK_CONSISTENCY: ONE\nBATCH_INSERT_SIZE: 20\n")
        result = self.migrate("--settings", "s.yaml", "shop.db", "toy:out?throttle=600000")
        goods, people = self.counts("goods"), self.counts("people")
        self.assertEqual((goods[0], people[0]), (0, 0))
        self.assertGreaterEqual(goods[1], 1)
        self.assertGreaterEqual(people[1], 1)
        self.assertRegex(result.out, r"seconds +fallbacks\n.*goods .* %d\n" % goods[1])
        self.assertEqual(self.state()["target_use"]["fallbacks"], goods[1] + people[1])
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            self.assertIn("| work | retries | fallbacks |", file.read())


class Network(DynamodbCase):
    def test_throttled(self):
        """By the target, and back by the source: both count for the table."""
        support.make_sqlite(self.path("shop.db"), SHOP)
        with FaultProxy(self.server.endpoint, support.SEED) as proxy:
            proxy.add("throttle", operation="BatchWriteItem", table="goods", first=2, every=3, count=2)
            self.run_aws("migrate", "--log-file", "run.log", "shop.db", self.uri(proxy.endpoint))
            hits = proxy.hits["throttle"]
            self.assertGreater(hits, 0)
            self.assertEqual(self.retries(".transhume"), {"goods": hits, "people": 0})
        with FaultProxy(self.server.endpoint, support.SEED) as proxy:
            proxy.add("throttle", operation="Scan", table="goods", first=3, every=2)
            proxy.add("short_page", limit=20)
            self.run_aws("migrate", "--state", "back", self.uri(proxy.endpoint), "jsonl:out")
            counted = self.retries("back")
            self.assertEqual(counted["people"], 0)
            self.assertGreater(counted["goods"], 3)  # what was asked before the copy is not the table's
            self.assertLessEqual(counted["goods"], proxy.hits["throttle"])
        self.assertEqual(len(items.scan(self.client, "goods")), 200)

    def retries(self, folder):
        with open(self.path(folder, "report.json"), encoding="utf-8") as file:
            return {one["name"]: one["retries"] for one in json.load(file)["entities"]
                    if one["name"] in ("goods", "people")}


if __name__ == "__main__":
    unittest.main()
