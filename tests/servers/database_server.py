"""What MariaDB's and PostgreSQL's servers have in common here: a user of their own, a port, a certificate, and an end
for sure.

The server does not run as root: both refuse that. When the process that started it dies, so does it.
"""
import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import cache
import pool
from servers import free_port

STARTS_MAX = 3
# Servers of this process that no class of tests has now, by their kind.
IDLE = {}
ASK_S = 120
LOG_SHOWN_BYTES = 2000


class Session:
    """Somebody else's connection, which stays until `close`."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, sql):
        self.process.stdin.write(sql + ";\n")
        self.process.stdin.flush()

    def ask(self, sql):
        """The first line of its answer: something in it has to give one."""
        self.send(sql)
        return self.process.stdout.readline().strip()

    def close(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _is_running(pid):
    """Not: gone, or dead and waited for by nobody."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class DatabaseServer:
    """A running server. Not shared between processes."""
    TITLE = ""            # for messages
    USER = ""             # of the machine, that it runs as
    PREFIX = ""           # of its folder's name
    MAINTENANCE = ""      # the database that others are made from
    LOGS = ("log",)       # the first takes what it prints
    SHARED = None         # the class that attaches to the pool's
    DROP = ""             # statement that drops a database, whoever is in it
    CRASH = signal.SIGKILL
    READY_S, STOP_S = 30, 10

    def __init__(self):
        self.process, self.port, self.count, self.dropped = None, 0, 0, 0
        self.guard = self._guard()
        # a socket's path is 107 bytes at most: not in the test's own folder
        self.folder = tempfile.mkdtemp(prefix=self.PREFIX, dir=os.environ.get("SERVERS_FOLDER", "/tmp"))
        atexit.register(self.stop)
        os.chmod(self.folder, 0o755)
        self.data = os.path.join(self.folder, "data")
        self.give(self.folder)

    def _guard(self):
        """What a command is started by: another user than root, and an end with this process."""
        if os.geteuid() != 0:
            return ["setpriv", "--pdeathsig", "KILL"]
        try:
            pwd.getpwnam(self.USER)
        except KeyError:
            raise unittest.SkipTest("no %s: there is no user %s to run it as" % (self.TITLE, self.USER)) from None
        return ["setpriv", "--reuid=" + self.USER, "--regid=" + self.USER, "--init-groups", "--pdeathsig", "KILL"]

    def give(self, *paths):
        """To the user that it runs as."""
        for path in paths if os.geteuid() == 0 else ():
            shutil.chown(path, self.USER, self.USER)

    def run(self, program, *arguments):
        done = subprocess.run(self.guard + [program, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=self.READY_S, check=False)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (program, done.stdout.decode("utf-8", "replace")[-LOG_SHOWN_BYTES:]))

    def copy_kept(self, name, make):
        """
        Its data folder, from one in the cache of test servers, which make(PATH) makes whole or not at all when it is
        first wanted.
        """
        kept = os.path.join(cache.cache_folder(), name)
        if not os.path.isdir(kept):
            made = os.path.join(self.folder, "made")
            os.mkdir(made, 0o700)
            self.give(made)
            make(made)
            os.makedirs(cache.cache_folder(), exist_ok=True)
            aside = tempfile.mkdtemp(prefix="made-", dir=cache.cache_folder())
            shutil.move(made, os.path.join(aside, "data"))
            try:
                os.rename(os.path.join(aside, "data"), kept)
            except OSError:
                pass   # another process was first
            shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(kept, self.data)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.USER)
            for path, folders, files in os.walk(self.data):
                for name in [path] + [os.path.join(path, name) for name in folders + files]:
                    os.chown(name, owner.pw_uid, owner.pw_gid)

    def make_certificate(self):
        """`certificate`, which is its own authority, and its key's path."""
        key, self.certificate = os.path.join(self.folder, "server.key"), os.path.join(self.folder, "root.crt")
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", self.certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=self.READY_S)
        os.chmod(key, 0o600)
        os.chmod(self.certificate, 0o644)
        self.give(key)
        return key

    def client_certificate(self, name, folder):
        """Paths of one that the server's authority signed, and of its key."""
        key, certificate, request = (os.path.join(folder, name + end) for end in (".key", ".crt", ".csr"))
        for command in (["req", "-new", "-nodes", "-subj", "/CN=" + name, "-keyout", key, "-out", request],
                        ["x509", "-req", "-in", request, "-days", "30", "-CA", self.certificate, "-CAkey",
                         os.path.join(self.folder, "server.key"),
                         "-CAcreateserial", "-CAserial", os.path.join(folder, name + ".serial"), "-out", certificate]):
            subprocess.run(["openssl", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=self.READY_S)
        os.chmod(key, 0o600)
        return certificate, key

    # --- to begin and to end

    def command(self):
        """That runs it at its port."""
        raise NotImplementedError

    def question(self):
        """A command that succeeds once it is ready."""
        raise NotImplementedError

    def start(self):
        """Also after `kill`, on the same port."""
        for attempt in range(STARTS_MAX):
            self.port = self.port or free_port()
            if self._start_once():
                return
            if attempt + 1 == STARTS_MAX:
                raise AssertionError("%s ended before it was ready:\n%s" % (self.TITLE, self.log()))
            self.port = 0

    def _start_once(self):
        with open(os.path.join(self.folder, self.LOGS[0]), "ab") as log:
            self.process = subprocess.Popen(self.guard + self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + self.READY_S
        while self.process.poll() is None:
            ready = subprocess.run(self.question(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, timeout=self.READY_S, check=False)
            if ready.returncode == 0:
                return True
            if time.monotonic() > deadline:
                raise AssertionError("%s did not answer within %d s:\n%s" % (self.TITLE, self.READY_S, self.log()))
            time.sleep(0.02)
        return False

    def log(self):
        said = b""
        for name in self.LOGS:
            with contextlib.suppress(OSError), open(os.path.join(self.folder, name), "rb") as file:
                said += file.read()[-LOG_SHOWN_BYTES:]
        return said.decode("utf-8", "replace")

    def kill(self):
        """As a crash."""
        self.process.send_signal(self.CRASH)
        self.process.wait(self.STOP_S)

    def slay(self):
        """SIGKILL to all of its processes: none has time for a last word."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        self.process.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(self.STOP_S)
        deadline = time.monotonic() + self.STOP_S
        while any(map(_is_running, children)):
            if time.monotonic() > deadline:
                raise AssertionError("%s does not die" % self.TITLE)
            time.sleep(0.005)

    def restart(self):
        """Crashes it, and starts it with what it had."""
        self.kill()
        self.start()

    def end(self):
        """The process, while it runs."""
        self.process.kill()   # its data go with it
        self.process.wait(self.STOP_S)

    def stop(self):
        """Any number of times."""
        atexit.unregister(self.stop)
        if self.process and self.process.poll() is None:
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @classmethod
    def for_class(cls, test_class, **options):
        """
        For setUpClass. A server with options ends with the class; without, the module's next class gets the same one.
        """
        if options:
            server = cls(**options)
            test_class.addClassCleanup(server.stop)
        else:
            idle = IDLE.setdefault(cls, [])
            server = idle.pop() if idle else cls()
            test_class.addClassCleanup(server.give_back, idle)
        return server

    spoiled = False

    def give_back(self, idle):
        """For the next class, if it still runs and no test damaged its files (`spoiled`)."""
        if self.process.poll() is None and not self.spoiled:
            self.drop_databases()
            idle.append(self)
        else:
            self.stop()

    @classmethod
    def shared_for_class(cls, test_class):
        """The server of the run's pool, or one for the class where there is no pool: see Shared."""
        if not pool.is_there():
            return cls.for_class(test_class)
        server = cls.SHARED()
        test_class.addClassCleanup(server.stop)
        return server

    # --- what tests ask

    def ask(self, name, sql):
        """The rows of what is asked, a list of texts each; NULL is None."""
        raise NotImplementedError

    def session(self, name):
        """A Session in a database, once it is connected."""
        session = Session(self.session_command(name))
        session.ask("SELECT 1")
        return session

    def session_command(self, name):
        """The database's own client: of answers bare rows, at once."""
        raise NotImplementedError

    def waiting(self, name):
        """How many sessions wait for a lock."""
        raise NotImplementedError

    def ask_client(self, command, sql=""):
        """What a database's own client prints."""
        done = subprocess.run(command, input=sql.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=ASK_S,
                              check=False)
        if done.returncode != 0:
            raise AssertionError("%s: %s" % (os.path.basename(command[0]), done.stderr.decode("utf-8", "replace")))
        return done.stdout

    def database(self, options=""):
        """The name of a new, empty database."""
        self.count += 1
        name = self.name_of(self.count)
        self.ask(self.MAINTENANCE, "CREATE DATABASE %s %s" % (name, options))
        return name

    def drop_databases(self):
        """
        Drops those made since the last call: queries about all databases of a server take longer with each of them.
        """
        names = [self.name_of(count) for count in range(self.dropped + 1, self.count + 1)]
        self.dropped = self.count
        if names:
            self.ask(self.MAINTENANCE, "".join(self.DROP % name for name in names))

    @staticmethod
    def name_of(count):
        return "test_%d" % count


class Shared:
    """
    Put before a server's class: the server of the run's pool, which other modules use at the same time. Each test makes
    its own
    databases in it, and they are dropped when the class ends. A test that kills, configures or starves a server or
    looks at the
    activity of the whole server needs one of its own instead. So does a test that resumes or validates what it reads
    from a
    server, because other tests' writes may count as a change of the source.
    """

    def __init__(self):
        self.process, self.count, self.dropped = None, 0, 0
        self.attach()
        self.port = pool.port(self.KIND)

    def attach(self):
        """What the server's own constructor sets beside the process."""

    @staticmethod
    def name_of(count):
        return "test_%d_%d" % (os.getpid(), count)

    def stop(self):
        """Only its databases: the server is not ours to end."""
        self.drop_databases()

    def not_ours(self, *_):
        raise AssertionError("this test shares its server and needs one of its own for that")

    start = kill = slay = restart = end = log = not_ours
