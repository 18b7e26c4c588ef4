"""What a plain copy between two MariaDB databases does with all that the source's catalogue has. Counted by MariaDB's own client."""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case

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
CREATE VIEW big AS SELECT id, total FROM orders WHERE total > 10;
CREATE VIEW a_bigger AS SELECT id FROM big WHERE total > 20;
CREATE FUNCTION twice (x int) RETURNS int DETERMINISTIC RETURN x * 2;
CREATE PROCEDURE note (IN what text) INSERT INTO log VALUES (what, CURRENT_USER());
CREATE TRIGGER first_of AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('first', NEW.id);
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM log;
"""
PACKAGE = r"""SET sql_mode = 'ORACLE';
DELIMITER //
CREATE PACKAGE tools AS FUNCTION one RETURN int; END;
//
CREATE PACKAGE BODY tools AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END;
//
DELIMITER ;
"""
OF_DATABASE = "FROM information_schema.%s WHERE %s = database()"
COUNTS = {
    "information_schema.tables": "SELECT count(*) " + OF_DATABASE % ("tables", "table_schema"),
    "information_schema.partitions": "SELECT count(*) " + OF_DATABASE % ("partitions", "table_schema") + " AND partition_name IS NOT NULL",
    "information_schema.statistics": "SELECT count(DISTINCT table_name, index_name) " + OF_DATABASE % ("statistics", "table_schema"),
    "information_schema.table_constraints": "SELECT count(*) " + OF_DATABASE % ("table_constraints", "table_schema"),
    "information_schema.routines": "SELECT count(*) " + OF_DATABASE % ("routines", "routine_schema"),
    "information_schema.triggers": "SELECT count(*) " + OF_DATABASE % ("triggers", "trigger_schema"),
    "information_schema.events": "SELECT count(*) " + OF_DATABASE % ("events", "event_schema"),
}


class Catalogue(sql_case.SqlCase):
    SERVERS = mariadb

    def notes(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def counted(self, source, target):
        return [note for note in self.notes(self.server.uri(source), target)["notes"] if note.startswith("information_schema.")]

    def assert_counts(self, source, target, word, left_out):
        counted = self.counted(source, target)
        self.assertEqual(sorted(note.partition(": ")[0] for note in counted), sorted(COUNTS))
        for catalog, sql in COUNTS.items():
            (total,), = self.server.ask(source, sql)
            left = left_out.get(catalog.partition(".")[2], 0)
            found, = (note for note in counted if note.startswith(catalog + ": "))
            self.assertTrue(found.startswith("%s: %s objects, %d %s, %d left out: " % (catalog, total, int(total) - left, word, left)), found)

    def test_every_object_is_counted(self):
        source = self.made(TABLES + OBJECTS + PACKAGE)
        left = {"tables": 3, "routines": 4, "triggers": 1, "events": 1}
        self.assert_counts(source, self.server.uri(self.made()), "copied", left)
        self.assert_counts(source, "copy.db", "converted with their tables", dict(left, statistics=1, table_constraints=2))

    def test_a_ledger_is_no_part_of_the_source(self):
        source, target = self.made(TABLES + OBJECTS), self.server.uri(self.made())
        before = self.counted(source, target)
        os.mkdir(self.path("files"))
        self.write("files/more.csv", "id\n1\n")
        self.migrate("csv:files", self.server.uri(source))
        self.server.ask(source, "SELECT * FROM _transhume_run; DROP TABLE more")
        self.assertEqual(self.counted(source, target), before)


if __name__ == "__main__":
    unittest.main()
