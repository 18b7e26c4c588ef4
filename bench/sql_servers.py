"""The servers of the SQL benches, with fsync on and what docs/benchmarks.md tells of their settings, and the table that is copied between them."""
import collections
import contextlib
import os
import sqlite3
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
import mariadb
import postgres

Unavailable = unittest.SkipTest
# a database as other tools name it: sluice's driver and place, the URL of those that take one, the schema of t
Place = collections.namedtuple("Place", "driver address url schema")


def sqlite_place(file):
    return Place("sqlite", file, "sqlite://" + file, "main")


class Postgres:
    TITLE = "PostgreSQL"
    TABLE = ("CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b text, c integer NOT NULL, d bigint NOT NULL, "
             "price numeric(10,2) NOT NULL, r double precision NOT NULL, created timestamp NOT NULL, flag smallint NOT NULL)")
    # as SQLite's table arrives
    TABLE_OF_SQLITE = ("CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b text, c bigint NOT NULL, d bigint NOT NULL, price "
                       "numeric NOT NULL, r double precision NOT NULL, created text NOT NULL, flag bigint NOT NULL)")
    ADD_KEY = "ALTER TABLE t ADD PRIMARY KEY (id)"
    SETTINGS = {"fsync": "on", "full_page_writes": "on", "autovacuum": "off", "join_collapse_limit": "8", "from_collapse_limit": "8"}

    def __init__(self, settings=None):
        self.server = postgres.start(settings=dict(self.SETTINGS, **settings or {}))
        self.uri, self.ask, self.stop = self.server.uri, self.server.ask, self.server.stop

    def make(self, name, script=""):
        """An empty database; nothing of what was before is still to be written."""
        self.ask("postgres", "DROP DATABASE IF EXISTS %s" % name)
        self.ask("postgres", "CREATE DATABASE %s" % name)
        self.ask(name, script)
        self.ask("postgres", "CHECKPOINT")

    def fill(self, name, file):
        self.make(name, self.TABLE + ";\n\\copy t from '%s'\n; ANALYZE t" % file)

    def keep(self, name, file, table="t"):
        """Table t, or a query in brackets, as the file of a binary COPY."""
        self.ask(name, "\\copy %s to '%s' (format binary)" % (table, file))

    def peer_uri(self, name):
        return "postgresql://postgres@127.0.0.1:%d/%s" % (self.server.port, name)

    def place(self, name):
        url = "postgresql://postgres:any@127.0.0.1:%d/%s?sslmode=disable" % (self.server.port, name)   # some do not go without a password
        return Place("postgres", url, url, "public")

    def client(self, name, command):
        """Its own client's command line."""
        return "psql -qX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p %d -U postgres %s -c \"%s\"" % (self.server.port, name, command)


class Mysql:
    TITLE = "MariaDB"
    TABLE = ("CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, a varchar(64) NOT NULL, b varchar(16), c int NOT NULL, d bigint NOT NULL, "
             "price decimal(10,2) NOT NULL, r double NOT NULL, created datetime NOT NULL, flag tinyint(1) NOT NULL)")
    SETTINGS = {"innodb-buffer-pool-size": "128M", "innodb-log-file-size": "96M", "innodb-flush-log-at-trx-commit": "1",
                "innodb-flush-method": "O_DIRECT", "innodb-stats-auto-recalc": "1", "innodb-stats-persistent": "1"}

    def __init__(self, settings=None):
        self.server = mariadb.start(settings=dict(self.SETTINGS, **settings or {}))
        self.uri, self.ask, self.stop = self.server.uri, self.server.ask, self.server.stop

    def make(self, name, script=""):
        self.ask("", "DROP DATABASE IF EXISTS %s; CREATE DATABASE %s" % (name, name))
        self.ask(name, script)
        self.ask("", "SET GLOBAL innodb_log_checkpoint_now = ON")

    @staticmethod
    def load(file):
        return "LOAD DATA LOCAL INFILE '%s' INTO TABLE t CHARACTER SET utf8mb4" % file

    def fill(self, name, file):
        self.make(name, "%s; %s; ANALYZE TABLE t" % (self.TABLE, self.load(file)))

    def peer_uri(self, name):
        return "mysql://root@127.0.0.1:%d/%s" % (self.server.port, name)

    def place(self, name):
        return Place("mariadb", "root@tcp(127.0.0.1:%d)/%s" % (self.server.port, name), self.peer_uri(name), name)

    def account(self, program):
        return "%s -h 127.0.0.1 -P %d -u root" % (program, self.server.port)

    def client(self, name, command):
        return "%s --local-infile=1 %s -e \"%s\"" % (self.account("mariadb --no-defaults"), name, command)


KINDS = {"postgres": Postgres, "mysql": Mysql}


def run_with(name, kinds, body, settings=None):
    """The rows of `body(ends)`, with a server of each kind, {kind: it}; a row with the reason if one is not to be had."""
    with contextlib.ExitStack() as stack:
        ends = {}
        try:
            for kind in sorted(kinds):
                ends[kind] = KINDS[kind]((settings or {}).get(kind))
                stack.callback(ends[kind].stop)
        except Unavailable as reason:
            yield harness.fact(name, "not measured", str(reason))
            return
        yield from body(ends)


def write_lines(bench, count):
    """The rows of the flat table as a file that both servers' clients read: its path."""
    path = os.path.join(bench.scratch, "t-%d.tsv" % count)
    if not os.path.exists(path):
        db = sqlite3.connect(bench.flat(count))
        with open(path, "w", encoding="utf-8") as file:
            for number, a, b, c, d, price, r, created, flag in db.execute("SELECT * FROM t ORDER BY id"):
                file.write("%d\t%s\t%s\t%d\t%d\t%.2f\t%r\t%s\t%d\n" % (
                    number, a, "\\N" if b is None else b, c, d, price, r, created, flag))
        db.close()
    return path
