"""What people write on their first day, and the one line that puts it right."""
import os
import sqlite3
import unittest

import support

PLAN = "transhume: 1\nsource: s.db\ntarget: t.db\n"


class Mistakes(support.TestCase):
    def setUp(self):
        super().setUp()
        database = sqlite3.connect(self.path("s.db"))
        database.executescript("CREATE TABLE u(id INTEGER PRIMARY KEY, email TEXT); "
                               "CREATE TABLE v(id INTEGER PRIMARY KEY);"
                               "INSERT INTO u VALUES (1, 'a@x'), (2, 'b@x')")
        database.close()

    def told(self, *arguments, code=2, env=None):
        result = self.run_program(*arguments, code=code, env=env)
        return result.out + result.err

    def check_plan(self, text, code=2, env=None, name="plan.yaml"):
        self.write(name, text)
        return self.told("check", "-p", name, code=code, env=env)

    def rows(self, query):
        database = sqlite3.connect(self.path("t.db"))
        found = database.execute(query).fetchall()
        database.close()
        return found


class Plans(Mistakes):
    def test_a_column_as_a_word_is_refused(self):
        fields = PLAN + "tables:\n  w: { from: u, fields: { id: copy, mail: %s } }\n"
        self.assertIn("write {column: email}", self.check_plan(fields % "email"))
        for meant, rows in (("{ column: email }", "a@x"), ("{ const: email }", "email"), ('"email"', "email"),
                            ("word", "word")):
            self.write("plan.yaml", fields % meant)
            self.run_program("migrate", "-q", "-p", "plan.yaml", "--state", "state")
            self.assertEqual(self.rows("SELECT mail FROM w WHERE id = 1"), [(rows,)], meant)
            self.remove("t.db", "state")

    def remove(self, database, state):
        os.remove(self.path(database))
        os.rename(self.path(state), self.path("old-%d" % len(os.listdir(self.folder))))

    def test_rename_is_no_key(self):
        told = self.check_plan(PLAN + 'tables:\n  u: { from: u, rename: { email: mail }, fields: { "*": copy } }\n')
        self.assertIn("NEW: { column: OLD }", told)

    def test_a_column_that_goes_along_twice(self):
        fields = PLAN + 'tables:\n  u: { from: u, fields: { "*": copy, mail: { column: email }%s } }\n'
        self.assertIn("the column email goes along twice", self.check_plan(fields % "", code=0))
        self.assertNotIn("twice", self.check_plan(fields % ", email: { drop: true }", code=0))

    def test_a_variable_without_quotes(self):
        text = ("transhume: 1\nsource: ${SRC_DB}\ntarget: ${DST_DB:-t.db}\ntables:\n  u: { from: u, "
                "fields: { '*': copy } }\n")
        self.write("plan.yaml", text)
        self.run_program("migrate", "-q", "-p", "plan.yaml", env={"SRC_DB": "s.db"})
        self.assertEqual(self.rows("SELECT count(*) FROM u"), [(2,)])
        self.assertIn("must be quoted", self.check_plan(text.replace("${SRC_DB}", "${SRC_DB}x")))

    def test_one_bad_rule_is_told_once(self):
        told = self.check_plan(PLAN
                               + "types:\n  r: { kind: int64, type: strng }\ntables:\n  u: { from: u, "
                                 "fields: { '*': copy } }\n"
                               "  v: { from: v, fields: { '*': copy } }\n")
        self.assertEqual(told.count("strng"), 1, told)

    def test_the_short_name_of_the_plan(self):
        self.write("transhume.yml", PLAN + "tables:\n  u: { from: u, fields: { '*': copy } }\n")
        self.told("check", code=0)
        self.write("transhume.yaml", PLAN)
        self.assertIn("transhume.yml is here, too", self.told("check"))


class Words(Mistakes):
    def test_values_of_options(self):
        for option, wrong, right in (("--existing", "replce", "replace"), ("--names", "snake_case", "snake"),
                                     ("--existing", "trunc", "truncate")):
            self.assertIn("Did you mean `%s`?" % right, self.told("migrate", option, wrong, "s.db", "t.db"))
        self.assertIn("Give one of keep|lower|snake", self.told("migrate", "--names", "zz", "s.db", "t.db"))

    def test_options(self):
        self.assertIn("Did you mean --rows-per-second?", self.told("migrate", "--rate", "5", "s.db", "t.db"))
        self.assertEqual(self.told("-V", code=0), self.told("--version", code=0))

    def test_schemes(self):
        for uri, hint in (("s3:b/x", "csv:s3://BUCKET/PREFIX"), ("s3://b/x", "csv:s3://BUCKET/PREFIX"),
                          ("jdbc:postgresql://h/d", "without jdbc:"),
                          ("mssql://h/d", "SQL Server is not supported"),
                          ("mssql+pyodbc://h/d", "SQL Server is not supported"),
                          ("postgresql+psycopg2://h/d", "did you mean postgresql"),
                          ("mysql+pymysql://u@h/d", "did you mean mysql"),
                          ("mongo://h/d", "did you mean mongodb"), ("oracle://h/d", "Oracle is not supported")):
            told = self.told("check", uri, "t.db")
            self.assertIn(hint, told)
            if "not supported" in hint:
                self.assertNotIn("did you mean", told)


class Passwords(Mistakes):
    def test_a_password_that_ends_early_is_never_printed(self):
        for scheme in ("postgresql", "mysql", "mongodb", "cassandra"):
            for password in ("se@cr/et7", "secr/et7", "se@cr?et7", "secr?et7"):
                told = self.told("check", "%s://u:%s@127.0.0.1:1/db" % (scheme, password), "t.db")
                self.assertIn("%40", told)
                for part in ("se@cr", "secr", "et7", "'cr'"):
                    self.assertNotIn(part, told.replace("secret", ""))

    def test_an_at_elsewhere_is_fine(self):
        told = self.told("check", "postgresql://u:p%40ss@127.0.0.1:1/db?application_name=a@b", "t.db", code=3)
        self.assertNotIn("%40 for", told)


class Documents(Mistakes):
    """Documents have no columns, so a slip in the name of a field is no error: it is NULL in every row."""

    def test_a_field_that_no_record_has_is_named(self):
        self.told("init", "s.db", "dynamodb-json:out", "-o", "fill.yaml", code=0)
        self.told("migrate", "-p", "fill.yaml", "--include", "u", "--state", "fill", code=0)
        plan = ("transhume: 1\nsource: dynamodb-json:out\ntarget: t.db\ntables:\n  w:\n    key: [id]\n    from: "
                "u-items\n"
                "    fields:\n      id: {column: id, cast: int64}\n      mail: {column: %s, cast: text}\n")
        self.assertIn("no record that was looked at has a field 'emial': mail is NULL in all of them",
                      self.check_plan(plan % "emial", code=0))
        self.assertNotIn("is NULL in all of them", self.check_plan(plan % "email", code=0))


if __name__ == "__main__":
    unittest.main()
