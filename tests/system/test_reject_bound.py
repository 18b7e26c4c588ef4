"""
How many rejects a run may have is its own word: a resume keeps to it, until a flag or the plan says another bound.
"""
import os
import shutil

import support

COUNT, BAD = 100, 10   # DynamoDB has no number as large as every tenth


class RejectBound(support.TestCase):
    PLAN = "transhume: 1\nsource: sqlite:s.db\ntarget: dynamodb-json:out\noptions: { %s }\n"

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE thing (id INTEGER PRIMARY KEY, v REAL); "
                            "INSERT INTO thing WITH RECURSIVE n(i) AS "
                            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i, iif(i %% %d, 1.5, "
                            "1e300) FROM n" % (COUNT, COUNT // BAD))

    def refused(self, *arguments, env=None):
        result = self.run_program(*arguments, code=3, env=env)
        self.assertIn("[too-many-rejects]", result.err)
        plan = "--plan %s " % arguments[arguments.index("--plan") + 1] if "--plan" in arguments else ""
        self.assertIn("`transhume resume %s--max-rejects N`" % plan, " ".join(result.err.split()))

    def assert_arrived(self):
        self.assertEqual(len(support.read_dynamodb_json(self.path("out"))["thing"]), COUNT - BAD)

    def assert_whole(self):
        self.assert_arrived()
        self.assertEqual(len(self.rejects()), BAD)

    def forget(self):
        for name in ("out", ".transhume"):
            shutil.rmtree(self.path(name))

    def plan(self, options):
        self.write("plan.yaml", self.PLAN % options)

    def test_resume_keeps_the_bound_of_the_run(self):
        for bound in (("--max-rejects", 3), ("--fail-fast",), ("--max-rejects", 0)):
            for ends in ((), ("s.db", "dynamodb-json:out")):
                with self.subTest(bound, ends=ends):
                    self.refused("migrate", *bound, "s.db", "dynamodb-json:out")
                    self.refused("resume", *ends)
                    self.refused("resume", "--max-rejects", BAD - 1, *ends)
                    self.refused("resume", *ends)   # by the bound that was said last
                    self.run_program("resume", "--max-rejects", BAD, *ends, code=1)
                    self.assert_whole()
                    self.forget()

    def test_a_run_without_a_bound_goes_on_without_one(self):
        support.kill_at("engine.chunk_started", 2, "migrate", "--chunk-rows", "50", "s.db", "dynamodb-json:out",
                        cwd=self.folder)
        self.run_program("resume", code=1)
        self.assert_whole()

    def test_a_plan_says_another_bound_later(self):
        for options in ("max_rejects: 3", "fail_fast: true", "max_rejects: 100, fail_fast: true"):
            with self.subTest(options):
                self.plan(options)
                self.refused("migrate", "--plan", "plan.yaml")
                self.refused("resume")
                self.plan("max_rejects: %d" % BAD)
                self.run_program("resume", code=1)
                self.assert_whole()
                self.forget()

    def test_a_plan_that_changed_in_something_else(self):
        """Only where the plan names another bound than it did it is asked for the bound."""
        self.plan("max_rejects: 100")
        self.refused("migrate", "--plan", "plan.yaml", "--max-rejects", 3)
        self.plan("max_rejects: 100, jobs: 1")
        self.refused("resume")
        self.refused("resume", "--max-rejects", BAD - 1)
        self.plan("max_rejects: 100, jobs: 2")
        self.refused("resume")
        self.write("other.yaml", self.PLAN % "max_rejects: 100")
        self.refused("resume", "--plan", "other.yaml")
        self.plan("jobs: 1")   # it names none any more
        self.run_program("resume", "--plan", "plan.yaml", code=1)
        self.assert_whole()

    def test_loads_of_rejects_keep_theirs(self):
        self.plan("max_rejects: 100")
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        folder = self.path(".transhume", "rejects")
        for name in os.listdir(folder):
            shutil.copyfile(os.path.join(folder, name), self.path("bad.jsonl"))
        self.refused("migrate", "--plan", "plan.yaml", "--rejects", "bad.jsonl", "--max-rejects", 3)
        self.refused("resume")
        self.run_program("resume", "--max-rejects", BAD, code=1)
        self.assertEqual(len(self.rejects()), BAD)

    def test_another_run_s_bound_is_not_taken(self):
        support.make_sqlite(self.path("good.db"),
                            "CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)")
        self.run_program("migrate", "--fail-fast", "good.db", "dynamodb-json:out")
        support.kill_at("engine.chunk_started", 2, "migrate", "--chunk-rows", "50", "--state", "elsewhere", "s.db",
                        "dynamodb-json:out", cwd=self.folder)
        self.run_program("resume", "s.db", "dynamodb-json:out", code=1)
        self.assert_arrived()   # some of the rejects stay in the other folder

    def test_the_flag_wins_over_the_environment_s_other_word(self):
        self.refused("migrate", "s.db", "dynamodb-json:out", env={"TRANSHUME_FAIL_FAST": "1"})
        self.run_program("resume", "--max-rejects", BAD, env={"TRANSHUME_FAIL_FAST": "1"}, code=1)
        self.assert_whole()
        self.forget()
        self.refused("migrate", "--fail-fast", "s.db", "dynamodb-json:out", env={"TRANSHUME_MAX_REJECTS": "100"})

    def test_a_flag_wins_over_the_plan_and_does_so_still_in_a_resume(self):
        for options in ("max_rejects: 3", "fail_fast: true", "max_rejects: 3, fail_fast: true"):
            with self.subTest(options):
                self.plan(options)
                support.kill_at("engine.chunk_started", 2, "migrate", "--chunk-rows", "50", "--max-rejects", str(BAD),
                                "--plan", "plan.yaml", cwd=self.folder)
                self.run_program("resume", code=1)
                self.assert_whole()
                self.forget()
        self.plan("max_rejects: %d" % BAD)
        self.refused("migrate", "--fail-fast", "--plan", "plan.yaml")
        self.refused("resume")
