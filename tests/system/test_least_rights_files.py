"""
Files and folders: what an account of least rights needs of them is what `check --rights-for` prints, and what is open
for reading alone can be read.
"""
import json
import os
import pwd
import shlex
import shutil
import sqlite3
import subprocess
import sys
import unittest

import support

from refusals import NOBODY, TestCase
sys.path.insert(0, os.path.join(support.ROOT, "tests"))
from engines import duckdb   # noqa: E402

SHOP = """CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER); CREATE TABLE orders (id INTEGER PRIMARY KEY, pid INTEGER REFERENCES customers);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO customers SELECT i, 0 FROM n; INSERT INTO orders SELECT id, id FROM customers;"""
ORDERS = "id,pid\n%s" % "".join("%d,%d\n" % (i, i) for i in range(50))
MODULES = ("parquet.so", "arrow.so", "duckdb.so")


class FilesCase(TestCase):
    """Files of root's in `data`; the account works in `work`, which is its own."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root can make files of somebody else's")
        self.account = pwd.getpwuid(NOBODY).pw_name
        self.top = self.open_folder()
        for name in MODULES:
            shutil.copy(os.path.join(support.BUILD, name), self.top)
        self.data, self.work = os.path.join(self.top, "data"), os.path.join(self.top, "work")
        os.mkdir(self.data, 0o755)
        os.mkdir(self.work, 0o700)
        os.chown(self.work, NOBODY, NOBODY)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.top], check=False)

    def shop(self, name="shop.db", mode="delete"):
        """In a folder of its own."""
        os.makedirs(os.path.join(self.data, "in"), exist_ok=True)
        path = support.make_sqlite(os.path.join(self.data, "in", name), "PRAGMA journal_mode = %s; %s" % (mode, SHOP))
        return path

    def close(self, folders=0o700, files=0o600):
        for folder, names, found in os.walk(self.data):
            for name in found:
                os.chmod(os.path.join(folder, name), files)
            for name in names:
                os.chmod(os.path.join(folder, name), folders)
        os.chmod(self.data, folders)

    def sources(self):
        """{kind: a URI of the shop, or of one table}"""
        path = self.shop()
        found = {"sqlite": "sqlite:" + path}
        for kind in ("csv", "jsonl", "parquet", "arrow"):
            os.mkdir(os.path.join(self.data, kind))
            found[kind] = "%s:%s/out" % (kind, os.path.join(self.data, kind))
            self.run_program("migrate", "--state", kind, "sqlite:" + path, found[kind])
            self.run_program("finish", "--state", kind, "--confirm")
        for name, text in (("orders.csv", ORDERS), ("shop.sql",
                                                    "CREATE TABLE t (id integer PRIMARY KEY);\nINSERT INTO t "
                                                    "VALUES (1);\n")):
            os.mkdir(os.path.join(self.data, name + ".d"))
            with open(os.path.join(self.data, name + ".d", name), "w", encoding="ascii") as file:
                file.write(text)
        found["csv file"] = "csv:%s/orders.csv.d/orders.csv" % self.data
        found["dump"] = "dump:%s/shop.sql.d/shop.sql?dialect=sqlite" % self.data
        library = self.library()
        if library:
            os.mkdir(os.path.join(self.data, "duckdb"))
            found["duckdb"] = "duckdb:%s/duckdb/shop.duckdb" % self.data
            self.run_program("migrate", "--state", "duckdb", "sqlite:" + path, found["duckdb"])
            self.run_program("finish", "--state", "duckdb", "--confirm")
        return found

    def library(self):
        """DuckDB's, where the account may read it; None: there is none."""
        try:
            library = duckdb.library()
        except unittest.SkipTest:
            return None
        place = os.path.join(self.top, os.path.basename(library))
        if not os.path.exists(place):
            shutil.copy(library, place)
        os.environ["TRANSHUME_DUCKDB"] = place
        self.addCleanup(os.environ.pop, "TRANSHUME_DUCKDB", None)
        return place

    def asked(self, side, *arguments, use=None):
        said = json.loads(self.run_program("check", "--json", "--rights-for", self.account,
                                           *arguments).out)["rights_for"][side]
        return [statement["text"] for statement in said if use in (None, statement["for"])]

    def apply(self, commands):
        """
        Access lists need a program, and a file system, that are not everywhere: the others' bits of the mode stand in
        for the account's.
        """
        for command in commands:
            words = shlex.split(command)
            if words[0] == "install":
                subprocess.run(words, check=True)
                continue
            self.assertEqual((words[0], words[-2]), ("setfacl", "--"), command)
            kind, account, bits = words[words.index("-m") + 1].split(":")
            self.assertEqual((kind, account), ("u", self.account), command)
            subprocess.run(["chmod", *(["-R"] if "-R" in words else []), "o=" + bits.replace("-", ""), words[-1]],
                           check=True)

    def perform(self, *arguments, code=0):
        result = self.run_unprivileged(self.work, *arguments, program=os.path.join(self.top, "program"))
        self.assert_code(result, code)
        return result

    def count(self, path, table):
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        try:
            return db.execute("SELECT count(*) FROM " + table).fetchone()[0]
        finally:
            db.close()


class Sources(FilesCase):
    def test_what_everybody_may_read_is_copied(self):
        """Of mode 0444 in folders of 0555: the account needs nothing."""
        sources = self.sources()
        self.close(0o555, 0o444)
        before = self.listing()
        for number, (kind, uri) in enumerate(sources.items()):
            with self.subTest(kind=kind):
                self.assertEqual(self.asked("source", "--state", "c%d" % number, uri, "sqlite:c.db"), [])
                state = ("--state", "s%d" % number)
                self.perform("check", *state, uri, "sqlite:%d.db" % number)
                self.perform("migrate", *state, uri, "sqlite:%d.db" % number)
                self.perform("validate", *state, "--level", "hash")
        self.assertEqual(self.listing(), before)

    def listing(self):
        return sorted(os.path.join(folder, name) for folder, names, files in os.walk(self.data)
                      for name in names + files)

    def test_what_is_closed_is_opened_by_what_is_printed(self):
        sources = self.sources()
        for number, (kind, uri) in enumerate(sources.items()):
            with self.subTest(kind=kind):
                self.close()
                refused = self.perform("migrate", "--state", "r%d" % number, uri, "sqlite:r%d.db" % number, code=2)
                self.assertEqual(len([line for line in refused.err.splitlines() if line.startswith("error:")]), 1,
                                 refused.err)
                commands = self.asked("source", "--state", "c%d" % number, uri, "sqlite:c.db")
                self.assertFalse([command for command in commands if "w" in shlex.split(command)[-3].rsplit(":", 1)[1]],
                                 commands)
                self.apply(commands)
                self.perform("migrate", "--state", "s%d" % number, uri, "sqlite:%d.db" % number)

    def test_names_that_a_shell_would_read(self):
        folder = os.path.join(self.data, "it's $HOME; a\\b")
        os.mkdir(folder)
        shutil.copy(self.shop(), os.path.join(folder, "-x y.db"))
        self.close()
        uri = "sqlite:" + os.path.join(folder, "-x y.db")
        self.apply(self.asked("source", uri, "sqlite:c.db"))
        self.perform("migrate", uri, "sqlite:o.db")

    def test_an_account_that_nobody_knows(self):
        """Is one of the others."""
        path = self.shop()
        self.close(0o755, 0o640)
        self.account = "mover-of-the-test"
        self.assertEqual(self.asked("source", "sqlite:" + path, "sqlite:c.db"),
                         ["setfacl -m u:mover-of-the-test:r-- -- '%s'" % path])

    def test_the_owner_and_the_group(self):
        path = self.shop()
        self.close(0o755, 0o640)
        for owner, group, needed in ((NOBODY, 0, False), (0, NOBODY, False), (0, 0, True)):
            os.chown(path, owner, pwd.getpwuid(NOBODY).pw_gid if group else 0)
            self.assertEqual(bool(self.asked("source", "sqlite:" + path, "sqlite:c.db")), needed, (owner, group))
        self.account = "root"
        self.assertEqual(self.asked("source", "sqlite:" + path, "sqlite:c.db"), [])


class Wal(FilesCase):
    """SQLite's, whose readers make files beside it."""

    def test_one_that_is_closed(self):
        """It can't be read where nothing can be made, and one line says what can be done."""
        path = self.shop(mode="wal")
        self.close(0o555, 0o444)
        refused = self.perform("migrate", "sqlite:" + path, "sqlite:o.db", code=2)
        self.assertEqual(len([line for line in refused.err.splitlines() if line.startswith("error:")]), 1, refused.err)
        self.assertIn("?immutable=true", refused.err)
        self.perform("migrate", "--state", "second", "sqlite:%s?immutable=true" % path, "sqlite:o.db")
        self.assertEqual(self.count(os.path.join(self.work, "o.db"), "orders"), 50)
        self.assertEqual(self.asked("source", "sqlite:%s?immutable=true" % path, "sqlite:c.db"), [])

    def test_by_what_is_printed(self):
        path = self.shop(mode="wal")
        self.close()
        self.apply(self.asked("source", "sqlite:" + path, "sqlite:c.db"))
        self.perform("migrate", "sqlite:" + path, "sqlite:o.db")
        self.perform("validate", "--level", "hash")
        self.assertEqual(self.count(os.path.join(self.work, "o.db"), "orders"), 50)

    def test_while_somebody_writes(self):
        path = self.shop(mode="wal")
        with sqlite3.connect(path) as db:
            self.addCleanup(db.close)
            db.execute("INSERT INTO customers VALUES (51, 1)")
            db.commit()
            self.close()
            self.apply(self.asked("source", "sqlite:" + path, "sqlite:c.db"))
            self.perform("migrate", "sqlite:" + path, "sqlite:o.db")
        self.assertEqual(self.count(os.path.join(self.work, "o.db"), "customers"), 51)


class Targets(FilesCase):
    def targets(self):
        kinds = ["sqlite", "csv", "jsonl", "parquet", "arrow"] + (["duckdb"] if self.library() else [])
        return {kind: "%s:%s/%s/shop%s" % (kind, self.data, kind, {"sqlite": ".db", "duckdb": ".duckdb"}.get(kind, ""))
                for kind in kinds}

    def test_what_is_made_and_taken_back(self):
        source = "sqlite:" + self.shop()
        targets = self.targets()
        for kind in targets:
            os.mkdir(os.path.join(self.data, kind))
        self.close(0o711, 0o644)
        for number, (kind, uri) in enumerate(targets.items()):
            with self.subTest(kind=kind):
                self.perform("migrate", "--state", "r%d" % number, source, uri, code=2)
                self.apply(self.asked("target", "--state", "c%d" % number, source, uri))
                state = ("--state", "s%d" % number)
                self.perform("check", source, uri)
                self.perform("migrate", *state, source, uri)
                self.perform("validate", *state, "--level", "hash")
                self.perform("rollback", *state, "--run", self.run_id_of("s%d" % number), "--confirm")
                self.perform("migrate", "--state", "t%d" % number, source, uri)
                self.perform("finish", "--state", "t%d" % number, "--confirm")

    def run_id_of(self, state):
        with open(os.path.join(self.work, state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def test_what_is_there_already(self):
        source, uri = "sqlite:" + self.shop(), "sqlite:" + self.shop("there.db")
        self.close(0o755, 0o644)
        with sqlite3.connect(os.path.join(self.data, "in", "shop.db")) as db:
            db.execute("UPDATE customers SET u = 7")
        db.close()
        self.apply(self.asked("target", "--existing", "upsert", source, uri))
        self.perform("migrate", "--existing", "upsert", source, uri)
        self.perform("validate", "--level", "hash")
        self.perform("rollback", "--run", self.run_id_of(".transhume"), "--confirm")

    def test_changes_are_followed(self):
        os.mkdir(os.path.join(self.data, "out"))
        for number, uri in enumerate(("sqlite:%s/out/o.db" % self.data, "csv:%s/out/csv" % self.data)):
            with self.subTest(uri=uri):
                path = self.shop("%d.db" % number)
                self.close()
                for side in ("source", "target"):
                    self.apply(self.asked(side, "--state", "c%d" % number, "--follow", "sqlite:" + path, uri))
                state = ("--state", "s%d" % number)
                self.perform("migrate", *state, "--follow", "--catch-up", "sqlite:" + path, uri)
                with sqlite3.connect(path) as db:
                    db.execute("INSERT INTO customers VALUES (%d, 7)" % (60 + number))
                db.close()
                self.perform("follow", *state, "--catch-up")
                if number == 0:   # changes of files are a log, which nobody is cut over to
                    self.perform("cutover", *state, "--confirm", "--max-lag", "1m")
                    self.perform("finish", *state, "--confirm")
        self.assertEqual(self.count(os.path.join(self.data, "out", "o.db"), "customers"), 51)

    def test_a_schema_is_migrated_and_changed(self):
        """The file and its folder are for writing, as the docs say."""
        path = self.shop()
        self.close(0o755, 0o644)
        os.mkdir(os.path.join(self.work, "migrations"), 0o755)
        for name, text in (("001_a.sql", "CREATE TABLE made (id INTEGER PRIMARY KEY);"),
                           ("002_w.change.yaml",
                            "operations:\n  - add_column: { table: customers, column: { name: w, type: INTEGER }, "
                            "up: u + 1 }\n")):
            with open(os.path.join(self.work, "migrations", name), "w", encoding="utf-8") as file:
                file.write(text)
            os.chown(file.name, NOBODY, NOBODY)
        self.perform("schema", "up", "sqlite:" + path, code=2)
        os.chmod(path, 0o666)
        os.chmod(os.path.dirname(path), 0o777)
        file = "migrations/002_w.change.yaml"
        os.rename(os.path.join(self.work, file), os.path.join(self.work, "w.change.yaml"))
        self.perform("schema", "up", "sqlite:" + path)
        os.rename(os.path.join(self.work, "w.change.yaml"), os.path.join(self.work, file))
        self.perform("change", "run", file, "sqlite:" + path, "--confirm")
        self.assertEqual(self.count(path, "customers WHERE w = u + 1"), 50)
