"""Named connections: @NAME in place of a URI, from a file that hides what it holds."""
import json
import os
import sqlite3
import unittest

import support

FILE = """# what we have
shop: "sqlite:${FOLDER}/shop.db"
copy: sqlite:copy.db
gone: sqlite:nowhere/gone.db
far: "postgres://app:${FAR_PASSWORD}@127.0.0.1:1/shop"
kept: "postgres://app:${file:secret}@127.0.0.1:1/shop"
"""


class Connections(support.TestCase):
    def setUp(self):
        super().setUp()
        database = sqlite3.connect(self.path("shop.db"))
        database.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'one'), "
                               "(2, 'two');")
        database.close()
        os.makedirs(self.path("config", "transhume"))
        self.file = os.path.join("config", "transhume", "connections.yaml")
        self.write_file(FILE)
        self.write(os.path.join("config", "transhume", "secret"), "open/sesame:17\n")
        self.environment = {"XDG_CONFIG_HOME": self.path("config"), "FOLDER": self.folder,
                            "FAR_PASSWORD": "hunter@2 is long"}

    def write_file(self, text, mode=0o600):
        self.write(self.file, text)
        os.chmod(self.path(self.file), mode)

    def run_named(self, *arguments, code=0, **more):
        return self.run_program(*arguments, code=code, env=dict(self.environment, **more))

    def rows(self, name):
        database = sqlite3.connect(self.path(name))
        rows = database.execute("SELECT * FROM t ORDER BY id").fetchall()
        database.close()
        return rows

    def test_names_stand_for_uris(self):
        self.run_named("migrate", "@shop", "@copy")
        self.assertEqual(self.rows("copy.db"), [(1, "one"), (2, "two")])

    def test_in_a_plan_and_in_what_init_writes(self):
        self.run_named("init", "@shop", "@copy")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            plan = file.read()
        self.assertRegex(plan, r'(?m)^source: "@shop"$')
        self.assertRegex(plan, r'(?m)^target: "@copy"$')
        self.run_named("migrate")
        self.assertEqual(self.rows("copy.db"), [(1, "one"), (2, "two")])

    def test_the_ledger_of_a_plan_may_be_one(self):
        self.write_file(FILE + "book: sqlite:book.db\n")
        self.write("p.yaml", 'transhume: 1\nsource: "@shop"\ntarget: "@copy"\noptions: { ledger: "@book" }\n')
        self.run_named("migrate", "--plan", "p.yaml")
        self.assertTrue(os.path.exists(self.path("book.db")))

    def test_another_file(self):
        self.write("other.yaml", "here: sqlite:shop.db\nthere: sqlite:other.db\n")
        self.run_named("migrate", "@here", "@there", "--connections", "other.yaml")
        self.assertEqual(len(self.rows("other.db")), 2)
        self.run_named("check", "@here", "@there", TRANSHUME_CONNECTIONS="other.yaml", code=5)

    def test_the_list_hides_passwords(self):
        told = self.run_named("connections")
        for name in ("@shop", "@copy", "@gone", "@far", "@kept"):
            self.assertIn(name, told.out)
        for secret in ("hunter", "sesame"):
            self.assertNotIn(secret, told.out + told.err)
        listed = json.loads(self.run_named("connections", "--json").out)
        self.assertEqual([one["name"] for one in listed["connections"]], ["shop", "copy", "gone", "far", "kept"])
        self.assertEqual(listed["connections"][3]["uri"], "postgres://app:***@127.0.0.1:1/shop")
        self.assertTrue(listed["connections"][0]["place"].endswith("connections.yaml:2:7"))

    def test_they_are_tried(self):
        told = self.run_named("connections", "test", "shop", "@gone", "--timeout", "2s", code=3)
        self.assertRegex(told.out, r"@shop .*it answers")
        self.assertNotRegex(told.out, r"@gone .*it answers")
        self.run_named("connections", "test", "shop")
        tried = json.loads(self.run_named("connections", "test", "far", "--timeout", "2s", "--json", code=3).out)
        self.assertFalse(tried["connections"][0]["ok"])
        self.assertIn("code", tried["connections"][0]["error"])
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_a_resume_knows_the_name(self):
        self.run_named("migrate", "@shop", "@copy", TRANSHUME_FAILPOINT="engine.before_commit:error:0", code=3)
        with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
            run = json.load(file)
        self.assertEqual((run["source_name"], run["target_name"]), ("@shop", "@copy"))
        self.run_named("resume")
        self.assertEqual(self.rows("copy.db"), [(1, "one"), (2, "two")])
        self.run_named("validate")

    def test_faults_name_file_and_line(self):
        cases = (("shop: sqlite:a.db\nbad name: sqlite:b.db\n", "connections.yaml:2:1: 'bad name' is no name"),
                 ("shop:\n", "connections.yaml:1:6: the connection shop has no URI"),
                 ("shop: 'sqlite:${NOBODY}.db'\n", "connections.yaml:1:7: the environment has no variable NOBODY"),
                 ("shop: 'sqlite:${file:none}.db'\n", "connections.yaml:1:7: the file"),
                 ("shop: '@copy'\n", "connections.yaml:1:7: a connection names another one"),
                 ("- shop\n", "connections.yaml:1:1: a map of names and URIs is expected"),
                 ("shop: 'sqlite\n", "connections.yaml:"))
        for text, part in cases:
            with self.subTest(text):
                self.write_file(text)
                told = self.run_named("check", "@shop", "copy.db", code=2)
                self.assertIn(part, told.err)
                self.assertIn("[connections-invalid]", told.err.replace("[plan-syntax]", "[connections-invalid]"))

    def test_unknown_names(self):
        told = self.run_named("check", "@shpo", "copy.db", code=2)
        self.assertIn("did you mean @shop?", told.err)
        self.assertIn("[connection-unknown]", told.err)
        self.write("p.yaml", 'transhume: 1\nsource: "@nobody"\ntarget: "@copy"\n')
        told = self.run_named("check", "--plan", "p.yaml", code=2)
        self.assertIn("p.yaml:2:9: @nobody:", told.err)
        os.remove(self.path(self.file))
        self.assertIn("there is no file of connections", self.run_named("check", "@shop", "copy.db", code=2).err)

    def test_who_may_read_and_write_the_file(self):
        self.write_file(FILE, 0o644)
        self.assertNotIn("chmod", self.run_named("check", "@shop", "new.db").err)
        self.write_file("far: postgres://app:open-sesame@127.0.0.1:1/shop\nshop: sqlite:shop.db\n", 0o640)
        told = self.run_named("check", "@far", "new.db", "--timeout", "1s", code=3)
        self.assertIn("connections.yaml:1:6: a password in a file that other users may read: chmod 600", told.err)
        self.assertNotIn("open-sesame", told.err)
        self.write_file(FILE, 0o662)
        told = self.run_named("check", "@shop", "new.db", code=5)
        self.assertIn("everybody may write it", told.err)
        self.assertIn("[file-untrusted]", told.err)
        self.run_named("check", "@shop", "new.db", "--trust-files")

    def test_a_file_of_such_a_name(self):
        os.rename(self.path("shop.db"), self.path("@shop.db"))
        self.run_named("migrate", "@shop.db", "copy.db")
        self.assertEqual(len(self.rows("copy.db")), 2)

    def test_words_for_completion(self):
        self.assertEqual(self.run_named("complete", "connections").out.split(),
                         ["@shop", "@copy", "@gone", "@far", "@kept"])
        self.run_named("migrate", "@shop", "@copy")
        self.assertEqual(self.run_named("complete", "runs").out.split(), [self.run_id()])
        self.assertIn("postgres:", self.run_named("complete", "schemes").out.split())
        self.assertIn("target-not-empty", self.run_named("complete", "errors").out.split())
        self.run_named("complete", "spells", code=2)


if __name__ == "__main__":
    unittest.main()
