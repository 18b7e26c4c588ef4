"""Starts a FerretDB over PostgreSQL with DocumentDB on free ports of the loopback, and stops both for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = ferretdb.shared_for_class(cls)    # skips with the reason if it can't be had

    server.database()          the name of an empty database
    server.client()[NAME]      pymongo's database of that name

It is the server of MongoDB's protocol that can be had here: all types of BSON byte for byte, bulk writes, indexes,
aggregations. It is no replica set, and knows no
transactions. FerretDB is built of its Go module, DocumentDB comes from the distribution's unstable suite, and pymongo
from PyPI, all into the cache of test servers.
"""
import os
import pwd
import subprocess
import sys
import time
import unittest

import cache
import postgres
from database_server import DatabaseServer, Shared

STORAGE = {"shared_preload_libraries": "pg_cron,pg_documentdb_core,pg_documentdb", "cron.database_name": "postgres",
           "cron.host": "127.0.0.1", "max_connections": "200"}


def _fetched(name):
    try:
        return cache.get(name)
    except (KeyError, cache.Unavailable) as fault:
        raise unittest.SkipTest("no FerretDB: %s" % fault) from None


def driver():
    """The module pymongo, from the cache; SkipTest if it can't be had."""
    packages = os.path.dirname(os.path.dirname(_fetched("pymongo")))
    if packages not in sys.path:
        sys.path.insert(0, packages)
    import pymongo
    return pymongo


class Storage(postgres.Server):
    """The PostgreSQL below: its programs stay in the cache, where the user that it runs as could not look by itself."""
    PREFIX = "dd-"

    def __init__(self):
        self.programs = os.path.dirname(_fetched("documentdb"))
        DatabaseServer.__init__(self)
        self._copy_data()
        self._configure(STORAGE, None, False)
        self.start()
        self.psql(self.MAINTENANCE, "CREATE EXTENSION IF NOT EXISTS documentdb CASCADE")

    def _make_data(self, made):
        super()._make_data(made)
        os.mkdir(os.path.join(made, "pg_wal", "summaries"))   # as PostgreSQL 17 and newer have it

    def _guard(self):
        """It looks at its programs before it runs them, which needs the right to at every step."""
        if os.geteuid() != 0:
            return super()._guard()
        try:
            pwd.getpwnam(self.USER)
        except KeyError:
            raise unittest.SkipTest("no FerretDB: there is no user %s to run its PostgreSQL as" % self.USER) from None
        return ["setpriv", "--reuid=" + self.USER, "--regid=" + self.USER, "--init-groups",
                "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
                "--pdeathsig", "KILL"]


class Server(DatabaseServer):
    """`options` are arguments of ferretdb. Not shared between processes."""
    TITLE, PREFIX = "FerretDB", "fe-"
    READY_S = 60

    def __init__(self, options=("--no-auth",)):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no FerretDB: TRANSHUME_SERVERS=none")
        self.connection, self.storage, self.options = None, None, list(options)
        self.program = _fetched("ferretdb")
        driver()
        super().__init__()
        self.storage = Storage()
        self.start()

    def _guard(self):
        return ["setpriv", "--pdeathsig", "KILL"]   # it does run as root

    def give(self, *_):
        """Nobody else's."""

    def command(self):
        return [self.program, "--listen-addr=127.0.0.1:%d" % self.port, "--debug-addr=-", "--telemetry=disable",
                "--log-level=error", "--state-dir=" + self.folder,
                "--postgresql-url=postgres://postgres@127.0.0.1:%d/postgres" % self.storage.port, *self.options]

    def _start_once(self):
        with open(os.path.join(self.folder, self.LOGS[0]), "ab") as log:
            self.process = subprocess.Popen(self.guard + self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + self.READY_S
        while self.process.poll() is None:
            try:
                self.client().admin.command("ping")
                return True
            except driver().errors.PyMongoError:
                self.disconnect()
            if time.monotonic() > deadline:
                raise AssertionError("%s did not answer within %d s:\n%s" % (self.TITLE, self.READY_S, self.log()))
            time.sleep(0.05)
        return False

    def kill(self):
        self.disconnect()
        super().kill()

    def stop(self):
        self.disconnect()
        super().stop()
        if self.storage is not None:
            self.storage.stop()

    # --- what tests ask

    def client(self):
        """pymongo's, made at first use."""
        if self.connection is None:
            self.connection = driver().MongoClient("127.0.0.1", self.port, serverSelectionTimeoutMS=2000,
                                                   socketTimeoutMS=60000, tz_aware=True, uuidRepresentation="standard")
        return self.connection

    def disconnect(self):
        if getattr(self, "connection", None) is not None:
            self.connection.close()
        self.connection = None

    def database(self, options=""):
        self.count += 1
        return self.name_of(self.count)

    def empty(self, name):
        self.client().drop_database(name)

    def drop_databases(self):
        """Those made since the last call."""
        for count in range(self.dropped + 1, self.count + 1):
            self.client().drop_database(self.name_of(count))
        self.dropped = self.count

    def uri(self, name, options="", via=None):
        """`via`: a proxy before it, by whose port it is reached. `options` begin with a question mark."""
        return "mongodb://127.0.0.1:%d/%s%s" % ((via or self).port, name, options)


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "ferretdb"

    def attach(self):
        self.connection = None
        driver()

    def stop(self):
        self.drop_databases()
        self.disconnect()


Server.SHARED = SharedServer
for_class, shared_for_class = Server.for_class, Server.shared_for_class


def for_pool():
    return Server()
