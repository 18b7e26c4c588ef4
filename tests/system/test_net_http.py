"""The HTTP client against servers that follow a script: right answers, broken ones, none, TLS and proxies."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import net_support
from net_support import ScriptedServer, answering
import support

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def send(url, *requests, env=None, **options):
    """Responses to requests (keywords of http_request) one after the other, on one client."""
    requests = [dict({"url": url}, **request) for request in (requests or ({},))]
    answer = net_support.probe("http", dict(options, requests=requests), env).result
    return answer["responses"] if "responses" in answer else answer


def once(data, close=True):
    """A handler that reads one request, sends these bytes and closes."""
    def handle(peer):
        peer.request()
        peer.send(data)
        if not close:
            peer.wait()
    return handle


class HttpTest(unittest.TestCase):
    def check(self, response, code, sent, cut=False, words="", klass=None):
        self.assertIsNotNone(response["error"], response)
        self.assertEqual(response["error"]["code"], code, response)
        self.assertEqual((response["sent"], response["cut"]), (sent, cut), response)
        self.assertIn(words, response["error"]["message"])
        if klass:
            self.assertEqual(response["error"]["class"], klass, response)

    def fault(self, handle, code, sent=True, cut=False, words="", klass=None, env=None, **request):
        with ScriptedServer(handle) as server:
            response, = send(server.url, dict({"timeout_ms": 5000}, **request), env=env)
            self.check(response, code, sent, cut, words, klass)
            return response, server.requests


class Answers(HttpTest):
    def test_what_the_server_sees(self):
        with ScriptedServer(answering(lambda *_: (200, "ok"))) as server:
            headers = {"X-Amz-Target": "DynamoDB_20120810.Scan", "Content-Type": "application/x-amz-json-1.0",
                       "X-Empty": ""}
            responses = send(server.url + "/a/../b?c=%20d", {"body": "{}", "headers": headers},
                             {"method": "PUT", "body": ""}, {"method": "GET"}, {"method": "HEAD"},
                             {"method": "DELETE", "headers": {"User-Agent": "me", "Host": "h"}},
                             {"body": "x" * 3_000_000})
            self.assertEqual([r["status"] for r in responses], [200] * 6)
            self.assertEqual([r["body"] for r in responses], ["ok", "ok", "ok", "", "ok", "ok"])
            self.assertEqual(server.connections, 1)
            version = send(server.url, {"method": "GET"})
            self.assertEqual(version[0]["error"], None)
        seen = server.requests
        self.assertEqual([request[0] for request in seen[:6]],
                         ["POST", "PUT", "GET", "HEAD", "DELETE", "POST"])
        self.assertEqual({request[1] for request in seen[:6]}, {"/a/../b?c=%20d"})
        host = "127.0.0.1:%d" % server.port
        first = seen[0][2]
        agent = first.pop("user-agent")
        self.assertRegex(agent, r"^transhume/\d")
        self.assertEqual(first, {"host": host, "content-length": "2", "x-amz-target": "DynamoDB_20120810.Scan",
                                 "content-type": "application/x-amz-json-1.0", "x-empty": ""})
        self.assertEqual(seen[1][2], {"host": host, "content-length": "0", "user-agent": agent})
        self.assertEqual(seen[2][2], {"host": host, "user-agent": agent})
        self.assertEqual(seen[4][2]["user-agent"], "me")
        self.assertEqual(seen[4][2]["host"], "h")
        self.assertEqual(len(seen[5][3]), 3_000_000)

    def test_statuses_are_no_errors_and_redirects_are_not_followed(self):
        statuses = iter([204, 301, 400, 413, 500, 503])
        with ScriptedServer(answering(
                lambda *_: (next(statuses), "", {"Location": "http://127.0.0.1:1/"}))) as server:
            responses = send(server.url, *[{}] * 6)
            self.assertEqual([r["status"] for r in responses], [204, 301, 400, 413, 500, 503])
            self.assertEqual([r["error"] for r in responses], [None] * 6)
            self.assertEqual(len(server.requests), 6)

    def test_interim_answers_and_chunks(self):
        interim = (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Last: 1\r\n\r\n"
                   b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n")
        with ScriptedServer(once(interim)) as server:
            response, = send(server.url)
            self.assertEqual((response["status"], response["body"], response["error"]), (200, "abcde", None))
            self.assertNotIn("Link", response["headers"])
            self.assertIn("X-Last: 1", response["headers"])

    def test_dates(self):
        dates = {"Sun, 06 Nov 1994 08:49:37 GMT": 784111777000, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
                 "Tue, 29 Feb 2028 23:59:60 GMT": 1835481600000,
                 "Sunday, 06-Nov-94 08:49:37 GMT": None, "Sun, 06 Nov 1994 08:49:37 CET": None,
                 "Sun, 06 Foo 1994 08:49:37 GMT": None, "Sun, 06 Nov 1994 25:49:37 GMT": None, "": None}
        for text, expected in dates.items():
            with self.subTest(text), ScriptedServer(answering(lambda *_, t=text: (200, "", {"dAtE": t}))) as server:
                self.assertEqual(send(server.url)[0]["date_ms"], expected)

    def test_a_body_until_the_connection_ends(self):
        with ScriptedServer(once(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as server:
            response, = send(server.url)
            self.assertEqual((response["body"], response["error"]), ("all of it", None))

    def test_many_at_once_on_kept_connections(self):
        with ScriptedServer(answering(lambda method, target, headers, body: (200, body))) as server:
            requests = [{"url": server.url, "body": "n%d" % i} for i in range(50)]
            result = net_support.probe("http", {"requests": requests, "repeat": 8, "together": True,
                                                "connections_max": 8}).result["responses"]
            self.assertEqual([r["body"] for r in result], ["n%d" % i for i in range(50)] * 8)
            self.assertLessEqual(server.connections, 8)
            self.assertEqual(len(server.requests), 400)

    def test_some_fail_among_many(self):
        def respond(peer):
            while True:
                request = peer.request()
                if request is None:
                    return
                if request[3] == b"reset":
                    peer.reset()
                    return
                if request[3] == b"silent":
                    peer.wait()
                    return
                peer.answer(200, request[3])
        with ScriptedServer(respond) as server:
            bodies = ["a", "reset", "b", "silent", "c"] * 6
            requests = [{"url": server.url, "body": body, "timeout_ms": 1500} for body in bodies]
            requests.append({"url": "http://127.0.0.1:1", "body": "nobody"})
            requests.append({"url": "http://example.com", "body": "refused"})
            result = net_support.probe("http", {"requests": requests, "together": True,
                                                "connections_max": 40}).result["responses"]
        for body, response in zip(bodies, result):
            if body in ("reset", "silent"):
                self.check(response, "network", sent=True)
            else:
                self.assertEqual((response["body"], response["error"]), (body, None))
        self.check(result[-2], "network", sent=False)
        self.assertEqual(result[-1]["error"]["code"], "bad-value")

    def test_version_6_of_the_protocol(self):
        if not os.path.exists("/proc/net/if_inet6") or not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            server = ScriptedServer(answering(lambda *_: (200, "six")), host="::1")
        except OSError as fault:
            self.skipTest("no loopback for IPv6: %s" % fault)
        with server:
            self.assertEqual(send(server.url)[0]["body"], "six")
            self.assertEqual(server.requests[0][2]["host"], "[::1]:%d" % server.port)


class BrokenAnswers(HttpTest):
    def test_cut_short(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
        response, _ = self.fault(once(head + b"x" * 40), "network-answer", cut=True, words="after 40 bytes")
        self.assertEqual((response["status"], response["body"]), (200, "x" * 40))
        self.fault(once(head), "network-answer", cut=True, words="after 0 bytes")
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.fault(once(chunked + b"5\r\nab"), "network-answer", cut=True)
        self.fault(once(chunked + b"5\r\nabcde\r\n"), "network-answer", cut=True)
        self.fault(once(chunked), "network-answer", cut=True)

    def test_cut_by_a_reset(self):
        def handle(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            time.sleep(0.2)
            peer.reset()
        self.fault(handle, "network", cut=True, words="after 3 bytes", klass="retry")

    def test_within_the_headers(self):
        for data in (b"HTTP/1.1 200 OK\r\nContent-Len", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n",
                     b"HTTP"):
            with self.subTest(data), ScriptedServer(once(data)) as server:
                response, = send(server.url)
                self.assertEqual((response["status"], response["sent"]), (0, True), response)
                self.assertIn(response["error"]["code"], ("network-answer", "network"))

    def test_broken_chunks(self):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (b"zz\r\nabc", b"-5\r\nabc", b"FFFFFFFFFFFFFFFFFF\r\nabc", b"3\r\nabcdef\r\n0\r\n\r\n"):
            with self.subTest(data):
                self.fault(once(chunked + data), "network-answer", cut=True)

    def test_limits(self):
        limit = {"response_bytes_max": 1000}
        self.fault(answering(lambda *_: (200, "x" * 1001)), "network-answer", cut=True,
                   words="1000 bytes", klass="stop", **limit)
        chunk = b"100\r\n" + b"y" * 256 + b"\r\n"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 4
        response, _ = self.fault(once(chunked, close=False), "network-answer", cut=True, klass="stop", **limit)
        self.assertLessEqual(len(response["body"]), 1000)
        with ScriptedServer(answering(lambda *_: (200, "x" * 1000))) as server:
            self.assertEqual(send(server.url, limit)[0]["error"], None)

    def test_headers_without_end(self):
        def one_line(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(4096):
                peer.send(b"x" * 1024)
        def many_lines(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n")
            for i in range(400000):
                peer.send(b"X-%d: y\r\n" % i)
        def interim(peer):
            peer.request()
            while True:
                peer.send(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n")
        for handle in (one_line, many_lines, interim):
            with self.subTest(handle.__name__):
                begun = time.monotonic()
                response, _ = self.fault(handle, "network-answer", words="headers take more than", klass="stop")
                self.assertLess(time.monotonic() - begun, 4 * support.PATIENCE)
                self.assertEqual(response["status"], 0)

    def test_no_http(self):
        for data in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x46" * 10, b"<html>hello</html>"):
            with self.subTest(data):
                self.fault(once(data), "network-answer", words="no HTTP")


class NoAnswers(HttpTest):
    def test_nobody_listens(self):
        response, = send("http://127.0.0.1:1")
        self.check(response, "network", sent=False, klass="retry")
        response, = send("https://no-such-host.invalid/")
        self.check(response, "network", sent=False, words="resolve")

    def test_closed_without_an_answer(self):
        self.fault(lambda peer: peer.request(), "network", words="without an answer", klass="retry")
        def reset(peer):
            peer.request()
            peer.reset()
        self.fault(reset, "network", klass="retry")

    def test_silence(self):
        def silent(peer):
            peer.request()
            peer.wait()
        response, _ = self.fault(silent, "network", words="no answer within", timeout_ms=400)
        self.assertGreaterEqual(response["elapsed_ms"], 400)
        self.assertLess(response["elapsed_ms"], 400 + 2000 * support.PATIENCE)

    def test_an_answer_that_drips(self):
        def drip(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                peer.send(b"x")
                time.sleep(0.05)
        self.fault(drip, "network", cut=True, words="was not whole within", timeout_ms=600)

    def test_a_host_that_does_not_answer_at_all(self):
        """The queue of a listener that accepts nothing fills up; further connections hang."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
                fillers.append(filler)
            time.sleep(0.2)
            response, = send("http://127.0.0.1:%d" % listener.getsockname()[1], {"timeout_ms": 8000},
                             connect_timeout_ms=500)
            for filler in fillers:
                filler.close()
        self.check(response, "network", sent=False, words="no connection within")
        self.assertLess(response["elapsed_ms"], 4000 * support.PATIENCE)


class KeptConnections(HttpTest):
    @staticmethod
    def second_request_dropped(peer):
        """The first connection answers once, and closes on its second request without a word."""
        peer.request()
        peer.answer(200, "first")
        if peer.server.connections == 1:
            peer.request()
            return
        answering(lambda *_: (200, "again"))(peer)

    def test_a_request_is_not_repeated_behind_the_callers_back(self):
        with ScriptedServer(self.second_request_dropped) as server:
            first, second = send(server.url, {"body": "1"}, {"body": "2"})
            self.assertIsNone(first["error"])
            self.check(second, "network", sent=True, words="without an answer")
            self.assertEqual([r[3] for r in server.requests], [b"1", b"2"])

    def test_a_repeatable_one_is(self):
        with ScriptedServer(self.second_request_dropped) as server:
            first, second, third = send(server.url, *({"body": b, "repeatable": True} for b in "123"))
            self.assertEqual([first["body"], second["body"], third["body"]], ["first", "first", "again"])
            self.assertEqual([r[3] for r in server.requests], [b"1", b"2", b"2", b"3"])

    def test_one_that_was_closed_meanwhile_costs_nothing(self):
        def close_after_answer(peer):
            peer.request()
            peer.answer(200, "x")
        with ScriptedServer(close_after_answer) as server:
            responses = send(server.url, *[{"body": "b"}] * 4, pause_ms=150)
            self.assertEqual([r["error"] for r in responses], [None] * 4)
            self.assertEqual(server.connections, 4)


    def test_more_than_was_asked_for_is_no_answer_to_the_next(self):
        """Bytes behind an answer, in the same packet or later: the next request goes elsewhere."""
        def at_once(peer):
            peer.request()
            peer.send(OK + OK.replace(b"ok", b"no"))
            peer.wait()
        def later(peer):
            peer.request()
            peer.send(OK)
            time.sleep(0.05)
            peer.send(OK.replace(b"ok", b"no"))
            peer.wait()
        for handle in (at_once, later):
            with self.subTest(handle.__name__), ScriptedServer(handle) as server:
                responses = send(server.url, *[{"body": "b"}] * 3, pause_ms=150)
                self.assertEqual([(r["body"], r["error"]) for r in responses], [("ok", None)] * 3)
                self.assertEqual(server.connections, 3)

    def test_kept_only_where_both_say_so(self):
        for head, expected in ((b"HTTP/1.1 200 OK\r\nConnection: close\r\n", 3), (b"HTTP/1.0 200 OK\r\n", 3),
                               (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", 1),
                               (b"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n", 3), (b"HTTP/1.1 200 OK\r\n", 1)):
            def handle(peer, head=head):
                while peer.request() is not None:
                    peer.send(head + b"Content-Length: 2\r\n\r\nok")
            with self.subTest(head), ScriptedServer(handle) as server:
                self.assertEqual([r["body"] for r in send(server.url, *[{"body": "b"}] * 3)], ["ok"] * 3)
                self.assertEqual(server.connections, expected)

    def test_an_answer_before_the_whole_request(self):
        """A server that refuses a body without reading it, and closes."""
        def refuse(peer):
            peer.connection.recv(100)
            peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            peer.wait()
        with ScriptedServer(refuse) as server:
            responses = send(server.url, *[{"body": "x" * 20_000_000}] * 2)
            self.assertEqual([(r["status"], r["body"], r["error"]) for r in responses], [(413, "big", None)] * 2)
            self.assertEqual(server.connections, 2)


class Framing(HttpTest):
    """Every way an answer's end can be told, cut into pieces at every byte."""
    HEAD = b"HTTP/1.1 200 OK\r\nX: 1\r\n"
    WHOLE = {b"Content-Length: 5\r\n\r\nhello": "hello", b"Content-Length: 0\r\n\r\n": "",
             b"Content-Length:5\t\r\ncontent-length: 5\r\n\r\nhello": "hello",
             b"Transfer-Encoding: Chunked\r\n\r\n1\r\nh\r\n004;a=b\r\nello\r\n0\r\n\r\n": "hello",
             b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n00\r\nTrail: x\r\nEr: y\r\n\r\n": "hello",
             b"Folded: a\r\n b\r\nContent-Length: 2\n\nok": "ok"}
    BROKEN = (b"Content-Length: -5\r\n\r\nhello", b"Content-Length: \r\n\r\n", b"Transfer-Encoding: gzip\r\n\r\nhello",
              b"No colon\r\n\r\n", b"N\0: ul\0\r\nContent-Length: 0\r\n\r\n")

    def test_whole(self):
        for rest, body in self.WHOLE.items():
            data = self.HEAD + rest
            pieces = [(data[:at], data[at:]) for at in range(1, len(data))]

            def handle(peer):
                while peer.request() is not None:
                    first, last = pieces[handled[0] % len(pieces)]
                    handled[0] += 1
                    peer.send(first)
                    time.sleep(0.002)
                    peer.send(last)
            handled = [0]
            with self.subTest(rest), ScriptedServer(handle) as server:
                responses = send(server.url, *[{"body": "b"}] * len(pieces))
                self.assertEqual([(r["body"], r["error"]) for r in responses], [(body, None)] * len(pieces))
                self.assertEqual(server.connections, 1)

    def test_broken(self):
        for rest in self.BROKEN:
            with self.subTest(rest), ScriptedServer(once(self.HEAD + rest, close=False)) as server:
                response, = send(server.url, {"timeout_ms": 3000})
                self.assertEqual(response["error"]["code"], "network-answer", response)
                self.assertTrue(response["sent"])

    def test_more_bytes_than_numbers_go(self):
        self.fault(once(self.HEAD + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n", close=False), "network-answer",
                   cut=True, klass="stop")

    def test_a_large_body_in_pieces(self):
        body = bytes(range(32, 127)) * 30_000

        def handle(peer):
            while peer.request() is not None:
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                for at in range(0, len(body), 400_003):
                    peer.send(body[at:at + 400_003])
        with ScriptedServer(handle) as server:
            for response in send(server.url, {}, {}):
                self.assertEqual((response["body"].encode(), response["error"]), (body, None))
            self.assertEqual(server.connections, 1)


class Requests(HttpTest):
    def test_plaintext_stays_on_this_machine(self):
        for url in ("http://example.com/", "http://10.0.0.1/", "http://127.evil.com", "http://[::2]/",
                    "http://localhost.evil.com", "http://0.0.0.0/", "http://127.1:8000/"):
            with self.subTest(url):
                self.assertEqual(send(url)[0]["error"]["code"], "bad-value")
        for url in ("http://127.9.9.9:1/", "http://localhost:1/", "http://[::1]:1/", "http://LOCALHOST:1"):
            with self.subTest(url):
                self.check(send(url)[0], "network", sent=False)
        response, = send("http://plain.invalid/", plaintext_allowed=True)
        self.check(response, "network", sent=False, words="resolve")

    def test_urls_that_are_none(self):
        for url in ("", "ftp://h/", "file:///etc/passwd", "http://", "https:///x", "https://u:pw@h/",
                    "http://localhost:0/", "http://localhost:65536", "http://localhost:12x/", "https://h/a b",
                    "https://h/\r\nX: y", "https://-h/", "https://a..b/", "https://[::1", "https://[zz]/",
                    "https://h#f",
                    "https://h\\e/", "https://é/", "h" * 9000):
            with self.subTest(url[:60]):
                error = send(url)[0]["error"]
                self.assertEqual(error["code"], "bad-value")
                self.assertNotIn("pw", error["message"])

    def test_headers_that_must_not_be(self):
        for name, value in (("A b", "c"), ("", "c"), ("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A:", "b"), ("A", "\x01"),
                            ("é", "x")):
            with self.subTest((name, value)):
                self.assertEqual(send("http://127.0.0.1:1", {"headers": {name: value}})[0]["error"]["code"],
                                 "internal")
        self.assertEqual(send("http://127.0.0.1:1", {"method": "GET /x HTTP/1.1\r\nA:"})[0]["error"]["code"],
                         "internal")

    def test_a_file_of_certificates_that_is_not_there(self):
        error = send("https://127.0.0.1:1", ca_file="/nowhere/ca.pem")["error"]
        self.assertEqual((error["code"], error["object"]), ("bad-value", "/nowhere/ca.pem"))


class Authority:
    """A private authority and certificates of it, made by openssl."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.path("ca.pem")
        self.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-out", self.ca,
                 "-days", "2", "-subj", "/CN=test authority")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)

    def server(self, name, alternatives, days="2"):
        """A server-side context for these names; days below 0: expired."""
        key, request, certificate = (self.path(name + end) for end in (".key", ".csr", ".pem"))
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\n" % alternatives)
        self.run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + name)
        self.run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial",
                 "-out", certificate, "-days", days, "-extfile", self.path(name + ".ext"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def tunnel(target_port, seen):
    """A proxy that connects every CONNECT to one port."""
    def pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def handle(peer):
        seen.append(peer.request()[:2])
        with socket.create_connection(("127.0.0.1", target_port), timeout=10) as upstream:
            peer.send(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
            back = threading.Thread(target=pump, args=(upstream, peer.connection))
            back.start()
            pump(peer.connection, upstream)
            back.join(30)
    return handle


class Tls(HttpTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="transhume-tls-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.authority = Authority(cls.folder)
        cls.good = cls.authority.server("good", "IP:127.0.0.1,DNS:localhost")
        cls.echo = staticmethod(answering(lambda method, target, headers, body: (200, body)))

    def test_verified(self):
        with ScriptedServer(self.echo, tls=self.good) as server:
            for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
                responses = send(url, *[{"body": "hello"}] * 20, ca_file=self.authority.ca)
                self.assertEqual([r["body"] for r in responses], ["hello"] * 20)
            self.assertEqual(server.connections, 2)

    def test_many_at_once_while_connections_come_and_go(self):
        """One connection in three ends after its answer, and others are made while answers wait."""
        def handle(peer):
            while True:
                request = peer.request()
                if request is None:
                    return
                number = int(request[3][1:])
                time.sleep(0.01 * (number % 5))
                last = number % 3 == 0
                peer.answer(200, request[3], {"Connection": "close"} if last else {})
                if last:
                    return
        with ScriptedServer(handle, tls=self.good) as server:
            requests = [{"url": server.url, "body": "n%d" % i} for i in range(100)]
            result = net_support.probe("http", {"requests": requests, "repeat": 3, "together": True,
                                                "connections_max": 16,
                                                "ca_file": self.authority.ca}).result["responses"]
            self.assertEqual([(r["body"], r["error"]) for r in result], [("n%d" % i, None) for i in range(100)] * 3)

    def test_nothing_is_sent_after_its_time(self):
        """A process that is stopped while it connects, and goes on after the request's end."""
        late = threading.Event()

        def handle(peer):
            late.wait(30)
            connection = self.good.wrap_socket(peer.connection, server_side=True)
            try:
                seen.append(connection.recv(4096))
            except OSError:
                seen.append(b"")
        seen = []
        with ScriptedServer(handle) as server:
            given = {"requests": [{"url": server.url.replace("http:", "https:"), "body": "late", "timeout_ms": 1000}],
                     "ca_file": self.authority.ca}
            process = subprocess.Popen([net_support.PROBE, "http"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env=net_support.clean_environment())
            try:
                process.stdin.write(json.dumps(given).encode())
                process.stdin.close()
                deadline = time.monotonic() + 20 * support.PATIENCE
                while server.connections == 0 and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(signal.SIGSTOP)
                late.set()
                time.sleep(1.5)
                process.send_signal(signal.SIGCONT)
                response, = json.loads(process.stdout.read())["responses"]
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
        self.check(response, "network", sent=False, words="within")
        self.assertEqual(b"".join(seen), b"")

    def refused(self, context, words, **options):
        with ScriptedServer(self.echo, tls=context) as server:
            response, = send(server.url, **options)
            self.check(response, "tls", sent=False, klass="stop")
            self.assertRegex(response["error"]["message"], words)
            self.assertEqual(server.requests, [])

    def test_refused(self):
        trusted = {"ca_file": self.authority.ca}
        self.refused(self.good, "certificate")
        self.refused(self.authority.server("other", "DNS:other.example"), "other|does not match|no alternative",
                     **trusted)
        self.refused(self.authority.server("old", "IP:127.0.0.1", days="-1"), "expired", **trusted)

    def test_old_protocols(self):
        context = self.authority.server("tls11", "IP:127.0.0.1")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        self.refused(context, "TLS", ca_file=self.authority.ca)

    def test_no_tls_there(self):
        def plain(peer):
            peer.connection.recv(4096)
            peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with ScriptedServer(plain) as server:
            response, = send(server.url.replace("http:", "https:"))
            self.check(response, "tls", sent=False, words="does not speak TLS")

    def test_broken_off_in_the_handshake(self):
        def close(peer):
            peer.connection.recv(10)
            peer.reset()
        with ScriptedServer(close) as server:
            response, = send(server.url.replace("http:", "https:"))
            self.check(response, "network", sent=False, klass="retry")

    def test_a_handshake_that_never_ends(self):
        with ScriptedServer(lambda peer: peer.wait()) as server:
            response, = send(server.url.replace("http:", "https:"), connect_timeout_ms=500)
            self.check(response, "network", sent=False, words="no connection within")

    def test_through_a_proxy(self):
        context = self.authority.server("db", "DNS:db.example")
        seen = []
        with ScriptedServer(self.echo, tls=context) as server, \
                ScriptedServer(tunnel(server.port, seen)) as proxy:
            env = {"https_proxy": proxy.url.replace("://", "://user:pass%20word@")}
            responses = send("https://db.example:8443/x", *[{"body": "through"}] * 3, env=env,
                             ca_file=self.authority.ca)
            self.assertEqual([r["body"] for r in responses], ["through"] * 3)
            self.assertNotIn("X-Proxy", responses[0]["headers"])
            self.assertEqual(seen, [("CONNECT", "db.example:8443")])
            self.assertIn("proxy-authorization", proxy.requests[0][2])
            self.assertNotIn("proxy-authorization", server.requests[0][2])
            responses = send("https://db.example:8443/x", {"direct": True}, env=env)
            self.check(responses[0], "network", sent=False, words="resolve")
            responses = send("https://db.example:8443/x", env=dict(env, no_proxy="db.example"))
            self.check(responses[0], "network", sent=False, words="resolve")


class Http2(HttpTest):
    """Over TLS, against Node's server: what it does with a stream is named by the path."""
    SERVER = """
        const http2 = require("http2"), fs = require("fs"), pem = fs.readFileSync(process.argv[1]);
        const server = http2.createSecureServer({key: fs.readFileSync(process.argv[2]), cert: pem});
        let refused = 0;
        server.on("stream", (stream, headers) => {
            stream.on("error", () => {});
            const path = headers[":path"];
            if (path === "/reset") { stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR); return; }
            if (path === "/refuse" && refused++ === 0) { stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); return; }
            if (path === "/silence") return;
            if (path === "/cut") { stream.respond({":status": 200, "content-length": 9}); stream.write("abc");
                                   setTimeout(() => stream.session.destroy(), 100); return; }
            stream.respond({":status": 200});
            stream.pipe(stream);
        });
        server.listen(0, "127.0.0.1", () => console.log(server.address().port));
    """

    @classmethod
    def setUpClass(cls):
        if not shutil.which("node"):
            raise unittest.SkipTest("no Node here")
        cls.folder = tempfile.mkdtemp(prefix="transhume-h2-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.authority = Authority(cls.folder)
        cls.authority.server("two", "IP:127.0.0.1")
        cls.process = subprocess.Popen(["node", "-e", cls.SERVER, cls.authority.path("two.pem"),
                                        cls.authority.path("two.key")], stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.end)
        cls.url = "https://127.0.0.1:%d" % int(cls.process.stdout.readline())

    @classmethod
    def end(cls):
        cls.process.kill()
        cls.process.wait()
        cls.process.stdout.close()

    def test_many_at_once(self):
        bodies = ["n%d" % i * (1 + i * i % 9000) for i in range(60)]
        result = net_support.probe("http", {"requests": [{"url": self.url + "/echo", "body": body} for body in bodies],
                                            "together": True, "connections_max": 4,
                                            "ca_file": self.authority.ca}).result
        self.assertEqual([(r["body"], r["error"]) for r in result["responses"]], [(body, None) for body in bodies])
        self.assertTrue(result["responses"][0]["headers"].startswith("HTTP/2 200"), result["responses"][0]["headers"])

    def one(self, path, **request):
        return send(self.url + path, dict({"timeout_ms": 5000}, **request), ca_file=self.authority.ca)[0]

    def test_faults(self):
        self.assertIn(self.one("/reset")["error"]["code"], ("network", "network-answer"))
        self.check(self.one("/silence", timeout_ms=400), "network", sent=True, words="no answer within")
        response = self.one("/cut")
        self.assertEqual((response["sent"], response["error"]["class"]), (True, "retry"), response)

    def test_a_stream_that_was_refused(self):
        response = self.one("/refuse", body="once")
        self.assertEqual((response["sent"], response["error"]["class"]), (True, "retry"), response)
        self.assertEqual(self.one("/refuse", body="again")["body"], "again")


class Proxies(HttpTest):
    PAGE = "<!DOCTYPE html><html><head><TITLE>\n Access  denied\u001b[31m </TITLE></head><body>no</body></html>"

    def through(self, handle, url="https://dynamodb.eu-west-1.amazonaws.com/", **options):
        name = "https_proxy" if url.startswith("https") else "http_proxy"
        with ScriptedServer(handle) as proxy:
            env = {name: proxy.url.replace("://", "://user:pa55word@")}
            response, = send(url, {"timeout_ms": 5000}, env=env, **options)
            self.assertNotIn("pa55word", str(response))
            return response, "%s is http://user:***@127.0.0.1:%d" % (name, proxy.port)

    def test_a_tunnel_refused(self):
        for status, klass in ((403, "stop"), (407, "stop"), (502, "retry")):
            with self.subTest(status):
                response, proxy = self.through(answering(
                    lambda *_, s=status: (s, self.PAGE, {"Content-Type": "text/html"})))
                self.check(response, "network", sent=False, words="refused a tunnel to it: status %d" % status,
                           klass=klass)
                self.assertIn(proxy, response["error"]["hint"])

    def test_a_tunnel_that_is_none(self):
        def html(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + self.PAGE.encode())
        response, proxy = self.through(html)
        self.assertIn(response["error"]["code"], ("tls", "network"))
        self.assertFalse(response["sent"])
        self.assertIn(proxy, response["error"]["hint"])

    def test_a_page_instead_of_the_service(self):
        response, _ = self.through(answering(
            lambda *_: (200, self.PAGE, {"Content-Type": "text/html; charset=utf-8", "Server": "squid"})),
            url="http://service.example/", plaintext_allowed=True)
        self.assertEqual((response["status"], response["error"]), (200, None))
        self.assertIn("status 200, text/html; charset=utf-8, from squid, \"Access  denied", response["unexpected"])
        self.assertNotIn("\x1b", response["unexpected"])
        self.assertIn("http_proxy is http://user:***@127.0.0.1", response["unexpected_hint"])

    def test_no_proxy_answers(self):
        response, = send("https://dynamodb.eu-west-1.amazonaws.com/", env={"HTTPS_PROXY": "http://127.0.0.1:1"})
        self.check(response, "network", sent=False)
        self.assertIn("HTTPS_PROXY is http://127.0.0.1:1", response["error"]["hint"])

    def test_this_machine_needs_none(self):
        with ScriptedServer(answering(lambda *_: (200, "direct"))) as server:
            env = {"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
            for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
                self.assertEqual(send(url, env=env)[0]["body"], "direct")


if __name__ == "__main__":
    unittest.main()
