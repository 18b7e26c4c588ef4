"""Following lists that are cut into pages, and lists whose elements are records: whatever is killed, the target holds
what a fresh copy would.

Pages are deleted by what the target has, so that these kill where some of a list's pages are there and others are not.
"""
import json
import os
import random
import signal
import unittest

import items
import support
import test_follow
from test_follow import DynamodbSide, OfPostgres, PostgresSide, SqliteSide, WithDynamodb
from test_follow_mysql import MysqlSide, OnMariadb

PLAN = """transhume: 1
source: %s
target: %s
tables:
  holder_t:
    key: [pk, sk]
    entities:
      holder:
        from: holder
        fields: { pk: 'H#{id}', sk: META, name: copy, Items: { embed: item, order: [id], fields: { id: copy, v: copy } } }
      holder_page:
        pages: holder.Items
        size: 3
        fields: { pk: 'H#{id}', sk: 'PAGE#{$page}', Items: { column: $list } }
  town_t:
    key: [town, part]
    entities:
      of_town:
        pages: holder.Items
        size: 2
        fields: { town: copy, part: '{id}/{$page:04}/end', Items: { column: $list } }
  number_t:
    key: [id, Page]
    entities:
      numbered:
        pages: holder.Items
        size: 4
        when: "name <> 'hidden'"
        fields: { id: copy, Page: { column: $page }, Items: { column: $list } }
"""
SCHEMA = ("CREATE TABLE holder (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, town VARCHAR(40) NOT NULL);"
          "CREATE TABLE item (id INTEGER PRIMARY KEY, holder INTEGER REFERENCES holder (id), v VARCHAR(40));")


class Pages:
    """Subclasses say of what source, into what target, and where a target that is written is killed."""

    failpoints = ()
    in_pieces = False

    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.pick = random.Random(test_follow.SEED)
        self.source.make(SCHEMA)
        self.next = 0
        for holder in range(1, 6):
            self.change(["INSERT INTO holder VALUES (%d, 'n%d', 't%d')" % (holder, holder, holder % 2),
                         *self.items(holder, 20)])
        self.write("plan.yaml", PLAN % (self.source.uri, self.target.uri))

    def change(self, statements, commit=True):
        self.source.transaction(statements, commit)

    def items(self, holder, count):
        self.next += count
        return ["INSERT INTO item VALUES (%d, %d, 'v%d')" % (number, holder, number)
                for number in range(self.next - count + 1, self.next + 1)]

    def step(self):
        pick = self.pick
        one, other = pick.sample(range(1, 6), 2)
        self.change(pick.choice([
            ["DELETE FROM item WHERE holder = %d AND id %% %d = 0" % (one, pick.randint(2, 4))],
            ["DELETE FROM item WHERE holder = %d" % one],
            ["UPDATE item SET holder = %d WHERE holder = %d AND id %% 2 = 0" % (other, one)],
            ["DELETE FROM item WHERE holder = %d" % one, "DELETE FROM holder WHERE id = %d" % one],
            ["DELETE FROM item WHERE holder = %d" % one, "DELETE FROM holder WHERE id = %d" % one,
             "INSERT INTO holder VALUES (%d, 'again', 't%d')" % (one, pick.randint(0, 2)),
             *self.items(one, pick.randint(1, 12))],
            ["UPDATE holder SET town = 't%d' WHERE id = %d" % (pick.randint(0, 2), one)],
            ["UPDATE holder SET name = '%s' WHERE id = %d" % (pick.choice(["hidden", "shown"]), one)],
            ["UPDATE item SET v = 'u%d' WHERE holder = %d" % (pick.randint(1, 99), one)],
        ]), pick.random() > 0.1)

    def steps(self, count):
        for _ in range(count):
            self.step()

    def migrate(self, *more):
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", *more)

    def follow(self, *more):
        return self.run_program("follow", "--catch-up", *more)

    def fresh(self):
        """What a copy of now makes, of the tables that are not empty."""
        folder = self.path("fresh-%d" % len(os.listdir(self.folder)))
        target = self.fresh_side(folder)
        self.run_program("migrate", "--plan", "plan.yaml", "--state", folder, self.source.uri, target.uri)
        return {name: rows for name, rows in target.contents().items() if rows}

    def assert_same(self):
        found = {name: rows for name, rows in self.target.contents().items() if rows}
        self.assertEqual(found, self.fresh())

    def test_what_changes_arrives(self):
        self.migrate()
        for _ in range(4):
            self.steps(6)
            self.follow()
        self.assert_same()

    def test_in_lanes(self):
        self.migrate("--lanes", 4)
        for lanes in (4, 3, 1, 4):
            self.steps(6)
            self.follow("--lanes", lanes)
        self.assert_same()

    def test_killed_while_it_writes(self):
        self.migrate()
        struck = 0
        for failpoint, occurrence in self.failpoints:
            self.steps(5)
            self.change(["DELETE FROM item WHERE holder = %d" % (1 + occurrence % 5),
                         *self.items(1 + (occurrence + 1) % 5, 30)])
            result = support.kill_at(failpoint, occurrence, "follow", "--catch-up", "--take-over", "--lanes",
                                     self.pick.choice([1, 3]), cwd=self.folder)
            self.assertIn(result.code, (0, -signal.SIGKILL), failpoint)
            struck += result.code == -signal.SIGKILL
            if self.pick.random() < 0.5:
                self.steps(2)
                self.follow("--take-over")
        self.follow("--take-over")
        self.assertGreater(struck, len(self.failpoints) // 2)
        self.assert_same()

    def test_a_table_that_is_read_again(self):
        """It also loses pages that nobody made."""
        self.migrate()
        self.spoil()
        self.steps(3)
        self.follow("--refresh", "holder")
        self.assert_same()


class Fresh:
    def fresh_side(self, folder):
        return self.sides_of_target(folder)


class ToSqlite(Fresh):
    failpoints = [("sqlite." + name, occurrence) for name in ("before_apply", "after_apply")
                  for occurrence in (1, 2)] + [("follow.before_apply", 1)]

    def sides_of_target(self, folder):
        return SqliteSide(self, os.path.basename(folder) + ".db")

    def spoil(self):
        side = SqliteSide(self, "copy.db")
        side.transaction(["INSERT INTO holder_t (pk, sk, Items) VALUES ('H#1', 'PAGE#77', '[]')",
                          "DELETE FROM number_t WHERE id = 2"], True)


class SqliteToSqlite(ToSqlite, Pages, support.TestCase):
    def sides(self):
        return SqliteSide(self, "shop.db"), SqliteSide(self, "copy.db")

    def test_a_transaction_in_pieces(self):
        """Roots whose pages are put in one piece are touched again by a later one, before anything is committed."""
        self.source.make("WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)"
                         " INSERT INTO holder SELECT i, 'many', 't' || i FROM n;"
                         "INSERT INTO item SELECT 1000000 + holder.id * 10 + k, holder.id, 'v' FROM holder, "
                         "(SELECT 1 AS k UNION SELECT 2 UNION SELECT 3 UNION SELECT 4)"
                         " WHERE holder.id >= 10;")
        self.migrate()
        self.change(["UPDATE item SET v = 'w%d'" % number for number in range(3)]
                    + ["DELETE FROM item WHERE id % 10 > 2", "UPDATE item SET v = 'x'"] +
                    ["DELETE FROM item WHERE holder % 7 = 3", "DELETE FROM holder WHERE id % 7 = 3",
                     "UPDATE item SET v = 'y' WHERE holder % 2 = 0"])
        self.follow()
        self.assert_same()


class SqliteToPostgres(OfPostgres, Fresh, Pages, support.TestCase):
    failpoints = [("postgres." + name, occurrence) for name in ("before_apply", "after_apply") for occurrence in (1, 2)]

    def sides(self):
        return SqliteSide(self, "shop.db"), PostgresSide(self, self.server, "copy")

    def sides_of_target(self, _folder):
        return PostgresSide(self, self.server, "fresh")

    def spoil(self):
        self.server.psql(self.target.name,
                         "INSERT INTO holder_t (pk, sk, \"Items\") VALUES ('H#1', 'PAGE#77', '[]'); "
                         "DELETE FROM number_t WHERE id = 2")


class FollowedPostgres(PostgresSide):
    def make(self, schema):
        super().make(schema + "ALTER TABLE item REPLICA IDENTITY FULL; ALTER TABLE holder REPLICA IDENTITY FULL;")

    def transaction(self, statements, commit):
        super().transaction(["SET LOCAL session_replication_role = replica", *statements], commit)


class PostgresToSqlite(OfPostgres, ToSqlite, Pages, support.TestCase):
    def sides(self):
        return FollowedPostgres(self, self.server, "shop"), SqliteSide(self, "copy.db")


class MariadbToMariadb(OnMariadb, Fresh, Pages, support.TestCase):
    failpoints = [("mysql." + name, occurrence) for name in ("before_apply", "after_apply") for occurrence in (1, 2)]

    def sides(self):
        return MysqlSide(self.server), MysqlSide(self.server)

    def sides_of_target(self, _folder):
        return MysqlSide(self.server)

    def spoil(self):
        self.server.ask(self.target.name,
                        "INSERT INTO holder_t (pk, sk, Items) VALUES ('H#1', 'PAGE#77', '[]'); "
                        "DELETE FROM number_t WHERE id = 2")

    def test_several_lists_of_one_row(self):
        """Each is read over a connection of its own, and all of them at one moment."""
        lists = ", ".join("List%d: { embed: item, order: [%s], fields: { v: copy } }" % (number, order)
                          for number, order in enumerate(("id", "v", "holder, id")))
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  holder_t:\n    key: id\n    entities:\n      "
                   "holder:\n        from: holder\n"
                                "        fields: { id: copy, Items: { aggregate: item, value: count(*) }, %s }\n"
                   % (self.source.uri, self.target.uri, lists))
        self.migrate()
        self.steps(5)
        self.follow()
        self.assert_same()


@support.inheriting(2)
class SqliteToDynamodb(WithDynamodb, Fresh, Pages, support.TestCase):
    failpoints = [("dynamodb.after_send", 1), ("dynamodb.before_send", 2), ("dynamodb.before_delete", 1),
                  ("dynamodb.before_delete", 2),
                  ("dynamodb.after_send", 2), ("dynamodb.before_apply", 1), ("dynamodb.after_apply", 1)]

    def sides(self):
        return SqliteSide(self, "shop.db"), self.target_side()

    def sides_of_target(self, _folder):
        return DynamodbSide(self.dynamodb, self.client)

    def assert_same(self):
        # a fresh one empties the emulator
        found = {name: rows for name, rows in self.target.contents().items() if rows}
        self.assertEqual(found, self.fresh())

    def spoil(self):
        self.client.put_item(TableName="holder_t", Item={"pk": {"S": "H#1"}, "sk": {"S": "PAGE#77"}})
        self.client.delete_item(TableName="number_t", Key={"id": {"N": "2"}, "Page": {"N": "1"}})

    def numbers(self):
        """Of the pages of the long list that are in the target, in the order of their numbers."""
        return sorted(int(item["sk"]["S"][len("PAGE#"):]) for item in items.scan(self.client, "holder_t")
                      if item["pk"]["S"] == "H#3" and item["sk"]["S"].startswith("PAGE#"))

    def test_a_copy_that_left_gaps(self):
        """
        Killed between requests of a chunk, of which some were lost: pages with high numbers are there without those
        below, and the list is short by then.
        """
        self.change(self.items(3, 1500))
        result = support.kill_at("dynamodb.after_send", 12, "migrate", "--plan", "plan.yaml", "--follow", "--catch-up",
                                 cwd=self.folder)
        self.assertEqual(result.code, -signal.SIGKILL)
        for number in self.numbers()[11:-5]:
            self.client.delete_item(TableName="holder_t", Key={"pk": {"S": "H#3"}, "sk": {"S": "PAGE#%d" % number}})
        self.assertGreater(self.numbers()[-1], 40)
        self.change(["DELETE FROM item WHERE holder = 3 AND id > 110"])
        self.follow("--take-over")
        self.assertEqual(self.numbers(), list(range(1, 11)))
        self.assert_same()


class Lists(support.TestCase):
    """Elements of a list as records."""

    PLAN = ("transhume: 1\nsource: %s\ntarget: %s\ntables:\n  line_t:\n    key: [%s]\n    entities:\n      line:\n     "
            "   from: basket\n        unnest: content\n"
            "        fields:\n          basket: { column: $parent.id }\n          owner: { column: $parent.owner }\n   "
            "       nr: { column: $ordinal }\n"
            "          sku: { column: sku, cast: text }\n")

    def begin(self, key, code=0, source=None):
        self.source = source or SqliteSide(self, "shop.db")
        self.target = SqliteSide(self, "copy.db")
        if source is None:
            self.source.make("CREATE TABLE basket (id INTEGER PRIMARY KEY, owner TEXT, content TEXT);")
        self.write("plan.yaml", self.PLAN % (self.source.uri, self.target.uri, key))
        return self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", code=code)

    @staticmethod
    def content(*kinds):
        return json.dumps([{"sku": kind} for kind in kinds])

    def rows(self):
        return [tuple(row[:1] + row[2:]) for row in self.target.rows("line_t")]

    def test_elements_with_keys_of_their_own(self):
        """
        One that goes is deleted, one that stays under another number is not; the second of two with one key is a
        reject, as in a copy.
        """
        self.begin("basket, sku")
        self.source.transaction(["INSERT INTO basket VALUES (1, 'o', '%s')" % self.content("a", "b", "c")], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [("1", "1", "a"), ("1", "2", "b"), ("1", "3", "c")])
        self.source.transaction(["UPDATE basket SET content = '%s'" % self.content("c", "a", "d")], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [("1", "1", "c"), ("1", "2", "a"), ("1", "3", "d")])
        self.source.transaction(["UPDATE basket SET id = 2, content = '%s'" % self.content("x", "x", "y")], True)
        result = self.run_program("follow", "--catch-up", code=1)
        self.assertIn("1 rejected", result.err)
        self.assertEqual(self.rows(), [("2", "1", "x"), ("2", "3", "y")])
        self.source.transaction(["UPDATE basket SET content = NULL"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [])

    def test_elements_by_their_number(self):
        self.begin("basket, nr")
        self.source.transaction(["INSERT INTO basket VALUES (1, 'o', '%s')" % self.content("a", "b", "c"),
                                 "INSERT INTO basket VALUES (2, 'o', '%s')" % self.content("z")], True)
        self.source.transaction(["UPDATE basket SET content = '%s' WHERE id = 1" % self.content("b")], True)
        self.source.transaction(["UPDATE basket SET owner = 'other'"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [("1", "1", "b"), ("2", "1", "z")])
        self.source.transaction(["DELETE FROM basket WHERE id = 1"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [("2", "1", "z")])

    def test_a_key_without_that_of_the_row(self):
        result = self.begin("sku", code=2)
        self.assertIn("records of two rows might share a key", result.err)


class ListsOfPostgres(OfPostgres, Lists):
    test_elements_with_keys_of_their_own = test_elements_by_their_number = test_a_key_without_that_of_the_row = None

    def test_what_the_list_was_has_to_be_told(self):
        source = PostgresSide(self, self.server, "shop")
        source.make("CREATE TABLE basket (id INTEGER PRIMARY KEY, owner TEXT, content JSONB); "
                    "ALTER TABLE basket ALTER content SET STORAGE EXTERNAL;")
        result = self.begin("basket, sku", code=2, source=source)
        self.assertIn("REPLICA IDENTITY FULL", result.err)
        source.make("ALTER TABLE basket REPLICA IDENTITY FULL")
        self.begin("basket, sku", source=source)
        # so long that it is kept apart, and not sent where it does not change
        kinds = ["k%05d" % number for number in range(2000)]
        source.transaction(["INSERT INTO basket VALUES (1, 'o', '%s')" % self.content(*kinds)], True)
        source.transaction(["UPDATE basket SET owner = 'other'"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(sorted(self.rows(), key=lambda row: row[2]),
                         [("1", str(number + 1), kind) for number, kind in enumerate(kinds)])
        self.assertEqual({row[1] for row in self.target.rows("line_t")}, {"other"})
        source.transaction(["UPDATE basket SET id = 7", "UPDATE basket SET content = '%s'" % self.content("only")],
                           True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.rows(), [("7", "1", "only")])


class Refused(support.TestCase):
    """What can't be followed of pages, one line each, before anything is made."""

    def refused(self, key, fields, target="sqlite:copy.db"):
        side = SqliteSide(self, "shop.db")
        if not os.path.exists(self.path("shop.db")):
            side.make(SCHEMA)
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  holder_t:\n    key: id\n    entities:\n      "
                   "holder:\n        from: holder\n"
                                "        fields: { id: copy, Items: { embed: item, order: [id], "
                                "fields: { id: copy } } }\n  pages_t:\n    key: %s\n    entities:\n"
                                "      page:\n        pages: holder.Items\n        fields: { %s, "
                                "Items: { column: $list } }\n" % (side.uri, target, key, fields))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", code=2)
        self.assertFalse(os.path.exists(self.path("copy.db")) and SqliteSide(self, "copy.db").contents())
        self.assertEqual(side.feeds(), [])
        return result.err

    def test_each(self):
        self.assertIn("in the field of the key by which", self.refused("code", "code: 'P{id}#{$page}'"))
        self.assertIn("can't be asked which of them it has", self.refused("[id, Page]",
                                                                          "id: copy, Page: { column: $page }",
                                                                          "jsonl:out"))


if __name__ == "__main__":
    unittest.main()
