"""Between SQL databases, beside their servers' own means and other tools, each into a database made for it.

Real servers at their defaults, fsync on, with the key in place on every side. A peer that is not installed is left out, and said so.
"""
import collections
import contextlib
import os
import shutil

import harness
import sql_servers

ROWS, ROWS_QUICK = 2000000, 50000

# words: the command; script: makes what it needs in `target`; table: where its rows arrive; mark_time, mark_cpu: most of its, or None
Peer = collections.namedtuple("Peer", "name program words script table mark_time mark_cpu")


def shell(name, program, line, script="", table="t", mark_time=None, mark_cpu=None):
    return Peer(name, program, ["sh", "-c", line], script, table, mark_time, mark_cpu)


def sluice(source, target, mark_time=None, mark_cpu=None):
    """`source`, `target`: (driver, place)."""
    return shell("sluice", "sluice", "sluice migrate --no-progress --source-driver %s --source '%s' --target-driver %s --target '%s'" % (
        *source, *target), mark_time=mark_time, mark_cpu=mark_cpu)


class Pair:
    """From one kind of database into another; `peers` tells what beside."""
    NAME = SOURCE = TARGET = ""

    def run(self, bench):
        with contextlib.ExitStack() as stack:
            try:
                ends = {kind: sql_servers.KINDS[kind]() for kind in {self.SOURCE, self.TARGET} - {"sqlite"}}
            except sql_servers.Unavailable as reason:
                yield harness.fact(self.NAME, "not measured", str(reason))
                return
            for end in ends.values():
                stack.callback(end.stop)
            yield from self.compare(bench, ends, bench.size(ROWS, ROWS_QUICK))

    def compare(self, bench, ends, count):
        target = ends[self.TARGET]
        source = self.make_source(bench, ends, count)
        ours = Peer("ours", bench.program, bench.migrate(source, target.uri("target")), "", "t", None, None)
        peers = []
        for peer in self.peers(bench, ends, count):
            if shutil.which(peer.program):
                peers.append(peer)
            else:
                yield harness.fact(self.NAME, peer.name, "left out: there is no %s in the PATH" % peer.program)
        runs, failed = self.measure(bench, target, [ours, *peers], count)
        for number, reason in failed.items():
            yield harness.fact(self.NAME, peers[number - 1].name, "failed, %d times of %d, the last with: %s" % (
                bench.repeat - len(runs[number]), bench.repeat, reason))
        ran = [number for number, its in enumerate(runs) if its and number > 0]
        yield from self.tell([peers[number - 1] for number in ran], [runs[0], *(runs[number] for number in ran)])

    def make_source(self, bench, ends, count):
        """Its URI."""
        if self.SOURCE == "sqlite":
            return "sqlite:" + bench.flat(count)
        ends[self.SOURCE].fill("source", sql_servers.write_lines(bench, count))
        return ends[self.SOURCE].uri("source")

    def peers(self, bench, ends, count):
        raise NotImplementedError

    def measure(self, bench, target, commands, count):
        """Runs in turn: a list of runs for each, and why those failed that did: of peers, never of ours."""
        runs, failed = [[] for _ in commands], {}
        for _ in range(bench.repeat):
            for number, (command, its_runs) in enumerate(zip(commands, runs)):
                target.make("target", command.script)
                try:
                    its_runs.append(self.run_once(bench, target, command, count))
                except harness.Failed as failure:
                    if number == 0:
                        raise
                    failed[number] = str(failure).strip().rpartition("\n")[2]
        return runs, failed

    def run_once(self, bench, target, command, count):
        run = bench.measure(command.words)
        found = target.ask("target", "SELECT count(*) FROM " + command.table)
        if found != [[str(count)]]:
            raise harness.Failed("%s: %s rows have arrived, not %d" % (command.name, found, count))
        return run

    def tell(self, peers, runs):
        ours, *others = runs
        for peer, its in zip(peers, others):
            for figure, of, mark in (("time against " + peer.name, harness.wall_s, peer.mark_time),
                                     ("client's processor time against it", harness.cpu_s, peer.mark_cpu)):
                ratio = harness.median(ours, of) / harness.median(its, of)
                if mark is None:
                    yield harness.fact(self.NAME, figure, "%.2f x" % ratio)
                else:
                    yield harness.at_most(self.NAME, figure, ratio, mark, "x", "%.3f" if mark < 0.2 else "%.2f")
        names = ", ".join(["ours", *(peer.name for peer in peers)])
        for figure, of, form in (("wall seconds", harness.wall_s, "%.2f"), ("client's processor seconds", harness.cpu_s, "%.2f")):
            yield harness.fact(self.NAME, "%s: %s" % (figure, names), ", ".join(
                form % harness.median(its, of) for its in runs))
        yield harness.fact(self.NAME, "largest process, MiB: " + names, ", ".join(
            "%.0f" % harness.peak_mib(its) for its in runs))
        yield harness.memory(self.NAME, ours)


class SqliteToPostgres(Pair):
    NAME, SOURCE, TARGET = "sqlite_to_postgres", "sqlite", "postgres"

    def peers(self, bench, ends, count):
        target, source = ends["postgres"], bench.flat(count)
        file = os.path.join(bench.scratch, "t.bin")
        target.make("target")
        bench.measure(bench.migrate("sqlite:" + source, target.uri("target")))
        target.keep("target", file)
        yield shell("binary COPY of a ready file", "psql", target.client("target", "\\copy t from '%s' (format binary)" % file),
                    target.TABLE_OF_SQLITE, mark_time=1.0)
        yield shell("pgloader", "pgloader", "pgloader --quiet sqlite://%s %s" % (source, target.peer_uri("target")),
                    mark_time=1 / 4.5, mark_cpu=1 / 8)
        yield sluice(("sqlite", source), target.sluice("target"), mark_time=1 / 4.5)


class PostgresToPostgres(Pair):
    NAME, SOURCE, TARGET = "postgres_to_postgres", "postgres", "postgres"

    def peers(self, bench, ends, count):
        server = ends["postgres"]
        source, target = server.peer_uri("source"), server.peer_uri("target")
        yield sluice(server.sluice("source"), server.sluice("target"), mark_time=1 / 1.4)
        yield shell("a pipe of two binary COPYs", "psql", "%s | %s" % (
            server.client("source", "\\copy t to stdout (format binary)"),
            server.client("target", "\\copy t from stdin (format binary)")), server.TABLE, mark_time=1.0)
        yield shell("pgcopydb", "pgcopydb", "pgcopydb clone --source %s --target %s --dir {folder}/work --table-jobs 2 --index-jobs 2 "
                    "--not-consistent --no-acl --no-owner" % (source, target), mark_time=1 / 1.4)
        yield shell("pg_dump and pg_restore of two jobs", "pg_restore", "pg_dump -Fd -j2 -Z0 -f {folder}/dump %s && "
                    "pg_restore -j2 -d %s {folder}/dump" % (source, target))


class PostgresToMysql(Pair):
    NAME, SOURCE, TARGET = "postgres_to_mysql", "postgres", "mysql"

    def peers(self, bench, ends, count):
        target = ends["mysql"]
        load = target.load(sql_servers.write_lines(bench, count))
        yield shell("LOAD DATA LOCAL of a ready file", "mariadb", target.client("target", load), target.TABLE, mark_time=0.9)
        yield sluice(ends["postgres"].sluice("source"), target.sluice("target"), mark_cpu=1 / 4)


class MysqlToMysql(Pair):
    NAME, SOURCE, TARGET = "mysql_to_mysql", "mysql", "mysql"

    def peers(self, bench, ends, count):
        account = ends["mysql"].account
        yield sluice(ends["mysql"].sluice("source"), ends["mysql"].sluice("target"), mark_time=1 / 1.2, mark_cpu=1 / 4)
        yield shell("mydumper and myloader of two threads", "myloader", "%s -B source -t 2 -r 250000 -o {folder}/dump && "
                    "%s -B target -t 2 -d {folder}/dump" % (account("mydumper"), account("myloader")), mark_time=1 / 1.2)
        yield shell("mariadb-dump and mariadb by a pipe", "mariadb-dump", "%s source | %s target" % (
            account("mariadb-dump --no-defaults --single-transaction --quick"), account("mariadb --no-defaults")))


class MysqlToPostgres(Pair):
    NAME, SOURCE, TARGET = "mysql_to_postgres", "mysql", "postgres"

    def peers(self, bench, ends, count):
        yield shell("pgloader", "pgloader", "pgloader --quiet %s %s" % (
            ends["mysql"].peer_uri("source"), ends["postgres"].peer_uri("target")), table="source.t",
            mark_time=1 / 3, mark_cpu=1 / 8)
        yield sluice(ends["mysql"].sluice("source"), ends["postgres"].sluice("target"), mark_time=1 / 3)


BENCHES = [SqliteToPostgres(), PostgresToPostgres(), PostgresToMysql(), MysqlToMysql(), MysqlToPostgres()]
