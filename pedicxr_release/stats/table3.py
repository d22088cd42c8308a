"""Table 3 of the paper: dataset characteristics by split. Source: the paper, Table 3; its numbers are in the profile."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from pedicxr_release.age import age_in_years
from pedicxr_release.profile import SplitReference

if TYPE_CHECKING:
    import pandas as pd

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.profile import Label, Split


DECIMALS = {"rows": 0, "columns": 0, "age_years": 2, "male_percent": 2, "female_percent": 2, "gigabytes": 1}
"""To how many decimals the paper prints a cell of the upper part."""


class ComparedCell(NamedTuple):
    """A computed value beside the reference's, and to how many decimals the paper prints it."""

    name: str
    found: float | None
    reference: float
    decimals: int

    @property
    def equal(self) -> bool:
        """Whether both are printed alike."""
        return self.found is not None and f"{self.found:.{self.decimals}f}" == f"{self.reference:.{self.decimals}f}"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Collection(_Part):
    """The upper part of Table 3 for one split."""

    years: str | None
    """When the images were made, from the profile."""
    scans: int
    """Number of images."""
    readers_per_scan: int | None
    """Most readers that any image has; null without tables."""
    rows: float | None
    """Median, in pixels."""
    columns: float | None
    """Median, in pixels."""
    age_years: float | None
    """Median over the images that carry an age."""
    with_age: int
    """Images that carry an age."""
    male_percent: float | None
    """Of the images that carry a sex."""
    female_percent: float | None
    """Of the images that carry a sex."""
    with_sex: int
    """Images that carry a sex."""
    bytes: int
    """Size of the image files."""
    reference: SplitReference | None = None
    """What the reference has for this split."""
    declared: int
    """Number of images that the profile declares."""

    @property
    def gigabytes(self) -> float:
        """Size in decimal gigabytes."""
        return self.bytes / 1e9

    def compared(self) -> list[ComparedCell]:
        """The cells that the reference has, each beside it, to the decimals that the paper prints."""
        cells = [ComparedCell("scans", self.scans, self.declared, 0)]
        if self.reference:
            cells += [ComparedCell(n, getattr(self, n), getattr(self.reference, n), d) for n, d in DECIMALS.items()]
        return cells


class Cell(_Part):
    """One label in one split: images with it, of how many in percent, and the reference where there is one."""

    count: int
    """Images with the label."""
    percent: float | None
    """Of the split's images."""
    reference: int | None = None
    """What the reference has."""
    reference_percent: float | None = None
    """Of the declared number of images."""

    @property
    def difference(self) -> int | None:
        """Count less the reference."""
        return None if self.reference is None else self.count - self.reference


class LabelRow(_Part):
    """One label row of Table 3."""

    number: int
    """In Table 3."""
    name: str
    """In the dataset."""
    kind: Literal["local", "global"]
    """Drawn as boxes, or of the whole image."""
    cells: dict[str, Cell]
    """By split."""
    source: str | None = None
    """Where the reference is from."""


class Table3(_Part):
    """Table 3: a column a split."""

    collection: dict[str, Collection]
    """The upper part, by split."""
    labels: list[LabelRow]
    """The lower part, in the order of the numbers."""


def compute_table3(evidence: Evidence) -> Table3:
    """Compute Table 3 from the evidence.

    A local label counts the images with at least one box of its class; a global one those with a 1 in the label table.
    Percentages are of the split's images.
    """
    profile = evidence.profile
    collection = {name: _collection(name, split, evidence) for name, split in profile.release.splits.items()}
    reference = {row.number: row for row in profile.reference}
    images = {split: images_by_label(split, evidence) for split in collection}
    rows = []
    kinds: tuple[tuple[Literal["local", "global"], tuple[Label, ...]], ...] = (
        ("local", profile.labels.local),
        ("global", profile.labels.global_),
    )
    for kind, labels in kinds:
        for label in labels:
            expected = reference.get(label.number)
            cells = {
                split: _cell(
                    len(images[split].get(label.name, ())),
                    collection[split].scans,
                    expected.counts.get(split) if expected else None,
                    profile.release.splits[split].images,
                )
                for split in collection
            }
            source = expected.source if expected else None
            rows.append(LabelRow(number=label.number, name=label.name, kind=kind, cells=cells, source=source))
    return Table3(collection=collection, labels=rows)


def _cell(count: int, scans: int, reference: int | None, declared: int) -> Cell:
    return Cell(
        count=count,
        percent=100 * count / scans if scans else None,
        reference=reference,
        reference_percent=100 * reference / declared if reference is not None and declared else None,
    )


def _collection(name: str, split: Split, evidence: Evidence) -> Collection:
    records = [record for record in evidence.records if record.split == name]
    sexes = [record.sex for record in records if record.sex]
    ages = [age_in_years(record.age) for record in records if record.age]
    rows = [record.rows for record in records if record.rows]
    columns = [record.columns for record in records if record.columns]
    return Collection(
        years=split.years,
        scans=len(records),
        readers_per_scan=_readers_per_scan(name, evidence),
        rows=median(rows) if rows else None,
        columns=median(columns) if columns else None,
        age_years=median(ages) if ages else None,
        with_age=len(ages),
        male_percent=100 * sexes.count("M") / len(sexes) if sexes else None,
        female_percent=100 * sexes.count("F") / len(sexes) if sexes else None,
        with_sex=len(sexes),
        bytes=sum(record.size for record in records),
        reference=split.reference,
        declared=split.images,
    )


def _readers_per_scan(split: str, evidence: Evidence) -> int | None:
    tables = [table for table in evidence.tables if table.split == split and not table.frame.empty]
    if any(table.profile.consensus for table in tables):
        return evidence.profile.release.splits[split].readers_per_image
    return max((_readers(table.frame) for table in tables), default=None)


def _readers(frame: pd.DataFrame) -> int:
    return int(frame[["image_id", "reader"]].astype(str).drop_duplicates().groupby("image_id").size().max())


def images_by_label(split: str, evidence: Evidence) -> dict[str, set[str]]:
    """Return the ids of a split's images with each label: a box of a local one, a 1 for a global one.

    Where the profile has the readers vote, more than half of them must have seen the label.
    """
    images: dict[str, set[str]] = {}
    profile, declared = evidence.profile, evidence.profile.release.splits[split]
    votes = declared.readers_per_image // 2 + 1 if declared.vote == "majority" and profile.read_independently(split) else 1
    local = {label.name for label in profile.labels.local}
    for table in evidence.of_kind("boxes", split):
        seen = table.frame[["image_id", "reader", "class_name"]].astype(object).drop_duplicates()
        for name, group in seen[seen["class_name"].isin(local)].groupby("class_name")["image_id"]:
            images.setdefault(str(name), set()).update(_with_votes(group, votes))
    for table in evidence.of_kind("labels", split):
        for label in profile.labels.global_:
            if label.name in table.labels:
                seen = table.frame.loc[table.frame[label.name] == 1, ["image_id", "reader"]].astype(object).drop_duplicates()
                images.setdefault(label.name, set()).update(_with_votes(seen["image_id"], votes))
    return images


def _with_votes(images: pd.Series, votes: int) -> pd.Series | pd.Index:
    """Return the images that stand there at least so many times."""
    if votes == 1:
        return images
    counts = images.value_counts()
    return counts[counts >= votes].index


class Summary(NamedTuple):
    """How many cells equal the reference, of how many: label cells, and cells of the upper part."""

    labels_equal: int
    labels: int
    collection_equal: int
    collection: int


def summarise(table: Table3) -> Summary:
    """Count the cells that equal the reference."""
    cells = [cell for row in table.labels for cell in row.cells.values() if cell.reference is not None]
    upper = [cell for collection in table.collection.values() if collection.reference for cell in collection.compared()]
    return Summary(sum(c.difference == 0 for c in cells), len(cells), sum(c.equal for c in upper), len(upper))
