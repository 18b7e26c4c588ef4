"""Each fault of the proxy at each operation of a run, and servers that are started again, pair by pair."""
import unittest

import engines
import items
import servers
import test_kill_dynamodb


class NetworkFrom(engines.Network, test_kill_dynamodb.FromDynamodb):
    pass


class NetworkTo(engines.Network, test_kill_dynamodb.ToDynamodb):
    pass


class Persistent:
    """A server that has its tables on the disk."""

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite", options=["--path", "tables"])
        cls.client = items.client_of(cls.server)


class RestartsFrom(engines.Restarts, Persistent, test_kill_dynamodb.FromDynamodb):
    pass


class RestartsTo(engines.Restarts, Persistent, test_kill_dynamodb.ToDynamodb):
    pass


if __name__ == "__main__":
    unittest.main()
