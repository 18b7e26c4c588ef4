"""
What services and jobs rely on: `migrate --resume` may be given again and again; the units and the Job are well formed.
"""
import glob
import os
import shutil
import signal
import subprocess
import time
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

    def test_a_terminal_that_goes_away(self):
        """SIGHUP asks it to stop, as Ctrl-C does; under nohup the run goes on."""
        slow = {"TRANSHUME_FAILPOINT": "engine.before_commit:sleep:2,engine.before_commit:sleep:3"}
        for before, code in ((signal.SIG_DFL, 4), (signal.SIG_IGN, 0)):
            with self.subTest(before=before):
                process = subprocess.Popen([support.PROGRAM, *self.command], cwd=self.folder, stderr=subprocess.PIPE,
                                           stdout=subprocess.DEVNULL, env=support.environment_with(slow), text=True,
                                           preexec_fn=lambda: signal.signal(signal.SIGHUP, before))
                self.wait_for_ledger()
                process.send_signal(signal.SIGHUP)
                said = process.communicate(timeout=60 * support.PATIENCE)[1]
                self.assertEqual(process.returncode, code, said)
                self.assertEqual("stopped on request" in said, code == 4)
        self.validate_copy()

    def wait_for_ledger(self):
        """Until the run has begun."""
        end = time.monotonic() + 30 * support.PATIENCE
        while not os.path.exists(self.path(".transhume", "run.json")) and time.monotonic() < end:
            time.sleep(0.02)

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
