"""Tables that are in a PostgreSQL already, with what others gave them: deferred constraints, sequences, types."""
import json
import os
import re
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import support
from test_postgres import PostgresCase

PADDING = "'some text of a hundred bytes' || printf('%070d', i)"


class Deferred(PostgresCase):
    """Constraints that PostgreSQL checks at the end of a transaction, as Django makes all of its foreign keys."""
    TREE = ("CREATE TABLE t (id bigint PRIMARY KEY, parent bigint REFERENCES t DEFERRABLE INITIALLY DEFERRED, v text);")

    def tree(self, rows, script=""):
        """
        A table of whose rows the first half refers to the second: the first to the last, the second to the last but one
        …
        """
        path = self.path("s.db")
        return support.make_sqlite(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER, v TEXT);"
                                   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
                                   "INSERT INTO t SELECT i, "
                                   "CASE WHEN i <= %d THEN %d - i END, %s FROM c;%s" % (rows, rows // 2, rows + 1,
                                       PADDING, script))

    def assert_rejected(self, keys, code="constraint", words=""):
        rejects = self.rejects()
        self.assertEqual(sorted(reject["key"]["id"] for reject in rejects), sorted(keys))
        self.assertEqual({reject["code"] for reject in rejects}, {code} if keys else set())
        for reject in rejects:
            self.assertIn(words, reject["reason"])

    def test_a_row_without_a_partner_is_rejected_by_itself(self):
        """Small chunks and large ones, by COPY and by way of a temporary table."""
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER);"
                                     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) "
                                     "INSERT INTO c SELECT i, i % 3 FROM c; UPDATE c SET p = 77 WHERE id IN (5, "
                                     "1700, 1701);")
        for options in (["append"], ["upsert"], ["append", "--chunk-rows", "500", "--jobs", "2"],
                        ["skip", "--chunk-rows", "500"]):
            with self.subTest(options):
                target = self.made("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (0), (1), (2);"
                                   "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY "
                                   "DEFERRED)")
                state = self.path(".transhume")
                self.migrate(source, self.server.uri(target), "--existing", *options, "--state", state, code=1)
                self.assert_rejected([5, 1700, 1701], words="is not present in table")
                self.assertEqual(self.server.psql(target, "SELECT count(*), count(*) FILTER (WHERE p > 2) FROM c"),
                                 [["2997", "0"]])
                os.rename(state, self.path("state" + "".join(options)))

    def test_each_kind_of_constraint(self):
        script = ("CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER); INSERT INTO t VALUES (1, 1), (2, 2), (3, 1), "
                  "(4, 4), (5, 5);")
        kinds = {
            "unique": ("u int UNIQUE DEFERRABLE INITIALLY DEFERRED", "", "key-duplicate"),
            "exclusion": ("u int, EXCLUDE (u WITH =) DEFERRABLE INITIALLY DEFERRED", "", "constraint"),
            "trigger": ("u int",
                        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF (SELECT count(*) FROM t "
                        "WHERE u = NEW.u) > 1 "
                        "THEN RAISE 'not twice'; END IF; RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER g AFTER "
                        "INSERT ON t "
                        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();", "constraint"),
        }
        source = support.make_sqlite(self.path("s.db"), script)
        for kind, (column, more, code) in kinds.items():
            with self.subTest(kind):
                target = self.made("CREATE TABLE t (id int PRIMARY KEY, %s); %s" % (column, more))
                state = self.path(".transhume")
                self.migrate(source, self.server.uri(target), "--existing", "append", code=1)
                self.assert_rejected([3], code=code)
                self.assertEqual(self.server.psql(target, "SELECT id FROM t ORDER BY id"), [["1"], ["2"], ["4"], ["5"]])
                os.rename(state, self.path("state" + kind))

    def test_children_before_their_parents_in_a_chunk(self):
        several = support.drawn((("append", 60000), ("upsert", 60000)), 1, self.id())
        for policy, rows in (("append", 2000), ("upsert", 2000), *several):   # of one segment, of several
            with self.subTest(policy, rows=rows):
                source, target = self.tree(rows), self.made(self.TREE)
                self.migrate(source, self.server.uri(target), "--existing", policy, "--chunk-rows", str(rows),
                             "--state",
                             self.path(policy + str(rows)))
                self.assertEqual(self.server.psql(target, "SELECT count(*), count(parent) FROM t"),
                                 [[str(rows), str(rows // 2)]])
                os.remove(source)

    def test_children_before_their_parents_beside_a_row_without_one(self):
        """What is refused alone is tried again after the others of its segment."""
        for rows, policy in ((2000, "append"), (2000, "upsert"), (10000, "append")):
            with self.subTest(rows, policy=policy):
                source = self.tree(rows, "UPDATE t SET parent = 999999 WHERE id IN (700, %d);" % rows)
                target = self.made(self.TREE)
                state = self.path(".transhume")
                self.migrate(source, self.server.uri(target), "--existing", policy, "--chunk-rows", str(rows), code=1)
                self.assert_rejected([1, 700, rows], words="is not present in table")   # 1 refers to the last one
                self.assertEqual(self.server.psql(target, "SELECT count(*) FROM t"), [[str(rows - 3)]])
                os.rename(state, self.path("state%s%s" % (policy, rows)))
                os.remove(source)

    def test_between_two_servers(self):
        """The express lane leaves the chunk to the general way."""
        script = ("CREATE TABLE t (id int PRIMARY KEY, u int); INSERT INTO t SELECT i, i FROM generate_series(1, "
                  "3000) i; UPDATE t SET u = 7 WHERE id = 2000")
        source = self.made(script)
        target = self.made("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        self.migrate(self.server.uri(source), self.server.uri(target), code=1)
        self.assert_rejected([2000], code="key-duplicate")
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM t"), [["2999"]])


class LooseKeys(PostgresCase):
    """
    A key that ON CONFLICT can't use, since it may be checked late, and one that other tables share, which no index
    keeps apart.
    """
    DEFERRABLE = ("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE%s, v text); INSERT INTO t VALUES (2, 'old'), "
                  "(9, 'old');")
    CHILD = ("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE c () INHERITS (t); INSERT INTO t VALUES (9, "
             "'old'); INSERT INTO c VALUES (2, 'old');")

    def source(self, rows=4):
        return support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS "
                                   "(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, "
                                   "'new' FROM c;" % rows)

    def held(self, target):
        return self.server.psql(target, "SELECT tableoid::regclass, id, v FROM t WHERE id < 5 OR id > 8 ORDER BY id")

    def assert_one_is_rejected(self, source, script, policy, *options):
        target = self.made(script)
        before = self.held(target)
        place = "c" if script == self.CHILD else "t"
        state = self.path("state-" + target)
        self.migrate(source, self.server.uri(target), "--existing", policy, "--state", state, *options, code=1)
        reject, = self.rejects(state)
        self.assertEqual((reject["key"]["id"], reject["code"]), (2, "key-duplicate"))
        self.assertEqual(self.held(target), [["t", "1", "new"], [place, "2", "old"], ["t", "3", "new"],
                                             ["t", "4", "new"],
                                             ["t", "9", before[1][2] if policy == "append" else "new"]])
        run = json.loads(self.run_program("status", "--json", "--state", state).out)["run"]
        self.run_program("rollback", "--run", run, "--confirm", "--state", state)
        self.assertEqual(self.held(target), before)

    def test_append_rejects_duplicates(self):
        small, large = self.source(), self.path("large.db")
        support.make_sqlite(large,
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'new'), (2, "
                            "'new'), (3, 'new'), (4, 'new'); "
                            "WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) INSERT "
                            "INTO t SELECT i, 'new' FROM c;")
        for script in (self.DEFERRABLE % "", self.DEFERRABLE % " INITIALLY DEFERRED", self.CHILD):
            with self.subTest(script):
                self.assert_one_is_rejected(small, script, "append")
                target = self.made(script)
                self.migrate(large, self.server.uri(target), "--existing", "append", "--chunk-rows", "500", "--jobs",
                             "2", "--state", self.path("large-" + target), code=1)
                self.assertEqual(self.server.psql(target, "SELECT count(*), count(DISTINCT id) FROM t"),
                                 [["2996", "2996"]])

    def test_a_deferrable_key_is_refused_before_the_run(self):
        for policy, when in support.covering(("upsert", "replace"), ("", " INITIALLY DEFERRED"), by=self.id()):
            with self.subTest(policy, when=when):
                target = self.made(self.DEFERRABLE % when)
                result = self.migrate(self.source() if not os.path.exists(self.path("s.db")) else self.path("s.db"),
                                      self.server.uri(target), "--existing", policy, "--state",
                                      self.path("state-" + target), code=2)
                self.assertIn("DEFERRABLE", result.err)
                self.assertEqual(self.held(target), [["t", "2", "old"], ["t", "9", "old"]])

    def test_skip_needs_no_index(self):
        for script in (self.DEFERRABLE % " INITIALLY DEFERRED", self.CHILD):
            target = self.made(script)
            self.migrate(self.source() if not os.path.exists(self.path("s.db")) else self.path("s.db"),
                         self.server.uri(target), "--existing", "skip", "--state", self.path("state-" + target))
            self.assertEqual([row[1:] for row in self.held(target)],
                             [["1", "new"], ["2", "old"], ["3", "new"], ["4", "new"], ["9", "old"]])

    def test_what_an_inheriting_table_holds_is_not_written_over(self):
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, "
                                     "'new'), (2, 'new'), (3, 'new'), (4, 'new'), (9, 'new')")
        for policy in ("upsert", "replace"):
            with self.subTest(policy):
                self.assert_one_is_rejected(source, self.CHILD, policy)

    def test_a_copy_with_a_deferrable_key_is_repaired(self):
        source = self.made(self.DEFERRABLE % " INITIALLY DEFERRED")
        target = self.server.database()
        self.migrate(self.server.uri(source), self.server.uri(target))
        self.server.psql(target,
                         "UPDATE t SET v = 'damaged' WHERE id = 9; DELETE FROM t WHERE id = 2; "
                         "INSERT INTO t VALUES (10, 'extra')")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.assertEqual(self.held(target), self.held(source))


class LeftOut(PostgresCase):
    """A BEFORE trigger that returns NULL, or a rule, leaves records out, and the server says no word of it."""
    WORDS = "a BEFORE trigger or a rule of the table left it out"
    TRIGGER = ("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.v LIKE ''%7'' THEN RETURN NULL; "
               "END IF; RETURN NEW; END';"
               "CREATE TRIGGER g BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();")
    OUT = list(range(7, 300, 10))

    def source(self):
        return support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS "
                                   "(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) INSERT INTO t SELECT i, "
                                   "'v' || i FROM c;")

    def left_out(self, source, script, *options):
        target = self.made(script)
        before = self.server.psql(target, "SELECT * FROM t ORDER BY id")
        state = self.path("state-%s" % target)
        self.migrate(source, self.server.uri(target), *options, "--state", state, code=1)
        rejects = self.rejects(state)
        self.assertEqual(sorted(reject["key"]["id"] for reject in rejects), self.OUT)
        self.assertEqual({(reject["code"], self.WORDS in reject["reason"]) for reject in rejects},
                         {("constraint", True)})
        self.assertEqual(self.server.psql(target,
                                          "SELECT count(*), count(*) FILTER (WHERE id % 10 = 7) FROM t WHERE "
                                          "id <= 300"), [["270", "0"]])
        run = json.loads(self.run_program("status", "--json", "--state", state).out)["run"]
        self.run_program("rollback", "--run", run, "--confirm", "--state", state)
        self.assertEqual(self.server.psql(target, "SELECT * FROM t ORDER BY id"), before)

    def test_by_a_trigger(self):
        source = self.source()
        overwriting = support.drawn(((("upsert",), "INSERT INTO t VALUES (5, 'there');"),
                                     (("replace",), "INSERT INTO t VALUES (5, 'there');")), 1, self.id())
        for options, there in ((("append",), ""), (("append", "--chunk-rows", "50", "--jobs", "2"),
                                                   "INSERT INTO t VALUES (1000, 'there');"), *overwriting,
                               (("skip",), "INSERT INTO t VALUES (1000, 'there');")):
            with self.subTest(options):
                self.left_out(source, "CREATE TABLE t (id int PRIMARY KEY, v text);" + there + self.TRIGGER,
                              "--existing", *options)

    def test_of_an_update(self):
        """What was there stays as it was."""
        target = self.made("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (17, 'there');"
                           + self.TRIGGER)
        self.migrate(self.source(), self.server.uri(target), "--existing", "upsert", code=1)
        self.assertEqual(sorted(reject["key"]["id"] for reject in self.rejects()), self.OUT)
        self.assertEqual(self.server.psql(target, "SELECT v FROM t WHERE id = 17"), [["there"]])

    def test_by_a_rule(self):
        """COPY knows no rules, INSERT does."""
        self.left_out(self.source(),
                      "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1000, 'there'); "
                      "CREATE RULE r AS ON INSERT TO t "
                      "WHERE NEW.v LIKE '%7' DO INSTEAD NOTHING;", "--existing", "skip")

    def test_between_two_servers(self):
        """The express lane leaves such a chunk to the other way."""
        name = self.made("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                         "'v' || i FROM generate_series(1, 300) i")
        self.left_out(self.server.uri(name), "CREATE TABLE t (id int PRIMARY KEY, v text);" + self.TRIGGER)

    def test_partitions_by_triggers(self):
        """The oldest way of partitioning: the trigger writes to a child, and returns NULL."""
        target = self.made("CREATE TABLE t (id int, v text); CREATE TABLE t_low (CHECK (id < 100)) INHERITS (t); "
                           "CREATE TABLE t_high (CHECK (id >= 100)) "
                           "INHERITS (t); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id < "
                           "100 THEN INSERT INTO t_low VALUES "
                           "(NEW.*); ELSE INSERT INTO t_high VALUES (NEW.*); END IF; RETURN NULL; END'; "
                           "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();")
        self.migrate(self.source(), self.server.uri(target), "--existing", "append")
        self.assertEqual(self.server.psql(target, "SELECT count(*), count(*) FILTER (WHERE id < 100) FROM t"),
                         [["300", "99"]])
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM ONLY t"), [["0"]])


class After(PostgresCase):
    """What a run does for existing tables once it has written to them."""

    def source(self, table="t", column="id"):
        return support.make_sqlite(self.path("s%d.db" % len(os.listdir(self.folder))),
                                   "CREATE TABLE %s (%s INTEGER PRIMARY KEY, v TEXT); INSERT INTO %s VALUES (7, 'a'), "
                                   "(300, 'b');" % (table, column, table))

    def role(self, name, more=""):
        role = "role_" + name
        self.server.psql(name, "CREATE ROLE %s LOGIN; GRANT ALL ON SCHEMA public TO %s; %s" % (role, role,
            more.replace("ROLE", role)))
        return self.server.uri(name).replace("postgres@", role + "@")

    def test_sequences_are_past_what_was_loaded(self):
        kinds = {
            "serial": "CREATE TABLE t (id serial PRIMARY KEY, v text)",
            "identity": "CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text)",
            "always": "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)",
            "of its own": "CREATE SCHEMA other; CREATE SEQUENCE other.\"a 'seq\"; "
                          "CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval('other.\"a ''seq\"'), v text)",
            "numeric": "CREATE SEQUENCE q; CREATE TABLE t (id numeric PRIMARY KEY DEFAULT nextval('q'), v text)",
            "partitioned": "CREATE TABLE t (id serial PRIMARY KEY, v text) PARTITION BY RANGE (id); "
                           "CREATE TABLE t1 PARTITION OF t DEFAULT",
        }
        source = self.source()
        for kind, script in kinds.items():
            with self.subTest(kind):
                target = self.made(script)
                self.migrate(source, self.server.uri(target), "--existing", "append", "--state", self.path(kind))
                self.assertEqual(self.server.psql(target, "INSERT INTO t (v) VALUES ('new') RETURNING id"), [["301"]])

    def test_sequences_never_go_back(self):
        source = self.source()
        for script, following in (("SELECT setval('t_id_seq', 5000)", 5001),
                                  ("ALTER SEQUENCE t_id_seq START 4000 RESTART", 4000),
                                  ("ALTER SEQUENCE t_id_seq RESTART WITH 4100", 4100),
                                  ("SELECT setval('t_id_seq', 4200, false)", 4200),
                                  ("SELECT setval('t_id_seq', 300, false)", 301),
                                  ("ALTER SEQUENCE t_id_seq INCREMENT 10; SELECT setval('t_id_seq', 295)", 310),
                                  ("ALTER SEQUENCE t_id_seq INCREMENT -1 MINVALUE -1000 MAXVALUE 10 RESTART WITH -5",
                                   -5),
                                  ("ALTER SEQUENCE t_id_seq INCREMENT -1 MINVALUE -1000 MAXVALUE 10 START 10 RESTART",
                                   6)):
            with self.subTest(script):
                target = self.made("CREATE TABLE t (id serial PRIMARY KEY, v text); " + script)
                self.migrate(source, self.server.uri(target), "--existing", "append", "--state",
                             self.path("state%d" % following))
                self.assertEqual(self.server.psql(target, "INSERT INTO t (v) VALUES ('new') RETURNING id"),
                                 [[str(following)]])

    def test_numbers_that_a_sequence_does_not_reach(self):
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (7, 'a'), "
                                     "(9000000000, 'b');")
        for existing in ("CREATE TABLE t (id serial PRIMARY KEY, v text); ALTER TABLE t ALTER id TYPE bigint", ""):
            target = self.made(existing)
            if not existing:   # the same between two servers, where the run makes the table
                source = self.made("CREATE TABLE t (id serial PRIMARY KEY, v text); ALTER TABLE t ALTER id TYPE bigint;"
                                   "INSERT INTO t VALUES (7, 'a'), (9000000000, 'b')")
                source = self.server.uri(source)
            result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", "--state",
                                      self.path("state" + existing[:3]))
            self.assertIn("t.id holds numbers beyond 2147483647, which its sequence public.t_id_seq can't reach",
                          result.err)
            self.assertIn("ALTER SEQUENCE public.t_id_seq AS bigint NO MAXVALUE", result.err)
            self.assertEqual(self.server.psql(target, "SELECT nextval('t_id_seq')"), [["8"]])

    def test_a_sequence_that_the_role_may_not_set(self):
        for more in ("", "GRANT USAGE ON SEQUENCE t_id_seq TO ROLE"):
            with self.subTest(more):
                target = self.made("CREATE TABLE t (id serial PRIMARY KEY, v text)")
                uri = self.role(target, "GRANT SELECT, INSERT ON t TO ROLE; " + more)
                source, state = self.source(), self.path("state" + more[:5])
                result = self.run_program("migrate", source, uri, "--existing", "append", "--state", state)
                self.assertIn("the role may not set the sequence public.t_id_seq", result.err)
                self.run_program("validate", source, uri, "--state", state)
                statement = "SELECT setval('public.t_id_seq', 300);"
                self.assertIn(statement, result.err)
                self.assertIn("ANALYZE", result.err)
                self.server.psql(target, statement)
                self.assertEqual(self.server.psql(target, "INSERT INTO t (v) VALUES ('new') RETURNING id"), [["301"]])

    def test_statistics(self):
        """A small table, a large one that was filled by a quarter, and one into which next to nothing was written."""
        large = ("CREATE TABLE %s (id int PRIMARY KEY, v text); INSERT INTO %s SELECT i + 1000, repeat('x', "
                 "100) FROM generate_series(1, 20000) i; "
                 "ALTER TABLE %s SET (autovacuum_enabled = off);")
        target = self.made("CREATE TABLE small (id int PRIMARY KEY, v text);" + "".join(large.replace("%s", name)
            for name in ("grown", "same")))
        self.wait_until("the server has counted what was inserted", lambda: self.server.psql(
            target, "SELECT sum(n_mod_since_analyze) FROM pg_stat_user_tables") == [["40000"]])
        self.server.psql(target, "ANALYZE grown, same")
        source = support.make_sqlite(self.path("s.db"), "".join("CREATE TABLE %s (id INTEGER PRIMARY KEY, v TEXT);"
                                                                % name for name in ("small", "grown", "same")) +
                                     "INSERT INTO small VALUES (1, 'a'); INSERT INTO same VALUES (1, 'a'); "
                                     "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                                     "FROM c WHERE i < 5000) INSERT INTO grown SELECT i - 5000, %s FROM c;" % PADDING)
        self.migrate(source, self.server.uri(target), "--existing", "append")
        self.assertEqual(self.server.psql(target,
                                          "SELECT relname, reltuples FROM pg_class WHERE relname IN ('small', 'grown', "
                                          "'same') ORDER BY 1"),
                         [["grown", "25000"], ["same", "20000"], ["small", "1"]])


class Limits(PostgresCase):
    """What PostgreSQL would round, cut or pad without a word is rejected: by COPY and by way of a temporary table."""
    # declared, as the source has it, what fits, what does not
    TYPES = (
        ("numeric(5,2)", "numeric", ["123.45", "-0.1"], ["1.255"]),
        ("numeric(3,-2)", "numeric", ["12300", "-99900.0", "0"], ["12345", "50", "0.1"]),
        ("numeric(3,-2)", "bigint", ["12300", "0"], ["12345", "-50"]),
        ("numeric(2,4)", "numeric", ["0.0099"], ["0.00991", "0.01"]),
        ("interval(0)", "interval", ["1 mon 1 day 00:00:01"], ["00:00:01.5"]),
        ("interval year", "interval", ["2 years"], ["2 years 1 mon", "1 day", "00:00:01"]),
        ("interval month", "interval", ["14 mons"], ["1 day"]),
        ("interval year to month", "interval", ["14 mons"], ["1 day"]),
        ("interval day", "interval", ["1 mon 3 days"], ["3 days 01:00"]),
        ("interval day to hour", "interval", ["3 days 02:00"], ["02:01"]),
        ("interval hour to minute", "interval", ["3 days 26:03"], ["26:03:04"]),
        ("interval minute", "interval", ["00:03"], ["00:00:04"]),
        ("interval minute to second(1)", "interval", ["00:03:04.5"], ["00:03:04.55"]),
        ("interval second", "interval", ["00:00:00.000001"], []),
        ("time(0)", "time", ["10:11:12"], ["10:11:12.5"]),
        ("timetz(1)", "timetz", ["10:11:12.5+01"], ["10:11:12.55+01"]),
        ("timestamp(0)", "timestamp", ["2024-01-02 03:04:05"], ["2024-01-02 03:04:05.5"]),
        ("timestamptz(3)", "timestamptz", ["2024-01-02 03:04:05.123Z"], ["2024-01-02 03:04:05.1234Z"]),
        ("varchar(3)", "text", ["abc", "\u00fc\u00fc\u00fc"], ["abcd", "abc "]),
        ("char(3)", "text", ["abc"], ["abcd"]),
        ("name", "text", ["n" * 63], ["n" * 64]),
        ('"char"', "text", ["c"], ["cd"]),
        ("bit(3)", "varbit", ["101"], ["1011", "10"]),
        ("varbit(3)", "varbit", ["101", ""], ["1011"]),
        ("money", "text", ["-1.25", "7"], ["1.255"]),
        ("varchar(3)[]", "text[]", ["{abc,NULL}"], ["{abcd}", '{"abc "}']),
        ("char(2)[]", "text[]", ["{ab}"], ["{ab,abc}"]),
        ("name[]", "text[]", ["{%s}" % ("n" * 63)], ["{%s}" % ("n" * 64)]),
        ('"char"[]', "text[]", ["{a}"], ["{ab}"]),
        ("numeric(5,2)[]", "numeric[]", ["{1.25,3}"], ["{1.25,1.255}"]),
        ("interval(0)[]", "interval[]", ["{00:00:01}"], ["{00:00:01.5}"]),
        ("timestamp(0)[]", "timestamp[]", ["{2024-01-02 03:04:05}"], ["{2024-01-02 03:04:05.5}"]),
        ("bit(2)[]", "varbit[]", ["{10}"], ["{1}", "{101}"]),
        ("short", "numeric", ["1.25"], ["1.255"]),
        ("shorter", "numeric", ["1.25"], ["1.255"]),
        ("shorts", "text[]", ["{abc}"], ["{abcd}"]),
    )
    DOMAINS = ("CREATE DOMAIN short AS numeric(5,2); CREATE DOMAIN shorter AS short CHECK (VALUE > 0); "
               "CREATE DOMAIN shorts AS varchar(3)[];")

    def test_each_type(self):
        source, target, expected = "", "", {}
        for number, (declared, base, fits, unfit) in enumerate(self.TYPES):
            source += "CREATE TABLE t%d (id int PRIMARY KEY, v %s);" % (number, base)
            target += "CREATE TABLE t%d (id int PRIMARY KEY, v %s);" % (number, declared)
            source += "".join("INSERT INTO t%d VALUES (%d, '%s');" % (number, i, value)
                              for i, value in enumerate(fits + unfit))
            expected["t%d" % number] = set(range(len(fits), len(fits + unfit)))
        source = self.made(source)
        # what fits is what PostgreSQL itself makes of it
        check = self.server.rows(self.made(self.DOMAINS + target + "".join(
            "INSERT INTO t%d VALUES (%d, '%s');" % (number, i, value)
            for number, (_, _, fits, _) in enumerate(self.TYPES) for i, value in enumerate(fits))))
        for policy in ("append", "upsert"):
            with self.subTest(policy):
                name = self.made(self.DOMAINS + target)
                state = self.path(".transhume")
                self.migrate(self.server.uri(source), self.server.uri(name), "--existing", policy, code=1)
                rejects, arrived = self.rejects(), self.server.rows(name)
                for number, (declared, _, _, _) in enumerate(self.TYPES):
                    table = "t%d" % number
                    with self.subTest(declared, policy=policy):
                        self.assertEqual({reject["key"]["id"] for reject in rejects if reject["table"] == table},
                                         expected[table])
                        self.assertEqual(arrived["public", table], check["public", table])
                        for reject in rejects:
                            if reject["table"] == table:
                                self.assertRegex(reject["reason"],
                                                 "^v: .*(hold|fit|more)|numeric field overflow|identifier too long")
                os.rename(state, self.path("state" + policy))


class Rights(PostgresCase):
    """What the role lacks is told by `check` and by `migrate`, before anything is done."""
    SOURCE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE child (id INTEGER PRIMARY KEY, "
              "t INTEGER REFERENCES t);"
              "INSERT INTO t VALUES (1, 'a'); INSERT INTO child VALUES (1, 1);")
    # the table that is there, what is granted but not given, options, the words; then the same with the right
    MISSING = (
        ("text", "REVOKE INSERT ON t FROM ROLE", ["append"],
         "the role may not read and write it: GRANT SELECT, INSERT"),
        ("text", "REVOKE SELECT ON t FROM ROLE", ["append"], "permission denied for table t"),
        ("text", "REVOKE UPDATE ON t FROM ROLE", ["upsert"], "GRANT UPDATE"),
        ("text", "REVOKE UPDATE ON t FROM ROLE", ["replace"], "GRANT UPDATE"),
        ("text", "REVOKE TEMP ON DATABASE NAME FROM PUBLIC", ["upsert"], "GRANT TEMP ON DATABASE"),
        ("text", "REVOKE TEMP ON DATABASE NAME FROM PUBLIC", ["skip"], "GRANT TEMP ON DATABASE"),
        ("text[]", "REVOKE TEMP ON DATABASE NAME FROM PUBLIC", ["append"], "GRANT TEMP ON DATABASE"),
        ("text", "REVOKE CREATE ON SCHEMA public FROM ROLE", ["append"], "GRANT CREATE"),
        ("text", "REVOKE REFERENCES ON t FROM ROLE", ["append"], "the role may not refer to t: GRANT REFERENCES"),
        ("text", "REVOKE TRIGGER ON t FROM ROLE", ["append", "--indexes", "rebuild"], "the role does not own it"),
    )

    def role(self, name, more=""):
        role = "role_" + name
        self.server.psql(name,
                         "CREATE ROLE %s LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; "
                         "GRANT ALL ON SCHEMA public TO %s; GRANT ALL ON t TO %s; %s"
                         % (role, role, role, more.replace("ROLE", role).replace("NAME", name)))
        return self.server.uri(name).replace("postgres@", role + "@")

    def test_each_right(self):
        source = support.make_sqlite(self.path("s.db"), self.SOURCE.replace("'a'", "'{a}'"))
        for number, (column, revoked, options, words) in enumerate(self.MISSING):
            with self.subTest(revoked, options=options):
                name = self.made("CREATE TABLE t (id bigint PRIMARY KEY, v %s)" % column)
                uri = self.role(name, revoked)
                arguments = (source, uri, "--existing", *options, "--state", self.path("state%d" % number))
                checked = self.run_program("check", *arguments, code=2)
                self.assertIn(words, " ".join((checked.out + checked.err).split()))
                refused = self.run_program("migrate", *arguments, code=2).err
                self.assertIn(words, refused)
                self.assertEqual(self.server.psql(name,
                                                  "SELECT relname FROM pg_class WHERE relname LIKE '\\_trans%' OR "
                                                  "relname = 'child'"), [])
                grants = re.findall(r"GRANT .* ON .* TO \S+", refused)   # what it says to do is enough
                self.assertEqual("GRANT" in words, grants != [])
                for grant in grants:
                    self.server.psql(name, grant)
                if grants:
                    self.run_program("check", *arguments)

    def test_what_needs_less_goes_with_less(self):
        source = support.make_sqlite(self.path("s.db"), self.SOURCE)
        name = self.made("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (7, 'mine')")
        uri = self.role(name,
                        "REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON t FROM ROLE; "
                        "REVOKE TEMP ON DATABASE NAME FROM PUBLIC")
        result = self.run_program("migrate", source, uri, "--existing", "append")
        self.assertIn("the role may not make temporary tables", result.err)   # so that this can't be rolled back
        self.assertEqual(self.server.psql(name, "SELECT id FROM t ORDER BY id"), [["1"], ["7"]])

    def test_a_repair_that_may_not_delete(self):
        source = support.make_sqlite(self.path("s.db"), self.SOURCE)
        name = self.made("CREATE TABLE t (id bigint PRIMARY KEY, v text)")
        uri = self.role(name, "REVOKE DELETE ON t FROM ROLE")
        self.run_program("migrate", source, uri, "--existing", "append")
        self.server.psql(name, "INSERT INTO t VALUES (2, 'extra')")
        repair = ("validate", source, uri, "--repair", "--delete-extra", "--confirm")
        self.assertIn("GRANT DELETE", self.run_program(*repair, code=5).err)
        self.assertEqual(self.server.psql(name, "SELECT id FROM t ORDER BY id"), [["1"], ["2"]])
        self.server.psql(name, "GRANT DELETE ON t TO role_" + name)
        self.run_program(*repair)
        self.assertEqual(self.server.psql(name, "SELECT id FROM t"), [["1"]])


if __name__ == "__main__":
    unittest.main()
