"""Events, metrics and logs for programs: what a run shows while it runs and when it has ended."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

import support

PHASES = ["prepare", "copy", "indexes", "settle", "count", "done"]


def scrape(url, accept=None):
    host = url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", "/" + url.split("/", 3)[3], headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        connection.close()


def address_of_metrics(process):
    """What a run that is --verbose says of --metrics."""
    while True:
        line = process.stderr.readline()
        assert line, "it ended"
        found = re.search(r"metrics are at (http://\S+)/metrics", line if isinstance(line, str) else line.decode())
        if found:
            return found.group(1)


def samples(text):
    """{"name{labels}": number}"""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line
            and not line.startswith("#")}


def of_family(found, name):
    return {key: value for key, value in found.items() if re.match(re.escape(name) + r"(\{|$)", key)}


def lint(text):
    """What promtool says of it; "" where it is clean."""
    result = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False, timeout=60)
    return result.stdout.decode() if result.returncode else ""


class RunCase(support.TestCase):
    def events(self, folder=".transhume"):
        with open(self.path(folder, "events.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def make_source(self, rows=20000):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            db.execute("CREATE TABLE u(id INTEGER PRIMARY KEY, v TEXT)")
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "v" * 50) for i in range(rows)))
            db.executemany("INSERT INTO u VALUES (?, ?)", ((i, "v") for i in range(10)))


class Observing(RunCase):
    def begin_with(self, *arguments, failpoint=None):
        """A run, and where its metrics are."""
        process = support.start("migrate", *arguments, "--progress", "none", "--verbose", "--metrics", "0",
                                cwd=self.folder, env={"TRANSHUME_FAILPOINT": failpoint})
        self.addCleanup(lambda: process.poll() is not None or process.kill())
        return process, address_of_metrics(process)

    def begin(self, *arguments):
        """One that takes some seconds."""
        return self.begin_with("source.db", "target.db", "--rows-per-second", "4000", "--chunk-rows", "500", *arguments)

    # ---- events

    def test_events_of_a_run(self):
        self.make_source(2000)
        self.run_program("migrate", "source.db", "target.db", "--chunk-rows", "500")
        events = self.events()
        self.assertEqual([e["number"] for e in events], list(range(1, len(events) + 1)))
        self.assertEqual([e["at"] for e in events], sorted(e["at"] for e in events))
        self.assertEqual([e["code"] for e in events if e["kind"] == "phase"][-len(PHASES):], PHASES)
        self.assertEqual([e["state"] for e in events if e["kind"] == "run"], ["began", "completed"])
        chunks = [e for e in events if e["kind"] == "chunk"]
        self.assertEqual(sum(e["count"] for e in chunks if e["table"] == "t"), 2000)
        self.assertEqual(len({e["chunk"] for e in chunks}), len(chunks))

    def test_events_name_the_table_of_the_target(self):
        """As metrics do; a chunk whose records go to several has none."""
        self.make_source(10)
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: target.db\ntables:\n"
                                "  copied: { key: id, from: t, fields: { '*': copy } }\n"
                                "  even: { key: id, from: u, where: 'id % 2 = 0', fields: { '*': copy } }\n"
                                "  odd: { key: id, from: u, where: 'id % 2 = 1', fields: { '*': copy } }\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--metrics-file", "out.prom",
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:retry:1"})
        events = self.events()
        chunks = sorted((e.get("table", ""), e.get("entity", ""), e["count"]) for e in events if e["kind"] == "chunk")
        self.assertEqual(chunks, [("", "", 10), ("copied", "copied", 10)])
        self.assertLessEqual({e.get("table") for e in events if e["kind"] == "retry"}, {"copied", None})
        named = {re.search('table="([^"]+)"', key).group(1) for key in of_family(samples(self.read("out.prom")),
            "transhume_rows_total")}
        self.assertEqual(named, {"copied", "even", "odd"})

    def test_events_go_on_after_a_kill(self):
        self.make_source(3000)
        self.run_program("migrate", "source.db", "target.db", "--chunk-rows", "500", code=-9,
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:4"})
        before = len(self.events())
        self.run_program("resume")
        events = self.events()
        self.assertGreater(len(events), before)
        self.assertEqual([e["number"] for e in events], list(range(1, len(events) + 1)))
        self.assertEqual([e["state"] for e in events if e["kind"] == "run"], ["began", "resumed", "completed"])

    def test_events_tell_of_rejects_and_errors(self):
        self.write("in.csv", "id,n\n1,5\n2,x\n3,y\n")
        self.write("plan.yaml",
                   "transhume: 1\nsource: in.csv\ntarget: target.db\ntables:\n  t:\n    key: id\n    columns: { id: { "
                   "type: integer }, n: { type: integer } }\n"
                                "    from: in\n    fields: { '*': copy }\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "5", code=1)
        rejects = [e for e in self.events() if e["kind"] == "reject"]
        self.assertEqual([(e["count"], "code" in e) for e in rejects], [(2, True)])
        self.write("plan.yaml", self.read("plan.yaml").replace("target.db", "second.db"))
        self.run_program("migrate", "--plan", "plan.yaml", "--fail-fast", "--state", "second", code=3)
        self.assertEqual([e["state"] for e in self.events("second") if e["kind"] == "run"], ["began", "failed"])

    # ---- logs for programs

    def test_log_lines_as_json(self):
        self.make_source(100)
        result = self.run_program("migrate", "source.db", "target.db", "--log-format", "json", "--log-file",
                                  "log.jsonl", "--verbose", "--progress", "none")
        lines = [json.loads(line) for line in result.err.splitlines()]
        self.assertIn("chunk", {line["kind"] for line in lines})
        self.assertTrue(all({"at", "level", "kind", "text"} <= set(line) for line in lines))
        with open(self.path("log.jsonl"), encoding="utf-8") as file:
            self.assertIn("info", {json.loads(line)["level"] for line in file})
        result = self.run_program("migrate", "source.db", "target.db", "--log-format", "json", code=5)
        told = json.loads(result.err.splitlines()[-1])
        self.assertEqual((told["kind"], told["level"], told["code"]), ("error", "error", "target-not-empty"))
        self.assertTrue(told["hint"])

    # ---- metrics

    def test_metrics_of_a_run(self):
        self.make_source()
        process, url = self.begin()
        self.wait_until("it copies", lambda: of_family(samples(scrape(url + "/metrics")[2]), "migration_rows_total"))
        status, kind, text = scrape(url + "/metrics")
        self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual(lint(text), "")
        found = samples(text)
        run = re.search(r'transhume_run_info\{run="([^"]+)"', text).group(1)
        self.assertEqual(found["active_migrations_count"], 1)
        self.assertEqual(found['migration_duration_seconds_count{migration_id="%s",source_db="sqlite",'
                               'target_db="sqlite"}' % run], 0)
        self.assertIn('migration_rows_total{migration_id="%s",table_name="t"}' % run, found)
        self.assertGreaterEqual(found['migration_data_lag_seconds{migration_id="%s"}' % run], 0)
        self.assertEqual(found['transhume_copy_rows_estimated{table="t"}'], 20000)
        self.assertTrue(0 <= found["transhume_queue_bytes"] <= found["transhume_queue_capacity_bytes"],
                        found["transhume_queue_bytes"])
        self.assertGreater(found["transhume_queue_capacity_bytes"], 1 << 20)
        self.assertEqual(scrape(url + "/healthz")[0], 200)
        self.assertEqual(scrape(url + "/readyz")[0], 200)
        self.assertEqual(scrape(url + "/../../etc/passwd")[0], 404)
        self.assertEqual(scrape(url + "/metrics%00x")[0], 404)
        status, kind, text = scrape(url + "/metrics", "application/openmetrics-text; version=1.0.0")
        self.assertEqual((status, kind.split(";")[0]), (200, "application/openmetrics-text"))
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertIn("# TYPE migration_rows counter\n", text)
        self.assert_code(support.finish(process), 0)

    def test_bad_scrapers_do_no_harm(self):
        self.make_source(12000)
        process, url = self.begin()
        address = tuple(url.split("/")[2].split(":"))
        held = []
        for number in range(1000):
            try:
                connection = socket.create_connection((address[0], int(address[1])), timeout=0.2)
            except OSError:
                continue
            held.append(connection)
            if number % 3 == 0:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)  # and never reads
            elif number % 3 == 1:
                connection.sendall(b"GET /" + b"x" * 100)
        self.assert_code(support.finish(process), 0)
        for connection in held:
            connection.close()
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone(), (12000,))

    def test_metrics_file_and_statsd(self):
        self.make_source(3000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(0.2)
            self.run_program("migrate", "source.db", "target.db", "--metrics-file", "out.prom", "--statsd",
                             "127.0.0.1:%d" % server.getsockname()[1])
            lines = []
            try:
                while True:
                    packet = server.recv(65536)
                    self.assertLessEqual(len(packet), 1432)
                    lines += packet.decode().splitlines()
            except socket.timeout:
                pass
        text = self.read("out.prom")
        self.assertEqual(lint(text), "")
        found = samples(text)
        self.assertEqual(found['transhume_rows_total{table="t",stage="written"}'], 3000)
        self.assertEqual(list(of_family(found, "migration_duration_seconds_count").values()), [1])
        self.assertEqual(found["active_migrations_count"], 0)
        added = [line for line in lines if line.startswith("transhume_rows_total:") and "table:t,stage:written" in line]
        self.assertEqual(sum(float(line.split(":", 1)[1].split("|")[0]) for line in added), 3000)
        self.assertTrue(all("|c|#" in line for line in added))

    def test_tables_of_any_name(self):
        """A hundred tables and more, one of them called as the rest is, others of odd or no characters."""
        with sqlite3.connect(self.path("source.db")) as db:
            for i in range(101):
                db.execute(f"CREATE TABLE t{i:03}(id INTEGER PRIMARY KEY)")
                db.execute(f"INSERT INTO t{i:03} VALUES (1)")
            for name in ("other", "a\nb c", "x" * 3000):
                db.execute(f'CREATE TABLE "{name}"(id INTEGER PRIMARY KEY)')
                db.execute(f'INSERT INTO "{name}" VALUES (1)')
        subprocess.run(["sqlite3", self.path("source.db")],
                       input=b'CREATE TABLE "bad\xff"(id INTEGER PRIMARY KEY); INSERT INTO "bad\xff" VALUES (1);',
                       check=True, timeout=30)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            server.bind(("127.0.0.1", 0))
            server.settimeout(1)
            self.run_program("migrate", "source.db", "target.db", "--metrics-file", "out.prom", "--statsd",
                             f"127.0.0.1:{server.getsockname()[1]}")
            text = b""
            try:
                while True:
                    text += server.recv(65536) + b"\n"
            except TimeoutError:
                pass
        exposition = self.read("out.prom")
        self.assertEqual(lint(exposition), "")
        names = [line.rpartition(" ")[0] for line in exposition.splitlines() if not line.startswith("#")]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(sum(of_family(samples(exposition), "migration_rows_total").values()), 105)
        counted = [line for line in text.decode().splitlines() if line.startswith("migration_rows_total:")]
        self.assertEqual(sum(int(re.match(r"[^:]+:(\d+)\|c\|#", line)[1]) for line in counted), 105)

    def test_statsd_by_ipv6(self):
        self.make_source(10)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
            try:
                server.bind(("::1", 0))
            except OSError:
                self.skipTest("this machine has no ::1")
            server.settimeout(5)
            self.run_program("migrate", "source.db", "target.db", "--statsd", "[::1]:%d" % server.getsockname()[1])
            self.assertIn(b"transhume_", server.recv(65536))

    @unittest.skipUnless(shutil.which("prometheus-pushgateway"), "no prometheus-pushgateway is installed")
    def test_push_gateway(self):
        self.make_source(1000)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with open(self.path("gateway.log"), "wb") as log:
            gateway = subprocess.Popen(["prometheus-pushgateway", "--web.listen-address=127.0.0.1:%d" % port],
                                       stdout=log, stderr=log)
        self.addCleanup(gateway.wait)
        self.addCleanup(gateway.kill)
        url = "http://127.0.0.1:%d" % port

        def is_ready():
            try:
                return scrape(url + "/-/ready")[0] == 200
            except OSError:
                return False
        self.wait_until("the gateway", is_ready)
        self.run_program("migrate", "source.db", "target.db", "--push-gateway", url + "/metrics/job/nightly")
        found = samples(scrape(url + "/metrics")[2])
        self.assertEqual(found['transhume_rows_total{instance="",job="nightly",stage="written",table="t"}'], 1000)
        result = self.run_program("migrate", "source.db", "second.db", "--state", "second", "--push-gateway",
                                  "http://127.0.0.1:1")
        self.assertEqual(result.err.count("metrics are not pushed to http://127.0.0.1:1/metrics/job/transhume"), 1)

    def test_the_source_waits_for_a_slow_target(self):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "v" * 800) for i in range(20000)))
        self.run_program("migrate", "source.db", "target.db", "--memory", "8MiB", "--no-express", "--metrics-file",
                         "out.prom", env={"TRANSHUME_FAILPOINT": "engine.batch_submitted:sleep:3"})
        found = samples(self.read("out.prom"))
        source, target = (found['transhume_idle_seconds_total{side="%s"}' % side] for side in ("source", "target"))
        self.assertGreater(source, 0.5)
        self.assertGreater(source, target)
        self.assertEqual((found["transhume_queue_batches"], found["transhume_queue_bytes"]), (0, 0))  # it has ended

    def test_what_waits_for_a_slow_target(self):
        """Batches that were read wait in the queue, as metrics and state.json have it."""
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "v" * 800) for i in range(20000)))
        process, url = self.begin_with("source.db", "target.db", "--no-express",
                                       failpoint="engine.batch_submitted:sleep:3")
        found = {}

        def waits():
            found.update(samples(scrape(url + "/metrics")[2]))
            return found.get("transhume_queue_batches", 0) >= 2 and found["transhume_queue_bytes"] > 100000
        self.wait_until("batches wait", waits)
        self.assertLessEqual(found["transhume_queue_bytes"], found["transhume_queue_capacity_bytes"])

        def told():
            with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
                state = json.load(file)
            return state.get("queue", {}).get("batches", 0) >= 2 and [w for w in state["workers"]
                                                                      if w["side"] == "target" and w.get("rows")]
        self.wait_until("state.json says so", told)
        self.assert_code(support.finish(process), 0)

    def test_what_cannot_be_served_is_refused_before_the_run(self):
        self.make_source(10)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for option in (["--metrics", "127.0.0.1:%d" % taken.getsockname()[1]], ["--metrics", "nonsense"],
                           ["--metrics", "1.2.3.4.5:80"], ["--statsd", "here"],
                           ["--push-gateway", "gateway:9091"], ["--push-gateway", "http://"],
                           ["--push-gateway", "http://user:word@gateway:9091"],
                           ["--metrics-file", "/nonexistent/x.prom"]):
                result = self.run_program("migrate", "source.db", "target.db", *option,
                                          code=2 if option[0] != "--metrics-file" else 3)
                self.assertEqual(len([line for line in result.err.splitlines() if line.startswith("error:")]), 1)
                self.assertFalse(os.path.exists(self.path("target.db")))


class Kinds(RunCase):
    """Each kind of run says what it is and how it ended, in its metrics and its events."""

    def ended(self, kind, state, *arguments, code=0, failpoint=None, interrupt=False):
        """Runs it, or interrupts it where the failpoint stops it, and checks its last word."""
        if interrupt:
            process = self.stopped_at(failpoint, *arguments, "--metrics-file", "out.prom")
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
            self.assert_code(support.finish(process), code)
        else:
            self.run_program(*arguments, "--metrics-file", "out.prom", code=code,
                             env={"TRANSHUME_FAILPOINT": failpoint})
        text = self.read("out.prom")
        found = samples(text)
        states = {re.search('state="(.*)"', key).group(1): value
                  for key, value in of_family(found, "transhume_run_state").items()}
        self.assertEqual(states, {name: float(name == state) for name in ("running", "completed", "interrupted",
                                                                          "failed")})
        self.assertEqual(re.search(r'transhume_run_info\{run="[^"]+",kind="(\w+)"', text).group(1), kind)
        self.assertEqual(found["active_migrations_count"], 0)
        if state == "completed":
            self.assertEqual(found["transhume_phase"], 10)
        self.assertEqual(list(of_family(found, "migration_duration_seconds_count").values()), [1])
        return found

    def last_events(self, folder=".transhume"):
        return [(e.get("code"), e["state"]) for e in self.events(folder) if e["kind"] == "run"][-2:]

    def test_a_copy(self):
        self.make_source(2000)
        self.ended("copy", "interrupted", "migrate", "source.db", "target.db", "--chunk-rows", "500", code=4,
                   failpoint="engine.before_commit:stop:2", interrupt=True)
        self.ended("copy", "failed", "resume", code=3, failpoint="engine.before_settle:error:1")
        self.assertEqual(self.last_events(), [(None, "resumed"), (None, "failed")])
        self.ended("copy", "completed", "resume")

    def test_a_validation_and_its_repair(self):
        self.make_source(2000)
        self.run_program("migrate", "source.db", "target.db")
        with sqlite3.connect(self.path("target.db")) as db:
            db.execute("DELETE FROM t WHERE id = 7")
            db.execute("UPDATE t SET v = 'x' WHERE id IN (8, 9)")
        self.ended("validation", "interrupted", "validate", code=4, failpoint="verify.before_rereading:stop:1",
                   interrupt=True)
        self.ended("validation", "failed", "validate", code=3, failpoint="verify.before_rereading:error:1")
        found = self.ended("validation", "completed", "validate", code=1)
        self.assertEqual(of_family(found, "transhume_verify_mismatches"),
                         {'transhume_verify_mismatches{table="t"}': 3, 'transhume_verify_mismatches{table="u"}': 0})
        self.assertGreater(sum(of_family(found, "transhume_rows_total").values()), 0)
        self.assertEqual(self.last_events(), [("validation", "began"), ("validation", "completed")])
        found = self.ended("repair", "completed", "validate", "--repair")
        self.assertEqual(found['migration_rows_total{migration_id="%s",table_name="t"}' % self.run_id()], 3)

    def test_a_rollback(self):
        self.make_source(2000)
        self.run_program("migrate", "source.db", "target.db")
        rollback = ["rollback", "--run", self.run_id(), "--confirm"]
        self.ended("rollback", "interrupted", *rollback, code=4, failpoint="rollback.before_table:stop:1",
                   interrupt=True)
        self.ended("rollback", "failed", *rollback, code=3, failpoint="rollback.before_table:error:1")
        self.assertEqual(self.last_events(), [("rollback", "resumed"), ("rollback", "failed")])
        found = self.ended("rollback", "completed", *rollback)
        self.assertEqual((found["transhume_chunks"], found["transhume_chunks_done_total"]), (2, 2))

    def test_a_run_that_begins_again(self):
        """A rollback, and then a copy, in one process."""
        self.make_source(2000)
        self.run_program("migrate", "source.db", "target.db", "--chunk-rows", "500", code=-9,
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:2"})
        found = self.ended("copy", "completed", "migrate", "source.db", "target.db", "--restart", "--confirm")
        self.assertEqual(found['transhume_rows_total{table="t",stage="written"}'], 2000)


class Documentation(support.TestCase):
    """docs/observing.md names every family that there is, as it is."""

    ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| (.*) \| (\w*) \| (.*) \|$", re.MULTILINE)
    PLAN = ("transhume: 1\nsource: source.db\ntarget: %s\ntables:\n  t: { key: id, from: t, fields: { id: copy, "
            "n: { column: n, cast: int64 } } }\n")

    def exposed(self, *arguments, code=0, env=None):
        """{family: (type, labels, help)} of what a command leaves."""
        self.run_program(*arguments, "--metrics-file", "out.prom", code=code, env=env)
        with open(self.path("out.prom"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(lint(text), "")
        meanings = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
        found = {}
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
            lines = re.findall(r"^%s%s(?:\{(.*)\})? " % (name, "_bucket" if kind == "histogram" else ""), text,
                               re.MULTILINE)
            labels = {label for line in lines for label in re.findall(r'(\w+)="', line)} - {"le"}
            found[name] = ("info" if name.endswith("_info") else kind, labels, meanings[name])
        return found

    @staticmethod
    def add_families(found, more):
        """A family without a series yet shows no labels."""
        for name, (kind, labels, meaning) in more.items():
            found[name] = (kind, labels | found[name][1] if name in found else labels, meaning)

    def test_the_table_is_what_runs_show(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES (1, '5'), (2, "
                            "'no number'), (3, '6'), (4, '7')")
        for name in ("copied", "failed"):
            self.write(name + ".yaml", self.PLAN % (name + ".db"))
        found = self.exposed("migrate", "--plan", "copied.yaml", "--max-rejects", "1", code=1,
                             env={"TRANSHUME_FAILPOINT": "engine.before_commit:retry:1"})
        run = self.run_id()
        with sqlite3.connect(self.path("copied.db")) as db:
            db.execute("UPDATE t SET n = 9 WHERE id = 4")
        self.add_families(found, self.exposed("validate", "--plan", "copied.yaml", code=1))
        with sqlite3.connect(self.path("copied.db")) as db:
            db.execute("UPDATE t SET n = 7 WHERE id = 4")
        self.add_families(found, self.exposed("rollback", "--run", run, "--confirm"))
        self.add_families(found, self.exposed("migrate", "--plan", "failed.yaml", "--fail-fast", "--state", "failed",
                                              code=3))
        with open(os.path.join(support.ROOT, "docs/observing.md"), encoding="utf-8") as file:
            rows = self.ROW.findall(file.read())
        unbounded = ["transhume_slot_safe_bytes"]  # only a server has it, and not every one
        rows = [row for row in rows if row[0] not in unbounded]
        found = {name: what for name, what in found.items() if name not in unbounded}
        for name, kind, labels, unit, meaning in rows:
            with self.subTest(name):
                self.assertIn(name, found)
                self.assertEqual((kind, set(re.findall(r"`(\w+)`", labels)), meaning), found[name])
                ending = re.search(r"_(seconds|bytes|ratio)(?:_total)?$", name)
                self.assertEqual(unit, ending.group(1) if ending and "_per_" not in name else "")
        self.assertEqual(sorted(found), sorted(row[0] for row in rows))


if __name__ == "__main__":
    unittest.main()
