"""Two million rows and twenty million between SQL databases: the memory, and how much more time. Each target is the next one's source."""
import harness
import sql_servers

NAME = "growth_servers"
STEPS = [("SQLite", "postgres"), ("PostgreSQL", "postgres"), ("PostgreSQL", "mysql"), ("MariaDB", "mysql"), ("MariaDB", "postgres")]


def run(bench):
    yield from sql_servers.run_with(NAME, sql_servers.KINDS, lambda ends: compare(bench, ends, bench.size(2000000, 50000)))


def compare(bench, ends, few):
    small, large = copy_around(bench, ends, few), copy_around(bench, ends, 10 * few)
    for (source, kind), one, ten in zip(STEPS, small, large):
        pair = "%s to %s" % (source, ends[kind].TITLE)
        yield harness.at_most(NAME, "%s, %s rows: peak resident memory" % (pair, "{:,}".format(10 * few)), harness.peak_mib([ten]),
                              harness.MEMORY_MARK_MIB, "MiB", "%.1f")
        yield harness.fact(NAME, "%s: peak resident memory of a tenth of them" % pair, "%.1f MiB" % harness.peak_mib([one]))
        for figure, of in (("wall", harness.wall_s), ("client's processor", harness.cpu_s)):
            yield harness.fact(NAME, "%s: %s seconds, of a tenth" % (pair, figure), "%.2f, %.2f: %.2f x" % (
                of(ten), of(one), of(ten) / of(one)))


def copy_around(bench, ends, rows):
    """A run of each step; what has been copied on is emptied, since the disk holds few of them."""
    source, runs, done = "sqlite:" + bench.flat(rows), [], None
    for number, (_, kind) in enumerate(STEPS):
        target, name = ends[kind], "step%d" % number
        target.make(name)
        runs.append(bench.measure(bench.migrate(source, target.uri(name))))
        if target.ask(name, "SELECT count(*) FROM t") != [[str(rows)]]:
            raise harness.Failed("not all of %d rows have arrived in %s" % (rows, target.TITLE))
        if done is not None:
            done[0].make(done[1])
        source, done = target.uri(name), (target, name)
    return runs
