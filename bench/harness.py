"""What the benches share: inputs, measuring, and rows of the final table.

Time on a shared machine swings by far more than the marks allow for. So each figure is a ratio of
runs that alternate within minutes, or a count by processor seconds, and medians are compared.
"""
import collections
import json
import os
import shutil
import sqlite3
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MEMORY_MARK_MIB = 64

# wall_s, user_s, system_s in seconds, peak_kib: most resident memory, exit: code, or -signal
Run = collections.namedtuple("Run", "wall_s user_s system_s peak_kib exit")
# One line of the table. ok: True, False, or None where there is no mark.
Row = collections.namedtuple("Row", "bench figure measured mark ok")


class Failed(Exception):
    """A command of a bench did not do what it should; the text says which and what it printed."""


def first_line(error):
    return str(error).strip().partition("\n")[0]


def last_line(error):
    return str(error).strip().rpartition("\n")[2]


def cpu_s(run):
    return run.user_s + run.system_s


def wall_s(run):
    return run.wall_s


def median(runs, figure):
    return statistics.median(figure(run) for run in runs)


def peak_mib(runs):
    return max(run.peak_kib for run in runs) / 1024


class Bench:
    def __init__(self, build, scratch, quick, repeat):
        self.build = build
        self.scratch = scratch
        self.quick = quick
        self.repeat = repeat or (3 if quick else 5)
        self.program = self.tool("transhume")
        self.plans = os.path.join(ROOT, "bench", "plans")

    def tool(self, name):
        return os.path.join(self.build, name)

    def size(self, full, quick):
        return quick if self.quick else full

    # --- inputs, made once a run

    def flat(self, rows, columns=9):
        """A database with one table t; see tools/flatbench.c."""
        path = os.path.join(self.scratch, "flat-%d-%d.db" % (columns, rows))
        return self._made(path, [self.tool("flatbench"), "--columns", str(columns), str(rows), path])

    def shop(self, *options):
        """The music shop; see tools/musicshop.c."""
        options = [str(option) for option in options]
        path = os.path.join(self.scratch, "shop%s.db" % "".join(options))
        return self._made(path, [self.tool("musicshop"), *options, path])

    def _made(self, path, command):
        if not os.path.exists(path):
            subprocess.run(command, check=True)
        return path

    # --- runs

    def measure(self, command, exits=(0,)):
        """Runs a command once, in an empty folder of its own, as {folder} in its words."""
        folder = os.path.join(self.scratch, "run")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        report = os.path.join(self.scratch, "report.json")
        words = [word.replace("{folder}", folder) for word in command]
        os.sync()  # what the last run left to be written is not this one's time
        done = subprocess.run([self.tool("measure"), report, *words], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(report, encoding="utf-8") as file:
            run = Run(**json.load(file))
        if run.exit not in exits:
            raise Failed("`%s` ended with %d:\n%s" % (
                " ".join(words), run.exit, done.stdout.decode("utf-8", "replace")[-2000:]))
        return run

    def alternate(self, *commands, repeat=None, exits=(0,)):
        """Runs each command in turn, over and over: a list of runs for each."""
        runs = [[] for _ in commands]
        for _ in range(repeat or self.repeat):
            for command, its_runs in zip(commands, runs):
                its_runs.append(self.measure(command, exits))
        return runs

    def expect_sqlite_rows(self, rows):
        """The last command must have left copy.db with so many rows in t."""
        db = sqlite3.connect(os.path.join(self.scratch, "run", "copy.db"))
        found = db.execute("SELECT count(*) FROM t").fetchone()[0]
        db.close()
        if found != rows:
            raise Failed("%d rows are in copy.db, not %d" % (found, rows))

    def expect_lines(self, lines):
        """The last command must have left so many lines in the tables' folders of out."""
        folder = os.path.join(self.scratch, "run", "out")
        found = 0
        for table in sorted(os.listdir(folder)):
            for name in os.listdir(os.path.join(folder, table)):
                if name.startswith("data-"):
                    with open(os.path.join(folder, table, name), "rb") as file:
                        found += sum(block.count(b"\n") for block in iter(
                            lambda: file.read(1 << 20), b""))
        if found != lines:
            raise Failed("%d lines are in out, not %d" % (found, lines))

    def migrate(self, *arguments):
        """The command of a migration that writes its state into the run's folder."""
        return [self.program, "migrate", "--state", "{folder}/state", "--progress", "none",
                *map(str, arguments)]


# --- rows of the table

def at_most(bench, figure, value, mark, unit, form="%.2f"):
    return Row(bench, figure, (form + " %s") % (value, unit), ("<= " + form + " %s") % (mark, unit),
               value <= mark)


def at_least(bench, figure, value, mark, unit):
    return Row(bench, figure, "{:,.0f} {}".format(value, unit), ">= {:,.0f} {}".format(mark, unit),
               value >= mark)


def fact(bench, figure, text):
    return Row(bench, figure, text, "", None)


def memory(bench, runs):
    return at_most(bench, "peak resident memory", peak_mib(runs), MEMORY_MARK_MIB, "MiB", "%.1f")
