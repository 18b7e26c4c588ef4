"""A program whose calls of the C library fail: a library preloaded before it, and what a case must leave behind."""
import array
import errno
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import support

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failing_calls.c")
ANYTHING = (errno.EIO, errno.ENOSPC)


class FailingTestCase(support.TestCase):
    def setUp(self):
        super().setUp()
        self.library = self.path("failing_calls.so")
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
                        self.library, SOURCE, "-ldl"], check=True)

    def failing(self, call, at, count, number, path=None):
        """The environment in which the calls from `at` on fail; `path`: only on files whose path holds it."""
        return {"LD_PRELOAD": self.library, "FAIL_CALL": call, "FAIL_AT": str(at), "FAIL_COUNT": str(count),
                "FAIL_ERRNO": str(number), "FAIL_PATH": path}

    def calls(self, call, *arguments, path=None, code=0, env=None):
        """How many such calls a run makes in which none fails."""
        report = self.path("report")
        self.run_program(*arguments, code=code, env=dict(env or {}, **self.failing(call, -1, 1, 0, path), FAIL_REPORT=report))
        with open(report, encoding="ascii") as file:
            return int(file.read())

    def allocations(self, *arguments, code=0, env=None):
        """[the numbers of the allocations that one chain of calls asks for] of a run in which none fails."""
        report = self.path("stacks")
        self.run_program(*arguments, code=code, env=dict(env or {}, **self.failing("alloc", -1, 1, 0), FAIL_STACKS=report))
        stacks = array.array("Q")
        with open(report, "rb") as file:
            stacks.frombytes(file.read())
        places = {}
        for number, stack in enumerate(stacks):
            places.setdefault(stack, []).append(number)
        return list(places.values())

    def clean(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)

    def to_the_end(self, *arguments, env=None):
        """Resumes what there is; where nothing was begun, begins."""
        result = support.transhume("resume", *arguments, cwd=self.folder, env=env)
        if result.code == 2 and "run-nothing" in result.err:
            result = support.transhume("migrate", *arguments, cwd=self.folder, env=env)
        self.assert_code(result, 0)
