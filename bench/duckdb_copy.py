"""A table by DuckDB and its scanners, from one database into another whose table is there: run by a Python that has `duckdb` and `duckdb-ext-…`.

    duckdb_copy.py SOURCE_TYPE SOURCE TARGET_TYPE TARGET [TABLE]
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
    for kind in {source_kind, target_kind}:
        db.execute("LOAD %s" % {"mysql": "mysql_scanner", "postgres": "postgres_scanner", "sqlite": "sqlite_scanner"}[kind])
    for alias, kind, place in (("s", source_kind, source), ("d", target_kind, target)):
        db.execute("ATTACH '%s' AS %s (TYPE %s%s)" % (place, alias, kind, ", READ_ONLY" if alias == "s" else ""))
    db.execute("INSERT INTO %s SELECT * FROM %s" % (name_of("d", target_kind, target, table), name_of("s", source_kind, source, table)))


if __name__ == "__main__":
    main(*sys.argv[1:])
