"""One of every object that PostgreSQL knows: each is in the copy, or `check` names it and `--strict` refuses.

What there is, the server tells itself: by each of its catalogues that have a schema or belong to the database, and by
pg_dump's list of contents.
"""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import sql_case

CARRIED = r"""
CREATE TABLE t (id int PRIMARY KEY WITH (fillfactor = 70), v text COMPRESSION pglz, w text, k int NOT NULL,
  CONSTRAINT "kw DEFERRABLE" UNIQUE (k, w) WITH (fillfactor = 60, deduplicate_items = off) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT vw UNIQUE (v, w) WITH (fillfactor = 61)) WITH (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER w SET STATISTICS 77, ALTER k SET (n_distinct = -0.5, n_distinct_inherited = 4);
CREATE UNIQUE INDEX t_k ON t (k);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_k;
CREATE INDEX t_words ON t ((k + 1) DESC NULLS LAST, w NULLS FIRST) INCLUDE (v) WITH (fillfactor = 50) WHERE k > 0;
ALTER INDEX t_words ALTER COLUMN 1 SET STATISTICS 99;
CREATE INDEX t_whole ON t (w);
ALTER TABLE t CLUSTER ON t_whole;
CREATE TABLE full_identity (id int PRIMARY KEY, to_t int, CONSTRAINT to_t FOREIGN KEY (to_t) REFERENCES t (k) MATCH FULL ON DELETE SET NULL (to_t) ON UPDATE SET DEFAULT DEFERRABLE);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TYPE person AS (name text, age int);
CREATE TABLE people OF person (name WITH OPTIONS PRIMARY KEY, age DEFAULT 7);
CREATE COLLATION sorted (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE words AS RANGE (subtype = text, subtype_opclass = text_pattern_ops, collation = "C");
CREATE TYPE sorted_words AS RANGE (subtype = text, collation = sorted);
CREATE DOMAIN few AS int CONSTRAINT below CHECK (VALUE < 1000);
CREATE UNLOGGED TABLE fast (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY);
CREATE UNLOGGED SEQUENCE alone;
CREATE VIEW v AS SELECT id, w FROM t;
ALTER VIEW v ALTER COLUMN w SET DEFAULT 'from the view';
CREATE MATERIALIZED VIEW m WITH (fillfactor = 55, toast.autovacuum_enabled = false) AS SELECT id, v, w FROM t;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE INDEX m_words ON m (lower(w));
ALTER INDEX m_words ALTER COLUMN 1 SET STATISTICS 98;
ALTER MATERIALIZED VIEW m CLUSTER ON m_id;
ALTER MATERIALIZED VIEW m ALTER v SET STORAGE EXTERNAL, ALTER v SET COMPRESSION pglz, ALTER w SET STATISTICS 76, ALTER w SET (n_distinct = 5);
CREATE STATISTICS of_t ON k, w FROM t;
ALTER STATISTICS of_t SET STATISTICS 13;
CREATE STATISTICS of_m ON v, w FROM m;
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE p (id int, v text, PRIMARY KEY (id) WITH (fillfactor = 71)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) WITH (fillfactor = 72);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE INDEX p_v ON p (v);
ALTER TABLE p1 CLUSTER ON p1_v_idx;
ALTER TABLE p2 REPLICA IDENTITY USING INDEX p2_pkey;
ALTER TABLE p1 ALTER v SET COMPRESSION pglz, ALTER v SET (n_distinct = 6);
CREATE TRIGGER of_p AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION trig();
ALTER TABLE p DISABLE TRIGGER of_p;
ALTER TABLE p1 ENABLE ALWAYS TRIGGER of_p;
ALTER TABLE p2 ENABLE TRIGGER of_p;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trig();
CREATE TRIGGER of_v INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION trig();
CREATE RULE told AS ON INSERT TO t DO ALSO NOTIFY told;
ALTER TABLE t DISABLE RULE told;
CREATE RULE always AS ON UPDATE TO fast DO ALSO NOTIFY told;
ALTER TABLE fast ENABLE ALWAYS RULE always;
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON t FOR UPDATE USING (k > 0) WITH CHECK (k < 9);
COMMENT ON COLLATION sorted IS 'of a collation';
COMMENT ON RULE told ON t IS 'of a rule';
COMMENT ON POLICY mine ON t IS 'of a policy';
COMMENT ON STATISTICS of_t IS 'of statistics';
COMMENT ON STATISTICS of_m IS 'of statistics of a materialized view';
COMMENT ON CONSTRAINT below ON DOMAIN few IS 'of a domain''s check';
COMMENT ON CONSTRAINT vw ON t IS 'of a key';
COMMENT ON TRIGGER of_v ON v IS 'of a view''s trigger';
COMMENT ON INDEX m_id IS 'of an index';
COMMENT ON COLUMN person.age IS 'of a composite type''s field';
COMMENT ON COLUMN m.w IS 'of a column';
INSERT INTO t SELECT i, repeat('v', 300), 'w' || i, i FROM generate_series(1, 20) i;
INSERT INTO full_identity SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO p SELECT i, 'v' FROM generate_series(0, 19) i;
INSERT INTO fast DEFAULT VALUES;
REFRESH MATERIALIZED VIEW m;
"""
# What makes it, and what is said of it: {name and kind: why}.
LEFT_OUT = (
    ("CREATE TABLE plain (id int PRIMARY KEY, v text)", {}),
    ("CREATE TYPE mood AS ENUM ('sad')", {}),
    ("CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'", {}),
    ("CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int)",
     {"===: the operator": "operators are not made"}),
    ("CREATE OPERATOR FAMILY fam USING hash", {"fam: the operator family": "operator families are not made"}),
    ("CREATE OPERATOR CLASS oc FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, "
     "OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)",
     {"oc: the operator class": "operator classes are not made",
      "oc: the operator family": "operator families are not made"}),
    ("CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
     {"conv: the conversion": "conversions are not made"}),
    ("CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple)",
     {"conf: the text search configuration": "text search configurations are not made"}),
    ("CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple)",
     {"dict: the text search dictionary": "text search dictionaries are not made"}),
    ("CREATE TEXT SEARCH PARSER parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, "
     "LEXTYPES = prsd_lextype)",
     {"parser: the text search parser": "text search parsers are not made"}),
    ("CREATE TEXT SEARCH TEMPLATE template (LEXIZE = dsimple_lexize)",
     {"template: the text search template": "text search templates are not made"}),
    ("CREATE FUNCTION number(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; "
     "CREATE CAST (mood AS int) WITH FUNCTION number(mood)",
     {"mood AS integer: the cast": "casts are not made"}),
    ("CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), "
     "TO SQL WITH FUNCTION int4recv(internal))",
     {"FOR integer LANGUAGE sql: the transform": "transforms are not made"}),
    ("CREATE LANGUAGE tongue HANDLER plpgsql_call_handler", {"tongue: the language": "languages are not made"}),
    ("CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler",
     {"heap_too: the access method": "access methods are not made"}),
    ("CREATE TABLE heaped (id int PRIMARY KEY) USING heap_too",
     {"heaped: the table access method": "it is heap_too; the table is made with what is default there"}),
    ("CREATE AGGREGATE mul(int) (SFUNC = int4mul, STYPE = int, INITCOND = '1')",
     {"mul(integer): the aggregate": "aggregates are not made"}),
    ("CREATE FUNCTION internal_one(int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4abs'",
     {"internal_one(integer): the function": "functions in C need their library"}),
    ("CREATE TYPE shell", {"shell: the type": "base types need their C functions: install them in the target"}),
    ("CREATE EXTENSION citext",
     {"citext: the extension": "extensions are not made: CREATE EXTENSION in the target first"}),
    ("CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
     "CREATE EVENT TRIGGER evt ON sql_drop EXECUTE FUNCTION noted()",
     {"evt: the event trigger": "event triggers are not made"}),
    ("CREATE PUBLICATION pub FOR TABLE plain", {"pub: the publication": "publications are not made"}),
    ("CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (connect = false, slot_name = NONE)",
     {"sub: the subscription": "subscriptions are not made"}),
    ("CREATE FOREIGN DATA WRAPPER wrap", {"wrap: the foreign-data wrapper": "foreign-data wrappers are not made"}),
    ("CREATE SERVER far FOREIGN DATA WRAPPER wrap", {"far: the foreign server": "foreign servers are not made"}),
    ("CREATE USER MAPPING FOR postgres SERVER far",
     {"far for postgres: the user mapping": "user mappings are not made"}),
    ("CREATE FOREIGN TABLE far_table (id int CONSTRAINT far_check CHECK (id > 0)) SERVER far",
     {"far_table: the foreign table": "foreign tables are not made, and their rows not read",
      "far_check: the check": "its foreign table is not made"}),
    ("CREATE TRIGGER far_trigger BEFORE INSERT ON far_table EXECUTE FUNCTION trig()",
     {"far_trigger: the trigger": "its foreign table is not made"}),
    ("CREATE TABLE heir (more int) INHERITS (plain)",
     {"heir: the inheritance":
      "the table becomes one of its own; the table that it inherits from holds its rows, too"}),
    ("CREATE SCHEMA other; CREATE TABLE parted (id int) PARTITION BY RANGE (id); CREATE TABLE other.away PARTITION OF "
     "parted FOR VALUES FROM (0) TO (9)",
     {"other.away: the partition of another schema": "it is not made, so that records of it find no place; "
                                                     "make it once the table is there, then load the rejects"}),
    ("CREATE TABLE other.parted_there (id int) PARTITION BY RANGE (id); CREATE TABLE here PARTITION OF "
     "other.parted_there FOR VALUES FROM (0) TO (9)",
     {"here: the partition": "the table that it is a part of is in another schema: its rows are read with that"}),
    ("CREATE STATISTICS other.of_plain ON id, v FROM plain",
     {"of_plain: the statistics": "it is in another schema than its table"}),
    ("SET allow_in_place_tablespaces = on; CREATE TABLESPACE space LOCATION ''; CREATE INDEX in_space ON plain (v) "
     "TABLESPACE space",
     {"space: the tablespace": "tables and indexes of the schema lie in it (1); in the target they lie where its "
                               "database does"}),
    ("CREATE TABLE orphans (id int PRIMARY KEY, of int CONSTRAINT loose REFERENCES plain); "
     "ALTER TABLE orphans DISABLE TRIGGER ALL",
     {"loose: the disabled trigger of a foreign key": "in the target it is enabled"}),
    ("SELECT lo_from_bytea(0, 'x')",
     {"pg_largeobject: the store of large objects": "1 large objects are not copied, "
                                                    "only the numbers of them that tables hold"}),
    ("COMMENT ON SCHEMA public IS 'its own'", {"public: the comment": "the schema itself is the target's own"}),
    ("CREATE ROLE reader; GRANT CREATE ON SCHEMA public TO reader",
     {"public: the grant": "who may do what in the schema is not carried"}),
    ("GRANT SELECT ON plain TO reader", {"plain: the grant": "who may do what is not carried"}),
    ("REVOKE USAGE ON TYPE mood FROM public", {"mood: the grant": "who may do what is not carried"}),
    ("REVOKE EXECUTE ON FUNCTION same(int, int) FROM public",
     {"same(integer, integer): the grant": "who may do what is not carried"}),
    ("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader",
     {"postgres: the default grant": "who may do what with new objects is not carried"}),
    ("CREATE ROLE other; CREATE DOMAIN others AS int; ALTER DOMAIN others OWNER TO other",
     {"other: the owner": "tables, views, sequences, types and functions of it (1) belong to who copies"}),
    ("INSERT INTO pg_seclabel VALUES ('plain'::regclass, 'pg_class'::regclass, 0, 'nobody', 'secret')",
     {"public.plain: the security label": "labels (of nobody) are not carried"}),
)
# Catalogues of a schema's or a database's objects, with what each calls them; the others hold parts of these.
NAMED = {
    "pg_class": "relname", "pg_type": "typname",
    "pg_proc": "format('%I(%s)', proname, pg_get_function_identity_arguments(oid))",
    "pg_constraint": "conname", "pg_operator": "oprname", "pg_opclass": "opcname", "pg_opfamily": "opfname",
    "pg_conversion": "conname", "pg_collation": "collname",
    "pg_ts_config": "cfgname", "pg_ts_dict": "dictname", "pg_ts_parser": "prsname", "pg_ts_template": "tmplname",
    "pg_statistic_ext": "stxname",
    "pg_default_acl": "pg_get_userbyid(defaclrole)",
    "pg_trigger": "tgname", "pg_rewrite": "rulename", "pg_policy": "polname",
    "pg_cast": "format('%s AS %s', castsource::regtype, casttarget::regtype)",
    "pg_transform": "format('FOR %s LANGUAGE %s', trftype::regtype, (SELECT lanname FROM pg_language l WHERE l.oid = "
                    "trflang))", "pg_language": "lanname", "pg_am": "amname",
    "pg_event_trigger": "evtname", "pg_publication": "pubname", "pg_subscription": "subname",
    "pg_foreign_data_wrapper": "fdwname", "pg_foreign_server": "srvname", "pg_extension": "extname",
    "pg_user_mapping": "format('%s for %s', (SELECT srvname FROM pg_foreign_server s WHERE s.oid = umserver), "
                       "pg_get_userbyid(umuser))",
}

CARRIED_WHOLE = ("pg_collation", "pg_rewrite", "pg_policy")   # the rest has something that is left out


class Objects(sql_case.SqlCase):
    SERVERS = postgres

    def report(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def contents(self, name):
        """{(kind, schema, name)} of pg_dump's list, the ledger's aside."""
        command = [self.server._client("pg_dump"), "-h", "127.0.0.1", "-p", str(self.server.port), "-U", "postgres",
                   "--schema-only", name]
        said = self.server.ask_client(command, "").decode()
        return {(kind, schema, tag)
                for tag, kind, schema in re.findall(r"^-- Name: (.*); Type: (.*); Schema: (.*); Owner: ", said, re.M)
                if "_transhume_" not in tag}

    def catalogues(self, name):
        """
        {catalogue: [what it calls each of its objects]}: what is of the schema or the database, of no extension, and no
        part of another object.
        """
        spaces = dict(self.server.psql(name, """SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attname ~ 'namespace$' AND a.atttypid = 'oid'::regtype"""))
        self.assertLessEqual(spaces.keys(), NAMED.keys(), "a catalogue that this test does not know")
        found = {}
        for catalogue, called in NAMED.items():
            rows = self.server.psql(name, """SELECT %s FROM %s c WHERE oid >= 16384 AND %s IN (0, 'public'::regnamespace) AND NOT EXISTS (
                SELECT 1 FROM pg_depend d WHERE d.classid = '%s'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))""" % (
                    called, catalogue, spaces.get(catalogue, "0"), catalogue))
            found[catalogue] = [row[0] for row in rows if "_transhume_" not in row[0]]
        return found

    def assert_counted(self, source, notes, word):
        """Each catalogue that holds anything has a line, and its numbers are the server's own."""
        for catalogue in NAMED:
            if catalogue == "pg_default_acl":
                continue   # who may do what: named, and no object
            line, = (note for note in notes if note.startswith(catalogue + ": "))
            total, kept, left = map(int, re.match(r"%s: (\d+) objects, (\d+) %s, (\d+) left out: " % (catalogue, word),
                                                  line).groups())
            self.assertEqual(total, kept + left)
            self.assertEqual(left > 0, catalogue not in CARRIED_WHOLE or word != "copied", line)

    def test_policies_of_roles_that_the_target_has_not(self):
        """
        Roles are the server's: told before the run, counted as left out, and refused strictly; once they are there, the
        policies arrive.
        """
        source = self.made("""CREATE ROLE "a: role"; CREATE ROLE known; CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);
            ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY two ON t TO known, "a: role" USING (id > 1); CREATE POLICY one ON t TO known USING (id > 2);
            CREATE POLICY everybody ON u USING (true); CREATE POLICY two ON u TO "a: role" USING (id > 3)""")
        with postgres.Server() as other:
            target = other.database()
            other.psql(target, "CREATE ROLE known")
            ends = (self.server.uri(source), other.uri(target))
            words = ["%s: the policy two is not carried: the target has not the role a: role, "
                     "which it names: CREATE ROLE there first" % table for table in "tu"]
            said = self.report(*ends)
            self.assertEqual([note for note in said["notes"] if "is not carried" in note], words)
            self.assertIn("pg_policy: 4 objects, 2 copied, 2 left out: policy 4 (2 left out)", said["notes"])
            self.assertEqual(said["problems"], [])
            self.assertEqual(json.loads(self.run_program("check", "--json", "--strict", *ends, code=5).out)["problems"],
                             words)
            self.run_program("migrate", "--strict", *ends, code=5)
            asked = "SELECT tablename || '.' || policyname FROM pg_policies ORDER BY 1"
            self.run_program("migrate", *ends)
            self.assertEqual(other.psql(target, asked), [["t.one"], ["u.everybody"]])
            target = other.database()
            other.psql(target, 'CREATE ROLE "a: role"')
            self.run_program("migrate", "--strict", "--state", "second", self.server.uri(source), other.uri(target))
            self.assertEqual(other.psql(target, asked), [["t.one"], ["t.two"], ["u.everybody"], ["u.two"]])

    def test_what_is_carried(self):
        """Exactly: pg_dump tells no difference, and strictly nothing is left out."""
        source, target = self.made(CARRIED), self.made()
        empty = self.server.dump(target, "--schema-only")
        self.assertEqual(self.report("--strict", self.server.uri(source), self.server.uri(target))["problems"], [])
        self.run_program("migrate", "--strict", self.server.uri(source), self.server.uri(target))
        self.maxDiff = None
        self.assertEqual(self.server.dump(source, "--schema-only"),
                         self.server.dump(target, "--schema-only", "-T", "_transhume*"))
        rows = self.server.rows(target)
        self.assertEqual([table for table, found in self.server.rows(source).items() if found != rows.get(table)], [])
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.server.dump(target, "--schema-only"), empty)

    def test_every_object_is_in_the_copy_or_named(self):
        source, target = self.made(";\n".join([CARRIED] + [sql
                                                           for sql, _ in LEFT_OUT])), self.made(
                                                               "CREATE EXTENSION citext")
        self.addCleanup(self.server.psql, source,
                        "ALTER SUBSCRIPTION sub DISABLE; DROP SUBSCRIPTION sub; SELECT lo_unlink(oid) FROM "
                        "pg_largeobject_metadata")
        source_uri = self.server.uri(source) + "?schema=public"
        arguments = (source_uri, self.server.uri(target))
        expected = sorted("%s is left out: %s" % (what, why) for _, said in LEFT_OUT for what, why in said.items())
        self.maxDiff = None
        report = self.report("--strict", *arguments, code=5)
        self.assertEqual(sorted(report["problems"]), expected)
        self.assert_counted(source, self.report(*arguments)["notes"], "copied")
        self.assertIn("[strict-refused]", self.run_program("migrate", "--strict", *arguments, code=5).err)
        self.assertEqual(self.server.rows(target), {})
        # into another engine
        elsewhere = self.report(source_uri, "copy.db")["notes"]
        self.assert_counted(source, elsewhere, "converted with their tables")
        self.assertEqual([text for text in expected if text.replace(" is left out: ",
                                                                    " is not carried: ") not in elsewhere],
                         ["public: the comment is left out: the schema itself is the target's own"])
        self.run_program("migrate", *arguments)
        self.assert_found_or_named(source, target, {problem.split(": the ")[0] for problem in report["problems"]})

    def assert_found_or_named(self, source, target, named):
        """By each catalogue that there is, and by pg_dump's list."""
        found = self.catalogues(target)
        for catalogue, objects in self.catalogues(source).items():
            self.assertGreater(len(objects), 0, "the script makes none of " + catalogue)
            for name in objects:
                with self.subTest(catalogue, object=name):
                    if name in found[catalogue]:
                        found[catalogue].remove(name)   # one for each
                    else:
                        self.assertIn(name, named)
        for kind, schema, tag in sorted(self.contents(source) - self.contents(target)):
            if kind == "DEFAULT ACL":
                continue   # which is told by the role
            with self.subTest(kind, object=tag):
                self.assertTrue(schema == "other" or any(name in tag for name in named), (schema, tag))


if __name__ == "__main__":
    unittest.main()
