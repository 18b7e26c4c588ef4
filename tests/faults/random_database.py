"""SQLite databases made at random from a seed: odd names, odd types, odd keys, every kind of value.

A statement that SQLite itself refuses is left out, so that all that remains is a database which people could have.
"""
import sqlite3
import struct

NAMES = ("a", "b", "Name", "it's", 'quo"te', "two words", "new\nline", "tab\t", "select", "table", "\u00fc",
         "\U0001f411",
         "x" * 120, "[b]", "`t`", "%s%n", "a.b", "{x}", "$page", "*", "rowid", "oid", "_rowid_", "", " ", ";--", "\\",
         "key", "order", "?1", ":a", "@b", "main", "NULL", "A", "group", "_transhume_run", "e\u0301", "\u00e9", "1",
         "-1",
         "sql", "type", "tbl_name", "x'00'", "/*", "temp", "old", "new", "excluded", "\u202e", "\x1b[31m")
TYPES = ("INTEGER", "INT", "BIGINT", "TEXT", "VARCHAR(10)", "REAL", "DOUBLE PRECISION", "BLOB", "", "NUMERIC(10,2)",
         "DECIMAL(38,10)", "NUMERIC", "BOOLEAN", "DATE", "DATETIME", "weird type", "FLOATING POINT", "CHARINT", "UUID",
         "JSON", "STRING", "BIGINT UNSIGNED", "NUMERIC(5)", "DECIMAL(0,0)", "decimal(10, -2)", "TIME", "ANY", "NULL")
STRICT_TYPES = ("INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY")
COLLATIONS = ("", "", "", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY")
CONFLICTS = ("", "", "", " ON CONFLICT IGNORE", " ON CONFLICT REPLACE", " ON CONFLICT ROLLBACK")
INTEGERS = (0, 1, -1, 2 ** 63 - 1, -2 ** 63, 2 ** 53 + 1, 2 ** 31, -2 ** 31 - 1, 255, 10 ** 18)
FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, 1.98, 1e300, -1e300, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"),
          2.0 ** 53, 2.0 ** 63, 1e15, 1e16, 123456789.125, 1e-7, 0.1 + 0.2, 9007199254740993.0)
TEXTS = ("", " ", "  x  ", "a", "A", "a ", "\0", "nul\0in it", "\u00e9", "e\u0301", "\U0001f411" * 3, "1", "01", "1.0",
         "1.98",
         "-0", "1e5", "0x10", "inf", "nan", "NULL", "'", '"', "\n", "\r\n", "\u2028", "\ufeff", "\ufffd",
         "9223372036854775808",
         "2024-02-30", "2024-01-01T00:00:00Z", "{}", "[1]", "{CustomerId}", "x" * 300, "\x7f\x1b[0m", "true",
         "999999999.999")


def quoted(name):
    return '"%s"' % name.replace('"', '""')


def random_value(seed):
    kind = seed.randrange(9)
    if kind == 0:
        return None
    if kind == 1:
        return seed.choice(INTEGERS)
    if kind == 2:
        return seed.randint(-100, 100)
    if kind == 3:
        return seed.choice(FLOATS)
    if kind == 4:
        value = struct.unpack("d", seed.randbytes(8))[0]
        return None if value != value else value
    if kind == 5:
        return seed.randbytes(seed.choice((0, 1, 16, 300, 5000)))
    if kind == 6:
        return seed.choice(TEXTS)
    if kind == 7:
        return str(seed.randint(-99999, 99999) / 100)
    return "word%d" % seed.randint(0, 40)


class RandomDatabase:
    """Writes one database; `tables` are the names of its tables, `refused` how many statements SQLite refused."""

    def __init__(self, seed, path, rows_max=400, simple=False, names=NAMES, keyless=False, tables_named="Name-%d.x_"):
        """`simple`: tables named as DynamoDB takes it, `tables_named` with a number, and a key of one or two columns.
        `names`: of columns.
        `keyless`: but some tables without a key."""
        self.tables_named = tables_named
        self.keyless = keyless
        self.column_choice = names
        self.seed = seed
        self.simple = simple
        self.number = 0
        self.tables = []
        self.names = set()
        self.refused = 0
        self.rows_max = rows_max
        self.db = sqlite3.connect(path, isolation_level=None)
        self.settings()
        for _ in range(seed.randint(1, 5)):
            self.table()
        for _ in range(seed.randint(0, 3)):
            self.view()
        if seed.random() < 0.3:
            self.trigger()
        if seed.random() < 0.2:
            self.delete_some()
        self.db.close()

    def settings(self):
        seed = self.seed
        self.utf16 = seed.random() < 0.2
        if self.utf16:
            self.run("PRAGMA encoding = '%s'" % seed.choice(("UTF-16le", "UTF-16be")))
        self.run("PRAGMA page_size = %d" % seed.choice((512, 1024, 4096, 4096, 4096, 8192, 65536)))
        if seed.random() < 0.2:
            self.run("PRAGMA auto_vacuum = %d" % seed.randint(1, 2))
        if seed.random() < 0.3:
            self.run("PRAGMA journal_mode = WAL")
        self.run("PRAGMA synchronous = OFF")

    def run(self, sql, values=()):
        try:
            self.db.execute(sql, values)
            return True
        except (sqlite3.Error, OverflowError):
            self.refused += 1
            return False

    def name(self):
        """A name that no table, view or index has yet."""
        while True:
            if self.simple:
                self.number += 1
                return self.tables_named % self.number
            name = self.seed.choice(NAMES)
            if self.seed.random() < 0.6:
                name += "%d" % self.seed.randrange(1000)
            if name and name.lower() not in self.names and not name.lower().startswith(("sqlite_", "_transhume_")):
                self.names.add(name.lower())
                return name

    def column_names(self, count):
        names, known = [], {""} if self.simple else set()
        while len(names) < count:
            name = self.seed.choice(self.column_choice)
            if self.seed.random() < 0.4:
                name += "%d" % self.seed.randrange(100)
            if name.lower() not in known:
                known.add(name.lower())
                names.append(name)
        return names

    def table(self):
        seed = self.seed
        strict = seed.random() < 0.15
        names = self.column_names(seed.randint(1, 7))
        stored, generated = names, []
        definitions = []
        integer_key = seed.random() < 0.4
        for i, name in enumerate(names):
            if integer_key and i == 0:
                definitions.append("%s INTEGER PRIMARY KEY%s" % (quoted(name), seed.choice(
                    ("", "", " AUTOINCREMENT", " DESC", " NOT NULL", " ASC ON CONFLICT REPLACE"))))
                continue
            if i > 0 and seed.random() < 0.12:
                generated.append(name)
                definitions.append("%s %s GENERATED ALWAYS AS (%s) %s" % (
                    quoted(name), seed.choice(STRICT_TYPES if strict else TYPES),
                    # A BLOB as a number is read differently by versions of SQLite where texts are UTF-16.
                    seed.choice(("typeof(%s)", "%s || 'x'", "coalesce(%s, 0)", "length(%s)", "%s",
                                 "%s" if self.utf16 else "%s + 1"))
                    % quoted(names[0]), seed.choice(("STORED", "VIRTUAL"))))
                continue
            definitions.append("%s %s%s%s%s" % (
                quoted(name), seed.choice(STRICT_TYPES if strict else TYPES), seed.choice(COLLATIONS),
                seed.choice(("", "", "", "", " DEFAULT 5", " DEFAULT 'it''s'", " DEFAULT (1+1)", " DEFAULT NULL",
                             " DEFAULT CURRENT_TIMESTAMP", " DEFAULT x'00ff'", " DEFAULT -1.5e3")),
                seed.choice(("", "", "", "", "", " NOT NULL" + seed.choice(CONFLICTS),
                             " UNIQUE" + seed.choice(CONFLICTS)))))
        stored = [name for name in names if name not in generated]
        key = []
        keyless = self.keyless and seed.random() < 0.3
        if not integer_key and not keyless and (self.simple or seed.random() < 0.6):
            keyed = [n for n, d in zip(names, definitions) if n in stored and not (self.simple and "BOOL" in d)]
            if not keyed:  # only BOOLs, which are no keys for DynamoDB
                definitions[0] = quoted(names[0]) + " TEXT"
                keyed = [names[0]]
            key = seed.sample(keyed, min(len(keyed), seed.choice((1, 1, 2, 2, 2 if self.simple else 3))))
        if key:
            definitions.append("PRIMARY KEY (%s)%s" % (", ".join(
                quoted(k) + seed.choice(COLLATIONS) + seed.choice(("", "", " DESC")) for k in key),
                                                       seed.choice(CONFLICTS)))
        if seed.random() < 0.2:
            definitions.append("UNIQUE (%s)%s" % (", ".join(map(quoted, seed.sample(stored, min(2, len(stored))))),
                                                  seed.choice(CONFLICTS)))
        if seed.random() < 0.1:
            definitions.append("CHECK (%s IS NULL OR length(%s) < 4000)" % ((quoted(stored[-1]),) * 2))
        table = self.name()
        if seed.random() < 0.3:
            other = seed.choice(self.tables)[0] if self.tables and seed.random() < 0.7 else table
            definitions.append("FOREIGN KEY (%s) REFERENCES %s%s" % (
                quoted(seed.choice(stored)), quoted(other),
                seed.choice(("", " ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"))))
        options = []
        if (key or integer_key) and seed.random() < 0.35:
            options.append("WITHOUT ROWID")
        if strict:
            options.append("STRICT")
        if not self.run("CREATE TABLE %s(%s) %s" % (quoted(table), ", ".join(definitions), ", ".join(options))):
            return
        self.tables.append((table, names))
        if seed.random() < 0.5:
            self.index(table, names)
        self.rows(table, stored, integer_key, "WITHOUT ROWID" not in options)
        if seed.random() < 0.3:
            self.index(table, names)
        if seed.random() < 0.1:
            self.run("ALTER TABLE %s ADD COLUMN %s %s DEFAULT %s" % (
                quoted(table), quoted("added"), "ANY" if strict else seed.choice(TYPES),
                seed.choice(("NULL", "7", "'late'", "1.50"))))
        if seed.random() < 0.05:
            self.run("ALTER TABLE %s DROP COLUMN %s" % (quoted(table), quoted(names[-1])))

    def rows(self, table, stored, integer_key, rowids):
        seed = self.seed
        count = min(self.rows_max, seed.choice((0, 1, 3, 30, 30, 150, 400)))
        by_rowid = rowids and not integer_key and seed.random() < 0.3
        free = [n for n in ("rowid", "oid", "_rowid_") if n not in map(str.lower, stored)]
        columns = list(map(quoted, stored))
        if by_rowid and free:
            columns.append(free[0])
        statement = "INSERT INTO %s(%s) VALUES (%s)" % (quoted(table), ", ".join(columns),
                                                        ", ".join("?" * len(columns)))
        spread = seed.choice((50, 10 ** 6, 2 ** 62))
        self.run("BEGIN")
        for number in range(count):
            values = [random_value(seed) for _ in stored]
            if integer_key:
                values[0] = seed.choice((None, seed.randint(-spread, spread), number, seed.choice(INTEGERS)))
            if by_rowid and free:
                values.append(seed.choice((None, seed.randint(-spread, spread), seed.choice(INTEGERS))))
            self.run(statement, values)
        if seed.random() < 0.1:
            self.run("UPDATE %s SET %s = CAST(x'ff41c328' AS TEXT)" % (quoted(table), quoted(stored[-1])))
        if self.db.in_transaction:
            self.run("COMMIT")

    def index(self, table, names):
        seed = self.seed
        parts = [quoted(n) + seed.choice(COLLATIONS) + seed.choice(("", " DESC"))
                 for n in seed.sample(names, min(len(names), seed.randint(1, 3)))]
        if seed.random() < 0.2:
            parts.append("length(%s)" % quoted(names[0]))
        self.run("CREATE %sINDEX %s ON %s(%s)%s" % (
            seed.choice(("", "", "UNIQUE ")), quoted(self.name()), quoted(table), ", ".join(parts),
            seed.choice(("", "", " WHERE %s IS NOT NULL" % quoted(names[0])))))

    def view(self):
        if not self.tables:
            return
        table, names = self.seed.choice(self.tables)
        view = self.name()
        if self.run("CREATE VIEW %s AS SELECT %s, count(*) FROM %s GROUP BY 1" % (
                quoted(view), quoted(names[0]), quoted(table))) and self.seed.random() < 0.5:
            self.run("CREATE VIEW %s AS SELECT * FROM %s WHERE 1" % (quoted(self.name()), quoted(view)))

    def trigger(self):
        if self.tables:
            table, _ = self.seed.choice(self.tables)
            other, _ = self.seed.choice(self.tables)
            self.run("CREATE TRIGGER %s AFTER INSERT ON %s BEGIN DELETE FROM %s; END" % (
                quoted(self.name()), quoted(table), quoted(other)))

    def delete_some(self):
        for table, names in self.tables:
            self.run("DELETE FROM %s WHERE typeof(%s) = 'text'" % (quoted(table), quoted(names[-1])))
