"""OpenSearch, through Python's own HTTP client. Each place is a prefix of names in the server that a test run shares."""
import opensearch_server

NAME = "opensearch"
SERVER, REASONS = opensearch_server, ("no OpenSearch:",)
COMMITS, JOINS, SNAPSHOT, SHAPE = "lease", False, False, "tables"
WORDS = r"\bopensearch\b|SERVERS"
SOURCES = ("src/connectors/opensearch/", "src/connectors/keyed/", "src/net/")
IS_SOURCE = PAIRED = False


def uri(at):
    server, prefix = at
    return server.uri(prefix)
