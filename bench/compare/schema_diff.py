"""Pairs of schemas, compared by `transhume schema diff` on a real server.

For each pair: the current schema is made by the server's own client, the statements that lead to the desired one are
asked of the program and carried out by that client, and a second comparison has to find nothing. What the server's own dump
says of the result has to be what it says of the desired schema made from nothing, but for the order of columns.
A pair that the server itself does not take is outside.
"""
import concurrent.futures
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "servers"))

TIMEOUT_S = 60


class Refused(Exception):
    """The server's client says no."""


def run(arguments, text=None, environment=None):
    return subprocess.run(arguments, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S,
                          env=dict(os.environ, **environment or {}), check=False)


def first_line(text):
    lines = [line for line in text.splitlines() if re.search("ERROR|error", line)]
    return (lines or text.splitlines() or [""])[0].strip()[:200]


def parts_of(statement):
    """The lines of a statement in no order, since columns may stand in another one."""
    return tuple(sorted(line.strip().rstrip(",") for line in statement.splitlines() if line.strip()))


class Engine:
    def text_for(self, _name, sql):
        return sql


class Postgres(Engine):
    def __init__(self):
        if "COMPARE_POSTGRES" in os.environ:
            self.port = os.environ["COMPARE_POSTGRES"]
        else:
            import postgres
            self.server = postgres.Server()
            self.port = str(self.server.port)
        self.made = 0
        found = self._psql("postgres", "SHOW server_version_num")
        self.version = (int(found.stdout) // 10000,)

    def _psql(self, database, sql):
        return run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-d", database], sql)

    def make(self):
        self.made += 1
        name = "compare_%d_%d" % (os.getpid(), self.made)
        self._psql("postgres", "CREATE DATABASE %s TEMPLATE template0" % name)
        return name

    def drop(self, name):
        self._psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)

    def apply(self, name, sql):
        for _ in range(8):
            done = self._psql(name, sql)
            missing = re.search(r'role "([^"]*)" does not exist', done.stderr)
            if done.returncode == 0:
                return
            if not missing:
                break
            self._psql("postgres", 'CREATE ROLE "%s"' % missing.group(1))
            fresh = re.sub(r"[^a-z0-9_]", "", name)
            self._psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % fresh)
            self._psql("postgres", "CREATE DATABASE %s TEMPLATE template0" % fresh)
        raise Refused(first_line(done.stderr))

    def uri(self, name):
        return "postgres://postgres@127.0.0.1:%s/%s" % (self.port, name)

    def dump(self, name):
        done = run(["pg_dump", "-s", "-O", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", name])
        text = re.sub(r"(?m)^(--.*|SET .*|SELECT pg_catalog.set_config.*|\\.*)\n", "", done.stdout)
        return sorted(parts_of(statement) for statement in re.split(r";\n", text) if statement.strip())


class MariaDB(Engine):
    def __init__(self):
        if "COMPARE_MARIADB" in os.environ:
            self.port = os.environ["COMPARE_MARIADB"]
            self.login = ["-h", "127.0.0.1", "-P", self.port, "-u", "root", "--protocol=tcp"]
            self.user = "root"
        else:
            import mariadb
            self.server = mariadb.Server()
            self.port, self.user = str(self.server.port), self.server.USER
            self.login = ["-h", "127.0.0.1", "-P", self.port, "-u", self.user, "--protocol=tcp"]
        self.made = 0
        found = self._client("", "SELECT version()")
        self.version = tuple(int(part) for part in re.findall(r"\d+", found.stdout)[:2])

    def _client(self, database, sql):
        return run(["mariadb", "--no-defaults", "-N", "--default-character-set=utf8mb4"] + self.login + ([database] if database else []), sql)

    def make(self):
        self.made += 1
        name = "compare_%d_%d" % (os.getpid(), self.made)
        self._client("", "CREATE DATABASE %s" % name)
        return name

    def drop(self, name):
        self._client("", "DROP DATABASE IF EXISTS %s" % name)

    # Bodies of several statements, which the client ends at the first one.
    BODY = re.compile(r"^(CREATE\s(?:(?!^CREATE\s).)*?\b(?:TRIGGER|EVENT|PROCEDURE|FUNCTION)\b(?:(?!^CREATE\s).)*?^\s*END(?: IF)?)\s*(?:;|\Z)", re.I | re.M | re.S)

    def text_for(self, name, sql):
        return sql.replace("mysqldef_test.", "").replace("`mysqldef_test`.", "")

    def apply(self, name, sql):
        sql = self.text_for(name, sql)
        if "DELIMITER" not in sql:
            sql = self.BODY.sub("DELIMITER $$\n\\1 $$\nDELIMITER ;\n", sql)
        done = self._client(name, sql)
        if done.returncode != 0:
            raise Refused(first_line(done.stderr))

    def uri(self, name):
        return "mysql://%s@127.0.0.1:%s/%s" % (self.user, self.port, name)

    def dump(self, name):
        done = run(["mariadb-dump", "--no-defaults", "--no-data", "--routines", "--events", "--triggers", "--skip-comments", "--skip-add-drop-table"]
                   + self.login + [name])
        text = re.sub(r" AUTO_INCREMENT=\d+|`%s`\.| STARTS '[^']*'| CHARACTER SET \w+(?= COLLATE)" % name, "", done.stdout)
        return sorted(parts_of(statement) for statement in re.split(r";\n|;;\n", text) if statement.strip())


class MySQL(MariaDB):
    def __init__(self):
        import mysql
        self.server = mysql.Server()
        self.port, self.user = str(self.server.port), "root"
        self.login = ["-h", "127.0.0.1", "-P", self.port, "-u", "root", "--protocol=tcp"]
        self.made = 0
        self.version = tuple(int(part) for part in re.findall(r"\d+", self._client("", "SELECT version()").stdout)[:2])


class SQLite(Engine):
    version = (3,)

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="compare-")
        self.made = 0

    def make(self):
        self.made += 1
        path = os.path.join(self.folder, "%d.db" % self.made)
        sqlite3.connect(path).close()
        return path

    def drop(self, name):
        os.remove(name)

    def apply(self, name, sql):
        connection = sqlite3.connect(name)
        try:
            connection.executescript(sql)
        except sqlite3.Error as fault:
            raise Refused(str(fault)) from None
        finally:
            connection.close()

    def uri(self, name):
        return "sqlite:" + name

    def dump(self, name):
        connection = sqlite3.connect(name)
        found = [sql for sql, in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
        connection.close()
        bare = lambda sql: re.sub(r"--[^\n]*|/\*.*?\*/|[\s\"'`\[\]]", "", sql).lower()
        return sorted(tuple(sorted(bare(sql).rstrip(")").split(","))) for sql in found)


class Runner:
    def __init__(self, engine, build):
        command = os.environ.get("TRANSHUME_DIFF")
        self.engine = engine
        self.command = shlex.split(command) if command else [os.path.join(build, "transhume"), "schema", "diff"]

    def _diff(self, name, desired, *more):
        done = run(self.command + [self.engine.uri(name), desired, "--allow-drop"] + list(more))
        if done.returncode not in (0, 1):
            raise Refused("diff: " + (done.stderr.strip() or "exit %d" % done.returncode)[:300])
        return done.stdout, done.returncode

    def _loads(self, sql):
        name = self.engine.make()
        try:
            self.engine.apply(name, sql)
            return self.engine.dump(name)
        finally:
            self.engine.drop(name)

    def check(self, case):
        """(problem or None, why it is outside or None)"""
        if case.outside:
            return None, case.outside
        try:
            wanted = self._loads(case.desired)
        except Refused as why:
            missing = re.search(r'schema "([^"]*)" does not exist', str(why))
            made = missing and "CREATE SCHEMA IF NOT EXISTS %s;\n" % missing.group(1)
            if made and made not in case.desired:
                makes = re.compile(r"create schema (if not exists )?\"?%s\b" % missing.group(1), re.I)
                case.current = case.current if makes.search(case.current) else made + case.current
                case.desired = made + makes.sub(made.rstrip(";\n"), case.desired)
                return self.check(case)
            return None, "the server refuses the desired schema: %s" % why
        name = self.engine.make()
        try:
            try:
                self.engine.apply(name, case.current)
            except Refused as why:
                return None, "the server refuses the current schema: %s" % why
            return self._compare(name, case, wanted), None
        finally:
            self.engine.drop(name)

    def _compare(self, name, case, wanted):
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as desired:
            desired.write(self.engine.text_for(name, case.desired))
            desired.flush()
            try:
                statements, _ = self._diff(name, desired.name)
            except Refused as why:
                return str(why)
            try:
                self.engine.apply(name, statements)
            except Refused as why:
                return "apply: %s" % why
            try:
                left, code = self._diff(name, desired.name)
            except Refused as why:
                return "second " + str(why)
        if code != 0 or left.strip():
            return "second diff: " + " ".join(left.split())[:300]
        found = self.engine.dump(name)
        if found != wanted:
            missing = [part for part in wanted if part not in found]
            extra = [part for part in found if part not in wanted]
            return "dump: wanted %s, found %s" % (str(missing)[:200], str(extra)[:200])
        return None


def check_all(engine, build, cases):
    """(case's name, problem, why outside)"""
    runner = Runner(engine, build)
    cases = [case for case in cases if re.search(os.environ.get("COMPARE_ONLY", ""), case.name)]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("COMPARE_JOBS", "2"))) as pool:
        for number, (case, (problem, outside)) in enumerate(zip(cases, pool.map(runner.check, cases)), 1):
            if problem or number % 50 == 0:
                print("%d of %d: %s: %s" % (number, len(cases), case.name, problem or outside or "agrees"), file=sys.stderr, flush=True)
            yield case.name, problem, outside
