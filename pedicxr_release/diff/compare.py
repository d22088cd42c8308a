"""Two candidates or packages → what differs: files, boxes, labels, and Table 3."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from pedicxr_release.package.verify import file_digests, unpacked
from pedicxr_release.profile import CORNERS
from pedicxr_release.report.table3 import OTHER_SOURCE, shown_rows
from pedicxr_release.stats.table3 import compute_table3
from pedicxr_release.validation import GateOptions, gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pedicxr_release.candidate import Candidate
    from pedicxr_release.engine import Progress
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.profile import Profile

NO_COORDINATE = -1e300
"""Stands for a coordinate that is missing or no number, so that two such rows are alike."""
WITHHELD = "(withheld)"
"""Stands for what has not the form of an image id, or is no label of the profile."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Renamed(_Part):
    """A file that has the same bytes under another path."""

    old: str
    """Its path before."""
    new: str
    """Its path after."""


class Changed(_Part):
    """A file under the same path with other bytes."""

    path: str
    """Relative to the dataset, with /."""
    what: Literal["pixels", "header", "table", "text"] = Field(description="an image: its pixels, or only its header")


class Files(_Part):
    """Files by what became of them. The list of sums is left out: it follows from the others."""

    same: int
    """Number of files with the same path and bytes."""
    added: list[str]
    """Paths that are new."""
    removed: list[str]
    """Paths that are gone."""
    renamed: list[Renamed]
    """Paths that are others now."""
    changed: list[Changed]
    """Paths with other bytes."""


class BoxChange(_Part):
    """Boxes of one class on one image; one that was removed while another was added has moved."""

    split: str
    """Of the image."""
    image_id: str
    """The image."""
    label: str
    """Class of the boxes."""
    added: int
    """Boxes that are new."""
    removed: int
    """Boxes that are gone."""
    moved: int
    """Boxes with other corners."""


class LabelChange(_Part):
    """One label of one image, by one of its readers: 0, 1, or None where the row or the column is not there."""

    split: str
    """Of the image."""
    image_id: str
    """The image."""
    label: str
    """The label."""
    before: int | None
    """What the table said."""
    after: int | None
    """What it says."""


class CellChange(_Part):
    """One cell of Table 3 that is another one now."""

    row: str
    """Name of the row."""
    split: str
    """Column."""
    before: str
    """As printed."""
    after: str
    """As printed."""


class Difference(_Part):
    """All that is different between two candidates or packages."""

    schema_version: Literal[1] = 1
    """Of this format."""
    before: str
    """What was compared, as it was given."""
    after: str
    """With what."""
    files: Files
    """Files by what became of them."""
    boxes: list[BoxChange]
    """By image and class."""
    labels: list[LabelChange]
    """By image and label."""
    table3: list[CellChange]
    """Cells that are others now."""

    @property
    def empty(self) -> bool:
        """Whether the two are the same, byte for byte."""
        files = self.files
        return not (files.added or files.removed or files.renamed or files.changed)


def compare(
    before: Path,
    after: Path,
    profile: Profile,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    started: Callable[[Candidate], None] | None = None,
) -> Difference:
    """Compare two candidates or packages, folders or zips.

    Parameters
    ----------
    before, after
        What is compared.
    profile
        What a release looks like.
    workers, progress, started
        As for `gather`; `progress` and `started` are told of both.

    Raises
    ------
    UnreadablePackageError, SourceError
        When one cannot be read.
    """
    options = GateOptions(workers=workers)
    with unpacked(before) as first, unpacked(after) as second:
        old, new = (gather(root, profile, options, progress=progress, started=started) for root in (first, second))
        files = _files(file_digests(first, old), file_digests(second, new), old, new)
    splits = list(profile.release.splits)
    return Difference(
        before=str(before),
        after=str(after),
        files=files,
        boxes=[change for split in splits for change in _boxes(split, old, new)],
        labels=[change for split in splits for change in _labels(split, old, new)],
        table3=list(_table3(old, new)),
    )


def _files(old: dict[str, str], new: dict[str, str], before: Evidence, after: Evidence) -> Files:
    removed, added = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    by_digest: defaultdict[str, list[str]] = defaultdict(list)
    for path in added:
        by_digest[new[path]].append(path)
    renamed = [Renamed(old=path, new=by_digest[old[path]].pop(0)) for path in removed if by_digest[old[path]]]
    gone, come = {one.old for one in renamed}, {one.new for one in renamed}
    pixels = [{record.path: record.pixel_digest for record in evidence.records} for evidence in (before, after)]
    changed = []
    for path in sorted(set(old) & set(new)):
        if old[path] != new[path]:
            digests = [side.get(path) for side in pixels]
            what: Literal["pixels", "header", "table", "text"] = "table" if path in after.profile.table_files() else "text"
            if path in pixels[1]:
                what = "header" if digests[0] == digests[1] else "pixels"
            changed.append(Changed(path=path, what=what))
    return Files(
        same=len(set(old) & set(new)) - len(changed),
        added=[path for path in added if path not in come],
        removed=[path for path in removed if path not in gone],
        renamed=renamed,
        changed=changed,
    )


def _boxes(split: str, before: Evidence, after: Evidence) -> Iterator[BoxChange]:
    """Compare boxes as a multiset: the order of rows does not matter."""
    counts = [_box_counts(split, evidence) for evidence in (before, after)]
    delta = counts[1].sub(counts[0], fill_value=0)
    delta = delta[delta != 0]
    if delta.empty:
        return
    profile, known = after.profile, after.profile.labels.local_class_ids
    changes: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    images, names = (delta.index.get_level_values(level) for level in ("image_id", "class_name"))
    for image, name, number in zip(images, names, delta, strict=True):
        changes[image, name][number < 0] += abs(int(number))
    for (image, name), (come, gone) in changes.items():
        moved = min(come, gone)
        yield BoxChange(
            split=split,
            image_id=profile.known_id(image) or WITHHELD,
            label=name if name in known else WITHHELD,
            added=come - moved,
            removed=gone - moved,
            moved=moved,
        )


def _box_counts(split: str, evidence: Evidence) -> pd.Series:
    """Count equal boxes: by image, class, reader and corners."""
    key = ["image_id", "class_name", "reader"]
    tables = evidence.of_kind("boxes", split)
    frames = [table.frame[table.frame["class_name"] != table.profile.placeholder] for table in tables]
    frames = [frame[[*key, *CORNERS]].astype(dict.fromkeys(key, str)) for frame in frames]
    whole = pd.concat(frames) if frames else pd.DataFrame(columns=[*key, *CORNERS])
    return whole.fillna(NO_COORDINATE).groupby([*key, *CORNERS]).size()


def _labels(split: str, before: Evidence, after: Evidence) -> Iterator[LabelChange]:
    """Compare the label tables, for the images that stand in both."""
    old, new = (_label_frame(split, evidence) for evidence in (before, after))
    shared = old.index.get_level_values(0).intersection(new.index.get_level_values(0)).unique()
    old, new = (frame[frame.index.get_level_values(0).isin(shared)] for frame in (old, new))
    rows, columns = old.index.union(new.index), old.columns.union(new.columns, sort=False)
    old, new = (frame.reindex(index=rows, columns=columns) for frame in (old, new))
    profile = after.profile
    for label in columns:
        for key, first, second in zip(rows, old[label], new[label], strict=True):
            left, right = _value(first), _value(second)
            if left != right:
                image = profile.known_id(key[0]) or WITHHELD
                yield LabelChange(split=split, image_id=image, label=label, before=left, after=right)


def _label_frame(split: str, evidence: Evidence) -> pd.DataFrame:
    """Labels by image and reader; of rows that stand there twice the first."""
    frames = [
        table.frame.astype({"image_id": str, "reader": str}).set_index(["image_id", "reader"])[list(table.labels)]
        for table in evidence.of_kind("labels", split)
        if len(table.frame)
    ]
    if not frames:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["image_id", "reader"]))
    whole = pd.concat(frames)
    return whole[~whole.index.duplicated()].astype("float64")


def _value(cell: float) -> int | None:
    return int(cell) if cell >= 0 else None  # NaN is not


def _table3(before: Evidence, after: Evidence) -> Iterator[CellChange]:
    old, new = (list(shown_rows(compute_table3(evidence))) for evidence in (before, after))
    for first, second in zip(old, new, strict=True):
        for split, left, right in zip(after.profile.release.splits, first.cells, second.cells, strict=True):
            if left.value != right.value:
                name = second.name.removesuffix(f" {OTHER_SOURCE}")
                yield CellChange(row=name, split=split, before=left.value, after=right.value)
