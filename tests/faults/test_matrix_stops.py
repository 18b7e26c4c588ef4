"""Stopped processes, and second ones that come meanwhile, pair by pair."""
import unittest

import engines
import test_kill_csv
import test_kill_jsonl
import test_kill_sql_files
import test_kill_to_items
import test_kill_to_sqlite


class StopsToSqlite(engines.Stops, test_kill_to_sqlite.KillToSqlite):
    pass


class StopsToItems(engines.Stops, test_kill_to_items.KillToItems):
    test_toy_to_dynamodb_json = test_sqlite_to_toy = None  # a take-over waits for a lease: test_take_over


class StopsCsv(engines.Stops, test_kill_csv.KillCsv):
    pass


class StopsJsonl(engines.Stops, test_kill_jsonl.KillJsonl):
    pass


class StopsFromSql(engines.Stops, test_kill_sql_files.KillSqlFiles):
    second_timeout = "3s"   # it waits for the source's server, too
    test_csv_to_postgres = test_jsonl_to_mysql = None   # test_matrix_sql_stops


if __name__ == "__main__":
    unittest.main()
