"""`existing: truncate`: what a table holds is deleted before the load, once, and rollback puts it back.

What is there is read by somebody else's client: sqlite3, psql, MariaDB's client, boto3, Cassandra's driver, a Redis
client of the tests' own, HTTP, pymongo."""
import json
import os
import shutil
import sqlite3
import unittest

import cassandra_server
import ferretdb
import items
import mariadb
import opensearch_server
import postgres
import redis_server
import servers
import support

OLD = range(21, 61)
NEW = range(1, 41)
THING = "CREATE TABLE thing(id INTEGER PRIMARY KEY, name TEXT NOT NULL);"


def names(ids, tag):
    return {number: "%s %d" % (tag, number) for number in ids}


def fill(path, ids, tag):
    support.make_sqlite(path, THING)
    with sqlite3.connect(path) as database:
        database.executemany("INSERT INTO thing VALUES(?, ?)", names(ids, tag).items())
    database.close()


class Truncates:
    """Of any target: `uri`, and `contents()`, {id: name} of `thing`."""
    puts_back = True
    env = None

    def run_program(self, *arguments, **more):
        return super().run_program(*arguments, **{"env": self.env, **more})

    def setUp(self):
        super().setUp()
        fill(self.path("old.db"), OLD, "old")
        fill(self.path("new.db"), NEW, "new")

    def truncate(self, *arguments, code=0, **more):
        return self.run_program("migrate", "-q", "--chunk-rows", 16, "--existing", "truncate", *arguments, "new.db",
                                self.uri, code=code, **more)

    def begin(self):
        self.run_program("migrate", "-q", "old.db", self.uri, "--state", "old")
        self.assertEqual(self.contents(), names(OLD, "old"))

    def test_all_of_it(self):
        self.begin()
        self.assertIn("--confirm", self.truncate(code=5).err)
        told = self.run_program("check", "--existing", "truncate", "new.db", self.uri).out
        self.assertIn("deletes its 40 records first", " ".join(told.split()))
        self.assertEqual(self.contents(), names(OLD, "old"))
        self.truncate("--confirm")
        self.assertEqual(self.contents(), names(NEW, "new"))
        self.run_program("validate", "-q", "new.db", self.uri)
        run = self.run_id()
        self.run_program("rollback", "-q", "--run", run, "--confirm", code=0 if self.puts_back else 5)
        self.assertEqual(self.contents(), names(OLD, "old") if self.puts_back else names(NEW, "new"))

    def test_killed_and_resumed(self):
        """Nothing is deleted once more: what was loaded before the kill is there in the end."""
        for point, occurrence in (("engine.before_repair_delete", 1), ("engine.after_repair_delete", 1),
                                  ("engine.after_emptying", 1), ("engine.after_commit", 2)):
            with self.subTest(point=point):
                self.setUp()
                self.begin()
                killed = support.kill_at(point, occurrence, "migrate", "-q", "--chunk-rows", 16, "--jobs", 1,
                                         "--existing", "truncate", "--confirm", "new.db", self.uri, cwd=self.folder,
                                         env=self.env)
                self.assertEqual(killed.code, -9)
                if point == "engine.after_commit":
                    os.remove(self.path(".transhume", "delete.jsonl"))   # nobody needs it any more
                self.run_program("resume", "-q", "new.db", self.uri)
                self.assertEqual(self.contents(), names(NEW, "new"))


class Sqlite(Truncates, support.TestCase):
    @property
    def uri(self):
        return "there.db"

    def contents(self):
        return dict(self.rows("SELECT id, name FROM thing"))

    def rows(self, statement):
        database = sqlite3.connect(self.path("there.db"))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def change(self, script):
        database = sqlite3.connect(self.path("there.db"))
        database.executescript(script)
        database.close()

    def test_triggers_indexes_and_structure_stay(self):
        self.begin()
        self.change("CREATE INDEX by_name ON thing(name); CREATE TABLE log(text); "
                    "CREATE TRIGGER gone AFTER DELETE ON thing BEGIN INSERT INTO log VALUES('gone'); END;")
        before = self.rows("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%transhume%' ORDER BY 2")
        self.truncate("--confirm")
        self.assertEqual(self.rows("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%transhume%' "
                                   "ORDER BY 2"), before)
        self.assertEqual(self.rows("SELECT count(*) FROM log"), [(0,)])

    def test_what_refers_to_it(self):
        """Rows of another table would be left without a partner: it is refused, unless that one is emptied, too."""
        self.begin()
        self.change("CREATE TABLE part(id INTEGER PRIMARY KEY, thing INTEGER REFERENCES thing(id)); "
                    "INSERT INTO part VALUES(1, 21);")
        refused = self.truncate("--confirm", code=5).err
        self.assertIn("a foreign key of part refers to it", refused)
        self.assertEqual(self.contents(), names(OLD, "old"))
        with sqlite3.connect(self.path("new.db")) as database:
            database.executescript("CREATE TABLE part(id INTEGER PRIMARY KEY, thing INTEGER REFERENCES thing(id)); "
                                   "INSERT INTO part VALUES(7, 1);")
        database.close()
        self.truncate("--confirm")
        self.assertEqual(self.rows("SELECT * FROM part"), [(7, 1)])
        self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")
        self.assertEqual((self.rows("SELECT * FROM part"), self.contents()), ([(1, 21)], names(OLD, "old")))

    def test_of_a_plan_one_table(self):
        """The others are as the plan says; a later run without the word refuses as ever."""
        self.begin()
        self.change("CREATE TABLE other(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO other VALUES(1, 'mine');")
        self.write("p.yaml", "transhume: 1\nsource: new.db\ntarget: there.db\ntables:\n"
                   "  thing: { key: [id], from: thing, existing: truncate }\n  other: { key: [id], from: thing, "
                   "existing: upsert }\n")
        self.run_program("migrate", "-q", "--plan", "p.yaml", "--confirm")
        self.assertEqual(self.contents(), names(NEW, "new"))
        self.assertEqual(self.rows("SELECT count(*), max(id) FROM other"), [(40, 40)])
        self.run_program("migrate", "-q", "new.db", "there.db", "--state", "later", code=5)

    def test_what_cannot_be_put_back(self):
        """A table without a key, and --no-before-images: gone for good, and told so."""
        for path, tag in (("new.db", "new"), ("there.db", "old")):
            with sqlite3.connect(self.path(path)) as database:
                database.executescript("DROP TABLE IF EXISTS thing; CREATE TABLE thing(id INTEGER, name TEXT);")
                database.executemany("INSERT INTO thing VALUES(?, ?)", names(OLD if tag == "old" else NEW, tag).items())
            database.close()
        self.assertIn("--no-before-images", self.truncate("--confirm", code=5).err)
        self.assertEqual(self.contents(), names(OLD, "old"))
        self.assertIn("for good", self.run_program("check", "--existing", "truncate", "--no-before-images", "new.db",
                                                   "there.db").out)
        self.truncate("--confirm", "--no-before-images")
        self.assertEqual(self.contents(), names(NEW, "new"))
        self.assertEqual(self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm", code=5).code, 5)
        self.assertEqual(self.contents(), names(NEW, "new"))

    def test_a_lost_state_folder(self):
        """Killed among the deletes, and the list is gone: what is left is listed again."""
        self.begin()
        self.assertEqual(support.kill_at("engine.before_repair_delete", 1, "migrate", "-q", "--existing", "truncate",
                                         "--confirm", "new.db", "there.db", cwd=self.folder).code, -9)
        self.change("INSERT INTO thing VALUES(99, 'came since')")
        os.remove(self.path(".transhume", "delete.jsonl"))
        self.run_program("resume", "-q", "new.db", "there.db")
        self.assertEqual(self.contents(), names(NEW, "new"))
        self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.contents(), {**names(OLD, "old"), 99: "came since"})


class Folder(Truncates, support.TestCase):
    uri = "jsonl:there"

    def contents(self):
        found = {}
        for folder, _, files in os.walk(self.path("there", "thing")):
            for name in files:
                if name.endswith(".jsonl"):
                    for line in support.read_lines(os.path.join(folder, name)):
                        record = json.loads(line) if isinstance(line, (str, bytes)) else line
                        self.assertNotIn(record["id"], found)
                        found[record["id"]] = record["name"]
        return found

    def setUp(self):
        super().setUp()
        shutil.rmtree(self.path("there"), ignore_errors=True)


class Postgres(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def contents(self):
        return {int(number): name for number, name in self.server.psql(self.name, "SELECT id, name FROM thing")}

    def test_triggers_do_not_fire(self):
        self.begin()
        self.server.psql(self.name,
                         "CREATE TABLE log(t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                         "INSERT INTO log VALUES('x'); RETURN OLD; END$$;"
                         "CREATE TRIGGER g AFTER DELETE ON thing FOR EACH ROW EXECUTE FUNCTION f();")
        self.truncate("--confirm")
        self.assertEqual(self.server.psql(self.name, "SELECT count(*) FROM log"), [["0"]])


class Mysql(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def contents(self):
        return {int(number): name for number, name in self.server.ask(self.name, "SELECT id, name FROM thing")}


class Dynamodb(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite")

    def setUp(self):
        super().setUp()
        self.client = items.client_of(self.server)
        items.empty(self.client)
        self.uri = "dynamodb://us-east-1?endpoint=" + self.server.endpoint
        self.env = servers.aws_environment(self.folder)

    def contents(self):
        return {int(item["id"]["N"]): item["name"]["S"] for item in items.scan(self.client, "thing")}


class Cassandra(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def contents(self):
        return {row[0]: row[1] for row in self.server.ask(self.name, "SELECT id, name FROM thing")}


class Redis(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = redis_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.number = self.server.database()
        self.uri = self.server.uri(self.number)

    def contents(self):
        found = {}
        for key in self.server.ask(self.number, "KEYS", "thing:*"):
            record = self.server.ask(self.number, "HGETALL", key)
            fields = dict(zip(record[::2], record[1::2]))
            found[int(fields[b"id"])] = fields[b"name"].decode()
        return found


class Opensearch(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()
        self.uri = self.server.uri(self.prefix)

    def contents(self):
        return {int(record["id"]): record["name"] for record in self.server.documents(self.prefix + "thing").values()}


class Mongodb(Truncates, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def contents(self):
        return {document["id"]: document["name"] for document in self.server.client()[self.name].thing.find()}


if __name__ == "__main__":
    unittest.main()
