"""
A right that is withdrawn in mid-run: what is in the ledger by then ends with 3 and a word of what goes on, and does so
once the right is back.
"""
import os
import signal
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import postgres
import support

ROWS = 1000
SCRIPT = ("CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT); WITH RECURSIVE n(i) AS "
          "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO herd SELECT i, 'wool ' || i FROM n" % ROWS)
CONTENTS = "SELECT count(*), count(DISTINCT id), sum(id), max(wool) FROM herd"
EXPECTED = [ROWS, ROWS, ROWS * (ROWS + 1) // 2, "wool 999"]


class WithdrawnRight:
    """
    Brings: let(out), forbid(out), goes_back(allowed): the account may read the source, write the target; have its
    records taken out.
    """
    SCHEME = ""

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        support.make_sqlite(self.path("herd.db"), SCRIPT)

    def uri(self):
        return "%s://mover@127.0.0.1:%d/%s" % (self.SCHEME, self.server.port, self.name)

    def refused(self, rule, forbid, *arguments):
        process = self.stopped_at(rule, *arguments)
        forbid()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], r"\[permission\]$")
        return result

    def cut_off(self, out):
        pair = (self.uri(), "sqlite:copy.db") if out else ("herd.db", self.uri())
        self.let(out)
        result = self.refused("engine.after_commit:stop:3", lambda: self.forbid(out), "migrate", "--chunk-rows", "100",
                              "--jobs", "1", *pair)
        self.assertRegex(result.err, "`transhume resume[^`]*` continues")
        again = support.transhume("resume", *pair, cwd=self.folder)
        self.assertIn(again.code, (2, 3), again.err)
        self.assertRegex(again.err, r"(?m)^error: .* \[permission\]$")
        self.let(out)
        resumed = support.transhume("resume", *pair, cwd=self.folder)
        # 1: nobody knows that the source did not change
        self.assertIn(resumed.code, (0, 1) if out else (0,), resumed.err)

    def test_of_a_target(self):
        self.cut_off(False)
        self.assertEqual(self.server.ask(self.name, CONTENTS), [list(map(str, EXPECTED))])

    def test_of_a_source(self):
        self.run_program("migrate", "--state", "there", "herd.db", self.server.uri(self.name))
        self.cut_off(True)
        with support.open_sqlite(self.path("copy.db")) as database:
            self.assertEqual(list(database.execute(CONTENTS).fetchone()), [*EXPECTED[:3], EXPECTED[3].encode()])

    def test_of_a_rollback(self):
        """It has begun by then, and the same command goes on with it."""
        self.let(False)
        self.run_program("migrate", "herd.db", self.uri())
        run = support.json.loads(self.run_program("status", "--json").out)["run"]
        command = ("rollback", "--run", run, "--confirm")
        result = self.refused("rollback.before_table:stop:1", lambda: self.forbid(False), *command)
        self.assertIn("`transhume rollback --run %s --confirm` continues" % run, result.err)
        self.assertIn("rollback", self.run_program("status").out)
        self.let(False)
        self.run_program(*command)
        self.assertEqual(self.tables(), [])

    def test_of_a_finish(self):
        """Two runs, of which one is forgotten by then."""
        self.let(False)
        self.run_program("migrate", "herd.db", self.uri())
        self.run_program("migrate", "--existing", "upsert", "--state", "second", "herd.db", self.uri())
        command = ("finish", "--confirm", "--state", "second")
        result = self.refused("finish.before_forget:stop:2", lambda: self.forbid(False), *command)
        self.assertIn("the same command continues once that is fixed", result.err)
        self.let(False)
        self.run_program(*command)
        self.assertEqual([name for name in self.tables(own=True) if "_transhume" in name], [])


class Postgres(WithdrawnRight, support.TestCase):
    SCHEME = "postgres"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)
        cls.server.psql("postgres",
                        "CREATE ROLE mover LOGIN; CREATE ROLE owner; GRANT owner TO mover WITH ADMIN OPTION")

    def let(self, out):
        if out:
            self.server.psql(self.name, "GRANT SELECT ON herd TO mover")
            return
        self.server.psql(self.name,
                         "GRANT CREATE, USAGE ON SCHEMA public TO mover; GRANT TEMPORARY ON DATABASE %s TO mover"
                         % self.name)
        self.own("mover")

    def own(self, role):
        """Who owns a table may do anything to it."""
        for table in self.tables(own=True):
            self.server.psql(self.name, 'ALTER TABLE "%s" OWNER TO %s' % (table, role))

    def forbid(self, out):
        self.own("postgres") if not out else self.server.psql(self.name, "REVOKE SELECT ON herd FROM mover")

    def tables(self, own=False):
        rows = self.server.psql(self.name,
                                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                                "'public'::regnamespace")
        return sorted(name for name, in rows if own or "_transhume" not in name)


class Mysql(WithdrawnRight, support.TestCase):
    SCHEME = "mysql"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.server.ask("", "CREATE USER mover@'127.0.0.1'; CREATE USER mover@localhost")

    def each(self, statement):
        for host in ("127.0.0.1", "localhost"):
            self.server.ask("", statement % {"name": self.name, "mover": "mover@'%s'" % host})

    def let(self, out):
        self.each("GRANT SELECT ON `%(name)s`.herd TO %(mover)s" if out else "GRANT ALL ON `%(name)s`.* TO %(mover)s")

    def forbid(self, out):
        """Those of a table are asked for by each statement, those of a database when a connection is made."""
        if out:
            self.each("REVOKE SELECT ON `%(name)s`.herd FROM %(mover)s")
            return
        self.each("REVOKE INSERT, DELETE, DROP ON `%(name)s`.* FROM %(mover)s")
        for number, in self.server.ask("", "SELECT id FROM information_schema.processlist WHERE user = 'mover'"):
            self.server.ask("", "KILL %s" % number)

    def tables(self, own=False):
        return [name for name, in self.server.ask(self.name, "SHOW TABLES") if own or "_transhume" not in name]


if __name__ == "__main__":
    unittest.main()
