"""Memory that can't be had, allocation by allocation, where PostgreSQL and MariaDB are read, written, compared, repaired and taken back.

What the program and its modules ask for fails; the servers' own client libraries are theirs.
"""
import errno
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import contents
import failing
import mariadb
import postgres
import support

SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);
CREATE TABLE child(a VARCHAR(20), n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n));
CREATE TABLE loose(a TEXT, n INTEGER);
CREATE INDEX child_parent ON child(parent_id);
INSERT INTO parent VALUES (1, 'a', 1.98, x'00'), (2, 'b', 3, NULL); INSERT INTO child VALUES ('x', 1, 1), ('y', 2, 1);
INSERT INTO loose VALUES ('l', 1), ('l', 1), (NULL, 2);
"""
DAMAGE = "UPDATE parent SET name = 'altered' WHERE id = 2; DELETE FROM child WHERE a = 'y'; INSERT INTO parent VALUES (9, 'extra', 0, NULL)"
NOTE = "CREATE TABLE note(id INTEGER PRIMARY KEY, parent_id BIGINT, FOREIGN KEY (parent_id) REFERENCES parent(id) ON DELETE CASCADE)"
OLD = "CREATE TABLE parent(id BIGINT PRIMARY KEY, name VARCHAR(20), price NUMERIC(10,2), b %s); INSERT INTO parent VALUES (2, 'old', 0, NULL)"


class Tests:
    allocations_taken = 150 if support.SOAK else 4   # of some thousand, each a second: a soak draws others each time (decision 406)
    SERVERS = BYTES = None
    ENV = {"FAIL_FOR": ""}

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.target = self.server.database()
        self.pair = ["source.db", self.server.uri(self.target)]

    def empty(self):
        raise NotImplementedError

    def rows(self):
        return {table: rows for table, rows in self.server.rows(self.target).items() if "_transhume" not in str(table)}

    def copied(self):
        self.empty()
        self.clean(".transhume")
        self.run_program("migrate", *self.pair)
        return self.rows()

    def whole(self):
        """A copy that nobody disturbs, seen to hold what the source does."""
        expected = self.copied()
        found = (contents.in_mysql if self.SERVERS is mariadb else contents.in_postgres)(self.server, self.target)
        contents.assert_same(self, contents.in_sqlite(self.path("source.db")), found)
        return expected

    def test_into_it(self):
        expected = self.whole()

        def before():
            self.empty()
            self.clean(".transhume")

        def after(result):
            if result.code != 0:
                self.to_the_end(*self.pair)
            self.assertEqual(self.rows(), expected)

        self.in_turn(["migrate", "--jobs", "1", *self.pair], before, after, self.ENV)

    def test_out_of_it(self):
        self.whole()
        pair = [self.pair[1], "sqlite:copy.db"]
        self.clean(".transhume")
        self.run_program("migrate", *pair)
        contents.assert_same(self, contents.in_sqlite(self.path("source.db")), contents.in_sqlite(self.path("copy.db")))
        os.rename(self.path("copy.db"), self.path("expected.db"))

        def after(result):
            if result.code != 0:
                self.to_the_end(*pair)
            self.assert_same_sqlite(self.path("expected.db"), self.path("copy.db"))

        self.in_turn(["migrate", "--jobs", "1", *pair], lambda: self.clean("copy.db", "copy.db-transhume-lock", ".transhume"), after, self.ENV)

    def test_repair(self):
        arguments = ["validate", "--jobs", "1", "--repair", "--delete-extra", "--confirm", *self.pair]
        expected = self.whole()

        def before():
            self.copied()
            self.server.ask(self.target, DAMAGE)

        def after(result):
            if result.code != 0:
                self.repaired(*arguments)
            self.assertEqual(self.rows(), expected)

        self.in_turn(arguments, before, after, self.ENV)

    def test_validate(self):
        """It never calls equal what differs, nor different what is equal; read from here, from the server, and summed by servers."""
        self.copied()
        other = self.server.uri(self.server.database())
        self.run_program("migrate", "--state", "there", self.pair[1], other)
        ways = ((self.pair, "hash"), (self.pair, "full"), (self.pair[::-1], "hash"), ([self.pair[1], other], "hash", "--push-down"))
        for damage, code in (("", 0), (DAMAGE, 1)):
            if damage:
                self.server.ask(self.target, damage)
            for pair, level, *options in ways:
                arguments = ["validate", "--state", "s", "--jobs", "1", "--level", level, *options, *pair]
                self.run_program(*arguments, code=code)
                self.in_turn(arguments, env=self.ENV, code=code)

    def test_rollback(self):
        arguments = ["rollback", "--run", "", "--confirm"]

        def before():
            self.empty()
            self.clean(".transhume")
            self.server.ask(self.target, OLD % self.BYTES)
            self.run_program("migrate", "--existing", "upsert", "--exclude", "loose", *self.pair)
            arguments[2] = self.run_id()

        def after(result):
            if result.code != 0:
                self.run_program(*arguments)
            self.assertEqual(self.rows(), expected)

        self.server.ask(self.target, OLD % self.BYTES)
        expected = self.rows()
        self.in_turn(arguments, before, after, self.ENV)

    def refer(self):
        self.server.ask(self.target, NOTE)
        self.server.ask(self.target, "INSERT INTO note VALUES (1, 1)")

    def test_rollback_of_what_others_refer_to(self):
        """Their records, and those that they refer to, are no more forgotten than they are otherwise."""
        arguments = ["rollback", "--run", "", "--confirm"]

        def before():
            self.empty()
            self.clean(".transhume")
            self.server.ask(self.target, OLD % self.BYTES)
            self.run_program("migrate", "--existing", "upsert", "--include", "parent", *self.pair)
            self.refer()
            arguments[2] = self.run_id()

        def after(result):
            if result.code != 0:
                self.run_program(*arguments)
            self.assertEqual(self.rows(), expected)

        before()
        self.run_program(*arguments)
        expected = self.rows()
        self.assertEqual(sum(map(len, expected.values())), 3)
        self.in_turn(arguments, before, after, self.ENV)

    def test_rollback_of_a_table_that_others_refer_to(self):
        self.server.ask(self.target, OLD % self.BYTES)
        self.server.ask(self.target, "DELETE FROM parent")
        self.run_program("migrate", "--include", "parent", *self.pair)
        self.refer()
        expected = self.rows()
        self.in_turn(["rollback", "--run", self.run_id(), "--confirm"], after=lambda result: self.assertEqual(self.rows(), expected), env=self.ENV, code=5)

    def test_its_module(self):
        """A module that can't be loaded for want of memory is no module that is broken (2)."""
        arguments = ["check", *self.pair]
        places = sorted(place for chain in self.allocations(*arguments, env=self.ENV) for place in chain)[:60]
        refused = 0
        for at in places:
            for count in (1, 1000000):
                with self.case("any command", "memory", at=at, count=count):
                    result = support.transhume(*arguments, cwd=self.folder, env=dict(self.ENV, **self.failing("alloc", at, count, errno.ENOMEM)))
                    self.assertIn(result.code, (0, 3), result.err)
                    refused += "the module can't be loaded" in result.err
        self.assertGreater(refused, 3)


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class Postgres(Tests, failing.MemoryTestCase):
    SERVERS, BYTES = postgres, "BYTEA"

    def empty(self):
        self.server.psql(self.target, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class Mysql(Tests, failing.MemoryTestCase):
    SERVERS, BYTES = mariadb, "LONGBLOB"

    def empty(self):
        self.server.ask("", "DROP DATABASE %s; CREATE DATABASE %s" % (self.target, self.target))


if __name__ == "__main__":
    unittest.main()
