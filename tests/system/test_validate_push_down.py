"""Validation in which the servers sum the hashes of their rows (--push-down): it says what a reading says, of every
type's edge values,
kind of key and sort of damage, and little of the data travels.

Damage is done by psql and MariaDB's own client. What a reading finds is the expectation: what that finds is tested
elsewhere.
"""
import json
import os
import random
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support
import tcp_proxy
import test_mysql
import test_postgres
import test_validate_mysql
import test_validate_postgres

HOW = ("pushed_down", "read_because")


class PushDownCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres, cls.mysql = postgres.for_class(cls), mariadb.for_class(cls)

    def copied(self, source, target, script, prepare="", *, code=0, options=()):
        """
        A database of the server `source` with the script, copied into one of `target`: (ask the source, ask the
        target).
        """
        self.source, self.target = source.database(), target.database()
        source.ask(self.source, script)
        target.ask(self.target, prepare)
        self.uris = source.uri(self.source), target.uri(self.target)
        self.run_program("migrate", "--quiet", *self.uris, *options, code=code)
        return (lambda sql: source.ask(self.source, sql)), (lambda sql: target.ask(self.target, sql))

    def report(self, *options, code):
        said = self.run_program("validate", "--json", "--limit", "10000", *options, code=code)
        return json.loads(said.out)

    @staticmethod
    def essence(report):
        """All that does not tell how it was found out."""
        left = {name: value for name, value in report.items() if name not in ("rows", "milliseconds", "columns",
                                                                              "push_down", "source_since_run")}
        left["entities"] = [{name: value for name, value in row.items() if name not in HOW}
                            for row in report["entities"]]
        # others use the server, too
        left["notes"] = [note for note in report["notes"] if not note.startswith("the source changed since")]
        left["records"] = sorted(report["records"], key=json.dumps)
        return left

    def alike(self, code, *options):
        """The reports of a reading and of a push-down, which say the same."""
        read, pushed = self.report(*options, code=code), self.report("--push-down", *options, code=code)
        self.assertEqual(self.essence(read), self.essence(pushed))
        self.assertFalse(any(name in row for row in read["entities"] for name in HOW))
        left = {row["table"] for row in pushed["entities"] if not row.get("pushed_down")}
        self.assertEqual([column for column in read["columns"] if column["table"] in left], pushed["columns"])
        return read, pushed

    def how(self, report):
        """Of each entity True, or why it was read."""
        return {row["name"]: row["pushed_down"] or row["read_because"] for row in report["entities"]}


class Slice(PushDownCase):
    SCRIPT = ("CREATE TABLE person (id int PRIMARY KEY, name text); INSERT INTO person SELECT i, "
              "'name ' || i FROM generate_series(1, 3000) i")

    def test_one_flipped_value(self):
        _, ask = self.copied(self.postgres, self.mysql, self.SCRIPT)
        _, pushed = self.alike(0)
        self.assertEqual(self.how(pushed), {"person": True})
        self.assertEqual(pushed["rows"], 6000)
        ask("UPDATE person SET name = 'nome 1234' WHERE id = 1234")
        _, pushed = self.alike(1)
        self.assertEqual([(record["kind"], record["key"], record["fields"]) for record in pushed["records"]],
                         [("different", {"id": 1234}, [{"name": "name", "source": '"name 1234"',
                                                        "target": '"nome 1234"'}])])
        self.assertLess(pushed["rows"], 6000 + 2 * 600)

    def test_a_uuid_that_is_a_text_there(self):
        """In MySQL's older versions and by a type rule: their texts are equal, and so nothing is read."""
        for target, uuid in ((self.mysql, "char(36)"), (self.postgres, "text"), (self.mysql, "uuid")):
            with self.subTest(uuid):
                _, ask = self.copied(self.postgres, target, "CREATE TABLE t (id int PRIMARY KEY, u uuid);"
                                     "INSERT INTO t SELECT i, overlay(overlay(md5(i::text) placing '4' from 13) "
                                     "placing '8' from 17)::uuid FROM generate_series(1, 300) i; "
                                     "INSERT INTO t VALUES (0, NULL)",
                                     "CREATE TABLE t (id int PRIMARY KEY, u %s)" % uuid)
                _, pushed = self.alike(0)
                self.assertEqual(self.how(pushed), {"t": True})
                self.assertEqual(pushed["rows"], 602)
                ask("UPDATE t SET u = '00000000-0000-0000-0000-000000000000' WHERE id = 17")
                self.alike(1)

    def test_little_travels(self):
        _, ask = self.copied(self.postgres, self.mysql, self.SCRIPT.replace("3000", "30000").replace("'name '",
            "repeat('name ', 20)"))
        with tcp_proxy.CountingProxy(self.postgres.port) as left, tcp_proxy.CountingProxy(self.mysql.port) as right:
            uris = [uri.replace(":%d/" % server.port, ":%d/" % proxy.port) for uri, server, proxy in
                    zip(self.uris, (self.postgres, self.mysql), (left, right))]
            counted = []
            for options, damage in (((), ""), (("--push-down",), ""),
                                    (("--push-down",), "UPDATE person SET name = '' WHERE id = 77")):
                ask(damage)
                left.bytes = right.bytes = 0
                self.run_program("validate", *options, *uris, "--state", "other", code=1 if damage else 0)
                counted.append((left.bytes, right.bytes))
        (left_read, right_read), (left_pushed, right_pushed), (left_damaged, right_damaged) = counted
        self.assertLess(left_pushed, left_read / 15)
        self.assertLess(right_pushed, right_read / 15)
        self.assertLess(left_damaged, left_read / 8)   # and a bucket of rows
        self.assertLess(right_damaged, right_read / 8)

    def test_a_stop_ends_the_statement(self):
        source, target = self.postgres.database(), self.mysql.database()
        self.postgres.ask(source,
                          "CREATE TABLE gate (); CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, "
                          "'x'), (2, 'y');"
                                  "CREATE FUNCTION wait() RETURNS boolean VOLATILE LANGUAGE plpgsql AS 'BEGIN IF "
                                  "EXISTS (SELECT FROM gate) THEN "
                                  "PERFORM pg_sleep(100); END IF; RETURN true; END'; "
                                  "CREATE VIEW slow AS SELECT * FROM t WHERE wait()")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables: { slow: { key: id, "
                   "entities: { slow: { from: slow } } } }" % (
                       self.postgres.uri(source), self.mysql.uri(target)))
        self.run_program("migrate", "--quiet")
        _, pushed = self.alike(0)
        self.assertEqual(self.how(pushed), {"slow": True})
        self.postgres.ask(source, "INSERT INTO gate DEFAULT VALUES")
        working = ("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND state = 'active' AND query LIKE "
                   "'%%pg_catalog.md5%%' AND pid <> pg_backend_pid()")
        process = support.start("validate", "--push-down", cwd=self.folder)
        self.wait_until("the server sums", lambda: self.postgres.ask("postgres", working % source) == [["1"]])
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)
        self.wait_until("the server rests", lambda: self.postgres.ask("postgres", working % source) == [["0"]])


def columns_of(each_type):
    """The columns of which a list of changes has any, in its order."""
    return list(dict.fromkeys(column for _, column, _ in each_type))


class EdgeValues(PushDownCase):
    """A table for each type, so that none hides another, with the edge values of the connector's own tests; then each
    value that these
    change by the least that the type can tell apart is changed so."""

    @staticmethod
    def tables(columns, kept):
        """Of `edges`, one a column; `kept`: {column: the condition of its rows}."""
        return "".join("CREATE TABLE c_%s AS SELECT id, %s FROM edges WHERE %s; ALTER TABLE c_%s ADD PRIMARY KEY (id);"
                       % (
                           column, column, kept.get(column, "true"), column)
                       for column in columns) + "DROP TABLE edges;"

    def edges(self, source, target, edges, each_type, *, read, kept=None, prepare="", added=""):
        columns = columns_of(each_type)
        _, ask = self.copied(source, target, edges + added + self.tables(columns, kept or {}), prepare)
        _, pushed = self.alike(0)
        self.assertEqual({name for name, how in self.how(pushed).items() if how is not True},
                         {"c_" + column for column in read})
        again = pushed["rows"] - sum(row["source"] + row["target"] for row in pushed["entities"])
        ask("".join("UPDATE c_%s AS t SET %s%s = %s WHERE id = %d;" % (column, "" if target is self.postgres else "t.",
                                                                       column, value, row)
                    for row, column, value in each_type))
        _, pushed = self.alike(1)
        self.assertEqual({(record["table"], record["key"]["id"]) for record in pushed["records"]},
                         {("c_" + column, row) for row, column, _ in each_type})
        return again   # rows of a copy without a difference that were read all the same

    def test_postgres(self):
        again = self.edges(self.postgres, self.postgres, test_postgres.EDGES, test_validate_postgres.EACH_TYPE,
                           prepare=test_postgres.TYPES,
                           read="f4 f8 tz iv j jb ai at ip bits r pt mo x tsv".split())
        self.assertEqual(again, 0)

    def test_mysql(self):
        again = self.edges(self.mysql, self.mysql, test_mysql.EDGES,
                           [change for change in test_validate_mysql.EACH_TYPE if change[1] not in
                            ("inv", "cmt")], read="f4 f8 ip g".split())   # a table made so knows JSON as text
        self.assertEqual(again, 4)   # two dates that there are not

    def test_from_one_into_the_other(self):
        """Both ways in a soak."""
        for way in support.drawn((self.postgres_into_mysql, self.mysql_into_postgres), 1, self.id()):
            way()

    def postgres_into_mysql(self):
        """The edge values that both can hold."""
        in_reach = "%s IS NULL OR (isfinite(%s) AND %s BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.9999999')"
        kept = {column: in_reach % ((column,) * 3) for column in ("d", "ts", "tsz")}
        changes = [(1, "b", "0"), (2, "b", "2"), (1, "i2", "32766"), (2, "i4", "-2147483647"),
                   (1, "i8", "9223372036854775806"),
                   (1, "o", "4294967294"), (1, "n10", "9999999999999999999999999999.9999999998"),
                   (2, "n10", "-0.0000000002"),
                   (2, "n2", "-99999999.98"), (1, "t", "'plain '"), (2, "t", "NULL"), (3, "t", "concat(t, ' ')"),
                   (1, "v", "'ab'"),
                   (2, "v", "' x'"), (1, "nm", "'m'"), (1, "by", "x'00fe'"), (2, "by", "x'00'"),
                   (1, "d", "'0001-01-02'"),
                   (6, "d", "'2024-02-28'"), (4, "tm", "'00:00:00.000002'"), (1, "tm", "'00:00'"),
                   (1, "ts", "'0001-01-01 00:00:01'"),
                   (6, "ts", "'2024-02-29 12:34:56.5'"), (4, "tsz", "'9999-12-31 23:59:59.999998'"),
                   (1, "u", "'123e4567-e89b-12d3-a456-426614174001'"),
                   (1, "m", "'happy'"), (1, "p", "6"), (2, "p", "NULL")]
        again = self.edges(self.postgres, self.mysql, test_postgres.EDGES, changes, kept=kept, read=(),
                           added="INSERT INTO edges (id, d, ts) VALUES (6, '2024-02-29', '2024-02-29 12:34:56.05');")
        self.assertEqual(again, 0)

    def mysql_into_postgres(self):
        kept = {"lt": "id > 1", "d": "id IN (1, 3)", "dt": "id IN (1, 3)", "dt6": "id <> 2", "tm": "id IN (2, 4)",
                "tm6": "id IN (2, 3)"}
        changes = [
            (1, "t1", "0"), (1, "i1", "126"), (1, "i2", "65534"), (2, "i3", "-8388607"), (1, "i4", "4294967294"),
            (2, "i8", "-9223372036854775807"), (1, "u8", "18446744073709551614"),
            (1, "n65", "12345678901234567890123456789012345.123456789012345678901234567891"), (2, "n65", "0"),
            (1, "n2", "0.11"), (1, "b1", "false"), (2, "b1", "NULL"), (1, "b64", "18446744073709551614"),
            (1, "y", "2154"), (3, "y", "NULL"), (1, "v", "'abd'"), (2, "v", "' '"), (2, "v", "NULL"), (3, "v", "''"),
            (1, "c", "'aB'"), (1, "tt", "'T'"), (3, "lt", "NULL"), (1, "lat", "'aou'"), (1, "bn", "'\\x00ff0a08'"),
            (1, "vb", "'\\x5c0a09'"), (2, "vb", "'\\x00'"), (2, "lb", "NULL"), (1, "d", "'9999-12-30'"),
            (1, "dt", "'9999-12-31 23:59:58'"), (1, "dt6", "'9999-12-31 23:59:59.999998'"),
            (1, "ts", "'2038-01-19 03:14:07.999998Z'"), (3, "ts", "'2024-03-31 00:30:00.5Z'"),
            (4, "tm", "'12:00:01'"), (2, "tm6", "'00:00'"), (1, "e", "'a'"), (1, "s", "'p'"),
            (1, "u", "'123e4567-e89b-12d3-a456-426614174001'")]
        again = self.edges(self.mysql, self.postgres, test_mysql.EDGES, changes, kept=kept, read=("b1",))
        self.assertEqual(again, 0)


class Damage(PushDownCase):
    """Records of every kind of key lost, added, exchanged and changed, among many that are well."""
    SCRIPT = """
    CREATE TABLE number (id bigint PRIMARY KEY, name varchar(40), price decimal(12,2));
    INSERT INTO number SELECT i * 7 - 9000, concat('name ', i), i / 100.0 FROM %(series)s;
    CREATE TABLE word (w varchar(40) %(mixed)s PRIMARY KEY, n int);
    INSERT INTO word SELECT concat(CASE i %% 3 WHEN 0 THEN 'a' WHEN 1 THEN 'B' ELSE '\u00e9_' END, i), i FROM %(series)s;
    CREATE TABLE pair (a varchar(9), b int, at timestamp %(null)s, PRIMARY KEY (b, a));
    INSERT INTO pair SELECT concat('k', i %% 11), i, NULL FROM %(series)s;
    CREATE TABLE unkeyed (w varchar(40), n int);
    INSERT INTO unkeyed SELECT concat('w', i %% 50), i %% 2 FROM %(series)s;
    CREATE TABLE "We""ird 'na%%me" ("sel; ect" int PRIMARY KEY, "a'b\\" varchar(9), "%%s" varchar(9));
    INSERT INTO "We""ird 'na%%me" VALUES (1, 'q', NULL), (2, NULL, 'q'), (3, 'N', '1:N;');
    """
    ROWS = 1000
    FORMS = {"postgres": {"series": "generate_series(1, %d) i" % ROWS, "mixed": 'COLLATE "en-x-icu"', "null": ""},
             "mysql": {"series": "(SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_%d) s" % ROWS,
                       "mixed": "COLLATE utf8mb4_general_ci", "null": "NULL"}}
    DONE = """
    UPDATE number SET price = price + 0.01 WHERE id IN (-8993, -5500); DELETE FROM number WHERE id > -2035; INSERT INTO number VALUES (99999, NULL, 0);
    UPDATE word SET w = 'B0' WHERE w = 'B1'; UPDATE word SET n = 11 - n WHERE n IN (5, 6); DELETE FROM word WHERE n = 77;
    UPDATE pair SET a = 'k ' WHERE b = 9; UPDATE pair SET at = '2024-02-29 12:00:00' WHERE b = 10; DELETE FROM pair WHERE b < 3;
    INSERT INTO unkeyed VALUES ('w1', 1), ('w1', NULL); UPDATE unkeyed SET n = 7 WHERE w = 'w6';
    UPDATE "We""ird 'na%me" SET "a'b\\" = "%s", "%s" = "a'b\\" WHERE "sel; ect" < 3;
    UPDATE "We""ird 'na%me" SET "a'b\\" = NULL, "%s" = 'N;1:N' WHERE "sel; ect" = 3;
    """

    def form(self, server):
        return self.FORMS["mysql" if server is self.mysql else "postgres"]

    @staticmethod
    def begin(server):
        """Names are quoted as in the standard."""
        return "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; " if isinstance(server, mariadb.Server) else ""

    def between(self, source, target):
        _, ask = self.copied(source, target, self.begin(source) + self.SCRIPT % self.form(source))
        _, pushed = self.alike(0)
        self.assertEqual(set(self.how(pushed).values()), {True})
        self.assertEqual(pushed["rows"], sum(row["source"] + row["target"] for row in pushed["entities"]))
        self.assertGreater(pushed["rows"], 8 * self.ROWS)
        ask(self.begin(target) + self.DONE)
        _, pushed = self.alike(1)
        self.assertGreater(pushed["record_count"], 50)
        self.run_program("validate", "--push-down", "--repair", "--delete-extra", "--confirm")
        _, pushed = self.alike(0)
        self.assertEqual(set(self.how(pushed).values()), {True})
        ask("DELETE FROM number")
        self.alike(1)

    def test_pairs(self):
        pairs = [(source, target) for source in (self.postgres, self.mysql) for target in (self.postgres, self.mysql)]
        for source, target in pairs if support.SOAK else random.Random(support.SEED).sample(pairs, 1):
            with self.subTest(source=source.TITLE, target=target.TITLE, seed=support.SEED):
                self.setUp()   # a folder of its own
                self.between(source, target)


class WhatIsRead(PushDownCase):
    PLAN = """
transhume: 1
source: %s
target: %s
tables:
  plain: { key: id, entities: { plain: { from: t1, fields: { "*": copy, f: { drop: true }, j: { drop: true } } } } }
  renamed: { key: number, entities: { renamed: { from: t2, fields: { number: { column: id }, aa: { column: z }, zz: { column: a } } } } }
  some: { key: id, entities: { some: { from: t3, where: "id > 10", fields: { id: copy, a: copy } } } }
  computed: { key: id, entities: { computed: { from: t4, fields: { id: copy, a: { sql: "a || '!'", cast: text } } } } }
  cast: { key: id, entities: { cast: { from: t5, fields: { id: copy, a: { column: id, cast: text } } } } }
  two: { key: [kind, id], entities: {
    first: { from: t6, fields: { kind: { const: 1 }, id: copy } }, second: { from: t7, fields: { kind: { const: 2 }, id: copy } } } }
  asked: { key: id, entities: { asked: { query: "SELECT id, a FROM t1", fields: { "*": copy } } } }
  floats: { key: id, entities: { floats: { from: t8, fields: { id: copy, f: copy } } } }
  json: { key: id, entities: { json: { from: t9, fields: { id: copy, j: copy } } } }
  one: { key: id, entities: { one: { from: t10, fields: { id: copy } } } }
  other: { key: id, entities: { other: { from: t10, fields: { id: copy, a: copy } } } }
"""

    def test_by_plan_and_type(self):
        source, self.target = self.postgres.database(), self.mysql.database()
        self.postgres.ask(source, "".join(
            "CREATE TABLE t%d (id int PRIMARY KEY, a varchar(20), z numeric(6,2), f float8, j json);"
            "INSERT INTO t%d SELECT i, 'a' || i, i / 7.0, i / 7.0, '{\"i\":  1}' FROM generate_series(1, 300) i;" % (i,
                i) for i in range(1, 11)))
        self.write("transhume.yaml", self.PLAN % (self.postgres.uri(source), self.mysql.uri(self.target)))
        self.run_program("migrate", "--quiet")
        _, pushed = self.alike(0)
        made = "the plan makes more of it than columns of one table as they are"
        several, others = "several entities go into its table", "the same rows go into other entities, too"
        nothing = "no text is known in the source to compare %s by"
        self.assertEqual(self.how(pushed), {
            "plain": True, "renamed": True, "some": made, "computed": made, "cast": made, "first": several,
            "second": several, "asked": made,
            "floats": nothing % "f", "json": nothing % "j", "one": others, "other": others})
        for table, column in (("plain", "a"), ("renamed", "zz"), ("some", "a"), ("computed", "a"), ("cast", "a"),
                              ("asked", "a")):
            key = "number" if table == "renamed" else "id"
            self.mysql.ask(self.target, "UPDATE %s SET %s = 'other' WHERE %s = 100; DELETE FROM %s WHERE %s = 200"
                           % (table, column, key, table, key))
        self.mysql.ask(self.target, "UPDATE renamed SET aa = aa + 0.01 WHERE number = 5; DELETE FROM two WHERE id = 7")
        self.alike(1)
        told = self.run_program("validate", "--push-down", code=1).out
        self.assertIn("pushed down: 2 of 12 entities", told)
        self.assertIn("note: floats was read: no text is known in the source to compare f by", told)
        for form in ("report.md", "report.html"):
            with open(self.path(".transhume", form), encoding="utf-8") as file:
                said = file.read()
            self.assertIn("2 of 12 entities", said)
            self.assertIn("the plan makes more of it than columns of one table as they are", said)

    def test_tables_that_held_records(self):
        self.copied(self.postgres, self.mysql,
                    "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
                    "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'z'), (3, 'z')",
                    options=("--existing", "upsert"))
        _, pushed = self.alike(0)
        self.assertEqual(self.how(pushed), {"t": "the target's table held records before"})

    def test_sides_that_are_no_server(self):
        self.copied(self.postgres, self.mysql,
                    "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        for number, uris in enumerate(((self.uris[0], "sqlite:copy.db"),
                                       ("sqlite:copy.db", self.postgres.uri(self.postgres.database())))):
            state = "state%d" % number
            self.run_program("migrate", "--quiet", "--state", state, *uris)
            _, pushed = self.alike(0, "--state", state)
            self.assertEqual(self.how(pushed), {"t": "the %s can't sum hashes of its rows" % ("target",
                "source")[number]})

    def test_rejects_of_the_run(self):
        """That are known, and the same without the state folder, when they are missing."""
        _, ask = self.copied(self.mysql, self.postgres,
                             "CREATE TABLE t (id int PRIMARY KEY, d date, a varchar(9) DEFAULT 'a');"
                             "INSERT INTO t SELECT seq, '2024-01-01', seq FROM seq_1_to_200; "
                             "UPDATE t SET a = concat('a', char(0)) WHERE id IN (5, 6, 7, 8)", code=1)
        for damage in ("",
                       "INSERT INTO t VALUES (5, '2024-01-01', 5), (7, '2024-02-01', 7); DELETE FROM t WHERE id = 9; "
                       "UPDATE t SET a = 'b' WHERE id = 10"):
            ask(damage)
            read, pushed = self.alike(1)
            self.assertEqual(self.how(pushed), {"t": "the run rejected some of its records"})
            self.assertEqual(read["entities"][0]["rejected"], 4)
            read, pushed = self.alike(1, *self.uris, "--state", "other")
            self.assertEqual(self.how(pushed), {"t": True})
            self.assertEqual(read["entities"][0]["missing"], 3 if damage else 4)

    def test_texts_of_another_encoding(self):
        """Of which other bytes are the same text, and the same bytes another."""
        self.postgres.ask("postgres",
                          "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        self.postgres.ask("latin",
                          "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, '\u00e9'), (2, "
                          "'\u00c3\u00a9')")
        self.target = self.mysql.database()
        self.run_program("migrate", "--quiet", self.postgres.uri("latin"), self.mysql.uri(self.target))
        _, pushed = self.alike(0)
        self.assertEqual(self.how(pushed), {"t": "no text is known in the source to compare a by"})
        self.mysql.ask(self.target, "UPDATE t SET a = '\u00e9' WHERE id = 2")
        self.alike(1)

    def test_a_table_without_a_key_is_not_kept(self):
        """It is summed in one statement, for which the server writes down none of its rows."""
        rows = 30000
        self.copied(self.mysql, self.mysql,
                    "CREATE TABLE t (a varchar(40), n int, UNIQUE KEY (n)); INSERT INTO t SELECT sha1(seq), "
                    "seq FROM seq_1_to_%d" % rows)
        written = "SHOW GLOBAL STATUS LIKE 'Handler_tmp_write'"
        before = int(self.mysql.ask("", written)[0][1])
        pushed = self.report("--push-down", code=0)
        self.assertEqual(self.how(pushed), {"t": True})
        self.assertLess(int(self.mysql.ask("", written)[0][1]) - before, rows // 2)

    def test_rows_above_the_packet_limit(self):
        """Of which the server makes NULL: that can't be compared with NULL."""
        script = "CREATE TABLE t (id int PRIMARY KEY, %s); INSERT INTO t SELECT seq, %s FROM seq_1_to_20" % (
            ", ".join("c%d varchar(1000) CHARACTER SET ascii" % i for i in range(40)),
            ", ".join(["repeat(char(96 + seq), 1000)"] * 40))
        _, ask = self.copied(self.mysql, self.mysql, script)
        self.addCleanup(self.mysql.ask, "", "SET GLOBAL max_allowed_packet = 16777216")
        self.mysql.ask("", "SET GLOBAL max_allowed_packet = 16384")
        _, pushed = self.alike(0)
        self.assertEqual((self.how(pushed), pushed["rows"]), ({"t": True}, 80))   # each was read, too
        ask("UPDATE t SET c5 = 'x' WHERE id = 3")
        self.alike(1)

    def test_keys_that_are_null(self):
        source, self.target = self.postgres.database(), self.mysql.database()
        self.postgres.ask(source,
                          "CREATE TABLE t (id int, a varchar(9)); INSERT INTO t SELECT NULLIF(i, 7), "
                          "i FROM generate_series(1, 200) i")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables: { t: { key: id, entities: { t: { from: t } } } }" % (
                       self.postgres.uri(source), self.mysql.uri(self.target)))
        self.run_program("migrate", "--quiet", code=1)
        read, pushed = self.alike(1)
        self.assertEqual(self.how(pushed), {"t": "the run rejected some of its records"})
        read, pushed = self.alike(1, "--plan", "transhume.yaml", "--state", "other")
        self.assertEqual((self.how(pushed), read["entities"][0]["source"], read["entities"][0]["rejected"]),
                         ({"t": True}, 199, 1))

    def test_bad_usage(self):
        for options, hint in ((("--level", "full"), "level full compares bytes"),
                              (("--level", "count"), "leave --level and --sample out"),
                              (("--sample", "5"), "leave --level and --sample out")):
            told = self.run_program("validate", "--push-down", *options, code=2).err
            self.assertIn("--push-down: goes with level hash", told)
            self.assertIn(hint, told)


if __name__ == "__main__":
    unittest.main()
