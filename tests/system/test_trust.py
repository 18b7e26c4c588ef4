"""
What a plan or another file may make a run do: which commands, with which variables, whose files, and what of others is
loaded.
"""
import ctypes
import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import cache
import support
from engines import duckdb as engine

HEAD = "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\n"
PRINTS = "[/bin/sh, -c, 'env >ran']"
# What no program of a file is given unless the file names it.
SECRETS = {"PGPASSWORD": "canaryPassword7", "MYSQL_PWD": "canaryPassword8", "AWS_SECRET_ACCESS_KEY": "canaryPassword9",
           "TRANSHUME_TOKEN": "canaryPassword0",
           "LD_PRELOAD_OF_OTHERS": "canaryPassword1"}


class Trust(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1);")

    def try_program(self, *arguments, **options):
        """Whatever its exit code is."""
        return support.transhume(*arguments, cwd=self.folder, **options)

    def ran(self):
        """The variables that the command of a file found; None: it was not started."""
        if not os.path.exists(self.path("ran")):
            return None
        found = dict(line.split("=", 1) for line in support.read_lines(self.path("ran")) if "=" in line)
        os.remove(self.path("ran"))
        return found

    def clean(self):
        for name in (".transhume", "copy.db"):
            path = self.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)


class Programs(Trust):
    """What a file says is run: by every kind of receiver and of hook, in every command that reads the file."""

    WAYS = {"command": "command: %s" % PRINTS, "sendmail": "email: x@example.com, sendmail: %s" % PRINTS}

    def write_alerts(self, way, more=""):
        receiver = "{ %s, events: [run], severity: info%s }" % (self.WAYS[way], more)
        self.write("transhume.yaml", HEAD + "alerts: { mine: %s }\n" % receiver)
        self.write("alerts.yaml", "alerts: { mine: %s }\n" % receiver)

    def test_alerts_have_to_be_allowed(self):
        for way in self.WAYS:
            self.write_alerts(way)
            for command in (["migrate"], ["migrate", "--dry-run"], ["check"], ["validate"], ["alerts", "test"],
                            ["migrate", "shop.db", "copy.db", "--alerts", "alerts.yaml"]):
                with self.subTest(way=way, command=command):
                    told = self.run_program(*command, code=5, env=SECRETS)
                    self.assertIn("env >ran", told.out + told.err)
                    self.assertIn("--allow-commands", told.out + told.err)
                    self.assertIsNone(self.ran())
                    self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_an_address_alone_runs_a_program_too(self):
        self.write("transhume.yaml", HEAD + "alerts: { mine: { email: x@example.com } }\n")
        self.assertIn("/usr/sbin/sendmail", self.run_program("migrate", code=5).err)

    def test_check_lists_them(self):
        self.write_alerts("sendmail")
        told = self.run_program("check", "--allow-commands")
        self.assertIn("alerts of mine: e-mail by the command: /bin/sh -c env >ran", told.out)
        self.assertEqual(len(json.loads(self.run_program("check", "--allow-commands", "--json").out)["hooks"]), 1)
        self.assertIsNone(self.ran())

    def test_what_they_are_given(self):
        for way in self.WAYS:
            self.write_alerts(way)
            self.run_program("migrate", "--allow-commands", env=SECRETS)
            found = self.ran()
            self.assertIn("PATH", found)
            self.assertFalse(set(SECRETS) & set(found), way)
            self.clean()
            self.write_alerts(way, ", env: [PGPASSWORD]")
            self.run_program("migrate", "--allow-commands", env=SECRETS)
            found = self.ran()
            self.assertEqual(set(SECRETS) & set(found), {"PGPASSWORD"}, way)
            self.clean()

    def test_what_hooks_are_given(self):
        for env in ("", ", env: MYSQL_PWD"):
            self.write("transhume.yaml", HEAD + "after: { command: %s%s }\n" % (PRINTS, env))
            self.run_program("migrate", "--allow-commands", env=dict(SECRETS, TZ="UTC", LC_ALL="C"))
            found = self.ran()
            self.assertEqual((found["TZ"], found["LC_ALL"], found["HOOK_NAME"]), ("UTC", "C", "after"))
            self.assertEqual(set(SECRETS) & set(found), {"MYSQL_PWD"} if env else set())
            self.clean()
        self.write("transhume.yaml", HEAD + "after: { sql: SELECT 1, env: X }\n")
        self.assertIn("'env' is for commands", self.run_program("check", code=2).err)
        self.write("transhume.yaml", HEAD + "after: { command: 'true', env: ['X=1'] }\n")
        self.assertIn("is no variable's name", self.run_program("check", code=2).err)

    def test_what_the_command_line_says_is_run(self):
        """As from a shell: without a permission, with all variables."""
        self.write("tell", "#!/bin/sh\nenv >ran\n")
        os.chmod(self.path("tell"), 0o700)
        self.run_program("migrate", "shop.db", "copy.db", "--notify", "./tell", env=SECRETS)
        self.assertEqual(set(SECRETS) & set(self.ran()), set(SECRETS))

    def test_a_resume_by_the_plan_that_was_kept(self):
        """The plan's copy in the state folder is a plan, too."""
        self.write_alerts("command")
        os.rename(self.path("transhume.yaml"), self.path("mine.yaml"))
        support.kill_at("engine.after_commit", 1, "migrate", "--plan", "mine.yaml", "--allow-commands", cwd=self.folder)
        os.remove(self.path("mine.yaml"))
        self.ran()
        told = self.run_program("validate", code=5).err
        self.assertIn("[commands-refused]", told)
        self.assertIsNone(self.ran())


class ForeignFiles(Trust):
    """${file:PATH} in a plan, which the plan sends to wherever it says."""

    def test_files_that_would_be_sent(self):
        self.write("secret", "canaryFile7")
        for text in ('source: "postgres://app:${file:secret}@127.0.0.1:1/shop"\ntarget: sqlite:copy.db\n',
                     'source: sqlite:shop.db\ntarget: "postgres://127.0.0.1:1/${file:secret}"\n',
                     'source: sqlite:shop.db\ntarget: sqlite:copy.db\noptions: { ledger: '
                     '"postgres://${file:secret}@127.0.0.1:1/l" }\n',
                     'source: sqlite:shop.db\ntarget: sqlite:copy.db\nafter: "CREATE TABLE x(y DEFAULT '
                     '\'${file:secret}\')"\n',
                     'source: sqlite:shop.db\ntarget: sqlite:copy.db\nalerts: { a: { webhook: '
                     '"http://127.0.0.1:1/${file:secret}" } }\n'):
            self.write("transhume.yaml", "transhume: 1\n" + text)
            for command in ("check", "migrate", "validate"):
                with self.subTest(text=text, command=command):
                    told = self.run_program(command, code=5).err
                    self.assertIn("[commands-refused]", told)
                    self.assertIn("secret", told)
                    self.assertNotIn("canaryFile7", told)
        self.write("transhume.yaml", HEAD.replace("sqlite:copy.db", '"sqlite:${file:name}"'))
        self.write("name", "copy.db\n")
        self.run_program("migrate", "--allow-commands")
        self.assertTrue(os.path.exists(self.path("copy.db")))

    def test_variables_and_connections_need_no_permission(self):
        self.write("transhume.yaml", 'transhume: 1\nsource: "sqlite:${SHOP}"\ntarget: "@copy"\n')
        self.write("name", "copy.db\n")
        self.write("connections.yaml", 'copy: "sqlite:${file:name}"\n')
        os.chmod(self.path("connections.yaml"), 0o600)
        self.run_program("migrate", env={"SHOP": "shop.db", "TRANSHUME_CONNECTIONS": self.path("connections.yaml")})


class Owners(Trust):
    """Files and folders that say what a run does."""

    def refused(self, *command, why, env=None):
        told = self.run_program(*command, code=5, env=env)
        self.assertIn(why, told.err)
        self.assertIn("[file-untrusted]", told.err)
        self.assertEqual(len([line for line in told.err.splitlines() if not line.startswith(" ")]), 1, told.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def files(self):
        """Name of the file, and the command that reads it."""
        self.write("transhume.yaml", HEAD)
        self.write("connections.yaml", "shop: sqlite:shop.db\n")
        self.write("alerts.yaml", "alerts: { a: { webhook: 'http://127.0.0.1:1/' } }\n")
        self.write("settings.yaml", "BATCH_SIZE: 10\n")
        os.makedirs(self.path("migrations"), exist_ok=True)
        self.write(os.path.join("migrations", "001_a.up.sql"), "CREATE TABLE a(b INTEGER);\n")
        self.write("c.change.yaml",
                   "change: 1\nsteps: [{ add_column: { table: t, column: { name: x, type: INTEGER } } }]\n")
        return {"transhume.yaml": ["check"], "connections.yaml": ["check", "@shop", "copy.db", "--connections",
                                                                  "connections.yaml"],
                "alerts.yaml": ["migrate", "shop.db", "copy.db", "--alerts", "alerts.yaml"],
                "settings.yaml": ["check", "shop.db", "copy.db", "--settings", "settings.yaml"],
                os.path.join("migrations", "001_a.up.sql"): ["schema", "up", "copy.db"],
                "c.change.yaml": ["change", "start", "c.change.yaml", "shop.db"]}

    def test_everybody_may_write_it(self):
        for name, command in self.files().items():
            with self.subTest(name=name):
                os.chmod(self.path(name), 0o606)
                self.refused(*command, why="everybody may write it")
                os.chmod(self.path(name), 0o600)

    def test_lint_runs_nothing_of_it(self):
        name = self.path([name for name in self.files() if name.startswith("migrations")][0])
        os.chmod(name, 0o666)
        self.assertNotIn("file-untrusted", self.try_program("schema", "lint", "--dialect", "sqlite").err)
        self.assertNotIn("file-untrusted", self.try_program("schema", "lint", "--dialect", "sqlite", name).err)
        self.refused("schema", "up", "copy.db", why="everybody may write it")

    def test_everybody_may_replace_it(self):
        files = self.files()
        os.mkdir(self.path("open"))
        for name, command in files.items():
            with self.subTest(name=name):
                if name.startswith("migrations"):
                    folder, command = self.path("migrations"), command
                else:
                    folder = self.path("open")
                    os.rename(self.path(name), self.path("open", name))
                    command = [os.path.join("open", word) if word == name else word for word in command] + \
                        (["--plan", "open/transhume.yaml"] if name == "transhume.yaml" else [])
                os.chmod(folder, 0o777)
                self.refused(*command, why="everybody may write the folder")
                os.chmod(folder, 0o700)

    def test_a_folder_as_tmp_is_fine(self):
        os.chmod(self.folder, 0o1777)
        self.write("transhume.yaml", HEAD)
        self.run_program("check")

    def test_groups(self):
        """One that is the owner's alone may write; any other may not."""
        self.write("transhume.yaml", HEAD)
        os.chmod(self.path("transhume.yaml"), 0o660)
        user = pwd.getpwuid(os.geteuid())
        own = grp.getgrgid(os.stat(self.path("transhume.yaml")).st_gid)
        if own.gr_gid == 0 or (own.gr_name == user.pw_name and set(own.gr_mem) <= {user.pw_name}):
            self.run_program("check")
        others = [group for group in os.getgroups() if group not in (0, user.pw_gid)] if os.geteuid() != 0 else [100]
        if others:
            os.chown(self.path("transhume.yaml"), -1, others[0])
            self.refused("check", why="a group of several users may write it")
            self.run_program("check", "--trust-files")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
    def test_it_is_another_user_s(self):
        for name, command in self.files().items():
            with self.subTest(name=name):
                os.chown(self.path(name), 65534, 65534)
                self.refused(*command, why="belongs to another user")
                os.chown(self.path(name), 0, 0)
        os.symlink(self.path("transhume.yaml"), self.path("link.yaml"))
        os.chown(self.path("link.yaml"), 65534, 65534, follow_symlinks=False)
        self.refused("check", "--plan", "link.yaml", why="belongs to another user")

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "only root can be another user, by setpriv")
    @unittest.skipIf(support.UNDER_VALGRIND, "valgrind's logs are closed to another user")
    def test_root_s_files_are_fine(self):
        folder = tempfile.mkdtemp(prefix="test-", dir="/tmp")  # where another user can come
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        for name in (support.PROGRAM, self.path("shop.db")):
            shutil.copy(name, folder)
        with open(os.path.join(folder, "transhume.yaml"), "w", encoding="utf-8") as file:
            file.write(HEAD)
        os.chmod(folder, 0o1777)
        os.chmod(os.path.join(folder, "shop.db"), 0o644)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               os.path.join(folder, "transhume"), "migrate"],
                              cwd=folder, capture_output=True, check=False,
                              env=support.environment_with({"HOME": folder, "TRANSHUME_FAILPOINT_COUNT": None}))
        self.assertEqual(done.returncode, 0, done)

    def test_state_folders(self):
        self.write("transhume.yaml", HEAD)
        support.kill_at("engine.after_commit", 1, "migrate", cwd=self.folder)
        os.chmod(self.path(".transhume"), 0o707)
        for command in (["migrate"], ["resume"], ["validate"], ["rollback", "--run", self.run_id(), "--confirm"],
                        ["reset", "--confirm"]):
            with self.subTest(command=command):
                told = self.run_program(*command, code=5).err
                self.assertIn("[file-untrusted]", told)
        self.try_program("status")
        self.run_program("resume", "--trust-files")

    def test_trust_files(self):
        self.write("transhume.yaml", HEAD)
        os.chmod(self.path("transhume.yaml"), 0o666)
        self.run_program("migrate", "--trust-files")
        self.run_program("validate", env={"TRANSHUME_TRUST_FILES": "1"})

    def test_a_pipe_is_no_file(self):
        process = support.start("check", "--plan", "/dev/stdin", cwd=self.folder, stdin=subprocess.PIPE)
        out, err = process.communicate(HEAD.encode())
        self.assertEqual(process.returncode, 0, (out, err))


class Code(Trust):
    """URI options that name a library or a program."""

    CASES = ("duckdb:x.duckdb?library=./e.so", "x.duckdb?%6cibrary=./e.so", "dump:d.dump?pg_restore=./e",
             "postgres://127.0.0.1:1/x?sslkey=../e:key")

    def build(self):
        if shutil.which("cc") is None:
            self.skipTest("no C compiler")
        self.write("e.c",
                   '#include <stdio.h>\n__attribute__((constructor)) static void go(void) { FILE *f = fopen("ran", '
                   '"w"); if (f) fclose(f); }\n')
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "e.so", "e.c"], cwd=self.folder, check=True)
        self.write("e", "#!/bin/sh\n:>ran\n")
        os.chmod(self.path("e"), 0o700)
        self.write("x.duckdb", "")
        self.write("d.dump", "PGDMP")

    def test_of_a_plan(self):
        self.build()
        for uri in self.CASES:
            for key, other in (("source", "target: sqlite:copy.db"), ("target", "source: sqlite:shop.db"),
                               ("ledger", "source: sqlite:shop.db\ntarget: sqlite:copy.db")):
                text = 'options: { ledger: "%s" }' % uri if key == "ledger" else '%s: "%s"' % (key, uri)
                self.write("transhume.yaml", "transhume: 1\n%s\n%s\n" % (text, other))
                for command in (["check"], ["migrate", "--allow-commands", "--trust-files"]):
                    with self.subTest(uri=uri, key=key, command=command):
                        told = self.run_program(*command, code=5)
                        self.assertIn("runs code", told.out + told.err)
                        self.assertFalse(os.path.exists(self.path("ran")))

    def test_of_a_connection(self):
        self.build()
        for uri in self.CASES:
            self.write("connections.yaml", 'shop: "%s"\n' % uri)
            os.chmod(self.path("connections.yaml"), 0o600)
            for command in (["check", "@shop", "copy.db"], ["connections", "test"], ["diff", "@shop", "copy.db"]):
                with self.subTest(uri=uri, command=command):
                    told = self.try_program(*command, env={"TRANSHUME_CONNECTIONS": "connections.yaml"})
                    self.assertNotEqual(told.code, 0)
                    self.assertIn("runs code", " ".join((told.out + told.err).split()))
                    self.assertFalse(os.path.exists(self.path("ran")))

    def test_of_the_command_line_and_the_environment(self):
        self.build()
        self.write("transhume.yaml", 'transhume: 1\nsource: "${SHOP}"\ntarget: sqlite:copy.db\n')
        for command, env in ((["check", self.CASES[0], "copy.db"], {}), (["check"], {"SHOP": self.CASES[0]})):
            told = self.try_program(*command, env=env).err
            self.assertNotIn("runs code", told)
            self.assertNotIn("no module", told)
            self.assertTrue(os.path.exists(self.path("ran")), told)
            os.remove(self.path("ran"))


class OtherFiles(Trust):
    """A database from somebody else, which a plan names."""

    def make_duckdb(self, library, path, *statements):
        duckdb = ctypes.CDLL(library)
        database, connection, result = ctypes.c_void_p(), ctypes.c_void_p(), (ctypes.c_uint64 * 16)()
        self.assertEqual(duckdb.duckdb_open(path.encode(), ctypes.byref(database)), 0)
        self.assertEqual(duckdb.duckdb_connect(database, ctypes.byref(connection)), 0)
        for statement in statements:
            self.assertEqual(duckdb.duckdb_query(connection, statement.encode(), ctypes.byref(result)), 0, statement)
        duckdb.duckdb_disconnect(ctypes.byref(connection))
        duckdb.duckdb_close(ctypes.byref(database))

    def test_duckdb_reaches_no_other_file(self):
        if not os.path.exists(os.path.join(os.path.dirname(support.PROGRAM), "duckdb.so")):
            self.skipTest("no libduckdb: this build has no module for it")
        try:
            library = engine.library()
        except cache.Unavailable as fault:
            self.skipTest("no libduckdb: %s" % fault)
        self.write("secret.txt", "canaryFile7")
        self.make_duckdb(library, self.path("h.duckdb"), "CREATE TABLE t(id INTEGER PRIMARY KEY)",
                         "INSERT INTO t VALUES (1)",
                         "CREATE VIEW v AS SELECT 1 AS id, content FROM read_text('%s')" % self.path("secret.txt"))
        env = {"TRANSHUME_DUCKDB": library}
        for command in (["check", "--sample", "1"], ["migrate"]):
            self.write("transhume.yaml",
                       "transhume: 1\nsource: duckdb:h.duckdb\ntarget: sqlite:copy.db\ntables: { v: { from: v } }\n")
            told = self.try_program(*command, env=env)
            self.assertNotEqual(told.code, 0)
            self.assertNotIn("canaryFile7", told.out + told.err)
        for query in ("SELECT 1 AS id, content FROM read_text('secret.txt')", "SELECT id, content FROM v",
                      "SELECT 1 AS id, count(*) AS content FROM glob('*')"):
            self.write("transhume.yaml",
                       'transhume: 1\nsource: duckdb:h.duckdb\ntarget: sqlite:copy.db\ntables: { q: { key: id, '
                       'query: "%s" } }\n' % query)
            told = self.try_program("migrate", env=env)
            self.assertNotEqual(told.code, 0, query)
            self.assertIn("disabled by configuration", told.err)
            self.assertNotIn("canaryFile7", told.out + told.err)
        support.make_sqlite(self.path("plain.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1), (2);")
        self.run_program("migrate", "plain.db", "duckdb:into.duckdb", "--state", "into", env=env)
        self.run_program("validate", "plain.db", "duckdb:into.duckdb", "--state", "into", env=env)

    def test_sqlite_runs_nothing_while_it_is_looked_at(self):
        """A view that never ends, and one that would load a library."""
        support.make_sqlite(self.path("evil.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1);"
                            "CREATE VIEW forever AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
                            "SELECT count(*) AS n FROM c;"
                            "CREATE VIEW loads AS SELECT load_extension('./e.so') AS n;"
                            "CREATE VIEW tokens AS SELECT fts3_tokenizer('simple', x'0000000000000000') AS n;")
        for command in (["check"], ["diff"], ["init", "-o", "-"], ["migrate"]):
            with self.subTest(command=command):
                told = self.try_program(*command, *(["evil.db", "copy.db"]))
                self.assertLess(told.seconds, 20 * support.PATIENCE)
                self.assertNotIn(told.code, (3, -11, -6))
        self.write("transhume.yaml",
                   "transhume: 1\nsource: sqlite:evil.db\ntarget: sqlite:other.db\ntables: { loads: { from: "
                   "loads } }\n")
        self.assertRegex(self.try_program("migrate").err,
                         "'loads' is a view that can't be read: .*(unsafe use of load_extension|not authorized|no such "
                         "function)")


class Plaintext(Trust):
    def test_webhooks(self):
        for where in ("alerts: { a: { webhook: 'http://hooks.example/' } }",
                      "alerts: { a: { alertmanager: 'http://192.0.2.1:9093' } }"):
            self.write("transhume.yaml", HEAD + where + "\n")
            told = self.run_program("migrate", code=2).err
            self.assertIn("transhume.yaml:4:", told)
            self.assertIn("unencrypted", told)
            self.assertIn("--allow-plaintext", told)
            self.run_program("check", "--allow-plaintext")
        self.assertIn("--allow-plaintext", self.run_program("migrate", "shop.db", "copy.db", "--notify",
                                                            "http://hooks.example/", code=2).err)

    def test_a_variable_that_takes_tls_away(self):
        for mode, uri, warned in (("disable", "postgres://192.0.2.1:1/x", True),
                                  ("prefer", "postgres://192.0.2.1:1/x", True),
                                  ("allow", "postgres://192.0.2.1:1/x", True),
                                  ("disable", "postgres://127.0.0.1:1/x", False),
                                  ("disable", "postgres://192.0.2.1:1/x?sslmode=disable", False),
                                  ("verify-full", "postgres://192.0.2.1:1/x", False)):
            with self.subTest(mode=mode, uri=uri):
                told = self.try_program("check", uri, "copy.db", "--timeout", "300ms", env={"PGSSLMODE": mode}).err
                self.assertEqual(told.count("PGSSLMODE=%s of the environment" % mode), int(warned), told)


if __name__ == "__main__":
    unittest.main()
