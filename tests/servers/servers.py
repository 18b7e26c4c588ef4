"""Starts the servers that tests talk to, on free ports of the loopback, and stops them for sure.

    class Copy(support.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = servers.for_class(cls, "dynalite")      # skips with the reason if it can't be had

    with servers.start("dynoxide") as server: ...

A server has an `endpoint`, a memory limit, and a deadline to be ready in. It is stopped by `stop`, which the
two forms above call, and at the latest by the kernel, when the process that started it dies.
"""
import atexit
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import cache
from cache import Unavailable

READY_S = 30
STOP_S = 5
STARTS_MAX = 3
LOG_SHOWN_BYTES = 2000
MEBIBYTE = 1 << 20
REGION = "us-east-1"
ACCESS_KEY_ID = "AKIDTEST00000000TEST"
SECRET_ACCESS_KEY = "test/secret/key/of/no/account/at/all0000"


def _dynalite(path, port):
    return ["node", "--max-old-space-size=512", path, "--host", "127.0.0.1", "--port", str(port),
            "--createTableMs", "20", "--deleteTableMs", "20", "--updateTableMs", "20"]


def _moto(path, port):
    return [path, "-H", "127.0.0.1", "-p", str(port)]


def _dynoxide(path, port):
    return [path, "--host", "127.0.0.1", "--port", str(port)]


def _versitygw(path, port):
    """A gateway to a folder. Its first user is made by ROOT_ACCESS_KEY and ROOT_SECRET_KEY."""
    return ["sh", "-c", 'mkdir -p users data && exec "$0" "$@" --iam-dir "$PWD/users" posix data', path, "--port",
            "127.0.0.1:%d" % port, "--region", REGION,
            "--quiet"]


# name: (command, most bytes of private memory). moto has every AWS service under one port.
SERVERS = {"dynalite": (_dynalite, 1024 * MEBIBYTE), "moto": (_moto, 1024 * MEBIBYTE),
           "dynoxide": (_dynoxide, 1024 * MEBIBYTE), "versitygw": (_versitygw, 2048 * MEBIBYTE)}


def with_options(command, options):
    """Options in pairs, each instead of the usual one of its name."""
    for name, value in zip(options[::2], options[1::2]):
        if name in command:
            at = command.index(name)
            command = command[:at] + command[at + 2:]
        command = command + [name, value]
    return command


class Server:
    """A running server. Not shared between processes."""

    def __init__(self, name, environment=None, options=()):
        self.name, self.process, self.port = name, None, 0
        self.environment, self.options = environment or {}, list(options)
        self.path = cache.get(name)
        self.folder = tempfile.mkdtemp(prefix="server-")
        atexit.register(self.stop)
        for attempt in range(STARTS_MAX):
            self.port = free_port()
            # Its port may have been taken by somebody else meanwhile.
            if self._start() or attempt + 1 == STARTS_MAX:
                break
        if self.process.poll() is not None:
            log = self.log()
            self.stop()
            raise AssertionError("%s ended before it was ready:\n%s" % (name, log))

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.port

    def _start(self):
        command, memory_bytes = SERVERS[self.name]
        # setpriv and prlimit are of util-linux; each replaces itself by what follows.
        guard = ["setpriv", "--pdeathsig", "KILL", "prlimit", "--data=%d" % memory_bytes, "--core=0"]
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("AWS_", "TRANSHUME_"))}
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(
                guard + with_options(command(self.path, self.port), self.options), cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=dict(environment, **self.environment))
        deadline = time.monotonic() + READY_S
        while self.process.poll() is None:
            if answers(self.port):
                return True
            if time.monotonic() > deadline:
                log = self.log()
                self.stop()
                raise AssertionError("%s did not answer within %d s:\n%s" % (self.name, READY_S, log))
            time.sleep(0.02)
        return False

    def restart(self, seconds_down=0.0):
        """Ends it, as a machine would that is shut down, and starts it again at the same port."""
        self.process.terminate()
        self.process.wait(STOP_S)
        time.sleep(seconds_down)
        if not self._start():
            raise AssertionError("%s did not come back:\n%s" % (self.name, self.log()))

    def log(self):
        with open(os.path.join(self.folder, "log"), "rb") as file:
            return file.read()[-LOG_SHOWN_BYTES:].decode("utf-8", "replace")

    def stop(self):
        """Any number of times."""
        atexit.unregister(self.stop)
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def s3_for_class(test_class, strict=True):
    """
    (server, boto3's client) of a store of S3: a strict one, if it was fetched (`make servers`), else moto, which looks
    at no signature, digest or condition of a part.
    """
    module = boto3()
    root = {"ROOT_ACCESS_KEY": ACCESS_KEY_ID, "ROOT_SECRET_KEY": SECRET_ACCESS_KEY}
    try:
        if not strict:
            raise unittest.SkipTest("it is not wanted")
        server = for_class(test_class, "versitygw", root)
    except unittest.SkipTest:
        server = for_class(test_class, "moto")
    from botocore.config import Config
    client = module.session.Session().client(
        "s3", endpoint_url=server.endpoint, region_name=REGION, aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}))
    return server, client


def start(name, environment=None, options=()):
    """A server, or unittest.SkipTest with the reason why there is none. `options` follow its usual ones."""
    try:
        return Server(name, environment, options)
    except Unavailable as fault:
        raise unittest.SkipTest("no %s: %s" % (name, fault)) from fault


def for_class(test_class, name, environment=None, options=()):
    """The same from setUpClass; stopped when the class is done."""
    server = start(name, environment, options)
    test_class.addClassCleanup(server.stop)
    return server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Does an HTTP server answer there? What it says is of no interest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# --- other people's clients

def boto3():
    """The module boto3, from the cache; unittest.SkipTest if it can't be had."""
    try:
        path = cache.get("boto3")
    except Unavailable as fault:
        raise unittest.SkipTest("no boto3: %s" % fault) from fault
    packages = os.path.dirname(os.path.dirname(path))
    if packages not in sys.path:
        sys.path.insert(0, packages)
    import boto3 as module
    return module


def dynamodb_client(endpoint, **changes):
    """boto3's low-level DynamoDB client: attributes stay typed, numbers stay texts."""
    module = boto3()
    from botocore.config import Config
    settings = dict(region_name=REGION, aws_access_key_id=ACCESS_KEY_ID,
                    aws_secret_access_key=SECRET_ACCESS_KEY,
                    config=Config(connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 3}))
    settings.update(changes)
    return module.session.Session().client("dynamodb", endpoint_url=endpoint, **settings)


def aws_environment(folder, **changes):
    """
    What the program may know of AWS in a test: keys of no account, and nothing of the user's own. A value None
    takes a variable away, as support.start does.
    """
    environment = {name: None for name in os.environ if name.startswith("AWS_")}
    environment.update(AWS_ACCESS_KEY_ID=ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
                       AWS_CONFIG_FILE=os.path.join(folder, "no-aws-config"),
                       AWS_SHARED_CREDENTIALS_FILE=os.path.join(folder, "no-aws-credentials"),
                       AWS_EC2_METADATA_DISABLED="true", HOME=folder)
    environment.update(changes)
    return environment
