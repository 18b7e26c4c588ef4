"""Wrong command lines: each is one clear line with what to do next, exits with 2 and touches nothing."""
import json
import os
import subprocess

from support import PROGRAM, TestCase, make_sqlite


class WrongUsage(TestCase):
    def refused(self, *arguments, says, hint=None, code=2, **options):
        before = sorted(os.listdir(self.folder))
        result = self.run_program(*arguments, code=code, **options)
        if "--json" in arguments:
            error = json.loads(result.out)["error"]
            self.assertEqual((error["exit"], "[%s]" % error["code"] in result.err), (code, True), result.out)
        else:
            self.assertEqual(result.out, "")
        lines = result.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertIn(says, errors[0])
        self.assertRegex(errors[0], r" \[[a-z-]+\]$")
        if hint is not None:
            self.assertIn(hint, result.err)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return result

    def test_no_command(self):
        result = self.run_program(code=2)
        self.assertEqual(result.out, "")
        self.assertIn("error: no command was given", result.err)
        self.assertIn("usage: transhume COMMAND", result.err)

    def test_unknown_commands_and_options_have_a_nearest_name(self):
        for arguments, says, hint in [
                (["migrat"], "there is no command migrat", "Did you mean `transhume migrate`?"),
                (["stauts"], "there is no command stauts", "Did you mean `transhume status`?"),
                (["frobnicate"], "there is no command frobnicate", "`transhume help`"),
                (["migrate", "--job", "2"], "there is no option --job", "Did you mean --jobs?"),
                (["check", "--smaple=2"], "there is no option --smaple", "Did you mean --sample?"),
                (["check", "--zzzzzz"], "there is no option --zzzzzz", "transhume help COMMAND"),
                (["check", "-Z"], "there is no option -Z", None),
                (["check", "-vZ"], "there is no option -vZ", None),
                (["help", "migrat"], "there is no command migrat", "transhume migrate"),
                (["help", "plan-invalit"], "plan-invalit", "`plan-invalid`"),
                (["connectors", "sqlit"], "there is no connector sqlit", "Did you mean sqlite?")]:
            with self.subTest(arguments):
                self.refused(*arguments, says=says, hint=hint)

    def test_options_of_another_command(self):
        self.refused("status", "--jobs", "2", says="status: has no option --jobs",
                     hint="transhume check")
        self.refused("check", "--confirm", "a", "b", says="has no option --confirm",
                     hint="transhume migrate")
        self.refused("init", "--take-over", "a", "b", says="has no option --take-over")

    def test_arguments(self):
        for arguments, says in [
                (["init"], "init: needs SRC DST"),
                (["init", "a"], "DST is missing"),
                (["migrate", "a"], "DST is missing"),
                (["check", "a"], "DST is missing"),
                (["resume", "a"], "DST is missing"),
                (["migrate", "a", "b", "c"], "takes no further argument: c"),
                (["status", "a"], "takes no further argument: a"),
                (["migrate", "--", "--jobs", "b", "--plan"], "takes no further argument: --plan"),
                (["check", "--sample"], "--sample: needs N after it"),
                (["check", "--plan"], "--plan: needs FILE after it"),
                (["check", "--plan", "--json"], "--plan: needs FILE after it"),
                (["migrate", "-j"], "-j: needs N after it"),
                (["check", "--json=yes"], "--json: takes no value")]:
            with self.subTest(arguments):
                self.refused(*arguments, says=says)

    def test_values(self):
        for option, value, says in [
                ("--jobs", "0", "'0' is not within 1..256"),
                ("--jobs", "257", "not within"),
                ("--jobs", "-1", "'-1' is not a count"),
                ("--jobs", "two", "'two' is not a count"),
                ("--jobs", "", "'' is not a count"),
                ("--jobs", "9" * 40, "is not a count"),
                ("--memory", "lots", "'lots' is not a size"),
                ("--memory", "1k", "not within 1MiB..1TiB"),
                ("--timeout", "soon", "'soon' is not a time"),
                ("--timeout", "0", "not within"),
                ("--chunk-rows", "1.5", "not a count"),
                ("--existing", "overwrite", "is not one of refuse|append|upsert|replace|skip"),
                ("--progress", "bars", "is not one of auto|bar|log|json|none"),
                ("--color", "sometimes", "is not one of auto|always|never"),
                ("--max-rejects", "-1", "not a count"),
                ("--plan", "", "'' is not FILE")]:
            with self.subTest((option, value)):
                self.refused("migrate", "a.db", "b.db", option, value, says=says)
                self.refused("migrate", "a.db", "b.db", "%s=%s" % (option, value), says=says)

    def test_no_plan_and_no_endpoints(self):
        for command in ("check", "migrate"):
            self.refused(command, says="there is no transhume.yaml here",
                         hint="transhume init SRC DST")
        self.refused("resume", says="there is no run here", hint="transhume migrate")
        self.refused("check", "--plan", "none.yaml", says="none.yaml")

    def test_reset_wants_a_yes(self):
        os.mkdir(self.path(".transhume"), 0o700)
        self.refused("reset", says="reset forgets this state", hint="--confirm")

    def test_init_never_writes_over_a_plan(self):
        make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY);")
        self.write("transhume.yaml", "mine")
        self.refused("init", "a.db", "b.db", says="transhume.yaml: is there already",
                     hint="--force")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        self.run_program("init", "a.db", "b.db", "--force")
        self.refused("init", "a.db", "b.db", "-o", "no/such/folder.yaml", says="no/such")

    def test_hostile_arguments_are_shown_escaped(self):
        for hostile in ("\x1b[2J\x1b]0;title\x07", "line\nbreak", "\u202egnp.exe"):
            for arguments in ([hostile], ["check", "--" + hostile], ["check", hostile],
                              ["connectors", hostile], ["help", hostile],
                              ["status", "--color", hostile], ["migrate", hostile, "b.db"]):
                result = self.run_program(*arguments, code=2)
                self.assertNotIn("\x1b", result.err)
                self.assertNotIn("\x07", result.err)
                self.assertNotIn("\nbreak", result.err)
                self.assertNotIn("\u202e", result.err)

    def test_bytes_that_are_no_text(self):
        result = subprocess.run([PROGRAM, b"\xff\xfe", b"--\xff"], stderr=subprocess.PIPE,
                                check=False, cwd=self.folder)
        self.assertEqual(result.returncode, 2)
        result.stderr.decode("utf-8")

    def test_very_long_arguments(self):
        long = "x" * 100000
        for arguments in ([long], ["check", "--" + long], ["migrate", long, long],
                          ["migrate", "a.db", "b.db", "--plan", long]):
            result = self.run_program(*arguments, code=2)
            self.assertLess(len(result.err), 10000)

    def test_a_password_in_argv_is_warned_of_and_hidden(self):
        result = self.run_program("migrate", "redis://me:hunter22@localhost/db", "b.db",
                                  "--verbose", code=2)
        self.assertIn("a password on the command line can be seen", result.err)
        self.assertNotIn("hunter22", result.err + result.out)
        result = self.run_program("status", "redis://me:hunter22@localhost/db", code=2)
        self.assertNotIn("hunter22", result.err)

    def test_a_malformed_failpoint(self):
        self.refused("version", says="TRANSHUME_FAILPOINT",
                     env={"TRANSHUME_FAILPOINT": "engine.before_commit"})

    def test_a_missing_module(self):
        self.refused("connectors", says="/no/such/module.so",
                     env={"TRANSHUME_MODULES": "/no/such/module.so"})
        self.run_program("help", env={"TRANSHUME_MODULES": "/no/such/module.so"})
