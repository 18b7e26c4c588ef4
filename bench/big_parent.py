"""One customer with a million invoices, one playlist with a million tracks."""
import harness
import chinook

NAME = "big_parent"


def run(bench):
    children = bench.size(1000000, 100000)
    source = bench.shop("--big-customer", children, "--big-playlist", children)
    # 1: done, with records that the target could not hold rejected.
    runs, = bench.alternate(bench.migrate("--plan", chinook.PLAN, "sqlite:" + source,
                                          "dynamodb-json:{folder}/out"), repeat=1, exits=(0, 1))
    yield harness.memory(NAME, runs)
    yield harness.fact(NAME, "{:,} children under one parent".format(children),
                       "all written" if runs[0].exit == 0 else "done, some rejected")
