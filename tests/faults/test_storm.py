"""Storms over pairs of databases: whatever is written and whatever strikes, in the end both sides are the same.

In the suite two pairs are drawn, with one seed each; a soak takes all pairs with ten seeds. By itself:
TRANSHUME_STORMS=PAIR:FIRST:COUNT,…
"""
import os
import sys
import unittest
import unittest.mock

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import cassandra_server
import ferretdb
import items
import mariadb
import opensearch_server
import postgres
import servers
import storm
import storm_stores
import support

SEEDS = 10 if support.SOAK else 1
DRAWN = 2
SLOW = ("mongodb", "cassandra", "opensearch")   # to start: in a soak alone
# What a pair leaves out of the workload: see its documentation.
# docs/sqlite.md: a column that a feed's triggers name SQLite does not drop
OF_SQLITE = ("dropped column",)
PAIRS = {
    "postgres to postgres": {},
    "postgres to mariadb": {},
    "postgres to sqlite": {},
    "postgres to mongodb": {},
    "postgres to dynamodb": {},
    "postgres to cassandra": {},
    "mariadb to mariadb": {},
    "mariadb to postgres": {},
    "mariadb to sqlite": {},
    "sqlite to sqlite": {"without": OF_SQLITE},
    "sqlite to postgres": {"without": OF_SQLITE},
    "sqlite to opensearch": {"without": OF_SQLITE},
    "sqlite to jsonl": {"without": OF_SQLITE},
}
# a crash of the server loses nothing that it has said to be committed
DURABLE = {**mariadb.FOLLOWED, "innodb-flush-log-at-trx-commit": "2"}
MADE = {"postgres": lambda: postgres.Server(settings=postgres.FOLLOWED),
        "mariadb": lambda: mariadb.Server(settings=DURABLE), "mongodb": ferretdb.Server,
        "cassandra": cassandra_server.Server, "opensearch": opensearch_server.Server,
        "dynamodb": lambda: servers.start("dynalite")}
SIDES = {"mongodb": storm_stores.MongodbSide, "cassandra": storm_stores.CassandraSide,
         "opensearch": storm_stores.OpensearchSide}


class Storms(support.TestCase):
    SERVERS = {}

    def server(self, role, kind):
        """The source's and the target's die apart."""
        key = (role, kind)
        if key not in self.SERVERS:
            self.SERVERS[key] = MADE[kind]()
            unittest.addModuleCleanup(self.SERVERS[key].stop)
        return self.SERVERS[key]

    def side(self, role, kind, folder):
        if kind == "sqlite":
            return storm.FileSide(os.path.join(folder, role + ".db"))
        if kind == "jsonl":
            return storm_stores.JsonlSide(os.path.join(folder, role))
        server = self.server(role, kind)
        if kind == "dynamodb":
            known = {name: value for name, value in servers.aws_environment(folder).items() if name.startswith("AWS_")
                     and value}
            patch = unittest.mock.patch.dict(os.environ, known)
            patch.start()
            self.addCleanup(patch.stop)
            return storm_stores.DynamodbSide(server, items.client_of(server))
        return SIDES[kind](server) if kind in SIDES else storm.ServerSide(kind, server)

    def one(self, pair, seed):
        source, target = pair.split(" to ")
        folder = self.path("%s %d" % (pair, seed))
        os.mkdir(folder)
        options = PAIRS[pair]
        self.steps = storm.Storm(self, folder, seed, self.side("source", source, folder),
                                 self.side("target", target, folder), **options).run()

    def storms(self, pair, seeds):
        for seed in seeds:
            with self.subTest(pair=pair, seed=seed):
                self.one(pair, seed)


def cases():
    """{pair: seeds}"""
    asked = os.environ.get("TRANSHUME_STORMS")
    if asked:
        return {pair: range(int(first), int(first) + int(count))
                for pair, first, count in (case.split(":") for case in asked.split(","))}
    pairs = sorted(pair for pair in PAIRS if support.SOAK or pair.split(" to ")[1] not in SLOW)
    return {pair: range(support.SEED * 100, support.SEED * 100 + SEEDS)
            for pair in support.drawn(pairs, DRAWN, "storms")}


for name, numbers in cases().items():
    setattr(Storms, "test_" + name.replace(" ", "_"), lambda self, name=name, numbers=numbers: self.storms(name,
        numbers))


if __name__ == "__main__":
    unittest.main()
