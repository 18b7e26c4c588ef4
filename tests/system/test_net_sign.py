"""SigV4: the published vectors, and botocore's opinion of random requests."""
import calendar
import json
import os
import random
import time
import unittest

import net_support
import support


def parse_request(text):
    """A case's request.txt: (method, path, query, headers as pairs, body)."""
    head, _, body = text.partition("\n\n")
    first, *rest = head.rstrip("\n").split("\n")
    method, _, target = first.partition(" ")
    path, question, query = target.rsplit(" ", 1)[0].partition("?")
    headers = []
    for line in rest:
        if line.startswith(" "):
            headers[-1][1] += "\n" + line
        else:
            headers.append(list(line.split(":", 1)))
    return method, path, query if question else None, headers, body


def as_request(case):
    context = case["context"]
    method, path, query, headers, body = parse_request(case["request"])
    moment = calendar.timegm(time.strptime(context["timestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    credentials = context["credentials"]
    request = {"method": method, "path": path, "query": query, "payload": body,
               "host": next(value for name, value in headers if name == "Host"),
               "headers": [pair for pair in headers if pair[0] != "Host"],
               "region": context["region"], "service": context["service"], "time_ms": moment * 1000,
               "access_key_id": credentials["access_key_id"],
               "secret_access_key": credentials["secret_access_key"],
               "keep_path": not context["normalize"], "content_sha256": context["sign_body"],
               "token_unsigned": context.get("omit_session_token", False)}
    if "token" in credentials:
        request["session_token"] = credentials["token"]
    return request


class Vectors(unittest.TestCase):
    def test_all_published_header_cases(self):
        with open(os.path.join(net_support.DATA, "sigv4", "vectors.json"), encoding="utf-8") as file:
            cases = json.load(file)
        self.assertEqual(len(cases), 38)
        names = sorted(cases)
        signed = net_support.probe("sign", {"requests": [as_request(cases[name]) for name in names]})
        for name, got in zip(names, signed.result["signed"], strict=True):
            with self.subTest(name):
                case = cases[name]
                self.assertEqual(got["canonical_request"], case["canonical-request"])
                self.assertEqual(got["string_to_sign"], case["string-to-sign"])
                self.assertTrue(got["headers"]["Authorization"].endswith(
                    ", Signature=" + case["signature"]))
                token = case["context"]["credentials"].get("token")
                self.assertEqual(got["headers"].get("X-Amz-Security-Token"), token)


SEGMENTS = ["a", "b-c", "x_y", "doc~1", "%C3%A9", "a%20b", "..", ".", "", "%2F", "p=1", "m,n", "k:v", "*", "(1)"]
NAMES = ["a", "A", "a-b", "b", "list-type", "prefix", "%C3%A9", "x%20y", "Z_", "aa"]
VALUES = ["", "1", "abc", "%20", "a%2Fb", "%E2%82%AC", "~", "x-y", "A", "%2A"]


def random_request(source):
    service = source.choice(["dynamodb", "es", "sts", "s3", "kafka-cluster"])
    # botocore takes an S3 path as it is, which is only right for one that is encoded as AWS has it.
    plain = ["a", "b-c", "x_y", "doc~1", "%C3%A9", "a%20b", "%2A", "..", "."]
    segments = plain if service == "s3" else SEGMENTS
    path = "/" + "/".join(source.choice(segments) for _ in range(source.randrange(5)))
    query = "&".join("%s=%s" % (source.choice(NAMES), source.choice(VALUES))
                     for _ in range(source.randrange(5)))
    headers = [["Content-Type", source.choice(["application/x-amz-json-1.0", "a  b", " text/plain "])]]
    if source.random() < 0.5:
        headers.append(["X-Amz-Target", "DynamoDB_20120810." + source.choice(["Scan", "PutItem"])])
    if source.random() < 0.3:
        headers.append(["X-Amz-Meta-" + source.choice("abc"), "v  w\tx " * source.randrange(1, 3)])
    request = {"method": source.choice(["GET", "POST", "PUT", "DELETE"]), "path": path, "query": query,
               "host": source.choice(["h.example.com", "127.0.0.1:8000", "dynamodb.eu-west-1.amazonaws.com"]),
               "headers": headers, "payload": "é{}" * source.randrange(200),
               "region": source.choice(["us-east-1", "eu-central-1", "cn-north-1"]), "service": service,
               "time_ms": source.choice([1440938160000, 1740000000000, 1709164800000 - 1]),
               "access_key_id": source.choice(["AKIDEXAMPLE", "AKIAOTHER"]), "generation": 1,
               "keep_path": service == "s3", "content_sha256": service == "s3"}
    request["secret_access_key"] = "secret/of+" + request["access_key_id"]
    if source.random() < 0.4:
        request["session_token"] = "token+/=" * source.randrange(1, 200)
    return request


class AgainstBotocore(unittest.TestCase):
    def test_random_requests(self):
        """One signer for all: its cached key has to follow each change of key, day, region and service."""
        seed = support.SEED
        print("seed", seed)
        source = random.Random(seed)
        requests = [random_request(source) for _ in range(600)]
        theirs = net_support.botocore("sign", {"requests": requests})["signed"]
        ours = net_support.probe("sign", {"requests": requests}).result["signed"]
        for request, got, expected in zip(requests, ours, theirs, strict=True):
            with self.subTest(json.dumps(request)[:300]):
                lower = {name.lower(): value for name, value in expected.items()}
                self.assertEqual(got["headers"]["Authorization"], lower["authorization"],
                                 got["canonical_request"][:500])
                for name in ("X-Amz-Date", "X-Amz-Security-Token"):
                    self.assertEqual(got["headers"].get(name), lower.get(name.lower()))


class Refusals(unittest.TestCase):
    def refused(self, **changes):
        request = {"method": "POST", "host": "h", "region": "r", "service": "s", "time_ms": 0,
                   "access_key_id": "AKID", "secret_access_key": "secret", **changes}
        error = net_support.probe("sign", {"requests": [request]}).result["signed"][0]["error"]
        self.assertNotIn("secret", json.dumps(error))
        return error["code"]

    def test_what_no_header_may_hold(self):
        for text in ("", "a b", "a\n", "a\r\nX-Evil: 1", "é", "a" * 200):
            with self.subTest(text[:20]):
                self.assertEqual(self.refused(access_key_id=text), "credentials")
        self.assertEqual(self.refused(session_token="a\r\nb"), "credentials")
        self.assertEqual(self.refused(secret_access_key=""), "credentials")
        self.assertEqual(self.refused(region="r" * 64), "internal")
        self.assertEqual(self.refused(headers=[["x%d" % i, "v"] for i in range(60)] * 2), "internal")


if __name__ == "__main__":
    unittest.main()
