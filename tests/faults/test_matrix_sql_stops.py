"""Stopped processes whose run into a SQL server is taken over meanwhile: once woken they write nothing."""
import unittest

import strikes
import test_kill_from_mysql
import test_kill_postgres
import test_kill_sql_dynamodb
import test_kill_sql_files
import test_kill_to_mysql
from kill_matrix import sample_of_all


class StopsPostgres(strikes.SqlStops, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None   # test_matrix_stops

    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target, "--schema-only")


class StopsMysql(strikes.SqlStops, test_kill_to_mysql.KillToMysql):
    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target)


class StopsIntoSql(strikes.SqlStops, test_kill_sql_files.KillSqlFiles):
    test_postgres_to_csv = test_mysql_to_jsonl = test_postgres_to_dynamodb_json = None   # test_matrix_stops


class StopsBetween(strikes.SqlStops, test_kill_from_mysql.KillFromMysql):
    test_mysql_to_sqlite = None   # test_matrix_stops


class StopsOthersIntoSql(strikes.SqlStops, test_kill_sql_files.OtherPairs):
    """All there are into a server, but for those above."""


class StopsDynamodbToSql(strikes.SqlStops, test_kill_sql_dynamodb.KillSqlDynamodb):
    test_postgres_to_dynamodb = test_mysql_to_dynamodb = None   # a take-over waits for a lease: test_take_over_dynamodb
    test_dynamodb_to_postgres = test_kill_sql_dynamodb.ALL["test_dynamodb_to_postgres"]
    test_dynamodb_to_mysql = test_kill_sql_dynamodb.ALL["test_dynamodb_to_mysql"]


for name, test in test_kill_sql_files.ALL.items():
    into_server = name.endswith(("_to_postgres", "_to_mysql"))
    setattr(StopsOthersIntoSql, name, test if into_server and not getattr(StopsIntoSql, name, None) else None)
sample_of_all((StopsBetween, StopsOthersIntoSql, StopsDynamodbToSql), 1)

if __name__ == "__main__":
    unittest.main()
