"""The command line as people and scripts meet it: help, streams, bars, pages, completion."""
import fcntl
import json
import os
import pty
import re
import shlex
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
import unittest
from unittest import mock

import support
from support import PATIENCE, PROGRAM, ROOT, TestCase, make_sqlite, musicshop

COMMANDS = ["init", "check", "migrate", "resume", "status", "reset", "rollback", "finish", "connectors", "failpoints",
            "grafana",
            "help", "version"]
GROUPS = ["schema", "change"]   # commands with subcommands
FAILING = {"TRANSHUME_FAILPOINT": "engine.before_commit:error:0"}
CODE_LINE = re.compile(r'^ERROR_CODE\((\w+), "([^"]+)"', re.MULTILINE)


def error_codes():
    with open(os.path.join(ROOT, "src/base/error_codes.def"), encoding="utf-8") as file:
        return [text for name, text in CODE_LINE.findall(file.read()) if name != "NONE"]


def small_source(folder):
    return make_sqlite(os.path.join(folder, "small.db"),
                       "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);"
                       "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');")


class Help(TestCase):
    def test_every_command_has_help_with_its_options(self):
        for command in COMMANDS:
            with self.subTest(command):
                by_word = self.run_program("help", command)
                by_flag = self.run_program(command, "--help")
                by_letter = self.run_program(command, "-h")
                self.assertEqual(by_word.out, by_flag.out)
                self.assertEqual(by_word.out, by_letter.out)
                self.assertEqual(by_word.err, "")
                self.assertIn("usage: transhume %s" % command, by_word.out)
                self.assertIn("--quiet", by_word.out)

    def test_overview_names_every_command_and_exit_status(self):
        for arguments in (["help"], ["--help"], ["-h"]):
            out = self.run_program(*arguments).out
            for command in COMMANDS + GROUPS:
                self.assertRegex(out, r"(?m)^  %s " % command)
            for status in range(6):
                self.assertRegex(out, r"(?m)^  %d  " % status)

    def test_help_lines_fit_a_terminal(self):
        for command in COMMANDS:
            for line in self.run_program("help", command).out.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_options_stand_in_groups_of_short_entries(self):
        titles = ["common options:", "safety:", "speed and load:", "advanced:"]
        for command in COMMANDS + ["validate", "report"]:
            with self.subTest(command):
                lines = self.run_program("help", command).out.splitlines()
                shown = [line for line in lines if line in titles]
                self.assertEqual(shown, [title for title in titles if title in shown])
                self.assertEqual(shown[0], titles[0])
                entries = "\n".join(lines[lines.index(titles[0]):]).split("examples:")[0]
                for entry in re.split(r"(?m)^  (?=-)", entries)[1:]:
                    self.assertLessEqual(len(entry.rstrip().split("\n\n")[0].splitlines()), 2, entry)

    def test_every_error_code_is_explained(self):
        codes = error_codes()
        self.assertGreater(len(codes), 40)
        for code in codes:
            out = self.run_program("help", code).out
            self.assertIn("usual causes:", out, code)
            self.assertIn("what to do:", out, code)

    def test_help_wins_over_wrong_usage(self):
        result = self.run_program("migrate", "only-one-argument", "--help")
        self.assertIn("usage: transhume migrate", result.out)

    def test_version(self):
        result = self.run_program("version")
        self.assertRegex(result.out, r"\Atranshume \d+\.\d+\.\d+\nconnector contract \d+\n")
        self.assertEqual(self.run_program("--version").out, result.out)
        parsed = json.loads(self.run_program("version", "--json").out)
        for name, version in parsed["libraries"].items():
            self.assertRegex(version, r"\A\d+(\.\d+)+\Z", name)
            self.assertRegex(result.out, r"(?m)^%s +%s$" % (name, re.escape(version)))
        self.assertLessEqual({"sqlite", "openssl", "libcurl", "pg_query", "glibc"}, set(parsed["libraries"]))
        self.assertIn(parsed["version"], result.out)
        modules = {connector["name"]: connector["module"] for connector in parsed["connectors"]}
        self.assertEqual((modules["sqlite"], modules["postgres"], modules["mysql"]), (False, True, True))
        self.assertRegex(parsed["build"]["compiler"], r"\A(gcc|clang) \d+")
        self.assertEqual(parsed["build"]["c_standard"], 201710)

    def test_json_by_the_environment(self):
        """For every command, and for failures before there is one; others do not mind."""
        for word in ("true", "1", "YES"):
            self.assertEqual(json.loads(self.run_program("version", env={"TRANSHUME_JSON": word}).out)["format"], 1)
        for arguments in (("frobnicate",), ("migrate", "--no-such"), ("migrate", "none.db", "copy.db")):
            result = self.run_program(*arguments, code=2, env={"TRANSHUME_JSON": "true"})
            self.assertEqual(json.loads(result.out)["error"]["exit"], 2, arguments)
            self.assertEqual(self.run_program(*arguments, code=2, env={"TRANSHUME_JSON": "false"}).out, "")
        self.assertIn("usage:", self.run_program("help", "migrate", env={"TRANSHUME_JSON": "true"}).out)

    def test_commands_with_subcommands_name_them(self):
        for command in GROUPS:
            with self.subTest(command):
                self.assertIn("There are ", self.run_program(command, code=2).err)
                self.assertIn("status", self.run_program("help", command).out)
                self.assertIn("usage: transhume %s status" % command, self.run_program("help", command, "status").out)
        self.assertEqual(os.listdir(self.folder), [])


class Modules(support.TestCase):
    def test_what_a_killed_process_of_the_same_id_left(self):
        """libmongoc prints a line when it is loaded and finds it."""
        for _ in range(2):
            done = subprocess.run(["sh", "-c", 'touch /dev/shm/mongoc-$$; exec "$0" version --json', support.PROGRAM],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
            self.assertEqual(done.stderr, "")


class Pages(TestCase):
    """What is generated from the tables is as the program would write it now."""

    def generate(self, folder):
        # a Python that is chosen by a script costs more than what it writes
        path = os.path.dirname(os.path.realpath(sys.executable)) + os.pathsep + os.environ["PATH"]
        return subprocess.run([os.path.join(folder, "docs/generate"), "--check", PROGRAM],
                              env=dict(os.environ, PATH=path),
                              stderr=subprocess.PIPE, text=True, check=False)

    def test_generated_pages_are_fresh(self):
        result = self.generate(ROOT)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_stale_page_is_found(self):
        copy = self.path("copy")
        shutil.copytree(os.path.join(ROOT, "docs"), os.path.join(copy, "docs"))
        shutil.copytree(os.path.join(ROOT, "completion"), os.path.join(copy, "completion"))
        with open(os.path.join(copy, "docs/cli.md"), "a", encoding="utf-8") as file:
            file.write("edited by hand\n")
        with open(os.path.join(copy, "docs/types/sqlite.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("| INTEGER | int64 |", page)
        with open(os.path.join(copy, "docs/types/sqlite.md"), "w", encoding="utf-8") as file:
            file.write(page.replace("| INTEGER | int64 |", "| INTEGER | int32 |"))
        result = self.generate(copy)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "docs/cli.md is stale: docs/generate writes it\n"
                         "docs/types/sqlite.md is stale: docs/generate writes it\n")

    def test_the_plan_takes_every_option_that_the_pages_promise(self):
        with open(os.path.join(ROOT, "docs/cli.md"), encoding="utf-8") as file:
            promised = set(re.findall(r"(?m)^\| `.*\| (?:.*; )?plan: `(\w+)` \|$", file.read()))
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:a.db\ntarget: sqlite:b.db\n"
                                     "options: { nonsense: 1 }\n")
        result = self.run_program("check", code=2)
        known = set(re.search(r"known are: ([\w, ]+) \[", result.err).group(1).split(", "))
        # given by switches of the other sense
        self.assertEqual(known - promised, {"express", "hashes", "before_images"})
        self.assertEqual(promised - known, set())

    def test_troubleshooting_has_a_section_for_each_code(self):
        with open(os.path.join(ROOT, "docs/troubleshooting.md"), encoding="utf-8") as file:
            page = file.read()
        for code in error_codes():
            self.assertIn("\n### %s\n" % code, page)

    def test_man_page_renders_without_warnings(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        page = os.path.join(ROOT, "docs/man/transhume.1")
        result = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.stderr, "")
        text = re.sub(".\b|\x1b\\[[0-9;]*m", "", result.stdout)
        for word in ["NAME", "SYNOPSIS", "EXIT STATUS", "--chunk-rows", "transhume resume"]:
            self.assertIn(word, text)


class Completion(TestCase):
    def complete_bash(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  'compopt() { :; }; _transhume; printf "%s\\n" "${COMPREPLY[@]}"')
        result = subprocess.run(
            ["bash", "-c", script, "bash", os.path.join(ROOT, "completion/transhume.bash"),
             *words], stdout=subprocess.PIPE, check=True, text=True, cwd=self.folder)
        return result.stdout.split()

    def test_bash_parses_and_completes(self):
        script = os.path.join(ROOT, "completion/transhume.bash")
        subprocess.run(["bash", "-n", script], check=True)
        self.assertEqual(sorted(self.complete_bash("transhume", "res")), ["reset", "resume"])
        self.assertEqual(self.complete_bash("transhume", "check", "--sam"),
                         ["--sample", "--sample-rows", "--sample-seed"])
        self.assertEqual(self.complete_bash("transhume", "migrate", "--existing", "re"),
                         ["refuse", "replace"])
        self.assertEqual(self.complete_bash("transhume", "status", "--jo"), [])
        self.assertEqual(self.complete_bash("transhume", "--plan", "x", "mig"), ["migrate"])
        self.write("small.db", "")
        self.assertIn("--plan", self.complete_bash("transhume", "migrate", "--pl"))
        self.assertEqual(self.complete_bash(PROGRAM, "migrate", "sqli"), ["sqlite:"])
        self.assertEqual(self.complete_bash(PROGRAM, "help", "target-not-e"), ["target-not-empty"])
        self.write("c.yaml", "prod: sqlite:prod.db\npreview: sqlite:preview.db\ncopy: sqlite:copy.db\n")
        with mock.patch.dict(os.environ, TRANSHUME_CONNECTIONS=self.path("c.yaml")):
            self.assertEqual(self.complete_bash(PROGRAM, "migrate", "@", "pr"), ["prod", "preview"])
            self.assertEqual(self.complete_bash(PROGRAM, "migrate", "@pr"), ["prod", "preview"])
        small_source(self.folder)
        self.run_program("migrate", "small.db", "copy.db", "--state", "s")
        self.assertEqual(self.complete_bash(PROGRAM, "rollback", "--state", "s", "--run", ""), [self.run_id("s")])
        self.assertEqual(self.complete_bash("transhume", "migrate", "sma"), ["small.db"])
        self.assertEqual(self.complete_bash("transhume", "check", "--plan", "sma"), ["small.db"])

    def test_zsh_parses(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        subprocess.run(["zsh", "-n", os.path.join(ROOT, "completion/transhume.zsh")], check=True)

    def test_fish_parses(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        subprocess.run(["fish", "-n", os.path.join(ROOT, "completion/transhume.fish")],
                       check=True)


class Streams(TestCase):
    def test_results_on_stdout_the_rest_on_stderr(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--progress", "log")
        self.assertRegex(result.out, r"(?m)^t +3 +3 +0 +0 ")
        self.assertIn("done", result.out)
        self.assertNotIn("rejected", result.err.replace("0 rejected", ""))
        self.assertIn("copy", result.err + "copy")
        quiet = self.run_program("migrate", "small.db", "copy2.db", "--quiet", "--state", "s2")
        self.assertEqual(quiet.err, "")
        self.assertRegex(quiet.out, r"(?m)^t +3 +3 ")

    def test_json_of_a_run(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--json", "--progress", "none")
        report = json.loads(result.out)
        self.assertEqual(report["exit_status"], 0)
        self.assertEqual(report["snapshot"], "one")
        self.assertEqual([(e["entity"], e["read"], e["written"], e["rejected"], e["skipped"])
                          for e in report["entities"]], [("t", 3, 3, 0, 0)])
        self.assertEqual(result.err, "")

    def test_json_of_a_failure(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--json", "--progress", "none",
                                  code=3, env=FAILING)
        report = json.loads(result.out)
        self.assertEqual(report["exit_status"], 3)
        self.assertEqual((report["error"]["code"], report["error"]["exit"]), ("internal", 3))
        self.assertIn("`transhume resume` continues", report["error"]["hint"])
        self.assertIn("transhume resume", result.err)

    def assert_error(self, code, name, *arguments, says=""):
        result = self.run_program(*arguments, code=code)
        told = json.loads(result.out)["error"]
        self.assertEqual(set(told) - {"faults"}, {"code", "message", "object", "hint", "exit"})
        self.assertEqual((told["code"], told["exit"]), (name, code))
        self.assertIn(says, told["message"])
        self.assertIn("[%s]" % name, result.err)
        return told

    def test_json_of_a_wrong_call_or_source(self):
        small_source(self.folder)
        self.run_program("migrate", "--quiet", "small.db", "full.db")
        self.assert_error(2, "usage", "--json", says="no command")
        self.assert_error(2, "usage", "chek", "--json", says="there is no command chek")
        self.assert_error(2, "usage", "check", "--json", "--jsn", says="there is no option --jsn")
        self.assert_error(2, "usage", "rollback", "--json", says="needs --run ID")
        self.assert_error(2, "bad-value", "migrate", "--json", "--jobs", "many", "small.db", "copy.db")
        for command in ("check", "migrate", "validate"):
            told = self.assert_error(2, "source-missing", command, "--json", "none.db", "copy.db")
            self.assertEqual(told["object"], "none.db")
        self.assert_error(5, "target-not-empty", "migrate", "--json", "small.db", "full.db", "--state", "other",
                          says="there are records in it already")
        for command in ("resume", "report"):
            self.assert_error(2, "run-nothing", command, "--json", "--state", "nowhere")

    def test_json_of_faults_in_a_plan(self):
        small_source(self.folder)
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:small.db\ntarget: sqlite:copy.db\ntables:\n"
                   "  t: { entities: { t: { from: tt, fields: { \"*\": copy } } } }\n"
                   "  u: { entities: { u: { from: t, wher: \"1\", fields: { q: { column: nope } } } } }\n")
        told = self.assert_error(2, "plan-invalid", "check", "--json", says="3 faults in the plan")
        self.assertEqual(len(told["faults"]), 3)
        for text, fault in zip(("'wher' is no key", "no table 'tt'", "nope"), told["faults"]):
            self.assertIn(text, fault)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_no_object_among_records(self):
        result = self.run_program("migrate", "--json", "none.db", "jsonl:-", code=2)
        self.assertEqual(result.out, "")
        self.assertIn('{"format":1,"error":{"code":"source-missing"', result.err)

    def test_hints_name_the_state_folder(self):
        small_source(self.folder)
        for state, shown in (("a/b", "a/b"), ("it's here", "'it'\\''s here'")):
            with self.subTest(state=state):
                copy = "copy%d.db" % len(state)
                failed = self.run_program("migrate", "--state", state, "small.db", copy, code=3, env=FAILING)
                self.assertIn("`transhume resume --state %s` continues" % shown, failed.err)
                refused = self.run_program("migrate", "--state", state, "small.db", copy, code=5).err
                for command in ("resume", "rollback", "migrate"):
                    self.assertIn("`transhume %s --state %s" % (command, shown), refused)
                self.assertIn("`transhume resume --state %s` continues" % shown,
                              self.run_program("status", "--state", state).out)
                command = re.search("`(transhume resume [^`]*)`", refused).group(1)
                subprocess.run(["sh", "-c", command.replace("transhume", shlex.quote(PROGRAM), 1)], cwd=self.folder,
                               check=True, capture_output=True)
                self.assertIn("completed", self.run_program("status", "--state", state).out)

    def test_progress_json_is_one_object_a_line(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--progress", "json")
        objects = [json.loads(line) for line in result.err.splitlines()]
        self.assertGreaterEqual(len(objects), 1)
        last = objects[-1]
        self.assertEqual((last["phase"], last["written"], last["rejected"]), ("done", 3, 0))
        self.assertEqual([e["entity"] for e in last["entities"]], ["t"])

    def test_progress_log_ends_with_the_whole(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--progress", "log")
        self.assertRegex(result.err, r"(?m)^done: 100\.0% 3 of 3 records, ")

    def test_no_bars_in_a_pipe(self):
        small_source(self.folder)
        result = self.run_program("migrate", "small.db", "copy.db", "--progress", "bar")
        self.assertNotIn("\x1b", result.err + result.out)
        self.assertNotIn("\r", result.err + result.out)

    def test_a_reader_that_went_away(self):
        process = subprocess.Popen([PROGRAM, "help"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(), 0)

    def test_a_full_stdout_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, check=False)
        self.assertEqual(result.returncode, 3)
        self.assertIn("stdout", result.stderr)

    def test_color_only_when_wanted(self):
        for arguments, environment, wanted in [
                ([], {}, False),
                (["--color", "always"], {}, True),
                (["--color", "always"], {"NO_COLOR": "1"}, True),  # the flag was said on purpose
                (["--color", "never"], {"TRANSHUME_COLOR": "always"}, False),
                ([], {"TRANSHUME_COLOR": "always"}, True)]:
            out = self.run_program("connectors", *arguments, env=environment).out
            self.assertEqual("\x1b[" in out, wanted, (arguments, environment))


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *arguments, cwd, columns=100, rows=30, env=None):
        self.leader, follower = pty.openpty()
        self.resize(columns, rows)
        environment = dict({**os.environ, "TERM": "xterm-256color"}, **(env or {}))
        self.process = subprocess.Popen([PROGRAM, *arguments], cwd=cwd, env=environment,
                                        stdin=follower, stdout=follower, stderr=follower,
                                        start_new_session=True)
        os.close(follower)
        self.text = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, pattern, seconds=20):
        deadline = time.monotonic() + seconds * PATIENCE
        while not re.search(pattern, self.text):
            if not self.read_some(deadline):
                raise AssertionError("%r did not come; there was\n%r" % (pattern, self.text))

    def read_some(self, deadline):
        ready, _, _ = select.select([self.leader], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.leader, 65536)
        except OSError:  # what Linux says at the end of a terminal
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def type(self, text):
        os.write(self.leader, text.encode())

    def finish(self, seconds=30):
        deadline = time.monotonic() + seconds * PATIENCE
        while self.read_some(deadline):
            pass
        code = self.process.wait(timeout=seconds * PATIENCE)
        os.close(self.leader)
        return code


def screen(text, columns=100):
    """What a terminal shows after `text`: lines, with the few sequences that the bars use."""
    lines, row, column = [""], 0, 0
    at = 0
    while at < len(text):
        match = re.compile(r"\x1b\[(\d*)([A-Za-z])").match(text, at)
        if match:
            count, what = int(match.group(1) or 1), match.group(2)
            if what == "A":
                row = max(0, row - count)
            elif what == "J":
                lines[row] = lines[row][:column]
                del lines[row + 1:]
            elif what == "K":
                lines[row] = lines[row][:column]
            elif what == "H":
                row = column = 0
            elif what != "m":
                raise AssertionError("a sequence that was not expected: %r" % match.group(0))
            at = match.end()
            continue
        character = text[at]
        at += 1
        if character == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif character == "\r":
            column = 0
        else:
            if column >= columns:
                raise AssertionError("a line was wrapped: %r" % lines[row])
            lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1:]
            column += 1
    return [line.rstrip() for line in lines]


class Watch(TestCase):
    """`status --watch` on a terminal: one look over the other, none longer than the screen."""

    def test_looks_of_a_run_that_goes_on(self):
        with sqlite3.connect(self.path("many.db")) as db:
            for i in range(40):
                db.execute("CREATE TABLE %s%d (id INTEGER PRIMARY KEY, a TEXT)" % ("t" * (1 + i % 9), i))
                db.executemany("INSERT INTO %s%d VALUES (?, 'x')" % ("t" * (1 + i % 9), i), ((n,) for n in range(200)))
        db.close()
        run = support.start("migrate", "many.db", "copy.db", "--no-express", "--chunk-rows", "50", "--rows-per-second",
                            "2500", cwd=self.folder)
        while not os.path.exists(self.path(".transhume", "state.json")):
            time.sleep(0.01)
        terminal = Terminal("status", "--watch", cwd=self.folder, rows=24)
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(support.finish(run).code, 0)
        looks = terminal.text.split("\x1b[H")[1:]
        self.assertGreater(len(looks), 2)
        for look in looks:
            self.assertLessEqual(len(screen(look)), 24)
        self.assertIn("in progress", looks[1])
        last = screen(terminal.text)
        self.assertEqual(last, screen(looks[-1]), "something of an older look is left")
        self.assertIn("completed", "\n".join(last))


class Bars(TestCase):
    def setUp(self):
        super().setUp()
        musicshop(self.path("shop.db"))

    def slow_copy(self, rows_per_second, **options):
        return Terminal("migrate", "shop.db", "copy.db", "--no-express", "--chunk-rows", "200",
                        "--rows-per-second", str(rows_per_second), cwd=self.folder, **options)

    def test_bars_leave_a_clean_screen(self):
        terminal = self.slow_copy(12000)
        self.assertEqual(terminal.finish(), 0, terminal.text)
        self.assertIn("━", terminal.text)
        shown = screen(terminal.text)
        self.assertRegex(shown[0], r"^from shop\.db to copy\.db: 11 tables; \d+ readers?, 1 writers?$")
        self.assertRegex(shown[1], r"^exactly once; tables that hold records: refuse$")
        self.assertRegex(shown[2], r"^done +━+ +100\.0% ")
        self.assertRegex(shown[3], r"^entity +read +written")
        self.assertEqual(sum("100.0%" in line for line in shown), 1)

    def test_what_was_decided_is_three_lines(self):
        """Above the bars, and only for who looks: cut at the terminal's edge."""
        self.write("p.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\nafter: 'SELECT 1'\n"
                   "mask: { columns: { \"Artist.Name\": redact } }\n")
        terminal = Terminal("migrate", "--plan", "p.yaml", "--sample-rows", "50", cwd=self.folder, columns=60, rows=60)
        self.assertEqual(terminal.finish(), 0, terminal.text)
        shown = screen(terminal.text, 60)
        self.assertRegex(shown[0], r"^from sqlite:shop\.db to ")
        self.assertEqual(shown[2], "50 rows of each table, and those that they refer to; val...")
        self.assertRegex(shown[3], r"^done ")
        self.assertEqual(self.run_program("migrate", "--plan", "p.yaml", "sqlite:shop.db", "sqlite:two.db", "--state",
                                          "two", "--quiet").err, "")

    def test_help_and_lists_keep_to_the_terminal(self):
        self.write("c.yaml", "prod: postgres://app@db.example.org/shop?sslmode=verify-full\ncopy: sqlite:copy.db\n")
        for columns in (60, 80):
            for arguments in (["help"], ["help", "migrate"], ["help", "schema"], ["help", "target-not-empty"],
                              ["connectors"], ["connectors", "postgres"],
                              ["connections", "--connections", "c.yaml"], ["check", "shop.db", "copy.db"]):
                with self.subTest(columns=columns, arguments=arguments):
                    terminal = Terminal(*arguments, cwd=self.folder, columns=columns, rows=500)
                    self.assertEqual(terminal.finish(), 0, terminal.text)
                    text = re.sub(r"\x1b\[\d*m", "", terminal.text).replace("\r", "")
                    text = text.split("examples:")[0]   # what is typed stays whole
                    self.assertEqual([line for line in text.split("\n") if len(line) > columns], [])

    def test_a_resize_is_no_more_than_another_width(self):
        terminal = self.slow_copy(6000, columns=120)
        terminal.read_until("copy .*━")
        for columns in (30, 200, 61, 10, 100):
            terminal.resize(columns, 20)
            time.sleep(0.25)
        self.assertEqual(terminal.finish(), 0, terminal.text)

    def test_ctrl_c_ends_below_the_bars(self):
        terminal = self.slow_copy(2000)
        terminal.read_until("copy .*━")
        time.sleep(0.5)
        os.killpg(terminal.process.pid, signal.SIGINT)
        self.assertEqual(terminal.finish(), 4, terminal.text)
        shown = screen(terminal.text)
        self.assertIn("`transhume resume` continues.", shown[-2])
        self.assertEqual(shown[-1], "")
        self.assertNotIn("\x1b[?", terminal.text)  # no setting of the terminal was changed
        result = self.run_program("resume")
        self.assertRegex(result.out, r"(?m)^total ")

    def test_a_second_ctrl_c_is_told_of(self):
        terminal = self.slow_copy(300)
        terminal.read_until("copy .*━")
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.read_until(r"finishing the chunks in progress \(Ctrl-C again: at once\)")
        self.assertEqual(terminal.finish(), 4, terminal.text)

    def test_what_does_not_fit_is_left_out_whole(self):
        """The bar gives way first; no number is cut in two."""
        whole = re.compile(r"copy|━+|\d+\.\d%|[\d,]+ / 15,861|[\d,]+/s|[\d hms.]+ left|[\d.]+ [KM]iB|source asks "
                           r".*|finishing .*")
        for columns in (80, 66, 50, 34):
            with self.subTest(columns=columns):
                terminal = self.slow_copy(8000, columns=columns)
                self.assertEqual(terminal.finish(), 0, terminal.text)
                heads = [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[\d*[A-Za-z]", "", terminal.text))
                         if line.startswith("copy ")]
                self.assertGreater(len(heads), 2)
                for line in heads:
                    for part in re.split(r"  +", line.strip()):
                        self.assertRegex(part, r"\A(%s)\Z" % whole.pattern, line)
                    self.assertLess(len(line), columns)
                self.assertTrue(any(" / 15,861" in line for line in heads))
                os.rename(self.path("copy.db"), self.path("%d.db" % columns))
                shutil.rmtree(self.path(".transhume"))

    def test_no_color_and_ascii(self):
        terminal = self.slow_copy(12000, env={"NO_COLOR": "1", "LC_ALL": "C"})
        self.assertEqual(terminal.finish(), 0, terminal.text)
        self.assertIn("####", terminal.text)
        self.assertNotIn("━", terminal.text)
        self.assertIsNone(re.search(r"\x1b\[\d*m", terminal.text))

    def test_a_dumb_terminal_gets_lines(self):
        terminal = Terminal("migrate", "shop.db", "copy.db", cwd=self.folder,
                            env={"TERM": "dumb"})
        self.assertEqual(terminal.finish(), 0, terminal.text)
        self.assertNotIn("\x1b", terminal.text)
        self.assertIn("done: 100.0%", terminal.text)


class Questions(TestCase):
    """What may do harm is asked on a terminal, with the reason, and done when that is wanted."""

    def setUp(self):
        super().setUp()
        small_source(self.folder)

    def ask_to_finish(self, answer):
        terminal = Terminal("finish", "--state", "s", "copy.db", cwd=self.folder)
        terminal.read_until("Type yes to continue: ")
        terminal.type(answer)
        return terminal.finish(), " ".join(terminal.text.split())

    def test_finish_says_why_it_asks(self):
        for code, why in ((3, "is not finished and could not be resumed any more"),
                          (0, "was not validated without a difference")):
            with self.subTest(why=why):
                self.run_program("migrate", "--state", "s", "small.db", "copy.db", code=code,
                                 env=FAILING if code else {})
                run = json.loads(self.run_program("status", "--state", "s", "--json").out)["run"]
                refused, text = self.ask_to_finish("no\n")
                self.assertEqual(refused, 5)
                self.assertRegex(text, "run %s %s.*Nothing can be resumed or rolled back after this. Type yes" % (run,
                    why))
                finished, text = self.ask_to_finish("yes\n")
                self.assertEqual(finished, 0, text)
                self.assertIn("dropped the ledger", text)
                os.unlink(self.path("copy.db"))
                shutil.rmtree(self.path("s"))


class Choices(TestCase):
    """Flag over environment over plan over default; which plan is meant."""

    PLAN = ("transhume: 1\nsource: sqlite:small.db\ntarget: sqlite:%s\n"
            "options: { max_rejects: 7, %s }\n"
            "tables: { t: { key: [id], entities: { t: { from: t, fields: { '*': copy } } } } }\n")

    def setUp(self):
        super().setUp()
        small_source(self.folder)

    def test_environment_is_checked_like_a_flag(self):
        result = self.run_program("migrate", "small.db", "copy.db", code=2,
                                  env={"TRANSHUME_JOBS": "many"})
        self.assertIn("TRANSHUME_JOBS: 'many' is not", result.err)
        self.run_program("migrate", "small.db", "copy.db", "--jobs", "2",
                         env={"TRANSHUME_JOBS": "many"})  # the flag wins, the variable is not read

    def test_a_mistyped_variable_is_told(self):
        result = self.run_program("connectors", env={"TRANSHUME_JOB": "2"})
        self.assertIn("did you mean TRANSHUME_JOBS?", result.err)

    def test_the_plan_s_options_are_checked(self):
        self.write("transhume.yaml", self.PLAN % ("copy.db", "jobs: 0"))
        result = self.run_program("check", code=2)
        self.assertIn("jobs", result.err)
        self.write("transhume.yaml", self.PLAN % ("copy.db", "jobs: 3"))
        self.run_program("check", env={"TRANSHUME_JOBS": "2"})

    def test_src_and_dst_without_plan_are_a_plain_copy(self):
        self.write("transhume.yaml", self.PLAN % ("planned.db", "jobs: 1"))
        result = self.run_program("migrate", "small.db", "plain.db")
        self.assertIn("transhume.yaml is not used", result.err)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         [".transhume", "plain.db", "small.db", "transhume.yaml"])

    def test_src_and_dst_replace_a_plan_s_endpoints(self):
        self.write("transhume.yaml", self.PLAN % ("planned.db", "jobs: 1"))
        self.run_program("migrate", "--plan", "transhume.yaml", "small.db", "other.db")
        self.assertTrue(os.path.exists(self.path("other.db")))
        self.assertFalse(os.path.exists(self.path("planned.db")))

    def test_the_state_lies_beside_the_plan(self):
        os.mkdir(self.path("plans"))
        self.write("plans/one.yaml", self.PLAN % ("copy.db", "jobs: 1"))
        self.run_program("migrate", "--plan", "plans/one.yaml")
        self.assertTrue(os.path.isdir(self.path("plans/.transhume")))
        status = json.loads(self.run_program("status", "--plan", "plans/one.yaml", "--json").out)
        self.assertEqual(status["status"], "completed")
        self.assertEqual(json.loads(self.run_program("status", "--json").out)["status"],
                         "not_started")

    def test_a_plain_copy_is_resumed_without_naming_it(self):
        self.run_program("migrate", "small.db", "copy.db", code=3, env=FAILING)
        self.write("transhume.yaml", self.PLAN % ("planned.db", "jobs: 1"))
        self.run_program("resume")
        self.assert_same_sqlite(self.path("small.db"), self.path("copy.db"))
        self.assertFalse(os.path.exists(self.path("planned.db")))


class Lists(TestCase):
    def test_connectors(self):
        out = self.run_program("connectors").out
        listed = json.loads(self.run_program("connectors", "--json").out)["connectors"]
        names = [connector["name"] for connector in listed]
        self.assertIn("sqlite", names)
        self.assertIn("dynamodb-json", names)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)
        for connector in listed:
            self.assertRegex(out, r"(?m)^%s " % connector["name"])
            text = self.run_program("connectors", connector["name"]).out
            single = json.loads(self.run_program("connectors", connector["name"], "--json").out)
            self.assertEqual(single, connector)
            self.assertGreater(len(connector["types"]), 0, connector["name"])
            for option in connector["options"]:
                self.assertIn(option["name"], text)

    def test_failpoints(self):
        names = self.run_program("failpoints").out.split()
        listed = json.loads(self.run_program("failpoints", "--json").out)["failpoints"]
        self.assertEqual(names, [failpoint["name"] for failpoint in listed])
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("engine.before_commit", names)
        self.assertIn("sqlite", {failpoint["of"] for failpoint in listed})

    def test_check_json_with_samples(self):
        small_source(self.folder)
        report = json.loads(self.run_program("check", "small.db", "copy.db", "--json", "--sample",
                                             "2").out)
        self.assertEqual(report["exit_status"], 0)
        self.assertEqual(report["guarantee"], "exactly once")
        self.assertEqual([(e["entity"], e["records"]) for e in report["entities"]], [("t", 3)])
        self.assertEqual(len(report["samples"]), 2)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_check_is_changed_by_nothing(self):
        small_source(self.folder)
        before = sorted(os.listdir(self.folder))
        out = self.run_program("check", "small.db", "copy.db").out
        self.assertIn("ready to migrate", out)
        dry = self.run_program("migrate", "small.db", "copy.db", "--dry-run").out
        self.assertIn("nothing was changed", dry)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_a_refusal_is_foretold(self):
        small_source(self.folder)
        shutil.copy(self.path("small.db"), self.path("full.db"))
        for command in (["check"], ["migrate", "--dry-run"], ["migrate"]):
            result = self.run_program(*command, "small.db", "full.db", code=5)
            self.assertIn("[target-not-empty]" if command == ["migrate"] else "exit status 5",
                          result.out + result.err)

    def test_status_and_reset_without_a_run(self):
        result = self.run_program("status")
        self.assertIn("there is no run", result.out)
        self.assertEqual(json.loads(self.run_program("status", "--json").out),
                         {"format": 1, "status": "not_started"})
        self.run_program("status", "--watch")
        self.run_program("reset", code=2)
        self.run_program("reset", "--confirm")

    def test_watch_ends_with_the_run(self):
        small_source(self.folder)
        self.run_program("migrate", "small.db", "copy.db")
        self.assertIn("completed", self.run_program("status", "--watch").out)

    def test_an_odd_state_is_shown_or_refused(self):
        os.mkdir(self.path(".transhume"), 0o700)
        for text, code in [('{"format":1}', 0), ('{"format":1,"tables":[1],"errors":{}}', 0),
                           ('{"format":1,"tables":{"a\\u001b[2J":{"entities":{"b":7}}}}', 0),
                           ('{"format":1,"status":"in_progress","started_at":"9999"}', 0),
                           ("{", 5), ("", 5), ("[]", 5), ('{"format":99}', 5)]:
            self.write(".transhume/state.json", text)
            result = self.run_program("status", code=code)
            self.assertNotIn("\x1b", result.out + result.err)


if __name__ == "__main__":
    unittest.main()
