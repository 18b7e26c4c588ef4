"""${NAME} and ${file:PATH} in plans: what the environment and files say, which nothing shows."""
import os
import sqlite3
import unittest


import support

PLAN = """transhume: 1
source: "sqlite:${FOLDER}/src.db"
target: "${TARGET}"
options: { jobs: "${JOBS:-2}" }
alerts:
  hook:
    webhook: "http://127.0.0.1:9/${file:token}"
    severity: error
"""


class PlanVariables(support.TestCase):
    def setUp(self):
        super().setUp()
        self.folder_of_source = self.path("a%41 b+c")
        os.mkdir(self.folder_of_source)
        database = sqlite3.connect(os.path.join(self.folder_of_source, "src.db"))
        database.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, '${FOLDER}');")
        database.close()
        self.write("p.yaml", PLAN)
        self.write("token", "open-sesame-17\n")
        self.environment = {"FOLDER": self.folder_of_source, "TARGET": "sqlite:" + self.path("out.db")}

    def migrate(self, code=0, **more):
        return self.run_program("migrate", "--plan", "p.yaml", "--allow-commands", code=code,
                                env=dict(self.environment, **more))

    def test_values_arrive_and_are_not_kept(self):
        told = self.migrate()
        database = sqlite3.connect(self.path("out.db"))
        self.assertEqual(database.execute("SELECT * FROM t").fetchall(), [(1, "${FOLDER}")])
        database.close()
        kept = told.out + told.err
        for folder, _, names in os.walk(self.path(".transhume")):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    kept += file.read()
        self.assertNotIn("open-sesame-17", kept)
        self.assertIn("${TARGET}", kept)

    def test_what_is_not_there_is_told_with_its_place(self):
        os.remove(self.path("token"))
        del self.environment["TARGET"]
        told = self.migrate(code=2, JOBS="many").err
        self.assertIn("p.yaml:3:9: the environment has no variable TARGET", told)
        self.assertIn("p.yaml:7:14: the file token can't be read", told)
        self.assertIn("p.yaml:4:18: 'jobs'", told)

    def test_what_has_no_end(self):
        self.write("p.yaml", 'transhume: 1\nsource: "sqlite:${FOLDER"\ntarget: "sqlite:${}"\nexclude: "$${x}"\n')
        told = self.migrate(code=2).err
        self.assertIn("p.yaml:2:9: ${ has no end", told)
        self.assertIn("p.yaml:3:9: ${} names nothing", told)


if __name__ == "__main__":
    unittest.main()
