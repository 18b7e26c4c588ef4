"""
Vaultwarden: from its SQLite file into the PostgreSQL tables that its migrations have made, and whose log of migrations
has rows.
"""
import json
import re
import sqlite3
import unittest
import uuid

import move

SOURCE = """
CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE attachments (id TEXT NOT NULL PRIMARY KEY, cipher_uuid TEXT NOT NULL REFERENCES ciphers (uuid), file_name TEXT NOT NULL, file_size INTEGER NOT NULL, akey TEXT);
CREATE TABLE ciphers (uuid TEXT NOT NULL PRIMARY KEY, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, user_uuid TEXT REFERENCES users (uuid), organization_uuid TEXT REFERENCES organizations (uuid), atype INTEGER NOT NULL, name TEXT NOT NULL, notes TEXT, fields TEXT, data TEXT NOT NULL, password_history TEXT, deleted_at DATETIME, reprompt INTEGER, "key" TEXT);
CREATE TABLE ciphers_collections (cipher_uuid TEXT NOT NULL REFERENCES ciphers (uuid), collection_uuid TEXT NOT NULL REFERENCES collections (uuid), PRIMARY KEY (cipher_uuid, collection_uuid));
CREATE TABLE collections (uuid TEXT NOT NULL PRIMARY KEY, org_uuid TEXT NOT NULL REFERENCES organizations (uuid), name TEXT NOT NULL, external_id TEXT);
CREATE TABLE devices (uuid TEXT NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, user_uuid TEXT NOT NULL REFERENCES users (uuid), name TEXT NOT NULL, atype INTEGER NOT NULL, push_token TEXT, refresh_token TEXT NOT NULL, twofactor_remember TEXT, PRIMARY KEY (uuid, user_uuid));
CREATE TABLE event (uuid TEXT NOT NULL PRIMARY KEY, event_type INTEGER NOT NULL, user_uuid TEXT, org_uuid TEXT, event_date DATETIME NOT NULL, ip_address TEXT);
CREATE TABLE favorites (user_uuid TEXT NOT NULL REFERENCES users (uuid), cipher_uuid TEXT NOT NULL REFERENCES ciphers (uuid), PRIMARY KEY (user_uuid, cipher_uuid));
CREATE TABLE folders (uuid TEXT NOT NULL PRIMARY KEY, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, user_uuid TEXT NOT NULL REFERENCES users (uuid), name TEXT NOT NULL);
CREATE TABLE folders_ciphers (cipher_uuid TEXT NOT NULL REFERENCES ciphers (uuid), folder_uuid TEXT NOT NULL REFERENCES folders (uuid), PRIMARY KEY (cipher_uuid, folder_uuid));
CREATE TABLE invitations (email TEXT NOT NULL PRIMARY KEY);
CREATE TABLE organizations (uuid TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, billing_email TEXT NOT NULL, private_key TEXT, public_key TEXT);
CREATE TABLE org_policies (uuid TEXT NOT NULL PRIMARY KEY, org_uuid TEXT NOT NULL REFERENCES organizations (uuid), atype INTEGER NOT NULL, enabled BOOLEAN NOT NULL, data TEXT NOT NULL, UNIQUE (org_uuid, atype));
CREATE TABLE sends (uuid TEXT NOT NULL PRIMARY KEY, user_uuid TEXT REFERENCES users (uuid), organization_uuid TEXT REFERENCES organizations (uuid), name TEXT NOT NULL, data TEXT NOT NULL, akey TEXT NOT NULL, password_hash BLOB, password_iter INTEGER, max_access_count INTEGER, access_count INTEGER NOT NULL, creation_date DATETIME NOT NULL, expiration_date DATETIME, deletion_date DATETIME NOT NULL, disabled BOOLEAN NOT NULL, hide_email BOOLEAN);
CREATE TABLE twofactor (uuid TEXT NOT NULL PRIMARY KEY, user_uuid TEXT NOT NULL REFERENCES users (uuid), atype INTEGER NOT NULL, enabled BOOLEAN NOT NULL, data TEXT NOT NULL, last_used INTEGER NOT NULL DEFAULT 0, UNIQUE (user_uuid, atype));
CREATE TABLE users (uuid TEXT NOT NULL PRIMARY KEY, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password_hash BLOB NOT NULL, salt BLOB NOT NULL, password_iterations INTEGER NOT NULL, password_hint TEXT, akey TEXT NOT NULL, private_key TEXT, public_key TEXT, totp_secret TEXT, totp_recover TEXT, security_stamp TEXT NOT NULL, equivalent_domains TEXT NOT NULL, excluded_globals TEXT NOT NULL, client_kdf_type INTEGER NOT NULL DEFAULT 0, verified_at DATETIME DEFAULT NULL, last_verifying_at DATETIME DEFAULT NULL, enabled BOOLEAN NOT NULL DEFAULT 1, avatar_color TEXT);
CREATE TABLE users_organizations (uuid TEXT NOT NULL PRIMARY KEY, user_uuid TEXT NOT NULL REFERENCES users (uuid), org_uuid TEXT NOT NULL REFERENCES organizations (uuid), access_all BOOLEAN NOT NULL, akey TEXT NOT NULL, status INTEGER NOT NULL, atype INTEGER NOT NULL, UNIQUE (user_uuid, org_uuid));
"""

TARGET = """
CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO __diesel_schema_migrations VALUES ('20190912100000', '2024-06-01 10:00:00.5'), ('20240912091351', '2024-06-01 10:00:01');
CREATE TABLE attachments (id VARCHAR(36) NOT NULL PRIMARY KEY, cipher_uuid CHAR(36) NOT NULL, file_name TEXT NOT NULL, file_size BIGINT NOT NULL, akey TEXT);
CREATE TABLE ciphers_collections (cipher_uuid CHAR(36) NOT NULL, collection_uuid VARCHAR(40) NOT NULL, PRIMARY KEY (cipher_uuid, collection_uuid));
CREATE TABLE favorites (user_uuid VARCHAR(40) NOT NULL, cipher_uuid VARCHAR(40) NOT NULL, PRIMARY KEY (user_uuid, cipher_uuid));
CREATE TABLE folders_ciphers (cipher_uuid CHAR(36) NOT NULL, folder_uuid CHAR(36) NOT NULL, PRIMARY KEY (cipher_uuid, folder_uuid));
CREATE TABLE users (uuid CHAR(36) NOT NULL PRIMARY KEY, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL, email VARCHAR(255) NOT NULL UNIQUE, name TEXT NOT NULL, password_hash BYTEA NOT NULL, salt BYTEA NOT NULL, password_iterations INTEGER NOT NULL CHECK (password_iterations > 0), password_hint TEXT, akey TEXT NOT NULL, private_key TEXT, public_key TEXT, totp_secret TEXT, totp_recover TEXT, security_stamp TEXT NOT NULL, equivalent_domains TEXT NOT NULL, excluded_globals TEXT NOT NULL, client_kdf_type INTEGER NOT NULL DEFAULT 0, verified_at TIMESTAMP DEFAULT NULL, last_verifying_at TIMESTAMP DEFAULT NULL, enabled BOOLEAN NOT NULL DEFAULT true, avatar_color VARCHAR(7), api_key VARCHAR(255), external_id TEXT);
CREATE TABLE organizations (uuid VARCHAR(40) NOT NULL PRIMARY KEY, name TEXT NOT NULL, billing_email TEXT NOT NULL, private_key TEXT, public_key TEXT);
CREATE TABLE ciphers (uuid CHAR(36) NOT NULL PRIMARY KEY, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL, user_uuid CHAR(36) REFERENCES users (uuid), organization_uuid VARCHAR(40) REFERENCES organizations (uuid), atype INTEGER NOT NULL, name TEXT NOT NULL, notes TEXT, fields TEXT, data TEXT NOT NULL, password_history TEXT, deleted_at TIMESTAMP, reprompt INTEGER, key TEXT);
CREATE TABLE collections (uuid VARCHAR(40) NOT NULL PRIMARY KEY, org_uuid VARCHAR(40) NOT NULL REFERENCES organizations (uuid), name TEXT NOT NULL, external_id TEXT);
CREATE TABLE devices (uuid CHAR(36) NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL, user_uuid CHAR(36) NOT NULL REFERENCES users (uuid), name TEXT NOT NULL, atype INTEGER NOT NULL, push_token TEXT, refresh_token TEXT NOT NULL, twofactor_remember TEXT, PRIMARY KEY (uuid, user_uuid));
CREATE TABLE event (uuid CHAR(36) NOT NULL PRIMARY KEY, event_type INTEGER NOT NULL, user_uuid CHAR(36), org_uuid CHAR(36), event_date TIMESTAMP NOT NULL, ip_address TEXT, UNIQUE (uuid));
CREATE TABLE folders (uuid CHAR(36) NOT NULL PRIMARY KEY, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL, user_uuid CHAR(36) NOT NULL REFERENCES users (uuid), name TEXT NOT NULL);
CREATE TABLE invitations (email VARCHAR(255) NOT NULL PRIMARY KEY);
CREATE TABLE org_policies (uuid CHAR(36) NOT NULL PRIMARY KEY, org_uuid VARCHAR(40) NOT NULL REFERENCES organizations (uuid), atype INTEGER NOT NULL, enabled BOOLEAN NOT NULL, data JSONB NOT NULL, UNIQUE (org_uuid, atype));
CREATE TABLE sends (uuid CHAR(36) NOT NULL PRIMARY KEY, user_uuid CHAR(36) REFERENCES users (uuid), organization_uuid VARCHAR(40) REFERENCES organizations (uuid), name TEXT NOT NULL, data TEXT NOT NULL, akey TEXT NOT NULL, password_hash BYTEA, password_iter INTEGER, max_access_count INTEGER, access_count INTEGER NOT NULL, creation_date TIMESTAMP NOT NULL, expiration_date TIMESTAMP, deletion_date TIMESTAMP NOT NULL, disabled BOOLEAN NOT NULL, hide_email BOOLEAN);
CREATE TABLE twofactor (uuid CHAR(36) NOT NULL PRIMARY KEY, user_uuid CHAR(36) NOT NULL REFERENCES users (uuid), atype INTEGER NOT NULL, enabled BOOLEAN NOT NULL, data TEXT NOT NULL, last_used BIGINT NOT NULL DEFAULT 0, UNIQUE (user_uuid, atype));
CREATE TABLE users_organizations (uuid CHAR(36) NOT NULL PRIMARY KEY, user_uuid CHAR(36) NOT NULL REFERENCES users (uuid), org_uuid VARCHAR(40) NOT NULL REFERENCES organizations (uuid), access_all BOOLEAN NOT NULL DEFAULT false, akey TEXT NOT NULL, status INTEGER NOT NULL, atype INTEGER NOT NULL, UNIQUE (user_uuid, org_uuid));
ALTER TABLE attachments ADD FOREIGN KEY (cipher_uuid) REFERENCES ciphers (uuid);
ALTER TABLE ciphers_collections ADD FOREIGN KEY (cipher_uuid) REFERENCES ciphers (uuid), ADD FOREIGN KEY (collection_uuid) REFERENCES collections (uuid);
ALTER TABLE favorites ADD FOREIGN KEY (user_uuid) REFERENCES users (uuid), ADD FOREIGN KEY (cipher_uuid) REFERENCES ciphers (uuid);
ALTER TABLE folders_ciphers ADD FOREIGN KEY (cipher_uuid) REFERENCES ciphers (uuid), ADD FOREIGN KEY (folder_uuid) REFERENCES folders (uuid);
"""

USERS, CIPHERS = 40, 1200
ORPHANS = re.compile("(\\w+): .* would be rejected: (\\w+) refers to no record of (\\w+)")


def key(kind, number):
    return str(uuid.UUID(int=(kind << 96) | number))


USER, CIPHER, FOLDER, ORGANIZATION, COLLECTION, OTHER = range(1, 7)
# Digits of a second as chrono writes them: none, three, six or nine.
TIMES = ("2023-04-05 10:20:30.123456789", "2023-04-05 10:20:30", "2023-04-05 10:20:30.123",
         "2024-02-29 23:59:59.999999999", "2023-04-05 10:20:30.123456")
ROUNDED = ("2023-04-05 10:20:30.123457", "2023-04-05 10:20:30", "2023-04-05 10:20:30.123", "2024-03-01 00:00:00",
           "2023-04-05 10:20:30.123456")
LOGIN = json.dumps({"uris": [{"uri": "2.abc|\u00e9", "match": None}], "username": "2.x|y|z=="}, ensure_ascii=False)


def time(number):
    return TIMES[number % len(TIMES)]


def fill(db):
    many = db.executemany
    many("INSERT INTO __diesel_schema_migrations VALUES (?, ?)",
         [("2018%010d" % n, "2020-01-01 00:00:00") for n in range(45)])
    many("INSERT INTO users (uuid, created_at, updated_at, email, name, password_hash, salt, password_iterations, "
         "password_hint, akey, security_stamp, equivalent_domains, "
         "excluded_globals, verified_at, enabled, avatar_color) VALUES (?, ?, ?, ?, ?, ?, ?, 600000, ?, '2.a|b', ?, ?, "
         "'[1,2]', ?, ?, ?)",
         [(key(USER, n), time(n), time(n + 1), "u%d@example.org" % n, "Zoë \U0001f511" if n == 3 else "User %d" % n,
           bytes(range(n, n + 32)), b"\x00\xff\x80" if n % 2 else b"",
           None if n % 3 else "", key(OTHER, n), '[["a.example","b.example"]]' if n % 5 else "[]",
           time(n) if n % 4 else None, n % 7 != 0, "#ff00%02x" % n if n % 2 else None)
          for n in range(1, USERS + 1)])
    many("INSERT INTO organizations VALUES (?, ?, ?, NULL, '')",
         [(key(ORGANIZATION, n), "Org %d" % n, "b@example.org") for n in (1, 2)])
    many("INSERT INTO users_organizations VALUES (?, ?, ?, ?, '', 2, 0)",
         [(key(OTHER, 500 + n), key(USER, n), key(ORGANIZATION, n % 2 + 1), n % 2) for n in range(1, 20)])
    many("INSERT INTO ciphers VALUES (?, ?, ?, ?, ?, ?, '2.n', ?, ?, ?, ?, ?, ?, ?)",
         [(key(CIPHER, n), time(n), time(n + 2), key(USER, n % USERS + 1) if n % 10 else None,
           None if n % 10 else key(ORGANIZATION, 1), n % 4 + 1, None if n % 3 else "notes\n\u2028",
           "[]" if n % 2 else None, LOGIN if n % 2 else "{}",
           '[{"lastUsedDate":"2023-04-05T10:20:30.123Z","password":"2.p"}]' if n % 9 == 0 else None,
           time(n) if n % 11 == 0 else None, n % 2 if n % 5 == 0 else None, None) for n in range(1, CIPHERS + 1)])
    many("INSERT INTO folders VALUES (?, ?, ?, ?, '2.f')", [(key(FOLDER, n), time(n), time(n), key(USER, n))
                                                            for n in range(1, USERS + 1)])
    many("INSERT INTO folders_ciphers VALUES (?, ?)", [(key(CIPHER, n), key(FOLDER, n % USERS + 1))
                                                       for n in range(1, 300)])
    many("INSERT INTO favorites VALUES (?, ?)", [(key(USER, n % USERS + 1), key(CIPHER, n)) for n in range(1, 200)])
    # of ciphers and users that were deleted while nobody watched over foreign keys
    many("INSERT INTO favorites VALUES (?, ?)", [(key(USER, 1), key(CIPHER, 90001)),
                                                 (key(USER, 90002), key(CIPHER, 1))])
    many("INSERT INTO folders_ciphers VALUES (?, ?)", [(key(CIPHER, 90003), key(FOLDER, 1))])
    many("INSERT INTO collections VALUES (?, ?, '2.c', ?)", [(key(COLLECTION, n), key(ORGANIZATION, 1),
                                                              None if n % 2 else "ext") for n in range(1, 6)])
    many("INSERT INTO ciphers_collections VALUES (?, ?)", [(key(CIPHER, n), key(COLLECTION, n % 5 + 1))
                                                           for n in range(10, 400, 10)])
    many("INSERT INTO attachments VALUES (?, ?, ?, ?, NULL)", [("%020x" % n, key(CIPHER, n), "2.file", n << 33)
                                                               for n in range(1, 10)])
    many("INSERT INTO devices VALUES (?, ?, ?, ?, 'firefox', ?, NULL, 'token', NULL)",
         [(key(OTHER, 900 + n % 9), time(n), time(n), key(USER, n), n % 15) for n in range(1, USERS + 1)])
    many("INSERT INTO event VALUES (?, 1000, ?, NULL, ?, '127.0.0.1')",
         [(key(OTHER, 2000 + n), key(USER, 1), time(n)) for n in range(1, 1500)])
    many("INSERT INTO invitations VALUES (?)", [("Guest@Example.org",), ("gu\u00e9st@example.org",)])
    many("INSERT INTO org_policies VALUES (?, ?, ?, ?, ?)", [(key(OTHER, 40 + n), key(ORGANIZATION, 1), n, n % 2,
                                                              '{"minComplexity":%d,"capitalize":true}' % n if n
                                                              else "null") for n in range(3)])
    many("INSERT INTO sends VALUES (?, ?, NULL, 's', '{}', 'k', ?, NULL, NULL, 0, ?, ?, ?, ?, ?)",
         [(key(OTHER, 70 + n), key(USER, n), b"\x01\x02" if n % 2 else None, time(n), None, time(n), n % 2,
           (None, 0, 1)[n % 3]) for n in range(1, 10)])
    many("INSERT INTO twofactor VALUES (?, ?, 0, ?, 'JBSWY3DPEHPK3PXP', ?)",
         [(key(OTHER, 300 + n), key(USER, n), n % 2, 1714980000 + n) for n in range(1, 6)])


class Vaultwarden(move.Move):
    def source_file(self):
        path = self.path("db.sqlite3")
        db = sqlite3.connect(path)
        with db:
            db.executescript(SOURCE)
            fill(db)
        return path, db

    def test_from_its_sqlite_file(self):
        path, db = self.source_file()
        self.addCleanup(db.close)
        self.file = db
        self.begin(path, TARGET)
        told = "\n".join(self.follow())
        for words in ("__diesel_schema_migrations: there are records", "created_at", "lossy: allow",
                      "favorites: 1 of the first 201 records would be rejected: cipher_uuid refers to no record of "
                      "ciphers (the first: ",
                      "favorites: 1 of the first 201 records would be rejected: user_uuid refers to no record of users",
                      "folders_ciphers: 1 of the first 300 records"):
            self.assertIn(words, told)
        self.migrate()
        self.assertEqual(self.ask("SELECT * FROM __diesel_schema_migrations ORDER BY 1"),
                         [["20190912100000", "2024-06-01 10:00:00.5"], ["20240912091351", "2024-06-01 10:00:01"]])
        self.look_at_values(db)
        self.go_on()

    def take(self, line):
        """What check says of orphaned rows is done in the source."""
        orphans = ORPHANS.match(line)
        if not orphans:
            return super().take(line)
        table, column, parent = orphans.groups()
        with self.file:
            return self.file.execute("DELETE FROM %s WHERE %s NOT IN (SELECT uuid FROM %s)" % (table, column,
                parent)).rowcount > 0

    def look_at_values(self, db):
        for table in ("attachments", "ciphers", "ciphers_collections", "collections", "devices", "event", "favorites",
                      "folders", "folders_ciphers", "organizations", "sends",
                      "twofactor", "users", "users_organizations", "invitations"):
            (count,), = db.execute("SELECT count(*) FROM %s" % table)
            self.assertEqual(self.value("SELECT count(*) FROM %s" % table), str(count), table)
        self.assertEqual(self.ask("SELECT uuid, created_at, updated_at, email, name, encode(password_hash, 'hex'), "
                                  "encode(salt, 'hex'), password_hint, equivalent_domains, verified_at, enabled, "
                                  "avatar_color, api_key FROM users ORDER BY uuid"),
                         [[key(USER, n), ROUNDED[n % 5], ROUNDED[(n + 1) % 5], "u%d@example.org" % n,
                           "Zoë \U0001f511" if n == 3 else "User %d" % n, bytes(range(n, n + 32)).hex(),
                           "00ff80" if n % 2 else "", None if n % 3 else "",
                           '[["a.example","b.example"]]' if n % 5 else "[]", ROUNDED[n % 5] if n % 4 else None,
                           "f" if n % 7 == 0 else "t", "#ff00%02x" % n if n % 2 else None, None]
                          for n in range(1, USERS + 1)])
        self.assertEqual(self.ask("SELECT uuid, created_at, notes, data, deleted_at, reprompt, "
                                  "user_uuid IS NULL FROM ciphers WHERE uuid IN ('%s', '%s') ORDER BY 1"
                                  % (key(CIPHER, 3), key(CIPHER, 110))),
                         [[key(CIPHER, 3), ROUNDED[3], "notes\n\u2028", LOGIN, None, None, "f"],
                          [key(CIPHER, 110), ROUNDED[0], None, "{}", ROUNDED[0], "0", "t"]])
        self.assertEqual(self.ask("SELECT atype, enabled, data FROM org_policies ORDER BY 1"),
                         [["0", "f", "null"], ["1", "t", '{"capitalize": true, "minComplexity": 1}'],
                          ["2", "f", '{"capitalize": true, "minComplexity": 2}']])
        self.assertEqual(self.ask("SELECT max(file_size) FROM attachments"), [[str(9 << 33)]])
        self.assertEqual(self.ask("SELECT count(*) FILTER (WHERE disabled), count(*) FILTER (WHERE hide_email), "
                                  "count(hide_email), count(password_hash) FROM sends"), [["5", "3", "6", "5"]])

    def go_on(self):
        """A user signs up, and the vault of another one is read."""
        self.ask("INSERT INTO users (uuid, created_at, updated_at, email, name, password_hash, salt, "
                 "password_iterations, akey, security_stamp, equivalent_domains, excluded_globals) "
                 "VALUES ('%s', now(), now(), 'new@example.org', 'New', '\\x01', '\\x02', 1, '', '', '[]', '[]')"
                 % key(USER, 99))
        self.ask("INSERT INTO ciphers (uuid, created_at, updated_at, user_uuid, atype, name, data) VALUES ('%s', "
                 "now(), now(), '%s', 1, 'n', '{}')" % (key(CIPHER, 9999), key(USER, 99)))
        self.ask("INSERT INTO folders VALUES ('%s', now(), now(), '%s', 'f')" % (key(FOLDER, 99), key(USER, 99)))
        self.ask("INSERT INTO folders_ciphers VALUES ('%s', '%s')" % (key(CIPHER, 9999), key(FOLDER, 99)))
        self.ask("INSERT INTO __diesel_schema_migrations (version) VALUES ('20250109172300')")
        with self.assertRaisesRegex(AssertionError, "foreign key"):
            self.ask("INSERT INTO favorites VALUES ('%s', '%s')" % (key(USER, 1), key(CIPHER, 777777)))
        with self.assertRaisesRegex(AssertionError, "unique"):
            self.ask("INSERT INTO twofactor VALUES ('%s', '%s', 0, true, '', 0)" % (key(OTHER, 12345), key(USER, 1)))
        self.assertEqual(self.ask("SELECT count(*) FROM users u JOIN ciphers c ON c.user_uuid = u.uuid LEFT JOIN "
                                  "folders_ciphers f ON f.cipher_uuid = c.uuid "
                                  "WHERE u.email = 'u7@example.org' AND u.uuid = '%s' AND c.deleted_at IS NULL"
                                  % key(USER, 7)),
                         self.ask("SELECT count(*) FROM ciphers WHERE user_uuid = '%s' AND deleted_at IS NULL"
                                  % key(USER, 7)))
        self.assertEqual(self.ask("SELECT data::jsonb -> 'uris' -> 0 ->> 'uri' FROM ciphers WHERE uuid = '%s'"
                                  % key(CIPHER, 1)), [["2.abc|\u00e9"]])
        self.assertEqual(self.ask("SELECT atype FROM org_policies WHERE enabled AND (data ->> "
                                  "'minComplexity')::int > 0"), [["1"]])
        self.assertEqual(self.ask("SELECT count(*) FROM users_organizations uo JOIN organizations o ON o.uuid = "
                                  "uo.org_uuid WHERE access_all AND o.name = 'Org 2'"), [["10"]])


if __name__ == "__main__":
    unittest.main()
