"""What the tests of bad input share: a refusal is one clear line, its code, and nothing harmed."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import support

NOBODY = 65534
STOP_DEADLINE_S = 30
# What SQLite itself keeps beside a database in WAL mode, also for readers.
SQLITE_COMPANIONS = ("-wal", "-shm")

SHOP = """
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT UNIQUE);
CREATE TABLE invoice(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer(id),
                     day TEXT NOT NULL, total NUMERIC(10,2) NOT NULL);
CREATE TABLE line(invoice_id INTEGER NOT NULL REFERENCES invoice(id), number INTEGER NOT NULL,
                  title TEXT, price NUMERIC(10,2), PRIMARY KEY (invoice_id, number)) WITHOUT ROWID;
CREATE INDEX invoice_customer ON invoice(customer_id);
"""


def make_shop(path, customers=40, script=""):
    """A small shop: `customers`, three invoices each, two lines each."""
    db = sqlite3.connect(path)
    db.executescript(SHOP)
    db.executemany("INSERT INTO customer VALUES (?, ?, ?)",
                   [(i, "Customer %d" % i, "c%d@example.org" % i) for i in range(1, customers + 1)])
    invoices = range(1, 3 * customers + 1)
    db.executemany("INSERT INTO invoice VALUES (?, ?, ?, ?)",
                   [(i, 1 + i % customers, "2024-%02d-%02d" % (1 + i % 12, 1 + i % 28), round(i * 1.98, 2))
                    for i in invoices])
    db.executemany("INSERT INTO line VALUES (?, ?, ?, ?)",
                   [(i, n, "Title %d/%d" % (i, n), round(i * 0.99, 2)) for i in invoices for n in (1, 2)])
    db.executescript(script)
    db.commit()
    db.close()
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def listing(*paths):
    """{path: what is there}: files by contents, folders by their names, symlinks by their text."""
    found = {}
    for path in paths:
        if os.path.islink(path):
            found[path] = ("link", os.readlink(path))
        elif os.path.isdir(path):
            found[path] = ("folder",)
            for name in sorted(os.listdir(path)):
                found.update(listing(os.path.join(path, name)))
        elif os.path.exists(path):
            # Who asks whether a run is held leaves its pid in the lock; that harms nobody.
            found[path] = ("lock",) if os.path.basename(path) == "lock" else \
                ("file", os.path.getsize(path), digest(path))
    return found


def first_line_of(error):
    """The lines of stderr that begin an error."""
    return [line for line in error.splitlines() if line.startswith("error: ")]


def wait_until(true, what, deadline_s=STOP_DEADLINE_S):
    end = time.monotonic() + deadline_s * support.PATIENCE
    while not true():
        if time.monotonic() > end:
            raise AssertionError("waited %d s for %s" % (deadline_s * support.PATIENCE, what))
        time.sleep(0.005)


LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    db.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""


class Lock:
    """
    Another process that holds what the statements lock, until `release`. In a process of its own,
    since a POSIX lock is lost as soon as its process closes the file anywhere, as a listing does.
    """

    def __init__(self, test, path, *statements):
        self.process = subprocess.Popen([sys.executable, "-c", LOCKER, path, *statements], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.release)
        test.assertEqual(self.process.stdout.readline(), "held\n")

    def release(self):
        if self.process.poll() is None:
            self.process.communicate()


class TestCase(support.TestCase):
    """Refusals: `refused` runs the program and checks all that a refusal must be."""

    def refused(self, *arguments, code, name, says=(), unharmed=(), hint=True, time_limit=30,
                env=None):
        """
        Runs the program and expects exit `code` and one error of the code `name`, whose line holds
        each text of `says`, followed by what to do next; nothing on stdout; and the contents of
        the paths `unharmed` as before (one that is not there may not come to be).
        """
        before = listing(*unharmed)
        result = support.transhume(*arguments, cwd=self.folder, env=env, time_limit=time_limit)
        self.assert_refusal(result, code, name, says, hint)
        self.assert_listing(before, *unharmed)
        return result

    def assert_refusal(self, result, code, name, says=(), hint=True):
        shown = "exit %d\n--- stdout\n%s--- stderr\n%s" % (result.code, result.out, result.err)
        self.assertEqual(result.code, code, shown)
        if code != 3:
            self.assertEqual(result.out, "", "a refusal has no results\n" + shown)
        names = (name,) if isinstance(name, str) else name
        lines = first_line_of(result.err)
        self.assertEqual(len(lines), 1, "one line is wanted\n" + shown)
        found = re.search(r" \[([a-z-]+)\]$", lines[0])
        self.assertTrue(found and found.group(1) in names, "not [%s]\n%s" % ("|".join(names), shown))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text.lower(), lines[0].lower(), shown)
        self.assertNotRegex(lines[0], r"[\x00-\x1f\x7f]", shown)
        if hint:
            after = result.err[result.err.index(lines[0]) + len(lines[0]):].split("\n")
            self.assertTrue(len(after) > 1 and re.match(r"  \S.{8,}", after[1]),
                            "it does not say what to do next\n" + shown)

    def assert_plan_refused(self, result, *places_and_texts, name="plan-invalid"):
        """Each pair ("LINE:COLUMN" or "LINE", text) must be on one line of stderr; exit 2."""
        shown = "exit %d\n--- stdout\n%s--- stderr\n%s" % (result.code, result.out, result.err)
        self.assertEqual(result.code, 2, shown)
        self.assertEqual(result.out, "", shown)
        lines = first_line_of(result.err)
        for place, *texts in places_and_texts:
            at = [line for line in lines if re.search(r"transhume\.yaml:%s\b" % place, line)]
            self.assertTrue(at, "no line for %s\n%s" % (place, shown))
            for text in texts:
                self.assertTrue(any(text.lower() in line.lower() for line in at),
                                "no line for %s says %r\n%s" % (place, text, shown))
        self.assertIn("[%s]" % name, result.err, shown)

    @contextlib.contextmanager
    def unharmed(self, *paths):
        before = listing(*paths)
        yield
        self.assert_listing(before, *paths)

    def assert_listing(self, before, *paths):
        after = {path: what for path, what in listing(*paths).items()
                 if path in before or not path.endswith(SQLITE_COMPANIONS)}
        changes = ["%s: %s, was %s" % (os.path.relpath(path, self.folder), after.get(path), before.get(path))
                   for path in sorted(after.keys() | before.keys())
                   if after.get(path) != before.get(path)]
        self.assertEqual(changes, [], "something was changed")

    def shop(self, name="shop.db", **options):
        return make_shop(self.path(name), **options)

    def execute(self, path, script):
        db = sqlite3.connect(path)
        try:
            db.executescript(script)
            db.commit()
        finally:
            db.close()

    def query(self, path, sql, *parameters):
        db = support.open_sqlite(path)
        try:
            return [tuple(v.decode() if isinstance(v, bytes) else v for v in row)
                    for row in db.execute(sql, parameters)]
        finally:
            db.close()

    def state(self, folder=".transhume"):
        with open(self.path(folder, "state.json"), encoding="utf-8") as file:
            return json.load(file)

    # --- runs that are stopped on the way

    def interrupted(self, *arguments, commits=2, env=None):
        """A run that was killed right after its `commits`th chunk was committed."""
        result = support.kill_at("engine.after_commit", commits, "migrate", *arguments,
                                 cwd=self.folder, env=env)
        self.assert_code(result, -signal.SIGKILL)
        return result

    def stopped(self, *arguments, failpoint="engine.before_commit", occurrence=2, env=None, **more):
        """A run that has stopped itself (SIGSTOP) at a failpoint: a Popen; it is killed at the end."""
        return self.stopped_at("%s:stop:%d" % (failpoint, occurrence), *arguments, env=env, **more)

    # --- other users, other disks

    def open_folder(self):
        """A folder that every user may enter and write to, with a copy of the program in it."""
        if support.UNDER_VALGRIND:
            raise unittest.SkipTest("valgrind's logs are closed to another user")
        folder = tempfile.mkdtemp(prefix="test-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o1777)  # as /tmp: what is in it is its owners' alone to replace
        shutil.copy(support.PROGRAM, os.path.join(folder, "program"))
        return folder

    def run_unprivileged(self, folder, *arguments, program=None):
        """Runs the program as a user whom files of mode 0600 are closed to."""
        program = program or os.path.join(folder, "program")
        command = [program, *map(str, arguments)]
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                raise unittest.SkipTest("root can't be denied a file, and there is no setpriv")
            command = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups",
                       "--", *command]
        begun = time.monotonic()
        # That user could not write to the file of a run that counts failpoints.
        environment = support.environment_with({"TRANSHUME_FAILPOINT_COUNT": None})
        process = subprocess.Popen(command, cwd=folder, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        return support.finish(process, begun=begun)

    def on_small_disk(self, kibibytes, script):
        """
        Runs a shell script with a file system of that size at $DISK, which only the script can
        see; `grow SIZE` gives it more. Skipped where no such thing can be made.
        """
        mount = self.path("disk")
        os.makedirs(mount, exist_ok=True)
        head = ("set -u\nDISK=%s\nT=%s\nmount -t tmpfs -o size=%dk,mode=01777 none $DISK || exit 77\n"
                "grow() { mount -o remount,size=$1 $DISK; }\n" % (mount, support.PROGRAM, kibibytes))
        if os.geteuid() != 0 or not shutil.which("unshare"):
            raise unittest.SkipTest("only root can mount a small disk for the test")
        result = subprocess.run(["unshare", "-m", "sh", "-c", head + script], cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                timeout=60 * support.PATIENCE, env=support.environment_with({}))
        if result.returncode == 77 or "unshare failed" in result.stderr:
            raise unittest.SkipTest("no file system can be mounted here: " + result.stderr.strip())
        return result
