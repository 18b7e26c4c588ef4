"""transhume analyze, the path by names: clusters of column names, their files, and changes by hand."""
import json
import os
import re
import struct
import sys
import unittest
import zlib

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import cache  # noqa: E402

NAMES = os.path.join(support.ROOT, "tests", "data", "design", "chinook.txt")
FILES = {"cassandra_migration_visualization.png", "embedding_suggested_tables.json", "clusters.yaml",
         "cassandra_schema.cql", "transhume.yaml",
         "report.html", "report.md"}
PICTURE = "out/cassandra_migration_visualization.png"
STEPS = ["[1/6] Reading the schema", "[2/6] Assuming queries", "[3/6] Turning names into vectors",
         "[4/6] Clustering them", "[5/6] Designing tables",
         "[6/6] Writing files"]


def weights():
    try:
        return os.path.dirname(cache.get("minilm"))
    except cache.Unavailable as why:
        raise unittest.SkipTest("no weights of the embedding model: %s" % why) from None


def chunks(png):
    """{type: contents} of a PNG whose check sums are right."""
    at, found = 8, {}
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        contents = png[at + 8:at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length:at + 12 + length])[0] == zlib.crc32(kind + contents)
        found.setdefault(kind, contents)
        at += 12 + length
    return found


class NamesTestCase(support.TestCase):
    environment = {}

    def setUp(self):
        super().setUp()
        with open(NAMES, encoding="utf-8") as file:
            self.columns = file.read().split()
        self.write("names.json", json.dumps(self.columns))

    def analyze(self, *arguments, source="names.json", out="out", code=0, env=None, given=None):
        options = dict(self.environment, **(env or {}))
        if given is None:
            return self.run_program("analyze", source, *arguments, "--out", out, code=code, env=options)
        self.write("given", given)
        with open(self.path("given"), "rb") as stdin:
            done = support.finish(support.start("analyze", source, *arguments, "--out", out, cwd=self.folder,
                                                env=options, stdin=stdin))
        self.assert_code(done, code)
        return done

    def read(self, name, mode="r"):
        with open(self.path(name), mode, encoding=None if "b" in mode else "utf-8") as file:
            return file.read()

    def clusters(self, out="out"):
        """{name: columns} as the file has them."""
        found = {}
        for line in self.read(out + "/clusters.yaml").splitlines():
            if line.startswith("  - name: "):
                columns = found.setdefault(json.loads(line[10:]), [])
            elif line.startswith("      - "):
                columns.append(json.loads(line[8:]))
        return found


class Names(NamesTestCase):
    @classmethod
    def setUpClass(cls):
        cls.environment = {"TRANSHUME_WEIGHTS": weights()}

    def test_a_list_of_names(self):
        done = self.analyze("--vectors", "vectors.json")
        self.assertEqual(done.err.splitlines(), STEPS)
        self.assertLessEqual(FILES, set(os.listdir(self.path("out"))))
        found = self.clusters()
        self.assertEqual(len(found), len({name.split(".")[0] for name in self.columns}))
        self.assertEqual(sorted(sum(found.values(), [])), sorted(self.columns))
        vectors = json.loads(self.read("vectors.json"))
        self.assertEqual((set(vectors), {len(vector) for vector in vectors.values()}), (set(self.columns), {384}))
        self.assertAlmostEqual(sum(value * value for value in vectors[self.columns[0]]), 1, 5)
        again = self.analyze("--quiet")
        self.assertEqual((again.out, again.err, self.clusters()), (done.out, "", found))

    def test_the_picture(self):
        self.analyze()
        png = self.read(PICTURE, "rb")
        found = chunks(png)
        self.assertEqual(struct.unpack(">II", found[b"IHDR"][:8]), (2400, 1650))
        self.assertEqual(struct.unpack(">IIB", found[b"pHYs"]), (5906, 5906, 1))
        page = self.read("out/report.html")
        self.assertRegex(page,
                         '<img class="names" alt="Scatter of 64 columns in 11 clusters: [^"]+" '
                         'src="data:image/png;base64,')
        self.assertNotIn("had no room", page)
        self.assertIn("](cassandra_migration_visualization.png)", self.read("out/report.md"))

    def test_suggested_tables(self):
        self.analyze("--naming", "classic")
        tables = json.loads(self.read("out/embedding_suggested_tables.json"))["tables"]
        self.assertEqual(len(tables), 11)
        sources = [column["source"] for table in tables for column in table["columns"] if "added" not in column]
        self.assertEqual(sorted(sources), sorted(self.columns))
        for table in tables:
            columns = {column["name"]: column["source"] for column in table["columns"]}
            self.assertRegex(table["name"], "^[a-z_]+_data(_[0-9]+)?$")
            self.assertEqual({name: source.replace(".", "_") for name, source in columns.items()},
                             {name: name for name in columns})
            key = table["key"]["partition"] + table["key"]["clustering"]
            self.assertTrue(table["key"]["partition"])
            self.assertLessEqual(set(key), set(columns))
            self.assertTrue(0 <= table["confidence"] <= 1 and table["why"])
        self.analyze(out="plain")
        self.assertNotIn("_data", self.read("plain/embedding_suggested_tables.json"))
        self.assertNotEqual(self.read("plain/cassandra_schema.cql"), self.read("out/cassandra_schema.cql"))

    def test_algorithms(self):
        self.analyze("--algorithm", "agglomerative", "--clusters", "5", out="five")
        self.assertEqual(len(self.clusters("five")), 5)
        self.analyze("--clusters", "auto", out="auto")
        self.assertTrue(2 <= len(self.clusters("auto")) <= 22)
        self.analyze("--algorithm", "dbscan", out="dense")
        self.assertRegex(self.read("dense/clusters.yaml"), r"(?s)clusters:.*unclustered:\n  - ")
        for count in ("0", "many", "-3"):
            self.assertIn("--clusters", self.analyze("--clusters", count, code=2).err)

    def test_changes_are_kept(self):
        self.analyze("--merge", "Track,Artist", "--rename", "Track=records", "--move", "Genre.Name=records", "--split",
                     "records", "--rename",
                     "records=first half")
        found = self.clusters()
        self.assertEqual(len(found), 11)
        self.assertNotIn("records", found)
        first = self.read("out/clusters.yaml")
        self.assertRegex(self.read("out/report.html"), r"Scatter[^\"]*first half \(")
        self.analyze()
        self.assertEqual(self.read("out/clusters.yaml"), first)
        self.analyze("--clusters", "3")
        self.assertEqual(self.read("out/clusters.yaml.old"), first)
        self.assertEqual(len(self.clusters()), 3)

    def test_wrong_changes(self):
        for option, text, told in (("--move", "Track.Nam=Artist", "did you mean `Track.Name`"),
                                   ("--move", "Track.Name", "table.column=CLUSTER"),
                                   ("--merge", "Track,Artis", "did you mean `Artist`"),
                                   ("--split", "nothing", "is no cluster")):
            done = self.analyze(option, text, code=2)
            self.assertIn(told, done.err)
            self.assertIn(option, done.err)
            self.assertFalse(os.path.exists(self.path("out", "clusters.yaml")))
        self.write("names.json", '["t.Name", "t.name"]')
        self.assertIn("can't be split", self.analyze("--split", "t", code=2).err)

    def test_the_file_is_edited_and_the_schema_changes(self):
        self.analyze()
        text = self.read("out/clusters.yaml").replace('- name: "Track"', "- name: Tracks & more")
        self.write("out/clusters.yaml", text)
        self.write("names.json", json.dumps([name for name in self.columns
                                             if name != "Track.Composer"] + ["Track.Lyricist"]))
        done = self.analyze()
        self.assertRegex(done.err, r"out/clusters\.yaml:\d+:\d+: Track\.Composer is no column of the source any more")
        self.assertRegex(done.err, r"out/clusters\.yaml: Track\.Lyricist is new, and put into ")
        self.assertIn("Tracks & more", self.clusters())
        self.write("out/clusters.yaml", "clusters: 5\n")
        self.assertRegex(self.analyze(code=2).err, r"clusters\.yaml:1:\d+")
        self.write("out/clusters.yaml", "clusters:\n  - name: a\n    columns: [other.x]\n")
        self.analyze()
        self.assertIn("other.x", self.read("out/clusters.yaml.old"))
        self.assertEqual(len(self.clusters()), 11)

    def test_interactive(self):
        done = self.analyze("--interactive",
                            given="show\nmerge Artist,Track\nrename Artist=Music\nundo\nfoo\nwrite\nsplit "
                                  "Artist\nquit\n")
        self.assertIn("foo is no command", done.out)
        self.assertIn("written to out/clusters.yaml", done.out)
        self.assertIn("1 change dropped, not written", done.out)
        self.assertRegex(done.out, r" 1 \w+ \(\d+\)\n     \w+\.\w+\n")
        found = self.clusters()
        self.assertEqual(len(found), 10)
        self.assertLess({"Album.Title", "Artist.Name"}, set(found["Artist"]))

    def test_names_of_any_script_and_little(self):
        odd = ["größe.größe_id", "注文.顧客番号", "заказ.клиент", "طلب.عميل", "a=b.c,d", "x.y\"z", "one.one"]
        self.write("names.json", json.dumps(odd, ensure_ascii=False))
        self.analyze(out="odd")
        self.assertEqual(sorted(sum(self.clusters("odd").values(), [])), sorted(odd))
        self.write("names.json", '["one.column"]')
        self.analyze("--clusters", "auto", out="one")
        self.assertEqual(self.clusters("one"), {"one": ["one.column"]})
        self.write("names.json", '["a.id", "a.id", "a.name"]')
        self.assertIn("a.id is there twice", self.analyze(out="twice").err)
        self.assertEqual(self.clusters("twice"), {"a": ["a.id", "a.name"]})

    def test_too_many_columns(self):
        self.write("names.json", json.dumps(["t%d.c%d" % (at // 500, at) for at in range(10001)]))
        done = self.analyze()
        self.assertIn("no clusters of names: 10001 columns are more than the 10000 that can be clustered by "
                      "their names", done.err)
        self.assertFalse(os.path.exists(self.path(PICTURE)))
        self.assertTrue(os.path.exists(self.path("out/report.html")))

    def test_a_database(self):
        support.musicshop(self.path("shop.db"))
        self.analyze(source="shop.db")
        tables = json.loads(self.read("out/embedding_suggested_tables.json"))["tables"]
        self.assertTrue(any(re.search("declared, 100 % sure", table["why"]) for table in tables))


class WithoutWeights(NamesTestCase):
    def setUp(self):
        super().setUp()
        self.environment = {"TRANSHUME_WEIGHTS": self.path("nowhere")}

    def test_the_rest_works(self):
        done = self.analyze()
        told = [line for line in done.err.splitlines() if not line.startswith("[")]
        self.assertEqual(len(told), 1, told)
        self.assertIn("`make weights`", told[0])
        self.assertFalse(os.path.exists(self.path(PICTURE)))
        self.assertTrue(os.path.exists(self.path("out/report.html")))
        self.assertEqual(self.analyze("--quiet").err, "")

    def test_what_was_asked_for_fails(self):
        done = self.analyze("--interactive", code=1)
        self.assertIn("make weights", done.err)
        self.assertTrue(os.path.exists(self.path("out/report.html")))
        done = self.analyze("--weights", self.path("there"), out="none", code=2)
        self.assertIn("make weights", done.err)
        self.assertFalse(os.path.exists(self.path("none")))


if __name__ == "__main__":
    unittest.main()
