"""
OpenSearch as a target and as a source, on a real server; what is there is read by Python's own HTTP client
(opensearch_server.Server.ask).
"""
import base64
import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import random
import sqlite3
import ssl
import subprocess
import threading
import unittest
import urllib.parse
from decimal import Decimal

import opensearch_server
import support

from tcp_proxy import Proxy, close

ODD = """CREATE TABLE odd (id INTEGER PRIMARY KEY, t TEXT, n NUMERIC, r REAL, b BLOB);
INSERT INTO odd VALUES (1, '12', 12, 0.1, x'3132'), (2, '007', 1.50, 1e300, x'00ff'), (3, '', NULL, -0.0, x''), (4, NULL, -9223372036854775808, 3.0, NULL),
  (5, 'caf\u00e9 \U0001f411', 9223372036854775807, 5e-324, x'c3a9'), (6, '-0', 0, NULL, x'2d30'), (7, 'true', 1, 2.5, x'74727565'), (-8, char(10) || '$5"\\' || char(13, 10), 0.25, 1.0, x'0d0a');
CREATE TABLE pair (x TEXT NOT NULL, y TEXT NOT NULL, note TEXT, PRIMARY KEY (x, y));
INSERT INTO pair VALUES ('a', 'b:c', '1'), ('a:b', 'c', '2'), ('a%3Ab', 'c', '3'), ('', '', '4'), ('%', ':', '5'), ('{x}', '*', '6'), ('[a]', '?', '7');"""
MANY = """CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, city TEXT, price NUMERIC);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO things SELECT i, 'name ' || i, CASE WHEN i %% 7 THEN 'city ' || (i %% 97) END, i / 4.0 FROM n;"""


class SearchCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.prefix, options)

    def documents(self, table):
        return self.server.documents(self.prefix + table)

    def indexes(self):
        return [name[len(self.prefix):] for name in self.server.indexes(self.prefix)]

    def many(self, rows):
        support.make_sqlite(self.path("source.db"), MANY % rows)

    def assert_things(self, rows, prefix=None):
        """Each record, field by field."""
        found = self.server.documents((prefix or self.prefix) + "things")
        self.assertEqual(len(found), rows)
        for i in range(1, rows + 1):
            wanted = {"id": i, "name": "name %d" % i, "city": "city %d" % (i % 97) if i % 7 else None, "price": i / 4}
            self.assertEqual({**found[str(i)], "price": float(found[str(i)]["price"])}, wanted)


class Copies(SearchCase):
    def test_there_and_back(self):
        """Every value of SQLite comes back as it was; keys with colons and percents stay apart."""
        support.make_sqlite(self.path("source.db"), ODD)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        odd = self.documents("odd")
        self.assertEqual(odd["2"], {"id": 2, "t": "007", "n": Decimal("1.5"), "r": Decimal("1e+300"), "b": "AP8="})
        self.assertEqual(odd["4"], {"id": 4, "t": None, "n": -9223372036854775808, "r": 3, "b": None})
        self.assertEqual(sorted(self.documents("pair")), sorted(["a:b:c", "a%3Ab:c", "a%253Ab:c", "%:%", "%25::",
                                                                 "{x}:*", "[a]:?"]))
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("finish", "--quiet")
        self.assertEqual(self.indexes(), ["odd", "pair"])
        self.run_program("migrate", self.uri(), "back.db", "--state", "back", "--quiet")
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        for table, order in (("odd", "id"), ("pair", "x, y")):
            columns = [row[1] for row in source.execute("PRAGMA table_info(%s)" % table)]
            query = "SELECT %s FROM %s ORDER BY %s" % (", ".join("CAST(n AS NUMERIC)" if column == "n"
                                                                 else '"%s"' % column for column in columns), table,
                                                       order)
            self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_settings_and_mapping(self):
        """The mapping is made of the types, and what was suspended for the load is as the server has it by default."""
        self.many(10)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        made = self.server.ask("GET", "/%sthings" % self.prefix)[self.prefix + "things"]
        self.assertEqual(made["mappings"]["dynamic"], "false")
        self.assertEqual(made["mappings"]["properties"]["id"], {"type": "long"})
        self.assertEqual(made["mappings"]["properties"]["name"],
                         {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
        self.assertNotIn("refresh_interval", made["settings"]["index"])
        self.assertEqual(made["settings"]["index"]["number_of_replicas"], "1")
        self.assertEqual(self.server.ask("GET", "/%sthings/_count" % self.prefix)["count"], 10)

    def test_killed_at_each_place(self):
        """
        Killed at each failpoint on the way, first and last time, and resumed: each record once and whole, and nothing
        else.
        """
        self.many(3000)
        options = ["--chunk-rows", "500", "--jobs", "2", "--quiet"]
        result, counts = support.count_failpoints("migrate", "source.db", self.uri(), *options, cwd=self.folder)
        self.assert_code(result, 0)
        places = sorted((name, at) for name, count in counts.items() if name.startswith("opensearch.")
                        for at in {1, count})
        self.assertGreater(len(places), 10)
        for name, at in support.drawn(places, 6, self.id()):
            with self.subTest(failpoint=name, occurrence=at):
                self.prefix = self.server.database()
                state = "killed-%s-%d" % (name, at)
                support.kill_at(name, at, "migrate", "source.db", self.uri(), *options, "--state", state,
                                cwd=self.folder)
                again = support.transhume("resume", "--state", state, "--quiet", cwd=self.folder)
                if again.code == 2 and "run-nothing" in again.err:  # before there was a run
                    again = support.transhume("migrate", "source.db", self.uri(), *options, "--state", state,
                                              cwd=self.folder)
                self.assert_code(again, 0)
                self.assert_things(3000)
                self.assertNotIn("refresh_interval", self.server.ask("GET",
                                                                     "/%sthings/_settings" % self.prefix)[self.prefix
                                                                         + "things"]["settings"]["index"])

    def test_connections_that_break(self):
        self.many(8000)
        with CuttingProxy(self.server.port, random.Random(support.SEED)) as proxy:
            self.run_program("migrate", "source.db", self.server.uri(self.prefix, via=proxy), "--chunk-rows", "2000",
                             "--quiet")
            self.assertGreater(proxy.cuts, 2)
        self.assert_things(8000)

    def test_document_that_the_mapping_refuses(self):
        """
        One record of many is refused by the server: it is a reject with the server's reason, and all others are
        written.
        """
        support.make_sqlite(self.path("source.db"), "CREATE TABLE seen (id INTEGER PRIMARY KEY, at TEXT);"
                                                    "INSERT INTO seen VALUES (1, '2024-02-29T12:00:00Z'), (2, "
                                                    "'never'), (3, '2024-03-01')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  seen: { key: [id], from: seen, columns: { at: { type: ip } } }
""" % self.uri())
        result = self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertIn("3", result.out)
        self.assertEqual({reject["code"] for reject in self.rejects()}, {"type"})
        self.assertIn("not an IP string literal", self.rejects()[0]["reason"])


EVERY = {"boolean": [True, False, "true", [True, False]], "byte": [-128, "5"], "short": [32767],
         "integer": [-2147483648], "long": [9223372036854775807, -9007199254740993, [1, 2, 3], "12"],
         "unsigned_long": ["18446744073709551615", 9007199254740993], "half_float": ["0.5"],
         "float": ["0.1", "0.123456789012345"], "double": ["1e300", "-0.0", "0.30000000000000004", "1.50"],
         "scaled_float": ["12.340", "7"], "text": ["caf\u00e9 \U0001f411", "", ["a", "b"]], "keyword": ["x" * 400],
         "wildcard": ["a*b"], "binary": ["AP8=", "aGVsbG8="],
         "date": ["2024-02-29T12:00:00Z", "2024-02-29", 1709208000000, "2024-02-29T12:00:00.123+02:00"],
         "date_nanos": ["2024-02-29T12:00:00.123456789Z"], "ip": ["10.0.0.1", "2001:db8::1"],
         "geo_point": [{"lat": 41.12, "lon": -71.34}, "41.12,-71.34", [-71.34, 41.12], "POINT (-71.34 41.12)"],
         "integer_range": [{"gte": 10, "lt": 20}], "long_range": [{"gt": 9007199254740993}],
         "float_range": [{"gte": 0.5}], "double_range": [{"gte": 0.1, "lte": 0.3}],
         "date_range": [{"gte": "2024-01-01", "lte": "2024-12-31"}],
         "ip_range": ["10.0.0.0/8"], "object": [{"a": {"b": [1, None, 2]}}], "nested": [[{"a": 1}, {"a": 2}], {"a": 3}],
         "flat_object": [{"k": {"deep": "v"}}], "completion": ["one", {"input": ["a", "b"], "weight": 3}],
         "search_as_you_type": ["quick fox"], "rank_feature": [8.25], "rank_features": [{"a": 0.5}],
         "token_count": ["three little words"], "match_only_text": ["only text"]}
MORE = {"object": {"dynamic": True}, "nested": {"dynamic": True}, "scaled_float": {"scaling_factor": 100},
        "token_count": {"analyzer": "standard"}, "keyword": {"ignore_above": 100}}


def documents_of(values):
    """
    {id: JSON text} of documents with one field each, whose numbers are written with just these digits, and one that
    lacks all and one of nulls.
    """
    found = {}
    for word, each in values.items():
        for at, value in enumerate(each):
            digits = word in ("unsigned_long", "half_float", "float", "double", "scaled_float") and isinstance(value,
                str)
            found["%s-%d" % (word, at)] = '{"f_%s":%s}' % (word, value if digits else json.dumps(value))
    found["none"] = "{}"
    found["null"] = json.dumps({"f_" + word: None for word in values if word not in ("rank_feature", "rank_features")})
    return found


class Types(SearchCase):
    def make(self, values):
        self.server.ask("PUT", "/%severy" % self.prefix,
                        {"settings": {"analysis": {"analyzer": {"mine": {"type": "custom", "tokenizer": "standard"}}}},
                         "mappings": {
                             "dynamic": "strict", "properties": {"f_" + word: {"type": word, **MORE.get(word, {})}
                                                                 for word in values}}})
        self.server.bulk(self.prefix + "every", documents_of(values))

    def sources(self, prefix):
        """{id: the _source's text}, with the digits of its numbers but for zeros at their end."""
        self.server.ask("POST", "/%severy/_refresh" % prefix)
        return {key: json.dumps(source, default=lambda number: str(number.normalize()), sort_keys=True)
                for key, source in self.server.documents(prefix + "every").items()}

    def test_from_index_to_index(self):
        """Every type of the server: the same documents, down to the last digit, under the same mapping and analysis."""
        self.make(EVERY)
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.server.uri(other), "--quiet")
        self.run_program("validate", "--level", "full", "--quiet")
        self.assertEqual(self.sources(other), self.sources(self.prefix))
        there, made = (self.server.ask("GET", "/%severy" % prefix)[prefix + "every"] for prefix in (self.prefix, other))
        self.assertEqual({**made["mappings"], "_meta": None}, {**there["mappings"], "_meta": None})
        self.assertEqual(made["settings"]["index"]["analysis"], there["settings"]["index"]["analysis"])

    def test_by_way_of_files(self):
        """Out into JSON lines and in again: JSON is the same, whatever has become of the types."""
        self.make(EVERY)
        other = self.server.database()
        self.run_program("migrate", self.uri(), "jsonl:out", "--quiet")
        self.run_program("migrate", "jsonl:out", self.server.uri(other), "--state", "in", "--quiet")
        self.assertEqual(self.sources(other), self.sources(self.prefix))

    def test_what_is_refused_by_name(self):
        for name, mapping in (("no_source", {"_source": {"enabled": False}}), ("cut", {"_source": {"excludes": ["b"]}}),
                              ("routed", {"_routing": {"required": True}})):
            with self.subTest(name):
                self.prefix = self.server.database()
                self.server.ask("PUT", "/%s%s" % (self.prefix, name),
                                {"mappings": {**mapping, "properties": {"a": {"type": "keyword"}}}})
                result = self.run_program("migrate", self.uri(), "out.db", "--state", name, code=2)
                self.assertIn(name, result.err)
                self.assertRegex(result.err, "_source|routing")
        self.prefix = self.server.database()
        self.server.ask("PUT", "/%sloose" % self.prefix, {"mappings": {"dynamic": False,
                                                                       "properties": {"a": {"type": "keyword"}}}})
        self.server.bulk(self.prefix + "loose", {"1": {"a": "x"}, "2": {"a": "y", "b": "not in the mapping"}})
        self.run_program("migrate", self.uri(), "loose.db", "--state", "loose", "--quiet", code=1)
        self.assertIn("a field b", self.rejects("loose")[0]["reason"])


class Sources(SearchCase):
    def fill(self, rows, shards):
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": {"number_of_shards": shards},
                                                           "mappings": {"properties": {
                                                               "name": {"type": "keyword"},
                                                               "price": {"type": "double"}}}})
        self.server.bulk(self.prefix + "things", {"id %d" % i: {"name": "name %d" % i, "price": i / 4}
                                                  for i in range(rows)})

    def test_slices_of_shards(self):
        """Several slices of each of several shards, killed on the way: each document once, with its id."""
        self.fill(2000, 3)
        support.kill_at("sqlite.before_commit", 9, "migrate", self.uri(), "out.db", "--chunk-rows", "150", "--quiet",
                        cwd=self.folder)
        self.run_program("resume", "--quiet")
        with sqlite3.connect(self.path("out.db")) as db:
            self.assertEqual(sorted(db.execute('SELECT _id, name, CAST(price AS REAL) FROM things')),
                             sorted(("id %d" % i, "name %d" % i, i / 4) for i in range(2000)))
        self.run_program("validate", "--level", "full", "--quiet")

    def test_ids_stay(self):
        """From an index that nobody noted anything of into another one: the ids are the same."""
        self.fill(30, 1)
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.server.uri(other), "--quiet")
        self.assertEqual(self.server.documents(other + "things"), self.documents("things"))

    def test_routed_documents_are_told(self):
        self.fill(5, 2)
        self.server.ask("PUT", "/%sthings/_doc/far?routing=elsewhere&refresh=true" % self.prefix,
                        {"name": "routed", "price": 1})
        self.run_program("migrate", self.uri(), "out.db", "--quiet", code=1)
        self.assertEqual([reject["key"] for reject in self.rejects()], [{"_id": "far"}])
        self.assertIn("a routing of its own", self.rejects()[0]["reason"])


class Elastic(support.TestCase):
    """Elasticsearch: 7.10 has no unsigned_long; both are read by scrolls."""

    def test_there_and_back(self):
        for package in support.drawn(["elasticsearch-7.10", "elasticsearch-7.17"], 1, self.id()):
            with self.subTest(package), opensearch_server.Server(package) as server:
                support.make_sqlite(self.path(package + ".db"), MANY % 900)
                at = server.uri("e-", "?shards=2").replace("opensearch:", "elasticsearch:")
                support.kill_at("opensearch.after_answer", 2, "migrate", package + ".db", at, "--state", package,
                                "--chunk-rows", "200", "--quiet", cwd=self.folder)
                self.run_program("resume", "--state", package, "--quiet")
                found = server.documents("e-things")
                self.assertEqual({key: found[key]["name"] for key in found},
                                 {str(i): "name %d" % i for i in range(1, 901)})
                self.run_program("validate", "--state", package, "--level", "full", "--quiet")
                self.run_program("migrate", at.partition("?")[0], package + "-back.db", "--state", package + "-back",
                                 "--chunk-rows", "100", "--include", "things", "--quiet")
                with sqlite3.connect(self.path(package + ".db")) as source, sqlite3.connect(self.path(package
                    + "-back.db")) as back:
                    query = "SELECT id, name, city, CAST(price AS REAL) FROM things ORDER BY id"
                    self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())


class CuttingProxy(Proxy):
    """Cuts every connection after some hundred KB, in either direction, at any byte."""

    def __init__(self, port, draw):
        self.draw, self.cuts = draw, 0
        super().__init__(port)

    def passers(self, program, server):
        left = [self.draw.randint(20000, 400000) if self.cuts < 6 else 1 << 40]
        return [lambda: self.carry(program, server, left), lambda: self.carry(server, program, left)]

    def carry(self, source, target, left):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                target.sendall(data[:max(0, left[0])])
                left[0] -= len(data)
                if left[0] <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        close(source)
        close(target)


class Policies(SearchCase):
    plan = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  things: { key: [id], from: things%s }
"""

    def run_policy(self, policy, code=0, fields=""):
        self.many(5)
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": {"refresh_interval": "7s"},
                                                           "mappings": {"properties": {
                                                               "id": {"type": "long"}, "name": {"type": "text"},
                                                               "city": {"type": "keyword"}, "price": {"type": "double"},
                                                               "mine": {"type": "keyword"}}}})
        self.server.bulk(self.prefix + "things", {"2": {"id": 2, "name": "theirs", "mine": "kept"}})
        self.write("plan.yaml", self.plan % (self.uri(), policy, fields))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--rollback-keys", code=code)
        self.assertEqual(self.server.ask("GET", "/%sthings/_settings" % self.prefix)[self.prefix
            + "things"]["settings"]["index"]["refresh_interval"], "7s")
        return result

    def test_refuse(self):
        self.assertIn("target-not-empty", self.run_policy("refuse", 5).err)
        self.assertEqual(self.documents("things"), {"2": {"id": 2, "name": "theirs", "mine": "kept"}})

    def test_append(self):
        self.run_policy("append", 1)
        self.assertEqual(self.documents("things")["2"]["name"], "theirs")
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])
        self.assertEqual(len(self.documents("things")), 5)

    def test_skip(self):
        self.run_policy("skip")
        self.assertEqual(self.documents("things")["2"], {"id": 2, "name": "theirs", "mine": "kept"})
        self.assertEqual(len(self.documents("things")), 5)

    def test_replace_and_back(self):
        self.run_policy("replace")
        found = self.documents("things")["2"]
        self.assertEqual({**found, "price": float(found["price"])},
                         {"id": 2, "name": "name 2", "city": "city 2", "price": 0.5})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), {"2": {"id": 2, "name": "theirs", "mine": "kept"}})

    def test_rollback_of_what_was_made(self):
        self.many(50)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertNotIn("things", self.indexes())

    def test_repair(self):
        """What somebody changed, deleted and added is found and put right."""
        self.many(40)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        things = "/%sthings/_doc/" % self.prefix
        self.server.ask("POST", "/%sthings/_update/3" % self.prefix, {"doc": {"name": "changed"}})
        self.server.ask("DELETE", things + "4")
        self.server.ask("PUT", things + "77", {"id": 77, "name": "more", "city": None, "price": 1})
        self.run_program("validate", "--level", "full", "--quiet", code=1)
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
        self.assert_things(40)


def signature(method, target, headers, body, secret):
    """
    What AWS's documentation says that the Authorization header is (Signature Version 4), by code of the test's own.
    """
    scope = headers["Authorization"].partition("Credential=")[2].partition(",")[0].split("/", 1)[1]
    names = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    path, _, query = target.partition("?")
    pairs = sorted(part if "=" in part else part + "=" for part in query.split("&")) if query else []
    canonical = "\n".join([method, urllib.parse.quote(path, safe="/~"), "&".join(pairs),
                           *("%s:%s" % (name, " ".join(headers[name].split())) for name in names.split(";")),
                           "", names, hashlib.sha256(body).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    return scope, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Gate:
    """Stands before a server, and asks `judge(method, target, headers, body)` about each request: None lets it pass,
    else it is the status and the answer; a
    function is called with the server's answer. A real server without the plugins of the vendors asks nobody who he is,
    and does not throttle when it is told to."""

    def __init__(self, port, judge, certificate=None):
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                said = judge(self.command, self.path, self.headers, body)
                status, answer = said if isinstance(said, tuple) else gate.forward(self.command, self.path,
                    self.headers, body)
                answer = said(answer) if callable(said) else answer
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

            def log_message(self, *_):
                """Nothing."""

        self.server_port, self.requests = port, 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client may hang up
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]

    def forward(self, method, target, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server_port, timeout=60)
        connection.request(method, target, body, {"Content-Type": headers["Content-Type"]} if headers["Content-Type"]
                           else {})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Gates(SearchCase):
    def refuse_unless(self, wanted):
        denied = json.dumps({"error": {"type": "security_exception", "reason": "no permission"},
                             "status": 401}).encode()
        return lambda _method, _target, headers, _body: None if headers["Authorization"] == wanted else (401, denied)

    def at(self, gate, user="", options=""):
        return "opensearch://%s127.0.0.1:%d/%s%s" % (user, gate.port, self.prefix, options)

    def test_basic_and_api_key(self):
        self.many(20)
        for user, options, wanted in (("me:s3cret-word@", "", "Basic " + base64.b64encode(b"me:s3cret-word").decode()),
                                      ("", "?api_key=a2V5OnNlY3JldA%3D%3D", "ApiKey a2V5OnNlY3JldA==")):
            with self.subTest(wanted.split()[0]), Gate(self.server.port, self.refuse_unless(wanted)) as gate:
                self.prefix = self.server.database()
                self.run_program("migrate", "source.db", self.at(gate, user, options), "--state", wanted.split()[0],
                                 "--quiet")
                self.assert_things(20)
                wrong = self.run_program("migrate", "source.db",
                                         self.at(gate, user.replace("word", "else"), options.replace("a2V5", "b2V5")),
                                         "--state", "wrong", code=2)
                self.assertIn("[credentials]", wrong.err)
                self.assertNotIn("s3cret-else", wrong.err)

    def test_signed(self):
        """Each request is signed as AWS says, queries and paths with percent signs too."""
        self.many(20)
        faults = []

        def judge(method, target, headers, body):
            scope, wanted = signature(method, target, headers, body, "a-secret/of+mine")
            if not scope.endswith("/eu-central-1/es/aws4_request") or headers["Authorization"].rpartition("Signature=")[
                2] != wanted:
                faults.append((method, target))
        with Gate(self.server.port, judge) as gate:
            keys = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "a-secret/of+mine",
                    "AWS_EC2_METADATA_DISABLED": "true"}
            result = support.transhume("migrate", "source.db",
                                       self.at(gate, options="?aws=es&region=eu-central-1&tls=no"), "--quiet",
                                       cwd=self.folder, env=keys)
            self.assert_code(result, 0)
        self.assertEqual(faults, [])
        self.assert_things(20)

    def test_tls(self):
        self.many(20)
        key, certificate = self.path("key.pem"), self.path("root.pem")
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "30", "-nodes", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        with Gate(self.server.port, lambda *_: None, certificate=(certificate, key)) as gate:
            self.run_program("migrate", "source.db", self.at(gate, options="?tls=yes&ca_file=" + certificate),
                             "--quiet")
            self.assert_things(20)
            self.assertIn("[tls]", self.run_program("migrate", "source.db", self.at(gate, options="?tls=yes"),
                                                    "--state", "other", code=3).err)

    def test_throttled(self):
        """
        429 for whole requests, and for single documents of one that else succeeds: all are written in the end, once.
        """
        self.many(3000)
        draw, counts = random.Random(support.SEED), {"whole": 0, "some": 0}
        busy = {"type": "rejected_execution_exception", "reason": "rejected execution of coordinating operation"}

        def some(answer):
            found = json.loads(answer)
            for item in found.get("items", []):
                if draw.random() < 0.1:
                    found["errors"] = True
                    next(iter(item.values())).update(status=429, error=busy)
                    counts["some"] += 1
            return json.dumps(found).encode()

        def judge(_method, target, _headers, _body):
            if "things/_bulk" not in target or counts["whole"] + counts["some"] > 400:
                return None
            if draw.random() < 0.3:
                counts["whole"] += 1
                return 429, json.dumps({"error": busy, "status": 429}).encode()
            return some
        with Gate(self.server.port, judge) as gate:
            self.run_program("migrate", "source.db", self.at(gate), "--chunk-rows", "500", "--quiet")
        self.assertGreater(counts["some"], 20)
        self.assertGreater(counts["whole"], 0)
        self.assert_things(3000)
        self.assertEqual(self.rejects(), [])


    def test_short_of_memory(self):
        """
        Breakers of the server refuse requests of every kind, and records of a _bulk: nothing is lost there, in a
        validation, back by points and by scrolls, in a repair, or taken back.
        """
        self.many(600)
        draw, scrolls, refused = random.Random(support.SEED), [], collections.Counter()
        short = {"type": "circuit_breaking_exception", "bytes_wanted": 499607122, "bytes_limit": 493030604,
                 "durability": "TRANSIENT",
                 "reason": "[parent] Data too large, data for [<http_request>] would be [499607122/476.4mb], "
                           "which is larger than the limit of [493030604/470.1mb]"}

        def some(answer):
            found = json.loads(answer)
            item = next(iter(found["items"][-1].values()))
            found["errors"] = True
            item.update(status=429, error=short)
            return json.dumps(found).encode()

        def judge(method, target, _headers, body):
            kind = "%s %s" % (method, next((word for word in ("_bulk", "_mget", "scroll", "_search", "_doc", "_count",
                                                              "_create") if word in target), "other"))
            if draw.random() < 0.1:
                refused[kind] += 1
                return 429, json.dumps({"error": {"root_cause": [short], **short}, "status": 429}).encode()
            deletes = b'{"delete"' in body
            if "_bulk" in target and (draw.random() < 0.1 or deletes and not refused["deletes"]):
                refused["deletes" if deletes else "items"] += 1
                return some
            return (lambda answer: answer.replace(b'"distribution" : "opensearch",', b"").replace(b'"number" : "2.',
                b'"number" : "8.')) if target == "/" and scrolls else None
        with Gate(self.server.port, judge) as gate:
            self.run_program("migrate", "source.db", self.at(gate), "--chunk-rows", "100", "--quiet")
            self.assert_things(600)
            for number in range(601, 640):
                self.server.ask("PUT", "/%sthings/_doc/%d" % (self.prefix, number),
                                {"id": number, "name": "more", "city": None, "price": 1})
            self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
            self.assert_things(600)
            for state in ("points", "scrolls"):
                self.run_program("migrate", self.at(gate), state + ".db", "--state", state, "--chunk-rows", "100",
                                 "--quiet")
                with sqlite3.connect(self.path(state + ".db")) as db:
                    self.assertEqual(db.execute("SELECT count(*), count(DISTINCT id), sum(id) FROM things").fetchall(),
                                     [(600, 600, 180300)])
                scrolls.append(state)
            self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")  # of the repair
        self.assertEqual(len(self.documents("things")), 639)
        self.assertLess({"items", "deletes", "POST _bulk", "POST scroll", "POST _search"}, set(refused))


class Refusals(SearchCase):
    """Data of others that must be seen before it is written over, and what has no place in an index."""

    theirs = {"2": {"id": 2, "name": "theirs", "city": "here", "price": 7}}

    def seed(self, table="things"):
        self.server.bulk(self.prefix + table, self.theirs)

    def test_prefix_in_capitals(self):
        self.many(5)
        self.seed()
        result = self.run_program("migrate", "source.db", self.server.uri(self.prefix.upper()), code=5)
        self.assertIn("target-not-empty", result.err)
        self.assertEqual(self.documents("things"), self.theirs)

    def test_names_that_no_index_can_have(self):
        self.many(1)
        for prefix in ("a*b-", "a%2Cb-", "%C3%84-", "a%23-"):
            self.assertIn("the prefix: names of indexes", self.run_program("migrate", "source.db",
                                                                           self.server.uri(prefix), code=2).err)
        support.make_sqlite(self.path("capital.db"), "CREATE TABLE \"\u00c4rzte\" (id INTEGER PRIMARY KEY)")
        result = support.transhume("check", "capital.db", self.uri(), cwd=self.folder)
        self.assertNotEqual(result.code, 0)
        self.assertIn("small letters only", result.out + result.err)

    def test_alias_with_a_filter(self):
        """The alias hides the document of its index, and it is seen all the same."""
        self.many(5)
        self.seed("other")
        self.server.ask("POST", "/_aliases", {"actions": [{"add": {"index": self.prefix + "other",
                                                                   "alias": self.prefix + "things",
                                                                   "filter": {"term": {"id": 9}}}}]})
        self.assertIn("target-not-empty", self.run_program("migrate", "source.db", self.uri(), code=5).err)
        self.assertEqual(self.documents("other"), self.theirs)

    def test_serverless(self):
        self.many(1)
        for arguments in (("source.db", self.uri("?aws=aoss")), (self.uri("?aws=aoss"), "out.db")):
            self.assertIn("serverless", self.run_program("migrate", *arguments, code=2).err)

    def test_upsert_of_objects(self):
        self.server.ask("PUT", "/%sthings" % self.prefix, {"mappings": {"properties": {"id": {"type": "long"},
            "more": {"type": "object", "enabled": False}}}})
        self.write("more.jsonl", '{"id": 1, "more": {"a": 1.50}}\n')
        self.write("plan.yaml", """transhume: 1
source: "jsonl:more.jsonl"
target: "%s"
existing: upsert
tables:
  things: { key: [id], from: more }
""" % self.uri())
        result = support.transhume("check", "--plan", "plan.yaml", cwd=self.folder)
        self.assertNotEqual(result.code, 0)
        self.assertIn("merges objects", result.out + result.err)

    def test_empty_id(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE ids (_id TEXT PRIMARY KEY NOT NULL, n INTEGER); INSERT INTO ids VALUES ('', "
                            "1), ('%', 2)")
        self.run_program("migrate", "source.db", self.uri(), code=1)
        self.assertEqual(self.documents("ids"), {"%": {"n": 2}})
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-null"])

    def test_rollback_meets_a_routing(self):
        """
        What is emptied has a document with a routing of its own: it is deleted too, and nothing is repeated for ever.
        """
        self.many(5)
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": {"number_of_shards": 5},
                                                           "mappings": {"properties": {
                                                               "id": {"type": "long"}, "name": {"type": "text"},
                                                               "city": {"type": "keyword"},
                                                               "price": {"type": "double"}}}})
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        for key, routing in zip("123", "abc"):
            self.server.ask("DELETE", "/%sthings/_doc/%s" % (self.prefix, key))
            self.server.ask("PUT", "/%sthings/_doc/%s?routing=%s&refresh=true" % (self.prefix, key, routing),
                            {"id": int(key)})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), {})

    def test_indexes_that_are_not_read(self):
        """Closed ones and data streams are refused by name; a hidden one is read."""
        self.server.ask("PUT", "/%shidden" % self.prefix, {"settings": {"hidden": True}})
        self.seed("hidden")
        self.run_program("migrate", self.uri(), "out.db", "--quiet")
        self.assertEqual(sqlite3.connect(self.path("out.db")).execute("SELECT id FROM hidden").fetchall(), [(2,)])
        self.seed("shut")
        self.server.ask("POST", "/%sshut/_close" % self.prefix)
        self.assertRegex(self.run_program("migrate", self.uri(), "more.db", "--state", "more", code=2).err,
                         "shut.*closed")
        self.server.ask("DELETE", "/%sshut" % self.prefix)
        self.server.ask("PUT", "/_index_template/%s" % self.prefix,
                        {"index_patterns": [self.prefix + "stream*"], "data_stream": {}, "priority": 900})
        self.server.ask("PUT", "/_data_stream/%sstream" % self.prefix)
        self.assertRegex(self.run_program("migrate", self.uri(), "most.db", "--state", "most", code=2).err,
                         "stream.*data stream")


class Long(bytes):
    """An answer that says to be longer than what is held of one."""

    def __len__(self):
        return 200 << 20


class Answers(SearchCase):
    """Answers that a real server gives seldom: through a gate before it."""

    def at(self, gate):
        return "opensearch://127.0.0.1:%d/%s" % (gate.port, self.prefix)

    def test_items_that_fail(self):
        """
        A shard that does not answer an _mget: its documents are asked for again, and none is taken for absent, so that
        a rollback gives theirs back.
        """
        self.many(5)
        self.server.ask("PUT", "/%sthings" % self.prefix, {"mappings": {"properties": {
            "id": {"type": "long"}, "name": {"type": "text"}, "city": {"type": "keyword"},
            "price": {"type": "double"}}}})
        self.server.bulk(self.prefix + "things", {"2": {"id": 2, "name": "theirs"}})
        asked = []

        def fail(answer):
            fault = {"type": "no_shard_available_action_exception", "reason": "no shard"}
            return json.dumps({"docs": [{"_index": item["_index"], "_id": item["_id"], "error": fault}
                                        for item in json.loads(answer)["docs"]]}).encode()

        def judge(_method, target, _headers, _body):
            if "_mget" not in target:
                return None
            asked.append(target)
            return fail if len(asked) <= 2 else None
        with Gate(self.server.port, judge) as gate:
            self.write("plan.yaml", Policies.plan % (self.at(gate), "replace", ""))
            self.run_program("migrate", "--plan", "plan.yaml", "--rollback-keys", "--quiet")
            self.assertGreater(len(asked), 2)
            self.assert_things(5)
            self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), {"2": {"id": 2, "name": "theirs"}})

    def test_claim_whose_answer_is_lost(self):
        self.many(5)
        lost = []

        class Losing(Gate):
            def forward(self, method, target, headers, body):
                said = super().forward(method, target, headers, body)
                if "/_create/" in target and "version" in target and not lost:
                    lost.append(target)
                    return 503, b"{}"
                return said
        with Losing(self.server.port, lambda *_: None) as gate:
            self.run_program("migrate", "source.db", self.at(gate), "--quiet")
        self.assertEqual(len(lost), 1)
        self.assert_things(5)

    def test_pages_that_are_too_long(self):
        """A page above what is held of an answer is asked for again with fewer documents, down to one."""
        self.many(60)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        sizes = []

        def judge(_method, _target, _headers, body):
            size = json.loads(body).get("size") if body[
                :1] == b"{" and b'"size"' in body and b'"sort"' in body else None
            if size is None:
                return None
            sizes.append(size)
            return (200, Long(b"{}")) if size > 1 else None
        with Gate(self.server.port, judge) as gate:
            self.run_program("migrate", self.at(gate), "out.db", "--state", "out", "--quiet")
        self.assertIn(1, sizes)
        self.assertEqual(sqlite3.connect(self.path("out.db")).execute(
            "SELECT count(*), sum(id) FROM things").fetchall(), [(60, 1830)])

    def test_elasticsearch_is_scrolled(self):
        """
        What says that it is an Elasticsearch is asked for no points in time, whose slices are of one copy of a shard.
        """
        self.many(3000)
        self.run_program("migrate", "source.db", self.uri("?shards=2"), "--quiet")
        targets = []

        def judge(_method, target, _headers, body):
            targets.append((target, body))
            return (lambda answer: answer.replace(b'"distribution" : "opensearch",', b"").replace(b'"number" : "2.',
                b'"number" : "8.')) if target == "/" else None
        with Gate(self.server.port, judge) as gate:
            self.run_program("migrate", self.at(gate), "out.db", "--state", "out", "--chunk-rows", "500", "--quiet")
        self.assertEqual([target for target, _ in targets if "point_in_time" in target or "_pit" in target], [])
        self.assertTrue(any("scroll=" in target and b'"slice"' in body for target, body in targets))
        self.assertEqual(sqlite3.connect(self.path("out.db")).execute("SELECT count(*), count(DISTINCT id), "
                                                                      "sum(id) FROM things").fetchall(),
                         [(3000, 3000, 4501500)])


class Shop(SearchCase):
    def test_the_ready_plan(self):
        """examples/chinook-opensearch, against SQL of the test's own; killed and resumed."""
        support.musicshop(self.path("shop.db"))
        plan = os.path.join(support.ROOT, "examples", "chinook-opensearch", "transhume.yaml")
        command = ["--plan", plan, "sqlite:shop.db", self.uri(), "--state", "state"]
        self.run_program("check", *command[:4])
        support.kill_at("opensearch.after_answer", 4, "migrate", *command, "--chunk-rows", "300", cwd=self.folder)
        self.run_program("resume", "--state", "state", "--quiet")
        self.run_program("validate", "--state", "state", "--level", "full", "--quiet")
        db = sqlite3.connect(self.path("shop.db"))
        db.row_factory = sqlite3.Row
        customers, orders, tracks = self.documents("customer"), self.documents("order"), self.documents("track")
        for customer in db.execute("SELECT * FROM Customer"):
            own = list(db.execute("SELECT * FROM Invoice WHERE CustomerId = ?", (customer["CustomerId"],)))
            found = customers[str(customer["CustomerId"])]
            self.assertEqual((found["Email"], found["Orders"], found["Spent"]),
                             (customer["Email"], len(own), sum((Decimal(repr(order["Total"])) for order in own),
                                                               Decimal(0))))
        lines = list(db.execute("SELECT i.CustomerId, l.*, t.Name FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) "
                                "JOIN Track t USING (TrackId)"))
        self.assertEqual(sum(len(order["Lines"]) for order in orders.values()), len(lines))
        for line in lines:
            found = {each["InvoiceLineId"]: each for each in orders["%d:%d" % (line["CustomerId"],
                                                                               line["InvoiceId"])]["Lines"]}[
                                                                                   line["InvoiceLineId"]]
            self.assertEqual((found["Track"], found["Quantity"], found["UnitPrice"]),
                             (line["Name"], line["Quantity"], Decimal(repr(line["UnitPrice"]))))
        for table, count in (("customer", "Customer"), ("order", "Invoice"), ("track", "Track"),
                             ("playlist", "Playlist")):
            self.assertEqual(len(self.documents(table)), db.execute("SELECT count(*) FROM " + count).fetchone()[0])
        artist = db.execute("SELECT ar.Name FROM Track t JOIN Album a USING (AlbumId) JOIN Artist ar USING (ArtistId) "
                            "WHERE TrackId = 7").fetchone()[0]
        self.assertEqual(tracks["7"]["Artist"], artist)
        nested = {"query": {"nested": {"path": "Lines",
                                       "query": {"term": {"Lines.InvoiceLineId": lines[5]["InvoiceLineId"]}}}}}
        self.assertEqual([hit["_id"] for hit in self.server.ask("POST", "/%sorder/_search" % self.prefix,
                                                                nested)["hits"]["hits"]],
                         ["%d:%d" % (lines[5]["CustomerId"], lines[5]["InvoiceId"])])
        db.close()


if __name__ == "__main__":
    unittest.main()
