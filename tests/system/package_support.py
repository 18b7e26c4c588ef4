"""Bare systems of the distribution, in folders, in which packages are installed as on a new machine.

A system is made once, by mmdebstrap out of the archive that apt uses here, and kept as a tar in the servers' cache with
what a package
needs downloaded into it; after that a test needs no network. Commands run in a mount name space of their own, so that
nothing stays mounted.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import cache

ENTER = """r=$1; shift; mount -t proc proc "$r/proc"; mount --rbind /dev "$r/dev"
exec chroot "$r" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" """
NAME_SPACE = ("unshare", "--mount", "--propagation", "private", "--fork", "--pid", "--kill-child")
# How apt reaches the archive here.
COPY_SETTINGS = """for f in $(ls /etc/apt/apt.conf.d | grep -i -E 'proxy|cert' || true); do
mkdir -p "$1/etc/apt/apt.conf.d"; cp "/etc/apt/apt.conf.d/$f" "$1/etc/apt/apt.conf.d/"; done"""
APT = ("apt-get", "-qq", "-y", "-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Dpkg::Use-Pty=0")
MAKE_S = 900
STEP_S = 300


def call(*command, time_limit=STEP_S, **options):
    return subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          timeout=time_limit * support.PATIENCE, **options)


def output(*command, **options):
    done = call(*command, **options)
    if done.returncode != 0:
        raise AssertionError("%s: exit status %d\n%s%s" % (" ".join(command), done.returncode, done.stdout,
                                                           done.stderr))
    return done.stdout


def made(script, folder):
    """
    What a script of tools/package prints: the files that it made, without the formats whose libraries could not be had
    here.
    """
    lacking = [name for name in ("parquet", "arrow") if not os.path.exists(os.path.join(support.BUILD, name + ".so"))]
    return output(os.path.join(support.ROOT, "tools", "package", script), support.BUILD, folder, cwd=support.ROOT,
                  env=dict(os.environ, WITHOUT=",".join(lacking), XDG_CACHE_HOME=os.environ["USER_CACHE"])).split()


def need(*tools):
    """Skips the tests where packages can't be made or tried."""
    if os.environ.get("TRANSHUME_SANITIZE"):
        raise unittest.SkipTest("packages are of builds without sanitizers")
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root can enter another system")
    for tool in tools:
        if not shutil.which(tool):
            raise unittest.SkipTest("%s is not installed" % tool)
    if call(*NAME_SPACE, "true").returncode != 0:
        raise unittest.SkipTest("no mount name space can be made here")


def _archive():
    targets = output("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)", "Created-By: Packages")
    for line in targets.splitlines():
        uri, _, rest = line.partition(" ")
        if rest == "Debian Debian":
            return uri
    raise unittest.SkipTest("apt knows no archive of Debian")


def begin_system(suite, folder, kept, include=""):
    """Makes a bare system of the release there, in which no service is started; it will be kept as that tar."""
    if os.environ.get("TRANSHUME_SERVERS") in ("none", "cached"):
        raise unittest.SkipTest("%s is not there, and TRANSHUME_SERVERS forbids to fetch anything" % kept)
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    done = call("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--setup-hook=" + COPY_SETTINGS,
                "--include=" + include,
                "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg", suite, folder, _archive(),
                time_limit=MAKE_S)
    if done.returncode != 0:
        output("rm", "-rf", "--one-file-system", folder)
        raise unittest.SkipTest("no system of %s can be made: %s" % (suite, done.stderr.strip()[-300:]))
    for name in ("resolv.conf", "hosts"):
        shutil.copy("/etc/" + name, os.path.join(folder, "etc", name))
    with open(os.path.join(folder, "usr/sbin/policy-rc.d"), "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(file.name, 0o755)


class System:
    """A bare system of a release ("bookworm") in a folder; what `deb` needs can be installed without a network."""

    def __init__(self, suite, deb, folder):
        self.folder = folder
        needs = output("dpkg-deb", "-f", deb, "Depends", "Recommends")
        name = "%s-%s.tar" % (suite, hashlib.sha256(needs.encode()).hexdigest()[:12])
        kept = os.path.join(cache.cache_folder(), "systems", name)
        if not os.path.exists(kept):
            self._make(suite, deb, kept)
        os.makedirs(folder)
        output("tar", "-x", "--numeric-owner", "-C", folder, "-f", kept)

    def _make(self, suite, deb, kept):
        begin_system(suite, self.folder, kept)
        try:
            shutil.copy(deb, os.path.join(self.folder, "tmp", "package.deb"))
            self.output("apt-get", "-qq", "update", time_limit=MAKE_S)
            self.output(*APT, "install", "--download-only", "/tmp/package.deb", time_limit=MAKE_S)
            os.unlink(os.path.join(self.folder, "tmp", "package.deb"))
            self.keep(kept)
        finally:
            self.remove()

    def keep(self, path):
        """As a tar, from which it can be unpacked again."""
        output("tar", "-c", "--numeric-owner", "--one-file-system", "-C", self.folder, "-f", path + ".part", ".",
               time_limit=MAKE_S)
        os.rename(path + ".part", path)

    def remove(self):
        output("rm", "-rf", "--one-file-system", self.folder)

    def call(self, *command, folder="/tmp", **options):
        """Runs a command in the system."""
        words = ("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *command)
        return call(*NAME_SPACE, "sh", "-c", ENTER, "sh", self.folder, *words, **options)

    def output(self, *command, **options):
        done = self.call(*command, **options)
        if done.returncode != 0:
            raise AssertionError("%s: exit status %d\n%s%s" % (" ".join(command), done.returncode, done.stdout,
                                                               done.stderr))
        return done.stdout

    def install(self, deb):
        shutil.copy(deb, os.path.join(self.folder, "tmp", "package.deb"))
        self.output(*APT, "install", "/tmp/package.deb")
        os.unlink(os.path.join(self.folder, "tmp", "package.deb"))

    def purge(self, name):
        self.output(*APT, "purge", name)

    def files(self):
        """All paths but those of apt, dpkg and logs."""
        found = set()
        skipped = {os.path.join(self.folder, name) for name in ("proc", "dev", "sys", "tmp", "var/lib/apt",
                                                                "var/lib/dpkg", "var/cache", "var/log")}
        for place, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if os.path.join(place, name) not in skipped]
            found.update(os.path.relpath(os.path.join(place, name), self.folder) for name in folders + names)
        return found


class SourceSystem(System):
    """
    A bare system of a release with git, make and a clone of this repository in /usr/src/transhume, as somebody has it who
    is about to build it.
    """

    def __init__(self, suite, folder):
        self.folder = folder
        kept = os.path.join(cache.cache_folder(), "systems", suite + "-source.tar")
        if not os.path.exists(kept):
            begin_system(suite, folder, kept, "git,make,ca-certificates")
            self.keep(kept)
        else:
            os.makedirs(folder)
            output("tar", "-x", "--numeric-owner", "-C", folder, "-f", kept)
        # How Python's packages are reached here.
        for name in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
            if os.path.exists(name):
                shutil.copy(name, os.path.join(folder, name.lstrip("/")))
        output("git", "clone", "--quiet", "--no-hardlinks", support.ROOT, os.path.join(folder, "usr/src/transhume"))
        output("chown", "-R", "root:root", os.path.join(folder, "usr/src"))

    def make(self, *arguments, time_limit=1800):
        return self.output("make", *arguments, folder="/usr/src/transhume", time_limit=time_limit)
