"""A source that breaks off amid a chunk while much of that chunk is still on its way to DynamoDB."""
import os
import random
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import postgres
import servers
import support
import tcp_proxy

ROWS = 6000   # of which three quarters are more than one batch
TEXT = "0123456789" * 4
ROW_BYTES = 50
FILL = {"postgres": "CREATE TABLE many (id int PRIMARY KEY, v text);"
                    "INSERT INTO many SELECT i, repeat('0123456789', 4) FROM generate_series(1, %d) i" % ROWS,
        "mysql": "CREATE TABLE many (id int PRIMARY KEY, v text);"
                 "INSERT INTO many SELECT seq, repeat('0123456789', 4) FROM seq_1_to_%d" % ROWS}


class BreakingProxy(tcp_proxy.Proxy):
    """Ends the first connection whose server has sent so many bytes."""

    def __init__(self, port, limit_bytes):
        self.limit_bytes, self.broken = limit_bytes, 0
        super().__init__(port)

    def passers(self, program, server):
        sent = 0

        def seen(data):
            nonlocal sent
            sent += len(data)
            with self.lock:
                if sent > self.limit_bytes and self.broken == 0:
                    self.broken += 1
                    raise ConnectionResetError

        return lambda: tcp_proxy.pass_on(program, server), lambda: tcp_proxy.pass_on(server, program, seen)


class BrokenSource(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.target)
        cls.sql = {"mysql": mariadb.for_class(cls), "postgres": postgres.for_class(cls)}

    def assert_goes_on(self, kind, *options):
        items.empty(self.client)
        server = self.sql[kind]
        name = server.database()
        server.ask(name, FILL[kind])
        with BreakingProxy(server.port, ROWS * ROW_BYTES * 3 // 4) as proxy:
            source = server.uri(name).replace(":%d/" % server.port, ":%d/" % proxy.port)
            self.assertIn(str(proxy.port), source)
            self.run_program("migrate", "--jobs", "1", "--chunk-rows", str(ROWS), "--stall", "3s", "--state", "state-%s%s" % (kind, "".join(options)), *options, source,
                             "dynamodb://us-east-1?endpoint=" + self.target.endpoint, env=servers.aws_environment(self.folder))
            self.assertEqual(proxy.broken, 1)
        items.assert_same(self, [{"id": {"N": str(i)}, "v": {"S": TEXT}} for i in range(1, ROWS + 1)], items.scan(self.client, "many"))

    def test_the_chunk_begins_again(self):
        ways = [(kind, options) for kind in FILL for options in ((), ("--existing", "upsert"))]
        for kind, options in ways if support.SOAK else random.Random(support.SEED).sample(ways, 2):
            with self.subTest(kind, options=options):
                self.assert_goes_on(kind, *options)


if __name__ == "__main__":
    unittest.main()
