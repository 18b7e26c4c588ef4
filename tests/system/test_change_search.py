"""
Schemas of OpenSearch: `.http` through `schema up`, and declared changes, in place and by a copy, on a real node;
killed, taken back, completed.
"""
import http.client
import json
import os
import signal
import threading
import time
import unittest

import opensearch_server
import support
from test_change_stores import KILLS, Declares
from test_schema_settle import POINTS, Case

MAPPING = {"mappings": {"properties": {"name": {"type": "keyword"}, "mail": {"type": "text"},
                                       "n": {"type": "integer"}}}}


class SearchCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()

    def ask(self, method, path, body=None):
        return self.server.ask(method, path.replace("~", self.prefix), body)

    def where(self):
        return self.server.uri(self.prefix)

    def run_it(self, *words, code=0, **environment):
        return self.run_program(*words, code=code, env=dict(os.environ, **environment))

    def documents(self, table):
        return self.server.documents(self.prefix + table)

    def indexes(self):
        return [name[len(self.prefix):] for name in self.server.indexes(self.prefix)
                if not name.endswith("transhume-schema")]

    def stands_for(self, alias):
        return [name[len(self.prefix):] for name in self.ask("GET", "/~" + alias)]


class Files(SearchCase, Case):
    """Requests of files: each is announced and noted by itself."""

    def setUp(self):
        super().setUp()
        self.uri = self.where()

    def test_up_and_down(self):
        bulk = "".join('{"index": {"_id": "%d"}}\n{"name": "n%d"}\n' % (i, i) for i in range(3))
        self.put("# users\nPUT /${prefix}users\nContent-Type: application/json\n\n%s\n\n// their first ones\nPOST "
                 "/${prefix}users/_bulk?refresh=true\n\n%s" %
                 (json.dumps(MAPPING, indent=1), bulk), "001_users.up.http")
        self.put("DELETE /${prefix}users\n", "001_users.down.http")
        self.put('before:\n  - "query HEAD /${prefix}users => false"\n'
                 'after:\n  - "query GET /${prefix}users/_count => 3"\n  - "query GET /${prefix}users '
                 '*.mappings.properties.name.type => keyword"\n'
                 '  - "query POST /${prefix}users/_search hits.total.value {\\"query\\": {\\"term\\": {\\"name\\": '
                 '\\"n1\\"}}} => 1"\n', "001_users.checks.yaml")
        self.put('PUT /${prefix}users/_mapping\n\n{"properties": {"age": {"type": "long"}}}\n\n'
                 'POST /${prefix}users/_update_by_query?refresh=true\n\n{"script": "ctx._source.age = 7"}\n',
                 "002_age.up.http")
        self.put('POST /${prefix}users/_update_by_query\n\n{"script": "ctx._source.remove(\'age\')"}\n',
                 "002_age.down.http")
        self.assertIn("2 migrations applied", self.run_program("schema", "up", self.uri).out)
        self.assertEqual(self.documents("users"), {str(i): {"name": "n%d" % i, "age": 7} for i in range(3)})
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")
        self.run_program("schema", "down", "2", self.uri, "--confirm")
        self.assertEqual(self.indexes(), [])

    def test_checks(self):
        self.put("PUT /${prefix}a\n", "001_a.up.http")
        self.put('before:\n  - "query HEAD /${prefix}a => true"\n', "001_a.checks.yaml")
        self.assertIn("false; expected: true", self.run_program("schema", "up", self.uri, code=5).err)
        self.assertEqual(self.indexes(), [])
        self.put('before:\n  - "query DELETE /${prefix}a => true"\n', "001_a.checks.yaml")
        self.assertIn("is no question", self.run_program("schema", "up", self.uri, code=3).err)

    def test_a_request_that_fails(self):
        """
        The server's reason is told with the place; once it is put right, the run goes on there, and not from the
        beginning.
        """
        self.put("PUT /${prefix}a\n\nPUT /${prefix}b\n\n{\"mappings\": {\"properties\": {\"x\": {\"type\": "
                 "\"nonsense\"}}}}\n\nPUT /${prefix}c\n", "001_x.up.http")
        failed = self.run_program("schema", "up", self.uri, code=3)
        self.assertRegex(failed.err, r"001_x\.up\.http:3:1: .*nonsense")
        self.assertEqual(self.indexes(), ["a"])
        self.put("PUT /${prefix}a\n\nPUT /${prefix}b\n\nPUT /${prefix}c\n", "001_x.up.http")
        self.assertIn("1 migration applied", self.run_program("schema", "up", self.uri).out)
        self.assertEqual(self.indexes(), ["a", "b", "c"])
        for text, words in (("POST /${prefix}a/_bulk\n\n{\"index\": {\"_id\": \"1\"}}\n{\"x\": {\"y\": "
                             "1}}\n{\"index\": {\"_id\": \"2\"}}\n{\"x\": 1}\n", "document 2"),
                            ("PUT /${prefix}a\nX-Forwarded-For: 1\n", "X-Forwarded-For is not sent"),
                            ("DELETE /${prefix}nobody\n", "no such index")):
            self.put(text, "002_y.up.http")
            self.assertIn(words, self.run_program("schema", "up", self.uri, code=3).err)
        self.put("DELETE /${prefix}nobody\nAllow-Status: 404\n", "002_y.up.http")
        self.run_program("schema", "up", self.uri)
        self.put("{}\n", "003_z.up.http")
        self.assertRegex(self.run_program("schema", "up", self.uri, code=2).err,
                         r"003_z\.up\.http:1:1: .*a request is expected here")

    def test_kills(self):
        for point in POINTS:
            with self.subTest(point):
                self.put('PUT /${prefix}a\n\n%s\n\nPOST /_aliases\n\n{"actions": [{"add": {"index": "${prefix}a", '
                         '"alias": "${prefix}name"}}, {"remove": {"index": "${prefix}old", '
                         '"alias": "${prefix}name"}}]}\n\n'
                         'DELETE /${prefix}old\n\nPUT /${prefix}b\n' % json.dumps(MAPPING), "001_x.up.http")
                for occurrence in (1, 2, 3) if point == "evolve.after_statement" else (1,):
                    self.prefix = self.server.database()
                    self.uri = self.where()
                    self.ask("PUT", "/~old", {"aliases": {self.prefix + "name": {}}})
                    came, _ = self.killed_and_resumed(point, occurrence)
                    self.assertTrue(came)
                    self.assertEqual((self.indexes(), self.stands_for("name")), (["a", "b"], ["a"]))

    def test_a_name_that_goes_from_an_index_to_an_alias(self):
        """In one request: that the name still stands for something does not say that it was not carried out."""
        self.put('PUT /${prefix}b\n\nPOST /_aliases\n\n{"actions": [{"remove_index": {"index": "${prefix}old"}}, '
                 '{"add": {"index": "${prefix}b", "alias": "${prefix}old"}}]}\n', "001_x.up.http")
        for point, occurrence in (("evolve.before_statement", 2), ("evolve.after_statement", 2),
                                  ("opensearch.after_alter", 2)):
            with self.subTest(point):
                self.prefix = self.server.database()
                self.uri = self.where()
                self.ask("PUT", "/~old")
                came, _ = self.killed_and_resumed(point, occurrence)
                self.assertTrue(came)
                self.assertEqual((self.indexes(), self.stands_for("old")), (["b"], ["b"]))

    def test_a_task_that_was_under_way(self):
        """An update that counts is not made twice: the server goes on with it, and the next run waits for its end."""
        self.ask("PUT", "/~t")
        self.server.bulk(self.prefix + "t", {str(i): {"n": 0} for i in range(5000)})
        self.put('POST /${prefix}t/_update_by_query?refresh=true&scroll_size=100&'
                 'requests_per_second=2500\n\n{"script": "ctx._source.n += 1"}\n', "001_n.up.http")
        result = support.transhume("schema", "up", self.uri, cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "opensearch.after_task:kill:1"})
        self.assertEqual(result.code, -signal.SIGKILL)
        self.run_program("schema", "up", self.uri)
        self.assertEqual({document["n"] for document in self.documents("t").values()}, {1})

    def test_status_baseline_and_repair(self):
        self.put("PUT /${prefix}a\n", "001_a.up.http")
        self.put("PUT /${prefix}b\n", "002_b.up.http")
        self.run_program("schema", "baseline", "1", self.uri)
        self.run_program("schema", "up", self.uri)
        self.assertEqual(self.indexes(), ["b"])
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")
        self.put("PUT /${prefix}b\n", "003_b.up.http")
        self.run_program("schema", "up", self.uri, code=3)
        self.run_program("schema", "repair", "003", self.uri, "--mark-applied")
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")


class Changes(SearchCase, Declares):
    def setUp(self):
        super().setUp()
        self.ask("PUT", "/~users", MAPPING)
        self.ask("PUT", "/~gone", {})
        self.ask("PUT", "/~notes_1", {"aliases": {self.prefix + "notes": {}}})
        self.server.bulk(self.prefix + "users", {str(i): {"name": "n%d" % i, "mail": "m%d" % i, "n": i}
                                                 for i in range(30)})
        self.before = self.seen()

    def seen(self):
        """Indexes as another client sees them."""
        found = {}
        for name, index in self.ask("GET", "/~*?expand_wildcards=all").items():
            if not name.endswith("transhume-schema"):
                settings = index["settings"]["index"]
                found[name[len(self.prefix):]] = (index["mappings"].get("properties", {}), sorted(index["aliases"]),
                                                 {key: settings[key]
                                                  for key in ("refresh_interval", "analysis", "number_of_shards",
                                                              "blocks") if key in settings})
        return found

    def test_each_operation_in_place(self):
        started = dict(self.before)
        started["users"] = (started["users"][0], [], dict(started["users"][2], refresh_interval="7s"))
        started["tags"] = ({"a": {"type": "keyword"}, "b": {"type": "text", "analyzer": "english"}}, [],
                           {"number_of_shards": "2"})
        started["notes_1"] = ({}, [self.prefix + "memos", self.prefix + "notes"], started["notes_1"][2])
        completed = {name: what for name, what in started.items() if name != "gone"}
        completed["notes_1"] = ({}, [self.prefix + "memos"], started["notes_1"][2])
        self.assert_way([
            {"create_table": {"name": "tags", "columns": [{"name": "a", "type": "keyword"},
                                                          {"name": "b",
                                                           "type": '{"type": "text", "analyzer": "english"}'}],
                              "options": {"number_of_shards": "2"}}},
            {"set_table": {"table": "users", "options": {"refresh_interval": "7s"}}},
            {"rename_table": {"from": "notes", "to": "memos"}},
            {"drop_table": {"name": "gone"}}], started, completed)

    def test_a_field_in_place(self):
        file = self.declare([{"add_column": {"table": "users", "column": {"name": "twice", "type": "long"},
                                             "up": "ctx._source.n * 2"}}])
        for point in (*KILLS, "change.in_batch"):
            self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT=point + ":kill:1")
            self.change("start", file, self.where())
            self.assertEqual({document["twice"] - 2 * document["n"] for document in self.documents("users").values()},
                             {0})
            self.change("abort", self.where())
            self.assertTrue(all("twice" not in document for document in self.documents("users").values()))
        self.change("start", file, self.where())
        self.server.bulk(self.prefix + "users", {"x": {"name": "x", "n": 50}})   # by the old version
        self.change("switch", self.where(), "writes")
        self.assertEqual(self.documents("users")["x"], {"name": "x", "n": 50, "twice": 100})
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.ask("GET", "/~users")[self.prefix + "users"]["mappings"]["properties"]["twice"],
                         {"type": "long"})

    COPY = [{"alter_column": {"table": "users", "column": "mail", "type": "keyword"}},
            {"rename_column": {"table": "users", "from": "n", "to": "number"}},
            {"set_table": {"table": "users",
                           "options": {"analysis": '{"analyzer": {"own": {"tokenizer": "whitespace"}}}'}}},
            {"add_column": {"table": "users", "column": {"name": "words",
                                                         "type": '{"type": "text", "analyzer": "own"}'},
                            "up": "ctx._source.name + ' of ' + ctx._source.mail"}}]

    def expected(self, documents):
        return {key: {"name": is_["name"], "mail": is_["mail"], "number": is_["n"],
                      "words": "%s of %s" % (is_["name"], is_["mail"])} for key, is_ in documents.items()}

    def write_meanwhile(self):
        """As the old version does: changed, new, deleted; deleted and made again, so that its version begins anew."""
        for _ in range(3):
            self.ask("PUT", "/~users/_doc/3", {"name": "three", "mail": "old", "n": 3})
        self.ask("PUT", "/~users/_doc/new", {"name": "new", "mail": "x", "n": 70})
        self.ask("DELETE", "/~users/_doc/4")

    def test_a_copy(self):
        file = self.declare(self.COPY)
        self.change("start", file, self.where())
        self.write_meanwhile()
        before = self.documents("users")
        self.assertEqual(self.stands_for("users"), ["users"])
        switched = self.change("switch", self.where(), "writes")
        self.assertRegex(switched.err, r"writes were shut out for \d+ ms")
        self.assertEqual(self.stands_for("users"), ["users_010"])
        self.assertEqual(self.documents("users"), self.expected(before))
        properties, aliases, settings = self.seen()["users_010"]
        self.assertEqual(properties, {"name": {"type": "keyword"}, "mail": {"type": "keyword"},
                                      "number": {"type": "integer"}, "words": {"type": "text", "analyzer": "own"}})
        self.assertEqual((aliases, settings["analysis"]), ([self.prefix + "users"],
                                                           {"analyzer": {"own": {"tokenizer": "whitespace"}}}))
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.indexes(), ["gone", "notes_1", "users_010"])
        self.assertEqual(self.documents("users"), self.expected(before))

    def test_the_way_back(self):
        """What applications wrote after the switch comes back with it; the name is an alias from then on."""
        file = self.declare(self.COPY)
        self.change("start", file, self.where())
        self.write_meanwhile()
        self.change("abort", self.where())
        self.assertEqual(self.indexes(), ["gone", "notes_1", "users"])
        for point in (None, "opensearch.in_give_back:kill:1", "change.after_undo:kill:1", "change.after_undo:kill:2"):
            with self.subTest(point):
                self.change("start", file, self.where())
                self.change("switch", self.where(), "writes")
                self.ask("PUT", "/~users/_doc/7?refresh=true",
                         {"name": "seven", "mail": "y", "number": 77, "words": "any"})
                if point is None:
                    self.ask("DELETE", "/~users/_doc/8?refresh=true")
                after = self.documents("users")
                if point is not None:
                    self.change("abort", self.where(), code=-9, TRANSHUME_FAILPOINT=point)
                self.change("abort", self.where())
                self.assertEqual(self.indexes(), ["gone", "notes_1", "users_before_010"])
                self.assertEqual(self.stands_for("users"), ["users_before_010"])
                self.assertEqual(self.documents("users"), {key: {"name": is_["name"], "mail": is_["mail"],
                                                                 "n": is_["number"]} for key, is_ in after.items()})
                self.assertNotIn("blocks", self.seen()["users_before_010"][2])
                self.ask("PUT", "/~users/_doc/9?refresh=true", {"name": "nine", "mail": "z", "n": 9})

    def test_kills_of_a_copy(self):
        file = self.declare(self.COPY)
        for point in ("change.after_intent", "change.after_statement", "change.after_batch"):
            for occurrence in range(1, 20):
                self.change("start", file, self.where())
                killed = support.transhume("change", "switch", self.where(), "writes", cwd=self.folder,
                                           env={"TRANSHUME_FAILPOINT": "%s:kill:%d" % (point, occurrence)})
                before = {key: is_ if "n" in is_ else None for key, is_ in self.documents("users").items()}
                self.change("switch", self.where(), "writes")
                if None not in before.values():
                    self.assertEqual(self.documents("users"), self.expected(before), (point, occurrence))
                self.assertEqual(self.stands_for("users"), ["users_010"])
                self.change("abort", self.where())
                self.assertEqual(len(self.documents("users")), 30)
                if killed.code == 0:
                    break
            self.assertGreater(occurrence, 2, point)

    def test_a_document_that_was_made_again(self):
        """Its version begins anew, below that of its copy: what stands in the old index counts all the same."""
        for i in range(5):
            self.ask("PUT", "/~users/_doc/3", {"name": "often", "mail": str(i), "n": i})
        self.ask("PUT", "/~users/_settings", {"index.gc_deletes": "0s"})
        self.change("start", self.declare(self.COPY), self.where())
        self.ask("DELETE", "/~users/_doc/3?refresh=true")
        time.sleep(0.5)   # the server looks at its clock now and then
        self.ask("POST", "/~users/_refresh")
        self.assertLess(self.ask("PUT", "/~users/_doc/3?refresh=true",
                                 {"name": "again", "mail": "m", "n": 3})["_version"], 6)
        before = self.documents("users")
        self.change("switch", self.where(), "writes")
        self.assertEqual(self.documents("users"), self.expected(before))

    def test_a_document_that_was_made_again_while_it_is_copied(self):
        """
        Between the copy and the proof, where what is left of its deleted copy has a higher version; another one that
        was deleted makes up for it in the counts.
        """
        for i in range(5):
            self.ask("PUT", "/~users/_doc/3?refresh=true", {"name": "often", "mail": str(i), "n": i})
        file = self.declare(self.COPY)
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.in_batch:kill:1")
        self.ask("PUT", "/~users/_settings", {"index.gc_deletes": "0s"})   # of the old index alone
        self.ask("DELETE", "/~users/_doc/3?refresh=true")
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_batch:kill:2")
        self.assertRaises(opensearch_server.Refused, self.ask, "GET", "/~users_010/_doc/3")
        time.sleep(0.5)   # the server looks at its clock now and then
        self.ask("POST", "/~users/_refresh")
        self.ask("PUT", "/~users/_doc/3?refresh=true", {"name": "again", "mail": "m", "n": 3})
        self.ask("DELETE", "/~users/_doc/5?refresh=true")
        before = self.documents("users")
        self.change("start", file, self.where())
        self.change("switch", self.where(), "writes")
        self.assertEqual(self.documents("users"), self.expected(before))

    def test_values_that_a_search_does_not_find(self):
        """
        `exists` is false of null, and of a field that is not indexed: what the new version wrote stays all the same,
        and `abort` takes it out.
        """
        kept = '{"type": "keyword", "index": false, "doc_values": false}'
        file = self.declare([{"add_column": {"table": "users", "column": {"name": name, "type": type_}, "up": "'old'"}}
                             for name, type_ in (("kept", kept), ("null'd", "keyword"))])
        self.change("start", file, self.where())
        self.assertEqual({(document["kept"], document["null'd"]) for document in self.documents("users").values()},
                         {("old", "old")})
        self.ask("PUT", "/~users/_doc/1?refresh=true", {"name": "one", "kept": "new", "null'd": None})
        self.change("switch", self.where(), "writes")
        self.assertEqual(self.documents("users")["1"], {"name": "one", "kept": "new", "null'd": None})
        self.change("abort", self.where())
        self.assertFalse(any("kept" in document or "null'd" in document
                             for document in self.documents("users").values()))

    def test_an_index_that_somebody_else_made(self):
        """After the change was compiled, and before its own step: an abort leaves it as it is."""
        file = self.declare([{"create_table": {"name": "tags", "columns": [{"name": "a", "type": "keyword"}]}}])
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_begin_row:kill:1")
        self.ask("PUT", "/~tags/_doc/1?refresh=true", {"a": "mine"})
        self.assertIn("it is there already, and not by this change",
                      self.change("start", file, self.where(), code=5).err)
        self.change("abort", self.where())
        self.assertEqual(self.documents("tags"), {"1": {"a": "mine"}})

    def test_steps_that_the_history_cannot_keep(self):
        long = json.dumps({"filter": {"own": {"type": "stop", "stopwords": ["word%06d" % i for i in range(40000)]}}})
        file = self.declare([{"create_table": {"name": "tags", "columns": [{"name": "a", "type": "keyword"}],
                                               "options": {"analysis": long}}}])
        self.assertIn("Make several changes of it", self.change("start", file, self.where(), code=5).err)
        self.assertEqual(self.seen(), self.before)

    def assert_one_way(self, operation, document):
        """There is a way back only as long as nobody wrote."""
        file = self.declare([operation])
        self.change("start", file, self.where())
        self.change("switch", self.where(), "writes")
        self.ask("PUT", "/~users/_doc/1?refresh=true", document)
        self.assertIn("has no `down`", self.change("abort", self.where(), code=3).err)
        self.ask("PUT", "/~users/_doc/2?refresh=true", document)   # and nobody is shut out
        self.assertEqual(self.stands_for("users"), ["users_010"])

    def test_a_way_back_that_would_lose_something(self):
        self.assert_one_way({"alter_column": {"table": "users", "column": "n", "type": "keyword",
                                              "up": "'n' + ctx._source.n"}}, {"name": "one", "mail": "m", "n": "n1"})

    def test_a_dropped_field_on_the_way_back(self):
        """The old index still has it of documents that nobody wrote; of one that was written it would be lost."""
        operation = {"drop_column": {"table": "users", "column": "n"}}
        file = self.declare([operation])
        self.change("start", file, self.where())
        self.change("switch", self.where(), "writes")
        self.change("abort", self.where())
        self.assertEqual(self.documents("users")["1"], {"name": "n1", "mail": "m1", "n": 1})
        self.assert_one_way(operation, {"name": "one", "mail": "m"})

    def test_a_value_that_does_not_fit(self):
        file = self.declare([{"alter_column": {"table": "users", "column": "name", "type": "long"}}])
        failed = self.change("start", file, self.where(), code=3)
        self.assertIn("failed to parse", failed.err)
        self.change("abort", self.where())
        self.assertEqual(self.seen(), self.before)

    def test_writers_meanwhile(self):
        """Each write that was acknowledged is there afterwards; a writer that is shut out tries again."""
        stop, wanted, faults = threading.Event(), self.documents("users"), []

        def write():
            i = 0
            while not stop.is_set():
                i += 1
                key = str(i % 200)
                try:
                    if i % 11 == 0:
                        self.server.ask("DELETE", "/%susers/_doc/%s" % (self.prefix, key))
                        wanted.pop(key, None)
                    else:
                        document = {"name": "w%d" % i, "mail": "m", "n": i}
                        self.server.ask("PUT", "/%susers/_doc/%s" % (self.prefix, key), document)
                        wanted[key] = document
                except opensearch_server.Refused as refused:
                    if refused.status not in (403, 404):
                        faults.append(refused)
                except (OSError, http.client.HTTPException) as fault:
                    faults.append(fault)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.change("start", self.declare([{"alter_column": {"table": "users", "column": "mail",
                                                                 "type": "keyword"}}]), self.where())
            self.change("switch", self.where(), "writes")
            self.change("complete", self.where(), "--confirm")
        finally:
            stop.set()
            writer.join()
        self.assertEqual(faults, [])
        self.assertEqual(self.documents("users"), wanted)
        self.assertEqual(self.stands_for("users"), ["users_010"])

    def test_refusals(self):
        self.ask("POST", "/_aliases", {"actions": [{"add": {"index": self.prefix + name, "alias": self.prefix + "both"}}
                                                   for name in ("gone", "users")]})
        self.before = self.seen()
        for operation, words, code in (
                ({"add_column": {"table": "users", "column": {"name": "mail", "type": "text"}}}, "has a field", 2),
                ({"add_column": {"table": "nobody", "column": {"name": "x", "type": "text"}}},
                 "there is no index or alias", 2),
                ({"add_column": {"table": "users", "column": {"name": "x", "type": "text", "pk": True}}}, "have no pk",
                 5),
                ({"add_column": {"table": "users", "column": {"name": "x", "type": "{"}}}, "the mapping is no JSON", 2),
                ({"add_column": {"table": "both", "column": {"name": "x", "type": "text"}}},
                 "stands for several indexes", 5),
                ({"drop_column": {"table": "users", "column": "nothing"}}, "has no field 'nothing'", 2),
                ({"rename_column": {"table": "users", "from": "mail", "to": "name"}}, "has a field 'name' already", 2),
                ({"alter_column": {"table": "users", "column": "mail", "nullable": False}}, "have no nullable", 5),
                ({"create_table": {"name": "users", "columns": [{"name": "a", "type": "text"}]}}, "already", 2),
                ({"rename_table": {"from": "users", "to": "people"}}, "its own for good", 5),
                ({"create_index": {"table": "users", "name": "i", "columns": [{"column": "mail"}]}}, "nothing like it",
                 5),
                ({"set_table": {"table": "users", "comment": "x"}}, "has no comment", 5),
                ({"sql": {"up": "SELECT 1"}}, "a request is expected", 2)):
            with self.subTest(operation=operation):
                self.assert_refused(operation, words, code)


if __name__ == "__main__":
    unittest.main()
