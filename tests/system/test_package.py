"""
Packages, as on a new machine: the .deb installed, used and purged, the release and the image started, in bare systems
of Debian.
"""
import glob
import json
import os
import shutil
import sqlite3
import tempfile
import time
import unittest

import package_support
import support
from package_support import output
import mariadb

TABLES = ("Album", "Artist", "Customer", "Invoice", "InvoiceLine", "Playlist", "PlaylistTrack", "Track")
# From the install line to the first copied database, on a machine that has its packages downloaded.
FIRST_COPY_S = 60


def rows(path):
    with sqlite3.connect(path) as database:
        found = {table: sorted(map(repr, database.execute('SELECT * FROM "%s"' % table))) for table in TABLES}
    database.close()
    return found


class Packages(unittest.TestCase):
    """A system of `suite`, with the packages of the build in self.packages."""
    suite = "bookworm"

    @classmethod
    def setUpClass(cls):
        package_support.need("mmdebstrap", "dpkg-shlibdeps", "dpkg-deb", "patchelf")
        cls.folder = tempfile.mkdtemp(prefix="package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        made = package_support.made("deb", cls.folder) + package_support.made("release", cls.folder)
        cls.deb, cls.dev, cls.release = made

    def setUp(self):
        super().setUp()
        self.system = package_support.System(self.suite, self.deb, os.path.join(self.folder, "system"))
        self.addCleanup(self.system.remove)

    def inside(self, *names):
        return os.path.join(self.system.folder, *names)

    def copies(self, folder, program="transhume", sample="musicshop"):
        """The program makes a copy there that somebody else finds equal; its modules load."""
        os.makedirs(self.inside(folder))
        self.system.output(sample, "shop.db", folder="/" + folder)
        result = json.loads(self.system.output(program, "migrate", "shop.db", "copy.db", "--json", folder="/" + folder))
        self.assertEqual(result["error"], None)
        source = rows(self.inside(folder, "shop.db"))
        self.assertEqual(rows(self.inside(folder, "copy.db")), source)
        self.assertEqual(len(source["Track"]), 3500)
        version = json.loads(self.system.output(program, "version", "--json"))
        modules = {connector["name"] for connector in version["connectors"] if connector["module"]}
        built = {os.path.basename(path)[:-3] for path in glob.glob(os.path.join(support.BUILD,
                                                                                "*.so"))} - {"libtranshume", "toy"}
        self.assertEqual(modules, built)
        self.assertLessEqual({"postgres", "mysql", "mongodb"}, modules)

    def installed_used_and_purged(self):
        before = self.system.files()
        begun = time.monotonic()
        self.system.install(self.deb)
        self.copies("tmp/work")
        seconds = time.monotonic() - begun
        own = {name.strip().lstrip("/") for name in self.system.output("dpkg", "-L", "transhume").splitlines()}
        for name in ("usr/share/man/man1/transhume.1.gz", "usr/share/bash-completion/completions/transhume",
                     "usr/share/zsh/vendor-completions/_transhume",
                     "usr/share/fish/vendor_completions.d/transhume.fish",
                     "usr/share/doc/transhume/README.md", "usr/share/doc/transhume/copyright"):
            self.assertIn(name, own)
        self.assertIn("Apache License 2.0", self.read("usr/share/doc/transhume/copyright"))
        self.system.purge("transhume")
        left = self.system.files() - before
        self.assertEqual([path for path in left if "transhume" in path or "musicshop" in path], [])
        gone = before - self.system.files()
        self.assertEqual(gone & own, set())  # nor anything that others had there
        self.assertLess(seconds, FIRST_COPY_S * support.PATIENCE)

    def read(self, path):
        with open(self.inside(path), encoding="utf-8") as file:
            return file.read()

    def release_starts(self):
        """Without any package beside it."""
        output("tar", "-x", "-C", self.inside("opt"), "-f", self.release)
        [name] = os.listdir(self.inside("opt"))
        place = "/opt/" + name
        self.copies("tmp/release", place + "/bin/transhume", place + "/bin/musicshop")
        loaded = self.system.output("sh", "-c",
                                    "for f in bin/* lib/transhume/*.so* lib/transhume/plugin/*; "
                                    "do LD_LIBRARY_PATH=lib/transhume ldd $f; done",
                                    folder=place)
        self.assertNotIn("not found", loaded)
        terms = self.read(os.path.join("opt", name, "licenses/README"))
        for file in os.listdir(self.inside("opt", name, "licenses")):
            self.assertTrue(file == "README" or "\n%s " % file in terms, file)
        return place

    def test_release_and_package(self):
        self.release_starts()  # first, while nothing else is there
        self.installed_used_and_purged()


@unittest.skipUnless(support.SOAK, "a second release of Debian is for soaks")
class NewerPackages(Packages):
    suite = "trixie"

    def release_starts(self):
        """Log-ins that need a plugin of MariaDB's client library find the release's own: the system has none."""
        place = super().release_starts()
        with mariadb.Server() as server:
            name = server.database()
            server.ask("",
                       "INSTALL SONAME 'auth_ed25519'; CREATE USER e@'127.0.0.1' IDENTIFIED VIA ed25519 USING "
                       "PASSWORD('x y'); "
                           "GRANT ALL ON *.* TO e@'127.0.0.1'")
            self.system.output(place + "/bin/transhume", "migrate", "shop.db",
                               server.uri(name).replace("root@", "e:x%20y@"), "--state", "network",
                               folder="/tmp/release")
            self.assertEqual(server.ask(name, "SELECT count(*) FROM Track"), [["3500"]])
        return place


@unittest.skipUnless(support.SOAK, "the image is for soaks")
class Image(unittest.TestCase):
    def test_it_starts(self):
        package_support.need("buildah", "patchelf")
        folder = tempfile.mkdtemp(prefix="image-")
        self.addCleanup(shutil.rmtree, folder)
        [archive] = package_support.made("image", folder)
        buildah = ("buildah", "--storage-driver", "vfs", "--root", folder + "/containers", "--runroot", folder + "/run")
        container = output(*buildah, "from", "oci-archive:" + archive).split()[-1]
        run = (*buildah, "run", "--isolation", "chroot", "--volume", folder + "/data:/data", container, "--")
        os.makedirs(folder + "/data")
        config = json.loads(output(*buildah, "inspect", container))["OCIv1"]["config"]
        user, group = map(int, config["User"].split(":"))
        self.assertGreater(min(user, group), 0, "it runs as root")
        output(*run, "/usr/bin/transhume", "version")
        os.chown(folder + "/data", user, group)
        output(*run, "/usr/bin/musicshop", "shop.db")
        output(*run, "/usr/bin/transhume", "migrate", "shop.db", "copy.db")
        self.assertEqual(rows(folder + "/data/copy.db"), rows(folder + "/data/shop.db"))
        self.assertEqual({(os.stat(path).st_uid, os.stat(path).st_gid)
                          for path in (folder + "/data/copy.db", folder + "/data/.transhume")}, {(user, group)})
        modules = json.loads(output(*run, "/usr/bin/transhume", "version", "--json"))["connectors"]
        self.assertIn({"name": "postgres", "module": True}, modules)
        output(*buildah, "rm", container)


class Wheel(unittest.TestCase):
    def test_pip_alone_brings_the_program(self):
        """In an environment of its own, with no other transhume in the PATH."""
        package_support.need("patchelf")
        folder = tempfile.mkdtemp(prefix="wheel-")
        self.addCleanup(shutil.rmtree, folder)
        [wheel] = package_support.made("wheel", folder)
        self.assertRegex(os.path.basename(wheel), r"^transhume-[0-9.]+-py3-none-manylinux_2_36_x86_64\.whl$")
        output("/usr/bin/python3", "-m", "venv", folder + "/venv")
        output(folder + "/venv/bin/pip", "install", "--quiet", "--no-index", wheel)
        output(os.path.join(support.BUILD, "musicshop"), folder + "/shop.db")
        environment = {"PATH": "/usr/bin:/bin", "HOME": folder}
        code = "import transhume; print(transhume.migrate('shop.db', 'copy.db').result().written)"
        copied = output(folder + "/venv/bin/python", "-c", code, cwd=folder, env=environment)
        self.assertEqual(copied.strip(), "15861")
        self.assertEqual(rows(folder + "/copy.db"), rows(folder + "/shop.db"))
        version = json.loads(output(folder + "/venv/bin/transhume", "version", "--json", env=environment))
        self.assertLessEqual({"postgres", "mysql", "mongodb"},
                             {one["name"] for one in version["connectors"] if one["module"]})


class Scripts(support.TestCase):
    def test_a_folder_without_a_build_is_refused(self):
        for script in ("deb", "release", "image", "wheel"):
            done = package_support.call(os.path.join(support.ROOT, "tools", "package", script), self.folder,
                                        self.path("out"))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("transhume is not there: build it first", done.stderr)

    def test_without_parquet_or_arrow_only_where_asked_for(self):
        shutil.copy(os.path.join(support.BUILD, "transhume"), self.path("transhume"))
        for script in ("deb", "release", "image", "wheel"):
            done = package_support.call(os.path.join(support.ROOT, "tools", "package", script), self.folder,
                                        self.path("out"))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("WITHOUT=parquet makes a package without it", done.stderr)


if __name__ == "__main__":
    unittest.main()
