"""Two thousand tables of three rows each, between SQL databases: what a table costs, whatever is in it."""
import contextlib

import harness
import sql_servers

NAME = "many_tables"
SECONDS = 30
COLUMNS = "(id int NOT NULL PRIMARY KEY, name varchar(40), made timestamp NULL)"
ROWS = "(1, 'one', '2024-02-29 12:00:00'), (2, NULL, NULL), (3, 'three', '2000-01-01 00:00:00')"


def run(bench):
    count = bench.size(2000, 200)
    tables = ["t%d" % number for number in range(1, count + 1)]
    script = "".join("CREATE TABLE %s %s; INSERT INTO %s VALUES %s;" % (table, COLUMNS, table, ROWS) for table in tables)
    with contextlib.ExitStack() as stack:
        ends = {}
        for kind, end in sql_servers.KINDS.items():
            try:
                ends[kind] = end()
            except sql_servers.Unavailable as reason:
                yield harness.fact(NAME, "not measured: " + kind, str(reason))
                continue
            stack.callback(ends[kind].stop)
            ends[kind].make("source", script)
        for source in ends.values():
            for target in ends.values():
                yield from measure(bench, source, target, tables)


def measure(bench, source, target, tables):
    target.make("target")
    one = bench.measure(bench.migrate(source.uri("source"), target.uri("target")))
    last = target.ask("target", "SELECT count(*) FROM %s" % tables[-1])
    if last != [["3"]]:
        raise harness.Failed("%s rows are in the last table" % last)
    what = "%s to %s, %d tables" % (source.TITLE, target.TITLE, len(tables))
    yield harness.at_most(NAME, what, one.wall_s, SECONDS * len(tables) / 2000, "s", "%.1f")
    yield harness.fact(NAME, "client's processor seconds", "%.2f" % harness.cpu_s(one))
    yield harness.memory(NAME, [one])
