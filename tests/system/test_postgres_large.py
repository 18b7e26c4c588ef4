"""Tables large enough to be cut by blocks or by sampled keys, and values of many MiB: read back by psql and sqlite3."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import large_values
import postgres
import support

# A row a page: what counts is the size of the heap, not what is in it.
HEAP = "WITH (fillfactor = 10)"
ROWS = 9500
TABLES = {
    "ordered": "id int PRIMARY KEY",                                  # keys in the order of the heap: sampled
    "scattered": "id int PRIMARY KEY",                                # in another: by blocks
    "keyless": "id int",
    "composite": "id int, k uuid DEFAULT gen_random_uuid(), PRIMARY KEY (k, id)",
}


class Spans(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)
        cls.source = cls.server.database()
        cls.server.psql(cls.source, "".join(
            "CREATE TABLE %s (%s, pad text) %s; INSERT INTO %s (id, pad) SELECT i, repeat(md5(i::text), 28) FROM "
            "generate_series(1, %d) i %s; ANALYZE %s;" % (name, columns, HEAP, name, ROWS,
                                                         "ORDER BY md5(i::text)" if name == "scattered" else "", name)
            for name, columns in TABLES.items()))

    def spans(self, target, table):
        return [row[0] for row in self.server.psql(target,
                                                   "SELECT c->>'text' FROM _transhume_ledger, "
                                                   "jsonb_array_elements(value::jsonb->'chunks') c "
                                                           "WHERE name LIKE 'run/%%/chunks/%%' AND (c->>'stream')::int "
                                                           "= %d ORDER BY (c->>'number')::int"
                                                   % sorted(TABLES).index(table))]

    def test_each_way_of_cutting(self):
        sizes = self.server.psql(self.source,
                                 "SELECT min(pg_relation_size(oid)) >> 20 FROM pg_class WHERE relname IN ('%s')"
                                 % "', '".join(TABLES))
        self.assertGreater(int(sizes[0][0]), 64)
        target = self.server.database()
        self.run_program("migrate", "-q", "--chunk-rows", "700", self.server.uri(self.source), self.server.uri(target))
        for table, word in (("ordered", "key "), ("scattered", "blocks "), ("keyless", "blocks "),
                            ("composite", "blocks ")):
            spans = self.spans(target, table)
            self.assertGreater(len(spans), 5, table)
            self.assertTrue(all(span.startswith(word) for span in spans), (table, spans[:3]))
            told = ("SELECT count(*), count(DISTINCT id), sum(id), md5(string_agg(md5(pad), '' ORDER BY id)) FROM "
                    + table)
            self.assertEqual(self.server.psql(self.source, told), self.server.psql(target, told), table)
        self.run_program("validate", "--level", "full")

    def test_killed_among_blocks(self):
        for table in ("scattered", "keyless"):
            with self.subTest(table):
                target = self.server.database()
                arguments = ("--state", "state-" + table, "--include", table, "--chunk-rows", "700",
                             self.server.uri(self.source),
                             self.server.uri(target))
                self.assertEqual(support.kill_at("postgres.after_commit", 4, "migrate", *arguments,
                                                 cwd=self.folder).code, -9)
                self.assertIn(support.transhume("resume", *arguments, cwd=self.folder).code, (0, 1))
                told = "SELECT count(*), count(DISTINCT id), sum(id) FROM " + table
                self.assertEqual(self.server.psql(self.source, told), self.server.psql(target, told))


class Values(large_values.LargeValues):
    SERVERS = postgres
    TOLD = "SELECT id, length(t), octet_length(b), md5(t), md5(b) FROM big ORDER BY id"
    # SQLite takes a value whole, and keeps it once more
    ROWS_HELD = {"out": 2, "across": 0, "in": 0}

    def fill(self, name, count, bytes_each):
        self.server.psql(name,
                         "CREATE TABLE big (id int PRIMARY KEY, t text, b bytea); "
                         "ALTER TABLE big ALTER t SET STORAGE EXTERNAL, "
                               "ALTER b SET STORAGE EXTERNAL; INSERT INTO big SELECT i, "
                               "CASE WHEN i %% 2 = 0 THEN repeat('\u00e9' || i, %d) "
                               "END, CASE WHEN i %% 2 = 1 THEN decode(repeat(lpad(to_hex(i), 4, '0'), %d), "
                               "'hex') END FROM "
                               "generate_series(1, %d) i" % (bytes_each // 4, bytes_each // 2, count))


class Slices(support.TestCase):
    """What reads values in pieces. Whose they are is told by md5, by the server."""
    BIG = "SELECT i, repeat(md5(i::text), 300000) FROM generate_series(%d, %d) i"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def made(self, script):
        name = self.server.database()
        self.server.psql(name, script)
        return name

    def told(self, name, table):
        return self.server.psql(name, "SELECT id, length(t), md5(t) FROM %s ORDER BY id, 3" % table)

    def test_a_session_that_ends(self):
        """It is made anew, as often as it takes, while the snapshot lives."""
        source = self.made("CREATE TABLE big (id int PRIMARY KEY, t text); ALTER TABLE big ALTER t SET STORAGE "
                           "EXTERNAL; INSERT INTO big "
                           + self.BIG % (1, 4))
        target = self.server.database()
        process = self.stopped_at("postgres.before_slice:stop:0", "migrate", "--no-express", "--jobs", "1",
                                  self.server.uri(source),
                                  self.server.uri(target))
        ended = 0
        while process.poll() is None:
            ended += len(self.server.psql(source,
                                          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                                          "current_database() "
                                                  "AND query LIKE 'SELECT pg_catalog.substr(%' AND application_name = "
                                                  "'transhume'"))
            process.send_signal(signal.SIGCONT)
            self.wait_until_stopped(process, may_end=True)
        self.assert_code(support.finish(process), 0)
        self.assertGreater(ended, 3)
        self.assertEqual(self.told(source, "big"), self.told(target, "big"))

    def test_rows_of_several_tables_at_one_place(self):
        """A table that others inherit from holds rows of theirs, too."""
        source = self.made("CREATE TABLE big (id int, t text); ALTER TABLE big ALTER t SET STORAGE EXTERNAL; "
                           "CREATE TABLE child () INHERITS (big); "
                           "INSERT INTO big %s; INSERT INTO child %s" % (self.BIG % (1, 2), self.BIG % (3, 4)))
        self.assertEqual(self.server.psql(source, "SELECT count(DISTINCT ctid) FROM big"), [["2"]])
        target = self.server.database()
        self.run_program("migrate", "--no-express", "--include", "big", self.server.uri(source),
                         self.server.uri(target))
        self.assertEqual(self.told(source, "big"), self.told(target, "big"))


class Unfit(large_values.Unfit):
    SERVERS = postgres


class LookedAt(large_values.LookedAt):
    LARGE_BYTES = 5 << 20

    def test_casts_and_expressions(self):
        server = postgres.for_class(type(self))
        source = server.database()
        server.psql(source,
                    "CREATE TABLE big (id int PRIMARY KEY, t text, b bytea); ALTER TABLE big ALTER t SET STORAGE "
                    "EXTERNAL, ALTER b SET STORAGE "
                            "EXTERNAL; INSERT INTO big VALUES %s, (6, NULL); UPDATE big SET b = convert_to(t, 'UTF8')"
                    % ", ".join(
                        "(%d, '{\"id\":%d,\"pad\":[\"' || repeat('%s', %d) || '\"]}')" % (
                            number, number, self.LETTERS, self.repeats(number)) for number in range(1, 6)))
        self.assert_looked_at(server.uri(source))


if __name__ == "__main__":
    unittest.main()
