"""Asks the pool of the test run (tests/runner/pool.py) for a server that all tests share."""
import os
import socket
import unittest

ANSWER_S = 400


def is_there():
    """Not where a module runs by itself."""
    return bool(os.environ.get("TRANSHUME_POOL"))


def port(kind):
    """Where the shared server of that kind listens; SkipTest if it can't be had."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ANSWER_S)
        asking.connect(os.environ["TRANSHUME_POOL"])
        asking.sendall((kind + "\n").encode())
        answer = asking.makefile().readline().strip()
    if not answer.isdigit():
        raise unittest.SkipTest(answer.removeprefix("! ") or "the pool of servers has ended")
    return int(answer)
