"""A password that is changed while a run has connections of its own: those that come later are refused."""
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
HBA = """
local all all trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


class ChangedPassword:
    """The connections that there are break once it is changed: each that is made again is refused."""
    SCHEME = VARIABLE = ""
    SAID_OF_SOURCE = SAID = r"\[credentials\]$"

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.set_password("first")
        support.make_sqlite(self.path("herd.db"),
                            "CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT); WITH RECURSIVE n(i) AS "
                            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO herd SELECT i, "
                            "'wool ' || i FROM n" % ROWS)

    def set_password(self, password):
        raise NotImplementedError

    def end_sessions(self):
        raise NotImplementedError

    def run_with(self, command, password, uri, out, *options, code=0):
        return self.run_program(command, *options, *self.between(uri, out), code=code, env={self.VARIABLE: password})

    def between(self, uri, out):
        return (uri, "sqlite:copy.db") if out else ("herd.db", uri)

    def changed(self, out):
        uri = "%s://mover@127.0.0.1:%d/%s" % (self.SCHEME, self.server.port, self.name)
        process = self.stopped_at("engine.after_commit:stop:3", "migrate", "--chunk-rows", "100", "--jobs", "2",
                                  *self.between(uri, out),
                                  env={self.VARIABLE: "first"})
        self.set_password("second")
        self.end_sessions()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], self.SAID_OF_SOURCE if out else self.SAID)
        self.assertRegex(result.err, "`transhume resume[^`]*` continues")
        self.assertNotIn("first", result.err)
        refused = self.run_with("resume", "first", uri, out, code=2)
        self.assertRegex(refused.err, r"(?m)^error: .* \[credentials\]$")
        resumed = support.transhume("resume", *self.between(uri, out), cwd=self.folder, env={self.VARIABLE: "second"})
        # 1: nobody knows that the source did not change
        self.assertIn(resumed.code, (0, 1) if out else (0,), resumed.err)
        return uri

    def test_of_a_target(self):
        self.changed(False)
        self.assertEqual(self.server.ask(self.name,
                                         "SELECT count(*), count(DISTINCT id), sum(id), max(wool) FROM herd"),
                         [[str(ROWS), str(ROWS), str(ROWS * (ROWS + 1) // 2), "wool 999"]])

    def test_of_a_source(self):
        self.run_program("migrate", "--state", "there", "herd.db", self.server.uri(self.name))
        self.grant()
        self.changed(True)
        with support.open_sqlite(self.path("copy.db")) as database:
            self.assertEqual(database.execute(
                "SELECT count(*), count(DISTINCT id), sum(id), max(wool) FROM herd").fetchall(),
                             [(ROWS, ROWS, ROWS * (ROWS + 1) // 2, b"wool 999")])


class Postgres(ChangedPassword, support.TestCase):
    SCHEME, VARIABLE = "postgres", "PGPASSWORD"
    SAID_OF_SOURCE = r"\[credentials\]$|the snapshot is lost.*\[source-read\]$"   # whichever is noticed first

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, hba=HBA)
        cls.server.psql("postgres", "CREATE ROLE mover LOGIN")

    def set_password(self, password):
        self.server.psql(self.name,
                         "ALTER ROLE mover PASSWORD '%s'; ALTER DATABASE %s OWNER TO mover; "
                         "GRANT ALL ON SCHEMA public TO mover"
                         % (password, self.name))

    def grant(self):
        self.server.psql(self.name, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO mover")

    def end_sessions(self):
        self.assertGreater(len(self.server.psql(self.name,
                                                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename "
                                                "= 'mover'")), 0)


class Mysql(ChangedPassword, support.TestCase):
    SCHEME, VARIABLE = "mysql", "MYSQL_PWD"
    SAID_OF_SOURCE = r"no connection within the snapshot.*\[source-read\]$"   # what is made anew would be another one

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.server.ask("", "CREATE USER mover@'127.0.0.1'; CREATE USER mover@localhost")

    def set_password(self, password):
        for host in ("127.0.0.1", "localhost"):
            self.server.ask("", "SET PASSWORD FOR mover@'%s' = PASSWORD('%s'); GRANT ALL ON `%s`.* TO mover@'%s'"
                            % (host, password, self.name, host))

    def grant(self):
        """It has all."""

    def end_sessions(self):
        sessions = self.server.ask("", "SELECT id FROM information_schema.processlist WHERE user = 'mover'")
        self.assertGreater(len(sessions), 0)
        self.server.ask("", "".join("KILL %s;" % number for number, in sessions))


if __name__ == "__main__":
    unittest.main()
