"""What a target holds, as clients other than the program see it, and what others do to it: people who had records there
before, applications that write meanwhile, and accidents. The tables are those of kill_matrix.make_source.

A holding is told by two dicts of tuples: `leaves` (a record, a file, an index: what it is) and `containers` (a table, a
folder: how it was made), whose tuple begins those of all that lies in it. Each engine that can be a target has a class
`Holding`;
what several have in common is here.
"""
import collections
import csv
import io
import json
import os
import subprocess

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
    return [(key, a.get(key), b.get(key)) for a, b in zip(expected, found)
            for key in sorted(a.keys() | b.keys(), key=repr)
            if a.get(key) != b.get(key)][:support.DIFFERENCES_SHOWN_MAX]


# A record that a foreign key refers to would be kept by the one that refers to it.
LOST = ("DELETE FROM counted WHERE id % 5 = 0", "DELETE FROM counted WHERE plain_id % 33 = 0",
        "DELETE FROM plain WHERE id % 33 = 0")


class Server:
    """The tables of kill_matrix.make_source in a database of a server, by the server's own client."""

    kinds = ("created", "keys", "filled", "broken off", "repair", "earlier")
    changes_records = True
    widths = {"plain": 1, "pair": 2, "counted": 1}  # columns of a key, which come first
    lost = LOST
    changed = ("UPDATE counted SET u = concat('damaged ', id) WHERE id % 7 = 0",
               "UPDATE pair SET note = NULL WHERE y < 100")
    extra = ("INSERT INTO pair VALUES ('extra', 1, 'nobody wrote it')",)
    meddled = ("INSERT INTO plain(id, a) VALUES (900001, 'mine'), (900002, NULL)",
               "DELETE FROM counted WHERE plain_id = 30",
               "DELETE FROM plain WHERE id = 30", "UPDATE plain SET a = 'mine' WHERE id IN (3, 15)",
               "INSERT INTO pair VALUES ('mine', -1, 'mine')",
               "UPDATE counted SET u = 'mine', plain_id = NULL WHERE id = 33", "DELETE FROM counted WHERE id = 35")

    def __init__(self, server, name):
        self.server = server
        self.name = name

    @classmethod
    def at(cls, uri, test):
        return cls(test.server_of(uri.partition(":")[0]), uri.rpartition("/")[2])

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


class Folder:
    """A folder of files; those of the run bear its tag."""

    form = ""   # how its URI begins
    kinds = ("created", "others", "broken off", "repair")
    changes_records = True
    # Of the tables of kill_matrix.make_source, and of the example's single-table design.
    key = {"id": 900000, "x": "extra", "SK": "EXTRA#1"}
    texts = ("a", "note", "u", "Name", "Title", "Email", "Entity")

    def __init__(self, name):
        self.name = name

    @classmethod
    def at(cls, uri, _test):
        return cls(uri.partition(":")[2].partition("?")[0])

    def path(self, *names):
        return os.path.join(names[0], self.name, *names[1:])

    def contents(self, folder):
        leaves, containers = {}, {}
        for place, folders, files in os.walk(self.path(folder)):
            folders[:] = [name for name in folders if name != "_transhume"]
            inside = tuple(os.path.relpath(place,
                                           self.path(folder)).split(os.sep)) if place != self.path(folder) else ()
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
        kept = {"tables", *("tables/%s.json" % table
                            for table in self.tables(folder))} if os.path.isdir(ledger) else set()
        return sorted({os.path.relpath(os.path.join(place, name), ledger) for place, folders, files in os.walk(ledger)
                       for name in folders + files} - kept)
