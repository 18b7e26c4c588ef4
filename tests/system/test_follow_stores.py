"""Following into OpenSearch and Redis: records that are written one by one, by their keys."""
import json
import signal
import unittest

import opensearch_server
import redis_server
import support
import test_follow

COLUMNS = {"account": ("id", "balance"), "entry": ("id", "text"), "churn": ("a", "b", "value")}


def sorted_rows(table, records):
    """As texts, as test_follow has them."""
    return sorted(([None if record.get(name) is None else str(record[name]) for name in COLUMNS[table]]
                   for record in records), key=repr)


class SearchSide:
    """Indexes with a prefix, through Python's HTTP client."""

    def __init__(self, server):
        self.server, self.prefix = server, server.database()
        self.uri = server.uri(self.prefix)

    def documents(self, table):
        return self.server.documents(self.prefix + table)

    def rows(self, table):
        return sorted_rows(table, self.documents(table).values())

    def contents(self):
        return {table: self.rows(table) for table in COLUMNS}

    def sum(self):
        return sum(int(balance) for _, balance in self.rows("account"))


class RedisSide:
    """A database, through the tests' client."""

    def __init__(self, server):
        self.server, self.number = server, server.database()
        self.uri = server.uri(self.number)

    def ask(self, *words):
        return self.server.ask(self.number, *words)

    def rows(self, table):
        found = []
        for key in self.ask("KEYS", table + ":*"):
            fields = [word.decode() for word in self.ask("HGETALL", key)]
            found.append(dict(zip(fields[::2], fields[1::2])))
        return sorted_rows(table, found)

    def contents(self):
        return {table: self.rows(table) for table in COLUMNS}

    def sum(self):
        return sum(int(balance) for _, balance in self.rows("account"))


class ToStore(test_follow.OneWay, test_follow.Pair):
    whole_transactions = False
    kills = test_follow.KILLS // 2
    store = None

    def killed_between_records(self, failpoints):
        """Requests of a group that went, and a position that did not, are made good by the next follow."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        for failpoint, occurrence in failpoints:
            self.steps(6)
            self.source.transaction(["DELETE FROM churn", "INSERT INTO churn VALUES ('z', %d, 'new')" % self.bank.next],
                                    True)
            result = support.kill_at("%s.%s" % (self.store, failpoint), occurrence, "follow", "--catch-up",
                                     "--take-over", cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, failpoint)
        self.follow("--take-over")
        self.assert_same()


@support.inheriting(1)
class SqliteToOpensearch(ToStore, support.TestCase):
    store = "opensearch"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = opensearch_server.shared_for_class(cls)

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), SearchSide(self.server)

    def test_killed_between_records(self):
        self.killed_between_records((("before_apply", 1), ("after_apply", 1), ("after_send", 1), ("before_send", 2)))

    def test_what_is_late_loses(self):
        """
        In an index of the run's own each write bears a version; one of an older request changes nothing, neither a
        record nor one that is gone.
        """
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        path = "/%saccount/_doc/" % self.target.prefix
        copied = self.server.ask("GET", path + "3")["_version"]
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id = 3", "DELETE FROM account WHERE id = 4"],
                                True)
        self.follow()
        written = self.server.ask("GET", path + "3")["_version"]
        self.assertGreater(written, copied)
        for key in ("3", "4"):
            with self.assertRaises(opensearch_server.Refused) as refused:
                self.server.ask("PUT", "%s%s?version=%d&version_type=external_gte" % (path, key, written - 1),
                                {"id": int(key), "balance": -1})
            self.assertEqual(refused.exception.status, 409)
        self.assert_same()
        self.source.transaction(["INSERT INTO account VALUES (4, 5)"], True)
        self.follow()
        self.assert_same()

    def test_versions_of_somebody_else(self):
        """A change that would lose against them is not passed over in silence."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.server.ask("PUT", "/%saccount/_doc/3?version=%d&version_type=external" % (self.target.prefix, 4 * 10**18),
                        {"id": 3, "balance": -1})
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id = 3"], True)
        self.assertIn("a document bears a version above that of the change",
                      self.run_program("follow", "--catch-up", code=3).err)
        self.server.ask("DELETE", "/%saccount/_doc/3" % self.target.prefix)

    def test_columns_that_are_added(self):
        """As fields of the index, whose note says what they hold; a comparison reads them."""
        self.source.transaction(["INSERT INTO churn VALUES ('z', 1, 'nobody changes it')"], True)
        self.steps(2)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["ALTER TABLE entry ADD COLUMN note TEXT", "UPDATE entry SET note = 'n' WHERE id = 1",
                                 "ALTER TABLE churn ADD COLUMN more TEXT", "INSERT INTO churn (a, b) VALUES ('z', 2)",
                                 "ALTER TABLE account ADD COLUMN score INTEGER NOT NULL DEFAULT 7",
                                 "INSERT INTO entry VALUES (9900, 'new', 'noted')"], True)
        self.follow()
        for table, columns in (("entry", ("id", "text", "note")), ("account", ("id", "balance", "score"))):
            found = [[None if document.get(name) is None else str(document[name]) for name in columns]
                     for document in self.target.documents(table).values()]
            self.assertEqual(sorted(found), sorted(self.source.rows(table)), table)
        mapping = self.server.ask("GET", "/%saccount/_mapping" % self.target.prefix)[self.target.prefix
            + "account"]["mappings"]
        self.assertEqual((mapping["properties"]["score"], mapping["_meta"]["transhume"]["run"]),
                         ({"type": "long"}, self.run_id()))
        self.assertIn("equal", self.run_program("validate", "--level", "full").out)

    def test_fields_of_others_stay(self):
        """
        Where the plan says upsert, in an index that was there: documents are put as a whole, with what others have in
        them.
        """
        index = self.target.prefix + "account"
        self.server.ask("PUT", "/" + index, {"mappings": {"properties": {"id": {"type": "long"},
                                                                         "balance": {"type": "long"},
                                                                         "mine": {"type": "keyword"}}}})
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\nexisting: upsert\ntables:\n  account: { key: id, "
                   "from: account, "
                                "fields: { id: copy, balance: { column: balance, cast: int64 } } }\n"
                   % (self.source.uri, self.target.uri))
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        for key in range(1, 5):
            self.server.ask("POST", "/%s/_update/%d" % (index, key), {"doc": {"mine": "x"}})
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id < 3",
                                 "UPDATE account SET id = 33 WHERE id = 3", "DELETE FROM account WHERE id = 4",
                                 "INSERT INTO account VALUES (4, 8)"], True)
        self.follow()
        found = {key: (document["balance"], document.get("mine"))
                 for key, document in self.target.documents("account").items() if key in ("1", "2", "3", "4", "33")}
        self.assertEqual(found, {"1": (7, "x"), "2": (7, "x"), "4": (8, None), "33": (100, None)})


@support.inheriting(1)
class SqliteToRedis(ToStore, support.TestCase):
    store = "redis"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = redis_server.shared_for_class(cls)

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), RedisSide(self.server)

    def test_killed_between_records(self):
        self.killed_between_records((("before_apply", 1), ("after_apply", 1), ("after_send", 1), ("before_send", 2)))

    def test_indexes_are_kept_in_step(self):
        """The sets of a plan's indexes hold just the keys whose records have these values, whatever changes."""
        self.source.connection.executescript("CREATE TABLE person (id INTEGER PRIMARY KEY, city TEXT, age INTEGER);"
                                             "INSERT INTO person VALUES (1, 'Bonn', 30), (2, 'Bonn', 40), (3, NULL, "
                                             "50), (4, 'Ulm', NULL);")
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\ntables:\n  person:\n    key: id\n    from: person\n    "
                   "indexes: { city: { partition: city }, "
                                "age: { partition: age }, both: { partition: city, sort: age } }\n" % (self.source.uri,
                                    self.target.uri))
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        self.assert_indexes()
        for statements in (["UPDATE person SET city = 'Ulm' WHERE id = 1"],
                           ["UPDATE person SET age = age + 1", "UPDATE person SET city = 'a:b%' WHERE id = 3"],
                           ["DELETE FROM person WHERE id = 2", "UPDATE person SET id = 9 WHERE id = 1",
                            "UPDATE person SET city = NULL WHERE id = 4"],
                           ["INSERT INTO person VALUES (2, 'Ulm', -1)", "UPDATE person SET age = NULL WHERE id = 3"]):
            self.source.transaction(statements, True)
            self.follow()
            self.assert_indexes()

    def assert_indexes(self):
        rows = self.source.connection.execute("SELECT id, city, age FROM person").fetchall()
        wanted = {}
        for key, city, age in rows:
            member = "person:%d" % key
            if city is not None:
                wanted.setdefault("idx:person:city:" + city, set()).add(member)
            if age is not None:
                wanted.setdefault("idx:person:age", set()).add((member, age))
            if city is not None and age is not None:
                wanted.setdefault("idx:person:both:" + city, set()).add((member, age))
        found = {}
        for name in self.target.ask("KEYS", "idx:*"):
            if self.target.ask("TYPE", name) in (b"set", "set"):
                found[name.decode()] = {member.decode() for member in self.target.ask("SMEMBERS", name)}
            else:
                words = self.target.ask("ZRANGE", name, "0", "-1", "WITHSCORES")
                found[name.decode()] = {(member.decode(), float(score))
                                        for member, score in zip(words[::2], words[1::2])}
        self.assertEqual(found, wanted)


if __name__ == "__main__":
    unittest.main()
