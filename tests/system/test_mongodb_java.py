"""
MongoDB on a second independent server, mongo-java-server, which is older than FerretDB in what it speaks: in, out and
compared. What is there is read by another version of pymongo.
"""
import json
import sqlite3

import mongo_java
import support

from test_mongodb import ODD

VALUES = """[{"_id": {"$oid": "507f1f77bcf86cd799439011"}, "int": {"$numberInt": "5"}, "long": {"$numberLong": "5"}, "double": {"$numberDouble": "0.1"}, "decimal": {"$numberDecimal": "0.10"}},
 {"_id": {"$oid": "507f1f77bcf86cd799439012"}, "date": {"$date": {"$numberLong": "1709210000123"}}, "bytes": {"$binary": {"base64": "AP8=", "subType": "00"}}, "time": {"$timestamp": {"t": 5, "i": 6}}},
 {"_id": {"$oid": "507f1f77bcf86cd799439013"}, "regex": {"$regularExpression": {"pattern": "^a", "options": "i"}}, "low": {"$minKey": 1}, "high": {"$maxKey": 1}, "list": [{"$numberInt": "1"}, null, {}]}]"""


class SecondServer(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mongo_java.Server.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()

    def test_there_compared_and_back(self):
        support.make_sqlite(self.path("source.db"), ODD)
        self.run_program("migrate", "source.db", self.server.uri(self.name), "--quiet")
        odd = self.server.documents(self.name, "odd")
        self.assertEqual(odd[1], {"_id": {"$numberInt": "2"}, "id": {"$numberInt": "2"}, "t": "007",
                                  "n": {"$numberDecimal": "1.5"}, "r": {"$numberDouble": "1e+300"},
                                  "b": {"$binary": {"base64": "AP8=", "subType": "00"}}})
        self.assertEqual([document["_id"] for document in self.server.documents(self.name, "pair")][0],
                         {"x": "", "y": {"$numberInt": "1"}})
        self.run_program("validate", "--level", "full", "--quiet")
        self.server.ask(self.name, "delete", "odd", "3")
        self.run_program("validate", "--level", "full", "--quiet", code=1)
        self.run_program("validate", "--level", "full", "--repair", "--confirm", "--quiet")
        self.assertEqual(self.server.documents(self.name, "odd"), odd)
        self.run_program("migrate", self.server.uri(self.name), "back.db", "--state", "back", "--quiet")
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        for query in ("SELECT id, t, CAST(n AS NUMERIC), r, b FROM odd ORDER BY id",
                      "SELECT x, y, note FROM pair ORDER BY x, y"):
            self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_from_one_to_the_other(self):
        """Documents stay what they are, byte for byte, from the collection as it is and through a plan."""
        self.server.ask(self.name, "insert", "all", VALUES)
        whole, planned = self.server.database(), self.server.database()
        self.run_program("migrate", self.server.uri(self.name), self.server.uri(whole), "--quiet")
        self.assertEqual(self.server.documents(whole, "all"), json.loads(VALUES))
        self.write("plan.yaml",
                   'transhume: 1\nsource: "%s"\ntarget: "%s"\ntables:\n  all: { key: [_id], from: all, nulls: keep, '
                   'fields: { "*": copy, added: { const: yes } }, indexes: { by_int: { columns: [int] } } }\n' % (
                       self.server.uri(self.name), self.server.uri(planned)))
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "planned", "--quiet")
        self.assertEqual(self.server.documents(planned, "all"),
                         [{**document, "added": "yes"} for document in json.loads(VALUES)])
        self.assertEqual(self.server.ask(planned, "indexes", "all"), {"_id_": [["_id", 1]], "by_int": [["int", 1]]})

    def test_a_document_that_is_there(self):
        """This server names the index of _id as MongoDB does: a duplicate is told from others."""
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), "
                            "(2, 'two')")
        self.server.ask(self.name, "insert", "t", '[{"_id": {"$numberInt": "2"}, "v": "theirs"}]')
        self.run_program("migrate", "--existing", "append", "source.db", self.server.uri(self.name), "--quiet", code=1)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])
        self.assertEqual([document["v"] for document in self.server.documents(self.name, "t")], ["one", "theirs"])
        self.run_program("migrate", "--existing", "replace", "--state", "second", "source.db",
                         self.server.uri(self.name), "--quiet")
        self.assertEqual([document["v"] for document in self.server.documents(self.name, "t")], ["one", "two"])
