"""Values of many MiB between MariaDB and others: within so much memory, and read back by MariaDB's own client."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import large_values
import mariadb


class Values(large_values.LargeValues):
    SERVERS = mariadb
    SETTINGS = {"max-allowed-packet": "1G", "innodb-log-file-size": "64M"}
    TOLD = "SELECT id, length(t), length(b), md5(t), md5(b) FROM big ORDER BY id"
    # the server sends rows whole; SQLite keeps a value once more
    ROWS_HELD = {"out": 4, "across": 4, "in": 0}

    def fill(self, name, count, bytes_each):
        self.server.ask(name, "CREATE TABLE big (id int PRIMARY KEY, t longtext CHARACTER SET utf8mb4, b longblob); "
                              "INSERT INTO big SELECT seq, IF(seq %% 2 = 0, REPEAT(CONCAT('\u00e9', seq), %d), NULL), "
                              "IF(seq %% 2 = 1, REPEAT(UNHEX(LPAD(HEX(seq), 4, '0')), %d), NULL) FROM seq_1_to_%d"
                        % (bytes_each // 4, bytes_each // 2, count))


if __name__ == "__main__":
    unittest.main()
