"""Stopped processes, and second ones that come meanwhile, pair by pair."""
import unittest

import strikes
import test_kill_csv
import test_kill_from_mysql
import test_kill_jsonl
import test_kill_postgres
import test_kill_sql_files
import test_kill_to_items
import test_kill_to_sqlite
from kill_matrix import sample_each, sample_of_all


class StopsToSqlite(strikes.Stops, test_kill_to_sqlite.KillToSqlite):
    pass


class StopsToItems(strikes.Stops, test_kill_to_items.KillToItems):
    test_toy_to_dynamodb_json = test_sqlite_to_toy = None  # a take-over waits for a lease: test_take_over


class StopsCsv(strikes.Stops, test_kill_csv.KillCsv):
    pass


class StopsJsonl(strikes.Stops, test_kill_jsonl.KillJsonl):
    pass


class OutOfSql(strikes.Stops):
    second_timeout = "3s"   # it waits for the source's server, too


class StopsFromSql(OutOfSql, test_kill_sql_files.KillSqlFiles):
    test_csv_to_postgres = test_jsonl_to_mysql = None   # test_matrix_sql_stops


class StopsOthersFromSql(OutOfSql, test_kill_sql_files.OtherPairs):
    """All there are out of a server, but for those above."""


class StopsFromPostgres(OutOfSql, test_kill_postgres.KillPostgres):
    test_sqlite_to_postgres = test_postgres_to_postgres = None   # test_matrix_sql_stops


class StopsFromMysql(OutOfSql, test_kill_from_mysql.KillFromMysql):
    test_mysql_to_postgres = test_postgres_to_mysql = None   # test_matrix_sql_stops


for name, test in test_kill_sql_files.ALL.items():
    into_server = name.endswith(("_to_postgres", "_to_mysql"))
    setattr(StopsOthersFromSql, name, None if into_server or getattr(StopsFromSql, name, None) else test)
sample_each((StopsToSqlite, StopsToItems, StopsCsv, StopsJsonl, StopsFromSql), 1)
sample_of_all((StopsOthersFromSql, StopsFromPostgres, StopsFromMysql), 1)

if __name__ == "__main__":
    unittest.main()
