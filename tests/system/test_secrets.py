"""Canaries: secrets given through each way in, then looked for in everything that the program leaves or shows."""
import base64
import fnmatch
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import items
import mariadb
import net_support
import postgres
import refusals
import servers
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

    def assert_unseen(self, process, canaries):
        """What others see of a process at work, and would find of it after a crash."""
        with open("/proc/%d/cmdline" % process.pid, "rb") as file:
            shown = file.read()
        self.assertIn(os.path.basename(support.PROGRAM).encode(), shown)
        for canary in canaries:
            self.assertNotIn(canary.encode(), shown)
        with open("/proc/%d/limits" % process.pid, encoding="ascii") as file:
            core, = [line.split() for line in file if line.startswith("Max core file size")]
        self.assertEqual(core[4:6], ["0", "0"])

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
                    for command, loud in support.covering(("init", "check", "migrate", "resume"), (True, False),
                                                          by=self.id() + str(arguments)):
                        options = ["-v"] if loud else ["--json"] if command != "init" else ["-o", "-"]
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
                          ["migrate", "--existing=" + uri, "shop.db", "copy.db"],
                          ["check", "--include", uri, "shop.db"]):
            with self.subTest(arguments=arguments):
                result = support.transhume(*arguments, cwd=self.folder, env=self.environment())
                self.assert_nowhere([canary], result)

    def test_in_plans(self):
        for name, text in (("plain", CANARY % "Plan"), ("short", "q7z"), ("odd", ODD % "Plan"),
                           ("encoded", "can%61ryPlanQ7x2")):
            for quotes in ('"%s"', "'%s'"):
                if name == "odd":
                    quoted = text.replace("\\", "\\\\").replace('"', '\\"') if quotes[0] == '"' else text.replace("'",
                        "''")
                else:
                    quoted = text
                with self.subTest(name=name, quotes=quotes):
                    self.put("plan.yaml", "transhume: 1\nsource: %s\ntarget: sqlite:copy.db\n"
                             "tables:\n  customer: { key: [id], entities: { customer: { from: customer, "
                             "fields: { '*': copy } } } }\n"
                             % (quotes % ("postgres://dba:%s@127.0.0.1:9/shop" % quoted)))
                    results = self.run_all_ways(["--plan", "plan.yaml"], self.environment(),
                                                ("check", "migrate", "resume"))
                    self.assert_nowhere([text, quoted, text.replace("%61", "a")], *results)
                    # The endpoints of the plan replaced: what is copied of it still holds its own.
                    result = support.transhume("migrate", "-v", "--plan", "plan.yaml", "sqlite:shop.db",
                                               "sqlite:copy.db",
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

    def look_while_it_waits(self, canaries, env, *options):
        """At a process whose request is not answered yet."""
        asked, go_on = threading.Event(), threading.Event()
        answer = self.answer

        def held(*request):
            asked.set()
            go_on.wait(60 * support.PATIENCE)
            return answer(*request)
        self.answer = held
        process = support.start("check", "-v", *options, self.uri, "copy.db", cwd=self.folder, env=env)
        self.addCleanup(self.end, process)
        try:
            self.assertTrue(asked.wait(60 * support.PATIENCE), "nothing was asked")
            self.assert_unseen(process, canaries)
        finally:
            go_on.set()
        self.answer = answer
        return support.finish(process)

    def run_and_look(self, canaries, told="AccessDenied", briefly=False, **changes):
        env = self.environment(**dict({"AWS_EC2_METADATA_DISABLED": "true"}, **changes))
        self.assert_nowhere(canaries, self.look_while_it_waits(canaries, env))
        for arguments in ([self.uri, "copy.db"], ["shop.db", self.uri])[:1 if briefly else 2]:
            results = self.run_all_ways(arguments, env, *[("check", "migrate")][:briefly])
            self.assert_nowhere(canaries, *results)
            self.assertTrue(any(told in r.err for r in results), [r.err for r in results])

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
        """It gets what AWS's own programs need and the proxy, and no passwords of databases."""
        canaries = [CANARY % "ProcessSecret", CANARY % "ProcessToken", CANARY % "OfPostgres", CANARY % "OfMysql"]
        kept = [CANARY % "Proxy", CANARY % "AwsKey"]
        document = json.dumps({"Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": canaries[0],
                               "SessionToken": canaries[1]})
        child = self.put("home/child", "")
        script = self.put("give", "#!/bin/sh\ncat /proc/self/environ > %s\ncat /proc/self/cmdline >> %s\necho '%s'\n"
                          % (
                              child, child, document), 0o700)
        self.put("home/.aws/config", "[profile shop]\ncredential_process = %s\n" % script)
        self.run_and_look(canaries + kept, PGPASSWORD=canaries[2], MYSQL_PWD=canaries[3], AWS_PROFILE="shop",
                          SHOP="x y",
                          AWS_CONTAINER_AUTHORIZATION_TOKEN=kept[1],
                          HTTPS_PROXY="http://mover:%s@127.0.0.1:9" % kept[0])
        with open(child, encoding="utf-8") as file:
            told = file.read()
        for canary in canaries:
            self.assertNotIn(canary, told)
        for entry in ("HOME=" + self.home, "PATH=" + os.environ["PATH"], "AWS_PROFILE=shop", "SHOP=x y",
                      "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + kept[1],
                      "HTTPS_PROXY=http://mover:%s@127.0.0.1:9" % kept[0]):
            self.assertIn(entry, told.split("\0"))
        self.assertFalse([entry for entry in told.split("\0") if entry.startswith(("PGPASSWORD", "MYSQL_PWD"))])

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
                                        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                                    time.gmtime(time.time() + 3600))})
            return answer_of_a_fool(method, target, headers, body)
        self.answer = answer
        url = self.server.url + "/credentials"
        self.run_and_look(canaries, AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
                          AWS_CONTAINER_AUTHORIZATION_TOKEN=canaries[2])
        token = self.put("token", canaries[2])
        self.run_and_look(canaries, AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
                          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token)

    def test_container_that_refuses(self):
        canary = CANARY % "Refused"
        self.answer = lambda method, target, headers, body: (403, json.dumps({"message": "no " + str(headers)}))
        env = self.environment(AWS_EC2_METADATA_DISABLED="true", AWS_CONTAINER_AUTHORIZATION_TOKEN=canary,
                               AWS_CONTAINER_CREDENTIALS_FULL_URI=self.server.url + "/credentials")
        self.assert_nowhere([canary], *self.run_all_ways([self.uri, "copy.db"], env, ("check", "migrate")))


    def token_service(self, secret, token, refuses):
        """AWS's token service before the database; one that refuses tells back all that it was sent."""
        def answer(method, target, headers, body):
            form = body.decode()
            if "Action=AssumeRole" not in form:
                return answer_of_a_fool(method, target, headers, body)
            if refuses:
                return (403,
                        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no: %s "
                        "%s</Message></Error></ErrorResponse>" % (
                            form.replace("&", " "), headers), {"Content-Type": "text/xml"})
            action = "AssumeRoleWithWebIdentity" if "WebIdentity" in form else "AssumeRole"
            return 200, net_support.STS_ANSWER.format(action=action, key="AKIDROLE", secret=secret, token=token,
                                                      expiration=net_support.stamp(3600)), {"Content-Type": "text/xml"}
        self.answer = answer

    def test_role(self):
        canaries = [CANARY % name for name in ("BaseSecret", "BaseToken", "ExternalId", "RoleSecret", "RoleToken")]
        self.put("home/.aws/credentials",
                 "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = %s\naws_session_token = %s\n"
                 % tuple(canaries[:2]))
        self.put("home/.aws/config",
                 "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = %s\n" % canaries[2])
        for refuses in (False, True):
            with self.subTest(refuses=refuses):
                self.token_service(*canaries[3:], refuses)
                # an external id is no secret, says AWS: a refusal that tells it back is shown
                self.run_and_look([canary for canary in canaries if not refuses or canary != canaries[2]],
                                  briefly=refuses, AWS_ENDPOINT_URL_STS=self.server.url)
                self.assertTrue(any(canaries[2].encode() in request[3] for request in self.server.requests))

    def test_web_identity(self):
        canaries = [CANARY % name for name in ("WebToken", "WebSecret", "WebSession")]
        token = self.put("web", canaries[0] + "\n")
        for refuses in (False, True):
            with self.subTest(refuses=refuses):
                self.token_service(*canaries[1:], refuses)
                self.run_and_look(canaries, briefly=refuses, AWS_ENDPOINT_URL_STS=self.server.url,
                                  AWS_WEB_IDENTITY_TOKEN_FILE=token,
                                  AWS_ROLE_ARN="arn:aws:iam::1:role/r")
                self.assertTrue(any(canaries[0].encode() in request[3] for request in self.server.requests))

    def test_signed_in(self):
        canaries = [CANARY % name for name in ("SsoToken", "SsoSecret", "SsoSession")]
        self.put("home/.aws/config",
                 "[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n"
                 "[default]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = r\n")
        os.makedirs(os.path.join(self.home, ".aws", "sso", "cache"))
        self.put("home/.aws/sso/cache/%s.json" % hashlib.sha1(b"corp").hexdigest(), json.dumps(
            {"accessToken": canaries[0], "expiresAt": net_support.stamp(3600), "region": "x", "startUrl": "x"}))
        for refuses in (False, True):
            with self.subTest(refuses=refuses):
                def answer(method, target, headers, body):
                    if "x-amz-sso_bearer_token" not in headers:
                        return answer_of_a_fool(method, target, headers, body)
                    self.assertEqual(headers["x-amz-sso_bearer_token"], canaries[0])
                    if refuses:  # pylint: disable=cell-var-from-loop
                        return 403, json.dumps({"__type": "AccessDenied", "message": "no: %s" % headers})
                    return 200, json.dumps({"roleCredentials": {
                        "accessKeyId": "AKIDSSO", "secretAccessKey": canaries[1], "sessionToken": canaries[2],
                        "expiration": int((time.time() + 3600) * 1000)}})
                self.answer = answer
                self.run_and_look(canaries, told="SSO" if refuses else "AccessDenied", briefly=refuses,
                                  AWS_ENDPOINT_URL_SSO=self.server.url)

    def test_instance(self):
        canaries = [CANARY % name for name in ("MetadataToken", "InstanceSecret", "InstanceSession")]
        folder = "/latest/meta-data/iam/security-credentials/"
        for refuses in (False, True):
            with self.subTest(refuses=refuses):
                def answer(method, target, headers, body):
                    if method == "PUT":
                        return 200, canaries[0]
                    if not target.startswith(folder):
                        return answer_of_a_fool(method, target, headers, body)
                    # pylint: disable=cell-var-from-loop
                    if headers.get("x-aws-ec2-metadata-token") != canaries[0] or refuses:
                        return 403, "no: %s" % headers
                    if target == folder:
                        return 200, "shop-role"
                    return 200, json.dumps({"Code": "Success", "Type": "AWS-HMAC",
                                            "LastUpdated": net_support.stamp(-60),
                                            "AccessKeyId": "AKIDEC2", "SecretAccessKey": canaries[1],
                                            "Token": canaries[2],
                                            "Expiration": net_support.stamp(3600)})
                self.answer = answer
                self.run_and_look(canaries, told="metadata" if refuses else "AccessDenied", briefly=refuses,
                                  AWS_EC2_METADATA_DISABLED="false",
                                  AWS_EC2_METADATA_SERVICE_ENDPOINT=self.server.url + "/")

    def test_proxy(self):
        """One that refuses and tells back its header, and one that is not there."""
        canary = CANARY % "ProxyPassword"
        packed = base64.b64encode(b"mover:" + canary.encode()).decode()
        self.answer = lambda method, target, headers, body: (
            (407, "no: %s %s" % (target, headers)) if method == "CONNECT"
            else answer_of_a_fool(method, target, headers, body))
        self.uri = "dynamodb://eu-west-1?endpoint=https://shop.example"
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}
        in_short = ["--timeout", "1s"]
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            with self.subTest(name=name):
                env = self.environment(**keys, **{name: "http://mover:%s@127.0.0.1:%d" % (canary, self.server.port)})
                result = self.look_while_it_waits([canary, packed], env, *in_short)
                self.assert_nowhere([canary, packed], result)
                self.assertIn("proxy", result.err)
        for port, command in ((self.server.port, "migrate"), (9, "check")):
            env = self.environment(**keys, https_proxy="http://mover:%s@127.0.0.1:%d" % (canary, port))
            for option in ("-v", "--json"):
                with self.subTest(port=port, option=option):
                    result = support.transhume(command, option, *in_short, self.uri, "copy.db", cwd=self.folder,
                                               env=env)
                    self.assert_nowhere([canary, packed], result)
                    self.assertIn("proxy", result.err)
        self.assertTrue(any(packed in request[2].get("proxy-authorization", "") for request in self.server.requests))

    def test_endpoint(self):
        """A user and a password in an endpoint, by the address, the environment and a profile."""
        canary = CANARY % "Endpoint"
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}
        endpoint = self.server.url.replace("//", "//mover:%s@" % canary)
        self.put("home/.aws/config", "[profile shop]\nendpoint_url = %s\n" % endpoint)
        for uri, changes in (("dynamodb://eu-west-1?endpoint=" + endpoint, {}),
                             ("dynamodb://eu-west-1", {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}),
                             ("dynamodb://eu-west-1", {"AWS_ENDPOINT_URL": endpoint}),
                             ("dynamodb://eu-west-1", {"AWS_PROFILE": "shop"})):
            with self.subTest(uri=uri, changes=changes):
                env = self.environment(**keys, **changes)
                for arguments in ([uri, "copy.db"], ["shop.db", uri]):
                    results = self.run_all_ways(arguments, env, ("check", "migrate"))
                    self.assert_nowhere([canary], *results)
                    self.assertTrue(all(r.code in (2, 5) for r in results[:3]), results)



class AwsRuns(SecretCase):
    """Keys and tokens that a server takes: a run with rejects, a validation, a repair, rollbacks, to their ends."""

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.server)

    def program(self, command, *arguments, code=0):
        """Loud; what can be said as JSON is, too."""
        for words in (["-v"], ["--json"]) if command in ("check", "status", "report",
                                                         "validate") and "--repair" not in arguments else (["-v"],):
            result = support.transhume(command, *words, *arguments, cwd=self.folder, env=self.env)
            self.assert_code(result, code)
            self.results.append(result)

    def through_its_life(self, canaries, **changes):
        self.env = self.environment(AWS_EC2_METADATA_DISABLED="true", TRANSHUME_FAILPOINT=None, **changes)
        self.results = []
        items.empty(self.client)
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id = 4;")
        uri = "dynamodb://us-east-1?endpoint=" + self.server.endpoint
        self.put("plan.yaml", """transhume: 1
source: sqlite:shop.db
target: "%s"
existing: replace
tables:
  people: { key: { partition: Mail }, from: customer, fields: { Mail: "{mail}", "*": copy } }
""" % uri)
        self.program("check", "--plan", "plan.yaml", code=1)   # a key is null
        first = self.stopped("migrate", "-v", "--chunk-rows", "10", "--plan", "plan.yaml",
                             failpoint="engine.after_commit", occurrence=2, env=self.env)
        self.assert_unseen(first, canaries)
        first.kill()
        self.results.append(support.finish(first))
        self.program("resume", "--plan", "plan.yaml", code=1)
        # over what is there: images are kept
        self.program("migrate", "--chunk-rows", "10", "--plan", "plan.yaml", code=1)
        item = items.scan(self.client, "people")[0]
        self.client.put_item(TableName="people", Item={"Mail": item["Mail"], "name": {"S": "altered"}})
        self.program("validate", code=1)
        self.program("validate", "--repair", code=1)  # one is rejected still
        self.program("validate", "--plan", "plan.yaml", code=1)
        repair = self.run_id()
        self.program("status")
        self.program("report")
        self.program("rollback", "--run", repair, "--confirm")
        self.program("migrate", "--state", "back", uri, "jsonl:out")
        self.program("validate", "--state", "back")
        ledger = repr([items.scan(self.client, name) for name in self.client.list_tables()["TableNames"]])
        self.assertIn("_transhume", repr(self.client.list_tables()["TableNames"]))
        seen = self.files()
        for part in ("/rejects/", "/before/", "/report.html", "/report.json", "/validation.json", "/transhume.log",
                     "/events.jsonl"):
            self.assertTrue(any(part in path for path in seen), (part, sorted(seen)))
        for canary in canaries:
            self.assertNotIn(canary, ledger)
        self.assert_nowhere(canaries, *self.results)

    def test_environment(self):
        canaries = [CANARY % "LiveSecret", CANARY % "LiveToken"]
        self.through_its_life(canaries, AWS_ACCESS_KEY_ID="AKIDLIVE", AWS_SECRET_ACCESS_KEY=canaries[0],
                              AWS_SESSION_TOKEN=canaries[1])

    def test_from_elsewhere(self):
        """By all ways in a soak."""
        for way in support.drawn((self.by_a_profile, self.by_a_process), 1, self.id()):
            way()

    def by_a_profile(self):
        canaries = [CANARY % "ProfileSecret", CANARY % "ProfileToken"]
        self.put("home/.aws/credentials",
                 "[shop]\naws_access_key_id = AKIDSHOP\naws_secret_access_key = %s\naws_session_token = %s\n"
                 % tuple(canaries))
        self.through_its_life(canaries, AWS_PROFILE="shop")

    def by_a_process(self):
        canaries = [CANARY % "ChildSecret", CANARY % "ChildToken"]
        script = self.put("give", "#!/bin/sh\necho '%s'\n" % json.dumps(
            {"Version": 1, "AccessKeyId": "AKIDCHILD", "SecretAccessKey": canaries[0], "SessionToken": canaries[1]}),
                          0o700)
        self.put("home/.aws/config", "[default]\ncredential_process = %s\n" % script)
        self.through_its_life(canaries)


class Database:
    """
    Passwords for a real server, from wherever its own clients have them, as target and as source, through a run's whole
    life.
    """

    ROWS = {"customer": 40, "invoice": 120, "line": 240}

    def environment(self, **changes):
        return dict(super().environment(**changes), **{name: None for name in os.environ
                                                       if name.startswith(("PG", "MYSQL"))}, **changes)

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
        first = self.stopped("migrate", "-v", "--chunk-rows", "20", *where, failpoint="engine.after_commit",
                             occurrence=2, env=env)
        self.assert_unseen(first, [canary])
        first.kill()
        self.results.append(support.finish(first))
        both("resume", *where)
        self.assertEqual({table: len(rows) for table, rows in self.tables().items() if table in self.ROWS}, self.ROWS)
        if support.SOAK or canary in uri:
            self.to_its_end(uri, both, canary, env)
        self.refuse_password()
        for command in (("check", *where), ("migrate", *where), ("finish", "--confirm", uri),
                        ("validate", "--state", "back", uri, "copy.db")):
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
        both("finish", "--dry-run", uri, code=5)
        kept = json.dumps(self.tables(), default=repr)
        self.assertIn("_transhume_ledger", kept)
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
        self.through_its_life(canary, "%s://%s@127.0.0.1:%d/%s%s" % (self.scheme, login, self.server.port, self.name,
                                                                     options),
                              self.environment(**{key: value % {"canary": canary} for key, value in changes.items()}))

    def test_uri(self):
        self.way("InUri", password="here")


class Postgres(Database, SecretCase):
    scheme = "postgres"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls,
                                        hba="host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 "
                                            "scram-sha-256\n")
        cls.server.psql("postgres", "CREATE ROLE mover LOGIN")

    def take_password(self, password):
        self.server.psql("postgres", "ALTER ROLE mover PASSWORD '%s'; ALTER DATABASE %s OWNER TO mover" % (password,
            self.name))

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

    def test_password_of_a_key(self):
        """Of a client certificate's key; with one that is not there, and through a run."""
        canary = CANARY % "KeyPassword"
        address = "postgres://postgres@127.0.0.1:%d/%s?sslpassword=%s" % (self.server.port, self.name, canary)
        arguments = ["--chunk-rows", "20", "shop.db", address]
        missing = support.transhume("check", "-v", "shop.db", address
                                    + "&sslmode=verify-full&sslcert=nowhere&sslkey=nowhere",
                                    cwd=self.folder, env=self.environment())
        self.assert_code(missing, 3)
        process = self.stopped("migrate", "-v", *arguments, failpoint="engine.after_commit", env=self.environment())
        self.assert_unseen(process, [canary])
        process.kill()
        results = [missing, support.finish(process), *self.run_all_ways(arguments, self.environment(),
                                                                        ("check", "resume", "report"))]
        self.assert_nowhere([canary], *results)
        self.assertEqual({table: len(rows) for table, rows in self.tables().items() if table in self.ROWS}, self.ROWS)

    def test_password_file_by_an_option(self):
        self.put("given.pgpass", "127.0.0.1:*:*:mover:%s\n" % (CANARY % "OptionalFile"))
        self.way("OptionalFile", options="?passfile=given.pgpass")

    def test_service(self):
        for name, changes in (("home/.pg_service.conf", {}), ("else.service", {"PGSERVICEFILE": "else.service"})):
            with self.subTest(name):
                self.setUp()
                self.put(name, "[shop]\npassword=%s\n" % (CANARY % "Service"))
                self.way("Service", options="?service=shop", **{key: self.path(value)
                                                                for key, value in changes.items()})


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
        self.assert_unseen(self.running(), [])

    def test_may_not_be_dumped(self):
        """A core that is piped to a program minds only this flag, and so do debuggers of the same user: of a process
        that
        may not be dumped the files in /proc are root's, whoever it runs as."""
        if os.geteuid() == 0 and not support.shutil.which("setpriv"):
            self.skipTest("root's files are root's in any case, and there is no setpriv")
        folder = self.open_folder()
        support.shutil.copyfile(self.path("shop.db"), os.path.join(folder, "shop.db"))
        os.chmod(os.path.join(folder, "program"), 0o755)   # one that can't be read could not be dumped in any case
        guard = ["setpriv", "--reuid=%d" % refusals.NOBODY, "--regid=%d" % refusals.NOBODY, "--clear-groups",
                 "--"] if os.geteuid() == 0 else []
        user = refusals.NOBODY if guard else os.geteuid()

        def owner(command):
            process = subprocess.Popen([*guard, *command], cwd=folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL,
                                       env=support.environment_with(
                                           {"TRANSHUME_FAILPOINT": "engine.after_commit:stop:2",
                                            "TRANSHUME_FAILPOINT_COUNT": None}))
            self.addCleanup(self.end, process)
            name = os.path.basename(command[0])
            place = "/proc/%d/" % process.pid

            def is_it():
                self.assertIsNone(process.poll())
                with open(place + "comm", encoding="ascii") as file:
                    return file.read().strip() == name and (name == "sleep"
                                                            or support.process_state(process.pid) == "T")
            self.wait_until("it is at work", is_it)
            with open(place + "status", encoding="ascii") as file:
                uids, = [line.split()[1:] for line in file if line.startswith("Uid:")]
            self.assertEqual(set(uids), {str(user)})
            return os.stat(place + "stat").st_uid
        self.assertEqual(owner(["/bin/sleep", "60"]), user, "this is no way to tell")
        self.assertEqual(owner([os.path.join(folder, "program"), "migrate", "--chunk-rows", "20", "--no-express",
                                "shop.db", "copy.db"]), 0)

    def test_command_line(self):
        canary = CANARY % "Cmdline"
        for place in (["--state", "st?password=" + canary], ["--state", "st://u:%s@h" % canary]):
            with self.subTest(place=place):
                process = self.running(*place)
                self.assert_unseen(process, [canary])
                process.kill()
                process.communicate()
                os.remove(self.path("copy.db"))

    def seen_modes(self, *folders):
        """The names of all that is in these folders, whatever the umask closed to others."""
        seen = set()
        for top in folders:
            for folder, folders_, names in os.walk(self.path(top)):
                self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700, folder)
                seen.update(os.path.relpath(os.path.join(folder, name), self.folder) for name in folders_)
                for name in names:
                    path = os.path.join(folder, name)
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
                    seen.add(os.path.relpath(path, self.folder))
        return seen

    def assert_there(self, seen, *patterns):
        for pattern in patterns:
            self.assertTrue(any(fnmatch.fnmatchcase(path, pattern) for path in seen), (pattern, sorted(seen)))

    def open_to_all(self):
        os.umask(0)
        self.addCleanup(os.umask, 0o022)

    def test_modes(self):
        self.open_to_all()
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id = 4;")
        self.write("plan.yaml", """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  people: { key: { partition: Mail }, entities: { customer: { from: customer, fields: { Mail: "{mail}", "*": copy } } } }
""")
        os.chmod(self.path("plan.yaml"), 0o644)
        for _ in range(2):
            self.run_program("migrate", "--plan", "plan.yaml", code=1)
            os.rename(self.path("out"), self.path("out%d" % time.monotonic_ns()))
        self.assert_there(self.seen_modes(".transhume"), *[".transhume/" + name for name in (
            "state.json", "run.json", "plan.yaml", "transhume.log", "events.jsonl", "metrics.jsonl", "chunks.jsonl",
            "report.html", "report.md",
            "report.json", "rejects/1-1.jsonl", "lock", "runs/*/state.json", "runs/*/rejects/1-1.jsonl")])

    def test_modes_of_a_repair_and_of_a_folder(self):
        """What a validation, a repair, mended rejects and the ledger of a folder of files leave."""
        self.open_to_all()
        self.run_program("migrate", "shop.db", "jsonl:out")
        name, = os.listdir(self.path("out", "customer"))
        part = self.path("out", "customer", name)
        with open(part, encoding="utf-8") as file:
            lines = file.read().splitlines()
        lines[0] = lines[0].replace("Customer ", "Somebody ")
        self.write(part, "\n".join(lines[:5] + lines[6:] + [lines[5].replace('"id":6', '"id":999')]) + "\n")
        found = json.loads(self.run_program("validate", "--level", "full", "--json", code=1).out)["entities"]
        self.assertEqual([found[0][what] for what in ("missing", "different", "extra")], [1, 1, 1], found)
        self.assert_there(self.seen_modes(".transhume", "out"), ".transhume/validation.json",
                          ".transhume/validate.jsonl")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        os.chmod(self.write("p.yaml", "transhume: 1\n"), 0o644)
        self.run_program("validate", "--state", "other", "--plan", self.path("p.yaml"), "shop.db", "jsonl:out")
        self.assert_there(self.seen_modes(".transhume", "out"), *[".transhume/" + name for name in (
            "repair.jsonl", "delete.jsonl", "input.jsonl", "runs/*/run.json", "runs/*/validation.json",
            "runs/*/validate.jsonl")],
            *["out/_transhume/" + name for name in ("lock", "ledger.log", "made", "tables/customer.json",
                                                    "run-*/replaced/customer/*",
                                                    "versions/customer/*")])

    def test_modes_of_mended_rejects(self):
        self.open_to_all()
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id = 4;")
        self.write("plan.yaml", """transhume: 1
source: sqlite:shop.db
target: jsonl:out
tables:
  people: { key: [Mail], entities: { customer: { from: customer, fields: { Mail: "{mail}", "*": copy } } } }
""")
        os.chmod(self.path("plan.yaml"), 0o644)
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.run_program("migrate", "--plan", "plan.yaml", "--rejects", ".transhume/rejects/1-1.jsonl", code=1)
        self.assert_there(self.seen_modes(".transhume", "out"), ".transhume/input.jsonl", "out/_transhume/ledger.log")

    def test_modes_of_what_is_spilled(self):
        self.open_to_all()
        support.make_sqlite(self.path("large.db"), """CREATE TABLE large(id INTEGER PRIMARY KEY, v BLOB);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
            INSERT INTO large SELECT i, randomblob(30000) FROM n;""")
        self.run_program("migrate", "large.db", "jsonl:out")
        process = support.start("validate", "--level", "full", "--rows-per-second", "300", cwd=self.folder)
        self.addCleanup(self.end, process)

        def is_there():
            self.assertIsNone(process.poll(), "it ended before it spilled")
            return any(name.startswith("part-") for _, _, names in os.walk(self.path(".transhume", "spill"))
                       for name in names)
        self.wait_until("it spills", is_there)
        process.send_signal(signal.SIGSTOP)
        self.wait_until_stopped(process)
        self.assert_there(self.seen_modes(".transhume"), ".transhume/spill/*/part-*")

    def test_modes_of_images(self):
        """Before-images of a target that can't keep them: they hold records of others."""
        server = servers.start("dynalite")
        self.addCleanup(server.stop)
        self.open_to_all()
        env = servers.aws_environment(self.folder)
        arguments = ["--include", "customer", "--existing", "upsert", "shop.db",
                     "dynamodb://us-east-1?endpoint=" + server.endpoint]
        self.run_program("migrate", *arguments, env=env)
        self.run_program("migrate", *arguments, env=env)
        self.assert_there(self.seen_modes(".transhume"), ".transhume/before/*")


if __name__ == "__main__":
    unittest.main()
