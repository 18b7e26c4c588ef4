"""Cassandra as a target, on a real node; what was written is read back by the Python driver."""
import datetime
import decimal
import json
import os
import signal
import time
import unittest
import uuid

import cassandra_server
import support

PEOPLE = """CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, tags TEXT, born DATE, seen DATETIME, worth NUMERIC(10,2), share REAL, data BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO people SELECT i, 'name ' || i, '["a", "' || i || '"]', '2024-02-29', '2024-02-29 12:13:14', i + 0.25, i / 8.0, x'00ff' FROM n;"""
PLAN = """transhume: 1
source: %s
target: "%s"
existing: %s
tables:
  people:
    key: { partition: id }
    columns: { tags: { type: "list<text>" } }
    from: people
    fields:
      "*": copy
      tags: { column: tags, cast: list }
"""
ORDERS = """CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer(id), placed DATE, note TEXT);
CREATE INDEX by_date ON orders(placed);
CREATE VIEW late AS SELECT * FROM orders;
INSERT INTO customer VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO orders VALUES (1, 1, '2024-01-01', 'first'), (2, 1, '2024-01-03', NULL), (3, 2, '2024-01-02', 'other'), (4, 1, '2024-01-02', 'middle');"""


class Target(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.keyspace, options)

    def ask(self, cql, *values):
        return self.server.ask(self.keyspace, cql, *values)

    def people(self, rows, existing="refuse"):
        if not os.path.exists(self.path("source.db")):
            support.make_sqlite(self.path("source.db"), PEOPLE % rows)
        self.write("plan.yaml", PLAN % ("source.db", self.uri(), existing))

    def migrate(self, *options, code=0, **settings):
        return self.run_program("migrate", *options, "--quiet", code=code, **settings)

    def any_end(self, *arguments):
        """Runs the program here; the caller looks at what it left."""
        return support.transhume(*arguments, cwd=self.folder)

    def assert_people(self, rows, changed=()):
        found = {row[0]: row[1:]
                 for row in self.ask("SELECT id, name, tags, born, seen, worth, share, data FROM people")}
        self.assertEqual(sorted(found), list(range(1, rows + 1)))
        for number, row in found.items():
            if number not in changed:
                name, tags, born, seen, worth, share, data = row
                self.assertEqual((name, list(tags), str(born), seen, worth, share, data),
                                 ("name %d" % number, ["a", str(number)], "2024-02-29",
                                  datetime.datetime(2024, 2, 29, 12, 13, 14),
                                  decimal.Decimal(number) + decimal.Decimal("0.25"), number / 8, b"\x00\xff"))

    # --- what arrives

    def test_a_plain_copy(self):
        support.make_sqlite(self.path("source.db"), ORDERS)
        result = self.run_program("migrate", "source.db", self.uri())
        self.assertEqual(sorted(self.ask("SELECT id, customer, placed, note FROM orders"),
                                key=lambda row: row[0])[1][3], None)
        self.assertEqual(sorted(self.ask("SELECT id, name FROM customer")), [(1, "Ann"), (2, "Bob")])
        self.assertRegex(result.out, r"not carried: .*1 view")
        self.assertRegex(result.out, r"not carried: .*1 index")
        self.run_program("validate", code=0)

    def test_what_belongs_together_shares_a_partition(self):
        support.make_sqlite(self.path("source.db"), ORDERS)
        self.run_program("init", "source.db", self.uri())
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            plan = file.read()
        self.assertIn("key: { partition: [customer], clustering: [id] }", plan)
        self.write("transhume.yaml", plan.replace("clustering: [id]", "clustering: [placed: desc, id]"))
        self.migrate()
        self.assertEqual(self.ask("SELECT id FROM orders WHERE customer = 1"), [(2,), (4,), (1,)])
        self.assertEqual(self.ask("SELECT id FROM orders WHERE customer = 1 AND placed > '2024-01-01'"), [(2,), (4,)])

    def test_static_columns(self):
        support.make_sqlite(self.path("source.db"), ORDERS)
        self.write("plan.yaml", """transhume: 1
source: source.db
target: "%s"
tables:
  orders:
    key: { partition: customer, clustering: id, static: [who] }
    from: orders
    fields: { customer: copy, id: copy, note: copy, who: { lookup: customer, column: name } }
""" % self.uri())
        self.migrate("--plan", "plan.yaml")
        self.assertEqual(sorted(self.ask("SELECT customer, id, who FROM orders")),
                         [(1, 1, "Ann"), (1, 2, "Ann"), (1, 4, "Ann"), (2, 3, "Bob")])
        kinds = dict(self.server.ask("system_schema",
                                     "SELECT column_name, kind FROM columns WHERE keyspace_name = %s AND table_name = "
                                     "'orders'", self.keyspace))
        self.assertEqual((kinds["who"], kinds["customer"], kinds["id"]), ("static", "partition_key", "clustering"))

    def test_lists_and_maps(self):
        os.mkdir(self.path("in"))
        self.write("in/thing.jsonl", "".join(json.dumps({"id": i, "list": [1, 2, i], "map": {"a": {"b": [True, None]}},
                                                         "u": str(uuid.UUID(int=i))}) + "\n"
                                             for i in range(1, 6)))
        self.write("plan.yaml", """transhume: 1
source: jsonl:in
target: "%s"
tables:
  thing:
    key: { partition: id }
    from: thing
    fields: { id: { column: id, cast: int64 }, list: { column: list, cast: list }, map: { column: map, cast: json }, u: { column: u, cast: uuid } }
""" % self.uri())
        self.migrate("--plan", "plan.yaml")
        rows = sorted(self.ask("SELECT id, map, u FROM thing"))
        self.assertEqual(json.loads(rows[0][1]), {"a": {"b": [True, None]}})
        self.assertEqual([row[2] for row in rows], [uuid.UUID(int=i) for i in range(1, 6)])

    def test_time_to_live(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE s(id INTEGER PRIMARY KEY, ends INTEGER); INSERT INTO s VALUES (1, %d), (2, "
                            "NULL), (3, 1)"
                            % (time.time() + 5000))
        self.write("plan.yaml", """transhume: 1
source: source.db
target: "%s"
tables:
  s: { key: { partition: id }, ttl: ends, from: s, fields: { "*": copy } }
""" % self.uri())
        result = self.run_program("migrate", "--plan", "plan.yaml", "--json")
        self.assertEqual([json.loads(result.out)["entities"][0][count] for count in ("written", "skipped", "rejected")],
                         [2, 1, 0])
        self.assertIn("whose time to live (`ttl: ends`) is over", result.err)
        left = dict(self.ask("SELECT id, ttl(ends) FROM s"))
        self.assertTrue(4000 < left[1] <= 5000, left)
        self.assertEqual((left.get(2), 3 in left), (None, False))

    def test_times_are_kept(self):
        self.ask("CREATE TABLE t (id int PRIMARY KEY, a text, b text, l list<text>)")
        self.ask("INSERT INTO t (id, a, l) VALUES (1, 'old', ['x', 'y']) USING TIMESTAMP 1600000000000001")
        self.ask("UPDATE t USING TIMESTAMP 1700000000000002 AND TTL 100000 SET b = 'short' WHERE id = 1")
        self.ask("INSERT INTO t (id) VALUES (2)")
        first, self.keyspace = self.keyspace, self.server.database()
        self.migrate(self.server.uri(first, "?times=true"), self.uri())
        (one, a, b, left, elements), (two,
                                      *nothing) = sorted(self.ask("SELECT id, writetime(a), writetime(b), ttl(b), "
                                                                  "l FROM t"), key=lambda row: row[0])
        self.assertEqual((one, a, b, list(elements)), (1, 1600000000000001, 1700000000000002, ["x", "y"]))
        self.assertTrue(90000 < left <= 100000, left)
        self.assertEqual((two, nothing), (2, [None] * 4))

    def test_rows_go_when_they_do_in_the_source(self):
        self.ask("CREATE TYPE pair (x int, y int)")
        self.ask("CREATE TABLE t (p int, k int, s text static, a text, b text, l list<text>, m map<text, int>, u pair, "
                 "PRIMARY KEY (p, k))")
        self.ask("UPDATE t SET s = 'static' WHERE p = 2")
        self.ask("INSERT INTO t (p, k, a) VALUES (1, 4, 'old') USING TIMESTAMP -5")
        self.ask("INSERT INTO t (p, k, a) VALUES (1, 1, 'short') USING TTL 6")
        self.ask("UPDATE t USING TTL 1000 SET b = 'long' WHERE p = 1 AND k = 1")
        self.ask("INSERT INTO t (p, k, a) VALUES (1, 2, 'short') USING TTL 6")
        self.ask("UPDATE t USING TTL 7 SET b = 'longer' WHERE p = 1 AND k = 2")
        self.ask("INSERT INTO t (p, k, l, m, u) VALUES (1, 3, ['x', 'y'], {'k': 1}, {x: 1, y: 2}) USING TTL 6")
        self.ask("INSERT INTO t (p, k, a) VALUES (2, 1, 'short') USING TTL 6")
        first, self.keyspace = self.keyspace, self.server.database()
        self.migrate(self.server.uri(first, "?times=true"), self.uri())
        rows = "SELECT p, k, s, a, b, l, m, u, writetime(a) FROM t"
        self.assertEqual(len(self.ask(rows)), 5)
        for _ in range(100):
            kept = sorted(map(repr, self.server.ask(first, rows)))
            if len(kept) == 3 and kept == sorted(map(repr, self.ask(rows))):
                break
            time.sleep(0.1)
        self.assertEqual((len(kept), sorted(map(repr, self.ask(rows)))), (3, kept))

    # --- records that can't be written

    def test_rejects(self):
        self.ask("CREATE TABLE t (a text, n tinyint, d decimal, PRIMARY KEY (a))")
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(a TEXT, n, d); INSERT INTO t VALUES ('x', 1, 1.5), (NULL, 2, 1), ('', 3, "
                            "1), ('y', 300, 1), "
                            "('z', 4, 'no number'), (hex(zeroblob(40000)), 5, 1), ('last', 6, 2)")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: "%s"
existing: upsert
tables:
  t: { key: { partition: a }, from: t, fields: { "*": copy } }
""" % self.uri())
        result = self.migrate("--plan", "plan.yaml", "--max-rejects", "10", "--json", code=1)
        self.assertEqual(sorted(self.ask("SELECT a, n FROM t")), [("last", 6), ("x", 1)])
        self.assertEqual(json.loads(result.out)["rejected"], 5)

    def test_counters_that_are_all_null(self):
        self.ask("CREATE TABLE t (id int PRIMARY KEY, v counter, w counter)")
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER, w INTEGER); INSERT INTO t VALUES (1, 2, "
                            "NULL), (2, NULL, NULL)")
        self.migrate("source.db", self.uri("?counters=absent"), "--existing", "upsert", "--max-rejects", "1", code=1)
        self.assertEqual(self.ask("SELECT id, v, w FROM t"), [(1, 2, None)])
        self.assertEqual([(reject["code"], reject["record"]["id"]) for reject in self.rejects()], [("type", 2)])
        self.run_program("validate", code=1)
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual(self.ask("SELECT id FROM t"), [])

    def test_a_mutation_that_is_too_large(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, "
                            "hex(zeroblob(6000000))), (3, 'c')")
        self.run_program("migrate", "source.db", self.uri(), "--max-rejects", "1", code=1)
        self.assertEqual(sorted(self.ask("SELECT id FROM t")), [(1,), (3,)])
        self.assertEqual([one["code"] for one in self.rejects()], ["record-too-large"])

    def test_two_records_under_one_key(self):
        os.mkdir(self.path("in"))
        self.write("in/t.csv", "id,v\n1,first\n2,b\n1,second\n")
        self.write("plan.yaml", """transhume: 1
source: csv:in
target: "%s"
tables:
  t: { key: { partition: id }, from: t, fields: { "*": copy } }
""" % self.uri())
        self.migrate("--plan", "plan.yaml", "--max-rejects", "5", code=1)
        self.assertEqual(sorted(self.ask("SELECT id, v FROM t")), [(1, "first"), (2, "b")])

    # --- tables that are there

    def test_existing(self):
        for existing, expected in (("upsert", (5, "name 1", ["a", "1"])), ("append", (5, "old", None)),
                                   ("skip", (5, "old", None))):
            with self.subTest(existing=existing):
                self.keyspace = self.server.database()
                self.ask("CREATE TABLE people (id bigint PRIMARY KEY, name text, tags list<text>, born date, "
                         "seen timestamp, worth decimal, share double, data blob, extra int)")
                self.ask("INSERT INTO people (id, name, extra) VALUES (1, 'old', 5)")
                self.people(20, existing)
                self.migrate("--plan", "plan.yaml", "--max-rejects", "1", "--state", existing,
                             code=1 if existing == "append" else 0)
                extra, name, tags = self.ask("SELECT extra, name, tags FROM people WHERE id = 1")[0]
                self.assertEqual((extra, name, tags and list(tags)), expected)
                self.assertEqual(self.ask("SELECT count(*) FROM people"), [(20,)])

    def test_a_rollback_brings_back_what_was_there(self):
        self.ask("CREATE TABLE people (id bigint PRIMARY KEY, name text, tags list<text>, born date, seen timestamp, "
                 "worth decimal, share double, data blob)")
        self.ask("INSERT INTO people (id, name, tags) VALUES (3, 'old', ['x', 'y'])")
        self.ask("INSERT INTO people (id, name) VALUES (99, 'other')")
        self.people(20, "upsert")
        self.migrate("--plan", "plan.yaml")
        self.assertEqual(self.ask("SELECT count(*) FROM people"), [(21,)])
        self.run_program("rollback", "--plan", "plan.yaml", "--confirm", "--run", self.run_id())
        self.assertEqual(sorted((row[0], row[1], row[2] and list(row[2]))
                                for row in self.ask("SELECT id, name, tags FROM people")),
                         [(3, "old", ["x", "y"]), (99, "other", None)])

    def test_a_rollback_brings_back_what_is_left_of_times_to_live(self):
        self.ask("CREATE TABLE people (id bigint PRIMARY KEY, name text, share double, "
                 "tags list<text>) WITH default_time_to_live = 5000")
        self.ask("INSERT INTO people (id, name) VALUES (1, 'short') USING TTL 4")
        self.ask("INSERT INTO people (id, name) VALUES (2, 'long') USING TTL 1000")
        self.ask("UPDATE people USING TTL 2000 SET share = 1 WHERE id = 2")
        self.ask("INSERT INTO people (id, name, tags) VALUES (3, 'listed', ['x', 'y']) USING TTL 1000")
        self.ask("INSERT INTO people (id, name) VALUES (4, 'stays') USING TTL 0")
        self.ask("UPDATE people USING TTL 4 SET share = 1 WHERE id = 4")
        over = time.monotonic() + 5
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, share REAL);"
                                                    "INSERT INTO people VALUES (1, 'new', 2), (2, 'new', 2), (3, "
                                                    "'new', 2), (4, 'new', 2), (5, 'new', 2)")
        self.migrate("source.db", self.uri(), "--existing", "upsert")
        self.assertEqual(self.ask("SELECT count(*) FROM people WHERE name = 'new' ALLOW FILTERING"), [(5,)])
        time.sleep(max(0, over - time.monotonic()))
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        found = sorted(self.ask("SELECT id, name, share, tags, ttl(name), ttl(share) FROM people"),
                       key=lambda row: row[0])
        self.assertEqual([(row[0], row[1], row[2], row[3] and list(row[3])) for row in found],
                         [(2, "long", 1.0, None), (3, "listed", None, ["x", "y"]), (4, "stays", None, None)])
        self.assertTrue(900 < found[0][4] < 1000 and 1900 < found[0][5] < 2000 and 900 < found[1][4] < 1000
                        and found[2][4] is None, found)

    def test_a_rollback_in_a_table_of_other_types(self):
        """
        The run's values are told in whatever type the columns have, and a column that it does not fill is as it was.
        """
        self.ask("CREATE TABLE people (id text PRIMARY KEY, name text, tags list<text>, born text, seen timestamp, "
                 "worth text, share decimal, data blob, extra int)")
        self.ask("INSERT INTO people (id, name, worth, extra) VALUES ('3', 'old', 'much', 5)")
        self.people(20, "upsert")
        before = self.ask("SELECT * FROM people")
        self.migrate("--plan", "plan.yaml")
        self.ask("UPDATE people SET extra = 6 WHERE id = '4'")
        self.run_program("rollback", "--plan", "plan.yaml", "--confirm", "--run", self.run_id())
        found = sorted(self.ask("SELECT id, name, worth, extra FROM people"))
        self.assertEqual(found, [("3", "old", "much", 5), ("4", "name 4", "4.25", 6)])
        self.ask("DELETE FROM people WHERE id = '4'")
        self.assertEqual(self.ask("SELECT * FROM people"), before)

    def test_a_rollback_drops_what_the_run_made(self):
        support.make_sqlite(self.path("source.db"), ORDERS)
        self.migrate("source.db", self.uri())
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual(self.server.ask("system_schema", "SELECT table_name FROM tables WHERE keyspace_name = %s",
                                         self.keyspace), [])

    # --- interruptions

    def test_kills_double_no_element_of_a_list(self):
        for place, occurrence in (("cassandra.after_send", 30), ("cassandra.before_keys", 2),
                                  ("engine.after_commit", 1), ("ledger.before_mark", 2)):
            with self.subTest(place=place):
                self.keyspace = self.server.database()
                self.people(400)
                killed = support.kill_at(place, occurrence, "migrate", "--plan", "plan.yaml", "--chunk-rows", "100",
                                         "--state", place, cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                self.run_program("resume", "--plan", "plan.yaml", "--state", place, "--quiet")
                self.assert_people(400)

    def test_what_the_application_writes_meanwhile_stays(self):
        self.people(400)
        killed = support.kill_at("engine.after_commit", 1, "migrate", "--plan", "plan.yaml", "--chunk-rows", "100",
                                 "--jobs", "1", cwd=self.folder)
        self.assertEqual(killed.code, -signal.SIGKILL)
        self.ask("UPDATE people SET name = 'new' WHERE id = 399")
        self.ask("UPDATE people SET name = 'new' WHERE id = 2")
        self.any_end("resume", "--plan", "plan.yaml", "--quiet")
        self.assertEqual(self.ask("SELECT name FROM people WHERE id = 399"), [("new",)])
        self.assertEqual(self.ask("SELECT name FROM people WHERE id = 2"), [("new",)])
        self.assert_people(400, changed=(2, 399))

    # --- what is refused

    def test_a_keyspace_that_is_not_there(self):
        support.make_sqlite(self.path("source.db"), ORDERS)
        result = self.any_end("migrate", "source.db", self.server.uri("nowhere"))
        self.assertNotEqual(result.code, 0)
        self.assertIn("there is no keyspace nowhere", result.err)
        self.assertIn("?create=true", result.err)
        self.run_program("migrate", "source.db", self.server.uri(self.keyspace + "_new", "?create=true"), "--quiet")
        self.assertEqual(len(self.server.ask(self.keyspace + "_new", "SELECT id FROM orders")), 4)
        self.server.ask("system", "DROP KEYSPACE " + self.keyspace + "_new")

    def test_what_check_finds(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
        plan = """transhume: 1
source: source.db
target: "%s"
udts: { Address: { street: text } }
tables:
  t: { key: { partition: id }, with: { %s: 5 }, columns: { v: { type: '%s' } }, from: t, fields: { "*": copy } }
"""
        for option, kind, part in (("nosuch", "text", "with: this server knows no option nosuch of tables"),
                                   ("gc_grace_seconds", "list<Address>",
                                    """a name with capitals has quotes of its own: '"Address"'"""),
                                   ("gc_grace_seconds", 'list<"Address">', "ready to migrate")):
            self.write("plan.yaml", plan % (self.uri(), option, kind))
            result = self.any_end("check", "--plan", "plan.yaml")
            self.assertIn(part, " ".join((result.out + result.err).split()))
        self.assertIn("the keyspace system is the servers' own",
                      self.run_program("check", "source.db", self.server.uri("system"), code=2).err)
        self.ask("CREATE TABLE twice (id int PRIMARY KEY, v text)")
        self.write("plan.yaml", """transhume: 1
source: "%s"
target: jsonl:out
tables:
  t: { key: [id], entities: { t: { query: "SELECT id, v, id FROM twice", fields: { "*": copy } } } }
""" % self.uri())
        self.assertIn("it has two columns named id", self.run_program("check", "--plan", "plan.yaml", code=2).err)

    def test_tables_that_can_not_be_written(self):
        self.ask("CREATE TABLE t (id int PRIMARY KEY, v counter)")
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 2)")
        result = self.run_program("migrate", "source.db", self.uri(), "--existing", "upsert", code=2)
        self.assertIn("counters", result.err)
        support.make_sqlite(self.path("other.db"), 'CREATE TABLE "no name" (id INTEGER PRIMARY KEY)')
        self.assertIn("letters, digits and _", self.run_program("migrate", "other.db", self.uri(), "--state", "other",
                                                                code=2).err)

    def test_keys_that_the_target_makes_one_are_rejects(self):
        support.make_sqlite(self.path("keys.db"),
                            "CREATE TABLE k (k PRIMARY KEY, v); INSERT INTO k VALUES (1, 'number'), ('1', 'text'), "
                            "(X'31', 'bytes'), (2, 'other');"
                                                  "CREATE TABLE t (k TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('a', "
                                                  "'text'), (X'61', 'bytes');")
        self.run_program("migrate", "keys.db", self.uri(), "--quiet", code=1)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"] * 3)
        self.assertEqual([len(self.ask("SELECT * FROM " + table)) for table in "kt"], [2, 1])


if __name__ == "__main__":
    unittest.main()
