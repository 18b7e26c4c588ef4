"""`schema up` on PostgreSQL: 1,000 files of one table each, beside dbmate (npm dbmate; DBMATE names its program); a start that finds nothing to do.

Tables with an index say less of the two programs: the server syncs the file of each index that it makes, whoever asks."""
import os
import shutil

import harness
import sql_servers

NAME = "schema"
FILES = 1000
PLAIN = "CREATE TABLE t%d (id bigint, w integer);"
KEYED = "CREATE TABLE t%d (id bigint PRIMARY KEY, v text NOT NULL, w integer);"


def write_files(folder, count, table):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number in range(1, count + 1):
        with open(os.path.join(folder, "%04d_t.sql" % number), "w", encoding="utf-8") as file:
            file.write("-- migrate:up\n%s\n-- migrate:down\nDROP TABLE t%d;\n" % (table % number, number))


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
    ours = [bench.program, "schema", "up", server.uri("ours"), "--dir", folder]
    dbmate = os.environ.get("DBMATE") or shutil.which("dbmate")
    url = "postgres://postgres@127.0.0.1:%d/theirs?sslmode=disable" % server.server.port
    theirs = [dbmate, "--url", url, "--migrations-dir", folder, "--no-dump-schema", "up"]
    for table, what in ((PLAIN, "a plain table"), (KEYED, "a table with a key and a text")):
        write_files(folder, count, table)
        runs = [[], []]
        for _ in range(bench.repeat):
            server.make("ours")
            runs[0].append(bench.measure(ours))
            if dbmate:
                server.make("theirs")
                runs[1].append(bench.measure(theirs))
        seconds = [harness.median(side, harness.wall_s) if side else None for side in runs]
        yield harness.fact(NAME, "%d files of %s" % (count, what), "%.2f s, %.2f s of processor" % (seconds[0], harness.median(runs[0], harness.cpu_s)))
        if dbmate:
            yield harness.fact(NAME, "the same by dbmate", "%.2f s" % seconds[1])
        if dbmate and table == PLAIN:
            yield harness.at_most(NAME, "time, dbmate's = 1", seconds[0] / seconds[1], 0.5, "")
    if not dbmate:
        yield harness.fact(NAME, "dbmate", "not installed")
    write_files(folder, 10, PLAIN)
    server.make("ours")
    bench.measure(ours)
    nothing = [bench.measure(ours) for _ in range(21)]
    yield harness.at_most(NAME, "start to \"nothing to do\", 10 files", harness.median(nothing, harness.wall_s) * 1000, 30, "ms", "%.1f")
