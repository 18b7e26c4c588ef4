"""Reads and writes DuckDB files by DuckDB's own Python module, in the Python that has it; test_duckdb.py runs it.

    duckdb_oracle.py FILE SQL...    runs the statements, and prints the rows of the last one as JSON: lists of texts,
    null for NULL
    duckdb_oracle.py hold FILE      opens the file to write, says "held", and holds it until its input ends
"""
import json
import sys

import duckdb


def main(arguments):
    if arguments[0] == "hold":
        connection = duckdb.connect(arguments[1])
        connection.execute("CREATE TABLE IF NOT EXISTS held (i INTEGER)")
        print("held", flush=True)
        sys.stdin.read()
        return
    connection = duckdb.connect(arguments[0])
    rows = []
    for statement in arguments[1:]:
        rows = connection.execute(statement).fetchall()
    connection.close()
    json.dump([[None if value is None else str(value) for value in row] for row in rows], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
