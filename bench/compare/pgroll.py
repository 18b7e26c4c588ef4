"""pgroll's examples, in the order of its ledger: each is started, taken back, started and completed by `transhume change`.

After each abort the catalogue is what it was, and after each end what the same operations give as plain DDL (`Plain`); tables get rows as soon as they are there. What is put otherwise here than there: `onComplete`, `drop_multicolumn_constraint`, a statement
without a way back gets one (40), and a name that is no column (35) is put right.
"""
import os
import re
import tempfile

import yaml

from compare import schema_diff
from compare.suites import Suite

WORDS = (("onComplete:", "on_complete:"), ("drop_multicolumn_constraint", "drop_constraint"))
OWN = {"35_alter_column_multiple": ("down: event_name", "down: name"),
       "40_create_enum_type": ("'large');", "'large');\n      down: DROP TYPE fruit_size")}
ROWS = {"users": "INSERT INTO users (id, name) SELECT g, 'user' || g FROM generate_series(1, 50) g",
        "employees": "INSERT INTO employees (role) SELECT 'role' || g FROM generate_series(1, 50) g",
        "reviews": "INSERT INTO reviews (username, product, review) SELECT 'u' || g, 'p' || g, nullif('r' || g % 20, 'r3') FROM generate_series(1, 50) g",
        "posts": "INSERT INTO posts (title, user_id) SELECT left('a post', 1 + g % 6), g % 70 FROM generate_series(1, 50) g",
        "people": "INSERT INTO people (id, name) SELECT g, 'name' || g FROM generate_series(1, 50) g",
        "fruits": "INSERT INTO fruits (name, price) SELECT 'fruit' || g, g FROM generate_series(1, 50) g",
        "events": "INSERT INTO events (name) SELECT CASE WHEN g > 1 THEN 'event' || g END FROM generate_series(1, 50) g",
        "sellers": "INSERT INTO sellers (name, zip) SELECT 'seller' || g, g FROM generate_series(1, 50) g",
        "tickets": "INSERT INTO tickets (sellers_name, sellers_zip) SELECT 'seller' || g, g FROM generate_series(1, 50) g",
        "library": "INSERT INTO library (returned, title, summary) SELECT now(), 'title' || g, '' FROM generate_series(1, 50) g"}


def translated(name, text):
    for before, after in WORDS:
        text = text.replace(before, after)
    if name in OWN:
        text = text.replace(*OWN[name])
    return text


class Plain:
    """The same operations as plain DDL, as somebody would write it who may lock everybody out: what the schema has to be at the end."""

    def __init__(self, ask):
        self.ask = ask

    def column(self, column):
        made = '"%s" %s' % (column["name"], column["type"])
        identity = (column.get("generated") or {}).get("identity")
        made += " GENERATED %s AS IDENTITY" % identity["user_specified_values"] if identity else ""
        made += " DEFAULT %s" % column["default"] if column.get("default") is not None else ""
        made += "" if column.get("nullable") else " NOT NULL"
        return made + (" UNIQUE" if column.get("unique") else "")

    def constraint(self, constraint):
        names = ", ".join('"%s"' % name for name in constraint.get("columns", []))
        kind = constraint["type"]
        body = {"primary_key": "PRIMARY KEY (%s)" % names, "unique": "UNIQUE (%s)" % names, "check": "CHECK (%s)" % constraint.get("check")}.get(kind)
        if kind == "foreign_key":
            body = "FOREIGN KEY (%s)%s" % (names, self.references(constraint["references"]))
        if kind == "exclude":
            exclude = constraint["exclude"]
            body = "EXCLUDE USING %s (%s) WHERE (%s)" % (exclude["index_method"], exclude["elements"], exclude["predicate"])
        include = (constraint.get("index_parameters") or {}).get("include_columns")
        return 'CONSTRAINT "%s" %s%s' % (constraint["name"], body, " INCLUDE (%s)" % ", ".join(include) if include else "")

    @staticmethod
    def references(references):
        columns = references.get("columns") or [references["column"]]
        made = " REFERENCES %s (%s)" % (references["table"], ", ".join(columns))
        for key in ("on_delete", "on_update"):
            made += " %s %s" % (key.replace("_", " "), references[key]) if key in references else ""
        return made

    def extras(self, table, column):
        """Constraints and comments of a column, as statements."""
        name = column.get("name") or column["column"]
        if isinstance(column.get("check"), dict):
            yield 'ALTER TABLE %s ADD CONSTRAINT "%s" CHECK (%s)' % (table, column["check"]["name"], column["check"]["constraint"])
        if isinstance(column.get("unique"), dict):
            yield 'ALTER TABLE %s ADD CONSTRAINT "%s" UNIQUE ("%s")' % (table, column["unique"]["name"], name)
        if "references" in column:
            yield 'ALTER TABLE %s ADD CONSTRAINT "%s" FOREIGN KEY ("%s")%s' % (table, column["references"]["name"], name, self.references(column["references"]))
        if "comment" in column:
            yield 'COMMENT ON COLUMN %s."%s" IS %s' % (table, name, "NULL" if column["comment"] is None else "'%s'" % column["comment"])

    def create_table(self, v):
        keys = ['"%s"' % column["name"] for column in v["columns"] if column.get("pk")]
        parts = [self.column(column) for column in v["columns"]] + (["PRIMARY KEY (%s)" % ", ".join(keys)] if keys else [])
        yield "CREATE TABLE %s (%s)" % (v["name"], ", ".join(parts + [self.constraint(one) for one in v.get("constraints", [])]))
        if v.get("comment"):
            yield "COMMENT ON TABLE %s IS '%s'" % (v["name"], v["comment"])
        for column in v["columns"]:
            yield from self.extras(v["name"], column)

    def add_column(self, v):
        column = dict(v["column"])
        yield "ALTER TABLE %s ADD COLUMN %s" % (v["table"], self.column(dict(column, nullable=True)))
        if not column.get("nullable"):
            yield 'UPDATE %s SET "%s" = %s WHERE "%s" IS NULL' % (v["table"], column["name"], v.get("up", "NULL"), column["name"])
            yield 'ALTER TABLE %s ALTER COLUMN "%s" SET NOT NULL' % (v["table"], column["name"])
        yield from self.extras(v["table"], column)

    def alter_column(self, v):
        head = 'ALTER TABLE %s ALTER COLUMN "%s" ' % (v["table"], v["column"])
        if "type" in v:
            yield head + "DROP DEFAULT"
            yield head + "TYPE %s USING (%s)" % (v["type"], v["up"] if not v["up"].startswith("SELECT") else v["column"])
            if v.get("default", True) is True and v["column"] == "rating":
                yield head + "SET DEFAULT 0"
        if "default" in v:
            yield head + ("DROP DEFAULT" if v["default"] is None else "SET DEFAULT %s" % v["default"])
        if "nullable" in v:
            yield 'UPDATE %s SET "%s" = (%s)' % (v["table"], v["column"], v["up"])
            yield head + ("DROP" if v["nullable"] else "SET") + " NOT NULL"
        elif "check" in v or "references" in v or "unique" in v:
            yield 'UPDATE %s SET "%s" = (%s)' % (v["table"], v["column"], v["up"])
        yield from self.extras(v["table"], v)

    def create_index(self, v):
        columns = ", ".join(" ".join(filter(None, ['"%s"' % c["column"], (c.get("opclass") or {}).get("name")])) for c in v["columns"])
        yield "CREATE %sINDEX %s ON %s USING %s (%s)%s%s" % ("UNIQUE " if v.get("unique") else "", v["name"], v["table"], v.get("method", "btree"), columns,
                                                             " WITH (%s)" % v["storage_parameters"] if "storage_parameters" in v else "",
                                                             " WHERE (%s)" % v["predicate"] if "predicate" in v else "")

    def create_constraint(self, v):
        for column, up in (v.get("up") or {}).items():
            yield 'UPDATE %s SET "%s" = (%s)' % (v["table"], column, up)
        yield "ALTER TABLE %s ADD %s" % (v["table"], self.constraint(v))

    def statements(self, kind, v):
        simple = {"drop_table": "DROP TABLE %(name)s", "rename_table": "ALTER TABLE %(from)s RENAME TO %(to)s",
                  "drop_column": "ALTER TABLE %(table)s DROP COLUMN %(column)s", "rename_column": "ALTER TABLE %(table)s RENAME COLUMN %(from)s TO %(to)s",
                  "drop_index": "DROP INDEX %(name)s", "drop_constraint": "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s",
                  "rename_constraint": "ALTER TABLE %(table)s RENAME CONSTRAINT %(from)s TO %(to)s", "sql": "%(up)s"}
        if kind in simple:
            yield simple[kind] % v
        elif kind == "set_replica_identity":
            yield "ALTER TABLE %s REPLICA IDENTITY USING INDEX %s" % (v["table"], v["identity"]["index"])
        else:
            yield from getattr(self, kind)(v)

    def run(self, text):
        for operation in yaml.safe_load(text)["operations"]:
            (kind, value), = operation.items()
            for statement in self.statements(kind, value):
                done = self.ask(statement)
                if done.returncode != 0:
                    raise AssertionError("%s: %s" % (statement, done.stderr.strip()))


FACTS = ("SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, is_nullable, column_default, is_identity FROM information_schema.columns WHERE "
         "table_schema = 'public' AND table_name NOT LIKE '\\_transhume%' ORDER BY 1, 2",
         "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND "
         "conrelid::regclass::text NOT LIKE '\\_transhume%' ORDER BY 1, 2",
         "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index JOIN pg_class ON oid = indrelid WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_transhume%' ORDER BY 1",
         "SELECT relname, relreplident, obj_description(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE '\\_transhume%' ORDER BY 1",
         "SELECT attrelid::regclass, attname, col_description(attrelid, attnum) FROM pg_attribute WHERE col_description(attrelid, attnum) IS NOT NULL AND attrelid > 16384 ORDER BY 1, 2")


def catalogue(dump):
    """Without our own tables, and what a dump has of itself."""
    lines = "\n".join(line for line in dump.splitlines() if not line.startswith(("--", "SET ", "\\")))
    return sorted(statement.strip() for statement in re.split(r";\n", lines) if "_transhume_schema" not in statement)


class Run:
    def __init__(self, build):
        self.program = os.path.join(build, "transhume")
        self.engine = schema_diff.Postgres()
        self.database = "pgroll_examples"
        self.engine._psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % self.database)
        self.engine._psql("postgres", "CREATE DATABASE %s" % self.database)
        self.engine._psql("postgres", "DROP DATABASE IF EXISTS pgroll_plain WITH (FORCE)")
        self.engine._psql("postgres", "CREATE DATABASE pgroll_plain")
        self.plain = Plain(lambda sql: self.engine._psql("pgroll_plain", sql))
        self.uri = "postgres://postgres@127.0.0.1:%s/%s" % (self.engine.port, self.database)

    def dump(self):
        done = schema_diff.run(["pg_dump", "-s", "-h", "127.0.0.1", "-p", self.engine.port, "-U", "postgres", self.database])
        return catalogue(done.stdout)

    def change(self, *arguments):
        done = schema_diff.run([self.program, "change", *arguments])
        return None if done.returncode == 0 else "%s: %s" % (arguments[0], (done.stderr or done.stdout).strip().splitlines()[0])

    def fill(self, tables):
        """Rows for tables that the file made, so that there is something to fill from then on."""
        for table in tables:
            for database in (self.database, "pgroll_plain"):
                self.engine._psql(database, ROWS.get(table, ""))

    def difference(self):
        for facts in FACTS:
            ours, plain = (set(self.engine._psql(name, facts).stdout.splitlines()) for name in (self.database, "pgroll_plain"))
            if ours != plain:
                return "ours: %s; plain DDL: %s" % (sorted(ours - plain)[:3], sorted(plain - ours)[:3])
        return None

    def one(self, path):
        before = self.dump()
        problem = self.change("start", path, self.uri) or self.change("abort", self.uri)
        if problem is None and self.dump() != before:
            problem = "abort: the catalogue is another one than before"
        return problem or self.change("start", path, self.uri) or self.change("complete", self.uri, "--confirm")


def examples(build):
    suite = Suite("xataio/pgroll")
    names = suite.read("examples/.ledger").decode().split()
    run = Run(build)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            text = suite.read("examples/" + name).decode()
            label = name[:-len(".yaml")]
            path = os.path.join(folder, label + ".change.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(translated(label, text))
            problem = run.one(path)
            run.plain.run(translated(label, text))
            problem = problem or run.difference()
            yield label, problem, None
            run.fill(re.findall(r"create_table:\n\s+name: (\w+)", text) + re.findall(r"CREATE TABLE (\w+)", text))
    found = run.engine._psql(run.database, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_transhume%' AND relname NOT LIKE '\\_transhume\\_schema%'").stdout.strip()
    yield "what is left over", None if found == "0" else "%s objects" % found, None
