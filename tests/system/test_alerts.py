"""Who is told of trouble: Alertmanager, webhooks, commands, e-mail; and that nobody of them delays the run."""
import email
import http.client
import http.server
import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
import time
import unittest

import support
from test_observing import address_of_metrics, scrape


class Webhook:
    """A server that keeps what is posted to it; `delay` seconds until it answers, with `status`."""

    def __init__(self, status=200, delay=0):
        self.posts = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((self.path, json.loads(body)))
                time.sleep(delay)
                try:
                    self.send_response(status)
                    self.end_headers()
                    self.wfile.write(b"no such channel" if status != 200 else b"ok")
                except OSError:
                    pass  # it does not wait any more

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Alerts(support.TestCase):
    def webhook(self, **options):
        made = Webhook(**options)
        self.addCleanup(made.close)
        return made

    def script(self, name, text):
        path = self.path(name)
        self.write(name, "#!/bin/sh\n" + text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def make_source(self, rows=500):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            db.executemany("INSERT INTO t VALUES (?, ?)", ((i, "v") for i in range(rows)))

    def make_failing(self):
        """A run that ends with 3."""
        self.write("in.csv", "id,n\n1,5\n2,x\n")
        self.write("plan.yaml",
                   "transhume: 1\nsource: in.csv\ntarget: target.db\ntables:\n  t:\n    key: id\n    columns: { id: { "
                   "type: integer }, n: { type: integer } }\n"
                                "    from: in\n    fields: { '*': copy }\n")

    @staticmethod
    def locks(db):
        """Between two transactions of the run, which it begins without delay."""
        for _ in range(2000):
            try:
                db.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError:
                pass
        return False

    # ---- a test of them

    def test_each_way_is_tried(self):
        hook = self.webhook()
        refusing = self.webhook(status=404)
        command = self.script("tell", 'cat > "$1"\n')
        sendmail = self.script("sendmail", "cat > mail.txt\n")
        slow = self.script("slow", "sleep 60\n")
        self.write("alerts.yaml", json.dumps({"alerts": {
            "manager": {"alertmanager": hook.url + "/prefix/"},
            "chat": {"webhook": "$CHAT_URL"},
            "gone": {"webhook": refusing.url + "/services/T0SECRET/B0"},
            "script": {"command": [command, "told.json"]},
            "slow": {"command": slow, "timeout": "1s"},
            "mail": {"email": "dba@example.com", "sendmail": [sendmail]}}}))
        result = self.run_program("alerts", "test", "--alerts", "alerts.yaml", "--allow-commands", code=3,
                                  env={"CHAT_URL": hook.url + "/services/T1SECRET/B1"})
        lines = dict(line.split(": ", 1) for line in result.out.splitlines())
        self.assertEqual(sorted(lines), ["chat", "gone", "mail", "manager", "script", "slow"])
        for name in ("manager", "chat", "script", "mail"):
            self.assertIn(": sent (", lines[name])
        self.assertIn("it answers 404: no such channel", lines["gone"])
        self.assertIn("did not end in time (1.", lines["slow"])
        self.assertNotIn("SECRET", result.out + result.err)
        self.assertEqual([path for path, _ in hook.posts], ["/prefix/api/v2/alerts", "/services/T1SECRET/B1"])
        told = hook.posts[0][1][0]
        self.assertEqual((told["labels"]["job"], told["labels"]["severity"]), ("transhume", "info"))
        for message in (hook.posts[1][1], json.loads(self.read("told.json"))):
            self.assertIn("this is a test", message["text"])
            self.assertEqual([alert["code"] for alert in message["alerts"]], ["test"])
        mail = email.message_from_string(self.read("mail.txt"))
        self.assertEqual(mail["To"], "dba@example.com")
        self.assertIn("[transhume]", mail["Subject"])
        self.assertIn("this is a test", mail.get_payload())

    def test_faults_of_the_file_are_told(self):
        for text, part in (("alerts: { a: { webhook: nonsense } }", "no URL"),
                           ("alerts: { a: { wehbook: x } }", "did you mean 'webhook'"),
                           ("alerts: { a: { email: x, webhook: 'http://y/' } }", "has one of"),
                           ("alerts: { a: { webhook: $NOT_THERE } }", "no variable 'NOT_THERE'"),
                           ("alerts: { a: { email: x, events: [anomalies] } }", "no kind of event"),
                           ("alerts: { a: { email: x, repeat: often } }", "no time"),
                           ("alerts: { a: { email: x, timeout: 2m } }", "up to a minute"),
                           ("alerts: { a: { webhook: 'http://y/', timeout: 0s } }", "no message"),
                           ("alerts: { a: { email: '' } }", "no address"),
                           ('alerts: { a: { email: "x@y\\nBcc: z@y" } }', "no address"),
                           ("alerts: { a: { email: x, severity: dire } }", "severity"), ("other: 1", "no key")):
            self.write("alerts.yaml", text + "\n")
            result = self.run_program("alerts", "test", "--alerts", "alerts.yaml", code=2)
            self.assertIn(part, result.err, text)
        for where in ("mailto:", "mailto:x@y\nBcc: z@y", "http://user:word@y/", " "):
            self.run_program("migrate", "none.db", "target.db", "--notify", where, code=2)
        self.run_program("alerts", "test", code=2)
        self.run_program("alerts", "test", "--alerts", "none.yaml", code=2)
        self.run_program("alerts", "other", code=2)

    # ---- runs

    def test_a_failed_run_is_told(self):
        hook = self.webhook()
        self.make_failing()
        self.write("plan.yaml", self.read("plan.yaml")
                   + "alerts:\n  chat: { webhook: '%s/services/T2SECRET', group: 1s }\n" % hook.url)
        result = self.run_program("migrate", "--plan", "plan.yaml", "--fail-fast", "--verbose", code=3)
        told = [alert for _, message in hook.posts for alert in message["alerts"]]
        self.assertIn(("run", "failed", "error", "firing"), [(a["kind"], a["code"], a["severity"], a["status"])
                                                             for a in told])
        self.assertNotIn("T2SECRET", result.out + result.err + self.read(".transhume/transhume.log")
                         + self.read(".transhume/plan.yaml"))

    def test_notify_tells_the_end(self):
        hook = self.webhook()
        self.make_source()
        self.run_program("migrate", "source.db", "target.db", "--notify", hook.url + "/x")
        self.assertEqual(len(hook.posts), 1)
        text = hook.posts[0][1]["text"]
        self.assertRegex(text, r"run \S+: completed after .*: 500 records written, 0 rejected")
        command = self.script("tell", "cat > told.json\n")
        self.run_program("migrate", "source.db", "second.db", "--state", "second", "--notify", command)
        self.assertIn("completed", self.read("told.json"))

    def test_receivers_that_are_gone_or_slow_do_not_delay(self):
        slow = self.webhook(delay=3)
        self.make_source(20000)
        self.write("alerts.yaml", json.dumps({"alerts": {
            "slow": {"webhook": slow.url + "/", "events": ["run", "phase", "retry"], "severity": "info", "group": "1ms",
                     "timeout": "2s"},
            "gone": {"alertmanager": "http://127.0.0.1:1", "severity": "info", "group": "1ms"}}}))
        result = self.run_program("migrate", "source.db", "target.db", "--alerts", "alerts.yaml", "--verbose")
        self.assertLess(result.seconds, 15 * support.PATIENCE)
        self.assertEqual(result.err.count("alerts do not reach gone"), 1)

    def test_a_stall_is_found_told_and_over(self):
        """By one definition of a stall for alerts, metrics, events and readiness; --stall makes it a short one."""
        hook = self.webhook()
        self.make_source(32000)
        self.write("alerts.yaml", json.dumps({"alerts": {"chat": {"webhook": hook.url + "/", "events": "anomaly",
                                                                  "group": "1ms"}}}))
        process = support.start("migrate", "source.db", "target.db", "--rows-per-second", "4000", "--chunk-rows", "500",
                                "--progress", "none", "--stall", "3s",
                                "--alerts", "alerts.yaml", "--metrics-file", "out.prom", "--verbose", "--metrics", "0",
                                cwd=self.folder)
        self.addCleanup(lambda: process.poll() is not None or process.kill())
        url = address_of_metrics(process)
        self.wait_until("it moves", lambda: os.path.exists(self.path(".transhume/events.jsonl"))
                        and self.read(".transhume/events.jsonl").count('"chunk"') > 16, 30)
        self.assertEqual(scrape(url + "/readyz")[0], 200)
        with sqlite3.connect(self.path("target.db"), timeout=0, isolation_level=None) as db:
            self.wait_until("the lock", lambda: self.locks(db))
            self.wait_until("the alert", lambda: hook.posts, 45)
            self.assertEqual(scrape(url + "/readyz"), (503, "text/plain; charset=utf-8",
                                                       "nothing moves: progress.stall\n"))
            self.wait_until("the metric",
                            lambda: 'transhume_anomaly_active{series="progress",detector="stall"} 1' in self.read(
                                "out.prom"))
            db.execute("ROLLBACK")
        self.wait_until("it is ready again", lambda: scrape(url + "/readyz")[0] == 200)
        self.assert_code(support.finish(process), 0)
        told = [alert for _, message in hook.posts for alert in message["alerts"]]
        self.assertEqual([(a["code"], a["status"]) for a in told],
                         [("progress.stall", "firing"), ("progress.stall", "resolved")])
        self.assertTrue(told[0]["hint"])
        events = [json.loads(line) for line in self.read(".transhume/events.jsonl").splitlines()]
        self.assertEqual([(e["code"], e["state"], e["level"]) for e in events if e["kind"] == "anomaly"],
                         [("progress.stall", "began", "warning"), ("progress.stall", "ended", "info")])

    @unittest.skipUnless(shutil.which("prometheus-alertmanager"), "no prometheus-alertmanager is installed")
    def test_alertmanager(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.write("am.yaml", "route: { receiver: none }\nreceivers: [ { name: none } ]\n")
        with open(self.path("am.log"), "wb") as log:
            server = subprocess.Popen(["prometheus-alertmanager", "--config.file=am.yaml", "--storage.path=am",
                                       "--cluster.listen-address=",
                                       "--web.listen-address=127.0.0.1:%d" % port], cwd=self.folder, stdout=log,
                                      stderr=log)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def ask(path):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except OSError:
                return 0, b""
            finally:
                connection.close()
        self.wait_until("Alertmanager", lambda: ask("/-/ready")[0] == 200)
        self.make_failing()
        self.write("alerts.yaml", "alerts:\n  am: { alertmanager: 'http://127.0.0.1:%d', group: 1ms }\n" % port)
        self.run_program("migrate", "--plan", "plan.yaml", "--fail-fast", "--alerts", "alerts.yaml", code=3)
        alerts = json.loads(ask("/api/v2/alerts")[1])
        self.assertIn(("run failed", "error"), [(alert["labels"]["alertname"], alert["labels"]["severity"])
                                                for alert in alerts])


if __name__ == "__main__":
    unittest.main()
