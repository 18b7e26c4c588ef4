"""Starts a real PostgreSQL on a free port of the loopback and a Unix socket, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = postgres.for_class(cls)        # skips with the reason if it can't be had

    postgres.Server(version=18)   another version than the newest that is installed, from the cache of test servers

    server.database()      makes an empty database and gives its name
    server.psql(NAME, SQL) asks it by PostgreSQL's own client; rows of texts

The data folder is made once a machine and copied for each server, as in mariadb.py.
"""
import glob
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import unittest

import cache
from database_server import DatabaseServer, Shared, link_or_copy


def programs():
    """The folder of the newest server's programs; SkipTest if there is none."""
    if os.environ.get("TRANSHUME_SERVERS") == "none":
        raise unittest.SkipTest("no PostgreSQL: TRANSHUME_SERVERS=none")
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise unittest.SkipTest("no PostgreSQL: no server is installed (apt-get install postgresql-15)")
    return os.path.dirname(found[-1])


def fetched(version):
    """The same of a version, with what it needs beside it; SkipTest if it can't be had."""
    path = "/usr/lib/postgresql/%d/bin/postgres" % version
    if os.environ.get("TRANSHUME_SERVERS") != "none" and os.path.exists(path):
        return os.path.dirname(path)
    try:
        return os.path.dirname(cache.get("postgres-%d" % version))
    except (KeyError, cache.Unavailable) as fault:
        raise unittest.SkipTest("no PostgreSQL %d: %s" % (version, fault)) from None


# A source whose changes are followed.
FOLLOWED = {"wal_level": "logical", "max_replication_slots": "60", "max_wal_senders": "60"}


class Server(DatabaseServer):
    """A running server, user postgres without a password from the loopback. Not shared between processes."""
    TITLE, USER, PREFIX = "PostgreSQL", "postgres", "pg-"
    DROP = "DROP DATABASE IF EXISTS %s WITH (FORCE);\n"
    STOP_S = 90
    MAINTENANCE = "postgres"
    CRASH = signal.SIGQUIT   # at which all of its processes leave without a checkpoint

    def __init__(self, settings=None, hba=None, tls=False, version=None):
        self.programs = fetched(version) if version else programs()
        super().__init__()
        if version and not self.programs.startswith("/usr/"):   # where the user that it runs as may not look
            shutil.copytree(os.path.dirname(self.programs), os.path.join(self.folder, "native"), symlinks=True,
                            copy_function=link_or_copy)
            self.programs = os.path.join(self.folder, "native", "bin")
        self._copy_data()
        self._configure(settings or {}, hba, tls)
        self.start()

    def _initialize(self, folder):
        self.run(os.path.join(self.programs, "initdb"), "-D", folder, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync")

    def _make_data(self, made):
        self._initialize(made)
        shutil.rmtree(os.path.join(made, "pg_wal"))
        os.makedirs(os.path.join(made, "pg_wal", "archive_status"))

    def _copy_data(self):
        """
        A folder of its own with an identifier of its own: the first eight bytes of the control file, whose sum and log
        are made anew.
        """
        reset = os.path.join(self.programs, "pg_resetwal")
        if not os.path.exists(reset):   # some packages leave it out, and without it a copy can't be told from another
            self._initialize(self.data)
            return
        version = subprocess.run([os.path.join(self.programs, "postgres"), "--version"], stdout=subprocess.PIPE,
                                 timeout=self.READY_S, check=True).stdout
        self.copy_kept("postgres-data-" + hashlib.sha256(version).hexdigest()[:16], self._make_data)
        with open(os.path.join(self.data, "global", "pg_control"), "r+b") as control:
            control.write(random.SystemRandom().getrandbits(62).to_bytes(8, sys.byteorder))
        self.run(reset, "-f", self.data)

    def _configure(self, settings, hba, tls):
        values = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                  "max_connections": "60", "log_min_messages": "warning",
                  # a crash of the machine is no matter of tests; one of the server keeps what was written
                  "fsync": "off", "full_page_writes": "off",
                  # with tables as small as these, to look for the best order of joins takes longer than any order
                  "join_collapse_limit": "1", "from_collapse_limit": "1"}
        if tls:
            values.update({"ssl": "on", "ssl_key_file": self.make_certificate(), "ssl_cert_file": self.certificate})
        values.update(settings)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            for name, value in values.items():
                file.write("%s = '%s'\n" % (name, value))
        if hba is not None:
            with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
                file.write(hba)

    def standby(self):
        """
        A server of its own that follows this one, with those of its slots that fail over. This one stops while it is
        copied.
        """
        self.psql(self.MAINTENANCE, "SELECT pg_create_physical_replication_slot('standby')")
        self.end()
        made = Standby(self)
        self.start()
        return made

    def command(self):
        return [os.path.join(self.programs, "postgres"), "-D", self.data, "-p", str(self.port)]

    def question(self):
        return [self._client("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]

    def end(self):
        self.process.send_signal(signal.SIGINT)   # fast: open sessions are ended
        try:
            self.process.wait(self.STOP_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(self.STOP_S)

    # --- what tests ask

    def database(self):
        """
        By copying files: through the log, as is usual from PostgreSQL 15 on, it takes the processor twice as long.
        """
        return super().database("STRATEGY file_copy" if self.version() >= 15 else "")

    def version(self):
        with open(os.path.join(self.data, "PG_VERSION"), encoding="ascii") as file:
            return int(file.read().partition(".")[0])

    def uri(self, name, options="", via=None):
        """`via`: a proxy before it, by whose port it is reached."""
        return "postgres://postgres@127.0.0.1:%d/%s%s" % ((via or self).port, name, options)

    def _client(self, program):
        """A client's path: what the distribution has in the PATH is a script that costs more than the client."""
        path = os.path.join(self.programs, program)
        return path if os.path.exists(path) else program

    def session_command(self, name):
        return [self._client("psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                "-d", name]

    def waiting(self, name):
        return int(self.psql(name, "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                                   "WHERE NOT granted AND datname = current_database()")[0][0])

    def psql(self, name, sql):
        """The rows of the last statement, a list of texts each; NULL is None."""
        said = self.ask_client(
            [self._client("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-P", "null=\\N", "-F", "\x1f",
             "-R", "\x1e",
             "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", name, "-f", "-"], sql)
        text = said.decode()
        text = text[:-1] if text.endswith("\n") else text
        return [[None if value == "\\N" else value for value in row.split("\x1f")]
                for row in text.split("\x1e")] if text else []

    ask = psql

    def dump(self, name, *options):
        """What pg_dump tells, by lines that say something."""
        said = self.ask_client([self._client("pg_dump"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                                *options,
                                name])
        return "\n".join(line for line in said.decode().splitlines()
                         if line and not line.startswith(("--", "\\restrict", "\\unrestrict")))

    def rows(self, name):
        """{(schema, table): its rows as texts, sorted} of all tables."""
        tables = self.psql(name,
                           "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                 "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN "
                                 "('pg_catalog', 'information_schema')")
        found = {tuple(table): [] for table in tables}
        quoted = ['"%s"."%s"' % tuple(part.replace('"', '""') for part in table) for table in tables]
        all_rows = self.psql(name, " UNION ALL ".join("SELECT %d, t::text FROM %s t" % (number, table)
                                                     for number, table in enumerate(quoted))) if tables else []
        for number, row in all_rows:
            found[tuple(tables[int(number)])].append(row)
        return {table: sorted(rows) for table, rows in found.items()}


class Standby(Server):
    """Of Server.standby: as the primary's files were when it stood still."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__(settings={"primary_conninfo": "host=127.0.0.1 port=%d user=postgres dbname=postgres"
                                   % primary.port, "primary_slot_name": "standby",
                                   "sync_replication_slots": "on", "hot_standby_feedback": "on",
                                   "unix_socket_directories": ""}, version=primary.version())

    def _copy_data(self):
        shutil.copytree(self.primary.data, self.data)
        with open(os.path.join(self.data, "standby.signal"), "w", encoding="ascii"):
            pass
        for path, folders, files in os.walk(self.data):
            self.give(path, *(os.path.join(path, name) for name in folders + files))


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "postgres"

    def attach(self):
        self.programs = programs()

    def version(self):
        return int(os.path.basename(os.path.dirname(self.programs)))


Server.SHARED = SharedServer
start = Server
for_class = Server.for_class
shared_for_class = Server.shared_for_class


def for_pool():
    return Server(settings={"max_connections": "200", **FOLLOWED})
