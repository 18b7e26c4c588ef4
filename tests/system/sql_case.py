"""A class of tests with a SQL server of its own, what they ask of it, and tests that every such source passes."""
import contextlib
import json
import os
import random
import signal
import sqlite3
import time

import support


class ServerTarget:
    """For tests of any target: a database of its own, on the server that all such tests share, and its own client."""
    SERVERS = None   # the module that starts one

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.shared_for_class(cls)

    def new_target(self):
        self.database = self.server.database()
        return self.server.uri(self.database)

    def ask(self, sql):
        return self.server.ask(self.database, sql)


class SqliteTarget:
    """The same of a file, which sqlite3 is asked about."""
    made = 0

    def new_target(self):
        self.made += 1
        self.file = "target%d.db" % self.made
        return "sqlite:" + self.file

    def ask(self, sql):
        with contextlib.closing(sqlite3.connect(self.path(self.file))) as db, db:
            return [[None if value is None else str(value) for value in row] for row in db.execute(sql)]


class SqlCase(support.TestCase):
    SERVERS = None   # the module that starts one

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def made(self, script=""):
        """The name of a new database that the script was run in."""
        name = self.server.database()
        self.server.ask(name, script)
        return name

    def rows(self, name, table):
        """In an order of their own."""
        raise NotImplementedError

    def assert_same_rows(self, source, target, table):
        self.assertEqual(self.rows(source, table), self.rows(target, table), table)

    def migrate(self, source, target, *options, code=0, **more):
        return self.run_program("migrate", source, target, "--quiet", *options, code=code, **more)

    def abandon_and_resume(self, target, rule, lock, *arguments):
        """
        A migrate is killed while its statement behind the stop waits for the lock; the resume comes to it before the
        lock is gone.
        """
        first = self.stopped_at(rule, "migrate", *arguments)
        holder = self.server.session(target)
        self.addCleanup(holder.close)
        holder.ask(lock)
        first.send_signal(signal.SIGCONT)
        self.wait_until("the server waits for the lock", lambda: self.server.waiting(target) == 1)
        first.kill()
        second, begun = support.start("resume", *arguments, cwd=self.folder), time.monotonic()
        self.wait_until("the next one waits too", lambda: self.server.waiting(target) == 2
                        or time.monotonic() > begun + 2)
        holder.close()
        result = support.finish(second)
        self.assert_code(result, 0)
        return result

    def assert_each_record_is_noted_once(self, policy):
        """One that a policy takes out is sent again with each window that another one makes fail."""
        path = support.make_sqlite(self.path(policy + ".db"), "CREATE TABLE t (id INTEGER, n NUMERIC, c INTEGER);"
                                   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) "
                                   "INSERT INTO t SELECT i, 1, 1 FROM c;"
                                   "INSERT INTO t SELECT id, 2, 2 FROM t WHERE id BETWEEN 1100 AND 1199;"
                                   "UPDATE t SET c = -1 WHERE id = 1400; UPDATE t SET n = 99999 WHERE id = 1500;")
        target = self.made("CREATE TABLE t (id int PRIMARY KEY, n numeric(4,1), c int CHECK (c > 0));")
        self.server.ask(target, "INSERT INTO t VALUES %s" % ",".join("(%d, 7, 7)" % i for i in range(1, 1001)))
        state = self.path(policy)
        plan = self.write(policy + ".yaml",
                          "transhume: 1\nsource: sqlite:%s\ntarget: %s\ntables: { t: { key: id, "
                          "entities: { e: { from: t } } } }\n"
                          % (path, self.server.uri(target)))
        result = self.run_program("migrate", "--plan", plan, "--existing", policy, "--chunk-rows", "5000", "--state",
                                  state, "--json", code=1)
        entity, = json.loads(result.out)["entities"]
        skipped = 1000 if policy == "skip" else 0
        self.assertEqual([entity[name] for name in ("written", "rejected", "skipped")], [1998 - skipped, 102, skipped])
        self.assertEqual(sorted(reject["record"]["id"] for reject in self.rejects(state)),
                         [*range(1100, 1200), 1400, 1500])
        self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id) FROM t WHERE c = 1"),
                         [[str(1998 - skipped), str(2000 * 2001 // 2 - 2900 - (500500 if skipped else 0))]])


class LookUps:
    """
    Whatever types and collations the two columns are of: equal is what has the same bytes as a text, or is the same
    number.
    """
    SCRIPT = ""
    FAMILIES = {}   # a value's SQL: the types that hold it
    OTHERS = {}     # of these, what a collation or a character set takes for it
    PAIRS = 70      # of types, in an ordinary run
    STRANGE = None  # what most character sets turn into '?'

    def test_between_columns_of_two_types(self):
        self.look_up("from: t%d")

    def test_between_a_querys_column_and_one_of_another_type(self):
        self.look_up("query: 'SELECT id, v FROM t%d', key: [id]")

    def holds(self, type_, value):
        """Of types that list their values."""
        return "('" not in type_ or value in type_

    def rows_of(self, own, other, value):
        """What looks up, and what is looked up."""
        left, right = [value, "NULL"], [(value, 5)]
        for number, text in enumerate(self.OTHERS.get(value, ())):
            if self.holds(other, text):
                right.append((text, 9 + number))
        if value in self.OTHERS and self.STRANGE is not None and self.holds(own, self.STRANGE):
            left.append(self.STRANGE)
        return left, right

    def look_up(self, root):
        pairs = [(own, other, value) for value, types in self.FAMILIES.items() for own in types for other in types]
        if not support.SOAK and len(pairs) > self.PAIRS:
            pairs = random.Random("%d %s" % (support.SEED, self.id())).sample(pairs, self.PAIRS)
        script, plan, expected = [self.SCRIPT], ["transhume: 1\nsource: %s\ntarget: sqlite:%s\ntables:\n"], []
        for number, (own, other, value) in enumerate(pairs):
            left, right = self.rows_of(own, other, value)
            script.append("CREATE TABLE t%d (id int PRIMARY KEY, v %s); INSERT INTO t%d VALUES %s; "
                          % (number, own, number, ", ".join("(%d, %s)" % pair for pair in enumerate(left))))
            script.append("CREATE TABLE of%d (k %s, n int PRIMARY KEY); INSERT INTO of%d VALUES %s; "
                          % (number, other, number, ", ".join("(%s, %d)" % pair for pair in right)))
            script.append("" if number % 2 == 0 or not self.is_indexed(other)
                          else "CREATE INDEX of%d_k ON of%d (k); " % (number, number))
            fields = "{ id: copy, n: { aggregate: of%d, match: { k: v }, value: sum(n) } }" % number
            plan.append("  t%d:\n    key: [id]\n    entities:\n      t%d: { %s, fields: %s }\n" % (number, number,
                root % number, fields))
            expected.append([(0, 5)] + [(id_, 0) for id_ in range(1, len(left))])
        self.write("transhume.yaml", "".join(plan) % (self.server.uri(self.made("".join(script))), self.path("out.db")))
        self.run_program("migrate", "--quiet")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            for number, (own, other, value) in enumerate(pairs):
                with self.subTest(own=own, other=other, value=value):
                    self.assertEqual(db.execute("SELECT id, n FROM t%d ORDER BY id" % number).fetchall(),
                                     expected[number])

    def is_indexed(self, type_):
        return True


class References:
    """
    What the server takes for equal has a partner along a foreign key, whatever the two texts are; without one, too,
    where it is no text.
    """
    SCRIPT = ""
    KEYS = ()     # the type and value that is referred to, those that refer
    EQUALS = ()   # the same without a foreign key
    NAMED = ()    # of texts, which are no partners without one

    def plan(self, source, cases, matched, root):
        plan = ["transhume: 1\nsource: %s\ntarget: jsonl:%s\ntables:\n" % (source, self.path("out"))]
        for number in range(len(cases)):
            down, up = ("match: { k: k }, ", "match: { k: k }, ") if matched else ("", "")
            plan.append("  down%d: { %s, key: [id], fields: { id: copy, n: { aggregate: c%d, %svalue: 'count(*)' }, "
                        "list: { embed: c%d, %sfields: { id: copy } } } }\n"
                        % (number, root % {"table": "p%d" % number}, number, down, number, down))
            plan.append("  up%d: { %s, key: [id], fields: { id: copy, n: { lookup: p%d, %scolumn: id } } }\n"
                        % (number, root % {"table": "c%d" % number}, number, up))
        return "".join(plan)

    def records(self, table):
        found = []
        for name in sorted(os.listdir(self.path("out", table))):
            with open(self.path("out", table, name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
        return sorted(found, key=lambda record: record["id"])

    def find_partners(self, cases, referring, root="from: %(table)s", matched=False, found=True):
        script = [self.SCRIPT]
        for number, (referred, value, own, other) in enumerate(cases):
            script.append("CREATE TABLE p%d (k %s, id int NOT NULL, PRIMARY KEY (k), UNIQUE (id)); "
                          "CREATE TABLE c%d (id int PRIMARY KEY, k %s%s);"
                          % (number, referred, number, own, ", FOREIGN KEY (k) REFERENCES p%d (k)" % number if referring
                             else ""))
            script.append("INSERT INTO p%d VALUES (%s, 7); INSERT INTO c%d VALUES (1, %s), (2, NULL);" % (number, value,
                number, other))
        self.write("transhume.yaml", self.plan(self.server.uri(self.made("\n".join(script))), cases, matched, root))
        self.run_program("migrate", "--quiet")
        for number, case in enumerate(cases):
            with self.subTest(case=case):
                self.assertEqual(self.records("down%d" % number),
                                 [{"id": 7, "n": 1, "list": [{"id": 1}]} if found else {"id": 7, "n": 0, "list": []}])
                self.assertEqual(self.records("up%d" % number),
                                 [{"id": 1, "n": 7 if found else None}, {"id": 2, "n": None}])
        self.run_program("validate", "--level", "full")

    def test_along_foreign_keys(self):
        self.find_partners(self.KEYS, True)

    def test_along_foreign_keys_that_the_plan_names_by_their_columns(self):
        self.find_partners(self.KEYS, True, matched=True)

    def test_between_columns_without_a_foreign_key(self):
        self.find_partners(self.EQUALS, False, matched=True)

    def test_from_a_query(self):
        self.find_partners(self.EQUALS, False, root="query: 'SELECT * FROM %(table)s'", matched=True)

    def test_texts_without_a_foreign_key(self):
        self.find_partners(self.NAMED, False, matched=True, found=False)


class Plans:
    """The same plan makes the same documents from the server as from SQLite."""
    SOURCE_OPTIONS = ""
    PLAN = """
transhume: 1
source: %s
target: jsonl:%s
tables:
  customers:
    entities:
      customer:
        from: Customer
        fields:
          "*": copy
          Rep: { lookup: Employee, value: "{FirstName} {LastName}" }
          RepsBoss: { lookup: Employee.Employee, column: LastName }
          Orders: { aggregate: Invoice, value: "count(*)" }
          Spent: { aggregate: Invoice, value: "sum(Total)" }
          Invoices:
            embed: Invoice
            order: InvoiceDate
            fields:
              InvoiceId: copy
              Total: copy
              Country: { column: BillingCountry, default: none }
  tracks:
    entities:
      track:
        from: Track
        where: "Milliseconds > 200000"
        fields:
          "*": copy
          Artist: { lookup: Album.Artist, column: Name }
"""

    LOOK_UP = """
transhume: 1
source: %s
target: jsonl:%s
tables:
  orders:
    key: [id]
    entities:
      order: { from: orders, fields: { id: copy, at: { lookup: stop,%s value: "{line}/{number}", cast: text } } }
"""
    MATCH = " match: { town: town, lane: lane },"
    # What else their definitions say comes in: the stops' and the orders'.
    STOPS = ("CREATE TABLE stop (line int, number int, town varchar(9), lane int%s);"
             "INSERT INTO stop VALUES (9, 1, 'a', 1), (2, 8, 'a', 1), (2, 7, 'a', 1), (1, 1, 'b', 2), (5, 5, 'b', 1), "
             "(4, 9, 'b', 1), (3, 3, NULL, 1);"
             "CREATE TABLE orders (id int PRIMARY KEY, town varchar(9), lane int%s);"
             "INSERT INTO orders VALUES (1, 'a', 1), (2, 'b', 1), (3, 'b', 2), (4, NULL, 1), (5, 'c', NULL)")

    def looked_up(self, source, name, match=MATCH, code=0):
        """What the orders found, or what was said instead."""
        self.write(name + ".yaml", self.LOOK_UP % (source, self.path(name), match))
        arguments = ("--plan", name + ".yaml", "--quiet", "--state", self.path("state-" + name))
        said = self.run_program("migrate", *arguments, code=code)
        if code:
            self.assertFalse(os.path.exists(self.path(name)))
            return said.err
        self.run_program("validate", "--level", "full", *arguments)
        return {order["id"]: order["at"] for order in self.documents(self.path(name))["orders"]}

    def test_a_look_up_into_a_table_without_a_key(self):
        """Of several partners the first one in the table."""
        wanted = {1: "9/1", 2: "5/5", 3: "1/1", 4: None, 5: None}
        self.assertEqual(self.looked_up("sqlite:" + support.make_sqlite(self.path("stops.sqlite"),
                                                                        self.STOPS % ("", "")), "sqlite"), wanted)
        self.assertEqual(self.looked_up(self.server.uri(self.made(self.STOPS % ("", "")), self.SOURCE_OPTIONS),
                                        "server"), wanted)

    EXTREMES = {}   # of a type: values
    ORDERED = "%s"  # how the server is asked for the extremes of a text as this program sees them

    def test_extremes_of_each_type(self):
        """As the server's own min() and max() find them; into a table of the server's."""
        script, plan = [], ["transhume: 1\nsource: %s\ntarget: %s\ntables:\n"]
        entity = ("  e%d: { key: [id], entities: { e: { from: p%d, fields: { id: copy, lo: { aggregate: c%d, "
                  "match: { p: id }, value: min(v) }, hi: { aggregate: c%d, match: { p: id }, "
                  "value: max(v) } } } } }\n")
        for number, (type_, values) in enumerate(self.EXTREMES.items()):
            rows = ["(%d, 1, %s)" % pair for pair in enumerate(values)] + ["(90, 2, %s)" % values[-1], "(91, 2, NULL)",
                                                                           "(92, 3, NULL)"]
            script.append("CREATE TABLE p%d (id int PRIMARY KEY); INSERT INTO p%d VALUES (1), (2), (3), (4); "
                          "CREATE TABLE c%d (k int PRIMARY KEY, p int, v %s);"
                          "INSERT INTO c%d VALUES %s;" % (number, number, number, type_, number, ", ".join(rows)))
            plan.append(entity % ((number,) * 4))
        source, target = self.made("".join(script)), self.made()
        self.write("transhume.yaml", "".join(plan) % (self.server.uri(source, self.SOURCE_OPTIONS),
                                                      self.server.uri(target)))
        self.run_program("migrate", "--quiet")
        for number, type_ in enumerate(self.EXTREMES):
            with self.subTest(type_):
                text = self.ORDERED if "text" in type_ else "%s"
                self.assertEqual(self.server.ask(target, "SELECT id, lo, hi FROM e%d ORDER BY id" % number),
                                 self.server.ask(source,
                                                 "SELECT id, min(%s), max(%s) FROM p%d LEFT JOIN c%d ON p = id GROUP "
                                                 "BY id ORDER BY id"
                                                 % (text % "v", text % "v", number, number)))

    def documents(self, folder):
        found = {}
        for table in sorted(os.listdir(folder)):
            if table.startswith("_"):
                continue
            lines = []
            for name in sorted(os.listdir(os.path.join(folder, table))):
                with open(os.path.join(folder, table, name), encoding="utf-8") as file:
                    lines += [json.loads(line) for line in file]
            found[table] = sorted(lines, key=lambda line: json.dumps(line, sort_keys=True))
        return found

    def test_look_ups_embeds_and_aggregates(self):
        shop = support.musicshop(self.path("shop.sqlite"))
        target = self.made()
        self.migrate(shop, self.server.uri(target))
        for name, source in (("sqlite", "sqlite:" + shop), ("server", self.server.uri(target, self.SOURCE_OPTIONS))):
            self.write(name + ".yaml", self.PLAN % (source, self.path(name)))
            self.run_program("migrate", "--plan", name + ".yaml", "--quiet", "--state", self.path("state-" + name))
        left, right = self.documents(self.path("sqlite")), self.documents(self.path("server"))
        self.assertEqual(left.keys(), right.keys())
        for table in left:
            self.assertGreater(len(left[table]), 10)
            self.assertEqual(left[table], right[table], table)
