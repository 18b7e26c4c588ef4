"""
What becomes of statements that can't be in a transaction, when the program is killed around them: each is carried out
once.
"""
import json
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import cassandra_server
import postgres
import sql_case
import support

POINTS = ("evolve.after_intent", "evolve.before_statement", "evolve.after_statement", "evolve.after_step",
          "evolve.before_end_row")


class Case:
    def killed_and_resumed(self, point, occurrence=1):
        """True: the kill came, and did not pass by."""
        result = support.transhume("schema", "up", self.uri, cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "%s:kill:%d" % (point, occurrence)})
        self.assertIn(result.code, (0, -signal.SIGKILL))
        up = self.run_program("schema", "up", self.uri)
        states = json.loads(self.run_program("schema", "status", self.uri, "--json").out)["migrations"]
        self.assertEqual({row["state"] for row in states}, {"applied"})
        return result.code != 0, up.err

    def put(self, text, name="001_x.sql"):
        os.makedirs(self.path("migrations"), exist_ok=True)
        self.write(os.path.join("migrations", name), text)


class OnPostgres(sql_case.ServerTarget, Case, support.TestCase):
    SERVERS = postgres
    SETUP = ("CREATE TABLE t (id int PRIMARY KEY, n int, v text); INSERT INTO t SELECT g, g, "
             "'v' FROM generate_series(1, 500) g;"
             "CREATE TABLE p (d int) PARTITION BY RANGE (d); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO "
             "(9); INSERT INTO p VALUES (3);"
             "CREATE TYPE mood AS ENUM ('sad'); CREATE INDEX t_old ON t (v)")
    # A statement, and a query with its answer once it was carried out, once.
    STATEMENTS = [
        ("CREATE INDEX CONCURRENTLY ON t (n);",
         "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass AND indkey[0] = 2",
         ["1", "t"]),
        ("CREATE UNIQUE INDEX CONCURRENTLY ON t (n) WHERE n > 3;",
         "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass AND indkey[0] = 2",
         ["1", "t"]),
        ("CREATE INDEX CONCURRENTLY named ON t (n);",
         "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = 't'::regclass AND indkey[0] = 2",
         ["1", "t"]),
        ("DROP INDEX CONCURRENTLY t_old;", "SELECT to_regclass('t_old') IS NULL", ["t"]),
        ("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
         "SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'p'::regclass), (SELECT count(*) FROM p1)",
         ["0", "1"]),
        ("ALTER TYPE mood ADD VALUE 'glad';", "SELECT count(*) FROM pg_enum WHERE enumtypid = 'mood'::regtype", ["2"]),
        ("CREATE DATABASE %s_made;", "SELECT count(*) FROM pg_database WHERE datname = current_database() || '_made'",
         ["1"]),
        ("DROP DATABASE %s_old;", "SELECT count(*) FROM pg_database WHERE datname = current_database() || '_old'",
         ["0"]),
        ("VACUUM t;", "SELECT 1", ["1"]),
    ]

    def test_statements_without_a_transaction(self):
        killed = 0
        for statement, question, answer in self.STATEMENTS:
            for point in POINTS[:3]:
                with self.subTest((statement, point)):
                    self.uri = self.new_target()
                    self.ask(self.SETUP)
                    if "_old;" in statement and "DATABASE" in statement:
                        self.ask("CREATE DATABASE %s_old" % self.database)
                    self.put((statement % self.database if "%s" in statement else statement) + "\n")
                    came, _ = self.killed_and_resumed(point)
                    killed += came
                    self.assertEqual(self.ask(question), [answer])
        self.assertEqual(killed, 3 * len(self.STATEMENTS))

    def test_an_index_that_the_server_had_not_finished(self):
        """
        The program is killed while the server still waits for another's transaction, and the index without a name is
        there, invalid.
        """
        self.uri = self.new_target()
        self.ask(self.SETUP)
        self.ask("CREATE INDEX t_n_idx ON t (n); UPDATE pg_index SET indisvalid = false, "
                 "indisready = true WHERE indexrelid = 't_n_idx'::regclass")
        self.put("CREATE INDEX CONCURRENTLY ON t (n);\n")
        self.killed_and_resumed("evolve.after_intent")
        valid = self.ask("SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 't'::regclass AND "
                         "indkey[0] = 2 AND indisvalid")
        self.assertEqual(len(valid), 1)


class OnCassandra(Case, support.TestCase):
    """`.cql` through `schema up`: no statement is in a transaction, and the lock is a lease."""

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def new_keyspace(self):
        self.keyspace = self.server.database()
        self.uri = self.server.uri(self.keyspace)

    def tables(self):
        return {row[0] for row in self.server.ask("system_schema",
                                                  "SELECT table_name FROM tables WHERE keyspace_name = '%s'"
                                                  % self.keyspace)
                if not row[0].startswith("_transhume")}

    def test_up_and_down(self):
        self.new_keyspace()
        self.put("-- users\nCREATE TABLE users (id int PRIMARY KEY, name text);\nCREATE INDEX users_name ON users "
                 "(name);\n", "001_users.up.cql")
        self.put("DROP TABLE users;\n", "001_users.down.cql")
        self.put("ALTER TABLE users ADD email text;\nINSERT INTO users (id, name, email) VALUES (1, 'a;b', 'x');\n",
                 "002_email.up.cql")
        self.assertIn("2 migrations applied", self.run_program("schema", "up", self.uri).out)
        self.assertEqual([tuple(row) for row in self.server.ask(self.keyspace, "SELECT id, name, email FROM users")],
                         [(1, "a;b", "x")])
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")
        self.put("CREATE TABLE bad (id int);\n", "003_bad.up.cql")
        failed = self.run_program("schema", "up", self.uri, code=3)
        self.assertRegex(failed.err, r"003_bad\.up\.cql:1:1: .*PRIMARY KEY")
        self.put("CREATE TABLE good (id int PRIMARY KEY);\n", "003_bad.up.cql")
        self.run_program("schema", "up", self.uri)
        self.assertEqual(self.tables(), {"users", "good"})
        self.put("db.x.find()\n", "004_x.mongo.json")
        self.assertIn(".mongo.json", self.run_program("schema", "up", self.uri, code=2).err)

    def test_kills(self):
        for point in POINTS:
            with self.subTest(point):
                self.new_keyspace()
                self.put("CREATE TABLE t (id int PRIMARY KEY);\nALTER TABLE t ADD v text;\nCREATE TABLE u (id int "
                         "PRIMARY KEY);\n", "001_x.up.cql")
                came, _ = self.killed_and_resumed(point)
                self.assertTrue(came)
                self.assertEqual(self.tables(), {"t", "u"})


if __name__ == "__main__":
    unittest.main()
