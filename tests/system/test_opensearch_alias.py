"""
Aliases that are switched to the index of a run once it is counted, and what index templates bring, on a real
OpenSearch.
"""
import unittest

import opensearch_server
import support

from test_opensearch import SearchCase


class Aliases(SearchCase):
    """The alias LIVE stands for the index OLD; the run makes NEW."""

    def setUp(self):
        super().setUp()
        self.live, self.old, self.new = (self.prefix + name for name in ("live", "things-1", "v2-things"))
        self.many(20)

    def stands_for(self, alias=None):
        """{index: what the alias is in it}"""
        alias = alias or self.live
        try:
            return {index: found["aliases"][alias] for index, found in self.server.ask("GET",
                "/_alias/" + alias).items()}
        except opensearch_server.Refused:
            return {}

    def make_old(self, **alias):
        self.server.ask("PUT", "/" + self.old, {"aliases": {self.live: alias}})
        self.server.bulk(self.old, {"1": {"id": 1, "name": "old"}})

    def at(self, alias="live"):
        return self.server.uri(self.prefix + "v2-", "?alias=" + self.prefix + alias)

    def test_switched_and_back(self):
        self.make_old(filter={"term": {"city": "city 1"}}, is_write_index=True)
        before = self.stands_for()
        result = self.run_program("migrate", "source.db", self.at())
        self.assertIn("alias %s: it stands for %s now, and not for %s, which stays" % (self.live, self.new, self.old),
                      result.err)
        self.assertEqual(self.stands_for(), {self.new: before[self.old]})
        self.assertEqual(self.server.documents(self.old), {"1": {"id": 1, "name": "old"}})
        self.run_program("validate", "--level", "full", "--quiet")
        dry = self.run_program("rollback", "--run", self.run_id(), "--dry-run")
        self.assertIn("alias %s: it stands for %s again" % (self.live, self.old), dry.out + dry.err)
        self.assertEqual(list(self.stands_for()), [self.new])
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.stands_for(), before)
        self.assertNotIn("v2-things", self.indexes())

    def test_the_first_of_all(self):
        """No alias was there; each table has its own."""
        self.run_program("migrate", "source.db", self.at("live-{table}"), "--quiet")
        self.assertEqual(self.stands_for(self.prefix + "live-things"), {self.new: {}})
        self.run_program("finish", "--confirm", "--quiet")
        self.assertEqual(self.stands_for(self.prefix + "live-things"), {self.new: {}})

    def test_killed_at_each_step(self):
        """Wherever it is killed, readers see the old index or the new one, and a resume or a rollback ends it."""
        for place in ("opensearch.before_switch", "opensearch.after_switch", "engine.before_completed"):
            with self.subTest(place):
                self.prefix = self.server.database()
                self.live, self.old, self.new = (self.prefix + name for name in ("live", "things-1", "v2-things"))
                self.make_old()
                support.kill_at(place, 1, "migrate", "source.db", self.at(), "--quiet", "--state", place,
                                cwd=self.folder)
                self.assertEqual(list(self.stands_for()), [self.old if place.endswith("before_switch") else self.new])
                self.run_program("resume", "--take-over", "--quiet", "--state", place)
                self.assertEqual(list(self.stands_for()), [self.new])
                for back in ("opensearch.before_switch_back", "opensearch.after_switch_back"):
                    support.kill_at(back, 1, "rollback", "--run", self.run_id(place), "--confirm", "--quiet", "--state",
                                    place, cwd=self.folder)
                    self.assertEqual(list(self.stands_for()), [self.old if back.startswith("opensearch.after")
                                                               else self.new])
                self.run_program("rollback", "--run", self.run_id(place), "--confirm", "--quiet", "--take-over",
                                 "--state", place)
                self.assertEqual(list(self.stands_for()), [self.old])
                self.assertNotIn("v2-things", self.indexes())

    def test_somebody_switches_it_meanwhile(self):
        """A rollback leaves alone what is not the run's any more."""
        self.make_old()
        self.run_program("migrate", "source.db", self.at(), "--quiet")
        self.server.ask("PUT", "/%sthings-3" % self.prefix)
        self.server.ask("POST", "/_aliases", {"actions": [{"remove": {"index": self.new, "alias": self.live}},
                                                          {"add": {"index": self.prefix + "things-3",
                                                                   "alias": self.live}}]})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(list(self.stands_for()), [self.prefix + "things-3"])

    def test_the_old_one_is_deleted_meanwhile(self):
        self.make_old()
        self.run_program("migrate", "source.db", self.at(), "--quiet")
        self.server.ask("DELETE", "/" + self.old)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.stands_for(), {})

    def test_what_is_refused(self):
        """
        Before anything is written: an index that is called so, filters that differ, one alias for two tables, names
        that no alias has.
        """
        self.server.ask("PUT", "/%staken" % self.prefix)
        self.assertIn("an index itself is called so", self.run_program("migrate", "source.db", self.at("taken"),
                                                                       code=2).err)
        self.make_old()
        self.server.ask("PUT", "/%sthings-2" % self.prefix, {"aliases": {self.live: {"routing": "1"}}})
        self.assertIn("another filter or routing", self.run_program("migrate", "source.db", self.at(), code=2).err)
        self.assertIn("alias: it has no blanks", self.run_program("migrate", "source.db", self.at("a%2Fb"), code=2).err)
        support.make_sqlite(self.path("source.db"), "CREATE TABLE more (id INTEGER PRIMARY KEY)")
        self.assertIn("write {table} in it", self.run_program("migrate", "source.db", self.at(), code=2).err)
        self.assertEqual([name for name in self.indexes() if name.startswith("v2-")], [])


class Templates(SearchCase):
    def make(self, settings=None, mappings=None):
        name = self.prefix + "template"
        self.server.ask("PUT", "/_index_template/" + name, {"index_patterns": [self.prefix + "th*"],
                                                            "template": {"settings": settings or {},
                                                                         "mappings": mappings or {}}})
        self.addCleanup(self.server.ask, "DELETE", "/_index_template/" + name)
        self.many(5)

    def test_one_that_keeps_no_documents(self):
        self.make(mappings={"_source": {"enabled": False}})
        self.assertIn("by an index template of the server its mapping keeps no _source",
                      self.run_program("migrate", "source.db", self.uri(), code=2).err)
        self.assertEqual(self.indexes(), [])

    def test_one_with_a_pipeline(self):
        """It may change documents: that is said, and done."""
        pipeline = self.prefix + "pipeline"
        self.server.ask("PUT", "/_ingest/pipeline/" + pipeline, {"processors": []})
        self.make({"index.default_pipeline": pipeline})
        self.addCleanup(self.server.ask, "DELETE", "/_ingest/pipeline/" + pipeline)
        checked = self.run_program("check", "source.db", self.uri())
        self.assertIn("sends documents through the pipeline %s" % pipeline, " ".join(checked.out.split()))

    def test_an_old_one(self):
        """The old kind is not asked for, but seen in the index that was made: nothing is written into it."""
        name = self.prefix + "old"
        self.server.ask("PUT", "/_template/" + name, {"index_patterns": [self.prefix + "th*"],
                                                      "mappings": {"_source": {"excludes": ["name"]}}})
        self.addCleanup(self.server.ask, "DELETE", "/_template/" + name)
        self.many(5)
        result = self.run_program("migrate", "source.db", self.uri(), code=3)
        self.assertIn("leaves fields out of _source", result.err)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertNotIn("things", self.indexes())


if __name__ == "__main__":
    unittest.main()
