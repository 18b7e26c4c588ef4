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
from striking_proxy import TO_PROGRAM, StrikingProxy

ROWS = 6000   # of which three quarters are more than one batch
TEXT = "0123456789" * 4
ROW_BYTES = 50
FILL = {"postgres": "CREATE TABLE many (id int PRIMARY KEY, v text);"
                    "INSERT INTO many SELECT i, '%s' FROM generate_series(1, %d) i" % (TEXT, ROWS),
        "mysql": "CREATE TABLE many (id int PRIMARY KEY, v text);"
                 "INSERT INTO many SELECT seq, '%s' FROM seq_1_to_%d" % (TEXT, ROWS)}


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
        with StrikingProxy(server.port) as proxy:
            proxy.strike("cut", TO_PROGRAM, ROWS * ROW_BYTES * 3 // 4)
            source = server.uri(name, via=proxy)
            self.assertIn(str(proxy.port), source)
            self.run_program("migrate", "--jobs", "1", "--chunk-rows", str(ROWS), "--stall", "3s", "--state",
                             "state-%s%s" % (kind, "".join(options)), *options, source,
                             "dynamodb://us-east-1?endpoint=" + self.target.endpoint,
                             env=servers.aws_environment(self.folder))
            self.assertEqual(proxy.struck, 1)
        items.assert_same(self, [{"id": {"N": str(i)}, "v": {"S": TEXT}} for i in range(1, ROWS + 1)],
                          items.scan(self.client, "many"))

    def test_the_chunk_begins_again(self):
        ways = [(kind, options) for kind in FILL for options in ((), ("--existing", "upsert"))]
        for kind, options in ways if support.SOAK else random.Random(support.SEED).sample(ways, 2):
            with self.subTest(kind, options=options):
                self.assert_goes_on(kind, *options)


if __name__ == "__main__":
    unittest.main()
