"""
Files written into buckets: whole objects or none, resumed after a death, taken back, read again by others and by the
program itself.
"""
import csv
import gzip
import io
import json
import os
import random
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import fault_proxy
import servers
import support

PART_BYTES = 8 << 20
SMALL = ("CREATE TABLE IF NOT EXISTS small (id INTEGER PRIMARY KEY, zip TEXT, price NUMERIC(10,2)); "
         "INSERT INTO small VALUES (1, '007', 1.5), (2, NULL, 2);"
         "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY)")
FORMATS = (("csv", ".csv", ""), ("csv", ".csv.gz", "&compression=gzip"), ("jsonl", ".jsonl.zst", "&compression=zstd"),
           ("parquet", ".parquet", ""), ("arrow", ".arrow", ""), ("dynamodb-json", ".json", ""))


class TargetCase(support.TestCase):
    strict = True

    @classmethod
    def setUpClass(cls):
        cls.server, cls.client = servers.s3_for_class(cls, cls.strict)

    def setUp(self):
        super().setUp()
        self.bucket = "herd-%s-0" % os.path.basename(self.folder).replace("_", "-").lower()
        self.client.create_bucket(Bucket=self.bucket)
        self.environment = servers.aws_environment(self.folder)

    def uri(self, kind="csv", prefix="out", endpoint=None, more=""):
        return "%s:s3://%s/%s?endpoint=%s%s" % (kind, self.bucket, prefix, endpoint or self.server.endpoint, more)

    def run_aws(self, *arguments, code=0, **changes):
        return self.run_program(*arguments, code=code, env=dict(self.environment, **changes))

    def source(self, rows=1000, width=100, script=SMALL):
        """shop.db with a table `wide`, whose rows don't pack well."""
        numbers = random.Random(support.SEED)
        with sqlite3.connect(self.path("shop.db")) as db:
            db.executescript("CREATE TABLE wide (id INTEGER PRIMARY KEY, v TEXT);" + script)
            db.executemany("INSERT INTO wide VALUES (?, ?)", ((number, numbers.randbytes(width // 2).hex())
                                                              for number in range(rows)))
        db.close()
        return "sqlite:" + self.path("shop.db")

    def keys(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))

    def body(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def assert_no_uploads(self):
        self.assertEqual(self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []), [])

    def assert_equal_to_source(self, uri, name="back.db"):
        """Read again by the program, into another database."""
        self.run_aws("migrate", "--quiet", uri, "sqlite:" + self.path(name), "--state", self.path("state-" + name))
        with sqlite3.connect(self.path("shop.db")) as db:
            db.execute("ATTACH ? AS back", (self.path(name),))
            tables = [table for table, in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]
            for table in tables:
                for one, other in (("main", "back"), ("back", "main")):
                    self.assertEqual(db.execute("SELECT count(*) FROM (SELECT * FROM %s.%s EXCEPT SELECT * FROM %s.%s)"
                                                % (one, table, other, table)).fetchone(), (0,), table)
                self.assertEqual(*(db.execute("SELECT count(*) FROM %s.%s" % (side, table)).fetchone()
                                   for side in ("main", "back")))
        db.close()

    def assert_nothing_local_is_left(self):
        for folder, names, _ in os.walk(self.folder):
            self.assertFalse([name for name in names if name.startswith("transhume-s3-")], folder)


class Copies(TargetCase):
    def test_each_format(self):
        source = self.source()
        for number, (kind, end, more) in enumerate(FORMATS):
            with self.subTest(kind=kind, end=end):
                prefix = "out/%d" % number
                uri = self.uri(kind, prefix, more=more)
                self.run_aws("migrate", "--quiet", source, uri, "--state", self.path("s%d" % number))
                segments = [key for key in self.keys(prefix + "/") if "/_transhume/" not in key]
                self.assertEqual({(key.split("/")[2], key.endswith(end)) for key in segments},
                                 {("wide", True), ("small", True)})
                if kind != "dynamodb-json":     # whose numbers and texts are not those of SQLite
                    self.run_aws("validate", "--level", "full", source, uri, "--state", self.path("v%d" % number))
                    self.assert_equal_to_source(uri, "back%d.db" % number)
                self.run_aws("finish", "--confirm", "--state", self.path("s%d" % number))
                left = [key for key in self.keys(prefix + "/_transhume/") if not key.endswith(".json")]
                self.assertEqual(left, [], "what a finished run leaves are definitions")
        self.assert_no_uploads()
        self.assert_nothing_local_is_left()

    def test_others_read_it(self):
        """Parts are joined in their order: as boto3 sees the object, it holds every row once."""
        source = self.source(rows=6000, width=4000)
        self.run_aws("migrate", "--quiet", source, self.uri(more="&file_bytes=20MiB"), "--chunk-rows", "100000")
        rows, largest = [], 0
        for key in self.keys("out/wide/"):
            data = self.body(key)
            largest = max(largest, len(data))
            rows += list(csv.DictReader(io.StringIO(data.decode())))
        self.assertGreater(largest, 2 * PART_BYTES)
        with sqlite3.connect(self.path("shop.db")) as db:
            self.assertEqual(sorted((int(row["id"]), row["v"]) for row in rows),
                             db.execute("SELECT id, v FROM wide ORDER BY id").fetchall())
        db.close()
        self.assert_no_uploads()

    def test_what_is_there_is_refused(self):
        source = self.source()
        self.client.put_object(Bucket=self.bucket, Key="out/wide/mine.csv", Body=b"id,v\n1,x\n")
        said = self.run_aws("migrate", source, self.uri(), code=5).err
        self.assertIn("wide", said)
        self.assertEqual(self.keys("out/"), ["out/wide/mine.csv"])
        self.run_aws("migrate", "--quiet", source, self.uri(prefix="out2"))
        self.run_aws("migrate", "--quiet", source, self.uri(prefix="out2"), "--state", self.path("again"), code=5)

    def test_the_whole_bucket(self):
        self.run_aws("migrate", "--quiet", self.source(), self.uri(prefix=""))
        self.assert_equal_to_source(self.uri(prefix=""))


class Refusals(TargetCase):
    """What a bucket can't do is said before anything is done, with what to do instead."""

    def test_nothing_is_changed(self):
        source, uri, new = self.source(rows=20), self.uri(), self.uri(prefix="new")
        self.run_aws("migrate", "--quiet", source, uri)
        self.run_aws("finish", "--confirm")
        with sqlite3.connect(self.path("shop.db")) as db:
            db.executescript("DELETE FROM wide WHERE id < 5; UPDATE wide SET v = 'x' WHERE id = 7")
        db.close()
        before = {key: self.body(key) for key in self.keys()}
        cases = [(("migrate", "--existing", "truncate", "--confirm", source, uri), 5,
                  "CSV files in a bucket can't delete them", "name an empty target"),
                 (("migrate", "--follow", source, new), 2, "can't be applied to CSV files in a bucket",
                  "migrate without --follow"),
                 (("migrate", "--since", "id", source, new), 2, "files in a bucket are found by no key",
                  "only `existing: refuse` works here"),
                 (("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", source, uri), 5,
                  "takes no records out", "into an empty target")]
        cases += [(("migrate", "--existing", policy, source, uri), 2, "files in a bucket are found by no key",
                   "only `existing: refuse` works here")
                  for policy in ("append", "upsert", "replace", "skip")]
        for number, (arguments, code, why, instead) in enumerate(cases):
            with self.subTest(arguments=arguments[:3]):
                said = self.run_aws(*arguments, "--state", self.path("state%d" % number), code=code).err
                errors = [line for line in said.splitlines() if line.startswith("error:")]
                self.assertEqual(len(errors), 1, said)
                self.assertIn(why, errors[0])
                self.assertIn(instead, said)
                self.assertEqual({key: self.body(key) for key in self.keys()}, before)


class Deaths(TargetCase):
    """A process that was killed leaves uploads, objects without marks and a lease; the next one puts that in order."""
    POINTS = ("s3.before_object", "files.after_rename", "files.before_rename", "files.after_part", "files.before_table",
              "files.after_table",
              "engine.after_commit", "ledger.after_claim", "files.before_forget", "ledger.before_closing",
              "ledger.after_closing")

    def test_kill_and_resume(self):
        source = self.source(rows=3000, width=8000)
        _, reached = support.count_failpoints("migrate", "--quiet", source,
                                              self.uri(prefix="counted", more="&file_bytes=10MiB"), "--chunk-rows",
                                              "1500",
                                              cwd=self.folder, env=self.environment)
        points = [point for point in self.POINTS if reached[point]]
        self.assertIn("s3.before_object", points)
        numbers = random.Random(support.SEED)
        for point in support.drawn(points, 4, by="s3"):
            with self.subTest(point=point):
                prefix, state = "out-" + point, ("--state", self.path("state-" + point))
                arguments = ("migrate", "--quiet", source, self.uri(prefix=prefix, more="&file_bytes=10MiB"),
                             "--chunk-rows", "1500") + state
                dead = support.kill_at(point, numbers.randint(1, reached[point]), *arguments, cwd=self.folder,
                                       env=self.environment)
                self.assertEqual(dead.code, -9)
                self.client.put_object(Bucket=self.bucket, Key=prefix + "/wide/of-others.txt", Body=b"mine")
                self.run_aws("resume", "--quiet", *state)
                self.assertEqual(self.body(prefix + "/wide/of-others.txt"), b"mine")
                self.assert_no_uploads()
                self.assert_equal_to_source(self.uri(prefix=prefix), "back-%s.db" % point)

    def test_uploads_of_others_stay(self):
        source = self.source(rows=3000, width=8000, script="")
        self.client.create_multipart_upload(Bucket=self.bucket, Key="out/wide/mine.csv")
        support.kill_at("s3.before_object", 1, "migrate", source, self.uri(more="&file_bytes=10MiB"), "--chunk-rows",
                        "3000", cwd=self.folder, env=self.environment)
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertGreater(len(uploads), 1)
        self.run_aws("resume", "--quiet")
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([upload["Key"] for upload in uploads], ["out/wide/mine.csv"])

    def test_an_object_that_somebody_changed(self):
        source = self.source()
        support.kill_at("engine.after_commit", 2, "migrate", source, self.uri(), "--chunk-rows", "200", "--jobs", "1",
                        cwd=self.folder, env=self.environment)
        key = next(key for key in self.keys("out/") if "/_transhume/" not in key)
        self.client.put_object(Bucket=self.bucket, Key=key, Body=self.body(key).swapcase())
        self.assertIn("somebody wrote another object", self.run_aws("resume", code=5).err)

    def test_rollback_takes_its_own_alone(self):
        source = self.source()
        self.client.put_object(Bucket=self.bucket, Key="out/notes.txt", Body=b"mine")
        support.kill_at("engine.after_commit", 3, "migrate", source, self.uri(), "--chunk-rows", "200", cwd=self.folder,
                        env=self.environment)
        self.client.put_object(Bucket=self.bucket, Key="out/wide/of-others.txt", Body=b"mine")
        run = json.loads(self.run_aws("status", "--json").out)["run"]
        dead = support.kill_at("files.undo_removed", 1, "rollback", "--run", run, "--confirm", cwd=self.folder,
                               env=self.environment)
        self.assertEqual(dead.code, -9)
        self.run_aws("rollback", "--run", run, "--confirm")
        self.assertEqual([key for key in self.keys("out/") if not key.endswith("wide.json")],
                         ["out/notes.txt", "out/wide/of-others.txt"])


class Leases(TargetCase):
    """Runs that last longer than their lease, and who looks for their place meanwhile."""
    SLOWER = min(support.PATIENCE, 3)
    LEASE_S = 2 * SLOWER
    common = ("--quiet", "--jobs", "2", "--timeout", "%dms" % (1000 * SLOWER))

    def leased(self, endpoint=None):
        return self.uri(endpoint=endpoint, more="&lease=%d" % self.LEASE_S)

    def test_renewed_and_killed_and_resumed(self):
        """
        Each object takes its time: both attempts outlast their lease, and a second program is refused all the while.
        """
        source, copy = self.source(rows=2400), ("--chunk-rows", "50")
        with fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            proxy.add("slow", "PutObject", before=0.13 * self.SLOWER)
            uri = self.leased(proxy.endpoint)
            first = support.start("migrate", source, uri, *self.common, *copy, cwd=self.folder,
                                  env=dict(self.environment, TRANSHUME_FAILPOINT="engine.before_renew:kill:5"))
            self.addCleanup(self.end, first)
            self.wait_until("it writes", lambda: first.poll() is not None or self.keys("out/wide/"))
            second = ("--state", self.path("second"), *self.common)
            self.assertIn("pid %d" % first.pid, self.run_aws("resume", source, uri, *second, code=5).err)
            self.assertIn("is alive", self.run_aws("resume", source, uri, "--take-over", *second, code=5).err)
            self.assertIsNone(first.poll())
            self.assertEqual(support.finish(first).code, -9)
            resumed, reached = support.count_failpoints("resume", *self.common, cwd=self.folder, env=self.environment)
            self.assertEqual(resumed.code, 0, resumed.err)
            self.assertGreater(reached["engine.before_renew"], 3)
        self.assert_no_uploads()
        self.assert_equal_to_source(self.uri())

    def test_taken_over_while_it_sleeps(self):
        """It wakes with an upload under way, and neither ends that nor writes anything else."""
        source, copy = self.source(rows=3000, width=8000, script=""), ("--chunk-rows", "1500")
        first = self.stopped_at("s3.before_object:stop:1", "migrate", source, self.leased(), "--state",
                                self.path("first"), *self.common, *copy, env=self.environment)
        self.run_aws("resume", source, self.leased(), "--take-over", "--state", self.path("second"), *self.common)
        first.send_signal(signal.SIGCONT)
        ended = support.finish(first)
        self.assertEqual(ended.code, 5, ended.err)
        self.assertIn("run-fenced", ended.err)
        self.assert_no_uploads()
        self.assert_equal_to_source(self.uri())


class EqualKeys(TargetCase):
    """
    A key that the source does not keep unique: the first record stays, the others are rejects, whatever is killed.
    """
    PLAN = 'transhume: 1\nsource: %s\ntarget: "%s"\ntables:\n  t: { key: [id], from: t, fields: { "*": copy } }\n'

    def test_settled_and_killed(self):
        rows = "".join('{"id": %d, "v": "%s"}\n' % (number % 900, number) for number in range(1000))
        os.makedirs(self.path("in"))
        with open(self.path("in/t.jsonl"), "w", encoding="ascii") as file:
            file.write(rows)
        for number, point in enumerate((None, "files.before_duplicates", "files.after_rewrite")):
            with self.subTest(point=point):
                uri, state = self.uri("jsonl", "eq%d" % number), ("--state", self.path("eq%d" % number))
                with open(self.path("plan.yaml"), "w", encoding="ascii") as file:
                    file.write(self.PLAN % ("jsonl:" + self.path("in"), uri))
                arguments = ("migrate", "--quiet", "--plan", self.path("plan.yaml"), "--chunk-rows", "100") + state
                if point is None:
                    self.run_aws(*arguments, code=1)
                else:
                    dead = support.kill_at(point, 2 if point == "files.after_rewrite" else 1, *arguments,
                                           cwd=self.folder, env=self.environment)
                    self.assertEqual(dead.code, -9)
                    self.run_aws("resume", "--quiet", *state, code=1)
                found = [json.loads(line) for key in self.keys("eq%d/t/" % number)
                         for line in self.body(key).splitlines()]
                self.assertEqual(sorted((row["id"], int(row["v"])) for row in found), [(at, at) for at in range(900)])
                run = json.loads(self.run_aws("status", "--json", *state).out)["run"]
                self.run_aws("rollback", "--run", run, "--confirm", *state)
                self.assertEqual([key for key in self.keys("eq%d/" % number) if "/_transhume/" not in key], [])


class Faults(TargetCase):
    def test_what_passes(self):
        source = self.source(rows=3000, width=8000)
        with fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            proxy.add("error", "UploadPart", status=503, code="SlowDown", first=2, every=3, count=3)
            proxy.add("error", "CreateMultipartUpload", status=500, code="InternalError", count=1)
            proxy.add("cut_before", "UploadPart", first=2, count=1)
            proxy.add("cut_after", "UploadPart", first=3, count=1)
            proxy.add("cut_after", "CompleteMultipartUpload", count=1)
            proxy.add("error", "CompleteMultipartUpload", status=200, code="InternalError", count=1)
            proxy.add("cut_after", "PutObject", every=3, count=4)
            proxy.add("truncated", "GetObject", count=1)
            self.run_aws("migrate", "--quiet", source, self.uri(endpoint=proxy.endpoint, more="&file_bytes=20MiB"))
            for fault in ("error", "cut_before", "cut_after", "truncated"):
                self.assertGreater(proxy.hits[fault], 0, fault)
        self.assert_no_uploads()
        self.assert_equal_to_source(self.uri())

    def test_what_does_not(self):
        source = self.source(rows=10)
        malformed = {"status": 400, "code": "AuthorizationHeaderMalformed",
                     "message": "expecting 'eu-west-1'</Message><Region>eu-west-1</Region><Message>"}
        denied = ("AccessDenied", "s3:PutObject", "s3:AbortMultipartUpload")
        elsewhere = {"status": 301, "code": "PermanentRedirect"}
        unknown = {"status": 403, "code": "InvalidAccessKeyId"}
        for rule, code, words in ((("refuse", "PutObject", {"status": 403, "code": "AccessDenied"}), 2, denied),
                                  (("refuse", "ListObjectsV2", malformed), 2, ("?region=eu-west-1",)),
                                  (("refuse", "ListObjectsV2", elsewhere), 2, ("another region",)),
                                  (("refuse", "ListObjectsV2", unknown), 2, ("InvalidAccessKeyId", "docs/aws.md"))):
            with self.subTest(words=words), fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
                fault, operation, options = rule
                proxy.add(fault, operation, **options)
                said = self.run_aws("migrate", source, self.uri(endpoint=proxy.endpoint), code=code).err
                for word in words:
                    self.assertIn(word, said)
        said = self.run_aws("migrate", source, "csv:s3://no-such-bucket-here/x?endpoint=" + self.server.endpoint,
                            code=2).err
        self.assertIn("NoSuchBucket", said)

    def test_what_comes_while_it_writes(self):
        """One line says what it is, and once that is over the run is resumed."""
        source = self.source(rows=400, script="")
        writes = ("PutObject",)
        all_of_them = writes + ("GetObject", "ListObjectsV2", "DeleteObject")
        cases = [(writes, 503, "SlowDown", "target-throttled"), (writes, 403, "AccessDenied", "permission"),
                 (all_of_them, 400, "ExpiredToken", "credentials"),
                 (writes, 403, "SignatureDoesNotMatch", "credentials"),
                 (writes, 403, "RequestTimeTooSkewed", "clock-skew"),
                 (all_of_them, 404, "NoSuchBucket", "target-write")]
        for number, (operations, status, code, word) in enumerate(cases):
            with self.subTest(code=code), fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
                uri, state = self.uri(prefix="out%d" % number, endpoint=proxy.endpoint), ("--state",
                    self.path("state%d" % number))
                proxy.add("error", operations, first=25 if operations is writes else 70, status=status, code=code)
                said = self.run_aws("migrate", "--quiet", source, uri, "--chunk-rows", "20", "--timeout", "500ms",
                                    *state, code=3)
                errors = [line for line in said.err.splitlines() if line.startswith("error:")]
                self.assertEqual(len(errors), 1, said.err)
                self.assertIn(code, errors[0])
                self.assertIn("[%s]" % word, errors[0])
                self.assertIn("`transhume resume", said.err)
                proxy.clear()
                self.run_aws("resume", "--quiet", *state)
                self.assert_equal_to_source(self.uri(prefix="out%d" % number), "back%d.db" % number)

    def test_rights_that_end_at_any_request(self):
        """Also while the run is set up: it is resumed, or begins as if nothing had been."""
        source = self.source(rows=100, script="")
        for first in support.drawn(range(1, 60), 4, by="rights"):
            with self.subTest(first=first), fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
                prefix, state = "out%d" % first, ("--state", self.path("state%d" % first))
                arguments = (source, self.uri(prefix=prefix, endpoint=proxy.endpoint), "--chunk-rows", "20",
                             "--timeout", "1s", *state)
                proxy.add("refuse", first=first, code="ExpiredToken")
                said = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder, env=self.environment)
                self.assertIn(said.code, (2, 3) if proxy.hits["refuse"] else (0,), said.err)
                self.assertEqual(len([line for line in said.err.splitlines() if line.startswith("error:")]),
                                 said.code != 0, said.err)
                proxy.clear()
                if said.code == 0:
                    break
                resumed = support.transhume("resume", "--quiet", *state, cwd=self.folder, env=self.environment)
                if resumed.code != 0:
                    self.assertIn("run-nothing", resumed.err)
                    self.run_aws("migrate", "--quiet", *arguments)
                self.assert_equal_to_source(self.uri(prefix=prefix), "back%d.db" % first)

    def test_clocks(self):
        """A machine whose clock is wrong signs by the server's."""
        with fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            proxy.clock_offset_s = 600     # the store itself takes fifteen minutes
            said = self.run_aws("migrate", self.source(rows=10), self.uri(endpoint=proxy.endpoint))
            self.assertGreater(proxy.hits["skew"], 0)
            self.assertIn("clock", said.err)


class WithoutConditions(TargetCase):
    """A store that ignores If-None-Match and If-Match is enough for files whose ledger is in a database."""
    strict = False

    def test_where_the_ledger_is(self):
        source = self.source()
        with fault_proxy.FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            proxy.add("unconditional")
            said = self.run_aws("migrate", source, self.uri(endpoint=proxy.endpoint), "--state", self.path("refused"),
                                code=2).err
            self.assertIn("ignores conditions", said)
            self.assertIn("--ledger", said)
            uri, ledger = self.uri(endpoint=proxy.endpoint), ("--ledger", "sqlite:" + self.path("ledger.db"))
            support.kill_at("engine.after_commit", 2, "migrate", source, uri, "--chunk-rows", "200", *ledger,
                            cwd=self.folder, env=self.environment)
            self.run_aws("resume", "--quiet")
            self.run_aws("finish", "--confirm")
        self.assert_equal_to_source(self.uri())
        self.assertEqual([key for key in self.keys("out/_transhume/") if not key.endswith(".json")], [])


class Signatures(TargetCase):
    """Of the strict server alone."""

    def setUp(self):
        super().setUp()
        if self.server.name != "versitygw":
            self.skipTest("moto looks at no signatures; `make servers` fetches one that does")

    def test_a_wrong_secret(self):
        said = self.run_aws("migrate", self.source(rows=1), self.uri(), code=2, AWS_SECRET_ACCESS_KEY="wrong" * 8).err
        self.assertIn("SignatureDoesNotMatch", said)

    def test_odd_names(self):
        """Keys as they are in signatures and addresses."""
        names = ("a b", "a+b", "\u00fc%&='(1)", "~tilde")
        script = "".join('CREATE TABLE "%s" (id INTEGER PRIMARY KEY); INSERT INTO "%s" VALUES (1);' % (name, name)
                         for name in names)
        self.run_aws("migrate", "--quiet", self.source(rows=1, script=script), self.uri(prefix="o u+t/\u00e4&="))
        self.run_aws("migrate", "--quiet", self.uri(prefix="o u+t/\u00e4&="), "sqlite:" + self.path("b.db"), "--state",
                     self.path("b"))
        with sqlite3.connect(self.path("b.db")) as db:
            for name in names:
                self.assertEqual(db.execute('SELECT * FROM "%s"' % name).fetchall(), [(1,)])
        db.close()


if __name__ == "__main__":
    unittest.main()
