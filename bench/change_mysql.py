"""A column of MariaDB gets another type while writers work on its table: the program against Percona's pt-online-schema-change.

Both copy the table into one of the new form that triggers keep up to date. Four writers insert, update and delete single rows in
transactions of their own all the time, by MariaDB's client, and each statement's time is taken; beside neither tool is how long the worst
of them takes anyway.
"""
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
import mariadb

NAME = "change_mysql"
ROWS, ROWS_QUICK = 2000000, 200000
WRITERS = 4
PEER = "pt-online-schema-change"
CLAUSES = "MODIFY a varchar(80) NOT NULL, MODIFY c bigint NOT NULL"
TIME_MARK, BLOCKED_MARK_MS = 0.8, 100
SETTINGS = {"innodb-buffer-pool-size": "1G", "innodb-log-file-size": "512M", "innodb-flush-log-at-trx-commit": "2", "innodb-flush-method": "O_DIRECT"}


class Writer(threading.Thread):
    """One session; `seconds` of each statement."""

    def __init__(self, server, number, rows):
        super().__init__(daemon=True)
        self.number, self.rows, self.seconds, self.failed, self.over = number, rows, [], [], threading.Event()
        self.client = subprocess.Popen(["mariadb", "--no-defaults", "-N", "-n", "-f", "-h127.0.0.1", "-P%d" % server.port, "-uroot", "bench"], text=True, bufsize=1,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def statement(self, step):
        key = (self.number * 7919 + step * 104729) % self.rows + 1
        kind = step % 4
        if kind == 0:
            return "insert into t (a, b, c) values ('new %d', 'b', %d)" % (step, step)
        if kind == 3 and step % 40 == 3:
            return "delete from t where id = %d" % key
        return "update t set c = c + 1, a = 'w%d %d' where id = %d" % (self.number, step, key)

    def run(self):
        step = 0
        while not self.over.is_set():
            step += 1
            begun = time.perf_counter()
            self.client.stdin.write(self.statement(step) + "; select 1;\n")
            self.client.stdin.flush()
            if not self.client.stdout.readline():
                break
            self.seconds.append(time.perf_counter() - begun)
            time.sleep(0.002)

    def end(self):
        self.over.set()
        self.join(60)
        self.client.stdin.close()
        self.failed = [line for line in self.client.stderr if "ERROR" in line]
        self.client.wait()


class Load:
    def __init__(self, server, rows):
        self.server, self.rows = server, rows

    def __enter__(self):
        self.writers = [Writer(self.server, number, self.rows) for number in range(WRITERS)]
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        for writer in self.writers:
            writer.end()

    def worst_ms(self):
        return 1000 * max(max(writer.seconds, default=0) for writer in self.writers)

    def count(self):
        return sum(len(writer.seconds) for writer in self.writers)

    def failed(self):
        return [line for writer in self.writers for line in writer.failed]


def fill(server, rows):
    server.ask("mysql", "DROP DATABASE IF EXISTS bench; CREATE DATABASE bench")
    server.ask("bench", "CREATE TABLE t (id int auto_increment primary key, a varchar(40) not null, b varchar(60), c int not null, d datetime default current_timestamp, key c_idx (c))")
    server.ask("bench", "INSERT INTO t (a, b, c) SELECT concat('row ', seq), repeat('x', 10 + seq %% 40), seq %% 1000 FROM seq_1_to_%d; ANALYZE TABLE t" % rows)


def ours(bench, server):
    file = os.path.join(bench.scratch, "001_types.change.yaml")
    with open(file, "w", encoding="ascii") as out:
        out.write('operations:\n- alter: {table: t, with: "%s", way: shadow}\n' % CLAUSES)
    return [bench.program, "change", "run", file, "mysql://root@127.0.0.1:%d/bench" % server.port, "--confirm", "--batch-time", "50ms"]


def theirs(_bench, server):
    return [PEER, "--alter", CLAUSES, "h=127.0.0.1,P=%d,u=root,D=bench,t=t" % server.port, "--execute", "--recursion-method=none", "--no-version-check", "--charset=utf8mb4"]


def measure(bench, server, rows, command):
    """(seconds, the longest statement of a writer in ms, of how many, failures)"""
    fill(server, rows)
    with Load(server, rows) as load:
        time.sleep(1)
        begun = time.monotonic()
        done = subprocess.run(command(bench, server), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - begun
    if done.returncode != 0:
        raise harness.Failed("%s: %s" % (command.__name__, done.stdout[-400:]))
    kind = server.ask("bench", "SELECT column_type FROM information_schema.columns WHERE table_schema = 'bench' AND table_name = 't' AND column_name = 'a'")
    if kind != [["varchar(80)"]]:
        raise harness.Failed("%s: the column is %s" % (command.__name__, kind))
    return seconds, load.worst_ms(), load.count(), load.failed()


def idle(server, rows, seconds):
    with Load(server, rows) as load:
        time.sleep(seconds)
    return load.worst_ms()


def run(bench):
    if not shutil.which(PEER):
        return [harness.Row(NAME, "MariaDB, against %s" % PEER, "not run: it is not installed", "", None)]
    rows = bench.size(ROWS, ROWS_QUICK)
    figures = {ours: [], theirs: []}
    with mariadb.Server(settings=SETTINGS) as server:
        fill(server, rows)
        alone_ms = idle(server, rows, 5)
        for _ in range(bench.repeat if bench.quick else min(bench.repeat, 3)):
            for command in (ours, theirs):
                figures[command].append(measure(bench, server, rows, command))
    seconds = {command: statistics.median(figure[0] for figure in found) for command, found in figures.items()}
    worst = {command: statistics.median(figure[1] for figure in found) for command, found in figures.items()}
    failed = {command: sum(len(figure[3]) for figure in found) for command, found in figures.items()}
    ratio = seconds[ours] / seconds[theirs]
    return [
        harness.Row(NAME, "MariaDB, a type of %d rows under %d writers: time" % (rows, WRITERS), "%.1f s, %s %.1f s: %.2fx" % (seconds[ours], PEER, seconds[theirs], ratio),
                    "<= %.1fx" % TIME_MARK, ratio <= TIME_MARK),
        harness.Row(NAME, "  the longest statement of a writer", "%.0f ms, beside the other %.0f ms, beside none %.0f ms" % (worst[ours], worst[theirs], alone_ms),
                    "<= %d ms" % BLOCKED_MARK_MS, worst[ours] <= BLOCKED_MARK_MS),
        harness.Row(NAME, "  writers' statements that failed", "%d, beside the other %d" % (failed[ours], failed[theirs]), "0", failed[ours] == 0),
    ]
