"""
`transhume change` on MariaDB and MySQL: each operation there and back, writers beside the copy, and what is refused.
"""
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers"))
import mariadb
import mysql
import sql_case
import support

TABLES = """CREATE TABLE users (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL, mail varchar(80), age varchar(10), mood enum('good', 'bad') NOT NULL DEFAULT 'good',
 seen datetime, UNIQUE KEY one_mail (mail), KEY by_age (age)) CHARACTER SET utf8mb4;
INSERT INTO users (name, mail, age, seen) VALUES ('ann', 'a@x', '31', '2026-03-01 12:00:00'), ('bob', 'b@x', '7', NULL), ('cid', NULL, '64', '2020-02-29 00:00:01');
CREATE TABLE pages (a int NOT NULL, b varchar(20) NOT NULL, text longtext, PRIMARY KEY (a, b)); INSERT INTO pages VALUES (1, 'x', 'one'), (1, 'y', 'two'), (2, 'x', NULL)"""
# What is declared: [(operations, what a plain ALTER would be)]
ONE_TABLE = [
    (["add_column: {table: users, column: {name: z, type: int, default: 7}}"], "ADD COLUMN z int NOT NULL DEFAULT 7"),
    (["add_column: {table: users, column: {name: big, type: varchar(80), nullable: true}, up: upper(name)}"],
     "ADD COLUMN big varchar(80) NULL"),
    (["drop_column: {table: users, column: seen}"], "DROP COLUMN seen"),
    (["rename_column: {table: users, from: name, to: full_name}"], "RENAME COLUMN name TO full_name"),
    (["alter_column: {table: users, column: age, type: int, up: 'cast(age as signed)', down: 'cast(age as char)'}"],
     "MODIFY age int DEFAULT NULL"),
    (["alter_column: {table: users, column: name, nullable: true}",
      "alter_column: {table: users, column: mood, default: \"'bad'\"}"],
     "MODIFY name varchar(40) NULL, MODIFY mood enum('good', 'bad') NOT NULL DEFAULT 'bad'"),
    (["alter_column: {table: users, column: mail, nullable: false, up: \"coalesce(mail, '')\"}"],
     "MODIFY mail varchar(80) NOT NULL"),
    (["alter_column: {table: users, column: age, name: years, type: bigint}"], "CHANGE age years bigint"),
    (["create_index: {table: users, name: by_name, columns: [{column: name, length: 5}, {column: age}]}"],
     "ADD INDEX by_name (name(5), age)"),
    (["create_index: {table: users, name: one_name, unique: true, columns: [{column: name}]}",
      "drop_index: {table: users, name: by_age}"],
     "ADD UNIQUE INDEX one_name (name), DROP INDEX by_age"),
    (["create_constraint: {table: users, name: long_name, type: check, check: char_length(name) > 1}"],
     "ADD CONSTRAINT long_name CHECK (char_length(name) > 1)"),
    (["drop_constraint: {table: users, name: one_mail}"], "DROP INDEX one_mail"),
    (["rename_constraint: {table: users, from: by_age, to: of_age}"], "RENAME INDEX by_age TO of_age"),
    (["set_table: {table: users, comment: people, options: {ROW_FORMAT: COMPACT}}"],
     "COMMENT = 'people', ROW_FORMAT = COMPACT"),
    (["add_enum_value: {table: users, column: mood, value: fine, before: bad}"],
     "MODIFY mood enum('good', 'fine', 'bad') NOT NULL DEFAULT 'good'"),
    (["add_enum_value: {table: users, column: mood, value: fine}"],
     "MODIFY mood enum('good', 'bad', 'fine') NOT NULL DEFAULT 'good'"),
    (["alter: {table: users, with: 'CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', way: shadow}"],
     "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
    (["alter: {table: users, with: 'MODIFY seen timestamp NULL, MODIFY id bigint AUTO_INCREMENT', way: shadow}"],
     "MODIFY seen timestamp NULL, MODIFY id bigint AUTO_INCREMENT"),
]


class Writers:
    """
    Sessions of the server's client that do the same to `t` and to `mirror`, in transactions, until they are told to
    end.
    """

    def __init__(self, server, database, count, statements):
        self.processes, self.over, self.threads, self.errors = [], threading.Event(), [], []
        for number in range(count):
            process = subprocess.Popen(["mariadb", "--no-defaults", "-N", "-n", "-f", "-h127.0.0.1",
                                        "-P%d" % server.port, "-uroot", database], text=True, bufsize=1,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.processes.append(process)
            thread = threading.Thread(target=self._write, args=(process, random.Random("%s %d" % (database, number)),
                                                                number, statements), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _write(self, process, seed, number, statements):
        while not self.over.is_set():
            process.stdin.write(statements(seed, number) + "\nselect 1;\n")
            process.stdin.flush()
            if not process.stdout.readline():
                return

    def end(self):
        """What failed."""
        self.over.set()
        for thread, process in zip(self.threads, self.processes):
            thread.join(60)
            process.stdin.close()
            self.errors += [line.strip() for line in process.stderr if "ERROR" in line]
            process.wait()
        return self.errors


class Changes(sql_case.ServerTarget):
    def new(self, script=TABLES):
        self.uri = self.new_target()
        self.ask(script)

    def file(self, *operations, name="001_c.change.yaml"):
        return self.write(name, "operations:\n" + "".join("- %s\n" % operation for operation in operations))

    def change(self, *words, code=0):
        return self.run_program("change", *words, code=code)

    def begin(self, *operations, code=0):
        self.file(*operations)
        return self.change("start", "001_c.change.yaml", self.uri, code=code)

    def tables(self):
        return [row[0] for row in self.ask("SHOW TABLES") if not row[0].startswith("_transhume_schema")]

    def definition(self, table):
        return re.sub(r" AUTO_INCREMENT=\d+", "", self.ask("SHOW CREATE TABLE %s" % table)[0][1])

    def dump(self):
        return {table: (self.definition(table), self.ask("SELECT * FROM %s ORDER BY 1" % table))
                for table in self.tables()}

    # --- each operation

    def test_there_and_back(self):
        for operations, plain in ONE_TABLE:
            with self.subTest(operations=operations):
                self.new()
                before = self.dump()
                self.begin(*operations)
                self.ask("INSERT INTO users (name, mail, age) VALUES ('eve', 'e@x', '5'); "
                         "UPDATE users SET age = '8' WHERE id = 2; DELETE FROM users WHERE id = 3")
                after = {**before, "users": (before["users"][0], self.ask("SELECT * FROM users ORDER BY 1"))}
                if len(after["users"][1][0]) != len(before["users"][1][0]):   # it was made at once
                    after["users"] = None
                self.change("abort", self.uri)
                now = self.dump()
                if after["users"]:
                    self.assertEqual(now, after)
                self.assertEqual(now["users"][0], before["users"][0])
                self.assertEqual(list(now), list(before))

    def test_switched_and_back(self):
        """Likewise once the new form is in use, where it is another table."""
        for operations, plain in ONE_TABLE:
            with self.subTest(operations=operations):
                self.new()
                before = self.dump()
                self.begin(*operations)
                if not [name for name in self.tables() if name.startswith("_transhume")]:
                    self.change("abort", self.uri)
                    continue
                self.change("switch", self.uri)
                self.ask("UPDATE users SET mail = 'z@x' WHERE id = 2; DELETE FROM users WHERE id = 3")
                self.change("abort", self.uri)
                now = self.dump()
                self.assertEqual((now["users"][0], list(now)), (before["users"][0], list(before)))
                self.assertEqual(self.ask("SELECT id, mail FROM users ORDER BY id"), [["1", "a@x"], ["2", "z@x"]])

    def test_compared_before_the_switch(self):
        """Once more, unless this very process has just compared all rows."""
        for apart in (False, True):
            with self.subTest(apart=apart):
                self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
                self.file("alter: {table: t, with: MODIFY a bigint, way: shadow}")
                if apart:
                    self.change("start", "001_c.change.yaml", self.uri)
                done = self.change("run", "001_c.change.yaml", self.uri, "--confirm")
                self.assertEqual("compare both forms row by row, once more" in done.out + done.err, apart)
                self.assertEqual(self.dump()["t"][1], [["1", "1"], ["2", "2"]])

    def test_altered_behind_the_switch(self):
        for statement in ("TRUNCATE t", "ALTER TABLE t ADD other int NULL"):
            with self.subTest(statement=statement):
                self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
                self.begin("alter: {table: t, with: MODIFY a bigint, way: shadow}")
                self.change("switch", self.uri)
                self.ask(statement)
                now = self.dump()["t"]
                self.assertIn("an abort needs", self.change("abort", self.uri, code=3).err)
                self.change("complete", self.uri, "--confirm")
                self.assertEqual(self.dump(), {"t": now})

    def test_completed(self):
        for operations, plain in ONE_TABLE:
            with self.subTest(operations=operations):
                self.new()
                self.ask("CREATE TABLE expected LIKE users; INSERT INTO expected SELECT * FROM users; "
                         "UPDATE expected SET mail = coalesce(mail, '')%s; ALTER TABLE expected %s"
                         % ("" if "MODIFY mail" in plain else " WHERE 0", plain))
                if "ADD COLUMN big" in plain:
                    self.ask("UPDATE expected SET big = upper(name)")
                bare = lambda text: re.sub(r" CHARACTER SET \w+(?= COLLATE)", "", text)   # MySQL says it or not
                expected = bare(self.definition("expected")).replace("`expected`",
                                                                     "`users`"), self.ask("SELECT * FROM expected "
                                                                                          "ORDER BY id")
                self.ask("DROP TABLE expected")   # names of checks are those of all tables in MySQL
                self.file(*operations)
                self.change("run", "001_c.change.yaml", self.uri, "--confirm")
                self.assertEqual((bare(self.definition("users")), self.ask("SELECT * FROM users ORDER BY id")),
                                 expected)
                self.assertEqual(self.tables(), ["pages", "users"])

    def test_tables(self):
        self.new()
        before = self.dump()
        operations = ["create_table: {name: pets, columns: [{name: id, type: int, pk: true}, {name: owner, type: int, "
                      "references: {table: users, column: id}}], comment: animals}",
                      "sql: {up: 'CREATE TABLE extra (a int)', down: 'DROP TABLE extra'}",
                      "rename_table: {from: pages, to: articles}", "drop_table: {name: gone}"]
        self.ask("CREATE TABLE gone (a int)")
        before["gone"] = (self.definition("gone"), [])
        self.begin(*operations)
        self.ask("INSERT INTO articles VALUES (3, 'z', 'by the new name'); INSERT INTO pages VALUES (4, 'z', "
                 "'by the old one'); INSERT INTO pets VALUES (1, 1)")
        self.assertEqual(self.ask("SELECT count(*) FROM articles"), [["5"]])
        self.change("abort", self.uri)
        self.ask("DELETE FROM pages WHERE a > 2")
        self.assertEqual(self.dump(), dict(sorted(before.items())))
        self.begin(*operations)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(self.tables(), ["articles", "extra", "pets", "users"])
        self.assertEqual(self.ask("SELECT table_type FROM information_schema.tables WHERE table_schema = database() "
                                  "AND table_name = 'articles'"), [["BASE TABLE"]])

    def test_partitions(self):
        self.new("CREATE TABLE p (a int NOT NULL) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), "
                 "PARTITION p1 VALUES LESS THAN (20)); INSERT INTO p VALUES (1), (11)")
        before = self.dump()
        operations = ["add_partition: {table: p, name: p2, values: LESS THAN (30)}",
                      "drop_partition: {table: p, name: p0}"]
        self.begin(*operations)
        self.ask("INSERT INTO p VALUES (25)")
        self.assertIn("drops partition p2 of p only if it is empty", self.change("abort", self.uri, code=3).err)
        self.assertEqual(self.ask("SELECT a FROM p ORDER BY a"), [["1"], ["11"], ["25"]])
        self.ask("DELETE FROM p WHERE a = 25")
        self.change("abort", self.uri)
        self.assertEqual(self.dump(), before)
        self.begin(*operations)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(self.ask("SELECT partition_name FROM information_schema.partitions WHERE table_schema = "
                                  "database() AND table_name = 'p' ORDER BY 1"), [["p1"], ["p2"]])
        self.assertEqual(self.ask("SELECT a FROM p"), [["11"]])

    # --- the way

    def test_ways(self):
        self.new()
        self.file("add_column: {table: users, column: {name: z, type: int, nullable: true}}",
                  "alter_column: {table: pages, column: a, type: bigint}")
        found = self.change("check", "001_c.change.yaml", self.uri)
        self.assertIn("in place, INSTANT", found.out)
        self.assertIn("a shadow table, fed by triggers, copied by PRIMARY, one RENAME", found.out)
        self.assertEqual(self.tables(), ["pages", "users"])
        self.assertIn("the server can't do it in place",
                      self.begin("alter: {table: pages, with: MODIFY a bigint NOT NULL, way: in_place}", code=5).err)

    def test_refused(self):
        cases = [("CREATE TABLE t (a int, b int)", "ADD PRIMARY KEY (a)", 5, "no PRIMARY KEY or UNIQUE key"),
                 ("CREATE TABLE t (a int PRIMARY KEY); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
                  "MODIFY a bigint", 5, "has triggers"),
                 ("CREATE TABLE t (a float PRIMARY KEY)", "ADD COLUMN b int", 5, "no PRIMARY KEY or UNIQUE key"),
                 ("CREATE TABLE t (a int PRIMARY KEY) ENGINE=MyISAM", "MODIFY a bigint", 5,
                  "only plain tables of InnoDB"),
                 ("CREATE TABLE t (a int PRIMARY KEY, b int, FOREIGN KEY (b) REFERENCES t (a) ON DELETE CASCADE)",
                  "MODIFY b int NOT NULL", 5, "no trigger sees"),
                 ("CREATE TABLE t (a int PRIMARY KEY)", "RENAME TO u", 2, "use the operation rename_table"),
                 ("CREATE TABLE t (a int PRIMARY KEY)", "ADD COLUMN a int", 2, "the server refuses it"),
                 ("CREATE TABLE t (a int PRIMARY KEY)", "DROP COLUMN b", 2, "the server refuses it"),
                 ("CREATE TABLE t (a int PRIMARY KEY)", "ADD COLUMN b int, ALGORITHM=COPY", 2,
                  "leave ALGORITHM and LOCK out")]
        for script, clauses, code, words in cases:
            with self.subTest(script=script):
                self.new(script)
                before = self.dump()
                self.assertIn(words, self.begin("alter: {table: t, with: '%s', way: shadow}" % clauses, code=code).err)
                self.assertEqual(self.dump(), before)
        self.assertIn("there is no such table", self.begin("drop_column: {table: nowhere, column: a}", code=2).err)

    # --- writers

    def written(self, seed, number):
        key, other = seed.randrange(1, 600), seed.randrange(1, 600)
        name = "%d %d" % (number, seed.randrange(1000000))
        one = seed.choice([
            "INSERT IGNORE INTO %%s (k, name, n) VALUES (%d, '%s', %d);" % (seed.randrange(1, 100000), name, key),
            "UPDATE %%s SET name = '%s', n = n + 1 WHERE k = %d;" % (name, key),
            "UPDATE %%s SET n = n + 1 WHERE k BETWEEN %d AND %d ORDER BY k;" % (key, key + 3),
            "DELETE FROM %%s WHERE k = %d;" % key, "UPDATE IGNORE %%s SET k = %d WHERE k = %d;" % (other, key),
            "REPLACE INTO %%s (k, name, n) VALUES (%d, '%s', 1);" % (key, name),
            "INSERT INTO %%s (k, name, n) VALUES (%d, '%s', 2) ON DUPLICATE KEY UPDATE n = n + 10;" % (key, name)])
        end = seed.choice(["COMMIT;", "COMMIT;", "COMMIT;", "ROLLBACK;"])
        return "BEGIN; " + one % "t" + one % "mirror" + end

    def test_writers(self):
        """Whatever four sessions do beside it, both tables hold the same in the end."""
        self.new("CREATE TABLE t (k int PRIMARY KEY, name varchar(40) NOT NULL, n int NOT NULL); "
                 "INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) "
                 "SELECT a.i + 900 * b.i, concat('row ', a.i), 0 FROM s AS a, s AS b WHERE b.i <= 20; "
                 "CREATE TABLE mirror LIKE t; INSERT INTO mirror SELECT * FROM t")
        writers = Writers(self.server, self.database, 1, self.written)
        busy = Writers(self.server, self.database, 3, lambda seed, number: "UPDATE t SET n = n WHERE k = %d;"
                       % seed.randrange(1, 21000))
        self.addCleanup(writers.end)
        self.addCleanup(busy.end)
        self.file('alter: {table: t, with: "MODIFY name varchar(90) NOT NULL, ADD COLUMN z int NOT NULL DEFAULT 3, '
                  'MODIFY n bigint NOT NULL", way: shadow}')
        self.change("start", "001_c.change.yaml", self.uri, "--batch-time", "5ms")
        self.change("switch", self.uri)
        self.change("abort", self.uri)
        self.change("start", "001_c.change.yaml", self.uri, "--batch-time", "5ms")
        self.change("switch", self.uri)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(busy.end() + writers.end(), [])
        self.assertEqual(self.ask("SELECT count(*), sum(crc32(concat_ws(' ', k, name, n))) FROM t"),
                         self.ask("SELECT count(*), sum(crc32(concat_ws(' ', k, name, n))) FROM mirror"))
        self.assertEqual(self.ask("SELECT count(*) FROM t WHERE z <> 3"), [["0"]])

    def test_new_unique_key(self):
        """A duplicate fails no writer before the switch; the change stops with its key, and goes on once it is gone."""
        self.new("CREATE TABLE t (id int PRIMARY KEY, mail varchar(20)); INSERT INTO t VALUES (1, 'a'), (2, 'b'), "
                 "(3, 'c')")
        self.begin("alter: {table: t, with: ADD UNIQUE KEY one (mail), way: shadow}")
        self.ask("INSERT INTO t VALUES (4, 'a'); UPDATE t SET id = 20, mail = 'c' WHERE id = 2; "
                 "INSERT IGNORE INTO t VALUES (5, 'c')")
        self.assertEqual(self.ask("SELECT count(*) FROM t"), [["5"]])
        stopped = self.change("switch", self.uri, code=3)
        self.assertRegex(stopped.err, r"the row with the key \(\d+\) does not fit the new schema: .*Duplicate entry")
        self.assertIn("t", self.tables())
        self.ask("INSERT INTO t VALUES (6, 'a')")   # it is the old schema that counts until the switch
        self.ask("DELETE FROM t WHERE id IN (4, 5, 6)")
        self.ask("UPDATE t SET mail = 'd' WHERE id = 20")
        self.change("switch", self.uri)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(self.ask("SELECT * FROM t ORDER BY id"), [["1", "a"], ["3", "c"], ["20", "d"]])

    def test_row_that_does_not_fit(self):
        self.new("CREATE TABLE t (id int PRIMARY KEY, a varchar(20)); INSERT INTO t VALUES (1, '1'), (2, 'x'), "
                 "(3, '3')")
        stopped = self.begin("alter: {table: t, with: MODIFY a int, way: shadow}", code=3)
        self.assertIn("the row with the key (2) does not fit the new schema", stopped.err)
        self.ask("UPDATE t SET a = '2' WHERE id = 2")
        self.change("start", "001_c.change.yaml", self.uri)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(self.ask("SELECT * FROM t ORDER BY id"), [["1", "1"], ["2", "2"], ["3", "3"]])

    def test_zones(self):
        """Between datetime and timestamp a writer's own time zone is none of the conversion's."""
        self.new("CREATE TABLE t (id int PRIMARY KEY, d datetime, s timestamp NULL); SET time_zone = '+00:00'; "
                 "INSERT INTO t VALUES (1, '2026-01-01 12:00:00', '2026-01-01 12:00:00')")
        self.begin("alter: {table: t, with: 'MODIFY d timestamp NULL, MODIFY s datetime', way: shadow}")
        self.ask("SET time_zone = '-07:00'; INSERT INTO t VALUES (2, '2026-01-01 12:00:00', '2026-01-01 05:00:00'); "
                 "UPDATE t SET s = s WHERE id = 1")
        self.change("switch", self.uri)
        self.ask("SET time_zone = '+05:00'; INSERT INTO t VALUES (3, '2026-01-01 17:00:00', '2026-01-01 12:00:00')")
        one = "SET time_zone = '+00:00'; SELECT d, s FROM %s WHERE id %s"
        self.assertEqual(self.ask(one % ("t", "< 3 ORDER BY id")), [["2026-01-01 12:00:00", "2026-01-01 12:00:00"]] * 2)
        self.assertEqual(self.ask(one % ("_transhume_001_old_t", "= 3")),
                         [["2026-01-01 12:00:00", "2026-01-01 12:00:00"]])
        self.change("complete", self.uri, "--confirm")

    def test_foreign_keys(self):
        self.new("CREATE TABLE top (id int PRIMARY KEY); INSERT INTO top VALUES (1), (2); "
                 "CREATE TABLE t (id int PRIMARY KEY, top int, CONSTRAINT up FOREIGN KEY (top) REFERENCES top (id) "
                 "ON DELETE CASCADE,"
                 " self int, CONSTRAINT own FOREIGN KEY (self) REFERENCES t (id)); INSERT INTO t VALUES (1, 1, NULL), "
                 "(2, 2, 1);"
                 "CREATE TABLE low (id int PRIMARY KEY, t int, CONSTRAINT down FOREIGN KEY (t) REFERENCES t (id) ON "
                 "DELETE CASCADE); INSERT INTO low VALUES (1, 1), (2, 2)")
        before = self.dump()
        operation = "alter: {table: t, with: ADD COLUMN z int, way: shadow}"
        self.begin(operation)
        self.ask("DELETE FROM top WHERE id = 2; INSERT INTO t VALUES (3, 1, 1); INSERT INTO low VALUES (3, 3)")
        self.change("switch", self.uri)
        self.ask("INSERT INTO t (id, top) VALUES (4, 1); INSERT INTO low VALUES (4, 4); DELETE FROM t WHERE id = 3")
        self.assertEqual(self.ask("SELECT id FROM low ORDER BY 1"), [["1"], ["4"]])
        self.change("abort", self.uri)
        self.assertEqual([self.definition(name) for name in ("t", "low")], [before[name][0] for name in ("t", "low")])
        self.assertEqual(self.ask("SELECT id FROM t ORDER BY 1"), [["1"], ["4"]])
        self.begin(operation)
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(re.sub(r"  `z` int(\(11\))? DEFAULT NULL,\\n", "", self.definition("t")), before["t"][0])
        self.assertEqual(self.definition("low"), before["low"][0])
        for failing in ("INSERT INTO low VALUES (9, 9)", "INSERT INTO t (id, self) VALUES (9, 99)",
                        "INSERT INTO t (id, top) VALUES (9, 99)"):
            with self.assertRaisesRegex(AssertionError, "foreign key"):
                self.ask(failing)
        self.ask("DELETE FROM t WHERE id = 4")
        self.assertEqual(self.ask("SELECT id FROM low ORDER BY 1"), [["1"]])

    def test_link(self):
        """A foreign key is added without a look at the rows, and they are looked at behind it."""
        self.new("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE c (id int PRIMARY KEY, "
                 "p int, KEY (p)); INSERT INTO c VALUES (1, 1), (2, NULL), (3, 9)")
        before = self.definition("c")
        self.assertIn("each row of c refers to one of p",
                      self.begin("create_constraint: {table: c, name: link, type: foreign_key, columns: [p], "
                                 "references: {table: p, column: id, on_delete: CASCADE}}", code=3).err)
        with self.assertRaisesRegex(AssertionError, "foreign key"):
            self.ask("INSERT INTO c VALUES (4, 4)")
        self.change("abort", self.uri)
        self.assertEqual(self.definition("c"), before)
        self.change("start", "001_c.change.yaml", self.uri, code=3)
        self.ask("DELETE FROM c WHERE id = 3")
        self.change("start", "001_c.change.yaml", self.uri)
        self.change("complete", self.uri, "--confirm")
        self.assertIn("CONSTRAINT `link` FOREIGN KEY (`p`) REFERENCES `p` (`id`) ON DELETE CASCADE",
                      self.definition("c"))
        self.file("drop_constraint: {table: c, name: link}", name="002_d.change.yaml")
        self.change("run", "002_d.change.yaml", self.uri, "--confirm")
        self.assertNotIn("FOREIGN", self.definition("c"))

    def test_way_back_that_would_lose(self):
        """
        What only the new form can hold keeps a change from being taken back; nobody is failed by that, and the change
        can be completed.
        """
        for end in ("abort", "complete"):
            with self.subTest(end=end):
                self.new("CREATE TABLE t (id int PRIMARY KEY, a varchar(3)); INSERT INTO t VALUES (1, 'abc')")
                self.begin("alter: {table: t, with: MODIFY a varchar(30), way: shadow}")
                self.change("switch", self.uri)
                self.ask("INSERT INTO t VALUES (2, 'longer than three')")
                stopped = self.change("abort", self.uri, code=3).err
                self.assertRegex(stopped,
                                 "whose keys are in _transhume_001_back_t.*Data (too long|truncated) for column 'a'")
                self.ask("UPDATE t SET a = 'four' WHERE id = 1")
                self.assertEqual(self.ask("SELECT a FROM t ORDER BY id"), [["four"], ["longer than three"]])
                if end == "abort":
                    self.ask("UPDATE t SET a = 'two'")
                self.change(end, self.uri, *(["--confirm"] if end == "complete" else []))
                self.assertEqual(self.ask("SELECT a FROM t ORDER BY id"),
                                 [["two"], ["two"]] if end == "abort" else [["four"], ["longer than three"]])
                self.assertEqual(self.tables(), ["t"])

    def test_way_back_over_another_row(self):
        """
        Rows of the new form that meet on a key which only the old one has: the abort stops, and no row is written over
        another one.
        """
        self.new("CREATE TABLE t (id int PRIMARY KEY, mail varchar(20), a int, UNIQUE KEY one (mail)); "
                 "INSERT INTO t VALUES (3, 'x', 1), (4, 'y', 2)")
        before = self.dump()
        self.begin("drop_index: {table: t, name: one}", "alter_column: {table: t, column: a, type: bigint}")
        self.change("switch", self.uri)
        self.ask("INSERT INTO t VALUES (5, 'x', 3); UPDATE t SET mail = 'z' WHERE id = 4")
        self.assertIn("Duplicate entry 'x'", self.change("abort", self.uri, code=3).err)
        self.assertEqual(self.ask("SELECT * FROM t ORDER BY id"), [["3", "x", "1"], ["4", "z", "2"], ["5", "x", "3"]])
        self.ask("UPDATE t SET mail = 'w' WHERE id = 5")
        self.change("abort", self.uri)
        self.assertEqual(self.dump(), {"t": (before["t"][0], [["3", "x", "1"], ["4", "z", "2"], ["5", "w", "3"]])})

    def test_writers_go_on_where_the_switch_fails(self):
        self.new("CREATE TABLE t (id int PRIMARY KEY, a varchar(50)); INSERT INTO t VALUES (1, 'short')")
        self.begin("alter: {table: t, with: MODIFY a varchar(20), way: shadow}")
        self.ask("INSERT INTO t VALUES (2, repeat('x', 30))")
        self.assertIn("the row with the key (2) does not fit the new schema",
                      self.change("complete", self.uri, "--confirm", code=3).err)
        self.ask("INSERT INTO t VALUES (3, repeat('y', 30))")
        self.ask("UPDATE t SET a = left(a, 20)")
        release = self.blocked("SELECT * FROM t")   # the rows fit, and the RENAME gets no lock
        run = support.start("change", "complete", self.uri, "--confirm", "--lock-timeout", "1s", cwd=self.folder)
        while self.ask("SELECT mode FROM _transhume_001_mode_t") != [["strict"]]:
            self.assertIsNone(run.poll())
        run.send_signal(signal.SIGINT)
        self.assertNotEqual(support.finish(run).code, 0)
        release()
        self.ask("INSERT INTO t VALUES (4, repeat('z', 30))")
        self.ask("UPDATE t SET a = left(a, 20)")
        self.change("complete", self.uri, "--confirm")
        self.assertEqual(self.ask("SELECT id, a FROM t ORDER BY id"),
                         [["1", "short"], ["2", "x" * 20], ["3", "y" * 20], ["4", "z" * 20]])

    def test_second_table_fails(self):
        """
        One table is switched, the next one can't be: the first one stays as it is, until the cause is gone or the
        change is taken back.
        """
        for end in ("complete", "abort"):
            with self.subTest(end=end):
                self.new("CREATE TABLE a (id int PRIMARY KEY, v varchar(50)); CREATE TABLE b LIKE a; "
                         "INSERT INTO a VALUES (1, 'one'); INSERT INTO b VALUES (1, 'one')")
                before = self.dump()
                self.begin("alter: {table: a, with: MODIFY v varchar(20), way: shadow}",
                           "alter: {table: b, with: MODIFY v varchar(20), way: shadow}")
                self.ask("INSERT INTO b VALUES (2, repeat('x', 30))")
                for _ in range(2):
                    self.assertIn("the row with the key (2)", self.change("complete", self.uri, "--confirm",
                                                                          code=3).err)
                    self.ask("INSERT INTO b VALUES (3, repeat('y', 30)); DELETE FROM b WHERE id = 3; "
                             "UPDATE a SET v = 'two'")
                self.ask("DELETE FROM b WHERE id = 2")
                self.change(end, self.uri, *(["--confirm"] if end == "complete" else []))
                self.assertEqual(self.ask("SELECT * FROM a JOIN b USING (id)"), [["1", "two", "one"]])
                self.assertEqual(self.tables(), ["a", "b"])
                self.assertEqual(self.definition("a") == before["a"][0], end == "abort")

    def test_kept_of_a_column(self):
        """A character set of the new type takes the place of the old one; a default that strict modes refuse stays."""
        self.new("SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, a varchar(30) CHARACTER SET latin1 DEFAULT "
                 "'x', d datetime DEFAULT '0000-00-00 00:00:00'); INSERT INTO t (id) VALUES (1)")
        self.file("alter_column: {table: t, column: a, type: varchar(60) CHARACTER SET utf8mb4}",
                  "alter_column: {table: t, column: id, type: bigint}")
        self.change("run", "001_c.change.yaml", self.uri, "--confirm")
        self.assertRegex(self.definition("t"),
                         "`a` varchar.60. (CHARACTER SET utf8mb4|DEFAULT|COLLATE utf8mb4).*`d` datetime DEFAULT "
                         "'0000-00-00 00:00:00'")
        self.assertEqual(self.ask("SELECT * FROM t"), [["1", "x", "0000-00-00 00:00:00"]])

    def blocked(self, statement):
        """Holds what the statement locks, until the function that is returned is called."""
        process = subprocess.Popen(["mariadb", "--no-defaults", "-N", "-n", "-h127.0.0.1", "-P%d" % self.server.port,
                                    "-uroot", self.database], text=True, bufsize=1,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write("BEGIN; %s; select 'held';\n" % statement)
        process.stdin.flush()
        while process.stdout.readline().strip() != "held":
            self.assertIsNone(process.poll())

        def end():
            if not process.stdin.closed:
                process.stdin.close()
                process.stdout.read()
                process.stdout.close()
                process.wait()
        self.addCleanup(end)
        return end

    def test_lock_limit(self):
        """A reader's open transaction keeps the change waiting, and not those who come behind it."""
        self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
        release = self.blocked("SELECT * FROM t")
        self.file("alter: {table: t, with: MODIFY a bigint, way: shadow}")
        run = support.start("change", "start", "001_c.change.yaml", self.uri, "--lock-timeout", "1s", cwd=self.folder)
        longest, end = 0, time.monotonic() + 5
        while time.monotonic() < end:
            begun = time.monotonic()
            self.ask("SELECT * FROM t")
            longest = max(longest, time.monotonic() - begun)
        self.assertIsNone(run.poll())
        self.assertLess(longest, 3)
        release()
        self.assert_code(support.finish(run), 0)
        self.change("abort", self.uri)

    def test_altered_meanwhile(self):
        """
        What happened to the table past the triggers keeps the change from being completed, and an abort leaves it as it
        is.
        """
        cases = [("DELETE FROM t WHERE id = 1; TRUNCATE t; INSERT INTO t VALUES (3, 3)",
                  "rows are not as they should be"), ("TRUNCATE t", "rows are not as they should be"),
                 ("ALTER TABLE t ADD other int NULL", "were altered since"),
                 ("CREATE TRIGGER mine BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "were altered since"),
                 ("CREATE TABLE c (t int, FOREIGN KEY (t) REFERENCES t (id))", "were altered since"),
                 ("ALTER TABLE t ADD KEY fast (a)", "were altered since")]
        for statement, words in cases:
            with self.subTest(statement=statement):
                self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
                self.begin("alter: {table: t, with: MODIFY a bigint, way: shadow}")
                self.ask(statement)
                now = {name: form for name, form in self.dump().items() if not name.startswith("_transhume")}
                self.assertIn(words, self.change("complete", self.uri, "--confirm", code=5).err)
                self.change("abort", self.uri)
                self.assertEqual(self.dump(), now)

    def test_taken_names(self):
        """
        A view or table of the user's is neither written over nor dropped; two tables' helpers have different names.
        """
        self.new("CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE v (b int); "
                 "CREATE VIEW w AS SELECT 1 AS one; CREATE TABLE t_old LIKE t; CREATE TABLE t_queue LIKE t; "
                 "CREATE TABLE old_t LIKE t;"
                 "CREATE TABLE `_transhume_try_0123456789abcdef` (a int)")
        for to in ("v", "w"):
            self.assertIn("there is a %s of this name" % ("table" if to == "v" else "view"),
                          self.begin("rename_table: {from: t, to: %s}" % to, code=2).err)
        for operation in ("rename_table: {from: nowhere, to: z}", "drop_table: {name: nowhere}",
                          "add_partition: {table: nowhere, name: p, values: LESS THAN (3)}"):
            self.assertIn("there is no such table", self.begin(operation, code=2).err)
        names = ["old_t", "t", "t_old", "t_queue"]
        self.file(*("alter: {table: %s, with: MODIFY a bigint, way: shadow}" % name for name in names))
        self.change("run", "001_c.change.yaml", self.uri, "--confirm")
        self.assertEqual(self.tables(), sorted([*names, "v", "w"]))   # what a killed trial left is gone, too
        self.assertTrue(all("bigint" in self.definition(name) for name in names))
        self.ask("CREATE TABLE `_transhume_002_old_t` (a int); INSERT INTO `_transhume_002_old_t` VALUES (1)")
        self.file("alter: {table: t, with: MODIFY a int, way: shadow}", name="002_d.change.yaml")
        self.assertIn("there is a table _transhume_002_old_t already",
                      self.change("start", "002_d.change.yaml", self.uri, code=5).err)
        self.assertEqual(self.ask("SELECT a FROM `_transhume_002_old_t`"), [["1"]])

    def test_found_before(self):
        """What could not be carried out to the end is found before anything is made."""
        self.new("CREATE TABLE p (id int PRIMARY KEY, code int NOT NULL, up int, UNIQUE KEY (code), "
                 "CONSTRAINT own FOREIGN KEY (up) REFERENCES p (id));"
                 "CREATE TABLE c (id int PRIMARY KEY, pid int, pcode int, CONSTRAINT byid FOREIGN KEY (pid) REFERENCES "
                 "p (id), CONSTRAINT bycode FOREIGN KEY (pcode) REFERENCES p (code))")
        before = self.dump()
        cases = [("alter_column: {table: p, column: id, type: bigint}", 5,
                  "of c needs would have another name, type or no index"),
                 ("alter: {table: p, with: 'RENAME COLUMN code TO number', way: shadow}", 5, "foreign key bycode of c"),
                 ("alter: {table: p, with: 'MODIFY up bigint', way: shadow}", 5, "foreign key own of p"),
                 ("alter: {table: c, with: 'MODIFY pid bigint', way: shadow}", 5, "foreign key byid of c"),
                 ("add_column: {table: c, column: {name: z, type: int, nullable: true}, up: id + nosuch}", 2, "nosuch"),
                 ("alter_column: {table: c, column: pcode, type: varchar(9), up: 'cast(pcode as char)', "
                  "down: 'nosuch(pcode)'}", 2, "nosuch"),
                 ("alter_column: {table: c, column: id, type: bigint, down: id, lossless: true}", 2,
                  "lossless is not proved"), ("sql: {up: 'UPDATE p SET code = 1'}", 2, "sql needs `down`"),
                 ("sql: {up: ALTER TABEL p ADD z int, on_complete: true}", 2, "001_c.change.yaml: line 2: "),
                 ("sql: {up: 'DELETE FROM later', down: INSERT TO later}", 2, "001_c.change.yaml: line 2: "),
                 ("drop_table: {name: p}", 5, "of c refers to it")]
        for operation, code, words in cases:
            with self.subTest(operation=operation):
                self.assertIn(words, self.begin(operation, code=code).err)
                self.assertEqual(self.dump(), before)

    def test_completion_that_fails_at_once(self):
        """The first statement of a completion fails on a row: an abort is still possible."""
        self.new("CREATE TABLE t (id int PRIMARY KEY, a int NULL); INSERT INTO t VALUES (1, NULL)")
        before = self.dump()
        self.begin("alter: {table: t, with: 'MODIFY a int NOT NULL', way: in_place}")
        self.change("complete", self.uri, "--confirm", code=3)
        self.change("abort", self.uri)
        self.assertEqual(self.dump(), before)

    def test_sql_is_run_once(self):
        """Killed between the statement and its note, a statement that writes rows is not run a second time."""
        self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 100)")
        self.file("sql: {up: UPDATE t SET a = a * 2, down: UPDATE t SET a = a / 2}")
        support.kill_at("change.after_statement", 1, "change", "start", "001_c.change.yaml", self.uri, cwd=self.folder)
        self.change("start", "001_c.change.yaml", self.uri)
        self.assertEqual(self.ask("SELECT a FROM t"), [["200"]])
        support.kill_at("change.after_statement", 1, "change", "abort", self.uri, cwd=self.folder)
        self.change("abort", self.uri)
        self.assertEqual(self.ask("SELECT a FROM t"), [["100"]])

    def test_two_at_once(self):
        self.new("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL "
                 "SELECT i + 1 FROM s WHERE i < 900) SELECT i, i FROM s")
        self.file("alter: {table: t, with: MODIFY a bigint, way: shadow}")
        runs = [support.start("change", "run", "001_c.change.yaml", self.uri, "--confirm", "--lock-wait", "60s",
                              cwd=self.folder) for _ in range(2)]
        results = [support.finish(run) for run in runs]
        self.assertIn(0, [result.code for result in results], [result.err for result in results])
        self.assertEqual(self.ask("SELECT count(*), sum(a) FROM t"), [["900", "405450"]])
        self.assertEqual(self.tables(), ["t"])


class OnMariadb(Changes, support.TestCase):
    SERVERS = mariadb


class OnMysql(Changes, support.TestCase):
    SERVERS = mysql


if __name__ == "__main__":
    unittest.main()
