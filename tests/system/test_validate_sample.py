"""Level sample asks a target for the records that were drawn by their keys, and reads no table whole where it can."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import dynamodb_case
import servers
import support
import test_validate
from fault_proxy import FaultProxy

ROWS = 400
SCRIPT = """
CREATE TABLE herd(name TEXT, n INTEGER, wool TEXT, weight DECIMAL(10,2), PRIMARY KEY (name, n));
CREATE TABLE loose(word TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
INSERT INTO herd SELECT 'sheep ' || i, i, 'wool ' || i, i / 100.0 FROM c;
INSERT INTO loose VALUES ('a'), ('b'), ('b');
""" % ROWS
DAMAGE = ("UPDATE herd SET wool = 'moth-eaten' WHERE n IN (5, 77)", "DELETE FROM herd WHERE n = 300",
          "INSERT INTO herd VALUES ('nobody', 0, 'wrote it', NULL)", "DELETE FROM loose WHERE word = 'a'")


class Sample(test_validate.Validate, dynamodb_case.DynamodbCase):
    def run_program(self, *arguments, **options):
        return super().run_program(*arguments, env=servers.aws_environment(self.folder), **options)

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("herd.db"), SCRIPT)

    def assert_found(self, report, loose):
        """All that is drawn by a sample that is larger than the table; what is extra is not looked for."""
        found = sorted((record["kind"], record["table"]) for record in report["records"])
        self.assertEqual(found, [("different", "herd")] * 2 + [("missing", "herd")] + [("missing", "loose")] * loose)

    def test_sqlite_by_a_key_of_two_columns(self):
        self.run_program("migrate", "herd.db", "copy.db")
        self.validate("--sample", "1000")
        self.change(self.path("copy.db"), *DAMAGE)
        self.assert_found(self.validate("--sample", "1000", code=1), 1)

    def test_dynamodb_is_not_scanned(self):
        with FaultProxy(self.server.endpoint) as proxy:
            self.run_program("migrate", "--exclude", "loose", "herd.db", self.uri(proxy.endpoint))
            proxy.clear()
            self.validate("--sample", "150")
            operations = proxy.operations()
            self.assertNotIn("Scan", operations)
            self.assertEqual(operations["BatchGetItem"], 2)
            for n in (5, 77):
                self.client.put_item(TableName="herd", Item={"name": {"S": "sheep %d" % n}, "n": {"N": str(n)}})
            self.client.delete_item(TableName="herd", Key={"name": {"S": "sheep 300"}, "n": {"N": "300"}})
            self.assert_found(self.validate("--sample", "1000", code=1), 0)


if __name__ == "__main__":
    import unittest
    unittest.main()
