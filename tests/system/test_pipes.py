"""Standard input as a source and standard output as a target, as other programs see them."""
import csv
import io
import json
import os
import select
import shutil
import signal
import subprocess
import unittest

import support

ROWS = 500
TARGETS = ("jsonl:-", "csv:-")


class PipesTestCase(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), """PRAGMA journal_mode = WAL;
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO things SELECT i, 'v "' || i FROM n;""" % ROWS)

    def parse(self, target, text):
        if target.startswith("jsonl"):
            return [(row["id"], row["v"]) for row in map(json.loads, text.splitlines())]
        rows = list(csv.DictReader(io.StringIO(text)))
        return [(int(row["id"]), row["v"]) for row in rows]

    def expected(self, last=ROWS):
        return [(i, 'v "%d' % i) for i in range(1, last + 1)]

    def feed(self, data, *arguments, env=None):
        """Runs the program with bytes on its standard input."""
        process = subprocess.run([support.PROGRAM, *arguments], cwd=self.folder, input=data, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=60 * support.PATIENCE,
                                 env=support.environment_with(env))
        return support.Result(process.returncode, process.stdout.decode(), process.stderr.decode(), 0)


class Output(PipesTestCase):
    def test_only_records_are_there(self):
        for target in TARGETS:
            for progress in ("log", "json", "none"):
                with self.subTest(target=target, progress=progress):
                    result = self.run_program("migrate", "--progress", progress, "--chunk-rows", "100", "source.db",
                                              target)
                    self.assertEqual(sorted(self.parse(target, result.out)), self.expected())
                    self.assertIn("at least once", result.err)
                    self.assertNotIn("exactly once", result.err)
                    self.assertIn("things", result.err)  # the end table is not among the records

    def test_check_says_what_cannot_be(self):
        for target in TARGETS:
            report = json.loads(self.run_program("check", "--json", "source.db", target).out)
            self.assertEqual(report["guarantee"], "at least once")
            self.assertTrue(any("can't be resumed" in note for note in report["notes"]), report["notes"])

    def test_what_breaks_off_cannot_be_resumed_and_says_so(self):
        for number, target in enumerate(TARGETS):
            with self.subTest(target=target):
                state = ["--state", "s%d" % number]
                result = self.run_program("migrate", *state, "--chunk-rows", "100", "--jobs", "1", "source.db", target,
                                          code=3,
                                          env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:3"})
                self.assertEqual(self.parse(target, result.out), self.expected(200))
                self.assertIn("can't be resumed", result.err)
                self.assertNotIn("transhume resume", result.err)
                status = self.run_program("status", *state)
                self.assertIn("`transhume migrate --state s%d` writes all of it again" % number, status.out)
                resumed = self.run_program("resume", *state, "source.db", target, code=5)
                self.assertIn("no run into it can be resumed", resumed.err)
                self.assertEqual(resumed.out, "")
                again = self.run_program("migrate", *state, "source.db", target)
                self.assertEqual(sorted(self.parse(target, again.out)), self.expected())

    def test_cannot_be_read_again(self):
        """
        Nothing of it is compared, repaired or rolled back, and no report advises so; put into a folder, it can be.
        """
        for number, target in enumerate(TARGETS):
            state = ["--state", "s%d" % number]
            lines = self.run_program("migrate", *state, "source.db", target).out
            run = json.loads(self.read("s%d" % number, "state.json"))["run"]
            before = self.known("s%d" % number)
            commands = [["validate", *state]]
            commands += [["validate", "--level", level, *state, "source.db", target]
                         for level in ("count", "sample", "hash", "full")]
            commands += [["validate", "--repair", *more, *state, "source.db", target]
                         for more in ([], ["--level", "full"], ["--json"], ["--delete-extra", "--confirm"])]
            for command in commands:
                with self.subTest(command=command):
                    result = self.feed(lines.encode(), *command)
                    self.assert_code(result, 2)
                    self.assertEqual(result.out, "")
                    self.assertIn("%s: what went to standard output can't be read again" % target, result.err)
                    self.assertIn("validate --state s%d SOURCE %s:DIR" % (number, target[:-2]), result.err)
                    self.assertEqual(len(result.err.splitlines()), 3 if "--json" in command else 2, result.err)
            for more in ("--dry-run", "--confirm"):
                with self.subTest(target=target, rollback=more):
                    result = self.run_program("rollback", *state, "--run", run, more, code=5)
                    self.assertEqual((result.out, len(result.err.splitlines())), ("", 2))
                    self.assertIn("%s: what went to standard output cannot be rolled back" % target, result.err)
            self.assertIn("there is no ledger", self.run_program("finish", *state).out)
            self.assertIn("completed", self.run_program("status", *state).out)
            self.run_program("report", *state)
            self.assertEqual(self.known("s%d" % number), before)
            self.assert_report_does_not_advise("s%d" % number)
            suffix = target[:-2]
            os.mkdir(self.path("d%d" % number))
            self.write(os.path.join("d%d" % number, "things." + suffix), lines)
            validated = json.loads(self.run_program("validate", "--state", "v%d" % number, "--json", "source.db",
                                                    "%s:d%d" % (suffix, number)).out)
            self.assertEqual((validated["ok"], validated["entities"][0]["target"]), (True, ROWS))

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def known(self, folder):
        return {name: self.read(folder, name) for name in ("state.json", "run.json", "chunks.jsonl")}

    def assert_report_does_not_advise(self, folder):
        self.assertEqual(len(json.loads(self.read(folder, "report.json"))["next"]), 1)
        for name in ("report.json", "report.md", "report.html"):
            text = self.read(folder, name)
            for word in ("transhume validate", "transhume rollback", "transhume finish"):
                self.assertNotIn(word, text, name)
            self.assertIn("DIR", text, name)

    def test_a_folder_of_that_name(self):
        """`./-` and `-/` are folders: no figures are lost among records, and they can be validated."""
        for target in ("jsonl:./-", "jsonl:-/"):
            with self.subTest(target=target):
                state = ["--state", target[-2:].replace("/", "s")]
                result = self.run_program("migrate", *state, "source.db", target)
                self.assertIn("exactly once", result.out)  # the end table
                self.assertTrue(os.path.isdir(self.path("-", "things")))
                self.run_program("validate", *state)
                shutil.rmtree(self.path("-"))

    @unittest.skipIf(support.UNDER_VALGRIND, "valgrind's log takes the closed stream's number")
    def test_a_closed_stream_is_no_file(self):
        """What a closed standard output would get must not go into the file that is opened next."""
        for target in TARGETS:
            result = self.closed(">&-", "migrate", "source.db", target)
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn(b"Bad file descriptor", result.stderr)
        result = self.closed("<&-", "migrate", "jsonl:-", "sqlite:out.db")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn(b"Bad file descriptor", result.stderr)
        self.closed("<&- >&- 2>&-", "migrate", "--state", "silent", "source.db", "jsonl:out")
        text = ""
        for name in sorted(os.listdir(self.path("out", "things"))):
            with open(self.path("out", "things", name), encoding="utf-8") as file:
                text += file.read()
        self.assertEqual(self.parse("jsonl", text), self.expected())

    def closed(self, redirections, *arguments):
        """Runs the program with standard streams closed."""
        return subprocess.run(["sh", "-c", '"$@" ' + redirections, "sh", support.PROGRAM, *arguments], cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60 * support.PATIENCE)

    def test_interrupted(self):
        process = support.start("migrate", "--jobs", "1", "--chunk-rows", "50", "--rows-per-second", "100", "source.db",
                                "jsonl:-", cwd=self.folder)
        self.addCleanup(process.kill)
        ready, _, _ = select.select([process.stdout], [], [], 30 * support.PATIENCE)
        self.assertTrue(ready, "nothing came out")
        begun = os.read(process.stdout.fileno(), 1000).decode()
        process.send_signal(signal.SIGTERM)
        result = support.finish(process)
        self.assert_code(result, 4)
        rows = self.parse("jsonl:-", begun + result.out)
        self.assertTrue(rows and rows == self.expected(len(rows)), "not whole chunks in order")
        self.assertIn("can't be resumed", result.err)

    def test_nobody_reads_on(self):
        reader, writer = os.pipe()
        process = subprocess.Popen([support.PROGRAM, "migrate", "--chunk-rows", "10", "--rows-per-second", "200",
                                    "source.db", "jsonl:-"],
                                   cwd=self.folder, stdout=writer, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        os.close(writer)
        self.assertTrue(os.read(reader, 10))
        os.close(reader)
        _, err = process.communicate(timeout=60 * support.PATIENCE)
        self.assertEqual(process.returncode, 3, err)
        self.assertIn(b"pipe", err.lower())


class Input(PipesTestCase):
    def setUp(self):
        super().setUp()
        self.lines = "".join(json.dumps({"id": i, "v": "x%d" % i}) + "\n" for i in range(1, ROWS + 1)).encode()

    def rows(self):
        db = support.open_sqlite(self.path("copy.db"))
        self.addCleanup(db.close)
        return [(key, value.decode()) for key, value in db.execute("SELECT id, v FROM stdin ORDER BY id")]

    def test_killed_and_resumed(self):
        for number, (data, letter, code) in enumerate(((self.lines, "x", 0), (self.lines.replace(b"x", b"y"), "y", 1))):
            # Other bytes are a source that changed: it has no key, so that it starts over, and that is said.
            with self.subTest(code=code):
                arguments = ["--state", "s%d" % number, "--chunk-rows", "100", "--jobs", "1", "jsonl:-", "copy.db"]
                killed = self.feed(self.lines, "migrate", *arguments,
                                   env={"TRANSHUME_FAILPOINT": "engine.after_commit:kill:2"})
                self.assertEqual(killed.code, -signal.SIGKILL)
                self.assertTrue(0 < len(self.rows()) < ROWS)
                result = self.feed(data, "resume", *arguments)
                self.assertEqual(result.code, code, result.err)
                self.assertEqual(self.rows(), [(i, "%s%d" % (letter, i)) for i in range(1, ROWS + 1)])
                os.remove(self.path("copy.db"))

    def test_from_pipe_to_pipe(self):
        result = self.feed(self.lines, "migrate", "--jobs", "1", "jsonl:-", "csv:-")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.parse("csv:-", result.out), [(i, "x%d" % i) for i in range(1, ROWS + 1)])


if __name__ == "__main__":
    unittest.main()
