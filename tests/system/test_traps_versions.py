"""
The traps of test_traps.py in the oldest version of PostgreSQL that is supported, in the newest, and in MySQL; an
ordinary run tries some of the commands in one of the versions, with fewer traps, and a soak all.
"""
import unittest

import mysql
import support
import test_traps

DRAWN = support.drawn((12, 18), 1, "traps")


@support.inheriting(2 if 12 in DRAWN else 0)
class Oldest(test_traps.Traps):
    VERSION, FEW = 12, not support.SOAK


@support.inheriting(2 if 18 in DRAWN else 0)
class Newest(test_traps.Traps):
    VERSION, FEW = 18, not support.SOAK


class Mysql(test_traps.Mariadb):
    SERVER = mysql.Server


if __name__ == "__main__":
    unittest.main()
