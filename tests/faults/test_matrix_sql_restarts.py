"""SQL servers that crash and come back in mid-copy: as targets, and as sources."""
import unittest

import strikes
import support
import test_kill_from_mysql
import test_kill_postgres
import test_kill_sql_dynamodb
import test_kill_sql_files
import test_kill_to_mysql
from kill_matrix import sample_each, sample_of_all


class OneAtLeast:
    engine_cases = 40 if support.SOAK else 1


class OfTheTarget:
    """The server that the test's name ends with."""

    def server_to_restart(self):
        return self.server_of(self.id().rpartition("_to_")[2])


class OfTheSource:
    def server_to_restart(self):
        return self.server_of(self.id().rpartition("_to_")[0].rpartition("test_")[2])


class RestartsToPostgres(OneAtLeast, strikes.Restarts, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None   # below
    if not support.SOAK:
        test_postgres_to_postgres = None


class RestartsFromPostgres(OneAtLeast, strikes.SourceRestarts, test_kill_postgres.KillPostgres):
    test_sqlite_to_postgres = None   # above
    if not support.SOAK:
        test_postgres_to_postgres = None

    def server_to_restart(self):
        return self.quiet


class RestartsToMysql(OneAtLeast, strikes.Restarts, test_kill_to_mysql.KillToMysql):
    if not support.SOAK:
        test_mysql_to_mysql = None


class RestartsFromMysql(OfTheSource, OneAtLeast, strikes.SourceRestarts, test_kill_from_mysql.KillFromMysql):
    if not support.SOAK:
        test_mysql_to_postgres = None


class RestartsBetween(OfTheTarget, OneAtLeast, strikes.Restarts, test_kill_from_mysql.KillFromMysql):
    test_mysql_to_sqlite = None   # above


class RestartsMysqlToMysql(OneAtLeast, strikes.SourceRestarts, test_kill_to_mysql.KillToMysql):
    test_sqlite_to_mysql = None   # above
    if not support.SOAK:
        test_mysql_to_mysql = None

    def server_to_restart(self):
        return self.quiet


class RestartsFilesToSql(OfTheTarget, OneAtLeast, strikes.Restarts, test_kill_sql_files.OtherPairs):
    """All there are into a server."""


class RestartsSqlToFiles(OfTheSource, OneAtLeast, strikes.SourceRestarts, test_kill_sql_files.OtherPairs):
    """All there are out of one."""


for name, test in test_kill_sql_files.ALL.items():
    into_server = name.endswith(("_to_postgres", "_to_mysql"))
    setattr(RestartsFilesToSql, name, test if into_server else None)
    setattr(RestartsSqlToFiles, name, None if into_server else test)


class RestartsDynamodbToSql(OfTheTarget, OneAtLeast, strikes.Restarts, test_kill_sql_dynamodb.KillSqlDynamodb):
    test_postgres_to_dynamodb = test_mysql_to_dynamodb = None   # below
    test_dynamodb_to_postgres = test_kill_sql_dynamodb.ALL["test_dynamodb_to_postgres"]
    test_dynamodb_to_mysql = test_kill_sql_dynamodb.ALL["test_dynamodb_to_mysql"]


class RestartsSqlToDynamodb(OfTheSource, OneAtLeast, strikes.SourceRestarts, test_kill_sql_dynamodb.KillSqlDynamodb):
    test_dynamodb_to_postgres = test_dynamodb_to_mysql = None   # above
    test_postgres_to_dynamodb = test_kill_sql_dynamodb.ALL["test_postgres_to_dynamodb"]
    test_mysql_to_dynamodb = test_kill_sql_dynamodb.ALL["test_mysql_to_dynamodb"]


# Each server as a target and as a source; of what is on the other side one each.
sample_each((RestartsToPostgres, RestartsToMysql, RestartsFromPostgres, RestartsFromMysql), 1)
sample_of_all((RestartsBetween, RestartsFilesToSql, RestartsDynamodbToSql), 1)
sample_of_all((RestartsSqlToFiles, RestartsSqlToDynamodb), 1)

if __name__ == "__main__":
    unittest.main()
