"""
Bad input for Redis and OpenSearch: one clear line, the right exit code, nothing lost. Of real servers: what each of
them refuses is its own doing.
"""
import json
import os
import unittest

import opensearch_server
import redis_server
import support

from servers import free_port
from test_opensearch import SearchCase
from test_redis import MANY, RedisCase


def one_line(test, result, *words):
    """The error is one line (with a hint below it) that has these words."""
    lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
    test.assertEqual(len(lines), 1, result.err)
    for word in words:
        test.assertIn(word, lines[0])


class Deep:
    def deep_plan(self, target):
        """Of a list within lists, 150 deep."""
        os.makedirs(self.path("lines"))
        self.write("lines/deep.jsonl", json.dumps({"id": 1, "v": 1}) + "\n" + '{"id":2,"v":%s1%s}\n' % ("[" * 150,
            "]" * 150))
        self.write("deep.yaml",
                   "transhume: 1\nsource: jsonl:%s\ntarget: %s\ntables:\n  deep: { key: id, from: deep, "
                   "fields: { '*': copy } }\n" % (self.path("lines"), target))
        return "deep.yaml"


class FullRedis(support.TestCase):
    def test_out_of_memory(self):
        """The run fails with the server's words; once there is memory, a resume writes what is left."""
        support.make_sqlite(self.path("source.db"), MANY % 5000)
        with redis_server.Server(append_only=False) as server:
            server.ask(0, "CONFIG", "SET", "maxmemory", server.ask(0, "INFO",
                                                                   "memory").decode().split("used_memory:")[1].split()[
                                                                       0])
            result = self.run_program("migrate", "source.db", server.uri(0), "--chunk-rows", "1000", code=3)
            one_line(self, result, "OOM command not allowed")
            server.ask(0, "CONFIG", "SET", "maxmemory", str(1 << 30))
            again = support.transhume("resume", "--quiet", cwd=self.folder)
            self.assert_code(again if "run-nothing" not in again.err
                             else support.transhume("migrate", "source.db", server.uri(0), "--quiet", cwd=self.folder),
                             0)
            self.assertEqual(len(server.ask(0, "KEYS", "things:*")), 5000)

    def test_memory_that_ends_under_way(self):
        support.make_sqlite(self.path("source.db"), MANY % 20000)
        with redis_server.Server(append_only=False) as server:
            used = int(server.ask(0, "INFO", "memory").decode().split("used_memory:")[1].split()[0])
            server.ask(0, "CONFIG", "SET", "maxmemory", str(used + (2 << 20)))
            one_line(self, self.run_program("migrate", "source.db", server.uri(0), "--chunk-rows", "1000", code=3),
                     "OOM command not allowed")
            server.ask(0, "CONFIG", "SET", "maxmemory", str(1 << 30))
            self.run_program("resume", "--quiet")
            self.assertEqual(len(server.ask(0, "KEYS", "things:*")), 20000)
            self.assertEqual(self.rejects(), [])

    def test_a_replica(self):
        """What is written to a replica is refused before anything happens, and its master is named."""
        support.make_sqlite(self.path("source.db"), MANY % 5)
        with redis_server.Server(append_only=False) as master, redis_server.Server(options=("--replicaof", "127.0.0.1",
            str(master.port)), append_only=False) as replica:
            one_line(self, self.run_program("migrate", "source.db", replica.uri(0), code=2), "replica")
            self.assertEqual(master.ask(0, "KEYS", "*"), [])


class Redis(Deep, RedisCase):
    def test_no_tls_there(self):
        self.many(5)
        one_line(self, self.run_program("migrate", "source.db", self.uri().replace("redis://", "rediss://"), code=3),
                 "TLS was not set up")

    def test_no_such_database(self):
        self.many(5)
        one_line(self, self.run_program("migrate", "source.db", self.server.uri(999999), code=2),
                 "it has no database 999999")

    def test_nobody_there(self):
        self.many(5)
        one_line(self, self.run_program("migrate", "source.db", "redis://127.0.0.1:%d/0" % free_port(), "--timeout",
                                        "1s", code=3), "127.0.0.1")

    def test_deep_nesting(self):
        """Redis does not look into a string: it is held, and read again, as it is."""
        self.run_program("migrate", "--plan", self.deep_plan(self.uri("?form=json")), "--quiet")
        self.assertEqual(self.ask("GET", "deep:2"), b'{"id":2,"v":%s1%s}' % (b"[" * 150, b"]" * 150))
        self.run_program("validate", "--level", "full", "--quiet")

    def test_seventeen_megabytes(self):
        """MongoDB holds no such document; Redis does."""
        self.many(1)
        support.sqlite3.connect(self.path("source.db")).executescript("UPDATE things SET name = printf('%.*c', "
                                                                      "17000000, 'x')")
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.assertEqual(self.ask("HSTRLEN", "things:1", "name"), 17000000)


class Search(Deep, SearchCase):
    def existing(self, settings=None, properties=None):
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": settings or {}, "mappings": {"properties": {
            "id": {"type": "long"}, "name": {"type": "text"}, "city": {"type": "keyword"}, "price": {"type": "double"},
            **(properties or {})}}})

    def append(self, code, *more):
        self.write("plan.yaml",
                   "transhume: 1\nsource: source.db\ntarget: %s\nexisting: append\ntables:\n  things: { key: [id], "
                   "from: things }\n" % self.uri())
        return self.run_program("migrate", "--plan", "plan.yaml", *more, code=code)

    def test_flood_stage(self):
        """
        A disk that is nearly full makes indexes read-only: the run fails with the server's words, and a resume writes
        all once there is room.
        """
        self.many(50)
        self.existing()
        self.server.ask("PUT", "/%sthings/_settings" % self.prefix, {"index.blocks.read_only_allow_delete": True})
        one_line(self, self.append(3, "--timeout", "1s"), "read-only-allow-delete")
        self.server.ask("PUT", "/%sthings/_settings" % self.prefix, {"index.blocks.read_only_allow_delete": None})
        self.run_program("resume", "--quiet")
        self.assert_things(50)

    def test_field_limit(self):
        """Of an index whose mapping may not grow: each record is a reject with the server's reason."""
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things (id INTEGER PRIMARY KEY, more TEXT); INSERT INTO things VALUES (1, "
                            "'{\"a\":1}'), (2, NULL)")
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": {"mapping.total_fields.limit": 2},
                                                           "mappings": {"dynamic": True, "properties": {
                                                               "id": {"type": "long"},
                                                               "more": {"type": "object", "dynamic": True}}}})
        self.write("plan.yaml",
                   "transhume: 1\nsource: source.db\ntarget: %s\nexisting: append\ntables:\n  things: { key: [id], "
                   "from: things, fields: "
                                "{ id: copy, more: { column: more, cast: json } } }\n" % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["constraint"])
        self.assertIn("Limit of total fields [2] has been exceeded", self.rejects()[0]["reason"])
        self.assertEqual(sorted(self.documents("things")), ["2"])

    def test_many_columns(self):
        """A table of more columns than the server's limit of a thousand: its index is made with a larger one."""
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE wide (id INTEGER PRIMARY KEY%s); INSERT INTO wide (id) VALUES (1)"
                            % "".join(", c%d TEXT" % i for i in range(1200)))
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.assertEqual(list(self.documents("wide")), ["1"])

    def test_mapping_conflict(self):
        """A field that is an object there: its records are rejects, the others are written."""
        self.many(7)
        self.existing(properties={"city": {"properties": {"name": {"type": "keyword"}}}})
        self.append(1)
        self.assertEqual({reject["code"] for reject in self.rejects()}, {"type"})
        self.assertIn("object mapping", self.rejects()[0]["reason"])
        self.assertEqual(sorted(self.documents("things")), ["7"])   # it has no city

    def test_deep_nesting(self):
        """What the server refuses to nest so deep is a reject with its reason; the others are written."""
        self.run_program("migrate", "--plan", self.deep_plan(self.uri()), code=1)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["type"])
        self.assertNotEqual(self.rejects()[0]["reason"], "")
        self.assertEqual(list(self.documents("deep")), ["1"])

    def test_seventeen_megabytes(self):
        """MongoDB holds no such document; OpenSearch does, up to its http.max_content_length."""
        self.many(1)
        support.sqlite3.connect(self.path("source.db")).executescript("UPDATE things SET name = printf('%.*c', "
                                                                      "17000000, 'x')")
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.assertEqual(len(self.documents("things")["1"]["name"]), 17000000)

    def test_no_tls_there(self):
        self.many(5)
        one_line(self, self.run_program("migrate", "source.db", self.uri("?tls=yes"), code=3), "[tls]")

    def test_no_such_index(self):
        one_line(self, self.run_program("migrate", self.server.uri("nothing-begins-so-"), "out.db", code=2),
                 "nothing-begins-so-")

    def test_nobody_there(self):
        self.many(5)
        one_line(self, self.run_program("migrate", "source.db", "opensearch://127.0.0.1:%d" % free_port(), "--timeout",
                                        "1s", code=3), "127.0.0.1")


if __name__ == "__main__":
    unittest.main()
