"""Starts a real MariaDB on a free port of the loopback and a Unix socket, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = mariadb.for_class(cls)        # skips with the reason if it can't be had

    mariadb.Server(version="mysql-5.5")   another one than the distribution's, from the cache of test servers

    server.database()      makes an empty database and gives its name
    server.ask(NAME, SQL)  asks it by MariaDB's own client; rows of texts

The data folder is made once a machine and copied for each server: making it takes longer than the server needs to
start.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
import unittest

import cache
from database_server import DatabaseServer, Shared, link_or_copy

SERVER = "/usr/sbin/mariadbd"
LOADS = ("", "?load=data", "?load=insert")   # ways of the program to fill tables


def fetched(version):
    """The program of a version in the cache; SkipTest if it can't be had."""
    try:
        return cache.get(version)
    except (KeyError, cache.Unavailable) as fault:
        raise unittest.SkipTest("no %s: %s" % (version, fault)) from None


# What a source is that can be followed.
FOLLOWED = {"log-bin": "binlog", "server-id": "1", "binlog-format": "ROW", "binlog-row-metadata": "FULL",
            "sync-binlog": "0",
            "log-bin-trust-function-creators": "1"}


class Server(DatabaseServer):
    """A running server; user root without a password, by TCP from the loopback too. Not shared between processes."""
    TITLE, USER, PREFIX = "MariaDB", "mysql", "my-"
    DROP = "SET foreign_key_checks = 0; DROP DATABASE IF EXISTS %s;"   # another one may refer to it
    LOGS = ("out", "log")
    READY_S, STOP_S = 180, 90

    def __init__(self, settings=None, tls=False, version=None):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no MariaDB: TRANSHUME_SERVERS=none")
        program = fetched(version) if version else SERVER
        if not version and (not os.access(SERVER, os.X_OK) or not shutil.which("mariadb-install-db")):
            raise unittest.SkipTest("no MariaDB: no server is installed (apt-get install mariadb-server)")
        super().__init__()
        self.program, self.options = [program], []
        if version:
            self._settle(version)
        self.socket = os.path.join(self.folder, "s.sock")
        self._copy_data()
        self.settings = {"bind-address": "127.0.0.1", "socket": self.socket, "pid-file": self.folder + "/pid",
                         "log-error": self.folder + "/log", "tmpdir": self.folder, "skip-name-resolve": "1",
                         "local-infile": "1",
                         "character-set-server": "utf8mb4", "max-connections": "120",
                         "performance-schema": "0", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": "8M",
                         # a crash of the machine is no matter of tests; one of the server keeps what was written
                         "innodb-flush-log-at-trx-commit": "2", "innodb-flush-method": "nosync",
                         # its own bookkeeping is a transaction too
                         "innodb-stats-auto-recalc": "0", "innodb-stats-persistent": "0"}
        if tls:
            self.settings.update({"ssl-key": self.make_certificate(), "ssl-cert": self.certificate})
        self.settings.update(settings or {})
        self.start()

    def _settle(self, version):
        """What comes without an installation: copied to where the user that it runs as may look, its messages found."""
        own = os.path.join(self.folder, "native")
        program, = self.program
        base = os.path.dirname(program) if version.startswith("mysql-") else os.path.dirname(os.path.dirname(program))
        # other jars lie beside
        root = os.path.dirname(os.path.dirname(base)) if version.startswith("mysql-") else base
        shutil.copytree(root, own, symlinks=True, copy_function=link_or_copy)
        self.program = [os.path.join(own, os.path.relpath(program, root))]
        messages, = glob.glob(os.path.join(own, "**", "english", "errmsg.sys"), recursive=True)
        share = os.path.dirname(os.path.dirname(messages))
        self.base = os.path.join(own, os.path.relpath(base, root))
        self.options = ["--basedir=" + self.base, "--lc-messages-dir=" + share,
                        "--character-sets-dir=" + os.path.join(share, "charsets")]

    def _make_data(self, made):
        """The folder as a new server has it."""
        shared = ["--no-defaults", "--datadir=" + made]
        if not self.options:
            self.run("mariadb-install-db", *shared, "--skip-test-db", "--auth-root-authentication-method=normal",
                     "--skip-name-resolve",
                     "--innodb-log-file-size=8M", "--tmpdir=" + self.folder)
            return
        ready = glob.glob(os.path.join(self.folder, "native", "**", "mysql", "user.frm"), recursive=True)
        if ready:
            shutil.copytree(os.path.dirname(os.path.dirname(ready[0])), made, dirs_exist_ok=True)
            return
        install, = glob.glob(os.path.join(self.base, "scripts", "m*-install-db")) or glob.glob(os.path.join(self.base,
            "scripts", "mysql_install_db"))
        self.run(install, *shared, "--basedir=" + self.base, "--auth-root-authentication-method=normal",
                 "--skip-name-resolve",
                 "--innodb-log-file-size=8M", "--tmpdir=" + self.folder)

    def _copy_data(self):
        """From a folder in the cache of test servers, which is made whole or not at all."""
        version = subprocess.run([*self.program, "--no-defaults", "--version"], stdout=subprocess.PIPE,
                                 timeout=self.READY_S, stderr=subprocess.DEVNULL,
                                 check=True).stdout
        self.copy_kept("mariadb-data-" + hashlib.sha256(version.partition(b" ")[2]).hexdigest()[:16], self._make_data)

    def command(self):
        form = "--loose-%s=%s" if self.options else "--%s=%s"   # others may not know all of them
        return [*self.program, "--no-defaults", *self.options, "--datadir=" + self.data, "--port=%d" % self.port,
                *(form % pair for pair in self.settings.items())]

    def _account(self):
        return ["--no-defaults", "-uroot", "-h127.0.0.1", "-P%d" % self.port]

    def question(self):
        return ["mariadb", *self._account(), "--connect-timeout=5", "-e", "SELECT 1"]

    def session_command(self, name):
        return ["mariadb", *self._account(), "--batch", "--skip-column-names", "--unbuffered", name]

    def waiting(self, name):
        return int(self.ask("mysql",
                            "SELECT count(*) FROM information_schema.processlist WHERE db = '%s' AND state LIKE "
                                     "'Waiting for table metadata lock'" % name)[0][0])

    # --- what tests ask

    def uri(self, name, options="", via=None):
        """`via`: a proxy before it, by whose port it is reached."""
        return "mysql://root@127.0.0.1:%d/%s%s" % ((via or self).port, name, options)

    def ask(self, name, sql, mode="NO_AUTO_VALUE_ON_ZERO"):
        """The rows of all statements, a list of texts each; NULL is None. Bytes that are no UTF-8 are escaped."""
        said = self.ask_client(
            ["mariadb", *self._account(), "--batch", "--skip-column-names", "--default-character-set=utf8mb4",
             "--init-command=SET sql_mode='%s', time_zone='+00:00'" % mode, name], sql)
        text = said.decode("utf-8", "backslashreplace")
        text = text[:-1] if text.endswith("\n") else text
        return [[None if value == "NULL" else value for value in row.split("\t")]
                for row in text.split("\n")] if text else []

    def dump(self, name, *options):
        """What mariadb-dump tells of a database's definitions, but how far its counters are."""
        said = self.ask_client(["mariadb-dump", *self._account(), "--no-data", "--routines", "--events",
                                "--skip-comments", *options, name])
        return re.sub(" AUTO_INCREMENT=[0-9]+", "", said.decode())

    def rows(self, name):
        """{table: its rows, sorted} of all tables."""
        tables = [table for table, in self.ask(name,
                                               "SELECT table_name FROM information_schema.tables WHERE table_schema = "
                                                     "database() AND table_type = 'BASE TABLE'")]
        found = {table: [] for table in tables}
        # a line of text before each table's rows: its number
        asked = "".join("SELECT 'of table', %d; SELECT * FROM `%s`;" % (number, table.replace("`", "``"))
                        for number, table in enumerate(tables))
        rows = []
        for row in self.ask(name, asked) if tables else []:
            if row[0] == "of table" and len(row) == 2:
                rows = found[tables[int(row[1])]]
            else:
                rows.append(row)
        return {table: sorted(rows, key=repr) for table, rows in found.items()}


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "mariadb"


Server.SHARED = SharedServer
start = Server
for_class = Server.for_class
shared_for_class = Server.shared_for_class


# The pool's log would fill the memory that its folder is in.
SHORT_LOG = {"max-binlog-size": "8M", "binlog-expire-logs-seconds": "60"}


def for_pool():
    return Server(settings={"max-connections": "300", **FOLLOWED, **SHORT_LOG})
