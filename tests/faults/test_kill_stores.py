"""The kill matrix of OpenSearch, Redis and MongoDB: each as a target of SQLite, and OpenSearch and Redis as sources. An
ordinary run draws two of them.

Expected is what sqlite3 reads in the shop, and what is found is told by clients of the tests' own (rows.py), after each
case.
"""
import contextlib
import os
import sqlite3
import unittest

import engines
import support
from engines import rows
from kill_matrix import KillMatrix, make_source, sample_tests

PAIRS = (("sqlite", "opensearch"), ("sqlite", "redis"), ("sqlite", "mongodb"), ("opensearch", "sqlite"),
         ("redis", "sqlite"))
OPTIONS = ["--chunk-rows", "100", "--jobs", "2"]
# No index of documents is unique.
WITHOUT_UNIQUE = """
CREATE TABLE other(id INTEGER PRIMARY KEY, plain_id INTEGER REFERENCES plain(id), u TEXT);
INSERT INTO other SELECT * FROM counted;
DROP TABLE counted;
ALTER TABLE other RENAME TO counted;
"""


class KillStores(KillMatrix):
    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=False)
        with contextlib.closing(sqlite3.connect(self.shop)) as db:
            db.executescript(WITHOUT_UNIQUE)
        self.held = engines.sqlite.contents(self.shop)

    def check(self, kind, at):
        rows.assert_same(self, self.held, engines.of(kind).contents(*at))

    def pair(self, source, target):
        server = engines.of(source if target == "sqlite" else target).SERVER.shared_for_class(type(self))
        at = server, server.database()
        uri = server.uri(at[1])
        if target == "sqlite":
            self.assert_code(support.transhume("migrate", self.shop, uri, "--state", "state-shop", cwd=self.folder), 0)
            self.assert_code(support.transhume("finish", "--confirm", "--state", "state-shop", cwd=self.folder), 0)
            self.check(source, at)
            self.matrix([*OPTIONS, uri, "sqlite:out.db"], lambda folder: self.check("sqlite",
                (os.path.join(folder, "out.db"),)))
            return
        self.empty_target = lambda: server.empty(at[1])
        self.matrix([*OPTIONS, self.shop, uri], lambda _: self.check(target, at))


for pair in PAIRS:
    setattr(KillStores, "test_%s_to_%s" % pair, lambda self, pair=pair: self.pair(*pair))
sample_tests(KillStores, 2)

if __name__ == "__main__":
    unittest.main()
