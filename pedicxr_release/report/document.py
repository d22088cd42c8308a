"""The JSON report and its JSON Schema. Version 1 of the format is a contract that others build on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pedicxr_release.finding import Severity, catalogue

if TYPE_CHECKING:
    from pedicxr_release.validation import Judged, Report


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Tool(_Part):
    """Which program wrote the report."""

    name: str = "pedicxr-release"
    """Always the same."""
    version: str
    """Version of the program."""


class ProfileUsed(_Part):
    """Which profile was used; the digest is over its files."""

    name: str
    """Its name."""
    version: str
    """The version of the release that it describes."""
    digest: str
    """SHA-256 over the names and bytes of its files."""


class DatasetSeen(_Part):
    """What was looked at."""

    root: str = Field(description="the dataset folder, as it was given; a URL without credentials")
    images: int = Field(description="files in the folders of the splits")
    bytes: int = Field(description="their size")
    tables: list[str]
    """Tables that were read."""


class Counts(_Part):
    """Number of findings by severity; an excepted one counts only as excepted."""

    error: int
    """Findings that shut the gate."""
    warning: int
    """Findings that a person should look at."""
    info: int
    """Findings worth knowing."""
    excepted: int = 0
    """Findings from which an exception is recorded."""


class Place(_Part):
    """Where in the file: see `Location`."""

    tag: str | None = None
    """The data element, with the way to it if nested."""
    keyword: str | None = None
    """Its keyword."""
    row: int | None = Field(None, description="line in an editor; the header is line 1")
    column: str | int | None = Field(None, description="name of a declared column, position from 1 of another")
    offset: int | None = Field(None, description="bytes from the start of the file")


class Entry(_Part):
    """One finding."""

    code: str
    """The check's code."""
    name: str
    """The check's name."""
    severity: Severity
    """Its weight in this release."""
    path: str = Field(description="relative to the dataset, with /; empty for the dataset as a whole")
    image_id: str | None = None
    """The image, where it is about one."""
    location: Place
    """Where in the file; only what has a meaning."""
    message: str
    """What is wrong, without any value."""
    excepted: bool | None = None
    """True if an exception is recorded from it, else left out."""


class FileSeen(_Part):
    """One image file or table that was read."""

    path: str
    """Relative to the dataset, with /."""
    size: int
    """Bytes."""
    sha256: str | None
    """Its digest; null with `--no-hash`."""


class Files(_Part):
    """Every file that was read."""

    files: list[FileSeen]
    """Images and tables, by path."""


class ReportDocument(_Part):
    """The report of one run of the gate."""

    schema_version: Literal[1] = 1
    """Of this format."""
    tool: Tool
    """What wrote it."""
    profile: ProfileUsed
    """What it was judged by."""
    dataset: DatasetSeen
    """What was looked at."""
    verdict: Literal["pass", "fail"]
    """`pass`: the gate is open."""
    counts: Counts
    """Findings by severity."""
    findings: list[Entry]
    """Sorted by path, location and code."""
    evidence: Files | None = None
    """With `--with-evidence`."""


def document(report: Report, *, with_evidence: bool = False) -> ReportDocument:
    """Put a report into the form in which it is written as JSON."""
    profile, evidence = report.profile, report.evidence
    return ReportDocument(
        tool=Tool(version=report.tool_version),
        profile=ProfileUsed(name=profile.release.name, version=profile.release.version, digest=profile.digest),
        dataset=DatasetSeen(
            root=evidence.candidate.folder.shown,
            images=len(evidence.records),
            bytes=sum(record.size for record in evidence.records),
            tables=[table.file for table in evidence.tables],
        ),
        verdict=report.verdict,
        counts=Counts(**{severity.value: report.counts[severity] for severity in Severity}, excepted=report.excepted),
        findings=[_entry(judged) for judged in report.judged],
        evidence=Files(files=files_seen(report)) if with_evidence else None,
    )


def _entry(judged: Judged) -> Entry:
    finding, place = judged.finding, judged.finding.location
    return Entry(
        code=finding.code,
        name=catalogue()[finding.code].name,
        severity=judged.severity,
        path=finding.path,
        image_id=finding.image_id,
        location=Place(tag=place.tag, keyword=place.keyword, row=place.row, column=place.column, offset=place.offset),
        message=finding.message,
        excepted=True if judged.excepted else None,
    )


def files_seen(report: Report) -> list[FileSeen]:
    """List every image and table that was read, by path."""
    images = [(record.path, record.size, record.sha256) for record in report.evidence.records]
    tables = [(table.file, table.size, table.sha256) for table in report.evidence.tables]
    return [
        FileSeen(path=p, size=size, sha256=sha256.hex() if sha256 else None) for p, size, sha256 in sorted(images + tables)
    ]


def to_json(report: Report, *, with_evidence: bool = False) -> str:
    """Write a report as JSON; what is absent is left out."""
    return document(report, with_evidence=with_evidence).model_dump_json(indent=2, exclude_none=True) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return ReportDocument.model_json_schema(mode="serialization")
