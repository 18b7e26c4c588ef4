"""analyze --advisor against a scripted model: what is sent, what is taken of the answers, and what is told when there
are none."""
import json
import os
import re
import signal
import time
import unittest

import net_support
import support
import test_net_http
from advisor_support import Model, refuses, says, sends, too_many

KEY = "canary-key-Q7x2"
VALUE = "canary-value-Q7x2"
TABLES = {"tables": [
    {"name": "invoices_by_customer", "rows_of": "invoice", "partition_key": ["invoice.customer_id"],
     "clustering": [{"column": "invoice.made_at", "order": "DESC"}],
     "columns": ["invoice.id", "invoice.total", "invoice.note"], "queries": ["Q1"],
     "reason": "a list of each customer"},
    {"name": "invoices_by_month", "rows_of": "invoice", "partition_key": ["invoice.month_bucket"], "clustering": [],
     "columns": ["invoice.id"], "queries": [], "reason": "buckets"},
    {"name": "customers_by_name", "rows_of": "customer", "partition_key": ["customer.name"], "clustering": [],
     "columns": ["customer.id", "customer.shoe_size", "ghost.id"], "queries": [], "reason": "by name"}]}
STRATEGY = "1. Keys\nOne table a query.\n\x1b[31m2. Denormalisation\n"
BOTH = says(TABLES), says(STRATEGY)


class AdvisorCase(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
            CREATE TABLE invoice(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer(id),
                made_at TIMESTAMP NOT NULL, total DECIMAL(10, 2) CHECK (total <> 31415), note TEXT DEFAULT '%s');
            CREATE INDEX some ON invoice(note) WHERE note <> '%s';
            INSERT INTO customer SELECT value, '%s' || value FROM generate_series(1, 40);
            INSERT INTO invoice SELECT value, 1 + value %% 40, '2025-01-01 00:00:00', 12.5, '%s'
                FROM generate_series(1, 400);""".replace("generate_series(1, 40)", "(%s)" % numbers(40))
                            .replace("generate_series(1, 400)", "(%s)" % numbers(400)) % (VALUE, VALUE, VALUE, VALUE))

    def analyze(self, *arguments, code=0, env=None, source="shop.db"):
        return self.run_program("analyze", self.path(source), "--out", self.path("out"), *arguments, code=code,
                                env=dict({"TRANSHUME_ADVISOR_WAIT_MS": "5"}, **self.environment(env)))

    def environment(self, env=None):
        clean = net_support.clean_environment()
        changes = {name: None for name in os.environ if name not in clean}
        return dict(changes, **dict({"GEMINI_API_KEY": None, "OPENAI_API_KEY": None}, **(env or {})))

    def gemini(self, model, *arguments, code=0, key=KEY, **options):
        return self.analyze("--advisor", "gemini", "--advisor-url", model.url + "/v1beta", *arguments, code=code,
                            env={"GEMINI_API_KEY": key}, **options)

    def openai(self, model, *arguments, code=0, key=KEY):
        return self.analyze("--advisor", "openai", "--advisor-url", model.url + "/v1", "--advisor-model", "qwen/3",
                            *arguments, code=code, env={"OPENAI_API_KEY": key})

    def either(self, name, model, *arguments, **options):
        return getattr(self, name)(model, *arguments, **options)

    def files(self):
        folder = self.path("out")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def read(self, name):
        with open(self.path("out", name), encoding="utf-8") as file:
            return file.read()

    def assert_rest_is_done(self):
        self.assertLessEqual({"cassandra_schema.cql", "transhume.yaml"}, set(self.files()))

    def errors(self, result):
        return [line for line in result.err.splitlines() if "error: " in line]


def numbers(count):
    return ("WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < %d) SELECT "
            "value FROM n" % count)


class Asking(AdvisorCase):
    def test_gemini(self):
        with Model(*BOTH) as model:
            result = self.gemini(model)
        first, second = model.asked
        for request in model.asked:
            self.assertEqual(request.target, "/v1beta/models/gemini-2.5-flash:generateContent")
            self.assertEqual(request.headers["x-goog-api-key"], KEY)
            self.assertEqual(request.headers["content-type"], "application/json")
            self.assertEqual(request.body["generationConfig"]["temperature"], 0)
            self.assertIn("database architect", request.system)
        self.assertEqual(first.schema["type"], "OBJECT")
        self.assertEqual(first.body["generationConfig"]["responseMimeType"], "application/json")
        self.assertEqual(list(second.body["generationConfig"]), ["temperature"])
        self.assertIn("Answer with JSON alone", first.prompt)
        self.assertIn("CQL examples", second.prompt)
        self.assertLessEqual({"gemini_suggested_tables.json", "gemini_migration_suggestions.txt"}, set(self.files()))
        self.assertFalse([name for name in self.files() if name.startswith("advisor_")])
        self.assertIn("waiting 2.000 s between the prompts", result.err)
        self.assert_rest_is_done()

    def test_openai(self):
        with Model(*BOTH) as model:
            self.openai(model)
        first, second = model.asked
        for request in model.asked:
            self.assertEqual(request.target, "/v1/chat/completions")
            self.assertEqual(request.headers["authorization"], "Bearer " + KEY)
            self.assertEqual((request.body["model"], request.body["temperature"]), ("qwen/3", 0))
            self.assertEqual([message["role"] for message in request.body["messages"]], ["system", "user"])
        self.assertTrue(first.body["response_format"]["json_schema"]["strict"])
        self.assert_strict(first.schema)
        self.assertNotIn("response_format", second.body)
        self.assertLessEqual({"advisor_suggested_tables.json", "advisor_migration_suggestions.txt"}, set(self.files()))
        self.assertFalse([name for name in self.files() if name.startswith("gemini_")])

    def assert_strict(self, schema):
        """As OpenAI wants it of strict schemas."""
        if schema["type"] == "object":
            self.assertIs(schema["additionalProperties"], False)
            self.assertEqual(sorted(schema["required"]), sorted(schema["properties"]))
            for part in schema["properties"].values():
                self.assert_strict(part)
        elif schema["type"] == "array":
            self.assert_strict(schema["items"])

    def test_the_answer_is_checked_and_competes(self):
        for api, prefix in (("gemini", "gemini"), ("openai", "advisor")):
            with self.subTest(api), Model(*BOTH) as model:
                result = self.either(api, model)
                found = json.loads(self.read(prefix + "_suggested_tables.json"))
                self.assertEqual([table["name"] for table in found["tables"]],
                                 ["invoices_by_customer", "customers_by_name"])
                good, odd = found["tables"]
                self.assertEqual(good["partition_key"], ["invoice.customer_id"])
                self.assertEqual(good["clustering"], [{"column": "invoice.made_at", "order": "DESC"}])
                self.assertEqual((good["chosen"], odd["chosen"]), (True, False))
                self.assertEqual(odd["columns"], ["customer.id"])
                self.assertEqual([(row["table"], row["what"], row["why"]) for row in found["dropped"]], [
                    ("invoices_by_month", "invoice.month_bucket", "invoice has no such column"),
                    ("invoices_by_month", "the table", "it has no usable partition key"),
                    ("customers_by_name", "customer.shoe_size", "customer has no such column"),
                    ("customers_by_name", "ghost.id", "the schema has no such table")])
                self.assertIn("2 tables suggested, 1 of them chosen by their cost, 4 things dropped", result.out)
                self.assertIn("customers_by_name: ghost.id: the schema has no such table", result.out)
                self.assertEqual(self.read(prefix + "_migration_suggestions.txt"),
                                 "1. Keys\nOne table a query.\n?[31m2. Denormalisation\n")

    def test_nothing_is_sent_unasked(self):
        with Model() as model:
            self.analyze(env={"GEMINI_API_KEY": KEY, "OPENAI_API_KEY": KEY, "https_proxy": model.url})
            self.assertEqual(model.connections, 0)
        self.assertFalse([name for name in self.files() if "suggest" in name])

    def test_no_data_and_no_key_leave(self):
        with Model(*BOTH) as model:
            result = self.gemini(model, "-v")
        for request in model.asked:
            self.assertNotIn(VALUE, request.text)
            self.assertNotIn("31415", request.text)
            self.assertNotIn(self.folder, request.text)
            self.assertNotIn(KEY, request.text + request.target)
        self.assertNotIn(KEY, result.out + result.err)
        for name in self.files():
            self.assertNotIn(KEY, self.read(name))

    def test_constants_of_queries_do_not_leave(self):
        self.write("queries.sql",
                   "-- name: %s\nSELECT id FROM invoice WHERE note = '%s' AND total > 31415 LIMIT 27182;\n"
                   "-- weight: 9\nSELECT i.total, c.name FROM invoice i JOIN customer c ON i.customer_id = c.id "
                   "WHERE c.id = 16180 ORDER BY i.made_at DESC;\nUPDATE invoice SET note = '%s' WHERE id = 16180;\n"
                   % (VALUE, VALUE, VALUE))
        with Model(*BOTH) as model:
            self.gemini(model, "--queries", self.path("queries.sql"))
        prompt = model.asked[0].prompt
        self.assertIn("SELECT id FROM invoice WHERE note = ? AND total BETWEEN ? AND ? LIMIT ?\n", prompt)
        self.assertIn("weight 9: SELECT t1.total, t2.name FROM invoice t1, customer t2 WHERE t1.customer_id = t2.id "
                      "AND t2.id = ? ORDER BY t1.made_at DESC\n", prompt)
        self.assertIn("UPDATE invoice SET note = ? WHERE id = ?\n", prompt)
        for constant in (VALUE, "31415", "27182", "16180"):
            self.assertNotIn(constant, model.asked[0].text + model.asked[1].text)

    def test_a_server_that_tells_back_the_key(self):
        with Model(says(dict(TABLES, tables=[dict(TABLES["tables"][0], reason=KEY)])),
                   says("the key is " + KEY)) as model:
            self.gemini(model)
        for name in self.files():
            self.assertNotIn(KEY, self.read(name))
        with Model(refuses(403, {"message": "no: " + KEY})) as model:
            result = self.gemini(model, code=1)
        self.assertNotIn(KEY, result.out + result.err)
        self.assertIn("***", result.err)

    def test_show_prompt_is_what_is_sent(self):
        with Model(*BOTH) as model:
            arguments = "--advisor", "openai", "--advisor-model", "m", "--advisor-url", model.url
            shown = self.analyze("--show-prompt", *arguments).out
            self.assertEqual((model.connections, self.files()), (0, []))
            self.analyze(*arguments)
        self.assertIn("POST %s/chat/completions\n" % model.url, shown)
        for request in model.asked:
            self.assertIn(request.prompt, shown)
            self.assertIn(request.system, shown)
        self.assertIn(json.dumps(model.asked[0].schema, separators=(",", ":")), shown)
        self.assertIn("generativelanguage.googleapis.com", self.analyze("--show-prompt").out)

    def test_keys(self):
        with Model(*BOTH * 3) as model:
            self.openai(model, key=None)
            self.assertNotIn("authorization", model.asked[0].headers)
            self.write("key", KEY + "-of-file \n")
            self.gemini(model, "--advisor-key-file", self.path("key"))
            self.assertEqual(model.asked[2].headers["x-goog-api-key"], KEY + "-of-file")
            self.assertIn("holds more than a key", self.gemini(model, key="two words", code=2).err)
            self.write("key", "\n")
            self.assertIn("holds no key", self.gemini(model, "--advisor-key-file", self.path("key"), code=2).err)
            self.assertIn("missing", self.gemini(model, "--advisor-key-file", self.path("none"), code=2).err)
            self.assertEqual(len(model.asked), 4)

    def test_without_a_key_all_else_is_done(self):
        for arguments in (["--advisor", "gemini"], ["--advisor", "openai", "--advisor-model", "m"]):
            result = self.analyze(*arguments, code=1)
            self.assertEqual(len(self.errors(result)), 1)
            self.assertRegex(result.err, "no key, so no model was asked.*\n.*(GEMINI|OPENAI)_API_KEY")
            self.assert_rest_is_done()

    def test_options_that_can_not_be_meant(self):
        for arguments, words in (
                (["--advisor", "openai"], "needs the name of a model"),
                (["--advisor", "claude"], "is not one of gemini|openai"),
                (["--advisor-model", "m"], "needs --advisor beside it"),
                (["--advisor", "gemini", "--advisor-url", "http://example.com/v1"], "for servers on this machine"),
                (["--advisor", "gemini", "--advisor-url", "https://h/?key=abcdef"], "without a query"),
                (["--advisor", "gemini", "--advisor-url", "ftp://h"], "no URL that can be used")):
            with self.subTest(arguments):
                result = self.analyze(*arguments, code=2, env={"GEMINI_API_KEY": KEY})
                self.assertIn(words, result.err)
                self.assertEqual(self.files(), [])

    def test_a_large_schema_is_cut(self):
        support.make_sqlite(self.path("large.db"), "".join(
            "CREATE TABLE a_table_of_many_%d(id INTEGER PRIMARY KEY, %s);" % (
                i, ", ".join("a_column_with_a_long_name_%d TEXT" % j for j in range(40))) for i in range(120)))
        with Model(*BOTH) as model:
            result = self.gemini(model, source="large.db")
        self.assertRegex(result.err,
                         r"too large for a prompt: \d+ tables, \d+ columns of others and \d+ statements are left out")
        for request in model.asked:
            self.assertTrue(64 << 10 < len(request.prompt) <= 128 << 10, len(request.prompt))
            self.assertRegex(request.prompt, r"and \d+ tables more")


class Trying(AdvisorCase):
    def test_once_more_without_the_schema(self):
        for api in ("gemini", "openai"):
            with self.subTest(api), Model(refuses(400, {"code": 400, "message": "Invalid JSON payload"}),
                                          *BOTH) as model:
                self.either(api, model)
                self.assertEqual([request.schema is not None for request in model.asked], [True, False, False])
        with Model(*[refuses(400, {"message": "never"})] * 3) as model:
            result = self.gemini(model, code=1)
            self.assertEqual(len(model.asked), 2)
            self.assertIn("the request is refused: never", result.err)
            self.assert_rest_is_done()

    def test_a_temperature_that_is_refused(self):
        with Model(refuses(400, {"message": "Unsupported value: 'temperature'", "param": "temperature"}),
                   *BOTH) as model:
            self.openai(model)
        self.assertEqual(["temperature" in request.body for request in model.asked], [True, False, True])
        self.assertIsNotNone(model.asked[1].schema)

    def waits(self, result):
        return [int(seconds) for seconds in re.findall(r"; waiting (\d+) s", result.err)]

    def test_too_many_requests(self):
        for answers, waits in (
                ([too_many(delay=None)] * 5, [10, 20, 30, 40, 50]),
                ([too_many(delay="15s")] * 2, [15, 20]),
                ([too_many(delay="14.2s")], [15]),
                ([too_many(delay=None, headers={"Retry-After": "45"})], [45]),
                ([refuses(429, {"message": "busy"})], [10]),
                ([sends(429, "<html>busy</html>")], [10])):
            with self.subTest(waits), Model(*answers, *BOTH) as model:
                result = self.gemini(model)
                self.assertEqual(self.waits(result), waits)
                self.assertEqual(len(model.asked), len(answers) + 2)

    def test_patience_ends(self):
        with Model(*[too_many(delay=None)] * 6) as model:
            result = self.gemini(model, code=1)
            self.assertEqual(len(model.asked), 6)
        self.assertEqual(self.waits(result), [10, 20, 30, 40, 50])
        self.assertIn("given up after 6 tries", result.err)
        self.assert_rest_is_done()
        with Model(too_many(delay="3600s")) as model:
            result = self.gemini(model, code=1)
            self.assertIn("the server asks to wait 3600 s", result.err)

    def test_a_daily_quota(self):
        for api, answer in (("gemini", too_many("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
                            ("openai", refuses(429, {"message": "You exceeded your current quota",
                                                     "code": "insufficient_quota"}))):
            with self.subTest(api), Model(answer) as model:
                result = self.either(api, model, code=1)
                self.assertEqual((len(model.asked), self.waits(result)), (1, []))
                self.assertIn("the quota is used up", result.err)
                self.assertEqual(len(self.errors(result)), 1)
                self.assert_rest_is_done()

    def test_servers_that_fail(self):
        with Model(refuses(503, {"message": "The model is overloaded"}), refuses(500, {"message": "oh"}), says(TABLES),
                   sends(502, "<html>gateway</html>"), says(STRATEGY)) as model:
            result = self.gemini(model)
        self.assertEqual(self.waits(result), [10, 20, 10])
        self.assertIn("The model is overloaded", result.err)

    def test_waits_are_interrupted(self):
        cases = {"a retry": [too_many()], "the pause": [says(TABLES)], "an answer": [self.never]}
        for name, answers in cases.items():
            with self.subTest(name), Model(*answers) as model:
                self.stopping = model.stopping
                process = support.start("analyze", self.path("shop.db"), "--out", self.path("out"), "--advisor",
                                        "gemini",
                                        "--advisor-url", model.url, "--advisor-pause", "1h", cwd=self.folder,
                                        env=self.environment({"GEMINI_API_KEY": KEY}))
                self.addCleanup(self.end, process)
                self.wait_until("it asks", lambda: model.asked)
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                result = support.finish(process, time_limit=20)
                self.stopping.set()
                self.assert_code(result, 4)
                self.assertIn("stopped on request", result.err)

    def never(self, _):
        self.stopping.wait(30)
        return 500, "", {}


class BadAnswers(AdvisorCase):
    def check(self, api, answers, words, hint, asked=2, files=()):
        """One line that says what and why, one that says what next, and the rest of the analysis."""
        with self.subTest(words, api=api), Model(*answers) as model:
            for name in self.files():
                os.remove(self.path("out", name))
            result = self.either(api, model, code=1)
            self.assertEqual(len(self.errors(result)), 1, result.err)
            self.assertRegex(result.err, words)
            self.assertRegex(result.err, hint)
            self.assertEqual(len(model.asked), asked)
            self.assert_rest_is_done()
            self.assertEqual([name for name in self.files() if "suggest" in name], list(files))

    def test_no_usable_text(self):
        other = "another --advisor-model"
        for api, prefix in (("gemini", "gemini"), ("openai", "advisor")):
            strategy = [prefix + "_migration_suggestions.txt"]
            for answer, words, hint in (
                    (says("I would love to help you!"), r'prose in place of JSON: "I would love', other),
                    (says("<html><body>{}</html>"), "HTML in place of JSON", other),
                    (says(""), "answers with nothing", other),
                    (says(None), "answers with nothing", other),
                    (says('{"tables": [{"na', "MAX_TOKENS", "length"), r"cut off at its limit \((MAX_TOKENS|length)\)",
                     "larger limit"),
                    (says('{"tables": [{"na'), "no whole JSON", other),
                    (says('{"rows": 1}'), 'no list "tables"', other),
                    (says(None, "SAFETY", "content_filter"), r"stopped without an answer \((SAFETY|content_filter)\)",
                     other)):
                self.check(api, [answer, says(STRATEGY)], words, hint, files=strategy)

    def test_blocked_prompts_and_refusals(self):
        blocked = lambda _: (200, json.dumps({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), {})
        refused = lambda _: (200, json.dumps({"choices": [{"message": {"content": None, "refusal": "I can't."}}]}), {})
        self.check("gemini", [blocked, says(STRATEGY)], r"the prompt is blocked \(PROHIBITED_CONTENT\)",
                   "--show-prompt",
                   files=["gemini_migration_suggestions.txt"])
        self.check("openai", [refused, says(STRATEGY)], r"the model refuses \(I can't\.\)", "another --advisor-model",
                   files=["advisor_migration_suggestions.txt"])

    def test_a_bad_strategy(self):
        self.check("gemini", [says(TABLES), says("")], "answers with nothing", "try again",
                   files=["gemini_suggested_tables.json"])

    def test_wrong_keys(self):
        invalid = {"code": 400, "message": "API key not valid. Please pass a valid API key.",
                   "status": "INVALID_ARGUMENT",
                   "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}
        self.check("gemini", [refuses(400, invalid)], "the key is refused: API key not valid", "check GEMINI_API_KEY",
                   1)
        self.check("gemini", [refuses(403, {"message": "denied"})], "the key is refused: denied",
                   "check GEMINI_API_KEY", 1)
        self.check("openai", [refuses(401, {"message": "Incorrect API key", "code": "invalid_api_key"})],
                   "the key is refused: Incorrect", "check OPENAI_API_KEY", 1)

    def test_other_servers(self):
        self.check("gemini", [refuses(404, {"message": "models/x is not found"})], 'no model "gemini-2.5-flash" there',
                   "--advisor-model", 1)
        self.check("gemini", [sends(200, "<html><title>Log in</title></html>")], "not from the service.*Log in",
                   "--advisor-url", 1)
        self.check("openai", [sends(404, "not found", "text/plain")], "not from the service: status 404",
                   "--advisor-url", 1)
        self.check("openai", [sends(302, "")], "not from the service: status 302", "--advisor-url", 1)
        self.check("openai", [refuses(200, {"message": "odd"})], "status 200: odd", "--advisor-url", 1)

    def test_no_network(self):
        with Model() as model:
            url = model.url
        result = self.analyze("--advisor", "gemini", "--advisor-url", url, code=1, env={"GEMINI_API_KEY": KEY})
        self.assertEqual(len(self.errors(result)), 1, result.err)
        self.assertRegex(result.err, "no connection")
        self.assertRegex(result.err, "check --advisor-url, the network")
        self.assert_rest_is_done()

    def test_a_broken_connection(self):
        def handle(peer):
            peer.request()
            peer.reset()
        with net_support.ScriptedServer(handle) as server:
            result = self.analyze("--advisor", "gemini", "--advisor-url", server.url, code=1,
                                  env={"GEMINI_API_KEY": KEY})
            self.assertEqual(len(self.errors(result)), 1, result.err)
            self.assert_rest_is_done()

    def test_certificates(self):
        authority = test_net_http.Authority(self.folder)
        for name, alternatives, trusted in (("right", "IP:127.0.0.1", True), ("wrong", "DNS:elsewhere.example", True),
                                            ("unknown", "IP:127.0.0.1", False)):
            trust = ["--advisor-ca-file", authority.ca] if trusted else []
            with self.subTest(name), Model(*BOTH, tls=authority.server(name, alternatives)) as model:
                result = self.gemini(model, *trust, code=int(name != "right"))
                self.assertEqual(len(self.errors(result)), int(name != "right"), result.err)
                if name != "right":
                    self.assertIn("no verified TLS connection", result.err)
                    self.assertIn("--advisor-ca-file", result.err)
                    self.assertEqual(model.asked, [])
                self.assert_rest_is_done()


if __name__ == "__main__":
    unittest.main()
