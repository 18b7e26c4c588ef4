"""
Servers that offer TLS and don't go on with it: slow, behind something that cuts off, or no such servers at all. What is
said is about the way there.
"""
import contextlib
import socket
import struct
import sys
import os
import threading
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
from tcp_proxy import close

# MySQL's greeting, protocol 10, that offers TLS and mysql_native_password; PostgreSQL's answer to the request for TLS
GREETING = (b"\x0a8.0.30\0" + struct.pack("<I", 7) + b"A" * 8 + b"\0\xff\xff\xff\2\0\x7f\x88\x15" + b"\0" * 10 + b"A"
            * 12 + b"\0mysql_native_password\0")
MYSQL = struct.pack("<I", len(GREETING)) + GREETING


class Handshakes(support.TestCase):
    @contextlib.contextmanager
    def server(self, scheme, goes_on):
        """Its address; each connection comes as far as TLS."""
        listener, connections, threads = socket.create_server(("127.0.0.1", 0)), [], []

        def serve(connection):
            with contextlib.suppress(OSError):
                if scheme == "mysql":
                    connection.sendall(MYSQL)
                connection.recv(4096)
                if scheme == "postgres":
                    connection.sendall(b"S")
                    connection.recv(4096)
                goes_on(connection)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connections.append(listener.accept()[0])
                    threads.append(threading.Thread(target=serve, args=(connections[-1],)))
                    threads[-1].start()
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield "%s://u@127.0.0.1:%d/x" % (scheme, listener.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for connection in connections:
                close(connection)
            for thread in threads:
                thread.join()

    def said(self, scheme, goes_on, mode):
        with self.server(scheme, goes_on) as uri:
            return self.run_program("check", uri + "?sslmode=" + mode, "jsonl:out", "--timeout", "1s", code=3).err

    def test_that_are_not_answered(self):
        for scheme in ("mysql", "postgres"):
            for mode in ("prefer", "verify-full"):
                with self.subTest(scheme, mode=mode):
                    said = self.said(scheme, lambda connection: None, mode)
                    self.assertIn("[network]", said)
                    self.assertRegex(said, "within 1 s|timed out")
                    self.assertIn("that it is the server itself", said)

    def test_that_break_off(self):
        for scheme in ("mysql", "postgres"):
            for mode in ("prefer", "require", "verify-full"):
                with self.subTest(scheme, mode=mode):
                    said = self.said(scheme, close, mode)
                    self.assertIn("[network]", said)
                    self.assertIn("that it is the server itself", said)
                    for wrong in ("sslrootcert", "PGPASSWORD", "curl"):
                        self.assertNotIn(wrong, said)

    def test_that_are_no_tls(self):
        for scheme in ("mysql", "postgres"):
            with self.subTest(scheme):
                self.assertIn("[tls]", self.said(scheme,
                                                 lambda connection: connection.sendall(b"HTTP/1.1 400 Bad "
                                                                                       b"Request\r\n\r\n" * 9),
                                                 "require"))


if __name__ == "__main__":
    unittest.main()
