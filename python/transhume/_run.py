"""One command of the program, as a process: its events as they come, and its result."""
from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from types import TracebackType
from typing import Any, Callable, Dict, Generic, Iterator, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from ._errors import BY_EXIT_STATUS, FailedError, TranshumeError, UsageError
from ._events import AnyEvent, parse
from ._program import find
from ._results import MigrationResult, Result, ValidationResult, of_any, of_migration, of_validation

Option = Union[None, bool, int, float, str, "os.PathLike[str]", Sequence[Union[str, int]]]
Argument = Union[str, "os.PathLike[str]"]
Kind = TypeVar("Kind", bound=Result)

# They make the program speak JSON, whatever the command. Its own options win over them.
SETTINGS = {"TRANSHUME_JSON": "true", "TRANSHUME_LOG_FORMAT": "json", "TRANSHUME_PROGRESS": "json",
            "TRANSHUME_VERBOSE": "true", "TRANSHUME_QUIET": ""}
# Events that wait to be taken; when there are more, the program waits for its reader.
EVENTS_WAITING_MAX = 10000
OUTPUT_BYTES_MAX = 64 << 20
READ_BYTES = 64 << 10
INTERRUPTED = 4


def _flags(options: Mapping[str, Option]) -> List[str]:
    """existing="append", strict=True, include=["a", "b"] as the command line has them; None and False: left out."""
    flags: List[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            flags.append(flag)
        elif isinstance(value, (list, tuple)):
            flags += ["%s=%s" % (flag, item) for item in value]
        else:
            flags.append("%s=%s" % (flag, os.fspath(value) if isinstance(value, os.PathLike) else value))
    return flags


class Run(Generic[Kind]):
    """
    A command at work. Iterating yields its events until it ends; `result` waits for the end, and raises a
    TranshumeError where the command failed. Used by one thread; `interrupt` may be called by any.
    """

    def __init__(self, command: str, arguments: Sequence[Argument], options: Mapping[str, Option],
                 make: Callable[[int, Mapping[str, Any]], Kind], folder: Optional[Argument] = None,
                 environment: Optional[Mapping[str, str]] = None, program: Optional[Argument] = None) -> None:
        self.command = command
        self._make = make
        self._events: "queue.Queue[Optional[AnyEvent]]" = queue.Queue(EVENTS_WAITING_MAX)
        self._out = b""
        self._is_too_large = False
        self._ended = False
        named = os.fspath(program) if program is not None else find()
        words = [named, *command.split(), *_flags(options), "--", *[os.fspath(argument) for argument in arguments]]
        variables: Dict[str, str] = {**os.environ, **(environment or {}), **SETTINGS}
        try:
            self._process = subprocess.Popen(words, cwd=folder, env=variables, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as fault:
            raise UsageError("program-missing", "the program can't be started: %s" % fault.strerror, named,
                             "install transhume, or name it in `program` or in the variable TRANSHUME", 2) from fault
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read_events, self._read_out)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Of the program's process."""
        return self._process.pid

    def _read_events(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text:
                self._events.put(parse(text))
        self._events.put(None)

    def _read_out(self) -> None:
        assert self._process.stdout is not None
        parts: List[bytes] = []
        length = 0
        for part in iter(lambda: self._process.stdout.read(READ_BYTES), b""):  # type: ignore[union-attr]
            length += len(part)
            if length <= OUTPUT_BYTES_MAX:
                parts.append(part)
            elif not self._is_too_large:
                self._is_too_large = True
                self._process.terminate()
        self._out = b"".join(parts)

    def __iter__(self) -> Iterator[AnyEvent]:
        while not self._ended:
            event = self._events.get()
            if event is None:
                self._ended = True
            else:
                yield event

    def interrupt(self) -> None:
        """Asks it to stop once the chunks in progress are done, as Ctrl-C does; it can be resumed. A second time: at once."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Passes over the events that are left, and returns the exit status."""
        for _ in self:
            pass
        for thread in self._threads:
            thread.join()
        status = self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return status

    def result(self) -> Kind:
        """
        Waits for the end. A command that reports instead of failing returns, whatever its exit status: rejects and
        differences (1, see `needs_attention`), what a check found.
        """
        status = self.wait()
        if self._is_too_large:
            raise FailedError("output-too-large", "the program printed more than 64 MiB, and was asked to stop", self.command,
                              "run the command in a shell", 3)
        data = self._data()
        if data is None and status in (0, 1):   # a command whose results are no JSON: the plan of `init`, a page
            data = {"text": self._out.decode("utf-8", "replace")}
        if status < 0 or status == INTERRUPTED or not data or isinstance(data.get("error"), dict):
            raise self._error(status, data or {})
        return self._make(status, data)

    def _data(self) -> Optional[Dict[str, Any]]:
        try:
            data = json.loads(self._out or b"{}")
        except ValueError:
            return None
        return data if isinstance(data, dict) else {"items": data}

    def _error(self, status: int, data: Mapping[str, Any]) -> TranshumeError:
        error = data.get("error")
        if not isinstance(error, dict) and status == INTERRUPTED:
            error = {"code": "interrupted", "message": "stopped on request; what is done is kept", "hint": "`resume` continues"}
        elif not isinstance(error, dict):
            said = "signal %d" % -status if status < 0 else "exit status %d" % status
            error = {"code": "program-ended", "message": "the program ended with %s and gave no reason" % said,
                     "object": self.command, "hint": "what it committed is kept: `resume` continues a run"}
        kind = BY_EXIT_STATUS.get(status, FailedError)
        return kind(error.get("code") or "internal", error.get("message") or "", error.get("object"), error.get("hint"),
                    status, tuple(error.get("faults", ())), data)

    def __enter__(self) -> "Run[Kind]":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if not self._ended:
            self.interrupt()
        self.wait()


def start(command: str, *arguments: Argument, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
          program: Optional[Argument] = None, **options: Option) -> "Run[Result]":
    """Starts any command: start("schema status", "shop.db")."""
    return Run(command, arguments, options, of_any, folder, environment, program)


def migrate(*ends: Argument, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
            program: Optional[Argument] = None, **options: Option) -> "Run[MigrationResult]":
    """Starts a copy: migrate(SOURCE, TARGET), or migrate(plan="shop.yaml"). What it would do, `check` says."""
    if options.get("dry_run"):
        raise ValueError("a dry run makes no result of a migration: use check()")
    return Run("migrate", ends, options, of_migration, folder, environment, program)


def resume(*, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
           program: Optional[Argument] = None, **options: Option) -> "Run[MigrationResult]":
    """Continues the run of the state folder."""
    return Run("resume", (), options, of_migration, folder, environment, program)


def validate(*ends: Argument, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
             program: Optional[Argument] = None, **options: Option) -> "Run[ValidationResult]":
    """Compares source and target."""
    return Run("validate", ends, options, of_validation, folder, environment, program)


def check(*ends: Argument, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
          program: Optional[Argument] = None, **options: Option) -> "Run[Result]":
    """Says what a migration would do; changes nothing."""
    return Run("check", ends, options, of_any, folder, environment, program)


def rollback(run: str, *, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
             program: Optional[Argument] = None, **options: Option) -> "Run[Result]":
    """Takes a run back."""
    return Run("rollback", (), {"run": run, **options}, of_any, folder, environment, program)


def finish(*, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
           program: Optional[Argument] = None, **options: Option) -> "Run[Result]":
    """Drops the ledger of validated runs."""
    return Run("finish", (), options, of_any, folder, environment, program)


def status(*, folder: Optional[Argument] = None, environment: Optional[Mapping[str, str]] = None,
           program: Optional[Argument] = None, **options: Option) -> "Run[Result]":
    """How far the run of the state folder is."""
    return Run("status", (), options, of_any, folder, environment, program)
