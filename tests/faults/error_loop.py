"""
The error loop: every failpoint that a command passes fails once, the command is given again, and the end is compared
with that of an undisturbed run.

    class Loop(error_loop.ErrorLoop, support.TestCase):
        def test_up(self):
            self.fail_each(Up(self))

where `Up` is an error_loop.Command. A failure once is `error` (a fault that nobody foresaw: a connection that broke, a
server that said no) or `retry` (one that the server says passes). What is asserted of each case:

1. The first run ends with a documented exit status and, unless with 0, with one line `error: … [code]`.
2. It tells no lie: after 0 the end is there; after 2, or after "nothing … was touched/begun/stands", what it speaks of
is
   as it was (`Command.is_untouched`).
3. The command given again (`Command.again`), or the one that its refusal names, ends with 0 and the end is that of the
   undisturbed run; or it is refused, and `Command.is_true` says that the reason given is true.
"""
import collections
import random
import re

import support
from taking_back import occurrences

ACTIONS = ("error", "retry")
NOTHING = re.compile(r"\b[Nn]othing (of (it|this file|the file|the migration) (stands|was begun)|"
                     r"was (touched|begun|changed))")

Case = collections.namedtuple("Case", "point action occurrence")


class Command:
    """One command over one kind of place. `test` is the test case; a place is whatever `prepare` gives back."""
    name = "command"      # for messages and the draw
    env = None            # of the program, beside the test's own
    time_limit = 60
    codes = (1, 3, 4, 5)  # what a run that a failpoint struck may end with, beside 0 and 2
    ends_with = (0,)      # what the undisturbed run may end with

    def __init__(self, test):
        self.test = test

    def prepare(self):
        """Makes a new place in which the command has all of its work before it."""
        raise NotImplementedError

    def folder(self, _place):
        """Where the program runs."""
        return self.test.folder

    def words(self, place):
        """The command."""
        raise NotImplementedError

    def again(self, place, _failed):
        """The command that goes on after a run that failed with the result `_failed`."""
        return self.words(place)

    def look(self, place):
        """All that the command brings about, in a form that is equal for equal ends. No times, ids or paths."""
        raise NotImplementedError

    def assert_told(self, failed):
        """What the run that failed says: one error."""
        self.test.assert_one_error(failed)

    def look_between(self, place, failed):
        """Asserts what has to hold behind the run that failed, before the next one."""

    def is_untouched(self, place, _failed, before):
        """Of a command that said so: is what it speaks of as it was? All of it, unless the command speaks of a part."""
        return self.look(place) == before

    def is_true(self, _place, _refused, _expected):
        """May the command given again end with this result, which is not 0? Only for a reason that is true."""
        return False

    def is_over(self, _place, _failed, _expected):
        """Is its end there although it failed, so that it must not be given again (it would take back the next one)?"""
        return False


class ErrorLoop:
    """Mixed into a support.TestCase."""

    most = None   # cases of a test, in a soak, too, whose seed draws them: where a case takes long

    def fail_each(self, *commands, share=None, actions=ACTIONS):
        """
        Each failpoint that one of the commands passes fails once with each action, in one of the commands that pass it
        and at its first, middle or last occurrence, as the seed draws it; a soak takes all. `share`: so many of these.
        Gives back how many struck.
        """
        known = {command: self.undisturbed_end(command) for command in commands}
        cases = collections.defaultdict(list)
        for command, (_, _, counts) in known.items():
            for point, _, occurrence in occurrences(counts):
                for action in actions:
                    cases[point, action].append((command, Case(point, action, occurrence)))
        self.assertTrue(cases, "no failpoint is passed")
        drawn = [case for place in sorted(cases) for case in support.drawn(cases[place], 1, "%s %s" % (self.id(),
            place))]
        if share is not None:
            drawn = support.drawn(drawn, share, self.id())
        if self.most is not None and len(drawn) > self.most:
            drawn = random.Random("%d %s" % (support.SEED, self.id())).sample(drawn, self.most)
        struck = 0
        for command, case in drawn:
            with self.subTest(command=command.name, **case._asdict()):
                struck += self.fail_once(command, case, *known[command][:2])
        return struck

    def undisturbed_end(self, command):
        """(what there is before it, what there is behind it, how often it passes each failpoint)"""
        place = command.prepare()
        before = command.look(place)
        result, counts = support.count_failpoints(*command.words(place), cwd=command.folder(place), env=command.env)
        self.assertIn(result.code, command.ends_with, result.out + result.err)
        return before, command.look(place), counts

    def run_command(self, command, place, words, rule=None):
        env = dict(command.env or {}, **({"TRANSHUME_FAILPOINT": rule} if rule else {}))
        return support.transhume(*words, cwd=command.folder(place), env=env, time_limit=command.time_limit)

    def fail_once(self, command, case, before, expected):
        """True: the run ended otherwise than undisturbed."""
        place = command.prepare()
        failed = self.run_command(command, place, command.words(place), "%s:%s:%d" % case)
        told = failed.out + failed.err
        if failed.code in command.ends_with:
            self.assertEqual(command.look(place), expected, "it ended with %d:\n%s" % (failed.code, told))
            return False
        self.assertIn(failed.code, (2, *command.codes), told)
        command.assert_told(failed)
        if failed.code == 2 or NOTHING.search(failed.err):
            self.assertTrue(command.is_untouched(place, failed, before), "it says that nothing was touched:\n%s" % told)
        command.look_between(place, failed)
        if command.is_over(place, failed, expected):
            self.assertEqual(command.look(place), expected, told)
            return True
        words = command.again(place, failed)
        next_run = self.run_command(command, place, words)
        both = "%s\nthen %s:\n%s%s" % (told, words[0], next_run.out, next_run.err)
        if next_run.code not in command.ends_with and command.again(place, next_run) != words:
            words = command.again(place, next_run)   # the one that the refusal names
            next_run = self.run_command(command, place, words)
            both += "\nthen %s:\n%s%s" % (words[0], next_run.out, next_run.err)
        if next_run.code not in command.ends_with:
            self.assertTrue(command.is_true(place, next_run, expected), both)
            return True
        self.assertEqual(command.look(place), expected, both)
        return True

    def assert_one_error(self, result):
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], r" \[[a-z-]+\]$")
