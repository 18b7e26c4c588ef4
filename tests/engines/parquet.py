"""Parquet: in the contract suite and in system/test_parquet only, where pyarrow and DuckDB read and write the files."""
NAME = "parquet"
IS_SOURCE = PAIRED = False
COMMITS, JOINS, SNAPSHOT, SHAPE = "files", False, True, "tables"
SOURCES = ("src/connectors/parquet/", "src/connectors/columnar/", "src/connectors/folder/")


def uri(at):
    return "parquet:" + at
