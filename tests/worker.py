"""Runs one unittest module for tests/run and tells of each test as it starts and ends.

    worker.py [--drawn] MODULE-NAME FILE [NAME...]    NAMEs: only tests whose full names hold one of them
                                                      --drawn: of each family of tests one, see one_database_each, and
                                                      of long modules a share, see runner/budgets.py

One JSON object a line on stdout, behind a mark that tells it from what the tests print.
"""
import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
import unittest

from runner import budgets

MARK = "\x1etest\x1e"


def tell(**event):
    sys.stdout.write(MARK + json.dumps(event) + "\n")
    sys.stdout.flush()


def tests_in(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_in(test)
        else:
            yield test


def one_database_each(tests):
    """Of a test that several classes inherit from one with `one_database_each`, that of one of them, drawn by the seed.

    Such classes try one behaviour of the engine in one database each."""
    families = {}
    for test in tests:
        kind = next((kind for kind in type(test).__mro__ if test._testMethodName in vars(kind)), None)
        drawn = getattr(kind, "one_database_each", False)
        families.setdefault((kind, test._testMethodName) if drawn else test.id(), []).append(test)
    for family in families.values():
        family.sort(key=lambda test: type(test).__name__)
        yield random.Random("%s %s" % (os.environ.get("TRANSHUME_SEED"), family[0]._testMethodName)).choice(family)


def processor_seconds():
    """Of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Reached:
    """
    Which failpoints a test passes: while it runs, they are counted in a file of its own beside that of the whole run.
    """

    VARIABLE = "TRANSHUME_FAILPOINT_COUNT"

    def __init__(self):
        self.whole = os.environ.get(self.VARIABLE)
        self.own = "%s.%d" % (self.whole, os.getpid())

    def begin(self):
        if self.whole:
            os.environ[self.VARIABLE] = self.own

    def end(self):
        """Their names. What they are counted in for the whole run has them too, afterwards."""
        if not self.whole:
            return []
        os.environ[self.VARIABLE] = self.whole
        try:
            with open(self.own, encoding="utf-8") as file:
                lines = file.read()
        except FileNotFoundError:
            return []
        os.unlink(self.own)
        with open(self.whole, "a", encoding="utf-8") as file:
            file.write(lines)
        return sorted(set(lines.split()))


class TellingResult(unittest.TestResult):
    def __init__(self, module_name):
        super().__init__()
        self.reached = Reached()
        self.module_name = module_name
        self.start, self.used = time.monotonic(), processor_seconds()
        self.result = None
        self.detail = ""

    def name_of(self, test):
        # test_copy.Class.test_x; or "setUpClass (test_copy.Class)" for what fails around tests.
        return "%s.%s" % (self.module_name, test.id().partition(".")[2] or test.id())

    def startTest(self, test):
        super().startTest(test)
        self.start, self.used = time.monotonic(), processor_seconds()
        self.result, self.detail = "passed", ""
        self.reached.begin()
        tell(event="start", name=self.name_of(test))

    def stopTest(self, test):
        super().stopTest(test)
        self.tell_end(test)

    def tell_end(self, test):
        tell(event="end", name=self.name_of(test), result=self.result, detail=self.detail,
             seconds=round(time.monotonic() - self.start, 3), processor=round(processor_seconds() - self.used, 2),
             reached=self.reached.end())
        self.result = None

    def note(self, test, result, detail):
        if self.result is None:  # outside a test: setUpClass, setUpModule, tearDownClass ...
            self.result, self.detail = result, detail
            self.tell_end(test)
        elif self.result == "failed":
            self.detail += "\n" + detail
        else:
            self.result, self.detail = result, detail

    def addError(self, test, err):
        self.note(test, "failed", self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        self.note(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "failed", "%s\n%s" % (subtest, self._exc_info_to_string(err, test)))

    def addSkip(self, test, reason):
        # A skipped sub-test does not undo what the others found.
        if self.result != "failed":
            self.note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "succeeded, though it was expected to fail")


def main():
    drawn = sys.argv[1] == "--drawn"
    module_name, path, *wanted = sys.argv[2 if drawn else 1:]
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    tests = os.path.dirname(os.path.abspath(__file__))
    sys.path[:0] = [os.path.dirname(os.path.abspath(path)), os.path.join(tests, "system"),
                    os.path.join(tests, "servers"), tests]
    stem = os.path.basename(path)[:-len(".py")]
    result = TellingResult(module_name)
    suite = unittest.defaultTestLoader.loadTestsFromName(stem)
    if wanted:
        suite = unittest.TestSuite(test for test in tests_in(suite)
                                   if any(name in result.name_of(test) for name in wanted))
    if drawn:
        tests = list(one_database_each(tests_in(suite)))
        seed = os.environ.get("TRANSHUME_SEED")
        share = [test for test in tests if budgets.is_drawn(module_name, test.id(), seed)] or tests[:1]
        left = budgets.left_out(module_name, map(result.name_of, share), seed)
        kept = [test for test in share if result.name_of(test) not in left]
        suite = unittest.TestSuite(sorted(kept, key=lambda test: test.id()))
        tell(event="left", of=len(tests), by_share=len(tests) - len(share), long=len(share) - len(kept))
    suite.run(result)
    tell(event="complete")


if __name__ == "__main__":
    main()
