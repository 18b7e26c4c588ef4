"""Repairs that are killed, and killed again, pair by pair."""
import unittest

import engines
import test_kill_to_sqlite


class RepairsInSqlite(engines.Repairs, test_kill_to_sqlite.KillToSqlite):
    pass


if __name__ == "__main__":
    unittest.main()
