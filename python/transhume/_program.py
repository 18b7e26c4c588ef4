"""Which program is run: the one that is named, the one that the package brings, or the one in the PATH."""
import os
import sys

BROUGHT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program", "bin", "transhume")


def find() -> str:
    """What to start: `TRANSHUME` of the environment, the program in a wheel that has one, else `transhume` of the PATH."""
    named = os.environ.get("TRANSHUME")
    if named:
        return named
    return BROUGHT if os.path.exists(BROUGHT) else "transhume"


def main() -> None:
    """The command `transhume` of a wheel that has the program: the process becomes it."""
    try:
        os.execv(BROUGHT, ["transhume", *sys.argv[1:]])
    except OSError as fault:
        sys.exit("transhume: %s: %s" % (BROUGHT, fault.strerror))
