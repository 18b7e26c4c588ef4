"""
DuckDB: in the contract suite and in system/test_duckdb only, where DuckDB's own Python module reads and writes the
files.
"""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "servers"))
import cache  # noqa: E402

NAME = "duckdb"
WORDS = r"duckdb:|\.duckdb\b"
IS_SOURCE = PAIRED = False
COMMITS, JOINS, SNAPSHOT, SHAPE = "transactions", True, True, "tables"
SOURCES = ("src/connectors/duckdb/", "src/connectors/sql/")
REASONS = ("no libduckdb",)


def uri(at):
    return "duckdb:%s.duckdb" % at


def library():
    """The path of DuckDB's library; cache.Unavailable if it can't be had."""
    return os.environ.get("TRANSHUME_DUCKDB") or cache.get("libduckdb")
