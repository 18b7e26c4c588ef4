"""Folders of JSON lines, through Python's json module."""
import base64
import decimal
import json
import os

import items

from . import holding, records, rows

NAME = "jsonl"
COMMITS, JOINS, SNAPSHOT, SHAPE = "files", False, False, "documents"
SOURCES = ("src/connectors/jsonl/", "src/connectors/folder/")


def uri(at):
    return "jsonl:" + at


def value_text(tagged):
    tag, value = tagged
    if tag == "n":
        return '{"$float64":"%s"}' % records.number_text(value) if isinstance(value,
                                                                              str) else records.number_text(value)
    if tag == "b":
        return '{"$bytes":"%s"}' % base64.b64encode(value).decode()
    return ("true" if value else "false") if tag == "t" else json.dumps(value)


def write(path, tables, _types, _draw):
    for table in tables:
        # In a column of bytes base64 is plain, and a text has the tag.
        content = records.definition(table, True)
        for column in content["columns"]:
            column["type"] = "text" if column["type"] == "bytes" else column["type"]
        records.write_definition(path, table, content)
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "part-1.jsonl"), "w", encoding="utf-8") as file:
            for record in table.records:
                file.write("{%s}\n" % ",".join("%s:%s" % (json.dumps(name), value_text(value))
                                               for name, value in record.items()))


def value_of(value, column):
    if isinstance(value, dict) and len(value) == 1:
        (tag, inner), = value.items()
        if tag == "$bytes":
            return ("b", base64.b64decode(inner))
        if tag in ("$float64", "$decimal"):
            return records.number(records.WORDS.get(inner, inner))
        if tag == "$text":
            return ("s", inner)
        if tag == "$value":
            return value_of(inner, {})
    if isinstance(value, bool):
        return ("t", value)
    if isinstance(value, decimal.Decimal):
        return records.number(value)
    kind = (column or {}).get("type")
    if kind == "bytes":
        return ("b", base64.b64decode(value))
    return records.number(records.WORDS[value]) if kind in ("float64", "decimal") and value in records.WORDS else ("s",
        value)


def read(path):
    found = {}
    for table in records.folders(path):
        with open(os.path.join(path, "_transhume", "tables", table + ".json"), encoding="utf-8") as file:
            columns = {column["name"]: column for column in json.load(file)["columns"]}
        found[table] = []
        for text in records.texts(os.path.join(path, table)):
            for line in text.split("\n")[:-1]:
                record = json.loads(line, parse_float=records.CONTEXT.create_decimal,
                                    parse_int=records.CONTEXT.create_decimal)
                found[table].append({name: value_of(value, columns.get(name)) for name, value in record.items()
                                     if value is not None})
    return found


def contents(folder, source, sparse=False):
    """Bytes are base64, tagged or in a column of `source` that has bytes; `sparse`: what is missing is null."""
    found = {}
    for table, records in rows.files_of(folder, lambda text: map(parsed, text.split("\n")[:-1])).items():
        kinds = rows.kinds_of(source).get(table, {})
        given = dict.fromkeys(kinds) if sparse else {}
        found[table] = rows.rows_of({column: typed_of_json(kinds.get(column), of)
                                     for column, of in {**given, **record}.items()} for record in records)
    return found


class Number(str):
    """The digits of a number, to tell them from a text."""


def parsed(line):
    return json.loads(line, parse_int=Number, parse_float=Number)


def typed_of_json(kind, of):
    if isinstance(of, dict):
        kind, of = "bytes", of["$bytes"]
    if kind == "bytes" and of is not None:
        return kind, base64.b64decode(of, validate=True).hex()
    return ("number", items.number(of)) if isinstance(of, Number) else rows.value(of)


class Holding(holding.Folder):
    form = NAME
