"""A table of `distinct` records out of SQLite: 100,000 records of 5,000 keys, each key once in the target, by one job and by four."""
import os
import sqlite3

import harness
import sql_servers

NAME = "distinct"
SECONDS = 15   # no peer does it; this only guards against a return of the minutes that it once took
PLAN = """transhume: 1
source: %s
target: %s
tables:
  countries:
    key: [name]
    entities: { countries: { from: shop, distinct: true, fields: { name: copy, dial: copy } } }
"""


def run(bench):
    yield from sql_servers.run_with(NAME, sql_servers.KINDS, lambda ends: compare(bench, ends, bench.size(100000, 10000)))


def compare(bench, ends, count):
    source = make_sqlite(bench, count)
    for end in ends.values():
        plan = os.path.join(bench.scratch, "distinct.yaml")
        with open(plan, "w", encoding="utf-8") as file:
            file.write(PLAN % (source, end.uri("target")))
        for jobs in (1, 4):
            runs = [copy(bench, end, plan, jobs, count) for _ in range(bench.repeat)]
            yield harness.at_most(NAME, "into %s, jobs: %d" % (end.TITLE, jobs), harness.median(runs, harness.wall_s), SECONDS, "s")
            yield harness.fact(NAME, "client's processor seconds", "%.2f" % harness.median(runs, harness.cpu_s))
            yield harness.memory(NAME, runs)


def make_sqlite(bench, count):
    """Its URI."""
    path = os.path.join(bench.scratch, "distinct.db")
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, name VARCHAR(40), dial INTEGER)")
    keys = count // 20
    db.executemany("INSERT INTO shop (name, dial) VALUES (?, ?)", (("country %d" % key, key) for key in (
        number * 7919 % keys for number in range(count))))
    db.commit()
    db.close()
    return "sqlite:" + path


def copy(bench, end, plan, jobs, count):
    end.make("target")
    one = bench.measure(bench.migrate("--plan", plan, "--jobs", jobs, "--chunk-rows", count // 20))
    found = end.ask("target", "SELECT count(*), count(DISTINCT dial) FROM countries")
    if found != [[str(count // 20)] * 2]:
        raise harness.Failed("%s records and keys are in %s" % (found, end.TITLE))
    return one
