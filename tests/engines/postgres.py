"""PostgreSQL, through psql."""
import postgres
import support

from . import holding, records, rows

NAME = "postgres"
SERVER, REASONS = postgres, ("no PostgreSQL:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "transactions", True, True, "tables"
TYPES = {"n": "NUMERIC", "s": "TEXT", "b": "bytea", "t": "BOOLEAN"}
WORDS = r"postgres|SERVERS"
SOURCES = ("src/connectors/postgres/", "src/connectors/sql/", "src/sql/")


def uri(at):
    server, schema = at
    return server.uri("postgres", "?schema=" + schema)


def column(tag):
    return TYPES[tag]


def fit(tables):
    """Leaves out tables and values that PostgreSQL would not take; its index of a key takes a third of a page."""
    tables = [table for table in tables if all(0 < len(name.encode()) <= 63 for name in (table.name, *table.columns))
              and
              not table.name.startswith("_transhume")]
    for table in tables:
        for record in table.records:
            for column, (tag, value) in list(record.items()):
                if tag == "s" and "\0" in value or column in table.key and tag in "sb" and len(value) > 250:
                    del record[column]
    return tables


def literal(tagged):
    if tagged is None:
        return "NULL"
    tag, value = tagged
    if tag == "n":
        return "'%s'" % records.number_text(value)
    if tag == "b":
        return "'\\x%s'" % value.hex()
    return ("true" if value else "false") if tag == "t" else "'%s'" % value.replace("'", "''")


def write(at, tables, types, _draw):
    server, schema = at
    sql = ["SET search_path TO %s" % schema]
    for table in tables:
        columns = ["%s %s" % (support.quoted(column), TYPES[types[table.name][column]]) for column in table.columns]
        sql.append("CREATE TABLE %s(%s%s)" % (support.quoted(table.name), ", ".join(columns),
                                              records.primary_key(table)))
        for record in table.records:
            sql.append("INSERT INTO %s VALUES (%s) ON CONFLICT DO NOTHING" % (
                support.quoted(table.name), ", ".join(literal(record.get(column)) for column in table.columns)))
    server.psql("postgres", ";\n".join(sql))


def read(at):
    """Every value as the hexadecimal digits of its text, so that nothing in it is taken for psql's own."""
    server, schema = at
    found = {}
    columns = server.psql("postgres", """
        SELECT encode(convert_to(c.relname, 'UTF8'), 'hex'), encode(convert_to(a.attname, 'UTF8'), 'hex'), format_type(a.atttypid, NULL)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = '%s'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_transhume%%'
        ORDER BY c.relname, a.attnum""" % schema)
    shapes = {}
    for table, column, kind in columns:
        shapes.setdefault(bytes.fromhex(table).decode(), []).append((bytes.fromhex(column).decode(), kind))
    for table, shape in shapes.items():
        texts = ["encode(%s, 'hex')" % (support.quoted(column) if kind == "bytea" else
                                         "convert_to(%s::text, 'UTF8')" % support.quoted(column))
                 for column, kind in shape]
        rows = server.psql("postgres", "SELECT %s FROM %s.%s" % (", ".join(texts), schema, support.quoted(table)))
        found[table] = [{column: value_of(text, kind) for (column, kind), text in zip(shape, row) if text is not None}
                        for row in rows]
    return found


def value_of(text, kind):
    data = bytes.fromhex(text)
    if kind == "bytea":
        return ("b", data)
    if kind == "boolean":
        return ("t", data == b"true")
    return ("s", data.decode()) if kind in ("text", "character varying") else records.number(data.decode())


def contents(server, name):
    return rows.in_server(lambda sql: server.psql(name, sql), "'public'", '"%s"', "encode(%s, 'hex')")


class Holding(holding.Server):
    filled = """
        CREATE TABLE plain(id bigint PRIMARY KEY, a text, b bytea, price numeric(10,2), r float8, mine text);
        CREATE TABLE pair(x text, y bigint, note text, PRIMARY KEY (x, y));
        CREATE TABLE counted(id bigint PRIMARY KEY, plain_id bigint, u text UNIQUE);
        CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
        INSERT INTO plain SELECT i * 5, 'old ' || i, '\\x00ff', i / 4.0, NULL, 'kept' FROM generate_series(-20, 119) i;
        INSERT INTO pair SELECT 'k' || (i + 26) % 13, i, 'old' FROM generate_series(-20, 119) i;
        INSERT INTO counted SELECT i * 11, NULL, 'old ' || i FROM generate_series(-20, 119) i;"""

    def ask(self, statements):
        return self.server.psql(self.name, statements)

    def definitions(self):
        asked = """
            SELECT c.relname, concat(
                (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                                             pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)
                   FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                (SELECT string_agg(conname || pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
                (SELECT string_agg(indexdef, ',' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public' AND tablename = c.relname))
              FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"""
        return {table: text for table, text in self.ask(asked) if not table.startswith("_transhume")}

    def rows(self):
        return {table: rows for (schema, table), rows in self.server.rows(self.name).items() if schema == "public"}

    @staticmethod
    def key(row):
        return row[1:].split(",")

    def all_tables(self):
        return [name for name, in self.ask("SELECT relname FROM pg_class WHERE relkind = 'r'")]
