"""
Grafana: from its SQLite file into the tables that it has made in PostgreSQL, where it has written its first rows too.
"""
import json
import sqlite3
import unittest

import move

SOURCE = """
CREATE TABLE `migration_log` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `migration_id` TEXT NOT NULL, `sql` TEXT NOT NULL, `success` INTEGER NOT NULL, `error` TEXT NOT NULL, `timestamp` DATETIME NOT NULL);
CREATE TABLE `org` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `version` INTEGER NOT NULL, `name` TEXT NOT NULL, `zip_code` TEXT NULL, `billing_email` TEXT NULL, `created` DATETIME NOT NULL, `updated` DATETIME NOT NULL);
CREATE UNIQUE INDEX `UQE_org_name` ON `org` (`name`);
CREATE TABLE `user` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `version` INTEGER NOT NULL, `login` TEXT NOT NULL, `email` TEXT NOT NULL, `name` TEXT NULL, `password` TEXT NULL, `salt` TEXT NULL, `org_id` INTEGER NOT NULL, `is_admin` INTEGER NOT NULL, `email_verified` INTEGER NULL, `theme` TEXT NULL, `created` DATETIME NOT NULL, `updated` DATETIME NOT NULL, `help_flags1` INTEGER NOT NULL DEFAULT 0, `last_seen_at` DATETIME NULL, `is_disabled` INTEGER NOT NULL DEFAULT 0, `is_service_account` BOOLEAN DEFAULT 0, `uid` TEXT NULL);
CREATE UNIQUE INDEX `UQE_user_login` ON `user` (`login`);
CREATE UNIQUE INDEX `UQE_user_email` ON `user` (`email`);
CREATE TABLE `org_user` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `user_id` INTEGER NOT NULL, `role` TEXT NOT NULL, `created` DATETIME NOT NULL, `updated` DATETIME NOT NULL);
CREATE UNIQUE INDEX `UQE_org_user_org_id_user_id` ON `org_user` (`org_id`,`user_id`);
CREATE TABLE `dashboard` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `version` INTEGER NOT NULL, `slug` TEXT NOT NULL, `title` TEXT NOT NULL, `data` TEXT NOT NULL, `org_id` INTEGER NOT NULL, `created` DATETIME NOT NULL, `updated` DATETIME NOT NULL, `updated_by` INTEGER NULL, `gnet_id` INTEGER NULL, `plugin_id` TEXT NULL, `folder_id` INTEGER NOT NULL DEFAULT 0, `is_folder` INTEGER NOT NULL DEFAULT 0, `has_acl` INTEGER NOT NULL DEFAULT 0, `uid` TEXT NULL, `is_public` INTEGER NOT NULL DEFAULT 0, `deleted` DATETIME NULL);
CREATE UNIQUE INDEX `UQE_dashboard_org_id_uid` ON `dashboard` (`org_id`,`uid`);
CREATE INDEX `IDX_dashboard_title` ON `dashboard` (`title`);
CREATE TABLE `dashboard_tag` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `dashboard_id` INTEGER NOT NULL, `term` TEXT NOT NULL);
CREATE TABLE `data_source` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `version` INTEGER NOT NULL, `type` TEXT NOT NULL, `name` TEXT NOT NULL, `access` TEXT NOT NULL, `url` TEXT NOT NULL, `password` TEXT NULL, `user` TEXT NULL, `database` TEXT NULL, `basic_auth` INTEGER NOT NULL, `is_default` INTEGER NOT NULL, `json_data` TEXT NULL, `created` DATETIME NOT NULL, `updated` DATETIME NOT NULL, `with_credentials` INTEGER NOT NULL DEFAULT 0, `secure_json_data` TEXT NULL, `read_only` INTEGER NULL, `uid` TEXT NOT NULL DEFAULT 0, `is_prunable` INTEGER NULL DEFAULT 0);
CREATE UNIQUE INDEX `UQE_data_source_org_id_name` ON `data_source` (`org_id`,`name`);
CREATE TABLE `alert_rule` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `title` TEXT NOT NULL, `condition` TEXT NOT NULL, `data` TEXT NOT NULL, `updated` DATETIME NOT NULL, `interval_seconds` INTEGER NOT NULL DEFAULT 60, `version` INTEGER NOT NULL DEFAULT 0, `uid` TEXT NOT NULL DEFAULT 0, `namespace_uid` TEXT NOT NULL, `rule_group` TEXT NOT NULL, `no_data_state` TEXT NOT NULL DEFAULT 'NoData', `for` INTEGER NOT NULL DEFAULT 0, `annotations` TEXT NULL, `labels` TEXT NULL, `is_paused` INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX `UQE_alert_rule_org_id_uid` ON `alert_rule` (`org_id`,`uid`);
CREATE TABLE `alert_instance` (`rule_org_id` INTEGER NOT NULL, `rule_uid` TEXT NOT NULL DEFAULT 0, `labels` TEXT NOT NULL, `labels_hash` TEXT NOT NULL, `current_state` TEXT NOT NULL, `current_state_since` INTEGER NOT NULL, `last_eval_time` INTEGER NOT NULL, `result_fingerprint` TEXT NULL, PRIMARY KEY (`rule_org_id`,`rule_uid`,`labels_hash`));
CREATE TABLE `annotation` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `dashboard_id` INTEGER NULL, `panel_id` INTEGER NULL, `text` TEXT NOT NULL, `data` TEXT NOT NULL, `epoch` INTEGER NOT NULL, `epoch_end` INTEGER NOT NULL DEFAULT 0, `tags` TEXT NULL);
CREATE TABLE `dashboard_snapshot` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `name` TEXT NOT NULL, `key` TEXT NOT NULL, `delete_key` TEXT NOT NULL, `external` INTEGER NOT NULL, `expires` DATETIME NOT NULL, `dashboard_encrypted` BLOB NULL);
CREATE TABLE `cache_data` (`cache_key` TEXT PRIMARY KEY NOT NULL, `data` BLOB NOT NULL, `expires` INTEGER NOT NULL, `created_at` INTEGER NOT NULL);
CREATE TABLE `preferences` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `user_id` INTEGER NOT NULL, `timezone` TEXT NOT NULL, `theme` TEXT NOT NULL, `json_data` TEXT NULL);
CREATE TABLE `quota` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NULL, `target` TEXT NOT NULL, `limit` INTEGER NOT NULL, `created` DATETIME NOT NULL);
CREATE TABLE `ngalert_configuration` (`id` INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, `org_id` INTEGER NOT NULL, `alertmanagers` TEXT NULL, `created_at` INTEGER NOT NULL, `updated_at` INTEGER NOT NULL);
"""

TARGET = """
CREATE TABLE migration_log (id SERIAL PRIMARY KEY, migration_id VARCHAR(255) NOT NULL, sql TEXT NOT NULL, success BOOL NOT NULL, error TEXT NOT NULL, "timestamp" TIMESTAMP NOT NULL);
CREATE TABLE org (id SERIAL PRIMARY KEY NOT NULL, version INTEGER NOT NULL, name VARCHAR(190) NOT NULL, zip_code VARCHAR(50), billing_email VARCHAR(255), created TIMESTAMP NOT NULL, updated TIMESTAMP NOT NULL);
CREATE UNIQUE INDEX "UQE_org_name" ON org (name);
CREATE TABLE "user" (id SERIAL PRIMARY KEY NOT NULL, version INTEGER NOT NULL, login VARCHAR(190) NOT NULL, email VARCHAR(190) NOT NULL, name VARCHAR(255), password VARCHAR(255), salt VARCHAR(50), org_id BIGINT NOT NULL, is_admin BOOL NOT NULL, email_verified BOOL, theme VARCHAR(255), created TIMESTAMP NOT NULL, updated TIMESTAMP NOT NULL, help_flags1 BIGINT NOT NULL DEFAULT 0, last_seen_at TIMESTAMP, is_disabled BOOL NOT NULL DEFAULT false, is_service_account BOOL DEFAULT false, uid VARCHAR(40));
CREATE UNIQUE INDEX "UQE_user_login" ON "user" (login);
CREATE UNIQUE INDEX "UQE_user_email" ON "user" (email);
CREATE TABLE org_user (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, user_id BIGINT NOT NULL, role VARCHAR(20) NOT NULL, created TIMESTAMP NOT NULL, updated TIMESTAMP NOT NULL);
CREATE UNIQUE INDEX "UQE_org_user_org_id_user_id" ON org_user (org_id, user_id);
CREATE TABLE dashboard (id SERIAL PRIMARY KEY NOT NULL, version INTEGER NOT NULL CHECK (version >= 0), slug VARCHAR(189) NOT NULL, title VARCHAR(189) NOT NULL, data TEXT NOT NULL, org_id BIGINT NOT NULL, created TIMESTAMP NOT NULL, updated TIMESTAMP NOT NULL, updated_by INTEGER, gnet_id BIGINT, plugin_id VARCHAR(189), folder_id BIGINT NOT NULL DEFAULT 0, is_folder BOOL NOT NULL DEFAULT false, has_acl BOOL NOT NULL DEFAULT false, uid VARCHAR(40), is_public BOOL NOT NULL DEFAULT false, deleted TIMESTAMP, api_version VARCHAR(16) NOT NULL DEFAULT 'v1');
CREATE UNIQUE INDEX "UQE_dashboard_org_id_uid" ON dashboard (org_id, uid);
CREATE INDEX "IDX_dashboard_title" ON dashboard (title);
CREATE TABLE dashboard_tag (id SERIAL PRIMARY KEY NOT NULL, dashboard_id BIGINT NOT NULL, term VARCHAR(50) NOT NULL);
CREATE TABLE data_source (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, version INTEGER NOT NULL, type VARCHAR(255) NOT NULL, name VARCHAR(190) NOT NULL, access VARCHAR(255) NOT NULL, url VARCHAR(255) NOT NULL, password VARCHAR(255), "user" VARCHAR(255), database VARCHAR(255), basic_auth BOOL NOT NULL, is_default BOOL NOT NULL, json_data TEXT, created TIMESTAMP NOT NULL, updated TIMESTAMP NOT NULL, with_credentials BOOL NOT NULL DEFAULT false, secure_json_data TEXT, read_only BOOL, uid VARCHAR(40) NOT NULL DEFAULT '0', is_prunable BOOL DEFAULT false);
CREATE UNIQUE INDEX "UQE_data_source_org_id_name" ON data_source (org_id, name);
CREATE TABLE alert_rule (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, title VARCHAR(190) NOT NULL, condition VARCHAR(190) NOT NULL, data TEXT NOT NULL, updated TIMESTAMP NOT NULL, interval_seconds BIGINT NOT NULL DEFAULT 60, version INTEGER NOT NULL DEFAULT 0, uid VARCHAR(40) NOT NULL DEFAULT '0', namespace_uid VARCHAR(40) NOT NULL, rule_group VARCHAR(190) NOT NULL, no_data_state VARCHAR(15) NOT NULL DEFAULT 'NoData', "for" BIGINT NOT NULL DEFAULT 0, annotations TEXT, labels JSONB, is_paused BOOL NOT NULL DEFAULT false);
CREATE UNIQUE INDEX "UQE_alert_rule_org_id_uid" ON alert_rule (org_id, uid);
CREATE TABLE alert_instance (rule_org_id BIGINT NOT NULL, rule_uid VARCHAR(40) NOT NULL DEFAULT '0', labels TEXT NOT NULL, labels_hash VARCHAR(190) NOT NULL, current_state VARCHAR(190) NOT NULL, current_state_since BIGINT NOT NULL, last_eval_time BIGINT NOT NULL, result_fingerprint VARCHAR(16), PRIMARY KEY (rule_org_id, rule_uid, labels_hash));
CREATE TABLE annotation (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, dashboard_id BIGINT, panel_id BIGINT, text TEXT NOT NULL, data TEXT NOT NULL, epoch BIGINT NOT NULL, epoch_end BIGINT NOT NULL DEFAULT 0, tags VARCHAR(500));
CREATE TABLE dashboard_snapshot (id SERIAL PRIMARY KEY NOT NULL, name VARCHAR(255) NOT NULL, key VARCHAR(190) NOT NULL, delete_key VARCHAR(190) NOT NULL, external BOOL NOT NULL, expires TIMESTAMP NOT NULL, dashboard_encrypted BYTEA);
CREATE TABLE cache_data (cache_key VARCHAR(168) PRIMARY KEY NOT NULL, data BYTEA NOT NULL, expires INTEGER NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE preferences (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, user_id BIGINT NOT NULL, timezone VARCHAR(50) NOT NULL, theme VARCHAR(20) NOT NULL, json_data JSONB);
CREATE TABLE quota (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT, target VARCHAR(190) NOT NULL, "limit" BIGINT NOT NULL, created TIMESTAMP NOT NULL);
CREATE TABLE ngalert_configuration (id SERIAL PRIMARY KEY NOT NULL, org_id BIGINT NOT NULL, alertmanagers TEXT, created_at TIMESTAMP NOT NULL, updated_at INTEGER NOT NULL);
INSERT INTO migration_log (migration_id, sql, success, error, "timestamp") VALUES ('create migration_log table', 'CREATE', true, '', '2024-06-01'), ('create user table', 'CREATE', true, '', '2024-06-01');
"""

# What it writes at its first start, and somebody's first try with it.
FIRST_START = """
INSERT INTO org (version, name, created, updated) VALUES (0, 'Main Org.', '2024-06-01', '2024-06-01');
INSERT INTO "user" (version, login, email, password, org_id, is_admin, created, updated) VALUES (0, 'admin', 'admin@localhost', 'first', 1, true, '2024-06-01', '2024-06-01');
INSERT INTO org_user (org_id, user_id, role, created, updated) VALUES (1, 1, 'Admin', '2024-06-01', '2024-06-01');
INSERT INTO dashboard_tag (id, dashboard_id, term) VALUES (500, 999, 'mine');
"""

CREATED, UPDATED = "2021-03-04 05:06:07", "2024-10-27 02:30:00"
PANELS = json.dumps({"title": "Herd \U0001f411", "panels": [{"id": n, "type": "timeseries",
                                                             "targets": [{"expr": 'rate(x{job="a\\b"}[5m])'}]}
                                                            for n in range(40)]},
                    ensure_ascii=False)
SECRET = bytes(range(256))


def fill(db):
    """
    What years of use have left there: bytes for texts, nanoseconds, Go's zero time, flags that were never set, empty
    texts.
    """
    many = db.executemany
    many("INSERT INTO migration_log VALUES (?, ?, 'CREATE', 1, '', ?)",
         [(n, "step %d" % n, CREATED) for n in range(1, 60)])
    many("INSERT INTO org VALUES (?, 0, ?, NULL, ?, ?, ?)", [(1, "Main Org.", None, CREATED, UPDATED),
                                                             (2, "Zoë's \U0001f411", "", CREATED,
                                                              "2024-01-01 00:00:00")])
    many("INSERT INTO user VALUES (?, 0, ?, ?, ?, ?, ?, 1, ?, ?, '', ?, ?, ?, ?, ?, ?, ?)",
         [(1, "admin", "admin@localhost", "", "59acf18b", "salt", 1, 0, CREATED, UPDATED, 0, "2024-05-06 07:08:09", 0,
           0, "u1"),
          (2, "Ann", "ann@example.org", "Ann \u00c5", None, None, 0, None, CREATED, CREATED, 1, "0001-01-01 00:00:00",
           1, 0, ""),
          (7, "sa-robot", "sa-robot", None, None, None, 0, 1, CREATED, CREATED, 0, None, 0, 1, None)])
    many("INSERT INTO org_user VALUES (?, ?, ?, ?, ?, ?)", [(1, 1, 1, "Admin", CREATED, UPDATED),
                                                            (2, 1, 2, "Viewer", CREATED, UPDATED),
                                                            (5, 2, 2, "Editor", CREATED, UPDATED)])
    many("INSERT INTO dashboard VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, NULL, '', 0, ?, 0, ?, ?, ?)",
         [(n, n % 5, "board-%d" % n, "Board %d" % n, PANELS.encode() if n % 2 else PANELS, CREATED, UPDATED,
           -1 if n % 3 else 1, n % 10 == 0, "uid%d" % n, n % 7 == 0,
           None if n % 4 else "2024-05-06T07:08:09Z" if n % 40 else "") for n in range(1, 201)])
    many("INSERT INTO dashboard_tag VALUES (?, ?, ?)", [(n, n, "tag") for n in range(1, 201)])
    many("INSERT INTO data_source VALUES (?, 1, 1, 'prometheus', ?, 'proxy', 'http://localhost:9090', '', ?, '', ?, ?, "
         "?, ?, ?, 0, ?, ?, ?, ?)",
         [(1, "Prometheus", "reader", 0, 1, b'{"httpMethod": "POST", "tls": false}', CREATED, UPDATED, b"{}", 0, "ds1",
           None),
          (3, "Loki", "", 1, 0, "{}", CREATED, UPDATED, '{"token":"\u00e9"}', None, "ds3", 1),
          (4, "Empty", None, 0, 0, None, CREATED, UPDATED, "", 1, "ds4", 0)])
    many("INSERT INTO alert_rule VALUES (?, 1, ?, 'C', ?, ?, 60, 3, ?, 'ns', 'group', 'NoData', ?, ?, ?, ?)",
         [(1, "CPU", b'[{"refId":"A"}]', UPDATED, "r1", 300000000000, '{"summary":"hot"}',
           b'{"severity": "page", "team": "\xc3\xa9"}', 0),
          (2, "Disk", "[]", UPDATED, "r2", 0, None, '{"severity":"none","n":1.10}', 1),
          (9, "Net", "[]", UPDATED, "r9", 60, "", None, 0)])
    many("INSERT INTO alert_instance VALUES (1, ?, ?, ?, 'Normal', 1714980000, 1714980060, ?)",
         [("r%d" % n, '[["a","b"]]', "%040x" % n, "%016x" % n) for n in range(300)])
    many("INSERT INTO annotation VALUES (?, 1, ?, 2, ?, ?, ?, 0, ?)",
         [(n, n % 9 or None, "deploy <b>%d</b>" % n, "null" if n % 2 else "{}", 1714980000000 + n, '["a"]')
          for n in range(1, 301)])
    many("INSERT INTO dashboard_snapshot VALUES (?, 'snap', ?, ?, 0, '2074-04-21 09:08:07', ?)",
         [(1, "k1", "d1", SECRET), (2, "k2", "d2", "kept as text \u00e9"), (3, "k3", "d3", None)])
    many("INSERT INTO cache_data VALUES (?, ?, 86400, 1714980000)",
         [("session:%d" % n, b"\x00\xff" * n) for n in range(1, 9)])
    many("INSERT INTO preferences VALUES (?, 1, 0, ?, '', ?)",
         [(1, "utc", '{"language":"fr"}'), (2, "", None), (3, "browser", b"{}"), (4, "", "")])
    many("INSERT INTO quota VALUES (?, ?, ?, ?, ?)", [(1, 1, "dashboard", -1, CREATED),
                                                      (2, None, "user", 1 << 40,
                                                       "2024-05-06 07:08:09.123456789+00:00")])
    many("INSERT INTO ngalert_configuration VALUES (?, 1, '[]', ?, ?)",
         [(1, 1714980000, 1714980000), (2, 1714983600, 1714983600)])


class Grafana(move.Move):
    def source_file(self):
        path = self.path("grafana.db")
        db = sqlite3.connect(path)
        with db:
            db.executescript(SOURCE)
            fill(db)
        db.close()
        return path

    def test_from_its_sqlite_file(self):
        self.begin(self.source_file(), TARGET)
        told = "\n".join(self.follow())
        for column in ("migration_log: there are records", "deleted", "created: ", "created_at"):
            self.assertIn(column, told)
        self.migrate()
        self.assertEqual(self.value("SELECT count(*) FROM migration_log"), "2")
        self.look_at_values()
        self.go_on()

    def test_over_the_rows_of_its_first_start(self):
        self.ALREADY = "upsert"
        self.begin(self.source_file(), TARGET + FIRST_START)
        told = "\n".join(self.follow())
        for table in ("org", "user", "org_user", "migration_log"):
            self.assertIn("%s: there are records in it already" % table, told)
        self.migrate()
        self.assertEqual(self.value("SELECT count(*) FROM migration_log"), "59")
        self.assertEqual(self.ask("SELECT id, password FROM \"user\" WHERE login = 'admin'"), [["1", "59acf18b"]])
        self.assertEqual(self.ask("SELECT * FROM dashboard_tag WHERE id = 500"), [["500", "999", "mine"]])
        self.look_at_values()
        self.go_on()

    def look_at_values(self):
        self.assertEqual(self.ask('SELECT id, login, is_admin, email_verified, last_seen_at, is_disabled, '
                                  'is_service_account, uid FROM "user" ORDER BY id'),
                         [["1", "admin", "t", "f", "2024-05-06 07:08:09", "f", "f", "u1"],
                          ["2", "Ann", "f", None, "0001-01-01 00:00:00", "t", "f", ""],
                          ["7", "sa-robot", "f", "t", None, "f", "t", None]])
        self.assertEqual(self.ask("SELECT name, billing_email, updated FROM org ORDER BY id"),
                         [["Main Org.", None, "2024-10-27 02:30:00"], ["Zoë's \U0001f411", "", "2024-01-01 00:00:00"]])
        self.assertEqual(self.ask("SELECT count(*), count(*) FILTER (WHERE is_folder), "
                                  "count(*) FILTER (WHERE is_public), count(DISTINCT data), min(data), "
                                  "count(*) FILTER (WHERE api_version = 'v1'), min(deleted), "
                                  "count(deleted) FROM dashboard"),
                         [["200", "20", "28", "1", PANELS, "200", "2024-05-06 07:08:09", "45"]])
        self.assertEqual(self.ask('SELECT id, "user", basic_auth, is_default, json_data, secure_json_data, read_only, '
                                  'is_prunable FROM data_source ORDER BY id'),
                         [["1", "reader", "f", "t", '{"httpMethod": "POST", "tls": false}', "{}", "f", None],
                          ["3", "", "t", "f", "{}", '{"token":"\u00e9"}', None, "t"],
                          ["4", None, "f", "f", None, "", "t", "f"]])
        self.assertEqual(self.ask("SELECT id, \"for\", labels ->> 'severity', labels ->> 'team', labels -> 'n', "
                                  "jsonb_typeof(labels), is_paused, annotations FROM alert_rule ORDER BY id"),
                         [["1", "300000000000", "page", "\u00e9", None, "object", "f", '{"summary":"hot"}'],
                          ["2", "0", "none", None, "1.10", "object", "t", None],
                          ["9", "60", None, None, None, None, "f", ""]])
        self.assertEqual(self.ask("SELECT id, encode(dashboard_encrypted, 'hex'), "
                                  "expires FROM dashboard_snapshot ORDER BY id"),
                         [["1", SECRET.hex(), "2074-04-21 09:08:07"],
                          ["2", "kept as text \u00e9".encode().hex(), "2074-04-21 09:08:07"],
                          ["3", None, "2074-04-21 09:08:07"]])
        self.assertEqual(self.ask("SELECT cache_key, encode(data, 'hex') FROM cache_data WHERE cache_key = "
                                  "'session:2'"), [["session:2", "00ff00ff"]])
        self.assertEqual(self.ask("SELECT id, timezone, json_data ->> 'language', "
                                  "json_data FROM preferences ORDER BY id"),
                         [["1", "utc", "fr", '{"language": "fr"}'], ["2", "", None, None], ["3", "browser", None, "{}"],
                          ["4", "", None, None]])
        self.assertEqual(self.ask('SELECT id, org_id, "limit", created FROM quota ORDER BY id'),
                         [["1", "1", "-1", "2021-03-04 05:06:07"],
                          ["2", None, "1099511627776", "2024-05-06 07:08:09.123457"]])
        self.assertEqual(self.ask("SELECT id, created_at, updated_at FROM ngalert_configuration ORDER BY id"),
                         [["1", "2024-05-06 07:20:00", "1714980000"], ["2", "2024-05-06 08:20:00", "1714983600"]])
        self.assertEqual(self.ask("SELECT count(*), min(epoch), count(dashboard_id) FROM annotation"),
                         [["300", "1714980000001", "267"]])

    def go_on(self):
        """Grafana starts on it, and its users work."""
        org = self.next_key("org", "id", "version, name, created, updated", "0, 'New', now(), now()")
        user = self.next_key('"user"', "id", "version, login, email, org_id, is_admin, created, updated",
                             "0, 'new', 'new@example.org', %d, false, now(), now()" % org)
        self.next_key("org_user", "id", "org_id, user_id, role, created, updated",
                      "%d, %d, 'Admin', now(), now()" % (org, user))
        board = self.next_key("dashboard", "id", "version, slug, title, data, org_id, created, updated, uid",
                              "0, 'new', 'New', '{}', %d, now(), now(), 'newuid'" % org)
        self.next_key("dashboard_tag", "id", "dashboard_id, term", "%d, 'fresh'" % board)
        self.next_key("data_source", "id",
                      "org_id, version, type, name, access, url, basic_auth, is_default, created, updated",
                      "%d, 0, 'loki', 'L', 'proxy', '', false, true, now(), now()" % org)
        self.next_key("alert_rule", "id",
                      "org_id, title, condition, data, updated, namespace_uid, rule_group, labels, uid",
                      "%d, 'T', 'A', '[]', now(), 'n', 'g', '{}', 'new'" % org)
        for table, columns, values in (("annotation", "org_id, text, data, epoch", "1, 't', '{}', 1"),
                                       ("preferences", "org_id, user_id, timezone, theme", "1, 1, '', ''"),
                                       ("dashboard_snapshot", "name, key, delete_key, external, expires",
                                        "'s', 'k', 'd', false, now()"),
                                       ("quota", "org_id, target, \"limit\", created", "1, 't', 5, now()"),
                                       ("ngalert_configuration", "org_id, created_at, updated_at", "1, now(), 1"),
                                       ("migration_log", "migration_id, sql, success, error, \"timestamp\"",
                                        "'next step', '', true, '', now()")):
            self.next_key(table, "id", columns, values)
        self.assertEqual(self.ask('SELECT u.login, o.name FROM "user" u JOIN org_user ou ON ou.user_id = u.id JOIN org '
                                  'o ON o.id = ou.org_id WHERE NOT u.is_disabled AND u.id < 8 ORDER BY 1, 2'),
                         [["admin", "Main Org."]])
        self.assertEqual(self.ask("SELECT name FROM data_source WHERE org_id = 1 AND is_default AND (json_data::jsonb "
                                  "->> 'httpMethod') = 'POST'"), [["Prometheus"]])
        self.assertEqual(self.ask("SELECT count(*) FROM dashboard d JOIN dashboard_tag t ON t.dashboard_id = d.id "
                                  "WHERE NOT is_folder AND term = 'tag' AND (data::jsonb -> 'panels' -> 39 ->> "
                                  "'type') = 'timeseries'"),
                         [["180"]])
        self.assertEqual(self.ask("SELECT uid FROM alert_rule WHERE labels @> '{\"severity\": \"page\"}' AND NOT "
                                  "is_paused"), [["r1"]])


if __name__ == "__main__":
    unittest.main()
