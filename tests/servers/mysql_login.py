"""The log-in of servers that can't be had here: MySQL 8, and hostile ones. Behind it a real MariaDB answers.

    with LoginServer(mariadb_port, Sha2("secret"), certificate=..., key=...) as server:
        ... log in at server.port as anybody ...
        server.clear      what came in clear, over all connections
        server.said       what the account's method saw: "fast", "full", "public key"

Of MySQL's protocol (version 10), each packet: 3 bytes length, 1 byte number, payload; all numbers little endian.

    greeting   0a version\\0 thread(4) nonce(8) 00 flags(2) charset(1) status(2) flags(2) length(1) 10 x 00 nonce(13)
    plugin\\0
    log-in     flags(4) packet_max(4) charset(1) 23 x 00 [TLS begins here] user\\0 length(1) answer database\\0
    plugin\\0
    switch     fe plugin\\0 nonce\\0           another method is asked for; the answer is the whole payload
    more       01 ...                        what a method says further

The flags that the program asked for go on to the MariaDB, which is logged into as root; from then on bytes pass as they
are.
"""
import atexit
import contextlib
import functools
import hashlib
import os
import select
import shutil
import ssl
import subprocess
import tempfile

from tcp_proxy import PIECE, Proxy, close

MYSQL, WITH_DATABASE, COMPRESS, TLS = 0x1, 0x8, 0x20, 0x800
PLUGIN, ATTRIBUTES, LENGTHS = 0x80000, 0x100000, 0x200000
OK, SWITCH, MORE = b"\0\0\0\2\0\0\0", b"\xfe", b"\1"
FAST, FULL, GIVE_KEY = b"\3", b"\4", b"\2"


class Wire:
    """Packets of one connection; what is read before TLS is noted."""

    def __init__(self, connection, clear):
        self.connection, self.clear, self.number = connection, clear, 0

    def read(self):
        head = self._exactly(4)
        self.number = head[3] + 1
        return self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            if not piece:
                raise ConnectionError("the program went away")
            if not self.encrypted:
                self.clear += piece
            data += piece
        return data

    @property
    def encrypted(self):
        return isinstance(self.connection, ssl.SSLSocket)

    def write(self, payload):
        self.connection.sendall(len(payload).to_bytes(3, "little") + bytes([self.number % 256]) + payload)
        self.number += 1

    def refuse(self, number, message):
        self.write(b"\xff" + number.to_bytes(2, "little") + b"#28000" + message.encode())


def _sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def _xor(one, other):
    return bytes(a ^ other[i % len(other)] for i, a in enumerate(one))


class Method:
    """What a server asks of who logs in: the name of a plugin, and what is said further."""
    PLUGIN = ""

    def __init__(self, password):
        self.password = password.encode()

    def is_right(self, wire, nonce, answer, said):
        raise NotImplementedError


class Native(Method):
    PLUGIN = "mysql_native_password"

    def is_right(self, wire, nonce, answer, said):
        once = hashlib.sha1(self.password).digest()
        return answer == _xor(once, hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest())


class InClear(Method):
    """Asks for the password as it is."""

    def __init__(self, password, plugin="mysql_clear_password"):
        super().__init__(password)
        self.PLUGIN = plugin

    def is_right(self, wire, nonce, answer, said):
        return answer == self.password + b"\0"


class Sha2(Method):
    """
    MySQL 8's own. A server that knows the account (`cached`) is content with a hash; else it wants the password, by TLS
    or under its public key.
    """
    PLUGIN = "caching_sha2_password"

    def __init__(self, password, cached=False, public_key=None):
        super().__init__(password)
        self.cached, self.given_key = cached, public_key

    def is_right(self, wire, nonce, answer, said):
        once = _sha256(self.password)
        if answer != _xor(once, _sha256(_sha256(once), nonce)):
            return False
        said.append("fast" if self.cached else "full")
        wire.write(MORE + (FAST if self.cached else FULL))
        if self.cached:
            return True
        return self._whole(wire, nonce, wire.read(), said) == self.password + b"\0"

    def _whole(self, wire, nonce, answer, said):
        if wire.encrypted or answer != GIVE_KEY:
            return answer
        said.append("public key")
        private, public = _key_pair()
        wire.write(MORE + (self.given_key or public))
        return _xor(_openssl(wire.read(), "pkeyutl", "-decrypt", "-inkey", private, "-pkeyopt",
                             "rsa_padding_mode:oaep"), nonce)


class Sha256(Sha2):
    """The one before it, which caches nothing and hashes nothing: an empty answer, then the same."""
    PLUGIN = "sha256_password"

    def is_right(self, wire, nonce, answer, said):
        if not wire.encrypted and answer != b"\1":
            return False
        answer = GIVE_KEY if answer == b"\1" else answer
        return self._whole(wire, nonce, answer, said) == self.password + b"\0"


@functools.lru_cache
def _key_pair():
    """The private key's path, the public one's text; made once."""
    folder = tempfile.mkdtemp(prefix="key-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    private = os.path.join(folder, "key")
    _openssl(b"", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private)
    return private, _openssl(b"", "pkey", "-in", private, "-pubout")


def _openssl(data, *arguments):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout


class LoginServer(Proxy):
    def __init__(self, port, method, certificate=None, key=None, first=None, greet=None):
        """
        `first`: the plugin that the greeting names, if the account has another one. `greet(connection, packet)`: sends
        the greeting.
        """
        self.method, self.first, self.greet = method, first or method.PLUGIN, greet or (
            lambda connection, packet: connection.sendall(packet))
        self.clear, self.said, self.switches_to = bytearray(), [], None
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        super().__init__(port)

    def passers(self, program, server):
        return (lambda: self._serve(program, server),)

    def _serve(self, program, server):
        wire = None
        with contextlib.suppress(OSError, ConnectionError, subprocess.CalledProcessError):
            upstream = Wire(server, bytearray())
            wire = Wire(program, self.clear)
            flags, database = self._log_in(wire, upstream.read())
            if flags is not None:
                self._log_in_behind(upstream, flags, database)
                answer = upstream.read()
                wire.write(answer)
                if answer[0] == 0:
                    _pass_on(wire.connection, server)
        close(wire.connection if wire else program)
        close(server)

    def _log_in(self, wire, greeting):
        """What is asked of the server behind: flags, None if the log-in failed, and the packet's end."""
        version = greeting[1:greeting.index(b"\0")]
        at = len(version) + 2
        nonce = b"".join(bytes([33 + byte % 90]) for byte in os.urandom(20))
        flags = int.from_bytes(greeting[at + 13:at + 15] + greeting[at + 18:at + 20], "little")
        flags = (flags | MYSQL | PLUGIN | (TLS if self.context else 0)) & ~(COMPRESS | (0 if self.context else TLS))
        low, high = flags.to_bytes(4, "little")[:2], flags.to_bytes(4, "little")[2:]
        payload = (b"\x0a" + version + b"\0" + greeting[at:at + 4] + nonce[:8] + b"\0" + low + greeting[at + 15:at + 18]
                   + high +
                   b"\x15" + bytes(10) + nonce[8:] + b"\0" + self.first.encode() + b"\0")
        self.greet(wire.connection, len(payload).to_bytes(3, "little") + b"\0" + payload)
        login = wire.read()
        flags = int.from_bytes(login[:4], "little")
        if flags & TLS and self.context:
            wire.connection = self.context.wrap_socket(wire.connection, server_side=True)
            login = wire.read()
        user, rest = login[32:].split(b"\0", 1)
        answer, rest = rest[1:1 + rest[0]], rest[1 + rest[0]:]
        database = b""
        if flags & WITH_DATABASE:
            database, rest = rest.split(b"\0", 1)
        plugin = rest.split(b"\0", 1)[0].decode() if flags & PLUGIN else ""
        if plugin != self.method.PLUGIN:
            wire.write(SWITCH + self.method.PLUGIN.encode() + b"\0" + nonce + b"\0")
            answer = wire.read()
        if not self.method.is_right(wire, nonce, answer, self.said):
            wire.refuse(1045, "Access denied for user '%s'@'127.0.0.1' (using password: YES)" % user.decode())
            return None, b""
        return flags, database

    @staticmethod
    def _log_in_behind(upstream, flags, database):
        flags = flags & ~(TLS | COMPRESS | PLUGIN | ATTRIBUTES | LENGTHS)
        upstream.write(flags.to_bytes(4, "little") + (1 << 24).to_bytes(4,
                                                                        "little") + b"\x2d" + bytes(23) + b"root\0"
                       + b"\0" +
                       (database + b"\0" if flags & WITH_DATABASE else b""))


def _pass_on(program, server):
    """One thread for both ways: a TLS connection is not two threads' to use."""
    while True:
        pending = isinstance(program, ssl.SSLSocket) and program.pending()
        ready = [program] if pending else select.select([program, server], [], [])[0]
        for one in ready:
            data = one.recv(PIECE)
            if not data:
                return
            (server if one is program else program).sendall(data)
