"""
A program whose calls of the C library fail: a library preloaded before it, and what a case must leave behind.

Behind that library stands gcc's leak checker: whatever failed, all memory is given back at the end. `make soak` looks
at each
case, `make test` at some of them.
"""
import atexit
import contextlib
import errno
import functools
import glob
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import matrix
import support
from kill_matrix import dynamodb_item

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failing_calls.c")
LEAKS_EACH = 1 if support.SOAK else 5   # of so many cases one is looked at
LEAKS, STRUCK = "leaks", "struck"   # in a test's folder: what was not given back; a call was made to fail
ANYTHING = (errno.EIO, errno.ENOSPC)


def family(path, parent, child):
    """
    The items that the modules' plans make of parents and children, computed from the source: `parent` and `child` give
    an item's fields, by
    (row, its children in their order) and by (row, its parent).
    """
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        db.row_factory = sqlite3.Row
        parents = {row["id"]: dict(row) for row in db.execute("SELECT * FROM parent")}
        children = [dict(row) for row in db.execute("SELECT * FROM child ORDER BY n, a")]
    items = [{"PK": "P#%d" % id, "SK": "parent", **parent(row,
                                                          [{"a": of["a"], "n": of["n"]} for of in children
                                                           if of["parent_id"] == id])}
             for id, row in parents.items()]
    items += [{"PK": "P#%d" % row["parent_id"], "SK": "C#%s#%d" % (row["a"], row["n"]),
               **child(row, parents[row["parent_id"]])} for row in children]
    return {"family": [dynamodb_item(item) for item in items]}


@functools.cache
def libraries():
    """Paths of the library, made once a process, and of the leak checker."""
    folder = tempfile.mkdtemp(prefix="failing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = os.path.join(folder, "failing_calls.so")
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
                    library, SOURCE, "-ldl"],
                   check=True)
    checker = subprocess.run(["cc", "-print-file-name=liblsan.so"], check=True, stdout=subprocess.PIPE, text=True)
    return library, checker.stdout.strip()


class FailingTestCase(support.TestCase):
    leaks_each = LEAKS_EACH

    def setUp(self):
        super().setUp()
        self.library, self.checker = libraries()
        self.failures = itertools.count()

    def failing(self, call, at, count, number, path=None):
        """The environment in which the calls from `at` on fail; `path`: only on files whose path holds it."""
        checked = at >= 0 and next(self.failures) % self.leaks_each == 0
        return {"LD_PRELOAD": self.library, "FAIL_CALL": call, "FAIL_AT": str(at), "FAIL_COUNT": str(count),
                "FAIL_ERRNO": str(number), "FAIL_PATH": path, "FAIL_STRUCK": self.path(STRUCK),
                **(self.leaks_told() if checked else {})}

    def leaks_told(self):
        """The environment in which what was not given back is told."""
        return {"LD_PRELOAD": "%s:%s" % (self.library, self.checker),
                "LSAN_OPTIONS": "exitcode=0:fast_unwind_on_malloc=0:print_suppressions=0:log_path=" + self.path(LEAKS)}

    def leaks(self):
        """What was told, and is forgotten then."""
        told = ""
        for path in glob.glob(glob.escape(self.path(LEAKS)) + ".*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                told += file.read()
            os.remove(path)
        return told

    @contextlib.contextmanager
    def case(self, pair, fault, **params):
        """A case of the matrix: it struck if a call was made that `failing` was asked to let fail."""
        self.clean(STRUCK)
        with self.subTest(**params), matrix.case(pair, fault) as entry:
            yield
            entry.struck(self.has_struck())
            leaks = self.leaks()
            self.assertFalse(leaks, leaks)

    def has_struck(self):
        return os.path.exists(self.path(STRUCK))

    def calls(self, call, *arguments, path=None, code=0, env=None):
        """How many such calls a run makes in which none fails."""
        report = self.path("report")
        self.run_program(*arguments, code=code, env=dict(env or {}, **self.failing(call, -1, 1, 0, path),
                                                         FAIL_REPORT=report))
        with open(report, encoding="ascii") as file:
            return int(file.read())

    def clean(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)

    def to_the_end(self, *arguments, env=None):
        """Resumes what there is; where nothing was begun, begins."""
        result = support.transhume("resume", *arguments, cwd=self.folder, env=env)
        if result.code == 2 and "run-nothing" in result.err:
            result = support.transhume("migrate", *arguments, cwd=self.folder, env=env)
        self.assert_code(result, 0)

    def repaired(self, *arguments):
        """A repair that failed, taken to its end. What could not be told any more may have been done."""
        result = support.transhume(*arguments, cwd=self.folder)
        if "[run-unfinished]" in result.err or "its journal has to be rolled back" in result.err:
            resumed = support.transhume("resume", cwd=self.folder)
            self.assertTrue(resumed.code == 0
                            or "the run had not begun: run `transhume validate --repair` again" in resumed.err,
                            resumed.err)
            result = support.transhume(*arguments, cwd=self.folder)
        self.assert_code(result, 0)

    def saved(self, *names):
        """
        Gives back how the files and folders of these names stand now, as often as it is called. What is there stays the
        same inode.
        """
        kept = tempfile.mkdtemp(dir=self.folder)
        for name in names:
            self.copy(self.path(name), os.path.join(kept, name))

        def restore():
            for name in names:
                if not os.path.exists(os.path.join(kept, name)):
                    self.clean(name)
                elif os.path.isdir(self.path(name)):
                    self.clean(*(os.path.join(name, inner) for inner in os.listdir(self.path(name))))
                self.copy(os.path.join(kept, name), self.path(name))
        return restore

    @staticmethod
    def copy(path, to):
        if os.path.isdir(path):
            shutil.copytree(path, to, dirs_exist_ok=True)
        elif os.path.exists(path):
            shutil.copyfile(path, to)
