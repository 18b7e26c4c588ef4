"""`schema up` on PostgreSQL: 1,000 files of one table each, beside dbmate (npm dbmate; DBMATE names its program); a start that finds nothing to do."""
import os
import shutil

import harness
import sql_servers

NAME = "schema"
FILES = 1000


def write_files(folder, count):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number in range(1, count + 1):
        with open(os.path.join(folder, "%04d_t.sql" % number), "w", encoding="utf-8") as file:
            file.write("-- migrate:up\nCREATE TABLE t%d (id bigint PRIMARY KEY, v text NOT NULL, w integer);\n-- migrate:down\nDROP TABLE t%d;\n" % (number, number))


def run(bench):
    try:
        server = sql_servers.Postgres()
    except sql_servers.Unavailable as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    try:
        yield from measure(bench, server)
    finally:
        server.stop()


def measure(bench, server):
    folder = os.path.join(bench.scratch, "migrations")
    count = bench.size(FILES, 100)
    write_files(folder, count)
    server.make("ours")
    ours = [bench.program, "schema", "up", server.uri("ours"), "--dir", folder]
    runs = []
    for _ in range(bench.repeat):
        server.make("ours")
        runs.append(bench.measure(ours))
    yield harness.fact(NAME, "%d files" % count, "%.2f s, %.2f s of processor" % (harness.median(runs, harness.wall_s), harness.median(runs, harness.cpu_s)))
    dbmate = os.environ.get("DBMATE") or shutil.which("dbmate")
    if dbmate:
        url = "postgres://postgres@127.0.0.1:%d/theirs?sslmode=disable" % server.server.port
        theirs = []
        for _ in range(bench.repeat):
            server.make("theirs")
            theirs.append(bench.measure([dbmate, "--url", url, "--migrations-dir", folder, "--no-dump-schema", "up"]))
        yield harness.fact(NAME, "%d files by dbmate" % count, "%.2f s" % harness.median(theirs, harness.wall_s))
        yield harness.at_most(NAME, "time of %d files, dbmate's = 1" % count,
                              harness.median(runs, harness.wall_s) / harness.median(theirs, harness.wall_s), 0.5, "")
    else:
        yield harness.fact(NAME, "dbmate", "not installed")
    write_files(folder, 10)
    server.make("ours")
    bench.measure(ours)
    nothing = [bench.measure(ours) for _ in range(21)]
    yield harness.at_most(NAME, "start to \"nothing to do\", 10 files", harness.median(nothing, harness.wall_s) * 1000, 30, "ms", "%.1f")
