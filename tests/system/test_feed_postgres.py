"""Following PostgreSQL, as the contract suite can't: its types, bad input, transactions too large for memory, kills.

The feed and the target are reached by tests/feed_probe.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import postgres  # noqa: E402

PROBE = os.path.join(support.BUILD, "feed_probe")
TIME_LIMIT_S = 120
STOP, RETRY = 0, 1
MEMORY_KIB_MAX = 32 << 10

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', '"so" so');
CREATE DOMAIN cents AS numeric(10,2);
CREATE DOMAIN feeling AS mood;
CREATE TABLE kinds (id int PRIMARY KEY, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(30,10), c cents, b bool, t text, v varchar(20),
  p char(5), nm name, by bytea, d date, tm time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, j json, jb jsonb, m mood, fe feeling,
  a int[], ta text[], r int4range, i inet, ci cidr, mac macaddr, bt bit(5), bv varbit, mo money, pt point, x xml, tv tsvector, o oid, rc regclass, fr record_like);
"""
VALUES = [
    "0, -32768, -9223372036854775808, '-0', '-0', 'NaN', -0.0000000001, 0.10, true, '', '', 'a', 'a', '', "
    "'0001-01-01 BC', '24:00', '24:00+15:59', '4713-01-01 BC',"
    " '4713-01-01 BC', '-178000000 years', '00000000-0000-0000-0000-000000000000', '{\"a\" :  1}', '{\"a\" :  1}', "
    "'sad', '\"so\" so', '{}', '{NULL,\"NULL\",\"a,b\"}', 'empty',"
    " '::1', '::/0', '08:00:2b:01:02:03', '01010', '', '-1.50', '(1,-2)', '<a>1</a>', 'a:1 b', 4294967295, 'kinds', "
    "'(1,\"x y\")'",
    "1, 32767, 9223372036854775807, 'NaN', 'Infinity', 'Infinity', 99999999999999999999.0123456789, -1, false, "
    "E'tab\\t\\n\\\\', 'é😀', 'ab', 'x', '\\x00ff', 'infinity', '00:00:00.000001',"
    " '00:00-15:59', '-infinity', 'infinity', 'P1Y-2M3DT-4H5M-6.5S', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\"x\"', "
    "'[1, 2.50]', 'ok', 'ok', '{{1,2},{3,4}}', '{\"\\\"\"}', '[1,5)', '10.0.0.1',"
    " '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', '11111', '101', '92233720368547758.07', '(0,0)', '<b/>', '', 0, NULL, NULL",
    "2, 0, 1, 1.17549435e-38, 4.9e-324, 1e300, 123456789012345678.0000000001, 12345678.90, NULL, 'NULL', 'n', '', '', "
    "'\\\\x', '5874897-12-31', '12:34:56.789', '12:00:00.5+05:30:15', '294276-12-31 23:59:59.999999',"
    " '2024-02-29 12:00:00+02', '2562047788 hours', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'null', 'null', NULL, "
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "3, NULL, NULL, 3.4028235e38, 0.1, 0.000, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
]


def lines_of(output):
    return [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]


def probe(*arguments, env=None):
    """The lines that it printed; a failure is {"error": …} as the last of them."""
    said = subprocess.run([PROBE, *arguments], stdout=subprocess.PIPE, env=dict(os.environ, **(env or {})), check=False,
                          timeout=TIME_LIMIT_S * support.PATIENCE)
    return lines_of(said.stdout)


def applied(rows, sets):
    """{table: {key: record}} of copied rows and the changes behind them."""
    tables = {}
    for line in rows:
        tables.setdefault(line["table"], {})[json.dumps(line["row"]["id"])] = line["row"]
    for change in (change for line in sets for change in line["changes"]):
        table = tables.setdefault(change["table"], {})
        old = table.pop(json.dumps(change["key"][0]), {}) if change["key"] else {}
        if change["operation"] == "truncate":
            table.clear()
        elif change["after"]:
            record = {name: old[name] if value == {"missing": True} else value
                      for name, value in change["after"].items()}
            table[json.dumps(record["id"])] = record
    return tables


class Feed(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings={**postgres.FOLLOWED, "max_replication_slots": "4",
                                               "logical_decoding_work_mem": "64kB", "max_prepared_transactions": "4"})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)
        self.addCleanup(self.drop_slots)

    def drop_slots(self):
        for _ in range(100):
            left = self.server.psql("postgres",
                                    "SELECT slot_name FROM pg_replication_slots WHERE NOT active; "
                                    "SELECT pg_drop_replication_slot(slot_name) "
                                                "FROM pg_replication_slots WHERE NOT active; "
                                                "SELECT 1 FROM pg_replication_slots")
            if not left:
                return
            time.sleep(0.05)

    def psql(self, sql):
        return self.server.psql(self.name, sql)

    def create(self, *tables, uri=None, feed="f", env=None):
        made = probe("create", uri or self.uri, feed, *tables, env=env)
        self.assertNotIn("error", made[0], made)
        return made[0]["position"], made[1:]

    def follow(self, position, feed="f", uri=None, env=None):
        said = probe("next", uri or self.uri, feed, position, "50", env=env)
        self.assertNotIn("error", said[-1], said[-1])
        return [line for line in said if "changes" in line]

    def refused(self, code, words, hint, *arguments, kind=STOP):
        said = probe(*arguments)[-1]
        self.assertEqual(said.get("error"), code, said)
        self.assertEqual(said["class"], kind, said)
        self.assertIn(words, said["message"])
        self.assertIn(hint, said["hint"])

    # --- values

    def test_copy_and_feed_make_the_same_cells(self):
        self.psql("CREATE TYPE record_like AS (a int, b text);" + TYPES + "INSERT INTO kinds VALUES (%s)" % VALUES[0])
        later = "; ".join("INSERT INTO kinds VALUES (%s)" % values for values in VALUES[1:])
        position, rows = self.create("kinds", env={"FEED_PROBE_PAUSE": "%s -c \"%s\"" % (
            " ".join(self.server.session_command(self.name)), "DELETE FROM kinds WHERE id = 0")})
        self.assertEqual(len(rows), 1, "the moment is that of the position")
        self.psql("INSERT INTO kinds VALUES (%s); %s" % (VALUES[0], later))
        sets = self.follow(position)
        found = applied(rows, sets)
        _, expected = self.create("kinds", feed="g")
        self.assertEqual(len(expected), len(VALUES))
        for line in expected:
            self.assertEqual(found["kinds"][json.dumps(line["row"]["id"])], line["row"])

    def test_changes_of_all_forms(self):
        self.psql("CREATE TABLE t (id int, part text, big text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED, "
                  "PRIMARY KEY (part, id));"
                  "ALTER TABLE t ALTER big SET STORAGE EXTERNAL;"
                  "CREATE TABLE full_of (id int, v text); ALTER TABLE full_of REPLICA IDENTITY FULL;"
                  "CREATE TABLE indexed (id int, v text NOT NULL); CREATE UNIQUE INDEX by_v ON indexed (v); "
                  "ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_v;"
                  "CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); "
                  "CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
                  "CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (10) TO (20)")
        position, _ = self.create("t", "full_of", "indexed", "parts")
        self.psql("INSERT INTO t VALUES (1, 'a', repeat('x', 3000), 5); UPDATE t SET n = 6; UPDATE t SET id = 2; "
                  "DELETE FROM t; TRUNCATE t, full_of;"
                  "INSERT INTO full_of VALUES (1, 'a'); UPDATE full_of SET v = 'b'; INSERT INTO indexed VALUES (1, "
                  "'a'); UPDATE indexed SET v = 'b';"
                  "INSERT INTO parts VALUES (1, 'a'); UPDATE parts SET id = 11; ALTER TABLE t ADD extra text DEFAULT "
                  "'e', DROP twice; ALTER TABLE t DROP n; INSERT INTO t VALUES (3, 'c', 'b');"
                  "BEGIN; SAVEPOINT s; INSERT INTO t VALUES (9, 'z'); ROLLBACK TO s; INSERT INTO t VALUES (4, 'd'); "
                  "COMMIT; BEGIN; INSERT INTO t VALUES (8, 'y'); ROLLBACK")
        changes = [change for line in self.follow(position) for change in line["changes"]]
        self.assertEqual([(c["table"], c["operation"]) for c in changes], [
            ("t", "insert"), ("t", "update"), ("t", "update"), ("t", "delete"), ("t", "truncate"),
            ("full_of", "truncate"),
            ("full_of", "insert"), ("full_of", "update"), ("indexed", "insert"), ("indexed", "update"),
            ("parts", "insert"),
            ("parts", "delete"), ("parts", "insert"), ("t", "insert"), ("t", "insert")])
        self.assertEqual(list(changes[0]["after"]), ["id", "part", "big", "n"])
        self.assertEqual(changes[0]["key"], [["text", "a"], ["int64", 1]], "in the key's order")
        self.assertEqual(changes[1]["after"]["big"], {"missing": True})
        self.assertEqual((changes[2]["key"][1], changes[2]["after"]["id"]), (["int64", 1], ["int64", 2]))
        self.assertEqual(changes[7]["before"], {"id": ["int64", 1], "v": ["text", "a"]})
        self.assertEqual(changes[7]["key"], [])
        self.assertEqual((changes[9]["key"], changes[9]["after"]["v"]), ([["text", "a"]], ["text", "b"]))
        self.assertEqual(list(changes[13]["after"]), ["id", "part", "big", "extra"])

    def test_names_and_schemas(self):
        name = '"my.shop".we"ird \'ta\\ble\''
        self.psql('CREATE SCHEMA "my.shop"; CREATE TABLE "my.shop"."we""ird \'ta\\ble\'" (id int PRIMARY KEY, '
                  '"a ""b"" \'c\\" text); CREATE TABLE plain (id int PRIMARY KEY)')
        position, _ = self.create(name, "plain")
        target, uri = self.relay_target('CREATE SCHEMA "my.shop"; CREATE TABLE "my.shop"."we""ird \'ta\\ble\'" (id int '
                                        'PRIMARY KEY, "a ""b"" \'c\\" text)')
        table = '"my.shop"."we""ird \'ta\\ble\'"'
        self.psql("INSERT INTO %s VALUES (1, 'x'), (2, 'y'); UPDATE %s SET id = 3 WHERE id = 2; "
                  "INSERT INTO plain VALUES (1)" % (table, table))
        sets = self.follow(position, env={"FEED_PROBE_CONFIRM": "no"})
        self.assertEqual([change["table"] for line in sets for change in line["changes"]], [name, name, name, "plain"])
        self.relay(position, uri + "?schema=public,%22my.shop%22", name)
        rows = "SELECT * FROM %s ORDER BY 1" % table
        self.assertEqual(self.server.psql(target, rows), self.psql(rows))

    # --- applying

    def relay_target(self, ddl):
        target = self.server.database()
        self.server.psql(target, ddl)
        return target, self.server.uri(target)

    def relay(self, position, target, *tables, env=None, idle_ms=50):
        said = probe("relay", self.uri, "f", position, target, str(idle_ms), *tables, env=env)
        self.assertNotIn("error", said[-1], said[-1])
        return said[-1]

    def test_a_transaction_larger_than_memory(self):
        ddl = "CREATE TABLE t (id int PRIMARY KEY, v text, n int)"
        rows = 1500000 if support.SOAK else 60000
        self.psql(ddl)
        target, uri = self.relay_target(ddl)
        position, _ = self.create("t")
        self.psql("BEGIN; INSERT INTO t SELECT i, repeat('v', 400), i FROM generate_series(1, %d) i; SAVEPOINT s;"
                  "INSERT INTO t SELECT i, 'gone', i FROM generate_series(%d, %d) i; ROLLBACK TO s; "
                  "INSERT INTO t VALUES (0, 'last', 0);"
                  "UPDATE t SET n = -n WHERE id %% 10 = 0; COMMIT" % (rows, rows + 1, rows + 5000))
        with self.subTest("streamed"):
            said = self.relay(position, uri, "t", env={"FEED_PROBE_SPILL": self.folder, "FEED_PROBE_CONFIRM": "no"})
            self.check_large(target, said, rows)
        self.server.psql(target, "TRUNCATE t, _transhume_ledger")
        with self.subTest("after the commit"):
            said = self.relay(position, uri, "t")
            self.check_large(target, said, rows)

    def check_large(self, target, said, rows):
        self.assertEqual((said["changes"], said["refusals"]), (rows + 1 + rows // 10 + 1, 0))
        self.assertLess(said["peak_kib"], MEMORY_KIB_MAX)
        sums = "SELECT count(*), sum(n), sum(length(v)) FROM t"
        self.assertEqual(self.server.psql(target, sums), self.psql(sums))

    def test_random_changes_through_kills(self):
        """Each table as its own oracle: what is there at the end, and a sum that no transaction moves."""
        ddl = ("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL); CREATE TABLE thing (id int PRIMARY "
               "KEY, u int UNIQUE DEFERRABLE, big text, n int);"
               "CREATE TABLE pair (a int, b text, c int, PRIMARY KEY (b, a))")
        draw = random.Random(support.SEED)
        self.psql(ddl + "; ALTER TABLE thing ALTER big SET STORAGE EXTERNAL")
        target, uri = self.relay_target(ddl)
        position, _ = self.create("account", "thing", "pair")
        self.psql("INSERT INTO account SELECT i, 100 FROM generate_series(1, 20) i")
        for round_number in range(60 if support.SOAK else 8):
            self.psql("".join(self.statement(draw) for _ in range(40)))
            place = draw.choice(["postgres.before_apply", "postgres.after_apply"])
            env = {"TRANSHUME_FAILPOINT": "%s:kill:%d" % (place, draw.randint(1, 3)),
                   "FEED_PROBE_SETS": str(draw.choice([1, 3, 50])),
                   "FEED_PROBE_SPILL": self.folder}
            probe("relay", self.uri, "f", position, uri, "50", "account", "thing", "pair", env=env)
            sums = self.server.psql(target, "SELECT sum(balance) FROM account")[0][0]
            self.assertIn(sums, (None, "2000"), "round %d" % round_number)
        self.relay(position, uri, "account", "thing", "pair")
        for table in ("account", "thing", "pair"):
            rows = "SELECT t::text FROM %s t ORDER BY 1" % table
            self.assertEqual(self.server.psql(target, rows), self.psql(rows), table)

    def statement(self, draw):
        one, other, n = draw.randint(1, 20), draw.randint(1, 20), draw.randint(1, 40)
        return draw.choice([
            "BEGIN; UPDATE account SET balance = balance - 7 WHERE id = %d; UPDATE account SET balance = balance + 7 "
            "WHERE id = %d; COMMIT;" % (one, other),
            "INSERT INTO thing SELECT %d, %d, repeat('b', 3000), 1 WHERE NOT EXISTS (SELECT 1 FROM thing WHERE id = %d "
            "OR u = %d);" % (n, 1000 + n, n, 1000 + n),
            "UPDATE thing SET n = n + 1 WHERE id %% 3 = %d;" % (n % 3),
            "DELETE FROM thing WHERE id = %d;" % n,
            "BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE thing SET u = 3000 - u WHERE id IN (%d, %d); "
            "UPDATE thing SET u = 3000 - u WHERE id IN (%d, %d); COMMIT;" % (n, n + 1, n + 1, n),
            "UPDATE thing SET id = id + 100 WHERE id = %d AND NOT EXISTS (SELECT 1 FROM thing WHERE id = %d);" % (n,
                n + 100),
            "INSERT INTO pair VALUES (%d, 'x%d', 1) ON CONFLICT (b, a) DO UPDATE SET c = pair.c + 1;" % (n, one),
            "UPDATE pair SET b = b || 'y', a = a + 1 WHERE a = %d AND length(b) < 20;" % n,
            "BEGIN; DELETE FROM pair; SAVEPOINT s; INSERT INTO pair VALUES (1, 's', 1); ROLLBACK TO s; "
            "INSERT INTO pair SELECT i, 'z', i FROM generate_series(1, 9) i; COMMIT;",
            "TRUNCATE pair;" if n > 35 else "SELECT 1;",
        ])

    def test_refused_records_leave_the_rest(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY, n bigint, v text)")
        target, uri = self.relay_target("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
                                        "n smallint CHECK (n <> 13), v varchar(3))")
        position, _ = self.create("t")
        self.psql("INSERT INTO t VALUES (1, 1, 'a'); BEGIN; INSERT INTO t VALUES (2, 70000, 'a'), (3, 13, 'b'), (4, 4, "
                  "'long'), (5, 5, 'e'); COMMIT; INSERT INTO t VALUES (6, 6, 'f')")
        said = self.relay(position, uri, "t")
        self.assertEqual(said["refusals"], 3)
        self.assertEqual(self.server.psql(target, "SELECT id FROM t ORDER BY 1"), [["1"], ["5"], ["6"]])

    def test_a_key_that_is_deferrable(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY)")
        target, uri = self.relay_target("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)")
        position, _ = self.create("t")
        self.psql("INSERT INTO t VALUES (1)")
        self.refused("target-schema", "DEFERRABLE", "DROP CONSTRAINT t_pkey", "relay", self.uri, "f", position, uri,
                     "1000", "t")
        self.server.psql(target, "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id)")
        self.assertEqual(self.relay(position, uri, "t")["changes"], 1)

    def test_origins_break_loops(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY, v text)")
        target, uri = self.relay_target("CREATE TABLE t (id int PRIMARY KEY, v text)")
        position, _ = self.create("t")
        back, _ = self.create("t", uri=uri, feed="back")
        self.psql("INSERT INTO t VALUES (1, 'there')")
        self.relay(position, uri, "t")
        self.server.psql(target, "INSERT INTO t VALUES (2, 'here')")
        changes = [change for line in self.follow(back, feed="back", uri=uri + "?origin=none")
                   for change in line["changes"]]
        self.assertEqual([change["after"]["id"] for change in changes], [["int64", 2]])

    # --- what goes wrong

    def test_tables_that_cannot_be_followed(self):
        self.psql("CREATE TABLE none (id int); CREATE TABLE keyed (id int PRIMARY KEY, v text NOT NULL UNIQUE); "
                  "ALTER TABLE keyed REPLICA IDENTITY NOTHING;"
                  "CREATE TABLE other_index (id int PRIMARY KEY, v text NOT NULL UNIQUE); "
                  "ALTER TABLE other_index REPLICA IDENTITY USING INDEX other_index_v_key;"
                  "CREATE TABLE late (id int PRIMARY KEY DEFERRABLE); CREATE UNLOGGED TABLE forgetful (id int PRIMARY "
                  "KEY); CREATE VIEW seen AS SELECT 1 AS id;"
                  "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);"
                  "CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE part1 PARTITION OF parts FOR "
                  "VALUES IN (1)")
        for table, code, hint in (
                ("none", "source-invalid", "ALTER TABLE public.\"none\" REPLICA IDENTITY FULL"),
                ("keyed", "source-invalid", "ALTER TABLE public.keyed REPLICA IDENTITY DEFAULT"),
                ("other_index", "source-invalid", "ALTER TABLE public.other_index REPLICA IDENTITY DEFAULT"),
                ("late", "source-invalid", "REPLICA IDENTITY FULL"), ("forgetful", "source-invalid", "SET LOGGED"),
                ("seen", "source-invalid", "--exclude"), ("parent", "source-invalid", "--exclude"),
                ("parts", "source-invalid", "ALTER TABLE public.part1 REPLICA IDENTITY FULL"),
            ("absent", "source-changed", "")):
            with self.subTest(table):
                self.refused(code, "", hint, "create", self.uri, "f", table)
        self.assertEqual(self.psql("SELECT 1 FROM pg_publication UNION ALL SELECT 1 FROM pg_replication_slots"), [])

    def test_rights_and_limits(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE ROLE plain LOGIN; "
                  "CREATE ROLE copier LOGIN REPLICATION;"
                  "GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain, copier")
        self.addCleanup(self.server.psql, "postgres", "DROP OWNED BY plain, copier; DROP ROLE plain, copier")
        self.addCleanup(self.psql, "DROP OWNED BY plain, copier")
        as_role = self.uri.replace("//postgres@", "//%s@")
        with self.subTest("no right to make the publication"):
            self.refused("permission", "publication", "CREATE PUBLICATION \"f\" FOR TABLE", "create",
                         as_role % "copier", "f", "t")
        with self.subTest("a publication that leaves tables out"):
            self.psql("CREATE PUBLICATION f FOR TABLE t")
            self.refused("source-invalid", "leaves this table out", "ALTER PUBLICATION \"f\" ADD TABLE public.u",
                         "create", as_role % "copier", "f", "t", "u")
        with self.subTest("a publication that leaves operations out"):
            self.psql("CREATE PUBLICATION g FOR TABLE t WITH (publish = 'insert')")
            self.refused("source-invalid", "does not tell all", "ALTER PUBLICATION \"g\" SET (publish", "create",
                         as_role % "copier", "g", "t")
        with self.subTest("no REPLICATION"):
            self.refused("permission", "may not replicate", "ALTER ROLE \"plain\" REPLICATION", "create",
                         as_role % "plain", "f", "t")
        with self.subTest("a publication of the owner's"):
            self.create("t", uri=as_role % "copier")
            probe("drop", as_role % "copier", "f")
            self.assertEqual(len(self.psql("SELECT 1 FROM pg_publication WHERE pubname = 'f'")), 1)
        with self.subTest("no slot left"):
            self.psql("".join("SELECT pg_create_physical_replication_slot('s%d');" % i for i in range(4)))
            self.refused("source-invalid", "max_replication_slots", "max_replication_slots", "create", self.uri, "h",
                         "t")

    def test_wal_level(self):
        with postgres.Server() as plain:
            name = plain.database()
            plain.psql(name, "CREATE TABLE t (id int PRIMARY KEY)")
            self.refused("source-invalid", "wal_level is replica", "ALTER SYSTEM SET wal_level = logical", "create",
                         plain.uri(name), "f", "t")

    def test_slots_that_are_held_or_gone(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
        position, _ = self.create("t")
        with self.subTest("one that nobody has read is made again"):
            self.psql("INSERT INTO t VALUES (1)")
            again, rows = self.create("t")
            self.assertNotEqual(again, position)
            self.assertEqual(len(rows), 1)
            position = again
        with self.subTest("killed in making it"):
            probe("create", self.uri, "k", "t", env={"TRANSHUME_FAILPOINT": "postgres.after_slot:kill"})
            self.create("t", feed="k")
            self.assertEqual(probe("drop", self.uri, "k"), [])
        holder = subprocess.Popen([PROBE, "next", self.uri, "f", position, "60000"], stdout=subprocess.PIPE,
                                  env=dict(os.environ, FEED_PROBE_CONFIRM="no"))
        try:
            self.assertIn(b"opened", holder.stdout.readline())
            with self.subTest("read by another process"):
                pid = self.psql("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'f'")[0][0]
                self.refused("run-held", "pid %s" % pid, "pg_terminate_backend(%s)" % pid, "next", self.uri, "f",
                             position)
            with self.subTest("the session is ended"):
                self.psql("SELECT pg_terminate_backend(%s)" % pid)
                said = lines_of(holder.stdout.read())[-1]
                self.assertEqual((said["error"], said["class"]), ("network", RETRY), said)
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.communicate()
        with self.subTest("one that was read keeps its place"):
            self.psql("INSERT INTO t VALUES (2)")
            sets = self.follow(position)
            found, _ = self.create("t")
            self.assertEqual(found[:16], sets[-1]["end"][:16])
        with self.subTest("confirmed beyond the position"):
            self.refused("feed-lost", "beyond the position", "", "next", self.uri, "f", position)
        with self.subTest("of another server"):
            other = position[:16] + "00" * 8 + position[32:]
            self.refused("feed-lost", "system identifier", "", "next", self.uri, "f", "f" * 8 + other[8:])
        with self.subTest("beyond the log's end"):
            self.refused("feed-lost", "log ends before", "", "next", self.uri, "f", "0" * 8 + "f" * 8 + position[16:])
        for statement, words in (("ALTER PUBLICATION f SET (publish = 'insert')", "leaves operations out"),
                                 ("ALTER PUBLICATION f SET (publish = 'insert, update, delete, truncate'); "
                                  "ALTER PUBLICATION f SET TABLE u", "tables of its publication"),
                                 # for a while it told nothing of t
                                 ("ALTER PUBLICATION f SET TABLE t", "tables of its publication")):
            with self.subTest(statement):
                self.psql(statement)
                self.refused("feed-lost", words, "--resync", "next", self.uri, "f", sets[-1]["end"])
        with self.subTest("dropped"):
            self.psql("SELECT pg_drop_replication_slot('f')")
            self.refused("feed-lost", "dropped", "--resync", "next", self.uri, "f", position)

    def test_a_publication_that_leaves_rows_out(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY, v text)")
        position, _ = self.create("t")
        self.psql("ALTER PUBLICATION f SET TABLE t (id)")
        self.refused("feed-lost", "tables of its publication", "--resync", "next", self.uri, "f", position)
        self.psql("COMMENT ON PUBLICATION f IS 'of the owner''s own'")
        for part in ("t WHERE (id > 0)", "t (id)"):
            with self.subTest(part):
                self.psql("ALTER PUBLICATION f SET TABLE " + part)
                self.refused("feed-lost", "leaves rows or columns of t out", "--resync", "next", self.uri, "f",
                             position)

    def test_prepared_transactions(self):
        """They come when they are committed, not when they are prepared."""
        self.psql("CREATE TABLE t (id int PRIMARY KEY)")
        position, _ = self.create("t")
        self.psql("BEGIN; INSERT INTO t VALUES (1), (2); PREPARE TRANSACTION 'one'")
        self.psql("BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'two'")
        self.psql("INSERT INTO t VALUES (4)")
        sets = self.follow(position)
        self.assertEqual([change["after"]["id"][1] for line in sets for change in line["changes"]], [4])
        self.psql("COMMIT PREPARED 'one'")
        self.psql("ROLLBACK PREPARED 'two'")
        self.psql("INSERT INTO t VALUES (5)")
        sets = [line for line in self.follow(sets[-1]["end"]) if line["changes"]]
        self.assertEqual([[change["after"]["id"][1] for change in line["changes"]] for line in sets], [[1, 2], [5]])

    def test_a_slot_that_standbys_keep(self):
        with postgres.Server(settings=postgres.FOLLOWED, version=18) as newer:
            name = newer.database()
            newer.psql(name, "CREATE TABLE t (id int PRIMARY KEY)")
            for options, kept in (("", "t"), ("?failover=false", "f")):
                made = probe("create", newer.uri(name, options), "f", "t")
                self.assertNotIn("error", made[0], made)
                self.assertEqual(newer.psql(name, "SELECT failover FROM pg_replication_slots WHERE slot_name = 'f'"),
                                 [[kept]])
                self.assertEqual(probe("drop", newer.uri(name), "f"), [])

    def test_an_invalidated_slot(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE filler (v text)")
        position, _ = self.create("t")
        self.server.psql("postgres", "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf()")
        self.addCleanup(self.server.psql, "postgres",
                        "ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf()")
        for _ in range(3):
            self.psql("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 3000)")
            self.psql("SELECT pg_switch_wal()")
            self.psql("CHECKPOINT")
        self.refused("feed-lost", "invalidated", "--resync", "next", self.uri, "f", position)

    def test_a_promoted_server(self):
        """Its log goes on under another timeline: what was followed before is in it, or it is not."""
        self.psql("CREATE TABLE t (id int PRIMARY KEY)")
        position, _ = self.create("t")
        self.psql("INSERT INTO t VALUES (1)")
        with open(os.path.join(self.server.data, "standby.signal"), "w", encoding="ascii"):
            pass
        self.server.restart()
        self.psql("SELECT pg_promote()")
        self.psql("INSERT INTO t VALUES (2)")
        sets = [line for line in self.follow(position, env={"FEED_PROBE_CONFIRM": "no"}) if line["changes"]]
        self.assertEqual([line["changes"][0]["after"]["id"] for line in sets], [["int64", 1], ["int64", 2]])
        self.assertNotEqual(sets[0]["end"][32:], position[32:], "the position tells of the new timeline")
        self.refused("feed-lost", "promoted before", "--resync", "next", self.uri, "f",
                     sets[1]["end"][:32] + position[32:])
        self.refused("feed-lost", "promoted before", "--resync", "next", self.uri, "f", position[:32] + "000000ff")

    def test_an_idle_database_moves_on(self):
        self.psql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE busy (v text)")
        position, _ = self.create("t")
        self.psql("INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        sets = [line for line in probe("next", self.uri, "f", position, "1500") if "changes" in line]
        self.assertTrue(sets and not any(line["changes"] for line in sets))
        self.assertGreater(sets[-1]["end"], position)


if __name__ == "__main__":
    unittest.main()
