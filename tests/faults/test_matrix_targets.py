"""Ledgers that were damaged, and folders that vanish or can't be written to, pair by pair."""
import unittest

import engines
import test_kill_csv
import test_kill_jsonl
import test_kill_to_items
import test_kill_to_sqlite


class LedgersInSqlite(engines.Ledgers, test_kill_to_sqlite.KillToSqlite):
    pass


class LedgersInItems(engines.Ledgers, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None  # its log is its own


class LedgersInCsv(engines.Ledgers, test_kill_csv.KillCsv):
    pass


class LedgersInJsonl(engines.Ledgers, test_kill_jsonl.KillJsonl):
    pass


class FoldersOfSqlite(engines.Folders, test_kill_to_sqlite.KillToSqlite):
    pass


class FoldersOfItems(engines.Folders, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None


class FoldersOfCsv(engines.Folders, test_kill_csv.KillCsv):
    pass


class FoldersOfJsonl(engines.Folders, test_kill_jsonl.KillJsonl):
    pass


if __name__ == "__main__":
    unittest.main()
