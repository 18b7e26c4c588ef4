"""pgroll's examples, in the order of its ledger: each is started, taken back, started and completed by `transhume change`.

After each abort the catalogue is what it was; tables get rows as soon as they are there. What is put otherwise here than there: `onComplete`, `drop_multicolumn_constraint`, a statement
without a way back gets one (40), and a name that is no column (35) is put right.
"""
import os
import re
import tempfile

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


def catalogue(dump):
    """Without our own tables, and what a dump has of itself."""
    statements = re.split(r";\n", dump)
    return sorted(statement.strip() for statement in statements if "_transhume_schema" not in statement and "restrict" not in statement)


class Run:
    def __init__(self, build):
        self.program = os.path.join(build, "transhume")
        self.engine = schema_diff.Postgres()
        self.database = "pgroll_examples"
        self.engine._psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % self.database)
        self.engine._psql("postgres", "CREATE DATABASE %s" % self.database)
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
            if table in ROWS:
                self.engine._psql(self.database, ROWS[table])

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
            yield label, problem, None
            run.fill(re.findall(r"create_table:\n\s+name: (\w+)", text) + re.findall(r"CREATE TABLE (\w+)", text))
    found = run.engine._psql(run.database, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_transhume%' AND relname NOT LIKE '\\_transhume\\_schema%'").stdout.strip()
    yield "what is left over", None if found == "0" else "%s objects" % found, None
