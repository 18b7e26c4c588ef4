"""
Columns of PostgreSQL that hold an object's number: between two servers it is the object of the same name that is meant.
Read by psql.
"""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import sql_case
import support

NOT_CARRIED = """
CREATE TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.simple);
CREATE TEXT SEARCH DICTIONARY book (TEMPLATE = pg_catalog.simple);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE FUNCTION add(mood, mood) RETURNS mood LANGUAGE sql AS 'SELECT $1';
CREATE OPERATOR &&& (LEFTARG = mood, RIGHTARG = mood, FUNCTION = add);
"""
OBJECTS = NOT_CARRIED + """
CREATE TYPE pair AS (a int, m mood);
CREATE TYPE span AS RANGE (SUBTYPE = bigint);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE COLLATION german (provider = libc, locale = 'C');
CREATE TABLE other (id int PRIMARY KEY);
"""
TABLES = """
CREATE DOMAIN place AS regclass;
CREATE TABLE one (id int PRIMARY KEY, c regclass, t regtype, p regproc, pp regprocedure, o regoper, oo regoperator, r regrole, n regnamespace,
  f regconfig, d regdictionary, l regcollation, domained place);
CREATE TABLE many (id int PRIMARY KEY, c regclass[], t regtype[], p regproc[], n regnamespace[], f regconfig[], l regcollation[]);
CREATE TABLE made (id int PRIMARY KEY, m mood[], p pair, pp pair[], s span, ss span[]);
CREATE TABLE acls (id int PRIMARY KEY, a aclitem, aa aclitem[]);
CREATE TABLE plain (id int PRIMARY KEY, x xid, c cid, t tid, l pg_lsn, o oid, ov oidvector, iv int2vector, r int4range, ra int8range[], mr datemultirange,
  jp jsonpath, i inet[], tv tsvector, mo money, x8 xid8, b bit(3)[], na name[]);
CREATE TABLE searched (id int PRIMARY KEY, q tsquery);
"""
ROWS = """
INSERT INTO one VALUES (1, 'other', 'mood', 'twice', 'twice(int)', '&&&', '&&&(mood,mood)', 'postgres', 'public', 'words', 'book', 'german', 'other'),
  (2, NULL, 'int[]', 'now', 'now()', NULL, '+(int,int)', 'pg_monitor', 'pg_catalog', 'simple', 'simple', '"C"', NULL);
INSERT INTO many VALUES (1, '{other,pg_class}', '{mood,NULL,int}', '{twice}', '{public}', '{words}', '{german}');
INSERT INTO made VALUES (1, '{sad,happy}', '(1,sad)', '{"(1,sad)","(2,happy)"}', '[1,5)', '{"[1,5)"}');
INSERT INTO acls VALUES (1, 'postgres=r/postgres', '{postgres=r/postgres}');
INSERT INTO plain VALUES (1, '7', '8', '(1,2)', '1/2', 9, '1 2', '3 4', '[1,3)', '{"[1,3)"}', '{[2020-01-01,2021-01-01)}', '$.a', '{10.0.0.1/8}',
  'a:1', '1.50', '77', '{101,010}', '{a,b}');
INSERT INTO searched VALUES (1, 'a & b'), (2, '');
"""
NAMES = ("one", "many", "made", "acls", "searched", "plain")


class Names(sql_case.SqlCase):
    SERVERS = postgres

    def rows(self, name, table):
        return self.server.ask(name, "SELECT x::text FROM %s x ORDER BY id" % table)

    def test_the_same_names_arrive(self):
        source = self.made(OBJECTS + TABLES + ROWS)
        for options, script in (((), NOT_CARRIED), (("--no-express",), NOT_CARRIED),
                                (("--existing", "append"), OBJECTS + TABLES)):
            with self.subTest(options=options, there=len(script)):
                target = self.made(script)
                arguments = ("--state", "state-" + target, *[part for name in NAMES for part in ("--include", name)],
                             "--include", "other",
                             self.server.uri(source), self.server.uri(target))
                self.run_program("migrate", *options, *arguments)
                for table in NAMES:
                    self.assert_same_rows(source, target, table)
                self.run_program("validate", "--level", "full", *arguments)

    def test_what_goes_the_express_way(self):
        """Types whose bytes hold no numbers of objects still do, but for tsquery, which no server reads when it is
        empty: the
        server is asked what it was told to copy."""
        server = postgres.Server(settings={"log_statement": "all"})
        self.addCleanup(server.stop)
        source, target = server.database(), server.database()
        server.ask(source, OBJECTS + TABLES + ROWS)
        server.ask(target, OBJECTS + TABLES)
        self.run_program("migrate", "--existing", "append", *[part for name in NAMES for part in ("--include", name)],
                         server.uri(source), server.uri(target))
        with open(os.path.join(server.folder, "log"), encoding="utf-8") as log:
            said = [line for line in log if "FROM STDIN (FORMAT binary)" in line]
        self.assertEqual(sorted(name for name in NAMES if any('."%s" (' % name in line for line in said)), ["plain"])

    def test_a_name_that_the_target_does_not_have(self):
        """The record is rejected with its key, and the others arrive."""
        source = self.made(OBJECTS
                           + "CREATE TABLE one (id int PRIMARY KEY, c regclass, t regtype); INSERT INTO one VALUES (1, "
                             "'other', 'int'), "
                                     "(2, 'pg_class', 'mood'), (3, 'pg_class', 'int')")
        target = self.made("CREATE TABLE one (id int PRIMARY KEY, c regclass, t regtype)")
        self.run_program("migrate", "--include", "one", self.server.uri(source), self.server.uri(target), code=1)
        self.assertEqual(self.rows(target, "one"), [["(2,pg_class,mood)"], ["(3,pg_class,integer)"]])
        self.assertEqual([reject["key"]["id"] for reject in self.rejects()], [1])

    def test_what_a_trigger_does_not_find_ends_the_run(self):
        """It is no fault of the record."""
        source = self.made("CREATE TABLE one (id int PRIMARY KEY, c regclass); INSERT INTO one VALUES (1, 'pg_class')")
        target = self.made("CREATE TABLE one (id int PRIMARY KEY, c regclass); CREATE FUNCTION f() RETURNS trigger "
                           "LANGUAGE plpgsql AS "
                           "'BEGIN INSERT INTO nowhere VALUES (1); RETURN NEW; END'; "
                           "CREATE TRIGGER t BEFORE INSERT ON one FOR EACH ROW "
                           "EXECUTE FUNCTION f()")
        result = self.run_program("migrate", "--include", "one", self.server.uri(source), self.server.uri(target),
                                  code=3)
        self.assertIn("nowhere", result.err)


if __name__ == "__main__":
    unittest.main()
