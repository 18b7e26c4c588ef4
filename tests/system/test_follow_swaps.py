"""
Rows that exchange a DEFERRABLE unique key under REPLICA IDENTITY FULL, while a resync has read some of them later than
the feed is: none is lost.
"""
import random
import signal
import unittest

import support
from follow_schema_case import MariadbServer, PostgresServer
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide

ROWS = 6
SCHEMA = ("CREATE TABLE bare (u INTEGER NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED, v VARCHAR(9)); "
          "ALTER TABLE bare REPLICA IDENTITY FULL;"
          "CREATE TABLE keyed (id INTEGER PRIMARY KEY, u INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED, v VARCHAR(9)); "
          "ALTER TABLE keyed REPLICA IDENTITY FULL;"
          "INSERT INTO bare SELECT i, 'v' || i FROM generate_series(1, %d) i; INSERT INTO keyed SELECT i, i, "
          "'v' || i FROM generate_series(1, %d) i;" % (ROWS, ROWS))


class Swaps(PostgresServer):
    """Brings: sides()"""

    seeds = 6 if support.SOAK else 2
    ids = 100

    def swap(self, pick):
        """A transaction of some exchanges, of a pair, in a circle, or of all."""
        statements = []
        for table in ("bare", "keyed"):
            for _ in range(pick.randint(1, 3)):
                a, b, c = pick.sample(range(1, ROWS + 1), 3)
                statements.append(pick.choice([
                    "UPDATE %s SET u = %d - u WHERE u IN (%d, %d)" % (table, a + b, a, b),
                    "UPDATE %s SET u = CASE u WHEN %d THEN %d WHEN %d THEN %d ELSE %d END WHERE u IN (%d, %d, %d)"
                    % (table, a, b, b, c, a, a, b, c),
                    "UPDATE %s SET u = %d - u" % (table, ROWS + 1),
                    "DELETE FROM %s WHERE u = %d; UPDATE %s SET u = %d WHERE u = %d; "
                    "INSERT INTO %s VALUES (%s%d, 'n%d')" % (
                        table, a, table, a, b, table, "%d, " % self.next_id() if table == "keyed" else "", b,
                        pick.randint(0, 999))]))
        self.source.make("BEGIN; %s; COMMIT;" % "; ".join(statements))

    def next_id(self):
        self.ids += 1
        return self.ids

    def swaps(self, pick):
        for _ in range(pick.randint(1, 4)):
            self.swap(pick)

    def test_beside_a_resync(self):
        for seed in range(self.seeds):
            with self.subTest(seed=seed):
                pick, state = random.Random("%d %d swaps" % (support.SEED, seed)), "--state=state%d" % seed
                self.made = seed
                self.source, self.target = self.sides()
                self.source.make(SCHEMA)
                self.run_program("migrate", state, "--follow", "--catch-up", self.source.uri, self.target.uri)
                self.addCleanup(support.transhume, "cutover", state, "--abandon", "--confirm", cwd=self.folder)
                process = self.stopped_at("follow.after_feed:stop:1,resume.before_claim:stop:2", "follow", state,
                                          "--resync", "--catch-up")
                self.swaps(pick)
                process.send_signal(signal.SIGCONT)
                self.wait_until_stopped(process)
                self.swaps(pick)
                process.send_signal(signal.SIGCONT)
                self.assertIn(support.finish(process).code, (0, 1))
                self.swaps(pick)
                self.run_program("follow", state, "--catch-up")
                for table in ("bare", "keyed"):
                    self.assertEqual(self.target.rows(table), self.source.rows(table), table)


class PostgresToPostgres(Swaps, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), PostgresSide(self, self.server, "copy")


class PostgresToMariadb(Swaps, MariadbServer, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), MysqlSide(self.maria)


class PostgresToSqlite(Swaps, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), SqliteSide(self, "copy%d.db" % self.made)


if __name__ == "__main__":
    unittest.main()
