"""
Sides of a storm that are written record by record, each read by its own client; and a folder, whose log of changes is
played back.
"""
import glob
import json
import os

import items
import storm
from tcp_proxy import TcpProxy


class StoreSide(storm.Side):
    network = True

    def __init__(self, server):
        self.server, self.proxy = server, TcpProxy(server.port)
        self.name = server.database()
        self.uri = server.uri(self.name, via=self.proxy)


class MongodbSide(StoreSide):
    kind, crashes = "mongodb", True

    def rows(self, table, columns):
        return storm.as_rows([document.get(name) for name in columns]
                             for document in self.server.client()[self.name][table].find())


class CassandraSide(StoreSide):
    kind, crashes = "cassandra", True

    def rows(self, table, columns):
        return storm.as_rows(self.server.ask(self.name, "SELECT %s FROM %s" % (", ".join(columns), table)))


class OpensearchSide(StoreSide):
    """A node takes minutes to come back on a busy machine: it does not crash here."""
    kind = "opensearch"

    def rows(self, table, columns):
        return storm.as_rows([document.get(name) for name in columns]
                             for document in self.server.documents(self.name + table).values())


class DynamodbSide(storm.Side):
    """The emulator keeps nothing on a disk, so that it does not crash."""
    kind, network = "dynamodb", True

    def __init__(self, server, client):
        self.client, self.proxy = client, TcpProxy(server.port)
        self.uri = "dynamodb://us-east-1?endpoint=http://127.0.0.1:%d" % self.proxy.port
        items.empty(client)

    def rows(self, table, columns):
        texts = [{name: None if "NULL" in value else next(iter(value.values())) for name, value in item.items()}
                 for item in items.scan(self.client, table)]
        return storm.as_rows([item.get(name) for name in columns] for item in texts)


class JsonlSide(storm.Side):
    """What the copy and its log of changes make together (docs/following.md, "Into files")."""
    kind = "jsonl"
    KEYS = {"churn": 2}

    def __init__(self, path):
        self.path, self.uri = path, "jsonl:%s?change_seconds=0" % path

    def lines(self, *pattern):
        for path in sorted(glob.glob(os.path.join(self.path, *pattern))):
            with open(path, encoding="utf-8") as file:
                yield from map(json.loads, file)

    def rows(self, table, columns):
        keys, found = columns[:self.KEYS.get(table, 1)], {}
        copied = [{"op": "c", "key": line, "after": line} for line in self.lines(table, "*.*")]
        for change in copied + list(self.lines("_transhume_changes", table, table + ".changes-*")):
            key = tuple(change["key"].get(name) for name in keys) if "key" in change else ()
            if change["op"] == "t":
                found.clear()
            elif change["op"] == "d":
                found.pop(key, None)
            else:
                found[key] = change["after"]
        return storm.as_rows([record.get(name) for name in columns] for record in found.values())

