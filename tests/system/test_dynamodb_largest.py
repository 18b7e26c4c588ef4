"""
Items of DynamoDB as large as a server takes them, in each shape: it is the server that says which one is too large.
"""
import base64
import json
import os
import unittest

import items
import support
from dynamodb_case import DynamodbCase

ITEM_BYTES_MAX = 400 * 1024
UNIT_BYTES = 1024
PLAN = """
transhume: 1
source: dynamodb-json:in
target: "%s"
existing: %s
tables:
  %s:
    key: { partition: id }
    from: largest
    fields: { "*": copy, id: { column: id, cast: text } }
    nulls: keep
"""
NUMBERS = [str(n) for n in range(2000)]
SHAPES = {
    "text": {},
    "wide text": {"t": {"S": "\U0001f411\u00e9\x01" * 4000}},
    "binary": {"b": {"B": bytes(range(256)) * 100}},
    "sets": {"s": {"SS": ["s%d" % n for n in range(2000)]}, "n": {"NS": NUMBERS},
             "b": {"BS": [b"%d" % n for n in range(2000)]}},
    "attributes": {"a%05d" % n: {"N": str(n)} for n in range(2000)},
    "negative numbers": {"n": {"NS": ["-%d.%d1" % (n, n) for n in range(2000)]}},
    "long numbers": {"n": {"NS": ["1234567890123456789012345678901234%04d" % n for n in range(2000)]}},
    "long name": {"n" * 60000: {"BOOL": True}},
    "list of numbers": {"l": {"L": [{"N": n} for n in NUMBERS]}},
    "list of nothing": {"l": {"L": [{"NULL": True}, {"BOOL": False}, {"S": ""}] * 15000}},
    "list of lists": {"l": {"L": [{"L": []}, {"M": {}}, {"L": [{"N": "0"}]}] * 1000}},
    "map": {"m": {"M": {"k%d" % n: {"N": "-%d" % n} for n in range(2000)}}},
    "list of maps": {"l": {"L": [{"M": {"Id": {"N": str(n)}, "Name": {"S": "row"}}} for n in range(2000)]}},
}

# Too large by any count: refused without asking.
CERTAIN = {"text", "wide text", "binary", "long name"}


def in_json(value):
    """DynamoDB's JSON of what boto3 is given."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: in_json(part) for name, part in value.items()}
    return [in_json(part) for part in value] if isinstance(value, list) else value


class LargestItems(DynamodbCase):
    """The largest item that the server takes arrives; one byte more is a reject, alone, whatever request it was in."""
    server_name = "dynoxide"

    def put(self, item):
        return self.client.put_item(TableName="oracle", Item=item, ReturnConsumedCapacity="TOTAL")

    def largest(self, base):
        """How much filler the server takes with it, to the byte."""
        units = int(self.put(dict(base, f={"S": ""}))["ConsumedCapacity"]["CapacityUnits"])
        low, high = ITEM_BYTES_MAX - units * UNIT_BYTES, ITEM_BYTES_MAX - (units - 1) * UNIT_BYTES
        while low < high:
            middle = (low + high + 1) // 2
            try:
                self.put(dict(base, f={"S": "x" * middle}))
                low = middle
            except self.client.exceptions.ClientError as fault:
                self.assertIn("size", str(fault))
                high = middle - 1
        return low

    def make_input(self):
        """Each shape's largest item and, in the same request, one that is a byte larger. Returns the former."""
        items.create(self.client, "oracle")
        os.makedirs(self.path("in", "largest"))
        wanted = []
        with open(self.path("in", "largest", "data-1.json"), "w", encoding="utf-8") as file:
            for name, attributes in SHAPES.items():
                base = dict(attributes, id={"S": name + "!"})
                room = self.largest(base)
                wanted.append(dict(base, f={"S": "x" * room}))
                for item in (wanted[-1], dict(base, id={"S": name + "?"}, f={"S": "x" * (room + 1)})):
                    file.write(json.dumps({"Item": in_json(item)}) + "\n")
        self.client.delete_table(TableName="oracle")
        items.wait_gone(self.client, "oracle")
        return wanted

    def test_each_shape_in_each_way_of_writing(self):
        wanted = self.make_input()
        for existing in ("refuse", "append", "upsert"):   # BatchWriteItem, PutItem, UpdateItem
            with self.subTest(existing=existing):
                if existing != "refuse":
                    items.create(self.client, existing)
                self.write("plan.yaml", PLAN % (self.uri(), existing, existing))
                result = self.run_aws("migrate", "--plan", "plan.yaml", "--state", existing + "-state", code=1)
                self.assertIn(" %d rejected" % len(SHAPES), result.err)
                items.assert_same(self, wanted, items.scan(self.client, existing))
                rejects = self.rejects(existing + "-state")
                self.assertEqual(sorted(reject["record"]["id"] for reject in rejects),
                                 sorted(name + "?" for name in SHAPES))
                for reject in rejects:
                    self.assertEqual(reject["code"], "record-too-large", reject["record"]["id"])
                    name = reject["record"]["id"][:-1]
                    self.assertRegex(reject["reason"], "at least 409601 bytes" if name in CERTAIN
                                     else "[Ii]tem size .*exceeded", name)
        self.run_aws("migrate", "--state", "back", "--include", "refuse", self.uri(), "dynamodb-json:out")
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["refuse"])


if __name__ == "__main__":
    unittest.main()
