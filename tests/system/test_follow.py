"""Following: a copy, then what changes in the source, through kills, until both sides are the same.

Whether they are is seen by Python's own sqlite3 and drivers: what a fresh copy of the source as it is
now would make, the followed target has to hold.
"""
import glob
import json
import os
import random
import re
import signal
import sqlite3
import sys
import threading
import time
import unittest
import unittest.mock

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import items  # noqa: E402
import postgres  # noqa: E402
import servers  # noqa: E402

KILLS = 60 if support.SOAK else 8
SEED = int(os.environ.get("TRANSHUME_SEED", "1"))


class SqliteSide:
    """A file, through Python's sqlite3."""

    def __init__(self, test, name):
        self.path = test.path(name)
        self.uri = "sqlite:" + self.path
        self.connection = None
        self.test = test

    def make(self, schema):
        self.connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        self.test.addCleanup(self.connection.close)
        self.connection.executescript("PRAGMA journal_mode = WAL;" + schema)

    def transaction(self, statements, commit):
        self.connection = self.connection or sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                self.connection.execute(statement)
        except sqlite3.Error:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT" if commit else "ROLLBACK")

    def feeds(self):
        with sqlite3.connect(self.path) as connection:
            return connection.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_transhume_feed*'").fetchall()

    def forgotten(self):
        """A number that grows with what the feed has confirmed."""
        with sqlite3.connect(self.path) as connection:
            log, = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB "
                                      "'_transhume_feed_*'").fetchone()
            return connection.execute('SELECT min(sequence) FROM "%s"' % log).fetchone()[0]

    def rows(self, table):
        """As texts, in the order of the first column."""
        with sqlite3.connect("file:%s?mode=ro" % self.path, uri=True, timeout=60) as connection:
            return sorted([[None if v is None else str(v) for v in row]
                           for row in connection.execute("SELECT * FROM %s" % table)],
                          key=repr)

    def asked(self, sql):
        with sqlite3.connect("file:%s?mode=ro" % self.path, uri=True, timeout=60) as connection:
            return [[None if v is None else str(v) for v in row] for row in connection.execute(sql)]

    def contents(self):
        """{table: its rows} of all of its tables."""
        with sqlite3.connect("file:%s?mode=ro" % self.path, uri=True) as connection:
            names = [name for name, in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")]
            return {name: sorted(connection.execute('SELECT * FROM "%s"' % name).fetchall(), key=repr)
                    for name in names}

    def ledger(self):
        with sqlite3.connect("file:%s?mode=ro" % self.path, uri=True) as connection:
            return connection.execute("SELECT name, value FROM _transhume_ledger").fetchall()

    def sum(self):
        try:
            return int(self.rows_of_sum()[0])
        except (sqlite3.Error, TypeError):
            return None

    def rows_of_sum(self):
        # To be written, too: what a kill left half written has to be rolled back first.
        with sqlite3.connect("file:%s?mode=rw" % self.path, uri=True, timeout=60) as connection:
            return connection.execute("SELECT sum(balance) FROM account").fetchone()


class PostgresSide:
    """A database of a server, through psql."""

    def __init__(self, test, server, _name):
        self.server = server
        self.name = server.database()
        self.uri = server.uri(self.name)

    def make(self, schema):
        self.server.psql(self.name, schema)

    def transaction(self, statements, commit):
        self.server.psql(self.name, "BEGIN;%s;%s;" % (";".join(statements), "COMMIT" if commit else "ROLLBACK"))

    def feeds(self):
        return self.server.psql(self.name,
                                "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() "
                                           "UNION ALL SELECT pubname FROM pg_publication")

    def forgotten(self):
        return int(self.server.psql(self.name,
                                    "SELECT pg_wal_lsn_diff(confirmed_flush_lsn, '0/0') FROM pg_replication_slots "
                                    "WHERE database = current_database()")[0][0])

    def asked(self, sql):
        return self.server.psql(self.name, sql)

    def rows(self, table):
        return sorted(self.server.psql(self.name, "SELECT * FROM %s" % table), key=repr)

    def contents(self):
        return {name: self.rows(name) for name, in self.server.psql(
            self.name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_%'")}

    def sum(self):
        try:
            return int(self.server.psql(self.name, "SELECT sum(balance) FROM account")[0][0])
        except (RuntimeError, TypeError, AssertionError):
            return None


class DynamodbSide:
    """Tables of an emulator, through boto3."""

    COLUMNS = {"account": ("id", "balance"), "entry": ("id", "text"), "churn": ("a", "b", "value")}

    def __init__(self, server, client):
        self.client = client
        self.uri = "dynamodb://us-east-1?endpoint=" + server.endpoint
        items.empty(client)

    def transaction(self, statements, _commit):
        for statement in statements:
            sign, amount, key = re.fullmatch(r"UPDATE account SET balance = balance ([+-]) (\d+) WHERE id = (\d+)",
                                             statement).groups()
            self.client.update_item(TableName="account", Key={"id": {"N": key}}, UpdateExpression="ADD balance :by",
                                    ExpressionAttributeValues={":by": {"N": (sign + amount).lstrip("+")}})

    def rows(self, table):
        if table not in items.tables(self.client):
            return None
        return sorted(([self.text(item.get(name, {"NULL": True})) for name in self.COLUMNS[table]]
                       for item in items.scan(self.client, table)), key=repr)

    def contents(self):
        return {name: sorted(map(repr, map(items.canonical, rows)))
                for name, rows in items.everything(self.client).items()}

    @staticmethod
    def text(typed):
        (letter, value), = typed.items()
        return None if letter == "NULL" else value

    def sum(self):
        return sum(int(balance) for _, balance in self.rows("account"))


BACK = os.path.join(".transhume", "back")


class Bank:
    """Accounts whose sum never changes, a log that only grows, and rows that come, go and move."""

    TABLES = ("account", "entry", "churn")
    ACCOUNTS = 20
    SCHEMA = ("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
              "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT);"
              "CREATE TABLE churn (a TEXT, b INTEGER, value TEXT, PRIMARY KEY (a, b));")

    def __init__(self, side, seed):
        self.side, self.random, self.next = side, random.Random(seed), 0
        side.make(self.SCHEMA + "".join("INSERT INTO account VALUES (%d, 100);" % i for i in range(self.ACCOUNTS)))

    def step(self):
        """One transaction."""
        pick = self.random
        one, other = pick.sample(range(self.ACCOUNTS), 2)
        amount = pick.randint(1, 50)
        self.next += 1
        statements = ["UPDATE account SET balance = balance - %d WHERE id = %d" % (amount, one),
                      "UPDATE account SET balance = balance + %d WHERE id = %d" % (amount, other),
                      "INSERT INTO entry (id, text) VALUES (%d, 'e%d \u00e4''%s')" % (self.next, self.next,
                          "x" * pick.choice([1, 1, 1, 9000]))]
        for _ in range(pick.randint(0, 4)):
            a, b = pick.randint(0, 5), pick.randint(0, 5)
            statements.append(pick.choice([
                "INSERT INTO churn VALUES ('k%d', %d, '%d') ON CONFLICT (a, b) DO UPDATE SET value = excluded.value"
                % (a, b, self.next),
                "INSERT INTO churn VALUES ('k%d', %d, NULL) ON CONFLICT DO NOTHING" % (a, b),
                "DELETE FROM churn WHERE a = 'k%d'" % a,
                "UPDATE churn SET b = b + 100 WHERE a = 'k%d' AND b < 50 AND NOT EXISTS (SELECT 1 FROM churn c WHERE "
                "c.a = churn.a AND c.b > 50)" % a,
                "UPDATE churn SET value = NULL WHERE b = %d" % b]))
        self.side.transaction(statements, pick.random() > 0.1)


class Writer(threading.Thread):
    """Takes steps until it is told to stop."""

    def __init__(self, bank, pause=0.002):
        super().__init__(daemon=True)
        self.bank, self.pause, self.stopping, self.steps = bank, pause, threading.Event(), 0

    def run(self):
        while not self.stopping.is_set():
            self.bank.step()
            self.steps += 1
            time.sleep(self.pause)

    def stop(self):
        self.stopping.set()
        self.join()


def statements_by_hand(beginning, feed):
    """Those of the manual."""
    with open(os.path.join(support.ROOT, "docs", "following.md"), encoding="utf-8") as file:
        block, = [block for block in file.read().split("```") if block.strip().startswith(beginning)]
    return [line for line in block.replace("FEED", feed).strip().splitlines() if line]


class Pair:
    """What holds for each source and target: subclasses say which."""

    whole_transactions = True  # what a kill leaves is a whole number of them
    kills = KILLS

    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.bank = Bank(self.source, SEED)
        self.addCleanup(self.drop_feed)

    def drop_feed(self):
        pass

    def feeds_left(self):
        return self.source.feeds()

    def feed_name(self):
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            return json.load(file)["follow"]["feed"]

    def assert_same(self):
        for table in Bank.TABLES:
            self.assertEqual(self.target.rows(table), self.source.rows(table), table)

    def steps(self, count):
        for _ in range(count):
            self.bank.step()

    def follow(self, *more):
        self.run_program("follow", "--catch-up", *more, time_limit=120)

    def test_what_changes_arrives(self):
        self.steps(10)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.assert_same()
        self.steps(20)
        self.follow()
        self.assert_same()
        self.follow()  # nothing is left to do
        self.assert_same()

    def phase(self):
        try:
            with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
                return json.load(file)["phase"]
        except (OSError, ValueError, KeyError):
            return None

    def test_killed_at_any_moment(self):
        """A sum that is not the one at the beginning would be half a transaction."""
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        pick = random.Random(SEED)
        begun, followed, sums, tries = False, 0, set(), 0
        # a busy machine needs longer to get there
        while tries < self.kills or (followed < 2 and tries < self.kills + 20):
            tries += 1
            arguments = ["follow", "--take-over"] if begun else ["migrate", "--follow", self.source.uri,
                                                                 self.target.uri]
            support.kill_after((pick.uniform(0.1, 1.5) + 0.2 * max(0, tries - self.kills)) * support.PATIENCE,
                               *arguments, cwd=self.folder)
            begun = os.path.exists(self.path(".transhume", "run.json"))
            if self.phase() == "following":
                followed += 1
                sums.add(self.target.sum())
        writer.stop()
        if not begun:
            self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.follow("--take-over")
        self.assert_same()
        self.assertGreater(writer.steps, 20)
        if self.whole_transactions:
            self.assertLessEqual(sums, {100 * Bank.ACCOUNTS})
            self.assertGreater(followed, 0)


    # --- cut-over

    def can_write(self):
        try:
            self.source.transaction(["INSERT INTO entry VALUES (-1, 'late')"], True)
        except (sqlite3.Error, AssertionError):
            return False
        self.source.transaction(["DELETE FROM entry WHERE id = -1"], True)
        return True

    def test_cut_over_and_back(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(10)
        self.run_program("cutover", code=2)  # without --confirm
        self.assertIn("stop the source's writers", self.run_program("cutover", "--dry-run").out)
        self.assertIn("the command of --after", self.run_program("cutover", "--confirm", "--after", "exit 3",
                                                                 code=5).err)
        self.assertFalse(self.can_write())
        self.run_program("cutover", "--back", "--confirm")
        self.assertTrue(self.can_write())
        self.steps(5)
        self.follow()
        self.assert_same()
        self.run_program("cutover", "--confirm", "--before", "touch before", "--after", "touch after")
        self.assertTrue(os.path.exists(self.path("before")) and os.path.exists(self.path("after")))
        self.assertFalse(self.can_write())
        self.assert_same()
        self.assertEqual(self.phase(), "completed")
        self.assertIn("the cut-over is done", self.run_program("follow").err)


    def test_a_way_back_is_kept(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(5)
        support.kill_at("cutover.after_step", 5, "cutover", "--confirm", "--reverse", cwd=self.folder)   # reversed
        self.assertFalse(self.can_write())
        self.run_program("cutover", "--back", "--confirm", "--take-over")
        self.assertEqual(self.target.feeds(), [])
        self.assertTrue(self.can_write())
        self.steps(3)
        self.run_program("cutover", "--confirm", "--reverse")
        self.assertFalse(self.can_write())
        self.assertIn("feeds the former source", " ".join(self.run_program("status").out.split()))
        self.assertIn("the target is the database", self.run_program("follow", "--catch-up").err)
        self.bank.side = self.target
        self.steps(10)
        support.kill_at("follow.before_apply", 1, "follow", "--catch-up", "--state", BACK, cwd=self.folder)
        self.run_program("follow", "--catch-up", "--take-over", "--state", BACK)
        self.assert_same()
        self.steps(5)
        self.run_program("cutover", "--back", "--confirm")
        self.assertTrue(self.can_write())
        self.assert_same()
        self.assertRaises((sqlite3.Error, AssertionError), self.bank.step)
        self.assertEqual(self.source.feeds() + self.target.feeds(), [])
        # the run itself is over, and says so
        words = "the cut-over was taken back: the source is the database again"
        self.assertIn(words, " ".join(self.run_program("status").out.split()))
        self.assertIn('"way_back": "taken"', self.run_program("status", "--json").out)
        for command in (("follow", "--catch-up"), ("follow", "--resync"), ("cutover", "--confirm"),
                        ("cutover", "--dry-run")):
            self.assertIn(words, self.run_program(*command, code=5).err)


class WholePair(Pair):
    """What is the same for all pairs, once a database."""

    computed = None  # what makes a column that both sides can have

    # --- care for the source

    def test_what_it_takes_is_told_before(self):
        said = json.loads(self.run_program("check", "--follow", "--json", self.source.uri,
                                           self.target.uri).out)["follow"]
        self.assertIsNone(said["refusal"])
        self.assertTrue(any(cost.startswith("writers:") for cost in said["costs"]), said)
        self.assertEqual(any("CREATE" in statement for statement in said["statements"]), self.makes_objects, said)
        self.assertEqual(bool(said["native"]), isinstance(self.source, PostgresSide))
        self.assertIn("following: it can be done", self.run_program("check", "--follow", self.source.uri,
                                                                    self.target.uri).out)
        self.source.make("CREATE TABLE keyless (id INTEGER, twice INTEGER GENERATED ALWAYS AS (id * 2) STORED)")
        said = json.loads(self.run_program("check", "--follow", "--json", self.source.uri, self.target.uri,
                                           code=2).out)["follow"]
        self.assertIn("keyless", said["refusal"])
        self.assertEqual(self.feeds_left(), [])

    makes_objects = True  # the feed is something in the source

    def free_the_source(self):
        limits = ("--max-retained", "1KiB", "--drop-when-full")
        self.assertIn("feed-full", self.run_program("follow", "--catch-up", *limits, code=5).err)

    def lose_the_feed(self):
        """And the target is no longer what the source is."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(20)
        self.free_the_source()
        self.assertEqual(self.feeds_left(), [])
        self.assertIn("--resync", self.run_program("follow", "--catch-up", code=5).err)
        self.steps(20)
        self.source.transaction(["DELETE FROM entry WHERE id < 10", "DELETE FROM account WHERE id = 3"], True)

    def test_a_source_that_keeps_too_much(self):
        """It is freed, and what was lost is put right."""
        self.lose_the_feed()
        self.assertIn("resync: done", self.run_program("follow", "--resync", "--catch-up").err)
        self.assert_same()
        self.source.transaction(["INSERT INTO account VALUES (3, 100)"], True)
        self.steps(10)
        self.follow()
        self.assert_same()
        said = json.loads(self.run_program("status", "--json").out)["follow"]
        self.assertGreaterEqual(said["operations"]["entry"]["inserts"], 1)
        self.assertEqual(said["source_bytes_kept"] is not None, self.makes_objects)
        self.assertIn("inserts", self.run_program("status").out)
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            self.assertIn("What was followed", file.read())

    def test_a_resync_that_is_broken_off(self):
        self.lose_the_feed()
        for failpoint in ("follow.after_feed", "follow.before_apply"):
            support.kill_at(failpoint, 1, "follow", "--resync", "--catch-up", "--take-over", cwd=self.folder)
            self.assertIn("is not done", self.run_program("follow", "--catch-up", "--take-over", code=5).err)
        self.run_program("follow", "--resync", "--catch-up", "--take-over")
        self.assert_same()

    def test_writers_do_not_wait_for_a_resync(self):
        self.lose_the_feed()
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        self.run_program("follow", "--resync", "--catch-up")
        writer.stop()
        self.follow()
        self.assert_same()

    def test_a_resync_beside_keys_that_change(self):
        """
        What the comparison saw has the new keys already, when the changes that made them come by; later ones, of the
        same piece of the log, delete them.
        """
        self.lose_the_feed()
        process = self.stopped_at("follow.after_feed:stop:1,resume.before_claim:stop:2", "follow", "--resync",
                                  "--catch-up")
        self.source.transaction(["INSERT INTO churn VALUES ('k9', %d, 'n')" % b
                                 for b in (3, 4)] + ["UPDATE churn SET b = b + 100 WHERE a = 'k9'"], True)
        process.send_signal(signal.SIGCONT)
        self.wait_until_stopped(process)
        self.source.transaction(["DELETE FROM churn WHERE a = 'k9'"], True)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.follow()
        self.assert_same()

    def test_it_follows_until_it_is_stopped(self):
        self.steps(5)
        process = support.start("migrate", "--follow", self.source.uri, self.target.uri, cwd=self.folder)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30 * support.PATIENCE
        while self.phase() != "following" and time.monotonic() < deadline:
            time.sleep(0.05)
        self.steps(20)
        self.wait_for_the_same()
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)
        self.assert_same()

    def running(self):
        """`follow`, until the end of the test."""
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(process.kill)
        return process

    def wait_for_the_same(self):
        deadline, same = time.monotonic() + 30 * support.PATIENCE, False
        while not same and time.monotonic() < deadline:
            time.sleep(0.1)
            same = all(self.target.rows(t) == self.source.rows(t) for t in Bank.TABLES)
        self.assert_same()

    def test_columns_that_are_added(self):
        """While it is stopped, and while it runs; with a default, rows hold it that nobody changes."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(3)
        self.source.transaction(["ALTER TABLE entry ADD COLUMN note TEXT", "UPDATE entry SET note = 'n' WHERE id = 1",
                                 "CREATE TABLE later (id INTEGER PRIMARY KEY)",
                                 "ALTER TABLE account ADD COLUMN score INTEGER NOT NULL DEFAULT 7"], True)
        self.steps(3)
        self.source.transaction(["INSERT INTO entry VALUES (9900, 'new', 'noted')"], True)
        self.follow()
        self.assert_same()
        self.assertEqual({len(row) for row in self.target.rows("entry")}, {3})
        self.assertEqual(self.target.rows("later"), [])
        process = self.running()
        self.source.transaction(["INSERT INTO entry VALUES (9901, 'again', 'noted')"], True)
        self.wait_for_the_same()
        self.source.transaction(["ALTER TABLE entry ADD COLUMN live TEXT DEFAULT 'x'",
                                 "INSERT INTO entry VALUES (9902, 'third', NULL, 'y')"], True)
        self.wait_for_the_same()
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)
        if self.computed is not None:
            self.source.transaction(["ALTER TABLE account ADD COLUMN twice INTEGER " + self.computed,
                                     "UPDATE account SET balance = 7 WHERE id = 3"], True)
            self.follow()
            self.assert_same()
        self.run_program("cutover", "--confirm")
        self.assert_same()

    def test_a_computed_column_that_can_not_be_made(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        if self.computed is not None:
            return
        self.source.transaction(["ALTER TABLE account ADD COLUMN twice INTEGER AS (balance * 2)"], True)
        self.assertIn("twice is computed", self.run_program("follow", "--catch-up", code=1).err)
        self.target.transaction(["ALTER TABLE account ADD COLUMN twice INTEGER AS (balance * 2)"], True)
        self.steps(2)
        self.run_program("follow", "--resync", "--catch-up")
        self.steps(2)
        self.follow()
        self.assert_same()

    def test_the_log_is_kept_here_during_the_copy(self):
        """The source has forgotten by then what following begins with; killed in the middle, too."""
        self.source.transaction(["INSERT INTO entry (id, text) VALUES %s" % ", ".join("(%d, 'x')" % i
            for i in range(5000, 8000))], True)
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        arguments = ["--rows-per-second", "1000", "--chunk-rows", "200", "--spool"]
        support.kill_after(1.7 * support.PATIENCE, "migrate", "--follow", *arguments, self.source.uri, self.target.uri,
                           cwd=self.folder)
        self.assertEqual(len(glob.glob(self.path(".transhume", "spill", "spool-*", "0*"))), 1)
        first = self.source.forgotten()
        self.run_program("follow", "--catch-up", "--take-over", "--rows-per-second", "1000", time_limit=120)
        self.assertGreater(self.source.forgotten(), first)
        writer.stop()
        self.follow()
        self.assert_same()
        self.assertEqual(glob.glob(self.path(".transhume", "spill", "spool-*")), [])

    def test_a_table_that_is_read_again(self):
        """What somebody broke in the target is put right, while the source changes."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        self.target.transaction(["DELETE FROM account WHERE id < 5", "DELETE FROM entry",
                                 "UPDATE churn SET value = 'broken'"], True)
        self.assertIn("--refresh names", self.run_program("follow", "--catch-up", "--refresh", "nothing", code=3).err)
        self.follow("--refresh", "account", "--refresh", "entry", "--refresh", "churn")
        self.assertEqual(self.target.sum(), 100 * Bank.ACCOUNTS)
        writer.stop()
        self.follow()
        self.assert_same()

    def test_cut_over_finds_a_difference(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.target.transaction(["UPDATE account SET balance = balance + 1 WHERE id = 3"], True)
        self.assertIn("differ in 1 record", self.run_program("cutover", "--confirm", code=5).err)
        self.target.transaction(["UPDATE account SET balance = balance - 1 WHERE id = 3"], True)
        self.run_program("cutover", "--confirm")
        self.assert_same()

    def test_following_is_given_up(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.assertIn("--abandon", self.run_program("rollback", "--run", self.run_id(), "--confirm", code=5).err)
        self.run_program("cutover", "--abandon", "--confirm")
        self.assertTrue(self.can_write())
        self.assertEqual(self.phase(), "completed")
        self.assertEqual(self.feeds_left(), [])

    def test_killed_before_it_began(self):
        """What then begins is no plain copy."""
        result = support.kill_at("engine.before_ledger_create", 1, "migrate", "--follow", self.source.uri,
                                 self.target.uri, cwd=self.folder)
        self.assertEqual(result.code, -signal.SIGKILL)
        self.run_program("resume", "--catch-up")
        self.assertEqual(self.phase(), "following")
        self.steps(3)
        self.follow()
        self.assert_same()

    def test_given_up_though_killed_behind_the_fence(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        support.kill_at("cutover.after_fence", 1, "cutover", "--confirm", cwd=self.folder)
        self.assertFalse(self.can_write())
        self.run_program("cutover", "--abandon", "--confirm", "--take-over")
        self.assertTrue(self.can_write())
        self.assertEqual(self.feeds_left(), [])

    def test_given_up_though_the_schema_changed(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["CREATE TABLE later (id INTEGER PRIMARY KEY, value TEXT)",
                                 "ALTER TABLE entry RENAME COLUMN text TO words"], True)
        self.run_program("follow", "--catch-up", code=1)
        self.run_program("cutover", "--back", "--confirm")
        self.run_program("cutover", "--abandon", "--confirm")
        self.assertEqual(self.phase(), "completed")
        self.assertEqual(self.feeds_left(), [])
        self.assertEqual(self.target.rows("later"), [])

    def test_cut_over_killed_between_steps(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        for number in (1, 2, 3):
            self.bank.step() if number == 1 else None
            self.assertEqual(support.kill_at("cutover.after_step", 1, "cutover", "--confirm", "--take-over",
                                             cwd=self.folder).code,
                             -signal.SIGKILL, number)
        support.kill_at("cutover.before_end", 1, "cutover", "--confirm", "--take-over", cwd=self.folder)
        self.run_program("cutover", "--confirm", "--take-over")
        self.assertFalse(self.can_write())
        self.assert_same()


class SqliteToSqlite(WholePair, support.TestCase):
    def test_the_feed_is_removed_by_hand(self):
        """The target is gone for good."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        os.remove(self.path("copy.db"))
        find, *rest = statements_by_hand("SELECT 'DROP TRIGGER", self.feed_name())
        for drop, in self.source.connection.execute(find).fetchall():
            self.source.connection.execute(drop)
        for statement in rest:
            self.source.connection.execute(statement)
        self.steps(5)
        self.assertEqual(self.source.connection.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_transhume*' "
                                                        "AND name <> '_transhume_feeds'").fetchall(), [])
        self.assertEqual(self.source.connection.execute("SELECT * FROM _transhume_feeds").fetchall(), [])

    def test_a_way_back_through_a_plan(self):
        """Under other names; what is not all there can't be fed back."""
        self.source.make("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT); "
                         "INSERT INTO person VALUES (1, 'a', '1999-01-01');")
        fields = "{ key: { column: id }, title: { column: name }, Born: { column: born }, more: { const: 1 } }"
        for number, (lost, code) in enumerate(((", Born: { column: born }", 5), ("", 0))):
            with self.subTest(lost=lost):
                self.write("plan.yaml",
                           "transhume: 1\nsource: %s\ntarget: sqlite:people%d.db\ntables: { people: { key: key, "
                           "from: person, fields: %s } }\n"
                           % (self.source.uri, number, fields.replace(lost, "") if lost else fields))
                self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", "--state", "s%d" % number)
                self.assertEqual("column born" in self.run_program("cutover", "--confirm", "--reverse", "--state",
                                                                   "s%d" % number, code=code).err, bool(code))
        with sqlite3.connect(self.path("people1.db")) as connection:
            connection.execute("UPDATE people SET title = 'b' WHERE key = 1")
            connection.execute("INSERT INTO people VALUES (2, 'c', NULL, 1)")
        self.run_program("cutover", "--back", "--confirm", "--state", "s1")
        self.assertEqual(self.source.rows("person"), [["1", "b", "1999-01-01"], ["2", "c", None]])

    def test_killed_behind_the_feed(self):
        """What was written between the feed and the copy is in the copy: nothing has to come behind it."""
        support.kill_at("follow.after_feed", 1, "migrate", "--follow", self.source.uri, self.target.uri,
                        cwd=self.folder)
        self.source.transaction(["INSERT INTO entry VALUES (-1, 'x')", "UPDATE account SET balance = 7 WHERE id = 1"],
                                True)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri, time_limit=30)
        self.assert_same()

    def sides(self):
        return SqliteSide(self, "bank.db"), SqliteSide(self, "copy.db")


class OfPostgres:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings={**postgres.FOLLOWED, "track_commit_timestamp": "on"})
        cls.addClassCleanup(cls.server.stop)


@support.inheriting(10)
class PostgresToPostgres(OfPostgres, WholePair, support.TestCase):
    def test_the_feed_is_removed_by_hand(self):
        """The target is gone for good, in the middle of a cut-over."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        support.kill_at("cutover.after_fence", 1, "cutover", "--confirm", cwd=self.folder)
        with self.assertRaises(AssertionError):
            self.steps(5)
        for statement in statements_by_hand("SELECT pg_drop_replication_slot", self.feed_name()):
            self.server.psql(self.source.name, statement)
        self.assertEqual(self.source.feeds(), [])
        self.steps(5)

    computed = "GENERATED ALWAYS AS (balance * 2) STORED"

    def sides(self):
        return PostgresSide(self, self.server, "bank"), PostgresSide(self, self.server, "copy")

    def test_the_target_knows_when_it_was_written(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(support.TestCase.end, process)
        for number in (-1, -2):
            self.source.transaction(["INSERT INTO entry VALUES (%d, 'x')" % number], True)
            self.wait_until("it arrives", lambda key=str(number): [key, "x"] in self.target.rows("entry"))
            time.sleep(1)
        (apart,), = self.server.psql(self.target.name,
                                     "SELECT max(t) - min(t) > interval '0.8 s' FROM (SELECT "
                                     "pg_xact_commit_timestamp(xmin) AS t "
                                                       "FROM entry WHERE id < 0) m")
        self.assertEqual(apart, "t")

    def test_a_source_whose_log_grows_while_it_follows(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.make("CREATE SCHEMA other; CREATE TABLE other.filler (v TEXT)")
        process = support.start("follow", "--max-retained", "16MiB", cwd=self.folder)
        self.addCleanup(support.TestCase.end, process)
        for _ in range(30):
            if process.poll() is not None:
                break
            self.source.transaction(["INSERT INTO other.filler SELECT repeat('x', 1000) FROM generate_series(1, 4000)"],
                                    True)
            time.sleep(0.3)
        result = support.finish(process)
        self.assertEqual(result.code, 5, result.err)
        self.assertIn("--drop-when-full", result.err)
        self.assertIn("more than half of --max-retained", result.err)
        self.assertEqual(len(self.feeds_left()), 2)
        self.follow("--max-retained", "16MiB")  # what is more already than is allowed only grows if nobody follows
        self.assert_same()

    def test_whose_list_a_deleted_row_was_in_has_to_be_told(self):
        self.source.make("CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT);"
                         "CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist (id), "
                         "title TEXT);"
                         "INSERT INTO artist VALUES (1, 'a'); INSERT INTO album VALUES (10, 1, 'x'), (11, 1, 'y');")
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  artist_t: { key: id, "
                   "entities: { artist: { from: artist, "
                                "fields: { id: copy, Albums: { aggregate: album, value: count(*) } } } } }\n"
                   % (self.source.uri, self.target.uri))
        refused = self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", code=2)
        self.assertIn("ALTER TABLE public.album REPLICA IDENTITY FULL", refused.err)
        self.source.transaction(["CREATE UNIQUE INDEX told ON album (artist, id)"], True)
        self.source.transaction(["ALTER TABLE album ALTER artist SET NOT NULL"], True)
        self.source.transaction(["ALTER TABLE album REPLICA IDENTITY USING INDEX told"], True)
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        self.source.transaction(["DELETE FROM album WHERE id = 10"], True)
        self.follow()
        self.assertEqual(self.target.rows("artist_t"), [["1", "1"]])
        self.source.transaction(["ALTER TABLE album REPLICA IDENTITY DEFAULT"], True)
        self.source.transaction(["DELETE FROM album WHERE id = 11"], True)
        self.assertIn("REPLICA IDENTITY FULL", self.run_program("follow", "--catch-up", code=1).err)
        self.assertEqual(self.target.rows("artist_t"), [["1", "1"]])
        self.source.transaction(["ALTER TABLE album REPLICA IDENTITY FULL"], True)
        self.run_program("follow", "--resync", "--catch-up")
        self.assertEqual(self.target.rows("artist_t"), [["1", "0"]])

    def test_sequences_stand_where_they_stood(self):
        """Those that belong to no column, too."""
        self.source.make("CREATE SEQUENCE inv; CREATE TABLE ordered (id serial PRIMARY KEY, no bigint);")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["INSERT INTO ordered (no) SELECT nextval('inv') FROM generate_series(1, 50)"], True)
        self.run_program("cutover", "--confirm")
        self.assertEqual(self.server.psql(self.target.name, "SELECT nextval('inv'), nextval('ordered_id_seq')"),
                         [["51", "51"]])

    def arrives(self, table):
        """Until the target has what the source has."""
        deadline = time.monotonic() + 30 * support.PATIENCE
        while self.target.rows(table) != self.source.rows(table) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(self.target.rows(table), self.source.rows(table))

    def test_what_can_not_be_followed_is_left_and_the_rest_goes_on(self):
        """A column that is renamed, while it runs and while it is stopped."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        process = self.running()
        self.steps(3)
        self.source.transaction(["UPDATE account SET balance = balance + 1 WHERE id = 1"], True)
        self.arrives("account")
        self.source.transaction(["ALTER TABLE entry RENAME COLUMN text TO words"], True)
        self.source.transaction(["INSERT INTO entry VALUES (5000, 'x')",
                                 "UPDATE account SET balance = balance + 1 WHERE id = 1"], True)
        self.arrives("account")
        process.send_signal(signal.SIGINT)
        self.assertIn("entry is not followed any more, the rest goes on: the column text of entry is gone",
                      support.finish(process).err)
        self.assertIn("entry is not followed any more", self.run_program("status").out)
        self.source.transaction(["ALTER TABLE churn RENAME COLUMN value TO worth",
                                 "UPDATE account SET balance = balance - 1 WHERE id = 1",
                                 "INSERT INTO entry VALUES (5002, 'not applied')"], True)
        again = self.run_program("follow", "--catch-up", code=1).err
        told = json.loads(self.run_program("status", "--json").out)["follow"]
        self.assertEqual((told["changes"], told["operations"]["entry"]["inserts"],
                          told["operations"]["account"]["updates"]), (1, 0, 1))
        self.assertIn("entry is not followed any more", again)
        self.assertIn("the column value of churn is gone", again)
        self.assertEqual(self.target.rows("account"), self.source.rows("account"))
        self.assertIn("is not followed any more", self.run_program("cutover", "--confirm", code=5).err)
        self.run_program("follow", "--resync", "--catch-up")
        self.source.transaction(["INSERT INTO entry VALUES (5001, 'y')"], True)
        self.follow()
        self.assertEqual([[row[0], row[-1]] for row in self.target.rows("entry")], self.source.rows("entry"))

    def test_what_is_refused_is_told_and_stops_a_cut_over(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.target.transaction(["ALTER TABLE entry ADD CHECK (id < 1000)"], True)
        self.source.transaction(["INSERT INTO entry VALUES (2000, 'refused')"], True)
        self.assertIn("1 record was rejected", self.run_program("follow", "--catch-up", code=1).err)
        self.assertIn("1 record is missing", self.run_program("cutover", "--confirm", code=5).err)
        self.run_program("cutover", "--back", "--confirm")
        self.source.transaction(["UPDATE entry SET id = 20 WHERE id = 2000"], True)
        self.run_program("cutover", "--confirm")
        self.assert_same()

    def test_a_table_that_was_renamed_for_a_while(self):
        """What was written then is not passed over."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["ALTER TABLE entry RENAME TO other", "INSERT INTO other VALUES (77, 'x')",
                                 "ALTER TABLE other RENAME TO entry"], True)
        self.steps(3)
        self.follow()
        self.assert_same()
        self.assertIn(["77", "x"], self.target.rows("entry"))

    def test_a_closed_table_is_not_written_by_its_partitions(self):
        self.source.make("CREATE TABLE part (id INTEGER, kind INTEGER, PRIMARY KEY (id, "
                         "kind)) PARTITION BY LIST (kind);"
                         "CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1, 2) PARTITION BY LIST (kind);"
                         "CREATE TABLE \"part$transhume$'1\" PARTITION OF part_1 FOR VALUES IN (1)")
        statement = "INSERT INTO \"part$transhume$'1\" VALUES (%d, 1)"
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction([statement % 1], True)
        self.run_program("cutover", "--confirm", "--after", "exit 3", code=5)
        self.assertRaises(AssertionError, self.source.transaction, [statement % 2], True)
        self.run_program("cutover", "--back", "--confirm")
        self.source.transaction([statement % 2], True)
        self.run_program("cutover", "--confirm")
        self.assertRaises(AssertionError, self.source.transaction, [statement % 3], True)
        self.assertEqual(self.target.rows("part"), [["1", "1"], ["2", "1"]])


@support.inheriting(3)
class PostgresToSqlite(OfPostgres, Pair, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "bank"), SqliteSide(self, "copy.db")


class Promoted(support.TestCase):
    """A standby takes the place of its primary, whose slot it has kept."""

    def setUp(self):
        super().setUp()
        self.primary = postgres.Server(version=18, settings=postgres.FOLLOWED)
        self.addCleanup(self.primary.stop)
        self.source, self.target = PostgresSide(self, self.primary, "bank"), SqliteSide(self, "copy.db")
        self.source.make("CREATE TABLE k (id INTEGER PRIMARY KEY, v TEXT)")

    def test_following_goes_on_there(self):
        standby = self.primary.standby()
        self.addCleanup(standby.stop)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(self.end, process)
        self.wait_until("the standby has the slot", lambda: self.is_kept(standby), 60)
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)
        self.source.make("INSERT INTO k VALUES (0, 'not yet')")
        (place,), = self.primary.psql("postgres", "SELECT pg_current_wal_lsn()")
        self.wait_until("the standby has the rows", lambda: standby.psql("postgres",
                                                                         "SELECT pg_last_wal_replay_lsn() >= '%s'"
                                                                         % place) == [["t"]])
        self.primary.kill()
        standby.psql("postgres", "SELECT pg_promote()")
        standby.psql(self.source.name, "INSERT INTO k VALUES (-1, 'there')")
        self.run_program("follow", "--catch-up", standby.uri(self.source.name), self.target.uri)
        self.assertEqual(self.target.rows("k"), sorted(standby.psql(self.source.name, "SELECT * FROM k"), key=repr))

    def is_kept(self, standby):
        """What a standby keeps of a slot moves on with the slot."""
        self.source.make("INSERT INTO k SELECT max(id) + 1, 'followed' FROM (SELECT id FROM k UNION ALL SELECT 0) k; "
                         "SELECT pg_log_standby_snapshot()")
        time.sleep(0.5)
        return standby.psql("postgres",
                            "SELECT 1 FROM pg_replication_slots WHERE synced AND NOT temporary AND "
                            "invalidation_reason IS NULL") == [["1"]]


@support.inheriting(3)
class SqliteToPostgres(OfPostgres, Pair, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank.db"), PostgresSide(self, self.server, "copy")


class OneWay:
    """To targets whose changes are not followed."""

    def test_a_way_back_is_kept(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.assertIn("nothing can be fed back", self.run_program("cutover", "--confirm", "--reverse", code=5).err)
        self.assertIn("nothing can be fed back", self.run_program("cutover", "--dry-run", "--reverse", code=5).err)
        self.assertTrue(self.can_write())


class WithDynamodb:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dynamodb = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.dynamodb)

    def target_side(self, _path=None):
        known = {name: value for name, value in servers.aws_environment(self.folder).items() if name.startswith("AWS_")
                 and value}
        patch = unittest.mock.patch.dict(os.environ, known)
        patch.start()
        self.addCleanup(patch.stop)
        return DynamodbSide(self.dynamodb, self.client)


class ToDynamodb(WithDynamodb, OneWay, Pair):
    # It is written record by record: a kill may come between two of a transaction. test_killed_between_records kills
    # where it follows.
    whole_transactions = False
    kills = KILLS // 2


@support.inheriting(3)
class SqliteToDynamodb(ToDynamodb, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank.db"), self.target_side()

    def test_killed_between_records(self):
        """Requests of a group that went, and a position that did not, are made good by the next follow."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        for failpoint, occurrence in (("before_apply", 1), ("after_apply", 1), ("after_send", 2), ("before_send", 3),
                                      ("before_delete", 1)):
            self.steps(6)
            self.bank.side.transaction(["DELETE FROM churn", "INSERT INTO churn VALUES ('z', %d, 'new')"
                                        % self.bank.next], True)
            result = support.kill_at("dynamodb." + failpoint, occurrence, "follow", "--catch-up", "--take-over",
                                     cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, failpoint)
        self.follow("--take-over")
        self.assert_same()

    def test_what_the_target_refuses(self):
        """An item that is too large is a reject, and what comes with it arrives."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["INSERT INTO entry VALUES (-7, 'small')",
                                 "INSERT INTO entry VALUES (-8, printf('%.*c', 500000, 'x'))",
                                 "INSERT INTO churn VALUES ('', 1, 'a key that can''t be')",
                                 "INSERT INTO entry VALUES (-9, 'small')"], True)
        self.assertIn("2 rejected", self.run_program("follow", "--catch-up", code=1).err)
        rejects = []
        for name in os.listdir(self.path(".transhume", "rejects")):
            with open(self.path(".transhume", "rejects", name), encoding="utf-8") as file:
                rejects += [json.loads(line) for line in file]
        self.assertEqual(sorted((reject["entity"], reject["code"]) for reject in rejects),
                         [("churn", "key-null"), ("entry", "record-too-large")])
        self.assertTrue(all("what was under its key before stays" in reject["reason"] for reject in rejects
                            if reject["entity"] == "entry"), rejects)
        self.source.transaction(["DELETE FROM entry WHERE id = -8", "DELETE FROM churn WHERE a = ''"], True)
        self.follow()
        self.assert_same()


@support.inheriting(2)
class PostgresToDynamodb(OfPostgres, ToDynamodb, support.TestCase):
    # as from SQLite
    test_cut_over_and_back = test_cut_over_finds_a_difference = test_cut_over_killed_between_steps = None
    test_following_is_given_up = None
    test_killed_before_it_began = None
    test_it_follows_until_it_is_stopped = None
    test_killed_at_any_moment = None

    def sides(self):
        return PostgresSide(self, self.server, "bank"), self.target_side()

    def test_an_emptied_table(self):
        self.steps(10)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["INSERT INTO entry VALUES (-1, 'before')", "TRUNCATE entry",
                                 "INSERT INTO entry VALUES (-2, 'behind')"], True)
        self.follow()
        self.assert_same()


class Shop:
    """
    Artists, albums, tracks and baskets, and plans that look up, embed, count, filter, cut into pages, unnest and make
    keys of them.
    """

    SCHEMA = ("CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT, kind TEXT);"
              "CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist (id), title TEXT, "
              "year INTEGER);"
              "CREATE TABLE track (album INTEGER REFERENCES album (id), number INTEGER, name TEXT, price REAL, "
              "data BLOB,"
              " PRIMARY KEY (album, number)) STRICT;"
              "CREATE TABLE basket (id INTEGER PRIMARY KEY, owner TEXT, content TEXT);")
    FIELDS = {  # of each entity, of which a plan has some
        "artist": ["name: name", "kind: kind", "Label: '{name} ({kind})'",
                   "Albums: { aggregate: album, value: count(*) }",
                   "Newest: { aggregate: album, value: max(year) }",
                   "Titles: { embed: album, order: [id], fields: { id: copy, title: copy } }",
                   "Songs: { aggregate: album.track, value: count(*) }"],
        "album": ["title: title", "artist: artist", "year: year", "Of: { lookup: artist, column: name }",
                  "Tracks: { embed: track, order: [number], fields: { number: copy, name: copy } }",
                  "Price: { aggregate: track, value: max(price) }"],
        "track": ["name: name", "price: price", "data: data", "In: { lookup: album, column: title }",
                  "Of: { lookup: album.artist, column: name }"]}
    KEYS = {"artist": [("id", "id"), ("code", "'A{id}'")], "album": [("id", "id"), ("code", "'{id}-x'")],
            "track": [("code", "'{album}/{number}'")]}
    WHERES = {"artist": "kind IS NOT 'hidden'", "album": "year > 1990", "track": "number < 4"}
    # Of each list that is cut: keys of a table of its own, and one that shares the parent's.
    LISTS = {"artist": ("Titles", 5), "album": ("Tracks", 4)}   # the field, and at which place it is in FIELDS
    PAGED = [(("id", "id"), ("Page", "{ column: $page }")), (("id", "id"), ("part", "'{$page:03}'")),
             (("code", "'A{id}'"), ("part", "'P{$page}#'")),
             (("pk", "ALL"), ("sk", "'{id}-{$page}'")), (("pk", "ALL"), ("sk", "'{year}/{id}/{$page}'"))]
    UNNESTED = [(("basket", "$parent.id"), ("nr", "{ column: $ordinal }")),
                (("code", "'B{$parent.id}'"), ("nr", "'{$ordinal}'")),
                (("basket", "$parent.id"), ("sku", "{ column: sku, cast: text }"))]

    def __init__(self, side, seed, pages=True):
        self.side, self.random, self.pages = side, random.Random(seed), pages
        side.make(self.SCHEMA)

    def plan(self, target):
        pick, lines = self.random, ["transhume: 1", "source: %s" % self.side.uri, "target: %s" % target.uri, "tables:"]
        for name in pick.sample(sorted(self.FIELDS), pick.randint(1, 3)):
            cut = name in self.LISTS and pick.random() < 0.6 and self.pages
            shares = cut and pick.random() < 0.3
            key, made = ("[pk, sk]", "'A{id}'") if shares else pick.choice(self.KEYS[name])
            lines += ["  %s_t:" % name, "    key: %s" % key, "    entities:", "      %s:" % name,
                      "        from: %s" % name]
            if pick.random() < 0.4:
                lines += ["        where: \"%s\"" % self.WHERES[name]]
            fields = pick.sample(self.FIELDS[name], pick.randint(1, len(self.FIELDS[name])))
            if cut and self.list_of(name) not in fields:
                fields.append(self.list_of(name))
            lines += ["        fields:"] + (["          pk: %s" % made, "          sk: META"] if shares else
                                            ["          %s: %s" % (key,
                                                                   made if "{" in made else "copy" if key == made
                                                                   else made)])
            lines += ["          %s" % (field if "{" in field else field.split(":")[0] + ": copy") for field in fields]
            lines += self.pages_of(name, shares) if cut else []
        return "\n".join(lines + (self.unnested() if pick.random() < 0.5 else [])) + "\n"

    def list_of(self, name):
        return self.FIELDS[name][self.LISTS[name][1]]

    def pages_of(self, name, shares):
        pick = self.random
        key = (("pk", "'A{id}'"), ("sk", pick.choice(["'PAGE#{$page}'",
                                                      "'P{$page:03}/x'"]))) if shares else pick.choice(
                                                          [made for made in self.PAGED if name == "album"
                                                           or "year" not in made[1][1]])
        lines = [] if shares else ["  %s_pages:" % name, "    key: [%s, %s]" % (key[0][0], key[1][0]), "    entities:"]
        lines += ["      %s_page:" % name, "        pages: %s.%s" % (name, self.LISTS[name][0]),
                  "        size: %d" % pick.randint(1, 3)]
        if pick.random() < 0.3:
            lines += ["        when: \"id > 2\""]
        return lines + ["        fields:"] + self.key_fields(key) + ["          Items: { column: $list }"] + (
            ["          Of: %s" % ("{ column: name }" if name == "artist" else "{ lookup: artist, column: name }")]
            if pick.random() < 0.5 else [])

    @staticmethod
    def key_fields(key):
        return ["          %s: %s" % (name, "copy" if name == made else "{ column: %s }" % made if made[0] == "$"
                                      else made) for name, made in key]

    def unnested(self):
        key = self.random.choice(self.UNNESTED)
        lines = ["  line_t:", "    key: [%s, %s]" % (key[0][0], key[1][0]), "    entities:", "      line:",
                 "        from: basket", "        unnest: content"]
        if self.random.random() < 0.3:
            lines += ["        where: \"amount > 1\""]
        return lines + ["        fields:"] + self.key_fields(key) + [
            "          amount: { column: amount, cast: int64 }", "          owner: { column: $parent.owner }"]

    def change(self, count):
        """Some transactions."""
        for _ in range(count):
            statements = [self.one() for _ in range(self.random.randint(1, 4))]
            self.side.transaction(statements, self.random.random() >= 0.1)

    @staticmethod
    def literal(value):
        return ("NULL" if value is None else "X'%s'" % value.hex() if isinstance(value, bytes) else
                "'%s'" % value.replace("'", "''") if isinstance(value, str) else repr(value))

    def content(self):
        """The elements of a basket; two of them may be of one kind."""
        pick = self.random
        return pick.choice([None, "[]", json.dumps([{"sku": pick.choice("abcd"), "amount": pick.randint(1, 3)}
                                                    for _ in range(pick.randint(1, 4))])])

    def one(self):
        pick = self.random
        number, other = pick.randint(1, 6), pick.randint(1, 6)
        text = pick.choice(["a", "b", "\u00e9\u00df", "", None, "long " * 20])
        statement, values = pick.choice([
            ("INSERT OR REPLACE INTO artist VALUES (?, ?, ?)", (number, text, pick.choice(["band", "hidden", None]))),
            ("UPDATE artist SET name = ? WHERE id = ?", (text, number)),
            ("UPDATE OR IGNORE artist SET id = ? WHERE id = ?", (other, number)),
            ("DELETE FROM artist WHERE id = ?", (number,)),
            ("INSERT OR REPLACE INTO album VALUES (?, ?, ?, ?)", (number, other, text, pick.randint(1980, 2000))),
            ("UPDATE album SET artist = ? WHERE id = ?", (pick.choice([other, None]), number)),
            ("UPDATE album SET year = year + 5 WHERE artist = ?", (other,)),
            ("DELETE FROM album WHERE id = ?", (number,)),
            ("INSERT OR IGNORE INTO track VALUES (?, ?, ?, ?, ?)",
             (number, other, text, pick.random(), pick.randbytes(3))),
            ("UPDATE OR REPLACE track SET number = number + 1 WHERE album = ?", (number,)),
            ("UPDATE OR REPLACE track SET album = ? WHERE number = ?", (number, other)),
            ("DELETE FROM track WHERE number = ?", (other,)),
            ("INSERT OR REPLACE INTO basket VALUES (?, ?, ?)", (number, text, self.content())),
            ("UPDATE basket SET content = ? WHERE id = ?", (self.content(), number)),
            ("UPDATE OR IGNORE basket SET id = ?, owner = 'moved' WHERE id = ?", (other, number)),
            ("DELETE FROM basket WHERE id = ?", (number,)),
        ])
        return statement.replace("?", "%s") % tuple(map(self.literal, values))


class Plans:
    """copy + follow equals a fresh copy of now. Subclasses say of what source, into what target."""

    SEEDS = 3
    pages = True   # the target can be asked which it has

    def run_in(self, folder, told, *arguments):
        result = support.transhume(*arguments, "--quiet", cwd=folder)
        self.assertIn(result.code, (0, 1), told + result.err)  # 1: some records are rejects, in both

    def try_seed(self, seed):
        folder = self.path(str(seed))
        os.mkdir(folder)
        shop = Shop(self.source_side(os.path.join(folder, "shop.db")), seed, self.pages)
        followed = self.target_side(os.path.join(folder, "followed.db"))
        shop.change(20)
        plan = shop.plan(followed)
        told = "seed %d\n%s" % (seed, plan)
        with open(os.path.join(folder, "plan.yaml"), "w", encoding="utf-8") as file:
            file.write(plan)
        self.run_in(folder, told, "migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        for _ in range(3):
            shop.change(shop.random.randint(1, 8))
            self.run_in(folder, told, "follow", "--catch-up")
        found = followed.contents()
        fresh = self.target_side(os.path.join(folder, "fresh.db"))
        self.run_in(folder, told, "migrate", "--plan", "plan.yaml", "--state", "fresh", shop.side.uri, fresh.uri)
        self.assertEqual(found, fresh.contents(), told)

    def test_random_plans_and_changes(self):
        for seed in range(SEED * 1000, SEED * 1000 + (200 if support.SOAK else self.SEEDS)):
            with self.subTest(seed=seed):
                self.try_seed(seed)


class SqlitePlans(Plans, support.TestCase):
    SEEDS = 8

    def source_side(self, path):
        return SqliteSide(self, path)

    target_side = source_side

    def test_one_change_of_many_roots(self):
        """They go into the target in pieces of one transaction."""
        shop = Shop(SqliteSide(self, "shop.db"), SEED)
        shop.side.make("INSERT INTO artist VALUES (1, 'one', 'band');"
                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                       " INSERT INTO album SELECT i, 1, printf('%200d', i), 1990 FROM n;")
        self.write("plan.yaml",
                   "transhume: 1\nsource: shop.db\ntarget: followed.db\ntables:\n  album_t:\n    key: code\n    "
                   "entities:\n      album:\n"
                                "        from: album\n        fields: { code: 'A{id}', title: copy, "
                                "Of: { lookup: artist, column: name } }\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        shop.side.transaction(["UPDATE artist SET name = 'other'"], True)
        shop.side.transaction(["UPDATE album SET id = -id WHERE id > 15000"], True)
        self.run_program("follow", "--catch-up")
        rows = SqliteSide(self, "followed.db").contents()["album_t"]
        self.assertEqual((len(rows), {row[2] for row in rows}), (20000, {"other"}))
        self.assertEqual(sum(row[0].startswith("A-") for row in rows), 5000)


class PostgresShop(PostgresSide):
    """Whose words for the Shop are PostgreSQL's."""

    WORDS = (("BLOB", "BYTEA"), ("price REAL", "price DOUBLE PRECISION"), (" STRICT;", ";"))
    SETS = {"artist": "name = excluded.name, kind = excluded.kind",
            "album": "artist = excluded.artist, title = excluded.title, year = excluded.year",
            "basket": "owner = excluded.owner, content = excluded.content"}

    def make(self, schema):
        for one, other in self.WORDS:
            schema = schema.replace(one, other)
        super().make(schema + "".join("ALTER TABLE %s REPLICA IDENTITY FULL;" % table
                                      for table in ("artist", "album", "track", "basket")))

    def transaction(self, statements, commit):
        super().transaction(["SET LOCAL session_replication_role = replica", *map(self.translated, statements)], commit)

    def translated(self, sql):
        sql = re.sub(r"X'([0-9a-f]*)'", r"'\\x\1'::bytea", sql)
        put = re.match(r"INSERT OR REPLACE INTO (\w+)", sql)
        if put:
            return sql.replace(" OR REPLACE", "") + " ON CONFLICT (id) DO UPDATE SET " + self.SETS[put.group(1)]
        moved = re.match(r"UPDATE OR IGNORE (\w+) SET id = (\d+)", sql)
        if moved:
            return sql.replace(" OR IGNORE",
                               "") + " AND NOT EXISTS (SELECT 1 FROM %s x WHERE x.id = %s)" % moved.groups()
        if sql.startswith("UPDATE OR REPLACE track SET number"):   # to where none is
            return sql.replace(" OR REPLACE", "").replace("number + 1", "number + 7") + (
                " AND NOT EXISTS (SELECT 1 FROM track x WHERE x.album = track.album AND x.number = track.number + 7)")
        moved = re.match(r"UPDATE OR REPLACE track SET album = (\d+) WHERE number = (\d+)", sql)
        if moved:
            album, number = moved.groups()
            return ("UPDATE track SET album = {0} WHERE number = {1} AND album = (SELECT min(album) FROM track WHERE "
                    "number = {1})"
                    " AND NOT EXISTS (SELECT 1 FROM track x WHERE x.album = {0} AND x.number = {1})").format(album,
                        number)
        return sql.replace("INSERT OR IGNORE", "INSERT") + (" ON CONFLICT DO NOTHING"
                                                            if sql.startswith("INSERT OR IGNORE") else "")


class PostgresPlans(OfPostgres, Plans, support.TestCase):
    SEEDS = 2

    def source_side(self, _path):
        return PostgresShop(self, self.server, "shop")

    def target_side(self, _path):
        return PostgresSide(self, self.server, "copy")


class PostgresPlansIntoSqlite(PostgresPlans):
    def target_side(self, path):
        return SqliteSide(self, path)


class SqlitePlansIntoDynamodb(WithDynamodb, Plans, support.TestCase):
    SEEDS = 2

    def source_side(self, path):
        return SqliteSide(self, path)


if __name__ == "__main__":
    unittest.main()
