"""How many seconds of processor each module may take, and the record of what each one took.

Judged are processor seconds, of the module and of all that it waited for: they hardly depend on what else the machine does. A slow
or crowded processor is measured beside (`Pace`) and makes all budgets longer by as much. A module that needs more than the usual
has its own line here, with its reason; before one is raised, look for what could be smaller.
"""
import json
import os
import statistics
import time

from .process import Outcome

USUAL_S = 45
MATRIX = "each fault case is a run, a resume and a comparison"
SERVERS = "each case has a database of its own, dumped before and after"
LARGER = {
    "system/test_limits": (90, "copies what is large enough to measure memory by"),
    "system/test_rollback_postgres": (90, SERVERS),
    "system/test_rollback_mysql": (60, SERVERS),
    "system/test_mysql_large": (60, "values of 100 MiB"),
    "system/test_postgres_large": (60, "values of 100 MiB"),
    "system/test_validate_postgres": (60, SERVERS),
    "system/test_postgres_existing": (60, SERVERS),
    "faults/test_kill_postgres": (60, MATRIX),
    "faults/test_matrix_repairs": (60, MATRIX),
    "faults/test_matrix_rollbacks": (60, MATRIX),
    "contract/postgres": (60, "kills at each failpoint, and a server takes part of the work"),
}
# The loop of `Pace` on the machine that the budgets were found on.
LOOP_REFERENCE_S = 0.0060
LOOP_ROUNDS = 100000


class Pace:
    """How many times longer than on the reference machine the processor takes, by a loop that runs between the tests."""

    def __init__(self):
        self.seconds = []

    def measure(self):
        start, total = time.thread_time(), 0
        for number in range(LOOP_ROUNDS):
            total += number
        self.seconds.append(time.thread_time() - start)

    def factor(self):
        return max(1.0, statistics.median(self.seconds) / LOOP_REFERENCE_S) if self.seconds else 1.0


def of(module):
    return LARGER.get(module, (USUAL_S, ""))[0]


def check(record, factor):
    """`record`: {module: {"processor": seconds, ...}} of a run; the budgets are `factor` times as long as they are written."""
    over = sorted((name, took["processor"], of(name) * factor) for name, took in record.items() if took["processor"] > of(name) * factor)
    detail = "".join("%s took %.0f s of processor, and %.0f may be: see tests/runner/budgets.py\n" % found for found in over)
    return Outcome("budgets", "failed" if over else "passed", 0.0, detail)


def unknown(names):
    """Modules of the table that are no more."""
    return sorted(set(LARGER) - set(names))


# --- the record of a build's folder: what each module took when it last ran whole

def record_path(build):
    return os.path.join(build, "modules.json")


def load(build):
    try:
        with open(record_path(build), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def save(build, record):
    """Adds to what is there."""
    whole = dict(load(build), **record)
    with open(record_path(build), "w", encoding="utf-8") as file:
        json.dump(whole, file, indent=0, sort_keys=True)
