"""`transhume change` on PostgreSQL: what lies beside the columns that it changes, and who works beside it."""
import json
import os
import sys
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import change_case
import postgres
import sql_case
import support

ITEMS = """CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL, n int, mail text);
INSERT INTO items SELECT g, g, 0, 'M' || g FROM generate_series(1, 300) g
"""
WIDEN = "alter_column: {table: items, column: v, type: bigint}"


class BesideOnPostgres(sql_case.ServerTarget, change_case.ChangeCase, support.TestCase):
    SERVERS = postgres

    def setUp(self):
        super().setUp()
        self.ask(ITEMS)

    def catalogue(self):
        return [self.ask(sql) for sql in change_case.CATALOGUE]

    def new(self, sql):
        return self.ask("SET search_path = public_%03d, public; %s" % (self.made, sql))

    def test_others_get_through_while_a_lock_is_waited_for(self):
        """
        Nine seconds of a reader's transaction: the change waits in short tries, and pauses longer and longer in
        between.
        """
        path = self.change_file([WIDEN])
        reader = threading.Thread(target=self.ask,
                                  args=("BEGIN; SELECT count(*) FROM items; SELECT pg_sleep(9); COMMIT",))
        reader.start()
        self.wait_until("it reads",
                        lambda: self.ask("SELECT count(*) FROM pg_locks WHERE relation = 'items'::regclass AND mode = "
                                         "'AccessShareLock'") != [["0"]])
        write = "SET statement_timeout = 0; UPDATE items SET n = n + 1 WHERE id = 1"
        usual = []  # what a client takes on this machine, with nobody in its way
        for _ in range(5):
            begun = time.monotonic()
            self.ask(write)
            usual.append(time.monotonic() - begun)
        process = support.start("change", "start", path, self.uri, cwd=self.folder)
        self.addCleanup(self.end, process)
        waited = 0.0
        end = time.monotonic() + 6
        while time.monotonic() < end:
            begun = time.monotonic()
            self.ask(write)
            took = time.monotonic() - begun
            waited += took if took > 0.1 + max(usual) else 0
        reader.join()
        done = support.finish(process)
        self.assertEqual(done.code, 0, done.err)
        self.assertIn("try 4 in", done.err)
        self.assertLess(waited, 4, "seconds of 6 that writers waited")

    def test_columns_take_each_others_names(self):
        for operations, columns, sql in (
                (("rename_column: {table: items, from: v, to: x}", "rename_column: {table: items, from: n, to: v}",
                  "rename_column: {table: items, from: x, to: n}"),
                 "id n v mail", "SELECT count(*) FROM items WHERE n = id AND v = 0"),
                (("rename_column: {table: items, from: n, to: m}", "rename_column: {table: items, from: v, to: n}"),
                 "id n m mail",
                 "SELECT count(*) FROM items WHERE n = id AND m = 0"),
                (("drop_column: {table: items, column: n}", "rename_column: {table: items, from: v, to: n}"),
                 "id n mail", "SELECT count(*) FROM items WHERE n = id"),
                (("rename_column: {table: items, from: n, to: m}",
                  "alter_column: {table: items, column: v, type: bigint, up: v, down: v}",
                  "rename_column: {table: items, from: v, to: n}"), "id m mail n",
                 "SELECT count(*) FROM items WHERE n = id AND m = 0")):
            with self.subTest(operations):
                self.uri = self.new_target()
                self.ask(ITEMS)
                self.settled(self.change_file(operations))
                self.assertEqual(self.ask("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE "
                                          "attrelid = 'items'::regclass AND attnum > 0 "
                                          "AND NOT attisdropped"), [[columns]])
                self.assertEqual(self.ask(sql), [["300"]])

    def test_tables_take_each_others_names(self):
        more = ITEMS + "; CREATE TABLE others (id int PRIMARY KEY, o text); INSERT INTO others VALUES (1, 'o')"
        for operations, sql, expected in (
                (("rename_table: {from: items, to: x}", "rename_table: {from: others, to: items}",
                  "rename_table: {from: x, to: others}"),
                 "SELECT (SELECT count(v) FROM others), (SELECT max(o) FROM items)", ["300", "o"]),
                (("rename_table: {from: others, to: last}", "rename_table: {from: items, to: others}"),
                 "SELECT (SELECT count(v) FROM others), (SELECT max(o) FROM last)", ["300", "o"]),
                (("rename_table: {from: others, to: last}", WIDEN, "rename_table: {from: items, to: others}"),
                 "SELECT (SELECT count(v) FROM others WHERE pg_typeof(v) = 'bigint'::regtype), "
                 "(SELECT max(o) FROM last)", ["300", "o"]),
                (("drop_table: {name: others}", "rename_table: {from: items, to: others}"),
                 "SELECT count(v), to_regclass('items') FROM others", ["300", None])):
            with self.subTest(operations):
                self.uri = self.new_target()
                self.ask(more)
                self.settled(self.change_file(operations))
                self.assertEqual(self.ask(sql), [expected])
                self.assertEqual(self.new(sql), [expected])
        failed = self.change("start",
                             self.change_file(["create_table: {name: others, columns: [{name: id, type: int}]}"]),
                             code=2)
        self.assertIn("others is there already", failed.err)

    def test_types_that_compare_in_another_way(self):
        self.ask("ALTER TABLE items ADD a jsonb DEFAULT '{\"k\": 1}', ADD b json DEFAULT '{\"k\": 1}', "
                 "ADD c text DEFAULT '(1,2)', ADD d text DEFAULT '<a/>'")
        self.change("start", self.change_file(["alter_column: {table: items, column: a, type: json}",
                                               "alter_column: {table: items, column: b, type: jsonb}",
                                               "alter_column: {table: items, column: c, type: point}",
                                               "alter_column: {table: items, column: d, type: xml}"]))
        self.ask("UPDATE items SET n = 5 WHERE id = 1; UPDATE items SET a = '{\"k\": 2}', b = '{\"k\": 3}', "
                 "c = '(3,4)', d = '<b/>' WHERE id = 2; "
                 "INSERT INTO items (id, v) VALUES (1000, 1)")
        self.new("UPDATE items SET a = '{\"k\":4}', c = '(5,6)' WHERE id = 3")
        self.assertEqual(self.new("SELECT a, b, c, d FROM items WHERE id = 2"),
                         [['{"k": 2}', '{"k": 3}', "(3,4)", "<b/>"]])
        self.assertEqual(self.ask("SELECT a, c FROM items WHERE id = 3"), [['{"k": 4}', "(5,6)"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT a, b, c, d FROM items WHERE id IN (1, 1000)"),
                         [['{"k": 1}', '{"k": 1}', "(1,2)", "<a/>"]] * 2)

    def test_triggers_of_others(self):
        """(body of the function, trigger, operation, a part of the refusal; None: it is taken)"""
        before = "BEFORE INSERT OR UPDATE ON items FOR EACH ROW"
        for body, kind, arguments, operation, words in (
                ("NEW.n := NEW.v * 2; RETURN NEW;", before, "", WIDEN, "uses v, of which it would see an old value"),
                ("NEW.n := length(NEW::text); RETURN NEW;", before, "", WIDEN, "uses the whole row"),
                ("IF TG_ARGV[0] IS NULL THEN RETURN NULL; END IF; RETURN NEW;", before, "'v'", WIDEN, "uses v"),
                ("NEW.n := NEW.id * 2; RETURN NEW;", before, "", WIDEN, None),
                ("PERFORM NEW.v; RETURN NEW;", "AFTER INSERT OR UPDATE ON items FOR EACH ROW", "", WIDEN, None),
                ("NEW.mail := lower(NEW.mail); RETURN NEW;", before, "",
                 "rename_column: {table: items, from: mail, to: address}", "under this name"),
                ("NEW.mail := lower(NEW.mail); RETURN NEW;", before, "", "drop_column: {table: items, column: mail}",
                 "under this name"),
                ("NEW.mail := lower(NEW.mail); RETURN NEW;", before, "",
                 "rename_column: {table: items, from: n, to: m}", None)):
            with self.subTest(body + operation):
                self.uri = self.new_target()
                self.ask(ITEMS
                         + "; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s END $$; "
                           "CREATE TRIGGER z %s EXECUTE FUNCTION f(%s)" % (body, kind, arguments))
                path = self.change_file([operation])
                if words is None:
                    self.settled(path)
                    self.ask("INSERT INTO items (id) SELECT 9999 WHERE false; UPDATE items SET id = id WHERE id = 1")
                else:
                    self.assertIn(words, self.change("start", path, code=5).err)
                    self.assertEqual(self.state(), [])
        self.settled(self.change_file(["sql: {up: 'DROP TRIGGER z ON items', down: \"CREATE TRIGGER z %s EXECUTE "
                                       "FUNCTION f()\"}" % before,
                                       "drop_column: {table: items, column: mail}"]))

    def test_fires_behind_triggers_whose_names_sort_last(self):
        self.ask("UPDATE items SET mail = lower(mail); CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS $$ "
                 "BEGIN NEW.mail := lower(NEW.mail); RETURN NEW; END $$; "
                 "CREATE TRIGGER \"ärger~~\" BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION low()")
        self.change("start",
                    self.change_file(["add_column: {table: items, column: {name: copy, type: text, nullable: true}, "
                                      "up: mail}"]))
        self.ask("INSERT INTO items VALUES (1000, 1, 1, 'BIG')")
        self.assertEqual(self.new("SELECT mail, copy FROM items WHERE id = 1000"), [["big", "big"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"), [["ärger~~"]])

    def test_marks_and_settings_go_over(self):
        self.ask("ALTER TABLE items ADD CONSTRAINT v_once UNIQUE (v) DEFERRABLE, ADD CONSTRAINT v_up CHECK (v > 0); "
                 "CREATE UNIQUE INDEX ri ON items (v, id); "
                 "ALTER TABLE items REPLICA IDENTITY USING INDEX ri; CREATE INDEX cl ON items (v DESC); "
                 "ALTER TABLE items CLUSTER ON cl; "
                 "CREATE INDEX ex ON items ((v + 1)); ALTER INDEX ex ALTER COLUMN 1 SET STATISTICS 70; "
                 "COMMENT ON INDEX ri IS 'identity'; COMMENT ON CONSTRAINT v_once ON items IS 'once'; "
                 "COMMENT ON CONSTRAINT v_up ON items IS 'up'; "
                 "ALTER TABLE items ALTER v SET STATISTICS 500, ALTER v SET (n_distinct = -1), "
                 "ALTER mail SET STORAGE EXTERNAL, ALTER mail SET COMPRESSION pglz")
        asked = ("SELECT relreplident FROM pg_class WHERE oid = 'items'::regclass",
                 "SELECT indexrelid::regclass, indisreplident, indisclustered FROM pg_index WHERE indrelid = "
                 "'items'::regclass ORDER BY indexrelid::regclass::text",
                 "SELECT conname, obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conrelid = "
                 "'items'::regclass ORDER BY 1",
                 "SELECT obj_description('ri'::regclass, 'pg_class')",
                 "SELECT attname, attstattarget, attoptions, attstorage, attcompression FROM pg_attribute WHERE "
                 "attrelid = 'items'::regclass AND attname IN ('v', 'mail') ORDER BY 1",
                 "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'ex'::regclass")
        before = [self.ask(sql) for sql in asked]
        self.ask("CREATE PUBLICATION all_of FOR TABLE items")
        self.settled(self.change_file([WIDEN, "alter_column: {table: items, column: mail, type: varchar(90)}"]))
        self.assertEqual([self.ask(sql) for sql in asked], before)
        self.assertEqual(self.ask("UPDATE items SET n = 7 WHERE id = 1; SELECT n FROM items WHERE id = 1"), [["7"]])

    def test_a_session_of_other_settings_gets_what_was_filled(self):
        self.ask("ALTER TABLE items ADD at timestamptz DEFAULT '2026-06-01 23:30+00', "
                 "ADD day date DEFAULT '2026-01-02'")
        self.change("start",
                    self.change_file(["add_column: {table: items, column: {name: on_day, type: date, nullable: true}, "
                                      "up: \"at::date\"}",
                                      "alter_column: {table: items, column: day, type: text, lossless: true}"]))
        self.ask("SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'; INSERT INTO items (id, v) VALUES (1000, 1); "
                 "UPDATE items SET at = at + interval '1 s' WHERE id = 1")
        self.assertEqual(self.new("SELECT DISTINCT on_day, day FROM items"), [["2026-06-01", "2026-01-02"]])
        self.assertEqual(self.ask("SHOW timezone") == [["Asia/Tokyo"]], False)
        self.change("complete")

    def test_what_was_detached_meanwhile_is_as_it_was(self):
        made = ("CREATE TABLE days (id int, d date, v text, PRIMARY KEY (id, d)) PARTITION BY RANGE (d); "
                "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO "
                "('2026-02-01'); CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2026-02-01') TO "
                "('2026-03-01'); INSERT INTO days SELECT g, '2026-01-05', g FROM "
                "generate_series(1, 50) g")
        columns = ("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
                   "'days_1'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
        for end in ("abort", "complete"):
            with self.subTest(end):
                self.uri = self.new_target()
                self.ask(made)
                before = self.ask(columns)
                self.change("start",
                            self.change_file(["alter_column: {table: days, column: v, type: bigint, nullable: false, "
                                              "up: \"coalesce(v::bigint, 0)\", down: \"v::text\"}"]))
                self.ask("ALTER TABLE days DETACH PARTITION days_1")
                self.change(end)
                self.assertEqual(self.ask(columns), before)
                self.assertEqual(self.ask("SELECT conname FROM pg_constraint WHERE conrelid = 'days_1'::regclass AND "
                                          "contype = 'c'"), [])
                self.assertEqual(self.ask("SELECT count(v) FROM days_1"), [["50"]])

    def test_schema_commands_know_of_pending_changes(self):
        os.mkdir(self.path("migrations"))
        for version, table in ((1, "one"), (3, "three")):
            self.write(os.path.join("migrations", "%03d_%s.up.sql" % (version, table)),
                       "CREATE TABLE %s (a int);\n" % table)
        path = self.change_file([WIDEN], os.path.join("migrations", "002_wide.change.yaml"))
        status = json.loads(self.run_program("schema", "status", self.uri, "--json").out)
        self.assertEqual([(row["version"], row["state"]) for row in status["migrations"]],
                         [("001", "pending"), ("002", "pending change"), ("003", "pending")])
        self.assertEqual(status["pending"], 3)
        stopped = self.run_program("schema", "up", self.uri, code=5)
        self.assertIn("002_wide.change.yaml comes before it", stopped.err)
        self.assertIn("transhume change start", stopped.err)
        self.assertEqual(self.ask("SELECT to_regclass('one') IS NOT NULL, to_regclass('three') IS NULL"), [["t", "t"]])
        self.change("run", path)
        self.assertIn("0 pending", self.run_program("schema", "status", self.uri, code=0).out.replace("1 pending",
            "0 pending"))
        self.run_program("schema", "up", self.uri)
        self.assertEqual(json.loads(self.run_program("schema", "status", self.uri, "--json").out)["pending"], 0)

    def test_faults_of_a_file_are_told_as_those_of_a_change(self):
        for text in ("", "# nothing\n", "operations: &a\n- sql: {up: x, down: y}\n", "operations:\n- *a\n",
                     "a: 1\nb: 2\n"):
            with self.subTest(text):
                failed = self.change("check", self.write("001_c.change.yaml", text), code=2)
                self.assertNotRegex(failed.err, r"\bplan\b|transhume init")


if __name__ == "__main__":
    unittest.main()
