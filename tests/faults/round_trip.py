"""Databases of each kind, written and read here by other means than the program's, for copies there and back.

A record is {column: (tag, value)}: n number, s text, b bytes, t truth, and for documents L list, M map, SS NS BS sets. A
null and a field that is missing are not there. Numbers are exact decimals, or the words of what is none.
"""
import base64
import collections
import csv
import decimal
import io
import json
import os
import re
import sqlite3

import items
import support
import toy_log
from random_copies import is_utf8, key_type, tables_of

CONTEXT = decimal.Context(prec=700, Emin=-5000, Emax=5000)
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
WORDS = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
SCHEMES = {"sqlite": "sqlite:%s.db", "csv": "csv:%s", "jsonl": "jsonl:%s", "dynamodb-json": "dynamodb-json:%s",
           "toy": "toy:%s"}
TABULAR = ("sqlite", "csv", "postgres", "mysql")
NESTED = ("L", "M", "SS", "NS", "BS")


def number(text):
    value = CONTEXT.create_decimal(text)
    if not value.is_finite():
        return ("n", str(value).lower().replace("infinity", "inf"))
    return ("n", CONTEXT.normalize(value) if value else decimal.Decimal(0))


def whole_number(value):
    return value == value.to_integral_value() and -2 ** 63 <= value < 2 ** 63


class Table:
    """A table of the source, as it is wanted."""

    def __init__(self, name, columns, key, letters, records):
        self.name, self.columns, self.key, self.letters, self.records = name, columns, key, letters, records


def neutral_tables(path):
    """The random SQLite file as tables of tagged records, without what only SQLite can hold."""
    tables = []
    for table in tables_of(path):
        records = []
        for row in table.rows:
            record = {}
            for column, (kind, value), rule in zip(table.columns, row, table.rules):
                if kind == "text" and is_utf8(value):
                    record[column] = ("s", value.decode())
                elif kind == "blob":
                    record[column] = ("b", bytes(value))
                elif kind == "integer":
                    record[column] = ("t", bool(value)) if rule == "bool" and value in (0, 1) else number(str(value))
                elif kind == "real":
                    record[column] = number(repr(value))
            records.append(record)
        letters = {column: key_type(table.declared[column]) for column in table.key}
        tables.append(Table(table.name, table.columns, table.key, letters, records))
    return tables


def fit_for_keys(table):
    """Leaves out records without a whole key of the letters that it was declared by, and the second ones of a key."""
    tags, seen, kept = {"N": "n", "S": "s", "B": "b"}, set(), []
    for record in table.records if table.key else ():
        key = [record.get(column) for column in table.key]
        fits = all(value and value[0] == tags[table.letters[column]] and value[1] not in ("", b"", "nan", "inf", "-inf")
                   for column, value in zip(table.key, key))
        if fits and repr(key) not in seen:
            seen.add(repr(key))
            kept.append(record)
    table.records = kept if table.key else table.records


def fit_for_dynamodb(table):
    """Leaves out values that DynamoDB would not take."""
    for record in table.records:
        for column, (tag, value) in list(record.items()):
            if tag == "n" and (isinstance(value, str) or value and not -130 <= value.adjusted() <= 125) or \
                    column in table.key and tag in "sb" and len(value) > 250:
                del record[column]


def fit_for_postgres(tables):
    """Leaves out tables and values that PostgreSQL would not take; its index of a key takes a third of a page."""
    tables = [table for table in tables if all(0 < len(name.encode()) <= 63 for name in (table.name, *table.columns)) and
              not table.name.startswith("_transhume")]
    for table in tables:
        for record in table.records:
            for column, (tag, value) in list(record.items()):
                if tag == "s" and "\0" in value or column in table.key and tag in "sb" and len(value) > 250:
                    del record[column]
    return tables


def one_tag_a_column(table):
    """For ways in which a plan gives each column one type: other values are left out. {column: tag}"""
    tags = {}
    for column in table.columns:
        counts = collections.Counter(record[column][0] for record in table.records if column in record)
        tags[column] = counts.most_common(1)[0][0] if counts else "s"
        if column in table.key:
            tags[column] = {"N": "n", "S": "s", "B": "b"}[table.letters[column]]
        for record in table.records:
            if column in record and record[column][0] != tags[column]:
                del record[column]
    return tags


# --- writing sources

def definition(table, tags):
    kinds = {"N": "decimal", "S": "text", "B": "bytes"}
    return {"format": 1, "tags": tags, "key": table.key, "columns": [
        {"name": column, "type": kinds[table.letters[column]] if column in table.key else "text", "dynamic": True}
        for column in table.columns]}


def write_definition(folder, table, content):
    os.makedirs(os.path.join(folder, "_transhume", "tables"), exist_ok=True)
    with open(os.path.join(folder, "_transhume", "tables", table.name + ".json"), "w", encoding="utf-8") as file:
        json.dump(content, file)


def number_text(value):
    if isinstance(value, str):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[value]
    return format(value, "f") if abs(value.adjusted()) < 40 else str(value)


def csv_field(tagged):
    if tagged is None:
        return ""
    tag, value = tagged
    if tag == "n":
        return number_text(value)
    if tag == "b":
        return "\\x" + value.hex()
    return ("true" if value else "false") if tag == "t" else '"%s"' % value.replace('"', '""')


def write_sqlite(path, tables, types):
    """Tables whose columns have one kind of values each: {table: {column: tag}}."""
    words = {"n": "NUMERIC", "s": "TEXT", "b": "BLOB", "t": "BOOLEAN"}
    db = sqlite3.connect(path + ".db")
    for table in tables:
        columns = ["%s %s" % (support.quoted(column), words[types[table.name][column]]) for column in table.columns]
        db.execute("CREATE TABLE %s(%s%s)" % (support.quoted(table.name), ", ".join(columns), primary_key(table)))
        for record in table.records:
            db.execute("INSERT OR IGNORE INTO %s VALUES (%s)" % (support.quoted(table.name), ", ".join("?" * len(columns))),
                       [sqlite_value(record.get(column)) for column in table.columns])
    db.commit()
    db.close()


def primary_key(table, quoted=support.quoted):
    return ", PRIMARY KEY (%s)" % ", ".join(map(quoted, table.key)) if table.key else ""


def sqlite_value(tagged):
    if tagged is None or tagged[0] != "n":
        return tagged and tagged[1]
    value = tagged[1]
    return float(value) if isinstance(value, str) or not whole_number(value) else int(value)


def write_csv(path, tables):
    for table in tables:
        write_definition(path, table, definition(table, False))
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "part-1.csv"), "w", encoding="utf-8", newline="") as file:
            file.write(",".join('"%s"' % column.replace('"', '""') for column in table.columns) + "\n")
            for record in table.records:
                file.write(",".join(csv_field(record.get(column)) for column in table.columns) + "\n")


def json_value(tagged):
    tag, value = tagged
    if tag == "n":
        return '{"$float64":"%s"}' % number_text(value) if isinstance(value, str) else number_text(value)
    if tag == "b":
        return '{"$bytes":"%s"}' % base64.b64encode(value).decode()
    return ("true" if value else "false") if tag == "t" else json.dumps(value)


def write_jsonl(path, tables):
    for table in tables:
        # In a column of bytes base64 is plain, and a text has the tag.
        content = definition(table, True)
        for column in content["columns"]:
            column["type"] = "text" if column["type"] == "bytes" else column["type"]
        write_definition(path, table, content)
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "part-1.jsonl"), "w", encoding="utf-8") as file:
            for record in table.records:
                file.write("{%s}\n" % ",".join("%s:%s" % (json.dumps(name), json_value(value)) for name, value in record.items()))


def postgres_literal(tagged):
    if tagged is None:
        return "NULL"
    tag, value = tagged
    if tag == "n":
        return "'%s'" % number_text(value)
    if tag == "b":
        return "'\\x%s'" % value.hex()
    return ("true" if value else "false") if tag == "t" else "'%s'" % value.replace("'", "''")


def write_postgres(server, schema, tables, types):
    """As write_sqlite, through psql."""
    words = {"n": "numeric", "s": "text", "b": "bytea", "t": "boolean"}
    sql = ["SET search_path TO %s" % schema]
    for table in tables:
        columns = ["%s %s" % (support.quoted(column), words[types[table.name][column]]) for column in table.columns]
        sql.append("CREATE TABLE %s(%s%s)" % (support.quoted(table.name), ", ".join(columns), primary_key(table)))
        for record in table.records:
            sql.append("INSERT INTO %s VALUES (%s) ON CONFLICT DO NOTHING" % (
                support.quoted(table.name), ", ".join(postgres_literal(record.get(column)) for column in table.columns)))
    server.psql("postgres", ";\n".join(sql))


def item_of(record):
    """As boto3 takes it."""
    found = {}
    for name, (tag, value) in record.items():
        if tag == "n":
            found[name] = {"N": number_text(value)}
        elif tag in "bst":
            found[name] = {{"b": "B", "s": "S", "t": "BOOL"}[tag]: value}
        else:
            found[name] = {tag: value}
    return found


def write_items(path, tables):
    for table in tables:
        letters = table.letters
        write_definition(path, table, {
            "TableName": table.name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": c, "KeyType": k} for c, k in zip(table.key, ("HASH", "RANGE"))],
            "AttributeDefinitions": [{"AttributeName": c, "AttributeType": letters[c]} for c in table.key]})
        os.makedirs(os.path.join(path, table.name))
        with open(os.path.join(path, table.name, "data-1.json"), "w", encoding="utf-8") as file:
            for record in table.records:
                typed = {name: items.attribute(value) for name, value in item_of(record).items()}
                file.write(json.dumps({"Item": typed}) + "\n")


def write_dynamodb(client, tables):
    for table in tables:
        items.create(client, table.name, [(column, table.letters[column]) for column in table.key])
        items.put(client, table.name, [item_of(record) for record in table.records])


# --- reading: {table: Counter of canonical records}

def canonical(record, truths):
    """`truths`: whether a truth is told from 0 and 1 on the way."""
    parts = []
    for name, (tag, value) in sorted(record.items()):
        if tag == "t" and not truths:
            tag, value = "n", decimal.Decimal(int(value))
        if tag in NESTED:
            value = json.dumps(items.attribute({tag: value}), sort_keys=True)
        parts.append((name, tag, str(value) if tag == "n" else value))
    return repr(parts)


def read_sqlite(path):
    found = {}
    for table in tables_of(path + ".db"):
        if table.name.startswith("_transhume"):
            continue
        found[table.name] = []
        for row in table.rows:
            record = {}
            for column, (kind, value) in zip(table.columns, row):
                if kind != "null":
                    record[column] = {"integer": lambda v: number(str(v)), "real": lambda v: number(repr(v)),
                                      "text": text_or_not, "blob": lambda v: ("b", bytes(v))}[kind](value)
            found[table.name].append(record)
    return found


def read_postgres(server, schema):
    """Every value as the hexadecimal digits of its text, so that nothing in it is taken for psql's own."""
    found = {}
    columns = server.psql("postgres", """
        SELECT encode(convert_to(c.relname, 'UTF8'), 'hex'), encode(convert_to(a.attname, 'UTF8'), 'hex'), format_type(a.atttypid, NULL)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = '%s'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_transhume%%'
        ORDER BY c.relname, a.attnum""" % schema)
    shapes = {}
    for table, column, kind in columns:
        shapes.setdefault(bytes.fromhex(table).decode(), []).append((bytes.fromhex(column).decode(), kind))
    for table, shape in shapes.items():
        texts = ["encode(%s, 'hex')" % (support.quoted(column) if kind == "bytea" else
                                         "convert_to(%s::text, 'UTF8')" % support.quoted(column)) for column, kind in shape]
        rows = server.psql("postgres", "SELECT %s FROM %s.%s" % (", ".join(texts), schema, support.quoted(table)))
        found[table] = [{column: postgres_value(text, kind) for (column, kind), text in zip(shape, row) if text is not None}
                        for row in rows]
    return found


def postgres_value(text, kind):
    data = bytes.fromhex(text)
    if kind == "bytea":
        return ("b", data)
    if kind == "boolean":
        return ("t", data == b"true")
    return ("s", data.decode()) if kind in ("text", "character varying") else number(data.decode())


def text_or_not(value):
    """A text that is not UTF-8 is something that only SQLite holds."""
    return ("s", value.decode()) if is_utf8(value) else ("e", bytes(value))


def csv_records(text):
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
    if text in WORDS:
        return True
    return bool(NUMBER.fullmatch(text)) and (
        "e" not in text.lower() or decimal.Decimal(text) == decimal.Decimal(repr(float(text))))


def csv_value(quoted, text, column):
    if not quoted and text == "":
        return None
    if quoted and column.get("dynamic") or column["type"] == "text" and not column.get("dynamic"):
        return ("s", text)
    if column["type"] == "bytes" and text.startswith("\\x") or not quoted and text.startswith("\\x"):
        return ("b", bytes.fromhex(text[2:]))
    if text in ("true", "false") and (column["type"] == "bool" or column.get("dynamic")):
        return ("t", text == "true")
    return number(WORDS.get(text, text)) if is_number(text) else ("s", text)


def read_csv(path):
    found = {}
    for table in folders(path):
        with open(os.path.join(path, "_transhume", "tables", table + ".json"), encoding="utf-8") as file:
            columns = {column["name"]: column for column in json.load(file)["columns"]}
        found[table] = []
        for text in texts(os.path.join(path, table)):
            head, *rows = list(csv_records(text))
            for row in rows:
                values = {name: csv_value(*field, columns[name]) for (_, name), field in zip(head, row)}
                found[table].append({name: value for name, value in values.items() if value})
    return found


def jsonl_value(value, column):
    if isinstance(value, dict) and len(value) == 1:
        (tag, inner), = value.items()
        if tag == "$bytes":
            return ("b", base64.b64decode(inner))
        if tag in ("$float64", "$decimal"):
            return number(WORDS.get(inner, inner))
        if tag == "$text":
            return ("s", inner)
        if tag == "$value":
            return jsonl_value(inner, {})
    if isinstance(value, bool):
        return ("t", value)
    if isinstance(value, decimal.Decimal):
        return number(value)
    kind = (column or {}).get("type")
    if kind == "bytes":
        return ("b", base64.b64decode(value))
    return number(WORDS[value]) if kind in ("float64", "decimal") and value in WORDS else ("s", value)


def read_jsonl(path):
    found = {}
    for table in folders(path):
        with open(os.path.join(path, "_transhume", "tables", table + ".json"), encoding="utf-8") as file:
            columns = {column["name"]: column for column in json.load(file)["columns"]}
        found[table] = []
        for text in texts(os.path.join(path, table)):
            for line in text.split("\n")[:-1]:
                record = json.loads(line, parse_float=CONTEXT.create_decimal, parse_int=CONTEXT.create_decimal)
                found[table].append({name: jsonl_value(value, columns.get(name)) for name, value in record.items() if value is not None})
    return found


def record_of(item):
    found = {}
    for name, typed in item.items():
        (letter, value), = typed.items()
        if letter == "N":
            found[name] = number(value)
        elif letter == "B":
            found[name] = ("b", bytes(value) if not isinstance(value, str) else base64.b64decode(value))
        elif letter != "NULL":
            found[name] = ({"S": "s", "BOOL": "t"}.get(letter, letter), value)
    return found


def read_items(path):
    return {table: [record_of(item) for item in found] for table, found in support.read_dynamodb_json(path).items()}


def typed_of(value):
    """A value of the toy's log as an attribute of DynamoDB."""
    kind, content = value
    if kind == toy_log.MAP:
        return {"M": {name[1].decode(): typed_of(inner) for name, inner in content}}
    if kind == toy_log.LIST:
        return {"L": [typed_of(inner) for inner in content]}
    if kind == toy_log.SET:
        elements = [typed_of(inner) for inner in content]
        (letter, _), = elements[0].items()
        return {letter + "S": [element[letter] for element in elements]}
    if kind == toy_log.NULL:
        return {"NULL": True}
    if kind == toy_log.BOOL:
        return {"BOOL": bool(content)}
    if kind in (toy_log.TEXT, toy_log.BYTES):
        return {"S": content.decode()} if kind == toy_log.TEXT else {"B": content}
    return {"N": content.decode() if isinstance(content, bytes) else repr(content) if isinstance(content, float) else str(content)}


def read_toy(path):
    return {table: [record_of({name: typed_of(value) for name, value in record.items()}) for record in records.values()]
            for table, records in toy_log.ToyLog(path).tables.items()}


def read_dynamodb(client):
    return {table: [record_of(item) for item in found] for table, found in items.everything(client).items()}


def folders(path):
    return sorted(name for name in os.listdir(path) if name != "_transhume" and os.path.isdir(os.path.join(path, name)))


def texts(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
            yield file.read()
