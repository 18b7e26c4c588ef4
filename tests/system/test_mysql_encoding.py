"""
Columns of MySQL and MariaDB in a character set that does not hold every text: what they refuse is rejected with its
key, the rest arrives. By mariadb's client.
"""
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case
import support

# {character set: (a text that it holds, some that it does not)}
TEXTS = {"latin1": ("é€", ("ф", "羊", "\U0001f411")), "ascii": ("e", ("é", "ф", "\U0001f411")),
         "utf8mb3": ("羊ф", ("\U0001f411",)), "koi8r": ("ф", ("é", "羊"))}
TYPES = ("varchar(40) CHARACTER SET %s", "char(40) CHARACTER SET %s", "longtext CHARACTER SET %s",
         "varchar(40) CHARACTER SET %s COLLATE %s_bin")


def texts_of(charset):
    """{id: text}, of 300 rows in which few are refused, and those."""
    held, refused = TEXTS[charset]
    found = {number: held + " %d" % number for number in range(1, 301)}
    bad = {37 + 70 * at: "%d %s at its end" % (at, text) for at, text in enumerate(refused)}
    bad[300] = refused[0]
    return {**found, **bad}, bad


class Encodings(sql_case.SqlCase):
    SERVERS = mariadb

    def source_of(self, texts, engine="sqlite"):
        script = "CREATE TABLE t (id int NOT NULL PRIMARY KEY, %s); INSERT INTO t VALUES %s" % (
            ", ".join("c%d %s" % (at, "varchar(40) CHARACTER SET utf8mb4" if engine == "mysql" else "text")
                      for at in range(len(TYPES))),
            ",".join("(%d%s)" % (key, ", '%s'" % text * len(TYPES)) for key, text in texts.items()))
        if engine == "mysql":
            return self.server.uri(self.made(script))
        path = self.path("source.db")
        if os.path.exists(path):
            os.remove(path)
        return support.make_sqlite(path, script)

    def assert_rejected(self, target, texts, bad, state):
        rejects = self.rejects(state)
        self.assertEqual(sorted(reject["key"]["id"] for reject in rejects), sorted(bad))
        for reject in rejects:
            self.assertEqual(reject["code"], "text-invalid", reject)
            self.assertIn("c0", reject["reason"])
            self.assertEqual(reject["record"]["c0"], bad[reject["key"]["id"]])
        columns = ", ".join("c%d" % at for at in range(len(TYPES)))
        self.assertEqual(sorted(self.server.ask(target, "SELECT id, %s FROM t" % columns), key=lambda row: int(row[0])),
                         [[str(key)] + [text] * len(TYPES) for key, text in texts.items() if key not in bad])

    def test_texts_that_a_column_can_not_hold(self):
        for charset in TEXTS:
            texts, bad = texts_of(charset)
            columns = ", ".join("c%d %s" % (at, kind % ((charset,) * kind.count("%s")))
                                for at, kind in enumerate(TYPES))
            ends = {engine: self.source_of(texts, engine) for engine in ("sqlite", "mysql")}
            for source, options in (*(("sqlite", options) for options in mariadb.LOADS), ("mysql", ""),
                                    ("mysql", "?load=data")):
                with self.subTest(charset=charset, source=source, options=options):
                    state = "%s-%s%s" % (charset, source, options[1:])
                    target = self.made("CREATE TABLE t (id int PRIMARY KEY, %s)" % columns)
                    self.run_program("migrate", ends[source], self.server.uri(target, options), "--state", state,
                                     "--max-rejects", "100", code=1)
                    self.assert_rejected(target, texts, bad, state)

    def test_a_key_that_a_column_can_not_hold(self):
        """The reject has it whole."""
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY, n INTEGER); "
                                     "INSERT INTO t VALUES ('a', 1), ('ф', 2), ('é', 3)")
        for options in mariadb.LOADS:
            with self.subTest(options=options):
                target = self.made("CREATE TABLE t (k varchar(20) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY "
                                   "KEY, n int)")
                self.run_program("migrate", source, self.server.uri(target, options), "--state", "state" + options[1:],
                                 code=1)
                self.assertEqual([(reject["key"], reject["code"]) for reject in self.rejects("state" + options[1:])],
                                 [({"k": "ф"}, "text-invalid")])
                self.assertEqual(self.server.ask(target, "SELECT k, n FROM t ORDER BY n"), [["a", "1"], ["é", "3"]])

    def test_tables_that_the_run_makes_hold_every_text(self):
        """Whatever the database's own character set is, and by a plan."""
        texts = {1: "é", 2: "ф", 3: "羊", 4: "\U0001f411"}
        source = self.source_of(texts)
        for charset in ("latin1", "ascii"):
            with self.subTest(charset=charset):
                target = self.made()
                self.server.ask(target, "ALTER DATABASE %s CHARACTER SET %s" % (target, charset))
                plan = self.write("plan.yaml",
                                  "transhume: 1\nsource: %s\ntarget: %s\ntables: { t: { from: t, "
                                  "fields: { '*': copy } } }\n" % (source, self.server.uri(target)))
                self.run_program("migrate", "--plan", plan, "--state", charset)
                self.assertEqual(self.server.ask(target, "SELECT id, c0, c1 FROM t ORDER BY id"),
                                 [[str(key), text, text] for key, text in texts.items()])


class Sessions(sql_case.SqlCase):
    """
    A server that gives its sessions another character set than they asked for: an init_connect (or
    skip-character-set-client-handshake, which lasts until the first SET NAMES, too).
    """
    SERVERS = mariadb
    TEXTS = {1: "é", 2: "ф", 3: "羊", 4: "a\U0001f411b"}

    def setUp(self):
        super().setUp()
        self.addCleanup(self.server.ask, "", "SET GLOBAL init_connect = DEFAULT; DROP USER IF EXISTS told@'127.0.0.1'")

    def uri_of(self, name, charset, options=""):
        """The name's, for an account that init_connect is for."""
        self.server.ask("",
                        "SET GLOBAL init_connect = 'SET NAMES %s'; CREATE OR REPLACE USER told@'127.0.0.1'; "
                        "GRANT ALL ON *.* TO told@'127.0.0.1'; "
                            "REVOKE SUPER, CONNECTION ADMIN ON *.* FROM told@'127.0.0.1'" % charset)
        return self.server.uri(name, options).replace("root@", "told@")

    def test_as_the_target(self):
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES %s"
                                     % ",".join("(%d, '%s')" % pair for pair in self.TEXTS.items()))
        for charset in ("utf8mb3", "latin1", "binary"):
            for options in mariadb.LOADS:
                for column in ("longtext CHARACTER SET utf8mb4", "varchar(20) CHARACTER SET utf16"):
                    with self.subTest(charset=charset, options=options, column=column):
                        target = self.made("CREATE TABLE t (id int PRIMARY KEY, v %s)" % column)
                        self.run_program("migrate", source, self.uri_of(target, charset, options), "--existing",
                                         "append", "--state", target)
                        self.assertEqual(self.server.ask(target, "SELECT id, v FROM t ORDER BY id"),
                                         [[str(key), text] for key, text in self.TEXTS.items()])

    def test_as_the_source(self):
        source = self.made("CREATE TABLE t (id int PRIMARY KEY, v varchar(20) CHARACTER SET utf8mb4); "
                           "INSERT INTO t VALUES %s" % ",".join("(%d, '%s')" % pair for pair in self.TEXTS.items()))
        for charset in ("utf8mb3", "latin1", "binary"):
            with self.subTest(charset=charset):
                self.run_program("migrate", self.uri_of(source, charset), "sqlite:%s.db" % charset, "--state", charset)
                with sqlite3.connect(self.path(charset + ".db")) as database:
                    self.assertEqual(dict(database.execute("SELECT id, v FROM t")), self.TEXTS)


if __name__ == "__main__":
    unittest.main()
