"""Two thousand tables between SQL databases, every second one empty, the others of three rows: what a table costs, whatever is in it."""
import os
import sqlite3

import harness
import sql_servers

NAME = "many_tables"
SECONDS = 30
COLUMNS = {"servers": "(id int NOT NULL PRIMARY KEY, name varchar(40), made timestamp NULL)",
           "sqlite": "(id INTEGER PRIMARY KEY, name TEXT, made TEXT)"}
ROWS = "(1, 'one', '2024-02-29 12:00:00'), (2, NULL, NULL), (3, 'three', '2000-01-01 00:00:00')"


def script(count, columns):
    return "".join("CREATE TABLE t%d %s;" % (number, columns) + ("INSERT INTO t%d VALUES %s;" % (number, ROWS) if number % 2 == 0 else "")
                   for number in range(1, count + 1))


def run(bench):
    yield from sql_servers.run_with(NAME, sql_servers.KINDS, lambda ends: compare(bench, ends, bench.size(2000, 200)))


def compare(bench, ends, count):
    sources = [("SQLite", make_sqlite(bench, count))]
    for end in ends.values():
        end.make("source", script(count, COLUMNS["servers"]))
        sources.append((end.TITLE, end.uri("source")))
    for title, source in sources:
        for target in ends.values():
            yield from measure(bench, title, source, target, count)


def make_sqlite(bench, count):
    """Its URI."""
    path = os.path.join(bench.scratch, "many.db")
    db = sqlite3.connect(path)
    db.executescript("BEGIN;" + script(count, COLUMNS["sqlite"]) + "COMMIT")
    db.close()
    return "sqlite:" + path


def measure(bench, title, source, target, count):
    target.make("target")
    one = bench.measure(bench.migrate(source, target.uri("target")))
    found = target.ask("target", "SELECT %s" % ", ".join("(SELECT count(*) FROM t%d)" % number for number in (1, count - 1, count)))
    if found != [["0", "0", "3"]]:
        raise harness.Failed("%s rows are in the first and the last tables" % found)
    what = "%s to %s, %d tables" % (title, target.TITLE, count)
    yield harness.at_most(NAME, what, one.wall_s, SECONDS * count / 2000, "s", "%.1f")
    yield harness.fact(NAME, "client's processor seconds", "%.2f" % harness.cpu_s(one))
    yield harness.memory(NAME, [one])
