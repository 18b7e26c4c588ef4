"""
What a plain copy between two MariaDB databases does with all that the source's catalogue has. Counted by MariaDB's own
client.
"""
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case
import support
import tcp_proxy
import test_mysql

TABLES = r"""
CREATE TABLE customers (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60) NOT NULL, email varchar(80) UNIQUE, at date CHECK (at > '2000-01-01'),
  KEY by_name (name, at), FULLTEXT KEY words (name)) COMMENT='who buys';
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, total decimal(10,2), n int,
  CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id), CONSTRAINT some CHECK (total >= 0));
CREATE TABLE parted (id int, k varchar(10), PRIMARY KEY (id, k)) PARTITION BY RANGE (id) SUBPARTITION BY KEY (k) SUBPARTITIONS 2
  (PARTITION p0 VALUES LESS THAN (500), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE flat (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
CREATE TABLE log (what text, who varchar(100));
INSERT INTO customers (name, email, at) VALUES ('Ann', 'a@x', '2020-02-02'), ('Zoë 🐑', NULL, NULL);
INSERT INTO orders SELECT seq, 1 + seq % 2, seq / 4, seq FROM seq_1_to_100;
INSERT INTO parted SELECT seq DIV 3, CONCAT('k', seq % 3) FROM seq_0_to_2999;
INSERT INTO flat SELECT seq FROM seq_1_to_50;
"""
OBJECTS = r"""
CREATE SEQUENCE numbers START WITH 5 INCREMENT BY 3 CACHE 10;
CREATE SEQUENCE `a``b "c"` START WITH -1 INCREMENT BY -2 MINVALUE -99 MAXVALUE -1 CYCLE NOCACHE;
SELECT NEXTVAL(numbers), NEXTVAL(`a``b "c"`), NEXTVAL(`a``b "c"`);
CREATE TABLE numbered (id bigint DEFAULT NEXTVAL(numbers) PRIMARY KEY, v varchar(20) DEFAULT 'nextval(`x`.`y`)');
INSERT INTO numbered (v) VALUES ('a'), ('b');
CREATE VIEW z_first AS SELECT id, total, n FROM orders WHERE total > 10;
CREATE VIEW a_second AS SELECT id, 'it''s "ö" \\ 🐑' AS said FROM z_first WHERE total > 20;
CREATE FUNCTION twice (x int) RETURNS int DETERMINISTIC RETURN x * 2;
CREATE SQL SECURITY INVOKER VIEW a_doubled AS SELECT id, twice(n) AS double_n FROM a_second JOIN orders USING (id) WITH CASCADED CHECK OPTION;
CREATE ALGORITHM=TEMPTABLE VIEW `v``iew "x"` (`a``b`) AS SELECT NEXTVAL(numbers) FROM log AS `log`;
DELIMITER //
CREATE PROCEDURE `we``ird "name"` (IN what text CHARACTER SET utf8mb4, OUT n int) SQL SECURITY INVOKER COMMENT 'it''s 🐑'
  BEGIN INSERT INTO log VALUES (what, '\\ö\n'); SELECT count(*) INTO n FROM log; END;
//
DELIMITER ;
CREATE TRIGGER second_of AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('second', NEW.id);
CREATE TRIGGER first_of AFTER INSERT ON orders FOR EACH ROW PRECEDES second_of INSERT INTO log VALUES ('first', NEW.id);
CREATE TRIGGER `tr``ig "x"` BEFORE UPDATE ON customers FOR EACH ROW SET NEW.name = concat(NEW.name, 'ö');
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' ON COMPLETION PRESERVE COMMENT 'ENABLE it; DO' DO DELETE FROM log;
CREATE EVENT off ON SCHEDULE AT '2031-01-01' DISABLE DO INSERT INTO log VALUES ('ENABLE', 'x');
"""
# Each in a mode of its own, by which its text is read.
ODD = {"ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES":
       'CREATE FUNCTION "an ""odd\" (x text) RETURNS text DETERMINISTIC RETURN "x" || \'\\\';'
       'CREATE TRIGGER "by ""mode" BEFORE INSERT ON "log" FOR EACH ROW SET NEW."what" = NEW."what" || \'\\\';',
       "ORACLE": """DELIMITER //
CREATE PACKAGE tools AS FUNCTION one RETURN int; END;
//
CREATE PACKAGE BODY tools AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END;
//
CREATE PROCEDURE loud (x IN int) AS y int := 1; BEGIN INSERT INTO log VALUES (x || y, NULL); END;
//
DELIMITER ;
"""}
OF_DATABASE = "FROM information_schema.%s WHERE %s = database()"
COUNTS = {
    "information_schema.tables": "SELECT count(*) " + OF_DATABASE % ("tables", "table_schema"),
    "information_schema.partitions": "SELECT count(*) " + OF_DATABASE % ("partitions",
                                                                         "table_schema")
    + " AND partition_name IS NOT NULL",
    "information_schema.statistics": "SELECT count(DISTINCT table_name, index_name) " + OF_DATABASE % ("statistics",
        "table_schema"),
    "information_schema.table_constraints": "SELECT count(*) " + OF_DATABASE % ("table_constraints", "table_schema"),
    "information_schema.routines": "SELECT count(*) " + OF_DATABASE % ("routines", "routine_schema"),
    "information_schema.triggers": "SELECT count(*) " + OF_DATABASE % ("triggers", "trigger_schema"),
    "information_schema.events": "SELECT count(*) " + OF_DATABASE % ("events", "event_schema"),
}


RIGHTS = ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, REFERENCES, INDEX, CREATE VIEW, SHOW VIEW, "
          "CREATE ROUTINE, ALTER ROUTINE, EXECUTE, "
          "TRIGGER, EVENT")
POINTS = (("mysql.before_objects", 1), ("mysql.before_objects", 2), ("mysql.after_object", 1),
          ("mysql.after_object", 6), ("mysql.after_object", 12),
          ("mysql.after_objects", 1), ("mysql.after_objects", 2))


class Catalogue(sql_case.SqlCase):
    SERVERS = mariadb
    maxDiff = None

    def rich(self):
        source = self.made(TABLES + OBJECTS)
        for mode, script in ODD.items():
            self.server.ask(source, script, mode)
        return source

    def dump(self, name):
        """
        Without the ledger; of a source as its events are on the other side, and with the name of the other database.
        """
        text = self.server.dump(name, *("--ignore-table=%s.%s" % (name, table) for table, in self.server.ask(
            name, "SHOW TABLES LIKE '\\_transhume%'")))
        return text.replace(" PRESERVE ENABLE COMMENT", " PRESERVE DISABLE COMMENT").replace("`%s`" % name,
            "`database`")

    def assert_same(self, source, target):
        self.assertEqual(self.dump(source), self.dump(target))
        left, right = self.server.rows(source), self.server.rows(target)
        for table, rows in left.items():
            self.assertEqual(rows, right[table], table)

    def notes(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def counted(self, source, target):
        return [note for note in self.notes(self.server.uri(source), target)["notes"]
                if note.startswith("information_schema.")]

    def rollback(self, *options, state=".transhume", **more):
        return self.run_program("rollback", "--run", self.run_id(state), "--state", state, *options, **more)

    def assert_counts(self, source, target, word, left_out):
        counted = self.counted(source, target)
        self.assertEqual(sorted(note.partition(": ")[0] for note in counted), sorted(COUNTS))
        for catalog, sql in COUNTS.items():
            (total,), = self.server.ask(source, sql)
            left = left_out.get(catalog.partition(".")[2], 0)
            found, = (note for note in counted if note.startswith(catalog + ": "))
            self.assertTrue(found.startswith("%s: %s objects, %d %s, %d left out: " % (catalog, total,
                int(total) - left, word, left)), found)

    def test_every_object_is_counted(self):
        source = self.rich()
        self.assert_counts(source, self.server.uri(self.made()), "copied", {})
        self.assert_counts(source, "copy.db", "converted with their tables",
                           {"tables": 6, "routines": 6, "triggers": 4, "events": 2, "statistics": 1,
                            "table_constraints": 2})
        said = self.notes(self.server.uri(source), "copy.db")["notes"]
        self.assertIn("first_of: the trigger is not carried: only MySQL and MariaDB understand its text", said)

    def test_a_ledger_is_no_part_of_the_source(self):
        source, target = self.rich(), self.server.uri(self.made())
        before = self.counted(source, target)
        os.mkdir(self.path("files"))
        self.write("files/more.csv", "id\n1\n")
        self.migrate("csv:files", self.server.uri(source))
        self.server.ask(source, "SELECT * FROM _transhume_ledger; DROP TABLE more")
        self.assertEqual(self.counted(source, target), before)

    def test_a_whole_schema(self):
        source, target = self.rich(), self.made("CREATE VIEW mine AS SELECT 1; CREATE PROCEDURE mine () SELECT 1")
        there = self.server.dump(target)
        said = self.told(self.server.uri(source), self.server.uri(target), "--strict")
        self.assertIn("the event nightly is made disabled", said)
        self.assertNotIn("the event off", said)
        self.server.ask(target, "DROP VIEW mine; DROP PROCEDURE mine")
        self.assert_same(source, target)
        self.assertEqual(self.server.ask(target,
                                         "SELECT event_name, status FROM information_schema.events WHERE event_schema "
                                         "= database() ORDER BY 1"),
                         [["nightly", "DISABLED"], ["off", "DISABLED"]])
        self.assertEqual(self.server.ask(target,
                                         "INSERT INTO orders VALUES (-1, 1, 1, 1); "
                                         "SELECT what FROM log WHERE who = '-1'; "
                                                 "DELETE FROM orders WHERE id < 0; DELETE FROM log"),
                         [["first\\\\"], ["second\\\\"]])
        self.run_program("validate", "--level", "full")
        self.server.ask(target, "CREATE VIEW mine AS SELECT 1; CREATE PROCEDURE mine () SELECT 1")
        told = self.rollback("--dry-run").out
        for what in ("view a_doubled", "trigger first_of", "event nightly", "package body tools", "sequence numbers",
                     "function twice"):
            self.assertIn(what, told)
        self.rollback("--confirm")
        self.assertEqual(self.server.dump(target), there)

    def test_numbers_go_on(self):
        """A sequence gives no number twice, in the other direction neither."""
        source, target = self.rich(), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        numbers = "SELECT NEXTVAL(numbers), NEXTVAL(`a``b \"c\"`)"
        self.assertEqual(self.server.ask(target, numbers), [["35", "-5"]])
        self.assertEqual(self.server.ask(target,
                                         "INSERT INTO numbered (v) VALUES ('next'); "
                                         "SELECT id FROM numbered WHERE v = 'next'"), [["38"]])

    def test_numbers_that_are_given_until_the_snapshot(self):
        """Which no snapshot takes back: the records of it hold them."""
        source, target = (self.made("CREATE TABLE t (no bigint PRIMARY KEY); CREATE SEQUENCE order_no CACHE 3; "
                                    "CREATE SEQUENCE `do``wn 'n'` INCREMENT -1 MINVALUE -999 MAXVALUE 0 CACHE 3"),
                          self.made())
        process = self.stopped_at("mysql.before_snapshot:stop:1", "migrate", self.server.uri(source),
                                  self.server.uri(target))
        self.server.ask(source,
                        "INSERT INTO t SELECT NEXTVAL(order_no) FROM seq_1_to_50; "
                        "INSERT INTO t SELECT NEXTVAL(`do``wn 'n'`) FROM seq_1_to_50")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        most, least, up, down = map(int, self.server.ask(target,
                                                         "SELECT max(no), min(no), NEXTVAL(order_no), "
                                                         "NEXTVAL(`do``wn 'n'`) FROM t")[0])
        self.assertGreater(up, most)
        self.assertLess(down, least)

    def test_the_names_of_databases(self):
        """One that is called as a table, and as the alias of another; texts name what others they like."""
        self.server.ask("", "CREATE DATABASE shop; CREATE DATABASE `sh``op2`; CREATE DATABASE others")
        for name in ("shop", "sh`op2", "others"):
            self.addCleanup(self.server.ask, "", "DROP DATABASE `%s`" % name.replace("`", "``"))
        self.server.ask("others", "CREATE TABLE theirs (id int PRIMARY KEY)")
        self.server.ask("shop",
                        "CREATE TABLE shop (id int PRIMARY KEY, n int); CREATE SEQUENCE s; "
                        "CREATE TABLE t (id int DEFAULT NEXTVAL(s) PRIMARY KEY);"
                                "CREATE VIEW plain AS SELECT shop.id, NEXTVAL(s) AS n FROM t AS shop;"
                                "CREATE VIEW across AS SELECT t.id FROM t JOIN others.theirs USING (id);"
                                "CREATE TRIGGER shop.tr BEFORE INSERT ON `shop`.`t` FOR EACH ROW SET @shop = 'shop.t';"
                                "INSERT INTO t VALUES ()")
        self.migrate(self.server.uri("shop"), self.server.uri("sh`op2".replace("`", "%60")), "--strict")
        self.assertEqual(self.server.ask("",
                                         "SELECT table_name FROM information_schema.views WHERE table_schema = "
                                         "'sh`op2' AND view_definition LIKE '%`shop`.`t`%'"), [])
        self.server.ask("", "DROP DATABASE shop; CREATE DATABASE shop")
        self.assertEqual(self.server.ask("sh`op2",
                                         "INSERT INTO others.theirs VALUES (1); SELECT id FROM plain; "
                                         "SELECT id FROM across; INSERT INTO t VALUES (); "
                                                   "SELECT @shop"), [["1"], ["1"], ["shop.t"]])

    def test_a_definer_called_as_the_database(self):
        """With triggers by whose makers' quotes, and a database that differs in its case alone."""
        self.server.ask("",
                        "CREATE DATABASE mall; CREATE DATABASE Mall; CREATE DATABASE beyond; CREATE USER mall@'%'; "
                        "GRANT ALL ON *.* TO mall@'%'")
        for word in ("DATABASE mall", "DATABASE Mall", "DATABASE beyond", "USER mall@'%'"):
            self.addCleanup(self.server.ask, "", "DROP " + word)
        self.server.ask("beyond", "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)")
        self.server.ask("Mall", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        self.server.ask("mall", "CREATE TABLE t (id int PRIMARY KEY, c varchar(9)); INSERT INTO t VALUES (1, 'xax');"
                                "CREATE DEFINER=mall@'%' TRIGGER mall.tr BEFORE INSERT ON mall.t FOR EACH ROW SET "
                                "@of = 1;"
                                "CREATE DEFINER=mall@'%' VIEW across AS SELECT a.id, "
                                "a.c FROM mall.t AS a JOIN beyond.u AS b USING (id);"
                                "CREATE VIEW within AS SELECT trim(BOTH 'x' FROM mall.c) AS c, "
                                "(SELECT max(mall.id) FROM mall.t AS mall) AS n "
                                "FROM (mall.t AS mall JOIN beyond.u USING (id)) JOIN Mall.t AS other ON other.id = "
                                "mall.id "
                                "WHERE EXISTS (SELECT 1 FROM (mall.t AS x JOIN beyond.u AS y))")
        self.server.ask("mall", 'CREATE TRIGGER "mall"."tr2" BEFORE UPDATE ON "mall" . "t" FOR EACH ROW SET @of = 1;'
                                "CREATE TRIGGER IF NOT EXISTS mall . tr3 /* ON */ BEFORE DELETE ON t FOR EACH ROW "
                                "SET @of = 1", "ANSI_QUOTES")
        target = self.made()
        self.migrate(self.server.uri("mall"), self.server.uri(target), "--strict")
        self.assertEqual(self.server.ask(target,
                                         "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = "
                                         "database() "
                                                 "ORDER BY 1"), [["tr"], ["tr2"], ["tr3"]])
        self.assertEqual(self.server.ask(target,
                                         "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema "
                                         "= 'mall'"), [["3"]])
        self.server.ask(target, "UPDATE t SET c = 'xbx'")
        self.assertEqual(self.server.ask(target,
                                         "SELECT * FROM across; SELECT * FROM within; "
                                         "SELECT count(*) FROM information_schema.views WHERE "
                                                 "table_schema = database() AND view_definition LIKE BINARY "
                                                 "'%`Mall`.`t`%'"),
                         [["1", "xbx"], ["b", "1"], ["1"]])

    def told(self, *arguments):
        """What a migrate says."""
        return self.run_program("migrate", *arguments).err

    def account(self, name, source, target, of_source, of_target):
        """A URI's part before the host, of a user who may only so much."""
        for database, rights in ((source, of_source), (target, of_target)):
            self.server.ask("", "CREATE USER IF NOT EXISTS %s@127.0.0.1; GRANT %s ON %s.* TO %s@127.0.0.1" % (name,
                rights, database, name))
        self.addCleanup(self.server.ask, "", "DROP USER %s@127.0.0.1" % name)
        return [self.server.uri(database).replace("root@", name + "@") for database in (source, target)]

    def test_an_account_without_super(self):
        """It makes them as its own, and says so."""
        source, target = self.rich(), self.made()
        uris = self.account("clerk", source, target, "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES", RIGHTS)
        self.server.ask("", "GRANT SELECT ON mysql.proc TO clerk@127.0.0.1")
        said = self.run_program("migrate", *uris, "--strict", code=1).err
        self.assertRegex(said, "open: a_second: the view runs as clerk@127.0.0.1 who copies, in the source as root@")
        self.assertIn("the view a_doubled belongs to the account of this run: it may not make one with DEFINER=`root`@",
                      said)
        left, right = (self.dump(name).replace('"', "`").replace("`root`@", "`clerk`@") for name in (source, target))
        self.assertEqual(left, right)
        self.rollback("--confirm")
        self.assertEqual(self.server.rows(target), {})
        self.assertEqual(self.server.ask(target, "SHOW TABLES"), [])

    def test_what_may_not_be_read_is_told(self):
        source, target = self.rich(), self.made()
        uris = self.account("reader", source, target, "SELECT, TRIGGER, EVENT, EXECUTE, LOCK TABLES", RIGHTS)
        notes = self.notes(*uris)["notes"]
        self.assertIn("z_first: the view is left out: the account may not read its text: GRANT it SHOW VIEW and SELECT",
                      notes)
        self.assertIn("twice: the function is left out: the account may not read its text: GRANT it SELECT on "
                      "mysql.proc", notes)
        self.run_program("migrate", "--strict", *uris, code=5)
        self.migrate(*uris, code=1)   # its triggers are another's, whom it may not name
        self.assertEqual(self.server.ask(target,
                                         "SELECT table_name FROM information_schema.views WHERE table_schema = "
                                         "database()"), [])

    def test_a_definer_that_is_not_there(self):
        source, target = self.made("CREATE DEFINER=gone@nowhere VIEW v AS SELECT 1 AS one"), self.made()
        said = self.told(self.server.uri(source), self.server.uri(target))
        self.assertIn("the view v fails until its definer is there", said)
        self.assertIn("gone", said)

    def test_what_a_source_tells_is_no_command(self):
        """It says something else than what makes a view, or that an event is enabled by keeping silent."""
        told = {b"CREATE ALGORITHM=UNDEFINED DEFINER=": b"DROP DATABASE victim            -- ",
                b"PRESERVE DISABLE DO": b"PRESERVE         DO", b"FUNCTION `pure`(": b"FUNCTION `soso`(",
                b"TRIGGER first ": b"TRIGGER other ",
                b"SQL SECURITY INVOKER VIEW": b"/*!00000 INVOKER */  VIEW"}
        self.server.ask("", "CREATE DATABASE victim")
        self.addCleanup(self.server.ask, "", "DROP DATABASE IF EXISTS victim")
        source, target = self.made("CREATE VIEW v AS SELECT 1 AS one; CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE "
                                   "DO SELECT 1; "
                                   "CREATE TABLE t (id int PRIMARY KEY); CREATE TRIGGER first BEFORE INSERT ON t FOR "
                                   "EACH ROW SET NEW.id = 1; "
                                   "CREATE SQL SECURITY INVOKER VIEW w AS SELECT 2 AS two; "
                                   "CREATE FUNCTION pure (x int) RETURNS int RETURN x"), self.made()

        def change(data, _):
            for true, false in told.items():
                data = data.replace(true, false)
            return data

        with tcp_proxy.ChangingProxy(self.server.port, change) as proxy:
            lied = self.server.uri(source).replace(str(self.server.port), str(proxy.port))
            shown = self.run_program("check", "--ddl", lied, self.server.uri(target)).out
            said = self.told(lied, self.server.uri(target))
        self.assertIn("CREATE TABLE", shown)   # what is shown may be pasted
        for word in ("DROP DATABASE", "PRESERVE         DO", "`soso`", "TRIGGER other", "/*!00000"):
            self.assertNotIn(word, shown)
        for what in ("view v", "view w", "trigger first", "event e", "function pure"):
            self.assertIn("the %s is not made: what the source tells is no statement that makes it" % what, said)
        self.assertEqual(self.server.ask("", "SHOW DATABASES LIKE 'victim'"), [["victim"]])

    def test_a_second_try_that_fails_before_it_begins(self):
        """The connection of the first is closed by then, and once only."""
        source, target = self.made("CREATE VIEW v AS SELECT 1 AS one"), self.made()
        pair = [self.server.uri(source), self.server.uri(target)]
        for occurrence in (2, 3):
            rule = "mysql.after_object:retry:1,mysql.before_objects:error:%d" % occurrence
            state = self.path("state%d" % occurrence)
            result = support.transhume("migrate", *pair, "--state", state, cwd=self.folder,
                                       env={"TRANSHUME_FAILPOINT": rule})
            self.assertIn(result.code, (0, 3), result.err)
            self.run_program("resume" if result.code else "status", "--state", state)
            self.server.ask("", "DROP DATABASE %s; CREATE DATABASE %s" % (target, target))

    def test_events_that_are_not_enabled(self):
        source = self.made("CREATE EVENT late ON SCHEDULE AT now() + INTERVAL 1 SECOND DISABLE DO SELECT 1; "
                           "CREATE EVENT `of replica` ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE COMMENT 'ENABLE' DO "
                           "SELECT 1")
        target = self.made()
        self.wait_until("its time is past", lambda: self.server.ask(source,
                                                                    "SELECT now() > execute_at FROM "
                                                                    "information_schema.events "
                                                                            "WHERE event_schema = database() AND "
                                                                            "event_name = 'late'") == [["1"]])
        said = self.told(self.server.uri(source), self.server.uri(target))
        self.assertIn("the event late is not made: the server took its statement and made none", said)
        self.assertIn("the event of replica is made disabled", said)
        self.assertEqual(self.server.ask(target,
                                         "SELECT event_name, status FROM information_schema.events WHERE event_schema "
                                         "= database()"),
                         [["of replica", "DISABLED"]])
        self.assertEqual(self.server.ask(target, "SELECT name FROM _transhume_object"), [["of replica"]])

    def test_a_lock_is_no_missing_right(self):
        """Nor is the right to ask a sequence where it is that to see how it is made."""
        source, target = self.made("CREATE SEQUENCE numbers; SELECT NEXTVAL(numbers); "
                                   "CREATE TABLE t (id int PRIMARY KEY)"), self.made()
        uris = self.account("asker", source, target, "SELECT, SHOW VIEW, INSERT, LOCK TABLES", RIGHTS)
        holder = self.server.session(source)
        self.addCleanup(holder.close)
        holder.ask("LOCK TABLES numbers WRITE; SELECT 1")
        # the server waits for two thirds of it, but in whole seconds: of one second for as long as the client
        self.assertIn("[source-locked]", self.run_program("check", "--timeout", "3s", *uris, code=3).err)
        holder.ask("UNLOCK TABLES; SELECT 1")
        self.server.ask("", "REVOKE SELECT ON %s.* FROM asker@127.0.0.1; GRANT SELECT ON %s.t TO asker@127.0.0.1"
                        % (source, source))
        self.assertIn("the sequence numbers starts over: the account may not read where it is: GRANT it SELECT",
                      self.told(*uris))

    def some(self, cases):
        return cases if support.SOAK else random.Random("%d %s" % (support.SEED, self.id())).sample(cases, 1)

    def assert_bare(self, name):
        self.assertEqual(self.server.ask(name, "SHOW TABLES; " + COUNTS["information_schema.routines"] + "; "
                                         + COUNTS["information_schema.events"]),
                         [["0"], ["0"]])

    def test_killed_while_they_are_made(self):
        source = self.rich()
        for resumed, (point, occurrence) in self.some(list(itertools.product((True, False), POINTS))):
            with self.subTest(point=point, occurrence=occurrence, resumed=resumed):
                target, state = self.made(), "state-%s-%s-%d" % (resumed, point, occurrence)
                arguments = ("--state", state, self.server.uri(source), self.server.uri(target))
                self.assertEqual(support.kill_at(point, occurrence, "migrate", *arguments, cwd=self.folder).code, -9)
                if resumed:
                    self.run_program("resume", *arguments)
                    self.assert_same(source, target)
                self.rollback("--confirm", state=state)
                self.assert_bare(target)

    def killed_and_changed(self, *arguments):
        """A run that ends before its views are made, and what a deployment then does to its source."""
        source = self.rich()
        killed = support.kill_at("engine.before_after_load", 1, "migrate", self.server.uri(source), *arguments,
                                 cwd=self.folder)
        self.assertEqual(killed.code, -9, killed.err)
        self.server.ask(source,
                        "CREATE OR REPLACE VIEW z_first AS SELECT id, total, n, 'new' AS more FROM orders; "
                        "CREATE VIEW late AS SELECT 1 AS one;"
                                "ALTER EVENT nightly DISABLE; DROP EVENT off; DROP TRIGGER second_of; "
                                "CREATE OR REPLACE FUNCTION twice (x int) RETURNS int RETURN 3;"
                                "SELECT NEXTVAL(numbers)")
        return self.server.uri(source)

    def test_views_and_events_that_change_under_a_run(self):
        """No record depends on them: a resume goes on, and says what changed."""
        target = self.made()
        source = self.killed_and_changed(self.server.uri(target))
        said = self.run_program("resume", source, self.server.uri(target)).err
        self.assertIn("the source is not what it was when the run began: event nightly differs; "
                      "function twice differs; view z_first differs; view late is new;", said)
        self.assertEqual(self.server.ask(target,
                                         "SELECT more FROM z_first LIMIT 1; SELECT one FROM late; SELECT twice(1)"),
                         [["new"], ["1"], ["2"]])
        said = self.run_program("resume", self.killed_and_changed("out.db", "--state", "other"), "out.db", "--state",
                                "other").err
        self.assertNotIn("the source is not what it was", said)

    def test_a_view_that_changes_while_it_is_read(self):
        self.write("plan.yaml",
                   "transhume: 1\ntables:\n  seen:\n    entities:\n      seen:\n        from: a_second\n        "
                   "fields: { '*': copy }\n")
        plan = ("--plan", "plan.yaml", "out.db")
        source = self.killed_and_changed(*plan)
        self.assertIn("column z_first.more", self.run_program("resume", source, *plan, code=5).err)
        self.server.ask(source.rpartition("/")[2],
                        "DROP VIEW late; CREATE OR REPLACE VIEW z_first AS SELECT id, total, "
                        "n FROM orders WHERE total > 11;"
                                                   "CREATE OR REPLACE FUNCTION twice (x int) RETURNS int DETERMINISTIC "
                                                   "RETURN x * 2")
        self.assertIn("its schema is not the one that the run began with: view z_first differs",
                      self.run_program("resume", source, *plan, code=5).err)
        self.server.ask(source.rpartition("/")[2],
                        "CREATE OR REPLACE VIEW z_first AS SELECT id, total, n FROM orders WHERE total > 10")
        self.run_program("resume", source, *plan)

    def held(self, name, sql):
        """Somebody else's transaction, which has read something and stays open."""
        session = self.server.session(name)
        self.addCleanup(session.close)
        session.ask("START TRANSACTION; " + sql)
        return session

    def test_nobody_queues_for_long_behind_a_rollback(self):
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7); "
                                   "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1;"
                                   "CREATE VIEW v AS SELECT id FROM t"), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        holder = self.held(target, "SELECT id FROM v")
        process = support.start("rollback", "--confirm", "--run", self.run_id(), cwd=self.folder)
        self.addCleanup(self.end, process)
        for sql in ("SELECT id FROM t", "SELECT id FROM v"):
            self.wait_until("it waits", lambda: self.server.waiting(target) == 1)
            begun = time.monotonic()
            self.assertEqual(self.server.ask(target, sql), [["7"]])
            self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        holder.close()
        self.assert_code(support.finish(process), 0)
        self.assert_bare(target)

    def test_a_table_that_is_held_when_its_trigger_is_made(self):
        """What was done before is not done again for it, and the holder is named."""
        self.server.ask("mysql", "INSTALL SONAME 'metadata_lock_info'")
        self.addCleanup(self.server.ask, "mysql", "UNINSTALL SONAME 'metadata_lock_info'")
        source, target = self.made(
            "CREATE TABLE `it's` (id int PRIMARY KEY); INSERT INTO `it's` VALUES (7)"), self.made()
        self.server.ask(source, "CREATE TRIGGER tr BEFORE INSERT ON `it's` FOR EACH ROW SET @x = '\\'",
                        "NO_BACKSLASH_ESCAPES")
        arguments = (self.server.uri(source), self.server.uri(target), "--timeout", "1s")
        process = self.stopped_at("mysql.before_objects:stop:1", "migrate", *arguments)
        self.held(target, "SELECT name FROM _transhume_ledger")
        holder = self.held(target, "SELECT id FROM `it's`")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertRegex(result.err, r"given up after \d+ tries in \d s: tr: ")
        self.assertRegex(result.err, r"session %s \(.*\) holds it" % holder.ask("SELECT connection_id()"))
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            log = file.read()
        self.assertIn("try 2", log)
        self.assertEqual(log.count("info: statistics of it's"), 1, log)
        holder.close()
        self.run_program("resume", *arguments)
        self.assertEqual([row[0] for row in self.server.ask(target, "SHOW TRIGGERS")], ["tr"])

    def test_one_that_fails_while_another_waits_for_a_lock(self):
        """What is known is said at once, and not once the other's patience is over."""
        script = "CREATE TABLE %s (id int PRIMARY KEY, v int, KEY (v)); INSERT INTO %s VALUES (7, 7);"
        source, target = self.made("".join(script % (name, name) for name in ("free", "taken"))), self.made()
        process = self.stopped_at("engine.before_after_load:stop:1,mysql.after_index:sleep:1,mysql.after_index:error:1",
                                  "migrate",
                                  self.server.uri(source), self.server.uri(target), "--timeout", "5s")
        self.held(target, "SELECT id FROM taken")
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("this failpoint was asked to fail", result.err)
        self.assertLess(time.monotonic() - begun, 4 * 5, "the patience")

    def test_a_process_that_was_taken_over(self):
        """It notes nothing any more: the order in which they go back stays that in which they were made."""
        source, target = self.rich(), self.made()
        uris = (self.server.uri(source), self.server.uri(target))
        first = self.stopped_at("mysql.after_object:stop:8", "migrate", "--state", "first", *uris)
        noted = "SELECT what, name FROM _transhume_object ORDER BY number"
        self.run_program("resume", "--take-over", "--state", "second", *uris)
        self.assert_same(source, target)
        before = self.server.ask(target, noted)
        first.send_signal(signal.SIGCONT)
        self.assertIn("[run-fenced]", support.finish(first).err)
        self.assertEqual(self.server.ask(target, noted), before)
        self.assert_same(source, target)
        self.rollback("--confirm", state="second")
        self.assert_bare(target)

    def test_a_rollback_that_is_killed(self):
        source = self.rich()
        for point, occurrence in self.some((("mysql.before_remove_objects", 1), ("mysql.after_remove_object", 4),
                                            ("mysql.after_remove_object", 13))):
            with self.subTest(point=point, occurrence=occurrence):
                target, state = self.made(), "state-%s-%d" % (point, occurrence)
                self.migrate(self.server.uri(source), self.server.uri(target), "--state", state)
                arguments = ("rollback", "--confirm", "--state", state, "--run", self.run_id(state))
                self.assertEqual(support.kill_at(point, occurrence, *arguments, cwd=self.folder).code, -9)
                self.run_program(*arguments)
                self.assert_bare(target)

    def test_what_is_there_is_left_alone(self):
        source = self.rich()
        mine = ("CREATE VIEW z_first AS SELECT 'mine' AS id, 1 AS total, 2 AS n; CREATE FUNCTION twice (x int) RETURNS "
                "int RETURN 7; "
                "CREATE SEQUENCE numbers START WITH 1; CREATE EVENT nightly ON SCHEDULE AT '2035-01-01' DO SELECT 1")
        target = self.made(mine)
        before = self.server.dump(target)
        said = self.told(self.server.uri(source), self.server.uri(target))
        self.assertIn("the view z_first is not made: the target has one of this name", said)
        self.assertIn("the event nightly is not made: the target has one of this name", said)
        self.assertEqual(self.server.ask(target, "SELECT id FROM z_first; SELECT twice(1); SELECT NEXTVAL(numbers)"),
                         [["mine"], ["7"], ["1"]])
        self.rollback("--confirm")
        self.assertEqual(self.server.dump(target).replace("DO SETVAL(`numbers`, 1001, 0);\n",
                                                          "DO SETVAL(`numbers`, 1, 0);\n"), before)

    def test_what_is_changed_since_stays(self):
        source, target = self.rich(), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        self.server.ask(target,
                        "CREATE OR REPLACE FUNCTION twice (x int) RETURNS int RETURN 3; ALTER EVENT nightly ENABLE; "
                        "CREATE TABLE my_own "
                                "(id int DEFAULT NEXTVAL(numbers))")
        told = self.rollback("--dry-run").out
        self.assertIn("function twice: changed since the run made it, so it stays", told)
        self.assertIn("event nightly: changed since", told)
        self.rollback("--confirm")
        self.assertEqual(self.server.ask(target,
                                         "SELECT twice(1); SELECT event_name FROM information_schema.events WHERE "
                                         "event_schema = database(); "
                                                 "INSERT INTO my_own VALUES (); SELECT id FROM my_own"),
                         [["3"], ["nightly"], ["35"]])
        self.assertEqual(sorted(name for name, in self.server.ask(target, "SHOW TABLES")), ["my_own", "numbers"])

    def test_what_may_not_be_read_is_told_from_others(self):
        """An account that keeps definers, but may not read what they own, and one that may not read views any more."""
        source, target = self.made("CREATE PROCEDURE mine () SELECT 1; CREATE PROCEDURE ours () SELECT 1; "
                                   "CREATE VIEW v AS SELECT 1 AS one"), self.made()
        uris = self.account("scribe", source, target, "SELECT, SHOW VIEW, LOCK TABLES", RIGHTS)
        self.server.ask("", "GRANT SET USER ON *.* TO scribe@127.0.0.1; GRANT SELECT ON mysql.proc TO scribe@127.0.0.1")
        first = self.stopped_at("mysql.before_objects:stop:1", "migrate", *uris)
        self.server.ask("", "REVOKE SELECT ON mysql.proc FROM scribe@127.0.0.1")
        first.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(first), 0)
        self.server.ask("", "REVOKE SHOW VIEW ON %s.* FROM scribe@127.0.0.1" % target)
        later = "SELECT now() > max(last_altered) FROM information_schema.routines WHERE routine_schema = database()"
        # the server knows of whole ones
        self.wait_until("the second ends", lambda: self.server.ask(target, later) == [["1"]])
        self.server.ask(target,
                        "CREATE OR REPLACE PROCEDURE ours () SELECT 'ours'; "
                        "CREATE OR REPLACE VIEW v AS SELECT 2 AS two")
        told = self.rollback("--dry-run").out
        self.assertIn("procedure ours: changed since the run made it, so it stays", told)
        self.assertIn("procedure mine\n", told)
        self.assertIn("view v: the account may not read its text: GRANT it SHOW VIEW and SELECT, so it stays", told)
        self.rollback("--confirm")
        self.assertEqual(self.server.ask(target,
                                         "CALL ours(); SELECT two FROM v; SELECT routine_name FROM "
                                         "information_schema.routines "
                                                 "WHERE routine_schema = database()"), [["ours"], ["2"], ["ours"]])

    def test_what_others_make_meanwhile_is_not_the_runs(self):
        source = self.rich()
        mine = ("CREATE VIEW a_second AS SELECT 'mine' AS id, 1 AS n; CREATE EVENT nightly ON SCHEDULE AT '2035-01-01' "
                "DO SELECT 1")
        for resumed in self.some((True, False)):
            with self.subTest(resumed=resumed):
                target, state = self.made(), "state-%s" % resumed
                uris = (self.server.uri(source), self.server.uri(target))
                self.assertEqual(support.kill_at("mysql.before_objects", 2, "migrate", *uris, "--state", state,
                                                 cwd=self.folder).code, -9)
                self.server.ask(target, mine)
                if resumed:
                    self.assertIn("the event nightly is not made: the target has one",
                                  self.run_program("resume", *uris, "--state", state).err)
                    # else the run's own view on it would go with it
                    self.server.ask(target, "DROP VIEW a_doubled")
                said = self.rollback("--dry-run", state=state).out
                self.assertNotIn("a_second", said)
                self.assertNotIn("nightly", said)
                self.server.ask(target, "CREATE OR REPLACE VIEW a_second AS SELECT 'mine' AS id")
                self.rollback("--confirm", state=state)
                self.assertEqual(self.server.ask(target,
                                                 "SELECT id FROM a_second; SELECT event_name FROM "
                                                 "information_schema.events "
                                                         "WHERE event_schema = database()"), [["mine"], ["nightly"]])

    def test_a_maker_whose_process_is_taken_over(self):
        """Its statement waits in the server: it ends with the process's other sessions."""
        self.server.ask("", "CREATE DATABASE afar; CREATE TABLE afar.u (id int)")
        self.addCleanup(self.server.ask, "", "DROP DATABASE afar")
        source = self.made("CREATE VIEW v AS SELECT id FROM afar.u")
        target = self.made()
        uris = (self.server.uri(source), self.server.uri(target))
        first = self.stopped_at("mysql.before_objects:stop:1", "migrate", "--state", "first", *uris)
        holder = self.server.session("afar")
        self.addCleanup(holder.close)
        holder.ask("LOCK TABLES u WRITE; SELECT 1")
        first.send_signal(signal.SIGCONT)
        makers = ("SELECT count(*) FROM information_schema.processlist WHERE db = '%s' AND info LIKE 'CREATE%%VIEW%%'"
                  % target)
        self.wait_until("its statement waits", lambda: self.server.ask("", makers) == [["1"]])
        first.send_signal(signal.SIGSTOP)
        self.run_program("rollback", "--run", self.run_id("first"), "--state", "second", "--take-over", "--confirm",
                         self.server.uri(target))
        self.assertEqual(self.server.ask("", makers), [["0"]])
        holder.ask("UNLOCK TABLES; SELECT 1")
        self.assertEqual(self.server.ask(target, "SHOW TABLES"), [])

    def test_a_maker_whose_connection_breaks_while_it_waits(self):
        """The server would go on with its statement, and make what nobody knows as the run's."""
        self.server.ask("", "CREATE DATABASE far_off; CREATE TABLE far_off.u (id int)")
        self.addCleanup(self.server.ask, "", "DROP DATABASE far_off")
        source, target = self.made("CREATE VIEW v AS SELECT id FROM far_off.u"), self.made()
        makers = "SELECT id FROM information_schema.processlist WHERE db = '%s' AND info LIKE 'CREATE%%VIEW%%'" % target
        holder = self.server.session("far_off")
        self.addCleanup(holder.close)
        with tcp_proxy.TcpProxy(self.server.port) as proxy:
            uri = self.server.uri(target, via=proxy)
            first = self.stopped_at("mysql.before_objects:stop:1", "migrate", self.server.uri(source), uri)
            holder.ask("LOCK TABLES u WRITE; SELECT 1")
            proxy.cut_at(b"VIEW `v`", before=False)
            first.send_signal(signal.SIGCONT)
            seen = set()
            self.wait_until("another try waits", lambda: seen.update(row[0] for row in self.server.ask("", makers))
                            or len(seen) > 1)
            holder.ask("UNLOCK TABLES; SELECT 1")
            result = support.finish(first)
            self.assertEqual(proxy.cuts, 1)
            self.assert_code(result, 0)
            self.assertNotIn("is not made", result.err)
            self.rollback("--confirm")
        self.assert_bare(target)

    def test_the_ledgers_session_is_lost_meanwhile(self):
        source, target = self.rich(), self.made()
        uris = (self.server.uri(source), self.server.uri(target))
        idle = "SELECT id FROM information_schema.processlist WHERE db = '%s' AND command = 'Sleep'" % target
        for point in self.some(("mysql.after_intent:stop:2", "mysql.after_object:stop:3",
                                "mysql.after_object:stop:11")):
            first = self.stopped_at(point, "migrate", *uris)
            for number, in self.server.ask("", idle):
                self.server.ask("", "KILL %s" % number)
            first.send_signal(signal.SIGCONT)
            self.assert_code(support.finish(first), 0)
        self.assert_same(source, target)

    def test_a_view_of_others_on_one_of_the_run(self):
        source, target = self.rich(), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        self.server.ask(target, "CREATE VIEW theirs AS SELECT * FROM a_second")
        before = self.server.dump(target)
        self.assertIn(".theirs reads it", self.rollback("--confirm", code=5).err)
        self.assertEqual(self.server.dump(target), before)
        self.server.ask(target, "DROP VIEW theirs; CREATE OR REPLACE VIEW a_second AS SELECT id FROM orders")
        self.assertIn("a_second reads it", self.rollback("--confirm", code=5).err)

    def test_a_view_of_others_whose_text_can_not_be_seen(self):
        source, target, reports = self.made(
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)"), self.made(), self.made()
        uris = self.account("teller", source, target, "SELECT, LOCK TABLES", RIGHTS)
        self.migrate(*uris)
        self.server.ask(target, "CREATE VIEW %s.v AS SELECT id FROM t; GRANT SELECT ON %s.* TO teller@127.0.0.1"
                        % (reports, reports))
        said = self.rollback("--confirm", code=5).err
        self.assertIn("the view %s.v may read it: its text can't be seen" % reports, said)
        self.assertIn("GRANT SHOW VIEW", said)
        self.assertEqual(self.server.ask(reports, "SELECT id FROM v"), [["7"]])
        self.server.ask(reports, "GRANT SHOW VIEW ON %s.* TO teller@127.0.0.1" % reports)
        self.assertIn("the view %s.v reads it" % reports, self.rollback("--confirm", code=5).err)
        self.server.ask(reports, "CREATE OR REPLACE VIEW v AS SELECT 7 AS id")
        self.rollback("--confirm")
        self.assert_bare(target)

    def test_a_view_of_the_run_whose_text_it_could_not_read(self):
        """It is told from others', at once: a right that is granted later does not say whether it was changed."""
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7); "
                                   "CREATE VIEW v AS SELECT id FROM t"), self.made()
        uris = self.account("blind", source, target, "SELECT, SHOW VIEW, LOCK TABLES",
                            RIGHTS.replace("SHOW VIEW, ", ""))
        # else it is the view's definer, who sees its text
        self.server.ask("", "GRANT SET USER ON *.* TO blind@127.0.0.1")
        self.migrate(*uris)
        self.assertEqual(self.server.ask(target, "SELECT name, digest FROM _transhume_object"), [["v", ""]])
        for hidden in (True, False):
            said = self.rollback("--confirm", code=5).err
            self.assertIn("the view %s.v %s it" % (target, "may read" if hidden else "reads"), said)
            self.assertIn("the run made it, but could not read its text then", said)
            self.assertNotIn("GRANT", said)
            self.server.ask("", "GRANT SHOW VIEW ON %s.* TO blind@127.0.0.1" % target)
        self.server.ask(target, "DROP VIEW v")
        self.rollback("--confirm")
        self.assert_bare(target)

    def test_what_views_call(self):
        """A procedure or function that is called as a table is not used by what reads the table."""
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7); "
                                   "CREATE PROCEDURE t () SELECT 1;"
                                   "CREATE FUNCTION t (x int) RETURNS int RETURN x; "
                                   "CREATE FUNCTION f (x int) RETURNS int RETURN x"), self.made("CREATE TABLE t (id "
                                                                                                "int PRIMARY KEY)")
        for package in ("one", "other"):
            self.server.ask(source, "DELIMITER //\nCREATE PACKAGE %s AS FUNCTION a RETURN int; END;\n//\n"
                                    "CREATE PACKAGE BODY %s AS FUNCTION a RETURN int AS BEGIN RETURN 1; END; END;\n//\n"
                            % (package, package), "ORACLE")
        self.migrate(self.server.uri(source), self.server.uri(target), "--existing", "append")
        self.server.ask(target,
                        "CREATE VIEW mine AS SELECT id FROM t; CREATE VIEW calls AS SELECT one.a() AS a, "
                        "f(1) AS b FROM DUAL; CREATE TABLE other (a int); "
                                "CREATE VIEW its AS SELECT other.a FROM other", "ORACLE")
        said = self.rollback("--confirm").err
        for what in ("function f", "package one", "package body one"):
            self.assertIn("the %s stays: the view %s.calls uses it" % (what, target), said)
        self.assertEqual(self.server.ask(target,
                                         "SELECT routine_type, routine_name FROM information_schema.routines WHERE "
                                         "routine_schema = database() ORDER BY 1, 2; "
                                                 "SELECT * FROM calls"),
                         [["FUNCTION", "f"], ["PACKAGE", "one"], ["PACKAGE BODY", "one"], ["1", "1"]])

    def test_only_with_their_tables(self):
        source, target = self.rich(), self.made()
        said = self.told(self.server.uri(source), self.server.uri(target), "--include", "orders", "--include", "log",
                         "--include", "customers")
        self.assertEqual([row[0] for row in self.server.ask(target, "SHOW TRIGGERS")],
                         ["tr`ig \"x\"", "by \"mode", "first_of", "second_of"], said)
        self.assertEqual(self.server.ask(target, "SELECT NEXTVAL(numbers)"), [["35"]])
        self.assertEqual(self.server.ask(target,
                                         "SELECT table_name FROM information_schema.views WHERE table_schema = "
                                         "database()"), [])
        # tables that were there keep what they have
        other = self.made("CREATE TABLE log (what text, who varchar(100))")
        self.migrate(self.server.uri(source), self.server.uri(other), "--state", "other")
        self.assertEqual([row[0] for row in self.server.ask(other, "SHOW TRIGGERS")],
                         ["tr`ig \"x\"", "first_of", "second_of"])


class HalfMade(test_mysql.MysqlCase):
    """
    A table that has a definition and nothing to it yet: another session's CREATE is under way, perhaps for a client
    that is gone.
    """

    def setUp(self):
        super().setUp()
        self.name = self.made("CREATE TABLE other (id int PRIMARY KEY)")
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        self.ghost = os.path.join(self.server.folder, "data", self.name, "t.frm")
        made = self.ghost.replace("t.frm", "other.frm")
        shutil.copy2(made, self.ghost)
        os.chown(self.ghost, os.stat(made).st_uid, os.stat(made).st_gid)

    def gone(self):
        os.unlink(self.ghost)
        self.server.ask(self.name, "FLUSH TABLES")

    def test_it_is_waited_for(self):
        process = support.start("migrate", "-q", "shop.db", self.server.uri(self.name), cwd=self.folder)
        time.sleep(1)
        self.gone()
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.server.ask(self.name, "SELECT * FROM t"), [["1"], ["2"]])

    def test_what_stays_so_is_said(self):
        result = support.transhume("migrate", "-q", "shop.db", self.server.uri(self.name), cwd=self.folder)
        self.assertIn("doesn't exist in engine", result.err)
        self.assertNotEqual(result.code, 0)
        self.gone()
        self.assertEqual(self.server.ask(self.name, "SHOW TABLES LIKE 't'"), [])


if __name__ == "__main__":
    unittest.main()
