"""
Lists and aggregates of several tables out of MariaDB: each is a result of its own, read beside the others within one
snapshot.
"""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
import test_mysql

PARENTS, CHILDREN = 3000, 9000   # more than the sockets between server and program hold
PLAN = """
transhume: 1
source: %s
target: jsonl:%s
tables:
  t:
    from: p
    key: [id]
    fields:
      id: copy
"""


class Lists(test_mysql.MysqlCase):
    COUNT = 9   # of tables below p, every third of them aggregated

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.server.database()
        cls.server.ask(cls.name, "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT seq FROM seq_1_to_%d;"
                       % PARENTS + "".join(
                           "CREATE TABLE c%d (id int PRIMARY KEY, p int, v varchar(200), KEY (p));"
                           "INSERT INTO c%d SELECT seq, 1 + seq %% %d, REPEAT('v', 200) FROM seq_1_to_%d;" % (number,
                               number, PARENTS, CHILDREN)
                           for number in range(cls.COUNT)))

    def account(self, user, limits=""):
        self.server.ask("", "CREATE USER %s@'127.0.0.1' %s; GRANT SELECT ON %s.* TO %s@'127.0.0.1'" % (user, limits,
            self.name, user))
        self.addCleanup(self.server.ask, "", "DROP USER %s@'127.0.0.1'" % user)
        return "mysql://%s@127.0.0.1:%d/%s" % (user, self.server.port, self.name)

    def plan(self, count, folder, source=None):
        fields = "".join("      F%d: { aggregate: c%d, match: { p: id }, value: sum(id) }\n" % (number, number)
                         if number % 3 == 2 else
                         "      F%d: { embed: c%d, match: { p: id }, fields: { id: copy, v: copy } }\n" % (number,
                             number) for number in range(count))
        return self.write(folder + ".yaml", PLAN % (source or self.server.uri(self.name), self.path(folder)) + fields)

    def assert_arrived(self, folder, count):
        found = {}
        for name in os.listdir(self.path(folder, "t")):
            with open(self.path(folder, "t", name), encoding="utf-8") as file:
                found.update((record["id"], record) for record in map(json.loads, file))
        self.assertEqual(len(found), PARENTS)
        for id_, record in found.items():
            children = [seq for seq in range(id_ - 1, CHILDREN + 1, PARENTS) if seq > 0]
            for number in range(count):
                field = record["F%d" % number]
                self.assertEqual(field if number % 3 == 2 else [child["id"] for child in field],
                                 sum(children) if number % 3 == 2 else children)

    def test_as_many_as_a_plan_has(self):
        for count, jobs in ((3, 1), (self.COUNT, 3)):
            with self.subTest(count=count):
                folder = "out%d" % count
                plan = ("--plan", self.plan(count, folder), "--state", self.path("state" + folder), "--jobs", str(jobs))
                self.run_program("check", *plan)
                self.run_program("migrate", "--chunk-rows", "1000", *plan)
                self.assert_arrived(folder, count)
                self.run_program("validate", "--level", "full", *plan)

    def test_where_one_connection_reads_all(self):
        """Without a lock there is no second one within the snapshot: said before anything is written."""
        source = self.account("sole")
        plan = ("--plan", self.plan(1, "sole", source))
        for command in ("check", "migrate"):
            result = self.run_program(command, *plan, code=2)
            self.assertIn("2 tables are read side by side", result.err)
            self.assertIn("GRANT LOCK TABLES ON `%s`.*" % self.name, result.err)
        self.assertFalse(os.path.exists(self.path("sole", "t")))
        self.assertFalse(os.path.exists(self.path("sole", "_transhume")))
        self.run_program("migrate", "--plan", self.plan(0, "none", source), "--state", self.path("none"))
        self.server.ask("", "GRANT LOCK TABLES ON %s.* TO sole@'127.0.0.1'" % self.name)
        self.run_program("migrate", *plan)
        self.assert_arrived("sole", 1)

    def test_with_few_connections(self):
        """Of the readers there are as many as all their results fit."""
        source = self.account("few", "WITH MAX_USER_CONNECTIONS 7")
        self.server.ask("", "GRANT LOCK TABLES ON %s.* TO few@'127.0.0.1'" % self.name)
        self.run_program("migrate", "--plan", self.plan(3, "few", source), "--jobs", "4", "--chunk-rows", "500")
        self.assert_arrived("few", 3)
        result = self.run_program("migrate", "--plan", self.plan(7, "fewer", source), "--state", self.path("fewer"),
                                  "--timeout", "1s", code=3)
        self.assertIn("8 tables are read side by side", result.err)
        self.assertIn("the user's own limit is reached", result.err)
        self.assertFalse(os.path.exists(self.path("fewer", "t")))


if __name__ == "__main__":
    unittest.main()
