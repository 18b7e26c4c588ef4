"""`--changed`: the modules that a change can affect, and why.

Unit tests are found through the graph of includes. A header affects every test that includes it, at any depth. A C file
affects
the tests that include a header of its folder which the file includes too, because it defines part of what that header
declares.
Contract suites and tests that run the program are found by database: a change in a connector affects the modules that
name its
database, themselves or through what they import. A change above or below all connectors affects every test that runs
the program.
"""
import functools
import os
import re
import subprocess

import engines

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
IMPORT = re.compile(r"^\s*(?:import|from)\s+([\w. ,]+)", re.MULTILINE)
PYTHON_FOLDERS = ("system", "system/real", "faults", "servers", "engines", "fuzz", "")
# Code that all connectors use, and the engine's ledger, which the contract suites test too.
BELOW_CONNECTORS = ("src/base/", "src/model/", "src/engine/ledger/")
# Helpers that name all databases, so that importing them says nothing about a test.
OF_ALL = ("tests/engines/", "tests/servers/", "tests/system/support.py")
RUNNER = ("tests/run", "tests/worker.py", "tests/runner/")


class Tree:
    """The sources as they are now."""

    def __init__(self, root):
        self.root = root

    def git(self, *arguments):
        done = subprocess.run(["git", "-C", self.root, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        return done.stdout.split("\0") if done.returncode == 0 else None

    def base(self, wanted):
        """The commit to compare with: `wanted`, or where the branch left main, or the previous one."""
        found = self.git("rev-parse", "--verify", "-q", "%s^{commit}" % wanted) if wanted else None
        if wanted:
            return found and found[0].strip()
        head, fork = (self.git(*words) for words in (("rev-parse", "HEAD"), ("merge-base", "HEAD", "main")))
        if not fork or fork == head:
            fork = self.git("rev-parse", "--verify", "-q", "HEAD~") or head
        return fork and fork[0].strip()

    def changed(self, base):
        """Paths that differ from the commit, untracked files included."""
        differing = self.git("diff", "--name-only", "-z", base) or []
        return sorted(filter(None, differing + (self.git("ls-files", "--others", "--exclude-standard", "-z") or [])))

    @functools.lru_cache(maxsize=None)
    def text(self, path):
        try:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    @functools.lru_cache(maxsize=None)
    def includes(self, path):
        """Files that a C file includes directly."""
        found = set()
        for name in INCLUDE.findall(self.text(path)):
            places = (os.path.normpath(os.path.join(folder, name))
                      for folder in (os.path.dirname(path), "src", "tests/unit"))
            found.update([place for place in places if os.path.exists(os.path.join(self.root, place))][:1])
        return frozenset(found)

    @functools.lru_cache(maxsize=None)
    def imports(self, path):
        """Modules of the tests that a Python file imports directly."""
        found = set()
        for names in IMPORT.findall(self.text(path)):
            for name in re.split(r"[ ,]+", names.partition(" import ")[0]):
                places = (os.path.join("tests", folder, name.replace(".", "/") + ".py") for folder in PYTHON_FOLDERS)
                found.update([place for place in places if os.path.exists(os.path.join(self.root, place))][:1])
        return frozenset(found)


def closure(first, next_of):
    """Everything reachable from `first`, itself included."""
    found, left = set(), [first]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += next_of(path)
    return found


class Picker:
    """Decides which modules the changed files affect."""

    def __init__(self, tree, files):
        self.tree, self.files = tree, files

    def reason(self, module):
        """The first changed file that affects a module and how, or None."""
        for file in self.files:
            why = self.why(module, file)
            if why:
                return "%s %s" % (file, why)
        return None

    def why(self, module, file):
        folder, _, name = module.partition("/")
        if module in ("layers", "banned", "names", "templates"):
            return "is code" if file.endswith((".c", ".h")) or file == "tests/" + module else None
        if file.startswith(RUNNER):
            return "runs the tests" if module in ("system/test_run", "system/test_house") else None
        if folder == "unit":
            return self.why_unit("tests/%s.c" % module, file)
        if folder == "contract":
            return self.why_contract(engines.of(name), file)
        return self.why_program("tests/%s.py" % module, folder, file)

    def why_unit(self, test, file):
        own = self.tree.includes(test)
        files = closure(test, self.tree.includes)
        support = {path[:-2] + ".c" for path in own if path.startswith("tests/unit/support")}
        for path in support:
            files |= closure(path, self.tree.includes)
            own = own | self.tree.includes(path)
        if file == test:
            return "is the test"
        if file in files:
            return "is included"
        declared = [path for path in self.tree.includes(file) if os.path.dirname(path)
                    == os.path.dirname(file)] if file.endswith(".c") else []
        shared = sorted(own.intersection(declared))
        return "belongs to %s" % shared[0] if shared else None

    def why_contract(self, engine, file):
        if file.startswith("tests/contract/"):
            return "is the suite"
        if file == engine.FILE or file.startswith(tuple(engine.SOURCES)):
            return "is of %s" % engine.NAME
        if file.startswith(BELOW_CONNECTORS) or os.path.dirname(file) == "src/connectors":
            return "is below all connectors"
        return None

    def why_program(self, path, folder, file):
        if file == path:
            return "is the test"
        files = closure(path, self.tree.imports)
        if file in files:
            return "is imported"
        if folder == "fuzz":
            return "is code" if file.startswith(("src/", "tests/fuzz/")) else None
        if not file.startswith("src/"):
            top = file.split("/")[0]
            return "is in a folder that it names" if top not in ("tests",
                                                                 "src") and re.search(r"\b%s\b" % re.escape(top),
                                                                     self.tree.text(path)) else None
        owners = [engine for engine in engines.all() if file.startswith(tuple(engine.SOURCES))]
        if not owners:
            return "is above or below all databases" if folder == "system" or not file.startswith("src/cli/") else None
        text = "".join(self.tree.text(file) for file in files if not file.startswith(OF_ALL))
        named = sorted(engine.NAME for engine in owners if re.search(engine.WORDS + r"|engines\.(pairs|all)\(", text))
        return "is of %s, which it names" % named[0] if named else None


def pick(root, modules, base=""):
    """[(module's name, why)] and the commit that was compared with; None: there is no such commit."""
    tree = Tree(root)
    commit = tree.base(base)
    if not commit:
        return None, ""
    picker = Picker(tree, tree.changed(commit))
    found = [(name, picker.reason(name)) for name in modules]
    return [(name, why) for name, why in found if why], commit
