"""validate --level hash, SQLite against SQLite, beside the copy through the general path; clean, and with one changed record."""
import os
import shutil
import sqlite3

import harness

NAME = "verify"


def run(bench):
    rows = bench.size(2000000, 200000)
    source = bench.flat(rows)
    plan = bench.plans + "/general.yaml"
    target = "sqlite:{folder}/copy.db"
    clean = os.path.join(bench.scratch, "clean.db")
    changed = os.path.join(bench.scratch, "changed.db")
    bench.measure(bench.migrate("--plan", plan, "sqlite:" + source, target))
    shutil.copy(os.path.join(bench.scratch, "run", "copy.db"), clean)
    shutil.copy(clean, changed)
    db = sqlite3.connect(changed)
    db.execute("UPDATE t SET b = 'changed' WHERE id = ?", (rows // 2,))
    db.commit()
    db.close()

    def validate(path):
        return [bench.program, "validate", "--state", "{folder}/state", "--progress", "none", "--plan", plan,
                "sqlite:" + source, "sqlite:" + path]
    copies, equal, different = bench.alternate(
        bench.migrate("--plan", plan, "sqlite:" + source, target), validate(clean), validate(changed), exits=(0, 1))
    if {run.exit for run in equal} != {0} or {run.exit for run in different} != {1}:
        raise harness.Failed("validate did not find the changed record, or found one that is not")
    ratio = harness.median(equal, harness.wall_s) / harness.median(copies, harness.wall_s)
    yield harness.at_most(NAME, "time against the copy through the general path", ratio, 1.0, "x")
    ratio = harness.median(different, harness.wall_s) / harness.median(equal, harness.wall_s)
    yield harness.at_most(NAME, "one changed record against none", ratio, 1.1, "x")
    yield harness.fact(NAME, "processor seconds of a validation, a copy", "%.2f, %.2f" % (
        harness.median(equal, harness.cpu_s), harness.median(copies, harness.cpu_s)))
    yield harness.memory(NAME, equal + different)
