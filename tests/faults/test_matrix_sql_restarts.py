"""SQL servers that crash and come back in mid-copy: as targets, and as sources."""
import unittest

import engines
import support
import test_kill_from_mysql
import test_kill_postgres
import test_kill_sql_dynamodb
import test_kill_sql_files
import test_kill_to_mysql
from kill_matrix import sample_tests


class OneAtLeast:
    engine_cases = 40 if support.SOAK else 1


class RestartsToPostgres(OneAtLeast, engines.Restarts, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None   # below
    if not support.SOAK:
        test_postgres_to_postgres = None


class RestartsFromPostgres(OneAtLeast, engines.SourceRestarts, test_kill_postgres.KillPostgres):
    test_sqlite_to_postgres = test_postgres_to_postgres = None   # above

    def server_to_restart(self):
        return self.quiet


class RestartsToMysql(OneAtLeast, engines.Restarts, test_kill_to_mysql.KillToMysql):
    if not support.SOAK:
        test_mysql_to_mysql = None


class RestartsFromMysql(OneAtLeast, engines.SourceRestarts, test_kill_from_mysql.KillFromMysql):
    test_postgres_to_mysql = None   # it is the target there
    if not support.SOAK:
        test_mysql_to_postgres = None

    def server_to_restart(self):
        return self.mysql


class OfTheTest:
    """The server that the test's name has."""

    def server_to_restart(self):
        return self.sql_servers()["postgres" if "postgres" in self.id().split(".")[-1] else "mysql"]


class OfFiles(OneAtLeast, OfTheTest):
    def sql_servers(self):
        return {"postgres": self.postgres, "mysql": self.mysql}


class OfDynamodb(OneAtLeast, OfTheTest):
    def sql_servers(self):
        return self.sql


class RestartsFilesToSql(OfFiles, engines.Restarts, test_kill_sql_files.KillSqlFiles):
    test_postgres_to_csv = test_mysql_to_jsonl = test_postgres_to_dynamodb_json = None   # below


class RestartsSqlToFiles(OfFiles, engines.SourceRestarts, test_kill_sql_files.KillSqlFiles):
    test_csv_to_postgres = test_jsonl_to_mysql = None   # above


class RestartsDynamodbToSql(OfDynamodb, engines.Restarts, test_kill_sql_dynamodb.KillSqlDynamodb):
    test_postgres_to_dynamodb = test_mysql_to_dynamodb = None   # below
    test_dynamodb_to_postgres = test_kill_sql_dynamodb.ALL["test_dynamodb_to_postgres"]
    test_dynamodb_to_mysql = test_kill_sql_dynamodb.ALL["test_dynamodb_to_mysql"]


class RestartsSqlToDynamodb(OfDynamodb, engines.SourceRestarts, test_kill_sql_dynamodb.KillSqlDynamodb):
    test_dynamodb_to_postgres = test_dynamodb_to_mysql = None   # above
    test_postgres_to_dynamodb = test_kill_sql_dynamodb.ALL["test_postgres_to_dynamodb"]
    test_mysql_to_dynamodb = test_kill_sql_dynamodb.ALL["test_mysql_to_dynamodb"]


sample_tests(RestartsFilesToSql, 1)
sample_tests(RestartsSqlToFiles, 1)
sample_tests(RestartsDynamodbToSql, 1)
sample_tests(RestartsSqlToDynamodb, 1)

if __name__ == "__main__":
    unittest.main()
