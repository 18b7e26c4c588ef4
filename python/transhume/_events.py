"""What happens in a run, as it is told on the program's standard error."""
from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional, Tuple, Union


@dataclass(frozen=True)
class Event:
    """
    One thing that happened; docs/observing.md lists the kinds and which members each has. None: not known.
    Kinds that a program does not know are to be passed over.
    """

    kind: str
    text: str = ""
    level: str = "info"
    at: Optional[str] = None
    code: Optional[str] = None
    state: Optional[str] = None
    table: Optional[str] = None
    entity: Optional[str] = None
    chunk: Optional[int] = None
    key: Optional[str] = None
    count: Optional[int] = None
    milliseconds: Optional[int] = None
    hint: Optional[str] = None


@dataclass(frozen=True)
class EntityProgress:
    """How far one entity is."""

    entity: str
    table: str
    total: Optional[int]
    read: int
    written: int
    rejected: int
    skipped: int
    bytes: int
    retries: int
    fallbacks: int


@dataclass(frozen=True)
class Progress:
    """How far a run is, once a second; `total` and `seconds_left` are None where they are not known."""

    phase: str
    done: int
    total: Optional[int]
    read: int
    written: int
    rejected: int
    skipped: int
    bytes: int
    records_per_second: int
    bytes_per_second: int
    seconds_left: Optional[int]
    milliseconds: int
    chunks_done: int
    chunks_total: int
    retries: int
    time: str
    entities: Tuple[EntityProgress, ...] = ()
    doing: Optional[str] = None


AnyEvent = Union[Event, Progress]


def pick(kind: Any, data: Mapping[str, Any], /, **others: Any) -> Any:
    """A dataclass of the members that it has; what a newer program adds is left out."""
    names = {field.name for field in fields(kind)}
    return kind(**{**{name: value for name, value in data.items() if name in names}, **others})


def parse(line: str) -> AnyEvent:
    """A line of the program's standard error. One that another version of it wrote in another form is a message."""
    try:
        data = json.loads(line)
        if isinstance(data, dict) and "kind" in data:
            return pick(Event, data)  # type: ignore[no-any-return]
        if isinstance(data, dict) and "phase" in data:
            entities = tuple(pick(EntityProgress, entity) for entity in data.get("entities", ()))
            return pick(Progress, data, entities=entities)  # type: ignore[no-any-return]
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return Event(kind="message", text=line)
