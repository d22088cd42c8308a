"""Recorded exceptions: findings that a person knows of and answers for, with a reason and until a date.

An excepted finding is still listed, and does not shut the gate. An entry that cannot be relied on is itself an error.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError, model_validator

from pedicxr_release.finding import Fact, Finding, Location, catalogue, fast_yaml_loader
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from pedicxr_release.profile import Profile

FILE_NAME = "exceptions.yaml"


class ExceptionsError(ValueError):
    """The file of exceptions cannot be used; the message says why."""


class RecordedException(BaseModel):
    """One entry: which findings, why, who answers for it, since when and until when.

    Attributes
    ----------
    check
        Code or name of the check.
    path, image_id, row
        Which of its findings; a row only with a path. At least a path or an image id, or `everywhere: true`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    path: str | None = None
    image_id: str | None = None
    row: PositiveInt | None = None
    everywhere: bool = False
    reason: Annotated[str | None, Field(description="why this is published all the same")] = None
    who: str | None = None
    date: dt.date | None = None
    until: dt.date | None = None

    @model_validator(mode="after")
    def _names_findings(self) -> Self:
        if not (self.path is not None or self.image_id or self.everywhere):
            raise ValueError("give path or image_id, or everywhere: true")
        if self.row and self.path is None:
            raise ValueError("a row needs a path")
        return self

    @property
    def code(self) -> str | None:
        """The check's code; None if there is no such check."""
        if self.check in catalogue():
            return self.check
        return next((check.code for check in catalogue().values() if check.name == self.check), None)

    def matches(self, finding: Finding) -> bool:
        """Whether a finding is one of those that the entry is about."""
        return (
            finding.code == self.code
            and (self.path is None or finding.path == self.path)
            and (self.image_id is None or finding.image_id == self.image_id)
            and (self.row is None or finding.location.row == self.row)
        )


def load_exceptions(path: Path) -> list[RecordedException]:
    """Read a file of exceptions.

    Raises
    ------
    ExceptionsError
        When it cannot be read, is no YAML, or an entry has another form.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=fast_yaml_loader())  # noqa: S506 (a safe loader)
        return TypeAdapter(list[RecordedException]).validate_python(content or [])
    except OSError as error:
        raise ExceptionsError(f"{path}: cannot be read: {reason(error)}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        number, *key = problem["loc"] or ("the file",)
        where = f"entry {number + 1}" if isinstance(number, int) else str(number)
        raise ExceptionsError(f"{path}: {where}{''.join(f', {k}' for k in key)}: {problem['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ExceptionsError(f"{path}: not YAML") from None


def apply_exceptions(
    findings: Sequence[Finding], exceptions: Sequence[RecordedException], profile: Profile, today: dt.date, source: str
) -> tuple[dict[int, RecordedException], list[Finding]]:
    """Say which findings are excepted, and which entries cannot be relied on.

    Parameters
    ----------
    findings
        All findings.
    exceptions
        The entries.
    profile
        Names the checks that may never be excepted.
    today
        Entries whose `until` is before it have expired.
    source
        The file's name, for findings about it.

    Returns
    -------
    dict of int to RecordedException, list of Finding
        The entry that each excepted finding is excepted by, by position, and findings about the entries themselves.
    """
    excepted: dict[int, RecordedException] = {}
    about: list[Finding] = []
    by_code: dict[str, list[int]] = {}
    for position, finding in enumerate(findings):
        by_code.setdefault(finding.code, []).append(position)
    for number, entry in enumerate(exceptions, start=1):
        trouble = _trouble(entry, profile, today)
        matched = [position for position in by_code.get(entry.code or "", []) if entry.matches(findings[position])]
        if trouble is None and not matched:
            trouble = ("RUN201", {"check": entry.code or "no such check"})
        if trouble:
            code, facts = trouble
            about.append(Finding(code, source, Location(row=number), facts={"entry": number, **facts}))
        else:
            excepted |= dict.fromkeys(matched, entry)
    return excepted, about


def _trouble(entry: RecordedException, profile: Profile, today: dt.date) -> tuple[str, dict[str, Fact]] | None:
    code = entry.code
    if code is None:
        return "RUN201", {"check": "no such check"}
    if any(code.startswith(never) for never in (*profile.release.never_except, "RUN")):
        return "RUN204", {"check": code}
    missing = [name for name in ("reason", "who", "date") if not str(getattr(entry, name) or "").strip()]
    if missing:
        return "RUN203", {"check": code, "missing": ", ".join(missing)}
    if entry.until and entry.until < today:
        return "RUN202", {"check": code, "until": entry.until.isoformat()}
    return None


def draft_exceptions(findings: Iterable[Finding], profile: Profile) -> str:
    """Write a draft with one entry a finding that may be excepted, reasons left empty and therefore not yet valid."""
    lines = [
        "# Draft of recorded exceptions. Delete what is to be mended; give every other entry a reason, who answers for",
        "# it, and the date. An entry without is an error.",
    ]
    seen: set[tuple[object, ...]] = set()
    for finding in findings:
        if any(finding.code.startswith(never) for never in (*profile.release.never_except, "RUN")):
            continue
        key = (finding.code, finding.path, finding.location.row)
        if key in seen:
            continue
        seen.add(key)
        lines.append(f"- check: {finding.code}  # {catalogue()[finding.code].name}")
        lines.append(f"  path: {_scalar(finding.path)}" if finding.path else "  everywhere: true")
        if finding.location.row:
            lines.append(f"  row: {finding.location.row}")
        lines += ["  reason:", "  who:", "  date:", "  until:"]
    return "\n".join(lines) + "\n" + ("" if seen else "[]\n")


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).splitlines()[0]
