"""MariaDB, through its own client.

Columns hold one kind of values; which of the types that hold them all a column gets is drawn.
"""
import re

import mariadb

from . import holding, records, rows

NAME = "mysql"
SERVER, REASONS = mariadb, ("no MariaDB:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "transactions", True, True, "tables"
WORDS = r"mysql|mariadb|SERVERS"
SOURCES = ("src/connectors/mysql/", "src/connectors/sql/", "src/sql/")


def uri(at):
    server, name = at
    return server.uri(name)

KEY_LENGTH = 250
NAME_LENGTH = 64


def quoted(name):
    return "`%s`" % name.replace("`", "``")


def takes_name(name):
    """No letters beyond the basic plane, no blank or its like at the end, no more than 64."""
    return 0 < len(name) <= NAME_LENGTH and name[-1] not in " \t\n\v\f\r" and all("\0" < c <= "\uffff" for c in name)


def fit(tables):
    """Leaves out tables and keys that MariaDB would not take."""
    tables = [table for table in tables if all(map(takes_name, (table.name, *table.columns))) and
              not table.name.startswith("_transhume")]
    for table in tables:
        for record in table.records:
            for column in table.key:
                tag, value = record.get(column, ("n", 0))
                if tag in "sb" and len(value) > KEY_LENGTH:
                    del record[column]
    return tables


def is_double(value):
    return records.number(repr(float(value))) == ("n", value)


def is_decimal(value):
    """Of decimal(65,30)."""
    return value.adjusted() < 35 and value.as_tuple().exponent >= -30


def number_types(values):
    """All types that hold these numbers; of what none holds all of, double."""
    fitting = [name for name, holds in (("bigint", records.whole_number), ("decimal(65,30)", is_decimal),
                                        ("double", is_double),
                                        ("bigint unsigned", lambda v: v >= 0 and records.whole_number(v)))
               if all(map(holds, values))]
    return fitting or ["double"]


def text_types(values, keyed, kind, longs):
    """All types of `kind` that hold texts or bytes of these lengths, and the `longs` where it is no key."""
    length = max([KEY_LENGTH if keyed else 1, *map(len, values)])
    return ["%s(%d)" % (kind, length)] * (length < 4096) + ([] if keyed else longs)


def types_of(seed, table, tags):
    """{column: a type for its values}"""
    types = {}
    for column in table.columns:
        values = [record[column][1] for record in table.records if column in record]
        finite = [value for value in values if not isinstance(value, str)]
        keyed = column in table.key
        types[column] = seed.choice({
            "n": lambda: number_types(finite), "t": lambda: ["tinyint(1)", "boolean", "bit(1)"],
            "s": lambda: text_types(values, keyed, "varchar", ["longtext", "mediumtext"]),
            "b": lambda: text_types(values, keyed, "varbinary", ["longblob", "mediumblob"])}[tags[column]]())
    return types


def field_of(column, tag):
    """Of a plan."""
    return {"column": column, "cast": {"n": "decimal", "s": "text", "b": "bytes", "t": "bool"}[tag], "lossy": "allow"}


def drop_unfit(table, types, infinite):
    """
    Leaves out numbers that a plan which allows losses would round, and, unless MariaDB is to reject them, `infinite`
    ones.
    """
    for record in table.records:
        for column, (tag, value) in list(record.items()):
            special = isinstance(value, str)
            if tag == "n" and (infinite if special else types[column] == "double" and not is_double(value)):
                del record[column]


def literal(tagged):
    if tagged is None:
        return "NULL"
    tag, value = tagged
    if tag == "n":
        return records.number_text(value)
    if tag == "b":
        return "x'%s'" % value.hex()
    return str(int(value)) if tag == "t" else "_utf8mb4 x'%s'" % value.encode().hex()


COLLATIONS = ("utf8mb4_nopad_bin", "utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_nopad_ci")


def write(at, tables, types, seed, collations=COLLATIONS):
    server, name = at
    sql = []
    for table in tables:
        columns = ["%s %s" % (quoted(column), types[table.name][column]) for column in table.columns]
        # Where blanks or cases do not tell keys apart, some records stay out: what is there is read before the trip.
        sql.append("CREATE TABLE %s(%s%s) COLLATE %s" % (
            quoted(table.name), ", ".join(columns), records.primary_key(table, quoted), seed.choice(collations)))
        for record in table.records:
            sql.append("INSERT IGNORE INTO %s VALUES (%s)" % (
                quoted(table.name), ", ".join(literal(record.get(column)) for column in table.columns)))
    server.ask(name, ";\n".join(sql))


def read(at):
    """Every value as the hexadecimal digits of its text, so that nothing in it is taken for the client's own."""
    server, name = at
    shapes = {}
    for table, column, kind in server.ask(name, """
            SELECT hex(table_name), hex(column_name), data_type FROM information_schema.columns
            WHERE table_schema = database() AND table_name NOT LIKE '\\_transhume%' ORDER BY table_name, ordinal_position"""):
        shapes.setdefault(bytes.fromhex(table).decode(), []).append((bytes.fromhex(column).decode(), kind))
    found = {table: [] for table in shapes}
    asked, tables = [], list(shapes)
    for at, table in enumerate(tables):
        texts = [expression(quoted(column), kind) for column, kind in shapes[table]]
        asked.append("SELECT %d, %s FROM %s" % (at, ", ".join(texts), quoted(table)))
    for row in server.ask(name, ";\n".join(asked)) if asked else []:
        table = tables[int(row[0])]
        found[table].append({column: value_of(text, kind) for (column, kind), text in zip(shapes[table], row[1:])
                             if text is not None})
    return found


def expression(column, kind):
    if kind.endswith(("blob", "binary")):
        return "hex(%s)" % column
    return "hex(convert(%s USING utf8mb4))" % (column + " + 0" if kind == "bit" else column)


def value_of(text, kind):
    data = bytes.fromhex(text)
    if kind.endswith(("blob", "binary")):
        return ("b", data)
    return ("s", data.decode()) if kind.endswith(("char", "text")) else records.number(data.decode())


def contents(server, name):
    return rows.in_server(lambda sql: server.ask(name, sql), "database()", "`%s`", "lower(hex(%s))")


class Holding(holding.Server):
    filled = """
        CREATE TABLE plain(id bigint PRIMARY KEY, a longtext, b longblob, price decimal(10,2), r double, mine text);
        CREATE TABLE pair(x varchar(50) COLLATE utf8mb4_bin, y bigint, note text, PRIMARY KEY (x, y));
        CREATE TABLE counted(id bigint PRIMARY KEY, plain_id bigint, u varchar(50) UNIQUE);
        CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
        INSERT INTO plain SELECT (CAST(seq AS SIGNED) - 20) * 5, concat('old ', seq), x'00ff', seq / 4, NULL, 'kept' FROM seq_0_to_139;
        INSERT INTO pair SELECT concat('k', (seq + 6) % 13), CAST(seq AS SIGNED) - 20, 'old' FROM seq_0_to_139;
        INSERT INTO counted SELECT (CAST(seq AS SIGNED) - 20) * 11, NULL, concat('old ', seq) FROM seq_0_to_139;"""

    def ask(self, statements):
        return self.server.ask(self.name, statements)

    def definitions(self):
        tables = [name for name in self.all_tables() if not name.startswith("_transhume")]
        asked = self.ask("".join("SHOW CREATE TABLE `%s`;" % table for table in tables)) if tables else []
        return {table: re.sub(" AUTO_INCREMENT=[0-9]+", "", text) for table, text in asked}

    def rows(self):
        return self.server.rows(self.name)

    @staticmethod
    def key(row):
        return row

    def all_tables(self):
        return [name for name, in self.ask("SHOW TABLES")]
