"""Labels by group: how many images of each sex, age group or reader have each label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from pedicxr_release.age import age_in_years
from pedicxr_release.profile import CONSENSUS
from pedicxr_release.stats.table3 import images_by_label

if TYPE_CHECKING:
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.examine.record import ImageRecord

Grouping = Literal["sex", "age-group", "reader"]
AGE_GROUPS = (
    (28 / 365.25, "newborn (< 28 days)"),
    (1, "infant (< 1 year)"),
    (2, "1 year"),
    (5, "2–4 years"),
    (10, "5–9 years"),
)
"""Upper bound in years and name; the first four follow the paediatric age groups of ICH E11."""
UNKNOWN = "unknown"


class LabelByGroup(BaseModel):
    """One label: images with it, by split and group."""

    model_config = ConfigDict(frozen=True)

    number: int
    name: str
    counts: dict[str, dict[str, int]]


class Breakdown(BaseModel):
    """Labels by group.

    Attributes
    ----------
    totals
        Images by split and group.
    labels
        A row a label, in the order of Table 3.
    """

    model_config = ConfigDict(frozen=True)

    by: Grouping
    totals: dict[str, dict[str, int]]
    labels: list[LabelByGroup]


def break_down(evidence: Evidence, by: Grouping) -> Breakdown:
    """Count images by label and group; an image without the attribute is in the group ``unknown``."""
    profile = evidence.profile
    counts: dict[str, dict[str, dict[str, int]]] = {}
    totals: dict[str, dict[str, int]] = {}
    for split in profile.release.splits:
        groups = _groups(split, by, evidence)
        names = _ordered(set(groups.values()), by)
        totals[split] = {name: sum(group == name for group in groups.values()) for name in names}
        for label, images in images_by_label(split, evidence).items():
            of_label = counts.setdefault(label, {}).setdefault(split, dict.fromkeys(names, 0))
            for image in images:
                if image in groups:
                    of_label[groups[image]] += 1
    rows = [
        LabelByGroup(
            number=label.number,
            name=label.name,
            counts={split: counts.get(label.name, {}).get(split, dict.fromkeys(totals[split], 0)) for split in totals},
        )
        for label in profile.labels.local + profile.labels.global_
    ]
    return Breakdown(by=by, totals=totals, labels=rows)


def _groups(split: str, by: Grouping, evidence: Evidence) -> dict[str, str]:
    records = [record for record in evidence.records if record.split == split and record.image_id]
    if by == "reader":
        readers: dict[str, str] = {}
        known = evidence.profile.reader_regex
        for table in evidence.of_kind("labels", split):
            for image, own in table.frame.astype({"image_id": str, "reader": str}).groupby("image_id")["reader"]:
                names = sorted(set(own))
                readers[str(image)] = " ".join(names) if all(n == CONSENSUS or known.match(n) for n in names) else UNKNOWN
        return {str(record.image_id): readers.get(str(record.image_id), UNKNOWN) for record in records}
    return {str(record.image_id): (record.sex or UNKNOWN) if by == "sex" else _age_group(record) for record in records}


def _age_group(record: ImageRecord) -> str:
    if not record.age:
        return UNKNOWN
    years = age_in_years(record.age)
    return next((name for bound, name in AGE_GROUPS if years < bound), "10 years and more")


def _ordered(names: set[str], by: Grouping) -> list[str]:
    order = [name for _, name in AGE_GROUPS] if by == "age-group" else []
    return sorted(names, key=lambda name: (name == UNKNOWN, order.index(name) if name in order else len(order), name))
