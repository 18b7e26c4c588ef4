"""The documentation holds: blocks marked `sh runnable` run as they stand, and links lead somewhere.

    ```sh runnable          a block that must succeed; the blocks of one page share a folder, in order
    ```sh runnable exit=1   one whose last command ends with this status
"""
import glob
import json
import os
import re
import shutil
import subprocess
import unittest

from support import BUILD, PATIENCE, PROGRAM, ROOT, TestCase

BLOCK = re.compile(r"^```sh runnable(?: exit=(\d))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages():
    found = [os.path.join(ROOT, name) for name in os.listdir(ROOT) if name.endswith(".md")]
    for folder in ("docs", "examples"):
        found += glob.glob(os.path.join(ROOT, folder, "**/*.md"), recursive=True)
    return sorted(found)


def read(page):
    with open(page, encoding="utf-8") as file:
        return file.read()


def anchors(page):
    """The names that headings have on the usual web views of Markdown."""
    names = set()
    for heading in re.findall(r"^#+ (.+)$", read(page), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        names.add(name)
    return names


class Examples(TestCase):
    def run_block(self, page, script, code):
        os.makedirs(self.path("bin"), exist_ok=True)
        for program in (PROGRAM, os.path.join(BUILD, "musicshop")):
            link = self.path("bin", os.path.basename(program))
            if not os.path.lexists(link):
                os.symlink(os.path.abspath(program), link)
        os.makedirs(self.path("work"), exist_ok=True)
        if not os.path.lexists(self.path("work", "examples")):
            shutil.copytree(os.path.join(ROOT, "examples"), self.path("work", "examples"),
                            ignore=shutil.ignore_patterns(".transhume"))
        environment = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        result = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], text=True,
                                cwd=self.path("work"), env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                timeout=120 * PATIENCE)
        self.assertEqual(result.returncode, code, "%s\n%s\n--- printed\n%s"
                         % (os.path.relpath(page, ROOT), script, result.stdout))

    def test_blocks_run(self):
        count = 0
        for page in pages():
            blocks = BLOCK.findall(read(page))
            if not blocks:
                continue
            with self.subTest(os.path.relpath(page, ROOT)):
                for code, script in blocks:
                    self.run_block(page, script, int(code or 0))
                    count += 1
            subprocess.run(["rm", "-rf", self.path("work")], check=True)
        self.assertGreater(count, 8)

    def test_a_wrong_block_is_found(self):
        with self.assertRaises(AssertionError):
            self.run_block(os.path.join(ROOT, "README.md"), "transhume frobnicate\n", 0)
        self.run_block(os.path.join(ROOT, "README.md"), "transhume frobnicate\n", 2)


class Facts(TestCase):
    """Numbers and names that pages give and the program knows."""

    def test_versions_and_the_contract(self):
        version = json.loads(self.run_program("version", "--json").out)
        for page in pages():
            if os.path.basename(page) == "CHANGELOG.md":
                continue
            for name in ("contract", "version"):
                for told in re.findall(r'"%s":"?([\w.]+)"?,' % name, read(page)):
                    if name == "version" and not re.fullmatch(r"\d+\.\d+\.\d+", told):
                        continue
                    with self.subTest(page=os.path.relpath(page, ROOT), name=name):
                        self.assertEqual(told, str(version[name]))

    def test_variables_are_the_programs(self):
        """A variable of the environment that a page names is that of an option, or the sources read it by its name."""
        with open(os.path.join(ROOT, "src/cli/options.def"), encoding="utf-8") as file:
            options = re.findall(r'CLI_OPTION\(\w+, "([a-z-]+)"', file.read())
        known = {"TRANSHUME_" + option.upper().replace("-", "_") for option in options}
        for folder in ("src", "tools", "tests", "bench", "python"):
            for path in glob.glob(os.path.join(ROOT, folder, "**/*"), recursive=True):
                if os.path.isfile(path) and not path.endswith(".md") and not re.search("/(data|corpus)/", path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        known.update(re.findall(r"\bTRANSHUME_[A-Z_]*[A-Z]\b", file.read()))
        for page in pages():
            found = set(re.findall(r"\bTRANSHUME_[A-Z_]*[A-Z]\b", read(page)))
            self.assertEqual(found - known, set(), page)


class Links(unittest.TestCase):
    def test_links_lead_somewhere(self):
        count = 0
        for page in pages():
            for target in LINK.findall(CODE.sub("", read(page))):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                where = "%s: %s" % (os.path.relpath(page, ROOT), target)
                self.assertTrue(os.path.exists(file), where)
                if anchor and file.endswith(".md"):
                    self.assertIn(anchor, anchors(file), where)
                count += 1
        self.assertGreater(count, 20)


if __name__ == "__main__":
    unittest.main()
