"""SQL servers that crash and come back in mid-copy: as targets, and as sources."""
import unittest

import engines
import support
import test_kill_from_mysql
import test_kill_postgres
import test_kill_to_mysql


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


if __name__ == "__main__":
    unittest.main()
