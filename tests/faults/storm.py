"""A storm: somebody writes the source all the time, while the program follows it and is struck, or one of the servers
is, or what lies between them.

    source, target = storm.SqlSide("postgres", server), storm.SqlSide("mariadb", other)
    storm.Storm(test, seed, source, target, PAIR).run()

What is written and what strikes is drawn from the seed. In the end both sides are compared by their own clients, not by
the program.
"""
import contextlib
import os
import random
import signal
import sqlite3
import string
import subprocess
import threading
import time

import support
from tcp_proxy import TcpProxy

ACCOUNTS, MONEY = 12, 100
LETTERS = string.ascii_letters + string.digits


class Gone(Exception):
    """The server went away; whether the last transaction was committed nobody knows."""


# --- sessions of somebody who writes

class ClientSession:
    """PostgreSQL's or MariaDB's own client, which ends when the server does."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.number = 0

    def ask(self, sql):
        """The rows' texts."""
        self.number += 1
        mark, rows = "done-%d" % self.number, []
        try:
            self.process.stdin.write("%s;\nSELECT '%s';\n" % (sql, mark))
            self.process.stdin.flush()
            while True:
                line = self.process.stdout.readline()
                if not line:
                    raise Gone
                if line.strip() == mark:
                    return rows
                rows.append(line.strip())
        except OSError:
            raise Gone from None

    def transaction(self, statements, commit):
        self.ask(";\n".join(["BEGIN", *statements, "COMMIT" if commit else "ROLLBACK"]))

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


class FileSession:
    """A connection to a SQLite file."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA foreign_keys = ON")

    def ask(self, sql):
        return [str(row[0]) for row in self.connection.execute(sql)]

    def transaction(self, statements, commit):
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                self.connection.execute(statement)
        except sqlite3.Error:
            self.connection.execute("ROLLBACK")
            return
        self.connection.execute("COMMIT" if commit else "ROLLBACK")

    def close(self):
        self.connection.close()


# --- sides

class Side:
    """What of a database the storm needs. `uri` is what the program is given."""
    kind, crashes, network, sql, transactions = "", False, False, False, False
    proxy = None

    def cut(self):
        self.proxy.cut_all()

    def crash(self):
        self.server.restart()

    def rows(self, table, columns):
        """Texts, sorted; NULL is None."""
        raise NotImplementedError

    def close(self):
        if self.proxy is not None:
            self.proxy.__exit__()


def as_rows(records):
    return sorted(([None if value is None else str(value) for value in record] for record in records), key=repr)


class ServerSide(Side):
    """A database of PostgreSQL or MariaDB, which the program reaches through a proxy."""
    crashes = network = sql = transactions = True

    def __init__(self, kind, server):
        self.kind, self.server = kind, server
        self.name = server.database()
        self.proxy = TcpProxy(server.port)
        self.uri = server.uri(self.name, via=self.proxy)

    def session(self):
        return ClientSession(self.server.session_command(self.name))

    def ask(self, sql):
        return self.server.ask(self.name, sql)

    def rows(self, table, columns):
        return as_rows(self.ask("SELECT %s FROM %s" % (", ".join(columns), table)))

    def columns(self, table):
        schema = "table_schema = database()" if self.kind == "mariadb" else "table_schema = 'public'"
        return [name
                for name, in self.ask("SELECT column_name FROM information_schema.columns WHERE table_name = '%s' AND "
                                      "%s ORDER BY ordinal_position" % (table, schema))]

    def tables(self):
        schema = "table_schema = database()" if self.kind == "mariadb" else "table_schema = 'public'"
        names = [name
                 for name, in self.ask("SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE "
                                       "TABLE' AND " + schema)]
        return sorted(name for name in names if not name.startswith("_"))


class FileSide(Side):
    """A SQLite file."""
    kind, sql, transactions = "sqlite", True, True

    def __init__(self, path):
        self.path, self.uri = path, "sqlite:" + path

    def session(self):
        return FileSession(self.path)

    def ask(self, sql):
        with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as connection:
            return connection.executescript(sql).fetchall() if ";" in sql else connection.execute(sql).fetchall()

    def rows(self, table, columns):
        return as_rows(self.ask("SELECT %s FROM %s" % (", ".join(columns), table)))

    def columns(self, table):
        return [row[1] for row in self.ask("PRAGMA table_info(%s)" % table)]

    def tables(self):
        names = [name for name, in self.ask("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return sorted(name for name in names if not name.startswith(("_", "sqlite")))


# --- what is written

class Workload:
    """
    Transactions of the source, and the statements that make its tables. `without`: what the pair does not do, as its
    documentation says.
    """

    ACTIONS = {"transfer": 6, "churn": 4, "swap": 2, "exchange": 2, "family": 3, "document": 3, "bulk": 1, "wide": 2,
               "long": 1, "again": 2}
    DDL = ("new column", "new table", "dropped column", "wider type", "made again")

    def __init__(self, kind, seed, without=()):
        self.kind, self.pick, self.without = kind, random.Random("%s storm" % seed), set(without)
        self.number, self.wide, self.new_tables = 0, ["id", "n"], []
        self.actions = {name: weight for name, weight in self.ACTIONS.items() if name not in self.without}

    def schema(self):
        text, key = ("VARCHAR(40)", "INTEGER PRIMARY KEY") if self.kind != "sqlite" else ("TEXT", "INTEGER PRIMARY KEY")
        acts = "" if "cascades" in self.without else " ON DELETE CASCADE ON UPDATE CASCADE"
        made = ["CREATE TABLE account (id %s, balance INTEGER NOT NULL)" % key,
                "CREATE TABLE churn (a %s, b INTEGER, value %s, PRIMARY KEY (a, b))" % (text, text),
                "CREATE TABLE swap (id %s, u INTEGER%s)" % (key, "" if "unique" in self.without else " UNIQUE"),
                "CREATE TABLE parent (id %s, name %s)" % (key, text),
                "CREATE TABLE child (id %s, pid INTEGER, note %s, FOREIGN KEY (pid) REFERENCES parent (id)%s)" % (key,
                    text, acts),
                "CREATE TABLE doc (id %s, n INTEGER, body TEXT)" % key,
                self.again(),
                "CREATE TABLE wide (id %s, n %s, gone %s)" % (key, "INTEGER" if self.kind == "sqlite" else "SMALLINT",
                                                              text)]
        made += ["INSERT INTO account VALUES (%d, %d)" % (i, MONEY) for i in range(ACCOUNTS)]
        made += ["INSERT INTO swap VALUES (%d, %d)" % (i, i) for i in range(1, 9)]
        made += ["INSERT INTO parent VALUES (%d, 'p%d')" % (i, i) for i in range(1, 6)]
        made += ["INSERT INTO child VALUES (%d, %d, 'c')" % (i, 1 + i % 5) for i in range(1, 16)]
        made += ["INSERT INTO doc VALUES (%d, 0, '%s')" % (i, self.body()) for i in range(1, 7)]
        made += ["INSERT INTO wide VALUES (%d, %d, 'g%d')" % (i, i, i) for i in range(1, 21)]
        return made + ([] if "triggers" in self.without else self.triggers())

    def again(self):
        return "CREATE TABLE again (id INTEGER PRIMARY KEY, v %s)" % ("TEXT" if self.kind == "sqlite"
                                                                      else "VARCHAR(40)")

    def triggers(self):
        """
        What the source's trigger writes comes as a change of its own; the target gets the trigger as well, and it has
        to be silent there.
        """
        # twice the same: it would be refused in a target whose own trigger had fired
        put = "INSERT INTO audit (account, balance) VALUES (new.id, new.balance)"
        if self.kind == "postgres":
            return ["CREATE TABLE audit (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, account INTEGER, "
                    "balance INTEGER)",
                    "CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN new; END $$"
                    % put,
                    "CREATE TRIGGER audits AFTER UPDATE ON account FOR EACH ROW EXECUTE FUNCTION audited()"]
        key = "INTEGER PRIMARY KEY" + (" AUTO_INCREMENT" if self.kind == "mariadb" else "")
        return ["CREATE TABLE audit (id %s, account INTEGER, balance INTEGER)" % key,
                "CREATE TRIGGER audits AFTER UPDATE ON account FOR EACH ROW %s" % (put if self.kind == "mariadb"
                    else "BEGIN %s; END" % put)]

    def body(self):
        """So large, and so little to be compressed, that PostgreSQL keeps it apart."""
        return "".join(self.pick.choices(LETTERS, k=self.pick.choice([5, 3000, 12000])))

    def insert(self, table, *values):
        """Nothing, where the key is there."""
        texts = ", ".join("NULL" if value is None else "'%s'" % value if isinstance(value, str) else str(value)
                          for value in values)
        columns = "(%s)" % ", ".join(self.wide) if table == "wide" else ""
        if self.kind == "mariadb":
            return "INSERT IGNORE INTO %s %s VALUES (%s)" % (table, columns, texts)
        return "INSERT INTO %s %s VALUES (%s) ON CONFLICT DO NOTHING" % (table, columns, texts)

    def step(self):
        """(statements, whether they are committed)"""
        self.number += 1
        names = self.pick.choices(list(self.actions), list(self.actions.values()), k=self.pick.choice([1, 1, 2, 4]))
        statements = [statement for name in dict.fromkeys(names) for statement in getattr(self, "do_" + name)()]
        return statements, self.pick.random() > 0.1

    def do_transfer(self):
        one, other = self.pick.sample(range(ACCOUNTS), 2)
        amount = self.pick.randint(1, 50)
        return ["UPDATE account SET balance = balance - %d WHERE id = %d" % (amount, one),
                "UPDATE account SET balance = balance + %d WHERE id = %d" % (amount, other)]

    def do_churn(self):
        """Keys that come, go, move one by one and all at once."""
        a, b = "k%d" % self.pick.randint(0, 3), self.pick.randint(0, 5)
        none = "NOT EXISTS (SELECT 1 FROM %s c WHERE c.a = churn.a AND c.b > 50)" % ("(SELECT * FROM churn)"
            if self.kind == "mariadb" else "churn")
        return [self.pick.choice([self.insert("churn", a, b, "v%d" % self.number), self.insert("churn", a, b, None),
                                  "DELETE FROM churn WHERE a = '%s'" % a,
                                  "UPDATE churn SET value = 'u%d' WHERE b = %d" % (self.number, b),
                                  "UPDATE churn SET value = NULL WHERE a = '%s'" % a,
                                  "UPDATE churn SET b = b + 100 WHERE a = '%s' AND b < 50 AND %s" % (a, none)])
                for _ in range(self.pick.randint(1, 4))]

    def do_swap(self):
        """Two rows exchange a unique value."""
        one, other = self.pick.sample(range(1, 9), 2)
        return ["UPDATE swap SET u = -1 WHERE u = %d" % one, "UPDATE swap SET u = %d WHERE u = %d" % (one, other),
                "UPDATE swap SET u = %d WHERE u = -1" % other]

    def do_exchange(self):
        """Two rows exchange their keys."""
        one, other = self.pick.sample(range(1, 9), 2)
        return ["UPDATE swap SET id = -1 WHERE id = %d" % one, "UPDATE swap SET id = %d WHERE id = %d" % (one, other),
                "UPDATE swap SET id = %d WHERE id = -1" % other]

    def do_family(self):
        parent, other = self.pick.sample(range(1, 9), 2)
        if "cascades" in self.without:
            return [self.insert("child", self.number + 100, None, "n%d" % self.number),
                    "DELETE FROM child WHERE id = %d" % (self.number + 90)]
        return self.pick.choice([
            ["DELETE FROM parent WHERE id = %d" % parent],
            [self.insert("parent", parent, "n%d" % self.number),
             "INSERT INTO child SELECT %d, id, 'n%d' FROM parent WHERE id = %d" % (self.number + 100, self.number,
                 parent)],
            ["DELETE FROM parent WHERE id = %d" % other, "UPDATE parent SET id = %d WHERE id = %d" % (other, parent)],
            ["UPDATE child SET note = NULL WHERE pid = %d" % parent], ["UPDATE parent SET name = 'u%d'" % self.number]])

    def do_document(self):
        """Large values that do not change, beside others that do, and under another key."""
        one, other = self.pick.sample(range(1, 7), 2)
        return self.pick.choice([
            ["UPDATE doc SET n = n + 1 WHERE id = %d" % one], ["UPDATE doc SET n = n + 1"],
            ["UPDATE doc SET body = '%s' WHERE id = %d" % (self.body(), one)],
            ["DELETE FROM doc WHERE id = %d" % one, self.insert("doc", one, self.number, self.body())],
            ["DELETE FROM doc WHERE id = %d" % other, "UPDATE doc SET id = %d WHERE id = %d" % (other, one)],
            ["UPDATE doc SET body = NULL WHERE id = %d" % one]])

    def do_bulk(self):
        return ["UPDATE wide SET n = n + 1 WHERE n < 30000", "UPDATE swap SET id = id + 100",
                "UPDATE swap SET id = id - 100"][:1 if "exchange" in self.without else 3]

    def do_wide(self):
        key = self.pick.randint(1, 40)
        values = [key, self.number] + ["w%d" % self.number] * (len(self.wide) - 2)
        new = [self.insert(table, self.number, "n%d" % self.number) for table in self.new_tables]
        return [*new, self.pick.choice(["DELETE FROM wide WHERE id = %d" % key,
                                        "UPDATE wide SET %s = NULL WHERE id = %d" % (self.wide[-1], key),
                                        self.insert("wide", *values)])]

    def do_again(self):
        """A table that is emptied; MariaDB's TRUNCATE would commit what was before it."""
        empty = "TRUNCATE TABLE again" if self.kind == "postgres" else "DELETE FROM again"
        return [empty] if self.pick.random() < 0.2 else [self.insert("again", self.number, "a%d" % self.number)]

    def do_long(self):
        """A transaction that stays open, while nobody else writes."""
        sleep = {"postgres": ["SELECT pg_sleep(0.3)"], "mariadb": ["SELECT SLEEP(0.3)"], "sqlite": []}[self.kind]
        return [*self.do_transfer(), *sleep, *self.do_transfer()]

    def definitions(self, what):
        """The statements of a change of the schema."""
        self.number += 1
        text = "TEXT" if self.kind == "sqlite" else "VARCHAR(40)"
        if what == "new column":
            name = "c%d" % self.number
            self.wide.append(name)
            return ["ALTER TABLE wide ADD COLUMN %s %s" % (name, text)]
        if what == "new table":
            name = "made%d" % self.number
            self.new_tables.append(name)
            return ["CREATE TABLE %s (id INTEGER PRIMARY KEY, v %s)" % (name, text),
                    "INSERT INTO %s VALUES (0, 'first')" % name]
        if what == "made again":
            return ["DROP TABLE again", self.again(), "INSERT INTO again VALUES (-1, 'anew')"]
        if what == "dropped column":
            return ["ALTER TABLE wide DROP COLUMN gone"]
        return {"postgres": ["ALTER TABLE wide ALTER COLUMN n TYPE bigint"],
                "mariadb": ["ALTER TABLE wide MODIFY n BIGINT"], "sqlite": []}[self.kind] + [
                    "UPDATE wide SET n = 3000000000 WHERE id = 1"]


class Writer(threading.Thread):
    """Carries the workload out until it is stopped, also past the server's deaths."""

    def __init__(self, side, workload, pause=0.004):
        super().__init__(daemon=True)
        self.side, self.workload, self.pause = side, workload, pause
        self.stopping, self.done, self.wanted, self.defined, self.failure = threading.Event(), 0, [], [], None

    def run(self):
        session = None
        try:
            while not self.stopping.is_set() or self.wanted:
                try:
                    session = session or self.side.session()
                    if self.wanted:
                        self.define(session)
                    session.transaction(*self.workload.step())
                    self.done += 1
                except Gone:
                    session.close()
                    session = None
                    time.sleep(0.1)
                time.sleep(self.pause)
        except Exception as failure:  # the main thread tells
            self.failure = failure
        if session is not None:
            session.close()

    def define(self, session):
        what = self.wanted[0]
        for statement in self.workload.definitions(what):
            session.ask(statement)
        self.wanted.pop(0)
        self.defined.append(what)

    def stop(self):
        self.stopping.set()
        self.join(120)
        if self.failure is not None:
            raise self.failure
        if self.is_alive():
            raise AssertionError("the writer does not come to an end")


class Auditor(threading.Thread):
    """Looks at the money in the target all the time."""

    def __init__(self, side):
        super().__init__(daemon=True)
        self.side, self.stopping, self.sums, self.looks = side, threading.Event(), set(), 0

    def run(self):
        session = None
        while not self.stopping.is_set():
            with contextlib.suppress(Gone, sqlite3.Error):
                session = session or self.side.session()
                self.sums.update(session.ask("SELECT sum(balance) FROM account"))
                self.looks += 1
                time.sleep(0.05)
                continue
            if session is not None:
                session.close()
                session = None
            time.sleep(0.1)
        if session is not None:
            session.close()

    def stop(self):
        self.stopping.set()
        self.join(60)


# --- what strikes

FAILPOINTS = ("follow.before_apply", "follow.after_apply", "{0}.before_apply", "{0}.after_apply",
              "engine.state_before_rename", "follow.before_adopt", "follow.after_adopt",
              "follow.before_silence", "follow.after_silence", "follow.before_restore", "follow.after_restore",
              "follow.after_lanes")
COPY_FAILPOINTS = ("follow.before_feed", "follow.after_feed", "engine.batch_submitted", "engine.after_commit",
                   "engine.after_settle", "engine.state_before_rename")
ENDED = (0, 4, -signal.SIGKILL)   # what may come of a process that only itself was struck


class Storm:
    ROUNDS = (2, 4)   # during the copy, and behind it

    def __init__(self, test, folder, seed, source, target, without=(), options=()):
        self.test, self.folder, self.seed, self.source, self.target = test, folder, seed, source, target
        self.pick = random.Random("%s strikes" % seed)
        self.workload = Workload(source.kind, seed, without)
        self.without, self.options, self.told = set(without), list(options), []
        self.lanes = (1 if target.kind == "jsonl" or target.transactions and self.pick.random() < 0.7
                      else self.pick.choice([1, 2, 4]))
        self.has_struck = False

    # --- commands

    def begun(self):
        return os.path.exists(os.path.join(self.folder, ".transhume", "run.json"))

    def words(self, *more):
        words = ["follow", "--take-over"] if self.begun() else ["migrate", "--follow", *self.options, "--chunk-rows",
                                                                "5", self.source.uri, self.target.uri]
        return [*words, "--lanes", str(self.lanes), *more]

    def tell(self, what, result):
        self.told.append("%s: %d %s" % (what, result.code, " | ".join(result.err.strip().splitlines()[-4:])))

    def fail(self, why):
        self.test.fail("seed %s, %s to %s, lanes %d: %s\n%s\nwithout %s, defined %s" % (
            self.seed, self.source.kind, self.target.kind, self.lanes, why, "\n".join(self.told), sorted(self.without),
            self.writer.defined))

    def round(self, fault, failpoints):
        """The program at work, and what strikes it; then it goes, if it has not yet."""
        env = {}
        if fault == "failpoint":
            env["TRANSHUME_FAILPOINT"] = "%s:kill:%d" % (self.pick.choice(failpoints).format(self.target.kind),
                                                         self.pick.choice([1, 1, 2, 3]))
        process = support.start(*self.words(), cwd=self.folder, env=env)
        try:
            process.wait(self.pick.uniform(0.2, 1.2) * support.PATIENCE)
        except subprocess.TimeoutExpired:
            self.strike(fault, process)
        result = support.finish(process)
        self.tell("%s %s" % (fault, env.get("TRANSHUME_FAILPOINT", "")), result)
        allowed = ENDED + ((3,) if fault.endswith(("crash", "cut")) else ())
        if result.code not in allowed:
            self.fail("it ended with %d" % result.code)

    def strike(self, fault, process):
        side = self.source if fault.startswith("source") else self.target
        if fault.endswith("crash"):
            side.crash()
        if fault.endswith("cut"):
            for _ in range(self.pick.randint(1, 4)):
                side.cut()
                time.sleep(self.pick.uniform(0.02, 0.4))
        if fault == "pause":
            process.send_signal(signal.SIGSTOP)
            time.sleep(self.pick.uniform(0.3, 1.5))
            process.send_signal(signal.SIGCONT)
        if fault not in ("kill", "term"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.pick.uniform(0.5, 2) * support.PATIENCE)
        ends = {"kill": signal.SIGKILL, "term": signal.SIGTERM}.get(fault) or self.pick.choice([signal.SIGKILL,
            signal.SIGTERM])
        process.send_signal(ends)

    def faults(self):
        names = ["kill", "failpoint", "failpoint", "term", "pause"]
        for name, side in (("source", self.source), ("target", self.target)):
            names += ["%s crash" % name] * side.crashes + ["%s cut" % name] * side.network
        return names

    # --- the whole

    def make_struck(self):
        """A trigger in the target that nothing but others' writes is to fire."""
        put = "INSERT INTO struck (account) VALUES (new.id)"
        self.target.ask({
            "postgres": "CREATE TABLE struck (account INTEGER); CREATE FUNCTION strikes() RETURNS trigger LANGUAGE "
                        "plpgsql AS $$ BEGIN %s; RETURN new; END $$;"
                        "CREATE TRIGGER strikes AFTER UPDATE OR INSERT ON account FOR EACH ROW EXECUTE FUNCTION "
                        "strikes()",
            "mariadb": "CREATE TABLE struck (account INTEGER); CREATE TRIGGER strikes AFTER UPDATE ON account FOR "
                       "EACH ROW %s",
            "sqlite": "CREATE TABLE struck (account INTEGER); CREATE TRIGGER strikes AFTER UPDATE ON account BEGIN "
                      "%s; END;"}[self.target.kind] % put)
        self.has_struck = True

    def run(self):
        session = self.source.session()
        for statement in self.workload.schema():
            session.ask(statement)
        session.close()
        self.writer = Writer(self.source, self.workload)
        self.writer.start()
        self.auditor = Auditor(self.target) if self.target.transactions and self.lanes == 1 else None
        try:
            self.strike_all()
            self.writer.stop()
            self.come_to_rest()
            self.compare()
        finally:
            self.writer.stopping.set()
            if self.auditor is not None and self.auditor.is_alive():
                self.auditor.stop()
            self.source.close()
            self.target.close()
        return self.writer.done

    def strike_all(self):
        copy, follow = self.ROUNDS
        faults, ddl = self.faults(), [what for what in Workload.DDL if what not in self.without]
        self.pick.shuffle(ddl)
        for _ in range(self.pick.randint(0, copy)):
            self.round(self.pick.choice(faults), COPY_FAILPOINTS)
        self.settle()
        if self.target.sql and "struck" not in self.without:
            self.make_struck()
        if self.auditor is not None:
            self.auditor.start()
        for number in range(follow):
            if number < len(ddl) and self.pick.random() < 0.8:
                self.writer.wanted.append(ddl[number])
            self.round(self.pick.choice(faults), FAILPOINTS)
        if self.target.kind != "jsonl" and self.pick.random() < 0.4:   # docs/following.md: a log can't be compared
            self.resync()

    def settle(self):
        self.must("--catch-up")

    def resync(self):
        """
        While all go on, and perhaps killed and begun again. Until its end the target is not what the source was at one
        moment.
        """
        if self.auditor is not None:
            self.auditor.stop()
        if self.pick.random() < 0.5:
            self.tell("resync, killed", support.kill_after(self.pick.uniform(0.2, 1.5) * support.PATIENCE,
                                                           *self.words("--resync", "--catch-up"), cwd=self.folder))
        self.must("--resync", "--catch-up", codes=(0, 1) if self.leaves() else (0,))

    def leaves(self):
        """Is a table left, until a resync takes it with the columns that there are? Cassandra alters none."""
        defined = self.writer.defined
        return "dropped column" in defined or ("wider type" in defined and self.target.kind == "cassandra")

    def must(self, *more, codes=(0,)):
        """Nothing strikes it: it has to come to its end."""
        result = support.transhume(*self.words(*more), cwd=self.folder)
        self.tell(" ".join(more), result)
        if result.code not in codes:
            self.fail("undisturbed it ended with %d" % result.code)

    def come_to_rest(self):
        if self.leaves():
            self.must("--catch-up", codes=(0, 1))
            self.must("--resync", "--catch-up")
        self.must("--catch-up")
        if self.auditor is not None:
            if self.auditor.is_alive():
                self.auditor.stop()
            self.test.assertGreater(self.auditor.looks, 0)
            if self.auditor.sums - {str(ACCOUNTS * MONEY)}:
                self.fail("the money was not all there: %s" % sorted(self.auditor.sums))

    def compare(self):
        differences = []
        for table in self.source.tables():
            columns = self.source.columns(table)
            expected, found = self.source.rows(table, columns), self.target.rows(table, columns)
            if expected != found:
                extra, missing = [row for row in found if row not in expected], [row for row in expected
                    if row not in found]
                differences.append("%s: extra %.300s missing %.300s" % (table, extra, missing))
        if self.has_struck and self.target.rows("struck", ["account"]):
            differences.append("a trigger of the target fired")
        if differences:
            self.fail("they differ:\n%s" % "\n".join(differences))
        if self.target.kind == "jsonl":   # docs/following.md: a log can't be compared with the source
            return
        result = support.transhume("validate", "--level", "full", cwd=self.folder)
        if result.code != 0:
            self.fail("validate ended with %d: %s" % (result.code, result.out[-1500:] + result.err[-800:]))
