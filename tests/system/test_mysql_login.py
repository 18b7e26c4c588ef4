"""How MySQL 8 and hostile servers ask for a password, and what of it they get."""
import itertools
import os
import random
import socket
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import support
from tcp_proxy import close
from mysql_login import InClear, LoginServer, Native, Sha2, Sha256

PASSWORD = "a@b:c/d%e#f"
ENCODED = "a%40b%3Ac%2Fd%25e%23f"


class Logins(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, tls=True)
        cls.name = cls.server.database()
        cls.server.ask(cls.name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        cls.modes = {"disable": "", "prefer": "", "require": "",
                     "verify-full": "&sslrootcert=" + cls.server.certificate}

    def login(self, method, tls=True, **more):
        if tls:
            more.update(certificate=self.server.certificate, key=os.path.join(self.server.folder, "server.key"))
        return LoginServer(self.server.port, method, **more)

    def copy(self, server, mode, code=0, password=ENCODED, env=None):
        """Out of the database behind it; the password may be read nowhere."""
        self.tries = getattr(self, "tries", 0) + 1
        uri = "mysql://mover:%s@127.0.0.1:%d/%s?sslmode=%s%s" % (password, server.port, self.name, mode,
                                                                 self.modes[mode])
        result = self.run_program("migrate", uri, "sqlite:copy%d.db" % self.tries, "--state",
                                  self.path("state%d" % self.tries),
                                  code=code, env={"HOME": self.folder, **(env or {})})
        self.assertNotIn(PASSWORD.encode(), server.clear)
        self.assertNotIn(PASSWORD, result.out + result.err)
        if code == 0:
            self.assertEqual(support.sqlite_counts(self.path("copy%d.db" % self.tries)), {"t": 2})
        else:
            self.assertEqual(("\n" + result.err).count("\nerror: "), 1, result.err)
        return result

    def each(self, count, *choices):
        """All combinations; of them so many in an ordinary run."""
        cases = list(itertools.product(*choices))
        for case in cases if support.SOAK else random.Random("%d %s" % (support.SEED, self.id())).sample(cases, count):
            with self.subTest(case):
                yield case

    def test_caching_sha2_password(self):
        for cached, mode, first in self.each(6, (True, False), self.modes, (Sha2.PLUGIN, Native.PLUGIN)):
            with self.login(Sha2(PASSWORD, cached), first=first) as server:
                self.copy(server, mode)
                self.assertEqual(set(server.said), {"fast"} if cached else {"full", "public key"} if mode == "disable"
                                 else {"full"})

    def test_other_methods(self):
        # of a greeting with sha256_password the client library asks for a public key, which a server that has TLS does
        # not give
        for (method, first), mode in self.each(4, ((Native, Native.PLUGIN), (Native, Sha2.PLUGIN),
                                                   (Sha256, Sha2.PLUGIN)), ("disable", "require")):
            with self.login(method(PASSWORD), first=first) as server:
                self.copy(server, mode)
        with self.login(Sha256(PASSWORD)) as server:
            self.copy(server, "disable")

    def test_wrong_passwords(self):
        for method in (Sha2, Sha256, Native):
            for mode in ("disable", "require"):
                with self.subTest(method.PLUGIN, mode=mode), self.login(method("another")) as server:
                    self.assertRegex(self.copy(server, mode, code=2).err,
                                     r"Access denied for user 'mover'[^\n]* \[credentials\]")

    def test_a_password_is_sent_in_clear_to_a_known_peer_alone(self):
        for plugin in ("mysql_clear_password", "dialog"):
            for mode in self.modes:
                for first in (Sha2.PLUGIN, plugin):
                    with self.subTest(plugin, mode=mode, first=first), self.login(InClear(PASSWORD, plugin),
                        first=first) as server:
                        if mode == "verify-full" and plugin != "dialog":
                            self.copy(server, mode)
                        elif mode != "verify-full":
                            result = self.copy(server, mode, code=2)
                            self.assertRegex(result.err,
                                             r"an authentication plugin that may not be used[^\n]* \[credentials\]")
                            self.assertIn("sslmode=verify-full", result.err)

    def test_a_public_key_that_is_none(self):
        for method in (Sha2(PASSWORD, public_key=b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                       Sha2(PASSWORD, public_key=b"x")):
            with self.login(method) as server:
                result = self.copy(server, "disable", code=2)
                self.assertIn("[credentials]", result.err)
                self.assertIn("sslmode=require", result.err)

    def test_a_plugin_that_there_is_not(self):
        os.mkdir(self.path("none"))
        for method, env in ((Sha2(PASSWORD), {"MARIADB_PLUGIN_DIR": self.path("none")}),
                            (InClear(PASSWORD, "authentication_far_away"), {})):
            for first in (Native.PLUGIN, method.PLUGIN):
                with self.subTest(method.PLUGIN, first=first), self.login(method, first=first) as server:
                    result = self.copy(server, "require", code=2, env=env)
                    self.assertRegex(result.err, r"%s[^\n]* \[credentials\]" % ("caching_sha2_password" if env
                                                                                else "plugin that may not be used"))
                    for word in ("caching_sha2_password.so", "libmariadb3",
                                 "MARIADB_PLUGIN_DIR") if env else ("docs/mysql.md lists the plugins",):
                        self.assertIn(word, result.err)

    def test_a_server_without_tls(self):
        """Nothing is said to it where TLS was asked for, and the password never in clear where it was not."""
        for cached, mode, first in self.each(8, (True, False), self.modes, (Sha2.PLUGIN, Native.PLUGIN)):
            with self.login(Sha2(PASSWORD, cached), tls=False, first=first) as server:
                if mode in ("disable", "prefer"):
                    self.copy(server, mode)
                    self.assertEqual(set(server.said), {"fast"} if cached else {"full", "public key"})
                else:
                    self.assertIn("the server offers no TLS", self.copy(server, mode, code=3).err)
                    self.assertEqual(bytes(server.clear), b"")

    def test_a_greeting_in_pieces(self):
        """However it comes, it is judged whole and before the library has read any of it."""
        for cut, mode in self.each(3, (1, 4, 5, 9, 30, 60), ("require", "prefer")):
            for tls in (True, False):
                said = Said(lambda packet: (packet[:cut], packet[cut:]))
                with self.subTest(tls=tls), self.login(Native(PASSWORD), tls=tls, greet=said) as server:
                    result = self.copy(server, mode, code=0 if tls or mode == "prefer" else 3)
                    if tls:
                        self.assertNotIn(b"mover", server.clear)
                    elif mode == "require":
                        self.assertIn("the server offers no TLS", result.err)
                        self.assertEqual(bytes(server.clear), b"")

    def test_a_greeting_that_is_odd(self):
        """What shows no flag for TLS is no server with TLS."""
        short = lambda packet: bytes([packet.index(b"\0", 5) - 3 + 9, 0, 0, 0]) + packet[4:packet.index(b"\0", 5) + 10]
        endless = lambda packet: b"\x01\x20\0\0\x0a" + b"9" * 0x2000
        refused = lambda packet: b"\x17\0\0\0\xff\x10\x04Too many connections"
        for odd, code, words in ((short, 3, "the server offers no TLS"), (endless, 3, "the server offers no TLS"),
                                 (lambda packet: packet[:4] + b"\x09" + packet[5:], 3, "Protocol mismatch"),
                                 (refused, 3, "Too many connections")):
            with self.subTest(words), self.login(Native(PASSWORD), tls=False,
                                                 greet=Said(lambda packet: (odd(packet),))) as server:
                self.assertIn(words, self.copy(server, "require", code=code).err)
                self.assertEqual(bytes(server.clear), b"")

    def test_a_greeting_that_breaks_off(self):
        for cut in (0, 3, 5, 40):
            with self.subTest(cut), self.login(Native(PASSWORD),
                                               greet=lambda connection, packet: (connection.sendall(packet[:cut]),
                                                   close(connection))) as server:
                self.assertIn("[network]", self.copy(server, "require", code=3).err)
                self.assertEqual(bytes(server.clear), b"")


class Said:
    """Pieces of a greeting, each sent when the one before lies in the program's socket alone."""

    def __init__(self, pieces):
        self.pieces = pieces

    def __call__(self, connection, packet):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(self.pieces(packet)):
            time.sleep(0.05 if number else 0)
            connection.sendall(piece)


if __name__ == "__main__":
    unittest.main()
