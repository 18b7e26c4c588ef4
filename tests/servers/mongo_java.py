"""Starts mongo-java-server, a second independent server of MongoDB's protocol, in memory, on a free port of the
loopback.

It says that it is MongoDB 5.0 with wire version 8, knows no `hello` and no sessions, and keeps every BSON type byte for
byte. Newer pymongos refuse it: what is in it is read and written by
pymongo 4.8 in a process of its own. The jars come from Maven Central and the driver from PyPI, both into the cache of
test servers.
"""
import glob
import json
import os
import socket
import subprocess
import time
import unittest

import cache
from database_server import DatabaseServer

MAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "MongoJavaServer.java")
CLIENT = """import json, sys, pymongo
from bson import json_util
port, database, action, collection = sys.argv[1:]
there = pymongo.MongoClient("127.0.0.1", int(port), uuidRepresentation="standard")[database][collection]
canonical = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL, uuid_representation=4)
if action == "insert":
    there.insert_many(json_util.loads(sys.stdin.read(), json_options=canonical))
elif action == "delete":
    there.delete_one({"_id": json.load(sys.stdin)})
elif action == "indexes":
    print(json.dumps({name: [list(pair) for pair in facts["key"]] for name, facts in there.index_information().items()}))
else:
    print(json_util.dumps(there.find().sort("_id", 1), json_options=canonical))
"""
ASK_S = 60


def _fetched(name):
    try:
        return cache.get(name)
    except (KeyError, cache.Unavailable) as fault:
        raise unittest.SkipTest("no mongo-java-server: %s" % fault) from None


class Server(DatabaseServer):
    TITLE, PREFIX = "mongo-java-server", "mj-"
    READY_S = 60

    def __init__(self):
        if os.environ.get("TRANSHUME_SERVERS") == "none":
            raise unittest.SkipTest("no mongo-java-server: TRANSHUME_SERVERS=none")
        self.jars = os.path.dirname(_fetched("mongo-java-server"))
        packages = os.path.dirname(_fetched("pymongo-4.8"))
        self.python, = glob.glob(os.path.join(packages, "..", "..", "..", "..", "bin", "python"))
        super().__init__()
        self.start()

    def _guard(self):
        return ["setpriv", "--pdeathsig", "KILL"]

    def give(self, *_):
        """Nobody else's."""

    def command(self):
        return ["java", "-Xms32m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                os.path.join(self.jars, "*"), MAIN, str(self.port)]

    def _start_once(self):
        with open(os.path.join(self.folder, self.LOGS[0]), "ab") as log:
            self.process = subprocess.Popen(self.guard + self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + self.READY_S
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError("%s did not answer within %d s:\n%s" % (self.TITLE, self.READY_S,
                        self.log())) from None
                time.sleep(0.05)
        return False

    # --- what tests ask

    def database(self, options=""):
        self.count += 1
        return self.name_of(self.count)

    def drop_databases(self):
        """They end with the server."""

    def uri(self, name, options=""):
        return "mongodb://127.0.0.1:%d/%s%s" % (self.port, name, options)

    def ask(self, name, action, collection, given=""):
        done = subprocess.run([self.python, "-c", CLIENT, str(self.port), name, action, collection],
                              input=given.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ASK_S,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode("utf-8", "replace"))
        return json.loads(done.stdout) if done.stdout else None

    def documents(self, name, collection):
        """As canonical extended JSON, by _id."""
        return self.ask(name, "find", collection)
