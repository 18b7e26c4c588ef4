"""A random SQLite file as Python sees it: its tables, and how docs/types/sqlite.md says that their values are read."""
import support
from random_database import quoted

DECIMAL_WORDS = ("NUMERIC", "DECIMAL", "DEC", "NUMBER")


def key_type(declared):
    upper = declared.upper()
    if "INT" in upper:
        return "N"
    if any(t in upper for t in ("CHAR", "CLOB", "TEXT")):
        return "S"
    if "BLOB" in upper:
        return "B"
    if any(t in upper for t in ("REAL", "FLOA", "DOUB")) or leading_word(declared) in DECIMAL_WORDS:
        return "N"
    return "S"


def leading_word(declared):
    word = ""
    for c in declared:
        if not (c.isascii() and (c.isalnum() or c == "_")):
            break
        word += c
    return word.upper()


def reading_rule(declared, strict):
    """How docs/types/sqlite.md says that the numbers of a column are read."""
    if strict:
        return "as stored"
    word, upper = leading_word(declared), declared.upper()
    if word in DECIMAL_WORDS and not any(t in upper for t in (
            "INT", "CHAR", "CLOB", "TEXT", "BLOB", "REAL", "FLOA", "DOUB")):
        return "decimal"
    return "bool" if word in ("BOOL", "BOOLEAN") else "as stored"


def is_utf8(data):
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


class Table:
    """One table of a source as Python's sqlite3 sees it."""

    def __init__(self, db, name):
        self.name = name
        info = [row for row in db.execute("PRAGMA table_xinfo(%s)" % quoted(name)) if row[6] != 1]
        self.columns = [row[1].decode() for row in info]
        sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        self.strict = sql.rstrip().endswith(b"STRICT")
        self.rules = [reading_rule(row[2].decode(), self.strict) for row in info]
        keyed = sorted((row[5], row[1].decode()) for row in info if row[5])
        self.key = [column for _, column in keyed]
        self.declared = {row[1].decode(): row[2].decode() for row in info}
        pairs = ", ".join("typeof(%s), CAST(%s AS BLOB), %s" % (q, q, q) for q in map(quoted, self.columns))
        self.rows = []
        for row in db.execute("SELECT %s FROM %s" % (pairs, quoted(name))):
            values = [(row[i].decode(), row[i + 2]) for i in range(0, len(row), 3)]
            self.rows.append(values)


def tables_of(path):
    db = support.open_sqlite(path)
    names = [row[0].decode() for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")]
    tables = [Table(db, name) for name in names]
    db.close()
    return tables
