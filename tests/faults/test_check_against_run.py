"""`check` against the run: pairs of a value's kind and a target are drawn, into tables that the run makes and into
those that are there.

A case is a source, a target and a few tables, each with hard values of one kind (hard_values.py). What `check` foresees
is held against what
`migrate` does: it names each table of which records are rejected, with as many records for each code, and no other; and
what arrives, as another
client reads it, means what it meant in the source, or one of the two said that it does not. TRANSHUME_SEED draws
others.
"""
import collections
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers"), os.path.join(TESTS, "system"), TESTS]
import cache
import columnar_case
import hard_values
import items
import servers
import support
import test_check_foresees as foresees
import test_duckdb
import engines
from engines import csv as csv_files

PAIRS_OF_A_CASE = 5
CASES = 80 if support.SOAK else 5
VALUES_MAX = 7

# More columns of tables that are there than those that test_check_foresees draws.
EXISTING = {
    "postgres": [*(declared for declared, _ in foresees.EXISTING["postgres"]), "numeric(5,0)", "varchar(3)", "char(3)",
                 "time(0)", "timestamptz(3)", "varbit", "money", "xml", "bigint[]", "timestamp[]",
                 "positive", "text CHECK (length(v) < 5)", "bigint CHECK (v > 0)", "bytea CHECK (octet_length(v) < 5)",
                 "point", "int4range", "cidr", "macaddr", "real[]", "timetz", "oid"],
    "mysql": [*(declared for declared, _ in foresees.EXISTING["mysql"]), "varchar(50) CHARACTER SET latin1",
              "tinyint unsigned", "smallint unsigned", "tinytext", "tinyblob", "decimal(5,0)",
              "binary(5)", "varchar(3)", "time", "timestamp", "bigint CHECK (v > 0)",
              "varchar(100) CHECK (char_length(v) < 5)", "inet4", "text", "double unsigned"],
    "sqlite": [*(declared for declared, _ in foresees.EXISTING["sqlite"]), "TEXT CHECK (length(v) < 5)",
               "INTEGER CHECK (v > 0)", "BLOB CHECK (typeof(v) = 'blob')", "INTEGER /* STRICT */",
               "TEXT /* STRICT */", "ANY /* STRICT */", "REAL /* STRICT */", "BLOB /* STRICT */"],
    "cassandra": [*(declared for declared, _ in foresees.EXISTING["cassandra"]), "frozen<set<text>>",
                  "frozen<map<text,int>>", "timeuuid", "list<bigint>", "set<int>", "frozen<tuple<int,text>>"],
    "duckdb": ["BOOLEAN", "TINYINT", "UTINYINT", "INTEGER", "UBIGINT", "HUGEINT", "DECIMAL(5,2)", "DECIMAL(38,10)",
               "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS",
               "TIMESTAMP_NS", "TIMESTAMPTZ", "INTERVAL", "UUID", "BLOB", "VARCHAR", "INTEGER[]", "VARCHAR[]",
               "VARCHAR CHECK (length(v) < 5)", "ENUM ('sad', 'plain')", "BIT",
               "STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", "TIMETZ"],
}
POSTGRES_TYPES = ("CREATE TYPE mood AS ENUM ('sad', 'so ''so''', 'plain'); CREATE DOMAIN positive AS numeric(10,2) "
                  "CHECK (value > 0 AND value < 1000000000); CREATE TYPE couple AS (n int, t text)")
SESSIONS = {"postgres": "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 1; "
                        "SET bytea_output = 'hex'",
            "mysql": "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'"}


class Drawn:
    """A table of a case."""

    def __init__(self, name, kind, drawn, source, target, there):
        self.name, self.kind = name, kind
        self.declared, literals, self.of = hard_values.KINDS[source][kind]
        self.literals = drawn.sample(literals, min(len(literals), drawn.randint(2, VALUES_MAX)))
        shapes = ["id"] if kind in hard_values.NO_KEYS else ["id"] * 5 + ["key", "pair"]
        self.shape = "id" if there else drawn.choice(shapes)
        self.column = drawn.choice(EXISTING[target]) if there and target in EXISTING else drawn.choice(foresees.MAPPINGS
            if target == "opensearch" else foresees.SEEDS) if there else None
        self.limits = drawn.choice(("", "", "", " NOT NULL"))
        if self.shape != "id":   # a key has each value once, and no null
            self.literals = [literal for literal in self.literals
                             if literal not in ("NULL", "null", "")] or literals[:1]

    def key(self):
        return {"id": ["id"], "key": ["v"], "pair": ["id", "v"]}[self.shape]

    def definition(self, quote, more=""):
        """As SQL, of the source."""
        column = "v " + self.declared
        if self.shape != "id" and quote == "`%s`" and self.declared.split()[0] in ("longtext", "longblob"):
            column = "v " + {"longtext": "varchar(500)", "longblob": "varbinary(500)"}[self.declared.split()[0]]
            self.literals = [literal for literal in self.literals if "repeat" not in literal] or ["'a'"]
        return "CREATE TABLE %s (id int NOT NULL, %s%s, PRIMARY KEY (%s))%s" % (quote % self.name, column,
                                                                                "" if self.shape == "id"
                                                                                else " NOT NULL", ", ".join(self.key()),
                                                                                more)

    def inserts(self, quote):
        taken = "INSERT IGNORE" if quote == "`%s`" else "INSERT"
        after = " ON CONFLICT DO NOTHING" if quote == '"%s"' else ""
        return ["%s INTO %s (id, v) VALUES (%d, %s)%s" % (taken, quote % self.name, number, literal, after)
                for number, literal in enumerate(self.literals, 1)]


class AgainstRun(foresees.Places):
    """One test a case."""

    # --- what another client reads: {id: (tag, value)} as hard_values.forms has it

    def contents(self, engine, place, name, table):
        return getattr(self, "read_" + engine.replace("-", "_"))(place, name, table)

    @staticmethod
    def of_python(value):
        if value is None:
            return "null", None
        if isinstance(value, bool):
            return "bool", value
        if isinstance(value, collections.abc.Set):
            return "json", list(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return "bytes", bytes(value).hex()
        if isinstance(value, (dict, list)):
            return "json", value
        return ("text", value) if isinstance(value, str) else ("number",
                                                               repr(value) if isinstance(value, float) else str(value))

    def read_sqlite(self, place, _name, table):
        def text(value):
            return value.decode("utf-8", "surrogateescape")
        with contextlib.closing(sqlite3.connect(place.partition(":")[2])) as db:
            db.text_factory = text
            return {row[0]: self.of_python(row[1]) for row in db.execute('SELECT id, v FROM "%s"' % table)}

    def read_postgres(self, _place, name, table):
        shown = "CASE WHEN v IS NULL THEN NULL ELSE encode(%s, 'hex') END"
        kind, = {row[0] for row in self.server("postgres").psql(name,
                                                                "SELECT format_type(atttypid, NULL) FROM pg_attribute "
                                                                "WHERE attrelid = '\"%s\"'::regclass AND attname = "
                                                                "'v'" % table)}
        shown %= "v" if kind == "bytea" else "convert_to(v::text, 'UTF8')"
        rows = self.server("postgres").psql(name, "%s; SELECT id, %s FROM \"%s\"" % (SESSIONS["postgres"], shown,
            table))
        return {int(number): ("null", None) if data is None else ("bytes", data) if kind == "bytea"
                else self.of_text(kind, bytes.fromhex(data).decode()) for number, data in rows}

    @staticmethod
    def of_text(kind, text):
        numbers = ("smallint", "integer", "bigint", "numeric", "real", "double precision", "positive", "oid", "int",
                   "tinyint", "mediumint", "decimal", "float", "double", "year")
        return ("number", text) if kind in numbers else ("bool",
                                                         text in ("t", "true")) if kind == "boolean" else ("text", text)

    def read_mysql(self, _place, name, table):
        (kind,), = self.server("mysql").ask(name,
                                            "SELECT data_type FROM information_schema.columns WHERE table_schema = "
                                            "database() AND table_name = '%s' AND column_name = 'v'" % table)
        raw = "blob" in kind or "binary" in kind or kind in ("point", "geometry")
        shown = ("HEX(v)" if raw else "HEX(CONVERT(v + 0 USING utf8mb4))" if kind == "bit"
                 else "HEX(CONVERT(%s USING utf8mb4))" % ("CAST(v AS DOUBLE)" if kind == "float" else "v"))
        rows = self.server("mysql").ask(name, "SELECT id, IF(LENGTH(v) > %d, CONCAT('md5:', MD5(v)), %s) FROM `%s`"
                                        % (hard_values.LONG, shown, table))
        return {int(number): ("null", None) if data is None else ("md5", data[4:]) if data.startswith("md5:")
                else ("bytes", data.lower()) if raw else
                self.of_text("decimal" if kind == "bit" else kind,
                             bytes.fromhex(data).decode("utf-8", "surrogateescape")) for number, data in rows}

    def oracle(self, script, *arguments):
        done = subprocess.run([self.python(), script, *arguments], cwd=self.folder, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        return json.loads(done.stdout)

    @staticmethod
    def python():
        try:
            return os.path.normpath(os.path.join(os.path.dirname(cache.get("parquet-hands")), "..", "..", "..", "..",
                                                 "bin", "python"))
        except cache.Unavailable as fault:
            raise unittest.SkipTest("no pyarrow: %s" % fault) from fault

    def read_duckdb(self, place, _name, table):
        kind = self.oracle(test_duckdb.ORACLE, place.partition(":")[2],
                           "SELECT typeof(v) FROM (SELECT v FROM \"%s\" UNION ALL SELECT NULL) LIMIT 1" % table)[0][0]
        asked = "SELECT id, %s FROM \"%s\"" % ("lower(hex(v))" if kind == "BLOB" else "v::VARCHAR", table)
        numbers = kind.endswith("INT") or kind in ("INTEGER", "FLOAT", "DOUBLE") or kind.startswith("DECIMAL")
        return {int(number): ("null", None) if text is None else ("bytes", text) if kind == "BLOB"
                else ("bool", text == "true") if kind == "BOOLEAN" else ("number" if numbers else "text", text)
                for number, text in self.oracle(test_duckdb.ORACLE, place.partition(":")[2], "SET timezone = 'UTC'",
                                                asked)}

    def read_csv(self, place, _name, table):
        definition = json.loads(self.read_file(place, "_transhume", "tables", table + ".json"))
        of_bytes = any(column["name"] == "v" and column["type"] == "bytes" for column in definition["columns"])
        found = {}
        for text in engines.records.texts(os.path.join(place.partition(":")[2], table)):
            head, *rows = list(csv_files.records_in(text))
            at = [name for _, name in head]
            for row in rows:
                quoted, value = row[at.index("v")]
                raw = value.startswith("\\x") and (of_bytes or not quoted)
                found[int(row[at.index("id")][1])] = ("null", None) if not quoted and value == "" else ("bytes",
                    value[2:]) if raw else ("text", value)
        return found

    def read_file(self, place, *names):
        with open(os.path.join(place.partition(":")[2], *names), encoding="utf-8") as file:
            return file.read()

    def read_jsonl(self, place, _name, table):
        definition = json.loads(self.read_file(place, "_transhume", "tables", table + ".json"))
        kinds = {column["name"]: column["type"] for column in definition["columns"]}
        found = {}
        for text in engines.records.texts(os.path.join(place.partition(":")[2], table)):
            for line in text.split("\n")[:-1]:
                record = hard_values.parse_json(line)[1]
                found[int(self.untagged(record["id"]))] = self.of_json(kinds.get("v"), record.get("v"))
        return found

    @staticmethod
    def untagged(value):
        return next(iter(value.values())) if isinstance(value,
                                                        dict) and len(value) == 1 and next(iter(value)).startswith(
                                                            "$") else value

    def of_json(self, kind, value):
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
            (tag, inner), = value.items()
            if tag == "$bytes":
                return "bytes", hard_values.base64.b64decode(inner).hex()
            value = inner if tag in ("$text", "$value", "$decimal", "$float64", "$uint64", "$json") else value
        elif kind == "bytes" and isinstance(value, str):
            return "bytes", hard_values.base64.b64decode(value).hex()
        return self.of_python(value)

    def columnar(self, place, table):
        folder = os.path.join(place.partition(":")[2], table)
        rows = self.oracle(columnar_case.ORACLE, "texts", *(os.path.join(folder, name)
                                                            for name in sorted(os.listdir(folder)))) if os.path.isdir(
                                                                folder) else []
        return {int(row["id"][1]): self.of_told(row["v"]) for row in rows}

    def of_told(self, value):
        if value is None:
            return "null", None
        if isinstance(value, dict):
            return "json", {name: self.plain(one) for name, one in value.items()}
        if not value or not isinstance(value[0], str):
            return "json", self.plain(value)
        kind, text = value
        return ("number" if kind == "decimal" else kind, text) if kind in ("number", "decimal", "text",
                                                                           "bytes") else ("bool",
                                                                               text
                                                                               == "true") if kind == "bool" else (
                                                                                   "text", text)

    def plain(self, value):
        if isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value):
            return value[1]
        return [self.plain(one) for one in value] if isinstance(value, list) else value

    def read_parquet(self, place, _name, table):
        return self.columnar(place, table)

    def read_arrow(self, place, _name, table):
        return self.columnar(place, table)

    def of_item(self, typed):
        if typed is None:
            return "null", None
        (letter, value), = typed.items()
        if letter == "NULL":
            return "null", None
        if letter == "B":
            return "bytes", (hard_values.base64.b64decode(value) if isinstance(value, str) else bytes(value)).hex()
        if letter in "LM" or letter in ("SS", "NS", "BS"):
            return "json", self.of_nested(typed)
        return {"N": "number", "S": "text", "BOOL": "bool"}[letter], value

    def of_nested(self, typed):
        (letter, value), = typed.items()
        if letter in "LM":
            return [self.of_nested(one) for one in value] if letter == "L" else {name: self.of_nested(one)
                for name, one in value.items()}
        if letter in ("SS", "NS", "BS"):
            return [self.of_nested({letter[0]: one}) for one in value]
        tag, found = self.of_item(typed)
        return hard_values.decimal.Decimal(found) if tag == "number" else found

    def read_dynamodb(self, _place, _name, table):
        return {int(item["id"]["N"]): self.of_item(item.get("v"))
                for item in items.scan(items.client_of(self.server("dynamodb")), table)}

    def read_dynamodb_json(self, place, _name, table):
        return {int(item["id"]["N"]): self.of_item(item.get("v"))
                for item in support.read_dynamodb_json(place.partition(":")[2]).get(table, [])}

    def read_mongodb(self, _place, name, table):
        import bson
        options = bson.codec_options.CodecOptions(datetime_conversion=bson.codec_options.DatetimeConversion.DATETIME_MS)
        there = self.server("mongodb").client()[name].get_collection(table, codec_options=options)
        return {int(str(document.get("id", document["_id"]))): self.of_bson(document.get("v",
            None if "id" in document or not isinstance(document["_id"], dict) else document["_id"].get("v")))
                for document in there.find()}

    def of_bson(self, value):
        import bson
        if isinstance(value, bson.Decimal128):
            return "number", str(value)
        if isinstance(value, bson.datetime_ms.DatetimeMS):
            return "text", engines.of("cassandra").moment_text(int(value))
        if isinstance(value, bson.Binary) and value.subtype == 4:
            return "text", str(value.as_uuid())
        if isinstance(value, (list, dict)):
            return "json", self.of_bson_nested(value)
        return self.of_python(value)

    def of_bson_nested(self, value):
        if isinstance(value, list):
            return [self.of_bson_nested(one) for one in value]
        if isinstance(value, dict):
            return {name: self.of_bson_nested(one) for name, one in value.items()}
        tag, found = self.of_bson(value)
        return hard_values.number(found) if tag == "number" else found

    def read_cassandra(self, _place, name, table):
        cassandra = engines.of("cassandra")
        found = {}
        timed = dict(self.server("cassandra").ask("system_schema",
                                                  "SELECT column_name, type FROM columns WHERE keyspace_name = %s AND "
                                                  "table_name = %s", name, table))["v"] == "timestamp"
        for number, value in self.server("cassandra").ask(name,
                                                          'SELECT id, %s FROM "%s"' % ("toUnixTimestamp(v)" if timed
                                                              else "v", table)):
            if timed and value is not None:   # Python has no years beyond 9999
                found[int(number)] = "text", cassandra.moment_text(value)
                continue
            plain = (self.of_python(value) if value is None or isinstance(value, (bool, bytes, str, int, float))
                     else ("json", [self.nested(one) for one in value])
                     if isinstance(value, (list, tuple, collections.abc.Set))
                     else ("text", cassandra.text_of(value)) if not hasattr(value, "keys")
                     else ("json", {str(name): self.nested(one) for name, one in value.items()}))
            found[int(number)] = ("number", str(value)) if isinstance(value, hard_values.decimal.Decimal) else plain
        return found

    def nested(self, value):
        if isinstance(value, bytes):
            return value.hex()
        return [self.nested(one) for one in value] if isinstance(value, (list, tuple)) else value

    def read_redis(self, _place, name, table):
        found = {}
        for note, held in [one for noted, one in engines.of("redis").everything((self.server("redis"), name)).items()
                           if noted == table]:
            for fields in held.values():
                value = fields.get(b"v")
                raw = note["columns"].get("v") == "bytes"
                found[int(fields[b"id"])] = ("null", None) if value is None else ("bytes",
                    value.hex()) if raw else ("text", value.decode("utf-8", "surrogateescape"))
        return found

    def read_opensearch(self, _place, name, table):
        found = {}
        for kinds, held in [one for noted, one in engines.of("opensearch").everything((self.server("opensearch"),
            name)).items() if noted == table]:
            for document in held.values():
                value = document.get("v")
                raw = (kinds.get("v") or "").startswith("bytes") and isinstance(value, str)
                found[int(document["id"])] = ("bytes",
                                              hard_values.base64.b64decode(value).hex()) if raw else self.of_python(
                                                  value)
        return found

    # --- the source

    def make(self, source, tables):
        """(URI, the name of its database)"""
        if source in ("jsonl", "csv"):
            return self.make_files(source, tables), None
        quote = "`%s`" if source == "mysql" else '"%s"'
        script = [one for table in tables for one in [table.definition(quote), *table.inserts(quote)]]
        if source == "sqlite":
            with contextlib.closing(sqlite3.connect(self.path("source.db"))) as db, db:
                db.execute("PRAGMA journal_mode = WAL")
                for statement in script:
                    db.execute(statement)
            return "sqlite:" + self.path("source.db"), None
        name = self.server(source).database()
        self.server(source).ask(name, ";\n".join([POSTGRES_TYPES, SESSIONS[source], *script] if source == "postgres"
                                                 else [SESSIONS[source], *script]))
        return self.server(source).uri(name), name

    def make_files(self, source, tables):
        os.makedirs(self.path("source", "_transhume", "tables"))
        for table in tables:
            os.makedirs(self.path("source", table.name))
            if table.declared is not None:
                columns = [{"name": "id", "type": "int64", "null": False}, {"name": "v", **table.declared}]
                self.write(os.path.join("source", "_transhume", "tables", table.name + ".json"),
                           json.dumps({"format": 1, "key": table.key(), "columns": columns}))
            lines = ['{"id":%d,"v":%s}\n' % one for one in enumerate(table.literals,
                                                                     1)] if source == "jsonl" else ["id,v\n",
                                                                         *("%d,%s\n" % one
                                                                           for one in enumerate(table.literals, 1))]
            self.write(os.path.join("source", table.name, "part-1." + source), "".join(lines))
        return "%s:%s" % (source, self.path("source"))

    def meant(self, source, place, name, table):
        """{id: (tag, value)} of the source."""
        if source == "jsonl":
            return {number: self.of_json((table.declared or {}).get("type"), hard_values.parse_json(literal)[1])
                    for number, literal in enumerate(table.literals, 1)}
        if source == "csv":
            of_bytes = (table.declared or {}).get("type") == "bytes"
            fields = [csv_field(literal) for literal in table.literals]
            return {number: ("null", None) if not quoted and text == "" else ("bytes", text[2:])
                    if text.startswith("\\x") and (of_bytes or not quoted) and table.of != "csvtext" else ("text", text)
                    for number, (quoted, text) in enumerate(fields, 1)}
        return self.contents(source, place, name, table.name)

    # --- the target

    def fill_target(self, target, place, tables):
        columns = {table.name: table.column for table in tables}
        if target == "opensearch":
            for table, mapping in columns.items():
                self.server(target).ask("PUT", "/%s%s" % (self.name, table),
                                        {"mappings": {"dynamic": False,
                                                      "properties": {"id": {"type": "long"}, "v": mapping}}})
        elif target in EXISTING:
            script = [] if target != "postgres" else [POSTGRES_TYPES]
            for table in tables:
                limits = "" if target == "cassandra" else table.limits or (" NULL" if target == "mysql" else "")
                declared, _, check = table.column.partition(" CHECK")
                end = " STRICT" if "STRICT" in declared else ""
                declared = declared.partition(" /*")[0]
                script.append("CREATE TABLE %s (id %s PRIMARY KEY, v %s%s%s)%s"
                              % (("`%s`" if target == "mysql" else '"%s"') % table.name,
                                 "INTEGER" if target == "sqlite" else "bigint", declared, limits,
                                                                                           " CHECK" + check if check
                                 else "", end))
            self.run_script(target, place, script)
        else:
            path = self.path("seed.db")
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                for table in tables:
                    db.execute('CREATE TABLE "%s" (id INTEGER PRIMARY KEY, v %s)' % (table.name, table.column))
            self.run_program("migrate", "--quiet", "--state", self.path(".seed"), "sqlite:" + path, place,
                             env=servers.aws_environment(self.folder))

    def run_script(self, target, place, script):
        if target == "sqlite":
            with contextlib.closing(sqlite3.connect(place.partition(":")[2])) as db, db:
                db.executescript(";\n".join(script))
        elif target == "duckdb":
            self.oracle(test_duckdb.ORACLE, place.partition(":")[2], *script, "SELECT 1")
        else:
            getattr(self.server(target), "run_script" if target == "cassandra" else "ask")(self.name,
                ";\n".join(script))

    # --- the comparison

    def compare(self, source, target, there, seed):
        drawn = random.Random(seed)
        names = drawn.sample(sorted(hard_values.KINDS[source]), PAIRS_OF_A_CASE)
        tables = [Drawn("t%d_%s" % (number, kind), kind, drawn, source, target, there)
                  for number, kind in enumerate(names)]
        first, name = self.make(source, tables)
        second = self.place(target)
        if there:
            self.fill_target(target, second, tables)
        wrong = []
        left_out = {}
        environment = servers.aws_environment(self.folder)
        while True:
            arguments = ["--time-zone", "UTC", *(["--existing", "append"] if there else [])]
            arguments += [word for table in sorted(left_out) for word in ("--exclude", table)] + [first, second]
            checked = support.transhume("check", "--json", *arguments, cwd=self.folder, env=environment)
            try:
                report = json.loads(checked.out)
            except ValueError:
                self.fail("check: %d\n%s\n%s" % (checked.code, checked.out[:2000], checked.err))
            if checked.code in (0, 1):
                break
            lines = report.get("problems") or checked.err.split("\n")
            refused = {table.name: line for table in tables if table.name not in left_out for line in lines
                       if (line.startswith(table.name + ": ") or "'%s'" % table.name in line)
                       and "would be rejected" not in line}
            ran = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder, env=environment)
            if not refused or ran.code != checked.code:
                self.fail("check: %d %s\nmigrate: %d %s" % (checked.code,
                                                            "\n".join(report.get("problems", [])) or checked.err,
                                                            ran.code, ran.err))
            left_out.update(refused)
            if len(left_out) == len(tables):
                return []
        result = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder, env=environment)
        self.assertIn(result.code, (0, 1), "%s\ncheck said %d: %s" % (result.err, checked.code,
                                                                      "\n".join(report["problems"])))
        rejected, told = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
        gone = collections.defaultdict(set)
        reasons = collections.defaultdict(list)
        for reject in self.rejects():
            rejected[reject["entity"]][reject["code"]] += 1
            reasons[reject["entity"]].append(reject["reason"])
            if "id" in reject["record"]:
                gone[reject["entity"]].add(int(self.untagged(reject["record"]["id"])))
        for foreseen in report["rejects"]:
            told[foreseen["entity"]][foreseen["code"]] += foreseen["count"]
        said = "\n".join(report["notes"] + report["problems"]) + result.err
        for table in tables:
            if table.name in left_out:
                continue
            what = (table.kind, table.declared, table.column, table.limits, table.shape,
                    [literal[:60] for literal in table.literals])
            if told[table.name] != rejected[table.name]:
                wrong.append(("foreseen", what, dict(told[table.name]), "happened", dict(rejected[table.name]),
                              reasons[table.name][:3],
                              [one["reason"] for one in report["rejects"] if one["entity"] == table.name][:3]))
            wrong += [(*one, *what) for one in self.unlike(source, first, name, target, second, table, gone[table.name],
                                                           said)]
        if checked.code != result.code:
            wrong.append(("exit statuses", checked.code, result.code, said))
        return wrong

    def unlike(self, source, first, name, target, second, table, gone, said):
        if target == "toy":   # which no other client reads
            return
        meant = self.meant(source, first, name, table)
        found = self.contents(target, second, getattr(self, "name", None), table.name)
        for number, value in meant.items():
            if (number in found) == (number in gone):
                yield ("lost" if number not in found else "rejected, but there", value[0], str(value[1])[:80],
                       found.get(number))
            elif number in found and not self.is_same(table, value, found[number],
                                                      target) and table.name + "." not in said:
                yield ("another value", value[0], str(value[1])[:80], found[number][0], str(found[number][1])[:80])

    @staticmethod
    def is_same(table, value, found, target):
        if table.column is None and value[0] == "text" and table.of in ("text", "csvtext") and found[0] not in ("text",
            "bytes"):
            return False
        return hard_values.same(table.of, value, found)


def csv_field(literal):
    quoted = literal.startswith('"')
    return quoted, literal[1:-1].replace('""', '"') if quoted else literal


def add_cases():
    combinations = [(source, target, there) for source in hard_values.KINDS for target in foresees.TARGETS
                    for there in (False, True) if not (there and target in foresees.FOLDERS)]
    draw = random.Random("%d against run" % support.SEED)
    draw.shuffle(combinations)
    for number, (source, target, there) in enumerate(combinations[:CASES]):
        def test(self, source=source, target=target, there=there, number=number):
            wrong = self.compare(source, target, there, "%d %d against run" % (support.SEED, number))
            self.assertEqual(wrong, [], "\n" + "\n".join(map(str, wrong)))
        setattr(AgainstRun, "test_%02d_%s_into_%s_%s" % (number, source, target.replace("-", "_"),
                                                         "there" if there else "new"), test)


add_cases()


if __name__ == "__main__":
    unittest.main()
