"""Rollback into PostgreSQL: exactly what the run wrote goes, what it overwrote comes back.

What was there before and what is there after are compared by pg_dump (definitions) and psql (rows).
"""
import json
import os
import shutil
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import rollback_case
import support
import tcp_proxy

TARGET = """
CREATE TABLE item(id bigint PRIMARY KEY, name text, price numeric, bin bytea, note text DEFAULT 'n',
                  twice bigint GENERATED ALWAYS AS (id * 2) STORED, kept jsonb DEFAULT '{"a": [1, 2]}');
CREATE TABLE pair(x text, y bigint, v double precision, item_id bigint, PRIMARY KEY (x, y));
CREATE INDEX item_name ON item(name);
CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
CREATE VIEW mine AS SELECT a FROM other;
"""
FILL = """
INSERT INTO item SELECT i, 'old ' || i, i / 8.0, decode(repeat('ab', i %% 5), 'hex'), NULL FROM generate_series(%d, %d) i;
INSERT INTO pair SELECT 'k' || i %% 7, i, i / 7.0::float8, i FROM generate_series(%d, %d) i;
""" % (rollback_case.COUNT // 2, rollback_case.COUNT + 39, rollback_case.COUNT // 2, rollback_case.COUNT + 39)


class Postgres(rollback_case.Rollbacks):
    target_script, filled, failpoints = TARGET, FILL, "postgres."

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def sql(self, statements):
        return self.server.psql(self.name, statements)

    def clear(self):
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS app CASCADE")

    def contents(self):
        """Definitions as pg_dump tells them, and all rows."""
        return self.server.dump(self.name, "--schema-only"), self.server.rows(self.name)

    @staticmethod
    def key(table):
        return "public", table

    def records(self, table):
        key = {"item": "id", "pair": "x, y"}[table]
        return {tuple(row[:-1]): row[-1] for row in self.sql("SELECT %s, t::text FROM %s t" % (key, table))}

    def own_tables(self):
        return [name
                for name, in self.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE "
                                      "'\\_transhume%'")]

    def test_what_was_counted_when_an_answer_is_lost(self):
        """The records are taken back, and the step that is repeated finds none any more."""
        self.target("filled")
        before = self.contents()
        self.migrate("--existing", "upsert")
        looked = json.loads(self.rollback("--dry-run").out)["tables"]
        self.assertTrue(all(table["removed"] and table["restored"] for table in looked), looked)
        with tcp_proxy.TcpProxy(self.server.port) as proxy:
            uri = self.server.uri(self.name, via=proxy)
            process = self.stopped_at("rollback.before_table:stop:1", "rollback", "--run", self.run_id(), "--confirm",
                                      "--json", uri)
            proxy.cut_at(b"COMMIT", before=False)
            process.send_signal(signal.SIGCONT)
            result = support.finish(process)
            self.assertEqual(proxy.cuts, 1)
        self.assert_code(result, 0)
        counts = ("name", "removed", "restored", "changed", "missing")
        self.assertEqual([[table[count] for count in counts] for table in json.loads(result.out)["tables"]],
                         [[table[count] for count in counts] for table in looked])
        self.assertEqual(self.contents(), before)

    def test_more_records_one_by_one_than_the_server_has_room_for_locks(self):
        """What somebody's record keeps from coming back has them all tried one after the other."""
        count = 2000
        server = postgres.Server(settings={"max_connections": "10", "max_locks_per_transaction": "10",
                                           "max_wal_senders": "0"})
        self.addCleanup(server.stop)
        name = server.database()
        server.psql(name,
                    "CREATE TABLE t(id int PRIMARY KEY, e text UNIQUE); INSERT INTO t SELECT i, "
                    "'old ' || i FROM generate_series(1, %d) i" % count)
        support.make_sqlite(self.path("many.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, e TEXT); WITH RECURSIVE n(i) AS "
                            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO t SELECT i, "
                            "'new ' || i FROM n" % count)
        self.run_program("migrate", "-q", "--existing", "upsert", "many.db", server.uri(name))
        server.psql(name, "INSERT INTO t VALUES (0, 'old 7')")
        report = json.loads(self.rollback().out)["tables"][0]
        self.assertEqual((report["restored"], report["changed"]), (count - 1, 1))
        self.assertEqual(server.psql(name, "SELECT count(*), count(*) FILTER (WHERE e = 'old ' || id) FROM t"),
                         [[str(count + 1), str(count - 1)]])

    def test_runs_beside_each_other(self):
        """Each keeps its own tables beside the ledger, whichever ends first."""
        support.make_sqlite(self.path("beside.db"),
                            "CREATE TABLE beside(id INTEGER PRIMARY KEY); INSERT INTO beside VALUES (1), (2)")
        self.target("filled")
        before = self.contents()
        first = self.stopped_at("postgres.before_commit:stop:1", "migrate", "-q", "--existing", "upsert", "source.db",
                                self.uri, "--state", "first")
        kept = {"_transhume_%s_%s" % (kind, self.run_id("first")) for kind in ("undo", "key")}
        for command in (("migrate", "-q", "beside.db", self.uri), ("rollback", "-q", "--run", None, "--confirm")):
            self.run_program(*(self.run_id() if word is None else word for word in command))
            self.assertEqual({name.rpartition("_")[0] for name in self.own_tables()} & kept, kept)
        first.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(first), 0)
        self.run_program("rollback", "-q", "--run", self.run_id("first"), "--confirm", "--state", "first")
        self.assertEqual(self.own_tables(), [])
        self.assert_as(before)

    def test_a_ledger_of_format_1(self):
        self.target("created")
        self.sql("CREATE TABLE _transhume_run (id int)")
        for command in (("migrate", "source.db", self.uri), ("finish", "--confirm", self.uri)):
            said = self.run_program(*command, code=5).err
            self.assertIn("[ledger-invalid]", said)
            self.assertIn("drop the tables _transhume_* by hand", said)
        self.assertEqual(self.own_tables(), ["_transhume_run"])

    def test_from_postgres_with_every_type(self):
        """Before-images of each type, and keys of each kind that there is."""
        types = {"k1": ("int", "7"), "k2": ("text COLLATE \"C\"", "'a''b'"), "k3": ("uuid", "md5('x')::uuid"),
                 "k4": ("numeric", "1.50"), "k5": ("inet", "'10.0.0.1'"),
                 "k6": ("timestamptz", "'2020-02-02 02:02:02.123456+01'"),
                 "k7": ("bytea", "'\\x00ff'"), "k8": ("char(5)", "'ab'"), "k9": ("date", "'infinity'")}
        values = {"b": ("bool", "true"), "f": ("real", "'NaN'"), "d": ("float8", "-0.0"),
                  "i": ("interval", "'1 mon 2 days'"),
                  "j": ("json", "'{\"b\": 1, \"a\" : 2}'"), "jb": ("jsonb", "'{\"b\": 1}'"),
                  "a": ("int[]", "'{1,NULL,3}'"),
                  "t": ("time", "'24:00'"), "tz": ("timetz", "'12:00+05:30'"), "c": ("cidr", "'10.0.0.0/8'"),
                  "p": ("point", "'(1,2)'"), "r": ("int4range", "'[1,5)'"), "m": ("money", "'1.23'"),
                  "x": ("xml", "'<a/>'"),
                  "bits": ("varbit", "'1011'"), "n": ("numeric(38,10)", "1234567890123456789012345678.0123456789"),
                  "ts": ("timestamp", "'0044-03-15 BC'"), "tv": ("tsvector", "'a:1 b:2'"),
                  "mac": ("macaddr", "'08:00:2b:01:02:03'")}
        source = self.server.database()
        script = "CREATE TABLE t(%s, PRIMARY KEY (%s));" % (
            ", ".join("%s %s" % (name, kind[0]) for name, kind in {**types, **values}.items()), ", ".join(types))
        row = "INSERT INTO t VALUES (%s);"
        filled = row % ", ".join(kind[1] for kind in {**types, **values}.values())
        nulls = row % ", ".join([kind[1] for kind in types.values()] + ["NULL"] * len(values))
        self.server.psql(source, script + filled + filled.replace("VALUES (7", "VALUES (8"))
        for policy, there in (*support.covering(("upsert", "replace"), (filled, nulls), by=self.id()),
                              *support.drawn((("skip", filled), ("skip", nulls)), 1, self.id())):
            with self.subTest(policy=policy, there=there[:60]):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;" + script + there)
                before = self.contents()
                self.run_program("migrate", "-q", "--existing", policy, self.server.uri(source), self.uri)
                self.assertEqual(self.sql("SELECT count(*) FROM t"), [["2"]])
                report = json.loads(self.rollback().out)["tables"][0]
                self.assertEqual((report["removed"], report["restored"]), (1, 0 if policy == "skip" else 1))
                self.assert_as(before)

    def test_keys_that_are_rows_with_nulls_in_them(self):
        source = self.server.database()
        table = "CREATE TYPE half AS (a int, b text); CREATE TABLE t (k half PRIMARY KEY, v text);"
        self.server.psql(source,
                         table
                         + "INSERT INTO t VALUES ('(1,)', 'new'), ('(,)', 'new'), ('(,x)', 'new'), ('(2,y)', 'new')")
        for policy, restored in (("upsert", 2), ("replace", 2), ("skip", 0)):
            with self.subTest(policy=policy):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.name = self.server.database()
                self.uri = self.server.uri(self.name)
                self.sql(table + "INSERT INTO t VALUES ('(,x)', 'old'), ('(2,y)', 'old'), ('(,q)', 'old')")
                before = self.sql("SELECT * FROM t ORDER BY k")
                self.run_program("migrate", "-q", "--existing", policy, self.server.uri(source), self.uri)
                for arguments in (("--dry-run",), ("--confirm",)):
                    told = json.loads(self.rollback(*arguments).out)["tables"][0]
                    self.assertEqual([told[name] for name in ("removed", "restored", "changed", "missing")],
                                     [2, restored, 0, 0])
                self.assertEqual(self.sql("SELECT * FROM t ORDER BY k"), before)

    def test_what_others_made_of_it_is_not_taken_along(self):
        made = {"a view": "CREATE VIEW app_view AS SELECT id FROM item",
                "a reference": "CREATE TABLE app_note (item bigint REFERENCES item ON DELETE CASCADE, t text); "
                               "INSERT INTO app_note VALUES (5, 'mine')",
                "a function": "CREATE FUNCTION app_function(item) RETURNS bigint LANGUAGE sql AS 'SELECT $1.id'",
                "in another schema": "CREATE SCHEMA app; CREATE VIEW app.v AS SELECT * FROM public.pair"}
        cases = [("created", case) for case in made.items()] + [("empty", case) for case in made.items()
                                                                if case[0] == "a reference"]
        stays = [("empty", case) for case in made.items() if case[0] != "a reference"]
        for kind, (what, statement) in cases + support.drawn(stays, 1, self.id()):
            with self.subTest(kind=kind, what=what):
                self.target(kind)
                before = self.contents()
                self.migrate()
                self.sql(statement)
                if kind == "empty" and what != "a reference":
                    self.rollback()   # the table stays
                    continue
                result = self.rollback(code=5)
                self.assertIn("[rollback-refused]", result.err)
                self.assertEqual(self.sql("SELECT count(*) FROM item"), [[str(rollback_case.COUNT)]])
                self.sql({"a view": "DROP VIEW app_view", "a reference": "DROP TABLE app_note", "in another schema":
                          "DROP SCHEMA app CASCADE", "a function": "DROP FUNCTION app_function(item)"}[what])
                self.rollback()
                self.assert_as(before)

    def test_a_cascade_does_not_reach_the_rows_of_others(self):
        self.target("filled")
        self.migrate("--existing", "upsert")
        self.sql("CREATE TABLE app_note (item bigint REFERENCES item ON DELETE CASCADE); "
                 "INSERT INTO app_note VALUES (5), (200);"
                 "CREATE TABLE strict_note (item bigint REFERENCES item); INSERT INTO strict_note VALUES (6), (201);")
        report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(report["item"]["changed"], 2)
        self.assertEqual(self.sql("SELECT (SELECT count(*) FROM app_note), (SELECT count(*) FROM strict_note)"),
                         [["2", "2"]])
        self.assertEqual(self.sql("SELECT id FROM item WHERE name LIKE 'new%' ORDER BY id"), [["5"], ["6"]])


if __name__ == "__main__":
    unittest.main()
