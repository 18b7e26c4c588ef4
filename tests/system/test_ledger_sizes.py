"""A ledger's own word for how many chunks it has takes no memory: the chunks are counted."""
import contextlib
import os
import re
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import large_values
import mariadb
import postgres
import support

CHUNKS = 20_000_000   # more than a gigabyte of them
BOUND_MIB = 128


class LedgerSizes(large_values.Measured):
    def refuses(self, uri, ask):
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION "
                            "ALL SELECT i + 1 FROM c "
                                               "WHERE i < 1000) INSERT INTO t SELECT i, 'v' FROM c")
        stopped = support.transhume("migrate", "sqlite:s.db", uri, "-q", "--chunk-rows", "100", cwd=self.folder,
                                    env={"TRANSHUME_FAILPOINT": "engine.after_commit:error:3"})
        self.assert_code(stopped, 3)
        known = 10
        for count in (CHUNKS, 999_999_999):
            ask("UPDATE _transhume_ledger SET value = replace(value, '\"chunks\":%d,', "
                "'\"chunks\":%d,') WHERE name LIKE 'run/%%/head'" % (known, count))
            known = count
            for command in (("resume",), ("validate",), ("rollback", "--run", self.run_id(), "--dry-run"), ("report",)):
                with self.subTest(count=count, command=command):
                    result, peak = self.measured(*command)
                    local = command[0] == "report"   # made of the state folder alone
                    self.assert_code(result, 0 if local else 5)
                    self.assertEqual("[ledger-invalid]" in result.err, not local)
                    self.assertNotIn("no memory", result.err)
                    self.assertLess(peak, BOUND_MIB * support.PATIENCE)

    def test_sqlite(self):
        def ask(sql):
            with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
                rows = db.execute(sql).fetchall()
                db.commit()
                return rows
        self.refuses("sqlite:out.db", ask)

    def test_postgres(self):
        self.of_server(postgres)

    def test_mysql(self):
        self.of_server(mariadb)

    def of_server(self, module):
        server = module.for_class(type(self))
        name = server.database()
        self.refuses(server.uri(name), lambda sql: server.ask(name, sql))


if __name__ == "__main__":
    unittest.main()
