"""The fault proxy breaks what it is told to, and nothing else: else the tests that use it would prove nothing."""
import binascii
import http.client
import http.server
import json
import threading
import time
import unittest

from fault_proxy import FAULTS, FaultProxy

TIMEOUT_S = 10
WRITES = {"RequestItems": {"herd": [{"PutRequest": {"Item": {"id": {"N": str(n)}}}} for n in range(8)],
                           "flock": [{"DeleteRequest": {"Key": {"id": {"N": "9"}}}}]}}


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers what it was asked, and keeps it."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.server.conditions.append(self.headers["If-None-Match"])
        answer = json.dumps({"echo": json.loads(body), "number": 12345}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("x-amz-crc32", str(binascii.crc32(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Proxy(unittest.TestCase):
    def setUp(self):
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        self.upstream.daemon_threads = True
        self.upstream.bodies, self.upstream.conditions = [], []
        threading.Thread(target=self.upstream.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(self.upstream.server_close)
        self.addCleanup(self.upstream.shutdown)
        self.proxy = FaultProxy("http://127.0.0.1:%d" % self.upstream.server_address[1], seed=3)
        self.addCleanup(self.proxy.stop)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=TIMEOUT_S)
        self.addCleanup(self.connection.close)

    def ask(self, body=None, operation="PutItem", headers=None):
        self.connection.request("POST", "/", json.dumps(body or {"TableName": "herd"}),
                                dict(headers or {}, **{"X-Amz-Target": "DynamoDB_20120810." + operation}))
        response = self.connection.getresponse()
        return response, response.read()

    def assert_true_crc(self, response, data):
        self.assertEqual(response.headers["x-amz-crc32"], str(binascii.crc32(data)))

    def test_without_rules_all_passes_on_one_connection(self):
        for number in range(5):
            response, data = self.ask({"TableName": "herd", "number": number})
            self.assertEqual((response.status, json.loads(data)["echo"]["number"]), (200, number))
            self.assert_true_crc(response, data)
        self.assertEqual(self.proxy.operations(), {"PutItem": 5})
        self.assertEqual(len(self.proxy.connections), 1)

    def test_unprocessed_items_are_not_passed_on(self):
        self.proxy.add("unprocessed", share=0.5)
        response, data = self.ask(WRITES, "BatchWriteItem")
        self.assert_true_crc(response, data)
        left = json.loads(data)["UnprocessedItems"]
        self.assertEqual(sum(map(len, left.values())), 4)
        together = {table: left.get(table, []) + self.upstream.bodies[0]["RequestItems"].get(table, [])
                    for table in WRITES["RequestItems"]}
        for table, wanted in WRITES["RequestItems"].items():
            self.assertEqual(sorted(map(repr, together[table])), sorted(map(repr, wanted)))
        alone = {"RequestItems": {"herd": [WRITES["RequestItems"]["herd"][0]]}}
        _, data = self.ask(alone, "BatchWriteItem")
        self.assertNotIn("UnprocessedItems", json.loads(data))

    def test_refusals_are_typed_and_never_passed_on(self):
        self.proxy.add("throttle", count=1)
        self.proxy.add("error", count=1)
        self.proxy.add("error", status=503, count=1)
        self.proxy.add("refuse", code="ExpiredTokenException", count=1)
        found = []
        for _ in range(4):
            response, data = self.ask()
            self.assert_true_crc(response, data)
            found.append((response.status, json.loads(data)["__type"].partition("#")[2]))
        self.assertEqual(found, [(400, "ProvisionedThroughputExceededException"), (500, "InternalServerError"),
                                 (503, "ServiceUnavailable"), (400, "ExpiredTokenException")])
        self.assertEqual(self.upstream.bodies, [])
        self.proxy.add("error", applied=True)
        self.assertEqual(self.ask()[0].status, 500)
        self.assertEqual(len(self.upstream.bodies), 1)

    def test_cuts_before_and_after(self):
        for fault, applied in (("cut_before", 0), ("cut_after", 1)):
            self.proxy.clear()
            self.upstream.bodies.clear()
            self.proxy.add(fault)
            with self.assertRaises(ConnectionResetError):
                self.ask()
            self.connection.close()
            self.assertEqual(len(self.upstream.bodies), applied)
            self.assertEqual(self.proxy.hits, {fault: 1})
            self.assertEqual([seen.fault for seen in self.proxy.seen], [fault])

    def test_wrong_checksums(self):
        self.proxy.add("wrong_crc", count=1)
        response, data = self.ask()
        self.assertNotEqual(response.headers["x-amz-crc32"], str(binascii.crc32(data)))
        self.assertEqual(json.loads(data)["number"], 12345)
        self.proxy.add("altered")
        response, data = self.ask()
        self.assertNotEqual(json.loads(data)["number"], 12345)
        self.assertNotEqual(response.headers["x-amz-crc32"], str(binascii.crc32(data)))

    def test_truncated(self):
        self.proxy.add("truncated")
        with self.assertRaises(http.client.IncompleteRead):
            self.ask()

    def test_slow_and_drip(self):
        self.proxy.add("slow", after=0.3, count=1)
        self.proxy.add("drip", pieces=4, pause=0.1)
        for _ in range(2):
            begun = time.monotonic()
            response, data = self.ask()
            self.assertGreaterEqual(time.monotonic() - begun, 0.28)
            self.assert_true_crc(response, data)

    def test_held(self):
        released = threading.Event()
        self.proxy.add("held", released=released, count=1)
        begun = time.monotonic()
        threading.Timer(0.3, released.set).start()
        self.assert_true_crc(*self.ask())
        self.assertGreaterEqual(time.monotonic() - begun, 0.28)

    def test_half_open(self):
        self.proxy.add("half_open", applied=True)
        self.connection.timeout = 0.5
        with self.assertRaises(TimeoutError):
            self.ask()
        self.assertEqual(len(self.upstream.bodies), 1)
        begun = time.monotonic()
        self.proxy.stop()
        self.assertLess(time.monotonic() - begun, 5)

    def test_html(self):
        self.proxy.add("html", status=200)
        response, data = self.ask()
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "text/html"))
        self.assertIn(b"<html>", data)

    def test_what_no_dynamodb_answers(self):
        self.proxy.add("redirect", count=1)
        response, _ = self.ask()
        self.assertEqual((response.status, response.headers["Location"]), (302, "http://127.0.0.1:9/elsewhere"))
        self.proxy.add("oversized", count=1)
        self.connection.request("POST", "/", "{}", {"X-Amz-Target": "DynamoDB_20120810.PutItem"})
        response = self.connection.getresponse()
        self.assertEqual(response.headers["Content-Length"], str(1 << 40))
        self.assertEqual(len(response.read(4 << 20)), 4 << 20)
        self.connection.close()
        self.proxy.add("garbage", count=1)
        with self.assertRaises(http.client.BadStatusLine):
            self.ask()

    def test_pages(self):
        self.proxy.add("empty_page", count=1)
        self.proxy.add("short_page", limit=2)
        key = {"id": {"N": "5"}}
        _, data = self.ask({"TableName": "herd", "ExclusiveStartKey": key}, "Scan")
        self.assertEqual(json.loads(data), {"Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": key})
        self.ask({"TableName": "herd"}, "Scan")
        self.assertEqual(self.upstream.bodies, [{"TableName": "herd", "Limit": 2}])

    def test_rewritten(self):
        self.proxy.add("rewrite", change=lambda told: told.update(number=7))
        response, data = self.ask()
        self.assertEqual(json.loads(data)["number"], 7)
        self.assert_true_crc(response, data)

    def test_the_clock(self):
        stamp = {"X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())}
        self.proxy.clock_offset_s = 3600
        response, data = self.ask(headers=stamp)
        self.assertEqual(response.status, 400)
        self.assertIn("Signature expired: " + stamp["X-Amz-Date"], json.loads(data)["message"])
        ahead = {"X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 3600))}
        self.assertEqual(self.ask(headers=ahead)[0].status, 200)
        self.assertEqual(self.proxy.hits, {"skew": 1})

    def test_which_requests_a_rule_takes(self):
        self.proxy.add("refuse", operation="PutItem", table="herd", first=3, every=2, count=2, code="X")
        statuses = [self.ask(operation=operation)[0].status
                    for operation in ["GetItem"] * 3 + ["PutItem"] * 9]
        self.assertEqual(statuses, [200] * 3 + [200, 200, 400, 200, 400, 200, 200, 200, 200])
        self.assertEqual(self.ask({"TableName": "flock"})[0].status, 200)
        self.proxy.clear()
        self.proxy.add("throttle", since=0.3)
        self.assertEqual(self.ask()[0].status, 200)
        time.sleep(0.35)
        self.assertEqual(self.ask()[0].status, 400)
        with self.assertRaises(ValueError):
            self.proxy.add("earthquake")

    def test_a_store_that_knows_no_conditions(self):
        self.ask(headers={"If-None-Match": "*"})
        self.proxy.add("unconditional")
        self.ask(headers={"If-None-Match": "*"})
        self.assertEqual(self.upstream.conditions, ["*", None])

    def test_each_fault_has_a_test(self):
        with open(__file__, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual([name for name in FAULTS if '"%s"' % name not in text], [])


if __name__ == "__main__":
    unittest.main()
