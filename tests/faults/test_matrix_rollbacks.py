"""Rollbacks that are killed, and killed again, pair by pair."""
import unittest

import support
import taking_back
import test_kill_cassandra
import test_kill_csv
import test_kill_dynamodb
import test_kill_from_mysql
import test_kill_jsonl
import test_kill_postgres
import test_kill_sql_dynamodb
import test_kill_sql_files
import test_kill_to_items
import test_kill_to_mysql
import test_kill_to_sqlite
from kill_matrix import sample_each, sample_of_all


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


class RollbacksInCassandra(taking_back.Rollbacks, test_kill_cassandra.KillCassandra):
    test_sqlite_to_cassandra, test_toy_to_cassandra, test_cassandra_to_cassandra = (
        test_kill_cassandra.ALL["test_%s_to_cassandra" % source] for source in ("sqlite", "toy", "cassandra"))
    test_cassandra_to_sqlite = test_cassandra_to_toy = None   # others' targets


class RollbacksInPostgres(taking_back.Rollbacks, test_kill_postgres.KillPostgres):
    test_postgres_to_sqlite = None  # below


class RollbacksInMysql(taking_back.Rollbacks, test_kill_to_mysql.KillToMysql):
    pass


class Drawn(taking_back.Rollbacks):
    """Of many pairs some cases each."""
    engine_cases = 40 if support.SOAK else 2


class RollbacksFromPostgres(Drawn, test_kill_postgres.KillPostgres):
    test_sqlite_to_postgres = test_postgres_to_postgres = None  # above


class RollbacksBetween(Drawn, test_kill_from_mysql.KillFromMysql):
    pass


class RollbacksSqlFiles(Drawn, test_kill_sql_files.KillSqlFiles):
    pass


class RollbacksOtherPairs(Drawn, test_kill_sql_files.OtherPairs):
    """Those that the ordinary run has drawn."""


class RollbacksSqlDynamodb(Drawn, test_kill_sql_dynamodb.KillSqlDynamodb):
    pass


# Where it is taken back and repaired counts, whatever it came from: one source for each target, and one kind of folder.
sample_each((RollbacksInSqlite, RollbacksFromDynamodb, RollbacksInPostgres, RollbacksInMysql, RollbacksInCassandra), 1)
sample_of_all((RollbacksInItems, RollbacksInCsv, RollbacksInJsonl), 1)
sample_of_all((RollbacksFromPostgres, RollbacksBetween, RollbacksSqlFiles, RollbacksOtherPairs, RollbacksSqlDynamodb),
              1)

if __name__ == "__main__":
    unittest.main()
