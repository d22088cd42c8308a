"""The whole gate as one call: list, examine, read the tables, judge, and give a verdict."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pedicxr_release import __version__
from pedicxr_release.cache import RecordCache
from pedicxr_release.candidate import list_candidate
from pedicxr_release.engine import examine_all
from pedicxr_release.evidence import Evidence
from pedicxr_release.evidence_file import EvidenceMisfitError, read_evidence
from pedicxr_release.examine.image import ExamineOptions
from pedicxr_release.exceptions import FILE_NAME as EXCEPTIONS_FILE
from pedicxr_release.exceptions import apply_exceptions
from pedicxr_release.expectations import ExpectationRunner, load_suites
from pedicxr_release.finding import Severity, catalogue
from pedicxr_release.judge.boxes import judge_boxes
from pedicxr_release.judge.expectations import judge_expectations
from pedicxr_release.judge.labels import judge_labels
from pedicxr_release.judge.layout import judge_layout
from pedicxr_release.judge.patterns import judge_patterns
from pedicxr_release.judge.splits import judge_splits
from pedicxr_release.judge.statistics import judge_statistics
from pedicxr_release.source import open_folder
from pedicxr_release.stats.table3 import Table3, compute_table3
from pedicxr_release.strays import scan_strays
from pedicxr_release.tables import read_table
from pedicxr_release.workers import in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pedicxr_release.cache import EvidenceCache
    from pedicxr_release.candidate import Candidate, Entry
    from pedicxr_release.engine import Progress
    from pedicxr_release.examine.image import Mode
    from pedicxr_release.examine.record import ImageFile
    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.finding import Finding
    from pedicxr_release.profile import Profile
    from pedicxr_release.tables import Table

JUDGES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    judge_layout,
    judge_patterns,
    judge_boxes,
    judge_labels,
    judge_splits,
    judge_statistics,
)
"""Every judge of what was read: a pure function from the evidence to findings. A new one is a line here."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """How the gate is run.

    Attributes
    ----------
    fail_on
        Findings of this severity or above shut the gate.
    published
        Whether the profile's declared counts and Table 3 are a duty.
    pixels, hash
        As in `ExamineOptions`.
    workers
        Number of worker processes; None for the cores that this process may use.
    scheduler
        Address of the scheduler of a Dask cluster that examines instead.
    store, mode
        As in `ExamineOptions`.
    expectations, data_docs
        Whether the Great Expectations suites are run, and the folder for their Data Docs.
    """

    fail_on: Severity = Severity.error
    published: bool = False
    pixels: bool = True
    hash: bool = True
    workers: int | None = None
    store: str | None = None
    mode: Mode = "copy"
    expectations: bool = True
    data_docs: Path | None = None
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding with the weight that it has in this release, and the exception that is recorded from it, if one is."""

    finding: Finding
    severity: Severity
    exception: RecordedException | None = None

    @property
    def excepted(self) -> bool:
        """Whether an exception is recorded from it."""
        return self.exception is not None


@dataclass
class Report:
    """What the gate has to say of one candidate.

    Attributes
    ----------
    evidence
        What it was judged on.
    judged
        All findings, sorted by path, location and code.
    options
        How the gate was run.
    """

    evidence: Evidence
    judged: list[Judged]
    options: GateOptions
    tool_version: str = field(default=__version__)

    @property
    def counts(self) -> Counter[Severity]:
        """Number of findings by severity, the excepted ones left out."""
        return Counter(judged.severity for judged in self.judged if not judged.excepted)

    @property
    def excepted(self) -> int:
        """Number of findings from which an exception is recorded."""
        return sum(judged.excepted for judged in self.judged)

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """``pass`` if no finding reaches the severity that shuts the gate."""
        shut = any(j.severity.rank >= self.options.fail_on.rank for j in self.judged if not j.excepted)
        return "fail" if shut else "pass"

    @cached_property
    def table3(self) -> Table3:
        """Table 3, computed from the evidence."""
        return compute_table3(self.evidence)

    @property
    def profile(self) -> Profile:
        """The profile that was used."""
        return self.evidence.profile


def validate(
    where: Path | str,
    profile: Profile,
    options: GateOptions | None = None,
    *,
    exceptions: Sequence[RecordedException] = (),
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
    cache: EvidenceCache | None = None,
) -> Report:
    """Take a candidate through the whole gate.

    Parameters
    ----------
    where
        The dataset folder, or its URL: see `open_folder`.
    profile
        What a release looks like.
    options
        How the gate is run.
    exceptions
        Recorded exceptions from its findings.
    progress
        Told how many files and bytes were just examined.
    started
        Told what lies in the folder, before any file is read.
    cache
        Evidence of earlier runs, for files that have not changed.

    Raises
    ------
    SourceError
        When the folder cannot be listed.
    """
    options = options or GateOptions()
    suites = load_suites(profile) if options.expectations else []
    with ExpectationRunner(suites, options.data_docs, cache) as runner:
        evidence = gather(
            where, profile, options, progress=progress, started=started, cache=cache, reading=runner.start
        )  # fmt: skip
        outcomes = runner.evaluate(evidence.frames() if suites else {})  # while the judges sit
        found = [finding for record in evidence.records for finding in record.findings]
        found += evidence.strays
        found += [finding for table in evidence.tables for finding in table.findings]
        found += [finding for judge in JUDGES for finding in judge(evidence)]
        evidence.outcomes = outcomes()
        found += judge_expectations(evidence)
    return Report(evidence, weigh(found, evidence, exceptions), options)


def gather(
    where: Path | str,
    profile: Profile,
    options: GateOptions,
    *,
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
    cache: EvidenceCache | None = None,
    reading: Callable[[int], None] | None = None,
) -> Evidence:
    """Read a candidate: each image once, each table once; without judging.

    Parameters
    ----------
    where, profile, options, progress, started, cache
        As for `validate`.
    reading
        Told the number of images, if any of them must be read.
    """
    candidate = list_candidate(open_folder(where), profile)
    if started:
        started(candidate)
    images = candidate.images(profile)
    here = candidate.folder.path
    examine = ExamineOptions(options.pixels, options.hash, options.store, options.mode, None if here else str(where))
    kept = RecordCache(cache, here, profile, examine) if cache and here and not options.store else None
    known = {record.path: record for record in kept.find(_entries_of(images, candidate))} if kept else {}
    if progress and known:
        progress(len(known), sum(record.size for record in known.values()))
    unknown = [image for image in images if image.path not in known]
    if reading and unknown:
        reading(len(images))
    tables = in_background(lambda: _read_tables(candidate, profile))  # while workers look at images
    strays = in_background(lambda: list(scan_strays(candidate, profile)))
    arrived = kept.keep if kept else None
    read = examine_all(
        unknown, profile, examine, workers=options.workers, scheduler=options.scheduler, progress=progress, arrived=arrived
    )
    known |= {record.path: record for record in read}
    records = [known[image.path] for image in images]
    published = options.published or profile.release.enforce_reference
    return Evidence(profile, candidate, records, tables.result(), strays.result(), published)


def _entries_of(images: Sequence[ImageFile], candidate: Candidate) -> list[Entry]:
    by_path = {entry.shown: entry for entry in candidate.entries}
    return [by_path[image.path] for image in images]


def gather_from_file(where: Path | str, profile: Profile, file: Path) -> Evidence:
    """Gather evidence without reading an image: from a file that `evidence_text` wrote, and the tables.

    Raises
    ------
    EvidenceMisfitError
        When the file does not fit the images as they are now.
    SourceError
        When the folder cannot be listed.
    """
    candidate = list_candidate(open_folder(where), profile)
    if candidate.folder.path is None:
        raise EvidenceMisfitError("files behind a URL have no times to tell whether they have changed")
    times = {entry.shown: entry.mtime_ns for entry in candidate.entries}
    records = read_evidence(file, profile, candidate.images(profile), times)
    return Evidence(profile, candidate, records, _read_tables(candidate, profile))


def _read_tables(candidate: Candidate, profile: Profile) -> list[Table]:
    there = {entry.path for entry in candidate.entries if entry.kind == "file"}
    return [read_table(candidate.folder, file, profile) for file in profile.table_files() if file in there]


def weigh(findings: Sequence[Finding], evidence: Evidence, exceptions: Sequence[RecordedException] = ()) -> list[Judged]:
    """Give each finding its severity, mark the excepted ones, and sort them: by path, location, code."""
    checks, changed = catalogue(), evidence.profile.release.severity
    today = dt.datetime.now(tz=dt.UTC).date()
    excepted, about = apply_exceptions(findings, exceptions, evidence.profile, today, EXCEPTIONS_FILE)

    def severity(code: str) -> Severity:
        check = checks[code]
        if check.declared_counts and not evidence.published:
            return Severity.info
        return changed.get(code, check.severity)

    weights = {code: severity(code) for code in checks}
    judged = [Judged(finding, weights[finding.code], excepted.get(position)) for position, finding in enumerate(findings)]
    judged += [Judged(finding, weights[finding.code]) for finding in about]
    return sorted(judged, key=lambda one: one.finding.sort_key())
