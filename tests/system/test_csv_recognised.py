"""What a CSV file says of its own dialect: delimiter, header and encoding are recognised and told, or refused when in
doubt, and an option of the URI always wins.
"""
import gzip
import signal
import subprocess
import unittest

import support
from test_csv import CsvTestCase


class RecognisedTestCase(CsvTestCase):
    def read(self, contents, options="", name="t.csv"):
        """(names, rows) as they come into a database, and the program's output."""
        self.put(name, contents)
        self.number = getattr(self, "number", 0) + 1
        copy = "copy%d.db" % self.number
        result = self.migrate("csv:%s%s" % (name, options), copy)
        return (tuple(self.declared(copy)), self.rows(copy)), result

    def refused(self, contents, *words, options="", name="t.csv"):
        self.put(name, contents)
        result = self.migrate("csv:" + name + options, "never.db", code=2)
        for word in (name,) + words:
            self.assertIn(word, " ".join(result.err.split()))
        return result


class Delimiters(RecognisedTestCase):
    def test_each(self):
        for mark, word in ((";", "semicolon"), ("\t", "tab"), ("|", "pipe"), (",", "comma")):
            for end in ("\n", "\r\n"):
                for encoding in ("utf-8", "utf-8-sig", "utf-16"):
                    with self.subTest(word=word, end=end, encoding=encoding):
                        text = mark.join(("id", "name", "price")) + end + mark.join(("1", "\u00c4nne",
                            "\"2,5;x|\ty\"")) + end
                        found, result = self.read(text.encode(encoding))
                        self.assertEqual(found, (("id", "name", "price"), [(1, "\u00c4nne", "2,5;x|\ty")]))
                        self.assertEqual("recognised delimiter=" + word in result.err, mark != ",")
                        check = self.run_program("check", "csv:t.csv", "none.db")
                        wanted = "UTF-16LE" if encoding == "utf-16" else "utf-8"
                        self.assertIn("t: recognised delimiter=%s, header=yes, encoding=%s" % (word, wanted),
                                      " ".join(check.out.split()))

    def test_quotes_with_other_delimiters_in_them(self):
        found, _ = self.read("a;b\n\"1,2,3\";\"x|y\"\n\"4,5,6\";\"z\n;w|\"\n")
        self.assertEqual(found, (("a", "b"), [("1,2,3", "x|y"), ("4,5,6", "z\n;w|")]))

    def test_quotes_with_another_delimiter_on_each_line(self):
        found, _ = self.read("name;note, free text\n" + "Ann;\"l1, a\nl2, b\nl3, c\nl4, d\nl5, e\"\n" * 15)
        self.assertEqual(found, (("name", "note, free text"), [("Ann", "l1, a\nl2, b\nl3, c\nl4, d\nl5, e")] * 15))

    def test_decimal_commas(self):
        found, _ = self.read("name;price\na;1,5\nb;2,25\n")
        self.assertEqual(found, (("name", "price"), [("a", "1,5"), ("b", "2,25")]))

    def test_one_column(self):
        found, _ = self.read("note\nhello; you\nplain\n")
        self.assertEqual(found, (("note",), [("hello; you",), ("plain",)]))

    def test_ragged_records_of_commas_are_rejects_as_ever(self):
        self.put("t.csv", "a,b\n1\n2\n3,x\n4\n5\n")
        self.migrate("csv:t.csv", "copy.db", code=1)
        self.assertEqual(self.rows(), [(3, "x")])

    def test_a_damaged_record_decides_nothing(self):
        self.put("t.csv", "a;b\n" + "".join("%d;x\n" % i for i in range(20)) + "21;x;y,z\n")
        self.migrate("csv:t.csv", "copy.db", code=1)
        self.assertEqual(len(self.rows()), 20)
        self.assertIn("t.csv:22: the record has 3 fields and not 2", self.reasons()[0])

    def test_doubt(self):
        self.refused("a,b;c\n1,2;3\n", "what separates its fields is in doubt",
                     "comma (2 columns in 2 of its first 2 records) or semicolon (2 columns", "?delimiter=semicolon")
        for option, names in (("comma", ("a", "b;c")), ("semicolon", ("a,b", "c")), ("pipe", ("a,b;c",))):
            found, _ = self.read("a,b;c\n1,2;3\n", "?delimiter=" + option)
            self.assertEqual(found[0], names)
        # a question with a semicolon over a column of prose
        self.refused("what; why\n" + "some words\n" * 9, "semicolon (2 columns in 1 of its first 10 records)",
                     "?delimiter=comma")

    def test_excel_says_it(self):
        for end in ("\n", "\r\n"):
            for encoding in ("utf-8", "utf-8-sig", "utf-16"):
                with self.subTest(end=end, encoding=encoding):
                    text = end.join(("sep=;", "id;name,first", "1;x", "", "2;y", ""))
                    found, result = self.read(text.encode(encoding))
                    self.assertEqual(found, (("id", "name,first"), [(1, "x"), (2, "y")]))
                    self.assertIn("recognised delimiter=semicolon", result.err)
        found, _ = self.read("sep=\t\na\tb\n1\t2\n")
        self.assertEqual(found, (("a", "b"), [(1, 2)]))
        # lines count on, and the option wins
        self.put("t.csv", "sep=;\na;b\n1;2\n3\n")
        self.migrate("csv:t.csv", "lines.db", code=1)
        self.assertIn("t.csv:4: the record has 1 fields", self.reasons()[0])
        found, _ = self.read("sep=;\na|b;c\n1|2;3\n", "?delimiter=pipe")
        self.assertEqual(found, (("a", "b;c"), [(1, "2;3")]))
        found, _ = self.read("sep=;\n1;2\n3;4\n", "?header=no")
        self.assertEqual(found, (("c1", "c2"), [(1, 2), (3, 4)]))

    def test_excel_s_line_alone(self):
        self.refused("sep=;\n", "not even the names of columns", name="alone.csv", options="?types=")

    def test_what_the_program_wrote_is_not_guessed_at(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(\"sep=;\" TEXT); INSERT INTO t VALUES ('a'), ('b');")
        self.migrate("a.db", "csv:out")
        result = self.migrate("csv:out", "back.db")
        self.assertEqual((tuple(self.declared("back.db")), self.rows("back.db")), (("sep=;",), [("a",), ("b",)]))
        self.assertNotIn("recognised", result.err)

    def test_the_first_file_decides_for_a_table(self):
        self.put("in/t/a.csv", "")
        self.put("in/t/b.csv.gz", gzip.compress(b"x;y\n1;2\n"))
        self.put("in/t/c.csv", "sep=;\ny;x\n3;4\n")
        self.migrate("csv:in", "copy.db")
        self.assertEqual(self.rows(), [(1, 2), (4, 3)])
        self.put("in/t/d.csv", "x,y\n5,6\n")
        result = self.migrate("csv:in", "other.db", code=2)
        self.assertIn("d.csv", result.err)

    def test_standard_input(self):
        result = subprocess.run([support.PROGRAM, "migrate", "csv:-?table=t", "copy.db"], input=b"sep=|\na|b\n1|x;y\n",
                                cwd=self.folder, timeout=60 * support.PATIENCE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=support.environment_with({}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.rows(), [(1, "x;y")])

    def test_a_killed_run_resumes_with_the_same(self):
        self.put("t.csv", "sep=;\r\nid;v\r\n" + "".join("%d;\"a;\r\n%d\"\r\n" % (i, i) for i in range(20000)))
        for point, hit in (("engine.after_commit", 3), ("engine.before_commit", 7)):
            with self.subTest(point=point):
                copy, state = "kill-%d.db" % hit, "kill-%d" % hit
                killed = support.kill_at(point, hit, "migrate", "--state", state, "--chunk-rows", "500", "csv:t.csv",
                                         copy, cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                self.run_program("resume", "--state", state, "csv:t.csv", copy)
                self.assertEqual(self.rows(copy, order="id"), [(i, "a;\r\n%d" % i) for i in range(20000)])
                self.run_program("validate", "--state", state, "csv:t.csv", copy)


class Headers(RecognisedTestCase):
    def test_values_are_no_names(self):
        for line in ("1,2", "2024-01-31,5", "31.01.2024 10:00,\"1,5\"", "1,", "2019", "-3,1.5 %,,7"):
            with self.subTest(line=line):
                contents = line + "\n" + line + "\n"
                self.refused(contents, "its first line looks like values", "?header=no", "?header=yes",
                             options="?delimiter=comma")
        found, _ = self.read("1,2\n3,4\n", "?header=no")
        self.assertEqual(found, (("c1", "c2"), [(1, 2), (3, 4)]))
        found, _ = self.read("1,2\n3,4\n", "?header=yes")
        self.assertEqual(found, (("1", "2"), [(3, 4)]))

    def test_one_name_is_enough(self):
        for line, names in ((",2019,total", ("c1", "2019", "total")), ("id,2024-01-31", ("id", "2024-01-31"))):
            found, _ = self.read(line + "\n" + line.replace("total", "3") + "\n")
            self.assertEqual(found[0], names)

    def test_equal_names(self):
        self.refused("a,b,a\n1,2,3\n", "two columns are called \"a\"", "?header=no")


class Encodings(RecognisedTestCase):
    def test_another_one_is_refused(self):
        text = "id,name\n1,M\u00fcller\n2,plain\n3,Andr\u00e9\n"
        self.refused(text.encode("cp1252"), "its text is not UTF-8", "in line 4", "?encoding=windows-1252")
        found, _ = self.read(text.encode("cp1252"), "?encoding=windows-1252")
        self.assertEqual(found[1], [(1, "M\u00fcller"), (2, "plain"), (3, "Andr\u00e9")])

    def test_late_ones_too(self):
        text = "id,name\n" + "1,plain\n" * 5000 + "2,M\u00fcller\n3,Andr\u00e9\n"
        self.refused(text.encode("latin1"), "in line 5003", "?encoding=")

    def test_damage_within_utf8_is_a_reject(self):
        self.put("t.csv", "id,name\n1,M\u00fcller\n".encode() + b"2,\xfc\n3,\xe9\n")
        self.migrate("csv:t.csv", "copy.db", code=1)
        self.assertEqual(self.rows(), [(1, "M\u00fcller")])

    def test_utf16_without_a_mark(self):
        for encoding in ("utf-16-le", "utf-16-be"):
            contents = "id;name\n1;x\n".encode(encoding)
            option = "?encoding=" + encoding.replace("-16-", "-16")
            self.refused(contents, "looks like UTF-16", option)
            found, _ = self.read(contents, option)
            self.assertEqual(found, (("id", "name"), [(1, "x")]))


if __name__ == "__main__":
    unittest.main()
