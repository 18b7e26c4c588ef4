"""
Look-ups, lists and aggregates out of sources that can't join: the engine joins, and what comes is what SQLite gives.
"""
import os
import random
import shutil

import joins_support
import refusals
import support
from chinook_expected import Expectation
from joins_support import TOY

PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
SHOP_RELATIONS = """
relations:
  Album: { ArtistId: Artist.ArtistId }
  Customer: { SupportRepId: Employee.EmployeeId }
  Employee: { ReportsTo: Employee.EmployeeId }
  Invoice: { CustomerId: Customer.CustomerId }
  InvoiceLine: { InvoiceId: Invoice.InvoiceId, TrackId: Track.TrackId }
  PlaylistTrack: { PlaylistId: Playlist.PlaylistId, TrackId: Track.TrackId }
  Track: { AlbumId: Album.AlbumId, GenreId: Genre.GenreId, MediaTypeId: MediaType.MediaTypeId }
"""


class Shop(support.TestCase):
    """The music shop out of files: the very items that its database gives."""

    def setUp(self):
        super().setUp()
        self.source = os.environ.get("TRANSHUME_CHINOOK") or support.musicshop(self.path("shop.db"))

    def export(self, uri, **more):
        self.run_program("migrate", "--state", self.path("export"), self.source, uri, **more)

    def assert_items(self):
        found = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(support.dynamodb_differences(Expectation(self.source).tables(), found), [])
        self.assertFalse(os.path.exists(self.path("state", "spill")))

    def arguments(self, uri, *more, plan=PLAN):
        return ("--plan", plan, "--state", self.path("state"), *more, uri, "dynamodb-json:" + self.path("out"))

    def plan_with_relations(self):
        with open(PLAN, encoding="utf-8") as plan:
            return self.write("related.yaml", plan.read() + SHOP_RELATIONS)

    def test_from_csv(self):
        self.export("csv:files")
        result = self.run_program("migrate", *self.arguments("csv:files"))
        self.assert_items()
        self.assertIn("reading Album for look-ups and lists", result.err)

    def test_from_jsonl_with_many_jobs_and_small_chunks(self):
        self.export("jsonl:files")
        self.run_program("migrate", *self.arguments("jsonl:files", "--jobs", "4", "--chunk-rows", "37"))
        self.assert_items()

    def test_from_items(self):
        self.export("dynamodb-json:items")
        self.run_program("migrate", *self.arguments("dynamodb-json:items", plan=self.plan_with_relations()))
        self.assert_items()

    def test_from_csv_that_another_program_wrote(self):
        joins_support.export_by_hand(self.source, self.path("files"), joins_support.write_csv)
        self.run_program("migrate", *self.arguments("csv:files", plan=self.plan_with_relations()))
        self.assert_items()

    def test_killed_and_resumed(self):
        self.export("csv:files")
        random_source = random.Random(support.SEED)
        arguments = self.arguments("csv:files", "--chunk-rows", "97")
        for failpoint, occurrence in (("engine.joins_table_kept", random_source.randint(1, 8)),
                                      ("engine.joins_kept", 1),
                                      ("engine.after_commit", random_source.randint(2, 9)),
                                      ("engine.joins_kept", 1),
                                      ("ledger.before_mark", random_source.randint(2, 9))):
            command = "resume" if os.path.exists(self.path("out", "_transhume")) else "migrate"
            killed = support.kill_at(failpoint, occurrence, command, *arguments, cwd=self.folder)
            self.assertEqual(killed.code, -9, "%s %d\n%s" % (failpoint, occurrence, killed.err))
        self.run_program("resume", *arguments)
        self.assert_items()


class Random(support.TestCase):
    """Random databases: every construct from every source gives what it gives from SQLite, whose joins are its own."""

    ROUNDS = 40 if support.SOAK else 3
    SOURCES = ("csv:csv", "jsonl:jsonl", "dynamodb-json:items", "toy:toy", "jsonl:lines?records=documents")

    def items(self, uri, name, *options, code=0):
        plan = self.write(name + ".yaml", joins_support.PLAN % (uri, name))
        self.run_program("migrate", "--plan", plan, "--state", name + ".state", *options, env=TOY, code=code)
        return support.read_dynamodb_json(self.path(name))

    def compare(self, seed, roots):
        for name in os.listdir(self.folder):
            (shutil.rmtree if os.path.isdir(self.path(name)) else os.unlink)(self.path(name))
        joins_support.make_database(self.path("shop.db"), seed, roots)
        expected = self.items("sqlite:shop.db", "expected")
        for uri in self.SOURCES:
            scheme = uri.split("?")[0]
            with self.subTest(uri=uri):
                if "documents" in uri:
                    self.write_lines()
                else:
                    self.run_program("migrate", "--state", "export", "shop.db", scheme, env=TOY)
                    shutil.rmtree(self.path("export"))
                name = scheme.replace(":", "-") + "-out"
                chunk = str(seed.choice((2, 7, 1000)))
                found = self.items(uri, name, "--chunk-rows", chunk, "--jobs", str(seed.randint(1, 4)))
                self.assertEqual(support.dynamodb_differences(expected, found), [], "%s, chunks of %s" % (uri, chunk))

    def write_lines(self):
        """Documents without the fields that are null: as those of a store without columns are."""
        def write(path, columns, rows):
            joins_support.write_jsonl(path, [], [])
            with open(path + ".jsonl", "w", encoding="utf-8") as file:
                for row in rows:
                    document = {c: v for c, v in zip(columns, row) if v is not None}
                    file.write(joins_support.json.dumps(document) + "\n")
        joins_support.export_by_hand(self.path("shop.db"), self.path("lines"), write)

    def test_every_construct(self):
        for number in range(self.ROUNDS):
            seed = support.SEED + number
            with self.subTest(seed=seed):
                self.compare(random.Random(seed), random.Random(seed).choice((1, 5, 12)))


class Keys(refusals.TestCase):
    """What equals what, and which of several partners is taken."""

    def write_plan(self, fields, relations="", source="csv:in"):
        self.write("transhume.yaml", """transhume: 1
source: %s
target: dynamodb-json:out
tables:
  out: { key: { partition: id }, from: a, fields: { id: copy, %s } }
%s""" % (source, fields, relations))

    def put(self, **tables):
        os.makedirs(self.path("in"), exist_ok=True)
        for name, text in tables.items():
            self.write(os.path.join("in", name), text.replace(" ", "\n"))

    def put_csv(self, **tables):
        self.put(**{name + ".csv": text for name, text in tables.items()})

    def found(self, field):
        items = support.read_dynamodb_json(self.path("out"))["out"]
        return {item["id"].get("N") or item["id"].get("S"): item.get(field) for item in items}

    def test_numbers_by_value_and_texts_apart(self):
        self.put_csv(a="id,k 1,1 2,2.50 3,3 4,", b="k,v 1.0,one 2.5,two 3e0,three")
        self.write_plan('v: { lookup: b, match: { k: k }, column: v }')
        self.run_program("migrate")
        self.assertEqual(self.found("v"), {"1": {"S": "one"}, "2": {"S": "two"}, "3": {"S": "three"}, "4": None})

    def test_a_text_is_never_a_number(self):
        self.put_csv(a="id,k 1,1 2,2", b='k,v 1,one x,two')
        self.write_plan('v: { lookup: b, match: { k: k }, column: v }')
        check = self.run_program("check")
        self.assertIn("k (a number) never equals b.k (text), so no row will be found", check.out)
        self.run_program("migrate")
        self.assertEqual(self.found("v"), {"1": None, "2": None})

    def test_the_first_of_several_partners(self):
        self.put_csv(a="id,k 1,x 2,y", b="k,v y,3 x,2 x,1 x,9")
        self.write_plan('v: { lookup: b, match: { k: k }, column: v }, n: { aggregate: b, match: { k: k }, '
                        'value: "sum(v)" }')
        result = self.run_program("migrate", "--chunk-rows", "1")
        self.assertEqual(self.found("v"), {"1": {"N": "2"}, "2": {"N": "3"}})
        self.assertEqual(self.found("n"), {"1": {"N": "12"}, "2": {"N": "3"}})
        self.assertIn("b: 1 values of k stand in several records; a look-up takes the first", result.err)

    def test_a_declared_key_orders_rows(self):
        self.put_csv(a="id,k 1,x", b="n,k,v 10,x,ten 9,x,nine 11,y,no")
        os.makedirs(self.path("in", "_transhume", "tables"))
        self.write("in/_transhume/tables/b.json",
                   '{"format": 1, "key": ["n"], "columns": [{"name": "n", "type": "int64"},'
                   ' {"name": "k", "type": "text"}, {"name": "v", "type": "text"}]}')
        self.write_plan('l: { embed: b, match: { k: k }, fields: { v: copy } }')
        self.run_program("migrate")
        self.assertEqual(self.found("l"), {"1": {"L": [{"M": {"v": {"S": "nine"}}}, {"M": {"v": {"S": "ten"}}}]}})

    def test_an_order_over_numbers_of_many_kinds_nulls_and_texts(self):
        self.put(**{"a.jsonl": '{"id":1}', "b.jsonl": '{"a":1,"v":10} {"a":1,"v":9.5} {"a":1,"v":null} {"a":1,"v":"x"}'
                    ' {"a":1,"v":1e1} {"a":1} {"a":1,"v":-3}'})
        self.write_plan('l: { embed: b, match: { a: id }, order: v desc, fields: { v: copy } }', source="jsonl:in")
        self.run_program("migrate")
        values = [item["M"].get("v") for item in self.found("l")["1"]["L"]]
        self.assertEqual(values, [{"S": "x"}, {"N": "10"}, {"N": "10"}, {"N": "9.5"}, {"N": "-3"}, None, None])

    def test_composite_and_null_keys(self):
        self.put_csv(a="id,x,y 1,1,a 2,1, 3,,", b="x,y,v 1,a,yes 1,,no ,,never")
        self.write_plan('v: { lookup: b, column: v }', "relations: { a: { x: b.x, y: b.y } }")
        self.run_program("migrate")
        self.assertEqual(self.found("v"), {"1": {"S": "yes"}, "2": None, "3": None})

    def test_two_relations_to_one_table_need_a_match(self):
        self.put_csv(a="id,x,y 1,1,2", b="k,v 1,one 2,two")
        relations = "relations: { a: { x: b.k, y: b.k } }"
        self.write_plan('v: { lookup: b, column: v }', relations)
        result = self.run_program("check", code=2)
        self.assertIn("there are 2 ways from a to b; say which: match: { k: x } or match: { k: y }", result.err)
        self.write_plan('v: { lookup: b, match: { k: y }, column: v }', relations)
        self.run_program("migrate")
        self.assertEqual(self.found("v"), {"1": {"S": "two"}})

    def test_wrong_relations(self):
        self.put_csv(a="id,x 1,1", b="k,v 1,one")
        for relations, message in (
                ("relations: { c: { x: b.k } }", "the source has no table 'c'"),
                ("relations: { a: { z: b.k } }", "a has no column 'z'"),
                ("relations: { a: { x: b.z } }", "b has no column 'z'"),
                ("relations: { a: { x: k } }", "'k' names no column of a table; write TABLE.COLUMN"),
                ("relations: { a: { x: q.k } }", "the source has no table 'q'"),
                ("relations: { a: x }", "a map was expected for 'a'; write { COLUMN: TABLE.COLUMN }"),
                ("relations: [a]", "'relations' is tables, each with COLUMN: TABLE.COLUMN, not 'a list'")):
            with self.subTest(relations=relations):
                self.write_plan('v: { lookup: b, column: v }', relations)
                self.assertIn(message, self.run_program("check", code=2).err)

    def test_a_record_that_cannot_be_read_ends_the_run(self):
        self.put_csv(a="id,k 1,x", b="k,v x,1 x,2,3 x,4")
        self.write_plan('n: { aggregate: b, match: { k: k }, value: "count(*)" }')
        result = self.run_program("migrate", code=3)
        self.assertRegex(result.err, r"b: a record that is to be looked up or embedded can't be read: .*b\.csv.*3")
        self.put_csv(b="k,v x,1 x,2 x,4")
        self.run_program("resume", code=1)  # of another moment, and says so
        self.assertEqual(self.found("n"), {"1": {"N": "3"}})

    def test_what_is_looked_up_changed_before_the_resume(self):
        self.put_csv(a="id,k " + " ".join("%d,x" % i for i in range(5000)), b="k,v x,old")
        self.write_plan('v: { lookup: b, match: { k: k }, column: v }')
        way = ("--chunk-rows", "500", "--jobs", "1")  # one writer: chunks are left when it has committed the first
        killed = support.kill_at("engine.after_commit", 1, "migrate", *way, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.put_csv(b="k,v x,new!")
        result = self.run_program("resume", *way, code=1)
        self.assertIn("table out starts over", result.err)
        found = self.found("v")
        self.assertEqual((len(found), set(map(str, found.values()))), (5000, {"{'S': 'new!'}"}))

    def test_check_tells_what_will_be_read_and_shows_samples(self):
        self.put_csv(a="id,k 1,x", b="k,v x,1")
        self.write_plan('v: { lookup: b, match: { k: k }, column: v }')
        result = self.run_program("check", "--sample", "1")
        self.assertIn("the source can't join: b is read once more before the copy and kept in the state folder",
                      result.out)
        self.assertIn("v: 1", result.out)
        self.assertFalse(os.path.exists(self.path(".transhume")))

    def test_a_reading_that_fails_begins_again(self):
        self.put_csv(a="id,k 1,x", b="k,v " + " ".join("x,%d" % i for i in range(20000)))
        self.write_plan('n: { aggregate: b, match: { k: k }, value: "sum(v)" }')
        self.run_program("migrate", env={"TRANSHUME_FAILPOINT": "engine.joins_batch:retry:3"})
        self.assertEqual(self.found("n"), {"1": {"N": "199990000"}})

    def test_a_reading_that_fails_for_good(self):
        self.put_csv(a="id,k 1,x", b="k,v x,1")
        self.write_plan('n: { aggregate: b, match: { k: k }, value: "sum(v)" }')
        for place in ("engine.joins_batch", "engine.joins_table_kept", "engine.joins_kept"):
            with self.subTest(place=place):
                command = "resume" if os.path.exists(self.path("out")) else "migrate"
                self.run_program(command, env={"TRANSHUME_FAILPOINT": place + ":error"}, code=3)
                self.assertEqual(os.listdir(self.path(".transhume", "spill", "source")), [])
        self.run_program("resume")
        self.assertEqual(self.found("n"), {"1": {"N": "1"}})

    def test_interrupted_while_it_reads(self):
        self.put_csv(a="id,k 1,x", b="k,v " + " ".join("x,%d" % i for i in range(20000)))
        self.write_plan('n: { aggregate: b, match: { k: k }, value: "count(*)" }')
        process = support.start("migrate", cwd=self.folder, env={"TRANSHUME_FAILPOINT": "engine.after_prepare:sleep"})
        deadline = support.time.monotonic() + 20 * support.PATIENCE
        while not os.path.exists(self.path("out", "_transhume")) and support.time.monotonic() < deadline:
            support.time.sleep(0.01)
        process.send_signal(support.signal.SIGINT)
        result = support.finish(process)
        self.assert_code(result, 4)
        self.run_program("resume")
        self.assertEqual(self.found("n"), {"1": {"N": "20000"}})


class ManyLookUps(support.TestCase):
    """SQLite joins 64 tables at most, for its own records and for the engine's: told before anything is written."""

    def plan(self, source, count):
        fields = "".join("\n      f%d: { lookup: p, match: { id: c%d }, column: v }" % (i, i) for i in range(count))
        return self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: dynamodb-json:out\ntables:\n  wide:\n"
                          "    key: { partition: id }\n    from: t\n    fields:\n      id: copy%s\n" % (source, fields))

    def test_as_many_as_can_be_made_and_one_more(self):
        columns = ["c%d" % i for i in range(64)]
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE p(id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 'one');"
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, %s); INSERT INTO t VALUES (1, %s);"
                            % (", ".join(c + " INTEGER" for c in columns), ", ".join("1" for _ in columns)))
        self.run_program("migrate", "--state", self.path("export"), "s.db", "csv:files")
        for source in ("s.db", "csv:files"):
            with self.subTest(source=source):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                result = self.run_program("migrate", "--plan", self.plan(source, 64), "--state", self.path("state"),
                                          code=2)
                self.assertIn("wide has 64 look-ups to make at once; at most 63 can be made", result.err)
                self.assertFalse(os.path.exists(self.path("out")))
                self.run_program("migrate", "--plan", self.plan(source, 63), "--state", self.path("state"))
                item = support.read_dynamodb_json(self.path("out"))["wide"]
                self.assertEqual(str(item).count("one"), 63)

    def test_a_view_counts_as_its_tables(self):
        """40 tables in a view leave room for 24 look-ups; `check` and `migrate` refuse one more, and write nothing."""
        columns = ["c%d" % i for i in range(25)]
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE p(id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 'one');"
                            "CREATE TABLE b(id INTEGER PRIMARY KEY, %s); INSERT INTO b VALUES (1, %s);"
                            % (", ".join(c + " INTEGER" for c in columns), ", ".join("1" for _ in columns)) +
                            "".join("CREATE TABLE v%d(id INTEGER PRIMARY KEY, x); INSERT INTO v%d VALUES (1, %d);" % (i,
                                i, i)
                                    for i in range(39)) +
                            "CREATE VIEW t AS SELECT b.*, %s FROM b %s;"
                            % (", ".join("v%d.x AS x%d" % (i, i) for i in range(39)),
                               " ".join("JOIN v%d ON v%d.id = b.id" % (i, i) for i in range(39))))
        for command in ("check", "migrate"):
            result = self.run_program(command, "--plan", self.plan("s.db", 25), "--state", self.path("state"), code=2)
            self.assertRegex(result.err,
                             "plan.yaml:[0-9]+:[0-9]+: wide: the tables of its views and 25 look-ups are more "
                             "than the 64")
            self.assertIn("take some look-ups out", result.err)
            self.assertFalse(os.path.exists(self.path("out")))
        self.run_program("migrate", "--plan", self.plan("s.db", 24), "--state", self.path("state"))
        item = support.read_dynamodb_json(self.path("out"))["wide"]
        self.assertEqual(str(item).count("one"), 24)


class Roots(support.TestCase):
    """The records that are joined to: of several kinds, unreadable, or rejected."""

    def test_entities_of_a_table_of_many_kinds(self):
        os.makedirs(self.path("in", "things"))
        os.makedirs(self.path("in", "parts"))
        things = ['{"Kind":{"S":"box"},"id":{"N":"%d"},"label":{"S":"l%d"}}' % (i, i) for i in range(4)]
        things += ['{"Kind":{"S":"shelf"},"id":{"N":"%d"}}' % i for i in range(10, 12)]
        things += ['{"Kind":{"S":"dust"},"id":{"N":"99"}}']
        parts = ['{"in":{"N":"%d"},"n":{"N":"%d"},"no":{"NULL":true}}' % (i % 3, i) for i in range(10)]
        for table, items in (("things", things), ("parts", parts)):
            self.write("in/%s/data-1.json" % table, "".join('{"Item":%s}\n' % item for item in items))
        self.write("transhume.yaml", """transhume: 1
source: dynamodb-json:in
target: dynamodb-json:out
unmatched: skip
tables:
  out:
    key: { partition: K, sort: S }
    entities:
      box:
        from: things
        match: { Kind: box }
        fields:
          K: "{id}"
          S: BOX
          "*": copy
          Count: { aggregate: parts, match: { in: id }, value: "count(*)" }
          Parts: { embed: parts, match: { in: id }, order: n desc, when: "Count < 4", fields: { "*": copy, in: { drop: true } } }
      page:
        pages: box.Parts
        size: 3
        when: "Count >= 4"
        fields: { K: "{id}", S: "PAGE{$page}", Items: { column: $list } }
      shelf:
        from: things
        match: { Kind: shelf }
        fields: { K: "{id}", S: SHELF, First: { lookup: parts, match: { n: id }, column: in } }
""")
        result = self.run_program("migrate")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["out"], "K", "S")
        def part(n):
            return {"M": {"n": {"N": str(n)}, "no": {"NULL": True}}}
        box = {"Kind": {"S": "box"}}
        self.assertEqual(items.pop(("1", "BOX")), {"K": {"S": "1"}, "S": {"S": "BOX"}, "id": {"N": "1"}, **box,
                         "label": {"S": "l1"}, "Count": {"N": "3"}, "Parts": {"L": [part(7), part(4), part(1)]}})
        self.assertEqual(items.pop(("0", "PAGE1"))["Items"], {"L": [part(9), part(6), part(3)]})
        self.assertEqual(items.pop(("0", "PAGE2"))["Items"], {"L": [part(0)]})
        self.assertEqual(items[("3", "BOX")]["Parts"], {"L": []})
        self.assertNotIn("Parts", items[("0", "BOX")])
        self.assertEqual(sorted(items), [("0", "BOX"), ("10", "SHELF"), ("11", "SHELF"), ("2", "BOX"), ("3", "BOX")])
        self.assertEqual([items[(k, "SHELF")].get("First") for k in ("10", "11")], [None, None])
        self.assertIn("1 record", result.err)

    def test_a_root_that_cannot_be_read_is_a_reject(self):
        os.makedirs(self.path("in"))
        self.write("in/a.csv", "id,k\n1,x\n2,x,y\n3,z\n,x\n")
        self.write("in/b.csv", "k,v\nx,1\nx,2\n")
        self.write("transhume.yaml", """transhume: 1
source: csv:in
target: dynamodb-json:out
tables:
  list: { key: { partition: id }, from: a, fields: { id: copy, l: { embed: b, match: { k: k }, fields: { v: copy } } } }
  look: { key: { partition: id }, from: a, fields: { id: copy, v: { lookup: b, match: { k: k }, column: v } } }
""")
        result = self.run_program("migrate", "--json", code=1)
        counts = {e["entity"]: (e["read"], e["written"], e["rejected"])
                  for e in support.json.loads(result.out)["entities"]}
        self.assertEqual(counts, {"list": (4, 2, 2), "look": (4, 2, 2)})
        found = support.read_dynamodb_json(self.path("out"))
        v = [{"M": {"v": {"N": "1"}}}, {"M": {"v": {"N": "2"}}}]
        self.assertEqual(found, {
            "list": [{"id": {"N": "1"}, "l": {"L": v}}, {"id": {"N": "3"}, "l": {"L": []}}],
            "look": [{"id": {"N": "1"}, "v": {"N": "1"}}, {"id": {"N": "3"}}]})

    def test_validated_with_what_is_joined(self):
        os.makedirs(self.path("in"))
        self.write("in/a.csv", "id,k\n1,x\n2,z\n")
        self.write("in/b.csv", "k,v\nx,1\nx,2\n")
        self.write("transhume.yaml", """transhume: 1
source: csv:in
target: sqlite:out.db
tables:
  t: { key: [id], from: a, fields: { id: copy, n: { aggregate: b, match: { k: k }, value: "sum(v)" },
                                     v: { lookup: b, match: { k: k }, column: v } } }
""")
        self.run_program("migrate")
        self.run_program("validate", "--level", "full")
        support.make_sqlite(self.path("out.db"), "UPDATE t SET n = 4 WHERE id = 1")
        self.run_program("validate", "--level", "full", code=1)


class Disk(refusals.TestCase):
    def test_a_full_disk_while_it_is_sorted(self):
        os.makedirs(self.path("in"))
        self.write("in/a.csv", "id\n1\n2\n")
        with open(self.path("in", "b.csv"), "w", encoding="ascii") as file:
            file.write("a,v\n")
            file.writelines("%d,%050d\n" % (i % 2 + 1, i) for i in range(30000))
        self.write("transhume.yaml", """transhume: 1
source: csv:in
target: dynamodb-json:out
tables:
  out: { key: { partition: id }, from: a,
         fields: { id: copy, last: { aggregate: b, match: { a: id }, value: max(v) }, n: { aggregate: b, match: { a: id }, value: count(*) } } }
""")
        result = self.on_small_disk(1200, """
            $T migrate --state $DISK/state >out1 2>err1; echo $? >code1
            find $DISK -name '*.spill' >left1
            grow 64m
            $T resume --state $DISK/state >out2 2>err2; echo $? >code2
            find $DISK -name '*.spill' >left2
        """)
        self.assertEqual(result.returncode, 0, result.stderr)
        def read(name):
            with open(self.path(name), encoding="utf-8") as file:
                return file.read()
        self.assertEqual((read("code1"), read("code2")), ("3\n", "0\n"), read("err1") + read("err2"))
        lines = refusals.first_line_of(read("err1"))
        self.assertTrue(len(lines) == 1 and lines[0].endswith("[disk-full]"), read("err1"))
        self.assertIn("resume", read("err1"))
        self.assertEqual((read("left1"), read("left2")), ("", ""))
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["out"], "id")
        self.assertEqual({key[0]: item["n"]["N"] for key, item in items.items()}, {"1": "15000", "2": "15000"})


if __name__ == "__main__":
    import unittest
    unittest.main()
