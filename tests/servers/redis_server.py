"""Starts a real Redis on a free port of the loopback, and stops it for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = redis_server.shared_for_class(cls)    # skips with the reason if it can't be had

    server.database()             the number of an empty database
    server.ask(NUMBER, words…)    what Redis's own protocol answers: int, bytes, None, lists
    redis_server.Cluster(3)       masters that share the slots

A server's databases are numbers, which a counter in database 0 gives out, so that all tests of a run can share one
server.
"""
import os
import shutil
import socket
import subprocess
import time
import unittest

from database_server import DatabaseServer, Shared
from servers import free_port

DATABASES = 60000
ANSWER_S = 60


def program(name="redis-server"):
    """SkipTest if it is not installed."""
    if os.environ.get("TRANSHUME_SERVERS") == "none":
        raise unittest.SkipTest("no Redis: TRANSHUME_SERVERS=none")
    found = shutil.which(name)
    if not found:
        raise unittest.SkipTest("no Redis: no server is installed (apt-get install redis-server)")
    return found


class Refused(Exception):
    """Redis answered with an error."""


class Client:
    """One connection, version 2 of the protocol; shares no code with the program."""

    def __init__(self, port, number=0, password=None, address="127.0.0.1"):
        self.socket = socket.create_connection((address, port), ANSWER_S)
        self.file = self.socket.makefile("rb")
        if password:
            self.ask("AUTH", password)
        if number:
            self.ask("SELECT", number)

    def send(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    def answer(self):
        line = self.file.readline()
        if not line:
            raise EOFError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode("utf-8", "replace"))
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            value = self.file.read(int(rest))
            self.file.read(2)
            return value
        return [self.answer() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def pipeline(self, commands):
        """The answers to many commands, some thousand under way."""
        answers = []
        for begin in range(0, len(commands), 1000):
            some = commands[begin:begin + 1000]
            for words in some:
                self.send(*words)
            answers += [self.answer() for _ in some]
        return answers

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server(DatabaseServer):
    """`options` are arguments of redis-server. Not shared between processes."""
    TITLE, PREFIX = "Redis", "redis-"
    READY_S = 30

    def __init__(self, options=(), append_only=True, tls=False, password=None):
        self.password = password
        self.program = program()
        super().__init__()
        os.makedirs(self.data)
        self.options = ["--databases", str(DATABASES), "--save", "", "--appendonly", "yes" if append_only else "no",
                        *options]
        self.options += ["--requirepass", password] if password else []
        self.tls = tls
        if tls:
            key = self.make_certificate()
            self.options += ["--tls-cert-file", self.certificate, "--tls-key-file", key, "--tls-ca-cert-file",
                             self.certificate, "--tls-auth-clients", "no"]
        self.clients, self.tls_port = {}, 0
        self.start()

    def _guard(self):
        return ["setpriv", "--pdeathsig", "KILL"]   # it does run as root

    def give(self, *_):
        """Nobody else's."""

    def command(self):
        port = ["--port", str(self.port)]
        if self.tls:
            self.tls_port = self.tls_port or free_port()
            port += ["--tls-port", str(self.tls_port)]
        return [self.program, *port, "--bind", "127.0.0.1", "--dir", self.data, "--protected-mode", "no", *self.options]

    def question(self):
        return [program("redis-cli"), "-e", "-p", str(self.port), *(["-a", self.password] if self.password else []),
                "PING"]

    def kill(self):
        self.disconnect()
        super().kill()

    def stop(self):
        self.disconnect()
        super().stop()

    def disconnect(self):
        for client in self.clients.values():
            client.close()
        self.clients = {}

    # --- what tests ask

    def client(self, number):
        if number not in self.clients:
            self.clients[number] = Client(self.port, number, self.password)
        return self.clients[number]

    def ask(self, number, *words):
        return self.client(number).ask(*words)

    def database(self, options=""):
        return self.ask(0, "INCR", "numbers")

    def empty(self, number):
        self.ask(number, "FLUSHDB")

    def drop_databases(self):
        """They are small."""

    def uri(self, number, options=""):
        return "redis://127.0.0.1:%d/%d%s" % (self.port, number, options)


class SharedServer(Shared, Server):
    KIND = "redis_server"

    def attach(self):
        self.clients, self.password = {}, None

    def stop(self):
        self.disconnect()


Server.SHARED = SharedServer
for_class, shared_for_class = Server.for_class, Server.shared_for_class


def for_pool():
    return Server(append_only=False)


class Cluster:
    """Masters that share the slots, each a Server with an append-only file; `replicas` of each."""

    def __init__(self, masters=3, replicas=0):
        self.nodes = []
        for _ in range(masters * (1 + replicas)):
            bus = free_port()
            self.nodes.append(Server(["--databases", "1", "--cluster-enabled", "yes", "--cluster-port", str(bus),
                                      "--cluster-config-file", "nodes.conf",
                                      "--cluster-node-timeout", "2000"]))
        done = subprocess.run([program("redis-cli"), "--cluster", "create",
                               *("127.0.0.1:%d" % node.port for node in self.nodes),
                               "--cluster-replicas", str(replicas), "--cluster-yes"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout.decode("utf-8", "replace")[-2000:])
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 60
        while not all(b"cluster_state:ok" in node.ask(0, "CLUSTER", "INFO") for node in self.nodes):
            if time.monotonic() > deadline:
                raise AssertionError("the cluster is not ready")
            time.sleep(0.05)

    def uri(self, options=""):
        return "redis://127.0.0.1:%d%s" % (self.nodes[0].port, options)

    def everything(self):
        """{key: type} of all masters."""
        found = {}
        for node in self.nodes:
            if b"role:master" in node.ask(0, "INFO", "replication"):
                for key in node.ask(0, "KEYS", "*"):
                    found[key] = node
        return found

    def stop(self):
        for node in self.nodes:
            node.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
