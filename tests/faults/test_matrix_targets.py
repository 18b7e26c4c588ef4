"""Ledgers that were damaged, and folders that vanish or can't be written to, pair by pair."""
import unittest

import strikes
import test_kill_csv
import test_kill_jsonl
import test_kill_to_items
import test_kill_to_sqlite
from kill_matrix import sample_each


class LedgersInSqlite(strikes.Ledgers, test_kill_to_sqlite.KillToSqlite):
    pass


class LedgersInItems(strikes.Ledgers, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None  # its log is its own


class LedgersInCsv(strikes.Ledgers, test_kill_csv.KillCsv):
    pass


class LedgersInJsonl(strikes.Ledgers, test_kill_jsonl.KillJsonl):
    pass


class FoldersOfSqlite(strikes.Folders, test_kill_to_sqlite.KillToSqlite):
    pass


class FoldersOfItems(strikes.Folders, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None


class FoldersOfCsv(strikes.Folders, test_kill_csv.KillCsv):
    pass


class FoldersOfJsonl(strikes.Folders, test_kill_jsonl.KillJsonl):
    pass


# A target's ledger and folder are the same, whatever is read: one source for each target.
sample_each((LedgersInSqlite, LedgersInItems, LedgersInCsv, LedgersInJsonl, FoldersOfSqlite, FoldersOfItems,
             FoldersOfCsv, FoldersOfJsonl), 1)

if __name__ == "__main__":
    unittest.main()
