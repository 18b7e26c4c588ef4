"""
WordPress: from MariaDB or MySQL into the PostgreSQL tables of a port of it, which writes names in small letters and
keeps its own sequences.
"""
import unittest

import mariadb
import move
import mysql

SOURCE = """
CREATE TABLE wp_users (ID bigint(20) unsigned NOT NULL AUTO_INCREMENT, user_login varchar(60) NOT NULL DEFAULT '', user_pass varchar(255) NOT NULL DEFAULT '', user_nicename varchar(50) NOT NULL DEFAULT '', user_email varchar(100) NOT NULL DEFAULT '', user_registered datetime NOT NULL DEFAULT '0000-00-00 00:00:00', user_status int(11) NOT NULL DEFAULT 0, display_name varchar(250) NOT NULL DEFAULT '', PRIMARY KEY (ID), KEY user_login_key (user_login), KEY user_email (user_email));
CREATE TABLE wp_usermeta (umeta_id bigint(20) unsigned NOT NULL AUTO_INCREMENT, user_id bigint(20) unsigned NOT NULL DEFAULT 0, meta_key varchar(255) DEFAULT NULL, meta_value longtext, PRIMARY KEY (umeta_id), KEY user_id (user_id), KEY meta_key (meta_key(191)));
CREATE TABLE wp_posts (ID bigint(20) unsigned NOT NULL AUTO_INCREMENT, post_author bigint(20) unsigned NOT NULL DEFAULT 0, post_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00', post_date_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00', post_content longtext NOT NULL, post_title text NOT NULL, post_status varchar(20) NOT NULL DEFAULT 'publish', post_name varchar(200) NOT NULL DEFAULT '', post_modified_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00', post_parent bigint(20) unsigned NOT NULL DEFAULT 0, guid varchar(255) NOT NULL DEFAULT '', menu_order int(11) NOT NULL DEFAULT 0, post_type varchar(20) NOT NULL DEFAULT 'post', comment_count bigint(20) NOT NULL DEFAULT 0, PRIMARY KEY (ID), KEY post_name (post_name(191)), KEY type_status_date (post_type,post_status,post_date,ID), KEY post_parent (post_parent));
CREATE TABLE wp_postmeta (meta_id bigint(20) unsigned NOT NULL AUTO_INCREMENT, post_id bigint(20) unsigned NOT NULL DEFAULT 0, meta_key varchar(255) DEFAULT NULL, meta_value longtext, PRIMARY KEY (meta_id), KEY post_id (post_id), KEY meta_key (meta_key(191)));
CREATE TABLE wp_comments (comment_ID bigint(20) unsigned NOT NULL AUTO_INCREMENT, comment_post_ID bigint(20) unsigned NOT NULL DEFAULT 0, comment_author tinytext NOT NULL, comment_author_IP varchar(100) NOT NULL DEFAULT '', comment_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00', comment_content text NOT NULL, comment_approved varchar(20) NOT NULL DEFAULT '1', comment_parent bigint(20) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (comment_ID), KEY comment_post_ID (comment_post_ID));
CREATE TABLE wp_options (option_id bigint(20) unsigned NOT NULL AUTO_INCREMENT, option_name varchar(191) NOT NULL DEFAULT '', option_value longtext NOT NULL, autoload varchar(20) NOT NULL DEFAULT 'yes', PRIMARY KEY (option_id), UNIQUE KEY option_name (option_name));
CREATE TABLE wp_terms (term_id bigint(20) unsigned NOT NULL AUTO_INCREMENT, name varchar(200) NOT NULL DEFAULT '', slug varchar(200) NOT NULL DEFAULT '', term_group bigint(10) NOT NULL DEFAULT 0, PRIMARY KEY (term_id), KEY slug (slug(191)), KEY name (name(191)));
CREATE TABLE wp_term_taxonomy (term_taxonomy_id bigint(20) unsigned NOT NULL AUTO_INCREMENT, term_id bigint(20) unsigned NOT NULL DEFAULT 0, taxonomy varchar(32) NOT NULL DEFAULT '', description longtext NOT NULL, parent bigint(20) unsigned NOT NULL DEFAULT 0, count bigint(20) NOT NULL DEFAULT 0, PRIMARY KEY (term_taxonomy_id), UNIQUE KEY term_id_taxonomy (term_id,taxonomy));
CREATE TABLE wp_term_relationships (object_id bigint(20) unsigned NOT NULL DEFAULT 0, term_taxonomy_id bigint(20) unsigned NOT NULL DEFAULT 0, term_order int(11) NOT NULL DEFAULT 0, PRIMARY KEY (object_id,term_taxonomy_id), KEY term_taxonomy_id (term_taxonomy_id));
CREATE TABLE wp_Shop_Orders (Order_ID bigint(20) unsigned NOT NULL AUTO_INCREMENT, user_id bigint(20) unsigned DEFAULT NULL, total decimal(26,8) NOT NULL DEFAULT 0, is_paid tinyint(1) NOT NULL DEFAULT 0, needs_shipping tinyint(1) DEFAULT NULL, details json DEFAULT NULL, token varbinary(32) DEFAULT NULL, created timestamp(6) NULL DEFAULT NULL, time_open time DEFAULT NULL, state enum('new','paid','it''s late') NOT NULL DEFAULT 'new', rating float DEFAULT NULL, PRIMARY KEY (Order_ID));
"""

TARGET = """
CREATE SEQUENCE wp_users_seq; CREATE SEQUENCE wp_posts_seq; CREATE SEQUENCE wp_comments_seq; CREATE SEQUENCE wp_options_seq;
CREATE TABLE wp_users (id bigint NOT NULL DEFAULT nextval('wp_users_seq') PRIMARY KEY, user_login varchar(60) NOT NULL DEFAULT '', user_pass varchar(255) NOT NULL DEFAULT '', user_nicename varchar(50) NOT NULL DEFAULT '', user_email varchar(100) NOT NULL DEFAULT '', user_registered timestamp NOT NULL DEFAULT now(), user_status integer NOT NULL DEFAULT 0, display_name varchar(250) NOT NULL DEFAULT '', CHECK (id > 0));
CREATE TABLE wp_usermeta (umeta_id bigserial PRIMARY KEY, user_id bigint NOT NULL DEFAULT 0 REFERENCES wp_users (id), meta_key varchar(255), meta_value text);
CREATE TABLE wp_posts (id bigint NOT NULL DEFAULT nextval('wp_posts_seq') PRIMARY KEY, post_author bigint NOT NULL DEFAULT 0, post_date timestamp NOT NULL DEFAULT now(), post_date_gmt timestamp, post_content text NOT NULL, post_title text NOT NULL, post_status varchar(20) NOT NULL DEFAULT 'publish', post_name varchar(200) NOT NULL DEFAULT '', post_modified_gmt timestamp NOT NULL DEFAULT '1970-01-01 00:00:00', post_parent bigint NOT NULL DEFAULT 0, guid varchar(255) NOT NULL DEFAULT '', menu_order integer NOT NULL DEFAULT 0, post_type varchar(20) NOT NULL DEFAULT 'post', comment_count bigint NOT NULL DEFAULT 0);
CREATE INDEX wp_posts_name ON wp_posts (post_name);
CREATE TABLE wp_postmeta (meta_id bigserial PRIMARY KEY, post_id bigint NOT NULL DEFAULT 0, meta_key varchar(255), meta_value text);
CREATE INDEX wp_postmeta_key ON wp_postmeta (meta_key);
CREATE TABLE wp_comments (comment_id bigint NOT NULL DEFAULT nextval('wp_comments_seq') PRIMARY KEY, comment_post_id bigint NOT NULL DEFAULT 0 REFERENCES wp_posts (id), comment_author text NOT NULL, comment_author_ip varchar(100) NOT NULL DEFAULT '', comment_date timestamp NOT NULL DEFAULT now(), comment_content text NOT NULL, comment_approved varchar(20) NOT NULL DEFAULT '1', comment_parent bigint NOT NULL DEFAULT 0);
CREATE TABLE wp_options (option_id bigint NOT NULL DEFAULT nextval('wp_options_seq') PRIMARY KEY, option_name varchar(191) NOT NULL DEFAULT '' UNIQUE, option_value text NOT NULL, autoload varchar(20) NOT NULL DEFAULT 'yes');
CREATE TABLE wp_terms (term_id bigserial PRIMARY KEY, name varchar(200) NOT NULL DEFAULT '', slug varchar(200) NOT NULL DEFAULT '', term_group bigint NOT NULL DEFAULT 0);
CREATE TABLE wp_term_taxonomy (term_taxonomy_id bigserial PRIMARY KEY, term_id bigint NOT NULL DEFAULT 0 REFERENCES wp_terms (term_id), taxonomy varchar(32) NOT NULL DEFAULT '', description text NOT NULL, parent bigint NOT NULL DEFAULT 0, count bigint NOT NULL DEFAULT 0, UNIQUE (term_id, taxonomy));
CREATE TABLE wp_term_relationships (object_id bigint NOT NULL DEFAULT 0, term_taxonomy_id bigint NOT NULL DEFAULT 0 REFERENCES wp_term_taxonomy (term_taxonomy_id), term_order integer NOT NULL DEFAULT 0, PRIMARY KEY (object_id, term_taxonomy_id));
CREATE TABLE wp_shop_orders (order_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, user_id bigint REFERENCES wp_users (id), total numeric(26,8) NOT NULL DEFAULT 0 CHECK (total >= 0), is_paid boolean NOT NULL DEFAULT false, needs_shipping boolean, details jsonb, token bytea, created timestamptz, time_open interval, state varchar(20) NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'paid', 'it''s late')), rating real);
"""

ZERO = "0000-00-00 00:00:00"
SERIALIZED = 'a:2:{s:5:"title";s:9:"Zo\u00eb \U0001f411";s:4:"list";a:1:{i:0;O:8:"stdClass":1:{s:1:"x";d:1.5;}}}'
PRIVATE = 'O:3:"Job":1:{s:6:"\0*\0bar";i:1;}'   # PHP's way to say that bar is protected
CONTENT = '<!-- wp:paragraph -->\n<p>It\'s \U0001f600 "here" \\ there\t&nbsp;</p>\r\n<!-- /wp:paragraph -->'
POSTS = 1300


def quoted(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return "x'%s'" % value.hex()
    return str(value) if isinstance(value, (int, float)) else "'%s'" % value.replace("\\", "\\\\").replace("'",
        "''").replace("\r", "\\r").replace("\0", "\\0")


def insert(table, rows):
    return "INSERT INTO %s VALUES %s;\n" % (table, ", ".join("(%s)" % ", ".join(map(quoted, row)) for row in rows))


def dated(number):
    return "20%02d-%02d-%02d %02d:30:00" % (number % 20 + 1, number % 12 + 1, number % 28 + 1, number % 24)


def contents():
    """Drafts without a date, names beyond ASCII, objects that PHP serialized, orders of a shop."""
    yield insert("wp_users", [(1, "admin", "$P$Babc", "admin", "a@example.org", dated(3), 0, "Zo\u00eb \U0001f411"),
                              (2, "old", "", "old", "", ZERO, 0, ""),
                              (40, "Ed", "x", "ed", "e@example.org", dated(5), 1, "Ed")])
    yield insert("wp_usermeta", [(n, (1, 2, 40)[n % 3], ("nickname", None, "wp_capabilities")[n % 3],
                                  (SERIALIZED, None, "")[n % 3]) for n in range(1, 60)])
    yield insert("wp_posts", [(n, (1, 40)[n % 2], dated(n), ZERO if n % 5 == 0 else dated(n), CONTENT if n % 2 else "",
                               "Title %d" % n, "draft" if n % 5 == 0 else "publish", "caf\u00e9-%d" % n,
                               ZERO if n % 6 == 0 else dated(n), n // 10, "https://example.org/?p=%d&a='b'" % n, -n % 7,
                               "page" if n % 10 == 0 else "post", 0) for n in range(1, POSTS + 1)])
    yield insert("wp_postmeta", [(n, n % POSTS + 1, None if n % 50 == 0 else "_edit_lock",
                                  None if n % 9 == 0 else "1714980000:%d" % n) for n in range(1, 2001)])
    yield insert("wp_comments", [(n, n % POSTS + 1, "\u0416\u0435\u043d\u044f \u2603", "::1", dated(n),
                                  "Nice\n\U0001f44d", ("1", "0", "spam")[n % 3], 0) for n in range(1, 400)])
    yield insert("wp_options", [(1, "siteurl", "https://example.org", "yes"), (2, "active_plugins", SERIALIZED, "yes"),
                                (3, "Blog_Charset", "UTF-8", "no"), (4, "_object", PRIVATE, "no"),
                                (900, "_transient_x", "x" * 70000, "no")])
    yield insert("wp_terms", [(1, "Uncategorized", "uncategorized", 0), (2, "caf\u00e9", "cafe", 0),
                              (3, "\u65e5\u672c", "%e6%97%a5", 0)])
    yield insert("wp_term_taxonomy", [(1, 1, "category", "", 0, 5), (2, 2, "post_tag", "d", 0, 0),
                                      (7, 3, "post_tag", "", 2, 1)])
    yield insert("wp_term_relationships", [(n, (1, 2, 7)[n % 3], n % 4) for n in range(1, 500)])
    yield insert("wp_Shop_Orders", [(1, 1, "1234567890.12345678", 1, None, '{"a": [1, 1.5, "\u00e9"]}',
                                     bytes(range(32)), "2024-05-06 07:08:09.123456", "26:30:00", "paid", 4.5),
                                    (2, None, "0.10000000", 0, 1, None, None, None, None, "new", None),
                                    (9, 40, "5", 0, 0, "[]", b"", "2024-10-27 01:30:00", "-01:00:00", "it's late",
                                     0.1)])


class Job:
    """`SERVERS` has the source."""
    ZONE = "UTC"

    def source_database(self):
        server = self.SERVERS.for_class(type(self))
        name = server.database()
        server.ask(name, SOURCE + "".join(contents()), mode="")
        return server.uri(name)

    def test_a_site_with_a_shop(self):
        self.begin(self.source_database(), TARGET)
        told = "\n".join(self.follow())
        for column in ("post_modified_gmt", "user_registered", "holds a NUL"):
            self.assertIn(column, told)
        for words in ("numeric(20)", "a table that the run makes"):   # all of them are there
            self.assertNotIn(words, "\n".join(self.report["notes"]))
        self.migrate()
        self.look_at_values()
        self.go_on()

    def look_at_values(self):
        self.ask("ALTER DATABASE %s SET timezone = 'UTC'" % self.database)
        self.assertEqual(self.ask("SELECT id, user_login, display_name, user_registered FROM wp_users ORDER BY id"),
                         [["1", "admin", "Zo\u00eb \U0001f411", dated(3)], ["2", "old", "", "1970-01-01 00:00:00"],
                          ["40", "Ed", "Ed", dated(5)]])
        self.assertEqual(self.ask("SELECT count(*), count(meta_key), count(meta_value), "
                                  "count(*) FILTER (WHERE meta_value = ''), max(meta_value) FROM wp_usermeta"),
                         [["59", "39", "39", "20", SERIALIZED]])
        self.assertEqual(self.ask("SELECT id, post_author, post_date, post_date_gmt, post_content, post_status, "
                                  "post_name, post_modified_gmt, post_parent, guid, "
                                  "menu_order FROM wp_posts ORDER BY id"),
                         [[str(n), ("1", "40")[n % 2], dated(n), None if n % 5 == 0 else dated(n),
                           CONTENT if n % 2 else "", "draft" if n % 5 == 0 else "publish", "caf\u00e9-%d" % n,
                           "1970-01-01 00:00:00" if n % 6 == 0 else dated(n), str(n // 10),
                           "https://example.org/?p=%d&a='b'" % n, str(-n % 7)] for n in range(1, POSTS + 1)])
        self.assertEqual(self.ask("SELECT count(*), count(meta_key), count(meta_value) FROM wp_postmeta"),
                         [["2000", "1960", "1778"]])
        self.assertEqual(self.ask("SELECT comment_id, comment_post_id, comment_author, comment_author_ip, "
                                  "comment_content FROM wp_comments WHERE comment_id = 5"),
                         [["5", "6", "\u0416\u0435\u043d\u044f \u2603", "::1", "Nice\n\U0001f44d"]])
        self.assertEqual(self.ask("SELECT option_name, length(option_value), option_value = '%s' FROM wp_options ORDER "
                                  "BY option_id" % SERIALIZED),
                         [["siteurl", "19", "f"], ["active_plugins", str(len(SERIALIZED)), "t"],
                          ["Blog_Charset", "5", "f"], ["_object", str(len(PRIVATE) - 2), "f"],
                          ["_transient_x", "70000", "f"]])
        self.assertEqual(self.ask("SELECT name, slug FROM wp_terms ORDER BY term_id"),
                         [["Uncategorized", "uncategorized"], ["caf\u00e9", "cafe"], ["\u65e5\u672c", "%e6%97%a5"]])
        self.assertEqual(self.ask("SELECT order_id, user_id, total, is_paid, needs_shipping, details, encode(token, "
                                  "'hex'), created, time_open, state, rating FROM wp_shop_orders ORDER BY 1"),
                         [["1", "1", "1234567890.12345678", "t", None, '{"a": [1, 1.5, "\u00e9"]}',
                           bytes(range(32)).hex(), "2024-05-06 07:08:09.123456+00", "26:30:00", "paid", "4.5"],
                          ["2", None, "0.10000000", "f", "t", None, None, None, None, "new", None],
                          ["9", "40", "5.00000000", "f", "f", "[]", "", "2024-10-27 01:30:00+00", "-01:00:00",
                           "it's late", "0.1"]])

    def go_on(self):
        """A post with its tags, a comment, an order; then the pages that show them."""
        user = self.next_key("wp_users", "id", "user_login", "'new'")
        self.next_key("wp_usermeta", "umeta_id", "user_id, meta_key, meta_value", "%d, 'nickname', 'n'" % user)
        post = self.next_key("wp_posts", "id", "post_author, post_content, post_title", "%d, '', 'New'" % user)
        self.next_key("wp_postmeta", "meta_id", "post_id, meta_key", "%d, 'k'" % post)
        self.next_key("wp_comments", "comment_id", "comment_post_id, comment_author, comment_content",
                      "%d, '', ''" % post)
        self.next_key("wp_options", "option_id", "option_name, option_value", "'new', ''")
        term = self.next_key("wp_terms", "term_id", "name, slug", "'n', 'n'")
        taxonomy = self.next_key("wp_term_taxonomy", "term_taxonomy_id", "term_id, taxonomy, description",
                                 "%d, 'post_tag', ''" % term)
        self.ask("INSERT INTO wp_term_relationships (object_id, term_taxonomy_id) VALUES (%d, %d)" % (post, taxonomy))
        self.next_key("wp_shop_orders", "order_id", "user_id, details", "%d, '{\"a\": 1}'" % user)
        self.assertEqual(self.ask("SELECT p.id FROM wp_posts p JOIN wp_term_relationships r ON r.object_id = p.id JOIN "
                                  "wp_term_taxonomy t USING (term_taxonomy_id) "
                                  "JOIN wp_terms w USING (term_id) WHERE w.slug = 'cafe' AND p.post_type = 'page' AND "
                                  "p.post_status = 'draft' ORDER BY p.id LIMIT 2"), [["10"], ["40"]])
        self.assertEqual(self.ask("SELECT order_id FROM wp_shop_orders WHERE is_paid AND details -> 'a' ->> 2 = "
                                  "'\u00e9'"), [["1"]])
        self.assertEqual(self.ask("SELECT count(*) FROM wp_posts WHERE post_date_gmt IS NULL"), [["261"]])
        self.assertEqual(self.ask("SELECT display_name FROM wp_users u JOIN wp_usermeta m ON m.user_id = u.id WHERE "
                                  "meta_key = 'wp_capabilities' AND meta_value = '' LIMIT 1"), [["Ed"]])


class Mariadb(Job, move.Move):
    SERVERS = mariadb


class Mysql(Job, move.Move):
    SERVERS = mysql


if __name__ == "__main__":
    unittest.main()
