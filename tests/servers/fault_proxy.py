"""A proxy between the program and a server of DynamoDB or S3, which breaks what a test says it shall break.

    with FaultProxy(server.endpoint, seed=7) as proxy:
        proxy.add("unprocessed", chance=0.2)                              # some items come back undone
        proxy.add("throttle", operation="BatchWriteItem", first=10, count=5)
        proxy.add("cut_after", operation="PutItem", every=7)
        ... endpoint=proxy.endpoint ...
        assert proxy.hits["cut_after"] > 0

A rule applies to the requests of its `operation` (a name or several) and `table`, from the `first` one that
fits on (1-based), to each `every`th of them, with `chance`, `count` times at most, and within the seconds
`since`..`until` after it was added. The first rule that applies is carried out; other requests pass.

    unprocessed   BatchWriteItem, BatchGetItem: a `share` of the items is not passed on, and answered as left over
    throttle      400 with `code` (ProvisionedThroughputExceededException); nothing is passed on
    error         `status` (500) and `code`; with `applied`, only after the server did it
    refuse        400 with `code` and `message`: ExpiredTokenException, AccessDeniedException ...
    cut_before    the connection is reset, the server never sees the request
    cut_after     the server does it, then the connection is reset
    wrong_crc     the answer's x-amz-crc32 is wrong
    altered       one digit of the answer is another one, its x-amz-crc32 that of the true answer
    truncated     the answer ends half-way, though its length said more
    slow          `before` seconds pass before the server sees it, `after` seconds before its answer goes on
    held          the server sees it once `released`, a threading.Event, is set
    drip          the answer comes in `pieces`, `pause` seconds apart
    half_open     nothing is ever answered, and the connection stays open; with `applied`, the server does it
    html          `status` (200) and a page for people
    redirect      `status` (302) to another place
    oversized     the answer says that it is a TiB long, and goes on for some MiB
    garbage       bytes that are no HTTP
    short_page    Scan, Query: the server is asked for `limit` items only
    rewrite       `change` is called with the answer's JSON, and changes it
    unconditional the server does not see If-Match and If-None-Match, as a store that does not know them
    empty_page    Scan, Query: no items, and a key to go on from

`keep_bodies` keeps what was asked in `bodies`. `clock_offset_s` is how far the proxy's clock is ahead: requests signed
more than five minutes off are refused
as DynamoDB does, and answers bear its date.
"""
import binascii
import calendar
import collections
import email.utils
import http.client
import json
import random
import re
import socket
import socketserver
import struct
import threading
import time
import urllib.parse

HEAD_BYTES_MAX = 65536
BODY_BYTES_MAX = 64 << 20
IDLE_S = 120
UPSTREAM_S = 60
SKEW_S = 300
TYPE = "application/x-amz-json-1.0"
PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please log in.</body></html>\n"

Seen = collections.namedtuple("Seen", "seconds operation table fault status key_id")


class Rule:
    def __init__(self, fault, operation, table, first, every, count, chance, since, until, options):
        self.fault, self.table, self.first, self.every = fault, table, first, every
        self.operations = {operation} if isinstance(operation, str) else set(operation or ())
        self.count, self.chance, self.since, self.until = count, chance, since, until
        self.options = options
        self.begun = time.monotonic()
        self.seen = self.hits = 0

    def applies(self, request, chooser):
        if self.operations and request.operation not in self.operations:
            return False
        if self.table and self.table not in request.tables():
            return False
        if not FAULTS[self.fault].fits(request):
            return False
        elapsed = time.monotonic() - self.begun
        self.seen += 1
        applies = (self.seen >= self.first and (self.seen - self.first) % self.every == 0
                   and (self.count is None or self.hits < self.count)
                   and self.since <= elapsed < self.until and chooser.random() < self.chance)
        self.hits += applies
        return applies


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.is_s3 = "/s3/aws4_request" in headers.get("authorization", "")
        self.operation = self.s3_operation() if self.is_s3 else headers.get("x-amz-target", "").rpartition(".")[2]
        self._json = None

    def s3_operation(self):
        asked = urllib.parse.parse_qs(self.path.partition("?")[2], keep_blank_values=True)
        for name, operations in S3_OPERATIONS:
            if (not name or name in asked) and self.method in operations:
                return operations[self.method]
        return ""

    def json(self):
        if self._json is None:
            try:
                self._json = json.loads(self.body or b"{}")
            except ValueError:
                self._json = {}
        return self._json

    def key_id(self):
        """Whose signature it bears."""
        found = re.search(r"Credential=([^/]+)/", self.headers.get("authorization", ""))
        return found.group(1) if found else ""

    def tables(self):
        items = self.json().get("RequestItems")
        return list(items) if isinstance(items, dict) else [self.json().get("TableName")]


class Answer:
    def __init__(self, status, body, headers=None):
        self.status, self.body, self.headers = status, body, dict(headers or {})
        self.headers.setdefault("Content-Type", TYPE)
        self.headers.setdefault("x-amz-crc32", str(binascii.crc32(body)))
        self.length = len(body)  # as it is announced
        self.pieces, self.pause = 1, 0.0
        self.reset = False
        self.raw = None  # instead of all that

    def head(self, date):
        if self.raw is not None:
            return self.raw
        headers = dict(self.headers, Date=date)
        headers["Content-Length"] = str(self.length)
        lines = ["HTTP/1.1 %d %s" % (self.status, http.client.responses.get(self.status, "Unknown"))]
        lines += ["%s: %s" % pair for pair in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# By what stands in the query.
S3_OPERATIONS = (("list-type", {"GET": "ListObjectsV2"}),
                 ("uploads", {"GET": "ListMultipartUploads", "POST": "CreateMultipartUpload"}),
                 ("partNumber", {"PUT": "UploadPart"}),
                 ("uploadId", {"POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}),
                 ("", {"GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}))


def error_answer(status, code, message, request=None):
    if request is not None and request.is_s3:
        return Answer(status, ("<Error><Code>%s</Code><Message>%s</Message></Error>" % (code, message)).encode(),
                      {"Content-Type": "application/xml"})
    prefix = "com.amazon.coral.service#" if code in CORAL_CODES else "com.amazonaws.dynamodb.v20120810#"
    return Answer(status, json.dumps({"__type": prefix + code, "message": message}).encode())


CORAL_CODES = {"ExpiredTokenException", "AccessDeniedException", "ThrottlingException",
               "InvalidSignatureException", "UnrecognizedClientException", "ValidationException"}
MESSAGES = {
    "ProvisionedThroughputExceededException":
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
        "your provisioning level with the UpdateTable API.",
    "ThrottlingException": "Rate exceeded",
    "RequestLimitExceeded": "Throughput exceeds the current throughput limit for your account.",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "AccessDeniedException": "User: arn:aws:iam::000000000000:user/test is not authorized to perform this "
                             "operation",
    "InternalServerError": "Internal server error",
    "ServiceUnavailable": "Service is unavailable",
}


# --- faults: each has `fits(request)` and `act(exchange, options)`, which gives an Answer or None (no answer)

class Fault:
    operations = None   # that it is a fault of; None: all

    @classmethod
    def fits(cls, request):
        return cls.operations is None or request.operation in cls.operations


class Unprocessed(Fault):
    operations = ("BatchWriteItem", "BatchGetItem")

    @classmethod
    def fits(cls, request):
        return super().fits(request) and sum(map(len, map(Unprocessed.wanted,
                                                          request.json().get("RequestItems", {}).values()))) > 1

    @staticmethod
    def wanted(part):
        return part["Keys"] if isinstance(part, dict) else part

    @staticmethod
    def act(exchange, options):
        whole = exchange.request.json()
        kept, left = {}, {}
        places = [(table, at) for table, part in whole["RequestItems"].items()
                  for at in range(len(Unprocessed.wanted(part)))]
        # At least one is done: were there none, DynamoDB would answer with an exception.
        size = min(len(places) - 1, max(1, round(len(places) * options.get("share", 0.5))))
        held_back = set(exchange.chooser.sample(places, size))
        for table, at in places:
            part = whole["RequestItems"][table]
            side = left if (table, at) in held_back else kept
            if isinstance(part, dict):
                side.setdefault(table, dict(part, Keys=[]))["Keys"].append(part["Keys"][at])
            else:
                side.setdefault(table, []).append(part[at])
        answer = exchange.forward(json.dumps(dict(whole, RequestItems=kept)).encode())
        if answer is None or answer.status != 200:
            return answer
        name = "UnprocessedItems" if exchange.request.operation == "BatchWriteItem" else "UnprocessedKeys"
        told = json.loads(answer.body)
        for table, part in told.get(name, {}).items():  # what the server itself has left
            if table not in left:
                left[table] = part
            else:
                Unprocessed.wanted(left[table]).extend(Unprocessed.wanted(part))
        return Answer(200, json.dumps(dict(told, **{name: left})).encode())


class Throttle(Fault):
    @staticmethod
    def act(_exchange, options):
        code = options.get("code", "ProvisionedThroughputExceededException")
        return error_answer(400, code, MESSAGES.get(code, code))


class Error(Fault):
    @staticmethod
    def act(exchange, options):
        status = options.get("status", 500)
        code = options.get("code", "ServiceUnavailable" if status == 503 else "InternalServerError")
        if options.get("applied"):
            exchange.forward()
        return error_answer(status, code, MESSAGES.get(code, code), exchange.request)


class Refuse(Fault):
    @staticmethod
    def act(exchange, options):
        code = options["code"]
        return error_answer(options.get("status", 400), code,
                            options.get("message", MESSAGES.get(code, code)), exchange.request)


class CutBefore(Fault):
    @staticmethod
    def act(exchange, _options):
        exchange.reset()


class CutAfter(Fault):
    @staticmethod
    def act(exchange, _options):
        exchange.forward()
        exchange.reset()


class Unconditional(Fault):
    @staticmethod
    def act(exchange, _options):
        for name in ("if-match", "if-none-match"):
            exchange.request.headers.pop(name, None)
        return exchange.forward()


class WrongCrc(Fault):
    @staticmethod
    def act(exchange, _options):
        answer = exchange.forward()
        if answer is not None:
            answer.headers["x-amz-crc32"] = str(binascii.crc32(answer.body) ^ 1)
        return answer


class Altered(Fault):
    @staticmethod
    def act(exchange, _options):
        answer = exchange.forward()
        digits = [m.start() for m in re.finditer(rb"[0-9]", answer.body)] if answer else []
        if digits:
            at = exchange.chooser.choice(digits)
            digit = b"%d" % ((answer.body[at] - ord("0") + 1) % 10)
            answer.body = answer.body[:at] + digit + answer.body[at + 1:]
        elif answer is not None:
            answer.headers["x-amz-crc32"] = str(binascii.crc32(answer.body) ^ 1)
        return answer


class Truncated(Fault):
    @staticmethod
    def act(exchange, _options):
        answer = exchange.forward()
        if answer is not None:
            answer.length = len(answer.body)
            answer.body = answer.body[:len(answer.body) // 2]
            answer.reset = True
        return answer


class Slow(Fault):
    @staticmethod
    def act(exchange, options):
        exchange.sleep(options.get("before", 0))
        answer = exchange.forward()
        exchange.sleep(options.get("after", 0))
        return answer


class Held(Fault):
    @staticmethod
    def act(exchange, options):
        while not options["released"].is_set():
            exchange.sleep(0.01)
        return exchange.forward()


class Drip(Fault):
    @staticmethod
    def act(exchange, options):
        answer = exchange.forward()
        if answer is not None:
            answer.pieces, answer.pause = options.get("pieces", 5), options.get("pause", 0.05)
        return answer


class HalfOpen(Fault):
    @staticmethod
    def act(exchange, options):
        if options.get("applied"):
            exchange.forward()
        exchange.sleep(IDLE_S)
        exchange.reset()


class Html(Fault):
    @staticmethod
    def act(_exchange, options):
        answer = Answer(options.get("status", 200), PAGE, {"Content-Type": "text/html"})
        del answer.headers["x-amz-crc32"]
        return answer


class Redirect(Fault):
    @staticmethod
    def act(_exchange, options):
        return Answer(options.get("status", 302), b"", {"Location": "http://127.0.0.1:9/elsewhere"})


class Oversized(Fault):
    @staticmethod
    def act(exchange, _options):
        answer = exchange.forward()
        if answer is not None:
            answer.length = 1 << 40
            answer.body += b" " * (4 << 20)
            answer.reset = True
        return answer


class Garbage(Fault):
    @staticmethod
    def act(exchange, _options):
        answer = Answer(200, b"")
        answer.raw = exchange.chooser.randbytes(300)
        answer.reset = True
        return answer


class ShortPage(Fault):
    operations = ("Scan", "Query")

    @classmethod
    def fits(cls, request):
        asked = request.json()
        return super().fits(request) and "Limit" not in asked and "Select" not in asked

    @staticmethod
    def act(exchange, options):
        limit = options.get("limit") or exchange.chooser.randint(1, 7)
        return exchange.forward(json.dumps(dict(exchange.request.json(), Limit=limit)).encode())


class Rewrite(Fault):
    @staticmethod
    def act(exchange, options):
        answer = exchange.forward()
        if answer is None or answer.status != 200:
            return answer
        told = json.loads(answer.body)
        options["change"](told)
        return Answer(200, json.dumps(told).encode())


class EmptyPage(Fault):
    operations = ("Scan", "Query")

    @classmethod
    def fits(cls, request):
        return super().fits(request) and "ExclusiveStartKey" in request.json()

    @staticmethod
    def act(exchange, _options):
        key = exchange.request.json()["ExclusiveStartKey"]
        return Answer(200, json.dumps({"Items": [], "Count": 0, "ScannedCount": 0,
                                       "LastEvaluatedKey": key}).encode())


FAULTS = {"unprocessed": Unprocessed, "throttle": Throttle, "error": Error, "refuse": Refuse,
          "cut_before": CutBefore, "cut_after": CutAfter, "wrong_crc": WrongCrc, "altered": Altered,
          "truncated": Truncated, "slow": Slow, "held": Held, "drip": Drip, "half_open": HalfOpen, "html": Html,
          "redirect": Redirect, "oversized": Oversized, "garbage": Garbage,
          "rewrite": Rewrite, "unconditional": Unconditional, "short_page": ShortPage, "empty_page": EmptyPage}


# --- one connection

class Cut(Exception):
    """The connection to the client is over."""


class Reset(Cut):
    """... and ends by a reset rather than in good order."""


class Connection(socketserver.BaseRequestHandler):
    """Serves one client connection; `exchange` of the faults is this, with `request` set."""

    def setup(self):
        self.proxy = self.server.proxy
        self.chooser = self.proxy.chooser
        self.upstream = None
        self.pending = b""
        self.request_socket = self.request
        self.request_socket.settimeout(IDLE_S)
        self.request_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.proxy.connected(self)

    def finish(self):
        if self.upstream is not None:
            self.upstream.close()
        self.proxy.disconnected(self)

    def handle(self):
        try:
            while True:
                request = self.read_request()
                if request is None:
                    return
                self.request = request
                self.serve()
        except Reset:
            self.request_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request_socket.close()
        except (Cut, OSError):
            return

    def serve(self):
        rule = self.proxy.choose(self.request)
        skewed = self.proxy.skewed(self.request)
        answer = None
        try:
            answer = FAULTS[rule.fault].act(self, rule.options) if rule else skewed or self.forward()
        finally:
            self.proxy.note(self.request, rule.fault if rule else "skew" if skewed else "",
                            answer.status if answer else 0)
        if answer is None:
            self.reset()
        self.send(answer)

    def read_request(self):
        head = self.read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path = first.split(" ")[:2]
        headers = {name.strip().lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines if line)}
        if headers.get("expect", "").lower() == "100-continue":
            self.request_socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length", "0"))
        if length > BODY_BYTES_MAX:
            raise Cut()
        return Request(method, path, headers, self.read_exactly(length))

    def read_until(self, mark):
        while mark not in self.pending:
            if len(self.pending) > HEAD_BYTES_MAX:
                raise Cut()
            piece = self.request_socket.recv(65536)
            if not piece:
                return None
            self.pending += piece
        head, _, self.pending = self.pending.partition(mark)
        return head

    def read_exactly(self, length):
        pieces, have = [self.pending], len(self.pending)
        while have < length:
            piece = self.request_socket.recv(262144)
            if not piece:
                raise Cut()
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self.pending = data[length:]
        return data[:length]

    def forward(self, body=None):
        """The server's Answer to the request, or None if it gave none."""
        request = self.request
        headers = {name: value for name, value in request.headers.items()
                   if name not in ("content-length", "connection", "expect", "transfer-encoding")}
        for fresh in (False, True):
            if self.upstream is None or fresh:
                self.upstream = http.client.HTTPConnection(*self.proxy.upstream, timeout=UPSTREAM_S)
            try:
                self.upstream.request(request.method, request.path,
                                      request.body if body is None else body, headers)
                response = self.upstream.getresponse()
                data = response.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if fresh:
                    return None
                continue  # a server may close a connection that it kept
            except (OSError, http.client.HTTPException):
                self.upstream.close()
                self.upstream = None
                return None
            names = ("content-type", "x-amz-crc32", "x-amzn-requestid", "etag", "content-range")
            found = {name: value for name, value in response.getheaders() if name.lower() in names
                     or name.lower().startswith("x-amz-meta-")}
            answer = Answer(response.status, data)
            answer.headers = found
            answer.length = len(data)
            return answer
        return None

    def send(self, answer):
        date = email.utils.formatdate(time.time() + self.proxy.clock_offset_s, usegmt=True)
        data = answer.head(date) + answer.body
        step = max(1, -(-len(data) // answer.pieces))
        for at in range(0, len(data), step):
            if at:
                self.sleep(answer.pause)
            self.request_socket.sendall(data[at:at + step])
        if answer.reset:
            self.request_socket.shutdown(socket.SHUT_WR)
            raise Cut()

    def sleep(self, seconds):
        if seconds and self.proxy.closing.wait(seconds):
            raise Cut()

    @staticmethod
    def reset():
        raise Reset()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def shutdown_request(self, request):
        # The base class would shut it down in good order, which hides a reset.
        self.close_request(request)


class FaultProxy:
    """Lives in threads of the test's process. `hits` counts faults, `seen` lists all requests."""

    def __init__(self, endpoint, seed=1):
        parts = urllib.parse.urlsplit(endpoint)
        self.upstream = (parts.hostname, parts.port or 80)
        self.chooser = random.Random(seed)
        self.rules, self.seen = [], []
        self.hits = collections.Counter()
        self.clock_offset_s = 0
        self.keep_bodies, self.bodies = False, []  # (operation, request) of all that came
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.connections = set()
        self.begun = time.monotonic()
        self.server = _Server(("127.0.0.1", 0), Connection)
        self.server.proxy = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                                       daemon=True)
        self.thread.start()

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.port

    def add(self, fault, operation=None, table=None, first=1, every=1, count=None, chance=1.0, since=0.0,
            until=float("inf"), **options):
        if fault not in FAULTS:
            raise ValueError("there is no fault %s" % fault)
        rule = Rule(fault, operation, table, first, every, count, chance, since, until, options)
        with self.lock:
            self.rules.append(rule)
        return rule

    @staticmethod
    def is_fault_of(fault, operation):
        """Can it strike a request of this operation at all?"""
        return FAULTS[fault].operations is None or operation in FAULTS[fault].operations

    def clear(self):
        """Forgets rules and what was seen."""
        with self.lock:
            self.rules, self.seen = [], []
            self.hits.clear()
            self.clock_offset_s = 0

    def operations(self):
        with self.lock:
            return collections.Counter(seen.operation for seen in self.seen)

    def choose(self, request):
        with self.lock:
            for rule in self.rules:
                if rule.applies(request, self.chooser):
                    self.hits[rule.fault] += 1
                    return rule
        return None

    def skewed(self, request):
        stamp = request.headers.get("x-amz-date", "")
        if not self.clock_offset_s or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
            return None
        now = time.time() + self.clock_offset_s
        off = now - calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        if abs(off) <= SKEW_S:
            return None
        with self.lock:
            self.hits["skew"] += 1
        if request.is_s3:
            return error_answer(403, "RequestTimeTooSkewed",
                                "The difference between the request time and the current time is too large.", request)
        text = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        edge = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - SKEW_S if off > 0 else now + SKEW_S))
        words = "Signature expired: %s is now earlier than %s (%s - 5 min.)" if off > 0 else \
            "Signature not yet current: %s is still later than %s (%s + 5 min.)"
        return error_answer(400, "InvalidSignatureException", words % (stamp, edge, text))

    def note(self, request, fault, status):
        with self.lock:
            if self.keep_bodies:
                self.bodies.append((request.operation, request.json()))
            self.seen.append(Seen(time.monotonic() - self.begun, request.operation,
                                  ",".join(filter(None, request.tables())), fault, status, request.key_id()))

    def connected(self, connection):
        with self.lock:
            self.connections.add(connection)

    def disconnected(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def stop(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            left = list(self.connections)
        for connection in left:
            try:
                connection.request_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
