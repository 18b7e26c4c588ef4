"""
Redis as a target and as a source, on real servers; what is there is read by a client of the tests' own
(redis_server.Client).
"""
import decimal
import json
import os
import random
import sqlite3
import time
import unittest

import redis_server
import support

from tcp_proxy import Proxy, close

LEDGER = {b"{_transhume_ledger}:values", b"{_transhume_ledger}:keys"}
NOTES = b"transhume:tables"
# Values whose kind Redis itself does not know, and texts that look like others.
ODD = """CREATE TABLE odd (id INTEGER PRIMARY KEY, t TEXT, n NUMERIC, r REAL, b BLOB);
INSERT INTO odd VALUES (1, '12', 12, 0.1, x'3132'), (2, '007', 1.50, 1e300, x'00ff'), (3, '', NULL, -0.0, x''), (4, NULL, -9223372036854775808, 3.0, NULL),
  (5, 'caf\u00e9 \U0001f411', 9223372036854775807, 5e-324, x'c3a9'), (6, '-0', 0, NULL, x'2d30'), (7, 'true', 1, 2.5, x'74727565'), (-8, char(10) || '$5' || char(13, 10), 0.25, 1.0, x'0d0a');
CREATE TABLE pair (x TEXT NOT NULL, y TEXT NOT NULL, note TEXT, PRIMARY KEY (x, y));
INSERT INTO pair VALUES ('a', 'b:c', '1'), ('a:b', 'c', '2'), ('a%3Ab', 'c', '3'), ('', '', '4'), ('%', ':', '5'), ('{x}', '*', '6'), ('[a]', '?', '7');
CREATE TABLE "Order Lines" ("Line No" INTEGER PRIMARY KEY, "a b" TEXT);
INSERT INTO "Order Lines" VALUES (1, 'x'), (2, NULL);"""
MANY = """CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, city TEXT, price NUMERIC);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO things SELECT i, 'name ' || i, CASE WHEN i %% 7 THEN 'city ' || (i %% 97) END, i / 4.0 FROM n;"""


class RedisCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = redis_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.number = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.number, options)

    def ask(self, *words):
        return self.server.ask(self.number, *words)

    def keys(self, pattern="*"):
        return sorted(self.ask("KEYS", pattern))

    def hash(self, key):
        found = self.ask("HGETALL", key)
        return dict(zip(found[::2], found[1::2]))

    def many(self, rows):
        support.make_sqlite(self.path("source.db"), MANY % rows)

    def assert_things(self, ask, rows):
        """Each record, field by field; `ask` answers a command about a key."""
        for i in range(1, rows + 1):
            price = ("%d" % (i // 4) if i % 4 == 0 else repr(i / 4)).encode()
            wanted = {b"id": b"%d" % i, b"name": b"name %d" % i, b"price": price}
            if i % 7:
                wanted[b"city"] = b"city %d" % (i % 97)
            found = ask("HGETALL", "things:%d" % i)
            self.assertEqual(dict(zip(found[::2], found[1::2])), wanted)


class Copies(RedisCase):
    def test_there_and_back(self):
        """Every value of SQLite comes back as it was; keys with colons, percents and glob characters stay apart."""
        support.make_sqlite(self.path("source.db"), ODD)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.assertEqual(self.hash("odd:2"), {b"id": b"2", b"t": b"007", b"n": b"1.5", b"r": b"1e+300",
                                              b"b": b"\x00\xff"})
        self.assertEqual(self.hash("odd:4"), {b"id": b"4", b"n": b"-9223372036854775808", b"r": b"3"})
        self.assertEqual(self.hash("Order Lines:2"), {b"Line No": b"2"})
        self.assertEqual(self.hash("pair:a%3Ab:c"), {b"x": b"a:b", b"y": b"c", b"note": b"2"})
        self.assertEqual(self.hash("pair:a%253Ab:c"), {b"x": b"a%3Ab", b"y": b"c", b"note": b"3"})
        self.assertEqual(len(self.keys("pair:*")), 7)
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("finish", "--quiet")
        self.assertEqual(LEDGER & set(self.keys()), set())
        self.run_program("migrate", self.uri(), "back.db", "--state", "back", "--quiet")
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        for table, order in (("odd", "id"), ("pair", "x, y"), ('"Order Lines"', '"Line No"')):
            columns = [row[1] for row in source.execute("PRAGMA table_info(%s)" % table)]
            query = "SELECT %s FROM %s ORDER BY %s" % (", ".join("CAST(n AS NUMERIC)" if column == "n"
                                                                 else '"%s"' % column for column in columns), table,
                                                       order)
            self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_json_there_and_back(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, n NUMERIC, more TEXT);"
                                                    "INSERT INTO people VALUES (1, '12', 1.5, NULL), (2, 'caf\u00e9', "
                                                    "9223372036854775807, '[1, 2]')")
        self.run_program("migrate", "source.db", self.uri("?form=json"), "--quiet")
        self.assertEqual(self.ask("GET", "people:1"), b'{"id":1,"name":"12","n":1.5}')
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("migrate", self.uri(), "back.db", "--state", "back", "--quiet")
        with sqlite3.connect(self.path("back.db")) as back:
            self.assertEqual(
                back.execute("SELECT id, name, CAST(n AS NUMERIC), more FROM people ORDER BY id").fetchall(),
                             [(1, "12", 1.5, None), (2, "caf\u00e9", 9223372036854775807, "[1, 2]")])

    def test_killed_at_each_place(self):
        """
        Killed at each failpoint on the way, first and last time, and resumed: each record once and whole, and nothing
        else.
        """
        self.many(3000)
        options = ["--chunk-rows", "500", "--jobs", "2", "--quiet"]
        result, counts = support.count_failpoints("migrate", "source.db", self.uri(), *options, cwd=self.folder)
        self.assert_code(result, 0)
        places = sorted((name, at) for name, count in counts.items() if name.startswith("redis.") for at in {1, count})
        self.assertGreater(len(places), 10)
        for name, at in support.drawn(places, 8, self.id()):
            with self.subTest(failpoint=name, occurrence=at):
                self.number = self.server.database()
                support.kill_at(name, at, "migrate", "source.db", self.uri(), *options, "--state",
                                "killed-%s-%d" % (name, at), cwd=self.folder)
                state = "killed-%s-%d" % (name, at)
                again = support.transhume("resume", "--state", state, "--quiet", cwd=self.folder)
                if again.code == 2 and "run-nothing" in again.err:  # before there was a run
                    again = support.transhume("migrate", "source.db", self.uri(), *options, "--state", state,
                                              cwd=self.folder)
                self.assert_code(again, 0)
                self.assertEqual(len(self.keys("things:*")), 3000)
                self.assert_things(self.ask, 3000)

    def test_connections_that_break(self):
        self.many(20000)
        with CuttingProxy(self.server.port, random.Random(support.SEED)) as proxy:
            self.run_program("migrate", "source.db", "redis://127.0.0.1:%d/%d" % (proxy.port, self.number),
                             "--chunk-rows", "3000", "--quiet")
            self.assertGreater(proxy.cuts, 2)
        self.assertEqual(len(self.keys("things:*")), 20000)
        self.assert_things(self.ask, 20000)

    def test_time_to_live(self):
        now = int(time.time())
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE session (id INTEGER PRIMARY KEY, until INTEGER, who TEXT);"
                                                    "INSERT INTO session VALUES (1, %d, 'a'), (2, %d, 'gone'), (3, "
                                                    "NULL, 'stays')" % (now + 5000, now - 5))
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  session: { key: [id], ttl: until, from: session }
""" % self.uri())
        result = self.run_program("migrate", "--plan", "plan.yaml")
        self.assertEqual(self.keys("session:*"), [b"session:1", b"session:3"])
        self.assertTrue(4900 < self.ask("TTL", "session:1") <= 5000)
        self.assertEqual(self.ask("TTL", "session:3"), -1)
        self.assertRegex(result.out, r"session +3 +2 +0 +1 ")
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.server.uri(other), "--state", "two", "--quiet", "--include",
                         "session")
        self.assertTrue(4900 < self.server.ask(other, "TTL", "session:1") <= 5001)


class Shop(RedisCase):
    def test_the_ready_plan(self):
        """examples/chinook-redis, against SQL of the test's own; killed and resumed."""
        support.musicshop(self.path("shop.db"))
        plan = os.path.join(support.ROOT, "examples", "chinook-redis", "transhume.yaml")
        command = ["--plan", plan, "sqlite:shop.db", self.uri("?form=json"), "--state", "state"]
        self.run_program("check", *command[:4])
        support.kill_at("redis.after_answer", 4, "migrate", *command, "--chunk-rows", "300", cwd=self.folder)
        self.run_program("resume", "--state", "state", "--quiet")
        self.run_program("validate", "--state", "state", "--level", "full", "--quiet")
        db = sqlite3.connect(self.path("shop.db"))
        db.row_factory = sqlite3.Row
        for customer in db.execute("SELECT c.*, e.FirstName || ' ' || e.LastName AS SupportRep FROM Customer c LEFT "
                                   "JOIN Employee e ON e.EmployeeId = c.SupportRepId"):
            orders = list(db.execute("SELECT * FROM Invoice WHERE CustomerId = ?", (customer["CustomerId"],)))
            found = json.loads(self.ask("GET", "customer:%d" % customer["CustomerId"]), parse_float=decimal.Decimal)
            wanted = {name: customer[name] for name in customer.keys() if name != "SupportRepId"
                      and customer[name] is not None}
            wanted.update(Orders=len(orders), Spent=sum((decimal.Decimal(repr(order["Total"])) for order in orders),
                                                        decimal.Decimal(0)))
            self.assertEqual(found, wanted)
            self.assertEqual(self.keys("order:%d:*" % customer["CustomerId"]),
                             sorted(b"order:%d:%d" % (customer["CustomerId"], order["InvoiceId"]) for order in orders))
        for line in db.execute("SELECT i.CustomerId, l.*, t.Name FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) "
                               "JOIN Track t USING (TrackId)"):
            lines = {found["InvoiceLineId"]: found for found in json.loads(self.ask("GET",
                "order:%d:%d" % (line["CustomerId"], line["InvoiceId"])))["Lines"]}
            self.assertEqual((lines[line["InvoiceLineId"]]["Track"], lines[line["InvoiceLineId"]]["Quantity"]),
                             (line["Name"], line["Quantity"]))
        for table, count in (("customer", "Customer"), ("order", "Invoice"), ("track", "Track"),
                             ("playlist", "Playlist")):
            self.assertEqual(len(self.keys(table + ":*")), db.execute("SELECT count(*) FROM " + count).fetchone()[0])
        db.close()


class CuttingProxy(Proxy):
    """Cuts every connection after some hundred KB, in either direction, at any byte."""

    def __init__(self, port, draw):
        self.draw, self.cuts = draw, 0
        super().__init__(port)

    def passers(self, program, server):
        left = [self.draw.randint(20000, 700000) if self.cuts < 8 else 1 << 40]
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


class Policies(RedisCase):
    plan = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  things: { key: [id], from: things }
"""

    def run_policy(self, policy, code=0, options=""):
        self.many(5)
        self.ask("HSET", "things:2", "id", "2", "name", "theirs", "mine", "kept")
        self.write("plan.yaml", self.plan % (self.uri(options), policy))
        return self.run_program("migrate", "--plan", "plan.yaml", "--rollback-keys", code=code)

    def test_refuse(self):
        self.assertIn("target-not-empty", self.run_policy("refuse", 5).err)
        self.assertEqual(self.keys(), [b"things:2"])

    def test_append(self):
        self.run_policy("append", 1)
        self.assertEqual(self.hash("things:2")[b"name"], b"theirs")
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])
        self.assertEqual(len(self.keys("things:*")), 5)

    def test_skip(self):
        self.run_policy("skip")
        self.assertEqual(self.hash("things:2"), {b"id": b"2", b"name": b"theirs", b"mine": b"kept"})
        self.assertEqual(len(self.keys("things:*")), 5)

    def test_upsert_and_back(self):
        before = {b"id": b"2", b"name": b"theirs", b"mine": b"kept"}
        self.run_policy("upsert")
        self.assertEqual(self.hash("things:2"), {b"id": b"2", b"name": b"name 2", b"city": b"city 2", b"price": b"0.5",
                                                 b"mine": b"kept"})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.keys("things:*"), [b"things:2"])
        self.assertEqual(self.hash("things:2"), before)

    def test_replace_and_back(self):
        self.run_policy("replace")
        self.assertEqual(self.hash("things:2"), {b"id": b"2", b"name": b"name 2", b"city": b"city 2", b"price": b"0.5"})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.hash("things:2"), {b"id": b"2", b"name": b"theirs", b"mine": b"kept"})

    def test_a_key_of_another_type(self):
        self.many(5)
        self.write("plan.yaml", self.plan % (self.uri(), "upsert"))
        self.ask("SET", "things:3", "a string")
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual([(reject["code"], reject["key"]) for reject in self.rejects()], [("constraint", {"id": 3})])
        self.assertEqual(self.ask("GET", "things:3"), b"a string")
        self.assertEqual(len(self.keys("things:*")), 5)

    def test_what_a_table_can_not_be(self):
        support.make_sqlite(self.path("source.db"),
                            'CREATE TABLE "a:b" (id INTEGER PRIMARY KEY); INSERT INTO "a:b" VALUES (1);')
        result = self.run_program("migrate", "source.db", self.uri(), code=2)
        self.assertIn("its name has a colon", result.err)
        self.assertEqual(self.keys(), [])

    def test_rollback_and_repair(self):
        self.many(300)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.ask("HSET", "things:7", "name", "changed")
        self.ask("DEL", "things:8")
        self.ask("HSET", "things:5000", "id", "5000", "name", "extra")
        result = self.run_program("validate", "--level", "full", code=1)
        self.assertRegex(result.out, r"things +things +300 +300 +1 +1 +1")
        first = self.run_id()
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
        self.assertEqual(len(self.keys("things:*")), 300)
        self.assert_things(self.ask, 300)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual((self.hash("things:7")[b"name"], self.keys("things:8"), self.keys("things:5000")),
                         (b"changed", [], [b"things:5000"]))
        self.ask("HSET", "things:7", "name", "name 7")
        self.ask("HSET", "things:8", "id", "8", "name", "name 8", "city", "city 8", "price", "2")
        self.ask("DEL", "things:5000")
        self.run_program("rollback", "--run", first, "--confirm", "--quiet")
        self.assertEqual(self.keys("things*"), [])
        self.assertEqual(self.ask("HGETALL", NOTES), [])

    def test_two_records_under_one_key(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (a INTEGER PRIMARY KEY, k TEXT, v TEXT);"
                                                    "INSERT INTO t VALUES (1, 'x', 'first'), (2, 'x', NULL), (3, 'y', "
                                                    "'other')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  t: { key: [k], from: t, fields: { k: copy, v: copy } }
""" % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual(self.hash("t:x"), {b"k": b"x", b"v": b"first"})
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])


class Foreign(RedisCase):
    """Keys that others wrote."""

    def test_every_type(self):
        for words in (("HSET", "user:1", "name", "Ann", "age", "33"), ("HSET", "user:2", "name", "caf\u00e9"),
                      ("SET", "page:a", "hello"), ("SET", "page:b", b"\xff\x00"),
                      ("RPUSH", "queue:x", "one", "2", "one"), ("SADD", "tags:x", "a", "b"),
                      ("ZADD", "rank:x", "1.5", "ann", "2", "bob"),
                      ("XADD", "log:x", "1-1", "what", "begun"), ("XADD", "log:x", "2-0", "what", "ended", "n", "7"),
                      ("SET", "lonely", "42"),
                      ("SET", "user:note", "a string among hashes"), ("PEXPIRE", "page:a", "5000000")):
            self.ask(*words)
        self.run_program("migrate", self.uri(), "jsonl:out", "--quiet")
        found = {}
        for table in sorted(os.listdir(self.path("out"))):
            folder = self.path("out", table)
            if table != "_transhume":
                found[table] = sorted((record for name in os.listdir(folder)
                                       for record in map(json.loads, support.read_lines(os.path.join(folder, name)))),
                                      key=lambda record: record["_key"])
        self.assertEqual(found["user.hash"], [{"_key": "user:1", "name": "Ann", "age": 33},
                                              {"_key": "user:2", "name": "caf\u00e9"}])
        self.assertEqual(found["user.string"], [{"_key": "user:note", "value": "a string among hashes"}])
        self.assertEqual(found["queue"], [{"_key": "queue:x", "value": ["one", 2, "one"]}])
        self.assertEqual(sorted(found["tags"][0]["value"]["$set"]), ["a", "b"])
        self.assertEqual(found["rank"], [{"_key": "rank:x", "value": {"ann": 1.5, "bob": 2}}])
        self.assertEqual(found["log"], [{"_key": "log:x", "value": [{"id": "1-1", "fields": {"what": "begun"}},
                                                                    {"id": "2-0",
                                                                     "fields": {"what": "ended", "n": 7}}]}])
        self.assertEqual(found["_keys"], [{"_key": "lonely", "value": 42}])
        self.assertEqual([record["_key"] for record in found["page"]], ["page:a", "page:b"])

    def test_many_spans(self):
        """Keys that SCAN may tell of twice, cut into many chunks and killed on the way."""
        client = self.server.client(self.number)
        client.pipeline([("HSET", "n:%d" % i, "v", i) for i in range(20000)])
        support.kill_after(0.3, "migrate", self.uri(), "back.db", "--chunk-rows", "700", "--quiet", cwd=self.folder)
        result = support.transhume("resume", "--quiet", cwd=self.folder)
        if result.code == 2:
            result = support.transhume("migrate", self.uri(), "back.db", "--chunk-rows", "700", "--quiet",
                                       cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        with sqlite3.connect(self.path("back.db")) as back:
            self.assertEqual(back.execute("SELECT count(*), count(DISTINCT _key), sum(v) FROM n").fetchone(),
                             (20000, 20000, sum(range(20000))))


class Servers(support.TestCase):
    """Servers that die, forget, move, want a password, speak TLS."""
    many, assert_things = RedisCase.many, RedisCase.assert_things

    def own(self, **options):
        server = redis_server.Server(**options)
        self.addCleanup(server.stop)
        return server

    def struck(self, uri, strike, occurrence=40):
        """A run that is stopped in the middle while something happens, and goes on."""
        process = self.stopped_at("redis.after_answer:stop:%d" % occurrence, "migrate", "source.db", uri, "--jobs", "2",
                                  "--chunk-rows", "2000", "--timeout", "5s")
        strike()
        process.send_signal(18)
        return support.finish(process)

    def test_a_server_that_dies(self):
        self.many(40000)
        server = self.own()
        result = self.struck(server.uri(0), server.restart)
        self.assert_code(result, 0)
        self.assertEqual(server.ask(0, "DBSIZE"), 40000 + 3)
        self.assert_things(lambda *words: server.ask(0, *words), 40000)

    def test_a_server_that_forgets(self):
        """Without an append-only file what it acknowledged is gone: the run says so instead of success."""
        self.many(40000)
        server = self.own(append_only=False)
        result = self.struck(server.uri(0), server.restart)
        self.assertEqual(result.code, 3, result.err)
        self.assertIn("append-only", result.err)

    def test_keys_that_have_expired(self):
        """
        They count among a database's keys until the server has deleted them, and no SCAN tells of them: records are
        counted all the same.
        """
        self.many(50)
        server = self.own(options=["--enable-debug-command", "local"])
        server.ask(0, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for i in range(20):
            server.ask(0, "SET", "other:%d" % i, "x", "PX", "1")
        self.run_program("migrate", "source.db", server.uri(0), "--quiet")
        self.assert_things(lambda *words: server.ask(0, *words), 50)

    def test_a_password(self):
        server = self.own(password="very secret")
        self.many(10)
        result = self.run_program("migrate", "source.db", server.uri(0), code=2)
        self.assertIn("credentials", result.err)
        self.run_program("migrate", "source.db", server.uri(0), "--quiet", env={"REDISCLI_AUTH": "very secret"})
        with redis_server.Client(server.port, 0, "very secret") as client:
            self.assertEqual(client.ask("DBSIZE"), 13)
            client.ask("ACL", "SETUSER", "mover", "on", ">pass:word", "~*", "+@all")
        self.run_program("migrate", "source.db", "redis://mover:pass%%3Aword@127.0.0.1:%d/5" % server.port, "--state",
                         "acl", "--quiet")
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(b"very secret", file.read(), name)

    def test_tls(self):
        server = self.own(tls=True)
        self.many(3000)
        uri = "rediss://127.0.0.1:%d/0" % server.tls_port
        self.assertIn("tls", self.run_program("migrate", "source.db", uri, code=3).err)
        self.run_program("migrate", "source.db", uri + "?ca_file=" + server.certificate, "--state", "tls", "--quiet")
        self.assert_things(lambda *words: server.ask(0, *words), 3000)

    def test_a_take_over(self):
        """What the process before had sent and nobody had read goes with its connections."""
        self.many(20000)
        server = self.own()
        stopped = self.stopped_at("redis.after_answer:stop:20", "migrate", "source.db", server.uri(0, "?lease=2"),
                                  "--timeout", "1s", "--chunk-rows", "2000", "--jobs", "2")
        self.assert_code(support.transhume("resume", "--take-over", "--state", "second", "source.db",
                                           server.uri(0, "?lease=2"), "--timeout", "1s", "--quiet", cwd=self.folder), 0)
        stopped.send_signal(18)
        self.assertIn(support.finish(stopped).code, (3, 5))
        self.assertEqual(server.ask(0, "DBSIZE"), 20003)
        self.assert_things(lambda *words: server.ask(0, *words), 20000)


class Clusters(support.TestCase):
    many, assert_things = RedisCase.many, RedisCase.assert_things

    def ask_of(self, cluster):
        """Of the node that has the key."""
        places = cluster.everything()
        return places, lambda *words: places[words[1].encode()].ask(0, *words)

    def test_three_masters(self):
        self.many(9000)
        with redis_server.Cluster(3) as cluster:
            struck = cluster.nodes[1]
            process = self.stopped_at("redis.after_answer:stop:6", "migrate", "source.db", cluster.uri(), "--jobs", "2",
                                      "--chunk-rows", "1000", "--timeout", "5s")
            struck.restart()
            cluster.wait()
            process.send_signal(18)
            self.assert_code(support.finish(process), 0)
            places, ask = self.ask_of(cluster)
            self.assertEqual(sorted(places.keys() - LEDGER - {NOTES}), sorted(b"things:%d" % i for i in range(1, 9001)))
            self.assert_things(ask, 9000)
            self.assertEqual(len({node.port for node in places.values()}), 3)
            self.run_program("validate", "--level", "full", "--quiet")
            self.run_program("migrate", cluster.uri(), "back.db", "--state", "back", "--quiet")
            self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
            self.assertEqual(cluster.everything(), {})
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        query = "SELECT id, name, city, price FROM things ORDER BY id"
        self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_a_master_that_stays_dead(self):
        """Its replica takes over, with all that was acknowledged."""
        self.many(9000)
        with redis_server.Cluster(3, replicas=1) as cluster:
            process = self.stopped_at("redis.after_answer:stop:6", "migrate", "source.db", cluster.uri(), "--jobs", "2",
                                      "--chunk-rows", "1000", "--timeout", "10s")
            masters = [node for node in cluster.nodes if b"role:master" in node.ask(0, "INFO", "replication")]
            dead = next(node for node in masters if node is not cluster.nodes[0])
            dead.kill()
            cluster.nodes.remove(dead)
            cluster.wait()
            process.send_signal(18)
            self.assert_code(support.finish(process), 0)
            places, ask = self.ask_of(cluster)
            self.assertEqual(sorted(places.keys() - LEDGER - {NOTES}), sorted(b"things:%d" % i for i in range(1, 9001)))
            self.assert_things(ask, 9000)

    def test_slots_that_move(self):
        self.many(3000)
        with redis_server.Cluster(3) as cluster:
            process = self.stopped_at("redis.after_answer:stop:5", "migrate", "source.db", cluster.uri(), "--jobs", "1",
                                      "--chunk-rows", "500")
            ids = {node: node.ask(0, "CLUSTER", "MYID") for node in cluster.nodes}
            moving = next(node for node in cluster.nodes if node.ask(0, "CLUSTER", "SLOTS") and
                          any(first <= 500 <= last and master[1] == node.port
                              for first, last, master, *_ in node.ask(0, "CLUSTER", "SLOTS")))
            taking = next(node for node in cluster.nodes if node is not moving)
            # begun to be moved, and left so: answers are ASK for keys that are not there
            for slot in range(300, 700):
                taking.ask(0, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[moving])
                moving.ask(0, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[taking])
            process.send_signal(18)
            self.assert_code(support.finish(process), 0)
            found = [key for node in cluster.nodes for key in node.ask(0, "KEYS", "things:*")]
            self.assertEqual(sorted(found), sorted(b"things:%d" % i for i in range(1, 3001)))


if __name__ == "__main__":
    unittest.main()
