"""Rollback, and what others wrote into columns that the run does not fill: those that they added since, and those that
were there.

A run's record with something of others in such a column is not the run's alone any more; what the table itself gives (a
default, a number,
a generated value, what a trigger puts there) says nothing.
"""
import itertools
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")]
import mariadb
import postgres
import refusals
import support

SOURCE = "CREATE TABLE c(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO c VALUES (1, 'a'), (2, 'b'), (3, 'c');"
# columns that are added since: what they hold then is known to be the table's own; and what others put there
TOLD = {"note": ("note varchar(50)", "'precious'"), "Flag": ("\"Flag\" int DEFAULT 5", "6"),
        "word": ("word varchar(9) DEFAULT 'n'", "'N'"),
        "must": ("must varchar(9) DEFAULT 'm' NOT NULL", "''"), "amount": ("amount numeric(9,2) DEFAULT 1.5", "2")}
# such whose own values can't be told from those of others
UNTOLD = {"postgres": ("n serial", "n int GENERATED ALWAYS AS IDENTITY", "at timestamptz DEFAULT now()"),
          "mysql": ("at datetime DEFAULT CURRENT_TIMESTAMP", "u varchar(40) DEFAULT uuid()"), "sqlite": ()}
GENERATED = {"postgres": "twice int GENERATED ALWAYS AS (id * 2) STORED",
             "mysql": "twice int AS (length(v) * 2) STORED", "sqlite": "twice int AS (id * 2) VIRTUAL"}
# a table that was there, with columns that the plan does not fill; what others do to one of them
THERE = {
    "postgres": ("CREATE TABLE c(id int PRIMARY KEY, v varchar(20), note varchar(50), word text DEFAULT 'n', n serial, "
                 "k int GENERATED ALWAYS AS IDENTITY, at timestamptz "
                 "DEFAULT clock_timestamp(), place point DEFAULT '(1,2)', doc json DEFAULT '{}', "
                 "twice int GENERATED ALWAYS AS (id * 2) STORED, seen text);"
                 "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := NEW.v || random(); "
                 "RETURN NEW; END';"
                 "CREATE TRIGGER fill BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION fill();",
                 {"note": "'x'", "word": "'N'", "n": "77", "at": "'2001-01-01'", "doc": "'{\"a\": 1}'",
                  "seen": "'mine'", "place": "NULL"}),
    "mysql": ("CREATE TABLE c(id int PRIMARY KEY, v varchar(20), note varchar(50), word varchar(9) DEFAULT 'n', "
              "n int AUTO_INCREMENT UNIQUE, at datetime(6) DEFAULT "
              "CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), doc json DEFAULT '{}', "
              "twice int AS (id * 2) STORED, seen text);"
              "CREATE TRIGGER fill BEFORE INSERT ON c FOR EACH ROW SET NEW.seen = concat(NEW.v, rand())",
              {"note": "'x'", "word": "'N'", "n": "77", "at": "'2001-01-01'", "doc": "'{\"a\": 1}'", "seen": "'mine'"}),
    "sqlite": ("CREATE TABLE c(id INTEGER PRIMARY KEY, v TEXT, note TEXT, word TEXT DEFAULT 'n', "
               "at TEXT DEFAULT (strftime('%f', 'now') || random()), twice AS (id * 2), seen TEXT);"
               "CREATE TRIGGER fill AFTER INSERT ON c BEGIN UPDATE c SET seen = new.v || random() WHERE id = "
               "new.id; END;",
               {"note": "'x'", "word": "'N'", "at": "'2001-01-01'", "seen": "'mine'"}),
}


# tables whose DELETE does something else, and how that is ended
KEPT = {
    "postgres": (("CREATE TABLE c(id int PRIMARY KEY, v text, gone bool NOT NULL DEFAULT false); "
                  "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
                  "'BEGIN UPDATE c SET gone = true WHERE id = OLD.id; RETURN NULL; END'; "
                  "CREATE TRIGGER keep BEFORE DELETE ON c FOR EACH ROW EXECUTE FUNCTION keep();",
                  "DROP TRIGGER keep ON c"),
                 ("CREATE TABLE c(id int PRIMARY KEY, v text); CREATE RULE keep AS ON DELETE TO c DO INSTEAD NOTHING",
                  "DROP RULE keep ON c")),
    "sqlite": (("CREATE TABLE c(id INTEGER PRIMARY KEY, v TEXT); CREATE TRIGGER keep BEFORE DELETE ON c BEGIN SELECT "
                "raise(IGNORE); END", "DROP TRIGGER keep"),),
}

def plpgsql(name, event, body, each="FOR EACH ROW", kind="TRIGGER"):
    return ("CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS '%s'; CREATE %s %s %s ON c %s EXECUTE "
            "FUNCTION %s();" %
            (name, "BEGIN %s END" % body, kind, name, event, each, name))


# a record whose DELETE makes it again
AGAIN = {
    "postgres": plpgsql("again", "AFTER DELETE",
                        "IF OLD.id = 2 THEN INSERT INTO c SELECT (OLD).*; END IF; RETURN NULL;"),
    "sqlite": "CREATE TRIGGER again AFTER DELETE ON c WHEN OLD.id = 2 BEGIN INSERT INTO c(id, v, n) VALUES (OLD.id, "
              "OLD.v, OLD.n); END;",
}


# what becomes of record 1 as it is put back
BENDING = {
    "postgres": (plpgsql("bend", "BEFORE UPDATE",
                         "IF NEW.id = 1 THEN NEW.n := 100; INSERT INTO noted VALUES (NEW.id); END IF; RETURN NEW;"),
                 plpgsql("bend", "AFTER UPDATE",
                         "IF NEW.id = 1 AND NEW.n < 100 THEN UPDATE c SET n = 100 WHERE id = 1; END IF; RETURN NULL;"),
                 plpgsql("bend", "AFTER UPDATE",
                         "IF NEW.id = 1 AND NEW.n < 100 THEN UPDATE c SET n = 100 WHERE id = 1; END IF; RETURN NULL;",
                         "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW", "CONSTRAINT TRIGGER"),
                 plpgsql("bend", "BEFORE UPDATE", "IF NEW.id = 1 THEN RETURN NULL; END IF; RETURN NEW;"),
                 plpgsql("bend", "BEFORE UPDATE", "IF NEW.id = 1 THEN RETURN OLD; END IF; RETURN NEW;"),
                 plpgsql("bend", "BEFORE UPDATE", "IF NEW.id = 1 THEN NEW.id := 70; END IF; RETURN NEW;"),
                 "CREATE RULE bend AS ON UPDATE TO c WHERE OLD.id = 1 DO INSTEAD INSERT INTO noted VALUES (1)"),
    "mysql": ("CREATE TRIGGER bend BEFORE UPDATE ON c FOR EACH ROW SET NEW.n = IF(NEW.id = 1, 100, NEW.n)",
              "CREATE TRIGGER bend BEFORE UPDATE ON c FOR EACH ROW SET NEW.v = IF(NEW.id = 1, upper(NEW.v), NEW.v)",
              "CREATE TRIGGER bend BEFORE UPDATE ON c FOR EACH ROW SET NEW.v = IF(NEW.id = 1, OLD.v, NEW.v), "
              "NEW.n = IF(NEW.id = 1, OLD.n, NEW.n)"),
    "sqlite": ("CREATE TRIGGER bend AFTER UPDATE ON c WHEN NEW.id = 1 BEGIN UPDATE c SET n = 100 WHERE id = 1; "
               "INSERT INTO noted VALUES (NEW.id); END;",
               "CREATE TRIGGER bend BEFORE UPDATE ON c WHEN NEW.id = 1 BEGIN SELECT raise(IGNORE); END;"),
}
# 2 is to go
MARKING = {
    "postgres": plpgsql("mark", "BEFORE DELETE",
                        "IF OLD.id <> 2 THEN RETURN OLD; END IF; UPDATE c SET gone = 1 WHERE id = 2; RETURN NULL;"),
    "sqlite": "CREATE TRIGGER mark BEFORE DELETE ON c WHEN OLD.id = 2 BEGIN UPDATE c SET gone = 1 WHERE id = 2; "
              "SELECT raise(IGNORE); END;",
}
# 20 comes back, which a repair took out
RETURNING = {
    "postgres": (plpgsql("bend", "BEFORE INSERT", "IF NEW.id = 20 THEN NEW.v := upper(NEW.v); END IF; RETURN NEW;"),
                 plpgsql("bend", "BEFORE INSERT", "IF NEW.id = 20 THEN RETURN NULL; END IF; RETURN NEW;"),
                 "CREATE RULE bend AS ON INSERT TO c WHERE NEW.id = 20 DO INSTEAD NOTHING"),
    "mysql": ("CREATE TRIGGER bend BEFORE INSERT ON c FOR EACH ROW SET NEW.v = IF(NEW.id = 20, upper(NEW.v), NEW.v)",
              "CREATE TRIGGER bend BEFORE INSERT ON c FOR EACH ROW SET NEW.id = IF(NEW.id = 20, 70, NEW.id)"),
    "sqlite": ("CREATE TRIGGER bend AFTER INSERT ON c WHEN NEW.id = 20 BEGIN UPDATE c SET v = upper(v) WHERE id = "
               "20; END;",
               "CREATE TRIGGER bend BEFORE INSERT ON c WHEN NEW.id = 20 BEGIN SELECT raise(IGNORE); END;"),
}
# columns of all sorts beside those of the run, and records
BENT_BY_ENGINE = {
    "postgres": ("f real, d double precision, j json, b jsonb, m numeric, t timestamptz, c char(5), y bytea, a int[], "
                 "e text DEFAULT 'x', g int GENERATED ALWAYS AS (id * 2) STORED",
                 ("0.1, 1e-300, '{\"b\":  1, \"a\": 1.0}', '{\"b\":  1, \"a\": 1.0}', 1.50, "
                  "'2001-01-01 00:00:00.000001+09', 'ab', '\\x00ff', '{1,NULL}', ''",
                  "'NaN', '-0', '[]', '1e3', 'NaN', 'infinity', '', '', '{}', NULL")),
    "mysql": ("f float, d double, j json, b bit(9), m decimal(9), t timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON "
              "UPDATE CURRENT_TIMESTAMP(6), c char(5), y varbinary(9), "
              "e varchar(9) DEFAULT 'x', g int GENERATED ALWAYS AS (id * 2) STORED",
              ("0.1, 1e-300, '{\"b\":  1, \"a\": 1.0}', 5, 1.5, '2001-01-01 00:00:00.000001', 'ab', x'00ff', ''",
               "16777217, -0e0, '[]', 0, 0, NULL, '', '', NULL")),
    "sqlite": ("f real, d, j numeric, b blob, g int GENERATED ALWAYS AS (id * 2) STORED",
               ("5, -0.0, '1.50', x'00ff'", "9007199254740993, '1.0', 'x', 7")),
}
AUDIT = {
    "postgres": plpgsql("audit", "AFTER UPDATE", "INSERT INTO noted VALUES (NEW.id); RETURN NULL;"),
    "mysql": "CREATE TRIGGER audit AFTER UPDATE ON c FOR EACH ROW INSERT INTO noted VALUES (NEW.id)",
    "sqlite": "CREATE TRIGGER audit AFTER UPDATE ON c BEGIN INSERT INTO noted VALUES (NEW.id); END;",
}


def drawn(count, *lists):
    """In an ordinary run so many of their combinations."""
    cases = list(itertools.product(*lists))
    return cases if support.SOAK else random.Random(support.SEED).sample(cases, min(count, len(cases)))


class Others(refusals.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SOURCE)

    def target(self, kind, script=""):
        """An empty target with that in it; what can be said to it."""
        self.state = self.path("state-%d" % len(os.listdir(self.folder)))
        if kind == "sqlite":
            path = self.path("target-%d.db" % len(os.listdir(self.folder)))

            def ask(statements):
                with sqlite3.connect(path) as database:
                    if "TRIGGER" in statements:
                        database.executescript(statements)
                        return []
                    found = []
                    for statement in statements.split(";"):
                        found += [[str(cell) for cell in row] for row in database.execute(statement)]
                database.close()
                return found
            self.uri, self.ask = "sqlite:" + path, ask
        else:
            name = self.servers[kind].database()
            self.uri = self.servers[kind].uri(name)
            if kind == "mysql":
                self.ask = lambda statements: self.servers["mysql"].ask(name, statements.replace('"Flag"', "Flag"))
            else:
                self.ask = lambda statements: self.servers["postgres"].ask(name, statements)
        if script:
            self.ask(script)

    def migrate(self, *options):
        self.run_program("migrate", "-q", "--state", self.state, *options, "source.db", self.uri)

    def rollback(self, code=0, *options):
        with open(os.path.join(self.state, "run.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        return self.run_program("rollback", "--state", self.state, "--run", run, "--json", *(options or ["--confirm"]),
                                code=code)

    def counts(self, result):
        table, = json.loads(result.out)["tables"]
        return {name: table[name] for name in ("removed", "restored", "changed", "missing") if table[name]}

    def assert_refused(self, column):
        """And all is as it was."""
        before = self.ask("SELECT * FROM c ORDER BY id")
        for options in (["--dry-run"], ["--confirm"]):
            result = self.rollback(5, *options)
            self.assertIn("[rollback-refused]", result.err)
            self.assertRegex(result.err, r"c: .*\b%s\b" % column)
        self.assertEqual(self.ask("SELECT * FROM c ORDER BY id"), before)

    def assert_gone(self):
        self.assertEqual(self.counts(self.rollback()), {"removed": 3})
        with self.assertRaises(Exception):
            self.ask("SELECT * FROM c")

    def test_a_column_that_was_added_to_a_table_of_the_run(self):
        for kind in THERE:
            for options, (column, (definition, value)) in drawn(2, ((), ("--no-express",), ("--no-hashes",)),
                                                                TOLD.items()):
                with self.subTest(kind=kind, options=options, column=column):
                    self.target(kind)
                    self.migrate(*options)
                    self.ask("ALTER TABLE c ADD COLUMN " + definition)
                    self.ask("UPDATE c SET %s = %s WHERE id = 2" % (definition.split()[0], value))
                    self.assert_refused(column)
                    self.ask("UPDATE c SET %s = %s" % (definition.split()[0],
                                                       definition.split("DEFAULT ")[1].split()[0]
                                                       if "DEFAULT" in definition else "NULL"))
                    self.assert_gone()

    def test_a_table_whose_delete_does_something_else(self):
        """Nothing is said to be removed that stands there, and the run is known until it is."""
        for (kind, script, end), options in support.covering([(kind, *case) for kind, cases in KEPT.items()
                                                              for case in cases], ((), ("--no-express",)),
                                                             by=self.id()):
            with self.subTest(kind=kind, script=script, options=options):
                self.target(kind, script)
                self.migrate(*options)
                for _ in range(2):
                    refused = self.rollback(5)
                    self.assertIn("[rollback-refused]", refused.err)
                    self.assertIn("c: its records are there after they were deleted", refused.err)
                    self.assertEqual(len(self.ask("SELECT * FROM c")), 3)
                self.ask(end)
                self.rollback()
                self.assertEqual(self.ask("SELECT * FROM c"), [])

    def test_what_inherits_from_the_table_is_of_others(self):
        """Where only counts are compared: else the run is refused."""
        self.target("postgres", "CREATE TABLE c(id int PRIMARY KEY, v text); CREATE TABLE own() INHERITS (c)")
        self.migrate("--no-hashes")
        self.ask("INSERT INTO own VALUES (9, 'precious'); DELETE FROM ONLY c WHERE id = 1")
        self.rollback()
        self.assertEqual(self.ask("SELECT * FROM c"), [["9", "precious"]])

    def test_the_same_record_by_record(self):
        for kind in THERE:
            for column, (definition, value) in (case for case, in drawn(1, TOLD.items())):
                with self.subTest(kind=kind, column=column):
                    self.target(kind)
                    self.migrate("--rollback-keys")
                    self.ask("ALTER TABLE c ADD COLUMN " + definition)
                    self.ask("UPDATE c SET %s = %s WHERE id = 2" % (definition.split()[0], value))
                    record = self.ask("SELECT * FROM c WHERE id = 2")
                    told = self.counts(self.rollback(0, "--dry-run"))
                    self.assertEqual((told, self.counts(self.rollback())), ({"removed": 2, "changed": 1},) * 2)
                    self.assertEqual(self.ask("SELECT * FROM c"), record)
                    self.target(kind)
                    self.migrate("--rollback-keys")
                    self.ask("ALTER TABLE c ADD COLUMN " + definition)
                    self.assert_gone()

    def test_a_column_that_gives_its_own_values(self):
        for kind, definitions in UNTOLD.items():
            for definition, options in drawn(2, definitions, ((), ("--rollback-keys",))):
                with self.subTest(kind=kind, definition=definition, options=options):
                    self.target(kind)
                    self.migrate(*options)
                    self.ask("ALTER TABLE c ADD COLUMN " + definition)
                    self.assert_refused(definition.split()[0])
                    self.ask("ALTER TABLE c DROP COLUMN " + definition.split()[0])
                    self.assert_gone()

    def test_a_generated_column(self):
        for (kind, definition), options in drawn(3, GENERATED.items(), ((), ("--rollback-keys",))):
            with self.subTest(kind=kind, options=options):
                self.target(kind)
                self.migrate(*options)
                self.ask("ALTER TABLE c ADD COLUMN " + definition)
                self.assert_gone()

    def test_columns_that_the_plan_does_not_fill(self):
        for kind, (script, changes) in THERE.items():
            for options in ((), ("--rollback-keys",)):
                with self.subTest(kind=kind, options=options):
                    self.target(kind, script)
                    self.migrate(*options)
                    self.assertEqual(self.counts(self.rollback()), {"removed": 3})
                    self.assertEqual(self.ask("SELECT count(*) FROM c"), [["0"]])
            self.target(kind, script)
            self.migrate()
            self.ask("CREATE TABLE kept AS SELECT * FROM c")
            for column, value in (case for case, in drawn(2, changes.items())):
                with self.subTest(kind=kind, column=column):
                    self.ask("UPDATE c SET %s = %s WHERE id = 2" % (column, value))
                    self.assert_refused(column)
                    self.ask("UPDATE c SET %s WHERE id = 2"
                             % ", ".join("%s = (SELECT kept.%s FROM kept WHERE kept.id = 2)" % (name, name)
                                         for name in sorted({column, "at"})))
            self.ask("ALTER TABLE c ADD COLUMN more int")
            self.ask("UPDATE c SET more = 1, at = at WHERE id = 3")   # or MariaDB's ON UPDATE tells
            self.assert_refused("more")
            self.ask("UPDATE c SET more = NULL, at = at WHERE id = 3")
            self.assertEqual(self.counts(self.rollback()), {"removed": 3})

    def test_a_run_that_broke_off(self):
        """
        What the columns held when it wrote nobody knows: a default that is known is compared, others are the table's.
        """
        for kind in THERE:
            script = {"postgres": "at timestamptz DEFAULT clock_timestamp(), k serial,",
                      "mysql": "at datetime DEFAULT CURRENT_TIMESTAMP,",
                      "sqlite": "at TEXT DEFAULT CURRENT_TIMESTAMP,"}[kind]
            with self.subTest(kind=kind):
                self.target(kind,
                            "CREATE TABLE c(id bigint PRIMARY KEY, %s v varchar(20), note varchar(50) DEFAULT 'n')"
                            % script)
                result = support.kill_at("engine.before_completed", 1, "migrate", "-q", "--state", self.state,
                                         "source.db", self.uri, cwd=self.folder)
                self.assertEqual(result.code, -9)
                self.ask("UPDATE c SET note = 'mine' WHERE id = 1")
                self.assert_refused("note")
                self.ask("UPDATE c SET note = 'n' WHERE id = 1")
                self.assertEqual(self.counts(self.rollback()), {"removed": 3})

    def test_a_table_with_records(self):
        """One that comes back keeps what others put beside it."""
        for kind in THERE:
            for policy, in drawn(1, ("replace", "upsert")):
                with self.subTest(kind=kind, policy=policy):
                    self.target(kind,
                                "CREATE TABLE c(id int PRIMARY KEY, v varchar(20)); INSERT INTO c VALUES (1, 'old'), "
                                "(9, 'keep')")
                    self.migrate("--existing", policy)
                    self.ask("ALTER TABLE c ADD COLUMN note varchar(50)")
                    self.ask("UPDATE c SET note = 'precious' WHERE id < 3 OR id = 9")
                    told = self.counts(self.rollback(0, "--dry-run"))
                    self.assertEqual((told, self.counts(self.rollback())),
                                     ({"removed": 1, "restored": 1, "changed": 1},) * 2)
                    self.assertEqual(self.ask("SELECT * FROM c ORDER BY id"),
                                     [["1", "old", "precious"], ["2", "b", "precious"], ["9", "keep", "precious"]])

    def filled(self, kind, policy="upsert"):
        """A table with records, with a run's among them: 1 was changed, 2 and 3 are its own."""
        self.target(kind,
                    "CREATE TABLE c(id int PRIMARY KEY, v varchar(20), n int DEFAULT 7); INSERT INTO c VALUES (1, "
                    "'old', 5), (9, 'keep', 6)")
        self.migrate("--existing", policy)

    def retype(self, kind, column, type_):
        if kind == "sqlite":
            types = {"v": "varchar(20)", "n": "int DEFAULT 7", column: type_}
            self.ask("ALTER TABLE c RENAME TO o; CREATE TABLE c(id int PRIMARY KEY, v %s, n %s); "
                     "INSERT INTO c SELECT * FROM o; DROP TABLE o" % (types["v"], types["n"]))
        elif kind == "mysql":
            self.ask("ALTER TABLE c MODIFY %s %s" % (column, type_))
        else:
            self.ask("ALTER TABLE c ALTER {0} DROP DEFAULT, ALTER {0} TYPE {1} USING {0}::{1}".format(column, type_))

    def test_a_column_of_another_type(self):
        for kind in THERE:
            with self.subTest(kind=kind):
                self.filled(kind)
                self.retype(kind, "n", "varchar(30)")
                self.assert_refused("n")
                self.retype(kind, "n", "int")
                self.retype(kind, "v", "varchar(50)")   # of which all records are what they were
                self.assertEqual(self.counts(self.rollback()), {"removed": 2, "restored": 1})
                self.assertEqual(self.ask("SELECT * FROM c ORDER BY id"), [["1", "old", "5"], ["9", "keep", "6"]])

    def test_a_table_that_the_ledger_does_not_know_as_made(self):
        for kind in THERE:
            with self.subTest(kind=kind):
                self.target(kind)
                self.migrate()
                self.ask("DELETE FROM _transhume_ledger WHERE name LIKE 'run/%/note/made/c'")
                self.assert_refused("made")
                self.target(kind)
                self.migrate("--rollback-keys")
                self.ask("DELETE FROM _transhume_ledger WHERE name LIKE 'run/%/note/made/c'")
                result = self.rollback()
                self.assertEqual(self.counts(result), {"removed": 3})
                self.assertFalse(json.loads(result.out)["tables"][0]["dropped"])
                self.assertEqual(self.ask("SELECT count(*) FROM c"), [["0"]])

    def test_a_view_in_the_place_of_a_table(self):
        for kind, options in drawn(4, THERE, ((), ("--no-express",), ("--rollback-keys",))):
            with self.subTest(kind=kind, options=options):
                self.target(kind)
                self.migrate(*options)
                self.ask("ALTER TABLE c RENAME TO o; CREATE VIEW c AS SELECT * FROM o")
                self.assert_refused("a view")
                self.ask("DROP VIEW c; ALTER TABLE o RENAME TO c")
                self.assert_gone()

    def test_records_of_others_hold_a_table_that_they_refer_to(self):
        """SQLite, which lets it go all the same; the servers refuse that by themselves."""
        there = "CREATE TABLE c(id INTEGER PRIMARY KEY, v TEXT);"
        referrer = ("CREATE TABLE o(id INTEGER PRIMARY KEY, c_id INTEGER REFERENCES %s); INSERT INTO o VALUES (1, "
                    "NULL), (2, 77)")
        for script, to in itertools.product(("", there), ("c(id)", "C")):
            with self.subTest(script, to=to):
                self.target("sqlite", script)
                self.migrate()
                self.ask(referrer % to)   # neither of the two has a partner to lose
                self.ask("INSERT INTO o VALUES (3, 2)")
                self.assert_refused("the table o")
                self.ask("UPDATE o SET c_id = NULL WHERE id = 3")
                self.assertEqual(self.counts(self.rollback()), {"removed": 3})
                self.assertEqual(self.ask("SELECT id FROM o ORDER BY id"), [["1"], ["2"], ["3"]])

    def test_a_reference_that_leads_nowhere_holds_nothing(self):
        """To the primary key of a table that has none, or one of other columns."""
        for key, reference in (("", "p TEXT REFERENCES c"), (", PRIMARY KEY (id, v)", "p TEXT REFERENCES c"),
                               (", PRIMARY KEY (id)", "p INT, q INT, FOREIGN KEY (p, q) REFERENCES c")):
            with self.subTest(key, reference=reference):
                os.unlink(self.path("source.db"))
                support.make_sqlite(self.path("source.db"),
                                    "CREATE TABLE c(id INT, v TEXT%s); INSERT INTO c VALUES (1, 'a'), (2, 'b'); "
                                    "CREATE TABLE d(id INTEGER PRIMARY KEY, %s); INSERT INTO d(id, p) VALUES (1, "
                                    "'a'), (2, 1);" % (key, reference))
                self.target("sqlite")
                self.migrate()
                self.assertEqual(sorted((table["name"], table["removed"])
                                        for table in json.loads(self.rollback().out)["tables"]), [("c", 2), ("d", 2)])

    def test_large_doubles_among_decimals_are_the_run_s_own(self):
        """Shortest digits of 17 and more, which a column of decimals takes for the number."""
        values = [sign * value for sign in (1, -1) for value in (2.0 ** 53 + 2, 36574901477562314.0,
                                                                 351489008504738505.0, 999999999999999872.0,
                                                                 1118556103778373705.0, 9e18, 2.0 ** 63, 1e22, 0.1)]
        with sqlite3.connect(self.path("source.db")) as database:
            database.executescript("DROP TABLE c; CREATE TABLE c(id INTEGER PRIMARY KEY, v REAL)")
            database.executemany("INSERT INTO c VALUES (?, ?)", enumerate(values))
        database.close()
        for declared in ("NUMERIC", "REAL"):
            with self.subTest(declared):
                self.target("sqlite")
                with open(self.path("plan.json"), "w", encoding="utf-8") as plan:
                    json.dump({"transhume": 1, "source": "sqlite:source.db", "target": self.uri,
                               "tables": {"c": {"from": "c", "key": ["id"], "fields": {"id": "copy", "v": "copy"},
                                                "columns": {"v": {"type": declared}}}}}, plan)
                self.migrate("--plan", "plan.json")
                found = [float(value) for value, in self.ask("SELECT v FROM c ORDER BY id")]
                self.assertEqual(found, values)
                self.run_program("validate", "--level", "full", "--state", self.state, "--plan", "plan.json",
                                 "source.db", self.uri)
                self.rollback()

    def test_a_circle_of_the_run_goes(self):
        tables = ("CREATE TABLE a(id INTEGER PRIMARY KEY, b_id INTEGER REFERENCES b(id), "
                  "own INTEGER REFERENCES a(id)); CREATE TABLE b(id INTEGER PRIMARY KEY, "
                  "a_id INTEGER REFERENCES a(id));")
        support.make_sqlite(self.path("circle.db"),
                            tables
                            + "INSERT INTO a VALUES (1, 1, 1), (2, 1, NULL); INSERT INTO b VALUES (1, 1), (2, NULL);")
        for script in ("", tables):
            self.target("sqlite", script)
            self.run_program("migrate", "-q", "--state", self.state, "circle.db", self.uri)
            self.rollback()
            self.assertEqual(self.ask("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"),
                             [["a"], ["b"]] if script else [])
            if script:
                self.assertEqual(self.ask("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)"), [["0"]])

    def test_a_record_that_came_since_into_a_table_of_the_run_holds_one_that_goes_whole(self):
        """Which of them are of others is known when those of the run are gone."""
        tables = ("CREATE TABLE customer(id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE sale(id INTEGER PRIMARY KEY, "
                  "customer INTEGER REFERENCES customer(id));")
        support.make_sqlite(self.path("sales.db"),
                            tables
                            + "INSERT INTO customer VALUES (1, 'x'), (2, 'y'); INSERT INTO sale VALUES (1, 1), (2, 2);")
        self.target("sqlite", tables + "INSERT INTO sale VALUES (100, NULL)")
        self.run_program("migrate", "-q", "--state", self.state, "--existing", "append", "sales.db", self.uri)
        self.ask("INSERT INTO sale VALUES (101, 2)")
        result = self.rollback(5)
        self.assertRegex(result.err, r"customer: .*the table sale\b")
        self.assertEqual(self.ask("SELECT * FROM customer"), [["1", "x"], ["2", "y"]])
        self.ask("DELETE FROM sale WHERE id = 101")
        self.rollback()
        self.assertEqual(self.ask("SELECT 'c', id FROM customer UNION ALL SELECT 's', id FROM sale"), [["s", "100"]])

    def test_a_trigger_of_others_that_refuses(self):
        triggers = {"postgres": "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION "
                                "''not so''; END'; "
                                "CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION "
                                "refuse()",
                    "mysql": "CREATE TRIGGER refuse BEFORE DELETE ON c FOR EACH ROW SIGNAL SQLSTATE '42000' SET "
                             "MESSAGE_TEXT = 'not so'",
                    "sqlite": "CREATE TRIGGER refuse BEFORE DELETE ON c BEGIN SELECT raise(ABORT, 'not so'); END"}
        for kind, whole in drawn(3, triggers, (False, True)):
            with self.subTest(kind=kind, whole=whole):
                if whole:
                    self.target(kind, "CREATE TABLE c(id int PRIMARY KEY, v varchar(20))")
                    self.migrate()
                else:
                    self.filled(kind)
                self.ask(triggers[kind])
                result = self.rollback(3)
                self.assertRegex(result.err, r"(?m)^error: c: .*not so")
                self.ask("DROP TRIGGER refuse" + (" ON c" if kind == "postgres" else ""))
                self.assertEqual(self.counts(self.rollback()),
                                 {"removed": 3} if whole else {"removed": 2, "restored": 1})

    def test_numbers_that_postgres_gives_itself_come_back(self):
        self.target("postgres",
                    "CREATE TABLE c(id int PRIMARY KEY, v text, n int GENERATED ALWAYS AS IDENTITY, "
                    "k int GENERATED BY DEFAULT AS IDENTITY UNIQUE);"
                                "INSERT INTO c(id, v) VALUES (1, 'old'), (2, 'older'), (9, 'x')")
        before = self.ask("SELECT * FROM c ORDER BY id")
        self.migrate("--existing", "replace")
        self.assertNotEqual(self.ask("SELECT * FROM c WHERE id IN (1, 2, 9) ORDER BY id"), before)
        self.assertEqual(self.counts(self.rollback()), {"removed": 1, "restored": 2})
        self.assertEqual(self.ask("SELECT * FROM c ORDER BY id"), before)
        self.assertEqual(self.ask("SELECT attname, attidentity FROM pg_attribute WHERE attrelid = 'c'::regclass AND "
                                  "attidentity <> '' ORDER BY 1"), [["k", "d"], ["n", "a"]])

    # ---- what a table's own triggers make of records that come back

    def counts_of(self, result):
        table, = json.loads(result.out)["tables"]
        return {name: table[name] for name in ("removed", "restored", "changed", "missing", "differing") if table[name]}

    def overwritten(self, kind, script="", clause=""):
        """
        1, 4 and 5 were there and are overwritten, 2 and 3 are the run's, 9 is nobody's but the table's; triggers come
        last.
        """
        support.make_sqlite(self.path("source.db"), "DROP TABLE IF EXISTS c;" + SOURCE
                            + "INSERT INTO c VALUES (4, 'd'), (5, 'e')")
        self.target(kind,
                    "CREATE TABLE c(id int PRIMARY KEY, v varchar(20) UNIQUE, n int DEFAULT 7%s); "
                    "CREATE TABLE noted(id int);"
                          "INSERT INTO c(id, v, n) VALUES (1, 'old', 5), (4, 'older', NULL), (5, 'oldest', 0), (9, "
                          "'keep', 6)" % clause)
        before = self.ask("SELECT * FROM c ORDER BY id")
        self.migrate("--existing", "upsert")
        if script:
            self.ask(script)
        return before

    def assert_told(self, result, kind, number):
        self.assertRegex(result.err, r"(?m)^warning: c: %d record" % number)
        if kind != "sqlite":
            self.assertNotIn("changed by others", result.err)

    def test_a_trigger_that_bends_what_comes_back(self):
        for kind, scripts in BENDING.items():
            for script in support.drawn(scripts, 4, self.id()):
                with self.subTest(kind=kind, script=script):
                    before = self.overwritten(kind, script)
                    dry = self.counts_of(self.rollback(0, "--dry-run"))
                    self.assertEqual(dry, {"removed": 2, "restored": 3})
                    result = self.rollback(0 if kind == "sqlite" else 1)
                    after = self.ask("SELECT * FROM c ORDER BY id")
                    if kind == "sqlite":   # its triggers fired, and the records were put back behind them
                        self.assertEqual(self.counts_of(result), {"removed": 2, "restored": 3})
                        self.assertEqual(after, before)
                    else:
                        self.assertEqual(self.counts_of(result), {"removed": 2, "restored": 2, "differing": 1})
                        self.assertEqual([row for row in after if row[0] not in ("1", "70")], before[1:])
                        self.assertNotIn(before[0], after)
                        self.assert_told(result, kind, 1)
                    if "noted" in script:
                        self.assertEqual(self.ask("SELECT DISTINCT id FROM noted"), [["1"]])
                    self.assertEqual(self.own_tables(kind), [])

    def own_tables(self, kind):
        if kind == "sqlite":
            return self.ask("SELECT name FROM sqlite_schema WHERE name LIKE '$_transhume%' ESCAPE '$' AND type "
                            "= 'table'")
        return self.ask("SELECT table_name FROM information_schema.tables WHERE table_name LIKE '$_transhume%%' ESCAPE "
                        "'$' AND table_schema = %s" % (
                            "current_schema()" if kind == "postgres" else "database()"))

    def test_a_trigger_that_does_something_else_where_a_constraint_refuses_too(self):
        """What others' unique value keeps away counts as changed; what the trigger did stays told apart."""
        for kind, scripts in BENDING.items():
            for script in support.drawn(scripts, 3, self.id()):
                with self.subTest(kind=kind, script=script):
                    self.overwritten(kind, "INSERT INTO c(id, v) VALUES (80, 'older');")
                    self.ask(script)
                    result = self.rollback(0 if kind == "sqlite" else 1)
                    self.assertEqual(self.counts_of(result), {"removed": 2, "restored": 2, "changed": 1}
                                     if kind == "sqlite" else
                                     {"removed": 2, "restored": 1, "changed": 1, "differing": 1})

    def test_a_record_that_is_marked_instead_of_deleted(self):
        for kind, script in MARKING.items():
            with self.subTest(kind=kind):
                before = self.overwritten(kind, script, ", gone int")
                result = self.rollback(1)
                self.assertEqual(self.counts_of(result), {"removed": 1, "restored": 3, "differing": 1})
                self.assert_told(result, kind, 1)
                after = self.ask("SELECT * FROM c ORDER BY id")
                self.assertEqual([row for row in after if row[0] != "2"], before)

    def test_a_record_that_a_trigger_makes_again(self):
        """It was deleted, and stands as the run left it all the same: nothing is said to be removed that is there."""
        for kind, script in AGAIN.items():
            with self.subTest(kind=kind):
                before = self.overwritten(kind, script)
                result = self.rollback()
                self.assertEqual({name: count for name, count in self.counts_of(result).items() if count},
                                 {"removed": 1, "restored": 3, "changed": 1})
                after = self.ask("SELECT * FROM c ORDER BY id")
                self.assertEqual([row for row in after if row[0] != "2"], before)
                self.assertEqual(len(after), len(before) + 1)

    def test_what_differs_survives_a_death(self):
        whole = {"removed": 2, "restored": 2, "differing": 1}
        for kind, script, counted in (("postgres", BENDING["postgres"][0], whole),
                                      ("mysql", BENDING["mysql"][0], whole),
                                      ("sqlite", MARKING["sqlite"], {"removed": 1, "restored": 3, "differing": 1})):
            points = [kind + ".before_undo", kind + ".after_undo", "rollback.after_table", "rollback.before_forget"]
            for point in points if support.SOAK else random.Random(support.SEED).sample(points, 2):
                with self.subTest(kind=kind, point=point):
                    self.overwritten(kind, script, ", gone int")
                    run = self.run_of()
                    killed = support.kill_at(point, 1, "rollback", "--state", self.state, "--run", run, "--confirm",
                                             cwd=self.folder)
                    self.assertEqual(killed.code, -9)
                    result = self.rollback(1)
                    expected = counted if point.endswith("before_undo") else {"differing": 1}
                    self.assertEqual(self.counts_of(result), expected)
                    self.assertEqual(self.own_tables(kind), [])

    def run_of(self):
        with open(os.path.join(self.state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def test_what_a_repair_took_out_and_a_trigger_bends(self):
        for kind, scripts in RETURNING.items():
            for script in support.drawn(scripts, 2, self.id()):
                with self.subTest(kind=kind, script=script):
                    self.target(kind)
                    self.migrate()
                    self.ask("INSERT INTO c(id, v) VALUES (20, 'extra'), (21, 'more'); "
                             "UPDATE c SET v = 'x' WHERE id = 2")
                    before = self.ask("SELECT * FROM c ORDER BY id")
                    self.run_program("validate", "-q", "--state", self.state, "--repair", "--delete-extra", "--confirm",
                                     "source.db", self.uri)
                    self.ask(script)
                    result = self.rollback(0 if kind == "sqlite" else 1)
                    after = self.ask("SELECT * FROM c ORDER BY id")
                    if kind == "sqlite":
                        self.assertEqual(self.counts_of(result), {"restored": 3})
                        self.assertEqual(after, before)
                    else:
                        self.assertEqual(self.counts_of(result), {"restored": 2, "differing": 1})
                        self.assertEqual([row for row in after if row[0] not in ("20", "70")],
                                         [row for row in before if row[0] != "20"])
                        self.assertNotIn(["20", "extra"], after)
                        self.assert_told(result, kind, 1)

    def test_what_the_engine_itself_makes_of_values_is_no_difference(self):
        for kind, (columns, values) in BENT_BY_ENGINE.items():
            with self.subTest(kind=kind):
                self.target(kind, "CREATE TABLE c(id int PRIMARY KEY, v varchar(20), %s); CREATE TABLE noted(id int);"
                            % columns)
                names = ", ".join(column.split()[0] for column in columns.split("; ")[0].split(", ")
                                  if "GENERATED" not in column)
                for number, line in enumerate(values, 1):
                    self.ask("INSERT INTO c(id, v, %s) VALUES (%d, 'old', %s)" % (names, number, line))
                before = self.ask("SELECT * FROM c ORDER BY id")
                self.migrate("--existing", "upsert")
                self.ask(AUDIT[kind])
                result = self.rollback()
                self.assertEqual(self.counts_of(result), {"removed": 3 - len(values), "restored": len(values)})
                self.assertEqual(self.ask("SELECT * FROM c ORDER BY id"), before)
                self.assertEqual(self.ask("SELECT count(*) FROM noted"), [[str(len(values))]])

    def test_what_differs_is_said_to_people(self):
        self.overwritten("postgres", BENDING["postgres"][0])
        result = self.run_program("rollback", "--state", self.state, "--run", self.run_of(), "--confirm", code=1)
        self.assertRegex(result.out, r"DIFFERING")
        self.assertIn("1 record is not as it was before the run", result.out)

    def test_a_restart_says_what_differs(self):
        self.overwritten("postgres")
        self.target("postgres",
                    "CREATE TABLE c(id int PRIMARY KEY, v varchar(20), n int DEFAULT 7); CREATE TABLE noted(id int); "
                    "INSERT INTO c VALUES (1, 'old', 5)")
        arguments = ("migrate", "--state", self.state, "--existing", "upsert", "source.db", self.uri)
        self.assertEqual(support.kill_at("engine.after_commit", 1, *arguments, cwd=self.folder).code, -9)
        self.ask(BENDING["postgres"][0])
        result = self.run_program(*arguments, "--restart", "--confirm")
        self.assert_told(result, "postgres", 1)


if __name__ == "__main__":
    unittest.main()
