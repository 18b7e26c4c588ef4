"""Values of 1 MiB and of 100 MiB, text and bytes, between SQL databases: peak memory beside what docs/guarantees.md and docs/limits.md tell."""
import os
import sqlite3

import harness
import sql_servers

NAME = "large_values"
MIB = 1 << 20
JOBS, QUEUE_MIB = 2, 4
PLAIN_MIB = 64
# what a source's slices are at most, in MiB
SLICES = {"sqlite": 1, "postgres": 4, "mysql": 8}
# a pair: source, target, options, and how often a row is in memory where it goes whole, or None where it goes in slices
PAIRS = [
    ("sqlite", "postgres", [], None),
    ("sqlite", "mysql", [], None),
    ("postgres", "postgres", ["--no-express"], None),
    ("postgres", "postgres", [], 4.5),
    ("postgres", "mysql", [], None),
    ("mysql", "mysql", ["--no-express"], None),
    ("mysql", "mysql", [], 3),
    ("mysql", "postgres", [], None),
]
TABLES = {"postgres": "CREATE TABLE big (id int PRIMARY KEY, t text, b bytea); ALTER TABLE big ALTER t SET STORAGE EXTERNAL, "
                      "ALTER b SET STORAGE EXTERNAL",
          "mysql": "CREATE TABLE big (id int PRIMARY KEY, t longtext CHARACTER SET utf8mb4, b longblob)"}
TOLD = "SELECT count(*), sum(octet_length(t)), sum(octet_length(b)) FROM big"
SETTINGS = {"mysql": {"max-allowed-packet": "1G"}}


def run(bench):
    yield from sql_servers.run_with(NAME, sql_servers.KINDS, lambda ends: compare(bench, ends), SETTINGS)


def compare(bench, ends):
    for count, bytes_each in ((bench.size(1000, 100), MIB), (bench.size(10, 2), bench.size(100, 40) * MIB)):
        sources = {"sqlite": make_sqlite(bench, count, bytes_each)}
        for kind, end in ends.items():
            end.make("source", TABLES[kind])
            bench.measure(bench.migrate("--existing", "append", "--jobs", "1", sources["sqlite"], end.uri("source")))
            sources[kind] = end.uri("source")
        for source, kind, options, held in PAIRS:
            bound = bound_mib(2 * SLICES[source] if held is None else held * bytes_each / MIB)
            yield copy(bench, sources[source], ends[kind], options, (count, bytes_each), "%s to %s%s" % (
                "SQLite" if source == "sqlite" else ends[source].TITLE, ends[kind].TITLE,
                " by the general way" * bool(options)), bound)
        os.remove(sources["sqlite"].partition(":")[2])


def bound_mib(value_mib):
    """`value_mib`: of a job's large value."""
    return PLAIN_MIB + JOBS * (QUEUE_MIB + value_mib)


def make_sqlite(bench, count, bytes_each):
    """Its URI: texts of two-byte letters in even rows, bytes in odd ones."""
    path = os.path.join(bench.scratch, "big-%d.db" % count)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT, b BLOB)")
    for number in range(count):
        value = bytes([number % 251, 0, 255, 10]) * (bytes_each // 4) if number % 2 else "\u00e9" * (bytes_each // 2)
        db.execute("INSERT INTO big VALUES (?, ?, ?)", (number, None, value) if number % 2 else (number, value, None))
        db.commit()
    db.close()
    return "sqlite:" + path


def copy(bench, source, target, options, size, what, bound):
    count, bytes_each = size
    target.make("target")
    one = bench.measure(bench.migrate("--jobs", JOBS, *options, source, target.uri("target")))
    told = target.ask("target", TOLD)
    if told != [[str(count), str((count + 1) // 2 * bytes_each), str(count // 2 * bytes_each)]]:
        raise harness.Failed("%s: %s is not what has gone in" % (what, told))
    return harness.at_most(NAME, "%s, {:,} values of %d MiB in %.1f s: peak resident memory".format(count) % (
        what, bytes_each // MIB, one.wall_s), harness.peak_mib([one]), bound, "MiB", "%.1f")
