"""What tests against DynamoDB over the network share: a server a class, the program's URI, other people's eyes."""
import json
import os

import items
import servers
import support


class DynamodbCase(support.TestCase):
    """`self.server` and boto3's `self.client`; each test begins without tables."""
    server_name = "dynalite"

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, cls.server_name)
        cls.client = items.client_of(cls.server)

    def setUp(self):
        super().setUp()
        items.empty(self.client)

    def uri(self, endpoint=None, region="us-east-1", **options):
        options = dict({"endpoint": endpoint or self.server.endpoint}, **options)
        return "dynamodb://%s?%s" % (region, "&".join("%s=%s" % pair for pair in options.items()))

    def run_aws(self, *arguments, code=0, time_limit=support.TIME_LIMIT_S, **changes):
        """The program with keys of no account; `changes` are environment variables."""
        return self.run_program(*arguments, code=code, time_limit=time_limit,
                                env=servers.aws_environment(self.folder, **changes))

    def rejects(self, state):
        found = []
        for folder, _, names in os.walk(self.path(state, "rejects")):
            for name in sorted(names):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    found += [json.loads(line) for line in file]
        return found

    def assert_tables(self, expected, client=None):
        """All tables and all items, as boto3 reads them."""
        client = client or self.client
        self.assertEqual(items.tables(client), sorted(expected))
        for table, wanted in expected.items():
            items.assert_same(self, wanted, items.scan(client, table))

    def write_json_folder(self, name, tables):
        """A dynamodb-json folder, written here."""
        for table, wanted in tables.items():
            os.makedirs(self.path(name, table))
            with open(self.path(name, table, "data-1.json"), "w", encoding="utf-8") as file:
                for item in wanted:
                    typed = {attribute: items.attribute(value) for attribute, value in item.items()}
                    file.write(json.dumps({"Item": typed}) + "\n")
        return "dynamodb-json:" + name
