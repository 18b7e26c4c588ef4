"""Starts a real MariaDB on a free port of the loopback and a Unix socket, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = mariadb.for_class(cls)        # skips with the reason if it can't be had

    server.database()      makes an empty database and gives its name
    server.ask(NAME, SQL)  asks it by MariaDB's own client; rows of texts

The data folder is made once a machine and copied for each server: making it takes longer than the server needs to start.
The server does not run as root: MariaDB refuses that. When the process that started it dies, so does it.
"""
import atexit
import contextlib
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import cache

READY_S = 180
STOP_S = 30
STARTS_MAX = 3
ASK_S = 120
SERVER = "/usr/sbin/mariadbd"


def _guard():
    """What a command is started by: another user than root, and an end with this process."""
    guard = ["setpriv", "--pdeathsig", "KILL"]
    if os.geteuid() != 0:
        return guard
    try:
        pwd.getpwnam("mysql")
    except KeyError:
        raise unittest.SkipTest("no MariaDB: there is no user mysql to run it as") from None
    return ["setpriv", "--reuid=mysql", "--regid=mysql", "--init-groups", "--pdeathsig", "KILL"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server; user root without a password, by TCP from the loopback too. Not shared between processes."""

    def __init__(self, settings=None, tls=False):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no MariaDB: TRANSHUME_SERVERS=none")
        if not os.access(SERVER, os.X_OK) or not shutil.which("mariadb-install-db"):
            raise unittest.SkipTest("no MariaDB: no server is installed (apt-get install mariadb-server)")
        self.process, self.port, self.count = None, 0, 0
        self.folder = tempfile.mkdtemp(prefix="my-", dir="/tmp")   # a socket's path is 107 bytes at most
        atexit.register(self.stop)
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "s.sock")
        if os.geteuid() == 0:
            shutil.chown(self.folder, "mysql", "mysql")
        self._copy_data()
        self.settings = {"bind-address": "127.0.0.1", "socket": self.socket, "pid-file": self.folder + "/pid",
                         "log-error": self.folder + "/log", "tmpdir": self.folder, "skip-name-resolve": "1", "local-infile": "1",
                         "character-set-server": "utf8mb4", "max-connections": "120",
                         "performance-schema": "0", "innodb-buffer-pool-size": "64M", "innodb-log-file-size": "8M",
                         # a crash of the machine is no matter of tests; one of the server keeps what was written
                         "innodb-flush-log-at-trx-commit": "2", "innodb-flush-method": "nosync",
                         # its own bookkeeping is a transaction too
                         "innodb-stats-auto-recalc": "0", "innodb-stats-persistent": "0"}
        if tls:
            self._make_certificate()
        self.settings.update(settings or {})
        self.start()

    def _copy_data(self):
        """From a folder in the cache of test servers, which is made whole or not at all."""
        version = subprocess.run([SERVER, "--no-defaults", "--version"], stdout=subprocess.PIPE, timeout=READY_S,
                                 check=True).stdout
        kept = os.path.join(cache.cache_folder(), "mariadb-data-" + hashlib.sha256(version).hexdigest()[:16])
        if not os.path.isdir(kept):
            made = os.path.join(self.folder, "made")
            os.mkdir(made, 0o700)
            if os.geteuid() == 0:
                shutil.chown(made, "mysql", "mysql")
            self._run("mariadb-install-db", "--no-defaults", "--datadir=" + made, "--skip-test-db",
                      "--auth-root-authentication-method=normal", "--skip-name-resolve", "--innodb-log-file-size=8M",
                      "--tmpdir=" + self.folder)
            os.makedirs(cache.cache_folder(), exist_ok=True)
            aside = tempfile.mkdtemp(prefix="mariadb-", dir=cache.cache_folder())
            shutil.move(made, os.path.join(aside, "data"))
            try:
                os.rename(os.path.join(aside, "data"), kept)
            except OSError:
                pass   # another process was first
            shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(kept, self.data)
        if os.geteuid() == 0:
            for path, folders, files in os.walk(self.data):
                for name in [path] + [os.path.join(path, name) for name in folders + files]:
                    os.chown(name, pwd.getpwnam("mysql").pw_uid, pwd.getpwnam("mysql").pw_gid)

    def _run(self, program, *arguments):
        done = subprocess.run(_guard() + [program, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=READY_S, check=False)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (program, done.stdout.decode("utf-8", "replace")[-2000:]))

    def _make_certificate(self):
        key, self.certificate = os.path.join(self.folder, "server.key"), os.path.join(self.folder, "root.crt")
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", self.certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=READY_S)
        os.chmod(self.certificate, 0o644)
        if os.geteuid() == 0:
            shutil.chown(key, "mysql", "mysql")
        self.settings.update({"ssl-key": key, "ssl-cert": self.certificate})

    def start(self):
        """Also after `kill`, on the same port."""
        for attempt in range(STARTS_MAX):
            self.port = self.port or free_port()
            if self._start_once():
                return
            if attempt + 1 == STARTS_MAX:
                raise AssertionError("MariaDB ended before it was ready:\n%s" % self.log())
            self.port = 0

    def _start_once(self):
        options = ["--%s=%s" % pair for pair in self.settings.items()]
        with open(os.path.join(self.folder, "out"), "ab") as log:
            self.process = subprocess.Popen(
                _guard() + [SERVER, "--no-defaults", "--datadir=" + self.data, "--port=%d" % self.port, *options],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while self.process.poll() is None:
            ready = subprocess.run(["mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", "-P%d" % self.port,
                                    "--connect-timeout=5", "-e", "SELECT 1"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=READY_S, check=False)
            if ready.returncode == 0:
                return True
            if time.monotonic() > deadline:
                raise AssertionError("MariaDB did not answer within %d s:\n%s" % (READY_S, self.log()))
            time.sleep(0.05)
        return False

    def log(self):
        said = b""
        for name in ("out", "log"):
            with contextlib.suppress(OSError), open(os.path.join(self.folder, name), "rb") as file:
                said += file.read()[-2000:]
        return said.decode("utf-8", "replace")

    def kill(self):
        """As a crash."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)

    def stop(self):
        """Any number of times."""
        atexit.unregister(self.stop)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)   # its data go with it
            self.process.wait(STOP_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- what tests ask

    def uri(self, name, options=""):
        return "mysql://root@127.0.0.1:%d/%s%s" % (self.port, name, options)

    def database(self):
        """The name of a new, empty database."""
        self.count += 1
        name = "test_%d" % self.count
        self.ask("", "CREATE DATABASE %s" % name)
        return name

    def ask(self, name, sql, mode="NO_AUTO_VALUE_ON_ZERO"):
        """The rows of all statements, a list of texts each; NULL is None. Bytes that are no UTF-8 are escaped."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", "-P%d" % self.port, "--batch", "--skip-column-names",
             "--default-character-set=utf8mb4", "--init-command=SET sql_mode='%s', time_zone='+00:00'" % mode, name],
            input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ASK_S, check=False)
        if done.returncode != 0:
            raise AssertionError("mariadb: %s" % done.stderr.decode("utf-8", "replace"))
        text = done.stdout.decode("utf-8", "backslashreplace")
        text = text[:-1] if text.endswith("\n") else text
        return [[None if value == "NULL" else value for value in row.split("\t")]
                for row in text.split("\n")] if text else []

    def dump(self, name):
        """What mariadb-dump tells of a database's definitions, but how far its counters are."""
        done = subprocess.run(["mariadb-dump", "--no-defaults", "-uroot", "-h127.0.0.1", "-P%d" % self.port, "--no-data", "--routines",
                               "--events", "--skip-comments", name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ASK_S, check=False)
        if done.returncode != 0:
            raise AssertionError("mariadb-dump: %s" % done.stderr.decode("utf-8", "replace"))
        return re.sub(" AUTO_INCREMENT=[0-9]+", "", done.stdout.decode())

    def rows(self, name):
        """{table: its rows, sorted} of all tables."""
        tables = [table for table, in self.ask(name, "SELECT table_name FROM information_schema.tables WHERE table_schema = "
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


def start(**options):
    return Server(**options)


def for_class(test_class, **options):
    """The same from setUpClass; stopped when the class is done."""
    server = start(**options)
    test_class.addClassCleanup(server.stop)
    return server
