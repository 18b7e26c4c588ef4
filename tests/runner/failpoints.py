"""After a whole run: each failpoint must have been reached."""
import os
import subprocess

import engines

from .process import Outcome

# What files in buckets pass, for which boto3 makes the bucket.
BUCKETS, BUCKET_REASONS = "s3", ("no moto: ", "no boto3: ")


def names_in(lines, names):
    """
    A kill ends a write where a page of the file ends: the line is a name's beginning, and may have the next one's name
    behind it.
    """
    for line in lines:
        whole = next((name for name in names if line.endswith(name)), "")
        begun = line[:len(line) - len(whole)]
        torn = any(name.startswith(begun) for name in names)
        yield from (part for part in (begun, whole) if part in names) if torn else (line,)


def check(environment, count_file, outcomes):
    """
    After a whole run: each failpoint of the engine, and of the connectors whose servers ran, must have been reached.
    """
    left_out = {engine.NAME for engine in engines.all()
                if any(o.result == "skipped" and reason in o.detail for o in outcomes for reason in engine.REASONS)}
    if any(o.result == "skipped" and reason in o.detail for o in outcomes for reason in BUCKET_REASONS):
        left_out.add(BUCKETS)
    # The test-only connector's are listed where it is loaded, as the tests load it.
    module = os.path.join(environment["TRANSHUME_BUILD"], "toy.so")
    if os.path.exists(module):
        environment = dict(environment, TRANSHUME_MODULES=module)
    listing = subprocess.run([environment["TRANSHUME"], "failpoints"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=60, env=environment)
    names = {line.split()[0] for line in listing.stdout.splitlines()
             if line and not line[0].isspace() and "." in line.split()[0]}
    reached = set()
    if os.path.exists(count_file):
        with open(count_file, encoding="utf-8") as lines:
            reached = set(names_in({line.strip() for line in lines}, names))
    if listing.returncode != 0 or not names:
        return Outcome("failpoints", "failed", 0.0, "`failpoints` lists none:\n" + listing.stdout)
    missed = sorted(name for name in names - reached if name.split(".")[0] not in left_out)
    unlisted = sorted(reached - names)
    detail = "".join("never reached: %s\n" % name for name in missed)
    detail += "".join("reached, but not listed: %s\n" % name for name in unlisted)
    if left_out:
        print("Failpoints of %s do not count: no server was to be had" % ", ".join(sorted(left_out)))
    return Outcome("failpoints", "failed" if detail else "passed", 0.0, detail)
