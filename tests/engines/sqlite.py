"""SQLite, through Python's sqlite3."""
import collections
import contextlib
import os
import sqlite3

import support
from support import quoted

from . import holding, records, rows

NAME = "sqlite"
WORDS = r"sqlite|\.db\b"
COMMITS, JOINS, SNAPSHOT, SHAPE = "transactions", True, True, "tables"
TYPES = {"n": "NUMERIC", "s": "TEXT", "b": "BLOB", "t": "BOOLEAN"}
SOURCES = ("src/connectors/sqlite/", "src/connectors/sql/", "src/sql/")


def uri(at):
    return "sqlite:%s.db" % at


def column(tag):
    return TYPES[tag]


# --- what is in a file

DECIMAL_WORDS = ("NUMERIC", "DECIMAL", "DEC", "NUMBER")


def key_type(declared):
    upper = declared.upper()
    if "INT" in upper:
        return "N"
    if any(t in upper for t in ("CHAR", "CLOB", "TEXT")):
        return "S"
    if "BLOB" in upper:
        return "B"
    if any(t in upper for t in ("REAL", "FLOA", "DOUB")) or leading_word(declared) in DECIMAL_WORDS:
        return "N"
    return "S"


def leading_word(declared):
    word = ""
    for c in declared:
        if not (c.isascii() and (c.isalnum() or c == "_")):
            break
        word += c
    return word.upper()


def reading_rule(declared, strict):
    """How docs/types/sqlite.md says that the numbers of a column are read."""
    if strict:
        return "as stored"
    word, upper = leading_word(declared), declared.upper()
    if word in DECIMAL_WORDS and not any(t in upper for t in (
            "INT", "CHAR", "CLOB", "TEXT", "BLOB", "REAL", "FLOA", "DOUB")):
        return "decimal"
    return "bool" if word in ("BOOL", "BOOLEAN") else "as stored"


def is_utf8(data):
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


class StoredTable:
    """One table of a source as Python's sqlite3 sees it."""

    def __init__(self, db, name):
        self.name = name
        info = [row for row in db.execute("PRAGMA table_xinfo(%s)" % quoted(name)) if row[6] != 1]
        self.columns = [row[1].decode() for row in info]
        sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        self.strict = sql.rstrip().endswith(b"STRICT")
        self.rules = [reading_rule(row[2].decode(), self.strict) for row in info]
        keyed = sorted((row[5], row[1].decode()) for row in info if row[5])
        self.key = [column for _, column in keyed]
        self.declared = {row[1].decode(): row[2].decode() for row in info}
        pairs = ", ".join("typeof(%s), CAST(%s AS BLOB), %s" % (q, q, q) for q in map(quoted, self.columns))
        self.rows = []
        for row in db.execute("SELECT %s FROM %s" % (pairs, quoted(name))):
            values = [(row[i].decode(), row[i + 2]) for i in range(0, len(row), 3)]
            self.rows.append(values)


def tables_of(path):
    db = support.open_sqlite(path)
    names = [row[0].decode() for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")]
    tables = [StoredTable(db, name) for name in names]
    db.close()
    return tables


def write(path, tables, types, _draw):
    """Tables whose columns have one kind of values each: {table: {column: tag}}."""
    db = sqlite3.connect(path + ".db")
    for table in tables:
        columns = ["%s %s" % (support.quoted(column), TYPES[types[table.name][column]]) for column in table.columns]
        db.execute("CREATE TABLE %s(%s%s)" % (support.quoted(table.name), ", ".join(columns),
                                              records.primary_key(table)))
        for record in table.records:
            db.execute("INSERT OR IGNORE INTO %s VALUES (%s)" % (support.quoted(table.name),
                                                                 ", ".join("?" * len(columns))),
                       [sqlite_value(record.get(column)) for column in table.columns])
    db.commit()
    db.close()


def sqlite_value(tagged):
    if tagged is None or tagged[0] != "n":
        return tagged and tagged[1]
    value = tagged[1]
    return float(value) if isinstance(value, str) or not records.whole_number(value) else int(value)


def read(path):
    found = {}
    for table in tables_of(path + ".db"):
        if table.name.startswith("_transhume"):
            continue
        found[table.name] = []
        for row in table.rows:
            record = {}
            for column, (kind, value) in zip(table.columns, row):
                if kind != "null":
                    record[column] = {"integer": lambda v: records.number(str(v)),
                                      "real": lambda v: records.number(repr(v)),
                                      "text": text_or_not, "blob": lambda v: ("b", bytes(v))}[kind](value)
            found[table.name].append(record)
    return found


def text_or_not(value):
    """A text that is not UTF-8 is something that only SQLite holds."""
    return ("s", value.decode()) if is_utf8(value) else ("e", bytes(value))


def contents(path, left_out="none"):
    """`left_out`: how the names of tables begin that don't count."""
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        db.row_factory = sqlite3.Row
        names = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
                 if not name.startswith(("sqlite_", "_transhume", left_out))]
        return {name: rows.rows_of({column: rows.value(row[column]) for column in row.keys()}
                                   for row in db.execute("SELECT * FROM %s" % support.quoted(name)))
                for name in names}


class Holding:
    """Tables in a file."""

    # What a run finds and is told: see taking_back.Rollbacks.
    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True  # a repair writes what is different, and takes out what is extra
    # None that the source's triggers answer to: they are in the target, too.
    lost = holding.LOST
    changed = ("UPDATE counted SET u = 'damaged ' || id WHERE id % 7 = 0", "UPDATE pair SET note = NULL WHERE y < 100")
    extra = ("INSERT INTO pair VALUES ('extra', 1, 'nobody wrote it')",)

    def __init__(self, name):
        self.name = name

    @classmethod
    def at(cls, uri, _test):
        scheme, _, place = uri.partition(":")
        return cls(place or scheme)

    def path(self, folder):
        return os.path.join(folder, self.name)

    def contents(self, folder):
        if not os.path.exists(self.path(folder)):
            return holding.NOTHING
        leaves, containers, constraints = {}, {(): "file"}, collections.defaultdict(list)
        db = sqlite3.connect("file:%s?mode=ro" % self.path(folder), uri=True)
        for kind, name, table, sql in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall():
            if (name + table).find("_transhume_") >= 0 or sql is None or name == "sqlite_sequence":
                continue
            if sql.startswith("CREATE UNIQUE INDEX"):  # a constraint, and so a part of the table
                constraints[table,].append(sql)
                continue
            if kind != "table":
                leaves[table, kind, name] = sql
                continue
            containers[table,] = (sql, constraints[table,])
            if not sql.upper().startswith("CREATE VIRTUAL"):
                leaves.update(self.rows(db, table))
        db.close()
        return holding.Contents(leaves, containers)

    def rows(self, db, table):
        columns = db.execute("PRAGMA table_info(%s)" % support.quoted(table)).fetchall()
        key = [place for place, column in enumerate(columns) if column[5]]
        found = collections.Counter()
        for row in db.execute("SELECT * FROM %s" % support.quoted(table)):
            name = (table, "row", *(row[place] for place in key)) if key else (table, "row", repr(row))
            found[name] += 1
            yield (*name, found[name]), repr(row)  # repr tells 1 from 1.0 and from '1'

    def change(self, folder, statements):
        db = sqlite3.connect(self.path(folder))
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def fill(self, folder):
        """Records that were there before, some of them with keys of the source's."""
        db = sqlite3.connect(self.path(folder))
        db.executescript("""
            CREATE TABLE plain(id INTEGER PRIMARY KEY, a TEXT, b BLOB, price NUMERIC(10,2), r REAL, mine TEXT);
            CREATE TABLE pair(x TEXT, y INTEGER, note TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID;
            CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, plain_id INTEGER, u TEXT UNIQUE);
            CREATE TABLE other(a); INSERT INTO other VALUES (1), ('x'), (NULL);""")
        for i in range(-20, 120):
            db.execute("INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?)",
                       (i * 5, "old %d" % i, b"\0old", i / 4, None, "kept"))
            db.execute("INSERT INTO pair VALUES (?, ?, ?)", ("k%d" % (i % 13), i, "old"))
            db.execute("INSERT INTO counted VALUES (?, ?, ?)", (i * 11, None, "old %d" % i))
        db.commit()
        db.close()

    def meddle(self, folder):
        """As an application does, after the run; its triggers do more."""
        self.change(folder, ("INSERT INTO plain(id, a) VALUES (900001, 'mine'), (900002, NULL)",
                             "DELETE FROM plain WHERE id = 30",
                             "UPDATE plain SET a = 'mine' WHERE id IN (3, 15)",
                             "INSERT INTO pair VALUES ('mine', -1, 'mine')",
                             "UPDATE counted SET u = 'mine', plain_id = NULL WHERE id = 33",
                             "DELETE FROM counted WHERE id = 35"))

    def lose(self, folder):
        self.change(folder, self.lost)

    def alter(self, folder):
        self.change(folder, self.changed)

    def add(self, folder):
        self.change(folder, self.extra)

    def leftovers(self, folder):
        """What of the program is in a target whose runs were all taken back."""
        if not os.path.exists(self.path(folder)):
            return [name for name in os.listdir(folder) if name.startswith(self.name)]
        db = sqlite3.connect("file:%s?mode=ro" % self.path(folder), uri=True)
        names = [name
                 for name, in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '\\_transhume%' ESCAPE '\\'")]
        sound = db.execute("PRAGMA integrity_check").fetchall()
        db.close()
        return names + [row for row in sound if row != ("ok",)]
