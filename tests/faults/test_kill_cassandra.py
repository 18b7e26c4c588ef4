"""
The kill matrix where Cassandra is source or target: a node that lives on, read back by the Python driver, lists
included.
"""
import contextlib
import decimal
import json
import os
import sqlite3
import unittest

import cassandra_server
import engines
from engines import rows
import mariadb
import postgres
import support
from kill_matrix import KillMatrix, make_source, sample_of_all
from test_kill_sql_dynamodb import EMPTY

OPTIONS = ["--chunk-rows", "100", "--jobs", "2"]
# Records of the toy and items have no columns: the plan names them. A list that is written twice would show.
PLAN = """
transhume: 1
source: none
target: none
tables:
  plain:
    key: { partition: [id] }
    columns: { tags: { type: "list<text>" } }
    from: plain
    fields: { id: { column: id, cast: int64 }, a: { column: a, cast: text }, b: { column: b, cast: bytes },
              price: { column: price, cast: "decimal(10,2)", lossy: allow }, r: { column: r, cast: float64, lossy: allow },
              tags: { sql: "json_array('t', CAST(id AS TEXT), 't')", cast: list } }
  pair:
    key: { partition: [x], clustering: [y: desc] }
    from: pair
    fields: { x: { column: x, cast: text }, y: { column: y, cast: int64 }, note: { column: note, cast: text } }
  counted:
    key: { partition: [id] }
    from: counted
    fields: { id: { column: id, cast: int64 }, plain_id: { column: plain_id, cast: int64 }, u: { column: u, cast: text } }
"""
TABLES = ("CREATE TABLE plain (id bigint PRIMARY KEY, a text, b blob, price decimal, r double, tags list<text>)",
          "CREATE TABLE pair (x text, y bigint, note text, PRIMARY KEY (x, y)) WITH CLUSTERING ORDER BY (y DESC)",
          "CREATE TABLE counted (id bigint PRIMARY KEY, plain_id bigint, u text)")


def with_tags(held):
    """The shop with the lists that the plan makes, as JSON texts."""
    made = dict(held)
    made["plain"] = rows.rows_of({**dict(row), "tags": ("text", '["t","%d","t"]' % decimal.Decimal(dict(row)["id"][1]))}
                                 for row in held["plain"])
    return made


class KillCassandra(KillMatrix):
    """
    A keyspace for the source and one for the target, which is made anew before each case. Here are SQLite and the toy.
    """

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=False)
        self.held = with_tags(engines.sqlite.contents(self.shop))
        self.target = self.server.database()

    def renew_target(self):
        self.server.renew(self.target)

    def assert_whole(self, keyspace):
        rows.assert_same(self, self.held, engines.cassandra.contents(self.server, keyspace))

    def filled(self):
        """The URI of a keyspace that the driver filled with the shop."""
        name = self.server.database()
        for statement in TABLES:
            self.server.ask(name, statement)
        with contextlib.closing(sqlite3.connect(self.shop)) as db:
            self.server.fill(name, "INSERT INTO plain (id, a, b, price, r, tags) VALUES (?, ?, ?, ?, ?, ?)",
                             [(number, a, b, decimal.Decimal(repr(price)), r, ["t", str(number), "t"])
                              for number, a, b, price, r in db.execute("SELECT * FROM plain")])
            for table, columns in (("pair", "x, y, note"), ("counted", "id, plain_id, u")):
                self.server.fill(name, "INSERT INTO %s (%s) VALUES (?, ?, ?)" % (table, columns),
                                 db.execute("SELECT %s FROM %s" % (columns, table)).fetchall())
        self.assert_whole(name)
        return self.server.uri(name)

    def into_cassandra(self, source, env=None):
        self.empty_target = self.renew_target
        plan = self.write("plan.yaml", PLAN)
        self.matrix(["--plan", plan, "--state", "state", *OPTIONS, source, self.server.uri(self.target)],
                    lambda _: self.assert_whole(self.target), env)

    def test_sqlite_to_cassandra(self):
        self.into_cassandra("sqlite:" + self.shop)

    def test_toy_to_cassandra(self):
        self.assert_code(support.transhume("migrate", "--state", "state-toy", self.shop, "toy:" + self.path("toy"),
                                           cwd=self.folder, env=self.toy), 0)
        self.into_cassandra("toy:" + self.path("toy"), self.toy)

    def test_cassandra_to_sqlite(self):
        source = self.filled()
        self.matrix([*OPTIONS, source, "sqlite:copy.db"],
                    lambda folder: rows.assert_same(self, self.held,
                                                    engines.sqlite.contents(os.path.join(folder, "copy.db"))))

    def test_cassandra_to_toy(self):
        source = self.filled()
        self.matrix([*OPTIONS, source, "toy:out"], lambda folder: rows.assert_same(self, self.held,
            engines.toy.contents(os.path.join(folder, "out"))), self.toy)

    def test_cassandra_to_cassandra(self):
        source = self.filled()
        self.empty_target = self.renew_target
        self.matrix([*OPTIONS, source, self.server.uri(self.target)], lambda _: self.assert_whole(self.target))


class KillSqlCassandra(KillCassandra):
    test_sqlite_to_cassandra = None
    test_toy_to_cassandra = None
    test_cassandra_to_sqlite = None
    test_cassandra_to_toy = None
    test_cassandra_to_cassandra = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sql = {"mysql": mariadb.for_class(cls), "postgres": postgres.for_class(cls, settings={"autovacuum": "off"})}

    def server_of(self, kind):
        return self.sql.get(kind, self.server)

    def out_of_sql(self, kind):
        source = self.sql[kind].uri(self.sql[kind].database())
        self.assert_code(support.transhume("migrate", "--state", "state-shop", self.shop, source, cwd=self.folder), 0)
        self.into_cassandra(source)

    def into_sql(self, kind):
        source, name = self.filled(), self.sql[kind].database()
        expected = self.held if kind == "mysql" else rows.with_each(self.held, as_jsonb)
        self.empty_target = lambda: self.sql[kind].ask("" if kind == "mysql" else name,
                                                       EMPTY[kind].replace("TARGET", name))
        self.matrix([*OPTIONS, source, self.sql[kind].uri(name)],
                    lambda _: rows.assert_same(self, expected, getattr(engines, kind).contents(self.sql[kind], name)))

    def test_postgres_to_cassandra(self):
        self.out_of_sql("postgres")

    def test_mysql_to_cassandra(self):
        self.out_of_sql("mysql")

    def test_cassandra_to_postgres(self):
        self.into_sql("postgres")

    def test_cassandra_to_mysql(self):
        self.into_sql("mysql")


def as_jsonb(of):
    return ("text", json.dumps(json.loads(of[1]))) if of and of[1].startswith('["t"') else of


# before any is drawn
ALL = {name: getattr(KillCassandra, name) for name in dir(KillCassandra) if name.startswith("test_")}
sample_of_all((KillCassandra, KillSqlCassandra), 1)

if __name__ == "__main__":
    unittest.main()
