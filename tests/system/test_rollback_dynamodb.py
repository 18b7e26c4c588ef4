"""Rollback in DynamoDB: boto3 compares all items before the run and after the rollback."""
import itertools
import json
import os
import random
import shutil
import sqlite3
import unittest

import dynamodb_case
import items
import servers
import support
from support import SEED, SOAK

COUNT = 120
PLAN = """
transhume: 1
source: sqlite:source.db
target: "%s"
tables:
  goods:
    key: { partition: PK, sort: SK }
    entities:
      good:
        from: goods
        fields: { PK: "CITY#{city}", SK: { column: id }, name: copy, price: copy, data: copy }
"""


class Dynamodb(dynamodb_case.DynamodbCase):

    def setUp(self):
        super().setUp()
        self.environment = servers.aws_environment(self.folder)
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE goods(id INTEGER PRIMARY KEY, city TEXT, name TEXT, price NUMERIC, data BLOB)")
            db.executemany("INSERT INTO goods VALUES (?, ?, ?, ?, ?)",
                           [(i, str(i % 7), "new %d" % i, i / 4, bytes([i])) for i in range(1, COUNT + 1)])
        db.close()
        self.write("transhume.yaml", PLAN % self.uri())

    def target(self, kind):
        items.empty(self.client)
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        if kind == "created":
            return {}
        self.client.create_table(
            TableName="goods", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"},
                                  {"AttributeName": "SK", "AttributeType": "N"}])
        self.client.get_waiter("table_exists").wait(TableName="goods", WaiterConfig={"Delay": 1})
        if kind == "filled":
            items.put(self.client, "goods", ({**self.key(i), "name": {"S": "old %d" % i},
                                              "mine": {"M": {"z": {"L": [{"N": "1.5"}, {"NULL": True}]},
                                                             "a": {"SS": ["x", "y"]}}}}
                                             for i in range(COUNT // 2, COUNT + 20)))
        return self.tables()

    def tables(self):
        return {name: sorted(json.dumps(item, sort_keys=True, default=repr)
                             for page in self.client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
                             for item in page["Items"])
                for name in items.tables(self.client)}

    def program(self, *arguments, code=0, failpoint=None):
        environment = dict(self.environment)
        if failpoint:
            environment["TRANSHUME_FAILPOINT"] = failpoint
        result = support.transhume(*arguments, cwd=self.folder, env=environment)
        if code is not None:
            self.assert_code(result, code)
        return result

    def migrate(self, policy, *arguments, code=0, failpoint=None):
        return self.program("migrate", "-q", "--chunk-rows", 30, "--existing", policy, *arguments, code=code,
                            failpoint=failpoint)

    def rollback(self, *arguments, run=None, code=0, failpoint=None):
        return self.program("rollback", "--run", run or self.run_id(), "--json", *(arguments or ["--confirm"]),
                            code=code, failpoint=failpoint)

    def table_of(self, result):
        return json.loads(result.out)["tables"][0]

    def cases(self):
        for kind, policy in itertools.product(("created", "empty", "filled"),
                                              ("refuse", "append", "upsert", "replace", "skip")):
            if (kind, policy) != ("filled", "refuse"):
                yield kind, policy

    def test_a_whole_run(self):
        overlap = COUNT - COUNT // 2 + 1
        cases = list(self.cases())
        # where nothing is that a policy could be about
        alike = [case for case in cases if case[0] == "created" and case[1] != "refuse"]
        for kind, policy in cases if SOAK else [case for case in cases if case[0] == "filled"
                                                or case[1] == "refuse"] + support.drawn(alike, 1, self.id()):
            for flags in ([], ["--rollback-keys"]) if (kind, policy) == ("created", "refuse") else ([],):
                with self.subTest(kind=kind, policy=policy, flags=flags):
                    before = self.target(kind)
                    self.migrate(policy, *flags, code=1 if (kind, policy) == ("filled", "append") else 0)
                    told = self.table_of(self.rollback("--dry-run"))
                    if kind == "filled":
                        overwrites = policy in ("upsert", "replace")
                        self.assertEqual((told["removed"], told["restored"]),
                                         (COUNT - overlap, overlap if overwrites else 0))
                    run = self.run_id()
                    self.rollback()
                    self.assertEqual(self.tables(), before)
                    self.rollback(run=run)

    # ---- a repair that takes out what is extra

    REPAIR = ("validate", "-q", "--repair", "--delete-extra", "--confirm")

    def damaged(self):
        self.target("created")
        self.migrate("refuse")
        extra = [{"PK": {"S": "CITY#%d" % (i % 7)}, "SK": {"N": str(1000 + i)}, "n": {"N": "1.5"},
                  "m": {"M": {"z": {"L": [{"NULL": True}, {"BOOL": False}]}, "a": {"NS": ["1", "2"]},
                              "b": {"B": b"\0\xff"}}}} for i in range(130)]
        items.put(self.client, "goods", extra)
        for i in (3, 4):
            self.client.delete_item(TableName="goods", Key=self.key(i))
        self.client.put_item(TableName="goods", Item={**self.key(5), "mine": {"S": "damaged"}})
        return self.tables()["goods"]

    def key(self, i):
        return {"PK": {"S": "CITY#%d" % (i % 7)}, "SK": {"N": str(i)}}

    def test_what_a_repair_took_out_comes_back(self):
        before = self.damaged()
        self.program(*self.REPAIR)
        repaired = self.tables()["goods"]
        self.assertEqual(len(repaired), COUNT)
        told = self.table_of(self.rollback("--dry-run"))
        self.assertEqual([told[what] for what in ("removed", "restored", "changed", "missing")], [2, 130 + 1, 0, 0])
        self.assertEqual(self.tables()["goods"], repaired)
        self.assertEqual(self.table_of(self.rollback()), told)
        self.assertEqual(self.tables()["goods"], before)

    def test_what_applications_wrote_under_its_key_survives(self):
        self.damaged()
        self.program(*self.REPAIR)
        key = {"PK": {"S": "CITY#0"}, "SK": {"N": "1007"}}
        mine = {**key, "mine": {"S": "mine"}}
        self.client.put_item(TableName="goods", Item=mine)
        done = self.table_of(self.rollback())
        self.assertEqual((done["restored"], done["changed"]), (130, 1))
        self.assertEqual(self.client.get_item(TableName="goods", Key=key)["Item"], mine)

    def test_without_the_state_folder_or_images_it_is_refused(self):
        self.damaged()
        self.program(*self.REPAIR)
        run = self.run_id()
        shutil.move(self.path(".transhume/before"), self.path("elsewhere"))
        self.assertIn("[rollback-refused]", self.rollback(code=5).err)
        shutil.move(self.path("elsewhere"), self.path(".transhume/before"))
        self.rollback(run=run)

    def test_a_killed_repair_is_rolled_back(self):
        points = ["engine.before_images", "engine.after_images", "engine.before_repair_delete",
                  "dynamodb.before_delete",
                  "engine.after_repair_delete", "engine.after_commit", "engine.before_completed"]
        for point, resumed in support.covering(support.drawn(points, 3, self.id()), (False, True), by=self.id()):
            with self.subTest(point=point, resumed=resumed):
                before = self.damaged()
                self.assertEqual(self.program(*self.REPAIR, failpoint=point + ":kill:1", code=None).code, -9)
                if resumed:
                    self.program("resume", "-q")
                    self.assertEqual(len(self.tables()["goods"]), COUNT)
                self.rollback()
                self.assertEqual(self.tables()["goods"], before)

    def test_the_rollback_of_a_repair_is_killed(self):
        points = ["rollback.after_begin", "rollback.images_restored", "dynamodb.before_restore",
                  "dynamodb.after_restore",
                  "rollback.after_table", "rollback.before_forget"]
        for point in points if SOAK else random.Random(SEED).sample(points, 3):
            with self.subTest(point=point):
                before = self.damaged()
                self.program(*self.REPAIR)
                run = self.run_id()
                self.assertEqual(self.rollback(failpoint=point + ":kill:1", code=None).code, -9)
                self.rollback(run=run)
                self.assertEqual(self.tables()["goods"], before)

    def test_killed_then_rolled_back(self):
        points = ["engine.after_commit", "engine.after_images", "engine.before_images", "dynamodb.after_send",
                  "ledger.before_mark", "dynamodb.after_made", "dynamodb.after_table", "engine.before_completed"]
        for kind, policy in (("created", "refuse"), ("filled", "upsert"), ("filled", "replace")):
            reached = [point for point in points if point != "dynamodb.after_table" or kind == "created"]
            for point, resumed in support.covering(support.drawn(reached, 3, policy), (False, True), by=policy):
                with self.subTest(kind=kind, policy=policy, point=point, resumed=resumed):
                    before = self.target(kind)
                    once = point in ("engine.before_completed", "dynamodb.after_table")
                    killed = self.migrate(policy, failpoint="%s:kill:%d" % (point, 1 if once else 2), code=None)
                    if killed.code == 0 and "image" not in point and "ma" not in point:
                        self.assertEqual(killed.code, -9)
                    if killed.code == -9 and resumed:
                        self.program("resume", "-q")
                    self.rollback()
                    self.assertEqual(self.tables(), before)

    def test_restart(self):
        """What a run that broke off had written is taken back first; what comes is what one run writes."""
        def new(i):
            return {**self.key(i), "name": {"S": "new %d" % i}, "data": {"B": bytes([i])},
                    "price": {"N": items.number(str(i / 4))}}

        cases = [("created", "refuse"), ("empty", "refuse"), ("filled", "replace"), ("filled", "upsert"),
                 ("filled", "skip")]
        for kind, policy in cases if SOAK else (cases[0], random.Random(SEED).choice(cases[2:])):
            with self.subTest(kind=kind, policy=policy):
                before = self.target(kind)
                old = {item["SK"]["N"]: item for item in items.scan(self.client, "goods")} if kind == "filled" else {}
                broken = self.migrate(policy, code=3, failpoint="engine.after_commit:error:3")
                self.assertIn("resume", broken.err)
                run = self.run_id()
                self.assertNotEqual(self.tables(), before)
                self.migrate(policy, code=5)
                self.assertIn("--confirm", self.migrate(policy, "--restart", code=2).err)
                self.migrate(policy, "--restart", "--confirm")
                self.assertNotEqual(self.run_id(), run)
                with open(self.path(".transhume/runs", run, "state.json"), encoding="utf-8") as file:
                    self.assertEqual(json.load(file)["status"], "rolled_back")
                expected = dict(old)
                for i in range(1, COUNT + 1):
                    there = old.get(str(i))
                    expected[str(i)] = new(i) if not there or policy == "replace" else {**there,
                        **new(i)} if policy == "upsert" else there
                self.assertEqual(items.tables(self.client), ["goods"])
                items.assert_same(self, expected.values(), items.scan(self.client, "goods"))
                self.rollback()
                self.assertEqual(self.tables(), before)

    def test_rollback_killed_anywhere(self):
        points = ["rollback.after_begin", "rollback.images_restored", "rollback.after_table",
                  "rollback.before_forget", "dynamodb.before_delete", "dynamodb.before_remove_table",
                  "dynamodb.table_removed", "dynamodb.after_remove_table", "ledger.before_closing",
                  "ledger.after_drop", "dynamodb.after_restore", "rollback.before_local",
                  "rollback.before_retire"]
        reached = set()
        for kind, policy in (("created", "refuse"), ("filled", "upsert")):
            for point in support.drawn(points, 4, kind):
                with self.subTest(kind=kind, point=point):
                    before = self.target(kind)
                    self.migrate(policy)
                    run = self.run_id()
                    if self.rollback(run=run, failpoint=point + ":kill:1", code=None).code == -9:
                        reached.add(point)
                    self.rollback(run=run)
                    self.assertEqual(self.tables(), before)
        self.assertGreater(len(reached), 3)

    def test_what_others_changed_stays(self):
        before = self.target("filled")
        self.migrate("upsert")
        changed = {"PK": {"S": "CITY#0"}, "SK": {"N": "7"}, "name": {"S": "mine"}}
        added = {"PK": {"S": "CITY#9"}, "SK": {"N": "9999"}}
        self.client.put_item(TableName="goods", Item=changed)
        self.client.put_item(TableName="goods", Item=added)
        self.client.delete_item(TableName="goods", Key={"PK": {"S": "CITY#5"}, "SK": {"N": "75"}})
        told = self.table_of(self.rollback())
        self.assertEqual((told["changed"], told["missing"]), (1, 1))
        wanted = [text for text in before["goods"] if '"old 75"' not in text]
        wanted += [json.dumps(item, sort_keys=True) for item in (changed, added)]
        self.assertEqual(self.tables(), {"goods": sorted(wanted)})

    def counts(self, result):
        return [self.table_of(result)[what] for what in ("removed", "restored", "changed", "missing")]

    def deleted_by_others(self):
        """
        A run into a table that held others' items, of which two new ones and one that it overwrote are deleted since.
        """
        self.target("filled")
        self.migrate("upsert")
        for i in (3, 4, 75):
            self.client.delete_item(TableName="goods", Key=self.key(i))
        return self.run_id()

    def test_what_others_deleted_is_told_by_dry_runs_and_by_itself(self):
        run = self.deleted_by_others()
        expected = [COUNT // 2 - 1 - 2, COUNT - COUNT // 2 + 1 - 1, 0, 3]
        self.assertEqual(self.counts(self.rollback("--dry-run")), expected)
        self.assertEqual(self.counts(self.rollback(run=run)), expected)

    def test_what_a_killed_rollback_removed_is_not_told_as_deleted_by_others(self):
        within = (("rollback.images_restored", 1), ("rollback.images_restored", 3), ("dynamodb.before_delete", 1))
        for point, occurrence in (*support.drawn(within, 2, self.id()), ("rollback.after_table", 1)):
            with self.subTest(point=point, occurrence=occurrence):
                run = self.deleted_by_others()
                self.assertEqual(self.rollback(failpoint="%s:kill:%d" % (point, occurrence), code=None).code, -9)
                missing = 0 if point == "rollback.after_table" else 3   # that table is done with
                if missing:
                    self.assertEqual(self.counts(self.rollback("--dry-run", run=run))[2:], [0, missing])
                self.assertEqual(self.counts(self.rollback(run=run))[2:], [0, missing])

    def test_behind_what_a_full_disk_cut_off_it_is_known_too(self):
        """An earlier attempt had noted the half of a key's hash."""
        run = self.deleted_by_others()
        with open(self.path(".transhume/before/removed-0"), "wb") as file:
            file.write(b"the half")
        self.assertEqual(self.rollback(failpoint="rollback.images_restored:kill:3", code=None).code, -9)
        self.assertEqual(self.counts(self.rollback("--dry-run", run=run))[2:], [0, 3])
        self.assertEqual(self.counts(self.rollback(run=run))[2:], [0, 3])

    def test_what_was_never_written_is_not_told_as_deleted_by_others(self):
        """Refused records, and a batch whose images were kept when the run was killed."""
        support.make_sqlite(self.path("source.db"), "UPDATE goods SET data = zeroblob(410000) WHERE id = 7")
        self.target("filled")
        self.migrate("upsert", code=1)
        run = self.run_id()
        told = self.counts(self.rollback("--dry-run"))
        self.assertEqual(told[2:], [0, 0])
        self.assertEqual(self.counts(self.rollback(run=run)), told)
        self.target("filled")
        self.assertEqual(self.migrate("upsert", "--jobs", 1, failpoint="engine.after_images:kill:1", code=None).code,
                         -9)
        run = self.run_id()
        self.assertEqual(self.counts(self.rollback("--dry-run")), [0, 0, 0, 0])
        self.assertEqual(self.counts(self.rollback(run=run)), [0, 0, 0, 0])

    def test_keys_that_no_item_can_have_are_rejected(self):
        """Nothing is under them to be kept, and the other records of their batch go on."""
        support.make_sqlite(self.path("source.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, k);"
                            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50) INSERT INTO "
                            "odd SELECT i, 'key ' || i FROM c;"
                            "UPDATE odd SET k = '' WHERE id IN (7, 31); UPDATE odd SET k = printf('%.3000c', "
                            "'x') WHERE id = 20")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: sqlite:source.db\ntarget: \"%s\"\ntables:\n  goods:\n    key: { partition: "
                   "PK, sort: SK }\n"
                   "    entities: { odd: { from: odd, fields: { PK: { column: k }, SK: { column: id } } } }\n"
                   % self.uri())
        before = self.target("filled")
        self.migrate("upsert", code=1)
        self.assertEqual(len(self.tables()["goods"]), len(before["goods"]) + 47)
        self.assertEqual(self.counts(self.rollback()), [47, 0, 0, 0])
        self.assertEqual(self.tables(), before)

    def test_entities_of_the_same_fields_in_another_order_are_compared_by_contents(self):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE other AS SELECT id + 1000 AS id, city, name || ' too' AS name, "
                       "price + 1 AS price, data FROM goods")
        db.close()
        self.write("transhume.yaml", PLAN % self.uri()
                   + '      other: { from: other, fields: { data: copy, price: copy, name: copy, '
                   'SK: { column: id }, PK: "CITY#{city}" } }\n')
        self.target("created")
        self.migrate("refuse")
        told = json.loads(self.rollback("--dry-run").out)
        self.assertEqual((told["compared_by_count"], told["tables"][0]["removed"]), ([], 2 * COUNT))
        item, = (item for item in self.client.scan(TableName="goods", ConsistentRead=True)["Items"]
                 if item["SK"] == {"N": "1005"})
        self.client.put_item(TableName="goods", Item={**item, "name": {"S": "new 6 too"}})
        before = self.tables()
        self.assertIn("it was changed since", self.rollback(code=5).err)
        self.assertEqual(self.tables(), before)
        self.client.put_item(TableName="goods", Item=item)
        self.rollback()
        self.assertEqual(self.tables(), {})

    def test_a_changed_table_is_refused(self):
        for kind in ("created", "empty"):
            self.target(kind)
            self.migrate("refuse")
            self.client.put_item(TableName="goods", Item={"PK": {"S": "CITY#0"}, "SK": {"N": "7"},
                                                          "name": {"S": "mine"}})
            changed = self.tables()
            self.assertIn("[rollback-refused]", self.rollback(code=5).err)
            self.assertEqual({**self.tables(), "_transhume_ledger": None}, {**changed, "_transhume_ledger": None})

    def test_lost_images(self):
        self.target("filled")
        self.migrate("replace")
        run = self.run_id()
        shutil.rmtree(self.path(".transhume/before"))
        self.assertIn("[rollback-refused]", self.rollback(run=run, code=5).err)
        self.program("finish", code=5)
        self.program("finish", "--confirm")
        self.assertNotIn("_transhume_ledger", items.tables(self.client))

    def test_images_of_which_some_are_lost(self):
        self.target("filled")
        self.migrate("upsert")
        before = self.path(".transhume/before")
        os.unlink(os.path.join(before, next(name for name in sorted(os.listdir(before)) if name.endswith(".jsonl"))))
        self.assertIn("images were not kept or are lost", self.rollback(code=5).err)

    def images(self):
        """Folders of before-images, with files in them."""
        return sorted(os.path.relpath(at, self.path(".transhume")) for at, _, names in os.walk(self.path(".transhume"))
                      if os.path.basename(at) == "before" and names)

    def test_finish_leaves_no_images(self):
        for point in (None, *support.drawn(("finish.before_forget", "finish.after_forget"), 1, self.id())):
            with self.subTest(point=point):
                self.target("filled")
                self.migrate("replace")
                runs = [self.run_id()]
                for _ in range(2):
                    self.migrate("upsert")
                    runs.append(self.run_id())
                self.assertEqual(self.images(), sorted(["before", *("runs/%s/before" % run for run in runs[:2])]))
                if point:
                    self.assertEqual(self.program("finish", "--confirm", code=None, failpoint=point + ":kill:2").code,
                                     -9)
                    self.assertIn("before", self.images())
                self.program("finish", "--confirm")
                self.assertEqual(self.images(), [])
                self.assertNotIn("_transhume_ledger", items.tables(self.client))
                with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
                    self.assertTrue(json.load(file)["finished"])

    def test_finish_elsewhere_leaves_images_of_runs_that_are_not_its_own(self):
        self.target("filled")
        self.migrate("replace")
        run = self.run_id()
        self.migrate("upsert")
        kept = self.images()
        support.make_sqlite(self.path("small.db"), "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        self.program("migrate", "-q", "--state", "other", "small.db", "there.db")
        self.program("finish", "--confirm", "there.db")
        self.assertEqual(self.images(), kept)
        self.rollback()
        self.rollback(run=run)

    def test_a_table_that_is_still_being_deleted(self):
        """The process that told it to go was killed before it was gone."""
        slow = servers.for_class(type(self), "dynalite", options=["--deleteTableMs", "2500"])
        client = items.client_of(slow)
        self.write("transhume.yaml", PLAN % self.uri(slow.endpoint))
        for flags in ([], ["--rollback-keys"]):
            with self.subTest(flags=flags):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.migrate("refuse", *flags)
                self.assertEqual(self.rollback(code=None, failpoint="dynamodb.before_remove_table:kill").code, -9)
                client.delete_table(TableName="goods")
                self.rollback("--dry-run")
                self.assertEqual(client.describe_table(TableName="goods")["Table"]["TableStatus"], "DELETING")
                self.rollback()
                self.assertNotIn("goods", client.list_tables()["TableNames"])


if __name__ == "__main__":
    unittest.main()
