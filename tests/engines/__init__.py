"""What the test suites know of each database: one file here a database, and nothing about it elsewhere.

A new database is one new file here, and its entry in tests/contract/main.c, which is C. The file is named as its URIs begin, with _
for -, and has

    NAME            as URIs begin, the contract suite calls it, and failpoints begin
    SOURCES         folders that it is made of: what changes there touches its tests
    COMMITS         how it remembers what was done: "transactions" of its own, by a "lease", or in "files"
    JOINS, SNAPSHOT whether as a source it can join tables, and holds a snapshot
    SHAPE           of a record: "tables" (fixed columns), "documents", or "items" (documents under a typed key)
    uri(at)         of a place: a path, or a server and a name in it
    read(at)        {table: records} as records.py has them; and write(at, tables, types, draw) where it can be a source
    contents(...)   all that a place holds as rows.py has it, where the kill matrix needs it
    Holding         what a target holds and others do to it as holding.py has it, where runs into it can be taken back

and, where the usual is wrong for it (`USUAL` below),

    SERVER, REASONS the module of tests/servers that starts one, and how the reason of a test begins that is skipped without it
    IS_SOURCE       whether tests can write a source of it without the program
    WORDS           a pattern: a test that has it in its text is about this database
    fit(tables)     leaves out what it can't hold
    column(tag)     the type of a column in a plan, where a plan has to say it

The suites draw their pairs of databases here: the star and the classes of `pairs` in an ordinary run, all of them in a soak.
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
# What a database needs no word about that is as most are.
USUAL = {"SERVER": None, "REASONS": (), "IS_SOURCE": True, "fit": lambda tables: tables, "column": lambda tag: None}
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
    """What two databases can do together: pairs of one class take the same ways through the program."""
    source, target = pair
    return source.JOINS, source.SNAPSHOT, source.SHAPE == "tables", target.COMMITS, target.SHAPE == "tables"


def commits_of(pair):
    """The way in which two databases remember what was done, the target's before the source's."""
    source, target = pair
    return target.COMMITS, source.COMMITS


def one_of_each_class(names, seed):
    """Of pairs of names, one for each way of remembering what was done, drawn by the seed."""
    classes = {}
    for source, target in sorted(names):
        classes.setdefault(commits_of((of(source), of(target))), []).append((source, target))
    return [random.Random("%s %s" % (seed, wanted)).choice(alike) for wanted, alike in sorted(classes.items())]


def all_pairs():
    return [(source, target) for source, target in itertools.product(all(), all()) if source.IS_SOURCE]


def star():
    """Each database to SQLite and back, and each to the toy."""
    return [(source, target) for source, target in all_pairs() if HUB in (source.NAME, target.NAME) or target.NAME == "toy"]


def pairs(seed, wanted=None):
    """For an ordinary run: the star, one pair of each class that is not in it, and some more by the seed. `wanted`: of these."""
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
