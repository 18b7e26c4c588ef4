"""Cassandra as a target: types, table options, key shapes and counters; read back by the Python driver."""
import collections
import concurrent.futures
import json
import os
import signal
import time
import unittest

import cassandra_server
import support
import tcp_proxy

TYPES = """CREATE TYPE street (name text, number int)
CREATE TYPE address (street frozen<street>, city text, phones list<text>)
CREATE TYPE "Loose" (x int, y text)
CREATE TYPE unused (x int)"""
OPTIONS = {"gc_grace_seconds": 4321, "default_time_to_live": 86400000, "comment": "it's 'all'",
           "speculative_retry": "95p", "bloom_filter_fp_chance": 0.05,
           "memtable_flush_period_in_ms": 3600000, "min_index_interval": 256}
MAPS = {"compaction": {"class": "LeveledCompactionStrategy", "sstable_size_in_mb": "80"},
        "caching": {"keys": "NONE", "rows_per_partition": "10"},
        "compression": {"class": "DeflateCompressor", "chunk_length_in_kb": "32"}}
EVERYTHING = """CREATE TABLE everything (a int, b text, c int, d date, s text static, m int static, home frozen<address>, homes map<text, frozen<address>>,
 loose "Loose", pair frozen<tuple<int, frozen<street>>>, v int, PRIMARY KEY ((a, b), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)"""
HOME = "{street: {name: 'High', number: 7}, city: 'Oslo', phones: ['1', '2']}"


def quoted(value):
    if isinstance(value, dict):
        return "{%s}" % ", ".join("'%s': '%s'" % pair for pair in value.items())
    return "'%s'" % value.replace("'", "''") if isinstance(value, str) else str(value)


class Copies(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.first = self.server.database()
        self.keyspace = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.keyspace, options)

    def ask(self, cql, *values):
        return self.server.ask(self.keyspace, cql, *values)

    def schema(self, keyspace, columns, table):
        return sorted(self.server.ask("system_schema", "SELECT %s FROM %s WHERE keyspace_name = %%s" % (columns, table),
                                      keyspace))

    def types(self, keyspace=None):
        return [(row[0], list(row[1]), list(row[2])) for row in self.schema(keyspace or self.keyspace,
                                                                            "type_name, field_names, field_types",
                                                                            "types")]

    def options(self, keyspace):
        names = sorted(OPTIONS) + sorted(MAPS)
        rows = self.server.ask("system_schema",
                               "SELECT %s FROM tables WHERE keyspace_name = %%s AND table_name = 'everything'"
                               % ", ".join(names), keyspace)
        return dict(zip(names, (dict(value) if hasattr(value, "items") else value for value in rows[0])))

    def fill_everything(self):
        for statement in TYPES.split("\n"):
            self.server.ask(self.first, statement)
        options = " AND ".join("%s = %s" % (name, quoted(value))
                               for name, value in list(OPTIONS.items()) + list(MAPS.items()))
        self.server.ask(self.first, EVERYTHING + " AND " + options)
        for number in range(6):
            self.server.ask(self.first,
                            "INSERT INTO everything (a, b, c, d, s, m, home, homes, loose, pair, v) VALUES (%d, 'b', "
                            "%d, '2024-02-29', 'static %d', %d, "
                            "%s, {'first': %s}, {x: %d, y: null}, (1, {name: 'Low', number: 2}), 5)" % (number // 3,
                                number, number // 3, number // 3, HOME, HOME, number))
        self.server.ask(self.first, "INSERT INTO everything (a, b, c, d) VALUES (1, 'b', 100, '2024-03-01')")
        self.server.ask(self.first, "INSERT INTO everything (a, b, s, m) VALUES (9, 'no rows', 'alone', 3)")

    def rows(self, keyspace):
        return sorted((repr(tuple(row)) for row in self.server.ask(keyspace, "SELECT * FROM everything")))

    # --- whole copies

    def test_a_whole_copy_keeps_types_keys_and_options(self):
        self.fill_everything()
        result = self.run_program("migrate", self.server.uri(self.first), self.uri())
        self.assertIn("not carried: 1 type", result.out)
        self.assertEqual(self.rows(self.keyspace), self.rows(self.first))
        self.assertEqual(len(self.rows(self.keyspace)), 8)
        columns = "table_name, column_name, clustering_order, kind, position, type"
        self.assertEqual([row for row in self.schema(self.keyspace, columns, "columns") if row[0] == "everything"],
                         self.schema(self.first, columns, "columns"))
        self.assertEqual(self.types(), [row for row in self.types(self.first) if row[0] != "unused"])
        self.assertEqual(self.options(self.keyspace), self.options(self.first))
        self.assertEqual(self.options(self.keyspace)["comment"], "it's 'all'")
        self.run_program("validate")
        self.ask("UPDATE everything SET s = 'other' WHERE a = 9 AND b = 'no rows'")
        self.run_program("validate", code=1)
        self.ask("UPDATE everything SET v = 6 WHERE a = 0 AND b = 'b' AND c = 1 AND d = '2024-02-29'")
        self.run_program("validate", "--repair", "--confirm", code=1)
        self.run_program("validate")

    def test_a_plan_of_init_is_a_whole_copy(self):
        self.fill_everything()
        self.run_program("init", self.server.uri(self.first), self.uri())
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            self.assertIn("key: { partition: [a, b], clustering: [c: desc, d], static: [m, s] }", file.read())
        self.run_program("migrate", "--quiet")
        self.assertEqual(self.rows(self.keyspace), self.rows(self.first))
        self.assertEqual(self.options(self.keyspace), self.options(self.first))
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual((self.types(), self.schema(self.keyspace, "table_name", "tables")), ([], []))

    def test_types_that_others_use_stay(self):
        self.fill_everything()
        self.run_program("migrate", self.server.uri(self.first), self.uri(), "--quiet")
        self.ask("CREATE TABLE other (id int PRIMARY KEY, home frozen<address>)")
        result = self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual([row[0] for row in self.types()], ["address", "street"])
        self.assertRegex(result.out + result.err, "the type address, which the run made, is left: other uses it")

    def test_a_type_that_is_there_with_other_fields(self):
        self.fill_everything()
        self.ask("CREATE TYPE street (name text, number bigint)")
        for command in ("check", "migrate"):
            result = self.run_program(command, self.server.uri(self.first), self.uri(), code=2)
            self.assertIn("the type street is there as (name text, number bigint), and is to be (name text, "
                          "number int)", " ".join((result.out + result.err).split()))
        self.assertEqual(self.schema(self.keyspace, "table_name", "tables"), [])

    # --- by a plan

    def plan(self, source, text, **values):
        self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: \"%s\"\n%s" % (source,
            values.pop("target", None) or self.uri(), text))

    def test_types_and_options_of_a_plan(self):
        os.mkdir(self.path("in"))
        home = {"street": "High", "city": "Oslo", "phones": ["1", "2"], "since": "2024-02-29"}
        records = [{"id": 1, "home": home, "others": [home, {"city": "Rome"}], "named": {"work": home},
                    "text": json.dumps(home), "street": "Low"},
                   {"id": 2, "home": {"city": "Bergen"}, "others": None, "street": "Mid"},
                   {"id": 3, "home": {"city": "Paris", "planet": "Earth"}, "street": "Top"},
                   {"id": 4, "home": None, "street": None}]
        self.write("in/person.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        self.plan("jsonl:in", """udts:
  address: { street: text, city: text, phones: "list<text>", since: date }
  visit: { place: address, times: int }
tables:
  person:
    key: { partition: id }
    with: { compaction: { class: LeveledCompactionStrategy, sstable_size_in_mb: 90 }, gc_grace_seconds: 86400, default_time_to_live: 0, comment: "it's", bloom_filter_fp_chance: 0.2 }
    columns:
      home: { type: address }
      others: { type: "list<frozen<address>>" }
      named: { type: "map<text, address>" }
      text: { type: "frozen<address>" }
      made: { type: address }
      last: { type: "frozen<visit>" }
    from: person
    fields:
      id: { column: id, cast: int64 }
      home: copy
      others: copy
      named: copy
      text: copy
      made: '{{"street": "{street}", "city": "Nowhere"}}'
      last: { sql: "json_object('place', json(home), 'times', id)" }
""")
        result = self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "1", code=1)
        rows = {row[0]: row[1:] for row in self.ask("SELECT id, home, others, named, text, made, last FROM person")}
        whole = ("High", "Oslo", ["1", "2"], "2024-02-29")
        plain = lambda value: value and (value.street, value.city, value.phones and list(value.phones),
                                         value.since and str(value.since))
        self.assertEqual(sorted(rows), [1, 2, 4])
        self.assertEqual([plain(rows[1][0]), [plain(item) for item in rows[1][1]], plain(rows[1][2]["work"]),
                          plain(rows[1][3]), plain(rows[1][4])],
                         [whole, [whole, (None, "Rome", None, None)], whole, whole, ("Low", "Nowhere", None, None)])
        self.assertEqual((plain(rows[1][5].place), rows[1][5].times), (whole, 1))
        self.assertEqual((plain(rows[2][0]), rows[2][1], plain(rows[2][4])),
                         ((None, "Bergen", None, None), None, ("Mid", "Nowhere", None, None)))
        self.assertEqual((rows[4][0], rows[4][5].place), (None, None))
        self.assertIn('the user-defined type address has no field "planet"', self.rejects())
        kept = self.server.ask("system_schema",
                               "SELECT compaction, gc_grace_seconds, comment, bloom_filter_fp_chance FROM tables WHERE "
                               "keyspace_name = %s AND "
                               "table_name = 'person'", self.keyspace)[0]
        self.assertEqual((kept[0]["class"].split(".")[-1], kept[0]["sstable_size_in_mb"], kept[1:]),
                         ("LeveledCompactionStrategy", "90", (86400, "it's", 0.2)))
        self.assertIn("person", result.out)
        self.run_program("validate", "--plan", "plan.yaml", code=1)  # the reject is missing
        self.run_program("rollback", "--plan", "plan.yaml", "--confirm", "--run", self.run_id())
        self.assertEqual(self.types(), [])

    def rejects(self):
        found = []
        for folder, _, names in os.walk(self.path(".transhume")):
            for name in names:
                if "reject" in os.path.join(folder, name):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        found.append(file.read().replace('\\"', '"'))
        return "".join(found)

    def test_what_a_plan_can_not_have(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, '{}')")
        table = "tables:\n  t: { key: { partition: id }, from: t, fields: { \"*\": copy }%s }\n"
        for name, text, words, options in (
                ("none", "udts: { a: { x: int } }\n" + table % "", "no types that are made of fields",
                 {"target": "sqlite:target.db"}),
                ("with", table % ", with: { comment: x }", "have no properties", {"target": "sqlite:target.db"}),
                ("name", table % ", with: { \"a b\": x }", "small letters, digits and _ only", {}),
                ("field", "udts: { a: { x: itn } }\n" + table % "", "'itn', of the field 'x' of the type 'a'", {}),
                ("shape", "udts: { a: int }\n" + table % "", "write { FIELD: TYPE }", {}),
                ("nested", table % ", with: { caching: { keys: [1] } }", "a single value, or a map of such", {})):
            with self.subTest(name=name):
                self.plan("source.db", text, **options)
                result = self.run_program("migrate", "--plan", "plan.yaml", "--state", name, code=2)
                self.assertIn(words, result.out + result.err)
        self.plan("source.db", table % ", with: { compaction: { class: NoSuchStrategy } }")
        result = support.transhume("migrate", "--plan", "plan.yaml", "--state", "refused", cwd=self.folder)
        self.assertNotIn(result.code, (0, 1))
        self.assertRegex(result.out + result.err, "t: .*NoSuchStrategy")
        self.ask("CREATE TABLE t (id bigint PRIMARY KEY, v text)")
        self.plan("source.db", table % ", with: { gc_grace_seconds: 5 }")
        result = support.transhume("check", "--plan", "plan.yaml", "--state", "there", cwd=self.folder)
        self.assertIn("'with' is not applied: the table is there", result.out + result.err)

    # --- counters

    def fill_counters(self, rows):
        self.server.ask(self.first,
                        "CREATE TABLE hits (page text, day int, seen counter, liked counter, PRIMARY KEY (page, "
                        "day)) WITH CLUSTERING ORDER BY (day DESC)")
        for number in range(rows):
            self.server.ask(self.first, "UPDATE hits SET seen = seen + %d%s WHERE page = 'p%d' AND day = %d"
                            % (number + 1, ", liked = liked - 3" if number % 2 else "", number % 7, number))

    def hits(self, keyspace):
        return sorted(self.server.ask(keyspace, "SELECT page, day, seen, liked FROM hits"), key=repr)

    def test_counters_are_added_to_absent_rows_alone(self):
        self.fill_counters(60)
        source = self.server.uri(self.first)
        self.assertIn("?counters=absent", self.run_program("migrate", source, self.uri(), "--state", "refused",
                                                           code=2).err)
        # killed after additions whose answers were not noted: what is there is not added again
        killed = support.kill_at("cassandra.after_answer", 30, "migrate", source, self.uri("?counters=absent"),
                                 "--timeout", "2s", cwd=self.folder)
        self.assertEqual(killed.code, -signal.SIGKILL)
        self.run_program("resume", "--timeout", "2s", "--quiet")
        self.assertEqual(self.hits(self.keyspace), self.hits(self.first))
        self.run_program("validate")
        self.ask("UPDATE hits SET seen = seen + 1 WHERE page = 'p1' AND day = 1")
        result = support.transhume("validate", "--repair", "--confirm", cwd=self.folder)
        self.assertIn("counters", result.out + result.err)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(self.ask("SELECT seen FROM hits WHERE page = 'p1' AND day = 1"), [(3,)])

    def test_an_addition_of_unknown_outcome_is_looked_for_before_it_is_repeated(self):
        self.fill_counters(8)

        def migrate(name, before):
            keyspace = self.server.database()
            with tcp_proxy.TcpProxy(self.server.port) as proxy:
                proxy.cut_at(b"p3", occurrence=2, before=before)   # the first one reads
                begun = time.monotonic()
                result = support.transhume("migrate", self.server.uri(self.first),
                                           self.server.uri(keyspace, "?counters=absent", via=proxy), "--timeout", "2s",
                                           "--state", name, "--quiet", cwd=self.folder)
                return keyspace, result, proxy.cuts, time.monotonic() - begun

        with concurrent.futures.ThreadPoolExecutor() as pool:
            ends = [future.result() for future in [pool.submit(migrate, "done", False),
                                                   pool.submit(migrate, "lost", True)]]
        for keyspace, result, cuts, seconds in ends:
            self.assert_code(result, 0)
            self.assertEqual((cuts, self.hits(keyspace)), (1, self.hits(self.first)))
            self.assertGreater(seconds, 10)

    def test_counters_that_are_there(self):
        self.fill_counters(20)
        source = self.server.uri(self.first)
        self.ask("CREATE TABLE hits (page text, day int, seen counter, liked counter, PRIMARY KEY (page, day))")
        self.ask("UPDATE hits SET seen = seen + 1 WHERE page = 'p0' AND day = 0")
        self.ask("UPDATE hits SET seen = seen + 5 WHERE page = 'p2' AND day = 2")
        self.ask("UPDATE hits SET seen = seen + 9 WHERE page = 'other' AND day = 1")
        self.run_program("migrate", source, self.uri("?counters=absent"), "--existing", "append", "--max-rejects", "5",
                         code=1)
        self.assertIn("the counter seen of the row with page = p2, day = 2 is 5 there and 3 in the source",
                      self.rejects())
        there = collections.OrderedDict(((row[0], row[1]), row[2:]) for row in self.hits(self.keyspace))
        self.assertEqual((len(there), there[("p1", 1)], there[("p0", 0)], there[("p2", 2)]),
                         (21, (2, -3), (1, None), (5, None)))
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual(self.hits(self.keyspace), [("other", 1, 9, None), ("p0", 0, 1, None), ("p2", 2, 5, None)])


if __name__ == "__main__":
    unittest.main()
