"""What commands end with, from the JSON that they print."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from ._events import pick


@dataclass(frozen=True)
class Result:
    """What a command printed with --json. `needs_attention`: it is done, but see its rejects or differences."""

    exit_status: int
    data: Mapping[str, Any] = field(repr=False)

    @property
    def needs_attention(self) -> bool:
        return self.exit_status == 1


@dataclass(frozen=True)
class EntityResult:
    """What became of the records of one entity."""

    entity: str
    table: str
    read: int
    written: int
    rejected: int
    skipped: int
    bytes: int
    retries: int
    fallbacks: int


@dataclass(frozen=True)
class MigrationResult(Result):
    """Of migrate and resume. `snapshot` is "one", "mixed" or "none"."""

    run: Optional[str]
    milliseconds: int
    rejected: int
    rejects_folder: Optional[str]
    report: Optional[str]
    unmatched: int
    differences: int
    broken_references: int
    warnings: int
    snapshot: str
    entities: Tuple[EntityResult, ...]

    @property
    def read(self) -> int:
        return sum(entity.read for entity in self.entities)

    @property
    def written(self) -> int:
        return sum(entity.written for entity in self.entities)

    @property
    def skipped(self) -> int:
        return sum(entity.skipped for entity in self.entities)


@dataclass(frozen=True)
class EntityComparison:
    """What a validation found of one entity; `source` and `target` are numbers of records."""

    name: str
    table: str
    source: int
    target: int
    rejected: int
    missing: int
    different: int
    extra: int
    unreadable: int
    kept: int


@dataclass(frozen=True)
class ValidationResult(Result):
    """Of validate; `ok` says that source and target hold the same."""

    ok: bool
    level: str
    run: Optional[str]
    rows: int
    milliseconds: int
    record_count: int
    record_file: Optional[str]
    entities: Tuple[EntityComparison, ...]
    notes: Tuple[str, ...]


def of_migration(exit_status: int, data: Mapping[str, Any]) -> MigrationResult:
    entities = tuple(pick(EntityResult, entity) for entity in data["entities"])
    return pick(MigrationResult, data, exit_status=exit_status, data=data, entities=entities)  # type: ignore[no-any-return]


def of_validation(exit_status: int, data: Mapping[str, Any]) -> ValidationResult:
    entities = tuple(pick(EntityComparison, entity) for entity in data["entities"])
    return pick(ValidationResult, data, exit_status=exit_status, data=data, entities=entities, notes=tuple(data["notes"]))  # type: ignore[no-any-return]


def of_any(exit_status: int, data: Mapping[str, Any]) -> Result:
    return Result(exit_status=exit_status, data=data)
