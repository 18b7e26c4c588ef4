"""Items at the border of 400 KB, made by plans: what the server takes arrives, and one byte more is a reject."""
import json
import sqlite3
import unittest
import urllib.error
import urllib.request

import items
import servers
import support
from dynamodb_case import DynamodbCase

# parent (id, pad) with children: what the plan makes of each case is what `made` says.
PLAN = """
transhume: 1
source: sqlite:source.db
target: "%s"
tables:
  border:
    key: { partition: id }
    entities:
      parent:
        from: parent
        fields:
          id: { column: id, cast: text }
          pad: { column: pad }
%s
"""
LISTS = {
    # maps of one short member: 7 bytes each as DynamoDB counts, ten times that in this program's memory
    "tiny maps": (38000, """          children: { embed: child, order: id, fields: { a: { column: flag } } }""",
                  lambda children: {"children": {"L": [{"M": {"a": {"N": str(c[1])}}} for c in children]}}),
    "texts": (60, """          children: { embed: child, order: id, fields: { t: { column: t }, n: { column: n } } }""",
              lambda children: {"children": {"L": [{"M": {"t": {"S": c[2]}, "n": {"N": str(c[3])}}}
                                                   for c in children]}}),
    "sums": (500, """          Total: { aggregate: child, value: "sum(n)" }
          Count: { aggregate: child, value: "count(*)" }
          Most: { aggregate: child, value: "max(t)" }""",
             lambda children: {"Total": {"N": str(sum(c[3] for c in children))}, "Count": {"N": str(len(children))},
                               "Most": {"S": max(c[2] for c in children)}}),
}


class Border(DynamodbCase):
    server_name = "dynoxide"

    def takes(self, text, pad):
        """Does the server take the item? Asked without boto3, which takes a second to write such an item."""
        body = '{"TableName":"probe","Item":{"pad":{"S":"%s"},%s}' % ("x" * pad, text[1:])
        request = urllib.request.Request(self.server.endpoint, body.encode(), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.PutItem",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=%s/20260101/us-east-1/dynamodb/aws4_request, "
                             "SignedHeaders=host, Signature=%064d" % (servers.ACCESS_KEY_ID, 0)})
        try:
            urllib.request.urlopen(request, timeout=60).close()
            return True
        except urllib.error.HTTPError as error:
            self.assertIn("Item size", error.read().decode())
            return False

    def longest_pad(self, item):
        """The longest `pad` with which the server takes the item, found by asking it."""
        items.create(self.client, "probe")
        text = json.dumps(item)
        low, high = 1, 410000
        self.assertTrue(self.takes(text, low), "the item is too large without a pad")
        while low + 1 < high:
            middle = (low + high) // 2
            if self.takes(text, middle):
                low = middle
            else:
                high = middle
        self.client.delete_table(TableName="probe")
        items.wait_gone(self.client, "probe")
        return low

    def assert_border(self, item, longest, state):
        """Of the two parents one arrived, and the other, a byte longer, is a reject with its key."""
        found = items.scan(self.client, "border")
        items.assert_same(self, [{**item, "id": {"S": "1"}, "pad": {"S": "x" * longest}}], found)
        rejects = self.rejects(state)
        self.assertEqual(len(rejects), 1, rejects)
        self.assertEqual(rejects[0]["code"], "record-too-large")
        self.assertTrue(rejects[0]["key"])

    def test_lists_and_sums_of_child_rows(self):
        for number, (name, (count, fields, made)) in enumerate(LISTS.items()):
            with self.subTest(case=name):
                items.empty(self.client)
                children = [(i, i % 2, "text %d é" % i, i * 7 - 100) for i in range(count)]
                item = {"id": {"S": "1"}, **made(children)}
                longest = self.longest_pad(item)
                self.make_source(children, longest)
                self.write("plan.yaml", PLAN % (self.uri(), fields))
                state = "state-%d" % number
                self.run_aws("migrate", "--plan", "plan.yaml", "--state", state, code=1)
                self.assert_border(item, longest, state)

    def make_source(self, children, longest):
        db = sqlite3.connect(self.path("source.db"))
        db.executescript("DROP TABLE IF EXISTS child; DROP TABLE IF EXISTS parent;"
                         "CREATE TABLE parent(id INTEGER PRIMARY KEY, pad TEXT);"
                         "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent, flag, t TEXT, "
                         "n INTEGER);"
                         "CREATE INDEX child_parent ON child(parent);")
        for parent in (1, 2):
            db.execute("INSERT INTO parent VALUES (?, ?)", (parent, "x" * (longest + parent - 1)))
            db.executemany("INSERT INTO child(parent, flag, t, n) VALUES (?, ?, ?, ?)",
                           [(parent, flag, text, n) for _, flag, text, n in children])
        db.commit()
        db.close()

    def test_documents_taken_apart_and_copied(self):
        """From items: a long list of short values that a plan copies by its name, and elements that become records."""
        flags = {"L": [{"BOOL": n % 2 == 0} for n in range(120000)]}
        item = {"id": {"S": "1"}, "flags": flags}
        longest = self.longest_pad(item)
        rows = [{"id": {"S": str(n)}, "flags": flags, "pad": {"S": "x" * (longest + n - 1)}} for n in (1, 2)]
        for state, rest, plan in (
                ("copied", {}, """
  border:
    key: { partition: id }
    from: source
    fields: { id: { column: id, cast: text }, flags: copy, pad: copy }
"""), ("unnested", {}, """
  border:
    key: { partition: id }
    entities:
      element:
        from: nested
        unnest: elements
        fields: { id: { column: id, cast: text }, flags: copy, pad: copy }
""")):
            with self.subTest(case=state):
                if "border" in items.tables(self.client):
                    self.client.delete_table(TableName="border")
                    items.wait_gone(self.client, "border")
                source = self.write_json_folder("in-" + state, {
                    "source": rows, "nested": [{"key": {"S": row["id"]["S"]}, "elements": {"L": [{"M": row}]}}
                                               for row in rows]})
                self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: \"%s\"\ntables:%s" % (source, self.uri(),
                    plan))
                self.run_aws("migrate", "--plan", "plan.yaml", "--state", state, code=1)
                self.assert_border(item, longest, state)


if support.SOAK:  # slow with items of so many values
    class BorderDynalite(Border):
        """Another server, which counts in another way."""
        server_name = "dynalite"


if __name__ == "__main__":
    unittest.main()
