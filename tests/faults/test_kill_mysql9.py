"""The kill matrix of runs into MySQL 9, and between two databases of it: by seed one of the two."""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("system", "servers")]
import kill_matrix
import mysql
import test_kill_to_mysql


class KillToMysql9(test_kill_to_mysql.KillToMysql):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.quiet = mysql.for_class(cls), mysql.for_class(cls)

    def setUp(self):
        super().setUp()
        self.sample = kill_matrix.WHOLE if kill_matrix.support.SOAK else kill_matrix.BRIEF


kill_matrix.sample_tests(KillToMysql9, 1)

if __name__ == "__main__":
    unittest.main()
