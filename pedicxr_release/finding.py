"""Check, Severity, Location, Finding: the vocabulary that everything else speaks.

A finding says which check failed and where. What it says about the place is in `facts`: numbers, and words that come from
the DICOM dictionary, the profile or this program. **A value read from a file or a cell is never put into a finding.**
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter

from pedicxr_release.resources import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

Fact = str | int | float
"""What a finding may say of a place: a count, a length, a dictionary keyword. Never a value."""


class Severity(StrEnum):
    """How much a finding weighs."""

    error = "error"
    """What is published like this is wrong or harmful: the gate is shut."""

    warning = "warning"
    """A person should look before publishing; the gate stays open unless told otherwise."""

    info = "info"
    """Worth knowing; nothing to do."""

    @property
    def rank(self) -> int:
        """2 for an error, 1 for a warning, 0 for information."""
        return {"error": 2, "warning": 1, "info": 0}[self.value]


class Check(BaseModel):
    """One thing that is checked, as declared in ``checks/*.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\d{3}$")]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    severity: Severity
    what: str
    """The rule, in one sentence."""
    message: str
    """What a finding says, with fields in braces that are filled from its facts."""
    why: str
    remedy: str
    source: str
    declared_counts: bool = False
    """Whether it compares with the profile's declared counts: information only, unless those are a duty."""
    pattern: bool = False
    """Whether it names the one mistake behind many rows; reports show it before them."""

    @property
    def family(self) -> str:
        """The letter-triple of the code: LAY, DCM, PHI, PIX, CSV, BOX, LAB, SPL, STA, PKG or RUN."""
        return self.code[:3]


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a file a finding lies; each part only where it has a meaning.

    Attributes
    ----------
    tag, keyword
        A data element, such as ``(0010,0010)`` and ``PatientName``. A nested element's tag shows the way to it:
        ``(0008,1140)[1] > (0008,1155)``.
    row
        A table's line as an editor counts it: the header is line 1.
    column
        The name of a column that the profile declares, or the position (from 1) of one it does not.
    offset
        Bytes from the start of the file.
    """

    tag: str | None = None
    keyword: str | None = None
    row: int | None = None
    column: str | int | None = None
    offset: int | None = None

    def sort_key(self) -> tuple[int, str, str, int]:
        """Order within a file: by row and column, by tag, by offset."""
        column = f"{self.column:06d}" if isinstance(self.column, int) else self.column or ""
        return (self.row or 0, column, self.tag or "", -1 if self.offset is None else self.offset)

    def __str__(self) -> str:
        parts = []
        if self.row is not None:
            parts.append(f"line {self.row}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        if self.tag is not None:
            parts.append(self.tag)
        if self.keyword:
            parts.append(self.keyword)
        if self.offset is not None:
            parts.append(f"at byte {self.offset}")
        return " ".join(parts)


NOWHERE = Location()


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a check failed.

    Attributes
    ----------
    code
        The check's code.
    path
        Path relative to the dataset with ``/``; empty for the dataset as a whole.
    location
        Where in the file.
    facts
        Fills the check's message.
    image_id
        The image, where the finding is about one.
    """

    code: str
    path: str = ""
    location: Location = NOWHERE
    facts: Mapping[str, Fact] = field(default_factory=dict)
    image_id: str | None = None

    def sort_key(self) -> tuple[str, tuple[int, str, str, int], str]:
        """By path, then location, then code: the order of every report."""
        return (self.path, self.location.sort_key(), self.code)

    @property
    def message(self) -> str:
        """The check's message, filled in."""
        return catalogue()[self.code].message.format_map(self.facts)


class DuplicateCodeError(ValueError):
    """Two checks are declared under one code or one name."""


@functools.cache
def catalogue() -> Mapping[str, Check]:
    """All declared checks by code, in the order of their codes within the order of the files.

    Raises
    ------
    DuplicateCodeError
        When a code or a name is declared twice.
    """
    declared = TypeAdapter(list[Check])
    checks: dict[str, Check] = {}
    names: set[str] = set()
    for file in sorted(data_folder("checks").glob("*.yaml")):
        for check in declared.validate_python(yaml.load(file.read_bytes(), Loader=fast_yaml_loader())):  # noqa: S506 (a safe loader)
            if check.code in checks or check.name in names:
                raise DuplicateCodeError(f"{file.name}: {check.code} {check.name} is declared twice")
            checks[check.code] = check
            names.add(check.name)
    return checks


def fast_yaml_loader() -> type[yaml.SafeLoader]:
    """The safe loader in C where PyYAML has it: ten times as fast, same result."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


TABLE_LIMIT = 2_000_000
"""Findings kept about one table; a table may have a bad cell in each of a million rows."""


class Collector:
    """Gathers the findings about one file, and keeps their number bounded.

    Parameters
    ----------
    path
        The file, relative to the dataset.
    image_id
        The image that the file holds, if it is one.
    limit
        Findings kept; beyond it they are counted, and `findings` closes with one that says how many.
    """

    def __init__(self, path: str, image_id: str | None = None, limit: int = 2000) -> None:
        self.path = path
        self.image_id = image_id
        self._limit = limit
        self._kept: list[Finding] = []
        self._beyond = 0

    def add(self, code: str, location: Location = NOWHERE, image_id: str | None = None, /, **facts: Fact) -> None:
        """Record that a check failed at a place, in another image than the file's if one is given."""
        if len(self._kept) < self._limit:
            self._kept.append(Finding(code, self.path, location, facts, image_id or self.image_id))
        else:
            self._beyond += 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        if not self._beyond:
            return tuple(self._kept)
        more = Finding("RUN104", self.path, facts={"count": self._beyond, "limit": self._limit}, image_id=self.image_id)
        return (*self._kept, more)
