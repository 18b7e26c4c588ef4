"""kill -9 at failpoints of `transhume change` on MariaDB and MySQL, then the command again: schema and rows end as
those of an undisturbed run,
and nobody had to lend a hand. Then the server's own death."""
import os
import re
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import mariadb
import mysql
import sql_case
import support
import taking_back

CASES = 2   # of a kind and an act
TABLES = ("CREATE TABLE top (id int PRIMARY KEY); INSERT INTO top VALUES (1), (2);"
          "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL, n int NOT NULL, top int, "
          "KEY by_n (n), CONSTRAINT up FOREIGN KEY (top) REFERENCES top (id));"
          "INSERT INTO t (name, n, top) WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) "
          "SELECT concat('row ', i), i, i %% 2 + 1 FROM s;"
          "CREATE TABLE low (id int PRIMARY KEY, t int, CONSTRAINT down FOREIGN KEY (t) REFERENCES t (id)); "
          "INSERT INTO low VALUES (1, 1), (2, 2);"
          "CREATE TABLE plain (id int PRIMARY KEY, a varchar(20), b int, KEY by_b (b)); INSERT INTO plain SELECT id, "
          "name, n FROM t").replace("%%", "%")
KINDS = {
    "shadow": ["alter: {table: t, with: 'MODIFY name varchar(300) NOT NULL, MODIFY n bigint NOT NULL, "
               "ADD COLUMN z int NOT NULL DEFAULT 1', way: shadow}"],
    "copied": ["alter_column: {table: plain, column: a, type: int, up: 'id + b', down: 'cast(a as char)'}",
               "rename_column: {table: plain, from: b, to: c}"],
    "in_place": ["add_column: {table: plain, column: {name: z, type: int, nullable: true}}",
                 "create_index: {table: plain, name: by_a, columns: [{column: a}]}",
                 "drop_column: {table: t, column: top}", "drop_constraint: {table: t, name: up}",
                 "create_constraint: {table: plain, name: link, type: foreign_key, columns: [id], "
                 "references: {table: t, column: id}}"],
    "tables": ["create_table: {name: pets, columns: [{name: id, type: int, pk: true}]}",
               "rename_table: {from: plain, to: fancy}", "drop_table: {name: low}"],
}


class KillChange:
    one_database_each = True

    def setUp(self):
        super().setUp()
        self.folders = 0

    def new(self, kind):
        self.folders += 1
        folder = self.path("%s%d" % (kind, self.folders))
        os.mkdir(folder)
        with open(os.path.join(folder, "001_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n" + "".join("  - %s\n" % operation for operation in KINDS[kind]))
        uri = self.new_target()
        self.ask(TABLES)
        return folder, uri

    def command(self, act, uri):
        words = {"start": ("start", "001_c.change.yaml", uri, "--batch-time", "2ms"), "switch": ("switch", uri),
                 "complete": ("complete", uri, "--confirm"),
                 "abort": ("abort", uri), "abort late": ("abort", uri)}
        return ("change", *words[act])

    def prepare(self, kind, act):
        folder, uri = self.new(kind)
        before = {"start": (), "abort late": ("start", "switch")}.get(act, ("start",))
        for step in before:
            self.assert_code(support.transhume(*self.command(step, uri), cwd=folder), 0)
        return folder, uri

    def dump(self):
        tables = sorted(row[0] for row in self.ask("SHOW TABLES") if not row[0].startswith("_transhume_schema"))
        bare = lambda text: re.sub(r" AUTO_INCREMENT=\d+| DEFINER=`[^`]*`@`[^`]*`", "",
                                   text).replace("`%s`." % self.database, "")
        return ([(name, bare(self.ask("SHOW CREATE TABLE %s" % name)[0][1]),
                  self.ask("SELECT * FROM %s ORDER BY 1" % name)) for name in tables
                 if not name.startswith("_transhume")] + [tables,
                                                          self.ask("SELECT trigger_name, event_object_table FROM "
                                                                   "information_schema.triggers WHERE trigger_schema "
                                                                   "= database() ORDER BY 1")])

    def undisturbed(self, kind, act):
        folder, uri = self.prepare(kind, act)
        result, counts = support.count_failpoints(*self.command(act, uri), cwd=folder)
        self.assert_code(result, 0)
        return self.dump(), counts

    def check(self, folder, uri, act, expected, what):
        # an application goes on
        self.ask("UPDATE t SET name = name WHERE id < 5; INSERT INTO t (name, n) VALUES ('live', 1); "
                 "DELETE FROM t WHERE name = 'live'")
        result = support.transhume(*self.command(act, uri), cwd=folder, time_limit=90)
        over = act in ("complete", "abort", "abort late") and "under way" in result.err
        self.assertTrue(result.code == 0 or over, "%s, then %s:\n%s%s" % (what, act, result.out, result.err))
        self.assertEqual(self.dump(), expected, what)

    def kill_all(self, act, kinds=tuple(KINDS)):
        for kind in kinds:
            expected, counts = self.undisturbed(kind, act)
            for point, _, occurrence in support.drawn(taking_back.occurrences(counts), CASES,
                                                      "%s %s" % (self.id(), kind)):
                folder, uri = self.prepare(kind, act)
                killed = support.kill_at(point, occurrence, *self.command(act, uri), cwd=folder)
                # 0: batches were larger this time
                self.assertIn(killed.code, (-signal.SIGKILL, 0), "%s:%d\n%s" % (point, occurrence, killed.err))
                self.check(folder, uri, act, expected, "%s %s killed at %s:%d" % (kind, act, point, occurrence))

    def test_start(self):
        self.kill_all("start")

    def test_switch(self):
        self.kill_all("switch", ("shadow", "copied"))

    def test_complete(self):
        self.kill_all("complete")

    def test_abort(self):
        self.kill_all("abort")

    def test_late_abort(self):
        self.kill_all("abort late", ("shadow", "copied"))


class KillOnMariadb(sql_case.ServerTarget, KillChange, support.TestCase):
    SERVERS = mariadb


class KillOnMysql(sql_case.ServerTarget, KillChange, support.TestCase):
    SERVERS = mysql


class Death:
    """The server is slain in the middle of a command, and begun again."""
    one_database_each = True

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)
        cls.server.spoiled = True

    def test_death(self):
        for act, failpoint in (("start", "change.before_batch:stop:2"), ("switch", "change.after_statement:stop:4"),
                               ("complete", "change.after_statement:stop:2")):
            folder, uri = self.prepare("shadow", act)
            self.assert_code(support.transhume(*self.command(act, uri), cwd=folder), 0)
            expected = self.dump()
            folder, uri = self.prepare("shadow", act)
            process = self.stopped_at(failpoint, *self.command(act, uri), cwd=folder)
            self.server.slay()
            self.server.start()
            process.send_signal(signal.SIGCONT)
            self.assertIn(support.finish(process, 90).code, (0, 3))
            self.check(folder, uri, act, expected, "%s, the server slain" % act)


class DeathOfMariadb(Death, KillOnMariadb):
    test_start = test_switch = test_complete = test_abort = test_late_abort = None


class DeathOfMysql(Death, KillOnMysql):
    test_start = test_switch = test_complete = test_abort = test_late_abort = None


if __name__ == "__main__":
    unittest.main()
