"""
What a target can't hold as the source has it is carried in another way, or told, and rounding that a plan allows is to
what the target keeps.
"""
import json
import sqlite3
import unittest

import cassandra_server
import ferretdb
import mariadb
import opensearch_server
import postgres
import redis_server
import support
from engines import duckdb


class Rounding(support.TestCase):
    """`lossy: allow` rounds half to even, to the digits of a second that the target keeps."""

    MOMENTS = ["2024-01-01 10:00:00.123456+00", "2024-01-01 10:00:00.9885+00", "2024-01-01 10:00:00.9995+00"]
    ROUNDED = [123000, 988000, 1000000]

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def copy(self, uri):
        name = self.server.database()
        self.server.ask(name, "CREATE TABLE ev (id int PRIMARY KEY, at timestamptz); INSERT INTO ev VALUES %s"
                        % ", ".join(
                            "(%d, '%s')" % pair for pair in enumerate(self.MOMENTS)))
        source = self.server.uri(name)
        checked = support.transhume("check", "--json", source, uri, cwd=self.folder)
        self.assertEqual([(reject["field"], reject["count"], reject["of"], reject["key"])
                          for reject in json.loads(checked.out)["rejects"]], [("at", 3, 3, "0")])
        plan = self.write("plan.yaml",
                          "transhume: 1\ntables:\n  ev: { key: [id], from: ev, fields: { id: copy, at: { column: at, "
                          "cast: timestamp with time zone, lossy: allow } } }\n")
        self.assertEqual(json.loads(self.run_program("check", "--json", "--plan", plan, source, uri).out)["rejects"],
                         [])
        self.run_program("migrate", "--quiet", "--plan", plan, source, uri)
        self.run_program("validate", "--level", "full", "--quiet")

    def test_mongodb(self):
        server = ferretdb.shared_for_class(type(self))
        name = server.database()
        self.copy(server.uri(name))
        found = {one["_id"]: one["at"] for one in server.client()[name]["ev"].find()}
        self.assertEqual([found[number].microsecond + 1000000 * (found[number].second) for number in range(3)],
                         self.ROUNDED)

    def test_cassandra(self):
        server = cassandra_server.shared_for_class(type(self))
        name = server.database()
        self.copy(server.uri(name))
        found = {row[0]: row[1] for row in server.ask(name, "SELECT id, at FROM ev")}
        self.assertEqual([found[number].microsecond + 1000000 * (found[number].second) for number in range(3)],
                         self.ROUNDED)


class Duckdb(support.TestCase):
    def setUp(self):
        super().setUp()
        self.server = postgres.for_class(type(self))
        self.source = self.server.database()
        self.environment = {"TRANSHUME_DUCKDB": duckdb.library()}

    def test_lists_of_lists_and_what_is_left_out(self):
        self.server.ask(self.source,
                        "CREATE TABLE t (id int PRIMARY KEY, ta text[], n numeric(8,2) DEFAULT 1.5 CHECK (n > 0), "
                        "g int GENERATED ALWAYS AS (id * 2) STORED);"
                                     "INSERT INTO t VALUES (1, '{{a,b},{c,d}}'), (2, '{a}'); "
                                     "COMMENT ON COLUMN t.n IS 'price'")
        ends = (self.server.uri(self.source), "duckdb:" + self.path("target.duckdb"))
        checked = support.transhume("check", "--json", *ends, cwd=self.folder, env=self.environment)
        self.assert_code(checked, 1)
        report = json.loads(checked.out)
        self.assertEqual([(reject["field"], reject["count"], reject["key"]) for reject in report["rejects"]],
                         [("ta", 1, "1")])
        for words in ("the default of n (1.5) is not carried", "the expression of g", "the check CHECK (n > 0"):
            self.assertTrue(any(words in note for note in report["notes"]), (words, report["notes"]))
        self.run_program("migrate", "--quiet", *ends, code=1, env=self.environment)
        self.assertEqual([reject["reason"] for reject in self.rejects()],
                         [reject["reason"] for reject in report["rejects"]])


class Search(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def test_dates_of_a_foreign_index(self):
        """
        With Z, with an offset, with neither, and as a number, by the format; the same index elsewhere keeps them as
        they are.
        """
        prefix, other = self.server.database(), self.server.database()
        self.server.ask("PUT", "/%slogs" % prefix, {"mappings": {"properties": {"at": {"type": "date"},
                                                                                "s": {"type": "date",
                                                                                    "format": "epoch_second"}}}})
        lines = ["2024-01-01T00:00:00.123Z", "2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00", "2024-01-01",
                 1704067200000]
        self.server.bulk(prefix + "logs", {str(at): json.dumps({"at": line, "s": 1704067200})
                                           for at, line in enumerate(lines)})
        self.server.ask("POST", "/%slogs/_refresh" % prefix)
        server = postgres.for_class(type(self))
        name = server.database()
        self.run_program("migrate", "--quiet", self.server.uri(prefix), server.uri(name))
        self.run_program("validate", "--level", "full", "--quiet")
        self.assertEqual(server.ask(name, "SET timezone = 'UTC'; SELECT _id, at, s FROM logs ORDER BY 1"),
                         [[str(at), "2024-01-01 00:00:00%s+00" % (".123" if at == 0 else ""), "2024-01-01 00:00:00+00"]
                          for at in range(len(lines))])
        self.run_program("migrate", "--quiet", "--state", "same", self.server.uri(prefix), self.server.uri(other))
        self.assertEqual(self.server.documents(other + "logs"), self.server.documents(prefix + "logs"))

    def test_unique_indexes(self):
        prefix = self.server.database()
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT); "
                            "CREATE UNIQUE INDEX ux ON users(email); INSERT INTO users VALUES (1, 'x')")
        self.run_program("init", "s.db", self.server.uri(prefix), "-o", "plan.yaml")
        checked = self.run_program("check", "--json", "--plan", "plan.yaml")
        self.assertTrue(any("ux is unique in the source" in note for note in json.loads(checked.out)["notes"]),
                        checked.out)
        self.run_program("migrate", "--quiet", "--plan", "plan.yaml")
        with open(self.path("plan.yaml"), encoding="utf-8") as file:
            plan = file.read()
        self.write("own.yaml", plan.replace('    from: "users"',
                                            '    from: "users"\n    indexes: { ux: { columns: [email], '
                                            'unique: true } }').replace(prefix, self.server.database()))
        refused = self.run_program("check", "--plan", "own.yaml", code=2)
        self.assertIn("leave out `unique`", " ".join(refused.out.split()))

    def test_shards_and_refresh_interval_are_carried_and_aliases_told(self):
        prefix, other = self.server.database(), self.server.database()
        self.server.ask("PUT", "/%sone" % prefix, {"settings": {"number_of_shards": 2, "refresh_interval": "30s"},
                                                   "aliases": {prefix + "alias": {"filter": {"term": {"k": "a"}}}}})
        self.server.bulk(prefix + "one", {"1": '{"k":"a"}'})
        self.server.ask("POST", "/%sone/_refresh" % prefix)
        checked = json.loads(self.run_program("check", "--json", self.server.uri(prefix), self.server.uri(other)).out)
        self.assertTrue(any("alias" in note for note in checked["notes"]), checked["notes"])
        migrated = self.run_program("migrate", self.server.uri(prefix), self.server.uri(other))
        self.assertIn("alias", migrated.out + migrated.err)
        settings = self.server.ask("GET", "/%sone/_settings" % other)[other + "one"]["settings"]["index"]
        self.assertEqual((settings["number_of_shards"], settings["refresh_interval"]), ("2", "30s"))


class Expiry(support.TestCase):
    """Into a target that keeps no times what expires would stay: migrate says so, and check."""

    def assert_told(self, source, words):
        for command in ("check", "migrate"):
            told = self.run_program(command, source, "sqlite:" + self.path("target.db"))
            self.assertIn(words, " ".join((told.out + told.err).split()))

    def test_redis(self):
        server = redis_server.shared_for_class(type(self))
        number = server.database()
        server.ask(number, "HSET", "user:1", "name", "a")
        server.ask(number, "HSET", "user:2", "name", "b")
        server.ask(number, "EXPIRE", "user:2", "5000")
        self.assert_told(server.uri(number), "1 keys of the source expire (TTL)")

    def test_cassandra(self):
        server = cassandra_server.shared_for_class(type(self))
        name = server.database()
        server.run_script(name,
                          "CREATE TABLE sessions (id int PRIMARY KEY, v text);\nCREATE TABLE kept (id int PRIMARY KEY, "
                          "v text);\n"
                                "INSERT INTO kept (id, v) VALUES (1, 'a');\nINSERT INTO sessions (id, v) VALUES (1, "
                                "'a') USING TTL 86400")
        self.assert_told(server.uri(name), "sessions: rows expire (TTL of v), which the target does not keep")


class ErrorValues(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def test_between_tables_of_one_definition(self):
        """'' with the number 0, which a session without strict mode made, and the 31st of a short month."""
        source, target = self.server.database(), self.server.database()
        self.server.ask(source,
                        "SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t (id int PRIMARY KEY, "
                        "e enum('a','b') NOT NULL, f enum('','x'), d date);"
                                "INSERT INTO t VALUES (1, 'zzz', '', '2024-02-31'), (2, 'a', '', '0000-00-00'), (3, "
                                "'b', 'x', NULL)")
        for express in ((), ("--no-express",)):
            self.assertEqual(json.loads(self.run_program("check", "--json", *express, self.server.uri(source),
                                                         self.server.uri(target)).out)["rejects"], [])
            self.run_program("migrate", "--quiet", *express, "--state", "state%d" % len(express),
                             self.server.uri(source), self.server.uri(target))
            found = "SELECT id, e, e + 0, f, f + 0, d FROM t ORDER BY id"
            self.assertEqual(self.server.ask(target, found), self.server.ask(source, found))
            target = self.server.database()

    def test_in_a_table_that_is_there(self):
        source, target = self.server.database(), self.server.database()
        self.server.ask(source,
                        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, e enum('a','b')); "
                        "INSERT INTO t VALUES (1, 'zzz'), (2, 'a')")
        self.server.ask(target, "CREATE TABLE t (id int PRIMARY KEY, e enum('a','b'))")
        ends = ("--existing", "append", self.server.uri(source), self.server.uri(target))
        report = json.loads(self.run_program("check", "--json", *ends, code=1).out)
        self.run_program("migrate", "--quiet", *ends, code=1)
        self.assertEqual([(reject["reason"], reject["key"]) for reject in report["rejects"]],
                         [(self.rejects()[0]["reason"], "1")])


class Unchecked(support.TestCase):
    """A foreign key that is NOT VALID stays so, whether its rows have partners or not; and the schemas are the same."""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def test_stays_and_is_no_difference(self):
        for rows, told in (("(1, 1), (2, 99)", True), ("(1, 1)", False)):
            source, target = self.server.database(), self.server.database()
            self.server.ask(source,
                            "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1); "
                            "CREATE TABLE c (id int PRIMARY KEY, pid int); INSERT INTO c VALUES %s;"
                                    "ALTER TABLE c ADD CONSTRAINT c_fk FOREIGN KEY (pid) REFERENCES p NOT VALID" % rows)
            result = self.run_program("migrate", "--state", target, self.server.uri(source), self.server.uri(target))
            self.assertEqual("1 orphaned row: id 2" in result.err, told, result.err)
            self.run_program("diff", self.server.uri(source), self.server.uri(target))
            self.assertEqual(self.server.ask(target, "SELECT convalidated FROM pg_constraint WHERE conname = 'c_fk'"),
                             [["f"]])


if __name__ == "__main__":
    unittest.main()
