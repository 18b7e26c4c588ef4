"""
The error loop (error_loop.py) of a copy's commands: migrate, resume, validate --repair, rollback, finish and
migrate --rejects. The pairs are those of the kill matrix (kill_matrix.py), which also say what a copy has to hold.
"""
import contextlib
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import error_loop
import kill_matrix
import support
import taking_back
import test_kill_dynamodb
import test_kill_from_mysql
import test_kill_jsonl
import test_kill_postgres
import test_kill_stores
import test_kill_to_items
import test_kill_to_sqlite
import engines
from engines import holding as holdings
from strikes import state_folder

SHARE = 4        # of the cases of a command
SHARE_HERE = 12  # of those over SQLite alone
MOST = 100       # of those of other pairs, in a soak
DRAWN = 2        # of the commands of pairs that are not SQLite alone
WHOLE = "whole"


class OfRun(error_loop.Command):
    """A command of a run; the place is the run's folder."""

    def __init__(self, test, arguments, check, env):
        super().__init__(test)
        self.arguments, self.check, self.env = list(arguments), check, env
        self.holding = test.holding(arguments)
        self.name = "%s, %s" % (type(self).__name__, test.id().split(".")[-1])

    def folder(self, place):
        return place

    def run(self, place, *words):
        self.test.assert_code(support.transhume(*words, cwd=place, env=self.env), 0)

    def prepare(self):
        place = self.test.fresh("case")
        self.begin(place)
        self.held = self.contents(place)
        return place

    def begin(self, place):
        """Does what comes before the command."""

    def contents(self, place):
        return self.holding.contents(place) if self.holding else None

    def again(self, place, failed):
        """The command that the message names."""
        return ["resume", *self.resuming()] if "`transhume resume`" in failed.err else self.words(place)

    def resuming(self):
        return self.arguments

    def look(self, place):
        """What is wrong with the target, and what is said of the run."""
        return self.wrong(place), self.told(place)

    def wrong(self, place):
        try:
            self.check(place)
        except Exception as failure:   # each client has its own
            return "%s: %.2000s" % (type(failure).__name__, failure)
        return WHOLE

    def told(self, place):
        result = support.transhume("status", "--json", "--state", state_folder(self.arguments), cwd=place, env=self.env)
        run = json.loads(result.out or "{}")
        return run.get("phase"), [entity.get("rejected") for entity in run.get("entities", [])]

    def is_untouched(self, place, failed, before):
        return self.contents(place) == self.held if self.holding else self.look(place) == before


class Migrate(OfRun):
    def words(self, place):
        return ["migrate", *self.arguments]


class Resume(OfRun):
    """Of a copy that was killed."""

    def begin(self, place):
        killed = support.kill_at("engine.after_commit", 3, "migrate", *self.arguments, cwd=place, env=self.env)
        self.test.assertEqual(killed.code, -9, killed.err)

    def words(self, place):
        return ["resume", *self.arguments]


class Repair(OfRun):
    """Of a copy of which records were lost, changed and added."""

    def begin(self, place):
        self.test.damaged(place, self.holding, self.arguments, self.check, self.env)

    def words(self, place):
        deleting = taking_back.DELETING if self.holding.changes_records else taking_back.DELETING[:2]
        return [*deleting, *taking_back.told(self.arguments)]

    def resuming(self):
        return taking_back.told(self.arguments)


class Rollback(OfRun):
    """Of one of the kinds of runs that taking_back.Rollbacks names."""

    def __init__(self, test, arguments, check, env, kind):
        super().__init__(test, arguments, check, env)
        self.kind, self.name = kind, "%s, %s" % (self.name, kind)

    def begin(self, place):
        self.expected = self.test.prepared(self.kind, self.holding, place, self.arguments, self.env)

    def words(self, place):
        return self.test.command(place, self.arguments, self.test.run)

    def again(self, place, failed):
        return self.words(place)

    def look(self, place):
        left = [] if self.kind == "repair" else self.holding.leftovers(place)
        differences = holdings.differences(self.expected, self.contents(place))
        return WHOLE if not differences and not left else [differences, left], self.told(place)[0]


class Finish(OfRun):
    """Of a complete copy that was compared."""

    def begin(self, place):
        self.run(place, "migrate", *self.arguments)
        self.run(place, "validate", "--level", "full", *taking_back.told(self.arguments))

    def words(self, place):
        return ["finish", "--confirm", "--state", state_folder(self.arguments)]

    def look(self, place):
        left = self.holding.leftovers(place) if self.holding else None
        return self.wrong(place) if not left else [self.wrong(place), left], self.told(place)


class RunLoop(error_loop.ErrorLoop, taking_back.Killing):
    """Mixed into a class of the kill matrix."""
    COMMANDS = ()
    share = SHARE

    def matrix(self, arguments, check, env=None):
        known = self.fail_each(*self.commands(arguments, check, env), share=self.share)
        print("%s: %d cases struck" % (self.id().split(".", 1)[-1], known), file=sys.stderr)

    def holding(self, arguments):
        """None: it can't be read back record by record."""
        scheme, colon, _ = arguments[-1].partition(":")
        known = hasattr(engines.of(scheme if colon else "sqlite"), "Holding")
        return super().holding(arguments) if known else None

    def commands(self, arguments, check, env):
        return [kind(self, arguments, check, env) for kind in self.COMMANDS]

    def undisturbed_end(self, command):
        found = super().undisturbed_end(command)
        self.assertEqual(found[1][0], WHOLE, command.name)
        return found


class CopyLoop(RunLoop):
    COMMANDS = (Migrate, Resume)


class FinishLoop(RunLoop):
    COMMANDS = (Finish,)


class RepairLoop(taking_back.Repairs, RunLoop):
    COMMANDS = (Repair,)
    matrix = RunLoop.matrix


class RollbackLoop(taking_back.Rollbacks, RunLoop):
    matrix = RunLoop.matrix
    kinds = None   # of runs; None: the seed draws one

    def commands(self, arguments, check, env):
        holding = self.holding(arguments)
        self.keyed = self.with_keys(holding, arguments, env)
        kinds = self.kinds or random.Random("%d %s" % (support.SEED, self.id())).sample(holding.kinds, 1)
        return [Rollback(self, arguments, check, env, kind) for kind in kinds]


# --- SQLite alone, whole

class Here:
    share = SHARE_HERE
    test_toy_to_sqlite = None


class CopyOnSqlite(Here, CopyLoop, test_kill_to_sqlite.KillToSqlite):
    pass


class FinishOnSqlite(Here, FinishLoop, test_kill_to_sqlite.KillToSqlite):
    test_sqlite_to_sqlite_general_path = None   # nothing differs


class RepairOnSqlite(Here, RepairLoop, test_kill_to_sqlite.KillToSqlite):
    test_sqlite_to_sqlite_general_path = None


class RollbackOnSqlite(Here, RollbackLoop, test_kill_to_sqlite.KillToSqlite):
    share, kinds = SHARE, ("created", "keys")
    test_sqlite_to_sqlite_general_path = None


class RollbackOfMoreOnSqlite(RollbackOnSqlite):
    kinds = ("filled", "earlier")


class RollbackOfRepairsOnSqlite(RollbackOnSqlite):
    kinds = ("broken off", "repair")


class Load(error_loop.Command):
    """`migrate --rejects` of what a copy rejected and somebody corrected."""
    name = "Load"
    SOURCE = ("CREATE TABLE thing (id INTEGER PRIMARY KEY, v REAL, note TEXT);"
        "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 200)"
        "INSERT INTO thing SELECT n, iif(n % 10, n / 4.0, 9e999), 'note ' || n FROM i;")
    TARGET = "CREATE TABLE thing (id INTEGER PRIMARY KEY, v REAL CHECK (v < 1e300), note TEXT);"
    WORDS = ("migrate", "--rejects", "mended.jsonl", "--chunk-rows", "5", "source.db", "sqlite:copy.db")

    def folder(self, place):
        return place

    def prepare(self):
        place = self.test.fresh("case")
        support.make_sqlite(os.path.join(place, "source.db"), self.SOURCE)
        support.make_sqlite(os.path.join(place, "copy.db"), self.TARGET)
        copied = support.transhume("migrate", "--chunk-rows", "50", *self.WORDS[-2:], cwd=place)
        self.test.assert_code(copied, 1)
        with open(os.path.join(place, "mended.jsonl"), "w", encoding="utf-8") as file:
            for reject in self.test.rejects(os.path.join(place, ".transhume")):
                reject["record"]["v"] = 1.5
                file.write(json.dumps(reject) + "\n")
        return place

    def words(self, place):
        return list(self.WORDS)

    def again(self, place, failed):
        return ["resume", *self.WORDS[-2:]] if "`transhume resume`" in failed.err else self.words(place)

    def look(self, place):
        with contextlib.closing(sqlite3.connect(os.path.join(place, "copy.db"))) as db:
            found = db.execute("SELECT count(*), sum(v), count(DISTINCT note), sum(v = 1.5) FROM thing").fetchone()
        return WHOLE if found[0] == 200 else "%d records" % found[0], found


class LoadOnSqlite(RunLoop, kill_matrix.KillMatrix):
    def test_rejects(self):
        struck = self.fail_each(Load(self), share=SHARE_HERE)
        print("LoadOnSqlite.test_rejects: %d cases struck" % struck, file=sys.stderr)


# --- elsewhere: a pair of each class of databases, each command of it a test, of which an ordinary run draws some

class ToStores(test_kill_stores.KillStores):
    def test_sqlite_to_mongodb(self):
        self.pair("sqlite", "mongodb")


PAIRS = {
    "Postgres": (test_kill_postgres.KillPostgres, "test_sqlite_to_postgres", "test_postgres_to_postgres"),
    "Mysql": (test_kill_from_mysql.KillFromMysql, "test_postgres_to_mysql"),
    "Dynamodb": (test_kill_dynamodb.ToDynamodb, "test_sqlite_to_dynamodb"),
    "Stores": (ToStores, "test_sqlite_to_mongodb"),
    "Jsonl": (test_kill_jsonl.KillJsonl, "test_sqlite_to_jsonl"),
    "Items": (test_kill_to_items.KillToItems, "test_sqlite_to_dynamodb_json"),
}
LOOPS = {"Copy": CopyLoop, "Finish": FinishLoop, "Repair": RepairLoop, "Rollback": RollbackLoop}
WITHOUT = {   # no class Holding tells what is there
    ("Repair", "Stores"): ["test_sqlite_to_mongodb"], ("Rollback", "Stores"): ["test_sqlite_to_mongodb"],
}


def elsewhere():
    for loop, mixin in LOOPS.items():
        for pair, (base, *tests) in PAIRS.items():
            inherited = {name: None for name in dir(base) if name.startswith("test_")}
            wanted = {name: getattr(base, name) for name in tests if name not in WITHOUT.get((loop, pair), ())}
            if wanted:
                yield type("%sIn%s" % (loop, pair), (mixin, base),
                           {**inherited, **wanted, "__module__": __name__, "most": MOST})


ELSEWHERE = {kind.__name__: kind for kind in elsewhere()}
globals().update(ELSEWHERE)
kill_matrix.sample_of_all(tuple(ELSEWHERE.values()), DRAWN)

if __name__ == "__main__":
    unittest.main()
