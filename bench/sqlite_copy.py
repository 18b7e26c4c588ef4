"""A plain copy, SQLite to SQLite, against INSERT ... SELECT through ATTACH: see tools/attachcopy.c."""
import harness

NAME = "sqlite_copy"


def run(bench):
    rows = bench.size(2000000, 200000)
    source = bench.flat(rows)
    peer, ours = bench.alternate(
        [bench.tool("attachcopy"), source, "{folder}/copy.db", "t"],
        bench.migrate("sqlite:" + source, "sqlite:{folder}/copy.db"))
    bench.expect_sqlite_rows(rows)
    yield from compare(NAME, ours, peer, 1.6)


def compare(name, ours, peer, mark):
    """Rows of a comparison with attachcopy; the mark is on wall time."""
    ratio = harness.median(ours, harness.wall_s) / harness.median(peer, harness.wall_s)
    yield harness.at_most(name, "time against INSERT ... SELECT", ratio, mark, "x")
    ratio = harness.median(ours, harness.cpu_s) / harness.median(peer, harness.cpu_s)
    yield harness.fact(name, "processor time against it", "%.2f x" % ratio)
    yield harness.fact(name, "wall seconds, ours and its", "%.2f, %.2f" % (
        harness.median(ours, harness.wall_s), harness.median(peer, harness.wall_s)))
    yield harness.memory(name, ours)
