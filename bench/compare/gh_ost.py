"""gh-ost's local tests, read as declared changes and carried out under the writers that they bring along as events.

Of each case the table is made by its create.sql, whose event goes on writing; the clauses of its --alter are the operation `alter` of a
change that is made by a shadow table. After `change start` and once more after `change switch` the writers are held, and the rows of both
tables are compared: the columns that the case names, as the case orders them. In the end the table has to be, in its definition and in
every row, what a plain ALTER TABLE makes of a copy.

A case that gh-ost fails on may be refused, and then the table is as it was, or it is done, and then as above. The table says which.
"""
import concurrent.futures
import os
import re
import shlex
import subprocess
import tempfile
import time

from .schema_diff import TIMEOUT_S, MariaDB, MySQL, Refused, first_line, run
from .suites import Suite

TABLE, SHADOW, OLD = "gh_ost_test", "_transhume_001_new_gh_ost_test", "_transhume_001_old_gh_ost_test"
WORKERS = 4
WRITES_S = 2.2   # for so long its event, which runs each second, writes beside each phase
# What scripts of some cases do once the rows are copied.
MEANWHILE = {
    "panic-on-warnings-batch-middle":
        "BEGIN; INSERT IGNORE INTO gh_ost_test (id, email) VALUES (1, 'duplicate_pk@example.com');"
        "INSERT IGNORE INTO gh_ost_test (email) VALUES ('alice@example.com'); INSERT IGNORE INTO gh_ost_test (email) VALUES ('new@example.com'); COMMIT",
    "panic-on-warnings-update-pk-with-duplicate-on-new-unique-index": "update gh_ost_test set id = 200, email = 'alice@example.com' where id = 2",
}


class Case:
    def __init__(self, name, files):
        self.name = name
        text = lambda file: files[file].decode() if file in files else None
        self.create = text("create.sql")
        self.mode = text("sql_mode")
        self.before, self.after, self.destroy = text("before.sql"), text("after.sql"), text("destroy.sql")
        self.fails = "expect_failure" in files
        self.structure = text("expect_table_structure")
        self.columns = (text("orig_columns") or "*").strip(), (text("ghost_columns") or "*").strip()
        self.order = text("order_by")
        self.ignored = (text("ignore_versions") or "").strip()
        arguments = (text("extra_args") or "").strip()
        words = shlex.split(arguments)
        self.alter = "engine=innodb"
        for at, word in enumerate(words):
            if word.startswith("--alter="):
                self.alter = word[len("--alter="):]
            elif word == "--alter":
                self.alter = words[at + 1]
        self.relaxed = "--allow-zero-in-date" in words


def cases():
    suite = Suite("github/gh-ost")
    names = suite.files("localtests")
    contents = suite.read_all(names)
    by_case = {}
    for name in names:
        parts = name.split("/")
        if len(parts) == 3:
            by_case.setdefault(parts[1], {})[parts[2]] = contents[name]
    return [Case(name, files) for name, files in sorted(by_case.items())]


class Trial:
    def __init__(self, engine, build, case):
        self.engine, self.case = engine, case
        self.command = os.path.join(build, "transhume")
        self.name = engine.make()

    def ask(self, sql):
        """What the server answers; bytes that are no text too."""
        done = subprocess.run(["mariadb", "--no-defaults", "-N", "--default-character-set=utf8mb4"] + self.engine.login + [self.name], input=sql.encode("utf-8", "surrogateescape"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise Refused(first_line(done.stderr.decode(errors="replace")))
        return done.stdout.decode("utf-8", "surrogateescape")

    def rows(self, table, columns):
        order = " ORDER BY " + self.case.order if self.case.order else ""
        return self.ask("SELECT %s FROM %s%s" % (columns, table, order))

    def definition(self, table):
        text = self.ask("SHOW CREATE TABLE %s" % table)
        return re.sub(r"AUTO_INCREMENT=\d+ ", "", text.split("\t", 1)[1]).replace(table, "T").replace("\\n", "\n")

    @staticmethod
    def references(definition):
        return sorted(re.findall(r"CONSTRAINT .* FOREIGN KEY .*?(?=,?\n)", definition))

    @staticmethod
    def without_references(definition):
        return re.sub(r",\n  CONSTRAINT .* FOREIGN KEY .*?(?=,?\n)", "", definition)

    def hold(self):
        """Events end their round; none begins another one."""
        events = self.ask("SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()").split()
        for event in events:
            self.ask("ALTER EVENT %s DISABLE" % event)
        while int(self.ask("SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> connection_id() AND command <> 'Sleep' AND user <> 'event_scheduler'")):
            time.sleep(0.05)
        return events

    def free(self, events):
        for event in events:
            try:
                self.ask("ALTER EVENT %s ENABLE" % event)
            except Refused:   # its time is over
                pass

    def change(self, *arguments):
        return run([self.command, "change"] + list(arguments) + [self.engine.uri(self.name)])

    def compare(self, left, right, what):
        own, other = self.case.columns
        one, two = self.rows(left, own), self.rows(right, other)
        if one != two:
            differing = [pair for pair in zip(one.splitlines(), two.splitlines()) if pair[0] != pair[1]]
            raise Refused("%s: rows differ: %d and %d, %s" % (what, one.count("\n"), two.count("\n"), str(differing[:1])[:300]))

    def oracle(self):
        """A copy by a plain ALTER has the definition and all rows of the new form."""
        plain = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '%s' AND coalesce(generation_expression, '') = '' ORDER BY ordinal_position"
        columns = ", ".join("`%s`" % name for name in self.ask(plain % TABLE).splitlines())
        mode = "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO%s';" % (",ALLOW_INVALID_DATES" if self.case.relaxed else ",STRICT_ALL_TABLES")
        self.ask("%s CREATE TABLE oracle LIKE %s; INSERT INTO oracle (%s) SELECT %s FROM %s; ALTER TABLE oracle %s" % (mode, TABLE, columns, columns, TABLE, self.case.alter))
        wanted, made = self.definition("oracle"), self.without_references(self.definition(SHADOW))
        if wanted != made:
            raise Refused("definitions: %s\nand\n%s" % (wanted, made))
        one, two = (sorted(self.ask("SELECT * FROM %s" % table).splitlines()) for table in ("oracle", SHADOW))
        if one != two:
            raise Refused("a plain ALTER has other rows: %d and %d, %s" % (len(one), len(two), str([pair for pair in zip(one, two) if pair[0] != pair[1]][:1])[:300]))

    def finish(self, events):
        self.compare(TABLE, SHADOW, "before the switch")
        self.oracle()
        self.free(events)
        switched = self.change("switch")
        if switched.returncode != 0:
            return switched
        time.sleep(WRITES_S if events else 0)
        self.hold()
        self.compare(OLD, TABLE, "after the switch")
        return self.change("complete", "--confirm")

    def run(self):
        case = self.case
        try:
            self.ask(case.create)
        except Refused as why:
            return "outside", "the server refuses its table: %s" % why
        if case.name == "sysbench":
            return "outside", "needs sysbench's own tables"
        began = self.definition(TABLE)
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "001_case.change.yaml")
            with open(file, "w", encoding="utf-8") as out:
                mode = ', sql_mode: ""' if case.relaxed else ""
                out.write("operations:\n- alter: {table: %s, with: %s, way: shadow%s}\n" % (TABLE, quoted(case.alter), mode))
            if case.before:
                self.ask(case.before)
            started = self.change("start", file)
            if case.after:
                self.ask(case.after)
            if started.returncode != 0:
                return self.refused(started, began)
            time.sleep(WRITES_S)
            if case.name in MEANWHILE:
                self.ask(MEANWHILE[case.name])
            events = self.hold()
            if case.name in MEANWHILE:
                switched = self.change("switch")
                return self.refused(switched, began) if switched.returncode else ("problem", "switched in spite of duplicates")
            done = self.finish(events)
            if done.returncode != 0:
                return self.refused(done, began)
        return self.judge(began)

    def judge(self, began):
        case = self.case
        counted = self.ask("SHOW CREATE TABLE %s" % TABLE)
        if self.references(self.definition(TABLE)) != self.references(began):
            return "problem", "foreign keys: %s, not %s" % (self.references(self.definition(TABLE)), self.references(began))
        if case.structure and case.structure.strip() not in counted:
            return "problem", "its definition has no %s: %s" % (case.structure.strip(), counted[-200:])
        left = self.ask("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '\\_transhume\\_001%'").split()
        if left:
            return "problem", "left behind: %s" % ", ".join(left)
        return "done", None

    def refused(self, done, began):
        words = " ".join(done.stderr.split())[:200]
        self.hold()
        aborted = self.change("abort")
        if self.definition(TABLE) != began:
            return "problem", "refused, and the table is another one: " + words
        left = self.ask("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '\\_transhume\\_001%'").split()
        if left:
            return "problem", "left behind (abort: %d): %s" % (aborted.returncode, ", ".join(left))
        return "refused", words


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Live:
    """A server with its event scheduler on."""
    SETTINGS = {"event-scheduler": "ON", "max-connections": "200"}

    def _open(self, module):
        self.server = module.Server(settings=self.SETTINGS)
        self.port = str(self.server.port)


class LiveMariaDB(Live, MariaDB):
    def __init__(self):
        import mariadb
        self.server = mariadb.Server(settings={**self.SETTINGS, **mariadb.FOLLOWED})
        self.port, self.user, self.made = str(self.server.port), "root", 0
        self.login = ["-h", "127.0.0.1", "-P", self.port, "-u", self.user, "--protocol=tcp"]
        self.title = "mariadb"


class LiveMySQL(Live, MySQL):
    def __init__(self):
        import mysql
        self.server = mysql.Server(settings=self.SETTINGS)
        self.port, self.user, self.made = str(self.server.port), "root", 0
        self.login = ["-h", "127.0.0.1", "-P", self.port, "-u", self.user, "--protocol=tcp"]
        self.title = "mysql"


def check(engine, build, case):
    """(name, problem or None, why it is outside or None)"""
    trial = None
    if case.ignored and re.search(case.ignored.replace("Percona|", ""), engine.title, re.I):
        return case.name, None, "not of this server"
    try:
        trial = Trial(engine, build, case)
        if case.mode is not None:
            trial.ask("SET GLOBAL sql_mode = '%s'" % case.mode.strip())
        what, words = trial.run()
    except Refused as why:
        what, words = "problem", str(why)
    finally:
        if trial:
            engine.drop(trial.name)
    if what == "outside":
        return case.name, None, words
    if what == "refused" and not case.fails:
        return case.name, "refused: " + words, None
    if what == "problem":
        return case.name, words, None
    return case.name, None, None


def check_all(engine, build):
    found = [case for case in cases()]
    named = os.environ.get("COMPARE_CASES")
    if named:
        found = [case for case in found if case.name in named.split()]
    mode = engine._client("", "SELECT @@global.sql_mode").stdout.strip()
    alone = [case for case in found if case.mode is not None or case.before]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda case: check(engine, build, case), [case for case in found if case not in alone]))
    for case in alone:
        results.append(check(engine, build, case))
        engine._client("", "SET GLOBAL sql_mode = '%s'" % mode)
    return sorted(results)
