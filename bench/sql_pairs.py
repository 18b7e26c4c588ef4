"""Between SQL databases, beside their servers' own means and other tools, each into a database made for it.

Real servers at their defaults, fsync on, with the key in place on every side. A peer that is not installed is left out, and said so.
"""
import os
import shutil

import harness
import sql_servers
from sql_peers import Chameleon, Peer, ingestr, pgloader, shell, sling, sluice

ROWS, ROWS_QUICK = 2000000, 50000
SLOW = 8   # times our time: what takes longer is run once, since no second run would change a verdict
FAILURES_MAX = 2   # of a peer that never succeeds


class Pair:
    """From one kind of database into another; `peers` tells what beside."""
    NAME = SOURCE = TARGET = ""
    FASTEST = None    # most of the time of the fastest of the rivals, if a mark is about them
    SETTINGS = {}     # of its servers, by kind

    def run(self, bench):
        yield from sql_servers.run_with(self.NAME, {self.SOURCE, self.TARGET} - {"sqlite", "csv"}, lambda ends: self.compare(
            bench, ends, bench.size(ROWS, ROWS_QUICK)), self.SETTINGS)

    def compare(self, bench, ends, count):
        self.arrived = {}
        target = ends[self.TARGET]
        source = self.make_source(bench, ends, count)
        ours = Peer("ours", bench.program, self.ours(bench, source, target.uri("target")))
        peers = []
        for peer in self.peers(bench, ends, count):
            if shutil.which(peer.program):
                peers.append(peer)
            else:
                yield harness.fact(self.NAME, peer.name, "left out: there is no %s in the PATH" % peer.program)
        runs, failed = self.measure(bench, target, [ours, *peers], count)
        for number, (times, reason) in failed.items():
            yield harness.fact(self.NAME, peers[number - 1].name, "failed, %d times of %d, the last with: %s" % (
                times, times + len(runs[number]), reason))
        ran = [number for number, its in enumerate(runs) if its and number > 0]
        yield from self.tell([peers[number - 1] for number in ran], [runs[0], *(runs[number] for number in ran)])

    def make_source(self, bench, ends, count):
        """Its URI."""
        if self.SOURCE == "sqlite":
            return "sqlite:" + bench.flat(count)
        ends[self.SOURCE].fill("source", sql_servers.write_lines(bench, count))
        return ends[self.SOURCE].uri("source")

    def ours(self, bench, source, target):
        return bench.migrate(source, target)

    def peers(self, bench, ends, count):
        raise NotImplementedError

    def measure(self, bench, target, commands, count):
        """Runs in turn: a list of runs for each, and how often and why those failed that did: of peers, never of ours."""
        runs, failed = [[] for _ in commands], {}
        for _ in range(bench.repeat):
            for number, (command, its_runs) in enumerate(zip(commands, runs)):
                if self.is_enough(its_runs, failed.get(number), runs[0]):
                    continue
                try:
                    its_runs.append(self.run_once(bench, target, command, count))
                except harness.Failed as failure:
                    if number == 0:
                        raise
                    failed[number] = (failed.get(number, (0,))[0] + 1, harness.last_line(failure))
        return runs, failed

    @staticmethod
    def is_enough(runs, failed, ours):
        """Of a peer that is so slow, or has failed so often, that another run would tell nothing."""
        return runs[0].wall_s > SLOW * ours[0].wall_s if runs else failed is not None and failed[0] == FAILURES_MAX

    def run_once(self, bench, target, command, count):
        target.make("target", command.script)
        if command.before:
            bench.measure(["sh", "-c", command.before])
        run = bench.measure(command.words)
        try:
            found = target.ask("target", "SELECT count(*) FROM " + command.table)
        except AssertionError as error:
            raise harness.Failed("%s: %s" % (command.name, harness.first_line(error))) from error
        if found != [[str(count)]]:
            raise harness.Failed("%s: %s rows have arrived, not %d" % (command.name, found, count))
        if command.name not in self.arrived:
            self.arrived[command.name] = self.look(target)
        return run

    def tell(self, peers, runs):
        ours, *others = runs
        for peer, its in zip(peers, others):
            for figure, of, mark in (("time against " + peer.name, harness.wall_s, peer.mark_time),
                                     ("client's processor time against it", harness.cpu_s, peer.mark_cpu)):
                yield self.ratio(figure, harness.median(ours, of) / harness.median(its, of), mark)
        yield from self.tell_fastest(ours, [pair for pair in zip(peers, others) if pair[0].rival])
        names = ", ".join(["ours", *(peer.name + " (1 run)" * (len(its) == 1 < len(ours)) for peer, its in zip(peers, others))])
        for figure, of, form in (("wall seconds", harness.wall_s, "%.2f"), ("client's processor seconds", harness.cpu_s, "%.2f")):
            yield harness.fact(self.NAME, "%s: %s" % (figure, names), ", ".join(
                form % harness.median(its, of) for its in runs))
        yield harness.fact(self.NAME, "largest process, MiB: " + names, ", ".join(
            "%.0f" % harness.peak_mib(its) for its in runs))
        yield harness.memory(self.NAME, ours)
        for name, words in self.arrived.items():
            if words is None:
                continue
            yield harness.fact(self.NAME, "what arrived by " + name, words)

    def look(self, target):
        """In words, what has arrived beside the number of rows; asked once for each tool. None: no mark is about it."""

    def ratio(self, figure, value, mark):
        if mark is None:
            return harness.fact(self.NAME, figure, "%.2f x" % value)
        return harness.at_most(self.NAME, figure, value, mark, "x", "%.3f")

    def tell_fastest(self, ours, rivals):
        """`rivals`: those that ran, with their runs; the mark is about the one that was the fastest now."""
        if self.FASTEST is None:
            return
        if not rivals:
            yield harness.fact(self.NAME, "time against the fastest of other tools", "not measured: none of those that it is about ran")
            return
        fastest, its = min(rivals, key=lambda pair: harness.median(pair[1], harness.wall_s))
        yield self.ratio("time against the fastest of %s: %s" % (", ".join(peer.name for peer, _ in rivals), fastest.name),
                         harness.median(ours, harness.wall_s) / harness.median(its, harness.wall_s), self.FASTEST)


class SqliteToPostgres(Pair):
    NAME, SOURCE, TARGET = "sqlite_to_postgres", "sqlite", "postgres"
    FASTEST = 1 / 4.5
    # Whatever types a tool chose, the same values give the same texts.
    TEXTS = {"id": "id::text", "a": "a", "b": "b", "c": "c::text", "d": "d::text", "price": "trim_scale(price::numeric)::text",
             "r": "r::float8::text", "created": "created::text", "flag": "flag::int::text"}
    TYPES = ("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum), count(*) FILTER (WHERE attnotnull), "
             "(SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p') FROM pg_attribute "
             "WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped")

    def sums(self, target, name):
        """A sum over the texts of each column, with the row's id."""
        return target.ask(name, "SELECT %s FROM t" % ", ".join(
            "sum(hashtextextended(%s, id::bigint))" % text for text in self.TEXTS.values()))[0]

    def look(self, target):
        different = [column for column, its, true in zip(self.TEXTS, self.sums(target, "target"), self.true_sums) if its != true]
        types, not_null, keys = target.ask("target", self.TYPES)[0]
        return "%s; NOT NULL of %s columns; %s; %s" % (
            "other values than the source's in %s" % ", ".join(different) if different else "every value as in the source", not_null,
            "its key" if keys == "1" else "no key", types)

    def peers(self, bench, ends, count):
        target, source = ends["postgres"], bench.flat(count)
        target.fill("truth", sql_servers.write_lines(bench, count))
        self.true_sums = self.sums(target, "truth")
        whole, first, second = (os.path.join(bench.scratch, name + ".bin") for name in ("whole", "first", "second"))
        target.make("target")
        bench.measure(bench.migrate("sqlite:" + source, target.uri("target")))
        target.keep("target", whole)
        for file, of in ((first, "<="), (second, ">")):
            target.keep("target", file, "(SELECT * FROM t WHERE id %s %d ORDER BY id)" % (of, count // 2))
        place, copy = target.place("target"), "\\copy t from '%s' (format binary)"
        yield shell("binary COPY of a ready file", "psql", target.client("target", copy % whole), target.TABLE_OF_SQLITE, mark_time=1.0)
        yield shell("the same by two streams", "psql", "%s & %s && wait $!" % (
            target.client("target", copy % first), target.client("target", copy % second)), target.TABLE_OF_SQLITE, mark_time=1.0)
        yield pgloader("sqlite://" + source, target.peer_uri("target"), mark_cpu=1 / 8)
        yield sluice(sql_servers.sqlite_place(source), place)
        yield sling(sql_servers.sqlite_place(source), place, target.TABLE_OF_SQLITE)
        yield ingestr("sqlite:///" + source, "main.t", place, target.client("target", target.ADD_KEY))


class PostgresToPostgres(Pair):
    NAME, SOURCE, TARGET = "postgres_to_postgres", "postgres", "postgres"
    FASTEST = 1 / 1.4

    def peers(self, bench, ends, count):
        server = ends["postgres"]
        source, target = server.peer_uri("source"), server.peer_uri("target")
        yield shell("a pipe of two binary COPYs", "psql", "%s | %s" % (
            server.client("source", "\\copy t to stdout (format binary)"),
            server.client("target", "\\copy t from stdin (format binary)")), server.TABLE, mark_time=1.0)
        yield shell("pgcopydb", "pgcopydb", "pgcopydb clone --source %s --target %s --dir {folder}/work --table-jobs 2 --index-jobs 2 "
                    "--not-consistent --no-acl --no-owner" % (source, target), rival=True)
        yield sluice(server.place("source"), server.place("target"))
        yield shell("pg_dump and pg_restore by a pipe", "pg_restore", "pg_dump -Fc -Z0 %s | pg_restore -d %s" % (source, target))
        yield shell("pg_dump and pg_restore of two jobs", "pg_restore", "pg_dump -Fd -j2 -Z0 -f {folder}/dump %s && "
                    "pg_restore -j2 -d %s {folder}/dump" % (source, target))
        yield sling(server.place("source"), server.place("target"), server.TABLE)
        yield ingestr(server.place("source").url, "public.t", server.place("target"), server.client("target", server.ADD_KEY))


class PostgresToMysql(Pair):
    NAME, SOURCE, TARGET = "postgres_to_mysql", "postgres", "mysql"

    def peers(self, bench, ends, count):
        target = ends["mysql"]
        load = target.load(sql_servers.write_lines(bench, count))
        source, place = ends["postgres"].place("source"), target.place("target")
        yield shell("LOAD DATA LOCAL of a ready file", "mariadb", target.client("target", load), target.TABLE, mark_time=0.9)
        yield sluice(source, place, mark_cpu=1 / 4)
        yield sling(source, place, target.TABLE)


class MysqlToMysql(Pair):
    NAME, SOURCE, TARGET = "mysql_to_mysql", "mysql", "mysql"
    FASTEST = 1 / 1.2

    def peers(self, bench, ends, count):
        server = ends["mysql"]
        account = server.account
        yield sluice(server.place("source"), server.place("target"), mark_cpu=1 / 4)
        yield shell("mydumper and myloader of two threads", "myloader", "%s -B source -t 2 -r 250000 -o {folder}/dump && "
                    "%s -B target -t 2 -d {folder}/dump" % (account("mydumper"), account("myloader")), rival=True)
        yield shell("mariadb-dump and mariadb by a pipe", "mariadb-dump", "%s source | %s target" % (
            account("mariadb-dump --no-defaults --single-transaction --quick"), account("mariadb --no-defaults")))
        yield sling(server.place("source"), server.place("target"), server.TABLE)


class MysqlToPostgres(Pair):
    NAME, SOURCE, TARGET = "mysql_to_postgres", "mysql", "postgres"
    FASTEST = 1 / 3
    SETTINGS = {"mysql": {"log-bin": "changes", "binlog-format": "ROW", "server-id": "1"}}   # pg_chameleon wants them of a source

    def peers(self, bench, ends, count):
        source, target = ends["mysql"], ends["postgres"]
        yield pgloader(source.peer_uri("source"), target.peer_uri("target"), table="source.t", mark_cpu=1 / 8)
        yield sluice(source.place("source"), target.place("target"))
        self.chameleon = Chameleon(source.server.port, target.server.port)   # its home lives as long as it does
        yield self.chameleon.peer()
        yield sling(source.place("source"), target.place("target"), target.TABLE)
        yield ingestr("mysql+pymysql://root:@127.0.0.1:%d/source" % source.server.port, "source.t", target.place("target"),
                      target.client("target", target.ADD_KEY), "--sql-backend", "sqlalchemy")   # its default fails at the doubles


BENCHES = [SqliteToPostgres(), PostgresToPostgres(), PostgresToMysql(), MysqlToMysql(), MysqlToPostgres()]
