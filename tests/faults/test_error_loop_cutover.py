"""
The error loop (error_loop.py) of the end of following: cutover, cutover --reverse, cutover --back of either, following
the
way back, cutover --abandon, and finish behind it.

Behind each failure the source's writers can write, or the last line says that they can't; the next command lets them
in.
"""
import unittest

import kill_matrix
import loop_followed
import support
from loop_followed import BACK, OfFollowed


CUT_OVER = ("cutover", "--confirm", "--max-lag", "1m", "--max-pause", "2m")   # however busy the machine is


class Cutover(OfFollowed):
    WORDS = CUT_OVER


class CutoverReverse(OfFollowed):
    WORDS = (*CUT_OVER, "--reverse")

    def look(self, place):
        return {**super().look(place), "back": place.state(BACK)}


class BackBeforeTheEnd(OfFollowed):
    """The application was not to be sent over."""
    WORDS = ("cutover", "--back", "--confirm")
    is_open_before = False

    def begin(self, place):
        super().begin(place)
        place.run(*CUT_OVER, "--after", "exit 3", code=5)


class Returning(OfFollowed):
    """What comes behind a cut-over whose way back is kept, and what the application has written there."""
    is_open_before = False

    def begin(self, place):
        super().begin(place)
        place.run(*CUT_OVER, "--reverse")
        place.bank.side = place.target
        place.steps(8)

    def look(self, place):
        return {**super().look(place), "back": place.state(BACK)}


class FollowBack(Returning):
    goes_on_by_following = True
    WORDS = ("follow", "--catch-up", "--state", BACK)


class Back(Returning):
    """Returns by the way back: the target's writers are stopped, and the source's let in at the end."""
    WORDS = (*CUT_OVER, "--back")
    fenced = "target"
    is_open_before = True


class Abandon(OfFollowed):
    WORDS = ("cutover", "--abandon", "--confirm")


class AbandonBehindTheFence(OfFollowed):
    """A cut-over was killed."""
    WORDS = ("cutover", "--abandon", "--confirm", "--take-over")
    is_open_before = False

    def begin(self, place):
        super().begin(place)
        killed = support.kill_at("cutover.before_drain", 1, *CUT_OVER, cwd=place.folder)
        self.test.assertEqual(killed.code, -9, killed.err)


class FinishFollowed(OfFollowed):
    WORDS = ("finish", "--confirm")
    is_open_before = False

    def begin(self, place):
        super().begin(place)
        place.run(*CUT_OVER)


class CutOvers:
    """A test for each command."""

    def test_cutover(self):
        self.loop(Cutover)

    def test_reverse(self):
        self.loop(CutoverReverse)

    def test_back_before_the_end(self):
        self.loop(BackBeforeTheEnd)

    def test_follow_back(self):
        self.loop(FollowBack)

    def test_back(self):
        self.loop(Back)

    def test_abandon(self):
        self.loop(Abandon, AbandonBehindTheFence)

    def test_finish(self):
        self.loop(FinishFollowed)


class OnSqlite(CutOvers, loop_followed.SqliteToSqlite, support.TestCase):
    share = 8


# --- elsewhere: an ordinary run draws some of the tests

class OnPostgres(CutOvers, loop_followed.PostgresToPostgres, support.TestCase):
    share, most = 4, 60


class PostgresToMariadb(CutOvers, loop_followed.PostgresToMariadb, support.TestCase):
    share, most = 4, 60


class SqliteToDynamodb(CutOvers, loop_followed.SqliteToDynamodb, support.TestCase):
    share, most = 4, 60
    test_reverse = test_follow_back = test_back = None   # nothing can be fed back


kill_matrix.sample_of_all((OnPostgres, PostgresToMariadb, SqliteToDynamodb), 2)

if __name__ == "__main__":
    unittest.main()
