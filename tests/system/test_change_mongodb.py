"""
Declared changes of MongoDB's collections, on FerretDB: started, killed, taken back, switched, completed; what others
write meanwhile. pymongo writes and reads.
"""
import copy
import datetime
import json
import os
import unittest

import ferretdb
import support
from test_change_stores import Declares

BATCHES = ("change.before_batch", "change.in_batch", "change.after_batch")


class OnMongodb(support.TestCase, Declares):
    @classmethod
    def setUpClass(cls):
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.users.insert_many([self.user(i) for i in [*range(40), "word", "x" * 900, 2 ** 40, 2.5]])
        self.users.create_index("old", name="by_old")
        self.there.kept.insert_one({"_id": 1})
        self.there.gone.insert_one({"_id": 1})
        self.there.points.insert_many([{"_id": i, "x": i, "label": "p%d" % i} for i in range(30)])
        self.before = self.seen()

    @staticmethod
    def user(i):
        return {"_id": i, "name": "n%s" % i, "mail": "m%s" % i, "old": {"since": 1}, "at": {"day": 5}}

    @property
    def there(self):
        return self.server.client()[self.name]

    @property
    def users(self):
        return self.there.users

    def where(self):
        return self.server.uri(self.name)

    def run_it(self, *words, code=0, **environment):
        return self.run_program(*words, code=code, env=dict(os.environ, **environment))

    def documents(self, name="users"):
        return {repr(document["_id"]): document for document in self.there[name].find()}

    def seen(self):
        """{collection: its options, its indexes, its documents}, as another client sees them."""
        found = {}
        for info in self.there.list_collections():
            if info["name"].startswith("_transhume"):
                continue
            options = {key: value for key, value in info["options"].items() if info["options"].get("validator")}
            indexes = {name: (index["key"], index.get("unique", False), index.get("partialFilterExpression"),
                              index.get("expireAfterSeconds"))
                       for name, index in self.there[info["name"]].index_information().items()}
            found[info["name"]] = [options, indexes, self.documents(info["name"])]
        return found

    # ---------------------------------------------------------------- all operations, there and back

    def test_each_operation(self):
        rule = {"status": {"$type": "string"}}
        started, completed = self.expected(rule)
        self.assert_way([
            {"create_table": {"name": "notes", "columns": [{"name": "_id", "type": "objectId", "pk": True}],
                              "options": {"capped": "true", "size": "4096"}}},
            {"add_column": {"table": "users", "column": {"name": "status", "type": "string", "default": '"open"'}}},
            {"add_column": {"table": "users", "column": {"name": "size", "type": "long"},
                            "up": '{"$strLenCP": "$mail"}'}},
            {"add_column": {"table": "users", "column": {"name": "note", "type": "any", "nullable": True}}},
            {"rename_column": {"table": "users", "from": "name", "to": "label"}},
            {"alter_column": {"table": "users", "column": "at.day", "name": "at.since"}},
            {"drop_column": {"table": "users", "column": "old"}},
            {"create_index": {"table": "users", "name": "by_mail", "unique": True, "columns": [{"column": "mail"}],
                              "predicate": '{"mail": {"$exists": true}}'}},
            {"create_index": {"table": "users", "name": "by_at", "columns": [{"column": "at.day", "sort": "DESC"}],
                              "storage_parameters": '{"expireAfterSeconds": 99999999}'}},
            {"create_index": {"table": "notes", "name": "by_words", "columns": [{"column": "words"}],
                              "method": "text"}},
            {"drop_index": {"table": "users", "name": "by_old"}},
            {"set_table": {"table": "users", "options": {"validator": json.dumps(rule)}}},
            {"drop_table": {"name": "gone"}},
            {"rename_table": {"from": "kept", "to": "held"}},
            {"copy_table": {"table": "points", "to": "v2_points",
                            "columns": {"y": '{"$add": ["$x", 1]}', "label": "$label", "kind": '"point"'},
                            "drop": True}},
            {"sql": {"up": '{"create": "made"}', "down": '{"command": {"drop": "made"}, "ignore": [26]}'}}], started,
                        completed, switches=("writes",))

    def expected(self, rule):
        """By hand, of what stood before."""
        id_index = {"_id_": ([("_id", 1)], False, None, None)}
        started = copy.deepcopy(self.before)
        options, indexes, users = started["users"]
        for user in users.values():
            user.update(status="open", size=len(user["mail"]), label=user["name"], at={"day": 5, "since": 5})
        options.update(validator=rule, validationLevel="strict", validationAction="warn")
        indexes["by_mail"] = ([("mail", 1)], True, {"mail": {"$exists": True}}, None)
        indexes["by_at"] = ([("at.day", -1)], False, None, 99999999)
        points = {key: {"_id": point["_id"], "y": point["x"] + 1, "label": point["label"], "kind": "point"}
                  for key, point in started["points"][2].items()}
        started["v2_points"] = [{}, id_index, points]
        started["made"] = [{}, id_index, {}]
        started["notes"] = [{}, {**id_index, "by_words": ([("_fts", "text"), ("_ftsx", 1)], False, None, None)}, {}]
        completed = copy.deepcopy(started)
        options, indexes, users = completed["users"]
        for user in users.values():
            del user["old"], user["name"]
            user["at"] = {"since": 5}
        options["validationAction"] = "error"
        del indexes["by_old"], completed["gone"]
        completed["held"] = completed.pop("kept")
        completed["points"] = completed.pop("v2_points")
        return started, completed

    # ---------------------------------------------------------------- batches

    def test_killed_in_batches(self):
        """More documents than a batch has, of ids of several types; broken off within each phase that has batches."""
        self.users.insert_many([self.user(i) for i in range(100, 1300)])
        before = self.seen()
        file = self.declare([{"rename_column": {"table": "users", "from": "name", "to": "label"}},
                             {"drop_column": {"table": "users", "column": "mail"}}])
        for occurrence, point in enumerate(BATCHES, 1):
            self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="%s:kill:%d" % (point, occurrence))
            self.change("start", file, self.where())
            self.assertEqual({user.get("label") == user["name"] for user in self.documents().values()}, {True})
            self.change("switch", self.where(), "writes", code=-9,
                        TRANSHUME_FAILPOINT="%s:kill:%d" % (point, occurrence))
            self.change("switch", self.where(), "writes")
            self.assertFalse(any("name" in user for user in self.documents().values()))
            self.change("abort", self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_undo:kill:1")
            self.change("abort", self.where())
            self.assertEqual(self.seen(), before)
        self.change("start", file, self.where())
        for occurrence, point in enumerate(BATCHES, 1):
            self.change("complete", self.where(), "--confirm", code=-9,
                        TRANSHUME_FAILPOINT="%s:kill:%d" % (point, occurrence))
        self.change("complete", self.where(), "--confirm")
        wanted = {key: {"_id": user["_id"], "label": user["name"], "old": user["old"], "at": user["at"]}
                  for key, user in before["users"][2].items()}
        self.assertEqual(self.documents(), wanted)

    def test_types_and_filters(self):
        """
        All types by their names, of which the C library takes some for binary values; so it does with filters of
        several types.
        """
        import bson
        values = {"bool": ("true", True), "double": ("1.5", 1.5), "decimal": ('"2.50"', bson.Decimal128("2.50")),
                  "array": ("[1]", [1]), "object": ('{"a": 1}', {"a": 1}), "long": ("7", 7),
                  "date": ('{"$date": "2026-01-31T00:00:00Z"}',
                           datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)),
                  "binData": ('{"$binary": {"base64": "AQI=", "subType": "00"}}', b"\x01\x02")}
        several = '{"old": {"$type": ["string", "object"]}}'
        self.change("start", self.declare([{"add_column": {"table": "users",
                                                           "column": {"name": "a_" + name, "type": name,
                                                                      "default": text}}}
                                           for name, (text, _) in values.items()] +
                                          [{"sql": {"up": '{"update": "users", "updates": [{"q": {"mail": {"$not": '
                                                          '{"$type": 8}}}, "u": {"$set": {"found": 1}}, '
                                                          '"multi": true}]}', "on_complete": True}},
                                           {"set_table": {"table": "users", "options": {"validator": several}}}]),
                    self.where())
        self.change("complete", self.where(), "--confirm")
        for user in self.documents().values():
            self.assertEqual({name: user["a_" + name] for name in values},
                             {name: value for name, (_, value) in values.items()})
            self.assertEqual(user["found"], 1)
        self.assertEqual(self.seen()["users"][0]["validator"]["old"]["$type"], ["string", "object"])

    def test_a_value_that_cannot_be_made(self):
        self.users.update_one({"_id": 17}, {"$set": {"mail": "12x"}})
        self.users.update_many({"_id": {"$ne": 17}}, {"$set": {"mail": "12"}})
        file = self.declare([{"add_column": {"table": "users", "column": {"name": "number", "type": "int"},
                                             "up": "$mail"}}])
        failed = self.change("start", file, self.where(), code=3)
        self.assertIn("the document with _id 17 does not fit the new schema", failed.err)
        self.users.update_one({"_id": 17}, {"$set": {"mail": "12"}})
        self.change("start", file, self.where())
        self.assertEqual({user["number"] for user in self.documents().values()}, {12})

    # ---------------------------------------------------------------- what others write meanwhile

    def test_fields_that_the_old_version_does_not_know(self):
        self.change("start", self.declare([{"add_column": {"table": "users",
                                                           "column": {"name": "status", "type": "string",
                                                                      "default": '"open"'}}}]), self.where())
        self.users.insert_one(self.user("old version"))
        self.users.insert_one({**self.user("new version"), "status": "sent"})
        self.change("complete", self.where(), "--confirm")
        of = self.documents()
        self.assertEqual((of["'old version'"]["status"], of["'new version'"]["status"], of["1"]["status"]),
                         ("open", "sent", "open"))

    def test_a_name_while_both_versions_write(self):
        self.change("start", self.declare([{"rename_column": {"table": "users", "from": "name", "to": "label"}}]),
                    self.where())
        # before the switch the old name counts
        self.users.update_one({"_id": 1}, {"$set": {"name": "later"}})
        self.users.insert_one({"_id": "new", "label": "of the new version"})       # and what has none keeps the new one
        self.change("switch", self.where(), "writes")
        self.assertEqual((self.documents()["1"]["label"], self.documents()["'new'"]["label"]),
                         ("later", "of the new version"))
        self.users.insert_one({"_id": "late", "name": "of the old version"})
        self.users.update_one({"_id": 2}, {"$set": {"name": "both"}})
        refused = self.change("complete", self.where(), "--confirm", code=5)
        self.assertIn("1 of ", refused.err)
        self.assertIn("the first one with _id 2", refused.err)
        self.assertEqual(self.documents()["2"]["name"], "both")
        self.users.update_one({"_id": 2}, {"$unset": {"name": ""}})
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.documents()["'late'"], {"_id": "late", "label": "of the old version"})
        self.assertFalse(any("name" in user for user in self.documents().values()))

    def test_taken_back_while_both_versions_write(self):
        """No value is lost that either version alone has written, before the switch and behind it."""
        for switches in (False, True):
            with self.subTest(switches=switches):
                self.change("start", self.declare([{"rename_column": {"table": "users", "from": "name",
                                                                      "to": "label"}}]), self.where())
                if switches:
                    self.change("switch", self.where(), "writes")
                self.users.insert_one({"_id": "new", "label": "of the new version"})
                self.users.insert_one({"_id": "old", "name": "of the old version"})
                self.change("abort", self.where())
                self.assertEqual([self.documents()[key] for key in ("'new'", "'old'")],
                                 [{"_id": "new", "name": "of the new version"},
                                  {"_id": "old", "name": "of the old version"}])
                self.users.delete_many({"_id": {"$in": ["new", "old"]}})
                self.assertEqual(self.seen(), self.before)

    def test_what_is_within_lists(self):
        """
        A pipeline would write into each element of a list, and over a plain value: such documents stay as they are, and
        stop the change.
        """
        rename = self.declare([{"rename_column": {"table": "users", "from": "at.day", "to": "at.since"}}])
        add = self.declare([{"add_column": {"table": "users", "column": {"name": "at.zone", "type": "string",
                                                                         "default": '"UTC"'}}}], "011_zone.change.yaml")
        for odd in ([{"day": 1}, {"day": 2}], 7, None):
            self.users.insert_one({"_id": "odd", "at": odd})
            before = self.seen()
            for file in (rename, add) if isinstance(odd, list) else (add,):
                self.assertIn("the document with _id odd has a list or a plain value",
                              self.change("start", file, self.where(), code=5).err)
                self.assertEqual(self.seen(), before)
            self.users.delete_one({"_id": "odd"})
        self.change("start", rename, self.where())
        late = {"_id": "late", "at": [{"day": 1}, {"other": 2}]}
        self.users.insert_one(late)
        self.assertIn("the first one with _id late", self.change("switch", self.where(), "writes", code=5).err)
        self.assertEqual(self.users.find_one({"_id": "late"}), late)
        self.change("abort", self.where())
        self.assertEqual(self.users.find_one({"_id": "late"}), late)
        self.users.delete_one({"_id": "late"})
        self.assertEqual(self.seen(), self.before)

    def test_what_the_new_version_wrote_while_names_are_copied(self):
        file = self.declare([{"rename_column": {"table": "users", "from": "name", "to": "label"}}])
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.before_batch:kill:1")
        self.users.insert_one({"_id": "new", "label": "of the new version"})
        self.change("start", file, self.where())
        self.assertEqual(self.documents()["'new'"], {"_id": "new", "label": "of the new version"})

    def test_a_collection_that_somebody_else_made(self):
        """After the change was compiled, and before its own step: an abort leaves it as it is."""
        for operation, name in (({"create_table": {"name": "notes", "columns": [{"name": "_id", "type": "any"}]}},
                                 "notes"),
                                ({"copy_table": {"table": "users", "to": "v2_users"}}, "v2_users")):
            with self.subTest(name):
                file = self.declare([operation])
                self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_begin_row:kill:1")
                self.there[name].insert_one({"_id": 1, "text": "mine"})
                self.assertIn("it is there already, and not by this change",
                              self.change("start", file, self.where(), code=5).err)
                self.change("abort", self.where())
                self.assertEqual(self.documents(name), {"1": {"_id": 1, "text": "mine"}})

    def test_a_copy_while_others_write(self):
        file = self.declare([{"copy_table": {"table": "users", "to": "v2_users",
                                             "columns": {"name": "$name", "mails": '["$mail"]'}}}])
        self.change("start", file, self.where())
        self.users.update_one({"_id": 1}, {"$set": {"mail": "later"}})
        self.users.delete_one({"_id": 2})
        self.users.insert_one(self.user("since"))
        self.there.v2_users.insert_one({"_id": 3000})
        self.change("switch", self.where(), "writes")
        wanted = {key: {"_id": user["_id"], "name": user["name"], "mails": [user["mail"]]}
                  for key, user in self.documents().items()}
        self.assertEqual(self.documents("v2_users"), wanted)
        self.change("abort", self.where())
        self.assertNotIn("v2_users", self.seen())

    # ---------------------------------------------------------------- proofs

    def test_duplicates(self):
        for options, values, key in (({}, [{"mail": "m1"}], "m1"), ({}, [{"mail": ["u", "u", "m7"]}], "m7"),
                                     ({}, [{}, {"mail": None}], "null"),
                                     ({"storage_parameters": '{"sparse": true}'}, [{}, {"mail": "m2"}], "m2"),
                                     ({"predicate": '{"_id": {"$gt": 5}}'},
                                      [{"mail": "m1"}, {"_id": 2000, "mail": "m9"}], "m9")):
            with self.subTest(options=options, values=values):
                inserted = self.users.insert_many(copy.deepcopy(values)).inserted_ids
                before = self.seen()
                file = self.declare([{"create_index": {"table": "users", "name": "by_mail", "unique": True,
                                                       "columns": [{"column": "mail"}], **options}}])
                refused = self.change("start", file, self.where(), code=5)
                self.assertIn("2 of %d rows are not as they should be, the first one with the key" % (44 + len(values)),
                              refused.err)
                self.assertIn(key, refused.err)
                self.assertNotIn("by_mail", self.seen()["users"][1])
                self.change("abort", self.where())
                self.assertEqual(self.seen(), before)
                self.users.delete_many({"_id": {"$in": inserted}})

    def test_a_validator(self):
        """What breaks it is counted at the start, and again before it may keep anybody out."""
        file = self.declare([{"set_table": {"table": "users",
                                            "options": {"validator": '{"$jsonSchema": {"bsonType": "object", '
                                                                     '"required": ["mail"]}}'}}}])
        self.users.insert_many([{"_id": "a"}, {"_id": "b"}])
        refused = self.change("start", file, self.where(), code=5)
        self.assertIn("2 of 46 rows", refused.err)
        self.assertEqual(self.seen()["users"][0]["validationAction"], "warn")
        self.users.delete_many({"_id": {"$in": ["a", "b"]}})
        self.change("start", file, self.where())
        self.users.insert_one({"_id": "c"})
        self.assertIn("with _id c", self.change("complete", self.where(), "--confirm", code=5).err)
        self.assertEqual(self.seen()["users"][0]["validationAction"], "warn")
        self.users.delete_one({"_id": "c"})
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.seen()["users"][0]["validationAction"], "error")
        other = self.declare([{"set_table": {"table": "users",
                                             "options": {"validator": '{"name": {"$exists": true}}',
                                                         "validationLevel": "moderate"}}}], "011_other.change.yaml")
        stands = self.seen()
        self.change("start", other, self.where())
        self.assertEqual(self.seen(), stands)   # the one that stands is in force
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.seen()["users"][0], {"validator": {"name": {"$exists": True}},
                                                   "validationLevel": "moderate", "validationAction": "error"})

    # ---------------------------------------------------------------- refusals

    def test_refusals(self):
        self.users.create_index("mail", name="one_mail", unique=True)
        self.before = self.seen()
        column = {"name": "x", "type": "int"}
        for operation, words, code in (
                ({"add_column": {"table": "nobody", "column": {**column, "default": "1"}}},
                 "there is no collection 'nobody'", 2),
                ({"add_column": {"table": "users", "column": column}}, "need a value", 2),
                ({"add_column": {"table": "users", "column": {**column, "default": "open"}}}, "it is no JSON", 2),
                ({"add_column": {"table": "users", "column": {**column, "default": '1, "w": 2'}}},
                 "more than one value", 2),
                ({"add_column": {"table": "users", "column": {**column, "default": '1}, "b": {"c": 1'}}},
                 "it is no JSON", 2),
                ({"add_column": {"table": "users", "column": {**column, "type": "text", "default": "1"}}},
                 "BSON has no such type", 2),
                ({"add_column": {"table": "users", "column": {"name": "mail", "type": "string", "default": '"x"'}}},
                 "have a field 'mail' already", 2),
                ({"add_column": {"table": "users", "column": {"name": "_id", "type": "int", "default": "1"}}},
                 "_id is a document's own", 5),
                ({"add_column": {"table": "users", "column": {**column, "default": "1", "unique": True}}},
                 "fields of documents have no unique", 5),
                ({"add_column": {"table": "users", "column": {"name": "a..b", "type": "int", "default": "1"}}},
                 "no field that documents can have", 2),
                ({"drop_column": {"table": "users", "column": "mail"}}, "the unique index one_mail is over it", 5),
                ({"drop_column": {"table": "users", "column": "name", "down": "1"}}, "no triggers", 5),
                ({"rename_column": {"table": "users", "from": "name", "to": "old"}}, "have a field 'old' already", 2),
                ({"rename_column": {"table": "users", "from": "at", "to": "at.day"}}, "within the other", 2),
                ({"alter_column": {"table": "users", "column": "name", "type": "int"}}, "values of two kinds", 5),
                ({"create_table": {"name": "users", "columns": [{"name": "_id", "type": "any"}]}},
                 "there is a collection 'users' already", 2),
                ({"create_table": {"name": "a$b", "columns": [{"name": "_id", "type": "any"}]}},
                 "no name that a collection can have", 2),
                ({"create_table": {"name": "x", "columns": [{"name": "a", "type": "int"}]}}, "no columns but _id", 5),
                ({"rename_table": {"from": "users", "to": "gone"}}, "there is a collection 'gone' already", 2),
                ({"copy_table": {"table": "users", "to": "gone"}}, "there is a collection 'gone' already", 2),
                ({"copy_table": {"table": "users", "to": "v2", "back": {"a": "$a"}}}, "no triggers", 5),
                ({"create_index": {"table": "users", "name": "by_old", "columns": [{"column": "a"}]}},
                 "has an index 'by_old' already", 2),
                ({"create_index": {"table": "users", "name": "i", "method": "gin", "columns": [{"column": "a"}]}},
                 "no such kind of index", 2),
                ({"create_index": {"table": "users", "name": "i", "include": ["b"], "columns": [{"column": "a"}]}},
                 "keeps no fields", 5),
                ({"create_index": {"table": "users", "name": "i", "columns": [{"expression": "a + 1"}]}},
                 "not expressions", 5),
                ({"drop_index": {"table": "users", "name": "nothing"}}, "has no index 'nothing'", 2),
                ({"drop_index": {"name": "by_old"}}, "`table` is missing", 2),
                ({"set_table": {"table": "users", "options": {"nonsense": "1"}}}, "no such option", 2),
                ({"set_table": {"table": "users", "options": {"validationLevel": "off"}}}, "no validator", 2),
                ({"set_table": {"table": "users", "options": {"validator": "{}", "validationLevel": "lax"}}},
                 "strict, moderate or off", 2),
                ({"create_constraint": {"table": "users", "name": "c", "type": "unique", "columns": ["mail"]}},
                 "no constraints by name", 5),
                ({"sql": {"up": "db.users.find()"}}, "it is no JSON", 2),
                ({"split_table": {"table": "users", "into": "x", "columns": ["name"]}}, "nothing like it", 5)):
            with self.subTest(operation=operation):
                self.assert_refused(operation, words, code)

    def test_a_command_that_was_under_way(self):
        """An insert may not be repeated: a person says what became of it. A delete of all that it finds is repeated."""
        file = self.declare([{"sql": {"up": '{"insert": "kept", "documents": [{"text": "once"}]}'}},
                             {"sql": {"up": '{"delete": "gone", "deletes": [{"q": {}, "limit": 0}]}'}}])
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_statement:kill:1")
        refused = self.change("start", file, self.where(), code=5)
        self.assertIn("can't be told whether it was carried out", refused.err)
        self.assertEqual(self.there.kept.count_documents({"text": "once"}), 1)
        step = refused.err.split("transhume change skip DB ")[1].split()[0]
        self.change("skip", self.where(), step, "--confirm")
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_statement:kill:1")
        self.change("start", file, self.where())
        self.change("complete", self.where(), "--confirm")
        self.assertEqual((self.there.kept.count_documents({"text": "once"}), self.there.gone.count_documents({})),
                         (1, 0))

    def test_a_command_that_the_server_refused(self):
        """It was not carried out: once the cause is gone, it is run."""
        self.there.kept.create_index("text", unique=True)
        self.there.kept.insert_one({"_id": 7, "text": "once"})
        file = self.declare([{"sql": {"up": '{"insert": "kept", "documents": [{"text": "once"}]}'}}])
        self.change("start", file, self.where(), code=3)
        self.change("start", file, self.where(), code=3)
        self.there.kept.delete_one({"_id": 7})
        self.change("start", file, self.where())
        self.assertEqual(self.there.kept.count_documents({"text": "once"}), 1)

    def test_what_the_server_refuses(self):
        file = self.declare([{"add_column": {"table": "users", "column": {"name": "x", "type": "int", "default": "1"}}},
                             {"sql": {"up": '{"nonsense": 1}', "on_complete": True}},
                             {"drop_table": {"name": "gone"}}])
        self.change("start", file, self.where())
        failed = self.change("complete", self.where(), "--confirm", code=3)
        self.assertIn("nonsense", failed.err)
        self.assertIn("transhume change skip DB", failed.err)
        self.assertIn("gone", self.seen())
        step = failed.err.split("transhume change skip DB ")[1].split()[0]
        self.change("skip", self.where(), step, "--confirm")
        self.change("complete", self.where(), "--confirm")
        self.assertNotIn("gone", self.seen())


if __name__ == "__main__":
    unittest.main()
