"""What a network does to runs out of and into PostgreSQL and MariaDB, pair by pair."""
import unittest

import test_kill_from_mysql
import test_kill_postgres
import test_kill_to_mysql
from sql_network import SqlNetwork


class NetworkOfPostgres(SqlNetwork, test_kill_postgres.KillPostgres):
    pass


class NetworkToMysql(SqlNetwork, test_kill_to_mysql.KillToMysql):
    pass


class NetworkFromMysql(SqlNetwork, test_kill_from_mysql.KillFromMysql):
    pass


if __name__ == "__main__":
    unittest.main()
