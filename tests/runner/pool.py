"""The pool of servers of a test run: one server of each kind, started when a test first asks for it and ended with the
run.

A test asks through a Unix socket whose path is in TRANSHUME_POOL (see tests/servers/pool.py). It sends the kind in one
line and
receives the server's port, or `! ` followed by the reason why there is none.
"""
import os
import socket
import subprocess
import sys
import tempfile
import threading

HOLD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers", "hold")

class Pool:
    def __init__(self, environment):
        # not in the run's own folder: a socket's path is 107 bytes at most
        self.folder = tempfile.mkdtemp(prefix="pool-", dir=environment.get("SERVERS_FOLDER", "/tmp"))
        self.path = os.path.join(self.folder, "socket")
        self.environment = environment
        self.holders, self.answers, self.lock = {}, {}, threading.Lock()
        self.processor_seconds = {}  # of each kind of server, once it has ended
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        # Holders end with the thread that starts them: this one, which lives as long as the program.
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                asking, _ = self.socket.accept()
            except OSError:
                return  # closed
            with asking:
                kind = asking.makefile().readline().strip()
                asking.sendall(("%s\n" % self.answer(kind)).encode())

    def answer(self, kind):
        with self.lock:
            holder = self.holders.get(kind)
            if holder is None or (holder.poll() is not None and not self.answers[kind].startswith("!")):
                self.start(kind)
            return self.answers[kind]

    def start(self, kind):
        self.holders[kind] = holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", sys.executable, HOLD, kind], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=self.environment)
        line = holder.stdout.readline().strip()
        self.answers[kind] = line or "! " + (holder.stderr.read().strip().splitlines() or ["no reason given"])[-1]

    def end(self):
        self.socket.close()
        with self.lock:
            for holder in self.holders.values():
                if holder.poll() is None:
                    holder.terminate()
            for kind, holder in self.holders.items():
                try:
                    _, status, usage = os.wait4(holder.pid, 0)
                    holder.returncode = os.waitstatus_to_exitcode(status)
                    self.processor_seconds[kind] = usage.ru_utime + usage.ru_stime
                except ChildProcessError:
                    pass  # it ended before
                holder.stdout.close()
                holder.stderr.close()
        os.unlink(self.path)
        os.rmdir(self.folder)
