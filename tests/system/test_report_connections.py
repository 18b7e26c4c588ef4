"""
How source and target were reached, as the report says it: what the servers themselves saw of the program's connections.
"""
import glob
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import dynamodb_case
import items
import mariadb
import postgres
import support
import tcp_proxy
import test_net_http
import test_report

# None of the user's own settings.
CLEAN = {name: None for name in os.environ if name.startswith(("PG", "MYSQL"))}
WORDS = {"peer-verified": "%s, peer verified", "authority-verified": "%s, authority verified, not the name",
         "unverified": "%s, peer not verified",
         "plaintext": "not encrypted", "plaintext-loopback": "not encrypted (loopback)", "local-socket": "local socket"}


def own_address():
    """One of this machine's that is no loopback; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))   # nothing is sent
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


class Case(test_report.ReportCase):
    def copy(self, source, target, *options, code=0, **changes):
        self.tries = getattr(self, "tries", 0) + 1
        state = "state%d" % self.tries
        self.run_program("migrate", *options, source, target, "--state", self.path(state), code=code,
                         env=dict(CLEAN, HOME=self.folder, **changes))
        return state

    def assert_told(self, state, side, security, server, seen):
        """In all forms, at the end and made again; `seen`: the pairs of protocol and cipher that the server saw."""
        forms, report = self.forms(state), self.report(state)
        told = report[side + "_connection"]
        self.assertEqual(told["security"], security)
        self.assertEqual(told["server"], server)
        self.assertEqual({(told["protocol"], told["cipher"])}, seen)
        self.assertEqual([attempt[side + "_connection"] for attempt in report["attempts"]], [told])
        words = WORDS[security]
        if "%s" in words:
            self.assertRegex(told["protocol"], r"^TLSv1\.[23]$")
            words %= told["protocol"].replace("v", " ")
        line = ", ".join(part for part in (server, words) if part)
        self.assertIn("| %s | %s |\n" % (side, line), re.sub(r"\\(.)", r"\1", forms["md"]))
        self.assertIn("<dt>%s</dt><dd>%s</dd>" % (side.capitalize(), line), forms["html"])
        for name in forms:
            os.remove(self.path(state, "report." + name))
        self.run_program("report", "--state", self.path(state))
        self.assertEqual(self.forms(state), forms)


class SqlCase:
    """`reach` gives a URI; `seen` what the server saw since it was last asked."""

    def ways(self):
        """(options, whom, security)"""
        raise NotImplementedError

    def since(self, log):
        """What was written to it since the last time."""
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(getattr(self, "offset", 0))
            text = file.read()
            self.offset = file.tell()
        return text

    def test_as_source(self):
        self.make()
        for options, host, security in self.ways():
            with self.subTest(options, host=host):
                self.seen()
                state = self.copy(self.reach(options, host), "sqlite:out.db", "--include", "t")
                self.assert_told(state, "source", security, self.product(), self.seen())
                self.assertIsNone(self.report(state)["target_connection"])
                os.remove(self.path("out.db"))

    def test_as_target(self):
        support.make_sqlite(self.path("s.db"), "CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (1), (2)")
        for options, host, security in self.ways():
            with self.subTest(options, host=host):
                self.make()
                self.seen()
                state = self.copy("sqlite:s.db", self.reach(options, host))
                self.assert_told(state, "target", security, self.product(), self.seen())
                self.assertIsNone(self.report(state)["source_connection"])

    def test_each_attempt_tells_its_own(self):
        self.make()
        first, second = (self.reach("?sslmode=" + mode, "127.0.0.1") for mode in ("disable", "require"))
        state = self.copy(first, "sqlite:out.db", "--include", "t", code=3,
                          TRANSHUME_FAILPOINT="engine.before_commit:error:1")
        self.assertEqual(self.report(state)["source_connection"]["security"], "plaintext-loopback")
        self.run_program("resume", "--include", "t", second, "sqlite:out.db", "--state", self.path(state),
                         env=dict(CLEAN, HOME=self.folder))
        report = self.report(state)
        self.assertEqual([attempt["source_connection"]["security"] for attempt in report["attempts"]],
                         ["plaintext-loopback", "unverified"])
        self.assertEqual(report["source_connection"]["security"], "unverified")
        # what is there already is copied by nobody
        self.run_program("resume", "--include", "t", self.reach("?sslmode=disable", "127.0.0.1"), "sqlite:out.db",
                         "--state", self.path(state),
                         env=dict(CLEAN, HOME=self.folder))
        self.assertEqual(self.report(state)["attempts"], report["attempts"])


class Postgres(SqlCase, Case):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, hba="local all all trust\nhost all all all trust\n", tls=True,
                                        settings={"log_connections": "on", "listen_addresses": "*"})

    def make(self):
        self.name = self.server.database()
        self.server.psql(self.name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")

    def product(self):
        return "PostgreSQL " + self.server.psql("postgres", "SHOW server_version")[0][0].split()[0]

    def ways(self):
        root = "&sslrootcert=" + self.server.certificate
        address = own_address()
        return [("?sslmode=verify-full" + root, "127.0.0.1", "peer-verified"),
                ("?sslmode=verify-full" + root, "localhost", "peer-verified"),
                ("?sslmode=verify-ca" + root, "127.0.0.1", "authority-verified"),
                ("?sslmode=require" + root, "127.0.0.1", "authority-verified"),
                ("?sslmode=require", "127.0.0.1", "unverified"), ("", "127.0.0.1", "unverified"),
                ("?sslmode=disable", "127.0.0.1", "plaintext-loopback"),
                ("?host=" + self.server.folder, "", "local-socket"),
                *([("?sslmode=disable", address, "plaintext"), ("?sslmode=require", address, "unverified")] if address
                  else [])]

    def reach(self, options, host):
        return "postgres://postgres@%s:%d/%s%s" % (host, self.server.port, self.name, options)

    def seen(self):
        """Of the log's lines about the program."""
        found = re.findall(r"connection authorized: .*application_name=transhume(?: SSL enabled \(protocol=([^,]+), "
                           r"cipher=([^,]+),)?",
                           self.since(os.path.join(self.server.folder, "log")))
        return {(protocol or None, cipher or None) for protocol, cipher in found}


class Mysql(SqlCase, Case):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, tls=True, settings={"bind-address": "0.0.0.0", "general-log": "1",
                                                                "general-log-file": "general"})
        cls.server.ask("", "CREATE USER mover@'%'; GRANT ALL ON *.* TO mover@'%'")

    def make(self):
        self.count = getattr(Mysql, "count", 0) + 1
        Mysql.count = self.count
        self.name = "test%d" % self.count
        self.server.ask("",
                        "CREATE DATABASE %s; CREATE TABLE %s.t (id int PRIMARY KEY); INSERT INTO %s.t VALUES (1), (2)"
                        % ((self.name,) * 3))

    def product(self):
        return "MariaDB " + self.server.ask("", "SELECT version()")[0][0].split("-")[0]

    def ways(self):
        root = "&sslrootcert=" + self.server.certificate
        address = own_address()
        return [("?sslmode=verify-full" + root, "127.0.0.1", "peer-verified"),
                ("?sslmode=require", "127.0.0.1", "unverified"),
                ("?sslmode=require" + root, "127.0.0.1", "unverified"), ("", "127.0.0.1", "unverified"),
                ("?sslmode=disable", "127.0.0.1", "plaintext-loopback"),
                ("?sslmode=disable&socket=" + self.server.socket, "", "local-socket"),
                ("?socket=" + self.server.socket, "", "local-socket"),
                *([("?sslmode=disable", address, "plaintext"), ("?sslmode=require", address, "unverified")] if address
                  else [])]

    def test_what_an_option_file_asks_for_counts(self):
        self.make()
        uri = self.reach("?sslmode=require", "127.0.0.1")
        self.write(".my.cnf", "[client]\nssl-verify-server-cert=1\n")
        self.copy(uri, "sqlite:out.db", "--include", "t", code=3)
        self.write(".my.cnf", "[client]\nssl-verify-server-cert=1\nssl-ca=%s\n" % self.server.certificate)
        self.seen()
        self.assert_told(self.copy(uri, "sqlite:out.db", "--include", "t"), "source", "peer-verified", self.product(),
                         self.seen())

    def reach(self, options, host):
        where = "%s:%d" % (host, self.server.port) if host else ""
        return "mysql://mover@%s/%s%s" % (where, self.name, options)

    def seen(self):
        """Its log tells whether there was TLS, another client what the server agrees on then."""
        found = re.findall(r"Connect\tmover@.* using (.*)", self.since(os.path.join(self.server.data, "general")))
        agreed = subprocess.run(["mariadb", "--no-defaults", "--ssl", "--batch", "--skip-column-names", "-uroot",
                                 "-h127.0.0.1",
                                 "-P%d" % self.server.port, "-e",
                                 "SHOW SESSION STATUS WHERE variable_name IN ('Ssl_version', 'Ssl_cipher')"],
                                stdout=subprocess.PIPE, check=True, text=True,
                                timeout=support.TIME_LIMIT_S).stdout.split()
        agreed = dict(zip(agreed[::2], agreed[1::2]))
        return {{"SSL/TLS": (agreed["Ssl_version"], agreed["Ssl_cipher"]), "TCP/IP": (None, None),
                 "Socket": (None, None)}[how] for how in found}


class Ending(tcp_proxy.Proxy):
    """Ends TLS before a server that has none, and notes what it saw."""

    def __init__(self, port, context):
        self.context, self.seen = context, set()
        super().__init__(port)

    def passers(self, program, server):
        def shake():
            try:
                inner = self.context.wrap_socket(program, server_side=True)
            except OSError:
                return
            self.seen.add((inner.version(), inner.cipher()[0]))
            back = threading.Thread(target=carry, args=(server, inner), daemon=True)
            back.start()
            carry(inner, server)
        def carry(source, sink):
            try:
                while data := source.recv(tcp_proxy.PIECE):
                    sink.sendall(data)
            except OSError:
                pass
            for end in (source, sink):
                tcp_proxy.close(end)
        return [shake]


class Dynamodb(dynamodb_case.DynamodbCase, Case):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE people (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO people VALUES (1, 'a')")

    def both(self, uri, security, seen):
        for side, source, target in (("target", "sqlite:s.db", uri), ("source", uri, "jsonl:out-" + security)):
            self.run_aws("migrate", source, target, "--state", self.path(security + side))
            self.assert_told(security + side, side, security, None, seen)

    def test_loopback(self):
        self.both(self.uri(), "plaintext-loopback", {(None, None)})

    def test_tls(self):
        authority = test_net_http.Authority(self.folder)
        context = authority.server("good", "IP:127.0.0.1")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                items.empty(self.client)
                for state in glob.glob(self.path("peer-verified*")) + glob.glob(self.path("out-*")):
                    os.rename(state, state.replace("/peer", "/old-peer").replace("/out", "/old-out"))
                context.maximum_version = version
                with Ending(self.server.port, context) as proxy:
                    self.both(self.uri("https://127.0.0.1:%d" % proxy.port, ca_file=authority.ca), "peer-verified",
                              proxy.seen)
                    self.assertEqual({protocol for protocol, _ in proxy.seen}, {version.name.replace("_", ".")})


class Files(Case):
    def test_files_have_none(self):
        self.shop()
        self.run_program("migrate", "shop.db", "copy.db")
        report = self.report()
        self.assertIsNone(report["source_connection"])
        self.assertIsNone(report["target_connection"])
        self.assertNotIn("source_connection", report["attempts"][0])
        self.assertNotRegex(self.read(".transhume", "report.md"), "encrypted|socket|TLS")

    def test_what_a_server_calls_itself_is_text(self):
        self.shop()
        self.run_program("migrate", "shop.db", "copy.db")
        state = json.loads(self.read(".transhume", "state.json"))
        state["attempts"][0].update(source_connection={"server": "<b>My|SQL</b>", "security": "<u>odd</u>",
                                                       "protocol": "<s>", "cipher": 7},
                                    target_connection=5)
        self.write(".transhume/state.json", json.dumps(state))
        self.run_program("report")
        page = self.page()
        self.assertIn("<b>My|SQL</b>, <s>, <u>odd</u>", page.text)
        self.assertFalse({"s", "u"} & {tag for tag, _ in page.elements})
        self.assertNotIn("<b>My|", self.read(".transhume", "report.md"))
        self.assertEqual(self.report()["target_connection"], 5)


if __name__ == "__main__":
    unittest.main()
