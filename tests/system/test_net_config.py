"""~/.aws/config and ~/.aws/credentials: odd forms, wrong ones, and botocore's reading of random ones."""
import os
import random
import shutil
import tempfile
import time
import unittest

import net_support
import support

SECRET = "sEcReT/of+the+file"


class ConfigTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="transhume-aws-")
        self.addCleanup(shutil.rmtree, self.folder)

    def files(self, config=None, credentials=None):
        """Writes the two files; the environment that names them."""
        environment = {}
        for name, variable, data in (("config", "AWS_CONFIG_FILE", config),
                                     ("credentials", "AWS_SHARED_CREDENTIALS_FILE", credentials)):
            path = os.path.join(self.folder, name)
            environment[variable] = path
            if data is not None:
                with open(path, "wb") as file:
                    file.write(data if isinstance(data, bytes) else data.encode())
        return environment

    def read(self, config=None, credentials=None, env=None, home=None, **given):
        environment = dict(self.files(config, credentials), **(env or {}))
        return net_support.probe("config", given, environment, home).result

    def values(self, config, *names, profile="default", credentials=None):
        return self.read(config, credentials, values=[[profile, name] for name in names])["values"]


class Forms(ConfigTest):
    def test_line_ends_and_marks(self):
        for config in ("[default]\r\nregion = eu-west-1\r\n", "\ufeff[default]\nregion=eu-west-1",
                       "# c\n; c\n\n  # indented\n[default] # after\n\tregion\t=\teu-west-1 \t\n\n",
                       "[profile default]\nregion : eu-west-1", "[ default ]\nREGION=eu-west-1",
                       "[default]\nregion=us-east-1\n[profile default]\nregion=eu-west-1\n",
                       "[profile default]\nregion=eu-west-1\n[default]\nregion=us-east-1\n",
                       "[default]\nregion=us-east-1\nregion=eu-west-1\n",
                       "[default]\nregion=us-east-1\n[other]\nregion=x\n[default]\nregion=eu-west-1"):
            with self.subTest(config):
                self.assertEqual(self.read(config)["region"], "eu-west-1")

    def test_nested_and_continued(self):
        config = ("[default]\ns3 =\n  max_concurrent_requests = 20\n\n  # c\n  addressing_style=path\n"
                  "credential_process = a b\n   c\n\t d  \nempty =\nregion = eu-west-1\n")
        self.assertEqual(self.values(config, "s3.max_concurrent_requests", "s3.addressing_style", "s3",
                                     "credential_process", "empty", "region", "max_concurrent_requests"),
                         ["20", "path", "", "a b\nc\nd", "", "eu-west-1", None])

    def test_names(self):
        config = ('[profile "two words"]\na=1\n[profile é∂]\na=2\n[profile \'q\']\na=3\n[plain]\na=4\n'
                  '[profile a b c]\na=5\n[services x]\na=6\n[sso-session x]\na=7\n')
        self.assertEqual([self.values(config, "a", profile=name)[0]
                          for name in ("two words", "é∂", "q", "plain", "a b c", "x")],
                         ["1", "2", "3", None, None, None])
        credentials = "[profile p]\na=1\n[é]\na=2\n[two words]\na=3\n"
        self.assertEqual([self.values("", "a", profile=name, credentials=credentials)[0]
                          for name in ("p", "profile p", "é", "two words")], [None, "1", "2", "3"])

    def test_values_are_as_they_stand(self):
        config = '[default]\na = "quoted" # no comment\nb = x=y:z\nc = %(a)s $HOME ~\nd = é\n'
        self.assertEqual(self.values(config, "a", "b", "c", "d"),
                         ['"quoted" # no comment', "x=y:z", "%(a)s $HOME ~", "é"])

    def test_the_credentials_file_comes_first(self):
        self.assertEqual(self.values("[default]\na=1\nb=1", "a", "b", credentials="[default]\na=2\n"), ["2", "1"])

    def test_no_files(self):
        result = self.read()
        self.assertEqual((result["profile"], result["region"], result["region_error"]["code"]),
                         ("default", None, "aws-config"))
        self.assertIn("AWS_REGION", result["region_error"]["message"])

    def test_home(self):
        os.mkdir(os.path.join(self.folder, ".aws"))
        with open(os.path.join(self.folder, ".aws", "config"), "w", encoding="ascii") as file:
            file.write("[default]\nregion = eu-north-1\n")
        self.assertEqual(net_support.probe("config", {}, {}, self.folder).result["region"], "eu-north-1")
        moved = net_support.probe("config", {}, {"AWS_CONFIG_FILE": "~/.aws/config"}, self.folder).result
        self.assertEqual(moved["region"], "eu-north-1")


class Faults(ConfigTest):
    def refused(self, config=None, credentials=None, **more):
        error = self.read(config, credentials, **more)["error"]
        self.assertNotIn(SECRET, str(error))
        self.assertEqual((error["code"], error["class"]), ("aws-config", "stop"))
        return error

    def test_lines_that_are_none(self):
        for line, text in ((1, "region = x\n"), (2, "[default]\n" + SECRET), (3, "[default]\na=1\n[profile"),
                           (2, "[default]\n= " + SECRET), (3, "[default]\ns3 =\n  " + SECRET), (1, "[]\n"), (1, "[  ]"),
                           (2, "[default]\na=\0b"), (2, "[default]\n\0=x")):
            with self.subTest(text):
                place = os.path.join(self.folder, "config") + ":%d" % line
                self.assertEqual(self.refused(text)["object"], place)
                if not text.startswith("[profile") and "s3" not in text:
                    place = os.path.join(self.folder, "credentials") + ":%d" % line
                    self.assertEqual(self.refused("", text)["object"], place)

    def test_a_profile_that_does_not_exist(self):
        config = "[profile shop]\nregion=eu-west-1\n[profile stock]\n"
        error = self.refused(config, profile="shp")
        self.assertIn('the nearest is "shop"', error["message"])
        error = self.refused(config, env={"AWS_PROFILE": "stok"})
        self.assertEqual(error["object"], "AWS_PROFILE")
        self.assertIn('the nearest is "stock"', error["message"])
        self.assertNotIn("nearest", self.refused(config, env={"AWS_PROFILE": "xyzzyxyz"})["message"])
        self.assertEqual(self.read(config, profile="shop", env={"AWS_PROFILE": "none"})["region"], "eu-west-1")

    def test_files_that_are_none(self):
        os.mkdir(os.path.join(self.folder, "config"))
        self.refused()
        os.rmdir(os.path.join(self.folder, "config"))
        self.refused("[default]\n" + "# " + "x" * (1 << 20))

    def test_large_files_are_quick(self):
        many_sections = "".join("[profile p%d]\n" % i for i in range(60000))
        same_section = "[profile a]\nb=1\n" * 60000
        long_value = "[default]\na = b\n" + " c\n" * 300000
        settings = "[default]\n" + "".join("n%d=1\n" % i for i in range(90000))
        for config in (many_sections, same_section, long_value, settings):
            begun = time.monotonic()
            self.assertEqual(self.read(config)["profile"], "default")
            self.assertLess(time.monotonic() - begun, 2 * support.PATIENCE)

    def test_any_bytes(self):
        """Whatever the bytes: settings, or one clear error; never more, and nothing of the file in it."""
        seed = support.SEED
        print("seed", seed)
        source = random.Random(seed)
        pieces = ["[", "]", "default", "profile ", "services", "=", ":", "\n", "\r\n", "\n  ", "\t", "#", ";", '"', "'",
                  "\\",
                  "region", "eu-west-1", "s3", "\0", "\xff", "é", SECRET, "", " ", "\ufeff", "role_arn", "x" * 300]
        outcomes = {True: 0, False: 0}
        for _ in range(300):
            text = "".join(source.choice(pieces) for _ in range(source.randrange(40) // source.choice([1, 5])))
            if source.random() < 0.5:
                text = "[default]\n" + text
            result = self.read(text.encode("latin-1" if source.random() < 0.3 else "utf-8", "ignore"),
                               text if source.random() < 0.3 else "")
            outcomes["error" in result] += 1
            if "error" in result:
                self.assertEqual(result["error"]["code"], "aws-config")
                self.assertNotIn(SECRET, str(result["error"]))
        self.assertGreater(min(outcomes.values()), 20, outcomes)

    def test_regions(self):
        for region in ("eu west", "EU-WEST-1", "a.b", "evil.com/", "x" * 64, "-a", "é"):
            with self.subTest(region):
                error = self.read(region=region)["region_error"]
                self.assertEqual((error["code"], error["object"]), ("aws-config", "the URI"))
                error = self.read(env={"AWS_REGION": region})["region_error"]
                self.assertEqual(error["object"], "AWS_REGION")

    def test_endpoints(self):
        for url in ("localhost:8000", "http://", "ftp://x", "http://u:p@h/", "http://h/?a=b", "http://h:0"):
            with self.subTest(url):
                endpoint = self.read(env={"AWS_ENDPOINT_URL": url}, services=["dynamodb"])["endpoints"]["dynamodb"]
                self.assertEqual((endpoint["error"]["code"], endpoint["error"]["object"]),
                                 ("aws-config", "AWS_ENDPOINT_URL"))


class Precedence(ConfigTest):
    CONFIG = ("[default]\nregion = eu-west-1\nservices = own\nendpoint_url = http://localhost:1004\nca_bundle = /a\n"
              "[services own]\ndynamodb =\n  endpoint_url = http://localhost:1003/path/\n"
              "[profile off]\nignore_configured_endpoint_urls = true\nendpoint_url = http://localhost:9\n"
              "region = cn-north-1\n")

    def endpoint(self, env=None, service="dynamodb", **given):
        return self.read(self.CONFIG, env=env, services=[service], **given)["endpoints"][service]

    def test_regions(self):
        steps = [({}, "eu-west-1"), ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
                 ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, "eu-west-3")]
        for env, expected in steps:
            self.assertEqual(self.read(self.CONFIG, env=env)["region"], expected)
        self.assertEqual(self.read(self.CONFIG, env=steps[2][0], region="us-west-1")["region"], "us-west-1")

    def test_endpoints(self):
        env = {}
        self.assertEqual(self.endpoint(service="sts")["url"], "http://localhost:1004")
        found = self.endpoint()
        self.assertEqual((found["url"], found["path"], found["origin"]),
                         ("http://localhost:1003/path/", "/path/", "services own"))
        env["AWS_ENDPOINT_URL"] = "http://localhost:1002"
        self.assertEqual(self.endpoint(env)["url"], "http://localhost:1002")
        env["AWS_ENDPOINT_URL_DYNAMODB"] = "http://LOCALHOST:80/"
        self.assertEqual((self.endpoint(env)["url"], self.endpoint(env)["host"]), ("http://localhost", "localhost"))
        self.assertEqual(self.endpoint(env, endpoint="https://a:1/")["url"], "https://a:1")
        self.assertEqual(self.endpoint(env, endpoint="https://a:1/")["overridden"], True)
        env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "True"
        self.assertEqual(self.endpoint(env)["url"], "https://dynamodb.eu-west-1.amazonaws.com")
        self.assertEqual(self.endpoint(env, endpoint="https://a:1/")["url"], "https://a:1")
        self.assertEqual(self.endpoint(profile="off")["url"], "https://dynamodb.cn-north-1.amazonaws.com.cn")
        self.assertEqual(self.endpoint(profile="off")["overridden"], False)

    def test_certificates(self):
        self.assertEqual(self.read(self.CONFIG)["ca_file"], "/a")
        self.assertEqual(self.read(self.CONFIG, env={"AWS_CA_BUNDLE": "/b"})["ca_file"], "/b")
        self.assertIsNone(self.read("[default]\nregion = a")["ca_file"])


NAMES = ["region", "output", "a", "b-c", "role_arn", "credential_process", "cli_pager"]
PROFILES = ["default", "a", "shop", "two words", "é", "x-1"]
VALUES = ["1", "eu-west-1", "a = b", "x:y", "# no comment", "é ∂", "'q'", '"d"', "%(x)s", "[b]", "a ; b"]


def random_config(source):
    """A file that botocore takes too: no section or name twice, no blank line within a value."""
    lines = []

    def noise():
        if source.random() < 0.2:
            lines.append(source.choice(["", "# x", " ; y = z", "   "]))

    noise()
    for profile in source.sample(PROFILES, source.randrange(1, len(PROFILES))):
        quoted = '"%s"' % profile if " " in profile or source.random() < 0.3 else profile
        head = "[default]" if profile == "default" and source.random() < 0.7 else "[profile %s]" % quoted
        lines.append(head + source.choice(["", "", " # c"]))
        for name in source.sample(NAMES, source.randrange(len(NAMES))):
            noise()
            shown = source.choice([name, name.upper(), name.title()])
            if source.random() < 0.2:
                lines.append("%s =" % shown)
                lines += ["  n%d = %s" % (i, source.choice(VALUES)) for i in range(source.randrange(4))]
            else:
                delimiter = source.choice(["=", " = ", ":", " : ", "\t=\t"])
                lines.append("%s%s%s" % (shown, delimiter, source.choice(VALUES)))
                lines += ["   more %d" % i for i in range(source.choice([0, 0, 0, 2]))]
    return source.choice(["\n", "\r\n"]).join(lines) + source.choice(["", "\n"])


class AgainstBotocore(ConfigTest):
    def test_random_files(self):
        seed = support.SEED
        print("seed", seed)
        source = random.Random(seed)
        wanted = [[profile, name] for profile in PROFILES
                  for name in NAMES + ["%s.n%d" % (n, i) for n in NAMES for i in range(2)]]
        cases = []
        for number in range(150):
            path = os.path.join(self.folder, "config-%d" % number)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(random_config(source))
            cases.append({"command": "config", "given": {"values": wanted},
                          "environment": {"AWS_CONFIG_FILE": path, "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}})
        theirs = [net_support.botocore(**case) for case in cases]
        for case, expected in zip(cases, theirs, strict=True):
            ours = net_support.probe("config", case["given"], case["environment"]).result
            with open(case["environment"]["AWS_CONFIG_FILE"], encoding="utf-8") as file:
                text = file.read()
            self.assertNotIn("error", expected, text)
            self.assertNotIn("error", ours, text)
            for (profile, name), got, want in zip(wanted, ours["values"], expected["values"], strict=True):
                # An empty value that nothing is nested below is a text here, and a tree without leaves there.
                self.assertEqual(got or None, want or None, "%s of %s in\n%s" % (name, profile, text))

    def test_endpoints_of_all_partitions(self):
        regions = ["us-east-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1", "us-iso-east-1",
                   "us-isob-east-1", "us-isof-east-1", "eu-isoe-west-1", "eusc-de-east-1"]
        cases = []
        for region in regions:
            for variables in ({}, {"AWS_USE_FIPS_ENDPOINT": "true"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}):
                cases.append({"command": "config", "given": {"services": ["dynamodb", "sts"], "region": region},
                              "environment": dict(variables, AWS_CONFIG_FILE="/nowhere",
                                                  AWS_SHARED_CREDENTIALS_FILE="/nowhere")})
        theirs = [net_support.botocore(**case) for case in cases]
        compared = 0
        for case, expected in zip(cases, theirs, strict=True):
            if "error" in expected:
                continue  # the partition has no such variant, says botocore
            ours = net_support.probe("config", case["given"], case["environment"]).result
            for service in ("dynamodb", "sts"):
                compared += 1
                with self.subTest((case["given"]["region"], service, sorted(case["environment"].items())[-1])):
                    self.assertEqual(ours["endpoints"][service]["url"], expected["endpoints"][service])
        self.assertGreaterEqual(compared, 40)

    def test_overrides(self):
        config = Precedence.CONFIG
        environments = [{}, {"AWS_ENDPOINT_URL": "http://localhost:2"},
                        {"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:3", "AWS_ENDPOINT_URL": "http://localhost:2"},
                        {"AWS_ENDPOINT_URL_STS": "http://localhost:4"},
                        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://localhost:2"},
                        {"AWS_PROFILE": "off"}]
        given = {"services": ["dynamodb", "sts"]}
        cases = [{"command": "config", "given": given, "environment": dict(self.files(config), **environment)}
                 for environment in environments]
        theirs = [net_support.botocore(**case) for case in cases]
        for case, expected in zip(cases, theirs, strict=True):
            ours = net_support.probe("config", given, case["environment"]).result
            with self.subTest(case["environment"]):
                self.assertEqual({name: found["url"] for name, found in ours["endpoints"].items()},
                                 expected["endpoints"])


if __name__ == "__main__":
    unittest.main()
