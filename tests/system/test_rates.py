"""Caps of rows and bytes a second between servers: when each record arrived, by the target's own clock."""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

ROWS, WIDTH, SECONDS = 3000, 1000, 3
CAPS = {"rows": ("--rows-per-second", ROWS // SECONDS), "bytes": ("--bytes-per-second", ROWS * WIDTH // SECONDS)}
TOLERANCE, SLOWEST = 0.2, 3   # of a machine that has much else to do
NUMBERS = {"postgres": "generate_series(1, %d) i" % ROWS, "mysql": "(SELECT seq AS i FROM seq_1_to_%d) AS n" % ROWS}
# A column outside the plan, which the server fills.
ARRIVED = {"postgres": ("at timestamptz DEFAULT clock_timestamp()", "extract(epoch FROM at)"),
           "mysql": ("at timestamp(6) DEFAULT CURRENT_TIMESTAMP(6)", "UNIX_TIMESTAMP(at)")}


class Rates(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}
        cls.sources = {}
        for engine, server in cls.servers.items():
            cls.sources[engine] = server.database()
            server.ask(cls.sources[engine],
                       "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('v', %d) FROM %s"
                       % (WIDTH, NUMBERS[engine]))

    def test_each_pair_keeps_to_its_cap(self):
        """All of them at once, since they mostly wait."""
        runs = []
        for source in self.servers:
            for target, server in self.servers.items():
                for kind, (option, cap) in CAPS.items():
                    name = server.database()
                    server.ask(name, "CREATE TABLE t (id int PRIMARY KEY, v text, %s)" % ARRIVED[target][0])
                    process = support.start("migrate", option, str(cap), "--existing", "append", "--jobs", "2",
                                            "--chunk-rows", "100", "--batch-rows", "50",
                                            "--state", "state-%s-%s-%s" % (source, target, kind),
                                            self.servers[source].uri(self.sources[source]), server.uri(name),
                                            cwd=self.folder)
                    self.addCleanup(self.end, process)
                    runs.append(((source, target, kind), process, server, name))
        for (source, target, kind), process, server, name in runs:
            with self.subTest(source=source, target=target, kind=kind):
                self.assert_code(support.finish(process), 0)
                arrived = sorted(float(at) for at, in server.ask(name, "SELECT %s FROM t" % ARRIVED[target][1]))
                self.assertEqual(len(arrived), ROWS)
                # a second's worth may come at once in the beginning, and after a stall what it cost, up to a second's
                self.assertGreater(arrived[-1] - arrived[0], (SECONDS - 1) * (1 - TOLERANCE))
                self.assertLess(arrived[-1] - arrived[0], SECONDS * SLOWEST)


if __name__ == "__main__":
    unittest.main()
