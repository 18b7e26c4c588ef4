"""Files and dumps out of buckets, put there by boto3: lists in pages, ranges, faults on the way, credentials."""
import concurrent.futures
import gzip
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import fault_proxy
import servers
import support

RANGE_BYTES = 4 << 20


class S3Case(support.TestCase):
    @classmethod
    def setUpClass(cls):
        module = servers.boto3()
        cls.server = servers.for_class(cls, "moto")
        cls.client = module.session.Session().client("s3", endpoint_url=cls.server.endpoint, region_name=servers.REGION,
                                                     aws_access_key_id=servers.ACCESS_KEY_ID,
                                                     aws_secret_access_key=servers.SECRET_ACCESS_KEY)

    def setUp(self):
        super().setUp()
        self.bucket = "herd-" + os.path.basename(self.folder).replace("_", "-").lower()
        self.client.create_bucket(Bucket=self.bucket)

    def put(self, key, body):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body if isinstance(body, bytes) else body.encode())

    def uri(self, kind, prefix="", endpoint=None):
        return "%s:s3://%s/%s?endpoint=%s" % (kind, self.bucket, prefix, endpoint or self.server.endpoint)

    def run_aws(self, *arguments, code=0, **changes):
        return self.run_program(*arguments, code=code, env=servers.aws_environment(self.folder, **changes))

    def copied(self, source, name="copy.db"):
        self.run_aws("migrate", "--quiet", source, "sqlite:" + self.path(name), "--state", self.path("state-" + name))
        return sqlite3.connect(self.path(name))

    def assert_nothing_is_left(self):
        """Of the copies of objects, in the state folder or in TMPDIR."""
        for folder, _, names in os.walk(self.folder):
            self.assertNotIn("transhume-s3-", folder)
            self.assertFalse([name for name in names if name.startswith(("dump-", "transhume-s3"))], folder)


class Tables(S3Case):
    def test_folders_files_and_odd_names(self):
        self.put("export/2024/people/part-1.csv", "id,name\n1,Anna\n2,Bo\n")
        self.put("export/2024/people/part-2.csv.gz", gzip.compress(b"id,name\n3,Cy\n"))
        self.put("export/2024/a b+c%20d&\u00fc.csv", "id,v\n1,x\n")
        self.put("export/2024/", "")
        self.put("export/2024/_transhume/ledger.log", "no file of a table")
        self.put("export/2024/deep/er/and/deeper.txt", "not read")
        self.put("export/2024/deep/er/and/", "")
        self.put("export/2024/notes.txt", "not read")
        self.put("export/2024x/other.csv", "id\n1\n")
        for prefix in ("export/2024", "export/2024/"):
            with self.subTest(prefix=prefix):
                db = self.copied(self.uri("csv", prefix), "copy%d.db" % len(prefix))
                names = {name
                         for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
                                                 "LIKE '%transhume%'")}
                self.assertEqual(names, {"people", "a b+c%20d&\u00fc"})
                self.assertEqual(db.execute("SELECT * FROM people ORDER BY id").fetchall(),
                                 [(1, "Anna"), (2, "Bo"), (3, "Cy")])
                db.close()
        self.assert_nothing_is_left()

    def test_data_too_deep_are_refused(self):
        self.put("hive/t/year=2026/month=1/part.csv", "id\n1\n")
        self.put("hive/other.csv", "id\n1\n")
        said = self.run_aws("migrate", "--quiet", self.uri("csv", "hive"), "sqlite:" + self.path("deep.db"), code=2).err
        self.assertIn("error: hive/t/year=2026/month=1/part.csv: the object lies too deep", said)

    def test_what_a_run_wrote_keeps_its_types(self):
        """The definitions of a folder that this program wrote go with it into the bucket."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, zip TEXT, price NUMERIC(10,2)); "
                            "INSERT INTO t VALUES (1, '007', 1.5), (2, NULL, 2)")
        self.run_program("migrate", "--quiet", "sqlite:shop.db", "csv:out")
        for folder, _, names in os.walk(self.path("out")):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    self.put("out/" + os.path.relpath(path, self.path("out")), file.read())
        db = self.copied(self.uri("csv", "out"))
        self.assertEqual(db.execute("SELECT id, zip, price FROM t ORDER BY id").fetchall(),
                         [(1, "007", 1.5), (2, None, 2)])
        db.close()

    def test_one_object_of_several_ranges(self):
        rows = b"".join(b'{"id":%d,"v":"%s"}\n' % (number, b"w" * 200) for number in range(60000))
        self.assertGreater(len(rows), 3 * RANGE_BYTES)
        self.put("big/lines.jsonl", rows)
        db = self.copied(self.uri("jsonl", "big/lines.jsonl"))
        self.assertEqual(db.execute("SELECT count(*), sum(id), sum(length(v)) FROM lines").fetchone(),
                         (60000, 60000 * 59999 // 2, 12000000))
        db.close()
        self.run_aws("validate", "--level", "full", self.uri("jsonl", "big/lines.jsonl"),
                     "sqlite:" + self.path("copy.db"))
        self.assert_nothing_is_left()

    def test_a_list_of_several_pages(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: self.put("many/t/part-%04d.csv" % number, "id\n%d\n" % number), range(1005)))
        db = self.copied(self.uri("csv", "many"))
        self.assertEqual(db.execute("SELECT count(*), sum(id) FROM t").fetchone(), (1005, 1005 * 1004 // 2))
        db.close()

    def test_a_dump(self):
        self.put("nightly/shop.sql.gz",
                 gzip.compress(b"-- MySQL dump\nCREATE TABLE `t` (`id` int PRIMARY KEY, "
                               b"`e` enum('a','b')) ENGINE=InnoDB;\nINSERT INTO `t` VALUES (1,'a'),(2,'b');\n"))
        db = self.copied(self.uri("dump", "nightly/shop.sql.gz"))
        self.assertEqual(db.execute("SELECT * FROM t ORDER BY id").fetchall(), [(1, "a"), (2, "b")])
        db.close()
        self.assert_nothing_is_left()

    def test_a_resume_knows_what_changed(self):
        self.put("r/t.csv", "id,v\n" + "".join("%d,x\n" % number for number in range(50000)))
        arguments = ("migrate", self.uri("csv", "r"), "sqlite:" + self.path("r.db"), "--chunk-rows", "5000")
        environment = servers.aws_environment(self.folder)
        support.kill_at("sqlite.after_commit", 3, *arguments, cwd=self.folder, env=environment)
        self.assertNotIn("starts over", self.run_aws("resume", code=0).err)
        support.kill_at("sqlite.after_commit", 3, "migrate", self.uri("csv", "r"), "sqlite:" + self.path("s.db"),
                        "--chunk-rows", "5000",
                        "--state", self.path("second"), cwd=self.folder, env=environment)
        # of one size, and perhaps in the same second
        self.put("r/t.csv", "id,v\n" + "".join("%d,y\n" % number for number in range(50000)))
        self.assertIn("starts over", self.run_aws("resume", "--state", self.path("second"), code=1).err)
        db = sqlite3.connect(self.path("s.db"))
        self.assertEqual(db.execute("SELECT v, count(*) FROM t GROUP BY v").fetchall(), [("y", 50000)])
        db.close()


class Faults(S3Case):
    def test_slow_down_cuts_and_broken_answers(self):
        numbers = random.Random(support.SEED)
        rows = "".join("%d,%d\n" % (number, numbers.randrange(1 << 60)) for number in range(300000))
        self.put("f/t.csv", "id,v\n" + rows)
        with fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            # two lists, then the ranges; a rule counts the requests that those before it let pass
            proxy.add("error", status=503, code="SlowDown", first=2, count=1)
            proxy.add("error", status=500, code="InternalError", first=4, count=1)
            proxy.add("cut_after", first=3, count=1)
            proxy.add("truncated", first=3, count=1)
            db = self.copied(self.uri("csv", "f", proxy.endpoint))
            self.assertEqual(db.execute("SELECT count(*), sum(id) FROM t").fetchone(), (300000, 300000 * 299999 // 2))
            for fault in ("error", "cut_after", "truncated"):
                self.assertGreater(proxy.hits[fault], 0, fault)
        db.close()

    def test_refusals(self):
        self.put("one.csv", "id\n1\n")
        for arguments, words, code, changes in (
                (("migrate", self.uri("csv", "none"), "sqlite:a.db"), ("no such object",), 2, {}),
                (("migrate", "csv:s3://no-such-bucket-here/?endpoint=" + self.server.endpoint, "sqlite:b.db"),
                 ("NoSuchBucket", "bucket's name"), 2, {}),
                (("migrate", "csv:s3:///x?endpoint=" + self.server.endpoint, "sqlite:c.db"), ("names no bucket",), 2,
                 {}),
                (("migrate", self.uri("csv", "one.csv"), "sqlite:d.db"), ("AWS_ACCESS_KEY_ID is not set",), 2,
                 {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"})):
            with self.subTest(words=words):
                said = self.run_aws(*arguments, code=code, **changes).err
                for word in words:
                    self.assertIn(word, said)
        self.assert_nothing_is_left()


class Signatures(S3Case):
    """Wrong secrets are refused: moto looks at signatures once its user is made."""
    EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'

    @classmethod
    def setUpClass(cls):
        module = servers.boto3()
        cls.server = servers.for_class(cls, "moto", {"INITIAL_NO_AUTH_ACTION_COUNT": "4"})
        settings = {"endpoint_url": cls.server.endpoint, "region_name": servers.REGION}
        iam = module.client("iam", aws_access_key_id="x", aws_secret_access_key="y", **settings)
        iam.create_user(UserName="tester")
        cls.key = iam.create_access_key(UserName="tester")["AccessKey"]
        iam.put_user_policy(UserName="tester", PolicyName="all", PolicyDocument=cls.EVERYTHING)
        cls.client = module.client("s3", aws_access_key_id=cls.key["AccessKeyId"],
                                   aws_secret_access_key=cls.key["SecretAccessKey"], **settings)

    def test_the_right_secret_alone(self):
        self.put("p q/t+1.csv", "id\n1\n")
        keys = {"AWS_ACCESS_KEY_ID": self.key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": self.key["SecretAccessKey"]}
        self.run_aws("migrate", "--quiet", self.uri("csv", "p q"), "sqlite:" + self.path("right.db"), **keys)
        db = sqlite3.connect(self.path("right.db"))
        self.assertEqual(db.execute('SELECT * FROM "t+1"').fetchall(), [(1,)])
        db.close()
        keys["AWS_SECRET_ACCESS_KEY"] = "wrong" * 8
        self.assertIn("SignatureDoesNotMatch", self.run_aws("migrate", self.uri("csv", "p q"), "sqlite:w.db", code=2,
                                                            **keys).err)


if __name__ == "__main__":
    unittest.main()
