"""Nothing of a folder of migrations is left out without a line, whichever tool's it is; the order of Django's apps."""
import json
import os
import unittest

import support

README = ("README.md", "notes.txt", ".gitkeep", "001_a.sql~", ".001_a.sql.swp", "LICENSE")


class LeftOut(support.TestCase):
    def put(self, files):
        for path in files:
            text = files[path] if isinstance(files, dict) else "SELECT 1;\n"
            os.makedirs(os.path.dirname(self.path("m/" + path)), exist_ok=True)
            self.write("m/" + path, text)

    def status(self, code=0):
        return self.run_program("schema", "status", "--dir", "m", code=code)

    def versions(self):
        return [row["version"] for row in json.loads(self.run_program("schema", "status", "--dir", "m",
            "--json").out)["migrations"]]

    def test_names_that_flyway_passes_over(self):
        """Folders below are read; what is all but named right is a fault, with the files that are read beside it."""
        self.put(["V1__a.sql", "V2_x.sql", "v3__y.sql", "V4__z.SQL", "notes.sql", "V6__code.java", "sub/V5__b.sql",
            "sub/deep/V7_c.sql"])
        told = self.status(code=2)
        for name in ("V2_x.sql", "v3__y.sql", "V4__z.SQL", "notes.sql", "V6__code.java", "sub/deep/V7_c.sql"):
            self.assertIn(name, told.err)
        self.assertEqual(told.out.splitlines(), ["m/V1__a.sql  read", "m/sub/V5__b.sql  read"])

    def test_callbacks_of_flyway(self):
        self.put(["V1__a.sql", "afterMigrate.sql", "sub/beforeEachMigrate__x.sql", "sub/V2__b.sql", "R__v.sql",
            *README])
        told = self.status()
        self.assertEqual(self.versions(), ["1", "2", None])
        self.assertEqual(sorted(line.split(":")[1].strip() for line in told.err.splitlines()), ["m/afterMigrate.sql",
            "m/sub/beforeEachMigrate__x.sql"])
        self.assertIn("a callback of Flyway", told.err)

    def test_flyway_in_folders_alone(self):
        self.put(["one/V1__a.sql", "two/V2__b.sql"])
        self.assertEqual(self.versions(), ["1", "2"])

    def test_own_layout(self):
        self.put(["001_a.sql", "old/000_x.sql", "001_a.sql.bak", "002_x.py", "1975ea83b712_y.py", "003_z.sql.gz",
            "tool.py", *README])
        told = self.status()
        for name in ("old/000_x.sql", "001_a.sql.bak", "002_x.py", "1975ea83b712_y.py", "003_z.sql.gz"):
            self.assertIn("m/%s is left out" % name, told.err)
        self.assertEqual(len(told.err.splitlines()), 5)
        self.put(["002_b.SQL"])
        self.assertIn("m/002_b.SQL", self.status(code=2).err)

    def test_folders_of_code_alone(self):
        """No migration is found: that is no empty folder."""
        for name in ("20240131_users.js", "1975ea83b712_x.py", "20240131120000_users.rb", "0001_a.ts",
            "0001_x/migration.sql.txt", "0001/up.SQL"):
            with self.subTest(name):
                self.put([name])
                self.assertIn("m/" + name, self.status(code=2).err)
                os.remove(self.path("m/" + name))

    def test_goose(self):
        up = "-- +goose Up\nSELECT 1;\n"
        self.put({"00001_a.sql": up, "00002_b.go": "package m\n", "00002_b_test.go": "package m\n", "notes.sql": up,
            "main.go": "package m\n"})
        told = self.status(code=2).err
        self.assertIn("m/00002_b.go:1:1: a migration in Go is not run here", told)
        self.assertIn("m/notes.sql", told)
        self.assertNotIn("main.go", told)

    def test_prisma_sqitch_rails(self):
        self.put(["20240101_a/migration.sql", "20240101_a/extra.sql", "20240102_b/other.sql"])
        told = self.status()
        self.assertIn("m/20240101_a/extra.sql is left out", told.err)
        self.assertIn("m/20240102_b/other.sql is left out", told.err)
        self.assertEqual(self.versions(), ["20240101"])

    def test_django(self):
        """The apps in the order of what they require: their tables, or the Python beside it; not by their names."""
        head = "--\n-- Create model\n--\n"
        made = 'CREATE TABLE "%s" ("id" integer PRIMARY KEY, "t" integer REFERENCES "%s" ("id"));\n'
        self.put({
            "admin/0001_initial.sql": head + made % ("django_admin_log", "auth_user"),
            "admin/0002_more.sql": head + "SELECT 1;\n",
            "auth/0001_initial.sql": head + made % ("auth_user", "django_content_type"),
            "contenttypes/0001_initial.sql": head + 'CREATE TABLE "django_content_type" ("id" integer PRIMARY KEY);\n',
            "blog/0001_initial.sql": head + 'CREATE TABLE "blog_post" ("id" integer PRIMARY KEY);\n',
            "blog/migrations/0001_initial.py": 'class M:\n    dependencies = [\n        # first\n'
                '        ("shop", "0002_last"),\n        (\'auth\', \'__first__\'),\n    ]\n',
            "shop/0001_initial.sql": head + "CREATE TABLE `shop_item` (`id` integer PRIMARY KEY);\n",
            "shop/0002_last.sql": head + "SELECT 1;\n",
        })
        order = self.versions()
        place = {version: order.index(version) for version in order}
        for first, then in (("auth.0001_initial", "admin.0001_initial"), ("contenttypes.0001_initial",
            "auth.0001_initial"),
                            ("shop.0002_last", "blog.0001_initial"), ("auth.0001_initial", "blog.0001_initial"),
                                ("admin.0001_initial", "admin.0002_more")):
            self.assertLess(place[first], place[then], order)
        self.assertEqual(self.status().err, "")
        self.run_program("schema", "up", "sqlite:shop.db", "--dir", "m")


if __name__ == "__main__":
    unittest.main()
