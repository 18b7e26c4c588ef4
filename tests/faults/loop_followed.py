"""
The error loop (error_loop.py) of commands of a run that follows: places and pairs for test_error_loop_follow.py and
test_error_loop_cutover.py. What is written is test_follow.Bank, the same for each place; both sides are read by
Python's
own drivers.
"""
import json
import os
import re
import shutil
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import error_loop
import mariadb
import support
import test_follow
import test_follow_files
import test_follow_mysql

BACK = test_follow.BACK
PROBE = "UPDATE account SET balance = balance WHERE id = 1"
STOPPED, AGAIN = ("writers are still stopped", "writers are STILL STOPPED"), "writers write again"
LEFT = "is not followed any more, the rest goes on"
SEED = 1   # of what is written: the same whatever cases are drawn


class Place:
    """A pair of databases and the folder of the run between them."""

    def __init__(self, test, folder):
        self.test, self.folder = test, folder
        self.source, self.target = test.sides(folder)
        self.bank = test_follow.Bank(self.source, SEED)
        self.steps(10)

    def steps(self, count):
        for _ in range(count):
            self.bank.step()

    def close(self):
        for side in (self.source, self.target):
            if getattr(side, "connection", None):
                side.connection.close()
        shutil.rmtree(self.folder)

    def run(self, *words, code=0):
        result = support.transhume(*words, cwd=self.folder)
        self.test.assert_code(result, code)
        return result

    def follow(self):
        """Begins to follow; then there is more to be applied."""
        self.run("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(8)

    def rows(self):
        return [{table: side.rows(table) for table in test_follow.Bank.TABLES if self.has(side, table)}
                for side in (self.source, self.target)]

    def has(self, side, table):
        try:
            return side.rows(table) is not None
        except Exception:   # each client has its own
            return False

    def can_write(self, side):
        """May an application write that side? It is tried, and taken back."""
        if not hasattr(side, "make"):
            return None
        try:
            side.transaction([PROBE], False)
        except Exception:   # each client has its own
            return False
        return True

    def feeds(self, side):
        return len(side.feeds()) if hasattr(side, "feeds") else None

    def state(self, folder=".transhume"):
        said = json.loads(support.transhume("status", "--json", "--state", folder, cwd=self.folder).out or "{}")
        return said.get("phase"), (said.get("follow") or {}).get("rejected")


class OfFollowed(error_loop.Command):
    """A command of a run that follows."""
    time_limit = 120
    WORDS = ()

    def __init__(self, test):
        super().__init__(test)
        self.name = "%s, %s" % (type(self).__name__, type(test).__name__)

    def folder(self, place):
        return place.folder

    def prepare(self):
        place = self.test.place = Place(self.test, self.test.fresh_folder())
        self.begin(place)
        return place

    def begin(self, place):
        """What comes before the command."""
        place.follow()

    def words(self, place):
        return list(self.WORDS)

    def look(self, place):
        return {"rows": place.rows(), "source is open": place.can_write(place.source),
            "target is open": place.can_write(place.target), "feeds": [place.feeds(place.source),
                place.feeds(place.target)], "state": place.state()}

    def assert_told(self, failed):
        """A table that is left is told in a line of its own; no hint names another command than the one that failed."""
        named = re.findall(r"`transhume ([a-z]+)[^`]*` continues once", failed.err)
        self.test.assertLessEqual(set(named), {"follow", "resume"} if self.goes_on_by_following else set(), failed.err)
        if failed.code != 1 or LEFT not in failed.err:
            super().assert_told(failed)

    def again(self, place, failed):
        return ["follow", "--resync", "--catch-up"] if LEFT in failed.err else self.words(place)

    def is_untouched(self, place, failed, before):
        """Of what stands in the databases; the run's own folder may tell of the failure."""
        now = self.look(place)
        return {**now, "state": None} == {**before, "state": None}

    def look_between(self, place, failed):
        """A fence that stands is told in the last line, and none that does not."""
        last = failed.err.strip().splitlines()[-1]
        is_open = place.can_write(getattr(place, self.fenced))
        if any(words in last for words in (*STOPPED, AGAIN)):
            self.test.assertIn("the %s's writers" % self.fenced, last)
        if any(words in last for words in STOPPED):
            self.test.assertFalse(is_open, failed.err)
        elif AGAIN in last:
            self.test.assertTrue(is_open, failed.err)
        else:   # it is as it was, or open
            self.test.assertTrue(is_open or not self.is_open_before, failed.err)

    fenced = "source"              # the side whose writers the command stops or lets in
    is_open_before = True          # that side, before the command
    goes_on_by_following = False   # whatever it was that failed


class FollowedLoop(error_loop.ErrorLoop):
    """Mixed into a support.TestCase that knows `sides(folder)`."""
    share = None   # of the cases of a command, of those that are drawn

    def setUp(self):
        super().setUp()
        self.folders, self.place = 0, None

    def fresh_folder(self):
        """In place of the last one."""
        self.folders += 1
        if self.place:
            self.place.close()
            self.forget(self.place)
        folder = self.path("case%d" % self.folders)
        os.mkdir(folder)
        return folder

    def forget(self, place):
        """What is left of a place outside of its folder."""

    def loop(self, *kinds):
        struck = self.fail_each(*(kind(self) for kind in kinds), share=self.share)
        print("%s: %d cases struck" % (self.id().split(".", 1)[-1], struck), file=sys.stderr)


# --- pairs

class SqliteToSqlite(FollowedLoop):
    def sides(self, folder):
        return [test_follow.SqliteSide(self, os.path.join(folder, name)) for name in ("bank.db", "copy.db")]


class Postgres(FollowedLoop, test_follow.OfPostgres):
    """The source, whose feed is a slot."""

    def forget(self, place):
        self.server.psql("postgres",
                         "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")

    def new_source(self):
        return test_follow.PostgresSide(self, self.server, None)


class PostgresToPostgres(Postgres):
    def sides(self, folder):
        return self.new_source(), self.new_source()


class PostgresToMariadb(Postgres):
    def sides(self, folder):
        return self.new_source(), test_follow_mysql.MysqlSide(test_follow_mysql.followed(mariadb, mariadb.FOLLOWED))


class SqliteToDynamodb(FollowedLoop, test_follow.WithDynamodb):
    def sides(self, folder):
        return test_follow.SqliteSide(self, os.path.join(folder, "bank.db")), self.target_side()


class Inside:
    """A folder in which a side is made."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)


class SqliteToJsonl(FollowedLoop):
    def sides(self, folder):
        return (test_follow.SqliteSide(self, os.path.join(folder, "bank.db")),
            test_follow_files.FilesSide(Inside(folder), "jsonl", "?change_seconds=0"))
