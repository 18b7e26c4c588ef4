"""The fault matrix: which faults strike, in words, and the book that each case is entered in.

    with matrix.case(pair, "kill") as entry:
        ...the fault, the resume, the comparison of contents...
        entry.struck(result.code == -9)

A case that raises is entered as failed; one whose run had ended before the fault could strike, as missed; each has to
tell which it was. tests/run names the book and counts it at its end; tests/faults/tell
sums it up.
"""
import contextlib
import json
import os

# fault: what is done, in words; the page has them in this order.
FAULTS = {
    "kill": "`kill -9` at a failpoint",
    "kill-instant": "`kill -9` at an instant taken at random",
    "kill-twice": "`kill -9` at a failpoint, and again during the resume",
    "kill-resume": "`kill -9` at a failpoint that only a resume reaches",
    "kill-repair": "`kill -9` during `validate --repair`, and again during its resume",
    "kill-rollback": "`kill -9` during `rollback`, and again while it goes on",
    "stop": "`SIGSTOP`, a take-over or a refused second process, then `SIGCONT`",
    "network": "network and server faults: cut, slow, wrong, refused, throttled",
    "restart": "the server ended and started again",
    "call": "a system call that fails",
    "ledger": "a ledger dropped, cut, edited, of a newer format",
    "folder": "a folder that is read-only or vanishes",
    "changed": "a source or target changed under the run",
}
MISSED = "missed"   # no fault at all: it is counted by itself
BOOK = os.environ.get("TRANSHUME_CASES")


def enter(pair, fault, passed=True):
    if fault not in FAULTS and fault != MISSED:
        raise KeyError("matrix.FAULTS has no %s" % fault)
    if BOOK:
        with open(BOOK, "a", encoding="utf-8") as file:
            file.write(json.dumps([pair, fault, passed, os.environ.get("TEST_MODULE", "")]) + "\n")


class Entry:
    def __init__(self, fault):
        self.fault = fault
        self.told = False

    def struck(self, did):
        self.told = True
        if not did:
            self.fault = MISSED


@contextlib.contextmanager
def case(pair, fault):
    entry = Entry(fault)
    try:
        yield entry
        if not entry.told:
            raise AssertionError("a case of %s does not tell whether it struck" % fault)
    except BaseException:
        enter(pair, fault, False)
        raise
    enter(pair, entry.fault)


# Tests whose names do not say their pair.
NAMES = {"sqlite": "sqlite to sqlite", "sqlite to sqlite general path": "sqlite to sqlite (general path)",
         "dynamodb-json": "sqlite to dynamodb-json (plan)", "back to sqlite": "dynamodb-json to sqlite (plan)",
         "to jsonl": "sqlite to jsonl", "from jsonl": "jsonl to sqlite",
         "chinook to dynamodb-json": "sqlite to dynamodb-json (plan)"}


def pair_of(test):
    """The pair that a test is of, by its name: test_sqlite_to_csv -> "sqlite to csv"."""
    words = test.id().split(".")[-1].replace("test_", "").replace("_", " ").replace("dynamodb json", "dynamodb-json")
    return NAMES.get(words, words)
