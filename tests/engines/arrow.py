"""Arrow's files: in the contract suite and in system/test_arrow only, where pyarrow reads and writes the files."""
NAME = "arrow"
IS_SOURCE = PAIRED = False
COMMITS, JOINS, SNAPSHOT, SHAPE = "files", False, True, "tables"
SOURCES = ("src/connectors/arrow/", "src/connectors/columnar/", "src/connectors/folder/")


def uri(at):
    return "arrow:" + at
