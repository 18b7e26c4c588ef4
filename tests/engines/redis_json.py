"""Redis with a JSON document a record: in the contract suite and in system/test_redis only."""
from .redis import COMMITS, JOINS, REASONS, SERVER, SHAPE, SNAPSHOT, SOURCES, WORDS

__all__ = ["COMMITS", "IS_SOURCE", "JOINS", "NAME", "PAIRED", "REASONS", "SERVER", "SHAPE", "SNAPSHOT", "SOURCES",
           "WORDS", "uri"]
NAME = "redis-json"
IS_SOURCE = PAIRED = False


def uri(at):
    server, number = at
    return server.uri(number, "?form=json")
