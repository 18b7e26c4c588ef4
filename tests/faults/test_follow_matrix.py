"""The matrix of following: what is written, from where into where, and at which step the process is killed.

Workloads and kills have the names that they have in the design. In the suite each workload, kill, source and target is
drawn at least once; a soak draws
500 combinations by its seed (or TRANSHUME_COMBINATIONS, where the module is run by itself). Whatever the kill, the same
command goes on, and the target ends as the source is.
"""
import glob
import itertools
import os
import random
import signal
import sqlite3
import sys
import threading
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import matrix
import postgres
import support
import test_follow
from test_follow_mysql import MysqlSide

DRAWN, SOAKED = 20, 500
COUNT = int(os.environ.get("TRANSHUME_COMBINATIONS", SOAKED if support.SOAK else DRAWN))


# --- what is written

class Workload:
    """Tables, and transactions that a generator of their own makes."""

    SCHEMA, TABLES = "", {}   # {table: its columns, of which `keys` are the key}
    whole = False             # a figure of the target's is the same after each transaction
    EXCLUDED = ()

    def __init__(self, side, kind, pick):
        self.side, self.kind, self.pick, self.number = side, kind, pick, 0
        side.make(self.SCHEMA)

    def steps(self, count):
        for _ in range(count):
            self.number += 1
            self.side.transaction(self.step(), self.pick.random() > 0.1)

    def step(self):
        raise NotImplementedError


class W1(Workload):
    """A counter that is inserted: a gap is a loss."""
    SCHEMA, TABLES = "CREATE TABLE counter (id INTEGER PRIMARY KEY, v TEXT);", {"counter": ("id", "v")}

    def step(self):
        return ["INSERT INTO counter (id, v) VALUES (%d, 'v%d')" % (self.number, self.number)]


class W2(Workload):
    """Transfers, whose sum no reader of a target with transactions sees change."""
    SCHEMA = "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);" + "".join(
        "INSERT INTO account VALUES (%d, 100);" % i for i in range(20))
    TABLES, whole = {"account": ("id", "balance")}, True

    def step(self):
        one, other = self.pick.sample(range(20), 2)
        return ["UPDATE account SET balance = balance - %d WHERE id = %d" % (self.number % 50, one),
                "UPDATE account SET balance = balance + %d WHERE id = %d" % (self.number % 50, other)]


class W3(Workload):
    """The same few keys, made, changed and deleted again and again."""
    SCHEMA, TABLES = "CREATE TABLE churn (id INTEGER PRIMARY KEY, v TEXT);", {"churn": ("id", "v")}

    def step(self):
        key = self.pick.randint(1, 4)
        return [self.pick.choice(["DELETE FROM churn WHERE id = %d" % key,
                                  "UPDATE churn SET v = 'u%d' WHERE id = %d" % (self.number, key)]),
                "DELETE FROM churn WHERE id = %d" % key, "INSERT INTO churn (id, v) VALUES (%d, 'i%d')" % (key,
                    self.number),
                self.pick.choice(["UPDATE churn SET v = NULL WHERE id = %d" % key,
                                  "DELETE FROM churn WHERE id = %d" % (key + 1)])]


class W4(Workload):
    """Keys that change, and that two rows exchange, with a unique value each."""
    SCHEMA = "CREATE TABLE swap (id INTEGER PRIMARY KEY, u INTEGER UNIQUE);" + "".join("INSERT INTO swap VALUES "
                                                                                       "(%d, %d);" % (i, i)
        for i in range(8))
    TABLES = {"swap": ("id", "u")}

    def step(self):
        one, other = self.pick.sample(range(8), 2)
        exchange = ["UPDATE swap SET {0} = -1 WHERE {0} = %d" % one,
                    "UPDATE swap SET {0} = %d WHERE {0} = %d" % (one, other),
                    "UPDATE swap SET {0} = %d WHERE {0} = -1" % other]
        return [statement.format(column) for column in self.pick.sample(["id", "u"], self.pick.randint(1, 2))
                for statement in exchange]


class W5(Workload):
    """Large values that do not change beside others that do."""
    SCHEMA, TABLES = "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT, n INTEGER);", {"doc": ("id", "body", "n")}

    def step(self):
        key = self.pick.randint(1, 5)
        body = "".join(self.pick.choice("abcdefgh") for _ in range(100)) * self.pick.choice([1, 90])
        return ["DELETE FROM doc WHERE id = %d" % (key if self.number % 5 == 0 else -1),
                {"sqlite": "INSERT OR IGNORE INTO doc (id, body, n) VALUES (%d, '%s', 0)",
                 "mariadb": "INSERT IGNORE INTO doc (id, body, n) VALUES (%d, '%s', 0)",
                 "postgres": "INSERT INTO doc (id, body, n) VALUES (%d, '%s', 0) ON CONFLICT DO NOTHING"}[self.kind]
                % (key, body),
                "UPDATE doc SET n = n + 1 WHERE id = %d" % key,
                "UPDATE doc SET id = %d WHERE id = %d" % (1000 + self.number, key if self.number % 3 == 0 else -1)]


class W6(Workload):
    """Transactions of many rows, of which a part is taken back."""
    SCHEMA = "CREATE TABLE digit (d INTEGER PRIMARY KEY);" + "".join("INSERT INTO digit VALUES (%d);" % i
                                                                     for i in range(10)) + (
                                                                         "CREATE TABLE big (id INTEGER PRIMARY KEY, "
                                                                         "v TEXT);")
    TABLES, EXCLUDED = {"big": ("id", "v")}, ("--exclude", "digit")
    MADE = "INSERT INTO big (id, v) SELECT %d + a.d + 10 * b.d + 100 * c.d, 'v%d' FROM digit a, digit b, digit c"

    def step(self):
        if self.number % 4 != 1:
            return ["UPDATE big SET v = 's%d' WHERE id %% 97 = %d" % (self.number, self.number)]
        return ["DELETE FROM big WHERE id >= 2000", self.MADE % (1000 * self.number + 10000, self.number),
                "SAVEPOINT s", "DELETE FROM big",
                self.MADE % (0, self.number), "ROLLBACK TO SAVEPOINT s",
                "UPDATE big SET v = 'u%d' WHERE id %% 3 = 0" % self.number]


class W7(Workload):
    """A table that is emptied, and one that gets columns."""
    SCHEMA, TABLES = ("CREATE TABLE note (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE emptied (id INTEGER "
                      "PRIMARY KEY);", {"note": ("id", "v"), "emptied": ("id",)})

    def steps(self, count):
        for _ in range(count):
            self.number += 1
            statements = ["INSERT INTO note (id, v) VALUES (%d, 'x')" % self.number,
                          "INSERT INTO emptied (id) VALUES (%d)" % self.number]
            if self.number % 4 == 3:
                statements.append("DELETE FROM emptied" if self.kind == "sqlite" else "TRUNCATE TABLE emptied")
            self.side.transaction(statements, True)
            if self.number == 5:
                self.side.transaction(["ALTER TABLE note ADD COLUMN more INTEGER DEFAULT 7"], True)
                self.TABLES = {**self.TABLES, "note": ("id", "v", "more")}


class W8(Workload):
    """A table that is not followed is busy, the others are quiet: the feed moves on all the same."""
    SCHEMA = "CREATE TABLE quiet (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE noise (id INTEGER PRIMARY KEY, v TEXT);"
    TABLES, EXCLUDED = {"quiet": ("id", "v")}, ("--exclude", "noise")

    def step(self):
        return ["INSERT INTO noise VALUES (%d, '%s')" % (self.number, "x" * 2000)] + (
            ["INSERT INTO quiet (id, v) VALUES (%d, 'rare')" % self.number] if self.number % 8 == 1 else [])


WORKLOADS = {workload.__name__: workload for workload in (W1, W2, W3, W4, W5, W6, W7, W8)}


# --- where it is killed: {name: (the command, failpoint, at which occurrences)}; {0} is the target's own name

KILLS = {
    "K1": ("migrate", "follow.after_feed", (1,)),                   # the feed is made, and no snapshot read
    "K2": ("migrate", "engine.batch_submitted", (1,)),              # in the middle of the copy
    "K3": ("migrate", {"dynamodb": "ledger.before_mark"}, (1,)),    # a chunk is durable, and not known to be done
    "K4": ("migrate", "engine.after_settle", (1,)),                 # the copy is done, and its phase not noted
    "K5": ("spool", "follow.before_spool_sync", (1, 2)),            # a record of the spool is half written
    "K6": ("open", None, (1,)),                                     # the source is in the middle of a transaction
    "K7": ("follow", "{0}.before_apply", (1,)),                     # so is the target
    "K8": ("follow", "{0}.after_apply", (1,)),                      # the target has committed, which nobody knows here
    "K9": ("follow", "follow.after_apply", (1,)),                   # it is known, and the source not told
    "K10": ("live", "follow.before_apply", (2, 3)),                 # the source was told, and nothing written here
    "K11": ("grow", "follow.before_apply", (1, 2)),                 # columns come, and a table is read again
    "K12": ("follow", "engine.state_before_rename", (1, 2, 3)),     # the state's file is written aside
    "K13": ("cutover", "cutover.after_step", (1, 2, 3)),            # in the middle of the cut-over
}
SOURCES, TARGETS = ("sqlite", "postgres", "mariadb"), ("sqlite", "postgres", "dynamodb")


def combinations(count):
    """Each value of each axis is among them, if they are enough."""
    pick = random.Random("%d matrix" % support.SEED)
    axes = [pick.sample(axis, len(axis)) for axis in (SOURCES, TARGETS, sorted(WORKLOADS), sorted(KILLS))]
    chosen = list(zip(*(itertools.islice(itertools.cycle(axis), max(map(len, axes))) for axis in axes)))
    rest = [one for one in itertools.product(*axes) if one not in chosen]
    return (chosen + pick.sample(rest, len(rest)))[:count]


class FollowMatrix(test_follow.WithDynamodb, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = {"postgres": postgres.Server(settings=postgres.FOLLOWED),
                       "mariadb": mariadb.Server(settings=mariadb.FOLLOWED)}
        for server in cls.servers.values():
            cls.addClassCleanup(server.stop)

    def side(self, kind, name):
        if kind == "sqlite":
            return test_follow.SqliteSide(self, name)
        if kind == "dynamodb":
            return self.target_side()
        return test_follow.PostgresSide(self, self.servers[kind],
                                        name) if kind == "postgres" else MysqlSide(self.servers[kind])

    def test_each_workload_and_each_kill(self):
        for number, (source, target, workload, kill) in enumerate(combinations(COUNT)):
            told = "%s to %s, %s, %s" % (source, target, workload, kill)
            with self.subTest(told), matrix.case("%s to %s (followed)" % (source, target), "kill") as entry:
                Case(self, number, source, target, workload, kill).run(entry)


class Case:
    def __init__(self, test, number, source, target, workload, kill):
        self.test, self.target_kind = test, target
        self.pick = random.Random("%d %d" % (support.SEED, number))
        self.folder = test.path("case%d" % number)
        os.mkdir(self.folder)
        self.source, self.target = test.side(source, os.path.join(self.folder, "source.db")), test.side(target,
            os.path.join(self.folder, "target.db"))
        self.work = WORKLOADS[workload](self.source, source, self.pick)
        self.command, failpoint, occurrences = KILLS[kill]
        if isinstance(failpoint, dict):
            failpoint = failpoint.get(target, target + ".after_commit")
        self.failpoint = failpoint and failpoint.format(target)
        self.occurrence = self.pick.choice(occurrences)
        self.lanes = ("--lanes", "1" if workload == "W2" else self.pick.choice(["1", "1", "3"]))
        self.sums = set()

    # --- commands

    def ends(self, *arguments, codes=(0,)):
        result = support.transhume(*arguments, "--quiet", cwd=self.folder)
        self.test.assertIn(result.code, codes, "%s: %s" % (" ".join(arguments), result.err))
        return result

    def begin_words(self, *more):
        return ["migrate", "--follow", "--catch-up", *self.work.EXCLUDED, *more, self.source.uri, self.target.uri]

    def follow_words(self, *more):
        return ["follow", "--catch-up", "--take-over", *self.lanes, *more]

    def killed(self, *arguments):
        result = support.kill_at(self.failpoint, self.occurrence, *arguments, cwd=self.folder)
        self.test.assertIn(result.code, (0, -signal.SIGKILL), result.err)
        return result.code == -signal.SIGKILL

    # --- kills

    def migrate(self):
        return self.killed(*self.begin_words("--chunk-rows", "10"))

    def spool(self):
        """
        The last record of the spool, which the source was not told of, is cut, as a crash of the machine leaves it.
        """
        self.work.steps(10)
        stopping = threading.Event()
        writer = threading.Thread(target=self.write_until, args=(stopping,))
        writer.start()
        struck = self.killed(*self.begin_words("--chunk-rows", "5", "--rows-per-second", "2", "--spool"))
        stopping.set()
        writer.join()
        files = self.spooled()
        if struck and files:
            size = os.path.getsize(max(files))
            os.truncate(max(files), size - min(size, self.pick.randint(1, 8)))   # less than the shortest record
        return struck and bool(files)

    def spooled(self):
        return glob.glob(os.path.join(self.folder, ".transhume", "spill", "spool-*", "0*"))

    def write_until(self, stopping):
        while not stopping.is_set():
            self.work.steps(1)
            time.sleep(0.02)

    def open(self):
        """Killed while a transaction of the source is open."""
        self.ends(*self.begin_words())
        begun, commit = threading.Event(), threading.Event()
        writer = threading.Thread(target=self.slow_transaction, args=(begun, commit))
        process = support.start("follow", "--take-over", *self.lanes, cwd=self.folder)
        writer.start()
        begun.wait(30)
        time.sleep(0.3 + self.pick.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        support.finish(process)
        commit.set()
        writer.join()
        return True

    def slow_transaction(self, begun, commit):
        statements = self.work.step() if not isinstance(self.work,
                                                        W7) else ["INSERT INTO note (id, v) VALUES (-1, 'slow')"]
        kind = self.work.kind
        self.work.number += 1
        if kind == "sqlite":
            with sqlite3.connect(self.source.path, timeout=60, isolation_level=None) as connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement in statements:
                    connection.execute(statement)
                begun.set()
                commit.wait(30)
                connection.execute("COMMIT")
            connection.close()
            return
        begun.set()
        self.source.transaction([*statements, "SELECT pg_sleep(1)" if kind == "postgres" else "SELECT SLEEP(1)"], True)

    def follow(self):
        self.ends(*self.begin_words())
        self.work.steps(12)
        return self.killed(*self.follow_words())

    def live(self):
        """While others write: there are several groups."""
        self.ends(*self.begin_words())
        stopping = threading.Event()
        writer = threading.Thread(target=self.write_until, args=(stopping,))
        writer.start()
        process = support.start("follow", "--take-over", *self.lanes, cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "%s:kill:%d" % (self.failpoint, self.occurrence)})
        deadline = time.monotonic() + 5 * support.PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        result = support.finish(process)
        stopping.set()
        writer.join()
        return result.code == -signal.SIGKILL

    def grow(self):
        self.ends(*self.begin_words())
        table = sorted(self.work.TABLES)[-1]
        self.work.steps(4)
        self.source.transaction(["ALTER TABLE %s ADD COLUMN later INTEGER DEFAULT 5" % table], True)
        self.work.TABLES = {**self.work.TABLES, table: (*self.work.TABLES[table], "later")}
        self.source.transaction(["UPDATE %s SET later = 6" % table], True)
        return self.killed(*self.follow_words())

    def cutover(self):
        self.ends(*self.begin_words())
        self.work.steps(6)
        return self.killed("cutover", "--confirm", *self.lanes)

    # --- from beginning to end

    def run(self, entry):
        if self.command == "migrate" or self.command == "cutover":
            self.work.steps(6)
        entry.struck(getattr(self, self.command)())
        if self.command not in ("migrate", "spool"):   # then the copy is whole
            self.see()
        if self.command == "cutover":
            self.ends("cutover", "--confirm", "--take-over", *self.lanes)
            self.same()
            return
        self.work.steps(4)
        if os.path.exists(os.path.join(self.folder, ".transhume", "run.json")):
            self.ends(*self.follow_words())
        else:
            self.ends(*self.begin_words())
        self.see()
        before = self.moved_on()
        self.work.steps(2)
        self.ends(*self.follow_words())
        self.same()
        self.test.assertGreater(self.moved_on(), before)
        if self.work.whole and self.target_kind != "dynamodb":
            self.test.assertLessEqual(self.sums, {2000})
        self.ends("cutover", "--abandon", "--confirm")

    def see(self):
        if self.work.whole and self.target_kind != "dynamodb":
            self.sums |= {self.target.sum()} - {None}

    def moved_on(self):
        """What the source may forget, of a server that keeps its log for the feed; else a number that grows."""
        self.asked = getattr(self, "asked", 0) + 1
        return self.source.forgotten() if isinstance(self.source, test_follow.PostgresSide) else self.asked

    def same(self):
        for table, columns in self.work.TABLES.items():
            self.test.assertEqual(self.read(self.target, table, columns), self.read(self.source, table, columns), table)

    def read(self, side, table, columns):
        asked = "SELECT %s FROM %s" % (", ".join(columns), table)
        if isinstance(side, test_follow.DynamodbSide):
            found = [[side.text(item.get(name, {"NULL": True})) for name in columns]
                     for item in items.scan(side.client, table)]
        elif isinstance(side, test_follow.SqliteSide):
            with sqlite3.connect("file:%s?mode=rw" % side.path, uri=True, timeout=60) as connection:
                found = [[None if value is None else str(value) for value in row] for row in connection.execute(asked)]
            connection.close()
        else:
            found = side.server.ask(side.name, asked)
        return sorted(found, key=repr)


if __name__ == "__main__":
    unittest.main()
