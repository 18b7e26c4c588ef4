"""A proxy between the program and a server of MongoDB's protocol, which answers commands itself or changes answers
where a test says so.

    with BsonProxy(server.port) as proxy:
        proxy.instead("insert", {"ok": 0, "code": 10107, "errmsg": "not primary"})   # the server does not get it
        proxy.after("insert", {"ok": 0, "code": 91, "errmsg": "shutdown"})            # the server does it, and its
        answer is not heard
        ... connect to proxy.port ...
        assert proxy.struck == ["insert", "insert"]

Each is done once, in the order in which they were given, at the next command of that name that satisfies `when`.

    message    int32 length | int32 number | int32 answers | int32 2013 | uint32 flags | sections
    section    0x00 | document,   or   0x01 | int32 length | name, 0x00 | documents
"""
import struct

import ferretdb
from tcp_proxy import Proxy, close

HEAD = struct.Struct("<iiii")
MESSAGE = 2013


def receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return data


def receive_message(connection):
    head = receive(connection, HEAD.size)
    length, number, answers, code = HEAD.unpack(head)
    return head + receive(connection, length - HEAD.size), number, answers, code


class BsonProxy(Proxy):
    def __init__(self, port):
        ferretdb.driver()
        import bson
        self.bson, self.strikes, self.struck = bson, [], []
        super().__init__(port)

    def instead(self, name, reply, when=lambda command: True):
        self.strikes.append((name, reply, when, False))

    def after(self, name, reply, when=lambda command: True):
        self.strikes.append((name, reply, when, True))

    def strike(self, message):
        """The strike that is for the message."""
        if message[HEAD.size + 4:HEAD.size + 5] != b"\0":
            return None
        length, = struct.unpack_from("<i", message, HEAD.size + 5)
        command = self.bson.decode(message[HEAD.size + 5:HEAD.size + 5 + length])
        name = next(iter(command))
        with self.lock:
            for at, strike in enumerate(self.strikes):
                if strike[0] == name:
                    if not strike[2](command):
                        return None
                    self.struck.append(name)
                    return self.strikes.pop(at)
        return None

    def reply(self, number, document):
        body = struct.pack("<I", 0) + b"\0" + self.bson.encode(document)
        return HEAD.pack(HEAD.size + len(body), 0, number, MESSAGE) + body

    def passers(self, program, server):
        silenced = {}
        return [lambda: self.pass_commands(program, server, silenced),
                lambda: self.pass_answers(program, server, silenced)]

    def pass_commands(self, program, server, silenced):
        try:
            while True:
                message, number, _, code = receive_message(program)
                strike = self.strike(message) if code == MESSAGE else None
                if strike is None or strike[3]:
                    if strike is not None:
                        silenced[number] = strike[1]
                    server.sendall(message)
                elif strike[1] is None:
                    break
                else:
                    program.sendall(self.reply(number, strike[1]))
        except (OSError, EOFError):
            pass
        close(program)
        close(server)

    def pass_answers(self, program, server, silenced):
        try:
            while True:
                message, _, answers, _ = receive_message(server)
                if answers not in silenced:
                    program.sendall(message)
                    continue
                reply = silenced.pop(answers)
                if reply is None:   # the connection breaks in its place
                    break
                program.sendall(self.reply(answers, reply))
        except (OSError, EOFError):
            pass
        close(program)
        close(server)
