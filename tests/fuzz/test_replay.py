"""Each fuzz target over its kept inputs: no crash, no property broken; under sanitizers no leak either."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, os.path.dirname(HERE))
import support
from runner import parts

CORPUS_BYTES_MAX = 24 << 10
TARGETS = sorted(name[5:] for name in parts.sources(HERE, "fuzz_"))
# Of a module that is built only where its library is, and of parts that the build leaves out.
LACKING = {"parquet", "arrow"} - {name for name in TARGETS if os.path.exists(os.path.join(support.BUILD, name + ".so"))}
LACKING |= set(TARGETS) - {name[5:] for name in parts.sources(HERE, "fuzz_", support.BUILD)}


class Replay(unittest.TestCase):
    def corpus(self, target):
        folder = os.path.join(HERE, "corpus", target)
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    def test_each_target_over_its_corpus(self):
        self.assertEqual(sorted(os.listdir(os.path.join(HERE, "corpus"))), TARGETS)
        for target in sorted(set(TARGETS) - LACKING):
            with self.subTest(target=target):
                inputs = self.corpus(target)
                done = subprocess.run([os.path.join(support.BUILD, "fuzz_" + target), *inputs],
                                      stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120 * support.PATIENCE,
                                      check=False)
                self.assertEqual((done.returncode, done.stdout.decode()), (0, "%d inputs\n" % len(inputs)),
                                 done.stderr.decode("utf-8", "replace")[-3000:])

    def test_corpora_stay_small(self):
        for target in TARGETS:
            size = sum(map(os.path.getsize, self.corpus(target)))
            self.assertTrue(0 < size <= CORPUS_BYTES_MAX, "%s: %d bytes" % (target, size))


if __name__ == "__main__":
    unittest.main()
