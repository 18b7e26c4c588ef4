"""What a target holds, as clients other than the program see it, and what others do to it: people who had records there
before, applications that write meanwhile, and accidents.

A holding is told by two dicts of tuples: `leaves` (a record, a file, an index: what it is) and `containers` (a table, a
folder: how it was made), whose tuple begins those of all that lies in it.
"""
import collections
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import time

import items
import support

Contents = collections.namedtuple("Contents", "leaves containers")
NOTHING = Contents({}, {})


def after_rollback(before, written, now):
    """What is there once a run is taken back: what the run left and nobody changed since is as it was before."""
    keys = before.leaves.keys() | written.leaves.keys() | now.leaves.keys()
    leaves = {}
    for key in keys:
        touched = now.leaves.get(key) != written.leaves.get(key)
        value = (now if touched else before).leaves.get(key)
        if value is not None:
            leaves[key] = value
    containers = {}
    for key in before.containers.keys() | now.containers.keys():
        needed = any(leaf[:len(key)] == key for leaf in leaves)
        value = before.containers.get(key) or (now.containers.get(key) if needed else None)
        if value is not None:
            containers[key] = value
    return Contents(leaves, containers)


def differences(expected, found):
    return [(key, a.get(key), b.get(key)) for a, b in zip(expected, found) for key in sorted(a.keys() | b.keys(), key=repr)
            if a.get(key) != b.get(key)][:support.DIFFERENCES_SHOWN_MAX]


def of(arguments, test):
    """The holding that is the target of a run, by its last argument; `test` knows clients and servers."""
    uri = arguments[-1]
    scheme, _, place = uri.partition(":")
    if scheme == "dynamodb":
        return Dynamodb(test.client)
    if scheme in SERVERS:
        return SERVERS[scheme](test.server_of(scheme), uri.rpartition("/")[2])
    if scheme in Folder.formats:
        return Folder(scheme, place.partition("?")[0])
    return Sqlite(place or scheme)


# A record that a foreign key refers to would be kept by the one that refers to it.
LOST = ("DELETE FROM counted WHERE id % 5 = 0", "DELETE FROM counted WHERE plain_id % 33 = 0", "DELETE FROM plain WHERE id % 33 = 0")


class Sqlite:
    """The tables of kill_matrix.make_source in a SQLite file."""

    # What a run finds and is told: see taking_back.Rollbacks.
    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True  # a repair writes what is different, and takes out what is extra
    # None that the source's triggers answer to: they are in the target, too.
    lost = LOST
    changed = ("UPDATE counted SET u = 'damaged ' || id WHERE id % 7 = 0", "UPDATE pair SET note = NULL WHERE y < 100")
    extra = ("INSERT INTO pair VALUES ('extra', 1, 'nobody wrote it')",)

    def __init__(self, name):
        self.name = name

    def path(self, folder):
        return os.path.join(folder, self.name)

    def contents(self, folder):
        if not os.path.exists(self.path(folder)):
            return NOTHING
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
        return Contents(leaves, containers)

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
            db.execute("INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?)", (i * 5, "old %d" % i, b"\0old", i / 4, None, "kept"))
            db.execute("INSERT INTO pair VALUES (?, ?, ?)", ("k%d" % (i % 13), i, "old"))
            db.execute("INSERT INTO counted VALUES (?, ?, ?)", (i * 11, None, "old %d" % i))
        db.commit()
        db.close()

    def meddle(self, folder):
        """As an application does, after the run; its triggers do more."""
        self.change(folder, ("INSERT INTO plain(id, a) VALUES (900001, 'mine'), (900002, NULL)", "DELETE FROM plain WHERE id = 30",
                             "UPDATE plain SET a = 'mine' WHERE id IN (3, 15)", "INSERT INTO pair VALUES ('mine', -1, 'mine')",
                             "UPDATE counted SET u = 'mine', plain_id = NULL WHERE id = 33", "DELETE FROM counted WHERE id = 35"))

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
        names = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '\\_transhume%' ESCAPE '\\'")]
        sound = db.execute("PRAGMA integrity_check").fetchall()
        db.close()
        return names + [row for row in sound if row != ("ok",)]


class Server:
    """The tables of kill_matrix.make_source in a database of a server, by the server's own client."""

    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True
    widths = {"plain": 1, "pair": 2, "counted": 1}  # columns of a key, which come first
    lost = LOST
    changed = ("UPDATE counted SET u = concat('damaged ', id) WHERE id % 7 = 0", "UPDATE pair SET note = NULL WHERE y < 100")
    extra = ("INSERT INTO pair VALUES ('extra', 1, 'nobody wrote it')",)
    meddled = ("INSERT INTO plain(id, a) VALUES (900001, 'mine'), (900002, NULL)", "DELETE FROM counted WHERE plain_id = 30",
               "DELETE FROM plain WHERE id = 30", "UPDATE plain SET a = 'mine' WHERE id IN (3, 15)", "INSERT INTO pair VALUES ('mine', -1, 'mine')",
               "UPDATE counted SET u = 'mine', plain_id = NULL WHERE id = 33", "DELETE FROM counted WHERE id = 35")

    def __init__(self, server, name):
        self.server = server
        self.name = name

    def contents(self, _folder):
        definitions, rows = self.definitions(), self.rows()
        leaves = {}
        for table in definitions:
            found = collections.Counter()
            for row in rows[table]:
                name = (table, "row", *(self.key(row)[:self.widths[table]] if table in self.widths else (repr(row),)))
                found[name] += 1
                leaves[(*name, found[name])] = repr(row)
        return Contents(leaves, {(table,): definition for table, definition in definitions.items()})

    def change(self, statements):
        self.ask("".join(statement + ";" for statement in statements))

    def fill(self, _folder):
        self.ask(self.filled)

    def meddle(self, _folder):
        self.change(self.meddled)

    def lose(self, _folder):
        self.change(self.lost)

    def alter(self, _folder):
        self.change(self.changed)

    def add(self, _folder):
        self.change(self.extra)

    def leftovers(self, _folder):
        return sorted(table for table in self.all_tables() if table.startswith("_transhume"))


class Postgres(Server):
    filled = """
        CREATE TABLE plain(id bigint PRIMARY KEY, a text, b bytea, price numeric(10,2), r float8, mine text);
        CREATE TABLE pair(x text, y bigint, note text, PRIMARY KEY (x, y));
        CREATE TABLE counted(id bigint PRIMARY KEY, plain_id bigint, u text UNIQUE);
        CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
        INSERT INTO plain SELECT i * 5, 'old ' || i, '\\x00ff', i / 4.0, NULL, 'kept' FROM generate_series(-20, 119) i;
        INSERT INTO pair SELECT 'k' || (i + 26) % 13, i, 'old' FROM generate_series(-20, 119) i;
        INSERT INTO counted SELECT i * 11, NULL, 'old ' || i FROM generate_series(-20, 119) i;"""

    def ask(self, statements):
        return self.server.psql(self.name, statements)

    def definitions(self):
        asked = """
            SELECT c.relname, concat(
                (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                                             pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)
                   FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                (SELECT string_agg(conname || pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
                (SELECT string_agg(indexdef, ',' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public' AND tablename = c.relname))
              FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"""
        return {table: text for table, text in self.ask(asked) if not table.startswith("_transhume")}

    def rows(self):
        return {table: rows for (schema, table), rows in self.server.rows(self.name).items() if schema == "public"}

    @staticmethod
    def key(row):
        return row[1:].split(",")

    def all_tables(self):
        return [name for name, in self.ask("SELECT relname FROM pg_class WHERE relkind = 'r'")]


class Mysql(Server):
    filled = """
        CREATE TABLE plain(id bigint PRIMARY KEY, a longtext, b longblob, price decimal(10,2), r double, mine text);
        CREATE TABLE pair(x varchar(50) COLLATE utf8mb4_bin, y bigint, note text, PRIMARY KEY (x, y));
        CREATE TABLE counted(id bigint PRIMARY KEY, plain_id bigint, u varchar(50) UNIQUE);
        CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
        INSERT INTO plain SELECT (CAST(seq AS SIGNED) - 20) * 5, concat('old ', seq), x'00ff', seq / 4, NULL, 'kept' FROM seq_0_to_139;
        INSERT INTO pair SELECT concat('k', (seq + 6) % 13), CAST(seq AS SIGNED) - 20, 'old' FROM seq_0_to_139;
        INSERT INTO counted SELECT (CAST(seq AS SIGNED) - 20) * 11, NULL, concat('old ', seq) FROM seq_0_to_139;"""

    def ask(self, statements):
        return self.server.ask(self.name, statements)

    def definitions(self):
        tables = [name for name in self.all_tables() if not name.startswith("_transhume")]
        asked = self.ask("".join("SHOW CREATE TABLE `%s`;" % table for table in tables)) if tables else []
        return {table: re.sub(" AUTO_INCREMENT=[0-9]+", "", text) for table, text in asked}

    def rows(self):
        return self.server.rows(self.name)

    @staticmethod
    def key(row):
        return row

    def all_tables(self):
        return [name for name, in self.ask("SHOW TABLES")]


SERVERS = {"postgres": Postgres, "mysql": Mysql}


class Folder:
    """A folder of files; those of the run bear its tag."""

    formats = {"csv": "part-", "jsonl": "part-", "dynamodb-json": "data-"}
    kinds = ("created", "others", "broken off", "repair")
    changes_records = True
    # Of the tables of kill_matrix.make_source, and of the example's single-table design.
    key = {"id": 900000, "x": "extra", "SK": "EXTRA#1"}
    texts = ("a", "note", "u", "Name", "Title", "Email", "Entity")

    def __init__(self, form, name):
        self.form = form
        self.name = name

    def path(self, *names):
        return os.path.join(names[0], self.name, *names[1:])

    def contents(self, folder):
        leaves, containers = {}, {}
        for place, folders, files in os.walk(self.path(folder)):
            folders[:] = [name for name in folders if name != "_transhume"]
            inside = tuple(os.path.relpath(place, self.path(folder)).split(os.sep)) if place != self.path(folder) else ()
            containers[inside] = "folder"
            for name in files:
                with open(os.path.join(place, name), "rb") as file:
                    leaves[(*inside, name)] = file.read()
        return Contents(leaves, containers)

    def tables(self, folder):
        return sorted(name for name in os.listdir(self.path(folder)) if name != "_transhume")

    def meddle(self, folder):
        """A file of somebody else's, beside the run's."""
        for table in self.tables(folder)[:2]:
            with open(self.path(folder, table, "mine.txt"), "wb") as file:
                file.write(b"nobody but me\n")

    def files(self, folder):
        """(table, its files) of each table with a key."""
        for table in self.tables(folder):
            if table != "keyless":
                yield table, [self.path(folder, table, name) for name in sorted(os.listdir(self.path(folder, table)))]

    @staticmethod
    def write_lines(path, lines):
        text = "".join(line + "\n" for line in lines).encode()
        with open(path, "wb") as file:
            subprocess.run(["zstd", "-qc"] if path.endswith(".zst") else ["cat"], input=text, stdout=file, check=True)

    def lose(self, folder):
        """Every table with a key loses lines, and the first one a whole file where it has several."""
        for number, (_, paths) in enumerate(self.files(folder)):
            if number == 0 and len(paths) > 1:
                os.remove(paths.pop())
            lines = support.read_lines(paths[0])
            self.write_lines(paths[0], lines[:2] + lines[4:])

    def changed(self, lines, place, values):
        """The line with these values in the fields that it has of them, and whether it has any."""
        if self.form == "csv":
            names, row = (next(csv.reader([line], strict=True)) for line in (lines[0], lines[place]))
            found = [name for name in names if name in values]
            row = [str(values[name]) if name in values else value for name, value in zip(names, row)]
            text = io.StringIO()
            csv.writer(text, lineterminator="").writerow(row)
            return text.getvalue(), bool(found)
        record = json.loads(lines[place])
        fields = record["Item"] if self.form == "dynamodb-json" else record
        found = [name for name in fields if name in values]
        for name in found:
            fields[name] = self.value(values[name])
        return json.dumps(record, ensure_ascii=False), bool(found)

    def value(self, value):
        if self.form == "dynamodb-json":
            return {"S": value} if isinstance(value, str) else {"N": str(value)}
        return value

    def alter(self, folder):
        """A record of each table has another text; where it has none, nothing is altered."""
        for _, paths in self.files(folder):
            lines = support.read_lines(paths[0])
            lines[-1], found = self.changed(lines, -1, dict.fromkeys(self.texts, "altered"))
            if found:
                self.write_lines(paths[0], lines)

    def add(self, folder):
        """Each table has a record that nobody wrote, and one of them twice."""
        for _, paths in self.files(folder):
            lines = support.read_lines(paths[-1])
            extra, found = self.changed(lines, -1, self.key)
            if not found:
                raise AssertionError("no key is known in %s" % paths[-1])
            self.write_lines(paths[-1], [*lines, extra, lines[-1]])

    def leftovers(self, folder):
        ledger = self.path(folder, "_transhume")
        # A table that stays, since others have files in it, keeps what tells its types.
        kept = {"tables", *("tables/%s.json" % table for table in self.tables(folder))} if os.path.isdir(ledger) else set()
        return sorted({os.path.relpath(os.path.join(place, name), ledger) for place, folders, files in os.walk(ledger)
                       for name in folders + files} - kept)


class Dynamodb:
    """The tables of kill_matrix.make_source in DynamoDB, by boto3."""

    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True
    keys = {"plain": (("id", "N"),), "pair": (("x", "S"), ("y", "N")), "counted": (("id", "N"),)}

    def __init__(self, client):
        self.client = client

    def contents(self, _folder):
        leaves, containers = {}, {}
        for table in items.tables(self.client):
            schema = self.client.describe_table(TableName=table)["Table"]
            names = [part["AttributeName"] for part in schema["KeySchema"]]
            containers[table,] = names
            for item in items.scan(self.client, table):
                leaves[(table, *(repr(item[name]) for name in names))] = json.dumps(item, sort_keys=True, default=repr)
        return Contents(leaves, containers)

    def fill(self, _folder):
        for table, key in self.keys.items():
            items.create(self.client, table, key)
            items.put(self.client, table, [dict(self.key(table, i), note={"S": "old %d" % i}, a={"S": "old"},
                                                mine={"M": {"z": {"L": [{"N": "1.5"}, {"NULL": True}]}, "a": {"SS": ["x", "y"]}}})
                                           for i in range(-10, 40)])

    def key(self, table, i):
        return {"x": {"S": "k%d" % (i % 13)}, "y": {"N": str(i)}} if table == "pair" else {"id": {"N": str(i * 3)}}

    def meddle(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 300000), mine={"S": "mine"}))
            self.client.put_item(TableName=table, Item=dict(self.key(table, 7), mine={"S": "changed"}))
            self.client.delete_item(TableName=table, Key=self.key(table, 8))

    def lose(self, _folder):
        for table in self.keys:
            for i in range(3, 600, 45):
                self.client.delete_item(TableName=table, Key=self.key(table, i))

    def alter(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 4), u={"N": "1"}, note={"BOOL": False}))

    def add(self, _folder):
        for table in self.keys:
            self.client.put_item(TableName=table, Item=dict(self.key(table, 200000), extra={"L": []}))

    def leftovers(self, _folder):
        """A table that was told to go is listed until it is gone."""
        deadline = time.monotonic() + 20
        while True:
            found = [name for name in self.client.list_tables()["TableNames"] if name.startswith("_transhume")]
            if not any(self.is_going(name) for name in found) or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def is_going(self, name):
        try:
            return self.client.describe_table(TableName=name)["Table"]["TableStatus"] == "DELETING"
        except self.client.exceptions.ResourceNotFoundException:
            return True
