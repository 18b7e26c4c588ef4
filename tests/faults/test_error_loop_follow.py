"""The error loop (error_loop.py) of following: migrate --follow, follow, --resync and --refresh."""
import unittest

import kill_matrix
import loop_followed
import support
from loop_followed import OfFollowed


class Begin(OfFollowed):
    """From the copy on."""
    goes_on_by_following = True

    def begin(self, place):
        """Nothing is there."""

    def words(self, place):
        return ["migrate", "--follow", "--catch-up", "--chunk-rows", "10", place.source.uri, place.target.uri]

    def again(self, place, failed):
        return ["follow", "--catch-up"] if "`transhume follow`" in failed.err or "`transhume resume`" in failed.err \
            else self.words(place)


class Follow(OfFollowed):
    WORDS = ("follow", "--catch-up")
    goes_on_by_following = True


class FollowAfterColumn(OfFollowed):
    """Columns came, and a table is read again by itself."""
    goes_on_by_following = True
    WORDS = ("follow", "--catch-up")

    def begin(self, place):
        super().begin(place)
        place.source.transaction(["ALTER TABLE entry ADD COLUMN note TEXT",
            "ALTER TABLE account ADD COLUMN score INTEGER NOT NULL DEFAULT 7"], True)
        place.source.transaction(["UPDATE entry SET note = 'n' WHERE id = 1",
            "INSERT INTO entry VALUES (9900, 'new', 'noted')"], True)


class Resync(OfFollowed):
    """The feed was lost."""
    WORDS = ("follow", "--resync", "--catch-up")

    def begin(self, place):
        super().begin(place)
        self.test.lose_the_feed(place)
        place.steps(5)
        place.source.transaction(["DELETE FROM entry WHERE id < 5", "DELETE FROM account WHERE id = 3"], True)


class Refresh(OfFollowed):
    """What somebody broke in the target is put right."""
    WORDS = ("follow", "--catch-up", *(word for table in ("account", "entry", "churn")
                                       for word in ("--refresh", table)))

    def begin(self, place):
        super().begin(place)
        place.target.transaction(["DELETE FROM account WHERE id < 5", "DELETE FROM entry WHERE id % 2 = 0",
            "UPDATE churn SET value = 'broken'"], True)


class Follows:
    """A test for each command."""

    def lose_the_feed(self, place):
        place.run("follow", "--catch-up", "--max-retained", "1KiB", "--drop-when-full", code=5)

    def test_begin(self):
        self.loop(Begin)

    def test_follow(self):
        self.loop(Follow)

    def test_columns(self):
        self.loop(FollowAfterColumn)

    def test_resync(self):
        self.loop(Resync)

    def test_refresh(self):
        self.loop(Refresh)


class OnSqlite(Follows, loop_followed.SqliteToSqlite, support.TestCase):
    share = 10


# --- elsewhere: an ordinary run draws some of the tests

class OnPostgres(Follows, loop_followed.PostgresToPostgres, support.TestCase):
    share, most = 4, 60


class PostgresToMariadb(Follows, loop_followed.PostgresToMariadb, support.TestCase):
    share, most = 4, 60


class SqliteToDynamodb(Follows, loop_followed.SqliteToDynamodb, support.TestCase):
    share, most = 4, 60
    test_refresh = test_columns = None   # its side reads and breaks no other columns


class SqliteToJsonl(Follows, loop_followed.SqliteToJsonl, support.TestCase):
    share, most = 4, 60
    test_resync = test_refresh = test_columns = None   # a log of changes is not read again


kill_matrix.sample_of_all((OnPostgres, PostgresToMariadb, SqliteToDynamodb, SqliteToJsonl), 2)

if __name__ == "__main__":
    unittest.main()
