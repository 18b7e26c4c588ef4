"""`--read-units-per-second` of a validation with DynamoDB on a side: what it reads until any moment is no more than the
cap allows.

The server's own figures of what each answer took are counted, where the proxy sees it go by. Nothing has to be quick: a
slow machine
reads less.
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import items
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy

COUNT, SAMPLE, CAP = 400, 150, 40
READS = ("Scan", "BatchGetItem", "GetItem", "Query")


class Units(DynamodbCase):
    def proxy(self):
        """One that keeps what each answer took: (seconds, units)."""
        proxy = FaultProxy(self.server.endpoint).__enter__()
        self.addCleanup(proxy.__exit__, None, None, None)
        taken = []

        def count(answer):
            units = answer.get("ConsumedCapacity", [])
            taken.append((time.monotonic(), sum(one["CapacityUnits"]
                                                for one in (units if isinstance(units, list) else [units]))))
        proxy.add("rewrite", operation=READS, table="herd", change=count)
        return proxy, taken

    def test_what_it_reads_stays_below_the_cap(self):
        """All of them at once, since they mostly wait."""
        items.create(self.client, "herd", read=1000)
        items.put(self.client, "herd", [{"id": {"S": "%d" % n}, "text": {"S": "x" * 3900}} for n in range(COUNT)])
        uri = self.uri()
        self.run_aws("migrate", "-q", "--state", "from", uri, "jsonl:out")
        self.run_aws("migrate", "-q", "--state", "to", "--existing", "replace", "jsonl:out", uri)
        runs = []
        for way, level in (("from", "hash"), ("to", "full"), ("to", "sample")):
            proxy, taken = self.proxy()
            through = self.uri(proxy.endpoint)
            ends = (through, "jsonl:out") if way == "from" else ("jsonl:out", through)
            process = support.start("validate", "--json", "--state", way + "-" + level, "--level", level, "--sample",
                                    str(SAMPLE), "--jobs", "2",
                                    "--read-units-per-second", str(CAP), *ends, cwd=self.folder,
                                    env=servers.aws_environment(self.folder))
            self.addCleanup(self.end, process)
            runs.append((way, level, taken, process))
        for way, level, taken, process in runs:
            with self.subTest(way=way, level=level):
                self.assert_code(support.finish(process), 0)
                # the server's figures: half a unit an item of a page, a unit one that is asked for by its key
                self.assert_kept(taken, SAMPLE if level == "sample" else COUNT * 0.4)

    def assert_kept(self, taken, wanted):
        """A second's worth is there at once, and the last requests before a wait may owe another second's."""
        self.assertGreaterEqual(sum(units for _, units in taken), wanted)
        begun, total = taken[0][0], 0
        for seconds, units in taken:
            self.assertLessEqual(total, CAP * (2 + seconds - begun), taken)
            total += units


if __name__ == "__main__":
    unittest.main()
