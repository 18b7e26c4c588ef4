"""`change start` on PostgreSQL: a second column for 2,000,000 rows while others write, beside the loop of UPDATEs that people write."""
import os
import threading
import time

import harness
import sql_servers

NAME = "change"
ROWS = 2000000
BATCH = 1000   # of the loop
TABLE = ("DROP TABLE IF EXISTS _transhume_schema, _transhume_schema_step, _transhume_schema_lock; DROP SCHEMA IF EXISTS public_001 CASCADE; DROP TABLE IF EXISTS filled CASCADE; "
         "CREATE TABLE filled (id bigint PRIMARY KEY, amount text NOT NULL, note text, w int DEFAULT 0); "
         "INSERT INTO filled SELECT g, (g * 7)::text, md5(g::text) FROM generate_series(1, %d) g; VACUUM ANALYZE filled; CHECKPOINT")
CHANGE = """operations:
- alter_column: {table: filled, column: amount, type: numeric, up: "amount::numeric / 100", down: "(amount * 100)::bigint::text"}
"""


class Writers:
    """Writes single rows all the while, and keeps how long each took."""

    def __init__(self, server, database, rows):
        self.stop, self.longest, self.count = threading.Event(), 0.0, 0
        self.thread = threading.Thread(target=self._write, args=(server, database, rows))
        self.thread.start()

    def _write(self, server, database, rows):
        session = server.server.session(database)
        while not self.stop.is_set():
            begun = time.monotonic()
            session.ask("UPDATE filled SET w = w + 1 WHERE id = %d RETURNING id" % (self.count * 7919 % rows + 1))
            self.longest = max(self.longest, time.monotonic() - begun)
            self.count += 1
            time.sleep(0.002)
        session.close()

    def end(self):
        self.stop.set()
        self.thread.join()


def loop_of_updates(server, database, rows):
    """As such scripts go: a column, then UPDATEs by key until all is done, each committed by itself."""
    session = server.server.session(database)
    session.ask("ALTER TABLE filled ADD COLUMN amount2 numeric; SELECT 1")
    begun = time.monotonic()
    for first in range(1, rows + 1, BATCH):
        session.ask("UPDATE filled SET amount2 = amount::numeric / 100 WHERE id BETWEEN %d AND %d AND amount2 IS NULL; SELECT 1" % (first, first + BATCH - 1))
    seconds = time.monotonic() - begun
    session.close()
    return seconds


def filled_by_change(bench, server, database, path):
    """The seconds of the step alone, as the history has them."""
    done = bench.measure([bench.program, "change", "start", path, server.uri(database)])
    seconds = float(server.ask(database, "SELECT extract(epoch FROM ended - begun) FROM _transhume_schema_step WHERE witness IS NOT NULL AND changed > 0 ORDER BY step LIMIT 1")[0][0])
    return seconds, harness.wall_s(done)


def run(bench):
    try:
        server = sql_servers.Postgres()
    except sql_servers.Unavailable as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    try:
        yield from measure(bench, server)
    finally:
        server.stop()


def measure(bench, server):
    rows = bench.size(ROWS, 50000)
    path = os.path.join(bench.scratch, "001_amount.change.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CHANGE)
    server.make("change")
    ours, whole, theirs, longest = [], [], [], [[], []]
    for _ in range(bench.repeat):
        server.ask("change", TABLE % rows)
        writers = Writers(server, "change", rows)
        seconds, all_of_it = filled_by_change(bench, server, "change", path)
        writers.end()
        ours.append(seconds)
        whole.append(all_of_it)
        longest[0].append(writers.longest * 1000)
        server.ask("change", TABLE % rows)
        writers = Writers(server, "change", rows)
        theirs.append(loop_of_updates(server, "change", rows))
        writers.end()
        longest[1].append(writers.longest * 1000)
    yield harness.fact(NAME, "%d rows filled" % rows, "%.1f s (%.1f s from the start to the proof's end); the loop %.1f s" % (min(ours), min(whole), min(theirs)))
    yield harness.at_most(NAME, "time, the loop's = 1", min(ours) / min(theirs), 0.8, "")
    yield harness.at_most(NAME, "longest write of others meanwhile", min(longest[0]), 100, "ms", "%.0f")
    yield harness.fact(NAME, "the same beside the loop", "%.0f ms" % min(longest[1]))
