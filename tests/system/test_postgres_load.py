"""How tables are loaded into PostgreSQL: one COPY a chunk, keys and indexes afterwards, what stands in their way."""
import collections
import os
import re
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import support
import tcp_proxy
from test_postgres import PostgresCase

# A source may lie: an index that was not kept up for a while, and one that was declared unique when it was not.
LIAR = """
CREATE TABLE t (id int PRIMARY KEY, u int, v text);
INSERT INTO t SELECT i, i, repeat('x', 100) FROM generate_series(1, 5000) i;
CREATE INDEX t_u ON t (u);
CREATE INDEX t_v ON t (v, id DESC);
UPDATE pg_index SET indisready = false WHERE indexrelid = 't_pkey'::regclass;
INSERT INTO t VALUES (17, 100001, 'second'), (4000, 100002, 'second'), (4000, 100003, 'third'), (6000, 42, 'late');
UPDATE pg_index SET indisready = true WHERE indexrelid = 't_pkey'::regclass;
UPDATE pg_index SET indisunique = true WHERE indexrelid = 't_u'::regclass;
CREATE TABLE plain (id int PRIMARY KEY, w text UNIQUE);
INSERT INTO plain SELECT i, 'word ' || i || repeat('y', 100) FROM generate_series(1, 4000) i;
ANALYZE;
"""
NUMBERS = ("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
           "INSERT INTO t SELECT %s FROM c;")


class Load(PostgresCase):
    def keys(self, name, table="t"):
        return self.server.psql(name,
                                "SELECT indexdef, indisvalid, contype FROM pg_indexes JOIN pg_index ON indexrelid = "
                                "quote_ident(indexname)::regclass LEFT JOIN pg_constraint ON conindid = indexrelid "
                                "WHERE tablename = '%s' ORDER BY indexname" % table)

    def test_a_server_that_is_gone_while_it_builds(self):
        """Its machine is, so that nobody says that the connection is over: a wall that came up says no more."""
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX t_v ON t (v);"
                                     + NUMBERS % (100, "i, i"))
        for wanted in ("CREATE INDEX", "ANALYZE") if support.SOAK else ("CREATE INDEX",):
            with self.subTest(wanted), tcp_proxy.SilentProxy(self.server.port, wanted.encode()) as proxy:
                target = self.made()
                uri = self.server.uri(target, via=proxy)
                arguments = (source, uri, "--state", self.path("state-" + target))
                result = self.run_program("migrate", "--timeout", "500ms", *arguments, code=3)
                self.assertIn("transhume resume", result.err)
                self.assertTrue(proxy.silent.is_set())
                proxy.wanted = None
                proxy.silent.clear()
                proxy.cut_all()
                self.run_program("resume", *arguments)
                self.assertEqual([row[1:] for row in self.keys(target)], [["t", "p"], ["t", None]])

    def pulled(self, proxy, source, target, *options, **more):
        uri = self.server.uri(source, via=proxy)
        return self.run_program("migrate", "--verbose", "--jobs", "1", "--state", self.path("state-" + target),
                                *options, uri, self.server.uri(target), **more)

    def test_a_source_that_breaks_off_while_the_target_pulls(self):
        """
        The target's connection is none the worse for it; it is the readers who ask again, and say what is the matter.
        """
        source = self.made("CREATE TABLE t AS SELECT i AS id, repeat('x', 100) AS v FROM generate_series(1, 5000) i")
        for when in (True, False):
            with self.subTest(when), tcp_proxy.TcpProxy(self.server.port) as proxy:
                target = self.made()
                proxy.cut_at(b"COPY (SELECT", before=when)
                said = self.pulled(proxy, source, target).err
                self.assertEqual(proxy.cuts, 1)
                self.assertIn("t: the source broke off while the target pulled: 127.0.0.1:%d/" % proxy.port, said)
                self.assertNotIn("try 2", said)
                self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"),
                                 [["5000", str(5000 * 5001 // 2)]])

    def test_a_source_that_is_gone_while_the_target_pulls(self):
        source, target = self.made("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 5000) i"), self.made()
        with tcp_proxy.SilentProxy(self.server.port, b"COPY (SELECT") as proxy:
            said = self.pulled(proxy, source, target, "--timeout", "500ms", code=3).err
            self.assertTrue(proxy.silent.is_set())
            error = said[said.index("error:"):]
            self.assertIn("127.0.0.1:%d/" % proxy.port, error)
            self.assertNotIn("writing", error)
            proxy.wanted = None
            proxy.silent.clear()
            proxy.cut_all()
            self.run_program("resume", "--state", self.path("state-" + target))
        self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"), [["5000", str(5000 * 5001 // 2)]])

    def test_a_rollback_that_the_server_refuses(self):
        """Of a chunk of which a record was refused: the next transaction would go on in that one."""
        source = self.made("CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 3000) i; "
                           "UPDATE t SET id = 2 WHERE id = 1999")
        target, state = self.made("CREATE TABLE t (id int UNIQUE)"), self.path("refused")
        with tcp_proxy.AnsweringProxy(self.server.port, *tcp_proxy.AnsweringProxy.POSTGRES_ROLLBACK) as proxy:
            through = self.server.uri(target, "?sslmode=disable", via=proxy)
            self.run_program("migrate", "--existing", "append", "--jobs", "1", "--state", state,
                             self.server.uri(source), through, code=1)
            self.assertEqual(proxy.answered, 1)
        self.assertEqual(len(self.rejects(state)), 1)
        self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"),
                         [["2999", str(3000 * 3001 // 2 - 1999)]])

    def test_a_pull_over_a_slow_link_moves(self):
        source, target = self.made("CREATE TABLE t AS SELECT i AS id, repeat('x', "
                                   "200) AS v FROM generate_series(1, 3000) i"), self.made()
        with tcp_proxy.SlowProxy(self.server.port, 200000) as proxy:
            said = self.pulled(proxy, source, target, "--stall", "%dms" % (1000 * support.PATIENCE)).err
        self.assertIn("pulled in", said)
        self.assertNotIn("nothing moved", said)

    def liar(self):
        source = self.made(LIAR)
        for scan in ("indexscan", "bitmapscan", "indexonlyscan"):
            self.server.psql(source, "ALTER DATABASE %s SET enable_%s = off" % (source, scan))
        return source

    def assert_settled(self, target):
        self.assertEqual(self.server.psql(target, "SELECT count(*), count(DISTINCT id), count(DISTINCT u) FROM t"),
                         [["5000", "5000", "5000"]])
        # Of records under one unique value the lowest key stays; which of those under one key, nothing tells.
        self.assertEqual(self.server.psql(target, "SELECT id FROM t WHERE u = 42 OR id = 6000"), [["42"]])
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM plain"), [["4000"]])
        definitions = [row[0] for row in self.keys(target)]
        self.assertEqual(definitions, ["CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)",
                                       "CREATE UNIQUE INDEX t_u ON public.t USING btree (u)",
                                       "CREATE INDEX t_v ON public.t USING btree (v, id DESC)"])
        self.assertEqual({row[1] for row in self.keys(target)}, {"t"})
        self.assertEqual([row[2] for row in self.keys(target)], ["p", None, None])

    def assert_rejects(self):
        rejects = self.rejects()
        self.assertEqual(sorted(reject["key"]["id"] for reject in rejects), [17, 4000, 4000, 6000])
        self.assertEqual({reject["code"] for reject in rejects}, {"key-duplicate"})
        found = collections.Counter((reject["key"]["id"], reject["record"]["v"]) for reject in rejects)
        there = collections.Counter({(17, "x" * 100): 1, (17, "second"): 1, (4000, "x" * 100): 1, (4000, "second"): 1,
                                     (4000, "third"): 1, (6000, "late"): 1})
        self.assertEqual(found - there, collections.Counter())

    def test_keys_come_after_the_load(self):
        """The same as the source's, and not there while records come."""
        source, target = self.made(LIAR.split("UPDATE", 1)[0].replace("int PRIMARY KEY",
                                                                      "int CONSTRAINT t_key PRIMARY KEY",
                                                                      1)), self.made()
        self.assertEqual(support.kill_at("postgres.after_schema", 1, "migrate", self.server.uri(source),
                                         self.server.uri(target), cwd=self.folder).code, -9)
        self.assertEqual(self.keys(target), [])
        self.assertEqual(self.server.psql(target, "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass "
                                                  "AND attname = 'id'"), [["t"]])
        self.run_program("resume", self.server.uri(source), self.server.uri(target))
        self.assertEqual(self.keys(target), self.keys(source))
        self.assert_same_rows(source, target, "t")

    def test_small_tables_get_theirs_at_once(self):
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"), self.made()
        self.assertEqual(support.kill_at("postgres.after_schema", 1, "migrate", self.server.uri(source),
                                         self.server.uri(target), cwd=self.folder).code, -9)
        self.assertEqual(self.keys(target), self.keys(source))

    def test_records_that_a_source_said_were_not_there(self):
        for options in ([], ["--no-express", "--chunk-rows", "900", "--jobs", "2"]):
            with self.subTest(options):
                source, target = self.liar(), self.made()
                result = self.run_program("migrate", self.server.uri(source), self.server.uri(target), *options,
                                          "--state",
                                          self.path(".transhume"), code=1)
                self.assertIn("share unique values", result.err)
                self.assert_settled(target)
                self.assert_rejects()
                self.run_program("validate", self.server.uri(source), self.server.uri(target), "--level", "count",
                                 code=1)

    def test_killed_at_every_step_of_it(self):
        source = self.liar()
        points = ["postgres.before_index", "postgres.after_index", "postgres.before_lost", "postgres.after_lost",
                  "engine.before_settle", "engine.after_settle",
                  "engine.before_completed"]
        for point in support.drawn(points, 4, self.id()):
            for occurrence in (1, 2) if support.SOAK else (1,):
                target = self.made()
                state = self.path("state-%s-%d" % (point, occurrence))
                arguments = (self.server.uri(source), self.server.uri(target), "--state", state)
                killed = support.kill_at(point, occurrence, "migrate", *arguments, cwd=self.folder)
                if killed.code != -9:
                    self.assertTrue(occurrence == 2, point)   # some are reached once
                    continue
                with self.subTest(point, occurrence=occurrence):
                    self.run_program("resume", *arguments, code=1)
                    self.assert_settled(target)

    def test_killed_while_a_key_takes_its_index(self):
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE);" +
                                     NUMBERS % (100, "i, i"))
        for point in support.drawn(("postgres.after_index", "postgres.before_key", "postgres.after_key"), 2, self.id()):
            with self.subTest(point):
                target = self.made()
                arguments = (source, self.server.uri(target), "--state", self.path("state-" + point))
                self.assertEqual(support.kill_at(point, 1, "migrate", *arguments, cwd=self.folder).code, -9)
                self.run_program("resume", *arguments)
                self.assertEqual(sorted(row[2] or "" for row in self.keys(target)), ["", "p"])
                self.assertEqual(self.server.psql(target, "SELECT count(*) FROM t"), [["100"]])

    def test_the_server_went_on_without_the_client(self):
        """
        A process dies while the server makes its index, foreign key or primary key: the next one waits for that, and
        takes it.
        """
        script = ("CREATE TABLE p (id INTEGER PRIMARY KEY, u INTEGER UNIQUE); CREATE TABLE t (id INTEGER PRIMARY KEY, "
                  "p INTEGER REFERENCES p(u));"
                  "CREATE INDEX t_p ON t (p); INSERT INTO p VALUES (1, 1); INSERT INTO t VALUES (1, 1), (2, NULL);")
        source = support.make_sqlite(self.path("s.db"), script)
        indexes, keys = (("index", 1), ("index", 2), ("index", 3), ("index", 4)), (("key", 1), ("key", 2))
        for point, occurrence in (*support.drawn(indexes, 2, self.id()), *support.drawn(keys, 1, self.id()),
                                  ("reference", 1), ("validation", 1)):
            with self.subTest(point, occurrence=occurrence):
                target = self.made()
                arguments = (source, self.server.uri(target), "--state", self.path("state-%s-%d" % (point, occurrence)))
                result = self.abandon_and_resume(target, "postgres.before_%s:stop:%d" % (point, occurrence),
                                                 "BEGIN; LOCK TABLE p, t IN SHARE ROW EXCLUSIVE MODE; SELECT 1",
                                                 *arguments)
                # that waits for its lock for two seconds at most, and may be gone
                if point != "key" and not support.UNDER_VALGRIND:
                    self.assertRegex(result.err, "what session [0-9]+ builds on [pt]")
                self.assertEqual(sorted(row[2] or "" for row in self.keys(target) + self.keys(target, "p")),
                                 ["", "f", "p", "p"])
                self.assertEqual(self.server.psql(target,
                                                  "SELECT conrelid::regclass, convalidated FROM pg_constraint WHERE "
                                                  "contype = 'f'"),
                                 [["t", "t"]])

    def test_a_value_that_moved_between_two_snapshots(self):
        """Both records held it when they were read: the lowest key keeps it."""
        source = support.make_sqlite(
            self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, v TEXT);" +
            NUMBERS % (3000, "i, i, 'v' || i"))
        target = self.made()
        arguments = (source, self.server.uri(target))
        self.assertEqual(support.kill_at("postgres.after_commit", 1, "migrate", "--chunk-rows", "1000", "--jobs", "1",
                                         *arguments, cwd=self.folder).code, -9)
        self.assertEqual(self.keys(target), [])
        support.make_sqlite(source, "UPDATE t SET u = -1 WHERE id = 1; UPDATE t SET u = 1 WHERE id = 2900;")
        self.run_program("resume", *arguments, code=1)
        self.assertEqual(self.server.psql(target, "SELECT count(*), min(id) FILTER (WHERE u = 1) FROM t"),
                         [["2999", "1"]])
        self.assertEqual([reject["key"] for reject in self.rejects()], [{"id": 2900}])
        self.assertEqual(len(self.keys(target)), 2)

    def test_a_value_that_moved_in_a_table_of_partitions(self):
        """Rows of two partitions stand at one place, each in its own: only the one whose value is there twice goes."""
        source, target = self.made(
            "CREATE TABLE t (id int, part int, u int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);"
            "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);"
            "CREATE UNIQUE INDEX t_u ON t (u, part);"
            "INSERT INTO t SELECT i, 1 + i % 2, i, 'v' || i FROM generate_series(1, 6000) i;"), self.made()
        arguments = (self.server.uri(source), self.server.uri(target))
        self.assertEqual(support.kill_at("engine.after_commit", 1, "migrate", "--chunk-rows", "2048", "--jobs", "1",
                                         *arguments, cwd=self.folder).code, -9)
        self.server.psql(source, "UPDATE t SET u = 100001 WHERE id = 1; UPDATE t SET u = 1 WHERE id = 5999")
        self.run_program("resume", *arguments, code=1)
        self.assertEqual(self.server.psql(target, "SELECT count(*), min(id) FILTER (WHERE u = 1) FROM t"),
                         [["5999", "1"]])
        self.assertEqual([reject["key"] for reject in self.rejects()], [{"id": 5999, "part": 2}])

    def test_kinds_whose_equality_may_differ_keep_their_key(self):
        """1.0 is 1 and -0 is 0 in PostgreSQL, a dynamic column may hold anything: no promise of a source."""
        for declared in ("TEXT PRIMARY KEY", "NUMERIC PRIMARY KEY", "REAL PRIMARY KEY", "BLOB PRIMARY KEY"):
            with self.subTest(declared):
                name = re.sub(r"\W", "", declared)
                source = support.make_sqlite(self.path(name + ".db"),
                                             "CREATE TABLE t (id %s); INSERT INTO t VALUES (1), (2);" % declared)
                target = self.made()
                support.kill_at("postgres.after_schema", 1, "migrate", source, self.server.uri(target), "--state",
                                self.path("state" + name), cwd=self.folder)
                self.assertIn("p", [row[2] for row in self.keys(target)])

    def test_names_of_keys_are_told_apart(self):
        """
        Names that are one when they are cut, and names that an index of the plan has: made late, and with the table.
        """
        long = "t" * 58
        for column in ("INTEGER PRIMARY KEY", "TEXT NOT NULL PRIMARY KEY"):
            with self.subTest(column):
                state = self.path("state" + column[:4])
                source = support.make_sqlite(self.path(column[:4] + ".db"), "".join(
                    "CREATE TABLE %s (id %s, v INTEGER); INSERT INTO %s VALUES (1, 2);" % (table, column, table)
                    for table in (long + "_a", long + "_b", long + "_c", "a", "b", "c")) +
                    "CREATE INDEX b_pkey ON a (v); CREATE UNIQUE INDEX a_pkey ON c (v); CREATE INDEX c_pkey1 ON b (v); "
                    "CREATE INDEX c_pkey ON b (v, id)")
                target = self.made()
                self.run_program("migrate", source, self.server.uri(target), "--state", state)
                keys = self.server.psql(target,
                                        "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'p' AND "
                                        "connamespace = "
                                                "'public'::regnamespace AND conrelid::regclass::text NOT LIKE "
                                                "'\\_transhume%'")
                self.assertEqual({table for table, _ in keys}, {long + "_a", long + "_b", long + "_c", "a", "b", "c"})
                self.assertEqual(len({name for _, name in keys}), 6)
                self.assertEqual(self.server.psql(target,
                                                  "SELECT indexname, tablename FROM pg_indexes WHERE indexname IN "
                                                  "('a_pkey', 'b_pkey', 'c_pkey', 'c_pkey1') "
                                                          "ORDER BY 1"),
                                 [["a_pkey", "c"], ["b_pkey", "a"], ["c_pkey", "b"], ["c_pkey1", "b"]])

    def test_an_index_that_the_server_can_not_make(self):
        """Of texts longer than an entry, of a type without an order: told, and left out; but never a unique one."""
        long = "".join("%08x" % (i * 2654435761 % 2 ** 32) for i in range(1000))
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, j TEXT); "
                                     "CREATE INDEX t_v ON t (v); CREATE INDEX t_id ON t "
                                     "(id, v); INSERT INTO t VALUES (1, 'short', '{}'), (2, '%s', '[1]');" % long)
        target = self.made()
        result = self.run_program("migrate", source, self.server.uri(target))
        self.assertIn("t: the index t_v is not made: PostgreSQL says: index row size", result.err)
        self.assertIn("t: the index t_id is not made", result.err)
        self.assertEqual([row[2] for row in self.keys(target)], ["p"])
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM t"), [["2"]])
        target = self.made()
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\ntables:\n  t:\n    key: [id]\n    columns: { j: { type: "
                   "json } }\n"
                   "    indexes: { t_j: { columns: [j] } }\n    entities:\n      t:\n        from: t\n        fields: "
                   "{ id: copy, j: copy }\n" % (source, self.server.uri(target)))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--state", "planned")
        self.assertIn("t: the index t_j is not made: PostgreSQL says: data type json has no default operator class",
                      result.err)

    def test_a_unique_index_that_the_server_can_not_make(self):
        source = self.made("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                           "'v' || i FROM generate_series(1, 9) i;"
                           "CREATE TABLE u (a int UNIQUE)")
        self.server.psql(source,
                         "CREATE FUNCTION one(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; "
                         "CREATE UNIQUE INDEX t_one ON t (one(v), v)")
        target = self.made("CREATE FUNCTION one(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE 'no' "
                           "USING ERRCODE = '54000'; END$$")
        result = self.run_program("migrate", self.server.uri(source), self.server.uri(target), code=3)
        self.assertIn("t_one: ", result.err)
        self.assertIn("make one of this name", result.err)
        self.server.psql(target, "CREATE UNIQUE INDEX t_one ON t (v)")
        self.run_program("resume", self.server.uri(source), self.server.uri(target))

    def test_rows_without_a_partner_are_named(self):
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE p (a INTEGER, b TEXT, PRIMARY KEY (a, b)); "
                                     "INSERT INTO p VALUES (1, 'x');"
                                     "CREATE TABLE c (k INTEGER, l TEXT, a INTEGER, b TEXT, PRIMARY KEY (k, l), "
                                     "FOREIGN KEY (a, b) REFERENCES p);"
                                     "INSERT INTO c VALUES (1, 'm', 1, 'x'), (2, 'm', 1, 'y'), (2, 'n', 2, 'x'), (3, "
                                     "'o', NULL, 'z'), (4, 'p', 9, 'x'), (5, 'q', 9, 'x');"
                                     "CREATE TABLE d (id INTEGER PRIMARY KEY, a INTEGER REFERENCES e(id)); "
                                     "CREATE TABLE e (id INTEGER PRIMARY KEY);"
                                     "INSERT INTO d VALUES (77, 5);")
        target = self.made()
        result = self.run_program("migrate", source, self.server.uri(target), code=1)
        self.assertIn("4 orphaned rows, the first of them: k 2, l m; k 2, l n; k 4, l p", result.err)
        self.assertIn("1 orphaned row: id 77", result.err)
        self.assertEqual(self.server.psql(target, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'"),
                         [["f"], ["f"]])

    NOTE = ("CREATE SCHEMA audit; CREATE TABLE audit.note (tag text, session int, memory text, workers text);"
            "CREATE FUNCTION audit.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit.note "
            "VALUES (tg_tag, pg_backend_pid(), "
            "current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers')); END $$;"
            "CREATE EVENT TRIGGER note ON ddl_command_start WHEN TAG IN ('CREATE INDEX', "
            "'ALTER TABLE') EXECUTE FUNCTION audit.note();")

    def test_what_sorts_has_memory(self):
        """
        As much as four builds have by default, or what somebody chose; and no more processes than jobs, or than
        without.
        """
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);" + NUMBERS
                                     % (40000, "i, hex(randomblob(900))") +
                                     "CREATE TABLE small (id INTEGER PRIMARY KEY); "
                                     "INSERT INTO small SELECT id FROM t LIMIT 20000;")
        usual = ("64MB", "2")
        for chosen, jobs, large, other in (("", "2", ("256MB", "1"), usual), ("", "1", ("256MB", "1"), usual),
                                           ("", "8", ("256MB", "2"), usual),
                                           ("maintenance_work_mem = '20MB'", "2", ("20MB", "1"), ("20MB", "2")),
                                           ("max_parallel_maintenance_workers = 5", "2", ("256MB", "5"),
                                            ("64MB", "5"))):
            with self.subTest(chosen, jobs=jobs):
                target = self.made(self.NOTE)
                if chosen:
                    self.server.psql(target, "ALTER DATABASE %s SET %s" % (target, chosen))
                self.run_program("migrate", "--jobs", jobs, "--state", self.path("state-" + target), source,
                                 self.server.uri(target))
                self.assertEqual(self.server.psql(target,
                                                  "SELECT pg_relation_size('t') > 64 << 20, "
                                                  "pg_relation_size('small') < 64 << 20"), [["t", "t"]])
                self.assertEqual(sorted(map(tuple, self.server.psql(target,
                                                                    "SELECT memory, workers FROM audit.note WHERE tag "
                                                                    "= 'CREATE INDEX'"))),
                                 sorted([large, other]))
                # and what follows in that session as usual
                self.assertEqual(set(map(tuple, self.server.psql(target,
                                                                 "SELECT memory, workers FROM audit.note WHERE tag = "
                                                                 "'ALTER TABLE'"))), {other})

    def test_what_builds_keeps_its_session(self):
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);" + NUMBERS
                                     % (20000, "i, printf('%0100d', i)"))
        target = self.made(self.NOTE)
        self.run_program("migrate", source, self.server.uri(target))
        noted = self.server.psql(target, "SELECT tag, session FROM audit.note")
        self.assertEqual([tag for tag, _ in noted], ["CREATE INDEX", "ALTER TABLE"])
        self.assertEqual(len({session for _, session in noted}), 1)

    def test_a_claim_holds_nothing_back(self):
        """
        A session that keeps a snapshot as long as the run lasts lets VACUUM remove nothing of what is updated
        meanwhile.
        """
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY);" + NUMBERS % (3000,
            "i"))
        target = self.made()
        process = support.start("migrate", "--chunk-rows", "100", "--rows-per-second", "1000", source,
                                self.server.uri(target),
                                cwd=self.folder)
        while process.poll() is None and not self.server.psql(target, "SELECT 1 FROM pg_tables WHERE tablename = 't'"):
            pass
        held = self.server.psql(target,
                                "SELECT backend_xmin FROM pg_stat_activity WHERE pid IN (SELECT pid FROM "
                                "pg_locks WHERE "
                                "locktype = 'advisory' AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM "
                                "pg_database WHERE datname = current_database()))")
        self.assert_code(support.finish(process), 0)
        self.assertEqual(held, [[None]])

    def test_one_bad_record_in_a_large_copy(self):
        """It is found although all before it was called written already."""
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);" +
                                     NUMBERS % (60000, "i, 'some text of a hundred bytes' || printf('%070d', i)") +
                                     "UPDATE t SET v = 'bad' WHERE id IN (3, 59990);")
        target = self.made("CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))")
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", "--chunk-rows",
                                  "60000", code=1)
        self.assertIn("sent again in smaller pieces", result.err)
        self.assertEqual(sorted(reject["key"]["id"] for reject in self.rejects()), [3, 59990])
        self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"),
                         [["59998", str(60000 * 60001 // 2 - 3 - 59990)]])


if __name__ == "__main__":
    unittest.main()
