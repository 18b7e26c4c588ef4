"""What a database holds, told by a client of its own and in one form, so that the program has no word in what is
expected.

The form is {table: its rows, sorted}; a row is a tuple of (column, value) by the columns' names, a value None or a kind
and a
text: ("number", "1.5"), ("text", "a"), ("bytes", "00ff"). All columns of all tables are in it, the program's own tables
are not.
Each engine has a function `contents` that gives it.
"""
import collections
import os

import items
import support
OF_COLUMNS = ("SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN "
              "information_schema.tables t "
              "ON t.table_name = c.table_name AND t.table_schema = c.table_schema WHERE t.table_type = 'BASE TABLE' "
              "AND c.table_schema = %s "
              "AND c.table_name NOT LIKE '\\_transhume%%' ORDER BY c.table_name, c.ordinal_position")
NUMBERS = {"bigint", "integer", "int", "smallint", "numeric", "decimal", "double precision", "double"}
BYTES = {"bytea", "blob", "longblob", "varbinary"}


def value(of):
    """A value as Python has it."""
    if of is None:
        return None
    if isinstance(of, bytes):
        return "bytes", of.hex()
    return ("text", of) if isinstance(of, str) else ("number", items.number(repr(of)))


def rows_of(records):
    return sorted((tuple(sorted(record.items())) for record in records), key=repr)


def in_server(ask, schema, quote, hexadecimal):
    tables = {}
    for table, column, kind in ask(OF_COLUMNS % schema):
        tables.setdefault(table, []).append((column, "number" if kind in NUMBERS else "bytes" if kind in BYTES
                                             else "text"))
    found = {}
    for table, columns in tables.items():
        asked = ", ".join(hexadecimal % (quote % column) if kind == "bytes" else quote % column
                          for column, kind in columns)
        found[table] = rows_of({column: typed(kind, text) for (column, kind), text in zip(columns, row, strict=True)}
                               for row in ask("SELECT %s FROM %s" % (asked, quote % table)))
    return found


def typed(kind, text):
    """A value as a text that its kind is known of."""
    return None if text is None else (kind, items.number(text) if kind == "number" else text)


def kinds_of(source):
    """{table: {column: kind}} of what in_sqlite told, for files that know no kinds."""
    return {table: {column: of[0] for row in rows for column, of in row if of} for table, rows in source.items()}


def with_each(tables, change):
    """The same with each value as `change` has it."""
    return {table: rows_of({column: change(of) for column, of in row} for row in rows)
            for table, rows in tables.items()}


def without_empty(tables):
    return with_each(tables, lambda of: None if of == ("text", "") else of)


def bytes_as_texts(tables, text):
    """As files have them that nothing tells the types of; `text` of the bytes."""
    return with_each(tables, lambda of: ("text", text(bytes.fromhex(of[1]))) if of and of[0] == "bytes" else of)


def files_of(folder, read):
    """{table: the records of its files}"""
    return {table: [record for name in sorted(os.listdir(os.path.join(folder, table)))
                    for record in read("".join(line + "\n" for line in support.read_lines(os.path.join(folder, table,
                        name))))]
            for table in sorted(os.listdir(folder)) if table != "_transhume"}


def differences(expected, found):
    """(table, row) that one of them has, or has more often."""
    result = [(table, "is missing" if table in expected else "is too much") for table in expected.keys() ^ found.keys()]
    for table in sorted(expected.keys() & found.keys()):
        wanted, present = collections.Counter(expected[table]), collections.Counter(found[table])
        result += [(table, "missing", row) for row in (wanted - present).elements()]
        result += [(table, "extra", row) for row in (present - wanted).elements()]
    return result[:support.DIFFERENCES_SHOWN_MAX]


def assert_same(test, expected, found):
    test.assertEqual(differences(expected, found), [])
    test.assertGreater(sum(map(len, expected.values())), 0)
