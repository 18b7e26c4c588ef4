"""What tests of large values in SQL servers share: out to SQLite, across to the same server, and back in, within so much memory."""
import json
import os
import sys

import support

PEAK_SCRIPT = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); " \
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"


class LargeValues(support.TestCase):
    """Peak memory of the program, as getrusage tells it."""
    SERVERS = None         # the module that starts one
    SETTINGS = None
    TOLD = ""              # asks for what is in table big, in order
    # of the largest value that a row on its way may take
    ROWS_HELD = {"out": 0, "across": 0, "in": 0}
    LIMIT_MIB = 96
    SLICED = (24, 6 << 20)  # so many values, each more than a block

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls, settings=cls.SETTINGS)

    def fill(self, name, count, bytes_each):
        """Table big (id, t, b): texts of two-byte letters in even rows, bytes in odd ones, NULL else."""
        raise NotImplementedError

    def migrate(self, source, target, *options):
        result = support.finish(support.subprocess.Popen(
            [sys.executable, "-c", PEAK_SCRIPT, support.PROGRAM, "migrate", "-q", *options, source, target], cwd=self.folder,
            stdin=support.subprocess.DEVNULL, stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE), 300)
        self.assert_code(result, 0)
        return int(result.out.split()[-1]) >> 10

    def there_and_back(self, count, bytes_each):
        source, back = self.server.database(), self.server.database()
        self.fill(source, count, bytes_each)
        told = self.server.ask(source, self.TOLD)
        self.assertEqual(len(told), count)
        peaks = {"out": self.migrate(self.server.uri(source), "sqlite:big.db", "--jobs", "1"),
                 "across": self.migrate(self.server.uri(source), self.server.uri(self.server.database()), "--jobs", "1",
                                        "--no-express", "--state", "across"),
                 "in": self.migrate("sqlite:big.db", self.server.uri(back), "--jobs", "1", "--state", "back")}
        self.assertEqual(told, self.server.ask(back, self.TOLD))
        print("%d values of %d MiB: %s MiB resident" % (count, bytes_each >> 20, peaks), file=sys.stderr)
        with open(self.path("across", "report.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["entities"][0]["bytes"], count * bytes_each // 2)
        self.run_program("validate", "--state", "across", "--level", "full", time_limit=300)
        for way, peak in peaks.items() if not os.environ.get("TRANSHUME_SANITIZE") else ():
            self.assertLess(peak, self.LIMIT_MIB + (self.ROWS_HELD[way] * bytes_each >> 20), way)
        os.remove(self.path("big.db"))

    def test_many_of_one_mib(self):
        self.there_and_back(1000 if support.SOAK else 60, 1 << 20)

    def test_many_that_go_in_slices(self):
        """What is kept of each while it is read is not kept for all of a batch."""
        count, bytes_each = self.SLICED
        self.there_and_back(5 * count if support.SOAK else count, bytes_each)

    def test_some_of_a_hundred_mib(self):
        self.there_and_back(10 if support.SOAK else 2, 100 << 20 if support.SOAK else 40 << 20)
