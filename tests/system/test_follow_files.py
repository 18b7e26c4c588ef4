"""Following into folders: a log of changes beside the copy, which is played back here."""
import csv
import glob
import gzip
import json
import os
import signal
import time
import unittest

import support
import test_follow


class FilesSide:
    """A folder: the copy, and what its log of changes makes of it when it is played back."""

    COLUMNS, KEYS = test_follow.DynamodbSide.COLUMNS, {"account": 1, "entry": 1, "churn": 2}

    def __init__(self, test, scheme, options):
        self.scheme, self.folder = scheme, test.path("copy")
        self.uri = "%s:%s%s" % (scheme, self.folder, options)

    def read(self, *pattern):
        """Of files in the order of their names, each line as {name: value}."""
        for path in sorted(glob.glob(os.path.join(self.folder, *pattern))):
            with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file) if self.scheme == "csv" else map(json.loads, file)

    def plain(self, fields):
        """Values as texts."""
        if self.scheme == "dynamodb-json":
            return {name: test_follow.DynamodbSide.text(value) for name, value in fields["Item"].items()}
        return {name: None if value in (None, "") else str(value) for name, value in fields.items()}

    def changes(self, table):
        """(number, operation, key, record)"""
        for line in self.read("_transhume_changes", table, table + ".changes-*"):
            if self.scheme == "csv":
                record = self.plain(line)
                yield int(line["__number"]), line["__op"], record, record
            else:
                yield line["number"], line["op"], self.plain(line["key"]) if "key" in line else {}, self.plain(
                    line["after"]) if "after" in line else {}

    def rows(self, table):
        names = self.COLUMNS[table]
        if not os.path.isdir(os.path.join(self.folder, table)):
            return None
        found = {}
        for operation, key, record in [("c", fields, fields) for fields in map(self.plain, self.read(table, "*.*"))] + [
                change[1:] for change in self.changes(table)]:
            key = tuple(key.get(name) for name in names[:self.KEYS[table]])
            if operation == "t":
                found.clear()
            elif operation == "d":
                found.pop(key, None)
            else:
                found[key] = [record.get(name) for name in names]
        return sorted(found.values(), key=repr)

    def numbers(self):
        return sorted(change[0] for table in test_follow.Bank.TABLES for change in self.changes(table))

    def sum(self):
        rows = self.rows("account")
        return sum(int(balance) for _, balance in rows) if rows else None


class ToFiles(test_follow.Pair):
    test_cut_over_and_back = test_a_way_back_is_kept = None  # there is nothing to go over to
    options = ""

    def assert_same(self):
        super().assert_same()
        numbers = self.target.numbers()
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))  # each change is there once
        self.assertEqual(glob.glob(os.path.join(self.target.folder, "_transhume_changes", "*", ".*")), [])

    def target_side(self):
        return FilesSide(self, self.scheme, self.options)


@support.inheriting(2)
class SqliteToJsonl(ToFiles, support.TestCase):
    scheme, options = "jsonl", "?change_seconds=0"

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), self.target_side()

    def test_killed_between_files_and_position(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        for failpoint, occurrence in (("change_written", 2), ("before_apply", 1), ("after_apply", 1),
                                      ("before_complete", 2), ("after_complete", 1)):
            self.steps(4)
            self.source.transaction(["DELETE FROM churn WHERE b < 50",
                                     "INSERT INTO churn VALUES ('z', 7, 'new') ON CONFLICT DO NOTHING"], True)
            result = support.kill_at("files." + failpoint, occurrence, "follow", "--catch-up", "--take-over",
                                     cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, failpoint)
        self.follow("--take-over")
        self.assert_same()

    def test_what_a_line_says_and_what_is_refused(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id = 3", "DELETE FROM account WHERE id = 4"],
                                True)
        self.follow()
        lines = list(self.target.read("_transhume_changes", "account", "*"))
        self.assertEqual([(line["op"], line["number"], line["key"], line.get("after")) for line in lines],
                         [("u", 1, {"id": 3}, {"id": 3, "balance": 7}), ("d", 2, {"id": 4}, None)])
        self.assertEqual(len({(line["position"], line["ts_us"], line["transaction"]) for line in lines}), 1)
        self.assertRegex(lines[0]["position"], "^[0-9a-f]+$")
        self.assertIn("keeps a log of changes", self.run_program("cutover", "--confirm", code=5).err)
        self.assertIn("keeps a log of changes", self.run_program("follow", "--resync", code=3).err)
        self.run_program("cutover", "--abandon", "--confirm")
        self.assertEqual(self.source.feeds(), [])
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertFalse(os.path.exists(self.target.folder))


@support.inheriting(1)
class SqliteToCsv(ToFiles, support.TestCase):
    scheme, options = "csv", "?compression=gzip&file_bytes=20KiB"

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), self.target_side()

    def test_columns_that_are_added(self):
        """The file that is written next has them in its head."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(2)
        support.kill_at("files.before_complete", 1, "follow", "--catch-up", cwd=self.folder)
        self.source.transaction(["ALTER TABLE entry ADD COLUMN note TEXT",
                                 "INSERT INTO entry VALUES (9900, 'new', 'noted')"], True)
        self.follow("--take-over")
        self.target.COLUMNS = {**self.target.COLUMNS, "entry": ("id", "text", "note")}
        self.assert_same()

    def test_a_new_table_beside_files_that_are_open(self):
        """They are known by their names: a table that comes in between changes their numbers."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(2)
        self.assertEqual(support.kill_at("files.before_complete", 1, "follow", "--catch-up", cwd=self.folder).code,
                         -signal.SIGKILL)
        self.source.transaction(["CREATE TABLE aaa (id INTEGER PRIMARY KEY)", "INSERT INTO aaa VALUES (1)"], True)
        self.follow("--take-over")
        self.assert_same()

    def test_killed_behind_what_was_committed(self):
        """Of a file that is still written, only what stands behind the position is cut off."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        process = support.start("follow", cwd=self.folder, env={"TRANSHUME_FAILPOINT": "files.before_apply:kill:5"})
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30 * support.PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            self.bank.step()
            time.sleep(0.1)
        self.assertEqual(support.finish(process).code, -signal.SIGKILL)
        self.assertEqual(len(glob.glob(os.path.join(self.target.folder, "_transhume_changes", "account", ".*"))), 1)
        self.follow("--take-over")
        self.assert_same()


@support.inheriting(1)
class SqliteToDynamodbJson(ToFiles, support.TestCase):
    scheme, options = "dynamodb-json", "?change_seconds=1"
    test_killed_at_any_moment = None  # as the others

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), self.target_side()

    def test_what_waits_is_put_out_though_nothing_comes(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(process.kill)
        self.steps(3)
        deadline = time.monotonic() + 30 * support.PATIENCE
        while any(self.target.rows(t) != self.source.rows(t)
                  for t in test_follow.Bank.TABLES) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertIsNone(process.poll())
        self.assert_same()
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)


@support.inheriting(1)
class PostgresToCsv(test_follow.OfPostgres, ToFiles, support.TestCase):
    scheme = "csv"
    test_killed_at_any_moment = None  # as from SQLite

    def sides(self):
        return test_follow.PostgresSide(self, self.server, "bank"), self.target_side()

    def test_an_emptied_table_and_values_that_were_not_sent(self):
        self.steps(10)
        self.source.make("ALTER TABLE entry ALTER text SET STORAGE EXTERNAL; INSERT INTO entry VALUES (-5, "
                         "repeat('x', 9000))")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["UPDATE entry SET id = -6 WHERE id = -5",
                                 "UPDATE account SET balance = 7 WHERE id = 3"], True)
        self.follow()
        self.assert_same()
        self.source.transaction(["INSERT INTO entry VALUES (-1, 'before')", "TRUNCATE entry",
                                 "INSERT INTO entry VALUES (-2, 'behind')"], True)
        self.follow()
        self.assert_same()


class Objects:
    """A folder of JSON lines of Plans, its log played back. Keys have one part."""

    def __init__(self, folder):
        self.folder, self.uri = folder, "jsonl:" + folder

    def contents(self):
        found = {table: {} for table in os.listdir(self.folder) if not table.startswith("_")}
        for table, rows in found.items():
            for pattern in ("%s/*", "_transhume_changes/%s/*"):
                for path in sorted(glob.glob(os.path.join(self.folder, pattern % table))):
                    with open(path, encoding="utf-8") as file:
                        for line in map(json.loads, file):
                            record = line.get("after") if "op" in line else line
                            key, = line["key"].values() if "op" in line else [line.get("code", line.get("id"))]
                            rows.pop(key, None)
                            if record is not None:
                                rows[key] = record
        return found


class JsonlPlans(test_follow.Plans, support.TestCase):
    SEEDS, pages = 3, False

    def source_side(self, path):
        return test_follow.SqliteSide(self, path)

    def target_side(self, path):
        return Objects(path)


if __name__ == "__main__":
    unittest.main()
