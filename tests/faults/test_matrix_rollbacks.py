"""Rollbacks that are killed, and killed again, pair by pair."""
import unittest

import taking_back
import test_kill_csv
import test_kill_dynamodb
import test_kill_jsonl
import test_kill_postgres
import test_kill_to_items
import test_kill_to_mysql
import test_kill_to_sqlite


class RollbacksInSqlite(taking_back.Rollbacks, test_kill_to_sqlite.KillToSqlite):
    pass


class RollbacksInItems(taking_back.Rollbacks, test_kill_to_items.KillToItems):
    test_sqlite_to_toy = None  # it takes nothing back


class RollbacksInCsv(taking_back.Rollbacks, test_kill_csv.KillCsv):
    pass


class RollbacksInJsonl(taking_back.Rollbacks, test_kill_jsonl.KillJsonl):
    pass


class RollbacksFromDynamodb(taking_back.Rollbacks, test_kill_dynamodb.FromDynamodb):
    pass


class RollbacksInDynamodb(taking_back.Rollbacks, test_kill_dynamodb.ToDynamodb):
    pass


class RollbacksInPostgres(taking_back.Rollbacks, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None  # a target like any other's


class RollbacksInMysql(taking_back.Rollbacks, test_kill_to_mysql.KillToMysql):
    pass


if __name__ == "__main__":
    unittest.main()
