"""
The web server of --dashboard and --metrics beyond this machine: HTTPS, the token of metrics, and clients that are slow
or broken.
"""
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
from urllib.parse import urlsplit

import support
from test_dashboard import TOKEN, DashboardCase

METRICS_TOKEN = "metrics-token-of-32-characters.."
CLIENTS, SECONDS, THREADS = 500, 8, 10


def certificate(folder, name="server", bits=0o600):
    """(certificate, key) of localhost and 127.0.0.1, which is its own authority."""
    paths = [os.path.join(folder, name + end) for end in (".crt", ".key")]
    subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                   check=True, stderr=subprocess.DEVNULL, timeout=60)
    os.chmod(paths[0], 0o644)
    os.chmod(paths[1], bits)
    return paths


class WebCase(DashboardCase):
    def serve_at(self, *arguments, env=None):
        """(the process, its port, what it warned of so far is still to be read)"""
        process = support.start("serve", *arguments, cwd=self.folder, env={"TRANSHUME_TOKEN": TOKEN, **(env or {})})
        self.addCleanup(self.end, process)
        line = process.stdout.readline().decode()
        found = re.fullmatch(r"dashboard: (https?)://(\S+):(\d+)/\?token=%s\n" % TOKEN, line)
        self.assertTrue(found, line)
        return process, found.group(1), int(found.group(3))

    def serve_tls(self, *arguments, env=None):
        self.certificate, self.key = certificate(self.folder)
        process, scheme, port = self.serve_at("--dashboard", "0", "--tls-cert", self.certificate, "--tls-key", self.key,
                                              *arguments, env=env)
        self.assertEqual(scheme, "https")
        return process, port

    def trusting(self, authority):
        context = ssl.create_default_context(cafile=authority)
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context

    def get_by(self, port, path, headers=None, context=None, timeout=20):
        """(status, headers as text, body)"""
        connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_hostname="localhost")
            lines = {"Host": "localhost:%d" % port, "Connection": "close", **(headers or {})}
            connection.sendall(("GET %s HTTP/1.1\r\n%s\r\n" % (path,
                                                               "".join("%s: %s\r\n" % line
                                                                       for line in lines.items()))).encode())
            answer = b""
            while True:
                got = connection.recv(65536)
                if not got:
                    break
                answer += got
        finally:
            connection.close()
        head, _, body = answer.decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body


class Https(WebCase):
    def test_pages_tokens_and_cookies(self):
        process, port = self.serve_tls()
        context = self.trusting(self.certificate)
        bearer = {"Authorization": "Bearer " + TOKEN}
        self.assertEqual(self.get_by(port, "/healthz", context=context)[::2], (200, "ok\n"))
        self.assertEqual(self.get_by(port, "/api/runs", context=context)[0], 401)
        self.assertEqual(self.get_by(port, "/api/runs", bearer, context=context)[0], 200)
        head = self.get_by(port, "/?token=" + TOKEN, context=context)[1]
        self.assertRegex(head, r"Set-Cookie: transhume_%d=%s; Path=/; HttpOnly; SameSite=Strict; Secure" % (port,
            TOKEN))
        self.assertEqual(self.get_by(port, "/api/runs", {**bearer, "Host": "evil.example"}, context=context)[0], 403)
        with self.assertRaises((OSError, IndexError)):
            self.get_by(port, "/healthz")
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 0)

    def test_versions(self):
        _, port = self.serve_tls()
        for name, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                            (ssl.TLSVersion.TLSv1_3, True)):
            context = self.trusting(self.certificate)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = name
            if works:
                self.assertEqual(self.get_by(port, "/healthz", context=context)[0], 200)
            else:
                with self.assertRaises(OSError):
                    self.get_by(port, "/healthz", context=context)

    def test_metrics_of_a_run(self):
        self.make_source(2000)
        files = certificate(self.folder)
        process = support.start("migrate", "--plan", "plan.yaml", "--metrics", "0", "--rows-per-second", "300",
                                "--progress", "none", "-v", "--tls-cert", files[0],
                                "--tls-key", files[1], cwd=self.folder, env={"TRANSHUME_METRICS_TOKEN": METRICS_TOKEN})
        self.addCleanup(self.end, process)
        found = None
        while found is None:
            line = process.stderr.readline().decode()
            self.assertTrue(line, "it ended")
            found = re.search(r"metrics are at https://127\.0\.0\.1:(\d+)/metrics", line)
        port, context = int(found.group(1)), self.trusting(files[0])
        self.assertEqual(self.get_by(port, "/metrics", context=context)[0], 401)
        self.assertEqual(self.get_by(port, "/metrics", {"Authorization": "Bearer " + METRICS_TOKEN,
                                                        "Host": "evil.example"}, context=context)[0], 403)
        status, _, body = self.get_by(port, "/metrics", {"Authorization": "Bearer " + METRICS_TOKEN}, context=context)
        self.assertEqual((status, "transhume_" in body), (200, True), body)
        self.assertEqual(self.get_by(port, "/healthz", context=context)[0], 200)

    def test_a_renewed_certificate_is_served(self):
        _, port = self.serve_tls()
        former = self.certificate
        kept = self.path("former.crt")
        os.link(former, kept)
        files = certificate(self.folder, "renewed")
        os.rename(files[0], self.certificate)  # the key follows later: until then the former one is served
        begun = time.monotonic()
        while time.monotonic() - begun < 4:
            self.assertEqual(self.get_by(port, "/healthz", context=self.trusting(kept))[0], 200)
            time.sleep(0.5)
        os.rename(files[1], self.key)

        def is_served():
            try:
                return self.get_by(port, "/healthz", context=self.trusting(self.certificate))[0] == 200
            except OSError:
                time.sleep(0.5)
                return False
        self.wait_until("the new certificate is served", is_served, 40 * support.PATIENCE)

    def test_a_renewed_certificate_that_can_not_be_served(self):
        """GnuTLS looks at the whole chain: the former one is served on, and the socket that listens is still there."""
        _, port = self.serve_tls()
        kept = self.path("former.crt")
        os.link(self.certificate, kept)
        with open(kept, encoding="ascii") as file:
            whole = file.read()
        for number in range(2):
            self.write("damaged.crt", whole + "-----BEGIN CERTIFICATE-----\nMIIB%s\n-----END CERTIFICATE-----\n"
                       % ("A" * (40 + 4 * number)))
            os.chmod(self.path("damaged.crt"), 0o600)
            os.rename(self.path("damaged.crt"), self.certificate)
            begun = time.monotonic()
            while time.monotonic() - begun < 4:
                time.sleep(0.5)
                try:
                    self.assertEqual(self.get_by(port, "/healthz", context=self.trusting(kept))[0], 200)
                except ConnectionResetError:   # its connections end when the daemon is made again
                    pass
            self.assertEqual(self.get_by(port, "/healthz", context=self.trusting(kept))[0], 200)

    def test_files_that_are_none(self):
        files = certificate(self.folder)
        other = certificate(self.folder, "other")
        encrypted = self.path("encrypted.key")
        subprocess.run(["openssl", "pkey", "-in", files[1], "-aes256", "-passout", "pass:x", "-out", encrypted],
                       check=True, timeout=60)
        self.write("nothing", "nothing\n")
        os.chmod(self.path("nothing"), 0o600)
        os.mkfifo(self.path("pipe"), 0o600)   # nobody writes into it: to open it would wait for ever
        self.make_source(10)
        for code, said, *given in ((2, "--tls-cert: needs --tls-key FILE", "--tls-cert", files[0]),
                                   (2, "--tls-key: needs --tls-cert FILE", "--tls-key", files[1]),
                                   (2, "missing: there is no such file", "--tls-cert", "missing", "--tls-key",
                                    files[1]),
                                   (2, "nothing: there is no certificate in it", "--tls-cert", "nothing", "--tls-key",
                                    files[1]),
                                   (2, "nothing: there is no private key in it", "--tls-cert", files[0], "--tls-key",
                                    "nothing"),
                                   (2, "encrypted.key: its key is encrypted", "--tls-cert", files[0], "--tls-key",
                                    encrypted),
                                   (2, "other.key: it is not the key of the certificate", "--tls-cert", files[0],
                                    "--tls-key", other[1]),
                                   (2, "pipe: this is no regular file", "--tls-cert", "pipe", "--tls-key", files[1]),
                                   (2, "pipe: this is no regular file", "--tls-cert", files[0], "--tls-key", "pipe")):
            for command in (["serve", "--dashboard", "0"], ["migrate", "--plan", "plan.yaml", "--metrics", "0"]):
                result = self.run_program(*command, *given, code=code)
                self.assertEqual([said in line for line in result.err.splitlines() if line.startswith("error:")],
                                 [True], result.err)
                self.assertFalse(os.path.exists(self.path("out")), "it began")
        os.chmod(files[1], 0o644)
        self.assertIn("everybody may read it", self.run_program("serve", "--dashboard", "0", "--tls-cert", files[0],
                                                                "--tls-key", files[1], code=5).err)
        self.serve_at("--dashboard", "0", "--tls-cert", files[0], "--tls-key", files[1], "--trust-files")
        self.assertIn("--metrics-token: it is no token", self.run_program("serve", "--dashboard", "0",
                                                                          env={"TRANSHUME_METRICS_TOKEN": "short"},
                                                                          code=2).err)

    def test_what_guards_nothing_is_refused(self):
        self.make_source(10)
        for said, *given in (("--token: needs --dashboard beside it", "--token", METRICS_TOKEN, "--metrics", "0"),
                             ("--metrics-token: needs --dashboard or --metrics beside it", "--metrics-token",
                              METRICS_TOKEN),
                             ("--tls-cert: needs --dashboard or --metrics beside it", "--tls-cert", "c.pem",
                              "--tls-key", "k.pem"),
                             ("--tls-key: needs --dashboard or --metrics beside it", "--tls-key", "k.pem")):
            result = self.run_program("migrate", "--plan", "plan.yaml", *given, code=2)
            self.assertIn("error: %s [usage]" % said, result.err)
            self.assertFalse(os.path.exists(self.path("out")), "it began")
        # the environment is there for other commands, too
        self.migrate(code=1, env={"TRANSHUME_METRICS_TOKEN": METRICS_TOKEN, "TRANSHUME_TLS_CERT": "c.pem",
                                  "TRANSHUME_TOKEN": METRICS_TOKEN})


class BeyondThisMachine(WebCase):
    def warnings(self, *arguments):
        process, _, _ = self.serve_at(*arguments)
        process.send_signal(signal.SIGINT)
        return support.finish(process).err

    def test_plain_http_is_warned_of(self):
        files = certificate(self.folder)
        self.assertIn("warning: the dashboard listens beyond this machine without TLS",
                      self.warnings("--dashboard", "0.0.0.0:0"))
        for arguments in (["--dashboard", "0"], ["--dashboard", "[::1]:0"],
                          ["--dashboard", "0.0.0.0:0", "--tls-cert", files[0], "--tls-key", files[1]]):
            self.assertNotIn("TLS", self.warnings(*arguments))

    def test_metrics_with_a_token(self):
        self.make_source(10)
        for address, token, warned in (("0.0.0.0:0", METRICS_TOKEN, True), ("0.0.0.0:0", None, False),
                                       ("0", METRICS_TOKEN, False)):
            err = self.migrate("--metrics", address, code=1, env={"TRANSHUME_METRICS_TOKEN": token}).err
            shutil.rmtree(self.path("out"))
            shutil.rmtree(self.path(".transhume"))
            self.assertEqual("metrics are served beyond this machine without TLS" in err, warned, err)

    def test_every_path_is_asked_for_by_its_name(self):
        process, _, port = self.serve_at("--dashboard", "0", env={"TRANSHUME_METRICS_TOKEN": METRICS_TOKEN})
        token = {"Authorization": "Bearer " + METRICS_TOKEN}
        for path in ("/metrics", "/healthz", "/readyz", "/", "/api/runs", "/nothing"):
            for host in ("evil.example", "127.0.0.1.evil.example:%d" % port, "localhost:1", "localhost", ""):
                self.assertEqual(self.get_by(port, path, {"Host": host, **token})[0], 403, (path, host))
        for host in ("localhost", "127.0.0.1", "[::1]"):
            self.assertEqual(self.get_by(port, "/metrics", {"Host": "%s:%d" % (host, port), **token})[0], 200, host)
        for wrong in ({}, {"Authorization": "Bearer " + TOKEN}, {"Authorization": "Bearer " + METRICS_TOKEN + "x"},
                      {"Authorization": METRICS_TOKEN}):
            self.assertEqual(self.get_by(port, "/metrics", wrong)[0], 401, wrong)
        self.assertEqual(self.get_by(port, "/api/runs", token)[0], 401)
        self.end(process)


class Slow:
    """A client that does one thing wrong, and again on a new connection once it was dropped."""
    HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-long: "
    ANY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    KINDS = ("silent", "a byte a second", "half-closed", "never reads", "garbage", "half a handshake",
             "a handshake by bytes", "keeps it open")

    def __init__(self, number, port, context):
        self.kind = self.KINDS[number % len(self.KINDS)]
        self.port, self.context = port, context
        self.connection, self.connections = None, 0

    def open(self):
        self.connections += 1
        self.connection = socket.socket()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.connection.settimeout(5)
        self.connection.connect(("127.0.0.1", self.port))
        self.hello = b""
        if self.context is not None or "handshake" in self.kind:
            out = ssl.MemoryBIO()
            try:
                (self.context or self.ANY).wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
            except ssl.SSLWantReadError:
                self.hello = out.read()
        if self.context is not None and self.kind in ("a byte a second", "half-closed", "never reads", "keeps it open"):
            self.connection.settimeout(2)
            self.connection = self.context.wrap_socket(self.connection, server_hostname="localhost")
        if self.kind == "a byte a second":
            self.connection.sendall(self.HEAD)
        elif self.kind == "half-closed":
            self.connection.sendall(self.HEAD)
            socket.socket.shutdown(self.connection, socket.SHUT_WR)
        elif self.kind == "never reads":
            self.connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % self.port * 40)
        elif self.kind == "keeps it open":
            self.connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % self.port)
        elif self.kind == "garbage":
            self.connection.sendall(os.urandom(200))
        elif self.kind == "half a handshake":
            self.connection.sendall(self.hello)
        self.connection.settimeout(0.2)

    def step(self):
        """Once a second."""
        try:
            if self.connection is None:
                self.open()
            elif self.kind == "a byte a second":
                self.connection.sendall(b"x")
            elif self.kind == "a handshake by bytes":
                self.connection.sendall(self.hello[:1] or b"x")
                self.hello = self.hello[1:]
            elif self.kind != "never reads" and select.select([self.connection], [], [],
                                                              0)[0] and not self.connection.recv(4096):
                self.close()
        except OSError:
            self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class SlowClients(WebCase):
    """However many they are, whoever sends a request at once has its answer at once."""

    def setUp(self):
        super().setUp()
        self.make_source(100)
        self.migrate(code=1)

    @staticmethod
    def play(crowd, ended):
        while not ended.is_set():
            begun = time.monotonic()
            for client in crowd:
                if ended.is_set():
                    break
                client.step()
            ended.wait(max(0.0, 1 - (time.monotonic() - begun)))
        for client in crowd:
            client.close()

    def slowest(self, process, port, context):
        """Of the answers while the crowd is there, and how many files the server had open at most."""
        crowd, ended = [Slow(number, port, context) for number in range(CLIENTS)], threading.Event()
        threads = [threading.Thread(target=self.play, args=(crowd[first::THREADS], ended)) for first in range(THREADS)]
        slowest, files, asked = 0.0, 0, 0
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                begun = time.monotonic()
                self.assertEqual(self.get_by(port, "/healthz", context=context)[0], 200)
                slowest = max(slowest, time.monotonic() - begun)
                files = max(files, len(os.listdir("/proc/%d/fd" % process.pid)))
                asked += 1
                time.sleep(0.1)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        opened = sum(client.connections for client in crowd)
        self.assertGreaterEqual(opened, CLIENTS)
        return slowest, files, asked

    def check(self, process, port, context):
        before = len(os.listdir("/proc/%d/fd" % process.pid))
        slowest, files, asked = self.slowest(process, port, context)
        self.assertLess(slowest, 1.0 * support.PATIENCE)
        self.assertGreaterEqual(asked, SECONDS)
        self.assertLessEqual(files - before, 170)
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 0)

    def test_plain(self):
        process, _, port = self.serve_at("--dashboard", "0")
        bearer = "Authorization: Bearer %s\r\n" % TOKEN
        [run] = json.loads(self.get_by(port, "/api/runs", {"Authorization": "Bearer " + TOKEN})[2])["runs"]
        with socket.create_connection(("127.0.0.1", port), timeout=30 * support.PATIENCE) as page:
            page.sendall(("GET /api/runs/%s/events HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n" % (run["key"], port,
                bearer)).encode())
            self.assertIn(b"200", page.recv(200))
            self.check(process, port, None)

    def test_tls(self):
        process, port = self.serve_tls()
        self.check(process, port, self.trusting(self.certificate))

    def test_pages_that_follow_have_a_bound(self):
        _, _, port = self.serve_at("--dashboard", "0")
        [run] = json.loads(self.get_by(port, "/api/runs", {"Authorization": "Bearer " + TOKEN})[2])["runs"]
        request = ("GET /api/runs/%s/events HTTP/1.1\r\nHost: localhost:%d\r\nAuthorization: Bearer %s\r\n\r\n"
                   % (run["key"], port, TOKEN)).encode()
        pages, answers = [], []
        try:
            for _ in range(60):
                pages.append(socket.create_connection(("127.0.0.1", port), timeout=30 * support.PATIENCE))
                pages[-1].sendall(request)
                answers.append(pages[-1].recv(64).split()[1])
            self.assertEqual(answers, [b"200"] * 48 + [b"503"] * 12)
            self.assertEqual(self.get_by(port, "/healthz")[0], 200)
        finally:
            for page in pages:
                page.close()


if __name__ == "__main__":
    unittest.main()
