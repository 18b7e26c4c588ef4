"""A migrator as such scripts are: threads that read pages of SQLite and write batches of 50 by the Python driver.

    cassandra_migrator.py DATABASE TABLE PORT KEYSPACE [WORKERS [BATCH [FETCH]]]      prints rows, seconds and processor time as JSON
"""
import concurrent.futures
import json
import resource
import sqlite3
import sys
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import Cluster
from cassandra.query import BatchStatement, BatchType


def main(path, table, port, keyspace, workers=5, batch_rows=50, fetch_rows=100):
    cluster = Cluster(["127.0.0.1"], port=int(port))
    session = cluster.connect(keyspace)
    source = sqlite3.connect(path)
    columns = [row[1] for row in source.execute("PRAGMA table_info(%s)" % table)]
    insert = session.prepare("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(columns), ", ".join("?" * len(columns))))
    begun, written = time.monotonic(), 0

    def write(rows):
        for begin in range(0, len(rows), int(batch_rows)):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED, consistency_level=ConsistencyLevel.QUORUM)
            for row in rows[begin:begin + int(batch_rows)]:
                batch.add(insert, row)
            session.execute(batch, timeout=60)
        return len(rows)

    with concurrent.futures.ThreadPoolExecutor(int(workers)) as pool:
        cursor, waiting = source.execute("SELECT * FROM %s" % table), set()
        while rows := cursor.fetchmany(int(fetch_rows)):
            waiting.add(pool.submit(write, rows))
            if len(waiting) >= 2 * int(workers):
                done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
                written += sum(one.result() for one in done)
        written += sum(one.result() for one in waiting)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"rows": written, "wall_s": time.monotonic() - begun, "cpu_s": used.ru_utime + used.ru_stime}))
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
