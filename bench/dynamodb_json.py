"""One flat table of ten columns into an uncompressed DynamoDB-JSON folder, every column as it is."""
import harness

NAME = "dynamodb_json"


def run(bench):
    rows = bench.size(2000000, 200000)
    source = bench.flat(rows, columns=10)
    runs, = bench.alternate(bench.migrate("--plan", bench.plans + "/flat_dynamodb.yaml",
                                          "sqlite:" + source, "dynamodb-json:{folder}/out"))
    bench.expect_lines(rows)
    yield harness.at_least(NAME, "items by processor second",
                           rows / harness.median(runs, harness.cpu_s), 500000, "items/s")
    yield harness.fact(NAME, "items by wall second",
                       "{:,.0f} items/s".format(rows / harness.median(runs, harness.wall_s)))
    yield harness.memory(NAME, runs)
