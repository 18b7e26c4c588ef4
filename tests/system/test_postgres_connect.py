"""Reaching a PostgreSQL: passwords, TLS, sockets, poolers, rights; and what is said when it can't be reached."""
import contextlib
import os
import socket
import struct
import subprocess
import threading
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
hostssl all both_user 127.0.0.1/32 scram-sha-256 clientcert=verify-full
host  all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "p@s:s/w#o%r d"
ENCODED = "p%40s%3As%2Fw%23o%25r%20d"
# None of the user's own settings.
CLEAN = {name: None for name in os.environ if name.startswith("PG")}


class Filled(postgres.Server):
    """Its tables may have this many bytes, as on a disk that is full then; None: as many as there are."""
    room = 0

    def command(self):
        return [*(("prlimit", "--fsize=%d" % self.room) if self.room else ()), *super().command()]


def answer_all(listener, answer):
    """Whoever begins a session is told the same; ends with the listener."""
    with contextlib.suppress(OSError):
        while True:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)


class Connect(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, hba=HBA, tls=True)
        cls.server.psql("postgres",
                        "CREATE ROLE mover LOGIN PASSWORD '%s'; CREATE ROLE reader LOGIN PASSWORD 'reader'; "
                        "CREATE ROLE cert_user LOGIN; CREATE ROLE both_user LOGIN PASSWORD '%s'" % (PASSWORD, PASSWORD))
        cls.server.psql("postgres", "ALTER SYSTEM SET ssl_ca_file = '%s'" % cls.server.certificate)
        cls.server.psql("postgres", "SELECT pg_reload_conf()")
        cls.name = cls.server.database()
        cls.server.psql(cls.name, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                                  "CREATE TABLE secret (id int PRIMARY KEY); GRANT SELECT ON t TO mover, reader, "
                                  "cert_user, both_user")

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

    def test_client_certificates(self):
        certificate, key = self.server.client_certificate("cert_user", self.folder)
        other, others_key = self.server.client_certificate("both_user", self.folder)
        tls, proof = "?sslmode=verify-full&sslrootcert=" + self.server.certificate, "&sslcert=%s&sslkey=%s"
        self.copy(self.uri("cert_user", options=tls + proof % (certificate, key)))
        self.copy(self.uri("cert_user", options=tls), env={"PGSSLCERT": certificate, "PGSSLKEY": key})
        self.copy(self.uri("both_user", ENCODED, tls + proof % (other, others_key)))
        refused = ((self.uri("cert_user", options=tls), "valid client certificate"),
                   (self.uri("cert_user", options=tls + proof % (other, others_key)),
                    "certificate authentication failed"),
                   (self.uri("both_user", ENCODED, tls), "valid client certificate"),
                   (self.uri("both_user", ENCODED, tls + proof % (certificate, key)), "authentication failed"),
                   (self.uri("both_user", "wrong", tls + proof % (other, others_key)),
                    "password authentication failed"),
                   (self.uri("cert_user", options=tls + proof % (certificate, others_key)), "key values mismatch"),
                   (self.uri("cert_user", options=tls + proof % (certificate, self.path("nokey"))), "nokey"))
        for uri, said in refused:
            with self.subTest(uri):
                self.assertRegex(self.copy(uri, code=2).err, r"%s[^\n]* \[credentials\]" % said)
        os.chmod(key, 0o644)
        result = self.copy(self.uri("cert_user", options=tls + proof % (certificate, key)), code=2)
        self.assertRegex(result.err, r"%s[^\n]*access[^\n]* \[credentials\]" % key)
        self.assertIn("chmod 600", result.err)

    def test_channel_binding(self):
        tls = "?sslmode=require&channel_binding=require"
        self.copy(self.uri(password=ENCODED, options=tls))
        self.copy(self.uri(password=ENCODED, options="?sslmode=require"), env={"PGCHANNELBINDING": "require"})
        # what stands between, or does not know the password, can't prove that it does
        for options, role, said in ((tls.replace("require&", "disable&"), "mover", "channel binding"),
                                    (tls, "postgres", "channel binding")):
            result = self.copy(self.uri(role, ENCODED, options), code=2)
            self.assertRegex(result.err, r"%s[^\n]* \[credentials\]" % said)
            self.assertIn("channel_binding", result.err)

    def test_password_files(self):
        line = "127.0.0.1:%d:*:mover:%s\n" % (self.server.port, PASSWORD.replace(":", "\\:"))
        path = self.write("elsewhere", line)
        os.chmod(path, 0o600)
        self.copy(self.uri(options="?passfile=" + path))
        self.copy(self.uri(), env={"PGPASSFILE": path})
        self.copy(self.uri(options="?passfile=" + path), env={"PGPASSFILE": self.write("wrong",
            line.replace("mover", "nobody"))})
        os.chmod(path, 0o644)
        os.link(path, self.path(".pgpass"))
        for uri, env, name in ((self.uri(options="?passfile=" + path), {}, path),
                               (self.uri(), {"PGPASSFILE": path}, path),
                               (self.uri(), {}, self.path(".pgpass"))):
            result = self.copy(uri, code=2, env=env)
            self.assertIn("[credentials]", result.err)
            self.assertRegex(result.err.replace("\n", " "), "%s.* is ignored.*chmod 600" % name)

    def test_service_files(self):
        path = self.write("services", "[shop]\nhost=127.0.0.1\nport=%d\nuser=mover\npassword=%s\ndbname=%s\n"
                          "sslmode=verify-full\nsslrootcert=%s\n"
                          % (self.server.port, PASSWORD, self.name, self.server.certificate))
        self.copy("postgres://?service=shop", env={"PGSERVICEFILE": path})
        self.copy("postgres://", env={"PGSERVICEFILE": path, "PGSERVICE": "shop"})
        self.copy("postgres:///%s?service=shop" % self.name, env={"PGSERVICEFILE": path})
        # the URI's comes first
        self.copy("postgres://nobody@/%s?service=shop" % self.name, code=2, env={"PGSERVICEFILE": path})
        for file in (path, self.path("nofile")):
            result = self.copy("postgres://?service=stable", code=2, env={"PGSERVICEFILE": file})
            self.assertRegex(result.err, r"stable|nofile")
            self.assertNotIn("check host and port", result.err)

    def test_variables(self):
        self.copy("postgres://", env={"PGHOST": "127.0.0.1", "PGPORT": str(self.server.port), "PGUSER": "mover",
                                      "PGPASSWORD": PASSWORD, "PGDATABASE": self.name,
                                      "PGSSLMODE": "verify-full", "PGSSLROOTCERT": self.server.certificate})
        self.copy("postgres://", env={"PGHOST": "localhost", "PGHOSTADDR": "127.0.0.1", "PGPORT": str(self.server.port),
                                      "PGUSER": "mover", "PGPASSWORD": PASSWORD,
                                      "PGDATABASE": self.name})
        # the URI's come first
        self.copy(self.uri(password=ENCODED), env={"PGUSER": "nobody", "PGPASSWORD": "wrong", "PGDATABASE": "nothing",
                                                   "PGPORT": "1"})
        # a password by the socket
        self.copy("postgres://mover:%s@/%s?host=%s" % (ENCODED, self.name, self.server.folder),
                  env={"PGPORT": str(self.server.port)})

    def test_rights(self):
        login = {"PGPASSWORD": PASSWORD}
        result = self.copy(self.uri(), code=2, env=login, include="secret")
        self.assertIn("[permission]", result.err)
        self.assertIn("secret", result.err)
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE fresh (id INTEGER PRIMARY KEY);")
        env = dict(CLEAN, **login)
        result = self.run_program("migrate", source, self.uri(), code=2, env=env)
        self.assertIn("GRANT CREATE ON SCHEMA public TO mover", result.err)
        self.server.psql(self.name, "GRANT CREATE ON SCHEMA public TO mover")
        self.run_program("migrate", source, self.uri(), env=env)

    def test_hidden_rows_are_no_copy(self):
        self.server.psql(self.name, "CREATE TABLE guarded (id int PRIMARY KEY); INSERT INTO guarded VALUES (1), (2); "
                                    "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; "
                                    "CREATE POLICY partly ON guarded USING "
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

    def test_a_target_that_is_not_there(self):
        """Nobody makes a database: said with what to do, by `check`, too."""
        path = support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for command in ("check", "migrate"):
            result = self.run_program(command, path, "postgres://postgres@127.0.0.1:%d/nothing" % self.server.port,
                                      code=2, env=CLEAN)
            self.assertRegex(result.err, r'(?m)^error: .*database "nothing" does not exist \[target-missing\]$')
            self.assertIn("create the database first, or name another one", result.err)
        self.assertEqual(self.server.psql("postgres", "SELECT 1 FROM pg_database WHERE datname = 'nothing'"), [])

    def test_a_server_that_speaks_another_language(self):
        """A mock: which languages a server has depends on how it was installed."""
        said = (("28P01", "Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen", "credentials", "PGPASSWORD"),
                ("28000", "Rolle »x« darf nicht", "credentials", "PGPASSWORD"),
                ("3D000", "Datenbank »x« existiert nicht", "source-missing", "create the database"),
                ("42501", "keine Berechtigung für Datenbank »x«", "permission", "GRANT CONNECT"),
                ("53300", "zu viele Verbindungen", "network", "max_connections"),
                ("57P03", "das Datenbanksystem startet", "network", "wait"))
        for state, words, code, hint in said:
            with self.subTest(state), socket.create_server(("127.0.0.1", 0)) as listener:
                fields = "SFATAL\0VFATAL\0C%s\0M%s\0Fauth.c\0L330\0Rauth_failed\0\0" % (state, words)
                answer = b"E" + struct.pack("!i", len(fields.encode()) + 4) + fields.encode()
                threading.Thread(target=answer_all, args=(listener, answer), daemon=True).start()
                result = self.run_program("check", "postgres://x@127.0.0.1:%d/x?sslmode=disable"
                                          % listener.getsockname()[1], "sqlite:out.db",
                                          code=3 if code == "network" else 2)
                self.assertIn("FATAL:  %s [%s]" % (words, code), result.err)
                self.assertIn(hint, result.err)

    def test_a_full_disk(self):
        """Said with what to do, and the run goes on once there is room."""
        path = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); "
                                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                   "SELECT i + 1 FROM n WHERE i < 11000) INSERT INTO t SELECT i, "
                                   "hex(zeroblob(950)) FROM n")
        with Filled() as server:
            target = server.database()
            server.end()
            server.room = (17 << 20) + 100   # more than a file of the log
            server.start()
            arguments = (path, server.uri(target))
            for command in ("migrate", "resume"):
                result = self.run_program(command, *arguments,
                                          *(("--chunk-rows", "1000") if command == "migrate" else ()), code=3,
                                          env=CLEAN)
                self.assertRegex(result.err, r"(?m)^error: .*\[disk-full\]$")
                self.assertIn("make room on the server's disk, then resume", result.err.replace("\n  ", " "))
            self.assertGreater(int(server.psql(target, "SELECT count(*) FROM t")[0][0]), 5000)
            server.end()
            server.room = 0
            server.start()
            self.run_program("resume", *arguments, env=CLEAN)
            self.assertEqual(server.psql(target, "SELECT count(*), sum(length(v)) FROM t"), [["11000", "20900000"]])
            self.assertEqual(self.rejects(), [])

    def rejects(self):
        folder = self.path(".transhume", "rejects")
        return os.listdir(folder) if os.path.isdir(folder) else []

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
            pooler = subprocess.Popen([*guard, "pgbouncer", settings], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL,
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
