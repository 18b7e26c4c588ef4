"""
A table of the source that is dropped and made again all the time, while the program begins, reads the schema and
follows: it never dies of it.
"""
import os
import sys
import threading
import time
import unittest
import unittest.mock

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import postgres
import servers
import storm
import storm_stores
import support

ROUNDS = 12 if support.SOAK else 3
MAKE = "CREATE TABLE again (id INTEGER PRIMARY KEY, v VARCHAR(40))"


class Remaker(threading.Thread):
    """Drops the table and makes it again; its rows tell which one it is."""

    def __init__(self, side, pause_s):
        super().__init__(daemon=True)
        self.side, self.pause_s, self.stopping, self.count, self.failure = side, pause_s, threading.Event(), 0, None

    def run(self):
        session = self.side.session()
        try:
            while not self.stopping.is_set():
                self.count += 1
                for statement in ("DROP TABLE again", MAKE, "INSERT INTO again VALUES (%d, 'of %d')" % (self.count % 7,
                    self.count)):
                    session.ask(statement)
                time.sleep(self.pause_s)
        except storm.Gone as failure:
            self.failure = failure
        session.close()

    def stop(self):
        self.stopping.set()
        self.join(60)
        if self.failure is not None:
            raise AssertionError("the source went away")


class RemadeTables:
    """Brings: sides()"""

    def test_it_goes_on(self):
        source, target = self.sides()
        self.addCleanup(source.close)
        self.addCleanup(target.close)
        source.ask("CREATE TABLE calm (id INTEGER PRIMARY KEY); %s; INSERT INTO calm VALUES (1)" % MAKE)
        self.run_program("migrate", "--follow", "--catch-up", source.uri, target.uri)
        for number in range(ROUNDS):
            remaker = Remaker(source, (0.0, 0.02, 0.2)[number % 3])
            remaker.start()
            process = support.start("follow", cwd=self.folder)
            try:
                time.sleep(3 * support.PATIENCE)
                self.assertIsNone(process.poll(), process.poll() is not None and process.stderr.read()[-1500:].decode())
            finally:
                process.terminate()
                result = support.finish(process)
                remaker.stop()
            self.assertIn(result.code, (1, 4), result.err[-2000:])
            caught_up = support.transhume("follow", "--catch-up", cwd=self.folder)
            if caught_up.code == 1:   # it was left while it was gone: a resync takes it back
                self.assertRegex(caught_up.err, "again")
                self.run_program("follow", "--resync", "--catch-up")
            else:
                self.assert_code(caught_up, 0)
            self.assertEqual(target.rows("again", ["id", "v"]), source.rows("again", ["id", "v"]))
        self.run_program("cutover", "--abandon", "--confirm")


class OfPostgres:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings=postgres.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def source(self):
        return storm.ServerSide("postgres", self.server)


class OfMariadb:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mariadb.Server(settings=mariadb.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def source(self):
        return storm.ServerSide("mariadb", self.server)


class ToDynamodb:
    """Which finds records by keys alone."""

    def sides(self):
        server = servers.start("dynalite")
        self.addCleanup(server.stop)
        known = {name: value for name, value in servers.aws_environment(self.folder).items() if name.startswith("AWS_")
                 and value}
        patch = unittest.mock.patch.dict(os.environ, known)
        patch.start()
        self.addCleanup(patch.stop)
        return self.source(), storm_stores.DynamodbSide(server, items.client_of(server))


class ToSqlite:
    def sides(self):
        return self.source(), storm.FileSide(self.path("copy.db"))


class PostgresToDynamodb(OfPostgres, ToDynamodb, RemadeTables, support.TestCase):
    pass


class PostgresToSqlite(OfPostgres, ToSqlite, RemadeTables, support.TestCase):
    pass


class MariadbToDynamodb(OfMariadb, ToDynamodb, RemadeTables, support.TestCase):
    pass


class MariadbToSqlite(OfMariadb, ToSqlite, RemadeTables, support.TestCase):
    pass


if __name__ == "__main__":
    unittest.main()
