"""`transhume schema import`: the histories of other tools, and going on from them."""
import json
import os
import sys
import unittest
import zlib

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support


def flyway_checksum(text):
    value = 0
    for line in text.splitlines():
        value = zlib.crc32(line.encode(), value)
    return value - (1 << 32) if value >= 1 << 31 else value


class ImportCase:
    """Histories are written as the tools write them; the last file of each folder is pending."""
    FLAG = "1"

    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        os.mkdir(self.path("migrations"))

    def put(self, name, text):
        self.write(os.path.join("migrations", name), text)
        return text

    def imported(self, *arguments):
        out = json.loads(self.run_program("schema", "import", self.uri, "--json", *arguments).out)
        return out["tool"], {row["version"] or row["name"]: row["state"] for row in out["migrations"]}

    def goes_on(self, tool, versions, pending):
        expected = dict.fromkeys(versions, "applied")
        expected[pending] = "pending"
        self.assertEqual(self.imported("--dry-run"), (tool, expected))
        self.assertEqual(self.imported(), (tool, expected))
        self.assertEqual(self.imported(), (tool, dict(dict.fromkeys(versions, "known"), **{pending: "pending"})))
        self.assertIn("1 migration applied", self.run_program("schema", "up", self.uri).out)
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")

    def test_goose(self):
        self.put("00001_a.sql", "-- +goose Up\nCREATE TABLE a (x int);\n-- +goose Down\nDROP TABLE a;\n")
        self.put("00002_b.sql",
                 "-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE b (x int);\n-- +goose StatementEnd\n-- +goose "
                 "Down\nDROP TABLE b;\n")
        self.put("00003_c.sql", "-- +goose Up\nCREATE TABLE c (x int);\n")
        self.ask("CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE goose_db_version (id int PRIMARY KEY, "
                 "version_id bigint, is_applied boolean);"
                 "INSERT INTO goose_db_version VALUES (1, 0, %s), (2, 1, %s), (3, 2, %s), (4, 2, %s), (5, 2, %s)" %
                 (self.FLAG, self.FLAG, self.FLAG, {"1": "0", "true": "false"}[self.FLAG], self.FLAG))
        self.goes_on("goose", ["00001", "00002"], "00003")

    def test_golang_migrate(self):
        for number, name in (("1", "a"), ("2", "b"), ("10", "c")):
            self.put("%s_%s.up.sql" % (number, name), "CREATE TABLE %s (x int);\n" % name)
            self.put("%s_%s.down.sql" % (number, name), "DROP TABLE %s;\n" % name)
        self.ask("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); "
                 "INSERT INTO schema_migrations VALUES (2, %s)" %
                 {"1": "1", "true": "true"}[self.FLAG])
        self.assertIn("began it and did not end it", self.run_program("schema", "import", self.uri, code=5).err)
        self.ask("UPDATE schema_migrations SET dirty = %s" % {"1": "0", "true": "false"}[self.FLAG])
        self.goes_on("golang-migrate", ["1", "2"], "10")

    def test_dbmate(self):
        for version, name in (("20200101000000", "a"), ("20200102000000", "b"), ("20200103000000", "c")):
            self.put("%s_%s.sql" % (version, name),
                     "-- migrate:up\nCREATE TABLE %s (x int);\n-- migrate:down\nDROP TABLE %s;\n" % (name, name))
        self.ask("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);"
                 "INSERT INTO schema_migrations VALUES ('20200102000000'), ('20200101000000')")
        self.goes_on("dbmate", ["20200101000000", "20200102000000"], "20200103000000")

    def test_flyway(self):
        first = self.put("V1__a.sql", "CREATE TABLE a (x int);\r\n")
        second = self.put("V1_1__b.sql", "-- b\nCREATE TABLE b (x int);\n")
        self.put("V2__c.sql", "CREATE TABLE c (x int);\n")
        self.ask("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), "
                 "description varchar(200), type varchar(20),"
                 "script varchar(1000), checksum int, success boolean)")
        rows = [("1", "a", flyway_checksum(first)), ("1.1", "b", flyway_checksum(second))]
        for rank, (version, name, checksum) in enumerate(rows):
            self.ask("INSERT INTO flyway_schema_history VALUES (%d, '%s', '%s', 'SQL', 'x', %d, %s)" % (rank, version,
                name, checksum, self.FLAG))
        self.goes_on("flyway", ["1", "1.1"], "2")

    def test_a_file_that_changed_since_is_refused(self):
        self.put("V1__a.sql", "CREATE TABLE a (x int);\n")
        self.ask("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), "
                 "description varchar(200), type varchar(20),"
                 "script varchar(1000), checksum int, success boolean);"
                 "INSERT INTO flyway_schema_history VALUES (1, '1', 'a', 'SQL', 'x', 7, %s)" % self.FLAG)
        self.assertIn("it is not what flyway applied", self.run_program("schema", "import", self.uri, code=5).err)


class OnSqlite(sql_case.SqliteTarget, ImportCase, support.TestCase):
    def ask(self, sql):
        rows = []
        for statement in sql.split(";"):
            rows = super().ask(statement) if statement.strip() else rows
        return rows


class OnPostgres(sql_case.ServerTarget, ImportCase, support.TestCase):
    SERVERS = postgres
    FLAG = "true"


class OnMariadb(sql_case.ServerTarget, ImportCase, support.TestCase):
    SERVERS = mariadb


if __name__ == "__main__":
    unittest.main()
