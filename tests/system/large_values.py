"""What tests of large values in SQL servers share: out to SQLite, across to the same server, and back in, within so much memory."""
import json
import os
import sys

import support

PEAK_SCRIPT = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); " \
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"


class Measured(support.TestCase):
    """Peak memory of the program, as getrusage tells it."""
    def measured(self, *arguments):
        """The result, whatever it is, and the peak."""
        result = support.finish(support.subprocess.Popen(
            [sys.executable, "-c", PEAK_SCRIPT, support.PROGRAM, *arguments], cwd=self.folder,
            stdin=support.subprocess.DEVNULL, stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE), 300)
        return result, int(result.out.split()[-1]) >> 10

    def peak_mib(self, *arguments):
        result, peak = self.measured(*arguments)
        self.assert_code(result, 0)
        return peak


class LargeValues(Measured):
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
        return self.peak_mib("migrate", "-q", *options, source, target)

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


LOOKS = """transhume: 1
source: "%s"
target: "jsonl:out?tags=no&record_bytes=256MiB"
tables:
  looks:
    key: [id]
    from: big
    where: "t IS NULL OR substr(t, 7, 1) NOT IN ('2', '5')"
    fields:
      id: copy
      json: { column: t, cast: json }
      map: { column: t, cast: map }
      seen: { column: id, when: "length(t) > 3000" }
      length: { sql: "length(t) + length(b)", cast: int64 }
      text: { column: b, cast: text }
      straight: { column: t }
"""


class LookedAt(Measured):
    """Casts and expressions see a value that comes in pieces as they see a small one. Expected results are made here."""
    LETTERS = "\u00e9\U0001f411x"
    LARGE_BYTES = 0  # more than what comes whole

    def text_of(self, number):
        return '{"id":%d,"pad":["%s"]}' % (number, self.LETTERS * self.repeats(number))

    def repeats(self, number):
        return self.LARGE_BYTES // len(self.LETTERS.encode()) + 1 if number in (1, 2) else number

    def assert_looked_at(self, source):
        """Of table big (id, t, b): rows 1 and 2 large ones, 3 to 5 small ones, 6 NULL; b is t's bytes."""
        self.write("plan.yaml", LOOKS % source)
        self.run_program("migrate", "--plan", "plan.yaml", "--jobs", "1")
        records = []
        for name in os.listdir(self.path("out", "looks")):
            records += map(json.loads, support.read_lines(self.path("out", "looks", name)))
        expected = []
        for number in (1, 3, 4):
            text = self.text_of(number)
            expected.append({"id": number, "json": text, "map": json.loads(text), "length": len(text) + len(text.encode()), "text": text,
                             "straight": text, **({"seen": number} if number == 1 else {})})
        expected.append({"id": 6})
        found = [{name: value for name, value in record.items() if value is not None} for record in sorted(records, key=lambda record: record["id"])]
        self.assertEqual([record["id"] for record in found], [record["id"] for record in expected])
        for one, other in zip(expected, found):
            self.assertEqual(sorted(one), sorted(other))
            for name in one:
                self.assertTrue(one[name] == other[name], "%s of %d: %.100r" % (name, one["id"], other[name]))
