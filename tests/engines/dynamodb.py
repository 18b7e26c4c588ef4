"""DynamoDB over the network, through boto3."""
import json
import time

import items
import servers

from . import holding, records

NAME = "dynamodb"
SERVER, REASONS = servers, ("no dynalite:", "no boto3:")
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "items"
WORDS = r"dynamodb:|DynamodbCase|dynalite|KillDynamodb"
SOURCES = ("src/connectors/dynamodb/", "src/connectors/keyed/", "src/net/")


def uri(at):
    server, _ = at
    return "dynamodb://us-east-1?endpoint=" + server.endpoint


def fit(tables):
    """Leaves out values that DynamoDB would not take."""
    for table in tables:
        for record in table.records:
            for column, (tag, value) in list(record.items()):
                if tag == "n" and (isinstance(value, str) or value and not -130 <= value.adjusted() <= 125) or \
                        column in table.key and tag in "sb" and len(value) > 250:
                    del record[column]
    return tables


def write(at, tables, _types, _draw):
    _, client = at
    for table in tables:
        items.create(client, table.name, [(column, table.letters[column]) for column in table.key])
        items.put(client, table.name, [records.item_of(record) for record in table.records])


def read(at):
    _, client = at
    return {table: [records.record_of(item) for item in found] for table, found in items.everything(client).items()}


class Holding:
    """Tables, by boto3."""

    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True
    keys = {"plain": (("id", "N"),), "pair": (("x", "S"), ("y", "N")), "counted": (("id", "N"),)}

    def __init__(self, client):
        self.client = client

    @classmethod
    def at(cls, _uri, test):
        return cls(test.client)

    def contents(self, _folder):
        leaves, containers = {}, {}
        for table in items.tables(self.client):
            schema = self.client.describe_table(TableName=table)["Table"]
            names = [part["AttributeName"] for part in schema["KeySchema"]]
            containers[table,] = names
            for item in items.scan(self.client, table):
                leaves[(table, *(repr(item[name]) for name in names))] = json.dumps(item, sort_keys=True, default=repr)
        return holding.Contents(leaves, containers)

    def fill(self, _folder):
        for table, key in self.keys.items():
            items.create(self.client, table, key)
            items.put(self.client, table, [dict(self.key(table, i), note={"S": "old %d" % i}, a={"S": "old"},
                                                mine={"M": {"z": {"L": [{"N": "1.5"}, {"NULL": True}]},
                                                            "a": {"SS": ["x", "y"]}}})
                                           for i in range(-10, 40)])

    def key(self, table, i):
        return {"x": {"S": "k%d" % (i % 13)}, "y": {"N": str(i)}} if table == "pair" else {"id": {"N": str(i * 3)}}

    def meddle(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 300000), mine={"S": "mine"}))
            self.client.put_item(TableName=table, Item=dict(self.key(table, 7), mine={"S": "changed"}))
            self.client.delete_item(TableName=table, Key=self.key(table, 8))

    def lose(self, _folder):
        for table in self.keys:
            for i in range(3, 600, 45):
                self.client.delete_item(TableName=table, Key=self.key(table, i))

    def alter(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 4), u={"N": "1"}, note={"BOOL": False}))

    def add(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 200000), extra={"L": []}))

    def leftovers(self, _folder):
        """A table that was told to go is listed until it is gone."""
        deadline = time.monotonic() + 20
        while True:
            found = [name for name in self.client.list_tables()["TableNames"] if name.startswith("_transhume")]
            if not any(self.is_going(name) for name in found) or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def is_going(self, name):
        try:
            return self.client.describe_table(TableName=name)["Table"]["TableStatus"] == "DELETING"
        except self.client.exceptions.ResourceNotFoundException:
            return True
