"""
MySQL and MariaDB both ways: every type, refused records, records that are there. Read back by MariaDB's own client.
"""
import contextlib
import decimal
import hashlib
import itertools
import json
import os
import signal
import sqlite3
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support
import tcp_proxy

# One column a type, and rows of edges.
EDGES = r"""
CREATE TABLE edges (id int PRIMARY KEY, t1 tinyint(1), i1 tinyint, i2 smallint unsigned, i3 mediumint, i4 int unsigned, i8 bigint,
  u8 bigint unsigned, f4 float, f8 double, n65 decimal(65,30), n2 decimal(10,2), b1 bit(1), b64 bit(64), y year,
  v varchar(5), c char(5), tt tinytext, lt longtext, lat varchar(20) CHARACTER SET latin1, bn binary(4), vb varbinary(300),
  lb longblob, d date, dt datetime, dt6 datetime(6), ts timestamp(6) NULL, tm time, tm6 time(6), j json,
  e enum('a','b''c','x,y'), s set('p','q'), u uuid, ip inet6, g geometry,
  gen int GENERATED ALWAYS AS (i1 + 1) STORED, virt int GENERATED ALWAYS AS (i1 * 2) VIRTUAL,
  inv int INVISIBLE DEFAULT 7, cmt int DEFAULT 5 COMMENT 'it''s, (odd)' CHECK (cmt > 0)) COMMENT='the edges; all of ''em';
INSERT INTO edges (id,t1,i1,i2,i3,i4,i8,u8,f4,f8,n65,n2,b1,b64,y,v,c,tt,lt,lat,bn,vb,lb,d,dt,dt6,ts,tm,tm6,j,e,s,u,ip,g,inv) VALUES
(1,1,127,65535,8388607,4294967295,9223372036854775807,18446744073709551615,1.17549435e-38,1.7976931348623157e308,
 12345678901234567890123456789012345.123456789012345678901234567890,0.10,b'1',0xffffffffffffffff,2155,'abc','ab','t',
 'quote '' " \\ tab\t nl\n cr\r nul\0 ü 🐑','äöü€',0x00ff0a09,0x5c0a0900,0xff00,'9999-12-31','9999-12-31 23:59:59',
 '9999-12-31 23:59:59.999999','2038-01-19 03:14:07.999999','838:59:59','-838:59:59.999999','{"a": 1,  "a":[2, null]}','b''c','p,q',
 '123e4567-e89b-12d3-a456-426614174000','::ffff:1.2.3.4',ST_GeomFromText('POINT(1 2)',4326),-1),
(2,0,-128,0,-8388608,0,-9223372036854775808,0,-0.0,-0.0,-0.000000000000000000000000000001,-99999999.99,b'0',0,1901,'','','','','',
 0x00000000,'','','0000-00-00','0000-00-00 00:00:00','0000-00-00 00:00:00','1970-01-01 00:00:01','00:00:00','24:00:00','null','a','',
 '00000000-0000-0000-0000-000000000000','::',NULL,NULL),
(3,-128,NULL,1,1,1,1,1,0.1,0.1,1,1.5,NULL,1,0,NULL,NULL,NULL,'\\N',NULL,NULL,NULL,NULL,'0001-01-01','1000-01-01 00:00:00',
 '0001-01-01 00:00:00.000001','2024-03-31 01:30:00.5','-00:00:01','23:59:59.999999','"\u0041"','x,y','q',NULL,NULL,NULL,0),
(4,NULL,1,1,1,1,1,1,3.4028234e38,5e-324,0.5,-0.01,NULL,2,2024,'\t','\\','\n','x','ÿ',NULL,0x00,0x0d0a,'2024-02-00','2024-00-00 00:00:00',
 '2024-02-29 12:00:00.1','2024-02-29 12:00:00','12:00','100:00:00.000001','[]',NULL,NULL,NULL,NULL,NULL,NULL);
"""
SHAPES = r"""
CREATE TABLE nokey (a int, b text) ENGINE=InnoDB;
INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE parent (id int AUTO_INCREMENT PRIMARY KEY, code varchar(20) UNIQUE, at timestamp DEFAULT CURRENT_TIMESTAMP, KEY `by at` (at DESC, code(3)));
INSERT INTO parent (code) VALUES ('a'), ('b'), (NULL);
CREATE TABLE child (id bigint AUTO_INCREMENT PRIMARY KEY, pid int, x int, txt text, FULLTEXT KEY ft (txt),
  CONSTRAINT fk FOREIGN KEY (pid) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO child (pid, x, txt) SELECT 1 + seq % 3, seq, CONCAT('text ', seq) FROM seq_1_to_3000;
CREATE TABLE ci (k varchar(20) COLLATE utf8mb4_general_ci, e enum('z','y','x'), PRIMARY KEY (k, e));
INSERT INTO ci SELECT CONCAT(CHAR(65 + seq % 26), IF(seq % 2, 'x', 'Y'), seq), ELT(1 + seq % 3, 'z', 'y', 'x') FROM seq_1_to_2500;
CREATE TABLE keyed (b varbinary(8), d decimal(20,5), f float, PRIMARY KEY (b, d, f));
INSERT INTO keyed SELECT UNHEX(SUBSTR(MD5(seq % 50), 1, 8)), seq / 8, seq / 10 FROM seq_1_to_2500;
CREATE TABLE labels (e enum('z','y','x','w') PRIMARY KEY);
INSERT INTO labels VALUES ('w'), ('x'), ('y'), ('z');
CREATE TABLE parted (id int, k varchar(10), PRIMARY KEY (id, k)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (500),
  PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parted SELECT seq DIV 3, CONCAT('k', seq % 3) FROM seq_0_to_2999;
CREATE TABLE `We``ird "name` (`sel ect` int PRIMARY KEY, `a'b` text, `t	ab` text, `new
line` int);
INSERT INTO `We``ird "name` VALUES (1, 'q', NULL, 3);
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE other (id int PRIMARY KEY, v text) ENGINE=Aria;
INSERT INTO other SELECT seq, seq FROM seq_1_to_100;
"""
TABLES = ("nokey", "parent", "child", "ci", "keyed", "labels", "parted", '`We``ird "name`', "empty", "other")


class MysqlCase(sql_case.SqlCase):
    SERVERS = mariadb

    def rows(self, name, table, columns="*"):
        return sorted(self.server.ask(name, "SELECT %s FROM %s" % (columns, table)), key=repr)

    def keys(self, name, table="t"):
        return sorted(row[0] for row in self.server.ask("",
                                                        "SELECT DISTINCT index_name FROM "
                                                        "information_schema.statistics WHERE "
                                                            "table_schema = '%s' AND table_name = '%s'" % (name,
                                                                table)))


class BetweenServers(MysqlCase):
    def test_a_reference_to_a_table_that_is_left_out(self):
        """A key that no record could be written under is told, and not made."""
        source, other, target = self.made(SHAPES), self.made("CREATE TABLE theirs (id int PRIMARY KEY)"), self.made()
        self.server.ask(source, "CREATE TABLE far (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES %s.theirs (id))"
                        % other)
        said = self.run_program("migrate", self.server.uri(source), self.server.uri(target), "--include", "child",
                                "--include", "far").err
        self.assertIn("child: the foreign key to parent is not made: the target has no such table", said)
        self.assertIn("far: the foreign key to %s.theirs is not made: the target has no such table" % other, said)
        self.assertEqual(self.server.ask(target,
                                         "SELECT constraint_name FROM information_schema.referential_constraints WHERE "
                                         "constraint_schema = "
                                                 "database(); INSERT INTO child (pid) VALUES (1); "
                                                 "SELECT count(*) FROM child"), [["3001"]])

    def test_every_type(self):
        columns = ("id,t1,i1,i2,i3,i4,i8,u8,f4*1e0,f8,n65,n2,b1+0,b64+0,y,hex(v),hex(c),hex(tt),hex(lt),hex(lat),"
                   "hex(bn),hex(vb),hex(lb),d,dt,dt6,ts,tm,tm6,hex(j),e,s,u,ip,hex(g),gen,virt,inv,cmt")
        for options, *more in (("",), ("", "--no-express"), ("?load=data", "--no-express"), ("?load=insert",)):
            with self.subTest((options, *more)):
                source, target = self.made(EDGES), self.made()
                self.migrate(self.server.uri(source), self.server.uri(target, options), *more, "--state",
                             self.path("state" + options[1:] + "".join(more)))
                self.assertEqual(self.rows(source, "edges", columns), self.rows(target, "edges", columns))
                made = [self.server.ask(name, "SHOW CREATE TABLE edges")[0][1] for name in (source, target)]
                self.assertEqual(made[0], made[1])

    def test_what_a_query_gives_keeps_its_limits(self):
        columns = "id, de, d, t, b, z, u, ts, s, n, j"
        source, target = (self.made("CREATE TABLE t (id int PRIMARY KEY, de decimal(12,4), d datetime(3), t time(3), "
                                    "b bit(8), z int unsigned, u bigint unsigned, ts timestamp(6) NULL, s smallint, "
                                    "n decimal(65,30), j json); "
                                    "INSERT INTO t VALUES (1, 1.5, '2020-01-01 00:00:00.5', '-10:00:00.5', 5, "
                                    "4000000000, 18446744073709551615, '2020-01-01 00:00:00.123456', -3, "
                                    "-12345678901234567890123456789012345.123456789012345678901234567890, "
                                    "'{\"a\": 1}'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"),
                          self.made())
        self.write("p.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  q: { key: [id], "
                   "entities: { q: { query: \"SELECT %s, de * 2 AS twice FROM t\", key: [id] } } }\n" % (
                       self.server.uri(source), self.server.uri(target), columns))
        self.run_program("migrate", "--quiet", "--plan", "p.yaml")
        seen = columns.replace(", b,", ", b+0,")
        self.assertEqual(self.rows(target, "q", seen + ", twice"), self.rows(source, "t", seen + ", de * 2"))
        self.run_program("validate", "--level", "full")

    def test_every_shape_of_table(self):
        for chunk in ("7", "1000", "100000"):
            with self.subTest(chunk):
                source, target = self.made(SHAPES), self.made()
                self.migrate(self.server.uri(source), self.server.uri(target), "--chunk-rows", chunk, "--state",
                             self.path("state" + chunk))
                for table in TABLES:
                    self.assert_same_rows(source, target, table)
                for table in TABLES[:-1]:
                    made = [self.server.ask(name, "SHOW CREATE TABLE " + table)[0][1] for name in (source, target)]
                    self.assertEqual(*made)

    def test_a_copy_compares_equal_and_is_repaired(self):
        source, target = self.made(SHAPES), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        result = self.run_program("validate", "--level", "full", self.server.uri(source), self.server.uri(target))
        self.assertIn("equal at level full", result.out)
        self.server.ask(target, "UPDATE child SET x = -1 WHERE id = 77; DELETE FROM keyed LIMIT 1; "
                                "INSERT INTO parted VALUES (9999, 'new')")
        found = support.transhume("validate", "--level", "full", "--json", self.server.uri(source),
                                  self.server.uri(target), cwd=self.folder)
        self.assertEqual(found.code, 1, found.err)
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm",
                         self.server.uri(source), self.server.uri(target))
        for table in TABLES[1:]:
            self.assert_same_rows(source, target, table)

    def test_keys_of_addresses(self):
        """Of other types than numbers and texts a server makes no numbers."""
        source = self.made("CREATE TABLE t (k inet6, n int, PRIMARY KEY (k, n)); INSERT INTO t SELECT concat('::', "
                           "seq), seq FROM seq_1_to_500; "
                           "INSERT INTO t VALUES ('2001:db8::ff', 1), ('::ffff:192.0.2.1', 2)")
        target = self.made()
        self.migrate(self.server.uri(source), self.server.uri(target), "--chunk-rows", "100")
        self.assert_same_rows(source, target, "t")
        self.migrate(self.server.uri(source), "sqlite:copy.db", "--chunk-rows", "100", "--state", "lite")
        with sqlite3.connect(self.path("copy.db")) as database:
            self.assertEqual(sorted(map(list, database.execute("SELECT k, CAST(n AS TEXT) FROM t"))),
                             sorted(self.rows(source, "t")))

    def test_no_timeout_of_the_server_ends_the_snapshot(self):
        source, target = self.made(
            "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT seq FROM seq_1_to_50"), self.made()
        for name in ("idle_transaction_timeout", "idle_readonly_transaction_timeout", "idle_write_transaction_timeout"):
            self.server.ask("", "SET GLOBAL %s = 1" % name)
            self.addCleanup(self.server.ask, "", "SET GLOBAL %s = 0" % name)
        process = self.stopped_at("mysql.snapshot_taken:stop:1", "migrate", self.server.uri(source),
                                  self.server.uri(target))
        idle = self.server.session(source)
        self.addCleanup(idle.close)
        number = idle.ask("START TRANSACTION READ ONLY; SELECT connection_id() FROM a LIMIT 1")
        self.wait_until("the server ends another's", lambda: self.server.ask(
            "", "SELECT 1 FROM information_schema.processlist WHERE id = %s" % number) == [])
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM a"), [["50"]])

    def test_stopped_while_it_locks_the_source(self):
        """Others write on after some seconds; what it then read would be no single moment."""
        source, target = self.made("CREATE TABLE a (id int PRIMARY KEY)"), self.made()
        process = self.stopped_at("mysql.snapshot_locked:stop:1", "migrate", self.server.uri(source),
                                  self.server.uri(target))
        writer = self.server.session(source)
        self.addCleanup(writer.close)
        self.assertEqual(writer.ask("INSERT INTO a VALUES (1); SELECT 'written'"), "written")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("[network]", result.err)

    def test_a_snapshot_is_one_moment(self):
        source, target = (self.made("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); "
                                    "INSERT INTO a SELECT seq FROM seq_1_to_50; INSERT INTO b SELECT * FROM a"),
                          self.made())
        process = support.start("migrate", self.server.uri(source), self.server.uri(target), cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "mysql.snapshot_taken:sleep:1"})
        for _ in range(400):
            if len(self.server.ask(source, "SELECT 1 FROM information_schema.innodb_trx")) > 1:
                break
            time.sleep(0.12)   # whoever reads it more often reads the same copy, for ever
        self.server.ask(source, "DELETE FROM a WHERE id > 10; INSERT INTO b VALUES (1000)")
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM a"), [["50"]])
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM b"), [["50"]])

    def test_a_host_where_nobody_may_lock_the_server(self):
        """Amazon RDS denies the login itself to FLUSH TABLES WITH READ LOCK: tables are locked in its stead."""
        source = self.made("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT seq FROM seq_1_to_5000")
        for number, code in ((1045, 0), (1227, 0), (1030, 3)):
            with self.subTest(number), tcp_proxy.RefusingProxy(self.server.port, "FLUSH TABLES", number, "28000",
                                                               "Access denied for user 'admin'@'%' (using "
                                                               "password: YES)") as proxy:
                target, state = self.made(), self.path("s%d" % number)
                result = self.run_program("migrate", "mysql://root@127.0.0.1:%d/%s?sslmode=disable" % (proxy.port,
                    source),
                                          self.server.uri(target), "--chunk-rows", "500", "--state", state, code=code)
                self.assertGreater(proxy.refused, 0)
                self.assertNotIn("one connection reads all", result.err)
                if code == 0:
                    self.assert_same_rows(source, target, "a")

    def test_what_a_server_says_is_no_number_of_its_own(self):
        """
        A function of the source's raises an error with such words as the library has for a server that refuses the
        account.
        """
        source = self.made("DELIMITER //\nCREATE FUNCTION f() RETURNS int DETERMINISTIC BEGIN SIGNAL SQLSTATE '45000' "
                           "SET MESSAGE_TEXT = 'cannot be verified: 1045'; "
                           "RETURN 1; END//\nDELIMITER ;\nCREATE TABLE a (id int PRIMARY KEY); "
                           "INSERT INTO a VALUES (1)")
        plan = self.write("p.yaml",
                          "transhume: 1\nsource: %s\ntarget: sqlite:%s\ntables: { t: { key: id, "
                          "entities: { e: { query: 'SELECT id, f() AS n FROM a' } } } }\n" % (
                              self.server.uri(source), self.path("t.db")))
        result = self.run_program("migrate", "--plan", plan, code=3)
        self.assertIn("[source-read]", result.err)

    def test_rights_decide_how_the_snapshot_is_locked(self):
        source = self.made("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT seq FROM seq_1_to_5000")
        self.server.ask("", "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'a@b:c/d%%e#f'; "
                            "GRANT SELECT ON %s.* TO reader@'127.0.0.1'" % source)
        uri = "mysql://reader:a%%40b%%3Ac%%2Fd%%25e%%23f@127.0.0.1:%d/%s" % (self.server.port, source)
        ways = ((None, "one connection reads all"), ("LOCK TABLES ON %s.*" % source, None), ("RELOAD ON *.*", None))
        for number, (grant, said) in enumerate(ways):
            if grant:
                self.server.ask("", "GRANT %s TO reader@'127.0.0.1'" % grant)
            target = self.made()
            result = self.run_program("migrate", uri, self.server.uri(target), "--chunk-rows", "500", "--state",
                                      self.path("s%d" % number))
            self.assertEqual(said is not None and said in result.err, said is not None, result.err)
            self.assertNotIn("a@b:c", result.err + result.out)
            self.assert_same_rows(source, target, "a")


class NegativeZero(MysqlCase):
    def test_columns_keep_none(self):
        """
        The server's own columns lose the sign, whichever way it comes; its expressions have it, so that the bits would
        show it.
        """
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, d, f)")
        with contextlib.closing(sqlite3.connect(source)) as db:   # without a type the sign is kept
            db.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, -0.0, -0.0), (2, 0.0, 0.0), (3, -1.5, -1.5)])
            db.commit()
            self.assertEqual([str(value) for value, in db.execute("SELECT d FROM t ORDER BY id")],
                             ["-0.0", "0.0", "-1.5"])
        bits = "SELECT HEX(ST_AsWKB(POINT(%s, %s)))"
        self.assertEqual(self.server.ask("", bits % ("-0e0", "0e0")), [["0101000000" + "0000000000000080" + "00" * 8]])
        for options in mariadb.LOADS:
            target = self.made("CREATE TABLE t (id int PRIMARY KEY, d double, f float)")
            state = ("--state", "state" + options.replace("?", "-"))
            self.migrate(source, self.server.uri(target, options), "--existing", "append", *state)
            self.assertEqual(self.server.ask(target, bits % ("d", "f") + " FROM t WHERE id < 3"),
                             [["0101000000" + "00" * 16]] * 2)
            self.assertEqual(self.server.ask(target, "SELECT d, f FROM t WHERE id = 3"), [["-1.5", "-1.5"]])
            for level in ("hash", "full"):
                self.run_program("validate", "--level", level, *state)

    def test_check_says_so(self):
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, d DOUBLE)")
        result = self.run_program("check", source, self.server.uri(self.made()))
        self.assertIn("d (DOUBLE): widened; -0.0 becomes 0; written as double", result.out + result.err)


class KeysBetweenServers(MysqlCase):
    """Keys of tables that are made as the source has them."""

    def test_a_value_that_moved_between_two_snapshots(self):
        """Both records held it when they were read: the one that was there first keeps it."""
        for number, engine in enumerate(("InnoDB", "Aria")):
            with self.subTest(engine):
                state = self.path("state%d" % number)
                source, target = self.made(
                    "CREATE TABLE t (id int PRIMARY KEY, u int, w int, UNIQUE KEY `u``u` (u), KEY t_w (w)) ENGINE=%s;"
                    "INSERT INTO t SELECT seq, seq, seq FROM seq_1_to_3000" % engine), self.made()
                arguments = (self.server.uri(source), self.server.uri(target), "--state", state)
                self.assertEqual(support.kill_at("mysql.after_commit", 1, "migrate", "--chunk-rows", "1000", "--jobs",
                                                 "1",
                                                 *arguments, cwd=self.folder).code, -9)
                self.assertEqual(self.keys(target), ["PRIMARY", "u`u"])
                self.server.ask(source, "UPDATE t SET u = -1 WHERE id = 1; UPDATE t SET u = 1 WHERE id = 2900")
                self.run_program("resume", *arguments, code=1)
                self.assertEqual(self.server.ask(target, "SELECT count(*), min(IF(u = 1, id, NULL)) FROM t"),
                                 [["2999", "1"]])
                self.assertEqual([reject["key"] for reject in self.rejects(state)], [{"id": 2900}])
                self.assertEqual(self.keys(target), ["PRIMARY", "t_w", "u`u"])

    def test_columns_that_number_themselves(self):
        """Whatever key they stand on, and numbers of deleted rows are not given again."""
        tables = {
            "own": "(id char(36) PRIMARY KEY, seq bigint AUTO_INCREMENT, v int, UNIQUE KEY (seq), KEY (v))",
            "plain": "(id char(36) PRIMARY KEY, seq bigint AUTO_INCREMENT, v int, KEY (seq), KEY (v))",
            "small": "(id char(36) PRIMARY KEY, seq smallint unsigned AUTO_INCREMENT COMMENT 'a, AUTO_INCREMENT=7', "
                     "v int, KEY (seq, v), KEY (v))",
            "second": "(v int, seq int AUTO_INCREMENT, PRIMARY KEY (v, seq), KEY `s``k` (seq))",
            "keyless": "(seq int AUTO_INCREMENT, v int, txt text, more text, KEY (seq), KEY (v), FULLTEXT KEY (txt), "
                       "FULLTEXT KEY (more))",
            "odd": "(id int, `a``b` int AUTO_INCREMENT, v int, PRIMARY KEY (id), KEY (`a``b`), "
                   "KEY (v)) COMMENT 'AUTO_INCREMENT=9'",
            "usual": "(seq int AUTO_INCREMENT PRIMARY KEY, v int, UNIQUE KEY (v))",
            "parted": "(seq int AUTO_INCREMENT, v int, PRIMARY KEY (seq, v), "
                      "KEY (v)) PARTITION BY HASH (v) PARTITIONS 3"}
        script = ""
        for table, definition in tables.items():
            keyed = "id" if "id " in definition else None
            names = ("id, v" if keyed else "v")
            script += ("CREATE TABLE %s %s; INSERT INTO %s (%s) SELECT %s FROM seq_1_to_50; "
                       "DELETE FROM %s WHERE v > 40; ALTER TABLE %s AUTO_INCREMENT = 77;" % (
                           table, definition, table, names, "seq, seq" if keyed else "seq", table, table))
        source, target = self.made(script), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        for table in tables:
            with self.subTest(table):
                self.assert_same_rows(source, target, table)
                made = [self.server.ask(name, "SHOW CREATE TABLE " + table)[0][1] for name in (source, target)]
                self.assertIn("AUTO_INCREMENT=77", made[0])
                self.assertEqual(*made)

    def test_numbers_within_groups(self):
        """Which InnoDB does not give."""
        source, target = self.made("CREATE TABLE t (g int, n int AUTO_INCREMENT, PRIMARY KEY (g, n)) ENGINE=Aria;"
                                   "INSERT INTO t (g) VALUES (1), (1), (2), (2), (2)"), self.made()
        result = self.run_program("migrate", self.server.uri(source), self.server.uri(target))
        self.assertIn("n gets a key of its own", result.err)
        self.assert_same_rows(source, target, "t")
        self.server.ask(target, "INSERT INTO t (g) VALUES (1)")
        self.assertEqual(self.server.ask(target, "SELECT n FROM t WHERE g = 1 ORDER BY n"), [["1"], ["2"], ["4"]])


class FromElsewhere(MysqlCase):
    def test_values_of_sqlite(self):
        path = support.make_sqlite(self.path("s.db"), r"""
            CREATE TABLE v (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC(10,2), d DATE);
            INSERT INTO v VALUES (1, 9223372036854775807, 1e308, 'x' || char(9) || 'y\' || char(10) || char(13) || char(0) || 'z', x'00ff5c0a09', 0.1, '2024-02-29'),
            (2, -9223372036854775808, 5e-324, '', x'', 12345.67, NULL), (3, NULL, 0.1, '\N', NULL, -0.01, '0001-01-01'),
            (0, 0, -2.5, '🐑ü''"', x'5c4e', 1, '');""")
        for options in mariadb.LOADS:
            with self.subTest(options):
                target = self.made()
                self.migrate(path, self.server.uri(target, options), "--state", self.path("state" + options[1:]))
                found = self.server.ask(target, "SELECT id, i, r, hex(t), hex(b), n, d FROM v ORDER BY id")
                with sqlite3.connect(path) as database:
                    wanted = database.execute("SELECT id, i, r, hex(CAST(t AS BLOB)), "
                                              "CASE WHEN b IS NOT NULL THEN hex(b) END, "
                                              "n, d FROM v ORDER BY id").fetchall()
                for row, want in zip(found, wanted):
                    self.assertEqual(row[0], str(want[0]))
                    self.assertEqual(row[1], None if want[1] is None else str(want[1]))
                    self.assertEqual(float(row[2]), want[2])
                    self.assertEqual(row[3:5], [want[3], want[4]])
                    self.assertEqual(float(row[5]), want[5])
                    self.assertEqual(row[6], want[6])
                self.assertEqual(len(found), len(wanted))

    def test_and_back(self):
        source = self.made(SHAPES)
        target = self.path("back.db")
        self.migrate(self.server.uri(source), "sqlite:" + target)
        with sqlite3.connect(target) as database:
            self.assertEqual(database.execute("SELECT count(*), sum(x), min(txt) FROM child").fetchall(),
                             [(3000, 3000 * 3001 // 2, "text 1")])
            self.assertEqual(database.execute("SELECT count(*) FROM ci").fetchall(), [(2500,)])
            self.assertEqual(database.execute("SELECT e FROM labels ORDER BY e").fetchall(),
                             [("w",), ("x",), ("y",), ("z",)])
        again = self.made()
        self.migrate("sqlite:" + target, self.server.uri(again), "--state", self.path("again"))
        self.assertEqual(self.server.ask(again, "SELECT count(*), sum(x), min(txt) FROM child"),
                         [["3000", str(3000 * 3001 // 2), "text 1"]])

    def test_tables_that_refer_to_each_other(self):
        """Two ALTERs at once of such tables never end on MariaDB."""
        tables = 24
        path = support.make_sqlite(self.path("pairs.db"), "".join(
            "CREATE TABLE r%d (id INTEGER PRIMARY KEY, other INTEGER REFERENCES r%d(id)); "
            "INSERT INTO r%d VALUES (1, 1);"
            % (i, i ^ 1, i) for i in range(tables)))
        first, second = self.made(), self.made()
        for name, source in ((first, path), (second, self.server.uri(first))):
            self.migrate(source, self.server.uri(name), "--state", self.path("state" + name))
            self.assertEqual(self.server.ask("",
                                             "SELECT count(*) FROM information_schema.referential_constraints WHERE "
                                                 "constraint_schema = '%s'" % name), [[str(tables)]])
            self.assertEqual(self.server.ask("",
                                             "SELECT table_name FROM information_schema.tables WHERE "
                                             "table_schema = '%s' "
                                                 "AND (table_comment <> '' OR table_rows <> 1) AND table_name "
                                                 "LIKE 'r%%'" % name), [])

    def test_a_resume_alters_tables_that_refer_to_each_other(self):
        """Its foreign keys are there, what comes before them is not."""
        tables = 24
        path = support.make_sqlite(self.path("pairs.db"), "".join(
            "CREATE TABLE r%d (id INTEGER PRIMARY KEY, other INTEGER REFERENCES r%d(id)); "
            "INSERT INTO r%d VALUES (1, 1);"
            % (i, i ^ 1, i) for i in range(tables)))
        target = self.made()
        support.kill_at("engine.after_after_load", 1, "migrate", path, self.server.uri(target), cwd=self.folder)
        run = self.run_id()
        self.server.ask(target, "".join("ALTER TABLE r%d COMMENT='transhume run %s';" % (i, run)
                                        for i in range(tables)))
        self.run_program("resume", path, self.server.uri(target))
        self.assertEqual(self.server.ask("",
                                         "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s' "
                                             "AND table_comment <> '' AND table_name LIKE 'r%%'" % target), [])

    def test_a_table_that_is_held_after_the_load(self):
        """What others need is done once, and orphans are told of once."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, "
                                   "a INTEGER REFERENCES a(id));"
                                   "CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id)); "
                                   "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1), (2, 9);"
                                   "INSERT INTO c VALUES (1, 1)")
        target = self.made()
        process = self.stopped_at("engine.before_after_load:stop:1", "migrate", path, self.server.uri(target))
        holder = self.server.session(target)
        self.addCleanup(holder.close)
        holder.ask("START TRANSACTION; SELECT id FROM c")
        process.send_signal(signal.SIGCONT)

        def log():
            with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
                return file.read()
        self.wait_until("it tries again", lambda: "try 2" in log())
        holder.close()
        self.assert_code(support.finish(process), 1)
        for line in ("info: statistics of a", "info: statistics of b", "info: statistics of c", "is there, but broken"):
            self.assertEqual(log().count(line), 1, log())
        self.assertEqual(self.server.ask("",
                                         "SELECT count(*) FROM information_schema.referential_constraints WHERE "
                                         "constraint_schema = '%s'" % target), [["2"]])

    @unittest.skipIf(support.UNDER_VALGRIND,
                     "the server ends what waits a second after its client, when the next one has hardly begun")
    def test_the_server_went_on_without_the_client(self):
        """A process dies while the server makes its indexes: the next one waits for that, and takes them."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, w INTEGER); "
                                   "CREATE INDEX t_v ON t (v);"
                                   "CREATE INDEX t_w ON t (w); INSERT INTO t VALUES (1, 2, 3);")
        target = self.made()
        arguments = (path, self.server.uri(target), "--state", self.path("state"))
        result = self.abandon_and_resume(target, "mysql.before_index:stop:1",
                                         "START TRANSACTION; SELECT id FROM t WHERE id = 1", *arguments)
        self.assertRegex(result.err, "what session [0-9]+ builds on t")
        self.assertEqual(self.server.ask("",
                                         "SELECT index_name FROM information_schema.statistics WHERE table_schema = "
                                         "'%s' AND table_name = 't' "
                                             "ORDER BY 1" % target), [["PRIMARY"], ["t_v"], ["t_w"]])

    def test_a_refused_record_never_costs_its_batch(self):
        path = support.make_sqlite(self.path("s.db"), """
            CREATE TABLE t (id INTEGER, v TEXT, n INTEGER);
            WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) INSERT INTO t SELECT i, 'v' || i, i FROM c;
            INSERT INTO t VALUES (17, 'again', 1), (2500, 'again', 2), (NULL, 'no key', 3), (6001, 'too long a text', 4), (6002, 'ok', 30000),
            (6003, 'neg', -5), (6004, x'ff', 1);""")
        for options in mariadb.LOADS:
            with self.subTest(options):
                target = self.made("CREATE TABLE t (id int PRIMARY KEY, v varchar(8), n smallint CHECK (n <> 30000))")
                state = self.path("state" + options[1:])
                result = support.transhume("migrate", path, self.server.uri(target, options), "--existing", "append",
                                           "--chunk-rows", "2000", "--state", state, cwd=self.folder)
                self.assertEqual(result.code, 1, result.err)
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id) FROM t"),
                                 [["5001", str(5000 * 5001 // 2 + 6003)]])
                found = []
                for name in sorted(os.listdir(os.path.join(state, "rejects"))):
                    with open(os.path.join(state, "rejects", name), encoding="utf-8") as file:
                        found += [json.loads(line)["code"] for line in file]
                self.assertEqual(sorted(found), ["constraint", "key-duplicate", "key-duplicate", "key-null",
                                                 "record-too-large", "text-invalid"])

    def test_what_the_server_would_bend_without_a_word(self):
        """Blanks and zeros at the end, labels of other cases, years of two digits: another value would come of them."""
        values = {"c char(4)": ["'ab'", "' b'", "''", "'ab '", "' '"],
                  "b binary(3)": ["x'010203'", "x'0102'", "x''", "x'01020304'"],
                  "y year": ["1901", "2155", "0", "70", "5", "99", "1900", "2156", "-1"],
                  "e enum('a','B','c d')": ["'a'", "'B'", "'A'", "'b'", "'a '", "'1'", "''", "'c d'"],
                  r"o enum('it''s','🐑','a\\b','n\nl')": ["'it''s'", "'🐑'", r"'a\b'", "'n' || char(10) || 'l'",
                                                         r"'n\nl'"],
                  "s set('a','B','c')": ["'a'", "'a,B'", "''", "'B,a'", "'a,a'", "'A'", "'3'", "'a,'", "'a,B,c'"]}
        kept = {"c": ["", " b", "ab"], "b": ["010203"], "y": ["0000", "1901", "2155"], "e": ["B", "a", "c d"],
                "o": ["615C62", "6E0A6C", "69742773", "F09F9091"], "s": ["", "a", "a,B", "a,B,c"]}
        for declared, literals in values.items():
            name = declared.split()[0]
            path = support.make_sqlite(self.path(name + ".db"),
                                       "CREATE TABLE t (id INTEGER PRIMARY KEY, %s); INSERT INTO t(%s) VALUES %s;" % (
                                           name, name, ", ".join("(%s)" % literal for literal in literals)))
            for options in mariadb.LOADS:
                with self.subTest(declared, options=options):
                    target = self.made("CREATE TABLE t (id int PRIMARY KEY, %s)" % declared)
                    self.migrate(path, self.server.uri(target, options), "--existing", "append", "--state",
                                 self.path(name + options[1:]), code=1)
                    shown = "hex(%s)" % name if name in "bo" else name
                    self.assertEqual(self.server.ask(target, "SELECT %s FROM t ORDER BY length(%s), binary %s" % (shown,
                        name, name)),
                                     [[value] for value in kept[name]])

    def test_floats_that_the_server_would_round(self):
        """To the digits of float(M,D) and double(M,D), without a warning."""
        values = {"f float(8,2)": ["0.25", "1.5", "-3", "0", "1234.5", "0.125", "1.001", "1e-7", "1e7", "1e39"],
                  "d double(12,3)": ["0.125", "123456.789", "-0.001", "1e8", "0.1", "0.0625", "123456.7891", "1e-300",
                                     "1e9"],
                  "z double(12,0)": ["1", "-2", "1e11", "0", "3", "0.5", "1.5", "-0.1", "1e12"],
                  "e double": ["0.1", "1e-300", "1.7976931348623157e308", "2", "3"]}
        for declared, literals in values.items():
            name = declared.split()[0]
            path = support.make_sqlite(self.path(name + ".db"),
                                       "CREATE TABLE t (id INTEGER PRIMARY KEY, %s REAL); INSERT INTO t(%s) VALUES %s;"
                                       % (
                                           name, name, ", ".join("(%s)" % literal for literal in literals)))
            for options in mariadb.LOADS:
                with self.subTest(declared, options=options):
                    target, state = self.made("CREATE TABLE t (id int PRIMARY KEY, %s)" % declared), self.path(name
                        + options[1:])
                    self.migrate(path, self.server.uri(target, options), "--existing", "append", "--state", state,
                                 code=1 if len(literals) > 5 else 0)
                    self.assertEqual([(int(row[0]), float(row[1]))
                                      for row in self.server.ask(target, "SELECT * FROM t ORDER BY id")],
                                     [(number + 1, float(literal)) for number, literal in enumerate(literals[:5])])
                    self.assertEqual(sorted(reject["key"]["id"] for reject in self.rejects(state)),
                                     list(range(6, len(literals) + 1)))

    def test_records_that_are_there(self):
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES "
                                                      "(1, 'new'), (2, 'new'), (3, 'new');")
        wanted = {"append": [["1", "old", "x"], ["2", "old", "x"], ["3", "new", "d"]],
                  "skip": [["1", "old", "x"], ["2", "old", "x"], ["3", "new", "d"]],
                  "upsert": [["1", "new", "x"], ["2", "new", "x"], ["3", "new", "d"]],
                  "replace": [["1", "new", "d"], ["2", "new", "d"], ["3", "new", "d"]]}
        for policy, rows in wanted.items():
            with self.subTest(policy):
                target = self.made("CREATE TABLE t (id int PRIMARY KEY, v varchar(8), other varchar(5) DEFAULT 'd'); "
                                   "INSERT INTO t VALUES (1, 'old', 'x'), (2, 'old', 'x')")
                self.migrate(path, self.server.uri(target), "--existing", policy, "--state", self.path(policy),
                             code=1 if policy == "append" else 0)
                self.assertEqual(self.server.ask(target, "SELECT * FROM t ORDER BY id"), rows)

    def test_each_record_is_noted_once(self):
        for policy in ("skip", "upsert"):
            with self.subTest(policy):
                self.assert_each_record_is_noted_once(policy)

    def test_large_values_go_in_by_slices(self):
        path = self.path("s.db")
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE l (id INTEGER PRIMARY KEY, b BLOB, t TEXT)")
            database.executemany("INSERT INTO l VALUES (?, ?, ?)",
                                 [(i, os.urandom(5 << 20) + b"\\\t\n", "t\\\n\t" * (1 << 20)) for i in range(3)])
            wanted = [[str(i), md5(b), md5(t.encode())] for i, b, t in database.execute("SELECT * FROM l")]
        target = self.made()
        self.migrate(path, self.server.uri(target))
        self.assertEqual(self.server.ask(target, "SELECT id, md5(b), md5(t) FROM l ORDER BY id"), wanted)

    def test_texts_in_a_column_of_bytes_are_no_difference(self):
        path = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB);"
                                   "INSERT INTO t VALUES (1, '-543.22'), (2, 'text ü'), (3, x'00ff'), (4, '')")
        target = self.made()
        self.migrate(path, self.server.uri(target))
        self.assertEqual(self.server.ask(target, "SELECT hex(b) FROM t ORDER BY id"),
                         [[b"-543.22".hex().upper()], ["text ü".encode().hex().upper()], ["00FF"], [""]])
        for level in ("sample", "hash", "full"):
            self.run_program("validate", "--level", level, path, self.server.uri(target))
        self.server.ask(target, "UPDATE t SET b = 'text u' WHERE id = 2")
        self.run_program("validate", path, self.server.uri(target), code=1)


class Layouts(MysqlCase):
    """Rows and keys that are longer than the server takes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = postgres.for_class(cls)

    def columns(self, name, table):
        return [row[0] for row in self.server.ask("",
                                                  "SELECT column_type FROM information_schema.columns WHERE "
                                                  "table_schema = '%s' AND "
                                                      "table_name = '%s' ORDER BY ordinal_position" % (name, table))]

    def test_rows_that_are_too_long_get_texts(self):
        """Of the longest columns, as few as are needed; those of keys stay."""
        shapes = {"wide": [4000] * 5, "keyed": [700, 4000, 4000, 4000, 4000, 4000], "short": [50] * 60,
                  "bytes": [63] * 33,
                  "mixed": [4000, 3000, 2000] * 4 + [60] * 50, "fits": [4000] * 4, "many": [200] * 300}
        name, target = self.postgres.database(), self.made()
        script = ""
        for table, lengths in shapes.items():
            names = ["c%d" % i for i in range(len(lengths))]
            script += "CREATE TABLE %s (id int, %s, PRIMARY KEY (%s)); INSERT INTO %s VALUES (1, %s);" % (
                table, ", ".join("%s varchar(%d)" % pair for pair in zip(names, lengths)),
                "id, c0" if table == "keyed" else "id",
                table, ", ".join("repeat('\u00fc', %d)" % length for length in lengths))
        self.postgres.psql(name, script)
        self.migrate(self.postgres.uri(name), self.server.uri(target))
        for table, lengths in shapes.items():
            with self.subTest(table):
                asked = ", ".join("char_length(c%d)" % i for i in range(len(lengths)))
                self.assertEqual(self.server.ask(target, "SELECT %s FROM %s" % (asked, table)),
                                 [[str(length) for length in lengths]])
        made = {table: self.columns(target, table)[1:] for table in shapes}
        self.assertEqual(made["fits"], ["varchar(4000)"] * 4)
        self.assertEqual(sorted(made["wide"]), ["text"] + ["varchar(4000)"] * 4)
        self.assertEqual(made["keyed"][0], "varchar(700)")
        self.assertEqual(made["mixed"].count("varchar(2000)"), 4)
        self.assertTrue(all("text" in kinds and kinds.count("text") < len(kinds) for table, kinds in made.items()
                            if table != "fits"), made)

    def test_a_row_that_no_types_make_fit_is_refused(self):
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, %s); INSERT INTO t (id) VALUES (1)" %
                                   ", ".join("c%d TEXT" % i for i in range(700)))
        target = self.made()
        result = self.run_program("migrate", path, self.server.uri(target), code=2)
        self.assertIn("too many or too long for one row", result.err)
        self.assertEqual(self.rows_of(target), {})

    def test_texts_of_one_length_that_fit_the_server_fit_the_plan(self):
        """InnoDB keeps char of several bytes a character as one that varies."""
        for number, (kind, count) in enumerate((("char(200)", 11), ("char(200)", 70), ("char(64)", 190),
                                                ("char(64)", 200), ("char(60)", 33), ("char(60)", 34))):
            with self.subTest(kind, count=count):
                names, target = ["c%d" % i for i in range(count)], self.made()
                fits = True
                try:
                    self.server.ask(target,
                                    "CREATE TABLE other (id bigint PRIMARY KEY, %s) ENGINE=InnoDB CHARACTER SET utf8mb4"
                                    % ", ".join(name + " " + kind for name in names))
                except AssertionError:
                    fits = False
                path = support.make_sqlite(self.path("s%d.db" % number),
                                           "CREATE TABLE t (id INTEGER PRIMARY KEY, %s); INSERT INTO t (id) VALUES (1)"
                                           % ", ".join(
                                               name + " TEXT" for name in names))
                plan = self.write("p%d.yaml" % number,
                                  "transhume: 1\nsource: sqlite:%s\ntarget: %s\ntables: { t: { entities: { e: { from: "
                                  "t, fields: { id: copy, %s } } }, columns: { %s } } }\n" % (
                                      path, self.server.uri(target),
                                      ", ".join("%s: { column: %s, lossy: allow }" % (name, name) for name in names),
                                      ", ".join("%s: { type: '%s' }" % (name, kind) for name in names)))
                result = self.run_program("migrate", "--plan", plan, "--state", self.path("state%d" % number),
                                          code=0 if fits else 2)
                self.assertEqual("too many or too long for one row" in result.err, not fits, result.err)

    def rows_of(self, name):
        return {table: rows for table, rows in self.server.rows(name).items() if not table.startswith("_transhume")}

    def test_keys_that_are_too_long(self):
        """
        A plain index holds the beginnings, or is left out and told before the load; the key is refused; MariaDB makes
        unique indexes by a hash.
        """
        rows = "INSERT INTO t VALUES (1, '%s', 'b', 'c', 'd');" % ("a" * 300)
        for number, (key, code, said, kept) in enumerate((
                ("CREATE INDEX i_all ON t (a, b, c, d, e); CREATE INDEX i_a ON t (id, a);", 0,
                 "t: the index i_all is not made: it may take 3820 bytes", ["PRIMARY", "i_a"]),
                ("CREATE UNIQUE INDEX u ON t (b, c, d, id); CREATE UNIQUE INDEX v ON t (b, c, d, e)", 0, None,
                 ["PRIMARY", "u", "v"]))):
            with self.subTest(key):
                path = support.make_sqlite(self.path("s%d.db" % number),
                                           "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT, "
                                           "e TEXT DEFAULT 'e');" + rows.replace("VALUES",
                                               "(id, a, b, c, d) VALUES") + key)
                target = self.made()
                result = self.run_program("migrate", path, self.server.uri(target), "--state",
                                          self.path("state%d" % number), code=code)
                self.assertEqual(said is not None and said in result.err, said is not None, result.err)
                self.assertEqual(result.err.count("is not made"), 1 if said else 0, result.err)
                self.assertEqual(self.keys(target, "t"), kept)
                self.assertEqual(self.server.ask(target,
                                                 "SELECT column_name, sub_part FROM information_schema.statistics "
                                                 "WHERE table_schema = database() AND index_name = 'i_a'"),
                                 [["id", None], ["a", "191"]] if "i_a" in kept else [])
                self.assertEqual(self.server.ask(target, "SELECT length(a) FROM t"), [["300"]])
        path = support.make_sqlite(self.path("p.db"),
                                   "CREATE TABLE t (\"a\nx\" TEXT, b TEXT, c TEXT, d TEXT, PRIMARY KEY (\"a\nx\", "
                                   "b, c, d));"
                                   "INSERT INTO t VALUES ('a', 'b', 'c', 'd')")
        target = self.made()
        for command in ("check", "migrate"):
            result = self.run_program(command, path, self.server.uri(target), code=2)
            self.assertIn("the key of t can't be made: it may take 4080 bytes, and the server takes 3072",
                          result.out + result.err)
            self.assertNotIn("2 problems", result.err)
        self.assertEqual(self.rows_of(target), {})

    def test_indexes_that_the_server_refuses_after_the_load(self):
        """For their own sake: told and left out, and the run goes on."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, %s); INSERT INTO t (id) VALUES (1);" %
                                   ", ".join("c%d INTEGER" % i for i in range(70)) +
                                   "".join("CREATE INDEX i%02d ON t (c%d);" % (i, i) for i in range(70)))
        target = self.made()
        result = self.run_program("migrate", path, self.server.uri(target))
        self.assertEqual(len(self.keys(target, "t")), 64)   # the server's own limit
        self.assertEqual(result.err.count("Too many keys"), 7, result.err)
        self.assertIn("t: the index `i69` is not made", result.err)


class Plans(sql_case.Plans, MysqlCase):
    ORDERED = "%s COLLATE utf8mb4_bin"
    EXTREMES = {
        "bigint unsigned": ("18446744073709551615", "1", "9223372036854775808"), "int": ("-5", "7"),
        "decimal(30,5)": ("-1.5", "99999999999999999999.12345"),
        "double": ("-1.5", "1e300", "5e-320"), "float": ("0.1", "0.25"), "text": ("'b'", "'a'", "'Z'", "'é'", "''"),
        "varchar(9) COLLATE utf8mb4_bin": ("'b'", "'a'", "'Z'"),
        "varbinary(8)": ("x'61'", "x'6162'", "''"), "date": ("'2020-01-01'", "'9999-12-31'", "'1000-01-01'"),
        "year": ("1999", "2020"), "uuid": ("UUID()", "UUID()", "UUID()"),
        "time(6)": ("'-838:59:59'", "'00:00:00.000001'", "'12:00'", "'-00:00:00.5'", "'838:00:00'"),
        "time(6) NULL": ("'24:00'", "'23:59:59'"),
        "datetime(6)": ("'2020-01-01 00:00:00.000001'", "'2020-01-01'"),
        "timestamp(6) NULL": ("'2020-01-01 00:00:00.5'", "'2020-01-01'")}

    def test_a_look_up_into_a_table_without_a_key(self):
        """
        There is nothing by which this server would tell the first of several partners: refused before anything is made.
        """
        for name, rest in (("table", ""), ("view",
                                           "; RENAME TABLE stop TO stops; CREATE VIEW stop AS SELECT * FROM stops")):
            with self.subTest(name):
                said = self.looked_up(self.server.uri(self.made(self.STOPS % ("", "") + rest)), name, code=2)
                self.assertRegex(said,
                                 name
                                 + r"\.yaml:[0-9:]+ order: the table stop is looked up by columns that are not unique, "
                                   r"and has no key")
                self.assertIn("give the table a primary key, or look up by unique columns", said)
        unique = self.made("CREATE TABLE orders (id int PRIMARY KEY, town varchar(9), lane int); "
                           "CREATE TABLE stop (line int, number int, town varchar(9) NOT NULL, "
                           "lane int NOT NULL, UNIQUE (town, lane)); INSERT INTO orders VALUES (1, 'a', 1); "
                           "INSERT INTO stop VALUES (2, 7, 'a', 1)")
        self.assertEqual(self.looked_up(self.server.uri(unique), "unique"), {1: "2/7"})

    def test_a_foreign_key_to_columns_that_are_not_unique(self):
        """Which InnoDB allows: of several partners the one whose key comes first."""
        refers = ", FOREIGN KEY (town, lane) REFERENCES stop (town, lane)"
        keyed = self.made(self.STOPS % (", PRIMARY KEY (line, number), KEY (town, lane)", refers))
        self.assertEqual(self.looked_up(self.server.uri(keyed), "keyed", match=""),
                         {1: "2/7", 2: "4/9", 3: "1/1", 4: None, 5: None})
        keyless = self.made(self.STOPS % (", KEY (town, lane)", refers))
        self.assertIn("has no key that would tell the first one",
                      self.looked_up(self.server.uri(keyless), "keyless", match="", code=2))


class PostgresAndItems(MysqlCase):
    """The edge values that both sides hold arrive, the others are rejected with their key."""
    TABLE = r"""CREATE TABLE p (id int PRIMARY KEY, b boolean, i8 bigint, n numeric(38,10), f8 double precision, f4 real, t text,
      v varchar(10), by bytea, d date, tm time, ts timestamp, tz timestamptz, iv interval, u uuid, j json, ai int[]);
      INSERT INTO p VALUES (1, true, 9223372036854775807, 1234567890123456789012345678.0123456789, '-0', 1.17549435e-38,
      E'quote '' \\ tab\t nl\n \U0001F411', 'abc', '\x00ff5c0a09', '0001-01-01', '24:00:00', '0001-01-01 00:00:00.000001',
      '2024-03-31 01:30:00+01', '1 year 2 mons 3 days 04:05:06.7', '123e4567-e89b-12d3-a456-426614174000', '{"a": 1,  "b":[2]}',
      '{1,NULL}'), (2, false, -9223372036854775808, 0, 5e-324, 0.1, '', '', '', '9999-12-31', '00:00', '9999-12-31 23:59:59.999999',
      '9999-12-31 23:59:59Z', '0', NULL, 'null', '{}');
      INSERT INTO p (id) VALUES (3); INSERT INTO p (id, f8) VALUES (10, 'NaN'), (11, 'Infinity');
      INSERT INTO p (id, d) VALUES (12, 'infinity'), (13, '4713-01-01 BC'), (14, '10000-01-01');
      INSERT INTO p (id, ts) VALUES (15, '-infinity'), (16, '294276-01-01');
      INSERT INTO p (id, n) VALUES (17, 'NaN');"""
    SEEN = ("id, b, i8, n, f8, f4*1e0 = CAST('1.17549435e-38' AS FLOAT)*1e0, hex(t), v, hex(`by`), d, tm, ts, tz, iv, "
            "u, j, ai")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = postgres.for_class(cls)

    def test_out_of_postgres_and_back(self):
        name, target, back = self.postgres.database(), self.made(), self.postgres.database()
        self.postgres.psql(name, self.TABLE)
        self.migrate(self.postgres.uri(name), self.server.uri(target), code=1)
        self.assertEqual(sorted(reject["key"]["id"] for reject in self.rejects()), list(range(10, 18)))
        rows = self.server.ask(target, "SELECT %s FROM p ORDER BY id" % self.SEEN)
        self.assertEqual(rows[0], [
            "1", "1", "9223372036854775807", "1234567890123456789012345678.0123456789", "0", "1",
            "quote ' \\ tab\t nl\n \U0001F411".encode().hex().upper(), "abc", "00FF5C0A09", "0001-01-01",
            "24:00:00.000000",
            "0001-01-01 00:00:00.000001", "2024-03-31 00:30:00.000000", "P1Y2M3DT4H5M6.7S",
            "123e4567-e89b-12d3-a456-426614174000",
            '{"a": 1,  "b":[2]}', "[1,null]"])
        self.assertEqual(rows[1][:5] + rows[1][9:14], [
            "2", "0", "-9223372036854775808", "0.0000000000", "5e-324", "9999-12-31", "00:00:00.000000",
            "9999-12-31 23:59:59.999999",
            "9999-12-31 23:59:59.000000", "PT0S"])
        self.assertEqual(rows[2], ["3"] + [None] * 16)
        self.migrate(self.server.uri(target), self.postgres.uri(back), "--state", self.path("back"))
        same = ("SELECT i8, n, nullif(f8, 0), f4, t, v, \"by\", d, tm, ts, tz AT TIME ZONE 'UTC', u, "
                "j FROM p WHERE id < 10 ORDER BY id")
        self.assertEqual([row[:10] + row[11:] for row in self.postgres.psql(name, same)],
                         [row[:10] + row[11:] for row in self.postgres.psql(back,
                                                                            same.replace(" AT TIME ZONE 'UTC'", ""))])
        result = support.transhume("validate", "--level", "full", self.server.uri(target), self.postgres.uri(back),
                                   "--state",
                                   self.path("back"), cwd=self.folder)
        self.assertEqual(result.code, 0, result.out + result.err)

    def test_whole_numbers_keep_their_width(self):
        """Both ways; but the two ends of a reference have one width, without which MariaDB takes none."""
        there = ("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = %s "
                 "ORDER BY 1, 2")
        name, target, back = self.postgres.database(), self.made(), self.postgres.database()
        self.postgres.psql(name, """CREATE TABLE big (id bigint PRIMARY KEY); CREATE TABLE mid (id int PRIMARY KEY, s smallint, i int, b bigint,
          up int REFERENCES big, side smallint REFERENCES mid(id));
          INSERT INTO big VALUES (-9223372036854775808), (9223372036854775807), (2147483647);
          INSERT INTO mid VALUES (-2147483648, -32768, -2147483648, -9223372036854775808, 2147483647, NULL),
          (2147483647, 32767, 2147483647, 9223372036854775807, NULL, NULL), (7, NULL, NULL, NULL, NULL, 7)""")
        self.migrate(self.postgres.uri(name), self.server.uri(target))
        self.assertEqual([row for row in self.server.ask("", there % ("'%s'" % target)) if row[0] in ("big", "mid")], [
            ["big", "id", "bigint"], ["mid", "b", "bigint"], ["mid", "i", "int"], ["mid", "id", "int"],
            ["mid", "s", "smallint"],
            ["mid", "side", "int"], ["mid", "up", "bigint"]])
        self.assertEqual(len(self.server.ask("",
                                             "SELECT 1 FROM information_schema.referential_constraints WHERE "
                                             "constraint_schema = '%s'"
                                             % target)), 2)
        self.migrate(self.server.uri(target), self.postgres.uri(back), "--state", self.path("back"))
        self.assertEqual([row for row in self.postgres.psql(back, there % "'public'") if row[0] == "mid"], [
            ["mid", "b", "bigint"], ["mid", "i", "integer"], ["mid", "id", "integer"], ["mid", "s", "smallint"],
            ["mid", "side", "integer"], ["mid", "up", "bigint"]])
        for table in ("big", "mid"):
            same = "SELECT * FROM %s ORDER BY id" % table
            self.assertEqual(self.postgres.psql(name, same), self.postgres.psql(back, same))

    def test_json_in_columns_of_texts(self):
        """Byte for byte: in one that is there, and where a plan makes the table."""
        told = '{"b": 1.0, "a": 2, "a": 3, "e": 1E5, "z":-0.0, "u":"\\u00e9"}'
        mine, theirs = self.made("CREATE TABLE t (id int PRIMARY KEY, j json)"), self.postgres.database()
        self.server.ask(mine, "INSERT INTO t VALUES (1, '%s')" % told.replace("\\", "\\\\"))
        self.postgres.psql(theirs, "CREATE TABLE t (id int PRIMARY KEY, j json); INSERT INTO t VALUES (1, '%s')" % told)
        there = "CREATE TABLE t (id int PRIMARY KEY, j %s); INSERT INTO t VALUES (1, 'old')"
        for source in (self.server.uri(mine), self.postgres.uri(theirs)):
            for server, kind in ((self.server, "longtext"), (self.postgres, "text")):
                with self.subTest(source=source, target=kind):
                    target = server.database()
                    server.ask(target, there % kind)
                    pair, state = (source, server.uri(target)), self.path("texts" + target + kind)
                    self.migrate("--existing", "upsert", *pair, "--state", state)
                    self.assertEqual(server.ask(target, "SELECT count(*) FROM t WHERE j = '%s'"
                                                % (told.replace("\\", "\\\\") if server is self.server else told)),
                                     [["1"]])
                    self.run_program("validate", "--level", "full", *pair, "--state", state)
                    self.run_program("rollback", "--run", self.run_id(state), "--confirm", "--state", state)
                    self.assertEqual(server.ask(target, "SELECT j FROM t"), [["old"]])
        target = self.made()
        self.write("p.yaml", "transhume: 1\ntables: { t2: { from: t, key: [id] } }\n")
        self.run_program("migrate", "--plan", "p.yaml", self.server.uri(mine), self.server.uri(target))
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM t2 WHERE j = '%s'" % told.replace("\\", "\\\\")),
                         [["1"]])
        self.assertIn("json_valid", self.server.ask(target, "SHOW CREATE TABLE t2")[0][1])

    def test_numbers_are_no_bits(self):
        """1010 is not B'1010': a record of MySQL's bit is rejected by a column of bits that is there."""
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY, v bit(8)); INSERT INTO t VALUES (1, b'1010'), "
                                   "(2, b'1100100'), (3, NULL)"), self.postgres.database()
        for kind in ("bit varying(8)", "bit(3)", "bit varying"):
            with self.subTest(kind):
                self.postgres.psql(target, "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v %s)" % kind)
                state = self.path("bits" + kind.replace(" ", ""))
                self.migrate("--existing", "append", self.server.uri(source), self.postgres.uri(target), "--state",
                             state, code=1)
                self.assertEqual([(reject["key"]["id"], reject["code"]) for reject in self.rejects(state)],
                                 [(1, "type"), (2, "type")])
                self.assertEqual(self.postgres.psql(target, "SELECT * FROM t"), [["3", None]])

    def test_zero_dates_become_null(self):
        """As a copy has it, and as a plan may; of types that are kept each record is rejected, with its key."""
        source, target = (self.made("SET sql_mode = ''; CREATE TABLE w (id int PRIMARY KEY, "
                                    "at datetime NOT NULL DEFAULT '0000-00-00 00:00:00', d date, s timestamp NULL); "
                                    "INSERT INTO w VALUES "
                                    "(1, '0000-00-00 00:00:00', '0000-00-00', '0000-00-00 00:00:00'), (2, "
                                    "'2020-02-03 04:05:06', '2020-02-03', '2020-02-03 04:05:06')"),
                          self.postgres.database())
        uris = self.server.uri(source), self.postgres.uri(target)
        expected = [["1", None, None, None], ["2", "2020-02-03 04:05:06", "2020-02-03", "2020-02-03 04:05:06+00"]]
        self.migrate(*uris, "--state", self.path("plain"))
        self.assertEqual(self.postgres.psql(target, "SELECT * FROM w ORDER BY id"), expected)
        self.postgres.psql(target, "DROP TABLE w")
        self.write("keep.yaml", "transhume: 1\ntypes: keep\n")
        self.migrate(*uris, "--plan", "keep.yaml", "--state", self.path("kept"), code=1)
        self.assertEqual([reject["key"] for reject in self.rejects("kept")], [{"id": 1}])
        self.write("p.yaml", """transhume: 1
source: %s
target: %s
tables:
  nulls:
    key: [id]
    from: w
    fields:
      "*": copy
      at: { sql: "nullif(at, '0000-00-00')", cast: timestamp }
      d: { sql: "nullif(d, '0000-00-00')", cast: date }
      s: { sql: "nullif(s, '0000-00-00')" }
    columns: { s: { type: timestamptz } }
""" % uris)
        self.run_program("migrate", "--plan", "p.yaml")
        self.assertEqual(self.postgres.psql(target, "SELECT * FROM nulls ORDER BY id"), expected)

    def test_unsigned_and_small_numbers_find_room(self):
        bounds = {"tinyint": (-128, 127, "smallint"), "tinyint unsigned": (0, 255, "smallint"),
                  "smallint unsigned": (0, 65535, "integer"),
                  "mediumint": (-8388608, 8388607, "integer"), "mediumint unsigned": (0, 16777215, "integer"),
                  "int": (-2147483648, 2147483647, "integer"), "int unsigned": (0, 4294967295, "bigint"),
                  "year": (1901, 2155, "smallint"),
                  "tinyint(1)": (-128, 127, "smallint")}
        source = self.made("CREATE TABLE n (id int PRIMARY KEY, %s); INSERT INTO n VALUES (1, %s), (2, %s)" % (
            ", ".join("c%d %s" % (i, kind) for i, kind in enumerate(bounds)),
            ", ".join(str(b[0]) for b in bounds.values()),
            ", ".join(str(b[1]) for b in bounds.values())))
        target = self.postgres.database()
        self.migrate(self.server.uri(source), self.postgres.uri(target))
        self.assertEqual(self.postgres.psql(target, "SELECT * FROM n ORDER BY id"),
                         [[str(row + 1), *(str(b[row]) for b in bounds.values())] for row in (0, 1)])
        self.assertEqual([kind for kind, in self.postgres.psql(
            target,
            "SELECT data_type FROM information_schema.columns WHERE table_name = 'n' AND column_name <> 'id' ORDER BY "
            "column_name")],
            [b[2] for b in bounds.values()])

    def test_what_is_merged_or_computed_has_room(self):
        name, target = self.postgres.database(), self.made()
        self.postgres.psql(name, """CREATE TABLE a (id int PRIMARY KEY, n smallint, v varchar(3), d numeric(5,1), k smallint, z numeric(3,3));
          CREATE TABLE b (id int PRIMARY KEY, n bigint, v varchar(9), d numeric(6,4), k numeric(9), z numeric(6,1));
          INSERT INTO a VALUES (1, 32767, 'abc', 1234.5, 32767, 0.125);
          INSERT INTO b VALUES (2, 9223372036854775807, 'abcdefghi', 99.1234, 999999999, 12345.5)""")
        fields = "{ id: copy, n: copy, v: copy, d: copy, k: copy, z: copy, e: { column: n, default: 70000 } }"
        self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  ab:\n    key: id\n    entities:\n"
                   "      a: { from: a, fields: %s }\n      b: { from: b, fields: %s }\n" % (
                       self.postgres.uri(name), self.server.uri(target), fields, fields))
        self.run_program("migrate", "--plan", "plan.yaml", "--quiet")
        self.assertEqual(self.server.ask(target, "SELECT * FROM ab ORDER BY id"), [
            ["1", "32767", "abc", "1234.5000", "32767", "0.125", "32767"],
            ["2", "9223372036854775807", "abcdefghi", "99.1234", "999999999", "12345.500", "9223372036854775807"]])

    def test_numbers_of_several_kinds_are_merged_whichever_comes_first(self):
        values = {"w": ("smallint", "-32768"), "b": ("bigint", "-9223372036854775808"), "d": ("numeric(4,2)", "99.25"),
                  "n": ("numeric", "12345.678901"),
                  "r": ("real", "0.5"), "f": ("double precision", "0.1")}
        name = self.postgres.database()
        self.postgres.psql(name,
                           "; ".join("CREATE TABLE %s (id int PRIMARY KEY, v %s NOT NULL); "
                                     "INSERT INTO %s VALUES (1, %s)" % (table, kind, table, value)
                                     for table, (kind, value) in values.items()))
        pairs = list(itertools.permutations(values, 2))
        plan = "transhume: 1\ntables:\n" + "".join(
            "  %s_%s:\n    key: [which, id]\n    entities:\n" % pair + "".join(
                "      %s: { from: %s, fields: { which: { const: %s }, id: copy, v: copy } }\n" % (one, one, one)
                for one in pair) for pair in pairs)
        self.write("plan.yaml", plan)
        here, there = self.postgres.database(), self.made()
        for target, ask in ((self.postgres.uri(here), lambda sql: self.postgres.psql(here, sql)),
                            (self.server.uri(there), lambda sql: self.server.ask(there, sql)),
                            ("sqlite:merged.db",
                             lambda sql: sqlite3.connect(self.path("merged.db")).execute(sql).fetchall())):
            with self.subTest(target.split(":")[0]):
                self.run_program("migrate", "--plan", "plan.yaml", "--quiet", self.postgres.uri(name), target)
                self.run_program("validate", "--plan", "plan.yaml", "--quiet", "--level", "full",
                                 self.postgres.uri(name), target)
                for one, other in pairs:
                    self.assertEqual({row[0]: decimal.Decimal(str(row[1]))
                                      for row in ask("SELECT which, v FROM %s_%s" % (one, other))},
                                     {column: decimal.Decimal(values[column][1]) for column in (one, other)},
                                     (one, other))

    def test_edges_into_postgres_and_items(self):
        source, target = self.made(EDGES), self.postgres.database()
        result = support.transhume("migrate", self.server.uri(source), self.postgres.uri(target), cwd=self.folder)
        self.assertEqual(result.code, 1, result.err)
        self.assertEqual(sorted(reject["key"]["id"] for reject in self.rejects()), [1, 4])
        items = "dynamodb-json:" + self.path("items")
        result = support.transhume("migrate", self.server.uri(source), items, "--state", self.path("items-state"),
                                   cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        self.server.ask(source, "DELETE FROM edges WHERE id = 4; UPDATE edges SET d = '2024-01-01', dt = '2024-01-01', "
                                "dt6 = '2024-01-01', tm = '12:00', tm6 = '13:00:00.5', j = '{}', lt = 'x'")
        again = self.postgres.database()
        self.migrate(self.server.uri(source), self.postgres.uri(again), "--state", self.path("again"))
        self.assertEqual(self.postgres.psql(again, "SELECT u8, n65, b64, y, encode(vb, 'hex') FROM edges WHERE id = 1"),
                         [
                             ["18446744073709551615",
                              "12345678901234567890123456789012345.123456789012345678901234567890",
                              "18446744073709551615",
                              "2155", "5c0a0900"]])


class LookUps(sql_case.LookUps, MysqlCase):
    WORDS = tuple("varchar(9) CHARACTER SET %s COLLATE %s" % pair for pair in (
        ("utf8mb4", "utf8mb4_general_ci"), ("utf8mb4", "utf8mb4_unicode_ci"), ("utf8mb4", "utf8mb4_bin"),
        ("utf8mb3", "utf8mb3_general_ci"), ("latin1", "latin1_swedish_ci"),
        ("ascii", "ascii_bin"), ("ucs2", "ucs2_general_ci")))
    FAMILIES = {"'a'": WORDS + ("text", "char(5)", "enum('a', '?') CHARACTER SET latin1",
                                "set('a', 'A', '?') COLLATE utf8mb4_bin"),
                "'::1'": ("inet6", "varchar(9) COLLATE utf8mb4_unicode_ci", "varchar(9) CHARACTER SET latin1"),
                "'[]'": ("json", "text"),
                "7": ("tinyint", "int", "bigint unsigned", "decimal(10,2)", "double", "float"),
                "'123e4567-e89b-12d3-a456-426614174000'": ("uuid", "varchar(36)", "char(36) CHARACTER SET latin1")}
    OTHERS = {"'a'": ("'A'", "'?'")}
    STRANGE = "'\u0436'"

    def holds(self, type_, value):
        return super().holds(type_, value) and (value != self.STRANGE or not ("latin1" in type_ or "ascii" in type_))

    def is_indexed(self, type_):
        return type_ not in ("json", "text")


class References(sql_case.References, MysqlCase):
    EQUALS = (("date", "'2024-01-01'", "datetime", "'2024-01-01'"),
              ("datetime(3)", "'2024-01-01'", "date", "'2024-01-01'"),
              ("datetime", "'2024-01-01'", "datetime(6)", "'2024-01-01'"),
              ("decimal(4,1)", "1.0", "decimal(9,2)", "1"), ("time", "'12:00'", "time(3)", "'12:00'"),
              ("varbinary(9)", "'a'", "binary(1)", "'a'"))
    NAMED = tuple(("varchar(9) COLLATE %s" % collation, left, "varchar(9) COLLATE %s" % collation, right)
                  for collation, left, right in (
                      ("utf8mb4_general_ci", "'A'", "'a'"), ("utf8mb4_unicode_ci", "'a'", "'\u00e1'"),
                      ("utf8mb4_bin", "'a'", "'a '"), ("latin1_swedish_ci", "'A '", "'a'")))
    KEYS = NAMED + (("varchar(9) COLLATE utf8mb4_general_ci", "'A'", "varchar(20) COLLATE utf8mb4_general_ci", "'a '"),
                    ("char(3) COLLATE utf8mb4_general_ci", "'A'", "char(3) COLLATE utf8mb4_general_ci", "'a'"),
                    ("int", "1", "int", "1"), ("datetime", "'2024-01-01'", "datetime", "'2024-01-01'"))


def md5(data):
    return hashlib.md5(data).hexdigest()


if __name__ == "__main__":
    unittest.main()
