"""The chain of AWS credentials: each provider against a server that follows a script, and against botocore."""
import datetime
import hashlib
import json
import os
import shutil
import stat
import tempfile
import textwrap
import time
import unittest
import urllib.parse

import net_support
from net_support import ScriptedServer, STS_ANSWER, answering, stamp
import support

HOUR_S = 3600
SECRETS = ["secret-of-the-environment", "secret-of-the-profile", "secret-of-the-role", "token-of-the-role",
           "secret-of-the-container", "secret-of-the-instance", "secret-of-the-process", "web-identity-token",
           "container-token", "instance-token"]


def as_json(name, life_s=HOUR_S, token_name="Token", **more):
    document = {"AccessKeyId": "AKID" + name.upper(), "SecretAccessKey": "secret-of-the-" + name,
                token_name: "token-of-the-" + name}
    if life_s is not None:
        document["Expiration"] = stamp(life_s)
    return json.dumps(dict(document, **more))


class Sts:
    """A token service: keeps what it was asked, answers with keys of the role's name."""

    def __init__(self, life_s=HOUR_S, before=None):
        self.life_s, self.before = life_s, before
        self.asked = []

    def __call__(self, method, target, headers, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        self.asked.append((form, headers, body))
        early = self.before(len(self.asked)) if self.before else None
        if early:
            return early
        key = "AKID" + form["RoleArn"].rpartition("/")[2].upper()
        return 200, STS_ANSWER.format(action=form["Action"], key=key, secret="secret-of-the-role",
                                      token="token-of-the-role+/=&lt;&amp;&gt;",
                                      expiration=stamp(self.life_s)), {"Content-Type": "text/xml"}


class CredentialsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="transhume-aws-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = {"AWS_CONFIG_FILE": self.path("config"), "AWS_SHARED_CREDENTIALS_FILE": self.path("credentials"),
                    "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "eu-west-2"}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        os.chmod(self.path(name), mode)
        return self.path(name)

    def server(self, respond, **options):
        server = ScriptedServer(answering(respond), **options)
        self.addCleanup(server.stop)
        return server

    def sts(self, *arguments, **options):
        service = Sts(*arguments, **options)
        server = self.server(service)
        self.env["AWS_ENDPOINT_URL_STS"] = server.url
        return service

    def ask(self, steps=1, **given):
        """What `steps` gets give (or the steps of a script), and the log."""
        steps = [{}] * steps if isinstance(steps, int) else steps
        probed = net_support.probe("credentials", dict(given, steps=steps), self.env)
        shown = probed.log + json.dumps([step["error"] for step in probed.result["steps"] if "error" in step]
                                        + [probed.result["error"]])
        for secret in SECRETS:
            self.assertNotIn(secret, shown)
        self.log = probed.log
        if probed.result["error"]:
            return [{"error": probed.result["error"]}]
        return probed.result["steps"]

    def same_as_botocore(self, **given):
        """Ours, after making sure that botocore gets the same; nothing where both get nothing."""
        theirs = net_support.botocore("credentials", given, self.env)
        ours = self.ask(**given)[0]
        if "error" in theirs:
            self.assertIn("error", ours, "botocore: %s, here: %s" % (theirs, ours))
            return ours["error"]
        self.assertNotIn("error", ours, theirs)
        for name in ("access_key_id", "secret_access_key", "session_token"):
            self.assertEqual(ours[name], theirs[name], name)
        if theirs["expires_ms"] is not None:
            self.assertAlmostEqual(ours["expires_ms"], theirs["expires_ms"], delta=5000)
        return ours

    def refused(self, words, code="credentials", **given):
        error = self.ask(**given)[0]["error"]
        self.assertEqual(error["code"], code, error)
        self.assertIn(words, error["object"] + ": " + error["message"])
        return error


class Static(CredentialsTest):
    def test_the_environment(self):
        self.env.update(AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY="secret-of-the-environment")
        self.assertEqual(self.same_as_botocore()["provider"], "the environment")
        self.env["AWS_SESSION_TOKEN"] = "t" * 3000
        self.assertEqual(self.same_as_botocore()["session_token"], "t" * 3000)
        self.env["AWS_CREDENTIAL_EXPIRATION"] = stamp(3 * HOUR_S)
        self.assertIsNotNone(self.same_as_botocore()["expires_ms"])
        self.env["AWS_CREDENTIAL_EXPIRATION"] = stamp(-5)
        self.assertIn("expired", self.same_as_botocore()["message"])
        del self.env["AWS_CREDENTIAL_EXPIRATION"], self.env["AWS_SECRET_ACCESS_KEY"]
        self.assertIn("AWS_SECRET_ACCESS_KEY is not", self.same_as_botocore()["message"])

    def test_profiles(self):
        self.write("config", """
            [default]
            aws_access_key_id = AKIDCONFIG
            aws_secret_access_key = secret-of-the-profile
            [profile both]
            aws_access_key_id = AKIDCONFIG
            aws_secret_access_key = other
            [profile half]
            aws_access_key_id = AKIDHALF
            [profile none]
            region = eu-west-1
        """)
        self.write("credentials", """
            [both]
            aws_access_key_id = AKIDBOTH
            aws_secret_access_key = secret-of-the-profile
            aws_session_token = token
        """)
        self.assertEqual(self.same_as_botocore()["access_key_id"], "AKIDCONFIG")
        self.assertEqual(self.same_as_botocore(profile="both")["access_key_id"], "AKIDBOTH")
        self.assertIn("no aws_secret_access_key", self.same_as_botocore(profile="half")["message"])
        self.assertIn("has no keys", self.same_as_botocore(profile="none")["message"])
        self.assertEqual(self.same_as_botocore(profile="gone")["code"], "aws-config")
        self.env["AWS_PROFILE"] = "both"
        self.assertEqual(self.same_as_botocore()["provider"], "profile both")

    def test_which_counts(self):
        self.write("credentials", "[p]\naws_access_key_id = AKIDP\naws_secret_access_key = secret-of-the-profile\n")
        self.env.update(AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY="secret-of-the-environment")
        self.env["AWS_PROFILE"] = "p"
        self.assertEqual(self.same_as_botocore()["access_key_id"], "AKIDENV")
        self.assertEqual(self.same_as_botocore(profile="p")["access_key_id"], "AKIDP")
        explicit, = self.ask(profile="p", access_key_id="AKIDX", secret_access_key="explicit", session_token="t")
        self.assertEqual((explicit["access_key_id"], explicit["provider"]), ("AKIDX", "the options"))
        self.assertEqual(self.ask(access_key_id="AKIDX")[0]["error"]["code"], "credentials")

    def test_nobody(self):
        error = self.same_as_botocore()
        for words in ("AWS_ACCESS_KEY_ID is not set", "AWS_WEB_IDENTITY_TOKEN_FILE is not set", self.path("config"),
                      "does not exist", "no container", "AWS_EC2_METADATA_DISABLED"):
            self.assertIn(words, error["message"])

    def test_what_is_signed_in_elsewhere(self):
        self.write("config", """
            [profile login]
            login_session = arn:aws:iam::1:user/u
            [profile both]
            sso_start_url = https://x
            credential_process = %s
        """ % self.write("p", "#!/bin/sh\necho '%s'\n" % as_json("process", token_name="SessionToken", Version=1),
                         0o700))
        error = self.refused("aws login", profile="login")
        self.assertIn("aws configure export-credentials --profile login --format process", error["hint"])
        self.assertEqual(self.ask(profile="both")[0]["access_key_id"], "AKIDPROCESS")


class Roles(CredentialsTest):
    CONFIG = """
        [profile base]
        aws_access_key_id = AKIDBASE
        aws_secret_access_key = secret-of-the-profile
        region = eu-west-1
        [profile one]
        role_arn = arn:aws:iam::1:role/one
        source_profile = base
        external_id = ext&=1 é
        duration_seconds = 900
        role_session_name = me@here
        [profile two]
        role_arn = arn:aws:iam::1:role/two
        source_profile = one
        [profile self]
        role_arn = arn:aws:iam::1:role/self
        source_profile = self
        aws_access_key_id = AKIDSELF
        aws_secret_access_key = secret-of-the-profile
        [profile loop]
        role_arn = arn:aws:iam::1:role/loop
        source_profile = pool
        [profile pool]
        role_arn = arn:aws:iam::1:role/pool
        source_profile = loop
        [profile lost]
        role_arn = arn:aws:iam::1:role/lost
        source_profile = nowhere
        [profile empty]
        role_arn = arn:aws:iam::1:role/empty
        source_profile = nothing
        [profile nothing]
        region = x
        [profile neither]
        role_arn = arn:aws:iam::1:role/neither
        [profile both]
        role_arn = arn:aws:iam::1:role/both
        source_profile = base
        credential_source = Environment
        [profile env]
        role_arn = arn:aws:iam::1:role/env
        credential_source = Environment
        [profile ecs]
        role_arn = arn:aws:iam::1:role/ecs
        credential_source = EcsContainer
        [profile ec2]
        role_arn = arn:aws:iam::1:role/ec2
        credential_source = Ec2InstanceMetadata
        [profile what]
        role_arn = arn:aws:iam::1:role/what
        credential_source = What
        [profile keyed]
        role_arn = arn:aws:iam::1:role/keyed
        source_profile = self
        [profile mfa]
        role_arn = arn:aws:iam::1:role/mfa
        source_profile = base
        mfa_serial = arn:aws:iam::1:mfa/me
    """

    def setUp(self):
        super().setUp()
        self.write("config", self.CONFIG)

    def check_signature(self, asked, key_id, secret, token=None):
        """That botocore signs the same question the same way."""
        form, headers, body = asked
        moment = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        request = {"method": "POST", "host": headers["host"], "path": "/", "payload": body.decode(), "service": "sts",
                   "headers": [["Content-Type", headers["content-type"]]],
                   "region": headers["authorization"].split("/")[2], "access_key_id": key_id,
                   "secret_access_key": secret, "session_token": token,
                   "time_ms": int(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)}
        theirs = net_support.botocore("sign", {"requests": [request]})["signed"][0]
        self.assertEqual(headers["authorization"], theirs["Authorization"])
        self.assertEqual(headers.get("x-amz-security-token"), token)
        return form

    def test_a_role(self):
        service = self.sts()
        got = self.same_as_botocore(profile="one")
        self.assertEqual((got["access_key_id"], got["session_token"], got["provider"]),
                         ("AKIDONE", "token-of-the-role+/=<&>", "role of profile one"))
        self.assertEqual(len(service.asked), 2)
        form = self.check_signature(service.asked[1], "AKIDBASE", "secret-of-the-profile")
        self.assertEqual(form, service.asked[0][0])
        self.assertEqual(form["ExternalId"], "ext&=1 é")
        self.assertEqual(form["DurationSeconds"], "900")

    def test_a_role_by_way_of_another(self):
        service = self.sts()
        self.assertEqual(self.same_as_botocore(profile="two")["access_key_id"], "AKIDTWO")
        self.assertEqual([asked[0]["RoleArn"].rpartition("/")[2] for asked in service.asked[2:]], ["one", "two"])
        self.check_signature(service.asked[3], "AKIDONE", "secret-of-the-role", "token-of-the-role+/=<&>")
        self.assertRegex(service.asked[3][0]["RoleSessionName"], r"^transhume-\d+$")

    def test_the_region_of_the_token_service(self):
        service = self.sts()
        self.ask(profile="one", region="ap-south-1")
        self.ask(profile="one")
        del self.env["AWS_DEFAULT_REGION"]
        self.ask(profile="one")
        self.assertEqual([asked[1]["authorization"].split("/")[2] for asked in service.asked],
                         ["ap-south-1", "eu-west-2", "us-east-1"])
        del self.env["AWS_ENDPOINT_URL_STS"]
        # No network is used: the proxy that is named does not exist.
        self.env["https_proxy"] = "http://127.0.0.1:1"
        error = self.ask(profile="one", region="cn-north-1")[0]["error"]
        self.assertEqual((error["code"], error["class"], error["object"]),
                         ("network", "retry", "https://sts.cn-north-1.amazonaws.com.cn"))

    def test_sources(self):
        self.sts()
        self.assertEqual(self.same_as_botocore(profile="self")["access_key_id"], "AKIDSELF")
        self.assertEqual(self.same_as_botocore(profile="keyed")["access_key_id"], "AKIDKEYED")
        self.same_as_botocore(profile="env")
        self.env.update(AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY="secret-of-the-environment")
        self.assertEqual(self.same_as_botocore(profile="env")["access_key_id"], "AKIDENV")
        self.assertEqual(self.same_as_botocore(profile="env")["session_token"], "token-of-the-role+/=<&>")
        container = self.server(lambda *_: (200, as_json("container")))
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = container.url + "/x"
        self.assertEqual(self.same_as_botocore(profile="ecs")["access_key_id"], "AKIDECS")
        self.assertEqual(len(container.requests), 2)

    def test_sources_that_are_none(self):
        service = self.sts()
        for profile, words in (("loop", "leads back"), ("lost", "in neither file"), ("empty", "has no credentials"),
                               ("neither", "neither source_profile nor"), ("both", "has both"),
                               ("what", "not known"), ("ec2", "AWS_EC2_METADATA_DISABLED")):
            with self.subTest(profile):
                self.assertIn(words, self.same_as_botocore(profile=profile)["message"])
        error = self.refused("mfa_serial", profile="mfa")
        self.assertIn("export-credentials --profile mfa", error["hint"])
        self.assertEqual(service.asked, [])

    def test_a_long_way(self):
        text = "[profile r0]\naws_access_key_id = AKIDR\naws_secret_access_key = secret-of-the-profile\n"
        for i in range(1, 20):
            text += "[profile r%d]\nrole_arn = arn:aws:iam::1:role/r%d\nsource_profile = r%d\n" % (i, i, i - 1)
        self.write("config", text)
        self.sts()
        self.assertEqual(self.ask(profile="r8")[0]["access_key_id"], "AKIDR8")
        self.refused("roles are chained", profile="r12")

    def test_refusals(self):
        denied = ("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User &lt;x&gt; may not"
                  "</Message></Error></ErrorResponse>")
        service = self.sts(before=lambda count: (403, denied, {"Content-Type": "text/xml"}))
        error = self.refused("AccessDenied: User <x> may not", profile="one")
        self.assertEqual(error["class"], "stop")
        self.assertEqual(len(service.asked), 1)

    def test_passing_faults(self):
        service = self.sts(before=lambda count: (503, "busy") if count < 3 else None)
        self.assertEqual(self.ask(profile="one")[0]["access_key_id"], "AKIDONE")
        self.assertEqual(len(service.asked), 3)
        self.sts(before=lambda count: (500, "<html><title>Oops</title>"))
        self.assertEqual(self.ask(profile="one")[0]["error"]["class"], "retry")

    def test_answers_that_are_none(self):
        page = "<!DOCTYPE html><html><head><title>Sign in to the network</title></head></html>"
        for body, words in ((page, "Sign in to the network"), ("", "empty"), ("{}", "not from the service"),
                            (STS_ANSWER.format(action="AssumeRole", key="A", secret="s", token="t", expiration="soon"),
                             "lacks a part"),
                            (STS_ANSWER.format(action="AssumeRole", key="", secret="s", token="token-of-the-role",
                                               expiration=stamp(9)),
                             "no access key id")):
            with self.subTest(words):
                self.sts(before=lambda count, b=body: (200, b, {"Content-Type": "text/html"}))
                error = self.ask(profile="one")[0]["error"]
                self.assertIn(words, error["message"])
                self.assertIn(error["code"], ("network-answer", "credentials"))

    def test_a_clock_that_is_off(self):
        def skewed(count):
            date = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=3)
            text = ("<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>"
                    "<Message>expired</Message></Error></ErrorResponse>")
            return (403, text, {"Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}) if count == 1 else None
        service = self.sts(life_s=4 * HOUR_S, before=skewed)
        self.assertEqual(self.ask(profile="one")[0]["access_key_id"], "AKIDONE")
        self.assertIn("clock is", self.log)
        self.assertIn("behind", self.log)
        times = [datetime.datetime.strptime(asked[1]["x-amz-date"], "%Y%m%dT%H%M%SZ") for asked in service.asked]
        self.assertAlmostEqual((times[1] - times[0]).total_seconds(), 3 * HOUR_S, delta=20)

    def test_a_clock_that_is_ahead_by_more_than_they_live(self):
        """Their end is said by the server's clock, and judged by it."""
        def skewed(count):
            date = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)
            text = "<ErrorResponse><Error><Code>RequestExpired</Code><Message>old</Message></Error></ErrorResponse>"
            return (400, text, {"Date": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}) if count == 1 else None
        service = self.sts(before=skewed, life_s=-2 * HOUR_S)
        steps = self.ask([{}, {}, {"ahead_ms": 30 * 60_000}, {"ahead_ms": 61 * 60_000}], profile="one")
        self.assertEqual([step.get("access_key_id") for step in steps], ["AKIDONE"] * 3 + [None])
        self.assertIn("have expired already", steps[3]["error"]["message"])
        self.assertEqual(len(service.asked), 3)

    def test_a_refusal_with_control_characters(self):
        text = "<ErrorResponse><Error><Code>Bad\x1b[31m\n</Code><Message>no\x07</Message></Error></ErrorResponse>"
        self.sts(before=lambda _: (403, text))
        message = self.ask(profile="one")[0]["error"]["message"]
        self.assertIn("STS refuses the role", message)
        self.assertTrue(message.isprintable(), repr(message))

    def test_plaintext_to_somewhere_else(self):
        self.env["AWS_ENDPOINT_URL_STS"] = "http://sts.example.com"
        self.refused("plaintext", code="aws-config", profile="one")


class WebIdentity(CredentialsTest):
    def test_by_the_environment(self):
        service = self.sts()
        self.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = self.write("token", "web-identity-token.+/=\n")
        self.env["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/web"
        self.env["AWS_ROLE_SESSION_NAME"] = "pod-1"
        got = self.same_as_botocore()
        self.assertEqual((got["access_key_id"], got["provider"]), ("AKIDWEB", "the web identity"))
        self.assertNotIn("authorization", service.asked[1][1])
        ours = dict(service.asked[1][0])
        ours["WebIdentityToken"] += "\n"  # which botocore sends along
        self.assertEqual(ours, service.asked[0][0])
        self.env.update(AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY="secret-of-the-environment")
        self.assertEqual(self.same_as_botocore()["access_key_id"], "AKIDENV")

    def test_by_a_profile(self):
        self.sts()
        token = self.write("token", "web-identity-token")
        self.write("config", """
            [profile web]
            role_arn = arn:aws:iam::1:role/profile
            web_identity_token_file = %s
            [profile further]
            role_arn = arn:aws:iam::1:role/further
            source_profile = web
        """ % token)
        self.assertEqual(self.same_as_botocore(profile="web")["access_key_id"], "AKIDPROFILE")
        self.assertEqual(self.same_as_botocore(profile="further")["access_key_id"], "AKIDFURTHER")

    def test_faults(self):
        self.sts()
        self.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = self.path("token")
        self.assertIn("AWS_ROLE_ARN is not", self.same_as_botocore()["message"])
        self.env["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/web"
        self.refused("is not there")
        self.write("token", " \n")
        self.refused("is empty")
        self.write("token", "web-identity-token\r\nX: y")
        self.refused("line breaks")
        self.write("token", "x" * 70000)
        self.assertEqual(self.ask()[0]["error"]["code"], "credentials")


class SignedIn(CredentialsTest):
    """IAM Identity Center (SSO), with the token that AWS's command line keeps."""
    CONFIG = """
        [sso-session corp]
        sso_start_url = https://corp.example/start
        sso_region = eu-west-1
        [profile new]
        sso_session = corp
        sso_account_id = 123
        sso_role_name = Mi grator/é
        [profile old]
        sso_start_url = https://old.example/start
        sso_region = eu-west-3
        sso_account_id = 456
        sso_role_name = Reader
        aws_access_key_id = AKIDUNUSED
        aws_secret_access_key = secret-of-the-profile
        [profile role]
        role_arn = arn:aws:iam::1:role/one
        source_profile = new
        [profile without-role]
        sso_session = corp
        sso_account_id = 1
        [profile without-session]
        sso_session = nowhere
        sso_account_id = 1
        sso_role_name = r
        [profile without-region]
        sso_start_url = https://x
        sso_account_id = 1
        sso_role_name = r
        [profile contrary]
        sso_session = corp
        sso_region = us-east-1
        sso_account_id = 1
        sso_role_name = r
        [profile odd-region]
        sso_start_url = https://x
        sso_region = evil.example/
        sso_account_id = 1
        sso_role_name = r
        [profile url-only]
        sso_start_url = https://x
    """

    def setUp(self):
        super().setUp()
        self.write("config", self.CONFIG)
        self.env.update(HOME=self.folder, AWS_TEST_HOME=self.folder)
        self.answer = None
        server = self.server(self.respond)
        self.asked = server.requests
        self.env["AWS_ENDPOINT_URL_SSO"] = server.url
        self.token("corp")
        self.token("https://old.example/start")

    def token(self, key, life_s=HOUR_S, **changes):
        os.makedirs(self.path(".aws/sso/cache"), exist_ok=True)
        document = dict({"accessToken": "token-of-the-role", "expiresAt": stamp(life_s), "region": "x",
                         "startUrl": "x"}, **changes)
        self.write(".aws/sso/cache/%s.json" % hashlib.sha1(key.encode()).hexdigest(), json.dumps(document))

    def respond(self, _method, target, headers, _body):
        if self.answer:
            return self.answer
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
        keys = {"accessKeyId": "AKID" + query["account_id"], "secretAccessKey": "secret-of-the-role",
                "sessionToken": "token-of-the-instance" + headers["x-amz-sso_bearer_token"][:0],
                "expiration": int((time.time() + HOUR_S) * 1000)}
        return 200, json.dumps({"roleCredentials": keys})

    def test_with_and_without_a_session(self):
        for profile, key in (("new", "AKID123"), ("old", "AKID456")):
            with self.subTest(profile):
                ours = self.same_as_botocore(profile=profile)
                self.assertEqual((ours["access_key_id"], ours["provider"]), (key, "SSO of profile " + profile))
                theirs, here = [(request[0], urllib.parse.urlsplit(request[1]).path,
                                 sorted(urllib.parse.parse_qsl(urllib.parse.urlsplit(request[1]).query)),
                                 request[2]["x-amz-sso_bearer_token"]) for request in self.asked[-2:]]
                self.assertEqual(here, theirs)
                self.assertEqual(here[3], "token-of-the-role")

    def test_as_the_source_of_a_role(self):
        service = self.sts()
        self.assertEqual(self.ask(profile="role")[0]["access_key_id"], "AKIDONE")
        self.assertIn("Credential=AKID123/", service.asked[0][1]["authorization"])

    def test_settings_that_lack_something(self):
        for profile, words in (("without-role", "has no sso_role_name"),
                               ("without-session", "nowhere has no sso_start_url"),
                               ("without-region", "has no sso_region"), ("contrary", "is not that of its sso_session")):
            with self.subTest(profile):
                self.assertIn("error", net_support.botocore("credentials", {"profile": profile}, self.env))
                self.refused(words, profile=profile)
        self.refused("region", code="aws-config", profile="odd-region")
        self.refused("has no keys, role or process", profile="url-only")
        self.assertEqual(self.asked, [])

    def test_nobody_signed_in(self):
        cache = self.path(".aws/sso/cache")
        for life_s, words in ((None, "nobody has signed in"), (-10, "has expired")):
            shutil.rmtree(cache)
            os.makedirs(cache)
            if life_s is not None:
                self.token("corp", life_s)
            with self.subTest(words):
                self.assertIn("error", net_support.botocore("credentials", {"profile": "new"}, self.env))
                error = self.refused(words, profile="new")
                self.assertEqual(error["hint"], "sign in: aws sso login --profile new")
        for changes in ({"accessToken": None}, {"accessToken": ""}, {"accessToken": "a\r\nX: y"}, {"expiresAt": "soon"},
                        {"expiresAt": None}):
            with self.subTest(changes):
                self.token("corp", **changes)
                self.refused("holds no accessToken", profile="new")
        self.write(".aws/sso/cache/%s.json" % hashlib.sha1(b"corp").hexdigest(), "{")
        self.refused("holds no accessToken", profile="new")
        self.assertEqual(self.asked, [])

    def test_refusals_and_answers_that_are_none(self):
        for answer, words in (((401, json.dumps({"message": "Session token not found or invalid"})),
                               "does not take the session's token"),
                              ((403, json.dumps({"message": "No access\u001b[31m"})),
                               "refuses the role Mi grator/é: No access"),
                              ((200, "{}"), "holds no roleCredentials"), ((200, ""), "holds no roleCredentials"),
                              ((200, json.dumps({"roleCredentials": {"accessKeyId": "A", "expiration": 1}})),
                               "no secret access key"),
                              ((404, "<html><title>Lost</title></html>"), "not from the service")):
            with self.subTest(words):
                self.answer = answer
                error = self.ask(profile="new")[0]["error"]
                self.assertIn(words, error["message"])
                self.assertTrue(error["message"].isprintable(), repr(error["message"]))
        self.answer = (503, "")
        self.assertEqual(self.ask(profile="new")[0]["error"]["class"], "retry")

    def test_no_plaintext_to_somewhere_else(self):
        self.env["AWS_ENDPOINT_URL_SSO"] = "http://sso.example.com"
        self.refused("plaintext", code="aws-config", profile="new")


class Processes(CredentialsTest):
    def process(self, script, arguments="", **document):
        path = self.write("process with blank", "#!/bin/sh\n" + script + "\n", 0o700)
        self.write("config", "[default]\ncredential_process = \"%s\" %s\n" % (path, arguments))
        return path

    def printing(self, life_s=HOUR_S, **more):
        return "cat <<'E'\n%s\nE" % as_json("process", life_s, "SessionToken", **dict({"Version": 1}, **more))

    def test_a_process(self):
        self.process(self.printing())
        got = self.same_as_botocore()
        self.assertEqual((got["access_key_id"], got["provider"]), ("AKIDPROCESS", "process of profile default"))
        self.process(self.printing(None))
        self.assertIsNone(self.same_as_botocore()["expires_ms"])
        self.process("echo noise >&2\n" + self.printing(Expiration="2126-01-02T03:04:05.678+02:00"))
        moment = datetime.datetime.fromisoformat("2126-01-02T01:04:05+00:00")
        self.assertEqual(self.same_as_botocore()["expires_ms"], moment.timestamp() * 1000)
        self.write("credentials", "[default]\naws_access_key_id=AKIDFILE\naws_secret_access_key=secret-of-the-profile")
        self.assertEqual(self.same_as_botocore()["access_key_id"], "AKIDFILE")

    def test_its_words_and_no_shell(self):
        seen = self.path("seen")
        script = 'for a in "$@"; do echo "$a"; done > "%s"\n%s' % (seen, self.printing())
        arguments = r"""one 'two words' "th\"ree" fo\ ur '' $HOME `id` ; | > x 'a'"b"c 'q\q' "r\r" """
        self.process(script, arguments)
        words = []
        for ask in (lambda: net_support.botocore("credentials", {}, self.env), self.ask):
            ask()
            with open(seen, encoding="utf-8") as file:
                words.append(file.read().split("\n"))
        self.assertEqual(words[0], words[1])
        self.assertEqual(words[1][:7], ["one", "two words", 'th"ree', "fo ur", "", "$HOME", "`id`"])
        self.assertFalse(os.path.exists(os.path.join(support.ROOT, "x")))

    def test_faults(self):
        for script, words in (("exit 3", "ended with status 3"), ("kill -9 $$", "died of signal 9"),
                              ("true", "no JSON"),
                              ("echo '[]'", "no JSON"), ("echo '{\"Version\": 1, '", "no JSON"),
                              (self.printing(Version=2), "Version"), (self.printing(Version="1"), "Version"),
                              (self.printing(AccessKeyId=None), "no access key id"),
                              (self.printing(SecretAccessKey=""), "no secret access key"),
                              (self.printing(Expiration="tomorrow"), "no time"),
                              (self.printing(life_s=-10), "expired already")):
            with self.subTest(words):
                self.process(script)
                self.refused(words)
                if '"1"' not in script:
                    self.assertIn("error", net_support.botocore("credentials", {}, self.env))

    def test_commands_that_are_none(self):
        for command, words in (("/nowhere/at-all x", "can't be started"), ('"open', "not closed"),
                               ("x " * 200, "too many words")):
            with self.subTest(words):
                self.write("config", "[default]\ncredential_process = %s\n" % command)
                self.refused(words)
        self.write("config", "[default]\ncredential_process = %s\n" % self.folder)
        self.refused("Permission denied", code="permission")

    def test_no_end(self):
        """It is killed with what it started."""
        for script in ("sleep 1000 & sleep 1000", "exec >&-; sleep 1000", "(sleep 1000; echo x) & exit 0",
                       "trap '' TERM INT; while :; do sleep 1; done"):
            with self.subTest(script):
                mark = "transhume-test-%d-%d" % (os.getpid(), time.monotonic_ns())
                self.process(script, mark)
                self.env["MARK_OF_TEST"] = mark
                begun = time.monotonic()
                self.refused("in time", timeout_ms=500)
                self.assertLess(time.monotonic() - begun, 5 * support.PATIENCE)
                time.sleep(0.1)
                self.assertEqual(processes_with("MARK_OF_TEST=" + mark), [])

    def test_no_end_of_output(self):
        self.process("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")
        self.refused("more than 65536 bytes")


def processes_with(variable):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if variable.encode() in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            pass
    return found


class Containers(CredentialsTest):
    def test_relative(self):
        server = self.server(lambda *_: (200, as_json("container")))
        self.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x?y=z"
        got = self.same_as_botocore(container_address="127.0.0.1:%d" % server.port, container_url=server.url)
        self.assertEqual((got["access_key_id"], got["provider"]), ("AKIDCONTAINER", "the container"))
        self.assertEqual([request[1] for request in server.requests], ["/v2/credentials/x?y=z"] * 2)
        self.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@evil.example/x"
        self.refused("slash")

    def test_full_with_tokens(self):
        server = self.server(lambda *_: (200, as_json("container")))
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url + "/creds"
        self.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "a\x1bb"
        self.refused("control character")
        self.env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Basic container-token"
        self.same_as_botocore()
        self.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = self.write("token", "container-token-of-file")
        self.same_as_botocore()
        self.assertEqual([request[2].get("authorization") for request in server.requests],
                         ["Basic container-token"] * 2 + ["container-token-of-file"] * 2)
        self.write("token", "container-token\r\nX: y")
        self.assertIn("line breaks", self.same_as_botocore()["message"])
        self.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = self.path("gone")
        self.refused("is not there")

    def test_no_proxy_sees_it(self):
        server = self.server(lambda *_: (200, as_json("container")))
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url
        self.env["http_proxy"] = "http://127.0.0.1:1"
        self.assertEqual(self.ask()[0]["access_key_id"], "AKIDCONTAINER")

    def test_where_plaintext_may_go(self):
        for url in ("http://example.com/x", "http://169.254.169.254/x", "http://10.0.0.1/",
                    "http://169.254.170.2.evil.com/",
                    "http://127.0.0.1.evil.com/", "http://[fd00:ec2::24]/", "file:///etc/passwd",
                    "http://u@127.0.0.1/"):
            with self.subTest(url):
                self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
                self.same_as_botocore()
                error = self.ask()[0]["error"]
                self.assertEqual((error["code"], error["class"]), ("credentials", "stop"))

    def test_faults(self):
        answers = iter([(500, ""), (503, ""), (200, as_json("container"))])
        server = self.server(lambda *_: next(answers))
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url
        self.assertEqual(self.ask()[0]["access_key_id"], "AKIDCONTAINER")
        for status, body, words, klass in ((403, "{}", "status 403", "stop"), (500, "no", "status 500", "retry"),
                                           (200, "<html>", "no JSON", "stop"), (200, "{}", "no access key id", "stop"),
                                           (200, '{"Code": "Nope\\u0007"}', "Nope", "stop"),
                                           (200, as_json("container", -60), "expired already", "retry")):
            with self.subTest(words):
                server = self.server(lambda *_, s=status, b=body: (s, b))
                self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url
                error = self.refused(words)
                self.assertEqual(error["class"], klass)
                self.assertEqual(len(server.requests), 3 if status == 500 else 1)
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/"
        error = self.ask()[0]["error"]
        self.assertEqual((error["code"], error["class"]), ("network", "retry"))


class Instance:
    """The metadata service of an instance, version 2 only."""

    def __init__(self, role="shop-role", life_s=6 * HOUR_S):
        self.role, self.life_s = role, life_s

    def __call__(self, method, target, headers, body):
        folder = "/latest/meta-data/iam/security-credentials/"
        if (method, target) == ("PUT", "/latest/api/token"):
            if headers.get("x-aws-ec2-metadata-token-ttl-seconds") != "21600":
                return 400, ""
            return 200, "instance-token=="
        if headers.get("x-aws-ec2-metadata-token") != "instance-token==":
            return 401, ""
        if target == folder and self.role:
            return 200, self.role
        if self.role and target == folder + self.role:
            return 200, as_json("instance", self.life_s, Code="Success", Type="AWS-HMAC",
                                LastUpdated=stamp(-60))
        return 404, "<html>404</html>"


class Instances(CredentialsTest):
    def setUp(self):
        super().setUp()
        del self.env["AWS_EC2_METADATA_DISABLED"]

    def serve(self, respond):
        server = self.server(respond)
        self.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url + "/"
        return server

    def test_an_instance(self):
        server = self.serve(Instance())
        got = self.same_as_botocore()
        self.assertEqual((got["access_key_id"], got["provider"]), ("AKIDINSTANCE", "instance metadata"))
        self.assertEqual([request[:2] for request in server.requests[:3]],
                         [request[:2] for request in server.requests[3:]])
        self.env["http_proxy"] = "http://127.0.0.1:1"
        self.assertEqual(self.ask()[0]["access_key_id"], "AKIDINSTANCE")

    def test_an_answer_that_is_no_token_goes_into_no_header(self):
        for token in ("a\x1bb", "a\x7f", "a\0b", "a b", "a\tb", "t\u00e9", " "):
            with self.subTest(token=token):
                server = self.serve(lambda *_, said=token: (200, said))
                self.refused("instance metadata: PUT /latest/api/token")
                self.assertEqual({request[0] for request in server.requests}, {"PUT"})

    def test_as_the_source_of_a_role(self):
        self.sts()
        self.serve(Instance())
        self.write("config", "[default]\nrole_arn = arn:aws:iam::1:role/ec2\ncredential_source = Ec2InstanceMetadata\n")
        self.assertEqual(self.same_as_botocore()["access_key_id"], "AKIDEC2")

    def test_none_there(self):
        self.serve(Instance(role=None))
        self.assertIn("status 404", self.same_as_botocore()["message"])
        self.serve(lambda *_: (403, ""))
        self.refused("status 403")
        self.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
        self.assertIn("instance metadata: no connection", self.same_as_botocore()["message"])
        self.serve(Instance())
        self.env["AWS_EC2_METADATA_DISABLED"] = "TRUE"
        self.refused("AWS_EC2_METADATA_DISABLED is set")

    def test_one_that_is_silent_costs_a_second(self):
        server = ScriptedServer(lambda peer: peer.wait())
        self.addCleanup(server.stop)
        self.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.url
        begun = time.monotonic()
        self.refused("no answer within 1.")
        self.assertLess(time.monotonic() - begun, 2.5 * support.PATIENCE)

    def test_names_that_are_no_roles(self):
        server = self.serve(Instance(role="../../x"))
        self.refused("characters that no role has")
        self.assertEqual(len(server.requests), 2)
        self.serve(Instance(role="two\nlines"))
        self.refused("status 200")

    def test_where_plaintext_may_go(self):
        self.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://metadata.example.com"
        self.refused("in plaintext come only from")

    def test_ones_that_have_expired_are_better_than_none(self):
        self.serve(Instance(life_s=-300))
        got, = self.ask()
        self.assertGreater(got["expires_ms"], time.time() * 1000)
        self.assertIn("have expired; they are used", self.log)


class Refreshing(CredentialsTest):
    def serve(self, answers):
        """A container whose answers come from a list; the last one stays."""
        server = self.server(lambda *_: answers.pop(0) if len(answers) > 1 else answers[0])
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url
        return server

    def test_only_when_little_is_left(self):
        server = self.serve([(200, as_json("container", 3600)), (200, as_json("new", 7200))])
        steps = self.ask([{}, {}, {"ahead_ms": 44 * 60_000}, {"ahead_ms": 46 * 60_000}, {"ahead_ms": 47 * 60_000},
                          {"ahead_ms": 104 * 60_000}])
        self.assertEqual([(step["access_key_id"], step["generation"]) for step in steps],
                         [("AKIDCONTAINER", 1)] * 3 + [("AKIDNEW", 2)] * 3)
        self.assertEqual(len(server.requests), 2)

    def test_the_old_ones_stay_while_they_are_good(self):
        server = self.serve([(200, as_json("container", 3600)), (403, "")])
        steps = self.ask([{}, {"ahead_ms": 55 * 60_000}, {"ahead_ms": 55 * 60_000 + 20_000},
                          {"ahead_ms": 61 * 60_000}])
        self.assertEqual([step.get("access_key_id") for step in steps], ["AKIDCONTAINER"] * 3 + [None])
        self.assertEqual(steps[3]["error"]["code"], "credentials")
        self.assertIn("could not be refreshed, the old ones are good for", self.log)
        self.assertEqual(len(server.requests), 3)  # the second get, 20 s later, does not try again

    def test_ones_that_live_shortly_are_not_asked_for_each_time(self):
        server = self.serve([(200, as_json("container", 300))])
        self.ask(100)
        self.assertEqual(len(server.requests), 1)

    def test_after_word_that_they_have_expired(self):
        server = self.serve([(200, as_json("container", 7200)), (200, as_json("new", 7200))])
        steps = self.ask([{}, {"expired": True}, {}, {}])
        self.assertEqual((steps[0]["access_key_id"], steps[1]["can_change"], steps[2]["access_key_id"],
                          steps[3]["generation"]), ("AKIDCONTAINER", True, "AKIDNEW", 2))
        self.assertEqual(len(server.requests), 2)

    def test_word_that_they_have_expired_and_no_new_ones(self):
        self.serve([(200, as_json("container", 7200)), (500, "")])
        steps = self.ask([{}, {"expired": True}, {}])
        self.assertEqual((steps[2]["error"]["code"], steps[2]["error"]["class"]), ("credentials", "retry"))

    def test_fixed_ones_cannot_change(self):
        self.env.update(AWS_ACCESS_KEY_ID="AKIDENV", AWS_SECRET_ACCESS_KEY="secret-of-the-environment")
        steps = self.ask([{}, {"expired": True}, {}])
        self.assertEqual((steps[1]["can_change"], steps[2]["generation"]), (False, 1))
        steps = self.ask([{}, {"expired": True}], access_key_id="A", secret_access_key="bbbb")
        self.assertEqual(steps[1]["can_change"], False)

    def test_many_threads_ask_once(self):
        def slow(*_):
            time.sleep(0.3)
            return 200, as_json("container")
        server = self.server(slow)
        self.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url
        got = self.ask([], threads=16)[0]
        self.assertEqual([one["access_key_id"] for one in got], ["AKIDCONTAINER"] * 16)
        self.assertEqual(len(server.requests), 1)

    def test_roles_are_refreshed_whole(self):
        service = self.sts(life_s=900)
        self.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = self.write("token", "web-identity-token")
        self.env["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/web"
        steps = self.ask([{}, {"ahead_ms": 16 * 60_000}])
        self.assertEqual(len(service.asked), 2)
        self.assertIn("error", steps[1])  # still the same 15 minutes: long over by then


if __name__ == "__main__":
    unittest.main()
