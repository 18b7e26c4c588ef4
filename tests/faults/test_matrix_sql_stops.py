"""Stopped processes whose run into a SQL server is taken over meanwhile: once woken they write nothing."""
import unittest

import engines
import test_kill_postgres
import test_kill_sql_files
import test_kill_to_mysql


class StopsPostgres(engines.SqlStops, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None   # a target like any other's

    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target, "--schema-only")


class StopsMysql(engines.SqlStops, test_kill_to_mysql.KillToMysql):
    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target)


class StopsIntoSql(engines.SqlStops, test_kill_sql_files.KillSqlFiles):
    test_postgres_to_csv = test_mysql_to_jsonl = test_postgres_to_dynamodb_json = None   # test_matrix_stops


if __name__ == "__main__":
    unittest.main()
