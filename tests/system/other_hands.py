"""Records of a target changed by somebody else, in every kind of target: sqlite3, psql, mariadb, boto3, Cassandra's
driver, or lines of files.

A record is {field: value}: numbers are decimals, or texts where that is how a client shows them; a null is not there or
None. A list in
a column is a text of JSON, which `elements` reads.
"""
import csv
import decimal
import io
import json
import os
import sqlite3

import chinook_expected
from engines import cassandra


def elements(value):
    """Of a list, however the target keeps it."""
    return json.loads(value, parse_float=decimal.Decimal) if isinstance(value, str) else value


def json_text(value):
    """As compact as the program's own."""
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (json.dumps(name), json_text(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(json_text, value))
    return str(value) if isinstance(value, decimal.Decimal) else json.dumps(value, ensure_ascii=False)


def plain(typed):
    """A value of DynamoDB's."""
    (letter, value), = typed.items()
    return {"N": lambda: decimal.Decimal(value), "L": lambda: [plain(inner) for inner in value], "NULL": lambda: None,
            "M": lambda: {name: plain(inner) for name, inner in value.items()}}.get(letter, lambda: value)()


def has_key(record, key):
    return all(str(record.get(name)) == str(value) for name, value in key.items())


class Place:
    def change(self, table, key, field, make):
        """`make` gives the field's new value."""
        def changed(record):
            old = record.get(field)
            new = make(elements(old) if isinstance(old, list) or str(old).startswith("[") else old)
            if isinstance(old, str) and isinstance(new, list):
                new = json_text(new)
            assert new != old, "nothing is changed"
            return [dict(record, **{field: new})]
        self.edit(table, key, changed)

    def remove(self, table, key):
        self.edit(table, key, lambda record: [])

    def add(self, table, key, other):
        """A record like the one with the key, under another."""
        self.edit(table, key, lambda record: [record, dict(record, **other)])

    def edit(self, table, key, make):
        """`make` gives the records that take the place of the one with the key."""
        raise NotImplementedError


class Lines(Place):
    """Files of lines; those that nobody changes stay as they are."""

    def __init__(self, folder, read, write):
        self.folder, self.read, self.write = folder, read, write

    def edit(self, table, key, make):
        found = 0
        folder = os.path.join(self.folder, table)
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
                lines = file.readlines()
            head, after = (lines[:1], lines[1:]) if name.endswith(".csv") else ([], lines)
            kept = []
            for line in after:
                record = self.read(line, head)
                found += has_key(record, key)
                kept += [self.write(new) + "\n" for new in make(record)] if has_key(record, key) else [line]
            with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
                file.writelines(head + kept)
        assert found == 1, "%d records of %s with the key %s" % (found, table, key)


def csv_record(line, head):
    names, = csv.reader(head)
    values, = csv.reader([line])
    return {name: value or None for name, value in zip(names, values)}


def csv_line(record):
    """A null is nothing between two commas."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow("" if value is None else value for value in record.values())
    return file.getvalue()


class Dynamodb(Place):
    def __init__(self, client):
        self.client = client

    def edit(self, table, key, make):
        typed = {name: chinook_expected.typed(value) for name, value in key.items()}
        item = self.client.get_item(TableName=table, Key=typed)["Item"]
        self.client.delete_item(TableName=table, Key=typed)
        for record in make({name: plain(value) for name, value in item.items()}):
            self.client.put_item(TableName=table, Item=chinook_expected.item_of(record))


class Sql(Place):
    """`ask` runs statements and gives rows of texts; `mark` is what stands around a name."""

    def __init__(self, ask, mark, names):
        self.ask, self.mark, self.names = ask, mark, names

    def quoted(self, name):
        return self.mark + name + self.mark

    @staticmethod
    def literal(value):
        return "NULL" if value is None else "'%s'" % str(value).replace("'", "''")

    def edit(self, table, key, make):
        names = self.names(table)
        where = " AND ".join("%s = %s" % (self.quoted(name), self.literal(value)) for name, value in key.items())
        columns = ", ".join(map(self.quoted, names))
        row, = self.ask("SELECT %s FROM %s WHERE %s" % (columns, self.quoted(table), where))
        statements = ["DELETE FROM %s WHERE %s" % (self.quoted(table), where)]
        for record in make(dict(zip(names, row))):
            statements.append("INSERT INTO %s(%s) VALUES (%s)" % (
                self.quoted(table), columns, ", ".join(self.literal(record[name]) for name in names)))
        self.ask("; ".join(statements))


class Cql(Place):
    """A keyspace."""

    def __init__(self, server, name):
        self.server, self.name = server, name

    def edit(self, table, key, make):
        types = {column[0]: column[1] for column in cassandra.schema(self.server, self.name)[table]}
        columns = ", ".join('"%s"' % name for name in types)
        where = " AND ".join('"%s" = %%s' % name for name in key)

        def ask(cql, values):
            take = {"bigint": int, "decimal": decimal.Decimal}
            bound = [value if value is None else take.get(types[name], str)(value) for name, value in values.items()]
            return self.server.ask(self.name, cql, *bound)
        row, = ask('SELECT %s FROM "%s" WHERE %s' % (columns, table, where), key)
        ask('DELETE FROM "%s" WHERE %s' % (table, where), key)
        for record in make(dict(zip(types, row))):
            ask('INSERT INTO "%s" (%s) VALUES (%s)' % (table, columns, ", ".join(["%s"] * len(types))), record)


def sqlite_place(path):
    def ask(sql):
        db = sqlite3.connect(path, isolation_level=None)
        try:
            if not sql.startswith("SELECT"):
                return db.executescript(sql).fetchall()
            return db.execute(sql).fetchall()
        finally:
            db.close()
    return Sql(ask, '"', lambda table: [row[0] for row in ask("SELECT name FROM pragma_table_info('%s')" % table)])


def server_place(server, name, mark, schema):
    def names(table):
        return [row[0] for row in server.ask(name,
                                             "SELECT column_name FROM information_schema.columns WHERE table_schema "
                                             "= %s AND "
                                                   "table_name = '%s' ORDER BY ordinal_position" % (schema, table))]
    return Sql(lambda sql: server.ask(name, sql), mark, names)


def place(kind, path, name, server=None):
    """That of a target: `name` is a file, a folder, a server's database, or boto3's client."""
    if kind == "sqlite":
        return sqlite_place(path(name))
    if kind == "postgres":
        return server_place(server, name, '"', "'public'")
    if kind == "mysql":
        return server_place(server, name, "`", "database()")
    if kind == "cassandra":
        return Cql(server, name)
    if kind == "dynamodb":
        return Dynamodb(name)
    return Lines(path(name), *{
        "csv": (csv_record, csv_line), "jsonl": (lambda line, _: json.loads(line, parse_float=decimal.Decimal),
                                                 json_text),
        "dynamodb-json": (lambda line, _: {field: plain(value) for field, value in json.loads(line)["Item"].items()},
                          lambda record: json_text({"Item": chinook_expected.item_of(record)}))}[kind])
