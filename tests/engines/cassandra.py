"""Cassandra, through the Python driver. Its own modules test it with other databases; it is not drawn in pairs yet."""
import cassandra_server

NAME = "cassandra"
SERVER, REASONS = cassandra_server, ("no Cassandra:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "tables"
IS_SOURCE, PAIRED = False, False
WORDS = r"cassandra"
SOURCES = ("src/connectors/cassandra/", "src/connectors/keyed/", "src/net/stream")


def uri(at):
    server, name = at
    return server.uri(name)
