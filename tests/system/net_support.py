"""What the tests of src/net share: the probe, botocore as the other opinion, and servers that follow a script."""
import atexit
import datetime
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import cache  # noqa: E402

PROBE = os.path.join(support.BUILD, "net_probe")
DATA = os.path.join(support.ROOT, "tests", "data")
TIME_LIMIT_S = 60
# of AWS's token service
STS_ANSWER = """<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials></{action}Result>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"""
SOCKET_LIMIT_S = 30


def stamp(seconds_from_now):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Probed:
    """What the probe printed: its JSON, and its log."""

    def __init__(self, result, log):
        self.result, self.log = result, log


def clean_environment(changes=None, home=None):
    """This process's environment without anything of AWS or of proxies, and with `changes`."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
                   and not name.startswith("BOTO")}
    if home:
        environment["HOME"] = home
    environment.update(changes or {})
    return environment


def run(command, given, environment, time_limit=TIME_LIMIT_S):
    process = subprocess.run(command, input=json.dumps(given).encode(), env=environment,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                             timeout=time_limit * support.PATIENCE)
    log = process.stderr.decode("utf-8", "replace")
    if process.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (command, process.returncode, log))
    return Probed(json.loads(process.stdout), log)


def probe(command, given, environment=None, home=None, time_limit=TIME_LIMIT_S):
    return run([PROBE, command], given, clean_environment(environment, home), time_limit)


class Botocore:
    """A process that has botocore, asked line by line; started when first needed, ended with the tests."""

    def __init__(self):
        self.process = None

    def start(self):
        try:
            shown = cache.get("boto3")
        except cache.Unavailable as why:
            raise unittest.SkipTest("no botocore: %s" % why) from None
        python = os.path.join(shown[:shown.index("/lib/")], "bin", "python")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "net_botocore.py")
        self.process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=clean_environment(home="/nowhere"))
        atexit.register(self.stop)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ask(self, command, given, environment):
        if not self.process:
            self.start()
        line = json.dumps({"command": command, "given": given, "environment": environment or {}})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        timer = threading.Timer(TIME_LIMIT_S * support.PATIENCE, self.process.kill)
        timer.start()
        answer = self.process.stdout.readline()
        timer.cancel()
        if not answer:
            raise AssertionError("botocore's process ended")
        return json.loads(answer)


BOTOCORE = Botocore()


def botocore(command, given, environment=None):
    """The same question to botocore. Skips the test where it can't be had."""
    return BOTOCORE.ask(command, given, environment)


# ---------------------------------------------------------------- servers by script


class Peer:
    """One connection that the server took, for its handler."""

    def __init__(self, connection, server):
        self.connection, self.server = connection, server
        connection.settimeout(SOCKET_LIMIT_S)
        self.file = connection.makefile("rb")

    def request(self):
        """(method, target, headers in lower case, body), or None at the end of the connection."""
        line = self.file.readline(65536)
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while True:
            line = self.file.readline(65536).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.file.read(int(headers.get("content-length", "0")))
        self.server.requests.append((method, target, headers, body))
        return method, target, headers, body

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def answer(self, status=200, body=b"", headers=(), head=False):
        """With `head`, the answer to HEAD: all but the body."""
        body = body if isinstance(body, bytes) else body.encode()
        lines = ["HTTP/1.1 %d X" % status, "Content-Length: %d" % len(body)]
        lines += ["%s: %s" % pair for pair in dict(headers).items()]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head else body))

    def reset(self):
        """Ends the connection with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.connection.close()

    def wait(self):
        """Until the server is stopped."""
        self.server.stopping.wait(SOCKET_LIMIT_S)


class ScriptedServer:
    """Listens on the loopback; `handle(peer)` is called for each connection, on a thread of its own.

    `requests` are all that came; `faults` what handlers raised.
    """

    def __init__(self, handle, tls=None, host="127.0.0.1", listening=True):
        self.handle, self.tls = handle, tls
        self.requests, self.faults, self.connections = [], [], 0
        self.stopping = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, 0))
        if listening:
            self.listener.listen(128)
        self.listener.settimeout(0.1)
        self.port = self.listener.getsockname()[1]
        self.url = "%s://%s:%d" % ("https" if tls else "http",
                                   "[%s]" % host if ":" in host else host, self.port)
        self.threads, self.open = [], []
        self.thread = threading.Thread(target=self._accept if listening else lambda: None)
        self.thread.start()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except (socket.timeout, OSError):
                continue
            self.connections += 1
            self.open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self.threads.append(thread)

    def _serve(self, connection):
        peer = None
        try:
            connection.settimeout(SOCKET_LIMIT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            peer = Peer(connection, self)
            self.handle(peer)
        except OSError:
            pass  # the client went away, which is what many tests want
        except Exception as fault:  # pylint: disable=broad-except
            self.faults.append(fault)
        finally:
            if peer:
                try:
                    peer.file.close()
                except OSError:
                    pass
            connection.close()

    def stop(self):
        self.stopping.set()
        self.thread.join(SOCKET_LIMIT_S)
        self.listener.close()
        for connection in self.open:  # clients may keep theirs
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(SOCKET_LIMIT_S)
        if self.faults:
            raise AssertionError("a handler failed: %r" % self.faults[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answering(respond):
    """A handler that keeps connections and answers each request: respond(method, target, headers, body) gives
    (status, body, headers) or a shorter tuple."""
    def handle(peer):
        while True:
            request = peer.request()
            if request is None:
                return
            peer.answer(*respond(*request), head=request[0] == "HEAD")
    return handle
