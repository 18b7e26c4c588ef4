"""The error loop (error_loop.py) of `transhume schema`: up, down, repair and baseline, over every kind of migration."""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import cassandra_server
import error_loop
import support
import test_kill_schema

KEPT = ("-- transhume:before-image users\n-- migrate:up\nUPDATE users SET name = 'u';\n"
    "DELETE FROM users WHERE id = 2;\n"
        "INSERT INTO marker VALUES ('kept');\n-- migrate:down\nINSERT INTO marker VALUES ('kept back');\n")
KEPT_APART = KEPT.replace("-- migrate:up", "-- transhume:transaction none\n-- migrate:up").replace(
    "INSERT INTO marker VALUES ('kept');", "CREATE TABLE apart (a INTEGER);").replace(
    "INSERT INTO marker VALUES ('kept back');", "DROP TABLE apart;\nINSERT INTO marker VALUES ('kept back');")
BROKEN = ("-- transhume:transaction none\nCREATE TABLE late (a INTEGER);\nINSERT INTO nowhere VALUES (1);\n"
    "INSERT INTO late VALUES (7);\n")
MENDED = BROKEN.replace("nowhere", "marker (step)").replace("VALUES (1)", "VALUES ('mended')")


class OfSchema(error_loop.Command):
    """`schema ACT` in a folder of the kind; the place is (folder, URI)."""

    def __init__(self, test, act, kind):
        super().__init__(test)
        self.act, self.kind = act, kind
        self.name = "schema %s, %s" % (act, kind)

    def folder(self, place):
        return place[0]

    def new(self, *up):
        """A place in which `schema up` was given with these words, if any."""
        folder, uri = self.test.new(self.kind)
        if up:
            self.test.assert_code(support.transhume("schema", *up, uri, cwd=folder), 0)
        return folder, uri, self.test.chosen()

    def prepare(self):
        return self.new("up") if self.act == "down" else self.new()

    def words(self, place):
        return self.test.command(self.act, place[1])

    def look(self, place):
        """What stands by the history, and what is there."""
        self.test.choose(place[2])
        told = support.transhume("schema", "status", place[1], "--json", cwd=place[0])
        states = [(found["version"], found["state"]) for found in json.loads(told.out)["migrations"]]
        return states, self.test.dump(), self.test.marks()

    def is_untouched(self, place, failed, before):
        """It speaks of what one file does; those that were applied before it stand."""
        done = [line for line in failed.out.splitlines() if "  applied: " in line]
        reached = before if not done else self.look(self.new("up", str(len(done))))
        return self.look(place)[1:] == reached[1:]

    def is_over(self, place, failed, expected):
        return self.act == "down" and "is taken back" in failed.err


class OfRepair(OfSchema):
    """What a person says of a version: it is said once more without harm."""
    WORDS = {
        "mark-applied": ("repair", "003", "--mark-applied"),
        "mark-reverted": ("repair", "002", "--mark-reverted"),
        "resume-from": ("repair", "003", "--resume-from", "3"),
        "accept-checksum": ("repair", "002", "--accept-checksum"),
        "drop-before-images": ("repair", "003", "--drop-before-images"),
        "baseline": ("baseline", "002"),
    }

    def __init__(self, test, what):
        super().__init__(test, what,
            "kept" if what == "drop-before-images" else "broken" if what == "resume-from" else "plain")

    def words(self, place):
        return ("schema", *self.WORDS[self.act][:2], place[1], *self.WORDS[self.act][2:])

    def prepare(self):
        place = self.new()
        folder, uri, _ = place
        if self.act == "mark-applied":
            with open(os.path.join(folder, "migrations", "003_more.sql"), "w", encoding="utf-8") as file:
                file.write("CREATE TABLE more (a INTEGER);\n")
        if self.act != "baseline":
            words = ("schema", "up", *(["2"] if self.act == "mark-applied" else []), uri)
            self.test.assert_code(support.transhume(*words, cwd=folder), 3 if self.act == "resume-from" else 0)
        if self.act == "accept-checksum":
            with open(os.path.join(folder, "migrations", "002_second.sql"), "a", encoding="utf-8") as file:
                file.write("-- of another colour\n")
        return place

    def is_true(self, place, refused, expected):
        """Images that are gone cannot be dropped again."""
        return self.act == "drop-before-images" and "no rows are kept" in refused.err and self.look(place) == expected

    def is_over(self, place, failed, expected):
        return False


class SchemaLoop(error_loop.ErrorLoop):
    SHARE = 3   # of the cases, and of the kinds of migrations; None: all

    def marks(self):
        if not self.is_there("marker"):
            return None
        return self.ask("SELECT step, count(*) FROM marker GROUP BY step ORDER BY step")

    def is_there(self, table):
        try:
            return self.ask("SELECT count(*) FROM %s" % table) is not None
        except Exception:   # each client has its own
            return False

    def test_up(self):
        kinds = self.some(kind for kind in self.KINDS if kind not in ("slow", "broken"))
        self.fail_each(*(OfSchema(self, "up", kind) for kind in kinds), share=self.SHARE)

    def test_down(self):
        self.fail_each(*(OfSchema(self, "down", kind) for kind in self.some(("plain", "kept", "kept apart"))),
            share=self.SHARE)

    def test_repair(self):
        self.fail_each(*(OfRepair(self, what) for what in self.some(OfRepair.WORDS)), share=self.SHARE)

    def some(self, kinds):
        return list(kinds) if self.SHARE is None else support.drawn(kinds, self.SHARE, self.id())


def kinds_of(killed):
    return {**killed.KINDS, "kept": {"003_kept.sql": KEPT}, "kept apart": {"003_kept.sql": KEPT_APART},
        "broken": {"003_broken.sql": BROKEN}}


class LoopOnSqlite(SchemaLoop, test_kill_schema.KillOnSqlite):
    KINDS = kinds_of(test_kill_schema.KillOnSqlite)
    SHARE = None
    test_instants = None

    def chosen(self):
        return self.file

    def choose(self, name):
        self.file = name


class OnServer:
    test_instants = None

    def chosen(self):
        return self.database

    def choose(self, name):
        self.database = name


class LoopOnPostgres(OnServer, SchemaLoop, test_kill_schema.KillOnPostgres):
    KINDS = kinds_of(test_kill_schema.KillOnPostgres)


class LoopOnMariadb(OnServer, SchemaLoop, test_kill_schema.KillOnMariadb):
    """A test for each kind of migration and for each repair: one for all of them is a soak of too long."""
    KINDS = kinds_of(test_kill_schema.KillOnMariadb)
    SHARE = 1   # of the cases of each of those that are drawn
    test_up = test_down = test_repair = None


def a_test(kind, *arguments):
    def test(self):
        self.fail_each(kind(self, *arguments), share=self.SHARE)
    return test


def tests_of_each():
    """
    {name: test} of those of LoopOnMariadb, of which an ordinary run has as many of an act as the others have kinds.
    """
    found = {}
    for act, kinds in (("up", [kind for kind in LoopOnMariadb.KINDS if kind not in ("slow", "broken")]),
            ("down", ("plain", "kept", "kept apart"))):
        for kind in support.drawn(kinds, SchemaLoop.SHARE, act):
            found["test_%s_%s" % (act, kind.replace(" ", "_"))] = a_test(OfSchema, act, kind)
    for what in support.drawn(OfRepair.WORDS, SchemaLoop.SHARE, "repair"):
        found["test_repair_" + what.replace("-", "_")] = a_test(OfRepair, what)
    return found


for name, test in tests_of_each().items():
    setattr(LoopOnMariadb, name, test)


class LoopOnCassandra(error_loop.ErrorLoop, support.TestCase):
    UP = ("CREATE TABLE t (id int PRIMARY KEY);\nALTER TABLE t ADD v text;\n"
        "INSERT INTO t (id, v) VALUES (1, 'x');\nCREATE TABLE u (id int PRIMARY KEY);\n")

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def new(self, _kind):
        self.keyspace = self.server.database()
        folder = self.path(self.keyspace)
        for name, text in (("001_t.up.cql", self.UP), ("001_t.down.cql", "DROP TABLE u;\nDROP TABLE t;\n")):
            os.makedirs(os.path.join(folder, "migrations"), exist_ok=True)
            with open(os.path.join(folder, "migrations", name), "w", encoding="utf-8") as file:
                file.write(text)
        return folder, self.server.uri(self.keyspace)

    def command(self, act, uri):
        return ("schema", act, uri, *(["--confirm"] if act == "down" else []))

    def chosen(self):
        return self.keyspace

    def choose(self, name):
        self.keyspace = name

    def marks(self):
        return [tuple(row) for row in self.server.ask(self.keyspace,
            "SELECT id, v FROM t")] if "t" in self.dump() else None

    def dump(self):
        names = self.server.ask("system_schema",
            "SELECT table_name FROM tables WHERE keyspace_name = '%s'" % self.keyspace)
        return sorted(row[0] for row in names if not row[0].startswith("_transhume"))

    def test_up_and_down(self):
        self.fail_each(OfSchema(self, "up", "cql"), OfSchema(self, "down", "cql"), share=4)


if __name__ == "__main__":
    unittest.main()
