"""What has the name of a table of the program's own is used only if it is its own."""
import unittest

import mariadb
import mysql
import postgres
import support

LEDGER = ("CREATE TABLE _transhume_ledger (name text COLLATE \"C\" PRIMARY KEY, version bigint NOT NULL, "
          "value text NOT NULL)")
TRIGGER = ("CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE LOG ''TRAP''; RETURN NEW; END'; "
           "CREATE TRIGGER x BEFORE INSERT ON _transhume_ledger FOR EACH ROW EXECUTE FUNCTION evil()")

EVIL = ("CREATE FUNCTION says(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE LOG ''TRAP''; "
        "RETURN $1; END'; ")


class Ours(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.for_class(cls)
        cls.server.psql("postgres",
                        "DROP ROLE IF EXISTS ours_lowly; CREATE ROLE ours_lowly; DROP ROLE IF EXISTS ours_app; "
                        "CREATE ROLE ours_app LOGIN")

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        self.target = self.server.database()
        self.server.psql(self.target, "GRANT CREATE ON SCHEMA public TO ours_lowly, ours_app")

    def migrate(self, code, uri=None):
        result = support.transhume("migrate", "s.db", uri or self.server.uri(self.target), cwd=self.folder)
        if code is not None:
            self.assert_code(result, code)
        return result

    def test_another_roles_are_refused(self):
        for table in (LEDGER, LEDGER + "; " + TRIGGER,
                      "CREATE VIEW _transhume_ledger AS SELECT ''::text AS name, 1::bigint AS version, "
                      "''::text AS value"):
            with self.subTest(table):
                self.server.psql(self.target,
                                 "DROP TABLE IF EXISTS _transhume_ledger; DROP FUNCTION IF EXISTS evil; "
                                 "SET ROLE ours_lowly; " + table)
                result = self.migrate(5 if "VIEW" not in table else None)
                self.assertNotEqual(result.code, 0)
                if "VIEW" not in table:
                    self.assertIn("the role ours_lowly made it", result.err)
                    self.assertIn("[not-ours]", result.err)
                    self.assertEqual(self.server.psql(self.target, "SELECT count(*) FROM _transhume_ledger"), [["0"]])

    def test_an_own_one_with_something_on_it_is_refused(self):
        for more, said in ((TRIGGER, "the trigger x"),
                           ("CREATE RULE r AS ON INSERT TO _transhume_ledger DO ALSO NOTHING", "the rule r"),
                           ("ALTER TABLE _transhume_ledger ENABLE ROW LEVEL SECURITY", "row level security"),
                           ("ALTER TABLE _transhume_ledger ADD more int GENERATED ALWAYS AS (1) STORED",
                            "a generated column"),
                           ("CREATE TABLE child () INHERITS (_transhume_ledger)", "inherit"),
                           (EVIL + "ALTER TABLE _transhume_ledger ADD CHECK (says(value) <> '')",
                            "the check _transhume_ledger_value_check"),
                           ("ALTER TABLE _transhume_ledger ADD CHECK (query_to_xml('SELECT 1', true, true, "
                            "'') IS NOT NULL)", "the check _transhume_ledger_check"),
                           (EVIL
                            + "CREATE DOMAIN strict_text AS text CHECK (says(VALUE) <> ''); "
                              "ALTER TABLE _transhume_ledger ADD CHECK (value::text::strict_text IS NOT NULL)",
                            "the check _transhume_ledger_value_check"),
                           (EVIL + "ALTER TABLE _transhume_ledger ALTER version SET DEFAULT length(says('x'))",
                            "a default of version"),
                           (EVIL + "CREATE INDEX i ON _transhume_ledger (says(value))", "the index i")):
            with self.subTest(more):
                self.server.psql(self.target,
                                 "DROP TABLE IF EXISTS _transhume_ledger CASCADE; DROP DOMAIN IF EXISTS strict_text; "
                                 "DROP FUNCTION IF EXISTS evil; DROP FUNCTION IF EXISTS says; " + LEDGER + "; " + more)
                self.assertIn(said, self.migrate(5).err)

    def test_a_superusers_and_a_role_of_ones_own_may_be_used(self):
        self.server.psql("postgres", "GRANT ours_lowly TO ours_app")
        app = self.server.uri(self.target).replace("postgres@", "ours_app@")
        self.server.psql(self.target, "SET ROLE ours_lowly; " + LEDGER)
        self.migrate(0, app)

    def test_lists_of_a_schema_copy(self):
        source = self.server.database()
        self.server.psql(source, "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t")
        for name in ("_transhume_object", "_transhume_rebuild"):
            with self.subTest(name):
                target = self.server.database()
                self.server.psql(target,
                                 "GRANT CREATE ON SCHEMA public TO ours_lowly; CREATE TABLE t (id int PRIMARY KEY, "
                                 "v int); CREATE INDEX i ON t (v); " if "rebuild" in name else
                                 "GRANT CREATE ON SCHEMA public TO ours_lowly")
                self.server.psql(target, "SET ROLE ours_lowly; CREATE TABLE %s (run text)" % name)
                result = support.transhume("migrate", "--state", name,
                                           *(("--existing", "append", "--indexes", "rebuild") if "rebuild" in name
                                             else ()), self.server.uri(source), self.server.uri(target),
                                           cwd=self.folder)
                self.assertEqual(result.code, 5, result.err)
                self.assertIn("ours_lowly", result.err)

    def test_a_schemas_history(self):
        self.server.psql(self.target, "SET ROLE ours_lowly; CREATE TABLE _transhume_schema (number bigint)")
        result = support.transhume("schema", "up", "--dir", self.folder, self.server.uri(self.target), cwd=self.folder)
        self.assertEqual(result.code, 5, result.err)


class Sqlite(support.TestCase):
    def test_with_something_on_it(self):
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        ledger = ("CREATE TABLE _transhume_ledger (name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, "
                  "value TEXT NOT NULL); ")
        for number, (made, said) in enumerate(((ledger
                                                + "CREATE TABLE seen (v); CREATE TRIGGER x AFTER INSERT ON "
                                                  "_transhume_ledger BEGIN INSERT INTO seen VALUES (NEW.value); END",
                                                "the trigger x"),
                                               ("CREATE VIEW _transhume_ledger AS SELECT '' AS name, 1 AS version, "
                                                "'' AS value; CREATE TRIGGER y INSTEAD OF INSERT ON "
                                                "_transhume_ledger BEGIN SELECT 1; END", "_transhume_ledger"))):
            with self.subTest(said):
                target = "d%d.db" % number
                support.make_sqlite(self.path(target), made)
                result = support.transhume("migrate", "--state", said[-1], "s.db", target, cwd=self.folder)
                self.assert_code(result, 5)
                self.assertIn(said, result.err)
                self.assertIn("[not-ours]", result.err)

    def test_of_another_form(self):
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        ledger = ("CREATE TABLE _transhume_ledger (name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, "
                  "value TEXT NOT NULL%s)")
        for number, (made, said) in enumerate(((ledger % ", more AS (1)", "the generated column more"),
                                               ("CREATE TABLE _transhume_ledger (name TEXT PRIMARY KEY, "
                                                "version INTEGER, value AS ('x'))", "the generated column value"),
                                               (ledger % " CHECK (value <> '')", "the check value <> ''"),
                                               (ledger % ", CONSTRAINT c CHECK (version > 0)", "the check version > 0"),
                                               (ledger % ", more int", "other columns"),
                                               (ledger % "" + "; CREATE TABLE _transhume_object (a int)",
                                                "other columns"),
                                               ("CREATE VIRTUAL TABLE _transhume_ledger USING fts5(name, "
                                                "version, value)", "is a virtual table"))):
            with self.subTest(said):
                target = "d%d.db" % number
                support.make_sqlite(self.path(target), made)
                result = support.transhume("migrate", "--state", str(number), "s.db", target, cwd=self.folder)
                self.assert_code(result, 5)
                self.assertIn(said, result.err)
                self.assertIn("[not-ours]", result.err)

    def test_a_schemas_history(self):
        support.make_sqlite(self.path("d.db"),
                            "CREATE TABLE _transhume_schema (number); CREATE TRIGGER x AFTER INSERT ON "
                            "_transhume_schema BEGIN SELECT 1; END")
        result = support.transhume("schema", "up", "--dir", self.folder, "d.db", cwd=self.folder)
        self.assert_code(result, 5)
        self.assertIn("the trigger x", result.err)


class Mariadb(support.TestCase):
    KIND, CHECK = mariadb, "the check value"
    OWN = (("CREATE SEQUENCE _transhume_ledger", "is a sequence"),
           ("%s WITH SYSTEM VERSIONING", "is a system versioned table"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.for_class(cls)

    def test_with_something_on_it(self):
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        ledger = ("CREATE TABLE _transhume_ledger (name varbinary(255) NOT NULL PRIMARY KEY, "
                  "version bigint unsigned NOT NULL, value longtext NOT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4; "
                  "CREATE TRIGGER x BEFORE INSERT ON _transhume_ledger FOR EACH ROW SET NEW.value = 'theirs'")
        plain = ledger.partition(";")[0]
        for number, (made, said) in enumerate(((ledger, "carries the trigger x"),
                                               ("CREATE VIEW _transhume_ledger AS SELECT '' AS name, 1 AS version, "
                                                "'' AS value", "is a view"),
                                               *((sql % plain if "%" in sql else sql, said) for sql, said in self.OWN),
                                               (plain + " ENGINE=MyISAM",
                                                "is a table of MyISAM, which keeps no transactions"),
                                               (plain.replace("longtext NOT NULL",
                                                              "longtext NOT NULL, more int AS (1) VIRTUAL"),
                                                "the generated column more"),
                                               (plain.replace("longtext NOT NULL", "longtext AS ('theirs') STORED"),
                                                "the generated column value"),
                                               (plain.replace("longtext NOT NULL",
                                                              "longtext NOT NULL CHECK (value <> 'x')"), self.CHECK),
                                               (plain.replace("longtext NOT NULL",
                                                              "longtext NOT NULL, CONSTRAINT c CHECK (version > 0)"),
                                                "the check c"),
                                               (plain.replace("longtext NOT NULL", "longtext NOT NULL, more int"),
                                                "other columns"),
                                               (plain + "; CREATE TABLE _transhume_object (a int)",
                                                "_transhume_object: it has the name of a table of ours, "
                                                "but other columns"),
                                               ("CREATE TABLE _transhume_rebuild (a int)", "other columns"),
                                               ("CREATE TABLE _transhume_silenced (a int)", "other columns"))):
            with self.subTest(said):
                target = self.server.database()
                self.server.ask(target, made)
                result = support.transhume("migrate", "--state", str(number), "s.db", self.server.uri(target),
                                           cwd=self.folder)
                self.assert_code(result, 5)
                self.assertIn(said, result.err)
                self.assertIn("[not-ours]", result.err)

    def test_a_schemas_history(self):
        self.write("001_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY);")
        of_ours = self.server.database()
        self.run_program("schema", "up", "--dir", self.folder, self.server.uri(of_ours))
        for table in ("_transhume_schema", "_transhume_schema_step", "_transhume_schema_lock"):
            tables = ["CREATE TABLE %s LIKE `%s`.%s" % (name, of_ours, name)
                      for name in ("_transhume_schema", "_transhume_schema_step", "_transhume_schema_lock")]
            alike = next(sql for sql in tables if sql.startswith("CREATE TABLE %s LIKE" % table))
            for made, said in ((alike + "; CREATE TRIGGER x BEFORE INSERT ON %s FOR EACH ROW SET @seen = 1" % table,
                                "carries the trigger x"),
                               ("CREATE VIEW %s AS SELECT * FROM `%s`.%s" % (table, of_ours, table), "is a view"),
                               (alike + "; ALTER TABLE %s ADD more int AS (1) VIRTUAL" % table,
                                "the generated column more"),
                               (alike + "; ALTER TABLE %s ADD CONSTRAINT c CHECK (epoch < 3)" % table, "the check c")):
                with self.subTest(made):
                    target = self.server.database()
                    self.server.ask(target, made)
                    result = support.transhume("schema", "up", "--dir", self.folder, self.server.uri(target),
                                               cwd=self.folder)
                    self.assert_code(result, 5)
                    self.assertIn(said, result.err)
                    self.assertIn("[not-ours]", result.err)
                    self.assertEqual(self.server.ask(target, "SHOW TABLES"), [[table]])
        self.run_program("schema", "up", "--dir", self.folder, self.server.uri(of_ours))   # its own is none

    def test_what_is_overwritten_is_kept_in_tables_of_ours(self):
        """Their names have the run's id, which the ledger says to all who may read it."""
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (1, 2), (2, 2)")
        for existing, kind in (("upsert", "undo"), ("skip", "key")):
            with self.subTest(kind):
                target = self.server.database()
                self.server.ask(target, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (%d, 1)" % (1
                    if kind == "undo" else 3))
                self.end(self.stopped_at("mysql.before_commit:stop:1", "migrate", "--state", kind, "--existing",
                                         existing, "s.db", self.server.uri(target)))
                table, = [name for name, in self.server.ask(target, "SHOW TABLES")
                          if name.startswith("_transhume_" + kind)]
                self.server.ask(target, "CREATE TRIGGER x BEFORE INSERT ON `%s` FOR EACH ROW SET @seen = 1" % table)
                result = support.transhume("resume", "--state", kind, cwd=self.folder)
                self.assert_code(result, 5)
                self.assertIn("%s: it is a table of ours, but carries the trigger x" % table, result.err)
                self.server.ask(target, "DROP TRIGGER x")
                self.run_program("resume", "--state", kind)
                self.assertEqual(self.server.ask(target, "SELECT count(*) FROM t WHERE v = 2"), [["2"]])


class Mysql(Mariadb):
    KIND, CHECK, OWN = mysql, "the check _transhume_ledger_chk_1", ()


if __name__ == "__main__":
    unittest.main()
