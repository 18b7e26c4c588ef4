"""A scripted replica set of MongoDB's protocol: proxies before one server that has none of it, which say what members
of a set would, and keep what they would keep.

    with ReplicaSet(server.port) as members:
        members.elect(1)                                              # member 1 is the primary, member 0 a secondary
        members.when("insert", members.election)                      # … at the next insert, which member 0 refuses
        members.when("insert", members.lost)                          # it is done, and its answer is not heard
        members.when("find", members.too_old, when=...)               # the time is not known any more
        ... connect to members.uri(name) ...

It is written from https://github.com/mongodb/specifications: source/server-discovery-and-monitoring (what a hello says
of a member), source/retryable-writes (a write with a number that a
session had before is not done again, and gets the answer that it had; the label RetryableWriteError),
source/sessions/snapshot-sessions.md (a find with the read concern "snapshot" is told its
time, and one with atClusterTime reads as of that; a cursor is of the session that opened it). What members do with a
command but for that, the server behind them does. All of it is as of now: who
reads as of a time is not shown what was then, and the test asks for which times it was asked.
"""
import contextlib
import struct

from bson_proxy import HEAD, MESSAGE, BsonProxy, receive_message
from tcp_proxy import close

QUERY, REPLY = 2004, 1
NAME = "rs0"
WRITES = ("insert", "update", "delete", "create", "drop", "createIndexes", "dropIndexes", "findAndModify")
WITH_NUMBERS = ("insert", "update", "delete", "findAndModify")
NOT_PRIMARY = {"ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary", "errmsg": "not primary",
               "errorLabels": ["RetryableWriteError"]}
NOT_SECONDARY_OK = {"ok": 0.0, "code": 13435, "codeName": "NotPrimaryNoSecondaryOk",
                    "errmsg": "not primary and secondaryOk=false"}
TOO_OLD = {"ok": 0.0, "code": 239, "codeName": "SnapshotTooOld",
           "errmsg": "Read timestamp is older than the oldest available timestamp."}


class Member(BsonProxy):
    def __init__(self, port, members, number):
        self.members, self.number = members, number
        super().__init__(port)

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def hello(self, document):
        """What the server says of itself, as a member's."""
        primary = self.members.primary == self.number
        document.pop("topologyVersion", None)
        document.update({"ismaster": primary, "isWritablePrimary": primary, "secondary": not primary, "setName": NAME,
                         "setVersion": 1, "me": self.address,
                         "hosts": [member.address for member in self.members.members],
                         "primary": self.members.members[self.members.primary].address,
                         "logicalSessionTimeoutMinutes": 30})
        return document

    def message(self, answers, document):
        body = struct.pack("<I", 0) + b"\0" + self.bson.encode(document)
        return HEAD.pack(HEAD.size + len(body), 0, answers, MESSAGE) + body

    def passers(self, program, server):
        pending = {}
        return [lambda: self.pass_commands(program, server, pending),
                lambda: self.pass_answers(program, server, pending)]

    def pass_commands(self, program, server, pending):
        with contextlib.suppress(OSError, EOFError):
            while True:
                message, number, _, code = receive_message(program)
                if code == QUERY:
                    pending[number] = ("hello", None)
                elif code == MESSAGE and message[HEAD.size + 4:HEAD.size + 5] == b"\0":
                    command = self.bson.decode(message[HEAD.size + 5:])
                    answer, pending[number] = self.members.take(self, command)
                    if answer is not None:
                        del pending[number]
                        program.sendall(self.message(number, answer))
                        continue
                    body = struct.pack("<I", 0) + b"\0" + self.bson.encode(command)
                    message = HEAD.pack(HEAD.size + len(body), number, 0, MESSAGE) + body
                server.sendall(message)
        close(program)
        close(server)

    def pass_answers(self, program, server, pending):
        with contextlib.suppress(OSError, EOFError):
            while True:
                message, _, answers, code = receive_message(server)
                name, about = pending.pop(answers, (None, None))
                if code == REPLY and name == "hello":
                    begin = HEAD.size + 20   # flags, cursor, first, count
                    body = message[HEAD.size:begin] + self.bson.encode(self.hello(self.bson.decode(message[begin:])))
                    message = HEAD.pack(HEAD.size + len(body), 0, answers, REPLY) + body
                elif code == MESSAGE and name is not None:
                    answer = self.members.answer(self, name, about, self.bson.decode(message[HEAD.size + 5:]))
                    if answer is None:   # the connection breaks in its place
                        break
                    message = self.message(answers, answer)
                program.sendall(message)
        close(program)
        close(server)


class ReplicaSet:
    def __init__(self, port, members=2):
        self.primary = 0
        self.clock = 1700000000      # of the set; each read without a time moves it
        self.oldest = 0              # times before it are not known any more
        self.times = []              # that finds read as of
        self.done = {}               # (session, number): the answer
        self.repeats = 0             # writes that were done already
        self.cursors = {}            # which session a cursor is of
        self.made = []               # commands that make collections
        self.faults = []             # what was not as the specifications have it
        self.strikes = []
        self.members = []
        self.members += [Member(port, self, number) for number in range(members)]
        self.bson = self.members[0].bson

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.__exit__()

    def uri(self, name, options=""):
        return "mongodb://%s/%s?replicaSet=%s&plaintext=yes%s" % (",".join(member.address for member in self.members),
                                                                  name, NAME, options)

    # --- what a test does with it

    def elect(self, number):
        self.primary = number

    def when(self, name, strike, when=lambda command: True):
        """
        `strike` is done once, at the next command of that name that satisfies `when`, in the order in which they were
        given.
        """
        self.strikes.append((name, strike, when))

    @staticmethod
    def reply(document):
        """The member answers so, and does nothing."""
        return lambda members, member, command: (dict(document), None)

    @staticmethod
    def election(members, member, _):
        """The other one is the primary from now on."""
        members.elect(1 - member.number)
        return dict(NOT_PRIMARY), None

    @staticmethod
    def lost(_members, _member, _command):
        """It is done, and the connection breaks before the answer."""
        return None, lambda answer: None

    @staticmethod
    def changed(**fields):
        """It is done, and the answer has these fields, too."""
        return lambda members, member, command: (None, lambda answer: {**answer, **fields})

    @staticmethod
    def too_old(members, _member, _command):
        members.clock += 1000
        members.oldest = members.clock
        return dict(TOO_OLD), None

    # --- what members do

    def struck(self, member, command, name):
        for at, (wanted, strike, when) in enumerate(self.strikes):
            if wanted == name and when(command):
                del self.strikes[at]
                return strike(self, member, command)
        return None, None

    def take(self, member, command):
        """(answer, None), or (None, what the answer is about); the command becomes one that the server understands."""
        with self.members[0].lock:
            name = next(iter(command))
            if name in ("hello", "isMaster", "ismaster"):
                return None, ("hello", None)
            if name == "create":
                self.made.append(dict(command))
            session = bytes(command.pop("lsid", {}).get("id", b""))
            number = command.pop("txnNumber", None)
            if name in WRITES and self.primary != member.number:
                return dict(NOT_PRIMARY), None
            if number is not None and name not in WITH_NUMBERS:
                self.faults.append("%s has a number" % name)
            if name in WRITES and command.get("writeConcern") != {"w": "majority", "j": True}:
                self.faults.append("%s waits for less than most journals" % name)
            if number is not None and (session, number) in self.done:
                self.repeats += 1
                return dict(self.done[session, number]), None
            answer, change = self.struck(member, command, name)
            if answer is not None:
                return answer, None
            answer, time = self.read_as_of(command, name, session)
            return answer, (name, (session, number, time, change))

    def read_as_of(self, command, name, session):
        concern = command.pop("readConcern", None)
        if name == "getMore" and self.cursors.get(command["getMore"], session) != session:
            self.faults.append("a cursor is asked for more in another session")
        if not concern or concern.get("level") != "snapshot":
            return None, None
        asked = concern.get("atClusterTime")
        if asked is None:
            self.clock += 1
            return None, self.clock
        self.times.append(asked.time)
        return (dict(TOO_OLD), None) if asked.time < self.oldest else (None, asked.time)

    def answer(self, member, name, about, answer):
        """None: the connection breaks."""
        with self.members[0].lock:
            if name == "hello":
                return member.hello(answer)
            session, number, time, change = about
            if time is not None and "cursor" in answer:
                answer["cursor"]["atClusterTime"] = self.bson.Timestamp(time, 1)
            if answer.get("cursor", {}).get("id"):
                self.cursors[answer["cursor"]["id"]] = session
            if number is not None and answer.get("ok"):
                self.done[session, number] = answer
            return change(answer) if change is not None else answer
