"""The servers that other tests rely on: they start, answer somebody else's client, and are gone afterwards."""
import os
import signal
import subprocess
import sys
import time
import unittest

import cache
import servers
from support import PATIENCE, ROOT, TestCase


def boto3_round_trip(test, endpoint):
    client = servers.dynamodb_client(endpoint)
    client.create_table(TableName="herd", BillingMode="PAY_PER_REQUEST",
                        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
                        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
    client.get_waiter("table_exists").wait(TableName="herd", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    item = {"id": {"N": "7"}, "name": {"S": "Flo\u00efne"}, "bells": {"NS": ["1", "2.5"]},
            "wool": {"B": b"\0\xff"}}
    client.put_item(TableName="herd", Item=item)
    found = client.get_item(TableName="herd", Key={"id": {"N": "7"}}, ConsistentRead=True)["Item"]
    found["bells"]["NS"].sort()
    test.assertEqual(found, item)


def alive(pid):
    """False also for a process that is dead and waits for whoever adopted it."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Servers(TestCase):
    def start_and_stop(self, name):
        with servers.start(name) as server:
            process = server.process
            boto3_round_trip(self, server.endpoint)
        self.assertIsNotNone(process.poll())
        self.assertFalse(servers.answers(server.port))
        self.assertFalse(os.path.exists(server.folder))

    def test_dynalite(self):
        self.start_and_stop("dynalite")

    def test_moto(self):
        self.start_and_stop("moto")

    def test_dynoxide(self):
        self.start_and_stop("dynoxide")

    def test_a_server_dies_with_the_process_that_started_it(self):
        servers.start("dynalite").stop()  # skips where there is none
        script = ("import os, sys, time; sys.path.insert(0, %r); import servers; "
                  "print(servers.start('dynalite').process.pid, flush=True); time.sleep(600)"
                  % os.path.join(ROOT, "tests", "servers"))
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        try:
            pid = int(parent.stdout.readline())
        finally:
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            parent.stdout.close()
        deadline = time.monotonic() + 10 * PATIENCE
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertFalse(alive(pid))

    def test_without_servers_the_reason_is_given(self):
        before = os.environ.get("TRANSHUME_SERVERS")
        os.environ["TRANSHUME_SERVERS"] = "none"
        try:
            with self.assertRaisesRegex(unittest.SkipTest, "no dynalite: TRANSHUME_SERVERS=none"):
                servers.start("dynalite")
            os.environ["TRANSHUME_SERVERS"] = "moto"
            with self.assertRaisesRegex(cache.Unavailable, "does not name dynalite"):
                cache.get("dynalite")
        finally:
            del os.environ["TRANSHUME_SERVERS"]
            if before is not None:
                os.environ["TRANSHUME_SERVERS"] = before


if __name__ == "__main__":
    unittest.main()
