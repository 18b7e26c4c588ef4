"""Indentation, options of other tools, and a home whose contents change no test."""
import os
import unittest

import support

PLAN = "transhume: 1\nsource: s.db\ntarget: t.db\n"


class Indentation(support.TestCase):
    def told(self, text):
        self.write("plan.yaml", text)
        return self.run_program("check", "-p", "plan.yaml", code=2).err

    def test_the_line_and_the_depths_that_fit(self):
        for text, place, what in (
                ("tables:\n  u:\n    from: u\n   fields: { id: copy }\n", "7:4",
                 "by 3, and the lines above by 0, 2 or 4"),
                ("tables:\n  u:\n    from: u\n    fields:\n      id: copy\n     x: copy\n", "9:6", "by 0, 2, 4 or 6"),
                ("tables:\n  u:\n    from: u\n      existing: skip\n", "7:15", "by 6, more than line 6 (4)"),
                ("tables:\nu:\n  from: u\n", "4:8", "indent what belongs to it"),
                ("tables:\n  u:\n\tfrom: u\n", "6:1", "with spaces, not with tabs")):
            told = self.told(PLAN + text)
            self.assertIn("plan.yaml:%s: " % place, told)
            self.assertIn(what, told)

    def test_other_faults_keep_their_hints(self):
        self.assertIn("quote a text that contains ': '", self.told(PLAN + "tables:\n  u:\n    from: a: b\n"))
        self.assertIn("check indentation", self.told(PLAN + "tables: { u: { from: u }\n  x\n"))


class Options(support.TestCase):
    def test_names_of_other_tools(self):
        for name, ours in (("overwrite", "existing"), ("drop", "existing"), ("batch-size", "chunk-rows")):
            told = self.run_program("migrate", "--" + name, "s.db", "t.db", code=2).err
            self.assertIn("Did you mean --%s?" % ours, told)


class Home(unittest.TestCase):
    def test_it_is_the_module_s_own_and_empty(self):
        """Weights, connections and settings in the user's home would change what the suite does."""
        home = os.environ["HOME"]
        self.assertEqual(home, os.environ["TMPDIR"] + "-home")
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            self.assertTrue(os.environ["XDG_%s_HOME" % name].startswith(home + "/"), name)
        self.assertEqual([name for _, _, names in os.walk(home) for name in names if "transhume" in name], [])
        self.assertFalse(os.environ["SERVERS_CACHE"].startswith(home))


if __name__ == "__main__":
    unittest.main()
