"""Starts a real MySQL 9, as mariadb.py starts a MariaDB, and is asked by MariaDB's client.

The server is a package of the distribution's unstable suite, unpacked in the cache of test servers and run by its own
loader and libraries (see unpack_suite); which
version that is, it says itself: nothing here expects one.
"""
import os
import shutil

import mariadb
from database_server import Shared, link_or_copy

VERSION = "mysql-9"
LOADER, LIBRARIES = "lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"
# These keep its data folder small.
SMALL = {"innodb-redo-log-capacity": "8M", "innodb-autoextend-increment": "1"}
SETTINGS = {**SMALL, "mysqlx": "OFF", "event-scheduler": "OFF", "secure-file-priv": "", "disable-log-bin": "1",
            "innodb-doublewrite": "OFF"}
WITHOUT_TLS = {"tls-version": ""}   # its own certificate would cost most of a short session's time
ROOT = "CREATE USER root@'127.0.0.1';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"


class Server(mariadb.Server):
    """A running server; user root without a password, by TCP from the loopback too."""
    TITLE, PREFIX = "MySQL", "ms-"
    LOGS = ("out", "log.err")

    def __init__(self, settings=None, tls=False, version=VERSION):
        super().__init__({**SETTINGS, **({} if tls else WITHOUT_TLS), **(settings or {})}, tls, version)

    def _settle(self, version):
        program, = self.program
        root = program[:-len("/usr/sbin/mysqld")]
        own = os.path.join(self.folder, "native")
        shutil.copytree(root, own, symlinks=True, copy_function=link_or_copy)
        self.program = [os.path.join(own, LOADER), "--library-path", os.path.join(own, LIBRARIES),
                        os.path.join(own, "usr/sbin/mysqld")]
        share = os.path.join(own, "usr/share/mysql")
        self.options = ["--basedir=" + os.path.join(own, "usr"), "--lc-messages-dir=" + share,
                        "--character-sets-dir=" + os.path.join(share, "charsets")]

    def _make_data(self, made):
        accounts = os.path.join(self.folder, "accounts.sql")
        with open(accounts, "w", encoding="ascii") as file:
            file.write(ROOT)
        self.give(accounts)
        self.run(*self.program, "--no-defaults", *self.options, "--datadir=" + made, "--initialize-insecure",
                 "--init-file=" + accounts, "--tmpdir=" + self.folder,
                 *("--%s=%s" % pair for pair in SMALL.items()))
        os.unlink(os.path.join(made, "auto.cnf"))   # by which one server is told from another: each copy makes its own


class SharedServer(Shared, Server):
    """The pool's."""
    KIND = "mysql"


Server.SHARED = SharedServer
start = Server
for_class = Server.for_class
shared_for_class = Server.shared_for_class


def for_pool():
    return Server(settings={"max-connections": "300", **mariadb.FOLLOWED, **mariadb.SHORT_LOG})
