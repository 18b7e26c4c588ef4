"""Ledgers in servers that were damaged, pair by pair."""
import unittest

import server_ledgers
import support
import test_kill_dynamodb
import test_kill_postgres
import test_kill_to_mysql


class LedgersInPostgres(server_ledgers.SqlLedgers, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None   # test_matrix_targets
    if not support.SOAK:
        test_postgres_to_postgres = None


class LedgersInMysql(server_ledgers.SqlLedgers, test_kill_to_mysql.KillToMysql):
    QUOTE = "`"
    if not support.SOAK:
        test_mysql_to_mysql = None


class LedgersInDynamodb(server_ledgers.DynamodbLedgers, test_kill_dynamodb.ToDynamodb):
    pass


if __name__ == "__main__":
    unittest.main()
