"""The demo, run as `make demo` runs it: with an emulator of DynamoDB and without."""
import os
import re
import shutil
import subprocess
import unittest

import servers
import support

WHAT_IT_USES = ("tools", "examples", "tests/servers")
TIME_LIMIT_S = 120
KILLED = re.compile(r"^\$ kill -9 \d+$", re.MULTILINE)
CHINOOK = {"chinook-customer-orders": 480, "chinook-employee-management": 8, "chinook-music-catalog": 4130,
           "chinook-playlists": 106}


class Demo(support.TestCase):
    def demo(self, **changes):
        for folder in WHAT_IT_USES:
            shutil.copytree(os.path.join(support.ROOT, folder), self.path(folder))
        environment = support.environment_with(dict(changes, NO_COLOR="1"))
        done = subprocess.run([self.path("tools", "demo"), support.BUILD], cwd=self.folder, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIME_LIMIT_S * support.PATIENCE, check=False)
        said = done.stdout.decode("utf-8", "replace")
        self.assertEqual(done.returncode, 0, said[-4000:])
        return said

    def assert_folder_and_back(self, said):
        first = said.split("A target of another kind")[0]
        self.assertIn("SQL to SQL", first)
        self.assertRegex(first, r"(?m)^Track +3,500 +3,500 ")
        self.assertRegex(first, r"(?m)^equal")
        self.assertIn("    3500 items in demo/out/track\n", said)
        self.assertIn("    8920 of  8920 in PlaylistTrack\n", said)
        self.assertNotIn("LOST", said)
        shared = [line.split() for line in said.splitlines() if " of " in line and " in " in line and line[0] == " "
                  and line.split()[0].isdigit()]
        self.assertEqual(sum(int(words[0]) for words in shared), 15861)
        self.assertEqual(len(shared), 11)

    def test_over_the_network(self):
        servers.start("dynalite").stop()  # skips with the reason where there is none
        said = self.demo()
        self.assert_folder_and_back(said)
        half, whole = said.split("The resume over the network")
        # How many were on their way when it was stopped is chance.
        self.assertTrue(0 < self.items(half)["chinook-music-catalog"] < CHINOOK["chinook-music-catalog"], half)
        self.assertEqual(self.items(whole), CHINOOK)
        self.assertEqual(len(KILLED.findall(said)), 3)

    def items(self, said):
        return {words[-1]: int(words[0]) for words in map(str.split, said.splitlines())
                if words[1:3] == ["items", "in"] and "/" not in words[-1]}

    def test_without_a_server(self):
        said = self.demo(TRANSHUME_SERVERS="none")
        self.assertIn("The part over the network is left out: TRANSHUME_SERVERS=none.\n", said)
        self.assertNotIn("over the network,", said)
        self.assertEqual(len(KILLED.findall(said)), 2)
        self.assert_folder_and_back(said)

    def test_an_old_node_is_named(self):
        os.makedirs(self.path("old"))
        with open(self.path("old", "node"), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho v18.19.0\n")
        os.chmod(self.path("old", "node"), 0o755)
        done = subprocess.run([os.path.join(support.ROOT, "tests", "servers", "with"), "dynalite", "true"],
                              env=support.environment_with({"PATH": self.path("old") + ":" + os.environ["PATH"],
                                                            "TRANSHUME_SERVERS": None}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=TIME_LIMIT_S, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr.decode()),
                         (69, b"", "dynalite needs Node.js 20 or later, and this is v18.19.0\n"))


if __name__ == "__main__":
    unittest.main()
