"""A class of tests with a SQL server of its own, what they ask of it, and tests that every such source passes."""
import json
import os
import signal
import time

import support


class SqlCase(support.TestCase):
    SERVERS = None   # the module that starts one

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def made(self, script=""):
        """The name of a new database that the script was run in."""
        name = self.server.database()
        self.server.ask(name, script)
        return name

    def rows(self, name, table):
        """In an order of their own."""
        raise NotImplementedError

    def assert_same_rows(self, source, target, table):
        self.assertEqual(self.rows(source, table), self.rows(target, table), table)

    def migrate(self, source, target, *options, code=0, **more):
        return self.run_program("migrate", source, target, "--quiet", *options, code=code, **more)

    def abandon_and_resume(self, target, rule, lock, *arguments):
        """A migrate is killed while its statement behind the stop waits for the lock; the resume comes to it before the lock is gone."""
        first = self.stopped_at(rule, "migrate", *arguments)
        holder = self.server.session(target)
        self.addCleanup(holder.close)
        holder.ask(lock)
        first.send_signal(signal.SIGCONT)
        self.wait_until("the server waits for the lock", lambda: self.server.waiting(target) == 1)
        first.kill()
        second, begun = support.start("resume", *arguments, cwd=self.folder), time.monotonic()
        self.wait_until("the next one waits too", lambda: self.server.waiting(target) == 2 or time.monotonic() > begun + 2)
        holder.close()
        self.assert_code(support.finish(second), 0)

    def rejects(self, state=".transhume"):
        found = []
        folder = self.path(state, "rejects")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
        return found


class Plans:
    """The same plan makes the same documents from the server as from SQLite."""
    SOURCE_OPTIONS = ""
    PLAN = """
transhume: 1
source: %s
target: jsonl:%s
tables:
  customers:
    entities:
      customer:
        from: Customer
        fields:
          "*": copy
          Rep: { lookup: Employee, value: "{FirstName} {LastName}" }
          RepsBoss: { lookup: Employee.Employee, column: LastName }
          Orders: { aggregate: Invoice, value: "count(*)" }
          Spent: { aggregate: Invoice, value: "sum(Total)" }
          Invoices:
            embed: Invoice
            order: InvoiceDate
            fields:
              InvoiceId: copy
              Total: copy
              Country: { column: BillingCountry, default: none }
  tracks:
    entities:
      track:
        from: Track
        where: "Milliseconds > 200000"
        fields:
          "*": copy
          Artist: { lookup: Album.Artist, column: Name }
"""

    def documents(self, folder):
        found = {}
        for table in sorted(os.listdir(folder)):
            if table.startswith("_"):
                continue
            lines = []
            for name in sorted(os.listdir(os.path.join(folder, table))):
                with open(os.path.join(folder, table, name), encoding="utf-8") as file:
                    lines += [json.loads(line) for line in file]
            found[table] = sorted(lines, key=lambda line: json.dumps(line, sort_keys=True))
        return found

    def test_look_ups_embeds_and_aggregates(self):
        shop = support.musicshop(self.path("shop.sqlite"))
        target = self.made()
        self.migrate(shop, self.server.uri(target))
        for name, source in (("sqlite", "sqlite:" + shop), ("server", self.server.uri(target, self.SOURCE_OPTIONS))):
            self.write(name + ".yaml", self.PLAN % (source, self.path(name)))
            self.run_program("migrate", "--plan", name + ".yaml", "--quiet", "--state", self.path("state-" + name))
        left, right = self.documents(self.path("sqlite")), self.documents(self.path("server"))
        self.assertEqual(left.keys(), right.keys())
        for table in left:
            self.assertGreater(len(left[table]), 10)
            self.assertEqual(left[table], right[table], table)
