"""Two more engines of the fault matrix (see strikes.py): runs that are taken back and repairs, killed in the middle of
it and
killed again."""
import json
import os

import engines
from engines import holding as holdings
import support
from strikes import Engine, state_folder

INSTANTS = 60 if support.SOAK else 1   # of a pair
UPSERT = ("--existing", "upsert")
DELETING = ("validate", "--repair", "--delete-extra", "--confirm")


def told(arguments):
    """What a repair and a resume take of a copy's arguments."""
    arguments = list(arguments)
    if "--chunk-rows" in arguments:
        at = arguments.index("--chunk-rows")
        del arguments[at:at + 2]
    return [argument for argument in arguments if argument != "--no-express"]


def occurrences(counts):
    """[(failpoint, "first", "middle" or "last", which occurrence that is)], none of them twice."""
    found = []
    for name, count in sorted(counts.items()):
        which = {1: "first", count: "last"} if count < 3 else {1: "first", (count + 1) // 2: "middle", count: "last"}
        found += [(name, word, occurrence) for occurrence, word in sorted(which.items())]
    return found


class Killing(Engine):
    """The cases are of (kind, failpoint, occurrence, again) or, where there is no failpoint, of an instant."""

    instants_now = 0

    def holding(self, arguments):
        """The target of a run, by its last argument."""
        scheme, colon, _ = arguments[-1].partition(":")
        return engines.of(scheme if colon else "sqlite").Holding.at(arguments[-1], self)

    def cases_of(self, kinds):
        """
        Of {kind: (how often it reaches each failpoint, how long it takes)}: each failpoint at its first, middle and
        last
        occurrence, in one of the kinds that get there, and instants; a second kill in one of two.
        """
        places = {}
        for kind, (counts, _) in sorted(kinds.items()):
            for name, word, occurrence in occurrences(counts):
                places.setdefault((name, word), []).append((kind, occurrence))
        cases = []
        for (name, _), there in sorted(places.items()):
            kind, occurrence = self.random.choice(there)
            cases.append((kind, name, occurrence, self.random.random() < 0.5))
        for number in range(INSTANTS * (1 if support.SOAK else len(kinds))):
            kind = sorted(kinds)[number % len(kinds)]
            cases.append((kind, None, self.random.uniform(0, kinds[kind][1]), self.random.random() < 0.5))
        return cases

    def strike(self, folder, name, when, command, env):
        """Kills the command at a failpoint or an instant; it may have ended before."""
        killed = support.kill_after(when, *command, cwd=folder, env=env) if name is None else \
            support.kill_at(name, when, *command, cwd=folder, env=env)
        self.entry.struck(killed.code == -9)
        return killed

    def counted(self, command, folder, env):
        """(how often it reaches each failpoint, how long it takes)"""
        result, counts = support.count_failpoints(*command, cwd=folder, env=env)
        self.assert_code(result, 0)
        self.seconds = result.seconds
        return counts, result.seconds


class Rollbacks(Killing):
    """
    kill -9 in a rollback, and again in the one that goes on with it. What the run wrote is gone, what it overwrote is
    back,
    and what others wrote, changed or took away meanwhile is as they left it. Kinds of runs:

      created       the target was not there
      keys          the same, with --rollback-keys; others wrote into the tables since
      filled        the target held records, some were overwritten; others wrote since
      others        (folders) others put files beside the run's
      broken off    the run was killed
      repair        the run is a repair, of a copy that stays; it took out what was extra, too
      earlier       a later run wrote the same, and was taken back; its own folder is in runs/
    """

    def matrix(self, arguments, check, env=None):
        holding = self.holding(arguments)
        self.keyed = self.with_keys(holding, arguments, env)
        self.random.seed("%d %s" % (support.SEED, self.id()))
        kinds = {}
        for kind in holding.kinds if support.SOAK else self.random.sample(holding.kinds, 1):
            folder = self.fresh("case")
            self.prepared(kind, holding, folder, arguments, env)
            kinds[kind] = self.counted(self.command(folder, arguments, self.run), folder, env)
            self.assertIn("rollback.before_forget", kinds[kind][0])
        self.each("kill-rollback", self.cases_of(kinds), lambda folder, *case: self.kill(folder, holding, case,
            arguments, env))

    def with_keys(self, holding, arguments, env):
        """
        Tables without a key that hold records before can't be taken back, and virtual ones not be written to again.
        """
        tables = self.tables_made(holding, arguments, env)
        left_out = [name for name in ("keyless", "found*") if any(table.startswith(name.rstrip("*"))
                                                                  for table in tables)]
        return [*(word for name in left_out for word in ("--exclude", name)), *arguments]

    def tables_made(self, holding, arguments, env):
        folder = self.fresh("case")
        self.assert_code(support.transhume("migrate", *arguments, cwd=folder, env=env), 0)
        return [place[0] for place in holding.contents(folder).containers if place]

    def command(self, folder, arguments, run=None):
        state = state_folder(arguments)
        return ["rollback", "--state", state, "--run", run or self.run_id(folder, arguments), "--confirm"]

    def run_id(self, folder, arguments):
        with open(os.path.join(folder, state_folder(arguments), "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def prepared(self, kind, holding, folder, arguments, env):
        """Makes what is to be taken back, and tells what has to be there afterwards."""
        def migrate(*options):
            self.assert_code(support.transhume("migrate", *options, *arguments, cwd=folder, env=env), 0)
        if kind in ("filled", "earlier", "repair"):
            arguments = self.keyed
            if kind != "repair":
                holding.fill(folder)
            else:
                migrate()
                holding.lose(folder)
                holding.alter(folder)
                holding.add(folder)
        before = holding.contents(folder)
        if kind == "repair":
            self.assert_code(support.transhume(*DELETING, *told(arguments), cwd=folder, env=env), 0)
        elif kind == "broken off":
            killed = support.kill_at("engine.after_commit", 3, "migrate", *arguments, cwd=folder, env=env)
            self.assertEqual(killed.code, -9, killed.err)
        else:
            migrate(*{"keys": ("--rollback-keys",), "filled": UPSERT, "earlier": UPSERT}.get(kind, ()))
        self.run = self.run_id(folder, arguments)
        if kind == "earlier":
            migrate(*UPSERT)
            self.assert_code(support.transhume(*self.command(folder, arguments), cwd=folder, env=env), 0)
        written = holding.contents(folder)
        while kind == "broken off" and written != (late := holding.contents(folder)):
            written = late   # a server may still carry out what the killed process had sent
        self.assertNotEqual(before, written)
        if kind in ("keys", "filled", "earlier", "others"):
            holding.meddle(folder)
        return holdings.after_rollback(before, written, holding.contents(folder))

    def kill(self, folder, holding, case, arguments, env):
        kind, name, when, again = case
        expected = self.prepared(kind, holding, folder, arguments, env)
        command = self.command(folder, arguments, self.run)
        killed = self.strike(folder, name, when, command, env)
        # How much a run had written when it was killed differs, and so does how often a place is reached.
        self.assertIn(killed.code, (-9,) if name and kind != "broken off" else (0, -9), killed.err)
        if again:
            self.assertIn(support.kill_after(self.random.uniform(0, self.seconds), *command, cwd=folder, env=env).code,
                          (0, -9))
        for _ in range(2):  # the second one says that it is done already
            self.assert_code(support.transhume(*command, cwd=folder, env=env), 0)
            self.assertEqual(holdings.differences(expected, holding.contents(folder)), [])
        if kind != "repair":
            self.assertEqual(holding.leftovers(folder), [])


class Repairs(Killing):
    """kill -9 in a repair, and in the resume of it: afterwards the target is what the source says."""

    def matrix(self, arguments, check, env=None):
        holding = self.holding(arguments)
        command = [*(DELETING if holding.changes_records else DELETING[:2]), *told(arguments)]
        folder = self.fresh("case")
        self.damaged(folder, holding, arguments, check, env)
        counted = self.counted(command, folder, env)
        check(folder)
        self.each("kill-repair", self.cases_of({"repair": counted}),
                  lambda folder, *case: self.kill(folder, holding, case, command, arguments, check, env))

    def damaged(self, folder, holding, arguments, check, env):
        self.assert_code(support.transhume("migrate", *arguments, cwd=folder, env=env), 0)
        holding.lose(folder)
        if holding.changes_records:
            holding.alter(folder)
            holding.add(folder)
        with self.assertRaises(AssertionError):
            check(folder)

    def kill(self, folder, holding, case, command, arguments, check, env):
        _, name, when, again = case
        self.damaged(folder, holding, arguments, check, env)
        killed = self.strike(folder, name, when, command, env)
        self.assertIn(killed.code, (0, -9), killed.err)
        resume = ["resume", *told(arguments)]
        if again:
            self.assertIn(support.kill_after(self.random.uniform(0, self.seconds), *resume, cwd=folder, env=env).code,
                          (0, 2, -9))
        # The repair is a run: a resume goes on with it. Killed before it was one, there is none but the copy.
        resumed = support.transhume(*resume, cwd=folder, env=env)
        self.assertIn(resumed.code, (0, 2), resumed.err)
        self.assert_code(support.transhume(*command, cwd=folder, env=env), 0)
        self.assert_code(support.transhume("validate", "--level", "full", *told(arguments), cwd=folder, env=env), 0)
        check(folder)
