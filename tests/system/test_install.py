"""What `make install` puts under DESTDIR: it works there, and its pages lead to each other."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support
import test_docs

# Links into the source are for those who have it.
LINK_TO_PAGE = re.compile(r"(?![a-z]+:)[^#]+\.(md|png|yaml)(#|$)")


class Install(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = tempfile.mkdtemp(prefix="install-")
        cls.addClassCleanup(shutil.rmtree, root)
        subprocess.run(["meson", "install", "-C", support.BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                       check=True, stdout=subprocess.DEVNULL)
        [program] = glob.glob(os.path.join(root, "**", "bin", "transhume"), recursive=True)
        cls.prefix = os.path.dirname(os.path.dirname(program))

    def installed(self, *names):
        return os.path.join(self.prefix, *names)

    def call(self, *command):
        return subprocess.run(command, cwd=self.folder, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE,
                              timeout=60 * support.PATIENCE).stdout

    def test_it_works_where_it_was_installed(self):
        transhume = self.installed("bin", "transhume")
        self.call(self.installed("bin", "musicshop"), "shop.db")
        self.assertRegex(self.call(transhume, "migrate", "shop.db", "copy.db"), r"(?m)^Track +3,500 +3,500 ")
        self.assertIn("exactly once", self.call(transhume, "connectors", "postgres"))  # a module of ../lib/transhume

    def test_the_shells_and_man_find_theirs(self):
        for name in ("man/man1/transhume.1", "bash-completion/completions/transhume", "zsh/site-functions/_transhume",
                     "fish/vendor_completions.d/transhume.fish"):
            self.assertGreater(os.path.getsize(self.installed("share", name)), 1000, name)

    def test_pages_lead_to_each_other(self):
        place = self.installed("share", "doc", "transhume")
        pages = glob.glob(os.path.join(place, "**", "*.md"), recursive=True)
        for name in ("README.md", "docs/guide.md", "docs/types/sqlite.md", "examples/README.md", "LICENSE"):
            self.assertTrue(os.path.exists(os.path.join(place, name)), name)
        source_pages = [page for page in test_docs.pages() if os.path.dirname(page) != os.path.join(support.ROOT,
            "examples")]
        self.assertGreaterEqual(len(pages), len(source_pages))
        count = 0
        for page in pages:
            for target in test_docs.LINK.findall(test_docs.CODE.sub("", test_docs.read(page))):
                if LINK_TO_PAGE.match(target):
                    path = os.path.join(os.path.dirname(page), target.partition("#")[0])
                    self.assertTrue(os.path.exists(path), "%s: %s" % (os.path.relpath(page, place), target))
                    count += 1
        self.assertGreater(count, 40)

    def test_nothing_but_pages_plans_and_the_example(self):
        place = self.installed("share", "doc", "transhume")
        found = {os.path.splitext(name)[1] for _, _, names in os.walk(place) for name in names}
        # their terms, where their modules are
        self.assertEqual(found - {".carquet", ".nanoarrow"}, {".md", ".png", ".yaml", ".service", ".c", ""})
        self.assertFalse(shutil.which("generate", path=os.path.join(place, "docs")))


if __name__ == "__main__":
    unittest.main()
