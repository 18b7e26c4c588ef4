"""What a command failed with, as exceptions by exit status."""
from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple


class TranshumeError(Exception):
    """
    A command that did not do what it was to do.

    `code` is what `transhume help CODE` explains; `object` is what it happened to, `hint` what to do
    next, `faults` all that is wrong with a plan. None: not known. `data` is the command's whole JSON.
    """

    def __init__(self, code: str, message: str, object: Optional[str] = None, hint: Optional[str] = None,
                 exit_status: int = 3, faults: Tuple[str, ...] = (), data: Optional[Mapping[str, Any]] = None) -> None:
        self.code = code
        self.message = message
        self.object = object
        self.hint = hint
        self.exit_status = exit_status
        self.faults = faults
        self.data: Mapping[str, Any] = data if data is not None else {}
        where = "%s: " % object if object else ""
        super().__init__("%s%s [%s]%s" % (where, message, code, "; " + hint if hint else ""))


class UsageError(TranshumeError):
    """Wrong arguments, plan or configuration; nothing was touched."""


class FailedError(TranshumeError):
    """It failed; `resume` continues once the cause is fixed."""


class InterruptedRun(TranshumeError):
    """It was asked to stop; `resume` continues."""


class RefusedError(TranshumeError):
    """Refused for safety: the target holds records, another process has the run, …"""


BY_EXIT_STATUS = {2: UsageError, 3: FailedError, 4: InterruptedRun, 5: RefusedError}
