"""The small ready plans of examples/: what each makes of the sample shop, against SQL and Python of the test's own."""
import decimal
import os
import sqlite3
import subprocess
import unittest

import joins_support
import support
from chinook_expected import item_of

EXAMPLES = os.path.join(support.ROOT, "examples")


class Examples(support.TestCase):
    """Each plan is copied beside a sample `shop.db` and run as it stands, without any flag."""

    def run_example(self, name, prepare=None):
        support.musicshop(self.path("shop.db"))
        if prepare:
            prepare()
        with open(os.path.join(EXAMPLES, name, "transhume.yaml"), encoding="utf-8") as plan:
            self.write("transhume.yaml", plan.read())
        self.run_program("check", "--sample", "1")
        self.run_program("migrate")
        for level in ("count", "sample", "hash", "full"):
            self.run_program("validate", "--level", level)
        db = sqlite3.connect("file:%s?mode=ro" % self.path("shop.db"), uri=True)
        self.addCleanup(db.close)
        db.row_factory = sqlite3.Row
        return db

    def assert_items(self, table, expected, *key):
        found = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(support.dynamodb_differences({table: list(map(item_of, expected))}, found), [])
        support.items_by_key(found[table], *key)

    def test_plain_sqlite_copy(self):
        self.run_example("plain-sqlite-copy")
        subprocess.run(["cp", self.path("shop.db"), self.path("expected.db")], check=True)
        db = sqlite3.connect(self.path("expected.db"))
        db.executescript("PRAGMA foreign_keys = OFF; DROP TABLE PlaylistTrack; DROP TABLE Playlist;")
        db.close()
        self.assert_same_sqlite(self.path("expected.db"), self.path("copy.db"))
        counts = support.sqlite_counts(self.path("copy.db"))
        self.assertEqual((len(counts), counts["Track"], counts["InvoiceLine"]), (9, 3500, 2275))

    def test_merge(self):
        """
        The shop joins another one, which has the same keys: each of its records is there again, with partners of its
        own.
        """
        db = self.run_example("merge", lambda: subprocess.run(["cp", self.path("shop.db"), self.path("merged.db")],
                                                              check=True))
        merged = sqlite3.connect(self.path("merged.db"))
        self.addCleanup(merged.close)
        before, after = support.sqlite_counts(self.path("shop.db")), support.sqlite_counts(self.path("merged.db"))
        shared = ("Genre", "MediaType")
        self.assertEqual({table: after[table] for table in before},
                         {table: count * (1 if table in shared else 2) for table, count in before.items()})
        for sql in ("SELECT l.Quantity, i.InvoiceDate, c.Email, t.Name, a.Title, r.Name, "
                    "g.Name FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) "
                    "JOIN Customer c USING (CustomerId) JOIN Track t USING (TrackId) LEFT JOIN Album a USING (AlbumId) "
                    "LEFT JOIN Artist r USING (ArtistId) LEFT JOIN Genre g USING (GenreId)",
                    "SELECT e.LastName, b.LastName FROM Employee e LEFT JOIN Employee b ON b.EmployeeId = e.ReportsTo",
                    "SELECT p.Name, t.Name FROM PlaylistTrack JOIN Playlist p USING (PlaylistId) JOIN Track t USING "
                    "(TrackId)"):
            self.assertEqual(sorted(2 * list(map(repr, map(tuple, db.execute(sql))))),
                             sorted(map(repr, map(tuple, merged.execute(sql)))))
        self.assertEqual(merged.execute("PRAGMA foreign_key_check").fetchall(), [])

    def test_orders_embedded(self):
        db = self.run_example("orders-embedded")
        expected = []
        for row in db.execute("SELECT * FROM Customer"):
            totals = [decimal.Decimal(repr(total)) for (total,) in db.execute(
                "SELECT Total FROM Invoice WHERE CustomerId = ?", (row["CustomerId"],))]
            expected.append({
                "PK": "CUSTOMER#%d" % row["CustomerId"], "SK": "PROFILE",
                "Name": row["FirstName"] + " " + row["LastName"], "Email": row["Email"],
                "Country": row["Country"], "Orders": len(totals), "Spent": sum(totals, decimal.Decimal(0))})
        for row in db.execute("SELECT * FROM Invoice"):
            lines = db.execute(
                "SELECT t.Name AS Track, r.Name AS Artist, l.UnitPrice AS Price, l.Quantity AS Quantity "
                "FROM InvoiceLine l JOIN Track t USING (TrackId) LEFT JOIN Album a USING (AlbumId) "
                "LEFT JOIN Artist r USING (ArtistId) WHERE l.InvoiceId = ? ORDER BY l.InvoiceLineId",
                (row["InvoiceId"],))
            expected.append({
                "PK": "CUSTOMER#%d" % row["CustomerId"], "SK": "ORDER#%08d" % row["InvoiceId"],
                "Date": row["InvoiceDate"], "Total": row["Total"], "Lines": list(map(dict, lines))})
        self.assertEqual(len(expected), 480)
        self.assert_items("orders", expected, "PK", "SK")

    def test_orders_from_csv(self):
        db = self.run_example("orders-from-csv", lambda: joins_support.export_by_hand(
            self.path("shop.db"), self.path("shop"), joins_support.write_csv))
        expected = []
        for row in db.execute("SELECT * FROM Customer"):
            totals = [decimal.Decimal(repr(total)) for (total,) in db.execute(
                "SELECT Total FROM Invoice WHERE CustomerId = ?", (row["CustomerId"],))]
            expected.append({
                "PK": "CUSTOMER#%d" % row["CustomerId"], "SK": "PROFILE",
                "Name": row["FirstName"] + " " + row["LastName"],
                "Orders": len(totals), "Spent": sum(totals, decimal.Decimal(0))})
        for row in db.execute("SELECT * FROM Invoice"):
            expected.append({
                "PK": "CUSTOMER#%d" % row["CustomerId"], "SK": "ORDER#%08d" % row["InvoiceId"], "Total": row["Total"],
                "Lines": list(map(dict, db.execute(
                    "SELECT t.Name AS Track, r.Name AS Artist, l.UnitPrice AS Price, l.Quantity AS Quantity "
                    "FROM InvoiceLine l JOIN Track t USING (TrackId) LEFT JOIN Album a USING (AlbumId) "
                    "LEFT JOIN Artist r USING (ArtistId) WHERE l.InvoiceId = ? ORDER BY l.InvoiceLineId",
                    (row["InvoiceId"],))))})
        self.assertEqual(len(expected), 480)
        self.assert_items("orders", expected, "PK", "SK")

    def test_pages(self):
        db = self.run_example("pages")
        expected = []
        longest = 0
        for row in db.execute("SELECT * FROM Playlist"):
            key = "PLAYLIST#%d" % row["PlaylistId"]
            tracks = list(map(dict, db.execute(
                "SELECT TrackId, Name FROM PlaylistTrack JOIN Track USING (TrackId) WHERE PlaylistId = ? "
                "ORDER BY TrackId", (row["PlaylistId"],))))
            longest = max(longest, len(tracks))
            expected.append({"PK": key, "SK": "INFO", "Name": row["Name"], "TrackCount": len(tracks),
                             "Tracks": tracks if len(tracks) <= 50 else None})
            for page in range(1, (len(tracks) + 49) // 50 + 1 if len(tracks) > 50 else 1):
                expected.append({"PK": key, "SK": "PAGE#%04d" % page, "Page": page,
                                 "Tracks": tracks[(page - 1) * 50:page * 50]})
        self.assertEqual((len(expected), longest), (196, 3300))
        self.assert_items("playlists", expected, "PK", "SK")

    def test_query(self):
        db = self.run_example("query")
        lines = {}
        for country, genre, quantity in db.execute(
                "SELECT BillingCountry, Genre.Name, Quantity FROM InvoiceLine JOIN Invoice USING (InvoiceId) "
                "JOIN Track USING (TrackId) JOIN Genre USING (GenreId)"):
            lines.setdefault((country, genre), []).append(quantity)
        expected = [{"Country": country, "Genre": genre, "Lines": len(pieces), "Pieces": sum(pieces)}
                    for (country, genre), pieces in lines.items() if country is not None]
        self.assertEqual(len(expected), 400)
        self.assert_items("sales-by-genre", expected, "Country", "Genre")

    def test_rename_and_filter(self):
        db = self.run_example("rename-and-filter")
        copy = sqlite3.connect("file:%s?mode=ro" % self.path("usa.db"), uri=True)
        self.addCleanup(copy.close)
        customers = [tuple(row) for row in db.execute(
            "SELECT CustomerId, FirstName || ' ' || LastName, Email, (SELECT FirstName || ' ' || LastName "
            "FROM Employee WHERE EmployeeId = SupportRepId), coalesce(round((SELECT sum(Total) FROM Invoice "
            "WHERE Invoice.CustomerId = Customer.CustomerId), 2), 0) FROM Customer WHERE Country = 'USA' ORDER BY 1")]
        invoices = [tuple(row) for row in db.execute(
            "SELECT InvoiceId, CustomerId, substr(InvoiceDate, 1, 10), Total FROM Invoice "
            "WHERE BillingCountry = 'USA' ORDER BY 1")]
        self.assertEqual((len(customers), len(invoices)), (7, 36))
        self.assertEqual(copy.execute("SELECT * FROM customer ORDER BY id").fetchall(), customers)
        self.assertEqual(copy.execute("SELECT * FROM invoice ORDER BY id").fetchall(), invoices)
        self.assertEqual(copy.execute("SELECT * FROM Genre ORDER BY 1").fetchall(),
                         list(map(tuple, db.execute("SELECT * FROM Genre ORDER BY 1"))))
        self.assertEqual(copy.execute("SELECT sql FROM sqlite_schema WHERE name = 'Genre'").fetchone(),
                         tuple(db.execute("SELECT sql FROM sqlite_schema WHERE name = 'Genre'").fetchone()))
        self.assertEqual(copy.execute("SELECT \"table\", \"from\", \"to\" FROM pragma_foreign_key_list('invoice')")
                         .fetchall(), [("customer", "customer_id", "id")])
        self.assertEqual(copy.execute("SELECT name FROM pragma_index_info('invoice_by_customer')").fetchall(),
                         [("customer_id",), ("billed_on",)])

    def test_split_merge_junction(self):
        db = self.run_example("split-merge-junction")
        copy = sqlite3.connect("file:%s?mode=ro" % self.path("people.db"), uri=True)
        self.addCleanup(copy.close)
        for table, sql in (
                ("customer", "SELECT CustomerId, FirstName || ' ' || LastName, Country FROM Customer"),
                ("contact",
                 "SELECT CustomerId, Email, Phone FROM Customer WHERE Email IS NOT NULL OR Phone IS NOT NULL"),
                ("person",
                 "SELECT 'customer', CustomerId, FirstName || ' ' || LastName, Email, NULL FROM Customer UNION ALL "
                           "SELECT 'employee', EmployeeId, FirstName || ' ' || LastName, NULL, Title FROM Employee"),
                ("customer_genre",
                 "SELECT DISTINCT CustomerId, GenreId FROM InvoiceLine JOIN Invoice USING (InvoiceId) JOIN Track USING "
                 "(TrackId) WHERE GenreId IS NOT NULL")):
            expected = sorted(map(tuple, db.execute(sql)))
            self.assertGreater(len(expected), 10)
            self.assertEqual(sorted(copy.execute("SELECT * FROM " + table)), expected, table)
        self.assertEqual(
            copy.execute("SELECT \"table\", \"from\", \"to\" FROM pragma_foreign_key_list('contact')").fetchall(),
                         [("customer", "customer_id", "id")])

    def test_each_example_is_listed_and_has_a_test(self):
        names = {name for name in os.listdir(EXAMPLES) if os.path.isdir(os.path.join(EXAMPLES, name))}
        names -= {"migrations", "service"}   # test_schema_examples.py, test_services.py
        with open(os.path.join(EXAMPLES, "README.md"), encoding="utf-8") as page:
            text = page.read()
        for name in sorted(names):
            self.assertIn("[%s](%s/transhume.yaml)" % (name, name), text)
            with open(os.path.join(EXAMPLES, name, "transhume.yaml"), encoding="utf-8") as plan:
                self.assertTrue(plan.readline().startswith("# "), name)
            if name not in ("chinook", "chinook-redis", "chinook-opensearch", "chinook-mongodb",
                            "steps-postgres-mongodb",
                            "invoices-parquet"):  # test_chinook, _redis, _opensearch, _mongodb, _parquet
                self.assertTrue(hasattr(self, "test_" + name.replace("-", "_")), name)


if __name__ == "__main__":
    unittest.main()
