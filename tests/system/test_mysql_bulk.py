"""
Records that go into MariaDB as parameters of one prepared INSERT: that they do, what keeps them from it, and what
becomes of those that the server refuses. By mariadb's own client.
"""
import contextlib
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import cache
import mariadb
import support
import tcp_proxy
import test_mysql

ROWS = 3000
SCRIPT = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
          "FROM c WHERE i < %d) "
          "INSERT INTO t SELECT i, 'text ' || i FROM c" % ROWS)
COUNTERS = ("Com_load", "Com_insert", "Com_stmt_prepare")


# of blanks that do not fit nothing more than a note is made
BENT = (SCRIPT.replace("'text ' || i", "CASE WHEN i IN (1, 1500, %d) THEN printf('%%-257s', i) ELSE 'text' END" % ROWS),
        "CREATE TABLE t (id int PRIMARY KEY, v tinytext, n decimal(6,2) AS (id * 1.111) PERSISTENT)")
ROUNDED = ("CREATE TABLE t (id int PRIMARY KEY, price decimal(6,2), gross decimal(8,2) AS (price * 1.19) PERSISTENT, "
           "`ha''lf` decimal(6,1) AS (price / 2) VIRTUAL, KEY (`ha''lf`)); "
           "INSERT INTO t (id, price) SELECT seq, seq / 100 FROM seq_1_to_%d" % ROWS)
SPEAKS = ("DELIMITER //\nCREATE TABLE t (id int PRIMARY KEY, v text) //\nCREATE TRIGGER w BEFORE INSERT ON t FOR "
          "EACH ROW "
          "IF new.id IN (1, 1500, %d) THEN SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'not so sure', "
          "MYSQL_ERRNO = 1265; END IF //\n" % ROWS)


class Bulk(test_mysql.MysqlCase):
    def counters(self):
        return {name: int(self.server.ask("", "SHOW GLOBAL STATUS LIKE '%s'" % name)[0][1]) for name in COUNTERS}

    def set_global(self, name, value):
        self.server.ask("", "SET GLOBAL %s = %s" % (name, value))
        self.addCleanup(self.server.ask, "", "SET GLOBAL %s = DEFAULT" % name)

    def way_of(self, options=""):
        """By what 3,000 records go into a new table: "bulk", "data" or "insert"."""
        number = "%d-%d" % (self.server.port, self.server.count)
        source = support.make_sqlite(self.path("s%s.db" % number), SCRIPT)
        before, target = self.counters(), self.made()
        self.run_program("migrate", source, self.server.uri(target, options), "--jobs", "1", "--state",
                         self.path("state%s" % number))
        grown = {name: count - before[name] for name, count in self.counters().items()}
        self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id), max(v) FROM t"),
                         [[str(ROWS), "4501500", "text 999"]])
        if grown["Com_load"] > 0:
            self.assertEqual(grown["Com_stmt_prepare"], 0)
            return "data"
        return "bulk" if grown["Com_stmt_prepare"] > 0 else "insert"

    def test_ways(self):
        for options, way in (("", "bulk"), ("?load=auto", "bulk"), ("?load=data", "data"), ("?load=insert", "insert")):
            with self.subTest(options):
                self.assertEqual(self.way_of(options), way)

    def test_without_local_files(self):
        self.set_global("local_infile", 0)
        for options, way in (("", "bulk"), ("?load=data", "insert"), ("?load=insert", "insert")):
            with self.subTest(options):
                self.assertEqual(self.way_of(options), way)

    def test_a_server_that_prepares_nothing(self):
        self.set_global("max_prepared_stmt_count", 0)
        self.assertEqual(self.way_of(), "data")

    @contextlib.contextmanager
    def at(self, **options):
        """Another server in the place of the class's."""
        kept = self.server
        self.server = mariadb.for_class(type(self), **options)
        try:
            yield
        finally:
            self.server = kept

    def test_a_log_of_statements(self):
        with self.at(settings={"server-id": "1", "log-bin": "binlog", "binlog-format": "STATEMENT"}):
            self.assertEqual(self.way_of(), "data")
            self.assertEqual(self.way_of("?load=insert"), "insert")
            self.server.ask("", "SET GLOBAL binlog_format = MIXED")
            self.assertEqual(self.way_of(), "bulk")

    def test_other_versions(self):
        there = [version for version in ("mariadb-10.2", "mariadb-11.4") if cache.PACKAGES[version].path()]
        if not there or os.environ.get("TRANSHUME_SERVERS") == "none":
            self.skipTest("no other MariaDB is in %s: `make servers` fetches them" % cache.cache_folder())
        for version in there if support.SOAK else [random.Random(support.SEED).choice(there)]:
            with self.subTest(version), self.at(version=version):
                self.assertEqual(self.way_of(), "bulk")
                self.assert_bent_values_are_rejected()
                self.assert_computed_columns_may_round()
                self.assert_triggers_may_speak()
                self.assert_triggers_may_write()
                self.test_a_trigger_that_is_made_in_mid_run()
                self.test_a_table_that_changes_in_mid_run()

    def test_lengths(self):
        """
        Where one more byte is needed for a length, and where a record or a segment comes near to what the server takes
        at once.
        """
        lengths = [0, 1, 249, 250, 251, 252, 255, 256, 65534, 65535, 65536, 70000, 1 << 17, (1 << 18) - 5, 1 << 18,
                   300000, (1 << 20) - 30, 1 << 20, (1 << 24) - 1, 1 << 24, (1 << 24) + 1]
        script = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, b BLOB);" + "".join(
            "INSERT INTO t VALUES (%d, printf('%%.*c', %d, 'v'), zeroblob(%d)), (%d, 'x', NULL);" % (2 * at, length,
                length if at % 2 else 3, 2 * at + 1)
            for at, length in enumerate(lengths))
        source = support.make_sqlite(self.path("lengths.db"), script)
        with sqlite3.connect(source) as database:
            wanted = [[None if value is None else str(value) for value in row]
                      for row in database.execute("SELECT id, length(v), length(b) FROM t ORDER BY id")]
        packets = (1 << 16, 1 << 18, 1 << 20, 1 << 24, 1 << 26)
        for packet in packets if support.SOAK else random.Random(support.SEED).sample(packets, 2):
            self.set_global("max_allowed_packet", packet)
            for rows in (1, 1000):
                with self.subTest(packet=packet, rows=rows):
                    state, target = self.path("state%d-%d" % (packet, rows)), self.made()
                    self.run_program("migrate", source, self.server.uri(target), "--batch-rows", str(rows), "--state",
                                     state)
                    self.assertEqual(self.server.ask(target, "SELECT id, length(v), length(b) FROM t ORDER BY id"),
                                     wanted)
                    self.assertEqual(self.server.ask(target,
                                                     "SELECT count(*) FROM t WHERE v <> repeat(left(v, 1), "
                                                     "length(v)) OR b <> repeat(x'00', length(b))"), [["0"]])
                    self.run_program("validate", "--level", "hash", "--state", state)

    def test_many_tables(self):
        """
        No more statements than a few stay prepared, whatever the number of tables: the server's limit is for all its
        users.
        """
        tables = 40
        script = "".join("CREATE TABLE t%d (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
                         "ALL SELECT i + 1 FROM c WHERE i < 50) INSERT INTO t%d SELECT i, 'v' || i FROM c;" % (number,
                             number) for number in range(tables))
        source, target = support.make_sqlite(self.path("many.db"), script), self.made()
        limit = self.server.ask("", "SELECT @@GLOBAL.max_prepared_stmt_count")[0][0]
        self.server.ask("", "SET GLOBAL max_prepared_stmt_count = 40")
        self.addCleanup(self.server.ask, "", "SET GLOBAL max_prepared_stmt_count = " + limit)
        before = self.counters()
        self.run_program("migrate", source, self.server.uri(target), "--jobs", "2", "--chunk-rows", "20", "--state",
                         self.path("many"))
        self.assertEqual(self.counters()["Com_load"], before["Com_load"])
        for number in range(tables):
            self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id), max(v) FROM t%d" % number),
                             [["50", "1275", "v9"]])
        self.assertEqual(self.server.ask("", "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[0][1], "0")

    def test_small_packets(self):
        """
        Statements of no more bytes than the server takes; a record that alone has more goes by LOAD DATA, or is
        rejected.
        """
        self.set_global("max_allowed_packet", 1 << 16)
        script = SCRIPT.replace("'text ' || i", "printf('%.*c', 1 + i % 100, char(39))") + (
            "; INSERT INTO t VALUES (9000, printf('%.*c', 65400, 'v')), (9001, printf('%.*c', 65536, 'v')), "
            "(9002, 'end')")
        source = support.make_sqlite(self.path("small.db"), script)
        for local, options, refused in ((1, "", []), (1, "?load=data", []), (1, "?load=insert", [9001]),
                                        (0, "", [9001])):
            with self.subTest(options, local=local):
                self.server.ask("", "SET GLOBAL local_infile = %d" % local)
                self.addCleanup(self.server.ask, "", "SET GLOBAL local_infile = 1")
                state, target = self.path("small%d%s" % (local, options[1:])), self.made()
                self.run_program("migrate", source, self.server.uri(target, options), "--state", state,
                                 code=1 if refused else 0)
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(length(v)) FROM t WHERE id <= %d"
                                                 % ROWS),
                                 [[str(ROWS), str(sum(1 + i % 100 for i in range(1, ROWS + 1)))]])
                self.assertEqual(self.server.ask(target, "SELECT id FROM t WHERE id > %d ORDER BY id" % ROWS),
                                 [[str(key)] for key in (9000, 9001, 9002) if key not in refused])
                rejects = self.rejects(state) if refused else []
                self.assertEqual([(reject["key"]["id"], reject["code"]) for reject in rejects],
                                 [(key, "record-too-large") for key in refused])

    def test_packets_that_become_smaller_in_mid_run(self):
        """For connections made from then on: a writer that lost its own goes by what the next one takes."""
        source = support.make_sqlite(self.path("s.db"), SCRIPT.replace("'text ' || i", "printf('%.*c', 300, 'v')"))
        for options in mariadb.LOADS:
            with self.subTest(options):
                target = self.made()
                process = self.stopped_at("mysql.after_commit:stop:1", "migrate", "--chunk-rows", "1000", "--jobs", "1",
                                          "--state", self.path("less" + options[1:]), source,
                                          self.server.uri(target, options))
                self.set_global("max_allowed_packet", 1 << 14)
                for session, in self.server.ask("", "SELECT id FROM information_schema.processlist WHERE db = '%s'"
                                                % target):
                    self.server.ask("", "KILL " + session)
                process.send_signal(support.signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id), sum(length(v)) FROM t"),
                                 [[str(ROWS), "4501500", str(300 * ROWS)]])
                self.server.ask("", "SET GLOBAL max_allowed_packet = DEFAULT")

    def refused(self, options, script, table, rows="1000"):
        """(the reasons of the rejects by their keys, what arrived)"""
        number = "%d-%d" % (self.server.port, self.server.count)
        source, target = support.make_sqlite(self.path("r%s.db" % number), script), self.made(table)
        result = support.transhume("migrate", source, self.server.uri(target, options), "--existing", "append",
                                   "--batch-rows", rows, "--state",
                                   self.path("r%s" % number), cwd=self.folder)
        self.assertEqual(result.code, 1, result.err)
        rejects = self.rejects(self.path("r%s" % number))
        self.assertEqual(len({json.dumps(reject["key"]) for reject in rejects}), len(rejects))
        return ({reject["key"]["id"]: (reject["code"], reject["reason"]) for reject in rejects},
                self.server.ask(target, "SELECT id FROM t ORDER BY id"))

    def assert_bent_values_are_rejected(self):
        """Wherever in the segment the record stands: it is rejected, alone, though a mere note says so."""
        found = [self.refused(options, BENT[0], BENT[1]) for options in mariadb.LOADS]
        self.assertEqual(sorted(found[0][0]), [1, 1500, ROWS])
        self.assertIn("Data truncated for column 'v'", found[0][0][1][1])
        self.assertEqual(found, found[:1] * 3)

    def assert_computed_columns_may_round(self):
        """Each record has a note for what the table computes: none is refused for it, whatever way they go."""
        source = self.made(ROUNDED)
        wanted = self.server.ask(source, "SELECT * FROM t ORDER BY id")
        ways = [*((load, ["--no-express"]) for load in mariadb.LOADS), ("", ["--no-express", "--chunk-rows", "777"])]
        for load, options in (("", []), *support.drawn(ways, 2, self.id())):
            with self.subTest(load, options=options):
                target = self.made()
                self.run_program("migrate", self.server.uri(source), self.server.uri(target, load), *options, "--state",
                                 self.path("rounded" + target + str(self.server.port)))
                self.assertEqual(self.server.ask(target, "SELECT * FROM t ORDER BY id"), wanted)

    def assert_triggers_may_speak(self):
        number = "%d-%d" % (self.server.port, self.server.count)
        source = support.make_sqlite(self.path("speaks%s.db" % number), SCRIPT)
        for options in mariadb.LOADS:
            with self.subTest(options):
                target = self.made(SPEAKS)
                self.run_program("migrate", source, self.server.uri(target, options), "--existing", "append", "--state",
                                 "speaks%s%s" % (number, options[1:]))
                self.assertEqual(self.server.ask(target, "SELECT count(*) FROM t"), [[str(ROWS)]])

    def assert_triggers_may_write(self):
        """
        What they do is not mistaken for what was done with the records; who has no right to see them loses nothing.
        """
        made = {"reads": "BEFORE INSERT ON t FOR EACH ROW BEGIN DECLARE x INT; SELECT count(*) INTO x FROM seen; END",
                "adds": "AFTER INSERT ON t FOR EACH ROW INSERT INTO seen VALUES (new.id)",
                "selects": "AFTER INSERT ON t FOR EACH ROW INSERT INTO seen SELECT new.id",
                "changes": "BEFORE INSERT ON t FOR EACH ROW SET new.v = concat(new.v, '!')"}
        source = support.make_sqlite(self.path("writes%d.db" % self.server.port), SCRIPT)
        for user, (name, trigger) in support.covering(("root", "blind"), made.items(), by=self.id()):
            with self.subTest(user=user, trigger=name):
                target = self.made("DELIMITER //\nCREATE TABLE t (id int PRIMARY KEY, "
                                   "v text) // CREATE TABLE seen (i int) // CREATE TRIGGER w %s //\n" % trigger)
                uri = self.server.uri(target)
                if user == "blind":
                    self.server.ask("",
                                    "CREATE USER blind@'127.0.0.1'; GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, "
                                    "DROP, ALTER ON %s.* TO blind@'127.0.0.1'" % target)
                    self.addCleanup(self.server.ask, "", "DROP USER IF EXISTS blind@'127.0.0.1'")
                    uri = uri.replace("root@", "blind@")
                self.run_program("migrate", source, uri, "--existing", "append", "--state",
                                 "writes%d-%s" % (self.server.port, target))
                if user == "blind":
                    self.server.ask("", "DROP USER blind@'127.0.0.1'")
                self.assertEqual(self.server.ask(target,
                                                 "SELECT (SELECT count(*) FROM t WHERE v LIKE 'text%%'), "
                                                 "(SELECT count(*) FROM seen), (SELECT count(DISTINCT i) FROM seen)"),
                                 [[str(ROWS), *[str(ROWS if name in ("adds", "selects") else 0)] * 2]])

    def test_triggers_that_write(self):
        self.assert_triggers_may_write()

    def test_a_trigger_that_is_made_in_mid_run(self):
        """Into a table of the run's own: what is sent in bulk by then is done again the other way."""
        source = support.make_sqlite(self.path("mid%d.db" % self.server.port), SCRIPT)
        for trigger in ("BEFORE INSERT ON t FOR EACH ROW BEGIN DECLARE x INT; SELECT count(*) INTO x FROM seen; END",
                        "AFTER INSERT ON t FOR EACH ROW INSERT INTO seen SELECT new.id"):
            with self.subTest(trigger):
                target = self.made("CREATE TABLE seen (i int)")
                process = self.stopped_at("mysql.after_commit:stop:2", "migrate", "--chunk-rows", "500", "--jobs", "1",
                                          "--state", self.path("mid" + target + str(self.server.port)), source,
                                          self.server.uri(target))
                self.server.ask(target, "DELIMITER //\nCREATE TRIGGER w %s //\n" % trigger)
                process.send_signal(support.signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assertEqual(self.server.ask(target,
                                                 "SELECT count(*), (SELECT count(*) = count(DISTINCT i) FROM "
                                                 "seen) FROM t"), [[str(ROWS), "1"]])

    def test_refusals(self):
        """
        Of a statement that is to be prepared, and of one that is sent in bulk: what passes is tried again, else records
        go another way.
        """
        prepare, bulk = tcp_proxy.RefusingProxy.PREPARE, tcp_proxy.RefusingProxy.BULK
        source = support.make_sqlite(self.path("s.db"), SCRIPT
                                     + "; CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u SELECT id FROM t")
        passing = [(prepare, 1213, 1, "bulk"), (prepare, 1205, 1, "bulk"), (bulk, 1243, 1, "bulk"),
                   (bulk, 1615, 1, "bulk"), (bulk, 1213, 1, "bulk")]
        lasting = [(prepare, 1461, None, "data"), (prepare, 1295, None, "data"), (bulk, 1295, None, "data"),
                   (bulk, 4033, None, "data"), (bulk, 1243, None, "data"), (bulk, 1210, 1, "data")]
        for command, number, times, way in (case for kind in (passing, lasting) for at in (prepare, bulk)
                                            for case in support.drawn((case for case in kind if case[0] == at),
                                                                      2 if at == bulk else 1, self.id())):
            with self.subTest(command=command, number=number), tcp_proxy.RefusingProxy(
                    self.server.port, "INSERT INTO `test" if command == prepare else "", number, "HY000", "not now",
                command, times) as proxy:
                before, target = self.counters(), self.made()
                uri = self.server.uri(target, "?sslmode=disable", via=proxy)
                self.run_program("migrate", source, uri, "--jobs", "1", "--chunk-rows", "700", "--state",
                                 self.path("refused" + target))
                self.assertGreaterEqual(proxy.refused, times or 1)
                self.assertEqual(self.counters()["Com_load"] > before["Com_load"], way == "data")
                for table in "tu":
                    self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id) FROM " + table),
                                     [[str(ROWS), "4501500"]])

    def test_a_table_that_changes_in_mid_run(self):
        """The server prepares the statement anew."""
        source = support.make_sqlite(self.path("change%d.db" % self.server.port), SCRIPT)
        for change in support.drawn(("ALTER TABLE t ADD COLUMN more int DEFAULT 7", "FLUSH TABLES", "ANALYZE TABLE t",
                                     "ALTER TABLE t ADD KEY (v(10))"), 2, self.id()):
            with self.subTest(change):
                target = self.made()
                process = self.stopped_at("mysql.after_commit:stop:2", "migrate", "--chunk-rows", "500", "--jobs", "1",
                                          "--state", self.path("change" + target + str(self.server.port)), source,
                                          self.server.uri(target))
                self.server.ask(target, change)
                process.send_signal(support.signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id), max(v) FROM t"),
                                 [[str(ROWS), "4501500", "text 999"]])

    def test_settings_of_the_server(self):
        """Whatever language it speaks, and whatever it leaves unchecked by default, a refused record is found alone."""
        script = SCRIPT.replace("'text ' || i", "'text ' || CASE i WHEN 10 THEN 5 ELSE i END")
        for settings in ({"lc_messages": "'de_DE'"}, {"unique_checks": 0, "foreign_key_checks": 0}):
            for name, value in settings.items():
                self.set_global(name, value)
            for options in support.drawn(mariadb.LOADS, 2, self.id() + str(settings)):
                with self.subTest(options, settings=settings):
                    rejects, arrived = self.refused(options, script,
                                                    "CREATE TABLE t (id int PRIMARY KEY, v varchar(20) UNIQUE)", "5000")
                    self.assertEqual({key: code for key, (code, _) in rejects.items()}, {10: "key-duplicate"})
                    self.assertEqual(len(arrived), ROWS - 1)
            for name in settings:
                self.server.ask("", "SET GLOBAL %s = DEFAULT" % name)

    def test_what_the_server_says(self):
        self.assert_bent_values_are_rejected()
        self.assert_computed_columns_may_round()
        self.assert_triggers_may_speak()

    def test_the_server_refuses_beside_large_values(self):
        """A batch that begins in bulk and has to go another way is told of once."""
        table = "CREATE TABLE t (id int PRIMARY KEY, v longtext, n smallint CHECK (n <> 777))"
        script = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
                  "ALL SELECT i + 1 FROM c WHERE i < 300) "
                  "INSERT INTO t SELECT i, CASE WHEN i IN (150, 290) THEN printf('%.*c', 40000000, "
                  "'v') ELSE 'v' || i END, CASE i % 50 WHEN 3 THEN 777 WHEN 4 THEN 70000 ELSE i END FROM c")
        told = []
        for options in ("", "?load=data"):
            for rows in ("10", "1000") if support.SOAK else ("100",):
                with self.subTest(options, rows=rows):
                    rejects, arrived = self.refused(options, script, table, rows)
                    self.assertEqual(sorted(rejects), sorted([*range(3, 300, 50), *range(4, 300, 50)]))
                    self.assertEqual(len(arrived), 288)
                    told.append({key: code for key, (code, _) in rejects.items()})
        self.assertEqual(told, told[:1] * len(told))

    def test_numbers_of_many_digits(self):
        """More than a length of one byte counts."""
        script = ("CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC_TEXT TEXT);INSERT INTO t VALUES (1, '1.5'), (2, "
                  "'%s'), (3, '-2'), (4, '%s')" % ("9" * 65, "9" * 300))
        rejects, arrived = self.refused("", script, "CREATE TABLE t (id int PRIMARY KEY, n decimal(65,0))")
        self.assertEqual(sorted(rejects), [1, 4])
        self.assertEqual(arrived, [["2"], ["3"]])


if __name__ == "__main__":
    unittest.main()
