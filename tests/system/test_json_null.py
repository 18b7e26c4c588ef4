"""
JSON's null in a column of another type is NULL there, never a zero, and a reject where the column is NOT NULL; `check`
foresees it.
"""
import json
import os
import unittest

import mariadb
import postgres
import support

TYPES = {"postgres": ("int", "bigint", "real", "float8", "numeric(10,2)", "date", "time", "timestamp", "timestamptz",
                      "interval", "uuid", "boolean"),
         "mysql": ("int", "bigint unsigned", "float", "double", "decimal(10,2)", "date", "time", "datetime",
                   "timestamp", "year", "bit(8)", "boolean")}


class JsonNull(support.TestCase):
    def fill(self, types):
        """A table of one record a type."""
        os.makedirs(self.path("source", "_transhume", "tables"))
        for number in range(len(types)):
            os.makedirs(self.path("source", "t%d" % number))
            columns = [{"name": "id", "type": "int64", "null": False}, {"name": "v", "type": "json"}]
            self.write("source/_transhume/tables/t%d.json" % number,
                       json.dumps({"format": 1, "key": ["id"], "columns": columns}))
            self.write("source/t%d/part-1.csv" % number, "id,v\n1,null\n")
        return "csv:" + self.path("source")

    def into(self, module, engine, null):
        types = TYPES[engine]
        server = module.for_class(type(self))
        source = self.fill(types)
        for limits in (null, "NOT NULL"):
            name, refused = server.database(), limits == "NOT NULL"
            server.ask(name, ";".join("CREATE TABLE t%d (id bigint PRIMARY KEY, v %s %s)" % (number, declared, limits)
                                      for number, declared in enumerate(types)))
            options = ("--existing", "append", "--state", "state" + limits[:3], source, server.uri(name))
            report = json.loads(self.run_program("check", "--json", *options, code=int(refused)).out)
            self.assertEqual({one["entity"] for one in report["rejects"]},
                             {"t%d" % number for number in range(len(types))} if refused else set())
            self.run_program("migrate", "--quiet", *options, code=int(refused))
            for number, declared in enumerate(types):
                self.assertEqual(server.ask(name, "SELECT count(*), count(v) FROM t%d" % number),
                                 [["0" if refused else "1", "0"]], declared)

    def test_postgres(self):
        self.into(postgres, "postgres", "")

    def test_mysql(self):
        self.into(mariadb, "mysql", "NULL")


if __name__ == "__main__":
    unittest.main()
