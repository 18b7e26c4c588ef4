"""
MongoDB, as FerretDB is it here, through pymongo. Each place is a database of its own in the server that a test run
shares.
"""
import decimal

import ferretdb

from . import records, rows

NAME = "mongodb"
SERVER, REASONS = ferretdb, ("no FerretDB:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "documents"
WORDS = r"\bmongodb\b|SERVERS"
SOURCES = ("src/connectors/mongodb/", "src/connectors/keyed/")
NOTES = "_transhume_tables"
OWN = "_transhume"
KEY_MAX = 600


def uri(at):
    server, name = at
    return server.uri(name)


def bson_of(tagged):
    tag, value = tagged
    if tag != "n":
        return value
    if isinstance(value, str):
        return float(value)
    if records.whole_number(value):
        return int(value)
    from bson import Decimal128
    return Decimal128(format(value, "f"))


def id_of(table, record):
    parts = {column: bson_of(record[column]) for column in table.key}
    return parts if len(parts) > 1 else next(iter(parts.values()))


def fit(tables):
    """Every table has a key and a name that a collection can have; numbers are those that Decimal128 holds."""
    found = [table for table in tables if table.key and "$" not in table.name
             and not table.name.startswith(("_transhume", "system."))]
    for table in found:
        records.one_tag_a_column(table)
        for record in table.records:
            for column, (tag, value) in list(record.items()):
                if tag == "n" and not isinstance(value, str) and (len(value.as_tuple().digits) > 34
                                                                  or not -6000 < value.adjusted() < 6000):
                    del record[column]
        records.fit_for_keys(table)
        # An index of FerretDB has no longer entries.
        table.records = [record for record in table.records if sum(len(record[column][1]) for column in table.key
                                                                   if record[column][0] in "sb") <= KEY_MAX]
    return found


def write(at, tables, _types, _draw):
    server, name = at
    there = server.client()[name]
    for table in tables:
        there[NOTES].insert_one({"_id": table.name, "key": list(table.key), "run": ""})
        documents = [{"_id": id_of(table, record), **{column: bson_of(tagged) for column, tagged in record.items()}}
                     for record in table.records]
        if documents:
            there[table.name].insert_many(documents)
        else:
            there.create_collection(table.name)


def everything(at):
    """{collection: documents without the _id that is made of their keys}"""
    server, name = at
    there = server.client()[name]
    keys = {note["_id"]: note["key"] for note in there[NOTES].find()}
    found = {}
    for collection in there.list_collection_names():
        if not collection.startswith((OWN, "system.")):
            documents = list(there[collection].find())
            if keys.get(collection, ["_id"]) != ["_id"]:
                for document in documents:
                    del document["_id"]
            found[collection] = documents
    return found


def tagged(value):
    """None of what is null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return ("t", value)
    if isinstance(value, (bytes, bytearray)):
        return ("b", bytes(value))
    if isinstance(value, str):
        return ("s", value)
    if isinstance(value, dict):
        return ("M", value)
    if isinstance(value, list):
        return ("L", value)
    return records.number(str(value.to_decimal() if hasattr(value, "to_decimal") else repr(value)
                              if isinstance(value, float) else value))


def read(at):
    return {collection: [{name: tagged(value) for name, value in document.items() if value is not None}
                         for document in documents]
            for collection, documents in everything(at).items()}


def contents(server, name):
    """What a document lacks is null."""
    found = {}
    for collection, documents in everything((server, name)).items():
        columns = dict.fromkeys([field for document in documents for field in document])
        found[collection] = rows.rows_of({**columns, **{field: plain(value) for field, value in document.items()}}
                                         for document in documents)
    return found


def plain(value):
    of = tagged(value)
    if of is None:
        return None
    tag, told = of
    if tag == "n":
        return ("number", rows.items.number(str(told))) if isinstance(told,
                                                                      decimal.Decimal) else rows.value(float(told))
    return ("bytes", told.hex()) if tag == "b" else ("text", told if tag == "s" else repr(told))
