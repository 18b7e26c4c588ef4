"""Redis, through the tests' own client. Each place is a database of its own in the server that a test run shares."""
import decimal
import json
import re

import redis_server

from . import records, rows

NAME = "redis"
SERVER, REASONS = redis_server, ("no Redis:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "tables"
WORDS = r"\bredis\b|SERVERS"
SOURCES = ("src/connectors/redis/", "src/connectors/keyed/", "src/net/stream")
NOTES = "transhume:tables"
KINDS = {"n": "decimal", "s": "text", "b": "bytes", "t": "bool"}


def uri(at):
    server, number = at
    return server.uri(number)


def fit(tables):
    """Every table has a key and a name without a colon; a column has values of one kind, as what it is noted as."""
    found = [table for table in tables if table.key and ":" not in table.name
             and not table.name.startswith(("_transhume", "{")) and table.name != "transhume"]
    for table in found:
        records.one_tag_a_column(table)
    return found


def text_of(tagged):
    tag, value = tagged
    if tag == "n":
        if isinstance(value, str) or -7 < value.adjusted() < 21:
            return records.number_text(value)
        shortest = re.sub("e([+-])0*", r"e\1", repr(float(value)))
        return shortest if records.number(shortest) == tagged else format(value, "f")
    return value if tag in "sb" else "true" if value else "false"


def key_of(table, record):
    """As docs/redis.md has it."""
    parts = [text_of(record[column]) for column in table.key]
    parts = [part if isinstance(part, bytes) else part.encode() for part in parts]
    parts[:-1] = [part.replace(b"%", b"%25").replace(b":", b"%3A") for part in parts[:-1]]
    return b":".join([table.name.encode(), *parts])


def write(at, tables, types, _draw):
    server, number = at
    client = server.client(number)
    for table in tables:
        kinds = {column: KINDS[tag] for column, tag in types.get(table.name, {}).items()} or {
            column: KINDS[record[column][0]] for column in table.columns for record in table.records
            if column in record}
        client.ask("HSET", NOTES, table.name, json.dumps({"form": "hash", "key": table.key, "columns": kinds,
                                                          "run": ""}))
        client.pipeline([("HSET", key_of(table, record), *(word for column, tagged in record.items()
                                                           for word in (column, text_of(tagged))))
                         for record in table.records])


def everything(at):
    """{table: (what is noted of it, {key: its fields})}"""
    server, number = at
    client = server.client(number)
    noted = client.ask("HGETALL", NOTES)
    found = {}
    for name, note in zip(noted[::2], noted[1::2]):
        escaped = b"".join(b"\\" + bytes([byte]) if byte in b"*?[]^\\" else bytes([byte]) for byte in name)
        keys = client.ask("KEYS", escaped + b":*")
        hashes = client.pipeline([("HGETALL", key) for key in keys])
        found[name.decode()] = json.loads(note), {key: dict(zip(fields[::2], fields[1::2]))
                                                  for key, fields in zip(keys, hashes)}
    return found


def tagged(kind, value):
    """A field's bytes: of a column whose kind is noted such a value, else what the text looks like."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return ("b", value)
    if kind == "bytes":
        return ("b", value)
    if kind in ("bool",) and text in ("true", "false"):
        return ("t", text == "true")
    looks = records.NUMBER.fullmatch(text) and kind not in ("text", "json", "date", "time", "timestamp", "uuid")
    return records.number(text) if looks or (kind in ("float64", "decimal") and text in records.WORDS) else ("s", text)


def read(at):
    return {table: [{name.decode(): tagged(note["columns"].get(name.decode()), value) for name, value in fields.items()}
                    for fields in held.values()]
            for table, (note, held) in everything(at).items()}


def contents(server, number):
    """What a record lacks is null."""
    found = {}
    for table, (note, held) in everything((server, number)).items():
        columns = dict.fromkeys([name.decode() for fields in held.values() for name in fields])
        found[table] = rows.rows_of({**columns, **{name.decode(): plain(note["columns"].get(name.decode()), value)
                                                   for name, value in fields.items()}}
                                    for fields in held.values())
    return found


def plain(kind, value):
    tag, of = tagged(kind, value)
    if tag == "n":
        return rows.value(of if isinstance(of, str) else int(of) if of == of.to_integral_value()
                          else float(of)) if not isinstance(of, decimal.Decimal) else (
                              "number", rows.items.number(str(of)))
    return ("bytes", of.hex()) if tag == "b" else ("text", of if tag == "s" else text_of((tag, of)))
