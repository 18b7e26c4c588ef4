"""
What goes wrong with DynamoDB itself: credentials, network, clocks, tables. One clear line, the right exit code, nothing
lost.
"""
import os
import re
import signal
import sqlite3
import textwrap
import time
import unittest

import items
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from support import SEED, SOAK


class BadInputCase(DynamodbCase):
    def source_table(self, count=3):
        items.create(self.client, "herd")
        wanted = [{"id": {"S": "sheep %d" % n}} for n in range(count)]
        items.put(self.client, "herd", wanted)
        return wanted

    def sqlite_source(self,
                      script="CREATE TABLE herd(id TEXT PRIMARY KEY, n); INSERT INTO herd VALUES ('a', 1), ('b', 2);"):
        db = sqlite3.connect(self.path("herd.db"))
        db.executescript(script)
        db.close()
        return "herd.db"

    def refused(self, *arguments, code, says, hint=None, time_limit=support.TIME_LIMIT_S, **changes):
        """One error line with these words, this exit code."""
        result = self.run_aws(*arguments, code=code, time_limit=time_limit, **changes)
        lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(lines), 1, result.err)
        for words in [says] if isinstance(says, str) else says:
            self.assertIn(words.lower(), result.err.lower(), result.err)
        self.assertNotIn(servers.SECRET_ACCESS_KEY, result.err + result.out)
        return result

    def read(self, uri, **expected):
        return self.refused("migrate", "--timeout", "1s", uri, "dynamodb-json:out", **expected)


class Credentials(BadInputCase):
    def test_none(self):
        self.read(self.uri(), code=2, says="credentials", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    def test_half_of_them(self):
        self.read(self.uri(), code=2, says=["AWS_SECRET_ACCESS_KEY", "set both"], AWS_SECRET_ACCESS_KEY=None)

    def test_a_profile_that_is_not_there(self):
        self.write("config", "[profile shop]\nregion = eu-west-1\n[profile shoes]\n")
        self.read(self.uri(profile="shopp"), code=2, says=["profile", "shopp"], AWS_CONFIG_FILE=self.path("config"))

    def test_expired(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", code="ExpiredTokenException")
            self.read(self.uri(proxy.endpoint), code=2, says="expired")

    def test_expired_in_mid_run_and_resumed(self):
        wanted = self.source_table(300)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", operation="Scan", first=5, code="ExpiredTokenException")
            proxy.add("short_page", limit=20)
            arguments = ("--timeout", "1s", "--chunk-rows", "50", self.uri(proxy.endpoint), "dynamodb-json:out")
            result = self.refused("migrate", *arguments, code=3, says="expired")
            self.assertIn("transhume resume", result.err)
            proxy.clear()
            self.run_aws("resume", *arguments)
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])

    def test_unknown_to_the_server(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", code="UnrecognizedClientException")
            self.read(self.uri(proxy.endpoint), code=2, says="UnrecognizedClientException")

    def test_without_permission(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", code="AccessDeniedException", message="User: arn:aws:iam::1:user/x is not authorized "
                                                                     "to perform: dynamodb:ListTables")
            result = self.read(self.uri(proxy.endpoint), code=2, says=["AccessDenied", "dynamodb:ListTables"])
            self.assertIn("docs/dynamodb.md", result.err)


class Renewed(BadInputCase):
    """Keys that end while a run goes on; their id says when, in seconds since 1970."""

    def giver(self, life_s):
        self.write("give", textwrap.dedent("""\
            #!/usr/bin/env python3
            import json, time
            ends = time.time() + %d
            print(json.dumps({"Version": 1, "AccessKeyId": "AKID%%017.6f" %% ends, "SecretAccessKey": "none", "SessionToken": "t",
                              "Expiration": time.strftime("%%Y-%%m-%%dT%%H:%%M:%%SZ", time.gmtime(ends))}))
            """ % life_s))
        os.chmod(self.path("give"), 0o700)
        self.write("config", "[default]\ncredential_process = %s\n" % self.path("give"))
        return {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_CONFIG_FILE": self.path("config")}

    def copy(self, proxy, *options, **changes):
        wanted = self.source_table(100)
        proxy.add("short_page", limit=10)
        self.run_aws("migrate", "--jobs", "1", *options, self.uri(proxy.endpoint), "dynamodb-json:out", **changes)
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])
        return proxy.seen

    def test_before_they_end(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="Scan", first=3, until=9)
            begun = time.time() - (time.monotonic() - proxy.begun)
            seen = self.copy(proxy, "--timeout", "10s", **self.giver(60))
            self.assertGreater(len({one.key_id for one in seen}), 1)
            for one in seen:
                self.assertLess(begun + one.seconds, float(one.key_id[4:]))

    def test_when_the_server_says_so(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", operation="Scan", first=4, count=1, code="ExpiredTokenException")
            seen = self.copy(proxy, **self.giver(7200))
            refused, = (number for number, one in enumerate(seen) if one.fault == "refuse")
            after = [one.key_id for one in seen[refused + 1:] if one.operation == "Scan"]
            self.assertTrue(after)
            self.assertNotIn(seen[refused].key_id, after)


class WrongSecret(BadInputCase):
    """moto checks signatures if it is told to; the first eight requests, to make its user and a role, are free."""

    EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "moto", {"INITIAL_NO_AUTH_ACTION_COUNT": "8"})
        iam = servers.boto3().client("iam", endpoint_url=cls.server.endpoint, region_name=servers.REGION,
                                     aws_access_key_id="x", aws_secret_access_key="y")
        iam.create_user(UserName="tester")
        cls.key = iam.create_access_key(UserName="tester")["AccessKey"]
        iam.put_user_policy(UserName="tester", PolicyName="all", PolicyDocument=cls.EVERYTHING)
        iam.create_role(RoleName="herder", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": '
                        '{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}')
        iam.create_policy(PolicyName="all", PolicyDocument=cls.EVERYTHING)
        iam.attach_role_policy(RoleName="herder", PolicyArn="arn:aws:iam::123456789012:policy/all")
        cls.client = servers.dynamodb_client(cls.server.endpoint, aws_access_key_id=cls.key["AccessKeyId"],
                                             aws_secret_access_key=cls.key["SecretAccessKey"])

    def keys(self, **changes):
        return dict({"AWS_ACCESS_KEY_ID": self.key["AccessKeyId"],
                     "AWS_SECRET_ACCESS_KEY": self.key["SecretAccessKey"]}, **changes)

    def test_the_right_one_is_taken_and_a_wrong_one_is_not(self):
        wanted = self.source_table()
        self.run_aws("migrate", self.uri(), "dynamodb-json:out", **self.keys())
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])
        self.refused("migrate", "--state", "other", self.uri(), "dynamodb-json:out2", code=2,
                     says="SignatureDoesNotMatch", **self.keys(AWS_SECRET_ACCESS_KEY="wrong" * 8))
        self.refused("migrate", "--state", "third", self.uri(), "dynamodb-json:out3", code=2,
                     says="InvalidClientTokenId", **self.keys(AWS_ACCESS_KEY_ID="AKIDNOBODY0000000000"))


    PLAN = """
        transhume: 1
        source: sqlite:herd.db
        target: %s
        existing: %s
        tables:
          herd: { key: { partition: id, sort: n }, ttl: until, tags: { team: "Shéep & co" },
                  indexes: { by-n: { partition: n }, by-until: { partition: id, sort: until, local: true } },
                  entities: { sheep: { from: herd, fields: { "*": copy } } } }
    """

    def plan(self, uri, existing):
        return self.write("%s.yaml" % existing, textwrap.dedent(self.PLAN % (uri, existing)))

    def allowed(self, proxy, *arguments, code=0, **changes):
        """Nothing that was sent was refused for its signature."""
        result = self.run_aws(*arguments, code=code, **self.keys(**changes))
        self.assertEqual([one for one in proxy.seen if one.status in (401, 403)], [])
        return result

    def test_every_operation_is_signed_right(self):
        """
        All that docs/dynamodb.md lists, into tables that are made, filled up, merged, gone on with, and read back.
        """
        self.sqlite_source("CREATE TABLE herd(id TEXT, n INTEGER, until INTEGER, more, PRIMARY KEY (id, n));"
                           "INSERT INTO herd VALUES (NULL, 0, 0, 'no key');"
                           "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200)"
                           "INSERT INTO herd SELECT 'schäf ' || i % 7, i, 4102444800 + i, zeroblob(i % 4) FROM c;")
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            uri = self.uri(proxy.endpoint, lease=2)
            first = ["--plan", self.plan(uri, "refuse"), "--state", "one"]
            self.allowed(proxy, "migrate", *first, "--chunk-rows", "50", "--timeout", "1s", code=-signal.SIGKILL,
                         TRANSHUME_FAILPOINT="dynamodb.after_table:kill:1")
            self.allowed(proxy, "resume", *first, code=-signal.SIGKILL,
                         TRANSHUME_FAILPOINT="dynamodb.after_send:kill:7")
            self.allowed(proxy, "resume", *first, code=1)
            self.allowed(proxy, "migrate", "--plan", self.plan(uri, "append"), "--state", "two", code=1)
            self.allowed(proxy, "migrate", "--plan", self.plan(uri, "upsert"), "--state", "three", code=1)
            self.allowed(proxy, "migrate", "--include", "herd", uri, "dynamodb-json:out")
            self.write("query.yaml", textwrap.dedent("""
                transhume: 1
                source: %s
                target: dynamodb-json:asked
                tables:
                  asked: { key: { partition: id, sort: n }, entities: { sheep: { fields: { "*": copy }, query: '{"TableName": "herd",
                    "KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "schäf 3"}}}' } } }
                """ % uri))
            self.allowed(proxy, "migrate", "--plan", self.path("query.yaml"), "--state", "four")
            operations = set(proxy.operations())
        wanted = items.scan(self.client, "herd")
        self.assertEqual(len(wanted), 200)
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])
        items.assert_same(self, [item for item in wanted if item["id"]["S"] == "schäf 3"],
                          support.read_dynamodb_json(self.path("asked"))["asked"])
        with open(os.path.join(support.ROOT, "docs", "dynamodb.md"), encoding="utf-8") as page:
            listed = set(re.findall(r"`dynamodb:([A-Z]\w+)`", page.read()))
        # CreateTable asks for the first permission; DeleteItem goes the way of the ledger's PutItem; the
        # third is for whole copies (test_dynamodb_whole).
        self.assertEqual(listed - operations, {"TagResource", "DeleteItem", "DescribeTimeToLive"})

    def test_a_role(self):
        """Of the token service, whose keys the tables take."""
        wanted = self.source_table()
        self.write("config", "[profile base]\naws_access_key_id = %s\naws_secret_access_key = %s\n[profile herder]\n"
                   "role_arn = arn:aws:iam::123456789012:role/herder\nsource_profile = base\nregion = us-east-1\n"
                   % (self.key["AccessKeyId"], self.key["SecretAccessKey"]))
        changes = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_CONFIG_FILE": self.path("config"),
                   "AWS_PROFILE": "herder", "AWS_ENDPOINT_URL_STS": self.server.endpoint}
        self.run_aws("migrate", self.uri(), "dynamodb-json:out", **changes)
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])
        self.write("config", open(self.path("config"), encoding="utf-8").read().replace(self.key["SecretAccessKey"],
            "wrong"))
        self.refused("migrate", "--state", "other", self.uri(), "dynamodb-json:out2", code=2,
                     says=["STS refuses the role", "SignatureDoesNotMatch"], **changes)


class Network(BadInputCase):
    def test_nobody_answers(self):
        begun = time.monotonic()
        self.read("dynamodb://us-east-1?endpoint=http://127.0.0.1:%d" % servers.free_port(), code=3,
                  says=["127.0.0.1", "connect"])
        self.assertLess(time.monotonic() - begun, 15 * support.PATIENCE)

    def test_nobody_ever_answered(self):
        """Nothing to be patient for, whatever --timeout is."""
        begun = time.monotonic()
        self.refused("migrate", "--timeout", "60s", "dynamodb://us-east-1?endpoint=http://127.0.0.1:%d"
                     % servers.free_port(),
                     "dynamodb-json:out", code=3, says=["127.0.0.1", "check the region, the endpoint and the network"])
        self.assertLess(time.monotonic() - begun, 25 * support.PATIENCE)

    def test_a_region_that_does_not_exist(self):
        # .invalid never resolves (RFC 2606)
        self.read("dynamodb://us-nowhere-9?endpoint=https://dynamodb.us-nowhere-9.invalid", code=3,
                  says="us-nowhere-9")

    def test_a_region_that_is_no_name(self):
        self.read("dynamodb://us%20east%2F1?endpoint=" + self.server.endpoint, code=2, says="region")

    def test_no_region(self):
        self.read("dynamodb://?endpoint=" + self.server.endpoint, code=2, says="region")

    def test_plaintext_to_another_host(self):
        self.read("dynamodb://us-east-1?endpoint=http://dynamodb.example.invalid", code=2, says="plaintext")

    def test_a_proxy_that_answers_html(self):
        for status in (200, 403):
            with self.subTest(status=status), FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.add("html", status=status)
                self.read(self.uri(proxy.endpoint), code=3, says=["Welcome", "proxy"])

    def test_a_gateway_that_fails(self):
        """It may come back, so it is asked again; then what it says is told."""
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("html", status=502)
            self.read(self.uri(proxy.endpoint), code=3, says=["given up after", "status 502", "Welcome", "proxy"])
            proxy.clear()
            wanted = self.source_table()
            proxy.add("html", status=503, count=2)
            self.run_aws("migrate", self.uri(proxy.endpoint), "dynamodb-json:out")
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])

    def test_a_proxy_that_is_not_there(self):
        address = "http://127.0.0.1:%d" % servers.free_port()
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            with self.subTest(name=name):
                self.read("dynamodb://us-east-1", code=3, says=["dynamodb.us-east-1.amazonaws.com",
                                                                "%s is %s" % (name, address)],
                          **dict(dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")),
                                 **{name: address}))

    def test_cut_for_good_in_mid_run_and_resumed(self):
        wanted = self.source_table(300)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("cut_before", operation="Scan", first=6)
            proxy.add("short_page", limit=20)
            arguments = ("--timeout", "500ms", "--chunk-rows", "50", self.uri(proxy.endpoint), "dynamodb-json:out")
            result = self.refused("migrate", *arguments, code=3, says="herd")
            self.assertIn("transhume resume", result.err)
            proxy.clear()
            self.run_aws("resume", *arguments)
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])


class Clock(BadInputCase):
    def test_a_clock_that_is_wrong_is_allowed_for_and_said(self):
        wanted = self.source_table()
        for number, offset_s in enumerate((3600, -7200)):
            with self.subTest(offset_s=offset_s), FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.clock_offset_s = offset_s
                out = "out-%d" % number
                result = self.run_aws("migrate", "--state", "state-%d" % number, self.uri(proxy.endpoint),
                                      "dynamodb-json:" + out)
                self.assertGreater(proxy.hits["skew"], 0)
                self.assertRegex(result.err.lower(), "clock")
                items.assert_same(self, wanted, support.read_dynamodb_json(self.path(out))["herd"])


    def test_a_refusal_that_the_server_s_time_does_not_explain(self):
        for code, message in (("InvalidSignatureException",
                               "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"),
                              ("InvalidSignatureException",
                               "Signature not yet current: 20260101T020000Z is still later"),
                              ("RequestTimeTooSkewed",
                               "The difference between the request time and the current time is too large.")):
            with self.subTest(message=message), FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.add("refuse", code=code, message=message)
                self.read(self.uri(proxy.endpoint), code=2, says=[message, "set this machine's clock"])


class Throttling(BadInputCase):
    SECONDS = 150 if SOAK else 20 if support.UNDER_VALGRIND else 4

    def test_for_minutes(self):
        wanted = self.source_table(100)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="Scan", first=3, until=self.SECONDS)
            proxy.add("short_page", limit=10)
            result = self.run_aws("migrate", "--timeout", "1s", "--chunk-rows", "50", "--progress", "log",
                                  "--jobs", "1", self.uri(proxy.endpoint), "dynamodb-json:out",
                                  time_limit=self.SECONDS + 60)
            self.assertGreater(proxy.hits["throttle"], 3)
        self.assertRegex(result.err.lower(), "throttled|slow down")
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])

    def test_before_the_run(self):
        """It is said, and borne as long as there is patience."""
        wanted = self.source_table(3)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="DescribeTable", until=17 if support.UNDER_VALGRIND else 7)
            result = self.run_aws("migrate", "--timeout", "25s" if support.UNDER_VALGRIND else "15s",
                                  self.uri(proxy.endpoint), "dynamodb-json:out")
            self.assertRegex(result.err, "herd: DescribeTable answers ProvisionedThroughputExceeded.*trying again for")
            items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["herd"])
            proxy.clear()
            proxy.add("throttle", operation="DescribeTable")
            self.refused("migrate", "--state", "other", "--timeout", "500ms", self.uri(proxy.endpoint),
                         "dynamodb-json:out2",
                         code=3, says=["given up after", "herd", "read_units"])

    def test_looking_at_what_is_there_for_minutes(self):
        """Longer than a request is patient: who waits for it is more so."""
        self.sqlite_source()
        items.create(self.client, "herd")
        items.put(self.client, "herd", [{"id": {"S": "a"}, "mine": {"BOOL": True}}])
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="BatchGetItem", until=self.SECONDS)
            self.run_aws("migrate", "--timeout", "500ms", "--existing", "upsert", "herd.db", self.uri(proxy.endpoint),
                         time_limit=self.SECONDS + 60)
            self.assertGreater(proxy.hits["throttle"], 3)
        self.assert_tables({"herd": [{"id": {"S": "a"}, "n": {"N": "1"}, "mine": {"BOOL": True}},
                                     {"id": {"S": "b"}, "n": {"N": "2"}}]})

    def test_writing_for_minutes(self):
        self.sqlite_source()
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="BatchWriteItem", until=self.SECONDS)
            result = self.run_aws("migrate", "--timeout", "2s", "--progress", "log", "herd.db",
                                  self.uri(proxy.endpoint), time_limit=self.SECONDS + 60)
            self.assertGreater(proxy.hits["throttle"], 3)
        self.assertRegex(result.err.lower(), "throttled|slow down")
        self.assert_tables({"herd": [{"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "b"}, "n": {"N": "2"}}]})


class SourceTables(BadInputCase):
    def test_a_table_that_is_not_there(self):
        self.source_table()
        self.write("plan.yaml", "transhume: 1\nsource: \"%s\"\ntarget: dynamodb-json:out\ntables:\n  t:\n"
                                "    key: { partition: id }\n    from: hers\n    fields: { \"*\": copy }\n"
                   % self.uri())
        self.refused("migrate", "--plan", "plan.yaml", code=2, says=["hers", "herd"])

    def test_a_table_that_is_deleted_in_mid_run(self):
        self.source_table(200)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("refuse", operation="Scan", first=4, code="ResourceNotFoundException",
                      message="Requested resource not found: Table: herd not found")
            proxy.add("short_page", limit=20)
            self.refused("migrate", "--chunk-rows", "50", self.uri(proxy.endpoint), "dynamodb-json:out", code=3,
                         says=["herd", "ResourceNotFoundException"])


class SlowDeletion(BadInputCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite", options=["--deleteTableMs",
                                                                 "9000" if support.UNDER_VALGRIND else "3000"])
        cls.client = items.client_of(cls.server)

    def setUp(self):
        support.TestCase.setUp(self)

    def test_a_table_that_is_being_deleted(self):
        items.create(self.client, "herd")
        items.create(self.client, "other")
        self.client.delete_table(TableName="herd")
        self.write("plan.yaml", "transhume: 1\nsource: \"%s\"\ntarget: dynamodb-json:out\ntables:\n  t:\n"
                                "    key: { partition: id }\n    from: herd\n    fields: { \"*\": copy }\n"
                   % self.uri())
        self.refused("migrate", "--plan", "plan.yaml", code=2, says=["herd", "DELETING"])
        items.wait_gone(self.client, "herd")
        items.create(self.client, "herd")
        self.client.delete_table(TableName="herd")
        self.sqlite_source()
        self.refused("migrate", "herd.db", self.uri(), code=2, says=["herd", "being deleted"])

    def test_among_others(self):
        """A copy of everything does not pass it over in silence."""
        items.empty(self.client)
        items.create(self.client, "leaving")
        items.create(self.client, "staying")
        items.put(self.client, "staying", [{"id": {"S": "a"}}])
        self.client.delete_table(TableName="leaving")
        for command in ("migrate", "check"):
            self.refused(command, self.uri(), "dynamodb-json:out", code=2,
                         says=["leaving", "DELETING", "--exclude leaving"])
        self.assertFalse(os.path.exists(self.path("out")))
        self.run_aws("migrate", "--exclude", "leaving", self.uri(), "dynamodb-json:out")
        self.assertEqual(list(support.read_dynamodb_json(self.path("out"))), ["staying"])

    def test_as_the_service_tells_it(self):
        """What DynamoDB says of a table that goes need not have its key and attributes."""
        items.empty(self.client)
        def change(told):
            if told.get("Table", {}).get("TableName") == "first":
                for name in ("KeySchema", "AttributeDefinitions"):
                    told["Table"].pop(name, None)
                told["Table"]["TableStatus"] = "DELETING"
        items.create(self.client, "first")
        items.create(self.client, "second")
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("rewrite", operation="DescribeTable", change=change)
            self.refused("migrate", self.uri(proxy.endpoint), "dynamodb-json:out", code=2, says=["first", "DELETING"])
            self.run_aws("migrate", "--include", "second", self.uri(proxy.endpoint), "dynamodb-json:out")


class TargetTables(BadInputCase):
    def test_other_keys(self):
        items.create(self.client, "herd", (("shepherd", "S"), ("id", "S")))
        self.sqlite_source()
        self.refused("migrate", "herd.db", self.uri(), code=2, says=["herd", "key", "shepherd"])
        self.assertEqual(items.tables(self.client), ["herd"])

    def test_a_key_of_another_type(self):
        items.create(self.client, "herd", (("id", "N"),))
        self.sqlite_source()
        self.refused("migrate", "herd.db", self.uri(), code=2, says=["herd", "id"])

    def test_a_missing_index(self):
        items.create(self.client, "herd")
        self.sqlite_source()
        self.write("plan.yaml", "transhume: 1\nsource: sqlite:herd.db\ntarget: \"%s\"\ntables:\n  herd:\n"
                                "    key: { partition: id }\n    indexes: { by-n: { partition: n } }\n    from: herd\n"
                                "    fields: { \"*\": copy }\n" % self.uri())
        self.refused("migrate", "--plan", "plan.yaml", code=2, says=["herd", "by-n"])

    def test_items_that_are_there(self):
        self.source_table()
        self.sqlite_source()
        self.refused("migrate", "herd.db", self.uri(), code=5, says="herd")

    def test_oversized_items_and_empty_keys_are_rejected_and_the_others_written(self):
        self.sqlite_source("CREATE TABLE herd(id TEXT PRIMARY KEY, n);"
                           "INSERT INTO herd VALUES ('good', 1), ('', 2), ('large', printf('%.*c', 409600, 'x')),"
                           "(printf('%.*c', 2049, 'k'), 3), ('fits', printf('%.*c', 409000, 'x'));")
        self.run_aws("migrate", "--state", "state", "--max-rejects", "10", "herd.db", self.uri(), code=1)
        self.assert_tables({"herd": [{"id": {"S": "good"}, "n": {"N": "1"}},
                                     {"id": {"S": "fits"}, "n": {"S": "x" * 409000}}]})
        self.assertEqual(sorted(reject["code"] for reject in self.rejects("state")),
                         ["key-null", "key-too-long", "record-too-large"])


if __name__ == "__main__":
    unittest.main()
