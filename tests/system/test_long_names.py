"""
Names as long as a server takes, which arrive whole, and longer ones that would be one once they are cut, which are
refused.
"""
import json
import unittest

from test_carry import Carried

SERVERS = ("postgres", "mysql")
# two tables, columns and indexes whose names differ at their ends only; what is UNIQUE has no name of its own
# everywhere
SCRIPT = """
CREATE TABLE "%(name)s1" ("%(name)s1" int NOT NULL PRIMARY KEY, "%(name)s2" int UNIQUE, x int);
CREATE TABLE "%(name)s2" ("%(name)s1" int NOT NULL PRIMARY KEY, "%(name)s2" int UNIQUE, x int, FOREIGN KEY (x) REFERENCES "%(name)s1" ("%(name)s1"));
CREATE INDEX "%(name)s3" ON "%(name)s1" ("%(name)s2", x);
CREATE INDEX "%(name)s4" ON "%(name)s1" (x, "%(name)s2");
INSERT INTO "%(name)s1" VALUES (1, 10, 100), (2, 20, 200);
INSERT INTO "%(name)s2" VALUES (1, 30, 1), (2, 40, 2);
"""
EVERYTHING = {"postgres": "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace",
              "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"}


def script_for(engine, name):
    return SCRIPT.replace('"', "`" if engine == "mysql" else '"') % {"name": name}


def in_words(engine, name):
    """How a name of the engine is written in its own SQL."""
    return ("`%s`" if engine == "mysql" else '"%s"') % name


class LongNames(Carried):
    def test_names_that_would_be_one_once_they_are_cut(self):
        """All of them are said, by `check` and by the exit code; nothing is written."""
        for source, target, name, limit in (("sqlite", "postgres", "n" * 63,
                                             "has 64 bytes; PostgreSQL would cut it at 63"),
                                            ("sqlite", "postgres", "nn" + "é" * 31,
                                             "has 65 bytes; PostgreSQL would cut it at 63"),
                                            ("sqlite", "mysql", "n" * 64, "has 65 characters; the server takes 64"),
                                            ("sqlite", "mysql", "n" * 20 + "é" * 44,
                                             "has 65 characters; the server takes 64"),
                                            ("mysql", "postgres", "é" * 63,
                                             "has 127 bytes; PostgreSQL would cut it at 63")):
            with self.subTest(source=source, target=target, name=name):
                here = self.place(target)
                ends = self.uri(source, self.place(source, script_for(source, name))), self.uri(target, here)
                said = json.loads(self.run_program("check", "--json", *ends, code=2).out)["problems"]
                one, two, three, four = (name + digit for digit in "1234")
                wanted = [(one, "table", one), (two, "table", two), (one, "index", three), (one, "index", four)]
                wanted += [(table, "column", column) for table in (one, two) for column in (one, two)]
                wanted = ["%s: %s %s: the name %s: rename it" % (*which, limit) for which in wanted]
                self.assertEqual(sorted(said), sorted(wanted))
                result = self.run_program("migrate", "--restart", *ends, code=2)
                self.assertIn("%d problems" % len(wanted), result.err)
                self.assertIn("the name " + limit, result.err)
                self.assertEqual(self.ask(target, here, EVERYTHING[target]), [])

    def test_names_as_long_as_they_may_be(self):
        for source, target in [(source, target) for source in ("sqlite", *SERVERS) for target in SERVERS]:
            name = "é" * 63 if target == "mysql" and source != "postgres" else "é" * 30 + "xy"
            with self.subTest(source=source, target=target, name=name):
                here, _ = self.moved(source, target, script_for(source, name), "--state", "%s-%s" % (source, target))
                one, two = name + "1", name + "2"
                self.assertEqual(self.ask(target, here, "SELECT * FROM %s ORDER BY 1" % in_words(target, one)),
                                 [["1", "10", "100"], ["2", "20", "200"]])
                self.assertEqual(self.ask(target, here, "SELECT %s, %s, x FROM %s ORDER BY 1"
                                          % tuple(in_words(target, part) for part in (one, two, two))),
                                 [["1", "30", "1"], ["2", "40", "2"]])
                for duplicate in (one, two):   # what is unique stays so, whatever its index is called
                    with self.assertRaisesRegex(AssertionError, "(?i)duplicate"):
                        self.ask(target, here, "INSERT INTO %s VALUES (7, %d, 1)" % (in_words(target, duplicate),
                            10 if duplicate == one else 30))
                with self.assertRaisesRegex(AssertionError, "foreign key"):
                    self.ask(target, here, "DELETE FROM " + in_words(target, one))
                self.assertLessEqual({name + digit for digit in "34"}, set(self.index_names(target, here)))

    def test_names_without_end(self):
        """SQLite sets no limit: two that are alike but for what stands behind thousands of bytes."""
        one, two = ('%s%s' % ("né" * 2000, end) for end in "12")
        script = "".join('CREATE TABLE "%s" (id INTEGER PRIMARY KEY, v INTEGER%%s); ' % name for name in (one, two))
        rows = "".join('INSERT INTO "%s" VALUES (1, %d), (2, 20), (3, 30);' % (name, v)
                       for name, v in ((one, -1), (two, -2)))
        source, target = self.place("sqlite", script % ("", "") + rows), self.place("sqlite",
            script % ((" CHECK (v > 0)",) * 2))
        ends = self.uri("sqlite", source), self.uri("sqlite", target)
        self.run_program("migrate", "--existing", "append", *ends, code=1)
        rejects = self.rejects()
        self.assertEqual([(line["table"], line["record"]["v"])
                          for line in sorted(rejects, key=lambda line: line["table"])], [(one, -1), (two, -2)])

        known = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual((len(known["records"]), known["rejects_missing"]), (0, 2))
        for line in rejects:
            line["record"]["v"] = 10
        self.write("mended.jsonl", "".join(json.dumps(line) + "\n" for line in rejects))
        self.run_program("migrate", "--rejects", "mended.jsonl", *ends)
        for name in (one, two):
            self.assertEqual(self.ask("sqlite", target, 'SELECT * FROM "%s"' % name),
                             [["1", "10"], ["2", "20"], ["3", "30"]])

        self.ask("sqlite", target, 'DELETE FROM "%s" WHERE id = 2' % one)
        self.ask("sqlite", target, 'UPDATE "%s" SET v = 9 WHERE id = 3' % two)
        self.run_program("validate", "--repair")
        for name in (one, two):
            self.assertEqual(self.ask("sqlite", target, 'SELECT * FROM "%s"' % name)[1:], [["2", "20"], ["3", "30"]])

    def index_names(self, engine, name):
        return [row[0] for row in self.ask(engine, name, "SELECT indexname FROM pg_indexes" if engine == "postgres" else
                                           "SELECT index_name FROM information_schema.statistics WHERE table_schema = "
                                           "database()")]

    def test_names_that_the_program_makes(self):
        """
        Of what is UNIQUE and of foreign keys without names: of two tables whose names begin alike and are as long as
        they may be.
        """
        for target, longest in (("postgres", "é" * 31), ("mysql", "é" * 63)):
            with self.subTest(target=target):
                script = "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);"
                for end in "ab":
                    script += ('CREATE TABLE "%s" (id INTEGER PRIMARY KEY, v int UNIQUE REFERENCES parent, '
                               'w int UNIQUE REFERENCES parent);'
                               'INSERT INTO "%s" VALUES (1, 1, 1);' % (longest + end, longest + end))
                here, said = self.moved("sqlite", target, script, "--state", target)
                self.assertEqual(said.err, "")
                for end in "ab":
                    for column in "vw":
                        # which is there already, which has no parent
                        for value, reason in ((1, "(?i)duplicate"), (2, "foreign key")):
                            with self.assertRaisesRegex(AssertionError, reason):
                                self.ask(target, here, "INSERT INTO %s (id, %s) VALUES (7, %d)"
                                         % (in_words(target, longest + end), column, value))

    def test_a_foreign_keys_name_that_another_table_has(self):
        """
        In MariaDB it is the database's. Of two tables whose names are joined with their columns' to the same one, and
        of a table of others.
        """
        script = ("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, b_c int%s); "
                  "CREATE TABLE a_b (id int PRIMARY KEY, c int%s);")
        keys = ("SELECT table_name, referenced_table_name, referenced_column_name FROM "
                "information_schema.key_column_usage WHERE table_schema = database() AND "
                "referenced_table_name IS NOT NULL AND table_name LIKE 'a%' ORDER BY 1")
        same = ", CONSTRAINT %s FOREIGN KEY (%s) REFERENCES p (id)"
        for source, script in (("sqlite", script % (" REFERENCES p(id)", " REFERENCES p(id)")),
                               ("mysql", script % (same % ("one", "b_c"), same % ("two", "c")))):
            with self.subTest(source=source):
                here = self.place("mysql",
                                  "CREATE TABLE q (id int PRIMARY KEY); CREATE TABLE others (id int PRIMARY KEY, "
                                  "o int, CONSTRAINT one FOREIGN KEY (o) REFERENCES q (id))")
                said = self.run_program("migrate", "--state", source, self.uri(source, self.place(source, script)),
                                        self.uri("mysql", here))
                self.assertNotIn("not made", said.err)
                self.assertEqual(self.ask("mysql", here, keys), [["a", "p", "id"], ["a_b", "p", "id"]])


if __name__ == "__main__":
    unittest.main()
