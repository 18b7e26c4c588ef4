"""The traps of test_traps.py in the oldest version of PostgreSQL that is supported, in the newest, and in MySQL; an ordinary run tries some of the commands there, and a soak all."""
import unittest

import mysql
import support
import test_traps


@support.inheriting(2)
class Oldest(test_traps.Traps):
    VERSION = 12


@support.inheriting(2)
class Newest(test_traps.Traps):
    VERSION = 18


class Mysql(test_traps.Mariadb):
    SERVER = mysql.Server


if __name__ == "__main__":
    unittest.main()
