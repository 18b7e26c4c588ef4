"""No false alarms: random databases, copied and validated at each level; the seed is in every failure."""
import os
import random
import shutil
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import postgres
import servers
import support
from random_database import NAMES, RandomDatabase
from random_validate import LEVELS, assert_clean

SEEDS = range(1, 101) if support.SOAK else range(support.SEED, support.SEED + 3)


class Random(support.TestCase):
    environment = None

    def clean(self, target, simple, *options, seeds=SEEDS, **shape):
        """
        How many of the seeds' databases the target took; one that it refuses is refused before anything is written.
        """
        taken = 0
        for seed in seeds:
            with self.subTest(seed=seed, target=target):
                folder = self.path("case")
                shutil.rmtree(folder, ignore_errors=True)
                os.mkdir(folder)
                RandomDatabase(random.Random(seed), os.path.join(folder, "a.db"), rows_max=150, simple=simple, **shape)
                copied = support.transhume("migrate", "--progress", "none", *options, "a.db", target, cwd=folder,
                                           env=self.environment)
                if self.refuses and copied.code == 2:
                    continue
                self.assertIn(copied.code, (0, 1), copied.err)
                taken += 1
                assert_clean(self, folder, levels=LEVELS, env=self.environment)
        return taken

    refuses = False

    def in_a_server(self, server, seeds):
        """A database for each seed, its columns named as every server takes it; what else is refused, is so seldom."""
        self.refuses = True
        names = [name for name in NAMES if len(name.encode()) < 60 and max(name, default="") <= "\uffff"
                 and name.rstrip() == name]
        taken = 0
        for seed in seeds:
            name = server.database()
            taken += self.clean(server.uri(name), True, seeds=[seed], names=names)
        print("%s: %d of %d databases" % (self.id().split(".")[-1], taken, len(seeds)), file=sys.stderr)
        self.assertGreaterEqual(taken, 0.9 * len(seeds))

    def test_sqlite(self):
        self.clean("sqlite:b.db", False)

    def test_sqlite_by_the_general_path(self):
        self.clean("sqlite:b.db", False, "--no-express", "--jobs", "2", "--chunk-rows", "7")

    def test_jsonl(self):
        self.clean("jsonl:out", False)

    def test_csv(self):
        self.clean("csv:out", True)

    def test_dynamodb_json(self):
        self.clean("dynamodb-json:out", True)

    def test_dynamodb(self):
        with servers.start("dynalite") as server:
            client = items.client_of(server)
            self.environment = servers.aws_environment(self.folder)
            for seed in SEEDS if support.SOAK else SEEDS[:2]:
                items.empty(client)
                self.clean("dynamodb://us-east-1?endpoint=" + server.endpoint, True, seeds=[seed])

    def test_postgres(self):
        with postgres.start() as server:
            self.in_a_server(server, SEEDS)

    def test_mysql(self):
        with mariadb.start() as server:
            self.in_a_server(server, SEEDS)


if __name__ == "__main__":
    unittest.main()
