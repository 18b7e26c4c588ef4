"""
What services and jobs rely on: `migrate --resume` may be given again and again; the units and the Job are well formed.
"""
import glob
import os
import shutil
import subprocess
import unittest

import support

SERVICES = os.path.join(support.ROOT, "examples", "service")
KILLED = {"TRANSHUME_FAILPOINT": "engine.before_commit:kill:3"}


class Resume(support.TestCase):
    def setUp(self):
        super().setUp()
        subprocess.run([os.path.join(support.BUILD, "musicshop"), self.path("shop.db")], check=True)
        self.command = ("migrate", "shop.db", "copy.db", "--resume", "--jobs", "1", "--progress", "none")

    def again(self, *further, **options):
        return self.run_program(*self.command, *further, **options)

    def killed(self):
        self.again(code=-9, env=KILLED)

    def test_starts_goes_on_and_stays_done(self):
        self.killed()
        self.again()
        self.validate_copy()
        self.assertIn("the run is complete already", self.again().err)

    def test_the_state_folder_was_lost(self):
        """The ledger in the target knows the run; without --resume that is refused."""
        self.killed()
        shutil.rmtree(self.path(".transhume"))
        self.assertIn("[run-unfinished]", self.run_program("migrate", "shop.db", "copy.db", code=5).err)
        self.again()
        self.validate_copy()

    def test_not_with_what_says_the_opposite(self):
        for other in ("--restart", "--dry-run", "--mirror"):
            refused = self.again(other, code=2)
            self.assertIn("error: --resume: can't be given with %s [usage]" % other, refused.err)
            self.assertFalse(os.path.exists(self.path("copy.db")))


class Files(unittest.TestCase):
    def test_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        for unit in glob.glob(os.path.join(SERVICES, "*.service")):
            unit = unit.replace("@.", "@shop.") if os.path.exists(unit.replace("@.", "@shop.")) else unit
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT,
                                  text=True, check=False)
            said = [line for line in done.stdout.splitlines() if os.path.basename(unit) in line
                    and "is not executable" not in line]
            self.assertEqual(said, [])


if __name__ == "__main__":
    unittest.main()
