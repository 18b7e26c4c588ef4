"""Reaching a PostgreSQL: passwords, TLS, sockets, poolers, rights; and what is said when it can't be reached."""
import os
import socket
import subprocess
import time
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import servers
import support

HBA = """
local all postgres trust
host  all postgres 127.0.0.1/32 trust
local all all scram-sha-256
hostssl all cert_user 127.0.0.1/32 cert
host  all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "p@s:s/w#o%r d"
ENCODED = "p%40s%3As%2Fw%23o%25r%20d"
# None of the user's own settings.
CLEAN = {name: None for name in os.environ if name.startswith("PG")}


class Connect(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, hba=HBA, tls=True)
        cls.server.psql("postgres", "CREATE ROLE mover LOGIN PASSWORD '%s'; CREATE ROLE reader LOGIN PASSWORD 'reader'"
                        % PASSWORD)
        cls.name = cls.server.database()
        cls.server.psql(cls.name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                                  "CREATE TABLE secret (id int PRIMARY KEY); GRANT SELECT ON t TO mover, reader")

    def uri(self, user="mover", password=None, options="", host="127.0.0.1"):
        login = user if password is None else "%s:%s" % (user, password)
        return "postgres://%s@%s:%d/%s%s" % (login, host, self.server.port, self.name, options)

    def copy(self, uri, code=0, env=None, include="t"):
        self.count = getattr(self, "count", 0) + 1
        result = self.run_program("migrate", "--include", include, uri, "sqlite:out%d.db" % self.count, "--state",
                                  self.path("state%d" % self.count), code=code,
                                  env=dict(CLEAN, HOME=self.folder, **(env or {})))
        self.assertNotIn(PASSWORD, result.out + result.err)
        return result

    def test_passwords(self):
        self.copy(self.uri(password=ENCODED))
        self.copy(self.uri(), env={"PGPASSWORD": PASSWORD})
        with open(self.path(".pgpass"), "w", encoding="utf-8") as file:
            file.write("127.0.0.1:%d:*:mover:%s\n" % (self.server.port, PASSWORD.replace(":", "\\:")))
        os.chmod(self.path(".pgpass"), 0o600)
        self.copy(self.uri())
        os.unlink(self.path(".pgpass"))
        for wrong in (self.uri(), self.uri(password="wrong-password")):
            result = self.copy(wrong, code=2)
            self.assertIn("[credentials]", result.err)
            self.assertIn("PGPASSWORD", result.err)
            self.assertNotIn("wrong-password", result.err)

    def test_sockets_services_and_variables(self):
        folder = self.server.folder
        self.copy("postgres:///%s?host=%s" % (self.name, folder),
                  env={"PGPORT": str(self.server.port), "PGUSER": "postgres"})
        self.write(".pg_service.conf", "[shop]\nhost=127.0.0.1\nport=%d\nuser=postgres\ndbname=%s\n"
                   % (self.server.port, self.name))
        self.copy("postgres://?service=shop")
        self.copy("postgresql://", env={"PGHOST": "127.0.0.1", "PGPORT": str(self.server.port), "PGUSER": "postgres",
                                        "PGDATABASE": self.name})

    def test_tls(self):
        login = {"PGPASSWORD": PASSWORD}
        root = "&sslrootcert=" + self.server.certificate
        self.copy(self.uri(options="?sslmode=verify-full" + root), env=login)
        self.copy(self.uri(options="?sslmode=verify-full" + root, host="localhost"), env=login)
        self.copy(self.uri(options="?sslmode=disable"), env=login)
        # the system's authorities do not know it
        result = self.copy(self.uri(options="?sslmode=verify-full"), code=3, env=login)
        self.assertIn("[tls]", result.err)

    def test_rights(self):
        login = {"PGPASSWORD": PASSWORD}
        result = self.copy(self.uri(), code=2, env=login, include="secret")
        self.assertIn("[permission]", result.err)
        self.assertIn("secret", result.err)
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE fresh (id INTEGER PRIMARY KEY);")
        env = dict(CLEAN, **login)
        result = self.run_program("migrate", source, self.uri(), code=2, env=env)
        self.assertIn("GRANT CREATE", result.err)
        self.server.psql(self.name, "GRANT CREATE ON SCHEMA public TO mover")
        self.run_program("migrate", source, self.uri(), env=env)

    def test_hidden_rows_are_no_copy(self):
        self.server.psql(self.name, "CREATE TABLE guarded (id int PRIMARY KEY); INSERT INTO guarded VALUES (1), (2); "
                                    "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY partly ON guarded USING "
                                    "(id = 1); GRANT SELECT ON guarded TO mover")
        result = self.copy(self.uri(), code=2, env={"PGPASSWORD": PASSWORD}, include="guarded")
        self.assertIn("row-level security", result.err)

    def test_what_is_not_there(self):
        for uri, code, words in (
                ("postgres://postgres@127.0.0.1:%d/nothing" % self.server.port, 2, "nothing"),
                ("postgres://postgres@127.0.0.1:%d/%s?schema=nothing" % (self.server.port, self.name), 2, "schema"),
                ("postgres://postgres@127.0.0.1:%d/%s" % (servers.free_port(), self.name), 3, "check host and port"),
                (self.uri(options="?sslmod=require"), 2, "sslmode")):
            with self.subTest(uri):
                result = self.copy(uri, code=code)
                self.assertIn(words, result.err)

    def pooler(self, mode):
        """A running PgBouncer before the server: its port."""
        port = servers.free_port()
        settings = os.path.join(self.server.folder, "pgbouncer-%s.ini" % mode)   # where the server's user may read
        text = ("[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
                "listen_port=%d\nunix_socket_dir=\nauth_type=any\nmax_client_conn=40\npool_mode=%s\n"
                % (self.server.port, port, mode))
        with open(settings, "w", encoding="utf-8") as file:
            file.write(text)
        guard = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            guard = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "KILL"]
        try:
            pooler = subprocess.Popen([*guard, "pgbouncer", settings], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, cwd="/")
        except FileNotFoundError:
            self.skipTest("no pgbouncer is installed")
        self.addCleanup(pooler.wait, 10)
        self.addCleanup(pooler.terminate)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return port
            except OSError:
                self.assertLess(time.monotonic(), deadline, "PgBouncer does not answer")
                time.sleep(0.02)

    def test_a_pooler_is_refused_unless_it_keeps_sessions(self):
        port = self.pooler("transaction")
        uri = "postgres://postgres@127.0.0.1:%d/%s" % (port, self.name)
        refused = self.run_program("migrate", uri, "sqlite:pool.db", code=2, env=CLEAN)
        self.assertIn("pooler=session", refused.err)
        caught = self.run_program("migrate", uri + "?pooler=session", "sqlite:pool.db", code=2, env=CLEAN)
        self.assertIn("one connection to several sessions", caught.err)

    def test_a_pooler_that_keeps_sessions(self):
        port = self.pooler("session")
        source, target = self.server.database(), self.server.database()
        self.server.psql(source, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM "
                                 "generate_series(1, 3000) i")
        uris = ["postgres://postgres@127.0.0.1:%d/%s?pooler=session" % (port, name) for name in (source, target)]
        self.run_program("migrate", "--chunk-rows", "500", *uris, env=CLEAN)
        self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"), [["3000", str(3000 * 3001 // 2)]])
        self.run_program("validate", "--level", "full", *uris, env=CLEAN)


if __name__ == "__main__":
    unittest.main()
