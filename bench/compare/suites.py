"""Public test suites that are read from copies outside the repository; nothing of them is kept here.

TRANSHUME_SUITES names a folder with a folder for each repository, "owner+name": a checkout, a bare
repository, or one in a folder "repo" in it.
"""
import os
import subprocess


class NoSuite(Exception):
    """There is no copy of a repository in the folder of suites."""


class Suite:
    def __init__(self, repository):
        self.repository = repository
        folder = os.environ.get("TRANSHUME_SUITES", "")
        places = [os.path.join(folder, repository.replace("/", "+"), inner) for inner in ("", "repo", "repo.git")]
        self.folder = next((place for place in places if folder and self._is_repository(place)), None)
        if self.folder is None:
            raise NoSuite("%s is not in the folder that TRANSHUME_SUITES names" % repository)

    @staticmethod
    def _is_repository(place):
        return os.path.isdir(os.path.join(place, ".git")) or os.path.isfile(os.path.join(place, "HEAD"))

    def _git(self, *arguments):
        return subprocess.run(("git", "-C", self.folder) + arguments, check=True, stdout=subprocess.PIPE).stdout

    def commit(self):
        return self._git("rev-parse", "--short", "HEAD").decode().strip()

    def files(self, folder, ending=""):
        names = self._git("ls-tree", "-r", "-z", "--name-only", "HEAD", folder + "/").decode().split("\0")
        return sorted(name for name in names if name and name.endswith(ending))

    def read(self, name):
        return self._git("show", "HEAD:" + name)

    def read_all(self, names):
        """The contents of many files by one process."""
        wanted = "".join("HEAD:%s\n" % name for name in names).encode()
        out = subprocess.run(("git", "-C", self.folder, "cat-file", "--batch"), input=wanted, check=True, stdout=subprocess.PIPE).stdout
        contents, at = {}, 0
        for name in names:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            contents[name] = out[end + 1:end + 1 + size]
            at = end + 1 + size + 1
        return contents
