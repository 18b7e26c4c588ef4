"""The dashboard and the alert rules: every expression is run against a real Prometheus that scrapes a real run."""
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
import urllib.error
import urllib.parse
import urllib.request

import net_support
import support
import test_net_http

SERVERS = ["prometheus", "promtool", "prometheus-pushgateway"]
MISSING = [name for name in SERVERS if not shutil.which(name)]
FAMILY = re.compile(r"\b(?:transhume|migration|process|active|push)_[a-z_]+\b")
# Families that no copy feeds: those of following changes, and of the detectors of anomalies where nothing is odd.
LATER = re.compile(r"transhume_(slot_retained_bytes|slot_safe_bytes|source_lag_bytes|end_to_end_lag_seconds|"
                   r"anomaly_active|anomaly_score)$")
KINDS = ["bargauge", "gauge", "heatmap", "stat", "state-timeline", "table", "timeseries"]
PLAN = """transhume: 1
source: source.db
target: %s
tables:
  t: { key: id, from: t, fields: { id: copy, n: { column: n, cast: int64 } } }
  u: { key: id, from: u, fields: { "*": copy } }
"""


def printed(*arguments):
    return subprocess.run([support.PROGRAM, "grafana", *arguments], stdout=subprocess.PIPE, check=True,
                          timeout=60).stdout.decode()


def panels_of(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def plain(expression):
    """With the variables that Grafana would fill in."""
    for name, value in (("$__rate_interval", "30s"), ("$__interval", "5s"), ("$__range", "1m"), ("$job", ".*"),
                        ("$instance", ".*"), ("$run", ".*")):
        expression = expression.replace(name, value)
    return expression


def without_end(family):
    return re.sub(r"_(bucket|sum|count)$", "", family)


class Dashboard(unittest.TestCase):
    def setUp(self):
        self.text = printed()
        self.dashboard = json.loads(self.text)
        self.panels = panels_of(self.dashboard)

    def test_it_is_what_grafana_imports(self):
        self.assertGreaterEqual(self.dashboard["schemaVersion"], 36)
        self.assertEqual([(i["name"], i["type"], i["pluginId"]) for i in self.dashboard["__inputs"]],
                         [("DS_PROMETHEUS", "datasource", "prometheus")])
        self.assertEqual((self.dashboard["id"], self.dashboard["uid"]), (None, "transhume"))
        self.assertEqual([v["name"] for v in self.dashboard["templating"]["list"]], ["job", "instance", "run"])
        self.assertEqual({p["id"] for p in self.dashboard["__requires"] if p["type"] == "panel"},
                         {p["type"] for p in self.panels})

    def test_every_panel_is_whole(self):
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(self.panels), 30)
        for panel in self.panels:
            with self.subTest(panel["title"]):
                self.assertTrue(panel["title"] and panel["description"])
                self.assertIn(panel["type"], KINDS)
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["targets"])
                for part in [panel] + panel["targets"]:
                    self.assertEqual(part["datasource"], {"type": "prometheus", "uid": "${DS_PROMETHEUS}"})
                self.assertEqual(len({t["refId"] for t in panel["targets"]}), len(panel["targets"]))
        titles = [panel["title"] for panel in self.panels]
        self.assertEqual(len(titles), len(set(titles)))

    def test_no_two_panels_overlap(self):
        taken = {}
        for panel in self.dashboard["panels"]:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertNotIn((x, y), taken, "%s and %s" % (panel["title"], taken.get((x, y))))
                    taken[x, y] = panel["title"]

    def test_lag_and_its_causes_have_one_time_axis(self):
        rows = [panel["title"] for panel in self.dashboard["panels"] if panel["type"] == "row"]
        self.assertIn("Lag, and what may cause it", rows)
        self.assertEqual(self.dashboard["graphTooltip"], 1)  # a crosshair through all of them
        begin = [panel["title"] for panel in self.dashboard["panels"]].index("Lag, and what may cause it") + 1
        end = next(i for i in range(begin, len(self.dashboard["panels"]))
                   if self.dashboard["panels"][i]["type"] == "row")
        self.assertGreaterEqual(end - begin, 6)
        for panel in self.dashboard["panels"][begin:end]:
            self.assertEqual((panel["type"], panel["gridPos"]["x"], panel["gridPos"]["w"]), ("timeseries", 0, 24))

    def test_a_datasource_can_be_named(self):
        odd = 'prom "main" \\ ${x}'
        text = printed("--datasource", odd)
        named = json.loads(text)
        self.assertNotIn("DS_PROMETHEUS", text)
        self.assertNotIn("__inputs", named)
        self.assertEqual({p["datasource"]["uid"] for p in panels_of(named)}, {odd})
        self.assertEqual({v["datasource"]["uid"] for v in named["templating"]["list"]}, {odd})
        self.assertEqual([p["title"] for p in panels_of(named)], [p["title"] for p in self.panels])


class Files(support.TestCase):
    def test_output(self):
        for arguments, expected in ((["-o", "out"], printed()), (["--rules", "--output", "out"], printed("--rules"))):
            result = self.run_program("grafana", *arguments)
            self.assertEqual(result.out, "")
            with open(self.path("out"), encoding="utf-8") as file:
                self.assertEqual(file.read(), expected)
            self.assertEqual(os.stat(self.path("out")).st_mode & 0o777, 0o644)
        self.assertEqual(self.run_program("grafana", "-o", "-").out, printed())
        self.run_program("grafana", "-o", "none/out", code=2)

    def test_wrong_usage(self):
        self.write("token", "abcdefgh\n")
        self.write("empty", " \n")
        self.write("odd", "abc\x01def\n")
        for arguments in (["--push", "http://127.0.0.1:1"], ["--token-file", "token"], ["--ca-file", "token"],
                          ["--rules", "--push", "http://127.0.0.1:1", "--token-file", "token"],
                          ["--rules", "--datasource", "x"],
                          ["--push", "http://127.0.0.1:1", "--token-file", "token", "-o", "x"],
                          ["--push", "http://127.0.0.1:1", "--token-file", "none"],
                          ["--push", "http://127.0.0.1:1", "--token-file", "empty"],
                          ["--push", "http://127.0.0.1:1", "--token-file", "odd"],
                          ["--push", "nonsense", "--token-file", "token"],
                          ["--push", "http://grafana.example.org", "--token-file", "token"], ["more"]):
            with self.subTest(arguments):
                result = self.run_program("grafana", *arguments, code=2)
                self.assertEqual(result.out, "")
                self.assertEqual(len([line for line in result.err.splitlines() if line.startswith("error:")]), 1,
                                 result.err)


class Push(support.TestCase):
    TOKEN = "glsa_secret_canary_q7x2"

    def push(self, status, body, *arguments, code=0, kind="application/json", path=""):
        text = body if isinstance(body, str) else json.dumps(body)
        self.write("token", "  %s\n" % self.TOKEN)
        with net_support.ScriptedServer(net_support.answering(lambda *_: (status, text.encode(),
                                                                          {"Content-Type": kind}))) as server:
            result = self.run_program("grafana", "--push", server.url + path, "--token-file", "token", *arguments,
                                      code=code)
        self.assertNotIn(self.TOKEN, result.out + result.err)
        return result, server

    def test_it_is_sent(self):
        for arguments, path in ([], ""), (["--datasource", "prom-1"], "/grafana/"):
            result, server = self.push(200, {"id": 7, "uid": "transhume",
                                             "url": path.rstrip("/") + "/d/transhume/transhume", "status": "success",
                                             "version": 2}, *arguments, path=path)
            self.assertEqual(result.out, "dashboard: %s%s/d/transhume/transhume\n" % (server.url, path.rstrip("/")))
            (method, target, headers, body), = server.requests
            self.assertEqual((method, target), ("POST", path.rstrip("/") + "/api/dashboards/db"))
            headers = {name.lower(): value for name, value in dict(headers).items()}
            self.assertEqual((headers["authorization"], headers["content-type"]),
                             ("Bearer " + self.TOKEN, "application/json"))
            sent = json.loads(body)
            self.assertEqual((set(sent), sent["overwrite"]), ({"dashboard", "overwrite", "message"}, True))
            self.assertIn("transhume", sent["message"])
            self.assertEqual((sent["dashboard"]["id"], sent["dashboard"]["uid"]), (None, "transhume"))
            self.assertNotIn("__inputs", sent["dashboard"])
            variables = [(v["name"], v["type"]) for v in sent["dashboard"]["templating"]["list"]]
            uids = {p["datasource"]["uid"] for p in panels_of(sent["dashboard"])}
            if arguments:
                self.assertEqual((uids, ("DS_PROMETHEUS", "datasource") in variables), ({"prom-1"}, False))
            else:  # no input outside of the import: a variable of that name
                self.assertEqual((uids, variables[0]), ({"${DS_PROMETHEUS}"}, ("DS_PROMETHEUS", "datasource")))

    def test_what_grafana_refuses(self):
        for status, body, code, words in (
                (401, {"message": "Invalid API key"}, 2, ["refuses the token (401): Invalid API key", "[credentials]"]),
                (403, {"message": "Access denied"}, 2, ["refuses the token (403): Access denied", "[credentials]"]),
                (404, {"message": "Not found"}, 3, ["answers 404: Not found", "[network-answer]"]),
                (412, {"status": "plugin-dashboard", "message": "The dashboard belongs to plugin x"}, 3,
                 ["answers 412: The dashboard belongs to plugin x"]),
                (500, {"message": "x" * 5000}, 3, ["answers 500: xxx"]),
                (500, "no JSON\nat all", 3, ["answers 500 ["]),
                (302, "", 3, ["answers 302"]),
                (200, "<html><title>A portal</title></html>", 3, ["[network-answer]"]),
                (200, {"status": "success"}, 3, ["[network-answer]"])):
            with self.subTest(status=status, body=body):
                result, _ = self.push(status, body, code=code,
                                      kind="application/json" if isinstance(body, dict) else "text/html")
                self.assertEqual(result.out, "")
                lines = [line for line in result.err.splitlines() if not line.startswith("  ")]
                self.assertEqual(len(lines), 1, result.err)
                self.assertLess(len(lines[0]), 400)
                for word in words:
                    self.assertIn(word, lines[0])

    def test_certificates(self):
        authority = test_net_http.Authority(self.folder)
        self.write("token", self.TOKEN)
        for name, alternatives, trusted in (("right", "IP:127.0.0.1", True), ("wrong", "DNS:elsewhere.example", True),
                                            ("unknown", "IP:127.0.0.1", False)):
            answer = net_support.answering(lambda *_: (200, b'{"url":"/d/transhume"}',
                                                       {"Content-Type": "application/json"}))
            with self.subTest(name), net_support.ScriptedServer(answer,
                                                                tls=authority.server(name, alternatives)) as server:
                result = self.run_program("grafana", "--push", server.url, "--token-file", "token",
                                          *(["--ca-file", authority.ca] if trusted else []),
                                          code=0 if name == "right" else 3)
                self.assertEqual(len(server.requests), int(name == "right"))  # the token went nowhere else
                self.assertEqual("[tls]" in result.err and "--ca-file" in result.err, name != "right", result.err)

    def test_nobody_is_there(self):
        self.write("token", self.TOKEN)
        result = self.run_program("grafana", "--push", "http://127.0.0.1:1", "--token-file", "token", code=3)
        self.assertIn("[network]", result.err)


@unittest.skipIf(MISSING, "not installed: %s" % ", ".join(MISSING))
class Rules(support.TestCase):
    """Each alert fires where it is to, and none over a healthy run: promtool's own tests of rules, minute by minute."""

    HEALTHY = {
        "active_migrations_count": "1x120", "transhume_phase": "3x120", "transhume_progress_ratio": "0+0.005x120",
        "transhume_remaining_seconds": "36000-60x120",
        "transhume_rows_per_second": "1000x120", "transhume_last_movement_timestamp_seconds": "0+60x120",
        "transhume_waiting_seconds": "0x120",
        'transhume_run_state{state="running"}': "1x120", 'transhume_run_state{state="failed"}': "0x120",
        'transhume_run_state{state="interrupted"}': "0x120",
        'transhume_throttled_seconds{side="target"}': "0x120", 'transhume_rows_total{stage="written"}': "0+60000x120",
        'transhume_rows_total{stage="rejected"}': "0x120",
        'transhume_dead_letters_total{table="t"}': "0x120", 'transhume_retries_total{reason="network"}': "0+1x120",
        'transhume_verify_mismatches{table="t"}': "0x120",
        "process_resident_memory_bytes": "40000000x120", "transhume_memory_limit_bytes": "33554432x120",
        "push_time_seconds": "0+60x120",
        'transhume_anomaly_active{series="rate",detector="cusum"}': "0x120",
        "transhume_end_to_end_lag_seconds": "2x120", "transhume_slot_safe_bytes": "1000000000x120"}
    # What differs from that, from the 60th minute on or all the time; the alert is to be there in the 90th.
    FAULTS = {
        "TranshumeRunFailed": {'transhume_run_state{state="failed"}': "0x60 1x60"},
        "TranshumeInterrupted": {'transhume_run_state{state="interrupted"}': "0x60 1x60"},
        "TranshumeNoHeartbeat": {name: "%sx85 stale" % first for name, first in (
            ("transhume_remaining_seconds", "36000-60"), ("transhume_phase", "3"), ("active_migrations_count", "1"))},
        "TranshumeNoPush": {"push_time_seconds": "0+60x60 3600x60"},
        "TranshumeStalled": {"transhume_last_movement_timestamp_seconds": "0+60x60 3600x60"},
        "TranshumeSlow": {"transhume_rows_per_second": "1000x70 300x50"},
        "TranshumeEndMovesAway": {"transhume_remaining_seconds": "36000-60x60 32400+30x60"},
        "TranshumeThrottled": {'transhume_throttled_seconds{side="target"}': "0x60 0+60x60"},
        "TranshumeMemory": {"process_resident_memory_bytes": "40000000x60 200000000x60"},
        "TranshumeErrorRate": {'transhume_rows_total{stage="rejected"}': "0x60 0+6000x60"},
        "TranshumeRejects": {'transhume_dead_letters_total{table="t"}': "0x60 3x60"},
        "TranshumeRetries": {'transhume_retries_total{reason="network"}': "0x60 0+60x60"},
        "TranshumeMismatches": {'transhume_verify_mismatches{table="t"}': "0x60 3x60"},
        "TranshumeAnomaly": {'transhume_anomaly_active{series="rate",detector="cusum"}': "0x60 1x60"},
        "TranshumeBehind": {"transhume_end_to_end_lag_seconds": "2x60 400x60"},
        "TranshumeFallingBehind": {"transhume_end_to_end_lag_seconds": "2x60 60+30x60"},
        "TranshumeSlotRunsFull": {"transhume_slot_safe_bytes": "1000000000x60 1000000000-10000000x60"}}

    def case(self, faults, alerts):
        series = {re.sub(r"^(\w+)\{?", r'\1{job="j",instance="i",', name) + ("" if "{" in name else "}"): values
                  for name, values in dict(self.HEALTHY, **faults).items()}
        return {"interval": "1m", "input_series": [{"series": name, "values": values}
                                                   for name, values in series.items()],
                "promql_expr_test": [{"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "90m",
                                      "exp_samples": [{"labels": '{alertname="%s"}' % name, "value": 1}
                                                      for name in alerts]}]}

    def promtool(self, *arguments):
        return subprocess.run(["promtool", *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=120).stdout.decode()

    def test_they_are_clean(self):
        self.write("rules.yaml", printed("--rules"))
        self.assertRegex(self.promtool("check", "rules", "rules.yaml"), r"\A\S.*\n +SUCCESS: \d+ rules found\n\s*\Z")

    def test_they_fire(self):
        text = printed("--rules")
        self.write("rules.yaml", text)
        self.assertEqual(sorted(re.findall(r"- alert: (\w+)", text)), sorted(self.FAULTS))
        also = {"TranshumeFallingBehind": ["TranshumeBehind"]}  # what one fault also causes
        cases = [self.case({}, [])] + [self.case(faults, [name] + also.get(name, []))
                                       for name, faults in self.FAULTS.items()]
        self.write("test.yaml", json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}))
        self.assertRegex(self.promtool("test", "rules", "test.yaml"), r"SUCCESS\s*\Z")


# ---------------------------------------------------------------- a real Prometheus

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipIf(MISSING, "not installed: %s" % ", ".join(MISSING))
class Expressions(support.TestCase):
    def get(self, url):
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)

    def is_ready(self, url):
        try:
            with urllib.request.urlopen(url + "/-/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def launch(self, name, *arguments):
        with open(self.path(name + ".log"), "wb") as log:
            process = subprocess.Popen([name, *arguments], stdout=log, stderr=log, cwd=self.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def begin_servers(self):
        ports = [free_port() for _ in range(2)]
        self.prometheus, self.gateway = ("http://127.0.0.1:%d" % port for port in ports)
        self.write("rules.yaml", printed("--rules"))
        self.write("targets.json", "[]")
        self.write("prometheus.yml", """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
- {job_name: push, honor_labels: true, static_configs: [{targets: ['127.0.0.1:%d']}]}
- {job_name: transhume, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}
""" % ports[1])
        self.launch("prometheus-pushgateway", "--web.listen-address=127.0.0.1:%d" % ports[1])
        self.launch("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                    "--web.listen-address=127.0.0.1:%d" % ports[0],
                    "--web.console.templates=.", "--web.console.libraries=.")

    def make_source(self):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT)")
            db.execute("CREATE TABLE u(id INTEGER PRIMARY KEY, v TEXT)")
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "no number" if i % 50 == 0 else "7")
                                                           for i in range(1, 40001)))
            db.executemany("INSERT INTO u VALUES (?, ?)", ((i, "v") for i in range(500)))

    def push_ended_runs(self):
        """A copy that ends well, a validation that finds differences, a copy that fails: of each its last word."""
        for name in ("copied", "failed"):
            self.write(name + ".yaml", PLAN % (name + ".db"))
        self.run_program("migrate", "--include", "u", "source.db", "pushed.db", "--state", "p", "--push-gateway",
                         self.gateway + "/metrics/job/copy/instance/a")
        with sqlite3.connect(self.path("pushed.db")) as db:
            db.execute("DELETE FROM u WHERE id < 3")
        self.run_program("validate", "--include", "u", "source.db", "pushed.db", "--state", "p", "--push-gateway",
                         self.gateway + "/metrics/job/validation/instance/a", code=1)
        self.run_program("migrate", "--plan", "failed.yaml", "--fail-fast", "--state", "f", "--push-gateway",
                         self.gateway + "/metrics/job/failed/instance/a", code=3)

    def begin_run(self):
        """A copy with rejects and a retry, slow enough to be looked at."""
        process = support.start("migrate", "--plan", "copied.yaml", "--state", "c", "--max-rejects", "5000",
                                "--rows-per-second", "1000", "--chunk-rows", "200", "--progress",
                                "none", "--verbose", "--metrics", "0", cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "engine.before_commit:retry:9"})
        self.addCleanup(self.end, process)
        found = None
        while found is None:
            line = process.stderr.readline().decode()
            self.assertNotEqual(line, "", "it ended")
            found = re.search(r"metrics are at http://(\S+)/metrics", line)
        with open(self.path("new.json"), "w", encoding="utf-8") as file:
            json.dump([{"targets": [found.group(1)]}], file)
        os.rename(self.path("new.json"), self.path("targets.json"))
        return process, "http://%s/metrics" % found.group(1)

    def query(self, expression):
        """What it gives now."""
        try:
            answer = self.get("%s/api/v1/query?%s" % (self.prometheus, urllib.parse.urlencode({"query": expression})))
        except urllib.error.HTTPError as error:
            self.fail("%s\n%s" % (expression, error.read().decode()))
        self.assertEqual(answer["status"], "success", expression)
        return answer["data"]["result"]

    def check_data(self, what, expression):
        named = FAMILY.findall(expression)
        result = self.query(plain(expression))
        if not any(LATER.match(name) for name in named):
            self.assertTrue(result, "%s: no data of %s" % (what, plain(expression)))

    def check_dashboard(self):
        dashboard = json.loads(printed())
        count = 0
        for panel in panels_of(dashboard):
            for target in panel["targets"]:
                with self.subTest(panel["title"]):
                    self.check_data(panel["title"], target["expr"])
                    count += 1
        self.assertGreater(count, 40)
        for annotation in dashboard["annotations"]["list"][1:]:
            self.query(plain(annotation["expr"]))
        for variable in dashboard["templating"]["list"]:
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            values = self.get("%s/api/v1/label/%s/values?%s" % (self.prometheus, label,
                                                                urllib.parse.urlencode({"match[]": plain(series)})))[
                                                                    "data"]
            self.assertTrue(values, variable["name"])

    def rules(self):
        return [rule for group in self.get(self.prometheus + "/api/v1/rules")["data"]["groups"]
                for rule in group["rules"]]

    def check_rules(self, exposed):
        rules = self.rules()
        self.assertGreaterEqual(len(rules), 15)
        for rule in rules:
            with self.subTest(rule["name"]):
                self.assertEqual((rule["health"], rule["type"]), ("ok", "alerting"), rule.get("lastError"))
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                self.assertEqual(set(rule["annotations"]), {"summary", "description", "what_to_do"})
                self.query(rule["query"])
                for name in FAMILY.findall(rule["query"]):
                    self.assertTrue(LATER.match(name) or name in exposed or without_end(name) in exposed
                                    or name == "push_time_seconds", name)

    def exposed(self, url):
        """Families of the run and of what was pushed."""
        names = set()
        for place in (url, self.gateway + "/metrics"):
            with urllib.request.urlopen(place, timeout=20) as answer:
                names.update(re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.MULTILINE))
        return names

    def test_every_expression_against_a_real_prometheus(self):
        self.make_source()
        self.begin_servers()
        self.wait_until("the gateway", lambda: self.is_ready(self.gateway))
        self.push_ended_runs()
        self.wait_until("Prometheus", lambda: self.is_ready(self.prometheus))
        process, url = self.begin_run()
        self.wait_until("it was scraped some times",
                        lambda: self.query(
                            "count_over_time(transhume_chunk_duration_seconds_count{job='transhume'}[1m]) >= 4") and
                        self.query("rate(migration_errors_total{job='transhume'}[30s]) > 0"))
        self.assertIsNone(process.poll())
        self.check_dashboard()
        self.assertIsNone(process.poll(), "it ended while it was looked at")
        self.check_rules(self.exposed(url))
        self.wait_until("alerts", lambda: {"TranshumeRunFailed",
                                           "TranshumeMismatches"} <= {r["name"] for r in self.rules()
                                                                      if r["state"] == "firing"})
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)


if __name__ == "__main__":
    unittest.main()
