"""The files that `transhume analyze` writes for each target: they parse, they agree, and their plans run."""
import glob
import json
import os
import re
import sqlite3

import cassandra_server
import dynamodb_case
import items
import postgres
import support
import test_analyze

CASSANDRA = ["astra.cql", "astra_create_tables.json", "cassandra_schema.cql", "duplicates.md", "transhume.yaml"]
DYNAMODB = ["cloudformation.json", "dynamodb_tables.json", "nosql_workbench.json", "transhume.dynamodb.yaml"]
MONGODB = ["mongodb_collections.json", "transhume.mongodb.yaml"]
QUERIES = """SELECT Name FROM Track WHERE AlbumId = 1 ORDER BY Milliseconds, TrackId;
SELECT InvoiceId, Total FROM Invoice WHERE CustomerId = 1 ORDER BY InvoiceDate DESC;
SELECT Invoice.InvoiceId, Customer.LastName FROM Invoice JOIN Customer ON Customer.CustomerId = Invoice.CustomerId
 WHERE Invoice.BillingCountry = 'Brazil';
SELECT TrackId, Quantity FROM InvoiceLine WHERE InvoiceId = 1;
SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = 1;
SELECT CustomerId FROM Customer WHERE Phone = '1';
INSERT INTO Invoice (InvoiceId, CustomerId, InvoiceDate, Total) VALUES (1, 1, '2024-01-01', 1);
"""


def rows_of(source, sql):
    db = sqlite3.connect(source)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def documents_of(folder):
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        with open(path, encoding="utf-8") as file:
            found += [json.loads(line) for line in file]
    return found


def key_of(schema):
    return [(one["AttributeName"], one["KeyType"]) for one in schema]


def shape_of(table):
    """What CreateTable says, without what only DescribeTable has."""
    indexes = {one["IndexName"]: (key_of(one["KeySchema"]), one["Projection"]["ProjectionType"],
                                  sorted(one["Projection"].get("NonKeyAttributes", ())))
               for one in table.get("GlobalSecondaryIndexes", ())}
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return table["TableName"], key_of(table["KeySchema"]), types, indexes


class Analysis(support.TestCase):
    def analyze(self, *options):
        source = support.musicshop(self.path("shop.db"))
        self.write("queries.sql", QUERIES)
        self.run_program("analyze", source, *options, "--out", "out")
        return source

    def json_of(self, name):
        with open(self.path("out", name), encoding="utf-8") as file:
            return json.load(file)

    def text_of(self, name):
        with open(self.path("out", name), encoding="utf-8") as file:
            return file.read()

    def files(self):
        return sorted(name for name in os.listdir(self.path("out")) if not name.startswith("report."))


class ForDynamodb(Analysis, dynamodb_case.DynamodbCase):
    def assert_alike(self):
        """CloudFormation and the Workbench say the tables that CreateTable makes."""
        tables = self.json_of("dynamodb_tables.json")
        resources = self.json_of("cloudformation.json")["Resources"]
        self.assertEqual({one["Type"] for one in resources.values()}, {"AWS::DynamoDB::Table"})
        self.assertEqual([one["Properties"] for one in resources.values()], tables)
        for table, model in zip(tables, self.json_of("nosql_workbench.json")["DataModel"]):
            types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
            self.assertEqual(model["TableName"], table["TableName"])
            for one, its in [(table, model)] + list(zip(table.get("GlobalSecondaryIndexes", ()),
                                                        model["GlobalSecondaryIndexes"])):
                places = [its["KeyAttributes"][place] for place in ("PartitionKey", "SortKey")
                          if place in its["KeyAttributes"]]
                names = [name for name, _ in key_of(one["KeySchema"])]
                self.assertEqual([(place["AttributeName"], place["AttributeType"]) for place in places],
                                 [(name, types[name]) for name in names])
        return tables

    def assert_runs(self, source):
        tables = self.assert_alike()
        self.run_aws("migrate", "--plan", self.path("out", "transhume.dynamodb.yaml"), source, self.uri(), "--quiet")
        made = [self.client.describe_table(TableName=table["TableName"])["Table"] for table in tables]
        self.assertEqual([shape_of(table) for table in made], [shape_of(table) for table in tables])
        for table in tables:
            rows = rows_of(source, "SELECT count(*) FROM " + table["TableName"])[0][0]
            self.assertEqual(self.client.scan(TableName=table["TableName"], Select="COUNT")["Count"], rows)

    def test_a_workload_that_is_assumed(self):
        source = self.analyze("--for", "dynamodb")
        self.assertEqual(self.files(), DYNAMODB)
        self.assert_runs(source)
        found = self.client.query(TableName="Album", IndexName="by_ArtistId", KeyConditionExpression="ArtistId = :a",
                                  ExpressionAttributeValues={":a": {"N": "1"}})["Items"]
        wanted = rows_of(source, "SELECT AlbumId, Title FROM Album WHERE ArtistId = 1")
        self.assertEqual(sorted((int(item["AlbumId"]["N"]), item["Title"]["S"]) for item in found), sorted(wanted))

    def test_queries_that_need_keys_of_several_fields(self):
        source = self.analyze("--for", "dynamodb", "--queries", "queries.sql")
        self.assert_runs(source)
        self.assertIn('"by_Phone": { partition: "Phone", projection: keys }', self.text_of("transhume.dynamodb.yaml"))
        found = self.client.query(TableName="Track", IndexName="by_AlbumId_Milliseconds_TrackId",
                                  KeyConditionExpression="AlbumId = :a",
                                  ExpressionAttributeValues={":a": {"N": "1"}})["Items"]
        wanted = rows_of(source, "SELECT Name FROM Track WHERE AlbumId = 1 ORDER BY Milliseconds, TrackId")
        self.assertEqual([item["Name"]["S"] for item in found], [name for name, in wanted])
        item = self.client.scan(TableName="Invoice", Limit=1)["Items"][0]
        self.assertEqual(item["InvoiceDate_InvoiceId"]["S"], "%s#%019d" % (item["InvoiceDate"]["S"],
                                                                           int(item["InvoiceId"]["N"])))
        facets = {facet["FacetName"] for table in self.json_of("nosql_workbench.json")["DataModel"]
                  for facet in table["TableFacets"]}
        self.assertTrue(any("by_AlbumId_Milliseconds_TrackId" in name for name in facets), facets)


    def test_each_query_is_answered_alike(self):
        source = support.musicshop(self.path("shop.db"))
        db = sqlite3.connect(source)
        db.executescript("CREATE TABLE Delivery (Who TEXT NOT NULL, At TIMESTAMP NOT NULL, Id TEXT NOT NULL, "
                         "PRIMARY KEY (Who, At, Id));"
                         "INSERT INTO Delivery VALUES ('a', '2024-01-01 08:02:00', 'x'), ('a', "
                         "'2024-01-02 08:02:00', 'y')")
        db.close()
        self.write("queries.sql", test_analyze.QUERIES
                   + "SELECT * FROM Delivery WHERE Who = ? AND At = ? AND Id = ?;\nSELECT * FROM Delivery WHERE "
                     "Who = ?;\n")
        done = self.run_aws("analyze", source, self.uri(), "--queries", "queries.sql", "--prove", "--out", "out")
        self.assertIn("9 of 9 queries were answered alike", done.out)
        self.assertNotIn("no values", done.out)

    def test_order_limit_ranges_and_lists(self):
        test_analyze.make_readings(self.path("readings.db"), 300)
        self.write("queries.sql", test_analyze.READINGS)
        done = self.run_aws("analyze", "readings.db", self.uri(), "--queries", "queries.sql", "--prove", "--out", "out",
                            code=1)
        for name in re.findall("name: (.*)", test_analyze.READINGS):
            self.assertRegex(done.out, "(?m)^  %s: %s" % (name, OTHERS.get(name, "equal, [123] runs, [1-9]")))

    def test_the_single_table_beside_it(self):
        source = self.analyze("--for", "dynamodb", "--single-table")
        self.run_aws("migrate", "--plan", self.path("out", "transhume.dynamodb-single-table.yaml"), source, self.uri(),
                     "--quiet")
        keys = {tuple(one["AttributeName"] for one in self.client.describe_table(TableName=name)["Table"]["KeySchema"])
                for name in items.tables(self.client) if not name.startswith("_")}
        self.assertEqual(keys, {("PK", "SK")})


OTHERS = {"of nothing": "no values", "of a word": "FAILED"}


class NarrowIntegers(dynamodb_case.DynamodbCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = postgres.for_class(cls)

    def test_parts_of_keys_have_the_digits_of_the_plan(self):
        """Whole numbers of 16, 32 and 64 bits before other parts of a sort key."""
        name = self.source.database()
        for kind in ("smallint", "integer", "bigint"):
            self.source.psql(name,
                             "CREATE TABLE line_%s (place text, part %s, number integer, note text, "
                             "PRIMARY KEY (place, part, number));"
                                   "INSERT INTO line_%s SELECT 'p' || n %% 3, n %% 7 - 2, n, "
                                   "'n' || n FROM generate_series(1, 90) n" % (kind, kind, kind))
        self.write("queries.sql",
                   "".join("SELECT * FROM line_%s WHERE place = ? AND part = ?;\nSELECT * FROM line_%s WHERE place = ? "
                           "AND part > ?;\n"
                           % (kind, kind) for kind in ("smallint", "integer", "bigint")))
        done = self.run_aws("analyze", self.source.uri(name), self.uri(), "--queries", "queries.sql", "--prove",
                            "--out", "out")
        self.assertIn("6 of 6 queries were answered alike", done.out)
        self.assertNotIn(" 0 rows", done.out)


class ForMongodb(Analysis):
    def test_documents(self):
        source = self.analyze("--for", "mongodb", "--queries", "queries.sql")
        self.assertEqual(self.files(), MONGODB)
        design = self.json_of("mongodb_collections.json")
        decisions = {(one["child"], one["parent"]): one for one in design["decisions"]}
        self.assertEqual(decisions["InvoiceLine", "Invoice"]["decision"], "embed")
        self.assertEqual(decisions["Invoice", "Customer"]["decision"], "reference with copied fields")
        self.assertEqual(decisions["PlaylistTrack", "Track"]["decision"], "list of keys")
        for one in design["decisions"]:
            self.assertTrue(one["reason"], one)
        self.run_program("migrate", "--plan", self.path("out", "transhume.mongodb.yaml"), source, "jsonl:docs",
                         "--quiet")
        for collection in design["collections"]:
            documents = documents_of(self.path("docs", collection["name"]))
            self.assertEqual(len(documents), collection["documents"], collection["name"])
            for document in documents:
                self.assert_valid(document, collection["validator"]["$jsonSchema"])
        invoices = {one["_id"]: one for one in documents_of(self.path("docs", "Invoice"))}
        for invoice, lines in rows_of(source, "SELECT InvoiceId, count(*) FROM InvoiceLine GROUP BY 1"):
            self.assertEqual(len(invoices[invoice]["InvoiceLines"]), lines)
        for invoice, name in rows_of(source,
                                     "SELECT InvoiceId, LastName FROM Invoice JOIN Customer USING (CustomerId)"):
            self.assertEqual(invoices[invoice]["Customer_LastName"], name)

    def make_family(self, name, references, orphans):
        """
        Parents, children, grandchildren and a table that joins two, with foreign keys that are guessed by their names
        or declared.
        """
        child, grandchild, left, right = ("REFERENCES %s" % table if references else ""
                                          for table in ("album", "song", "song", "tag"))
        db = sqlite3.connect(self.path(name))
        db.executescript("CREATE TABLE artist (id integer PRIMARY KEY, name text NOT NULL);"
                         "CREATE TABLE album (id integer PRIMARY KEY, _id text, artist_name text, songs text, "
                         "artist_id integer NOT NULL);"
                         "CREATE TABLE song (id integer PRIMARY KEY, album_id integer NOT NULL %s, "
                         "title text NOT NULL);"
                         "CREATE TABLE word (id integer PRIMARY KEY, song_id integer NOT NULL %s, word text NOT NULL);"
                         "CREATE TABLE tag (id integer PRIMARY KEY, tag text NOT NULL);"
                         "CREATE TABLE song_tag (song_id integer NOT NULL %s, tag_id integer NOT NULL %s, "
                         "PRIMARY KEY (song_id, tag_id));"
                         "INSERT INTO artist VALUES (1, 'artist1');"
                         "INSERT INTO album VALUES (1, 'odd1', 'copy1', 'list1', 1), (2, 'odd2', 'copy2', 'list2', 1);"
                         "INSERT INTO song VALUES (1, 1, 'song1'), (2, 1, 'song2'), (3, %d, 'song3');"
                         "INSERT INTO tag VALUES (1, 'tag1'), (2, 'tag2'); INSERT INTO song_tag VALUES (1001, 1), (1, "
                         "2), (2, %d);"
                         % (child, grandchild, left, right, 9 if orphans else 2, 99 if orphans else 1))
        if not orphans:
            db.execute("UPDATE song_tag SET song_id = 3 WHERE song_id = 1001")
        db.executemany("INSERT INTO word VALUES (?, ?, ?)", [(at, 77 if orphans and at == 5 else 1 + at % 3,
                                                              "word%d" % at + 200 * "x") for at in range(1, 7)])
        db.commit()
        db.close()

    def test_no_row_is_lost(self):
        """A row whose parent is not there is in no parent's document, so that nothing is embedded without a proof."""
        self.write("queries.sql",
                   "SELECT id, title FROM song WHERE album_id = 1;\nSELECT word FROM word WHERE song_id = 1;\n"
                                  "SELECT album._id, artist.name FROM album JOIN artist ON artist.id = album.artist_id "
                                  "WHERE album.artist_name = 'x';\n")
        tokens = {"artist1", "odd1", "odd2", "copy1", "copy2", "list1", "list2", "song1", "song2", "song3", "tag1",
                  "tag2", "word1", "word2", "word3", "word4",
                  "word5", "word6"}
        for references in (False, True):
            for orphans in (False, True):
                with self.subTest(references=references, orphans=orphans):
                    name = "family%d%d" % (references, orphans)
                    self.make_family(name + ".db", references, orphans)
                    done = self.run_program("analyze", name + ".db", "--for", "mongodb", "--queries", "queries.sql",
                                            "--out", name)
                    self.run_program("migrate", "--plan", name + "/transhume.mongodb.yaml", name + ".db",
                                     "jsonl:" + name + "-docs", "--quiet")
                    text = json.dumps([documents_of(folder) for folder in glob.glob(self.path(name + "-docs", "*"))])
                    self.assertEqual({token for token in tokens if '"%s' % token in text}, tokens)
                    self.assertEqual(text.count('"song_id"') + text.count('"tag_id"'), 6 + 3 + 3 if orphans else 3)
                    with open(self.path(name, "mongodb_collections.json"), encoding="utf-8") as file:
                        design = json.load(file)
                    decisions = {(one["child"], one["parent"]): one["decision"] for one in design["decisions"]}
                    self.assertEqual(decisions["word", "song"], "reference" if orphans else "embed", decisions)
                    if not orphans:  # six words of 205 bytes in two albums
                        self.assertGreater(next(one["document_bytes"] for one in design["collections"]
                                                if one["name"] == "album"), 600)
                    self.assertEqual("caution: 1 rows of word refer to no row of song" in done.out, orphans, done.out)
                    for collection in design["collections"]:
                        for document in documents_of(self.path(name + "-docs", collection["name"])):
                            self.assert_valid(document, collection["validator"]["$jsonSchema"])

    def assert_valid(self, value, schema):
        """As far as JSON shows it: the fields that are required, and no field that the schema lacks."""
        self.assertEqual([name for name in schema["required"] if name not in value], [])
        self.assertEqual(set(value) - set(schema["properties"]), set())
        for name, inner in schema["properties"].items():
            if inner.get("bsonType") == "array":
                for element in value[name]:
                    self.assert_valid(element, inner["items"])


class Keys(Analysis):
    def test_keys_of_several_fields_stay_apart(self):
        """Texts that hold what separates the parts, and numbers below zero: each row has a key of its own."""
        db = sqlite3.connect(self.path("keys.db"))
        db.executescript("CREATE TABLE pair (a text NOT NULL, b text NOT NULL, PRIMARY KEY (a, b));"
                         "CREATE TABLE trio (a text NOT NULL, ok boolean NOT NULL, n integer NOT NULL, "
                         "b text NOT NULL, PRIMARY KEY (a, ok, n, b));"
                         "CREATE TABLE mixed (d text NOT NULL, f real NOT NULL, PRIMARY KEY (d, f));"
                         "CREATE TABLE list (id integer PRIMARY KEY, who text NOT NULL, tag text NOT NULL, "
                         "n integer NOT NULL);"
                         "INSERT INTO mixed VALUES ('a', 1.5), ('a#', 1.5);")
        numbers = (-2 ** 63, -5, 3, 2 ** 63 - 1)
        pairs = (("c#", "x"), ("c", "#x"), ("c%23", "x"), ("c%", "23x"), ("c", "%23x"), ("c##", ""))
        db.executemany("INSERT INTO pair VALUES (?, ?)", pairs)
        db.executemany("INSERT INTO trio VALUES (?, ?, ?, ?)", [(a, n % 2, n, b) for a, b in pairs for n in numbers])
        db.executemany("INSERT INTO list (who, tag, n) VALUES (?, ?, ?)",
                       [(a, b, n) for a, b in pairs for n in numbers])
        db.commit()
        db.close()
        self.write("queries.sql",
                   "SELECT * FROM pair WHERE a = ? AND b = ?;\nSELECT * FROM trio WHERE a = ? AND ok = ? AND n = ? AND "
                   "b = ?;\n"
                                  "SELECT * FROM mixed WHERE d = ? AND f = ?;\nSELECT * FROM list WHERE who = ? ORDER "
                                  "BY tag, n;\n")
        done = self.run_program("analyze", "keys.db", "--queries", "queries.sql", "--out", "out")
        for told in ("note: mixed: where d holds a #", "note: mixed: two rows have the same _id",
                     "note: list: tag_n_id orders negative values of n backwards"):
            self.assertIn(told, done.out)
        for plan, target in (("transhume.mongodb.yaml", "jsonl:docs"),
                             ("transhume.dynamodb.yaml", "dynamodb-json:items")):
            self.run_program("migrate", "--plan", "out/" + plan, "keys.db", target, "--state", plan + ".state",
                             "--quiet")
        for table, count in (("pair", 6), ("trio", 24), ("mixed", 2)):
            self.assertEqual(len({one["_id"] for one in documents_of(self.path("docs", table))}), count)
        self.assertIn({"_id": "c%2523#x", "a": "c%23", "b": "x"}, documents_of(self.path("docs", "pair")))
        plan = self.text_of("transhume.dynamodb.yaml")
        self.assertIn("""replace(replace(\\"tag\\", '%', '%25'), '#', '%23') || '#' || iif(""", plan)


class ForCassandra(Analysis):
    def test_astra_says_the_same_tables(self):
        self.analyze("--for", "cassandra")
        self.assertEqual(self.files(), CASSANDRA)
        bodies = [one["createTable"] for one in self.json_of("astra_create_tables.json")]
        statements = re.findall(r"CREATE TABLE IF NOT EXISTS (\S+) \((.*?)\n\)", self.text_of("astra.cql"), re.DOTALL)
        self.assertEqual([body["name"] for body in bodies], [name.strip('"') for name, _ in statements])
        for body, (_, columns) in zip(bodies, statements):
            found = re.findall(r'^    ("?)(\w+)\1 ([a-z]+)', columns, re.MULTILINE)
            self.assertEqual(body["definition"]["columns"], {name: kind for _, name, kind in found})
            key = body["definition"]["primaryKey"]
            self.assertLessEqual(set(key["partitionBy"]) | set(key["partitionSort"]),
                                 set(body["definition"]["columns"]))
        duplicates = self.text_of("duplicates.md")
        for word in ("logged batch", "BEGIN BATCH", "APPLY BATCH", "CREATE MATERIALIZED VIEW"):
            self.assertIn(word, duplicates)

    def test_all_targets_unless_one_is_named(self):
        self.analyze()
        self.assertEqual(self.files(), sorted(CASSANDRA + DYNAMODB + MONGODB))


class OnCassandra(Analysis):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def test_a_server_takes_the_cql_and_the_batches(self):
        keyspace = self.server.database()
        self.analyze("--for", "cassandra")
        statements = re.sub(r"^--.*$", "", self.text_of("astra.cql"), flags=re.MULTILINE).split(";")
        for statement in filter(str.strip, statements):
            self.server.ask(keyspace, statement)
        found = self.server.ask(keyspace, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = '%s'"
                                % keyspace)
        self.assertEqual(len(list(found)), len(self.json_of("astra_create_tables.json")))
