"""An application's database moves into the PostgreSQL tables that the application has made: check, do what it says,
migrate, validate.

The steps are those of somebody who reads what `check` prints and takes the lines that it proposes as they are.
"""
import json
import re

import postgres
import support

STEPS_MAX = 8
RULES = re.compile(r"`types: \{ (.+?) \}`")
ZONE = re.compile(r"say with --time-zone")
FILLED = re.compile(r"^(.+): there are records in it already")


class Move(support.TestCase):
    """`begin`, then `follow` until check says that it is ready, then `migrate`."""
    ZONE = "UTC"          # what the administrator says to --time-zone
    # and of tables that hold records: exclude leaves them as they are, else a policy of --existing
    ALREADY = "exclude"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.shared_for_class(cls)

    def begin(self, source, tables):
        self.database = self.server.database()
        self.ask(tables)
        self.source, self.target = source, self.server.uri(self.database)
        self.rules, self.head, self.options = [], [], []

    def ask(self, sql):
        return self.server.psql(self.database, sql)

    def value(self, sql):
        (value,), = self.ask(sql)
        return value

    # --- the steps

    def arguments(self):
        if not self.rules and not self.head:
            return [self.source, self.target, *self.options]
        lines = ["transhume: 1", "source: '%s'" % self.source, "target: '%s'" % self.target, *self.head]
        if self.rules:
            lines += ["types:", *("  " + rule for rule in self.rules)]
        return ["--plan", self.write("plan.yaml", "\n".join(lines) + "\n"), *self.options]

    def check(self):
        result = support.transhume("check", "--json", *self.arguments(), cwd=self.folder)
        self.assertIn(result.code, (0, 1, 2, 5), result.err)
        self.report = json.loads(result.out)
        self.assertIn("problems", self.report, result.out)
        self.assertEqual(self.report.get("exit_status", result.code), result.code)
        return result.code

    def said(self):
        return self.report["problems"] + self.report["notes"]

    def take(self, line):
        """What a line of check's report proposes; is it something new?"""
        rules = ["%s" % rule for rule in RULES.findall(line)]
        options = ["--time-zone", self.ZONE] if ZONE.search(line) else []
        filled = FILLED.match(line)
        if filled:
            options = ["--exclude", filled.group(1)] if self.ALREADY == "exclude" else ["--existing", self.ALREADY]
        new = [rule for rule in rules if rule not in self.rules]
        fresh = bool(options) and " ".join(options) not in " ".join(self.options)
        self.rules += new
        self.options += options if fresh else []
        return bool(new) or fresh

    def follow(self):
        """
        Takes what check proposes until it has nothing to say against the run; the problems that it had on the way.
        """
        problems = []
        for _ in range(STEPS_MAX):
            if self.check() == 0:
                self.assertEqual(self.report["problems"], [])
                return problems
            problems += self.report["problems"]
            self.assertTrue(any([self.take(line) for line in self.report["problems"]]),
                            "no way out: %s" % self.report["problems"])
        self.fail("check is never content: %s" % self.report["problems"])

    def migrate(self, *options):
        """The run that check called ready: no reject, and a target that is what the source and the plan say."""
        result = self.run_program("migrate", "--json", *self.arguments(), *options)
        self.entities = {entity["entity"]: entity for entity in json.loads(result.out)["entities"]}
        self.assertEqual({name: entity["rejected"] for name, entity in self.entities.items() if entity["rejected"]}, {})
        self.assertEqual(self.rejects(), [])
        self.run_program("validate", "--level", "full")
        return result

    # --- what the application does next

    def next_key(self, table, key, columns, values):
        """The key that the application's INSERT without a key gets, above all that were loaded."""
        before = int(self.value("SELECT coalesce(max(%s), 0) FROM %s" % (key, table)))
        got = int(self.value("INSERT INTO %s (%s) VALUES (%s) RETURNING %s" % (table, columns, values, key)))
        self.assertEqual(got, before + 1, table)
        return got
