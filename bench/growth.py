"""Ten times the rows: how much more time, and how much more memory."""
import harness

NAME = "growth"
JOBS = [
    ("plain copy", 9, [], "sqlite:{folder}/copy.db"),
    ("mapped copy", 9, ["--plan", "general.yaml"], "sqlite:{folder}/copy.db"),
    ("dynamodb-json", 10, ["--plan", "flat_dynamodb.yaml"], "dynamodb-json:{folder}/out"),
]


def run(bench):
    few = bench.size(200000, 50000)
    for job, columns, plan, target in JOBS:
        plan = plan[:1] + ["%s/%s" % (bench.plans, name) for name in plan[1:]]
        small, large = bench.alternate(*(
            bench.migrate(*plan, "sqlite:" + bench.flat(rows, columns), target)
            for rows in (few, 10 * few)))
        (bench.expect_lines if columns == 10 else bench.expect_sqlite_rows)(10 * few)
        for figure, of in (("time", harness.wall_s), ("processor time", harness.cpu_s)):
            ratio = harness.median(large, of) / harness.median(small, of)
            yield harness.at_most(NAME, "%s: %s for 10 x the rows" % (job, figure), ratio, 10.5, "x")
        yield harness.at_most(NAME, "%s: more memory for 10 x the rows" % job,
                              harness.peak_mib(large) - harness.peak_mib(small), 2, "MiB", "%.1f")
