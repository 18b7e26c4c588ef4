"""No false alarms: what was copied right now is validated, and nothing is found."""
import itertools
import json

import support

LEVELS = ("count", "sample", "hash", "full")
turns = itertools.cycle(("full", "hash", "full", "sample", "full", "count"))


def assert_clean(case, folder, *options, levels=None, env=None):
    """At each level in soaks, else at the next one in turn; by default, byte by byte every second time."""
    for level in levels or (LEVELS if support.SOAK else (next(turns),)):
        result = support.transhume("validate", "--json", "--progress", "none", "--level", level, *options, cwd=folder, env=env)
        case.assertEqual(result.code, 0, "%s\n%s%s" % (level, result.out[:3000], result.err))
        report = json.loads(result.out)
        case.assertTrue(report["ok"])
        for entity in report["entities"]:
            case.assertEqual(entity["source"], entity["target"])
