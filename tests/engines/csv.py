"""Folders of CSV, through Python's csv module where it suffices: it does not tell what was quoted."""
import csv
import decimal
import io
import json
import os
import re

from . import holding, records, rows

NAME = "csv"
COMMITS, JOINS, SNAPSHOT, SHAPE = "files", False, False, "tables"
CONTRACT = "csv*"   # in a bucket, too
SOURCES = ("src/connectors/csv/", "src/connectors/folder/")


def uri(at):
    return "csv:" + at


def field(tagged):
    if tagged is None:
        return ""
    tag, value = tagged
    if tag == "n":
        return records.number_text(value)
    if tag == "b":
        return "\\x" + value.hex()
    return ("true" if value else "false") if tag == "t" else '"%s"' % value.replace('"', '""')


def write(path, tables, _types, _draw):
    for table in tables:
        records.write_definition(path, table, records.definition(table, False))
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "part-1.csv"), "w", encoding="utf-8", newline="") as file:
            file.write(",".join('"%s"' % column.replace('"', '""') for column in table.columns) + "\n")
            for record in table.records:
                file.write(",".join(field(record.get(column)) for column in table.columns) + "\n")


def records_in(text):
    """Each record as [(quoted, text)]: Python's csv module does not tell what was quoted."""
    at, record = 0, []
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while text[end] != '"' or text[end + 1:end + 2] == '"':
                end += 2 if text[end] == '"' else 1
            record.append((True, text[at + 1:end].replace('""', '"')))
            at = end + 1
        else:
            end = re.compile(r"[,\n]").search(text, at).start()
            record.append((False, text[at:end]))
            at = end
        if text[at] == "\n":
            yield record
            record = []
            at += 1
            continue
        at += 1
        if at < len(text) and text[at] == "\n":  # an empty field at the end
            record.append((False, ""))
            yield record
            record = []
            at += 1


def is_number(text):
    """As docs/types/csv.md says it of columns of any kind: written again it is the same; with an exponent, a float."""
    if text in records.WORDS:
        return True
    return bool(records.NUMBER.fullmatch(text)) and (
        "e" not in text.lower() or decimal.Decimal(text) == decimal.Decimal(repr(float(text))))


def value_of(quoted, text, column):
    if not quoted and text == "":
        return None
    if quoted and column.get("dynamic") or column["type"] == "text" and not column.get("dynamic"):
        return ("s", text)
    if column["type"] == "bytes" and text.startswith("\\x") or not quoted and text.startswith("\\x"):
        return ("b", bytes.fromhex(text[2:]))
    if text in ("true", "false") and (column["type"] == "bool" or column.get("dynamic")):
        return ("t", text == "true")
    return records.number(records.WORDS.get(text, text)) if is_number(text) else ("s", text)


def read(path):
    found = {}
    for table in records.folders(path):
        with open(os.path.join(path, "_transhume", "tables", table + ".json"), encoding="utf-8") as file:
            columns = {column["name"]: column for column in json.load(file)["columns"]}
        found[table] = []
        for text in records.texts(os.path.join(path, table)):
            head, *rows = list(records_in(text))
            for row in rows:
                values = {name: value_of(*field, columns[name]) for (_, name), field in zip(head, row)}
                found[table].append({name: value for name, value in values.items() if value})
    return found


def contents(folder, source):
    """
    By the kinds of `source`'s columns. The csv module can't tell a null from an empty text, and here both are None: see
    `without_empty`.
    """
    found = {}
    for table, records in rows.files_of(folder, lambda text: csv.DictReader(io.StringIO(text, newline=""),
                                                                            strict=True)).items():
        kinds = rows.kinds_of(source).get(table, {})
        found[table] = rows.rows_of({column: typed_of(kinds.get(column), text) for column, text in record.items()}
                                    for record in records)
    return found


def typed_of(kind, text):
    if not text:
        return None
    return (kind, text.removeprefix("\\x")) if kind == "bytes" else rows.typed(kind, text)


class Holding(holding.Folder):
    form = NAME
