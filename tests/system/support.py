"""What the system tests share: running the program, killing it, and comparing what it left.

Comparisons here are made by Python's own sqlite3 and json, never by the program under test.
"""
import collections
import decimal
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TRANSHUME_BUILD", os.path.join(ROOT, "build"))
PROGRAM = os.environ.get("TRANSHUME", os.path.join(BUILD, "transhume"))
SOAK = os.environ.get("TRANSHUME_SOAK") == "1"
SEED = int(os.environ.get("TRANSHUME_SEED", "1"))
# Sanitizers slow the program down.
PATIENCE = 10 if os.environ.get("TRANSHUME_SANITIZE") else 1
UNDER_VALGRIND = os.environ.get("TRANSHUME_SANITIZE") == "valgrind"  # half a second until it begins
TIME_LIMIT_S = 180  # a server that others use, too, may be slow to make a table
DIFFERENCES_SHOWN_MAX = 20

Result = collections.namedtuple("Result", "code out err seconds")


def drawn(cases, count, by):
    """So many of the cases, drawn by the seed and the text `by`; all of them in a soak."""
    cases = list(cases)
    return cases if SOAK or len(cases) <= count else random.Random("%d %s" % (SEED, by)).sample(cases, count)


def covering(*axes, by):
    """
    Every combination in a soak; else as few as hold each value of each axis, paired by the seed and the text `by`.
    """
    axes = [list(axis) for axis in axes]
    if SOAK:
        return list(itertools.product(*axes))
    numbers = random.Random("%d %s" % (SEED, by))
    axes = [numbers.sample(axis, len(axis)) for axis in axes]
    return list(zip(*(itertools.islice(itertools.cycle(axis), max(map(len, axes))) for axis in axes)))


def inheriting(count):
    """Of the tests that a class inherits, so many, drawn by the seed and the class; all of them in a soak."""
    def keep(cls):
        inherited = sorted(name for name in dir(cls) if name.startswith("test_") and name not in vars(cls)
                           and callable(getattr(cls, name)))
        for name in set(inherited) - set(drawn(inherited, count, cls.__name__)):
            setattr(cls, name, None)
        return cls
    return keep


def environment_with(changes):
    environment = dict(os.environ, **(changes or {}))
    return {name: value for name, value in environment.items() if value is not None}


def start(*arguments, cwd, env=None, stdin=subprocess.DEVNULL):
    """The program as a subprocess.Popen with pipes, for tests that meddle with it while it runs."""
    return subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=cwd, env=environment_with(env),
                            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process, time_limit=TIME_LIMIT_S, begun=None):
    """Waits for a process of `start` to end by itself."""
    begun = begun or time.monotonic()
    try:
        out, err = process.communicate(timeout=time_limit * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError("%s did not end within %d s\n%s" % (
            " ".join(process.args), time_limit * PATIENCE, err.decode("utf-8", "replace")))
    return Result(process.returncode, out.decode("utf-8", "surrogateescape"),
                  err.decode("utf-8", "surrogateescape"), time.monotonic() - begun)


def transhume(*arguments, cwd, env=None, time_limit=TIME_LIMIT_S):
    """Runs the program to its end. A signal that ended it is a negative code, as subprocess has it."""
    begun = time.monotonic()
    return finish(start(*arguments, cwd=cwd, env=env), time_limit, begun)


def kill_at(failpoint, occurrence, *arguments, cwd, env=None):
    """Runs the program, which kills itself with SIGKILL when it reaches the failpoint that often."""
    rule = "%s:kill:%d" % (failpoint, occurrence)
    return transhume(*arguments, cwd=cwd, env=dict(env or {}, TRANSHUME_FAILPOINT=rule))


def kill_after(seconds, *arguments, cwd, env=None):
    """Runs the program and kills it with SIGKILL at an instant; it may have ended before."""
    begun = time.monotonic()
    process = start(*arguments, cwd=cwd, env=env)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return finish(process, begun=begun)


def count_failpoints(*arguments, cwd, env=None):
    """Runs the program and tells how often it reached each failpoint: (result, Counter)."""
    with tempfile.NamedTemporaryFile(mode="r", dir=cwd, prefix="failpoints-") as file:
        result = transhume(*arguments, cwd=cwd, env=dict(env or {},
                                                        TRANSHUME_FAILPOINT_COUNT=file.name))
        lines = file.read().splitlines()
    whole_run = os.environ.get("TRANSHUME_FAILPOINT_COUNT")
    if whole_run:
        with open(whole_run, "a", encoding="utf-8") as file:
            file.writelines("%s\n" % name for name in set(lines))
    return result, collections.Counter(lines)


def process_state(pid):
    """The letter of /proc: R running, S sleeping, T stopped, Z ended ..."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


class TestCase(unittest.TestCase):
    """A test with a folder of its own, `self.folder`, in which the program runs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def rejects(self, state=".transhume"):
        """All rejects of the state folder's run, in order of the files' names."""
        folder = self.path(state, "rejects")
        found = []
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
        return found

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def run_id(self, state=".transhume"):
        """Of the run that the state folder holds."""
        with open(self.path(state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def run_program(self, *arguments, code=0, **options):
        """Runs the program here and expects the exit code."""
        result = transhume(*arguments, cwd=self.folder, **options)
        self.assert_code(result, code)
        return result

    def validate_copy(self, *arguments, folder=None, state=".transhume", env=None):
        """
        Validates a copy that is right: what was rejected is all that is missing, and the exit status says so. The
        report.
        """
        place = os.path.join(folder or self.folder, state, "rejects")
        missing = any(os.path.getsize(os.path.join(place, name))
                      for name in (os.listdir(place) if os.path.isdir(place) else []))
        result = transhume("validate", "--json", "--progress", "none", "--state", state, *arguments,
                           cwd=folder or self.folder, env=env)
        self.assert_code(result, 1 if missing else 0)
        report = json.loads(result.out)
        self.assertEqual((report["ok"], report["records"]), (not missing, []))
        for entity in report["entities"]:
            self.assertEqual(entity["source"], entity["target"], entity)
        self.assertEqual(any(entity["rejected"] for entity in report["entities"]), missing)
        return report

    def stopped_at(self, rule, *arguments, may_end=False, cwd=None, env=None, **options):
        """
        The program once it has stopped itself (SIGSTOP) by a failpoint's rule "NAME:stop:OCCURRENCE": a Popen, ended
        with the test.
        """
        process = start(*arguments, cwd=cwd or self.folder, env=dict(env or {}, TRANSHUME_FAILPOINT=rule), **options)
        self.addCleanup(self.end, process)
        self.wait_until_stopped(process, may_end)
        return process

    def wait_until(self, what, happened, limit_s=TIME_LIMIT_S):
        deadline = time.monotonic() + limit_s * PATIENCE
        while not happened():
            self.assertLess(time.monotonic(), deadline, "it did not happen: " + what)
            time.sleep(0.005)

    def wait_until_stopped(self, process, may_end=False):
        self.wait_until("it stops", lambda: process.poll() is not None or process_state(process.pid) in "TZ")
        if not may_end and process.poll() is not None:
            self.fail("it ended instead of stopping itself: %r" % (finish(process),))

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()

    def assert_code(self, result, code):
        self.assertEqual(result.code, code, "exit code\n--- stdout\n%s--- stderr\n%s"
                         % (result.out, result.err))

    def assert_same_sqlite(self, expected, found):
        differences = sqlite_differences(expected, found)
        self.assertEqual(differences, [], "\n".join(map(str, differences)))


# --- sample databases

def musicshop(path, *options):
    """Writes the music shop sample: about 16,000 rows, eleven tables."""
    subprocess.run([os.path.join(BUILD, "musicshop"), "--force", *map(str, options), path],
                   check=True)
    return path


def make_sqlite(path, script):
    with sqlite3.connect(path) as db:
        db.executescript(script)
    db.close()
    return path


# --- SQLite

def quoted(name):
    return '"%s"' % name.replace('"', '""')


def open_sqlite(path):
    """Read-only, and text as bytes: a text need not be valid UTF-8 to be compared."""
    db = sqlite3.connect("file:%s?mode=ro" % path.replace("%", "%25").replace("?", "%3f"),
                         uri=True)
    db.text_factory = bytes
    return db


def schema_objects(db):
    """{(type, name): (table, sql)} of everything but the program's own tables."""
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    return {(kind, name): (table, sql) for kind, name, table, sql in rows
            if not name.startswith(b"_transhume_") and not table.startswith(b"_transhume_")}


# SQLite takes 2,000 columns in a result, and a table may have as many.
COLUMNS_AT_ONCE = 500


def table_rows(db, table):
    """Each row as (typeof, value) pairs, generated columns included, in an order of its own."""
    columns = [row[1].decode() for row in db.execute("PRAGMA table_xinfo(%s)" % quoted(table))
               if row[6] != 1]
    # BINARY, whatever the columns collate by: else rows that differ only in case could swap.
    order = ", ".join("typeof(%s), %s COLLATE BINARY" % (quoted(c), quoted(c))
                      for c in columns[:COLUMNS_AT_ONCE])
    parts = []
    for first in range(0, len(columns), COLUMNS_AT_ONCE):
        pairs = ", ".join("typeof(%s), %s" % (quoted(c), quoted(c))
                          for c in columns[first:first + COLUMNS_AT_ONCE])
        parts.append(db.execute("SELECT %s FROM %s ORDER BY %s" % (pairs, quoted(table), order)))
    return parts[0] if len(parts) == 1 else (sum(row, ()) for row in zip(*parts))


def sqlite_differences(expected_path, found_path):
    """What differs between two databases: objects by their SQL, then rows with their types."""
    expected, found = open_sqlite(expected_path), open_sqlite(found_path)
    try:
        return list(itertools.islice(_differences(expected, found), DIFFERENCES_SHOWN_MAX))
    finally:
        expected.close()
        found.close()


def _differences(expected, found):
    wanted, present = schema_objects(expected), schema_objects(found)
    for key in sorted(wanted.keys() | present.keys()):
        if wanted.get(key) != present.get(key):
            yield (key, "object", wanted.get(key), present.get(key))
    for kind, name in sorted(wanted.keys() & present.keys()):
        # Indexes, views and triggers hold no rows, and a virtual table's are in other tables.
        if kind != b"table" or (wanted[kind, name][1] or b"").upper().startswith(b"CREATE VIRTUAL"):
            continue
        table = name.decode()
        for a, b in itertools.zip_longest(table_rows(expected, table), table_rows(found, table)):
            if not _same_row(a, b):
                yield (name, "row", a, b)


def _same_row(a, b):
    # repr tells -0.0 from 0.0 and 1 from 1.0, and a NaN equals itself.
    return a == b and repr(a) == repr(b)


def sqlite_counts(path):
    """{table: rows}, without SQLite's and the program's own tables."""
    db = open_sqlite(path)
    counts = {name.decode(): db.execute("SELECT count(*) FROM %s" % quoted(name.decode()))
              .fetchone()[0]
              for kind, name in schema_objects(db)
              if kind == b"table" and not name.startswith(b"sqlite_")}
    db.close()
    return counts


# --- DynamoDB-JSON folders

def read_lines(path):
    """The lines of a file that may be compressed; by the gzip and zstd commands, not our code."""
    tool = {".gz": ["gzip", "-dc", path], ".zst": ["zstd", "-dcq", path]}.get(os.path.splitext(path)[1])
    if tool:
        data = subprocess.run(tool, stdout=subprocess.PIPE, check=True).stdout
    else:
        with open(path, "rb") as file:
            data = file.read()
    if data and not data.endswith(b"\n"):
        raise AssertionError("%s: its last line has no end" % path)
    # Not splitlines(), which would also split at U+2028 within a text.
    return data.decode("utf-8").split("\n")[:-1]


def read_dynamodb_json(folder):
    """{table: [item, ...]} with attributes as they are typed in the files: {"N": "0.99"} ..."""
    tables = {}
    for table in sorted(os.listdir(folder)):
        if table == "_transhume" or not os.path.isdir(os.path.join(folder, table)):
            continue
        items = tables[table] = []
        for name in sorted(os.listdir(os.path.join(folder, table))):
            if not name.startswith("data-"):
                raise AssertionError("%s/%s is no data file" % (table, name))
            for line in read_lines(os.path.join(folder, table, name)):
                record = json.loads(line, object_pairs_hook=_no_duplicates,
                                    parse_float=decimal.Decimal, parse_int=str)
                if list(record) != ["Item"]:
                    raise AssertionError("%s/%s: a line that is no Item: %.200s"
                                         % (table, name, line))
                items.append(record["Item"])
    return tables


def _no_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise AssertionError("an attribute twice: %s" % names)
    return dict(pairs)


def items_by_key(items, *key):
    """{key text: item}; two items under one key are an error. Key attributes are S, N or B."""
    found = {}
    for item in items:
        name = tuple(next(iter(item[k].values())) for k in key)
        if name in found:
            raise AssertionError("two items with the key %s" % (name,))
        found[name] = item
    return found


def dynamodb_differences(expected, found):
    """What differs between two results of read_dynamodb_json; the order of items does not."""
    differences = []
    for table in sorted(expected.keys() | found.keys()):
        wanted = collections.Counter(map(_canonical, expected.get(table, [])))
        present = collections.Counter(map(_canonical, found.get(table, [])))
        differences += [(table, "missing", text) for text in (wanted - present)]
        differences += [(table, "extra", text) for text in (present - wanted)]
    return differences[:DIFFERENCES_SHOWN_MAX]


def _canonical(item):
    return json.dumps(item, sort_keys=True, ensure_ascii=False, default=str)
