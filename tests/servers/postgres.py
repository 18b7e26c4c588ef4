"""Starts a real PostgreSQL on a free port of the loopback and a Unix socket, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = postgres.for_class(cls)        # skips with the reason if it can't be had

    server.database()      makes an empty database and gives its URI
    server.psql(NAME, SQL) asks it by PostgreSQL's own client; rows of texts

The data folder is made once a process and copied for each server: initdb takes longer than the server.
The server does not run as root: PostgreSQL refuses that. When the process that started it dies, so does it.
"""
import atexit
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

READY_S = 30
STOP_S = 10
STARTS_MAX = 3
PSQL_S = 120


def programs():
    """The folder of the newest server's programs; SkipTest if there is none."""
    if os.environ.get("TRANSHUME_SERVERS") == "none":
        raise unittest.SkipTest("no PostgreSQL: TRANSHUME_SERVERS=none")
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise unittest.SkipTest("no PostgreSQL: no server is installed (apt-get install postgresql-15)")
    return os.path.dirname(found[-1])


def _guard():
    """What a command is started by: another user than root, and an end with this process."""
    guard = ["setpriv", "--pdeathsig", "KILL"]
    if os.geteuid() != 0:
        return guard
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise unittest.SkipTest("no PostgreSQL: there is no user postgres to run it as") from None
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "KILL"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server, user postgres without a password from the loopback. Not shared between processes."""

    def __init__(self, settings=None, hba=None, tls=False):
        self.programs = programs()
        self.process, self.port, self.count = None, 0, 0
        self.folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")   # a socket's path is 107 bytes at most
        atexit.register(self.stop)
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres", "postgres")
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                  "--no-sync")
        self._configure(settings or {}, hba, tls)
        self.start()

    def _run(self, program, *arguments):
        done = subprocess.run(_guard() + [os.path.join(self.programs, program), *arguments], cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=READY_S, check=False)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (program, done.stdout.decode("utf-8", "replace")[-2000:]))

    def _configure(self, settings, hba, tls):
        values = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                  "max_connections": "60", "log_min_messages": "warning",
                  # a crash of the machine is no matter of tests; one of the server keeps what was written
                  "fsync": "off", "full_page_writes": "off"}
        if tls:
            self._make_certificate()
            values["ssl"] = "on"
        values.update(settings)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            for name, value in values.items():
                file.write("%s = '%s'\n" % (name, value))
        if hba is not None:
            with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
                file.write(hba)

    def _make_certificate(self):
        key, certificate = (os.path.join(self.data, "server." + end) for end in ("key", "crt"))
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=READY_S)
        os.chmod(key, 0o600)
        self.certificate = os.path.join(self.folder, "root.crt")
        shutil.copy(certificate, self.certificate)
        os.chmod(self.certificate, 0o644)
        if os.geteuid() == 0:
            shutil.chown(key, "postgres", "postgres")
            shutil.chown(certificate, "postgres", "postgres")

    def start(self):
        """Also after `kill` or `stop_server`, on the same port."""
        for attempt in range(STARTS_MAX):
            self.port = self.port or free_port()
            if self._start_once():
                return
            if attempt + 1 == STARTS_MAX:
                raise AssertionError("PostgreSQL ended before it was ready:\n%s" % self.log())
            self.port = 0

    def _start_once(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                _guard() + [os.path.join(self.programs, "postgres"), "-D", self.data, "-p", str(self.port)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while self.process.poll() is None:
            ready = subprocess.run([os.path.join(self.programs, "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                                    str(self.port)], stdin=subprocess.DEVNULL, timeout=READY_S, check=False)
            if ready.returncode == 0:
                return True
            if time.monotonic() > deadline:
                raise AssertionError("PostgreSQL did not answer within %d s:\n%s" % (READY_S, self.log()))
            time.sleep(0.02)
        return False

    def log(self):
        with open(os.path.join(self.folder, "log"), "rb") as file:
            return file.read()[-2000:].decode("utf-8", "replace")

    def kill(self):
        """As a crash: SIGQUIT, at which all of its processes leave without a checkpoint."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(STOP_S)

    def stop(self):
        """Any number of times."""
        atexit.unregister(self.stop)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)   # fast: open sessions are ended
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(STOP_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # --- what tests ask

    def uri(self, name, options=""):
        return "postgres://postgres@127.0.0.1:%d/%s%s" % (self.port, name, options)

    def _client(self, program):
        """A client's path: what the distribution has in the PATH is a script that costs more than the client."""
        path = os.path.join(self.programs, program)
        return path if os.path.exists(path) else program

    def database(self):
        """The name of a new, empty database."""
        self.count += 1
        name = "test_%d" % self.count
        self.psql("postgres", "CREATE DATABASE %s" % name)
        return name

    def psql(self, name, sql):
        """The rows of the last statement, a list of texts each; NULL is None."""
        done = subprocess.run(
            [self._client("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-P", "null=\\N", "-F", "\x1f", "-R", "\x1e",
             "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", name, "-f", "-"],
            input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PSQL_S, check=False)
        if done.returncode != 0:
            raise AssertionError("psql: %s" % done.stderr.decode("utf-8", "replace"))
        text = done.stdout.decode()
        text = text[:-1] if text.endswith("\n") else text
        return [[None if value == "\\N" else value for value in row.split("\x1f")]
                for row in text.split("\x1e")] if text else []

    def dump(self, name, *options):
        """What pg_dump tells, by lines that say something."""
        done = subprocess.run([self._client("pg_dump"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *options,
                               name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PSQL_S, check=False)
        if done.returncode != 0:
            raise AssertionError("pg_dump: %s" % done.stderr.decode("utf-8", "replace"))
        return "\n".join(line for line in done.stdout.decode().splitlines()
                         if line and not line.startswith(("--", "\\restrict", "\\unrestrict")))

    def rows(self, name):
        """{(schema, table): its rows as texts, sorted} of all tables."""
        tables = self.psql(name, "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                 "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN "
                                 "('pg_catalog', 'information_schema')")
        found = {tuple(table): [] for table in tables}
        quoted = ['"%s"."%s"' % tuple(part.replace('"', '""') for part in table) for table in tables]
        all_rows = self.psql(name, " UNION ALL ".join("SELECT %d, t::text FROM %s t" % (number, table)
                                                     for number, table in enumerate(quoted))) if tables else []
        for number, row in all_rows:
            found[tuple(tables[int(number)])].append(row)
        return {table: sorted(rows) for table, rows in found.items()}


def start(**options):
    return Server(**options)


def for_class(test_class, **options):
    """The same from setUpClass; stopped when the class is done."""
    server = start(**options)
    test_class.addClassCleanup(server.stop)
    return server
