"""A table by DuckDB and its scanners, from one database into another whose table is there: run by a Python that has `duckdb` and `duckdb-ext-…`.

    duckdb_copy.py SOURCE_TYPE SOURCE TARGET_TYPE TARGET [TABLE]      SOURCE_TYPE csv: a file, whose types it learns itself
"""
import os
import sys

import duckdb

SCHEMAS = {"sqlite": "main", "postgres": "public", "mysql": ""}


def name_of(alias, kind, place, table):
    schema = SCHEMAS[kind] or place.rpartition("database=")[2].split()[0]
    return "%s.%s.%s" % (alias, schema, table)


def main(source_kind, source, target_kind, target, table="t"):
    db = duckdb.connect(config={"extension_directory": os.path.join(os.path.dirname(os.path.dirname(duckdb.__file__)), "duckdb_ext", "extensions")})
    is_file = source_kind == "csv"
    for kind in {source_kind, target_kind} - {"csv"}:
        db.execute("LOAD %s" % {"mysql": "mysql_scanner", "postgres": "postgres_scanner", "sqlite": "sqlite_scanner"}[kind])
    for alias, kind, place in (("s", source_kind, source), ("d", target_kind, target))[is_file:]:
        db.execute("ATTACH '%s' AS %s (TYPE %s%s)" % (place, alias, kind, ", READ_ONLY" if alias == "s" else ""))
    rows = "read_csv('%s')" % source if is_file else name_of("s", source_kind, source, table)
    db.execute("INSERT INTO %s SELECT * FROM %s" % (name_of("d", target_kind, target, table), rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
