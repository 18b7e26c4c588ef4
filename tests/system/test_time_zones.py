"""Times without a zone that go into columns of instants: --time-zone, from every kind of source into every kind of such
a column.

What clocks show is told by Python's zoneinfo, and what arrived by each server's own client.
"""
import datetime
import json
import os
import random
import sys
import unittest
import zoneinfo

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "servers"))
import mariadb
import postgres
import support

UTC = datetime.timezone.utc
ZONES = ["Europe/Paris", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
         "Asia/Kolkata", "Europe/Dublin",
         "Pacific/Apia", "Antarctica/Troll", "America/Sao_Paulo", "Asia/Tehran", "Africa/Monrovia", "America/Nuuk",
         "UTC"]
OFFSETS = {"+05:30": 330, "-0330": -210, "+14": 840, "Z": 0}
YEARS = (1850, 1911, 1945, 1996, 2011, 2024, 2037, 2038, 2060, 2401, 9998)
SOURCES = ("sqlite", "postgres", "mysql", "csv", "jsonl", "dynamodb-json")
TARGETS = ("postgres", "mysql")
COLUMN = {"postgres": "timestamptz", "mysql": "timestamp(6) NULL"}
DOCUMENTS = """
transhume: 1
source: none
target: none
tables:
  t: { key: [id], from: t, fields: { id: { column: id, cast: int64 }, at: { column: at, cast: text } } }
"""


def zone_of(name):
    if name in OFFSETS:
        return datetime.timezone(datetime.timedelta(minutes=OFFSETS[name]))
    return zoneinfo.ZoneInfo(name)


def instants(zone, wall):
    """When the zone's clocks show it, in order."""
    found = set()
    for fold in (0, 1):
        instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
            found.add(instant.replace(tzinfo=None))
    return sorted(found)


def changes(zone, year):
    """The instants, to the second, at which the offset changes within a year."""
    def offset(instant):
        return instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    day = datetime.datetime(year, 1, 1)
    for number in range(1, 365):
        low, high = day + datetime.timedelta(number), day + datetime.timedelta(number + 1)
        if offset(low) != offset(high):
            while high - low > datetime.timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            yield low, high, offset(low), offset(high)


def walls(name, seed, first=1, last=9999):
    """Times around all that the zone's clocks did in some years, and others."""
    zone, draw = zone_of(name), random.Random("%s %s" % (seed, name))
    found = {datetime.datetime(2024, 2, 29, 12, 0, 0, 123456), datetime.datetime(1, 1, 3),
             datetime.datetime(9999, 12, 29, 23, 59, 59)}
    for year in YEARS:
        found.add(datetime.datetime(year, draw.randint(1, 12), draw.randint(1, 28), draw.randint(0, 23),
                                    draw.randint(0, 59)))
        for before, after, old, new in changes(zone, year):
            for instant, offset in ((before, old), (after, new), (after, old), (before, new)):
                for minutes in (-70, -30, 0, 30, 70):
                    found.add(instant + offset + datetime.timedelta(minutes=minutes))
    return sorted(wall for wall in found if first <= wall.year <= last)


def iso(wall):
    return wall.isoformat(" ")


class TimeZones(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    # --- places

    def database(self, kind, script=""):
        name = self.servers[kind].database()
        self.servers[kind].ask(name, script)
        return name

    def source(self, kind, rows):
        """The URI of a new one with a table t(id, at) of times without a zone."""
        values = ",".join("(%d, '%s')" % (number, iso(wall)) for number, wall in rows)
        if kind == "sqlite":
            return support.make_sqlite(self.path("s%d.db" % len(os.listdir(self.folder))),
                                       "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT);"
                                       "INSERT INTO t VALUES " + values)
        if kind in self.servers:
            name = self.database(kind, "CREATE TABLE t(id int PRIMARY KEY, at %s(6)); INSERT INTO t VALUES %s"
                                 % ("timestamp" if kind == "postgres" else "datetime", values))
            return self.servers[kind].uri(name)
        folder = self.path(kind)
        os.makedirs(os.path.join(folder, "t"))
        line = {"csv": "%d,%s\n", "jsonl": '{"id":%d,"at":"%s"}\n',
                "dynamodb-json": '{"Item":{"id":{"N":"%d"},"at":{"S":"%s"}}}\n'}[kind]
        file = os.path.join(folder, "t", {"csv": "part-1.csv", "jsonl": "part-1.jsonl",
                                          "dynamodb-json": "data-1.json"}[kind])
        with open(file, "w", encoding="utf-8") as out:
            out.write("id,at\n" if kind == "csv" else "")
            out.writelines(line % (number, iso(wall)) for number, wall in rows)
        return "%s:%s" % (kind, folder)

    def target(self, kind):
        name = self.database(kind, "CREATE TABLE t(id int PRIMARY KEY, at %s)" % COLUMN[kind])
        return name, self.servers[kind].uri(name)

    def arrived(self, kind, name):
        """{id: the instant in UTC}"""
        told = {"postgres": "SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM t",
                "mysql": "SELECT id, date_format(at, '%Y-%m-%d %H:%i:%s.%f') FROM t"}[kind]
        return {int(number): datetime.datetime.strptime(at, "%Y-%m-%d %H:%M:%S.%f")
                for number, at in self.servers[kind].ask(name, told)}

    def rejects(self, state):
        found = {}
        folder = self.path(state, "rejects")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            for line in support.read_lines(os.path.join(folder, name)):
                reject = json.loads(line)
                found[int(reject["record"]["id"])] = reject
        return found

    def clean(self, *arguments, code=0):
        self.run_program("validate", *arguments, "--progress", "none", code=code)

    # --- what is to arrive

    def assert_arrived(self, zone, rows, found, rejects):
        expected = {number: instants(zone_of(zone), wall) for number, wall in rows}
        self.assertEqual({number: found.get(number) for number, when in expected.items() if len(when) == 1},
                         {number: when[0] for number, when in expected.items() if len(when) == 1})
        self.assertEqual(sorted(rejects), sorted(number for number, when in expected.items() if len(when) != 1))
        for number, reject in rejects.items():
            reason = reject["reason"]
            self.assertIn("the clocks of %s show it" % zone, reason)
            self.assertIn("twice" if expected[number] else "never", reason)
            for instant in expected[number]:
                self.assertIn(instant.isoformat() + "Z", reason)

    def copy(self, kind, source, target, zone, rows, *, plan=()):
        """Copied, read back, and validated by the same zone."""
        name, uri = self.target(target)
        state = "state-%d" % len(os.listdir(self.folder))
        twice_or_never = any(len(instants(zone_of(zone), wall)) != 1 for _, wall in rows)
        self.run_program("migrate", *plan, source, uri, "--existing", "append", "--time-zone", zone, "--state", state,
                         "--progress", "none",
                         code=1 if twice_or_never else 0)
        self.assert_arrived(zone, rows, self.arrived(target, name), self.rejects(state))
        self.validate_copy("--level", random.Random("%d %s" % (support.SEED, zone)).choice(("hash", "full")),
                           state=state)
        self.run_program("rollback", "--state", state, "--run", self.run_id(state), "--confirm")
        self.assertEqual(self.arrived(target, name), {})

    def test_every_zone_as_python_knows_it(self):
        for target in TARGETS:
            zones = [*ZONES, *OFFSETS]
            for zone in zones if support.SOAK else random.Random("%d %s" % (support.SEED, target)).sample(zones,
                4 if target == "postgres" else 2):
                with self.subTest(zone=zone, target=target):
                    times = walls(zone, support.SEED, *((1971, 2037) if target == "mysql" else ()))
                    rows = list(enumerate(times, 1))
                    self.copy("sqlite", self.source("sqlite", rows), target, zone, rows)

    def test_every_source_into_every_target(self):
        zone = "America/New_York"
        rows = list(enumerate(walls(zone, support.SEED, 1971, 2037), 1))
        self.assertTrue({0, 1, 2} == {len(instants(zone_of(zone), wall)) for _, wall in rows})
        plan = self.write("plan.yaml", DOCUMENTS)
        for kind in SOURCES:
            source = self.source(kind, rows)
            for target in TARGETS if support.SOAK else random.Random("%d %s" % (support.SEED, kind)).sample(TARGETS, 1):
                with self.subTest(source=kind, target=target):
                    self.copy(kind, source, target, zone, rows,
                              plan=("--plan", plan) if kind in ("jsonl", "dynamodb-json") else ())

    def test_without_a_zone_they_are_rejected(self):
        rows = [(1, datetime.datetime(2024, 7, 1, 12))]
        for kind, target in support.covering(("sqlite", "postgres", "mysql"), TARGETS, by=self.id()):
            with self.subTest(source=kind, target=target):
                name, uri = self.target(target)
                state = "state-%s-%s" % (kind, target)
                self.run_program("migrate", self.source(kind, rows), uri, "--existing", "append", "--state", state,
                                 "--progress", "none", code=1)
                self.assertEqual(self.arrived(target, name), {})
                self.assertIn("it names no time zone: say with --time-zone", self.rejects(state)[1]["reason"])
                self.validate_copy("--level", "full", state=state)

    def test_what_has_a_zone_keeps_it(self):
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, at TEXT);"
                                     "INSERT INTO t VALUES (1, '2024-07-01T12:00:00Z'), (2, "
                                     "'2024-07-01 12:00:00+05:30'), (3, '2024-07-01'), (4, NULL)")
        for target in TARGETS:
            name, uri = self.target(target)
            self.run_program("migrate", source, uri, "--existing", "append", "--time-zone", "Europe/Paris", "--state",
                             target, "--progress", "none")
            self.assertEqual(self.servers[target].ask(name, "SELECT count(*) FROM t WHERE at IS NULL"), [["1"]])
            self.servers[target].ask(name, "DELETE FROM t WHERE at IS NULL")
            self.assertEqual(self.arrived(target, name), {1: datetime.datetime(2024, 7, 1, 12),
                                                          2: datetime.datetime(2024, 7, 1, 6, 30),
                                                          3: datetime.datetime(2024, 6, 30, 22)})

    # --- types that a plan gives, in tables that the run makes

    def test_columns_of_a_plan(self):
        rows = list(enumerate(walls("Europe/Paris", support.SEED, 1971, 2037), 1))
        pairs = [(kind, target) for kind in ("sqlite", "postgres", "mysql") for target in TARGETS]
        said = ("tables: { t: { from: t, columns: { at: { type: %s } } } }",
                "types: { moments: { column: at, type: %s } }")
        for (kind, target), words in support.covering(support.drawn(pairs, 2, self.id()), said, by=self.id()):
            source, native = self.source(kind, rows), COLUMN[target].split()[0]
            with self.subTest(source=kind, target=target, words=words):
                self.declared(kind, source, target, words % native, rows)

    def declared(self, kind, source, target, words, rows):
        name, state = self.database(target), "state-%d" % len(os.listdir(self.folder))
        head = "transhume: 1\nsource: '%s'\ntarget: '%s'\n%s\n" % (source, self.servers[target].uri(name), words)
        if kind != "sqlite":   # whose texts may have zones
            refused = self.run_program("migrate", "--plan", self.write("plan.yaml", head), "--state", state, code=2)
            self.assertIn("'at' may lose something", refused.err)
        self.write("plan.yaml", head + "options: { time_zone: Europe/Paris }\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--state", state, "--progress", "none", code=1)
        self.assert_arrived("Europe/Paris", rows, self.arrived(target, name), self.rejects(state))
        self.validate_copy("--plan", "plan.yaml", "--level", "hash", state=state)
        self.run_program("rollback", "--state", state, "--run", self.run_id(state), "--confirm")
        self.assertEqual(self.servers[target].rows(name), {})

    # --- the run's own

    def test_repair_and_resume_go_by_the_zone_of_the_run(self):
        rows = list(enumerate(walls("Europe/Paris", support.SEED, 1996, 2024), 1))
        for target in TARGETS:
            with self.subTest(target=target):
                source = self.source("sqlite", rows)
                name, uri = self.target(target)
                state = ("--state", "state-" + target)
                zone = ("--time-zone", "Europe/Paris")
                support.kill_at("engine.after_commit", 2, "migrate", source, uri, "--existing", "append", *zone, *state,
                                "--chunk-rows", "7",
                                "--progress", "none", cwd=self.folder)
                refused = self.run_program("resume", source, uri, "--existing", "append", "--time-zone", "+01:00",
                                           *state, code=5)
                self.assertIn("time zone", refused.err)
                self.run_program("resume", *state, "--progress", "none", code=1)
                self.assert_arrived("Europe/Paris", rows, self.arrived(target, name), self.rejects("state-" + target))
                refused = self.run_program("validate", "--time-zone", "+01:00", *state, code=5)
                self.assertIn("--time-zone Europe/Paris", refused.err)
                before = self.arrived(target, name)
                change = "UPDATE t SET at = '2001-02-03 04:05:06%s' WHERE id = 2; DELETE FROM t WHERE id = 1"
                self.servers[target].ask(name, change % ("+00" if target == "postgres" else ""))
                self.clean(*state, "--level", "hash", code=1)
                # what was rejected is again
                self.run_program("validate", *state, "--repair", "--confirm", "--progress", "none", code=1)
                self.assertEqual(self.arrived(target, name), before)

    def test_a_zone_that_was_edited_in_the_plan(self):
        source = self.source("sqlite", [(number, datetime.datetime(2024, 7, number)) for number in range(1, 10)])
        name, uri = self.target("postgres")
        plan = "transhume: 1\nsource: '%s'\ntarget: '%s'\noptions: { time_zone: %%s }\n" % (source, uri)
        self.write("plan.yaml", plan % "Europe/Paris")
        support.kill_at("engine.after_commit", 2, "migrate", "--plan", "plan.yaml", "--existing", "append",
                        "--chunk-rows", "3", cwd=self.folder)
        self.write("plan.yaml", plan % "Asia/Tokyo")
        self.run_program("resume", code=5)
        self.write("plan.yaml", plan % "Europe/Paris")
        self.run_program("resume", "--progress", "none")
        self.clean("--level", "hash")
        self.write("plan.yaml", plan % "Asia/Tokyo")
        self.assertIn("--time-zone Europe/Paris", self.run_program("validate", code=5).err)
        self.clean("--time-zone", "Europe/Paris", "--level", "hash")
        self.clean("--plan", "plan.yaml", "--level", "hash", code=1)

    def test_a_flag_that_won_over_the_plan_is_kept(self):
        source = self.source("sqlite", [(number, datetime.datetime(2024, 7, number)) for number in range(1, 10)])
        name, uri = self.target("postgres")
        plan = "transhume: 1\nsource: '%s'\ntarget: '%s'\noptions: { time_zone: Asia/Tokyo%%s }\n" % (source, uri)
        for edited in ("", ", jobs: 1"):
            with self.subTest(edited=edited):
                self.write("plan.yaml", plan % "")
                support.kill_at("engine.after_commit", 2, "migrate", "--plan", "plan.yaml", "--existing", "append",
                                "--time-zone", "UTC", "--chunk-rows", "3",
                                cwd=self.folder)
                self.write("plan.yaml", plan % edited)
                self.run_program("resume", "--progress", "none")
                self.assertEqual(self.arrived("postgres", name)[9], datetime.datetime(2024, 7, 9))
                self.clean("--level", "hash")
                self.run_program("rollback", "--run", self.run_id(".transhume"), "--confirm")

    def test_a_flag_that_won_over_a_plan_with_a_password(self):
        """What the run keeps of the plan is not the plan to the byte."""
        source = self.source("sqlite", [(number, datetime.datetime(2024, 7, number)) for number in range(1, 10)])
        name, uri = self.target("postgres")
        self.write("plan.yaml", "transhume: 1\nsource: '%s'\ntarget: '%s'\noptions: { time_zone: Asia/Tokyo }\n"
                   % (source, uri.replace("@", ":not-asked@", 1)))
        support.kill_at("engine.after_commit", 2, "migrate", "--plan", "plan.yaml", "--existing", "append",
                        "--time-zone", "UTC", "--chunk-rows", "3",
                        cwd=self.folder)
        self.assertNotIn("not-asked", "".join(support.read_lines(self.path(".transhume", "plan.yaml"))))
        self.run_program("resume", "--progress", "none")
        self.assertEqual(self.arrived("postgres", name)[9], datetime.datetime(2024, 7, 9))
        self.clean("--level", "hash")

    def test_a_flag_that_won_over_the_plan_in_a_load_of_rejects(self):
        source = self.source("sqlite", [(1, datetime.datetime(2024, 3, 31, 2, 30)),
                                        (2, datetime.datetime(2024, 3, 31, 1, 30))])
        name, uri = self.target("postgres")
        plan = "transhume: 1\nsource: '%s'\ntarget: '%s'\noptions: { time_zone: Asia/Tokyo%%s }\n" % (source, uri)
        self.write("plan.yaml", plan % "")
        self.run_program("migrate", "--plan", "plan.yaml", "--existing", "append", "--time-zone", "Europe/Paris",
                         "--progress", "none", code=1)
        reject, = self.rejects(".transhume").values()
        reject["record"]["at"] = "2024-03-31 03:30:00"
        self.write("mended.jsonl", json.dumps(reject) + "\n")
        support.kill_at("engine.before_commit", 1, "migrate", "--plan", "plan.yaml", "--rejects", "mended.jsonl",
                        "--time-zone", "Europe/Paris",
                        cwd=self.folder)
        self.write("plan.yaml", plan % ", jobs: 1")
        self.run_program("resume", "--progress", "none")
        self.assertEqual(self.arrived("postgres", name), {1: datetime.datetime(2024, 3, 31, 1, 30),
                                                          2: datetime.datetime(2024, 3, 31, 0, 30)})

    def test_mended_rejects(self):
        source = self.source("sqlite", [(1, datetime.datetime(2024, 3, 31, 2, 30)),
                                        (2, datetime.datetime(2024, 3, 31, 1, 30))])
        name, uri = self.target("postgres")
        self.run_program("migrate", source, uri, "--existing", "append", "--time-zone", "Europe/Paris", "--progress",
                         "none", code=1)
        reject, = self.rejects(".transhume").values()
        reject["record"]["at"] = "2024-03-31 03:30:00"
        self.write("mended.jsonl", json.dumps(reject) + "\n")
        self.run_program("migrate", source, uri, "--rejects", "mended.jsonl", "--existing", "append", "--time-zone",
                         "Europe/Paris", "--progress", "none")
        self.assertEqual(self.arrived("postgres", name), {1: datetime.datetime(2024, 3, 31, 1, 30),
                                                          2: datetime.datetime(2024, 3, 31, 0, 30)})

    def test_zones_that_there_are_not(self):
        source = self.source("sqlite", [(1, datetime.datetime(2024, 3, 31))])
        for zone in ("Europe/Atlantis", "+25:00", "+2", "../Paris", "/etc/passwd", "Europe", "europe//paris",
                     "tzdata.zi", "+02:00:00:00"):
            result = self.run_program("migrate", source, "copy.db", "--time-zone", zone, code=2)
            self.assertIn("'%s' is neither an offset nor a zone" % zone, result.err)
            self.assertFalse(os.path.exists(self.path("copy.db")))
        self.write("short", "TZif2")
        result = self.run_program("migrate", source, "copy.db", "--time-zone", "short", env={"TZDIR": self.folder},
                                  code=2)
        self.assertIn("what the tz database says of 'short' can't be read", result.err)

    def test_init_writes_it_down(self):
        source = self.source("sqlite", [(1, datetime.datetime(2024, 3, 31))])
        name, uri = self.target("postgres")
        self.run_program("init", source, uri, "--time-zone", "Asia/Tokyo")
        self.assertIn('time_zone: "Asia/Tokyo"', open(self.path("transhume.yaml"), encoding="utf-8").read())
        self.run_program("migrate", "--existing", "append", "--progress", "none")
        self.assertEqual(self.arrived("postgres", name), {1: datetime.datetime(2024, 3, 30, 15)})


if __name__ == "__main__":
    unittest.main()
