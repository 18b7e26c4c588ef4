"""
`distinct` into PostgreSQL and MariaDB: of equal records one, however many there are, beside what is there, and over a
kill.
"""
import json
import os
import shutil
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

# Two tables of one stream, whose records come in another order in each half of it.
TWO = """transhume: 1
source: sqlite:%s
target: %s
unmatched: skip
tables:
  lands: { key: [name], entities: { lands: { from: shop, where: "dial %% 2 = 0", distinct: true, fields: { name: copy, dial: copy } } } }
  places: { key: [name], entities: { places: { from: shop, where: "dial %% 2 = 1", distinct: true, fields: { name: copy, dial: copy } } } }
"""
PLAN = """transhume: 1
source: sqlite:%s
target: %s
existing: %s
tables:
  countries:
    key: %s
    entities: { countries: { from: shop, distinct: true, fields: %s } }
"""
RECORDS = [("Chad", 1), ("Peru", 2), ("Chad", 1), ("Fiji", 3), ("Peru", 4), ("Fiji", 3), ("Peru", 2)] * 10


class Distinct:
    one_database_each = True

    TABLE = "CREATE TABLE countries (name varchar(20) PRIMARY KEY, dial int)"
    FIELDS = "{ name: copy, dial: copy }"
    FAILPOINTS = ()
    SPECIAL_TABLE = SPECIAL = None

    def plan(self, target, records, existing="refuse", fields=FIELDS, key="[name]",
             columns="name VARCHAR(20), dial INTEGER"):
        """The plan's path; `records` are SQL's values or what makes them."""
        if not isinstance(records, str):
            records = "VALUES " + ",".join("('%s', %s)" % record for record in records)
        for name in ("shop.db", ".transhume"):
            if os.path.exists(self.path(name)):
                (shutil.rmtree if os.path.isdir(self.path(name)) else os.remove)(self.path(name))
        shop = support.make_sqlite(self.path("shop.db"), "CREATE TABLE shop (%s); INSERT INTO shop %s" % (columns,
            records))
        return self.write("transhume.yaml", PLAN % (shop, self.server.uri(target), existing, key, fields))

    def counts(self, result):
        entity, = json.loads(result.out)["entities"]
        return entity["written"], entity["rejected"], entity["skipped"]

    def stored(self, target):
        return sorted(map(tuple, self.server.ask(target, "SELECT name, dial FROM countries")))

    def retries(self):
        with open(self.path(".transhume", "report.json"), encoding="utf-8") as file:
            return json.load(file)["retries"]

    CROWD = ("WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 39999) SELECT 'land ' || (i * "
             "7919 % 2000), "
             "CASE i WHEN 30000 THEN -1 ELSE i * 7919 % 2000 END FROM c")

    def test_a_crowd_of_repeats(self):
        """No writer stands in another one's way, with records that are there neither."""
        for existing, wide in (("refuse", 0), ("append", 900), ("upsert", 900)):
            with self.subTest(existing):
                wide_column = ", wide varchar(1000)" if wide else ""
                target = self.made("" if existing == "refuse" else self.TABLE[:-1] + wide_column
                                   + "); INSERT INTO countries (name, dial) VALUES ('other', 9)")
                self.plan(target, self.CROWD.replace("END FROM", "END, '%s' FROM" % ("w" * wide)) if wide
                          else self.CROWD, existing,
                          columns="name VARCHAR(20), dial INTEGER" + wide_column, fields="{ '*': copy }")
                # with wide rows a chunk goes in several segments
                result = self.run_program("migrate", "--json", "--jobs", "4", "--chunk-rows",
                                          "10000" if wide else "2500", code=1)
                stored = self.stored(target)
                odd = 30000 * 7919 % 2000
                first = ("land %d" % odd, "-1") in stored   # of the two that differ; the other one is met once a chunk
                self.assertEqual(stored, sorted([("land %d" % i, "-1" if first and i == odd else str(i))
                                                 for i in range(2000)] + [("other", "9")] * bool(wide)))
                rejects = {(reject["record"]["name"], reject["record"]["dial"], reject["code"])
                           for reject in self.rejects()}
                self.assertEqual(rejects, {("land %d" % odd, odd if first else -1, "key-duplicate")})
                written, rejected, skipped = self.counts(result)
                self.assertEqual((written, rejected + skipped), (2000, 38000))
                if not first:
                    self.assertEqual(rejected, 1)
                self.assertEqual(self.retries(), 0)

    def test_two_tables_of_one_stream(self):
        """Chunks have their records in different orders; nobody waits in a circle."""
        target = self.made()
        self.plan(target,
                  "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 39999) SELECT 'land ' || "
                  "(i * 7919 % 2000), "
                          "2 * (i * 7919 % 2000) + (i / 1000 % 2) FROM c")
        self.write("transhume.yaml", TWO % (self.path("shop.db"), self.server.uri(target)))
        self.run_program("migrate", "--json", "--jobs", "4", "--chunk-rows", "1500")
        self.assertEqual(self.retries(), 0)
        for odd, table in enumerate(("lands", "places")):
            wanted = {i * 7919 % 2000 for i in range(40000) if i // 1000 % 2 == odd}
            self.assertGreater(len(wanted), 500)
            self.assertEqual(sorted(map(tuple, self.server.ask(target, "SELECT name, dial FROM " + table))),
                             sorted(("land %d" % number, str(2 * number + odd)) for number in wanted))

    def test_skipped_for_another_one_that_is_there(self):
        """Each time that it comes, in one chunk and in many."""
        for rows in (1, 1000):
            with self.subTest(rows=rows):
                target = self.made(self.TABLE + "; INSERT INTO countries VALUES ('Chad', 9)")
                self.plan(target, [("Chad", 1), ("Peru", 2), ("Chad", 1), ("Chad", 3), ("Peru", 4), ("Peru", 2)],
                          "skip")
                # of the run's own records the second of two is no less a reject than elsewhere
                result = self.run_program("migrate", "--json", "--chunk-rows", rows, "--jobs", "1", code=1)
                self.assertEqual(self.counts(result), (1, 1, 4))
                self.assertEqual(self.stored(target), [("Chad", "9"), ("Peru", "2")])

    def test_taken_back(self):
        """What was there is as it was, beside what others wrote meanwhile."""
        for existing in ("append", "upsert"):
            with self.subTest(existing):
                target = self.made(self.TABLE + "; INSERT INTO countries VALUES ('Chad', %s)" % ("1"
                    if existing == "append" else "9"))
                before = self.stored(target)
                self.plan(target, RECORDS, existing)
                run = json.loads(self.run_program("migrate", "--json", "--chunk-rows", 5, code=1).out)["run"]
                self.assertEqual(len(self.stored(target)), 3)
                self.server.ask(target, "INSERT INTO countries VALUES ('Togo', 7)")
                self.run_program("rollback", "--run", run, "--confirm")
                self.assertEqual(self.stored(target), before + [("Togo", "7")])

    def test_writers_wait_for_each_other_for_as_long_as_it_takes(self):
        """Each commit takes a second, and nobody else's lock is waited for as long as that."""
        target = self.made()
        self.plan(target, [("land %d" % (i % 7), i % 7) for i in range(25)])
        result = self.run_program("migrate", "--json", "--jobs", "4", "--chunk-rows", "5", "--timeout", "1s",
                                  env=dict(os.environ, TRANSHUME_FAILPOINT=self.FAILPOINTS[1] + ":sleep:0"))
        self.assertEqual(self.counts(result), (7, 0, 18))
        self.assertEqual(self.retries(), 0)

    def test_beside_records_that_were_there(self):
        for existing in ("append", "replace", "upsert", "skip"):
            for rows in (5, 1000):
                with self.subTest(existing=existing, rows=rows):
                    target = self.made(self.TABLE
                                       + "; INSERT INTO countries VALUES ('Chad', 1), ('Peru', 2), ('Fiji', 3)")
                    self.plan(target, RECORDS + [("Oman", 5)], existing)
                    skips = existing == "skip"
                    result = self.run_program("migrate", "--json", "--chunk-rows", rows, "--jobs", "1",
                                              code=0 if skips else 1)
                    # Peru comes in two ways; a repeat within a chunk does not travel at all, so the second one is met
                    # once in each
                    chunks = [RECORDS[at:at + rows] for at in range(0, len(RECORDS), rows)]
                    wanted = 0 if skips else sum(("Peru", 4) in chunk for chunk in chunks)
                    written = 4 if existing in ("replace", "upsert") else 1
                    self.assertEqual(self.counts(result), (written, wanted, 71 - written - wanted))
                    self.assertEqual({(reject["record"]["name"], reject["record"]["dial"])
                                      for reject in self.rejects()}, {("Peru", 4)} if wanted else set())
                    self.assertEqual(self.stored(target), [("Chad", "1"), ("Fiji", "3"), ("Oman", "5"), ("Peru", "2")])

    def test_what_is_equal(self):
        """Values that only a collation, or a type's own equality, takes for one are two records."""
        target = self.made(self.SPECIAL_TABLE)
        columns = "name TEXT, " + ", ".join("%s %s" % entry[:2] for entry in self.SPECIAL)
        fields = "{ '*': copy }"
        records = []
        for at, (column, _, first, second) in enumerate(self.SPECIAL):
            for copy, value in enumerate((first, first, second)):
                values = [value if other == column else "NULL" for other, *_ in self.SPECIAL]
                records.append("('%s', %s)" % (column, ", ".join(values)))
        self.plan(target, "VALUES " + ",".join(records), "append", fields, columns=columns)
        result = self.run_program("migrate", "--json", "--jobs", "1", "--chunk-rows", "1", code=1)
        count = len(self.SPECIAL)
        self.assertEqual(self.counts(result), (count, count, count), self.rejects())
        self.assertEqual(sorted(reject["record"]["name"] for reject in self.rejects()),
                         sorted(column for column, *_ in self.SPECIAL))
        for level in ("sample", "hash", "full"):
            self.assertEqual(json.loads(self.run_program("validate", "--level", level, "--json",
                                                         code=1).out)["records"], [])

    def test_records_that_are_refused_beside_repeats(self):
        target = self.made("CREATE TABLE countries (name varchar(20) PRIMARY KEY, dial int CHECK (dial < 100))")
        self.plan(target, "VALUES " + ",".join("(%s, %d)" % (name, dial) for name, dial in [
            ("'a'", 1), ("NULL", 1), ("'b'", 200), ("'a'", 1), ("'b'", 20), ("NULL", 1), ("'b'", 20), ("NULL", 2),
            ("'c'", 300), ("'a'", 2)]), "append")
        for rows in (1, 3, 100):
            with self.subTest(rows=rows):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.server.ask(target, "DELETE FROM countries")
                result = self.run_program("migrate", "--json", "--jobs", "1", "--chunk-rows", rows, code=1)
                written, rejected, skipped = self.counts(result)
                self.assertEqual((written, rejected + skipped), (2, 8))
                self.assertEqual(self.stored(target), [("a", "1"), ("b", "20")])
                found = sorted((reject["record"]["name"] or "", reject["record"]["dial"], reject["code"])
                               for reject in self.rejects())
                self.assertEqual(sorted(set(found)), [("", 1, "key-null"), ("", 2, "key-null"),
                                                      ("a", 2, "key-duplicate"), ("b", 200, "constraint"),
                                                     ("c", 300, "constraint")])

    def test_killed(self):
        options = ("--chunk-rows", 5, "--batch-rows", 3)
        self.plan(self.made(), RECORDS)
        _, reached = support.count_failpoints("migrate", *options, cwd=self.folder)
        for place in self.FAILPOINTS:
            for occurrence in sorted({1, reached[place]}):
                with self.subTest(place=place, occurrence=occurrence):
                    target = self.made()
                    self.plan(target, RECORDS)
                    killed = support.kill_at(place, occurrence, "migrate", *options, cwd=self.folder)
                    self.assertEqual(killed.code, -9, killed.err)
                    result = support.transhume("resume", "--json", *options, cwd=self.folder)
                    self.assertEqual(result.code, 1, result.err)
                    written, rejected, skipped = self.counts(result)
                    self.assertEqual((written, written + rejected + skipped), (3, 70))
                    dial = dict(self.stored(target))
                    self.assertEqual((dial["Chad"], dial["Fiji"], len(dial)), ("1", "3", 3))
                    self.assertIn(dial["Peru"], ("2", "4"))


class IntoPostgres(Distinct, sql_case.SqlCase):
    SERVERS = postgres
    FAILPOINTS = ("postgres.before_mark", "postgres.before_commit", "postgres.after_commit")
    SPECIAL = (("f", "REAL", "0.1", "0.2"), ("j", "TEXT", "'{\"a\": 1}'", "'{\"a\":1}'"),
               ("jb", "TEXT", "'{\"a\": 1}'", "'{\"a\": 2}'"),
               ("p", "TEXT", "'(1,2)'", "'(1,3)'"), ("b", "TEXT", "'(1,1),(0,0)'", "'(2,2),(1,1)'"),
               ("iv", "TEXT", "'P1D'", "'PT24H'"),
               ("x", "TEXT", "'<a/>'", "'<b/>'"), ("t", "TEXT", "'a'", "'A'"), ("by", "BLOB", "x'00ff'", "x'00fe'"),
               ("n", "NUMERIC", "'1.5'", "'1.6'"), ("nn", "NUMERIC", "NULL", "'1'"),
               ("ip", "TEXT", "'10.0.0.1'", "'10.0.0.2'"),
               ("s", "TEXT", "'1.0'", "'1.00'"), ("z", "TEXT", "'0.0'", "'-0.0'"),
               ("jn", "TEXT", "'{\"a\": 1.0}'", "'{\"a\": 1.00}'"),
               ("tz", "TEXT", "'10:00:00+00'", "'11:00:00+01'"), ("ns", "TEXT", "'{1.0}'", "'{1.00}'"),
               ("ci", "TEXT", "'a'", "'A'"))
    SPECIAL_TABLE = ("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
                     "CREATE EXTENSION citext;"
                     "CREATE TABLE countries (name text PRIMARY KEY, f double precision, j json, jb jsonb, p point, "
                     "b box, iv interval, x xml, "
                     "t text COLLATE nocase, by bytea, n numeric, nn numeric, ip inet, "
                     "s numeric, z double precision, jn jsonb, tz timetz, ns numeric[], ci citext)")

    KINDS = {"n": ("numeric", "1.0", "1.00"), "f": ("float8", "0", "-0"), "i": ("interval", "1 mon", "30 days"),
             "j": ("jsonb", "[1.0]", "[1.00]"),
             "t": ("timetz", "10:00+00", "11:00+01"), "b": ("box", "(1,1),(0,0)", "(2,2),(1,1)"),
             "a": ("numeric[]", "{1.0}", "{1.00}")}

    def values_taken_for_one(self, target, *options, code=1):
        """
        The counts, of a source whose types take two of each three records for equal; the copy is found equal but for
        rejects.
        """
        script = "CREATE TABLE t (id serial PRIMARY KEY, k text, %s);" % ", ".join("%s %s" % (name, kind[0])
            for name, kind in self.KINDS.items())
        for name, (_, first, second) in self.KINDS.items():
            script += "INSERT INTO t (k, %s) VALUES ('%s', '%s'), ('%s', '%s'), ('%s', '%s');" % (name, name, first,
                name, second, name, first)
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables: { kinds: { key: [k], entities: { e: { from: t, "
                   "distinct: true, "
                   "fields: { k: copy, %s } } } } }\n" % (self.server.uri(self.made(script)), target,
                                                          ", ".join("%s: copy" % name for name in self.KINDS)))
        result = self.run_program("migrate", "--json", "--jobs", "1", *options, code=code)
        self.assertEqual({reject["code"] for reject in self.rejects()}, {"key-duplicate"})
        for level in ("sample", "hash", "full"):
            # for the rejects alone
            found = json.loads(self.run_program("validate", "--level", level, "--json", code=1).out)
            self.assertEqual(found["records"], [], level)
            self.assertGreater(sum(entity["rejected"] for entity in found["entities"]), 0, level)
        return self.counts(result)

    def test_values_that_a_type_takes_for_one(self):
        """Whether they come in one chunk or in several: what is told apart is a reject."""
        for rows in ("1", "1000"):
            with self.subTest(chunk_rows=rows):
                count = len(self.KINDS)
                self.assertEqual(self.values_taken_for_one(self.server.uri(self.made()), "--chunk-rows", rows),
                                 (count, count, count), self.rejects())

    def test_values_that_another_target_takes_for_one(self):
        """Skipped is what it keeps the same, and nothing else."""
        support.make_sqlite(self.path("loose.db"), "CREATE TABLE kinds (k TEXT PRIMARY KEY, %s)"
                            % ", ".join(self.KINDS))
        other = mariadb.for_class(type(self))
        for target, options in ((other.uri(other.database()), ()), ("sqlite:made.db", ()),
                                ("sqlite:loose.db", ("--existing", "append")), ("jsonl:lines", ()), ("csv:fields", ()),
                                ("dynamodb-json:items", ())):
            with self.subTest(target=target):
                written, rejected, skipped = self.values_taken_for_one(target, "--chunk-rows", "1", *options)
                self.assertEqual((written, rejected + skipped), (len(self.KINDS), 2 * len(self.KINDS)))


class IntoMysql(Distinct, sql_case.SqlCase):
    SERVERS = mariadb
    FAILPOINTS = ("mysql.before_mark", "mysql.before_commit", "mysql.after_commit")
    SPECIAL = (("t", "TEXT", "'a'", "'A'"), ("pad", "TEXT", "'a'", "'a '"),
               ("j", "TEXT", "'{\"a\": 1}'", "'{\"a\":1}'"),
               ("by", "BLOB", "x'00ff'", "x'00fe'"), ("n", "DECIMAL(5,2)", "'1.5'", "'1.6'"),
               ("nn", "INTEGER", "NULL", "1"),
               ("e", "TEXT", "'é'", "'e'"), ("at", "DATETIME", "'2020-01-01 00:00:00'", "'2020-01-01 00:00:00.000001'"))
    SPECIAL_TABLE = ("CREATE TABLE countries (name varchar(20) PRIMARY KEY, t text, pad varchar(5), j json, `by` blob, "
                     "n decimal(5,2), nn int, "
                     "e varchar(3), at datetime(6)) COLLATE utf8mb4_general_ci")
