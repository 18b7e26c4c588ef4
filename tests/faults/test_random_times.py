"""Dates, times, timestamps, intervals and uuids of every kind that PostgreSQL and MariaDB have, by way of DynamoDB and
of its
files, and back into columns of the same types: what was there comes back, to the last digit, or was rejected with its
key and
a reason. On the way they are texts (docs/types/dynamodb.md). The plan of the way back casts them, or leaves that to the
columns' types.
"""
import json
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import postgres
import servers
import support
import test_random_mysql
import test_random_postgres

SECONDS = 120 if support.SOAK else 4
WAYS = ("dynamodb-json", "dynamodb")
# By the word that a type begins with.
CASTS = {"datetime": "timestamp", "date": "date", "uuid": "uuid", "bigint": "int64", "interval": "interval",
         "timestamp": "timestamp", "time": "time"}


class Column(test_random_postgres.Column):
    """One of a date, a time or a uuid, alone: what an array becomes is not a text."""

    def __init__(self, seed):
        while True:
            super().__init__(seed)
            if self.kind.startswith(("time", "interval", "date",
                                     "uuid")) and "[]" not in self.kind and "range" not in self.kind:
                break


class DynamodbBetween:
    """What the ways of both servers share: the middle, and the plan that leads back."""
    ways, table_names, seconds = WAYS, ("Tab", "sel-ect", "x.y.", "__t"), SECONDS
    parts = (1, 1, 2)   # of a key: an item has one

    @classmethod
    def start_dynamodb(cls):
        cls.dynamodb = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.dynamodb)

    def trip(self, seed, way, counts):
        items.empty(self.client)
        super().trip(seed, way, counts)

    def middle(self, way, _=None):
        return ("dynamodb://us-east-1?endpoint=" + self.dynamodb.endpoint if way == "dynamodb"
                else "dynamodb-json:middle")

    def environment(self, folder):
        return servers.aws_environment(folder)

    def plan_back(self, seed, folder, tables):
        planned = {}
        for table, columns in tables.items():
            kinds = {name: getattr(column, "kind", column) for name, column in columns.items()}
            casts = {name: self.cast_of(kind, seed) for name, kind in kinds.items()}
            planned[table] = {
                "from": table, "key": [name for name in columns if name in ("k0", "k1")],
                "fields": {name: {"column": name, "cast": cast} if cast else {"column": name}
                           for name, cast in casts.items()}}
            types = {name: {"type": kinds[name].replace(" null", "")} for name, cast in casts.items() if not cast}
            planned[table].update({"columns": types} if types else {})
        with open(os.path.join(folder, "back.json"), "w", encoding="utf-8") as plan:
            json.dump({"transhume": 1, "source": "sqlite:none.db", "target": "sqlite:none.db", "tables": planned}, plan)
        return "--plan", "back.json"

    def cast_of(self, kind, seed):
        """
        None: the column's type says it. Of an interval's limits a plan knows none, and to a cast a time of a zone is
        none without.
        """
        word = next(word for word in CASTS if kind.startswith(word))
        limited = kind.startswith("interval") and kind != "interval"
        zoned = kind.startswith(("timetz", "timestamptz"))
        return CASTS[word] if limited or not zoned and seed.random() < 0.5 else None


class PostgresTimes(DynamodbBetween, test_random_postgres.RandomPostgres):
    column = Column
    names = tuple(name for name in test_random_postgres.NAMES if not name.startswith("$"))
    keys = {kind: test_random_postgres.KEYS[kind] for kind in ("uuid", "date", "timestamptz(3)", "timestamp", "time",
                                                               "interval", "bigint")}

    @classmethod
    def setUpClass(cls):
        cls.server, cls.mysql = postgres.for_class(cls), None
        cls.template = cls.server.database()
        cls.server.psql(cls.template, "SET client_min_messages = error;" + test_random_postgres.MADE)
        cls.start_dynamodb()

    def trip(self, seed, way, counts):
        super().trip(seed, way, counts)
        # what lies beyond the year 294246
        self.assertEqual((counts["refused by " + way], counts["rejected"]), (0, counts["because unreadable"]))


class MysqlTimes(DynamodbBetween, test_random_mysql.RandomMysql):
    names = tuple(name for name in test_random_mysql.NAMES if not name.startswith("$"))
    types = {kind: values for kind, values in test_random_mysql.TYPES.items() if kind.startswith(tuple(CASTS))
             and "bigint" not in kind}
    keys = {kind: test_random_mysql.KEYS[kind] for kind in ("uuid", "date", "datetime(6)")}

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.start_dynamodb()

    def cast_of(self, kind, seed):
        """Its `time` is a length as well, and its `timestamp` one of UTC."""
        if kind.startswith("timestamp"):
            return None
        return "interval" if kind.startswith("time") else super().cast_of(kind, seed)

    def trip(self, seed, way, counts):
        super().trip(seed, way, counts)
        self.assertEqual(counts["rejected"], 0)


if __name__ == "__main__":
    unittest.main()
