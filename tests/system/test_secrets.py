"""Canaries: secrets given through each way in, then looked for in everything that the program leaves or shows."""
import json
import os
import stat
import subprocess
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import net_support
import postgres
import refusals
import support

# Letters that URIs, YAML, JSON and shells all take as they are; one for each way, so that a find tells which.
CANARY = "canary%sQ7x2"
ODD = "can'ary\"%sQ\\7x2"


def answer_of_a_fool(method, target, headers, body):
    """A server that tells back all that it was sent, as its error."""
    told = " ".join("%s: %s" % pair for pair in headers.items())
    return 400, json.dumps({"__type": "com.amazonaws#AccessDeniedException", "message": "no: " + told}), {
        "Content-Type": "application/x-amz-json-1.0"}


class SecretCase(refusals.TestCase):
    def setUp(self):
        super().setUp()
        self.shop()
        self.home = self.path("home")
        os.makedirs(os.path.join(self.home, ".aws"))
        self.inputs = {self.path("shop.db")}

    def put(self, name, text, mode=0o600):
        """A file that holds a secret because the user put it there."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self.inputs.add(path)
        return path

    def environment(self, **changes):
        environment = net_support.clean_environment(changes, self.home)
        return dict({name: None for name in os.environ if name not in environment}, **environment)

    def files(self):
        """{path: contents} of all that is here and was not given."""
        found = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                if path not in self.inputs and not path.startswith(self.home):
                    with open(path, "rb") as file:
                        found[path] = file.read()
        return found

    def assert_nowhere(self, canaries, *results):
        for canary in canaries:
            for result in results:
                self.assertNotIn(canary, result.out, "on stdout")
                self.assertNotIn(canary, result.err, "on stderr")
            for path, contents in self.files().items():
                self.assertNotIn(canary.encode(), contents, path)

    def run_all_ways(self, arguments, env, commands=("check", "migrate", "resume", "status", "report")):
        """Each command, quiet, verbose and as JSON; what they say and leave."""
        results = []
        for command in commands:
            given = arguments if command in ("check", "migrate", "resume") else []
            more = [["--json"]] if command in ("check", "migrate", "resume", "status", "report") else []
            for options in [["-v"], ["-q"]] + more:
                results.append(support.transhume(command, *options, *given, cwd=self.folder, env=env))
        return results


class Addresses(SecretCase):
    """Passwords in URIs, which are wrong ones, of databases that are not there, in plans, of every scheme."""

    def uris(self, canary):
        return ["postgres://dba:%s@127.0.0.1:9/shop" % canary, "mysql://dba:%s@127.0.0.1:9/shop" % canary,
                "mongodb://dba:%s@127.0.0.1:9/shop" % canary, "redis://:%s@127.0.0.1:9/0" % canary,
                "nonsense://dba:%s@nowhere/shop" % canary, "dynamodb://dba:%s@eu-west-1" % canary,
                "sqlite://dba:%s@shop.db" % canary, "jsonl://u:%s@x/y" % canary,
                "postgres://127.0.0.1:9/shop?user=dba&password=%s" % canary,
                "sqlite:shop.db?password=%s" % canary, "dynamodb://eu-west-1?secret_key=%s&x=1" % canary,
                "csv:nowhere?token=%s" % canary]

    def test_in_arguments(self):
        canary = CANARY % "Argument"
        for uri in self.uris(canary):
            for arguments in ([uri, "copy.db"], ["shop.db", uri]):
                with self.subTest(arguments=arguments):
                    for command in ("init", "check", "migrate", "resume"):
                        for options in (["-v"], ["--json"] if command != "init" else ["-o", "-"]):
                            result = support.transhume(command, *options, *arguments, cwd=self.folder,
                                                       env=self.environment())
                            self.assertNotIn(result.code, (-6, -11), result.err)
                            self.assert_nowhere([canary], result)
                            self.assertIn("a password on the command line can be seen", result.err)

    def test_in_places_where_no_uri_belongs(self):
        canary = CANARY % "Astray"
        uri = "postgres://dba:%s@127.0.0.1:9/shop" % canary
        for arguments in (["--plan", uri, "migrate"], ["migrate", "--state", uri + "/x"], [uri], ["help", uri],
                          ["migrate", "--jobs", uri], ["migrate", uri, uri, uri], ["connectors", uri],
                          ["report", "--run", uri], ["migrate", "--rejects", uri, "shop.db", "copy.db"],
                          ["migrate", "--existing=" + uri, "shop.db", "copy.db"], ["check", "--include", uri, "shop.db"]):
            with self.subTest(arguments=arguments):
                result = support.transhume(*arguments, cwd=self.folder, env=self.environment())
                self.assert_nowhere([canary], result)

    def test_in_plans(self):
        for name, text in (("plain", CANARY % "Plan"), ("short", "q7z"), ("odd", ODD % "Plan"), ("encoded", "can%61ryPlanQ7x2")):
            for quotes in ('"%s"', "'%s'"):
                if name == "odd":
                    quoted = text.replace("\\", "\\\\").replace('"', '\\"') if quotes[0] == '"' else text.replace("'", "''")
                else:
                    quoted = text
                with self.subTest(name=name, quotes=quotes):
                    self.put("plan.yaml", "transhume: 1\nsource: %s\ntarget: sqlite:copy.db\n"
                             "tables:\n  customer: { key: [id], entities: { customer: { from: customer, fields: { '*': copy } } } }\n"
                             % (quotes % ("postgres://dba:%s@127.0.0.1:9/shop" % quoted)))
                    results = self.run_all_ways(["--plan", "plan.yaml"], self.environment(), ("check", "migrate", "resume"))
                    self.assert_nowhere([text, quoted, text.replace("%61", "a")], *results)
                    # The endpoints of the plan replaced: what is copied of it still holds its own.
                    result = support.transhume("migrate", "-v", "--plan", "plan.yaml", "sqlite:shop.db", "sqlite:copy.db",
                                               cwd=self.folder, env=self.environment())
                    self.assert_code(result, 0)
                    report = support.transhume("report", "-o", "-", cwd=self.folder, env=self.environment())
                    self.assert_nowhere([text, quoted, text.replace("%61", "a")], result, report)
                    support.shutil.rmtree(self.path(".transhume"))
                    os.remove(self.path("copy.db"))



class Aws(SecretCase):
    """Keys and tokens from wherever AWS's own programs have them, against a server that tells all it was sent."""

    def setUp(self):
        super().setUp()
        self.server = net_support.ScriptedServer(net_support.answering(self.respond))
        self.addCleanup(self.server.stop)
        self.uri = "dynamodb://eu-west-1?endpoint=" + self.server.url
        self.answer = answer_of_a_fool

    def respond(self, *request):
        return self.answer(*request)

    def run_and_look(self, canaries, **changes):
        env = self.environment(AWS_EC2_METADATA_DISABLED="true", **changes)
        for arguments in ([self.uri, "copy.db"], ["shop.db", self.uri]):
            results = self.run_all_ways(arguments, env)
            self.assert_nowhere(canaries, *results)
            self.assertTrue(any("AccessDenied" in r.err for r in results), [r.err for r in results])

    def test_environment(self):
        canaries = [CANARY % "EnvSecret", CANARY % "EnvToken"]
        self.run_and_look(canaries, AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY=canaries[0],
                          AWS_SESSION_TOKEN=canaries[1])

    def test_files(self):
        canaries = [CANARY % "FileSecret", CANARY % "FileToken"]
        self.put("home/.aws/credentials", "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = %s\n"
                 "aws_session_token = %s\n" % tuple(canaries))
        self.run_and_look(canaries)

    def test_process(self):
        canaries = [CANARY % "ProcessSecret", CANARY % "ProcessToken"]
        document = json.dumps({"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": canaries[0],
                               "SessionToken": canaries[1]})
        script = self.put("give", "#!/bin/sh\ncat /proc/self/environ > %s\ncat /proc/self/cmdline >> %s\necho '%s'\n" % (
            self.path("child"), self.path("child"), document), 0o700)
        self.put("home/.aws/config", "[default]\ncredential_process = %s\n" % script)
        self.run_and_look(canaries)
        self.assertTrue(os.path.getsize(self.path("child")))  # looked through with the other files

    def test_a_process_that_babbles(self):
        canary = CANARY % "Babble"
        for text in ("echo '{\"Version\":1,\"SecretAccessKey\":\"%s\"}'" % canary, "echo '%s'" % canary,
                     "echo '%s' >&2; exit 3" % canary, "echo '{\"Version\":2,\"SecretAccessKey\":\"%s\"'" % canary):
            with self.subTest(text=text):
                script = self.put("give", "#!/bin/sh\n%s\n" % text, 0o700)
                self.put("home/.aws/config", "[default]\ncredential_process = %s\n" % script)
                env = self.environment(AWS_EC2_METADATA_DISABLED="true")
                results = self.run_all_ways([self.uri, "copy.db"], env, ("check", "migrate"))
                if ">&2" in text:  # its own words to the terminal are its own
                    results = [r._replace(err=r.err.replace(canary + "\n", "", 1)) for r in results]
                self.assert_nowhere([canary], *results)

    def test_container(self):
        canaries = [CANARY % "ContainerSecret", CANARY % "ContainerToken", CANARY % "Authorization"]

        def answer(method, target, headers, body):
            if target.startswith("/credentials"):
                if headers.get("authorization") != canaries[2]:
                    return 401, "no " + str(headers)
                return 200, json.dumps({"AccessKeyId": "AKIDCONT", "SecretAccessKey": canaries[0], "Token": canaries[1],
                                        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))})
            return answer_of_a_fool(method, target, headers, body)
        self.answer = answer
        url = self.server.url + "/credentials"
        self.run_and_look(canaries, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN=canaries[2])
        token = self.put("token", canaries[2])
        self.run_and_look(canaries, AWS_CONTAINER_CREDENTIALS_FULL_URI=url, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token)

    def test_container_that_refuses(self):
        canary = CANARY % "Refused"
        self.answer = lambda method, target, headers, body: (403, json.dumps({"message": "no " + str(headers)}))
        env = self.environment(AWS_EC2_METADATA_DISABLED="true", AWS_CONTAINER_AUTHORIZATION_TOKEN=canary,
                               AWS_CONTAINER_CREDENTIALS_FULL_URI=self.server.url + "/credentials")
        self.assert_nowhere([canary], *self.run_all_ways([self.uri, "copy.db"], env, ("check", "migrate")))


class Database:
    """Passwords for a real server, from wherever its own clients have them, as target and as source, through a run's whole life."""

    ROWS = {"customer": 40, "invoice": 120, "line": 240}

    def environment(self, **changes):
        return dict(super().environment(**changes), **{name: None for name in os.environ if name.startswith(("PG", "MYSQL"))}, **changes)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()

    def program(self, *arguments, code=0, env):
        result = support.transhume(*arguments, cwd=self.folder, env=env)
        self.assert_code(result, code)
        self.results.append(result)
        return result

    def through_its_life(self, canary, uri, env):
        self.results = []
        where = ("shop.db", uri)

        def both(*arguments, code=0):
            # where the password is in an argument, and in the soak, in both forms; else in turn
            ways = [["-v"], ["--json"]]
            for words in ways if support.SOAK or canary in uri else [ways[len(self.results) % 2]]:
                self.program(arguments[0], *words, *arguments[1:], code=code, env=env)
        both("check", *where)
        first = self.stopped("migrate", "-v", "--chunk-rows", "20", *where, failpoint="engine.after_commit", occurrence=2, env=env)
        with open("/proc/%d/cmdline" % first.pid, "rb") as file:
            shown = file.read()
        self.assertIn(b"migrate", shown)
        self.assertNotIn(canary.encode(), shown)
        first.kill()
        self.results.append(support.finish(first))
        both("resume", *where)
        self.assertEqual({table: len(rows) for table, rows in self.tables().items() if table in self.ROWS}, self.ROWS)
        if support.SOAK or canary in uri:
            self.to_its_end(uri, both, canary, env)
        self.refuse_password()
        for command in (("check", *where), ("migrate", *where), ("finish", "--confirm", uri), ("validate", "--state", "back", uri, "copy.db")):
            self.assertIn("[credentials]", self.program(command[0], "-v", *command[1:], code=2, env=env).err)
        self.assert_nowhere([canary], *self.results)

    def to_its_end(self, uri, both, canary, env):
        where = ("shop.db", uri)
        for command in ("status", "report", "validate"):
            both(command, *(where if command == "validate" else ()))
        self.server.ask(self.name, "UPDATE customer SET name = 'altered' WHERE id = 3")
        both("validate", *where, code=1)
        self.program("validate", "-v", "--repair", "--confirm", *where, env=env)
        with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
            repair = json.load(file)["run"]
        both("rollback", "--run", repair, "--dry-run", uri)
        both("finish", "--dry-run", uri)
        kept = json.dumps(self.tables(), default=repr)
        self.assertIn("_transhume_run", kept)
        self.assertNotIn(canary, kept, "in the target")
        both("rollback", "--run", repair, "--confirm", uri)
        self.program("finish", "-v", uri, code=5, env=env)
        self.program("finish", "-v", "--confirm", uri, env=env)
        self.program("init", "-o", "init.yaml", uri, "sqlite:copy.db", env=env)
        self.program("migrate", "-v", "--state", "back", uri, "copy.db", env=env)
        self.program("validate", "-v", "--state", "back", uri, "copy.db", env=env)
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), self.ROWS)

    def way(self, name, password="", options="", **changes):
        """The URI has the password where it says so."""
        canary = CANARY % name
        self.take_password(canary)
        login = "mover:" + canary if password else "mover"
        self.through_its_life(canary, "%s://%s@127.0.0.1:%d/%s%s" % (self.scheme, login, self.server.port, self.name, options),
                              self.environment(**{key: value % {"canary": canary} for key, value in changes.items()}))

    def test_uri(self):
        self.way("InUri", password="here")


class Postgres(Database, SecretCase):
    scheme = "postgres"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, hba="host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        cls.server.psql("postgres", "CREATE ROLE mover LOGIN")

    def take_password(self, password):
        self.server.psql("postgres", "ALTER ROLE mover PASSWORD '%s'; ALTER DATABASE %s OWNER TO mover" % (password, self.name))

    def refuse_password(self):
        self.server.psql("postgres", "ALTER ROLE mover PASSWORD 'quite another'")

    def tables(self):
        return {table: rows for (_, table), rows in self.server.rows(self.name).items()}

    def test_variable(self):
        self.way("Variable", PGPASSWORD="%(canary)s")

    def test_password_file(self):
        for name, changes in (("home/.pgpass", {}), ("else.pgpass", {"PGPASSFILE": self.path("else.pgpass")})):
            with self.subTest(name):
                self.setUp()
                changes = {key: self.path("else.pgpass") for key in changes}
                self.put(name, "127.0.0.1:*:*:mover:%s\n" % (CANARY % "PasswordFile"))
                self.way("PasswordFile", **changes)

    def test_service(self):
        self.put("home/.pg_service.conf", "[shop]\npassword=%s\n" % (CANARY % "Service"))
        self.way("Service", options="?service=shop")


class Mysql(Database, SecretCase):
    scheme = "mysql"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.server.ask("", "CREATE USER mover@'127.0.0.1'; GRANT ALL ON *.* TO mover@'127.0.0.1'")

    def take_password(self, password):
        self.server.ask("", "ALTER USER mover@'127.0.0.1' IDENTIFIED BY '%s'" % password)

    def refuse_password(self):
        self.take_password("quite another")

    def tables(self):
        return self.server.rows(self.name)

    def test_variable(self):
        self.way("Variable", MYSQL_PWD="%(canary)s")

    def test_option_file(self):
        for name, options in (("home/.my.cnf", ""), ("else.cnf", "?option_file=else.cnf")):
            with self.subTest(name):
                self.setUp()
                self.put(name, "[client]\npassword=%s\n" % (CANARY % "OptionFile"))
                self.way("OptionFile", options=options)


class Process(SecretCase):
    """What of a running program others can see, and what it would leave if it crashed."""

    def running(self, *arguments, env=None):
        return self.stopped("migrate", "--chunk-rows", "20", "--no-express", *arguments, "shop.db", "copy.db",
                            failpoint="engine.after_commit", occurrence=2, env=env)

    def test_no_core(self):
        process = self.running()
        with open("/proc/%d/limits" % process.pid, encoding="ascii") as file:
            core, = [line.split() for line in file if line.startswith("Max core file size")]
        self.assertEqual(core[4:6], ["0", "0"])

    def test_may_not_be_dumped(self):
        """A core that is piped to a program minds only this flag, and so do debuggers of the same user: of a process that
        may not be dumped the files in /proc are root's, whoever it runs as."""
        if os.geteuid() == 0 and not support.shutil.which("setpriv"):
            self.skipTest("root's files are root's in any case, and there is no setpriv")
        folder = self.open_folder()
        support.shutil.copyfile(self.path("shop.db"), os.path.join(folder, "shop.db"))
        os.chmod(os.path.join(folder, "program"), 0o755)   # one that can't be read could not be dumped in any case
        guard = ["setpriv", "--reuid=%d" % refusals.NOBODY, "--regid=%d" % refusals.NOBODY, "--clear-groups", "--"] if os.geteuid() == 0 else []
        user = refusals.NOBODY if guard else os.geteuid()

        def owner(command):
            process = subprocess.Popen([*guard, *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=support.environment_with({"TRANSHUME_FAILPOINT": "engine.after_commit:stop:2",
                                                                     "TRANSHUME_FAILPOINT_COUNT": None}))
            self.addCleanup(self.end, process)
            name = os.path.basename(command[0])
            place = "/proc/%d/" % process.pid

            def is_it():
                self.assertIsNone(process.poll())
                with open(place + "comm", encoding="ascii") as file:
                    return file.read().strip() == name and (name == "sleep" or support.process_state(process.pid) == "T")
            self.wait_until("it is at work", is_it)
            with open(place + "status", encoding="ascii") as file:
                uids, = [line.split()[1:] for line in file if line.startswith("Uid:")]
            self.assertEqual(set(uids), {str(user)})
            return os.stat(place + "stat").st_uid
        self.assertEqual(owner(["/bin/sleep", "60"]), user, "this is no way to tell")
        self.assertEqual(owner([os.path.join(folder, "program"), "migrate", "--chunk-rows", "20", "--no-express", "shop.db", "copy.db"]), 0)

    def test_command_line(self):
        canary = CANARY % "Cmdline"
        for place in (["--state", "st?password=" + canary], ["--state", "st://u:%s@h" % canary]):
            with self.subTest(place=place):
                process = self.running(*place)
                with open("/proc/%d/cmdline" % process.pid, "rb") as file:
                    shown = file.read()
                self.assertIn(b"migrate", shown)
                self.assertNotIn(canary.encode(), shown)
                process.kill()
                process.communicate()
                os.remove(self.path("copy.db"))

    def test_modes(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id = 4;")
        self.write("plan.yaml", """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  people: { key: { partition: Mail }, entities: { customer: { from: customer, fields: { Mail: "{mail}", "*": copy } } } }
""")
        for _ in range(2):
            self.run_program("migrate", "--plan", "plan.yaml", code=1)
            os.rename(self.path("out"), self.path("out%d" % time.monotonic_ns()))
        seen = set()
        for folder, folders, names in os.walk(self.path(".transhume")):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700, folder)
            for name in names:
                seen.add(name)
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o600, name)
        self.assertLessEqual({"state.json", "run.json", "plan.yaml", "transhume.log", "metrics.jsonl", "chunks.jsonl",
                              "report.html", "report.md", "report.json", "1-1.jsonl", "lock"}, seen)


if __name__ == "__main__":
    unittest.main()
