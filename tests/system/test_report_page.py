"""The report's page in a browser: narrow, on paper, in the dark; and hostile data in it."""
import json
import os
import random
import re
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import browser
import servers
import support
from fault_proxy import FaultProxy
from test_report import Page, ReportCase

# What somebody may put into names and values to get out of the place that the report gives them.
ATTACKS = [
    "<script>document.title='owned'</script>",
    "</style><script>document.title='owned'</script>",
    "</title></head><img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "' onmouseover='document.title=1' x='",
    "--></pre></details><iframe src=javascript:alert(1)></iframe>",
    "<!--", "]]>", "&lt;b&gt;", "&#60;script&#62;",
    "| [x](javascript:alert(1)) | ![i](http://evil.example/i.png) <b>bold</b>",
    "`` ``` ~~~ \\", "http://evil.example/ www.evil.example a@evil.example",
    "\u202egnp.exe", "\u2028\u2029\u0085", "\x07bell\x1b[31m", "{{7*7}} ${7*7} <%= 7 %>",
    "\"},\"verdict\":\"forged\",\"x\":{\"", "\\u003cscript\\u003e", "a" * 5000, "",
]


def hostile_database(path):
    """Tables and columns named, and rejected records filled, with the attacks."""
    script = ["CREATE TABLE bait(id INTEGER PRIMARY KEY, mail TEXT, v TEXT);"]
    for number, text in enumerate(ATTACKS):
        quoted = text.replace("'", "''")
        script.append("INSERT INTO bait VALUES (%d, NULL, '%s');" % (number, quoted.replace("\0", "")))
        if text and len(text) < 200:
            name = support.quoted("t%d %s" % (number, text))
            script.append("CREATE TABLE %s(%s TEXT); INSERT INTO %s VALUES ('%s');"
                          % (name, support.quoted(text), name, quoted))
    script.append("INSERT INTO bait VALUES (900, NULL, CAST(x'ff3c7363726970743eff' AS TEXT));")
    return support.make_sqlite(path, "\n".join(script))


PLAN = """transhume: 1   # </pre><script>document.title='owned'</script> ```
source: "sqlite:<script>document.title=1<|script>.db"
target: "dynamodb-json:out<img src=x onerror=alert(1)>"
tables:
  bait: { key: { partition: M }, entities: { "<b>&amp;</b>": { from: bait, fields: { M: "{mail}", "*": copy } } } }
"""


def tags_of(page):
    return {tag for tag, _ in page.elements}


class Hostile(ReportCase):
    def setUp(self):
        super().setUp()
        hostile_database(self.path("<script>document.title=1<|script>.db"))
        self.write("plan.yaml", PLAN)

    def check(self, folder):
        """Only elements and attributes that the report itself makes; every attack is there as text."""
        text = self.read(folder, "report.html")
        page = Page(text)
        self.assertFalse(tags_of(page) & {"script", "img", "iframe", "object", "link", "base", "form", "a"},
                         tags_of(page))
        for tag, attributes in page.elements:
            self.assertLessEqual(set(attributes), {
                "lang", "charset", "http-equiv", "content", "name", "class", "id", "scope", "style", "role", "d",
                "viewbox", "preserveaspectratio", "x", "y", "width", "height", "open", "aria-label",
                "aria-labelledby"}, (tag, attributes))
        self.assertNotIn("\u202e", text)
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f]")
        return page

    def test_records_in_samples(self):
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "st", code=1)
        page = self.check("st")
        report = self.report("st")
        self.assertEqual(report["verdict"], "done, with rejects")
        self.assertEqual(report["rejects"]["read"], len(ATTACKS) + 1)
        # Three of a kind are shown; each attack has its turn as the first.
        path = self.path("st", "rejects")
        name, = os.listdir(path)
        lines = self.read("st", "rejects", name).split("\n")
        for number, attack in enumerate(ATTACKS):
            with self.subTest(attack=attack[:40]):
                with open(os.path.join(path, name), "w", encoding="utf-8") as file:
                    file.write(lines[number] + "\n")
                self.run_program("report", "--state", "st")
                page = self.check("st")
                shown = self.report("st")["rejects"]["samples"][0]["record_text"]
                self.assertIn(shown.split("\ufffd")[0], "".join(page.texts))
                record = lines[number][lines[number].index('"record":') + len('"record":'):-1]
                self.assertTrue(record.startswith(shown.split("\ufffd")[0]), (record[:100], shown[:100]))
        self.assertIn("</pre><script>document.title='owned'</script>", page.text)
        markdown = self.read("st", "report.md")
        outside = re.sub(r"^(`{3,})\w*\n.*?\n\1$", "", markdown, flags=re.MULTILINE | re.DOTALL)
        self.assertIn("| source | target |" if "Validation" in outside else "## Plan", outside)
        self.assertNotIn("<script", outside)
        self.assertNotIn("](", outside)

    def test_names(self):
        source = "<script>document.title=1<|script>.db"
        result = support.transhume("migrate", "--state", "st", "--no-express", "sqlite:" + source, "out.db",
                                   cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        page = self.check("st")
        for number, attack in enumerate(ATTACKS):
            if 0 < len(attack) < 200 and not any(ord(c) < 32 or ord(c) in (0x85, 0x202e, 0x2028, 0x2029)
                                                 for c in attack):
                self.assertIn("t%d %s" % (number, " ".join(attack.split())), page.text)

    def test_errors_and_validation(self):
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "st", code=1)
        state = json.loads(self.read("st", "state.json"))
        state["errors"] = [{"at": attack, "code": attack, "message": attack} for attack in ATTACKS[:5]]
        for name in ("source", "target", "run", "version", "guarantee", "started_at", "ended_at", "snapshot", "kind"):
            state[name] = ATTACKS[1] + name
        state["settings"] = {attack: attack for attack in ATTACKS}
        state["attempts"] = [{"at": attack, "end": attack, "epoch": 1} for attack in ATTACKS[:4]]
        self.write(os.path.join("st", "state.json"), json.dumps(state))
        self.write(os.path.join("st", "validation.json"), json.dumps({
            "ok": False, "level": ATTACKS[2], "entities": [{"name": attack, "source": attack} for attack in ATTACKS],
            "records": [{attack: {attack: attack}} for attack in ATTACKS]}))
        self.run_program("report", "--state", "st")
        page = self.check("st")
        for attack in ATTACKS[:10]:
            self.assertIn(" ".join(attack.split()), page.text)
        self.assertEqual(self.report("st")["errors"][0]["message"], ATTACKS[0])
        self.assertEqual(self.report("st")["verdict"], "done, but differs")
        self.browse("st")

    def browse(self, folder):
        if not browser.find():
            self.skipTest("no Chromium: apt-get install chromium")
        window = browser.Browser()
        self.addCleanup(window.close)
        for width in (390, 1280):
            window.look(self.path(folder, "report.html"), width)
            self.assertEqual(window.complaints(), [])
            self.assertIn(": done, but differs", window.ask("document.title"))  # a script would have changed it
            self.assertEqual(window.ask("document.scripts.length"), 0)
            self.assertLessEqual(window.ask("document.documentElement.scrollWidth"), width)


def big_state(folder, tables, chunks_a_table, seed):
    """A state folder as a big run leaves it."""
    chance = random.Random(seed)
    os.makedirs(os.path.join(folder, "rejects"), mode=0o700)

    def put(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    run = "20260131T235959Z-0a1b2c"
    state = {"format": 1, "run": run, "kind": "copy", "status": "completed", "phase": "completed",
             "source": "postgres://dba@db.example/warehouse", "target": "dynamodb://eu-west-1",
             "guarantee": "idempotent", "snapshot": "one", "version": "0.1.0", "resumable": True,
             "started_at": "2026-01-31T23:59:59.000Z", "updated_at": "2026-02-01T07:59:59.000Z",
             "ended_at": "2026-02-01T07:59:59.000Z", "errors": [], "attempts": [{"epoch": 1, "end": "completed"}],
             "settings": {"jobs": 8, "memory": 33554432}, "tables": {}}
    lines, number = [], 0
    for i in range(tables):
        name = "warehouse_%04d_%s" % (i, "movements" * (i % 3 + 1))
        written = chance.randrange(10 ** 9)
        state["tables"][name] = {"status": "completed", "entities": {name: {
            "total": written, "migrated": written, "read": written, "made": written, "rejected": 0, "skipped": 0,
            "filtered": 0, "bytes": written * 60, "stream": name}}}
        for _ in range(chunks_a_table):
            number += 1
            lines.append(json.dumps({"chunk": number, "attempt": chance.choice([1] * 30 + [2, 103]),
                                     "seconds": round(chance.expovariate(0.2), 3), "read": 65536, "written": 65536,
                                     "rejected": int(chance.random() < 0.01), "skipped": 0, "bytes": 4 << 20}))
    header = {"format": 1, "run": run, "streams": [{"name": n, "chunks": chunks_a_table} for n in state["tables"]]}
    put("state.json", json.dumps(state))
    put("chunks.jsonl", "\n".join([json.dumps(header)] + lines) + "\n")
    put("metrics.jsonl", "".join(json.dumps({
        "at": 1769903999000 + 28000 * i, "attempt": 1 + i // 700, "phase": "copy", "read": 0, "written": 5000000 * i,
        "rejected": 0, "skipped": 0, "bytes": 300000000 * i, "chunks": i, "retries": i // 10, "throttled": i // 5})
                                 + "\n"
        for i in range(1024)))
    put("run.json", json.dumps({"format": 1, "run": run, "kind": "copy", "begun": True, "finished": True}))


class Big(ReportCase):
    def test_two_thousand_tables_and_ten_thousand_chunks(self):
        big_state(self.path(".transhume"), 2000, 5, support.SEED)
        result = self.run_program("report")
        self.assertLess(result.seconds, 5 * support.PATIENCE)
        self.assertLess(os.path.getsize(self.path(".transhume", "report.html")), 2 << 20)
        report, page = self.report(), self.page()
        self.assertEqual(report["chunks"]["total"], 10000)
        self.assertEqual(len(report["entities"]), 2000)
        self.assertIn("A cell stands for 9 chunks.", page.text)
        self.assertLessEqual(sum(tag == "rect" for tag, _ in page.elements), 1200)
        slowest = [c["seconds"] for c in report["chunks"]["slowest"]]
        with open(self.path(".transhume", "chunks.jsonl"), encoding="utf-8") as file:
            all_seconds = sorted((json.loads(line)["seconds"] for line in list(file)[1:]), reverse=True)
        self.assertEqual(slowest, all_seconds[:len(slowest)])

    def test_very_many_rejects(self):
        big_state(self.path(".transhume"), 1, 1, support.SEED)
        line = json.dumps({"format": 1, "entity": "e", "table": "t", "key": {"id": 1}, "code": "key-null",
                           "reason": "no", "record": {"v": "x" * 1000}}) + "\n"
        with open(self.path(".transhume", "rejects", "1-1.jsonl"), "w", encoding="utf-8") as file:
            for _ in range(50000):
                file.write(line)
            file.write('{"code":"a line that is cut off","record":{"v":"' + "y" * (1 << 20))
        result = self.run_program("report")
        self.assertLess(result.seconds, 20 * support.PATIENCE)
        report = self.report()
        self.assertFalse(report["rejects"]["whole"])
        self.assertGreater(report["rejects"]["read"], 10000)
        self.assertIn("Told apart here are the first", self.page().text)


@unittest.skipUnless(browser.find(), "no Chromium: apt-get install chromium")
class Window(ReportCase):
    """As people see it."""

    @classmethod
    def setUpClass(cls):
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def make_folders(self):
        self.shop()
        support.make_sqlite(self.path("shop.db"), "UPDATE customer SET mail = NULL WHERE id % 4 = 0;")
        self.run_program("migrate", "--state", "one", "--chunk-rows", "20", "--no-express", "shop.db", "copy.db")
        self.run_program("migrate", "--state", "two", "--no-express", "--jobs", "1", "--chunk-rows", "10", "shop.db",
                         "two.db",
                         code=3, env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:9"})
        self.write("plan.yaml", """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  people: { key: { partition: Mail }, entities: { customer: { from: customer, fields: { Mail: "{mail}", "*": copy } } } }
""")
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "rejects", code=1)
        big_state(self.path("big"), 300, 7, support.SEED)
        self.run_program("report", "--state", "big")
        return ["one", "two", "rejects", "big"]

    def test_each_width_and_paper(self):
        for folder in self.make_folders():
            path = self.path(folder, "report.html")
            for width, dark in ((320, False), (390, False), (390, True), (768, False), (1280, True), (1920, False)):
                with self.subTest(folder=folder, width=width, dark=dark):
                    self.browser.look(path, width, dark=dark)
                    self.assertEqual(self.browser.complaints(), [])
                    self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), width)
                    outside = self.browser.ask(
                        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > "
                        "innerWidth + 1 && !e.closest('.wide') && !e.closest('svg')).map(e => "
                        "e.outerHTML.slice(0, 80))")
                    self.assertEqual(outside, [])
                    light = self.browser.ask(
                        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, "
                        "3).map(Number).reduce((a, b) => a + b)")
                    self.assertEqual(light > 384, not dark)
            pdf = self.browser.paper()
            self.assertTrue(pdf.startswith(b"%PDF-"))
            self.assertEqual(self.browser.ask("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
            self.assertGreater(pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page "), 0)

    def test_nothing_is_cut_on_paper(self):
        # What is printed on A4, between the margins of Page.printToPDF: nothing is wider, and what may not be broken is
        # no taller.
        width, height = (int(96 * (inches - 0.8)) for inches in (8.27, 11.69))
        for folder in self.make_folders():
            with self.subTest(folder=folder):
                self.browser.look(self.path(folder, "report.html"), width, height)
                self.browser.ask("[...document.querySelectorAll('details')].forEach(e => e.open = true)")
                self.browser.paper()
                self.assertGreater(self.browser.ask("document.querySelectorAll('table, .map').length"), 1)
                for what, holds in (("wider", "r.right > %d" % (width + 1)), ("left of it", "r.left < -1"),
                                    ("taller", "getComputedStyle(e).breakInside == 'avoid' && r.height > %d" % height)):
                    cut = self.browser.ask(
                        "[...document.querySelectorAll('main *, header *, footer *')].filter(e => { const r = "
                        "e.getBoundingClientRect(); "
                        "return r.width > 0 && %s; }).map(e => e.outerHTML.slice(0, 120))" % holds)
                    self.assertEqual(cut[:5], [], what)
                hidden = self.browser.ask(
                    "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 && "
                    "getComputedStyle(e).overflowX != 'visible' && getComputedStyle(e).display != 'inline').map(e => "
                    "e.outerHTML.slice(0, 120))")
                self.assertEqual(hidden[:5], [])

    def test_contrast(self):
        # Of every text to what is behind it, as WCAG 2 counts it: at least 4.5 to 1.
        contrast = """(() => {
            const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
            const parse = s => (s.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
            const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
                if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
            const low = [];
            for (const e of document.querySelectorAll('body *')) {
                if (e.closest('svg') || ![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
                const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (ratio < 4.5) low.push(e.outerHTML.slice(0, 80) + ' ' + ratio.toFixed(2));
            }
            return low; })()"""
        for folder in self.make_folders()[:3]:
            for dark in (False, True):
                self.browser.look(self.path(folder, "report.html"), 1280, dark=dark)
                self.assertEqual(self.browser.ask(contrast), [])

    def throttled_run(self):
        """
        One that fails, is resumed, and is asked to slow down twice before and three times after that; a chunk is tried
        again, a table is slow.
        """
        server = servers.start("dynalite")
        self.addCleanup(server.stop)
        self.shop()
        env = servers.aws_environment(self.folder)
        where = ["--jobs", "1", "--chunk-rows", "20", "--include", "customer", "--include", "invoice"]
        with FaultProxy(server.endpoint, seed=support.SEED) as proxy:
            arguments = [*where, "shop.db", "dynamodb://us-east-1?endpoint=" + proxy.endpoint]
            proxy.add("throttle", operation="BatchWriteItem", first=2, every=2, count=2)
            self.run_program("migrate", *arguments, code=3,
                             env=dict(env, TRANSHUME_FAILPOINT="engine.before_commit:error:3"))
            self.assertEqual(proxy.hits["throttle"], 2)
            proxy.add("throttle", operation="BatchWriteItem", every=2, count=3)
            proxy.add("slow", operation="BatchWriteItem", table="invoice", before=0.25)
            self.run_program("resume", "--jobs", "1", "--batch-rows", "25",
                             env=dict(env, TRANSHUME_FAILPOINT="engine.before_commit:retry:2"))
            self.assertEqual(proxy.hits["throttle"], 5)
            self.assertGreater(proxy.hits["slow"], 2)

    SECTIONS = """(() => {
        const text = e => e.textContent.replace(/\\s+/g, ' ').trim(), all = (e, s) => [...e.querySelectorAll(s)];
        const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.right, r.width, r.height]; };
        const rows = e => all(e, 'tbody tr').map(r => all(r, 'th, td').map(text));
        const found = {};
        for (const s of document.querySelectorAll('section[aria-labelledby]'))
            found[text(document.getElementById(s.getAttribute('aria-labelledby')))] = {
                box: box(s), rows: rows(s),
                facts: Object.fromEntries(all(s, 'dl.facts > div').map(d => [text(d.querySelector('dt')), text(d.querySelector('dd'))])),
                charts: all(s, 'figure').map(f => ({title: text(f.querySelector('figcaption')), label: f.querySelector('svg').ariaLabel,
                    box: box(f.querySelector('svg')), area: f.querySelector('path.area').getAttribute('d'), resumed: all(f, 'path.resumed').length,
                    y: all(f, '.y span').map(text), x: all(f, '.x span').map(text)})),
                bars: all(s, 'ol.bars li').map(l => [text(l.querySelector('.name')), text(l.querySelector('.value')), box(l.querySelector('.bar'))[2]])};
        return found; })()"""

    @staticmethod
    def seconds(text):
        """Of "96 ms" and "1.3s"."""
        number, unit = re.fullmatch(r"([\d.]+) ?(ms|s)", text).groups()
        return float(number) / (1000 if unit == "ms" else 1)

    def assert_chart(self, report, section):
        samples = report["throughput"]
        pairs = [(a, b) for a, b in zip(samples, samples[1:]) if a["attempt"] == b["attempt"]]
        took = sum(b["at"] - a["at"] for a, b in pairs) / 1000
        # what a chunk wrote that failed is drawn where it was written, and again where it was written again
        records = sum(max(0, b["written"] - a["written"]) for a, b in pairs)
        self.assertGreaterEqual(records, 160)
        self.assertEqual([c["title"] for c in section["charts"]], ["Records a second", "Bytes a second"])
        for chart in section["charts"]:
            self.assertEqual((chart["x"][0], chart["y"][2], chart["resumed"]), ("0", "0", 1))
            self.assertAlmostEqual(self.seconds(chart["x"][2]), took, delta=0.06)
            self.assertEqual(chart["label"], "%s over %s" % (chart["title"], chart["x"][2]))
        most = int(section["charts"][0]["y"][0].replace(",", "").replace("/s", ""))
        heights = [100 - float(v) for v in re.findall(r"V([\d.]+)H", section["charts"][0]["area"])]
        self.assertEqual(len(heights), 160)
        self.assertLessEqual(max(heights), 100)
        self.assertGreater(max(heights), 19)
        drawn = sum(heights) / 100 * most * took / len(heights)
        self.assertAlmostEqual(drawn, records, delta=0.001 * most * took)

    def assert_slowest(self, report, section):
        streams = sorted(report["chunks"]["streams"], key=lambda s: -s["seconds"])
        self.assertEqual([bar[0] for bar in section["bars"]], ["invoice", "customer"])
        self.assertEqual([stream["name"] for stream in streams], ["invoice", "customer"])
        written = {"invoice": 120, "customer": 40}
        for (name, value, width), stream in zip(section["bars"], streams):
            took, rate = value.split(", ", 1)
            self.assertAlmostEqual(self.seconds(took), stream["seconds"], delta=0.06)
            self.assertAlmostEqual(float(re.fullmatch(r"([\d.,]+) records/s", rate).group(1).replace(",", "")),
                                   written[name] / stream["seconds"], delta=1)
            self.assertAlmostEqual(width / section["bars"][0][2], stream["seconds"] / streams[0]["seconds"], delta=0.01)
        self.assertGreater(streams[0]["seconds"], 0.25)
        chunks = report["chunks"]["slowest"]
        self.assertEqual([(row[0].split(" of ")[0], row[2], row[3]) for row in section["rows"]],
                         [(str(c["chunk"]), str(c["written"]), str(c["tries"])) for c in chunks])
        # those in its writer's hands go with it
        self.assertGreater(sum(int(row[3]) for row in section["rows"]), len(chunks))
        for row, chunk in zip(section["rows"], chunks):
            self.assertAlmostEqual(self.seconds(row[1]), chunk["seconds"], delta=0.06)

    def assert_attempts(self, report, section):
        facts = section["facts"]
        self.assertEqual((facts["Attempts"], facts["Asked to slow down, in all"]), ("2", "5 times"))
        self.assertEqual(facts["Calls tried again"], str(report["retries"]))
        self.assertEqual(report["retries"], 1)  # of chunks: what is asked to slow down is counted as that
        self.assertEqual((report["throttled"], report["target_use"]["throttled_times"]), (5, 3))
        units = report["target_use"]["capacity_units"]
        self.assertEqual(facts["Target asked to slow down in the last attempt"],
                         "3 times" + (", %.1f capacity units used" % units if units else ""))
        self.assertEqual(facts["Source asked to slow down in the last attempt"], "0 times")
        self.assertEqual([(row[0], row[2]) for row in section["rows"]], [("1", "failed"), ("2", "completed")])
        self.assertEqual([row[3:] for row in section["rows"]], [["–", "not encrypted (loopback)"]] * 2)

    def assert_settings(self, report, section):
        facts = section["facts"]
        self.assertEqual(facts["transhume"], report["version"])
        self.assertIn(report["version"], self.run_program("version").out)
        self.assertEqual((facts["jobs"], facts["batch_rows"], facts["include"]), ("1", "25", '["customer","invoice"]'))
        kept = {name for name, value in report["settings"].items() if value is not None and value != []}
        self.assertEqual(facts["Target"], "not encrypted (loopback)")
        self.assertEqual(set(facts), kept | {"transhume", "Target"})
        for name in kept:
            if isinstance(report["settings"][name], (bool, str)):
                self.assertEqual(facts[name], json.dumps(report["settings"][name]).strip('"'), name)
        self.assertEqual((facts["memory"], facts["timeout"]), ("32.0 MiB", "30s"))

    def test_sections_of_a_throttled_run(self):
        """The numbers of the page are those of report.json, and what the servers were made to do."""
        self.throttled_run()
        report = self.report()
        for width in (390, 1280):
            with self.subTest(width=width):
                self.browser.look(self.path(".transhume", "report.html"), width)
                self.assertEqual(self.browser.complaints(), [])
                self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), width)
                sections = self.browser.ask(self.SECTIONS)
                for title, look in (("Throughput", self.assert_chart), ("What took longest", self.assert_slowest),
                                    ("Attempts, retries, throttling", self.assert_attempts),
                                    ("Version and settings", self.assert_settings)):
                    look(report, sections[title])
                    left, right, across, height = sections[title]["box"]
                    self.assertTrue(0 <= left < right <= width and height > 20, sections[title]["box"])
                    for chart in sections[title]["charts"]:
                        self.assertTrue(chart["box"][1] <= width and chart["box"][2] > across / 2
                                        and chart["box"][3] > 40, chart)

    def test_for_those_who_listen(self):
        self.make_folders()
        self.browser.look(self.path("rejects", "report.html"), 1280)
        ask = self.browser.ask
        self.assertEqual(ask("document.documentElement.lang"), "en")
        self.assertEqual(ask("document.querySelectorAll('main').length"), 1)
        self.assertEqual(ask("document.querySelectorAll('h1').length"), 1)
        self.assertEqual(ask("[...document.querySelectorAll('svg')].filter(e => !e.getAttribute('aria-label')).length"),
                         0)
        self.assertEqual(ask("[...document.querySelectorAll('table')].filter(t => !t.querySelector('thead "
                             "th[scope=col]')).length"), 0)
        self.assertEqual(ask("[...document.querySelectorAll('section')].filter(s => !s.ariaLabel && "
                             "!document.getElementById(s.getAttribute('aria-labelledby'))).length"), 0)
        self.assertEqual(ask("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size == "
                             "document.querySelectorAll('[id]').length"), True)


if __name__ == "__main__":
    unittest.main()
