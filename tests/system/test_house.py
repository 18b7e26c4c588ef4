"""The project's own checks, runner and sample generator do what they say."""
import ast
import collections
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest

import support

TESTS = os.path.join(support.ROOT, "tests")


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, **options)


def twice_defined(place):
    """Names of the functions and classes that a class or a module defines more than once."""
    if not isinstance(place, (ast.Module, ast.ClassDef)):
        return []
    names = [node.name for node in place.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and
             not any(isinstance(mark, ast.Attribute) and mark.attr in ("setter", "deleter")
                     for mark in node.decorator_list)]
    return sorted(name for name, count in collections.Counter(names).items() if count > 1)


class TreeTestCase(support.TestCase):
    def tree(self, files):
        for name, text in files.items():
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            self.write(name, text)

    def findings(self, check):
        result = run(sys.executable, os.path.join(TESTS, check), self.folder)
        return result.returncode, result.stdout


class Scripts(support.TestCase):
    def test_all_of_them_parse(self):
        checked = 0
        for top in ("tools", "tests", "bench", "docs", ".ci"):
            for folder, _, names in os.walk(os.path.join(support.ROOT, top)):
                for name in names:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as file:
                        first = file.readline(80)
                    if first.startswith(b"#!") and b"bash" in first:
                        result = run("bash", "-n", path)
                        self.assertEqual((result.returncode, result.stderr), (0, ""), path)
                        checked += 1
        self.assertGreater(checked, 5)

    def test_no_two_of_one_name(self):
        """The second of two definitions in one place takes the first one's, which then never runs."""
        checked = 0
        for folder, _, names in os.walk(TESTS):
            for name in names:
                if name.endswith(".py"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        tree = ast.parse(file.read())
                    checked += 1
                    for place in ast.walk(tree):
                        self.assertEqual(twice_defined(place), [], "%s: %s" % (name, getattr(place, "name", "")))
        self.assertGreater(checked, 100)

    def test_that_check_finds_them(self):
        tree = ast.parse("class A:\n def test_a(self): pass\n x = 1\n def test_a(self): pass\n"
                         " @property\n def p(self): pass\n @p.setter\n def p(self, v): pass\n")
        self.assertEqual([twice_defined(place) for place in ast.walk(tree) if isinstance(place, ast.ClassDef)],
                         [["test_a"]])

    def test_the_needs_are_a_list(self):
        """Whatever is missing here, each line is a group, a package, a sign and a reason."""
        result = run(os.path.join(support.ROOT, "tools", "deps"), "check", "build", "test", "lint")
        self.assertIn(result.returncode, (0, 1), result.stderr)
        self.assertNotIn("command not found", result.stderr)
        with open(os.path.join(support.ROOT, "tools", "deps"), encoding="utf-8") as file:
            needs = file.read().split("needs='\n")[1].split("\n'\n")[0].split("\n")
        for line in needs:
            self.assertEqual(line.count("|"), 3, line)
            self.assertNotIn("'", line)
        libraries = collections.defaultdict(list)  # files that nobody may execute
        for group, package, sign, _ in (line.split("|") for line in needs):
            if sign.startswith("file:"):
                libraries[group].append((package, sign[5:]))
        for group, packages in libraries.items():
            named = run(os.path.join(support.ROOT, "tools", "deps"), "check", group)
            for package, path in packages:
                self.assertEqual(package in named.stdout + named.stderr, not os.path.exists(path), package)


class Layers(TreeTestCase):
    HEADERS = {"src/%s/x.h" % layer: "" for layer in ("base", "model", "plan", "engine", "cli")}
    HEADERS.update({"src/connectors/contract/connector.h": "", "src/connectors/one/own.h": "",
                    "src/connectors/two/own.h": "", "src/connectors/folder/shared.h": "",
                    "src/connectors/one/copy/inner.h": "", "src/cli/design/y.h": "",
                    "src/design/design.h": "", "src/design/room/own.h": "", "src/evolve/evolve.h": ""})

    def check(self, file, include):
        self.tree({**self.HEADERS, file: '#include "%s"\n' % include})
        return self.findings("layers")

    def test_downwards_is_allowed(self):
        for file, include in (("src/engine/a.c", "plan/x.h"), ("src/plan/a.c", "base/x.h"),
                              ("src/cli/a.c", "engine/x.h"), ("src/plan/b.c", "x.h"),
                              ("src/connectors/one/a.c", "connectors/contract/connector.h"),
                              ("src/connectors/one/b.c", "own.h"),
                              ("src/connectors/one/c.c", "connectors/folder/shared.h"),
                              ("src/connectors/one/one.c", "connectors/one/copy/inner.h"),
                              ("src/connectors/one/copy/a.c", "connectors/one/own.h"),
                              ("src/connectors/one/copy/b.c", "connectors/one/copy/inner.h"),
                              ("src/connectors/one/undo/a.c", "connectors/one/copy/inner.h"),
                              ("src/cli/design/a.c", "design/design.h"),
                              ("src/design/a.c", "design/room/own.h"),
                              ("src/design/b.c", "plan/x.h"),
                              ("tests/unit/design/test_a.c", "design/room/own.h"),
                              ("tests/unit/test_a.c", "connectors/one/own.h"),
                              ("tests/connector_toy/a.c", "connectors/contract/connector.h")):
            self.assertEqual(self.check(file, include), (0, ""))

    def test_each_wrong_way_is_found(self):
        for file, include in (("src/base/a.c", "model/x.h"), ("src/plan/a.c", "engine/x.h"),
                              ("src/connectors/one/a.c", "plan/x.h"),
                              ("src/connectors/one/a.c", "connectors/two/own.h"),
                              ("src/connectors/one/a.c", "../two/own.h"),
                              ("src/connectors/one/a.c", "connectors/one/copy/inner.h"),
                              ("src/connectors/one/follow/a.c", "connectors/one/copy/inner.h"),
                              ("src/connectors/folder/a.c", "connectors/one/own.h"),
                              ("src/engine/b.c", "connectors/folder/shared.h"),
                              ("src/connectors/common/registry.c", "connectors/one/own.h"),
                              ("src/engine/a.c", "connectors/one/own.h"),
                              ("src/cli/a.c", "plan/no_such.h"),
                              ("src/cli/b.c", "design/design.h"),
                              ("src/cli/c.c", "cli/design/y.h"),
                              ("src/cli/design/a.c", "design/room/own.h"),
                              ("src/cli/design/b.c", "evolve/evolve.h"),
                              ("src/design/a.c", "evolve/evolve.h"),
                              ("src/engine/c.c", "design/design.h"),
                              ("src/cli/a.c", "../base/x.h"),
                              ("src/elsewhere/a.c", "base/x.h"),
                              ("tests/connector_toy/a.c", "engine/x.h"),
                              ("tests/contract/a.c", "connectors/one/own.h")):
            with self.subTest(file=file, include=include):
                code, out = self.check(file, include)
                self.assertEqual(code, 1)
                self.assertIn(file, out)
                os.unlink(self.path(file))


class Names(TreeTestCase):
    def check(self, file, code):
        self.tree({file: code})
        return self.findings("names")

    def test_one_bare_verb_is_no_name(self):
        code, out = self.check("src/base/a.c", "/* A file. */\n\nstatic int ask(void)\n{\n    return 1;\n}\n")
        self.assertEqual(code, 1)
        self.assertIn("src/base/a.c:3: ask", out)

    def test_an_object_is(self):
        code, out = self.check("src/base/a.c", "static int undo_query(void);\nstatic bool is_there(void);\n")
        self.assertEqual((code, out.strip()), (0, ""))

    def test_file_names_say_what_they_hold(self):
        code, out = self.check("src/base/pile.c", "")
        self.assertEqual(code, 1)
        self.assertIn("src/base/pile.c: ", out)

    def test_lines_of_tests_end_in_the_window(self):
        wide = "x = %s\n" % ("1" * 120)
        for file, code, number in (("tests/system/test_a.py", wide, 1), ("tests/unit/test_a.c", "\n" + wide, 2),
                                   ("tests/go", "#!/usr/bin/python3\n" + wide, 2)):
            with self.subTest(file=file):
                self.assertEqual(self.check(file, code), (1, "%s:%d: more than 120 columns\n" % (file, number)))
                os.unlink(self.path(file))

    def test_data_in_a_string_of_several_lines_may_be_wide(self):
        self.assertEqual(self.check("tests/system/test_a.py", 'x = """\n%s\n"""\n' % ("1" * 200))[0], 0)
        self.assertEqual(self.check("tests/data/a.py", "x = %s\n" % ("1" * 200))[0], 0)


class Banned(TreeTestCase):
    def check(self, code):
        self.tree({"src/base/a.c": code})
        return self.findings("banned")

    def test_banned_calls_are_found_where_they_are(self):
        for call in ("strcpy(a, b)", "strcat(a, b)", "sprintf(a, b)", "strtok(a, b)", "atoi(a)",
                     "gmtime(a)", "localtime (a)", "malloc(n * 8)", "malloc(n * sizeof(struct x))",
                     "malloc(sizeof *p * n)", "realloc(p, n * size)", "calloc(1, n * size)",
                     "malloc(2 * Room)"):
            with self.subTest(call=call):
                code, out = self.check("/* text\n */\nx = %s;\n" % call)
                self.assertEqual(code, 1)
                self.assertIn("src/base/a.c:3: ", out)

    def test_good_code_passes(self):
        for good in ("gmtime_r(a, b);", "my_sprintf(a);", "snprintf(a, 1, b);", "/* strcpy(a) */",
                     '"strcpy(a, b)";', "// atoi(x)", "calloc(n, sizeof *p);", "malloc(sizeof *p);",
                     "malloc(sizeof(struct x *));", "reallocarray(p, n, sizeof *p);",
                     "malloc(16 * 1024);", "malloc(2u * (ROWS_MAX + 1) * 0x10);",
                     "realloc(*p, size);", "malloc(strlen(*text) + 1);",
                     "char c = '\"'; malloc(n); /* a * b */"):
            with self.subTest(good=good):
                self.assertEqual(self.check(good + "\n"), (0, ""))

    def test_long_function_is_only_a_warning(self):
        code, out = self.check("int f(void)\n{\n%s}\n" % ("    g();\n" * 200))
        self.assertEqual(code, 0)
        self.assertIn("warning: a function of 202 lines: int f(void)", out)


class Templates(TreeTestCase):
    def check(self, code):
        self.tree({"src/connectors/postgres/a.c": code})
        return self.findings("templates")

    def test_a_text_of_somebody_else_is_no_template(self):
        for bad in ("postgres_append(sql, text);", "postgres_sql(buffer_string(&text), a)",
                    'postgres_append(sql, there ? "%n" : text, a);'):
            with self.subTest(bad=bad):
                code, out = self.check("static void f(void)\n{\n    %s\n}\n" % bad)
                self.assertEqual(code, 1)
                self.assertIn("src/connectors/postgres/a.c:3: the template is not a literal", out)

    def test_holes_have_their_arguments(self):
        for bad in ('postgres_append(sql, "%n");', 'postgres_append(sql, "%n %t", a, b);',
                    'postgres_append(sql, "100%%", a);', 'postgres_append(sql, "%y", a);',
                    'mysql_sql("%n" "%n", f(a, b));'):
            with self.subTest(bad=bad):
                code, out = self.check("static void f(void)\n{\n    %s\n}\n" % bad)
                self.assertEqual(code, 1)
                self.assertIn("src/connectors/postgres/a.c:3: ", out)

    def test_good_templates_pass(self):
        for good in ('postgres_append(sql, "%n %t 100%%", a, self, b);', 'postgres_append(sql, all ? "%n" : "%q", a);',
                     'mysql_sql("%L" WORDS "%q", "t", list, f(a, b));', '/* postgres_append(sql, text); */'):
            with self.subTest(good=good):
                self.assertEqual(self.check("static void f(void)\n{\n    %s\n}\n" % good), (0, ""))

    def test_a_function_that_hands_its_template_on_is_looked_at_where_it_is_called(self):
        code, out = self.check("""
static const char *say(const char *format, const char *first)
{
    return text_of(postgres_sql(format, first));
}

static void f(void)
{
    say("DROP TABLE %n", name);
    say(name, name);
}
""")
        self.assertEqual(code, 1)
        self.assertEqual(out.strip(), "src/connectors/postgres/a.c:10: the template is not a literal: name")


class Runner(TreeTestCase):
    """tests/run in a tree of its own, with shell scripts for cmocka programs."""

    def run_tests(self, *arguments, **environment):
        for name in ("run", "worker.py"):
            shutil.copy(os.path.join(TESTS, name), self.path("tests", name))
        for name in ("runner", "engines"):
            if not os.path.exists(self.path("tests", name)):
                os.symlink(os.path.join(TESTS, name), self.path("tests", name))
        return run(sys.executable, self.path("tests", "run"), "--build", self.path("build"), *arguments,
                   env=dict(os.environ, **environment))

    def unit(self, script):
        self.tree({"tests/unit/test_a.c": "", "build/test_a": "#!/bin/sh\n" + script,
                   "tests/layers": "#!/bin/sh\n", "tests/banned": "#!/bin/sh\n", "tests/names": "#!/bin/sh\n",
                   "tests/templates": "#!/bin/sh\n"})
        for name in ("build/test_a", "tests/layers", "tests/banned", "tests/names", "tests/templates"):
            os.chmod(self.path(name), 0o755)

    def last_line(self, result):
        return result.stdout.splitlines()[-1]

    def test_counts_passed_failed_and_skipped(self):
        self.unit("echo 'test: one'; echo 'success: one'; echo 'test: two'; echo no thing here;"
                  "echo 'skip: two'; echo 'test: three'; printf 'noise'; echo 'failure: three [';"
                  "echo 'the reason'; echo ']'; exit 1")
        result = self.run_tests()
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.last_line(result), "5 passed, 1 failed, 1 skipped")
        self.assertIn("=== FAILED unit/test_a.three\nthe reason\n", result.stdout)
        self.assertIn("unit/test_a.two: no thing here", result.stdout)

    def test_errors_that_tests_print_are_not_the_group_s(self):
        self.unit("echo 'test: one'; echo 'error: there is no option --x [usage]';"
                  "echo 'success: one'")
        self.assertEqual(self.last_line(self.run_tests("unit")), "1 passed, 0 failed, 0 skipped")
        self.unit("echo 'error: one [ Could not run test: Test setup failed ]'; exit 1")
        self.assertEqual(self.last_line(self.run_tests("unit")), "0 passed, 1 failed, 0 skipped")

    def test_a_program_that_dies_has_failed(self):
        for script, reason in (("echo 'test: one'; kill -9 $$", "died of SIGKILL in this test"),
                               ("echo 'test: one'; exit 0", "the program ended in this test"),
                               ("exit 0", "ended without running a test"),
                               ("echo 'test: a'; echo 'success: a'; exit 3",
                                "exited with 3 after its tests"),
                               ("echo 'test: one'; sleep 60", "stalled: no end within 1 s")):
            with self.subTest(script=script):
                self.unit(script)
                result = self.run_tests("--time-limit", "1", "unit")
                self.assertEqual(result.returncode, 1)
                self.assertRegex(self.last_line(result), "^[01] passed, 1 failed, 0 skipped$")
                self.assertIn(reason, result.stdout)

    def test_python_modules(self):
        self.unit("echo 'test: one'; echo 'success: one'")
        self.tree({"tests/system/test_b.py": """
import unittest
class B(unittest.TestCase):
    def test_good(self): print("noise", end="")
    def test_bad(self): self.fail("the reason")
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
    @unittest.skip("no such server")
    def test_left_out(self): pass
class C(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("no class")
    def test_never(self): pass
""", "tests/faults/test_c.py": "import no_such_module\n",
                   "tests/faults/test_d.py": "", "build/transhume": "#!/bin/sh\n"})
        os.chmod(self.path("build/transhume"), 0o755)
        result = self.run_tests()
        # Failed: bad, sub, C's set-up, the import, the empty module, and no failpoints listed; passed are the budgets,
        # too.
        self.assertEqual(self.last_line(result), "7 passed, 6 failed, 1 skipped")
        for text in ("=== FAILED system/test_b.B.test_bad\n", "the reason",
                     "system/test_b.B.test_left_out: no such server", "no_such_module", "no class",
                     "=== FAILED faults/test_d\nno test in it"):
            self.assertIn(text, result.stdout)
        self.assertEqual(self.last_line(self.run_tests("test_good")),
                         "1 passed, 0 failed, 0 skipped")

    def test_one_database_of_each_family(self):
        self.unit("exit 0")
        self.tree({"tests/system/test_b.py": """import unittest
class Cases:
    one_database_each = True
    def test_shared(self): pass
    def test_other(self): pass
class A(Cases, unittest.TestCase):
    def test_own(self): pass
class B(Cases, unittest.TestCase):
    def test_own(self): pass
class Apart:
    def test_everywhere(self): pass
class C(Apart, unittest.TestCase): pass
class D(Apart, unittest.TestCase): pass
"""})
        def counted(line, *arguments, **environment):
            result = self.run_tests(*arguments, **environment)
            self.assertRegex(result.stdout, "ok      system/test_b +%s passed, 0 failed" % line)
        counted(6)
        counted(8, "system/test_b")
        counted(8, TRANSHUME_SOAK="1")

    def test_failpoints_count_where_servers_ran(self):
        """
        Those of a connector whose server is not to be had are left out, those of the engine and of others are not.
        """
        self.unit("echo 'test: one'; echo 'success: one'")
        module = """
import os, unittest
open(os.environ["TRANSHUME_FAILPOINT_COUNT"], "a").write("%s")
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): %s
    def test_there(self): pass
"""
        self.tree({"build/transhume": "#!/bin/sh\nprintf 'engine.a\\npostgres.a\\npostgres.b\\n'\n",
                   "tests/faults/test_b.py": ""})
        os.chmod(self.path("build/transhume"), 0o755)
        skip = "raise unittest.SkipTest('no PostgreSQL: TRANSHUME_SERVERS=none')"
        for reached, setup, missed in (("engine.a\\n", skip, []), ("", skip, ["engine.a"]),
                                       ("engine.a\\npostgres.a\\n", "pass", ["postgres.b"]),
                                       ("engine.a\\npostgres.a\\npostgres.b\\n", "pass", []),
                                       ("engine.a\\npostgpostgres.a\\npostgres.b\\nengi", "pass", []),
                                       ("engine.apostgres.a\\npostgres.b\\n", "pass", []),
                                       ("engine.xpostgres.a\\npostgres.b\\n", "pass", ["engine.a", "postgres.a"])):
            with self.subTest(reached=reached, setup=setup):
                self.write("tests/faults/test_b.py", module % (reached, setup))
                result = self.run_tests()
                found = [line.split(": ")[1] for line in result.stdout.splitlines()
                         if line.startswith("never reached: ")]
                self.assertEqual(found, missed, result.stdout)
                self.assertEqual("reached, but not listed: engine.xpostgres.a\n" in result.stdout,
                                 "engine.x" in reached)
                self.assertEqual(result.returncode, 1 if missed else 0)
                self.assertEqual("Failpoints of postgres do not count" in result.stdout, setup == skip)

    def test_a_failure_may_have_much_to_say(self):
        self.unit("")
        self.tree({"tests/system/test_b.py": """
import unittest
class B(unittest.TestCase):
    def test_long(self): self.fail("x" * 200000)
    def test_short(self): pass
""", "build/transhume": "#!/bin/sh\n"})
        result = self.run_tests("system/test_b")
        self.assertEqual(self.last_line(result), "1 passed, 1 failed, 0 skipped")
        self.assertIn("x" * 200000, result.stdout)

    def test_scratch_folders_lie_where_tmpdir_says(self):
        self.unit("echo 'test: one'; echo \"$TMPDIR\" >&2; echo 'success: one'")
        os.mkdir(self.path("here"))
        self.run_tests("unit")
        result = run(sys.executable, self.path("tests", "run"), "--build", self.path("build"), "--keep", "unit",
                     env=dict(os.environ, TMPDIR=self.path("here")))
        self.assertIn("Scratch folders are under %s/transhume-tests-" % self.path("here"),
                      result.stdout)

    @unittest.skipUnless(shutil.which("valgrind"), "there is no valgrind")
    def test_memcheck_finds_leaks_and_wrong_reads(self):
        lose = "*(char *volatile *)&lost = malloc(9); *(char *volatile *)&lost = 0;"
        cases = ((("", 0, ""), (lose, 1, "9 bytes in 1 blocks are definitely lost"),
                  ("char *volatile a = malloc(9); if (a[9]) puts(\"\"); free(a);", 1, "Invalid read"),
                  ("if (fork() == 0) { %s kill(getpid(), 9); } wait(0);" % lose, 0, "")))
        self.unit("")
        module = """
import os, subprocess, unittest
class B(unittest.TestCase):
    def test_there(self):
        subprocess.run([os.environ["TRANSHUME"]], env=dict(os.environ, **%r), check=True)
"""
        killed = {"TRANSHUME_FAILPOINT": "a:kill:1"}
        self.tree({"tests/valgrind.supp": "", "tests/system/test_b.py": module % killed,
                   "tests/system/test_c.py": module % {}})
        for body, failed, words in cases:
            self.write("a.c", "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
                       "#include <sys/wait.h>\n#include <unistd.h>\nstatic char *lost;\n"
                       "int main(void) { (void)lost; puts(\"test: one\"); fflush(stdout); %s\n"
                       "puts(\"success: one\"); return 0; }\n" % body)
            built = run("gcc", "-g", "-O0", "-o", self.path("build", "test_a"), self.path("a.c"))
            self.assertEqual((built.returncode, built.stderr), (0, ""))
            shutil.copy(self.path("build", "test_a"), self.path("build", "transhume"))
            # a child that no failpoint kills loses memory for good
            fails = {"unit/test_a": failed, "system/test_b": failed and body != lose,
                     **({} if "fork" in body else {"system/test_c": failed})}
            with self.subTest(body=body):
                result = self.run_tests("--valgrind", *fails)
                self.assertEqual(result.returncode, int(any(fails.values())), result.stdout)
                self.assertIn(words if failed else "", result.stdout)
                for name, wrong in fails.items():
                    self.assertRegex(result.stdout, r"(?m)^%s +%s " % ("FAILED" if wrong else "ok", name))

    def test_a_module_that_takes_too_long_fails_the_run(self):
        """By its processor seconds, which the run prints and keeps."""
        self.unit("echo 'test: one'; echo 'success: one'; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
        self.tree({"tests/faults/test_b.py": "import unittest\nclass B(unittest.TestCase):\n    def "
                                             "test_there(self): pass\n",
                   "build/transhume": "#!/bin/sh\necho engine.a\n"})
        os.chmod(self.path("build/transhume"), 0o755)
        with open(os.path.join(TESTS, "runner", "budgets.py"), encoding="utf-8") as file:
            budgets = file.read()
        os.mkdir(self.path("tests", "runner"))
        for name in os.listdir(os.path.join(TESTS, "runner")):
            if os.path.isfile(os.path.join(TESTS, "runner", name)):
                shutil.copy(os.path.join(TESTS, "runner", name), self.path("tests", "runner", name))
        self.write("tests/runner/budgets.py", budgets.replace("USUAL_S = ", "USUAL_S = 0.001 * "))
        result = self.run_tests()
        self.assertRegex(result.stdout,
                         r"ok      unit/test_a .* 1 passed, 0 failed, 0 skipped  [0-9.]+ s, [0-9.]+ s of processor")
        self.assertIn("=== FAILED budgets\n", result.stdout)
        self.assertRegex(result.stdout, r"unit/test_a took \d+ s of processor, and 0 may be")
        with open(self.path("build", "modules.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["unit/test_a"]["processor"], 0)
        self.assertNotIn("FAILED budgets", self.run_tests("--no-budgets").stdout)

    def test_nothing_to_run_is_a_failure(self):
        self.unit("")
        result = self.run_tests("no_such_test")
        self.assertEqual((result.returncode, self.last_line(result)),
                         (1, "0 passed, 0 failed, 0 skipped"))


class MusicShop(support.TestCase):
    def generate(self, name, *options):
        return support.musicshop(self.path(name), *options)

    def test_same_options_same_bytes(self):
        for options in ((), ("--seed", 7, "--scale", 2)):
            with open(self.generate("a.db", *options), "rb") as a, \
                    open(self.generate("b.db", *options), "rb") as b:
                self.assertEqual(a.read(), b.read())
        self.assertTrue(support.sqlite_differences(self.generate("a.db", "--seed", 1),
                                                   self.generate("b.db", "--seed", 2)))

    def test_shape(self):
        path = self.generate("a.db")
        counts = support.sqlite_counts(path)
        self.assertEqual(len(counts), 11)
        self.assertAlmostEqual(sum(counts.values()), 16000, delta=300)
        db = sqlite3.connect(path)
        self.addCleanup(db.close)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(db.execute("PRAGMA foreign_key_check").fetchall(), [])
        unsummed = db.execute(
            "SELECT count(*) FROM Invoice i WHERE printf('%.2f', Total) <> (SELECT"
            " printf('%.2f', sum(UnitPrice * Quantity)) FROM InvoiceLine l"
            " WHERE l.InvoiceId = i.InvoiceId)").fetchone()
        self.assertEqual(unsummed, (0,))
        sizes = [n for n, in db.execute(
            "SELECT count(TrackId) FROM Playlist LEFT JOIN PlaylistTrack USING (PlaylistId)"
            " GROUP BY PlaylistId")]
        for size in (0, 1, 100, 101, 200):
            self.assertIn(size, sizes)
        nulls = db.execute("SELECT sum(Company IS NULL), sum(State IS NULL), sum(Fax IS NULL),"
                           " (SELECT sum(Composer IS NULL) FROM Track) FROM Customer").fetchone()
        self.assertTrue(all(nulls), nulls)

    def test_scale_and_stress_shapes(self):
        counts = support.sqlite_counts(self.generate("a.db", "--scale", 3))
        self.assertEqual((counts["Track"], counts["Invoice"], counts["Playlist"]), (10500, 1260, 54))
        db = sqlite3.connect(self.generate("b.db", "--big-customer", 5000, "--big-playlist", 4000))
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT max(n) FROM (SELECT count(*) n FROM Invoice"
                                    " GROUP BY CustomerId)").fetchone(), (5000,))
        self.assertEqual(db.execute("SELECT max(n) FROM (SELECT count(*) n FROM PlaylistTrack"
                                    " GROUP BY PlaylistId)").fetchone(), (4000,))

    def test_wrong_usage(self):
        program = os.path.join(support.BUILD, "musicshop")
        self.generate("a.db")
        with open(self.path("a.db"), "rb") as file:
            before = file.read()
        for arguments, code, message in (
                ([self.path("a.db")], 2, "exists"), ([], 2, "usage"),
                (["--scale", "0", "x.db"], 2, "--scale wants a whole number"),
                (["--scale", "1x", "x.db"], 2, "--scale wants a whole number"),
                ([self.path("no", "a.db")], 3, "unable to open database file")):
            result = run(program, *arguments, cwd=self.folder)
            self.assertEqual(result.returncode, code)
            self.assertIn(message, result.stderr)
        with open(self.path("a.db"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(os.listdir(self.folder), ["a.db"])


class Comparison(support.TestCase):
    """The helper that other tests trust finds what it should."""

    def test_each_change_is_found(self):
        script = "CREATE TABLE t(a, b TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'x'), (NULL, 'y');"
        support.make_sqlite(self.path("a.db"), script)
        for change in ("UPDATE t SET a = 1.0 WHERE a = 1", "UPDATE t SET a = '1' WHERE a = 1",
                       "UPDATE t SET b = 'X' WHERE a = 1", "DELETE FROM t WHERE a IS NULL",
                       "INSERT INTO t VALUES (1, 'x')", "UPDATE t SET a = x'00' WHERE a IS NULL",
                       "CREATE INDEX i ON t(a)", "ALTER TABLE t ADD COLUMN c"):
            with self.subTest(change=change):
                path = support.make_sqlite(self.path("b.db"), script + change)
                self.assertTrue(support.sqlite_differences(self.path("a.db"), path))
                os.unlink(path)
        same = support.make_sqlite(self.path("b.db"), script + "CREATE TABLE _transhume_x(a)")
        self.assertEqual(support.sqlite_differences(self.path("a.db"), same), [])


if __name__ == "__main__":
    support.unittest.main()
