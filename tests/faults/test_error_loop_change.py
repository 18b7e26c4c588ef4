"""The error loop (error_loop.py) of `transhume change`: start, switch, complete, abort, of every kind of operation."""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import error_loop
import support
import test_kill_change
import test_kill_change_mysql
import test_kill_change_sqlite

SHARE = 3   # of the cases of an act, and of the kinds of operations, on a server


class OfChange(error_loop.Command):
    """`change ACT` of a kind of operation; the place is (folder, URI, its database's name)."""

    def __init__(self, test, act, kind):
        super().__init__(test)
        self.act, self.kind = act, kind
        self.name = "change %s, %s" % (act, kind)

    def folder(self, place):
        return place[0]

    def prepare(self):
        return (*self.test.prepare(self.kind, self.act), self.test.chosen())

    def words(self, place):
        self.test.choose(place[2])
        return self.test.words(self.act, *place[:2])

    def look(self, place):
        self.test.choose(place[2])
        told = support.transhume("change", "status", place[1], "--json", cwd=place[0])
        states = [(change["version"], change["state"]) for change in json.loads(told.out)["changes"]]
        return states, self.test.dump()

    def is_untouched(self, place, failed, before):
        return self.look(place)[1:] == before[1:]


class ChangeLoop(error_loop.ErrorLoop):
    SHARE = SHARE   # None: all
    ACTS = ("start", "complete", "abort")
    KINDS = ()
    test_abort_of_a_start_that_was_killed = test_two_at_once = test_switch = test_late_abort = None

    def words(self, act, _folder, uri):
        return self.command(act, uri)

    def chosen(self):
        return self.database

    def choose(self, name):
        self.database = name

    def loop(self, act):
        kinds = list(self.KINDS) if self.SHARE is None else support.drawn(self.KINDS, self.SHARE,
            "%s %s" % (self.id(), act))
        self.fail_each(*(OfChange(self, act, kind) for kind in kinds), share=self.SHARE)

    def test_start(self):
        self.loop("start")

    def test_complete(self):
        self.loop("complete")

    def test_abort(self):
        self.loop("abort")


class LoopOnSqlite(ChangeLoop, test_kill_change_sqlite.KillChangeOfSqlite):
    SHARE = None
    KINDS = test_kill_change_sqlite.OPERATIONS

    def words(self, act, folder, uri):
        return self.command(act, folder, self.absolute(uri))

    def prepare(self, kind, act):
        folder, uri = super().prepare(kind, act)
        return folder, self.absolute(uri)

    def absolute(self, uri):
        return uri.replace("sqlite:target", "sqlite:%s/target" % self.folder)

    def chosen(self):
        return self.file

    def choose(self, name):
        self.file = name


class LoopOnPostgres(ChangeLoop, test_kill_change.KillOnPostgres):
    KINDS = test_kill_change.KINDS
    ROW_COUNT = 1200


class LoopOnMariadb(ChangeLoop, test_kill_change_mysql.KillOnMariadb):
    KINDS = test_kill_change_mysql.KINDS

    def test_switch(self):
        self.fail_each(*(OfChange(self, "switch", kind) for kind in ("shadow", "copied")), share=self.SHARE)

    def test_a_switch_that_can_not_be_noted(self):
        """The tables have their new names by then: what held the writers for that is not looked at again."""
        command = OfChange(self, "switch", "copied")
        before, expected, counts = self.undisturbed_end(command)
        middle = counts["mysql.before_history"] // 2
        for action in error_loop.ACTIONS:
            for occurrence in range(middle - 1, middle + 3):
                with self.subTest(action=action, occurrence=occurrence):
                    self.fail_once(command, error_loop.Case("mysql.before_history", action, occurrence), before,
                                   expected)


if __name__ == "__main__":
    unittest.main()
