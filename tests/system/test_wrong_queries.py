"""A plan's own query that its server does not take is found before anything is made in the target."""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case

PLAN = """transhume: 1
source: "%s"
target: sqlite:t.db
tables:
  tab:
    key: [id]
    entities:
      made:
        query: "%s"
        key: [%s]
        fields: { id: copy, v: copy }
"""


class Queries(sql_case.SqlCase):
    # the query, its key, the words
    WRONG = (("SELECT a.id, b.id, a.v FROM a JOIN b ON b.aid = a.id", "id", "id"),
             ("SELECT id, v FROM a WHERE nothing = 1", "id", "nothing"),
             ("SELECT id, v FROM a GROUP", "id", "GROUP|syntax"),
             ("SELECT id, v FROM absent", "id", "absent"),
             ("SELECT id, v FROM a", "number", "number"))

    def test_is_refused_before_the_run(self):
        source = self.made("CREATE TABLE a (id int PRIMARY KEY, v varchar(9)); CREATE TABLE b (id int, aid int); "
                           "INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (7, 1)")
        for query, key, words in self.WRONG:
            with self.subTest(query, key=key):
                plan = self.write("p.yaml", PLAN % (self.server.uri(source), query, key))
                for command in ("check", "migrate"):
                    result = self.run_program(command, "--plan", plan, code=2)
                    self.assertRegex(result.err, r"(made|p\.yaml:(9|10)):.*(%s)" % words)
                self.assertFalse(os.path.exists(self.path("t.db")))
        for number, end in enumerate(("", ";", " ; ", " -- all of them", " /* all */;")):   # those that are right
            with self.subTest(end=end):
                plan = self.write("p%d.yaml" % number, (PLAN % (self.server.uri(source),
                                                                "SELECT a.id, a.v FROM a JOIN b ON b.aid = a.id" + end,
                                                                "id")).replace(
                                                                    "t.db", "t%d.db" % number))
                for command in ("check", "migrate"):
                    self.run_program(command, "--plan", plan, "--state", "s%d" % number)


class Postgres(Queries):
    SERVERS = postgres
    WRONG = Queries.WRONG + (("SELECT id, v FROM a", "Id", "Id"),)


class MariaDb(Queries):
    SERVERS = mariadb


del Queries

if __name__ == "__main__":
    unittest.main()
