"""A proxy of bytes between the program and any server, which strikes once, at a given byte of one of the two
directions.

    with StrikingProxy(port) as proxy:
        proxy.strike("half open", TO_SERVER, 4711)
        ... connect to proxy.port ...
        assert proxy.struck == 1

It knows no protocol: a byte is within a message as often as between two. Only for "oversized", which is a message of
the server's whose
length is not its own, it has to be told which protocol it is: that strikes the next message that begins.
"""
import contextlib
import time

from tcp_proxy import PIECE, Proxy, close

TO_SERVER, TO_PROGRAM = "to server", "to program"
GARBAGE = b"HTTP/1.0 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>\x00\xff\xfe" + bytes(range(256))
DRIPPED = 3000
POSTGRES, MYSQL = "postgres", "mysql"


class Forger:
    """
    Finds where messages begin in what a server says on one connection, and makes the length of one as large as can be.
    """
    HEADER_BYTES = {POSTGRES: 5, MYSQL: 4}

    def __init__(self, protocol):
        self.protocol, self.left, self.kept, self.begun = protocol, 0, b"", False

    def forged(self, data, wanted):
        """
        What goes on of these bytes, and whether a length among them was forged: the first whole header, if it is
        `wanted`.
        """
        data, out, did = self.kept + data, b"", False
        size = self.HEADER_BYTES[self.protocol]
        while data:
            if self.left:
                out, data, self.left = out + data[:self.left], data[self.left:], self.left - min(self.left, len(data))
            elif not self.begun and self.protocol == POSTGRES and data[:1] in (b"N", b"G"):
                out, data = out + data[:1], data[1:]   # no TLS, no GSSAPI: a byte alone
            elif len(data) < size:
                break
            else:
                self.begun = True
                header, data = data[:size], data[size:]
                self.left = int.from_bytes(header[1:],
                                           "big") - 4 if self.protocol == POSTGRES else int.from_bytes(header[:3],
                                               "little")
                if wanted and not did:
                    header, did = self.large(header), True
                out += header
        self.kept = data
        return out, did

    def large(self, header):
        return header[:1] + b"\x7f\xff\xff\xff" if self.protocol == POSTGRES else b"\xfe\xff\xff" + header[3:]


class StrikingProxy(Proxy):
    def __init__(self, port, protocol=None):
        self.passed, self.protocol = {TO_SERVER: 0, TO_PROGRAM: 0}, protocol
        self.fault, self.direction, self.at, self.struck, self.dead = None, None, 0, 0, set()
        super().__init__(port)

    def strike(self, fault, direction, at):
        """One of FAULTS, once, when so many bytes have gone that way over all connections."""
        with self.lock:
            self.fault, self.direction, self.at = fault, direction, at

    def silence_all(self):
        """All connections that there are become half open; new ones are not."""
        with self.lock:
            self.dead |= set(self.connections)

    def passers(self, program, server):
        return lambda: self._pass(program, server, TO_SERVER), lambda: self._pass(server, program, TO_PROGRAM)

    def _pass(self, here, there, direction):
        forger = Forger(self.protocol) if self.protocol and direction == TO_PROGRAM else None
        with contextlib.suppress(OSError):
            while data := here.recv(PIECE):
                if forger and here not in self.dead:
                    data = self._forge(forger, data)
                fault, at = self._count(direction, len(data))
                if fault:
                    there.sendall(data[:at])
                    FAULTS[fault](self, here, there, data[at:])
                elif here not in self.dead:
                    there.sendall(data)
        if here not in self.dead:
            close(here)
            close(there)

    def _forge(self, forger, data):
        with self.lock:
            data, did = forger.forged(data, self.fault == OVERSIZED and self.passed[TO_PROGRAM] + len(data) > self.at)
            self.struck += did
            self.fault = None if did else self.fault
        return data

    def _count(self, direction, length):
        """The fault that strikes within these bytes, and at which of them."""
        with self.lock:
            before = self.passed[direction]
            self.passed[direction] += length
            if self.fault in (None, OVERSIZED) or direction != self.direction or before + length <= self.at:
                return None, 0
            fault, self.fault = self.fault, None
            self.struck += 1
            return fault, max(0, self.at - before)

    def _cut(self, here, there, _rest):
        close(here)
        close(there)

    def _half_open(self, here, there, _rest):
        """Both wait, and what they say goes nowhere, for good."""
        self.dead |= {here, there}

    def _drip(self, _here, there, rest):
        for at in range(min(DRIPPED, len(rest))):
            there.sendall(rest[at:at + 1])
        there.sendall(rest[DRIPPED:])

    def _slow(self, _here, there, rest):
        step = max(1, len(rest) // 10)
        for at in range(0, len(rest), step):
            time.sleep(0.05)
            there.sendall(rest[at:at + step])

    def _garbage(self, here, there, _rest):
        there.sendall(GARBAGE)
        self._cut(here, there, b"")


OVERSIZED = "oversized"   # to the program
FAULTS = {"cut": StrikingProxy._cut, "half open": StrikingProxy._half_open, "a byte at a time": StrikingProxy._drip,
          "slow": StrikingProxy._slow, "garbage": StrikingProxy._garbage}
PASSING = ("a byte at a time", "slow")  # which nobody but a clock can tell from none
