"""Indexes of a plan in Redis: sets and sorted sets that are kept in one step with the records, on a real server."""
import re
import unittest

import support

from test_redis import NOTES, RedisCase

SOURCE = """CREATE TABLE person (id INTEGER PRIMARY KEY, city TEXT, age INTEGER, born TEXT);
INSERT INTO person VALUES (1, 'Bonn', 30, '2024-02-29'), (2, 'Bonn', 40, '1969-12-31'), (3, NULL, 50, NULL), (4, 'a:b%', NULL, '0001-01-01'), (5, '', -7, '9999-12-31');"""
PLAN = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  person:
    key: [id]
    from: person
    indexes: { city: { partition: city }, age: { partition: age }, both: { partition: city, sort: age }, born: { partition: born }, pair: { partition: city, sort: name } }
    fields: { id: copy, city: copy, age: { column: age, cast: int64 }, born: { column: born, cast: date }, name: { const: "x:%%" } }
"""
DAYS = {1: 19782, 2: -1, 4: -719162, 5: 2932896}
AGES = {1: 30, 2: 40, 3: 50, 5: -7}
CITIES = {1: "Bonn", 2: "Bonn", 4: "a:b%", 5: ""}
EVERY = {"city:Bonn": {1, 2}, "city:a:b%": {4}, "city:": {5}, "age": AGES, "both:Bonn": {1: 30, 2: 40},
         "both:": {5: -7}, "born": {key: days * 86400 for key, days in DAYS.items()},
         "pair:Bonn:x:%": {1, 2}, "pair:a%3Ab%25:x:%": {4}, "pair::x:%": {5}}


class Indexes(RedisCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SOURCE)

    def run_plan(self, existing="refuse", code=0, options="", change=lambda plan: plan, more=()):
        self.write("plan.yaml", change(PLAN % (self.uri(options), existing)))
        return self.run_program("migrate", "--plan", "plan.yaml", *more, code=code)

    def indexes(self):
        """{name behind "idx:person:": the keys in it, with their scores if it is sorted}"""
        found = {}
        for name in self.keys("idx:*"):
            short = re.fullmatch("idx:person:(.*)", name.decode()).group(1)
            if self.ask("TYPE", name) == b"set":
                found[short] = {int(member.split(b":")[1]) for member in self.ask("SMEMBERS", name)}
            else:
                words = self.ask("ZRANGE", name, "0", "-1", "WITHSCORES")
                found[short] = {int(member.split(b":")[1]): float(score)
                                for member, score in zip(words[::2], words[1::2])}
        return found

    def test_made_and_taken_back(self):
        self.run_plan()
        self.assertEqual(self.indexes(), EVERY)
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual((self.keys("idx:*"), self.keys("person:*"), self.ask("HGETALL", NOTES)), ([], [], []))

    def test_the_way_back_leaves_them_out(self):
        self.run_plan()
        self.ask("SADD", "idx:theirs:1", "kept")
        self.run_program("migrate", self.uri(), "jsonl:out", "--state", "back", "--quiet")
        self.assertEqual(sorted(name for name in self.files("out") if not name.startswith("_")), ["idx", "person"])

    def files(self, folder):
        import os
        return os.listdir(self.path(folder))

    def test_a_later_run_keeps_them(self):
        """Whatever its policy, and also where its plan does not name them: the table's note does."""
        self.run_plan()
        self.run_program("finish", "--confirm", "--quiet")
        for policy in ("upsert", "replace"):
            with self.subTest(policy):
                support.sqlite3.connect(self.path("source.db")).executescript("UPDATE person SET city = 'Ulm', "
                                                                              "age = age + 1 WHERE id < 3")
                before = self.indexes()
                self.run_plan(policy, change=lambda plan: re.sub("    indexes: .*\n", "", plan),
                              more=("--state", policy, "--rollback-keys"))
                wanted = {**EVERY, "city:Ulm": {1, 2}, "age": {**AGES, 1: 31, 2: 41}, "both:Ulm": {1: 31, 2: 41},
                          "pair:Ulm:x:%": {1, 2}}
                for gone in ("city:Bonn", "both:Bonn", "pair:Bonn:x:%"):
                    del wanted[gone]
                self.assertEqual(self.indexes(), wanted)
                self.run_program("rollback", "--run", self.run_id(policy), "--confirm", "--quiet", "--state", policy)
                self.assertEqual(self.indexes(), before)
                support.sqlite3.connect(self.path("source.db")).executescript("UPDATE person SET city = 'Bonn', "
                                                                              "age = age - 1 WHERE id < 3")

    def test_repaired(self):
        """What a repair writes and deletes leaves and enters the sets with its records."""
        self.run_plan()
        self.ask("HSET", "person:9", "id", "9", "city", "Bonn", "age", "1", "name", "x:%")
        self.ask("SADD", "idx:person:city:Bonn", "person:9")
        self.ask("DEL", "person:1")
        self.ask("SREM", "idx:person:city:Bonn", "person:1")
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
        self.assertEqual(self.indexes(), EVERY)

    def test_killed_and_resumed(self):
        for place in ("redis.before_send", "redis.after_send", "redis.after_answer"):
            with self.subTest(place):
                self.number = self.server.database()
                self.write("plan.yaml", PLAN % (self.uri(), "refuse"))
                support.kill_at(place, 1, "migrate", "--plan", "plan.yaml", "--state", place, cwd=self.folder)
                self.run_program("resume", "--state", place, "--quiet")
                self.assertEqual(self.indexes(), EVERY)

    def test_what_has_no_place_in_one(self):
        """
        A text where a sorted set needs a number, in a column of numbers: that record is a reject, and in no index.
        """
        support.sqlite3.connect(self.path("source.db")).executescript("UPDATE person SET age = 'old' WHERE id = 2")
        self.run_plan(code=1, change=lambda plan: plan.replace("{ column: age, cast: int64 }", "copy"))
        self.assertEqual([reject["code"] for reject in self.rejects()], ["type"])
        self.assertIn('no number or time, by which the index', self.rejects()[0]["reason"])
        self.assertEqual(self.indexes()["age"], {key: age for key, age in AGES.items() if key != 2})

    def test_refused(self):
        """By name, before anything is written."""
        for text, change, options in (
                ("only keys are unique", lambda plan: plan.replace("{ partition: city }",
                                                                   "{ columns: [city], unique: true }"), ""),
                ("of hashes alone", lambda plan: plan, "?form=json"),
                ("records that expire", lambda plan: plan.replace("    from:", "    ttl: age\n    from:"), "")):
            with self.subTest(text):
                self.assertIn(text, self.run_plan(code=2, change=change, options=options).err)
                self.assertEqual(self.keys(), [])
        self.ask("HSET", "person:1", "id", "1")
        self.assertIn("the table is there without it", self.run_plan("upsert", code=2).err)


if __name__ == "__main__":
    unittest.main()
