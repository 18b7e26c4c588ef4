"""From the start of the program to the error message of a wrong plan."""
import harness

NAME = "startup"


def run(bench):
    runs, = bench.alternate(bench.migrate("--plan", bench.plans + "/wrong.yaml"), repeat=21,
                            exits=(2,))
    yield harness.at_most(NAME, "start to the message of a wrong plan",
                          harness.median(runs, harness.wall_s) * 1000, 20, "ms", "%.1f")
