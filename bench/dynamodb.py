"""A flat table of ten columns into an emulator of DynamoDB (dynoxide), against two clients in Python.

boto3's batch writer does the same work: its processor time inside the copying is compared with all of ours. A
client that only sends requests made and signed beforehand, over as many connections, shows what the server takes.
dynoxide and boto3 come from the cache of test servers (`make servers`); without them there is no figure.
"""
import json
import os
import statistics
import subprocess
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))

NAME = "dynamodb"
CLIENT = os.path.join(harness.ROOT, "bench", "dynamodb_client.py")
CONNECTIONS = 4
TABLE = "flat"


def client(servers, endpoint, *words):
    """Runs dynamodb_client.py with the Python that has boto3: its figures."""
    python = os.path.join(os.path.dirname(servers.cache.get("boto3")), "..", "..", "..", "..", "bin", "python")
    done = subprocess.run([os.path.normpath(python), CLIENT, endpoint, *map(str, words)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise harness.Failed("dynamodb_client.py %s:\n%s" % (words[0], done.stderr[-2000:]))
    return json.loads(done.stdout)


def run(bench):
    import servers
    rows = bench.size(50000, 10000)
    source = bench.flat(rows, columns=10)
    ours, boto, raw = [], [], []
    try:
        servers.cache.get("dynoxide")
        servers.cache.get("boto3")
    except servers.Unavailable as fault:
        yield harness.fact(NAME, "not measured", str(fault))
        return
    for name, value in servers.aws_environment(bench.scratch).items():
        if name == "HOME":
            continue
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    for _ in range(bench.repeat):
        with servers.Server("dynoxide") as server:
            one = bench.measure(bench.migrate(
                "--plan", bench.plans + "/flat_dynamodb.yaml", "--jobs", "1", "sqlite:" + source,
                "dynamodb://us-east-1?connections=%d&endpoint=%s" % (CONNECTIONS, server.endpoint)))
            found = client(servers, server.endpoint, "count", TABLE)["items"]
            if found != rows:
                raise harness.Failed("%d items are in the table, not %d" % (found, rows))
            ours.append(one)
            raw.append(client(servers, server.endpoint, "raw", source, rows, CONNECTIONS))
            boto.append(client(servers, server.endpoint, "batch_writer", source, rows))
    cpu = harness.median(ours, harness.cpu_s) * 1000 / rows
    boto_cpu = statistics.median(one["cpu_s"] for one in boto) * 1000 / rows
    raw_rate = statistics.median(rows / one["wall_s"] for one in raw)
    rate = rows / harness.median(ours, harness.wall_s)
    yield harness.at_most(NAME, "processor time by 1,000 items, against boto3's batch writer",
                          cpu / boto_cpu, 1 / 16, "x", "%.3f")
    yield harness.fact(NAME, "the same in seconds", "%.4f s, boto3 %.4f s, signed beforehand %.4f s" % (
        cpu, boto_cpu, statistics.median(one["cpu_s"] for one in raw) * 1000 / rows))
    yield harness.Row(NAME, "items by second, against requests signed beforehand on %d connections" % CONNECTIONS,
                      "%.2f x (%s items/s)" % (rate / raw_rate, format(int(rate), ",")), ">= 0.90 x",
                      rate / raw_rate >= 0.9)
    yield harness.memory(NAME, ours)
