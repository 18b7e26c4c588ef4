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
                server = socket.create_connection(("127.0.0.1", self.upstream), timeout=WAIT_S)
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
    """What the server says goes on as `change(data, first)` makes it; `first`: nothing was said before on this connection."""

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
    """From where `wanted` comes by, over any connection, nothing is heard of the server any more: its machine is gone, or a wall came up."""

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


class RefusingProxy(Proxy):
    """Of MySQL's protocol, in clear: answers statements that begin with `words` itself, as a server that refuses them."""

    def __init__(self, port, words, number, state, message):
        self.words = b"\x03" + words.encode()   # COM_QUERY
        said = b"\xff" + number.to_bytes(2, "little") + b"#" + state.encode() + message.encode()
        self.answer = len(said).to_bytes(3, "little") + b"\x01" + said
        self.refused = 0
        super().__init__(port)

    def passers(self, program, server):
        return lambda: self._forward(program, server), lambda: _pass(server, program)

    def _forward(self, client, server):
        waiting = b""
        with contextlib.suppress(OSError):
            while True:
                data = client.recv(PIECE)
                if not data:
                    break
                waiting += data
                while len(waiting) >= 4 and len(waiting) >= 4 + int.from_bytes(waiting[:3], "little"):
                    length = 4 + int.from_bytes(waiting[:3], "little")
                    packet, waiting = waiting[:length], waiting[length:]
                    if packet[4:].startswith(self.words):
                        self.refused += 1
                        client.sendall(self.answer)
                    else:
                        server.sendall(packet)
        close(client)
        close(server)


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
