"""Folders of DynamoDB-JSON, through Python's json module."""
import json
import os

import items
import support

from . import holding, records
from .dynamodb import fit  # as the database itself

NAME = "dynamodb-json"
COMMITS, JOINS, SNAPSHOT, SHAPE = "files", False, False, "items"
WORDS = r"dynamodb-json|dynamodb_json|read_dynamodb_json"
SOURCES = ("src/connectors/dynamodb/", "src/connectors/folder/")


def uri(at):
    return "dynamodb-json:" + at


def write(path, tables, _types, _draw):
    for table in tables:
        letters = table.letters
        records.write_definition(path, table, {
            "TableName": table.name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": c, "KeyType": k} for c, k in zip(table.key, ("HASH", "RANGE"))],
            "AttributeDefinitions": [{"AttributeName": c, "AttributeType": letters[c]} for c in table.key]})
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "data-1.json"), "w", encoding="utf-8") as file:
            for record in table.records:
                typed = {name: items.attribute(value) for name, value in records.item_of(record).items()}
                file.write(json.dumps({"Item": typed}) + "\n")


def read(path):
    return {table: [records.record_of(item) for item in found]
            for table, found in support.read_dynamodb_json(path).items()}


class Holding(holding.Folder):
    form = NAME
