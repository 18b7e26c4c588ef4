"""No false alarms: what was copied right now is validated, and nothing is found."""
import glob
import itertools
import json
import os

import support

LEVELS = ("count", "sample", "hash", "full")
turns = itertools.cycle(("full", "hash", "full", "sample", "full", "count"))


def reject_count(folder, state):
    """Records that the run rejected, by the files that it left of them."""
    count = 0
    for name in glob.glob(os.path.join(folder, state, "rejects", "*")):
        with open(name, "rb") as file:
            count += sum(1 for line in file if line.strip())
    return count


def assert_clean(case, folder, *options, levels=None, env=None):
    """At each level in soaks, else at the next one in turn; by default, byte by byte every second time."""
    for level in levels or (LEVELS if support.SOAK else (next(turns),)):
        result = support.transhume("validate", "--json", "--progress", "none", "--level", level, *options, cwd=folder,
                                   env=env)
        rejects = reject_count(folder, options[options.index("--state") + 1] if "--state" in options else ".transhume")
        case.assertEqual(result.code, 1 if rejects else 0, "%s\n%s%s" % (level, result.out[:3000], result.err))
        report = json.loads(result.out)
        case.assertEqual(report["ok"], not rejects)
        case.assertEqual(report["records"], [])
        rejected = sum(entity["rejected"] for entity in report["entities"])
        if level != "sample":  # which counts those that it drew
            case.assertEqual(rejected, rejects, level)
        for entity in report["entities"]:
            case.assertEqual(entity["source"], entity["target"], level)
