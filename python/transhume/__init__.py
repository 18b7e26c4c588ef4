"""
Runs migrations of databases by the program transhume.

    run = transhume.migrate("shop.db", "copy.db")
    for event in run:
        ...
    print(run.result().written)
"""
from ._errors import FailedError, InterruptedRun, RefusedError, TranshumeError, UsageError
from ._events import EntityProgress, Event, Progress
from ._results import EntityComparison, EntityResult, MigrationResult, Result, ValidationResult
from ._run import Run, check, finish, migrate, resume, rollback, start, status, validate
from ._version import VERSION as __version__

__all__ = [
    "EntityComparison", "EntityProgress", "EntityResult", "Event", "FailedError", "InterruptedRun", "MigrationResult",
    "Progress", "RefusedError", "Result", "Run", "TranshumeError", "UsageError", "ValidationResult", "__version__",
    "check", "finish", "migrate", "resume", "rollback", "start", "status", "validate",
]
