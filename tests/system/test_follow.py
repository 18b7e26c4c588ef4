"""Following: a copy, then what changes in the source, through kills, until both sides are the same.

Whether they are is seen by Python's own sqlite3 and drivers: what a fresh copy of the source as it is
now would make, the followed target has to hold.
"""
import os
import random
import signal
import sqlite3
import threading
import time
import unittest

import support

KILLS = 60 if support.SOAK else 8
SEED = int(os.environ.get("TRANSHUME_SEED", "1"))


def rows_of(path, table):
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as connection:
        return sorted(connection.execute("SELECT * FROM \"%s\"" % table).fetchall(), key=repr)


class Bank:
    """Accounts whose sum never changes, a log that only grows, and rows that come, go and move."""

    TABLES = ("account", "entry", "churn")

    def __init__(self, path, seed, accounts=20):
        self.path, self.random, self.next = path, random.Random(seed), 0
        self.connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.executescript(
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT);"
            "CREATE TABLE churn (a TEXT, b INTEGER, value BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;")
        self.connection.executemany("INSERT INTO account VALUES (?, 100)", [(i,) for i in range(accounts)])
        self.accounts = accounts

    def step(self):
        """One transaction."""
        pick, run = self.random, self.connection.execute
        run("BEGIN IMMEDIATE")
        one, other = pick.sample(range(self.accounts), 2)
        amount = pick.randint(1, 50)
        run("UPDATE account SET balance = balance - ? WHERE id = ?", (amount, one))
        run("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, other))
        self.next += 1
        run("INSERT INTO entry VALUES (?, ?)", (self.next, "e%d \u00e4\0x" % self.next))
        for _ in range(pick.randint(0, 4)):
            a, b = "k%d" % pick.randint(0, 5), pick.randint(0, 5)
            what = pick.random()
            if what < 0.4:
                run("INSERT OR REPLACE INTO churn VALUES (?, ?, ?)", (a, b, pick.randbytes(5)))
            elif what < 0.6:
                run("DELETE FROM churn WHERE a = ?", (a,))
            elif what < 0.8:
                run("UPDATE OR REPLACE churn SET b = b + 1 WHERE a = ?", (a,))
            else:
                run("UPDATE churn SET value = NULL WHERE b = ?", (b,))
        run("ROLLBACK" if pick.random() < 0.1 else "COMMIT")


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


class SqliteToSqlite(support.TestCase):
    def setUp(self):
        super().setUp()
        self.bank = Bank(self.path("bank.db"), SEED)
        self.addCleanup(self.bank.connection.close)

    def assert_same(self):
        for table in Bank.TABLES:
            self.assertEqual(rows_of(self.path("copy.db"), table), rows_of(self.path("bank.db"), table), table)

    def steps(self, count):
        for _ in range(count):
            self.bank.step()

    def test_what_changes_arrives(self):
        self.steps(30)
        self.run_program("migrate", "--follow", "--catch-up", "bank.db", "copy.db")
        self.assert_same()
        self.steps(50)
        self.run_program("follow", "--catch-up")
        self.assert_same()
        self.run_program("follow", "--catch-up")  # nothing is left to do
        self.assert_same()

    def test_it_follows_until_it_is_stopped(self):
        self.steps(5)
        process = support.start("migrate", "--follow", "bank.db", "copy.db", cwd=self.folder)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30 * support.PATIENCE
        while not os.path.exists(self.path("copy.db")) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.steps(40)
        same = False
        while not same and time.monotonic() < deadline:
            time.sleep(0.1)
            try:
                same = all(rows_of(self.path("copy.db"), t) == rows_of(self.path("bank.db"), t) for t in Bank.TABLES)
            except sqlite3.Error:
                pass
        self.assertTrue(same)
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)
        self.assert_same()

    def test_killed_at_any_moment(self):
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        pick = random.Random(SEED)
        sums = set()
        begun = False
        for _ in range(KILLS):
            arguments = ["follow"] if begun else ["migrate", "--follow", "bank.db", "copy.db"]
            support.kill_after(pick.uniform(0.05, 0.8), *arguments, cwd=self.folder)
            state = self.path(".transhume", "run.json")
            begun = os.path.exists(state)
            if os.path.exists(self.path("copy.db")):
                sums.add(self.sum_of_copy())
        writer.stop()
        if not begun:
            self.run_program("migrate", "--follow", "--catch-up", "bank.db", "copy.db")
        self.run_program("follow", "--catch-up", "--take-over")
        self.assert_same()
        self.assertGreater(writer.steps, 0)

    def sum_of_copy(self):
        try:
            with sqlite3.connect("file:%s?mode=ro" % self.path("copy.db"), uri=True) as connection:
                return connection.execute("SELECT sum(balance) FROM account").fetchone()[0]
        except sqlite3.Error:
            return None


class Shop:
    """Artists, albums and tracks, and plans that look up, embed, count, filter and make keys of them."""

    SCHEMA = ("CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT, kind TEXT);"
              "CREATE TABLE album (id INTEGER PRIMARY KEY, artist INTEGER REFERENCES artist (id), title TEXT, year INTEGER);"
              "CREATE TABLE track (album INTEGER REFERENCES album (id), number INTEGER, name TEXT, price REAL, data BLOB,"
              " PRIMARY KEY (album, number)) STRICT;")
    FIELDS = {  # of each entity, of which a plan has some
        "artist": ["name: name", "kind: kind", "Label: '{name} ({kind})'", "Albums: { aggregate: album, value: count(*) }",
                   "Newest: { aggregate: album, value: max(year) }",
                   "Titles: { embed: album, order: [id], fields: { id: id, title: title } }",
                   "Songs: { aggregate: album.track, value: count(*) }"],
        "album": ["title: title", "artist: artist", "year: year", "Of: { lookup: artist, column: name }",
                  "Tracks: { embed: track, order: [number], fields: { number: number, name: name } }",
                  "Price: { aggregate: track, value: max(price) }"],
        "track": ["name: name", "price: price", "data: data", "In: { lookup: album, column: title }",
                  "Of: { lookup: album.artist, column: name }"]}
    KEYS = {"artist": [("id", "id"), ("code", "'A{id}'")], "album": [("id", "id"), ("code", "'{id}-x'")],
            "track": [("code", "'{album}/{number}'")]}
    WHERES = {"artist": "kind IS NOT 'hidden'", "album": "year > 1990", "track": "number < 4"}

    def __init__(self, path, seed):
        self.random = random.Random(seed)
        self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.connection.executescript(self.SCHEMA)

    def plan(self, target):
        pick, lines = self.random, ["transhume: 1", "source: shop.db", "target: %s" % target, "tables:"]
        for name in pick.sample(sorted(self.FIELDS), pick.randint(1, 3)):
            key, made = pick.choice(self.KEYS[name])
            lines += ["  %s_t:" % name, "    key: %s" % key, "    entities:", "      %s:" % name, "        from: %s" % name]
            if pick.random() < 0.4:
                lines += ["        where: \"%s\"" % self.WHERES[name]]
            fields = pick.sample(self.FIELDS[name], pick.randint(1, len(self.FIELDS[name])))
            lines += ["        fields:", "          %s: %s" % (key, made if "{" in made else "copy" if key == made else made)]
            lines += ["          %s" % (field if "{" in field else field.split(":")[0] + ": copy") for field in fields]
        return "\n".join(lines) + "\n"

    def change(self, count):
        """Some transactions."""
        for _ in range(count):
            self.connection.execute("BEGIN IMMEDIATE")
            for _ in range(self.random.randint(1, 4)):
                self.one()
            self.connection.execute("ROLLBACK" if self.random.random() < 0.1 else "COMMIT")

    def one(self):
        pick, run = self.random, self.connection.execute
        number, other = pick.randint(1, 6), pick.randint(1, 6)
        text = pick.choice(["a", "b", "\u00e9\u00df", "", None, "long " * 20])
        run(*pick.choice([
            ("INSERT OR REPLACE INTO artist VALUES (?, ?, ?)", (number, text, pick.choice(["band", "hidden", None]))),
            ("UPDATE artist SET name = ? WHERE id = ?", (text, number)),
            ("UPDATE OR IGNORE artist SET id = ? WHERE id = ?", (other, number)),
            ("DELETE FROM artist WHERE id = ?", (number,)),
            ("INSERT OR REPLACE INTO album VALUES (?, ?, ?, ?)", (number, other, text, pick.randint(1980, 2000))),
            ("UPDATE album SET artist = ? WHERE id = ?", (pick.choice([other, None]), number)),
            ("UPDATE album SET year = year + 5 WHERE artist = ?", (other,)),
            ("DELETE FROM album WHERE id = ?", (number,)),
            ("INSERT OR IGNORE INTO track VALUES (?, ?, ?, ?, ?)", (number, other, text, pick.random(), pick.randbytes(3))),
            ("UPDATE OR REPLACE track SET number = number + 1 WHERE album = ?", (number,)),
            ("UPDATE OR REPLACE track SET album = ? WHERE number = ?", (number, other)),
            ("DELETE FROM track WHERE number = ?", (other,)),
        ]))


class RandomPlans(support.TestCase):
    """copy + follow equals a fresh copy of now."""

    def contents(self, path):
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as connection:
            names = [name for name, in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")]
            return {name: sorted(connection.execute('SELECT * FROM "%s"' % name).fetchall(), key=repr) for name in names}

    def try_seed(self, seed):
        folder = self.path(str(seed))
        os.mkdir(folder)
        shop = Shop(os.path.join(folder, "shop.db"), seed)
        self.addCleanup(shop.connection.close)
        shop.change(20)
        plan = shop.plan("followed.db")
        with open(os.path.join(folder, "plan.yaml"), "w", encoding="utf-8") as file:
            file.write(plan)
        result = support.transhume("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", "--quiet", cwd=folder)
        self.assertEqual(result.code, 0, "%d\n%s%s" % (seed, plan, result.err))
        for _ in range(3):
            shop.change(shop.random.randint(1, 8))
            result = support.transhume("follow", "--catch-up", "--quiet", cwd=folder)
            self.assertEqual(result.code, 0, "%d\n%s%s" % (seed, plan, result.err))
        result = support.transhume("migrate", "--plan", "plan.yaml", "--state", "fresh", "--quiet", "shop.db", "fresh.db", cwd=folder)
        self.assertEqual(result.code, 0, "%d\n%s%s" % (seed, plan, result.err))
        self.assertEqual(self.contents(os.path.join(folder, "followed.db")), self.contents(os.path.join(folder, "fresh.db")),
                         "seed %d\n%s" % (seed, plan))

    def test_random_plans_and_changes(self):
        for seed in range(SEED * 1000, SEED * 1000 + (200 if support.SOAK else 8)):
            with self.subTest(seed=seed):
                self.try_seed(seed)


if __name__ == "__main__":
    unittest.main()
