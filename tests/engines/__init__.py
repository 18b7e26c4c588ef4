"""What the test suites know about each database: one file here for each, and nothing elsewhere.

A new database is one new file here, plus its entry in tests/contract/main.c (which is C). The file is named like the
scheme of its
URIs, with _ for -, and defines:

    NAME            the scheme of its URIs; also its name in the contract suite and the first part of its failpoints
    SOURCES         the folders of its code; a change there affects its tests
    COMMITS         how it records what is done: "transactions" of its own, a "lease", or "files"
    JOINS, SNAPSHOT whether it can join tables as a source, and whether it can hold a snapshot
    SHAPE           the shape of a record: "tables" (fixed columns), "documents", or "items" (documents under a typed
    key)
    uri(at)         the URI of a place, which is a path, or a server and a name in it
    read(at)        {table: records} in the form of records.py
    write(at, tables, types, draw)
                    the reverse, if the tests can write it without the program
    contents(...)   everything that a place holds, in the form of rows.py (for the kill matrix)
    Holding         what a target holds and what others do to it, as in holding.py (for rollbacks and repairs)

These are optional; `USUAL` has their defaults:

    SERVER, REASONS the module of tests/servers that starts a server, and how the reason begins when a test is skipped
    without it
    IS_SOURCE       whether `write` is there
    PAIRED          whether the suites of pairs draw it
    WORDS           a pattern: a test whose text matches it is about this database
    CONTRACT        its entries in the contract suite, as a pattern; "" means the one of its name
    fit(tables)     removes what the database cannot hold
    column(tag)     the type of a column in a plan, if the plan has to give one
    key(table, draw)
                    the key of a table in a plan, if its columns alone do not say it

The suites choose their pairs of databases here: an ordinary run takes the star and the classes (`pairs`), a soak takes
all pairs.
"""
import importlib
import itertools
import os
import random
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.dirname(HERE)
for folder in ("system", "servers"):
    if os.path.join(TESTS, folder) not in sys.path:
        sys.path.append(os.path.join(TESTS, folder))

SHARED = ("records", "rows", "holding")
# Defaults of the optional names.
USUAL = {"SERVER": None, "REASONS": (), "IS_SOURCE": True, "PAIRED": True, "CONTRACT": "", "fit": lambda tables: tables,
         "column": lambda tag: None,
         "key": lambda table, draw: table.key}
HUB = "sqlite"
# Pairs that an ordinary run draws beside the star and the classes.
DRAWN = 12

_found = {}


def _load():
    for file in sorted(os.listdir(HERE)):
        stem, ending = os.path.splitext(file)
        if ending == ".py" and not stem.startswith("_") and stem not in SHARED:
            engine = importlib.import_module("engines." + stem)
            for name, usual in dict(USUAL, WORDS=r"\b%s[:\"']" % engine.NAME).items():
                if not hasattr(engine, name):
                    setattr(engine, name, usual)
            engine.FILE = "tests/engines/" + file
            _found[engine.NAME] = engine


def all():
    """Every database, by name."""
    return list(_found.values())


def of(name):
    return _found[name]


def class_of(pair):
    """The class of a pair by capability: pairs of one class use the same parts of the program."""
    source, target = pair
    return source.JOINS, source.SNAPSHOT, source.SHAPE == "tables", target.COMMITS, target.SHAPE == "tables"


def commits_of(pair):
    """How the target and the source record what is done."""
    source, target = pair
    return target.COMMITS, source.COMMITS


def one_of_each_class(names, seed):
    """Of pairs of names, one for each class of `commits_of`, drawn by the seed."""
    classes = {}
    for source, target in sorted(names):
        classes.setdefault(commits_of((of(source), of(target))), []).append((source, target))
    return [random.Random("%s %s" % (seed, wanted)).choice(alike) for wanted, alike in sorted(classes.items())]


def all_pairs():
    return [(source, target) for source, target in itertools.product(all(), all()) if source.IS_SOURCE
            and target.PAIRED]


def star():
    """Each database to SQLite and back, and each to the toy."""
    return [(source, target) for source, target in all_pairs() if HUB in (source.NAME, target.NAME)
            or target.NAME == "toy"]


def pairs(seed, wanted=None):
    """
    For an ordinary run: the star, one pair of each class that the star lacks, and DRAWN more by the seed. `wanted`
    limits the choice.
    """
    wanted = all_pairs() if wanted is None else wanted
    draw = random.Random("pairs %s" % seed)
    found = [pair for pair in star() if pair in wanted]
    others = [pair for pair in wanted if pair not in found]
    draw.shuffle(others)
    classes = {class_of(pair) for pair in found}
    for pair in others:
        if class_of(pair) not in classes:
            classes.add(class_of(pair))
            found.append(pair)
    return found + [pair for pair in others if pair not in found][:DRAWN]


_load()
