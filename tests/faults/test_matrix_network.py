"""Each fault of the proxy at each operation of a run, and servers that are started again, pair by pair."""
import unittest

import strikes
import items
import servers
import test_kill_dynamodb


class NetworkFrom(strikes.Network, test_kill_dynamodb.FromDynamodb):
    pass


class NetworkTo(strikes.Network, test_kill_dynamodb.ToDynamodb):
    pass


class Persistent:
    """A server that has its tables on the disk."""

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite", options=["--path", "tables"])
        cls.client = items.client_of(cls.server)

    def wait_for_restart(self):
        """Dynalite counts in memory how long tables are made and deleted, and after a restart they are so for ever."""
        items.wait_until_settled(self.client)


class RestartsFrom(Persistent, strikes.Restarts, test_kill_dynamodb.FromDynamodb):
    pass


class RestartsTo(Persistent, strikes.Restarts, test_kill_dynamodb.ToDynamodb):
    pass


if __name__ == "__main__":
    unittest.main()
