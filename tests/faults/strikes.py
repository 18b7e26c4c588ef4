"""The kinds of strikes of the fault matrix: what else than `kill -9` strikes a pair.

A pair is a test of a test_kill_* module, which calls self.matrix(arguments, check, env) with the run and how its
result is compared; an engine is a class that is put before such a class and brings its own `matrix`:

    class Stops(strikes.Stops, test_kill_to_sqlite.KillToSqlite): ...
"""
import os
import re
import shutil
import signal
import sqlite3
import time

import matrix
import support
from fault_proxy import FaultProxy

SLOWER = min(support.PATIENCE, 4)
# What a process says that finds a time-out over.
OVERDUE = re.compile(r"^error: .* \[(timeout|stalled)\]$", re.MULTILINE)
CLEAR = re.compile(r"^error: .* \[(?!internal\])[a-z-]+\]$", re.MULTILINE)


class Engine:
    """What engines share: cases in a folder of their own, a sample of them."""

    engine_cases = None  # at most so many, in a soak too, whose seed draws them (decision 59)

    def each(self, fault, cases, act):
        """Calls act(folder, *case) with an empty folder and target for each case, in a seeded order."""
        pair = matrix.pair_of(self)
        cases = list(cases)
        self.random.shuffle(cases)
        self.assertGreater(len(cases), 0)
        for case in cases[:self.engine_cases][:self.sample.cases]:
            with self.subTest(pair=pair, fault=fault, case=case), matrix.case(pair, fault) as self.entry:
                act(self.fresh("case"), *case)

    def stopped_or_ended(self, failpoint, occurrence, *arguments, folder, env):
        """How often a failpoint is reached may differ from run to run: one that ended without it was not struck."""
        process = self.stopped_at("%s:stop:%d" % (failpoint, occurrence), *arguments, cwd=folder, env=env, may_end=True)
        self.entry.struck(process.poll() is None)
        return process

    def fresh(self, name):
        folder = os.path.join(self.folder, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        self.empty_target()
        return folder

    def failpoints(self, arguments, check, env):
        """How often a run that nothing strikes reaches each."""
        folder = self.fresh("count")
        counts = self.counts("migrate", folder, arguments, env)
        check(folder)
        return counts

    def assert_clear(self, result, codes):
        self.assertIn(result.code, codes, result.err)
        self.assertRegex(result.err, CLEAR)

    def begin_again(self, folder, arguments, env, check):
        """What the messages say where a run can't go on: forget it, empty the target, migrate."""
        state = os.path.join(folder, state_folder(arguments))
        if os.path.isdir(state):
            # What a run left behind that was never in the ledger is no run: exit status 2 says so.
            self.assertIn(support.transhume("reset", "--confirm", "--state", state, cwd=folder, env=env).code, (0, 2))
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.empty_target()
        self.assert_code(support.transhume("migrate", *arguments, cwd=folder, env=env), 0)
        check(folder)


def state_folder(arguments):
    return arguments[arguments.index("--state") + 1] if "--state" in arguments else ".transhume"


def with_state(arguments, name):
    """The same run as another process with a state folder of its own would go on with it."""
    arguments = list(arguments)
    if "--state" in arguments:
        at = arguments.index("--state")
        del arguments[at:at + 2]
    return ["--state", name, *arguments]


class Stops(Engine):
    """SIGSTOP at a failpoint, a second process, SIGCONT. Whoever is refused writes nothing."""

    second_timeout = "300ms"   # what it waits for the first
    # The first stands beyond all of its time-outs: four times the first for a call that fails, ten times the second
    # where nothing moves.
    first_waits = ("--timeout", "%dms" % (300 * SLOWER), "--stall", "%dms" % (100 * SLOWER))
    STANDS_S = 1.4 * SLOWER

    def matrix(self, arguments, check, env=None):
        counts = self.failpoints(arguments, check, env)
        cases = [(name, occurrence) for name, count in sorted(counts.items())
                 for occurrence in sorted({1, (count + 1) // 2, count})
                 if not name.startswith("lease.")]
        self.each("stop", cases, lambda folder, name, occurrence: self.stop(folder, name, occurrence, arguments, check,
                                                                            env))

    def stopped_first(self, folder, name, occurrence, arguments, env):
        first = self.stopped_or_ended(name, occurrence, "migrate", *self.first_waits, *arguments, folder=folder,
                                      env=env)
        self.stands_until = time.monotonic() + self.STANDS_S
        return first

    def woken(self, first):
        """The result of the first, once it has stood for its time."""
        if first.poll() is None:
            time.sleep(max(0, self.stands_until - time.monotonic()))
            first.send_signal(signal.SIGCONT)
        return support.finish(first)

    def assert_ended_alone(self, ended, folder, arguments, env):
        """Nobody took its run: it goes on, or finds one of its time-outs over, says so, and is resumed."""
        self.assertIn(ended.code, (0, 3), ended.err)
        if ended.code == 3:
            self.assertRegex(ended.err, OVERDUE)
            self.run_to_the_end(folder, arguments, env)

    def stop(self, folder, name, occurrence, arguments, check, env):
        first = self.stopped_first(folder, name, occurrence, arguments, env)
        second = support.transhume("resume", "--take-over", "--timeout", self.second_timeout,
                                   *with_state(arguments, "second"),
                                   cwd=folder, env=env)
        # 2: there is no run yet. 5: the first one holds it. 3: it was stopped within a transaction. 0: taken over, and
        # to the end.
        self.assertIn(second.code, (0, 2, 3, 5), second.err)
        if second.code == 3:
            self.assertIn("[target-locked]", second.err)
        if second.code == 0:
            check(folder)
        done = contents_of(folder, ledger=True) if second.code == 0 else None
        ended = self.woken(first)
        if done is None:
            self.assert_ended_alone(ended, folder, arguments, env)
        else:
            self.assertEqual(contents_of(folder, ledger=True), done,
                             "it wrote after the take-over: %d, %s" % (ended.code, ended.err))
            # 3: that nothing moved for so long it sees before it asks whose the run is.
            self.assertIn(ended.code, (0, 3, 5), ended.err)
            if ended.code != 0:   # before its first chunk it looks whether the tables are still empty
                self.assertRegex(ended.err, OVERDUE if ended.code == 3
                                 else r"\[run-fenced\]|another run was here first")
        check(folder)


class SqlStops(Stops):
    """The same where a take-over ends the sessions of the first, and the epoch's row fences: once the second process is
    done,
    nothing at all is written by the first."""

    second_timeout = "1s"
    SECOND_ENDS_S = 30

    def everything(self):
        """All that the target holds, the ledger too."""
        raise NotImplementedError

    def stop(self, folder, name, occurrence, arguments, check, env):
        first = self.stopped_first(folder, name, occurrence, arguments, env)
        second = support.transhume("resume", "--take-over", "--timeout", self.second_timeout,
                                   *with_state(arguments, "second"), cwd=folder, env=env)
        # 2: there is no run yet. 5: the first one is just claiming it, and not every server tells who that is.
        self.assertIn(second.code, (0, 5) if name.endswith(".before_claim") else (0, 2), second.err)
        self.assertLess(second.seconds, self.SECOND_ENDS_S * support.PATIENCE)
        done = self.everything() if second.code == 0 else None
        ended = self.woken(first)
        if done is None:
            self.assert_ended_alone(ended, folder, arguments, env)
        else:
            # 3: it was ended just there, and can't ask the ledger any more whose the run is.
            self.assertIn(ended.code, (0, 3, 5), ended.err)
            self.assertEqual(self.everything(), done, "it wrote after the take-over: %d, %s" % (ended.code, ended.err))
        check(folder)


class Network(Engine):
    """Every fault of the proxy at every operation of a run: first, middle, last."""

    engine_cases = 300  # of some 800, in a soak too: each draws others

    # Faults that pass: the run gets through them by itself.
    transient = {
        "cut before": ("cut_before", {}), "cut after": ("cut_after", {}), "wrong checksum": ("wrong_crc", {}),
        "altered": ("altered", {}), "half of it": ("truncated", {}), "500": ("error", {}),
        "500, and it was done": ("error", {"applied": True}), "503": ("error", {"status": 503}),
        "throttled": ("throttle", {}), "account throttled": ("throttle", {"code": "ThrottlingException"}),
        "request limit": ("throttle", {"code": "RequestLimitExceeded"}), "slow": ("slow", {"after": 0.2}),
        "drip": ("drip", {"pieces": 40, "pause": 0.003}), "a byte at a time": ("drip", {"pieces": 100000, "pause": 0}),
        "half open": ("half_open", {}), "half open, and it was done": ("half_open", {"applied": True}),
        "unprocessed": ("unprocessed", {}), "short page": ("short_page", {}), "empty page": ("empty_page", {}),
    }
    # Faults that a person has to mend; then the run goes on.
    lasting = {
        "web page": ("html", {}), "web page with 503": ("html", {"status": 503}), "redirect": ("redirect", {}),
        "moved for good": ("redirect", {"status": 308}), "oversized": ("oversized", {}), "garbage": ("garbage", {}),
        "token expired": ("refuse", {"code": "ExpiredTokenException"}),
        "no permission": ("refuse", {"code": "AccessDeniedException"}),
        "unknown key": ("refuse", {"code": "UnrecognizedClientException"}), "clock off": ("skew", {}),
    }

    def matrix(self, arguments, check, env=None):
        folder = self.fresh("count")
        with FaultProxy(self.server.endpoint) as proxy:
            result = support.transhume("migrate", *self.through(proxy, arguments), cwd=folder, env=env)
            self.assert_code(result, 0)
            operations = proxy.operations()
        check(folder)
        self.each("network", self.cases_of(operations), lambda folder, *case: self.strike(folder, case, arguments,
            check, env))

    def cases_of(self, operations):
        """
        (kind, operation, occurrence): what can strike an operation at all, at its first, its middle and its last
        request.
        """
        return [(kind, operation, occurrence) for kind, (fault, _) in {**self.transient, **self.lasting}.items()
                for operation, count in sorted(operations.items()) if fault == "skew"
                or FaultProxy.is_fault_of(fault, operation)
                for occurrence in sorted({1, (count + 1) // 2, count})]

    def through(self, proxy, arguments):
        return ["--timeout", "%ds" % (2 * min(support.PATIENCE, 4)),
                *(str(argument).replace(self.server.endpoint, proxy.endpoint) for argument in arguments)]

    def strike(self, folder, case, arguments, check, env):
        kind, operation, occurrence = case
        fault, options = (self.transient.get(kind) or self.lasting[kind])
        with FaultProxy(self.server.endpoint, seed=occurrence) as proxy:
            if fault == "skew":
                proxy.add("refuse", operation=operation, first=occurrence, count=1, code="InvalidSignatureException",
                          message="Signature expired: 20200101T000000Z is now earlier than 20200101T010000Z "
                                  "(20200101T010500Z - 5 min.)")
            else:
                proxy.add(fault, operation=operation, first=occurrence, count=1, **options)
            if fault == "empty_page":   # amid what is read: there has to be more than one
                proxy.add("short_page", operation=operation, limit=50)
            through = self.through(proxy, arguments)
            result = support.transhume("migrate", *through, cwd=folder, env=env)
            self.entry.struck(proxy.hits["refuse" if fault == "skew" else fault])
            if kind in self.transient:
                self.assert_code(result, 0)
            elif result.code != 0:
                self.assert_clear(result, (2, 3))
                self.run_to_the_end(folder, through, env)
        check(folder)


class Restarts(Engine):
    """The server is ended in mid-load, and comes back with what it had."""

    engine_cases = 40 if support.SOAK else 2

    def matrix(self, arguments, check, env=None):
        counts = self.failpoints(arguments, check, env)
        cases = [(name, occurrence) for name, count in sorted(counts.items())
                 for occurrence in sorted({1, (count + 1) // 2, count})]
        self.each("restart", cases, lambda folder, name, occurrence: self.restart(folder, name, occurrence, arguments,
            check, env))

    def server_to_restart(self):
        return self.server

    def wait_for_restart(self):
        """Until the server has nothing under way that it would not go on with."""

    def restart(self, folder, name, occurrence, arguments, check, env):
        first = self.stopped_or_ended(name, occurrence, "migrate", *arguments, folder=folder, env=env)
        self.wait_for_restart()
        self.server_to_restart().restart()
        if first.poll() is None:
            first.send_signal(signal.SIGCONT)
        result = support.finish(first)
        if result.code != 0:
            self.assert_clear(result, (3,))
            self.go_on(folder, arguments, env)
        check(folder)

    def go_on(self, folder, arguments, env):
        self.run_to_the_end(folder, arguments, env)


class SourceRestarts(Restarts):
    """
    The same of a SQL server that is read: its snapshot is gone, and with some nobody can tell any more whether it is
    unchanged.
    """

    def go_on(self, folder, arguments, env):
        result = support.transhume("resume", *arguments, cwd=folder, env=env)
        if result.code == 1:
            self.assertIn("the snapshot is mixed", result.err)
        else:
            self.run_to_the_end(folder, arguments, env)


class Ledgers(Engine):
    """A ledger that somebody dropped, cut, edited, or that a newer version wrote."""

    interrupted_at = "engine.after_commit:error:3"

    def matrix(self, arguments, check, env=None):
        folder = self.interrupted(arguments, env)
        self.each("ledger", self.damages(folder), lambda folder, *case: self.damage(case, arguments, check, env))

    def damages(self, folder):
        """The cases, of what an interrupted run left."""
        return [case for case in sorted(ledger_damages(folder)) if apply_damage(folder, *case, keep=False)]

    def inflict(self, folder, *case):
        """Does the damage, and tells whether it changed anything."""
        return apply_damage(folder, *case)

    def contents(self, folder):
        """The target's data, without the ledger."""
        return contents_of(folder)

    def interrupted(self, arguments, env):
        folder = self.fresh("case")
        result = support.transhume("migrate", *arguments, cwd=folder,
                                   env=dict(env or {}, TRANSHUME_FAILPOINT=self.interrupted_at))
        self.assert_code(result, 3)
        return folder

    def damage(self, case, arguments, check, env):
        folder = self.interrupted(arguments, env)
        self.entry.struck(self.inflict(folder, *case))
        before = self.contents(folder)
        result = support.transhume("resume", *arguments, cwd=folder, env=env)
        if result.code == 0:
            check(folder)  # it was nothing that counts
            return
        self.assert_clear(result, (2, 3, 5))
        if "[reconcile]" not in result.err:  # the sums at the end found what the ledger itself did not show
            self.assertEqual(self.contents(folder), before, "it wrote into a target whose ledger it had refused")
        self.begin_again(folder, arguments, env, check)


def ledger_damages(folder):
    """(place, what) for all that there is of a ledger below the folder."""
    for path in files_below(folder):
        name = run_free(os.path.relpath(path, folder))
        if "/_transhume/" in "/" + name and not name.endswith("/lock"):
            for what in ("drop", "empty", "cut", "flip first", "flip middle", "flip last", "newer", "garbage"):
                yield name, what
        if is_sqlite(path):
            with sqlite3.connect(path) as db:
                for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE "
                                         "'\\_transhume%' ESCAPE '\\'"):
                    yield name, "DROP TABLE %s" % table
                    yield name, "DELETE FROM %s" % table
                    for row in db.execute("PRAGMA table_info(%s)" % table).fetchall():
                        newer = "replace(%s, '\"format\":1', '\"format\":99')" % row[1]
                        has_format = db.execute("SELECT 1 FROM %s WHERE instr(%s, '\"format\":1')" % (table,
                            row[1])).fetchone()
                        for value in ("'edited'", "x'00ff'", "-1", "999999999999", "''",
                                      *([newer] if has_format else [])):
                            yield name, "UPDATE OR IGNORE %s SET %s = %s" % (table, row[1], value)
            db.close()


def apply_damage(folder, name, what, keep=True):
    """Does the damage, unless only asked about it, and tells whether it changes anything."""
    path = next((path for path in files_below(folder) if run_free(os.path.relpath(path, folder)) == name), None)
    if path is None:
        return False   # this time it had not come so far
    if is_sqlite(path):
        return damage_sqlite(path, what, keep)
    with open(path, "rb") as file:
        data = file.read()
    damaged = None if what == "drop" else damaged_bytes(data, what)
    if keep and damaged is None:
        os.remove(path)
    elif keep:
        with open(path, "wb") as file:
            file.write(damaged)
    return damaged != data


def damage_sqlite(path, statement, keep):
    db = sqlite3.connect(path, isolation_level=None)
    db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")   # and not bytes: a text isn't a blob

    def rows():
        tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: sorted(map(repr, db.execute("SELECT * FROM %s" % support.quoted(table)))) for table in tables
                if "_transhume" in table}
    db.execute("BEGIN IMMEDIATE")
    before = rows()
    try:
        db.execute(statement)
    except sqlite3.IntegrityError:
        pass  # the table's own rules forbid it
    changed = rows() != before
    db.execute("COMMIT" if keep else "ROLLBACK")
    db.close()
    return changed


def damaged_bytes(data, what):
    data = bytearray(data)
    if what == "newer":
        data = data.replace(b'"format":1', b'"format":99').replace(b'"format": 1', b'"format": 99')
    elif what == "garbage":
        data = bytearray(b"\x00\xff{[garbage\n") * 3
    elif what == "empty":
        data = b""
    elif what == "cut":
        data = data[:len(data) // 2]
    elif data:
        data[{"flip first": 0, "flip middle": len(data) // 2, "flip last": len(data) - 1}[what]] ^= 1
    return bytes(data)


def files_below(folder):
    return sorted(os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names
                  if not os.path.relpath(parent, folder).startswith((".transhume", "state")))


def run_free(name):
    """Without what differs from run to run."""
    return re.sub(r"run-[^/]*", "run-", name)


def is_sqlite(path):
    with open(path, "rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def contents_of(folder, ledger=False):
    """All data in the target, as bytes; of a SQLite file the rows. With the ledger, or without."""
    found = {}
    for path in files_below(folder):
        name = os.path.relpath(path, folder)
        if is_sqlite(path):
            db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
            db.text_factory = bytes
            for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                if ledger or not table.startswith(b"_transhume"):
                    quoted = '"%s"' % table.decode().replace('"', '""')
                    found[name, table] = sorted(map(repr, db.execute("SELECT * FROM %s" % quoted)))
            db.close()
        elif (ledger or "/_transhume/" not in "/" + name) and not name.endswith(("-lock", "-journal", "/lock")):
            with open(path, "rb") as file:
                found[name] = file.read()
    return found


class Folders(Engine):
    """Folders that vanish or may not be written to while a run works in them."""

    def matrix(self, arguments, check, env=None):
        counts = self.failpoints(arguments, check, env)
        places = [(name, occurrence) for name, count in sorted(counts.items()) for occurrence in sorted({1, count})]
        cases = [(what, *place) for what in ("state", "target") for place in places]
        if os.geteuid() == 0:   # who can't be somebody else
            cases.append(("read-only", "", 0))
        self.each("folder", cases, lambda folder, *case: self.vanish(folder, case, arguments, check, env))

    def vanish(self, folder, case, arguments, check, env):
        what, name, occurrence = case
        if what == "read-only":
            self.read_only(folder, arguments, env, check)
            return
        first = self.stopped_or_ended(name, occurrence, "migrate", *arguments, folder=folder, env=env)
        state = os.path.join(folder, state_folder(arguments))
        paths = [path for path in (os.path.join(folder, entry) for entry in os.listdir(folder))
                 if (path == state) == (what == "state")]
        self.entry.struck(paths and first.poll() is None)
        for path in paths:
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        if first.poll() is None:
            first.send_signal(signal.SIGCONT)
        result = support.finish(first)
        if result.code == 0 and what == "target" and not self.is_there(folder, check):
            # It had said that all is done, or SQLite's file lived on without a name; both are a new beginning.
            self.begin_again(folder, arguments, env, check)
            return
        if result.code == 0:
            check(folder)
            return
        self.assert_clear(result, (2, 3, 5))
        again = support.transhume("resume", *arguments, cwd=folder, env=env)
        if again.code == 0:
            check(folder)
            return
        self.assert_clear(again, (2, 3, 5))
        self.begin_again(folder, arguments, env, check)

    def is_there(self, folder, check):
        try:
            check(folder)
            return True
        except (AssertionError, OSError, sqlite3.Error):
            return False

    def read_only(self, folder, arguments, env, check):
        """As somebody who may look and not write."""
        self.entry.struck(True)
        os.chmod(self.folder, 0o755)
        for parent, _, names in os.walk(self.folder):
            os.chmod(parent, 0o755)
            for name in names:
                os.chmod(os.path.join(parent, name), 0o644)
        program = support.PROGRAM
        try:
            support.PROGRAM = "setpriv"
            result = support.transhume("--reuid=65534", "--regid=65534", "--clear-groups", program, "migrate",
                                       *arguments,
                                       cwd=folder, env=env)
        finally:
            support.PROGRAM = program
        self.assert_clear(result, (2, 3))
        self.assertEqual(os.listdir(folder), [], "it wrote where it may not")
        self.run_to_the_end(folder, arguments, env)
        check(folder)
