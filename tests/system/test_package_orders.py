"""From a bare system and a clone: the demo, and then packages in any order of the commands."""
import os
import random
import shutil
import tempfile
import time
import unittest

import package_support
import support

COMMANDS = ("deb", "release", "image", "wheel", "install")
# By the clock on two quiet processors, without what apt takes.
DEMO_S = 120
C_EXAMPLE = "cc -o /tmp/run_plan examples/run_plan.c $(pkg-config --cflags --libs transhume) && ldd /tmp/run_plan"


@unittest.skipUnless(support.SOAK, "the program is built several times in bare systems")
class Orders(unittest.TestCase):
    suite = "bookworm"

    def setUp(self):
        super().setUp()
        package_support.need("mmdebstrap")
        folder = tempfile.mkdtemp(prefix="orders-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.system = package_support.SourceSystem(self.suite, os.path.join(folder, "system"))
        self.addCleanup(self.system.remove)

    def in_shell(self, text):
        return self.system.output("sh", "-c", text, folder="/usr/src/transhume")

    def works(self, command):
        if command == "install":
            # with the documented example of the C library
            self.assertIn("libtranshume.so.0 => /usr/local/lib", self.in_shell(C_EXAMPLE))
            self.in_shell("cd /tmp && rm -rf i && mkdir i && cd i && /usr/local/bin/musicshop shop.db && "
                          "/usr/local/bin/transhume migrate shop.db copy.db")
        elif command == "wheel":
            self.in_shell("python3 -m venv /tmp/venv && /tmp/venv/bin/pip install --quiet --no-index dist/*.whl && "
                          "/tmp/venv/bin/transhume version")
        elif command == "release":
            self.in_shell("rm -rf /tmp/r && mkdir /tmp/r && tar -x -C /tmp/r -f dist/*.tar.gz && "
                          "/tmp/r/*/bin/transhume connectors parquet")
        elif command == "deb":
            self.in_shell("dpkg-deb -c dist/transhume_*.deb | grep -q 'usr/lib/transhume/arrow.so'")
        else:
            self.in_shell("ls dist/transhume-*-oci.tar")

    def test_demo_first_then_all_of_them(self):
        self.system.output("make", "demo", folder="/usr/src/transhume", time_limit=1800)
        self.system.output("rm", "-rf", "build", folder="/usr/src/transhume")
        begun = time.monotonic()
        said = self.system.make("demo")
        seconds = time.monotonic() - begun
        print("make demo took %.0f s in %s" % (seconds, self.suite))
        self.assertIn("SQL to SQL", said)
        order = list(COMMANDS)
        random.Random(support.SEED).shuffle(order)
        for command in order:
            with self.subTest(order=order, command=command):
                self.system.make(command)
                self.works(command)

    def test_what_could_not_be_had_is_asked_for(self):
        """Where carquet can't be built, a package is refused, and made if WITHOUT names it."""
        self.system.make("deps")
        self.in_shell("sed -i s/^checksum=.*/checksum=0/ tools/carquet")
        done = self.system.call("make", "deb", folder="/usr/src/transhume", time_limit=1800)
        self.assertEqual(done.returncode, 2)
        self.assertIn("WITHOUT=parquet makes a package without it", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.system.folder, "usr/src/transhume/dist")) and
                         os.listdir(os.path.join(self.system.folder, "usr/src/transhume/dist")))
        self.system.make("deb", "WITHOUT=parquet")


class NewerOrders(Orders):
    """`release` and `wheel` are made on Debian 12: on a newer one they refuse."""
    suite = "trixie"
    __unittest_skip__ = not support.SOAK

    def works(self, command):
        if command not in ("release", "wheel", "image"):
            super().works(command)


if __name__ == "__main__":
    unittest.main()
