"""Values of many MiB between MariaDB and others: within so much memory, and read back by MariaDB's own client."""
import hashlib
import os
import random
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import large_values
import mariadb
import support


class Values(large_values.LargeValues):
    SERVERS = mariadb
    SETTINGS = {"max-allowed-packet": "1G", "innodb-log-file-size": "64M"}
    TOLD = "SELECT id, length(t), length(b), md5(t), md5(b) FROM big ORDER BY id"
    # SQLite keeps a text twice
    ROWS_HELD = {"out": 2, "across": 0, "in": 0}
    SLICED = (8, 14 << 20)

    def fill(self, name, count, bytes_each):
        self.server.ask(name, "CREATE TABLE big (id int PRIMARY KEY, t longtext CHARACTER SET utf8mb4, b longblob); "
                              "INSERT INTO big SELECT seq, IF(seq %% 2 = 0, REPEAT(CONCAT('\u00e9', seq), %d), NULL), "
                              "IF(seq %% 2 = 1, REPEAT(UNHEX(LPAD(HEX(seq), 4, '0')), %d), NULL) FROM seq_1_to_%d"
                        % (bytes_each // 4, bytes_each // 2, count))

    KEYS = (("varchar(20) COLLATE utf8mb4_general_ci", "'a''\\\\\\\\b'"), ("varchar(20) COLLATE utf8mb4_bin", "'é🐑 '"),
            ("varbinary(8)", "x'0027ff5c'"),
            ("decimal(30,10)", "'12345678901234567890.0123456789'"), ("double", "0.1"), ("float", "0.1"),
            ("bigint unsigned", "18446744073709551615"),
            ("datetime(6)", "'2024-03-31 01:30:00.000001'"), ("enum('z','it''s','a')", "'it''s'"),
            ("bit(64)", "b'1010'"), ("uuid", "'123e4567-e89b-12d3-a456-426614174000'"),
            ("time(3)", "'-838:59:59.999'"), ("char(4) CHARACTER SET latin1", "'äö'"), ("year", "1999"))

    def test_rows_are_found_by_any_key(self):
        """
        A value of more than one block in a row under each kind of key, and small ones beside it; read back by the
        server's own client.
        """
        source, target = self.server.database(), self.server.database()
        tables = []
        for number, (kind, literal) in enumerate(self.KEYS if support.SOAK
                                                 else random.Random(support.SEED).sample(self.KEYS, 2)):
            table = "k%d" % number
            tables.append(table)
            self.server.ask(source,
                            "CREATE TABLE %s (k %s, n int, t longtext, b longblob, l longtext CHARACTER SET latin1, "
                            "PRIMARY KEY (k, n)) CHARACTER SET utf8mb4;"
                                    "INSERT INTO %s VALUES (%s, 1, REPEAT('é🐑x', 1300000), REPEAT(x'00ff27', "
                                    "3000000), NULL), "
                                    "(%s, 2, '', NULL, REPEAT('ä', 9000000)), (%s, 3, NULL, x'00', 'l')" % (table, kind,
                                        table, literal, literal, literal))
        result, reached = support.count_failpoints("migrate", self.server.uri(source), self.server.uri(target),
                                                   "--no-express", cwd=self.folder)
        self.assert_code(result, 0)
        self.assertGreaterEqual(reached["mysql.before_slice"], 4 * len(tables))
        for table in tables:
            told = ("SELECT hex(k), n, length(t), md5(t), length(b), md5(b), length(l), md5(l) FROM %s ORDER BY n"
                    % table)
            self.assertEqual(self.server.ask(source, told), self.server.ask(target, told), table)
        self.run_program("validate", "--level", "full" if support.SOAK else "hash")

    @staticmethod
    def told_of(value):
        """Its length in bytes and its sum, as the server tells them."""
        data = value.encode() if isinstance(value, str) else value
        return [None, None] if data is None else [str(len(data)), hashlib.md5(data).hexdigest()]

    def test_larger_than_a_packet(self):
        """What the server could send in no row goes in pieces."""
        source = self.server.database()
        self.fill(source, 2, 40 << 20)
        told = self.server.ask(source, self.TOLD)
        self.server.ask("", "SET GLOBAL max_allowed_packet = 16777216")
        try:
            self.run_program("migrate", self.server.uri(source), "sqlite:packet.db", "--jobs", "1")
        finally:
            self.server.ask("", "SET GLOBAL max_allowed_packet = 1073741824")
        with sqlite3.connect(self.path("packet.db")) as database:
            rows = database.execute("SELECT id, t, b FROM big ORDER BY id").fetchall()
        database.close()
        of = self.told_of
        self.assertEqual([[str(number), *of(text), *of(data)] for number, text, data in rows],
                         [[a, b, d, c, e] for a, b, c, d, e in told])

    def test_in_statements(self):
        """
        Without LOAD DATA a value goes whole in a statement, if a third of a packet holds it: else it is rejected with
        its key.
        """
        with sqlite3.connect(self.path("statements.db")) as database:
            database.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT, b BLOB)")
            database.executemany("INSERT INTO big VALUES (?, ?, ?)", (
                (1, "é'\\\n🐑" * 1800000, None), (2, None, bytes(range(256)) * 80000), (3, None, b"x" * (22 << 20)),
                (4, "small", b""), (5, "é" * (11 << 20), None)))
            rows = database.execute("SELECT id, t, b FROM big WHERE id IN (1, 2, 4) ORDER BY id").fetchall()
        database.close()
        target = self.server.database()
        self.server.ask("", "SET GLOBAL max_allowed_packet = 67108864")
        try:
            self.run_program("migrate", "statements.db", self.server.uri(target, "?load=insert"), "--jobs", "1",
                             "--memory", "16MiB", code=1)
        finally:
            self.server.ask("", "SET GLOBAL max_allowed_packet = 1073741824")
        told = self.server.ask(target, self.TOLD)
        of = self.told_of
        self.assertEqual([[str(number), *of(text), *of(data)] for number, text, data in rows],
                         [[a, b, d, c, e] for a, b, c, d, e in told])
        rejects = self.rejects()
        self.assertEqual(sorted((reject["key"]["id"], reject["code"]) for reject in rejects),
                         [(3, "record-too-large"), (5, "record-too-large")])
        for reject in rejects:
            self.assertIn("too many for a statement of this server (max_allowed_packet 67108864); "
                          "LOAD DATA LOCAL could take it", reject["reason"])

    def test_the_reader_of_large_values_is_ended(self):
        """Nothing of the snapshot can be had again then: the run ends, and a resume begins another one."""
        source, target = self.server.database(), self.server.database()
        self.fill(source, 4, 9 << 20)
        arguments = (self.server.uri(source), self.server.uri(target), "--no-express", "--jobs", "1")
        process = self.stopped_at("mysql.before_slice:stop:2", "migrate", *arguments)
        sessions = self.server.ask("",
                                   "SELECT id FROM information_schema.processlist WHERE db = '%s' AND command = 'Sleep'"
                                   % source)
        for number, in sessions:
            self.server.ask("", "KILL %s" % number)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("transhume resume", result.err)
        self.run_program("resume", *arguments)
        self.assertEqual(self.server.ask(source, self.TOLD), self.server.ask(target, self.TOLD))


class Unfit(large_values.Unfit):
    SERVERS = mariadb
    TEXT = "longtext"


class LookedAt(large_values.LookedAt):
    LARGE_BYTES = 9 << 20

    def test_casts_and_expressions(self):
        server = mariadb.for_class(type(self))
        source = server.database()
        server.ask(source,
                   "CREATE TABLE big (id int PRIMARY KEY, t longtext CHARACTER SET utf8mb4, b longblob); "
                   "INSERT INTO big (id, t) VALUES %s, "
                           "(6, NULL); UPDATE big SET b = t"
                   % ", ".join("(%d, CONCAT('{\"id\":%d,\"pad\":[\"', REPEAT('%s', %d), '\"]}'))" % (
                       number, number, self.LETTERS, self.repeats(number)) for number in range(1, 6)))
        self.assert_looked_at(server.uri(source))


if __name__ == "__main__":
    unittest.main()
