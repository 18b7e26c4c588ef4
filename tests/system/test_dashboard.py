"""The dashboard: what its API says of runs, who may ask, what it does to a run, and its page in a browser."""
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
import unittest
from urllib.parse import urlsplit

import browser
import support
from test_observing import lint
from test_report_page import hostile_database

TOKEN = "a-token-of-24-characters"
PLAN = """transhume: 1
source: source.db
target: dynamodb-json:out
tables:
  customers: { key: { partition: M }, entities: { customer: { from: customers, fields: { M: "{mail}", "*": copy } } } }
  orders: { key: { partition: N }, entities: { order: { from: orders, fields: { N: "{id}", "*": copy } } } }
"""
ROWS, REJECTED = 2000, 20


class DashboardCase(support.TestCase):
    def make_source(self, rows=ROWS):
        with sqlite3.connect(self.path("source.db")) as db:
            for name in ("customers", "orders"):
                db.execute("CREATE TABLE %s(id INTEGER PRIMARY KEY, v TEXT, mail TEXT)" % name)
                db.executemany("INSERT INTO %s VALUES (?, ?, ?)" % name,
                               ((i, "v" * 50, None if i % 100 == 7 else "m%d" % i) for i in range(rows)))
        self.write("plan.yaml", PLAN)

    def migrate(self, *arguments, **options):
        return self.run_program("migrate", "--plan", "plan.yaml", "--chunk-rows", "50", "--progress", "none",
                                *arguments, **options)

    def killed(self, *arguments, occurrence=30):
        self.migrate(*arguments, code=-9, env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:%d" % occurrence})

    def url_of(self, process, stream):
        line = stream.readline().decode()
        found = re.fullmatch(r"dashboard: (http://127\.0\.0\.1:\d+)/\?token=(\S+)\n", line)
        self.assertTrue(found, line)
        self.addCleanup(self.end, process)
        return found.group(1), found.group(2)

    def serve(self, *arguments):
        process = support.start("serve", *arguments, "--dashboard", "0", cwd=self.folder,
                                env={"TRANSHUME_TOKEN": TOKEN})
        self.base, _ = self.url_of(process, process.stdout)
        return process

    def ask(self, path, method="GET", headers=None, token=TOKEN):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=20)
        headers = dict({"Authorization": "Bearer " + token} if token else {}, **(headers or {}))
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def get(self, path):
        status, headers, body = self.ask(path)
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"), body)
        return json.loads(body)

    def runs(self):
        return self.get("/api/runs")["runs"]

    def stream(self, key, headers=None, query=""):
        return Stream(self, "/api/runs/%s/events%s" % (key, query),
                      dict({"Authorization": "Bearer " + TOKEN}, **(headers or {})))


class Stream:
    """Server-sent events as they come."""

    def __init__(self, case, path, headers):
        self.connection = http.client.HTTPConnection(urlsplit(case.base).netloc, timeout=20)
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        case.addCleanup(self.connection.close)
        case.assertEqual((self.answer.status, self.answer.getheader("Content-Type")),
                         (200, "text/event-stream; charset=utf-8"))

    def next(self):
        """(kind, id, data) of the next one."""
        found = {}
        # the server says every ten seconds that there is nothing new
        deadline = time.monotonic() + 60 * support.PATIENCE
        while True:
            assert time.monotonic() < deadline, "nothing comes"
            line = self.answer.readline().decode().rstrip("\n")
            if line == "" and "data" in found:
                return found.get("event", "message"), found.get("id"), json.loads(found["data"])
            name, _, value = line.partition(": ")
            found[name] = value

    def until(self, wanted):
        """All up to the first that is wanted."""
        seen = []
        deadline = time.monotonic() + 60 * support.PATIENCE
        while not seen or not wanted(*seen[-1]):
            assert time.monotonic() < deadline, "it did not come: %s" % seen[-3:]
            seen.append(self.next())
        return seen


def states(cells):
    return {state: sum(int(n) for n, s in re.findall(r"(\d+)([a-z])", cells) if s == state)
            for state in set(re.findall("[a-z]", cells))}


class Api(DashboardCase):
    def test_a_run_that_was_killed_and_resumed(self):
        self.make_source()
        self.serve()
        self.assertEqual(self.runs(), [])
        self.killed()
        [run] = self.runs()
        self.assertEqual((run["verdict"], run["at_work"], run["attempts"], run["folder"]),
                         ("stopped", False, 1, ".transhume"))
        self.run_program("resume", "--progress", "none", code=1)
        [run] = self.runs()
        self.assertEqual((run["verdict"], run["attempts"], run["written"], run["rejected"], run["total"]),
                         ("done, with rejects", 2, 2 * ROWS - REJECTED, REJECTED, 2 * ROWS))
        self.assertEqual(run["key"], "0." + self.run_id())
        report = self.get("/api/runs/" + run["key"])
        with open(self.path(".transhume", "report.json"), encoding="utf-8") as file:
            self.assertEqual(report, json.load(file))
        chunks = self.get("/api/runs/%s/chunks" % run["key"])
        self.assertEqual((chunks["total"], chunks["done"], chunks["cell"]), (80, 80, 1))
        rejected = {s["name"]: s["with_rejects"] for s in chunks["streams"]}
        self.assertEqual(rejected, {"customers": 20, "orders": 0})
        self.assertEqual({s["name"]: sum(states(s["cells"]).values()) for s in chunks["streams"]},
                         {"customers": 40, "orders": 40})
        self.assertEqual(states(chunks["streams"][0]["cells"])["r"], 20)

    def test_events_go_on_where_they_were(self):
        self.make_source(500)
        self.migrate(code=1)
        self.serve()
        with open(self.path(".transhume", "events.jsonl"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        last = len(events)
        key = self.runs()[0]["key"]
        seen = self.stream(key).until(lambda kind, number, _: number == str(last))
        self.assertEqual(seen[0][0], "progress")
        self.assertEqual((seen[0][2]["verdict"], seen[0][2]["part"], seen[0][2]["sum"]["rejected"]),
                         ("done, with rejects", 1, 5))
        self.assertEqual([data for kind, _, data in seen if kind == "message"], events)
        for headers, query in (({"Last-Event-ID": str(last - 3)}, ""), (None, "?after=%d" % (last - 3))):
            seen = self.stream(key, headers, query).until(lambda kind, number, _: number == str(last))
            self.assertEqual([int(number) for kind, number, _ in seen if kind == "message"], [last - 2, last - 1, last])

    def test_one_stream_sees_kill_resume_and_end(self):
        self.make_source()
        self.killed(occurrence=10)
        self.serve()
        stream = self.stream("0." + self.run_id())
        stream.until(lambda kind, _, data: kind == "progress" and data["verdict"] == "stopped")
        process = support.start("resume", "--rows-per-second", "1000", "--progress", "none", cwd=self.folder)
        self.addCleanup(self.end, process)
        going = stream.until(lambda kind, _, data: kind == "progress" and data["at_work"] and data["seconds_left"] and
                             any("chunk" in w for w in data.get("workers") or []))[-1][2]
        self.assertEqual((going["verdict"], going["attempts"]), ("in progress", 2))
        self.assertTrue(0 < going["part"] < 1 and going["records_per_second"] > 0, going)
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            settings = json.load(file)["settings"]
        self.assertEqual([(w["side"], w["number"]) for w in going["workers"]],
                         [(side, n + 1) for side, kind in (("source", "readers"), ("target", "writers"))
                          for n in range(settings[kind])])
        for worker in going["workers"]:
            self.assertTrue(worker["doing"] and worker["since"] > "2026", worker)
            if "chunk" in worker:
                self.assertIn((worker["table"], worker["entity"], worker["stream"]),
                              (("customers", "customer", "customers"), ("orders", "order", "orders")))
                self.assertTrue(1 <= worker["chunk"] <= 80 and 0 <= worker["rows"] <= 50, worker)
        self.assertLessEqual(going["queue"]["bytes"], going["queue"]["capacity_bytes"])
        self.assert_code(support.finish(process), 1)
        ended = stream.until(lambda kind, _, data: kind == "progress"
                             and data["verdict"] == "done, with rejects")[-1][2]
        self.assertNotIn("workers", ended)

    def test_a_new_run_and_an_older_one(self):
        self.make_source(100)
        self.migrate(code=1)
        first = self.run_id()
        self.serve()
        stream = self.stream("0." + first)
        stream.next()
        self.write("plan.yaml", PLAN.replace("json:out", "json:second"))
        self.migrate(code=1)
        runs = self.runs()
        self.assertEqual([(run["run"], run["current"]) for run in runs], [(self.run_id(), True), (first, False)])
        self.assertEqual(self.get("/api/runs/0." + first)["target"], "dynamodb-json:out")
        self.assertEqual(self.get("/api/runs/0.now")["run"], self.run_id())
        self.assertEqual(self.ask("/api/runs/0.%s/stop" % first, "POST")[0], 403)

    def test_several_folders(self):
        self.make_source(50)
        for folder in ("one", "two"):
            os.mkdir(self.path(folder))
            self.write("plan.yaml", PLAN.replace("json:out", "json:" + folder))
            self.migrate("--state", folder + "/.transhume" if folder == "one" else folder, code=1)
        self.serve("one", "two", *("none%d" % number for number in range(62)))
        self.assertEqual([(run["key"][:2], run["folder"], run["target"]) for run in self.runs()],
                         [("0.", "one/.transhume", "dynamodb-json:one"), ("1.", "two", "dynamodb-json:two")])

    def test_runs_by_the_ledger_alone(self):
        """Their state folders are gone; the counts are those that the ledger has."""
        self.make_source(500)
        for target in ("postgres-like.db", "home.db"):
            options = ["--ledger", "home.db"] if target == "home.db" else []
            self.run_program("migrate", "source.db", "one.db" if options else target, "--chunk-rows", "50",
                             "--no-express", "--progress", "none", *options,
                             code=-9, env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:5"})
            run = self.run_id()
            shutil.rmtree(self.path(".transhume"))
            server = self.serve("--ledger", target)
            [told] = self.runs()
            self.assertEqual((told["run"], told["verdict"], told["at_work"], told["current"], told["folder"]),
                             (run, "stopped", False, False, target))
            self.assertEqual(self.get("/api/runs/" + told["key"])["run"], run)
            shown = self.stream(told["key"]).until(lambda kind, *_: kind == "progress")[-1][2]
            self.assertEqual((shown["chunks"], shown["phase"]), ({"total": 20, "done": 4}, "copying"))
            self.assertEqual(self.ask("/api/runs/%s/stop" % told["key"], "POST")[0], 403)
            self.run_program("resume", "source.db", "one.db" if options else target, "--progress", "none", *options)
            self.assertEqual([(r["run"], r["folder"]) for r in self.runs()], [(run, ".transhume")])
            shutil.rmtree(self.path(".transhume"))
            self.wait_until("its end", lambda: self.runs()[0]["verdict"] == "done")
            [told] = self.runs()
            self.assertEqual((told["written"], told["rejected"], told["total"], told["attempts"]), (1000, 0, 1000, 2))
            server.send_signal(signal.SIGINT)
            self.assert_code(support.finish(server), 0)
        self.assertEqual(glob.glob(os.path.join(tempfile.gettempdir(), "transhume-ledger-*")), [])

    def test_a_ledger_that_is_none(self):
        self.assertIn("error: ", self.run_program("serve", "--ledger", "nowhere.db", "--dashboard", "0", code=2).err)
        self.assertFalse(os.path.exists(self.path("nowhere.db")))

    def test_alerts_are_those_of_anomalies(self):
        """A client that begins late gets every event but those of chunks long ago."""
        self.make_source(50)
        self.migrate(code=1)
        lines = [{"kind": "anomaly", "level": "warning", "code": "cusum", "state": "began", "text": "slow"}]
        lines += [{"kind": "chunk", "level": "debug", "text": "chunk %d is done" % i} for i in range(4000)]
        with open(self.path(".transhume", "events.jsonl"), "w", encoding="utf-8") as file:
            for number, line in enumerate(lines):
                file.write(json.dumps(dict({"number": number + 1, "at": "2026-01-31T23:59:59.000Z"}, **line),
                                      separators=(",", ":")) + "\n")
            file.write('{"number":4002,"at":"2026')  # being written
        self.serve()
        seen = self.stream("0.now").until(lambda kind, number, _: number == "4001")
        self.assertEqual(seen[1][2]["text"], "slow")
        self.assertTrue(900 < len(seen) < 2000, len(seen))
        self.assertEqual([int(number) for _, number, _ in seen[2:]], list(range(4004 - len(seen), 4002)))

    def chunk_lines(self, states_of, count=10000):
        """A run's chunks.jsonl made by hand; 0: not done, 1: done, 2: with rejects."""
        self.make_source(50)
        self.migrate(code=1)
        lines = [json.dumps({"format": 1, "run": self.run_id(), "streams": [{"name": "t", "chunks": count}]})]
        lines += [json.dumps({"chunk": i + 1, "attempt": 1, "seconds": 0.01, "written": 5,
                              "rejected": int(states_of(i) == 2)}) for i in range(count) if states_of(i)]
        self.write(".transhume/chunks.jsonl", "\n".join(lines) + "\n")

    def test_many_chunks_are_few_bytes(self):
        self.chunk_lines(lambda i: 0 if i > 9000 else 2 if i % 100 == 50 else 1)
        self.serve()
        status, _, body = self.ask("/api/runs/0.now/chunks")
        self.assertEqual((status, states(json.loads(body)["streams"][0]["cells"])),
                         (200, {"d": 8911, "r": 90, "o": 999}))
        self.assertLess(len(body), 2048)

    def test_control_stops_and_resumes(self):
        self.make_source()
        process = support.start("migrate", "--plan", "plan.yaml", "--chunk-rows", "50", "--rows-per-second", "1000",
                                "--progress", "none",
                                "--dashboard", "0", "--allow-control", cwd=self.folder)
        self.base, token = self.url_of(process, process.stderr)
        self.assertEqual(len(token), 32)
        self.wait_until("it copies", lambda: json.loads(self.ask("/api/runs", token=token)[2])["runs"][:1]
                        and "run" in json.loads(self.ask("/api/runs", token=token)[2])["runs"][0])
        self.assertEqual(self.ask("/metrics", token=None)[0], 200)
        self.assertEqual(self.ask("/readyz", token=None)[0], 200)
        self.assertEqual(self.ask("/api/runs/0.now/resume", "POST", token=token)[0], 409)
        self.assertEqual(self.ask("/api/runs/0.now/stop", "POST", token=token)[0], 202)
        self.assert_code(support.finish(process), 4)
        for name in ("transhume.log", "events.jsonl", "state.json"):
            with open(self.path(".transhume", name), encoding="utf-8") as file:
                self.assertNotIn(token, file.read())
        self.serve("--allow-control")
        self.assertEqual(self.ask("/api/runs/0.now/stop", "POST")[0], 409)
        stream = self.stream("0.now")
        told = stream.until(lambda kind, _, data: kind == "progress")[-1][2]
        self.assertEqual((told["verdict"], told["control"]), ("interrupted",
                                                              {"stop": False, "resume": True, "resuming": False,
                                                               "failure": None}))
        self.assertEqual(self.ask("/api/runs/0.now/resume", "POST")[0], 202)
        stream.until(lambda kind, _, data: kind == "progress" and data["verdict"] == "done, with rejects")
        self.assertEqual(self.runs()[0]["written"], 2 * ROWS - REJECTED)
        self.assertEqual([self.ask("/api/runs/0.now/" + action, "POST")[0] for action in ("stop", "resume")],
                         [409, 409])

    def test_a_token_given_is_kept_secret(self):
        self.make_source(4000)
        for arguments in (["--token", TOKEN], ["--token=" + TOKEN]):
            process = support.start("migrate", "--plan", "plan.yaml", "--chunk-rows", "100", "--rows-per-second",
                                    "1000", "--verbose", "--log-file", "log", "--dashboard", "0", *arguments,
                                    "--state", "st%d" % len(arguments), "source.db", "jsonl:out%d" % len(arguments),
                                    cwd=self.folder)
            self.addCleanup(self.end, process)
            self.wait_until("it copies", lambda: os.path.exists(self.path("st%d" % len(arguments), "state.json")))
            with open("/proc/%d/cmdline" % process.pid, "rb") as file:
                self.assertNotIn(TOKEN.encode(), file.read())
            process.send_signal(signal.SIGINT)
            told = support.finish(process)
            self.assertEqual(told.err.count(TOKEN), 1, told.err)  # the URL
            self.assertIn("warning: a token on the command line can be seen", told.err)
            for folder, _, names in os.walk(self.folder):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as file:
                        self.assertNotIn(TOKEN.encode(), file.read(), name)

    def test_a_resume_that_fails_says_why(self):
        self.make_source(500)
        self.killed(occurrence=3)
        os.rename(self.path("source.db"), self.path("elsewhere.db"))
        self.serve("--allow-control")
        stream = self.stream("0.now")
        self.assertEqual(self.ask("/api/runs/0.now/resume", "POST")[0], 202)
        failure = stream.until(lambda kind, _, data: kind == "progress"
                               and data["control"]["failure"])[-1][2]["control"]["failure"]
        self.assertTrue(failure.startswith("error: ") and "source.db" in failure, failure)


class Safety(DashboardCase):
    def setUp(self):
        super().setUp()
        self.make_source(100)
        self.migrate(code=1)
        self.server = self.serve()
        self.key = self.runs()[0]["key"]

    def test_who_may_come_in(self):
        paths = ["/", "/api/runs", "/api/runs/" + self.key, "/api/runs/%s/events" % self.key,
                 "/api/runs/%s/chunks" % self.key]
        for path in paths:
            for token in (None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" * 5000):
                status, headers, body = self.ask(path, token=token)
                self.assertEqual(status, 401, path)
                self.assertNotIn("Set-Cookie", headers)
                self.assertNotIn(TOKEN, body)
            self.assertEqual(self.ask(path + "?token=" + TOKEN, token=None)[0], 303 if path == "/" else 401, path)
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.ask(path, token=None)[0], 200)
        status, headers, body = self.ask("/metrics", token=None)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertTrue({'active_migrations_count 0', 'transhume_runs{verdict="done, with rejects"} 1'}
                        <= set(body.splitlines()), body)
        self.assertEqual(lint(body), "")
        status, headers, _ = self.ask("/?token=" + TOKEN, token=None)
        self.assertEqual((status, headers["Location"]), (303, "/"))
        cookie = headers["Set-Cookie"]
        self.assertTrue({"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; ")), cookie)
        status, headers, body = self.ask("/", headers={"Cookie": cookie.split(";")[0]}, token=None)
        self.assertEqual((status, headers["Content-Type"], headers["Cache-Control"]),
                         (200, "text/html; charset=utf-8", "no-store"))
        self.assertRegex(headers["Content-Security-Policy"],
                         r"^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; "
                         r"connect-src 'self'; img-src data:; "
                                                             r"base-uri 'none'; form-action 'none'; "
                                                             r"frame-ancestors 'none'$")
        self.assertNotIn(TOKEN, body)
        self.assertNotIn("http://", body.replace("http://www.w3.org/2000/svg", ""))
        self.assertEqual(self.ask("/api/runs", headers={"Cookie": cookie.split(";")[0] + "x"}, token=None)[0], 401)

    def test_pages_of_others(self):
        stop = "/api/runs/%s/stop" % self.key
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost:1", "", "127.0.0.1"):
            for method, path in (("GET", "/api/runs"), ("GET", "/"), ("GET", "/?token=" + TOKEN), ("POST", stop)):
                self.assertEqual(self.ask(path, method, {"Host": host})[0], 403, (host, method))
        port = urlsplit(self.base).port
        self.assertEqual(self.ask("/api/runs", headers={"Host": "localhost:%d" % port})[0], 200)
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Origin": "https://127.0.0.1:%d" % port}, {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"}):
            status, _, body = self.ask(stop, "POST", headers)
            self.assertEqual((status, "another site" in body), (403, True), headers)
        status, _, body = self.ask(stop, "POST", {"Origin": self.base})
        self.assertEqual((status, "--allow-control" in body), (403, True))

    def test_only_post_changes_anything(self):
        for action in ("stop", "resume"):
            for method in ("GET", "HEAD"):
                self.assertEqual(self.ask("/api/runs/%s/%s" % (self.key, action), method)[0], 405)
            self.assertEqual(self.ask("/api/runs/%s/%s" % (self.key, action), "POST")[0], 403)
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            self.assertEqual(self.ask("/api/runs", method)[0], 405, method)
        for path in ("/", "/api/runs", "/api/runs/" + self.key, "/api/runs/%s/events" % self.key):
            self.assertIn(self.ask(path, "POST")[0], (404, 405), path)

    def test_paths_lead_nowhere_else(self):
        run = self.key[2:]
        for path in ("/api/runs/0.../state.json", "/api/runs/0.%2e%2e", "/api/runs/0.%2e%2e%2fruns", "/api/runs/0./",
                     "/api/runs/0.", "/api/runs/1." + run, "/api/runs/-1." + run,
                     "/api/runs/+0." + run, "/api/runs/%200." + run, "/api/runs/18446744073709551616." + run,
                     "/api/runs/0." + run + "%00", "/api/runs/0." + run + "/../../x",
                     "/api/runs/0.%s/rejects/x" % run, "/api/runs/0." + "a" * 5000, "/api/runs//" + self.key,
                     "/api/runsx", "/api", "//", "/../etc/passwd", "/%2e%2e/etc/passwd",
                     "/.transhume/state.json", "/index.html"):
            self.assertEqual(self.ask(path)[0], 404, path)

    def test_slow_and_silent_clients(self):
        address = ("127.0.0.1", urlsplit(self.base).port)
        request = ("GET /api/runs/%s/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n\r\n"
                   % (self.key, address[1], TOKEN)).encode()
        held = []
        for number in range(50):
            connection = socket.create_connection(address, timeout=5)
            held.append(connection)
            connection.sendall([request, b"GET / HT", b"",
                                b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"][number % 4])
        self.assertEqual(len(self.runs()), 1)
        for connection in held:
            connection.close()
        self.server.send_signal(signal.SIGINT)
        self.assert_code(support.finish(self.server), 0)

    def test_clients_that_send_a_byte_now_and_then(self):
        """They fill all places, and are dropped however busy they look."""
        address = ("127.0.0.1", urlsplit(self.base).port)
        held = [socket.create_connection(address, timeout=5) for _ in range(64)]
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ")
        begun = time.monotonic()
        while held and time.monotonic() - begun < 40:
            time.sleep(1)
            for connection in list(held):
                try:
                    connection.sendall(b"x")
                except OSError:
                    held.remove(connection)
        self.assertEqual(held, [])
        self.assertEqual(len(self.runs()), 1)

    def test_what_is_no_token_or_address(self):
        for arguments in (["--token", "short"], ["--token", "x" * 129], ["--token", "sixteen letters;"],
                          ["--dashboard", "nowhere"],
                          ["--dashboard", str(urlsplit(self.base).port)]):
            result = self.run_program("serve", *arguments, code=2)
            self.assertEqual(len([line for line in result.err.splitlines() if line.startswith("error:")]), 1,
                             result.err)
        self.assertIn("needs --dashboard", self.run_program("resume", "--allow-control", code=2).err)


@unittest.skipUnless(browser.find(), "no Chromium is installed")
class Page(DashboardCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def complaints(self):
        """Without the page's own requests."""
        return [(what, text) for what, text in self.browser.complaints()
                if not (what == "Network.requestWillBeSent" and text.startswith((self.base, "data:")))]

    def text(self, selector):
        return self.browser.ask("document.querySelector(%s)?.innerText || ''" % json.dumps(selector))

    def look(self, width=1280, dark=False, key=None):
        self.browser.look(self.base + "/?token=" + TOKEN + ("#/" + key if key else ""), width, dark=dark)
        self.wait_until("the page shows a run",
                        lambda: self.browser.ask("!document.getElementById('sections').hidden && page.report !== null"))

    def wait_for(self, selector, wanted):
        self.wait_until("%s shows %r" % (selector, wanted), lambda: wanted in self.text(selector))

    def tiles(self):
        return self.browser.ask("Object.fromEntries([...document.querySelectorAll('#tiles > div')].map(d => "
                                "[d.children[0].textContent, d.children[1].firstChild.textContent]))")

    def rows(self, selector):
        return self.browser.ask("[...document.querySelectorAll(%s)].map(r => [...r.cells].map(c => "
                                "c.textContent.trim()))" % json.dumps(selector + " tbody tr"))

    def test_a_run_while_it_is_killed_and_resumed(self):
        self.make_source()
        self.killed()
        self.serve("--allow-control")
        self.look()
        self.wait_for("#about", "stopped")
        self.assertEqual(self.browser.ask("[...document.querySelectorAll('button')].map(b => b.innerText)"), ["Resume"])
        self.browser.ask("document.querySelector('#button-resume').click()")
        self.wait_for("#about", "done, with rejects")
        self.wait_for("#rejects", "20")
        self.wait_for("#chunks", "80 of 80 chunks are done")
        tiles = self.tiles()
        self.assertEqual((tiles["Progress"], tiles["Written"], tiles["Rejected"]), ("100.0 %", "3,980", "20"))
        self.assertEqual([row[:5] for row in self.rows("#tables")],
                         [["customers: customer", "100.0 %", "2,000", "1,980", "20"],
                          ["orders: order", "100.0 %", "2,000", "2,000", "0"]])
        self.assertEqual(self.rows("#rejects"), [["customers", "key-null", "20"]])
        self.assertIn("resumed", self.text("#rate"))
        self.wait_for("#lines", "phase: done")
        self.assertEqual(self.browser.ask("document.querySelectorAll('button').length"), 0)
        self.assertEqual(self.complaints(), [])

    def test_workers_are_shown_while_they_work(self):
        self.make_source()
        process = support.start("migrate", "--plan", "plan.yaml", "--chunk-rows", "50", "--rows-per-second", "1000",
                                "--progress", "none", cwd=self.folder)
        self.addCleanup(self.end, process)
        self.wait_until("it copies", lambda: os.path.exists(self.path(".transhume", "state.json")))
        self.serve()
        self.look()
        self.wait_until("workers with their chunks", lambda: [row for row in self.rows("#workers")
                                                              if row[0] == "reader 1"
                                                              and row[2] in ("customers: customer", "orders: order")
                                                              and row[3] != "–"])
        self.assertIn("Between readers and writers", self.text("#workers"))
        process.send_signal(signal.SIGINT)
        support.finish(process)
        self.wait_until("no workers", lambda: self.rows("#workers") == [])
        self.assertEqual(self.complaints(), [])

    def test_widths_and_those_who_listen(self):
        self.make_source(300)
        self.migrate(code=1)
        self.run_program("validate", "--progress", "none", code=1)
        self.serve()
        for width in (390, 1280, 1920):
            self.look(width, dark=width == 1280)
            self.wait_for("#validation", "No other difference was found than records that were rejected")
            self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), width)
            self.assertEqual(self.complaints(), [])
        ask = self.browser.ask
        self.assertEqual(ask("document.documentElement.lang"), "en")
        self.assertEqual([ask("document.querySelectorAll('%s').length" % name)
                          for name in ("header", "nav", "main", "h1")], [1] * 4)
        self.assertEqual(ask("[...document.querySelectorAll('svg, canvas')].filter(e => "
                             "!e.getAttribute('aria-label')).length"), 0)
        self.assertEqual(ask("[...document.querySelectorAll('table')].filter(t => !t.querySelector('thead "
                             "th[scope=col]') || !t.querySelector('tbody th[scope=row]')).length"), 0)
        self.assertEqual(ask("[...document.querySelectorAll('section, nav')].filter(s => "
                             "!document.getElementById(s.getAttribute('aria-labelledby'))).length"), 0)
        self.assertEqual(ask("[...document.querySelectorAll('[aria-live], [role=log], "
                             "[role=alert]')].map(e => e.id).join()"), "status")
        self.assertIn("done, with rejects", self.browser.ask("document.getElementById('status').textContent"))
        self.assertEqual(ask("[...document.querySelectorAll('select, input')].filter(e => !e.labels.length).length"), 0)
        self.assertEqual(ask("document.querySelectorAll('button').length"), 0)
        seen = []
        for _ in range(4):
            for kind in ("keyDown", "keyUp"):
                self.browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
            seen.append(ask("document.activeElement.className || document.activeElement.getAttribute('href') || "
                            "document.activeElement.id"))
            self.assertTrue(ask("document.activeElement.matches(':focus-visible') && "
                                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"), seen)
        self.assertEqual(seen[:2], ["skip", "#/0." + self.run_id()])

    def test_names_and_records_stay_text(self):
        hostile_database(self.path("bait.db"))
        self.write("plan.yaml",
                   "transhume: 1\nsource: bait.db\ntarget: 'dynamodb-json:out<img src=x "
                   "onerror=alert(1)>'\ntables:\n  bait: "
                                "{ key: { partition: M }, entities: { \"<b>&amp;</b>\": { from: bait, "
                                "fields: { M: '{mail}', '*': copy } } } }\n")
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.serve()
        self.look()
        self.wait_for("#tables", "bait: <b>&amp;</b>")
        self.wait_for("#title", "<img src=x onerror=alert(1)>")
        self.browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
        self.assertIn("<script>document.title='owned'</script>", self.text("#rejects"))
        self.assertEqual(self.browser.ask("document.querySelectorAll('script, img, iframe, svg [onload]').length"), 1)
        self.assertNotIn(self.browser.ask("document.title"), ("owned", "1"))
        self.assertEqual(self.complaints(), [])

    def test_ten_thousand_chunks_and_twenty_runs(self):
        Api.chunk_lines(self, lambda i: 0 if i > 9000 else 2 if i % 100 == 50 else 1)
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            state = json.load(file)
        for number in range(19):
            past = "202501%02dT000000Z-abcdef" % (number + 1)
            os.makedirs(self.path(".transhume", "runs", past))
            self.write(".transhume/runs/%s/state.json" % past,
                       json.dumps(dict(state, run=past, started_at="2025-01-%02dT00:00:00.000Z" % (number + 1))))
        self.serve()
        paints = []
        # others may be using the machine
        while not paints or (min(paints) > 300 * support.PATIENCE and len(paints) < 6):
            self.look()
            self.wait_for("#chunks", "9,001 of 10,000 chunks are done")
            paints.append(self.browser.ask("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        self.assertLessEqual(min(paints), 300 * support.PATIENCE, paints)
        self.assertEqual(self.browser.ask("document.querySelectorAll('#runs li').length"), 20)
        self.assertEqual(self.rows("#chunks"), [["t", "10,000", "9,001", "90"]])
        colors = ("(() => { const c = document.querySelector('canvas'), d = c.getContext('2d').getImageData(0, 0, "
                  "c.width, c.height).data, s = {};"
                  " for (let i = 0; i < d.length; i += 4) if (d[i + 3]) s[[d[i], d[i + 1], d[i + 2]]] = 1; "
                  "return Object.keys(s).length; })()")
        # The map is drawn in the animation frame after the text.
        self.wait_until("three colors in the map", lambda: self.browser.ask(colors) == 3)
        self.browser.ask("document.querySelector('#runs li:last-child a').click()")
        self.wait_for("#about", "20250101T000000Z-abcdef")
        self.assertEqual(self.complaints(), [])

    def test_the_connection_is_lost_and_comes_back(self):
        self.make_source(100)
        self.migrate(code=1)
        server = self.serve()
        self.look()
        address = urlsplit(self.base).netloc
        self.wait_for("#connection", "live")
        server.kill()
        server.wait()
        self.wait_for("#lost", "The connection was lost at")
        again = support.start("serve", "--dashboard", address, cwd=self.folder, env={"TRANSHUME_TOKEN": TOKEN})
        self.url_of(again, again.stdout)
        self.wait_for("#connection", "live")
        self.assertTrue(self.browser.ask("document.getElementById('lost').hidden"))


if __name__ == "__main__":
    unittest.main()
