"""The report: what it holds, that it is the same each time, that nothing in it can be more than text."""
import html
import html.parser
import json
import os
import re
import signal
import stat
import unittest

import refusals
import support

PLAN = """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  people: { key: { partition: Mail }, entities: { customer: { from: customer, fields: { Mail: "{mail}", "*": copy } } } }
"""


class Page(html.parser.HTMLParser):
    """What a browser would see: elements, their attributes, the text outside of style."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())


class ReportCase(refusals.TestCase):
    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def page(self, folder=".transhume"):
        return Page(self.read(folder, "report.html"))

    def report(self, folder=".transhume"):
        return json.loads(self.read(folder, "report.json"))

    def forms(self, folder=".transhume"):
        return {name: self.read(folder, "report." + name) for name in ("html", "md", "json")}


class Contents(ReportCase):
    def setUp(self):
        super().setUp()
        self.shop()

    def test_a_run_that_is_done(self):
        result = self.run_program("migrate", "--chunk-rows", "20", "--no-express", "shop.db", "copy.db")
        self.assertIn("report: .transhume/report.html\n", result.out)
        report, counts = self.report(), support.sqlite_counts(self.path("shop.db"))
        self.assertEqual(report["verdict"], "done")
        self.assertEqual({e["name"]: (e["made"], e["written"], e["rejected"], e["skipped"])
                          for e in report["entities"]},
                         {name: (rows, rows, 0, 0) for name, rows in counts.items()})
        self.assertEqual(report["sum"]["written"], sum(counts.values()))
        self.assertEqual(report["guarantee"], "exactly once")
        self.assertEqual(report["snapshot"], "one")
        self.assertIsNone(report["plan"])
        chunks = report["chunks"]
        self.assertEqual(chunks["total"], chunks["done"])
        self.assertEqual(sum(s["total"] for s in chunks["streams"]), chunks["total"])
        self.assertGreaterEqual(chunks["total"], sum(rows // 20 for rows in counts.values()))
        self.assertEqual(report["throughput"][-1]["written"], sum(counts.values()))
        self.assertEqual(report["settings"]["chunk_rows"], 20)
        page = self.page()
        for name, rows in counts.items():
            self.assertRegex(page.text, r"%s ?%d" % (name, rows))
        self.assertIn("exactly once", page.text)
        self.assertEqual(sum(1 for tag, _ in page.elements if tag == "rect"), chunks["total"])
        markdown = self.read(".transhume", "report.md")
        for name, rows in counts.items():
            self.assertIn("| %s | %s | %d | %d | 0 | 0 | 0 |" % (name, name, rows, rows), markdown)

    def test_modes_of_the_files(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        self.run_program("migrate", "shop.db", "copy.db")
        self.run_program("report", "-o", "else.html")
        for name in ["report.html", "report.md", "report.json", "metrics.jsonl", "chunks.jsonl"]:
            self.assertEqual(stat.S_IMODE(os.stat(self.path(".transhume", name)).st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("else.html")).st_mode), 0o600)

    def test_the_same_state_makes_the_same_report(self):
        self.write("plan.yaml", PLAN.replace('"{mail}"', '"{name}"'))
        self.run_program("migrate", "--plan", "plan.yaml")
        at_the_end = self.forms()
        for name in at_the_end:
            os.remove(self.path(".transhume", "report." + name))
        result = self.run_program("report")
        self.assertEqual(result.out, "wrote .transhume/report.html, report.md and report.json\n")
        self.assertEqual(self.forms(), at_the_end)
        self.assertEqual(self.run_program("report", "--json").out, at_the_end["json"])
        self.assertEqual(self.run_program("report", "-o", "-").out, at_the_end["html"])
        for name, text in at_the_end.items():
            self.run_program("report", "-o", "other." + name)
            self.assertEqual(self.read("other." + name), text)

    def test_rejects(self):
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id % 4 = 0;")
        self.write("plan.yaml", PLAN)
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        report = self.report()
        self.assertEqual(report["verdict"], "done, with rejects")
        self.assertEqual(report["rejects"]["reasons"],
                         [{"entity": "customer", "table": "people", "code": "key-null", "records": 10}])
        self.assertEqual(report["rejects"]["read"], 10)
        sample = report["rejects"]["samples"][0]
        lines = self.read(".transhume", "rejects", sample["file"]).splitlines()
        reject = json.loads(lines[sample["line"] - 1])
        self.assertEqual(json.loads(sample["record_text"]), reject["record"])
        self.assertEqual(json.loads(sample["key_text"]), reject["key"])
        self.assertEqual(sample["reason"], reject["reason"])
        text = self.page().text
        self.assertIn("10 records were rejected", text)
        self.assertIn("transhume migrate --rejects FILE", text)
        self.assertIn('"name":"Customer 4"', text)
        self.assertIn("key-null", self.read(".transhume", "report.md"))

    def test_warnings(self):
        """Each once, with how often it came, and as text; the log is of all attempts."""
        support.make_sqlite(self.path("loose.db"), "CREATE TABLE p(id INTEGER PRIMARY KEY);"
                            'CREATE TABLE "<script>c"(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id)); '
                            'INSERT INTO p VALUES (1);'
                            'INSERT INTO "<script>c" VALUES (1, 1), (2, 5), (3, NULL)')
        result = self.run_program("migrate", "loose.db", "copy.db")
        told = [line[len("warning: "):] for line in result.err.splitlines() if line.startswith("warning: ")]
        self.assertEqual(told, ["table <script>c, rowid 2: its foreign key finds no row in p",
                                "table <script>c: 1 row breaks a foreign key"])
        warnings = self.report()["warnings"]
        self.assertEqual([(w["message"], w["count"]) for w in warnings], [(message, 1) for message in told])
        self.assertLessEqual(self.report()["started_at"], warnings[0]["at"])
        page, markdown = self.page(), self.read(".transhume", "report.md")
        for message in told:
            self.assertIn(message, page.text)
        self.assertNotIn("script", {tag for tag, _ in page.elements})
        self.assertEqual([html.unescape(line[2:]) for line in markdown.splitlines() if line.startswith("- table")],
                         told)
        self.assertNotIn("<script>", markdown)

        events = self.read(".transhume", "events.jsonl")
        line = next(line for line in events.splitlines() if "breaks" in line)
        # torn at its end
        self.write(os.path.join(".transhume", "events.jsonl"), events + line + "\n" + line + "\n" + line[:-2])
        self.run_program("report")
        self.assertEqual([w["count"] for w in self.report()["warnings"]], [1, 3])
        self.assertIn("breaks a foreign key (3 times)", self.page().text)

    def test_of_many_warnings_the_first(self):
        self.run_program("migrate", "shop.db", "copy.db")
        self.assertEqual(self.report()["warnings"], [])
        self.assertIn("Nothing was warned of.", self.page().text)
        self.assertNotIn("Warnings", self.read(".transhume", "report.md"))
        stamp = "2026-01-31T23:59:59.123Z"
        others = [{"level": "info", "text": "warning: quoted"}, {"level": "warning"},
                  {"level": "warning", "at": 5, "text": "x"}, ["warning"], "warning", None]
        lines = [json.dumps(other) for other in others] + ["nonsense", "\0", ""] + [
            json.dumps({"at": stamp, "level": "warning", "kind": "message", "text": "number %d" % i})
            for i in [*range(130), 129]]
        self.write(os.path.join(".transhume", "events.jsonl"), "".join(line + "\n" for line in lines))
        self.run_program("report")
        report = self.report()
        self.assertEqual([w["message"] for w in report["warnings"]], ["number %d" % i for i in range(100)])
        self.assertEqual({w["at"] for w in report["warnings"]}, {stamp})
        self.assertEqual(report["warnings_left_out"], 31)
        self.assertIn("And 31 more: events.jsonl has them.", self.page().text)
        self.assertIn("And 31 more: events.jsonl has them.", self.read(".transhume", "report.md"))
        os.remove(self.path(".transhume", "events.jsonl"))
        self.run_program("report")
        self.assertEqual(self.report()["warnings"], [])

    def test_what_is_left_after_a_validation(self):
        """`finish` wants each record compared: what looked at less is not all there is to do."""
        self.run_program("migrate", "shop.db", "copy.db")
        for level in ("count", "sample", "hash", "full"):
            self.run_program("validate", "--level", level)
            told = " ".join(self.report()["next"])
            self.assertEqual(("transhume validate" in told, "Nothing is left" in told),
                             (level in ("count", "sample"), level in ("hash", "full")), told)
            finished = support.transhume("finish", cwd=self.folder)
            self.assertEqual("was not validated" in finished.err, level in ("count", "sample"), finished.err)

    def test_a_run_that_failed_and_one_resumed(self):
        arguments = ["--chunk-rows", "20", "--jobs", "1", "--no-express", "shop.db", "copy.db"]
        self.run_program("migrate", *arguments, code=3, env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:4"})
        report = self.report()
        self.assertEqual(report["verdict"], "failed")
        self.assertEqual(report["chunks"]["done"], 3)
        self.assertIn("transhume resume", " ".join(report["next"]))
        self.assertEqual(report["errors"][0]["code"], "internal")
        self.assertIn("this failpoint was asked to fail", self.page().text)
        self.run_program("resume", *arguments[:-2])
        report = self.report()
        self.assertEqual(report["verdict"], "done")
        self.assertEqual([a["end"] for a in report["attempts"]], ["failed", "completed"])
        self.assertEqual(report["chunks"]["done"], report["chunks"]["total"])
        self.assertEqual(sorted({s["attempt"] for s in report["throughput"]}), [1, 2])
        written = [s["written"] for s in report["throughput"] if s["attempt"] == 2]
        self.assertEqual(written, sorted(written))
        self.assertEqual(written[0], 60)

    def test_a_chunk_that_was_tried_again(self):
        self.run_program("migrate", "--chunk-rows", "20", "--jobs", "1", "--no-express", "shop.db", "copy.db",
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:retry:2"})
        report = self.report()
        self.assertEqual(report["chunks"]["tried_again"], 1)
        self.assertGreaterEqual(report["retries"], 1)
        again = [a for tag, a in self.page().elements if tag == "rect" and "again" in a["class"].split()]
        self.assertEqual(len(again), 1)

    def test_interrupted(self):
        process = self.stopped("migrate", "--jobs", "1", "--chunk-rows", "10", "--no-express", "shop.db", "copy.db",
                               failpoint="engine.after_commit", occurrence=3)
        at_work = json.loads(self.run_program("report", "--json").out)
        self.assertEqual(at_work["verdict"], "in progress")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 4)
        self.assertEqual(self.report()["verdict"], "interrupted")
        self.assertIn("transhume resume", self.page().text)

    def test_killed(self):
        result = support.kill_at("engine.after_commit", 5, "migrate", "--jobs", "1", "--chunk-rows", "10",
                                 "--no-express",
                                 "shop.db", "copy.db", cwd=self.folder)
        self.assert_code(result, -9)
        self.assertFalse(os.path.exists(self.path(".transhume", "report.html")))
        self.run_program("report")
        self.assertEqual(self.report()["verdict"], "stopped")
        self.run_program("resume")
        self.assertEqual(self.report()["chunks"]["done"], self.report()["chunks"]["total"])

    def test_a_lost_state_folder_is_reported_from_the_ledger(self):
        arguments = ["--chunk-rows", "20", "--no-express", "shop.db", "copy.db"]
        self.run_program("migrate", *arguments)
        before = self.report()
        support.shutil.rmtree(self.path(".transhume"))
        self.refused("report", code=2, name="run-nothing", says=["nothing to report"])
        self.run_program("resume", *arguments)
        after = self.report()
        for report in (before, after):  # marks are made before the commit, so times differ by it
            del report["chunks"]["slowest"]
            for part in report["entities"] + report["chunks"]["streams"]:
                del part["seconds"]
        for name in ("sum", "entities", "chunks", "run", "guarantee", "attempts"):
            self.assertEqual(after[name], before[name], name)

    def test_earlier_runs(self):
        self.run_program("migrate", "shop.db", "copy.db")
        first, forms = self.report()["run"], self.forms()
        self.run_program("migrate", "shop.db", "copy2.db")
        second = self.report()["run"]
        self.assertEqual(self.forms(os.path.join(".transhume", "runs", first)), forms)
        self.assertEqual(self.run_program("report", "--run", first, "-o", "-").out, forms["html"])
        self.assertEqual(json.loads(self.run_program("report", "--run", second, "--json").out)["run"], second)
        self.refused("report", "--run", "20200101T000000Z-000000", code=2, name="run-nothing", says=["no run"])
        for bad in ("../" + first, ".", "..", "", "a/b"):
            self.refused("report", "--run", bad, code=2, name="bad-value")

    def test_bad_usage(self):
        self.refused("report", code=2, name="run-nothing", says=["no run began here"])
        self.run_program("migrate", "shop.db", "copy.db")
        self.refused("report", "-o", "shop.db", code=2, name="usage", says=["shop.db"], unharmed=[self.path("shop.db")])
        self.refused("report", "-o", "nowhere/report.html", code=2, name="usage")

    def test_damaged_parts_are_left_out(self):
        self.run_program("migrate", "--chunk-rows", "20", "--no-express", "shop.db", "copy.db")
        whole = self.report()
        for name, contents in (("chunks.jsonl", "nonsense\n"), ("metrics.jsonl", "{\n\0\n"),
                               ("validation.json", "{\"ok\":"),
                               ("chunks.jsonl", '{"format":1,"run":"x","streams":[]}\n')):
            with self.subTest(name=name):
                path = self.path(".transhume", name)
                kept = open(path, encoding="utf-8").read() if os.path.exists(path) else None
                self.write(os.path.join(".transhume", name), contents)
                self.run_program("report")
                self.assertEqual(self.report()["sum"], whole["sum"])
                os.remove(path)
                self.run_program("report")
                self.assertEqual(self.report()["sum"], whole["sum"])
                if kept is not None:
                    self.write(os.path.join(".transhume", name), kept)
        self.run_program("report")
        self.assertEqual(self.report(), whole)
        self.write(os.path.join(".transhume", "state.json"), "{")
        self.refused("report", code=5, name="state-invalid")
        self.write(os.path.join(".transhume", "state.json"), '{"format": 99}')
        self.refused("report", code=5, name="format-newer", hint=False)

    def test_what_validate_found(self):
        self.run_program("migrate", "--no-express", "shop.db", "copy.db")
        self.run_program("validate", "--level", "full", "shop.db", "copy.db")
        self.assertIn("No difference was found, at level full", self.page().text)
        self.assertTrue(self.report()["validation"]["ok"])
        support.make_sqlite(self.path("copy.db"), "UPDATE customer SET name = '<script>1</script>' WHERE id = 7;"
                            "DELETE FROM invoice WHERE id = 9;")
        self.run_program("validate", "--level", "full", "shop.db", "copy.db", code=1)
        page = self.page()
        self.assertIn("Differences were found, at level full", page.text)
        self.assertIn("missing invoice", page.text)
        self.assertRegex(page.text, "different customer .*name: \"Customer 7\" in the source, "
                         "\"<script>1</script>\" in the target")
        self.assertNotIn("script", {tag for tag, _ in page.elements})
        self.assertEqual(self.report()["verdict"], "done, but differs")
        self.assertIn("validate --repair", " ".join(self.report()["next"]))

    def test_keys_with_a_nul_in_them(self):
        support.make_sqlite(self.path("nul.db"),
                            "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('a' || char(0) || 'b', 1)")
        self.run_program("migrate", "nul.db", "copy.db")
        support.make_sqlite(self.path("copy.db"), "UPDATE t SET v = 2")
        result = self.run_program("validate", "nul.db", "copy.db", code=1)
        self.assertNotIn("damaged", result.err)
        self.assertIn("a\\u0000b", self.page().text)
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            self.assertIn("u0000b", file.read())
        self.assertEqual(self.report()["validation"]["records"][0]["key"], {"k": "a\0b"})

    def test_what_would_become_a_link_in_markdown(self):
        support.make_sqlite(self.path("links.db"), "CREATE TABLE 'https://evil.test'(id INTEGER PRIMARY KEY); "
                            "CREATE TABLE 'MailTo:www.a@evil.test'(id INTEGER PRIMARY KEY)")
        self.run_program("migrate", "--no-express", "sqlite:links.db", "copy.db")
        markdown = self.read(".transhume", "report.md")
        self.assertIn("https&#58;//evil.test", markdown)
        self.assertIn("MailTo&#58;www&#46;a&#64;evil.test", markdown)
        self.assertTrue(markdown.startswith("# sqlite:"), markdown[:40])

    def test_validation(self):
        self.run_program("migrate", "--no-express", "shop.db", "copy.db")
        self.write(os.path.join(".transhume", "validation.json"), json.dumps({
            "ok": False, "level": "full",
            "entities": [{"name": "customer", "source": 40, "target": 39, "missing": 1, "different": 2, "extra": 3}],
            "records": [{"entity": "customer", "key": "7", "kind": "<b>"}]}))
        self.run_program("report")
        text = self.page().text
        self.assertIn("Differences were found, at level full", text)
        self.assertRegex(text, r"customer ?40 ?39 ?1 ?2 ?3")
        self.assertIn("<b>", text)
        self.assertIn("validate --repair", text)
        self.assertEqual(self.report()["validation"]["entities"][0]["missing"], 1)


class OfOtherRuns(ReportCase):
    """What was taken back, is being taken back, or repaired: what to do next is another thing than after a copy."""

    WHERE = ("-q", "--chunk-rows", "20", "--no-express")

    def setUp(self):
        super().setUp()
        self.shop()

    def migrated(self, *arguments):
        self.run_program("migrate", *self.WHERE, *arguments, "shop.db", "copy.db")
        return self.report()["run"]

    def assert_words(self, folder, verdict, wanted, unwanted=("resume", "empty it", "no ledger", "finish")):
        """All three forms say the verdict, each of `wanted` as a next step, and nothing of what would do harm."""
        report = self.report(folder)
        self.assertEqual(report["verdict"], verdict)
        steps = " ".join(report["next"])
        markdown = self.read(folder, "report.md")
        for text in wanted:
            self.assertIn(text, steps)
            self.assertIn("`%s`" % text, markdown)
            self.assertIn(text, self.page(folder).text)
        for text in unwanted:
            self.assertNotIn(text, steps)
        self.assertIn("**%s**" % verdict, markdown)
        pills = [a for tag, a in self.page(folder).elements if "pill" in a.get("class", "").split()]
        self.assertEqual(len(pills), 1)
        self.assertIn(verdict, self.page(folder).text)

    def test_rolled_back(self):
        for broken_off in (False, True):
            with self.subTest(broken_off=broken_off):
                run = self.migrated()
                folder = os.path.join(".transhume", "runs", run)
                if broken_off:
                    support.kill_at("rollback.before_table", 1, "rollback", "--run", run, "--confirm", cwd=self.folder)
                    # as the killed process left it, and made again
                    for verdict in ("being rolled back", "rollback interrupted"):
                        self.assert_words(".transhume", verdict, ["transhume rollback --run %s --confirm" % run])
                        self.run_program("report")
                self.run_program("rollback", "--run", run, "--confirm")
                self.assertFalse(os.path.exists(self.path("copy.db")))
                self.assert_words(folder, "rolled back", ["transhume migrate"])
                forms = self.forms(folder)
                self.run_program("report", "--run", run)
                self.assertEqual(self.forms(folder), forms)
                self.assertEqual(json.loads(self.run_program("report", "--run", run, "--json").out)["status"],
                                 "rolled_back")

    def test_an_older_run_rolled_back(self):
        run = self.migrated()
        self.run_program("migrate", *self.WHERE, "shop.db", "other.db")
        other = self.forms()
        folder = os.path.join(".transhume", "runs", run)
        support.kill_at("rollback.before_table", 1, "rollback", "--run", run, "--confirm", cwd=self.folder)
        self.run_program("report", "--run", run)
        self.assert_words(folder, "rollback interrupted", ["transhume rollback --run %s --confirm" % run])
        self.run_program("rollback", "--run", run, "--confirm")
        self.assert_words(folder, "rolled back", ["transhume migrate"])
        self.assertEqual(self.forms(), other)

    def test_rolled_back_from_another_state_folder(self):
        run = self.migrated()
        self.run_program("rollback", "--state", "other", "--run", run, "copy.db", "--confirm")
        self.run_program("report", "--state", "other", "--run", run)
        self.assert_words(os.path.join("other", "runs", run), "rolled back", ["transhume migrate"])

    def repaired(self):
        copy = self.migrated()
        support.make_sqlite(self.path("copy.db"),
                            "UPDATE customer SET name = 'other' WHERE id = 7; DELETE FROM invoice WHERE id = 9;")
        self.run_program("validate", "--repair", "shop.db", "copy.db")
        report = self.report()
        self.assertNotEqual(report["run"], copy)
        return report

    def test_a_repair(self):
        report = self.repaired()
        self.assertEqual((report["kind"], report["status"], report["verdict"]), ("repair", "completed", "done"))
        self.assertEqual({e["name"]: e["written"] for e in report["entities"] if e["written"]},
                         {"customer": 1, "invoice": 1})
        self.assert_words(".transhume", "done", ["transhume validate"], unwanted=["resume", "empty it", "migrate"])
        self.assertIn("report: repair", self.page().text)

    def test_what_a_repair_deleted_and_which_run_it_repaired(self):
        copy = self.migrated()
        support.make_sqlite(self.path("copy.db"),
                            "INSERT INTO customer (id, name) VALUES (701, 'x'), (702, 'y'); "
                            "DELETE FROM line WHERE invoice_id = 9;")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        repair = self.report()
        self.assertEqual((repair["repairs"], repair["deleted"]), (copy, {"customer": 2}))
        link = "runs/%s/report.html" % copy
        self.assertIn({"href": link}, [attributes for tag, attributes in self.page().elements if tag == "a"])
        self.assertTrue(os.path.exists(self.path(".transhume", link)))
        self.assertIn("Deleted: 2 records of customer", self.page().text)
        self.assertIn("- It repairs run %s." % copy, self.read(".transhume", "report.md"))
        shown = self.run_program("status").out
        self.assertIn("repairs  run %s (`transhume report --run %s` is about it)" % (copy, copy), shown)
        self.assertIn("deleted  2 records of customer", shown)
        self.run_program("migrate", *self.WHERE, "shop.db", "third.db")
        self.run_program("report", "--run", repair["run"])
        self.assertIn('href="../%s/report.html"' % copy, self.read(".transhume", "runs", repair["run"], "report.html"))

    def test_a_repair_that_was_killed(self):
        self.migrated()
        support.make_sqlite(self.path("copy.db"), "UPDATE customer SET name = 'other' WHERE id = 7")
        result = support.kill_at("engine.before_commit", 1, "validate", "--repair", "shop.db", "copy.db",
                                 cwd=self.folder)
        self.assert_code(result, -9)
        self.run_program("report")
        self.assertEqual(self.report()["kind"], "repair")
        self.assert_words(".transhume", "stopped", ["transhume resume"], unwanted=["empty it", "migrate"])

    def test_a_repair_rolled_back(self):
        run = self.repaired()["run"]
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertEqual(self.report(os.path.join(".transhume", "runs", run))["kind"], "repair")
        self.assert_words(os.path.join(".transhume", "runs", run), "rolled back", ["transhume validate"],
                          unwanted=["resume", "empty it", "finish", "migrate"])


if __name__ == "__main__":
    unittest.main()
