"""How many seconds of processor each module may take, and the record of what each one took.

The budgets are processor seconds of the module and of the processes that it waited for, which hardly depend on other
load. The speed
of the processor is measured between modules (`Pace`), and a slower one gets longer budgets. A module that needs more
than the usual
budget has its own line here, with a reason. Before raising one, look for what could be made smaller.

    python3 tests/runner/budgets.py build >list && mv list tests/runner/long_tests      after `make test`: which tests
    are long
"""
import hashlib
import json
import math
import os
import random
import statistics
import subprocess
import sys

if __package__:
    from .process import Outcome

USUAL_S = 60
MATRIX = "each fault case is a run, a resume and a comparison"
SERVERS = "each case has a database of its own, dumped before and after"
LARGER = {
    "system/test_limits": (80, "copies what is large enough to measure memory by"),
    "system/test_rollback_postgres": (85, SERVERS),
    "system/test_mysql": (80, "ten classes: types, layouts, look-ups between all pairs of types"),
    "system/test_postgres": (80, "seven classes: types, look-ups between all pairs of types"),
    "contract/duckdb": (90, "each kill opens a file three times, by a library of 70 MB"),
    "system/test_follow": (110, "pairs of databases, random plans, kills while others write"),
    "system/test_follow_mysql": (105, "two servers, and each kind of target"),
    "system/test_traps": (90, "each command, over databases full of traps on both sides"),
    "faults/test_remade_tables": (90, "follows tables that are made again all the time"),
    "faults/test_matrix_repairs": (70, MATRIX),
    "faults/test_matrix_rollbacks": (70, MATRIX),
}
# Of these modules `make test` runs one test in so many, drawn by the seed as the cases are, and a soak all.
SHARES = {name: share for share, names in {
    3: ("system/test_least_rights system/test_least_rights_stores system/test_schema_import_tools "
        "system/test_follow_mysql system/test_follow system/test_rollback_postgres system/test_bad_input_dynamodb "
        "system/test_mysql "
        "system/test_follow_lanes system/test_change_mysql system/test_postgres_large system/test_validate_postgres "
        "system/test_rollback_mysql system/test_postgres_schemas "
        "system/test_follow_keyless system/test_follow_apply system/test_follow_schema_postgres system/test_postgres "
        "system/test_postgres_existing system/test_rollback_others system/test_follow_pages "
        "system/test_rollback_dynamodb"),
    2: ("system/test_least_rights_files system/test_limits faults/test_take_over_cassandra faults/test_take_over_sql "
        "system/test_design_vectors system/test_mysql_large system/test_mysql_bulk "
        "system/test_postgres_rebuild system/test_carry system/test_postgres_load system/test_mysql_catalog "
        "system/test_secrets system/test_validate_push_down "
        "system/test_validate_mutations system/test_validate_resume system/test_analyze_exports "
        "system/test_validate_pairs system/test_plain_copy "
        "system/test_mysql_connect system/test_postgres_catalog system/test_existing_references "
        "system/test_dynamodb_source system/test_change system/test_cassandra_source "
        "system/test_follow_rows system/test_follow_rejects system/test_follow_schema system/test_cutover_failures "
        "faults/test_error_loop_cutover system/test_validate_constructs system/test_validate_mysql "
        "system/test_dead_server system/test_report_connections system/test_mysql_rebuild "
        "system/test_dynamodb_exchange "
        "system/test_pauses system/test_distinct_sql system/test_bad_input_servers system/test_long_statements "
        "system/test_postgres_locks system/test_files_odd"),
}.items() for name in names.split()}
# Few tests take most of the time. Of those of a module that take longer than this, which the file long_tests names,
# `make test` runs one in so many
# and at least one, whatever else the module has; a soak runs all.
LONG_S = 0.5
LONG_SHARE = 5
LONG_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "long_tests")
# What the process of `Pace` takes on the reference machine.
REFERENCE_S = 0.0090
PACE_COMMAND = [sys.executable, "-I", "-S", "-c", "pass"]


class Pace:
    """
    How much slower this processor is than the reference, measured by a small process that runs between the modules.
    """

    def __init__(self):
        self.seconds = []

    def measure(self):
        process = subprocess.Popen(PACE_COMMAND)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds.append(usage.ru_utime + usage.ru_stime)

    def factor(self):
        return max(1.0, statistics.median(self.seconds) / REFERENCE_S) if self.seconds else 1.0


def is_drawn(module, test, seed):
    """Is the test one of those that `make test` runs? The same for one seed wherever the test stands in its module."""
    digest = hashlib.sha256(("%s %s" % (seed, test)).encode()).digest()
    return int.from_bytes(digest[:4], "big") % SHARES.get(module, 1) == 0


def long_tests():
    with open(LONG_TESTS, encoding="utf-8") as file:
        return {line.strip() for line in file}


def left_out(module, tests, seed):
    """Names of the long ones among the tests of a module that `make test` leaves to a soak."""
    long = sorted(long_tests().intersection(tests))
    return set(long) - set(random.Random("%s %s" % (seed, module)).sample(long, math.ceil(len(long) / LONG_SHARE)))


def left_line(module, left):
    """
    How many tests of a module a run has left to a soak, and why, in words; `left` as tests/worker.py tells it. None:
    nothing was left.
    """
    reasons = []
    if left["by_share"]:
        reasons.append("%d as one in %d of this module is run" % (left["by_share"], SHARES[module]))
    if left["long"]:
        reasons.append("%d as one in %d of its long ones is run" % (left["long"], LONG_SHARE))
    count = left["by_share"] + left["long"]
    return "%-36s %3d of %3d tests: %s" % (module, count, left["of"], ", ".join(reasons)) if count else None


def of(module):
    return LARGER.get(module, (USUAL_S, ""))[0]


def check(record, factor):
    """
    `record`: {module: {"processor": seconds, ...}} of a run; the budgets are `factor` times as long as they are
    written.
    """
    over = sorted((name, took["processor"], of(name) * factor) for name, took in record.items()
                  if took["processor"] > of(name) * factor)
    detail = "".join("%s took %.0f s of processor, and %.0f may be: see tests/runner/budgets.py\n" % found
                     for found in over)
    return Outcome("budgets", "failed" if over else "passed", 0.0, detail)


def unknown(names):
    """Modules in the table that no longer exist."""
    return sorted((set(LARGER) | set(SHARES)) - set(names))


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


def load_tests(build):
    """{test: what Process.tests holds of it} of all runs in that folder."""
    try:
        with open(os.path.join(build, "tests.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def save_tests(build, tests):
    """Added to what is there, of which nothing is forgotten: a run does not run all."""
    whole = dict(load_tests(build), **tests)
    with open(os.path.join(build, "tests.json"), "w", encoding="utf-8") as file:
        json.dump(whole, file, indent=0, sort_keys=True)


def long_of(tests):
    """
    Names of the long ones among the tests, but for as few of them as pass all failpoints that no short one passes.
    """
    long = {name for name, known in tests.items() if known["processor"] >= LONG_S}
    missing = {point for name in long for point in tests[name]["reached"]}
    missing -= {point for name in set(tests) - long for point in tests[name]["reached"]}
    while missing:
        found = max(sorted(long),
                    key=lambda name: len(missing.intersection(tests[name]["reached"])) / tests[name]["processor"])
        missing -= set(tests[found]["reached"])
        long.discard(found)
    return long


if __name__ == "__main__":
    print("\n".join(sorted(long_of(load_tests(sys.argv[1])) | (long_tests() - set(load_tests(sys.argv[1]))))))
