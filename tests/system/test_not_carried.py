"""
What a copy leaves behind is told where people look: the last lines of a run, `status`, the report; and `--strict`
refuses it.
"""
import contextlib
import json
import os
import sqlite3
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import support

RICH = """
CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER);
CREATE INDEX some ON t (a) WHERE b > 0;
CREATE VIEW v AS SELECT a FROM t;
CREATE VIEW w AS SELECT b FROM t;
CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;
""" + "INSERT INTO t VALUES " + ", ".join("(%d, 'x%d', %d)" % (i, i, i) for i in range(1, 61))
PLAIN = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x');"
SUM = "2 views, 1 trigger, 1 index"


class BetweenEngines(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("rich.db"), RICH)
        support.make_sqlite(self.path("plain.db"), PLAIN)

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def assert_told(self, said):
        self.assertIn("not carried: %s (the report lists them)" % SUM, said)
        self.assertIn("not carried: %s (`transhume report` lists them)" % SUM, self.run_program("status").out)
        report = json.loads(self.read(".transhume", "report.json"))
        self.assertEqual(report["not_carried_sum"], SUM)
        self.assertEqual([(item["kind"], item["object"], item["count"]) for item in report["not_carried"]],
                         [("view", "v", 1), ("view", "w", 1), ("trigger", "g", 1), ("index", "t", 1)])
        page, markdown = self.read(".transhume", "report.html"), self.read(".transhume", "report.md")
        self.assertLess(page.index("<strong>Not carried:</strong> " + SUM), page.index('<h2 id="moved">'))
        self.assertIn("| not carried | %s |" % SUM, markdown)
        for text in (page, markdown):
            self.assertIn("the index some of t is not carried", text)

    def test_it_is_told_where_people_look(self):
        self.assert_told(self.run_program("migrate", "rich.db", "csv:out").out)
        self.assertEqual(json.loads(self.run_program("status", "--json").out)["not_carried"][2]["kind"], "trigger")

    def test_a_run_that_was_killed_tells_it_when_it_is_resumed(self):
        killed = support.kill_at("engine.after_commit", 1, "migrate", "--chunk-rows", "20", "rich.db", "csv:out",
                                 cwd=self.folder)
        self.assert_code(killed, -9)
        self.assert_told(self.run_program("resume").out)

    def test_nothing_is_left_to_do_only_if_nothing_is_left_behind(self):
        for source, state in (("rich.db", "rich"), ("plain.db", "plain")):
            self.run_program("migrate", "--state", state, source, "csv:" + state + ".csv")
            self.run_program("validate", "--state", state)
            steps = " ".join(json.loads(self.read(state, "report.json"))["next"])
            self.assertEqual("Nothing is left to do" in steps, source == "plain.db", steps)
            self.assertEqual("what was not carried is listed below" in steps, source == "rich.db", steps)
            self.assertIn("`transhume finish` drops the ledger", steps)

    def test_nothing_is_said_where_nothing_is_left_behind(self):
        said = json.loads(self.run_program("migrate", "--json", "plain.db", "csv:out").out)
        self.assertEqual(said["not_carried"], [])
        self.assertNotIn("not carried", self.run_program("status").out + self.read(".transhume", "report.html"))

    def test_strict_refuses_a_view(self):
        support.make_sqlite(self.path("view.db"), PLAIN + "CREATE VIEW v AS SELECT a FROM t;")
        for command in (["check"], ["migrate", "--dry-run"], ["migrate"]):
            result = self.run_program(*command, "--strict", "view.db", "csv:out", code=5)
            self.assertIn("the view is not carried", " ".join((result.out + result.err).split()))
        self.assertFalse(os.path.exists(self.path("out")))
        self.run_program("migrate", "--strict", "plain.db", "csv:out")

    def test_a_plan_that_names_its_tables_leaves_nothing_behind(self):
        support.make_sqlite(self.path("view.db"), PLAIN + "CREATE VIEW v AS SELECT a FROM t;")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:view.db\ntarget: csv:out\ntables:\n"
                   "  t: { entities: { t: { from: t, fields: { \"*\": copy } } } }\n"
                   "  v: { entities: { v: { from: v, fields: { \"*\": copy } } } }\n")
        self.assertNotIn("not carried", self.run_program("migrate", "--strict").out)

    def test_corrected_records_leave_nothing_behind(self):
        """What was not carried is told of the copy, not again of each file of rejects."""
        support.make_sqlite(self.path("odd.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE VIEW v AS SELECT 1;"
                            "INSERT INTO t VALUES (1, CAST(x'ff' AS TEXT)), (2, 'y')")
        self.assertIn("not carried: 1 view", self.run_program("migrate", "odd.db", "csv:out", code=1).out)
        name, = os.listdir(self.path(".transhume", "rejects"))
        line = json.loads(self.read(".transhume", "rejects", name))
        line["record"]["a"] = "mended"
        self.write("mended.jsonl", json.dumps(line) + "\n")
        self.assertNotIn("not carried", self.run_program("migrate", "--rejects", "mended.jsonl").out)


SCRIPT = """
CREATE TABLE p (id int PRIMARY KEY, `ON DELETE CASCADE` int UNIQUE);
CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL, q int, r int, s int, `x``y ON UPDATE CASCADE` int,
  CONSTRAINT plain FOREIGN KEY (q) REFERENCES p (id),
  CONSTRAINT `of ``p` FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT odd FOREIGN KEY (`x``y ON UPDATE CASCADE`) REFERENCES p (`ON DELETE CASCADE`) ON DELETE SET NULL,
  CONSTRAINT held FOREIGN KEY (r) REFERENCES p (id) ON DELETE RESTRICT);
CREATE VIEW v AS SELECT id FROM p;
CREATE TRIGGER g BEFORE INSERT ON c FOR EACH ROW SET NEW.s = 1;
CREATE FUNCTION f () RETURNS int DETERMINISTIC RETURN 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM c;
INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1, 1, 1, 1, 1);
"""


class FewRights(support.TestCase):
    """
    MariaDB tells an account with SELECT alone neither of foreign keys' rules nor of triggers, routines and events.
    """

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def account(self, *grants):
        self.name = self.server.database()
        self.server.ask(self.name, SCRIPT)
        self.server.ask("", "CREATE OR REPLACE USER few@127.0.0.1; GRANT SELECT ON %s.* TO few@127.0.0.1" % self.name)
        for grant in grants:
            self.server.ask("", "GRANT %s TO few@127.0.0.1" % grant.replace("DATABASE", self.name))
        return self.server.uri(self.name).replace("//root@", "//few@")

    def test_foreign_keys_are_not_lost(self):
        for user in ("few", "root"):
            with self.subTest(user):
                uri = self.account().replace("//few@", "//%s@" % user)
                self.run_program("migrate", "--quiet", "--state", user, uri, "sqlite:%s.db" % user)
                with contextlib.closing(sqlite3.connect(self.path(user + ".db"))) as db:
                    keys = db.execute("SELECT \"from\", \"table\", \"to\", on_delete, "
                                      "on_update FROM pragma_foreign_key_list('c')").fetchall()
                self.assertEqual(sorted(keys), [
                    ("p", "p", "id", "CASCADE", "CASCADE"), ("q", "p", "id", "NO ACTION", "NO ACTION"),
                    ("r", "p", "id", "NO ACTION", "NO ACTION"),
                    ("x`y ON UPDATE CASCADE", "p", "ON DELETE CASCADE", "SET NULL", "NO ACTION")])

    def test_the_grants_that_are_missing_are_told(self):
        uri = self.account()
        grants = {"trigger": "TRIGGER ON `DATABASE`.*", "event": "EVENT ON `DATABASE`.*",
                  "routine": "SELECT ON mysql.proc"}
        notes = json.loads(self.run_program("check", "--json", uri, "sqlite:x.db").out)["notes"]
        for what, grant in grants.items():
            self.assertIn("%s: the account may not see %ss: GRANT %s TO 'few'@'127.0.0.1'" % (self.name, what,
                grant.replace("DATABASE", self.name)), notes)
        self.assertIn("v: the view is not carried: the account may not read its text: GRANT it SHOW VIEW and SELECT; "
                      "a plan can copy its rows: from: v", notes)
        self.run_program("check", "--strict", uri, "sqlite:x.db", code=5)
        said = self.run_program("migrate", uri, "sqlite:x.db").out
        self.assertIn("not carried: 1 view; not seen: triggers, events, routines", said)
        self.assertIn("not seen: triggers, events, routines", self.run_program("status").out)

    def test_with_the_grants_they_are_seen(self):
        uri = self.account("TRIGGER ON DATABASE.*", "EVENT ON DATABASE.*", "SELECT ON mysql.proc",
                           "SHOW VIEW ON DATABASE.*")
        said = " ".join(self.run_program("migrate", uri, "sqlite:x.db").out.split())
        self.assertNotIn("not seen", said)
        self.assertRegex(said, r"not carried: .*1 function.*1 view.*1 trigger.*1 event")

    def test_rights_that_show_as_much(self):
        for grants in (["TRIGGER ON DATABASE.p", "TRIGGER ON DATABASE.c", "EVENT ON *.*", "EXECUTE ON DATABASE.*"],
                       ["ALL ON DATABASE.*"], ["ALL ON *.*"]):
            with self.subTest(grants=grants):
                self.assertNotIn("may not see", self.run_program("check", self.account(*grants), "sqlite:x.db").out)
        some = self.run_program("check", self.account("TRIGGER ON DATABASE.p", "EVENT ON *.*", "EXECUTE ON DATABASE.*"),
                                "sqlite:x.db").out
        self.assertIn("may not see triggers", some)
        self.assertNotIn("may not see events", some)
