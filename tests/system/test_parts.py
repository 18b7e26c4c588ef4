"""The designer and schema evolution are libraries of their own: the program is linked without them, and works."""
import contextlib
import glob
import os
import re
import shlex
import sqlite3
import subprocess
import unittest

import support
from runner import parts

LEFT_OUT = parts.left_out(support.BUILD)
COMMANDS = {"design": [["analyze", "a.sql"]], "evolve": [["schema", "status", "a.db"], ["change", "status", "a.db"],
                                                         ["diff"]]}


def compiled(library):
    """The object files of a static library of the build."""
    return glob.glob(os.path.join(support.BUILD, library + ".p", "*.o"))


def symbols(files, *options):
    done = subprocess.run(["nm", "-P", *options, *files], stdout=subprocess.PIPE, text=True, check=True)
    return {line.split()[0] for line in done.stdout.splitlines() if line.count(" ") >= 1}


@unittest.skipIf(LEFT_OUT, "this build has been made without parts")
class Parts(support.TestCase):
    def test_libraries_below_need_nothing_of_those_above(self):
        made = {name: compiled("libtranshume%s.a" % name) for name in ("", "_design", "_evolve", "_cli")}
        self.assertTrue(all(made.values()))
        defined = {name: symbols(files, "--defined-only", "--extern-only") for name, files in made.items()}
        for name, above in (("", ("_design", "_evolve", "_cli")), ("_design", ("_evolve", "_cli")),
                            ("_evolve", ("_design", "_cli"))):
            needed = symbols(made[name], "--undefined-only")
            for other in above:
                self.assertEqual(needed & (defined[other] - defined[name]), set(), (name, other))

    def link(self, part):
        """The program without the part: its own objects and libraries, but for those of the part."""
        shown = subprocess.run(["ninja", "-C", support.BUILD, "-t", "commands", "transhume"],
                               stdout=subprocess.PIPE, text=True, check=True)
        compile_main = next(line for line in shown.stdout.splitlines() if re.search(r"-c \S*src/cli/main\.c$", line))
        link = shown.stdout.splitlines()[-1]
        empty, program = self.path(part + ".o"), self.path("transhume-without-" + part)
        source = os.path.join(support.ROOT, "src", "cli", "without", "part_%s.c" % part)
        words = shlex.split(compile_main)
        words[words.index("-o") + 1], words[-1] = empty, source
        drop = {word: at for at, word in enumerate(words) if word in ("-MF", "-MQ")}
        words = [word for at, word in enumerate(words) if at - 1 not in drop.values() and at not in drop.values()
                 and word != "-MD"]
        subprocess.run(words, cwd=support.BUILD, check=True)
        others = [file for file in compiled("libtranshume_cli.a") if "src_cli_%s_" % part not in os.path.basename(file)]
        words = shlex.split(link)
        words[words.index("-o") + 1] = program
        words.remove("libtranshume_%s.a" % part)
        at = words.index("libtranshume_cli.a")
        words[at:at + 1] = [empty] + others
        subprocess.run(words, cwd=support.BUILD, check=True)
        return program

    def test_each_part_can_be_left_out(self):
        with contextlib.closing(sqlite3.connect(self.path("a.db"))) as database:
            database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for part, commands in COMMANDS.items():
            program = self.link(part)
            for command in commands:
                done = subprocess.run([program, *command], cwd=self.folder, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn("this program was built without it", done.stderr)
            for others in (commands for other, commands in COMMANDS.items() if other != part):
                done = subprocess.run([program, *others[0]], cwd=self.folder, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertNotIn("built without", done.stderr)
            listed = subprocess.run([program, "failpoints"], stdout=subprocess.PIPE, text=True,
                                    check=True).stdout.split()
            self.assertEqual("change.after_step" in listed, part != "evolve")


if __name__ == "__main__":
    unittest.main()
