"""
Older versions of Cassandra, in a soak: a copy that is killed and resumed, every type between versions, validation,
repair, rollback.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import cassandra_server
import support

VERSIONS = ("cassandra-4.1", "cassandra-3.11")
SETTINGS = {"cassandra-4.1": {"storage_compatibility_mode": None},
            "cassandra-3.11": {"storage_compatibility_mode": None, "start_rpc": "false",
                               "disk_access_mode": "standard"}}
TYPES = """CREATE TABLE every (k int, c timeuuid, a ascii, b bigint, bl blob, bo boolean, d date, de decimal, dou double, du duration, f float, i inet,
 si smallint, te text, ti time, ts timestamp, tiny tinyint, u uuid, vi varint, l list<text>, s set<int>, m map<text, frozen<list<bigint>>>, t tuple<int, text>, st text static,
 PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)"""
ROW = """INSERT INTO every (k, c, a, b, bl, bo, d, de, dou, du, f, i, si, te, ti, ts, tiny, u, vi, l, s, m, t, st) VALUES (%d, now(), 'asc', %d, 0x00ff, true, '2024-02-29', -12.500,
 1e300, 1mo2d3ns, 1.5, '2001:db8::1', -32768, 'täxt', '12:13:14.123456789', '1969-12-31 23:59:59.999Z', -128, 6ba7b810-9dad-11d1-80b4-00c04fd430c8, -%s, ['b', 'a', 'b'],
 {3, 1}, {'x': [1, 2]}, (1, null), 'static %d')"""


@unittest.skipUnless(support.SOAK, "older servers take a minute each to begin with: make soak")
class Versions(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.newest = cassandra_server.shared_for_class(cls)

    def started(self, version):
        settings = SETTINGS[version]
        server = cassandra_server.Server(settings={name: value for name, value in settings.items()
                                                   if value is not None}, version=version,
                                         without=[name for name, value in settings.items() if value is None])
        self.addCleanup(server.stop)
        return server

    def test_copies_kills_and_rollbacks(self):
        for version in VERSIONS:
            with self.subTest(version):
                server = self.started(version)
                state = version + "-state"
                keyspace = server.database()
                source = support.musicshop(self.path("shop.db"))
                arguments = (source, server.uri(keyspace), "--state", state, "--chunk-rows", "200", "--rollback-keys")
                self.run_program("migrate", *arguments, "--quiet", code=-9,
                                 env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:7"})
                self.run_program("resume", "--state", state, "--quiet", "--take-over")
                self.run_program("validate", "--state", state, "--level", "full")
                server.ask(keyspace, 'DELETE FROM "Track" WHERE "TrackId" = 7')
                self.run_program("validate", "--state", state, code=1)
                self.run_program("validate", "--state", state, "--repair", "--confirm")
                self.run_program("validate", "--state", state)
                self.run_program("migrate", server.uri(keyspace), version + ".db", "--state", state + "-back",
                                 "--quiet")
                self.run_program("validate", "--state", state + "-back")

    def test_types_between_versions(self):
        for version in VERSIONS:
            with self.subTest(version):
                server = self.started(version)
                old, new, back = server.database(), self.newest.database(), server.database()
                server.ask(old, TYPES)
                for number in range(50):
                    server.ask(old, ROW % (number % 7, number, "9" * (number + 1), number))
                self.run_program("migrate", server.uri(old), self.newest.uri(new), "--state", version + "-new",
                                 "--quiet")
                self.run_program("validate", "--state", version + "-new", "--level", "full")
                self.run_program("migrate", self.newest.uri(new), server.uri(back), "--state", version + "-back",
                                 "--quiet")
                self.run_program("validate", "--state", version + "-back", "--level", "full")
                rows = [sorted(map(repr, server.ask(keyspace, "SELECT * FROM every"))) for keyspace in (old, back)]
                self.assertEqual(rows[0], rows[1])
                self.assertEqual(len(rows[0]), 50)


if __name__ == "__main__":
    unittest.main()
