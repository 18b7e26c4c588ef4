"""How MySQL and MariaDB are reached: accounts, files, certificates, rights, and servers that refuse."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import support
import tcp_proxy
import test_mysql


class Connecting(support.TestCase):
    """With what accounts, files and surroundings the server is reached, and what is said where it is not."""
    PASSWORD = "a@b:c/d%e#f"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, tls=True)
        cls.name = cls.server.database()
        cls.server.ask(cls.name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        cls.server.ask("",
                       "CREATE USER files@'127.0.0.1' IDENTIFIED BY '%s'; GRANT SELECT, "
                       "LOCK TABLES ON `%s`.* TO files@'127.0.0.1';"
                           "CREATE USER files@localhost IDENTIFIED BY '%s'; GRANT SELECT, "
                           "LOCK TABLES ON `%s`.* TO files@localhost;" %
                       ((cls.PASSWORD, cls.name) * 2))

    def read(self, uri, code=0, env=None):
        """What a copy out of it says; it must have arrived."""
        self.tries = getattr(self, "tries", 0) + 1
        copy = "copy%d.db" % self.tries
        result = self.run_program("migrate", uri, "sqlite:" + copy, "--state", self.path("state%d" % self.tries),
                                  code=code,
                                  env={"HOME": self.folder, **(env or {})})
        self.assertNotIn(self.PASSWORD, result.out + result.err)
        if code == 0:
            with support.open_sqlite(self.path(copy)) as database:
                self.assertEqual(database.execute("SELECT count(*) FROM t").fetchall(), [(2,)])
        return result

    def option_file(self, group, *lines, name="options.cnf"):
        self.write(name, "[%s]\n%s\n" % (group, "\n".join(lines)))
        return self.path(name)

    def test_option_files(self):
        where = ["host=127.0.0.1", "port=%d" % self.server.port]
        who = ["user=files", "password=\"%s\"" % self.PASSWORD]
        for group in ("client", "transhume"):
            with self.subTest(group):
                path = self.option_file(group, *where, *who)
                self.read("mysql:///%s?option_file=%s" % (self.name, path))
                path = self.option_file(group, *who)
                self.read("mysql://127.0.0.1:%d/%s?option_file=%s" % (self.server.port, self.name, path))
                self.option_file(group, *who, name=".my.cnf")
                self.read("mysql://127.0.0.1:%d/%s" % (self.server.port, self.name))
                self.read("mysql://files@127.0.0.1:%d/%s?option_file=" % (self.server.port, self.name), code=2)
                path = self.option_file(group, *where, *who, "ssl-ca=" + self.server.certificate)
                self.read("mysql:///%s?sslmode=verify-full&option_file=%s" % (self.name, path))
                self.read("mysql:///%s?sslmode=verify-full&option_file=%s" % (self.name,
                                                                              self.option_file(group, *where, *who)),
                          code=3)
                path = self.option_file(group, *where, "user=nobody7")
                self.assertIn("Access denied for user 'nobody7'",
                              self.read("mysql:///%s?option_file=%s" % (self.name, path), code=2).err)
                path = self.option_file(group, *where, "user=files", "password=wrong")
                self.assertIn("Access denied", self.read("mysql:///%s?option_file=%s" % (self.name, path), code=2).err)
                os.unlink(self.path(".my.cnf"))
        path = self.option_file("mysql", *who)   # the client's own, not ours
        self.read("mysql://files@127.0.0.1:%d/%s?option_file=%s" % (self.server.port, self.name, path), code=2)

    def test_passwords(self):
        uri = "mysql://files%%s@127.0.0.1:%d/%s" % (self.server.port, self.name)
        self.read(uri % "", env={"MYSQL_PWD": self.PASSWORD})
        self.read(uri % ":a%40b%3Ac%2Fd%25e%23f")
        self.read(uri % ":a%40b%3Ac%2Fd%25e%23f", env={"MYSQL_PWD": "wrong"})
        self.assertIn("Access denied", self.read(uri % "", code=2, env={"MYSQL_PWD": "wrong"}).err)

    def test_a_unix_socket(self):
        self.read("mysql://files:a%%40b%%3Ac%%2Fd%%25e%%23f@/%s?socket=%s" % (self.name, self.server.socket))
        result = self.read("mysql:///%s?socket=%s" % (self.name, self.path("none.sock")), code=3)
        self.assertIn("none.sock", result.err)

    def test_a_client_certificate(self):
        certificate, key = self.server.client_certificate("herder", self.folder)
        with mariadb.Server({"ssl-ca": self.server.certificate, "ssl-cert": self.server.certificate,
                             "ssl-key": os.path.join(self.server.folder, "server.key")}) as server:
            name = server.database()
            server.ask(name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                             "CREATE USER herder@'127.0.0.1' REQUIRE SUBJECT '/CN=herder'; "
                             "GRANT ALL ON *.* TO herder@'127.0.0.1'")
            uri = "mysql://herder@127.0.0.1:%d/%s?sslmode=verify-full&sslrootcert=%s" % (server.port, name,
                self.server.certificate)
            self.read("%s&sslcert=%s&sslkey=%s" % (uri, certificate, key))
            self.assertIn("Access denied", self.read(uri, code=2).err)
            self.assertIn("nokey", self.read("%s&sslcert=%s&sslkey=%s" % (uri, certificate, self.path("nokey")),
                                             code=3).err)

    def test_without_a_lock(self):
        """None is asked for, which is said, and several connections read; no right is needed for that."""
        self.server.ask("", "CREATE USER poor@'127.0.0.1'; GRANT SELECT ON `%s`.* TO poor@'127.0.0.1'" % self.name)
        for words in ("FLUSH TABLES", "LOCK TABLES"):
            for options, asked, said in (("", True, "one connection reads all"),
                                         ("&lock=none", False, "?lock=none: its")):
                with self.subTest(words, options=options), tcp_proxy.RefusingProxy(self.server.port, words, 1044,
                    "42000", "no") as proxy:
                    result = self.read("mysql://poor@127.0.0.1:%d/%s?sslmode=disable%s" % (proxy.port, self.name,
                        options))
                    self.assertEqual(proxy.refused > 0, asked)
                    self.assertIn(said, result.err)

    def test_rights_to_read(self):
        """
        Those that are missing are told with the statements that give them, all at once, before the target is touched.
        """
        name, target = self.server.database(), self.server.database()
        account = "'read er'@'127.0.0.1'"
        self.server.ask(name, """CREATE TABLE big (id int PRIMARY KEY, v text); CREATE TABLE `odd one` (id int PRIMARY KEY); CREATE TABLE open_one (id int PRIMARY KEY);
CREATE TABLE words (w varchar(9) PRIMARY KEY); CREATE TABLE known (id int PRIMARY KEY, w varchar(9), FOREIGN KEY (w) REFERENCES words (w)); CREATE USER %s;
GRANT SELECT ON open_one TO %s; GRANT SELECT ON known TO %s; GRANT INSERT ON words TO %s; GRANT INSERT ON big TO %s; GRANT INSERT ON `odd one` TO %s""" % ((account,) * 6))
        self.addCleanup(self.server.ask, name, "DROP USER " + account)
        uri = "mysql://read%%20er@127.0.0.1:%d/%s" % (self.server.port, name)
        grants = {table: "%s: the account may not read it: GRANT SELECT ON `%s`.`%s` TO %s" % (table, name, table,
            account) for table in ("big", "odd one", "words")}

        def problems(*arguments):
            return json.loads(support.transhume("check", "--json", *arguments, cwd=self.folder).out)["problems"]

        def of_plan(fields):
            self.write("plan.yaml",
                       "transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables: { known: { entities: { e: { from: "
                       "known, fields: { id: copy, %s } } } } }\n" % (uri, fields))
            return problems("--plan", "plan.yaml")

        self.assertEqual(of_plan("w: copy"), [])
        self.assertEqual(of_plan("word: { lookup: words, column: w, match: { w: w } }"), [grants["words"]])
        for to in (self.server.uri(target), "sqlite:out.db"):
            with self.subTest(to):
                self.assertEqual(problems(uri, to), list(grants.values()))
                told = self.run_program("migrate", uri, to, code=2).err.replace("\n  ", " ")
                for line in grants.values():
                    self.assertIn(line, told)
        self.assertEqual(self.server.rows(target), {})
        # of some columns the server tells no more than those
        self.server.ask(name,
                        "REVOKE INSERT ON words FROM %s; GRANT SELECT (w) ON words TO %s; "
                        "REVOKE INSERT ON big FROM %s; GRANT SELECT (id) ON big TO %s" % ((account,) * 4))
        told = self.run_program("check", uri, "sqlite:out.db", code=2).err.replace("\n  ", " ")
        for line in (grants["big"], grants["words"], "rights on some columns alone of 2 tables"):
            self.assertIn(line, told)
        self.server.ask(name, "; ".join(line.split(": ")[2] for line in grants.values()))
        self.run_program("migrate", uri, self.server.uri(target))
        self.assertEqual(sorted(table for table in self.server.rows(target) if not table.startswith("_transhume")),
                         ["big", "known", "odd one", "open_one", "words"])

    def test_rights_to_read_all_are_asked_once(self):
        """Not a table: over a slow line 2,000 tables would take minutes before the first record."""
        name = self.server.database()
        self.server.ask(name, "".join("CREATE TABLE t%d (id int PRIMARY KEY);" % number
                                      for number in range(9))
                        + "CREATE USER wide@'127.0.0.1'; GRANT SELECT ON `%s`.* TO wide@'127.0.0.1'" % name)

        def prepared():
            return int(self.server.ask("", "SHOW GLOBAL STATUS LIKE 'Com_prepare_sql'")[0][1])

        before = prepared()
        self.run_program("migrate", "mysql://wide@127.0.0.1:%d/%s" % (self.server.port, name), "sqlite:wide.db")
        self.assertLessEqual(prepared() - before, 2)   # at the check, and when the run begins
        other = self.server.database()
        self.server.ask(other, "CREATE TABLE far (id int PRIMARY KEY)")
        self.write("far.yaml",
                   "transhume: 1\nsource: mysql://wide@127.0.0.1:%d/%s\ntarget: sqlite:far.db\ntables: { t: { "
                   "entities: { e: { query: 'SELECT id FROM %s.far', "
                   "fields: { id: copy } } } } }\n" % (self.server.port, name, other))
        self.assertIn("far", self.run_program("check", "--plan", "far.yaml", code=2).err,
                      "a query reaches into another database")

    def test_a_cluster_that_splits_loads(self):
        """One that is in no cluster splits nothing, though MariaDB 10.2 and 10.3 have it on."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")

        def as_member(data, _):
            return re.sub(rb"\x0d\0\0(.)\x08wsrep_on\x03OFF", lambda row: b"\x0c\0\0" + row[1] + b"\x08wsrep_on\x02ON",
                          data, flags=re.S)

        with mariadb.Server() as server, tcp_proxy.ChangingProxy(server.port, as_member) as proxy:
            target = server.database()
            server.ask("", "SET GLOBAL wsrep_load_data_splitting = ON")
            member = server.uri(target, "?sslmode=disable", via=proxy)
            for command in ("check", "migrate"):
                result = self.run_program(command, path, member, code=2)
                self.assertIn("wsrep_load_data_splitting is on", result.err)
                self.assertIn("or say ?load=insert", result.err)
            for uri in (member + "&load=insert", server.uri(target)):
                self.run_program("migrate", path, uri, "--state", self.path("state%d" % len(uri)))
                self.assertEqual(server.ask(target, "SELECT * FROM t ORDER BY id; DROP TABLE t"), [["1"], ["2"]])

    def test_a_database_that_there_is_not(self):
        path = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for source, target in ((self.server.uri("nowhere"), "sqlite:out.db"), (path, self.server.uri("nowhere"))):
            for command in ("check", "migrate"):
                result = self.run_program(command, source, target, code=2)
                self.assertIn("Unknown database 'nowhere'", result.err)
                self.assertIn("create the database first, or name another one", result.err)

    def test_a_server_that_is_only_read(self):
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        with mariadb.Server({"read-only": "1"}) as server:
            target = server.database()
            server.ask("", "CREATE USER w@'127.0.0.1'; GRANT ALL ON `%s`.* TO w@'127.0.0.1'" % target)
            for command in ("check", "migrate"):
                result = self.run_program(command, path, "mysql://w@127.0.0.1:%d/%s" % (server.port, target), code=2)
                self.assertIn("the server is read-only", result.err)
                self.assertIn("give the primary's address", result.err)
            self.assertEqual(server.rows(target), {})
            server.ask(target, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
            self.read("mysql://w@127.0.0.1:%d/%s" % (server.port, target))

    def test_no_connection_is_left(self):
        """Of ten a server keeps one more for who may do everything."""
        for settings, user, most, said in (({"max-connections": "10"}, "root", 11, "the server has no connection left"),
                                           ({}, "few", 2,
                                            "the user's own limit is reached|the user has no connection left")):
            with self.subTest(user), mariadb.Server(settings) as server:
                name = server.database()
                server.ask(name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
                server.ask("",
                           "CREATE USER few@'127.0.0.1' WITH MAX_USER_CONNECTIONS 2; "
                           "GRANT SELECT ON *.* TO few@'127.0.0.1'")
                uri = "mysql://%s@127.0.0.1:%d/%s" % (user, server.port, name)
                held = []
                try:
                    self.wait_until("no connection is left", lambda: self.hold(user, server.port, held) == most)
                    result = self.run_program("migrate", uri, "sqlite:no.db", "--state", self.path("no" + user), code=3)
                    self.assertRegex(result.err, said)
                finally:
                    for process in held:
                        process.kill()
                        process.communicate()

    @staticmethod
    def hold(user, port, held):
        """Takes one more connection, if there is one; how many are held now."""
        process = subprocess.Popen(["mariadb", "--no-defaults", "-nNBu" + user, "-h127.0.0.1", "-P%d" % port, "-e",
                                    "SELECT 'here'; SELECT sleep(600)"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if process.stdout.readline() == "here\n":
            held.append(process)
        else:
            process.communicate()
        return len(held)

    def test_a_full_disk(self):
        """The server's own space has an end: said with what to do, and the run goes on once there is room."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); "
                                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                   "SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO t SELECT i, "
                                   "hex(zeroblob(1000)) FROM n")
        with mariadb.Server({"innodb-file-per-table": "0",
                             "innodb-data-file-path": "ibdata1:12M:autoextend:max:24M"}) as server:
            target = server.database()
            arguments = (path, server.uri(target), "--chunk-rows", "1000")
            result = self.run_program("migrate", *arguments, code=3)
            self.assertIn("make room, then resume", result.err)
            server.end()
            server.settings["innodb-data-file-path"] = "ibdata1:12M:autoextend"
            server.start()
            self.run_program("resume", *arguments[:2])
            self.assertEqual(server.ask(target, "SELECT count(*), sum(length(v)) FROM t"), [["12000", "24000000"]])

    def test_tls_and_accounts(self):
        server = self.server
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        server.ask("",
                   "INSTALL SONAME 'auth_ed25519'; CREATE USER e@'127.0.0.1' IDENTIFIED VIA ed25519 USING "
                   "PASSWORD('x y'); "
                       "GRANT ALL ON *.* TO e@'127.0.0.1' REQUIRE SSL")
        for options, user, code, said in (
                ("?sslmode=verify-full&sslrootcert=" + server.certificate, "root", 0, ""),
                ("?sslmode=verify-full", "root", 3, "self-signed certificate"),
                ("?sslmode=require", "e:x%20y", 0, "can be seen by other users"),
                ("?sslmode=disable", "e:x%20y", 2, "Access denied"),
                ("", "e:wrong", 2, "Access denied")):
            with self.subTest(options, user=user):
                uri = "mysql://%s@127.0.0.1:%d/%s%s" % (user, server.port, server.database(), options)
                result = support.transhume("migrate", source, uri, "--state", self.path(str(hash((options, user)))),
                                           cwd=self.folder)
                self.assertEqual(result.code, code, result.err)
                self.assertIn(said, result.err)


class OldServers(test_mysql.MysqlCase):
    """What MySQL 5.5 says otherwise, by way of a proxy that says it."""

    @staticmethod
    def as_old(data, first):
        if first:   # the greeting: a number, then the version
            payload = data[4:]
            payload = payload[:1] + b"5.5.62-log" + payload[payload.index(b"\0"):]
            return len(payload).to_bytes(3, "little") + data[3:4] + payload
        return re.sub(rb"Trx id counter \d\d", b"Trx id counter 1A", data)

    def test_a_count_of_transactions_with_letters(self):
        """Cut at the first letter it would prove that nothing was written."""
        with tcp_proxy.ChangingProxy(self.server.port, self.as_old) as proxy:
            for changed in (False, True):
                with self.subTest(changed=changed):
                    source = self.made("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT seq, "
                                       "1 FROM seq_1_to_3000")
                    self.server.ask(source, "".join("UPDATE t SET v = %d WHERE id = 1;" % number
                                                    for number in range(1000)))
                    self.assertGreater(self.transactions(), 999)   # of which letters can stand before others
                    arguments = ("mysql://root@127.0.0.1:%d/%s?sslmode=disable" % (proxy.port, source),
                                 "sqlite:t%d.db" % changed,
                                 "--state", self.path("state%d" % changed))
                    self.assertEqual(support.kill_at("sqlite.after_commit", 1, "migrate", "--chunk-rows", "1000",
                                                     "--jobs", "1",
                                                     *arguments, cwd=self.folder).code, -9)
                    if changed:
                        self.server.ask(source, "UPDATE t SET v = -1")
                    result = self.run_program("resume", *arguments, code=1 if changed else 0)
                    self.assertEqual("mixed snapshot" in result.out + result.err, changed)

    def transactions(self):
        status = self.server.ask("", "SHOW ENGINE INNODB STATUS")[0][2]
        return int(re.search(r"Trx id counter (\d+)", status)[1])


class Identities(support.TestCase):
    def test_two_servers_of_one_name_are_two(self):
        """As the pods of two namespaces: their number, which comes of the port here, tells them apart."""
        with mariadb.Server() as server:
            uid = server.ask("", "SHOW VARIABLES LIKE 'server_uid'")
            source, target = server.database(), server.database()
            server.ask(source, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
            self.assert_code(support.transhume("migrate", server.uri(source), server.uri(target), cwd=self.folder), 0)
            with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
                told = file.read()
            ledger = "".join(str(row) for row in server.ask(target, "SELECT * FROM _transhume_ledger"))
            self.assertTrue(uid, "the server has a number of its own")
            self.assertIn(uid[0][1], told + ledger)


class Rights(test_mysql.MysqlCase):
    """Of the target's account: what it lacks is told before anything is made."""
    MAKING = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "REFERENCES")

    def account(self, *grants):
        """A new one's URI without the database."""
        self.accounts = getattr(self, "accounts", 0) + 1
        name = "`w@%s_%d`@'127.0.0.1'" % (self.id()[-20:], self.accounts)
        self.server.ask("", "CREATE USER %s IDENTIFIED BY 'p'; " % name + "".join("GRANT %s TO %s;" % (grant, name)
            for grant in grants))
        return "mysql://w%%40%s_%d:p@127.0.0.1:%d/" % (self.id()[-20:], self.accounts, self.server.port)

    def source(self):
        return support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, "
                                   "p INTEGER REFERENCES p(id), v TEXT); CREATE INDEX t_v ON t (p); "
                                   "INSERT INTO p VALUES (1); "
                                   "INSERT INTO t VALUES (1, 1, 'new'), (2, 1, 'new')")

    def test_what_a_run_that_makes_tables_needs(self):
        path = self.source()
        for lacking in self.MAKING[:-1]:
            with self.subTest(lacking):
                target = self.made()
                uri = self.account("%s ON `%s`.*" % (", ".join(right for right in self.MAKING if right != lacking),
                                                     target)) + target
                for command in ("check", "migrate"):
                    result = self.run_program(command, path, uri, "--state", self.path("s" + lacking), code=2)
                    self.assertRegex(result.out + result.err, "the account lacks %s on the database %s: GRANT"
                                     % (lacking, target))
                self.assertEqual(self.server.rows(target), {})
                for grant in re.findall(r"GRANT .* TO \S+", result.out + result.err):   # what it says to do is enough
                    self.server.ask("", grant)
                self.migrate(path, uri, "--state", self.path("s" + lacking))
        target = self.made()
        uri = self.account("%s ON `%s`.*" % (", ".join(self.MAKING), target)) + target
        self.migrate(path, uri, "--state", self.path("all"))
        self.assertEqual(self.server.ask(target, "SELECT * FROM t ORDER BY id"), [["1", "1", "new"], ["2", "1", "new"]])
        self.assertEqual(self.keys(target), ["PRIMARY", "t_v"])
        with open(self.path("all", "run.json"), encoding="utf-8") as file:
            self.run_program("rollback", "--run", json.load(file)["run"], uri, "--confirm", "--state", self.path("all"))
        self.assertEqual([table for table in self.server.rows(target) if not table.startswith("_")], [])

    def test_mariadb_makes_foreign_keys_without_the_right_to_refer(self):
        target = self.made()
        uri = self.account("%s ON `%s`.*" % (", ".join(self.MAKING[:-1]), target)) + target
        self.migrate(self.source(), uri)
        self.assertEqual(self.server.ask("",
                                         "SELECT table_name, referenced_table_name FROM "
                                         "information_schema.referential_constraints "
                                             "WHERE constraint_schema = '%s'" % target), [["t", "p"]])

    def test_what_records_that_are_there_need(self):
        """ALTER and REFERENCES are for tables that are made, UPDATE is the ledger's too."""
        path = self.source()
        base = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP"]
        for policy, code in (("append", 1), ("upsert", 0), ("replace", 0), ("skip", 0)):
            # Of what `append` alone needs is heard once there is a ledger, for which INSERT is needed.
            for lacking, lacks in ((None, code), ("CREATE TEMPORARY TABLES", 3 if policy == "append" else 2),
                                   ("INSERT", 2)):
                with self.subTest(policy, lacking=lacking):
                    target = self.made("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, "
                                       "p int, v varchar(9));"
                                       "INSERT INTO t VALUES (1, 1, 'old')")
                    uri = self.account("%s ON `%s`.*" % (", ".join(
                        right for right in base + ["CREATE TEMPORARY TABLES"] if right != lacking), target)) + target
                    state = self.path("%s%d" % (policy, len(lacking or "")))
                    result = self.run_program("migrate", path, uri, "--existing", policy, "--state", state, code=lacks)
                    self.assertEqual("lacks" in result.err, lacking is not None, result.err)
                    self.assertIn("the account lacks %s on" % lacking if lacking else "", result.err)

    def test_rights_on_tables(self):
        path, target = self.source(), self.made("CREATE TABLE p (id int PRIMARY KEY); "
                                                "CREATE TABLE t (id int PRIMARY KEY, p int, v varchar(9))")
        ledger = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON `%s`.`_transhume_%s`"
        own = [ledger % (target, name) for name in ("run", "chunk", "done", "made")]
        uri = self.account(*own, "SELECT, INSERT ON `%s`.t" % target, "SELECT ON `%s`.p" % target) + target
        result = self.run_program("check", path, uri, "--existing", "append", code=2)
        self.assertIn("the account lacks INSERT on the table p", result.out + result.err)
        self.assertNotIn("on the database", result.out + result.err)

    def test_what_comes_by_a_role_is_believed_in(self):
        path, target = self.source(), self.made()
        self.server.ask("", "CREATE ROLE writers; GRANT ALL ON `%s`.* TO writers" % target)
        uri = self.account("writers") + target
        name = "`w@%s_%d`@'127.0.0.1'" % (self.id()[-20:], self.accounts)
        self.server.ask("", "SET DEFAULT ROLE writers FOR %s" % name)
        self.migrate(path, uri)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM t"), [["2"]])

    def test_what_the_same_user_may_from_elsewhere(self):
        """
        Rights on a database are found by the user's name and the client's host, whichever account that is; so are those
        of the anonymous user.
        """
        for other in ("w@'%'", "''@'%'"):
            with self.subTest(other), mariadb.Server() as server:
                path, target = self.path("s.db"), server.database()
                if not os.path.exists(path):
                    self.source()
                server.ask("",
                           "CREATE USER w@'127.0.0.1'; CREATE USER IF NOT EXISTS %s; GRANT SELECT, INSERT, UPDATE, "
                           "DELETE, CREATE, DROP "
                               "ON `%s`.* TO %s" % (other, target, other))
                uri = "mysql://w@127.0.0.1:%d/%s" % (server.port, target)
                result = self.run_program("migrate", path, uri, "--state", self.path("refused" + other[:1]), code=2)
                self.assertIn("the account lacks ALTER on the database", result.err)
                server.ask("", "GRANT ALTER ON `%s`.* TO %s" % (target, other))
                self.migrate(path, uri, "--state", self.path("done" + other[:1]))
                self.assertEqual(server.ask(target, "SELECT count(*) FROM t"), [["2"]])

    def test_what_everybody_may_is_believed_in(self):
        with mariadb.Server() as server:
            path, target = self.source(), server.database()
            server.ask("", "CREATE USER w@'127.0.0.1'; GRANT ALL ON `%s`.* TO PUBLIC" % target)
            self.migrate(path, "mysql://w@127.0.0.1:%d/%s" % (server.port, target))
            self.assertEqual(server.ask(target, "SELECT count(*) FROM t"), [["2"]])


if __name__ == "__main__":
    unittest.main()
