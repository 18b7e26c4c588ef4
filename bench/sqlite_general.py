"""SQLite to SQLite with a plan that maps a column, so that every row goes through the program."""
import sqlite_copy

NAME = "sqlite_general"


def run(bench):
    rows = bench.size(2000000, 200000)
    source = bench.flat(rows)
    peer, ours = bench.alternate(
        [bench.tool("attachcopy"), source, "{folder}/copy.db", "t"],
        bench.migrate("--plan", bench.plans + "/general.yaml", "sqlite:" + source,
                      "sqlite:{folder}/copy.db"))
    bench.expect_sqlite_rows(rows)
    yield from sqlite_copy.compare(NAME, ours, peer, 2.0)
