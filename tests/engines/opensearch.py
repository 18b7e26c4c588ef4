"""
OpenSearch, through Python's own HTTP client. Each place is a prefix of names in the server that a test run shares.
"""
import base64
import binascii
import decimal
import json
import re

import opensearch_server

from . import records, rows

NAME = "opensearch"
SERVER, REASONS = opensearch_server, ("no OpenSearch:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "tables"
WORDS = r"\bopensearch\b|SERVERS"
SOURCES = ("src/connectors/opensearch/", "src/connectors/keyed/", "src/net/")
KINDS = {"n": "decimal", "s": "text", "b": "bytes", "t": "bool"}
TYPES = {"n": "double", "s": "text", "b": "binary", "t": "boolean"}
ID_BYTES_MAX = 512


def uri(at):
    server, prefix = at
    return server.uri(prefix)


def column(tag):
    """
    JSON does not tell bytes from texts. A decimal's digits are kept in the double that is made for it, not in one that
    a plan asks for.
    """
    return TYPES[tag] if tag != "n" else None


def fit(tables):
    """
    Every table has a key and a name that an index can have; a column has a name without a dot and values of one kind.
    """
    found = [table for table in tables if table.key and re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", table.name)]
    for table in found:
        lost = {column for column in table.columns if "." in column or not column.strip() or column == "_id"}
        for record in table.records:
            for column in list(record):
                if column in lost or record[column][0] == "n" and isinstance(record[column][1], str):
                    del record[column]
        table.columns = [column for column in table.columns if column not in lost]
        records.one_tag_a_column(table)
        table.records = [record for record in table.records if all(column in record for column in table.key)
                         and len(id_of(table, record).encode()) <= ID_BYTES_MAX]
    return [table for table in found if all(column in table.columns for column in table.key)]


def text_of(tagged):
    tag, value = tagged
    if tag == "n":
        return records.number_text(value)
    return base64.b64encode(value).decode() if tag == "b" else value if tag == "s" else "true" if value else "false"


def id_of(table, record):
    """As docs/opensearch.md has it."""
    parts = [text_of(record[column]).replace("%", "%25") for column in table.key]
    parts[:-1] = [part.replace(":", "%3A") for part in parts[:-1]]
    return ":".join(part or "%" for part in parts)


def document_of(record):
    """JSON whose numbers have all their digits."""
    return "{%s}" % ",".join("%s:%s" % (json.dumps(column), text_of(tagged) if tagged[0] in "nt"
                                        else json.dumps(text_of(tagged))) for column, tagged in record.items())


def write(at, tables, types, _draw):
    server, prefix = at
    for table in tables:
        tags = types.get(table.name) or {column: next((record[column][0] for record in table.records
                                                       if column in record), "s") for column in table.columns}
        server.ask("PUT", "/%s%s" % (prefix, table.name.lower()), {"mappings": {
            "dynamic": False, "properties": {column: {"type": TYPES[tags[column]]} for column in table.columns},
            "_meta": {"transhume": {"run": "", "table": table.name, "key": table.key,
                                    "columns": [[column, KINDS[tags[column]]] for column in table.columns]}}}})
        if table.records:
            server.bulk(prefix + table.name.lower(), {id_of(table, record): document_of(record)
                                                      for record in table.records})


def everything(at):
    """{table: (its columns' kinds, {id: document})}"""
    server, prefix = at
    found = {}
    for name, index in server.ask("GET", "/%s*" % prefix).items():
        note = index["mappings"].get("_meta", {}).get("transhume", {"table": name[len(prefix):], "columns": []})
        found[note["table"]] = dict(note["columns"]), server.documents(name)
    return found


def tagged(kind, value):
    """None of what is null; bytes are told from texts by their column."""
    if value is None or isinstance(value, (bool, list, dict, int, decimal.Decimal)):
        return None if value is None else ("t", value) if isinstance(value, bool) else (
            {list: "L", dict: "M"}[type(value)], value) if isinstance(value,
                                                                      (list, dict)) else records.number(str(value))
    if kind and kind.startswith("bytes"):
        try:
            return ("b", base64.b64decode(value, validate=True))
        except binascii.Error:
            pass
    return ("s", value)


def read(at):
    return {table: [{name: tagged(kinds.get(name), value) for name, value in document.items() if value is not None}
                    for document in held.values()]
            for table, (kinds, held) in everything(at).items()}


def contents(server, prefix):
    """What a document lacks is null."""
    found = {}
    for table, (kinds, held) in everything((server, prefix)).items():
        columns = dict.fromkeys([name for document in held.values() for name in document])
        found[table] = rows.rows_of({**columns, **{name: plain(kinds.get(name), value)
                                                   for name, value in document.items()}} for document in held.values())
    return found


def plain(kind, value):
    of = tagged(kind, value)
    if of is None:
        return None
    tag, told = of
    if tag == "n":
        return "number", rows.items.number(str(told))
    return ("bytes", told.hex()) if tag == "b" else ("text", told if tag == "s" else json.dumps(told, default=str))
