"""
What becomes of a followed run when tables of a PostgreSQL source are altered, dropped, made again or made
(follow_schema_case.py).
"""
import unittest

import support
from follow_schema_case import OfPostgres, PostgresServer
from test_follow import PostgresSide, SqliteSide


class PostgresToPostgres(PostgresServer, OfPostgres, support.TestCase):
    reread = OfPostgres.reread + [("NULL is let in", ["ALTER TABLE t ALTER c DROP NOT NULL",
                                                      "UPDATE t SET c = NULL WHERE id = 1"])]

    def sides(self):
        return PostgresSide(self, self.server, "source"), PostgresSide(self, self.server, "copy")

    def with_moods(self):
        self.fresh()
        self.source.make("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE m (id INTEGER PRIMARY KEY, m mood); "
                         "INSERT INTO m VALUES (1, 'sad'), (2, 'glad')")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)

    def test_an_enum_grows(self):
        """The target's type gets the label, at its place; nothing is rejected that stays so."""
        self.with_moods()
        self.source.make("ALTER TYPE mood ADD VALUE E'so''\\\\so' BEFORE 'glad'; ALTER TYPE mood ADD VALUE 'merry'")
        self.source.make("INSERT INTO m VALUES (3, E'so''\\\\so'), (4, 'merry')")
        self.assertIn("whose type has more labels", self.follow("--on-schema-change", "stop", code=5).err)
        self.follow()
        self.assert_same("m", "id, m")
        labels = "string_agg(enumlabel, ' ' ORDER BY enumsortorder)"
        self.assertEqual(self.of(self.target, "pg_enum", labels), self.of(self.source, "pg_enum", labels))
        self.run_program("cutover", "--confirm")

    def test_a_label_gets_another_name(self):
        """
        It is another value in rows that nobody changed: they are read again, and told where the target has no such
        label.
        """
        self.with_moods()
        self.source.make("ALTER TYPE mood RENAME VALUE 'sad' TO 'sombre'")
        self.assertIn("1 record is missing", self.follow(code=1).err)
        self.assertIn("sombre", self.run_program("cutover", "--dry-run", code=5).err)
        self.target.make("ALTER TYPE mood RENAME VALUE 'sad' TO 'sombre'")
        self.follow("--refresh", "m")
        self.assert_same("m", "id, m")
        self.run_program("cutover", "--confirm")


class PostgresToSqlite(PostgresServer, OfPostgres, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), SqliteSide(self, "copy%d.db" % self.made)


if __name__ == "__main__":
    unittest.main()
