"""DynamoDB over the network, through boto3."""
import items
import servers

from . import records

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
