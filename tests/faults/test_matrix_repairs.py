"""Repairs that are killed, and killed again, pair by pair."""
import unittest

import taking_back
import test_kill_csv
import test_kill_dynamodb
import test_kill_jsonl
import test_kill_postgres
import test_kill_to_items
import test_kill_to_mysql
import test_kill_to_sqlite


class RepairsInSqlite(taking_back.Repairs, test_kill_to_sqlite.KillToSqlite):
    pass


class RepairsInItems(taking_back.Repairs, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None  # it can't be read back record by record


class RepairsInCsv(taking_back.Repairs, test_kill_csv.KillCsv):
    pass


class RepairsInJsonl(taking_back.Repairs, test_kill_jsonl.KillJsonl):
    pass


class RepairsFromDynamodb(taking_back.Repairs, test_kill_dynamodb.FromDynamodb):
    pass


class RepairsInDynamodb(taking_back.Repairs, test_kill_dynamodb.ToDynamodb):
    pass


class RepairsInPostgres(taking_back.Repairs, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None  # a target like any other's


class RepairsInMysql(taking_back.Repairs, test_kill_to_mysql.KillToMysql):
    pass


if __name__ == "__main__":
    unittest.main()
