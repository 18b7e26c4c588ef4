"""validate --level hash, PostgreSQL against MariaDB, beside the copy from one to the other; clean, and with one changed record."""
import harness
import sql_servers

NAME = "verify_servers"


def run(bench):
    yield from sql_servers.run_with(NAME, sql_servers.KINDS, lambda ends: compare(
        bench, ends["postgres"], ends["mysql"], bench.size(2000000, 50000)))


def compare(bench, source, target, rows):
    source.fill("source", sql_servers.write_lines(bench, rows))
    for name in ("clean", "changed"):
        target.make(name)
        bench.measure(bench.migrate(source.uri("source"), target.uri(name)))
    target.ask("changed", "UPDATE t SET b = 'changed' WHERE id = %d" % (rows // 2))
    copies, equal, different = [], [], []
    for _ in range(bench.repeat):
        target.make("target")
        copies.append(bench.measure(bench.migrate(source.uri("source"), target.uri("target"))))
        equal.append(bench.measure(validate(bench, source, target, "clean")))
        different.append(bench.measure(validate(bench, source, target, "changed"), exits=(1,)))
    ratio = harness.median(equal, harness.wall_s) / harness.median(copies, harness.wall_s)
    yield harness.at_most(NAME, "time against the copy", ratio, 1.0, "x")
    ratio = harness.median(different, harness.wall_s) / harness.median(equal, harness.wall_s)
    yield harness.fact(NAME, "one changed record against none", "%.2f x" % ratio)
    for figure, of in (("wall", harness.wall_s), ("client's processor", harness.cpu_s)):
        yield harness.fact(NAME, figure + " seconds of a validation, a copy", "%.2f, %.2f" % (
            harness.median(equal, of), harness.median(copies, of)))
    yield harness.memory(NAME, equal + different)


def validate(bench, source, target, name):
    return [bench.program, "validate", "--level", "hash", "--state", "{folder}/state", "--progress", "none",
            source.uri("source"), target.uri(name)]
