"""
What a network does to runs out of and into PostgreSQL and MariaDB, pair by pair: between them, and with files and
DynamoDB.
"""
import unittest

import strikes
import test_kill_from_mysql
import test_kill_postgres
import test_kill_sql_dynamodb
import test_kill_sql_files
import test_kill_to_mysql
from kill_matrix import sample_each
from sql_network import SqlNetwork


class NetworkOfPostgres(SqlNetwork, test_kill_postgres.KillPostgres):
    pass


class NetworkToMysql(SqlNetwork, test_kill_to_mysql.KillToMysql):
    pass


class NetworkFromMysql(SqlNetwork, test_kill_from_mysql.KillFromMysql):
    pass


class NetworkSqlFiles(SqlNetwork, test_kill_sql_files.KillSqlFiles):
    pass


class NetworkOtherPairs(SqlNetwork, test_kill_sql_files.OtherPairs):
    """Those that the ordinary run has drawn."""


class NetworkSqlDynamodb(SqlNetwork, test_kill_sql_dynamodb.KillSqlDynamodb):
    """Of the SQL server's connections."""


class NetworkDynamodbSql(strikes.Network, test_kill_sql_dynamodb.KillSqlDynamodb):
    """Of DynamoDB's."""


sample_each((NetworkOfPostgres, NetworkToMysql, NetworkFromMysql, NetworkSqlFiles), 1)

if __name__ == "__main__":
    unittest.main()
