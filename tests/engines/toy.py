"""
The test-only connector, whose log is read here by the drawings at the head of its files. Only the program writes it.
"""
import collections
import decimal
import json
import os
import struct

import items

from . import records, rows

NAME = "toy"
IS_SOURCE = False
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "items"
WORDS = r"\btoy\b"
SOURCES = ("tests/connector_toy/", "src/connectors/keyed/")


def uri(at):
    return "toy:" + at


# --- its log

TOY_PUT = 1
(MISSING, NULL, BOOL, INT64, UINT64, FLOAT32, FLOAT64, DECIMAL, TEXT, BYTES) = range(10)
LIST, SET, MAP = 16, 17, 18
ESCAPE, SMALL = 20, 1


class ToyLog:
    """The log of the test-only connector, read by the drawings at the head of its files."""

    def __init__(self, folder):
        with open(os.path.join(folder, "data.log"), "rb") as file:
            data = file.read()
        self.tables = collections.defaultdict(dict)
        at = 0
        while at < len(data):
            length, _ = struct.unpack_from("<IQ", data, at)
            self.entry(data[at + 12:at + 12 + length])
            at += 12 + length

    def entry(self, payload):
        kind, _, table_length = struct.unpack_from("<BQH", payload, 0)
        at = 11 + table_length
        table = payload[11:at].decode()
        key_length, = struct.unpack_from("<I", payload, at)
        key = payload[at + 4:at + 4 + key_length]
        if kind == TOY_PUT:
            _, fields = self.cell(payload, at + 4 + key_length)[0]
            self.tables[table][key] = {name[1].decode(): value for name, value in fields}

    def cell(self, data, at):
        kind, flags, aux, length = struct.unpack_from("<BBHI", data, at)
        at += 8
        if kind in (TEXT, BYTES, ESCAPE) or (kind == DECIMAL and not flags & SMALL):
            return (kind, data[at:at + length]), at + length
        if kind in (LIST, SET):
            values = []
            for _ in range(length):
                value, at = self.cell(data, at)
                values.append(value)
            return (kind, values), at
        if kind == MAP:
            pairs = []
            for _ in range(length):
                name, at = self.cell(data, at)
                value, at = self.cell(data, at)
                pairs.append((name, value))
            return (kind, pairs), at
        if kind == DECIMAL:
            whole, = struct.unpack_from("<q", data, at)
            return (kind, decimal.Decimal(whole).scaleb(-aux)), at + 8
        if kind == FLOAT64:
            return (kind, struct.unpack_from("<d", data, at)[0]), at + 8
        if kind in (NULL, BOOL, INT64):
            return (kind, struct.unpack_from("<q", data, at)[0]), at + 8
        if kind == UINT64:
            return (kind, struct.unpack_from("<Q", data, at)[0]), at + 8
        raise AssertionError("a value of kind %d" % kind)


def typed_of(value):
    """A value of the toy's log as an attribute of DynamoDB."""
    kind, content = value
    if kind == MAP:
        return {"M": {name[1].decode(): typed_of(inner) for name, inner in content}}
    if kind == LIST:
        return {"L": [typed_of(inner) for inner in content]}
    if kind == SET:
        elements = [typed_of(inner) for inner in content]
        (letter, _), = elements[0].items()
        return {letter + "S": [element[letter] for element in elements]}
    if kind == NULL:
        return {"NULL": True}
    if kind == BOOL:
        return {"BOOL": bool(content)}
    if kind in (TEXT, BYTES):
        return {"S": content.decode()} if kind == TEXT else {"B": content}
    return {"N": content.decode() if isinstance(content, bytes) else repr(content) if isinstance(content, float)
            else str(content)}


def plain(value):
    """A list of texts as its JSON text."""
    kind, content = value
    if kind == LIST:
        return "text", json.dumps([text.decode() for _, text in content], separators=(",", ":"))
    (letter, of), = typed_of(value).items()
    return None if letter == "NULL" else ("number", items.number(of)) if letter == "N" else rows.value(of)


def contents(path):
    """What a record lacks is null."""
    tables = ToyLog(path).tables
    columns = {table: dict.fromkeys(name for record in held.values() for name in record)
               for table, held in tables.items()}
    return {table: rows.rows_of({**columns[table], **{name: plain(value) for name, value in record.items()}}
                                for record in held.values())
            for table, held in tables.items()}


def read(path):
    return {table: [records.record_of({name: typed_of(value) for name, value in record.items()})
                    for record in held.values()]
            for table, held in ToyLog(path).tables.items()}
