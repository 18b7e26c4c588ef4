"""What examples/chinook/transhume.yaml must make of a music shop, computed with SQL and Python alone."""
import decimal
import sqlite3

PAGE_SIZE = 100


def number(value):
    """The exact digits of a number, as DynamoDB keeps them."""
    digits = decimal.Decimal(repr(value) if isinstance(value, float) else value)
    text = format(digits, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return {"N": "0" if text in ("-0", "") else text}


def typed(value):
    if isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, list):
        return {"L": [typed(item) for item in value]}
    if isinstance(value, dict):
        return {"M": item_of(value)}
    return {"S": value}


def item_of(fields):
    return {name: typed(value) for name, value in fields.items() if value is not None}


def joined(prefix, *parts):
    """A template: nothing if one of its parts is null."""
    return None if any(part is None for part in parts) else prefix + "#".join(map(str, parts))


class Expectation:
    def __init__(self, path):
        self.db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.db.row_factory = sqlite3.Row

    def rows(self, sql, *parameters):
        return [dict(row) for row in self.db.execute(sql, parameters)]

    def value(self, sql, *parameters):
        row = self.db.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def exact_sum(self, sql, *parameters):
        return sum((decimal.Decimal(repr(row[0])) for row in self.db.execute(sql, parameters)
                    if row[0] is not None), decimal.Decimal(0))

    def tables(self):
        return {
            "chinook-music-catalog": self.artists() + self.albums() + self.tracks(),
            "chinook-customer-orders": self.customers() + self.orders(),
            "chinook-playlists": self.playlists(),
            "chinook-employee-management": self.employees(),
        }

    def artists(self):
        return [item_of({
            "PK": "ARTIST#%d" % row["ArtistId"], "SK": "METADATA", "EntityType": "Artist", **row,
            "AlbumCount": self.value("SELECT count(*) FROM Album WHERE ArtistId = ?", row["ArtistId"]),
            "TrackCount": self.value("SELECT count(*) FROM Album JOIN Track USING (AlbumId) WHERE ArtistId = ?",
                                     row["ArtistId"]),
            "GSI1PK": joined("ARTIST_NAME#", row["Name"]), "GSI1SK": "ARTIST#%d" % row["ArtistId"],
        }) for row in self.rows("SELECT * FROM Artist")]

    def albums(self):
        return [item_of({
            "PK": "ARTIST#%d" % row["ArtistId"], "SK": "ALBUM#%d" % row["AlbumId"], "EntityType": "Album", **row,
            "ArtistName": self.value("SELECT Name FROM Artist WHERE ArtistId = ?", row["ArtistId"]),
            "TrackCount": self.value("SELECT count(*) FROM Track WHERE AlbumId = ?", row["AlbumId"]),
            "GSI1PK": "ALBUM_TITLE#%s" % row["Title"], "GSI1SK": "ALBUM#%d" % row["AlbumId"],
        }) for row in self.rows("SELECT * FROM Album")]

    def tracks(self):
        rows = self.rows("""
            SELECT t.*, al.Title AS AlbumTitle, al.ArtistId, ar.Name AS ArtistName, g.Name AS GenreName,
                   m.Name AS MediaTypeName
            FROM Track t LEFT JOIN Album al ON al.AlbumId = t.AlbumId
            LEFT JOIN Artist ar ON ar.ArtistId = al.ArtistId LEFT JOIN Genre g ON g.GenreId = t.GenreId
            LEFT JOIN MediaType m ON m.MediaTypeId = t.MediaTypeId""")
        return [item_of({
            "PK": "ALBUM#%d" % row["AlbumId"], "SK": "TRACK#%d" % row["TrackId"], "EntityType": "Track", **row,
            "GSI1PK": "TRACK_NAME#%s" % row["Name"], "GSI1SK": "TRACK#%d" % row["TrackId"],
            "GSI2PK": joined("GENRE#", row["GenreName"]),
        }) for row in rows]

    def customers(self):
        return [item_of({
            "PK": "CUSTOMER#%d" % row["CustomerId"], "SK": "PROFILE", "EntityType": "CustomerProfile", **row,
            "SupportRepName": self.value("SELECT FirstName || ' ' || LastName FROM Employee WHERE EmployeeId = ?",
                                         row["SupportRepId"]),
            "TotalOrders": self.value("SELECT count(*) FROM Invoice WHERE CustomerId = ?", row["CustomerId"]),
            "TotalSpent": self.exact_sum("SELECT Total FROM Invoice WHERE CustomerId = ?", row["CustomerId"]),
            "GSI1PK": "EMAIL#%s" % row["Email"], "GSI1SK": "CUSTOMER#%d" % row["CustomerId"],
        }) for row in self.rows("SELECT * FROM Customer")]

    def orders(self):
        items = []
        for row in self.rows("SELECT * FROM Invoice"):
            lines = self.rows("""
                SELECT l.InvoiceLineId, l.TrackId, t.Name AS TrackName, ar.Name AS ArtistName,
                       al.Title AS AlbumTitle, l.UnitPrice, l.Quantity
                FROM InvoiceLine l LEFT JOIN Track t ON t.TrackId = l.TrackId
                LEFT JOIN Album al ON al.AlbumId = t.AlbumId LEFT JOIN Artist ar ON ar.ArtistId = al.ArtistId
                WHERE l.InvoiceId = ? ORDER BY l.InvoiceLineId""", row["InvoiceId"])
            customer = row.pop("CustomerId")
            items.append(item_of({
                "PK": "CUSTOMER#%d" % customer, "SK": "ORDER#%s#%d" % (row["InvoiceDate"], row["InvoiceId"]),
                "EntityType": "Order", **row, "LineItemCount": len(lines), "LineItems": lines,
            }))
        return items

    def playlists(self):
        items = []
        for row in self.rows("SELECT * FROM Playlist"):
            tracks = self.rows("""
                SELECT p.TrackId, t.Name, t.Milliseconds AS Duration, t.UnitPrice, ar.Name AS ArtistName,
                       al.Title AS AlbumTitle
                FROM PlaylistTrack p LEFT JOIN Track t ON t.TrackId = p.TrackId
                LEFT JOIN Album al ON al.AlbumId = t.AlbumId LEFT JOIN Artist ar ON ar.ArtistId = al.ArtistId
                WHERE p.PlaylistId = ? ORDER BY p.TrackId""", row["PlaylistId"])
            partition = "PLAYLIST#%d" % row["PlaylistId"]
            large = len(tracks) > PAGE_SIZE
            items.append(item_of({
                "PK": partition, "SK": "METADATA", "EntityType": "Playlist", **row, "TrackCount": len(tracks),
                "TotalDuration": sum(track["Duration"] for track in tracks),
                "LargePlaylist": True if large else None, "Tracks": None if large else tracks,
            }))
            pages = range(0, len(tracks), PAGE_SIZE) if large else ()
            items += [item_of({
                "PK": partition, "SK": "TRACKS_PAGE#%d" % (start // PAGE_SIZE + 1),
                "EntityType": "PlaylistTracksPage", "PlaylistId": row["PlaylistId"],
                "Page": start // PAGE_SIZE + 1, "Tracks": tracks[start:start + PAGE_SIZE],
            }) for start in pages]
        return items

    def employees(self):
        return [item_of({
            "PK": "EMPLOYEE#%d" % row["EmployeeId"], "SK": "PROFILE", "EntityType": "Employee", **row,
            "ManagerName": self.value("SELECT FirstName || ' ' || LastName FROM Employee WHERE EmployeeId = ?",
                                      row["ReportsTo"]),
            "CustomerCount": self.value("SELECT count(*) FROM Customer WHERE SupportRepId = ?", row["EmployeeId"]),
        }) for row in self.rows("SELECT * FROM Employee")]
