"""A proxy of bytes between the program and any server, which cuts connections when a test says so.

    with TcpProxy(port) as proxy:
        proxy.cut_at(b"COMMIT", occurrence=3, before=False)    # the server gets it, the program no answer
        ... connect to proxy.port ...
        assert proxy.cuts == 1

What is looked for is looked for in what the program sends, each message of which comes in one piece.
"""
import contextlib
import socket
import threading
import time

PIECE = 1 << 16
WAIT_S = 30


class Proxy:
    """Connections of a program passed on to a server's port; what is done with them is the subclass's."""

    def __init__(self, port):
        self.upstream = port
        self.lock = threading.Lock()
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def passers(self, program, server):
        """The functions of one connection's two threads."""
        raise NotImplementedError

    def cut_all(self):
        """Also what is half open: the server hears now that nobody is there."""
        with self.lock:
            for connection in self.connections:
                close(connection)
            self.connections.clear()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                program, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream), timeout=WAIT_S)
                except OSError:   # it is dead, and may come back
                    close(program)
                    continue
                server.settimeout(None)
                for connection in (program, server):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.connections += [program, server]
                for passer in self.passers(program, server):
                    threading.Thread(target=passer, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut_all()


class TcpProxy(Proxy):
    def __init__(self, port):
        self.wanted, self.occurrence, self.before, self.cuts = None, 0, False, 0
        super().__init__(port)

    def cut_at(self, wanted, occurrence=1, before=True):
        """Resets the connection on which `wanted` comes by for the n-th time, before or after it went on."""
        with self.lock:
            self.wanted, self.occurrence, self.before = wanted, occurrence, before

    def passers(self, program, server):
        return lambda: self._forward(program, server), lambda: _pass(server, program)

    def _must_cut(self, data):
        with self.lock:
            if self.wanted is None or self.wanted not in data:
                return False
            self.occurrence -= 1
            if self.occurrence > 0:
                return False
            self.wanted = None
            self.cuts += 1
            return True

    def _forward(self, client, server):
        with contextlib.suppress(OSError):
            while True:
                data = client.recv(PIECE)
                if not data:
                    break
                cut = self._must_cut(data)
                if cut and not self.before:
                    client.shutdown(socket.SHUT_WR)   # from here on no answer
                if not (cut and self.before):
                    server.sendall(data)
                if cut:
                    break
        close(client)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)           # it finishes what it has begun


class DeathProxy(Proxy):
    """
    The server dies of what is looked for, behind something else on the same connection: before it has that, amid its
    work on it, or after its answer, which nobody hears.
    """
    BEFORE, AMID, AFTER = "before", "amid", "after"
    KEPT = 64   # what is looked for may come in two pieces

    def __init__(self, port, behind, wanted, moment, strike):
        self.behind, self.wanted, self.moment, self.strike = behind, wanted, moment, strike
        self.answered, self.dead = threading.Event(), threading.Event()
        super().__init__(port)

    def passers(self, program, server):
        fatal = threading.Event()
        return lambda: self._lead(program, server, fatal), lambda: self._answer(program, server, fatal)

    def _lead(self, program, server, fatal):
        seen, armed = b"", False
        with contextlib.suppress(OSError):
            while data := program.recv(PIECE):
                seen = seen[-self.KEPT:] + data
                armed = armed or self.behind in seen
                if armed and self.wanted in data and not self.dead.is_set():
                    fatal.set()
                    self._kill(server, data)
                    break
                server.sendall(data)
        close(program)
        close(server)

    def _kill(self, server, data):
        if self.moment != self.BEFORE:
            server.sendall(data)
        if self.moment == self.AFTER:
            self.answered.wait(WAIT_S)
        self.strike()
        self.dead.set()

    def _answer(self, program, server, fatal):
        with contextlib.suppress(OSError):
            while data := server.recv(PIECE):
                if fatal.is_set():
                    self.answered.set()
                else:
                    program.sendall(data)
        if not fatal.is_set():
            close(program)
            close(server)


class CountingProxy(Proxy):
    """`bytes` that went by, both ways."""

    def __init__(self, port):
        self.bytes = 0
        super().__init__(port)

    def passers(self, program, server):
        return lambda: _pass(program, server, self._count), lambda: _pass(server, program, self._count)

    def _count(self, data):
        with self.lock:
            self.bytes += len(data)


class SlowProxy(Proxy):
    """A link that brings so many bytes a second of what the server says on one connection, a little at a time."""
    LITTLE = 4096

    def __init__(self, port, bytes_a_second):
        self.pause_s = self.LITTLE / bytes_a_second
        super().__init__(port)

    def passers(self, program, server):
        return lambda: _pass(program, server), lambda: self._answer(server, program)

    def _answer(self, server, client):
        with contextlib.suppress(OSError):
            while data := server.recv(self.LITTLE):
                client.sendall(data)
                if len(data) == self.LITTLE:
                    time.sleep(self.pause_s)
        close(client)
        close(server)


class ChangingProxy(Proxy):
    """
    What the server says goes on as `change(data, first)` makes it; `first`: nothing was said before on this connection.
    """

    def __init__(self, port, change):
        self.change = change
        super().__init__(port)

    def passers(self, program, server):
        return lambda: _pass(program, server), lambda: self._answer(server, program)

    def _answer(self, server, client):
        first = True
        with contextlib.suppress(OSError):
            while data := server.recv(PIECE):
                client.sendall(self.change(data, first))
                first = False
        close(client)
        close(server)


class SilentProxy(Proxy):
    """
    From where `wanted` comes by, over any connection, nothing is heard of the server any more: its machine is gone, or
    a wall came up.
    """

    def __init__(self, port, wanted=None):
        self.wanted = wanted
        self.silent = threading.Event()
        super().__init__(port)

    def passers(self, program, server):
        return lambda: self._pass(program, server, self.wanted), lambda: self._pass(server, program, None)

    def _pass(self, one, other, wanted):
        with contextlib.suppress(OSError):
            while data := one.recv(PIECE):
                if wanted is not None and wanted in data:
                    self.silent.set()
                if not self.silent.is_set():
                    other.sendall(data)
        if not self.silent.is_set():
            close(one)
            close(other)


class HoldingProxy(Proxy):
    """From `hold()` on, the first message of the program that has `wanted` in it stays here until `release()`."""

    def __init__(self, port, wanted):
        self.wanted = wanted
        self.armed, self.held, self.released = threading.Event(), threading.Event(), threading.Event()
        super().__init__(port)

    def hold(self):
        self.armed.set()

    def release(self):
        self.released.set()

    def passers(self, program, server):
        return lambda: _pass(program, server, self._hold), lambda: _pass(server, program)

    def _hold(self, data):
        if self.wanted in data and self.armed.is_set() and not self.held.is_set():
            self.held.set()
            self.released.wait(WAIT_S)


class AnsweringProxy(Proxy):
    """
    Answers a message that is `wanted`, byte for byte, itself, once, on a connection over which the program has sent
    `behind`; the server does not get it.
    """
    # 1105, which tells nothing
    MYSQL_ROLLBACK = b"LOAD DATA", b"\x09\0\0\0\x03ROLLBACK", b"\x0b\0\0\1\xff\x51\x04#HY000no"
    POSTGRES_ROLLBACK = b"COPY ", b"Q\0\0\0\x0dROLLBACK\0", b"E\0\0\0\x1aSERROR\0VERROR\0CXX000\0\0" + b"Z\0\0\0\5T"

    def __init__(self, port, behind, wanted, answer):
        self.behind, self.wanted, self.said, self.answered = behind, wanted, answer, 0
        super().__init__(port)

    def passers(self, program, server):
        return lambda: self._forward(program, server), lambda: _pass(server, program)

    def _forward(self, program, server):
        armed = False
        with contextlib.suppress(OSError):
            while data := program.recv(PIECE):
                armed = armed or self.behind in data
                if armed and data == self.wanted and self.answered == 0:
                    self.answered += 1
                    program.sendall(self.said)
                else:
                    server.sendall(data)
        close(program)
        close(server)


class PacketProxy(Proxy):
    """
    Of MySQL's protocol, in clear: each packet that the program sends, one of which may be answered here instead of by
    the server.
    """

    def passers(self, program, server):
        return lambda: self._forward(program, server), lambda: _pass(server, program)

    def answer(self, packet, client, more):
        """False: the server gets it. `more()`: the program's next packet, None if there is no other."""
        raise NotImplementedError

    def _forward(self, client, server):
        waiting = b""

        def packet():
            nonlocal waiting
            while len(waiting) < 4 or len(waiting) < 4 + int.from_bytes(waiting[:3], "little"):
                data = client.recv(PIECE)
                if not data:
                    return None
                waiting += data
            length = 4 + int.from_bytes(waiting[:3], "little")
            found, waiting = waiting[:length], waiting[length:]
            return found

        with contextlib.suppress(OSError):
            while (found := packet()) is not None:
                if not self.answer(found, client, packet):
                    server.sendall(found)
        close(client)
        close(server)


def mysql_packet(number, payload):
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


class RefusingProxy(PacketProxy):
    """Answers statements that begin with `words` itself, as a server that refuses them; `times`: so many, None: all."""
    QUERY, PREPARE, BULK = b"\x03", b"\x16", b"\xfa"   # COM_QUERY, COM_STMT_PREPARE, COM_STMT_BULK_EXECUTE

    def __init__(self, port, words, number, state, message, command=QUERY, times=None):
        self.words, self.times = command + words.encode(), times
        self.said = mysql_packet(1, b"\xff" + number.to_bytes(2, "little") + b"#" + state.encode() + message.encode())
        self.refused = 0
        super().__init__(port)

    def answer(self, packet, client, more):
        if packet[3] != 0 or not packet[4:].startswith(self.words) or self.refused == self.times:
            return False
        self.refused += 1
        client.sendall(self.said)
        return True


class AskingProxy(PacketProxy):
    """
    A hostile server: to the n-th packet that begins anything (the log-in, a statement) it says that it wants a file, as
    if that were a LOAD DATA LOCAL.
    """
    OK, ERROR = b"\0\0\0\2\0\0\0", b"\xff\x15\x04#28000no"
    COMMANDS = b"\x01\x03\x0e\x16\x17\x18\x19\x1a\x1c\x1f\xfa"   # what a statement's packet begins with

    def __init__(self, port, path=None, at=None, wanted=b"", ending=ERROR):
        """`wanted`: what such a packet holds."""
        self.path, self.at, self.wanted, self.ending = path, at, wanted, ending
        self.count, self.asked, self.given = 0, 0, b""
        super().__init__(port)

    def answer(self, packet, client, more):
        if packet[3] > 1 or self.wanted not in packet:   # 1: the log-in, 0: a statement
            return False
        with self.lock:
            self.count += 1
            if self.count - 1 != self.at:
                return False
            self.asked += 1
        client.sendall(mysql_packet(packet[3] + 1, b"\xfb" + self.path.encode()))
        while (given := more()) is not None and len(given) > 4:
            # else the next statement, as what was answered has no answer (COM_STMT_CLOSE)
            if given[3] != 0 or given[4] not in self.COMMANDS:
                self.given += given
        if given is not None:
            client.sendall(mysql_packet((given[3] + 1) % 256, self.ending))
        return True


def _pass(server, client, seen=None):
    with contextlib.suppress(OSError):
        while True:
            data = server.recv(PIECE)
            if not data:
                break
            if seen is not None:
                seen(data)
            client.sendall(data)
    close(client)
    close(server)


def close(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
