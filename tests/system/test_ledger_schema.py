"""
--ledger-schema: the ledger and all that is kept beside it in a schema of its own, which later commands on the run find.
"""
import json
import os
import sys

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import postgres  # noqa: E402

MADE = ("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname "
        "LIKE '\\_transhume%' AND c.relkind = 'r' ORDER BY 1, 2")


class Postgres(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings=postgres.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.uris = [self.server.uri(self.source), self.server.uri(self.target)]
        self.psql(self.source,
                  "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a SELECT i, i FROM generate_series(1, "
                  "500) i; CREATE VIEW b AS SELECT * FROM a")

    def psql(self, name, sql):
        return self.server.psql(name, sql)

    def count(self, table):
        return int(self.psql(self.target, "SELECT count(*) FROM " + table)[0][0])

    def ours(self):
        """The schemas in which tables of the program's own are."""
        return sorted({row[0] for row in self.psql(self.target, MADE)})

    def is_there(self, schema):
        return self.psql(self.target, "SELECT 1 FROM pg_namespace WHERE nspname = '%s'" % schema) != []

    def test_all_of_it_is_there_and_goes_with_a_rollback(self):
        self.run_program("migrate", "--ledger-schema", "kept by us", *self.uris)
        self.assertEqual(self.ours(), ["kept by us"])
        self.run_program("validate", "--level", "hash")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual((self.ours(), self.is_there("kept by us")), ([], False))

    def test_what_is_overwritten_is_kept_there_too(self):
        self.psql(self.target,
                  "CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 7), (900, 9); "
                  "CREATE SCHEMA mine")
        self.run_program("migrate", "--existing", "upsert", "--ledger-schema", "mine", *self.uris)
        self.assertEqual(self.ours(), ["mine"])
        self.assertGreater(len(self.psql(self.target, MADE)), 1)
        self.assertEqual(self.count("a"), 501)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.psql(self.target, "SELECT id, v FROM a ORDER BY 1"), [["1", "7"], ["900", "9"]])
        self.assertEqual((self.ours(), self.is_there("mine")), ([], True))   # it was there before

    def test_indexes_are_put_back_by_notes_there(self):
        self.psql(self.target, "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE INDEX i ON a (v)")
        self.run_program("migrate", "--existing", "append", "--indexes", "rebuild", "--ledger-schema", "mine",
                         *self.uris)
        self.assertEqual(self.ours(), ["mine"])
        self.assertEqual(len(self.psql(self.target, "SELECT 1 FROM pg_indexes WHERE indexname = 'i'")), 1)

    def stop(self):
        self.end(self.stopped_at("postgres.before_commit:stop:2", "migrate", "--chunk-rows", "50", "--ledger-schema",
                                 "mine", "--no-express", *self.uris))

    def resume(self, *arguments):
        """Ended, whatever others wrote in the cluster meanwhile, for which the snapshot is mixed."""
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        return result

    def test_a_resume_finds_it(self):
        self.stop()
        self.resume()
        self.assertEqual((self.count("a"), self.ours()), (500, ["mine"]))
        self.run_program("finish", "--confirm")
        self.assertEqual((self.ours(), self.is_there("mine")), ([], False))

    def test_a_resume_without_the_state_folder_is_told_where_it_is(self):
        self.stop()
        os.rename(self.path(".transhume"), self.path("gone"))
        self.assertIn("--ledger-schema mine", self.run_program("resume", *self.uris, code=2).err)
        self.resume("--ledger-schema", "mine", *self.uris)
        self.assertEqual(self.count("a"), 500)

    def test_a_wrong_one_is_refused(self):
        self.stop()
        self.assertIn("--ledger-schema", self.run_program("resume", "--ledger-schema", "other", code=5).err)
        self.assertIn("--ledger-schema", self.run_program("rollback", "--run", self.run_id(), "--ledger-schema",
                                                          "other", "--confirm", code=2).err)
        for name in ("pg_x", "information_schema", "x" * 64, ""):
            self.run_program("check", "--ledger-schema", name, *self.uris, code=2)
        self.assertFalse(self.is_there("other"))
        self.resume()

    def test_a_plan_says_it(self):
        self.write("transhume.yaml", "transhume: 1\nsource: %s\ntarget: %s\noptions: { ledger_schema: mine }\n"
                   % tuple(self.uris))
        self.run_program("migrate")
        self.assertEqual(self.ours(), ["mine"])
        self.run_program("finish", "--confirm")
        self.assertEqual(self.ours(), [])

    def test_changes_are_followed_and_the_application_cut_over(self):
        self.run_program("migrate", "--follow", "--catch-up", "--ledger-schema", "mine", *self.uris)
        self.psql(self.source,
                  "INSERT INTO a VALUES (501, 1); UPDATE a SET v = 5 WHERE id = 1; DELETE FROM a WHERE id = 2")
        self.run_program("follow", "--catch-up")
        self.assertEqual((self.count("a"), self.ours()), (500, ["mine"]))
        self.run_program("cutover", "--confirm", "--max-lag", "1m")
        self.run_program("finish", "--confirm")
        self.assertEqual(self.ours(), [])

    def test_a_schema_of_somebody_else_is_refused(self):
        role = "r_" + self.source
        self.psql(self.target,
                  "CREATE ROLE %s LOGIN; CREATE ROLE %s_else; CREATE SCHEMA theirs AUTHORIZATION %s_else; "
                  "GRANT ALL ON SCHEMA theirs, public TO %s"
                  % (role, role, role, role))
        plain = [self.uris[0], self.uris[1].replace("postgres@", role + "@")]
        result = self.run_program("migrate", "--ledger-schema", "theirs", *plain, code=5)
        self.assertIn("%s_else" % role, result.err)
        self.assertEqual(self.ours(), [])
        lines = self.run_program("check", "--ledger-schema", "new", *plain, code=2).out
        self.assertIn("GRANT CREATE ON DATABASE", lines)
        self.assertIn("CREATE SCHEMA new AUTHORIZATION %s;" % role,
                      self.run_program("check", "--rights-for", role, "--ledger-schema", "new", *self.uris).out)
        self.psql(self.target, "CREATE SCHEMA new AUTHORIZATION %s" % role)
        self.run_program("migrate", "--ledger-schema", "new", *plain)

    def test_beside_tables_that_are_there_nothing_is_made(self):
        role = "e_" + self.source
        self.psql(self.target,
                  "CREATE ROLE %s LOGIN; CREATE TABLE a (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 7)"
                  % role)
        self.write("transhume.yaml", "transhume: 1\nsource: %s\ntarget: %s\noptions: { ledger_schema: mine }\n"
                   "tables:\n  a: { key: [id], existing: upsert, entities: { a: { from: a, fields: { id: copy, "
                   "v: copy } } } }\n" % tuple(self.uris))
        rights = json.loads(self.run_program("check", "--json", "--rights-for", role).out)["rights_for"]["target"]
        self.assertIn("GRANT USAGE ON SCHEMA public TO %s;" % role, [statement["text"] for statement in rights])
        for statement in rights:
            self.psql(self.target, statement["text"])
        self.write("transhume.yaml", open(self.path("transhume.yaml"), encoding="utf-8").read().replace(self.uris[1],
            self.uris[1].replace("postgres@", role + "@")))
        self.run_program("check")
        self.run_program("migrate")
        self.assertEqual((self.count("a"), self.ours()), (500, ["mine"]))
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.psql(self.target, "SELECT id, v FROM a"), [["1", "7"]])

    def test_where_everybody_makes_tables_a_schema_is_proposed(self):
        self.assertNotIn("--ledger-schema", self.run_program("check", *self.uris).out)
        # as before version 15; where the target alone has it, something is more open
        for name in (self.source, self.target):
            self.psql(name, "GRANT CREATE ON SCHEMA public TO PUBLIC")
        self.assertIn("--ledger-schema transhume", self.run_program("check", *self.uris).out)
        self.assertIn("CREATE SCHEMA transhume", " ".join(self.run_program("check", *self.uris).out.split()))
        self.assertNotIn("--ledger-schema", self.run_program("check", "--ledger-schema", "transhume", *self.uris).out)


class Others(support.TestCase):
    def test_they_refuse_it(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE c (id INTEGER PRIMARY KEY)")
        for target in ("sqlite:target.db", "csv:out", "mysql://root@127.0.0.1:1/shop"):
            error = self.run_program("migrate", "--ledger-schema", "mine", "sqlite:source.db", target, code=2).err
            self.assertIn("schema of its own", error)
        self.assertIn("?schema=", self.run_program("migrate", "--ledger-schema", "mine", "--ledger", "sqlite:l.db",
                                                   "sqlite:source.db", "sqlite:target.db", code=2).err)


if __name__ == "__main__":
    import unittest
    unittest.main()
