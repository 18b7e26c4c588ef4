"""A masked copy beside a plain one, SQLite to SQLite by the general path: 2,000,000 rows of nine columns, four of them masked; a masked key with joins on it; a shuffled column."""
import os
import sqlite3

import harness

NAME = "masks"
ROWS = 2000000
MARK = 1.5
SCHEMA = """CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone TEXT, city TEXT, born TEXT, salary INTEGER, note TEXT, seen TEXT);
CREATE TABLE visit(id INTEGER PRIMARY KEY, person INTEGER REFERENCES person(id), at TEXT);
"""
MASKS = "mask: { key: '${MASK_KEY}', columns: { person.email: hash, person.name: fake name, person.phone: partial 2, person.note: redact } }\n"
KEY = "mask: { key: '${MASK_KEY}', columns: { person.id: hash } }\n"
SHUFFLE = "mask: { key: '${MASK_KEY}', columns: { person.salary: shuffle } }\n"


def make(path, rows):
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
    database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO person "
                     "SELECT i, 'p' || i || '@example.org', 'Name ' || (i %% 5000), '+49 30 ' || (i * 7 %% 1000000), 'City ' || (i %% 300), '1970-01-01', "
                     "i %% 90000, 'note ' || i, '2024-01-01' FROM n" % rows)
    database.execute("INSERT INTO visit SELECT id, id * 7 %% %d + 1, '2024-01-01' FROM person WHERE id %% 10 = 0" % rows)
    database.commit()
    database.close()


def write_plan(bench, name, masks):
    path = os.path.join(bench.scratch, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("transhume: 1\n" + masks)
    return path


def joined(path):
    database = sqlite3.connect(path)
    count = database.execute("SELECT count(*) FROM visit JOIN person ON visit.person = person.id").fetchone()[0]
    database.close()
    return count


def run(bench):
    rows = bench.size(ROWS, ROWS // 10)
    source = os.path.join(bench.scratch, "people.db")
    make(source, rows)
    os.environ["MASK_KEY"] = "a-key-for-benches"
    plans = [write_plan(bench, "plain.yaml", ""), write_plan(bench, "masks.yaml", MASKS), write_plan(bench, "hash.yaml", KEY),
             write_plan(bench, "shuffle.yaml", SHUFFLE)]
    plain, masked, keys, shuffled = bench.alternate(
        *([*bench.migrate("--no-express", "--plan", path), source, "{folder}/copy.db"] for path in plans))
    base = harness.median(plain, harness.wall_s)
    yield harness.at_most(NAME, "four columns masked, plain = 1", harness.median(masked, harness.wall_s) / base, MARK, "")
    yield harness.at_most(NAME, "a key and its references masked, plain = 1", harness.median(keys, harness.wall_s) / base, MARK, "")
    yield harness.fact(NAME, "a column shuffled, plain = 1", "%.2f" % (harness.median(shuffled, harness.wall_s) / base))
    yield harness.memory(NAME, masked + keys + shuffled)
    bench.measure([*bench.migrate("--plan", plans[2]), source, "{folder}/copy.db"])
    found, wanted = joined(os.path.join(bench.scratch, "run", "copy.db")), joined(source)
    yield harness.Row(NAME, "rows joined by a masked key", str(found), str(wanted), found == wanted)
