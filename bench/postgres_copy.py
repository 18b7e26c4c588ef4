"""Into PostgreSQL and from one to another, beside COPY itself, pgloader and pgcopydb, where these can be had.

A real server at its defaults, fsync on, with the key in place on every side; each run into an empty database.
"""
import os
import shutil
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
import postgres

NAME = "postgres"
TABLE = ("CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b text, c bigint NOT NULL, d bigint NOT NULL, "
         "price numeric NOT NULL, r double precision NOT NULL, created text NOT NULL, flag bigint NOT NULL)")
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "off"}


def run(bench):
    try:
        server = postgres.start(settings=DURABLE)
    except unittest.SkipTest as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    with server:
        rows = bench.size(2000000, 100000)
        yield from Comparison(bench, server, rows).rows()


class Comparison:
    def __init__(self, bench, server, count):
        self.bench, self.server, self.count = bench, server, count

    def psql(self, name, command):
        return "psql -qX -h 127.0.0.1 -p %d -U postgres %s -c \"%s\"" % (self.server.port, name, command)

    def measure(self, commands):
        """Runs in turn, each into a database `target` made for it: {name: runs}."""
        runs = {name: [] for name in commands}
        for _ in range(self.bench.repeat):
            for name, (command, script) in commands.items():
                self.server.psql("postgres", "DROP DATABASE IF EXISTS target")
                self.server.psql("postgres", "CREATE DATABASE target")
                self.server.psql("target", script)
                self.server.psql("postgres", "CHECKPOINT")
                runs[name].append(self.bench.measure(command))
                found = self.server.psql("target", "SELECT count(*) FROM t")
                if found != [[str(self.count)]]:
                    raise harness.Failed("%s: %s rows are in t, not %d" % (name, found, self.count))
        return runs

    def rows(self):
        source = self.bench.flat(self.count)
        uri = self.server.uri
        made = self.bench.migrate("sqlite:" + source, uri("target"))
        self.measure_once(made)
        file = os.path.join(self.bench.scratch, "t.bin")
        with open(file, "wb"):
            os.chmod(file, 0o666)
        self.bench.measure(["sh", "-c", self.psql("target", "\\copy t to '%s' (format binary)" % file)])
        self.server.psql("postgres", "ALTER DATABASE target RENAME TO source")
        commands = {"ours": (made, ""),
                    "copy": (["sh", "-c", self.psql("target", "\\copy t from '%s' (format binary)" % file)], TABLE)}
        if shutil.which("pgloader"):
            commands["pgloader"] = (["pgloader", "--quiet", "sqlite://" + source, self.peer("target")], "")
        yield from self.compare("sqlite to postgres", self.measure(commands))
        commands = {"ours": (self.bench.migrate(uri("source"), uri("target")), ""),
                    "pipe": (["sh", "-c", self.psql("source", "\\copy t to stdout (format binary)") + " | " +
                              self.psql("target", "\\copy t from stdin (format binary)")], TABLE)}
        if shutil.which("pgcopydb"):
            commands["pgcopydb"] = (["pgcopydb", "clone", "--source", self.peer("source"), "--target",
                                     self.peer("target"), "--dir", "{folder}/work", "--table-jobs", "2", "--index-jobs",
                                     "2", "--not-consistent", "--no-acl", "--no-owner"], "")
        yield from self.compare("postgres to postgres", self.measure(commands))

    def peer(self, name):
        return "postgresql://postgres@127.0.0.1:%d/%s" % (self.server.port, name)

    def measure_once(self, command):
        self.server.psql("postgres", "CREATE DATABASE target")
        self.bench.measure(command)

    def compare(self, what, runs):
        marks = {"copy": 1.0, "pipe": 1.0, "pgloader": 1 / 4.5, "pgcopydb": 1 / 1.4}
        ours = runs.pop("ours")
        for name, its in runs.items():
            ratio = harness.median(ours, harness.wall_s) / harness.median(its, harness.wall_s)
            yield harness.at_most(NAME, "%s, time against %s" % (what, name), ratio, marks[name], "x")
            ratio = harness.median(ours, harness.cpu_s) / harness.median(its, harness.cpu_s)
            yield harness.fact(NAME, "client's processor time against it", "%.2f x" % ratio)
        yield harness.fact(NAME, "%s, wall seconds: ours, %s" % (what, ", ".join(runs)), ", ".join(
            "%.2f" % harness.median(its, harness.wall_s) for its in (ours, *runs.values())))
        yield harness.memory(NAME, ours)
