#!/usr/bin/env python3
"""The client that bench/mongodb.py compares with; run by the Python that has pymongo. Figures go to stdout, as JSON.

    mongodb_client.py PORT DATABASE insert FILE    the table t of an SQLite file by bulk_write of InsertOne, unordered
    mongodb_client.py PORT DATABASE upsert FILE    by bulk_write of ReplaceOne with upsert
"""
import json
import resource
import sqlite3
import sys
import time

import pymongo

DOCUMENTS_A_REQUEST = 1000


def documents_of(path):
    db = sqlite3.connect(path)
    names = [row[1] for row in db.execute("PRAGMA table_info(t)")]
    for row in db.execute("SELECT * FROM t"):
        document = dict(zip(names, row))
        document["_id"] = document["id"]
        yield document


def requests_of(path, how):
    for document in documents_of(path):
        yield pymongo.InsertOne(document) if how == "insert" else pymongo.ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    port, database, how, path = sys.argv[1:]
    client = pymongo.MongoClient("127.0.0.1", int(port))
    collection = client[database]["by_" + how]
    client.admin.command("ping")
    begun, used = time.monotonic(), cpu_s()
    some = []
    for request in requests_of(path, how):
        some.append(request)
        if len(some) == DOCUMENTS_A_REQUEST:
            collection.bulk_write(some, ordered=False)
            some = []
    if some:
        collection.bulk_write(some, ordered=False)
    print(json.dumps({"wall_s": time.monotonic() - begun, "cpu_s": cpu_s() - used}))


if __name__ == "__main__":
    main()
