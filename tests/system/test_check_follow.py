"""`check --follow` lists at once all that is missing, for accounts of least rights on servers with wrong settings: once
an
administrator has run the printed statements, and nothing else, following and a cut-over can be done."""
import json
import os
import re
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402

STATEMENT = re.compile(
    r"""GRANT [^;]*? TO (?:'[^']*'@'[^']*'|"(?:[^"]|"")*"|[^\s,;]+)|ALTER (?:ROLE|SYSTEM) [^;]+|SET GLOBAL \w+ = \w+"""
                       r"|ALTER TABLE \S+ (?:SET LOGGED|ENGINE = InnoDB|ADD PRIMARY KEY \([^)]*\)|REPLICA IDENTITY "
                       r"(?:USING INDEX )?\S+)")


class Checked:
    """What holds for each server."""

    def said(self, code, *options):
        """All that is missing, a line each: of the copy and of following, and of a cut-over."""
        out = json.loads(self.run_program("check", "--follow", "--json", *options, *self.uris, code=code).out)
        if "error" in out:
            raise AssertionError(out)
        self.assertEqual(len(set(out["problems"])), len(out["problems"]), out["problems"])
        return out["problems"], out["follow"]["cut_over"]

    def assert_named(self, lines, *words):
        for word in words:
            self.assertTrue(any(word in line for line in lines), "%s\n%s" % (word, "\n".join(lines)))

    def statements(self, lines):
        found = [statement.replace("(…)", "(v)").replace("…", "10") for line in lines
                 for statement in STATEMENT.findall(line)[:1]]
        for line in lines:
            self.assertRegex(line, STATEMENT)
        return list(dict.fromkeys(found))


class Postgres(Checked, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings={"wal_level": "replica", "max_replication_slots": "0"})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.role = 'r "%s"' % self.source
        self.quoted = '"%s"' % self.role.replace('"', '""')
        self.server.psql("postgres", "CREATE ROLE %s LOGIN" % self.quoted)

    def uri(self, name, plain):
        return self.server.uri(name).replace("postgres@", "r%%20%%22%s%%22@"
                                             % self.source) if plain else self.server.uri(name)

    def perform(self, name, lines):
        restart = False
        for statement in self.statements(lines):
            self.server.psql(name, statement)
            restart = restart or "ALTER SYSTEM" in statement
        if restart:
            self.server.end()
            self.server.start()

    def test_check_lists_all_that_is_missing_in_the_source(self):
        self.server.psql(self.source,
                         "CREATE TABLE keyed (id int PRIMARY KEY, v int); CREATE TABLE keyless (v int NOT NULL);"
                                      "CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); "
                                      "CREATE TABLE seen (id int PRIMARY KEY);"
                                      "GRANT SELECT ON seen, keyless, unlogged TO %s; "
                                      "REVOKE CREATE ON SCHEMA public FROM PUBLIC" % self.quoted)
        self.uris = [self.uri(self.source, True), self.uri(self.target, False)]
        lines, cut_over = self.said(2)
        self.assert_named(lines, "ALTER SYSTEM SET wal_level = logical", "ALTER SYSTEM SET max_replication_slots",
                          "REPLICATION", "keyless: ",
                          "ALTER TABLE unlogged SET LOGGED", "GRANT CREATE ON DATABASE %s TO %s" % (self.source,
                              self.quoted),
                          "GRANT SELECT ON public.keyed", "GRANT postgres TO " + self.quoted)
        self.assert_named(cut_over, "GRANT CREATE ON SCHEMA public TO " + self.quoted,
                          "GRANT postgres TO " + self.quoted)
        self.perform(self.source, lines + cut_over)
        self.assertEqual(self.said(0), ([], []))
        self.run_program("migrate", "--follow", "--catch-up", *self.uris)
        self.run_program("cutover", "--confirm", "--max-lag", "1m")

    def test_check_lists_all_that_is_missing_in_the_target(self):
        self.server.psql("postgres", "ALTER SYSTEM SET wal_level = logical")
        self.server.psql("postgres", "ALTER SYSTEM SET max_replication_slots = 10")
        self.server.end()
        self.server.start()
        tables = ("CREATE TABLE par (id serial PRIMARY KEY, u int); CREATE TABLE chi (id int PRIMARY KEY, pid int, "
                  "qid int);")
        self.server.psql(self.source, tables)
        self.server.psql(self.target, tables
                         + "ALTER TABLE chi ADD CONSTRAINT one FOREIGN KEY (pid) REFERENCES par ON DELETE CASCADE;"
                                               "ALTER TABLE chi ADD CONSTRAINT two FOREIGN KEY (qid) REFERENCES par ON "
                                               "UPDATE CASCADE;"
                                               "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
                                               "NEW; END';"
                                               "CREATE TRIGGER stamp BEFORE UPDATE ON par FOR EACH ROW EXECUTE "
                                               "FUNCTION f();"
                                               "CREATE TRIGGER mark BEFORE UPDATE ON chi FOR EACH ROW EXECUTE "
                                               "FUNCTION f();"
                                               "GRANT ALL ON SCHEMA public TO %s; GRANT SELECT, "
                                               "INSERT ON ALL TABLES IN SCHEMA public TO %s" % (self.quoted,
                                                   self.quoted))
        self.uris = [self.uri(self.source, False), self.uri(self.target, True)]
        lines, cut_over = self.said(2, "--existing", "append")
        self.assert_named(lines, "the trigger stamp", "the trigger mark", "the foreign key one", "the foreign key two",
                          "GRANT SET ON PARAMETER session_replication_role TO " + self.quoted)
        self.assert_named(cut_over, "GRANT UPDATE, DELETE ON public.par TO " + self.quoted,
                          "GRANT UPDATE, DELETE ON public.chi TO " + self.quoted,
                          "GRANT SELECT, UPDATE ON SEQUENCE public.par_id_seq TO " + self.quoted)
        self.perform(self.target, lines + cut_over)
        self.assertEqual(self.said(0, "--existing", "append"), ([], []))


class Mariadb(Checked, support.TestCase):
    KIND = mariadb

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.Server(settings={**mariadb.FOLLOWED, "binlog-format": "MIXED",
                                               "binlog-row-image": "MINIMAL",
                                               "log-bin-trust-function-creators": "0"})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.account = "'u_%s'@'127.0.0.1'" % self.source
        self.ask("CREATE USER %s" % self.account)
        self.addCleanup(self.ask, "DROP USER %s" % self.account)

    def ask(self, sql, name="mysql"):
        return self.server.ask(name, sql)

    def uri(self, name, plain):
        return self.server.uri(name).replace("root@", "u_%s@" % self.source) if plain else self.server.uri(name)

    def perform(self, lines):
        for statement in self.statements(lines):
            self.ask(statement, self.source if statement.startswith("ALTER TABLE") else "mysql")

    def test_check_lists_all_that_is_missing_in_the_source(self):
        self.ask("CREATE TABLE keyed (id int PRIMARY KEY, v int); CREATE TABLE keyless (v int NOT NULL); "
                 "CREATE TABLE other (id int PRIMARY KEY) ENGINE = MyISAM", self.source)
        self.ask("GRANT SELECT ON %s.* TO %s" % (self.source, self.account))
        self.uris = [self.uri(self.source, True), self.uri(self.target, False)]
        lines, cut_over = self.said(2)
        self.assert_named(lines, "SET GLOBAL binlog_format = ROW", "SET GLOBAL binlog_row_image = FULL",
                          "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO " + self.account,
                          "ALTER TABLE `other` ENGINE = InnoDB")
        self.assert_named(cut_over, "GRANT TRIGGER, REFERENCES ON `%s`.`keyed` TO %s" % (self.source, self.account),
                          "GRANT TRIGGER, REFERENCES ON `%s`.`keyless`" % self.source,
                          "GRANT CREATE, ALTER, DROP ON `%s`.* TO %s" % (self.source, self.account),
                          "SET GLOBAL log_bin_trust_function_creators = ON")
        self.addCleanup(self.ask,
                        "SET GLOBAL binlog_format = MIXED; SET GLOBAL binlog_row_image = MINIMAL; "
                        "SET GLOBAL log_bin_trust_function_creators = OFF")
        self.perform(lines + cut_over)
        self.assertEqual(self.said(0), ([], []))
        self.run_program("migrate", "--follow", "--catch-up", *self.uris)
        self.run_program("cutover", "--confirm", "--max-lag", "1m")

    def test_check_lists_all_that_is_missing_in_the_target(self):
        self.ask("SET GLOBAL binlog_format = ROW; SET GLOBAL binlog_row_image = FULL")
        self.addCleanup(self.ask,
                        "SET GLOBAL binlog_format = MIXED; SET GLOBAL binlog_row_image = MINIMAL; "
                        "SET GLOBAL log_bin_trust_function_creators = OFF")
        tables = "CREATE TABLE par (id int PRIMARY KEY, u int); CREATE TABLE chi (id int PRIMARY KEY, pid int);"
        self.ask(tables, self.source)
        self.ask(tables
                 + "CREATE TRIGGER stamp BEFORE UPDATE ON par FOR EACH ROW SET NEW.u = 1; "
                   "CREATE TRIGGER mark BEFORE INSERT ON chi FOR EACH ROW SET NEW.pid = 1", self.target)
        self.ask("GRANT SELECT, INSERT, CREATE, DROP, TRIGGER ON %s.* TO %s" % (self.target, self.account))
        self.uris = [self.uri(self.source, False), self.uri(self.target, True)]
        lines, cut_over = self.said(2, "--existing", "append")
        self.assert_named(lines, "the trigger stamp", "the trigger mark", "it belongs to root@",
                          "SET GLOBAL log_bin_trust_function_creators")
        self.assertTrue(any(re.search("GRANT SET[ _A-Z]+ ON \\*\\.\\* TO " + self.account, line) for line in lines),
                        lines)
        self.perform(lines + cut_over)
        self.assertEqual(self.said(0, "--existing", "append"), ([], []))


class Mysql(Mariadb):
    KIND = mysql


class Sqlite(Checked, support.TestCase):
    def test_a_table_that_can_not_be_followed_hides_nothing(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE a (v); CREATE TABLE b (v); CREATE TABLE c (id INTEGER PRIMARY KEY)")
        self.uris = ["sqlite:" + self.path("source.db"), "sqlite:" + self.path("target.db")]
        self.assert_named(self.said(2)[0], "a: ", "b: ")

    def test_a_query(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE c (id INTEGER PRIMARY KEY)")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: sqlite:target.db\ntables:\n"
                   "  q: { key: [id], entities: { q: { query: \"SELECT id FROM c\", fields: { id: copy } } } }\n")
        result = support.transhume("check", "--follow", cwd=self.folder)
        self.assertIn(result.code, (2, 5), result.err)
        self.assertIn("a query", result.out + result.err)


if __name__ == "__main__":
    unittest.main()
