"""One flat table of nine columns from SQLite into Parquet, beside DuckDB doing the same with its reader of SQLite, and back.

DuckDB (PyPI) comes from the cache of test servers; without it, or in a build without Parquet, there is no figure.
"""
import glob
import os
import subprocess
import sys

import harness

NAME = "parquet"
sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
COPY = """import duckdb, glob, sys
extension, = glob.glob(sys.argv[1] + '/lib/python3*/site-packages/duckdb_ext/extensions/*/*/sqlite_scanner.duckdb_extension')
db = duckdb.connect(config={'allow_unsigned_extensions': 'true'})
db.execute("LOAD '%s'" % extension)
db.execute("SET threads = 2")
db.execute("ATTACH '%s' AS s (TYPE sqlite, READ_ONLY)" % sys.argv[2])
db.execute("COPY s.t TO '%s' (FORMAT parquet, COMPRESSION zstd)" % sys.argv[3])
"""
SAME = """import duckdb, sys
count, total = duckdb.execute("SELECT count(*), sum(price) FROM read_parquet(?)", [sys.argv[1]]).fetchone()
print(count, total)
"""


def run(bench):
    import cache
    if not os.path.exists(bench.tool("parquet.so")):
        yield harness.fact(NAME, "not measured", "this build has no Parquet")
        return
    try:
        home = os.path.normpath(os.path.join(os.path.dirname(cache.get("parquet-hands")), "..", "..", "..", ".."))
    except cache.Unavailable as fault:
        yield harness.fact(NAME, "not measured", str(fault))
        return
    python = os.path.join(home, "bin", "python")
    rows = bench.size(2000000, 200000)
    source = bench.flat(rows)
    peer, ours = bench.alternate([python, "-c", COPY, home, source, "{folder}/t.parquet"],
                                 bench.migrate("sqlite:" + source, "parquet:{folder}/out"))
    expect_rows(bench, python, rows)
    ratio = harness.median(peer, harness.wall_s) / harness.median(ours, harness.wall_s)
    yield harness.Row(NAME, "sqlite to parquet, speed against DuckDB's", "%.2f x" % ratio, ">= 1.00 x", ratio >= 1)
    yield harness.fact(NAME, "wall seconds, ours and its", "%.2f, %.2f" % (
        harness.median(ours, harness.wall_s), harness.median(peer, harness.wall_s)))
    yield harness.fact(NAME, "processor seconds, ours and its", "%.2f, %.2f" % (
        harness.median(ours, harness.cpu_s), harness.median(peer, harness.cpu_s)))
    yield harness.memory(NAME, ours)
    yield harness.fact(NAME, "its peak resident memory", "%.0f MiB" % harness.peak_mib(peer))
    yield from back(bench, source, rows)


def expect_rows(bench, python, rows):
    """By DuckDB, of the last command's files."""
    said = subprocess.run([python, "-c", SAME, os.path.join(bench.scratch, "run", "out", "t", "*.parquet")],
                          check=True, stdout=subprocess.PIPE).stdout.decode().split()
    if int(said[0]) != rows:
        raise harness.Failed("%s rows are in the files, not %d" % (said[0], rows))


def back(bench, source, rows):
    """Out of Parquet, beside the same out of SQLite."""
    folder = os.path.join(bench.scratch, "parquet")
    subprocess.run([bench.program, "migrate", "--state", os.path.join(bench.scratch, "parquet-state"), "--quiet", "sqlite:" + source,
                    "parquet:" + folder], check=True)
    bytes_ = sum(map(os.path.getsize, glob.glob(os.path.join(folder, "t", "*.parquet"))))
    yield harness.fact(NAME, "bytes of the files against SQLite's", "%.2f x" % (bytes_ / os.path.getsize(source)))
    parquet, sqlite = bench.alternate(bench.migrate("parquet:" + folder, "sqlite:{folder}/copy.db"),
                                      bench.migrate("--no-express", "sqlite:" + source, "sqlite:{folder}/copy.db"))
    bench.expect_sqlite_rows(rows)
    yield harness.fact(NAME, "parquet to sqlite, wall seconds; sqlite to sqlite", "%.2f; %.2f" % (
        harness.median(parquet, harness.wall_s), harness.median(sqlite, harness.wall_s)))
    yield harness.memory(NAME, parquet)
