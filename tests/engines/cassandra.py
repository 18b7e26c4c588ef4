"""Cassandra, through the Python driver. Each place is a keyspace of its own in the server that a test run shares."""
import datetime
import decimal
import json
import re

import cassandra_server
import items
import support

from . import holding, records, rows

NAME = "cassandra"
SERVER, REASONS = cassandra_server, ("no Cassandra:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "tables"
WORDS = r"cassandra|SERVERS"
SOURCES = ("src/connectors/cassandra/", "src/connectors/keyed/", "src/net/stream")
TYPES = {"n": "decimal", "s": "text", "b": "blob", "t": "boolean"}
WHOLE = {"bigint": 63, "int": 31, "smallint": 15, "tinyint": 7}


def uri(at):
    server, name = at
    return server.uri(name)


def column(tag):
    return TYPES[tag]


def key(table, draw):
    """In a plan: its first columns name the partition, the others sort its rows."""
    partition = draw.randint(1, len(table.key))
    return {"partition": table.key[:partition], **({"clustering": table.key[partition:]} if partition < len(table.key)
                                                   else {})}


def fit(tables):
    """Leaves out tables that Cassandra has no room for: every table has a key, and a name of letters, digits and _."""
    return [table for table in tables if table.key and re.fullmatch("[A-Za-z0-9_]{1,48}", table.name)
            and all(table.columns) and
            not table.name.startswith("_transhume")]


# --- tables of records

def number_types(values):
    """All types that hold these numbers; only floats are not finite."""
    finite = [value for value in values if not isinstance(value, str)]
    doubles = all(records.number(repr(float(value))) == ("n", value) for value in finite)
    if len(finite) < len(values):
        return ["double"] if doubles else ["decimal"]
    found = ["decimal"] + ["double"] * doubles
    if all(value == value.to_integral_value() for value in finite):
        found += ["varint", *(name for name, bits in WHOLE.items()
                              if all(-2 ** bits <= value < 2 ** bits for value in finite))]
    return found


def types_of(table, tags, draw):
    """{column: a type for its values}"""
    types = {}
    for name in table.columns:
        values = [record[name][1] for record in table.records if name in record]
        ascii_only = tags[name] == "s" and all(map(str.isascii, values))
        types[name] = draw.choice({"n": lambda: number_types(values),
                                   "s": lambda: ["text"] + ["ascii"] * ascii_only}.get(tags[name],
                                       lambda: [TYPES[tags[name]]])())
    return types


def primary_key(table, draw):
    """Some of the key's columns name the partition, the others sort its rows."""
    partition = draw.randint(1, len(table.key))
    names = list(map(support.quoted, table.key))
    text = ", PRIMARY KEY (%s)" % ", ".join(["(%s)" % ", ".join(names[:partition]), *names[partition:]])
    order = ", ".join("%s %s" % (name, draw.choice(("ASC", "DESC"))) for name in names[partition:])
    return text + ")" + (" WITH CLUSTERING ORDER BY (%s)" % order if order else "")


def bound(tagged, kind):
    """As the driver takes it; what is missing is not set."""
    from cassandra.query import UNSET_VALUE
    if tagged is None:
        return UNSET_VALUE
    tag, value = tagged
    if tag != "n":
        return value
    if kind == "double":
        return float(value)
    return UNSET_VALUE if isinstance(value, str) else value if kind == "decimal" else int(value)


def write(at, tables, types, draw):
    server, name = at
    for table in tables:
        kinds = types_of(table, types[table.name], draw)
        definition = ", ".join("%s %s" % (support.quoted(column), kinds[column]) for column in table.columns)
        server.ask(name, "CREATE TABLE %s (%s%s" % (support.quoted(table.name), definition, primary_key(table, draw)))
        server.fill(name, "INSERT INTO %s (%s) VALUES (%s)" % (
            support.quoted(table.name), ", ".join(map(support.quoted, table.columns)),
            ", ".join("?" * len(table.columns))),
            [[bound(record.get(column), kinds[column]) for column in table.columns] for record in table.records])


def schema(server, name):
    """
    {table: [(column, type, part of the key, place in it, order)]}, those of the key first; without the program's own.
    """
    found = {table: [] for table, in server.ask("system_schema",
                                                "SELECT table_name FROM tables WHERE keyspace_name = %s", name)
             if not table.startswith("_transhume")}
    parts = ["partition_key", "clustering", "static", "regular"]
    for table, *column in server.ask("system_schema",
                                     "SELECT table_name, column_name, type, kind, position, "
                                     "clustering_order FROM columns "
                                                      "WHERE keyspace_name = %s", name):
        if table in found:
            found[table].append(tuple(column))
    return {table: sorted(columns, key=lambda column: (parts.index(column[2]), column[3], column[0]))
            for table, columns in found.items()}


def everything(server, name):
    """{table: rows as {column: value}}"""
    found = {}
    for table, columns in schema(server, name).items():
        names = [column[0] for column in columns]
        found[table] = [dict(zip(names, row)) for row in server.ask(name,
                                                                    "SELECT %s FROM %s"
                                                                    % (", ".join(map(support.quoted, names)),
                                                                       support.quoted(table)))]
    return found


def tagged(value):
    if isinstance(value, (bool, bytes, str)):
        return {bool: "t", bytes: "b", str: "s"}[type(value)], value
    return records.number(repr(value) if isinstance(value, float) else str(value))


def read(at):
    return {table: [{column: tagged(value) for column, value in row.items() if value is not None} for row in found]
            for table, found in everything(*at).items()}


def plain(value):
    """A list as its JSON text."""
    if isinstance(value, decimal.Decimal):
        return "number", items.number(str(value))
    return rows.value(json.dumps(list(value), separators=(",", ":")) if isinstance(value, (list, tuple)) else value)


def day_number(year, month, day):
    """Days since 1970 in the calendar that goes on as it is, backwards too."""
    year, month = (year - 1, month + 9) if month < 3 else (year, month - 3)
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1 - 719468


def day_text(number):
    year = (number * 400 + 719468 * 400) // 146097 + 1
    while day_number(year, 1, 1) > number:
        year -= 1
    month = max(month for month in range(1, 13) if day_number(year, month, 1) <= number)
    text = "%04d" % year if 0 <= year <= 9999 else "%+05d" % year
    return "%s-%02d-%02d" % (text, month, number - day_number(year, month, 1) + 1)


def moment_text(milliseconds):
    days, rest = divmod(milliseconds, 86400000)
    return "%sT%02d:%02d:%02d.%03d" % (day_text(days), rest // 3600000, rest // 60000 % 60, rest // 1000 % 60,
                                       rest % 1000)


def text_of(value):
    """A value of any type as kinds.py reads it; bytes are hexadecimal, lists as PostgreSQL writes arrays."""
    if isinstance(value, (list, tuple)):
        return "{%s}" % ",".join('"%s"' % re.sub(r'(["\\\\])', r"\\\1", text_of(one)) for one in value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return str(value).lower()
    if hasattr(value, "months"):
        return duration_text(value)
    if hasattr(value, "days_from_epoch"):
        return day_text(value.days_from_epoch)
    if hasattr(value, "isoformat"):
        return moment_text((value - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1))
    return value if value is None else repr(value) if isinstance(value, float) else str(value)


def duration_text(value):
    """ISO 8601; all parts of a duration have one sign."""
    sign = "-" if min(value.months, value.days, value.nanoseconds) < 0 else ""
    seconds, rest = divmod(abs(value.nanoseconds), 10 ** 9)
    parts = [(abs(value.months) // 12, "Y"), (abs(value.months) % 12, "M"), (abs(value.days), "D")]
    clock = [(seconds // 3600, "H"), (seconds // 60 % 60, "M")]
    last = "%d%s" % (seconds % 60, (".%09d" % rest).rstrip("0") if rest else "")
    date, time = ("".join("%s%d%s" % (sign, number, letter) for number, letter in part if number)
                  for part in (parts, clock))
    time += sign + last + "S" if last != "0" else ""
    return "P%s%s" % (date, "T" + time if time else "") if date or time else "PT0S"


def contents(server, name):
    return {table: rows.rows_of({column: None if value is None else plain(value) for column, value in row.items()}
                                for row in found)
            for table, found in everything(server, name).items()}


class Holding:
    """The tables of kill_matrix.make_source in a keyspace, by the driver; `plain` has a list."""

    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True
    keys = {"plain": ("id",), "pair": ("x", "y"), "counted": ("id",)}
    texts = {"plain": "a", "pair": "note", "counted": "u"}

    def __init__(self, server, name):
        self.server, self.name = server, name

    @classmethod
    def at(cls, uri, test):
        return cls(test.server_of("cassandra"), uri.rpartition("/")[2].partition("?")[0])

    def ask(self, cql, *values):
        return self.server.ask(self.name, cql, *values)

    def contents(self, _folder):
        """A table is another one if it was made anew."""
        ids = dict(self.server.ask("system_schema", "SELECT table_name, id FROM tables WHERE keyspace_name = %s",
                                   self.name))
        leaves = {}
        containers = {(table,): (ids[table], columns) for table, columns in schema(self.server, self.name).items()}
        for table, found in everything(self.server, self.name).items():
            key = [column[0] for column in containers[table,][1] if column[2] in ("partition_key", "clustering")]
            for row in found:
                leaves[(table, "row", *(row[part] for part in key))] = repr(row)
        return holding.Contents(leaves, containers)

    def key(self, table, i):
        return ("k%d" % (i % 13), i) if table == "pair" else (i * 3,)

    def put(self, table, key, **values):
        names = [*self.keys[table], *values]
        self.ask("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(names), ", ".join(["%s"] * len(names))), *key,
                 *values.values())

    def remove(self, table, key):
        self.ask("DELETE FROM %s WHERE %s" % (table, " AND ".join("%s = %%s" % part for part in self.keys[table])),
                 *key)

    def fill(self, _folder):
        self.ask("CREATE TABLE plain (id bigint PRIMARY KEY, a text, b blob, price decimal, r double, tags list<text>, "
                 "mine text)")
        self.ask("CREATE TABLE pair (x text, y bigint, note text, PRIMARY KEY (x, y))")
        self.ask("CREATE TABLE counted (id bigint PRIMARY KEY, plain_id bigint, u text)")
        for i in range(-10, 40):
            self.put("plain", self.key("plain", i), a="old %d" % i, b=b"\0\xff", price=decimal.Decimal(i) / 4,
                     tags=["old", str(i), "old"], mine="kept")
            self.put("pair", self.key("pair", i), note="old")
            self.put("counted", (i,), u="old %d" % i)

    def meddle(self, _folder):
        for table, text in self.texts.items():
            self.put(table, self.key(table, 300000), **{text: "mine"})
            self.put(table, self.key(table, 7), **{text: "changed"})
            self.remove(table, self.key(table, 8))
        self.put("plain", self.key("plain", 9), tags=["mine"])

    def lose(self, _folder):
        for table in self.keys:
            for i in range(3, 600, 45):
                self.remove(table, self.key(table, i))

    def alter(self, _folder):
        for table, text in self.texts.items():
            self.put(table, self.key(table, 4), **{text: None})
        self.ask("UPDATE plain SET tags = tags + %s WHERE id = %s", ["more"], 15)

    def add(self, _folder):
        for table, text in self.texts.items():
            self.put(table, self.key(table, 200000), **{text: "extra"})

    def leftovers(self, _folder):
        return sorted(name for name, in self.server.ask("system_schema",
                                                        "SELECT table_name FROM tables WHERE keyspace_name = %s",
                                                        self.name)
                      if name.startswith("_transhume"))
